/* Segment registers as operands, and the instructions that look at descriptors: LAR, LSL, VERR, VERW, ARPL, LLDT, LTR.
 *
 * MOV SS and POP SS hold off interrupts and traps for one instruction; LSS does not, since it loads ESP as well [SDM3A, 6.8.3].
 *
 * References: [SDM2] MOV, POP, LDS, LAR, LSL, VERR, ARPL, SLDT, STR, LLDT, LTR. */
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/interpreter.h"

static bool big(const struct insn *i) { return i->flags & INSN_OPERAND32; }

/* A selector or status word: 16 bits in memory, zero-extended in a register of the operand size. */
static void word_store(struct cpu *c, const struct insn *i, uint32_t value)
{
    if (i->flags & INSN_MEMORY)
        mem_write16(c, i->seg, insn_offset(c, i), (uint16_t)value);
    else if (big(i))
        c->gpr[i->rm] = value;
    else
        *reg16(c, i->rm) = (uint16_t)value;
}

void exec_MOV_SREG_STORE(struct cpu *c, const struct insn *i)
{
    word_store(c, i, c->seg[i->reg].selector);
    NEXT(c, i);
}

void exec_SLDT(struct cpu *c, const struct insn *i)
{
    word_store(c, i, c->seg[LDTR].selector);
    NEXT(c, i);
}

void exec_STR(struct cpu *c, const struct insn *i)
{
    word_store(c, i, c->seg[TR].selector);
    NEXT(c, i);
}

void exec_SMSW(struct cpu *c, const struct insn *i)
{
    word_store(c, i, c->cr0);
    NEXT(c, i);
}

/* --- loads ---------------------------------------------------------------------------------------------------- */
void exec_MOV_SREG(struct cpu *c, const struct insn *i)
{
    if (i->reg == CS)
        cpu_raise(c, EXC_UD);
    segment_load(c, i->reg, rm_read16(c, i));
    c->eip = insn_next(c, i);
    if (i->reg == SS) {
        c->shadow = 1;
        return;
    }
    CHAIN(c);
}

static void pop_segment(struct cpu *c, const struct insn *i)
{
    uint16_t selector = (uint16_t)stack_read(c, 0, 2);
    uint32_t esp = esp_with(c, c->gpr[ESP] + (big(i) ? 4 : 2));
    segment_load(c, i->reg, selector);
    c->gpr[ESP] = esp;
    c->eip = insn_next(c, i);
}

void exec_POP_SREG(struct cpu *c, const struct insn *i)
{
    pop_segment(c, i);
    CHAIN(c);
}

void exec_POP_SS(struct cpu *c, const struct insn *i)
{
    pop_segment(c, i);
    c->shadow = 1;
}

static void load_pointer(struct cpu *c, const struct insn *i, enum segment_register n)
{
    uint32_t at = insn_offset(c, i);
    uint32_t offset = big(i) ? mem_read32(c, i->seg, at) : mem_read16(c, i->seg, at);
    uint16_t selector = mem_read16(c, i->seg, (at + (big(i) ? 4 : 2)) & i->address_mask);
    segment_load(c, n, selector);
    if (big(i))
        c->gpr[i->reg] = offset;
    else
        *reg16(c, i->reg) = (uint16_t)offset;
    c->eip = insn_next(c, i);
}

void exec_LES(struct cpu *c, const struct insn *i) { load_pointer(c, i, ES); CHAIN(c); }
void exec_LDS(struct cpu *c, const struct insn *i) { load_pointer(c, i, DS); CHAIN(c); }
void exec_LFS(struct cpu *c, const struct insn *i) { load_pointer(c, i, FS); CHAIN(c); }
void exec_LGS(struct cpu *c, const struct insn *i) { load_pointer(c, i, GS); CHAIN(c); }
void exec_LSS(struct cpu *c, const struct insn *i) { load_pointer(c, i, SS); }  /* the stack's size may be another */

void exec_LLDT(struct cpu *c, const struct insn *i)
{
    if (c->cpl)
        cpu_raise(c, EXC_GP);
    segment_load_ldtr(c, rm_read16(c, i));
    c->eip = insn_next(c, i);
}

void exec_LTR(struct cpu *c, const struct insn *i)
{
    if (c->cpl)
        cpu_raise(c, EXC_GP);
    segment_load_tr(c, rm_read16(c, i));
    c->eip = insn_next(c, i);
}

/* --- questions about descriptors ------------------------------------------------------------------------------ */
static void set_zero(struct cpu *c, bool zero)
{
    c->arith = (uint16_t)(zero ? c->arith | ARITH_ZF : c->arith & ~ARITH_ZF);
}

static bool is_code(uint32_t high) { return (high >> 8 & 0x18) == 0x18; }
static bool is_conforming_code(uint32_t high) { return (high >> 8 & 0x1c) == 0x1c; }

/* Fetches the descriptor if the program may see it at its privilege; never faults but for pages. */
static bool visible(struct cpu *c, uint16_t selector, struct descriptor *d)
{
    if (!(selector & 0xfffc) || !descriptor_fetch(c, selector, d))
        return false;
    return is_conforming_code(d->high) || (d->high >> 13 & 3) >= MAX(c->cpl, selector & 3u);
}

/* `system`: bit per type of the system descriptors that count [SDM2, tables 3-53 and 3-56]. */
static bool visible_type(struct cpu *c, uint16_t selector, uint32_t system, struct descriptor *d)
{
    return visible(c, selector, d) && (d->high & 1 << 12 || system >> (d->high >> 8 & 15) & 1);
}

static void answer(struct cpu *c, const struct insn *i, bool valid, uint32_t value)
{
    if (valid && big(i))
        c->gpr[i->reg] = value;
    else if (valid)
        *reg16(c, i->reg) = (uint16_t)value;
    set_zero(c, valid);
}

void exec_LAR(struct cpu *c, const struct insn *i)
{
    {
        enum { TYPES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12 };
        struct descriptor d = { 0, 0 };
        bool valid = visible_type(c, rm_read16(c, i), TYPES, &d);
        answer(c, i, valid, d.high & 0x00ffff00);
    }
    NEXT(c, i);
}

void exec_LSL(struct cpu *c, const struct insn *i)
{
    {
        enum { TYPES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11 };
        struct descriptor d = { 0, 0 };
        struct segment s;
        bool valid = visible_type(c, rm_read16(c, i), TYPES, &d);
        descriptor_segment(&d, 0, &s);
        answer(c, i, valid, s.limit);
    }
    NEXT(c, i);
}

void exec_VERR(struct cpu *c, const struct insn *i)
{
    {
        struct descriptor d;
        bool valid = visible_type(c, rm_read16(c, i), 0, &d) && !(is_code(d.high) && !(d.high & 1 << 9));
        set_zero(c, valid);
    }
    NEXT(c, i);
}

void exec_VERW(struct cpu *c, const struct insn *i)
{
    {
        struct descriptor d;
        bool valid = visible_type(c, rm_read16(c, i), 0, &d) && !is_code(d.high) && d.high & 1 << 9;
        set_zero(c, valid);
    }
    NEXT(c, i);
}

void exec_ARPL(struct cpu *c, const struct insn *i)
{
    unsigned rpl = c->gpr[i->reg] & 3;
    uint32_t linear = 0;
    uint16_t value = i->flags & INSN_MEMORY ? mem_rmw_read16(c, i->seg, insn_offset(c, i), &linear) : *reg16(c, i->rm);
    bool raise = (value & 3u) < rpl;
    value = (uint16_t)(raise ? (value & ~3u) | rpl : value);
    if (i->flags & INSN_MEMORY)                 /* written back in any case: a read-only segment always faults */
        mem_rmw_write16(c, linear, value);
    else
        *reg16(c, i->rm) = value;
    set_zero(c, raise);
    NEXT(c, i);
}
