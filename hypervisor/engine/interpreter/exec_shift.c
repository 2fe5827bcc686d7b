/* Shifts and rotates, SHLD and SHRD.
 *
 * The host masks counts as the guest does (to five bits, RCL and RCR of 8 and 16 bits modulo 9 and 17 after that).
 * References: [SDM2] RCL/RCR/ROL/ROR, SAL/SAR/SHL/SHR, SHLD, SHRD.
 * Not modelled: SHLD and SHRD of 16 bits by more than 16: the result is undefined; it is what the host gives. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

#define WIDTHS(KIND, name) KIND(name, 8, b, "q") KIND(name, 16, w, "r") KIND(name, 32, l, "r")
WIDTHS(SHIFT_LEFT, rol) WIDTHS(SHIFT_RIGHT, ror) WIDTHS(SHIFT_LEFT, rcl) WIDTHS(SHIFT_RIGHT, rcr)
WIDTHS(SHIFT_LEFT, shl) WIDTHS(SHIFT_RIGHT, shr) WIDTHS(SHIFT_RIGHT, sar)
SHIFT_DOUBLE(shld, 16, w, "r") SHIFT_DOUBLE(shld, 32, l, "r") SHIFT_DOUBLE(shrd, 16, w, "r") SHIFT_DOUBLE(shrd, 32, l, "r")

static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }

#define SHIFT_RM(handler, op, bits, suffix_r, suffix_m, register_, count) \
void handler##suffix_r(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = register_; \
    *d = op##bits(c, *d, (uint8_t)(count)); \
    NEXT(c, i); \
} \
void handler##suffix_m(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, op##bits(c, v, (uint8_t)(count))); \
    NEXT(c, i); \
}
#define SHIFT_COUNTS(NAME, op, operand, count) \
    SHIFT_RM(exec_##NAME##_Eb_##operand, op, 8, _r, _m, reg8(c, i->rm), count) \
    SHIFT_RM(exec_##NAME##_Ev_##operand, op, 16, _r16, _m16, reg16(c, i->rm), count) \
    SHIFT_RM(exec_##NAME##_Ev_##operand, op, 32, _r32, _m32, reg32(c, i->rm), count)
#define SHIFT_FORMS(NAME, op) \
    SHIFT_COUNTS(NAME, op, Ib, i->imm) SHIFT_COUNTS(NAME, op, I1, 1) SHIFT_COUNTS(NAME, op, CL, c->gpr[ECX])
SHIFT_FORMS(ROL, rol)
SHIFT_FORMS(ROR, ror)
SHIFT_FORMS(RCL, rcl)
SHIFT_FORMS(RCR, rcr)
SHIFT_FORMS(SHL, shl)
SHIFT_FORMS(SHR, shr)
SHIFT_FORMS(SAR, sar)

#define DOUBLE_RM(handler, op, bits, count) \
void handler##_r##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = reg##bits(c, i->rm); \
    *d = op##bits(c, *d, *reg##bits(c, i->reg), (uint8_t)(count)); \
    NEXT(c, i); \
} \
void handler##_m##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, op##bits(c, v, *reg##bits(c, i->reg), (uint8_t)(count))); \
    NEXT(c, i); \
}
#define DOUBLE_FORMS(NAME, op) \
    DOUBLE_RM(exec_##NAME##_Ev_Gv_Ib, op, 16, i->imm) DOUBLE_RM(exec_##NAME##_Ev_Gv_Ib, op, 32, i->imm) \
    DOUBLE_RM(exec_##NAME##_Ev_Gv_CL, op, 16, c->gpr[ECX]) DOUBLE_RM(exec_##NAME##_Ev_Gv_CL, op, 32, c->gpr[ECX])
DOUBLE_FORMS(SHLD, shld)
DOUBLE_FORMS(SHRD, shrd)
