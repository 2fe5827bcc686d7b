/* What layers share among themselves: not for users of a chain. */
#ifndef BLOCK_LAYER_H
#define BLOCK_LAYER_H
#include "block/block.h"

/* A zeroed object of the class's size with its class set; NULL and a sentence when there is no memory. */
struct block *block_new(const struct block_class *, struct error *);

/* Zeros past the end of b, which may be NULL. */
int block_read_short(struct block *b, uint64_t offset, void *to, size_t length);

/* A raw layer, writable and growing, on an open file, which it closes (not when it fails). No lock is taken. */
struct block *raw_on(int fd, struct error *);

/* Reads or writes all of it or gives -errno; a read past the end of the file is -EIO. */
int file_read(int fd, uint64_t offset, void *to, size_t length);
int file_write(int fd, uint64_t offset, const void *from, size_t length);
/* Makes a range of a file read as zeros, freeing its space where the file system can. */
int file_zero(int fd, uint64_t offset, uint64_t length);

/* Keeps two programs from writing one image, QEMU's included: open-file-description locks on the bytes that QEMU uses. A
 * writer excludes writers and readers; readers share. */
bool image_lock(int fd, const char *path, bool write, struct error *);

#endif
