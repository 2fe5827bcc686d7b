/* Types for the user: key events at the pace of a quick typist, in guest time, so that a slow or a counted machine drops
 * none. The user's own keys and mouse go through it too: after a moment in which the host was busy, or from programs that
 * type, they come all at once, and would neither fit into the keyboard's 16 bytes nor make a click that the mouse reports. */
#ifndef CONSOLE_TYPIST_H
#define CONSOLE_TYPIST_H
#include "console/keys.h"
#include "hypervisor.h"

/* What the user did: a key, or the mouse with the buttons it then has; click (filled by typist_live): others than before. */
enum live_kind { LIVE_KEY, LIVE_MOVE, LIVE_AT };
struct live_event { enum live_kind kind; uint16_t usage; bool down; int x, y, dz; unsigned buttons; bool click; };
enum { LIVE_EVENTS = 512 };

struct typist {
    struct machine *machine;
    struct timer timer;
    struct key_script script;
    size_t next;
    atomic_bool busy;
    struct timer live_timer;                    /* runs after an event for as long as the next must wait */
    struct live_event live[LIVE_EVENTS];        /* those that wait: a ring */
    unsigned live_first, live_count, live_buttons;
    int64_t patience;                           /* guest time until which a slow reader is waited for; 0: not waiting */
    int wake;                                   /* the main loop's eventfd, told at the end */
};
void typist_init(struct typist *, struct machine *, int wake);
/* Takes the script over and starts; only while not busy. Takes the lock. */
void typist_start(struct typist *, struct key_script *);
void typist_live(struct typist *, struct live_event);           /* takes the lock */
void typist_stop(struct typist *);              /* before machine_free */
static inline bool typist_busy(struct typist *t) { return atomic_load(&t->busy); }

#endif
