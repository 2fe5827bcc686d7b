/* What is between the host's x87 unit and the guest's: the pointers that FNSTENV, FNSAVE and FXSAVE store are those of the guest's last
 * instruction and operand, never of the host; an unmasked exception is reported by the next instruction that waits, as #MF or, with
 * CR0.NE clear, through FERR#. On both engines; what must happen is in the table (x87.asm). */
#include "tests/support/pair_bench.h"
#include "tests/support/snippets.h"
#include "engine/translator/translator.h"
#include "x86/fpu.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { RAM = 1 << 18, HANDLERS = 0x6000, ISR = 0x6800, VECTOR = 0x40, DATA = 0x9000, FRAME = 0xa000, SAVED = 0x9400, DATA_BASE = 0x3000 };
enum { REGISTER, MEMORY, STACK, CONTROL, RESETS, RAISES = 8, FOLLOWS };
static struct pair pair;
static struct snippets table;

static int intack(void *board)
{
    cpu_class.input(&((struct cpu *)board)->dev, CPU_INTR, false);
    return VECTOR;
}

static void setup(void)
{
    static const uint8_t isr[] = { 0xdb, 0xe2, 0xff, 0x05, 0x00, 0x80, 0x00, 0x00, 0xcf };      /* fnclex; inc dword [8000h]; iret */
    pair = pair_new("pentium4", RAM);
    table = snippets_load("x87");
    PAIR_EACH(&pair, b) {
        cpu_bench_flat(b);
        cpu_bench_catch(b, HANDLERS);
        le32_put(b->ram + CPU_BENCH_IDT + VECTOR * 8, BENCH_CODE << 16 | ISR);
        le32_put(b->ram + CPU_BENCH_IDT + VECTOR * 8 + 4, 0x8e00);
        cpu_bench_load(b, ISR, isr, sizeof isr);
        b->cpu->pins = (struct cpu_pins){ .board = b->cpu, .intack = intack };
    }
}

static void teardown(void)
{
    cr_assert_gt(translator_of(pair.of[1]->cpu)->count.fpu_loads, 50);
    snippets_free(&table);
    pair_free(&pair);
}
TestSuite(x87, .init = setup, .fini = teardown, .timeout = 120);

static void start(struct cpu_bench *b, bool user, bool based, uint16_t control)
{
    struct cpu *c = b->cpu;
    if (user)
        cpu_bench_user(b);
    else
        cpu_bench_flat(b);
    c->idtr = (struct table_register){ CPU_BENCH_IDT, (VECTOR + 1) * 8 - 1 };
    if (based) {
        c->seg[DS].base = DATA_BASE;
        segment_mode_changed(c);
    }
    for (unsigned n = 0; n < 0x1000; n++)
        b->ram[DATA + n] = (uint8_t)(0x30 + n % 7);
    uint32_t edi = SAVED;
    le32_put(b->ram + edi - 32, 20000);
    le32_put(b->ram + edi - 28, (uint32_t)-1000);
    le32_put(b->ram + edi - 24, 0x501502f9);    /* 1e10 */
    le16_put(b->ram + edi - 16, FPU_CONTROL_INIT);
    le16_put(b->ram + edi - 14, 0x340);
    memset(b->ram + 0x6900, 0, 0x1700);
    le32_put(b->ram + 0x8000, 0);
    c->gpr[ESI] = based ? DATA - DATA_BASE : DATA;
    c->gpr[EDI] = based ? SAVED - DATA_BASE : SAVED;
    c->gpr[EBP] = FRAME;
    c->gpr[ESP] = FRAME - 0x40;
    c->gpr[ECX] = 3;
    c->cr0 = (c->cr0 & ~(uint32_t)(CR0_TS | CR0_EM)) | CR0_NE | CR0_MP;
    c->cr4 |= CR4_OSFXSR;
    cpu_set_flags(c, FLAG_IF);
    fpu_init(&c->fpu);
    fpu_set_control(c, control);
    c->fpu.status = 6 << 11;
    c->fpu.tags = 0xc0;
    for (unsigned n = 0; n < 8; n++)
        c->fpu.reg[n] = (struct float80){ 0xc000000000000000u + n, 0x3fff };
    c->fpu.ip = 0x1111;
    c->fpu.cs = 0x22;
    c->fpu.dp = 0x3333;
    c->fpu.ds = 0x44;
    c->fpu.opcode = 0x155;
    c->instructions = 0;
}

static void same(const char *what)
{
    char text[512];
    pair_difference(&pair, text, sizeof text);
    cr_assert_str_empty(text, "%s: interpreter/translator:%s", what, text);
}

/* --- pointers ----------------------------------------------------------------------------------------------------------------- */
/* Stores of the environment to [edi]: code, and where each field is in the image. */
static const struct store { const char *name; uint8_t code[4]; unsigned ip, cs, dp, ds, opcode, opcode_mask; } stores[] = {
    { "FNSTENV", { 0xd9, 0x37 }, 12, 16, 20, 24, 18, 0x7ff }, { "FNSAVE", { 0xdd, 0x37 }, 12, 16, 20, 24, 18, 0x7ff },
    { "FXSAVE", { 0x0f, 0xae, 0x07 }, 8, 12, 16, 20, 6, 0x7ff },
};
/* Before it: nothing, x87 instructions that the host's unit executes, the same with memory, and one that a handler does. */
static const uint8_t leads[][12] = { { 0 }, { 0xd9, 0xe8, 0xdd, 0xd8 }, { 0xd9, 0x06, 0xdd, 0xd8, 0xdc, 0x4e, 0x08 }, { 0xdb, 0x6e, 0x10, 0xdd, 0xd8 } };

static void pointers(const struct snippet *s, const struct store *store, const uint8_t *lead, bool user, bool based)
{
    uint8_t code[64] = { 0 };
    size_t before = strlen((const char *)lead), length = before;
    char what[160];
    snprintf(what, sizeof what, "%s after %zu bytes, %s, %s%s", s->name, before, store->name, user ? "user" : "kernel", based ? ", a base" : "");
    memcpy(code, lead, before);
    memcpy(code + length, s->code, s->length);
    length += s->length;
    memcpy(code + length, store->code, 4);
    length += store->code[2] ? 3 : 2;
    memcpy(code + length, "\x0f\x0b", 2);
    PAIR_EACH(&pair, b) {
        start(b, user, based, FPU_CONTROL_INIT);
        cpu_bench_load(b, CPU_BENCH_CODE, code, length + 2);
    }
    pair_run(&pair, 300);
    same(what);
    struct cpu_bench *b = pair.of[1];
    cr_assert_eq(cpu_bench_caught(b, HANDLERS), EXC_UD, "%s", what);
    if (s->kind == CONTROL && before)
        return;                                 /* they are those of the lead: both engines say the same */
    bool unchanged = s->kind == CONTROL, zero = s->kind == RESETS, operand = s->kind == MEMORY || s->kind == STACK;
    bool lead_operand = strlen((const char *)lead) > 4;
    uint32_t dp = s->kind == STACK ? FRAME + s->value[1] : b->cpu->gpr[ESI] + s->value[1];
    uint32_t data = user ? BENCH_USER_DATA : BENCH_DATA;
    const struct { const char *name; uint32_t is, must; } fields[] = {
        { "FIP", le32_get(b->ram + SAVED + store->ip), unchanged ? 0x1111 : zero ? 0 : CPU_BENCH_CODE + (uint32_t)before },
        { "FCS", le16_get(b->ram + SAVED + store->cs), unchanged ? 0x22u : zero ? 0u : user ? BENCH_USER_CODE : BENCH_CODE },
        { "FOP", le16_get(b->ram + SAVED + store->opcode) & store->opcode_mask, unchanged ? 0x155 : zero ? 0 : s->value[0] },
        { "FDP", le32_get(b->ram + SAVED + store->dp), zero ? 0 : operand ? dp : 0x3333 },
        { "FDS", le16_get(b->ram + SAVED + store->ds), zero ? 0 : operand ? data : 0x44 },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(fields) - (lead_operand && !operand && !zero ? 2 : 0); n++)
        cr_assert_eq(fields[n].is, fields[n].must, "%s: %s %x, not %x", what, fields[n].name, fields[n].is, fields[n].must);
}

static void all_pointers(void)
{
    for (size_t n = 0; n < table.count; n++)
        for (unsigned k = 0; k < ARRAY_SIZE(stores) && table.all[n].kind < RAISES; k++)
            for (unsigned l = 0; l < ARRAY_SIZE(leads); l++)
                for (unsigned m = 0; m < 4; m++)
                    pointers(&table.all[n], &stores[k], leads[l], m & 1, m & 2);
}

PAIR_TEST(x87, pointers_are_the_guests, &pair, all_pointers())

/* --- exceptions that wait -------------------------------------------------------------------------------------------------------- */
/* Raises, something between, follows, UD2. Returns where the follower is. */
static uint32_t load(const struct snippet *raiser, const struct snippet *follower, unsigned between)
{
    static const uint8_t middle[][8] = { { 0 }, { 0x8b, 0x06, 0x01, 0xc8 }, { 0xeb, 0x01, 0xf4, 0x40 } };      /* mov, add; jmp over hlt, inc */
    uint8_t code[128];
    size_t length = raiser->length, more = strlen((const char *)middle[between]);
    memcpy(code, raiser->code, length);
    memcpy(code + length, middle[between], more);
    length += more;
    memcpy(code + length, follower->code, follower->length);
    memcpy(code + length + follower->length, "\x0f\x0b", 2);
    PAIR_EACH(&pair, b)
        cpu_bench_load(b, CPU_BENCH_CODE, code, length + follower->length + 2);
    return CPU_BENCH_CODE + (uint32_t)length;
}

static void by_vector(const struct snippet *raiser, const struct snippet *follower, unsigned between)
{
    char what[160];
    uint32_t at = load(raiser, follower, between);
    snprintf(what, sizeof what, "%s, %s, %u between", raiser->name, follower->name, between);
    PAIR_EACH(&pair, b)
        start(b, false, false, 0x340);
    pair_run(&pair, 300);
    same(what);
    struct cpu_bench *b = pair.of[1];
    int caught = cpu_bench_caught(b, HANDLERS);
    uint32_t eip = bench_ram32(b, b->cpu->gpr[ESP]);
    cr_assert_eq(caught, follower->value[0] ? EXC_MF : EXC_UD, "%s: exception %d", what, caught);
    cr_assert_eq(eip, follower->value[0] ? at : at + (uint32_t)follower->length, "%s: EIP %x", what, eip);
}

/* NE clear: FERR# rises and the instruction waits, until the interrupt that the board makes of it. */
static void by_interrupt(const struct snippet *raiser, const struct snippet *follower, unsigned between)
{
    char what[160];
    uint32_t at = load(raiser, follower, between);
    snprintf(what, sizeof what, "%s, %s, %u between, FERR#", raiser->name, follower->name, between);
    PAIR_EACH(&pair, b) {
        start(b, false, false, 0x340);
        b->cpu->cr0 &= ~(uint32_t)CR0_NE;
    }
    pair_run(&pair, 200);
    same(what);
    bool waits = follower->value[0];
    cr_assert_eq(pair.of[1]->cpu->ferr, waits, "%s: FERR# %d", what, pair.of[1]->cpu->ferr);
    if (waits) {
        cr_assert_eq(pair.of[1]->cpu->eip, at, "%s: waits at %x, not %x", what, pair.of[1]->cpu->eip, at);
        PAIR_EACH(&pair, b) {
            machine_lock(b->m);
            cpu_class.input(&b->cpu->dev, CPU_INTR, true);
            machine_unlock(b->m);
        }
        pair_run(&pair, 300);
        same(what);
        cr_assert_eq(bench_ram32(pair.of[1], 0x8000), 1, "%s: interrupts", what);
    }
    int caught = cpu_bench_caught(pair.of[1], HANDLERS);
    cr_assert(caught == EXC_UD || (pair.of[1]->cpu->ferr && caught < 0), "%s: exception %d", what, caught);
}

static void all_pairs(void (*test)(const struct snippet *, const struct snippet *, unsigned))
{
    for (size_t n = 0; n < table.count; n++)
        for (size_t k = 0; k < table.count && table.all[n].kind == RAISES; k++)
            for (unsigned between = 0; between < 3 && table.all[k].kind == FOLLOWS; between++)
                test(&table.all[n], &table.all[k], between);
}

PAIR_TEST(x87, exceptions_wait_for_the_next_instruction, &pair, all_pairs(by_vector))
PAIR_TEST(x87, exceptions_wait_for_the_interrupt, &pair, all_pairs(by_interrupt))
