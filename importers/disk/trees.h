/* Files inside a foreign disk: one interface over our own readers of file systems and over libguestfs. All bounded: nothing
 * loops, nothing reads outside the volume, nothing is written. */
#ifndef IMPORTERS_TREES_H
#define IMPORTERS_TREES_H
#include "block/block.h"
#include "importers/disk/partitions.h"

enum { TREE_FILE_MOST = 65536, TREE_PATH_MOST = 512 };
struct tree_entry { const char *name; bool folder; uint64_t size; unsigned day; };     /* day: 19981224; 0: not known */
typedef void tree_each(void *arg, const struct tree_entry *);
struct tree {
    void *at;
    char *(*read)(void *at, const char *path);                  /* at most TREE_FILE_MOST bytes and a NUL; NULL: not there */
    bool (*list)(void *at, const char *path, tree_each *, void *arg);   /* false: not there */
    /* Bytes of a file from an offset on; *length: wanted, then what there was (0: its end); false: no such file. */
    bool (*read_part)(void *at, const char *path, uint64_t offset, void *to, size_t *length);
};

/* An open file system. FAT, NTFS and HPFS ignore the case of names and know long and short ones; Unix ones follow links. */
struct volume {
    struct block *disk; uint64_t start, length;                 /* bytes */
    char fs[16], label[36], oem[9];             /* oem: bytes 3 to 10 of a boot sector; text without control characters */
    uint32_t written;                           /* seconds since 1970, the last write; 0: not known */
    const struct volume_class *class; void *own; struct volume_cache *cache; uint64_t budget;    /* the readers' own */
    void (*touch)(void *arg, uint64_t at, size_t length); void *touch_arg;
};
/* Opens the file system at a byte offset of the disk. False: none that we read; then there is nothing to close. */
bool volume_tree(struct block *disk, uint64_t start, uint64_t length, struct volume *, struct tree *);
void volume_close(struct volume *);             /* a second time does nothing */

/* Which files, folders and structures lie on bytes that could not be read, a line each: "partition 1: /WINDOWS/WIN.COM". */
void damage_files(struct block *disk, const struct partition_table *, const struct byte_range *bad, size_t count,
                  void (*each)(void *arg, const char *path), void *arg);

#endif
