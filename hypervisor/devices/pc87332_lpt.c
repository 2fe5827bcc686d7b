/* The parallel port of a Super I/O chip: SPP, PS/2, EPP and ECP. Read [PC87332] "Parallel port" and [ECP] for the registers at
 * +400h.
 *
 * In a PC: LPT1 at 378h on IRQ7, LPT2 at 278h on IRQ5, or at 3BCh. The far end is the host's, by the property `to`: a printer,
 * whose side of the Centronics handshake is played here, or a cable whose lines the guest sees as they are (core/sinks.h), or
 * nothing: then the lines float and it looks switched off.
 *
 * The printer takes a byte at the strobe, at once. nAck stays low until the status register was read once, so that a program
 * that polls for it (the BIOS does) never misses it, on however busy a host. A printer without room is busy until it has some.
 * In FIFO modes bytes leave as fast as the far end takes them.
 *
 * References: [PC87332], [ECP], [IEEE1284]
 * Not modelled: DMA of the ECP modes (CNFGB says that none is wired), ECP's reverse channel, commands and run-length bytes, the
 * chip's configuration registers. A printer takes the EPP and ECP cycles of any driver, and answers no negotiation. */
#include "base/fifo.h"
#include "core/machine.h"
#include <errno.h>

enum { DATA, DSR, DCR, EPP_ADDRESS, EPP_DATA };
enum { ECP_FIFO, CNFGB, ECR, ECP_BASE = 0x400 };        /* CNFGA is at ECP_FIFO in mode 7 */
enum { DSR_TIMEOUT = 1, DSR_UNUSED = 6, DSR_FLOATING = 0x78, DCR_IRQ = 16, DCR_UNUSED = 0xc0, DCR_BITS = 0x3f,
       ECR_EMPTY = 1, ECR_FULL = 2, ECR_SERVICE = 4, ECR_DMA = 8, ECR_NO_ERROR_IRQ = 16, ECR_MODE = 5 };
enum { MODE_SPP, MODE_PS2, MODE_FIFO, MODE_ECP, MODE_EPP, MODE_TEST = 6, MODE_CONFIG };
enum { DEPTH = 16, THRESHOLD = 8, CNFGA_VALUE = 0x14 };

struct pc87332_lpt {
    struct device dev;
    uint16_t iobase;
    uint8_t port, irq_number;
    bool ecp;
    char *to;                                   /* properties */
    struct wire irq;
    struct parallel_end *end;
    uint8_t data, dcr, ecr;
    bool acknowledged;                          /* nAck is low and was not looked at */
    bool busy;                                  /* data was strobed and the printer has no room for it */
    bool timeout, requested;                    /* of an EPP cycle; the interrupt */
    struct fifo fifo;
};

static unsigned lpt_mode(const struct pc87332_lpt *l) { return l->ecr >> ECR_MODE; }

static bool lpt_reverse(const struct pc87332_lpt *l)
{
    return l->dcr & PARALLEL_REVERSE && lpt_mode(l) != MODE_SPP && lpt_mode(l) != MODE_FIFO;
}

static void pc87332_lpt_update_irq(struct pc87332_lpt *l) { wire_set(&l->irq, l->requested); }

/* Each is an edge of its own, also when nobody saw the last one. */
static void lpt_interrupt(struct pc87332_lpt *l)
{
    l->requested = false;
    pc87332_lpt_update_irq(l);
    l->requested = true;
    pc87332_lpt_update_irq(l);
}

static void lpt_acknowledge(void *chip)
{
    struct pc87332_lpt *l = chip;
    if (l->dcr & DCR_IRQ)
        lpt_interrupt(l);
}

/* --- the far end ---------------------------------------------------------------------------------------------- */

static bool lpt_send(struct pc87332_lpt *l, uint8_t byte)
{
    return l->end && l->end->write && l->end->write(l->end->backend, &byte, 1);
}

static void lpt_strobe(struct pc87332_lpt *l)
{
    if (!l->end || !l->end->write)
        return;
    l->acknowledged = lpt_send(l, l->data);
    l->busy = !l->acknowledged;
    if (l->acknowledged)
        lpt_acknowledge(l);
}

static void lpt_tell(struct pc87332_lpt *l)
{
    if (l->end && l->end->lines)
        l->end->lines(l->end->backend, l->data, (uint8_t)((l->dcr & 15) | (lpt_reverse(l) ? PARALLEL_REVERSE : 0)));
}

/* Asks for service when THRESHOLD bytes can be moved, once: the bit is set until software clears it [ECP, 3.7]. */
static void lpt_service(struct pc87332_lpt *l)
{
    unsigned ready = lpt_reverse(l) ? l->fifo.count : (unsigned)(DEPTH - l->fifo.count);
    if (l->ecr & (ECR_SERVICE | ECR_DMA) || lpt_mode(l) < MODE_FIFO || lpt_mode(l) == MODE_EPP || ready < THRESHOLD)
        return;
    l->ecr |= ECR_SERVICE;
    lpt_interrupt(l);
}

static void lpt_drain(struct pc87332_lpt *l)
{
    bool moves = lpt_mode(l) == MODE_FIFO || (lpt_mode(l) == MODE_ECP && !lpt_reverse(l));
    while (moves && l->fifo.count && lpt_send(l, fifo_peek(&l->fifo, 0)))
        fifo_pop(&l->fifo);
    lpt_service(l);
}

static void lpt_drained(void *chip)
{
    struct pc87332_lpt *l = chip;
    if (l->busy)
        lpt_strobe(l);
    lpt_drain(l);
}

static uint8_t lpt_status(struct pc87332_lpt *l)
{
    uint8_t lines = l->end ? l->end->status(l->end->backend) : DSR_FLOATING;
    if (l->busy)
        lines &= (uint8_t)~PARALLEL_READY;
    if (l->acknowledged)
        lines &= (uint8_t)~PARALLEL_ACK;
    l->acknowledged = l->requested = false;
    uint8_t value = (uint8_t)((lines & 0xf8) | DSR_UNUSED | (l->timeout ? DSR_TIMEOUT : 0));
    l->timeout = false;                         /* reading clears it [PC87332, DSR bit 0] */
    return value;
}

/* --- registers ------------------------------------------------------------------------------------------------ */

static void lpt_epp(struct pc87332_lpt *l, unsigned offset, bool read, uint8_t *byte)
{
    bool address = offset == EPP_ADDRESS, done = false;
    if (lpt_mode(l) != MODE_EPP)
        return;
    if (l->end && l->end->epp)
        done = l->end->epp(l->end->backend, address, read, byte);
    else if (l->end && l->end->write)
        done = !read && (address || lpt_send(l, *byte));
    l->timeout |= !done;
}

static uint64_t lpt_read(void *chip, uint64_t offset, unsigned size)
{
    struct pc87332_lpt *l = chip;
    uint8_t value = 0xff;
    (void)size;
    switch (offset) {
    case DATA:
        value = l->end && l->end->data ? l->end->data(l->end->backend) : lpt_reverse(l) ? 0xff : l->data;
        break;
    case DSR: value = lpt_status(l); break;
    case DCR: value = l->dcr | DCR_UNUSED; break;
    default: lpt_epp(l, (unsigned)offset, true, &value); break;
    }
    pc87332_lpt_update_irq(l);
    return value;
}

static void lpt_write_dcr(struct pc87332_lpt *l, uint8_t value)
{
    uint8_t old = l->dcr, rises = (uint8_t)(value & ~old);
    l->dcr = value & DCR_BITS;
    if (!(l->dcr & DCR_IRQ))
        l->requested = false;
    lpt_tell(l);
    if (old & ~value & PARALLEL_INIT && l->end && l->end->initialise)
        l->end->initialise(l->end->backend);
    if (rises & PARALLEL_STROBE && !l->busy)
        lpt_strobe(l);
}

static void lpt_write(void *chip, uint64_t offset, unsigned size, uint64_t v)
{
    struct pc87332_lpt *l = chip;
    uint8_t value = (uint8_t)v;
    (void)size;
    switch (offset) {
    case DATA:
        if (lpt_mode(l) == MODE_ECP)            /* an ECP address or run length: nobody to take it */
            break;
        l->data = value;
        lpt_tell(l);
        break;
    case DSR: break;
    case DCR: lpt_write_dcr(l, value); break;
    default: lpt_epp(l, (unsigned)offset, false, &value); break;
    }
    pc87332_lpt_update_irq(l);
}

static uint64_t ecp_read(void *chip, uint64_t offset, unsigned size)
{
    static const uint8_t irq_codes[16] = { [7] = 1, [9] = 2, [10] = 3, [11] = 4, [14] = 5, [15] = 6, [5] = 7 };
    struct pc87332_lpt *l = chip;
    uint8_t value = 0xff;
    (void)size;
    if (offset == ECR)
        return l->ecr | (l->fifo.count ? 0u : ECR_EMPTY) | (fifo_full(&l->fifo) ? ECR_FULL : 0u);
    if (lpt_mode(l) == MODE_CONFIG)
        return offset == CNFGB ? (l->requested ? 0x40u : 0u) | (unsigned)irq_codes[l->irq_number & 15] << 3 : CNFGA_VALUE;
    if (lpt_mode(l) == MODE_TEST && l->fifo.count)
        value = fifo_pop(&l->fifo);
    lpt_service(l);
    return value;
}

/* Modes 0 and 1 empty the FIFO [ECP, 3.7]. */
static void ecp_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct pc87332_lpt *l = chip;
    unsigned mode = lpt_mode(l);
    (void)size;
    if (offset == ECR)
        l->ecr = (uint8_t)(value & ~(uint64_t)(ECR_EMPTY | ECR_FULL));
    else if (offset == ECP_FIFO && (mode == MODE_FIFO || mode == MODE_ECP || mode == MODE_TEST))
        fifo_push(&l->fifo, (uint8_t)value);
    if (lpt_mode(l) <= MODE_PS2)
        fifo_clear(&l->fifo);
    lpt_tell(l);
    lpt_drain(l);
    pc87332_lpt_update_irq(l);
}

static const struct io_ops lpt_io = { lpt_read, lpt_write, IO_8 }, ecp_io = { ecp_read, ecp_write, IO_8 };

static bool lpt_init(struct device *dev, struct error *err)
{
    struct pc87332_lpt *l = container_of(dev, struct pc87332_lpt, dev);
    const struct host *host = dev->machine->host;
    l->fifo.limit = DEPTH;
    err->code = 0;
    l->end = host->parallel ? host->parallel(host->ui, dev->machine, l->port, l->to, err) : NULL;
    if (!l->end && err->code)
        return false;
    if (l->end) {
        l->end->chip = l;
        l->end->acknowledge = lpt_acknowledge;
        l->end->drained = lpt_drained;
    }
    /* 3BCh has no room for EPP: the video card follows */
    space_map_io(dev->machine->ports, l->iobase, l->iobase & 7 ? 4 : 8, &lpt_io, l, 0);
    if (l->ecp)
        space_map_io(dev->machine->ports, l->iobase + ECP_BASE, 3, &ecp_io, l, 0);
    return true;
}

static void lpt_reset(struct device *dev, enum reset_kind kind)
{
    struct pc87332_lpt *l = container_of(dev, struct pc87332_lpt, dev);
    (void)kind;
    l->data = l->dcr = 0;
    l->ecr = ECR_SERVICE | ECR_NO_ERROR_IRQ;
    l->acknowledged = l->busy = l->timeout = l->requested = false;
    l->fifo = (struct fifo){ .limit = DEPTH };
    lpt_tell(l);
    pc87332_lpt_update_irq(l);
}

static bool lpt_restored(struct device *dev)
{
    struct pc87332_lpt *l = container_of(dev, struct pc87332_lpt, dev);
    if (l->fifo.limit != DEPTH || l->fifo.count > DEPTH)
        return false;
    lpt_tell(l);
    if (l->end)
        lpt_drained(l);
    return true;
}

static void lpt_free(struct device *dev)
{
    struct pc87332_lpt *l = container_of(dev, struct pc87332_lpt, dev);
    if (l->end && l->end->close)
        l->end->close(l->end->backend);
}

static const struct state_field lpt_state[] = {
    FIELD(struct pc87332_lpt, data), FIELD(struct pc87332_lpt, dcr), FIELD(struct pc87332_lpt, ecr),
    FIELD(struct pc87332_lpt, acknowledged), FIELD(struct pc87332_lpt, busy), FIELD(struct pc87332_lpt, timeout),
    FIELD(struct pc87332_lpt, requested), FIELD_STRUCT(struct pc87332_lpt, fifo, fifo_state), END
};
static const struct property lpt_properties[] = {
    PROPERTY(struct pc87332_lpt, to, "", "what is plugged in: file:F, pdf:FOLDER, host:/dev/parport0; empty: nothing"),
    PROPERTY(struct pc87332_lpt, iobase, "0x378", "the data register"),
    PROPERTY(struct pc87332_lpt, port, "0", "number of the host's parallel port"),
    PROPERTY_AS(struct pc87332_lpt, irq_number, "irq-number", "7", "the interrupt that CNFGB names"),
    PROPERTY(struct pc87332_lpt, ecp, "on", "the registers at +400h, with EPP and FIFO modes"), END
};
static const struct pin lpt_outputs[] = { PIN(struct pc87332_lpt, irq), END };
const struct device_class pc87332_lpt_class = {
    .name = "pc87332_lpt", .summary = "parallel port: SPP, EPP, ECP", .size = sizeof(struct pc87332_lpt),
    .properties = lpt_properties, .outputs = lpt_outputs, .state = lpt_state, .state_version = 1,
    .init = lpt_init, .reset = lpt_reset, .restored = lpt_restored, .free = lpt_free,
};
