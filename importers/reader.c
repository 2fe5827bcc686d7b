#include "importers/reader.h"
#include "importers/pipeline.h"
#include "importers/disk/partitions.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 65536, PIECE_SECTORS = PIECE / SECTOR };

/* The errors of a drive that cannot read a sector; all others are of the way to it. */
static bool medium_error(int error)
{
    static const int medium[] = { EIO, ENODATA, EILSEQ, EREMOTEIO, EBADMSG, ETIMEDOUT };
    for (size_t i = 0; i < ARRAY_SIZE(medium); i++)
        if (error == -medium[i])
            return true;
    return false;
}

static bool stopped(const struct reader *r, struct error *err)
{
    return r->cancel && *r->cancel && !error_set(err, EINTR, "the import of %s was interrupted", r->source->name);
}

/* Of a device past the host's cache: that reads pages, and one bad sector spoils a page. */
static bool sector_read(struct reader *r, uint64_t at, uint8_t *to, size_t length)
{
    static _Thread_local _Alignas(4096) uint8_t aligned[SECTOR];
    if (!r->direct)
        r->direct = strcmp(r->source->kind, "block device") ? -1 : open(r->source->name, O_RDONLY | O_CLOEXEC | O_DIRECT) + 1;
    bool direct = r->direct > 0, ok = direct ? pread(r->direct - 1, aligned, SECTOR, (off_t)at) == SECTOR
                                             : !block_read(r->source->block, at, to, length);
    if (direct && !ok && errno == EINVAL) {     /* larger sectors than ours: the host's cache has to do */
        close(r->direct - 1);
        r->direct = -1;
        return sector_read(r, at, to, length);
    }
    if (ok && direct)
        memcpy(to, aligned, length);
    if (ok)
        r->good = at;
    r->any_good = r->any_good || ok;
    return ok;
}

/* Forward to the first bad sector, backward to the last, and each between once more, from the end. */
static bool piece_rescue(struct reader *r, uint64_t at, uint8_t *to, size_t length, struct error *err)
{
    unsigned count = (unsigned)((length + SECTOR - 1) / SECTOR), first = 0, end = count, n, lost = 0;
    bool bad[PIECE_SECTORS] = { false };
#define SECTOR_READ(n) (!stopped(r, err) && sector_read(r, at + (n) * SECTOR, to + (n) * SECTOR, MIN((size_t)SECTOR, length - (n) * SECTOR)))
    while (first < count && SECTOR_READ(first))
        first++;
    while (end > first && SECTOR_READ(end - 1))
        end--;
    for (n = end; n-- > first;)
        lost += bad[n] = !SECTOR_READ(n);
    if (stopped(r, err))
        return false;
    uint64_t good = r->good;
    if (lost == count && r->any_good && block_read(r->source->block, good, to, MIN((uint64_t)SECTOR, r->source->size - good)))
        return error_set(err, ENODEV, "%s does not answer any more: sector %llu, which could be read before, cannot be read now",
                         r->source->name, (unsigned long long)good / SECTOR);
    for (n = first; n < end; n++) {
        size_t size = MIN((size_t)SECTOR, length - n * SECTOR);
        if (bad[n])
            memset(to + n * SECTOR, 0, size);
        if (bad[n] && !ranges_add(&r->bad, at + n * SECTOR, size))
            return error_set(err, EIO, "%s has too many bad sectors", r->source->name);
    }
    return true;
}

static bool data_read(struct reader *r, uint64_t at, uint8_t *to, size_t length, struct error *err)
{
    int error = block_read(r->source->block, at, to, length);
    if (!error) {
        r->good = at / SECTOR * SECTOR;
        return r->any_good = true;
    }
    for (size_t n; length; at += n, to += n, length -= n) {
        n = MIN((size_t)(PIECE - at % PIECE), length);
        error = block_read(r->source->block, at, to, n);
        if (error && !medium_error(error))
            return error_set(err, -error, "cannot read sector %llu of %s: %s", (unsigned long long)(at / SECTOR), r->source->name,
                             strerror(-error));
        if (stopped(r, err) || (error && !piece_rescue(r, at, to, n, err)))
            return false;
    }
    return true;
}

/* Of stretches that are known to be zeros (holes of a sparse file) only the last byte is read, which a file that was cut short
 * meanwhile no longer has. */
static bool block_fill(struct reader *r, uint8_t *to, size_t length, bool *zeros, struct error *err)
{
    struct block *b = r->source->block;
    for (uint64_t at = r->position, end = at + length, stretch; at < end; at += stretch, to += stretch) {
        unsigned kind = BLOCK_DATA;
        uint8_t last = 1;
        stretch = end - at;
        if (block_extents(b, at, &stretch, &kind) || !stretch)
            kind = BLOCK_DATA, stretch = end - at;
        if (kind != BLOCK_DATA && !block_read(b, at + stretch - 1, &last, 1) && !last) {
            *zeros = stretch == length;
            if (!*zeros)
                memset(to, 0, stretch);
        } else if (!data_read(r, at, to, stretch, err)) {
            return false;
        }
    }
    return true;
}

bool reader_next(struct reader *r, uint8_t *to, size_t *got, bool *zeros, struct error *err)
{
    bool ok = true;
    *zeros = false;
    if (stopped(r, err))
        return false;
    if (r->position < r->half_bytes) {
        *got = (size_t)MIN((uint64_t)PIPELINE_CHUNK, r->half_bytes - r->position);
        int error = block_read(r->half, r->position, to, *got);
        ok = !error || error_set(err, EBADMSG, "the half-made image of %s cannot be read", r->source->name);
    } else if (r->source->block) {
        *got = (size_t)MIN((uint64_t)PIPELINE_CHUNK, r->source->size - r->position);
        ok = block_fill(r, to, *got, zeros, err);
    } else {
        ok = source_read(r->source, to, PIPELINE_CHUNK, got, err);
    }
    r->position += ok ? *got : 0;
    return ok;
}

void reader_close(struct reader *r)
{
    block_close(r->half);
    if (r->direct > 0)
        close(r->direct - 1);
    ranges_free(&r->bad);
}
