/* The local APIC of a CPU [SDM3A, chapter 10]. All functions but the two marked [lock-free] need the machine lock. */
#ifndef X86_APIC_H
#define X86_APIC_H
#include "x86/cpu.h"

enum apic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };
struct apic {
    uint32_t id, tpr, ldr, dfr, svr, esr, esr_next, icr_low, icr_high, lvt[LVT_COUNT], initial_count, divide;
    uint32_t irr[8], isr[8], tmr[8];
    bool extint;                                /* an ExtINT message: the 8259 is to be asked, as if INTR were up */
    bool waits_for_sipi;                        /* an application processor after INIT */
    struct timer timer;                         /* runs while the count is above zero */
    int64_t counted_from;                       /* guest time at which the count was the initial one */
    struct cpu *cpu;
};
extern const struct state_field apic_state[];

#define APIC_BASE_BSP 0x100u
#define APIC_BASE_ENABLE 0x800u
#define APIC_DEFAULT_BASE 0xfee00000u
static inline bool apic_enabled(const struct cpu *c) { return c->apic_base & APIC_BASE_ENABLE; }

void apic_init(struct cpu *, struct apic *);
void apic_reset(struct cpu *, enum reset_kind);
uint32_t apic_read(struct cpu *, uint32_t offset);
void apic_write(struct cpu *, uint32_t offset, uint32_t value);
void apic_pin(struct cpu *, unsigned lint, bool level); /* INTR is LINT0, NMI is LINT1 */
bool apic_ready(const struct cpu *);                    /* [lock-free] is there an interrupt above the processor priority? */
bool apic_passes_intr(const struct cpu *);              /* [lock-free] does a level on INTR reach the CPU as ExtINT? */
int apic_acknowledge(struct cpu *);                     /* IRR to ISR; the vector, or the spurious one */
/* A message as devices write it to FEExxxxxh (MSI, I/O APIC): the low 20 bits of the address, and the data. */
void apic_message(struct machine *, uint32_t address, uint32_t data);
extern const struct io_ops apic_message_ops;            /* chip: the machine */

#endif
