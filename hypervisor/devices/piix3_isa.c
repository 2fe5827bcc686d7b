/* Intel 82371SB PIIX3, function 0: the ISA bridge, with the PCI interrupt router and the reset control register.
 *
 * In a PC: PCI 00:01.0, 8086:7000, a multi-function device. Inputs 0-127 are the INTx pins of the PCI slots (slot * 4 + pin, 0 for
 * INTA#): the board's wiring turns slot and pin into one of PIRQA#-PIRQD#, and PIRQRC 60h-63h route each of these to one interrupt
 * request. Inputs 128-143 are the ISA bus's IRQ0-15. What shares a request is ORed; irq0-irq15 go to the 8259 pair, and
 * apic0-apic15 carry the same to the I/O APIC, where the firmware's tables expect PCI interrupts too. Inputs 144 and 145 are the A20
 * gates of the 8042 and of port 92h: the one written last drives the output a20m. Input 146 is FERR#: it latches IRQ13 until a write to port F0h, which
 * asserts ignne until FERR# ends. Inputs 147-162 are IRQ0-15 once more, for a second card on a request that another one drives.
 * Port CF9h resets the machine.
 *
 * References: [PIIX3] 2.2: PIRQRC 60h-63h, XBCS 4Eh, TOM 69h, MBIRQ 70h, DLC 82h; 2.5 for CF9h, F0h.
 * Not modelled: DMA channel and chip select routing (69h-7Fh hold what was written), SMI (A0h-AFh likewise).
 */
#include "devices/pci.h"

enum { IORT = 0x4c, XBCS = 0x4e, PIRQRC = 0x60, TOM = 0x69, MSTAT = 0x6a, MBIRQ0 = 0x70, MBDMA0 = 0x76, PCSC = 0x78,
       APICBASE = 0x80, DLC = 0x82, SMICNTL = 0xa0 };
enum { PIRQ_OFF = 0x80, PIRQ_IRQ = 0x0f };
enum { RC = 0xcf9, RC_HARD = 1 << 1, RC_RESET = 1 << 2 };
enum { ISA_IRQ0 = 32 * 4, IRQS = 16, A20_KEYBOARD = ISA_IRQ0 + IRQS, A20_PORT92, FERR, ISA_SECOND0,
       INPUTS = ISA_SECOND0 + IRQS };
enum { COPROCESSOR_ERROR = 0xf0, FERR_IRQ = 13 };
#define ROUTABLE 0xdef8u                        /* IRQ 3-7, 9-12, 14, 15; others are reserved [PIIX3, 2.2.12] */

struct piix3_isa {
    struct device dev;
    struct pci_function pci;                    /* state */
    struct wire irq[IRQS], apic[IRQS], a20m, ignne;         /* output pins */
    uint8_t levels[INPUTS];                     /* state: all inputs */
    uint8_t rc;                                 /* state: CF9h */
    bool ferr_irq, ignoring;                    /* state: IRQ13 latched; IGNNE# asserted */
    uint16_t driven;                            /* state: what the outputs were last set to */
    uint8_t count[4];                           /* derived: asserted INTx inputs of each PIRQ */
    uint16_t isa;                               /* derived: the ISA inputs */
};

static struct piix3_isa *piix_of(struct device *dev) { return container_of(dev, struct piix3_isa, dev); }

/* The slots' pins are turned by one from slot to slot, so that the usual INTA# of each spreads over the four PIRQs. */
static unsigned pirq_of(unsigned pin)
{
    return (pin / 4 + pin % 4 + 3) & 3;
}

static void piix_update_irq(struct piix3_isa *p)
{
    uint16_t want = (uint16_t)(p->isa | (p->ferr_irq ? BIT(FERR_IRQ) : 0));
    for (unsigned n = 0; n < 4; n++) {
        uint8_t route = p->pci.config[PIRQRC + n];
        if (p->count[n] && !(route & PIRQ_OFF))
            want |= (uint16_t)(BIT(route & PIRQ_IRQ) & ROUTABLE);
    }
    uint16_t moved = want ^ p->driven;
    p->driven = want;
    for (unsigned n = 0; n < IRQS; n++)
        if (moved >> n & 1) {
            wire_set(&p->irq[n], want >> n & 1);
            wire_set(&p->apic[n], want >> n & 1);
        }
}

static void ferr_moved(struct piix3_isa *p, bool level)
{
    p->ferr_irq = level;
    if (!level && p->ignoring) {
        p->ignoring = false;
        wire_set(&p->ignne, false);
    }
}

static void isa_moved(struct piix3_isa *p, unsigned pin)
{
    unsigned n = pin >= ISA_SECOND0 ? pin - ISA_SECOND0 : pin - ISA_IRQ0;
    bool any = p->levels[ISA_IRQ0 + n] || p->levels[ISA_SECOND0 + n];
    p->isa = (uint16_t)((p->isa & ~BIT(n)) | (any ? BIT(n) : 0));
}

static void piix_input(struct device *dev, unsigned pin, bool level)
{
    struct piix3_isa *p = piix_of(dev);
    if (pin == A20_KEYBOARD || pin == A20_PORT92) {
        /* The chip ORs them. But firmware that leaves A20 on by both gates would then lock out every driver that turns it off
         * by one: HIMEM finds A20 stuck. */
        p->levels[pin] = level;
        wire_set(&p->a20m, level);
    }
    if (pin >= INPUTS || p->levels[pin] == level)
        return;
    p->levels[pin] = level;
    if (pin == FERR)
        ferr_moved(p, level);
    else if (pin >= ISA_IRQ0)
        isa_moved(p, pin);
    else
        p->count[pirq_of(pin)] = (uint8_t)(p->count[pirq_of(pin)] + (level ? 1 : -1));
    piix_update_irq(p);
}

static void piix_written(void *chip) { piix_update_irq(chip); }

static uint64_t rc_read(void *chip, uint64_t offset, unsigned size)
{
    struct piix3_isa *p = chip;
    (void)offset, (void)size;
    return p->rc & ~RC_RESET;
}

/* A rising bit 2 resets: the whole machine with bit 1 set, else the CPU alone [PIIX3, 2.5.2]. */
static void rc_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix3_isa *p = chip;
    (void)offset, (void)size;
    bool rises = value & RC_RESET && !(p->rc & RC_RESET);
    p->rc = (uint8_t)value & (RC_HARD | RC_RESET);
    if (!rises)
        return;
    if (p->rc & RC_HARD)
        machine_stop(p->dev.machine, STOP_RESET);
    else
        machine_cpu_reset(p->dev.machine);
}

static uint64_t error_read(void *chip, uint64_t offset, unsigned size)
{
    (void)chip, (void)offset, (void)size;
    return 0xff;
}

static void error_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix3_isa *p = chip;
    (void)offset, (void)size, (void)value;
    if (!p->ferr_irq)
        return;
    p->ferr_irq = false;
    p->ignoring = true;
    wire_set(&p->ignne, true);
    piix_update_irq(p);
}

static const struct io_ops error_ops = { error_read, error_write, IO_8 };
static const struct io_ops rc_ops = { rc_read, rc_write, IO_8 };

static bool piix_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { 0x8086, 0x7000, 0x060100, 0, 0x1af4, 0x1100, 0, 0x0280 };
    struct piix3_isa *p = piix_of(dev);
    if (!pci_function_init(&p->pci, dev, &identity, 1, 0, err))
        return false;
    p->pci.written = piix_written;
    uint8_t *w = p->pci.writable;
    w[PCI_COMMAND] = 0;                         /* I/O, memory and master are always on [PIIX3, 2.2.3] */
    w[IORT] = 0x7f;
    memset(w + XBCS, 0xff, 2);
    memset(w + PIRQRC, PIRQ_OFF | PIRQ_IRQ, 4);
    w[TOM] = 0xfe;
    memset(w + MSTAT, 0xff, 2);
    memset(w + MBIRQ0, 0xef, 2);
    memset(w + MBDMA0, 0x8f, 2);
    memset(w + PCSC, 0xff, 2);
    w[APICBASE] = 0x7f;
    w[DLC] = 0x0f;
    memset(w + SMICNTL, 0xff, 16);
    space_map_io(dev->machine->ports, RC, 1, &rc_ops, p, 1);
    space_map_io(dev->machine->ports, COPROCESSOR_ERROR, 1, &error_ops, p, 0);
    return true;
}

static void piix_reset(struct device *dev, enum reset_kind kind)
{
    struct piix3_isa *p = piix_of(dev);
    (void)kind;
    uint8_t *c = p->pci.config;
    c[PCI_COMMAND] = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER;
    c[PCI_HEADER] = 0x80;
    c[IORT] = 0x4d;
    le16_put(c + XBCS, 0x0003);
    memset(c + PIRQRC, PIRQ_OFF, 4);
    c[TOM] = 0x02;
    memset(c + MBIRQ0, 0x80, 2);
    memset(c + MBDMA0, 0x0c, 2);
    le16_put(c + PCSC, 0x0002);
    c[SMICNTL] = 0x08;
    c[SMICNTL + 8] = 0x0f;
    p->rc = 0;
    p->ferr_irq = p->ignoring = false;
    piix_update_irq(p);
}

static bool piix_restored(struct device *dev)
{
    struct piix3_isa *p = piix_of(dev);
    memset(p->count, 0, sizeof(p->count));
    p->isa = 0;
    for (unsigned pin = 0; pin < INPUTS; pin++) {
        p->levels[pin] = !!p->levels[pin];
        if (pin >= A20_KEYBOARD && pin < ISA_SECOND0)
            continue;
        if (pin >= ISA_IRQ0)
            p->isa |= (uint16_t)(p->levels[pin] << (pin - ISA_IRQ0) % (ISA_SECOND0 - ISA_IRQ0));
        else
            p->count[pirq_of(pin)] = (uint8_t)(p->count[pirq_of(pin)] + p->levels[pin]);
    }
    return true;
}

static const struct state_field piix_state[] = {
    PCI_STATE(struct piix3_isa, pci), FIELD_ARRAY(struct piix3_isa, levels), FIELD(struct piix3_isa, rc),
    FIELD(struct piix3_isa, driven), FIELD(struct piix3_isa, ferr_irq), FIELD(struct piix3_isa, ignoring), END
};
static const struct pin piix_outputs[] = {
    PIN_ARRAY(struct piix3_isa, irq), PIN_ARRAY(struct piix3_isa, apic), PIN(struct piix3_isa, a20m), PIN(struct piix3_isa, ignne),
    END
};

const struct device_class piix3_isa_class = {
    .name = "piix3_isa", .summary = "PIIX3 ISA bridge, PCI interrupt router and reset control", .size = sizeof(struct piix3_isa),
    .outputs = piix_outputs, .state = piix_state, .state_version = 1,
    .init = piix_init, .reset = piix_reset, .restored = piix_restored, .input = piix_input,
};
