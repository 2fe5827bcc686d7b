/* A reader of FAT12, FAT16 and FAT32, short names only. A chain of clusters is followed for at most as many steps as the
 * volume has clusters, a folder for FOLDER_MOST entries. References: [FAT]. */
#include "importers/disk/trees.h"
#include "base/bits.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FOLDER_MOST = 8192, ENTRY = 32, ATTR_FOLDER = 0x10, ATTR_VOLUME = 0x08, ATTR_LONG = 0x0f };

struct fat_entry { char name[13]; bool folder; uint32_t cluster, size; unsigned year; };

static bool volume_read(const struct fat_volume *v, uint64_t at, void *to, size_t length)
{
    return at <= v->length && length <= v->length - at && !block_read(v->disk, v->start + at, to, length);
}

bool fat_open(struct block *disk, uint64_t start, uint64_t length, struct fat_volume *v)
{
    uint8_t s[512];
    *v = (struct fat_volume){ .disk = disk, .start = start, .length = length };
    if (!volume_read(v, 0, s, sizeof(s)))
        return false;
    uint64_t sector = le16_get(s + 11), reserved = le16_get(s + 14), fats = s[16], total = le16_get(s + 19);
    uint64_t fat = le16_get(s + 22);
    v->sector_size = (unsigned)sector;
    v->cluster_sectors = s[13];
    v->root_entries = le16_get(s + 17);
    if (!total)
        total = le32_get(s + 32);
    if (!fat)
        fat = le32_get(s + 36);
    if (!is_power_of_two(sector) || sector < 128 || sector > 4096 || !is_power_of_two(s[13]) || !reserved || fats < 1 ||
        fats > 4 || s[21] < 0xf0 || (s[0] != 0xeb && s[0] != 0xe9 && s[0] != 0x69) || !fat)
        return false;
    uint64_t root = reserved + fats * fat, data = root + (v->root_entries * ENTRY + sector - 1) / sector;
    if (data >= total)
        return false;
    v->fat_at = reserved * sector;
    v->root_at = root * sector;
    v->data_at = data * sector;
    v->clusters = (uint32_t)((total - data) / s[13]);
    v->bits = v->clusters < 4085 ? 12 : v->clusters < 65525 ? 16 : 32;  /* by count alone [FAT] */
    if (!v->root_entries)
        v->bits = 32;
    v->root_cluster = v->bits == 32 ? le32_get(s + 44) : 0;
    memcpy(v->oem, s + 3, 8);
    const uint8_t *extended = s + (v->bits == 32 ? 66 : 38);
    if (extended[0] == 0x29)
        memcpy(v->label, extended + 5, 11);
    return true;
}

/* The next cluster of a chain; 0: the end, or nonsense. */
static uint32_t chain_next(const struct fat_volume *v, uint32_t cluster)
{
    uint8_t b[4] = { 0 };
    uint32_t next = 0;
    if (v->bits == 12) {
        if (volume_read(v, v->fat_at + cluster + cluster / 2, b, 2))
            next = cluster % 2 ? le16_get(b) >> 4 : le16_get(b) & 0xfff;
    } else if (volume_read(v, v->fat_at + (uint64_t)cluster * (v->bits / 8), b, v->bits / 8)) {
        next = le32_get(b) & 0x0fffffff;
    }
    return next >= 2 && next - 2 < v->clusters ? next : 0;
}

static uint64_t cluster_at(const struct fat_volume *v, uint32_t cluster)
{
    return v->data_at + (uint64_t)(cluster - 2) * v->cluster_sectors * v->sector_size;
}

static void entry_decode(const struct fat_volume *v, const uint8_t *e, struct fat_entry *f)
{
    size_t n = 0;
    for (unsigned i = 0; i < 8 && e[i] != ' '; i++)
        f->name[n++] = (char)e[i];
    if (e[8] != ' ')
        f->name[n++] = '.';
    for (unsigned i = 8; i < 11 && e[i] != ' '; i++)
        f->name[n++] = (char)e[i];
    f->name[n] = 0;
    f->folder = e[11] & ATTR_FOLDER;
    f->cluster = le16_get(e + 26) | (v->bits == 32 ? (uint32_t)le16_get(e + 20) << 16 : 0);
    f->size = le32_get(e + 28);
    f->year = le16_get(e + 24) ? 1980u + (le16_get(e + 24) >> 9) : 0;
}

/* Calls `each` for the entries of a folder (cluster 0: the root) until it says stop. */
static void folder_walk(const struct fat_volume *v, uint32_t cluster, bool (*each)(void *, const struct fat_entry *), void *arg)
{
    bool fixed = !cluster && v->bits != 32;
    uint64_t per = (uint64_t)v->cluster_sectors * v->sector_size / ENTRY;
    if (!cluster && !fixed)
        cluster = v->root_cluster;
    if (!fixed && (cluster < 2 || cluster - 2 >= v->clusters))
        return;
    for (uint64_t i = 0; i < (fixed ? v->root_entries : FOLDER_MOST); i++) {
        uint8_t e[ENTRY];
        struct fat_entry f;
        if (!fixed && i && i % per == 0 && !(cluster = chain_next(v, cluster)))
            return;
        if (!volume_read(v, fixed ? v->root_at + i * ENTRY : cluster_at(v, cluster) + i % per * ENTRY, e, ENTRY) || !e[0])
            return;
        if (e[0] == 0xe5 || e[11] & ATTR_VOLUME || e[0] == '.')
            continue;
        entry_decode(v, e, &f);
        if (!each(arg, &f))
            return;
    }
}

struct seek { const char *name; size_t length; struct fat_entry found; bool ok; };

static bool seek_each(void *arg, const struct fat_entry *f)
{
    struct seek *s = arg;
    if (strlen(f->name) != s->length || strncasecmp(f->name, s->name, s->length))
        return true;
    s->found = *f;
    s->ok = true;
    return false;
}

/* The entry of a path with slashes; the root is a folder at cluster 0. */
static bool path_find(const struct fat_volume *v, const char *path, struct fat_entry *f)
{
    *f = (struct fat_entry){ .folder = true };
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        struct seek s = { .name = path, .length = strcspn(path, "/") };
        if (!f->folder)
            return false;
        folder_walk(v, f->cluster, seek_each, &s);
        if (!s.ok || (s.found.folder && !s.found.cluster))
            return false;
        *f = s.found;
        path += s.length;
    }
    return true;
}

static char *fat_read(void *at, const char *path)
{
    const struct fat_volume *v = at;
    struct fat_entry f;
    if (!path_find(v, path, &f) || f.folder)
        return NULL;
    size_t length = MIN(f.size, (uint32_t)TREE_FILE_MOST), got = 0, per = (size_t)v->cluster_sectors * v->sector_size;
    char *text = calloc(1, length + 1);
    for (uint32_t c = f.cluster; text && got < length && c >= 2 && c - 2 < v->clusters; c = chain_next(v, c)) {
        size_t n = MIN(per, length - got);
        if (!volume_read(v, cluster_at(v, c), text + got, n))
            break;
        got += n;
    }
    return text;
}

struct lister { tree_each *each; void *arg; };

static bool list_each(void *arg, const struct fat_entry *f)
{
    const struct lister *l = arg;
    l->each(l->arg, &(struct tree_entry){ .name = f->name, .folder = f->folder, .size = f->size, .year = f->year });
    return true;
}

static bool fat_list(void *at, const char *path, tree_each *each, void *arg)
{
    struct fat_entry f;
    if (!path_find(at, path, &f) || !f.folder)
        return false;
    folder_walk(at, f.cluster, list_each, &(struct lister){ each, arg });
    return true;
}

struct tree fat_tree(struct fat_volume *v)
{
    return (struct tree){ .at = v, .read = fat_read, .list = fat_list };
}
