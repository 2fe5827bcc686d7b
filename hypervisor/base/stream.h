/* A growing or bounded byte buffer with little-endian accessors: snapshots and tests. A read past the end sets
 * `bad` and returns zeros, so that a parser may check once at its end. */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct stream { uint8_t *bytes; size_t length, capacity, position; bool bad; };

void stream_free(struct stream *);
void stream_put(struct stream *, const void *bytes, size_t length);      /* appends */
void stream_put8(struct stream *, uint8_t), stream_put16(struct stream *, uint16_t);
void stream_put32(struct stream *, uint32_t), stream_put64(struct stream *, uint64_t);
void stream_put_text(struct stream *, const char *);                     /* u8 length, bytes; at most 255 */
const uint8_t *stream_get(struct stream *, size_t length);               /* NULL and bad when fewer are left */
uint8_t stream_get8(struct stream *);
uint16_t stream_get16(struct stream *);
uint32_t stream_get32(struct stream *);
uint64_t stream_get64(struct stream *);
bool stream_get_text(struct stream *, char *text, size_t size);          /* size includes the NUL */
bool stream_save_file(const struct stream *, const char *path, struct error *);   /* new name, fsync, rename */
bool stream_load_file(struct stream *, const char *path, struct error *);

#endif
