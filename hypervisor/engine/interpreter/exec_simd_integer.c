/* Integer arithmetic of MMX and SSE2 [SDM2]: each operation once, for P (MMX) and V (XMM) registers, from register (_r) and
 * memory (_m). An MMX operation is the XMM one on the low halves, except where lanes of both operands mix. */
#include "engine/interpreter/exec_simd.h"

#define MMX_PAIR(NAME, r_expr, m_read) \
void exec_##NAME##_P_r(struct cpu *c, const struct insn *i) \
{ \
    MMX_WAITING(c, i); \
    __m128i d = vec64(mmx_get(c, i->reg)), s = vec64(mmx_get(c, i->rm)); \
    mmx_set(c, i->reg, low64(r_expr)); \
    NEXT(c, i); \
} \
void exec_##NAME##_P_m(struct cpu *c, const struct insn *i) \
{ \
    MMX_WAITING(c, i); \
    __m128i d = vec64(mmx_get(c, i->reg)), s = vec64(m_read(c, i)); \
    mmx_set(c, i->reg, low64(r_expr)); \
    NEXT(c, i); \
}
#define XMM_PAIR(NAME, r_expr) \
void exec_##NAME##_V_r(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i d = xmm_get(c, i->reg), s = xmm_get(c, i->rm); \
    xmm_set(c, i->reg, r_expr); \
    NEXT(c, i); \
} \
void exec_##NAME##_V_m(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    __m128i s = read128(c, i), d = xmm_get(c, i->reg); \
    xmm_set(c, i->reg, r_expr); \
    NEXT(c, i); \
}
/* Lane by lane; unpack of the low and of the high halves; packs of both operands into one. */
#define LANES(NAME, op) MMX_PAIR(NAME, op(d, s), read64) XMM_PAIR(NAME, op(d, s))
#define UNPACK_LOW(NAME, op) MMX_PAIR(NAME, op(d, s), read32) XMM_PAIR(NAME, op(d, s))
#define UNPACK_HIGH(NAME, low, high) MMX_PAIR(NAME, _mm_srli_si128(low(d, s), 8), read64) XMM_PAIR(NAME, high(d, s))
#define PACK(NAME, op) MMX_PAIR(NAME, op(_mm_unpacklo_epi64(d, s), d), read64) XMM_PAIR(NAME, op(d, s))

UNPACK_LOW(PUNPCKLBW, _mm_unpacklo_epi8)
UNPACK_LOW(PUNPCKLWD, _mm_unpacklo_epi16)
UNPACK_LOW(PUNPCKLDQ, _mm_unpacklo_epi32)
UNPACK_HIGH(PUNPCKHBW, _mm_unpacklo_epi8, _mm_unpackhi_epi8)
UNPACK_HIGH(PUNPCKHWD, _mm_unpacklo_epi16, _mm_unpackhi_epi16)
UNPACK_HIGH(PUNPCKHDQ, _mm_unpacklo_epi32, _mm_unpackhi_epi32)
XMM_PAIR(PUNPCKLQDQ, _mm_unpacklo_epi64(d, s))
XMM_PAIR(PUNPCKHQDQ, _mm_unpackhi_epi64(d, s))
PACK(PACKSSWB, _mm_packs_epi16)
PACK(PACKUSWB, _mm_packus_epi16)
PACK(PACKSSDW, _mm_packs_epi32)

LANES(PADDB, _mm_add_epi8)
LANES(PADDW, _mm_add_epi16)
LANES(PADDD, _mm_add_epi32)
LANES(PADDQ, _mm_add_epi64)
LANES(PADDSB, _mm_adds_epi8)
LANES(PADDSW, _mm_adds_epi16)
LANES(PADDUSB, _mm_adds_epu8)
LANES(PADDUSW, _mm_adds_epu16)
LANES(PSUBB, _mm_sub_epi8)
LANES(PSUBW, _mm_sub_epi16)
LANES(PSUBD, _mm_sub_epi32)
LANES(PSUBQ, _mm_sub_epi64)
LANES(PSUBSB, _mm_subs_epi8)
LANES(PSUBSW, _mm_subs_epi16)
LANES(PSUBUSB, _mm_subs_epu8)
LANES(PSUBUSW, _mm_subs_epu16)
LANES(PMULLW, _mm_mullo_epi16)
LANES(PMULHW, _mm_mulhi_epi16)
LANES(PMULHUW, _mm_mulhi_epu16)
LANES(PMULUDQ, _mm_mul_epu32)
LANES(PMADDWD, _mm_madd_epi16)
LANES(PSADBW, _mm_sad_epu8)
LANES(PAVGB, _mm_avg_epu8)
LANES(PAVGW, _mm_avg_epu16)
LANES(PMINUB, _mm_min_epu8)
LANES(PMAXUB, _mm_max_epu8)
LANES(PMINSW, _mm_min_epi16)
LANES(PMAXSW, _mm_max_epi16)
LANES(PCMPEQB, _mm_cmpeq_epi8)
LANES(PCMPEQW, _mm_cmpeq_epi16)
LANES(PCMPEQD, _mm_cmpeq_epi32)
LANES(PCMPGTB, _mm_cmpgt_epi8)
LANES(PCMPGTW, _mm_cmpgt_epi16)
LANES(PCMPGTD, _mm_cmpgt_epi32)
LANES(PAND, _mm_and_si128)
LANES(PANDN, _mm_andnot_si128)
LANES(POR, _mm_or_si128)
LANES(PXOR, _mm_xor_si128)

/* --- shifts ------------------------------------------------------------------------------------------------------- */
/* The count is 64 bits of the other operand, or an immediate; too large a count clears, or fills with the sign. */
#define SHIFT(NAME, op) \
LANES(NAME, op) \
void exec_##NAME##_PI(struct cpu *c, const struct insn *i) \
{ \
    MMX_WAITING(c, i); \
    mmx_set(c, i->rm, low64(op(vec64(mmx_get(c, i->rm)), vec64(i->imm & 0xff)))); \
    NEXT(c, i); \
} \
void exec_##NAME##_VI(struct cpu *c, const struct insn *i) \
{ \
    sse_begin(c); \
    xmm_set(c, i->rm, op(xmm_get(c, i->rm), vec64(i->imm & 0xff))); \
    NEXT(c, i); \
}
SHIFT(PSRLW, _mm_srl_epi16)
SHIFT(PSRLD, _mm_srl_epi32)
SHIFT(PSRLQ, _mm_srl_epi64)
SHIFT(PSRAW, _mm_sra_epi16)
SHIFT(PSRAD, _mm_sra_epi32)
SHIFT(PSLLW, _mm_sll_epi16)
SHIFT(PSLLD, _mm_sll_epi32)
SHIFT(PSLLQ, _mm_sll_epi64)

/* By bytes, over the whole register. */
static inline __m128i shift_bytes(__m128i v, unsigned count, bool left)
{
    uint8_t window[48] = { 0 };
    count = MIN(count, 16);
    _mm_storeu_si128((__m128i *)(window + 16), v);
    return _mm_loadu_si128((const __m128i *)(window + (left ? 16 - count : 16 + count)));
}
void exec_PSRLDQ(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    xmm_set(c, i->rm, shift_bytes(xmm_get(c, i->rm), i->imm & 0xff, false));
    NEXT(c, i);
}
void exec_PSLLDQ(struct cpu *c, const struct insn *i)
{
    sse_begin(c);
    xmm_set(c, i->rm, shift_bytes(xmm_get(c, i->rm), i->imm & 0xff, true));
    NEXT(c, i);
}
