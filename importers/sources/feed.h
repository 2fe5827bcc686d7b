/* Feeds: bytes that come once, from start to end. Layered as blocks are. */
#ifndef IMPORTERS_FEED_H
#define IMPORTERS_FEED_H
#include "block/block.h"
#include <signal.h>

struct feed {
    const struct feed_class *class; struct feed *below;
    const char *name; const volatile sig_atomic_t *cancel;
    uint64_t position;                          /* bytes given */
};
struct feed_class {
    size_t size;
    /* Some bytes, at least one; none: the end, and all of them were good. */
    bool (*read)(struct feed *, uint8_t *to, size_t length, size_t *got, struct error *);
    void (*close)(struct feed *);               /* frees what is its own; feed_close frees the struct and the feed below */
};
struct feed *feed_new(const struct feed_class *, const char *name, const volatile sig_atomic_t *cancel, struct error *);
bool feed_read(struct feed *, uint8_t *to, size_t length, size_t *got, struct error *);    /* all, unless the end comes first */
void feed_close(struct feed *);                 /* NULL is fine */
bool feed_cancelled(const struct feed *, struct error *);      /* with the sentence */

struct feed *feed_descriptor(int fd, const char *name, const volatile sig_atomic_t *cancel, struct error *);   /* takes fd */
struct feed *feed_ssh(const char *url, const volatile sig_atomic_t *cancel, struct error *);      /* ssh://[user@]host[:port]/PATH */
struct feed *feed_block(struct block *, const char *name, const volatile sig_atomic_t *cancel, struct error *);    /* takes the block */

/* The name of the compression that a head shows; NULL: none. */
const char *unpack_find(const uint8_t *head, size_t length);
/* What is packed in `below`, of which the head is read already. Takes below, also on failure. */
struct feed *feed_unpacked(struct feed *below, const uint8_t *head, size_t length, struct error *);

#endif
