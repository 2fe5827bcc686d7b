/* CD images with tracks: a cue sheet and its BIN files, seen as the disc's raw sectors from logical block 0 to the last lead-out.
 *
 * The sheet lists files and, in them, tracks with the times of their indexes. Sectors before the first track's index 1, its pregap in
 * the file, lie below block 0. A PREGAP is in no file; nor is what lies between sessions (REM SESSION n): lead-out, lead-in,
 * pregap. Both read as zeros. Why it is not libcdio: docs/decisions/0019.
 *
 * References: [CUE] CDRWIN's user guide, cue sheet commands; [ECMA-130] 14 for sectors that files hold without header and EDC. */
#include "block/layer.h"
#include "base/bits.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAW = 2352, COOKED = 2048, HEADER = 16, SHEET_MAX = 64 << 10, FILES = 99, EXTENTS = 400, FRAMES = 75, MSF_OFFSET = 150 };
enum { SESSION_FIRST = 6750 + 4500 + 150, SESSION_LATER = 2250 + 4500 + 150 };
#define NOWHERE (-1)

/* Sectors that follow each other: in a file, or nowhere. */
struct extent { int64_t start; uint32_t count; int file; uint64_t offset; uint16_t sector; uint8_t kind; };
struct cue {
    struct block b;
    struct block_disc disc;
    struct block *file[FILES]; unsigned files;
    struct extent extent[EXTENTS]; unsigned extents;
};
struct parser {
    struct cue *c; const char *path; struct error *err;
    unsigned line, track, session;
    int64_t lba;                                /* the next extent's place */
    uint64_t frame;                             /* and where it begins in the file, in sectors */
    uint64_t offset;                            /* as bytes: a file may have sectors of several sizes */
    uint16_t sector; uint8_t kind;              /* of the present track */
    bool indexed;                               /* it has its index 1 */
};

static bool fail(struct parser *p, const char *what) { return error_set(p->err, EINVAL, "%s, line %u: %s", p->path, p->line, what); }

/* --- the sheet ------------------------------------------------------------------------------------------------ */

static bool extent_add(struct parser *p, uint64_t count, int file)
{
    struct cue *c = p->c;
    if (!count)
        return true;
    if (c->extents == EXTENTS || count > 1000000 || p->lba > 1000000)
        return fail(p, "no disc is that large");
    c->extent[c->extents++] = (struct extent){ p->lba, (uint32_t)count, file, p->offset, p->sector, p->kind };
    p->lba += (int64_t)count;
    if (file != NOWHERE) {
        p->offset += count * p->sector;
        p->frame += count;
    }
    return true;
}

/* What the file holds from the last index on belongs to the track that is ending. */
static bool file_end(struct parser *p)
{
    struct cue *c = p->c;
    if (!c->files || !p->sector)
        return true;
    uint64_t size = c->file[c->files - 1]->size;
    return extent_add(p, size > p->offset ? (size - p->offset) / p->sector : 0, (int)c->files - 1);
}

static bool on_file(struct parser *p, char *args)
{
    char *end = *args == '"' ? strchr(args + 1, '"') : strpbrk(args, " \t"), path[4096];
    const char *slash = strrchr(p->path, '/');
    if (!file_end(p))
        return false;
    if (!end || p->c->files == FILES)
        return fail(p, "FILE needs a name and a type");
    char *name = *args == '"' ? args + 1 : args, *type = end + 1;
    *end = 0;
    while (isspace((unsigned char)*type))
        type++;
    if (strncasecmp(type, "BINARY", 6))
        return fail(p, "only BINARY files are read; convert audio files to one");
    if (strchr(name, '/') || strchr(name, '\\'))
        return fail(p, "the file must lie beside the sheet, its name without a folder");
    int folder = slash ? (int)(slash - p->path + 1) : 0;
    if (snprintf(path, sizeof(path), "%.*s%s", folder, p->path, name) >= (int)sizeof(path))
        return fail(p, "the file's name is too long");
    struct block *b = block_open_raw(path, BLOCK_RDONLY, p->err);
    if (!b)
        return false;
    p->c->file[p->c->files++] = b;
    p->frame = p->offset = 0;
    return true;
}

static bool on_track(struct parser *p, const char *args)
{
    static const struct { const char *name; uint16_t sector; uint8_t kind; } modes[] = {
        { "AUDIO", RAW, DISC_AUDIO }, { "MODE1/2048", COOKED, DISC_MODE1 }, { "MODE1/2352", RAW, DISC_MODE1 }, { "MODE2/2352", RAW, DISC_MODE2 },
    };
    unsigned number = 0;
    char mode[16] = "";
    struct block_disc *d = &p->c->disc;
    if (sscanf(args, "%u %15s", &number, mode) != 2 || !p->c->files || number != d->tracks + 1 || d->tracks == 99 || (d->tracks && !p->indexed))
        return fail(p, "TRACK needs the next number and a mode, behind a FILE");
    for (unsigned n = 0; n < ARRAY_SIZE(modes); n++) {
        if (strcasecmp(modes[n].name, mode))
            continue;
        p->track = n + 1;                       /* takes effect at the first index: the sectors before are the last track's */
        d->tracks++;
        p->indexed = false;
        return true;
    }
    return fail(p, "the track's mode is not AUDIO, MODE1/2048, MODE1/2352 or MODE2/2352");
}

static bool time_get(const char *text, uint64_t *frames)
{
    unsigned m, s, f;
    if (sscanf(text, "%u:%u:%u", &m, &s, &f) != 3 || m > 999 || s > 59 || f >= FRAMES)
        return false;
    *frames = (m * 60ull + s) * FRAMES + f;
    return true;
}

/* An index ends the sectors before it, which are of the mode before the track's first index. */
static bool on_index(struct parser *p, const char *args)
{
    static const uint16_t sectors[] = { RAW, COOKED, RAW, RAW };
    static const uint8_t kinds[] = { DISC_AUDIO, DISC_MODE1, DISC_MODE1, DISC_MODE2 };
    unsigned number;
    uint64_t at;
    int skip = 0;
    struct cue *c = p->c;
    if (sscanf(args, "%u %n", &number, &skip) != 1 || !time_get(args + skip, &at) || !c->disc.tracks || at < p->frame)
        return fail(p, "INDEX needs a number and a time in the file, each later than the one before");
    if (p->sector && at > p->frame && !extent_add(p, at - p->frame, (int)c->files - 1))
        return false;
    p->sector = sectors[p->track - 1];
    p->kind = kinds[p->track - 1];
    if (at > p->frame) {                        /* the file begins before its first index */
        p->offset = at * p->sector;
        p->frame = at;
    }
    if (number != 1)
        return true;
    if (p->indexed)
        return fail(p, "the track has its index 1 already");
    p->indexed = true;
    if (c->disc.tracks == 1)                    /* block 0 */
        for (unsigned n = 0; n < c->extents; n++)
            c->extent[n].start -= p->lba;
    if (c->disc.tracks == 1)
        p->lba = 0;
    c->disc.track[c->disc.tracks - 1] = (struct disc_track){ (uint32_t)p->lba, (uint8_t)p->session, p->kind };
    return true;
}

static bool on_line(struct parser *p, char *line)
{
    uint64_t frames;
    unsigned session;
    while (isspace((unsigned char)*line))
        line++;
    size_t word = strcspn(line, " \t\r");
    char *args = line + word + strspn(line + word, " \t\r");
    if (!strncasecmp(line, "FILE ", 5))
        return on_file(p, args);
    if (!strncasecmp(line, "TRACK ", 6))
        return on_track(p, args);
    if (!strncasecmp(line, "INDEX ", 6))
        return on_index(p, args);
    if (!strncasecmp(line, "PREGAP ", 7) || !strncasecmp(line, "POSTGAP ", 8))
        return time_get(args, &frames) ? p->c->disc.tracks < 2 || extent_add(p, frames, NOWHERE) : fail(p, "the gap has no time");
    if (sscanf(line, "REM SESSION %u", &session) != 1 || session <= p->session)
        return true;                            /* titles, catalogue numbers, remarks */
    if (session > 99 || !file_end(p))
        return fail(p, "no disc has so many sessions");
    bool first = p->session == 1;
    p->session = session;
    return extent_add(p, first ? SESSION_FIRST : SESSION_LATER, NOWHERE);
}

static bool sheet_parse(struct parser *p, char *text)
{
    for (char *line = text, *end; line; line = end) {
        p->line++;
        end = strpbrk(line, "\n");
        if (end)
            *end++ = 0;
        if (!on_line(p, line))
            return false;
    }
    if (!file_end(p))
        return false;
    if (!p->c->disc.tracks || !p->indexed || p->lba <= 0)
        return fail(p, "the sheet has no track, or one without its index 1");
    p->c->b.size = (uint64_t)p->lba * RAW;
    return true;
}

/* --- sectors -------------------------------------------------------------------------------------------------- */

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

void disc_sector_make(uint8_t *raw, uint32_t lba)
{
    const uint32_t at = lba + MSF_OFFSET, msf[3] = { at / FRAMES / 60, at / FRAMES % 60, at % FRAMES };
    memset(raw, 0xff, 12);
    raw[0] = raw[11] = 0;
    for (unsigned i = 0; i < 3; i++)
        raw[12 + i] = (uint8_t)(msf[i] / 10 << 4 | msf[i] % 10);
    raw[15] = 1;                                /* mode 1 */
    memset(raw + HEADER + COOKED, 0, RAW - HEADER - COOKED);
    le32_put(raw + HEADER + COOKED, edc(raw, HEADER + COOKED));
}

static int sector_read(struct cue *c, uint32_t lba, uint8_t *raw)
{
    for (unsigned n = 0; n < c->extents; n++) {
        const struct extent *e = &c->extent[n];
        int64_t at = (int64_t)lba - e->start;
        if (at < 0 || at >= e->count)
            continue;
        if (e->file == NOWHERE)
            break;
        bool cooked = e->sector == COOKED;
        int error = block_read(c->file[e->file], e->offset + (uint64_t)at * e->sector, raw + (cooked ? HEADER : 0), e->sector);
        if (cooked)
            disc_sector_make(raw, lba);
        return error;
    }
    memset(raw, 0, RAW);
    return 0;
}

static int cue_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    uint8_t raw[RAW], *out = to;
    for (size_t n; length; out += n, offset += n, length -= n) {
        size_t skip = offset % RAW;
        n = MIN(length, RAW - skip);
        int error = sector_read((struct cue *)b, (uint32_t)(offset / RAW), raw);
        if (error)
            return error;
        memcpy(out, raw + skip, n);
    }
    return 0;
}

static void cue_close(struct block *b)
{
    struct cue *c = (struct cue *)b;
    for (unsigned n = 0; n < c->files; n++)
        block_close(c->file[n]);
}

static const struct block_class cue_class = { .name = "cue", .size = sizeof(struct cue), .read = cue_read, .close = cue_close };

/* A sheet is a short text with its commands in it. */
static bool looks_like_sheet(const char *text, size_t length)
{
    return !memchr(text, 0, length) && strcasestr(text, "FILE ") && strcasestr(text, "TRACK ") && strcasestr(text, "INDEX ");
}

struct block *block_open_cd(const char *path, struct error *err)
{
    struct block *file = block_open_raw(path, BLOCK_RDONLY, err);
    char *text = file && file->size && file->size <= SHEET_MAX ? calloc(1, file->size + 1) : NULL;
    if (!text || block_read(file, 0, text, file->size) || !looks_like_sheet(text, file->size)) {
        free(text);
        return file;                            /* an ISO image */
    }
    block_close(file);
    struct cue *c = (struct cue *)block_new(&cue_class, err);
    struct parser p = { .c = c, .path = path, .err = err, .session = 1 };
    bool ok = c && sheet_parse(&p, text);
    free(text);
    if (!ok) {
        block_close(c ? &c->b : NULL);
        return NULL;
    }
    c->b.disc = &c->disc;
    c->b.read_only = true;
    return &c->b;
}
