/* Compressed feeds: gzip, xz, zstd, bzip2, told apart by what they hold. Any number of members or frames one after another, zeros
 * between and behind them (a tape's last block). The end is reported only when the last member is whole and its checksum right.
 * References: [GZIP] RFC 1952, [XZ], [ZSTD] RFC 8878. */
#include "importers/sources/feed.h"
#include "base/bits.h"
#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum step { STEP_MORE, STEP_END, STEP_BAD, STEP_BIG };
enum { IN = 256 << 10, XZ_MEMORY_MOST = 192 << 20 };            /* `xz -9` asks for 65 MiB */
struct unpack {
    struct feed f; const struct codec *codec;
    uint8_t *in, *head, own[IN]; size_t at, have;      /* in: the copy of the head at first, then own */
    bool inside, last;                          /* in the middle of a member; nothing follows what `in` holds */
    z_stream z; lzma_stream lzma; bz_stream bz; ZSTD_DStream *zstd;
};
struct codec {
    const char *name, *magic; size_t length;
    bool (*begin)(struct unpack *);
    enum step (*step)(struct unpack *, uint8_t *to, size_t *length);       /* *length: room, then what was made */
    void (*end)(struct unpack *);
};

/* One call of three libraries whose streams have the same members. */
#define RUN(s, call) __extension__ ({                                                                           \
    (s).next_in = (void *)(u->in + u->at), (s).avail_in = (unsigned)(u->have - u->at);                         \
    (s).next_out = (void *)to, (s).avail_out = (unsigned)MIN(*length, 1u << 30);                               \
    size_t room = (s).avail_out;                                                                               \
    int result = call;                                                                                         \
    u->at = u->have - (s).avail_in;                                                                            \
    *length = room - (s).avail_out;                                                                            \
    result; })

static bool gzip_begin(struct unpack *u) { u->z = (z_stream){ 0 }; return inflateInit2(&u->z, 15 + 16) == Z_OK; }
static void gzip_end(struct unpack *u) { inflateEnd(&u->z); }
static enum step gzip_step(struct unpack *u, uint8_t *to, size_t *length)
{
    int r = RUN(u->z, inflate(&u->z, Z_NO_FLUSH));
    return r == Z_STREAM_END ? STEP_END : r == Z_OK || r == Z_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static bool xz_begin(struct unpack *u)
{
    u->lzma = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&u->lzma, XZ_MEMORY_MOST, 0) == LZMA_OK;
}
static void xz_end(struct unpack *u) { lzma_end(&u->lzma); }
static enum step xz_step(struct unpack *u, uint8_t *to, size_t *length)
{
    int r = RUN(u->lzma, (int)lzma_code(&u->lzma, LZMA_RUN));
    return r == LZMA_STREAM_END ? STEP_END : r == LZMA_OK || r == LZMA_BUF_ERROR ? STEP_MORE : r == LZMA_MEMLIMIT_ERROR ? STEP_BIG : STEP_BAD;
}

static bool bzip2_begin(struct unpack *u) { u->bz = (bz_stream){ 0 }; return BZ2_bzDecompressInit(&u->bz, 0, 0) == BZ_OK; }
static void bzip2_end(struct unpack *u) { BZ2_bzDecompressEnd(&u->bz); }
static enum step bzip2_step(struct unpack *u, uint8_t *to, size_t *length)
{
    int r = RUN(u->bz, BZ2_bzDecompress(&u->bz));
    return r == BZ_STREAM_END ? STEP_END : r == BZ_OK ? STEP_MORE : STEP_BAD;
}

static bool zstd_begin(struct unpack *u) { return (u->zstd = ZSTD_createDStream()); }
static void zstd_end(struct unpack *u) { ZSTD_freeDStream(u->zstd); }
static enum step zstd_step(struct unpack *u, uint8_t *to, size_t *length)
{
    ZSTD_inBuffer in = { u->in, u->have, u->at };
    ZSTD_outBuffer out = { to, *length, 0 };
    size_t r = ZSTD_decompressStream(u->zstd, &out, &in);
    u->at = in.pos;
    *length = out.pos;
    return !r ? STEP_END : !ZSTD_isError(r) ? STEP_MORE : strstr(ZSTD_getErrorName(r), "memory") ? STEP_BIG : STEP_BAD;
}

static const struct codec codecs[] = {
    { "gzip", "\x1f\x8b\x08", 3, gzip_begin, gzip_step, gzip_end }, { "xz", "\xfd" "7zXZ\0", 6, xz_begin, xz_step, xz_end },
    { "zstd", "\x28\xb5\x2f\xfd", 4, zstd_begin, zstd_step, zstd_end }, { "bzip2", "BZh", 3, bzip2_begin, bzip2_step, bzip2_end },
};

static const struct codec *codec_find(const uint8_t *head, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(codecs); i++)
        if (length >= 10 && !memcmp(head, codecs[i].magic, codecs[i].length) && (*head != 'B' || (head[3] >= '1' && head[3] <= '9' &&
            (!memcmp(head + 4, "1AY&SY", 6) || !memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6)))))
            return &codecs[i];
    return NULL;
}

const char *unpack_find(const uint8_t *head, size_t length)
{
    const struct codec *c = codec_find(head, length);
    return c ? c->name : NULL;
}

static bool refill(struct unpack *u, struct error *err)
{
    u->at = 0;
    u->in = u->own;
    return feed_read(u->f.below, u->own, IN, &u->have, err) && (u->last = u->have < IN, true);
}

static bool bad(const struct unpack *u, struct error *err, const char *what)
{
    return error_set(err, EBADMSG, "%s: the %s stream is %s after %llu unpacked bytes; nothing was kept", u->f.name, u->codec->name, what,
                     (unsigned long long)u->f.position);
}

static bool unpack_read(struct feed *f, uint8_t *to, size_t length, size_t *got, struct error *err)
{
    struct unpack *u = (struct unpack *)f;
    for (*got = 0; !*got;) {
        while (!u->inside && u->at < u->have && !u->in[u->at])
            u->at++;
        if (feed_cancelled(f, err) || (u->at == u->have && !u->last && !refill(u, err)))
            return false;
        if (!u->inside && u->at == u->have)
            return true;                        /* between members: the end, when nothing more came */
        if (!u->inside && !u->in[u->at])
            continue;
        if (!u->inside && !u->codec->begin(u))
            return error_set(err, ENOMEM, "no memory to unpack %s", f->name);
        u->inside = true;
        size_t before = u->at;
        *got = length;
        enum step step = u->codec->step(u, to, got);
        if (step == STEP_BAD || step == STEP_BIG)
            return bad(u, err, step == STEP_BAD ? "corrupt" : "packed with a window that needs too much memory");
        if (step == STEP_END) {
            u->codec->end(u);
            u->inside = false;
        } else if (!*got && u->at == before && u->last) {
            return bad(u, err, "cut short");
        }
    }
    return true;
}

static void unpack_close(struct feed *f)
{
    struct unpack *u = (struct unpack *)f;
    if (u->inside)
        u->codec->end(u);
    free(u->head);
}

static const struct feed_class unpack_class = { sizeof(struct unpack), unpack_read, unpack_close };

struct feed *feed_unpacked(struct feed *below, const uint8_t *head, size_t length, struct error *err)
{
    struct feed *f = feed_new(&unpack_class, below->name, below->cancel, err);
    struct unpack *u = (struct unpack *)f;
    if (!f) {
        feed_close(below);
        return NULL;
    }
    f->below = below;
    u->codec = codec_find(head, length);
    if ((u->in = u->head = malloc(length))) {
        memcpy(u->head, head, u->have = length);
        return f;
    }
    error_set(err, ENOMEM, "no memory to unpack %s", below->name);
    feed_close(f);
    return NULL;
}
