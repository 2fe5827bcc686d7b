/* Partition tables, good and bad; geometry. */
#include "importers/disk/trees.h"
#include "base/bits.h"
#include <criterion/criterion.h>
#include "tests/support/files.h"
#include "tests/support/volume_make.h"
#include <stdio.h>
#include <stdlib.h>
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

static void bytes_put(struct block *disk, uint64_t at, const void *bytes, size_t length)
{
    cr_assert_eq(block_write(disk, at, bytes, length), 0);
}

static const struct partition *named(const struct partition_table *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->list[i].name, name))
            return &t->list[i];
    cr_assert_fail("no partition %s", name);
    return NULL;
}

/* A volume of our own writers, at a sector of the disk. */
static void volume_put(struct block *disk, uint64_t sector, const char *kind)
{
    for (unsigned i = 0; i < VOLUME_KINDS; i++)
        if (!strcmp(volume_kinds[i], kind)) {
            struct block *v = volume_make(i);
            uint8_t *b = malloc(v->size);
            cr_assert_eq(block_read(v, 0, b, v->size), 0);
            bytes_put(disk, sector * 512, b, v->size);
            free(b);
            block_close(v);
            return;
        }
    cr_assert_fail("no kind %s", kind);
}

/* Disklabels as NetBSD writes them (sectors of the disk) and as FreeBSD does (of the slice), and on a disk without an MBR. */
Test(partitions, disklabels)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        struct partition_table t;
        struct block *d = disk_new(60000);
        uint64_t slice = kind == 2 ? 0 : 2000;
        uint32_t shift = kind == 0 ? 2000 : 0;
        uint8_t s[512] = { 0 };
        static const struct { uint32_t size, start; uint8_t type; } parts[] = { { 7000, 100, 7 }, { 2000, 8000, 1 }, { 50000, 0, 0 }, { 7000, 12000, 7 },
                                                                                { 10, 70000, 7 } };
        le32_put(s, 0x82564557), le32_put(s + 132, 0x82564557), le16_put(s + 138, 5);
        for (unsigned i = 0; i < 5; i++)
            le32_put(s + 148 + i * 16, parts[i].size), le32_put(s + 152 + i * 16, parts[i].start + shift), s[160 + i * 16] = parts[i].type;
        if (slice)
            entry_put(d, 0, 0, kind ? 0xa5 : 0xa9, 0, 2000, 50000);
        bytes_put(d, (slice + 1) * 512, s, 512);
        volume_put(d, slice + 100, "ufs1");
        volume_put(d, slice + 12000, "ufs2");
        partitions_read(d, &t);
        cr_assert_eq(t.kind, slice ? TABLE_MBR : TABLE_BSD);
        const struct partition *a = named(&t, slice ? "1a" : "a");
        cr_assert(a->start == slice + 100 && a->sectors == 7000 && !strcmp(a->fs, "ufs") && !strcmp(a->scheme, "bsd") && a->number >= 5, "%s", a->fs);
        cr_assert_str_eq(named(&t, slice ? "1d" : "d")->fs, "ufs2");
        cr_assert(found(&t, "lies outside it") && t.count == 3 + (slice > 0), "%zu", t.count);
        block_close(d);
    }
}

Test(partitions, vtoc_unixware_minix)
{
    struct partition_table t;
    struct block *d = disk_new(60000);
    uint8_t s[512] = { 0 };
    entry_put(d, 0, 0, 0x82, 0, 1000, 10000), entry_put(d, 0, 1, 0x63, 0, 11000, 10000), entry_put(d, 0, 2, 0x81, 0, 21000, 10000);
    entry_put(d, 0, 3, 0x02, 0, 31000, 29000);
    le32_put(s + 12, 0x600ddeee), le32_put(s + 16, 1), le16_put(s + 30, 16);
    le16_put(s + 72, 2), le32_put(s + 76, 300), le32_put(s + 80, 7000);         /* root, counted from the partition */
    le16_put(s + 72 + 24, 5), le32_put(s + 76 + 24, 0), le32_put(s + 80 + 24, 10000);
    bytes_put(d, 1001 * 512, s, 512);
    volume_put(d, 1300, "ufs1");
    memset(s, 0, sizeof(s));
    le32_put(s + 4, 0xca5e600d), le32_put(s + 120, 0x600ddeee), le16_put(s + 136, 16);
    le16_put(s + 180, 5), le32_put(s + 184, 11000), le32_put(s + 188, 10000);
    le16_put(s + 192, 2), le32_put(s + 196, 12000), le32_put(s + 200, 7000);    /* counted from the disk */
    bytes_put(d, (11000 + 29) * 512, s, 512);
    volume_put(d, 12000, "sysv");
    entry_put(d, 21000, 0, 0x81, 0, 22000, 7000);
    volume_put(d, 22000, "minix2");
    volume_put(d, 33000, "xenix");              /* divisions have no table that we know: what begins like a file system is one */
    volume_put(d, 45000, "sysv");
    partitions_read(d, &t);
    cr_assert(named(&t, "1s0")->start == 1300 && !strcmp(named(&t, "1s0")->fs, "ufs"));
    cr_assert(named(&t, "2s1")->start == 12000 && !strcmp(named(&t, "2s1")->fs, "sysv"));
    cr_assert(named(&t, "3s0")->start == 22000 && !strcmp(named(&t, "3s0")->fs, "minix"));
    cr_assert(named(&t, "4d0")->start == 33000 && !strcmp(named(&t, "4d0")->fs, "xenix") && !strcmp(named(&t, "4d0")->label, "root"));
    cr_assert(named(&t, "4d1")->start == 45000 && !t.damaged);
    block_close(d);
}

/* The text as LVM2's tools write it; the second volume is in two pieces. */
Test(partitions, lvm)
{
    static const char text[] = "old {\n\tid = \"x\"\n\tseqno = 3\n\textent_size = 64\t# 32 Kilobytes\n\tphysical_volumes {\n\n\t\tpv0 {\n"
        "\t\t\tid = \"abcdef-0123-4567-89ab-cdef-0123-456789\"\n\t\t\tdevice = \"/dev/hda2\"\n\t\t\tpe_start = 384\n\t\t}\n"
        "\t\tpv1 {\n\t\t\tid = \"zbcdef-0123-4567-89ab-cdef-0123-456789\"\n\t\t\tpe_start = 500\n\t\t}\n\t}\n\n\tlogical_volumes {\n"
        "\t\troot {\n\t\t\tid = \"y\"\n\t\t\tsegment1 {\n\t\t\t\tstart_extent = 0\n\t\t\t\textent_count = 100\n\t\t\t\ttype = \"striped\"\n"
        "\t\t\t\tstripe_count = 1\t# linear\n\n\t\t\t\tstripes = [\n\t\t\t\t\t\"pv0\", 10\n\t\t\t\t]\n\t\t\t}\n\t\t}\n"
        "\t\thome {\n\t\t\tsegment1 {\n\t\t\t\textent_count = 1\n\t\t\t\ttype = \"striped\"\n\t\t\t\tstripe_count = 1\n\t\t\t\tstripes = [\n\t\t\t\t\t\"pv0\", 0\n"
        "\t\t\t\t]\n\t\t\t}\n\t\t\tsegment2 {\n\t\t\t\textent_count = 1\n\t\t\t\ttype = \"striped\"\n\t\t\t}\n\t\t}\n"
        "\t\tfar {\n\t\t\tsegment1 {\n\t\t\t\textent_count = 1\n\t\t\t\ttype = \"striped\"\n\t\t\t\tstripe_count = 1\n\t\t\t\tstripes = [\n\t\t\t\t\t\"pv1\", 0\n"
        "\t\t\t\t]\n\t\t\t}\n\t\t}\n\t}\n}\n";
    struct partition_table t;
    struct block *d = disk_new(30000);
    uint8_t s[512] = { 0 };
    entry_put(d, 0, 0, 0x8e, 0, 63, 29000);
    memcpy(s, "LABELONE", 8), le32_put(s + 20, 32), memcpy(s + 24, "LVM2 001", 8), memcpy(s + 32, "abcdef0123456789abcdef0123456789", 32);
    le64_put(s + 72, 196608);                   /* data area, its end; text area */
    le64_put(s + 104, 4096), le64_put(s + 112, 192512);
    bytes_put(d, 64 * 512, s, 512);
    memset(s, 0, sizeof(s));
    memcpy(s + 4, " LVM2 x[5A%r0N*>", 16), le32_put(s + 20, 1), le64_put(s + 24, 4096), le64_put(s + 32, 192512);
    le64_put(s + 40, 192512 - 512), le64_put(s + 48, sizeof(text));             /* goes on at the ring's start */
    bytes_put(d, 63 * 512 + 4096, s, 512);
    bytes_put(d, 63 * 512 + 4096 + 192512 - 512, text, 512);
    bytes_put(d, 63 * 512 + 4096 + 512, text + 512, sizeof(text) - 512);
    volume_put(d, 63 + 384 + 640, "ext2");
    partitions_read(d, &t);
    const struct partition *root = named(&t, "old/root");
    cr_assert(root->start == 63 + 384 + 640 && root->sectors == 6400 && !strcmp(root->fs, "ext2") && !strcmp(root->scheme, "lvm"));
    cr_assert(t.count == 2 && found(&t, "old/home is in several pieces") && found(&t, "old/far lies on another disk"));
    block_close(d);
}

Test(partitions, gpt)
{
    struct partition_table t;
    struct error err;
    uint8_t zero[512] = { 0 };
    char *image = test_path(test_folder(), "gpt");
    if (!test_program("sgdisk"))
        TEST_SKIP("partitions/gpt", "sgdisk is not installed");
    cr_assert_eq(test_run("truncate -s 20M '%s' && sgdisk -n 1:2048:20000 -t 1:8300 -n 2:20480:30000 -t 2:0700 '%s'", image, image), 0);
    for (unsigned damage = 0; damage < 3; damage++) {
        struct block *d = block_open_raw(image, 0, &err);
        if (damage)
            bytes_put(d, damage == 1 ? 512 : d->size - 512, zero, 512);
        partitions_read(d, &t);
        cr_assert_eq(t.kind, TABLE_GPT);
        cr_assert_eq(t.damaged, damage == 2);
        cr_assert(damage == 2 ? found(&t, "so is its copy") : t.count == 2 && t.list[0].start == 2048 && t.list[1].sectors == 9521, "%zu", t.count);
        cr_assert(damage == 2 || (t.list[0].type == 0x83 && t.list[1].type == 7 && t.list[1].number == 2));
        cr_assert_eq(found(&t, "its copy at the end is used"), damage == 1);
        block_close(d);
    }
}

/* EZ-Drive's table is in the second sector; OnTrack's counts from sector 63. */
Test(partitions, overlays)
{
    for (unsigned ontrack = 0; ontrack < 2; ontrack++) {
        struct partition_table t;
        struct block *d = disk_new(20000);
        entry_put(d, 0, 0, ontrack ? 0x54 : 0x55, 0, 1, 19999);
        entry_put(d, ontrack ? 63 : 1, 0, 0x06, 0, 63, 8000);
        volume_put(d, ontrack ? 126 : 63, "fat16");
        partitions_read(d, &t);
        cr_assert(t.count == 1 && t.list[0].type == 6 && !strcmp(t.list[0].fs, "fat16") && found(&t, "was used through"));
        block_close(d);
    }
}

/* OS/2 and old Linux write the link first; a link without a partition is skipped; FreeDOS hides whole chains. */
Test(partitions, odd_chains)
{
    struct partition_table t;
    struct block *d = disk_new(20000);
    entry_put(d, 0, 0, 0x1f, 0, 1000, 9000);
    entry_put(d, 1000, 0, 0x05, 1000, 2000, 1000);
    entry_put(d, 3000, 0, 0x05, 1000, 4000, 1000);
    entry_put(d, 3000, 1, 0x16, 3000, 10, 500);
    entry_put(d, 5000, 0, 0x07, 5000, 10, 500);
    partitions_read(d, &t);
    cr_assert(!t.damaged && t.count == 3, "%zu", t.count);
    cr_assert(t.list[1].number == 5 && t.list[1].start == 3010 && t.list[2].number == 6 && t.list[2].start == 5010);
    cr_assert_str_eq(partition_type_name(t.list[1].type), "hidden FAT16");
    block_close(d);
}

/* Partitions that end anywhere, under a translation of 128 heads; one entry of another system's geometry. */
Test(partitions, geometry_by_most_addresses)
{
    struct partition_table t;
    struct import_geometry g;
    struct block *d = disk_new(3000000);
    static const uint32_t ends[] = { 63, 700001, 1400000, 2100000 };
    uint8_t s[512] = { 0 };
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *e = s + 446 + i * 16;
        chs_put(e + 1, ends[i], i == 2 ? 16 : 128, 63), chs_put(e + 5, ends[i + 1] - 1, 128, 63);
        e[4] = 0x83, le32_put(e + 8, ends[i]), le32_put(e + 12, ends[i + 1] - ends[i]);
    }
    le16_put(s + 510, 0xaa55);
    bytes_put(d, 0, s, 512);
    partitions_read(d, &t);
    geometry_find(d, &t, &g);
    cr_assert(g.heads == 128 && g.sectors == 63 && strstr(g.reason, "5 of the"), "%u/%u %s", g.heads, g.sectors, g.reason);
    block_close(d);
}

/* A floppy of DOS 1: no BPB, its shape is in the first byte of the FAT. */
Test(partitions, floppy_without_bpb)
{
    struct partition_table t;
    struct block *d = disk_new(320);
    uint8_t root[64] = "COMMAND COM", fat[6] = { 0xfe, 0xff, 0xff, 0xff, 0x0f, 0 };
    root[26] = 2, root[28] = 5;
    bytes_put(d, 512, fat, 6), bytes_put(d, 1024, fat, 6), bytes_put(d, 1536, root, 32), bytes_put(d, 3584, "hello", 5);
    partitions_read(d, &t);
    struct volume v;
    struct tree tree;
    cr_assert(t.kind == TABLE_VOLUME && !strcmp(t.list[0].fs, "fat12"));
    cr_assert(volume_tree(d, 0, d->size, &v, &tree));
    char *text = tree.read(tree.at, "command.com");
    cr_assert(text && !strcmp(text, "hello"), "%s", text);
    free(text);
    volume_close(&v);
    block_close(d);
}

/* One entry of garbage beside a good one; and a table of zeros. */
Test(partitions, damaged_table)
{
    struct partition_table t;
    struct block *d = disk_new(20000);
    uint8_t s[512], zero[512] = { 0 };
    entry_put(d, 0, 0, 0x06, 0, 63, 8000);
    volume_put(d, 63, "fat16");
    cr_assert_eq(block_read(d, 0, s, 512), 0);
    memset(s + 462, 0x5a, 16);
    bytes_put(d, 0, s, 512);
    partitions_read(d, &t);
    cr_assert(t.kind == TABLE_MBR && t.damaged && t.count == 1 && !strcmp(t.list[0].fs, "fat16") && found(&t, "entry 2 of the partition table"));
    bytes_put(d, 0, zero, 512);
    partitions_read(d, &t);
    cr_assert(t.kind == TABLE_NONE && t.count == 1 && t.list[0].start == 63 && !strcmp(t.list[0].label, "OLD VOLUME"));
    cr_assert(found(&t, "no partition table") && found(&t, "a volume (fat16) was found at sector 63"));
    block_close(d);
}
