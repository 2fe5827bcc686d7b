/* Novell NE2000, and the many ISA cards that are like it: a DP8390 with 16 KB of memory. Read [NE2000] for the wiring.
 *
 * In a PC: 32 ports from the property iobase, usually 300h, and the interrupt of the property irq; both were jumpers.
 * Output: "irq".
 *
 * References: [NE2000]; [DP8390D]
 * Not modelled: the boot ROM's socket. */
#include "devices/dp8390.h"

struct ne2000 {
    struct device dev;
    uint16_t iobase; uint8_t irq_number; char *mac;     /* properties */
    struct wire irq;
    struct dp8390 chip;                         /* state */
};

static struct ne2000 *ne_of(struct device *dev) { return container_of(dev, struct ne2000, dev); }

static void ne2000_update_irq(void *card, bool level)
{
    wire_set(&((struct ne2000 *)card)->irq, level);
}

static uint64_t ne_read(void *card, uint64_t offset, unsigned size)
{
    return dp8390_read(&((struct ne2000 *)card)->chip, (unsigned)offset, size);
}

static void ne_write(void *card, uint64_t offset, unsigned size, uint64_t value)
{
    dp8390_write(&((struct ne2000 *)card)->chip, (unsigned)offset, size, (uint32_t)value);
}

static const struct io_ops ne_io = { ne_read, ne_write, IO_8 | IO_16 };

static bool ne_init(struct device *dev, struct error *err)
{
    struct ne2000 *n = ne_of(dev);
    n->chip.card = n;
    n->chip.irq = ne2000_update_irq;
    if (!dp8390_init(&n->chip, &dev->machine->clock, n->mac, dev->id, err))
        return false;
    space_map_io(dev->machine->ports, n->iobase, DP8390_PORTS, &ne_io, n, 0);
    return true;
}

static void ne_reset(struct device *dev, enum reset_kind kind)
{
    dp8390_reset(&ne_of(dev)->chip, kind == RESET_POWER);
}

static const struct state_field ne_state[] = { DP8390_STATE(struct ne2000, chip), END };
static const struct property ne_properties[] = {
    PROPERTY(struct ne2000, iobase, "0x300", "first of the 32 ports"),
    PROPERTY_AS(struct ne2000, irq_number, "irq", "10", "interrupt request of the board"),
    PROPERTY(struct ne2000, mac, "02:48:4f:00:00:02", "hardware address"), END
};
static const struct pin ne_outputs[] = { PIN(struct ne2000, irq), END };
const struct device_class ne2000_class = {
    .name = "ne2000", .summary = "Novell NE2000 Ethernet (ISA)", .size = sizeof(struct ne2000),
    .properties = ne_properties, .outputs = ne_outputs, .state = ne_state, .state_version = 1,
    .init = ne_init, .reset = ne_reset, .net = offsetof(struct ne2000, chip.port),
};
