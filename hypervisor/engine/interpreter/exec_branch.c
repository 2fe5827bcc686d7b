/* Near branches: Jcc, LOOP, JCXZ, JMP, CALL, RET. And what a block ends with.
 *
 * A target beyond the limit of CS is #GP(0) at the branch [SDM2, Jcc]. With a 16-bit operand EIP is cut to 16 bits. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/interpreter.h"
#include "engine/interpreter/stack.h"

static inline void check_target(struct cpu *c, uint32_t target)
{
    if (unlikely(target > c->seg[CS].limit))
        cpu_raise_error(c, EXC_GP, 0);
}
static inline uint32_t target16(const struct cpu *c, const struct insn *i) { return (insn_next(c, i) + i->imm) & 0xffff; }
static inline uint32_t target32(const struct cpu *c, const struct insn *i) { return insn_next(c, i) + i->imm; }

/* --- relative ------------------------------------------------------------------------------------------------- */
#define JUMP_IF(handler, bits, condition) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    unsigned a = c->arith; \
    if (condition) { \
        uint32_t target = target##bits(c, i); \
        check_target(c, target); \
        c->eip = target; \
        CHAIN(c); \
    } \
    NEXT(c, i); \
}
#define JUMPS(CC, condition) \
    JUMP_IF(exec_J##CC##_Jb_none_16, 16, condition) JUMP_IF(exec_J##CC##_Jb_none_32, 32, condition) \
    JUMP_IF(exec_J##CC##_Jz_none_16, 16, condition) JUMP_IF(exec_J##CC##_Jz_none_32, 32, condition)
CONDITIONS(JUMPS)

/* The count is ECX or CX by the address size; it is written when nothing can fail any more. */
#define LOOP_IF(handler, bits, condition) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    unsigned a = c->arith; \
    uint32_t count = (c->gpr[ECX] - 1) & i->address_mask, target = target##bits(c, i); \
    bool taken = count && (condition); \
    (void)a; \
    if (taken) \
        check_target(c, target); \
    c->gpr[ECX] = (c->gpr[ECX] & ~i->address_mask) | count; \
    if (taken) { \
        c->eip = target; \
        CHAIN(c); \
    } \
    NEXT(c, i); \
}
LOOP_IF(exec_LOOP_Jb_none_16, 16, true) LOOP_IF(exec_LOOP_Jb_none_32, 32, true)
LOOP_IF(exec_LOOPE_Jb_none_16, 16, a & ARITH_ZF) LOOP_IF(exec_LOOPE_Jb_none_32, 32, a & ARITH_ZF)
LOOP_IF(exec_LOOPNE_Jb_none_16, 16, !(a & ARITH_ZF)) LOOP_IF(exec_LOOPNE_Jb_none_32, 32, !(a & ARITH_ZF))

#define JUMP_IF_ZERO(bits) \
void exec_JCXZ_Jb_none_##bits(struct cpu *c, const struct insn *i) \
{ \
    if (!(c->gpr[ECX] & i->address_mask)) { \
        uint32_t target = target##bits(c, i); \
        check_target(c, target); \
        c->eip = target; \
        CHAIN(c); \
    } \
    NEXT(c, i); \
}
JUMP_IF_ZERO(16) JUMP_IF_ZERO(32)

#define JUMP_ALWAYS(handler, bits) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    uint32_t target = target##bits(c, i); \
    check_target(c, target); \
    c->eip = target; \
    CHAIN(c); \
}
JUMP_ALWAYS(exec_JMP_Jb_none_16, 16) JUMP_ALWAYS(exec_JMP_Jb_none_32, 32)
JUMP_ALWAYS(exec_JMP_Jz_none_16, 16) JUMP_ALWAYS(exec_JMP_Jz_none_32, 32)

/* --- calls, returns, absolute jumps --------------------------------------------------------------------------- */
#define CALL_TO(handler, bits, destination) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    uint32_t target = destination; \
    check_target(c, target); \
    push##bits(c, i, (uint##bits##_t)insn_next(c, i)); \
    c->eip = target; \
    CHAIN(c); \
}
CALL_TO(exec_CALL_Jz_none_16, 16, target16(c, i)) CALL_TO(exec_CALL_Jz_none_32, 32, target32(c, i))
CALL_TO(exec_CALL_Ev_none_r16, 16, *reg16(c, i->rm)) CALL_TO(exec_CALL_Ev_none_r32, 32, c->gpr[i->rm])
CALL_TO(exec_CALL_Ev_none_m16, 16, mem_read16(c, i->seg, insn_offset(c, i)))
CALL_TO(exec_CALL_Ev_none_m32, 32, mem_read32(c, i->seg, insn_offset(c, i)))

#define JUMP_TO(handler, destination) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    uint32_t target = destination; \
    check_target(c, target); \
    c->eip = target; \
    CHAIN(c); \
}
JUMP_TO(exec_JMP_Ev_none_r16, *reg16(c, i->rm)) JUMP_TO(exec_JMP_Ev_none_r32, c->gpr[i->rm])
JUMP_TO(exec_JMP_Ev_none_m16, mem_read16(c, i->seg, insn_offset(c, i)))
JUMP_TO(exec_JMP_Ev_none_m32, mem_read32(c, i->seg, insn_offset(c, i)))

#define RETURN(handler, bits, release) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    bool big = i->flags & INSN_STACK32; \
    uint32_t target = mem_read##bits(c, SS, big ? c->gpr[ESP] : c->gpr[ESP] & 0xffff); \
    check_target(c, target); \
    if (likely(big)) \
        c->gpr[ESP] += bits / 8 + (release); \
    else \
        *reg16(c, ESP) = (uint16_t)(c->gpr[ESP] + bits / 8 + (release)); \
    c->eip = target; \
    CHAIN(c); \
}
RETURN(exec_RET_none_none_16, 16, 0) RETURN(exec_RET_none_none_32, 32, 0)
RETURN(exec_RET_Iw_none_16, 16, i->imm) RETURN(exec_RET_Iw_none_32, 32, i->imm)

/* --- not instructions ----------------------------------------------------------------------------------------- */
/* After a block's last instruction: it is the present one, and the next block follows. */
void exec_block_end(struct cpu *c, const struct insn *i)
{
    c->eip = insn_eip(c, i);
    c->current = i - 1;
    CHAIN(c);
}

/* What was here is no longer so: back to the loop, which looks anew. */
void exec_stop(struct cpu *c, const struct insn *i)
{
    c->eip = insn_eip(c, i);
    c->current = i - 1;
}

void exec_undefined(struct cpu *c, const struct insn *i)
{
    (void)i;
    cpu_raise(c, EXC_UD);
}

void exec_too_long(struct cpu *c, const struct insn *i)
{
    (void)i;
    cpu_raise_error(c, EXC_GP, 0);
}
