/* Far JMP, CALL, RET and IRET [SDM3A, 5.8; SDM2]: real, V86 and protected mode, gates with a change of privilege.
 *
 * Every function reads and checks all it needs, pushes or pops on a copy of the stack pointer, and only then commits; a push
 * that faults half-way leaves bytes below the old stack pointer, as silicon does.
 *
 * References: [SDM2] CALL, JMP, RET, IRET; [SDM3A] 5.8 (control transfers), 7.3 (task switches); [SDM3B] 20.2, 20.3 (V86, VME). */
#include "x86/segment.h"

enum { TYPE_TSS16 = 1, TYPE_CALL16 = 4, TYPE_TASK = 5, TYPE_TSS32 = 9, TYPE_CALL32 = 12 };

static unsigned dpl_of(const struct descriptor *d) { return d->high >> 13 & 3; }
static bool present(const struct descriptor *d) { return d->high & 1 << 15; }
static bool is_segment(const struct descriptor *d) { return d->high & 1 << 12; }
static bool is_code(const struct descriptor *d) { return (d->high >> 8 & 0x18) == 0x18; }
static bool is_conforming(const struct descriptor *d) { return d->high & 1 << 10; }

static void fetch(struct cpu *c, uint16_t selector, struct descriptor *d)
{
    if (!(selector & 0xfffc))
        cpu_raise(c, EXC_GP);
    if (!descriptor_fetch(c, selector, d))
        raise_selector(c, EXC_GP, selector);
}

static void enter_code(struct cpu *c, const struct segment *code, uint32_t eip)
{
    segment_set(c, CS, code);
    c->eip = eip;
}

/* --- direct ------------------------------------------------------------------------------------------------------- */
/* A code segment that JMP or CALL names: runs at the present privilege. */
static void direct_target(struct cpu *c, uint16_t selector, struct descriptor *d, uint32_t offset, struct segment *code)
{
    unsigned dpl = dpl_of(d);
    if (!is_code(d) || (is_conforming(d) ? dpl > c->cpl : (selector & 3) > c->cpl || dpl != c->cpl))
        raise_selector(c, EXC_GP, selector);
    if (!present(d))
        raise_selector(c, EXC_NP, selector);
    descriptor_segment(d, (uint16_t)((selector & ~3u) | c->cpl), code);
    if (offset > code->limit)
        cpu_raise(c, EXC_GP);
    descriptor_set_accessed(c, selector, d);
    code->access |= 1;
}

/* --- gates -------------------------------------------------------------------------------------------------------- */
static void gate_check(struct cpu *c, uint16_t selector, const struct descriptor *gate)
{
    if (dpl_of(gate) < MAX(c->cpl, selector & 3u))
        raise_selector(c, EXC_GP, selector);
    if (!present(gate))
        raise_selector(c, EXC_NP, selector);
}

/* The code segment behind a call gate; its selector's RPL does not matter. */
static uint16_t gate_target(struct cpu *c, const struct descriptor *gate, struct descriptor *d, bool jump)
{
    uint16_t selector = (uint16_t)(gate->low >> 16);
    fetch(c, selector, d);
    unsigned dpl = dpl_of(d);
    if (!is_code(d) || dpl > c->cpl || (jump && !is_conforming(d) && dpl != c->cpl))
        raise_selector(c, EXC_GP, selector);
    if (!present(d))
        raise_selector(c, EXC_NP, selector);
    return selector;
}

static uint32_t gate_offset(const struct descriptor *gate)
{
    bool big = (gate->high >> 8 & 15) == TYPE_CALL32;
    return (gate->low & 0xffff) | (big ? gate->high & 0xffff0000 : 0);
}

/* CALL through a gate to more privileged code: the TSS's stack, parameters copied [SDM3A, 5.8.5]. */
static void call_inner(struct cpu *c, const struct descriptor *gate, uint16_t selector, struct descriptor *d, uint32_t next)
{
    unsigned level = dpl_of(d), size = (gate->high >> 8 & 15) == TYPE_CALL32 ? 4 : 2, count = gate->high & 31;
    uint32_t offset = gate_offset(gate), parameters[31];
    struct segment code;
    struct stack k;
    descriptor_segment(d, (uint16_t)((selector & ~3u) | level), &code);
    tss_inner_stack(c, level, &k);
    if (offset > code.limit)
        cpu_raise(c, EXC_GP);
    for (unsigned i = 0; i < count; i++)
        parameters[i] = stack_read(c, i * size, size);
    stack_push(c, &k, c->seg[SS].selector, size);
    stack_push(c, &k, c->gpr[ESP], size);
    for (unsigned i = count; i-- > 0;)
        stack_push(c, &k, parameters[i], size);
    stack_push(c, &k, c->seg[CS].selector, size);
    stack_push(c, &k, next, size);
    descriptor_set_accessed(c, selector, d);
    code.access |= 1;

    segment_set(c, SS, &k.seg);
    stack_commit(c, &k);
    enter_code(c, &code, offset);
    c->cpl = (uint8_t)level;
    mmu_privilege_changed(c);
}

static void call_same(struct cpu *c, const struct segment *code, uint32_t offset, unsigned size, uint32_t next)
{
    struct stack k = stack_present(c);
    stack_push(c, &k, c->seg[CS].selector, size);
    stack_push(c, &k, next, size);
    stack_commit(c, &k);
    enter_code(c, code, offset);
}

static void call_gate(struct cpu *c, const struct descriptor *gate, bool jump, uint32_t next)
{
    struct descriptor d;
    struct segment code;
    uint16_t selector = gate_target(c, gate, &d, jump);
    uint32_t offset = gate_offset(gate);
    if (!jump && !is_conforming(&d) && dpl_of(&d) < c->cpl) {
        call_inner(c, gate, selector, &d, next);
        return;
    }
    descriptor_segment(&d, (uint16_t)((selector & ~3u) | c->cpl), &code);
    if (offset > code.limit)
        cpu_raise(c, EXC_GP);
    descriptor_set_accessed(c, selector, &d);
    code.access |= 1;
    if (jump)
        enter_code(c, &code, offset);
    else
        call_same(c, &code, offset, (gate->high >> 8 & 15) == TYPE_CALL32 ? 4 : 2, next);
}

/* What JMP and CALL do with a selector that names no segment. */
static void system_target(struct cpu *c, uint16_t selector, const struct descriptor *d, bool jump, uint32_t next)
{
    switch (d->high >> 8 & 15) {
    case TYPE_CALL16: case TYPE_CALL32:
        gate_check(c, selector, d);
        call_gate(c, d, jump, next);
        break;
    case TYPE_TASK:
        gate_check(c, selector, d);
        task_switch(c, (uint16_t)(d->low >> 16), jump ? TASK_JUMP : TASK_CALL, next, false, 0);
        break;
    case TYPE_TSS16: case TYPE_TSS32:
        if (dpl_of(d) < MAX(c->cpl, selector & 3u) || selector & 4)
            raise_selector(c, EXC_GP, selector);
        if (!present(d))
            raise_selector(c, EXC_NP, selector);
        task_switch(c, selector, jump ? TASK_JUMP : TASK_CALL, next, false, 0);
        break;
    default:
        raise_selector(c, EXC_GP, selector);
    }
}

static bool flat_mode(const struct cpu *c) { return !cpu_protected(c) || cpu_v86(c); }

void far_jump(struct cpu *c, uint16_t selector, uint32_t offset, bool big, uint32_t next)
{
    struct descriptor d;
    struct segment code;
    if (!big)
        offset &= 0xffff;
    if (flat_mode(c)) {
        if (offset > (cpu_v86(c) ? 0xffff : c->seg[CS].limit))
            cpu_raise(c, EXC_GP);
        segment_load_real(c, CS, selector);
        c->eip = offset;
        return;
    }
    fetch(c, selector, &d);
    if (!is_segment(&d)) {
        system_target(c, selector, &d, true, next);
        return;
    }
    direct_target(c, selector, &d, offset, &code);
    enter_code(c, &code, offset);
}

void far_call(struct cpu *c, uint16_t selector, uint32_t offset, bool big, uint32_t next)
{
    struct descriptor d;
    struct segment code;
    if (!big)
        offset &= 0xffff;
    if (flat_mode(c)) {
        struct stack k = stack_present(c);
        if (offset > (cpu_v86(c) ? 0xffff : c->seg[CS].limit))
            cpu_raise(c, EXC_GP);
        stack_push(c, &k, c->seg[CS].selector, big ? 4 : 2);
        stack_push(c, &k, next, big ? 4 : 2);
        stack_commit(c, &k);
        segment_load_real(c, CS, selector);
        c->eip = offset;
        return;
    }
    fetch(c, selector, &d);
    if (!is_segment(&d)) {
        system_target(c, selector, &d, false, next);
        return;
    }
    direct_target(c, selector, &d, offset, &code);
    call_same(c, &code, offset, big ? 4 : 2, next);
}

/* --- returns ------------------------------------------------------------------------------------------------------ */
/* The code segment that RET or IRET goes back to. */
static void return_target(struct cpu *c, uint16_t selector, uint32_t offset, struct segment *code)
{
    struct descriptor d;
    fetch(c, selector, &d);
    unsigned rpl = selector & 3, dpl = dpl_of(&d);
    if (!is_code(&d) || rpl < c->cpl || (is_conforming(&d) ? dpl > rpl : dpl != rpl))
        raise_selector(c, EXC_GP, selector);
    if (!present(&d))
        raise_selector(c, EXC_NP, selector);
    descriptor_segment(&d, selector, code);
    if (offset > code->limit)
        cpu_raise(c, EXC_GP);
    descriptor_set_accessed(c, selector, &d);
    code->access |= 1;
}

/* Pops SS:ESP at `offset` of the present stack and leaves for `code`'s level; release is added to the new ESP. */
static void return_outer(struct cpu *c, const struct segment *code, uint32_t eip, bool big, uint32_t offset, uint32_t release)
{
    unsigned size = big ? 4 : 2;
    struct stack k = { .error = 0 };
    k.esp = stack_read(c, offset, size);
    uint16_t ss = (uint16_t)stack_read(c, offset + size, size);
    segment_check_stack(c, ss, code->selector & 3, EXC_GP, &k.seg);
    enter_code(c, code, eip);
    segment_set(c, SS, &k.seg);
    k.esp += release;
    stack_commit(c, &k);
    c->cpl = code->selector & 3;
    segment_drop_inner(c);
    mmu_privilege_changed(c);
}

void far_return(struct cpu *c, bool big, uint16_t release)
{
    unsigned size = big ? 4 : 2;
    uint32_t eip = stack_read(c, 0, size);
    uint16_t selector = (uint16_t)stack_read(c, size, size);
    struct segment code;
    if (flat_mode(c)) {
        if (eip > (cpu_v86(c) ? 0xffff : c->seg[CS].limit))
            cpu_raise(c, EXC_GP);
        segment_load_real(c, CS, selector);
        c->eip = eip;
        c->gpr[ESP] = esp_with(c, c->gpr[ESP] + size * 2 + release);
        return;
    }
    return_target(c, selector, eip, &code);
    if ((selector & 3) > c->cpl) {
        return_outer(c, &code, eip, big, size * 2 + release, release);
        return;
    }
    enter_code(c, &code, eip);
    c->gpr[ESP] = esp_with(c, c->gpr[ESP] + size * 2 + release);
}

/* --- IRET --------------------------------------------------------------------------------------------------------- */
/* Bits that IRET may change at this privilege; 16-bit operands: the low word only. */
static uint32_t iret_mask(const struct cpu *c, bool big)
{
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID;
    if (c->cpl <= cpu_iopl(c))
        mask |= FLAG_IF;
    if (c->cpl == 0)
        mask |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
    return big ? mask : mask & 0xffff;
}

static void set_flags(struct cpu *c, uint32_t flags, uint32_t mask)
{
    cpu_set_flags(c, (cpu_flags(c) & ~mask) | (flags & mask));
}

static void iret_real(struct cpu *c, bool big)
{
    unsigned size = big ? 4 : 2;
    uint32_t eip = stack_read(c, 0, size);
    uint16_t selector = (uint16_t)stack_read(c, size, size);
    uint32_t flags = stack_read(c, size * 2, size);
    if (eip > (cpu_v86(c) ? 0xffff : c->seg[CS].limit))
        cpu_raise(c, EXC_GP);
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID;
    if (!cpu_v86(c))
        mask |= FLAG_IOPL;
    set_flags(c, flags, big ? mask : mask & 0xffff);
    segment_load_real(c, CS, selector);
    c->eip = eip;
    c->gpr[ESP] = esp_with(c, c->gpr[ESP] + size * 3);
}

/* VME, IOPL below 3, 16-bit operand: the popped IF goes to VIF [SDM2, IRET]. */
static void iret_vme(struct cpu *c)
{
    uint32_t eip = stack_read(c, 0, 2);
    uint16_t selector = (uint16_t)stack_read(c, 2, 2);
    uint32_t flags = stack_read(c, 4, 2);
    if (flags & FLAG_TF || (flags & FLAG_IF && c->eflags & FLAG_VIP))
        cpu_raise(c, EXC_GP);
    flags |= flags & FLAG_IF ? FLAG_VIF : 0;
    set_flags(c, flags, FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_VIF);
    segment_load_real(c, CS, selector);
    c->eip = eip;
    c->gpr[ESP] = esp_with(c, c->gpr[ESP] + 6);
}

static void iret_to_v86(struct cpu *c, uint32_t eip, uint16_t selector, uint32_t flags)
{
    static const uint8_t order[] = { ES, DS, FS, GS };
    uint16_t value[4];
    uint32_t esp = stack_read(c, 12, 4);
    uint16_t ss = (uint16_t)stack_read(c, 16, 4);
    for (unsigned i = 0; i < 4; i++)
        value[i] = (uint16_t)stack_read(c, 20 + i * 4, 4);
    if (eip > 0xffff)
        cpu_raise(c, EXC_GP);
    cpu_set_flags(c, flags);
    for (unsigned i = 0; i < 4; i++)
        segment_load_real(c, order[i], value[i]);
    segment_load_real(c, CS, selector);
    segment_load_real(c, SS, ss);
    c->gpr[ESP] = esp;
    c->eip = eip;
    c->cpl = 3;
    mmu_privilege_changed(c);
}

static void iret_protected(struct cpu *c, bool big)
{
    unsigned size = big ? 4 : 2;
    uint32_t eip = stack_read(c, 0, size);
    uint16_t selector = (uint16_t)stack_read(c, size, size);
    uint32_t flags = stack_read(c, size * 2, size), mask = iret_mask(c, big);
    struct segment code;
    if (big && flags & FLAG_VM && c->cpl == 0) {
        iret_to_v86(c, eip, selector, flags);
        return;
    }
    return_target(c, selector, eip, &code);
    if ((selector & 3) > c->cpl) {
        return_outer(c, &code, eip, big, size * 3, 0);
    } else {
        enter_code(c, &code, eip);
        c->gpr[ESP] = esp_with(c, c->gpr[ESP] + size * 3);
    }
    set_flags(c, flags, mask);
    if (c->cpl == 3)
        mmu_privilege_changed(c);               /* AC */
}

void interrupt_return(struct cpu *c, bool big)
{
    if (!cpu_protected(c)) {
        iret_real(c, big);
    } else if (cpu_v86(c)) {
        if (cpu_iopl(c) == 3)
            iret_real(c, big);
        else if (c->cr4 & CR4_VME && !big)
            iret_vme(c);
        else
            cpu_raise(c, EXC_GP);
        mmu_privilege_changed(c);
    } else if (c->eflags & FLAG_NT) {
        uint32_t next = c->eip;
        task_switch(c, (uint16_t)tss_read(c, 0, 2), TASK_IRET, next, false, 0);
    } else {
        iret_protected(c, big);
    }
    c->nmi_blocked = false;
    cpu_recheck(c);
}
