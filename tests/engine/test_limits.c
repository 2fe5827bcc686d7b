/* The ends of segments in 16-bit code, where offsets wrap at 64 KiB, and the end of the code segment: in straight code, and where branches
 * lead. On both engines; what must happen is worked out here. */
#include "tests/support/pair_bench.h"
#include "tests/support/snippets.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, KIND_STACK = 1, KIND_UNSURE = 2, STACK16 = 0x5000 };
enum mode { REAL, PROTECTED_16, VIRTUAL_86, MODES };
static const char *const mode_names[MODES] = { "real", "16-bit protected", "V86" };
static struct pair pair;

static void setup(void) { pair = pair_new("pentium4", RAM); }
static void teardown(void)
{
    cr_assert_gt(translator_of(pair.of[1]->cpu)->count.entries, 3);
    pair_free(&pair);
}
TestSuite(limits, .init = setup, .fini = teardown, .timeout = 120);

static void same(const char *what)
{
    char text[512];
    pair_difference(&pair, text, sizeof text);
    cr_assert_str_empty(text, "%s: interpreter/translator:%s", what, text);
}

/* --- 16-bit segments ------------------------------------------------------------------------------------------------------ */
/* ES and DS end at `limit`, and so does SS for stack snippets; V86 and real mode have FFFFh. All have bases of their own. */
static void start(struct cpu_bench *b, enum mode mode, uint32_t limit, uint16_t base, bool stack)
{
    struct cpu *c = b->cpu;
    if (mode == REAL)
        cpu_bench_real(b);
    else
        cpu_bench_user(b);
    if (mode != REAL)
        c->idtr = (struct table_register){ CPU_BENCH_IDT, 32 * 8 - 1 };
    for (unsigned n = ES; n <= GS; n++) {
        if (mode == PROTECTED_16) {
            c->seg[n].access &= ~(uint32_t)(SEG_DB | SEG_G);
            c->seg[n].limit = n == CS || (n == SS && !stack) ? 0xffff : limit;
        } else if (mode == VIRTUAL_86) {
            c->seg[n] = (struct segment){ .access = 0xf3, .limit = 0xffff };
        }
        if (n != CS) {
            c->seg[n].selector = mode == PROTECTED_16 ? BENCH_USER_DATA : 0x1000;
            c->seg[n].base = 0x10000;
        }
    }
    if (mode == VIRTUAL_86)
        c->eflags |= FLAG_VM | FLAG_IOPL;
    segment_mode_changed(c);
    for (unsigned n = 0; n < 8; n++)
        c->gpr[n] = 0x12340000u | base;
    c->gpr[EAX] = 0x1234567;
    c->gpr[ECX] = 3;
    c->gpr[EDX] = 0x4321;
    c->gpr[ESP] = stack ? base : STACK16;
    c->cr4 |= CR4_OSFXSR;
    for (unsigned n = 0; n < 64; n++) {
        b->ram[0x10000 + n] = (uint8_t)(0x40 + n);
        b->ram[0x10000 + limit - n] = (uint8_t)(0x80 + n);
    }
    fpu_init(&c->fpu);
    fpu_set_control(c, FPU_CONTROL_INIT);
    c->fpu.status = 4 << 11;
    c->fpu.tags = 0xf0;
    for (unsigned n = 4; n < 8; n++)
        c->fpu.reg[n] = (struct float80){ 1ull << 63 | n << 20, 0x3fff };
    c->instructions = 0;
}

static uint32_t eip_of(const struct snippet *s, unsigned n)
{
    size_t at = 0;
    struct insn i;
    while (at < s->length && n--) {
        cr_assert_eq(insn_decode(pair.of[0]->cpu, &i, s->code + at, s->length - at, MODE_PROTECTED), DECODE_OK);
        at += i.length;
    }
    return CPU_BENCH_CODE + (uint32_t)at;
}

static void at_limit(const struct snippet *s, enum mode mode, uint32_t limit, uint16_t base)
{
    char what[160];
    bool stack = s->kind & KIND_STACK, faults = false;
    unsigned insn = 99;
    snprintf(what, sizeof what, "%s, %s, base %x, limit %x", s->name, mode_names[mode], base, limit);
    PAIR_EACH(&pair, b)
        start(b, mode, limit, base, stack);
    pair_run(&pair, 300);
    same(what);
    for (unsigned n = 0; n < s->value_count && !faults; n++) {
        uint32_t at = (base + (s->value[n] >> 16)) & 0xffff, size = s->value[n] >> 8 & 0xff;
        faults = at + size - 1 > limit;
        insn = faults ? s->value[n] & 0x7f : 99;
    }
    if ((mode == REAL && stack && faults) || (!faults && s->kind & KIND_UNSURE))
        return;                                 /* a real-mode handler has the same stack; where a RET leads */
    struct cpu_bench *b = pair.of[1];
    int caught = cpu_bench_caught(b, HANDLERS), must = !faults ? EXC_UD : stack ? EXC_SS : EXC_GP;
    if (mode == REAL && stack)
        return;
    cr_assert_eq(caught, must, "%s: exception %d, not %d", what, caught, must);
    uint32_t frame = b->cpu->seg[SS].base + (mode == REAL ? b->cpu->gpr[ESP] & 0xffff : b->cpu->gpr[ESP]);
    uint32_t eip = mode == REAL ? le16_get(b->ram + frame) : bench_ram32(b, frame + (faults ? 4 : 0));
    cr_assert_eq(eip, eip_of(s, insn), "%s: EIP %x, not %x", what, eip, eip_of(s, insn));
}

static void all_limits(void)
{
    struct snippets table = snippets_load("accesses16");
    static const uint8_t ud2[] = { 0x0f, 0x0b };
    for (enum mode mode = 0; mode < MODES; mode++) {
        PAIR_EACH(&pair, b) {
            start(b, mode, 0xffff, 0, false);
            cpu_bench_catch(b, HANDLERS);
        }
        for (size_t n = 0; n < table.count; n++) {
            const struct snippet *s = &table.all[n];
            PAIR_EACH(&pair, b) {
                cpu_bench_load(b, CPU_BENCH_CODE, s->code, s->length);
                cpu_bench_load(b, CPU_BENCH_CODE + (uint32_t)s->length, ud2, sizeof ud2);
            }
            for (uint32_t base = 0xffe8; base < 0x10010; base++)
                at_limit(s, mode, 0xffff, (uint16_t)base);
            for (uint32_t base = 0x7fe8; base < 0x8018 && mode == PROTECTED_16; base++)
                at_limit(s, mode, 0x7fff, (uint16_t)base);
        }
    }
    snippets_free(&table);
}
PAIR_TEST(limits, segments_of_16_bit_code, &pair, all_limits())

/* --- the code segment --------------------------------------------------------------------------------------------------------- */
static void start_code(struct cpu_bench *b, uint32_t limit, const uint8_t *code, size_t length)
{
    struct cpu *c = b->cpu;
    cpu_bench_user(b);
    cpu_bench_catch(b, HANDLERS);
    cpu_bench_load(b, CPU_BENCH_CODE, code, length);
    c->seg[CS].limit = limit;
    segment_mode_changed(c);
    c->gpr[ESI] = CPU_BENCH_DATA;
    c->gpr[ESP] = CPU_BENCH_DATA + 0x800;
    c->gpr[ECX] = 2;
    fpu_init(&c->fpu);
    fpu_set_control(c, FPU_CONTROL_INIT);
    c->instructions = 0;
}

static void expect_fault(uint32_t eip, uint32_t esp, const char *what)
{
    struct cpu_bench *b = pair.of[1];
    same(what);
    int caught = cpu_bench_caught(b, HANDLERS);
    cr_assert_eq(caught, EXC_GP, "%s: exception %d", what, caught);
    cr_assert_eq(bench_ram32(b, b->cpu->gpr[ESP] + 4), eip, "%s: EIP %x, not %x", what, bench_ram32(b, b->cpu->gpr[ESP] + 4), eip);
    cr_assert_eq(bench_ram32(b, b->cpu->gpr[ESP] + 16), esp, "%s: ESP %x", what, bench_ram32(b, b->cpu->gpr[ESP] + 16));
}

/* The limit falls on each byte of straight code: the first instruction that is not wholly inside faults. */
Test(limits, straight_code)
{
    static const uint8_t code[] = { 0x40, 0x89, 0xc1, 0x83, 0xc0, 0x05, 0x8b, 0x1e, 0xb8, 1, 2, 3, 4, 0x89, 0x46, 0x08, 0xd1, 0xe0, 0x66, 0x05, 1, 0,
        0x0f, 0xb6, 0xd0, 0xd9, 0xe8, 0xdd, 0xd8, 0x81, 0x46, 0x0c, 9, 9, 9, 9, 0x90, 0x8d, 0x04, 0x88, 0xa4, 0xf4 };
    struct insn i;
    for (uint32_t end = 1; end < sizeof code; end++) {
        char what[64];
        uint32_t at = 0;
        while (insn_decode(pair.of[0]->cpu, &i, code + at, sizeof code - at, MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED) == DECODE_OK
               && at + i.length <= end)
            at += i.length;
        snprintf(what, sizeof what, "limit after %u bytes", end);
        PAIR_EACH(&pair, b)
            start_code(b, CPU_BENCH_CODE + end - 1, code, sizeof code);
        pair_run(&pair, 300);
        expect_fault(CPU_BENCH_CODE + at, CPU_BENCH_DATA + 0x800, what);
    }
}

/* Each kind of near branch to the last byte inside, which is a NOP, and to the first beyond. */
Test(limits, branches)
{
    enum { TARGET = 0x60, AT = 2 };
    static const struct { const char *name; uint8_t code[12]; unsigned length, displacement, bytes, moves; } branches[] = {
        { "jmp short", { 0x90, 0x90, 0xeb, 0 }, 4, 3, 1, 0 }, { "jmp near", { 0x90, 0x90, 0xe9, 0, 0, 0, 0 }, 7, 3, 4, 0 },
        { "jz", { 0x31, 0xc0, 0x74, 0 }, 4, 3, 1, 0 }, { "jnz near", { 0x85, 0xc9, 0x0f, 0x85, 0, 0, 0, 0 }, 8, 4, 4, 0 },
        { "loop", { 0x90, 0x90, 0xe2, 0 }, 4, 3, 1, 0 }, { "jecxz", { 0x31, 0xc9, 0xe3, 0 }, 4, 3, 1, 0 },
        { "call", { 0x90, 0x90, 0xe8, 0, 0, 0, 0 }, 7, 3, 4, 4 }, { "jmp eax", { 0x89, 0xf8, 0xff, 0xe0 }, 4, 0, 0, 0 },
        { "call eax", { 0x89, 0xf8, 0xff, 0xd0 }, 4, 0, 0, 4 }, { "jmp [esi]", { 0x89, 0x3e, 0xff, 0x26 }, 4, 0, 0, 0 },
        { "call [esi]", { 0x89, 0x3e, 0xff, 0x16 }, 4, 0, 0, 4 }, { "ret", { 0x57, 0x90, 0xc3 }, 3, 0, 0, 0 },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(branches); n++)
        for (unsigned turn = 0; turn < 6; turn++) {     /* inside and outside in turn, so that it is linked */
            uint8_t code[0x80];
            char what[64];
            uint32_t beyond = turn & 1, limit = CPU_BENCH_CODE + TARGET - beyond;
            memset(code, 0x90, sizeof code);
            memcpy(code, branches[n].code, branches[n].length);
            uint32_t displacement = TARGET - branches[n].length;
            memcpy(code + branches[n].displacement, &displacement, branches[n].bytes);
            snprintf(what, sizeof what, "%s, %s", branches[n].name, beyond ? "beyond" : "inside");
            PAIR_EACH(&pair, b) {
                start_code(b, limit, code, sizeof code);
                b->cpu->gpr[EDI] = CPU_BENCH_CODE + TARGET;
            }
            pair_run(&pair, 300);
            bool ret = branches[n].name[0] == 'r';
            uint32_t esp = CPU_BENCH_DATA + 0x800 - (beyond ? ret ? 4 : 0 : branches[n].moves);
            expect_fault(beyond ? CPU_BENCH_CODE + AT : CPU_BENCH_CODE + TARGET + 1, esp, what);
        }
}

/* Code may be read through CS, never written: not in a group of accesses off one register either. */
Test(limits, stores_through_cs)
{
    static const struct { const char *name; uint8_t code[16]; unsigned length, fault; } stores[] = {
        { "alone", { 0x2e, 0x89, 0x06 }, 3, 0 }, { "after a load", { 0x8b, 0x06, 0x2e, 0x89, 0x46, 0x04 }, 6, 2 },
        { "after a store", { 0x89, 0x06, 0x2e, 0x01, 0x46, 0x04, 0x89, 0x46, 0x08 }, 9, 2 },
        { "after loads through it", { 0x2e, 0x8b, 0x06, 0x2e, 0x03, 0x46, 0x04, 0x2e, 0x89, 0x46, 0x08 }, 11, 7 },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(stores); n++) {
        uint8_t code[32];
        memset(code, 0xf4, sizeof code);
        memcpy(code, stores[n].code, stores[n].length);
        PAIR_EACH(&pair, b)
            start_code(b, ~0u, code, sizeof code);
        pair_run(&pair, 300);
        expect_fault(CPU_BENCH_CODE + stores[n].fault, CPU_BENCH_DATA + 0x800, stores[n].name);
    }
}
