/* Paths in foreign file systems, whichever they are: walking, links, reading, listing. A volume's small reads go through a cache,
 * and every call may read only so often, so that loops in hostile structures end. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { PAGE = 4096, PAGES = 64, READS_MOST = 1000000, LINKS_MOST = 8 };
struct volume_cache {
    uint64_t tag[PAGES]; uint8_t bytes[PAGES][PAGE];            /* tag: the page's number + 1 */
    char path[TREE_PATH_MOST]; struct node node;                /* the path found last: big files are read in parts */
};

bool volume_read(struct volume *v, uint64_t at, void *to, size_t length)
{
    if (at > v->length || length > v->length - at || !v->budget)
        return false;
    v->budget--;
    if (v->touch)
        v->touch(v->touch_arg, at, length);
    if (length > PAGE)
        return !block_read(v->disk, v->start + at, to, length);
    for (size_t n; length; length -= n, at += n, to = (uint8_t *)to + n) {
        uint64_t page = at / PAGE, slot = page % PAGES;
        n = MIN(length, PAGE - at % PAGE);
        if (v->cache->tag[slot] != page + 1) {
            v->cache->tag[slot] = 0;
            if (block_read(v->disk, v->start + page * PAGE, v->cache->bytes[slot], MIN(PAGE, v->length - page * PAGE)))
                return !block_read(v->disk, v->start + at, to, length);     /* beside a bad sector */
            v->cache->tag[slot] = page + 1;
        }
        memcpy(to, v->cache->bytes[slot] + at % PAGE, n);
    }
    return true;
}

bool node_read(struct volume *v, struct node *n, uint64_t offset, void *to, size_t length)
{
    if (v->class->read && v->class->read(v, n, offset, to, length))
        return true;
    while (length) {
        struct run run = { 0 };
        if (!v->class->map(v, n, offset, &run) || !run.length)
            return false;
        size_t part = (size_t)MIN(run.length, length);
        if (run.hole)
            memset(to, 0, part);
        else if (!volume_read(v, run.at, to, part))
            return false;
        offset += part;
        length -= part;
        to = (uint8_t *)to + part;
    }
    return true;
}

unsigned day_of_unix(uint32_t seconds)
{
    time_t t = seconds;
    struct tm tm;
    return seconds && gmtime_r(&t, &tm) ? (tm.tm_year + 1900u) * 10000 + (tm.tm_mon + 1u) * 100 + (unsigned)tm.tm_mday : 0;
}

void text_clean(char *to, size_t size, const void *from, size_t length)
{
    const uint8_t *bytes = from;
    size_t n = 0;
    for (size_t i = 0; i < length && n + 1 < size && bytes[i]; i++)
        to[n++] = bytes[i] < ' ' || bytes[i] > '~' ? '?' : (char)bytes[i];
    while (n && to[n - 1] == ' ')
        n--;
    to[n] = 0;
}

void utf16_copy(char *to, size_t size, const uint8_t *from, size_t count, unsigned step)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n + 4 <= size; i++) {       /* half pairs stay as they are: a name, not a text */
        unsigned c = le16_get(from + i * step);
        if (!c)
            break;
        if (c < 0x80) {
            to[n++] = (char)c;
        } else if (c < 0x800) {
            to[n++] = (char)(0xc0 | c >> 6), to[n++] = (char)(0x80 | (c & 63));
        } else {
            to[n++] = (char)(0xe0 | c >> 12), to[n++] = (char)(0x80 | (c >> 6 & 63)), to[n++] = (char)(0x80 | (c & 63));
        }
    }
    to[n] = 0;
}

struct seek { bool ignore_case, ok; const char *name; size_t length; struct node found; };

static bool seek_each(void *arg, const char *name, const struct node *n)
{
    struct seek *s = arg;
    if (strlen(name) != s->length || (s->ignore_case ? strncasecmp(name, s->name, s->length) : memcmp(name, s->name, s->length)))
        return true;
    s->found = *n;
    s->ok = true;
    return false;
}

/* A link's target in place of what was walked to it; then the walk starts again. */
static bool link_follow(struct volume *v, struct node *n, char here[TREE_PATH_MOST], const char *name, const char *rest)
{
    char target[TREE_PATH_MOST] = "", next[TREE_PATH_MOST];
    if (n->size >= sizeof(target) || !node_read(v, n, 0, target, (size_t)n->size))
        return false;
    int room = snprintf(next, sizeof(next), "%.*s%s%s", *target == '/' ? 0 : (int)(name - here), here, target, rest);
    if (room >= (int)sizeof(next))
        return false;
    memcpy(here, next, sizeof(next));
    return true;
}

/* Walks a path from the root. */
static bool path_find(struct volume *v, const char *path, struct node *n)
{
    char here[TREE_PATH_MOST];
    unsigned links = 0;
    if ((size_t)snprintf(here, sizeof(here), "%s", path) >= sizeof(here))
        return false;
again:
    if (!v->class->root(v, n))
        return false;
    for (char *p = here + strspn(here, "/"); *p; p += strspn(p, "/")) {
        struct seek s = { .ignore_case = v->class->ignore_case, .name = p, .length = strcspn(p, "/") };
        if (s.length == 2 && !memcmp(p, "..", 2)) {     /* only as `/a/../b` of a link: the folder before it goes */
            char *end = p;
            while (p > here && p[-1] == '/')
                p--;
            while (p > here && p[-1] != '/')
                p--;
            memmove(p, end + 2, strlen(end + 2) + 1);
            goto again;
        }
        if (n->kind != NODE_FOLDER)
            return false;
        if (s.length != 1 || *p != '.') {
            v->class->folder(v, n, seek_each, &s);
            *n = s.found;
            if (!s.ok || (v->class->fill && !v->class->fill(v, n)))
                return false;
        }
        if (n->kind == NODE_LINK) {
            if (++links > LINKS_MOST || !link_follow(v, n, here, p, p + s.length))
                return false;
            goto again;
        }
        p += s.length;
    }
    return true;
}

static bool tree_read_part(void *at, const char *path, uint64_t offset, void *to, size_t *length)
{
    struct volume *v = at;
    struct volume_cache *c = v->cache;
    v->budget = READS_MOST;
    if (!*path || strcmp(c->path, path)) {
        c->path[0] = 0;
        if (!path_find(v, path, &c->node) || c->node.kind != NODE_FILE)
            return false;
        snprintf(c->path, sizeof(c->path), "%s", path);
    }
    size_t wanted = offset >= c->node.size ? 0 : (size_t)MIN(*length, c->node.size - offset);
    *length = 0;
    while (*length < wanted) {                  /* as far as it can be read */
        size_t n = MIN(wanted - *length, (size_t)TREE_FILE_MOST);
        if (!node_read(v, &c->node, offset + *length, (uint8_t *)to + *length, n))
            return *length;
        *length += n;
    }
    return true;
}

static char *tree_read(void *at, const char *path)
{
    size_t length = TREE_FILE_MOST;
    char *text = malloc(length + 1), *fit;
    if (!text || !tree_read_part(at, path, 0, text, &length)) {
        free(text);
        return NULL;
    }
    text[length] = 0;
    fit = realloc(text, length + 1);
    return fit ? fit : text;
}

struct lister { struct volume *v; tree_each *each; void *arg; };

static bool list_each(void *arg, const char *name, const struct node *n)
{
    const struct lister *l = arg;
    struct node full = *n;
    if (!n->alias && !strchr(name, '/') && (!l->v->class->fill || l->v->class->fill(l->v, &full)))
        l->each(l->arg, &(struct tree_entry){ name, full.kind == NODE_FOLDER, full.size, full.day });
    return true;
}

static bool tree_list(void *at, const char *path, tree_each *each, void *arg)
{
    struct volume *v = at;
    struct node n;
    v->budget = READS_MOST;
    if (!path_find(v, path, &n) || n.kind != NODE_FOLDER)
        return false;
    v->class->folder(v, &n, list_each, &(struct lister){ v, each, arg });
    return true;
}

void volume_close(struct volume *v)
{
    free(v->own);
    free(v->cache);
    v->own = v->cache = NULL;
}

bool volume_tree(struct block *disk, uint64_t start, uint64_t length, struct volume *v, struct tree *t)
{
    static const struct volume_class *const classes[] = { &unix_class, &ntfs_class, &hpfs_class, &fat_class };
    *t = (struct tree){ v, tree_read, tree_list, tree_read_part };
    char label[36];
    for (size_t i = 0; i < ARRAY_SIZE(classes) && start < disk->size; i++) {
        if (classes[i] == &fat_class && volume_magic(disk, start, MIN(length, disk->size - start), label))
            break;                              /* others leave the boot sector of what was there before */
        *v = (struct volume){ .disk = disk, .start = start, .length = MIN(length, disk->size - start), .class = classes[i],
                              .own = calloc(1, classes[i]->size), .cache = calloc(1, sizeof(*v->cache)), .budget = READS_MOST };
        uint8_t oem[8];
        if (v->own && v->cache && v->class->open(v)) {
            if (v->class->ignore_case && !v->oem[0] && volume_read(v, 3, oem, 8))
                text_clean(v->oem, sizeof(v->oem), oem, 8);
            return true;
        }
        volume_close(v);
    }
    return false;
}
