/* x87 arithmetic and comparisons: FADD to FDIVR in all operand forms, FCOM and its kin, FTST, FXAM [SDM2].
 * What is a host call and what is not: see exec_fpu.h. */
#include "engine/interpreter/exec_fpu.h"

enum fpu_wait fpu_wait(struct cpu *c, const struct insn *i)
{
    if (c->cr0 & (CR0_EM | CR0_TS))
        cpu_raise(c, EXC_NM);
    if (!cpu_has(c, HAS_FPU))
        return FPU_SKIP;                        /* nobody answers at the coprocessor's ports */
    if (!fpu_pending(c))
        return FPU_PROCEED;                     /* an FN... instruction */
    if (c->cr0 & CR0_NE)
        cpu_raise(c, EXC_MF);
    fpu_signal(c);
    if (c->pin_levels & BIT(CPU_IGNNE))
        return FPU_PROCEED;
    /* The CPU stands still until an interrupt (IRQ13, if the board is wired so) takes it away from here. */
    c->eip = insn_eip(c, i);
    return FPU_STALL;
}

void fpu_error(struct cpu *c)
{
    c->fpu.status |= FPU_ES | FPU_BUSY;
    fpu_update_ferr(c);
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */
typedef unsigned host_binary_fn(struct float80 *, const struct float80 *, const struct float80 *, uint16_t);

/* ST(dst) = ST(dst) op ST(src) */
static inline __attribute__((always_inline))
void binary(struct cpu *c, const struct insn *i, unsigned dst, unsigned src, host_binary_fn *op, bool pop)
{
    struct fpu *f = &c->fpu;
    struct float80 r;
    unsigned sw;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, dst) || !fpu_valid(f, src))) {
        if (fpu_stack_fault(c, false)) {
            fpu_set_indefinite(c, dst);
            if (pop)
                fpu_pop(f);
        }
        return;
    }
    HOST_RUN(c, sw, op(&r, fpu_st(f, dst), fpu_st(f, src), run_control));
    *fpu_st(f, dst) = r;
    fpu_flags(c, sw, FPU_C1);
    if (pop && !fpu_stopped(c, sw, FPU_BEFORE))
        fpu_pop(f);
}

#define BINARY_MEMORY(NAME, type, bits, host) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    { \
        uint32_t offset = insn_offset(c, i); \
        type v = (type)mem_read##bits(c, i->seg, offset); \
        struct fpu *f = &c->fpu; \
        struct float80 r; \
        unsigned sw; \
        fpu_record_memory(c, i, offset); \
        if (unlikely(!fpu_valid(f, 0))) { \
            if (fpu_stack_fault(c, false)) fpu_set_indefinite(c, 0); \
        } else { \
            HOST_RUN(c, sw, host(&r, fpu_st(f, 0), v, run_control)); \
            *fpu_st(f, 0) = r; \
            fpu_flags(c, sw, FPU_C1); \
        } \
    } \
    NEXT(c, i); \
}
/* One operation: `code` is the ModRM byte of `op ST0, ST1`, as a string. */
#define ARITHMETIC(NAME, op, code) \
HOST_BINARY(host_##op, ".byte 0xd8, " code) \
HOST_MEMORY(host_##op##_m32, uint32_t, "f" #op "s") \
HOST_MEMORY(host_##op##_m64, uint64_t, "f" #op "l") \
HOST_MEMORY(host_##op##_i16, uint16_t, "fi" #op "s") \
HOST_MEMORY(host_##op##_i32, uint32_t, "fi" #op "l") \
void exec_F##NAME##_ST0(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    binary(c, i, 0, i->rm, host_##op, false); \
    NEXT(c, i); \
} \
void exec_F##NAME##_STi(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    binary(c, i, i->rm, 0, host_##op, false); \
    NEXT(c, i); \
} \
void exec_F##NAME##P(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    binary(c, i, i->rm, 0, host_##op, true); \
    NEXT(c, i); \
} \
BINARY_MEMORY(F##NAME##_m32, uint32_t, 32, host_##op##_m32) \
BINARY_MEMORY(F##NAME##_m64, uint64_t, 64, host_##op##_m64) \
BINARY_MEMORY(FI##NAME##_m16, uint16_t, 16, host_##op##_i16) \
BINARY_MEMORY(FI##NAME##_m32, uint32_t, 32, host_##op##_i32)

ARITHMETIC(ADD, add, "0xc1")
ARITHMETIC(MUL, mul, "0xc9")
ARITHMETIC(SUB, sub, "0xe1")
ARITHMETIC(SUBR, subr, "0xe9")
ARITHMETIC(DIV, div, "0xf1")
ARITHMETIC(DIVR, divr, "0xf9")

/* --- comparisons -------------------------------------------------------------------------------------------------- */
/* ST0 against ST1: nothing but the status word comes out. */
#define HOST_COMPARE(name, op) \
static inline unsigned name(const struct float80 *a, const struct float80 *b, uint16_t control) \
{ \
    uint16_t sw; \
    asm volatile("fldt %[b]\n\tfldt %[a]\n\tfldcw %[g]\n\t" op "\n\t" HOST_STATUS "fstp %%st(0)\n\tfstp %%st(0)\n\tfldcw %[h]" \
                 : "=&a"(sw) : [a] "m"(*a), [b] "m"(*b), [g] "m"(control), [h] "m"(host_control) : HOST_CLOBBERS); \
    return sw; \
}
#define HOST_COMPARE_MEMORY(name, type, op) \
static inline unsigned name(const struct float80 *a, type v, uint16_t control) \
{ \
    uint16_t sw; \
    asm volatile("fldt %[a]\n\tfldcw %[g]\n\t" op " %[v]\n\t" HOST_STATUS "fstp %%st(0)\n\tfldcw %[h]" \
                 : "=&a"(sw) : [a] "m"(*a), [v] "m"(v), [g] "m"(control), [h] "m"(host_control) : HOST_CLOBBERS); \
    return sw; \
}
HOST_COMPARE(host_com, "fcom %%st(1)")
HOST_COMPARE(host_ucom, "fucom %%st(1)")
HOST_COMPARE(host_tst, "ftst")
HOST_COMPARE_MEMORY(host_com_m32, uint32_t, "fcoms")
HOST_COMPARE_MEMORY(host_com_m64, uint64_t, "fcoml")
HOST_COMPARE_MEMORY(host_com_i16, uint16_t, "ficoms")
HOST_COMPARE_MEMORY(host_com_i32, uint32_t, "ficoml")

enum { UNORDERED = FPU_C0 | FPU_C2 | FPU_C3 };

static void pop_times(struct cpu *c, unsigned pops)
{
    for (unsigned n = 0; n < pops; n++)
        fpu_pop(&c->fpu);
}
/* An operand is missing: unordered, also when the exception is unmasked. */
static void compare_empty(struct cpu *c, unsigned pops)
{
    bool masked = fpu_stack_fault(c, false);
    c->fpu.status |= UNORDERED;
    if (masked)
        pop_times(c, pops);
}
static inline void compare_done(struct cpu *c, unsigned sw, unsigned pops)
{
    fpu_flags(c, sw, FPU_CONDITIONS);
    if (!fpu_stopped(c, sw, FPU_BEFORE))
        pop_times(c, pops);
}

typedef unsigned host_compare_fn(const struct float80 *, const struct float80 *, uint16_t);

static inline __attribute__((always_inline))
void compare(struct cpu *c, const struct insn *i, unsigned src, host_compare_fn *op, unsigned pops)
{
    struct fpu *f = &c->fpu;
    unsigned sw;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0) || !fpu_valid(f, src))) {
        compare_empty(c, pops);
        return;
    }
    HOST_RUN(c, sw, op(fpu_st(f, 0), fpu_st(f, src), run_control));
    compare_done(c, sw, pops);
}

#define COMPARE(NAME, src, host, pops) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    compare(c, i, src, host, pops); \
    NEXT(c, i); \
}
COMPARE(FCOM, i->rm, host_com, 0)
COMPARE(FCOMP, i->rm, host_com, 1)
COMPARE(FCOMPP, 1, host_com, 2)
COMPARE(FUCOM, i->rm, host_ucom, 0)
COMPARE(FUCOMP, i->rm, host_ucom, 1)
COMPARE(FUCOMPP, 1, host_ucom, 2)
COMPARE(FTST, 0, host_tst, 0)

#define COMPARE_MEMORY(NAME, type, bits, host, pops) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    uint32_t offset = insn_offset(c, i); \
    type v = (type)mem_read##bits(c, i->seg, offset); \
    struct fpu *f = &c->fpu; \
    unsigned sw; \
    fpu_record_memory(c, i, offset); \
    if (unlikely(!fpu_valid(f, 0))) { \
        compare_empty(c, pops); \
    } else { \
        HOST_RUN(c, sw, host(fpu_st(f, 0), v, run_control)); \
        compare_done(c, sw, pops); \
    } \
    NEXT(c, i); \
}
COMPARE_MEMORY(FCOM_m32, uint32_t, 32, host_com_m32, 0)
COMPARE_MEMORY(FCOM_m64, uint64_t, 64, host_com_m64, 0)
COMPARE_MEMORY(FICOM_m16, uint16_t, 16, host_com_i16, 0)
COMPARE_MEMORY(FICOM_m32, uint32_t, 32, host_com_i32, 0)
COMPARE_MEMORY(FCOMP_m32, uint32_t, 32, host_com_m32, 1)
COMPARE_MEMORY(FCOMP_m64, uint64_t, 64, host_com_m64, 1)
COMPARE_MEMORY(FICOMP_m16, uint16_t, 16, host_com_i16, 1)
COMPARE_MEMORY(FICOMP_m32, uint32_t, 32, host_com_i32, 1)

/* FCOMI and FUCOMI are FCOM and FUCOM whose C3, C2, C0 go to ZF, PF, CF [SDM2, FCOMI]; OF, SF and AF are cleared. */
static inline __attribute__((always_inline))
void compare_flags(struct cpu *c, const struct insn *i, host_compare_fn *op, unsigned pops)
{
    struct fpu *f = &c->fpu;
    unsigned sw;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0) || !fpu_valid(f, i->rm))) {
        if (!fpu_stack_fault(c, false))
            pops = 0;
        sw = UNORDERED;
    } else {
        HOST_RUN(c, sw, op(fpu_st(f, 0), fpu_st(f, i->rm), run_control));
        fpu_flags(c, sw, 0);
        if (fpu_stopped(c, sw, FPU_BEFORE))
            pops = 0;
    }
    cpu_set_arith(c, (sw & FPU_C0 ? FLAG_CF : 0) | (sw & FPU_C2 ? FLAG_PF : 0) | (sw & FPU_C3 ? FLAG_ZF : 0));
    pop_times(c, pops);
}
#define COMPARE_FLAGS(NAME, host, pops) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    compare_flags(c, i, host, pops); \
    NEXT(c, i); \
}
COMPARE_FLAGS(FCOMI, host_com, 0)
COMPARE_FLAGS(FCOMIP, host_com, 1)
COMPARE_FLAGS(FUCOMI, host_ucom, 0)
COMPARE_FLAGS(FUCOMIP, host_ucom, 1)

/* FXAM [SDM2, table 3-42]: C1 is the sign, of an empty register too. */
void exec_FXAM(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    const struct float80 *v = fpu_st(&c->fpu, 0);
    unsigned exponent = v->exponent & 0x7fff, kind;
    bool integer = v->mantissa >> 63;
    if (!fpu_valid(&c->fpu, 0))
        kind = FPU_C3 | FPU_C0;
    else if (!exponent)
        kind = v->mantissa ? FPU_C3 | FPU_C2 : FPU_C3;
    else if (!integer)
        kind = 0;                               /* unsupported: unnormal, pseudo-NaN, pseudo-infinity */
    else if (exponent == 0x7fff)
        kind = v->mantissa << 1 ? FPU_C0 : FPU_C2 | FPU_C0;
    else
        kind = FPU_C2;
    fpu_record(c, i);
    c->fpu.status = (uint16_t)((c->fpu.status & ~FPU_CONDITIONS) | kind | (v->exponent & 0x8000 ? FPU_C1 : 0));
    NEXT(c, i);
}
