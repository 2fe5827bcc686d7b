/* A disk that loses power: what was not flushed is lost in part, sector by sector, as a drive's write cache would lose it. */
#ifndef TESTS_BLOCK_FAULT_H
#define TESTS_BLOCK_FAULT_H
#include "block/block.h"

struct fault_write { uint64_t offset; size_t length; uint8_t *bytes; };
struct fault_disk {
    uint8_t *now, *durable; uint64_t size, durable_size, room;      /* as seen; as flushed */
    struct fault_write *pending; size_t pending_count, pending_room;
    uint64_t writes, cut_at;                    /* writes and flushes so far; the one at which power fails (0: never) */
    uint64_t fail_at; int fail_with;            /* one write fails with this error and does nothing */
    bool off;
    unsigned delay_us, reads;                          /* each read takes up to this much of the host's time */
};
struct fault_disk *fault_disk_new(void);
void fault_disk_free(struct fault_disk *);
struct block *block_open_fault(struct fault_disk *);            /* a layer at the bottom; the disk outlives it */
/* Power returns: the durable bytes and some of the sectors that were on their way. */
void fault_disk_restart(struct fault_disk *, uint64_t *random);
uint64_t test_random(uint64_t *state);

#endif
