/* libFuzzer: the input is a disk image; its first byte chooses the format, whose marks and checksums are then made right, so that the
 * input gets past them. The image is opened, its holes are asked for, and it is read. Nothing may crash, hang or grow without end. */
#include "importers/formats/formats.h"
#include "block/layer.h"
#include "base/bits.h"
#include <stdlib.h>

enum { FILE_MOST = 4 << 20, KIB64 = 64 << 10, MIB = 1 << 20 };
struct fuzz_file { struct block b; uint8_t *bytes; };

static int file_get(struct block *b, uint64_t offset, void *to, size_t length)
{
    memcpy(to, ((struct fuzz_file *)b)->bytes + offset, length);
    return 0;
}

static const struct block_class fuzz_class = { .name = "fuzz", .size = sizeof(struct fuzz_file), .read = file_get };

static void vhd_sum(uint8_t *bytes, size_t length, size_t at)
{
    uint32_t sum = 0;
    memset(bytes + at, 0, 4);
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    be32_put(bytes + at, ~sum);
}

static void vhdx_crc(uint8_t *bytes, size_t length)
{
    uint32_t crc = UINT32_MAX;
    memset(bytes + 4, 0, 4);
    for (size_t k = 0; k < length; k++) {
        crc ^= bytes[k];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    le32_put(bytes + 4, ~crc);
}

/* A header, regions and metadata whose places and sizes are right; the input gives the values, the parent locator and the table. */
static size_t vhdx_make(uint8_t *f, const uint8_t *data, size_t size)
{
    static const char *const items[] = { "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b", "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8",
        "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f", "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c" };
    uint8_t *head = f + KIB64, *regions = f + 3 * KIB64, *metadata = f + MIB;
    memcpy(f, "vhdxfile", 8);
    memcpy(head, "head", 4);
    vhdx_crc(head, 4096);
    memcpy(regions, "regi", 4);
    le32_put(regions + 8, 2);
    memcpy(regions + 16, "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08", 16), le64_put(regions + 32, 2 * MIB), le32_put(regions + 40, MIB);
    memcpy(regions + 48, "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e", 16), le64_put(regions + 64, MIB), le32_put(regions + 72, MIB);
    memcpy(metadata, "metadata", 8);
    le16_put(metadata + 10, 4);
    for (unsigned k = 0; k < 4; k++) {
        memcpy(metadata + 32 + k * 32, items[k], 16);
        le32_put(metadata + 48 + k * 32, KIB64 + k * 64), le32_put(metadata + 52 + k * 32, k < 3 ? 8 : 1024);
    }
    size_t values = MIN(size, 1200);
    for (size_t k = 0; k < values; k++)
        metadata[KIB64 + k] = data[k];
    if (data[0] & 1)                            /* or else nearly nothing gets past the checks */
        le32_put(metadata + KIB64, MIB << data[1] % 3), le64_put(metadata + KIB64 + 64, le32_get(data + 8)), le32_put(metadata + KIB64 + 128, 512);
    memcpy(f + 2 * MIB, data + values, MIN(size - values, MIB));
    vhdx_crc(regions, KIB64);
    return FILE_MOST;
}

static size_t image_make(uint8_t *f, const uint8_t *data, size_t size)
{
    static const struct { size_t at; const char *mark; size_t length; } marks[] = {
        { 0, "KDMV\x01\0\0", 8 }, { 0, "COWD\x01\0\0", 8 }, { 0, "# Disk DescriptorFile\n", 22 }, { 64, "\x7f\x10\xda\xbe\x01\0\x01", 8 }, { 0, "QFI\xfb\0\0\0\x01", 8 },
        { 0, "QFI\xfb\0\0\0\x03", 8 }, { 0, "WithoutFreeSpace\x02\0\0", 20 }, { 0, "WithouFreSpacExt\x02\0\0", 20 }, { 0, "", 0 },
    };
    unsigned kind = data[0] % 16;
    data++, size--;
    if (kind == 15)
        return vhdx_make(f, data, size);
    memcpy(f, data, size);
    if (kind < ARRAY_SIZE(marks)) {
        memcpy(f + marks[kind].at, marks[kind].mark, marks[kind].length);
        return MAX(size, 100);
    }
    size = MAX(align_up(size, 512), 2048);      /* VHD: three types, its header at 512 */
    memcpy(f, "conectix", 8);
    be64_put(f + 16, 512), be32_put(f + 60, 2 + kind % 3);
    memcpy(f + 512, "cxsparse", 8);
    vhd_sum(f, 512, 64);
    vhd_sum(f + 512, 1024, 36);
    memcpy(f + size, f, 512);
    return size + 512;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *store;
    static size_t used = FILE_MOST;
    uint8_t bytes[3000];
    const char *format;
    struct error err;
    json_t *details = NULL;
    if (!store)
        store = malloc(FILE_MOST);
    if (size < 32 || size > MIB)
        return 0;
    memset(store, 0, used);
    struct block *file = block_new(&fuzz_class, &err);
    ((struct fuzz_file *)file)->bytes = store;
    file->read_only = true;
    used = file->size = image_make(store, data, size);
    struct block *b = format_open(file, &(struct format_names){ .path = "/nowhere/fuzz" }, &format, &details, &err);
    for (uint64_t i = 0; b && i < 24; i++) {
        uint64_t most = b->size - MIN(b->size, sizeof(bytes)), at = most ? (i < 8 ? i * 2048 : size * 2654435761u + i * i * 77777777) % most : 0;
        uint64_t length = MIN(b->size - at, MIB);
        unsigned kind;
        if (!block_extents(b, at, &length, &kind) && !length)
            abort();                            /* or else a reader would not get on */
        block_read(b, at, bytes, MIN(sizeof(bytes), b->size - at));
    }
    block_close(b);
    json_decref(details);
    return 0;
}
