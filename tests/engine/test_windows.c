/* A window shows what the CPU would see now: after A20 moved, and after the memory map changed. */
#include "tests/support/pair_bench.h"
#include "core/machine.h"
#include "engine/translator/translator.h"
#include <criterion/criterion.h>

enum { RAM = 2 << 20, AT = 0x1f0000, BELOW = AT & ~(1 << 20) };
static struct pair pair;

static void setup(void)
{
    pair = pair_new("pentium4", RAM);
    pair_windows(&pair);
}
static void teardown(void) { pair_free(&pair); }
TestSuite(windows, .init = setup, .fini = teardown);

/* Fifty reads of [AT], more than a translation and a mapping need; the last one. */
static uint32_t read_often(struct cpu_bench *b)
{
    static const uint8_t code[] = { 0xb9, 50, 0, 0, 0, 0xa1, AT & 255, AT >> 8 & 255, AT >> 16, 0, 0x49, 0x75, 0xf8, 0xf4 };
    cpu_bench_flat(b);
    cpu_bench_code(b, code, sizeof code, 1000);
    return b->cpu->gpr[EAX];
}

static void look(uint32_t expected)
{
    for (unsigned n = 0; n < 2; n++)
        cr_assert_eq(read_often(pair.of[n]), expected, "engine %u: %x, not %x", n, pair.of[n]->cpu->gpr[EAX], expected);
}

Test(windows, follow_a20)
{
    for (unsigned n = 0; n < 2; n++) {
        le32_put(pair.of[n]->ram + AT, 0x11111111);
        le32_put(pair.of[n]->ram + BELOW, 0x22222222);
    }
    look(0x11111111);
    cr_assert_gt(translator_of(pair.of[1]->cpu)->count.window_faults, 0);
    for (unsigned n = 0; n < 2; n++)
        cpu_class.input(&pair.of[n]->cpu->dev, CPU_A20, false);
    look(0x22222222);
    for (unsigned n = 0; n < 2; n++)
        cpu_class.input(&pair.of[n]->cpu->dev, CPU_A20, true);
    look(0x11111111);
}

Test(windows, follow_the_memory_map)
{
    static uint8_t rom[4096] = { 0x33, 0x33, 0x33, 0x33 };
    struct region *over[2];
    for (unsigned n = 0; n < 2; n++) {
        le32_put(pair.of[n]->ram + AT, 0x11111111);
        over[n] = space_map_ram(pair.of[n]->m->memory, AT, sizeof rom, rom, 0, 1);
        region_enable(over[n], false);
    }
    look(0x11111111);
    for (unsigned n = 0; n < 2; n++)
        region_enable(over[n], true);
    look(0x33333333);
    for (unsigned n = 0; n < 2; n++)
        region_enable(over[n], false);
    look(0x11111111);
}
