/* Formats of disk images: the guest's disk inside a file. Told apart by what the file holds, never by its name. */
#ifndef IMPORTERS_FORMATS_H
#define IMPORTERS_FORMATS_H
#include "block/block.h"
#include <jansson.h>

struct format_names {
    const char *path; const char *const *parents; size_t parent_count;
    bool alone;                                 /* path is not a file's (a stream, a part of another file): nothing lies beside it */
};
enum format_link { LINK_NONE, LINK_ID, LINK_NAME };     /* the parent is known by its identity; by its name alone */
/* What an opener tells about an image besides its bytes. */
struct format_info {
    const struct disk_format *format;           /* NULL: raw */
    json_t *details;                            /* an object, for the manifest */
    uint8_t id[16], parent_id[16]; char parent[256];    /* zeros: none; the parent's name as the image has it */
    enum format_link link; bool parent_raw;     /* the parent is a raw disk, whatever it looks like */
};
struct disk_format {
    const char *name, *what;
    bool (*is)(struct block *file);
    /* Takes file, also on failure. A parent is not its business: what the image has not reads as BLOCK_ABSENT. */
    struct block *(*open)(struct block *file, const struct format_names *, struct format_info *, struct error *);
};
const struct disk_format *format_find(struct block *file);      /* by content; NULL: a raw disk */
/* The disk inside, or `file` itself when it is raw; takes file, also on failure. name: the format's ("raw"). A format that is known
 * but not read is refused with a sentence. Parents are opened only when they are among those that the user named. */
struct block *format_open(struct block *file, const struct format_names *, const char **name, json_t **details, struct error *);
#endif
