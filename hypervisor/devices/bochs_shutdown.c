/* The power-off port of the virtual PCs that Bochs began: no chip, a convention.
 *
 * Firmware that offers APM turns the machine off by writing the letters of "Shutdown" to port 8900h, one after another.
 *
 * References: [SeaBIOS] APM set power state; [Bochs] the unmapped device's port 8900h.
 * Not modelled: nothing.
 */
#include "core/machine.h"

enum { PORT = 0x8900 };
static const char word[] = "Shutdown";

struct bochs_shutdown {
    struct device dev;
    uint8_t matched;                            /* state: letters seen so far */
};

static struct bochs_shutdown *shutdown_of(struct device *dev) { return container_of(dev, struct bochs_shutdown, dev); }

static uint64_t shutdown_read(void *chip, uint64_t offset, unsigned size)
{
    (void)chip, (void)offset, (void)size;
    return 0xff;
}

static void shutdown_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct bochs_shutdown *s = chip;
    (void)offset, (void)size;
    if (value != (uint8_t)word[s->matched])
        s->matched = 0;
    if (value == (uint8_t)word[s->matched])
        s->matched++;
    if (s->matched == sizeof(word) - 1) {
        s->matched = 0;
        machine_stop(s->dev.machine, STOP_POWER_OFF);
    }
}

static const struct io_ops shutdown_ops = { shutdown_read, shutdown_write, IO_8 };

static bool shutdown_init(struct device *dev, struct error *err)
{
    (void)err;
    space_map_io(dev->machine->ports, PORT, 1, &shutdown_ops, shutdown_of(dev), 0);
    return true;
}

static void shutdown_reset(struct device *dev, enum reset_kind kind)
{
    (void)kind;
    shutdown_of(dev)->matched = 0;
}

static bool shutdown_restored(struct device *dev)
{
    shutdown_of(dev)->matched %= sizeof(word) - 1;
    return true;
}

static const struct state_field shutdown_state[] = { FIELD(struct bochs_shutdown, matched), END };

const struct device_class bochs_shutdown_class = {
    .name = "bochs_shutdown", .summary = "power-off port 8900h", .size = sizeof(struct bochs_shutdown),
    .state = shutdown_state, .state_version = 1,
    .init = shutdown_init, .reset = shutdown_reset, .restored = shutdown_restored,
};
