/* The CPU bench; see cpu_bench.h. */
#include "tests/support/engine_bench.h"
#include "tests/support/cpu_bench.h"
#include <stdio.h>
#include <stdlib.h>

static void bench_fail(const char *what, const char *text)
{
    fprintf(stderr, "cpu bench: %s: %s\n", what, text);
    abort();
}

struct cpu_bench *cpu_bench_new(const char *model, size_t ram_size)
{
    struct cpu_bench *b = calloc(1, sizeof *b);
    struct error err = { 0 };
    char options[64];
    if (!b)
        bench_fail("memory", "out of memory");
    if (!(b->m = machine_new(NULL, false, &err)) || !machine_ram_create(b->m, ram_size, &err))
        bench_fail("machine_new", err.text);
    b->ram = b->m->ram;
    b->ram_size = ram_size;
    space_map_ram(b->m->memory, 0, ram_size, b->ram, RAM_WRITABLE, 0);
    snprintf(options, sizeof options, "model=%s", model);
    struct device *d = machine_add(b->m, "cpu", "cpu0", options, &err);
    if (!d)
        bench_fail("cpu", err.text);
    b->cpu = cpu_of(d);
    if (!b->m->cpu_count)
        b->m->cpus[b->m->cpu_count++] = d;
    b->m->cpu_ops = &engine_cpu_ops;
    if (!bench_attach(b->cpu, 64, &err))
        bench_fail("interpreter", err.text);
    machine_reset(b->m, RESET_POWER);
    cpu_bench_real(b);
    return b;
}

void cpu_bench_free(struct cpu_bench *b)
{
    bench_detach(b->cpu);
    machine_free(b->m);
    free(b);
}

static void registers(struct cpu_bench *b)
{
    struct cpu *c = b->cpu;
    memset(c->gpr, 0, sizeof c->gpr);
    c->gpr[ESP] = CPU_BENCH_STACK;
    c->eip = CPU_BENCH_CODE;
    cpu_set_flags(c, 0);
    c->halted = c->shutdown = false;
    c->shadow = 0;
    segment_mode_changed(c);
    mmu_flush(c, true);
}

void cpu_bench_real(struct cpu_bench *b)
{
    struct cpu *c = b->cpu;
    c->cr0 &= ~(CR0_PG | CR0_PE);
    c->cpl = 0;
    c->eflags = FLAG_1;
    c->idtr = (struct table_register){ CPU_BENCH_IDT, 0x3ff };
    for (unsigned n = ES; n <= GS; n++)
        c->seg[n] = (struct segment){ .access = 0x93, .limit = 0xffff };
    registers(b);
}

static struct segment flat(unsigned selector, unsigned type, unsigned dpl)
{
    return (struct segment){ .selector = (uint16_t)selector, .access = type | SEG_S | dpl << 5 | SEG_P | SEG_DB | SEG_G,
                             .limit = 0xffffffff };
}

static void descriptor(struct cpu_bench *b, unsigned selector, uint32_t low, uint32_t high)
{
    le32_put(b->ram + CPU_BENCH_GDT + (selector & ~7u), low);
    le32_put(b->ram + CPU_BENCH_GDT + (selector & ~7u) + 4, high);
}

static void protected(struct cpu_bench *b, unsigned level)
{
    struct cpu *c = b->cpu;
    descriptor(b, BENCH_CODE, 0x0000ffff, 0x00cf9b00);
    descriptor(b, BENCH_DATA, 0x0000ffff, 0x00cf9300);
    descriptor(b, BENCH_CODE16, 0x0000ffff, 0x000f9b00);
    descriptor(b, BENCH_DATA16, 0x0000ffff, 0x000f9300);
    descriptor(b, BENCH_USER_CODE, 0x0000ffff, 0x00cffb00);
    descriptor(b, BENCH_USER_DATA, 0x0000ffff, 0x00cff300);
    descriptor(b, BENCH_TSS, (CPU_BENCH_TSS & 0xffff) << 16 | 0x67, 0x00008b00);
    le32_put(b->ram + CPU_BENCH_TSS + 4, CPU_BENCH_STACK - 0x1000);     /* ESP0, SS0 */
    le32_put(b->ram + CPU_BENCH_TSS + 8, BENCH_DATA);
    le16_put(b->ram + CPU_BENCH_TSS + 0x66, 0x68);                      /* no I/O bit map */
    c->gdtr = (struct table_register){ CPU_BENCH_GDT, BENCH_TSS + 7 };
    c->idtr = (struct table_register){ CPU_BENCH_IDT, 0 };
    c->cr0 = (c->cr0 & ~CR0_PG) | CR0_PE;
    c->cpl = (uint8_t)level;
    c->eflags = FLAG_1;
    for (unsigned n = ES; n <= GS; n++)
        c->seg[n] = flat(level ? BENCH_USER_DATA : BENCH_DATA, 3, level);
    c->seg[CS] = flat(level ? BENCH_USER_CODE : BENCH_CODE, 11, level);
    c->seg[TR] = (struct segment){ .selector = BENCH_TSS, .access = 0x8b, .base = CPU_BENCH_TSS, .limit = 0x67 };
    c->seg[LDTR] = (struct segment){ .access = SEG_NULL };
    registers(b);
}

void cpu_bench_flat(struct cpu_bench *b) { protected(b, 0); }
void cpu_bench_user(struct cpu_bench *b) { protected(b, 3); }

void cpu_bench_load(struct cpu_bench *b, uint32_t address, const void *bytes, size_t length)
{
    machine_lock(b->m);
    space_copy_out(b->m->memory, address, bytes, length);
    machine_unlock(b->m);
}

void cpu_bench_catch(struct cpu_bench *b, uint32_t address)
{
    static const uint8_t hlt = 0xf4;
    struct cpu *c = b->cpu;
    for (uint32_t n = 0; n < 32; n++) {
        uint32_t handler = address + n * 16;
        cpu_bench_load(b, handler, &hlt, 1);
        if (cpu_protected(c)) {
            le32_put(b->ram + CPU_BENCH_IDT + n * 8, (BENCH_CODE << 16) | (handler & 0xffff));
            le32_put(b->ram + CPU_BENCH_IDT + n * 8 + 4, (handler & 0xffff0000) | 0x8e00);
        } else {
            le32_put(b->ram + CPU_BENCH_IDT + n * 4, (handler >> 4) << 16 | (handler & 15));
        }
    }
    if (cpu_protected(c))
        c->idtr = (struct table_register){ CPU_BENCH_IDT, 32 * 8 - 1 };
}

enum cpu_exit cpu_bench_run(struct cpu_bench *b, uint64_t n)
{
    uint64_t end = b->cpu->instructions + n;
    enum cpu_exit exit;
    do                                          /* a kick only asks the CPU to look at its pins */
        exit = b->cpu->engine->run(b->cpu, end - b->cpu->instructions);
    while (exit == CPU_KICKED);
    return exit;
}

enum cpu_exit cpu_bench_code(struct cpu_bench *b, const void *bytes, size_t length, uint64_t n)
{
    cpu_bench_load(b, CPU_BENCH_CODE, bytes, length);
    b->cpu->eip = CPU_BENCH_CODE;
    return cpu_bench_run(b, n);
}

int cpu_bench_caught(const struct cpu_bench *b, uint32_t address)
{
    uint32_t eip = b->cpu->seg[CS].base + b->cpu->eip;
    return b->cpu->halted && eip - address <= 32 * 16 ? (int)((eip - 1 - address) / 16) : -1;
}
