/* Writes a qcow2 image from the first cluster to the last, compressed: what an import makes. */
#ifndef BLOCK_QCOW2_WRITER_H
#define BLOCK_QCOW2_WRITER_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum { QCOW2_WRITER_CLUSTER = 65536 };
struct qcow2_writer;
/* Clusters of the disk; those with data; of those deflated; the file's bytes. */
struct qcow2_written { uint64_t clusters, stored, compressed, bytes; };

/* level: the compressor's 1..9; 0: a good one. threads: 1..16 compressors beside the caller. The file has no name until it is finished. */
struct qcow2_writer *qcow2_writer_open(const char *path, int level, unsigned threads, struct error *);
/* The next cluster; only the last may be shorter. Zeros take no space; bytes NULL: zeros. */
bool qcow2_writer_put(struct qcow2_writer *, const uint8_t *bytes, size_t length, struct error *);
/* Bytes written to the file so far. */
uint64_t qcow2_writer_stored(const struct qcow2_writer *);
/* Writes the tables, syncs, and gives the file its name. The image's size is rounded up to 512 bytes. More may be put after a
 * whole number of clusters: the file is then an image of what it had, until it is finished again. */
bool qcow2_writer_finish(struct qcow2_writer *, uint64_t size, struct qcow2_written *, struct error *);
void qcow2_writer_free(struct qcow2_writer *);  /* unfinished: nothing stays; NULL is fine */

#endif
