#include "tests/support/volume_make.h"
#include "base/bits.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 3 << 20, YEAR_1996 = 820454400, FOLDER = 0x41ed, PLAIN = 0x81a4 };
const char *const volume_kinds[VOLUME_KINDS] = { "ext2", "minix1", "minix1 long", "minix2", "minix3", "sysv", "xenix", "ufs1", "ufs2", "fat16",
                                                 "hpfs", "ntfs" };

const char *volume_fs(unsigned kind)
{
    static const char *const names[VOLUME_KINDS] = { "ext2", "minix", "minix", "minix", "minix", "sysv", "xenix", "ufs", "ufs2", "fat16",
                                                     "hpfs", "ntfs" };
    return names[kind];
}

uint8_t volume_byte(uint64_t n)
{
    return (uint8_t)(n * 7 + n / 251 + n / 65536);
}

static uint8_t *pattern(size_t length)
{
    uint8_t *b = calloc(1, length + 65536);
    for (size_t i = 0; i < length; i++)
        b[i] = volume_byte(i);
    return b;
}

static uint8_t *inner_bytes(void)
{
    uint8_t *b = pattern(777);
    for (size_t i = 0; i < 777; i++)
        b[i] ^= 0x5a;
    return b;
}

static void put(uint8_t *to, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> i * 8);
}

/* --- inodes and pointers --- */
struct rules { unsigned block, unit, inode, size_at, time_at, map_at, pointer, indirect, direct, number, entry, length_at, root, first, table; };
static const struct rules rules[] = {
    { 1024, 1024, 128, 4, 16, 40, 4, 4, 12, 4, 0, 6, 2, 1, 5 * 1024 },          /* ext2: boot, super, descriptors, two bitmaps */
    { 1024, 1024, 32, 4, 8, 14, 2, 2, 7, 2, 16, 0, 1, 1, 4 * 1024 },
    { 1024, 1024, 32, 4, 8, 14, 2, 2, 7, 2, 32, 0, 1, 1, 4 * 1024 },
    { 1024, 1024, 64, 8, 16, 24, 4, 4, 7, 2, 16, 0, 1, 1, 4 * 1024 },
    { 4096, 4096, 64, 8, 16, 24, 4, 4, 7, 4, 64, 0, 1, 1, 4 * 4096 },
    { 1024, 1024, 64, 8, 56, 12, 3, 4, 10, 2, 16, 0, 2, 1, 2 * 1024 },
    { 512, 512, 64, 8, 56, 12, 3, 4, 10, 2, 16, 0, 2, 1, 2 * 512 },
    { 4096, 1024, 128, 8, 24, 40, 4, 4, 12, 4, 0, 7, 2, 0, 16 * 1024 },
    { 4096, 512, 256, 16, 40, 112, 8, 8, 12, 4, 0, 7, 2, 0, 72 * 1024 },
};
struct maker { uint8_t *b; const struct rules *r; uint64_t next; };             /* next: free byte */

static uint64_t block_take(struct maker *m)
{
    uint64_t at = m->next;
    m->next += m->r->block;
    assert(m->next <= SIZE);
    return at;
}

/* An indirect block's entry; makes the block when there is none. */
static uint64_t below(struct maker *m, uint8_t *pointer, unsigned width, bool make)
{
    uint8_t have[8] = { 0 };
    memcpy(have, pointer, width);
    if (!le64_get(have) && make)
        put(pointer, block_take(m) / m->r->unit, width);
    memset(have, 0, 8);
    memcpy(have, pointer, width);
    return le64_get(have) * m->r->unit;
}

static void inode_put(struct maker *m, unsigned number, unsigned mode, const uint8_t *bytes, uint64_t length)
{
    const struct rules *r = m->r;
    uint8_t *inode = m->b + r->table + (uint64_t)(number - r->first) * r->inode, *map = inode + r->map_at;
    unsigned per = r->block / r->indirect;
    put(inode, mode, 2);
    put(inode + r->size_at, length, 4);
    put(inode + r->time_at, YEAR_1996, 4);
    for (uint64_t i = 0; i * r->block < length; i++) {
        uint64_t to;
        if (i % 20 == 19)
            block_take(m);                      /* in pieces */
        if (i < r->direct) {
            to = below(m, map + i * r->pointer, r->pointer, true);
        } else if (i - r->direct < per) {
            uint64_t table = below(m, map + r->direct * r->pointer, r->pointer, true);
            to = below(m, m->b + table + (i - r->direct) * r->indirect, r->indirect, true);
        } else {
            uint64_t k = i - r->direct - per, table = below(m, map + (r->direct + 1) * r->pointer, r->pointer, true);
            table = below(m, m->b + table + k / per * r->indirect, r->indirect, true);
            to = below(m, m->b + table + k % per * r->indirect, r->indirect, true);
        }
        memcpy(m->b + to, bytes + i * r->block, MIN(r->block, length - i * r->block));
    }
}

static size_t entry_put(const struct rules *r, uint8_t *to, unsigned number, const char *name, size_t room)
{
    size_t length = strlen(name), record = r->entry ? r->entry : room ? room : (8 + length + 4) & ~3u;
    put(to, number, r->number);
    if (!r->entry) {
        put(to + 4, record, 2);
        to[r->length_at] = (uint8_t)length;
    }
    memcpy(to + (r->entry ? r->number : 8), name, length);
    return record;
}

static void folder_put(struct maker *m, unsigned number, unsigned parent, const char *const *names, const unsigned *numbers, unsigned count)
{
    uint8_t b[512] = { 0 };
    size_t at = entry_put(m->r, b, number, ".", 0);
    at += entry_put(m->r, b + at, parent, "..", 0);
    for (unsigned i = 0; i < count; i++)
        at += entry_put(m->r, b + at, numbers[i], names[i], i == count - 1 ? 512 - at : 0);
    inode_put(m, number, FOLDER, b, m->r->entry ? at : 512);
}

static void super_put(uint8_t *b, unsigned kind, const struct rules *r)
{
    uint8_t *s = b + 1024;
    if (kind == 0) {                            /* ext2, one group */
        put(s, 64, 4), put(s + 4, SIZE / 1024, 4), put(s + 20, 1, 4), put(s + 32, 8192, 4), put(s + 40, 64, 4), put(s + 48, YEAR_1996, 4);
        put(s + 56, 0xef53, 2);
        put(b + 2048 + 8, 5, 4);
    } else if (kind <= 3) {                     /* Minix */
        static const uint16_t magic[] = { 0, 0x137f, 0x138f, 0x2468 };
        put(s, 64, 2), put(s + 2, SIZE / 1024, 2), put(s + 4, 1, 2), put(s + 6, 1, 2), put(s + 8, 20, 2), put(s + 16, magic[kind], 2);
    } else if (kind == 4) {
        put(s, 64, 4), put(s + 6, 1, 2), put(s + 8, 1, 2), put(s + 10, 20, 2), put(s + 20, SIZE / 4096, 4), put(s + 24, 0x4d5a, 2), put(s + 28, 4096, 2);
    } else if (kind == 5) {                     /* System V, with the mark of SCO's EAFS */
        s = b + 512;
        put(s, 8, 2), put(s + 4, SIZE / 1024, 4), put(s + 420, YEAR_1996, 4), memcpy(s + 440, "root", 4);
        put(s + 0x1f8, 0xfd187e20, 4), put(s + 0x1fc, 0x12, 4);
    } else if (kind == 6) {
        put(s, 12, 2), put(s + 2, SIZE / 512, 4), put(s + 614, YEAR_1996, 4), memcpy(s + 632, "root", 4), put(s + 0x3f8, 0x2b5544, 4), put(s + 0x3fc, 1, 4);
    } else {                                    /* UFS, one group */
        s = b + (kind == 7 ? 8192 : 65536);
        put(s + 16, r->table / r->unit, 4), put(s + 44, 1, 4), put(s + 48, r->block, 4), put(s + 52, r->unit, 4), put(s + 28, 0xffffffff, 4);
        put(s + 184, 64, 4), put(s + 188, SIZE / r->unit, 4), put(s + (kind == 7 ? 32 : 1072), YEAR_1996, 4);
        put(s + 1372, kind == 7 ? 0x11954 : 0x19540119, 4);
    }
}

static void unix_make(uint8_t *b, unsigned kind)
{
    static const char *const names[] = { "SMALL.TXT", "BIG.BIN", "DIR" }, *const inner[] = { "INNER.TXT" };
    const struct rules *r = &rules[kind];
    struct maker m = { b, r, align_up(r->table + 65 * r->inode, r->block) };
    uint8_t *big = pattern(VOLUME_BIG), *in = inner_bytes();
    super_put(b, kind, r);
    folder_put(&m, r->root, r->root, names, (const unsigned[]){ 11, 12, 13 }, 3);
    inode_put(&m, 11, PLAIN, (const uint8_t *)"hello", 5);
    inode_put(&m, 12, PLAIN, big, VOLUME_BIG);
    folder_put(&m, 13, r->root, inner, (const unsigned[]){ 14 }, 1);
    inode_put(&m, 14, PLAIN, in, 777);
    free(big), free(in);
}

/* --- FAT16: 512-byte clusters, 5,952 of them --- */
static void fat_entry(uint8_t *e, const char *name, uint8_t attribute, unsigned cluster, uint32_t size)
{
    memcpy(e, name, 11);
    e[11] = attribute;
    put(e + 24, (1996 - 1980) << 9 | 1 << 5 | 1, 2), put(e + 26, cluster, 2), put(e + 28, size, 4);
}

static void fat_make(uint8_t *b)
{
    uint64_t data = (1 + 2 * 24 + 2) * 512;
    uint8_t *big = pattern(VOLUME_BIG), *in = inner_bytes(), *root = b + 49 * 512, *dir = b + data;
    memcpy(b, "\xeb\x3c\x90MSDOS5.0", 11);
    put(b + 11, 512, 2), b[13] = 1, put(b + 14, 1, 2), b[16] = 2, put(b + 17, 32, 2), put(b + 19, SIZE / 512, 2), b[21] = 0xf8, put(b + 22, 24, 2);
    put(b + 24, 63, 2), put(b + 26, 16, 2), put(b + 510, 0xaa55, 2);
    put(b + 512, 0xfffffff8, 4);
    fat_entry(root, "OLD VOLUME ", 8, 0, 0), fat_entry(root + 32, "SMALL   TXT", 32, 3, 5), fat_entry(root + 64, "BIG     BIN", 32, 10, VOLUME_BIG);
    fat_entry(root + 96, "DIR        ", 16, 2, 0), fat_entry(dir, ".          ", 16, 2, 0), fat_entry(dir + 32, "INNER   TXT", 32, 4, 777);
    memcpy(b + data + 512, "hello", 5), memcpy(b + data + 1024, in, 777);
    put(b + 512 + 4, 0xffff, 2), put(b + 512 + 6, 0xffff, 2), put(b + 512 + 8, 5, 2), put(b + 512 + 10, 0xffff, 2);
    unsigned cluster = 10;
    for (size_t at = 0; at < VOLUME_BIG; at += 512) {
        unsigned next = cluster + (at / 512 % 5 == 4 ? 3 : 1);
        memcpy(b + data + (cluster - 2) * 512, big + at, MIN(512, VOLUME_BIG - at));
        put(b + 512 + cluster * 2, at + 512 < VOLUME_BIG ? next : 0xffff, 2);
        cluster = next;
    }
    free(big), free(in);
}

/* --- HPFS --- */
static size_t dirent_put(uint8_t *e, unsigned flags, unsigned attribute, unsigned fnode, uint32_t size, const char *name)
{
    size_t length = align_up(31 + strlen(name), 4);
    put(e, length, 2), e[2] = (uint8_t)flags, e[3] = (uint8_t)attribute, put(e + 4, fnode, 4), put(e + 8, YEAR_1996, 4), put(e + 12, size, 4);
    e[30] = (uint8_t)strlen(name), memcpy(e + 31, name, strlen(name));
    return length;
}

static uint8_t *fnode_put(uint8_t *b, unsigned sector, bool folder, uint32_t size, unsigned data)
{
    uint8_t *f = b + sector * 512;
    put(f, 0xf7e40aae, 4), f[55] = folder, f[61] = 1, put(f + 160, size, 4);
    put(f + 64, 0, 4), put(f + 68, folder ? 0 : (size + 511) / 512, 4), put(f + 72, data, 4);
    return f;
}

static void hpfs_make(uint8_t *b)
{
    uint8_t *big = pattern(VOLUME_BIG), *in = inner_bytes(), *s = b + 16 * 512, *d = b + 24 * 512, *f, *a = b + 50 * 512;
    memcpy(b, "\xeb\x3c\x90IBM 20.0", 11), b[38] = 0x28, memcpy(b + 43, "OLD OS2    ", 11);
    put(s, 0xf995e849, 4), put(s + 4, 0xfa53e9c5, 4), put(s + 12, 20, 4), put(s + 16, SIZE / 512, 4);
    fnode_put(b, 20, true, 0, 24), fnode_put(b, 40, false, 5, 60), fnode_put(b, 42, true, 0, 28), fnode_put(b, 43, false, 777, 62);
    put(d, 0x77e40aae, 4);                      /* the root's dnode, with one below its last entry */
    d += 20, d += dirent_put(d, 1, 0, 0, 0, "\1\1"), d += dirent_put(d, 0, 0x20, 41, VOLUME_BIG, "BIG.BIN");
    d += dirent_put(d, 0, 0x10, 42, 0, "DIR");
    put(d, 36, 2), d[2] = 8 | 4, d[30] = 1, d[31] = 0xff, put(d + 32, 32, 4);
    d = b + 32 * 512, put(d, 0x77e40aae, 4), d += 20, d += dirent_put(d, 0, 0x20, 40, 5, "SMALL.TXT"), dirent_put(d, 8, 0, 0, 0, "\377");
    d = b + 28 * 512, put(d, 0x77e40aae, 4), d += 20, d += dirent_put(d, 1, 0, 0, 0, "\1\1"), d += dirent_put(d, 0, 0x20, 43, 777, "INNER.TXT");
    dirent_put(d, 8, 0, 0, 0, "\377");
    memcpy(b + 60 * 512, "hello", 5), memcpy(b + 62 * 512, in, 777);
    f = fnode_put(b, 41, false, VOLUME_BIG, 0);
    f[56] = 0x80, f[61] = 1, put(f + 64, 0xffffffff, 4), put(f + 68, 50, 4);
    put(a, 0x37e40aae, 4), a[12 + 5] = 3;       /* three extents */
    for (unsigned i = 0; i < 3; i++) {
        unsigned first = i * 500, count = i < 2 ? 500 : (VOLUME_BIG + 511) / 512 - 1000, at = 100 + i * 600;
        put(a + 20 + i * 12, first, 4), put(a + 24 + i * 12, count, 4), put(a + 28 + i * 12, at, 4);
        memcpy(b + at * 512, big + first * 512, MIN(count * 512u, VOLUME_BIG - first * 512u));
    }
    free(big), free(in);
}

/* --- NTFS: clusters of 512 bytes, records of 1 KiB at cluster 16 --- */
static uint8_t *record_begin(uint8_t *b, unsigned number, unsigned flags)
{
    uint8_t *r = b + 16 * 512 + number * 1024;
    memcpy(r, "FILE", 4), put(r + 4, 48, 2), put(r + 6, 3, 2), put(r + 20, 56, 2), put(r + 22, 1 | flags, 2), put(r + 28, 1024, 4);
    return r + 56;
}

static uint8_t *resident(uint8_t *a, unsigned type, const char *name, const void *bytes, unsigned length)
{
    unsigned names = (unsigned)strlen(name), at = 24 + (unsigned)align_up(names * 2, 8), all = (unsigned)align_up(at + length, 8);
    put(a, type, 4), put(a + 4, all, 4), a[9] = (uint8_t)names, put(a + 10, 24, 2), put(a + 16, length, 4), put(a + 20, at, 2);
    for (unsigned i = 0; i < names; i++)
        a[24 + i * 2] = (uint8_t)name[i];
    memcpy(a + at, bytes, length);
    put(a + all, 0xffffffff, 4);
    return a + all;
}

static uint8_t *outside(uint8_t *a, unsigned type, uint64_t clusters, uint64_t size, const uint8_t *runs, unsigned length, unsigned unit)
{
    unsigned all = (unsigned)align_up(72 + length, 8);
    put(a, type, 4), put(a + 4, all, 4), a[8] = 1, put(a + 12, unit ? 1 : 0, 2), put(a + 24, clusters - 1, 8), put(a + 32, 72, 2), put(a + 34, unit, 2);
    put(a + 40, clusters * 512, 8), put(a + 48, size, 8), put(a + 56, size, 8), memcpy(a + 72, runs, length);
    put(a + all, 0xffffffff, 4);
    return a + all;
}

static size_t index_entry(uint8_t *e, unsigned record, bool folder, uint32_t size, const char *name)
{
    size_t n = strlen(name), key = 66 + n * 2, all = align_up(16 + key, 8);
    put(e, record | 1ull << 48, 8), put(e + 8, all, 2), put(e + 10, key, 2), put(e + 16, 5 | 5ull << 48, 8);
    put(e + 16 + 48, size, 8), put(e + 16 + 56, folder ? 0x10000000 : 0x20, 4), e[16 + 64] = (uint8_t)n, e[16 + 65] = 3;
    for (size_t i = 0; i < n; i++)
        e[16 + 66 + i * 2] = (uint8_t)name[i];
    return all;
}

static void index_put(uint8_t *a, const char *const *names, const unsigned *records, unsigned count)
{
    uint8_t root[512] = { 0 };
    size_t at = 32;
    put(root, 0x30, 4), put(root + 4, 1, 4), put(root + 8, 4096, 4), root[12] = 8, put(root + 16, 16, 4);
    for (unsigned i = 0; i < count; i++)
        at += index_entry(root + at, records[i], !strcmp(names[i], "DIR"), 0, names[i]);
    put(root + at + 8, 16, 2), put(root + at + 12, 2, 2), at += 16;
    put(root + 20, at - 16, 4), put(root + 24, at - 16, 4);
    resident(a, 0x90, "$I30", root, (unsigned)at);
}

static void ntfs_make(uint8_t *b)
{
    static const char *const names[] = { "BIG.BIN", "DIR", "PACKED.TXT", "SMALL.TXT" }, *const inner[] = { "INNER.TXT" };
    static const uint8_t mft[] = { 0x11, 64, 16, 0 }, big_runs[] = { 0x22, 0xe8, 0x03, 0x00, 0x02, 0x22, 0x70, 0x01, 0x00, 0x08, 0 };
    static const uint8_t packed[] = { 0x11, 1, 120, 0x01, 15, 0 };       /* a cluster, and fifteen that compression saved */
    uint8_t *big = pattern(VOLUME_BIG), *in = inner_bytes(), standard[48] = { 0 }, *p = b + 120 * 512;
    uint64_t ticks = (11644473600ull + YEAR_1996) * 10000000;
    memcpy(b, "\xeb\x52\x90NTFS    ", 11), put(b + 11, 512, 2), b[13] = 1, b[21] = 0xf8, put(b + 24, 63, 2), put(b + 26, 255, 2), put(b + 40, SIZE / 512 - 1, 8);
    put(b + 48, 16, 8), put(b + 56, 16, 8), b[64] = 2, b[68] = 8, put(b + 510, 0xaa55, 2);
    put(standard, ticks, 8), put(standard + 8, ticks, 8);
    outside(record_begin(b, 0, 0), 0x80, 64, 32 * 1024, mft, sizeof(mft), 0);
    resident(resident(record_begin(b, 3, 0), 0x60, "", "O\0L\0D\0", 6), 0x70, "", "\0\0\0\0\0\0\0\0\1\2\0\0", 12);
    index_put(record_begin(b, 5, 2), names, (const unsigned[]){ 25, 26, 28, 24 }, 4);
    resident(resident(record_begin(b, 24, 0), 0x10, "", standard, 48), 0x80, "", "hello", 5);
    outside(resident(record_begin(b, 25, 0), 0x10, "", standard, 48), 0x80, 1368, VOLUME_BIG, big_runs, sizeof(big_runs), 0);
    index_put(record_begin(b, 26, 2), inner, (const unsigned[]){ 27 }, 1);
    resident(record_begin(b, 27, 0), 0x80, "", in, 777);
    outside(record_begin(b, 28, 0), 0x80, 16, 4096, packed, sizeof(packed), 4);
    put(p, 0xb000 | (1 + 1 + 2 - 1), 2), p[2] = 0x02, p[3] = 'a', put(p + 4, 4092, 2);    /* "a", then 4,095 times what is one back */
    memcpy(b + 512 * 512, big, 1000 * 512), memcpy(b + (512 + 2048) * 512, big + 1000 * 512, VOLUME_BIG - 1000 * 512);
    for (unsigned i = 0; i < 32; i++) {
        uint8_t *r = b + 16 * 512 + i * 1024;
        if (!memcmp(r, "FILE", 4))
            for (unsigned k = 0; k < 2; k++)    /* the last two bytes of each sector stand in the header */
                put(r + 48, 0x0101, 2), memcpy(r + 50 + k * 2, r + 510 + k * 512, 2), put(r + 510 + k * 512, 0x0101, 2);
    }
    free(big), free(in);
}

struct block *volume_make(unsigned kind)
{
    struct error err;
    struct block *disk = block_open_memory(SIZE, &err);
    uint8_t *b = calloc(1, SIZE + 65536);
    if (kind < ARRAY_SIZE(rules))
        unix_make(b, kind);
    else
        (kind == 9 ? fat_make : kind == 10 ? hpfs_make : ntfs_make)(b);
    if (block_write(disk, 0, b, SIZE))
        abort();
    free(b);
    return disk;
}
