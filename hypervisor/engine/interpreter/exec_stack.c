/* PUSH, POP, PUSHA, POPA, ENTER, LEAVE. The stack pointer moves only when the access has succeeded.
 * References: [SDM2]. PUSH of ESP stores its old value (from the 286 on); POP with an ESP-relative destination uses the new
 * one. A pushed selector is zero-extended, as up to the Pentium 4. */
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/stack.h"

static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }

#define PUSH(handler, bits, value) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    push##bits(c, i, (uint##bits##_t)(value)); \
    NEXT(c, i); \
}
PUSH(exec_PUSH_Zv_none_16, 16, c->gpr[i->rm]) PUSH(exec_PUSH_Zv_none_32, 32, c->gpr[i->rm])
PUSH(exec_PUSH_Iz_none_16, 16, i->imm) PUSH(exec_PUSH_Iz_none_32, 32, i->imm)
PUSH(exec_PUSH_Ibs_none_16, 16, i->imm) PUSH(exec_PUSH_Ibs_none_32, 32, i->imm)
PUSH(exec_PUSH_Ev_none_r16, 16, c->gpr[i->rm]) PUSH(exec_PUSH_Ev_none_r32, 32, c->gpr[i->rm])
PUSH(exec_PUSH_Ev_none_m16, 16, mem_read16(c, i->seg, insn_offset(c, i)))
PUSH(exec_PUSH_Ev_none_m32, 32, mem_read32(c, i->seg, insn_offset(c, i)))
#define PUSH_SELECTOR(S) \
    PUSH(exec_PUSH_r##S##_none_16, 16, c->seg[S].selector) PUSH(exec_PUSH_r##S##_none_32, 32, c->seg[S].selector)
PUSH_SELECTOR(ES) PUSH_SELECTOR(CS) PUSH_SELECTOR(SS) PUSH_SELECTOR(DS) PUSH_SELECTOR(FS) PUSH_SELECTOR(GS)

#define POP(bits) \
void exec_POP_Zv_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v = pop##bits(c, i); \
    *reg##bits(c, i->rm) = v; \
    NEXT(c, i); \
} \
void exec_POP_Ev_none_r##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v = pop##bits(c, i); \
    *reg##bits(c, i->rm) = v; \
    NEXT(c, i); \
} \
void exec_POP_Ev_none_m##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t esp = c->gpr[ESP]; \
    uint##bits##_t v = pop##bits(c, i); \
    uint32_t offset = insn_offset(c, i), after = c->gpr[ESP]; \
    c->gpr[ESP] = esp;                          /* until the store has succeeded */ \
    mem_write##bits(c, i->seg, offset, v); \
    c->gpr[ESP] = after; \
    NEXT(c, i); \
}
POP(16) POP(32)

#define PUSH_ALL(bits) \
void exec_PUSHA_none_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t mask = stack_mask(c), sp = c->gpr[ESP]; \
    for (unsigned n = 0; n < 8; n++) { \
        sp -= bits / 8; \
        mem_write##bits(c, SS, sp & mask, (uint##bits##_t)c->gpr[n]); \
    } \
    c->gpr[ESP] = esp_with(c, sp); \
    NEXT(c, i); \
} \
void exec_POPA_none_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v[8]; \
    uint32_t mask = stack_mask(c), sp = c->gpr[ESP]; \
    for (int n = 7; n >= 0; n--) { \
        v[n] = mem_read##bits(c, SS, sp & mask); \
        sp += bits / 8; \
    } \
    for (unsigned n = 0; n < 8; n++) \
        if (n != ESP) \
            *reg##bits(c, n) = v[n]; \
    c->gpr[ESP] = esp_with(c, sp); \
    NEXT(c, i); \
}
PUSH_ALL(16) PUSH_ALL(32)

/* The stack must hold the new frame [SDM2, ENTER, #SS and #PF]: its lowest word is looked at. */
#define FRAME(bits) \
void exec_ENTER_Iw_Ib_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t mask = stack_mask(c), sp = c->gpr[ESP] - bits / 8, bp = c->gpr[EBP], linear; \
    unsigned level = i->disp & 31; \
    mem_write##bits(c, SS, sp & mask, (uint##bits##_t)bp); \
    uint32_t frame = sp; \
    for (unsigned n = 1; n < level; n++) { \
        bp -= bits / 8; \
        sp -= bits / 8; \
        mem_write##bits(c, SS, sp & mask, mem_read##bits(c, SS, bp & mask)); \
    } \
    if (level) { \
        sp -= bits / 8; \
        mem_write##bits(c, SS, sp & mask, (uint##bits##_t)frame); \
    } \
    sp -= i->imm; \
    mem_rmw_read##bits(c, SS, sp & mask, &linear); \
    *reg##bits(c, EBP) = (uint##bits##_t)frame; \
    c->gpr[ESP] = esp_with(c, sp); \
    NEXT(c, i); \
} \
void exec_LEAVE_none_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t bp = c->gpr[EBP]; \
    uint##bits##_t v = mem_read##bits(c, SS, bp & stack_mask(c)); \
    c->gpr[ESP] = esp_with(c, bp + bits / 8); \
    *reg##bits(c, EBP) = v; \
    NEXT(c, i); \
}
FRAME(16) FRAME(32)
