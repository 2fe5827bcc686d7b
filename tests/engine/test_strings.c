/* Repeated string instructions that meet a page which refuses them: ECX, ESI, EDI, flags and memory are those of the elements before, EIP is
 * the instruction's; when the page is mended the instruction goes on to its end. On both engines, against a model. */
#include "tests/support/pair_bench.h"
#include "engine/translator/translator.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, DIRECTORY = 0x10000, TABLE = 0x11000, SOURCE_EDGE = 0x21000, TARGET_EDGE = 0x23000, FRAMES = 0x30000,
       ELEMENTS = 9, BASE16 = 0x18000 };
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4 };
enum string_op { MOVS, CMPS, STOS, LODS, SCAS, OPS };
static const uint8_t opcodes_of[OPS] = { 0xa4, 0xa6, 0xaa, 0xac, 0xae };
static const char *const names[OPS] = { "MOVS", "CMPS", "STOS", "LODS", "SCAS" };

/* Where elements lie: `before` bytes of each string are on this side of its edge. rights: of source and target pages, lower and upper. */
struct string { enum string_op op; unsigned size, count, before[2]; bool down, ne, narrow; uint8_t rights[4]; };
struct outcome { uint32_t eax, ecx, esi, edi, cr2, error; bool fault, zf; uint8_t memory[4][4096]; };
static struct pair pair;

static void setup(void)
{
    pair = pair_new("pentium4", RAM);
    PAIR_EACH(&pair, b) {
        cpu_bench_flat(b);
        cpu_bench_catch(b, HANDLERS);
        le32_put(b->ram + DIRECTORY, TABLE | PTE_P | PTE_W | PTE_U);
        for (unsigned n = 0; n < RAM / 4096; n++)
            le32_put(b->ram + TABLE + n * 4, n << 12 | PTE_P | PTE_W | PTE_U);
    }
}

static void teardown(void)
{
    cr_assert_gt(translator_of(pair.of[1]->cpu)->count.entries, 1000);
    pair_free(&pair);
}
TestSuite(strings, .init = setup, .fini = teardown, .timeout = 300);

/* --- the model ----------------------------------------------------------------------------------------------------------- */
static uint8_t *byte_of(struct outcome *o, uint32_t at) { return &o->memory[(at >> 12) - 0x20][at & 4095]; }

static bool touch(struct outcome *o, const struct string *s, uint32_t at, bool write)
{
    for (unsigned n = 0; n < s->size; n++) {
        unsigned right = s->rights[((at + n) >> 12) - 0x20];
        if (right & PTE_P && (!write || right & PTE_W))
            continue;
        o->fault = true;
        o->cr2 = at + n;
        o->error = (right & PTE_P) | (write ? PTE_W : 0);
        return false;
    }
    return true;
}

static uint32_t get(struct outcome *o, const struct string *s, uint32_t at)
{
    uint32_t v = 0;
    for (unsigned n = 0; n < s->size; n++)
        v |= (uint32_t)*byte_of(o, at + n) << n * 8;
    return v;
}

static void put(struct outcome *o, const struct string *s, uint32_t at, uint32_t v)
{
    for (unsigned n = 0; n < s->size; n++)
        *byte_of(o, at + n) = (uint8_t)(v >> n * 8);
}

static void model(struct outcome *o, const struct string *s)
{
    uint32_t base = s->narrow ? BASE16 : 0, step = s->down ? -s->size : s->size, mask = s->size == 4 ? ~0u : (1u << s->size * 8) - 1;
    bool reads = s->op != STOS && s->op != SCAS, second = s->op != LODS;
    while (o->ecx) {
        uint32_t from = o->esi + base, to = o->edi + base;
        if ((reads && !touch(o, s, from, false)) || (second && !touch(o, s, to, s->op == MOVS || s->op == STOS)))
            return;
        if (s->op == MOVS || s->op == STOS)
            put(o, s, to, s->op == MOVS ? get(o, s, from) : o->eax);
        else if (s->op == LODS)
            o->eax = (o->eax & ~mask) | get(o, s, from);
        else
            o->zf = (s->op == CMPS ? get(o, s, from) : o->eax & mask) == get(o, s, to);
        o->esi += reads ? step : 0;
        o->edi += second ? step : 0;
        o->ecx--;
        if ((s->op == CMPS || s->op == SCAS) && o->zf == s->ne)
            return;
    }
}

/* --- the engines ------------------------------------------------------------------------------------------------------------ */
static unsigned code_of(const struct string *s, uint8_t *code)
{
    unsigned n = 0;
    code[n++] = s->ne ? 0xf2 : 0xf3;
    if (s->size == 2)
        code[n++] = 0x66;
    if (s->narrow)
        code[n++] = 0x67;
    code[n++] = (uint8_t)(opcodes_of[s->op] + (s->size > 1));
    code[n++] = 0x0f;
    code[n++] = 0x0b;
    return n;
}

static void map(struct cpu_bench *b, const uint8_t *rights)
{
    uint8_t entries[16];
    for (unsigned n = 0; n < 4; n++)            /* not side by side in memory */
        le32_put(entries + n * 4, (FRAMES + n * 0x2000) | rights[n]);
    cpu_bench_load(b, TABLE + 0x20 * 4, entries, sizeof entries);
    b->cpu->cr3 = DIRECTORY;
    b->cpu->cr0 |= CR0_PG | CR0_WP;
    mmu_flush(b->cpu, true);
}

static void start(struct cpu_bench *b, const struct string *s, const struct outcome *o)
{
    struct cpu *c = b->cpu;
    cpu_bench_flat(b);
    c->idtr = (struct table_register){ CPU_BENCH_IDT, 32 * 8 - 1 };
    map(b, s->rights);
    for (unsigned n = 0; n < 4; n++)
        memcpy(b->ram + FRAMES + n * 0x2000, o->memory[n], 4096);
    if (s->narrow) {
        c->seg[DS].base = c->seg[ES].base = BASE16;
        segment_mode_changed(c);
    }
    cpu_set_flags(c, s->down ? FLAG_DF : 0);
    c->gpr[EAX] = o->eax;
    c->gpr[ECX] = o->ecx;
    c->gpr[ESI] = o->esi;
    c->gpr[EDI] = o->edi;
    c->cr2 = 0;
    c->instructions = 0;
}

static void compare(struct outcome *o, const struct string *s, const char *what)
{
    struct cpu_bench *b = pair.of[1];
    struct cpu *c = b->cpu;
    char text[512];
    pair_difference(&pair, text, sizeof text);
    cr_assert_str_empty(text, "%s: interpreter/translator:%s", what, text);
    cr_assert_eq(cpu_bench_caught(b, HANDLERS), o->fault ? EXC_PF : EXC_UD, "%s", what);
    uint32_t values[][2] = { { c->gpr[EAX], o->eax }, { c->gpr[ECX], o->ecx }, { c->gpr[ESI], o->esi }, { c->gpr[EDI], o->edi },
        { c->cr2, o->cr2 }, { o->fault ? bench_ram32(b, c->gpr[ESP]) : 0, o->error },
        { bench_ram32(b, c->gpr[ESP] + (o->fault ? 4 : 0)), CPU_BENCH_CODE + (o->fault ? 0 : 2u + (s->size == 2) + s->narrow) } };
    static const char *const fields[] = { "EAX", "ECX", "ESI", "EDI", "CR2", "error", "EIP" };
    for (unsigned n = 0; n < ARRAY_SIZE(values); n++)
        cr_assert_eq(values[n][0], values[n][1], "%s: %s %x, not %x", what, fields[n], values[n][0], values[n][1]);
    for (unsigned n = 0; n < 4; n++)
        cr_assert_arr_eq(b->ram + FRAMES + n * 0x2000, o->memory[n], 4096, "%s: page %u", what, n);
}

/* After the fault: the pages are there, and the instruction goes on. */
static void mend(struct outcome *o, struct string *s, const char *what)
{
    static const uint8_t good[4] = { 7, 7, 7, 7 };
    memcpy(s->rights, good, sizeof good);
    o->fault = false;
    o->cr2 = o->error = 0;
    model(o, s);
    PAIR_EACH(&pair, b) {
        map(b, good);
        b->cpu->halted = false;
        b->cpu->gpr[ESP] = CPU_BENCH_STACK;
        b->cpu->eip = CPU_BENCH_CODE;
        b->cpu->cr2 = 0;
    }
    pair_run(&pair, 300);
    compare(o, s, what);
}

static void run(struct string s)
{
    static struct outcome o;
    char what[160];
    uint32_t base = s.narrow ? BASE16 : 0, edge[2] = { SOURCE_EDGE, TARGET_EDGE }, at[2];
    snprintf(what, sizeof what, "%s%s of %u, %u elements, %u and %u bytes before the edges%s%s, pages %x %x %x %x", s.ne ? "REPNE " : "REP ",
             names[s.op], s.size, s.count, s.before[0], s.before[1], s.down ? ", down" : "", s.narrow ? ", 16 bits" : "", s.rights[0],
             s.rights[1], s.rights[2], s.rights[3]);
    for (unsigned n = 0; n < 2; n++)
        at[n] = edge[n] - base + (s.down ? s.before[n] - s.size : -s.before[n]);
    memset(&o, 0, sizeof o);
    o.eax = 0x5a5a5a5a;
    o.ecx = s.count;
    o.esi = at[0];
    o.edi = at[1];
    for (unsigned n = 0; n < 4; n++)            /* what SCAS looks for and CMPS compares is the same for some elements */
        memset(o.memory[n], s.op == SCAS && s.ne ? 0x33 : 0x5a, 4096);
    if (s.op == CMPS && s.ne)
        memset(o.memory[2], 0x33, 8192);
    PAIR_EACH(&pair, b)
        start(b, &s, &o);
    pair_run(&pair, 300);
    model(&o, &s);
    compare(&o, &s, what);
    if (o.fault)
        mend(&o, &s, what);
}

static void run_op(struct string s)
{
    static const uint8_t pages[][4] = { { 7, 7, 7, 7 }, { 7, 0, 7, 7 }, { 7, 7, 7, 0 }, { 7, 0, 7, 0 }, { 7, 7, 7, 5 }, { 0, 7, 7, 7 }, { 7, 7, 0, 7 },
                                        { 7, 7, 5, 7 }, { 5, 5, 5, 5 }, { 0, 0, 0, 0 } };
    uint8_t code[8];
    unsigned length = code_of(&s, code);
    PAIR_EACH(&pair, b)
        cpu_bench_load(b, CPU_BENCH_CODE, code, length);
    for (unsigned p = 0; p < ARRAY_SIZE(pages); p++)
        for (s.before[0] = 0; s.before[0] <= ELEMENTS * s.size; s.before[0] += MAX(s.size - 1, 1u))
            for (s.before[1] = 0; s.before[1] <= ELEMENTS * s.size; s.before[1] += s.size + 1) {
                memcpy(s.rights, pages[p], sizeof s.rights);
                run(s);
            }
}

static void run_all(enum string_op op)
{
    for (unsigned n = 0; n < 8; n++)
        for (unsigned size = 1; size <= 4; size *= 2)
            if (!(n & 2) || op == CMPS || op == SCAS)
                run_op((struct string){ .op = op, .size = size, .count = ELEMENTS, .down = n & 1, .ne = n & 2, .narrow = n & 4 });
}

PAIR_TEST(strings, movs, &pair, run_all(MOVS))
PAIR_TEST(strings, cmps, &pair, run_all(CMPS))
PAIR_TEST(strings, stos, &pair, run_all(STOS))
PAIR_TEST(strings, lods, &pair, run_all(LODS))
PAIR_TEST(strings, scas, &pair, run_all(SCAS))
