/* The exit device: a test that runs in the guest ends the machine and says how it went: 0 is success, any
 * other value failure. Present only with `machine.debug-exit`; the board has one at each of the two places
 * that test suites know.
 *
 * In a PC: no such thing. Ports 501h and F4h, four each; reads give 0.
 * References: none.
 * Not modelled: nothing. */
#include "core/machine.h"

struct isa_exit {
    struct device dev;
    uint16_t iobase;
};

static uint64_t exit_read(void *chip, uint64_t offset, unsigned size)
{
    (void)chip, (void)offset, (void)size;
    return 0;
}

static void exit_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct machine *m = ((struct isa_exit *)chip)->dev.machine;
    (void)offset, (void)size;
    m->exit_code = (int)(uint32_t)value;
    machine_stop(m, STOP_EXIT);
}

static const struct io_ops exit_io = { exit_read, exit_write, IO_8 | IO_16 | IO_32 };

static bool exit_init(struct device *dev, struct error *err)
{
    struct isa_exit *e = container_of(dev, struct isa_exit, dev);
    (void)err;
    space_map_io(dev->machine->ports, e->iobase, 4, &exit_io, e, 0);
    return true;
}

static const struct property exit_properties[] = {
    PROPERTY(struct isa_exit, iobase, "0x501", "first of four ports"), END
};
const struct device_class isa_exit_class = {
    .name = "isa_exit", .summary = "exit device for tests in the guest", .size = sizeof(struct isa_exit),
    .properties = exit_properties, .init = exit_init,
};
