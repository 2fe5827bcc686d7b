/* Every line of opcodes_fpu.def whose oracle is `native`: register and memory forms, thousands of operands each, compared with
 * the host executing the same bytes. The state compared is FXSAVE's whole image but the instruction pointers (test_fpu_state.c). */
#include "tests/support/fpu_bench.h"
#include <criterion/criterion.h>
#include <stdio.h>

/* --- random ------------------------------------------------------------------------------------------------------- */
static uint64_t seed;
static uint64_t rnd(void)
{
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static unsigned below(unsigned n) { return (unsigned)(rnd() % n); }

#define TOP_BIT (1ull << 63)
static const struct float80 special80[] = {
    { 0, 0 }, { TOP_BIT, 0x3fff }, { TOP_BIT, 0x4000 }, { 0xc90fdaa22168c235, 0x4000 },     /* 0 1 2 pi */
    { 0xc90fdaa22168c235, 0x3fff }, { 0xc90fdaa22168c235, 0x3ffe }, { TOP_BIT, 0x3ffe },    /* pi/2 pi/4 0.5 */
    { TOP_BIT, 0x7fff }, { 0xc000000000000000, 0x7fff }, { 0xc000000000000001, 0x7fff },    /* inf, quiet NaNs */
    { 0x8000000000000001, 0x7fff }, { 0xbfffffffffffffff, 0x7fff }, { ~0ull, 0x7fff },      /* signalling NaNs */
    { 1, 0 }, { 0x7fffffffffffffff, 0 }, { TOP_BIT, 0 }, { ~0ull, 0 },                      /* denormals, pseudo-denormals */
    { 0, 0x7fff }, { 1, 0x7fff }, { 0x4000000000000000, 0x7fff },                           /* pseudo-infinity, pseudo-NaN */
    { 0, 0x3fff }, { 1, 0x4001 }, { 0x7fffffffffffffff, 0x7ffe },                           /* unnormals */
    { TOP_BIT, 1 }, { ~0ull, 0x7ffe }, { TOP_BIT, 0x7ffe }, { 0x8000000000000001, 1 },      /* least and greatest */
    { TOP_BIT, 0x403e }, { ~0ull, 0x403d }, { TOP_BIT, 0x401e }, { 0xffffffff00000000, 0x401d },    /* 2^63, 2^31 */
    { TOP_BIT, 0x400e }, { 0xfffe000000000000, 0x400d }, { 0xffff000000000000, 0x400d },    /* 2^15 */
    { 0xde0b6b3a7640000ull << 4, 0x403a }, { 0xde0b6b3a763ffffull << 4, 0x403a },           /* 10^18 */
    { TOP_BIT, 0x3f81 }, { TOP_BIT, 0x3f80 }, { 0xffffff8000000000, 0x407e }, { 0xffffff7fffffffff, 0x407e },
    { TOP_BIT, 0x3c01 }, { 0xfffffffffffff800, 0x43fe }, { 0xfffffffffffffc00, 0x43fe },    /* limits of single and double */
    { 0xb504f333f9de6484, 0x3ffe }, { 0x95f619980c4336f7, 0x3ffd }, { TOP_BIT, 0x3fbf },
};

static struct float80 random80(void)
{
    struct float80 v = special80[below(ARRAY_SIZE(special80))];
    switch (below(8)) {
    case 0: case 1: case 2: break;
    case 3: v = (struct float80){ rnd() | TOP_BIT, (uint16_t)(0x3fff - 70 + below(140)) }; break;
    case 4: v = (struct float80){ (rnd() << 44) | TOP_BIT, (uint16_t)(0x3fff - 8 + below(24)) }; break;
    case 5: v = (struct float80){ rnd() | TOP_BIT, (uint16_t)(0x3fff + (below(2) ? 127 : 1023) * (below(2) ? 1 : -1) + below(60) - 30) }; break;
    case 6: v = (struct float80){ rnd() | TOP_BIT, (uint16_t)(below(2) ? below(70) : 0x7ffe - below(70)) }; break;
    default: v = (struct float80){ rnd() >> below(64), (uint16_t)rnd() }; break;
    }
    v.exponent ^= (uint16_t)(below(2) << 15);
    return v;
}
static uint32_t random32(void)
{
    static const uint32_t special[] = { 0, 0x3f800000, 0x40000000, 0x7f800000, 0x7fc00000, 0x7fa00000, 0x7f800001, 0x7fffffff, 1,
        0x7fffff, 0x800000, 0x7f7fffff, 0x4f000000, 0x4effffff, 0x47000000, 0x3f000000, 0x3effffff, 0x5f000000, 0x3fc00000,
        0x4b000001, 0x20000000, 0x00800001, 0x1f800000 };
    switch (below(4)) {
    case 0: return special[below(ARRAY_SIZE(special))] ^ below(2) << 31;
    case 1: return (uint32_t)rnd();
    case 2: return ((uint32_t)rnd() & 0x807fffff) | (100 + below(60)) << 23;
    default: return below(2) ? (uint32_t)(int8_t)rnd() : (uint32_t)rnd() >> below(32);
    }
}
static uint64_t random64(void)
{
    static const uint64_t special[] = { 0, 0x3ff0000000000000, 0x4000000000000000, 0x7ff0000000000000, 0x7ff8000000000000,
        0x7ff4000000000000, 0x7ff0000000000001, 0x7fffffffffffffff, 1, 0xfffffffffffff, 0x10000000000000, 0x7fefffffffffffff,
        0x41e0000000000000, 0x41dfffffffc00000, 0x41dfffffffe00000, 0x43e0000000000000, 0x3fe0000000000000, 0x3ff8000000000000,
        0x36a0000000000000, 0x380fffffe0000000, 0x3810000000000000, 0x47efffffe0000000, 0x47effffff0000000, 0x1ff0000000000000 };
    switch (below(4)) {
    case 0: return special[below(ARRAY_SIZE(special))] ^ (uint64_t)below(2) << 63;
    case 1: return rnd();
    case 2: return (rnd() & 0x800fffffffffffff) | (uint64_t)(960 + below(140)) << 52;
    default: return below(2) ? (uint64_t)(int64_t)(int16_t)rnd() : rnd() >> below(64);
    }
}
/* Sixteen bytes of one kind, so that lanes of all widths meet their special values. */
static void random_lanes(void *to)
{
    uint8_t *b = to;
    switch (below(5)) {
    case 0: case 1: for (unsigned n = 0; n < 4; n++) le32_put(b + 4 * n, random32()); break;
    case 2: case 3: for (unsigned n = 0; n < 2; n++) le64_put(b + 8 * n, random64()); break;
    default:
        for (unsigned n = 0; n < 16; n++)
            b[n] = (uint8_t)(below(4) ? rnd() : (uint64_t[]){ 0, 0x7f, 0x80, 0xff }[below(4)]);
    }
}
static void random_decimal(uint8_t *b)
{
    for (unsigned n = 0; n < 9; n++)
        b[n] = (uint8_t)(below(10) << 4 | below(10));
    b[9] = (uint8_t)(below(2) << 7);
}

static uint16_t random_control(void)
{
    static const uint16_t precision[] = { 0, 0x200, 0x300 };
    return (uint16_t)(0x40 | precision[below(3)] | below(4) << 10 | (below(3) ? 0x3f : below(64)));
}
/* Nothing is pending; registers are mostly full. */
static void random_state(struct fpu_state *s)
{
    memset(s, 0, sizeof *s);
    uint16_t control = random_control();
    unsigned filled = below(3);
    le16_put(s->fx, control);
    le16_put(s->fx + 2, (uint16_t)((rnd() & (FPU_CONDITIONS | FPU_TOP | FPU_SF)) | (below(2) ? rnd() & control & 0x3f : 0)));
    s->fx[4] = filled == 0 ? (uint8_t)rnd() : filled == 1 ? 0xff : (uint8_t)~BIT(((le16_get(s->fx + 2) >> 11) + 7) & 7);
    le32_put(s->fx + 24, (uint32_t)((rnd() & 0xe07f) | (below(4) ? 0x1f80 : rnd() & 0x1f80)));
    for (unsigned n = 0; n < 8; n++) {
        struct float80 v = random80();
        le64_put(s->fx + 32 + 16 * n, v.mantissa);
        le16_put(s->fx + 40 + 16 * n, v.exponent);
        random_lanes(s->fx + FXSAVE_LEGACY + 16 * n);
    }
    s->eax = (uint32_t)rnd();
    s->ecx = random32();
    s->edx = random32();
    s->flags = rnd() & FLAGS_ARITH;
    for (unsigned n = 0; n < FPU_BENCH_MEMORY; n += 16)
        random_lanes(s->memory + n);
}

/* --- encodings ---------------------------------------------------------------------------------------------------- */
struct form { const struct opcode *line; uint8_t bytes[8]; unsigned length; bool memory; };

static bool general_register(unsigned method)
{
    return method == METHOD_E || method == METHOD_R || method == METHOD_RM_IB;
}
static bool has_modrm(const struct opcode *o)
{
    unsigned d = operands[o->dst].method, s = operands[o->src].method;
    return o->group <= GROUP_INDEX_7 || o->form != FORM_INDEX_both || (d > METHOD_NONE && d <= METHOD_LAST_MODRM)
        || (s > METHOD_NONE && s <= METHOD_LAST_MODRM);
}
static bool has_immediate(unsigned method)
{
    return method == METHOD_I || method == METHOD_Q_IB || method == METHOD_N_IB || method == METHOD_W_IB || method == METHOD_U_IB
        || method == METHOD_RM_IB;
}
static void encode(struct form *f, const struct opcode *o, bool memory)
{
    static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
    unsigned d = operands[o->dst].method, s = operands[o->src].method, reg, rm;
    *f = (struct form){ .line = o, .memory = memory };
    if (o->prefix < PREFIX_COUNT && prefixes[o->prefix])
        f->bytes[f->length++] = prefixes[o->prefix];
    if (o->map == MAP_TWO)
        f->bytes[f->length++] = 0x0f;
    f->bytes[f->length++] = o->opcode;
    if (!has_modrm(o))
        return;
    reg = o->group <= GROUP_INDEX_7 ? o->group : d == METHOD_G || s == METHOD_G ? 1 + below(2) : below(8);
    rm = general_register(d) || general_register(s) ? 1 + below(2) : below(8);
    if (o->form >= FORM_INDEX_rm0 && o->form <= FORM_INDEX_rm7)
        rm = o->form - FORM_INDEX_rm0;
    f->bytes[f->length++] = (uint8_t)(reg << 3 | (memory ? 0 : 0xc0 | rm));
    if (has_immediate(d) || has_immediate(s))
        f->bytes[f->length++] = (uint8_t)(below(2) ? rnd() : below(70));
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */
static void print_state(const char *title, const struct fpu_state *s)
{
    const uint8_t *x = s->fx;
    printf("  %s: vector %d cw %04x sw %04x tags %02x mxcsr %08x eax %08x ecx %08x edx %08x flags %03x\n   ", title, s->vector,
           le16_get(x), le16_get(x + 2), x[4], le32_get(x + 24), (uint32_t)s->eax, (uint32_t)s->ecx, (uint32_t)s->edx, (unsigned)s->flags);
    for (unsigned n = 0; n < 8; n++)
        printf(" %04x:%016llx", le16_get(x + 40 + 16 * n), (unsigned long long)le64_get(x + 32 + 16 * n));
    printf("\n   ");
    for (unsigned n = 0; n < 8; n++)
        printf(" %016llx_%016llx", (unsigned long long)le64_get(x + 168 + 16 * n), (unsigned long long)le64_get(x + 160 + 16 * n));
    printf("\n    memory");
    for (unsigned n = 0; n < 32; n++)
        printf(" %02x", s->memory[n]);
    printf("\n");
}
/* What FNSTENV and FNSAVE tell of instruction pointers is not the same on both sides. */
static void forget_pointers(const struct form *f, struct fpu_state *s)
{
    if (!strcmp(f->line->name, "FNSTENV") || !strcmp(f->line->name, "FNSAVE"))
        memset(s->memory + 12, 0, 16);
    memset(s->fx + 5, 0, 19);
    memset(s->fx + 28, 0, 4);
    for (unsigned n = 0; n < 8; n++)
        memset(s->fx + 42 + 16 * n, 0, 6);
}
/* PE beside an unmasked overflow or underflow is not modelled: see exec_sse.c. */
static void forget_precision(struct fpu_state *s)
{
    uint32_t v = le32_get(s->fx + 24);
    if (s->vector == EXC_XM && v & ~(v >> 7) & (FPU_OE | FPU_UE))
        le32_put(s->fx + 24, v & ~(uint32_t)FPU_PE);
}
static bool equal(const struct fpu_state *a, const struct fpu_state *b)
{
    return a->vector == b->vector && !memcmp(a->fx, b->fx, FXSAVE_XMM) && (uint32_t)a->eax == (uint32_t)b->eax
        && (uint32_t)a->ecx == (uint32_t)b->ecx && (uint32_t)a->edx == (uint32_t)b->edx && a->flags == b->flags
        && !memcmp(a->memory, b->memory, FPU_BENCH_MEMORY);
}

static void prepare(const struct form *f, struct fpu_state *s)
{
    const char *name = f->line->name;
    random_state(s);
    if (!strcmp(name, "LDMXCSR"))
        le32_put(s->memory, le32_get(s->memory) & 0xffff);
    else if (!strcmp(name, "FBLD"))
        random_decimal(s->memory);
    else if (operands[f->line->dst].size == 10 || !strcmp(name, "FRSTOR")) {
        for (unsigned n = strcmp(name, "FRSTOR") ? 0 : 28; n + 10 <= FPU_BENCH_MEMORY; n += 10) {
            struct float80 v = random80();
            memcpy(s->memory + n, &v, 10);
        }
    }
}

/* Runs all lines that `wanted` picks; returns the number of those that differ from silicon. */
static unsigned run_lines(bool (*wanted)(const struct opcode *), unsigned rounds)
{
    struct fpu_bench b;
    unsigned failed = 0, forms = 0, count;
    fpu_bench_init(&b);
    for (unsigned id = fpu_bench_lines(&count); count; id++, count--) {
        const struct opcode *o = &opcodes[id];
        if (o->oracle != ORACLE_native || !wanted(o))
            continue;
        for (unsigned memory = 0; memory < 2; memory++) {
            if ((memory && (o->form != FORM_INDEX_both || !has_modrm(o)) && o->form != FORM_INDEX_mem)
                || (!memory && o->form == FORM_INDEX_mem))
                continue;
            unsigned differences = 0;
            seed = id * 2 + memory;
            forms++;
            for (unsigned n = 0; n < rounds && differences < 2; n++) {
                static struct fpu_state start, guest, native;
                struct form f;
                encode(&f, o, memory);
                prepare(&f, &start);
                guest = native = start;
                fpu_bench_native(&b, f.bytes, f.length, &native, memory);
                fpu_bench_guest(&b, f.bytes, f.length, &guest, memory);
                forget_pointers(&f, &native);
                forget_pointers(&f, &guest);
                forget_precision(&native);
                forget_precision(&guest);
                if (equal(&guest, &native))
                    continue;
                differences++;
                printf("%s (%s), round %u:", o->name, memory ? "memory" : "register", n);
                for (unsigned k = 0; k < f.length; k++)
                    printf(" %02x", f.bytes[k]);
                printf("\n");
                print_state("start ", &start);
                print_state("guest ", &guest);
                print_state("native", &native);
            }
            failed += differences != 0;
        }
    }
    fpu_bench_free(&b);
    cr_assert_gt(forms, 0u);
    return failed;
}

enum { ROUNDS = 4000 };
static bool is_x87(const struct opcode *o) { return o->map == MAP_ONE && o->checks == CHECK_fpu; }
static bool is_mmx(const struct opcode *o) { return o->checks == CHECK_mmx; }
static bool is_sse(const struct opcode *o) { return o->checks == CHECK_sse; }
static bool is_other(const struct opcode *o)
{
    return o->map == MAP_TWO && (o->opcode == 0xae || o->opcode == 0xc3) && o->checks == CHECK_none;
}

Test(fpu, x87_equals_silicon) { cr_assert_eq(run_lines(is_x87, ROUNDS), 0u); }
Test(simd, mmx_equals_silicon) { cr_assert_eq(run_lines(is_mmx, ROUNDS), 0u); }
Test(simd, sse_equals_silicon) { cr_assert_eq(run_lines(is_sse, ROUNDS), 0u); }
Test(simd, cache_and_fences_equal_silicon) { cr_assert_eq(run_lines(is_other, 100), 0u); }
