/* A part of a block as a block of its own. */
#include "importers/sources/source.h"
#include "block/layer.h"
#include <errno.h>

struct window { struct block b; uint64_t offset; };

static int window_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    return block_read(b->below, ((struct window *)b)->offset + offset, to, length);
}

static int window_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    return block_extents(b->below, ((struct window *)b)->offset + offset, length, kind);
}

static const struct block_class window_class = { .name = "window", .size = sizeof(struct window), .read = window_read, .extents = window_extents };

struct block *block_window(struct block *below, uint64_t offset, uint64_t size, struct error *err)
{
    bool fits = offset <= below->size && size <= below->size - offset;
    struct block *b = fits ? block_new(&window_class, err) : NULL;
    if (!fits)
        error_set(err, EINVAL, "a part of an image lies beyond its end");
    if (!b) {
        block_close(below);
        return NULL;
    }
    b->below = below;
    b->size = size;
    b->read_only = true;
    ((struct window *)b)->offset = offset;
    return b;
}
