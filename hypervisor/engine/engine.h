/* Ways to run one `struct cpu`: the seam behind which KVM has its place, too. Every engine can be replaced by the interpreter at every instruction boundary. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H
#include "core/machine.h"
#include "x86/cpu.h"

struct engine_counter { const char *name; uint64_t value; };
struct engine {
    const char *name;
    bool (*attach)(struct cpu *, struct error *); void (*detach)(struct cpu *);
    enum cpu_exit (*run)(struct cpu *, uint64_t budget);    /* instructions; for kvm: until the next timer */
    void (*kick)(struct cpu *);                             /* from any thread or a signal handler */
    void (*pull)(struct cpu *);                             /* make struct cpu current (kvm); no-op elsewhere */
    void (*push)(struct cpu *);                             /* struct cpu was changed from outside */
    void (*code_written)(struct cpu *, uint64_t physical, uint64_t length);
    unsigned (*counters)(const struct cpu *, struct engine_counter *, unsigned most);   /* optional: for --stats; how many */
};
extern const struct engine interpreter_engine, translator_engine;
/* "auto" (the fastest that this host can run), "translator", "interpreter"; NULL and an error naming those that exist otherwise. */
const struct engine *engine_find(const char *name, struct error *);
extern const struct machine_cpu_ops engine_cpu_ops;         /* how core/ drives CPUs */

#endif
