/* SSE and SSE2 data movement, fences [SDM2]. */
#include "engine/interpreter/exec_simd.h"

/* --- 128 bits ----------------------------------------------------------------------------------------------------- */
#define LOAD128(NAME, read) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    xmm_set(c, i->reg, is_memory(i) ? read(c, i) : xmm_get(c, i->rm)); \
    NEXT(c, i); \
}
LOAD128(MOVAPS_VW, read128)
LOAD128(MOVAPD_VW, read128)
LOAD128(MOVDQA_VW, read128)
LOAD128(MOVUPS_VW, read128u)
LOAD128(MOVUPD_VW, read128u)
LOAD128(MOVDQU_VW, read128u)

static inline void write128u(struct cpu *c, const struct insn *i, __m128i v)
{
    wide_write(c, i->seg, insn_offset(c, i), &v, 16);
}
#define STORE128(NAME, write) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    if (is_memory(i)) \
        write(c, i, xmm_get(c, i->reg)); \
    else \
        xmm_set(c, i->rm, xmm_get(c, i->reg)); \
    NEXT(c, i); \
}
STORE128(MOVAPS_WV, write128)
STORE128(MOVAPD_WV, write128)
STORE128(MOVDQA_WV, write128)
STORE128(MOVNTPS, write128)
STORE128(MOVNTPD, write128)
STORE128(MOVNTDQ, write128)
STORE128(MOVUPS_WV, write128u)
STORE128(MOVUPD_WV, write128u)
STORE128(MOVDQU_WV, write128u)

/* --- scalars: loads from memory clear the rest, moves between registers keep it ----------------------------------- */
void exec_MOVSS_VW(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (is_memory(i))
        xmm_set(c, i->reg, vec64(read32(c, i)));
    else
        c->xmm[i->reg].dword[0] = c->xmm[i->rm].dword[0];
    NEXT(c, i);
}
void exec_MOVSS_WV(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (is_memory(i))
        mem_write32(c, i->seg, insn_offset(c, i), c->xmm[i->reg].dword[0]);
    else
        c->xmm[i->rm].dword[0] = c->xmm[i->reg].dword[0];
    NEXT(c, i);
}
void exec_MOVSD_VW(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (is_memory(i))
        xmm_set(c, i->reg, vec64(read64(c, i)));
    else
        xmm_set_low(c, i->reg, xmm_low(c, i->rm));
    NEXT(c, i);
}
void exec_MOVSD_WV(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (is_memory(i))
        mem_write64(c, i->seg, insn_offset(c, i), xmm_low(c, i->reg));
    else
        xmm_set_low(c, i->rm, xmm_low(c, i->reg));
    NEXT(c, i);
}
void exec_MOVD_VE(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    xmm_set(c, i->reg, vec64(rm_read32(c, i)));
    NEXT(c, i);
}
void exec_MOVD_EV(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (is_memory(i))
        mem_write32(c, i->seg, insn_offset(c, i), c->xmm[i->reg].dword[0]);
    else
        c->gpr[i->rm] = c->xmm[i->reg].dword[0];
    NEXT(c, i);
}
void exec_MOVQ_VW(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    xmm_set(c, i->reg, vec64(is_memory(i) ? read64(c, i) : xmm_low(c, i->rm)));
    NEXT(c, i);
}
void exec_MOVQ_WV(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    if (is_memory(i))
        mem_write64(c, i->seg, insn_offset(c, i), xmm_low(c, i->reg));
    else
        xmm_set(c, i->rm, vec64(xmm_low(c, i->reg)));
    NEXT(c, i);
}

/* --- halves; each line names PS and PD alike ---------------------------------------------------------------------- */
#define HALF(NAME, half) \
void exec_##NAME##_VM(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    xmm_set_##half(c, i->reg, read64(c, i)); \
    NEXT(c, i); \
} \
void exec_##NAME##_MV(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    mem_write64(c, i->seg, insn_offset(c, i), xmm_##half(c, i->reg)); \
    NEXT(c, i); \
}
HALF(MOVLPS, low)
HALF(MOVLPD, low)
HALF(MOVHPS, high)
HALF(MOVHPD, high)

void exec_MOVHLPS(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    xmm_set_low(c, i->reg, xmm_high(c, i->rm));
    NEXT(c, i);
}
void exec_MOVLHPS(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    xmm_set_high(c, i->reg, xmm_low(c, i->rm));
    NEXT(c, i);
}
void exec_MOVMSKPS(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    c->gpr[i->reg] = (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(xmm_get(c, i->rm)));
    NEXT(c, i);
}
void exec_MOVMSKPD(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    c->gpr[i->reg] = (uint32_t)_mm_movemask_pd(_mm_castsi128_pd(xmm_get(c, i->rm)));
    NEXT(c, i);
}
/* Bytes of reg whose byte in rm has bit 7 set go to DS:EDI. */
void exec_MASKMOVDQU(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    unsigned mask = (unsigned)_mm_movemask_epi8(xmm_get(c, i->rm));
    if (mask) {
        const uint8_t *v = (const uint8_t *)&c->xmm[i->reg];
        uint32_t linear = wide_linear(c, i->seg, c->gpr[EDI] & i->address_mask, 16, true);
        mmu_check_write(c, linear, 16);
        for (unsigned n = 0; n < 16; n++)
            if (mask >> n & 1)
                mem_rmw_write8(c, linear + n, v[n]);
    }
    NEXT(c, i);
}

/* --- memory order ------------------------------------------------------------------------------------------------- */
/* Not an XMM instruction: CR0 and CR4 do not matter. */
void exec_MOVNTI(struct cpu *c, const struct insn *i)
{
    mem_write32(c, i->seg, insn_offset(c, i), c->gpr[i->reg]);
    NEXT(c, i);
}
void exec_SFENCE(struct cpu *c, const struct insn *i)
{
    atomic_thread_fence(memory_order_seq_cst);
    NEXT(c, i);
}
void exec_LFENCE(struct cpu *c, const struct insn *i)
{
    atomic_thread_fence(memory_order_seq_cst);
    NEXT(c, i);
}
void exec_MFENCE(struct cpu *c, const struct insn *i)
{
    atomic_thread_fence(memory_order_seq_cst);
    NEXT(c, i);
}
