/* Partition tables, good and bad; geometry. */
#include "importers/disk/partitions.h"
#include "base/bits.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct block *disk_new(uint64_t sectors)
{
    struct error err;
    return block_open_memory(sectors * 512, &err);
}

static void chs_put(uint8_t *p, uint64_t lba, unsigned heads, unsigned sectors)
{
    uint64_t cylinder = lba / (heads * sectors), head = lba / sectors % heads;
    if (cylinder > 1023)
        cylinder = 1023, head = heads - 1, lba = sectors - 1;
    p[0] = (uint8_t)head;
    p[1] = (uint8_t)(lba % sectors + 1) | (uint8_t)(cylinder >> 2 & 0xc0);
    p[2] = (uint8_t)cylinder;
}

/* One entry of the table at sector `table`; start counts from `base`; geometry 16/63. */
static void entry_put(struct block *disk, uint64_t table, unsigned entry, uint8_t type, uint64_t base, uint32_t start, uint32_t sectors)
{
    uint8_t s[512];
    cr_assert_eq(block_read(disk, table * 512, s, 512), 0);
    uint8_t *e = s + 446 + entry * 16;
    chs_put(e + 1, base + start, 16, 63);
    chs_put(e + 5, base + start + sectors - 1, 16, 63);
    e[4] = type;
    le32_put(e + 8, start);
    le32_put(e + 12, sectors);
    le16_put(s + 510, 0xaa55);
    cr_assert_eq(block_write(disk, table * 512, s, 512), 0);
}

static bool found(const struct partition_table *t, const char *words)
{
    for (size_t i = 0; i < t->finding_count; i++)
        if (strstr(t->findings[i], words))
            return true;
    return false;
}

Test(partitions, primary_and_logical)
{
    struct partition_table t;
    struct import_geometry g;
    struct block *d = disk_new(1008 * 500);
    entry_put(d, 0, 0, 0x06, 0, 63, 1008 * 100 - 63);
    entry_put(d, 0, 1, 0x05, 0, 1008 * 100, 1008 * 400);
    entry_put(d, 1008 * 100, 0, 0x83, 1008 * 100, 63, 1008 * 200 - 63);
    entry_put(d, 1008 * 100, 1, 0x05, 1008 * 100, 1008 * 200, 1008 * 200);
    entry_put(d, 1008 * 300, 0, 0x82, 1008 * 300, 63, 1008 * 200 - 63);
    partitions_read(d, &t);
    cr_assert_eq(t.kind, TABLE_MBR);
    cr_assert(!t.damaged && !t.finding_count, "%s", t.findings[0]);
    cr_assert_eq(t.count, 4);
    cr_assert(t.list[2].number == 5 && t.list[2].start == 1008 * 100 + 63);
    cr_assert(t.list[3].number == 6 && t.list[3].start == 1008 * 300 + 63 && t.list[3].type == 0x82);
    geometry_find(d, &t, &g);
    cr_assert(g.cylinders == 500 && g.heads == 16 && g.sectors == 63, "%u/%u/%u %s", g.cylinders, g.heads, g.sectors, g.reason);
    block_close(d);
}

Test(partitions, loops_end)
{
    struct partition_table t;
    struct block *d = disk_new(10000);
    entry_put(d, 0, 0, 0x05, 0, 1000, 9000);
    entry_put(d, 1000, 0, 0x83, 1000, 10, 100);
    entry_put(d, 1000, 1, 0x05, 1000, 2000, 1000);
    entry_put(d, 3000, 0, 0x83, 3000, 10, 100);
    entry_put(d, 3000, 1, 0x05, 1000, 0, 1000);         /* back to the first */
    partitions_read(d, &t);
    cr_assert(t.damaged && found(&t, "would never end"));
    cr_assert_eq(t.count, 3);
    block_close(d);
}

Test(partitions, longest_chain)
{
    struct partition_table t;
    struct block *d = disk_new(100000);
    entry_put(d, 0, 0, 0x0f, 0, 1000, 90000);
    for (uint32_t i = 0; i < 80; i++) {
        entry_put(d, 1000 + i * 100, 0, 0x83, 1000 + i * 100, 10, 20);
        entry_put(d, 1000 + i * 100, 1, 0x05, 1000, (i + 1) * 100, 100);
    }
    partitions_read(d, &t);
    cr_assert(t.damaged && found(&t, "more than 60 links"));
    cr_assert_leq(t.count, PARTITIONS_MOST);
    block_close(d);
}

Test(partitions, cut_short)
{
    struct partition_table t;
    struct block *d = disk_new(5000);
    entry_put(d, 0, 0, 0x06, 0, 63, 100000);
    entry_put(d, 0, 1, 0x05, 0, 200000, 100000);
    partitions_read(d, &t);
    cr_assert(t.damaged && found(&t, "goes beyond the end of the disk (5000 sectors)"));
    cr_assert(found(&t, "lies beyond the end"));
    block_close(d);
}

Test(partitions, overlap_and_outside)
{
    struct partition_table t;
    struct block *d = disk_new(50000);
    entry_put(d, 0, 0, 0x06, 0, 63, 1000);
    entry_put(d, 0, 1, 0x06, 0, 500, 1000);
    entry_put(d, 0, 2, 0x05, 0, 10000, 1000);
    entry_put(d, 10000, 1, 0x05, 10000, 20000, 100);
    partitions_read(d, &t);
    cr_assert(t.damaged && found(&t, "partitions 1 and 2 overlap") && found(&t, "outside the extended partition"));
    block_close(d);
}

Test(partitions, gpt_empty_and_garbage)
{
    struct partition_table t;
    struct block *d = disk_new(5000);
    partitions_read(d, &t);
    cr_assert(t.kind == TABLE_NONE && !t.damaged && found(&t, "no partition table"));
    entry_put(d, 0, 0, 0xee, 0, 1, 4999);
    partitions_read(d, &t);
    cr_assert(t.kind == TABLE_GPT && found(&t, "GPT"));
    block_close(d);
    struct error err;
    uint8_t bytes[100];
    d = block_open_memory(100, &err);
    partitions_read(d, &t);
    cr_assert(t.damaged && found(&t, "shorter than one sector"));
    geometry_find(d, &t, &(struct import_geometry){ 0 });
    cr_assert_eq(block_read(d, 0, bytes, 100), 0);
    block_close(d);
    for (uint64_t seed = 1; seed < 300; seed++) {       /* noise with a signature */
        uint8_t s[512];
        uint64_t x = seed;
        d = disk_new(3000);
        for (unsigned n = 0; n < 200; n++) {
            for (unsigned i = 0; i < 512; i++)
                s[i] = (uint8_t)((x = x * 6364136223846793005ull + 1) >> 56) & (i % 16 == 14 ? 0x80 : 0x1f);
            le16_put(s + 510, 0xaa55);
            cr_assert_eq(block_write(d, (x >> 40) % 3000 * 512, s, 512), 0);
            if (!n)
                cr_assert_eq(block_write(d, 0, s, 512), 0);
        }
        struct import_geometry g;
        partitions_read(d, &t);
        geometry_find(d, &t, &g);
        block_close(d);
    }
}

/* A partition beyond cylinder 1023: its end proves nothing, its start does. */
Test(partitions, geometry_of_a_large_disk)
{
    struct partition_table t;
    struct import_geometry g;
    struct block *d = disk_new(20000000);
    uint8_t s[512] = { 0 };
    uint8_t *e = s + 446;
    chs_put(e + 1, 63, 255, 63);
    chs_put(e + 5, 19000000, 255, 63);
    e[4] = 7;
    le32_put(e + 8, 63);
    le32_put(e + 12, 19000000 - 63);
    le16_put(s + 510, 0xaa55);
    cr_assert_eq(block_write(d, 0, s, 512), 0);
    partitions_read(d, &t);
    geometry_find(d, &t, &g);
    cr_assert(g.heads == 255 && g.sectors == 63 && g.cylinders == 20000000 / 255 / 63, "%u/%u/%u", g.cylinders, g.heads, g.sectors);
    memset(e + 1, 0, 3), memset(e + 5, 0, 3);
    cr_assert_eq(block_write(d, 0, s, 512), 0);
    partitions_read(d, &t);
    geometry_find(d, &t, &g);
    cr_assert(!g.heads && strstr(g.reason, "firmware chooses"), "%s", g.reason);
    block_close(d);
}
