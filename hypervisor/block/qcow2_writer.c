/* qcow2: the sequential writer. The caller fills a ring of slots; workers deflate them; whoever needs a slot again writes it
 * out first, so that clusters reach the file in order. Compressed clusters lie end to end; one that does not shrink is stored
 * as it is, on a cluster boundary. A table follows the clusters that it names and the header comes last, so that an unfinished
 * file is not an image. libdeflate looks back over 32 KiB, as a raw deflate stream may [QCOW2] (docs/decisions/0006). */
#include "block/qcow2_writer.h"
#include "block/qcow2.h"
#include "base/bits.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libdeflate.h>

enum { BITS = 16, CLUSTER = QCOW2_WRITER_CLUSTER, PER_TABLE = CLUSTER / 8, MOST_THREADS = 16, SLOTS_A_THREAD = 4,
       LEVEL = 1 };                             /* smaller than zlib's 4 makes it, in a quarter of the time */

enum slot_state { SLOT_FREE, SLOT_FILLED, SLOT_DONE };
struct slot {                                   /* length: of what is in out; 0: in is stored as it is */
    enum slot_state state; uint64_t cluster; size_t length; uint8_t in[CLUSTER], out[CLUSTER];
};
struct qcow2_writer {
    int fd; char *path; int level;
    uint64_t at;                                /* where the next bytes of the file go */
    uint64_t clusters;                          /* of the disk, so far */
    uint8_t table[CLUSTER]; uint64_t table_number; bool table_used;    /* the L2 table that is being filled */
    uint64_t *l1; size_t l1_room;
    uint16_t *counts; size_t counts_room;       /* refcounts of the file's clusters */
    uint64_t stored, compressed;
    struct slot *slots; unsigned slot_count;
    uint64_t filled, taken, written;            /* slots ever filled, taken by a worker, written; modulo slot_count: which */
    pthread_t threads[MOST_THREADS]; unsigned thread_count;
    pthread_mutex_t lock; pthread_cond_t work, done; bool ending;
    bool published;
};

static void *compressor(void *arg)
{
    struct qcow2_writer *w = arg;
    struct libdeflate_compressor *deflater = libdeflate_alloc_compressor(w->level);
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        if (w->taken == w->filled) {
            pthread_cond_wait(&w->work, &w->lock);
            continue;
        }
        struct slot *s = &w->slots[w->taken++ % w->slot_count];
        pthread_mutex_unlock(&w->lock);
        s->length = deflater ? libdeflate_deflate_compress(deflater, s->in, CLUSTER, s->out, CLUSTER - 1) : 0;
        pthread_mutex_lock(&w->lock);
        s->state = SLOT_DONE;
        pthread_cond_signal(&w->done);
    }
    pthread_mutex_unlock(&w->lock);
    libdeflate_free_compressor(deflater);
    return NULL;
}

static bool count_up(struct qcow2_writer *w, uint64_t from, uint64_t to)
{
    size_t end = (size_t)(to >> BITS) + 1;
    if (end > w->counts_room) {
        size_t room = end + end / 2 + 64;
        uint16_t *more = realloc(w->counts, room * sizeof(*more));
        if (!more)
            return false;
        memset(more + w->counts_room, 0, (room - w->counts_room) * sizeof(*more));
        w->counts = more;
        w->counts_room = room;
    }
    for (size_t c = (size_t)(from >> BITS); c < end; c++)
        w->counts[c]++;
    return true;
}

/* Appends bytes and counts the clusters that they touch. */
static bool append(struct qcow2_writer *w, const void *bytes, size_t length, struct error *err)
{
    int error = count_up(w, w->at, w->at + length - 1) ? file_write(w->fd, w->at, bytes, length) : -ENOMEM;
    if (error)
        return error_set(err, -error, "cannot write %s: %s", w->path, strerror(-error));
    w->at += length;
    return true;
}

/* Writes the L2 table, if it names anything. */
static bool table_write(struct qcow2_writer *w, struct error *err)
{
    if (!w->table_used)
        return true;
    if (w->table_number >= w->l1_room) {
        size_t room = (size_t)w->table_number * 2 + 64;
        uint64_t *more = realloc(w->l1, room * sizeof(*more));
        if (!more)
            return error_set(err, ENOMEM, "no memory for the tables of %s", w->path);
        memset(more + w->l1_room, 0, (room - w->l1_room) * sizeof(*more));
        w->l1 = more;
        w->l1_room = room;
    }
    w->at = align_up(w->at, CLUSTER);
    w->l1[w->table_number] = w->at | ENTRY_COPIED;
    return append(w, w->table, CLUSTER, err);
}

/* Makes the L2 table that a cluster belongs to the current one. */
static bool table_turn(struct qcow2_writer *w, uint64_t cluster, struct error *err)
{
    if (cluster / PER_TABLE != w->table_number) {
        if (!table_write(w, err))
            return false;
        memset(w->table, 0, CLUSTER);
        w->table_number = cluster / PER_TABLE;
    }
    return w->table_used = true;
}

/* Writes the oldest slot that is not written yet, once it is compressed. */
static bool slot_write(struct qcow2_writer *w, struct error *err)
{
    struct slot *s = &w->slots[w->written % w->slot_count];
    pthread_mutex_lock(&w->lock);
    while (s->state != SLOT_DONE)
        pthread_cond_wait(&w->done, &w->lock);
    s->state = SLOT_FREE;
    w->written++;
    pthread_mutex_unlock(&w->lock);
    if (!table_turn(w, s->cluster, err))
        return false;
    uint8_t *entry = w->table + s->cluster % PER_TABLE * 8;
    if (!s->length) {
        w->at = align_up(w->at, CLUSTER);
        be64_put(entry, w->at | ENTRY_COPIED);
        return append(w, s->in, CLUSTER, err);
    }
    uint64_t further = (w->at % 512 + s->length - 1) / 512;
    be64_put(entry, w->at | further << (62 - (BITS - 8)) | ENTRY_COMPRESSED);
    w->compressed++;
    return append(w, s->out, s->length, err);
}

bool qcow2_writer_put(struct qcow2_writer *w, const uint8_t *bytes, size_t length, struct error *err)
{
    w->clusters++;
    if (!bytes || !any_nonzero(bytes, length))
        return true;
    if (w->filled - w->written == w->slot_count && !slot_write(w, err))
        return false;
    struct slot *s = &w->slots[w->filled % w->slot_count];
    memcpy(s->in, bytes, length);
    memset(s->in + length, 0, CLUSTER - length);
    s->cluster = w->clusters - 1;
    w->stored++;
    pthread_mutex_lock(&w->lock);
    s->state = SLOT_FILLED;
    w->filled++;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    return true;
}

uint64_t qcow2_writer_stored(const struct qcow2_writer *w)
{
    return w->at;
}

/* The last L2 table, then the L1 table that names them all. */
static bool tables_write(struct qcow2_writer *w, uint64_t *l1_offset, uint32_t l1_size, struct error *err)
{
    size_t l1_bytes = align_up(MAX(l1_size, 1u) * 8ull, CLUSTER);
    uint8_t *l1 = calloc(1, l1_bytes);
    bool ok = l1 ? table_write(w, err) : error_set(err, ENOMEM, "no memory for the tables of %s", w->path);
    for (uint32_t i = 0; ok && i < MIN(l1_size, w->l1_room); i++)
        be64_put(l1 + i * 8ull, w->l1[i]);
    *l1_offset = w->at = align_up(w->at, CLUSTER);
    ok = ok && append(w, l1, l1_bytes, err);
    free(l1);
    return ok;
}

/* The refcount blocks count all clusters of the file, themselves and the table that names them, which is the last. */
static bool refcounts_write(struct qcow2_writer *w, uint64_t *offset, uint32_t *clusters, struct error *err)
{
    enum { PER_BLOCK = CLUSTER / 2 };
    uint64_t used = w->at / CLUSTER, blocks = 1, table = 1;
    do {
        table = (blocks + PER_TABLE - 1) / PER_TABLE;
    } while ((used + blocks + table + PER_BLOCK - 1) / PER_BLOCK > blocks && ++blocks);
    uint64_t end = used + blocks + table, start = w->at;
    uint8_t *bytes = calloc(table, CLUSTER);
    if (!bytes || !count_up(w, w->at, end * CLUSTER - 1)) {
        free(bytes);
        return error_set(err, ENOMEM, "no memory for the tables of %s", w->path);
    }
    int error = 0;
    for (uint64_t n = 0; n < blocks && !error; n++, w->at += CLUSTER) {
        for (uint64_t c = 0; c < PER_BLOCK; c++)
            be16_put(bytes + c * 2, n * PER_BLOCK + c < end ? w->counts[n * PER_BLOCK + c] : 0);
        error = file_write(w->fd, w->at, bytes, CLUSTER);
    }
    memset(bytes, 0, table * CLUSTER);
    for (uint64_t n = 0; n < blocks; n++)
        be64_put(bytes + n * 8, start + n * CLUSTER);
    *offset = w->at;
    *clusters = (uint32_t)table;
    if (!error)
        error = file_write(w->fd, w->at, bytes, table * CLUSTER);
    w->at += table * CLUSTER;
    free(bytes);
    return error ? error_set(err, -error, "cannot write %s: %s", w->path, strerror(-error)) : true;
}

static bool header_write(struct qcow2_writer *w, const struct qcow2_layout *l, uint32_t l1_size, uint64_t l1_offset,
                         uint64_t reftable, uint32_t reftable_clusters, struct error *err)
{
    uint8_t *header = calloc(1, CLUSTER);
    if (!header)
        return error_set(err, ENOMEM, "no memory");
    qcow2_header(header, l);
    be32_put(header + H_L1_SIZE, l1_size);
    be64_put(header + H_L1_OFFSET, l1_offset);
    be64_put(header + H_REFTABLE_OFFSET, reftable);
    be32_put(header + H_REFTABLE_CLUSTERS, reftable_clusters);
    int error = fdatasync(w->fd) ? -errno : file_write(w->fd, 0, header, CLUSTER);
    free(header);
    return error ? error_set(err, -error, "cannot write %s: %s", w->path, strerror(-error)) : true;
}

bool qcow2_writer_finish(struct qcow2_writer *w, uint64_t size, struct qcow2_written *written, struct error *err)
{
    struct qcow2_layout layout = { .version = 3, .cluster_bits = BITS, .refcount_order = 4, .size = align_up(size, 512) };
    uint64_t clusters = (layout.size + CLUSTER - 1) / CLUSTER, l1_offset = 0, reftable = 0;
    uint32_t l1_size = (uint32_t)((clusters + PER_TABLE - 1) / PER_TABLE), reftable_clusters = 0;
    while (w->written < w->filled)
        if (!slot_write(w, err))
            return false;
    if (l1_size * 8ull > MAX_L1_BYTES)
        return error_set(err, EFBIG, "the disk is too large for a qcow2 image: %llu bytes", (unsigned long long)size);
    size_t first = (size_t)(align_up(w->at, CLUSTER) / CLUSTER);
    if (!tables_write(w, &l1_offset, l1_size, err) || !refcounts_write(w, &reftable, &reftable_clusters, err) ||
        !header_write(w, &layout, l1_size, l1_offset, reftable, reftable_clusters, err) || !file_publish(w->fd, w->path, err))
        return false;
    w->published = true;
    *written = (struct qcow2_written){ clusters, w->stored, w->compressed, w->at };
    memset(w->counts + first, 0, (w->at / CLUSTER - first) * sizeof(*w->counts));       /* more may follow: new tables then */
    return true;
}

struct qcow2_writer *qcow2_writer_open(const char *path, int level, unsigned threads, struct error *err)
{
    int fd = file_nameless(path, err);
    if (fd < 0)
        return NULL;
    struct qcow2_writer *w = calloc(1, sizeof(*w));
    unsigned count = MAX(1u, MIN(threads, (unsigned)MOST_THREADS));
    if (!w) {
        close(fd);
        error_set(err, ENOMEM, "no memory for writing %s", path);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->done, NULL);
    w->fd = fd;
    w->level = level ? level : LEVEL;
    w->path = strdup(path);
    w->slot_count = count * SLOTS_A_THREAD;
    w->slots = calloc(w->slot_count, sizeof(*w->slots));
    bool ok = w->path && w->slots && count_up(w, 0, 0);     /* the header's cluster */
    w->at = CLUSTER;
    while (ok && w->thread_count < count && !pthread_create(&w->threads[w->thread_count], NULL, compressor, w))
        w->thread_count++;
    if (ok && w->thread_count)
        return w;
    error_set(err, ENOMEM, "no memory or no threads for writing %s", path);
    qcow2_writer_free(w);
    return NULL;
}

void qcow2_writer_free(struct qcow2_writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    if (!w->published)
        file_forget(w->fd, w->path);
    close(w->fd);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    free(w->slots);
    free(w->l1);
    free(w->counts);
    free(w->path);
    free(w);
}
