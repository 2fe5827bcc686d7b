/* The calls that every user of a chain makes: bounds, read-only, and "ask the layer below". Layers may rely on the checks. */
#include "block/block.h"
#include "block/layer.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool in_bounds(const struct block *b, uint64_t offset, uint64_t length)
{
    return offset <= b->size && length <= b->size - offset;
}

int block_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    if (!in_bounds(b, offset, length))
        return -EINVAL;
    if (!length)
        return 0;
    if (b->class->read)
        return b->class->read(b, offset, to, length);
    return b->below ? block_read(b->below, offset, to, length) : -EIO;
}

int block_read_short(struct block *b, uint64_t offset, void *to, size_t length)
{
    size_t n = (size_t)(!b || offset >= b->size ? 0 : MIN(length, b->size - offset));
    memset((uint8_t *)to + n, 0, length - n);
    return n ? block_read(b, offset, to, n) : 0;
}

int block_write(struct block *b, uint64_t offset, const void *from, size_t length)
{
    if (!in_bounds(b, offset, length))
        return -EINVAL;
    if (b->read_only)
        return -EROFS;
    if (!length)
        return 0;
    if (b->class->write)
        return b->class->write(b, offset, from, length);
    return b->below ? block_write(b->below, offset, from, length) : -EROFS;
}

static int write_zeros(struct block *b, uint64_t offset, uint64_t length)
{
    static const uint8_t zeros[65536];
    while (length) {
        size_t n = MIN(length, sizeof(zeros));
        int error = block_write(b, offset, zeros, n);
        if (error)
            return error;
        offset += n, length -= n;
    }
    return 0;
}

int block_zero(struct block *b, uint64_t offset, uint64_t length)
{
    if (!in_bounds(b, offset, length))
        return -EINVAL;
    if (b->read_only)
        return -EROFS;
    if (!length)
        return 0;
    if (b->class->zero)
        return b->class->zero(b, offset, length);
    if (b->class->write || !b->below)
        return write_zeros(b, offset, length);
    return block_zero(b->below, offset, length);
}

/* A hint: a chain that cannot give space back does nothing. */
int block_discard(struct block *b, uint64_t offset, uint64_t length)
{
    if (!in_bounds(b, offset, length))
        return -EINVAL;
    if (b->read_only)
        return -EROFS;
    if (!length)
        return 0;
    if (b->class->discard)
        return b->class->discard(b, offset, length);
    return b->class->write || !b->below ? 0 : block_discard(b->below, offset, length);
}

int block_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    if (offset >= b->size || !*length)
        return -EINVAL;
    *length = MIN(*length, b->size - offset);
    *kind = BLOCK_ABSENT;
    if (b->class->extents) {
        int error = b->class->extents(b, offset, length, kind);
        if (error || *kind != BLOCK_ABSENT)
            return error;
    } else if (b->class->read) {
        *kind = BLOCK_DATA;
        return 0;
    }
    if (!b->below || offset >= b->below->size) {
        *kind = BLOCK_ZEROS;
        return 0;
    }
    return block_extents(b->below, offset, length, kind);
}

int block_flush(struct block *b)
{
    if (b->read_only)
        return 0;
    if (b->class->flush)
        return b->class->flush(b);
    return b->class->write || !b->below ? 0 : block_flush(b->below);
}

void block_close(struct block *b)
{
    while (b) {
        struct block *below = b->below;
        block_attach(b, NULL);
        if (b->class->close)
            b->class->close(b);
        free(b);
        b = below;
    }
}

struct block *block_new(const struct block_class *class, struct error *err)
{
    struct block *b = calloc(1, class->size);
    if (!b) {
        error_set(err, ENOMEM, "no memory for a disk layer");
        return NULL;
    }
    b->class = class;
    return b;
}

struct block *block_open_auto(const char *path, unsigned flags, struct error *err)
{
    char magic[4];
    struct block *b = block_open_raw(path, flags, err);
    if (!b || b->size < sizeof(magic) || block_read(b, 0, magic, sizeof(magic)) || memcmp(magic, "QFI\xfb", sizeof(magic)))
        return b;
    block_close(b);
    return block_open_qcow2(path, flags, err);
}
