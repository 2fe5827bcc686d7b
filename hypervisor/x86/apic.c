/* Local APIC [SDM3A, chapter 10]: interrupt registers and priorities, the local vector table, the timer, interprocessor
 * interrupts, and messages from I/O APICs and MSI devices.
 *
 * A PC wires INTR to LINT0 and NMI to LINT1. While the APIC is disabled (by its base MSR, or by SVR bit 8) the two pins act as on
 * a CPU without one, so an 8259 works before the BIOS programs "virtual wire" mode, and without it [SDM3A, 10.4.3].
 * Registers are seen by this CPU alone, in the page at the APIC base (x86/mmu.c); all APICs of the machine hear messages.
 *
 * References: [SDM3A] 10.4 to 10.11; [MPS] 3.6.2 (interrupt modes).
 * Not modelled: remote read IPIs, arbitration priority, focus processors, the thermal and performance sources of the LVT. */
#include "x86/apic.h"
#include "core/machine.h"

enum { REG_ID = 0x20, REG_VERSION = 0x30, REG_TPR = 0x80, REG_APR = 0x90, REG_PPR = 0xa0, REG_EOI = 0xb0, REG_LDR = 0xd0,
       REG_DFR = 0xe0, REG_SVR = 0xf0, REG_ISR = 0x100, REG_TMR = 0x180, REG_IRR = 0x200, REG_ESR = 0x280, REG_ICR_LOW = 0x300,
       REG_ICR_HIGH = 0x310, REG_LVT = 0x320, REG_LVT_ERROR = 0x370, REG_INITIAL = 0x380, REG_CURRENT = 0x390, REG_DIVIDE = 0x3e0 };
enum { SVR_ENABLE = 1 << 8, LVT_MASKED = 1 << 16, LVT_PERIODIC = 1 << 17, LVT_LEVEL = 1 << 15, LVT_REMOTE_IRR = 1 << 14,
       LVT_ACTIVE_LOW = 1 << 13 };
enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_REMOTE, MODE_NMI, MODE_INIT, MODE_SIPI, MODE_EXTINT };
enum { ICR_LOGICAL = 1 << 11, ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15 };
enum { ESR_SEND_VECTOR = 1 << 5, ESR_RECEIVE_VECTOR = 1 << 6, ESR_REGISTER = 1 << 7 };
#define BUS_HZ 100000000                        /* what the timer counts, before the divider */
static const uint32_t lvt_writable[LVT_COUNT] = { 0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };

static bool software_enabled(const struct apic *a) { return a->svr & SVR_ENABLE; }
static bool working(const struct cpu *c) { return apic_enabled(c) && software_enabled(c->apic); }

/* --- vectors -------------------------------------------------------------------------------------------------- */
static bool bit_get(const uint32_t *r, unsigned v) { return r[v / 32] >> (v % 32) & 1; }
static void bit_set(uint32_t *r, unsigned v) { __atomic_fetch_or(&r[v / 32], 1u << (v % 32), __ATOMIC_RELEASE); }
static void bit_clear(uint32_t *r, unsigned v) { __atomic_fetch_and(&r[v / 32], ~(1u << (v % 32)), __ATOMIC_RELEASE); }

static int highest(const uint32_t *r)
{
    for (int i = 7; i >= 0; i--) {
        uint32_t v = __atomic_load_n(&r[i], __ATOMIC_ACQUIRE);
        if (v)
            return i * 32 + 31 - __builtin_clz(v);
    }
    return -1;
}

static unsigned processor_priority(const struct apic *a)
{
    int in_service = highest(a->isr);
    unsigned class = in_service < 0 ? 0 : (unsigned)in_service & 0xf0;
    return (a->tpr & 0xf0) >= class ? a->tpr : class;
}

bool apic_ready(const struct cpu *c)
{
    int v = working(c) ? highest(c->apic->irr) : -1;
    return v >= 0 && ((unsigned)v & 0xf0) > (processor_priority(c->apic) & 0xf0);
}

static void error(struct cpu *c, uint32_t bits);

/* From a register access of the CPU itself, which needs no kick. */
static void look_again(struct cpu *c) { atomic_fetch_or(&c->pending, PENDING_APIC); }

/* Any thread's vector for this CPU; edge or level says what its end will do. */
static void request(struct cpu *c, unsigned vector, bool level)
{
    struct apic *a = c->apic;
    if (vector < 16) {
        error(c, ESR_RECEIVE_VECTOR);
        return;
    }
    if (level)
        bit_set(a->tmr, vector);
    else
        bit_clear(a->tmr, vector);
    bit_set(a->irr, vector);
    cpu_pend(c, PENDING_APIC);
}

int apic_acknowledge(struct cpu *c)
{
    struct apic *a = c->apic;
    if (!apic_ready(c))
        return (int)(a->svr & 0xff);
    int v = highest(a->irr);
    bit_clear(a->irr, (unsigned)v);
    bit_set(a->isr, (unsigned)v);
    return v;
}

static void end_of_interrupt(struct cpu *c)
{
    struct apic *a = c->apic;
    int v = highest(a->isr);
    if (v < 0)
        return;
    bit_clear(a->isr, (unsigned)v);
    if (bit_get(a->tmr, (unsigned)v)) {
        for (unsigned i = LVT_LINT0; i <= LVT_LINT1; i++)
            if ((a->lvt[i] & 0xff) == (unsigned)v)
                a->lvt[i] &= ~(uint32_t)LVT_REMOTE_IRR;
        if (c->pins.eoi)
            c->pins.eoi(c->pins.board, (uint8_t)v);
        for (unsigned i = 0; i < 2; i++)        /* a level that is still there interrupts again */
            apic_pin(c, i, c->pin_levels & BIT(i == 0 ? CPU_INTR : CPU_NMI));
    }
    look_again(c);
}

/* --- local sources -------------------------------------------------------------------------------------------- */
static void nmi(struct cpu *c)
{
    __atomic_fetch_or(&c->pin_levels, LATCHED_NMI, __ATOMIC_RELEASE);
    cpu_pend(c, PENDING_NMI);
}

static void error(struct cpu *c, uint32_t bits)
{
    struct apic *a = c->apic;
    a->esr_next |= bits;
    if (!(a->lvt[LVT_ERROR] & LVT_MASKED) && (a->lvt[LVT_ERROR] & 0xff) >= 16)
        request(c, a->lvt[LVT_ERROR] & 0xff, false);
}

bool apic_passes_intr(const struct cpu *c)
{
    uint32_t lvt = c->apic->lvt[LVT_LINT0];
    return !working(c) || (!(lvt & LVT_MASKED) && (lvt >> 8 & 7) == MODE_EXTINT);
}

/* INTR and NMI through LINT0 and LINT1. A level that passes as ExtINT is looked at by exception.c, from pin_levels. */
void apic_pin(struct cpu *c, unsigned lint, bool level)
{
    struct apic *a = c->apic;
    if (!working(c)) {
        if (lint == 1 && level)
            nmi(c);
        return;
    }
    uint32_t *lvt = &a->lvt[LVT_LINT0 + lint];
    if (!level || *lvt & LVT_MASKED)
        return;
    switch (*lvt >> 8 & 7) {
    case MODE_FIXED:
        if (*lvt & LVT_LEVEL) {
            if (*lvt & LVT_REMOTE_IRR)
                return;
            *lvt |= LVT_REMOTE_IRR;
        }
        request(c, *lvt & 0xff, *lvt & LVT_LEVEL);
        break;
    case MODE_NMI: nmi(c); break;
    case MODE_INIT: cpu_pend(c, PENDING_INIT); break;
    default: break;
    }
}

/* --- timer ---------------------------------------------------------------------------------------------------- */
static int64_t divider(const struct apic *a)
{
    unsigned code = (a->divide & 3) | (a->divide >> 1 & 4);
    return code == 7 ? 1 : 2 << code;
}

static int64_t count_ns(const struct apic *a, int64_t count) { return muldiv(count, divider(a) * NS_PER_S, BUS_HZ); }

static uint32_t current_count(struct cpu *c)
{
    struct apic *a = c->apic;
    if (!a->initial_count || !timer_running(&a->timer))
        return 0;
    int64_t gone = muldiv(clock_now(&c->dev.machine->clock) - a->counted_from, BUS_HZ, divider(a) * NS_PER_S);
    return gone >= a->initial_count ? 0 : a->initial_count - (uint32_t)gone;
}

static void timer_start(struct cpu *c)
{
    struct apic *a = c->apic;
    struct clock *clock = &c->dev.machine->clock;
    if (!a->initial_count) {
        timer_stop(clock, &a->timer);
        return;
    }
    a->counted_from = clock_now(clock);
    timer_at(clock, &a->timer, a->counted_from + MAX(count_ns(a, a->initial_count), 1));
}

static void timer_fired(void *chip)
{
    struct apic *a = chip;
    struct cpu *c = a->cpu;
    struct clock *clock = &c->dev.machine->clock;
    if (a->lvt[LVT_TIMER] & LVT_PERIODIC && a->initial_count) {
        int64_t period = MAX(count_ns(a, a->initial_count), 1), now = clock_now(clock);
        a->counted_from += period;
        if (now - a->counted_from >= period)    /* late by whole periods: IRR holds one interrupt only */
            a->counted_from += (now - a->counted_from) / period * period;
        timer_at(clock, &a->timer, a->counted_from + period);
    }
    if (working(c) && !(a->lvt[LVT_TIMER] & LVT_MASKED))
        request(c, a->lvt[LVT_TIMER] & 0xff, false);
}

/* --- messages ------------------------------------------------------------------------------------------------- */
static bool addressed(const struct cpu *c, uint32_t destination, bool logical)
{
    const struct apic *a = c->apic;
    uint32_t mda = destination & 0xff, id = a->id >> 24, ldr = a->ldr >> 24;
    if (mda == 0xff)
        return true;
    if (!logical)
        return mda == id;
    if (a->dfr >> 28 == 15)                     /* flat */
        return mda & ldr;
    return mda >> 4 == ldr >> 4 && mda & ldr & 15;
}

static void accept(struct cpu *c, unsigned mode, unsigned vector, bool level)
{
    struct apic *a = c->apic;
    switch (mode) {
    case MODE_FIXED: case MODE_LOWEST:
        if (working(c))
            request(c, vector, level);
        break;
    case MODE_NMI: nmi(c); break;
    case MODE_INIT: cpu_pend(c, PENDING_INIT); break;
    case MODE_SIPI:
        if (a->waits_for_sipi) {
            a->waits_for_sipi = false;
            c->seg[CS].selector = (uint16_t)(vector << 8);
            c->seg[CS].base = vector << 12;
            c->eip = 0;
            c->halted = false;
            cpu_pend(c, PENDING_APIC);
        }
        break;
    case MODE_EXTINT:                           /* the 8259's INTR, as a message */
        a->extint = true;
        cpu_pend(c, PENDING_INTR);
        break;
    default: break;
    }
}

static struct cpu *apic_cpu(struct machine *m, unsigned n)
{
    struct cpu *c = cpu_of(m->cpus[n]);
    return c->apic && apic_enabled(c) ? c : NULL;
}

/* skip: a CPU that does not hear it ("all excluding self"). */
static void broadcast(struct machine *m, uint32_t destination, bool logical, unsigned mode, unsigned vector, bool level,
                      const struct cpu *skip)
{
    struct cpu *lowest = NULL;
    for (unsigned i = 0; i < m->cpu_count; i++) {
        struct cpu *c = apic_cpu(m, i);
        if (!c || c == skip || !addressed(c, destination, logical))
            continue;
        if (mode != MODE_LOWEST)
            accept(c, mode, vector, level);
        else if (working(c) && (!lowest || processor_priority(c->apic) < processor_priority(lowest->apic)))
            lowest = c;
    }
    if (lowest)
        accept(lowest, MODE_LOWEST, vector, level);
}

void apic_message(struct machine *m, uint32_t address, uint32_t data)
{
    broadcast(m, address >> 12 & 0xff, address & 4, data >> 8 & 7, data & 0xff, data & ICR_LEVEL, NULL);
}

static uint64_t message_read(void *chip, uint64_t offset, unsigned size)
{
    (void)chip;
    (void)offset;
    (void)size;
    return UINT64_MAX;
}

static void message_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    apic_message(chip, (uint32_t)offset, (uint32_t)value);
}
const struct io_ops apic_message_ops = { message_read, message_write, IO_32 };

static void send_ipi(struct cpu *c)
{
    struct apic *a = c->apic;
    struct machine *m = c->dev.machine;
    unsigned mode = a->icr_low >> 8 & 7, vector = a->icr_low & 0xff;
    bool level = a->icr_low & ICR_LEVEL, logical = a->icr_low & ICR_LOGICAL;
    if (mode == MODE_INIT && level && !(a->icr_low & ICR_ASSERT))
        return;                                 /* INIT level de-assert: only arbitration ids, which nothing shows */
    if (mode == MODE_FIXED && vector < 16) {
        error(c, ESR_SEND_VECTOR);
        return;
    }
    switch (a->icr_low >> 18 & 3) {
    case 0: broadcast(m, a->icr_high >> 24, logical, mode, vector, false, NULL); break;
    case 1: accept(c, mode, vector, false); break;
    case 2: broadcast(m, 0xff, false, mode, vector, false, NULL); break;
    default: broadcast(m, 0xff, false, mode, vector, false, c); break;
    }
}

/* --- registers ------------------------------------------------------------------------------------------------ */
uint32_t apic_read(struct cpu *c, uint32_t offset)
{
    struct apic *a = c->apic;
    offset &= 0xff0;
    if (offset >= REG_ISR && offset < REG_ESR) {
        const uint32_t *r = offset < REG_TMR ? a->isr : offset < REG_IRR ? a->tmr : a->irr;
        return r[offset >> 4 & 7];
    }
    switch (offset) {
    case REG_ID: return a->id;
    case REG_VERSION: return (LVT_COUNT - 1) << 16 | (cpu_has(c, HAS_SSE2) ? 0x14 : 0x11);
    case REG_TPR: return a->tpr;
    case REG_APR: case REG_PPR: return processor_priority(a);
    case REG_LDR: return a->ldr;
    case REG_DFR: return a->dfr;
    case REG_SVR: return a->svr;
    case REG_ESR: return a->esr;
    case REG_ICR_LOW: return a->icr_low;
    case REG_ICR_HIGH: return a->icr_high;
    case REG_INITIAL: return a->initial_count;
    case REG_CURRENT: return current_count(c);
    case REG_DIVIDE: return a->divide;
    case REG_EOI: return 0;
    default: break;
    }
    if (offset >= REG_LVT && offset <= REG_LVT_ERROR)
        return a->lvt[(offset - REG_LVT) >> 4];
    error(c, ESR_REGISTER);
    return 0;
}

static void write_svr(struct cpu *c, uint32_t value)
{
    struct apic *a = c->apic;
    a->svr = value & 0x3ff;
    if (!software_enabled(a))                   /* all local sources are masked and stay so [SDM3A, 10.4.7.2] */
        for (unsigned i = 0; i < LVT_COUNT; i++)
            a->lvt[i] |= LVT_MASKED;
}

static void write_lvt(struct cpu *c, unsigned n, uint32_t value)
{
    struct apic *a = c->apic;
    a->lvt[n] = (value & lvt_writable[n]) | (a->lvt[n] & LVT_REMOTE_IRR) | (software_enabled(a) ? 0 : LVT_MASKED);
    if (n == LVT_LINT0 || n == LVT_LINT1) {     /* a level that waited behind the mask; edges are lost */
        if ((a->lvt[n] & LVT_LEVEL) || (a->lvt[n] >> 8 & 7) == MODE_EXTINT)
            apic_pin(c, n - LVT_LINT0, c->pin_levels & BIT(n == LVT_LINT0 ? CPU_INTR : CPU_NMI));
        look_again(c);
    }
}

static void change_divider(struct cpu *c, uint32_t value)
{
    struct apic *a = c->apic;
    uint32_t left = current_count(c);
    a->divide = value & 0xb;
    if (!left)
        return;
    int64_t now = clock_now(&c->dev.machine->clock);
    a->counted_from = now - count_ns(a, a->initial_count - left);
    timer_at(&c->dev.machine->clock, &a->timer, now + MAX(count_ns(a, left), 1));
}

void apic_write(struct cpu *c, uint32_t offset, uint32_t value)
{
    struct apic *a = c->apic;
    offset &= 0xff0;
    switch (offset) {
    case REG_ID: a->id = value & 0xff000000; return;
    case REG_TPR:
        a->tpr = value & 0xff;
        look_again(c);
        return;
    case REG_EOI: end_of_interrupt(c); return;
    case REG_LDR: a->ldr = value & 0xff000000; return;
    case REG_DFR: a->dfr = value | 0x0fffffff; return;
    case REG_SVR: write_svr(c, value); return;
    case REG_ESR:                               /* the write shows what was gathered since the last one */
        a->esr = a->esr_next;
        a->esr_next = 0;
        return;
    case REG_ICR_LOW:
        a->icr_low = value & 0xccfff;           /* delivery status reads idle: messages arrive at once */
        send_ipi(c);
        return;
    case REG_ICR_HIGH: a->icr_high = value & 0xff000000; return;
    case REG_INITIAL:
        a->initial_count = value;
        timer_start(c);
        return;
    case REG_DIVIDE: change_divider(c, value); return;
    default: break;
    }
    if (offset >= REG_LVT && offset <= REG_LVT_ERROR)
        write_lvt(c, (offset - REG_LVT) >> 4, value);
    else if (offset != REG_VERSION && offset != REG_PPR && offset != REG_CURRENT && !(offset >= REG_ISR && offset < REG_ESR))
        error(c, ESR_REGISTER);
}

/* --- life ----------------------------------------------------------------------------------------------------- */
static unsigned cpu_index(const struct cpu *c)
{
    const struct machine *m = c->dev.machine;
    unsigned n = 0;
    while (n < m->cpu_count && m->cpus[n] != &c->dev)
        n++;
    return n;
}

void apic_init(struct cpu *c, struct apic *a)
{
    c->apic = a;
    a->cpu = c;
    timer_init(&a->timer, timer_fired, a);
}

void apic_reset(struct cpu *c, enum reset_kind kind)
{
    struct apic *a = c->apic;
    uint32_t id = kind == RESET_SOFT ? a->id : cpu_index(c) << 24;      /* INIT leaves the id [SDM3A, 10.4.7.3] */
    timer_stop(&c->dev.machine->clock, &a->timer);
    a->id = id;
    a->tpr = a->ldr = a->esr = a->esr_next = a->icr_low = a->icr_high = a->initial_count = a->divide = 0;
    a->dfr = 0xffffffff;
    a->svr = 0xff;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        a->lvt[i] = LVT_MASKED;
    a->extint = false;
    memset(a->irr, 0, sizeof a->irr);
    memset(a->isr, 0, sizeof a->isr);
    memset(a->tmr, 0, sizeof a->tmr);
    a->counted_from = 0;
    a->waits_for_sipi = !(c->apic_base & APIC_BASE_BSP);
}

const struct state_field apic_state[] = {
    FIELD(struct apic, id), FIELD(struct apic, tpr), FIELD(struct apic, ldr), FIELD(struct apic, dfr), FIELD(struct apic, svr),
    FIELD(struct apic, esr), FIELD(struct apic, esr_next), FIELD(struct apic, icr_low), FIELD(struct apic, icr_high),
    FIELD_ARRAY(struct apic, lvt), FIELD(struct apic, initial_count), FIELD(struct apic, divide), FIELD_ARRAY(struct apic, irr),
    FIELD_ARRAY(struct apic, isr), FIELD_ARRAY(struct apic, tmr), FIELD(struct apic, extint), FIELD(struct apic, waits_for_sipi),
    FIELD(struct apic, timer), FIELD(struct apic, counted_from), END
};
