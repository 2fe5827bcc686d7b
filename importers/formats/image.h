/* Images whose disk lies in pieces in a file: what the formats share. A format gives `find`, which says where the bytes at an offset
 * of the disk are; reading, holes, compressed grains, parents and the check against the file's length are here. */
#ifndef IMPORTERS_IMAGE_H
#define IMPORTERS_IMAGE_H
#include "block/layer.h"
#include "importers/formats/formats.h"

#define DISK_MOST (2ull << 40)                  /* larger is a damaged header: no old PC had 2 TiB */
enum { PAGES = 16, PAGE = 4096, PART_MOST = 256 };
enum piece { PIECE_ABSENT, PIECE_ZEROS, PIECE_DATA, PIECE_PACKED };
struct image;
struct place {
    enum piece piece; uint64_t at; struct image *in;    /* at: in in->file */
    uint32_t packed; bool zlib, marked;         /* a deflate stream of at most so many bytes; with zlib's frame; behind a VMDK marker */
};
typedef int find_fn(struct image *, uint64_t offset, uint64_t *length, struct place *);     /* shortens length to the stretch that is so */
struct image {
    struct block b; struct block *file;         /* b.below: the parent */
    find_fn *find; const char *path;            /* path: for sentences */
    uint64_t unit, table, data, second, gap; unsigned flags;    /* unit: bytes of a block; the others as the format needs them */
    struct image **parts; uint64_t start; unsigned part_count, last;    /* several files one after another; each knows its start */
    uint64_t cached; uint8_t *packed, *grain; struct libdeflate_decompressor *codec;    /* the last grain unpacked: its place, 0: none */
    uint64_t page_at[PAGES]; uint8_t *pages;    /* of the file, for table entries; place + 1 */
};
/* Takes file, also on failure; reads the first bytes of the file. */
struct image *image_new(struct block *file, const struct format_names *, void *header, size_t length, struct error *);
int image_bytes(struct image *, uint64_t at, void *to, size_t length);  /* small reads of tables, cached; past the file's end: -EIO */
/* Bits [first, end) of a bitmap: the first one and how many are like it. mirror 7: the highest bit of a byte is its first. */
int image_bits(struct image *, uint64_t bitmap, uint64_t first, uint64_t end, unsigned mirror, bool *set, uint64_t *same);
/* The last step of an opener: looks at every entry of the tables. NULL, a sentence and the image closed when a piece is not in the file
 * or two are the same. size: the disk's; unit must be set. */
struct block *image_ready(struct image *, uint64_t size, struct error *);
struct block *image_bad(struct image *, const char *what, struct error *);      /* closes; "%s is damaged: %s"; NULL */
find_fn flat_find, zeros_find;                  /* the disk in one piece from `data` on; an extent of zeros */

/* Text of a file, up to a NUL: UTF-8 without control characters. As a detail; a sentence for the user. */
void format_text(char *to, size_t size, const void *text, size_t length);
void detail_text(json_t *details, const char *key, const void *text, size_t length);
void detail_note(json_t *details, json_t *sentence);

typedef struct block *open_fn(struct block *, const struct format_names *, struct format_info *, struct error *);
open_fn vhd_open, vdi_open, vmdk_open, qcow1_open, vhdx_open, parallels_open, ewf_open;
bool vhd_is(struct block *), vmdk_is(struct block *);
/* A sparse extent, its grains not yet looked at. text: where its own descriptor is; length 0: it has none. */
struct image *vmdk_extent(struct block *, const struct format_names *, uint64_t *text, size_t *length, struct error *);
#endif
