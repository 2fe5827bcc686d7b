/* 82093AA I/O APIC: 24 interrupt inputs, each with a redirection entry that says which message goes to
 * which local APIC. Read [82093AA] "Register description" and [SDM3A] "Message signalled interrupts" for
 * the messages' format.
 *
 * In a PC: FEC00000h, inputs 0-15 the ISA interrupts (the timer on 2), 16-23 PCI where the board has them.
 * Pins and messages: i82093aa.h. Wires carry "asserted", so the polarity bit of an entry is kept and has
 * no effect.
 *
 * References: [82093AA], [SDM3A]
 * Not modelled: the serial APIC bus (messages arrive at once, so delivery status is always idle),
 * arbitration ID. */
#include "devices/i82093aa.h"
#include "core/machine.h"

enum { PINS = 24, WINDOW = 0x1000, IOREGSEL = 0x00, IOWIN = 0x10 };
enum { IOAPICID = 0, IOAPICVER, IOAPICARB, IOREDTBL = 0x10, VERSION = 0x11 | (PINS - 1) << 16 };
#define RED_VECTOR 0xffull
#define RED_DELIVERY (7ull << 8)
#define RED_LOGICAL (1ull << 11)
#define RED_REMOTE_IRR (1ull << 14)
#define RED_LEVEL (1ull << 15)
#define RED_MASKED (1ull << 16)
#define RED_LOW_ACTIVE (1ull << 13)
#define RED_DESTINATION (0xffull << 56)
#define RED_WRITABLE (RED_DESTINATION | RED_MASKED | RED_LEVEL | RED_LOW_ACTIVE | RED_LOGICAL | \
                      RED_DELIVERY | RED_VECTOR)
enum { LOWEST_PRIORITY = 1 };
enum { MSI_HINT = 1 << 3, MSI_LOGICAL = 1 << 2, MSI_DEST_SHIFT = 12, MSI_ASSERT = 1 << 14,
       MSI_LEVEL = 1 << 15 };
#define MSI_BASE 0xfee00000ull

struct i82093aa {
    struct device dev;
    uint32_t base;                              /* property */
    struct wire ack[PINS];
    uint8_t select, id;
    uint32_t lines;                             /* levels of INTIN */
    uint64_t entry[PINS];
};

static void ioapic_send(struct i82093aa *a, unsigned pin)
{
    uint64_t e = a->entry[pin];
    unsigned delivery = (unsigned)(e & RED_DELIVERY) >> 8;
    uint64_t address = MSI_BASE | (e >> 56) << MSI_DEST_SHIFT | (e & RED_LOGICAL ? MSI_LOGICAL : 0) |
                       (delivery == LOWEST_PRIORITY ? MSI_HINT : 0);
    uint64_t data = (e & (RED_VECTOR | RED_DELIVERY)) | MSI_ASSERT | (e & RED_LEVEL ? MSI_LEVEL : 0);
    space_write(a->dev.machine->memory, address, 4, data);
    wire_pulse(&a->ack[pin]);
}

/* A level request is sent once and again after its EOI [82093AA, Remote IRR]. Only fixed and
 * lowest-priority messages have an EOI. */
static void ioapic_service_level(struct i82093aa *a, unsigned pin)
{
    uint64_t *e = &a->entry[pin];
    if ((*e & (RED_MASKED | RED_LEVEL | RED_REMOTE_IRR)) != RED_LEVEL || !(a->lines & BIT(pin)))
        return;
    if ((*e & RED_DELIVERY) >> 8 <= LOWEST_PRIORITY)
        *e |= RED_REMOTE_IRR;
    ioapic_send(a, pin);
}

static void i82093aa_update_irq(struct i82093aa *a)
{
    for (unsigned pin = 0; pin < PINS; pin++)
        ioapic_service_level(a, pin);
}

static void ioapic_input(struct device *dev, unsigned pin, bool level)
{
    struct i82093aa *a = container_of(dev, struct i82093aa, dev);
    if (pin >= PINS)
        return;
    uint32_t bit = BIT(pin);
    bool rises = level && !(a->lines & bit);
    a->lines = level ? a->lines | bit : a->lines & ~bit;
    if (!rises)
        return;
    if (a->entry[pin] & RED_LEVEL)
        ioapic_service_level(a, pin);
    else if (!(a->entry[pin] & RED_MASKED))
        ioapic_send(a, pin);                    /* an edge on a masked pin is not held [82093AA, bit 16] */
}

void i82093aa_eoi(struct device *dev, uint8_t vector)
{
    struct i82093aa *a = container_of(dev, struct i82093aa, dev);
    for (unsigned pin = 0; pin < PINS; pin++) {
        if (!(a->entry[pin] & RED_LEVEL) || (a->entry[pin] & RED_VECTOR) != vector)
            continue;
        a->entry[pin] &= ~RED_REMOTE_IRR;
        ioapic_service_level(a, pin);
    }
}

static uint32_t ioapic_register(const struct i82093aa *a)
{
    unsigned n = a->select - IOREDTBL;
    switch (a->select) {
    case IOAPICID:
    case IOAPICARB:
        return (uint32_t)a->id << 24;
    case IOAPICVER:
        return VERSION;
    }
    if (a->select < IOREDTBL || n / 2 >= PINS)
        return 0;
    return (uint32_t)(n & 1 ? a->entry[n / 2] >> 32 : a->entry[n / 2]);
}

static void ioapic_set_register(struct i82093aa *a, uint32_t value)
{
    unsigned n = a->select - IOREDTBL;
    if (a->select == IOAPICID)
        a->id = value >> 24 & 15;
    if (a->select < IOREDTBL || n / 2 >= PINS)
        return;
    uint64_t *e = &a->entry[n / 2];
    unsigned shift = n & 1 ? 32 : 0;
    uint64_t written = (uint64_t)value << shift, writable = RED_WRITABLE & 0xffffffffull << shift;
    *e = (*e & ~writable) | (written & writable);
    if (!(*e & RED_LEVEL))
        *e &= ~RED_REMOTE_IRR;                  /* edge mode has none [82093AA, bit 14] */
}

/* Registers are 32 bits at 16-byte steps; narrower and unaligned accesses are not decoded. */
static uint64_t ioapic_read(void *chip, uint64_t offset, unsigned size)
{
    struct i82093aa *a = chip;
    (void)size;
    return offset == IOREGSEL ? a->select : offset == IOWIN ? ioapic_register(a) : 0;
}

static void ioapic_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct i82093aa *a = chip;
    (void)size;
    if (offset == IOREGSEL)
        a->select = (uint8_t)value;
    else if (offset == IOWIN)
        ioapic_set_register(a, (uint32_t)value);
    i82093aa_update_irq(a);
}

static const struct io_ops ioapic_io = { ioapic_read, ioapic_write, IO_32 };

static bool ioapic_init(struct device *dev, struct error *err)
{
    struct i82093aa *a = container_of(dev, struct i82093aa, dev);
    (void)err;
    space_map_io(dev->machine->memory, a->base, WINDOW, &ioapic_io, a, 0);
    return true;
}

static void ioapic_reset(struct device *dev, enum reset_kind kind)
{
    struct i82093aa *a = container_of(dev, struct i82093aa, dev);
    (void)kind;
    a->select = a->id = 0;
    for (unsigned pin = 0; pin < PINS; pin++)
        a->entry[pin] = RED_MASKED;
}

static const struct state_field ioapic_state[] = {
    FIELD(struct i82093aa, select), FIELD(struct i82093aa, id), FIELD(struct i82093aa, lines),
    FIELD_ARRAY(struct i82093aa, entry), END
};
static const struct property ioapic_properties[] = {
    PROPERTY(struct i82093aa, base, "0xfec00000", "physical address of the register window"), END
};
static const struct pin ioapic_outputs[] = { PIN_ARRAY(struct i82093aa, ack), END };
const struct device_class i82093aa_class = {
    .name = "i82093aa", .summary = "I/O APIC", .size = sizeof(struct i82093aa),
    .properties = ioapic_properties, .outputs = ioapic_outputs, .state = ioapic_state, .state_version = 1,
    .init = ioapic_init, .reset = ioapic_reset, .input = ioapic_input,
};
