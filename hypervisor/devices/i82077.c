/* 82077AA floppy disk controller with its drives. Read [82077AA] chapters 2 (registers), 5 (commands) and 6
 * (status).
 *
 * In a PC: ports 3F0h-3F5h and 3F7h, IRQ 6, DMA channel 2. Two drives.
 *
 * A command is a row of bytes that the CPU writes (command phase), something that takes time (execution
 * phase), and a row of bytes that the CPU reads (result phase). In the execution phase a timer fires when
 * the wanted sector has passed under the head; its bytes then go to DMA, or wait in the buffer for the CPU.
 * The disk turns and the head steps on guest time; the property `fast` makes the mechanics 50 times faster,
 * which no driver minds, and forgives a slow CPU.
 *
 * References: [82077AA]; [82077SL] for POWERDOWN MODE
 * Not modelled: FM recording; sectors of other than 512 bytes; tracks whose layout is not the medium's
 * format (formatting one fails like a disk without address marks); overrun inside a sector (it is noticed at
 * the next one); head load time; tape drives; PART ID (18h), which the 82077AA answers as an invalid
 * command. */
#include "devices/i82077.h"
#include <errno.h>

void fdc_update_irq(struct i82077 *f)
{
    wire_set(&f->irq, f->interrupt && (f->ps2 || f->dor & DOR_DMAGATE));
}

void fdc_activity(struct i82077 *f, bool busy)
{
    const struct host *host = f->dev.machine->host;
    if (host && host->activity)
        host->activity(host->ui, f->dev.id, busy);
}

/* Milliseconds a step at 500 kbit/s are 16 - SRT; they scale with the data rate [82077AA, SPECIFY] */
int64_t fdc_step_time(const struct i82077 *f)
{
    static const uint16_t percent[4] = { 100, 167, 200, 50 };
    return (16 - (f->srt_hut >> 4)) * 10000ll * percent[f->rate & 3] / (f->fast ? FAST : 1);
}

void fdc_results(struct i82077 *f, const uint8_t *bytes, unsigned count)
{
    memcpy(f->result, bytes, count);
    f->result_at = 0;
    f->result_length = (uint8_t)count;
    f->phase = PHASE_RESULT;
}

static void fdc_result(struct i82077 *f, uint8_t byte) { fdc_results(f, &byte, 1); }

static void fdc_idle(struct i82077 *f)
{
    f->phase = PHASE_IDLE;
    f->command_at = 0;
}

/* --- commands: seeking ---------------------------------------------------------------------------------- */

static void seek_end(void *chip)
{
    struct unit *u = chip;
    struct i82077 *f = u->chip;
    u->seeking = false;
    u->ended = true;
    f->interrupt = true;
    fdc_update_irq(f);
}

/* Steps take their time, then SENSE INTERRUPT gets `status`. */
static void seek_begin(struct i82077 *f, struct unit *u, int steps, uint8_t pcn, uint8_t status)
{
    floppy_step(&u->drive, steps);
    u->pcn = pcn;
    u->status = (uint8_t)(status | ST0_SE | u->number);
    u->seeking = true;
    u->ended = false;
    f->reset_statuses = 0;
    int64_t count = steps < 0 ? -steps : steps;
    timer_at(fdc_clock(f), &u->seek, clock_now(fdc_clock(f)) + MAX(count, 1) * fdc_step_time(f));
    fdc_idle(f);
}

/* At most 79 steps outwards; a head that is not at track 0 then sets equipment check [82077AA, RECALIBRATE]
 */
static void cmd_recalibrate(struct i82077 *f)
{
    struct unit *u = &f->units[f->command[1] & 3];
    bool arrives = u->drive.type != FLOPPY_NONE && u->drive.track <= STEPS_MAX;
    int steps = u->drive.type == FLOPPY_NONE ? STEPS_MAX : MIN(u->drive.track, STEPS_MAX);
    seek_begin(f, u, -steps, 0, arrives ? 0 : ST0_ABNORMAL | ST0_EC);
}

static void cmd_seek(struct i82077 *f)
{
    struct unit *u = &f->units[f->command[1] & 3];
    uint8_t number = f->command[2], head = f->command[1] & ST0_HEAD;
    int steps = number - u->pcn;
    if (f->command[0] & SEEK_RELATIVE)
        steps = f->command[0] & SEEK_INWARD ? number : -number;
    seek_begin(f, u, steps, (uint8_t)(u->pcn + steps), head);
}

/* What ended since: the four drives' status after a reset, then seeks [82077AA, SENSE INTERRUPT STATUS,
 * drive polling] */
static void cmd_sense_interrupt(struct i82077 *f)
{
    bool more = false;
    f->interrupt = false;
    fdc_update_irq(f);
    if (f->reset_statuses) {
        unsigned n = UNITS - f->reset_statuses--;
        fdc_results(f, (uint8_t[]){ (uint8_t)(ST0_POLLING | n), f->units[n].pcn }, 2);
        return;
    }
    f->phase = PHASE_IDLE;
    for (struct unit *u = f->units; u < f->units + UNITS; u++) {
        if (!u->ended)
            continue;
        if (f->phase == PHASE_RESULT) {
            more = true;
            continue;
        }
        u->ended = false;
        fdc_results(f, (uint8_t[]){ u->status, u->pcn }, 2);
    }
    if (f->phase != PHASE_RESULT)
        fdc_result(f, ST0_INVALID);
    f->interrupt = more;
}

/* --- commands: settings and questions ------------------------------------------------------------------- */

static void cmd_specify(struct i82077 *f)
{
    f->srt_hut = f->command[1];
    f->hlt_nd = f->command[2];
    fdc_idle(f);
}

static void cmd_sense_drive(struct i82077 *f)
{
    unsigned n = f->command[1] & 3;
    const struct floppy_drive *d = &f->units[n].drive;
    fdc_result(f, (uint8_t)(ST3_RDY | ST3_TWO_SIDE | (floppy_protected(d) ? ST3_WP : 0) |
                            (floppy_track0(d) ? ST3_T0 : 0) | (f->command[1] & ST0_HEAD) | n));
}

static void cmd_dumpreg(struct i82077 *f)
{
    fdc_results(f, (uint8_t[]){ f->units[0].pcn, f->units[1].pcn, f->units[2].pcn, f->units[3].pcn, f->srt_hut,
                                f->hlt_nd, f->eot, (uint8_t)(f->lock << 7 | f->perpendicular), f->config,
                                f->pretrk }, 10);
}

static void cmd_version(struct i82077 *f) { fdc_result(f, 0x90); }      /* an enhanced controller */

static void cmd_perpendicular(struct i82077 *f)
{
    uint8_t v = f->command[1], drives = v & PERPENDICULAR_OW ? v : f->perpendicular;
    f->perpendicular = (drives & PERPENDICULAR_DRIVES) | (v & PERPENDICULAR_MODE);
    fdc_idle(f);
}

static void cmd_configure(struct i82077 *f)
{
    f->config = f->command[2] & 0x7f;
    f->pretrk = f->command[3];
    fdc_idle(f);
}

static void cmd_lock(struct i82077 *f)
{
    f->lock = f->command[0] & 0x80;
    fdc_result(f, (uint8_t)(f->lock << 4));
}

static void cmd_powerdown(struct i82077 *f) { fdc_result(f, f->command[1]); }

static const struct command { uint8_t code, mask, length; void (*run)(struct i82077 *); } commands[] = {
    { CMD_READ_TRACK, 0x9f, 9, fdc_transfer },    { 0x03, 0xff, 3, cmd_specify },
    { 0x04, 0xff, 2, cmd_sense_drive },           { CMD_WRITE, 0x3f, 9, fdc_transfer },
    { CMD_READ, 0x1f, 9, fdc_transfer },          { 0x07, 0xff, 2, cmd_recalibrate },
    { CMD_SENSE_INTERRUPT, 0xff, 1, cmd_sense_interrupt }, { CMD_WRITE_DELETED, 0x3f, 9, fdc_transfer },
    { CMD_READ_ID, 0xbf, 2, fdc_read_id },        { CMD_READ_DELETED, 0x1f, 9, fdc_transfer },
    { CMD_FORMAT, 0xbf, 6, fdc_format },          { 0x0e, 0xff, 1, cmd_dumpreg },
    { 0x0f, 0xff, 3, cmd_seek },                  { 0x8f, 0xbf, 3, cmd_seek },
    { 0x10, 0xff, 1, cmd_version },               { CMD_SCAN_EQUAL, 0x1f, 9, fdc_transfer },
    { 0x12, 0xff, 2, cmd_perpendicular },         { 0x13, 0xff, 4, cmd_configure },
    { 0x14, 0x7f, 1, cmd_lock },                  { CMD_VERIFY, 0x1f, 9, fdc_transfer },
    { 0x17, 0xff, 2, cmd_powerdown },             { CMD_SCAN_LOW, 0x1f, 9, fdc_transfer },
    { CMD_SCAN_HIGH, 0x1f, 9, fdc_transfer },
};

static const struct command *command_find(uint8_t byte)
{
    for (const struct command *c = commands; c < commands + ARRAY_SIZE(commands); c++)
        if ((byte & c->mask) == c->code)
            return c;
    return NULL;
}

/* --- reads ---------------------------------------------------------------------------------------------- */

static uint8_t msr_read(const struct i82077 *f)
{
    uint8_t seeking = 0;
    for (unsigned n = 0; n < UNITS; n++)
        seeking |= (uint8_t)(f->units[n].seeking << n);
    switch (f->phase) {
    case PHASE_IDLE: return MSR_RQM | seeking;
    case PHASE_COMMAND: return MSR_RQM | MSR_BUSY | seeking;
    case PHASE_RESULT: return MSR_RQM | MSR_DIO | MSR_BUSY | seeking;
    case PHASE_RESET: return 0;
    }
    if (!fdc_non_dma(f))
        return MSR_BUSY | seeking;
    uint8_t direction = fdc_is_from_cpu(fdc_code(f)) ? 0 : MSR_DIO;
    return (uint8_t)(MSR_BUSY | MSR_NON_DMA | direction | (f->stage == STAGE_DATA ? MSR_RQM : 0) | seeking);
}

/* Does the CPU move the execution phase's bytes, and may it now? */
static bool cpu_moves(const struct i82077 *f)
{
    return f->phase == PHASE_EXECUTION && f->stage == STAGE_DATA && fdc_non_dma(f);
}

static uint8_t data_read(struct i82077 *f)
{
    uint8_t value = 0;
    if (cpu_moves(f) && !fdc_is_from_cpu(fdc_code(f))) {
        value = f->buffer[f->at++];
        if (f->at == f->length) {
            f->interrupt = false;
            fdc_data_done(f, false);
        }
    } else if (f->phase == PHASE_RESULT) {
        value = f->result[f->result_at++];
        if (fdc_code(f) != CMD_SENSE_INTERRUPT)
            f->interrupt = false;               /* reading the first result byte clears it */
        if (f->result_at == f->result_length)
            fdc_idle(f);
    }
    return value;
}

/* Status register A of the PS/2 mode; the AT mode does not drive it [82077AA, 2.1.1] */
static uint8_t sra_read(struct i82077 *f)
{
    const struct floppy_drive *d = &f->units[f->dor & DOR_SELECT].drive;
    bool turns = d->medium && fdc_motor(f, f->dor & DOR_SELECT);
    bool index = turns && clock_now(fdc_clock(f)) % floppy_turn(d) < 2000000;
    return (uint8_t)((f->interrupt ? SRA_INT : 0) | (f->units[1].drive.type ? 0 : SRA_DRV2) |
                     (floppy_track0(d) ? 0 : SRA_TRK0) | (f->head ? SRA_HDSEL : 0) | (index ? 0 : SRA_INDX) | (floppy_protected(d) ? 0 : SRA_WP));
}

static uint8_t dir_read(const struct i82077 *f)
{
    const struct floppy_drive *d = &f->units[f->dor & DOR_SELECT].drive;
    uint8_t change = d->type != FLOPPY_NONE && d->changed ? DIR_CHANGE : 0;
    if (!f->ps2)
        return change | 0x7f;                   /* the other bits are the hard disk's, or float */
    bool high = f->rate == RATE_500K || f->rate == RATE_1M;
    return (uint8_t)(change | 0x78 | f->rate << 1 | (high ? 0 : DIR_HIGH_DENSITY));
}

static uint64_t fdc_read(void *chip, uint64_t offset, unsigned size)
{
    struct i82077 *f = chip;
    uint8_t value = 0xff;
    (void)size;
    switch (offset) {
    case PORT_SRA: value = f->ps2 ? sra_read(f) : 0xff; break;
    case PORT_SRB: value = f->ps2 ? (uint8_t)(0xc0 | (f->dor & 1) << 5 | (f->dor >> 4 & 3)) : 0xff; break;
    case PORT_DOR: value = f->dor; break;
    case PORT_TDR: value = f->tdr; break;
    case PORT_MSR: value = msr_read(f); break;
    case PORT_DATA: value = data_read(f); break;
    }
    fdc_update_irq(f);
    return value;
}

/* --- writes --------------------------------------------------------------------------------------------- */

/* What a software reset sets; LOCK keeps the FIFO's settings [82077AA, 4.0 reset, LOCK] */
static void fdc_reset_state(struct i82077 *f)
{
    struct clock *clock = fdc_clock(f);
    if (f->phase == PHASE_EXECUTION)
        fdc_activity(f, false);
    timer_stop(clock, &f->execution);
    timer_stop(clock, &f->resetting);
    for (struct unit *u = f->units; u < f->units + UNITS; u++) {
        timer_stop(clock, &u->seek);
        u->seeking = u->ended = false;
    }
    f->stage = STAGE_NONE;
    f->command_at = f->result_at = f->result_length = 0;
    f->interrupt = false;
    f->reset_statuses = 0;
    f->config = f->lock ? f->config & CONFIG_LOCKED : CONFIG_EFIFO;
    f->pretrk = f->lock ? f->pretrk : 0;
    f->perpendicular &= PERPENDICULAR_DRIVES;
}

static void reset_release(struct i82077 *f)
{
    fdc_idle(f);
    timer_at(fdc_clock(f), &f->resetting, clock_now(fdc_clock(f)) + RESET_NS);
}

/* Drive polling finds four drives whose ready line changed [82077AA, drive polling] */
static void reset_end(void *chip)
{
    struct i82077 *f = chip;
    if (!(f->config & CONFIG_POLL)) {
        f->reset_statuses = UNITS;
        f->interrupt = true;
    }
    fdc_update_irq(f);
}

static void dor_write(struct i82077 *f, uint8_t value)
{
    uint8_t changed = f->dor ^ value;
    f->dor = value;
    if (!(changed & DOR_RESET))
        return;
    if (value & DOR_RESET) {
        reset_release(f);
    } else {
        fdc_reset_state(f);
        f->phase = PHASE_RESET;
    }
}

static void dsr_write(struct i82077 *f, uint8_t value)
{
    f->dsr = value & 0x7f;
    f->rate = value & 3;
    if (!(value & DSR_RESET) || f->phase == PHASE_RESET)
        return;
    fdc_reset_state(f);
    reset_release(f);
}

static void command_byte(struct i82077 *f, uint8_t value)
{
    f->command[f->command_at++] = value;
    f->phase = PHASE_COMMAND;
    const struct command *c = command_find(f->command[0]);
    if (!c) {
        log_device(&f->dev, LOG_GUEST, "invalid command %02xh", value);
        fdc_result(f, ST0_INVALID);
    } else if (f->command_at == c->length) {
        c->run(f);
    }
}

static void data_write(struct i82077 *f, uint8_t value)
{
    if (f->phase == PHASE_IDLE || f->phase == PHASE_COMMAND) {
        command_byte(f, value);
    } else if (cpu_moves(f) && fdc_is_from_cpu(fdc_code(f))) {
        fdc_take_bytes(f, &value, 1);
        if (f->at == f->length) {
            f->interrupt = false;
            fdc_data_done(f, false);
        }
    } else {
        log_device(&f->dev, LOG_GUEST, "data byte %02xh while the controller does not ask for one", value);
    }
}

static void fdc_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct i82077 *f = chip;
    uint8_t byte = (uint8_t)value;
    (void)size;
    switch (offset) {
    case PORT_DOR: dor_write(f, byte); break;
    case PORT_TDR: f->tdr = byte & 3; break;
    case PORT_MSR: dsr_write(f, byte); break;
    case PORT_DATA: data_write(f, byte); break;
    }
    fdc_update_irq(f);
}

static uint64_t fdc_read_dir(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return dir_read(chip);
}

static void fdc_write_ccr(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    ((struct i82077 *)chip)->rate = value & 3;
}

/* --- init, reset, state --------------------------------------------------------------------------------- */

static struct i82077 *fdc_of(struct device *dev) { return container_of(dev, struct i82077, dev); }

void i82077_connect_dma(struct device *dev, struct dma_channel *channel)
{
    struct i82077 *f = fdc_of(dev);
    f->dma = channel;
    channel->granted = fdc_granted;
    channel->card = f;
}

unsigned i82077_drive_type(struct device *dev, unsigned drive)
{
    return drive < DRIVES ? fdc_of(dev)->units[drive].drive.type : FLOPPY_NONE;
}

static bool fdc_init(struct device *dev, struct error *err)
{
    static const struct io_ops ops = { fdc_read, fdc_write, IO_8 };
    static const struct io_ops ops_3f7 = { fdc_read_dir, fdc_write_ccr, IO_8 };
    struct i82077 *f = fdc_of(dev);
    const char *const types[DRIVES] = { f->drive0, f->drive1 };
    for (unsigned n = 0; n < UNITS; n++) {
        struct unit *u = &f->units[n];
        u->chip = f;
        u->number = (uint8_t)n;
        timer_init(&u->seek, seek_end, u);
        if (n < DRIVES && !floppy_type_parse(types[n], &u->drive.type, &u->drive.type_follows))
            return error_set(err, EINVAL, "%s: '%s' is not a floppy drive; drive%u is one of none, auto, 360, 720, "
                             "1.2, 1.44, 2.88", dev->id, types[n], n);
    }
    timer_init(&f->execution, fdc_execute, f);
    timer_init(&f->resetting, reset_end, f);
    space_map_io(dev->machine->ports, f->iobase, 6, &ops, f, 0);
    space_map_io(dev->machine->ports, f->iobase + 7u, 1, &ops_3f7, f, 0);
    return true;
}

/* The RESET pin: LOCK is cleared, the data rate is 250 kbit/s, and the DOR holds the chip in reset [82077AA,
 * 4.1] */
static void fdc_reset(struct device *dev, enum reset_kind kind)
{
    struct i82077 *f = fdc_of(dev);
    f->lock = false;
    fdc_reset_state(f);
    f->phase = PHASE_RESET;
    f->dor = f->tdr = f->srt_hut = f->hlt_nd = f->perpendicular = 0;
    f->dsr = f->rate = RATE_250K;
    f->unit = f->head = f->c = f->h = f->r = f->n = f->eot = f->st0 = f->st1 = f->st2 = f->count = 0;
    f->scan_low = f->scan_high = false;
    f->at = f->length = 0;
    f->sector_at = 0;
    memset(f->command, 0, sizeof(f->command));
    memset(f->result, 0, sizeof(f->result));
    memset(f->buffer, 0, sizeof(f->buffer));
    for (struct unit *u = f->units; u < f->units + UNITS; u++) {
        u->pcn = u->status = 0;
        if (kind == RESET_POWER)
            floppy_power_on(&u->drive);
    }
    fdc_update_irq(f);
}

/* A hostile state may hold what no write lets in: everything that indexes is bounded again. */
static bool fdc_restored(struct device *dev)
{
    struct i82077 *f = fdc_of(dev);
    bool sane = f->phase <= PHASE_RESET && f->stage <= STAGE_DATA && f->command_at < sizeof(f->command) + 1 &&
                f->result_length <= sizeof(f->result) && f->result_at <= f->result_length &&
                f->length <= sizeof(f->buffer) && f->at <= f->length && f->unit < UNITS && f->head < 2 &&
                f->rate < 4 && f->reset_statuses <= UNITS;
    if (!sane)
        fdc_reset(dev, RESET_HARD);
    for (struct unit *u = f->units; u < f->units + UNITS; u++)
        u->drive.track = MIN(u->drive.track, FLOPPY_TRACKS_MAX - 1);
    return sane;
}

static bool fdc_media(struct device *dev, unsigned drive, struct block *medium, struct error *err)
{
    struct i82077 *f = fdc_of(dev);
    if (drive >= DRIVES)
        return error_set(err, EINVAL, "%s: drives are 0 and 1", dev->id);
    return floppy_insert(&f->units[drive].drive, medium, err);
}

static const struct state_field unit_state[] = {
    FIELD_STRUCT(struct unit, drive, floppy_drive_state), FIELD(struct unit, seek), FIELD(struct unit, pcn),
    FIELD(struct unit, status), FIELD(struct unit, seeking), FIELD(struct unit, ended), END
};
static const struct state_field fdc_state[] = {
    FIELD_STRUCTS(struct i82077, units, unit_state), FIELD(struct i82077, dor), FIELD(struct i82077, tdr),
    FIELD(struct i82077, dsr), FIELD(struct i82077, rate), FIELD(struct i82077, phase), FIELD(struct i82077, stage),
    FIELD_ARRAY(struct i82077, command), FIELD(struct i82077, command_at), FIELD_ARRAY(struct i82077, result),
    FIELD(struct i82077, result_at), FIELD(struct i82077, result_length), FIELD(struct i82077, srt_hut),
    FIELD(struct i82077, hlt_nd), FIELD(struct i82077, config), FIELD(struct i82077, pretrk),
    FIELD(struct i82077, perpendicular), FIELD(struct i82077, lock), FIELD(struct i82077, interrupt),
    FIELD(struct i82077, reset_statuses), FIELD(struct i82077, unit), FIELD(struct i82077, head), FIELD(struct i82077, c),
    FIELD(struct i82077, h), FIELD(struct i82077, r), FIELD(struct i82077, n), FIELD(struct i82077, eot),
    FIELD(struct i82077, st0), FIELD(struct i82077, st1), FIELD(struct i82077, st2), FIELD(struct i82077, count),
    FIELD(struct i82077, scan_low), FIELD(struct i82077, scan_high), FIELD_ARRAY(struct i82077, buffer),
    FIELD(struct i82077, at), FIELD(struct i82077, length), FIELD(struct i82077, sector_at),
    FIELD(struct i82077, execution), FIELD(struct i82077, resetting), END
};
static const struct property fdc_properties[] = {
    PROPERTY(struct i82077, iobase, "0x3f0", "first of the eight ports"),
    PROPERTY(struct i82077, drive0, "auto", "none, 360, 1.2, 720, 1.44, 2.88, or auto: as the first medium needs"),
    PROPERTY(struct i82077, drive1, "none", "as drive0"),
    PROPERTY(struct i82077, fast, "on", "mechanics 50 times faster than real ones"),
    PROPERTY(struct i82077, ps2, "off", "status registers A and B as in the PS/2"), END
};
static const struct pin fdc_outputs[] = { PIN(struct i82077, irq), { 0 } };
const struct device_class i82077_class = {
    .name = "i82077", .summary = "82077AA floppy disk controller with two drives", .size = sizeof(struct i82077),
    .properties = fdc_properties, .outputs = fdc_outputs, .state = fdc_state, .state_version = 1,
    .init = fdc_init, .reset = fdc_reset, .restored = fdc_restored, .media = fdc_media,
};
