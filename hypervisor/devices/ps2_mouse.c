/* A PS/2 mouse: two or three buttons, and a wheel or five buttons for a driver that knocks. Read [PS2TRM]
 * "Mouse" for the commands and the packet, [INTELLIMOUSE] for the wheel.
 *
 * In a PC: plugged into port 1 of the 8042 by the board (ps2.h). Sample rates 200, 100, 80 in a row make
 * it a wheel mouse (identity 3), 200, 200, 80 then one with five buttons (identity 4); the property
 * `wheel` off makes it deaf for both. From the host: dy grows downwards, dz is positive away from the
 * user; the PS/2 packet counts both the other way.
 *
 * References: [PS2TRM], [INTELLIMOUSE]
 * Not modelled: the resolution's effect (the host's counts are taken as they come). Motion that does not
 * fit one packet goes into the next instead of setting its overflow bit. */
#include "base/fifo.h"
#include "core/machine.h"
#include "devices/ps2.h"
#include <errno.h>

enum { CMD_SCALE_1 = 0xe6, CMD_SCALE_2, CMD_RESOLUTION, CMD_STATUS, CMD_STREAM, CMD_READ, CMD_WRAP_OFF,
       CMD_WRAP = 0xee, CMD_REMOTE = 0xf0, CMD_ID = 0xf2, CMD_RATE, CMD_ENABLE, CMD_DISABLE, CMD_DEFAULT,
       CMD_RESEND = 0xfe, CMD_RESET };
enum { ACK = 0xfa, NAK = 0xfe, FAILED = 0xfc, BAT_OK = 0xaa };
enum { PACKET_ALWAYS = 1 << 3, PACKET_X_SIGN = 1 << 4, PACKET_Y_SIGN = 1 << 5, STATUS_REMOTE = 1 << 6,
       STATUS_ENABLED = 1 << 5, STATUS_2_1 = 1 << 4 };
enum { ID_PLAIN = 0, ID_WHEEL = 3, ID_FIVE = 4, BAT_NS = 20000000, MOTION_MAX = 1 << 20, REPLY = 16 };

struct ps2_mouse {
    struct device dev;
    bool wheel;                                 /* property */
    struct ps2_port *port;
    /* shown: the buttons of the last packet */
    uint8_t command, id, rate, resolution, buttons, shown, last;
    uint8_t knock[2];                           /* the two sample rates before this one */
    bool enabled, remote, wrap, scaled, testing, refused;
    bool nudged;                                /* a packet is wanted though there is nothing to say */
    int64_t dx, dy, dz;                         /* not yet reported */
    int64_t reported;                           /* when the last packet was made */
    struct fifo packet, reply;                  /* replies go first */
    struct timer sample, bat;
};

/* The mouse has no pin: what it wants is a free line. */
static void ps2_mouse_update_irq(struct ps2_mouse *m)
{
    if (m->port && (m->reply.count || m->packet.count))
        m->port->ready(m->port);
}

static bool mouse_pending(void *device)
{
    struct ps2_mouse *m = device;
    return m->reply.count || (m->packet.count && !m->command);
}

static void mouse_schedule(struct ps2_mouse *m);

static uint8_t mouse_take(void *device)
{
    struct ps2_mouse *m = device;
    m->last = fifo_pop(m->reply.count ? &m->reply : &m->packet);
    if (!m->packet.count)
        mouse_schedule(m);
    return m->last;
}

/* --- packets --- */

/* 2:1 scaling in stream mode [PS2TRM, Set scaling 2:1]. */
static int mouse_scale(int n)
{
    static const int8_t small[] = { 0, 1, 1, 3, 6, 9 };
    int size = n < 0 ? -n : n, scaled = size < 6 ? small[size] : 2 * size;
    return n < 0 ? -scaled : scaled;
}

static int take_motion(int64_t *from, int least, int most)
{
    int64_t n = MAX(least, MIN(most, *from));
    *from -= n;
    return (int)n;
}

static void mouse_packet(struct ps2_mouse *m, bool stream)
{
    bool doubled = stream && m->scaled;
    int x = take_motion(&m->dx, doubled ? -127 : -255, doubled ? 127 : 255);
    int y = take_motion(&m->dy, doubled ? -127 : -255, doubled ? 127 : 255);
    if (doubled) {
        x = mouse_scale(x);
        y = mouse_scale(y);
    }
    fifo_clear(&m->packet);
    fifo_push(&m->packet, (uint8_t)(PACKET_ALWAYS | (m->buttons & 7) | (x < 0 ? PACKET_X_SIGN : 0) |
                                    (y < 0 ? PACKET_Y_SIGN : 0)));
    fifo_push(&m->packet, (uint8_t)x);
    fifo_push(&m->packet, (uint8_t)y);
    if (m->id == ID_WHEEL)
        fifo_push(&m->packet, (uint8_t)take_motion(&m->dz, -8, 7));
    else if (m->id == ID_FIVE)
        fifo_push(&m->packet, (uint8_t)((take_motion(&m->dz, -8, 7) & 15) | (m->buttons & 0x18) << 1));
    else
        m->dz = 0;
    m->nudged = false;
    m->shown = m->buttons;
    m->reported = clock_now(&m->dev.machine->clock);
}

static bool mouse_has_click(const struct ps2_mouse *m)
{
    return (m->buttons ^ m->shown) & (m->id == ID_FIVE ? 0x1f : 7);
}

static bool mouse_has_news(const struct ps2_mouse *m)
{
    return m->dx || m->dy || (m->dz && m->id != ID_PLAIN) || mouse_has_click(m) || m->nudged;
}

static bool mouse_streams(const struct ps2_mouse *m)
{
    return m->enabled && !m->remote && !m->wrap && !m->testing;
}

/* The next packet of the stream: one sample interval after the last, when there is something to say. */
static void mouse_schedule(struct ps2_mouse *m)
{
    struct clock *clock = &m->dev.machine->clock;
    if (!mouse_streams(m) || !mouse_has_news(m) || m->packet.count || timer_running(&m->sample))
        return;
    timer_at(clock, &m->sample, MAX(clock_now(clock), m->reported + NS_PER_S / MAX(m->rate, 1)));
}

static void mouse_sample(void *chip)
{
    struct ps2_mouse *m = chip;
    if (!mouse_streams(m) || !mouse_has_news(m) || m->packet.count)
        return;
    mouse_packet(m, true);
    ps2_mouse_update_irq(m);
}

static void add_motion(int64_t *to, int64_t n)
{
    *to = MAX(-MOTION_MAX, MIN(MOTION_MAX, *to + n));
}

static bool mouse_waiting(void *chip)
{
    const struct ps2_mouse *m = chip;
    return mouse_streams(m) && mouse_has_click(m);
}

void ps2_mouse_nudge(struct device *dev)
{
    struct ps2_mouse *m = container_of(dev, struct ps2_mouse, dev);
    m->nudged = mouse_streams(m);
    mouse_schedule(m);
}

static void mouse_move(void *chip, int dx, int dy, int dz, unsigned buttons)
{
    struct ps2_mouse *m = chip;
    m->buttons = buttons & 0x1f;
    if (!m->enabled && !m->remote) {            /* nothing counts while disabled [PS2TRM, Disable] */
        m->shown = m->buttons;
        return;
    }
    add_motion(&m->dx, dx);
    add_motion(&m->dy, -(int64_t)dy);
    add_motion(&m->dz, -(int64_t)dz);
    mouse_schedule(m);
}

/* --- commands --- */

static void mouse_forget(struct ps2_mouse *m)
{
    m->dx = m->dy = m->dz = 0;
    m->nudged = false;
    m->shown = m->buttons;
    fifo_clear(&m->packet);
    timer_stop(&m->dev.machine->clock, &m->sample);
}

static void mouse_defaults(struct ps2_mouse *m)
{
    m->enabled = m->remote = m->wrap = m->scaled = false;
    m->rate = 100;
    m->resolution = 2;                          /* 4 counts a millimetre */
    mouse_forget(m);
}

static void mouse_bat_done(void *chip)
{
    struct ps2_mouse *m = chip;
    m->testing = false;
    fifo_push(&m->reply, BAT_OK);
    fifo_push(&m->reply, ID_PLAIN);
    ps2_mouse_update_irq(m);
}

static void mouse_set_rate(struct ps2_mouse *m, uint8_t rate)
{
    if (m->wheel && m->knock[0] == 200 && m->knock[1] == 100 && rate == 80)
        m->id = ID_WHEEL;
    if (m->wheel && m->knock[0] == 200 && m->knock[1] == 200 && rate == 80)
        m->id = ID_FIVE;
    m->knock[0] = m->knock[1];
    m->knock[1] = rate;
    m->rate = rate;
}

static void mouse_status(struct ps2_mouse *m)
{
    /* left, middle and right are bits 2, 1, 0 here [PS2TRM, Status request] */
    unsigned b = m->buttons;
    fifo_push(&m->reply, (uint8_t)((m->remote ? STATUS_REMOTE : 0) | (m->enabled ? STATUS_ENABLED : 0) |
                                   (m->scaled ? STATUS_2_1 : 0) | (b & 1) << 2 | (b & 4) >> 1 |
                                   (b & 2) >> 1));
    fifo_push(&m->reply, m->resolution);
    fifo_push(&m->reply, m->rate);
}

static void mouse_reset_command(struct ps2_mouse *m)
{
    mouse_defaults(m);
    m->id = ID_PLAIN;
    m->knock[0] = m->knock[1] = 0;
    m->testing = true;
    timer_at(&m->dev.machine->clock, &m->bat, clock_now(&m->dev.machine->clock) + BAT_NS);
}

static bool mouse_parameter(struct ps2_mouse *m, uint8_t byte)
{
    static const uint8_t rates[] = { 10, 20, 40, 60, 80, 100, 200 };
    bool fits = m->command == CMD_RESOLUTION && byte <= 3;
    for (size_t i = 0; m->command == CMD_RATE && i < sizeof(rates); i++)
        fits |= byte == rates[i];
    if (fits && m->command == CMD_RATE)
        mouse_set_rate(m, byte);
    else if (fits)
        m->resolution = byte;
    if (fits)
        m->command = 0;
    return fits;
}

/* false: no such command, or none that fits here. */
static bool mouse_command(struct ps2_mouse *m, uint8_t byte)
{
    switch (byte) {
    case CMD_SCALE_1: m->scaled = false; return true;
    case CMD_SCALE_2: m->scaled = true; return true;
    case CMD_RESOLUTION: m->command = byte; return true;
    case CMD_STATUS: mouse_status(m); return true;
    case CMD_STREAM: m->remote = false; mouse_forget(m); return true;
    case CMD_READ: mouse_packet(m, false); return true;
    case CMD_WRAP_OFF: m->wrap = false; return true;
    case CMD_WRAP: m->wrap = true; mouse_forget(m); return true;
    case CMD_REMOTE: m->remote = true; mouse_forget(m); return true;
    case CMD_ID: fifo_push(&m->reply, m->id); return true;
    case CMD_RATE: m->command = byte; return true;
    case CMD_ENABLE: m->enabled = true; mouse_forget(m); return true;
    case CMD_DISABLE: m->enabled = false; mouse_forget(m); return true;
    case CMD_DEFAULT: mouse_defaults(m); return true;
    case CMD_RESET: mouse_reset_command(m); return true;
    default: return false;
    }
}

/* Any byte from the system ends what was on its way; ACK first, then the answer. The second wrong byte in
 * a row is an error [PS2TRM, Mouse, Resend and error handling]. */
static void mouse_receive(void *device, uint8_t byte)
{
    struct ps2_mouse *m = device;
    if (byte == CMD_RESEND) {
        fifo_push(&m->reply, m->last);
        ps2_mouse_update_irq(m);
        return;
    }
    fifo_clear(&m->reply);
    fifo_clear(&m->packet);
    if (m->wrap && byte != CMD_RESET && byte != CMD_WRAP_OFF) {
        fifo_push(&m->reply, byte);
        ps2_mouse_update_irq(m);
        return;
    }
    fifo_push(&m->reply, ACK);
    bool parameter = m->command && mouse_parameter(m, byte), known = parameter;
    if (!parameter && (!m->command || byte >= CMD_SCALE_1)) {
        m->command = 0;
        known = mouse_command(m, byte);
    }
    if (!known) {
        fifo_clear(&m->reply);
        fifo_push(&m->reply, m->refused ? FAILED : NAK);
    }
    m->refused = !known && !m->refused;
    ps2_mouse_update_irq(m);
    mouse_schedule(m);
}

void ps2_mouse_plug(struct device *dev, struct ps2_port *port)
{
    struct ps2_mouse *m = container_of(dev, struct ps2_mouse, dev);
    m->port = port;
    port->device = m;
    port->pending = mouse_pending;
    port->take = mouse_take;
    port->receive = mouse_receive;
}

static bool mouse_init(struct device *dev, struct error *err)
{
    struct ps2_mouse *m = container_of(dev, struct ps2_mouse, dev);
    (void)err;
    timer_init(&m->sample, mouse_sample, m);
    timer_init(&m->bat, mouse_bat_done, m);
    m->packet.limit = m->reply.limit = REPLY;
    dev->machine->pointer = (struct pointer){ .chip = m, .move = mouse_move, .waiting = mouse_waiting };
    return true;
}

/* The mouse has its own power-on reset and no line from the PC's RESET. */
static void mouse_reset(struct device *dev, enum reset_kind kind)
{
    struct ps2_mouse *m = container_of(dev, struct ps2_mouse, dev);
    if (kind != RESET_POWER)
        return;
    mouse_defaults(m);
    timer_stop(&dev->machine->clock, &m->bat);
    m->packet = m->reply = (struct fifo){ .limit = REPLY };
    m->command = m->id = m->buttons = m->shown = m->last = m->knock[0] = m->knock[1] = 0;
    m->testing = m->refused = false;
    m->reported = 0;
}

static bool mouse_restored(struct device *dev)
{
    struct ps2_mouse *m = container_of(dev, struct ps2_mouse, dev);
    if (m->packet.limit != REPLY || m->packet.count > REPLY || m->reply.limit != REPLY ||
        m->reply.count > REPLY || m->reported > INT64_MAX / 2)
        return false;
    add_motion(&m->dx, 0);
    add_motion(&m->dy, 0);
    add_motion(&m->dz, 0);
    return true;
}

static const struct state_field mouse_state[] = {
    FIELD(struct ps2_mouse, command), FIELD(struct ps2_mouse, id), FIELD(struct ps2_mouse, rate),
    FIELD(struct ps2_mouse, resolution), FIELD(struct ps2_mouse, buttons), FIELD(struct ps2_mouse, shown),
    FIELD(struct ps2_mouse, last), FIELD_ARRAY(struct ps2_mouse, knock), FIELD(struct ps2_mouse, enabled),
    FIELD(struct ps2_mouse, remote), FIELD(struct ps2_mouse, wrap), FIELD(struct ps2_mouse, scaled),
    FIELD(struct ps2_mouse, testing), FIELD(struct ps2_mouse, refused),
    FIELD_SINCE(2, struct ps2_mouse, nudged), FIELD(struct ps2_mouse, dx),
    FIELD(struct ps2_mouse, dy), FIELD(struct ps2_mouse, dz), FIELD(struct ps2_mouse, reported),
    FIELD_STRUCT(struct ps2_mouse, packet, fifo_state), FIELD_STRUCT(struct ps2_mouse, reply, fifo_state),
    FIELD(struct ps2_mouse, sample), FIELD(struct ps2_mouse, bat), END
};
static const struct property mouse_properties[] = {
    PROPERTY(struct ps2_mouse, wheel, "on", "answers drivers that look for a wheel or five buttons"), END
};
const struct device_class ps2_mouse_class = {
    .name = "ps2_mouse", .summary = "PS/2 mouse with wheel", .size = sizeof(struct ps2_mouse),
    .properties = mouse_properties, .state = mouse_state, .state_version = 2, .init = mouse_init,
    .reset = mouse_reset, .restored = mouse_restored,
};
