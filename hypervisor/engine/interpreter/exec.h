/* The contract between instruction handlers and the interpreter's loop.
 *
 * A handler is `void name(struct cpu *c, const struct insn *i)`. It does its work and then
 *  - ends with NEXT(c, i) as its last statement (a tail call into the next handler of the block), or
 *  - if its line in opcodes.def has the plan END, sets c->eip to where execution goes on and returns. Everything that
 *    changes mode, flow, IF, TF, the TLB or decoded code is END; so are REP strings, which leave c->eip at themselves when
 *    they stop early.
 * A fault (cpu_raise, or any mem_ function) leaves by longjmp; the loop sets EIP to the start of c->current. So a handler
 * changes registers and flags only after its last memory access or check. */
#ifndef INTERPRETER_EXEC_H
#define INTERPRETER_EXEC_H
#include "x86/insn.h"
#include "x86/mmu.h"
#include "x86/segment.h"

/* The block being run: EIP of an instruction = eip_base + insn->offset. Lives in cpu->engine_data, first member. */
struct exec_frame {
    uint32_t eip_base;
    const struct insn *first;                   /* cpu->instructions counts what was executed before this one */
    uint64_t stop;                              /* no block may be entered that could go beyond this many instructions */
    bool single;                                /* one instruction (TF, breakpoints): a REP does one iteration, and each is counted */
};
static inline uint32_t insn_eip(const struct cpu *c, const struct insn *i)
{
    return ((const struct exec_frame *)c->engine_data)->eip_base + i->offset;
}
/* EIP after the instruction; 16-bit code wraps where it must in the handler that uses it. */
static inline uint32_t insn_next(const struct cpu *c, const struct insn *i) { return insn_eip(c, i) + i->length; }

/* clang needs to be told: it takes locals whose address was taken for live until the end. gcc looks at their scope. */
#ifdef __clang__
#if defined(__OPTIMIZE__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define TAIL_CALL __attribute__((musttail)) return
#endif
#endif
#ifndef TAIL_CALL
#define TAIL_CALL
#endif
#define NEXT(c, i) do { const struct insn *next_ = (i) + 1; (c)->current = next_; TAIL_CALL next_->exec(c, next_); return; } while (0)

/* Makes cpu->instructions exact: the instructions before the present one are counted. For whatever looks at the time. */
static inline void exec_sync(struct cpu *c)
{
    struct exec_frame *f = c->engine_data;
    c->instructions += (uint64_t)((const struct insn *)c->current - f->first);
    f->first = c->current;
}

static inline uint8_t rm_read8(struct cpu *c, const struct insn *i)
{
    return i->flags & INSN_MEMORY ? mem_read8(c, i->seg, insn_offset(c, i)) : *reg8(c, i->rm);
}
static inline uint16_t rm_read16(struct cpu *c, const struct insn *i)
{
    return i->flags & INSN_MEMORY ? mem_read16(c, i->seg, insn_offset(c, i)) : *reg16(c, i->rm);
}
static inline uint32_t rm_read32(struct cpu *c, const struct insn *i)
{
    return i->flags & INSN_MEMORY ? mem_read32(c, i->seg, insn_offset(c, i)) : c->gpr[i->rm];
}

/* Exits into devices, under the machine lock; they make cpu->instructions exact first. */
uint32_t exec_port_read(struct cpu *, uint16_t port, unsigned size);
void exec_port_write(struct cpu *, uint16_t port, unsigned size, uint32_t value);

#endif
