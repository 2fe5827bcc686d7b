/* Which file system a partition holds, and the geometry that its table and boot sectors tell.
 * References: [FAT], [EXT2], [NTFS-BPB], [INT13]. */
#include "importers/disk/partitions.h"
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <string.h>

struct magic { uint64_t at; const char *bytes; size_t length; const char *fs; uint32_t label_at; uint8_t label_length; };
static const struct magic magics[] = {
    { 3, "NTFS    ", 8, "ntfs", 0, 0 }, { 8192, "\x49\xe8\x95\xf9", 4, "hpfs", 0, 0 }, { 0, "XFSB", 4, "xfs", 108, 12 },
    { 65536 + 52, "ReIsEr", 6, "reiserfs", 65536 + 100, 16 }, { 8192 + 52, "ReIsEr", 6, "reiserfs", 0, 0 }, { 32768, "JFS1", 4, "jfs", 32768 + 152, 16 },
    { 4086, "SWAP-SPACE", 10, "swap", 0, 0 }, { 4086, "SWAPSPACE2", 10, "swap", 1052, 16 }, { 512, "LABELONE", 8, "lvm", 0, 0 },
    { 0, "HM\1\0", 4, "lvm", 172, 32 }, { 512, "\x57\x45\x56\x82", 4, "bsd", 0, 0 }, { 8192 + 1372, "\x54\x19\x01\x00", 4, "ufs", 0, 0 },
    { 4, "QNX4FS", 6, "qnx4", 0, 0 }, { 32769, "CD001", 5, "iso9660", 32808, 32 },
    { 3, "EXFAT   ", 8, "exfat", 0, 0 }, { 0, "LUKS\xba\xbe", 6, "luks", 0, 0 }, { 544, "1SFB", 4, "befs", 512, 32 },
    { 4096, "\xfc\x4e\x2b\xa9", 4, "raid", 4096 + 32, 32 },
};

const char *volume_magic(struct block *disk, uint64_t offset, uint64_t length, char label[36])
{
    uint8_t bytes[32];
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];
        if (m->at + m->length > length || block_read(disk, offset + m->at, bytes, m->length) || memcmp(bytes, m->bytes, m->length))
            continue;
        if (m->label_length && m->label_at + m->label_length <= length && !block_read(disk, offset + m->label_at, bytes, m->label_length))
            text_clean(label, 36, bytes, m->label_length);
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
    const char *name = volume_magic(disk, offset, length, label);
    uint64_t end = align_down(length, 65536);
    uint8_t magic[4] = { 0 };                   /* of Linux's RAID before version 1.1, in the last 64 KiB but one */
    bool raid = !name && end >= 131072 && !block_read(disk, offset + end - 65536, magic, 4) && le32_get(magic) == 0xa92b4efc;
    snprintf(fs, 16, "%s", name ? name : raid ? "raid" : "");
}

/* Does the CHS address name the same sector as the linear one? */
static bool agrees(struct chs c, uint64_t lba, uint32_t heads, uint32_t sectors)
{
    return c.sector && ((uint64_t)c.cylinder * heads + c.head) * sectors + c.sector - 1 == lba;
}

/* The table's addresses are equations: every geometry there can be is tried, and the one that most of them fit wins; among equals
 * the one in which most partitions end with a cylinder, as systems made them. An address on cylinder 0 proves little: it is
 * not enough alone. Returns how many fit. */
static unsigned table_geometry(const struct partition_table *t, uint32_t *heads, uint32_t *sectors, unsigned *all)
{
    unsigned best = 0, best_fits = 0;
    for (uint32_t h = 256; h >= 1; h--)
        for (uint32_t s = 63; s >= 1; s--) {
            unsigned fits = 0, proofs = 0, ends = 0;
            *all = 0;
            for (size_t i = 0; i < t->count; i++) {
                const struct partition *p = &t->list[i];
                const struct chs ends_of[] = { p->first, p->last };
                for (unsigned n = 0; n < 2 && !strcmp(p->scheme, "mbr"); n++) {
                    struct chs c = ends_of[n];
                    if (!c.sector || c.cylinder >= 1023) {      /* beyond what it can say: the last head and sector are said */
                        bool limit = n && c.head < 255 && c.head == h - 1 && c.sector == s;
                        proofs += limit, ends += limit;
                        continue;
                    }
                    bool fit = c.sector <= s && c.head < h && agrees(c, n ? p->start + p->sectors - 1 : p->start, h, s);
                    fits += fit, *all += 1;
                    proofs += fit && c.cylinder;
                    ends += fit && n && c.head == h - 1 && c.sector == s;
                }
            }
            if (proofs && fits && fits * 256 + ends > best)
                best = fits * 256 + ends, best_fits = fits, *heads = h, *sectors = s;
        }
    return best_fits;
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
    unsigned all = 0, number = 0;
    uint64_t total = disk->size / SECTOR;
    bool boot = boot_geometry(disk, t, &boot_heads, &boot_sectors, &number);
    unsigned fits = t->kind == TABLE_MBR ? table_geometry(t, &heads, &sectors, &all) : 0;
    memset(g, 0, sizeof(*g));
    if (fits && boot && (heads != boot_heads || sectors != boot_sectors) && fits * 2 < all)
        fits = 0;                               /* most addresses contradict: written by different systems */
    if (fits) {
        snprintf(g->reason, sizeof(g->reason), "%u of the %u CHS addresses in the partition table fit their sector numbers%s", fits, all,
                 !boot ? "" : heads == boot_heads && sectors == boot_sectors ? ", and a boot sector agrees" : "; a boot sector says otherwise");
    } else if (boot) {
        heads = boot_heads, sectors = boot_sectors;
        snprintf(g->reason, sizeof(g->reason), number ? "the boot sector of partition %u has it; the table's CHS addresses prove nothing"
                 : "the boot sector has it", number);
    } else {
        snprintf(g->reason, sizeof(g->reason), "neither the partition table nor a boot sector tells; the firmware chooses");
        return;
    }
    g->heads = heads;
    g->sectors = sectors;
    g->cylinders = (uint32_t)MAX(1, MIN(total / ((uint64_t)heads * sectors), UINT32_MAX));
}
