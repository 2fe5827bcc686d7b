/* A block of a network block device server, nbd://host/export or nbd+unix:///export?socket=PATH, by libnbd. A read goes out as several
 * requests at once; the server tells holes by block status. A wish to stop is seen while it waits. */
#include "importers/sources/transports.h"
#include "base/bits.h"
#include "block/layer.h"
#include <errno.h>
#ifdef HAVE_LIBNBD
#include <libnbd.h>

enum { REQUEST = 256 << 10, FLIGHT = 16, WAIT = 250 };
struct answer { uint64_t length; unsigned kind; };
struct nbd {
    struct block b;
    struct nbd_handle *h; const volatile sig_atomic_t *cancel;
    bool status; uint64_t known; struct answer answer;      /* block status is to be had; the last answer and where it begins */
};

static int wait_step(struct nbd *n)
{
    return n->cancel && *n->cancel ? -EINTR : nbd_poll(n->h, WAIT) < 0 ? -EIO : 0;
}

static int nbd_error(void)
{
    int error = nbd_get_errno();
    return error > 0 ? -error : -EIO;
}

/* Every request that went out is waited for: its answer is written into the caller's bytes. */
static int nbd_block_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct nbd *n = (struct nbd *)b;
    int64_t flight[FLIGHT];
    unsigned first = 0, last = 0;
    int error = n->h ? 0 : -EIO;
    for (size_t at = 0; first != last || (at < length && !error);) {
        while (at < length && !error && last - first < FLIGHT) {
            size_t part = MIN(length - at, (size_t)REQUEST);
            int64_t cookie = nbd_aio_pread(n->h, (char *)to + at, part, offset + at, NBD_NULL_COMPLETION, 0);
            if (cookie < 0) {
                error = nbd_error();
                break;
            }
            flight[last++ % FLIGHT] = cookie;
            at += part;
        }
        if (first == last)
            break;
        int done = nbd_aio_command_completed(n->h, (uint64_t)flight[first % FLIGHT]);
        if (done < 0 && !error)
            error = nbd_error();
        if (done)
            first++;
        else if (wait_step(n)) {                /* stopped, or the server is gone: the connection ends, nothing comes any more */
            error = n->cancel && *n->cancel ? -EINTR : nbd_error();
            nbd_close(n->h);
            n->h = NULL;
            break;
        }
    }
    return error;
}

static int status_got(void *arg, const char *context, uint64_t offset, uint32_t *entries, size_t count, int *error)
{
    struct answer *a = arg;
    (void)context, (void)offset, (void)error;
    if (count >= 2 && entries[0])
        *a = (struct answer){ entries[0], entries[1] & LIBNBD_STATE_ZERO ? BLOCK_ZEROS : BLOCK_DATA };
    return 0;
}

static int nbd_block_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    struct nbd *n = (struct nbd *)b;
    if (offset < n->known || offset - n->known >= n->answer.length) {
        struct answer a = { *length, BLOCK_DATA };
        uint64_t most = MIN(b->size - offset, 1ull << 30);
        if (n->h && n->status && nbd_block_status(n->h, most, offset, (nbd_extent_callback){ status_got, &a, NULL }, 0) < 0)
            n->status = false;
        n->known = offset;
        n->answer = a;
    }
    *length = MIN(*length, n->known + n->answer.length - offset);
    *kind = n->answer.kind;
    return 0;
}

static void nbd_block_close(struct block *b)
{
    nbd_close(((struct nbd *)b)->h);
}

static const struct block_class nbd_class = {
    .name = "nbd", .size = sizeof(struct nbd), .read = nbd_block_read, .extents = nbd_block_extents, .close = nbd_block_close,
};

struct block *nbd_block_open(const char *uri, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct nbd *n = (struct nbd *)block_new(&nbd_class, err);
    if (!n)
        return NULL;
    n->cancel = cancel;
    n->b.read_only = true;
    n->h = nbd_create();
    bool ok = n->h && !nbd_add_meta_context(n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) &&
              !nbd_set_uri_allow_transports(n->h, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) &&
              !nbd_aio_connect_uri(n->h, uri);
    while (ok && nbd_aio_is_connecting(n->h))
        ok = !wait_step(n);
    int64_t size = ok && nbd_aio_is_ready(n->h) ? nbd_get_size(n->h) : -1;
    if (size >= 0) {
        n->b.size = (uint64_t)size;
        n->status = nbd_can_meta_context(n->h, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
        return &n->b;
    }
    if (cancel && *cancel)
        error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", uri);
    else
        error_set(err, EIO, "cannot open %s: %s", uri, nbd_get_error() ? nbd_get_error() : "the server ended the connection");
    block_close(&n->b);
    return NULL;
}
#else
struct block *nbd_block_open(const char *uri, const volatile sig_atomic_t *cancel, struct error *err)
{
    (void)cancel;
    error_set(err, ENOTSUP, "%s: this program was built without libnbd; `nbdcopy %s - | holdover import -` does the same", uri, uri);
    return NULL;
}
#endif
