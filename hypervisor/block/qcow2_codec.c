/* Compressed clusters: one raw deflate stream each. Not modelled: zstd clusters. */
#include "block/qcow2.h"
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
