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
    size_t used = zstd ? ZSTD_findFrameCompressedSize(in, in_length) : 0;
    return !zstd ? libdeflate_deflate_decompress_ex(codec, in, in_length, out, out_length, &used, NULL) == LIBDEFLATE_SUCCESS
                 : !ZSTD_isError(used) && ZSTD_decompressDCtx(codec, out, out_length, in, used) == out_length;
}
