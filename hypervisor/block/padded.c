/* A view that is longer than the layer below: the rest reads as zeros and takes only zeros. Floppy files of odd size, and
 * disks whose byte length is not a multiple of 512. */
#include "block/layer.h"
#include "base/bits.h"
#include <errno.h>

/* The part of a request that the layer below has. */
static size_t within(const struct block *b, uint64_t offset, uint64_t length)
{
    uint64_t below = b->below->size;
    return (size_t)(offset >= below ? 0 : MIN(length, below - offset));
}

static int padded_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    return block_read_short(b->below, offset, to, length);
}

static int padded_write(struct block *b, uint64_t offset, const void *from, size_t length)
{
    size_t n = within(b, offset, length);
    if (any_nonzero((const uint8_t *)from + n, length - n))
        return -ENOSPC;
    return n ? block_write(b->below, offset, from, n) : 0;
}

static int padded_zero(struct block *b, uint64_t offset, uint64_t length)
{
    size_t n = within(b, offset, length);
    return n ? block_zero(b->below, offset, n) : 0;
}

static int padded_discard(struct block *b, uint64_t offset, uint64_t length)
{
    size_t n = within(b, offset, length);
    return n ? block_discard(b->below, offset, n) : 0;
}

static int padded_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    if (offset >= b->below->size) {
        *kind = BLOCK_ZEROS;
        return 0;
    }
    *length = MIN(*length, b->below->size - offset);
    *kind = BLOCK_ABSENT;
    return 0;
}

static int padded_flush(struct block *b)
{
    return block_flush(b->below);
}

static const struct block_class padded_class = {
    .name = "padded", .size = sizeof(struct block), .read = padded_read, .write = padded_write, .zero = padded_zero,
    .discard = padded_discard, .extents = padded_extents, .flush = padded_flush,
};

struct block *block_open_padded(struct block *below, uint64_t size, struct error *err)
{
    if (size < below->size) {
        error_set(err, EINVAL, "a disk of %llu bytes does not fit into a view of %llu", (unsigned long long)below->size,
                  (unsigned long long)size);
        return NULL;
    }
    struct block *b = block_new(&padded_class, err);
    if (!b)
        return NULL;
    b->below = below;
    b->size = size;
    b->read_only = below->read_only;
    return b;
}
