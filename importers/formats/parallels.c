/* Parallels disks (.hdd, .hds), plain and expanding: a header of 64 bytes, a table, blocks. Little-endian. References: [PARALLELS].
 * Not modelled: snapshots (a folder with an XML file over several of these). */
#include "importers/formats/image.h"
#include "base/bits.h"

enum { P_VERSION = 16, P_HEADS = 20, P_CYLINDERS = 24, P_TRACKS = 28, P_ENTRIES = 32, P_SIZE = 36, P_HEADER = 64, SECTOR = 512 };

static int parallels_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint8_t entry[4];
    int error = image_bytes(i, i->table + offset / i->unit * 4, entry, 4);
    if (!error && le32_get(entry)) {
        p->piece = PIECE_DATA;
        p->at = le32_get(entry) * i->gap + offset % i->unit;    /* gap: what its numbers count, sectors or blocks */
    }
    *length = MIN(*length, i->unit - offset % i->unit);
    return error;
}

struct block *parallels_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    uint8_t h[P_HEADER];
    struct image *i = image_new(file, names, err);
    if (!i)
        return NULL;
    if (block_read(file, 0, h, P_HEADER) || le32_get(h + P_VERSION) != 2)
        return image_bad(i, "its Parallels version is not 2", err);
    bool extended = !memcmp(h, "WithouFreSpacExt", 16);
    uint64_t sectors = extended ? le64_get(h + P_SIZE) : le32_get(h + P_SIZE);
    i->find = parallels_find;
    i->unit = (uint64_t)le32_get(h + P_TRACKS) * SECTOR;
    i->gap = extended ? i->unit : SECTOR;
    i->table = P_HEADER;
    i->entries = le32_get(h + P_ENTRIES);
    if (!i->unit || i->unit > 1 << 28 || sectors > DISK_MOST / SECTOR)
        return image_bad(i, "its block size is impossible", err);
    if (i->entries > (file->size - P_HEADER) / 4 || (sectors * SECTOR + i->unit - 1) / i->unit > i->entries)
        return image_bad(i, "its block table is too short or not inside the file", err);
    json_object_set_new(info->details, "geometry", json_sprintf("%u/%u", le32_get(h + P_CYLINDERS), le32_get(h + P_HEADS)));
    return image_ready(i, sectors * SECTOR, "Parallels image", err);
}
