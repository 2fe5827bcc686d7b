/* qcow2: the guest's reads and writes. References: [QCOW2]. */
#include "block/qcow2.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FREED_MOST = 4096 };

static uint64_t l2_entries(const struct qcow2 *q) { return q->cluster_size / 8; }
static uint64_t in_cluster(const struct qcow2 *q, uint64_t offset) { return offset & (q->cluster_size - 1); }

void qcow2_packed(const struct qcow2 *q, uint64_t entry, uint64_t *offset, size_t *length)
{
    unsigned x = 62 - (q->cluster_bits - 8);    /* below bit x the place, above it the further sectors of 512 */
    *offset = bits_get(entry, 0, x);
    *length = (size_t)((bits_get(entry, x, 62 - x) + 1) * 512 - *offset % 512);
}

static enum cluster_kind kind_of(const struct qcow2 *q, uint64_t entry)
{
    if (entry & ENTRY_COMPRESSED)
        return CLUSTER_COMPRESSED;
    if (q->version >= 3 && entry & ENTRY_ZERO)
        return CLUSTER_ZERO;
    return entry & ENTRY_OFFSET ? CLUSTER_DATA : CLUSTER_ABSENT;
}

/* The L2 entry of an offset; 0 where there is no L2 table. */
static int entry_get(struct qcow2 *q, uint64_t offset, uint64_t *entry)
{
    uint64_t cluster = offset >> q->cluster_bits, l2 = q->l1[cluster / l2_entries(q)] & ENTRY_OFFSET;
    struct table *t;
    *entry = 0;
    if (!l2)
        return 0;
    int error = table_get(q, &q->l2, l2, &t);
    if (!error)
        *entry = be64_get(t->bytes + cluster % l2_entries(q) * 8);
    return error;
}

/* What is at offset, and for how many of `length` bytes the same holds: data must follow on in the file, too. */
static int map(struct qcow2 *q, uint64_t offset, uint64_t *length, enum cluster_kind *kind, uint64_t *entry)
{
    uint64_t next, run = q->cluster_size - in_cluster(q, offset);
    int error = entry_get(q, offset, entry);
    *kind = kind_of(q, *entry);
    while (!error && run < *length && *kind != CLUSTER_COMPRESSED && !(error = entry_get(q, offset + run, &next))) {
        if (kind_of(q, next) != *kind || (*kind == CLUSTER_DATA && (next & ENTRY_OFFSET) - (*entry & ENTRY_OFFSET) !=
                                          in_cluster(q, offset) + run))
            break;
        run += q->cluster_size;
    }
    *length = MIN(*length, run);
    if (!error && *kind == CLUSTER_DATA && (*entry & ENTRY_OFFSET) % q->cluster_size)
        return -EIO;
    return error;
}

static int inflated_get(struct qcow2 *q, uint64_t entry, const uint8_t **bytes)
{
    struct inflated *oldest = &q->inflated[0];
    for (unsigned i = 0; i < q->inflated_count; i++) {
        struct inflated *c = &q->inflated[i];
        if (c->entry == entry) {
            c->used = ++q->inflated_tick;
            *bytes = c->bytes;
            return 0;
        }
        if (c->used < oldest->used)
            oldest = c;
    }
    uint64_t at;
    size_t length;
    qcow2_packed(q, entry, &at, &length);
    if (length > 2 * q->cluster_size || at >= q->file->size)
        return -EIO;
    int error = qcow2_file_read(q, at, q->packed, length);
    if (error)
        return error;
    oldest->entry = 0;
    if (!oldest->bytes && !(oldest->bytes = malloc(q->cluster_size)))
        return -ENOMEM;
    if (!codec_inflate(q->codec, q->zstd, q->packed, length, oldest->bytes, q->cluster_size))
        return -EIO;
    oldest->entry = entry;
    oldest->used = ++q->inflated_tick;
    *bytes = oldest->bytes;
    return 0;
}

int qcow2_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct qcow2 *q = qcow2_of(b);
    for (uint8_t *p = to; length;) {
        enum cluster_kind kind;
        uint64_t entry, run = length;
        const uint8_t *bytes;
        int error = map(q, offset, &run, &kind, &entry);
        if (error)
            return error;
        switch (kind) {
        case CLUSTER_ABSENT: error = block_read_short(q->b.below, offset, p, run); break;
        case CLUSTER_ZERO: memset(p, 0, run); break;
        case CLUSTER_DATA: error = qcow2_file_read(q, (entry & ENTRY_OFFSET) + in_cluster(q, offset), p, run); break;
        case CLUSTER_COMPRESSED:
            error = inflated_get(q, entry, &bytes);
            if (!error)
                memcpy(p, bytes + in_cluster(q, offset), run);
            break;
        }
        if (error)
            return error;
        p += run, offset += run, length -= run;
    }
    return 0;
}

static void l1_set(struct qcow2 *q, uint32_t at, uint64_t l2)
{
    q->l1[at] = l2 | ENTRY_COPIED;
    q->l1_dirty_first = q->l1_dirty_end ? MIN(q->l1_dirty_first, at) : at;
    q->l1_dirty_end = MAX(q->l1_dirty_end, at + 1);
}

/* The L2 table of an offset, ours alone to change: made, or copied when its refcount may not be 1. */
static int l2_for_write(struct qcow2 *q, uint64_t offset, struct table **t)
{
    uint32_t at = (uint32_t)((offset >> q->cluster_bits) / l2_entries(q));
    uint64_t old = q->l1[at] & ENTRY_OFFSET, fresh;
    if (old && q->l1[at] & ENTRY_COPIED)
        return table_get(q, &q->l2, old, t);
    int error = cluster_alloc(q, &fresh);
    if (!error)
        error = table_new(q, &q->l2, fresh, t);
    if (!error && old)
        error = qcow2_file_read(q, old, (*t)->bytes, q->cluster_size);
    if (!error && old)
        error = cluster_free(q, old);
    if (error)
        return error;
    l1_set(q, at, fresh);
    return 0;
}

/* What an entry named is not named any more. */
static int release(struct qcow2 *q, uint64_t entry)
{
    if (entry & ENTRY_COMPRESSED) {
        uint64_t at;
        size_t length;
        qcow2_packed(q, entry, &at, &length);
        int error = 0;
        for (uint64_t c = at >> q->cluster_bits; !error && c << q->cluster_bits < at + length; c++)
            error = cluster_free(q, c << q->cluster_bits);
        return error;
    }
    return entry & ENTRY_OFFSET ? cluster_free(q, entry & ENTRY_OFFSET) : 0;
}

/* The whole cluster as it will be: what is there now with the new bytes laid over it. */
static int merge(struct qcow2 *q, uint64_t offset, const uint8_t *from, size_t length)
{
    uint64_t start = offset - in_cluster(q, offset), have = MIN(q->cluster_size, q->b.size - start);
    memset(q->bounce + have, 0, q->cluster_size - have);
    int error = qcow2_read(&q->b, start, q->bounce, have);
    memcpy(q->bounce + in_cluster(q, offset), from, length);
    return error;
}

/* Writes inside one cluster: in place when it is ours alone, else to a new one. */
static int cluster_write(struct qcow2 *q, uint64_t offset, const uint8_t *from, size_t length)
{
    struct table *t;
    uint64_t at = (offset >> q->cluster_bits) % l2_entries(q) * 8, fresh;
    int error = l2_for_write(q, offset, &t);
    if (error)
        return error;
    uint64_t entry = be64_get(t->bytes + at);
    if (kind_of(q, entry) == CLUSTER_DATA && entry & ENTRY_COPIED) {
        uint64_t to = entry & ENTRY_OFFSET;
        if (to % q->cluster_size || qcow2_is_metadata(q, to))
            return q->failed = -EIO;
        return qcow2_file_write(q, to + in_cluster(q, offset), from, length);
    }
    if (length < q->cluster_size) {
        error = merge(q, offset, from, length);
        from = q->bounce;
    }
    if (!error)
        error = cluster_alloc(q, &fresh);
    if (error)
        return error;
    error = qcow2_file_write(q, fresh, from, q->cluster_size);
    if (error) {
        cluster_unalloc(q, fresh);
        return error;
    }
    be64_put(t->bytes + at, fresh | ENTRY_COPIED);
    t->dirty = true;
    return release(q, entry);
}

static int writable(struct qcow2 *q)
{
    if (!q->failed && q->freed_count > FREED_MOST)
        return qcow2_flush(&q->b);
    return q->failed;
}

int qcow2_write(struct block *b, uint64_t offset, const void *from, size_t length)
{
    struct qcow2 *q = qcow2_of(b);
    int error = writable(q);
    for (const uint8_t *p = from; length && !error;) {
        size_t n = (size_t)MIN(length, q->cluster_size - in_cluster(q, offset));
        error = cluster_write(q, offset, p, n);
        p += n, offset += n, length -= n;
    }
    return error;
}

/* A whole cluster becomes one that needs no space: an entry that says zero, or none when nothing is below. */
static int cluster_clear(struct qcow2 *q, uint64_t offset)
{
    struct table *t;
    uint64_t entry, at = (offset >> q->cluster_bits) % l2_entries(q) * 8, empty = q->b.below ? ENTRY_ZERO : 0;
    int error = entry_get(q, offset, &entry);
    if (error || entry == empty || (!entry && !q->b.below))
        return error;
    error = l2_for_write(q, offset, &t);
    if (error)
        return error;
    be64_put(t->bytes + at, empty);
    t->dirty = true;
    return release(q, entry);
}

static int clear_range(struct qcow2 *q, uint64_t offset, uint64_t length, bool must)
{
    static const uint8_t zeros[4096];
    int error = writable(q);
    while (length && !error) {
        uint64_t n = MIN(length, q->cluster_size - in_cluster(q, offset));
        bool whole = n == q->cluster_size || (!in_cluster(q, offset) && offset + n == q->b.size);
        if (whole && (q->version >= 3 || !q->b.below)) {
            error = cluster_clear(q, offset);
        } else if (must) {
            n = MIN(n, sizeof(zeros));
            error = cluster_write(q, offset, zeros, n);
        }
        offset += n, length -= n;
    }
    return error;
}

int qcow2_zero(struct block *b, uint64_t offset, uint64_t length)
{
    return clear_range(qcow2_of(b), offset, length, true);
}

int qcow2_discard(struct block *b, uint64_t offset, uint64_t length)
{
    return clear_range(qcow2_of(b), offset, length, false);
}

int qcow2_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    enum cluster_kind found;
    uint64_t entry;
    int error = map(qcow2_of(b), offset, length, &found, &entry);
    *kind = found == CLUSTER_ABSENT ? BLOCK_ABSENT : found == CLUSTER_ZERO ? BLOCK_ZEROS : BLOCK_DATA;
    return error;
}
