/* Images in pieces. One grain that was unpacked and some pages of the tables are kept; nothing is allocated while reading. */
#include "importers/formats/image.h"
#include "base/bits.h"
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>

enum { GRAIN_MOST = 4 << 20, STEPS_MOST = 1 << 26, OVERLAP_MOST = 1 << 28, ASK_FILE = 1 << 20, MARKER = 12 };

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

int image_bits(struct image *i, uint64_t bitmap, uint64_t first, uint64_t end, unsigned mirror, bool *set, uint64_t *same)
{
    uint8_t bits = 0;
    int error = image_bytes(i, bitmap + first / 8, &bits, 1);
    uint64_t n = first;
    *set = bits >> (n % 8 ^ mirror) & 1;
    while (!error && n < end && (bits >> (n % 8 ^ mirror) & 1) == *set) {
        n += n % 8 || bits != (*set ? 255 : 0) ? 1 : 8;         /* whole bytes at once */
        if (n % 8 == 0 && n < end)
            error = image_bytes(i, bitmap + n / 8, &bits, 1);
    }
    *same = MIN(n, end) - first;
    return error;
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
    uint64_t whole = i->unit, rest = MIN(whole, i->b.size - align_down(offset - i->start, whole));
    uint8_t marker[MARKER];                     /* the first sector on the disk (8 bytes), then the length of the stream */
    size_t used, got;
    if (i->cached == p->at)
        return 0;
    i->cached = 0;
    if (whole > GRAIN_MOST || (p->marked && image_bytes(i, p->at, marker, MARKER)))
        return -EIO;
    if (!i->codec && (!(i->codec = libdeflate_alloc_decompressor()) || !(i->packed = malloc(2 * whole)) || !(i->grain = malloc(whole))))
        return -ENOMEM;
    uint64_t at = p->at + (p->marked ? MARKER : 0), most = p->marked ? le32_get(marker + 8) : p->packed;
    size_t n = (size_t)(at >= i->file->size ? 0 : MIN(MIN(most, 2 * whole), i->file->size - at));
    if (block_read(i->file, at, i->packed, n) ||
        (p->zlib ? libdeflate_zlib_decompress_ex(i->codec, i->packed, n, i->grain, whole, &used, &got)
                 : libdeflate_deflate_decompress_ex(i->codec, i->packed, n, i->grain, whole, &used, &got)) || got < rest)
        return -EIO;
    i->cached = p->at;
    return 0;
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
        case PIECE_ABSENT: error = block_read_short(b->below, offset, p, run); break;
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
    static const uint8_t kinds[] = { BLOCK_ABSENT, BLOCK_ZEROS, BLOCK_DATA, BLOCK_DATA };
    struct place p;
    int error = image_find(i, offset, length, &p);
    *kind = kinds[p.piece];
    return !error && p.piece == PIECE_DATA && p.in->unit >= ASK_FILE ? block_extents(p.in->file, p.at, length, kind) : error;
}

static int image_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    uint64_t most = *length, run = most, done;
    unsigned next;
    int error = stretch(image_of(b), offset, &run, kind);
    for (done = run; !error && done < most; done += run) {
        run = most - done;
        if (stretch(image_of(b), offset + done, &run, &next) || next != *kind)
            break;
    }
    *length = done;
    return error;
}

static void image_close(struct block *b)
{
    struct image *i = image_of(b);
    for (unsigned k = 0; k < i->part_count; k++)
        block_close(&i->parts[k]->b);
    if (i->codec)
        libdeflate_free_decompressor(i->codec);
    free(i->parts), free(i->packed), free(i->grain), free(i->pages);
    block_close(i->file);
}

static const struct block_class image_class = {
    .name = "image", .size = sizeof(struct image), .read = image_read, .extents = image_extents, .close = image_close,
};

struct image *image_new(struct block *file, const struct format_names *names, void *header, size_t length, struct error *err)
{
    struct block *b = block_new(&image_class, err);
    if (!b) {
        block_close(file);
        return NULL;
    }
    struct image *i = image_of(b);
    i->file = file;
    i->path = names->path;
    b->read_only = true;
    if ((i->pages = malloc(PAGES * PAGE)) && (!length || !block_read(file, 0, header, length)))
        return i;
    image_bad(i, "its header cannot be read", err);
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
        bool beyond = error || (need && (p.at > file || need > file - p.at));
        bool twice = !beyond && p.piece == PIECE_DATA && at % i->unit == 0 && i->table && (p.at < 512 || (begun && begun[slot / 8] & 1 << slot % 8));
        if (beyond || twice)
            return error_set(err, EINVAL, "%s is damaged%s: byte %llu of its disk lies %s", i->path, beyond ? " or cut short" : "",
                             (unsigned long long)at, beyond ? "beyond the end of the file" : "where another byte is");
        if (p.piece == PIECE_DATA && at % i->unit == 0 && begun)
            begun[slot / 8] |= (uint8_t)(1 << slot % 8);
    }
    return true;
}

struct block *image_ready(struct image *i, uint64_t size, struct error *err)
{
    i->b.size = size;
    if (!size || size > DISK_MOST || !i->unit) {
        error_set(err, EINVAL, "%s is damaged: its disk has %llu bytes", i->path, (unsigned long long)size);
        block_close(&i->b);
        return NULL;
    }
    uint64_t slots = i->file && i->table ? i->file->size / i->unit + 1 : 0;
    uint8_t *begun = slots && slots <= OVERLAP_MOST ? calloc(slots / 8 + 1, 1) : NULL;
    bool good = i->parts || pieces_good(i, begun, err);
    free(begun);
    if (!good)
        block_close(&i->b);
    return good ? &i->b : NULL;
}

void format_text(char *to, size_t size, const void *text, size_t length)
{
    const uint8_t *from = text;
    size_t n = strnlen(text, MIN(length, size - 1));
    for (size_t k = 0; k < n; k++)              /* C2 80 to C2 9F are control characters too */
        to[k] = (char)(from[k] < ' ' || from[k] == 127 || (from[k] >> 5 == 4 && k && from[k - 1] == 0xc2) ? '?' : from[k]);
    to[n] = 0;
    json_t *valid = json_string(to);            /* NULL: not UTF-8 */
    for (size_t k = 0; !valid && k < n; k++)
        to[k] = (char)(to[k] & 0x80 ? '?' : to[k]);
    json_decref(valid);
}

void detail_text(json_t *details, const char *key, const void *text, size_t length)
{
    char clean[1024];
    format_text(clean, sizeof(clean), text, length);
    if (*clean)
        json_object_set_new(details, key, json_string(clean));
}

void detail_note(json_t *details, json_t *sentence)
{
    if (!json_object_get(details, "notes"))
        json_object_set_new(details, "notes", json_array());
    json_array_append_new(json_object_get(details, "notes"), sentence);
}
