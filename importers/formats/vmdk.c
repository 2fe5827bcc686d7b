/* VMDK extents (VMware): a file with a header, a directory of tables, tables of grains, grains. Little-endian, in sectors of 512 bytes.
 *   "KDMV"  Workstation 4 and later, ESX 3's hosted disks; stream-optimised: each grain a zlib stream behind a marker, header at the end
 *   "COWD"  Workstation 3, GSX, and the snapshots and thin disks of ESX
 * A file may have its descriptor (vmdk_text.c) inside. References: [VMDK-SPEC]. */
#include "importers/formats/image.h"
#include "base/bits.h"

enum { K_VERSION = 4, K_FLAGS = 8, K_CAPACITY = 12, K_GRAIN = 20, K_TEXT = 28, K_TEXT_SIZE = 36, K_ENTRIES = 44, K_REDUNDANT = 48, K_DIRECTORY = 56,
       K_NEWLINES = 73, K_METHOD = 77, K_HEADER = 512, C_VERSION = 4, C_SIZE = 12, C_GRAIN = 16, C_DIRECTORY = 20, C_TABLE = 4096 };
enum { FLAG_NEWLINES = 1, FLAG_ZEROS = 4, FLAG_PACKED = 1 << 16, FLAG_MARKERS = 1 << 17, SECTOR = 512, AT_END = 2 * SECTOR };

/* table: the directory's place; second: entries of a table. */
static int vmdk_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t grain = offset / i->unit, in_grain = offset % i->unit, covers = i->second * i->unit;
    uint8_t entry[4];
    int error = image_bytes(i, i->table + grain / i->second * 4, entry, 4);
    uint32_t table = error ? 0 : le32_get(entry);
    if (!table) {
        *length = MIN(*length, covers - offset % covers);
        return error;
    }
    error = image_bytes(i, (uint64_t)table * SECTOR + grain % i->second * 4, entry, 4);
    *length = MIN(*length, i->unit - in_grain);
    p->at = (uint64_t)le32_get(entry) * SECTOR;
    p->packed = UINT32_MAX;
    p->zlib = true;
    p->marked = i->flags & FLAG_MARKERS;
    p->piece = !p->at ? PIECE_ABSENT : p->at == SECTOR && i->flags & FLAG_ZEROS ? PIECE_ZEROS : i->flags & FLAG_PACKED ? PIECE_PACKED : PIECE_DATA;
    p->at += p->piece == PIECE_DATA ? in_grain : 0;
    return error;
}

/* directory: where it is, in sectors; spare: its copy, which serves where the first is not in the file. */
static struct image *tables_check(struct image *i, uint64_t sectors, uint64_t grain, uint64_t directory, uint64_t spare, struct error *err)
{
    uint64_t first = directory && directory < i->file->size / SECTOR ? directory : spare;
    i->unit = grain * SECTOR;
    i->table = first * SECTOR;
    i->b.size = sectors * SECTOR;
    if (is_power_of_two(grain) && grain <= 1 << 15 && i->second && i->second <= 1 << 16 && sectors <= DISK_MOST / SECTOR && first &&
        first < i->file->size / SECTOR)
        return i;
    image_bad(i, "the size of its disk, its grains or its tables is impossible", err);
    return NULL;
}

struct image *vmdk_extent(struct block *file, const struct format_names *names, uint64_t *text, size_t *length, struct error *err)
{
    uint8_t h[K_HEADER];
    const char *bad = NULL;
    struct image *i = image_new(file, names, h, K_HEADER, err);
    *length = 0;
    if (!i)
        return NULL;
    i->find = vmdk_find;
    i->second = C_TABLE;
    if (!memcmp(h, "COWD", 4) && le32_get(h + C_VERSION) == 1)
        return tables_check(i, le32_get(h + C_SIZE), le32_get(h + C_GRAIN), le32_get(h + C_DIRECTORY), 0, err);
    uint64_t text_at = le64_get(h + K_TEXT), text_size = le64_get(h + K_TEXT_SIZE);
    if (memcmp(h, "KDMV", 4))
        bad = "it is not a VMDK extent, which its descriptor says it is";
    else if (le64_get(h + K_DIRECTORY) == UINT64_MAX && (file->size < AT_END + K_HEADER || block_read(file, file->size - AT_END, h, K_HEADER) ||
                                                         memcmp(h, "KDMV", 4)))
        bad = "it was cut short: the header at its end is missing";
    i->flags = le32_get(h + K_FLAGS);
    if (!bad && i->flags & FLAG_NEWLINES && memcmp(h + K_NEWLINES, "\n \r\n", 4))
        bad = "it was copied as a text: its line ends were changed";
    if (!bad && (le32_get(h + K_VERSION) - 1 > 2 || (i->flags & FLAG_PACKED && le16_get(h + K_METHOD) != 1)))
        bad = "its VMDK version or compression is not known";
    if (bad) {
        image_bad(i, bad, err);
        return NULL;
    }
    i->second = le32_get(h + K_ENTRIES);
    *text = MIN(text_at, file->size / SECTOR) * SECTOR;
    *length = (size_t)(text_at ? MIN(MIN(text_size, 128) * SECTOR, file->size - *text) : 0);
    return tables_check(i, le64_get(h + K_CAPACITY), le64_get(h + K_GRAIN), le64_get(h + K_DIRECTORY), le64_get(h + K_REDUNDANT), err);
}
