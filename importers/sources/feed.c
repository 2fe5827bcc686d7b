/* The feeds that are plain bytes: a descriptor (standard input, a pipe, a character device) and the bytes of a block. */
#include "importers/sources/feed.h"
#include "base/bits.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct descriptor { struct feed f; int fd; };
struct blocks { struct feed f; struct block *block; };

struct feed *feed_new(const struct feed_class *class, const char *name, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct feed *f = calloc(1, class->size);
    if (f)
        *f = (struct feed){ .class = class, .name = name, .cancel = cancel };
    else
        error_set(err, ENOMEM, "no memory to read %s", name);
    return f;
}

bool feed_read(struct feed *f, uint8_t *to, size_t length, size_t *got, struct error *err)
{
    size_t n = 1;
    for (*got = 0; n && *got < length; *got += n, f->position += n)
        if (!f->class->read(f, to + *got, length - *got, &n, err))
            return false;
    return true;
}

void feed_close(struct feed *f)
{
    for (struct feed *below; f; f = below) {
        below = f->below;
        if (f->class->close)
            f->class->close(f);
        free(f);
    }
}

bool feed_cancelled(const struct feed *f, struct error *err)
{
    return f->cancel && *f->cancel && !error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", f->name);
}

/* It waits in steps: a wish to stop that comes at any moment is seen. */
static bool descriptor_read(struct feed *f, uint8_t *to, size_t length, size_t *got, struct error *err)
{
    struct pollfd p = { .fd = ((struct descriptor *)f)->fd, .events = POLLIN };
    while (!feed_cancelled(f, err)) {
        ssize_t n = poll(&p, 1, 250) > 0 ? read(p.fd, to, length) : (errno = EAGAIN, -1);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) {
            *got = (size_t)MAX(n, 0);
            return n >= 0 || error_set(err, errno, "cannot read %s at byte %llu: %s", f->name, (unsigned long long)f->position,
                                       strerror(errno));
        }
    }
    return false;
}

static void descriptor_close(struct feed *f) { close(((struct descriptor *)f)->fd); }

static const struct feed_class descriptor_class = { sizeof(struct descriptor), descriptor_read, descriptor_close };

struct feed *feed_descriptor(int fd, const char *name, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct feed *f = feed_new(&descriptor_class, name, cancel, err);
    if (f)
        ((struct descriptor *)f)->fd = fd;
    else
        close(fd);
    return f;
}

static bool blocks_read(struct feed *f, uint8_t *to, size_t length, size_t *got, struct error *err)
{
    struct block *b = ((struct blocks *)f)->block;
    *got = (size_t)MIN(length, b->size - f->position);
    int error = feed_cancelled(f, err) ? -EINTR : block_read(b, f->position, to, *got);
    return !error || error == -EINTR ? !error : error_set(err, -error, "cannot read %s after byte %llu: %s", f->name,
                                                          (unsigned long long)f->position, strerror(-error));
}

static void blocks_close(struct feed *f) { block_close(((struct blocks *)f)->block); }

static const struct feed_class blocks_class = { sizeof(struct blocks), blocks_read, blocks_close };

struct feed *feed_block(struct block *b, const char *name, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct feed *f = feed_new(&blocks_class, name, cancel, err);
    if (f)
        ((struct blocks *)f)->block = b;
    else
        block_close(b);
    return f;
}
