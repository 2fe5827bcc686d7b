/* A reader of FAT12, FAT16 and FAT32 with long names, and of the floppies of DOS 1 to 3 that have no BPB. A chain of clusters is
 * followed for at most as many steps as the volume has clusters, a folder for FOLDER_MOST entries. References: [FAT]. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <string.h>

enum { FOLDER_MOST = 65536, ENTRY = 32, ATTR_FOLDER = 0x10, ATTR_VOLUME = 0x08, ATTR_LONG = 0x0f, LAST_LONG = 0x40 };
struct fat {
    unsigned bits; uint64_t cluster_bytes, fat_at, root_at, data_at;
    uint32_t root_entries, root_cluster, clusters;
};

static bool shape_set(struct volume *v, uint64_t sector, uint64_t cluster, uint64_t reserved, uint64_t fats, uint64_t fat, uint64_t total)
{
    struct fat *f = v->own;
    uint64_t root = reserved + fats * fat, data = root + (f->root_entries * ENTRY + sector - 1) / sector;
    if (data >= total)
        return false;
    f->cluster_bytes = cluster * sector;
    f->fat_at = reserved * sector;
    f->root_at = root * sector;
    f->data_at = data * sector;
    f->clusters = (uint32_t)((total - data) / cluster);
    f->bits = !f->root_entries ? 32 : f->clusters < 4085 ? 12 : 16;     /* by count alone [FAT] */
    return true;
}

/* Before DOS 2 a floppy told its shape by the first byte of its FAT, and many later ones still have nothing else. */
static bool floppy_open(struct volume *v)
{
    static const struct { uint8_t media, cluster, root, fat; uint16_t total; } shapes[] = {
        { 0xfe, 1, 64, 1, 320 }, { 0xfc, 1, 64, 2, 360 }, { 0xff, 2, 112, 1, 640 }, { 0xfd, 2, 112, 2, 720 },
    };
    struct fat *f = v->own;
    uint8_t b[3];
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
        if (v->length == shapes[i].total * 512u && volume_read(v, 512, b, 3) && b[0] == shapes[i].media && b[1] == 0xff && b[2] == 0xff) {
            f->root_entries = shapes[i].root;
            return shape_set(v, 512, shapes[i].cluster, 1, 2, shapes[i].fat, shapes[i].total);
        }
    return false;
}

static bool bpb_open(struct volume *v)
{
    uint8_t s[512], b[3] = { 0 };
    struct fat *f = v->own;
    if (!volume_read(v, 0, s, sizeof(s)) || (!any_nonzero(s, sizeof(s)) && !volume_read(v, 6 * 512, s, sizeof(s))))
        return false;                           /* FAT32 keeps a copy in sector 6 */
    uint64_t sector = le16_get(s + 11), reserved = le16_get(s + 14), fats = s[16], total = le16_get(s + 19), fat = le16_get(s + 22);
    f->root_entries = le16_get(s + 17);
    total = total ? total : le32_get(s + 32);
    fat = fat ? fat : le32_get(s + 36);
    if (!is_power_of_two(sector) || sector < 128 || sector > 8192 || !is_power_of_two(s[13]) || !reserved || fats < 1 || fats > 4 ||
        s[21] < 0xf0 || !fat || !shape_set(v, sector, s[13], reserved, fats, fat, total))
        return false;
    bool jump = s[0] == 0xeb || s[0] == 0xe9 || s[0] == 0x69;
    if (!jump && (!volume_read(v, f->fat_at, b, 3) || b[0] != s[21] || b[1] != 0xff || b[2] != 0xff))
        return false;
    f->root_cluster = f->bits == 32 ? le32_get(s + 44) : 0;
    const uint8_t *extended = s + (f->bits == 32 ? 66 : 38);
    if (extended[0] == 0x29 && memcmp(extended + 5, "NO NAME", 7))
        text_clean(v->label, sizeof(v->label), extended + 5, 11);
    return true;
}

/* The next cluster of a chain; 0: the end, or nonsense. */
static uint32_t chain_next(struct volume *v, uint32_t cluster)
{
    const struct fat *f = v->own;
    uint8_t b[4] = { 0 };
    uint32_t next = 0;
    if (f->bits == 12) {
        if (volume_read(v, f->fat_at + cluster + cluster / 2, b, 2))
            next = cluster % 2 ? le16_get(b) >> 4 : le16_get(b) & 0xfff;
    } else if (volume_read(v, f->fat_at + (uint64_t)cluster * (f->bits / 8), b, f->bits / 8)) {
        next = le32_get(b) & 0x0fffffff;
    }
    return next >= 2 && next - 2 < f->clusters ? next : 0;
}

static bool fat_root(struct volume *v, struct node *n)
{
    *n = (struct node){ .kind = NODE_FOLDER, .number = ((struct fat *)v->own)->root_cluster };
    return true;
}

/* A folder has no size: its chain ends it. The root of FAT12 and FAT16 lies at a place of its own and has number 0. */
static bool fat_map(struct volume *v, struct node *n, uint64_t offset, struct run *run)
{
    const struct fat *f = v->own;
    uint64_t index = offset / f->cluster_bytes;
    if (n->kind == NODE_FOLDER && !n->number) {
        uint64_t size = f->root_entries * (uint64_t)ENTRY;
        *run = (struct run){ f->root_at + offset, offset < size ? size - offset : 0, false };
        return run->length;
    }
    if (n->step > index || !n->here)
        n->step = 0, n->here = n->number;
    if (n->here < 2 || n->here - 2 >= f->clusters || index >= f->clusters)
        return false;
    for (; n->step < index; n->step++)
        if (!(n->here = chain_next(v, (uint32_t)n->here)))
            return false;
    *run = (struct run){ f->data_at + (n->here - 2) * f->cluster_bytes + offset % f->cluster_bytes,
                         f->cluster_bytes - offset % f->cluster_bytes, false };
    return true;
}

static unsigned day_of_fat(unsigned date)
{
    return date ? ((1980u + (date >> 9)) * 100 + (date >> 5 & 15)) * 100 + (date & 31) : 0;
}

static void entry_decode(const struct fat *f, const uint8_t *e, struct node *n, char name[13])
{
    size_t length = 0;
    for (unsigned i = 0; i < 11; i++) {
        if (i == 8 && e[8] != ' ')
            name[length++] = '.';
        if (e[i] != ' ')
            name[length++] = (char)(i || e[0] != 5 ? e[i] : 0xe5);
    }
    name[length] = 0;
    *n = (struct node){ .kind = e[11] & ATTR_FOLDER ? NODE_FOLDER : NODE_FILE, .size = le32_get(e + 28),
        .number = le16_get(e + 26) | (f->bits == 32 ? (uint32_t)le16_get(e + 20) << 16 : 0),
        .day = day_of_fat(le16_get(e + 24)) };
    if (n->kind == NODE_FOLDER && n->number == 0)
        n->kind = NODE_OTHER;                   /* not the root once more */
}

/* Pieces of a long name come before the short one, the last first, each with its number and the short name's checksum. */
struct long_name { uint8_t units[20 * 26], next, sum; bool whole; };

static void long_add(struct long_name *l, const uint8_t *e)
{
    unsigned number = e[0] & 0x3f;
    if (e[0] & LAST_LONG && number >= 1 && number <= 20) {
        memset(l->units, 0, sizeof(l->units));
        l->next = (uint8_t)number, l->sum = e[13];
    }
    l->whole = false;
    if (!number || number != l->next || e[13] != l->sum) {
        l->next = 0;
        return;
    }
    uint8_t *to = l->units + (number - 1) * 26;
    memcpy(to, e + 1, 10), memcpy(to + 10, e + 14, 12), memcpy(to + 22, e + 28, 4);
    l->whole = !--l->next;
}

static bool long_fits(const struct long_name *l, const uint8_t *e)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < 11; i++)
        sum = (uint8_t)((sum << 7 | sum >> 1) + e[i]);
    return l->whole && sum == l->sum;
}

static void fat_folder(struct volume *v, struct node *folder, node_each *each, void *arg)
{
    struct long_name l = { .next = 0 };
    uint8_t e[ENTRY];
    for (uint64_t i = 0; i < FOLDER_MOST && node_read(v, folder, i * ENTRY, e, ENTRY) && e[0]; i++) {
        char name[13], full[20 * 13 * 3 + 1];
        struct node n;
        if (e[0] != 0xe5 && (e[11] & 0x3f) == ATTR_LONG) {
            long_add(&l, e);
            continue;
        }
        if (e[0] != 0xe5 && e[0] != '.' && !(e[11] & ATTR_VOLUME)) {
            entry_decode(v->own, e, &n, name);
            if (long_fits(&l, e)) {
                utf16_copy(full, sizeof(full), l.units, sizeof(l.units) / 2, 2);
                n.alias = *full && strcmp(full, name);
                if (n.alias && !each(arg, full, &(struct node){ .kind = n.kind, .day = n.day, .number = n.number, .size = n.size }))
                    return;
            }
            if (*name && !each(arg, name, &n))
                return;
        }
        l.whole = false;
    }
}

static bool fat_open(struct volume *v)
{
    struct fat *f = v->own;
    struct node root;
    uint8_t e[ENTRY];
    if (!bpb_open(v)) {
        memset(f, 0, sizeof(*f));
        if (!floppy_open(v))
            return false;
    }
    snprintf(v->fs, sizeof(v->fs), "fat%u", f->bits);
    fat_root(v, &root);
    for (unsigned i = 0; i < 512 && !v->label[0] && node_read(v, &root, i * ENTRY, e, ENTRY) && e[0]; i++)
        if (e[0] != 0xe5 && (e[11] & 0x3f) != ATTR_LONG && e[11] & ATTR_VOLUME)
            text_clean(v->label, sizeof(v->label), e, 11);
    return true;
}

const struct volume_class fat_class = {
    .ignore_case = true, .size = sizeof(struct fat), .open = fat_open, .root = fat_root, .folder = fat_folder, .map = fat_map,
};
