/* A reader of the Unix file systems that keep inodes with direct and indirect pointers: ext2, ext3, ext4, Minix 1 to 3, UFS1 and
 * UFS2 of the BSDs and Solaris, System V, Xenix and SCO's EAFS. They differ in where things lie: a table.
 * Not modelled: journals that were not played back (what is on the disk is taken as it is), hashed folders (read as plain lists,
 * which they also are), HTFS's and UnixWare's own long names, big-endian disks, ext's inline data.
 * References: [EXT2], [MINIX-FS], [UFS], [SYSV-FS]. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODE_FOLDER = 4, MODE_FILE = 8, MODE_LINK = 10, EXTENTS = 0x80000, EXTENT_MAGIC = 0xf30a, EXTENT_LEVELS = 5 };
enum { FOLDER_BLOCKS = 16384, INCOMPAT_EXTENTS = 0x40, INCOMPAT_64BIT = 0x80, INCOMPAT_META_BG = 0x10, COMPAT_JOURNAL = 4 };

/* Where an inode keeps what; widths of pointers in it and in indirect blocks; entries of a folder: a fixed size, or 0: as long as
 * each says, its name's length at `length_at`. */
struct shape {
    uint16_t inode; uint8_t size_at, modified_at, map_at, pointer, indirect, direct, levels, number, entry, length_at, root, first;
    uint8_t link_most;                          /* of a text that stands in the pointers' place; first: the first inode's number */
};
static const struct shape ext = { 128, 4, 16, 40, 4, 4, 12, 3, 4, 0, 6, 2, 1, 60 }, minix1 = { 32, 4, 8, 14, 2, 2, 7, 2, 2, 16, 0, 1, 1, 0 },
    minix2 = { 64, 8, 16, 24, 4, 4, 7, 3, 2, 16, 0, 1, 1, 0 }, sysv = { 64, 8, 56, 12, 3, 4, 10, 3, 2, 16, 0, 2, 1, 0 },
    ufs1 = { 128, 8, 24, 40, 4, 4, 12, 3, 4, 0, 7, 2, 0, 60 }, ufs2 = { 256, 16, 40, 112, 8, 8, 12, 3, 4, 0, 7, 2, 0, 120 };

struct unix_fs {
    struct shape shape;
    uint64_t block, unit;                       /* bytes of a block, and of what a pointer counts */
    uint64_t inodes, per_group, table;          /* table: of the first group's inodes, in bytes */
    uint64_t group_bytes, skew, skew_mask;      /* UFS: the way to the next group's */
    uint64_t descriptors; unsigned descriptor;  /* ext: the descriptors, which tell each group's table; 0: none */
};

static uint64_t pointer_get(const uint8_t *p, unsigned width)
{
    return width == 2 ? le16_get(p) : width == 3 ? le16_get(p) | (uint32_t)p[2] << 16 : width == 4 ? le32_get(p) : le64_get(p);
}

static bool ext_open(struct volume *v, struct unix_fs *u)
{
    static const uint64_t places[] = { 1024, 8193 << 10, 32768ull << 12 };     /* the copies count when the start was lost */
    uint8_t b[2048];
    const uint8_t *s = b + 1024;
    uint64_t at = places[0];
    for (size_t i = 0; i < ARRAY_SIZE(places) && (!i || !any_nonzero(b, sizeof(b))); i++)
        if (!volume_read(v, (at = places[i]) - 1024, b, sizeof(b)))
            return false;
    if (le16_get(s + 56) != 0xef53 || le32_get(s + 24) > 6)
        return false;
    bool revision = le32_get(s + 76);
    uint32_t incompat = revision ? le32_get(s + 96) : 0, compat = revision ? le32_get(s + 92) : 0;
    u->shape = ext;
    u->block = u->unit = 1024u << le32_get(s + 24);
    u->inodes = le32_get(s);
    u->per_group = le32_get(s + 40);
    u->shape.inode = revision ? le16_get(s + 88) : 128;
    u->descriptor = incompat & INCOMPAT_64BIT ? le16_get(s + 254) : 32;
    u->descriptors = align_down(at, u->block) + u->block;
    v->written = le32_get(s + 48);
    snprintf(v->fs, sizeof(v->fs), "%s", incompat & (INCOMPAT_EXTENTS | INCOMPAT_64BIT) ? "ext4" :
             compat & COMPAT_JOURNAL ? "ext3" : "ext2");
    text_clean(v->label, sizeof(v->label), s + 120, 16);
    return u->shape.inode >= 128 && u->shape.inode <= u->block && u->descriptor >= 32 && !(incompat & INCOMPAT_META_BG);
}

static bool minix_open(struct volume *v, struct unix_fs *u)
{
    static const struct { uint16_t magic; uint8_t version, entry; } magics[] = {
        { 0x137f, 1, 16 }, { 0x138f, 1, 32 }, { 0x2468, 2, 16 }, { 0x2478, 2, 32 }, { 0x4d5a, 3, 64 },
    };
    uint8_t s[32];
    if (!volume_read(v, 1024, s, sizeof(s)))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        unsigned version = magics[i].version;
        if (le16_get(s + (version == 3 ? 24 : 16)) != magics[i].magic || le16_get(s + (version == 3 ? 12 : 10)))
            continue;                           /* zones of several blocks were never made */
        u->shape = version == 1 ? minix1 : minix2;
        u->shape.entry = magics[i].entry;
        u->shape.number = version == 3 ? 4 : 2;
        u->block = u->unit = version == 3 ? le16_get(s + 28) : 1024;
        u->inodes = version == 3 ? le32_get(s) : le16_get(s);
        u->table = (2ull + le16_get(s + (version == 3 ? 6 : 4)) + le16_get(s + (version == 3 ? 8 : 6))) * u->block;
        snprintf(v->fs, sizeof(v->fs), "minix");
        return le16_get(s + (version == 3 ? 10 : 8)) * u->block >= u->table;
    }
    return false;
}

static bool sysv_open(struct volume *v, struct unix_fs *u)
{
    static const struct { const char *name; uint32_t at, magic_at, magic, time_at, label_at; } kinds[] = {
        { "xenix", 1024, 0x3f8, 0x2b5544, 614, 632 }, { "sysv", 512, 0x1f8, 0xfd187e20, 420, 440 },
    };
    uint8_t s[1024];
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!volume_read(v, kinds[i].at, s, sizeof(s)) || le32_get(s + kinds[i].magic_at) != kinds[i].magic)
            continue;
        uint32_t type = le32_get(s + kinds[i].magic_at + 4) & 0x0f;         /* 10h is set by SCO's AFS and EAFS */
        u->shape = sysv;
        u->block = u->unit = 256u << (type & 3);
        u->table = 2 * u->block;
        u->inodes = le16_get(s) > 2 ? (le16_get(s) - 2ull) * (u->block / 64) : 0;
        v->written = le32_get(s + kinds[i].time_at);
        text_clean(v->label, 7, s + kinds[i].label_at, 6);
        snprintf(v->fs, sizeof(v->fs), "%s", kinds[i].name);
        return type >= 1 && type <= 3;
    }
    return false;
}

static bool ufs_open(struct volume *v, struct unix_fs *u)
{
    uint8_t s[1376];
    for (unsigned at = 8192; at <= 65536; at *= 8) {
        if (!volume_read(v, at, s, sizeof(s)) || (le32_get(s + 1372) != 0x11954 && le32_get(s + 1372) != 0x19540119))
            continue;
        unsigned version = le32_get(s + 1372) == 0x11954 ? 1 : 2;
        uint64_t fragment = le32_get(s + 52), mask = le32_get(s + 28);
        u->shape = version == 1 ? ufs1 : ufs2;
        u->unit = fragment;
        u->block = le32_get(s + 48);
        u->per_group = le32_get(s + 184);
        u->inodes = u->per_group * le32_get(s + 44);
        u->table = le32_get(s + 16) * fragment;
        u->group_bytes = le32_get(s + 188) * fragment;
        u->skew = version == 1 ? le32_get(s + 24) * fragment : 0;
        u->skew_mask = ~mask & 0xffffffff;
        v->written = le32_get(s + (version == 1 ? 32 : 1072));
        text_clean(v->label, 33, s + 680, 32);
        snprintf(v->fs, sizeof(v->fs), "%s", version == 1 ? "ufs" : "ufs2");
        return is_power_of_two(fragment) && fragment >= 512 && u->block >= fragment && u->per_group;
    }
    return false;
}

static bool unix_open(struct volume *v)
{
    static bool (*const opens[])(struct volume *, struct unix_fs *) = { ext_open, ufs_open, sysv_open, minix_open };
    struct unix_fs *u = v->own;
    for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
        memset(u, 0, sizeof(*u));
        v->label[0] = 0, v->written = 0;
        if (opens[i](v, u) && is_power_of_two(u->block) && u->block >= 512 && u->block <= 65536 && u->inodes) {
            u->per_group = u->per_group ? u->per_group : u->inodes;
            return true;
        }
    }
    return false;
}

static bool inode_at(struct volume *v, struct unix_fs *u, uint64_t number, uint64_t *at)
{
    uint64_t index = number - u->shape.first, group = index / u->per_group;
    uint8_t raw[64] = { 0 };
    if (!number || index >= u->inodes)
        return false;
    *at = u->table + group * u->group_bytes + u->skew * (group & u->skew_mask);
    if (u->descriptor) {
        if (!volume_read(v, u->descriptors + group * u->descriptor, raw, MIN(u->descriptor, (unsigned)sizeof(raw))))
            return false;
        *at = (le32_get(raw + 8) | (u->descriptor >= 64 ? (uint64_t)le32_get(raw + 40) << 32 : 0)) * u->block;
    }
    *at += index % u->per_group * u->shape.inode;
    return true;
}

static bool unix_fill(struct volume *v, struct node *n)
{
    struct unix_fs *u = v->own;
    const struct shape *s = &u->shape;
    uint8_t raw[256];
    uint64_t at, number = n->number;
    if (!inode_at(v, u, number, &at) || !volume_read(v, at, raw, MIN(s->inode, (unsigned)sizeof(raw))))
        return false;
    unsigned mode = le16_get(raw) >> 12;
    *n = (struct node){ .number = number, .size = le32_get(raw + s->size_at), .alias = n->alias,
        .kind = mode == MODE_FOLDER ? NODE_FOLDER : mode == MODE_FILE ? NODE_FILE : mode == MODE_LINK ? NODE_LINK : NODE_OTHER,
        .day = day_of_unix(le32_get(raw + s->modified_at)) };
    if (s->length_at && n->kind == NODE_FILE)
        n->size |= (uint64_t)le32_get(raw + (u->descriptor ? 108 : s->size_at + 4)) << 32;
    n->flags = u->descriptor ? le32_get(raw + 32) : 0;
    memcpy(n->map, raw + s->map_at, MIN(sizeof(n->map), (size_t)(s->inode - s->map_at)));
    return true;
}

static bool unix_root(struct volume *v, struct node *n)
{
    *n = (struct node){ .number = ((struct unix_fs *)v->own)->shape.root };
    return unix_fill(v, n) && n->kind == NODE_FOLDER;
}

/* ext4: a tree of extents, its top in the inode. A block that no leaf names is a hole. */
static bool extent_map(struct volume *v, const struct unix_fs *u, const struct node *n, uint64_t block, struct run *run)
{
    uint8_t *b = malloc(u->block);
    bool found = false;
    if (!b)
        return false;
    memcpy(b, n->map, 60);
    for (unsigned level = 0, room = 60; level <= EXTENT_LEVELS; level++, room = (unsigned)u->block) {
        unsigned count = le16_get(b + 2), depth = le16_get(b + 6), pick = count;
        if (le16_get(b) != EXTENT_MAGIC || count > room / 12 - 1)
            break;
        for (unsigned i = 0; i < count && le32_get(b + 12 + i * 12) <= block; i++)
            pick = i;
        const uint8_t *e = b + 12 + pick * 12;
        if (pick == count || !depth) {
            uint64_t length = pick == count ? 0 : le16_get(e + 4), skip = block - (length ? le32_get(e) : 0);
            bool unwritten = length > 0x8000;
            length = unwritten ? length - 0x8000 : length;
            found = true;
            if (length > skip)
                *run = (struct run){ ((le32_get(e + 8) | (uint64_t)le16_get(e + 6) << 32) + skip) * u->block,
                                     (length - skip) * u->block, unwritten };
            else
                *run = (struct run){ 0, u->block, true };
            break;
        }
        if (!volume_read(v, (le32_get(e + 4) | (uint64_t)le16_get(e + 8) << 32) * u->block, b, u->block))
            break;
    }
    free(b);
    return found;
}

static bool unix_map(struct volume *v, struct node *n, uint64_t offset, struct run *run)
{
    const struct unix_fs *u = v->own;
    const struct shape *s = &u->shape;
    uint64_t block = offset / u->block, within = offset % u->block, index = block, at = 0, span = 1;
    unsigned level = 0, width = s->pointer;
    uint8_t entry[8];
    if (n->flags & EXTENTS) {
        if (!extent_map(v, u, n, block, run) || run->length <= within)
            return false;
        *run = (struct run){ run->at + within, run->length - within, run->hole };
        return true;
    }
    if (index < s->direct) {
        at = pointer_get(n->map + index * width, width);
        index = 0;
    } else {
        for (index -= s->direct, level = 1; level <= s->levels; level++) {
            span *= u->block / s->indirect;
            if (index < span)
                break;
            index -= span;
        }
        if (level > s->levels)
            return false;
        at = pointer_get(n->map + (s->direct + level - 1) * width, width);
    }
    for (; level && at; level--) {
        span /= u->block / s->indirect;
        if (!volume_read(v, at * u->unit + index / span * s->indirect, entry, s->indirect))
            return false;
        at = pointer_get(entry, s->indirect);
        index %= span;
    }
    *run = (struct run){ at * u->unit + within, (at ? 1 : span - index) * u->block - within, !at };    /* a hole of all that hangs there */
    return true;
}

/* A short link's text stands where the pointers would. */
static bool unix_read(struct volume *v, struct node *n, uint64_t offset, void *to, size_t length)
{
    const struct unix_fs *u = v->own;
    if (n->kind != NODE_LINK || n->size >= u->shape.link_most || n->flags & EXTENTS || offset + length > u->shape.link_most)
        return false;
    memcpy(to, n->map + offset, length);
    return true;
}

static bool entry_tell(const uint8_t *name, size_t length, uint64_t number, node_each *each, void *arg)
{
    char text[256];
    memcpy(text, name, length);
    text[length] = 0;
    return !number || !*text || !strcmp(text, ".") || !strcmp(text, "..") || each(arg, text, &(struct node){ .number = number });
}

static void unix_folder(struct volume *v, struct node *n, node_each *each, void *arg)
{
    const struct unix_fs *u = v->own;
    const struct shape *s = &u->shape;
    size_t piece = MIN(u->block, 8192u);        /* records never cross it */
    uint8_t *b = malloc(piece);
    bool more = b;
    for (uint64_t i = 0; more && i < FOLDER_BLOCKS && i * piece < n->size; i++) {
        size_t end = (size_t)MIN(piece, n->size - i * piece);
        more = node_read(v, n, i * piece, b, end);
        for (size_t at = 0; more && at + 8 <= end;) {
            size_t record = s->entry ? s->entry : le16_get(b + at + 4), header = s->entry ? s->number : 8, length;
            length = s->entry ? record - header : b[at + s->length_at] || s->length_at == 6 ? b[at + s->length_at] : b[at + 6];
            if (record < header || record > end - at || length > record - header)
                break;
            more = entry_tell(b + at + header, length, s->number == 2 ? le16_get(b + at) : le32_get(b + at), each, arg);
            at += record;
        }
    }
    free(b);
}

const struct volume_class unix_class = {
    .size = sizeof(struct unix_fs), .open = unix_open, .root = unix_root, .fill = unix_fill, .folder = unix_folder, .map = unix_map,
    .read = unix_read,
};
