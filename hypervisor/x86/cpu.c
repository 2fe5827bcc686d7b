/* The CPU as a device: properties, saved state, reset, pins, time. What it does is in the other files of this folder and in the
 * engines.
 *
 * A PC wires INTR to the 8259 pair, NMI to the board's parity and I/O check logic, A20M# to port 92h and the 8042, INIT to the same
 * two and to the triple fault logic, IGNNE# to port F0h, and FERR# (ferr_out) to IRQ 13.
 *
 * Threads: inputs and timers come under the machine lock while the CPU may run without it; they change only pin_levels, pending
 * (both atomic) and the A20 mask, which takes effect at the next instruction boundary.
 *
 * References: [SDM3A] 9.1.1 (state after RESET and INIT), table 9-1; [386] 10.2; [486] 6.5.
 * Not modelled: SMM (SMI# is ignored, RSM is #UD), cache and parity pins. */
#include "x86/segment.h"
#include "core/machine.h"
#include "x86/apic.h"
#include <errno.h>

/* The machine's CPU object: registers and local APIC. */
struct cpu_device { struct cpu cpu; struct apic apic; struct space_listener listener; };
static struct cpu_device *device_of(struct cpu *c) { return container_of(c, struct cpu_device, cpu); }

#define TSC_HZ_MAX 10000000000ull               /* times a second in ns, it fits in 64 bits */

/* --- pins and time -------------------------------------------------------------------------------------------- */
void cpu_pend(struct cpu *c, unsigned bits)
{
    atomic_fetch_or(&c->pending, bits);
    machine_kick(c->dev.machine);
}

static uint32_t a20_mask(const struct cpu *c) { return c->pin_levels & BIT(CPU_A20) ? ~0u : ~(1u << 20); }

static void cpu_input(struct device *d, unsigned pin, bool level)
{
    struct cpu *c = cpu_of(d);
    uint32_t bit = BIT(pin), was;
    if (level)
        was = __atomic_fetch_or(&c->pin_levels, bit, __ATOMIC_ACQ_REL) & bit;
    else
        was = __atomic_fetch_and(&c->pin_levels, ~bit, __ATOMIC_ACQ_REL) & bit;
    if (level == !!was)
        return;
    switch (pin) {
    case CPU_INTR:
        if (c->apic)
            apic_pin(c, 0, level);
        if (level)
            cpu_pend(c, PENDING_INTR);
        break;
    case CPU_NMI:
        if (c->apic) {
            apic_pin(c, 1, level);
        } else if (level) {
            __atomic_fetch_or(&c->pin_levels, LATCHED_NMI, __ATOMIC_RELEASE);
            cpu_pend(c, PENDING_NMI);
        }
        break;
    case CPU_A20:
        c->a20_mask = a20_mask(c);
        cpu_pend(c, PENDING_MAP);
        break;
    case CPU_INIT:
        if (level)
            cpu_pend(c, PENDING_INIT);
        break;
    default:                                    /* SMI# is not modelled; IGNNE# is looked at by the x87 */
        break;
    }
}

int64_t cpu_time(const struct cpu *c) { return clock_now(&c->dev.machine->clock); }

/* Seconds and the rest apart: 64 bits suffice, and RDTSC is what some guests do most. */
static uint64_t tsc_ticks(const struct cpu *c)
{
    uint64_t now = (uint64_t)cpu_time(c);
    return now / NS_PER_S * c->tsc_hz + now % NS_PER_S * c->tsc_hz / NS_PER_S;
}

uint64_t cpu_tsc(const struct cpu *c) { return tsc_ticks(c) + c->tsc_offset; }

static void map_changed(void *listener, const struct region *region)
{
    (void)region;
    cpu_pend(listener, PENDING_MAP);
}

/* --- reset ---------------------------------------------------------------------------------------------------- */
static void reset_segments(struct cpu *c)
{
    for (unsigned n = 0; n < SEGMENT_COUNT; n++) {
        c->seg[n] = (struct segment){ .access = n == LDTR ? 0x82 : n == TR ? 0x8b : 0x93, .limit = 0xffff };
        segment_update(c, n);
    }
    c->seg[CS].selector = 0xf000;
    c->seg[CS].base = 0xffff0000;
    c->gdtr = (struct table_register){ 0, 0xffff };
    c->idtr = (struct table_register){ 0, 0xffff };
}

/* RESET leaves a coprocessor in a state that only FNINIT makes usable [SDM3A, table 9-1]. */
static void reset_fpu(struct cpu *c)
{
    memset(&c->fpu, 0, sizeof c->fpu);
    c->fpu.control = 0x40;
    c->fpu.tags = 0xff;
    memset(c->xmm, 0, sizeof c->xmm);
    c->mxcsr = 0x1f80;
    c->ferr = false;
    wire_set(&c->ferr_out, false);
}

static uint32_t cr0_after_reset(const struct cpu *c, enum reset_kind kind)
{
    if (!cpu_has(c, HAS_486))
        return cpu_has(c, HAS_FPU) ? CR0_ET : 0;        /* the 386 finds its 387 by the level of ERROR# */
    if (kind == RESET_SOFT)
        return CR0_ET | (c->cr0 & (CR0_CD | CR0_NW));   /* INIT leaves the caches as they are */
    return CR0_ET | CR0_CD | CR0_NW;
}

void cpu_reset(struct cpu *c, enum reset_kind kind)
{
    memset(c->gpr, 0, sizeof c->gpr);
    c->gpr[EDX] = cpu_signature(c);
    c->eip = 0xfff0;
    cpu_set_flags(c, 0);
    c->cr0 = cr0_after_reset(c, kind);
    c->cr2 = c->cr3 = c->cr4 = 0;
    memset(c->pdpte, 0, sizeof c->pdpte);
    memset(c->dr, 0, sizeof c->dr);
    c->dr[6] = (uint32_t)DR6_FIXED;
    c->dr[7] = DR7_FIXED;
    c->cpl = 0;
    c->halted = c->shutdown = c->nmi_blocked = false;
    c->shadow = 0;
    __atomic_fetch_and(&c->pin_levels, ~(uint32_t)LATCHED_NMI, __ATOMIC_RELEASE);
    reset_segments(c);
    if (kind != RESET_SOFT) {                   /* INIT keeps x87, SSE, MSRs and the TSC */
        reset_fpu(c);
        memset(c->tr386, 0, sizeof c->tr386);
        msr_reset(c);
        c->tsc_offset = 0 - tsc_ticks(c);
        c->apic_base = c->apic ? APIC_DEFAULT_BASE | APIC_BASE_ENABLE | (c->dev.machine->cpus[0] == &c->dev ? APIC_BASE_BSP : 0) : 0;
    }
    if (c->apic)
        apic_reset(c, kind);
    if (c->apic && c->apic->waits_for_sipi)
        c->halted = true;
    c->a20_mask = a20_mask(c);
    c->tlb->dr6_hits = 0;
    mmu_flush_physical(c, UINT64_MAX);
    segment_mode_changed(c);
}

static void cpu_reset_device(struct device *d, enum reset_kind kind) { cpu_reset(cpu_of(d), kind); }

/* --- life ----------------------------------------------------------------------------------------------------- */
static bool cpu_init(struct device *d, struct error *err)
{
    struct cpu *c = cpu_of(d);
    struct machine *m = d->machine;
    struct cpu_device *whole = device_of(c);
    if (m->cpu_count == ARRAY_SIZE(m->cpus))
        return error_set(err, EINVAL, "a machine has at most %zu CPUs; lower cpu.count", ARRAY_SIZE(m->cpus));
    if (c->tsc_hz > TSC_HZ_MAX)
        return error_set(err, EINVAL, "cpu.clock is %llu Hz; at most 10 GHz", (unsigned long long)c->tsc_hz);
    if (!cpu_model_apply(c, err) || !mmu_create(c, err))
        return false;
    if (cpu_has(c, HAS_APIC))
        apic_init(c, &whole->apic);
    else
        timer_init(&whole->apic.timer, NULL, NULL);
    c->pin_levels = BIT(CPU_A20);               /* an A20M# that nobody drives lets all addresses through */
    c->a20_mask = ~0u;
    whole->listener = (struct space_listener){ .changed = map_changed, .listener = c };
    space_listen(m->memory, &whole->listener);
    if (m->cpu_count == 0)
        space_map_io(m->memory, APIC_DEFAULT_BASE, 0x100000, &apic_message_ops, m, -1);
    m->cpus[m->cpu_count++] = d;
    return true;
}

static bool cpu_restored(struct device *d)
{
    struct cpu *c = cpu_of(d);
    if (c->cpl > 3 || c->shadow > 1 || (c->eflags & ~(c->flags_fixed | FLAG_1)) || c->gpr[GPR_ZERO])
        return false;
    c->eflags |= FLAG_1;
    c->a20_mask = a20_mask(c);
    c->tlb->dr6_hits = 0;
    mmu_flush_physical(c, UINT64_MAX);
    segment_mode_changed(c);
    atomic_fetch_or(&c->pending, PENDING_MAP | PENDING_INTR);
    return true;
}

static void cpu_free(struct device *d)
{
    struct cpu *c = cpu_of(d);
    space_unlisten(d->machine->memory, &device_of(c)->listener);
    mmu_destroy(c);
}

/* --- tables --------------------------------------------------------------------------------------------------- */
static const struct state_field segment_state[] = {
    FIELD(struct segment, selector), FIELD(struct segment, access), FIELD(struct segment, base), FIELD(struct segment, limit), END
};
static const struct state_field table_state[] = {
    FIELD(struct table_register, base), FIELD(struct table_register, limit), END
};
static const struct state_field float80_state[] = {
    FIELD(struct float80, mantissa), FIELD(struct float80, exponent), END
};
static const struct state_field fpu_state[] = {
    FIELD_STRUCTS(struct fpu, reg, float80_state), FIELD(struct fpu, control), FIELD(struct fpu, status), FIELD(struct fpu, tags),
    FIELD(struct fpu, opcode), FIELD(struct fpu, cs), FIELD(struct fpu, ds), FIELD(struct fpu, ip), FIELD(struct fpu, dp), END
};
static const struct state_field xmm_state[] = { FIELD_ARRAY(struct xmm, dword), END };

static const struct state_field cpu_state[] = {
    FIELD_ARRAY(struct cpu, gpr), FIELD(struct cpu, eip), FIELD(struct cpu, eflags), FIELD(struct cpu, arith),
    FIELD_STRUCTS(struct cpu, seg, segment_state), FIELD_STRUCT(struct cpu, gdtr, table_state),
    FIELD_STRUCT(struct cpu, idtr, table_state), FIELD(struct cpu, cr0), FIELD(struct cpu, cr2), FIELD(struct cpu, cr3),
    FIELD(struct cpu, cr4), FIELD_ARRAY(struct cpu, pdpte), FIELD_ARRAY(struct cpu, dr), FIELD_ARRAY(struct cpu, tr386),
    FIELD(struct cpu, cpl), FIELD(struct cpu, halted), FIELD(struct cpu, shutdown), FIELD(struct cpu, nmi_blocked),
    FIELD(struct cpu, shadow), FIELD(struct cpu, pin_levels), FIELD_STRUCT(struct cpu, fpu, fpu_state),
    FIELD_STRUCTS(struct cpu, xmm, xmm_state), FIELD(struct cpu, mxcsr), FIELD(struct cpu, ferr), FIELD(struct cpu, tsc_offset),
    FIELD(struct cpu, apic_base), FIELD(struct cpu, sysenter_cs), FIELD(struct cpu, sysenter_esp), FIELD(struct cpu, sysenter_eip),
    FIELD(struct cpu, pat), FIELD(struct cpu, mtrr_def), FIELD_ARRAY(struct cpu, mtrr_fixed), FIELD_ARRAY(struct cpu, mtrr_var),
    FIELD(struct cpu, misc_enable), FIELD(struct cpu, debugctl), FIELD(struct cpu, mcg_status), FIELD(struct cpu, efer),
    FIELD_STRUCT(struct cpu_device, apic, apic_state), END
};

static const struct property cpu_properties[] = {
    PROPERTY_AS(struct cpu, model_name, "model", "pentium3", "386, 486sx, 486, 486dx4, pentium, pentium-mmx, pentium-pro, pentium2, "
                "pentium3 or pentium4"),
    PROPERTY_AS(struct cpu, features_text, "features", "", "added to or taken from the model's: +sse2-mmx"),
    PROPERTY_AS(struct cpu, tsc_hz, "clock", "0", "frequency of the time stamp counter in Hz; 0: the model's"),
    PROPERTY_AS(struct cpu, cpuid_max, "cpuid-max", "0xffffffff", "highest standard CPUID leaf that is reported"),
    END
};
static const struct pin cpu_outputs[] = { PIN(struct cpu, ferr_out), END };

const struct device_class cpu_class = {
    .name = "cpu", .summary = "x86 CPU, 386 to Pentium 4", .size = sizeof(struct cpu_device),
    .properties = cpu_properties, .outputs = cpu_outputs, .state = cpu_state, .state_version = 1,
    .init = cpu_init, .reset = cpu_reset_device, .restored = cpu_restored, .input = cpu_input, .free = cpu_free,
};
