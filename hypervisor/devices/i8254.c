/* 8254 programmable interval timer: three 16-bit down counters with six modes. Read [8254] "Mode
 * definitions"; all figures in the comments here are CLK ticks of 1.193182 MHz.
 *
 * In a PC: ports 40h-43h. Channel 0's OUT is IRQ0, channel 1 times the refresh of memory, channel 2 is
 * gated by port 61h and feeds the speaker. Inputs and outputs: i8254.h.
 *
 * A counter is not stepped: it is a start tick and a count, and everything a guest can see is computed
 * from the clock when it looks. A timer wakes the chip at the next change of OUT only to drive the wire.
 *
 * Lost ticks. The host may be late: its thread wakes after several periods, or the guest was not scheduled
 * to take the last tick before the next is due. In real time, with the property `reinject`, such ticks of
 * channel 0 are counted and delivered after the acknowledge of the one before, at most one each half
 * period (or 100 us, if longer), so guest time catches up at up to three times its speed and never floods.
 * While a tick waits, OUT is held high so that the 8259 does not lose it. At most ten seconds' worth is
 * owed. A tick that nobody takes for a quarter of a second means that the guest masked it: then nothing is
 * owed and nothing held until the next acknowledge. In virtual time the host is never late, and nothing of
 * this happens.
 *
 * References: [8254]
 * Not modelled: the undefined count between a control word and the first count (the old count stays).
 * Periods below 20 us drive the wire at most every 20 us; reads stay exact. */
#include "devices/i8254.h"
#include "core/machine.h"
#include <errno.h>

enum { FREQUENCY = 1193182, MIN_EDGE_NS = 20000, MIN_EDGE_TICKS = 24, GIVE_UP_NS = 250000000, OWED_S = 10,
       REINJECT_MIN_NS = 100000 };
enum { CW_BCD = 1 << 0, CW_MODE = 7, CW_MODE_SHIFT = 1, CW_RW = 3, CW_RW_SHIFT = 4, CW_SC_SHIFT = 6,
       CW_READ_BACK = 3, RB_NO_STATUS = 1 << 4, RB_NO_COUNT = 1 << 5, STATUS_OUT = 1 << 7,
       STATUS_NULL = 1 << 6, RW_LATCH = 0, RW_LSB = 1, RW_MSB = 2, RW_BOTH = 3 };

struct channel {
    uint8_t mode, rw, status, write_low;
    uint16_t latch;
    uint32_t count, next;    /* initial counts 1..65536: in force, and written for the next cycle */
    int64_t start;    /* the tick at which the counter held `count` (mode 3: this half of the cycle) */
    int64_t held;    /* modes 0 and 4: start is this many ticks ago while the gate is low */
    bool bcd, gate, out;                        /* out: as of the last update */
    bool running, null_count, reload, read_msb, write_msb, status_latched;
    uint8_t latched;                            /* bytes of the latch not yet read: 0-2 */
};

struct i8254 {
    struct device dev;
    uint16_t iobase;
    bool reinject;                              /* properties */
    struct wire out[3];
    struct channel channel[3];
    struct timer timer0, timer1, timer2, catch_up;
    bool driven;                                /* channel 0's wire, which may be held */
    bool waiting;                               /* the last tick is not acknowledged */
    bool attended;                              /* ticks are being taken */
    uint32_t owed;
    int64_t tick_time, delivered;               /* when the waiting tick rose; the last rise of any kind */
};

static struct timer *pit_timer(struct i8254 *pit, unsigned n)
{
    return n == 0 ? &pit->timer0 : n == 1 ? &pit->timer1 : &pit->timer2;
}

static int64_t pit_tick(const struct i8254 *pit)
{
    return muldiv(clock_now(&pit->dev.machine->clock), FREQUENCY, NS_PER_S);
}

/* The first nanosecond of a tick. */
static int64_t tick_ns(int64_t tick)
{
    return tick <= 0 ? 0 : muldiv(tick, NS_PER_S, FREQUENCY) + 1;
}

/* --- one counter, at a tick --- */

static int64_t half_length(const struct channel *c)
{
    return c->out ? (c->count + 1) / 2 : c->count / 2;
}

/* Mode 3: an odd count is high one tick longer than low; a count written meanwhile starts with the next
 * half cycle. Returns the rising edges since the last call. */
static uint32_t square_advance(struct channel *c, int64_t tick)
{
    int64_t rises = 0;
    while (tick - c->start >= half_length(c)) {
        if (!c->reload && tick - c->start >= 2 * (int64_t)c->count) {
            int64_t cycles = (tick - c->start) / c->count - 1;
            c->start += cycles * c->count;
            rises += cycles;
        }
        c->start += half_length(c);
        c->out = !c->out;
        rises += c->out;
        if (c->reload) {
            c->count = c->next;
            c->reload = c->null_count = false;
        }
    }
    return (uint32_t)MIN(rises, UINT32_MAX);
}

/* Mode 2: OUT is low in the last tick of a period; a count written meanwhile starts with the next period. */
static uint32_t rate_advance(struct channel *c, int64_t tick)
{
    int64_t rises = 0;
    if (tick - c->start >= c->count) {
        c->start += c->count;
        rises++;
        if (c->reload) {
            c->count = c->next;
            c->reload = c->null_count = false;
        }
        int64_t cycles = (tick - c->start) / c->count;
        c->start += cycles * c->count;
        rises += cycles;
    }
    c->out = tick - c->start != c->count - 1;
    return (uint32_t)MIN(rises, UINT32_MAX);
}

/* Brings OUT to the tick; returns how often it rose since the last call. */
static uint32_t channel_advance(struct channel *c, int64_t tick)
{
    bool was = c->out;
    if (!c->running)
        return 0;
    if (tick >= c->start && !c->reload)
        c->null_count = false;
    int64_t elapsed = c->gate || c->mode == 1 || c->mode == 5 ? tick - c->start : c->held;
    switch (c->mode) {
    case 0:
        c->out = elapsed >= c->count;
        break;
    case 1:
        c->out = elapsed < 0 ? c->out : elapsed >= c->count;
        break;
    case 2:
    case 3:
        if (!c->gate || elapsed < 0)
            return 0;
        c->null_count = c->reload;
        return c->mode == 2 ? rate_advance(c, tick) : square_advance(c, tick);
    default:                                    /* 4 and 5: low for one tick at the end */
        c->out = elapsed != c->count;
        return !was && c->out;
    }
    return !was && c->out;
}

/* The tick of the next change of OUT after `tick`, or INT64_MAX. Mode 2 counts only its rising edge: the
 * low tick before it is driven with it. */
static int64_t channel_next_edge(const struct channel *c, int64_t tick)
{
    if (!c->running || (!c->gate && c->mode != 1 && c->mode != 5))
        return INT64_MAX;
    int64_t end = c->start + c->count;
    switch (c->mode) {
    case 0:
        return tick < end ? end : INT64_MAX;
    case 1:
        return tick < c->start ? c->start : tick < end ? end : INT64_MAX;
    case 2:
        return end;
    case 3:
        return c->start + half_length(c);
    default:
        return tick < end ? end : tick == end ? end + 1 : INT64_MAX;
    }
}

static uint32_t from_bcd(uint16_t v)
{
    return (v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u + (v & 15);
}

static uint16_t to_bcd(uint32_t v)
{
    v %= 10000;
    return (uint16_t)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* What a read of the counting element gives now. */
static uint16_t channel_count(const struct channel *c, int64_t tick)
{
    int64_t modulus = c->bcd ? 10000 : 65536;
    bool triggered = c->mode == 1 || c->mode == 5;
    int64_t elapsed = c->gate || triggered ? tick - c->start : c->held;
    int64_t value = c->count;
    if (c->running && elapsed > 0) {
        if (c->mode == 3)
            value = (int64_t)(c->count & ~1u) - 2 * elapsed;
        else
            value = (int64_t)c->count - elapsed;
    } else if (c->mode == 3) {
        value &= ~1;
    }
    value = ((value % modulus) + modulus) % modulus;
    return c->bcd ? to_bcd((uint32_t)value) : (uint16_t)value;
}

/* --- the output pins --- */

static void pit_drive0(struct i8254 *pit, bool level)
{
    if (pit->driven == level)
        return;
    pit->driven = level;
    wire_set(&pit->out[0], level);
}

/* A rising edge on IRQ0, whatever the wire is at. */
static void pit_tick_rises(struct i8254 *pit, int64_t now)
{
    pit->waiting = true;
    pit->tick_time = pit->delivered = now;
    pit_drive0(pit, false);
    pit_drive0(pit, true);
}

/* Channel 0's wire after `rises` rising edges of its OUT. See the policy at the top. */
static void pit_drive_irq(struct i8254 *pit, uint32_t rises, int64_t now)
{
    struct channel *c = &pit->channel[0];
    bool late_host = pit->reinject && pit->dev.machine->real_time && (c->mode == 2 || c->mode == 3);
    if (pit->waiting && now - pit->tick_time > GIVE_UP_NS) {
        pit->attended = false;
        pit->owed = 0;
    }
    bool keep = late_host && pit->attended;
    if (rises && keep && pit->waiting) {
        pit->owed += rises;
    } else if (rises) {
        pit->owed += keep ? rises - 1 : 0;
        pit_tick_rises(pit, now);
    }
    pit->owed = MIN(pit->owed, (uint32_t)OWED_S * FREQUENCY / MAX(c->count, 1u));
    pit_drive0(pit, c->out || (keep && pit->waiting));
}

/* The one place that drives the pins. */
static void i8254_update_irq(struct i8254 *pit, unsigned n)
{
    struct channel *c = &pit->channel[n];
    int64_t tick = pit_tick(pit), now = clock_now(&pit->dev.machine->clock);
    bool was = c->out;
    uint32_t rises = channel_advance(c, tick);
    if (n == 0) {
        pit_drive_irq(pit, rises, now);
    } else {
        if (was && c->out && rises)
            wire_set(&pit->out[n], false);
        wire_set(&pit->out[n], c->out);
    }
    int64_t edge = channel_next_edge(c, tick);
    int64_t deadline = edge == INT64_MAX || (n == 1 && !pit->out[1].to) ? TIMER_NEVER : tick_ns(edge);
    if (deadline != TIMER_NEVER && (c->mode == 2 || c->mode == 3) && c->count < MIN_EDGE_TICKS * 2)
        deadline = MAX(deadline, now + MIN_EDGE_NS);
    if (pit_timer(pit, n)->deadline != deadline)
        timer_at(&pit->dev.machine->clock, pit_timer(pit, n), deadline);
}

bool i8254_out2(void *chip)
{
    struct i8254 *pit = chip;
    i8254_update_irq(pit, 2);
    return pit->channel[2].out;
}

static void pit_fire0(void *chip) { i8254_update_irq(chip, 0); }
static void pit_fire1(void *chip) { i8254_update_irq(chip, 1); }
static void pit_fire2(void *chip) { i8254_update_irq(chip, 2); }

/* --- gates, and the acknowledge of a tick --- */

static void pit_pay(void *chip)
{
    struct i8254 *pit = chip;
    if (!pit->owed || pit->waiting)
        return;
    pit->owed--;
    pit_tick_rises(pit, clock_now(&pit->dev.machine->clock));
    i8254_update_irq(pit, 0);
}

static void pit_acknowledged(struct i8254 *pit)
{
    struct clock *clock = &pit->dev.machine->clock;
    struct channel *c = &pit->channel[0];
    pit->waiting = false;
    pit->attended = true;
    pit_drive0(pit, c->out);
    if (pit->owed) {
        int64_t gap = MAX(tick_ns(c->count) / 2, REINJECT_MIN_NS);
        timer_at(clock, &pit->catch_up, MAX(pit->delivered + gap, clock_now(clock)));
    }
}

/* GATE [8254, Gate pin operations]: low stops modes 0, 2, 3 and 4 (2 and 3 with OUT high at once), a
 * rising edge reloads 2 and 3 and triggers 1 and 5. */
static void channel_gate(struct channel *c, bool level, int64_t tick)
{
    bool rises = level && !c->gate;
    if (level == c->gate)
        return;
    if (!level)
        c->held = MAX(tick - c->start, 0);
    c->gate = level;
    switch (c->mode) {
    case 0:
    case 4:
        if (rises)
            c->start = tick - c->held;
        break;
    case 2:
    case 3:
        c->out = true;
        break;
    }
    bool has_count = c->running || c->reload;
    if (rises && has_count && c->mode != 0 && c->mode != 4) {
        if (c->reload)
            c->count = c->next;
        c->running = true;
        c->reload = false;
        c->start = tick + 1;
    }
}

static void pit_input(struct device *dev, unsigned pin, bool level)
{
    struct i8254 *pit = container_of(dev, struct i8254, dev);
    if (pin == I8254_ACK0) {
        if (level)
            pit_acknowledged(pit);
        return;
    }
    i8254_update_irq(pit, pin % 3);
    channel_gate(&pit->channel[pin % 3], level, pit_tick(pit));
    i8254_update_irq(pit, pin % 3);
}

/* --- registers --- */

static void channel_control(struct channel *c, uint8_t value)
{
    c->rw = value >> CW_RW_SHIFT & CW_RW;
    c->mode = value >> CW_MODE_SHIFT & CW_MODE;
    if (c->mode > 5)
        c->mode -= 4;                           /* the high bit is "don't care" in modes 2 and 3 */
    c->bcd = value & CW_BCD;
    c->out = c->mode != 0;
    c->running = c->reload = c->read_msb = c->write_msb = c->status_latched = false;
    c->latched = 0;
    c->null_count = true;
}

static void channel_latch_count(struct channel *c, int64_t tick)
{
    if (c->latched)
        return;    /* a second latch command is ignored [8254, Counter latch command] */
    c->latch = channel_count(c, tick);
    c->latched = c->rw == RW_BOTH ? 2 : 1;
}

static void channel_latch_status(struct channel *c)
{
    if (c->status_latched)
        return;
    c->status_latched = true;
    c->status = (uint8_t)((c->out ? STATUS_OUT : 0) | (c->null_count ? STATUS_NULL : 0) |
                          c->rw << CW_RW_SHIFT | c->mode << CW_MODE_SHIFT | c->bcd);
}

/* A complete count: when it takes effect is the mode's matter. */
static void channel_load(struct channel *c, uint16_t value, int64_t tick)
{
    uint32_t count = c->bcd ? from_bcd(value) : value;
    uint32_t limit = c->bcd ? 10000 : 65536;
    c->next = count ? MIN(count, limit) : limit;
    c->null_count = true;
    switch (c->mode) {
    case 0:
    case 4:
        c->count = c->next;
        c->start = tick + 1;
        c->held = 0;                            /* a low gate does not delay the load */
        c->running = true;
        if (c->mode == 0)
            c->out = false;
        break;
    case 2:
    case 3:
        if (c->running) {
            c->reload = true;
            break;
        }
        c->count = c->next;
        c->start = tick + 1;
        c->running = c->gate;
        c->reload = !c->gate;
        break;
    default:
        c->reload = true;                       /* waits for the trigger */
    }
}

static void channel_write(struct channel *c, uint8_t value, int64_t tick)
{
    switch (c->rw) {
    case RW_LSB:
        channel_load(c, value, tick);
        break;
    case RW_MSB:
        channel_load(c, (uint16_t)(value << 8), tick);
        break;
    case RW_BOTH:
        if (c->write_msb) {
            channel_load(c, (uint16_t)(value << 8 | c->write_low), tick);
        } else {
            c->write_low = value;
            if (c->mode == 0)                   /* the first byte stops mode 0 [8254, Mode 0] */
                c->running = c->out = false;
        }
        c->write_msb = !c->write_msb;
        break;
    }
}

static uint8_t channel_read(struct channel *c, int64_t tick)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    uint16_t value = c->latched ? c->latch : channel_count(c, tick);
    if (c->latched)
        c->latched--;
    if (c->rw == RW_LSB)
        return (uint8_t)value;
    if (c->rw == RW_MSB)
        return (uint8_t)(value >> 8);
    c->read_msb = !c->read_msb;
    return (uint8_t)(c->read_msb ? value : value >> 8);
}

static void pit_read_back(struct i8254 *pit, uint8_t value, int64_t tick)
{
    for (unsigned n = 0; n < 3; n++) {
        struct channel *c = &pit->channel[n];
        if (!(value & 2u << n))
            continue;
        channel_advance(c, tick);
        if (!(value & RB_NO_COUNT))
            channel_latch_count(c, tick);
        if (!(value & RB_NO_STATUS))
            channel_latch_status(c);
        i8254_update_irq(pit, n);
    }
}

static void pit_write(void *chip, uint64_t offset, unsigned size, uint64_t v)
{
    struct i8254 *pit = chip;
    uint8_t value = (uint8_t)v;
    unsigned n = offset < 3 ? (unsigned)offset : value >> CW_SC_SHIFT;
    int64_t tick = pit_tick(pit);
    (void)size;
    if (offset == 3 && n == CW_READ_BACK) {
        pit_read_back(pit, value, tick);
        return;
    }
    struct channel *c = &pit->channel[n];
    i8254_update_irq(pit, n);                   /* edges up to now belong to the old programming */
    if (offset < 3)
        channel_write(c, value, tick);
    else if ((value >> CW_RW_SHIFT & CW_RW) == RW_LATCH)
        channel_latch_count(c, tick);
    else
        channel_control(c, value);
    if (n == 0 && offset == 3 && (value >> CW_RW_SHIFT & CW_RW) != RW_LATCH)
        pit->owed = 0;
    i8254_update_irq(pit, n);
}

static uint64_t pit_read(void *chip, uint64_t offset, unsigned size)
{
    struct i8254 *pit = chip;
    (void)size;
    if (offset == 3)
        return 0xff;                            /* the control word register cannot be read */
    i8254_update_irq(pit, (unsigned)offset);
    return channel_read(&pit->channel[offset], pit_tick(pit));
}

static const struct io_ops pit_io = { pit_read, pit_write, IO_8 };

static bool pit_init(struct device *dev, struct error *err)
{
    struct i8254 *pit = container_of(dev, struct i8254, dev);
    (void)err;
    timer_init(&pit->timer0, pit_fire0, pit);
    timer_init(&pit->timer1, pit_fire1, pit);
    timer_init(&pit->timer2, pit_fire2, pit);
    timer_init(&pit->catch_up, pit_pay, pit);
    pit->channel[0].gate = pit->channel[1].gate = true;     /* the pins are tied high */
    space_map_io(dev->machine->ports, pit->iobase, 4, &pit_io, pit, 0);
    return true;
}

/* The chip has no reset pin: only power-on makes it definite, as if each channel had been given mode 3 and
 * no count. */
static void pit_reset(struct device *dev, enum reset_kind kind)
{
    struct i8254 *pit = container_of(dev, struct i8254, dev);
    if (kind != RESET_POWER)
        return;
    pit->driven = pit->waiting = pit->attended = false;
    pit->owed = 0;
    pit->tick_time = pit->delivered = 0;
    timer_stop(&dev->machine->clock, &pit->catch_up);
    for (unsigned n = 0; n < 3; n++) {
        pit->channel[n] = (struct channel){ .gate = pit->channel[n].gate, .count = 65536, .next = 65536 };
        channel_control(&pit->channel[n], RW_BOTH << CW_RW_SHIFT | 3 << CW_MODE_SHIFT);
        i8254_update_irq(pit, n);
    }
}

static const struct state_field channel_state[] = {
    FIELD(struct channel, mode), FIELD(struct channel, rw), FIELD(struct channel, status),
    FIELD(struct channel, write_low), FIELD(struct channel, latch), FIELD(struct channel, count),
    FIELD(struct channel, next), FIELD(struct channel, start), FIELD(struct channel, held),
    FIELD(struct channel, bcd), FIELD(struct channel, gate), FIELD(struct channel, out),
    FIELD(struct channel, running), FIELD(struct channel, null_count), FIELD(struct channel, reload),
    FIELD(struct channel, read_msb), FIELD(struct channel, write_msb), FIELD(struct channel, status_latched),
    FIELD(struct channel, latched), END
};
static const struct state_field pit_state[] = {
    FIELD_STRUCTS(struct i8254, channel, channel_state), FIELD(struct i8254, timer0),
    FIELD(struct i8254, timer1), FIELD(struct i8254, timer2), FIELD(struct i8254, catch_up),
    FIELD(struct i8254, driven), FIELD(struct i8254, waiting), FIELD(struct i8254, attended),
    FIELD(struct i8254, owed), FIELD(struct i8254, tick_time), FIELD(struct i8254, delivered), END
};
static const struct property pit_properties[] = {
    PROPERTY(struct i8254, iobase, "0x40", "first of the four ports"),
    PROPERTY(struct i8254, reinject, "on", "deliver ticks later that a late host lost"), END
};
static const struct pin pit_outputs[] = { PIN_ARRAY(struct i8254, out), END };

/* Counts from a snapshot are bounded before anything divides by them. */
static bool pit_restored(struct device *dev)
{
    struct i8254 *pit = container_of(dev, struct i8254, dev);
    for (unsigned n = 0; n < 3; n++) {
        struct channel *c = &pit->channel[n];
        if (!c->count || c->count > 65536 || !c->next || c->next > 65536 || c->mode > 5 || c->rw > 3 ||
            c->latched > 2 || c->start < 0 || c->start > INT64_MAX / 4)
            return false;
    }
    return true;
}

const struct device_class i8254_class = {
    .name = "i8254", .summary = "interval timer", .size = sizeof(struct i8254),
    .properties = pit_properties, .outputs = pit_outputs, .state = pit_state, .state_version = 1,
    .init = pit_init, .reset = pit_reset, .restored = pit_restored, .input = pit_input,
};
