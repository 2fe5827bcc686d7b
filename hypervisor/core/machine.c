#include "core/machine.h"
#include "core/loop.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_INSN_PS 10000                   /* virtual time: 100 million instructions a guest second */

static int64_t host_time(void *owner)
{
    struct timespec t;
    (void)owner;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t virtual_time(void *owner)
{
    struct machine *m = owner;
    if (!m->cpu_count || !m->cpu_ops)
        return m->virtual_ns;
    return muldiv((int64_t)m->cpu_ops->instructions(m->cpus[0]), (int64_t)m->insn_ps, 1000);
}

static void deadline_moved(void *owner)
{
    struct machine *m = owner;
    loop_deadline_moved(m->loop, clock_next(&m->clock));
}

/* Virtual time: the stretch that runs was measured for a later deadline. Port I/O, which moves deadlines, ends its block, so all
 * engines stop at the same instruction. */
static void stretch_too_long(void *owner)
{
    struct machine *m = owner;
    if (m->in_stretch)
        m->cpu_ops->kick(m->cpus[0]);
}

struct machine *machine_new(const struct host *host, bool real_time, struct error *err)
{
    struct machine *m = calloc(1, sizeof(*m));
    if (!m) {
        error_set(err, ENOMEM, "there is not enough memory for another machine");
        return NULL;
    }
    pthread_mutex_init(&m->lock, NULL);
    m->host = host ? host : &m->no_host;
    m->real_time = real_time;
    m->insn_ps = DEFAULT_INSN_PS;
    m->devices_tail = &m->devices;
    m->loop = loop_create(m, err);
    if (!m->loop) {
        free(m);
        return NULL;
    }
    clock_init(&m->clock, real_time ? host_time : virtual_time, m);
    m->clock.changed = real_time ? deadline_moved : stretch_too_long;
    if (!real_time)
        clock_start(&m->clock);
    m->ports = space_create("ports", 16);
    m->memory = space_create("memory", 36);
    return m;
}

bool machine_ram_create(struct machine *m, uint64_t size, struct error *err)
{
    int file = memfd_create("holdover-ram", MFD_CLOEXEC);
    void *bytes = MAP_FAILED;
    if (file >= 0 && ftruncate(file, (off_t)size) == 0)
        bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (bytes == MAP_FAILED) {
        error_set(err, errno, "the host cannot give %llu MiB of memory: %s", (unsigned long long)size >> 20, strerror(errno));
        if (file >= 0)
            close(file);
        return false;
    }
    madvise(bytes, size, MADV_HUGEPAGE);
    m->ram = bytes;
    m->ram_size = size;
    m->ram_file = file;
    return true;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    loop_stop(m->loop);
    if (m->board_stop)
        m->board_stop(m);
    loop_finish(m->loop);
    for (unsigned i = 0; m->cpu_ops && m->cpu_ops->detach && i < m->cpu_count; i++)
        m->cpu_ops->detach(m->cpus[i]);
    m->cpu_ops = NULL;
    for (struct device *d = m->devices, *next; d; d = next) {
        next = d->next;
        if (d->class->free)
            d->class->free(d);
        property_free(d->class->properties, d);
        free((char *)d->id);
        free(d);
    }
    if (m->board_free)
        m->board_free(m);
    space_free(m->ports);
    space_free(m->memory);
    if (m->ram) {
        munmap(m->ram, m->ram_size);
        close(m->ram_file);
    }
    loop_free(m->loop);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct device *machine_find(struct machine *m, const char *id)
{
    for (struct device *d = m->devices; d; d = d->next)
        if (!strcmp(d->id, id))
            return d;
    return NULL;
}

struct device *machine_add(struct machine *m, const char *name, const char *id, const char *options, struct error *err)
{
    const struct device_class *class = device_class_find(name);
    if (!class) {
        error_set(err, ENODEV, "there is no device class '%s'; 'holdover doctor --devices' lists them", name);
        return NULL;
    }
    if (machine_find(m, id)) {
        error_set(err, EEXIST, "the machine has two devices called '%s'", id);
        return NULL;
    }
    struct device *d = calloc(1, class->size);
    assert(d);
    d->class = class;
    d->machine = m;
    d->id = strdup(id);
    if (property_defaults(class->properties, d, err) && property_parse(class->properties, d, id, options, err) &&
        (!class->init || class->init(d, err))) {
        *m->devices_tail = d;
        m->devices_tail = &d->next;
        return d;
    }
    property_free(class->properties, d);
    free((char *)d->id);
    free(d);
    return NULL;
}

/* "irq" or, of an array, "irq3". */
static struct wire *output_find(struct device *d, const char *name)
{
    for (const struct pin *p = d->class->outputs; p && p->name; p++) {
        size_t n = strlen(p->name);
        if (strncmp(p->name, name, n))
            continue;
        unsigned index = 0;
        if (name[n]) {
            if (!isdigit((unsigned char)name[n]))
                continue;
            index = (unsigned)atoi(name + n);
        }
        if (index < p->count)
            return (struct wire *)((char *)d + p->offset) + index;
    }
    return NULL;
}

bool machine_wire(struct machine *m, const char *from, const char *output, const char *to, unsigned pin)
{
    struct device *source = machine_find(m, from), *target = machine_find(m, to);
    struct wire *w = source ? output_find(source, output) : NULL;
    if (!w || !target)
        return false;
    *w = (struct wire){ target, pin };
    return true;
}

void machine_reset(struct machine *m, enum reset_kind kind)
{
    for (struct device *d = m->devices; d; d = d->next)
        if (d->class->reset)
            d->class->reset(d, kind);
    if (m->board_reset)
        m->board_reset(m, kind);
}

int64_t machine_wall_time(struct machine *m)
{
    return m->wall_origin * NS_PER_S + clock_now(&m->clock);
}

void machine_kick(struct machine *m)
{
    for (unsigned i = 0; m->cpu_ops && i < m->cpu_count; i++)
        m->cpu_ops->kick(m->cpus[i]);
    loop_wake_cpu(m->loop);
}

void machine_stop(struct machine *m, enum stop_reason why)
{
    if (why == STOP_PAUSED)
        atomic_store(&m->pause, true);
    else
        atomic_store(&m->stop, (int)why);
    machine_kick(m);
    loop_wake(m->loop);
}

void machine_cpu_reset(struct machine *m)
{
    if (m->stop_on_reset && !(m->reset_resumes && m->reset_resumes(m))) {
        machine_stop(m, STOP_RESET);
        return;
    }
    for (unsigned i = 0; m->cpu_ops && i < m->cpu_count; i++)
        m->cpu_ops->init_reset(m->cpus[i]);
    machine_kick(m);
}

/* --- running ------------------------------------------------------------------------------------------------------ */

struct deadline { struct machine *machine; struct timer timer; };

static void deadline_reached(void *owner)
{
    machine_stop(((struct deadline *)owner)->machine, STOP_PAUSED);
}

static bool must_stop(struct machine *m)
{
    return atomic_load(&m->stop) != STOP_NONE || atomic_load(&m->pause);
}

/* A pending stop. true: leave machine_run with it. What the guest did wins over a pause. */
static bool take_stop(struct machine *m, enum stop_reason *why)
{
    *why = (enum stop_reason)atomic_exchange(&m->stop, STOP_NONE);
    if (*why == STOP_RESET && !m->stop_on_reset) {
        machine_lock(m);
        machine_reset(m, RESET_HARD);
        machine_unlock(m);
        *why = STOP_NONE;
    }
    if (atomic_exchange(&m->pause, false) && *why == STOP_NONE)
        *why = STOP_PAUSED;
    return *why != STOP_NONE;
}

static enum stop_reason exit_reason(struct machine *m, enum cpu_exit e)
{
    if (e == CPU_SHUTDOWN) {                    /* a triple fault: the PC's logic resets the CPU */
        machine_lock(m);
        machine_cpu_reset(m);
        machine_unlock(m);
        return STOP_NONE;
    }
    return e == CPU_BREAKPOINT ? STOP_BREAKPOINT : e == CPU_FAULT ? STOP_FAULT : STOP_NONE;
}

static enum stop_reason run_real_time(struct machine *m)
{
    struct device *cpu = m->cpus[0];
    enum stop_reason why;
    for (;;) {
        uint64_t seen = loop_wake_count(m->loop);
        if (take_stop(m, &why))
            return why;
        enum cpu_exit e = m->cpu_ops->run(cpu, UINT64_MAX);
        if (e == CPU_HALTED && !m->cpu_ops->wants_run(cpu) && !must_stop(m))
            loop_wait_wake(m->loop, seen);
        why = exit_reason(m, e);
        if (why != STOP_NONE)
            return why;
    }
}

/* Time stands still while a halted CPU waits: it jumps to the next timer, or waits for the host. */
static void skip_idle(struct machine *m, int64_t next)
{
    machine_lock(m);
    if (next != TIMER_NEVER)
        clock_set(&m->clock, MAX(next, clock_now(&m->clock)));
    else
        loop_poll(m->loop, -1);
    machine_unlock(m);
}

static enum stop_reason run_virtual(struct machine *m)
{
    enum { POLL_EVERY = 256 };
    struct device *cpu = m->cpus[0];
    enum stop_reason why;
    bool halted = false;
    for (unsigned turn = 0;; turn++) {
        machine_lock(m);
        if (turn % POLL_EVERY == 0)
            loop_poll(m->loop, 0);
        else
            loop_drain(m->loop);
        clock_fire(&m->clock);
        int64_t now = clock_now(&m->clock), next = clock_next(&m->clock);
        machine_unlock(m);
        if (take_stop(m, &why))
            return why;
        if (halted && !m->cpu_ops->wants_run(cpu)) {
            skip_idle(m, next);
            continue;
        }
        uint64_t left = (uint64_t)MIN(next - now, NS_PER_S) * 1000, budget = (left + m->insn_ps - 1) / m->insn_ps;
        m->in_stretch = true;
        enum cpu_exit e = m->cpu_ops->run(cpu, MIN(MAX(budget, 1u), 1u << 20));
        m->in_stretch = false;
        halted = e == CPU_HALTED;
        why = exit_reason(m, e);
        if (why != STOP_NONE)
            return why;
    }
}

enum stop_reason machine_run(struct machine *m, int64_t until)
{
    struct deadline end = { .machine = m };
    assert(m->cpu_count && m->cpu_ops);
    timer_init(&end.timer, deadline_reached, &end);
    machine_lock(m);
    clock_start(&m->clock);
    timer_at(&m->clock, &end.timer, until);
    machine_unlock(m);
    if (m->real_time && !loop_start(m->loop))
        return STOP_FAULT;
    enum stop_reason why = m->real_time ? run_real_time(m) : run_virtual(m);
    loop_stop(m->loop);
    machine_lock(m);
    timer_stop(&m->clock, &end.timer);
    if (m->real_time)
        clock_stop(&m->clock);
    machine_unlock(m);
    return why;
}

void machine_step(struct machine *m, int64_t ns)
{
    int64_t end = m->virtual_ns + ns;
    assert(!m->real_time && !m->cpu_count);
    machine_lock(m);
    loop_poll(m->loop, 0);
    while (clock_next(&m->clock) <= clock_now(&m->clock) + (end - m->virtual_ns)) {
        m->virtual_ns += MAX(clock_next(&m->clock) - clock_now(&m->clock), 0);
        clock_fire(&m->clock);
        loop_drain(m->loop);
    }
    m->virtual_ns = end;
    clock_fire(&m->clock);
    machine_unlock(m);
}

/* --- input -------------------------------------------------------------------------------------------------------- */

struct input_event { struct machine *machine; uint16_t key; bool down; int dx, dy, dz; unsigned buttons; };

static void key_event(void *arg)
{
    struct input_event *e = arg;
    struct keyboard *k = &e->machine->keyboard;
    if (k->key)
        k->key(k->chip, e->key, e->down);
    free(e);
}

static void pointer_event(void *arg)
{
    struct input_event *e = arg;
    struct pointer *p = &e->machine->pointer;
    if (p->move)
        p->move(p->chip, e->dx, e->dy, e->dz, e->buttons);
    free(e);
}

static void post_event(struct machine *m, void (*fn)(void *), struct input_event event)
{
    struct input_event *e = malloc(sizeof(*e));
    assert(e);
    *e = event;
    e->machine = m;
    machine_post(m, fn, e);
}

void machine_key(struct machine *m, uint16_t key, bool down)
{
    post_event(m, key_event, (struct input_event){ .key = key, .down = down });
}

bool machine_pointer_absolute(struct machine *m)
{
    machine_lock(m);
    bool absolute = m->pointer.at;
    machine_unlock(m);
    return absolute;
}

void machine_pointer_move(struct machine *m, int dx, int dy, int dz, unsigned buttons)
{
    post_event(m, pointer_event, (struct input_event){ .dx = dx, .dy = dy, .dz = dz, .buttons = buttons });
}
