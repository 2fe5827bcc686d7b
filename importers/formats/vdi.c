/* Images with one table of 32-bit numbers, one a block, little-endian:
 *   VDI (VirtualBox): numbers of blocks, each of which may have bytes of its own before its data. Not modelled: version 0 (before 2005)
 *   Parallels (.hdd, .hds): numbers of sectors or, of the newer kind, of blocks. Not modelled: snapshots
 * References: [VDI], [PARALLELS]. */
#include "importers/formats/image.h"
#include "base/bits.h"

enum { V_VERSION = 68, V_TYPE = 76, V_TEXT = 84, V_TABLE = 340, V_DATA = 344, V_SECTOR = 360, V_SIZE = 368, V_BLOCK = 376, V_EXTRA = 380,
       V_BLOCKS = 384, V_ID = 392, V_LINK = 424, V_HEADER = 456 };
enum { P_VERSION = 16, P_TRACKS = 28, P_ENTRIES = 32, P_SIZE = 36, P_HEADER = 64, SECTOR = 512 };
enum { VDI_DYNAMIC = 1, VDI_FIXED = 2, VDI_UNDO = 3, VDI_DIFFERENCING = 4, VDI = 1 };

/* data: where what the numbers count begins; gap: how many bytes each of them stands for. */
static int numbers_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint8_t entry[4];
    int error = image_bytes(i, i->table + offset / i->unit * 4, entry, 4);
    uint32_t n = error ? 0 : le32_get(entry);
    *length = MIN(*length, i->unit - offset % i->unit);
    if (i->flags == VDI)
        p->piece = n == UINT32_MAX ? PIECE_ABSENT : n == UINT32_MAX - 1 ? PIECE_ZEROS : PIECE_DATA;
    else
        p->piece = n ? PIECE_DATA : PIECE_ABSENT;
    p->at = i->data + n * i->gap + offset % i->unit;
    return error;
}

static struct block *numbers_open(struct image *i, uint64_t size, uint32_t entries, struct error *err)
{
    i->find = numbers_find;
    if (i->unit < SECTOR || i->unit > 1 << 28 || i->unit % SECTOR || size / i->unit + (size % i->unit != 0) > entries)
        return image_bad(i, "its block size or its block table is impossible", err);
    return image_ready(i, size, err);
}

struct block *vdi_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    static const char *const types[] = { "", "dynamic", "fixed", "undo", "differencing" };
    uint8_t h[V_HEADER];
    struct image *i = image_new(file, names, h, V_HEADER, err);
    if (!i)
        return NULL;
    uint32_t type = le32_get(h + V_TYPE), extra = le32_get(h + V_EXTRA);
    i->flags = VDI;
    i->table = le32_get(h + V_TABLE);
    i->unit = le32_get(h + V_BLOCK);
    i->gap = i->unit + extra;
    i->data = (uint64_t)le32_get(h + V_DATA) + extra;
    if (le16_get(h + V_VERSION + 2) != 1 || type < VDI_DYNAMIC || type > VDI_DIFFERENCING || i->table < V_HEADER || le32_get(h + V_SECTOR) != SECTOR)
        return image_bad(i, "its VDI version or type is not known", err);
    json_object_set_new(info->details, "type", json_string(types[type]));
    detail_text(info->details, "description", h + V_TEXT, 256);
    memcpy(info->id, h + V_ID, 16);
    memcpy(info->parent_id, h + V_LINK, 16);
    info->link = type >= VDI_UNDO ? LINK_ID : LINK_NONE;
    return numbers_open(i, le64_get(h + V_SIZE), le32_get(h + V_BLOCKS), err);
}

struct block *parallels_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    uint8_t h[P_HEADER];
    struct image *i = image_new(file, names, h, P_HEADER, err);
    if (!i)
        return NULL;
    bool newer = !memcmp(h, "WithouFreSpacExt", 16);
    uint64_t sectors = newer ? le64_get(h + P_SIZE) : le32_get(h + P_SIZE);
    i->unit = (uint64_t)le32_get(h + P_TRACKS) * SECTOR;
    i->gap = newer ? i->unit : SECTOR;
    i->table = P_HEADER;
    json_object_set_new(info->details, "type", json_string(newer ? "newer" : "older"));
    if (le32_get(h + P_VERSION) != 2 || sectors > DISK_MOST / SECTOR)
        return image_bad(i, "its Parallels version or its size is impossible", err);
    return numbers_open(i, sectors * SECTOR, le32_get(h + P_ENTRIES), err);
}
