/* ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT in all their forms.
 * References: [SDM2]. Not modelled: LOCK among several CPUs' threads; with one CPU every instruction is atomic. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

#define WIDTHS(KIND, name) KIND(name, 8, b, "q") KIND(name, 16, w, "r") KIND(name, 32, l, "r")
WIDTHS(BINARY, add) WIDTHS(BINARY, or) WIDTHS(BINARY_CARRY, adc) WIDTHS(BINARY_CARRY, sbb) WIDTHS(BINARY, and)
WIDTHS(BINARY, sub) WIDTHS(BINARY, xor) WIDTHS(COMPARE, cmp) WIDTHS(COMPARE, test) WIDTHS(UNARY, neg) WIDTHS(UNARY, inc) WIDTHS(UNARY, dec)

static inline uint8_t *r8(struct cpu *c, unsigned n) { return reg8(c, n); }
static inline uint16_t *r16(struct cpu *c, unsigned n) { return reg16(c, n); }
static inline uint32_t *r32(struct cpu *c, unsigned n) { return &c->gpr[n]; }

/* --- destinations --------------------------------------------------------------------------------------------- */
/* register or memory, with `source` an expression of that width */
#define TO_RM(handler, op, bits, suffix_r, suffix_m, source) \
void handler##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = r##bits(c, i->rm); \
    *d = op##bits(c, *d, (uint##bits##_t)(source)); \
    NEXT(c, i); \
} \
void handler##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, op##bits(c, v, (uint##bits##_t)(source))); \
    NEXT(c, i); \
}
/* the same for CMP and TEST, which store nothing */
#define LOOK_RM(handler, op, bits, suffix_r, suffix_m, source) \
void handler##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, *r##bits(c, i->rm), (uint##bits##_t)(source)); \
    NEXT(c, i); \
} \
void handler##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, mem_read##bits(c, i->seg, insn_offset(c, i)), (uint##bits##_t)(source)); \
    NEXT(c, i); \
}
/* ModRM.reg from register or memory */
#define TO_REG(handler, op, bits, suffix_r, suffix_m) \
void handler##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = r##bits(c, i->reg); \
    *d = op##bits(c, *d, *r##bits(c, i->rm)); \
    NEXT(c, i); \
} \
void handler##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t s = mem_read##bits(c, i->seg, insn_offset(c, i)), *d = r##bits(c, i->reg); \
    *d = op##bits(c, *d, s); \
    NEXT(c, i); \
}
#define LOOK_REG(handler, op, bits, suffix_r, suffix_m) \
void handler##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, *r##bits(c, i->reg), *r##bits(c, i->rm)); \
    NEXT(c, i); \
} \
void handler##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, *r##bits(c, i->reg), mem_read##bits(c, i->seg, insn_offset(c, i))); \
    NEXT(c, i); \
}
/* the accumulator and an immediate */
#define TO_ACCUMULATOR(handler, op, bits) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    *r##bits(c, EAX) = op##bits(c, *r##bits(c, EAX), (uint##bits##_t)i->imm); \
    NEXT(c, i); \
}
#define LOOK_ACCUMULATOR(handler, op, bits) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, *r##bits(c, EAX), (uint##bits##_t)i->imm); \
    NEXT(c, i); \
}

/* --- the eight operations of opcodes 00h-3Fh and group 1 ------------------------------------------------------ */
#define FORMS(RM, REG, ACCUMULATOR, NAME, op) \
    RM(exec_##NAME##_Eb_Gb, op, 8, _r, _m, *r8(c, i->reg)) \
    RM(exec_##NAME##_Ev_Gv, op, 16, _r16, _m16, *r16(c, i->reg)) \
    RM(exec_##NAME##_Ev_Gv, op, 32, _r32, _m32, *r32(c, i->reg)) \
    REG(exec_##NAME##_Gb_Eb, op, 8, _r, _m) \
    REG(exec_##NAME##_Gv_Ev, op, 16, _r16, _m16) \
    REG(exec_##NAME##_Gv_Ev, op, 32, _r32, _m32) \
    ACCUMULATOR(exec_##NAME##_AL, op, 8) \
    ACCUMULATOR(exec_##NAME##_rAX_Iz_16, op, 16) \
    ACCUMULATOR(exec_##NAME##_rAX_Iz_32, op, 32) \
    RM(exec_##NAME##_Eb_Ib, op, 8, _r, _m, i->imm) \
    RM(exec_##NAME##_Ev_Iz, op, 16, _r16, _m16, i->imm) \
    RM(exec_##NAME##_Ev_Iz, op, 32, _r32, _m32, i->imm) \
    RM(exec_##NAME##_Ev_Ibs, op, 16, _r16, _m16, i->imm) \
    RM(exec_##NAME##_Ev_Ibs, op, 32, _r32, _m32, i->imm)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, ADD, add)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, OR, or)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, ADC, adc)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, SBB, sbb)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, AND, and)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, SUB, sub)
FORMS(TO_RM, TO_REG, TO_ACCUMULATOR, XOR, xor)
FORMS(LOOK_RM, LOOK_REG, LOOK_ACCUMULATOR, CMP, cmp)

/* --- TEST ----------------------------------------------------------------------------------------------------- */
LOOK_RM(exec_TEST_Eb_Gb, test, 8, _r, _m, *r8(c, i->reg))
LOOK_RM(exec_TEST_Ev_Gv, test, 16, _r16, _m16, *r16(c, i->reg))
LOOK_RM(exec_TEST_Ev_Gv, test, 32, _r32, _m32, *r32(c, i->reg))
LOOK_RM(exec_TEST_Eb_Ib, test, 8, _r, _m, i->imm)
LOOK_RM(exec_TEST_Ev_Iz, test, 16, _r16, _m16, i->imm)
LOOK_RM(exec_TEST_Ev_Iz, test, 32, _r32, _m32, i->imm)
LOOK_ACCUMULATOR(exec_TEST_AL, test, 8)
LOOK_ACCUMULATOR(exec_TEST_rAX_Iz_16, test, 16)
LOOK_ACCUMULATOR(exec_TEST_rAX_Iz_32, test, 32)

/* --- one operand ---------------------------------------------------------------------------------------------- */
static inline uint8_t not8(struct cpu *c, uint8_t v) { (void)c; return (uint8_t)~v; }
static inline uint16_t not16(struct cpu *c, uint16_t v) { (void)c; return (uint16_t)~v; }
static inline uint32_t not32(struct cpu *c, uint32_t v) { (void)c; return ~v; }

#define ONE_OPERAND(handler, op, bits, suffix_r, suffix_m) \
void handler##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = r##bits(c, i->rm); \
    *d = op##bits(c, *d); \
    NEXT(c, i); \
} \
void handler##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, op##bits(c, v)); \
    NEXT(c, i); \
}
#define ONE_OPERAND_FORMS(NAME, op) \
    ONE_OPERAND(exec_##NAME##_Eb_none, op, 8, _r, _m) \
    ONE_OPERAND(exec_##NAME##_Ev_none, op, 16, _r16, _m16) \
    ONE_OPERAND(exec_##NAME##_Ev_none, op, 32, _r32, _m32)
ONE_OPERAND_FORMS(INC, inc)
ONE_OPERAND_FORMS(DEC, dec)
ONE_OPERAND_FORMS(NEG, neg)
ONE_OPERAND_FORMS(NOT, not)

#define STEP_REGISTER(NAME, op, bits) \
void exec_##NAME##_Zv_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = r##bits(c, i->rm); \
    *d = op##bits(c, *d); \
    NEXT(c, i); \
}
STEP_REGISTER(INC, inc, 16) STEP_REGISTER(INC, inc, 32) STEP_REGISTER(DEC, dec, 16) STEP_REGISTER(DEC, dec, 32)
