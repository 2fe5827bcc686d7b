/* Requests and the workers that do them. A pool has one list of requests; a worker takes the first whose chain no other
 * worker is busy with, so the requests of a chain are done in order and never two at once. Completions go through `post`
 * before the chain is free again, so they arrive in order as well.
 * A guest of the DOS age never asks for a flush: a chain that has been written is flushed FLUSH_AFTER later by the worker,
 * so that a killed process loses seconds, not hours. */
#include "block/block.h"
#include "base/bits.h"
#include "base/log.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_CHAINS = 32, MOST_THREADS = 8, PIECE = 1 << 20, FLUSH_AFTER = 2 };

struct chain { struct block *block; bool busy; time_t dirty; };     /* dirty: when to flush; 0: clean */
struct block_pool {
    void (*post)(void *owner, void (*fn)(void *), void *arg); void *owner;
    pthread_t threads[MOST_THREADS]; unsigned thread_count;
    pthread_mutex_t lock; pthread_cond_t work, idle;
    struct block_request *first, **last;
    struct chain chains[MOST_CHAINS];
    bool ending;
};

static int move(struct block *b, enum block_op op, uint64_t offset, void *bytes, size_t length)
{
    return op == BLOCK_READ ? block_read(b, offset, bytes, length) : block_write(b, offset, bytes, length);
}

static void vec_copy(const struct iovec *vec, size_t skip, uint8_t *bytes, size_t length, bool gather)
{
    while (length) {
        if (skip >= vec->iov_len) {
            skip -= vec->iov_len;
            vec++;
            continue;
        }
        size_t n = MIN(length, vec->iov_len - skip);
        uint8_t *piece = (uint8_t *)vec->iov_base + skip;
        memcpy(gather ? bytes : piece, gather ? piece : bytes, n);
        bytes += n, length -= n, skip += n;
    }
}

/* A list of small pieces becomes few large accesses: a cluster is then allocated, or decompressed, once. */
static int move_vec(struct block_request *r)
{
    size_t total = 0, done = 0;
    for (unsigned i = 0; i < r->count; i++)
        total += r->vec[i].iov_len;
    if (r->count == 1)
        return move(r->block, r->op, r->offset, r->vec[0].iov_base, total);
    if (r->offset > r->block->size || total > r->block->size - r->offset)
        return -EINVAL;
    uint8_t *bytes = malloc(MIN(total, (size_t)PIECE) + 1);
    int error = bytes ? 0 : -ENOMEM;
    while (!error && done < total) {
        size_t n = MIN(total - done, (size_t)PIECE);
        if (r->op == BLOCK_WRITE)
            vec_copy(r->vec, done, bytes, n, true);
        error = move(r->block, r->op, r->offset + done, bytes, n);
        if (!error && r->op == BLOCK_READ)
            vec_copy(r->vec, done, bytes, n, false);
        done += n;
    }
    free(bytes);
    return error;
}

static void request_do(struct block_request *r)
{
    switch (r->op) {
    case BLOCK_READ: case BLOCK_WRITE: r->error = move_vec(r); break;
    case BLOCK_ZERO: r->error = block_zero(r->block, r->offset, r->length); break;
    case BLOCK_DISCARD: r->error = block_discard(r->block, r->offset, r->length); break;
    case BLOCK_FLUSH: r->error = block_flush(r->block); break;
    }
}

static void complete(void *arg)
{
    struct block_request *r = arg;
    r->done(r->owner, r->error);
}

static struct chain *chain_of(struct block_pool *p, const struct block *b)
{
    for (unsigned i = 0; i < MOST_CHAINS; i++)
        if (p->chains[i].block == b)
            return &p->chains[i];
    return NULL;
}

static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* The first request whose chain is free, taken off the list. */
static struct block_request *take(struct block_pool *p)
{
    for (struct block_request **at = &p->first; *at; at = &(*at)->next) {
        struct block_request *r = *at;
        if (chain_of(p, r->block)->busy)
            continue;
        *at = r->next;
        if (!r->next)
            p->last = at;
        return r;
    }
    return NULL;
}

static void note_dirty(struct chain *c, const struct block_request *r)
{
    if (r->op == BLOCK_FLUSH)
        c->dirty = r->error ? c->dirty : 0;
    else if (r->op != BLOCK_READ && !c->dirty)
        c->dirty = seconds_now() + FLUSH_AFTER;
}

static void work_request(struct block_pool *p, struct block_request *r)
{
    struct chain *c = chain_of(p, r->block);
    c->busy = true;
    pthread_mutex_unlock(&p->lock);
    request_do(r);
    pthread_mutex_lock(&p->lock);
    note_dirty(c, r);
    pthread_mutex_unlock(&p->lock);
    p->post(p->owner, complete, r);             /* from here on the request is the caller's again */
    pthread_mutex_lock(&p->lock);
    c->busy = false;
    pthread_cond_broadcast(&p->idle);
    pthread_cond_broadcast(&p->work);
}

/* Flushes a chain whose time has come; tells when the next one's comes (0: none is dirty). */
static bool work_flush(struct block_pool *p, time_t *next)
{
    *next = 0;
    for (unsigned i = 0; i < MOST_CHAINS; i++) {
        struct chain *c = &p->chains[i];
        if (!c->block || c->busy || !c->dirty)
            continue;
        if (c->dirty > seconds_now()) {
            *next = *next ? MIN(*next, c->dirty) : c->dirty;
            continue;
        }
        c->busy = true;
        c->dirty = 0;
        pthread_mutex_unlock(&p->lock);
        int error = block_flush(c->block);
        if (error)
            log_line(LOG_ERROR, "block", "writing a disk image's tables failed: %s", strerror(-error));
        pthread_mutex_lock(&p->lock);
        c->busy = false;
        pthread_cond_broadcast(&p->idle);
        pthread_cond_broadcast(&p->work);
        return true;
    }
    return false;
}

static void *worker(void *arg)
{
    struct block_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct block_request *r = take(p);
        struct timespec until = { 0 };
        if (r)
            work_request(p, r);
        else if (work_flush(p, &until.tv_sec))
            continue;
        else if (p->ending && !p->first)
            break;
        else if (until.tv_sec)
            pthread_cond_timedwait(&p->work, &p->lock, &until);
        else
            pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void block_submit(struct block *b, struct block_request *r)
{
    struct block_pool *p = b->pool;
    r->block = b;
    r->next = NULL;
    r->error = 0;
    if (!p) {
        request_do(r);
        r->done(r->owner, r->error);
    } else if (!p->thread_count) {
        request_do(r);
        p->post(p->owner, complete, r);
    } else {
        pthread_mutex_lock(&p->lock);
        *p->last = r;
        p->last = &r->next;
        pthread_cond_signal(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
}

static bool has_requests(const struct block_pool *p, const struct block *b)
{
    for (const struct block_request *r = p->first; r; r = r->next)
        if (r->block == b)
            return true;
    return false;
}

void block_attach(struct block *b, struct block_pool *pool)
{
    struct block_pool *p = b->pool;
    if (p == pool)
        return;
    if (p) {
        pthread_mutex_lock(&p->lock);
        struct chain *c = chain_of(p, b);
        while (c->busy || has_requests(p, b))
            pthread_cond_wait(&p->idle, &p->lock);
        memset(c, 0, sizeof(*c));
        pthread_mutex_unlock(&p->lock);
    }
    b->pool = pool;
    if (pool) {
        pthread_mutex_lock(&pool->lock);
        struct chain *c = chain_of(pool, NULL);
        assert(c);                              /* more than MOST_CHAINS drives in one machine */
        c->block = b;
        pthread_mutex_unlock(&pool->lock);
    }
}

struct block_pool *block_pool_create(unsigned threads, void (*post)(void *owner, void (*fn)(void *), void *arg), void *owner,
                                     struct error *err)
{
    struct block_pool *p = calloc(1, sizeof(*p));
    if (!p) {
        error_set(err, ENOMEM, "no memory for the disk workers");
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, &monotonic);
    pthread_cond_init(&p->idle, NULL);
    pthread_condattr_destroy(&monotonic);
    p->post = post;
    p->owner = owner;
    p->last = &p->first;
    for (unsigned i = 0; i < MIN(threads, (unsigned)MOST_THREADS); i++) {
        int error = pthread_create(&p->threads[i], NULL, worker, p);
        if (error) {
            error_set(err, error, "cannot start a disk worker: %s", strerror(error));
            block_pool_free(p);
            return NULL;
        }
        p->thread_count++;
    }
    return p;
}

void block_pool_free(struct block_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    for (unsigned i = 0; i < MOST_CHAINS; i++)
        if (p->chains[i].block)
            p->chains[i].block->pool = NULL;
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->idle);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
