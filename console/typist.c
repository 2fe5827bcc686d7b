#include "console/typist.h"
#include <unistd.h>

/* A keyboard of 1987 sends some 30 characters a second; a BIOS of that time buffers 15. */
enum { EVENT_NS = 25000000, ENTER_NS = 200000000 };
/* A key takes up to six bytes of a millisecond; the slowest mouse reports 40 times a second. */
enum { KEY_NS = 4000000, CLICK_NS = 25000000, PATIENCE_NS = 500000000 };

static void typist_done(struct typist *t)
{
    uint64_t one = 1;
    ssize_t n;

    atomic_store(&t->busy, false);
    n = write(t->wake, &one, sizeof(one));
    (void)n;
}

/* The guest has not read the last key or click yet: on a busy host its processor may stand still while its time goes on. */
static bool must_wait(struct typist *t, bool mouse)
{
    const struct keyboard *k = &t->machine->keyboard;
    const struct pointer *p = &t->machine->pointer;
    int64_t now = clock_now(&t->machine->clock);

    if (mouse ? !p->waiting || !p->waiting(p->chip) : !k->waiting || !k->waiting(k->chip)) {
        t->patience = 0;
        return false;
    }
    if (!t->patience)
        t->patience = now + PATIENCE_NS;
    return now < t->patience;
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
    if (must_wait(t, false)) {
        timer_at(&t->machine->clock, &t->timer, clock_now(&t->machine->clock) + KEY_NS);
        return;
    }
    if (k->key)
        k->key(k->chip, e->usage, e->down);
    t->next++;
    timer_at(&t->machine->clock, &t->timer, clock_now(&t->machine->clock) + (e->pause ? ENTER_NS : EVENT_NS));
}

/* Sends an event; returns for how long the next must wait. */
static int64_t live_send(struct typist *t, const struct live_event *e)
{
    const struct keyboard *k = &t->machine->keyboard;
    const struct pointer *p = &t->machine->pointer;

    if (e->kind == LIVE_KEY && k->key)
        k->key(k->chip, e->usage, e->down);
    else if (e->kind == LIVE_MOVE && p->move)
        p->move(p->chip, e->x, e->y, e->dz, e->buttons);
    else if (e->kind == LIVE_AT && p->at)
        p->at(p->chip, (uint16_t)e->x, (uint16_t)e->y, e->dz, e->buttons);
    return e->kind == LIVE_KEY ? KEY_NS : e->click ? CLICK_NS : 0;
}

static void live_fire(void *chip)
{
    struct typist *t = chip;
    int64_t wait = 0;

    while (t->live_count && !wait) {
        if (must_wait(t, t->live[t->live_first].kind != LIVE_KEY)) {
            wait = KEY_NS;
            break;
        }
        wait = live_send(t, &t->live[t->live_first]);
        t->live_first = (t->live_first + 1) % LIVE_EVENTS;
        t->live_count--;
    }
    if (wait)
        timer_at(&t->machine->clock, &t->live_timer, clock_now(&t->machine->clock) + wait);
}

/* Motion adds to motion that still waits. */
static bool live_merge(struct live_event *last, const struct live_event *e)
{
    if (e->kind == LIVE_KEY || last->kind != e->kind || last->click || e->click)
        return false;
    last->x = e->kind == LIVE_AT ? e->x : last->x + e->x;
    last->y = e->kind == LIVE_AT ? e->y : last->y + e->y;
    last->dz += e->dz;
    return true;
}

void typist_live(struct typist *t, struct live_event e)
{
    unsigned end;

    machine_lock(t->machine);
    if (e.kind != LIVE_KEY) {
        e.click = e.buttons != t->live_buttons;
        t->live_buttons = e.buttons;
    }
    end = t->live_first + t->live_count;
    if (!t->live_count || !live_merge(&t->live[(end + LIVE_EVENTS - 1) % LIVE_EVENTS], &e)) {
        if (t->live_count < LIVE_EVENTS) {
            t->live[end % LIVE_EVENTS] = e;
            t->live_count++;
        }
    }
    if (!timer_running(&t->live_timer))
        live_fire(t);
    machine_unlock(t->machine);
}

void typist_init(struct typist *t, struct machine *m, int wake)
{
    *t = (struct typist){ .machine = m, .wake = wake };
    timer_init(&t->timer, typist_fire, t);
    timer_init(&t->live_timer, live_fire, t);
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
    timer_stop(&t->machine->clock, &t->live_timer);
    atomic_store(&t->busy, false);
    machine_unlock(t->machine);
    keys_free(&t->script);
}
