/* Interrupts and single steps at every instruction that a loop has: the loop's result is what it is undisturbed, and both engines stop at the
 * same instructions with the same state. The loops are in programs.asm.
 *
 * Translated code looks for interrupts at loops, landings and after what reaches a device. So they come in two ways: when a run of so many
 * instructions is over, for every number; and from a device that raises INTR when it is written, with the loop's data, or its stack, in it. */
#include "tests/support/pair_bench.h"
#include "tests/support/snippets.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, ISR = 0x6800, DEBUG_ISR = 0x6880, VECTOR = 0x40, DATA = 0x9000, USER_STACK = 0xa800, LOG = 0x10000, STACKS = 0x6900, STACKS_BYTES = 0x1700,
       LOG_ENTRIES = 0x4000, DEVICE = 0x40000, DEVICE_BYTES = 0x1000, MOST = 60000 };
/* The interrupt's number in LOG, and from LOG + 4 on where it came: with CS of ring 0, so DS is set. */
static const uint8_t isr[] = {
    0x50, 0x53, 0x1e,                           /* push eax; push ebx; push ds */
    0xb8, BENCH_DATA, 0, 0, 0, 0x8e, 0xd8,      /* mov eax, data; mov ds, ax */
    0xa1, 0x00, 0x00, 0x01, 0x00,               /* mov eax, [LOG] */
    0x8b, 0x5c, 0x24, 0x0c,                     /* mov ebx, [esp + 12]: EIP */
    0x25, 0xff, 0x3f, 0x00, 0x00,               /* and eax, 3fffh */
    0x89, 0x1c, 0x85, 0x04, 0x00, 0x01, 0x00,   /* mov [LOG + 4 + eax * 4], ebx */
    0xff, 0x05, 0x00, 0x00, 0x01, 0x00,         /* inc dword [LOG] */
    0x1f, 0x5b, 0x58, 0xcf,                     /* pop ds; pop ebx; pop eax; iret */
};
static struct pair pair;
static struct snippets programs;
static struct { uint8_t bytes[DEVICE_BYTES]; bool raises; struct cpu *cpu; } devices[2];

/* --- the device, and the interrupt ------------------------------------------------------------------------------------- */
static void drive(struct cpu *c, bool level)
{
    machine_lock(c->dev.machine);
    cpu_class.input(&c->dev, CPU_INTR, level);
    machine_unlock(c->dev.machine);
}

static uint64_t device_read(void *chip, uint64_t offset, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, devices[(size_t)chip].bytes + offset, size);
    return v;
}

static void device_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    memcpy(devices[(size_t)chip].bytes + offset, &value, size);
    if (devices[(size_t)chip].raises)
        cpu_class.input(&devices[(size_t)chip].cpu->dev, CPU_INTR, true);
}
static const struct io_ops device_ops = { device_read, device_write, IO_8 | IO_16 | IO_32 | IO_64 };

static int intack(void *board)
{
    cpu_class.input(&((struct cpu *)board)->dev, CPU_INTR, false);
    return VECTOR;
}

static void gate(struct cpu_bench *b, unsigned vector, uint32_t handler)
{
    le32_put(b->ram + CPU_BENCH_IDT + vector * 8, BENCH_CODE << 16 | (handler & 0xffff));
    le32_put(b->ram + CPU_BENCH_IDT + vector * 8 + 4, (handler & 0xffff0000) | 0x8e00);
}

static void setup(void)
{
    size_t n = 0;
    pair = pair_new("pentium4", RAM);
    programs = snippets_load("programs");
    PAIR_EACH(&pair, b) {
        cpu_bench_flat(b);
        cpu_bench_catch(b, HANDLERS);
        gate(b, VECTOR, ISR);
        gate(b, EXC_DB, DEBUG_ISR);
        cpu_bench_load(b, ISR, isr, sizeof isr);
        cpu_bench_load(b, DEBUG_ISR, isr, sizeof isr);
        b->cpu->pins = (struct cpu_pins){ .board = b->cpu, .intack = intack };
        devices[n].cpu = b->cpu;
        space_map_io(b->m->memory, DEVICE, DEVICE_BYTES, &device_ops, (void *)n++, 0);
    }
    translator_of(pair.of[1]->cpu)->near = 0;
}

static void teardown(void)
{
    cr_assert_gt(translator_of(pair.of[1]->cpu)->count.entries, 100);
    snippets_free(&programs);
    pair_free(&pair);
}
TestSuite(boundaries, .init = setup, .fini = teardown, .timeout = 300);

/* --- running ------------------------------------------------------------------------------------------------------------- */
static void start(struct cpu_bench *b, const struct snippet *s, bool user, uint32_t data, uint32_t stack, uint32_t flags)
{
    struct cpu *c = b->cpu;
    if (user)
        cpu_bench_user(b);
    else
        cpu_bench_flat(b);
    c->idtr = (struct table_register){ CPU_BENCH_IDT, (VECTOR + 1) * 8 - 1 };
    cpu_bench_load(b, CPU_BENCH_CODE, s->code, s->length);
    memset(b->ram + LOG, 0, 4 + LOG_ENTRIES * 4);
    memset(b->ram + STACKS, 0, STACKS_BYTES);
    for (unsigned n = 0; n < 0x2000; n++)
        b->ram[DATA + n] = (uint8_t)(n * 37 >> 3);
    for (unsigned n = 0; n < 2; n++)
        memcpy(devices[n].bytes, b->ram + DATA, DEVICE_BYTES);
    c->gpr[ESI] = data;
    c->gpr[EDI] = data + 0x400;
    c->gpr[EBP] = data + 0x800;
    c->gpr[ESP] = stack;
    cpu_set_flags(c, flags);
    fpu_init(&c->fpu);
    fpu_set_control(c, FPU_CONTROL_INIT);
    c->instructions = 0;
    drive(c, false);
}

struct result { uint32_t gpr[8], flags, eip; uint8_t data[0x2000], device[DEVICE_BYTES]; uint64_t instructions; };
static void take(struct result *r, struct cpu_bench *b, unsigned n)
{
    memcpy(r->gpr, b->cpu->gpr, sizeof r->gpr);
    r->eip = bench_ram32(b, r->gpr[ESP]);
    r->flags = bench_ram32(b, r->gpr[ESP] + 8) & FLAGS_ARITH;
    r->instructions = b->cpu->instructions;
    memcpy(r->data, b->ram + DATA, sizeof r->data);
    memcpy(r->device, devices[n].bytes, sizeof r->device);
}

/* What it gives undisturbed, on the interpreter. */
static void undisturbed(struct result *r, const struct snippet *s, bool user, uint32_t data, uint32_t stack)
{
    devices[0].raises = devices[1].raises = false;
    start(pair.of[0], s, user, data, stack, FLAG_IF);
    cpu_bench_run(pair.of[0], MOST);
    cr_assert_eq(cpu_bench_caught(pair.of[0], HANDLERS), EXC_UD, "%s does not come to its end", s->name);
    take(r, pair.of[0], 0);
}

static void expect_of(unsigned n, const struct result *r, const struct snippet *s, const char *what)
{
    struct result now;
    cr_assert_eq(cpu_bench_caught(pair.of[n], HANDLERS), EXC_UD, "%s, %s: does not come to its end", s->name, what);
    take(&now, pair.of[n], n);
    cr_assert_arr_eq(now.gpr, r->gpr, sizeof now.gpr, "%s, %s: registers", s->name, what);
    cr_assert_eq(now.flags, r->flags, "%s, %s: flags %x, not %x", s->name, what, now.flags, r->flags);
    cr_assert_eq(now.eip, r->eip, "%s, %s: EIP %x, not %x", s->name, what, now.eip, r->eip);
    cr_assert_arr_eq(now.data, r->data, 0x1000, "%s, %s: data", s->name, what);
    cr_assert_arr_eq(now.device, r->device, DEVICE_BYTES, "%s, %s: the device's bytes", s->name, what);
}

static void expect(const struct result *r, const struct snippet *s, const char *what)
{
    char text[512];
    pair_difference(&pair, text, sizeof text);
    cr_assert_str_empty(text, "%s, %s: interpreter/translator:%s", s->name, what, text);
    expect_of(1, r, s, what);
}

/* --- when a run is over ---------------------------------------------------------------------------------------------------- */
static void sliced(const struct snippet *s, const struct result *r, bool user, unsigned slice)
{
    char what[64], text[512];
    snprintf(what, sizeof what, "%s, an interrupt every %u", user ? "user" : "kernel", slice);
    PAIR_EACH(&pair, b)
        start(b, s, user, DATA, USER_STACK, FLAG_IF);
    for (unsigned n = 0; n < MOST && !pair.of[1]->cpu->halted; n += slice) {
        pair_run(&pair, slice);
        pair_difference(&pair, text, sizeof text);
        cr_assert_str_empty(text, "%s, %s, after %llu: interpreter/translator:%s", s->name, what,
                            (unsigned long long)pair.of[1]->cpu->instructions, text);
        if (!pair.of[1]->cpu->halted)
            PAIR_EACH(&pair, b)
                drive(b->cpu, true);
    }
    cr_assert(bench_ram32(pair.of[1], LOG) || r->instructions < slice + 50, "%s, %s: no interrupt", s->name, what);
    expect(r, s, what);
}

static void all_slices(bool user)
{
    static struct result r;
    for (size_t n = 0; n < programs.count; n++) {
        undisturbed(&r, &programs.all[n], user, DATA, USER_STACK);
        for (unsigned slice = 16; slice < 300; slice += slice < 120 ? 1 : 7)    /* the handler has 13; the last 32 of a run are interpreted */
            sliced(&programs.all[n], &r, user, slice);
    }
}

PAIR_TEST(boundaries, runs_of_every_length_in_the_kernel, &pair, all_slices(false))
PAIR_TEST(boundaries, runs_of_every_length_in_a_program, &pair, all_slices(true))

/* --- from a device ------------------------------------------------------------------------------------------------------------ */
static void from_device(bool data_in_it, bool stack_in_it)
{
    static struct result r;
    uint32_t data = data_in_it ? DEVICE : DATA, stack = stack_in_it ? DEVICE + DEVICE_BYTES : USER_STACK;
    unsigned interrupts = 0;
    for (size_t n = 0; n < programs.count; n++) {
        const struct snippet *s = &programs.all[n];
        undisturbed(&r, s, true, data, stack);
        PAIR_EACH(&pair, b)
            start(b, s, true, data, stack, FLAG_IF);
        devices[0].raises = devices[1].raises = true;
        for (unsigned k = 0; k < 2; k++) {      /* the interpreter looks for interrupts at the ends of blocks only */
            cpu_bench_run(pair.of[k], MOST);
            expect_of(k, &r, s, k ? "an interrupt at every write" : "an interrupt at a write");
        }
        interrupts += bench_ram32(pair.of[1], LOG);
    }
    cr_assert_gt(interrupts, 400, "%u interrupts", interrupts);
}

PAIR_TEST(boundaries, data_in_a_device_that_interrupts, &pair, from_device(true, false))
PAIR_TEST(boundaries, stack_in_a_device_that_interrupts, &pair, from_device(false, true))
PAIR_TEST(boundaries, all_in_a_device_that_interrupts, &pair, from_device(true, true))

/* --- single steps -------------------------------------------------------------------------------------------------------------- */
/* Translated and linked first, then with TF from the start: one trap an instruction, each where the next one is. */
static void stepped(const struct snippet *s, bool user)
{
    static struct result r;
    undisturbed(&r, s, user, DATA, USER_STACK);
    for (unsigned turn = 0; turn < 2; turn++) {
        PAIR_EACH(&pair, b)
            start(b, s, user, DATA, USER_STACK, FLAG_IF | (turn ? FLAG_TF : 0));
        pair_run(&pair, MOST);
        expect(&r, s, turn ? "single steps" : "no single steps");
    }
    uint32_t traps = bench_ram32(pair.of[1], LOG);
    cr_assert_gt(traps, 100, "%s: %u traps", s->name, traps);
    for (unsigned n = 0; n < MIN(traps, LOG_ENTRIES); n++) {
        uint32_t eip = bench_ram32(pair.of[1], LOG + 4 + n * 4);
        cr_assert(eip >= CPU_BENCH_CODE && eip < CPU_BENCH_CODE + s->length, "%s: trap %u at %x", s->name, n, eip);
    }
}

static void all_stepped(void)
{
    for (size_t n = 0; n < programs.count; n++) {
        stepped(&programs.all[n], false);
        stepped(&programs.all[n], true);
    }
}
PAIR_TEST(boundaries, single_steps, &pair, all_stepped())
