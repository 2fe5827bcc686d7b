/* The simple layers, the bounds of the chain's calls, and the pool. */
#include "block/block.h"
#include "base/bits.h"
#include "tests/support/block_fault.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(chain, bounds)
{
    struct error err;
    struct block *b = block_open_memory(1000, &err);
    uint8_t bytes[16] = { 0 };
    cr_assert_eq(block_read(b, 984, bytes, 16), 0);
    cr_assert_eq(block_read(b, 985, bytes, 16), -EINVAL);
    cr_assert_eq(block_read(b, UINT64_MAX, bytes, 16), -EINVAL);
    cr_assert_eq(block_write(b, 1000, bytes, 1), -EINVAL);
    cr_assert_eq(block_write(b, 1000, bytes, 0), 0);
    cr_assert_eq(block_zero(b, 1, UINT64_MAX), -EINVAL);
    b->read_only = true;
    cr_assert_eq(block_write(b, 0, bytes, 1), -EROFS);
    cr_assert_eq(block_zero(b, 0, 1), -EROFS);
    block_close(b);
    block_close(NULL);
}

Test(chain, padded)
{
    struct error err;
    struct block *below = block_open_memory(1000, &err), *b = block_open_padded(below, 1024, &err);
    uint8_t bytes[512];
    memset(bytes, 7, sizeof(bytes));
    cr_assert_eq(block_write(b, 512, bytes, 512), -ENOSPC);
    memset(bytes + 488, 0, 24);
    cr_assert_eq(block_write(b, 512, bytes, 512), 0);
    memset(bytes, 1, sizeof(bytes));
    cr_assert_eq(block_read(b, 512, bytes, 512), 0);
    cr_assert(bytes[487] == 7 && bytes[488] == 0 && bytes[511] == 0);
    cr_assert_eq(block_zero(b, 0, 1024), 0);
    cr_assert(!block_open_padded(b, 1000, &err) && err.text[0]);
    block_close(b);
}

Test(chain, overlay_against_a_model)
{
    enum { SIZE = 300001 };
    struct error err;
    uint64_t seed = 5;
    struct block *below = block_open_memory(SIZE, &err);
    uint8_t *model = malloc(SIZE), *base = malloc(SIZE), *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        base[i] = model[i] = (uint8_t)(i >> 7);
    cr_assert_eq(block_write(below, 0, base, SIZE), 0);
    below->read_only = true;
    struct block *b = block_open_overlay(below, &err);
    for (unsigned step = 0; step < 800; step++) {
        uint64_t offset = test_random(&seed) % SIZE, length = test_random(&seed) % 20000;
        length = MIN(length, SIZE - offset);
        memset(bytes, (int)step, length);
        switch (test_random(&seed) % 4) {
        case 0: cr_assert_eq(block_write(b, offset, bytes, length), 0); memcpy(model + offset, bytes, length); break;
        case 1: cr_assert_eq(block_zero(b, offset, length), 0); memset(model + offset, 0, length); break;
        default:
            cr_assert_eq(block_read(b, offset, bytes, length), 0);
            cr_assert(!memcmp(bytes, model + offset, length), "step %u", step);
        }
    }
    for (uint64_t at = 0, n; at < SIZE; at += n) {
        unsigned kind;
        n = SIZE - at;
        cr_assert_eq(block_extents(b, at, &n, &kind), 0);
        cr_assert(kind == BLOCK_DATA || !any_nonzero(model + at, n));
    }
    cr_assert_eq(block_read(below, 0, bytes, SIZE), 0);
    cr_assert(!memcmp(bytes, base, SIZE), "the layer below changed");
    block_close(b);
    free(model), free(base), free(bytes);
}

Test(chain, raw_files)
{
    struct error err;
    char *folder = test_folder(), *path = test_path(folder, "r.raw");
    uint8_t bytes[1000], got[1000];
    memset(bytes, 3, sizeof(bytes));
    test_write(path, bytes, sizeof(bytes));
    struct block *b = block_open_auto(path, 0, &err);
    cr_assert(b && b->size == 1000, "%s", err.text);
    cr_assert(!block_open_raw(path, 0, &err) && strstr(err.text, "another"));
    cr_assert_eq(block_zero(b, 100, 800), 0);
    cr_assert_eq(block_flush(b), 0);
    memset(bytes + 100, 0, 800);
    cr_assert_eq(block_read(b, 0, got, 1000), 0);
    cr_assert(!memcmp(got, bytes, 1000));
    block_close(b);
    cr_assert(!block_open_auto(test_path(folder, "none"), 0, &err) && strstr(err.text, "none"));
    cr_assert(!block_open_raw(folder, BLOCK_RDONLY, &err) && strstr(err.text, "folder"));
}

struct posted { pthread_mutex_t lock; unsigned count, order[400]; struct block_request *requests; };
static struct posted posted;

static void post(void *owner, void (*fn)(void *), void *arg)
{
    (void)owner;
    pthread_mutex_lock(&posted.lock);
    fn(arg);
    pthread_mutex_unlock(&posted.lock);
}

static void done(void *owner, int error)
{
    struct block_request *r = owner;
    cr_assert_eq(error, 0);
    posted.order[posted.count++] = (unsigned)(r - posted.requests);
}

/* Requests of a chain are done in order; a list of small pieces arrives whole. */
static void pool_run(unsigned threads)
{
    enum { CHAINS = 3, EACH = 100 };
    struct error err;
    struct block_pool *pool = block_pool_create(threads, post, NULL, &err);
    struct block *chains[CHAINS];
    struct block_request requests[CHAINS * EACH] = { 0 };
    static uint8_t values[CHAINS * EACH][8];
    struct iovec vecs[CHAINS * EACH][3];
    posted = (struct posted){ .lock = PTHREAD_MUTEX_INITIALIZER, .requests = requests };
    for (unsigned c = 0; c < CHAINS; c++) {
        chains[c] = block_open_memory(4096, &err);
        block_attach(chains[c], pool);
    }
    for (unsigned i = 0; i < CHAINS * EACH; i++) {
        memset(values[i], (int)(i / CHAINS), 8);
        vecs[i][0] = (struct iovec){ values[i], 3 };
        vecs[i][1] = (struct iovec){ values[i] + 3, 0 };
        vecs[i][2] = (struct iovec){ values[i] + 3, 5 };
        requests[i] = (struct block_request){ .op = BLOCK_WRITE, .offset = 40, .vec = vecs[i], .count = 3, .done = done,
                                              .owner = &requests[i] };
        block_submit(chains[i % CHAINS], &requests[i]);
    }
    for (unsigned c = 0; c < CHAINS; c++) {
        uint8_t got[8];
        block_attach(chains[c], NULL);          /* waits for its requests */
        cr_assert_eq(block_read(chains[c], 40, got, 8), 0);
        cr_assert(got[0] == EACH - 1 && got[7] == EACH - 1);
    }
    cr_assert_eq(posted.count, CHAINS * EACH);
    unsigned next[CHAINS] = { 0 };
    for (unsigned i = 0; i < posted.count; i++)
        cr_assert_eq(posted.order[i] / CHAINS, next[posted.order[i] % CHAINS]++, "out of order");
    for (unsigned c = 0; c < CHAINS; c++) {
        block_attach(chains[c], pool);
        block_close(chains[c]);
    }
    block_pool_free(pool);
}

Test(chain, pool_inline) { pool_run(0); }
Test(chain, pool_of_one) { pool_run(1); }
Test(chain, pool_of_four) { pool_run(4); }

static void note(void *owner, int error) { *(int *)owner = error; }

Test(chain, request_errors)
{
    struct error err;
    struct block *b = block_open_memory(512, &err);
    uint8_t bytes[600];
    struct iovec vec[2] = { { bytes, 300 }, { bytes + 300, 300 } };
    int got = 1;
    struct block_request r = { .op = BLOCK_READ, .vec = vec, .count = 2, .owner = &got, .done = note };
    block_submit(b, &r);
    cr_assert_eq(got, -EINVAL);
    r.op = BLOCK_ZERO;
    r.length = 512;
    block_submit(b, &r);
    cr_assert_eq(got, 0);
    r.op = BLOCK_FLUSH;
    got = 1;
    block_submit(b, &r);
    cr_assert_eq(got, 0);
    block_close(b);
}
