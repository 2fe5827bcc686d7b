/* Pushes and pops with the stack size that the instruction was decoded for. */
#ifndef INTERPRETER_STACK_H
#define INTERPRETER_STACK_H
#include "engine/interpreter/exec.h"

#define STACK_ACCESS(bits) \
static inline void push##bits(struct cpu *c, const struct insn *i, uint##bits##_t v) \
{ \
    uint32_t sp = c->gpr[ESP] - bits / 8; \
    if (likely(i->flags & INSN_STACK32)) { \
        mem_write##bits(c, SS, sp, v); \
        c->gpr[ESP] = sp; \
    } else { \
        mem_write##bits(c, SS, sp & 0xffff, v); \
        *reg16(c, ESP) = (uint16_t)sp; \
    } \
} \
static inline uint##bits##_t pop##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t v; \
    if (likely(i->flags & INSN_STACK32)) { \
        v = mem_read##bits(c, SS, c->gpr[ESP]); \
        c->gpr[ESP] += bits / 8; \
    } else { \
        v = mem_read##bits(c, SS, c->gpr[ESP] & 0xffff); \
        *reg16(c, ESP) = (uint16_t)(c->gpr[ESP] + bits / 8); \
    } \
    return v; \
}
STACK_ACCESS(16) STACK_ACCESS(32)
#undef STACK_ACCESS

#endif
