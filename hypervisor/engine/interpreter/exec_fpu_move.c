/* x87 loads, stores, conversions, constants, exchanges [SDM2]. Loads that are exact by nature do not bother the host. */
#include "engine/interpreter/exec_fpu.h"
#include "engine/interpreter/exec_wide.h"

/* Like fpu_flags for what ran with everything masked: loads and integer stores, whose flags do not depend on masks. */
static inline void flags_masked(struct cpu *c, unsigned sw)
{
    unsigned pending = sw & ~c->fpu.control & FPU_EXCEPTIONS ? FPU_ES : 0;
    fpu_flags(c, (sw & ~FPU_ES) | pending, FPU_C1);
}

/* --- loads -------------------------------------------------------------------------------------------------------- */
#define HOST_LOAD(name, type, op) \
static inline unsigned name(struct float80 *r, type v) \
{ \
    uint16_t sw; \
    asm volatile(op " %[v]\n\tfnstsw %%ax\n\tfstpt %[r]" : [r] "=m"(*r), "=&a"(sw) : [v] "m"(v) : HOST_CLOBBERS); \
    return sw; \
}
HOST_LOAD(host_load_m32, uint32_t, "flds")
HOST_LOAD(host_load_m64, uint64_t, "fldl")

/* A denormal or NaN. An unmasked IE stops it; after an unmasked DE the value, normalised, is there. */
#define LOAD_SPECIAL(bits) \
static __attribute__((noinline)) void load_special##bits(struct cpu *c, uint##bits##_t v) \
{ \
    struct float80 r; \
    unsigned sw; \
    if (fpu_valid(&c->fpu, 7)) { \
        fpu_push_checked(c, &float80_indefinite); \
        return; \
    } \
    HOST_RUN(c, sw, host_load_m##bits(&r, v)); \
    flags_masked(c, sw & ~FPU_C1); \
    if (!(sw & ~c->fpu.control & FPU_IE)) \
        fpu_push(&c->fpu, &r); \
}
LOAD_SPECIAL(32)
LOAD_SPECIAL(64)

void exec_FLD_m32(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        uint32_t offset = insn_offset(c, i), v = mem_read32(c, i->seg, offset), exponent = v >> 23 & 0xff;
        fpu_record_memory(c, i, offset);
        if (likely(exponent - 1 < 0xfe)) {
            struct float80 r = { (uint64_t)(v & 0x7fffff) << 40 | 1ull << 63, (uint16_t)((exponent + 16383 - 127) | (v >> 16 & 0x8000)) };
            fpu_push_checked(c, &r);
        } else if (!(v << 1)) {
            fpu_push_checked(c, &(struct float80){ 0, (uint16_t)(v >> 16) });
        } else {
            load_special32(c, v);
        }
    }
    NEXT(c, i);
}
void exec_FLD_m64(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        uint32_t offset = insn_offset(c, i);
        uint64_t v = mem_read64(c, i->seg, offset);
        unsigned exponent = v >> 52 & 0x7ff;
        fpu_record_memory(c, i, offset);
        if (likely(exponent - 1 < 0x7fe)) {
            struct float80 r = { v << 11 | 1ull << 63, (uint16_t)((exponent + 16383 - 1023) | (v >> 48 & 0x8000)) };
            fpu_push_checked(c, &r);
        } else if (!(v << 1)) {
            fpu_push_checked(c, &(struct float80){ 0, (uint16_t)(v >> 48) });
        } else {
            load_special64(c, v);
        }
    }
    NEXT(c, i);
}
void exec_FLD_m80(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        uint32_t offset = insn_offset(c, i);
        struct float80 r;
        wide_read(c, i->seg, offset, &r, 10);
        fpu_record_memory(c, i, offset);
        fpu_push_checked(c, &r);
    }
    NEXT(c, i);
}
void exec_FLD_STi(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        struct float80 r = *fpu_st(&c->fpu, i->rm);
        fpu_record(c, i);
        if (unlikely(!fpu_valid(&c->fpu, i->rm))) {
            if (fpu_stack_fault(c, false))
                fpu_push(&c->fpu, &float80_indefinite);
        } else {
            fpu_push_checked(c, &r);
        }
    }
    NEXT(c, i);
}

static inline struct float80 from_integer(int64_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;
    if (!magnitude)
        return (struct float80){ 0, 0 };
    unsigned zeros = (unsigned)__builtin_clzll(magnitude);
    return (struct float80){ magnitude << zeros, (uint16_t)((16383 + 63 - zeros) | (v < 0 ? 0x8000 : 0)) };
}
#define LOAD_INTEGER(bits) \
void exec_FILD_m##bits(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    { \
        uint32_t offset = insn_offset(c, i); \
        struct float80 r = from_integer((int##bits##_t)mem_read##bits(c, i->seg, offset)); \
        fpu_record_memory(c, i, offset); \
        fpu_push_checked(c, &r); \
    } \
    NEXT(c, i); \
}
LOAD_INTEGER(16)
LOAD_INTEGER(32)
LOAD_INTEGER(64)

struct packed { uint8_t bytes[10]; };

void exec_FBLD(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        uint32_t offset = insn_offset(c, i);
        struct packed v;
        struct float80 r;
        wide_read(c, i->seg, offset, &v, sizeof v);
        fpu_record_memory(c, i, offset);
        asm volatile("fbld %[v]\n\tfstpt %[r]" : [r] "=m"(r) : [v] "m"(v) : HOST_CLOBBERS);
        fpu_push_checked(c, &r);
    }
    NEXT(c, i);
}

/* The constants are rounded as the control word says. */
#define LOAD_CONSTANT(NAME, op) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    { \
        uint16_t control = c->fpu.control | FPU_EXCEPTIONS; \
        struct float80 r; \
        asm volatile("fldcw %[g]\n\t" op "\n\tfstpt %[r]\n\tfldcw %[h]" \
                     : [r] "=m"(r) : [g] "m"(control), [h] "m"(host_control) : HOST_CLOBBERS); \
        fpu_record(c, i); \
        fpu_push_checked(c, &r); \
    } \
    NEXT(c, i); \
}
LOAD_CONSTANT(FLD1, "fld1")
LOAD_CONSTANT(FLDL2T, "fldl2t")
LOAD_CONSTANT(FLDL2E, "fldl2e")
LOAD_CONSTANT(FLDPI, "fldpi")
LOAD_CONSTANT(FLDLG2, "fldlg2")
LOAD_CONSTANT(FLDLN2, "fldln2")
LOAD_CONSTANT(FLDZ, "fldz")

/* --- stores ------------------------------------------------------------------------------------------------------- */
#define HOST_STORE(name, type, op) \
static inline unsigned name(type *v, const struct float80 *a, uint16_t control) \
{ \
    uint16_t sw; \
    asm volatile("fldt %[a]\n\tfldcw %[g]\n\t" op " %[v]\n\t" HOST_STATUS "fstp %%st(0)\n\tfldcw %[h]" \
                 : [v] "+m"(*v), "=&a"(sw) : [a] "m"(*a), [g] "m"(control), [h] "m"(host_control) : HOST_CLOBBERS); \
    return sw; \
}
/* Those that only exist with a pop run masked, so that they do pop; see flags_masked. */
#define HOST_STORE_POP(name, type, op) \
static inline unsigned name(type *v, const struct float80 *a, uint16_t control) \
{ \
    uint16_t sw, masked = control | FPU_EXCEPTIONS; \
    asm volatile("fldt %[a]\n\tfldcw %[g]\n\t" op " %[v]\n\tfnstsw %%ax\n\tfldcw %[h]" \
                 : [v] "+m"(*v), "=&a"(sw) : [a] "m"(*a), [g] "m"(masked), [h] "m"(host_control) : HOST_CLOBBERS); \
    return sw; \
}
HOST_STORE(host_store_m32, uint32_t, "fsts")
HOST_STORE(host_store_m64, uint64_t, "fstl")
HOST_STORE_POP(host_store_i16, uint16_t, "fistps")
HOST_STORE_POP(host_store_i32, uint32_t, "fistpl")
HOST_STORE_POP(host_store_i64, uint64_t, "fistpll")
HOST_STORE_POP(host_store_bcd, struct packed, "fbstp")

/* `indefinite` is what a masked underflow stores; `stops` are the exceptions that keep memory as it is. */
#define STORE(NAME, type, host, flags_done, stops, indefinite, write, pops) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    { \
        struct fpu *f = &c->fpu; \
        uint32_t offset = insn_offset(c, i); \
        type v = indefinite; \
        unsigned sw; \
        if (unlikely(!fpu_valid(f, 0))) { \
            if (f->control & FPU_IE) write; \
            fpu_record_memory(c, i, offset); \
            if (fpu_stack_fault(c, false) && (pops)) fpu_pop(f); \
        } else { \
            HOST_RUN(c, sw, host(&v, fpu_st(f, 0), run_control)); \
            bool stopped = (sw & ~f->control & (stops)) != 0; \
            if (likely(!stopped)) write; \
            fpu_record_memory(c, i, offset); \
            flags_done; \
            if ((pops) && likely(!stopped)) fpu_pop(f); \
        } \
    } \
    NEXT(c, i); \
}
#define STORE_REAL(NAME, bits, indefinite, pops) \
    STORE(NAME, uint##bits##_t, host_store_m##bits, fpu_flags(c, sw, FPU_C1), FPU_BEFORE_STORE, indefinite, \
          mem_write##bits(c, i->seg, offset, v), pops)
#define STORE_INTEGER(NAME, bits, indefinite, pops) \
    STORE(NAME, uint##bits##_t, host_store_i##bits, flags_masked(c, sw), FPU_IE, indefinite, \
          mem_write##bits(c, i->seg, offset, v), pops)

STORE_REAL(FST_m32, 32, 0xffc00000, 0)
STORE_REAL(FSTP_m32, 32, 0xffc00000, 1)
STORE_REAL(FST_m64, 64, 0xfff8000000000000, 0)
STORE_REAL(FSTP_m64, 64, 0xfff8000000000000, 1)
STORE_INTEGER(FIST_m16, 16, 0x8000, 0)
STORE_INTEGER(FISTP_m16, 16, 0x8000, 1)
STORE_INTEGER(FIST_m32, 32, 0x80000000, 0)
STORE_INTEGER(FISTP_m32, 32, 0x80000000, 1)
STORE_INTEGER(FISTP_m64, 64, 0x8000000000000000, 1)

#define PACKED_INDEFINITE { { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff } }
static const struct packed packed_indefinite = PACKED_INDEFINITE;
STORE(FBSTP, struct packed, host_store_bcd, flags_masked(c, sw), FPU_IE, packed_indefinite,
      wide_write(c, i->seg, offset, &v, sizeof v), 1)

void exec_FSTP_m80(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    struct fpu *f = &c->fpu;
    uint32_t offset = insn_offset(c, i);
    bool empty = !fpu_valid(f, 0);
    if (likely(!empty) || f->control & FPU_IE)
        wide_write(c, i->seg, offset, empty ? &float80_indefinite : fpu_st(f, 0), 10);
    fpu_record_memory(c, i, offset);
    if (likely(!empty)) {
        f->status &= (uint16_t)~FPU_C1;
        fpu_pop(f);
    } else if (fpu_stack_fault(c, false)) {
        fpu_pop(f);
    }
    NEXT(c, i);
}

/* ST(i) = ST0 */
static inline void store_register(struct cpu *c, const struct insn *i, bool pop)
{
    struct fpu *f = &c->fpu;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0))) {
        if (!fpu_stack_fault(c, false))
            return;
        fpu_set_indefinite(c, i->rm);
    } else {
        *fpu_st(f, i->rm) = *fpu_st(f, 0);
        fpu_set_valid(f, i->rm);
        f->status &= (uint16_t)~FPU_C1;
    }
    if (pop)
        fpu_pop(f);
}
void exec_FST_STi(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    store_register(c, i, false);
    NEXT(c, i);
}
void exec_FSTP_STi(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    store_register(c, i, true);
    NEXT(c, i);
}

/* D9 D8+i: as FSTP, but of an empty ST0 it stores nothing and says nothing; it only pops. */
void exec_FSTPNCE(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    if (likely(fpu_valid(&c->fpu, 0))) {
        store_register(c, i, true);
    } else {
        fpu_record(c, i);
        c->fpu.status &= (uint16_t)~FPU_C1;
        fpu_rotate(&c->fpu, 1);
    }
    NEXT(c, i);
}

/* --- between registers -------------------------------------------------------------------------------------------- */
void exec_FXCH(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    struct fpu *f = &c->fpu;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0) || !fpu_valid(f, i->rm))) {
        if (!fpu_stack_fault(c, false))
            NEXT(c, i);
        if (!fpu_valid(f, 0))
            fpu_set_indefinite(c, 0);
        if (!fpu_valid(f, i->rm))
            fpu_set_indefinite(c, i->rm);
    }
    struct float80 v = *fpu_st(f, 0);
    *fpu_st(f, 0) = *fpu_st(f, i->rm);
    *fpu_st(f, i->rm) = v;
    f->status &= (uint16_t)~FPU_C1;
    NEXT(c, i);
}

static inline void change_sign(struct cpu *c, const struct insn *i, uint16_t keep, uint16_t flip)
{
    struct float80 *v = fpu_st(&c->fpu, 0);
    fpu_record(c, i);
    if (unlikely(!fpu_valid(&c->fpu, 0))) {
        if (fpu_stack_fault(c, false))
            fpu_set_indefinite(c, 0);
        return;
    }
    v->exponent = (v->exponent & keep) ^ flip;
    c->fpu.status &= (uint16_t)~FPU_C1;
}
void exec_FCHS(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    change_sign(c, i, 0xffff, 0x8000);
    NEXT(c, i);
}
void exec_FABS(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    change_sign(c, i, 0x7fff, 0);
    NEXT(c, i);
}

/* FCMOVcc: an empty register is a stack fault whatever the condition. */
static inline void move_if(struct cpu *c, const struct insn *i, bool condition)
{
    struct fpu *f = &c->fpu;
    fpu_record(c, i);
    if (unlikely(!fpu_valid(f, 0) || !fpu_valid(f, i->rm))) {
        if (fpu_stack_fault(c, false))
            fpu_set_indefinite(c, 0);
        return;
    }
    if (condition)
        *fpu_st(f, 0) = *fpu_st(f, i->rm);
}
#define MOVE_IF(NAME, condition) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_WAITING(c, i); \
    move_if(c, i, condition); \
    NEXT(c, i); \
}
MOVE_IF(FCMOVB, c->arith & ARITH_CF)
MOVE_IF(FCMOVE, c->arith & ARITH_ZF)
MOVE_IF(FCMOVBE, c->arith & (ARITH_CF | ARITH_ZF))
MOVE_IF(FCMOVU, c->arith & ARITH_PF)
MOVE_IF(FCMOVNB, !(c->arith & ARITH_CF))
MOVE_IF(FCMOVNE, !(c->arith & ARITH_ZF))
MOVE_IF(FCMOVNBE, !(c->arith & (ARITH_CF | ARITH_ZF)))
MOVE_IF(FCMOVNU, !(c->arith & ARITH_PF))
