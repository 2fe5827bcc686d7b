/* libFuzzer: a small volume of every kind that our writers make, with the input's changes in it: the first two bytes choose the kind
 * and the bytes that are bad, then five bytes a change: the place, the value. Odd kinds take the input itself as the volume, repeated.
 * Whatever opens is listed, read and searched for damage. */
#include "importers/disk/trees.h"
#include "base/bits.h"
#include "tests/support/volume_make.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_disk { struct block b; const uint8_t *bytes; size_t length; };
enum { PATHS = 200, MADE = 3 << 20 };
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
    static uint8_t *made[VOLUME_KINDS], *bytes;
    static struct partition_table table;
    static struct paths p;
    static uint8_t part[100000];
    struct fuzz_disk d = { .b = { .class = &fuzz_class, .read_only = true } };
    struct volume v;
    struct tree t;
    if (size < 8)
        return 0;
    if (data[0] & 1) {
        d.bytes = data + 2, d.length = size - 2;
        d.b.size = d.length * (1 + data[1] % 64);
    } else {
        unsigned kind = data[0] / 2 % VOLUME_KINDS;
        struct block *b = made[kind] ? NULL : volume_make(kind);
        if (b) {
            made[kind] = malloc(b->size);
            block_read(b, 0, made[kind], b->size);
            block_close(b);
        }
        bytes = bytes ? bytes : malloc(MADE);
        memcpy(bytes, made[kind], MADE);
        for (size_t i = 2; i + 5 <= size; i += 5)
            bytes[(le32_get(data + i) & (data[i + 3] & 1 ? 0xffffff : 0x1ffff)) % MADE] = data[i + 4];   /* most near the start */
        d.bytes = bytes, d.length = d.b.size = MADE;
    }
    if (!volume_tree(&d.b, 0, d.b.size, &v, &t))
        return 0;
    p.count = 0;
    p.folder = "";
    t.list(t.at, "", path_add, &p);
    for (size_t i = 0; i < p.count && i < 16; i++) {
        size_t length = sizeof(part);
        p.folder = p.list[i];
        if (!t.read_part(t.at, p.list[i], data[1] * 1000u, part, &length))
            t.list(t.at, p.list[i], path_add, &p);
        free(t.read(t.at, p.list[i]));
    }
    volume_close(&v);
    table.count = 1;
    table.list[0] = (struct partition){ .scheme = "", .sectors = d.b.size / SECTOR };
    struct byte_range bad[] = { { data[1] * 512u, 512 }, { 100000, 70000 } };
    damage_files(&d.b, &table, bad, 2, damage_seen, NULL);
    return 0;
}
