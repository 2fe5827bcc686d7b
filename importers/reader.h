/* A disk read from start to end, chunk by chunk: from an earlier import's half-made image as far as that goes, then from the
 * source. What the source cannot read is tried in smaller pieces, down to the sector, from both ends; what stays unreadable is
 * zeros in the image and a range in `bad`. */
#ifndef IMPORTERS_READER_H
#define IMPORTERS_READER_H
#include "importers/evidence/ddrescue.h"
#include "importers/sources/source.h"

struct reader {
    struct source *source; const volatile sig_atomic_t *cancel;
    struct block *half; uint64_t half_bytes;    /* NULL: none */
    uint64_t position; struct ranges bad;
    int direct;                                 /* a device once more, past the host's cache: descriptor + 1; 0: not open, -1: none */
    uint64_t good; bool any_good;               /* a sector that could be read: it tells a bad sector from a disk that is gone */
};
/* At most PIPELINE_CHUNK bytes; less at the end. *zeros: nothing was put into `to`, all is known to be zeros. */
bool reader_next(struct reader *, uint8_t *to, size_t *got, bool *zeros, struct error *);
void reader_close(struct reader *);             /* all but the source */

#endif
