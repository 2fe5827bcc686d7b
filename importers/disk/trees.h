/* Files inside a foreign disk, as far as recognising its system needs: one interface over our FAT and ext2 readers and over
 * libguestfs. All bounded: nothing loops, nothing reads outside the volume. */
#ifndef IMPORTERS_TREES_H
#define IMPORTERS_TREES_H
#include "block/block.h"
#include "importers/systems/facts.h"

enum { TREE_FILE_MOST = 65536, TREE_PATH_MOST = 512 };
struct tree_entry { const char *name; bool folder; uint64_t size; unsigned year; };    /* year 0: not known */
typedef void tree_each(void *arg, const struct tree_entry *);
struct tree {
    void *at;
    char *(*read)(void *at, const char *path);                  /* at most TREE_FILE_MOST bytes and a NUL; NULL: not there */
    bool (*list)(void *at, const char *path, tree_each *, void *arg);   /* false: not there */
};
bool tree_has(const struct tree *, const char *path);           /* case does not matter */

struct fat_volume {
    struct block *disk; uint64_t start, length;                 /* bytes */
    unsigned bits, cluster_sectors, sector_size;
    uint64_t fat_at, root_at, data_at; uint32_t root_entries, root_cluster, clusters;
    char label[12], oem[9];
};
bool fat_open(struct block *disk, uint64_t start, uint64_t length, struct fat_volume *);
struct tree fat_tree(struct fat_volume *);

struct ext_volume {
    struct block *disk; uint64_t start, length;
    uint32_t block_size, inode_size, inodes, inodes_per_group, first_block, group_size; bool extents;
    uint32_t written; char kind[8], label[17], mounted[65];     /* written: seconds since 1970, the last write */
};
bool ext_open(struct block *disk, uint64_t start, uint64_t length, struct ext_volume *);
struct tree ext_tree(struct ext_volume *);

/* Adds what the files say. */
void detect_dos(const struct tree *, struct facts *);
void detect_linux(const struct tree *, struct facts *);

#endif
