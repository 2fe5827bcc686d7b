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
    enum piece piece; uint64_t at;              /* at: in in->file */
    uint32_t packed; struct image *in;          /* packed: the longest that the compressed bytes, a deflate stream, can be */
};
typedef int find_fn(struct image *, uint64_t offset, uint64_t *length, struct place *);     /* shortens length to the stretch that is so */
struct image {
    struct block b;                             /* below: the parent */
    struct block *file; find_fn *find; const char *path;        /* path: for sentences */
    int (*unpack)(struct image *, struct place *);      /* optional: looks again, closer, at a packed piece */
    uint64_t unit, table, data, entries, second, gap;   /* bytes of a block; places and counts of tables, as the format has them */
    unsigned flags;
    struct image **parts; uint64_t start; unsigned part_count, last;    /* several files one after another; each knows its start */
    uint64_t cached; uint8_t *packed, *grain; void *codec;      /* the last grain that was unpacked: its place, 0: none */
    uint64_t page_at[PAGES]; uint8_t *pages;    /* of the file, for table entries; place + 1 */
};
struct image *image_new(struct block *file, const struct format_names *, struct error *);     /* takes file, also on failure */
/* Small reads of tables, cached. Past the file's end: -EIO. */
int image_bytes(struct image *, uint64_t at, void *to, size_t length);
/* The last step of an opener: looks at every entry of the tables. NULL, a sentence and the image closed when a piece is not in the file
 * or two are the same. size: the disk's; unit must be set. */
struct block *image_ready(struct image *, uint64_t size, const char *what, struct error *);
struct block *image_bad(struct image *, const char *what, struct error *);      /* closes; "%s is a damaged %s"; NULL */
find_fn flat_find, zeros_find;                  /* the disk in one piece from `data` on; an extent of zeros */

/* Text of a file as a detail: no control characters, at most `length` bytes or up to a NUL. */
void detail_text(json_t *details, const char *key, const void *text, size_t length);
void detail_uuid(json_t *details, const char *key, const uint8_t *uuid, bool big_endian);
void detail_note(json_t *details, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void format_text(char *to, size_t size, const void *text, size_t length);
void format_utf16(char *to, size_t size, const uint8_t *text, size_t length, bool big_endian);

typedef struct block *open_fn(struct block *, const struct format_names *, struct format_info *, struct error *);
open_fn vhd_open, vdi_open, vmdk_open, qcow1_open, vhdx_open, parallels_open, ewf_open;
bool vhd_is(struct block *), vmdk_is(struct block *);
#endif
