/* A serial mouse: Microsoft's with two buttons, Logitech's with a third, or Mouse Systems' with three. Read [MSMOUSE] for the
 * packets.
 *
 * In a PC: on a COM port that the board plugs it into (devices/serial.h); the property `kind` says which mouse. It lives off
 * DTR and RTS: without either it is dead, and when power comes it introduces itself ("M", "M3"; Mouse Systems' says nothing).
 * 1200 baud: at another rate the UART sees garbage. Seven bits, but Mouse Systems'; a UART set to eight finds the stop bit
 * on top.
 *
 * From the host: dy grows downwards, as in Microsoft's packet.
 *
 * References: [MSMOUSE]
 * Not modelled: Logitech's commands for rate and format; the wheel. */
#include "base/fifo.h"
#include "core/machine.h"
#include "devices/serial.h"
#include <errno.h>

enum { KIND_MICROSOFT, KIND_LOGITECH, KIND_SYSTEMS, KINDS };
enum { BAUD = 1200, BUTTON_LEFT = 1, BUTTON_RIGHT = 2, BUTTON_MIDDLE = 4, MOTION_MAX = 1 << 20, POWERED = MODEM_DTR | MODEM_RTS };
enum { AWAKE_NS = 14000000, PACKET_NS = 25000000, QUEUE = 16 };

struct serial_mouse {
    struct device dev;
    char *kind;                                 /* property */
    struct stream_end end;
    uint8_t which;                              /* derived: KIND_... */
    uint8_t lines, buttons, shown, data_bits;
    uint32_t baud;
    int64_t dx, dy;                             /* not yet reported */
    struct fifo queue;
    struct timer timer;                         /* until it is awake, or may send its next packet */
};

/* The mouse has no pin: its bytes go to the UART as it has room. */
static void serial_mouse_update_irq(struct serial_mouse *m)
{
    struct stream_end *e = &m->end;
    while (m->queue.count && e->chip && e->room(e->chip)) {
        uint8_t byte = fifo_pop(&m->queue);
        if (m->baud < BAUD * 95 / 100 || m->baud > BAUD * 105 / 100) {
            e->receive_bad(e->chip, (uint8_t)(byte << 3), LINE_FRAMING);
            continue;
        }
        if (m->which != KIND_SYSTEMS && m->data_bits == 8)
            byte |= 0x80;
        e->receive(e->chip, &byte, 1);
    }
}

static int mouse_take(int64_t *from)
{
    int64_t n = MAX(-127, MIN(127, *from));
    *from -= n;
    return (int)n;
}

/* Microsoft: 1 L R Y7 Y6 X7 X6, then the low six bits of each. Logitech adds 20h for the middle button, when it moved. */
static void mouse_packet(struct serial_mouse *m)
{
    unsigned b = m->buttons;
    if (m->which == KIND_SYSTEMS) {             /* buttons are active low: 1 0 0 0 0 L M R; dy grows upwards */
        fifo_push(&m->queue, (uint8_t)(0x80 | (b & BUTTON_LEFT ? 0 : 4) | (b & BUTTON_MIDDLE ? 0 : 2) | (b & BUTTON_RIGHT ? 0 : 1)));
        for (unsigned n = 0; n < 2; n++) {
            fifo_push(&m->queue, (uint8_t)mouse_take(&m->dx));
            fifo_push(&m->queue, (uint8_t)-mouse_take(&m->dy));
        }
    } else {
        unsigned x = (unsigned)mouse_take(&m->dx), y = (unsigned)mouse_take(&m->dy);
        fifo_push(&m->queue, (uint8_t)(0x40 | (b & BUTTON_LEFT) << 5 | (b & BUTTON_RIGHT) << 3 | (y >> 4 & 12) | (x >> 6 & 3)));
        fifo_push(&m->queue, x & 0x3f);
        fifo_push(&m->queue, y & 0x3f);
        if (m->which == KIND_LOGITECH && (m->shown | b) & BUTTON_MIDDLE)
            fifo_push(&m->queue, b & BUTTON_MIDDLE ? 0x20 : 0);
    }
    m->shown = m->buttons;
}

static bool mouse_clicked(const struct serial_mouse *m)
{
    return (m->buttons ^ m->shown) & (m->which == KIND_MICROSOFT ? BUTTON_LEFT | BUTTON_RIGHT : 7);
}

static void mouse_schedule(struct serial_mouse *m)
{
    struct clock *clock = &m->dev.machine->clock;
    if (timer_running(&m->timer) || !(m->lines & POWERED) || m->queue.count || !(m->dx || m->dy || mouse_clicked(m)))
        return;
    mouse_packet(m);
    timer_at(clock, &m->timer, clock_now(clock) + PACKET_NS);
    serial_mouse_update_irq(m);
}

static void mouse_due(void *chip)
{
    struct serial_mouse *m = chip;
    serial_mouse_update_irq(m);
    mouse_schedule(m);
    if (m->queue.count)                         /* the UART had no room */
        timer_at(&m->dev.machine->clock, &m->timer, clock_now(&m->dev.machine->clock) + PACKET_NS);
}

static bool mouse_waiting(void *chip)
{
    const struct serial_mouse *m = chip;
    return m->lines & POWERED && mouse_clicked(m);
}

static void mouse_move(void *chip, int dx, int dy, int dz, unsigned buttons)
{
    struct serial_mouse *m = chip;
    (void)dz;
    m->buttons = buttons & 7;
    if (!(m->lines & POWERED)) {
        m->shown = m->buttons;
        return;
    }
    m->dx = MAX(-MOTION_MAX, MIN(MOTION_MAX, m->dx + dx));
    m->dy = MAX(-MOTION_MAX, MIN(MOTION_MAX, m->dy + dy));
    mouse_schedule(m);
}

/* --- the UART's side ------------------------------------------------------------------------------------------ */

static size_t mouse_written(void *backend, const uint8_t *bytes, size_t length)
{
    (void)backend, (void)bytes;
    return length;                              /* the line that would carry it is the mouse's power */
}

/* Both lines came up, or RTS rose again, as drivers do to ask for the introduction. */
static void mouse_powered(void *backend, unsigned lines)
{
    struct serial_mouse *m = backend;
    struct clock *clock = &m->dev.machine->clock;
    bool wakes = (lines & POWERED) == POWERED && lines & ~(unsigned)m->lines & POWERED;
    m->lines = (uint8_t)lines;
    if (wakes || !(lines & POWERED)) {
        fifo_clear(&m->queue);
        m->dx = m->dy = 0;
        m->shown = m->buttons;
        timer_stop(clock, &m->timer);
    }
    if (wakes) {
        if (m->which != KIND_SYSTEMS)
            fifo_push(&m->queue, 'M');
        if (m->which == KIND_LOGITECH)
            fifo_push(&m->queue, '3');
        timer_at(clock, &m->timer, clock_now(clock) + AWAKE_NS);
    }
}

static void mouse_settings(void *backend, unsigned baud, unsigned data, char parity, unsigned stop, bool line_break)
{
    struct serial_mouse *m = backend;
    (void)parity, (void)stop, (void)line_break;
    m->baud = baud;
    m->data_bits = (uint8_t)data;
}

struct stream_end *serial_mouse_end(struct device *dev) { return &container_of(dev, struct serial_mouse, dev)->end; }

static bool serial_mouse_init(struct device *dev, struct error *err)
{
    static const char *const kinds[KINDS] = { "microsoft", "logitech", "mousesystems" };
    struct serial_mouse *m = container_of(dev, struct serial_mouse, dev);
    for (m->which = 0; m->which < KINDS && strcmp(kinds[m->which], m->kind); m->which++)
        ;
    if (m->which == KINDS)
        return error_set(err, EINVAL, "there is no serial mouse '%s'; it is microsoft, logitech or mousesystems", m->kind);
    timer_init(&m->timer, mouse_due, m);
    m->queue.limit = QUEUE;
    m->end = (struct stream_end){ .backend = m, .write = mouse_written, .modem = mouse_powered, .settings = mouse_settings };
    dev->machine->pointer = (struct pointer){ .chip = m, .move = mouse_move, .waiting = mouse_waiting };
    return true;
}

/* It has no line from the PC's RESET; the UART's lines fall with that. */
static void serial_mouse_reset(struct device *dev, enum reset_kind kind)
{
    struct serial_mouse *m = container_of(dev, struct serial_mouse, dev);
    if (kind != RESET_POWER)
        return;
    timer_stop(&dev->machine->clock, &m->timer);
    m->lines = m->buttons = m->shown = 0;
    m->data_bits = 5;
    m->baud = 0;
    m->dx = m->dy = 0;
    m->queue = (struct fifo){ .limit = QUEUE };
}

static bool serial_mouse_restored(struct device *dev)
{
    struct serial_mouse *m = container_of(dev, struct serial_mouse, dev);
    if (m->queue.limit != QUEUE || m->queue.count > QUEUE || m->dx < -MOTION_MAX || m->dx > MOTION_MAX || m->dy < -MOTION_MAX ||
        m->dy > MOTION_MAX)
        return false;
    return true;
}

static const struct state_field serial_mouse_state[] = {
    FIELD(struct serial_mouse, lines), FIELD(struct serial_mouse, buttons), FIELD(struct serial_mouse, shown),
    FIELD(struct serial_mouse, data_bits), FIELD(struct serial_mouse, baud), FIELD(struct serial_mouse, dx),
    FIELD(struct serial_mouse, dy), FIELD_STRUCT(struct serial_mouse, queue, fifo_state), FIELD(struct serial_mouse, timer), END
};
static const struct property serial_mouse_properties[] = {
    PROPERTY(struct serial_mouse, kind, "microsoft", "microsoft, logitech or mousesystems"), END
};
const struct device_class serial_mouse_class = {
    .name = "serial_mouse", .summary = "serial mouse", .size = sizeof(struct serial_mouse),
    .properties = serial_mouse_properties, .state = serial_mouse_state, .state_version = 1,
    .init = serial_mouse_init, .reset = serial_mouse_reset, .restored = serial_mouse_restored,
};
