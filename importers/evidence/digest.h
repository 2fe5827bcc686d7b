/* SHA-256 and MD5 in pieces, as hexadecimal digits; and the list of the SHA-256 of every MiB, which tells where an image differs. */
#ifndef IMPORTERS_DIGEST_H
#define IMPORTERS_DIGEST_H
#include "importers/pipeline.h"
#include <stdio.h>

struct digest { void *context; };
bool digest_begin(struct digest *, struct error *);     /* SHA-256 */
bool digest_begin_md5(struct digest *, struct error *);
void digest_add(struct digest *, const void *bytes, size_t length);
void digest_end(struct digest *, char hex[65]);         /* hex may be NULL; frees; harmless when not begun */
/* SHA-256 of a file; cancel may be NULL. */
bool digest_file(const char *path, char hex[65], const volatile sig_atomic_t *cancel, struct error *);
bool digest_take(void *digest, const struct chunk *, struct error *);       /* a lane: adds the chunk */

/* evidence/diskN.sha256s: lines of `FIRST COUNT SHA256`, COUNT MiBs from number FIRST on that are all alike; the last may be short. */
struct mib_run { uint64_t first, count; char sha256[65]; };
struct mib_list {
    FILE *write, *compare;                      /* a list to make, a list to be compared with; either may be NULL */
    struct mib_run run, wanted;                 /* the run being counted; the one last read from `compare` */
    uint64_t differ_count, compared; struct mib_run differ[16];         /* where the bytes are not what `compare` says */
    char zeros[65];
};
bool mib_take(void *list, const struct chunk *, struct error *);            /* a lane */
bool mib_flush(struct mib_list *);              /* writes what is counted and syncs; more may follow */
bool mib_next(FILE *, struct mib_run *);        /* the list's next run; false: its end, or not a list from here on */

#endif
