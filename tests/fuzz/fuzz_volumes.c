/* libFuzzer: the input is a volume; whatever opens it lists it all, reads its files and looks for damage. The first two bytes choose
 * how often the input repeats, the next two a place in it that is bad. */
#include "importers/disk/trees.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_disk { struct block b; const uint8_t *bytes; size_t length; };
enum { PATHS = 200 };
struct paths { char list[PATHS][256]; size_t count; const char *folder; };

static int disk_get(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct fuzz_disk *d = (struct fuzz_disk *)b;
    for (size_t n; length; length -= n, offset += n, to = (uint8_t *)to + n) {
        n = MIN(length, d->length - offset % d->length);
        memcpy(to, d->bytes + offset % d->length, n);
    }
    return 0;
}

static const struct block_class fuzz_class = { .name = "fuzz", .size = sizeof(struct fuzz_disk), .read = disk_get };

static void path_add(void *arg, const struct tree_entry *e)
{
    struct paths *p = arg;
    if (p->count < PATHS && (size_t)snprintf(p->list[p->count], 256, "%s/%s", p->folder, e->name) < 256)
        p->count++;
}

static void damage_seen(void *arg, const char *path)
{
    (void)arg;
    for (; *path; path++)
        if (*path < ' ' || *path > '~')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_disk d = { .b = { .class = &fuzz_class, .read_only = true } };
    static struct partition_table table;
    static struct paths p;
    static uint8_t part[100000];
    struct volume v;
    struct tree t;
    if (size < 600)
        return 0;
    d.bytes = data + 4;
    d.length = size - 4;
    d.b.size = d.length * (1 + le16_get(data) % 64);
    if (!volume_tree(&d.b, 0, d.b.size, &v, &t))
        return 0;
    p.count = 0;
    p.folder = "";
    t.list(t.at, "", path_add, &p);
    for (size_t i = 0; i < p.count && i < 40; i++) {
        size_t length = sizeof(part);
        p.folder = p.list[i];
        if (!t.read_part(t.at, p.list[i], le16_get(data), part, &length))
            t.list(t.at, p.list[i], path_add, &p);
        free(t.read(t.at, p.list[i]));
    }
    volume_close(&v);
    table.count = 1;
    table.list[0] = (struct partition){ .scheme = "", .sectors = d.b.size / SECTOR };
    struct byte_range bad[] = { { le16_get(data + 2), 512 }, { 100000, 70000 } };
    damage_files(&d.b, &table, bad, 2, damage_seen, NULL);
    return 0;
}
