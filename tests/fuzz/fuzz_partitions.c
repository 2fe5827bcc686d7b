/* libFuzzer: the input is the start of a disk; its table is read, its volumes are listed, its geometry is found. The first
 * two bytes choose how often the input repeats, so that short inputs fill volumes. */
#include "importers/systems/inspect.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_disk { struct block b; const uint8_t *bytes; size_t length; };

static int disk_get(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct fuzz_disk *d = (struct fuzz_disk *)b;
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)to)[i] = d->bytes[(offset + i) % d->length];
    return 0;
}

static const struct block_class fuzz_class = { .name = "fuzz", .size = sizeof(struct fuzz_disk), .read = disk_get };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_disk d = { .b = { .class = &fuzz_class, .read_only = true } };
    struct partition_table t;
    struct import_geometry g;
    struct facts f = { 0 };
    if (size < 514)
        return 0;
    d.bytes = data + 2;
    d.length = size - 2;
    d.b.size = d.length * (1 + le16_get(data) % 64);
    partitions_read(&d.b, &t);
    geometry_find(&d.b, &t, &g);
    inspect_light(&d.b, &t, &f);
    facts_free(&f);
    return 0;
}
