/* Bare-metal images (tests/cpu/NAME.asm) on the interpreter: modes, faults with their error codes and restart state. */
#include "tests/support/image_bench.h"
#include <criterion/criterion.h>
#include <stdio.h>

static void run(const char *image, const char *options)
{
    struct image_bench *b = image_bench_new(image, options);
    enum image_outcome outcome = image_bench_run(b, 20000000);
    if (b->note_count == 3)
        cr_assert_fail("%s.asm on %s, step %u: exception %u, error %xh, at %xh, CR2 was %xh", image, options, b->verdict, b->vector,
                       b->notes[0], b->notes[1], b->notes[2]);
    cr_assert_eq(outcome, IMAGE_WROTE, "%s.asm on %s: %s at %04x:%08x", image, options,
                 outcome == IMAGE_SHUTDOWN ? "shutdown" : outcome == IMAGE_HALTED ? "halted" : "no end", b->cpu->seg[CS].selector,
                 b->cpu->eip);
    cr_assert_eq(b->verdict, 0, "%s.asm on %s: step %u", image, options, b->verdict);
    image_bench_free(b);
}

static void run_on_all(const char *image)
{
    static const char *const models[] = { "386", "486", "pentium", "pentium-pro", "pentium3", "pentium4" };
    for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
        char options[32];
        snprintf(options, sizeof options, "model=%s", models[i]);
        run(image, options);
    }
}

Test(images, segments) { run_on_all("segments"); }
Test(images, transfers) { run_on_all("transfers"); }
Test(images, tasks) { run_on_all("tasks"); }
Test(images, paging) { run_on_all("paging"); }
Test(images, pae) { run_on_all("pae"); }
Test(images, v86) { run_on_all("v86"); }
Test(images, debug) { run_on_all("debug"); }
Test(images, faults) { run_on_all("faults"); }
Test(images, real) { run_on_all("real"); }
Test(images, smc) { run_on_all("smc"); }
