/* System control port A: the fast way to A20 and to a reset of the CPU. See [PIIX3] "Port 92 register".
 *
 * In a PC: port 92h. Bit 0 pulses INIT when it goes from 0 to 1, bit 1 is A20, beside the 8042's gate; the
 * one written last counts. Output: "a20". Only the CPU is reset: memory and chips stay, and CMOS 0Fh tells
 * the firmware why it runs.
 *
 * References: [PIIX3]
 * Not modelled: the password lock and drive lights of PS/2 models. */
#include "core/machine.h"

enum { FAST_INIT = 1 << 0, FAST_A20 = 1 << 1 };

struct port92 {
    struct device dev;
    uint16_t iobase;
    struct wire a20;
    uint8_t value;
};

static void port92_update_irq(struct port92 *p)
{
    wire_set(&p->a20, p->value & FAST_A20);
}

static uint64_t port92_read(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct port92 *)chip)->value;
}

static void port92_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct port92 *p = chip;
    (void)offset, (void)size;
    bool pulse = (value & FAST_INIT) && !(p->value & FAST_INIT);
    p->value = value & (FAST_INIT | FAST_A20);
    port92_update_irq(p);
    if (pulse)
        machine_cpu_reset(p->dev.machine);
}

static const struct io_ops port92_io = { port92_read, port92_write, IO_8 };

static bool port92_init(struct device *dev, struct error *err)
{
    struct port92 *p = container_of(dev, struct port92, dev);
    (void)err;
    space_map_io(dev->machine->ports, p->iobase, 1, &port92_io, p, 0);
    return true;
}

static void port92_reset(struct device *dev, enum reset_kind kind)
{
    struct port92 *p = container_of(dev, struct port92, dev);
    (void)kind;
    p->value = 0;
    port92_update_irq(p);
}

static const struct state_field port92_state[] = { FIELD(struct port92, value), END };
static const struct property port92_properties[] = {
    PROPERTY(struct port92, iobase, "0x92", "the port"), END
};
static const struct pin port92_outputs[] = { PIN(struct port92, a20), END };
const struct device_class port92_class = {
    .name = "port92", .summary = "fast A20 gate and CPU reset", .size = sizeof(struct port92),
    .properties = port92_properties, .outputs = port92_outputs, .state = port92_state, .state_version = 1,
    .init = port92_init, .reset = port92_reset,
};
