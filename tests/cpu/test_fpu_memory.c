/* Memory operands of x87, MMX and SSE through the whole interpreter: every form across a page boundary gives what it gives
 * inside a page, and changes nothing when the second page is not there. */
#include "tests/support/cpu_bench.h"
#include "tests/support/fpu_bench.h"
#include <criterion/criterion.h>

enum { PAGE_TABLES = 0x40000, HANDLERS = 0x30000, BOUNDARY = 0x21000, INSIDE = 0x24100, PTE_USED = 0x63, PTE_READ_ONLY = 0x61,
       CROSSED = 112 };                         /* bytes watched around each place */

static struct cpu_bench *b;
static struct cpu *c;

static void map(uint32_t page, uint32_t bits)
{
    le32_put(b->ram + PAGE_TABLES + 0x1000 + (page >> 12) * 4, bits ? page | bits : 0);
    mmu_flush(c, true);
}
static void setup(void)
{
    b = cpu_bench_new("pentium4", 0x100000);
    c = b->cpu;
}
static void teardown(void) { cpu_bench_free(b); }
TestSuite(fpu_memory, .init = setup, .fini = teardown);

/* Eight values, R7 empty, TOP 0; XMM and memory hold small numbers. */
static void begin(void)
{
    cpu_bench_flat(b);
    cpu_bench_catch(b, HANDLERS);
    le32_put(b->ram + PAGE_TABLES, (PAGE_TABLES + 0x1000) | 0x67);
    for (uint32_t page = 0; page < 0x100000; page += 4096)
        map(page, PTE_USED);
    c->cr0 |= CR0_NE;
    control_write_cr4(c, CR4_OSFXSR | CR4_OSXMMEXCPT);
    control_write_cr3(c, PAGE_TABLES);
    control_write_cr0(c, c->cr0 | CR0_PG | CR0_WP);
    fpu_init(&c->fpu);
    c->mxcsr = MXCSR_INIT;
    for (unsigned n = 0; n < 8; n++) {
        c->fpu.reg[n] = (struct float80){ 0x8000000000000000 | (uint64_t)n << 40, (uint16_t)(0x3fff + n) };
        for (unsigned k = 0; k < 4; k++)
            c->xmm[n].dword[k] = 0x3f800000 + n * 0x100001 + k;
    }
    c->fpu.tags = 0x7f;
    c->gpr[ECX] = 0x1234567;
}
static void fill(uint32_t at)
{
    for (uint32_t n = 0; n < CROSSED; n++)
        b->ram[at + n] = n == 7 ? 0x40 : n == 8 || n == 9 ? 0x3f : (uint8_t)(n * 7 + 1);
    le16_put(b->ram + at, 0x37f);               /* as FLDENV, FLDCW, LDMXCSR find it */
    le16_put(b->ram + at + 2, 0);
    le16_put(b->ram + at + 4, 0);
    le16_put(b->ram + at + 8, 0xffff);
}

static bool takes_memory(const struct opcode *o)
{
    unsigned d = operands[o->dst].method, s = operands[o->src].method;
    if (o->form == FORM_INDEX_mem)
        return true;
    bool rm = d == METHOD_E || d == METHOD_Q || d == METHOD_W || s == METHOD_E || s == METHOD_Q || s == METHOD_W
        || s == METHOD_Q_IB || s == METHOD_W_IB || s == METHOD_RM_IB;
    return o->form == FORM_INDEX_both && rm;
}
static unsigned encode(uint8_t *bytes, const struct opcode *o, uint32_t address)
{
    static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
    unsigned n = 0;
    if (o->prefix < PREFIX_COUNT && prefixes[o->prefix])
        bytes[n++] = prefixes[o->prefix];
    if (o->map == MAP_TWO)
        bytes[n++] = 0x0f;
    bytes[n++] = o->opcode;
    bytes[n++] = (uint8_t)((o->group <= GROUP_INDEX_7 ? o->group : 1) << 3 | 5);
    le32_put(bytes + n, address);
    bytes[n + 4] = 1;                           /* the immediate, if any */
    return n + 5;
}
/* The vector whose handler (an HLT) was entered, executed or not; or -1. */
static int caught(void)
{
    uint32_t at = c->eip - HANDLERS - (c->halted ? 1 : 0);
    return at < 32 * 16 ? (int)(at / 16) : -1;
}
/* Runs it; the vector caught or -1. */
static int run(const struct opcode *o, uint32_t address)
{
    uint8_t bytes[16];
    unsigned length = encode(bytes, o, address);
    cpu_bench_code(b, bytes, length, 1);
    return caught();
}

struct snapshot { struct fpu fpu; struct xmm xmm[8]; uint32_t mxcsr, gpr[8]; uint16_t arith; };
static struct snapshot look(void)
{
    struct snapshot s;
    memset(&s, 0, sizeof s);
    s.fpu = c->fpu;
    s.fpu.ip = s.fpu.dp = 0;
    memcpy(s.xmm, c->xmm, sizeof s.xmm);
    s.mxcsr = c->mxcsr;
    memcpy(s.gpr, c->gpr, sizeof s.gpr);
    s.gpr[ESP] = 0;
    s.arith = c->arith;
    return s;
}
static bool same(const struct snapshot *x, const struct snapshot *y)
{
    bool registers = true;
    for (unsigned n = 0; n < 8; n++)
        registers = registers && x->fpu.reg[n].mantissa == y->fpu.reg[n].mantissa && x->fpu.reg[n].exponent == y->fpu.reg[n].exponent;
    return registers && x->fpu.status == y->fpu.status && x->fpu.control == y->fpu.control && x->fpu.tags == y->fpu.tags
        && x->fpu.opcode == y->fpu.opcode && x->mxcsr == y->mxcsr && x->arith == y->arith
        && !memcmp(x->xmm, y->xmm, sizeof x->xmm) && !memcmp(x->gpr, y->gpr, sizeof x->gpr);
}

/* Calls fn for each line with a memory operand. */
static unsigned each_line(bool (*fn)(const struct opcode *))
{
    unsigned count, bad = 0, tried = 0;
    for (unsigned id = fpu_bench_lines(&count); count; id++, count--) {
        if (!takes_memory(&opcodes[id]) || !strcmp(opcodes[id].name, "FXSAVE") || !strcmp(opcodes[id].name, "FXRSTOR"))
            continue;
        tried++;
        if (!fn(&opcodes[id])) {
            cr_log_warn("%s", opcodes[id].name);
            bad++;
        }
    }
    cr_assert_gt(tried, 250u, "only %u lines have a memory operand", tried);
    return bad;
}

static bool crossing_equals_inside(const struct opcode *o)
{
    begin();
    fill(INSIDE);
    int inside_vector = run(o, INSIDE);
    struct snapshot inside = look();
    begin();
    fill(BOUNDARY - 1);
    int vector = run(o, BOUNDARY - 1);
    struct snapshot crossing = look();
    if (vector == EXC_GP)                       /* 16-byte operands */
        return inside_vector == -1 && o->map == MAP_TWO;
    /* FIP is the same on both sides, FDP in what FNSTENV and FNSAVE wrote is not looked at: there was none yet */
    return vector == -1 && inside_vector == -1 && same(&inside, &crossing)
        && !memcmp(b->ram + INSIDE, b->ram + BOUNDARY - 1, CROSSED);
}
Test(fpu_memory, crossing_a_page) { cr_assert_eq(each_line(crossing_equals_inside), 0u); }

static bool one_byte_of_first_page(const struct opcode *o) { return operands[o->dst].size == 1 || operands[o->src].size == 1; }

static bool faults_whole(const struct opcode *o)
{
    uint8_t before[CROSSED];
    begin();
    fill(BOUNDARY - 1);
    memcpy(before, b->ram + BOUNDARY - 1, CROSSED);
    map(BOUNDARY, 0);
    struct snapshot start = look();
    int vector = run(o, BOUNDARY - 1);
    struct snapshot end = look();
    if (vector == EXC_PF && c->cr2 != BOUNDARY)
        return false;
    return (vector == EXC_PF || (vector == EXC_GP && o->map == MAP_TWO)) && same(&start, &end)
        && !memcmp(b->ram + BOUNDARY - 1, before, CROSSED) && !one_byte_of_first_page(o);
}
Test(fpu_memory, second_page_absent) { cr_assert_eq(each_line(faults_whole), 0u); }

/* Aligned, but in a page that is absent: what is left are 16-byte operands. */
static bool faults_aligned(const struct opcode *o)
{
    begin();
    map(BOUNDARY, 0);
    struct snapshot start = look();
    int vector = run(o, BOUNDARY);
    struct snapshot end = look();
    return vector == EXC_PF && c->cr2 == BOUNDARY && same(&start, &end);
}
Test(fpu_memory, page_absent) { cr_assert_eq(each_line(faults_aligned), 0u); }

static const uint8_t fxsave[] = { 0x0f, 0xae, 0x05, 0x00, 0x0f, 0x02, 0x00 }, fxrstor[] = { 0x0f, 0xae, 0x0d, 0x00, 0x0f, 0x02, 0x00 };
Test(fpu_memory, fxsave_across_pages)
{
    begin();
    struct snapshot start = look();
    cpu_bench_code(b, fxsave, sizeof fxsave, 1);
    cr_assert_eq(caught(), -1);
    memset(c->xmm, 0, sizeof c->xmm);
    fpu_init(&c->fpu);
    cpu_bench_code(b, fxrstor, sizeof fxrstor, 1);
    struct snapshot end = look();
    cr_assert(same(&start, &end));
}
Test(fpu_memory, fxsave_second_page_read_only)
{
    begin();
    memset(b->ram + BOUNDARY - 0x100, 0x55, 0x200);
    map(BOUNDARY, PTE_READ_ONLY);
    cpu_bench_code(b, fxsave, sizeof fxsave, 1);
    cr_assert_eq(caught(), EXC_PF);
    cr_assert_eq(c->cr2, (uint32_t)BOUNDARY);
    cr_assert_eq(b->ram[BOUNDARY - 0x100], 0x55, "nothing is written to the first page");
}

/* A program: integer and floating point together, and the loop that waits for IRQ13. */
Test(fpu_memory, stalls_until_an_interrupt)
{
    static const uint8_t code[] = { 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x40, 0x9b, 0x40 };    /* 1/0, INC, WAIT, INC */
    begin();
    c->cr0 &= ~(uint32_t)CR0_NE;
    c->fpu.tags = 0;
    c->fpu.control = 0x37b;
    c->gpr[EAX] = 0;
    cr_assert_eq(cpu_bench_code(b, code, sizeof code, 1000), CPU_BUDGET);
    cr_assert_eq(c->eip, CPU_BENCH_CODE + 7u, "it stays at WAIT");
    cr_assert_eq(c->gpr[EAX], 1u);
    cr_assert(c->ferr);
}
