#include "importers/evidence/containers.h"
#include "base/bits.h"
#include "block/layer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512, UNIT_NONE = -1, GRAINS = 512, DESCRIPTOR_AT = 1, DESCRIPTOR_SECTORS = 20 };
struct container_class {
    const char *name; uint32_t unit, prefix;    /* bytes; prefix: the bitmap before a VHD's block */
    uint64_t most;                              /* bytes of a disk that the format can hold */
    uint64_t (*data_at)(const struct container *);      /* the place of the first unit */
    uint64_t (*table_bytes)(const struct container *);
    bool (*finish)(struct container *, uint8_t *table, const uint8_t random[32], struct error *);    /* table: zeros to be filled */
};

static bool put(struct container *c, uint64_t at, const void *bytes, size_t length, struct error *err)
{
    int error = file_write(c->fd, at, bytes, length);
    return !error || error_set(err, -error, "cannot write %s: %s", c->to, strerror(-error));
}

static uint64_t unit_at(const struct container *c, uint32_t unit)
{
    return c->data_at + (uint64_t)c->table[unit] * (c->class->unit + c->class->prefix);
}

/* The geometry that readers compute from a size [VHD-SPEC, appendix]. */
static void chs(uint64_t sectors, uint32_t *cylinders, uint32_t *heads, uint32_t *per_track)
{
    sectors = MIN(sectors, 65535ull * 16 * 255);
    *heads = 16;
    *per_track = 255;
    uint64_t tracks = sectors / 255;
    if (sectors < 65535ull * 16 * 63) {
        *per_track = 17;
        tracks = sectors / 17;
        *heads = (uint32_t)MAX(4, (tracks + 1023) / 1024);
        for (uint32_t more = 31; more <= 63 && (*heads > 16 || tracks >= *heads * 1024ull); more += 32) {
            *heads = 16;
            *per_track = more;
            tracks = sectors / more;
        }
    }
    *cylinders = (uint32_t)(tracks / *heads);
}

/* --- VHD ------------------------------------------------------------------------------------------------------------- */

enum { VHD_TABLE_AT = 1536 };
static uint64_t vhd_table_bytes(const struct container *c) { return align_up(c->units * 4ull, SECTOR_BYTES); }
static uint64_t vhd_data_at(const struct container *c) { return VHD_TABLE_AT + vhd_table_bytes(c); }

static void vhd_checksum(uint8_t *bytes, size_t length, size_t at)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    be32_put(bytes + at, ~sum);
}

/* Readers trust the exact size when the maker is one that they know for it, as Windows is; of others they take the geometry's. */
static bool vhd_finish(struct container *c, uint8_t *table, const uint8_t random[32], struct error *err)
{
    uint8_t footer[512] = "conectix", header[1024] = "cxsparse";
    uint32_t cylinders, heads, per_track;
    size_t bytes = vhd_table_bytes(c);
    chs(c->size / SECTOR_BYTES, &cylinders, &heads, &per_track);
    be32_put(footer + 8, 2), be32_put(footer + 12, 0x10000), be64_put(footer + 16, 512);
    be32_put(footer + 24, (uint32_t)(time(NULL) - 946684800)), memcpy(footer + 28, "win ", 4), be32_put(footer + 32, 0x60001);
    memcpy(footer + 36, "Wi2k", 4), be64_put(footer + 40, c->size), be64_put(footer + 48, c->size), memcpy(footer + 68, random, 16);
    be16_put(footer + 56, (uint16_t)cylinders), footer[58] = (uint8_t)heads, footer[59] = (uint8_t)per_track, be32_put(footer + 60, 3);
    vhd_checksum(footer, sizeof(footer), 64);
    memset(header + 8, 0xff, 8), be64_put(header + 16, VHD_TABLE_AT), be32_put(header + 24, 0x10000), be32_put(header + 28, c->units);
    be32_put(header + 32, c->class->unit);
    vhd_checksum(header, sizeof(header), 36);
    memset(table, 0xff, bytes);
    for (uint32_t u = 0; u < c->units; u++)
        if (c->table[u] != (uint32_t)UNIT_NONE)
            be32_put(table + u * 4ull, (uint32_t)(unit_at(c, u) / SECTOR_BYTES));
    return put(c, VHD_TABLE_AT, table, bytes, err) && put(c, 512, header, sizeof(header), err) && put(c, 0, footer, sizeof(footer), err) &&
           put(c, c->data_at + (uint64_t)c->used * (c->class->unit + c->class->prefix), footer, sizeof(footer), err);
}

/* --- VDI ------------------------------------------------------------------------------------------------------------- */

static uint64_t vdi_table_bytes(const struct container *c) { return c->units * 4ull; }
static uint64_t vdi_data_at(const struct container *c) { return align_up(512 + vdi_table_bytes(c), 1 << 20); }

static bool vdi_finish(struct container *c, uint8_t *table, const uint8_t random[32], struct error *err)
{
    uint8_t h[512] = "<<< Oracle VM VirtualBox Disk Image >>>\n";
    const uint32_t fields[] = { 0xbeda107f, 0x10001, 400, 1 };      /* magic, version, header's size, dynamic */
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        le32_put(h + 64 + i * 4, fields[i]);
    le32_put(h + 340, 512), le32_put(h + 344, (uint32_t)c->data_at), le32_put(h + 360, 512), le64_put(h + 368, c->size);
    le32_put(h + 376, c->class->unit), le32_put(h + 384, c->units), le32_put(h + 388, c->used), memcpy(h + 392, random, 32);
    for (uint32_t u = 0; u < c->units; u++)
        le32_put(table + u * 4ull, c->table[u]);        /* UNIT_NONE is what the format has for it too */
    return put(c, 512, table, vdi_table_bytes(c), err) && put(c, 0, h, sizeof(h), err);
}

/* --- VMDK: grain directories that name grain tables that name grains, twice -------------------------------------------- */

static uint64_t vmdk_tables(const struct container *c) { return (c->units + GRAINS - 1) / GRAINS; }
static uint64_t vmdk_directory_sectors(const struct container *c) { return (vmdk_tables(c) * 4 + 511) / 512; }
static uint64_t vmdk_copy_sectors(const struct container *c) { return vmdk_directory_sectors(c) + vmdk_tables(c) * GRAINS * 4 / 512; }
static uint64_t vmdk_table_bytes(const struct container *c) { return vmdk_copy_sectors(c) * 512; }
static uint64_t vmdk_data_at(const struct container *c)
{
    return align_up((DESCRIPTOR_AT + DESCRIPTOR_SECTORS + 2 * vmdk_copy_sectors(c)) * 512, 65536);
}

static bool vmdk_finish(struct container *c, uint8_t *table, const uint8_t random[32], struct error *err)
{
    uint64_t sectors = c->size / SECTOR_BYTES, copy = vmdk_copy_sectors(c), directory = vmdk_directory_sectors(c);
    uint64_t at = DESCRIPTOR_AT + DESCRIPTOR_SECTORS;
    uint8_t h[512] = "KDMV";
    char text[DESCRIPTOR_SECTORS * 512] = "";
    const char *name = strrchr(c->to, '/');
    name = name ? name + 1 : c->to;
    snprintf(text, sizeof(text), "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\n\n"
             "# Extent description\nRW %llu SPARSE \"%.255s\"\n\n# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\n"
             "ddb.geometry.cylinders = \"%llu\"\nddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\nddb.adapterType = \"ide\"\n",
             le32_get(random) & 0xfffffffe, (unsigned long long)sectors, strpbrk(name, "\"\n") ? "disk.vmdk" : name,
             (unsigned long long)MIN(sectors / 16 / 63, 16383ull));
    le32_put(h + 4, 1), le32_put(h + 8, 3), le64_put(h + 12, sectors), le64_put(h + 20, c->class->unit / 512), le64_put(h + 28, DESCRIPTOR_AT);
    le64_put(h + 36, DESCRIPTOR_SECTORS), le32_put(h + 44, GRAINS), le64_put(h + 48, at), le64_put(h + 56, at + copy);
    le64_put(h + 64, c->data_at / 512), memcpy(h + 73, "\n \r\n", 4);
    for (uint32_t u = 0; u < c->units; u++)
        if (c->table[u] != (uint32_t)UNIT_NONE)
            le32_put(table + directory * 512 + u * 4ull, (uint32_t)(unit_at(c, u) / 512));
    bool ok = put(c, DESCRIPTOR_AT * 512, text, sizeof(text), err);
    for (unsigned n = 0; ok && n < 2; n++, at += copy) {
        for (uint64_t t = 0; t < vmdk_tables(c); t++)
            le32_put(table + t * 4, (uint32_t)(at + directory + t * (GRAINS * 4 / 512)));
        ok = put(c, at * 512, table, copy * 512, err);
    }
    return ok && put(c, 0, h, sizeof(h), err);
}

/* --- all ------------------------------------------------------------------------------------------------------------- */

static const struct container_class classes[] = {
    { "vhd", 2 << 20, 512, 2040ull << 30, vhd_data_at, vhd_table_bytes, vhd_finish },
    { "vdi", 1 << 20, 0, 2ull << 40, vdi_data_at, vdi_table_bytes, vdi_finish },
    { "vmdk", 65536, 0, 2ull << 40, vmdk_data_at, vmdk_table_bytes, vmdk_finish },
};

bool container_open(struct container *c, const char *format, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (!strcmp(format, classes[i].name))
            c->class = &classes[i];
    c->size = align_up(c->length, SECTOR_BYTES);
    if (!c->class)
        return error_set(err, EINVAL, "the formats are raw, qcow2, vhd, vmdk and vdi, not %s", format);
    if (c->size > c->class->most)
        return error_set(err, EFBIG, "a %s image cannot hold %llu bytes", format, (unsigned long long)c->size);
    c->units = (uint32_t)((c->size + c->class->unit - 1) / c->class->unit);
    c->table = malloc(c->units * sizeof(*c->table) + 1);
    if (!c->table)
        return error_set(err, ENOMEM, "no memory for the tables of %s", c->to);
    memset(c->table, 0xff, c->units * sizeof(*c->table));
    c->data_at = c->class->data_at(c);
    return true;
}

/* A unit that is needed for the first time goes to the end; its file space is zeros already. */
static bool unit_make(struct container *c, uint32_t unit, struct error *err)
{
    uint8_t bitmap[512];
    memset(bitmap, 0xff, sizeof(bitmap));
    c->table[unit] = c->used++;
    uint64_t at = unit_at(c, unit);
    return (!c->class->prefix || put(c, at, bitmap, sizeof(bitmap), err)) &&
           (!ftruncate(c->fd, (off_t)(at + c->class->prefix + c->class->unit)) ||
            error_set(err, errno, "cannot write %s: %s", c->to, strerror(errno)));
}

bool container_take(void *container, const struct chunk *chunk, struct error *err)
{
    enum { PIECE = 65536 };
    struct container *c = container;
    for (size_t at = 0, n; at < chunk->length && !chunk->zeros; at += n) {
        uint64_t offset = chunk->offset + at;
        uint32_t unit = (uint32_t)(offset / c->class->unit);
        n = MIN((size_t)PIECE, chunk->length - at);
        if (!any_nonzero(chunk->bytes + at, n))
            continue;
        if (c->table[unit] == (uint32_t)UNIT_NONE && !unit_make(c, unit, err))
            return false;
        if (!put(c, unit_at(c, unit) + c->class->prefix + offset % c->class->unit, chunk->bytes + at, n, err))
            return false;
    }
    return true;
}

bool container_finish(struct container *c, struct error *err)
{
    uint8_t random[32], *table = calloc(1, c->class->table_bytes(c) + 1);
    bool ok = (table && getrandom(random, sizeof(random), 0) == sizeof(random)) || error_set(err, ENOMEM, "no memory for the tables of %s", c->to);
    ok = ok && c->class->finish(c, table, random, err);
    free(table);
    return ok;
}

void container_free(struct container *c)
{
    free(c->table);
}
