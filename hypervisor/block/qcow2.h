/* qcow2 images, versions 2 and 3: what the files qcow2*.c share. References: [QCOW2].
 *
 * header -> L1 table -> L2 tables -> clusters of the guest's disk      (each entry 8 bytes, big-endian)
 *        -> refcount table -> refcount blocks: how often each cluster of the file is in use
 *
 * What may be on disk when, so that a crash at any instant leaves at most clusters that nobody uses (leaks):
 *   1. data, refcount blocks that count up          barrier
 *   2. refcount table entries that point to them    barrier (only when a new block was made)
 *   3. L2 tables that point to the data             barrier
 *   4. L1 entries that point to new L2 tables       barrier (only when there are any)
 *   5. clusters that 3 and 4 no longer name are counted down in memory and may be used again from now on
 * Tables are cached and written back by qcow2_flush() alone, which goes through these steps; refcount blocks may be written
 * earlier, since counting up early only leaks. */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H
#include "block/layer.h"

enum { H_MAGIC = 0, H_VERSION = 4, H_BACKING_OFFSET = 8, H_BACKING_LENGTH = 16, H_CLUSTER_BITS = 20, H_SIZE = 24, H_CRYPT = 32,
       H_L1_SIZE = 36, H_L1_OFFSET = 40, H_REFTABLE_OFFSET = 48, H_REFTABLE_CLUSTERS = 56, H_SNAPSHOTS = 60,
       H_SNAPSHOTS_OFFSET = 64, H_INCOMPATIBLE = 72, H_COMPATIBLE = 80, H_AUTOCLEAR = 88, H_REFCOUNT_ORDER = 96,
       H_HEADER_LENGTH = 100, H_COMPRESSION = 104, H_V2_LENGTH = 72, H_V3_LENGTH = 104, H_KNOWN = 112 };
enum { EXT_END = 0, INCOMPATIBLE_DIRTY = 1, INCOMPATIBLE_CORRUPT = 2, INCOMPATIBLE_DATA_FILE = 4, INCOMPATIBLE_COMPRESSION = 8,
       INCOMPATIBLE_EXTENDED_L2 = 16 };
#define QCOW2_MAGIC 0x514649fbu
#define EXT_BACKING_FORMAT 0xe2792acau
#define ENTRY_COPIED (1ull << 63)               /* the refcount is exactly 1: may be written in place */
#define ENTRY_COMPRESSED (1ull << 62)
#define ENTRY_ZERO 1ull
#define ENTRY_OFFSET 0x00fffffffffffe00ull
enum { MIN_CLUSTER_BITS = 9, MAX_CLUSTER_BITS = 21, MAX_L1_BYTES = 32 << 20, MAX_REFTABLE_BYTES = 8 << 20, MAX_DEPTH = 64,
       MAX_BACKING_NAME = 1023 };

struct table { uint64_t offset, used; uint8_t *bytes; bool dirty; };    /* a cached L2 table or refcount block; offset 0: free */
struct table_cache { struct table *tables; unsigned count; uint64_t tick; };
struct inflated { uint64_t entry, used; uint8_t *bytes; };              /* a decompressed cluster by its L2 entry; 0: free */

struct qcow2 {
    struct block b;
    struct block *file; char *path;             /* file: the protocol layer, which grows */
    unsigned version, cluster_bits, refcount_order; uint64_t cluster_size;
    uint64_t *l1, l1_offset; uint32_t l1_size, l1_dirty_first, l1_dirty_end;
    uint64_t *reftable, reftable_offset;
    uint32_t reftable_clusters, reftable_entries, reftable_used, reftable_dirty_first, reftable_dirty_end;
    uint64_t blocks_per_table, free_hint;       /* refcounts a block holds; no cluster below the hint is free */
    struct table_cache l2, refblocks;
    uint64_t *freed; size_t freed_count, freed_room;    /* cluster numbers that step 5 counts down */
    struct inflated *inflated; unsigned inflated_count; uint64_t inflated_tick;
    uint8_t *packed, *bounce; void *codec; bool zstd;
    int failed;                                 /* a barrier or a check failed: no more writes */
};

/* qcow2.c */
/* Takes over file, also on failure. The backing name and format (allocated, or NULL) are for the caller to open. path: for
 * sentences. */
struct qcow2 *qcow2_open_on(struct block *file, const char *path, bool write, char **backing, char **format, struct error *);
static inline struct qcow2 *qcow2_of(struct block *b) { return (struct qcow2 *)b; }
int qcow2_file_read(struct qcow2 *, uint64_t offset, void *to, size_t length);      /* zeros past the file's end */
int qcow2_file_write(struct qcow2 *, uint64_t offset, const void *from, size_t length);
int qcow2_barrier(struct qcow2 *);
bool qcow2_refcounts_load(struct qcow2 *, struct error *);                  /* a read-only image has none in memory */
char *qcow2_backing_path(const char *image, const char *backing);        /* allocated */

/* qcow2_table.c: the caches, the refcounts, the order of writing */
bool table_cache_init(struct table_cache *, unsigned count);
void table_cache_free(struct table_cache *);
int table_get(struct qcow2 *, struct table_cache *, uint64_t offset, struct table **);  /* valid until the next get */
int table_new(struct qcow2 *, struct table_cache *, uint64_t offset, struct table **);  /* zeros, dirty */
int refcount_get(struct qcow2 *, uint64_t cluster, uint64_t *count);
int refcount_set(struct qcow2 *, uint64_t cluster, uint64_t count);
uint64_t refcount_read(const struct qcow2 *, const uint8_t *block, uint64_t index);
void refcount_write(const struct qcow2 *, uint8_t *block, uint64_t index, uint64_t count);
int cluster_alloc(struct qcow2 *, uint64_t *offset);
int cluster_unalloc(struct qcow2 *, uint64_t offset);           /* was never named by a table */
int cluster_free(struct qcow2 *, uint64_t offset);              /* at step 5 */
bool qcow2_is_metadata(const struct qcow2 *, uint64_t offset);
int qcow2_write_tables(struct qcow2 *);                         /* steps 1 to 4 */
int qcow2_flush(struct block *);

/* qcow2_data.c */
enum cluster_kind { CLUSTER_ABSENT, CLUSTER_ZERO, CLUSTER_DATA, CLUSTER_COMPRESSED };
int qcow2_read(struct block *, uint64_t offset, void *to, size_t length);
int qcow2_write(struct block *, uint64_t offset, const void *from, size_t length);
int qcow2_zero(struct block *, uint64_t offset, uint64_t length);
int qcow2_discard(struct block *, uint64_t offset, uint64_t length);
int qcow2_extents(struct block *, uint64_t offset, uint64_t *length, unsigned *kind);
/* Where a compressed cluster's bytes are in the file. */
void qcow2_packed(const struct qcow2 *, uint64_t entry, uint64_t *offset, size_t *length);

/* qcow2_codec.c */
void *codec_new(bool zstd);
void codec_free(void *, bool zstd);
bool codec_inflate(void *, bool zstd, const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length);

/* qcow2_create.c */
struct qcow2_layout { unsigned version, cluster_bits, refcount_order; uint64_t size; const char *backing, *format; };
bool qcow2_create_on(struct block *file, const struct qcow2_layout *, struct error *);
size_t qcow2_header(uint8_t *header, const struct qcow2_layout *);     /* without the tables' places; 0: the name is too long */
/* A file that has no name until file_publish gives it one, so that a killed program leaves nothing; where the file system
 * cannot, it is made under its name. */
int file_nameless(const char *path, struct error *);
bool file_publish(int fd, const char *path, struct error *);
void file_forget(int fd, const char *path);                     /* the opposite: nothing stays */
bool folder_sync(const char *path_in_it);

/* qcow2_check.c: q has its refcounts loaded; 0 or -errno */
int qcow2_check_on(struct qcow2 *, struct qcow2_report *);

#endif
