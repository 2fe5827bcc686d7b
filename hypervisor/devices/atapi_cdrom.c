/* An ATAPI CD-ROM drive with a tray, on a channel's cable.
 *
 * In a PC: usually the master of the secondary channel. The ATA side knows PACKET and little else; the packets are SCSI
 * multimedia commands. The disc is one data track of 2048-byte sectors: an ISO image.
 *
 * References: [ATA-6] 9.8 (packet protocol); [SFF-8020i] 10 (commands, mode pages), the drives of the time; [MMC-2] for GET
 * CONFIGURATION and GET EVENT STATUS NOTIFICATION; [ECMA-130] for raw sectors.
 * Not modelled: audio tracks, several sessions, the ECC bytes of raw sectors (zeros), C2 and sub-channel data, overlap.
 */
#include "devices/atapi_cdrom.h"
#include "devices/ata.h"
#include <errno.h>
#include <stdio.h>

enum { SECTOR = 2048, RAW = 2352, PACKET_SIZE = 12, MSF_OFFSET = 150, LEAD_OUT = 0xaa };
enum { IO_COD = 1, IO_IO = 2, IO_DONE = 3 };    /* interrupt reason, in the count register [ATA-6, 7.10] */
enum { WORK_NONE, WORK_PACKET, WORK_REPLY, WORK_READ, WORK_TAKE, WORK_IDENTIFY };
enum sense { NO_SENSE, NOT_READY = 2, MEDIUM_ERROR, ILLEGAL_REQUEST = 5, UNIT_ATTENTION };
enum { ASC_READ_ERROR = 0x1100, ASC_OPCODE = 0x2000, ASC_RANGE = 0x2100, ASC_FIELD = 0x2400, ASC_CHANGED = 0x2800, ASC_RESET = 0x2900,
       ASC_SAVING = 0x3900, ASC_EMPTY = 0x3a01, ASC_TRAY_OPEN = 0x3a02, ASC_LOCKED = 0x5302, ASC_MODE = 0x6400 };
enum { EVENT_NONE, EVENT_EJECT, EVENT_NEW, EVENT_REMOVAL };

struct atapi_cdrom {
    struct device dev;
    struct ata_drive ata;                       /* state */
    char *channel, *model, *serial, *firmware;  /* properties */
    uint8_t unit;
    uint8_t work, sense_key; uint16_t asc;      /* state, from here on */
    uint16_t attention;                         /* a pending unit attention: its ASC, or 0 */
    uint8_t event;
    bool tray_open, locked, dma, stale;         /* stale: the disc was changed under a read */
    uint8_t mwdma, udma;
    uint16_t limit;                             /* bytes a DRQ block */
    uint32_t filled;                            /* bytes in the buffer */
    uint32_t lba, left, chunk; uint16_t sector_size;
};

static struct atapi_cdrom *cd_of(struct ata_drive *d) { return container_of(d, struct atapi_cdrom, ata); }
static struct atapi_cdrom *cd_dev(struct device *dev) { return container_of(dev, struct atapi_cdrom, dev); }
static bool present(const struct atapi_cdrom *k) { return k->ata.block && !k->tray_open; }
static uint32_t capacity(const struct atapi_cdrom *k)
{
    return present(k) ? (uint32_t)MIN(k->ata.block->size / SECTOR, UINT32_MAX) : 0;
}

/* --- how commands end ----------------------------------------------------------------------------------------- */

static void good(struct atapi_cdrom *k)
{
    if (k->work == WORK_READ)
        ata_activity(&k->ata, false);
    k->work = WORK_NONE;
    k->ata.count[0] = IO_DONE;
    ata_done(&k->ata, 0);
}

/* The sense key stands in the error register's high nibble [SFF-8020i, 6.7]. */
static void check(struct atapi_cdrom *k, enum sense key, unsigned asc)
{
    if (k->work == WORK_READ)
        ata_activity(&k->ata, false);
    k->work = WORK_NONE;
    k->sense_key = (uint8_t)key;
    k->asc = (uint16_t)asc;
    k->ata.count[0] = IO_DONE;
    ata_done(&k->ata, (uint8_t)(key << 4 | ATA_ABRT));
}

/* Offers the bytes from `position` on: all at once for DMA, else as much as the host takes in one DRQ block. */
static void offer(struct atapi_cdrom *k, uint32_t position)
{
    struct ata_drive *d = &k->ata;
    if (k->dma) {
        ata_dma(d, true, position, k->filled);
        return;
    }
    uint32_t n = MIN(k->filled - position, (uint32_t)k->limit);
    d->count[0] = IO_IO;
    d->mid[0] = (uint8_t)n;
    d->high[0] = (uint8_t)(n >> 8);
    ata_pio(d, true, position, position + n, true);
}

/* Sends what a command has put into the buffer, cut to what the host allocated. */
static void reply(struct atapi_cdrom *k, uint32_t length, uint32_t allocated)
{
    k->filled = MIN(length, allocated);
    k->work = WORK_REPLY;
    if (k->filled)
        offer(k, 0);
    else
        good(k);
}

static uint8_t *reply_buffer(struct atapi_cdrom *k, size_t length)
{
    return memset(k->ata.buffer.bytes, 0, length);
}

static void put_msf(uint8_t *at, uint32_t lba)
{
    lba += MSF_OFFSET;
    at[0] = (uint8_t)(lba / 75 / 60);
    at[1] = (uint8_t)(lba / 75 % 60);
    at[2] = (uint8_t)(lba % 75);
}

static void put_address(uint8_t *at, uint32_t lba, bool msf)
{
    at[0] = 0;
    if (msf)
        put_msf(at + 1, lba);
    else
        be32_put(at, lba);
}

/* --- reading -------------------------------------------------------------------------------------------------- */

static void read_next(struct atapi_cdrom *k)
{
    if (!k->left) {
        good(k);
        return;
    }
    k->chunk = MIN(k->left, (uint32_t)ATA_BUFFER / k->sector_size);
    ata_io_start(&k->ata, ATA_IO_READ, (uint64_t)k->lba * SECTOR, 0, k->chunk * SECTOR);
}

static void read_start(struct atapi_cdrom *k, uint32_t lba, uint32_t count, uint16_t sector_size)
{
    if (lba > capacity(k) || count > capacity(k) - lba) {
        check(k, ILLEGAL_REQUEST, ASC_RANGE);
        return;
    }
    k->lba = lba;
    k->left = count;
    k->sector_size = sector_size;
    k->stale = false;
    k->work = WORK_READ;
    ata_activity(&k->ata, true);
    read_next(k);
}

static uint32_t edc(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0;                           /* x^32 + x^31 + x^16 + x^15 + x^4 + x^3 + x + 1, reflected [ECMA-130, 14.3] */
    for (size_t n = 0; n < length; n++) {
        crc ^= bytes[n];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xd8018001u : 0);
    }
    return crc;
}

/* Spreads the chunk's sectors to raw ones, the last first so that none is overwritten. */
static void make_raw(struct atapi_cdrom *k)
{
    for (uint32_t n = k->chunk; n-- > 0;) {
        uint8_t *raw = k->ata.buffer.bytes + n * RAW;
        memmove(raw + 16, k->ata.buffer.bytes + n * SECTOR, SECTOR);
        memset(raw, 0xff, 12);
        raw[0] = raw[11] = 0;
        put_msf(raw + 12, k->lba + n);
        for (unsigned i = 12; i < 15; i++)
            raw[i] = (uint8_t)(raw[i] / 10 << 4 | raw[i] % 10);
        raw[15] = 1;                            /* mode 1 */
        memset(raw + 16 + SECTOR, 0, RAW - 16 - SECTOR);
        le32_put(raw + 16 + SECTOR, edc(raw, 16 + SECTOR));
    }
}

static void cd_io_end(struct ata_drive *d, int error)
{
    struct atapi_cdrom *k = cd_of(d);
    if (k->stale) {
        k->attention = 0;
        check(k, UNIT_ATTENTION, ASC_CHANGED);
    } else if (error) {
        log_device(d->dev, LOG_WARN, "read of sector %u failed: %s", k->lba, strerror(-error));
        check(k, MEDIUM_ERROR, ASC_READ_ERROR);
    } else {
        if (k->sector_size == RAW)
            make_raw(k);
        k->filled = k->chunk * k->sector_size;
        k->lba += k->chunk;
        k->left -= k->chunk;
        offer(k, 0);
    }
}

static void cmd_read10(struct atapi_cdrom *k, const uint8_t *p) { read_start(k, be32_get(p + 2), be16_get(p + 7), SECTOR); }
static void cmd_read12(struct atapi_cdrom *k, const uint8_t *p) { read_start(k, be32_get(p + 2), be32_get(p + 6), SECTOR); }

/* Byte 9 chooses the parts of the sector: user data alone, or all of it; nothing chosen is a seek. */
static void read_cd(struct atapi_cdrom *k, const uint8_t *p, uint32_t lba, uint32_t count)
{
    unsigned type = p[1] >> 2 & 7, parts = p[9] & 0xfe;
    if ((type && type != 2) || (p[10] & 7) || (parts && parts != 0x10 && parts != 0xf8))
        check(k, ILLEGAL_REQUEST, ASC_FIELD);
    else
        read_start(k, lba, parts ? count : 0, parts == 0xf8 ? RAW : SECTOR);
}

static void cmd_read_cd(struct atapi_cdrom *k, const uint8_t *p)
{
    read_cd(k, p, be32_get(p + 2), (uint32_t)p[6] << 16 | be16_get(p + 7));
}

static void cmd_read_cd_msf(struct atapi_cdrom *k, const uint8_t *p)
{
    uint32_t from = (p[3] * 60u + p[4]) * 75 + p[5], to = (p[6] * 60u + p[7]) * 75 + p[8];
    if (from < MSF_OFFSET || to < from)
        check(k, ILLEGAL_REQUEST, ASC_FIELD);
    else
        read_cd(k, p, from - MSF_OFFSET, to - from);
}

static void cmd_seek(struct atapi_cdrom *k, const uint8_t *p)
{
    if (be32_get(p + 2) < capacity(k))
        good(k);
    else
        check(k, ILLEGAL_REQUEST, ASC_RANGE);
}

/* --- what the disc is ----------------------------------------------------------------------------------------- */

static void cmd_read_capacity(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 8);
    (void)p;
    be32_put(r, capacity(k) ? capacity(k) - 1 : 0);
    be32_put(r + 4, SECTOR);
    reply(k, 8, 8);
}

static uint32_t toc_tracks(const struct atapi_cdrom *k, uint8_t *r, unsigned first, bool msf)
{
    uint32_t n = 4;
    for (unsigned track = 1; track <= LEAD_OUT; track += LEAD_OUT - 1) {
        if (track < first)
            continue;
        r[n + 1] = 0x14;                        /* ADR 1, a data track */
        r[n + 2] = (uint8_t)track;
        put_address(r + n + 4, track == 1 ? 0 : capacity(k), msf);
        n += 8;
    }
    return n;
}

/* The lead-in's entries: first and last track, lead-out, and the track [MMC-2, table 154]. */
static uint32_t toc_raw(const struct atapi_cdrom *k, uint8_t *r)
{
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    for (unsigned n = 0; n < sizeof(points); n++) {
        uint8_t *e = r + 4 + 11 * n;
        e[0] = 1;
        e[1] = 0x14;
        e[3] = points[n];
        if (n < 2)
            e[8] = 1;
        else
            put_msf(e + 8, n == 2 ? capacity(k) : 0);
    }
    return 4 + 11 * sizeof(points);
}

static void cmd_read_toc(struct atapi_cdrom *k, const uint8_t *p)
{
    unsigned format = p[2] & 15 ? p[2] & 15u : p[9] >> 6, first = p[6];
    bool msf = p[1] & 2;
    uint8_t *r = reply_buffer(k, 64);
    uint32_t length = 12;
    r[2] = r[3] = 1;
    if (format > 2 || (format == 0 && first > 1 && first != LEAD_OUT)) {
        check(k, ILLEGAL_REQUEST, ASC_FIELD);
        return;
    }
    if (format == 0) {
        length = toc_tracks(k, r, first, msf);
    } else if (format == 1) {
        r[5] = 0x14;
        r[6] = 1;
        put_address(r + 8, 0, msf);
    } else {
        length = toc_raw(k, r);
    }
    be16_put(r, (uint16_t)(length - 2));
    reply(k, length, be16_get(p + 7));
}

static void cmd_read_sub_channel(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 24);
    bool msf = p[1] & 2;
    uint32_t length = 4;
    r[1] = 0x15;                                /* no audio status to report */
    if (p[2] & 0x40) {
        if (p[3] < 1 || p[3] > 3) {
            check(k, ILLEGAL_REQUEST, ASC_FIELD);
            return;
        }
        r[4] = p[3];
        length = p[3] == 1 ? 16 : 24;           /* catalogue number and ISRC: none, their valid bits stay 0 */
        if (p[3] == 1) {
            r[5] = 0x14;
            r[6] = r[7] = 1;
            put_address(r + 8, k->lba, msf);
            put_address(r + 12, k->lba, msf);
        }
    }
    be16_put(r + 2, (uint16_t)(length - 4));
    reply(k, length, be16_get(p + 7));
}

static void cmd_read_header(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 8);
    if (be32_get(p + 2) >= capacity(k)) {
        check(k, ILLEGAL_REQUEST, ASC_RANGE);
        return;
    }
    r[0] = 1;
    put_address(r + 4, be32_get(p + 2), p[1] & 2);
    reply(k, 8, be16_get(p + 7));
}

static void cmd_disc_information(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 34);
    be16_put(r, 32);
    r[2] = 0x0e;                                /* finalised, its last session complete */
    r[3] = r[4] = r[5] = r[6] = 1;
    r[7] = 0x20;
    memset(r + 16, 0xff, 8);
    reply(k, 34, be16_get(p + 7));
}

/* --- what the drive is ---------------------------------------------------------------------------------------- */

static void put_text(uint8_t *at, size_t size, const char *text, size_t length)
{
    memset(at, ' ', size);
    memcpy(at, text, MIN(size, length));
}

/* The model's first word is the vendor, the rest the product. */
static void cmd_inquiry(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 36);
    size_t vendor = strcspn(k->model, " ");
    const char *product = k->model[vendor] ? k->model + vendor + 1 : k->model;
    r[0] = 5;
    r[1] = 0x80;
    r[3] = 0x21;
    r[4] = 31;
    put_text(r + 8, 8, k->model, vendor);
    put_text(r + 16, 16, product, strlen(product));
    put_text(r + 32, 4, k->firmware, strlen(k->firmware));
    reply(k, 36, p[4]);
}

static void cmd_request_sense(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 18);
    if (!k->sense_key && k->attention) {
        k->sense_key = UNIT_ATTENTION;
        k->asc = k->attention;
        k->attention = 0;
    }
    r[0] = 0x70;
    r[2] = k->sense_key;
    r[7] = 10;
    be16_put(r + 12, k->asc);
    k->sense_key = NO_SENSE;
    k->asc = 0;
    reply(k, 18, p[4]);
}

static uint8_t medium_type(const struct atapi_cdrom *k)
{
    return k->tray_open ? 0x71 : k->ata.block ? 0x01 : 0x70;
}

/* Mode pages as the drive has them; a host that asks which bits it may change (control 1) gets zeros: none. */
static uint32_t mode_pages(const struct atapi_cdrom *k, uint8_t *r, unsigned page, unsigned control)
{
    static const uint8_t recovery[] = { 0x01, 6, 0, 5 };
    static const uint8_t audio[] = { 0x0e, 14, 4, 0, 0, 0, 0, 0, 1, 0xff, 2, 0xff };
    static const uint8_t capabilities[] = { 0x2a, 18, 3, 0, 0x70, 0, 0x29, 0, 0x10, 0x8a, 0, 0, 0, 128, 0x10, 0x8a };
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

static void mode_sense(struct atapi_cdrom *k, const uint8_t *p, uint32_t header, uint32_t allocated)
{
    uint8_t *r = reply_buffer(k, 128);
    unsigned control = p[2] >> 6;
    uint32_t length = mode_pages(k, r + header, p[2] & 0x3f, control);
    if (!length || control == 3) {
        check(k, ILLEGAL_REQUEST, control == 3 ? ASC_SAVING : ASC_FIELD);
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
    reply(k, length, allocated);
}

static void cmd_mode_sense6(struct atapi_cdrom *k, const uint8_t *p) { mode_sense(k, p, 4, p[4]); }
static void cmd_mode_sense10(struct atapi_cdrom *k, const uint8_t *p) { mode_sense(k, p, 8, be16_get(p + 7)); }

/* No mode parameter changes anything: the list is taken and dropped. */
static void mode_select(struct atapi_cdrom *k, uint32_t length)
{
    if (!length) {
        good(k);
        return;
    }
    k->work = WORK_TAKE;
    k->filled = length;
    if (k->dma) {
        ata_dma(&k->ata, false, 0, length);
        return;
    }
    k->ata.count[0] = 0;
    k->ata.mid[0] = (uint8_t)length;
    k->ata.high[0] = (uint8_t)(length >> 8);
    ata_pio(&k->ata, false, 0, length, true);
}

static void cmd_mode_select6(struct atapi_cdrom *k, const uint8_t *p) { mode_select(k, p[4]); }
static void cmd_mode_select10(struct atapi_cdrom *k, const uint8_t *p) { mode_select(k, be16_get(p + 7)); }

static uint32_t put_feature(uint8_t *r, unsigned code, unsigned flags, const void *data, unsigned length)
{
    be16_put(r, (uint16_t)code);
    r[2] = (uint8_t)flags;                      /* version, persistent, current */
    r[3] = (uint8_t)length;
    memcpy(r + 4, data, length);
    return 4 + length;
}

/* Features of a CD-ROM drive [MMC-2, 5.4]: profile list, core, removable medium, random readable, CD read. */
static void cmd_get_configuration(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 128);
    unsigned now = present(k) ? 1 : 0, start = be16_get(p + 2);
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
    reply(k, length, be16_get(p + 7));
}

/* --- tray ----------------------------------------------------------------------------------------------------- */

static void cmd_start_stop(struct atapi_cdrom *k, const uint8_t *p)
{
    bool load_eject = p[4] & 2, start = p[4] & 1;
    if (load_eject && !start && k->locked) {
        check(k, k->ata.block ? ILLEGAL_REQUEST : NOT_READY, ASC_LOCKED);
        return;
    }
    if (load_eject && k->tray_open == start) {
        k->tray_open = !start;
        k->event = start && k->ata.block ? EVENT_NEW : EVENT_REMOVAL;
        k->attention = start && k->ata.block ? ASC_CHANGED : 0;
    }
    good(k);
}

static void cmd_prevent(struct atapi_cdrom *k, const uint8_t *p)
{
    k->locked = p[4] & 1;
    good(k);
}

static void cmd_event_status(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 8);
    uint32_t length = 4;
    if (!(p[1] & 1)) {                          /* asynchronous operation is not supported */
        check(k, ILLEGAL_REQUEST, ASC_FIELD);
        return;
    }
    r[2] = 0x80;                                /* no event of a class that was asked for */
    r[3] = 0x10;
    if (p[4] & 0x10) {
        length = 8;
        r[2] = 4;
        r[4] = k->event;
        r[5] = (uint8_t)((k->tray_open ? 1 : 0) | (present(k) ? 2 : 0));
        k->event = EVENT_NONE;
    }
    be16_put(r, (uint16_t)(length - 2));
    reply(k, length, be16_get(p + 7));
}

static void cmd_mechanism_status(struct atapi_cdrom *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k, 8);
    r[1] = k->tray_open ? 0x10 : 0;
    reply(k, 8, be16_get(p + 8));
}

static void cmd_good(struct atapi_cdrom *k, const uint8_t *p)
{
    (void)p;
    good(k);
}

static void cmd_play(struct atapi_cdrom *k, const uint8_t *p)
{
    (void)p;
    check(k, ILLEGAL_REQUEST, ASC_MODE);        /* the only track is data */
}

/* --- packets -------------------------------------------------------------------------------------------------- */

enum { MEDIUM = 1, CALM = 2 };                  /* needs a disc; runs although a unit attention is pending */
static const struct packet_command { uint8_t opcode, flags; void (*run)(struct atapi_cdrom *, const uint8_t *); } commands[] = {
    { 0x00, MEDIUM, cmd_good },                 /* TEST UNIT READY */
    { 0x03, CALM, cmd_request_sense }, { 0x12, CALM, cmd_inquiry }, { 0x15, 0, cmd_mode_select6 }, { 0x1a, 0, cmd_mode_sense6 },
    { 0x1b, 0, cmd_start_stop }, { 0x1e, 0, cmd_prevent }, { 0x25, MEDIUM, cmd_read_capacity }, { 0x28, MEDIUM, cmd_read10 },
    { 0x2b, MEDIUM, cmd_seek }, { 0x2f, MEDIUM, cmd_good }, { 0x42, MEDIUM, cmd_read_sub_channel }, { 0x43, MEDIUM, cmd_read_toc },
    { 0x44, MEDIUM, cmd_read_header }, { 0x45, MEDIUM, cmd_play }, { 0x46, CALM, cmd_get_configuration }, { 0x47, MEDIUM, cmd_play },
    { 0x48, MEDIUM, cmd_play }, { 0x4a, CALM, cmd_event_status }, { 0x4b, MEDIUM, cmd_play }, { 0x4e, 0, cmd_good },
    { 0x51, MEDIUM, cmd_disc_information }, { 0x55, 0, cmd_mode_select10 }, { 0x5a, 0, cmd_mode_sense10 }, { 0xa5, MEDIUM, cmd_play },
    { 0xa8, MEDIUM, cmd_read12 }, { 0xb9, MEDIUM, cmd_read_cd_msf }, { 0xbb, 0, cmd_good }, { 0xbd, CALM, cmd_mechanism_status },
    { 0xbe, MEDIUM, cmd_read_cd },
};

static void packet_run(struct atapi_cdrom *k)
{
    uint8_t p[PACKET_SIZE];
    memcpy(p, k->ata.buffer.bytes, sizeof(p));
    k->work = WORK_NONE;
    const struct packet_command *c = NULL;
    for (unsigned n = 0; n < ARRAY_SIZE(commands); n++)
        if (commands[n].opcode == p[0])
            c = &commands[n];
    if (p[0] != 0x03)
        k->sense_key = NO_SENSE, k->asc = 0;
    if (!c) {
        log_device(&k->dev, LOG_STUB, "packet command %02xh is not modelled", p[0]);
        check(k, ILLEGAL_REQUEST, ASC_OPCODE);
    } else if (k->attention && !(c->flags & CALM)) {
        uint16_t asc = k->attention;
        k->attention = 0;
        check(k, UNIT_ATTENTION, asc);
    } else if (c->flags & MEDIUM && !present(k)) {
        check(k, NOT_READY, k->tray_open ? ASC_TRAY_OPEN : ASC_EMPTY);
    } else {
        c->run(k, p);
    }
}

static void cd_data_end(struct ata_drive *d)
{
    struct atapi_cdrom *k = cd_of(d);
    if (k->work == WORK_PACKET) {
        packet_run(k);
    } else if (k->work == WORK_IDENTIFY) {
        k->work = WORK_NONE;
        d->status = ATA_DRDY;
    } else if ((k->work == WORK_REPLY || k->work == WORK_READ) && d->end < k->filled) {
        offer(k, d->end);
    } else if (k->work == WORK_READ && k->left) {
        read_next(k);
    } else {
        good(k);
    }
}

/* --- ATA commands --------------------------------------------------------------------------------------------- */

static void packet(struct atapi_cdrom *k)
{
    struct ata_drive *d = &k->ata;
    unsigned limit = (unsigned)d->high[0] << 8 | d->mid[0];
    k->dma = d->features[0] & 1;
    if (k->dma && !k->mwdma && !k->udma) {
        ata_done(d, ATA_ABRT);
        return;
    }
    k->limit = (uint16_t)(limit < 2 || limit == 0xffff ? 0xfffe : limit & ~1u);     /* only the last block may be odd */
    k->work = WORK_PACKET;
    d->count[0] = IO_COD;
    ata_pio(d, false, 0, PACKET_SIZE, false);
}

static void put_string(uint8_t *at, size_t size, const char *text)
{
    size_t length = strlen(text);
    for (size_t n = 0; n < size; n++)
        at[n ^ 1] = (uint8_t)(n < length ? text[n] : ' ');
}

static void identify_packet(struct atapi_cdrom *k)
{
    static const struct { uint8_t word; uint16_t value; } words[] = {
        { 0, 0x85c0 },                          /* CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
        { 49, 0x0f00 }, { 50, 0x4000 }, { 51, 0x0200 }, { 53, 6 }, { 64, 3 }, { 65, 120 }, { 66, 120 }, { 67, 120 }, { 68, 120 },
        { 80, 0x1e }, { 82, 0x4210 }, { 83, 0x4000 }, { 84, 0x4000 }, { 85, 0x4210 }, { 87, 0x4000 },
    };
    uint8_t *w = reply_buffer(k, 512);
    for (unsigned n = 0; n < ARRAY_SIZE(words); n++)
        le16_put(w + 2 * words[n].word, words[n].value);
    put_string(w + 20, 20, k->serial);
    put_string(w + 46, 8, k->firmware);
    put_string(w + 54, 40, k->model);
    le16_put(w + 126, (uint16_t)(7 | k->mwdma << 8));
    le16_put(w + 176, (uint16_t)(7 | k->udma << 8));
    k->work = WORK_IDENTIFY;
    ata_pio(&k->ata, true, 0, 512, true);
}

static void set_features(struct atapi_cdrom *k)
{
    uint8_t mode = k->ata.count[0], kind = mode >> 3, number = mode & 7;
    bool ok = true;
    if (k->ata.features[0] == 0x03) {
        bool dma = (kind == 4 || kind == 8) && number <= 2;
        ok = dma || (kind == 0 && number <= 1) || (kind == 1 && number <= 4);
        if (dma) {
            k->mwdma = kind == 4 ? (uint8_t)BIT(number) : 0;
            k->udma = kind == 8 ? (uint8_t)BIT(number) : 0;
        }
    } else if (k->ata.features[0] != 0x66 && k->ata.features[0] != 0xcc) {
        ok = false;
    }
    ata_done(&k->ata, ok ? 0 : ATA_ABRT);
}

static void cd_command(struct ata_drive *d, uint8_t command)
{
    struct atapi_cdrom *k = cd_of(d);
    switch (command) {
    case 0xa0: packet(k); break;
    case 0xa1: identify_packet(k); break;
    case 0xef: set_features(k); break;
    case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe6: ata_done(d, 0); break;   /* power modes: always ready */
    case 0xe5: d->count[0] = 0xff; ata_done(d, 0); break;
    case 0x20: case 0xec:                       /* aborted with the signature in the registers [ATA-6, 8.12.5.2] */
        ata_signature(d);
        d->device |= d->unit ? ATA_DEV : 0;
        ata_done(d, ATA_ABRT);
        break;
    default: ata_done(d, ATA_ABRT);
    }
}

/* --- class ---------------------------------------------------------------------------------------------------- */

static void cd_ata_reset(struct ata_drive *d, bool hard)
{
    struct atapi_cdrom *k = cd_of(d);
    k->work = WORK_NONE;
    k->sense_key = NO_SENSE;
    k->asc = 0;
    if (!hard)
        return;
    k->attention = ASC_RESET;
    k->locked = k->tray_open = false;
    k->event = EVENT_NONE;
    k->mwdma = BIT(2);
    k->udma = 0;
    k->lba = k->left = k->chunk = k->filled = 0;
    k->sector_size = SECTOR;
}

static const struct ata_ops cd_ops = {
    .command = cd_command, .data_end = cd_data_end, .io_end = cd_io_end, .reset = cd_ata_reset, .packet = true,
};

/* The user's hand is stronger than the guest's lock: the board asks atapi_cdrom_locked first. */
static bool cd_media(struct device *dev, unsigned drive, struct block *block, struct error *err)
{
    struct atapi_cdrom *k = cd_dev(dev);
    if (drive)
        return error_set(err, EINVAL, "%s has one medium only", dev->id);
    if (block && block->size < SECTOR)
        return error_set(err, EINVAL, "the disc image for %s is shorter than one sector", dev->id);
    k->stale = k->ata.submitted;
    k->ata.block = block;
    k->tray_open = false;
    k->attention = block ? ASC_CHANGED : 0;
    k->event = block ? EVENT_NEW : EVENT_REMOVAL;
    return true;
}

bool atapi_cdrom_locked(const struct device *dev)
{
    return dev->class == &atapi_cdrom_class && container_of(dev, const struct atapi_cdrom, dev)->locked;
}

static bool cd_init(struct device *dev, struct error *err)
{
    struct atapi_cdrom *k = cd_dev(dev);
    return ata_drive_init(&k->ata, dev, &cd_ops, k->channel, k->unit, err);
}

static void cd_reset(struct device *dev, enum reset_kind kind)
{
    ata_drive_reset(&cd_dev(dev)->ata, kind);
}

static bool cd_restored(struct device *dev, unsigned version, struct error *err)
{
    struct atapi_cdrom *k = cd_dev(dev);
    (void)version, (void)err;
    bool bad = (k->sector_size != SECTOR && k->sector_size != RAW) || k->filled > ATA_BUFFER || k->limit < 2 ||
               k->chunk > (uint32_t)ATA_BUFFER / (k->sector_size ? k->sector_size : 1u) || k->work > WORK_IDENTIFY;
    if (bad && k->work != WORK_NONE)
        k->ata.phase = ATA_DMA_OUT + 1;         /* refused by the drive: it starts afresh */
    ata_drive_restored(&k->ata);
    return true;
}

static void cd_free(struct device *dev)
{
    ata_drive_free(&cd_dev(dev)->ata);
}

#define F(m) FIELD(struct atapi_cdrom, m)
static const struct state_field cd_state[] = {
    ATA_STATE(struct atapi_cdrom, ata), F(work), F(sense_key), F(asc), F(attention), F(event), F(tray_open), F(locked), F(dma),
    F(stale), F(mwdma), F(udma), F(limit), F(filled), F(lba), F(left), F(chunk), F(sector_size), END
};
static const struct property cd_properties[] = {
    PROPERTY(struct atapi_cdrom, channel, "ide1", "the cable: id of an ata_channel"),
    PROPERTY(struct atapi_cdrom, unit, "0", "0 master, 1 slave"),
    PROPERTY(struct atapi_cdrom, model, "HOLDOVER CD-ROM", "model number: vendor, a blank, product"),
    PROPERTY(struct atapi_cdrom, serial, "CD00000001", "serial number, up to 20 characters"),
    PROPERTY(struct atapi_cdrom, firmware, "1.0", "firmware revision, up to 8 characters"), END
};

const struct device_class atapi_cdrom_class = {
    .name = "atapi_cdrom", .summary = "ATAPI CD-ROM drive", .size = sizeof(struct atapi_cdrom),
    .properties = cd_properties, .state = cd_state, .state_version = 1,
    .init = cd_init, .reset = cd_reset, .restored = cd_restored, .free = cd_free, .media = cd_media,
};
