/* A decoded instruction: decoded once, read by the interpreter, the disassembler and, later, the translator. */
#ifndef X86_INSN_H
#define X86_INSN_H
#include "x86/cpu.h"

struct insn;
typedef void exec_fn(struct cpu *, const struct insn *);

struct insn {
    exec_fn *exec;                              /* the handler for just this form (operand size, register or memory) */
    uint32_t imm;                               /* immediate; sign-extended where the opcode says so; branch: relative */
    uint32_t disp;                              /* displacement, moffs, or far selector / second immediate (ENTER) */
    uint32_t address_mask;                      /* 0xffff or 0xffffffff */
    uint16_t id;                                /* index of the line in opcodes.def */
    uint16_t offset;                            /* of its first byte in the page: EIP = cpu->eip_base + offset, see exec.h */
    uint8_t length;                             /* bytes, 1..15 */
    uint8_t reg, rm;                            /* ModRM.reg and, if a register, ModRM.rm; byte registers are byte offsets
                                                   into cpu->gpr (AH = 1), see reg8() */
    uint8_t base, index, scale;                 /* GPR numbers, GPR_ZERO when absent; scale 0..3 */
    uint8_t seg;                                /* enum segment_register of the memory operand, override applied */
    uint8_t flags;                              /* INSN_* */
};
enum { INSN_MEMORY = 1, INSN_OPERAND32 = 2, INSN_ADDRESS32 = 4, INSN_LOCK = 8, INSN_REP = 16, INSN_REPNE = 32,
       INSN_STACK32 = 64, INSN_END = 128 };     /* END: closes the block */

static inline uint32_t insn_offset(const struct cpu *c, const struct insn *i)   /* effective address of the memory operand */
{
    return (c->gpr[i->base] + (c->gpr[i->index] << i->scale) + i->disp) & i->address_mask;
}
static inline uint8_t *reg8(struct cpu *c, unsigned byte) { return (uint8_t *)c->gpr + byte; }
static inline uint16_t *reg16(struct cpu *c, unsigned n) { return (uint16_t *)&c->gpr[n]; }

/* What decoding needs to know besides the bytes; also the key of the decoded-block cache. */
enum { MODE_CODE32 = 1, MODE_STACK32 = 2, MODE_V86 = 4, MODE_PROTECTED = 8, MODE_USER = 16 };

enum decode_result { DECODE_OK, DECODE_TRUNCATED, DECODE_UNDEFINED, DECODE_TOO_LONG };
/* Decodes one instruction from at most `available` bytes. TRUNCATED: needs more bytes. UNDEFINED: #UD (also for what this
 * CPU model lacks), with insn->length what was read; TOO_LONG: #GP, above 15 bytes. Without a CPU: what any model has.
 * exec is left NULL: engines fill it in. */
enum decode_result insn_decode(const struct cpu *, struct insn *, const uint8_t *bytes, size_t available, unsigned mode);
/* Intel syntax, as `nasm` would take it; returns bytes consumed (0: undefined). eip: for branch targets. */
unsigned insn_disassemble(const uint8_t *bytes, size_t available, unsigned mode, uint32_t eip, char *text, size_t size);

#endif
