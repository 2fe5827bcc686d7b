/* Which file system a partition holds, by its magic numbers, and the geometry that its table and boot sectors tell.
 * References: [FAT], [EXT2], [NTFS-BPB], [INT13]. */
#include "importers/disk/partitions.h"
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <string.h>

struct magic { uint64_t at; const char *bytes; size_t length; const char *fs; };
static const struct magic magics[] = {
    { 3, "NTFS    ", 8, "ntfs" }, { 8192, "\x49\xe8\x95\xf9", 4, "hpfs" }, { 0, "XFSB", 4, "xfs" },
    { 65536 + 52, "ReIsEr", 6, "reiserfs" }, { 8192 + 52, "ReIsEr", 6, "reiserfs" }, { 32768, "JFS1", 4, "jfs" },
    { 4086, "SWAP-SPACE", 10, "swap" }, { 4086, "SWAPSPACE2", 10, "swap" }, { 512, "LABELONE", 8, "lvm" }, { 0, "HM\1\0", 4, "lvm" },
    { 512, "\x57\x45\x56\x82", 4, "bsd" }, { 8192 + 1372, "\x54\x19\x01\x00", 4, "ufs" },
};

const char *volume_magic(struct block *disk, uint64_t offset, uint64_t length)
{
    uint8_t bytes[16];
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];
        if (m->at + m->length <= length && !block_read(disk, offset + m->at, bytes, m->length) &&
            !memcmp(bytes, m->bytes, m->length))
            return m->fs;
    }
    return NULL;
}

void volume_sniff(struct block *disk, uint64_t offset, uint64_t length, char fs[16], char label[36])
{
    struct volume v;
    struct tree t;
    fs[0] = label[0] = 0;
    if (volume_tree(disk, offset, length, &v, &t)) {
        snprintf(fs, 16, "%s", v.fs);
        snprintf(label, 36, "%s", v.label);
        volume_close(&v);
        return;
    }
    const char *name = volume_magic(disk, offset, length);
    snprintf(fs, 16, "%s", name ? name : "");
}

/* Does the CHS address name the same sector as the linear one? */
static bool agrees(struct chs c, uint64_t lba, uint32_t heads, uint32_t sectors)
{
    return c.sector && ((uint64_t)c.cylinder * heads + c.head) * sectors + c.sector - 1 == lba;
}

/* A partition ends with its cylinder, so its last address has the greatest head and sector. Proof: an address below the
 * limit of 1024 cylinders must give the linear one. */
static bool table_geometry(const struct partition_table *t, uint32_t *heads, uint32_t *sectors, unsigned *number)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->list[i];
        uint32_t h = p->last.head + 1u, s = p->last.sector;
        if (p->number == 0 || p->number > 4 || !s || h < 2)
            continue;
        bool end = p->last.cylinder < 1023 && agrees(p->last, p->start + p->sectors - 1, h, s);
        bool start = p->last.cylinder >= 1023 && p->first.cylinder < 1023 && agrees(p->first, p->start, h, s);
        if (end || start) {
            *heads = h, *sectors = s, *number = p->number;
            return true;
        }
    }
    return false;
}

/* FAT and NTFS boot sectors keep the geometry at the same place; DOS trusts it. */
static bool boot_geometry(struct block *disk, const struct partition_table *t, uint32_t *heads, uint32_t *sectors,
                          unsigned *number)
{
    uint8_t s[SECTOR];
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->list[i];
        if ((strncmp(p->fs, "fat", 3) && strcmp(p->fs, "ntfs") && strcmp(p->fs, "hpfs")) ||
            block_read(disk, p->start * SECTOR, s, SECTOR))
            continue;
        *sectors = le16_get(s + 24), *heads = le16_get(s + 26), *number = p->number;
        if (*sectors && *sectors <= 63 && *heads >= 1 && *heads <= 256)
            return true;
    }
    return false;
}

void geometry_find(struct block *disk, const struct partition_table *t, struct import_geometry *g)
{
    uint32_t heads = 0, sectors = 0, boot_heads = 0, boot_sectors = 0;
    unsigned number = 0, boot_number = 0;
    uint64_t total = disk->size / SECTOR;
    bool table = t->kind == TABLE_MBR && table_geometry(t, &heads, &sectors, &number);
    bool boot = boot_geometry(disk, t, &boot_heads, &boot_sectors, &boot_number);
    memset(g, 0, sizeof(*g));
    if (table && boot && heads == boot_heads && sectors == boot_sectors) {
        snprintf(g->reason, sizeof(g->reason), "the partition table's CHS addresses (partition %u) and the boot sector of "
                 "partition %u agree on it", number, boot_number);
    } else if (table) {
        snprintf(g->reason, sizeof(g->reason), "the CHS addresses of partition %u in the table fit its sector numbers%s", number,
                 boot ? "; a boot sector says otherwise" : "");
    } else if (boot) {
        heads = boot_heads, sectors = boot_sectors;
        if (boot_number)
            snprintf(g->reason, sizeof(g->reason), "the boot sector of partition %u has it; the table's CHS addresses prove "
                     "nothing", boot_number);
        else
            snprintf(g->reason, sizeof(g->reason), "the boot sector has it");
    } else {
        snprintf(g->reason, sizeof(g->reason), "neither the partition table nor a boot sector tells; the firmware chooses");
        return;
    }
    g->heads = heads;
    g->sectors = sectors;
    g->cylinders = (uint32_t)MAX(1, MIN(total / ((uint64_t)heads * sectors), UINT32_MAX));
}
