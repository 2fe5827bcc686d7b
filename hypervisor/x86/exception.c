/* Interrupts and exceptions [SDM3A, chapter 6]: delivery through the IDT or the real-mode table, double and triple faults, debug
 * exceptions, and what an instruction boundary does with pins and the local APIC.
 *
 * A fault found while an event is being delivered comes back here by longjmp: deliver() then decides by the two classes
 * whether the second replaces the first, becomes a double fault, or shuts the CPU down [SDM3A, table 6-5].
 *
 * Machine lock: taken only around the interrupt acknowledge; delivery itself runs without it, since it may touch devices.
 *
 * References: [SDM3A] 6.3 (sources), 6.8 (masking), 6.12 (handlers), 6.13 (error codes), 6.15; [SDM3B] 17 (debug), 20 (V86). */
#include "x86/segment.h"
#include "core/machine.h"
#include "x86/apic.h"

enum { ERROR_IDT = 2, ERROR_EXT = 1 };
enum { GATE_TASK = 5, GATE_INT16 = 6, GATE_TRAP16 = 7, GATE_INT32 = 14, GATE_TRAP32 = 15 };

/* Vectors that push an error code, and those that save the faulting instruction with RF set [SDM3A, table 6-1; 6.8.3]. #DB is not
 * among the latter: after a code breakpoint the handler itself sets RF. */
static const uint32_t with_error = BIT(EXC_DF) | BIT(EXC_TS) | BIT(EXC_NP) | BIT(EXC_SS) | BIT(EXC_GP) | BIT(EXC_PF) | BIT(EXC_AC);
static const uint32_t restartable = BIT(EXC_DE) | BIT(EXC_BR) | BIT(EXC_UD) | BIT(EXC_NM) | BIT(EXC_CSO) | BIT(EXC_TS) | BIT(EXC_NP) |
                                    BIT(EXC_SS) | BIT(EXC_GP) | BIT(EXC_PF) | BIT(EXC_MF) | BIT(EXC_AC) | BIT(EXC_XM);

void cpu_raise_error(struct cpu *c, enum exception e, uint32_t error)
{
    c->raised.vector = (int)e;
    c->raised.error = error;
    c->raised.has_error = with_error >> e & 1;
    longjmp(c->fault, 1);
}

void cpu_raise(struct cpu *c, enum exception e)
{
    cpu_raise_error(c, e, 0);
}

/* --- one attempt ---------------------------------------------------------------------------------------------- */
struct event { int vector; enum delivery kind; bool has_error; uint32_t error, saved; };

static bool is_software(const struct event *e) { return e->kind == DELIVER_SOFTWARE || e->kind == DELIVER_SOFTWARE_ICEBP; }

/* Real mode, and V86 programs' own handlers under VME: FLAGS, CS, IP, then the four-byte table entry at `table`. */
static void deliver_real(struct cpu *c, const struct event *e, uint32_t flags, uint32_t table)
{
    uint32_t entry = mmu_read_system(c, table, 4);
    struct stack k = stack_present(c);
    stack_push(c, &k, flags & 0xffff, 2);
    stack_push(c, &k, c->seg[CS].selector, 2);
    stack_push(c, &k, e->saved & 0xffff, 2);
    stack_commit(c, &k);
    segment_load_real(c, CS, (uint16_t)(entry >> 16));
    c->eip = entry & 0xffff;
}

static void enter_real(struct cpu *c, const struct event *e)
{
    if (e->vector * 4u + 3 > c->idtr.limit)
        cpu_raise_error(c, EXC_GP, e->vector * 8u + ERROR_IDT);
    deliver_real(c, e, cpu_flags(c), c->idtr.base + e->vector * 4u);
    c->eflags &= ~(uint32_t)(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

static void enter_task(struct cpu *c, const struct event *e, const struct descriptor *gate)
{
    if (e->kind == DELIVER_EXCEPTION && restartable >> e->vector & 1)
        c->eflags |= FLAG_RF & c->flags_fixed;  /* in the image that the old TSS keeps */
    task_switch(c, (uint16_t)(gate->low >> 16), TASK_GATE, e->saved, e->has_error, e->error);
}

/* The handler's code segment; level: the privilege it runs at. */
static void check_handler(struct cpu *c, uint16_t selector, struct segment *code, unsigned *level)
{
    struct descriptor d;
    if (!(selector & 0xfffc))
        cpu_raise(c, EXC_GP);
    if (!descriptor_fetch(c, selector, &d))
        raise_selector(c, EXC_GP, selector);
    unsigned dpl = d.high >> 13 & 3;
    if ((d.high >> 8 & 0x18) != 0x18 || dpl > c->cpl)
        raise_selector(c, EXC_GP, selector);
    if (!(d.high & 1 << 15))
        raise_selector(c, EXC_NP, selector);
    bool conforming = d.high & 1 << 10;
    *level = conforming ? c->cpl : dpl;
    if (cpu_v86(c) && *level != 0)              /* also a conforming handler: it would run at level 3 */
        raise_selector(c, EXC_GP, selector);
    descriptor_set_accessed(c, selector, &d);
    descriptor_segment(&d, (uint16_t)((selector & ~3u) | *level), code);
}

static void push_frame(struct cpu *c, const struct event *e, struct stack *k, bool inner, unsigned size)
{
    uint32_t flags = cpu_flags(c);
    if (e->kind == DELIVER_EXCEPTION && restartable >> e->vector & 1)
        flags |= FLAG_RF & c->flags_fixed;
    if (cpu_v86(c)) {
        stack_push(c, k, c->seg[GS].selector, size);
        stack_push(c, k, c->seg[FS].selector, size);
        stack_push(c, k, c->seg[DS].selector, size);
        stack_push(c, k, c->seg[ES].selector, size);
    }
    if (inner) {
        stack_push(c, k, c->seg[SS].selector, size);
        stack_push(c, k, c->gpr[ESP], size);
    }
    stack_push(c, k, flags, size);
    stack_push(c, k, c->seg[CS].selector, size);
    stack_push(c, k, e->saved, size);
    if (e->has_error)
        stack_push(c, k, e->error, size);
}

static void enter_gate(struct cpu *c, const struct event *e, const struct descriptor *gate)
{
    unsigned type = gate->high >> 8 & 15, level, size = type & 8 ? 4 : 2;
    uint32_t offset = (gate->low & 0xffff) | (type & 8 ? gate->high & 0xffff0000 : 0);
    struct segment code;
    check_handler(c, (uint16_t)(gate->low >> 16), &code, &level);
    bool inner = level < c->cpl;
    struct stack k = stack_present(c);
    if (inner)
        tss_inner_stack(c, level, &k);
    if (offset > code.limit)
        cpu_raise(c, EXC_GP);
    push_frame(c, e, &k, inner, size);

    if (cpu_v86(c)) {
        segment_set_null(c, ES, 0);
        segment_set_null(c, DS, 0);
        segment_set_null(c, FS, 0);
        segment_set_null(c, GS, 0);
    }
    c->eflags &= ~(uint32_t)(FLAG_TF | FLAG_NT | FLAG_VM | FLAG_RF);
    if (!(type & 1))
        c->eflags &= ~(uint32_t)FLAG_IF;
    c->eip = offset;
    segment_set(c, CS, &code);
    if (inner) {
        segment_set(c, SS, &k.seg);
        c->cpl = (uint8_t)level;
        mmu_privilege_changed(c);
    }
    stack_commit(c, &k);
}

static void enter_protected(struct cpu *c, const struct event *e)
{
    uint32_t offset = e->vector * 8u, error = offset + ERROR_IDT;
    struct descriptor gate;
    if (offset + 7 > c->idtr.limit)
        cpu_raise_error(c, EXC_GP, error);
    gate.low = mmu_read_system(c, c->idtr.base + offset, 4);
    gate.high = mmu_read_system(c, c->idtr.base + offset + 4, 4);
    unsigned type = gate.high >> 8 & 31;        /* S included: it must be clear */
    if (type != GATE_TASK && type != GATE_INT16 && type != GATE_TRAP16 && type != GATE_INT32 && type != GATE_TRAP32)
        cpu_raise_error(c, EXC_GP, error);
    if (e->kind == DELIVER_SOFTWARE && (gate.high >> 13 & 3) < c->cpl)
        cpu_raise_error(c, EXC_GP, error);
    if (!(gate.high & 1 << 15))
        cpu_raise_error(c, EXC_NP, error);
    if (type == GATE_TASK)
        enter_task(c, e, &gate);
    else
        enter_gate(c, e, &gate);
}

static void deliver_once(struct cpu *c, const struct event *e)
{
    if (cpu_protected(c))
        enter_protected(c, e);
    else
        enter_real(c, e);
}

/* --- faults in delivery --------------------------------------------------------------------------------------- */
enum fault_class { BENIGN, CONTRIBUTORY, PAGE };
static enum fault_class class_of(int vector)
{
    switch (vector) {
    case EXC_DE: case EXC_TS: case EXC_NP: case EXC_SS: case EXC_GP: return CONTRIBUTORY;
    case EXC_PF: return PAGE;
    default: return BENIGN;
    }
}

/* Makes of *e what is to be delivered next; false: shutdown. */
static bool combine(const struct cpu *c, struct event *e)
{
    enum fault_class first = e->kind == DELIVER_EXCEPTION ? class_of(e->vector) : BENIGN;
    enum fault_class second = class_of(c->raised.vector);
    uint32_t error = c->raised.error;
    if (e->kind == DELIVER_EXCEPTION && e->vector == EXC_DF && second != BENIGN)
        return false;
    if ((first == CONTRIBUTORY && second == CONTRIBUTORY) || (first == PAGE && second != BENIGN)) {
        *e = (struct event){ EXC_DF, DELIVER_EXCEPTION, true, 0, c->eip };
        return true;
    }
    if (e->kind != DELIVER_SOFTWARE && second == CONTRIBUTORY)  /* the event was external to the program [SDM3A, 6.13] */
        error |= ERROR_EXT;
    *e = (struct event){ c->raised.vector, DELIVER_EXCEPTION, c->raised.has_error, error, c->eip };
    return true;
}

/* c->eip: what a fault in delivery saves. A benign fault (#AC on a misaligned level 3 stack) may meet itself again for ever, which
 * hangs silicon; here it ends as a triple fault does. */
enum { FAULTS_MAX = 16 };
static void deliver(struct cpu *c, struct event *e)
{
    jmp_buf outer;
    memcpy(&outer, &c->fault, sizeof outer);
    c->halted = false;
    c->shadow = 0;
    for (volatile unsigned faults = 0;; faults++) {
        if (!setjmp(c->fault)) {
            deliver_once(c, e);
            break;
        }
        if (faults == FAULTS_MAX || !combine(c, e)) {
            log_device(&c->dev, LOG_GUEST, "triple fault at %04x:%08x", c->seg[CS].selector, c->eip);
            c->shutdown = true;
            break;
        }
    }
    memcpy(&c->fault, &outer, sizeof outer);
    if (c->eflags & FLAG_IF)
        cpu_recheck(c);
    if (is_software(e) || e->kind == DELIVER_EXTERNAL)
        return;
    if (e->vector == EXC_DB)
        c->dr[7] &= ~(uint32_t)DR7_GD;          /* the handler may use the debug registers [SDM3B, 17.2.4] */
}

void cpu_deliver(struct cpu *c, int vector, enum delivery kind, bool has_error, uint32_t error)
{
    struct event e = { vector, kind, has_error, error, c->eip };
    if (kind == DELIVER_EXCEPTION)
        c->instructions++;                      /* the instruction ended, if badly: a handler that faults at once takes time as well */
    deliver(c, &e);
}

void cpu_interrupt(struct cpu *c, int vector, enum delivery kind, uint32_t next)
{
    struct event e = { vector, kind, false, 0, next };
    deliver(c, &e);
}

void cpu_interrupt_v86(struct cpu *c, uint8_t vector, uint32_t next)
{
    struct event e = { vector, DELIVER_SOFTWARE, false, 0, next };
    uint32_t flags = cpu_flags(c), clear = FLAG_TF | FLAG_IF;
    if (cpu_iopl(c) < 3) {                      /* the program sees its virtual flag, and IOPL 3 */
        flags = (flags & ~(uint32_t)FLAG_IF) | (flags & FLAG_VIF ? FLAG_IF : 0) | FLAG_IOPL;
        clear = FLAG_TF | FLAG_VIF;
    }
    deliver_real(c, &e, flags, vector * 4u);
    c->eflags &= ~(clear | FLAG_RF);
}

/* --- debug exceptions ----------------------------------------------------------------------------------------- */
void cpu_debug_trap(struct cpu *c, uint32_t bits)
{
    c->dr[6] |= bits | c->tlb->dr6_hits;
    c->tlb->dr6_hits = 0;
    cpu_deliver(c, EXC_DB, DELIVER_EXCEPTION, false, 0);
}

bool cpu_code_breakpoint(struct cpu *c)
{
    if (!(c->dr[7] & 0xff) || c->eflags & FLAG_RF || c->shadow)
        return false;
    unsigned met = mmu_breakpoints(c, c->seg[CS].base + c->eip, 1, 1);
    if (!met)
        return false;
    cpu_debug_trap(c, met);
    return true;
}

/* --- instruction boundaries ----------------------------------------------------------------------------------- */
static uint32_t pins(const struct cpu *c) { return __atomic_load_n(&c->pin_levels, __ATOMIC_ACQUIRE); }

static bool intr_waits(const struct cpu *c)
{
    return (pins(c) & BIT(CPU_INTR) && (!c->apic || apic_passes_intr(c))) || (c->apic && c->apic->extint);
}

static bool interrupt_waits(const struct cpu *c)
{
    return c->eflags & FLAG_IF && (intr_waits(c) || (c->apic && apic_ready(c)));
}

static bool nmi_waits(const struct cpu *c) { return pins(c) & LATCHED_NMI && !c->nmi_blocked; }

void cpu_recheck(struct cpu *c)
{
    unsigned bits = (interrupt_waits(c) ? PENDING_INTR : 0) | (nmi_waits(c) ? PENDING_NMI : 0);
    if (bits)
        atomic_fetch_or(&c->pending, bits);
}

bool cpu_interrupt_ready(struct cpu *c)
{
    return atomic_load(&c->pending) & PENDING_INIT || (!c->shutdown && (interrupt_waits(c) || nmi_waits(c)));
}

/* The vector of the interrupt to take, or -1 when it went away meanwhile. */
static int acknowledge(struct cpu *c)
{
    int vector = -1;
    machine_lock(c->dev.machine);
    if (intr_waits(c)) {
        if (c->apic)
            c->apic->extint = false;
        if (c->pins.intack)
            vector = c->pins.intack(c->pins.board);
    } else if (c->apic && apic_ready(c)) {
        vector = apic_acknowledge(c);
    }
    machine_unlock(c->dev.machine);
    return vector;
}

static void take_init(struct cpu *c)
{
    machine_lock(c->dev.machine);
    cpu_reset(c, RESET_SOFT);
    machine_unlock(c->dev.machine);
}

void cpu_service_pending(struct cpu *c)
{
    unsigned p = atomic_fetch_and(&c->pending, PENDING_KICK);
    if (p & PENDING_MAP)
        mmu_flush_physical(c, UINT64_MAX);
    if (p & PENDING_INIT) {
        take_init(c);
        return;
    }
    if (c->shutdown)                            /* only INIT and reset end it; an NMI would on silicon, if not blocked */
        return;
    if (c->shadow) {                            /* again after the next instruction */
        atomic_fetch_or(&c->pending, p & ~(unsigned)(PENDING_KICK | PENDING_MAP));
        return;
    }
    if (c->tlb->dr6_hits)
        cpu_debug_trap(c, 0);
    if (nmi_waits(c)) {
        __atomic_fetch_and(&c->pin_levels, ~(uint32_t)LATCHED_NMI, __ATOMIC_RELEASE);
        c->nmi_blocked = true;
        cpu_deliver(c, EXC_NMI, DELIVER_EXTERNAL, false, 0);
    } else if (interrupt_waits(c)) {
        int vector = acknowledge(c);
        if (vector >= 0)
            cpu_deliver(c, vector, DELIVER_EXTERNAL, false, 0);
    }
    cpu_recheck(c);
}
