/* Tables inside partitions: BSD disklabels, Solaris and UnixWare VTOCs, Minix subpartitions, the divisions of SCO and Xenix, NetWare
 * volumes, LVM. References: [DISKLABEL], [VTOC], [MINIX-FS], [SYSV-FS], [NWFS], [LVM2]. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BSD_MAGIC = (int)0x82564557, VTOC_MAGIC = 0x600ddeee, UNIXWARE_MAGIC = (int)0xca5e600d, SCAN_MOST = 128 << 20, SCAN_PIECE = 1 << 20 };
enum { LVM_TEXT_MOST = 1 << 20, LVM_AREA_MOST = 64 << 20, DEPTH_MOST = 8 };

/* Where a label lies (bytes from the partition's start), what proves it, and what an entry is made of. */
static const struct label {
    const char *name, *types;                   /* of the MBR; 1: a disk without one */
    uint32_t at, magic_at, magic, mask; uint16_t count_at, count, entries;
    uint8_t width, start, size, tag, swap; const char *skip;    /* tags of swap space, and of no slice at all */
    bool relative;                              /* to the partition; else to the disk, as a rule */
} labels[] = {
    { "bsd", "\x01\xa5\xa6\xa9\x9f\xb7", 512, 0, (uint32_t)BSD_MAGIC, ~0u, 138, 22, 148, 16, 4, 0, 12, 1, "", false },
    { "bsd", "\x01\xa5\xa6\xa9\x9f\xb7", 64, 0, (uint32_t)BSD_MAGIC, ~0u, 138, 22, 148, 16, 4, 0, 12, 1, "", false },
    { "vtoc", "\x01\x82\xbf", 512, 12, VTOC_MAGIC, ~0u, 30, 16, 72, 12, 4, 8, 0, 3, "\x05", true },
    { "unixware", "\x63", 29 * SECTOR, 4, (uint32_t)UNIXWARE_MAGIC, ~0u, 136, 16, 180, 12, 4, 8, 0, 3, "\x05", false },
    { "minix", "\x80\x81", 0, 510, 0xaa55, 0xffff, 0, 4, 446, 16, 8, 12, 4, 0, "", false },
};

static bool known(const struct partition_table *t, uint64_t start, uint64_t sectors)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].start == start && t->list[i].sectors == sectors)
            return true;
    return false;
}

static bool label_read(struct block *disk, struct partition_table *t, const struct label *l, const struct partition *inside)
{
    uint8_t b[SECTOR + 2] = { 0 };              /* the last magic is of two bytes */
    uint64_t begin = inside->start, size = disk->size / SECTOR;
    struct partition outer = *inside;
    size_t before = t->count;
    char suffix[12];
    if (begin >= size || block_read(disk, begin * SECTOR + l->at, b, SECTOR) || (le32_get(b + l->magic_at) & l->mask) != l->magic)
        return false;
    unsigned count = l->count_at ? MIN(le16_get(b + l->count_at), l->count) : l->count;
    bool bsd = !strcmp(l->name, "bsd"), minix = !strcmp(l->name, "minix");
    uint64_t shift = l->relative || (bsd && count > 2 && !le32_get(b + l->entries + 2 * l->width + l->start)) ? begin : 0;
    for (unsigned i = 0; i < count && l->entries + (i + 1u) * l->width <= SECTOR; i++) {
        const uint8_t *e = b + l->entries + i * l->width;
        uint64_t start = shift + le32_get(e + l->start), sectors = le32_get(e + l->size);
        if (!e[l->tag] || strchr(l->skip, e[l->tag]) || !sectors || known(t, start, sectors) || (minix && e[l->tag] != 0x81) ||
            (start == begin && sectors == outer.sectors))
            continue;
        if (start < begin || start >= size || start - begin >= outer.sectors) {
            partitions_finding(t, "slice %u of the %s label in partition %s lies outside it", i, l->name, outer.name);
            continue;
        }
        snprintf(suffix, sizeof(suffix), bsd ? "%c" : "s%u", bsd ? 'a' + i : i);
        struct partition *p = partition_add(t, l->name, &outer, suffix, start, MIN(sectors, outer.sectors - (start - begin)));
        if (p && minix)
            p->type = e[l->tag];
        if (p && e[l->tag] == l->swap)
            snprintf(p->fs, sizeof(p->fs), "swap");
    }
    return t->count > before;
}

typedef uint64_t scan_each(void *arg, const uint8_t *bytes, uint64_t at);       /* returns where to go on */

/* Looks at every sector of the partition's start, and as far again behind each place that was found. */
static void scan(struct block *disk, const struct partition *p, scan_each *each, void *arg)
{
    uint64_t begin = p->start * SECTOR, end = MIN(disk->size, begin + p->sectors * SECTOR), limit = begin + SCAN_MOST;
    uint8_t *b = malloc(SCAN_PIECE);
    for (uint64_t at = begin; b && at + SECTOR * 8 < end && at < limit;) {
        uint64_t length = SCAN_PIECE, piece = MIN(SCAN_PIECE, end - at), next = at + piece - SECTOR * 8;
        unsigned kind = BLOCK_DATA;
        if ((block_extents(disk, at, &length, &kind) == 0 && kind != BLOCK_DATA && length >= piece) || block_read(disk, at, b, piece)) {
            at += piece;
            continue;
        }
        for (uint64_t n = 0; n + SECTOR * 8 < piece; n += SECTOR) {
            uint64_t to = each(arg, b + n, at + n);
            if (to > at + n) {
                next = align_up(to, SECTOR), limit = to + SCAN_MOST;
                break;
            }
        }
        at = next;
    }
    free(b);
}

struct divisions { struct block *disk; struct partition_table *t; struct partition inside; unsigned count; };

/* The file system of a division: its superblock's magic and size. */
static uint64_t division_each(void *arg, const uint8_t *b, uint64_t at)
{
    struct divisions *d = arg;
    bool xenix = le32_get(b + 2040) == 0x2b5544, sysv = le32_get(b + 1016) == 0xfd187e20;
    uint32_t type = (xenix ? le32_get(b + 2044) : le32_get(b + 1020)) & 15, blocks = xenix ? le32_get(b + 1026) : le32_get(b + 516);
    char suffix[12];
    if ((!xenix && !sysv) || type < 1 || type > 3 || !blocks)
        return 0;
    uint64_t start = at / SECTOR, sectors = MIN(blocks * (256ull << type) / SECTOR, d->inside.start + d->inside.sectors - start);
    snprintf(suffix, sizeof(suffix), "d%u", d->count++);
    return known(d->t, start, sectors) || partition_add(d->t, "division", &d->inside, suffix, start, sectors) ? (start + sectors) * SECTOR : 0;
}

/* NetWare's table of volumes: their names, the length in front. */
static uint64_t netware_each(void *arg, const uint8_t *b, uint64_t at)
{
    struct divisions *d = arg;
    char name[20];
    if (memcmp(b, "NetWare Volumes", 16))
        return 0;
    for (uint32_t i = 0; i < MIN(le32_get(b + 16), 8u); i++) {
        const uint8_t *e = b + 32 + i * 64;
        text_clean(name, sizeof(name), e + 1, MIN(e[0], 15));
        if (!*name)
            continue;
        partitions_finding(d->t, "partition %s holds a part of the NetWare volume %s", d->inside.name, name);
        for (size_t k = 0; k < d->t->count; k++)
            if (d->t->list[k].start == d->inside.start) {
                snprintf(d->t->list[k].fs, sizeof(d->t->list[k].fs), "nwfs");
                snprintf(d->t->list[k].label, sizeof(d->t->list[k].label), "%s", name);
            }
    }
    return *b ? UINT64_MAX / 2 - at : 0;
}

/* LVM2's text, as its tools write it: a section, a closing brace or a `key = value` a line. */
struct lvm {
    struct partition_table *t; struct partition inside; char path[DEPTH_MOST][40], id[40], ours[40], stripe[40];
    uint64_t extent, pe_start, segments, count, from; bool linear;      /* of the group, of our disk in it, of the volume that is read */
};

static void lvm_value(struct lvm *l, unsigned depth, const char *key, const char *value)
{
    bool pv = depth == 3 && !strcmp(l->path[1], "physical_volumes"), segment = depth == 4 && !strcmp(l->path[1], "logical_volumes");
    uint64_t number = strtoull(value, NULL, 10);
    if (depth == 1 && !strcmp(key, "extent_size"))
        l->extent = number;
    if (pv && !strcmp(key, "id")) {
        size_t n = 0;
        for (value++; n < 32 && (*value == '-' || (l->id[n] && *value == l->id[n])); value++)
            n += *value != '-';
        memcpy(l->ours, n == 32 ? l->path[2] : l->ours, sizeof(l->ours));
    }
    if (pv && !strcmp(key, "pe_start") && !strcmp(l->path[2], l->ours))
        l->pe_start = number;
    if (segment && !strcmp(key, "extent_count"))
        l->segments++, l->count = number;
    if (segment && !strcmp(key, "type"))
        l->linear = !strncmp(value, "\"striped\"", 9);
    if (segment && !strcmp(key, "stripe_count"))
        l->linear = l->linear && number == 1;
}

static void lvm_volume(struct lvm *l)
{
    char suffix[40];
    uint64_t start = l->inside.start + l->pe_start + l->from * l->extent, sectors = l->count * l->extent;
    bool here = l->ours[0] && !strcmp(l->stripe, l->ours);
    struct partition group = { .type = l->inside.type };
    memcpy(group.name, l->path[0], sizeof(group.name));
    snprintf(suffix, sizeof(suffix), "/%.18s", l->path[2]);
    if (l->segments != 1 || !l->linear || !here || start < l->inside.start || !sectors || sectors > l->inside.sectors)
        partitions_finding(l->t, "the logical volume %s%s %s and is not read", group.name, suffix,
                           l->segments == 1 && l->linear && !here ? "lies on another disk" : "is in several pieces");
    else
        partition_add(l->t, "lvm", &group, suffix, start, sectors);
    l->segments = 0;
}

static void lvm_text(struct lvm *l, char *text)
{
    char *rest = NULL, key[40], value[80];
    unsigned depth = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *brace = strstr(line, " {");
        line += strspn(line, " \t");
        if (*line == '}') {
            depth -= depth > 0;
            if (depth == 2 && !strcmp(l->path[1], "logical_volumes"))
                lvm_volume(l);
        } else if (brace && depth < DEPTH_MOST) {
            text_clean(l->path[depth++], 40, line, (size_t)(brace - line));
        } else if (sscanf(line, "%39[a-z_] = %79[^\n]", key, value) == 2) {
            lvm_value(l, depth, key, value);
        } else if (sscanf(line, "\"%39[^\"]\", %79[0-9]", key, value) == 2) {
            memcpy(l->stripe, key, sizeof(key));        /* of the list of stripes: device, first extent */
            l->from = strtoull(value, NULL, 10);
        }
    }
}

/* A physical volume of LVM2: a label in one of the first sectors, a header with a list of areas, the text in a ring. */
static bool lvm_read(struct block *disk, struct partition_table *t, const struct partition *inside)
{
    uint8_t b[SECTOR] = { 0 }, m[SECTOR];
    uint64_t begin = inside->start * SECTOR, area = 0;
    for (unsigned i = 0; i < 4 && memcmp(b, "LABELONE", 8); i++)
        if (block_read(disk, begin + i * SECTOR, b, SECTOR))
            return false;
    unsigned at = le32_get(b + 20), lists = 0;
    if (memcmp(b, "LABELONE", 8) || memcmp(b + 24, "LVM2 001", 8) || at > SECTOR - 40)
        return false;
    struct lvm l = { .t = t, .inside = *inside };
    memcpy(l.id, b + at, 32);
    for (at += 40; at + 16 <= SECTOR && !area; at += 16)        /* data areas, zeros, text areas, zeros */
        if (!le64_get(b + at))
            lists++;
        else if (lists == 1)
            area = le64_get(b + at);
    if (!area || block_read(disk, begin + area, m, SECTOR) || memcmp(m + 4, " LVM2 x[5A%r0N*>", 16))
        return false;
    uint64_t ring = le64_get(m + 32), offset = le64_get(m + 40), size = le64_get(m + 48), first = ring - offset;
    char *text = size && size <= LVM_TEXT_MOST && offset >= SECTOR && offset < ring && ring <= LVM_AREA_MOST ? calloc(1, size + 1) : NULL;
    if (text && !block_read(disk, begin + area + offset, text, MIN(first, size)) &&
        (size <= first || !block_read(disk, begin + area + SECTOR, text + first, size - first)))
        lvm_text(&l, text);
    free(text);
    return l.path[0][0];
}

bool slices_read(struct block *disk, struct partition_table *t, const struct partition *inside)
{
    uint8_t type = inside->scheme[0] ? inside->type : 1;
    struct divisions d = { disk, t, *inside, 0 };
    for (size_t i = 0; i < ARRAY_SIZE(labels) && type; i++)
        if (strchr(labels[i].types, type) && label_read(disk, t, &labels[i], &d.inside))
            return true;
    if (type == 0x63 || type == 0x02 || type == 0x03)
        scan(disk, &d.inside, division_each, &d);
    if (type == 0x64 || type == 0x65)
        scan(disk, &d.inside, netware_each, &d);
    return (type == 0x8e || type == 1) && lvm_read(disk, t, &d.inside);
}
