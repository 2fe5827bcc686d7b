/* Changes that are gone at close: a bitmap of 4 KiB pages, those present in an unlinked temporary file (in memory when the
 * disk is small), the rest in the layer below. block_open_memory is the same with nothing below. */
#include "block/layer.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, IN_MEMORY = 64 << 20 };

struct overlay { struct block b; int fd; uint8_t *present; };   /* present: a bit a page; NULL: all are (memory) */

static struct overlay *overlay_of(struct block *b) { return container_of(b, struct overlay, b); }

static bool present(const struct overlay *o, uint64_t page)
{
    return !o->present || o->present[page / 8] >> page % 8 & 1;
}

/* How many bytes from offset on, at most length, are alike; tells whether they are here. */
static uint64_t run_of(const struct overlay *o, uint64_t offset, uint64_t length, bool *here)
{
    uint64_t page = offset / PAGE, end = offset + length;
    *here = present(o, page);
    while (++page * PAGE < end && present(o, page) == *here)
        ;
    return MIN(page * PAGE, end) - offset;
}

static int overlay_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct overlay *o = overlay_of(b);
    for (uint8_t *p = to; length;) {
        bool here;
        size_t n = (size_t)run_of(o, offset, length, &here);
        int error = here ? file_read(o->fd, offset, p, n) : block_read(b->below, offset, p, n);
        if (error)
            return error;
        p += n, offset += n, length -= n;
    }
    return 0;
}

/* Brings one page up from below, before a part of it changes. */
static int page_fill(struct overlay *o, uint64_t page)
{
    uint8_t bytes[PAGE];
    size_t n = (size_t)MIN(PAGE, o->b.size - page * PAGE);
    if (present(o, page))
        return 0;
    int error = block_read(o->b.below, page * PAGE, bytes, n);
    return error ? error : file_write(o->fd, page * PAGE, bytes, n);
}

static void mark_present(struct overlay *o, uint64_t offset, uint64_t length)
{
    if (o->present)
        for (uint64_t page = offset / PAGE; page * PAGE < offset + length; page++)
            o->present[page / 8] |= (uint8_t)(1 << page % 8);
}

/* The pages at both ends are filled when only a part of them is about to change. */
static int fill_ends(struct overlay *o, uint64_t offset, uint64_t length)
{
    uint64_t end = offset + length;
    int error = 0;
    if (offset % PAGE)
        error = page_fill(o, offset / PAGE);
    if (!error && end % PAGE && end != o->b.size)
        error = page_fill(o, end / PAGE);
    return error;
}

static int overlay_write(struct block *b, uint64_t offset, const void *from, size_t length)
{
    struct overlay *o = overlay_of(b);
    int error = fill_ends(o, offset, length);
    if (!error)
        error = file_write(o->fd, offset, from, length);
    if (!error)
        mark_present(o, offset, length);
    return error;
}

static int overlay_zero(struct block *b, uint64_t offset, uint64_t length)
{
    struct overlay *o = overlay_of(b);
    int error = fill_ends(o, offset, length);
    if (!error)
        error = file_zero(o->fd, offset, length);
    if (!error)
        mark_present(o, offset, length);
    return error;
}

/* Only what is already here can be given back; the layer below keeps its own. */
static int overlay_discard(struct block *b, uint64_t offset, uint64_t length)
{
    struct overlay *o = overlay_of(b);
    while (length) {
        bool here;
        uint64_t n = run_of(o, offset, length, &here);
        if (here)
            fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)n);
        offset += n, length -= n;
    }
    return 0;
}

static int overlay_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    struct overlay *o = overlay_of(b);
    bool here;
    *length = run_of(o, offset, *length, &here);
    *kind = here ? BLOCK_DATA : BLOCK_ABSENT;
    if (!here)
        return 0;
    off_t data = lseek(o->fd, (off_t)offset, SEEK_DATA);
    if (data == (off_t)offset) {
        off_t hole = lseek(o->fd, (off_t)offset, SEEK_HOLE);
        if (hole > (off_t)offset)
            *length = MIN(*length, (uint64_t)hole - offset);
    } else if (data > (off_t)offset || errno == ENXIO) {
        *kind = BLOCK_ZEROS;
        if (data > (off_t)offset)
            *length = MIN(*length, (uint64_t)data - offset);
    }
    return 0;
}

static int overlay_flush(struct block *b)
{
    (void)b;
    return 0;                                   /* nothing of it is meant to last */
}

static void overlay_close(struct block *b)
{
    struct overlay *o = overlay_of(b);
    if (o->fd >= 0)
        close(o->fd);
    free(o->present);
}

static const struct block_class overlay_class = {
    .name = "overlay", .size = sizeof(struct overlay), .read = overlay_read, .write = overlay_write,
    .zero = overlay_zero, .discard = overlay_discard, .extents = overlay_extents, .flush = overlay_flush,
    .close = overlay_close,
};

static int temporary_file(uint64_t size)
{
    const char *folder = getenv("TMPDIR");
    int fd = -1;
    if (size > IN_MEMORY)
        fd = open(folder && *folder ? folder : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = memfd_create("overlay", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)size)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static struct block *overlay_make(uint64_t size, bool sparse, struct error *err)
{
    struct block *b = block_new(&overlay_class, err);
    if (!b)
        return NULL;
    struct overlay *o = overlay_of(b);
    b->size = size;
    o->fd = size <= INT64_MAX ? temporary_file(size) : (errno = EFBIG, -1);
    if (o->fd >= 0 && sparse)
        o->present = calloc(1, size / PAGE / 8 + 1);
    if (o->fd >= 0 && (o->present || !sparse))
        return b;
    error_set(err, errno, "cannot make a temporary file of %llu bytes for changes: %s", (unsigned long long)size,
              strerror(errno));
    block_close(b);
    return NULL;
}

struct block *block_open_memory(uint64_t size, struct error *err)
{
    return overlay_make(size, false, err);
}

struct block *block_open_overlay(struct block *below, struct error *err)
{
    struct block *b = overlay_make(below->size, true, err);
    if (b)
        b->below = below;
    return b;
}
