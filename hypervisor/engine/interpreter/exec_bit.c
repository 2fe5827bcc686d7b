/* BT, BTS, BTR, BTC, BSF, BSR.
 * A bit offset in a register is signed and reaches memory beyond the operand: the operand is moved by whole words first.
 * References: [SDM2] BT, BSF (a zero source leaves the destination as it was, as all silicon does). */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

#define WIDTHS(KIND, name) KIND(name, 16, w, "r") KIND(name, 32, l, "r")
WIDTHS(BIT_OP, bt) WIDTHS(BIT_OP, bts) WIDTHS(BIT_OP, btr) WIDTHS(BIT_OP, btc) WIDTHS(BIT_OP, bsf) WIDTHS(BIT_OP, bsr)

static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }

static inline uint32_t bit_offset16(struct cpu *c, const struct insn *i)
{
    return (insn_offset(c, i) + (uint32_t)((int16_t)*reg16(c, i->reg) >> 4) * 2) & i->address_mask;
}
static inline uint32_t bit_offset32(struct cpu *c, const struct insn *i)
{
    return (insn_offset(c, i) + (uint32_t)((int32_t)c->gpr[i->reg] >> 5) * 4) & i->address_mask;
}

#define CHANGE(NAME, op, bits) \
void exec_##NAME##_Ev_Gv_r##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = reg##bits(c, i->rm); \
    *d = op##bits(c, *d, *reg##bits(c, i->reg)); \
    NEXT(c, i); \
} \
void exec_##NAME##_Ev_Gv_m##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, bit_offset##bits(c, i), &linear); \
    mem_rmw_write##bits(c, linear, op##bits(c, v, *reg##bits(c, i->reg))); \
    NEXT(c, i); \
} \
void exec_##NAME##_Ev_Ib_r##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = reg##bits(c, i->rm); \
    *d = op##bits(c, *d, (uint##bits##_t)i->imm); \
    NEXT(c, i); \
} \
void exec_##NAME##_Ev_Ib_m##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t linear; \
    uint##bits##_t v = mem_rmw_read##bits(c, i->seg, insn_offset(c, i), &linear); \
    mem_rmw_write##bits(c, linear, op##bits(c, v, (uint##bits##_t)i->imm)); \
    NEXT(c, i); \
}
CHANGE(BTS, bts, 16) CHANGE(BTS, bts, 32) CHANGE(BTR, btr, 16) CHANGE(BTR, btr, 32) CHANGE(BTC, btc, 16) CHANGE(BTC, btc, 32)

#define LOOK(bits) \
void exec_BT_Ev_Gv_r##bits(struct cpu *c, const struct insn *i) \
{ \
    bt##bits(c, *reg##bits(c, i->rm), *reg##bits(c, i->reg)); \
    NEXT(c, i); \
} \
void exec_BT_Ev_Gv_m##bits(struct cpu *c, const struct insn *i) \
{ \
    bt##bits(c, mem_read##bits(c, i->seg, bit_offset##bits(c, i)), *reg##bits(c, i->reg)); \
    NEXT(c, i); \
} \
void exec_BT_Ev_Ib_r##bits(struct cpu *c, const struct insn *i) \
{ \
    bt##bits(c, *reg##bits(c, i->rm), (uint##bits##_t)i->imm); \
    NEXT(c, i); \
} \
void exec_BT_Ev_Ib_m##bits(struct cpu *c, const struct insn *i) \
{ \
    bt##bits(c, mem_read##bits(c, i->seg, insn_offset(c, i)), (uint##bits##_t)i->imm); \
    NEXT(c, i); \
}
LOOK(16) LOOK(32)

#define SCAN(NAME, op, bits) \
void exec_##NAME##_Gv_Ev_r##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = reg##bits(c, i->reg); \
    *d = op##bits(c, *d, *reg##bits(c, i->rm)); \
    NEXT(c, i); \
} \
void exec_##NAME##_Gv_Ev_m##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t s = mem_read##bits(c, i->seg, insn_offset(c, i)), *d = reg##bits(c, i->reg); \
    *d = op##bits(c, *d, s); \
    NEXT(c, i); \
}
SCAN(BSF, bsf, 16) SCAN(BSF, bsf, 32) SCAN(BSR, bsr, 16) SCAN(BSR, bsr, 32)
