/* Control registers [SDM3A, 2.5]: what each model lets be written, the combinations that fault, and what a change sets off (TLB
 * flushes, PDPTE loads, segment limits of the new mode). */
#include "x86/segment.h"

static uint32_t cr0_allowed(const struct cpu *c)
{
    uint32_t bits = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_PG;
    if (cpu_has(c, HAS_486))
        bits |= CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD;
    else
        bits |= CR0_ET;
    return bits;
}

/* Bits that the model lacks are ignored; ET is fixed at 1 from the 486 on. */
void control_write_cr0(struct cpu *c, uint32_t value)
{
    uint32_t old = c->cr0;
    value &= cr0_allowed(c);
    if (cpu_has(c, HAS_486))
        value |= CR0_ET;
    if ((value & (CR0_PG | CR0_PE)) == CR0_PG || (value & (CR0_NW | CR0_CD)) == CR0_NW)
        cpu_raise(c, EXC_GP);
    if (value & CR0_PG && !(old & CR0_PG) && c->cr4 & CR4_PAE)
        mmu_load_pdptes(c, c->cr3);
    c->cr0 = value;
    if ((old ^ value) & (CR0_PG | CR0_WP | CR0_PE))
        mmu_flush(c, true);
    if ((old ^ value) & (CR0_PE | CR0_AM))
        segment_mode_changed(c);
}

void control_write_cr3(struct cpu *c, uint32_t value)
{
    bool pae = c->cr4 & CR4_PAE;
    if (pae && c->cr0 & CR0_PG)
        mmu_load_pdptes(c, value);
    c->cr3 = value & (pae ? 0xffffffe0 : cpu_has(c, HAS_486) ? 0xfffff018 : 0xfffff000);
    mmu_flush(c, false);
}

void control_write_cr4(struct cpu *c, uint32_t value)
{
    uint32_t changed = c->cr4 ^ value;
    if (value & ~c->cr4_allowed)
        cpu_raise(c, EXC_GP);
    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE) && value & CR4_PAE && c->cr0 & CR0_PG)
        mmu_load_pdptes(c, c->cr3);
    c->cr4 = value;
    if (changed & (CR4_PAE | CR4_PSE | CR4_PGE))
        mmu_flush(c, true);
}
