/* The drives and media of the 82077AA; see i82077.c.
 *
 * A medium is a row of sectors, track by track, head by head; its size names its format. Address marks are
 * not in the image: every track of the format has sectors 1 to n in order, 512 bytes each, with the track's
 * own cylinder and head numbers.
 *
 * References: [82077AA] data rates; [ECMA-125] the 1.44 MB format
 * Not modelled: formats other than those of the table, weak or damaged sectors, copy protection; motor
 * spin-up; a deleted data mark is remembered while the machine lives, not in the image. */
#include "devices/i82077.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static const struct floppy_format formats[] = {
    { 160, 40, 1, 8, RATE_250K, FLOPPY_360K },   { 180, 40, 1, 9, RATE_250K, FLOPPY_360K },
    { 320, 40, 2, 8, RATE_250K, FLOPPY_360K },   { 360, 40, 2, 9, RATE_250K, FLOPPY_360K },
    { 400, 40, 2, 10, RATE_250K, FLOPPY_360K },  { 720, 80, 2, 9, RATE_250K, FLOPPY_720K },
    { 800, 80, 2, 10, RATE_250K, FLOPPY_720K },  { 820, 82, 2, 10, RATE_250K, FLOPPY_720K },
    { 1200, 80, 2, 15, RATE_500K, FLOPPY_1200K }, { 1440, 80, 2, 18, RATE_500K, FLOPPY_1440K },
    { 1476, 82, 2, 18, RATE_500K, FLOPPY_1440K }, { 1494, 83, 2, 18, RATE_500K, FLOPPY_1440K },
    { 1600, 80, 2, 20, RATE_500K, FLOPPY_1440K }, { 1680, 80, 2, 21, RATE_500K, FLOPPY_1440K },
    { 1722, 82, 2, 21, RATE_500K, FLOPPY_1440K }, { 1743, 83, 2, 21, RATE_500K, FLOPPY_1440K },
    { 2880, 80, 2, 36, RATE_1M, FLOPPY_2880K },
};

const struct floppy_format *floppy_format_of(uint64_t bytes)
{
    for (const struct floppy_format *f = formats; f < formats + ARRAY_SIZE(formats); f++)
        if (bytes == f->kib * 1024ull)
            return f;
    return NULL;
}

uint64_t floppy_size_for(uint64_t bytes)
{
    static const uint16_t ordinary[] = { 160, 180, 320, 360, 720, 1200, 1440, 1680, 1722, 1743, 2880 };
    if (floppy_format_of(bytes))
        return bytes;
    for (unsigned n = 0; n < ARRAY_SIZE(ordinary); n++)
        if (bytes <= ordinary[n] * 1024ull)
            return ordinary[n] * 1024ull;
    return 0;
}

bool floppy_type_parse(const char *text, uint8_t *type, bool *follows)
{
    static const char *const names[] = { "none", "360", "1.2", "720", "1.44", "2.88" };
    *follows = !strcmp(text, "auto");
    *type = FLOPPY_1440K;
    for (uint8_t n = 0; n < ARRAY_SIZE(names) && !*follows; n++)
        if (!strcmp(text, names[n]) || (text[0] == '0' + n && !text[1])) {
            *type = n;
            return true;
        }
    return *follows;
}

bool floppy_insert(struct floppy_drive *d, struct block *medium, struct error *err)
{
    const struct floppy_format *format = medium ? floppy_format_of(medium->size) : NULL;
    if (medium && !format)
        return error_set(err, EINVAL, "%llu bytes is not the size of a floppy disk; formats of 160 KB to 2.88 MB "
                         "are known", (unsigned long long)medium->size);
    if (medium && d->type == FLOPPY_NONE)
        return error_set(err, ENODEV, "there is no such floppy drive; give the machine one");
    d->medium = medium;
    d->format = format;
    d->changed = true;
    memset(d->deleted, 0, sizeof(d->deleted));
    if (format && d->type_follows) {
        d->type = format->type;
        d->type_follows = false;
    }
    return true;
}

void floppy_power_on(struct floppy_drive *d)
{
    d->track = 0;
    d->changed = true;                          /* the latch is set until the first step */
    memset(d->deleted, 0, sizeof(d->deleted));
}

void floppy_step(struct floppy_drive *d, int steps)
{
    int last = d->type == FLOPPY_360K ? 41 : FLOPPY_TRACKS_MAX - 1, track = d->track + steps;
    if (d->type == FLOPPY_NONE || !steps)
        return;
    d->track = (uint8_t)(track < 0 ? 0 : MIN(track, last));
    if (d->medium)
        d->changed = false;
}

bool floppy_track0(const struct floppy_drive *d) { return d->type != FLOPPY_NONE && !d->track; }

bool floppy_protected(const struct floppy_drive *d) { return !d->medium || d->medium->read_only; }

/* A 1.2 MB drive takes two steps from track to track of a 40-track disk. */
unsigned floppy_medium_track(const struct floppy_drive *d)
{
    return d->type == FLOPPY_1200K && d->format && d->format->tracks <= 42 ? d->track / 2u : d->track;
}

bool floppy_readable(const struct floppy_drive *d, unsigned head, unsigned rate)
{
    const struct floppy_format *f = d->format;
    if (!f || head >= f->heads || floppy_medium_track(d) >= f->tracks)
        return false;
    /* 5.25 inch double density: 250 kbit/s at 300 turns a minute, 300 kbit/s at a high density drive's 360 */
    return rate == f->rate || (f->type == FLOPPY_360K && rate == RATE_300K);
}

int64_t floppy_turn(const struct floppy_drive *d)
{
    return d->type == FLOPPY_1200K ? NS_PER_S * 60 / 360 : NS_PER_S * 60 / 300;
}

static unsigned sector_index(const struct floppy_drive *d, unsigned head, unsigned r)
{
    const struct floppy_format *f = d->format;
    assert(f && head < f->heads && r >= 1 && r <= f->sectors && floppy_medium_track(d) < f->tracks);
    return (floppy_medium_track(d) * f->heads + head) * f->sectors + r - 1;
}

int floppy_read(struct floppy_drive *d, unsigned head, unsigned r, uint8_t *to)
{
    return block_read(d->medium, (uint64_t)sector_index(d, head, r) * FLOPPY_SECTOR, to, FLOPPY_SECTOR);
}

int floppy_write(struct floppy_drive *d, unsigned head, unsigned r, const uint8_t *from, bool deleted)
{
    unsigned n = sector_index(d, head, r);
    assert(n / 8 < sizeof(d->deleted));
    if (deleted)
        d->deleted[n / 8] |= (uint8_t)(1 << n % 8);
    else
        d->deleted[n / 8] &= (uint8_t)~(1 << n % 8);
    return block_write(d->medium, (uint64_t)n * FLOPPY_SECTOR, from, FLOPPY_SECTOR);
}

bool floppy_is_deleted(const struct floppy_drive *d, unsigned head, unsigned r)
{
    unsigned n = sector_index(d, head, r);
    return d->deleted[n / 8] >> n % 8 & 1;
}

const struct state_field floppy_drive_state[] = {
    FIELD(struct floppy_drive, track), FIELD(struct floppy_drive, changed),
    FIELD_ARRAY(struct floppy_drive, deleted), END
};
