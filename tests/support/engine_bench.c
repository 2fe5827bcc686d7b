/* The engine of the CPU's tests; see engine_bench.h. */
#include "tests/support/engine_bench.h"
#include "engine/translator/translator.h"
#include <stdlib.h>

bool bench_attach(struct cpu *c, unsigned near, struct error *err)
{
    const char *name = getenv("HOLDOVER_TEST_ENGINE");
    bool windows = name && !strcmp(name, "windows");            /* the translator, with a window from the start */
    const struct engine *engine = engine_find(windows ? "translator" : name ? name : "interpreter", err);
    if (!engine || !engine->attach(c, err))
        return false;
    if (engine == &translator_engine) {
        translator_of(c)->threshold = 0;
        translator_of(c)->near = near;
        if (windows)
            windows_set_heat(translator_of(c)->windows, 0);
    }
    return true;
}

void bench_near(struct cpu *c, unsigned near) { translator_of(c)->near = near; }
unsigned bench_mode(const struct cpu *c) { return mode_now(c); }
void bench_detach(struct cpu *c) { c->engine->detach(c); }
