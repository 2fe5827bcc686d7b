/* 8042 keyboard controller of an AT with the PS/2 auxiliary port: two serial lines, an input and an output
 * buffer, and a port whose pins are A20 and the CPU's reset. Read [PS2TRM] "Keyboard and auxiliary device
 * controller".
 *
 * In a PC: data at port 60h, command and status at 64h, outputs irq1 and irq12 (level while the output
 * buffer holds a byte), a20, reset. The devices on the lines are plugged in by the board (ps2.h).
 *
 * Time: the chip takes 8 us to look at a byte, 20 us to answer, and a byte on a serial line takes 0.9 ms
 * (11 bits at 12.5 kHz). A guest that writes again without waiting for IBF is served at once: no real
 * program loses a byte by our slowness.
 *
 * References: [PS2TRM], [PIIX3]
 * Not modelled: the key lock and its password (A4h says that none is set), the diagnostic dump ACh, parity
 * errors on the lines. After a reset A20 is on, as the pins of a reset 8042 are high; AT firmware turned
 * it off before it booted DOS. */
#include "base/fifo.h"
#include "core/machine.h"
#include "devices/ps2.h"
#include <errno.h>

enum { OBF = 1 << 0, IBF = 1 << 1, SYS = 1 << 2, A2 = 1 << 3, UNLOCKED = 1 << 4, AUX_OBF = 1 << 5,
       TIMEOUT = 1 << 6, CCB_INT = 1 << 0, CCB_INT2 = 1 << 1, CCB_SYS = 1 << 2, CCB_EN = 1 << 4,
       CCB_EN2 = 1 << 5, CCB_XLATE = 1 << 6, P2_RESET = 1 << 0, P2_A20 = 1 << 1, P2_IRQ1 = 1 << 4,
       P2_IRQ12 = 1 << 5, P2_IDLE = 0xcf, P1_OPEN = 0xa0, TEST_OK = 0x55, NO_PASSWORD = 0xf1, VERSION = 'H', RESEND = 0xfe,
       BREAK = 0xf0, RAM = 32, REPLY = 16 };
enum { INPUT_NS = 8000, REPLY_NS = 20000, BYTE_NS = 900000 };
enum { CMD_READ_RAM = 0x20, CMD_WRITE_RAM = 0x60, CMD_AUX_OFF = 0xa7, CMD_AUX_ON, CMD_AUX_TEST, CMD_SELF_TEST,
       CMD_KBD_TEST, CMD_VERSION = 0xa1, CMD_PASSWORD = 0xa4, CMD_KBD_OFF = 0xad, CMD_KBD_ON,
       CMD_READ_P1 = 0xc0, CMD_POLL_LOW, CMD_POLL_HIGH, CMD_READ_P2 = 0xd0, CMD_WRITE_P2, CMD_KBD_OUTPUT, CMD_AUX_OUTPUT, CMD_TO_AUX, CMD_A20_OFF = 0xdd,
       CMD_A20_ON = 0xdf, CMD_TEST_INPUTS, CMD_PULSE = 0xf0 };

struct i8042 {
    struct device dev;
    uint16_t iobase;
    struct wire irq1, irq12, a20, reset;
    struct ps2_port port[2];
    uint8_t status, output, input;
    uint8_t command;                            /* waits for its parameter, else 0 */
    uint8_t ram[RAM], p2;                       /* ram[0] is the command byte */
    uint8_t polling;                            /* C1h or C2h: half of the input port shows in the status; else 0 */
    bool breaking;                              /* F0h was translated away: the next code is a break */
    struct fifo reply;                          /* pairs: AUX_OBF and TIMEOUT flags, byte */
    int64_t line_free;                          /* when the last byte to a device is through */
    struct timer input_timer, output_timer;
};

static void i8042_update_irq(struct i8042 *k)
{
    bool full = k->status & OBF, aux = k->status & AUX_OBF;
    wire_set(&k->irq1, full && !aux && k->ram[0] & CCB_INT);
    wire_set(&k->irq12, full && aux && k->ram[0] & CCB_INT2);
}

/* --- the output buffer --- */

static void kbc_reply(struct i8042 *k, uint8_t flags, uint8_t byte)
{
    if (k->reply.count + 2 > k->reply.limit)
        return;
    fifo_push(&k->reply, flags);
    fifo_push(&k->reply, byte);
}

static bool kbc_line_waits(const struct i8042 *k, unsigned n)
{
    const struct ps2_port *p = &k->port[n];
    return !(k->ram[0] & (n ? CCB_EN2 : CCB_EN)) && p->device && p->pending(p->device);
}

/* When the next byte will be in the output buffer. */
static void kbc_schedule(struct i8042 *k)
{
    struct clock *clock = &k->dev.machine->clock;
    int64_t now = clock_now(clock), deadline = TIMER_NEVER;
    if (!(k->status & OBF)) {
        if (k->reply.count)
            deadline = now + REPLY_NS;
        else if (kbc_line_waits(k, 0) || kbc_line_waits(k, 1))
            deadline = MAX(now, k->line_free) + BYTE_NS;
    }
    if (deadline == TIMER_NEVER)
        timer_stop(clock, &k->output_timer);
    else if (deadline < k->output_timer.deadline)
        timer_at(clock, &k->output_timer, deadline);
}

static void kbc_fill(struct i8042 *k, uint8_t flags, uint8_t byte)
{
    k->output = byte;
    k->status = (uint8_t)((k->status & ~(AUX_OBF | TIMEOUT)) | OBF | flags);
}

static void kbc_from_keyboard(struct i8042 *k, uint8_t byte)
{
    if (!(k->ram[0] & CCB_XLATE)) {
        kbc_fill(k, 0, byte);
    } else if (byte == BREAK) {
        k->breaking = true;
    } else {
        kbc_fill(k, 0, (uint8_t)(ps2_translate(byte) | (k->breaking ? 0x80 : 0)));
        k->breaking = false;
    }
}

static void kbc_output_due(void *chip)
{
    struct i8042 *k = chip;
    if (!(k->status & OBF)) {
        if (k->reply.count) {
            uint8_t flags = fifo_pop(&k->reply);
            kbc_fill(k, flags, fifo_pop(&k->reply));
        } else if (kbc_line_waits(k, 0)) {
            kbc_from_keyboard(k, k->port[0].take(k->port[0].device));
        } else if (kbc_line_waits(k, 1)) {
            kbc_fill(k, AUX_OBF, k->port[1].take(k->port[1].device));
        }
    }
    kbc_schedule(k);
    i8042_update_irq(k);
}

static void kbc_line_ready(struct ps2_port *port)
{
    kbc_schedule(port->controller);
}

/* --- the input buffer --- */

/* Over the line to a device. Sending also enables the line; silence is answered for the device with FEh
 * and a time-out. */
static void kbc_send(struct i8042 *k, unsigned n, uint8_t byte)
{
    struct ps2_port *p = &k->port[n];
    k->ram[0] &= (uint8_t)~(n ? CCB_EN2 : CCB_EN);
    if (!p->device) {
        kbc_reply(k, (n ? AUX_OBF : 0) | TIMEOUT, RESEND);
        return;
    }
    if (n == 0)
        k->breaking = false;
    k->line_free = clock_now(&k->dev.machine->clock) + BYTE_NS;
    timer_stop(&k->dev.machine->clock, &k->output_timer);       /* a byte that was on its way is sent anew */
    p->receive(p->device, byte);
}

static void kbc_cpu_reset(struct i8042 *k)
{
    if (k->reset.to)
        wire_pulse(&k->reset);
    else
        machine_cpu_reset(k->dev.machine);
}

static void kbc_write_p2(struct i8042 *k, uint8_t value)
{
    k->p2 = value;
    wire_set(&k->a20, value & P2_A20);
    if (!(value & P2_RESET))
        kbc_cpu_reset(k);
}

static uint8_t kbc_read_p2(const struct i8042 *k)
{
    bool full = k->status & OBF, aux = k->status & AUX_OBF;
    return (uint8_t)((k->p2 & ~(P2_IRQ1 | P2_IRQ12)) | (full && !aux ? P2_IRQ1 : 0) |
                     (full && aux ? P2_IRQ12 : 0));
}

static void kbc_parameter(struct i8042 *k, uint8_t byte)
{
    uint8_t command = k->command;
    k->command = 0;
    switch (command) {
    case 0:
        kbc_send(k, 0, byte);
        break;
    case CMD_WRITE_P2:
        kbc_write_p2(k, byte);
        break;
    case CMD_KBD_OUTPUT:
        kbc_reply(k, 0, byte);
        break;
    case CMD_AUX_OUTPUT:
        kbc_reply(k, AUX_OBF, byte);
        break;
    case CMD_TO_AUX:
        kbc_send(k, 1, byte);
        break;
    default:
        k->ram[command & (RAM - 1)] = byte;
        if (command == CMD_WRITE_RAM)
            k->status = (uint8_t)((k->status & ~SYS) | (byte & CCB_SYS));
    }
}

static void kbc_self_test(struct i8042 *k)
{
    k->status |= SYS;
    k->ram[0] |= CCB_SYS;
    kbc_reply(k, 0, TEST_OK);
}

static void kbc_command(struct i8042 *k, uint8_t c)
{
    k->command = k->polling = 0;
    if (c >= CMD_READ_RAM && c < CMD_READ_RAM + RAM) {
        kbc_reply(k, 0, k->ram[c & (RAM - 1)]);
        return;
    }
    if (c >= CMD_WRITE_RAM && c < CMD_WRITE_RAM + RAM) {
        k->command = c;
        return;
    }
    if (c >= CMD_PULSE) {    /* a 0 in bits 0-3 pulses that pin of P2; only bit 0 leads anywhere */
        if (!(c & P2_RESET))
            kbc_cpu_reset(k);
        return;
    }
    switch (c) {
    case CMD_VERSION: kbc_reply(k, 0, VERSION); break;          /* a letter, as AMI's controllers say [RBIL] */
    case CMD_POLL_LOW:
    case CMD_POLL_HIGH: k->polling = c; break;
    case CMD_PASSWORD: kbc_reply(k, 0, NO_PASSWORD); break;
    case CMD_AUX_OFF: k->ram[0] |= CCB_EN2; break;
    case CMD_AUX_ON: k->ram[0] &= (uint8_t)~CCB_EN2; break;
    case CMD_AUX_TEST: kbc_reply(k, 0, 0); break;
    case CMD_SELF_TEST: kbc_self_test(k); break;
    case CMD_KBD_TEST: kbc_reply(k, 0, 0); break;
    case CMD_KBD_OFF: k->ram[0] |= CCB_EN; break;
    case CMD_KBD_ON: k->ram[0] &= (uint8_t)~CCB_EN; break;
    case CMD_READ_P1: kbc_reply(k, 0, P1_OPEN); break;
    case CMD_READ_P2: kbc_reply(k, 0, kbc_read_p2(k)); break;
    case CMD_A20_OFF: kbc_write_p2(k, k->p2 & (uint8_t)~P2_A20); break;
    case CMD_A20_ON: kbc_write_p2(k, k->p2 | P2_A20); break;
    case CMD_TEST_INPUTS: kbc_reply(k, 0, 0); break;
    case CMD_WRITE_P2:
    case CMD_KBD_OUTPUT:
    case CMD_AUX_OUTPUT:
    case CMD_TO_AUX: k->command = c; break;
    default: log_device(&k->dev, LOG_STUB, "command %02x is not modelled", c);
    }
}

static void kbc_input_due(void *chip)
{
    struct i8042 *k = chip;
    if (!(k->status & IBF))
        return;
    k->status &= (uint8_t)~IBF;
    if (k->status & A2)
        kbc_command(k, k->input);
    else
        kbc_parameter(k, k->input);
    kbc_schedule(k);
    i8042_update_irq(k);
}

/* What is due by now, whether or not the machine's loop woke up for it yet. */
static void kbc_catch_up(struct i8042 *k)
{
    struct clock *clock = &k->dev.machine->clock;
    int64_t now = clock_now(clock);
    if (k->input_timer.deadline <= now) {
        timer_stop(clock, &k->input_timer);
        kbc_input_due(k);
    }
    if (k->output_timer.deadline <= now) {
        timer_stop(clock, &k->output_timer);
        kbc_output_due(k);
    }
}

static uint64_t kbc_read(void *chip, uint64_t offset, unsigned size)
{
    struct i8042 *k = chip;
    (void)size;
    kbc_catch_up(k);
    if (offset && k->polling)                   /* until the next command [PS2TRM, C1h, C2h] */
        return (k->status & 0x0f) | (k->polling == CMD_POLL_LOW ? P1_OPEN << 4 & 0xf0 : P1_OPEN & 0xf0);
    if (offset)
        return k->status;
    k->status &= (uint8_t)~OBF;                 /* the byte stays and can be read again */
    kbc_schedule(k);
    i8042_update_irq(k);
    return k->output;
}

static void kbc_write(struct i8042 *k, uint8_t value, bool command)
{
    struct clock *clock = &k->dev.machine->clock;
    kbc_catch_up(k);
    if (k->status & IBF) {
        timer_stop(clock, &k->input_timer);
        kbc_input_due(k);
    }
    k->input = value;
    k->status = (uint8_t)((k->status & ~A2) | IBF | (command ? A2 : 0));
    timer_at(clock, &k->input_timer, clock_now(clock) + INPUT_NS);
    i8042_update_irq(k);
}

static void kbc_write_data(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    kbc_write(chip, (uint8_t)value, false);
}

static void kbc_write_command(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    kbc_write(chip, (uint8_t)value, true);
}

static uint64_t kbc_read_status(void *chip, uint64_t offset, unsigned size)
{
    (void)offset;
    return kbc_read(chip, 4, size);
}

static const struct io_ops kbc_data_io = { kbc_read, kbc_write_data, IO_8 };
static const struct io_ops kbc_command_io = { kbc_read_status, kbc_write_command, IO_8 };

struct ps2_port *i8042_port(struct device *dev, unsigned port)
{
    return &container_of(dev, struct i8042, dev)->port[port & 1];
}

static bool kbc_init(struct device *dev, struct error *err)
{
    struct i8042 *k = container_of(dev, struct i8042, dev);
    (void)err;
    timer_init(&k->input_timer, kbc_input_due, k);
    timer_init(&k->output_timer, kbc_output_due, k);
    k->reply.limit = REPLY;
    for (unsigned n = 0; n < 2; n++) {
        k->port[n].controller = k;
        k->port[n].ready = kbc_line_ready;
    }
    space_map_io(dev->machine->ports, k->iobase, 1, &kbc_data_io, k, 0);
    space_map_io(dev->machine->ports, k->iobase + 4u, 1, &kbc_command_io, k, 0);
    return true;
}

static void kbc_reset(struct device *dev, enum reset_kind kind)
{
    struct i8042 *k = container_of(dev, struct i8042, dev);
    (void)kind;
    timer_stop(&dev->machine->clock, &k->input_timer);
    timer_stop(&dev->machine->clock, &k->output_timer);
    k->status = UNLOCKED;
    k->output = k->input = k->command = k->polling = 0;
    k->breaking = false;
    k->line_free = 0;
    k->reply = (struct fifo){ .limit = REPLY };
    memset(k->ram, 0, sizeof(k->ram));
    k->ram[0] = CCB_EN | CCB_EN2 | CCB_XLATE;
    k->p2 = P2_IDLE;
    wire_set(&k->a20, true);
    i8042_update_irq(k);
}

static bool kbc_restored(struct device *dev)
{
    struct i8042 *k = container_of(dev, struct i8042, dev);
    if (k->reply.limit != REPLY || k->reply.count > REPLY || k->reply.count & 1 ||
        k->line_free > INT64_MAX / 2)
        return false;
    return true;
}

static const struct state_field kbc_state[] = {
    FIELD(struct i8042, status), FIELD(struct i8042, output), FIELD(struct i8042, input),
    FIELD(struct i8042, command), FIELD_ARRAY(struct i8042, ram), FIELD(struct i8042, p2),
    FIELD(struct i8042, breaking), FIELD_STRUCT(struct i8042, reply, fifo_state),
    FIELD(struct i8042, line_free), FIELD(struct i8042, input_timer), FIELD(struct i8042, output_timer),
    FIELD_SINCE(2, struct i8042, polling), END
};
static const struct property kbc_properties[] = {
    PROPERTY(struct i8042, iobase, "0x60", "the data port; status is 4 above"), END
};
static const struct pin kbc_outputs[] = {
    PIN(struct i8042, irq1), PIN(struct i8042, irq12), PIN(struct i8042, a20), PIN(struct i8042, reset), END
};
const struct device_class i8042_class = {
    .name = "i8042", .summary = "keyboard and auxiliary device controller", .size = sizeof(struct i8042),
    .properties = kbc_properties, .outputs = kbc_outputs, .state = kbc_state, .state_version = 2,
    .init = kbc_init, .reset = kbc_reset, .restored = kbc_restored,
};
