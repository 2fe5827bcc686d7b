#include "core/loop.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

struct post { void (*fn)(void *); void *arg; struct post *next; int64_t due; };
struct loop_watch {
    struct machine *machine; int fd; short events;
    void (*fn)(void *, short); void *arg;
    bool removed;
    struct loop_watch *next;
};

enum { WATCHES_MAX = 64, POLLER_MAX = 512 };

struct loop {
    struct machine *machine;
    pthread_t thread;
    bool started;
    atomic_bool quit;
    int event;
    pthread_mutex_t post_lock;
    struct post *posts, **posts_tail;
    struct post *later, **later_tail;           /* under the machine lock, in the order of their guest times */
    struct timer later_timer;
    struct loop_watch *watches;
    struct loop_poller poller;
    bool polling;                               /* under the machine lock: the poller's descriptors are being waited for */
    int64_t sleeping_until;                     /* guest time; under the machine lock; TIMER_NEVER while awake */
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    uint64_t wakes;
};

static void run_later(void *chip)
{
    struct loop *l = chip;
    struct post *p;
    while ((p = l->later) && p->due <= clock_now(&l->machine->clock)) {
        l->later = p->next;
        if (!p->next)
            l->later_tail = &l->later;
        p->fn(p->arg);
        free(p);
    }
    if (l->later && !timer_running(&l->later_timer))
        timer_at(&l->machine->clock, &l->later_timer, l->later->due);
}

struct loop *loop_create(struct machine *m, struct error *err)
{
    struct loop *l = calloc(1, sizeof(*l));
    assert(l);
    l->machine = m;
    l->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->posts_tail = &l->posts;
    l->sleeping_until = INT64_MIN;
    l->later_tail = &l->later;
    timer_init(&l->later_timer, run_later, l);
    pthread_mutex_init(&l->post_lock, NULL);
    pthread_mutex_init(&l->wake_lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    if (l->event >= 0)
        return l;
    error_set(err, errno, "an event descriptor cannot be made; are too many files open?");
    loop_free(l);
    return NULL;
}

void loop_free(struct loop *l)
{
    assert(!l->started && !l->later);
    for (struct post *p = l->posts, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    for (struct loop_watch *w = l->watches, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    if (l->event >= 0)
        close(l->event);
    free(l);
}

void loop_wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t ignored = write(l->event, &one, sizeof(one));
    (void)ignored;                              /* a full counter is awake already */
}

void machine_post(struct machine *m, void (*fn)(void *), void *arg)
{
    struct loop *l = m->loop;
    struct post *p = malloc(sizeof(*p));
    assert(p);
    *p = (struct post){ fn, arg, NULL, 0 };
    pthread_mutex_lock(&l->post_lock);
    *l->posts_tail = p;
    l->posts_tail = &p->next;
    pthread_mutex_unlock(&l->post_lock);
    loop_wake(l);
    if (!m->real_time)
        machine_kick(m);
}

void machine_post_later(struct machine *m, void (*fn)(void *), void *arg)
{
    struct loop *l = m->loop;
    struct post *p = malloc(sizeof(*p));
    assert(p);
    *p = (struct post){ fn, arg, NULL, clock_now(&m->clock) + m->disk_latency };
    *l->later_tail = p;
    l->later_tail = &p->next;
    if (l->later == p)
        timer_at(&m->clock, &l->later_timer, p->due);
}

void loop_finish(struct loop *l)
{
    loop_drain(l);
    for (struct post *p; (p = l->later); free(p)) {
        l->later = p->next;
        p->fn(p->arg);
    }
    l->later_tail = &l->later;
    timer_stop(&l->machine->clock, &l->later_timer);
}

void loop_drain(struct loop *l)
{
    pthread_mutex_lock(&l->post_lock);
    struct post *p = l->posts;
    l->posts = NULL;
    l->posts_tail = &l->posts;
    pthread_mutex_unlock(&l->post_lock);
    while (p) {
        struct post *next = p->next;
        p->fn(p->arg);
        free(p);
        p = next;
    }
}

struct loop_watch *loop_watch(struct machine *m, int fd, short events, void (*fn)(void *, short), void *arg)
{
    struct loop_watch *w = malloc(sizeof(*w));
    assert(w);
    *w = (struct loop_watch){ .machine = m, .fd = fd, .events = events, .fn = fn, .arg = arg, .next = m->loop->watches };
    m->loop->watches = w;
    loop_wake(m->loop);
    return w;
}

void loop_watch_events(struct loop_watch *w, short events)
{
    w->events = events;
    loop_wake(w->machine->loop);
}

void loop_unwatch(struct loop_watch *w)
{
    w->removed = true;                          /* freed by the loop, which may be looking at it */
    w->events = 0;
    loop_wake(w->machine->loop);
}

static void sweep(struct loop *l)
{
    for (struct loop_watch **p = &l->watches; *p;) {
        struct loop_watch *w = *p;
        if (!w->removed) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        free(w);
    }
}

void loop_poller(struct machine *m, const struct loop_poller *p)
{
    m->loop->poller = p ? *p : (struct loop_poller){ 0 };
    loop_wake(m->loop);
}

void loop_poller_changed(struct machine *m)
{
    if (!m->loop->polling)
        return;
    m->loop->polling = false;
    loop_wake(m->loop);
}

/* Waits without the lock, at most timeout_ns, then handles what became ready under it. */
static void wait_and_dispatch(struct loop *l, int64_t timeout_ns)
{
    struct pollfd fds[WATCHES_MAX + 1 + POLLER_MAX];
    struct loop_watch *who[WATCHES_MAX + 1];
    nfds_t n = 1, more = 0;
    uint64_t drained;

    fds[0] = (struct pollfd){ .fd = l->event, .events = POLLIN };
    sweep(l);
    for (struct loop_watch *w = l->watches; w && n <= WATCHES_MAX; w = w->next)
        if (w->events) {
            fds[n] = (struct pollfd){ .fd = w->fd, .events = w->events };
            who[n++] = w;
        }
    if (l->poller.fill)
        more = l->poller.fill(l->poller.arg, fds + n, POLLER_MAX, &timeout_ns);
    l->polling = true;
    machine_unlock(l->machine);
    struct timespec t = { timeout_ns / NS_PER_S, timeout_ns % NS_PER_S };
    int ready = ppoll(fds, n + more, timeout_ns == INT64_MAX ? NULL : &t, NULL);
    if (ready > 0 && fds[0].revents) {
        ssize_t ignored = read(l->event, &drained, sizeof(drained));
        (void)ignored;
    }
    machine_lock(l->machine);
    l->polling = false;
    if (l->poller.ready)
        l->poller.ready(l->poller.arg, fds + n, ready < 0);
    if (ready <= 0)
        return;
    for (nfds_t i = 1; i < n; i++)
        if (fds[i].revents && !who[i]->removed)
            who[i]->fn(who[i]->arg, fds[i].revents);
}

void loop_poll(struct loop *l, int timeout_ms)
{
    wait_and_dispatch(l, timeout_ms < 0 ? INT64_MAX : (int64_t)timeout_ms * 1000000);
    loop_drain(l);
}

void loop_deadline_moved(struct loop *l, int64_t deadline)
{
    if (deadline < l->sleeping_until)
        loop_wake(l);
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    struct machine *m = l->machine;

    prctl(PR_SET_TIMERSLACK, 1ul);
    machine_lock(m);
    while (!atomic_load(&l->quit)) {
        loop_drain(l);
        clock_fire(&m->clock);
        int64_t next = clock_next(&m->clock);
        l->sleeping_until = next;
        if (next == TIMER_NEVER || !m->clock.running) {
            wait_and_dispatch(l, INT64_MAX);
        } else {
            wait_and_dispatch(l, MAX(next - clock_now(&m->clock), 0));
        }
        l->sleeping_until = INT64_MIN;
    }
    machine_unlock(m);
    return NULL;
}

bool loop_start(struct loop *l)
{
    atomic_store(&l->quit, false);
    l->started = !pthread_create(&l->thread, NULL, loop_main, l);
    return l->started;
}

void loop_stop(struct loop *l)
{
    if (!l->started)
        return;
    atomic_store(&l->quit, true);
    loop_wake(l);
    pthread_join(l->thread, NULL);
    l->started = false;
}

uint64_t loop_wake_count(struct loop *l)
{
    pthread_mutex_lock(&l->wake_lock);
    uint64_t n = l->wakes;
    pthread_mutex_unlock(&l->wake_lock);
    return n;
}

void loop_wait_wake(struct loop *l, uint64_t seen)
{
    pthread_mutex_lock(&l->wake_lock);
    while (l->wakes == seen)
        pthread_cond_wait(&l->wake, &l->wake_lock);
    pthread_mutex_unlock(&l->wake_lock);
}

void loop_wake_cpu(struct loop *l)
{
    pthread_mutex_lock(&l->wake_lock);
    l->wakes++;
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->wake_lock);
}
