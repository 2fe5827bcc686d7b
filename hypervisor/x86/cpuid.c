/* The models: which instructions and features each has, and what CPUID says of it.
 *
 * Signatures are those of common steppings. CPUID reports only what is modelled: a feature of the real part that this machine lacks
 * (debug store, thermal monitor, hyper-threading, serial number) is not reported either.
 *
 * References: [SDM2] CPUID; [AP485] tables of signatures, cache descriptors and brand strings; [386] 10.2, [486] 6 for EDX after reset.
 * Not modelled: cache behaviour behind the descriptors, leaf 3. */
#include "x86/apic.h"
#include "core/machine.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

struct cpu_model {
    const char *name;
    uint64_t features;
    uint32_t signature;                         /* EAX of leaf 1; below CPUID: EDX after RESET only */
    uint32_t max_leaf;
    uint64_t hz;                                /* of the TSC when the profile does not say */
    uint32_t cache[3];                          /* leaf 2: EAX, ECX, EDX (EBX is 0) */
    const char *brand;                          /* leaves 80000002h-80000004h; NULL: no such leaves */
};

#define F(name) (1ull << HAS_##name)
#define SET_386 (F(386) | F(FPU))
#define SET_486SX (F(386) | F(486) | F(BSWAP))      /* BSWAP and WBINVD: the two that a 386 may be lent for its firmware */
#define SET_486 (SET_486SX | F(FPU))
#define SET_586 (SET_486 | F(CPUID) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(MCE) | F(CX8))
#define SET_686 (SET_586 | F(PAE) | F(APIC) | F(SEP) | F(MTRR) | F(PGE) | F(CMOV) | F(PMC) | F(UD2))
#define SET_P2 (SET_686 | F(PAT) | F(PSE36) | F(MMX) | F(FXSR))
#define SET_P3 (SET_P2 | F(SSE))

static const struct cpu_model models[] = {
    { "386", SET_386, 0x0308, 0, 33000000, { 0 }, NULL },
    { "486sx", SET_486SX, 0x0423, 0, 33000000, { 0 }, NULL },
    { "486", SET_486, 0x0433, 0, 66000000, { 0 }, NULL },
    { "486dx4", SET_486 | F(CPUID) | F(VME), 0x0480, 1, 100000000, { 0 }, NULL },
    { "pentium", SET_586, 0x052c, 1, 133000000, { 0 }, NULL },
    { "pentium-mmx", SET_586 | F(MMX) | F(PMC), 0x0543, 1, 233000000, { 0 }, NULL },
    { "pentium-pro", SET_686, 0x0619, 2, 200000000, { 0x03020101, 0, 0x06040a42 }, NULL },
    { "pentium2", SET_P2, 0x0652, 2, 400000000, { 0x03020101, 0, 0x0c040843 }, NULL },
    { "pentium3", SET_P3, 0x0686, 2, 1000000000, { 0x03020101, 0, 0x0c040882 }, NULL },
    { "pentium4", SET_P3 | F(SSE2) | F(CLFSH), 0x0f29, 2, 2400000000, { 0x665b5001, 0, 0x007b7040 },
      "Intel(R) Pentium(R) 4 CPU %u.%02uGHz" },
};

/* Names in `features=`, and the bit of leaf 1 EDX (-1: none). */
static const struct { const char *name; uint8_t feature; int8_t edx; } feature_names[] = {
    { "fpu", HAS_FPU, 0 }, { "vme", HAS_VME, 1 }, { "de", HAS_DE, 2 }, { "pse", HAS_PSE, 3 }, { "tsc", HAS_TSC, 4 },
    { "msr", HAS_MSR, 5 }, { "pae", HAS_PAE, 6 }, { "mce", HAS_MCE, 7 }, { "cx8", HAS_CX8, 8 }, { "apic", HAS_APIC, 9 },
    { "sep", HAS_SEP, 11 }, { "mtrr", HAS_MTRR, 12 }, { "pge", HAS_PGE, 13 }, { "cmov", HAS_CMOV, 15 }, { "pat", HAS_PAT, 16 },
    { "pse36", HAS_PSE36, 17 }, { "clfsh", HAS_CLFSH, 19 }, { "mmx", HAS_MMX, 23 }, { "fxsr", HAS_FXSR, 24 },
    { "sse", HAS_SSE, 25 }, { "sse2", HAS_SSE2, 26 }, { "cpuid", HAS_CPUID, -1 }, { "pmc", HAS_PMC, -1 },
    { "prefetch", HAS_PREFETCH, -1 }, { "bswap", HAS_BSWAP, -1 }, { "hypervisor", HAS_HYPERVISOR, -1 },
};
enum { EDX_MCA = 1 << 14, EDX_SELF_SNOOP = 1 << 27 };

void cpu_model_names(char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(models) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", models[i].name);
}

/* "+sse2,-mmx": signs before names; commas and spaces between them may be left out. */
static bool apply_features(struct cpu *c, struct error *err)
{
    const char *p = c->features_text ? c->features_text : "";
    while (*p) {
        if (*p == ',' || isspace((unsigned char)*p)) {
            p++;
            continue;
        }
        bool add = *p != '-';
        p += *p == '+' || *p == '-';
        size_t n = strcspn(p, "+-, \t");
        unsigned i = 0;
        while (i < ARRAY_SIZE(feature_names) && (strlen(feature_names[i].name) != n || strncmp(p, feature_names[i].name, n)))
            i++;
        if (i == ARRAY_SIZE(feature_names)) {
            char names[200] = "";
            for (unsigned k = 0; k < ARRAY_SIZE(feature_names); k++)
                snprintf(names + strlen(names), sizeof names - strlen(names), " %s", feature_names[k].name);
            return error_set(err, EINVAL, "the CPU feature '%.*s' is not one of%s", (int)n, p, names);
        }
        uint64_t bit = 1ull << feature_names[i].feature;
        c->features = add ? c->features | bit : c->features & ~bit;
        p += n;
    }
    return true;
}

/* What a feature needs is needed with it, else a guest would meet a CPU that never was and faults that nobody can read. */
static bool check_features(const struct cpu *c, struct error *err)
{
    static const struct { uint8_t feature, needs; const char *text; } rules[] = {
        { HAS_MMX, HAS_FPU, "mmx needs fpu" }, { HAS_FXSR, HAS_FPU, "fxsr needs fpu" }, { HAS_SSE, HAS_FXSR, "sse needs fxsr" },
        { HAS_SSE2, HAS_SSE, "sse2 needs sse" }, { HAS_APIC, HAS_MSR, "apic needs msr" }, { HAS_SEP, HAS_MSR, "sep needs msr" },
        { HAS_MTRR, HAS_MSR, "mtrr needs msr" }, { HAS_PSE36, HAS_PSE, "pse36 needs pse" }, { HAS_VME, HAS_486, "vme needs a 486" },
        { HAS_CPUID, HAS_486, "cpuid needs a 486" }, { HAS_PAT, HAS_MSR, "pat needs msr" },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
        if (cpu_has(c, rules[i].feature) && !cpu_has(c, rules[i].needs))
            return error_set(err, EINVAL, "the CPU features do not fit together: %s", rules[i].text);
    return true;
}

static void derive(struct cpu *c)
{
    static const struct { uint8_t feature; uint32_t cr4; } switches[] = {
        { HAS_VME, CR4_VME | CR4_PVI }, { HAS_TSC, CR4_TSD }, { HAS_DE, CR4_DE }, { HAS_PSE, CR4_PSE }, { HAS_PAE, CR4_PAE },
        { HAS_MCE, CR4_MCE }, { HAS_PGE, CR4_PGE }, { HAS_PMC, CR4_PCE }, { HAS_FXSR, CR4_OSFXSR }, { HAS_SSE, CR4_OSXMMEXCPT },
    };
    c->cr4_allowed = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(switches); i++)
        if (cpu_has(c, switches[i].feature))
            c->cr4_allowed |= switches[i].cr4;
    c->flags_fixed = FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM;
    if (cpu_has(c, HAS_486))
        c->flags_fixed |= FLAG_AC;
    if (cpu_has(c, HAS_CPUID))
        c->flags_fixed |= FLAG_ID;
    if (cpu_has(c, HAS_VME))
        c->flags_fixed |= FLAG_VIF | FLAG_VIP;
    c->physical_bits = cpu_has(c, HAS_PAE) || cpu_has(c, HAS_PSE36) ? 36 : 32;
}

bool cpu_model_apply(struct cpu *c, struct error *err)
{
    unsigned i = 0;
    while (i < ARRAY_SIZE(models) && strcmp(c->model_name ? c->model_name : "", models[i].name))
        i++;
    if (i == ARRAY_SIZE(models)) {
        char names[128];
        cpu_model_names(names, sizeof names);
        return error_set(err, EINVAL, "there is no CPU model '%s'; it is one of %s", c->model_name ? c->model_name : "", names);
    }
    c->model = &models[i];
    c->features = models[i].features;
    if (!c->tsc_hz)
        c->tsc_hz = models[i].hz;
    if (!apply_features(c, err) || !check_features(c, err))
        return false;
    derive(c);
    return true;
}

uint32_t cpu_signature(const struct cpu *c) { return c->model->signature; }

/* --- CPUID ---------------------------------------------------------------------------------------------------- */
/* QUIRK(firmware-tsc) */
static bool in_post(const struct cpu *c)
{
    uint64_t length;
    unsigned flags = 0;
    machine_lock(c->dev.machine);
    bool ram = space_ram(c->dev.machine->memory, 0xf0000, &length, &flags);
    machine_unlock(c->dev.machine);
    return ram && flags & RAM_WRITABLE;
}

static uint32_t feature_bits(const struct cpu *c)
{
    uint32_t edx = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(feature_names); i++)
        if (feature_names[i].edx >= 0 && cpu_has(c, feature_names[i].feature))
            edx |= 1u << feature_names[i].edx;
    if (c->apic && !apic_enabled(c))
        edx &= ~(1u << 9);
    if (cpu_has(c, HAS_MTRR))                   /* the P6 family's machine check architecture, without a bank */
        edx |= EDX_MCA;
    if (c->model->brand)
        edx |= EDX_SELF_SNOOP;
    if (c->tsc_after_post && in_post(c))
        edx &= ~(1u << 4);
    return edx;
}

static void brand_leaf(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    char text[49] = "";
    unsigned mhz = (unsigned)(c->tsc_hz / 1000000);
    snprintf(text, sizeof text, c->model->brand, mhz / 1000, mhz % 1000 / 10);
    memcpy(out, text + (leaf - 0x80000002) * 16, 16);
}

/* Leaves by which Linux knows that VMware's backdoor is there [VMBACKDOOR]. */
static void hypervisor_leaf(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    if (leaf == 0x40000000) {
        out[0] = 0x40000010;
        memcpy(&out[1], "VMwareVMware", 12);
    } else if (leaf == 0x40000010) {
        out[0] = (uint32_t)(c->tsc_hz / 1000);
    }
}

void cpu_cpuid(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    const struct cpu_model *m = c->model;
    uint32_t max = MIN(m->max_leaf, c->cpuid_max);
    memset(out, 0, 16);
    if (leaf >= 0x80000000 && m->brand && leaf <= 0x80000004) {
        if (leaf == 0x80000000)
            out[0] = 0x80000004;
        else if (leaf >= 0x80000002)
            brand_leaf(c, leaf, out);
        return;
    }
    if (cpu_has(c, HAS_HYPERVISOR) && leaf >> 8 == 0x400000) {
        hypervisor_leaf(c, leaf, out);
        return;
    }
    if (leaf > max)                             /* beyond the last one: as the last one [SDM2, CPUID] */
        leaf = max;
    switch (leaf) {
    case 0:
        out[0] = max;
        memcpy(&out[1], "Genu", 4);
        memcpy(&out[3], "ineI", 4);
        memcpy(&out[2], "ntel", 4);
        break;
    case 1:
        out[0] = m->signature;
        out[1] = (c->apic ? c->apic->id : 0) | (cpu_has(c, HAS_CLFSH) ? 8 << 8 : 0);
        out[2] = cpu_has(c, HAS_HYPERVISOR) ? 1u << 31 : 0;
        out[3] = feature_bits(c);
        break;
    default:
        out[0] = m->cache[0];
        out[2] = m->cache[1];
        out[3] = m->cache[2];
    }
}
