/* Guest time: one clock a machine, in nanoseconds since power-on. It runs, stops and jumps only by the machine's will.
 * All calls need the machine lock but clock_now. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S 1000000000ll
#define TIMER_NEVER INT64_MAX

/* A timer lives inside its chip. fire and chip are set once, by timer_init; deadline is TIMER_NEVER when stopped. */
struct timer { int64_t deadline; void (*fire)(void *chip); void *chip; struct timer *next; };

struct clock {
    int64_t (*source)(void *owner);             /* ever-growing nanoseconds: the host's, or instructions executed */
    void *owner;
    int64_t base;                               /* guest time = base + (running ? source() - origin : 0) */
    int64_t origin;
    bool running;
    int64_t firing;                             /* while a timer fires: its deadline (exact periodic chips), else -1 */
    struct timer *first;                        /* sorted by deadline, first come first served */
    void (*changed)(void *owner);               /* the earliest deadline moved to an earlier time; may be NULL */
};

void clock_init(struct clock *, int64_t (*source)(void *), void *owner);
int64_t clock_now(const struct clock *);        /* inside fire(): the present time, not the deadline */
void clock_start(struct clock *), clock_stop(struct clock *);
void clock_set(struct clock *, int64_t now);    /* a jump: restored snapshots, idle skipping in counted mode */
int64_t clock_next(const struct clock *);       /* the earliest deadline, or TIMER_NEVER */
bool clock_fire(struct clock *);                /* fires all due timers in order; true if there were any */

void timer_init(struct timer *, void (*fire)(void *chip), void *chip);
void timer_at(struct clock *, struct timer *, int64_t deadline);        /* moves it when it already runs */
void timer_stop(struct clock *, struct timer *);
static inline bool timer_running(const struct timer *t) { return t->deadline != TIMER_NEVER; }

/* a * b / c without overflow, rounded down; c > 0. Ticks of a crystal from nanoseconds and back. */
static inline int64_t muldiv(int64_t a, int64_t b, int64_t c) { return (int64_t)((__int128)a * b / c); }

#endif
