/* MMX [SDM2], with what SSE and SSE2 added to it (PSHUFW, PAVGB, PMULUDQ, MASKMOVQ ...). Integer arithmetic is in
 * exec_simd_integer.c, for MMX and XMM registers together. */
#include "engine/interpreter/exec_simd.h"

enum fpu_wait mmx_wait(struct cpu *c, const struct insn *i)
{
    if (c->cr0 & CR0_EM)
        cpu_raise(c, EXC_UD);
    return fpu_wait(c, i);
}

void exec_EMMS(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    mmx_enter(c);
    c->fpu.tags = 0;
    NEXT(c, i);
}

/* --- moves -------------------------------------------------------------------------------------------------------- */
void exec_MOVD_PE(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    mmx_set(c, i->reg, rm_read32(c, i));
    NEXT(c, i);
}
void exec_MOVD_EP(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    uint32_t v = (uint32_t)mmx_get(c, i->reg);
    if (is_memory(i))
        mem_write32(c, i->seg, insn_offset(c, i), v);
    else
        c->gpr[i->rm] = v;
    mmx_enter(c);
    NEXT(c, i);
}
void exec_MOVQ_PQ(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    mmx_set(c, i->reg, is_memory(i) ? read64(c, i) : mmx_get(c, i->rm));
    NEXT(c, i);
}
void exec_MOVQ_QP(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    uint64_t v = mmx_get(c, i->reg);
    if (is_memory(i)) {
        mem_write64(c, i->seg, insn_offset(c, i), v);
        mmx_enter(c);
    } else {
        mmx_set(c, i->rm, v);
    }
    NEXT(c, i);
}
void exec_MOVNTQ(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    mem_write64(c, i->seg, insn_offset(c, i), mmx_get(c, i->reg));
    mmx_enter(c);
    NEXT(c, i);
}
/* Bytes of reg whose byte in rm has bit 7 set go to DS:EDI. */
void exec_MASKMOVQ(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    uint64_t v = mmx_get(c, i->reg), mask = mmx_get(c, i->rm);
    if (mask & 0x8080808080808080) {
        uint32_t linear = wide_linear(c, i->seg, c->gpr[EDI] & i->address_mask, 8, true);
        mmu_check_write(c, linear, 8);
        for (unsigned n = 0; n < 8; n++)
            if (mask >> (8 * n + 7) & 1)
                mem_rmw_write8(c, linear + n, (uint8_t)(v >> (8 * n)));
    }
    mmx_enter(c);
    NEXT(c, i);
}

/* --- between the two sets ----------------------------------------------------------------------------------------- */
void exec_MOVQ2DQ(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    MMX_WAITING(c, i);
    xmm_set(c, i->reg, vec64(mmx_get(c, i->rm)));
    mmx_enter(c);
    NEXT(c, i);
}
void exec_MOVDQ2Q(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    MMX_WAITING(c, i);
    mmx_set(c, i->reg, xmm_low(c, i->rm));
    NEXT(c, i);
}

/* --- words -------------------------------------------------------------------------------------------------------- */
static inline uint64_t shuffle_words(uint64_t v, unsigned order)
{
    uint64_t r = 0;
    for (unsigned n = 0; n < 4; n++)
        r |= (v >> (16 * (order >> (2 * n) & 3)) & 0xffff) << (16 * n);
    return r;
}
void exec_PSHUFW(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    mmx_set(c, i->reg, shuffle_words(is_memory(i) ? read64(c, i) : mmx_get(c, i->rm), i->imm));
    NEXT(c, i);
}
void exec_PSHUFLW(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    __m128i s = is_memory(i) ? read128(c, i) : xmm_get(c, i->rm);
    xmm_set(c, i->reg, s);
    xmm_set_low(c, i->reg, shuffle_words(xmm_low(c, i->reg), i->imm));
    NEXT(c, i);
}
void exec_PSHUFHW(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    __m128i s = is_memory(i) ? read128(c, i) : xmm_get(c, i->rm);
    xmm_set(c, i->reg, s);
    xmm_set_high(c, i->reg, shuffle_words(xmm_high(c, i->reg), i->imm));
    NEXT(c, i);
}
void exec_PSHUFD(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    struct xmm s;
    _mm_store_si128((__m128i *)&s, is_memory(i) ? read128(c, i) : xmm_get(c, i->rm));
    for (unsigned n = 0; n < 4; n++)
        c->xmm[i->reg].dword[n] = s.dword[i->imm >> (2 * n) & 3];
    NEXT(c, i);
}
void exec_PINSRW_P(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    unsigned shift = 16 * (i->imm & 3);
    uint64_t w = rm_read16(c, i);
    mmx_set(c, i->reg, (mmx_get(c, i->reg) & ~(0xffffull << shift)) | w << shift);
    NEXT(c, i);
}
void exec_PINSRW_V(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    uint16_t w = rm_read16(c, i);
    memcpy((uint8_t *)&c->xmm[i->reg] + 2 * (i->imm & 7), &w, 2);
    NEXT(c, i);
}
void exec_PEXTRW_P(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    c->gpr[i->reg] = mmx_get(c, i->rm) >> (16 * (i->imm & 3)) & 0xffff;
    mmx_enter(c);
    NEXT(c, i);
}
void exec_PEXTRW_V(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    c->gpr[i->reg] = le16_get((const uint8_t *)&c->xmm[i->rm] + 2 * (i->imm & 7));
    NEXT(c, i);
}
void exec_PMOVMSKB_P(struct cpu *c, const struct insn *i)
{
    MMX_WAITING(c, i);
    c->gpr[i->reg] = (uint32_t)_mm_movemask_epi8(vec64(mmx_get(c, i->rm)));
    mmx_enter(c);
    NEXT(c, i);
}
void exec_PMOVMSKB_V(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    c->gpr[i->reg] = (uint32_t)_mm_movemask_epi8(xmm_get(c, i->rm));
    NEXT(c, i);
}
