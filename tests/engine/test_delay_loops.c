/* QUIRK(delay-loops): a LOOP to itself takes the time that old systems expect of it, and does what it does all the same. */
#include "tests/support/cpu_bench.h"
#include "engine/translator/translator.h"
#include <criterion/criterion.h>
#include <time.h>

Test(delay_loops, a_million_takes_a_millisecond)
{
    static const uint8_t code[] = { 0xb9, 0, 0, 0x10, 0, 0xe2, 0xfe, 0x31, 0xc0, 0xf4 };        /* mov ecx, 100000h; loop $; xor eax, eax; hlt */
    struct cpu_bench *b = cpu_bench_new("pentium4", 1 << 18);
    struct error err = { 0 };
    struct timespec from, to;
    b->cpu->engine->detach(b->cpu);
    cr_assert(translator_engine.attach(b->cpu, &err), "%s", err.text);
    cpu_bench_flat(b);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    cr_assert_eq(cpu_bench_code(b, code, sizeof(code), 2000000), CPU_HALTED);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    cr_assert_eq(b->cpu->gpr[ECX], 0);
    cr_assert_gt(ms, 1.0, "1048576 turns took %.3f ms", ms);
    cpu_bench_free(b);
}
