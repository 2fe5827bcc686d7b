/* 16550A UART with 16-byte FIFOs. Read [PC16550D] "Registers" and "FIFO interrupt mode operation".
 *
 * In a PC: COM1 at 3F8h on IRQ4, COM2 at 2F8h on IRQ3; clock 1.8432 MHz. MCR's OUT2 gates the interrupt
 * onto the bus, so output "irq" is low while OUT2 is. The far end is the host's stream of the properties
 * `port` and `to` (core/sinks.h), a mouse (devices/serial.h), or nothing: then what is sent is gone, and
 * the modem lines are low.
 *
 * A character takes its bits' time on the line, both ways. Bytes from the host wait on the line while the
 * receive FIFO is full: the far end is taken to honour flow control, so they never overrun; in loopback a
 * guest can overrun itself. Breaks and errors of the far end come with their character.
 *
 * References: [PC16550D]
 * Not modelled: DMA signals TXRDY and RXRDY. A divisor of 0 counts as 1. */
#include "base/fifo.h"
#include "core/machine.h"
#include "devices/serial.h"
#include <errno.h>

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };        /* THR is RBR's, FCR is IIR's write side */
enum { IER_ERBFI = 1 << 0, IER_ETBEI = 1 << 1, IER_ELSI = 1 << 2, IER_EDSSI = 1 << 3, IER_BITS = 15,
       IIR_NONE = 1, IIR_MODEM = 0, IIR_THRE = 2, IIR_DATA = 4, IIR_LINE = 6, IIR_TIMEOUT = 12,
       IIR_FIFOS = 0xc0, FCR_ENABLE = 1 << 0, FCR_CLEAR_RX = 1 << 1, FCR_CLEAR_TX = 1 << 2,
       FCR_TRIGGER_SHIFT = 6, FCR_KEPT = 0xc9, LCR_WLS = 3, LCR_STB = 1 << 2, LCR_PEN = 1 << 3,
       LCR_EPS = 1 << 4, LCR_STICK = 1 << 5, LCR_BREAK = 1 << 6, LCR_DLAB = 1 << 7, MCR_DTR = 1 << 0,
       MCR_RTS = 1 << 1, MCR_OUT1 = 1 << 2, MCR_OUT2 = 1 << 3, MCR_LOOP = 1 << 4, MCR_BITS = 31,
       LSR_DR = 1 << 0, LSR_OE = 1 << 1, LSR_PE = 1 << 2, LSR_FE = 1 << 3, LSR_BI = 1 << 4, LSR_THRE = 1 << 5,
       LSR_TEMT = 1 << 6, LSR_FIFO_ERROR = 1 << 7, LSR_ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI,
       MSR_DCTS = 1 << 0, MSR_DDSR = 1 << 1, MSR_TERI = 1 << 2, MSR_DDCD = 1 << 3, MSR_DELTAS = 15,
       MSR_CTS = 1 << 4, MSR_DSR = 1 << 5, MSR_RI = 1 << 6, MSR_DCD = 1 << 7 };
enum { BASE_BAUD = 115200, DEPTH = 16, LINE_BUFFER = 64, TIMEOUT_CHARACTERS = 4 };

struct ns16550a {
    struct device dev;
    uint16_t iobase;
    uint8_t port;
    char *to;                                   /* properties */
    struct wire irq;
    struct stream_end *end;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr, tsr;    /* lsr: the error bits only; the others are computed */
    uint16_t divisor;
    uint8_t lines;                              /* MODEM_CTS ... as the far end drives them */
    bool thre_pending;                          /* THRE interrupt not yet taken notice of */
    bool timed_out;                             /* characters lie in the FIFO and nobody came for them */
    bool sending;                               /* tsr holds a character */
    /* rx_errors: a byte of LSR bits each; waiting: on the line, with its errors */
    struct fifo rx, rx_errors, tx, waiting, waiting_errors;
    struct timer send, receive, timeout;
};

static bool uart_fifos(const struct ns16550a *u) { return u->fcr & FCR_ENABLE; }

/* A character's time: start, data, parity and stop bits. */
static int64_t uart_character(const struct ns16550a *u)
{
    unsigned bits = 1 + 5 + (u->lcr & LCR_WLS) + (u->lcr & LCR_PEN ? 1 : 0) + (u->lcr & LCR_STB ? 2 : 1);
    return muldiv((int64_t)bits * MAX(u->divisor, 1), NS_PER_S, BASE_BAUD);
}

static unsigned uart_trigger(const struct ns16550a *u)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };
    return uart_fifos(u) ? levels[u->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

static uint8_t uart_iir(const struct ns16550a *u)
{
    uint8_t errors = u->rx.count ? fifo_peek(&u->rx_errors, 0) : 0;
    if (u->ier & IER_ELSI && (u->lsr | errors) & LSR_ERRORS)
        return IIR_LINE;
    if (u->ier & IER_ERBFI && u->rx.count >= uart_trigger(u))
        return IIR_DATA;
    if (u->ier & IER_ERBFI && u->timed_out)
        return IIR_TIMEOUT;
    if (u->ier & IER_ETBEI && u->thre_pending)
        return IIR_THRE;
    if (u->ier & IER_EDSSI && u->msr & MSR_DELTAS)
        return IIR_MODEM;
    return IIR_NONE;
}

static void ns16550a_update_irq(struct ns16550a *u)
{
    wire_set(&u->irq, uart_iir(u) != IIR_NONE && u->mcr & MCR_OUT2 && !(u->mcr & MCR_LOOP));
}

/* --- modem lines --- */

static void uart_update_modem(struct ns16550a *u)
{
    uint8_t now, old = u->msr;
    if (u->mcr & MCR_LOOP)
        now = (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                        (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
    else
        now = (uint8_t)((u->lines & MODEM_CTS ? MSR_CTS : 0) | (u->lines & MODEM_DSR ? MSR_DSR : 0) |
                        (u->lines & MODEM_RI ? MSR_RI : 0) | (u->lines & MODEM_DCD ? MSR_DCD : 0));
    uint8_t moved = now ^ old;
    now |= old & MSR_DELTAS;
    now |= (moved & MSR_CTS ? MSR_DCTS : 0) | (moved & MSR_DSR ? MSR_DDSR : 0);
    now |= moved & MSR_DCD ? MSR_DDCD : 0;
    now |= moved & old & MSR_RI ? MSR_TERI : 0;         /* the trailing edge */
    u->msr = now;
}

static void uart_tell_modem(struct ns16550a *u)
{
    if (!u->end || !u->end->modem)
        return;
    bool loop = u->mcr & MCR_LOOP;              /* the pins are high, that is off, in loopback */
    unsigned lines = (u->mcr & MCR_DTR ? MODEM_DTR : 0) | (u->mcr & MCR_RTS ? MODEM_RTS : 0);
    u->end->modem(u->end->backend, loop ? 0 : lines);
}

static void uart_tell_settings(struct ns16550a *u)
{
    if (!u->end || !u->end->settings)
        return;
    bool even = u->lcr & LCR_EPS;
    char parity = !(u->lcr & LCR_PEN) ? 'N' : u->lcr & LCR_STICK ? (even ? 'S' : 'M') : even ? 'E' : 'O';
    u->end->settings(u->end->backend, BASE_BAUD / MAX(u->divisor, 1u), 5u + (u->lcr & LCR_WLS), parity,
                     u->lcr & LCR_STB ? 2 : 1, u->lcr & LCR_BREAK);
}

/* --- receiving --- */

static void uart_restart_timeout(struct ns16550a *u)
{
    struct clock *clock = &u->dev.machine->clock;
    u->timed_out = false;
    if (uart_fifos(u) && u->rx.count)
        timer_at(clock, &u->timeout, clock_now(clock) + TIMEOUT_CHARACTERS * uart_character(u));
    else
        timer_stop(clock, &u->timeout);
}

static void uart_timed_out(void *chip)
{
    struct ns16550a *u = chip;
    u->timed_out = u->rx.count > 0;
    ns16550a_update_irq(u);
}

/* A character is complete. Overrun: with FIFOs the new one is lost, without the old one [PC16550D, LSR bit
 * 1]. */
static void uart_put_rx(struct ns16550a *u, uint8_t byte, uint8_t errors)
{
    unsigned depth = uart_fifos(u) ? DEPTH : 1;
    if (u->rx.count >= depth) {
        u->lsr |= LSR_OE;
        if (uart_fifos(u))
            return;
        fifo_clear(&u->rx);
        fifo_clear(&u->rx_errors);
    }
    fifo_push(&u->rx, byte);
    fifo_push(&u->rx_errors, errors);
    uart_restart_timeout(u);
}

/* The next character from the host starts when the line is free and the chip has room. */
static void uart_start_receive(struct ns16550a *u)
{
    struct clock *clock = &u->dev.machine->clock;
    unsigned depth = uart_fifos(u) ? DEPTH : 1;
    if (u->waiting.count && !timer_running(&u->receive) && u->rx.count < depth && !(u->mcr & MCR_LOOP))
        timer_at(clock, &u->receive, clock_now(clock) + uart_character(u));
}

static void uart_received(void *chip)
{
    struct ns16550a *u = chip;
    if (u->waiting.count && u->rx.count < (uart_fifos(u) ? DEPTH : 1) && !(u->mcr & MCR_LOOP)) {
        uint8_t errors = u->waiting_errors.count ? fifo_pop(&u->waiting_errors) : 0;
        uart_put_rx(u, fifo_pop(&u->waiting), errors & LSR_ERRORS);
    }
    uart_start_receive(u);
    ns16550a_update_irq(u);
}

static uint8_t uart_read_rbr(struct ns16550a *u)
{
    if (!u->rx.count)
        return 0;
    uint8_t byte = fifo_pop(&u->rx);
    u->lsr |= fifo_pop(&u->rx_errors);
    uart_restart_timeout(u);
    uart_start_receive(u);
    return byte;
}

/* --- sending --- */

static void uart_start_send(struct ns16550a *u)
{
    struct clock *clock = &u->dev.machine->clock;
    if (u->sending || !u->tx.count)
        return;
    u->tsr = fifo_pop(&u->tx);
    u->sending = true;
    if (!u->tx.count)
        u->thre_pending = true;
    timer_at(clock, &u->send, clock_now(clock) + uart_character(u));
}

/* The last bit is out. A far end that has no room holds the transmitter until it drains. */
static void uart_sent(void *chip)
{
    struct ns16550a *u = chip;
    uint8_t byte = u->tsr & (uint8_t)(0xff >> (3 - (u->lcr & LCR_WLS)));
    if (u->mcr & MCR_LOOP)
        uart_put_rx(u, byte, 0);
    else if (u->end && u->end->write && !u->end->write(u->end->backend, &byte, 1))
        return;
    u->sending = false;
    uart_start_send(u);
    ns16550a_update_irq(u);
}

static void uart_write_thr(struct ns16550a *u, uint8_t byte)
{
    /* a guest that did not look at THRE overwrites or loses */
    if (u->tx.count >= (uart_fifos(u) ? DEPTH : 1)) {
        if (uart_fifos(u))
            return;
        fifo_clear(&u->tx);
    }
    fifo_push(&u->tx, byte);
    u->thre_pending = false;
    uart_start_send(u);
}

/* --- registers --- */

/* What is due by now, whether or not the machine's loop woke up for it yet. */
static void uart_catch_up(struct ns16550a *u)
{
    struct clock *clock = &u->dev.machine->clock;
    if (u->send.deadline <= clock_now(clock)) {
        timer_stop(clock, &u->send);
        uart_sent(u);
    }
    if (u->receive.deadline <= clock_now(clock)) {
        timer_stop(clock, &u->receive);
        uart_received(u);
    }
}

static uint8_t uart_read_lsr(struct ns16550a *u)
{
    uint8_t errors = 0, value = u->lsr;
    for (unsigned i = 0; i < u->rx_errors.count; i++)
        errors |= fifo_peek(&u->rx_errors, i);
    if (u->rx.count)
        value |= LSR_DR | fifo_peek(&u->rx_errors, 0);
    value |= (!u->tx.count ? LSR_THRE : 0) | (!u->tx.count && !u->sending ? LSR_TEMT : 0);
    value |= uart_fifos(u) && errors ? LSR_FIFO_ERROR : 0;
    u->lsr = 0;    /* reading clears the error bits, of the character on top too */
    if (u->rx.count)
        u->rx_errors.bytes[u->rx_errors.head % FIFO_SIZE] = 0;
    return value;
}

static uint8_t uart_read_iir(struct ns16550a *u)
{
    uint8_t iir = uart_iir(u);
    if (iir == IIR_THRE)
        u->thre_pending = false;    /* the read is the acknowledge, if it is this one [PC16550D, table IV] */
    return iir | (uart_fifos(u) ? IIR_FIFOS : 0);
}

static uint64_t uart_read(void *chip, uint64_t offset, unsigned size)
{
    struct ns16550a *u = chip;
    uint8_t value = 0;
    (void)size;
    uart_catch_up(u);
    if (offset <= IER && u->lcr & LCR_DLAB)
        return offset ? u->divisor >> 8 : u->divisor & 0xff;
    switch (offset) {
    case RBR: value = uart_read_rbr(u); break;
    case IER: value = u->ier; break;
    case IIR: value = uart_read_iir(u); break;
    case LCR: value = u->lcr; break;
    case MCR: value = u->mcr; break;
    case LSR: value = uart_read_lsr(u); break;
    case MSR:
        value = u->msr;
        u->msr &= (uint8_t)~MSR_DELTAS;
        break;
    case SCR: value = u->scr; break;
    }
    ns16550a_update_irq(u);
    return value;
}

/* Enabling the THRE interrupt while THR is empty asks for it at once. */
static void uart_write_ier(struct ns16550a *u, uint8_t value)
{
    if (value & ~u->ier & IER_ETBEI && !u->tx.count)
        u->thre_pending = true;
    u->ier = value & IER_BITS;
}

/* Turning the FIFOs on or off empties them; other bits count only with bit 0 [PC16550D, FCR]. */
static void uart_write_fcr(struct ns16550a *u, uint8_t value)
{
    bool toggled = (value ^ u->fcr) & FCR_ENABLE;
    if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_RX)) {
        fifo_clear(&u->rx);
        fifo_clear(&u->rx_errors);
    }
    if (toggled || (value & FCR_ENABLE && value & FCR_CLEAR_TX)) {
        u->thre_pending |= u->tx.count > 0;
        fifo_clear(&u->tx);
    }
    u->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    uart_restart_timeout(u);
    uart_start_receive(u);
}

static void uart_write_lcr(struct ns16550a *u, uint8_t value)
{
    bool breaks = value & ~u->lcr & LCR_BREAK;
    u->lcr = value;
    if (breaks && u->mcr & MCR_LOOP)
        uart_put_rx(u, 0, LSR_BI);
    uart_tell_settings(u);
}

static void uart_write_mcr(struct ns16550a *u, uint8_t value)
{
    u->mcr = value & MCR_BITS;
    uart_update_modem(u);
    uart_tell_modem(u);
    uart_start_receive(u);
}

static void uart_write(void *chip, uint64_t offset, unsigned size, uint64_t v)
{
    struct ns16550a *u = chip;
    uint8_t value = (uint8_t)v;
    (void)size;
    uart_catch_up(u);
    if (offset <= IER && u->lcr & LCR_DLAB) {
        u->divisor = (uint16_t)(offset ? (u->divisor & 0xff) | value << 8 : (u->divisor & 0xff00) | value);
        uart_tell_settings(u);
        return;
    }
    switch (offset) {
    case RBR: uart_write_thr(u, value); break;
    case IER: uart_write_ier(u, value); break;
    case IIR: uart_write_fcr(u, value); break;
    case LCR: uart_write_lcr(u, value); break;
    case MCR: uart_write_mcr(u, value); break;
    case MSR:                                   /* the deltas can be written, for tests of drivers */
        u->msr = (uint8_t)((u->msr & ~MSR_DELTAS) | (value & MSR_DELTAS));
        break;
    case SCR: u->scr = value; break;
    }
    ns16550a_update_irq(u);
}

static const struct io_ops uart_io = { uart_read, uart_write, IO_8 };

/* --- the host's side --- */

static size_t uart_end_room(void *chip)
{
    struct ns16550a *u = chip;
    return (size_t)(LINE_BUFFER - MIN(u->waiting.count, LINE_BUFFER));
}

static void uart_end_receive_bad(void *chip, uint8_t byte, unsigned errors)
{
    struct ns16550a *u = chip;
    if (fifo_push(&u->waiting, byte))
        fifo_push(&u->waiting_errors, (uint8_t)errors);
    uart_start_receive(u);
}

static void uart_end_receive(void *chip, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        uart_end_receive_bad(chip, bytes[i], 0);
}

static void uart_end_modem(void *chip, unsigned lines)
{
    struct ns16550a *u = chip;
    u->lines = lines & (MODEM_CTS | MODEM_DSR | MODEM_RI | MODEM_DCD);
    uart_update_modem(u);
    ns16550a_update_irq(u);
}

static void uart_end_drained(void *chip)
{
    struct ns16550a *u = chip;
    if (u->sending && !timer_running(&u->send))
        uart_sent(u);
}

void ns16550a_plug(struct device *dev, struct stream_end *end)
{
    struct ns16550a *u = container_of(dev, struct ns16550a, dev);
    u->end = end;
    end->chip = u;
    end->room = uart_end_room;
    end->receive = uart_end_receive;
    end->receive_bad = uart_end_receive_bad;
    end->modem_in = uart_end_modem;
    end->drained = uart_end_drained;
    /* a plugged cable, until the far end says otherwise */
    u->lines = MODEM_CTS | MODEM_DSR | MODEM_DCD;
}

static bool uart_init(struct device *dev, struct error *err)
{
    struct ns16550a *u = container_of(dev, struct ns16550a, dev);
    const struct host *host = dev->machine->host;
    timer_init(&u->send, uart_sent, u);
    timer_init(&u->receive, uart_received, u);
    timer_init(&u->timeout, uart_timed_out, u);
    u->rx.limit = u->rx_errors.limit = u->tx.limit = DEPTH;
    u->waiting.limit = u->waiting_errors.limit = LINE_BUFFER;
    err->code = 0;
    bool mouse = !strncmp(u->to, "mouse", 5);   /* the board plugs it in */
    struct stream_end *end = host->serial && !mouse ? host->serial(host->ui, dev->machine, u->port, u->to, err) : NULL;
    if (!end && err->code)
        return false;
    if (end)
        ns16550a_plug(dev, end);
    space_map_io(dev->machine->ports, u->iobase, 8, &uart_io, u, 0);
    return true;
}

/* MR leaves RBR, the divisor and the scratch register as they are [PC16550D, table I]. */
static void uart_reset(struct device *dev, enum reset_kind kind)
{
    struct ns16550a *u = container_of(dev, struct ns16550a, dev);
    struct clock *clock = &dev->machine->clock;
    timer_stop(clock, &u->send);
    timer_stop(clock, &u->timeout);
    u->ier = u->fcr = u->lcr = u->mcr = u->lsr = u->tsr = 0;
    u->thre_pending = u->timed_out = u->sending = false;
    u->rx = u->rx_errors = u->tx = (struct fifo){ .limit = DEPTH };
    if (kind == RESET_POWER) {
        timer_stop(clock, &u->receive);
        u->waiting = u->waiting_errors = (struct fifo){ .limit = LINE_BUFFER };
        u->divisor = 1;
        u->scr = 0;
    }
    uart_update_modem(u);
    uart_tell_modem(u);
    u->msr &= (uint8_t)~MSR_DELTAS;
    uart_start_receive(u);
    ns16550a_update_irq(u);
}

static bool uart_restored(struct device *dev)
{
    struct ns16550a *u = container_of(dev, struct ns16550a, dev);
    if (!u->waiting_errors.count)               /* an older version did not save them */
        while (u->waiting_errors.count < u->waiting.count && fifo_push(&u->waiting_errors, 0))
            ;
    if (u->rx.limit != DEPTH || u->rx_errors.limit != DEPTH || u->tx.limit != DEPTH ||
        u->waiting.limit != LINE_BUFFER || u->rx.count > DEPTH || u->rx_errors.count != u->rx.count ||
        u->tx.count > DEPTH || u->waiting.count > LINE_BUFFER || u->waiting_errors.limit != LINE_BUFFER ||
        u->waiting_errors.count != u->waiting.count)
        return false;
    uart_tell_modem(u);
    uart_tell_settings(u);
    if (u->sending && !timer_running(&u->send)) /* the far end had no room; this one may */
        timer_at(&dev->machine->clock, &u->send, clock_now(&dev->machine->clock));
    return true;
}

static void uart_free(struct device *dev)
{
    struct ns16550a *u = container_of(dev, struct ns16550a, dev);
    if (u->end && u->end->close)
        u->end->close(u->end->backend);
}

static const struct state_field uart_state[] = {
    FIELD(struct ns16550a, ier), FIELD(struct ns16550a, fcr), FIELD(struct ns16550a, lcr),
    FIELD(struct ns16550a, mcr), FIELD(struct ns16550a, lsr), FIELD(struct ns16550a, msr),
    FIELD(struct ns16550a, scr), FIELD(struct ns16550a, tsr), FIELD(struct ns16550a, divisor),
    FIELD(struct ns16550a, lines), FIELD(struct ns16550a, thre_pending), FIELD(struct ns16550a, timed_out),
    FIELD(struct ns16550a, sending), FIELD_STRUCT(struct ns16550a, rx, fifo_state),
    FIELD_STRUCT(struct ns16550a, rx_errors, fifo_state), FIELD_STRUCT(struct ns16550a, tx, fifo_state),
    FIELD_STRUCT(struct ns16550a, waiting, fifo_state),
    FIELD_STRUCT_SINCE(2, struct ns16550a, waiting_errors, fifo_state), FIELD(struct ns16550a, send),
    FIELD(struct ns16550a, receive), FIELD(struct ns16550a, timeout), END
};
static const struct property uart_properties[] = {
    PROPERTY(struct ns16550a, to, "",
             "what is plugged in: pty, tcp:HOST:PORT, tcp-listen:PORT, file:F, stdio, tty:DEVICE, mouse, loop"),
    PROPERTY(struct ns16550a, iobase, "0x3f8", "first of the eight ports"),
    PROPERTY(struct ns16550a, port, "0", "which of the host's serial streams is at the far end"), END
};
static const struct pin uart_outputs[] = { PIN(struct ns16550a, irq), END };
const struct device_class ns16550a_class = {
    .name = "ns16550a", .summary = "serial port", .size = sizeof(struct ns16550a),
    .properties = uart_properties, .outputs = uart_outputs, .state = uart_state, .state_version = 2,
    .init = uart_init, .reset = uart_reset, .restored = uart_restored, .free = uart_free,
};
