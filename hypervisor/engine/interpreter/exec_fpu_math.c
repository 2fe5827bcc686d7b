/* x87 functions of one and two operands: roots, remainders, scaling, logarithms, trigonometry [SDM2]. The host computes
 * all of them, so results are those of its generation. */
#include "engine/interpreter/exec_fpu.h"

static const struct float80 zero;

/* --- one in, one out ---------------------------------------------------------------------------------------------- */
HOST_UNARY(host_sqrt, "fsqrt")
HOST_UNARY(host_rndint, "frndint")
HOST_UNARY(host_2xm1, "f2xm1")
HOST_UNARY(host_sin, "fsin")
HOST_UNARY(host_cos, "fcos")

typedef unsigned host_unary_fn(struct float80 *, const struct float80 *, uint16_t);

static inline __attribute__((always_inline))
void unary(struct cpu *c, const struct insn *i, host_unary_fn *op, unsigned conditions)
{
    struct fpu *f = &c->fpu;
    struct float80 r;
    unsigned sw;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0))) {
        f->status &= (uint16_t)~conditions;
        if (fpu_stack_fault(c, false))
            fpu_set_indefinite(c, 0);
        return;
    }
    HOST_RUN(c, sw, op(&r, fpu_st(f, 0), run_control));
    *fpu_st(f, 0) = r;
    fpu_flags(c, sw, conditions);
}
#define UNARY(NAME, host, conditions) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    unary(c, i, host, conditions); \
    NEXT(c, i); \
}
UNARY(FSQRT, host_sqrt, FPU_C1)
UNARY(FRNDINT, host_rndint, FPU_C1)
UNARY(F2XM1, host_2xm1, FPU_C1)
UNARY(FSIN, host_sin, FPU_C1 | FPU_C2)
UNARY(FCOS, host_cos, FPU_C1 | FPU_C2)

/* --- two in, ST0 out ---------------------------------------------------------------------------------------------- */
HOST_BINARY(host_scale, "fscale")

/* Where there is no quotient (NaN, zero, infinity) the remainders leave C0 and C3 alone. So these start from the guest's:
 * an FUCOM of two values whose relation sets them, indexed by C3 and C0. */
static const struct float80 preset[4][2] = {
    { { 1ull << 63, 0x3fff }, { 0, 0 } }, { { 0, 0 }, { 1ull << 63, 0x3fff } }, { { 0, 0 }, { 0, 0 } },
    { { 0xc000000000000000, 0x7fff }, { 0, 0 } },
};
#define HOST_REMAINDER(name, op) \
static inline unsigned name(struct float80 *r, const struct float80 *a, const struct float80 *b, uint16_t control, unsigned before) \
{ \
    uint16_t sw; \
    const struct float80 *c30 = preset[(before & FPU_C3 ? 2 : 0) | (before & FPU_C0 ? 1 : 0)]; \
    asm volatile("fldt %[y]\n\tfldt %[x]\n\tfucompp\n\tfldt %[b]\n\tfldt %[a]\n\tfldcw %[g]\n\t" op "\n\t" HOST_STATUS \
                 "fstpt %[r]\n\tfstp %%st(0)\n\tfldcw %[h]" \
                 : [r] "=m"(*r), "=&a"(sw) \
                 : [a] "m"(*a), [b] "m"(*b), [x] "m"(c30[0]), [y] "m"(c30[1]), [g] "m"(control), [h] "m"(host_control) \
                 : HOST_CLOBBERS); \
    return sw; \
}
HOST_REMAINDER(host_prem, "fprem")
HOST_REMAINDER(host_prem1, "fprem1")

#define BINARY(NAME, call, conditions) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    { \
        struct fpu *f = &c->fpu; \
        struct float80 r; \
        unsigned sw; \
        fpu_record(c, i); \
        if (unlikely(!fpu_valid(f, 0) || !fpu_valid(f, 1))) { \
            f->status &= (uint16_t)~((conditions) & FPU_C2); \
            if (fpu_stack_fault(c, false)) fpu_set_indefinite(c, 0); \
        } else { \
            HOST_RUN(c, sw, call); \
            *fpu_st(f, 0) = r; \
            fpu_flags(c, sw, conditions); \
        } \
    } \
    NEXT(c, i); \
}
BINARY(FSCALE, host_scale(&r, fpu_st(f, 0), fpu_st(f, 1), run_control), FPU_C1)
BINARY(FPREM, host_prem(&r, fpu_st(f, 0), fpu_st(f, 1), run_control, f->status), FPU_CONDITIONS)
BINARY(FPREM1, host_prem1(&r, fpu_st(f, 0), fpu_st(f, 1), run_control, f->status), FPU_CONDITIONS)

/* --- those that pop or push --------------------------------------------------------------------------------------- */
HOST_WALK(host_patan, "fpatan")
HOST_WALK(host_yl2x, "fyl2x")
HOST_WALK(host_yl2xp1, "fyl2xp1")
HOST_WALK(host_xtract, "fxtract")
HOST_WALK(host_ptan, "fptan")
HOST_WALK(host_sincos, "fsincos")

typedef unsigned host_walk_fn(struct float80 *, unsigned *, const struct float80 *, const struct float80 *, uint16_t);

/* ST1 = f(ST1, ST0), pop */
static inline __attribute__((always_inline))
void binary_pop(struct cpu *c, const struct insn *i, host_walk_fn *op)
{
    struct fpu *f = &c->fpu;
    struct float80 r[3];
    unsigned sw, depth;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0) || !fpu_valid(f, 1))) {
        if (fpu_stack_fault(c, false)) {
            fpu_set_indefinite(c, 1);
            fpu_pop(f);
        }
        return;
    }
    HOST_RUN(c, sw, op(r, &depth, fpu_st(f, 0), fpu_st(f, 1), run_control));
    if (depth == 1) {
        fpu_pop(f);
        *fpu_st(f, 0) = r[0];
    }
    fpu_flags(c, sw, FPU_C1);
}
/* ST0 becomes two values, unless its magnitude is too large (C2) or an exception stops it. */
static inline __attribute__((always_inline))
void unary_push(struct cpu *c, const struct insn *i, host_walk_fn *op, unsigned conditions)
{
    struct fpu *f = &c->fpu;
    struct float80 r[3];
    unsigned sw, depth;
    bool overflow = fpu_valid(f, 7);
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0) || overflow)) {
        f->status &= (uint16_t)~conditions;
        if (fpu_stack_fault(c, fpu_valid(f, 0))) {
            fpu_set_indefinite(c, 0);
            fpu_push(f, &float80_indefinite);
        }
        return;
    }
    HOST_RUN(c, sw, op(r, &depth, fpu_st(f, 0), &zero, run_control));
    if (depth == 3) {
        *fpu_st(f, 0) = r[1];
        fpu_push(f, &r[0]);
    } else
        *fpu_st(f, 0) = r[0];
    fpu_flags(c, sw, conditions);
}
#define WALK(NAME, kind, ...) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    kind(c, i, __VA_ARGS__); \
    NEXT(c, i); \
}
WALK(FPATAN, binary_pop, host_patan)
WALK(FYL2X, binary_pop, host_yl2x)
WALK(FYL2XP1, binary_pop, host_yl2xp1)
WALK(FXTRACT, unary_push, host_xtract, FPU_C1)
WALK(FPTAN, unary_push, host_ptan, FPU_C1 | FPU_C2)
WALK(FSINCOS, unary_push, host_sincos, FPU_C1 | FPU_C2)
