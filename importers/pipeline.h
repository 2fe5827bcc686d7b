/* One reader, several takers at once: the reader fills chunks of a bounded ring, and each lane's thread takes every chunk in order
 * (a hash, the list of MiBs, the image). Memory is the ring's, whatever the length. */
#ifndef IMPORTERS_PIPELINE_H
#define IMPORTERS_PIPELINE_H
#include "importers/importer.h"

enum { PIPELINE_CHUNK = 1 << 20, PIPELINE_LANES = 4 };
struct chunk { const uint8_t *bytes; size_t length; uint64_t offset; bool zeros; };     /* zeros: known to be; bytes hold them too */
struct lane { bool (*take)(void *arg, const struct chunk *, struct error *); void *arg; };
struct pipeline;

struct pipeline *pipeline_open(const struct lane *, unsigned count, struct error *);
/* Room for the next chunk, PIPELINE_CHUNK bytes; waits for it. NULL: a lane has failed. */
uint8_t *pipeline_room(struct pipeline *);
void pipeline_put(struct pipeline *, size_t length, bool zeros);
/* Waits until every lane has taken all; false and the lane's sentence when one failed. */
bool pipeline_drain(struct pipeline *, struct error *);
void pipeline_free(struct pipeline *);          /* what was put is taken first, unless a lane has failed; NULL is fine */

/* Tells a user interface how a pass goes on, four times a second. */
struct meter {
    void (*progress)(void *ui, const struct import_progress *); void *ui;
    struct import_progress p; double begun, shown; uint64_t begun_at;       /* the rate counts from begun and begun_at */
};
void meter_show(struct meter *, enum import_stage);
double seconds_now(void);

#endif
