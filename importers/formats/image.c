/* Images in pieces. One grain that was unpacked and some pages of the tables are kept; nothing is allocated while reading. */
#include "importers/formats/image.h"
#include "block/qcow2.h"
#include "base/bits.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRAIN_MOST = 4 << 20, STEPS_MOST = 1 << 26, OVERLAP_MOST = 1 << 28, ASK_FILE = 1 << 20 };

static struct image *image_of(struct block *b) { return container_of(b, struct image, b); }

int image_bytes(struct image *i, uint64_t at, void *to, size_t length)
{
    uint64_t page = at / PAGE, slot = page % PAGES, skip = at % PAGE;
    if (at > i->file->size || length > i->file->size - at)
        return -EIO;
    if (skip + length > PAGE)
        return block_read(i->file, at, to, length);
    if (i->page_at[slot] != page + 1) {
        i->page_at[slot] = 0;
        int error = block_read(i->file, page * PAGE, i->pages + slot * PAGE, (size_t)MIN((uint64_t)PAGE, i->file->size - page * PAGE));
        if (error)
            return error;
        i->page_at[slot] = page + 1;
    }
    memcpy(to, i->pages + slot * PAGE + skip, length);
    return 0;
}

int flat_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    (void)length;
    p->piece = PIECE_DATA;
    p->at = i->data + offset;
    return 0;
}

int zeros_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    (void)i, (void)offset, (void)length;
    p->piece = PIECE_ZEROS;
    return 0;
}

static int image_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    while (i->parts && (offset < i->parts[i->last]->start || offset - i->parts[i->last]->start >= i->parts[i->last]->b.size))
        i->last = (i->last + 1) % i->part_count;        /* together they are the whole disk: one of them has it */
    struct image *in = i->parts ? i->parts[i->last] : i;
    *p = (struct place){ .piece = PIECE_ABSENT, .in = in };
    offset -= in->start;
    *length = MIN(*length, in->b.size - offset);
    return in->find(in, offset, length, p);
}

/* The grain that holds `offset` of the disk, in in->grain. The last one of a disk may be shorter. */
static int grain_get(struct place *p, uint64_t offset)
{
    struct image *i = p->in;
    uint64_t whole = i->unit, rest = MIN(whole, i->b.size - align_down(offset - i->start, whole)), at = p->at;
    int error = i->unpack && i->cached != at ? i->unpack(i, p) : 0;
    if (i->cached == at || error)
        return error;
    i->cached = 0;
    if (whole > GRAIN_MOST)
        return -EIO;
    if (!i->codec && (!(i->codec = codec_new(false)) || !(i->packed = malloc(2 * whole)) || !(i->grain = malloc(whole))))
        return -ENOMEM;
    size_t n = (size_t)(p->at >= i->file->size ? 0 : MIN(MIN(p->packed, 2 * whole), i->file->size - p->at));
    error = block_read(i->file, p->at, i->packed, n);
    if (error || !n)
        return -EIO;
    if (!codec_inflate(i->codec, false, i->packed, n, i->grain, whole) &&
        (rest == whole || !codec_inflate(i->codec, false, i->packed, n, i->grain, rest)))
        return -EIO;
    i->cached = at;
    return 0;
}

/* The parent may be shorter; past its end the disk is zeros. */
static int below_read(struct block *below, uint64_t offset, uint8_t *to, size_t length)
{
    size_t n = (size_t)(!below || offset >= below->size ? 0 : MIN(length, below->size - offset));
    memset(to + n, 0, length - n);
    return n ? block_read(below, offset, to, n) : 0;
}

static int image_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    for (uint8_t *p = to; length;) {
        struct place place;
        uint64_t run = length;
        int error = image_find(image_of(b), offset, &run, &place);
        struct image *in = place.in;
        if (error)
            return error;
        switch (place.piece) {
        case PIECE_ABSENT: error = below_read(b->below, offset, p, run); break;
        case PIECE_ZEROS: memset(p, 0, run); break;
        case PIECE_DATA: error = block_read(in->file, place.at, p, run); break;
        case PIECE_PACKED:
            if (!(error = grain_get(&place, offset)))
                memcpy(p, in->grain + (offset - in->start) % in->unit, run);
            break;
        }
        if (error)
            return error == -EINVAL ? -EIO : error;
        p += run, offset += run, length -= run;
    }
    return 0;
}

/* A stretch of one kind; where much of the disk lies in one piece of a file, the file may have holes of its own. */
static int stretch(struct image *i, uint64_t offset, uint64_t *length, unsigned *kind)
{
    struct place p;
    int error = image_find(i, offset, length, &p);
    *kind = p.piece == PIECE_ABSENT ? BLOCK_ABSENT : p.piece == PIECE_ZEROS ? BLOCK_ZEROS : BLOCK_DATA;
    if (!error && p.piece == PIECE_DATA && p.in->unit >= ASK_FILE)
        error = block_extents(p.in->file, p.at, length, kind);
    return error;
}

static int image_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    struct image *i = image_of(b);
    uint64_t most = *length, run = most, done;
    unsigned next;
    int error = stretch(i, offset, &run, kind);
    for (done = run; !error && done < most; done += run) {
        run = most - done;
        if (stretch(i, offset + done, &run, &next) || next != *kind)
            break;
    }
    *length = done;
    return error;
}

static void image_close(struct block *b)
{
    struct image *i = image_of(b);
    for (unsigned k = 0; k < i->part_count; k++)
        if (i->parts[k])
            block_close(&i->parts[k]->b);
    free(i->parts);
    codec_free(i->codec, false);
    free(i->packed);
    free(i->grain);
    free(i->pages);
    block_close(i->file);
}

static const struct block_class image_class = {
    .name = "image", .size = sizeof(struct image), .read = image_read, .extents = image_extents, .close = image_close,
};

struct image *image_new(struct block *file, const struct format_names *names, struct error *err)
{
    struct block *b = block_new(&image_class, err);
    struct image *i = b ? image_of(b) : NULL;
    if (i) {
        i->file = file;
        i->path = names->path;
        b->read_only = true;
        if ((i->pages = malloc(PAGES * PAGE)))
            return i;
        error_set(err, ENOMEM, "no memory for an image");
        block_close(b);
        return NULL;
    }
    block_close(file);
    return NULL;
}

struct block *image_bad(struct image *i, const char *what, struct error *err)
{
    error_set(err, EINVAL, "%s is damaged: %s", i->path, what);
    block_close(&i->b);
    return NULL;
}

/* Pieces inside the file, and none of them twice: one bit for each place where one may begin. */
static bool pieces_good(struct image *i, uint8_t *begun, struct error *err)
{
    uint64_t at = 0, run, steps = 0, file = i->file ? i->file->size : 0;
    for (; at < i->b.size && steps < STEPS_MOST; at += run, steps++) {
        struct place p;
        run = i->b.size - at;
        int error = image_find(i, at, &run, &p);
        uint64_t need = p.piece == PIECE_DATA ? run : p.piece == PIECE_PACKED, slot = p.at / i->unit;
        if (error == -EIO || (need && (p.at > file || need > file - p.at)))
            return error_set(err, EINVAL, "%s is damaged or cut short: byte %llu of its disk lies beyond the end of the file", i->path,
                             (unsigned long long)at);
        if (error)
            return error_set(err, -error, "cannot read the tables of %s: %s", i->path, strerror(-error));
        if (p.piece != PIECE_DATA || at % i->unit || !i->table)
            continue;
        if (p.at < 512 || (begun && begun[slot / 8] & 1 << slot % 8))
            return error_set(err, EINVAL, "%s is damaged: byte %llu of its disk lies where another byte is", i->path, (unsigned long long)at);
        if (begun)
            begun[slot / 8] |= (uint8_t)(1 << slot % 8);
    }
    return true;
}

struct block *image_ready(struct image *i, uint64_t size, const char *what, struct error *err)
{
    uint64_t slots;
    i->b.size = size;
    if (!size || size > DISK_MOST || !i->unit) {
        error_set(err, EINVAL, "%s is damaged: the %s has a disk of %llu bytes", i->path, what, (unsigned long long)size);
        block_close(&i->b);
        return NULL;
    }
    slots = i->file && i->table ? i->file->size / i->unit + 1 : 0;
    uint8_t *begun = slots && slots <= OVERLAP_MOST ? calloc(slots / 8 + 1, 1) : NULL;
    bool good = i->parts || pieces_good(i, begun, err);
    free(begun);
    if (good)
        return &i->b;
    block_close(&i->b);
    return NULL;
}

void format_text(char *to, size_t size, const void *text, size_t length)
{
    const uint8_t *from = text;
    size_t n = strnlen(text, MIN(length, size - 1));
    for (size_t k = 0; k < n; k++)
        to[k] = (char)(from[k] < ' ' || from[k] == 127 || (from[k] >= 0x80 && from[k] < 0xa0 && k && from[k - 1] == 0xc2) ? '?' : from[k]);
    to[n] = 0;
    json_t *valid = json_string(to);            /* checks that it is UTF-8 */
    for (size_t k = 0; !valid && k < n; k++)
        to[k] = (char)(to[k] & 0x80 ? '?' : to[k]);
    json_decref(valid);
}

void format_utf16(char *to, size_t size, const uint8_t *text, size_t length, bool big_endian)
{
    char raw[1024];
    size_t n = 0;
    for (size_t k = 0; k + 2 <= length && n + 4 < sizeof(raw); k += 2) {
        unsigned c = big_endian ? be16_get(text + k) : le16_get(text + k);
        if (!c)
            break;
        if (c >= 0x800)
            raw[n++] = (char)(0xe0 | c >> 12), raw[n++] = (char)(0x80 | (c >> 6 & 63));
        else if (c >= 0x80)
            raw[n++] = (char)(0xc0 | c >> 6);
        raw[n++] = (char)(c >= 0x80 ? 0x80 | (c & 63) : c);
    }
    format_text(to, size, raw, n);
}

void detail_text(json_t *details, const char *key, const void *text, size_t length)
{
    char clean[1024];
    format_text(clean, sizeof(clean), text, length);
    if (*clean)
        json_object_set_new(details, key, json_string(clean));
}

void detail_uuid(json_t *details, const char *key, const uint8_t *u, bool big_endian)
{
    bool big = big_endian;
    if (any_nonzero(u, 16))
        json_object_set_new(details, key, json_sprintf("%08x-%04x-%04x-%04x-%04x%08x", big ? be32_get(u) : le32_get(u),
            big ? be16_get(u + 4) : le16_get(u + 4), big ? be16_get(u + 6) : le16_get(u + 6), be16_get(u + 8), be16_get(u + 10), be32_get(u + 12)));
}

void detail_note(json_t *details, const char *fmt, ...)
{
    char text[512], clean[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    format_text(clean, sizeof(clean), text, sizeof(text));
    if (!json_object_get(details, "notes"))
        json_object_set_new(details, "notes", json_array());
    json_array_append_new(json_object_get(details, "notes"), json_string(clean));
}
