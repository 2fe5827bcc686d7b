/* Types for the user: key events at the pace of a quick typist, in guest time, so that a slow or a counted machine drops
 * none. */
#ifndef CONSOLE_TYPIST_H
#define CONSOLE_TYPIST_H
#include "console/keys.h"
#include "hypervisor.h"

struct typist {
    struct machine *machine;
    struct timer timer;
    struct key_script script;
    size_t next;
    atomic_bool busy;
    int wake;                                   /* the main loop's eventfd, told at the end */
};
void typist_init(struct typist *, struct machine *, int wake);
/* Takes the script over and starts; only while not busy. Takes the lock. */
void typist_start(struct typist *, struct key_script *);
void typist_stop(struct typist *);              /* before machine_free */
static inline bool typist_busy(struct typist *t) { return atomic_load(&t->busy); }

#endif
