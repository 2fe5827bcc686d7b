/* The machine's event loop: posts from other threads, host descriptors, timers. Private to core/. */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H
#include "core/machine.h"

struct loop *loop_create(struct machine *, struct error *);
void loop_free(struct loop *);
bool loop_start(struct loop *);                 /* the loop thread, for real time */
void loop_stop(struct loop *);
void loop_wake(struct loop *);                  /* [any thread] */
void loop_drain(struct loop *);                 /* runs what was posted; needs the lock */
void loop_finish(struct loop *);                /* the same, and what was posted for later, at once: the machine ends */
/* Virtual time: handles ready descriptors and posts, waiting up to timeout_ms (-1: for ever); needs the lock (given up
 * while it waits). */
void loop_poll(struct loop *, int timeout_ms);
void loop_deadline_moved(struct loop *, int64_t deadline);

/* Where a halted CPU thread sleeps. */
uint64_t loop_wake_count(struct loop *);
void loop_wait_wake(struct loop *, uint64_t seen);      /* returns when the count is no longer `seen` */
void loop_wake_cpu(struct loop *);                      /* [any thread] */

#endif
