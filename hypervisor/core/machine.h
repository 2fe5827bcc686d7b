/* A machine: two spaces, a clock, devices and wires, CPUs. Two machines in one process work.
 *
 * Threads. One machine lock. vCPU threads hold it only outside engine->run (an exit into a device takes it). In real time
 * a loop thread runs timers, block completions and host descriptors under it and kicks a CPU whose pins changed. The main
 * thread owns the window and talks to the machine through machine_post and the calls marked [any thread]. In virtual
 * time everything runs in the thread that calls machine_run, deterministically. Devices take no lock. */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H
#include "core/device.h"
#include "core/sinks.h"
#include <pthread.h>
#include <stdatomic.h>

enum cpu_exit { CPU_BUDGET, CPU_KICKED, CPU_HALTED, CPU_SHUTDOWN, CPU_BREAKPOINT, CPU_FAULT };
enum stop_reason { STOP_NONE, STOP_PAUSED, STOP_POWER_OFF, STOP_RESET, STOP_BREAKPOINT, STOP_FAULT, STOP_EXIT };
struct profile;
struct cpu;
struct loop;
struct machine_cpu_ops;

struct machine {
    struct space *ports, *memory;
    struct clock clock;
    struct device *devices, **devices_tail;
    const struct host *host;
    struct host no_host;
    pthread_mutex_t lock;
    struct loop *loop;
    bool real_time;                             /* else virtual: time is instructions executed, or what a bench says */
    struct device *cpus[8]; unsigned cpu_count;
    const struct machine_cpu_ops *cpu_ops;      /* how the machine drives its CPUs; NULL: no CPU (the device bench) */
    struct keyboard keyboard; struct pointer pointer;   /* registered by the chips */
    struct display display;
    uint8_t *ram; uint64_t ram_size;            /* main memory, NULL: none */
    int ram_file;                               /* the file behind it, so that an engine can map a page elsewhere, too */
    int64_t wall_origin;                        /* seconds since 1970 (as the guest's RTC shows) at guest time 0 */
    atomic_int stop;                            /* an enum stop_reason that was asked for, STOP_PAUSED aside */
    atomic_bool pause;                          /* it was: a reset that the guest asks for at that moment must not swallow it */
    int exit_code;                              /* of STOP_EXIT: what the guest wrote to the exit device; 0 is success */
    bool stop_on_reset;                         /* --no-reboot */
    uint64_t insn_ps;                           /* virtual time: guest picoseconds an instruction takes */
    int64_t disk_latency;                       /* virtual time: guest ns from a disk request to its completion */
    bool in_stretch;                            /* virtual time: the CPU executes */
    int64_t virtual_ns;                         /* virtual time without a CPU: moved by machine_step */
    void *board;                                /* the board's own */
    bool (*reset_resumes)(struct machine *);    /* would this CPU reset be resumed by the firmware (CMOS 0Fh)? may be NULL */
    void (*board_reset)(struct machine *, enum reset_kind);     /* after all devices were reset; may be NULL */
    void (*board_stop)(struct machine *);       /* before the devices go: ends what works for them; may be NULL */
    void (*board_free)(struct machine *);
};

/* How the core drives CPUs without knowing what they are; filled by engine/. */
struct machine_cpu_ops {
    /* Runs until something else must happen, without the lock. `budget`: instructions at most. */
    enum cpu_exit (*run)(struct device *cpu, uint64_t budget);
    void (*kick)(struct device *cpu);                           /* [any thread] */
    bool (*wants_run)(struct device *cpu);                      /* halted, but an interrupt is waiting */
    uint64_t (*instructions)(struct device *cpu);               /* executed so far, exact at exits */
    void (*init_reset)(struct device *cpu);                     /* the INIT pin */
    void (*detach)(struct device *cpu);                         /* the machine ends: the engine lets go */
};

/* An empty machine: spaces, clock, lock. Boards fill it. */
struct machine *machine_new(const struct host *, bool real_time, struct error *);
void machine_free(struct machine *);
/* Main memory of `size` bytes: m->ram. It is not in the memory space yet. */
bool machine_ram_create(struct machine *, uint64_t size, struct error *);
/* Makes and initialises a device. options: "key=value,..." or NULL. */
struct device *machine_add(struct machine *, const char *class, const char *id, const char *options, struct error *);
struct device *machine_find(struct machine *, const char *id);
/* Connects an output pin ("irq", or "irq3" of an array) to an input pin number. false: no such device or output. */
bool machine_wire(struct machine *, const char *from, const char *output, const char *to, unsigned pin);
void machine_reset(struct machine *, enum reset_kind);          /* all devices, in the order they were added */

/* Runs until `until` (guest ns; INT64_MAX: no end), or until something stops it. */
enum stop_reason machine_run(struct machine *, int64_t until);
/* [any thread] Asks machine_run to return (or, for STOP_RESET, to reset and go on unless stop_on_reset). */
void machine_stop(struct machine *, enum stop_reason);
void machine_cpu_reset(struct machine *);       /* port 92h, 8042, triple fault: the CPU only; from a chip */
/* [any thread] Runs fn under the lock, on the loop (in virtual time: inside machine_run or machine_step). */
void machine_post(struct machine *, void (*fn)(void *arg), void *arg);
/* Virtual time: the same after disk_latency of guest time. From the machine's own thread only; needs the lock. */
void machine_post_later(struct machine *, void (*fn)(void *arg), void *arg);
void machine_step(struct machine *, int64_t ns);                /* no CPU: advances virtual time, fires timers and posts */
void machine_kick(struct machine *);            /* pins changed: make the CPUs look */
static inline void machine_lock(struct machine *m) { pthread_mutex_lock(&m->lock); }
static inline void machine_unlock(struct machine *m) { pthread_mutex_unlock(&m->lock); }
int64_t machine_wall_time(struct machine *);    /* ns since 1970 as the guest's real-time clock should show */

/* Host descriptors (serial backends, control socket); fn runs under the lock on the loop. events: POLLIN, POLLOUT. */
struct loop_watch;
struct loop_watch *loop_watch(struct machine *, int fd, short events, void (*fn)(void *arg, short revents), void *arg);
void loop_watch_events(struct loop_watch *, short events);
void loop_unwatch(struct loop_watch *);
/* A library with descriptors of its own. Before each wait `fill` gives those of now (at most max) and may shorten the wait; after it
 * `ready` gets them back. One a machine; NULL ends it. loop_poller_changed: what fill would say now is another thing. */
struct pollfd;
struct loop_poller {
    unsigned (*fill)(void *arg, struct pollfd *, unsigned max, int64_t *timeout_ns);
    void (*ready)(void *arg, struct pollfd *, bool failed);
    void *arg;
};
void loop_poller(struct machine *, const struct loop_poller *);
void loop_poller_changed(struct machine *);

/* Every field of every device, and the clock. Loading checks the whole stream first: on an error nothing has changed. */
bool machine_save(struct machine *, struct stream *, struct error *);
bool machine_load(struct machine *, struct stream *, struct error *);

/* [any thread] Keys are USB usage ids, as in SDL. */
void machine_key(struct machine *, uint16_t key, bool down);
void machine_pointer_move(struct machine *, int dx, int dy, int dz, unsigned buttons);
bool machine_pointer_absolute(struct machine *);        /* [any thread] does the guest take positions now? */

#endif
