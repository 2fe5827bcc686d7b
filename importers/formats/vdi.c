/* VDI (VirtualBox): a header, a table with a number for each block of the disk, the blocks. Little-endian. References: [VDI].
 * Not modelled: headers of version 0 (before 2005). */
#include "importers/formats/image.h"
#include "base/bits.h"

enum { V_VERSION = 68, V_TYPE = 76, V_TEXT = 84, V_TABLE = 340, V_DATA = 344, V_SECTOR = 360, V_SIZE = 368, V_BLOCK = 376, V_EXTRA = 380,
       V_BLOCKS = 384, V_ID = 392, V_LINK = 424, V_HEADER = 456 };
enum { VDI_DYNAMIC = 1, VDI_FIXED = 2, VDI_UNDO = 3, VDI_DIFFERENCING = 4 };

static int vdi_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t in_block = offset % i->unit;
    uint8_t entry[4];
    int error = image_bytes(i, i->table + offset / i->unit * 4, entry, 4);
    uint32_t block = le32_get(entry);
    *length = MIN(*length, i->unit - in_block);
    p->piece = block == UINT32_MAX ? PIECE_ABSENT : block == UINT32_MAX - 1 ? PIECE_ZEROS : PIECE_DATA;
    p->at = i->data + block * (i->unit + i->gap) + i->gap + in_block;       /* each block may have bytes of its own before it */
    return error;
}

struct block *vdi_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    static const char *const types[] = { "", "dynamic", "fixed", "undo", "differencing" };
    uint8_t h[V_HEADER];
    struct image *i = image_new(file, names, err);
    if (!i)
        return NULL;
    if (block_read(file, 0, h, V_HEADER))
        return image_bad(i, "its header is cut short", err);
    uint32_t type = le32_get(h + V_TYPE), version = le32_get(h + V_VERSION);
    uint64_t size = le64_get(h + V_SIZE);
    i->find = vdi_find;
    i->table = le32_get(h + V_TABLE);
    i->data = le32_get(h + V_DATA);
    i->unit = le32_get(h + V_BLOCK);
    i->gap = le32_get(h + V_EXTRA);
    i->entries = le32_get(h + V_BLOCKS);
    if (version >> 16 != 1)
        return image_bad(i, "its VDI version is not 1", err);
    if (type < VDI_DYNAMIC || type > VDI_DIFFERENCING)
        return image_bad(i, "its VDI type is not known", err);
    if (!is_power_of_two(i->unit) || i->unit < 512 || i->unit > 1 << 28 || i->gap > i->unit || le32_get(h + V_SECTOR) != 512)
        return image_bad(i, "its block size is impossible", err);
    if (i->table < V_HEADER || i->table > file->size || i->entries > (file->size - i->table) / 4 ||
        size / i->unit + (size % i->unit != 0) > i->entries || i->data > file->size)
        return image_bad(i, "its block table is too short or not inside the file", err);
    json_object_set_new(info->details, "type", json_string(types[type]));
    json_object_set_new(info->details, "block", json_integer((json_int_t)i->unit));
    detail_text(info->details, "description", h + V_TEXT, 256);
    detail_uuid(info->details, "uuid", h + V_ID, false);
    memcpy(info->id, h + V_ID, 16);
    memcpy(info->parent_id, h + V_LINK, 16);
    if (type == VDI_UNDO || type == VDI_DIFFERENCING)
        info->link = LINK_ID;
    return image_ready(i, size, "VDI image", err);
}
