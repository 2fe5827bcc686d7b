/* Random instruction sequences on interpreter and translator: registers, flags and memory must be the same after the same number of
 * instructions. Deterministic: each case is a seed; the first difference prints it, the fields that differ and the code, shrunk.
 * HOLDOVER_LOCKSTEP=cases runs more. */
#include "tests/support/pair_bench.h"
#include "tests/support/random.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, CODE_MAX = 160, SPECIALS = 10 };
enum mode { FLAT, USER_FLAT, REAL, SEGMENTED, PROTECTED_16, VIRTUAL_86, MODES };

struct start { uint32_t gpr[8], flags; uint16_t control; uint8_t code[CODE_MAX]; size_t length, insn_at[64]; unsigned insns; enum mode mode; bool vectors; };
static struct pair pair;
static struct cpu_bench *one, *two;             /* interpreter, translator */

/* --- making cases ---------------------------------------------------------------------------------------------- */
static unsigned decode_mode(enum mode mode)
{
    return mode == REAL ? 0 : mode == VIRTUAL_86 ? MODE_PROTECTED | MODE_V86 | MODE_USER : mode == PROTECTED_16 ? MODE_PROTECTED
        : MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED;
}

/* Closes its block, and may be in a case: it needs no privilege, goes to the next instruction, and no port answers. */
static bool is_plain_end(const struct opcode *o)
{
    static const char *const names[] = { "CLI", "STI", "POPF", "MOV_SREG", "POP_SREG", "POP_SS", "LES", "LDS", "LSS", "LFS", "LGS" };
    for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
        if (!strcmp(o->name, names[n]))
            return true;
    return false;
}

static bool s_fpu, s_vectors;                   /* this case has x87 instructions; MMX and SSE */
static bool acceptable(const struct opcode *o, const struct insn *i)
{
    if ((!s_vectors && (o->checks == CHECK_mmx || o->checks == CHECK_sse)) || o->checks == CHECK_prot || o->checks == CHECK_cpl0)
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

/* One random instruction, followed by a CMP when OF after it is undefined. */
static size_t random_insn(uint8_t *at, enum mode mode)
{
    for (;;) {
        uint8_t bytes[16];
        struct insn i;
        for (unsigned n = 0; n < sizeof bytes; n++)
            bytes[n] = (uint8_t)draw();
        if (!draw_of(3) || (s_vectors && draw_of(2)))
            bytes[s_vectors && !draw_of(3) ? bytes[0] = "\x66\xf2\xf3"[draw_of(3)], 1 : 0] = 0x0f;
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
    *s = (struct start){ .mode = seed % MODES, .flags = draw() & FLAGS_ARITH, .vectors = seed % 5 == 0, .control = FPU_CONTROL_INIT };
    for (unsigned n = 0; n < 8; n++)
        s->gpr[n] = draw_of(4) ? 0x9000 + draw_of(0x6000) : draw();
    for (unsigned n = 0; n < 8 && s->vectors; n++)              /* most operands of 16 bytes are aligned */
        if (draw_of(4))
            s->gpr[n] &= ~15u;
    s->gpr[ESP] = 0x8000 + draw_of(64) * (draw_of(8) ? 4 : 1);
    unsigned count = 1 + draw_of(20);
    s_fpu = seed % 7 < 3;
    s_vectors = s->vectors;
    if (seed % 7 == 1)                          /* unmasked exceptions, other roundings and precisions */
        s->control = (uint16_t)(draw() & FPU_CONTROL_BITS) | FPU_CONTROL_1;
    for (s->insns = 0; s->insns < count && s->length < CODE_MAX - 16; s->insns++) {
        s->insn_at[s->insns] = s->length;
        s->length += random_insn(s->code + s->length, s->mode);
    }
    s->insn_at[s->insns] = s->length;
    for (size_t n = 0; n < s->length; n++)      /* ECX may be anything, so no repetitions; but F2 and F3 are prefixes of SSE, too */
        if ((s->code[n] & 0xfe) == 0xf2 && !(s->vectors && n + 1 < s->length && s->code[n + 1] == 0x0f))
            s->code[n] = 0x90;
}

/* --- running them ---------------------------------------------------------------------------------------------- */
/* Memory as it is when a case starts, and the numbers drawn after it. */
static uint8_t memory[RAM];
static uint64_t after_memory;
static void make_memory(void)
{
    state = 77;
    for (unsigned n = 0; n < RAM; n += 4)
        le32_put(memory + n, n < 0x8000 ? 0 : draw() & (n & 8 ? 0xffff : ~0u));
    for (unsigned n = 0; n < RAM; n++)          /* where a RET leads are no shifts, which leave OF undefined, and no repetitions */
        if ((memory[n] & 0xfe) == 0xc0 || (memory[n] & 0xfe) == 0xf2 || (memory[n] & 0xfc) == 0xd0 || (memory[n] & 0xf6) == 0xa4)
            memory[n] = 0xf4;
    after_memory = state;
}

static void set_mode(struct cpu_bench *b, enum mode mode)
{
    struct cpu *c = b->cpu;
    if (mode == REAL)
        cpu_bench_real(b);
    else if (mode == USER_FLAT || mode == VIRTUAL_86)
        cpu_bench_user(b);
    else
        cpu_bench_flat(b);
    if (mode == SEGMENTED) {
        c->seg[DS].base = 0x1230;
        c->seg[DS].limit = 0x20000;
        c->seg[ES].base = 0x401;
        c->seg[SS].base = 0x100;
        c->seg[FS].limit = 0xffff;
    }
    for (unsigned n = ES; n <= GS && mode == PROTECTED_16; n++) {
        c->seg[n].access &= ~(uint32_t)(SEG_DB | SEG_G);
        c->seg[n].selector = n == CS ? BENCH_CODE16 : BENCH_DATA16;
        c->seg[n].limit = n == DS ? 0xefff : 0xffff;
        c->seg[n].base = n == ES ? 0x8000 : 0;
    }
    for (unsigned n = ES; n <= GS && mode == VIRTUAL_86; n++)
        c->seg[n] = (struct segment){ .access = 0xf3, .limit = 0xffff, .selector = n == ES ? 0x123 : 0, .base = n == ES ? 0x1230 : 0 };
    if (mode == VIRTUAL_86)
        c->eflags |= FLAG_VM;
    segment_mode_changed(c);
}

static void set_fpu(struct cpu *c, const struct start *s)
{
    static const struct float80 specials[SPECIALS] = {
        { 0, 0 }, { 0, 0x8000 }, { 1ull << 63, 0x7fff }, { 1ull << 63, 0xffff }, { 3ull << 62, 0x7fff }, { 0xa000000000000000, 0x7fff },
        { 1, 0 }, { 1ull << 63, 1 }, { ~0ull, 0x7ffe }, { 1ull << 63, 0xbfff },
    };
    fpu_init(&c->fpu);
    for (unsigned n = 0; n < 8; n++)
        c->fpu.reg[n] = (struct float80){ 1ull << 63 | (uint64_t)draw() << 20, (uint16_t)(0x3ff0 + draw_of(32)) };
    c->fpu.tags = (uint8_t)draw();
    c->fpu.status = (uint16_t)(draw_of(8) << 11);
    for (unsigned n = 0; n < 8 && s->control != FPU_CONTROL_INIT; n += 2)
        c->fpu.reg[n] = specials[(s->gpr[n] >> 5) % SPECIALS];
    fpu_set_control(c, s->control);
    for (unsigned n = 0; n < 8; n++)
        for (unsigned k = 0; k < 4; k++)
            c->xmm[n].dword[k] = k & 1 ? 0x3f800000 + (draw() & 0x3ffffff) : draw();
    c->mxcsr = 0x1f80;
}

static void prepare(struct cpu_bench *b, const struct start *s)
{
    struct cpu *c = b->cpu;
    state = after_memory;
    cpu_bench_load(b, 0, memory, RAM);
    set_mode(b, s->mode);
    cpu_bench_catch(b, HANDLERS);
    uint8_t code[CODE_MAX + 1];
    memcpy(code, s->code, s->length);
    code[s->length] = 0xf4;
    cpu_bench_load(b, CPU_BENCH_CODE, code, s->length + 1);
    for (unsigned n = 0; n < 8; n++)
        c->gpr[n] = s->gpr[n];
    cpu_set_flags(c, s->flags | (s->mode == VIRTUAL_86 ? FLAG_VM : 0));
    c->cr0 |= CR0_NE;
    c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    set_fpu(c, s);
    c->eip = CPU_BENCH_CODE;
    c->instructions = 0;
    c->cr2 = 0;
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
    if (memcmp(&a->fpu, &b->fpu, sizeof a->fpu) || memcmp(a->xmm, b->xmm, sizeof a->xmm))
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
    pair_difference(&pair, text, size);
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
    pair = pair_new("pentium4", RAM);
    one = pair.of[0];
    two = pair.of[1];
    make_memory();
}

static void teardown(void) { pair_free(&pair); }

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

static unsigned wanted(unsigned usual)
{
    const char *more = getenv("HOLDOVER_LOCKSTEP");
    return more ? (unsigned)atoi(more) : usual;
}

/* Seeds that long runs found; each is mended. 4920618: a group off EBP went on after LEAVE. */
Test(lockstep, seeds_that_differed_once)
{
    static const unsigned seeds[] = { 4920618 };
    struct start s;
    char text[512];
    for (size_t n = 0; n < ARRAY_SIZE(seeds); n++) {
        random_start(&s, seeds[n]);
        cr_assert(same(&s, text, sizeof text), "seed %u:%s", seeds[n], text);
    }
}

Test(lockstep, random_sequences) { run_cases(wanted(60000)); }

Test(lockstep, windows)
{
    pair_windows(&pair);
    run_cases(wanted(20000));
    cr_assert_gt(translator_of(two->cpu)->count.window_faults, 0);
}

Test(lockstep, without_bmi2)
{
    translator_of(two->cpu)->plain = true;
    run_cases(wanted(20000));
}
