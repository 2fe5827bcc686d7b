/* SSE and SSE2 floating point: arithmetic, comparisons, logic, shuffles, MXCSR [SDM2; SDM1, 10, 11]. The host computes under
 * the guest's rounding and flush modes with every exception masked; see exec_simd.h.
 *
 * Not modelled: with an unmasked overflow or underflow PE is always set; silicon sets it if the result would be inexact
 * even with an unbounded exponent. */
#include "engine/interpreter/exec_simd.h"

void sse_denied(struct cpu *c)
{
    cpu_raise(c, c->cr0 & CR0_EM || !(c->cr4 & CR4_OSFXSR) ? EXC_UD : EXC_NM);
}

/* An unmasked exception found before computing hides those of the result [SDM1, 11.5.3]. */
void sse_exception(struct cpu *c, unsigned flags)
{
    if (flags & ~(c->mxcsr >> 7) & FPU_BEFORE)
        flags &= FPU_BEFORE;
    c->mxcsr |= flags;
    cpu_raise(c, c->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */
#define SSE_PAIR(NAME, host, read) \
void exec_##NAME##_r(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    xmm_set(c, i->reg, sse_run(c, xmm_get(c, i->reg), xmm_get(c, i->rm), host)); \
    NEXT(c, i); \
} \
void exec_##NAME##_m(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = read; \
    xmm_set(c, i->reg, sse_run(c, xmm_get(c, i->reg), s, host)); \
    NEXT(c, i); \
}
#define READ_PS read128(c, i)
#define READ_PD read128(c, i)
#define READ_SS vec64(read32(c, i))
#define READ_SD vec64(read64(c, i))
#define ONE_WIDTH(NAME, op, W, w) HOST_SSE(host_##op##w, #op #w) SSE_PAIR(NAME##W, host_##op##w, READ_##W)
#define SINGLES(NAME, op) ONE_WIDTH(NAME, op, PS, ps) ONE_WIDTH(NAME, op, SS, ss)
#define ALL_WIDTHS(NAME, op) SINGLES(NAME, op) ONE_WIDTH(NAME, op, PD, pd) ONE_WIDTH(NAME, op, SD, sd)

ALL_WIDTHS(ADD, add)
ALL_WIDTHS(MUL, mul)
ALL_WIDTHS(SUB, sub)
ALL_WIDTHS(MIN, min)
ALL_WIDTHS(DIV, div)
ALL_WIDTHS(MAX, max)
ALL_WIDTHS(SQRT, sqrt)
SINGLES(RSQRT, rsqrt)
SINGLES(RCP, rcp)

/* --- CMPcc: the low three bits of the immediate choose ------------------------------------------------------------ */
#define PREDICATES(w) \
HOST_SSE(host_eq##w, "cmpeq" #w) HOST_SSE(host_lt##w, "cmplt" #w) HOST_SSE(host_le##w, "cmple" #w) \
HOST_SSE(host_unord##w, "cmpunord" #w) HOST_SSE(host_neq##w, "cmpneq" #w) HOST_SSE(host_nlt##w, "cmpnlt" #w) \
HOST_SSE(host_nle##w, "cmpnle" #w) HOST_SSE(host_ord##w, "cmpord" #w) \
static __m128i compare##w(struct cpu *c, const struct insn *i, __m128i d, __m128i s) \
{ \
    switch (i->imm & 7) { \
    case 0: return sse_run(c, d, s, host_eq##w); \
    case 1: return sse_run(c, d, s, host_lt##w); \
    case 2: return sse_run(c, d, s, host_le##w); \
    case 3: return sse_run(c, d, s, host_unord##w); \
    case 4: return sse_run(c, d, s, host_neq##w); \
    case 5: return sse_run(c, d, s, host_nlt##w); \
    case 6: return sse_run(c, d, s, host_nle##w); \
    default: return sse_run(c, d, s, host_ord##w); \
    } \
}
#define COMPARE(NAME, w, read) \
PREDICATES(w) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = is_memory(i) ? read : xmm_get(c, i->rm); \
    xmm_set(c, i->reg, compare##w(c, i, xmm_get(c, i->reg), s)); \
    NEXT(c, i); \
}
COMPARE(CMPPS, ps, READ_PS)
COMPARE(CMPSS, ss, READ_SS)
COMPARE(CMPPD, pd, READ_PD)
COMPARE(CMPSD_V, sd, READ_SD)

/* --- COMIS, UCOMIS ------------------------------------------------------------------------------------------------ */
#define HOST_COMIS(name, op) \
static inline uint32_t name(uint32_t *flags, __m128i d, __m128i s, uint32_t csr) \
{ \
    uint32_t out; \
    bool cf, pf, zf; \
    asm volatile("ldmxcsr %[g]\n\t" op " %[s], %[d]\n\tstmxcsr %[out]\n\tldmxcsr %[h]" \
                 : "=@ccc"(cf), "=@ccp"(pf), "=@ccz"(zf), [out] "=m"(out) \
                 : [d] "x"(d), [s] "x"(s), [g] "m"(csr), [h] "m"(host_mxcsr)); \
    *flags = (cf ? FLAG_CF : 0) | (pf ? FLAG_PF : 0) | (zf ? FLAG_ZF : 0); \
    return out; \
}
#define COMIS(NAME, op, read) \
HOST_COMIS(host_##op, #op) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = is_memory(i) ? read : xmm_get(c, i->rm), d = xmm_get(c, i->reg); \
    uint32_t out, flags; \
    SSE_RUN(c, out, host_##op(&flags, d, s, host_csr)); \
    sse_flags(c, out); \
    cpu_set_arith(c, flags); \
    NEXT(c, i); \
}
COMIS(COMISS, comiss, READ_SS)
COMIS(COMISD, comisd, READ_SD)
COMIS(UCOMISS, ucomiss, READ_SS)
COMIS(UCOMISD, ucomisd, READ_SD)

/* --- logic, shuffles ---------------------------------------------------------------------------------------------- */
#define BITWISE(NAME, op) \
void exec_##NAME##_r(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    xmm_set(c, i->reg, op(xmm_get(c, i->reg), xmm_get(c, i->rm))); \
    NEXT(c, i); \
} \
void exec_##NAME##_m(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = read128(c, i); \
    xmm_set(c, i->reg, op(xmm_get(c, i->reg), s)); \
    NEXT(c, i); \
}
BITWISE(ANDPS, _mm_and_si128)
BITWISE(ANDPD, _mm_and_si128)
BITWISE(ANDNPS, _mm_andnot_si128)
BITWISE(ANDNPD, _mm_andnot_si128)
BITWISE(ORPS, _mm_or_si128)
BITWISE(ORPD, _mm_or_si128)
BITWISE(XORPS, _mm_xor_si128)
BITWISE(XORPD, _mm_xor_si128)
BITWISE(UNPCKLPS, _mm_unpacklo_epi32)
BITWISE(UNPCKLPD, _mm_unpacklo_epi64)
BITWISE(UNPCKHPS, _mm_unpackhi_epi32)
BITWISE(UNPCKHPD, _mm_unpackhi_epi64)

static inline struct xmm source(struct cpu *c, const struct insn *i)
{
    struct xmm s;
    _mm_store_si128((__m128i *)&s, is_memory(i) ? read128(c, i) : xmm_get(c, i->rm));
    return s;
}
void exec_SHUFPS(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    struct xmm s = source(c, i), *d = &c->xmm[i->reg];
    unsigned o = i->imm;
    *d = (struct xmm){ { d->dword[o & 3], d->dword[o >> 2 & 3], s.dword[o >> 4 & 3], s.dword[o >> 6 & 3] } };
    NEXT(c, i);
}
void exec_SHUFPD(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    struct xmm s = source(c, i), *d = &c->xmm[i->reg];
    unsigned low = i->imm << 1 & 2, high = i->imm & 2;
    *d = (struct xmm){ { d->dword[low], d->dword[low + 1], s.dword[high], s.dword[high + 1] } };
    NEXT(c, i);
}

/* --- MXCSR -------------------------------------------------------------------------------------------------------- */
void exec_LDMXCSR(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    uint32_t v = read32(c, i);
    if (v & ~fpu_mxcsr_mask(c))
        cpu_raise_error(c, EXC_GP, 0);
    c->mxcsr = v;
    NEXT(c, i);
}
void exec_STMXCSR(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    mem_write32(c, i->seg, insn_offset(c, i), c->mxcsr);
    NEXT(c, i);
}
