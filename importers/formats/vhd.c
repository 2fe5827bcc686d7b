/* VHD (Virtual PC, Virtual Server, Hyper-V): fixed, dynamic, differencing. All numbers are big-endian.
 *   fixed:    the disk, then a footer of 512 bytes (511 before Virtual PC 2004)
 *   others:   a copy of the footer, a header of 1024 bytes, a table of sector numbers, blocks (each behind a bitmap of its sectors:
 *             of a differencing image the clear ones are the parent's), the footer
 * The size is the footer's "current size"; the CHS geometry in it rounds down. References: [VHD]. */
#include "importers/formats/image.h"
#include "base/bits.h"
#include <errno.h>
#include <time.h>

enum { F_DATA = 16, F_TIME = 24, F_CREATOR = 28, F_SIZE = 48, F_CYLINDERS = 56, F_HEADS = 58, F_SECTORS = 59, F_TYPE = 60, F_SUM = 64, F_ID = 68,
       H_TABLE = 16, H_ENTRIES = 28, H_BLOCK = 32, H_SUM = 36, H_PARENT = 40, H_PARENT_NAME = 64, FOOTER = 512, HEADER = 1024 };
enum { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4, SECTOR = 512 };
enum { EPOCH = 946684800 };                     /* 2000-01-01 */

static bool cookie_at(struct block *file, uint64_t at)
{
    char cookie[8];
    return !block_read(file, at, cookie, 8) && !memcmp(cookie, "conectix", 8);
}

/* Where the footer is; 0 is also the place of its copy. */
static bool footer_find(struct block *file, uint64_t *at)
{
    uint64_t size = file->size;
    *at = 0;
    for (unsigned n = FOOTER; size >= 2 * FOOTER && n >= FOOTER - 1; n--)
        if (cookie_at(file, *at = size - n))
            return true;
    *at = 0;
    return size >= FOOTER && cookie_at(file, 0);
}

bool vhd_is(struct block *file)
{
    uint64_t at;
    return footer_find(file, &at);
}

/* One's complement of the sum of all other bytes. */
static bool sum_good(const uint8_t *bytes, size_t length, size_t at)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += i - at < 4 ? 0 : bytes[i];
    return ~sum == be32_get(bytes + at);
}

static int vhd_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t in_block = offset % i->unit, left = i->unit - in_block;
    uint8_t entry[4], bits;
    int error = image_bytes(i, i->table + offset / i->unit * 4, entry, 4);
    if (be32_get(entry) != UINT32_MAX) {
        p->piece = PIECE_DATA;
        p->at = (uint64_t)be32_get(entry) * SECTOR + i->gap + in_block;
    }
    if (!error && p->piece == PIECE_DATA && i->flags) {         /* a differencing image: the stretch of equal bits */
        uint64_t sector = in_block / SECTOR, first = sector, bitmap = p->at - in_block - i->gap;
        bool set = false;
        for (; !error && sector < i->unit / SECTOR && (sector - first) * SECTOR < *length + SECTOR; sector++) {
            error = image_bytes(i, bitmap + sector / 8, &bits, 1);
            bool bit = bits >> (7 - sector % 8) & 1;
            if (sector == first)
                set = bit;
            if (bit != set)
                break;
        }
        left = sector * SECTOR - in_block;
        p->piece = set ? PIECE_DATA : PIECE_ABSENT;
    }
    *length = MIN(*length, left);
    return error;
}

static struct block *dynamic_open(struct image *i, const uint8_t *footer, struct format_info *info, struct error *err)
{
    uint8_t h[HEADER];
    uint64_t at = be64_get(footer + F_DATA), size = be64_get(footer + F_SIZE);
    if (at > i->file->size || block_read(i->file, at, h, HEADER) || memcmp(h, "cxsparse", 8))
        return image_bad(i, "the header of its dynamic disk is missing", err);
    if (!sum_good(h, HEADER, H_SUM))
        return image_bad(i, "the checksum of the header of its dynamic disk is wrong", err);
    i->find = vhd_find;
    i->table = be64_get(h + H_TABLE);
    i->unit = be32_get(h + H_BLOCK);
    i->entries = be32_get(h + H_ENTRIES);
    i->flags = be32_get(footer + F_TYPE) == VHD_DIFFERENCING;
    i->gap = align_up(i->unit / SECTOR / 8, SECTOR);            /* the bitmap of a block */
    if (!is_power_of_two(i->unit) || i->unit < SECTOR || i->unit > 1 << 28)
        return image_bad(i, "its block size is impossible", err);
    if (i->table > i->file->size || i->entries > (i->file->size - i->table) / 4 || (size + i->unit - 1) / i->unit > i->entries)
        return image_bad(i, "its block table is too short or not inside the file", err);
    json_object_set_new(info->details, "block", json_integer((json_int_t)i->unit));
    if (i->flags) {
        info->link = LINK_ID;
        memcpy(info->parent_id, h + H_PARENT, 16);
        format_utf16(info->parent, sizeof(info->parent), h + H_PARENT_NAME, 512, true);
    }
    return image_ready(i, size, "VHD image", err);
}

static void footer_tell(const uint8_t *f, struct format_info *info)
{
    static const char *const types[] = { [VHD_FIXED] = "fixed", [VHD_DYNAMIC] = "dynamic", [VHD_DIFFERENCING] = "differencing" };
    uint32_t type = be32_get(f + F_TYPE);
    time_t made = (time_t)be32_get(f + F_TIME) + EPOCH;
    struct tm tm;
    char text[32];
    json_object_set_new(info->details, "type", json_string(types[type]));
    detail_text(info->details, "creator", f + F_CREATOR, 4);
    if (gmtime_r(&made, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        json_object_set_new(info->details, "created", json_string(text));
    json_object_set_new(info->details, "geometry", json_sprintf("%u/%u/%u", be16_get(f + F_CYLINDERS), f[F_HEADS], f[F_SECTORS]));
    memcpy(info->id, f + F_ID, 16);
    detail_uuid(info->details, "uuid", f + F_ID, true);
}

struct block *vhd_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    uint8_t f[FOOTER] = { 0 }, copy[FOOTER];
    uint64_t at, size;
    struct image *i = image_new(file, names, err);
    if (!i)
        return NULL;
    if (!footer_find(file, &at) || block_read(file, at, f, (size_t)MIN(FOOTER, file->size - at)))
        return image_bad(i, "its footer cannot be read", err);
    if (!sum_good(f, FOOTER, F_SUM) && at && cookie_at(file, 0) && !block_read(file, 0, copy, FOOTER) && sum_good(copy, FOOTER, F_SUM)) {
        memcpy(f, copy, FOOTER);
        detail_note(info->details, "the footer of the VHD image is damaged; its copy at the start was taken");
    } else if (!at) {
        detail_note(info->details, "the footer at the end of the VHD image is missing; its copy at the start was taken");
    }
    uint32_t type = be32_get(f + F_TYPE);
    if (!sum_good(f, FOOTER, F_SUM))
        return image_bad(i, "the checksum of its VHD footer is wrong", err);
    if (type < VHD_FIXED || type > VHD_DIFFERENCING)
        return image_bad(i, "its VHD type is not known", err);
    footer_tell(f, info);
    size = be64_get(f + F_SIZE);
    if (type != VHD_FIXED)
        return dynamic_open(i, f, info, err);
    i->find = flat_find;
    i->unit = size;
    if (at > size)
        detail_note(info->details, "%llu bytes lie between the end of the disk and the footer of the VHD image; they are left out",
                    (unsigned long long)(at - size));
    if (at < size)
        return image_bad(i, "it is shorter than the disk in it", err);
    return image_ready(i, size, "VHD image", err);
}
