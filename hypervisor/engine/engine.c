/* Which engines there are, and how core/ drives CPUs through them. */
#include "engine/engine.h"
#include <errno.h>

static const struct engine *const engines[] = { &interpreter_engine, &translator_engine };

const struct engine *engine_find(const char *name, struct error *err)
{
    if (!strcmp(name, "auto"))
        return &translator_engine;
    for (unsigned i = 0; i < ARRAY_SIZE(engines); i++)
        if (!strcmp(engines[i]->name, name))
            return engines[i];
    error_set(err, EINVAL, "there is no engine '%s' in this build; it has: auto, translator, interpreter", name);
    return NULL;
}

static enum cpu_exit run(struct device *d, uint64_t budget)
{
    struct cpu *c = cpu_of(d);
    return c->engine->run(c, budget);
}

static void kick(struct device *d)
{
    struct cpu *c = cpu_of(d);
    c->engine->kick(c);
}

static bool wants_run(struct device *d)
{
    return cpu_interrupt_ready(cpu_of(d));
}

static uint64_t instructions(struct device *d)
{
    return cpu_of(d)->instructions;
}

static void init_reset(struct device *d)
{
    cpu_pend(cpu_of(d), PENDING_INIT);
}

static void detach(struct device *d)
{
    struct cpu *c = cpu_of(d);
    if (c->engine)
        c->engine->detach(c);
}

const struct machine_cpu_ops engine_cpu_ops = {
    .run = run, .kick = kick, .wants_run = wants_run, .instructions = instructions, .init_reset = init_reset,
    .detach = detach,
};
