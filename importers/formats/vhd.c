/* VHD (Virtual PC, Virtual Server, Hyper-V): fixed, dynamic, differencing. All numbers are big-endian.
 *   fixed:    the disk, then a footer of 512 bytes (511 before Virtual PC 2004)
 *   others:   a copy of the footer, a header of 1024 bytes, a table of sector numbers, blocks (each behind a bitmap of its sectors:
 *             of a differencing image the clear ones are the parent's), the footer
 * The size is the footer's "current size"; the CHS geometry in it rounds down. References: [VHD-SPEC]. */
#include "importers/disk/volume.h"
#include "importers/formats/image.h"
#include "base/bits.h"

enum { F_DATA = 16, F_CREATOR = 28, F_SIZE = 48, F_CYLINDERS = 56, F_HEADS = 58, F_SECTORS = 59, F_TYPE = 60, F_SUM = 64, F_ID = 68, FOOTER = 512,
       H_TABLE = 16, H_ENTRIES = 28, H_BLOCK = 32, H_SUM = 36, H_PARENT = 40, H_NAME = 64, HEADER = 1024 };
enum { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

/* One's complement of the sum of all other bytes. */
static bool sum_good(const uint8_t *bytes, size_t length, size_t at)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += i - at < 4 ? 0 : bytes[i];
    return ~sum == be32_get(bytes + at);
}

/* The footer at the end, or its copy at the start: the first that is good, or else the first that is there. */
static bool footer_find(struct block *file, uint8_t *f, uint64_t *at)
{
    uint64_t size = file->size, places[] = { size - FOOTER, size - FOOTER + 1, 0 };
    for (int good = 1; good >= 0; good--)
        for (size_t k = 0; k < 3 && size >= 2 * FOOTER; k++) {
            memset(f, 0, FOOTER);
            *at = places[k];
            if (!block_read(file, *at, f, (size_t)MIN(FOOTER, size - *at)) && !memcmp(f, "conectix", 8) && (!good || sum_good(f, FOOTER, F_SUM)))
                return true;
        }
    return false;
}

bool vhd_is(struct block *file)
{
    uint8_t f[FOOTER];
    uint64_t at;
    return footer_find(file, f, &at);
}

static int vhd_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t in_block = offset % i->unit, sector = in_block / SECTOR, same = 0;
    uint8_t entry[4];
    bool set = true;
    int error = image_bytes(i, i->table + offset / i->unit * 4, entry, 4);
    *length = MIN(*length, i->unit - in_block);
    if (error || be32_get(entry) == UINT32_MAX)
        return error;
    p->at = (uint64_t)be32_get(entry) * SECTOR + i->gap + in_block;
    if (i->flags) {
        uint64_t end = MIN(i->unit / SECTOR, sector + *length / SECTOR + 2);
        error = image_bits(i, p->at - in_block - i->gap, sector, end, 7, &set, &same);
        *length = MIN(*length, same * SECTOR - offset % SECTOR);
    }
    p->piece = set ? PIECE_DATA : PIECE_ABSENT;
    return error;
}

static struct block *dynamic_open(struct image *i, const uint8_t *footer, struct format_info *info, struct error *err)
{
    uint8_t h[HEADER];
    uint64_t at = be64_get(footer + F_DATA), size = be64_get(footer + F_SIZE);
    if (at > i->file->size || block_read(i->file, at, h, HEADER) || memcmp(h, "cxsparse", 8) || !sum_good(h, HEADER, H_SUM))
        return image_bad(i, "the header of its dynamic disk is missing or has a wrong checksum", err);
    i->find = vhd_find;
    i->table = be64_get(h + H_TABLE);
    i->unit = be32_get(h + H_BLOCK);
    i->flags = be32_get(footer + F_TYPE) == VHD_DIFFERENCING;
    i->gap = align_up(i->unit / SECTOR / 8, SECTOR);            /* the bitmap of a block */
    if (!is_power_of_two(i->unit) || i->unit < SECTOR || i->unit > 1 << 28 || size / i->unit + (size % i->unit != 0) > be32_get(h + H_ENTRIES))
        return image_bad(i, "its block size or its block table is impossible", err);
    if (i->flags) {
        uint8_t name[512];                      /* UTF-16, big-endian */
        for (size_t k = 0; k < sizeof(name); k++)
            name[k] = h[H_NAME + (k ^ 1)];
        info->link = LINK_ID;
        memcpy(info->parent_id, h + H_PARENT, 16);
        utf16_copy(info->parent, sizeof(info->parent), name, sizeof(name) / 2, 2);
    }
    return image_ready(i, size, err);
}

struct block *vhd_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    static const char *const types[] = { [VHD_FIXED] = "fixed", [VHD_DYNAMIC] = "dynamic", [VHD_DIFFERENCING] = "differencing" };
    uint8_t f[FOOTER];
    uint64_t at = 0;
    struct image *i = image_new(file, names, NULL, 0, err);
    if (!i)
        return NULL;
    if (!footer_find(file, f, &at) || !sum_good(f, FOOTER, F_SUM))
        return image_bad(i, "the checksum of its VHD footer is wrong", err);
    uint32_t type = be32_get(f + F_TYPE);
    uint64_t size = be64_get(f + F_SIZE);
    if (type < VHD_FIXED || type > VHD_DIFFERENCING || (type == VHD_FIXED && at < size))
        return image_bad(i, "its VHD type is not known, or it is shorter than the disk in it", err);
    if (!at)
        detail_note(info->details, json_string("the footer at the end of the VHD image is missing or damaged; its copy at the start was taken"));
    if (type == VHD_FIXED && at > size)
        detail_note(info->details, json_sprintf("%llu bytes between the disk and the footer of the VHD image are left out", (unsigned long long)(at - size)));
    json_object_set_new(info->details, "type", json_string(types[type]));
    detail_text(info->details, "creator", f + F_CREATOR, 4);
    json_object_set_new(info->details, "geometry", json_sprintf("%u/%u/%u", be16_get(f + F_CYLINDERS), f[F_HEADS], f[F_SECTORS]));
    memcpy(info->id, f + F_ID, 16);
    if (type != VHD_FIXED)
        return dynamic_open(i, f, info, err);
    i->find = flat_find;
    i->unit = size;
    return image_ready(i, size, err);
}
