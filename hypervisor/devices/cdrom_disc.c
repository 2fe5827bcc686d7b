/* What is on a disc: its tracks and sessions, reading its sectors, playing its audio.
 *
 * A disc is an ISO image, one data track of 2048-byte sectors, or an image whose layer knows tracks (block.h), of 2352-byte sectors.
 *
 * References: [MMC-2] and [SFF-8020i] 10 (commands); [ECMA-130] for raw sectors; [SCSI-2] 14.1.6 for audio.
 * Not modelled: the sound of audio tracks (the position moves on as it should, in silence), the ECC bytes of raw sectors of ISO
 * images (zeros), C2 and sub-channel data in READ CD, catalogue numbers and ISRC.
 */
#include "devices/cdrom.h"

enum { FRAMES = 75, LEADS = 11400 };            /* sectors of a lead-out, the next lead-in and its pregap [MMC-2] */

static const struct block_disc *disc_of(const struct cdrom *k) { return cdrom_present(k) ? k->block->disc : NULL; }
static unsigned track_count(const struct cdrom *k) { return disc_of(k) ? disc_of(k)->tracks : 1; }

/* Track n, from 1. */
static struct disc_track track_get(const struct cdrom *k, unsigned n)
{
    static const struct disc_track whole = { .start = 0, .session = 1, .kind = DISC_MODE1 };
    return disc_of(k) ? disc_of(k)->track[n - 1] : whole;
}

uint32_t cdrom_capacity(const struct cdrom *k)
{
    if (!cdrom_present(k))
        return 0;
    return (uint32_t)MIN(k->block->size / (k->block->disc ? CD_RAW : CD_SECTOR), UINT32_MAX);
}

static unsigned track_at(const struct cdrom *k, uint32_t lba)
{
    unsigned n = track_count(k);
    while (n > 1 && track_get(k, n).start > lba)
        n--;
    return n;
}

static uint8_t control(struct disc_track t) { return t.kind == DISC_AUDIO ? 0x10 : 0x14; }      /* ADR 1, audio or data */

static void put_msf(uint8_t *at, uint32_t lba)
{
    lba += CD_MSF;
    at[0] = (uint8_t)(lba / FRAMES / 60);
    at[1] = (uint8_t)(lba / FRAMES % 60);
    at[2] = (uint8_t)(lba % FRAMES);
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

static void read_next(struct cdrom *k)
{
    uint32_t stored = disc_of(k) ? CD_RAW : CD_SECTOR;
    if (!k->left) {
        cdrom_good(k);
        return;
    }
    k->chunk = MIN(k->left, CD_BUFFER / MAX(stored, (uint32_t)k->sector_size));
    k->ops->read(k, (uint64_t)k->lba * stored, k->chunk * stored);
}

static void read_start(struct cdrom *k, uint32_t lba, uint32_t count, uint16_t sector_size)
{
    if (lba > cdrom_capacity(k) || count > cdrom_capacity(k) - lba) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
        return;
    }
    k->audio = k->audio == AUDIO_PLAYING || k->audio == AUDIO_PAUSED ? AUDIO_NONE : k->audio;     /* the head is elsewhere */
    k->lba = lba;
    k->left = count;
    k->sector_size = sector_size;
    k->stale = false;
    k->work = CD_WORK_READ;
    cdrom_activity(k, true);
    read_next(k);
}

/* Spreads the chunk's sectors to raw ones, the last first so that none is overwritten. */
static void make_raw(struct cdrom *k)
{
    for (uint32_t n = k->chunk; n-- > 0;) {
        uint8_t *raw = k->buffer + n * CD_RAW;
        memmove(raw + 16, k->buffer + n * CD_SECTOR, CD_SECTOR);
        disc_sector_make(raw, k->lba + n);
    }
}

/* Leaves of raw sectors the 2048 bytes of user data; where they begin, the mode tells. */
static void make_cooked(struct cdrom *k)
{
    for (uint32_t n = 0; n < k->chunk; n++) {
        const uint8_t *raw = k->buffer + n * CD_RAW;
        memmove(k->buffer + n * CD_SECTOR, raw + (raw[15] == 2 ? 24 : 16), CD_SECTOR);
    }
}

void cdrom_io_end(struct cdrom *k, int error)
{
    if (k->stale) {
        k->attention = 0;
        cdrom_check(k, CD_UNIT_ATTENTION, CD_CHANGED);
    } else if (error) {
        log_device(k->dev, LOG_WARN, "read of sector %u failed: %s", k->lba, strerror(-error));
        cdrom_check(k, CD_MEDIUM_ERROR, CD_READ_ERROR);
    } else {
        if (k->sector_size == CD_RAW && !disc_of(k))
            make_raw(k);
        else if (k->sector_size == CD_SECTOR && disc_of(k))
            make_cooked(k);
        k->filled = k->chunk * k->sector_size;
        k->lba += k->chunk;
        k->left -= k->chunk;
        k->ops->data(k, true, k->filled);
    }
}

void cdrom_data_end(struct cdrom *k)
{
    if (k->work == CD_WORK_READ && k->left && k->stale)
        cdrom_io_end(k, 0);
    else if (k->work == CD_WORK_READ && k->left)
        read_next(k);
    else
        cdrom_good(k);
}

static bool all_data(const struct cdrom *k, uint32_t lba, uint32_t count)
{
    return !count || (track_get(k, track_at(k, lba)).kind != DISC_AUDIO && track_get(k, track_at(k, lba + count - 1)).kind != DISC_AUDIO);
}

void cmd_read(struct cdrom *k, const uint8_t *p)
{
    uint32_t lba = p[0] == 0x08 ? be32_get(p) & 0x1fffff : be32_get(p + 2);
    uint32_t count = p[0] == 0xa8 ? be32_get(p + 6) : p[0] == 0x28 ? be16_get(p + 7) : p[4] ? p[4] : 256u;
    if (lba < cdrom_capacity(k) && !all_data(k, lba, MIN(count, cdrom_capacity(k) - lba)))
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_MODE);
    else
        read_start(k, lba, count, CD_SECTOR);
}

/* Byte 9 chooses the parts of the sector: user data alone, or all of it; nothing chosen is a seek. An audio sector is all user data. */
static void read_cd(struct cdrom *k, const uint8_t *p, uint32_t lba, uint32_t count)
{
    static const uint8_t kinds[8] = { 0, BIT(DISC_AUDIO), BIT(DISC_MODE1), BIT(DISC_MODE2), BIT(DISC_MODE2), BIT(DISC_MODE2) };
    unsigned type = p[1] >> 2 & 7, parts = p[9] & 0xfe;
    unsigned kind = track_get(k, track_at(k, lba)).kind;
    bool audio = kind == DISC_AUDIO;
    if ((p[10] & 7) || (parts && parts != 0x10 && parts != 0xf8 && !audio))
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_FIELD);
    else if (type && !(kinds[type] & BIT(kind)))
        cdrom_check(k, CD_ILLEGAL_REQUEST, disc_of(k) ? CD_MODE : CD_FIELD);
    else
        read_start(k, lba, parts ? count : 0, parts == 0xf8 || audio ? CD_RAW : CD_SECTOR);
}

void cmd_read_cd(struct cdrom *k, const uint8_t *p) { read_cd(k, p, be32_get(p + 2), (uint32_t)p[6] << 16 | be16_get(p + 7)); }
static uint32_t msf_get(const uint8_t *p) { return (p[0] * 60u + p[1]) * FRAMES + p[2]; }

void cmd_read_cd_msf(struct cdrom *k, const uint8_t *p)
{
    uint32_t from = msf_get(p + 3), to = msf_get(p + 6);
    if (from < CD_MSF || to < from)
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_FIELD);
    else
        read_cd(k, p, from - CD_MSF, to - from);
}

void cmd_seek(struct cdrom *k, const uint8_t *p)
{
    uint32_t lba = p[0] == 0x0b ? be32_get(p) & 0x1fffff : be32_get(p + 2);
    if (lba < cdrom_capacity(k))
        cdrom_good(k);
    else
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
}

/* --- audio ---------------------------------------------------------------------------------------------------- */

/* Where playing has got to; it ends by itself. */
static uint32_t audio_position(struct cdrom *k)
{
    if (k->audio == AUDIO_PLAYING) {
        int64_t now = clock_now(&k->dev->machine->clock), played = muldiv(now - k->audio_since, FRAMES, NS_PER_S);
        if (played < 0 || played >= (int64_t)k->audio_end - k->audio_lba) {
            k->audio = AUDIO_DONE;
            k->audio_lba = k->audio_end;
        } else {
            return k->audio_lba + (uint32_t)played;
        }
    }
    return k->audio_lba;
}

static void play(struct cdrom *k, uint32_t from, uint32_t to)
{
    if (from == UINT32_MAX)                     /* from where it is */
        from = k->audio == AUDIO_NONE ? k->lba : audio_position(k);
    if (from >= cdrom_capacity(k) || to > cdrom_capacity(k) || to < from) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
    } else if (from < to && track_get(k, track_at(k, from)).kind != DISC_AUDIO) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_MODE);
    } else {
        k->audio = from < to ? AUDIO_PLAYING : k->audio;
        k->audio_lba = from;
        k->audio_end = to;
        k->audio_since = clock_now(&k->dev->machine->clock);
        cdrom_good(k);
    }
}

void cmd_play(struct cdrom *k, const uint8_t *p)
{
    uint32_t from = be32_get(p + 2), count = p[0] == 0xa5 ? be32_get(p + 6) : be16_get(p + 7);
    if (from != UINT32_MAX && count > cdrom_capacity(k))
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
    else
        play(k, from, (from == UINT32_MAX ? audio_position(k) : from) + count);
}

void cmd_play_msf(struct cdrom *k, const uint8_t *p)
{
    bool current = p[3] == 0xff && p[4] == 0xff && p[5] == 0xff;
    uint32_t from = msf_get(p + 3), to = msf_get(p + 6);
    if ((!current && from < CD_MSF) || to < CD_MSF)
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
    else
        play(k, current ? UINT32_MAX : from - CD_MSF, to - CD_MSF);
}

void cmd_play_track(struct cdrom *k, const uint8_t *p)          /* from the first track's start to the last one's end */
{
    unsigned first = p[4], last = MIN(p[7], track_count(k));
    if (!first || first > last)
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
    else
        play(k, track_get(k, first).start, last < track_count(k) ? track_get(k, last + 1).start : cdrom_capacity(k));
}

void cmd_pause(struct cdrom *k, const uint8_t *p)
{
    bool resume = p[8] & 1;
    k->audio_lba = audio_position(k);
    if (k->audio != AUDIO_PLAYING && k->audio != AUDIO_PAUSED) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, 0x2c00);     /* command sequence error: nothing plays */
        return;
    }
    k->audio = resume ? AUDIO_PLAYING : AUDIO_PAUSED;
    k->audio_since = clock_now(&k->dev->machine->clock);
    cdrom_good(k);
}

void cmd_stop_play(struct cdrom *k, const uint8_t *p)
{
    (void)p;
    k->audio_lba = audio_position(k);
    k->audio = AUDIO_NONE;
    cdrom_good(k);
}

/* --- what the disc is ----------------------------------------------------------------------------------------- */

void cmd_read_capacity(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 8);
    (void)p;
    be32_put(r, cdrom_capacity(k) ? cdrom_capacity(k) - 1 : 0);
    be32_put(r + 4, CD_SECTOR);
    cdrom_reply(k, 8, 8);
}

static uint32_t toc_tracks(const struct cdrom *k, uint8_t *r, unsigned first, bool msf)
{
    uint32_t n = 4;
    for (unsigned track = MAX(first, 1u); track <= track_count(k); track++, n += 8) {
        r[n + 1] = control(track_get(k, track));
        r[n + 2] = (uint8_t)track;
        put_address(r + n + 4, track_get(k, track).start, msf);
    }
    r[n + 1] = control(track_get(k, track_count(k)));
    r[n + 2] = CD_LEAD_OUT;
    put_address(r + n + 4, cdrom_capacity(k), msf);
    return n + 8;
}

static uint8_t *toc_entry(uint8_t *e, const struct disc_track *t, unsigned point)
{
    e[0] = t->session;
    e[1] = control(*t);
    e[3] = (uint8_t)point;
    return e;
}

/* The lead-in's entries of each session: first and last track, lead-out, and the tracks [MMC-2, table 154]. */
static uint32_t toc_raw(const struct cdrom *k, uint8_t *r)
{
    uint8_t *e = r + 4;
    for (unsigned first = 1, last; first <= track_count(k); first = last + 1) {
        struct disc_track t = track_get(k, first);
        for (last = first; last < track_count(k) && track_get(k, last + 1).session == t.session; last++)
            ;
        uint32_t end = cdrom_capacity(k), next = last < track_count(k) ? track_get(k, last + 1).start : end;
        toc_entry(e, &t, 0xa0)[8] = (uint8_t)first;
        toc_entry(e + 11, &t, 0xa1)[8] = (uint8_t)last;
        put_msf(toc_entry(e + 22, &t, 0xa2) + 8, next == end ? end : next > t.start + LEADS ? next - LEADS : next);
        e += 33;
        for (unsigned n = first; n <= last; n++, e += 11) {
            struct disc_track track = track_get(k, n);
            put_msf(toc_entry(e, &track, n) + 8, track.start);
        }
    }
    return (uint32_t)(e - r);
}

void cmd_read_toc(struct cdrom *k, const uint8_t *p)
{
    unsigned format = p[2] & 15 ? p[2] & 15u : p[9] >> 6, first = p[6], tracks = track_count(k), n = tracks;
    bool msf = p[1] & 2;
    uint8_t *r = cdrom_buffer(k, 4096);
    uint32_t length = 12;
    struct disc_track last = track_get(k, tracks);
    if (format > 2 || (format == 0 && first > tracks && first != CD_LEAD_OUT)) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_FIELD);
        return;
    }
    r[2] = 1;
    r[3] = format ? last.session : (uint8_t)tracks;
    if (format == 0) {
        length = toc_tracks(k, r, first == CD_LEAD_OUT ? tracks + 1 : first, msf);
    } else if (format == 1) {                   /* where the last session begins */
        while (n > 1 && track_get(k, n - 1).session == last.session)
            n--;
        r[5] = control(track_get(k, n));
        r[6] = (uint8_t)n;
        put_address(r + 8, track_get(k, n).start, msf);
    } else {
        length = toc_raw(k, r);
    }
    be16_put(r, (uint16_t)(length - 2));
    cdrom_reply(k, length, be16_get(p + 7));
}

void cmd_read_sub_channel(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 24);
    bool msf = p[1] & 2;
    uint32_t length = 4, lba = audio_position(k);
    if (k->audio == AUDIO_NONE)
        lba = MIN(k->lba, cdrom_capacity(k) - 1);
    unsigned n = track_at(k, lba);
    struct disc_track t = track_get(k, n);
    r[1] = k->audio;
    if (k->audio == AUDIO_DONE || k->audio == AUDIO_ERROR)
        k->audio = AUDIO_NONE;                  /* told once */
    if (p[2] & 0x40) {
        if (p[3] < 1 || p[3] > 3) {
            cdrom_check(k, CD_ILLEGAL_REQUEST, CD_FIELD);
            return;
        }
        r[4] = p[3];
        length = p[3] == 1 ? 16 : 24;           /* catalogue number and ISRC: none, their valid bits stay 0 */
        if (p[3] == 1) {
            r[5] = control(t);
            r[6] = (uint8_t)n;
            r[7] = 1;
            put_address(r + 8, lba, msf);
            if (msf)                            /* within the track, without the lead-in's two seconds */
                put_msf(r + 13, lba - t.start - CD_MSF);
            else
                be32_put(r + 12, lba - t.start);
        }
    }
    be16_put(r + 2, (uint16_t)(length - 4));
    cdrom_reply(k, length, be16_get(p + 7));
}

void cmd_read_header(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 8);
    uint32_t lba = be32_get(p + 2);
    if (lba >= cdrom_capacity(k)) {
        cdrom_check(k, CD_ILLEGAL_REQUEST, CD_RANGE);
        return;
    }
    r[0] = track_get(k, track_at(k, lba)).kind;         /* the mode; audio has none */
    put_address(r + 4, lba, p[1] & 2);
    cdrom_reply(k, 8, be16_get(p + 7));
}

void cmd_disc_information(struct cdrom *k, const uint8_t *p)
{
    uint8_t *r = cdrom_buffer(k, 34);
    struct disc_track last = track_get(k, track_count(k));
    unsigned first = track_count(k);
    while (first > 1 && track_get(k, first - 1).session == last.session)
        first--;
    be16_put(r, 32);
    r[2] = 0x0e;                                /* finalised, its last session complete */
    r[3] = 1;
    r[4] = last.session;
    r[5] = (uint8_t)first;
    r[6] = (uint8_t)track_count(k);
    r[7] = 0x20;
    memset(r + 16, 0xff, 8);
    cdrom_reply(k, 34, be16_get(p + 7));
}
