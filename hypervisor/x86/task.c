/* Hardware task switches [SDM3A, 7.2, 7.3]: 16- and 32-bit TSS, nested tasks, task gates.
 *
 * Three phases. First everything that can fault in the old task: the new descriptor, both TSS segments. Then the commit: busy
 * bits, link, the old state saved, the new registers loaded. From there on the new task's context is what a fault saves, and
 * the checks of LDT and segments raise #TS, #NP or #SS as if before its first instruction [SDM3A, 7.3, step 12 and after].
 *
 * References: [SDM3A] 7.2.1 (TSS), 7.3, 7.4 (task linking), table 7-1 (checks). */
#include "x86/segment.h"

/* Offsets in the 32-bit TSS; the 16-bit one has words from 0Eh on, in the same order, without FS and GS. */
enum { TSS32_CR3 = 0x1c, TSS32_EIP = 0x20, TSS32_EFLAGS = 0x24, TSS32_GPR = 0x28, TSS32_SEG = 0x48, TSS32_LDT = 0x60,
       TSS32_TRAP = 0x64, TSS32_LIMIT = 0x67 };
enum { TSS16_IP = 0x0e, TSS16_FLAGS = 0x10, TSS16_GPR = 0x12, TSS16_SEG = 0x22, TSS16_LDT = 0x2a, TSS16_LIMIT = 0x2b };
enum { BUSY = 2 << 8, DR7_LOCAL = 0x155 };      /* L0-L3 and LE */

struct task { uint32_t cr3, eip, eflags, gpr[8]; uint16_t seg[6], ldt; bool trap, big; };

/* --- first phase -------------------------------------------------------------------------------------------------- */
static void check_tss(struct cpu *c, uint16_t selector, enum task_switch how, struct descriptor *d)
{
    enum exception fault = how == TASK_IRET ? EXC_TS : EXC_GP;
    if (selector & 4 || !(selector & 0xfffc) || !descriptor_fetch(c, selector, d))
        raise_selector(c, fault, selector);
    unsigned type = d->high >> 8 & 0x1f;        /* S included */
    if ((type & ~10u) != 1 || (how == TASK_IRET) != !!(d->high & BUSY))
        raise_selector(c, fault, selector);
    if (!(d->high & 1 << 15))
        raise_selector(c, EXC_NP, selector);
}

static void read_task(struct cpu *c, uint32_t base, bool big, struct task *t)
{
    t->big = big;
    if (big) {
        t->cr3 = mmu_read_system(c, base + TSS32_CR3, 4);
        t->eip = mmu_read_system(c, base + TSS32_EIP, 4);
        t->eflags = mmu_read_system(c, base + TSS32_EFLAGS, 4);
        for (unsigned i = 0; i < 8; i++)
            t->gpr[i] = mmu_read_system(c, base + TSS32_GPR + i * 4, 4);
        for (unsigned i = 0; i < 6; i++)
            t->seg[i] = (uint16_t)mmu_read_system(c, base + TSS32_SEG + i * 4, 2);
        t->ldt = (uint16_t)mmu_read_system(c, base + TSS32_LDT, 2);
        t->trap = mmu_read_system(c, base + TSS32_TRAP, 2) & 1;
        return;
    }
    t->eip = mmu_read_system(c, base + TSS16_IP, 2);
    t->eflags = mmu_read_system(c, base + TSS16_FLAGS, 2);
    for (unsigned i = 0; i < 8; i++)            /* the high halves are undefined; ones, as 386 and later have it */
        t->gpr[i] = 0xffff0000 | mmu_read_system(c, base + TSS16_GPR + i * 2, 2);
    for (unsigned i = 0; i < 4; i++)
        t->seg[i] = (uint16_t)mmu_read_system(c, base + TSS16_SEG + i * 2, 2);
    t->seg[FS] = t->seg[GS] = 0;
    t->ldt = (uint16_t)mmu_read_system(c, base + TSS16_LDT, 2);
    t->trap = false;
}

/* --- commit ------------------------------------------------------------------------------------------------------- */
static void save_task(struct cpu *c, uint32_t next, uint32_t flags)
{
    uint32_t base = c->seg[TR].base;
    if (c->seg[TR].access & 8) {
        mmu_write_system(c, base + TSS32_EIP, 4, next);
        mmu_write_system(c, base + TSS32_EFLAGS, 4, flags);
        for (unsigned i = 0; i < 8; i++)
            mmu_write_system(c, base + TSS32_GPR + i * 4, 4, c->gpr[i]);
        for (unsigned i = 0; i < 6; i++)
            mmu_write_system(c, base + TSS32_SEG + i * 4, 2, c->seg[i].selector);
        return;
    }
    mmu_write_system(c, base + TSS16_IP, 2, next);
    mmu_write_system(c, base + TSS16_FLAGS, 2, flags);
    for (unsigned i = 0; i < 8; i++)
        mmu_write_system(c, base + TSS16_GPR + i * 2, 2, c->gpr[i]);
    for (unsigned i = 0; i < 4; i++)
        mmu_write_system(c, base + TSS16_SEG + i * 2, 2, c->seg[i].selector);
}

/* The old task's busy bit and state, the new one's busy bit and link; TR. */
static void link_tasks(struct cpu *c, uint16_t selector, enum task_switch how, struct descriptor *d, uint32_t next)
{
    uint32_t flags = cpu_flags(c);
    uint16_t old = c->seg[TR].selector;
    struct descriptor o;
    if ((how == TASK_JUMP || how == TASK_IRET) && descriptor_fetch(c, old, &o))
        descriptor_write_high(c, old, o.high & ~(uint32_t)BUSY);
    if (how == TASK_IRET)
        flags &= ~(uint32_t)FLAG_NT;
    save_task(c, next, flags);
    descriptor_segment(d, selector, &c->seg[TR]);
    c->seg[TR].access |= 2;
    if (how == TASK_CALL || how == TASK_GATE)
        mmu_write_system(c, c->seg[TR].base, 2, old);
    if (how != TASK_IRET)
        descriptor_write_high(c, selector, d->high | BUSY);
}

static void load_registers(struct cpu *c, const struct task *t, enum task_switch how)
{
    if (t->big && c->cr0 & CR0_PG) {
        c->cr3 = t->cr3;
        mmu_flush(c, false);
    }
    c->cr0 |= CR0_TS;
    c->dr[7] &= ~(uint32_t)DR7_LOCAL;
    c->eip = t->eip;
    cpu_set_flags(c, t->eflags | (how == TASK_CALL || how == TASK_GATE ? FLAG_NT : 0));
    memcpy(c->gpr, t->gpr, sizeof t->gpr);
    for (unsigned i = ES; i <= GS; i++)         /* selectors are there, descriptors are not yet */
        segment_set_null(c, i, t->seg[i]);
    segment_set_null(c, LDTR, t->ldt);
    c->cpl = cpu_v86(c) ? 3 : t->seg[CS] & 3;
    mmu_privilege_changed(c);
}

/* --- the new task's context --------------------------------------------------------------------------------------- */
static void load_ldt(struct cpu *c, uint16_t selector)
{
    struct descriptor d;
    if (!(selector & 0xfffc))
        return;
    if (selector & 4 || !descriptor_fetch(c, selector, &d) || (d.high >> 8 & 0x1f) != 2 || !(d.high & 1 << 15))
        raise_selector(c, EXC_TS, selector);
    descriptor_segment(&d, selector, &c->seg[LDTR]);
}

static void load_code(struct cpu *c, uint16_t selector)
{
    struct descriptor d;
    struct segment s;
    if (!(selector & 0xfffc) || !descriptor_fetch(c, selector, &d))
        raise_selector(c, EXC_TS, selector);
    unsigned dpl = d.high >> 13 & 3, rpl = selector & 3;
    bool conforming = d.high & 1 << 10;
    if ((d.high >> 8 & 0x18) != 0x18 || (conforming ? dpl > rpl : dpl != rpl))
        raise_selector(c, EXC_TS, selector);
    if (!(d.high & 1 << 15))
        raise_selector(c, EXC_NP, selector);
    descriptor_set_accessed(c, selector, &d);
    descriptor_segment(&d, selector, &s);
    segment_set(c, CS, &s);
}

static void load_data(struct cpu *c, enum segment_register n, uint16_t selector)
{
    struct descriptor d;
    struct segment s;
    if (!(selector & 0xfffc))
        return;
    if (!descriptor_fetch(c, selector, &d))
        raise_selector(c, EXC_TS, selector);
    unsigned type = d.high >> 8 & 0x1f, dpl = d.high >> 13 & 3;
    if (!(type & 0x10) || (type & 0xa) == 8 || ((type & 0xc) != 0xc && dpl < MAX(selector & 3u, c->cpl)))
        raise_selector(c, EXC_TS, selector);
    if (!(d.high & 1 << 15))
        raise_selector(c, EXC_NP, selector);
    descriptor_set_accessed(c, selector, &d);
    descriptor_segment(&d, selector, &s);
    segment_set(c, n, &s);
}

static void load_segments(struct cpu *c, const struct task *t)
{
    struct segment s;
    if (t->big && c->cr0 & CR0_PG && c->cr4 & CR4_PAE)
        mmu_load_pdptes(c, c->cr3);
    load_ldt(c, t->ldt);
    if (cpu_v86(c)) {
        for (unsigned i = ES; i <= GS; i++)
            segment_load_real(c, i, t->seg[i]);
        return;
    }
    load_code(c, t->seg[CS]);
    segment_check_stack(c, t->seg[SS], c->cpl, EXC_TS, &s);
    segment_set(c, SS, &s);
    load_data(c, ES, t->seg[ES]);
    load_data(c, DS, t->seg[DS]);
    load_data(c, FS, t->seg[FS]);
    load_data(c, GS, t->seg[GS]);
}

static void finish(struct cpu *c, const struct task *t, bool has_error, uint32_t error)
{
    load_segments(c, t);
    if (has_error) {
        struct stack k = stack_present(c);
        stack_push(c, &k, error, t->big ? 4 : 2);
        stack_commit(c, &k);
    }
    if (c->eip > c->seg[CS].limit)
        cpu_raise(c, EXC_GP);
}

/* Outside cpu_deliver a fault of the new task must not come back to the old task's instruction: it is delivered here. */
static void finish_guarded(struct cpu *c, const struct task *t)
{
    jmp_buf outer;
    memcpy(&outer, &c->fault, sizeof outer);
    bool faulted = setjmp(c->fault);
    if (!faulted)
        finish(c, t, false, 0);
    memcpy(&c->fault, &outer, sizeof outer);
    if (faulted)
        cpu_deliver(c, c->raised.vector, DELIVER_EXCEPTION, c->raised.has_error, c->raised.error);
    else if (t->trap)
        cpu_debug_trap(c, DR6_BT);
    cpu_recheck(c);
}

void task_switch(struct cpu *c, uint16_t selector, enum task_switch how, uint32_t next, bool has_error, uint32_t error)
{
    struct descriptor d, old;
    struct segment tss;
    struct task t = { 0 };
    check_tss(c, selector, how, &d);
    descriptor_segment(&d, selector, &tss);
    bool big = tss.access & 8, old_big = c->seg[TR].access & 8;
    if (tss.limit < (big ? TSS32_LIMIT : TSS16_LIMIT))
        raise_selector(c, EXC_TS, selector);
    if (c->seg[TR].access & SEG_NULL || c->seg[TR].limit < (old_big ? TSS32_LIMIT : TSS16_LIMIT))
        raise_selector(c, EXC_TS, c->seg[TR].selector);
    mmu_check_system(c, c->seg[TR].base, old_big ? TSS32_LIMIT + 1 : TSS16_LIMIT + 1, true);
    if (how == TASK_CALL || how == TASK_GATE)
        mmu_check_system(c, tss.base, 2, true);
    descriptor_write_high(c, selector, d.high); /* is the GDT writable? */
    if (descriptor_fetch(c, c->seg[TR].selector, &old))
        descriptor_write_high(c, c->seg[TR].selector, old.high);
    read_task(c, tss.base, big, &t);

    link_tasks(c, selector, how, &d, next);
    load_registers(c, &t, how);
    if (how != TASK_GATE) {
        finish_guarded(c, &t);
        return;
    }
    finish(c, &t, has_error, error);
    if (t.trap) {
        c->tlb->dr6_hits |= DR6_BT;
        atomic_fetch_or(&c->pending, PENDING_DEBUG);
    }
}
