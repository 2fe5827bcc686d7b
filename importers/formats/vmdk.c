/* VMDK extents (VMware): a file with a header, a directory of tables, tables of grains, grains. Little-endian, in sectors of 512 bytes.
 *   "KDMV"  Workstation 4 and later, ESX 3's hosted disks; stream-optimised: each grain a zlib stream behind a marker, header at the end
 *   "COWD"  Workstation 3, GSX, and the snapshots and thin disks of ESX
 * A file may have its descriptor (vmdk_text.c) inside. References: [VMDK]. */
#include "importers/formats/image.h"
#include "importers/formats/vmdk.h"
#include "base/bits.h"
#include <errno.h>

enum { K_VERSION = 4, K_FLAGS = 8, K_CAPACITY = 12, K_GRAIN = 20, K_TEXT = 28, K_TEXT_SIZE = 36, K_ENTRIES = 44, K_REDUNDANT = 48, K_DIRECTORY = 56,
       K_NEWLINES = 73, K_METHOD = 77, K_HEADER = 512 };
enum { C_VERSION = 4, C_SIZE = 12, C_GRAIN = 16, C_DIRECTORY = 20, C_ENTRIES = 24, C_TABLE = 4096 };
enum { FLAG_NEWLINES = 1, FLAG_REDUNDANT = 2, FLAG_ZEROS = 4, FLAG_PACKED = 1 << 16, FLAG_MARKERS = 1 << 17 };
enum { SECTOR = 512, MARKER = 12, ZLIB = 2, AT_END = 2 * SECTOR };

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
    p->at = (uint64_t)le32_get(entry) * SECTOR;
    p->packed = UINT32_MAX;
    p->piece = !p->at ? PIECE_ABSENT : p->at == SECTOR && i->flags & FLAG_ZEROS ? PIECE_ZEROS : i->flags & FLAG_PACKED ? PIECE_PACKED : PIECE_DATA;
    if (p->piece == PIECE_DATA)
        p->at += in_grain;
    *length = MIN(*length, i->unit - in_grain);
    return error;
}

/* Before a packed grain: its first sector on the disk (8 bytes) and how long it is (4). Before the deflate stream: zlib's header. */
static int vmdk_unpack(struct image *i, struct place *p)
{
    uint8_t marker[MARKER], zlib[ZLIB];
    int error = i->flags & FLAG_MARKERS ? image_bytes(i, p->at, marker, MARKER) : 0;
    if (i->flags & FLAG_MARKERS)
        p->at += MARKER, p->packed = le32_get(marker + 8);
    if (error || (error = image_bytes(i, p->at, zlib, ZLIB)))
        return error;
    if ((zlib[0] & 15) != 8 || be16_get(zlib) % 31 || p->packed <= ZLIB)
        return -EIO;
    p->at += ZLIB;
    p->packed -= ZLIB;
    return 0;
}

static struct image *header_bad(struct image *i, const char *what, struct error *err)
{
    image_bad(i, what, err);
    return NULL;
}

/* The directory covers the whole disk and lies in the file; the backup one serves where the first does not. */
static struct image *tables_check(struct image *i, uint64_t sectors, uint64_t grain, uint64_t spare, struct error *err)
{
    uint64_t size = sectors * SECTOR, covers;
    i->unit = grain * SECTOR;
    if (!is_power_of_two(grain) || grain > 1 << 15 || !i->second || i->second > 1 << 16)
        return header_bad(i, "its grains or tables have an impossible size", err);
    if (!sectors || sectors > DISK_MOST / SECTOR)
        return header_bad(i, "the size of its disk is impossible", err);
    covers = i->second * i->unit;
    i->entries = (size + covers - 1) / covers;
    for (unsigned k = 0; k < 2; k++, i->table = spare)
        if (i->table >= SECTOR && i->table < i->file->size && i->entries * 4 <= i->file->size - i->table)
            return i->b.size = size, i;
    return header_bad(i, "its grain directory is not inside the file", err);
}

static struct image *cowd_open(struct image *i, const uint8_t *h, struct error *err)
{
    i->table = (uint64_t)le32_get(h + C_DIRECTORY) * SECTOR;
    i->second = C_TABLE;
    if (le32_get(h + C_VERSION) != 1)
        return header_bad(i, "its VMDK version is not known", err);
    return tables_check(i, le32_get(h + C_SIZE), le32_get(h + C_GRAIN), 0, err);
}

struct image *vmdk_extent(struct block *file, const struct format_names *names, uint64_t *text, size_t *text_length, struct error *err)
{
    uint8_t h[K_HEADER];
    struct image *i = image_new(file, names, err);
    *text_length = 0;
    if (!i)
        return NULL;
    if (file->size < K_HEADER || block_read(file, 0, h, K_HEADER))
        return header_bad(i, "its VMDK header is cut short", err);
    i->find = vmdk_find;
    if (!memcmp(h, "COWD", 4))
        return cowd_open(i, h, err);
    if (memcmp(h, "KDMV", 4))
        return header_bad(i, "it is not a VMDK extent, which its descriptor says it is", err);
    uint64_t text_at = le64_get(h + K_TEXT), text_size = le64_get(h + K_TEXT_SIZE);
    if (le64_get(h + K_DIRECTORY) == UINT64_MAX && (file->size < AT_END + K_HEADER || block_read(file, file->size - AT_END, h, K_HEADER) ||
                                                    memcmp(h, "KDMV", 4)))
        return header_bad(i, "it was cut short: the header at its end is missing", err);
    i->flags = le32_get(h + K_FLAGS);
    if (le32_get(h + K_VERSION) < 1 || le32_get(h + K_VERSION) > 3)
        return header_bad(i, "its VMDK version is not known", err);
    if (i->flags & FLAG_NEWLINES && memcmp(h + K_NEWLINES, "\n \r\n", 4))
        return header_bad(i, "it was copied as a text: its line ends were changed", err);
    if (i->flags & FLAG_PACKED && le16_get(h + K_METHOD) != 1)
        return header_bad(i, "its compression is not known", err);
    i->unpack = i->flags & FLAG_PACKED ? vmdk_unpack : NULL;
    i->second = le32_get(h + K_ENTRIES);
    uint64_t spare = le64_get(h + K_REDUNDANT), first = le64_get(h + K_DIRECTORY);
    i->table = first < UINT64_MAX / SECTOR ? first * SECTOR : 0;
    if (text_at && text_size && text_size <= VMDK_TEXT / SECTOR && text_at < file->size / SECTOR)
        *text = text_at * SECTOR, *text_length = (size_t)MIN(text_size * SECTOR, file->size - text_at * SECTOR);
    return tables_check(i, le64_get(h + K_CAPACITY), le64_get(h + K_GRAIN), spare < UINT64_MAX / SECTOR ? spare * SECTOR : 0, err);
}
