/* A code cache as small as it may be: images whose code does not fit, so that translations are dropped while others lead to them. */
#include "tests/support/image_bench.h"
#include "engine/translator/translator.h"
#include <criterion/criterion.h>

static void run(const char *image, bool windows)
{
    struct error err = { 0 };
    struct image_bench *b = image_bench_new(image, "model=pentium4");
    b->cpu->engine->detach(b->cpu);
    b->cpu->code_cache = 2 << 20;
    cr_assert(translator_engine.attach(b->cpu, &err), "%s", err.text);
    translator_of(b->cpu)->threshold = 0;
    translator_of(b->cpu)->near = 64;
    if (windows)
        windows_set_heat(translator_of(b->cpu)->windows, 0);
    enum image_outcome outcome = image_bench_run(b, 40000000);
    cr_assert(outcome == IMAGE_WROTE && b->verdict == 0, "%s.asm: step %u", image, b->verdict);
    cr_assert_gt(translator_of(b->cpu)->count.evictions, 2, "%s.asm", image);
    image_bench_free(b);
}

Test(cache, smaller_than_the_code) { run("smc", false); }
Test(cache, smaller_than_the_code_with_windows) { run("smc", true); }
