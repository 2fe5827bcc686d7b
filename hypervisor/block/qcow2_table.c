/* qcow2: cached tables, refcounts, and the order in which they reach the disk (qcow2.h tells why). References: [QCOW2]. */
#include "block/qcow2.h"
#include "base/bits.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SEARCH_MOST = 1 << 26 };                 /* a hostile image may count clusters that would fill any disk */

bool table_cache_init(struct table_cache *c, unsigned count)
{
    c->tables = calloc(count, sizeof(*c->tables));
    c->count = c->tables ? count : 0;
    return c->tables;
}

void table_cache_free(struct table_cache *c)
{
    for (unsigned i = 0; i < c->count; i++)
        free(c->tables[i].bytes);
    free(c->tables);
    c->tables = NULL;
    c->count = 0;
}

static int table_write(struct qcow2 *q, struct table *t)
{
    int error = qcow2_file_write(q, t->offset, t->bytes, q->cluster_size);
    if (!error)
        t->dirty = false;
    return error;
}

/* A place for one more table: the one that was used longest ago, written first if it must be. */
static int table_room(struct qcow2 *q, struct table_cache *c, struct table **found)
{
    struct table *oldest = &c->tables[0];
    for (unsigned i = 1; i < c->count; i++)
        if (c->tables[i].used < oldest->used)
            oldest = &c->tables[i];
    int error = 0;
    if (oldest->dirty)
        error = c == &q->l2 ? qcow2_write_tables(q) : table_write(q, oldest);
    if (error)
        return error;
    if (!oldest->bytes && !(oldest->bytes = malloc(q->cluster_size)))
        return -ENOMEM;
    oldest->offset = 0;
    *found = oldest;
    return 0;
}

int table_get(struct qcow2 *q, struct table_cache *c, uint64_t offset, struct table **found)
{
    if (!offset || offset % q->cluster_size)
        return -EIO;
    for (unsigned i = 0; i < c->count; i++)
        if (c->tables[i].offset == offset) {
            *found = &c->tables[i];
            (*found)->used = ++c->tick;
            return 0;
        }
    int error = table_room(q, c, found);
    if (!error)
        error = qcow2_file_read(q, offset, (*found)->bytes, q->cluster_size);
    if (error)
        return error;
    (*found)->offset = offset;
    (*found)->used = ++c->tick;
    return 0;
}

int table_new(struct qcow2 *q, struct table_cache *c, uint64_t offset, struct table **found)
{
    for (unsigned i = 0; i < c->count; i++)     /* the cluster held a table once */
        if (c->tables[i].offset == offset)
            c->tables[i].offset = c->tables[i].used = c->tables[i].dirty = 0;
    int error = table_room(q, c, found);
    if (error)
        return error;
    memset((*found)->bytes, 0, q->cluster_size);
    (*found)->offset = offset;
    (*found)->dirty = true;
    (*found)->used = ++c->tick;
    return 0;
}

uint64_t refcount_read(const struct qcow2 *q, const uint8_t *block, uint64_t index)
{
    unsigned bits = 1u << q->refcount_order;
    switch (bits) {
    case 16: return be16_get(block + index * 2);
    case 8: return block[index];
    case 32: return be32_get(block + index * 4);
    case 64: return be64_get(block + index * 8);
    default: return block[index * bits / 8] >> index * bits % 8 & ((1u << bits) - 1);
    }
}

void refcount_write(const struct qcow2 *q, uint8_t *block, uint64_t index, uint64_t count)
{
    unsigned bits = 1u << q->refcount_order, shift = (unsigned)(index * bits % 8);
    switch (bits) {
    case 16: be16_put(block + index * 2, (uint16_t)count); break;
    case 8: block[index] = (uint8_t)count; break;
    case 32: be32_put(block + index * 4, (uint32_t)count); break;
    case 64: be64_put(block + index * 8, count); break;
    default:
        block[index * bits / 8] &= (uint8_t)~(((1u << bits) - 1) << shift);
        block[index * bits / 8] |= (uint8_t)(count << shift);
    }
}

/* The block that counts a cluster; NULL when there is none yet. */
static int refblock_get(struct qcow2 *q, uint64_t cluster, struct table **t)
{
    uint64_t at = cluster / q->blocks_per_table;
    *t = NULL;
    if (at >= q->reftable_entries || !q->reftable[at])
        return 0;
    return table_get(q, &q->refblocks, q->reftable[at] & ENTRY_OFFSET, t);
}

int refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
    struct table *t;
    int error = refblock_get(q, cluster, &t);
    *count = t && !error ? refcount_read(q, t->bytes, cluster % q->blocks_per_table) : 0;
    return error;
}

int refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
    struct table *t;
    int error = refblock_get(q, cluster, &t);
    if (error || !t)
        return error ? error : -EIO;
    refcount_write(q, t->bytes, cluster % q->blocks_per_table, count);
    t->dirty = true;
    return 0;
}

/* The image is not what its tables say: no write may make it worse. */
static int corrupt(struct qcow2 *q, const char *what, uint64_t offset)
{
    log_line(LOG_ERROR, "qcow2", "%s: %s at %#llx; the image is corrupt and is not written any more", q->path, what,
             (unsigned long long)offset);
    q->failed = -EIO;
    return -EIO;
}

/* Data never goes where a table is; only a corrupt or hostile image asks for that. */
bool qcow2_is_metadata(const struct qcow2 *q, uint64_t offset)
{
    uint64_t end = offset + q->cluster_size;
    if (offset < q->cluster_size || (offset < q->l1_offset + q->l1_size * 8ull && end > q->l1_offset) ||
        (offset < q->reftable_offset + q->reftable_clusters * q->cluster_size && end > q->reftable_offset))
        return true;
    for (uint32_t i = 0; i < q->reftable_used; i++)
        if ((q->reftable[i] & ENTRY_OFFSET) == offset)
            return true;
    for (uint32_t i = 0; i < q->l1_size; i++)
        if ((q->l1[i] & ENTRY_OFFSET) == offset)
            return true;
    return false;
}

static void mark(uint32_t *first, uint32_t *end, uint32_t at)
{
    *first = *end ? MIN(*first, at) : at;
    *end = MAX(*end, at + 1);
}

/* A larger refcount table behind everything there is, with the blocks that count it and themselves; then the header turns
 * to it in one write of twelve bytes inside a sector. */
static int reftable_grow(struct qcow2 *q)
{
    uint64_t per = q->blocks_per_table;
    uint64_t start = MAX((uint64_t)q->reftable_entries * per, (q->file->size + q->cluster_size - 1) / q->cluster_size);
    uint64_t clusters = q->reftable_clusters * 2ull, blocks, first = start / per, entries;
    do {
        clusters++;
        for (blocks = 1; (start + clusters + blocks - 1) / per >= first + blocks; blocks++)
            ;
        entries = clusters * q->cluster_size / 8;
    } while (entries < first + blocks + 1);
    if (clusters * q->cluster_size > MAX_REFTABLE_BYTES)
        return -EFBIG;
    uint64_t *table = calloc(entries, 8);
    uint8_t *bytes = calloc(clusters, q->cluster_size);
    int error = table && bytes ? 0 : -ENOMEM;
    if (!error)
        memcpy(table, q->reftable, q->reftable_entries * 8ull);
    for (uint64_t n = 0; !error && n < blocks; n++) {
        table[first + n] = (start + clusters + n) * q->cluster_size;
        for (uint64_t c = MAX(start, (first + n) * per); c < MIN(start + clusters + blocks, (first + n + 1) * per); c++)
            refcount_write(q, bytes, c % per, 1);
        error = qcow2_file_write(q, table[first + n], bytes, q->cluster_size);
        memset(bytes, 0, q->cluster_size);
    }
    for (uint64_t i = 0; !error && i < entries; i++)
        be64_put(bytes + i * 8, table[i]);
    if (!error)
        error = qcow2_file_write(q, start * q->cluster_size, bytes, clusters * q->cluster_size);
    for (unsigned i = 0; !error && i < q->refblocks.count; i++)
        if (q->refblocks.tables[i].dirty)
            error = table_write(q, &q->refblocks.tables[i]);
    uint8_t place[12];
    be64_put(place, start * q->cluster_size);
    be32_put(place + 8, (uint32_t)clusters);
    if (!error && !(error = qcow2_barrier(q)) && !(error = qcow2_file_write(q, H_REFTABLE_OFFSET, place, sizeof(place))))
        error = qcow2_barrier(q);
    free(bytes);
    if (error) {
        free(table);
        return error;
    }
    uint64_t old = q->reftable_offset;
    uint32_t old_clusters = q->reftable_clusters;
    free(q->reftable);
    q->reftable = table;
    q->reftable_offset = start * q->cluster_size;
    q->reftable_clusters = (uint32_t)clusters;
    q->reftable_entries = (uint32_t)entries;
    q->reftable_used = (uint32_t)(first + blocks);
    q->reftable_dirty_first = q->reftable_dirty_end = 0;
    for (uint32_t i = 0; i < old_clusters && !error; i++)
        error = cluster_free(q, old + i * q->cluster_size);
    return error;
}

/* A new refcount block lies in the first cluster that it counts, and counts itself. */
static int refblock_new(struct qcow2 *q, uint64_t cluster)
{
    struct table *t;
    if (qcow2_is_metadata(q, cluster * q->cluster_size))
        return corrupt(q, "a table is counted as free", cluster * q->cluster_size);
    int error = table_new(q, &q->refblocks, cluster * q->cluster_size, &t);
    if (error)
        return error;
    refcount_write(q, t->bytes, cluster % q->blocks_per_table, 1);
    uint32_t at = (uint32_t)(cluster / q->blocks_per_table);
    q->reftable[at] = cluster * q->cluster_size;
    q->reftable_used = MAX(q->reftable_used, at + 1);
    mark(&q->reftable_dirty_first, &q->reftable_dirty_end, at);
    return 0;
}

int cluster_alloc(struct qcow2 *q, uint64_t *offset)
{
    for (uint64_t c = q->free_hint;; c++) {
        struct table *t;
        if (c >= ENTRY_OFFSET / q->cluster_size || c - q->free_hint > SEARCH_MOST)
            return -EFBIG;
        int error = c / q->blocks_per_table >= q->reftable_entries ? reftable_grow(q) : 0;
        if (!error)
            error = refblock_get(q, c, &t);
        if (!error && !t) {
            error = refblock_new(q, c);
            q->free_hint = c + 1;
            if (!error)
                continue;
        }
        if (error)
            return error;
        if (refcount_read(q, t->bytes, c % q->blocks_per_table))
            continue;
        if (qcow2_is_metadata(q, c * q->cluster_size))
            return corrupt(q, "a table is counted as free", c * q->cluster_size);
        refcount_write(q, t->bytes, c % q->blocks_per_table, 1);
        t->dirty = true;
        q->free_hint = c + 1;
        *offset = c * q->cluster_size;
        return 0;
    }
}

static int count_down(struct qcow2 *q, uint64_t cluster)
{
    uint64_t count;
    int error = refcount_get(q, cluster, &count);
    if (error)
        return error;
    if (!count)
        return corrupt(q, "a cluster in use is counted as free", cluster * q->cluster_size);
    if (count == 1)
        q->free_hint = MIN(q->free_hint, cluster);
    return refcount_set(q, cluster, count - 1);
}

int cluster_unalloc(struct qcow2 *q, uint64_t offset)
{
    return count_down(q, offset / q->cluster_size);
}

int cluster_free(struct qcow2 *q, uint64_t offset)
{
    if (q->freed_count == q->freed_room) {
        size_t room = q->freed_room ? q->freed_room * 2 : 64;
        uint64_t *more = realloc(q->freed, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        q->freed = more;
        q->freed_room = room;
    }
    q->freed[q->freed_count++] = offset / q->cluster_size;
    return 0;
}

static int entries_write(struct qcow2 *q, const uint64_t *table, uint64_t at, uint32_t *first, uint32_t *end)
{
    uint8_t bytes[4096];
    for (uint32_t i = *first; i < *end;) {
        uint32_t n = MIN(*end - i, (uint32_t)sizeof(bytes) / 8);
        for (uint32_t j = 0; j < n; j++)
            be64_put(bytes + j * 8, table[i + j]);
        int error = qcow2_file_write(q, at + i * 8ull, bytes, n * 8ull);
        if (error)
            return error;
        i += n;
    }
    *first = *end = 0;
    return 0;
}

static int cache_write(struct qcow2 *q, struct table_cache *c, bool *any)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->tables[i].dirty) {
            int error = table_write(q, &c->tables[i]);
            if (error)
                return error;
            *any = true;
        }
    return 0;
}

int qcow2_write_tables(struct qcow2 *q)
{
    bool any = false;
    if (q->failed)
        return q->failed;
    int error = cache_write(q, &q->refblocks, &any);
    if (!error)
        error = qcow2_barrier(q);
    if (!error && q->reftable_dirty_end) {
        error = entries_write(q, q->reftable, q->reftable_offset, &q->reftable_dirty_first, &q->reftable_dirty_end);
        if (!error)
            error = qcow2_barrier(q);
    }
    any = false;
    if (!error)
        error = cache_write(q, &q->l2, &any);
    if (!error && any)
        error = qcow2_barrier(q);
    if (!error && q->l1_dirty_end) {
        error = entries_write(q, q->l1, q->l1_offset, &q->l1_dirty_first, &q->l1_dirty_end);
        if (!error)
            error = qcow2_barrier(q);
    }
    return error;
}

int qcow2_flush(struct block *b)
{
    struct qcow2 *q = qcow2_of(b);
    int error = qcow2_write_tables(q);
    size_t count = q->freed_count;
    q->freed_count = 0;
    for (size_t i = 0; i < count && !error; i++)
        error = count_down(q, q->freed[i]);
    return error;
}
