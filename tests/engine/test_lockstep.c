/* Random instruction sequences on interpreter and translator: registers, flags and memory must be the same after the same number of
 * instructions. Deterministic: each case is a seed; the first difference prints it, the fields that differ and the code, shrunk.
 * HOLDOVER_LOCKSTEP=cases runs more. */
#include "tests/support/cpu_bench.h"
#include "tests/support/random.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, CODE_MAX = 160, MODES = 4, FLAT, USER_FLAT, REAL, SEGMENTED };

struct start { uint32_t gpr[8], flags; uint8_t code[CODE_MAX]; size_t length, insn_at[64]; unsigned insns; unsigned mode; };
static struct cpu_bench *one, *two;             /* interpreter, translator */

/* --- making cases ---------------------------------------------------------------------------------------------- */
static unsigned decode_mode(unsigned mode) { return mode == FLAT || mode == USER_FLAT ? MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED
    : mode == SEGMENTED ? MODE_CODE32 | MODE_PROTECTED | MODE_STACK32 : 0; }

/* Closes its block, and may be in a case: it needs no privilege, goes to the next instruction, and no port answers. */
static bool is_plain_end(const struct opcode *o)
{
    static const char *const names[] = { "CLI", "STI", "POPF", "MOV_SREG", "POP_SREG", "POP_SS", "LES", "LDS", "LSS", "LFS", "LGS" };
    for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
        if (!strcmp(o->name, names[n]))
            return true;
    return false;
}

static bool acceptable(const struct opcode *o, const struct insn *i)
{
    if (o->checks == CHECK_mmx || o->checks == CHECK_sse || o->checks == CHECK_prot || o->checks == CHECK_cpl0)
        return false;
    if (!strcmp(o->name, "RDTSC") || !strcmp(o->name, "CPUID") || !strncmp(o->name, "RDP", 3) || !strcmp(o->name, "HLT"))
        return false;
    if (i->flags & (INSN_REP | INSN_REPNE))
        return false;                           /* ECX is random: too long */
    return o->plan != PLAN_END || is_plain_end(o) || o->opcode == 0xc3 || o->opcode == 0xe8 || o->opcode == 0xeb || o->opcode == 0xff;
}

static bool is_shift(const struct opcode *o)
{
    return !o->map ? o->opcode == 0xc0 || o->opcode == 0xc1 || (o->opcode & 0xfc) == 0xd0
        : o->opcode == 0xa4 || o->opcode == 0xa5 || o->opcode == 0xac || o->opcode == 0xad;
}

static bool s_fpu;                              /* this case has x87 instructions */
/* One random instruction, followed by a CMP when OF after it is undefined. */
static size_t random_insn(uint8_t *at, unsigned mode)
{
    for (;;) {
        uint8_t bytes[16];
        struct insn i;
        for (unsigned n = 0; n < sizeof bytes; n++)
            bytes[n] = (uint8_t)draw();
        if (!draw_of(3))
            bytes[0] = 0x0f;
        if (s_fpu && draw_of(2))
            bytes[0] = (uint8_t)(0xd8 + draw_of(8));
        if (!draw_of(12))
            bytes[0] = "\x66\x67\x64\x26\x36"[draw_of(5)];
        if (draw_of(2))
            bytes[2] &= 0x7f;
        if (insn_decode(one->cpu, &i, bytes, sizeof bytes, decode_mode(mode)) != DECODE_OK || i.length > 12)
            continue;
        const struct opcode *o = &opcodes[i.id];
        if (!acceptable(o, &i))
            continue;
        if (o->dst == OPERAND_Jb)
            bytes[i.length - 1] &= 31;
        if (o->dst == OPERAND_Jz) {
            unsigned wide = i.flags & INSN_OPERAND32 ? 4 : 2;
            memset(bytes + i.length - wide, 0, wide);
            bytes[i.length - wide] = (uint8_t)draw_of(32);
        }
        memcpy(at, bytes, i.length);
        if (!is_shift(o))
            return i.length;
        memcpy(at + i.length, "\x38\xd8", 2);   /* CMP AL, BL */
        return i.length + 2;
    }
}

static void random_start(struct start *s, unsigned seed)
{
    state = seed * 0x9e3779b97f4a7c15ull + 1;
    *s = (struct start){ .mode = FLAT + seed % MODES, .flags = draw() & FLAGS_ARITH };
    for (unsigned n = 0; n < 8; n++)
        s->gpr[n] = draw_of(4) ? 0x9000 + draw_of(0x6000) : draw();
    s->gpr[ESP] = 0x8000 + draw_of(64) * (draw_of(8) ? 4 : 1);
    unsigned count = 1 + draw_of(20);
    s_fpu = seed % 3 == 0;
    for (s->insns = 0; s->insns < count && s->length < CODE_MAX - 16; s->insns++) {
        s->insn_at[s->insns] = s->length;
        s->length += random_insn(s->code + s->length, s->mode);
    }
    s->insn_at[s->insns] = s->length;
    for (size_t n = 0; n < s->length; n++)      /* a repetition in single steps is counted by iterations */
        if ((s->code[n] & 0xfe) == 0xf2)
            s->code[n] = 0x90;
}

/* --- running them ---------------------------------------------------------------------------------------------- */
static void prepare(struct cpu_bench *b, const struct start *s)
{
    static uint8_t memory[RAM];
    struct cpu *c = b->cpu;
    state = 77;
    for (unsigned n = 0; n < RAM; n += 4)
        le32_put(memory + n, n < 0x8000 ? 0 : draw() & (n & 8 ? 0xffff : ~0u));
    for (unsigned n = 0; n < RAM; n++)          /* where a RET leads are no shifts, which leave OF undefined, and no repetitions */
        if ((memory[n] & 0xfe) == 0xc0 || (memory[n] & 0xfe) == 0xf2 || (memory[n] & 0xfc) == 0xd0 || (memory[n] & 0xf6) == 0xa4)
            memory[n] = 0xf4;
    cpu_bench_load(b, 0, memory, RAM);
    if (s->mode == REAL)
        cpu_bench_real(b);
    else if (s->mode == USER_FLAT)
        cpu_bench_user(b);
    else
        cpu_bench_flat(b);
    if (s->mode == SEGMENTED) {
        c->seg[DS].base = 0x1230;
        c->seg[DS].limit = 0x20000;
        c->seg[ES].base = 0x401;
        c->seg[SS].base = 0x100;
        c->seg[FS].limit = 0xffff;
        segment_mode_changed(c);
    }
    cpu_bench_catch(b, HANDLERS);
    uint8_t code[CODE_MAX + 1];
    memcpy(code, s->code, s->length);
    code[s->length] = 0xf4;
    cpu_bench_load(b, CPU_BENCH_CODE, code, s->length + 1);
    for (unsigned n = 0; n < 8; n++)
        c->gpr[n] = s->gpr[n];
    cpu_set_flags(c, s->flags);
    fpu_init(&c->fpu);
    fpu_set_control(c, FPU_CONTROL_INIT);
    for (unsigned n = 0; n < 8; n++)
        c->fpu.reg[n] = (struct float80){ 1ull << 63 | (uint64_t)draw() << 20, (uint16_t)(0x3ff0 + draw_of(32)) };
    c->fpu.tags = (uint8_t)draw();
    c->fpu.status = (uint16_t)(draw_of(8) << 11);
    c->eip = CPU_BENCH_CODE;
    c->instructions = 0;
    c->cr2 = 0;
}

/* What differs, as text; empty: nothing. */
static void difference(char *text, size_t size)
{
    static const char *const names[] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    const struct cpu *a = one->cpu, *b = two->cpu;
    int n = 0;
    *text = 0;
#define FIELD_DIFFERS(name, x, y) if ((x) != (y)) n += snprintf(text + n, size - (size_t)n, " %s %x/%x", name, (unsigned)(x), (unsigned)(y))
    for (unsigned r = 0; r < 8; r++)
        FIELD_DIFFERS(names[r], a->gpr[r], b->gpr[r]);
    FIELD_DIFFERS("EIP", a->eip, b->eip);
    FIELD_DIFFERS("EFLAGS", cpu_flags(a), cpu_flags(b));
    FIELD_DIFFERS("instructions", a->instructions, b->instructions);
    FIELD_DIFFERS("halted", a->halted, b->halted);
    for (unsigned s = ES; s <= GS; s++) {
        FIELD_DIFFERS("selector", a->seg[s].selector, b->seg[s].selector);
        FIELD_DIFFERS("base", a->seg[s].base, b->seg[s].base);
        FIELD_DIFFERS("access", a->seg[s].access, b->seg[s].access);
    }
    FIELD_DIFFERS("shadow", a->shadow, b->shadow);
    for (unsigned at = 0; at < RAM && n < 200; at++)
        if (one->ram[at] != two->ram[at])
            n += snprintf(text + n, size - (size_t)n, " [%x] %x/%x", at, one->ram[at], two->ram[at]);
    FIELD_DIFFERS("FCW", a->fpu.control, b->fpu.control);
    FIELD_DIFFERS("FSW", a->fpu.status, b->fpu.status);
    FIELD_DIFFERS("tags", a->fpu.tags, b->fpu.tags);
    FIELD_DIFFERS("FIP", a->fpu.ip, b->fpu.ip);
    FIELD_DIFFERS("FDP", a->fpu.dp, b->fpu.dp);
    FIELD_DIFFERS("FOP", a->fpu.opcode, b->fpu.opcode);
    for (unsigned r = 0; r < 8; r++) {
        FIELD_DIFFERS("R", a->fpu.reg[r].mantissa >> 32, b->fpu.reg[r].mantissa >> 32);
        FIELD_DIFFERS("R", a->fpu.reg[r].mantissa, b->fpu.reg[r].mantissa);
        FIELD_DIFFERS("R's exponent", a->fpu.reg[r].exponent, b->fpu.reg[r].exponent);
    }
#undef FIELD_DIFFERS
}

/* A jump into the middle of an instruction may find a shift, whose OF is undefined: nothing else may differ then. */
static unsigned undefined;
static bool only_overflow(void)
{
    const struct cpu *a = one->cpu, *b = two->cpu;
    if (memcmp(a->gpr, b->gpr, sizeof a->gpr) || a->eip != b->eip || (cpu_flags(a) ^ cpu_flags(b)) & ~(uint32_t)FLAG_OF)
        return false;
    for (unsigned at = 0; at < RAM; at++)
        if ((one->ram[at] ^ two->ram[at]) & ~(FLAG_OF >> 8))
            return false;
    undefined++;
    return true;
}

static bool same(const struct start *s, char *text, size_t size)
{
    prepare(two, s);
    cpu_bench_run(two, 300);
    prepare(one, s);
    cpu_bench_run(one, two->cpu->instructions);
    difference(text, size);
    return !*text || only_overflow();
}

static void remove_insn(struct start *s, unsigned n)
{
    size_t from = s->insn_at[n], length = s->insn_at[n + 1] - from;
    memmove(s->code + from, s->code + from + length, s->length - from - length);
    s->length -= length;
    for (unsigned k = n + 1; k <= s->insns; k++)
        s->insn_at[k - 1] = s->insn_at[k] - (k > n ? length : 0);
    s->insns--;
}

static void shrink(struct start *s)
{
    char text[512];
    for (unsigned n = 0; n < s->insns;) {
        struct start less = *s;
        remove_insn(&less, n);
        if (same(&less, text, sizeof text))
            n++;
        else
            *s = less;
    }
}

static void report(struct start *s, unsigned seed)
{
    char text[512], line[128];
    shrink(s);
    same(s, text, sizeof text);
    fprintf(stderr, "lockstep: seed %u, mode %u: interpreter/translator:%s\n", seed, s->mode, text);
    for (unsigned n = 0; n < 8; n++)
        fprintf(stderr, " %08x", s->gpr[n]);
    fprintf(stderr, " flags %x\n", s->flags);
    for (size_t at = 0, n; at < s->length; at += n) {
        n = insn_disassemble(s->code + at, s->length - at, decode_mode(s->mode), CPU_BENCH_CODE + (uint32_t)at, line, sizeof line);
        fprintf(stderr, "  %04x %s\n", CPU_BENCH_CODE + (unsigned)at, n ? line : "?");
        n += !n;
    }
}

static void setup(void)
{
    struct error err = { 0 };
    one = cpu_bench_new("pentium4", RAM);
    two = cpu_bench_new("pentium4", RAM);
    interpreter_engine.detach(two->cpu);
    cr_assert(translator_engine.attach(two->cpu, &err), "%s", err.text);
    translator_of(two->cpu)->threshold = 0;
    translator_of(two->cpu)->near = 64;
}

static void teardown(void)
{
    translator_engine.detach(two->cpu);
    machine_free(two->m);
    free(two);
    cpu_bench_free(one);
}

TestSuite(lockstep, .init = setup, .fini = teardown);

static void run_cases(unsigned cases)
{
    const char *first = getenv("HOLDOVER_LOCKSTEP_FIRST");
    unsigned seed = first ? (unsigned)atoi(first) : 1;
    struct start s;
    char text[512];
    for (; cases--; seed++) {
        random_start(&s, seed);
        if (!same(&s, text, sizeof text)) {
            report(&s, seed);
            cr_assert_fail("seed %u", seed);
        }
    }
    cr_assert_gt(translator_of(two->cpu)->count.entries, 0);
    cr_assert_leq(undefined * 200, seed);
}

Test(lockstep, random_sequences)
{
    const char *more = getenv("HOLDOVER_LOCKSTEP");
    run_cases(more ? (unsigned)atoi(more) : 20000);
}

Test(lockstep, windows)
{
    windows_set_heat(translator_of(two->cpu)->windows, 0);
    run_cases(5000);
    cr_assert_gt(translator_of(two->cpu)->count.window_faults, 0);
}

Test(lockstep, without_bmi2)
{
    translator_of(two->cpu)->plain = true;
    run_cases(3000);
}
