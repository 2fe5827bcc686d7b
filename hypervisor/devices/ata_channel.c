/* An ATA channel: the host's side of one IDE cable, and what every drive on it does alike.
 *
 * In a PC: the primary channel has the command block at 1F0h-1F7h, the control block at 3F6h and IRQ 14, the secondary
 * 170h-177h, 376h and IRQ 15. Writes to the command block reach both drives; the selected one answers reads.
 *
 * References: [ATA-6] 7 (registers), 9 (protocols), 9.16 (single device configurations); [ATA-1] for what CHS drives leave in
 * their registers.
 * Not modelled: CSEL and PDIAG timing (resets end at once, unless the medium is still working), the drive address
 * register at 3F7h (it belongs to the floppy controller), 8-bit data transfers.
 */
#include "devices/ata.h"
#include <errno.h>
#include <stdlib.h>

enum { REG_DATA, REG_ERROR, REG_COUNT, REG_LOW, REG_MID, REG_HIGH, REG_DEVICE, REG_STATUS };
enum { CMD_DEVICE_RESET = 0x08, CMD_DIAGNOSTIC = 0x90 };
/* With no drive on the cable the data lines float high, but DD7 is pulled down [ATA-6, 4.2]. */
enum { FLOATING = 0x7f };

struct ata_channel {
    struct device dev;
    uint16_t iobase, control_port;              /* properties */
    struct wire irq;                            /* output pin */
    struct ata_drive *drive[2];
    struct ata_master master;
    struct region *regions[3];
    uint8_t selected, control;                  /* state */
    bool line;                                  /* state: INTRQ as last driven */
};

static struct ata_drive *selected(const struct ata_channel *c) { return c->drive[c->selected]; }

/* The one that answers for the selected drive: device 0 stands in for an absent device 1 [ATA-6, 9.16.1]. */
static struct ata_drive *answering(const struct ata_channel *c)
{
    return selected(c) ? selected(c) : c->selected ? c->drive[0] : NULL;
}

static void channel_update_irq(struct ata_channel *c)
{
    struct ata_drive *d = selected(c);
    bool line = d && d->intrq && !(c->control & ATA_NIEN);
    bool rises = line && !c->line;
    c->line = line;
    wire_set(&c->irq, line);
    if (rises && c->master.interrupt)
        c->master.interrupt(c->master.chip);
}

static void drive_interrupt(struct ata_drive *d, bool level)
{
    d->intrq = level;
    if (d->channel)
        channel_update_irq(d->channel);
}

/* --- the block layer ------------------------------------------------------------------------------------------ */

void ata_activity(struct ata_drive *d, bool busy)
{
    const struct host *host = d->dev->machine->host;
    if (host->activity)
        host->activity(host->ui, d->dev->id, busy);
}

static void reset_finish(struct ata_drive *d, bool hard)
{
    d->reset_waits = 0;
    d->phase = ATA_IDLE;
    d->io = ATA_IO_NONE;
    d->position = d->end = 0;
    d->status = d->ops->packet ? 0 : ATA_DRDY | ATA_DSC;
    ata_signature(d);
    d->ops->reset(d, hard);
}

/* While SRST is held, or a request still runs, the drive stays busy; the request's end also ends the reset. */
static void reset_start(struct ata_drive *d, bool hard)
{
    d->phase = ATA_IDLE;
    d->status = ATA_BSY;
    drive_interrupt(d, false);
    if (d->submitted || (d->channel && d->channel->control & ATA_SRST))
        d->reset_waits = MAX(d->reset_waits, hard ? 2 : 1);
    else
        reset_finish(d, hard);
}

static void io_done(void *owner, int error)
{
    struct ata_drive *d = owner;
    d->submitted = false;
    if (d->reset_waits) {
        ata_activity(d, false);
        if (!d->channel || !(d->channel->control & ATA_SRST))
            reset_finish(d, d->reset_waits == 2);
        return;
    }
    if (d->io == ATA_IO_NONE)
        return;
    d->io = ATA_IO_NONE;
    d->ops->io_end(d, error);
}

static void io_submit(struct ata_drive *d)
{
    static const enum block_op ops[] = { [ATA_IO_READ] = BLOCK_READ, [ATA_IO_WRITE] = BLOCK_WRITE,
                                         [ATA_IO_FLUSH] = BLOCK_FLUSH };
    if (!d->block) {
        io_done(d, -ENOMEDIUM);
        return;
    }
    d->vec = (struct iovec){ d->buffer.bytes + d->io_start, d->io_length };
    d->request = (struct block_request){ .op = ops[d->io], .offset = d->io_offset, .vec = &d->vec,
                                         .count = d->io == ATA_IO_FLUSH ? 0 : 1, .done = io_done, .owner = d };
    d->submitted = true;
    block_submit(d->block, &d->request);
}

void ata_io_start(struct ata_drive *d, enum ata_io io, uint64_t offset, uint32_t start, uint32_t length)
{
    d->status = (uint8_t)((d->status & ~ATA_DRQ) | ATA_BSY);
    d->phase = ATA_IDLE;
    d->io = (uint8_t)io;
    d->io_offset = offset;
    d->io_start = start;
    d->io_length = length;
    io_submit(d);
}

/* --- identity and modes ---------------------------------------------------------------------------------------- */

/* Strings stand in words with their first character in the high byte, padded with blanks [ATA-6, 3.2.9]. */
static void string_put(uint8_t *at, size_t size, const char *text)
{
    size_t length = strlen(text);
    for (size_t n = 0; n < size; n++)
        at[n ^ 1] = (uint8_t)(n < length ? text[n] : ' ');
}

void ata_identity_put(uint8_t *data, const struct ata_word *w, size_t words, const struct ata_identity *i)
{
    memset(data, 0, 512);
    for (; words; words--, w++)
        le16_put(data + 2 * w->word, w->value);
    string_put(data + 20, 20, i->serial);
    string_put(data + 46, 8, i->firmware);
    string_put(data + 54, 40, i->model);
    le16_put(data + 2 * 63, (uint16_t)(7 | i->mwdma << 8));
    le16_put(data + 2 * 88, (uint16_t)(7 | i->udma << 8));
}

bool ata_mode_set(uint8_t mode, uint8_t *mwdma, uint8_t *udma)
{
    enum { PIO, PIO_FLOW, MWDMA = 4, UDMA = 8 };
    unsigned kind = mode >> 3, number = mode & 7;
    if (kind == PIO || kind == PIO_FLOW)
        return number <= (kind == PIO ? 1 : 4);
    if (number > 2 || (kind != MWDMA && kind != UDMA))
        return false;
    *mwdma = kind == MWDMA ? (uint8_t)BIT(number) : 0;
    *udma = kind == UDMA ? (uint8_t)BIT(number) : 0;
    return true;
}

/* --- data phases ---------------------------------------------------------------------------------------------- */

void ata_done(struct ata_drive *d, uint8_t error)
{
    d->phase = ATA_IDLE;
    d->error = error;
    d->status = (uint8_t)(ATA_DRDY | (d->ops->packet ? 0 : ATA_DSC) | (error ? ATA_ERR : 0));
    drive_interrupt(d, true);
}

void ata_pio(struct ata_drive *d, bool in, uint32_t position, uint32_t end, bool interrupt)
{
    d->phase = in ? ATA_PIO_IN : ATA_PIO_OUT;
    d->position = position;
    d->end = end;
    d->status = (uint8_t)(ATA_DRDY | ATA_DRQ | (d->ops->packet ? 0 : ATA_DSC));
    if (interrupt)
        drive_interrupt(d, true);
}

void ata_dma(struct ata_drive *d, bool in, uint32_t position, uint32_t end)
{
    d->phase = in ? ATA_DMA_IN : ATA_DMA_OUT;
    d->position = position;
    d->end = end;
    d->status = (uint8_t)(ATA_DRDY | ATA_DRQ | (d->ops->packet ? 0 : ATA_DSC) | ATA_BSY);
    if (d->channel && d->channel->master.request)
        d->channel->master.request(d->channel->master.chip);
}

static struct ata_drive *dma_drive(struct ata_channel *c)
{
    struct ata_drive *d = selected(c);
    return d && (d->phase == ATA_DMA_IN || d->phase == ATA_DMA_OUT) ? d : NULL;
}

uint8_t *ata_dma_window(struct ata_channel *c, uint32_t *length, bool *in)
{
    struct ata_drive *d = dma_drive(c);
    if (!d)
        return NULL;
    *length = d->end - d->position;
    *in = d->phase == ATA_DMA_IN;
    return d->buffer.bytes + d->position;
}

void ata_dma_moved(struct ata_channel *c, uint32_t length)
{
    struct ata_drive *d = dma_drive(c);
    if (!d)
        return;
    d->position += MIN(length, d->end - d->position);
    if (d->position == d->end) {
        d->phase = ATA_IDLE;
        d->status = (uint8_t)((d->status & ~ATA_DRQ) | ATA_BSY);
        d->ops->data_end(d);
    }
}

static void data_moved(struct ata_drive *d, unsigned size)
{
    d->position += size;
    if (d->position < d->end)
        return;
    d->phase = ATA_IDLE;
    d->status = (uint8_t)((d->status & ~ATA_DRQ) | ATA_BSY);
    d->ops->data_end(d);
}

/* A double word is two words; the last may reach past the phase's end, where a drive drives nothing. */
static uint64_t data_read(void *chip, uint64_t offset, unsigned size)
{
    struct ata_channel *c = chip;
    struct ata_drive *d = selected(c);
    uint64_t value = 0;
    (void)offset;
    if (!d)
        return UINT64_MAX;
    for (unsigned done = 0; done < size && d->phase == ATA_PIO_IN; done += 2) {
        unsigned n = MIN(2u, d->end - d->position);
        uint16_t word = 0;
        memcpy(&word, d->buffer.bytes + d->position, n);
        value |= (uint64_t)word << 8 * done;
        data_moved(d, n);
    }
    return value;
}

static void data_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct ata_channel *c = chip;
    struct ata_drive *d = selected(c);
    (void)offset;
    if (!d)
        return;
    for (unsigned done = 0; done < size && d->phase == ATA_PIO_OUT; done += 2) {
        unsigned n = MIN(2u, d->end - d->position);
        uint16_t word = (uint16_t)(value >> 8 * done);
        memcpy(d->buffer.bytes + d->position, &word, n);
        data_moved(d, n);
    }
}

/* --- registers ------------------------------------------------------------------------------------------------ */

static uint8_t status_read(struct ata_channel *c, bool acknowledge)
{
    struct ata_drive *d = selected(c);
    if (!d)
        return c->selected && c->drive[0] ? 0 : FLOATING;
    uint8_t status = d->status;
    if (acknowledge && d->intrq)
        drive_interrupt(d, false);
    return status;
}

static uint64_t register_read(void *chip, uint64_t offset, unsigned size)
{
    struct ata_channel *c = chip;
    struct ata_drive *d = answering(c);
    unsigned old = c->control & ATA_HOB ? 1 : 0;
    (void)size;
    if (offset + 1 == REG_STATUS)
        return status_read(c, true);
    if (!d)
        return FLOATING;
    if (d->status & ATA_BSY)
        return d->status;                       /* all registers read so while busy [ATA-6, 7.15.6.1] */
    switch (offset + 1) {
    case REG_ERROR: return d->error;
    case REG_COUNT: return d->count[old];
    case REG_LOW: return d->low[old];
    case REG_MID: return d->mid[old];
    case REG_HIGH: return d->high[old];
    default: return d->device;
    }
}

static void diagnostic(struct ata_channel *c)
{
    c->selected = 0;
    for (unsigned n = 0; n < 2; n++)
        if (c->drive[n])
            reset_start(c->drive[n], false);
    if (c->drive[0] && !c->drive[0]->reset_waits)
        drive_interrupt(c->drive[0], true);
}

static void command_write(struct ata_channel *c, uint8_t command)
{
    struct ata_drive *d = selected(c);
    if (command == CMD_DIAGNOSTIC && answering(c) && !(answering(c)->status & ATA_BSY)) {
        diagnostic(c);
        return;
    }
    if (!d || d->reset_waits)
        return;
    if (command == CMD_DEVICE_RESET && d->ops->packet) {
        reset_start(d, false);
        d->device |= c->selected ? ATA_DEV : 0;
        return;
    }
    if (d->status & (ATA_BSY | ATA_DRQ)) {
        log_device(&c->dev, LOG_GUEST, "command %02xh to %s, which is still busy, is ignored", command, d->dev->id);
        return;
    }
    d->status = (uint8_t)(ATA_BSY | (d->status & (ATA_DRDY | ATA_DSC)));
    d->error = 0;
    drive_interrupt(d, false);
    d->ops->command(d, command);
}

static void latch(uint8_t pair[2], uint8_t value)
{
    pair[1] = pair[0];
    pair[0] = value;
}

static void register_latch(struct ata_drive *d, unsigned reg, uint8_t value)
{
    if (d->status & (ATA_BSY | ATA_DRQ))
        return;
    switch (reg) {
    case REG_ERROR: latch(d->features, value); break;
    case REG_COUNT: latch(d->count, value); break;
    case REG_LOW: latch(d->low, value); break;
    case REG_MID: latch(d->mid, value); break;
    case REG_HIGH: latch(d->high, value); break;
    case REG_DEVICE: d->device = value; break;
    }
}

static void register_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct ata_channel *c = chip;
    unsigned reg = (unsigned)offset + 1;
    (void)size;
    c->control &= (uint8_t)~ATA_HOB;
    if (reg == REG_STATUS) {
        command_write(c, (uint8_t)value);
        return;
    }
    for (unsigned n = 0; n < 2; n++)
        if (c->drive[n])
            register_latch(c->drive[n], reg, (uint8_t)value);
    if (reg == REG_DEVICE) {
        c->selected = value & ATA_DEV ? 1 : 0;
        channel_update_irq(c);
    }
}

static uint64_t control_read(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return status_read(chip, false);
}

static void control_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct ata_channel *c = chip;
    uint8_t before = c->control;
    (void)offset, (void)size;
    c->control = (uint8_t)value & (ATA_NIEN | ATA_SRST | ATA_HOB);
    for (unsigned n = 0; n < 2; n++) {
        struct ata_drive *d = c->drive[n];
        if (!d)
            continue;
        if (value & ATA_SRST && !(before & ATA_SRST))
            reset_start(d, false);
        else if (!(value & ATA_SRST) && d->reset_waits && !d->submitted)
            reset_finish(d, d->reset_waits == 2);
    }
    if (value & ATA_SRST)
        c->selected = 0;
    channel_update_irq(c);
}

static const struct io_ops data_ops = { data_read, data_write, IO_16 | IO_32 };
static const struct io_ops register_ops = { register_read, register_write, IO_8 };
static const struct io_ops control_ops = { control_read, control_write, IO_8 };

/* --- drives --------------------------------------------------------------------------------------------------- */

void ata_signature(struct ata_drive *d)
{
    memset(d->features, 0, sizeof(d->features));
    le16_put(d->count, 1);
    le16_put(d->low, 1);
    le16_put(d->mid, d->ops->packet ? 0x14 : 0);
    le16_put(d->high, d->ops->packet ? 0xeb : 0);
    d->device = 0;
    d->error = 1;                               /* diagnostic code: passed [ATA-6, table 26] */
}

bool ata_drive_init(struct ata_drive *d, struct device *dev, const struct ata_ops *ops, const char *channel, unsigned unit,
                    struct error *err)
{
    struct device *cable = machine_find(dev->machine, channel);
    d->dev = dev;
    d->ops = ops;
    d->unit = (uint8_t)unit;
    if (unit > 1)
        return error_set(err, EINVAL, "%s: unit is 0 or 1", dev->id);
    d->channel = cable ? ata_channel_of(cable) : NULL;
    if (d->channel && d->channel->drive[unit])
        return error_set(err, EBUSY, "%s: drive %u of %s is there already; choose the other unit", dev->id, unit, channel);
    d->buffer = (struct state_bytes){ calloc(1, ATA_BUFFER), ATA_BUFFER };
    if (!d->buffer.bytes)
        return error_set(err, ENOMEM, "%s: not enough memory", dev->id);
    if (d->channel)
        d->channel->drive[unit] = d;
    return true;
}

void ata_drive_free(struct ata_drive *d)
{
    free(d->buffer.bytes);
}

void ata_drive_reset(struct ata_drive *d) { reset_start(d, true); }

void ata_drive_restored(struct ata_drive *d)
{
    bool bad = d->position > d->end || d->end > ATA_BUFFER || d->phase > ATA_DMA_OUT || d->io > ATA_IO_FLUSH ||
               d->io_start > ATA_BUFFER || d->io_length > ATA_BUFFER - d->io_start;
    if (bad)
        reset_finish(d, true);
    else if (d->reset_waits && (!d->channel || !(d->channel->control & ATA_SRST)))
        reset_finish(d, d->reset_waits == 2);
    else if (d->io != ATA_IO_NONE && !d->submitted)
        io_submit(d);
}

/* --- class ---------------------------------------------------------------------------------------------------- */

struct ata_channel *ata_channel_of(struct device *dev)
{
    return dev->class == &ata_channel_class ? container_of(dev, struct ata_channel, dev) : NULL;
}

void ata_channel_master(struct ata_channel *c, const struct ata_master *master)
{
    c->master = *master;
}

void ata_channel_enable(struct ata_channel *c, bool on)
{
    for (unsigned n = 0; n < ARRAY_SIZE(c->regions); n++)
        region_enable(c->regions[n], on);
}

static bool channel_init(struct device *dev, struct error *err)
{
    struct ata_channel *c = ata_channel_of(dev);
    struct space *ports = dev->machine->ports;
    (void)err;
    c->regions[0] = space_map_io(ports, c->iobase, 4, &data_ops, c, 0);
    c->regions[1] = space_map_io(ports, c->iobase + 1u, 7, &register_ops, c, 1);
    c->regions[2] = space_map_io(ports, c->control_port, 1, &control_ops, c, 1);
    return true;
}

static void channel_reset(struct device *dev, enum reset_kind kind)
{
    struct ata_channel *c = ata_channel_of(dev);
    (void)kind;
    c->selected = c->control = 0;
    channel_update_irq(c);
}

static bool channel_restored(struct device *dev)
{
    ata_channel_of(dev)->selected &= 1;
    return true;
}

#define D(m) FIELD(struct ata_drive, m)
#define A(m) FIELD_ARRAY(struct ata_drive, m)
const struct state_field ata_drive_state[] = {
    A(features), A(count), A(low), A(mid), A(high), D(device), D(status), D(error), D(intrq), D(phase), D(position), D(end),
    D(io), D(io_offset), D(io_start), D(io_length), D(reset_waits), END
};
static const struct state_field channel_state[] = {
    FIELD(struct ata_channel, selected), FIELD(struct ata_channel, control), FIELD(struct ata_channel, line), END
};
static const struct property channel_properties[] = {
    PROPERTY(struct ata_channel, iobase, "0x1f0", "first port of the command block"),
    PROPERTY_AS(struct ata_channel, control_port, "control", "0x3f6", "port of the control block"), END
};
static const struct pin channel_outputs[] = { PIN(struct ata_channel, irq), END };

const struct device_class ata_channel_class = {
    .name = "ata_channel", .summary = "ATA (IDE) channel with its ports", .size = sizeof(struct ata_channel),
    .properties = channel_properties, .outputs = channel_outputs, .state = channel_state, .state_version = 1,
    .init = channel_init, .reset = channel_reset, .restored = channel_restored,
};
