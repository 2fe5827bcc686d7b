/* Disk images as a chain of layers. Layers are synchronous and called by one worker at a time (per chain); chips submit
 * requests, and `done` comes back on the machine's loop. Model: one small file a layer that asks the one below. */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H
#include "base/error.h"
#include "base/property.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum block_extent { BLOCK_DATA, BLOCK_ZEROS, BLOCK_ABSENT };    /* absent: this layer says nothing, the one below does */
struct block_pool;
/* The tracks of a CD image whose layer knows them. Its bytes are then raw sectors, 2352 each, from logical block 0 to the lead-out. */
enum disc_kind { DISC_AUDIO, DISC_MODE1, DISC_MODE2 };
struct disc_track { uint32_t start; uint8_t session, kind; };  /* first sector */
struct block_disc { unsigned tracks; struct disc_track track[99]; };
struct block {
    const struct block_class *class; struct block *below; uint64_t size; bool read_only;    /* size: bytes */
    const struct block_disc *disc;                              /* NULL: not such an image */
    struct block_pool *pool;                                    /* who does its requests; NULL: done at once, inline */
};
enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_ZERO, BLOCK_DISCARD, BLOCK_FLUSH };
struct block_request {
    enum block_op op; uint64_t offset; struct iovec *vec; unsigned count; uint64_t length;  /* length: ZERO and DISCARD */
    void (*done)(void *owner, int error); void *owner;          /* error: 0 or -errno */
    struct block *block; int error; struct block_request *next; /* the pool's */
};
/* Requests of one block are done in order, one after another; done() runs on the machine's loop. The request and its vec stay
 * the caller's until then. */
void block_submit(struct block *, struct block_request *);

struct block_class {                            /* NULL means: ask the layer below (read_only and absent at the bottom) */
    const char *name; size_t size;
    int (*read)(struct block *, uint64_t offset, void *to, size_t length);          /* 0 or -errno */
    int (*write)(struct block *, uint64_t offset, const void *from, size_t length);
    int (*zero)(struct block *, uint64_t offset, uint64_t length), (*discard)(struct block *, uint64_t offset, uint64_t length);
    int (*extents)(struct block *, uint64_t offset, uint64_t *length, unsigned *kind);  /* enum block_extent */
    int (*flush)(struct block *);
    void (*close)(struct block *);              /* frees what is its own; block_close frees the struct and the layer below */
};
/* The chain's own calls: bounds-checked, synchronous. Reads past the end give -EINVAL. */
int block_read(struct block *, uint64_t offset, void *to, size_t length);
int block_write(struct block *, uint64_t offset, const void *from, size_t length);     /* -EROFS when read_only */
int block_zero(struct block *, uint64_t offset, uint64_t length);
int block_discard(struct block *, uint64_t offset, uint64_t length);
int block_extents(struct block *, uint64_t offset, uint64_t *length, unsigned *kind);
int block_flush(struct block *);
void block_close(struct block *);               /* the whole chain; NULL is fine */

/* Openers. Each reports a sentence and returns NULL on failure. */
enum { BLOCK_RDONLY = 1 };
struct block *block_open_raw(const char *path, unsigned flags, struct error *);        /* also block devices; locks the file */
struct block *block_open_qcow2(const char *path, unsigned flags, struct error *);      /* with its backing chain */
struct block *block_open_auto(const char *path, unsigned flags, struct error *);       /* by magic: qcow2 or raw; never by name */
struct block *block_open_memory(uint64_t size, struct error *);                        /* zeros, for tests and floppies */
/* A CD image: a cue sheet with its BIN files, or an ISO image. By content, never by name. */
struct block *block_open_cd(const char *path, struct error *);
/* Completes a raw mode 1 sector of 2352 bytes around its 2048 bytes of user data: sync, header, EDC. */
void disc_sector_make(uint8_t *raw, uint32_t lba);
/* Changes go to anonymous memory (or an unlinked temporary file) and are gone at close. */
struct block *block_open_overlay(struct block *below, struct error *);
/* Reads as if padded with zeros to `size` bytes; writes beyond the layer below fail with -ENOSPC unless they are zeros. */
struct block *block_open_padded(struct block *below, uint64_t size, struct error *);
/* Makes an image; fails if the file exists; a crash leaves nothing. backing (may be NULL) is stored as given, with its format
 * extension ("raw", "qcow2"); a relative name counts from the image's folder. size 0: as large as the backing image. */
bool qcow2_create(const char *path, uint64_t size, const char *backing, const char *backing_format, struct error *);

/* Counts what the tables name. errors: the image is corrupt; leaks: clusters of the file that nothing names. */
struct qcow2_report { uint64_t clusters, compressed, leaks, errors; };
bool qcow2_check(const char *path, struct qcow2_report *, struct error *);

/* A pool of workers whose completions go through `post` (the machine's loop). threads 0: requests are done inline and only
 * the completion is posted (deterministic). */
struct block_pool *block_pool_create(unsigned threads, void (*post)(void *owner, void (*fn)(void *), void *arg), void *owner,
                                     struct error *);
void block_pool_free(struct block_pool *);      /* waits for what is under way */
void block_attach(struct block *, struct block_pool *);
#endif
