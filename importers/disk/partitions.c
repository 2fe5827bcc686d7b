/* Partition tables: the master boot record, its chain of extended boot records, and whether there is a GPT. A chain is
 * followed only as long as it stays on the disk and meets no record twice. References: [MBR], [UEFI-GPT]. */
#include "importers/disk/partitions.h"
#include "base/bits.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_AT = 446, ENTRY_SIZE = 16, SIGNATURE_AT = 510, DISK_ID_AT = 440, CHAIN_MOST = 60 };
enum { TYPE_EXTENDED = 0x05, TYPE_EXTENDED_LBA = 0x0f, TYPE_EXTENDED_LINUX = 0x85, TYPE_GPT = 0xee };

const char *const table_kind_names[] = { "none", "mbr", "gpt", "volume" };

void partitions_finding(struct partition_table *t, const char *fmt, ...)
{
    va_list args;
    if (t->finding_count == IMPORT_FINDINGS)
        return;
    va_start(args, fmt);
    vsnprintf(t->findings[t->finding_count++], IMPORT_TEXT, fmt, args);
    va_end(args);
}

const char *partition_type_name(uint8_t type)
{
    static const struct { uint8_t type; const char *name; } names[] = {
        { 0x01, "FAT12" }, { 0x04, "FAT16 below 32 MB" }, { 0x05, "extended" }, { 0x06, "FAT16" }, { 0x07, "NTFS or HPFS" },
        { 0x0a, "OS/2 boot manager" }, { 0x0b, "FAT32" }, { 0x0c, "FAT32 LBA" }, { 0x0e, "FAT16 LBA" },
        { 0x0f, "extended LBA" }, { 0x11, "hidden FAT12" }, { 0x12, "diagnostics" }, { 0x14, "hidden FAT16" },
        { 0x16, "hidden FAT16" }, { 0x1b, "hidden FAT32" }, { 0x35, "OS/2 JFS" }, { 0x42, "dynamic disk" },
        { 0x4d, "QNX 4" }, { 0x63, "UnixWare or SCO" }, { 0x64, "NetWare 286" }, { 0x65, "NetWare 386" },
        { 0x80, "Minix" }, { 0x81, "Minix or old Linux" }, { 0x82, "Linux swap or Solaris" }, { 0x83, "Linux" },
        { 0x85, "Linux extended" }, { 0x8e, "Linux LVM" }, { 0xa5, "FreeBSD" }, { 0xa6, "OpenBSD" }, { 0xa9, "NetBSD" },
        { 0xa8, "Mac OS X" }, { 0xeb, "BeOS" }, { 0xee, "GPT" }, { 0xef, "EFI" }, { 0xfd, "Linux RAID" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].type == type)
            return names[i].name;
    return "unknown type";
}

static bool is_extended(uint8_t type)
{
    return type == TYPE_EXTENDED || type == TYPE_EXTENDED_LBA || type == TYPE_EXTENDED_LINUX;
}

static bool sector_read(struct block *disk, uint64_t lba, uint8_t *sector)
{
    return lba < disk->size / SECTOR && !block_read(disk, lba * SECTOR, sector, SECTOR);
}

static struct chs chs_read(const uint8_t *p)
{
    return (struct chs){ .cylinder = (uint16_t)((p[1] & 0xc0) << 2 | p[2]), .head = p[0], .sector = p[1] & 63 };
}

/* One entry of a table; start counts from `base`. Returns NULL when there is no more room. */
static struct partition *entry_add(struct partition_table *t, const uint8_t *e, unsigned number, uint64_t base)
{
    if (t->count == PARTITIONS_MOST)
        return NULL;
    struct partition *p = &t->list[t->count++];
    *p = (struct partition){ .number = number, .type = e[4], .active = e[0] == 0x80, .start = base + le32_get(e + 8),
                             .sectors = le32_get(e + 12), .first = chs_read(e + 1), .last = chs_read(e + 5) };
    return p;
}

static void chain_read(struct block *disk, struct partition_table *t, const struct partition *container)
{
    uint64_t base = container->start, at = base, seen[CHAIN_MOST];
    for (unsigned n = 0; ; n++) {
        uint8_t s[SECTOR];
        for (unsigned i = 0; i < n; i++)
            if (seen[i] == at) {
                partitions_finding(t, "the chain of extended partitions comes back to sector %llu and would never end",
                                   (unsigned long long)at);
                t->damaged = true;
                return;
            }
        if (n == CHAIN_MOST) {
            partitions_finding(t, "the chain of extended partitions has more than %d links; the rest is ignored", CHAIN_MOST);
            t->damaged = true;
            return;
        }
        seen[n] = at;
        if (!sector_read(disk, at, s) || le16_get(s + SIGNATURE_AT) != 0xaa55) {
            partitions_finding(t, "the extended partition table at sector %llu %s", (unsigned long long)at,
                               at < disk->size / SECTOR ? "has no signature" : "lies beyond the end of the disk");
            t->damaged = true;
            return;
        }
        const uint8_t *here = s + TABLE_AT, *next = here + ENTRY_SIZE;
        if (here[4] && le32_get(here + 12) && !is_extended(here[4]) && !entry_add(t, here, 5 + n, at))
            return;
        if (!is_extended(next[4]) || !le32_get(next + 12))
            return;
        at = base + le32_get(next + 8);
        if (le32_get(next + 8) >= container->sectors) {
            partitions_finding(t, "an extended partition table at sector %llu lies outside the extended partition",
                               (unsigned long long)at);
            t->damaged = true;
        }
    }
}

static void check_bounds(struct block *disk, struct partition_table *t)
{
    uint64_t size = disk->size / SECTOR;
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->list[i];
        if (p->start >= size || p->sectors > size - p->start) {
            partitions_finding(t, "partition %u (sectors %llu to %llu) goes beyond the end of the disk (%llu sectors); the "
                               "copy may be cut short", p->number, (unsigned long long)p->start,
                               (unsigned long long)(p->start + p->sectors - 1), (unsigned long long)size);
            t->damaged = true;
        }
        for (size_t j = 0; j < i; j++) {
            const struct partition *o = &t->list[j];
            if (is_extended(p->type) == is_extended(o->type) && p->start < o->start + o->sectors &&
                o->start < p->start + p->sectors) {
                partitions_finding(t, "partitions %u and %u overlap", o->number, p->number);
                t->damaged = true;
            }
        }
    }
}

/* Boot sectors of volumes end in the same signature: a table's entries have 00 or 80 in front and start behind it. */
static bool table_plausible(const uint8_t *s)
{
    unsigned used = 0;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *e = s + TABLE_AT + i * ENTRY_SIZE;
        if (e[0] & 0x7f)
            return false;
        used += e[4] && le32_get(e + 8) && le32_get(e + 12);
    }
    return used;
}

static void sniff_all(struct block *disk, struct partition_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct partition *p = &t->list[i];
        uint64_t size = disk->size / SECTOR;
        if (p->start < size && !is_extended(p->type))
            volume_sniff(disk, p->start * SECTOR, MIN(p->sectors, size - p->start) * SECTOR, p->fs, p->label);
    }
}

static void table_read(struct block *disk, struct partition_table *t, const uint8_t *s)
{
    t->kind = TABLE_MBR;
    t->disk_id = le32_get(s + DISK_ID_AT);
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *e = s + TABLE_AT + i * ENTRY_SIZE;
        if (e[4] && le32_get(e + 12))
            entry_add(t, e, i + 1, 0);
        if (e[4] == TYPE_GPT)
            t->kind = TABLE_GPT;
    }
    for (size_t i = 0, primary = t->count; i < primary; i++)
        if (is_extended(t->list[i].type))
            chain_read(disk, t, &t->list[i]);
    if (t->kind == TABLE_GPT)
        partitions_finding(t, "the disk has a GPT, which no system of the 32-bit age boots from by a BIOS of its time");
    check_bounds(disk, t);
    sniff_all(disk, t);
}

void partitions_read(struct block *disk, struct partition_table *t)
{
    uint8_t s[SECTOR];
    struct partition whole = { .number = 0, .sectors = disk->size / SECTOR };
    memset(t, 0, sizeof(*t));
    if (!sector_read(disk, 0, s)) {
        partitions_finding(t, "the disk is shorter than one sector");
        t->damaged = true;
        return;
    }
    bool table = le16_get(s + SIGNATURE_AT) == 0xaa55 && table_plausible(s);
    volume_sniff(disk, 0, disk->size, whole.fs, whole.label);
    if (whole.fs[0] && (!table || !strncmp(whole.fs, "fat", 3))) {
        t->kind = TABLE_VOLUME;
        t->list[t->count++] = whole;
    } else if (table) {
        table_read(disk, t, s);
    } else {
        partitions_finding(t, "the disk has no partition table%s",
                           le16_get(s + SIGNATURE_AT) == 0xaa55 ? " that makes sense" : "");
        t->damaged = le16_get(s + SIGNATURE_AT) == 0xaa55;
    }
}
