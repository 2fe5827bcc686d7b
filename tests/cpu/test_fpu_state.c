/* x87 and SIMD state by the manuals' words: images of FNSTENV, FNSAVE and FXSAVE in all modes, recorded pointers, tags, pending
 * errors with and without CR0.NE, EM and TS, models without a coprocessor, reserved MXCSR bits, alignment. */
#include "tests/support/fpu_bench.h"
#include <criterion/criterion.h>

enum { PROTECTED_32 = MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED };
#define STEP(b, mode, ...) fpu_bench_step(b, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), mode)
#define RUN(b, ...) STEP(b, PROTECTED_32, __VA_ARGS__)
#define A 0x05, 0x00, 0x00, 0x01, 0x00          /* ModRM and displacement: [10000h] */
#define A_REG(reg) ((reg) << 3 | 5), 0x00, 0x00, 0x01, 0x00

static struct fpu_bench bench;
static struct cpu *c;
static void setup(void)
{
    fpu_bench_init(&bench);
    c = bench.cpu;
}
static void teardown(void) { fpu_bench_free(&bench); }
TestSuite(fpu_state, .init = setup, .fini = teardown);

static void give(struct float80 v, unsigned n) { c->fpu.reg[n] = v; c->fpu.tags |= (uint8_t)BIT(n); }
static const struct float80 one = { 1ull << 63, 0x3fff };

/* Leaves FDP = 10000h, FDS = DS, an empty stack but R7 = 1.0 (1.0 + 0), FIP = 1000h. */
static void run_fadd(unsigned mode)
{
    give(one, 7);
    c->fpu.status = 7 << 11;
    if (mode & MODE_CODE32) {
        cr_assert_eq(STEP(&bench, mode, 0xd8, A_REG(0)), -1);
        return;
    }
    c->seg[DS].base = 0x10000 - 0x1234;
    cr_assert_eq(STEP(&bench, mode, 0xd8, 0x06, 0x34, 0x12), -1);
}

/* --- environment -------------------------------------------------------------------------------------------------- */
Test(fpu_state, environment_32_protected)
{
    run_fadd(PROTECTED_32);
    c->fpu.control = 0x27f;
    cr_assert_eq(RUN(&bench, 0xd9, A_REG(6)), -1);
    cr_assert_eq(le32_get(bench.page), 0xffff027fu);
    cr_assert_eq(le32_get(bench.page + 4), 0xffff3800u);
    cr_assert_eq(le32_get(bench.page + 8), 0xffff3fffu, "R7 valid, the others empty");
    cr_assert_eq(le32_get(bench.page + 12), 0x1000u);
    cr_assert_eq(le32_get(bench.page + 16), 0x00050000u | c->seg[CS].selector, "FOP is D8 05");
    cr_assert_eq(le32_get(bench.page + 20), 0x10000u);
    cr_assert_eq(le32_get(bench.page + 24), 0xffff0000u | c->seg[DS].selector);
}

Test(fpu_state, environment_16_protected)
{
    run_fadd(PROTECTED_32);
    cr_assert_eq(RUN(&bench, 0x66, 0xd9, A_REG(6)), -1);
    static const uint16_t expected[] = { 0x37f, 0x3800, 0x3fff, 0x1000, 0x10, 0x0000, 0x20 };
    for (unsigned n = 0; n < 7; n++)
        cr_assert_eq(le16_get(bench.page + 2 * n), expected[n], "word %u is %04x", n, le16_get(bench.page + 2 * n));
    cr_assert_eq(bench.page[14], 0);
}

/* Addresses are linear in real mode: the selector times 16 is added. */
static void real_mode(void)
{
    c->cr0 &= ~(uint32_t)CR0_PE;
    c->seg[CS].selector = 0xf123;
    c->seg[DS].selector = 0x8765;
}
Test(fpu_state, environment_16_real)
{
    real_mode();
    run_fadd(0);
    cr_assert_eq(STEP(&bench, 0, 0xd9, 0x36, 0x34, 0x12), -1);
    static const uint16_t expected[] = { 0x37f, 0x3800, 0x3fff, 0x2230, 0xf006, 0x8884, 0x8000 };   /* F2230h, FOP 006h, 88884h */
    for (unsigned n = 0; n < 7; n++)
        cr_assert_eq(le16_get(bench.page + 2 * n), expected[n], "word %u is %04x", n, le16_get(bench.page + 2 * n));
}
Test(fpu_state, environment_32_real)
{
    real_mode();
    run_fadd(0);
    cr_assert_eq(STEP(&bench, 0, 0x66, 0xd9, 0x36, 0x34, 0x12), -1);
    cr_assert_eq(le32_get(bench.page + 12), 0xffff2230u);
    cr_assert_eq(le32_get(bench.page + 16), 0x0000f006u);
    cr_assert_eq(le32_get(bench.page + 20), 0xffff8884u);
    cr_assert_eq(le32_get(bench.page + 24), 0x00008000u);
}

/* What FLDENV reads, FNSTENV writes again, in all four layouts. */
Test(fpu_state, environment_round_trip)
{
    for (unsigned layout = 0; layout < 4; layout++) {
        bool real = layout & 1, big = layout & 2;
        unsigned length = big ? 28 : 14;
        uint8_t image[28], store[8] = { 0x66, 0xd9, A_REG(6) }, load[8] = { 0x66, 0xd9, A_REG(4) };
        fpu_bench_cpu(&bench);
        if (real)
            real_mode();
        run_fadd(PROTECTED_32);
        unsigned skip = big ? 1 : 0;
        cr_assert_eq(fpu_bench_step(&bench, store + skip, 7 - skip, PROTECTED_32), -1);
        memcpy(image, bench.page, length);
        fpu_init(&c->fpu);
        cr_assert_eq(fpu_bench_step(&bench, load + skip, 7 - skip, PROTECTED_32), -1);
        memset(bench.page, 0, length);
        cr_assert_eq(fpu_bench_step(&bench, store + skip, 7 - skip, PROTECTED_32), -1);
        cr_assert_arr_eq(bench.page, image, length, "layout %u", layout);
        memset(bench.page, 0, 4096);
    }
}

Test(fpu_state, tag_word)
{
    static const struct { struct float80 v; unsigned tag; } cases[] = {
        { { 1ull << 63, 0x3fff }, 0 }, { { 0, 0 }, 1 }, { { 0, 0x8000 }, 1 }, { { 1, 0 }, 2 }, { { 1ull << 63, 0 }, 2 },
        { { 1ull << 63, 0x7fff }, 2 }, { { ~0ull, 0x7fff }, 2 }, { { 1, 0x3fff }, 2 }, { { ~0ull, 0xfffe }, 0 },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
        fpu_init(&c->fpu);
        give(cases[n].v, 3);
        cr_assert_eq(fpu_tag_word(&c->fpu), (0xffff & ~(3u << 6)) | cases[n].tag << 6, "case %u", n);
        fpu_set_tag_word(&c->fpu, (uint16_t)(0xff3f | cases[n].tag << 6));
        cr_assert_eq(c->fpu.tags, 1 << 3);
    }
}

Test(fpu_state, save_and_restore)
{
    for (unsigned n = 0; n < 8; n++)
        give((struct float80){ 0x8000000000000000 + n, (uint16_t)(0x4000 + n) }, n);
    c->fpu.status = 5 << 11 | FPU_C3;
    c->fpu.tags = 0x7e;
    struct fpu before = c->fpu;
    cr_assert_eq(RUN(&bench, 0xdd, A_REG(6)), -1);
    cr_assert_eq(le16_get(bench.page + 28 + 8), 0x4005, "ST0 is R5");
    cr_assert_eq(c->fpu.control, FPU_CONTROL_INIT);
    cr_assert_eq(c->fpu.status, 0);
    cr_assert_eq(c->fpu.tags, 0);
    memset(c->fpu.reg, 0, sizeof c->fpu.reg);
    cr_assert_eq(RUN(&bench, 0xdd, A_REG(4)), -1);
    cr_assert_eq(c->fpu.status, before.status);
    cr_assert_eq(c->fpu.tags, before.tags);
    for (unsigned n = 0; n < 8; n++)
        cr_assert(c->fpu.reg[n].mantissa == before.reg[n].mantissa && c->fpu.reg[n].exponent == before.reg[n].exponent);
}

Test(fpu_state, pointers_survive_control_instructions)
{
    run_fadd(PROTECTED_32);
    uint32_t ip = c->fpu.ip, dp = c->fpu.dp;
    uint16_t opcode = c->fpu.opcode;
    c->fpu.ip = ip += 4;
    cr_assert_eq(RUN(&bench, 0xd9, A_REG(7)), -1);              /* FNSTCW */
    cr_assert_eq(RUN(&bench, 0xd9, A_REG(5)), -1);              /* FLDCW */
    cr_assert_eq(RUN(&bench, 0xdd, A_REG(7)), -1);              /* FNSTSW */
    cr_assert_eq(RUN(&bench, 0xdb, 0xe2), -1);                  /* FNCLEX */
    cr_assert_eq(RUN(&bench, 0x9b), -1);
    cr_assert(c->fpu.ip == ip && c->fpu.dp == dp && c->fpu.opcode == opcode);
    cr_assert_eq(RUN(&bench, 0xd9, 0xe0), -1);                  /* FCHS: FIP moves, FDP does not */
    cr_assert(c->fpu.ip == 0x1000 && c->fpu.dp == dp && c->fpu.opcode == 0x1e0);
    cr_assert_eq(RUN(&bench, 0xdb, 0xe3), -1);                  /* FNINIT clears them */
    cr_assert(!c->fpu.ip && !c->fpu.dp && !c->fpu.opcode && !c->fpu.cs && !c->fpu.ds);
}

/* --- FXSAVE ------------------------------------------------------------------------------------------------------- */
Test(fpu_state, fxsave_layout)
{
    run_fadd(PROTECTED_32);
    give((struct float80){ 0x123456789abcdef0, 0x4321 }, 2);
    c->fpu.status = 2 << 11;
    c->xmm[7].dword[3] = 0xdeadbeef;
    c->mxcsr = 0x9fc5;
    memset(bench.page, 0xaa, 512);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(0)), -1);
    cr_assert_eq(le16_get(bench.page), 0x37f);
    cr_assert_eq(le16_get(bench.page + 2), 0x1000);
    cr_assert_eq(bench.page[4], 0x84);
    cr_assert_eq(le16_get(bench.page + 6), 0x005);
    cr_assert_eq(le32_get(bench.page + 8), 0x1000u);
    cr_assert_eq(le16_get(bench.page + 12), c->seg[CS].selector);
    cr_assert_eq(le32_get(bench.page + 16), 0x10000u);
    cr_assert_eq(le32_get(bench.page + 24), 0x9fc5u);
    cr_assert_eq(le32_get(bench.page + 28), 0xffffu);
    cr_assert_eq(le64_get(bench.page + 32), 0x123456789abcdef0u, "ST0 is R2");
    cr_assert_eq(le16_get(bench.page + 40), 0x4321);
    cr_assert_eq(le16_get(bench.page + 32 + 5 * 16 + 8), 0x3fff, "ST5 is R7");
    cr_assert_eq(le32_get(bench.page + 284), 0xdeadbeefu);
    for (unsigned n = 288; n < 512; n++)
        cr_assert_eq(bench.page[n], 0xaa, "the reserved rest is not written");
    struct cpu *copy = malloc(sizeof *copy);
    memcpy(copy, c, sizeof *copy);
    fpu_init(&c->fpu);
    memset(c->xmm, 0, sizeof c->xmm);
    c->mxcsr = MXCSR_INIT;
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(1)), -1);
    cr_assert(c->fpu.status == copy->fpu.status && c->fpu.tags == copy->fpu.tags && c->fpu.ip == copy->fpu.ip
              && c->fpu.dp == copy->fpu.dp && c->fpu.opcode == copy->fpu.opcode && c->mxcsr == copy->mxcsr);
    cr_assert_arr_eq(c->xmm, copy->xmm, sizeof c->xmm);
    cr_assert_eq(c->fpu.reg[2].mantissa, 0x123456789abcdef0u);
    free(copy);
}

Test(fpu_state, fxsave_without_osfxsr)
{
    c->cr4 = 0;
    memset(bench.page, 0xaa, 512);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(0)), -1);
    cr_assert_eq(bench.page[160], 0xaa, "XMM registers are not saved");
    cr_assert_eq(bench.page[159], 0);
    bench.page[27] = 0xff;                                      /* a bad MXCSR does not matter then */
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(1)), -1);
}

Test(fpu_state, fxsave_faults)
{
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, 0x05, 0x08, 0x00, 0x01, 0x00), EXC_GP);
    cr_assert_eq(c->raised.error, 0u);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, 0x0d, 0x08, 0x00, 0x01, 0x00), EXC_GP);
    le32_put(bench.page + 24, 0x10000);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(1)), EXC_GP, "reserved MXCSR bits");
    le32_put(bench.page + 24, MXCSR_DAZ);
    c->features &= ~(1ull << HAS_SSE2);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(1)), EXC_GP, "no DAZ before the Pentium 4");
    c->cr0 |= CR0_TS;
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(0)), EXC_NM);
    c->cr0 ^= CR0_TS | CR0_EM;
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(0)), EXC_NM);
}

/* --- pending errors ----------------------------------------------------------------------------------------------- */
/* 1.0 / 0 with ZM clear: the operands stay, the error waits. */
static void divide_by_zero(void)
{
    fpu_init(&c->fpu);
    c->fpu.control = 0x37b;
    c->fpu.status = 6 << 11;
    give(one, 6);
    give((struct float80){ 0, 0 }, 7);
    cr_assert_eq(RUN(&bench, 0xd8, 0xf1), -1);                  /* FDIV ST0, ST1 */
    cr_assert_eq(c->fpu.status, FPU_ES | FPU_BUSY | FPU_ZE | 6 << 11);
    cr_assert_eq(c->fpu.reg[6].exponent, 0x3fff);
}

Test(fpu_state, pending_error_is_mf)
{
    divide_by_zero();
    uint32_t ip = c->fpu.ip;
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), EXC_MF);              /* FLD1 */
    cr_assert_eq(RUN(&bench, 0x9b), EXC_MF);
    cr_assert_eq(RUN(&bench, 0xd9, A_REG(5)), EXC_MF);          /* FLDCW */
    cr_assert_eq(RUN(&bench, 0x0f, 0x6f, 0xc1), EXC_MF);        /* MOVQ mm0, mm1 */
    cr_assert_eq(RUN(&bench, 0x0f, 0x58, 0xc1), -1, "XMM arithmetic does not wait");
    cr_assert_eq(c->fpu.ip, ip);
    cr_assert_eq(RUN(&bench, 0xdf, 0xe0), -1);                  /* FNSTSW AX */
    cr_assert_eq(c->gpr[EAX], 0xb084u);
    cr_assert_eq(RUN(&bench, 0xd9, A_REG(6)), -1);              /* FNSTENV masks everything */
    cr_assert_not(fpu_pending(c));
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), -1);
    divide_by_zero();
    cr_assert_eq(RUN(&bench, 0xdb, 0xe2), -1);                  /* FNCLEX */
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), -1);
}

Test(fpu_state, old_flags_become_pending_when_unmasked)
{
    c->fpu.status = FPU_PE | FPU_ZE;
    le16_put(bench.page, 0x37b);
    cr_assert_eq(RUN(&bench, 0xd9, A_REG(5)), -1);
    cr_assert_eq(c->fpu.status, FPU_PE | FPU_ZE | FPU_ES | FPU_BUSY);
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), EXC_MF);
}

/* CR0.NE = 0: FERR#, and the instruction waits for IRQ13 or goes on under IGNNE#. */
Test(fpu_state, ferr_and_ignne)
{
    c->cr0 &= ~(uint32_t)CR0_NE;
    divide_by_zero();
    cr_assert_not(c->ferr, "a Pentium reports at the next waiting instruction");
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), -2);
    cr_assert(c->ferr);
    cr_assert_eq(c->eip, 0x1000u);
    cr_assert_eq(RUN(&bench, 0x9b), -2);
    cr_assert_eq(RUN(&bench, 0x0f, 0x77), -2);                  /* EMMS waits as well */
    c->pin_levels = BIT(CPU_IGNNE);
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), -1);
    cr_assert(c->ferr && fpu_pending(c));
    cr_assert_eq(RUN(&bench, 0x9b), -1);
    cr_assert_eq(RUN(&bench, 0xd8, 0xc1), -1);                  /* FADD ST0, ST1 while the error stands */
    cr_assert(fpu_pending(c));
    cr_assert_eq(RUN(&bench, 0xdb, 0xe2), -1);
    cr_assert_not(c->ferr);
}

Test(fpu_state, ferr_of_a_386_is_immediate)
{
    c->cr0 &= ~(uint32_t)CR0_NE;
    c->features = 1ull << HAS_386 | 1ull << HAS_FPU;
    divide_by_zero();
    cr_assert(c->ferr);
    cr_assert_eq(RUN(&bench, 0xdb, 0xe3), -1);
    cr_assert_not(c->ferr);
}

/* --- CR0 and models ----------------------------------------------------------------------------------------------- */
Test(fpu_state, device_not_available)
{
    static const struct { uint32_t cr0; int esc, wait, mmx, sse; } cases[] = {
        { 0, -1, -1, -1, -1 }, { CR0_EM, EXC_NM, -1, EXC_UD, EXC_UD }, { CR0_TS, EXC_NM, -1, EXC_NM, EXC_NM },
        { CR0_MP, -1, -1, -1, -1 }, { CR0_TS | CR0_MP, EXC_NM, EXC_NM, EXC_NM, EXC_NM },
        { CR0_EM | CR0_TS | CR0_MP, EXC_NM, EXC_NM, EXC_UD, EXC_UD },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
        c->cr0 = CR0_PE | CR0_NE | cases[n].cr0;
        fpu_init(&c->fpu);
        cr_assert_eq(RUN(&bench, 0xd9, 0xe8), cases[n].esc, "case %u", n);
        cr_assert_eq(RUN(&bench, 0xdb, 0xe3), cases[n].esc, "FNINIT, case %u", n);
        cr_assert_eq(RUN(&bench, 0xdf, 0xe0), cases[n].esc, "FNSTSW, case %u", n);
        cr_assert_eq(RUN(&bench, 0xd9, A_REG(7)), cases[n].esc, "FNSTCW, case %u", n);
        cr_assert_eq(RUN(&bench, 0x9b), cases[n].wait, "case %u", n);
        cr_assert_eq(RUN(&bench, 0x0f, 0x6f, 0xc1), cases[n].mmx, "case %u", n);
        cr_assert_eq(RUN(&bench, 0x0f, 0x77), cases[n].mmx, "EMMS, case %u", n);
        cr_assert_eq(RUN(&bench, 0x0f, 0x58, 0xc1), cases[n].sse, "case %u", n);
        cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(3)), cases[n].sse, "STMXCSR, case %u", n);
    }
    c->cr0 = CR0_PE;
    c->cr4 = 0;
    cr_assert_eq(RUN(&bench, 0x0f, 0x58, 0xc1), EXC_UD);
    cr_assert_eq(RUN(&bench, 0x0f, 0x6f, 0xc1), -1, "MMX does not need OSFXSR");
    c->cr0 |= CR0_TS;
    cr_assert_eq(RUN(&bench, 0x0f, 0x58, 0xc1), EXC_UD);
}

/* Nobody answers: words read as ones, everything else does nothing. */
Test(fpu_state, no_coprocessor)
{
    c->features = 1ull << HAS_386 | 1ull << HAS_486;
    struct fpu before = c->fpu;
    c->gpr[EAX] = 0;
    cr_assert_eq(RUN(&bench, 0xdb, 0xe3), -1);
    cr_assert_eq(RUN(&bench, 0xdf, 0xe0), -1);
    cr_assert_eq(c->gpr[EAX], 0xffffu);
    le16_put(bench.page, 0x5a5a);
    cr_assert_eq(RUN(&bench, 0xdd, A_REG(7)), -1);
    cr_assert_eq(le16_get(bench.page), 0xffff);
    cr_assert_eq(RUN(&bench, 0xd9, 0xe8), -1);
    cr_assert_eq(RUN(&bench, 0x9b), -1);
    cr_assert_eq(RUN(&bench, 0xdd, 0x1d, 0x00, 0x00, 0x00, 0x77), -1, "no memory access either");
    cr_assert_arr_eq(&c->fpu, &before, sizeof before);
}

Test(fpu_state, features)
{
    c->features = 1ull << HAS_386 | 1ull << HAS_486 | 1ull << HAS_FPU;
    cr_assert_eq(RUN(&bench, 0xda, 0xc1), EXC_UD);              /* FCMOVB */
    cr_assert_eq(RUN(&bench, 0xdb, 0xf1), EXC_UD);              /* FCOMI */
    cr_assert_eq(RUN(&bench, 0x0f, 0x77), EXC_UD);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(0)), EXC_UD);
    c->features |= 1ull << HAS_MMX;
    cr_assert_eq(RUN(&bench, 0x0f, 0x77), -1);
    cr_assert_eq(RUN(&bench, 0x0f, 0xe0, 0xc1), EXC_UD);        /* PAVGB came with SSE */
    cr_assert_eq(RUN(&bench, 0x0f, 0xd4, 0xc1), EXC_UD);        /* PADDQ with SSE2 */
    c->features |= 1ull << HAS_SSE;
    cr_assert_eq(RUN(&bench, 0x0f, 0xe0, 0xc1), -1);
    cr_assert_eq(RUN(&bench, 0x66, 0x0f, 0x58, 0xc1), EXC_UD);  /* ADDPD */
}

/* --- MXCSR and alignment ------------------------------------------------------------------------------------------ */
Test(fpu_state, ldmxcsr_reserved_bits)
{
    le32_put(bench.page, 0xffff);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(2)), -1);
    cr_assert_eq(c->mxcsr, 0xffffu);
    le32_put(bench.page, 0x11f80);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(2)), EXC_GP);
    cr_assert_eq(c->mxcsr, 0xffffu);
    c->features &= ~(1ull << HAS_SSE2);
    le32_put(bench.page, 0x1fc0);
    cr_assert_eq(RUN(&bench, 0x0f, 0xae, A_REG(2)), EXC_GP);
}

Test(fpu_state, simd_exception_without_osxmmexcpt)
{
    c->mxcsr = 0x1d80;                                          /* ZM clear */
    c->xmm[0].dword[0] = 0x3f800000;
    cr_assert_eq(RUN(&bench, 0xf3, 0x0f, 0x5e, 0xc1), EXC_XM);  /* DIVSS xmm0, xmm1 */
    cr_assert_eq(c->mxcsr, 0x1d84u);
    cr_assert_eq(c->xmm[0].dword[0], 0x3f800000u);
    c->cr4 = CR4_OSFXSR;
    cr_assert_eq(RUN(&bench, 0xf3, 0x0f, 0x5e, 0xc1), EXC_UD);
}

Test(fpu_state, sixteen_byte_operands_are_aligned)
{
    cr_assert_eq(RUN(&bench, 0x0f, 0x28, 0x05, 0x04, 0x00, 0x01, 0x00), EXC_GP);        /* MOVAPS */
    cr_assert_eq(RUN(&bench, 0x0f, 0x29, 0x05, 0x04, 0x00, 0x01, 0x00), EXC_GP);
    cr_assert_eq(RUN(&bench, 0x0f, 0x58, 0x05, 0x04, 0x00, 0x01, 0x00), EXC_GP);        /* ADDPS */
    cr_assert_eq(RUN(&bench, 0x66, 0x0f, 0xfe, 0x05, 0x08, 0x00, 0x01, 0x00), EXC_GP);  /* PADDD */
    cr_assert_eq(RUN(&bench, 0x66, 0x0f, 0xe7, 0x05, 0x08, 0x00, 0x01, 0x00), EXC_GP);  /* MOVNTDQ */
    cr_assert_eq(RUN(&bench, 0x0f, 0x10, 0x05, 0x04, 0x00, 0x01, 0x00), -1);            /* MOVUPS */
    cr_assert_eq(RUN(&bench, 0xf3, 0x0f, 0x58, 0x05, 0x04, 0x00, 0x01, 0x00), -1);      /* ADDSS */
    cr_assert_eq(RUN(&bench, 0x0f, 0x12, 0x05, 0x04, 0x00, 0x01, 0x00), -1);            /* MOVLPS */
    cr_assert_eq(RUN(&bench, 0x0f, 0xfe, 0x05, 0x04, 0x00, 0x01, 0x00), -1);            /* PADDD mm */
}

Test(fpu_state, mmx_takes_over_the_stack)
{
    c->fpu.status = 5 << 11;
    c->gpr[EAX] = 0x12345678;
    cr_assert_eq(RUN(&bench, 0x0f, 0x6e, 0xc8), -1);            /* MOVD mm1, eax */
    cr_assert_eq(c->fpu.status & FPU_TOP, 0);
    cr_assert_eq(c->fpu.tags, 0xff);
    cr_assert_eq(c->fpu.reg[1].mantissa, 0x12345678u);
    cr_assert_eq(c->fpu.reg[1].exponent, 0xffff);
    cr_assert_eq(RUN(&bench, 0x0f, 0x77), -1);
    cr_assert_eq(c->fpu.tags, 0);
}
