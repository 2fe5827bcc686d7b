/* libFuzzer: the input is a qcow2 image; it is opened, read, written, checked. Nothing may crash, hang or grow without end. */
#include "block/qcow2.h"
#include "base/bits.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 1 << 20 };
struct fuzz_file { struct block b; uint8_t *bytes; };

static int file_get(struct block *b, uint64_t offset, void *to, size_t length)
{
    if (offset > b->size || length > b->size - offset)
        abort();                                /* qcow2 asks only for what is there */
    memcpy(to, ((struct fuzz_file *)b)->bytes + offset, length);
    return 0;
}

static int file_put(struct block *b, uint64_t offset, const void *from, size_t length)
{
    if (offset > FILE_MOST || length > FILE_MOST - offset)
        return -ENOSPC;
    memcpy(((struct fuzz_file *)b)->bytes + offset, from, length);
    b->size = MAX(b->size, offset + length);
    return 0;
}

static int file_flush(struct block *b)
{
    (void)b;
    return 0;
}

static const struct block_class fuzz_class = {
    .name = "fuzz", .size = sizeof(struct fuzz_file), .read = file_get, .write = file_put, .flush = file_flush,
};

static void use(const uint8_t *data, size_t size, bool write, uint8_t *store)
{
    struct error err;
    char *backing, *format;
    uint8_t bytes[3000] = { 1 };
    struct qcow2_report report;
    struct block *file = block_new(&fuzz_class, &err);
    memset(store, 0, FILE_MOST);
    memcpy(store, data, size);
    ((struct fuzz_file *)file)->bytes = store;
    file->size = size;
    struct qcow2 *q = qcow2_open_on(file, "fuzz", write, &backing, &format, &err);
    if (!q)
        return;
    struct block *b = &q->b;
    for (uint64_t i = 0; i < 12; i++) {
        uint64_t at = b->size > sizeof(bytes) ? (size * 2654435761u + i * i * 77777777) % (b->size - sizeof(bytes)) : 0;
        uint64_t n = MIN(b->size - at, sizeof(bytes)), length = n * 50;
        unsigned kind;
        if (i < 4)
            at = MIN(at, i * q->cluster_size), n = MIN(b->size - at, sizeof(bytes));
        block_read(b, at, bytes, n);
        block_extents(b, at, &length, &kind);
        if (!write)
            continue;
        block_write(b, at, bytes, n);
        if (i % 3 == 1)
            block_zero(b, at, MIN(b->size - at, 4 * q->cluster_size));
        if (i % 4 == 3)
            block_flush(b);
    }
    if (write || qcow2_refcounts_load(q, &err))
        qcow2_check_on(q, &report);
    free(backing);
    free(format);
    block_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *store;
    if (!store)
        store = malloc(FILE_MOST);
    log_to(NULL);
    if (size > FILE_MOST / 2)
        return 0;
    use(data, size, false, store);
    use(data, size, true, store);
    return 0;
}
