/* VMDK: what the descriptor and the extents share. */
#ifndef IMPORTERS_VMDK_H
#define IMPORTERS_VMDK_H
#include "importers/formats/image.h"

enum { VMDK_TEXT = 64 << 10 };                  /* the longest descriptor */
/* A sparse extent, its size and tables checked but not its grains. text: where its own descriptor is; length 0: it has none. */
struct image *vmdk_extent(struct block *file, const struct format_names *, uint64_t *text, size_t *text_length, struct error *);
#endif
