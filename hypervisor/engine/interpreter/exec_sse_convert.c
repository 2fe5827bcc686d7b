/* SSE and SSE2 conversions [SDM2, CVT...]. Those that touch an MMX register also make the switch from x87 to MMX. */
#include "engine/interpreter/exec_simd.h"

/* --- between XMM registers ---------------------------------------------------------------------------------------- */
#define CONVERT(NAME, op, read) \
HOST_SSE(host_##op, #op) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = is_memory(i) ? read : xmm_get(c, i->rm); \
    xmm_set(c, i->reg, sse_run(c, xmm_get(c, i->reg), s, host_##op)); \
    NEXT(c, i); \
}
CONVERT(CVTPS2PD, cvtps2pd, vec64(read64(c, i)))
CONVERT(CVTPD2PS, cvtpd2ps, read128(c, i))
CONVERT(CVTSS2SD, cvtss2sd, vec64(read32(c, i)))
CONVERT(CVTSD2SS, cvtsd2ss, vec64(read64(c, i)))
CONVERT(CVTDQ2PS, cvtdq2ps, read128(c, i))
CONVERT(CVTPS2DQ, cvtps2dq, read128(c, i))
CONVERT(CVTTPS2DQ, cvttps2dq, read128(c, i))
CONVERT(CVTDQ2PD, cvtdq2pd, vec64(read64(c, i)))
CONVERT(CVTPD2DQ, cvtpd2dq, read128(c, i))
CONVERT(CVTTPD2DQ, cvttpd2dq, read128(c, i))

/* --- with general registers --------------------------------------------------------------------------------------- */
#define HOST_TO_INTEGER(name, op) \
static inline uint32_t name(uint32_t *r, __m128i s, uint32_t csr) \
{ \
    uint32_t out; \
    asm volatile("ldmxcsr %[g]\n\t" op " %[s], %[r]\n\tstmxcsr %[out]\n\tldmxcsr %[h]" \
                 : [r] "=&r"(*r), [out] "=m"(out) : [s] "x"(s), [g] "m"(csr), [h] "m"(host_mxcsr)); \
    return out; \
}
#define TO_INTEGER(NAME, op, read) \
HOST_TO_INTEGER(host_##op, #op) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = is_memory(i) ? vec64(read(c, i)) : xmm_get(c, i->rm); \
    uint32_t r, out; \
    SSE_RUN(c, out, host_##op(&r, s, host_csr)); \
    sse_flags(c, out); \
    c->gpr[i->reg] = r; \
    NEXT(c, i); \
}
TO_INTEGER(CVTSS2SI, cvtss2si, read32)
TO_INTEGER(CVTTSS2SI, cvttss2si, read32)
TO_INTEGER(CVTSD2SI, cvtsd2si, read64)
TO_INTEGER(CVTTSD2SI, cvttsd2si, read64)

#define HOST_FROM_INTEGER(name, op) \
static inline uint32_t name(__m128i *r, __m128i d, uint32_t s, uint32_t csr) \
{ \
    uint32_t out; \
    asm volatile("ldmxcsr %[g]\n\t" op " %[s], %[r]\n\tstmxcsr %[out]\n\tldmxcsr %[h]" \
                 : [r] "=&x"(*r), [out] "=m"(out) : "0"(d), [s] "r"(s), [g] "m"(csr), [h] "m"(host_mxcsr)); \
    return out; \
}
#define FROM_INTEGER(NAME, op) \
HOST_FROM_INTEGER(host_##op, #op "l") \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    uint32_t s = rm_read32(c, i), out; \
    __m128i r, d = xmm_get(c, i->reg); \
    SSE_RUN(c, out, host_##op(&r, d, s, host_csr)); \
    sse_flags(c, out); \
    xmm_set(c, i->reg, r); \
    NEXT(c, i); \
}
FROM_INTEGER(CVTSI2SS, cvtsi2ss)
FROM_INTEGER(CVTSI2SD, cvtsi2sd)

/* --- with MMX registers ------------------------------------------------------------------------------------------- */
#define TO_MMX(NAME, host, read) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    MMX_WAITING(c, i); \
    __m128i s = is_memory(i) ? read : xmm_get(c, i->rm); \
    s = NAME##_LANES(s); \
    mmx_set(c, i->reg, low64(sse_run(c, s, s, host))); \
    NEXT(c, i); \
}
/* From singles only the low two count, and may report; from doubles all do. */
#define CVTPS2PI_LANES(s) _mm_move_epi64(s)
#define CVTTPS2PI_LANES(s) _mm_move_epi64(s)
#define CVTPD2PI_LANES(s) (s)
#define CVTTPD2PI_LANES(s) (s)
TO_MMX(CVTPS2PI, host_cvtps2dq, vec64(read64(c, i)))
TO_MMX(CVTTPS2PI, host_cvttps2dq, vec64(read64(c, i)))
TO_MMX(CVTPD2PI, host_cvtpd2dq, read128(c, i))
TO_MMX(CVTTPD2PI, host_cvttpd2dq, read128(c, i))

/* From memory these leave the x87 state alone. */
void exec_CVTPI2PS(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (!is_memory(i))
        MMX_WAITING(c, i);
    __m128i s = vec64(is_memory(i) ? read64(c, i) : mmx_get(c, i->rm));
    uint64_t r = low64(sse_run(c, s, s, host_cvtdq2ps));
    xmm_set_low(c, i->reg, r);
    if (!is_memory(i))
        mmx_enter(c);
    NEXT(c, i);
}
void exec_CVTPI2PD(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (!is_memory(i))
        MMX_WAITING(c, i);
    __m128i s = vec64(is_memory(i) ? read64(c, i) : mmx_get(c, i->rm));
    xmm_set(c, i->reg, sse_run(c, s, s, host_cvtdq2pd));
    if (!is_memory(i))
        mmx_enter(c);
    NEXT(c, i);
}
