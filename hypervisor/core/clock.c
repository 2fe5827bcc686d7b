#include "core/clock.h"
#include <stddef.h>

void clock_init(struct clock *c, int64_t (*source)(void *), void *owner)
{
    *c = (struct clock){ .source = source, .owner = owner, .firing = -1 };
}

int64_t clock_now(const struct clock *c)
{
    return c->base + (c->running ? c->source(c->owner) - c->origin : 0);
}

void clock_start(struct clock *c)
{
    if (c->running)
        return;
    c->origin = c->source(c->owner);
    c->running = true;
}

void clock_stop(struct clock *c)
{
    c->base = clock_now(c);
    c->running = false;
}

void clock_set(struct clock *c, int64_t now)
{
    c->base = now;
    c->origin = c->running ? c->source(c->owner) : 0;
}

int64_t clock_next(const struct clock *c)
{
    return c->first ? c->first->deadline : TIMER_NEVER;
}

bool clock_fire(struct clock *c)
{
    bool any = false;
    int64_t now = clock_now(c);
    while (c->first && c->first->deadline <= now) {
        struct timer *t = c->first;
        c->first = t->next;
        c->firing = t->deadline;
        t->deadline = TIMER_NEVER;
        t->next = NULL;
        t->fire(t->chip);
        any = true;
    }
    c->firing = -1;
    return any;
}

void timer_init(struct timer *t, void (*fire)(void *chip), void *chip)
{
    *t = (struct timer){ .deadline = TIMER_NEVER, .fire = fire, .chip = chip };
}

void timer_stop(struct clock *c, struct timer *t)
{
    if (!timer_running(t))
        return;
    for (struct timer **p = &c->first; *p; p = &(*p)->next)
        if (*p == t) {
            *p = t->next;
            break;
        }
    t->deadline = TIMER_NEVER;
    t->next = NULL;
}

void timer_at(struct clock *c, struct timer *t, int64_t deadline)
{
    struct timer **p = &c->first;
    timer_stop(c, t);
    if (deadline == TIMER_NEVER)
        return;
    t->deadline = deadline;
    while (*p && (*p)->deadline <= deadline)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
    if (c->first == t && c->changed)
        c->changed(c->owner);
}
