/* What a CD-ROM drive does, whatever its interface: the tray, identity, mode pages, and the table of its commands. They are SCSI's, and
 * ATAPI's packets are the same.
 *
 * References: [SFF-8020i] 10 (commands, mode pages), the drives of the time; [SCSI-2] 14 (CD-ROM devices); [MMC-2] for GET
 * CONFIGURATION and GET EVENT STATUS NOTIFICATION.
 * Not modelled: mode parameters that change anything (a list is taken and dropped), the volume of the audio outputs.
 */
#include "devices/cdrom.h"
#include <errno.h>

enum { EVENT_NONE, EVENT_EJECT, EVENT_NEW, EVENT_REMOVAL };

/* --- how commands end ----------------------------------------------------------------------------------------- */

void cdrom_activity(struct cdrom *k, bool busy)
{
    const struct host *host = k->dev->machine->host;
    if (host->activity)
        host->activity(host->ui, k->dev->id, busy);
}

static void finish(struct cdrom *k, uint8_t key)
{
    if (k->work == CD_WORK_READ)
        cdrom_activity(k, false);
    k->work = CD_WORK_NONE;
    k->ops->end(k, key);
}

void cdrom_good(struct cdrom *k) { finish(k, 0); }

void cdrom_check(struct cdrom *k, enum cd_sense key, unsigned asc)
{
    k->sense_key = (uint8_t)key;
    k->asc = (uint16_t)asc;
    finish(k, (uint8_t)key);
}

/* Sends what a command has put into the buffer, cut to what the host allocated. */
void cdrom_reply(struct cdrom *k, uint32_t length, uint32_t allocated)
{
    k->filled = MIN(length, allocated);
    k->work = CD_WORK_REPLY;
    if (k->filled)
        k->ops->data(k, true, k->filled);
    else
        cdrom_good(k);
}

/* --- what the drive is ---------------------------------------------------------------------------------------- */

static void put_text(uint8_t *at, size_t size, const char *text, size_t length)
{
    memset(at, ' ', size);
    memcpy(at, text, MIN(size, length));
}

/* The model's first word is the vendor, the rest the product. */
static void cmd_inquiry(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 36);
    size_t vendor = strcspn(k->model, " ");
    const char *product = k->model[vendor] ? k->model + vendor + 1 : k->model;
    r[0] = 5;
    r[1] = 0x80;
    r[2] = k->scsi ? 2 : 0;                     /* SCSI-2 */
    r[3] = k->scsi ? 2 : 0x21;                  /* the formats of SCSI-2, of ATAPI */
    r[4] = 31;
    put_text(r + 8, 8, k->model, vendor);
    put_text(r + 16, 16, product, strlen(product));
    put_text(r + 32, 4, k->firmware, strlen(k->firmware));
    cdrom_reply(k, 36, p[4]);
}

static void cmd_request_sense(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 18);
    if (!k->sense_key && k->attention) {
        k->sense_key = CD_UNIT_ATTENTION;
        k->asc = k->attention;
        k->attention = 0;
    }
    r[0] = 0x70;
    r[2] = k->sense_key;
    r[7] = 10;
    be16_put(r + 12, k->asc);
    k->sense_key = CD_NO_SENSE;
    k->asc = 0;
    cdrom_reply(k, 18, p[4]);
}

static uint8_t medium_type(const struct cdrom *k) { return k->tray_open ? 0x71 : k->block ? 0x01 : 0x70; }

/* Mode pages as the drive has them; a host that asks which bits it may change (control 1) gets zeros: none. */
static uint32_t mode_pages(const struct cdrom *k, uint8_t *r, unsigned page, unsigned control)
{
    static const uint8_t recovery[] = { 0x01, 6, 0, 5 };
    static const uint8_t audio[] = { 0x0e, 14, 4, 0, 0, 0, 0, 0, 1, 0xff, 2, 0xff };
    static const uint8_t capabilities[] = { 0x2a, 18, 3, 0, 0x71, 0x03, 0x29, 0, 0x10, 0x8a, 0, 0, 0, 128, 0x10, 0x8a };
    static const struct { const uint8_t *bytes; size_t size; } pages[] = {
        { recovery, sizeof(recovery) }, { audio, sizeof(audio) }, { capabilities, sizeof(capabilities) },
    };
    uint32_t n = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        const uint8_t *b = pages[i].bytes;
        if (page != 0x3f && page != b[0])
            continue;
        memcpy(r + n, b, control == 1 ? 2 : pages[i].size);
        if (b[0] == 0x2a && control != 1)
            r[n + 6] |= k->locked ? 2 : 0;
        n += b[1] + 2u;
    }
    return n;
}

static void mode_sense(struct cdrom *k, const uint8_t *p, uint32_t header, uint32_t allocated)
{
    uint8_t *r = cdrom_buffer(k, 128);
    unsigned control = p[2] >> 6;
    uint32_t length = mode_pages(k, r + header, p[2] & 0x3f, control);
    if (!length || control == 3) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, control == 3 ? CD_SAVING : CD_FIELD);
        return;
    }
    length += header;
    if (header == 8) {
        be16_put(r, (uint16_t)(length - 2));
        r[2] = medium_type(k);
    } else {
        r[0] = (uint8_t)(length - 1);
        r[1] = medium_type(k);
    }
    cdrom_reply(k, length, allocated);
}

static void cmd_mode_sense6(struct cdrom *k, const uint8_t *p) { mode_sense(k, p, 4, p[4]); }
static void cmd_mode_sense10(struct cdrom *k, const uint8_t *p) { mode_sense(k, p, 8, be16_get(p + 7)); }

/* No mode parameter changes anything: the list is taken and dropped. */
static void mode_select(struct cdrom *k, uint32_t length)
{
    if (!length) {
        cdrom_good(k);
        return;
    }
    k->work = CD_WORK_TAKE;
    k->filled = length;
    k->ops->data(k, false, length);
}

static void cmd_mode_select6(struct cdrom *k, const uint8_t *p) { mode_select(k, p[4]); }
static void cmd_mode_select10(struct cdrom *k, const uint8_t *p) { mode_select(k, be16_get(p + 7)); }

static uint32_t put_feature(uint8_t *r, unsigned code, unsigned flags, const void *data, unsigned length)
{
    be16_put(r, (uint16_t)code);
    r[2] = (uint8_t)flags;                      /* version, persistent, current */
    r[3] = (uint8_t)length;
    memcpy(r + 4, data, length);
    return 4 + length;
}

/* Features of a CD-ROM drive [MMC-2, 5.4]: profile list, core, removable medium, random readable, CD read. */
static void cmd_get_configuration(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 128);
    unsigned now = cdrom_present(k) ? 1 : 0, start = be16_get(p + 2);
    const uint8_t profiles[] = { 0, 8, (uint8_t)now, 0 }, core[] = { 0, 0, 0, 2 }, medium[] = { 0x29, 0, 0, 0 };
    const uint8_t random[] = { 0, 0, 8, 0, 0, 1, 0, 0 }, cd_read[] = { 0, 0, 0, 0 };
    const struct { unsigned code, flags; const uint8_t *data; unsigned length; } features[] = {
        { 0x00, 3, profiles, sizeof(profiles) }, { 0x01, 3, core, sizeof(core) }, { 0x03, 3, medium, sizeof(medium) },
        { 0x10, now, random, sizeof(random) }, { 0x1e, now, cd_read, sizeof(cd_read) },
    };
    uint32_t length = 8;
    for (unsigned n = 0; n < ARRAY_SIZE(features); n++) {
        bool exact = (p[1] & 3) == 2;
        if (features[n].code < start || (exact && features[n].code != start) || ((p[1] & 3) == 1 && !(features[n].flags & 1)))
            continue;
        length += put_feature(r + length, features[n].code, features[n].flags, features[n].data, features[n].length);
    }
    be32_put(r, length - 4);
    be16_put(r + 6, now ? 8 : 0);
    cdrom_reply(k, length, be16_get(p + 7));
}

/* --- tray ----------------------------------------------------------------------------------------------------- */

static void cmd_start_stop(struct cdrom *k, const uint8_t *p)
{
    bool load_eject = p[4] & 2, start = p[4] & 1;
    if (load_eject && !start && k->locked) {
        cdrom_check(k, k->block ? CD_ILLEGAL_REQUEST : CD_NOT_READY, CD_LOCKED);
        return;
    }
    if (load_eject && k->tray_open == start) {
        k->tray_open = !start;
        k->event = start && k->block ? EVENT_NEW : EVENT_REMOVAL;
        k->attention = start && k->block ? CD_CHANGED : 0;
    }
    cdrom_good(k);
}

static void cmd_prevent(struct cdrom *k, const uint8_t *p)
{
    k->locked = p[4] & 1;
    cdrom_good(k);
}

static void cmd_event_status(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 8);
    uint32_t length = 4;
    if (!(p[1] & 1)) {                          /* asynchronous operation is not supported */
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_FIELD);
        return;
    }
    r[2] = 0x80;                                /* no event of a class that was asked for */
    r[3] = 0x10;
    if (p[4] & 0x10) {
        length = 8;
        r[2] = 4;
        r[4] = k->event;
        r[5] = (uint8_t)((k->tray_open ? 1 : 0) | (cdrom_present(k) ? 2 : 0));
        k->event = EVENT_NONE;
    }
    be16_put(r, (uint16_t)(length - 2));
    cdrom_reply(k, length, be16_get(p + 7));
}

static void cmd_mechanism_status(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 8);
    r[1] = k->tray_open ? 0x10 : 0;
    cdrom_reply(k, 8, be16_get(p + 8));
}

static void cmd_good(struct cdrom *k, const uint8_t *p)
{
    (void)p;
    cdrom_good(k);
}

/* --- packets -------------------------------------------------------------------------------------------------- */

enum { MEDIUM = 1, CALM = 2, SCSI = 4 };        /* needs a disc; runs although a unit attention is pending; not an ATAPI packet */
static const struct packet_command { uint8_t opcode, flags; void (*run)(struct cdrom *, const uint8_t *); } commands[] = {
    { 0x00, MEDIUM, cmd_good },                 /* TEST UNIT READY */
    { 0x01, MEDIUM | SCSI, cmd_good }, { 0x03, CALM, cmd_request_sense }, { 0x08, MEDIUM | SCSI, cmd_read }, { 0x0b, MEDIUM | SCSI, cmd_seek },
    { 0x12, CALM, cmd_inquiry }, { 0x15, 0, cmd_mode_select6 }, { 0x16, SCSI, cmd_good }, { 0x17, SCSI, cmd_good },
    { 0x1a, 0, cmd_mode_sense6 }, { 0x1b, 0, cmd_start_stop }, { 0x1d, SCSI, cmd_good }, { 0x1e, 0, cmd_prevent },
    { 0x25, MEDIUM, cmd_read_capacity }, { 0x28, MEDIUM, cmd_read }, { 0x2b, MEDIUM, cmd_seek }, { 0x2f, MEDIUM, cmd_good },
    { 0x42, MEDIUM, cmd_read_sub_channel }, { 0x43, MEDIUM, cmd_read_toc }, { 0x44, MEDIUM, cmd_read_header }, { 0x45, MEDIUM, cmd_play },
    { 0x46, CALM, cmd_get_configuration }, { 0x47, MEDIUM, cmd_play_msf }, { 0x48, MEDIUM, cmd_play_track }, { 0x4a, CALM, cmd_event_status },
    { 0x4b, MEDIUM, cmd_pause }, { 0x4e, 0, cmd_stop_play }, { 0x51, MEDIUM, cmd_disc_information }, { 0x55, 0, cmd_mode_select10 },
    { 0x5a, 0, cmd_mode_sense10 }, { 0xa5, MEDIUM, cmd_play }, { 0xa8, MEDIUM, cmd_read }, { 0xb9, MEDIUM, cmd_read_cd_msf },
    { 0xbb, 0, cmd_good }, { 0xbd, CALM, cmd_mechanism_status }, { 0xbe, MEDIUM, cmd_read_cd },
};

void cdrom_packet(struct cdrom *k, const uint8_t p[12])
{
    k->work = CD_WORK_NONE;
    const struct packet_command *c = NULL;
    for (unsigned n = 0; n < ARRAY_SIZE(commands); n++)
        if (commands[n].opcode == p[0] && (k->scsi || !(commands[n].flags & SCSI)))
            c = &commands[n];
    if (p[0] != 0x03)
        k->sense_key = CD_NO_SENSE, k->asc = 0;
    if (!c) {
        log_device(k->dev, LOG_STUB, "packet command %02xh is not modelled", p[0]);
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_OPCODE);
    } else if (k->attention && !(c->flags & CALM)) {
        uint16_t asc = k->attention;
        k->attention = 0;
        cdrom_check(k, CD_UNIT_ATTENTION, asc);
    } else if (c->flags & MEDIUM && !cdrom_present(k)) {
        cdrom_check(k, CD_NOT_READY, k->tray_open ? CD_TRAY_OPEN : CD_EMPTY);
    } else {
        c->run(k, p);
    }
}

/* --- for the interface ---------------------------------------------------------------------------------------- */

void cdrom_stop(struct cdrom *k, bool hard)
{
    if (k->work == CD_WORK_READ)
        cdrom_activity(k, false);
    k->work = CD_WORK_NONE;
    k->sense_key = CD_NO_SENSE;
    k->asc = 0;
    if (!hard)
        return;
    k->attention = CD_RESET;
    k->locked = k->tray_open = k->stale = false;
    k->event = EVENT_NONE;
    k->lba = k->left = k->chunk = k->filled = 0;
    k->sector_size = CD_SECTOR;
    k->audio = AUDIO_NONE;
    k->audio_lba = k->audio_end = 0;
    k->audio_since = 0;
}

bool cdrom_media(struct cdrom *k, unsigned drive, struct block *block, struct error *err)
{
    if (drive)
        return error_set(err, EINVAL, "%s has one medium only", k->dev->id);
    if (block && block->size < CD_SECTOR)
        return error_set(err, EINVAL, "the disc image for %s is shorter than one sector", k->dev->id);
    k->stale = k->work == CD_WORK_READ;
    k->block = block;
    k->tray_open = false;
    k->attention = block ? CD_CHANGED : 0;
    k->event = block ? EVENT_NEW : EVENT_REMOVAL;
    k->audio = AUDIO_NONE;
    return true;
}

bool cdrom_sound(const struct cdrom *k)
{
    bool sectors = k->sector_size == CD_SECTOR || k->sector_size == CD_RAW;
    return sectors && k->filled <= CD_BUFFER && k->work <= CD_WORK_TAKE &&
           k->chunk <= CD_BUFFER / (k->block && k->block->disc ? (uint32_t)CD_RAW : k->sector_size);
}

#define F(m) FIELD(struct cdrom, m)
const struct state_field cdrom_state[] = {
    F(work), F(sense_key), F(asc), F(attention), F(event), F(tray_open), F(locked), F(stale), F(filled), F(lba), F(left), F(chunk),
    F(sector_size), F(audio), F(audio_lba), F(audio_end), F(audio_since), END
};
