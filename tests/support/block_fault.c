#include "tests/support/block_fault.h"
#include "block/layer.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault { struct block b; struct fault_disk *disk; };

static struct fault_disk *disk_of(struct block *b) { return ((struct fault *)b)->disk; }

uint64_t test_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 33 ^ *state << 20;
}

static void apply(uint8_t **image, uint64_t *size, uint64_t room, uint64_t offset, const uint8_t *bytes, size_t length)
{
    if (offset + length > room)
        abort();
    memcpy(*image + offset, bytes, length);
    *size = MAX(*size, offset + length);
}

static void grow(struct fault_disk *d, uint64_t size)
{
    if (size <= d->room)
        return;
    uint64_t room = size * 2;
    d->now = realloc(d->now, room);
    d->durable = realloc(d->durable, room);
    memset(d->now + d->room, 0, room - d->room);
    memset(d->durable + d->room, 0, room - d->room);
    d->room = room;
}

static bool power(struct fault_disk *d)
{
    if (++d->writes == d->cut_at)
        d->off = true;
    return !d->off;
}

static int fault_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct fault_disk *d = disk_of(b);
    if (offset + length > d->size)
        return -EIO;
    if (d->delay_us)
        usleep((unsigned)(++d->reads * 2654435761u % d->delay_us));
    memcpy(to, d->now + offset, length);
    return 0;
}

static int fault_write(struct block *b, uint64_t offset, const void *from, size_t length)
{
    struct fault_disk *d = disk_of(b);
    bool on = power(d);
    if (d->writes == d->fail_at)
        return d->fail_with;
    if (!on && d->writes != d->cut_at)
        return -EIO;
    if (d->pending_count == d->pending_room) {
        d->pending_room = d->pending_room ? d->pending_room * 2 : 64;
        d->pending = realloc(d->pending, d->pending_room * sizeof(*d->pending));
    }
    grow(d, offset + length);
    struct fault_write *w = &d->pending[d->pending_count++];
    *w = (struct fault_write){ offset, length, malloc(length) };
    memcpy(w->bytes, from, length);
    apply(&d->now, &d->size, d->room, offset, from, length);
    b->size = d->size;
    return on ? 0 : -EIO;
}

static void forget(struct fault_disk *d)
{
    for (size_t i = 0; i < d->pending_count; i++)
        free(d->pending[i].bytes);
    d->pending_count = 0;
}

static int fault_flush(struct block *b)
{
    struct fault_disk *d = disk_of(b);
    if (!power(d))
        return -EIO;
    if (d->writes == d->fail_at)
        return d->fail_with;
    for (size_t i = 0; i < d->pending_count; i++)
        apply(&d->durable, &d->durable_size, d->room, d->pending[i].offset, d->pending[i].bytes, d->pending[i].length);
    forget(d);
    return 0;
}

static const struct block_class fault_class = {
    .name = "fault", .size = sizeof(struct fault), .read = fault_read, .write = fault_write, .flush = fault_flush,
};

struct fault_disk *fault_disk_new(void)
{
    return calloc(1, sizeof(struct fault_disk));
}

void fault_disk_free(struct fault_disk *d)
{
    forget(d);
    free(d->pending);
    free(d->now);
    free(d->durable);
    free(d);
}

struct block *block_open_fault(struct fault_disk *d)
{
    struct error err;
    struct block *b = block_new(&fault_class, &err);
    ((struct fault *)b)->disk = d;
    b->size = d->size;
    return b;
}

void fault_disk_restart(struct fault_disk *d, uint64_t *random)
{
    uint64_t mood = test_random(random) % 4;    /* none, all, or each by chance */
    for (size_t i = 0; i < d->pending_count; i++) {
        struct fault_write *w = &d->pending[i];
        for (size_t at = 0; at < w->length;) {
            size_t n = MIN(w->length - at, 512 - (w->offset + at) % 512);
            if (mood == 1 || (mood > 1 && test_random(random) % 2))
                apply(&d->durable, &d->durable_size, d->room, w->offset + at, w->bytes + at, n);
            at += n;
        }
    }
    forget(d);
    if (d->room)
        memcpy(d->now, d->durable, d->room);
    d->size = d->durable_size;
    d->off = false;
    d->writes = d->cut_at = d->fail_at = 0;
}
