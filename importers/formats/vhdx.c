/* VHDX (Hyper-V, Disk2vhd): two headers of which the newer good one counts, two equal lists of regions, metadata, a table of blocks.
 * Little-endian; CRC-32C. After every so many blocks the table has an entry for a bitmap of their sectors, which a differencing image
 * uses. References: [VHDX]. Not modelled: an image that was not closed; its log is not replayed. */
#include "importers/disk/volume.h"
#include "importers/formats/image.h"
#include "base/bits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { KIB64 = 64 << 10, MIB = 1 << 20, SECTORS_PER_BITMAP = 1 << 23 };
enum { X_SUM = 4, X_SEQUENCE = 8, X_DATA_ID = 32, X_LOG_ID = 48, X_HEADER = 4096 };
enum { BLOCK_NOT_PRESENT = 0, BLOCK_FULL = 6, BLOCK_PARTIAL = 7, HAS_PARENT = 2, IN_LIST = 1000 };
/* GUIDs, as they are in the file. */
static const uint8_t region_table[16] = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08";
static const uint8_t region_metadata[16] = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e";
static const uint8_t item_parameters[16] = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b";
static const uint8_t item_size[16] = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8";
static const uint8_t item_sector[16] = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f";
static const uint8_t item_parent[16] = "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c";

/* CRC-32C of bytes in which the four of the sum itself count as zeros. */
static bool crc_good(const uint8_t *bytes, size_t length)
{
    uint32_t crc = UINT32_MAX;
    for (size_t k = 0; k < length; k++) {
        crc ^= k - X_SUM < 4 ? 0 : bytes[k];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc == le32_get(bytes + X_SUM);
}

/* An entry for each block, 8 bytes; second: blocks between two entries for bitmaps; gap: bytes of a sector. */
static int vhdx_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t block = offset / i->unit, in_block = offset % i->unit, group = block / i->second, entry, bitmap, same;
    bool set = true;
    int error = image_bytes(i, i->table + (block + group) * 8, &entry, 8);
    entry = error ? 0 : le64_get(&entry);
    unsigned state = entry & 7;
    *length = MIN(*length, i->unit - in_block);
    p->at = align_down(entry, MIB) + in_block;
    if (!error && state == BLOCK_PARTIAL && !(error = image_bytes(i, i->table + (group * (i->second + 1) + i->second) * 8, &bitmap, 8))) {
        uint64_t sector = offset % (i->second * i->unit) / i->gap;
        error = image_bits(i, align_down(le64_get(&bitmap), MIB), sector, sector + *length / i->gap + 2, 0, &set, &same);
        *length = MIN(*length, same * i->gap - offset % i->gap);
    }
    p->piece = state == BLOCK_NOT_PRESENT || !set ? PIECE_ABSENT : state < BLOCK_FULL ? PIECE_ZEROS : PIECE_DATA;
    return error;
}

/* The newer of the two headers, as far as they are good. */
static bool header_get(struct block *file, uint8_t *to)
{
    uint8_t h[X_HEADER];
    bool found = false;
    for (uint64_t at = KIB64; at <= 2 * KIB64; at += KIB64)
        if (!block_read(file, at, h, X_HEADER) && !memcmp(h, "head", 4) && crc_good(h, X_HEADER) &&
            (!found || le64_get(h + X_SEQUENCE) > le64_get(to + X_SEQUENCE)))
            found = memcpy(to, h, X_HEADER);
    return found;
}

/* In a list of 32 bytes an entry, what has that identity; NULL: nothing. */
static const uint8_t *list_find(const uint8_t *list, unsigned count, const uint8_t *id)
{
    for (unsigned k = 0; k < MIN(count, IN_LIST); k++, list += 32)
        if (!memcmp(list, id, 16))
            return list;
    return NULL;
}

/* Reads an item of the metadata, at least `least` and at most `most` bytes; 0: it is not there or not in the file. */
static uint32_t item_get(struct block *file, uint64_t at, const uint8_t *list, const uint8_t *id, void *to, uint32_t least, uint32_t most)
{
    const uint8_t *m = list_find(list + 32, le16_get(list + 10), id);
    uint32_t length = m ? MIN(le32_get(m + 20), most) : 0;
    return length >= least && length && !block_read(file, at + le32_get(m + 16), to, length) ? length : 0;
}

/* Key and value pairs in UTF-16: parent_linkage has the data identity of the parent, relative_path its name. */
static bool parent_get(const uint8_t *l, uint32_t length, struct format_info *info)
{
    char key[64], value[256];
    unsigned g[11];
    for (uint32_t k = 0; k < le16_get(l + 18) && 20 + (k + 1) * 12 <= length; k++) {
        const uint8_t *e = l + 20 + k * 12;
        uint32_t key_at = le32_get(e), value_at = le32_get(e + 4), key_length = le16_get(e + 8), value_length = le16_get(e + 10);
        if (key_at > length || key_length > length - key_at || value_at > length || value_length > length - value_at)
            return false;
        utf16_copy(key, sizeof(key), l + key_at, key_length / 2, 2);
        utf16_copy(value, sizeof(value), l + value_at, value_length / 2, 2);
        if (!strcmp(key, "relative_path"))
            strcpy(info->parent, value);
        if (!strcmp(key, "parent_linkage") && sscanf(value, "{%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x}", g, g + 1, g + 2, g + 3, g + 4, g + 5, g + 6,
                                                      g + 7, g + 8, g + 9, g + 10) == 11) {
            le32_put(info->parent_id, g[0]), le16_put(info->parent_id + 4, (uint16_t)g[1]), le16_put(info->parent_id + 6, (uint16_t)g[2]);
            for (unsigned n = 0; n < 8; n++)
                info->parent_id[8 + n] = (uint8_t)g[3 + n];
            info->link = LINK_ID;
        }
    }
    return info->link;
}

/* regions: 64 KiB, good; list: 64 KiB for the metadata. */
static struct block *metadata_open(struct image *i, const uint8_t *regions, uint8_t *list, struct format_info *info, struct error *err)
{
    uint8_t parameters[8], bytes[8], sector[4];
    const uint8_t *table = list_find(regions + 16, le32_get(regions + 8), region_table), *metadata = list_find(regions + 16, le32_get(regions + 8), region_metadata);
    uint64_t at = metadata ? le64_get(metadata + 16) : 0, size, blocks;
    if (!table || at < MIB || at > i->file->size || block_read(i->file, at, list, KIB64) || memcmp(list, "metadata", 8) ||
        !item_get(i->file, at, list, item_parameters, parameters, 8, 8) || !item_get(i->file, at, list, item_size, bytes, 8, 8) ||
        !item_get(i->file, at, list, item_sector, sector, 4, 4))
        return image_bad(i, "a part of its VHDX metadata is missing", err);
    i->find = vhdx_find;
    i->table = le64_get(table + 16);
    i->unit = le32_get(parameters);
    i->gap = le32_get(sector);
    i->flags = le32_get(parameters + 4);
    size = le64_get(bytes);
    if (!is_power_of_two(i->unit) || i->unit < MIB || i->unit > 256 * MIB || (i->gap != 512 && i->gap != 4096) || size > DISK_MOST)
        return image_bad(i, "its block size or its size is impossible", err);
    i->second = SECTORS_PER_BITMAP * i->gap / i->unit;
    blocks = (size + i->unit - 1) / i->unit;
    if ((blocks + (blocks ? blocks - 1 : 0) / i->second) * 8 > le32_get(table + 24))
        return image_bad(i, "its block table is too short", err);
    json_object_set_new(info->details, "type", json_string(i->flags & HAS_PARENT ? "differencing" : i->flags & 1 ? "fixed" : "dynamic"));
    uint32_t n = i->flags & HAS_PARENT ? item_get(i->file, at, list, item_parent, list, 20, KIB64) : 0;
    if (i->flags & HAS_PARENT && (!n || !parent_get(list, n, info)))
        return image_bad(i, "what it tells about its parent cannot be read", err);
    return image_ready(i, size, err);
}

struct block *vhdx_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    uint8_t h[X_HEADER], *lists = malloc(2 * KIB64);
    struct image *i = image_new(file, names, NULL, 0, err);
    struct block *b = NULL;
    uint64_t at = 3 * KIB64;
    while (i && lists && at <= 4 * KIB64 && (block_read(file, at, lists, KIB64) || memcmp(lists, "regi", 4) || !crc_good(lists, KIB64)))
        at += KIB64;
    if (i && (!lists || !header_get(file, h) || at > 4 * KIB64)) {
        image_bad(i, "both of its VHDX headers are", err);
    } else if (i && any_nonzero(h + X_LOG_ID, 16)) {
        error_set(err, ENOTSUP, "%s was not closed by the program that wrote it; let `qemu-img check -r all` replay the log of a copy first", names->path);
        block_close(&i->b);
    } else if (i) {
        memcpy(info->id, h + X_DATA_ID, 16);
        b = metadata_open(i, lists, lists + KIB64, info, err);
    }
    free(lists);
    return b;
}
