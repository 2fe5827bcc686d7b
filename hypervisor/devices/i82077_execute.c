/* The execution phase of the 82077AA's commands that read or write a disk; see i82077.c.
 *
 * A timer fires when the wanted sector has passed under the head. Its bytes then go to DMA, or wait in the
 * buffer for the CPU (STAGE_DATA); when the last one has moved, the next sector is waited for, or the result
 * phase begins.
 *
 * References: [82077AA] chapters 5 and 6 */
#include "devices/i82077.h"
#include <assert.h>

static void fdc_move(struct i82077 *f);

/* --- time and mechanics --------------------------------------------------------------------------------- */

static bool fdc_readable(struct i82077 *f)
{
    return fdc_motor(f, f->unit) && floppy_readable(&fdc_unit(f)->drive, f->head, f->rate);
}

static int64_t turn_time(struct i82077 *f) { return floppy_turn(&fdc_unit(f)->drive) / (f->fast ? FAST : 1); }

static int64_t slot_time(struct i82077 *f)
{
    const struct floppy_format *format = fdc_unit(f)->drive.format;
    return turn_time(f) / (format ? format->sectors : 18);
}

/* Waits until a sector has passed under the head: sector r lies in slot r-1 after the index hole. When there
 * is none of that number, the chip gives up at the second index pulse; without a turning disk there are no
 * pulses, and a chip with real mechanics waits for ever. */
static void wait_sector(struct i82077 *f, unsigned r, int64_t not_before)
{
    const struct floppy_drive *d = &fdc_unit(f)->drive;
    int64_t turn = turn_time(f), slot = slot_time(f), begin;
    f->stage = STAGE_SECTOR;
    if (!f->fast && (!d->medium || !fdc_motor(f, f->unit)))
        return;
    if (fdc_readable(f) && r >= 1 && r <= d->format->sectors) {
        begin = not_before - not_before % turn + slot * (r - 1);
        if (begin < not_before)
            begin += turn;
        f->sector_at = begin + slot - slot / 16;
    } else {
        f->sector_at = not_before - not_before % turn + 2 * turn;
    }
    timer_at(fdc_clock(f), &f->execution, f->sector_at);
}

/* --- ending a command ----------------------------------------------------------------------------------- */

/* The result phase of all that reads or writes: ST0-ST2 and the address of the next sector, with an
 * interrupt. */
static void fdc_finish(struct i82077 *f, uint8_t termination)
{
    uint8_t st0 = (uint8_t)(termination | f->st0 | (f->head ? ST0_HEAD : 0) | f->unit);
    fdc_results(f, (uint8_t[]){ st0, f->st1, f->st2, f->c, f->h, f->r, f->n }, 7);
    f->stage = STAGE_NONE;
    timer_stop(fdc_clock(f), &f->execution);
    f->interrupt = true;
    fdc_activity(f, false);
}

static void fdc_fail(struct i82077 *f, uint8_t st1, uint8_t st2)
{
    f->st1 |= st1;
    f->st2 |= st2;
    fdc_finish(f, ST0_ABNORMAL);
}

/* --- sectors -------------------------------------------------------------------------------------------- */

/* The address mark of the wanted sector, as the chip compares it: C, H, R and N [82077AA, READ DATA, ST1 and
 * ST2] */
static bool find_sector(struct i82077 *f)
{
    const struct floppy_drive *d = &fdc_unit(f)->drive;
    if (!fdc_readable(f) || !(f->command[0] & CMD_MFM)) {
        fdc_fail(f, ST1_MA, 0);
        return false;
    }
    if (f->c != floppy_medium_track(d)) {
        fdc_fail(f, ST1_ND, ST2_WC);
        return false;
    }
    if (f->h != f->head || f->n != FLOPPY_N || f->r < 1 || f->r > d->format->sectors) {
        fdc_fail(f, ST1_ND, 0);
        return false;
    }
    return true;
}

/* To the address of the next sector, by the table of the result phase [82077AA, table 5-6]. false: the
 * cylinder ended. */
static bool next_address(struct i82077 *f)
{
    bool multi = f->command[0] & CMD_MT && fdc_code(f) != CMD_READ_TRACK;
    unsigned step = fdc_is_scan(fdc_code(f)) ? MAX(f->command[8], 1) : 1;
    if (f->r != f->eot && (step == 1 || f->r + step <= f->eot)) {
        f->r = (uint8_t)(f->r + step);
        return true;
    }
    f->r = 1;
    if (multi) {
        f->head ^= 1;
        f->h ^= 1;
    }
    if (multi && f->head)
        return true;
    f->c++;
    return false;
}

/* After a sector: end by terminal count, or at the end of the cylinder, or go on to the next one. */
static void sector_next(struct i82077 *f, bool terminal_count)
{
    unsigned code = fdc_code(f);
    bool more = next_address(f), counted = code == CMD_VERIFY && f->command[1] & VERIFY_EC;
    if (counted && !--f->count)
        terminal_count = true;
    if (terminal_count || (!more && code == CMD_VERIFY)) {
        fdc_finish(f, 0);
        return;
    }
    if (!more) {                                /* no TC: the chip looked past the last sector [82077AA, ST1 bit 7] */
        if (fdc_is_scan(code))
            fdc_finish(f, 0);
        else
            fdc_fail(f, ST1_EN, 0);
        return;
    }
    f->stage = STAGE_SECTOR;
    f->sector_at += slot_time(f);
    timer_at(fdc_clock(f), &f->execution, f->sector_at);
}

static void data_begin(struct i82077 *f, unsigned length)
{
    f->stage = STAGE_DATA;
    f->at = 0;
    f->length = (uint16_t)length;
    int64_t patience = f->fast ? clock_now(fdc_clock(f)) + NS_PER_S : f->sector_at + slot_time(f);
    timer_at(fdc_clock(f), &f->execution, patience);
    fdc_move(f);
}

/* READ DATA, READ DELETED DATA, VERIFY: a sector with the other kind of mark is skipped, or ends the command
 * after it [82077AA, tables 5-4 and 5-5] */
static void sector_read(struct i82077 *f)
{
    struct floppy_drive *d = &fdc_unit(f)->drive;
    bool wants_deleted = fdc_code(f) == CMD_READ_DELETED;
    if (floppy_is_deleted(d, f->head, f->r) != wants_deleted && fdc_code(f) != CMD_READ_TRACK) {
        f->st2 |= ST2_CM;
        if (f->command[0] & CMD_SK) {
            sector_next(f, false);
            return;
        }
    }
    if (floppy_read(d, f->head, f->r, f->buffer))
        fdc_fail(f, ST1_DE, ST2_DD);
    else if (fdc_code(f) != CMD_VERIFY)
        data_begin(f, FLOPPY_SECTOR);
    else if (f->st2 & ST2_CM)
        fdc_finish(f, 0);
    else
        sector_next(f, false);
}

/* READ TRACK takes the sectors as they come after the index hole; one that is not the wanted one only sets
 * ND. */
static void track_read(struct i82077 *f)
{
    struct floppy_drive *d = &fdc_unit(f)->drive;
    uint8_t r = (uint8_t)(f->count + 1);
    if (!fdc_readable(f) || !(f->command[0] & CMD_MFM)) {
        fdc_fail(f, ST1_MA, 0);
        return;
    }
    if (f->n != FLOPPY_N || r > d->format->sectors) {
        fdc_fail(f, ST1_ND, 0);
        return;
    }
    if (f->c != floppy_medium_track(d) || f->h != f->head || f->r != r)
        f->st1 |= ST1_ND;
    if (floppy_read(d, f->head, r, f->buffer)) {
        fdc_fail(f, ST1_DE, ST2_DD);
        return;
    }
    f->count++;
    data_begin(f, FLOPPY_SECTOR);
}

static void id_read(struct i82077 *f)
{
    const struct floppy_drive *d = &fdc_unit(f)->drive;
    if (!fdc_readable(f) || !(f->command[0] & CMD_MFM)) {
        fdc_fail(f, ST1_MA, 0);
        return;
    }
    f->c = (uint8_t)floppy_medium_track(d);
    f->h = f->head;
    f->r = (uint8_t)(f->sector_at % turn_time(f) / slot_time(f) % d->format->sectors + 1);
    f->n = FLOPPY_N;
    fdc_finish(f, 0);
}

/* A track can only be formatted as the medium's format has it. */
static void format_begin(struct i82077 *f)
{
    const struct floppy_drive *d = &fdc_unit(f)->drive;
    if (!fdc_readable(f) || !(f->command[0] & CMD_MFM) || f->n != FLOPPY_N || f->eot != d->format->sectors)
        fdc_fail(f, ST1_MA, 0);
    else
        data_begin(f, 4);
}

/* The sector has passed under the head. In STAGE_DATA the timer means that its bytes were not taken in time.
 */
void fdc_execute(void *chip)
{
    struct i82077 *f = chip;
    unsigned code = fdc_code(f);
    if (f->stage == STAGE_DATA)
        fdc_fail(f, ST1_OR, 0);
    else if ((fdc_is_write(code) || code == CMD_FORMAT) && floppy_protected(&fdc_unit(f)->drive))
        fdc_fail(f, fdc_unit(f)->drive.medium ? ST1_NW : ST1_MA, 0);
    else if (code == CMD_READ_ID)
        id_read(f);
    else if (code == CMD_FORMAT)
        format_begin(f);
    else if (code == CMD_READ_TRACK)
        track_read(f);
    else if (find_sector(f)) {
        if (fdc_is_write(code))
            data_begin(f, FLOPPY_SECTOR);
        else
            sector_read(f);
    }
    fdc_update_irq(f);
}

/* --- the bytes of a sector ------------------------------------------------------------------------------ */

/* Compares with bytes of the CPU; FFh on either side is always equal [82077AA, SCAN] */
static void scan_compare(struct i82077 *f, const uint8_t *cpu, unsigned at, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t disk = f->buffer[at + i];
        if (disk == 0xff || cpu[i] == 0xff)
            continue;
        f->scan_low |= disk < cpu[i];
        f->scan_high |= disk > cpu[i];
    }
}

static void scan_done(struct i82077 *f, bool terminal_count)
{
    unsigned code = fdc_code(f);
    bool equal = !f->scan_low && !f->scan_high;
    bool met = equal || (code == CMD_SCAN_LOW && !f->scan_high) || (code == CMD_SCAN_HIGH && !f->scan_low);
    f->st2 = (uint8_t)((f->st2 & ~(ST2_SH | ST2_SN)) | (equal ? ST2_SH : met ? 0 : ST2_SN));
    f->scan_low = f->scan_high = false;
    if (met)
        fdc_finish(f, 0);
    else
        sector_next(f, terminal_count);
}

/* One sector's four bytes of a FORMAT TRACK have come: the sector gets its address mark and the filler. */
static void format_sector(struct i82077 *f, bool terminal_count)
{
    struct floppy_drive *d = &fdc_unit(f)->drive;
    uint8_t filler[FLOPPY_SECTOR];
    const uint8_t *id = f->buffer;
    memset(filler, f->command[5], sizeof(filler));
    if (!fdc_readable(f) || id[0] != floppy_medium_track(d) || id[1] != f->head || id[2] < 1 ||
        id[2] > d->format->sectors || id[3] != FLOPPY_N) {
        fdc_fail(f, ST1_MA, 0);
        return;
    }
    if (floppy_write(d, f->head, id[2], filler, false)) {
        fdc_fail(f, ST1_DE, ST2_DD);
        return;
    }
    f->c = id[0], f->h = id[1], f->r = id[2];
    if (terminal_count || ++f->count >= f->eot) {
        fdc_finish(f, 0);
        return;
    }
    f->sector_at += slot_time(f);
    data_begin(f, 4);
}

/* All bytes of the buffer were moved, or terminal count came before: a write fills the sector with zeros
 * then. */
void fdc_data_done(struct i82077 *f, bool terminal_count)
{
    unsigned code = fdc_code(f);
    struct floppy_drive *d = &fdc_unit(f)->drive;
    if (code == CMD_FORMAT && f->at < f->length) {
        fdc_finish(f, 0);
    } else if (code == CMD_FORMAT) {
        format_sector(f, terminal_count);
    } else if (fdc_is_scan(code)) {
        scan_done(f, terminal_count);
    } else if (fdc_is_write(code)) {
        memset(f->buffer + f->at, 0, (size_t)(f->length - f->at));
        if (!find_sector(f))
            return;
        if (floppy_protected(d) || floppy_write(d, f->head, f->r, f->buffer, code == CMD_WRITE_DELETED))
            fdc_fail(f, floppy_protected(d) ? ST1_NW : ST1_DE, 0);
        else
            sector_next(f, terminal_count);
    } else if (f->st2 & ST2_CM && !(f->command[0] & CMD_SK)) {
        fdc_finish(f, 0);                       /* the address is not incremented [82077AA, table 5-4] */
    } else {
        sector_next(f, terminal_count);
    }
}

/* A byte from the CPU's side joins the buffer, or is compared with it. */
void fdc_take_bytes(struct i82077 *f, const uint8_t *bytes, unsigned count)
{
    if (fdc_is_scan(fdc_code(f)))
        scan_compare(f, bytes, f->at, count);
    else
        memcpy(f->buffer + f->at, bytes, count);
    f->at = (uint16_t)(f->at + count);
}

/* Bytes between the buffer and the DMA controller, as many as it takes. A masked channel says later that it
 * is ready. */
static void fdc_move(struct i82077 *f)
{
    uint8_t bytes[FLOPPY_SECTOR];
    bool tc = false;
    if (fdc_non_dma(f)) {
        f->interrupt = true;
        return;
    }
    if (!f->dma || !(f->ps2 || f->dor & DOR_DMAGATE))
        return;
    size_t want = f->length - f->at, got;
    if (fdc_is_from_cpu(fdc_code(f))) {
        got = f->dma->from_memory(f->dma, bytes, want, &tc);
        assert(got <= want);
        fdc_take_bytes(f, bytes, (unsigned)got);
    } else {
        got = f->dma->to_memory(f->dma, f->buffer + f->at, want, &tc);
        assert(got <= want);
        f->at = (uint16_t)(f->at + got);
    }
    if (tc || f->at == f->length)
        fdc_data_done(f, tc);
}

void fdc_granted(void *card)
{
    struct i82077 *f = card;
    if (f->stage == STAGE_DATA && !fdc_non_dma(f))
        fdc_move(f);
    fdc_update_irq(f);
}

/* --- commands: data ------------------------------------------------------------------------------------- */

static void begin(struct i82077 *f)
{
    f->phase = PHASE_EXECUTION;
    f->unit = f->command[1] & 3;
    f->head = f->command[1] >> 2 & 1;
    f->st0 = f->st1 = f->st2 = f->count = 0;
    f->scan_low = f->scan_high = false;
    f->reset_statuses = 0;
    fdc_activity(f, true);
}

/* With implied seek the head goes to the command's cylinder first [82077AA, CONFIGURE, EIS]. Returns when it
 * is there. */
static int64_t implied_seek(struct i82077 *f)
{
    struct unit *u = fdc_unit(f);
    int steps = f->c - u->pcn;
    if (!(f->config & CONFIG_EIS) || !steps)
        return clock_now(fdc_clock(f));
    floppy_step(&u->drive, steps);
    u->pcn = f->c;
    f->st0 = ST0_SE;
    return clock_now(fdc_clock(f)) + (steps < 0 ? -steps : steps) * fdc_step_time(f);
}

void fdc_transfer(struct i82077 *f)
{
    begin(f);
    f->c = f->command[2], f->h = f->command[3], f->r = f->command[4], f->n = f->command[5];
    f->eot = f->command[6];
    if (fdc_code(f) == CMD_VERIFY)
        f->count = f->command[8];               /* SC, when EC is set */
    wait_sector(f, fdc_code(f) == CMD_READ_TRACK ? 1 : f->r, implied_seek(f));
}

/* The next address mark, whichever it is. */
void fdc_read_id(struct i82077 *f)
{
    begin(f);
    f->c = f->h = f->r = f->n = 0;
    int64_t now = clock_now(fdc_clock(f));
    const struct floppy_format *format = fdc_unit(f)->drive.format;
    unsigned slot = (unsigned)(now % turn_time(f) / slot_time(f));
    wait_sector(f, format ? (slot + 1) % format->sectors + 1 : 1, now);
}

void fdc_format(struct i82077 *f)
{
    begin(f);
    f->c = f->h = f->r = 0;
    f->n = f->command[2], f->eot = f->command[3];
    wait_sector(f, 1, clock_now(fdc_clock(f)));
}
