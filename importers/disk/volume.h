/* What a reader of a file system gives: how to open, its root, the names in a folder, and where a file's bytes lie. Paths, links,
 * reading, listing and the search for damaged files are volume.c's, the same for all. */
#ifndef IMPORTERS_VOLUME_H
#define IMPORTERS_VOLUME_H
#include "importers/disk/trees.h"

enum node_kind { NODE_OTHER, NODE_FILE, NODE_FOLDER, NODE_LINK };
struct node {                                   /* a file or folder */
    enum node_kind kind; bool alias;            /* alias: a second, short name */
    unsigned day; uint64_t number, size;       /* number: inode, record, sector or first cluster */
    uint64_t step, here;                        /* where map() was in a chain */
    uint32_t flags; uint8_t map[120];           /* pointers to blocks, or a short link's text */
};
struct run { uint64_t at, length; bool hole; }; /* bytes of the volume; hole: zeros */
typedef bool node_each(void *arg, const char *name, const struct node *);       /* false: enough */
struct volume_class {
    bool ignore_case; size_t size;              /* of `own`, which open() finds allocated and zero */
    bool (*open)(struct volume *);
    bool (*root)(struct volume *, struct node *);
    bool (*fill)(struct volume *, struct node *);               /* completes a node of folder(); NULL: they are complete */
    void (*folder)(struct volume *, struct node *, node_each *, void *arg);
    bool (*map)(struct volume *, struct node *, uint64_t offset, struct run *); /* the run from an offset of the file on */
    /* NULL: by map(). False for bytes that only map() can give. */
    bool (*read)(struct volume *, struct node *, uint64_t offset, void *to, size_t length);
};
extern const struct volume_class fat_class, unix_class, ntfs_class, hpfs_class;

/* False beyond the volume, on read errors, and when a call has read too often: loops end there. */
bool volume_read(struct volume *, uint64_t at, void *to, size_t length);
const char *volume_magic(struct block *disk, uint64_t offset, uint64_t length, char label[36]);        /* what we only name; or NULL */
bool node_read(struct volume *, struct node *, uint64_t offset, void *to, size_t length);
unsigned day_of_unix(uint32_t seconds);
void text_clean(char *to, size_t size, const void *from, size_t length);        /* printable ASCII; spaces at the end go */
void utf16_copy(char *to, size_t size, const uint8_t *from, size_t count, unsigned step);      /* as UTF-8; step: bytes a unit */

#endif
