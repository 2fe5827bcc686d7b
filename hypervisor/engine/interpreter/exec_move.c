/* MOV, MOVZX, MOVSX, LEA, XCHG, CBW, CWD, XLAT, BSWAP, SETcc, CMOVcc, CMPXCHG, CMPXCHG8B, XADD, and the flag instructions that
 * need no privilege. References: [SDM2]. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }

/* --- MOV ------------------------------------------------------------------------------------------------------ */
#define MOVE(bits, suffix_r, suffix_m, E, G, I) \
void exec_MOV_##E##_##G##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, i->rm) = *reg##bits(c, i->reg); \
    NEXT(c, i); \
} \
void exec_MOV_##E##_##G##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    mem_write##bits(c, i->seg, insn_offset(c, i), *reg##bits(c, i->reg)); \
    NEXT(c, i); \
} \
void exec_MOV_##G##_##E##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, i->reg) = *reg##bits(c, i->rm); \
    NEXT(c, i); \
} \
void exec_MOV_##G##_##E##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, i->reg) = mem_read##bits(c, i->seg, insn_offset(c, i)); \
    NEXT(c, i); \
} \
void exec_MOV_##E##_##I##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, i->rm) = (uint##bits##_t)i->imm; \
    NEXT(c, i); \
} \
void exec_MOV_##E##_##I##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    mem_write##bits(c, i->seg, insn_offset(c, i), (uint##bits##_t)i->imm); \
    NEXT(c, i); \
}
MOVE(8, _r, _m, Eb, Gb, Ib) MOVE(16, _r16, _m16, Ev, Gv, Iz) MOVE(32, _r32, _m32, Ev, Gv, Iz)

#define MOVE_ACCUMULATOR(bits, load, store) \
void load(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, EAX) = mem_read##bits(c, i->seg, insn_offset(c, i)); \
    NEXT(c, i); \
} \
void store(struct cpu *c, const struct insn *i) \
{ \
    mem_write##bits(c, i->seg, insn_offset(c, i), *reg##bits(c, EAX)); \
    NEXT(c, i); \
}
MOVE_ACCUMULATOR(8, exec_MOV_AL_O, exec_MOV_O_AL)
MOVE_ACCUMULATOR(16, exec_MOV_rAX_Ov_16, exec_MOV_Ov_rAX_16)
MOVE_ACCUMULATOR(32, exec_MOV_rAX_Ov_32, exec_MOV_Ov_rAX_32)

void exec_MOV_Zb(struct cpu *c, const struct insn *i)
{
    *reg8(c, i->rm) = (uint8_t)i->imm;
    NEXT(c, i);
}
void exec_MOV_Zv_Iz_16(struct cpu *c, const struct insn *i)
{
    *reg16(c, i->rm) = (uint16_t)i->imm;
    NEXT(c, i);
}
void exec_MOV_Zv_Iz_32(struct cpu *c, const struct insn *i)
{
    c->gpr[i->rm] = i->imm;
    NEXT(c, i);
}

/* --- widening, addresses, exchanges --------------------------------------------------------------------------- */
#define WIDEN(NAME, bits, E, type, from) \
void exec_##NAME##_Gv_##E##_r##bits(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, i->reg) = (uint##bits##_t)(type)*reg##from(c, i->rm); \
    NEXT(c, i); \
} \
void exec_##NAME##_Gv_##E##_m##bits(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, i->reg) = (uint##bits##_t)(type)mem_read##from(c, i->seg, insn_offset(c, i)); \
    NEXT(c, i); \
}
WIDEN(MOVZX, 16, Eb, uint8_t, 8) WIDEN(MOVZX, 32, Eb, uint8_t, 8) WIDEN(MOVZX, 16, Ew, uint16_t, 16) WIDEN(MOVZX, 32, Ew, uint16_t, 16)
WIDEN(MOVSX, 16, Eb, int8_t, 8) WIDEN(MOVSX, 32, Eb, int8_t, 8) WIDEN(MOVSX, 16, Ew, int16_t, 16) WIDEN(MOVSX, 32, Ew, int16_t, 16)

void exec_LEA_Gv_M_16(struct cpu *c, const struct insn *i)
{
    *reg16(c, i->reg) = (uint16_t)insn_offset(c, i);
    NEXT(c, i);
}
void exec_LEA_Gv_M_32(struct cpu *c, const struct insn *i)
{
    c->gpr[i->reg] = insn_offset(c, i);
    NEXT(c, i);
}

#define EXCHANGE(bits, suffix_r, suffix_m, E, G) \
void exec_XCHG_##E##_##G##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v = *reg##bits(c, i->rm); \
    *reg##bits(c, i->rm) = *reg##bits(c, i->reg); \
    *reg##bits(c, i->reg) = v; \
    NEXT(c, i); \
} \
void exec_XCHG_##E##_##G##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, *reg##bits(c, i->reg)); \
    *reg##bits(c, i->reg) = v; \
    NEXT(c, i); \
}
EXCHANGE(8, _r, _m, Eb, Gb) EXCHANGE(16, _r16, _m16, Ev, Gv) EXCHANGE(32, _r32, _m32, Ev, Gv)

#define EXCHANGE_ACCUMULATOR(bits) \
void exec_XCHG_Zv_rAX_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v = *reg##bits(c, i->rm); \
    *reg##bits(c, i->rm) = *reg##bits(c, EAX); \
    *reg##bits(c, EAX) = v; \
    NEXT(c, i); \
}
EXCHANGE_ACCUMULATOR(16) EXCHANGE_ACCUMULATOR(32)

void exec_CBW_none_none_16(struct cpu *c, const struct insn *i)
{
    *reg16(c, EAX) = (uint16_t)(int8_t)c->gpr[EAX];
    NEXT(c, i);
}
void exec_CBW_none_none_32(struct cpu *c, const struct insn *i)
{
    c->gpr[EAX] = (uint32_t)(int16_t)c->gpr[EAX];
    NEXT(c, i);
}
void exec_CWD_none_none_16(struct cpu *c, const struct insn *i)
{
    *reg16(c, EDX) = (int16_t)c->gpr[EAX] < 0 ? 0xffff : 0;
    NEXT(c, i);
}
void exec_CWD_none_none_32(struct cpu *c, const struct insn *i)
{
    c->gpr[EDX] = (int32_t)c->gpr[EAX] < 0 ? 0xffffffff : 0;
    NEXT(c, i);
}

void exec_XLAT(struct cpu *c, const struct insn *i)
{
    uint32_t offset = (c->gpr[EBX] + (uint8_t)c->gpr[EAX]) & i->address_mask;
    *reg8(c, 0) = mem_read8(c, i->seg, offset);
    NEXT(c, i);
}

/* With a 16-bit operand the result is undefined; silicon gives 0 [SDM2, BSWAP]. */
void exec_BSWAP(struct cpu *c, const struct insn *i)
{
    if (i->flags & INSN_OPERAND32)
        c->gpr[i->rm] = __builtin_bswap32(c->gpr[i->rm]);
    else
        *reg16(c, i->rm) = 0;
    NEXT(c, i);
}

/* --- on a condition ------------------------------------------------------------------------------------------- */
#define SET_AND_CMOV(CC, condition) \
void exec_SET##CC##_Eb_none_r(struct cpu *c, const struct insn *i) \
{ \
    unsigned a = c->arith; \
    *reg8(c, i->rm) = (condition) ? 1 : 0; \
    NEXT(c, i); \
} \
void exec_SET##CC##_Eb_none_m(struct cpu *c, const struct insn *i) \
{ \
    unsigned a = c->arith; \
    mem_write8(c, i->seg, insn_offset(c, i), (condition) ? 1 : 0); \
    NEXT(c, i); \
} \
CMOV(CC, condition, 16) CMOV(CC, condition, 32)
/* memory is read whatever the condition says */
#define CMOV(CC, condition, bits) \
void exec_CMOV##CC##_Gv_Ev_r##bits(struct cpu *c, const struct insn *i) \
{ \
    unsigned a = c->arith; \
    if (condition) \
        *reg##bits(c, i->reg) = *reg##bits(c, i->rm); \
    NEXT(c, i); \
} \
void exec_CMOV##CC##_Gv_Ev_m##bits(struct cpu *c, const struct insn *i) \
{ \
    unsigned a = c->arith; \
    uint##bits##_t v = mem_read##bits(c, i->seg, insn_offset(c, i)); \
    if (condition) \
        *reg##bits(c, i->reg) = v; \
    NEXT(c, i); \
}
CONDITIONS(SET_AND_CMOV)

/* --- CMPXCHG, XADD -------------------------------------------------------------------------------------------- */
COMPARE(cmp, 8, b, "q") COMPARE(cmp, 16, w, "r") COMPARE(cmp, 32, l, "r")
BINARY(add, 8, b, "q") BINARY(add, 16, w, "r") BINARY(add, 32, l, "r")

/* Memory is written in either case: with what it held when the comparison fails [SDM2, CMPXCHG]. */
#define COMPARE_EXCHANGE(bits, suffix_r, suffix_m, E, G) \
void exec_CMPXCHG_##E##_##G##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v = *reg##bits(c, i->rm), s = *reg##bits(c, i->reg); \
    cmp##bits(c, *reg##bits(c, EAX), v); \
    if (c->arith & ARITH_ZF) \
        *reg##bits(c, i->rm) = s; \
    else \
        *reg##bits(c, EAX) = v; \
    NEXT(c, i); \
} \
void exec_CMPXCHG_##E##_##G##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    cmp##bits(c, *reg##bits(c, EAX), v); \
    bool equal = c->arith & ARITH_ZF; \
    mem_rmw_write##bits(c, linear, equal ? *reg##bits(c, i->reg) : v); \
    if (!equal) \
        *reg##bits(c, EAX) = v; \
    NEXT(c, i); \
} \
void exec_XADD_##E##_##G##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v = *reg##bits(c, i->rm), sum = add##bits(c, v, *reg##bits(c, i->reg)); \
    *reg##bits(c, i->reg) = v; \
    *reg##bits(c, i->rm) = sum; \
    NEXT(c, i); \
} \
void exec_XADD_##E##_##G##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, add##bits(c, v, *reg##bits(c, i->reg))); \
    *reg##bits(c, i->reg) = v; \
    NEXT(c, i); \
}
COMPARE_EXCHANGE(8, _r, _m, Eb, Gb) COMPARE_EXCHANGE(16, _r16, _m16, Ev, Gv) COMPARE_EXCHANGE(32, _r32, _m32, Ev, Gv)

void exec_CMPXCHG8B(struct cpu *c, const struct insn *i)
{
    uint32_t linear;
    uint64_t v = mem_rmw_read64(c, i->seg, insn_offset(c, i), &linear);
    bool equal = v == ((uint64_t)c->gpr[EDX] << 32 | c->gpr[EAX]);
    mem_rmw_write64(c, linear, equal ? (uint64_t)c->gpr[ECX] << 32 | c->gpr[EBX] : v);
    if (equal) {
        c->arith |= ARITH_ZF;
    } else {
        c->arith &= (uint16_t)~ARITH_ZF;
        c->gpr[EAX] = (uint32_t)v;
        c->gpr[EDX] = (uint32_t)(v >> 32);
    }
    NEXT(c, i);
}

/* --- flags ---------------------------------------------------------------------------------------------------- */
void exec_SAHF(struct cpu *c, const struct insn *i)
{
    c->arith = (uint16_t)((c->gpr[EAX] & 0xd500) | 0x0200 | (c->arith & ARITH_OF));
    NEXT(c, i);
}
void exec_LAHF(struct cpu *c, const struct insn *i)
{
    *reg8(c, 1) = (uint8_t)(c->arith >> 8);
    NEXT(c, i);
}
void exec_CMC(struct cpu *c, const struct insn *i)
{
    c->arith ^= ARITH_CF;
    NEXT(c, i);
}
void exec_CLC(struct cpu *c, const struct insn *i)
{
    c->arith &= (uint16_t)~ARITH_CF;
    NEXT(c, i);
}
void exec_STC(struct cpu *c, const struct insn *i)
{
    c->arith |= ARITH_CF;
    NEXT(c, i);
}
void exec_CLD(struct cpu *c, const struct insn *i)
{
    c->eflags &= ~(uint32_t)FLAG_DF;
    NEXT(c, i);
}
void exec_STD(struct cpu *c, const struct insn *i)
{
    c->eflags |= FLAG_DF;
    NEXT(c, i);
}
void exec_SALC(struct cpu *c, const struct insn *i)
{
    *reg8(c, 0) = c->arith & ARITH_CF ? 0xff : 0;
    NEXT(c, i);
}

/* --- nothing at all ------------------------------------------------------------------------------------------- */
void exec_NOP(struct cpu *c, const struct insn *i) { NEXT(c, i); }
void exec_PREFETCHNTA(struct cpu *c, const struct insn *i) { NEXT(c, i); }
void exec_PREFETCHT0(struct cpu *c, const struct insn *i) { NEXT(c, i); }
void exec_PREFETCHT1(struct cpu *c, const struct insn *i) { NEXT(c, i); }
void exec_PREFETCHT2(struct cpu *c, const struct insn *i) { NEXT(c, i); }
void exec_PREFETCH(struct cpu *c, const struct insn *i) { NEXT(c, i); }
void exec_PREFETCHW(struct cpu *c, const struct insn *i) { NEXT(c, i); }

/* No caches are modelled, but the address is checked as a byte load would be [SDM2, CLFLUSH]. */
void exec_CLFLUSH(struct cpu *c, const struct insn *i)
{
    mem_read8(c, i->seg, insn_offset(c, i));
    NEXT(c, i);
}
