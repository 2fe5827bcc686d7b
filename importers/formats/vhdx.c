/* VHDX (Hyper-V, Disk2vhd): two headers of which the newer good one counts, two equal lists of regions, metadata, a table of blocks.
 * Little-endian; CRC-32C. After every so many blocks the table has an entry for a bitmap of their sectors, which a differencing image
 * uses. References: [VHDX]. Not modelled: an image that was not closed; its log is not replayed. */
#include "importers/formats/image.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>

enum { KIB64 = 64 << 10, MIB = 1 << 20, SECTORS_PER_BITMAP = 1 << 23 };
enum { X_SUM = 4, X_SEQUENCE = 8, X_DATA_ID = 32, X_LOG_ID = 48, X_VERSION = 66, X_HEADER = 4096 };
enum { R_COUNT = 8, R_FIRST = 16, R_SIZE = 32, R_PLACE = 16, R_LENGTH = 24, R_REQUIRED = 28, R_MOST = 2047 };
enum { M_COUNT = 10, M_FIRST = 32, M_SIZE = 32, M_PLACE = 16, M_LENGTH = 20, M_MOST = 1023 };
enum { BLOCK_PARTIAL = 7, BLOCK_FULL = 6, BLOCK_NOT_PRESENT = 0, HAS_PARENT = 2 };
/* GUIDs, as they are in the file. */
static const uint8_t region_table[16] = "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08";
static const uint8_t region_metadata[16] = "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e";
static const uint8_t item_parameters[16] = "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b";
static const uint8_t item_size[16] = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8";
static const uint8_t item_sector[16] = "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f";
static const uint8_t item_parent[16] = "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c";

/* CRC-32C of bytes in which the four at `sum` count as zeros. */
static bool crc_good(const uint8_t *bytes, size_t length, size_t sum)
{
    uint32_t crc = UINT32_MAX, table[256];
    for (uint32_t k = 0; k < 256; k++) {
        table[k] = k;
        for (unsigned bit = 0; bit < 8; bit++)
            table[k] = table[k] >> 1 ^ (table[k] & 1 ? 0x82f63b78 : 0);
    }
    for (size_t k = 0; k < length; k++)
        crc = crc >> 8 ^ table[(crc ^ (k - sum < 4 ? 0 : bytes[k])) & 255];
    return ~crc == le32_get(bytes + sum);
}

/* An entry for each block, 8 bytes; second: blocks between two entries for bitmaps. */
static int vhdx_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t block = offset / i->unit, in_block = offset % i->unit, left = i->unit - in_block, group = block / i->second, entry, bitmap;
    int error = image_bytes(i, i->table + (block + group) * 8, &entry, 8);
    entry = error ? 0 : le64_get(&entry);
    unsigned state = entry & 7;
    p->piece = state == BLOCK_NOT_PRESENT ? PIECE_ABSENT : state < BLOCK_FULL ? PIECE_ZEROS : PIECE_DATA;
    p->at = align_down(entry, MIB) + in_block;
    if (!error && state == BLOCK_PARTIAL) {     /* the stretch of equal bits, one a sector, lowest first */
        error = image_bytes(i, i->table + (group * (i->second + 1) + i->second) * 8, &bitmap, 8);
        uint64_t sector = block % i->second * (i->unit / i->gap) + in_block / i->gap, first = sector, end = first - in_block / i->gap + i->unit / i->gap;
        bool set = false;
        for (uint8_t bits; !error && sector < end && (sector - first) * i->gap < *length + i->gap; sector++) {
            error = image_bytes(i, align_down(le64_get(&bitmap), MIB) + sector / 8, &bits, 1);
            bool bit = bits >> sector % 8 & 1;
            if (sector == first)
                set = bit;
            if (bit != set)
                break;
        }
        left = (sector - first) * i->gap - in_block % i->gap;
        p->piece = set ? PIECE_DATA : PIECE_ABSENT;
    }
    *length = MIN(*length, left);
    return error;
}

/* The newer of the two headers, as far as they are good. */
static bool header_get(struct block *file, uint8_t *to)
{
    uint8_t h[X_HEADER];
    bool found = false;
    for (uint64_t at = KIB64; at <= 2 * KIB64; at += KIB64)
        if (!block_read(file, at, h, X_HEADER) && !memcmp(h, "head", 4) && crc_good(h, X_HEADER, X_SUM) &&
            (!found || le64_get(h + X_SEQUENCE) > le64_get(to + X_SEQUENCE))) {
            memcpy(to, h, X_HEADER);
            found = true;
        }
    return found;
}

/* The place and length of a region; false when it is not in the list or not in the file. */
static bool region_get(struct block *file, const uint8_t *list, const uint8_t *id, uint64_t *at, uint32_t *length)
{
    uint32_t count = le32_get(list + R_COUNT);
    for (uint32_t k = 0; k < MIN(count, R_MOST); k++) {
        const uint8_t *r = list + R_FIRST + k * R_SIZE;
        *at = le64_get(r + R_PLACE);
        *length = le32_get(r + R_LENGTH);
        if (!memcmp(r, id, 16))
            return *at >= MIB && *at % MIB == 0 && *at <= file->size && *length <= file->size - *at;
    }
    return false;
}

/* Reads an item of the metadata; false unless it is there, at least `least` bytes long; *length: how long, at most `most`. */
static bool item_get(struct block *file, uint64_t at, uint32_t room, const uint8_t *list, const uint8_t *id, void *to, uint32_t least, uint32_t most,
                     uint32_t *length)
{
    for (uint32_t k = 0; k < MIN(le16_get(list + M_COUNT), M_MOST); k++) {
        const uint8_t *m = list + M_FIRST + k * M_SIZE;
        uint32_t place = le32_get(m + M_PLACE);
        *length = MIN(le32_get(m + M_LENGTH), most);
        if (!memcmp(m, id, 16))
            return *length >= least && place >= KIB64 && place <= room && *length <= room - place && !block_read(file, at + place, to, *length);
    }
    return false;
}

/* Key and value pairs in UTF-16: parent_linkage has the data identity of the parent, relative_path its name. */
static bool parent_get(const uint8_t *l, uint32_t length, struct format_info *info)
{
    char key[64], value[256];
    unsigned a, b, c, d[8], found = 0;
    for (uint32_t k = 0; k < le16_get(l + 18) && 20 + (k + 1) * 12 <= length; k++) {
        const uint8_t *e = l + 20 + k * 12;
        uint32_t key_at = le32_get(e), value_at = le32_get(e + 4), key_length = le16_get(e + 8), value_length = le16_get(e + 10);
        if (key_at > length || key_length > length - key_at || value_at > length || value_length > length - value_at)
            return false;
        format_utf16(key, sizeof(key), l + key_at, key_length, false);
        format_utf16(value, sizeof(value), l + value_at, value_length, false);
        if (!strcmp(key, "relative_path") || (!strcmp(key, "absolute_win32_path") && !*info->parent))
            strcpy(info->parent, value);
        if (strcmp(key, "parent_linkage") || sscanf(value, "{%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x}", &a, &b, &c, d, d + 1, d + 2, d + 3, d + 4, d + 5,
                                                     d + 6, d + 7) != 11)
            continue;
        le32_put(info->parent_id, a), le16_put(info->parent_id + 4, (uint16_t)b), le16_put(info->parent_id + 6, (uint16_t)c);
        for (unsigned n = 0; n < 8; n++)
            info->parent_id[8 + n] = (uint8_t)d[n];
        found = 1;
    }
    info->link = LINK_ID;
    return found;
}

static struct block *metadata_open(struct image *i, const uint8_t *regions, uint8_t *list, struct format_info *info, struct error *err)
{
    uint8_t parameters[8], size[8], sector[4];
    uint64_t at;
    uint32_t room, table, n;
    if (!region_get(i->file, regions, region_metadata, &at, &room) || room < KIB64 || block_read(i->file, at, list, KIB64) || memcmp(list, "metadata", 8))
        return image_bad(i, "its metadata cannot be read", err);
    if (!item_get(i->file, at, room, list, item_parameters, parameters, 8, 8, &n) || !item_get(i->file, at, room, list, item_size, size, 8, 8, &n) ||
        !item_get(i->file, at, room, list, item_sector, sector, 4, 4, &n) || !region_get(i->file, regions, region_table, &i->table, &table))
        return image_bad(i, "a part of its metadata is missing", err);
    i->find = vhdx_find;
    i->unit = le32_get(parameters);
    i->gap = le32_get(sector);
    if (!is_power_of_two(i->unit) || i->unit < MIB || i->unit > 256 * MIB || (i->gap != 512 && i->gap != 4096) || le64_get(size) > DISK_MOST)
        return image_bad(i, "its block size is impossible", err);
    i->second = SECTORS_PER_BITMAP * i->gap / i->unit;
    i->entries = (le64_get(size) + i->unit - 1) / i->unit;
    i->flags = le32_get(parameters + 4);
    if ((i->entries + (i->entries + i->second - 1) / i->second) * 8 > table + 8ull)
        return image_bad(i, "its block table is too short", err);
    json_object_set_new(info->details, "block", json_integer((json_int_t)i->unit));
    json_object_set_new(info->details, "type", json_string(i->flags & HAS_PARENT ? "differencing" : i->flags & 1 ? "fixed" : "dynamic"));
    if (i->flags & HAS_PARENT && (!item_get(i->file, at, room, list, item_parent, list, 20, KIB64, &n) || !parent_get(list, n, info)))
        return image_bad(i, "what it tells about its parent cannot be read", err);
    return image_ready(i, le64_get(size), "VHDX image", err);
}

struct block *vhdx_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    uint8_t h[X_HEADER];
    struct image *i = image_new(file, names, err);
    uint8_t *lists = i ? malloc(2 * KIB64) : NULL;
    struct block *b = NULL;
    uint64_t at = 3 * KIB64;
    if (i && !header_get(file, h)) {
        image_bad(i, "both of its VHDX headers are", err);
    } else if (i && any_nonzero(h + X_LOG_ID, 16)) {
        error_set(err, ENOTSUP, "%s was not closed by the program that wrote it; let `qemu-img check -r all` replay the log of a copy first", names->path);
        block_close(&i->b);
    } else if (i && lists) {
        memcpy(info->id, h + X_DATA_ID, 16);
        while (at <= 4 * KIB64 && (block_read(file, at, lists, KIB64) || memcmp(lists, "regi", 4) || !crc_good(lists, KIB64, X_SUM)))
            at += KIB64;
        b = at > 4 * KIB64 ? image_bad(i, "both lists of its regions are", err) : metadata_open(i, lists, lists + KIB64, info, err);
    }
    free(lists);
    return b;
}
