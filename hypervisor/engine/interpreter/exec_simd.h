/* How MMX and SSE handlers begin, reach their operands and end. Private to exec_mmx.c and exec_sse*.c.
 *
 * MMX registers are the mantissas of the x87 registers, R0..R7 whatever TOP says; every MMX instruction but EMMS marks all
 * of them valid and sets TOP to 0, every write sets the exponent to ones [SDM1, 9.5]. Integer operations of both sets run as
 * the host's SSE2 in XMM registers, so that the host's x87 state is never disturbed. */
#ifndef INTERPRETER_EXEC_SIMD_H
#define INTERPRETER_EXEC_SIMD_H
#include "engine/interpreter/exec_fpu.h"
#include "engine/interpreter/exec_wide.h"
#include <emmintrin.h>

/* --- beginning ---------------------------------------------------------------------------------------------------- */
enum fpu_wait mmx_wait(struct cpu *, const struct insn *);      /* #UD, #NM, #MF, or FERR# as for x87 */
_Noreturn void sse_denied(struct cpu *);                        /* #UD or #NM */

#define MMX_WAITING(c, i) do { \
    if (unlikely(c->cr0 & (CR0_EM | CR0_TS) || fpu_pending(c)) && mmx_wait(c, i) == FPU_STALL) return; } while (0)
static inline void sse_begin(struct cpu *c)
{
    if (unlikely(c->cr0 & (CR0_EM | CR0_TS) || !(c->cr4 & CR4_OSFXSR)))
        sse_denied(c);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */
static inline void mmx_enter(struct cpu *c)
{
    c->fpu.status &= (uint16_t)~FPU_TOP;
    c->fpu.tags = 0xff;
}
static inline uint64_t mmx_get(const struct cpu *c, unsigned n) { return c->fpu.reg[n].mantissa; }
static inline void mmx_set(struct cpu *c, unsigned n, uint64_t v)
{
    mmx_enter(c);
    c->fpu.reg[n] = (struct float80){ v, 0xffff };
}
static inline __m128i vec64(uint64_t v) { return _mm_cvtsi64_si128((long long)v); }
static inline uint64_t low64(__m128i v) { return (uint64_t)_mm_cvtsi128_si64(v); }
static inline __m128i xmm_get(const struct cpu *c, unsigned n) { return _mm_load_si128((const __m128i *)&c->xmm[n]); }
static inline void xmm_set(struct cpu *c, unsigned n, __m128i v) { _mm_store_si128((__m128i *)&c->xmm[n], v); }
static inline void xmm_set_low(struct cpu *c, unsigned n, uint64_t v) { memcpy(&c->xmm[n].dword[0], &v, 8); }
static inline void xmm_set_high(struct cpu *c, unsigned n, uint64_t v) { memcpy(&c->xmm[n].dword[2], &v, 8); }
static inline uint64_t xmm_low(const struct cpu *c, unsigned n) { return le64_get(&c->xmm[n].dword[0]); }
static inline uint64_t xmm_high(const struct cpu *c, unsigned n) { return le64_get(&c->xmm[n].dword[2]); }

/* --- memory ------------------------------------------------------------------------------------------------------- */
static inline __m128i read128(struct cpu *c, const struct insn *i)      /* aligned, or #GP(0) */
{
    __m128i v;
    wide_read_linear(c, wide_aligned(c, i->seg, insn_offset(c, i), 16, false), &v, 16);
    return v;
}
static inline __m128i read128u(struct cpu *c, const struct insn *i)
{
    __m128i v;
    wide_read(c, i->seg, insn_offset(c, i), &v, 16);
    return v;
}
static inline uint64_t read64(struct cpu *c, const struct insn *i) { return mem_read64(c, i->seg, insn_offset(c, i)); }
static inline uint32_t read32(struct cpu *c, const struct insn *i) { return mem_read32(c, i->seg, insn_offset(c, i)); }
static inline void write128(struct cpu *c, const struct insn *i, __m128i v)
{
    wide_write_linear(c, wide_aligned(c, i->seg, insn_offset(c, i), 16, true), &v, 16);
}
static inline bool is_memory(const struct insn *i) { return i->flags & INSN_MEMORY; }

/* --- the host's SSE under the guest's MXCSR ----------------------------------------------------------------------- */
enum { MXCSR_HOST = MXCSR_INIT, MXCSR_RUN = 0xe040 };           /* rounding, FZ and DAZ of the guest reach the host */
static const uint32_t host_mxcsr = MXCSR_HOST;

_Noreturn void sse_exception(struct cpu *, unsigned flags);

/* The flags of an operation, before its result is written: an unmasked one leaves with #XM. */
static inline void sse_flags(struct cpu *c, uint32_t flags)
{
    flags &= FPU_EXCEPTIONS;
    if (unlikely(flags & ~(c->mxcsr >> 7)))
        sse_exception(c, flags);
    c->mxcsr |= flags;
}
/* Runs `call` with host_csr set, all masked, and collects its MXCSR in `out`. Unmasked underflow is another condition than
 * masked (a tiny result is enough, it need not be inexact): flush-to-zero mode tells, it flushes and flags just these. */
#define SSE_RUN(c, out, call) do { \
    uint32_t host_csr = ((c)->mxcsr & MXCSR_RUN) | MXCSR_MASKS; \
    if (unlikely(!((c)->mxcsr & MXCSR_UM))) { \
        host_csr |= MXCSR_FZ; \
        unsigned tiny_ = (call) & FPU_UE; \
        host_csr &= ~(uint32_t)MXCSR_FZ; \
        (out) = (call) | tiny_; \
    } else \
        (out) = (call); \
    } while (0)
/* Two XMM operands, one result; scalar instructions keep the rest of d. */
#define HOST_SSE(name, op) \
static inline uint32_t name(__m128i *r, __m128i d, __m128i s, uint32_t csr) \
{ \
    uint32_t out; \
    asm volatile("ldmxcsr %[g]\n\t" op " %[s], %[r]\n\tstmxcsr %[out]\n\tldmxcsr %[h]" \
                 : [r] "=&x"(*r), [out] "=m"(out) : "0"(d), [s] "x"(s), [g] "m"(csr), [h] "m"(host_mxcsr)); \
    return out; \
}
typedef uint32_t host_sse_fn(__m128i *, __m128i, __m128i, uint32_t);

static inline __attribute__((always_inline)) __m128i sse_run(struct cpu *c, __m128i d, __m128i s, host_sse_fn *op)
{
    __m128i r;
    uint32_t out;
    SSE_RUN(c, out, op(&r, d, s, host_csr));
    sse_flags(c, out);
    return r;
}

#endif
