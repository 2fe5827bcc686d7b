/* Compressed clusters: one raw deflate stream each (by libdeflate, about twice as fast as zlib's inflate) or a zstd frame. */
#include "block/qcow2.h"
#include <libdeflate.h>
#include <zstd.h>

void *codec_new(bool zstd)
{
    return zstd ? (void *)ZSTD_createDCtx() : libdeflate_alloc_decompressor();
}

void codec_free(void *codec, bool zstd)
{
    if (zstd)
        ZSTD_freeDCtx(codec);
    else
        libdeflate_free_decompressor(codec);
}

/* What follows the end of a stream is the next cluster's. */
bool codec_inflate(void *codec, bool zstd, const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
    ZSTD_inBuffer from = { in, in_length, 0 };
    ZSTD_outBuffer to = { out, out_length, 0 };
    size_t used, left = 1;
    if (!zstd)
        return libdeflate_deflate_decompress_ex(codec, in, in_length, out, out_length, &used, NULL) == LIBDEFLATE_SUCCESS;
    ZSTD_DCtx_reset(codec, ZSTD_reset_session_only);
    while (to.pos < out_length && from.pos < in_length && left && !ZSTD_isError(left))
        left = ZSTD_decompressStream(codec, &to, &from);
    return to.pos == out_length && !ZSTD_isError(left);
}
