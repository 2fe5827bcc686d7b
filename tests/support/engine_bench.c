/* The engine of the CPU's tests; see engine_bench.h. */
#include "tests/support/engine_bench.h"
#include "engine/translator/translator.h"
#include <stdlib.h>

bool bench_attach(struct cpu *c, unsigned near, struct error *err)
{
    const char *name = getenv("HOLDOVER_TEST_ENGINE");
    const struct engine *engine = engine_find(name ? name : "interpreter", err);
    if (!engine || !engine->attach(c, err))
        return false;
    if (engine == &translator_engine) {
        translator_of(c)->threshold = 0;
        translator_of(c)->near = near;
    }
    return true;
}

void bench_near(struct cpu *c, unsigned near) { translator_of(c)->near = near; }
unsigned bench_mode(const struct cpu *c) { return mode_now(c); }
void bench_detach(struct cpu *c) { c->engine->detach(c); }
