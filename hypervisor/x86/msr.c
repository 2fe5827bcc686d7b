/* Model-specific registers [SDM4]: those that change what the guest sees, and those that period software reads or writes without
 * a care. What a model lacks is #GP, as on silicon.
 *
 * References: [SDM4] 2.18 to 2.21 (P6, Pentium 4, Pentium); [SDM3A] 11.11 (MTRRs), 11.12 (PAT).
 * Not modelled: memory types (stored, without effect), performance counters (read 0), last branch records, machine check banks. */
#include "x86/apic.h"
#include "x86/mmu.h"

enum { MSR_P5_MC_ADDR = 0, MSR_P5_MC_TYPE = 1, MSR_P5_TR12 = 0xe, MSR_TSC = 0x10, MSR_P5_CESR = 0x11, MSR_P5_CTR1 = 0x13,
       MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b, MSR_EBL_CR_POWERON = 0x2a, MSR_TEST_CTL = 0x33, MSR_UCODE_WRITE = 0x79,
       MSR_UCODE_REVISION = 0x8b, MSR_PERFCTR0 = 0xc1, MSR_PERFCTR1 = 0xc2, MSR_MTRRCAP = 0xfe, MSR_BBL_CR_CTL = 0x119,
       MSR_BBL_CR_CTL3 = 0x11e, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176, MSR_MCG_CAP = 0x179,
       MSR_MCG_STATUS = 0x17a, MSR_EVNTSEL0 = 0x186, MSR_EVNTSEL1 = 0x187, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9,
       MSR_LAST_BRANCH_FROM = 0x1db, MSR_LAST_INT_TO = 0x1de, MSR_MTRR_VAR = 0x200, MSR_MTRR_FIX64K = 0x250, MSR_MTRR_FIX16K = 0x258,
       MSR_MTRR_FIX4K = 0x268, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff };
enum { VARIABLE_MTRRS = 8, MTRRCAP = VARIABLE_MTRRS | 1 << 8 | 1 << 10, MISC_ENABLE_DEFAULT = 1 };
#define PAT_DEFAULT 0x0007040600070406ull

static unsigned family(const struct cpu *c) { return cpu_signature(c) >> 8 & 15; }

static bool fixed_index(uint32_t index, unsigned *n)
{
    if (index == MSR_MTRR_FIX64K)
        *n = 0;
    else if (index - MSR_MTRR_FIX16K < 2)
        *n = 1 + index - MSR_MTRR_FIX16K;
    else if (index - MSR_MTRR_FIX4K < 8)
        *n = 3 + index - MSR_MTRR_FIX4K;
    else
        return false;
    return true;
}

/* Registers that a model has but nothing here looks at: reads give 0, writes vanish. */
static bool inert(const struct cpu *c, uint32_t index)
{
    switch (index) {
    case MSR_P5_MC_ADDR: case MSR_P5_MC_TYPE: return true;
    case MSR_P5_TR12: case MSR_P5_CESR: case MSR_P5_CESR + 1: case MSR_P5_CTR1: return family(c) == 5;
    case MSR_PLATFORM_ID: case MSR_EBL_CR_POWERON: case MSR_UCODE_WRITE: case MSR_UCODE_REVISION: return family(c) >= 6;
    case MSR_TEST_CTL: case MSR_PERFCTR0: case MSR_PERFCTR1: case MSR_BBL_CR_CTL: case MSR_BBL_CR_CTL3: case MSR_EVNTSEL0:
    case MSR_EVNTSEL1: return family(c) == 6;
    default: return family(c) == 6 && index - MSR_LAST_BRANCH_FROM <= MSR_LAST_INT_TO - MSR_LAST_BRANCH_FROM;
    }
}

static bool mtrr_register(struct cpu *c, uint32_t index, uint64_t **r)
{
    unsigned n;
    if (!cpu_has(c, HAS_MTRR))
        return false;
    if (index - MSR_MTRR_VAR < VARIABLE_MTRRS * 2)
        *r = &c->mtrr_var[index - MSR_MTRR_VAR];
    else if (fixed_index(index, &n))
        *r = &c->mtrr_fixed[n];
    else if (index == MSR_MTRR_DEF)
        *r = &c->mtrr_def;
    else
        return false;
    return true;
}

/* The registers that are plain storage, and the bits that may be set in them. */
static bool stored(struct cpu *c, uint32_t index, uint64_t **r, uint64_t *allowed)
{
    *allowed = UINT32_MAX;
    if (mtrr_register(c, index, r)) {
        *allowed = index == MSR_MTRR_DEF ? 0xcff : index < MSR_MTRR_FIX64K ? (1ull << c->physical_bits) - 1 : UINT64_MAX;
        return true;
    }
    switch (index) {
    case MSR_SYSENTER_CS: *r = &c->sysenter_cs; return cpu_has(c, HAS_SEP);
    case MSR_SYSENTER_ESP: *r = &c->sysenter_esp; return cpu_has(c, HAS_SEP);
    case MSR_SYSENTER_EIP: *r = &c->sysenter_eip; return cpu_has(c, HAS_SEP);
    case MSR_PAT: *r = &c->pat; *allowed = 0x0707070707070707; return cpu_has(c, HAS_PAT);
    case MSR_MCG_STATUS: *r = &c->mcg_status; *allowed = 7; return cpu_has(c, HAS_MTRR);
    case MSR_DEBUGCTL: *r = &c->debugctl; *allowed = 0x7f; return family(c) >= 6;
    case MSR_MISC_ENABLE: *r = &c->misc_enable; *allowed = UINT64_MAX; return family(c) == 15;
    default: return false;
    }
}

bool cpu_msr_read(struct cpu *c, uint32_t index, uint64_t *value)
{
    uint64_t *r, allowed;
    *value = 0;
    if (stored(c, index, &r, &allowed)) {
        *value = *r;
        return true;
    }
    switch (index) {
    case MSR_TSC: *value = cpu_tsc(c); return cpu_has(c, HAS_TSC);
    case MSR_APIC_BASE: *value = c->apic_base; return c->apic;
    case MSR_MTRRCAP: *value = MTRRCAP; return cpu_has(c, HAS_MTRR);
    case MSR_MCG_CAP: return cpu_has(c, HAS_MTRR);
    default: break;
    }
    if (inert(c, index))
        return true;
    log_device(&c->dev, LOG_GUEST, "RDMSR %xh: no such register", index);
    return false;
}

static bool valid_memory_type(unsigned t) { return t <= 7 && t != 2 && t != 3; }

static bool write_stored(uint32_t index, uint64_t *r, uint64_t allowed, uint64_t value)
{
    if (value & ~allowed)
        return false;
    for (unsigned i = 0; index == MSR_PAT && i < 8; i++)
        if (!valid_memory_type(value >> i * 8 & 7))
            return false;
    if (index == MSR_MTRR_DEF && !valid_memory_type(value & 0xff))
        return false;
    *r = value;
    return true;
}

static bool write_apic_base(struct cpu *c, uint64_t value)
{
    if (!c->apic || value & (~((1ull << c->physical_bits) - 1) | 0x6ff))
        return false;
    c->apic_base = value | (c->apic_base & APIC_BASE_BSP);
    mmu_flush_physical(c, UINT64_MAX);
    cpu_recheck(c);
    return true;
}

bool cpu_msr_write(struct cpu *c, uint32_t index, uint64_t value)
{
    uint64_t *r, allowed;
    if (stored(c, index, &r, &allowed))
        return write_stored(index, r, allowed, value);
    switch (index) {
    case MSR_TSC:                               /* before the Pentium 4 only the low half can be written [SDM3B, 17.13.3] */
        if (!cpu_has(c, HAS_TSC))
            return false;
        c->tsc_offset += (family(c) == 15 ? value : value & UINT32_MAX) - cpu_tsc(c);
        return true;
    case MSR_APIC_BASE: return write_apic_base(c, value);
    default: break;
    }
    if (inert(c, index))
        return true;
    log_device(&c->dev, LOG_GUEST, "WRMSR %xh: no such register", index);
    return false;
}

void msr_reset(struct cpu *c)
{
    c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
    c->pat = PAT_DEFAULT;
    c->mtrr_def = 0;
    memset(c->mtrr_fixed, 0, sizeof c->mtrr_fixed);
    memset(c->mtrr_var, 0, sizeof c->mtrr_var);
    c->misc_enable = MISC_ENABLE_DEFAULT;
    c->debugctl = c->mcg_status = c->efer = 0;
}
