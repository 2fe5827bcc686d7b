/* A debug console: each byte written to the port goes to the host. Firmware writes its log to port 402h
 * when a read of it gives E9h; the same class on other ports serves `--debug-port`.
 *
 * References: [BOCHSPORTS]
 * Not modelled: nothing. */
#include "core/machine.h"

struct debugcon {
    struct device dev;
    uint16_t iobase;
    uint8_t readback;
};

static uint64_t debugcon_read(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct debugcon *)chip)->readback;
}

static void debugcon_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct debugcon *d = chip;
    const struct host *host = d->dev.machine->host;
    (void)offset, (void)size;
    if (host->debug)
        host->debug(host->ui, d->iobase, (uint8_t)value);
}

static const struct io_ops debugcon_io = { debugcon_read, debugcon_write, IO_8 };

static bool debugcon_init(struct device *dev, struct error *err)
{
    struct debugcon *d = container_of(dev, struct debugcon, dev);
    (void)err;
    space_map_io(dev->machine->ports, d->iobase, 1, &debugcon_io, d, 1);
    return true;
}

static const struct property debugcon_properties[] = {
    PROPERTY(struct debugcon, iobase, "0x402", "the port"),
    PROPERTY(struct debugcon, readback, "0xe9", "what a read gives"), END
};
const struct device_class debugcon_class = {
    .name = "debugcon", .summary = "debug console port", .size = sizeof(struct debugcon),
    .properties = debugcon_properties, .init = debugcon_init,
};
