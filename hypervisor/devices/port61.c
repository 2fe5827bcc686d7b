/* System control port B: the gate of timer channel 2, the speaker, and the two sources of NMI. See [PIIX3]
 * "NMI status and control register".
 *
 * In a PC: port 61h. Pins: port61.h. The board connects gate2 to the 8254 and out2 back, speaker to the
 * speaker, nmi to the CPU, and the MC146818's nmi_off (bit 7 of port 70h, which masks NMI).
 *
 * References: [PIIX3]
 * Not modelled: the refresh cycles themselves; bit 4 toggles as they would, every 18 ticks of the timer. */
#include "devices/port61.h"
#include "core/machine.h"

enum { TIM2_GATE = 1 << 0, SPKR_DATA = 1 << 1, SERR_OFF = 1 << 2, IOCHK_OFF = 1 << 3, REFRESH = 1 << 4,
       TIM2_OUT = 1 << 5, IOCHK_NMI = 1 << 6, SERR_NMI = 1 << 7, WRITABLE = 15 };
enum { TIMER_HZ = 1193182, REFRESH_TICKS = 18 };

struct port61 {
    struct device dev;
    uint16_t iobase;
    struct wire gate2, speaker, nmi;
    bool (*out2)(void *chip);
    void *timer;
    uint8_t control;
    bool out2_level, iochk, serr, nmi_off;      /* iochk and serr are latched until they are switched off */
};

static void port61_update_irq(struct port61 *p)
{
    wire_set(&p->gate2, p->control & TIM2_GATE);
    wire_set(&p->speaker, (p->control & SPKR_DATA) && p->out2_level);
    wire_set(&p->nmi, (p->iochk || p->serr) && !p->nmi_off);
}

static void port61_input(struct device *dev, unsigned pin, bool level)
{
    struct port61 *p = container_of(dev, struct port61, dev);
    switch (pin) {
    case PORT61_OUT2:
        p->out2_level = level;
        wire_set(&p->speaker, (p->control & SPKR_DATA) && level);
        return;
    case PORT61_IOCHK:
        p->iochk |= level && !(p->control & IOCHK_OFF);
        break;
    case PORT61_SERR:
        p->serr |= level && !(p->control & SERR_OFF);
        break;
    case PORT61_NMI_OFF:
        p->nmi_off = level;
        break;
    }
    port61_update_irq(p);
}

static uint64_t port61_read(void *chip, uint64_t offset, unsigned size)
{
    struct port61 *p = chip;
    int64_t ticks = muldiv(clock_now(&p->dev.machine->clock), TIMER_HZ, NS_PER_S);
    bool out2 = p->out2 ? p->out2(p->timer) : p->out2_level;
    (void)offset, (void)size;
    return (unsigned)(p->control | (ticks / REFRESH_TICKS & 1 ? REFRESH : 0) | (out2 ? TIM2_OUT : 0) |
                      (p->iochk ? IOCHK_NMI : 0) | (p->serr ? SERR_NMI : 0));
}

static void port61_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct port61 *p = chip;
    (void)offset, (void)size;
    p->control = value & WRITABLE;
    p->serr &= !(value & SERR_OFF);
    p->iochk &= !(value & IOCHK_OFF);
    port61_update_irq(p);
}

static const struct io_ops port61_io = { port61_read, port61_write, IO_8 };

void port61_connect(struct device *dev, bool (*out2)(void *chip), void *chip)
{
    struct port61 *p = container_of(dev, struct port61, dev);
    p->out2 = out2;
    p->timer = chip;
}

static bool port61_init(struct device *dev, struct error *err)
{
    struct port61 *p = container_of(dev, struct port61, dev);
    (void)err;
    space_map_io(dev->machine->ports, p->iobase, 1, &port61_io, p, 0);
    return true;
}

static void port61_reset(struct device *dev, enum reset_kind kind)
{
    struct port61 *p = container_of(dev, struct port61, dev);
    (void)kind;
    p->control = 0;
    p->iochk = p->serr = false;
    port61_update_irq(p);
}

static const struct state_field port61_state[] = {
    FIELD(struct port61, control), FIELD(struct port61, out2_level), FIELD(struct port61, iochk),
    FIELD(struct port61, serr), FIELD(struct port61, nmi_off), END
};
static const struct property port61_properties[] = {
    PROPERTY(struct port61, iobase, "0x61", "the port"), END
};
static const struct pin port61_outputs[] = {
    PIN(struct port61, gate2), PIN(struct port61, speaker), PIN(struct port61, nmi), END
};
const struct device_class port61_class = {
    .name = "port61", .summary = "speaker gate and NMI control", .size = sizeof(struct port61),
    .properties = port61_properties, .outputs = port61_outputs, .state = port61_state, .state_version = 1,
    .init = port61_init, .reset = port61_reset, .input = port61_input,
};
