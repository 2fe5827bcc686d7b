#include "console/typist.h"
#include <unistd.h>

/* A keyboard of 1987 sends some 30 characters a second; a BIOS of that time buffers 15. */
enum { EVENT_NS = 25000000, ENTER_NS = 200000000 };

static void typist_done(struct typist *t)
{
    uint64_t one = 1;
    ssize_t n;

    atomic_store(&t->busy, false);
    n = write(t->wake, &one, sizeof(one));
    (void)n;
}

static void typist_fire(void *chip)
{
    struct typist *t = chip;
    const struct keyboard *k = &t->machine->keyboard;
    const struct key_event *e = &t->script.events[t->next];

    if (t->next == t->script.count) {
        typist_done(t);
        return;
    }
    if (k->key)
        k->key(k->chip, e->usage, e->down);
    t->next++;
    timer_at(&t->machine->clock, &t->timer, clock_now(&t->machine->clock) + (e->pause ? ENTER_NS : EVENT_NS));
}

void typist_init(struct typist *t, struct machine *m, int wake)
{
    *t = (struct typist){ .machine = m, .wake = wake };
    timer_init(&t->timer, typist_fire, t);
}

void typist_start(struct typist *t, struct key_script *script)
{
    machine_lock(t->machine);
    keys_free(&t->script);
    t->script = *script;
    *script = (struct key_script){ 0 };
    t->next = 0;
    atomic_store(&t->busy, true);
    timer_at(&t->machine->clock, &t->timer, clock_now(&t->machine->clock) + EVENT_NS);
    machine_unlock(t->machine);
}

void typist_stop(struct typist *t)
{
    if (!t->machine)
        return;
    machine_lock(t->machine);
    timer_stop(&t->machine->clock, &t->timer);
    atomic_store(&t->busy, false);
    machine_unlock(t->machine);
    keys_free(&t->script);
}
