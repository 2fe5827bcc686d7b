/* EFLAGS as a whole, and IF: PUSHF, POPF, CLI, STI with IOPL, V86 mode and its extensions (VME, PVI).
 *
 * References: [SDM2] PUSHF, POPF, CLI, STI; [SDM3B] 20.2.7, 20.3, 20.4 (virtual interrupt flag). */
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/interpreter.h"

static bool big(const struct insn *i) { return i->flags & INSN_OPERAND32; }
static bool v86_restricted(const struct cpu *c) { return cpu_v86(c) && cpu_iopl(c) < 3; }

void exec_PUSHF(struct cpu *c, const struct insn *i)
{
    uint32_t flags = cpu_flags(c) & ~(uint32_t)(FLAG_VM | FLAG_RF), offset;
    if (unlikely(v86_restricted(c))) {
        if (big(i) || !(c->cr4 & CR4_VME))
            cpu_raise(c, EXC_GP);
        flags = (flags & ~(uint32_t)FLAG_IF) | (flags & FLAG_VIF ? FLAG_IF : 0) | FLAG_IOPL;
    }
    offset = (c->gpr[ESP] - (big(i) ? 4 : 2)) & stack_mask(c);
    if (big(i))
        mem_write32(c, SS, offset, flags);
    else
        mem_write16(c, SS, offset, (uint16_t)flags);
    c->gpr[ESP] = esp_with(c, offset);
    NEXT(c, i);
}

/* VME, IOPL below 3, 16-bit operand: IF goes to VIF. */
static uint32_t popf_vme(struct cpu *c, uint32_t flags, uint32_t *mask)
{
    if (flags & FLAG_TF || (flags & FLAG_IF && c->eflags & FLAG_VIP))
        cpu_raise(c, EXC_GP);
    *mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_VIF;
    return (flags & ~(uint32_t)FLAG_VIF) | (flags & FLAG_IF ? FLAG_VIF : 0);
}

static uint32_t popf_mask(const struct cpu *c, bool wide)
{
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;
    if (c->cpl <= cpu_iopl(c))
        mask |= FLAG_IF;
    if (c->cpl == 0)
        mask |= FLAG_IOPL;
    if (wide)
        mask |= FLAG_AC | FLAG_ID | FLAG_RF | (cpu_v86(c) ? 0 : FLAG_VIF | FLAG_VIP);
    return mask;
}

void exec_POPF(struct cpu *c, const struct insn *i)
{
    unsigned size = big(i) ? 4 : 2;
    uint32_t mask, flags = stack_read(c, 0, size);
    if (v86_restricted(c)) {
        if (big(i) || !(c->cr4 & CR4_VME))
            cpu_raise(c, EXC_GP);
        flags = popf_vme(c, flags, &mask);
    } else {
        mask = popf_mask(c, big(i));
        flags &= ~(uint32_t)(FLAG_RF | FLAG_VIF | FLAG_VIP);    /* cleared where the mask has them */
    }
    cpu_set_flags(c, (cpu_flags(c) & ~mask) | (flags & mask));
    c->gpr[ESP] = esp_with(c, c->gpr[ESP] + size);
    c->eip = insn_next(c, i);
    if (c->cpl == 3)
        mmu_privilege_changed(c);               /* AC */
    cpu_recheck(c);
}

/* What CLI and STI change at this privilege: IF, VIF, or #GP. */
static uint32_t interrupt_flag(struct cpu *c)
{
    if (!cpu_protected(c) || c->cpl <= cpu_iopl(c))
        return FLAG_IF;
    if (cpu_v86(c) ? !(c->cr4 & CR4_VME) : !(c->cr4 & CR4_PVI && c->cpl == 3))
        cpu_raise(c, EXC_GP);
    return FLAG_VIF;
}

void exec_CLI(struct cpu *c, const struct insn *i)
{
    c->eflags &= ~interrupt_flag(c);
    c->eip = insn_next(c, i);
    CHAIN(c);
}

void exec_STI(struct cpu *c, const struct insn *i)
{
    uint32_t flag = interrupt_flag(c);
    if (flag == FLAG_VIF && c->eflags & FLAG_VIP)
        cpu_raise(c, EXC_GP);
    if (flag == FLAG_IF && !(c->eflags & FLAG_IF)) {
        c->shadow = 1;                          /* one more instruction before an interrupt */
        c->eflags |= FLAG_IF;
        cpu_recheck(c);
    }
    c->eflags |= flag;
    c->eip = insn_next(c, i);
}
