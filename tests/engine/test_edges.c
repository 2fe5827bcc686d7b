/* Accesses where something refuses them: at the end of a page with every right of the two pages, at the limit of a segment, misaligned
 * with alignment checks, in the middle of a group of accesses off one register, and of repetitions. What must happen is worked out here from
 * the table of what each snippet accesses (accesses.asm), and must happen on both engines, which must agree in all else as well. */
#include "tests/support/pair_bench.h"
#include "tests/support/snippets.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include "x86/opcodes.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, DIRECTORY = 0x10000, TABLE = 0x11000, FIRST = 0x20000, EDGE = 0x21000, FRAME_FIRST = 0x30000,
       FRAME_SECOND = 0x32000, USER_STACK = 0x9f00, TOUCH = 0x1800, KIND_STACK = 1, KIND_UNSURE = 2 };
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4 };
static const uint8_t rights[] = { 0, PTE_P, PTE_P | PTE_W, PTE_P | PTE_U, PTE_P | PTE_W | PTE_U };

struct access { int32_t offset; unsigned size, insn; bool write; };
struct fault { int vector; uint32_t error, cr2; unsigned insn; };       /* vector -1: none */
static struct pair pair;
static struct snippets table;
static const uint8_t ud2[] = { 0x0f, 0x0b };

static void load_touches(struct cpu_bench *);

static void setup(void)
{
    pair = pair_new("pentium4", RAM);
    table = snippets_load("accesses");
    PAIR_EACH(&pair, b) {
        cpu_bench_flat(b);
        cpu_bench_catch(b, HANDLERS);
        load_touches(b);
    }
}

static void teardown(void)
{
    cr_assert_gt(translator_of(pair.of[1]->cpu)->count.entries, 1000);
    snippets_free(&table);
    pair_free(&pair);
}
TestSuite(edges, .init = setup, .fini = teardown, .timeout = 300);

/* --- what a snippet does ------------------------------------------------------------------------------------------ */
static struct access access_of(const struct snippet *s, unsigned n)
{
    uint32_t v = s->value[n];
    return (struct access){ (int16_t)(v >> 16), v >> 8 & 0xff, v & 0x7f, v & 0x80 };
}

static void span_of(const struct snippet *s, int32_t *low, int32_t *high)
{
    *low = s->value_count ? INT32_MAX : -32;
    *high = s->value_count ? INT32_MIN : 108;
    for (unsigned n = 0; n < s->value_count; n++) {
        struct access a = access_of(s, n);
        *low = MIN(*low, a.offset);
        *high = MAX(*high, a.offset + (int32_t)a.size);
    }
}

/* EIP of the n-th instruction; of what comes after the last for n beyond. */
static uint32_t eip_of(const struct snippet *s, unsigned n)
{
    size_t at = 0;
    struct insn i;
    while (at < s->length && n--) {
        cr_assert_eq(insn_decode(pair.of[0]->cpu, &i, s->code + at, s->length - at, MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED), DECODE_OK);
        at += i.length;
    }
    return CPU_BENCH_CODE + (uint32_t)at;
}

/* --- touching ---------------------------------------------------------------------------------------------------------- */
/* Code that runs before a snippet, in a block of its own, so that what may be accessed directly is. Bits: reads and writes the first page's
 * last byte, reads and writes the second's first; TOUCH_ALL reads what lies about the edges of tests without paging, through CS. */
enum { READ_FIRST = 1, WRITE_FIRST = 2, READ_SECOND = 4, WRITE_SECOND = 8, TOUCH_ALL = 16, TOUCH_BYTES = 64 };

static uint8_t *emit_touch(uint8_t *p, uint8_t opcode, uint32_t address)
{
    *p++ = opcode;
    le32_put(p, address);
    return p + 4;
}

static void load_touches(struct cpu_bench *b)
{
    for (unsigned n = 0; n <= TOUCH_ALL; n++) {
        uint32_t at = TOUCH + n * TOUCH_BYTES;
        uint8_t code[TOUCH_BYTES], *p = code;
        if (n & (READ_FIRST | WRITE_FIRST))
            p = emit_touch(p, 0xa0, EDGE - 1);                  /* mov al, [...] */
        if (n & WRITE_FIRST)
            p = emit_touch(p, 0xa2, EDGE - 1);                  /* mov [...], al */
        if (n & (READ_SECOND | WRITE_SECOND))
            p = emit_touch(p, 0xa0, EDGE);
        if (n & WRITE_SECOND)
            p = emit_touch(p, 0xa2, EDGE);
        for (unsigned page = 0; page < 6 && n == TOUCH_ALL; page++) {
            *p++ = 0x2e;
            p = emit_touch(p, 0xa0, (page < 3 ? 0xf000 : FIRST - 0x3000) + page * 0x1000);
        }
        p = emit_touch(p, 0xb8, 0x12345678);                    /* mov eax, what a snippet starts with; jmp to it */
        p = emit_touch(p, 0xe9, CPU_BENCH_CODE - (at + (uint32_t)(p - code) + 5));
        cpu_bench_load(b, at, code, (size_t)(p - code));
    }
}

/* --- running ---------------------------------------------------------------------------------------------------------- */
static void load_snippet(const struct snippet *s)
{
    PAIR_EACH(&pair, b) {
        cpu_bench_load(b, CPU_BENCH_CODE, s->code, s->length);
        cpu_bench_load(b, CPU_BENCH_CODE + (uint32_t)s->length, ud2, sizeof ud2);
    }
}

/* Code whose access left a window goes without from then on: it is made anew. */
static void start_anew(const struct snippet *s)
{
    if (pair.windows)
        load_snippet(s);
}

static void start(struct cpu_bench *b, const struct snippet *s, uint32_t base, bool user)
{
    struct cpu *c = b->cpu;
    if (user)
        cpu_bench_user(b);
    else
        cpu_bench_flat(b);
    c->idtr = (struct table_register){ CPU_BENCH_IDT, 32 * 8 - 1 };
    for (unsigned n = 0; n < 8; n++)
        c->gpr[n] = base;
    c->gpr[EAX] = 0x12345678;
    c->gpr[ECX] = 3;
    c->gpr[EDX] = 0x4321;
    c->gpr[ESP] = s->kind & KIND_STACK ? base : USER_STACK;
    c->cr4 |= CR4_OSFXSR;
    c->cr2 = 0;
    fpu_init(&c->fpu);
    fpu_set_control(c, FPU_CONTROL_INIT);
    c->fpu.status = 4 << 11;
    c->fpu.tags = 0xf0;
    for (unsigned n = 4; n < 8; n++)
        c->fpu.reg[n] = (struct float80){ 1ull << 63 | n << 20, 0x3fff };
    c->eip = CPU_BENCH_CODE;
    c->instructions = 0;
}

/* Runs, and compares what happened with what must. `what`: the rest of the case's name. */
static void check(const struct snippet *s, const struct fault *must, const char *what)
{
    char text[512];
    pair_run(&pair, 300);
    pair_difference(&pair, text, sizeof text);
    cr_assert_str_empty(text, "%s, %s: interpreter/translator:%s", s->name, what, text);
    struct cpu_bench *b = pair.of[1];
    int caught = cpu_bench_caught(b, HANDLERS);
    if (!must || (must->vector < 0 && s->kind & KIND_UNSURE))
        return;
    cr_assert_eq(caught, must->vector < 0 ? EXC_UD : must->vector, "%s, %s: exception %d, not %d", s->name, what, caught, must->vector);
    unsigned words = caught == EXC_UD ? 0 : 1;
    uint32_t frame = b->cpu->gpr[ESP], eip = bench_ram32(b, frame + 4 * words), error = words ? bench_ram32(b, frame) : 0;
    uint32_t expected = eip_of(s, must->vector < 0 ? 99 : must->insn);
    cr_assert_eq(eip, expected, "%s, %s: EIP %x, not %x", s->name, what, eip, expected);
    cr_assert_eq(error, must->vector < 0 ? 0 : must->error, "%s, %s: error %x, not %x", s->name, what, error, must->error);
    cr_assert_eq(b->cpu->cr2, must->vector == EXC_PF ? must->cr2 : 0, "%s, %s: CR2 %x, not %x", s->name, what, b->cpu->cr2, must->cr2);
}

/* --- pages ------------------------------------------------------------------------------------------------------------- */
static bool page_refuses(unsigned right, bool write, bool user, bool wp)
{
    return !(right & PTE_P) || (user && !(right & PTE_U)) || (write && !(right & PTE_W) && (user || wp));
}

static struct fault page_fault(const struct snippet *s, uint32_t base, const unsigned right[2], bool user, bool wp)
{
    for (unsigned n = 0; n < s->value_count; n++) {
        struct access a = access_of(s, n);
        uint32_t at = base + (uint32_t)a.offset;
        for (unsigned page = 0; page < 2; page++) {
            uint32_t first = MAX(at, page ? EDGE : 0u);
            if ((page ? at + a.size <= EDGE : at >= EDGE) || !page_refuses(right[page], a.write, user, wp))
                continue;
            return (struct fault){ EXC_PF, (right[page] & PTE_P) | (a.write ? PTE_W : 0) | (user ? PTE_U : 0u), first, a.insn };
        }
    }
    return (struct fault){ .vector = -1 };
}

static void make_tables(struct cpu_bench *b)
{
    uint8_t tables[0x2000] = { 0 };
    le32_put(tables, TABLE | PTE_P | PTE_W | PTE_U);
    for (unsigned n = 0; n < RAM / 4096; n++)
        le32_put(tables + 4096 + n * 4, n << 12 | PTE_P | PTE_W | PTE_U);
    cpu_bench_load(b, DIRECTORY, tables, sizeof tables);
}

static void map(struct cpu_bench *b, const unsigned right[2], bool wp)
{
    uint8_t entries[8];
    le32_put(entries, FRAME_FIRST | right[0]);
    le32_put(entries + 4, FRAME_SECOND | right[1]);
    cpu_bench_load(b, TABLE + FIRST / 4096 * 4, entries, sizeof entries);
    for (unsigned n = 0; n < 128; n++) {
        b->ram[FRAME_FIRST + 4095 - n] = (uint8_t)(0x60 + n * 7 % 31);
        b->ram[FRAME_SECOND + n] = (uint8_t)(0x40 + n * 5 % 29);
    }
    b->cpu->cr3 = DIRECTORY;
    b->cpu->cr0 |= CR0_PG;
    b->cpu->cr0 = wp ? b->cpu->cr0 | CR0_WP : b->cpu->cr0 & ~(uint32_t)CR0_WP;
    mmu_flush(b->cpu, true);
}

static unsigned touch_of(const unsigned right[2], bool user, bool wp)
{
    unsigned touch = 0;
    for (unsigned n = 0; n < 2; n++)
        touch |= (page_refuses(right[n], false, user, wp) ? 0 : page_refuses(right[n], true, user, wp) ? READ_FIRST : WRITE_FIRST) << 2 * n;
    return touch;
}

static void at_page_ends(const struct snippet *s, bool user, bool wp)
{
    int32_t low, high;
    span_of(s, &low, &high);
    PAIR_EACH(&pair, b)
        make_tables(b);
    load_snippet(s);
    for (uint32_t base = EDGE - (uint32_t)high - 1; base <= EDGE - (uint32_t)low + 1; base += s->value_count ? 1 : 13)
        for (unsigned n = 0; n < 25; n++) {
            unsigned right[2] = { rights[n / 5], rights[n % 5] };
            char what[96];
            struct fault must = page_fault(s, base, right, user, wp);
            bool known = s->value_count && (user || !(s->kind & KIND_STACK));       /* a kernel without a stack can't tell */
            for (unsigned warm = 0; warm < 2; warm++) {
                snprintf(what, sizeof what, "base %x, pages %x %x, %s, WP %d, %s", base, right[0], right[1], user ? "user" : "kernel", wp,
                         warm ? "touched" : "not touched");
                start_anew(s);
                PAIR_EACH(&pair, b) {
                    start(b, s, base, user);
                    map(b, right, wp);
                    b->cpu->eip = warm ? TOUCH + touch_of(right, user, wp) * TOUCH_BYTES : CPU_BENCH_CODE;
                }
                check(s, known ? &must : NULL, what);
            }
        }
}

static void all_page_ends(bool user, bool wp)
{
    for (size_t n = 0; n < table.count; n++)
        at_page_ends(&table.all[n], user, wp);
}

PAIR_TEST(edges, pages_of_a_user, &pair, all_page_ends(true, false))
PAIR_TEST(edges, pages_of_the_kernel, &pair, all_page_ends(false, false))
PAIR_TEST(edges, pages_of_the_kernel_with_wp, &pair, all_page_ends(false, true))

/* --- segments ------------------------------------------------------------------------------------------------------------ */
/* The last byte that may be accessed is EDGE - 1; in an expand-down segment it is the first: EDGE. */
enum segment_kind { UP, UP_64K, DOWN, READ_ONLY, ABSENT };

static void limit_segments(struct cpu_bench *b, enum segment_kind kind, bool based)
{
    static const uint32_t types[] = { 3, 3, 7, 1, 3 };
    for (unsigned n = ES; n <= DS; n++) {
        struct segment *s = &b->cpu->seg[n];
        if (n == CS || (n == SS && kind >= READ_ONLY))
            continue;
        *s = (struct segment){ .selector = BENCH_USER_DATA, .access = types[kind] | SEG_S | 3 << 5 | SEG_P | SEG_DB | SEG_G,
                               .limit = kind == UP_64K ? 0xffff : kind == READ_ONLY ? ~0u : EDGE - 1, .base = based ? 0x1003 : 0 };
        if (kind == ABSENT)
            *s = (struct segment){ .access = SEG_NULL };
    }
    segment_mode_changed(b->cpu);
}

static bool segment_refuses(enum segment_kind kind, bool write, uint32_t at, unsigned size)
{
    switch (kind) {
    case UP: case UP_64K: {
        uint64_t limit = kind == UP ? EDGE - 1 : 0xffff;
        return (uint64_t)at + size - 1 > limit;
    }
    case DOWN: return at < EDGE || (uint64_t)at + size - 1 > UINT32_MAX;
    case READ_ONLY: return write;
    default: return true;
    }
}

static struct fault segment_fault(const struct snippet *s, uint32_t base, enum segment_kind kind)
{
    bool stack = s->kind & KIND_STACK;
    for (unsigned n = 0; n < s->value_count; n++) {
        struct access a = access_of(s, n);
        if (segment_refuses(stack && kind >= READ_ONLY ? READ_ONLY : kind, a.write && (!stack || kind < READ_ONLY), base + (uint32_t)a.offset, a.size))
            return (struct fault){ stack ? EXC_SS : EXC_GP, 0, 0, a.insn };
    }
    return (struct fault){ .vector = -1 };
}

/* Handlers run on the kernel's stack, so the user's may be anything. A push in a DATA snippet goes to a stack of its own, which
 * must be inside the limits that all share: its address is below. */
static void at_limits(const struct snippet *s, enum segment_kind kind, bool based)
{
    int32_t low, high;
    bool own_stack = !(s->kind & KIND_STACK);
    uint32_t edge = kind == UP_64K ? 0x10000 : EDGE;
    span_of(s, &low, &high);
    load_snippet(s);
    for (uint32_t base = edge - (uint32_t)high - 1; base <= edge - (uint32_t)low + 1; base++) {
        char what[96];
        snprintf(what, sizeof what, "base %x, segments %d%s", base, kind, based ? " with a base" : "");
        start_anew(s);
        PAIR_EACH(&pair, b) {
            start(b, s, base, true);
            b->cpu->eip = TOUCH + TOUCH_ALL * TOUCH_BYTES;
            limit_segments(b, kind, based);
            if (own_stack)
                b->cpu->gpr[ESP] = kind == DOWN ? EDGE + 0x100 : USER_STACK;
        }
        struct fault must = segment_fault(s, base, kind);
        check(s, s->value_count ? &must : NULL, what);
    }
}

static void at_all_limits(enum segment_kind kind)
{
    for (size_t n = 0; n < table.count; n++)
        for (unsigned based = 0; based < 2; based++)
            at_limits(&table.all[n], kind, based);
}

PAIR_TEST(edges, segments_up, &pair, at_all_limits(UP))
PAIR_TEST(edges, segments_of_64_kib, &pair, at_all_limits(UP_64K))
PAIR_TEST(edges, segments_down, &pair, at_all_limits(DOWN))
PAIR_TEST(edges, segments_read_only, &pair, at_all_limits(READ_ONLY))
PAIR_TEST(edges, segments_absent, &pair, at_all_limits(ABSENT))

/* --- alignment -------------------------------------------------------------------------------------------------------------- */
static unsigned alignment_of(unsigned size) { return size == 10 ? 8 : size == 16 ? 1 : size; }

static void misaligned(const struct snippet *s, bool user)
{
    load_snippet(s);
    for (uint32_t base = FIRST + 0x800; base < FIRST + 0x810; base++) {
        struct fault must = { .vector = -1 };
        char what[96];
        snprintf(what, sizeof what, "base %x, alignment checks, %s", base, user ? "user" : "kernel");
        start_anew(s);
        PAIR_EACH(&pair, b) {
            start(b, s, base, user);
            b->cpu->eip = TOUCH + TOUCH_ALL * TOUCH_BYTES;
            b->cpu->cr0 |= CR0_AM;
            cpu_set_flags(b->cpu, FLAG_AC);
            mmu_privilege_changed(b->cpu);
        }
        for (unsigned n = 0; user && n < s->value_count && must.vector < 0; n++) {
            struct access a = access_of(s, n);
            if ((base + (uint32_t)a.offset) & (alignment_of(a.size) - 1))
                must = (struct fault){ EXC_AC, 0, 0, a.insn };
        }
        check(s, s->value_count ? &must : NULL, what);
        PAIR_EACH(&pair, b)
            b->cpu->cr0 &= ~(uint32_t)CR0_AM;
    }
}

static void all_misaligned(void)
{
    for (size_t n = 0; n < table.count; n++)
        for (unsigned user = 0; user < 2; user++)
            misaligned(&table.all[n], user);
}
PAIR_TEST(edges, alignment_checks, &pair, all_misaligned())
