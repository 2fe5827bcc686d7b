/* Compressed clusters: one raw deflate stream each. libdeflate where the build has it, about twice as fast as zlib's inflate.
 * Not modelled: zstd clusters. */
#include "block/qcow2.h"
#include <stdlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>

void *codec_new(void)
{
    return libdeflate_alloc_decompressor();
}

void codec_free(void *codec)
{
    libdeflate_free_decompressor(codec);
}

bool codec_inflate(void *codec, const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
    size_t used;                                /* what follows the stream's end is the next cluster's */
    return libdeflate_deflate_decompress_ex(codec, in, in_length, out, out_length, &used, NULL) == LIBDEFLATE_SUCCESS;
}
#else
#include <zlib.h>

void *codec_new(void)
{
    z_stream *z = calloc(1, sizeof(*z));
    if (z && inflateInit2(z, -MAX_WBITS) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

void codec_free(void *codec)
{
    if (codec)
        inflateEnd(codec);
    free(codec);
}

bool codec_inflate(void *codec, const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
    z_stream *z = codec;
    inflateReset(z);
    z->next_in = (uint8_t *)in;
    z->avail_in = (unsigned)in_length;
    z->next_out = out;
    z->avail_out = (unsigned)out_length;
    int got = inflate(z, Z_FINISH);
    return !z->avail_out && (got == Z_STREAM_END || got == Z_BUF_ERROR);
}
#endif
