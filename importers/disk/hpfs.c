/* A reader of HPFS, the file system of OS/2 and of NT before 4. Every structure bears a magic number. Not modelled: extended
 * attributes, code pages of names. References: [HPFS]. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <string.h>

enum { SUPER_AT = 16 * SECTOR, LEVELS = 8, DNODE = 2048, DIRENT_FIRST = 1, DIRENT_DOWN = 4, DIRENT_LAST = 8, INTERNAL = 0x80 };
enum { MAGIC_FNODE = (int)0xf7e40aae, MAGIC_ANODE = 0x37e40aae, MAGIC_DNODE = 0x77e40aae };
struct hpfs { uint64_t root; };

static bool sector_get(struct volume *v, uint64_t sector, void *to, size_t length, int magic)
{
    return volume_read(v, sector * SECTOR, to, length) && le32_get(to) == (uint32_t)magic;
}

static bool hpfs_open(struct volume *v)
{
    struct hpfs *h = v->own;
    uint8_t s[SECTOR];
    if (!volume_read(v, SUPER_AT, s, sizeof(s)) || le32_get(s) != 0xf995e849 || le32_get(s + 4) != 0xfa53e9c5)
        return false;
    h->root = le32_get(s + 12);
    snprintf(v->fs, sizeof(v->fs), "hpfs");
    if (volume_read(v, 0, s, sizeof(s)) && (s[38] == 0x28 || s[38] == 0x29))
        text_clean(v->label, sizeof(v->label), s + 43, 11);
    return true;
}

static bool hpfs_fill(struct volume *v, struct node *n)
{
    uint8_t f[SECTOR];
    if (!sector_get(v, n->number, f, sizeof(f), MAGIC_FNODE))
        return false;
    n->kind = f[55] & 1 ? NODE_FOLDER : NODE_FILE;
    n->size = n->kind == NODE_FILE ? le32_get(f + 160) : 0;
    n->here = le32_get(f + 72);                 /* of a folder: its topmost dnode */
    return true;
}

static bool hpfs_root(struct volume *v, struct node *n)
{
    *n = (struct node){ .number = ((struct hpfs *)v->own)->root };
    return hpfs_fill(v, n) && n->kind == NODE_FOLDER;
}

/* The tree of extents begins in the fnode and goes on in anodes: leaves (file sector, length, disk sector), inner nodes (the first
 * file sector that is not below, anode). */
static bool hpfs_map(struct volume *v, struct node *n, uint64_t offset, struct run *run)
{
    uint8_t b[SECTOR];
    uint64_t wanted = offset / SECTOR, at = n->number;
    for (unsigned level = 0; level < LEVELS && n->kind == NODE_FILE; level++) {
        if (!sector_get(v, at, b, sizeof(b), level ? MAGIC_ANODE : MAGIC_FNODE))
            return false;
        const uint8_t *header = b + (level ? 12 : 56), *e = header + 8;
        unsigned width = header[0] & INTERNAL ? 8 : 12, count = MIN(header[5], (level ? 480 : 96) / width), i = 0;
        if (width == 12) {
            for (; i < count; i++, e += width)
                if (wanted >= le32_get(e) && wanted - le32_get(e) < le32_get(e + 4)) {
                    uint64_t skip = offset - le32_get(e) * (uint64_t)SECTOR;
                    *run = (struct run){ le32_get(e + 8) * (uint64_t)SECTOR + skip, le32_get(e + 4) * (uint64_t)SECTOR - skip, false };
                    return true;
                }
            return false;
        }
        while (i < count && wanted >= le32_get(e))
            i++, e += width;
        if (i == count)
            return false;
        at = le32_get(e + 4);
    }
    return false;
}

static bool dnode_walk(struct volume *v, uint64_t sector, unsigned level, node_each *each, void *arg)
{
    uint8_t d[DNODE];
    if (level == LEVELS || !sector_get(v, sector, d, sizeof(d), MAGIC_DNODE))
        return true;
    for (size_t at = 20, length; at + 32 <= DNODE; at += length) {
        const uint8_t *e = d + at;
        char name[256];
        length = le16_get(e);
        if (length < 32 || length > DNODE - at || 31u + e[30] > length)
            return true;
        if (e[2] & DIRENT_DOWN && !dnode_walk(v, le32_get(e + length - 4), level + 1, each, arg))
            return false;
        if (e[2] & DIRENT_LAST)
            return true;
        memcpy(name, e + 31, e[30]);
        name[e[30]] = 0;
        struct node n = { .number = le32_get(e + 4), .day = day_of_unix(le32_get(e + 8)) };
        if (!(e[2] & DIRENT_FIRST) && *name && !each(arg, name, &n))
            return false;
    }
    return true;
}

static void hpfs_folder(struct volume *v, struct node *n, node_each *each, void *arg)
{
    dnode_walk(v, n->here, 0, each, arg);
}

const struct volume_class hpfs_class = {
    .ignore_case = true, .size = sizeof(struct hpfs), .open = hpfs_open, .root = hpfs_root, .fill = hpfs_fill, .folder = hpfs_folder,
    .map = hpfs_map,
};
