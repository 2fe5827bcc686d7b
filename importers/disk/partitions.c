/* Partition tables: the master boot record with its chain of extended boot records, GPT. A chain is followed only as long as it
 * stays on the disk and meets no record twice. References: [MBR], [UEFI-GPT], [DDO]. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { TABLE_AT = 446, ENTRY_SIZE = 16, SIGNATURE_AT = 510, DISK_ID_AT = 440, CHAIN_MOST = 60, GPT_MOST = 1 << 20 };
enum { TYPE_GPT = 0xee, TYPE_ONTRACK = 0x54, TYPE_EZDRIVE = 0x55, TYPE_DYNAMIC = 0x42 };

const char *const table_kind_names[] = { "none", "mbr", "gpt", "volume", "bsd" };

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
        { 0x01, "FAT12" }, { 0x02, "Xenix root" }, { 0x03, "Xenix usr" }, { 0x04, "FAT16 below 32 MB" }, { 0x05, "extended" },
        { 0x06, "FAT16" }, { 0x07, "NTFS or HPFS" }, { 0x08, "AIX or split DOS" }, { 0x09, "AIX or Coherent" }, { 0x0a, "OS/2 boot manager" },
        { 0x0b, "FAT32" }, { 0x0c, "FAT32 LBA" }, { 0x0e, "FAT16 LBA" }, { 0x0f, "extended LBA" }, { 0x10, "OPUS" }, { 0x11, "hidden FAT12" },
        { 0x12, "diagnostics" }, { 0x14, "hidden FAT16 below 32 MB" }, { 0x15, "hidden extended" }, { 0x16, "hidden FAT16" },
        { 0x17, "hidden NTFS or HPFS" }, { 0x1b, "hidden FAT32" }, { 0x1c, "hidden FAT32 LBA" }, { 0x1e, "hidden FAT16 LBA" },
        { 0x1f, "hidden extended LBA" }, { 0x24, "NEC DOS" }, { 0x27, "recovery" }, { 0x35, "OS/2 JFS" }, { 0x39, "Plan 9" },
        { 0x3c, "PartitionMagic" }, { 0x42, "dynamic disk" }, { 0x4d, "QNX 4" }, { 0x4e, "QNX 4" }, { 0x4f, "QNX 4" }, { 0x50, "OnTrack" },
        { 0x51, "OnTrack" }, { 0x52, "CP/M" }, { 0x53, "OnTrack" }, { 0x54, "OnTrack Disk Manager" }, { 0x55, "EZ-Drive" },
        { 0x63, "UnixWare or SCO" }, { 0x64, "NetWare 286" }, { 0x65, "NetWare 386" }, { 0x75, "PC/IX" }, { 0x77, "QNX 4" }, { 0x80, "Minix" },
        { 0x81, "Minix or old Linux" }, { 0x82, "Linux swap or Solaris" }, { 0x83, "Linux" }, { 0x84, "hibernation" }, { 0x85, "Linux extended" },
        { 0x86, "fault-tolerant FAT16" }, { 0x87, "fault-tolerant NTFS" }, { 0x8e, "Linux LVM" }, { 0x93, "hidden Linux" }, { 0x9f, "BSDI" },
        { 0xa0, "hibernation" }, { 0xa5, "FreeBSD" }, { 0xa6, "OpenBSD" }, { 0xa8, "Mac OS X" }, { 0xa9, "NetBSD" }, { 0xb7, "BSDI" },
        { 0xb8, "BSDI swap" }, { 0xbe, "Solaris boot" }, { 0xbf, "Solaris" }, { 0xc6, "damaged FAT16 set" }, { 0xdb, "CP/M" }, { 0xde, "Dell utilities" },
        { 0xeb, "BeOS" }, { 0xee, "GPT" }, { 0xef, "EFI" }, { 0xf2, "DOS secondary" }, { 0xfd, "Linux RAID" }, { 0xfe, "LANstep" },
        { 0xff, "Xenix bad blocks" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].type == type)
            return names[i].name;
    return "unknown type";
}

static bool is_extended(uint8_t type)
{
    return type && strchr("\x05\x0f\x85\x15\x1f\x91\x9b\xc5", type);  /* also the hidden ones of OS/2 and FreeDOS, DR-DOS's secured */
}

static bool sector_read(struct block *disk, uint64_t lba, uint8_t *sector)
{
    return lba < disk->size / SECTOR && !block_read(disk, lba * SECTOR, sector, SECTOR);
}

static struct chs chs_read(const uint8_t *p)
{
    return (struct chs){ .cylinder = (uint16_t)((p[1] & 0xc0) << 2 | p[2]), .head = p[0], .sector = p[1] & 63 };
}

struct partition *partition_add(struct partition_table *t, const char *scheme, const struct partition *inside, const char *suffix,
                                uint64_t start, uint64_t sectors)
{
    struct partition *p = &t->list[t->count];
    unsigned number = 5;
    for (size_t i = 0; i < t->count; i++)
        number = MAX(number, t->list[i].number + 1);
    if (t->count == PARTITIONS_MOST)
        return NULL;
    *p = (struct partition){ .number = number, .scheme = scheme, .start = start, .sectors = sectors, .type = inside ? inside->type : 0 };
    snprintf(p->name, sizeof(p->name), "%.19s%s", inside ? inside->name : "", suffix);
    t->count++;
    return p;
}

/* One entry of a table; start counts from `base`; number 0: the next. */
static void entry_add(struct partition_table *t, const uint8_t *e, unsigned number, uint64_t base)
{
    struct partition *p = partition_add(t, "mbr", NULL, "", base + le32_get(e + 8), le32_get(e + 12));
    if (!p)
        return;
    p->number = number ? number : p->number;
    p->type = e[4], p->active = e[0] & 0x80;
    p->first = chs_read(e + 1), p->last = chs_read(e + 5);
    snprintf(p->name, sizeof(p->name), "%u", p->number);
}

/* The links of an extended partition. In a link any entry may be the logical partition and any the way to the next link, as some
 * systems wrote them; the third and fourth hold garbage of others and count only when they stay inside. */
static void chain_read(struct block *disk, struct partition_table *t, struct partition container)
{
    uint64_t base = container.start, at = base, seen[CHAIN_MOST];
    for (unsigned n = 0; ; n++) {
        uint8_t s[SECTOR];
        const char *trouble = n == CHAIN_MOST ? "is one of more than 60 links; the rest is ignored" : NULL;
        for (unsigned i = 0; i < n && !trouble; i++)
            trouble = seen[i] == at ? "is met twice: the chain would never end" : NULL;
        if (!trouble && (!sector_read(disk, at, s) || le16_get(s + SIGNATURE_AT) != 0xaa55))
            trouble = at < disk->size / SECTOR ? "has no signature" : "lies beyond the end of the disk";
        if (trouble) {
            partitions_finding(t, "the extended partition table at sector %llu %s", (unsigned long long)at, trouble);
            t->damaged = true;
            return;
        }
        seen[n] = at;
        uint64_t next = 0;
        for (unsigned i = 0; i < 4; i++) {
            const uint8_t *e = s + TABLE_AT + i * ENTRY_SIZE;
            if (!e[4] || !le32_get(e + 12) || (i > 1 && le32_get(e + 8) + (uint64_t)le32_get(e + 12) > container.sectors))
                continue;
            if (!is_extended(e[4]))
                entry_add(t, e, 0, at);
            else if (!next)
                next = base + le32_get(e + 8);
        }
        if (!next)
            return;
        at = next;
        if (at - base >= container.sectors) {
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
            partitions_finding(t, "partition %s (sectors %llu to %llu) goes beyond the end of the disk (%llu sectors); the "
                               "copy may be cut short", p->name, (unsigned long long)p->start,
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

/* Entries have 00 or 80 in front (some wrote 81 for the second drive) and begin behind the table; one that does not is damaged. */
static bool entry_plausible(const uint8_t *e)
{
    return !(e[0] & 0x70) && (!e[4] || !le32_get(e + 12) || le32_get(e + 8));
}

/* Is it a table, or the boot sector of a volume or a bad copy? */
static bool table_plausible(const struct block *disk, const uint8_t *s)
{
    unsigned used = 0, bad = 0;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *e = s + TABLE_AT + i * ENTRY_SIZE;
        bad += !entry_plausible(e);
        used += entry_plausible(e) && e[4] && le32_get(e + 12) && (!bad || le32_get(e + 8) < disk->size / SECTOR);
    }
    return used && used >= bad;
}

static void sniff_all(struct block *disk, struct partition_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct partition *p = &t->list[i];
        uint64_t size = disk->size / SECTOR;
        if (p->start < size && !is_extended(p->type) && !p->fs[0])
            volume_sniff(disk, p->start * SECTOR, MIN(p->sectors, size - p->start) * SECTOR, p->fs, p->label);
    }
}

/* A header of a GPT and its entries, when all sums are right; allocated. */
static uint8_t *gpt_header_read(struct block *disk, uint64_t lba, uint8_t *h)
{
    if (!sector_read(disk, lba, h) || memcmp(h, "EFI PART", 8) || le32_get(h + 12) < 92 || le32_get(h + 12) > SECTOR)
        return NULL;
    uint32_t sum = le32_get(h + 16), size = le32_get(h + 84);
    uint64_t bytes = (uint64_t)le32_get(h + 80) * size, at = le64_get(h + 72);
    le32_put(h + 16, 0);
    if (crc32(0, h, le32_get(h + 12)) != sum || size < 128 || !bytes || bytes > GPT_MOST || at >= disk->size / SECTOR)
        return NULL;
    uint8_t *entries = malloc(bytes);
    if (entries && !block_read(disk, at * SECTOR, entries, bytes) && crc32(0, entries, (unsigned)bytes) == le32_get(h + 88))
        return entries;
    free(entries);
    return NULL;
}

static bool gpt_read(struct block *disk, struct partition_table *t)
{
    static const struct { uint32_t guid; uint8_t type; } types[] = {
        { 0xc12a7328, 0xef }, { 0xebd0a0a2, 0x07 }, { 0x0fc63daf, 0x83 }, { 0x0657fd6d, 0x82 }, { 0xe6d6d379, 0x8e }, { 0xa19d880f, 0xfd },
        { 0x516e7cb6, 0xa5 }, { 0x49f48d5a, 0xa9 }, { 0x824cc7a0, 0xa6 }, { 0x5808c8aa, TYPE_DYNAMIC },
    };
    uint8_t h[SECTOR];
    uint8_t *entries = gpt_header_read(disk, 1, h);
    if (!entries) {
        entries = gpt_header_read(disk, disk->size / SECTOR - 1, h);
        partitions_finding(t, "the GPT at the start of the disk is damaged; %s", entries ? "its copy at the end is used" : "so is its copy");
        t->damaged = t->damaged || !entries;
    }
    for (uint32_t i = 0; entries && i < le32_get(h + 80) && t->count < PARTITIONS_MOST; i++) {
        const uint8_t *e = entries + (size_t)i * le32_get(h + 84);
        uint64_t first = le64_get(e + 32), last = le64_get(e + 40);
        char name[12];
        if (!any_nonzero(e, 16) || last < first || first > INT64_MAX / SECTOR || last - first > INT64_MAX / SECTOR)
            continue;
        snprintf(name, sizeof(name), "%u", i + 1);
        struct partition *p = partition_add(t, "gpt", NULL, name, first, last - first + 1);
        p->number = i + 1;
        p->active = e[48] & 4;
        for (size_t k = 0; k < ARRAY_SIZE(types); k++)
            p->type = types[k].guid == le32_get(e) ? types[k].type : p->type;
    }
    bool found = entries;
    free(entries);
    return found;
}

/* Drives beyond a BIOS's limit were started through a program in the first track: EZ-Drive shows sector 1 in place of sector 0,
 * OnTrack hides the first 63 sectors. The true table is where such a program shows it. */
static uint64_t overlay_find(struct block *disk, struct partition_table *t, uint8_t *s)
{
    uint8_t type = s[TABLE_AT + 4], inner[SECTOR];
    uint64_t at = type == TYPE_EZDRIVE ? 1 : type == TYPE_ONTRACK ? 63 : 0;
    if (!at || !sector_read(disk, at, inner) || le16_get(inner + SIGNATURE_AT) != 0xaa55)
        return 0;
    partitions_finding(t, "the disk was used through %s, which %s; the table at sector %llu counts, and only with that program on it does "
        "the disk start", partition_type_name(type), at == 1 ? "shows its second sector as the first" : "hides its first 63 sectors",
        (unsigned long long)at);
    memcpy(s, inner, SECTOR);
    return type == TYPE_ONTRACK ? at : 0;
}

static void table_read(struct block *disk, struct partition_table *t, uint8_t *s)
{
    uint64_t shift = overlay_find(disk, t, s);
    bool dynamic = false;
    t->kind = TABLE_MBR;
    t->disk_id = le32_get(s + DISK_ID_AT);
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *e = s + TABLE_AT + i * ENTRY_SIZE;
        if (!entry_plausible(e)) {
            partitions_finding(t, "entry %u of the partition table makes no sense and is ignored", i + 1);
            t->damaged = true;
            continue;
        }
        if (e[4] && le32_get(e + 12))
            entry_add(t, e, i + 1, shift);
        t->kind = e[4] == TYPE_GPT ? TABLE_GPT : t->kind;
        dynamic = dynamic || e[4] == TYPE_DYNAMIC;
    }
    for (size_t i = 0, primary = t->count; i < primary; i++)
        if (is_extended(t->list[i].type))
            chain_read(disk, t, t->list[i]);
    if (dynamic)
        partitions_finding(t, "a dynamic disk: its volumes are in a database of Windows; those that begin where the table says are read");
    if (t->kind == TABLE_GPT)
        partitions_finding(t, "the disk has a GPT, which no system of the 32-bit age boots from by a BIOS of its time");
    size_t count = t->count;
    if (t->kind == TABLE_GPT && gpt_read(disk, t)) {    /* the entries that only protect or repeat it go */
        t->count -= count;
        memmove(t->list, t->list + count, t->count * sizeof(t->list[0]));
    }
    check_bounds(disk, t);
    for (size_t i = 0, outer = t->count; i < outer; i++)
        slices_read(disk, t, &t->list[i]);
    sniff_all(disk, t);
}

/* A lost table: the first volume was nearly always made at one of a few places. */
static void volumes_find(struct block *disk, struct partition_table *t)
{
    static const uint16_t places[] = { 17, 26, 32, 34, 56, 63, 2048 };
    char fs[16], label[36];
    for (size_t i = 0; i < ARRAY_SIZE(places) && !t->count && places[i] < disk->size / SECTOR; i++) {
        volume_sniff(disk, places[i] * SECTOR, disk->size - places[i] * SECTOR, fs, label);
        struct partition *p = fs[0] ? partition_add(t, "lost", NULL, "1", places[i], disk->size / SECTOR - places[i]) : NULL;
        if (p) {
            memcpy(p->fs, fs, sizeof(fs)), memcpy(p->label, label, sizeof(label));
            p->number = 1;
            t->damaged = true;
            partitions_finding(t, "without a table, a volume (%s) was found at sector %u", fs, places[i]);
        }
    }
}

void partitions_read(struct block *disk, struct partition_table *t)
{
    uint8_t s[SECTOR];
    struct partition whole = { .scheme = "", .sectors = disk->size / SECTOR };
    memset(t, 0, sizeof(*t));
    if (!sector_read(disk, 0, s)) {
        partitions_finding(t, "the disk is shorter than one sector");
        t->damaged = true;
        return;
    }
    bool table = le16_get(s + SIGNATURE_AT) == 0xaa55 && table_plausible(disk, s);
    volume_sniff(disk, 0, disk->size, whole.fs, whole.label);
    if (whole.fs[0] && strcmp(whole.fs, "bsd") && (!table || !strncmp(whole.fs, "fat", 3) || !strcmp(whole.fs, "ntfs") || !strcmp(whole.fs, "hpfs"))) {
        t->kind = TABLE_VOLUME;
        t->list[t->count++] = whole;
        if (slices_read(disk, t, &whole))       /* of LVM */
            sniff_all(disk, t);
    } else if (table) {
        table_read(disk, t, s);
    } else if (slices_read(disk, t, &whole)) {
        t->kind = TABLE_BSD;
        sniff_all(disk, t);
    } else if (disk->size > 3 * SECTOR && sector_read(disk, 1, s) && !memcmp(s, "EFI PART", 8)) {
        t->kind = TABLE_GPT;
        partitions_finding(t, "the disk has a GPT but no table in its first sector to protect it");
        gpt_read(disk, t);
        sniff_all(disk, t);
    } else {
        partitions_finding(t, "the disk has no partition table%s", le16_get(s + SIGNATURE_AT) == 0xaa55 ? " that makes sense" : "");
        t->damaged = le16_get(s + SIGNATURE_AT) == 0xaa55;
        volumes_find(disk, t);
    }
}
