/* What lies on bytes that could not be read. Every file's runs are compared with them; what a reader of the file system touched on its
 * way to a file (its inode, its chain, its folder) belongs to that file too. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 24, NODES_MOST = 1000000, RUNS_MOST = 4000000, READS_LEAST = 1000000 };
struct damage {
    struct volume v; const struct byte_range *bad; bool *explained; size_t count;
    void (*each)(void *arg, const char *path); void *arg;
    char path[TREE_PATH_MOST]; unsigned depth; uint64_t above[DEPTH_MOST], nodes, runs; bool hit;      /* above: the folders' numbers */
};

/* Bytes of the disk that something uses. */
static void used(struct damage *d, uint64_t at, uint64_t length)
{
    size_t low = 0, high = d->count;
    while (low < high) {                        /* the first range that ends behind `at`; ranges are in order */
        size_t middle = (low + high) / 2;
        if (d->bad[middle].start + d->bad[middle].length > at)
            high = middle;
        else
            low = middle + 1;
    }
    for (; low < d->count && d->bad[low].start < at + length; low++)
        d->hit = d->explained[low] = true;
}

static void touched(void *arg, uint64_t at, size_t length)
{
    struct damage *d = arg;
    used(d, d->v.start + at, length);
}

static void tell(struct damage *d, const char *what)
{
    char line[TREE_PATH_MOST + 64];
    text_clean(line, sizeof(line), d->path, strlen(d->path));
    snprintf(line + strlen(line), 64, "%s", what);
    d->each(d->arg, line);
}

static bool node_look(void *arg, const char *name, const struct node *found)
{
    struct damage *d = arg;
    struct node n = *found;
    struct run run;
    size_t length = strlen(d->path);
    if (n.alias || length + strlen(name) + 2 > sizeof(d->path))
        return true;
    bool outer = d->hit;                        /* what was touched so far is the folder's */
    d->hit = false;
    if (*name)
        snprintf(d->path + length, sizeof(d->path) - length, "/%s", name);
    bool ok = (!*name || !d->v.class->fill || d->v.class->fill(&d->v, &n)) && n.kind != NODE_OTHER;
    for (uint64_t at = 0; ok && n.kind != NODE_FOLDER && at < n.size && d->v.class->map(&d->v, &n, at, &run) && run.length && d->runs; d->runs--) {
        if (!run.hole)
            used(d, d->v.start + run.at, MIN(run.length, n.size - at));
        at += run.length;
    }
    bool loop = false;
    for (unsigned i = 0; i < d->depth; i++)
        loop = loop || d->above[i] == n.number;
    if (ok && n.kind == NODE_FOLDER && d->depth < DEPTH_MOST && !loop) {
        d->above[d->depth++] = n.number;
        d->v.class->folder(&d->v, &n, node_look, d);
        d->depth--;
    }
    if (d->hit)
        tell(d, !*name ? "/ (file system structures)" : n.kind == NODE_FOLDER ? "/ (the folder itself)" : "");
    d->path[length] = 0;
    d->hit = outer;
    return d->nodes && d->nodes-- && d->v.budget;
}

static int by_start(const void *a, const void *b)
{
    uint64_t x = ((const struct byte_range *)a)->start, y = ((const struct byte_range *)b)->start;
    return (x > y) - (x < y);
}

static void volume_look(struct damage *d, struct block *disk, const struct partition *p)
{
    struct tree t;
    struct node root;
    uint64_t start = p->start * SECTOR, end = start + p->sectors * SECTOR;
    bool any = false;
    for (size_t i = 0; i < d->count; i++)
        any = any || (d->bad[i].start < end && d->bad[i].start + d->bad[i].length > start);
    snprintf(d->path, sizeof(d->path), "%s%s%s", p->name[0] ? "partition " : "", p->name, p->name[0] ? ": " : "");
    if (!any || !volume_tree(disk, start, p->sectors * SECTOR, &d->v, &t))
        return;
    d->v.touch = touched, d->v.touch_arg = d, d->v.budget = READS_LEAST + d->v.length / SECTOR;
    d->hit = false;
    used(d, start, 1024);                       /* boot block */
    if (d->v.class->root(&d->v, &root))
        node_look(d, "", &root);
    volume_close(&d->v);
}

void damage_files(struct block *disk, const struct partition_table *t, const struct byte_range *bad, size_t count,
                  void (*each)(void *arg, const char *path), void *arg)
{
    struct byte_range *sorted = malloc((count + 1) * sizeof(*bad));
    struct damage d = { .bad = sorted, .explained = calloc(count + 1, sizeof(bool)), .count = count, .each = each, .arg = arg,
                        .nodes = NODES_MOST, .runs = RUNS_MOST };
    if (sorted && d.explained) {
        memcpy(sorted, bad, count * sizeof(*bad));
        qsort(sorted, count, sizeof(*sorted), by_start);
        for (size_t i = 0; i < t->count; i++)
            volume_look(&d, disk, &t->list[i]);
        for (size_t i = 0; i < count; i++) {
            if (d.explained[i])
                continue;
            const struct partition *in = NULL;
            for (size_t k = 0; k < t->count; k++)
                if (sorted[i].start / SECTOR - t->list[k].start < t->list[k].sectors)
                    in = &t->list[k];
            snprintf(d.path, sizeof(d.path), "%s%s: bytes %llu to %llu", in ? "partition " : "outside the partitions", in ? in->name : "",
                     (unsigned long long)sorted[i].start, (unsigned long long)(sorted[i].start + sorted[i].length - 1));
            tell(&d, in ? " (no file that we know of)" : "");
        }
    }
    free(d.explained);
    free(sorted);
}
