/* A reader of ext2 and ext3: folders, files up to 64 KiB, symbolic links. References: [EXT2].
 * Not modelled: extents, journals that were not played back (what is on the disk is taken as it is), hashed folders (read as
 * plain lists, which they also are). */
#include "importers/disk/trees.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROOT_INODE = 2, LINKS_MOST = 8, FOLDER_BLOCKS = 256, MODE_FOLDER = 4, MODE_FILE = 8, MODE_LINK = 10 };
enum { INCOMPAT_EXTENTS = 0x40, INCOMPAT_64BIT = 0x80, INCOMPAT_META_BG = 0x10, COMPAT_JOURNAL = 4 };

struct inode { unsigned mode; uint64_t size; uint32_t flags, modified; uint8_t map[60]; };

static bool volume_read(const struct ext_volume *v, uint64_t at, void *to, size_t length)
{
    return at <= v->length && length <= v->length - at && !block_read(v->disk, v->start + at, to, length);
}

bool ext_open(struct block *disk, uint64_t start, uint64_t length, struct ext_volume *v)
{
    uint8_t s[1024];
    *v = (struct ext_volume){ .disk = disk, .start = start, .length = length };
    if (!volume_read(v, 1024, s, sizeof(s)) || le16_get(s + 56) != 0xef53 || le32_get(s + 24) > 6)
        return false;
    bool revision = le32_get(s + 76);
    uint32_t incompat = revision ? le32_get(s + 96) : 0, compat = revision ? le32_get(s + 92) : 0;
    v->block_size = 1024u << le32_get(s + 24);
    v->inodes = le32_get(s);
    v->first_block = le32_get(s + 20);
    v->inodes_per_group = le32_get(s + 40);
    v->inode_size = revision ? le16_get(s + 88) : 128;
    v->group_size = incompat & INCOMPAT_64BIT ? le16_get(s + 254) : 32;
    v->extents = incompat & INCOMPAT_EXTENTS;
    v->written = le32_get(s + 48);
    snprintf(v->kind, sizeof(v->kind), "%s", incompat & (INCOMPAT_EXTENTS | INCOMPAT_64BIT) ? "ext4" :
             compat & COMPAT_JOURNAL ? "ext3" : "ext2");
    memcpy(v->label, s + 120, 16);
    memcpy(v->mounted, s + 136, 64);
    return v->inodes_per_group && v->inode_size >= 128 && v->inode_size <= v->block_size && v->group_size >= 32 &&
           !(incompat & INCOMPAT_META_BG);
}

static bool inode_read(const struct ext_volume *v, uint32_t number, struct inode *n)
{
    uint8_t group[32], raw[128];
    if (!number || number > v->inodes)
        return false;
    uint64_t table = (uint64_t)(v->first_block + 1) * v->block_size, index = (number - 1) % v->inodes_per_group;
    if (!volume_read(v, table + (uint64_t)((number - 1) / v->inodes_per_group) * v->group_size, group, sizeof(group)) ||
        !volume_read(v, (uint64_t)le32_get(group + 8) * v->block_size + index * v->inode_size, raw, sizeof(raw)))
        return false;
    n->mode = le16_get(raw) >> 12;
    n->size = le32_get(raw + 4);
    n->modified = le32_get(raw + 16);
    n->flags = le32_get(raw + 32);
    memcpy(n->map, raw + 40, sizeof(n->map));
    return true;
}

/* The n-th block of a file: twelve in the inode, then one level of indirection, which reaches further than we read. */
static bool file_block(const struct ext_volume *v, const struct inode *n, uint32_t index, uint8_t *to)
{
    uint8_t entry[4];
    uint32_t at = 0;
    if (n->flags & 0x80000)                     /* the inode has extents */
        return false;
    if (index < 12)
        at = le32_get(n->map + index * 4);
    else if (index - 12 < v->block_size / 4 && le32_get(n->map + 48) &&
             volume_read(v, (uint64_t)le32_get(n->map + 48) * v->block_size + (index - 12) * 4ull, entry, 4))
        at = le32_get(entry);
    if (!at) {
        memset(to, 0, v->block_size);
        return index < 12;
    }
    return volume_read(v, (uint64_t)at * v->block_size, to, v->block_size);
}

/* Calls `each` for every name of a folder until it says stop. */
static void folder_walk(const struct ext_volume *v, const struct inode *n, bool (*each)(void *, const char *, uint32_t),
                        void *arg)
{
    uint8_t *b = malloc(v->block_size);
    for (uint32_t i = 0; b && i < FOLDER_BLOCKS && (uint64_t)i * v->block_size < n->size && file_block(v, n, i, b); i++)
        for (uint32_t at = 0; at + 8 <= v->block_size;) {
            uint32_t number = le32_get(b + at), record = le16_get(b + at + 4), length = b[at + 6];
            char name[256];
            if (record < 8 || record > v->block_size - at || length > record - 8)
                break;
            memcpy(name, b + at + 8, length);
            name[length] = 0;
            if (number && strcmp(name, ".") && strcmp(name, "..") && !each(arg, name, number)) {
                free(b);
                return;
            }
            at += record;
        }
    free(b);
}

struct seek { const char *name; size_t length; uint32_t number; };

static bool seek_each(void *arg, const char *name, uint32_t number)
{
    struct seek *s = arg;
    if (strlen(name) != s->length || memcmp(name, s->name, s->length))
        return true;
    s->number = number;
    return false;
}

static char *inode_text(const struct ext_volume *v, const struct inode *n)
{
    size_t length = MIN(n->size, (uint64_t)TREE_FILE_MOST);
    char *text = calloc(1, align_up(length, v->block_size) + 1);
    if (!text)
        return NULL;
    if (n->mode == MODE_LINK && n->size < sizeof(n->map)) {
        memcpy(text, n->map, length);
        return text;
    }
    for (uint32_t i = 0; (size_t)i * v->block_size < length; i++)
        if (!file_block(v, n, i, (uint8_t *)text + (size_t)i * v->block_size)) {
            free(text);
            return NULL;
        }
    text[length] = 0;
    return text;
}

/* Walks a path from the root. A link on the way puts its target in place of what was walked, and starts again. */
static bool path_find(const struct ext_volume *v, const char *path, struct inode *n)
{
    char here[TREE_PATH_MOST], next[TREE_PATH_MOST];
    unsigned links = 0;
    snprintf(here, sizeof(here), "%s", path);
again:
    if (!inode_read(v, ROOT_INODE, n))
        return false;
    for (char *p = here + strspn(here, "/"); *p; p += strspn(p, "/")) {
        struct seek s = { .name = p, .length = strcspn(p, "/") };
        if (s.length == 2 && !memcmp(p, "..", 2)) {     /* only as `/a/../b` of a link: the folder before it goes */
            char *end = p;
            while (p > here && p[-1] == '/')
                p--;
            while (p > here && p[-1] != '/')
                p--;
            memmove(p, end + 2, strlen(end + 2) + 1);
            goto again;
        }
        if (n->mode != MODE_FOLDER)
            return false;
        folder_walk(v, n, seek_each, &s);
        if (!s.number || !inode_read(v, s.number, n))
            return false;
        if (n->mode == MODE_LINK) {
            char *target = ++links <= LINKS_MOST ? inode_text(v, n) : NULL;
            if (!target)
                return false;
            int room = snprintf(next, sizeof(next), "%.*s%s%s", *target == '/' ? 0 : (int)(p - here), here, target, p + s.length);
            free(target);
            if (room >= (int)sizeof(next))
                return false;
            memcpy(here, next, sizeof(here));
            goto again;
        }
        p += s.length;
    }
    return true;
}

static char *ext_read(void *at, const char *path)
{
    struct inode n;
    return path_find(at, path, &n) && n.mode == MODE_FILE ? inode_text(at, &n) : NULL;
}

struct lister { const struct ext_volume *v; tree_each *each; void *arg; };

static unsigned year_of(uint32_t seconds)
{
    time_t t = seconds;
    struct tm tm;
    return seconds && gmtime_r(&t, &tm) ? (unsigned)tm.tm_year + 1900 : 0;
}

static bool list_each(void *arg, const char *name, uint32_t number)
{
    const struct lister *l = arg;
    struct inode n;
    if (inode_read(l->v, number, &n))
        l->each(l->arg, &(struct tree_entry){ .name = name, .folder = n.mode == MODE_FOLDER, .size = n.size,
                                              .year = year_of(n.modified) });
    return true;
}

static bool ext_list(void *at, const char *path, tree_each *each, void *arg)
{
    struct inode n;
    if (!path_find(at, path, &n) || n.mode != MODE_FOLDER)
        return false;
    folder_walk(at, &n, list_each, &(struct lister){ at, each, arg });
    return true;
}

struct tree ext_tree(struct ext_volume *v)
{
    return (struct tree){ .at = v, .read = ext_read, .list = ext_list };
}
