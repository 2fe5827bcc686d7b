/* Our readers of foreign file systems against what the host's own tools put there. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include "tests/support/files.h"
#include "tests/support/volume_make.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct { const char *name; size_t length; } samples[] = {
    { "EMPTY.TXT", 0 }, { "CONFIG.SYS", 5 }, { "SECTOR.BIN", 513 }, { "MIDDLE.BIN", 70000 }, { "LARGE.BIN", 900001 },
    { "A rather long name, with text.document", 4097 },
    { "WINDOWS/SYSTEM.DAT", 40000 }, { "WINDOWS/DEEP/DEEPER/LAST.INI", 777 },
};

static uint8_t byte_of(size_t file, size_t at)
{
    return (uint8_t)((at * 2654435761u >> 13) + at / 512 + file * 31);
}

static void samples_write(const char *folder)
{
    cr_assert_eq(test_run("mkdir -p '%s/WINDOWS/DEEP/DEEPER' '%s/WINDOWS/many'", folder, folder), 0);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        uint8_t *bytes = malloc(samples[i].length + 1);
        for (size_t n = 0; n < samples[i].length; n++)
            bytes[n] = byte_of(i, n);
        test_write(test_path(folder, samples[i].name), bytes, samples[i].length);
        free(bytes);
    }
    for (unsigned i = 0; i < 150; i++) {
        char name[64];
        snprintf(name, sizeof(name), "WINDOWS/many/file number %u", i);
        test_write(test_path(folder, name), "x", 1);
    }
}

struct count { unsigned files, folders; const char *seek; uint64_t size; unsigned year; };

static void count_each(void *arg, const struct tree_entry *e)
{
    struct count *c = arg;
    *(e->folder ? &c->folders : &c->files) += 1;
    if (c->seek && !strcmp(e->name, c->seek))
        c->size = e->size, c->year = e->day / 10000;
}

/* Every sample read whole, in odd parts, and beyond its end. */
static void samples_check(struct tree *t, size_t from)
{
    for (size_t i = from; i < ARRAY_SIZE(samples); i++) {
        size_t length = samples[i].length + 10, got = length;
        uint8_t *bytes = malloc(length);
        cr_assert(t->read_part(t->at, samples[i].name, 0, bytes, &got), "%s", samples[i].name);
        cr_assert_eq(got, samples[i].length, "%s: %zu", samples[i].name, got);
        for (size_t n = 0; n < got; n++)
            cr_assert_eq(bytes[n], byte_of(i, n), "%s at %zu", samples[i].name, n);
        for (size_t at = samples[i].length; at > 0; at -= MIN(at, 99991u)) {
            size_t begin = at - MIN(at, 99991u);
            got = 300;
            cr_assert(t->read_part(t->at, samples[i].name, begin, bytes, &got));
            cr_assert_eq(got, MIN(300u, samples[i].length - begin));
            for (size_t n = 0; n < got; n++)
                cr_assert_eq(bytes[n], byte_of(i, begin + n));
        }
        char *text = t->read(t->at, samples[i].name);
        cr_assert(text && text[MIN(samples[i].length, (size_t)TREE_FILE_MOST)] == 0);
        free(text);
        got = 10;
        cr_assert(t->read_part(t->at, samples[i].name, samples[i].length + 5, bytes, &got) && !got);
        free(bytes);
    }
}

static struct block *image_open(const char *path, uint64_t at, struct volume *v, struct tree *t, const char *fs)
{
    struct error err = { 0 };
    struct block *b = block_open_raw(path, BLOCK_RDONLY, &err);
    cr_assert(b, "%s", err.text);
    cr_assert(volume_tree(b, at, b->size, v, t), "%s is not read", fs);
    cr_assert_str_eq(v->fs, fs);
    return b;
}

static void image_check(const char *path, uint64_t at, const char *fs, const char *label)
{
    struct volume v;
    struct tree t;
    struct count c = { .seek = "LARGE.BIN" }, many = { 0 };
    size_t got = 1;
    struct block *b = image_open(path, at, &v, &t, fs);
    cr_assert_str_eq(v.label, label);
    samples_check(&t, 0);
    cr_assert(t.list(t.at, "", count_each, &c));
    cr_assert(c.files >= 6 && c.folders >= 1 && c.size == 900001 && c.year >= 2020, "%s: %u files, year %u", fs, c.files, c.year);
    cr_assert(t.list(t.at, "/WINDOWS/many/", count_each, &many) && many.files == 150 && !many.folders, "%u", many.files);
    cr_assert(!t.list(t.at, "WINDOWS/none", count_each, &c) && !t.list(t.at, "LARGE.BIN", count_each, &c));
    cr_assert(!t.read(t.at, "WINDOWS") && !t.read(t.at, "LARGE.BIN/x") && !t.read_part(t.at, "", 0, &got, &got));
    volume_close(&v);
    volume_close(&v);
    block_close(b);
}

#define NEED(...) do { const char *needed[] = { __VA_ARGS__ }; for (size_t n_ = 0; n_ < ARRAY_SIZE(needed); n_++) \
    if (!test_program(needed[n_])) TEST_SKIP("volumes", "%s is not installed", needed[n_]); } while (0)

static char *image_new(const char *folder, const char *name, unsigned mib)
{
    char *path = test_path(folder, name);
    cr_assert_eq(test_run("truncate -s %uM '%s'", mib, path), 0);
    return path;
}

Test(volumes, fat)
{
    static const struct { const char *options, *fs; unsigned mib; } kinds[] = {
        { "-F 12", "fat12", 5 }, { "-F 16 -S 1024", "fat16", 40 }, { "-F 16", "fat16", 20 }, { "-F 32 -s 1", "fat32", 40 },
    };
    NEED("mkfs.fat", "mcopy");
    char *folder = test_folder(), *from = test_path(folder, "from");
    samples_write(from);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char name[8] = { (char)('a' + i) };
        char *image = image_new(folder, name, kinds[i].mib);
        cr_assert_eq(test_run("mkfs.fat %s -n 'OLD DISK' '%s'", kinds[i].options, image), 0);
        cr_assert_eq(test_run("MTOOLS_SKIP_CHECK=1 mcopy -s -i '%s' '%s'/* ::", image, from), 0);
        image_check(image, 0, kinds[i].fs, "OLD DISK");
        struct volume v;
        struct tree t;
        size_t got = 1;
        struct block *b = image_open(image, 0, &v, &t, kinds[i].fs);
        cr_assert(t.read_part(t.at, "a RATHER long NAME, with text.DOCUMENT", 0, name, &got) && got == 1);
        cr_assert(t.read_part(t.at, "ARATHE~1.DOC", 0, name, &got) && got == 1);
        volume_close(&v);
        block_close(b);
    }
}

Test(volumes, ext)
{
    static const struct { const char *options, *fs; } kinds[] = {
        { "-t ext2 -r 0 -I 128 -b 1024", "ext2" }, { "-t ext2 -b 4096", "ext2" }, { "-t ext3 -b 1024", "ext3" },
        { "-t ext4", "ext4" }, { "-t ext4 -O 64bit,^flex_bg -b 1024 -g 1024", "ext4" },
    };
    NEED("mke2fs");
    char *folder = test_folder(), *from = test_path(folder, "from");
    samples_write(from);
    cr_assert_eq(test_run("cd '%s' && ln -s WINDOWS/DEEP short && ln -s /short/../DEEP/DEEPER/LAST.INI link && ln -s loop loop && "
                          "ln -s %080d/../WINDOWS long && truncate -s 5000000 sparse && printf end >>sparse", from, 7), 0);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char name[8] = { (char)('a' + i) };
        char *image = image_new(folder, name, 24);
        cr_assert_eq(test_run("mke2fs -F -q %s -L 'old disk' -d '%s' '%s'", kinds[i].options, from, image), 0);
        image_check(image, 0, kinds[i].fs, "old disk");
        struct volume v;
        struct tree t;
        uint8_t bytes[777];
        size_t got = sizeof(bytes);
        struct block *b = image_open(image, 0, &v, &t, kinds[i].fs);
        cr_assert(v.written > 1600000000);
        cr_assert(t.read_part(t.at, "/link", 0, bytes, &got) && got == 777 && bytes[5] == byte_of(7, 5));
        got = 20;
        cr_assert(t.read_part(t.at, "sparse", 4999990, bytes, &got) && got == 13 && !any_nonzero(bytes, 10) && !memcmp(bytes + 10, "end", 3));
        static uint8_t hole[2000000];
        got = sizeof(hole), memset(hole, 1, sizeof(hole));
        cr_assert(t.read_part(t.at, "sparse", 1000, hole, &got) && got == sizeof(hole) && !any_nonzero(hole, got));
        cr_assert(t.list(t.at, "short/DEEPER", count_each, &(struct count){ 0 }) && !t.read(t.at, "loop"));
        volume_close(&v);
        block_close(b);
    }
}

/* Through ntfs-3g, so that folders grow indexes and files are compressed and in pieces. */
Test(volumes, ntfs)
{
    static const char *const options[] = { "-c 4096", "-c 512", "-c 65536" };
    NEED("mkntfs", "ntfs-3g", "fusermount3", "setfattr");
    char *folder = test_folder(), *mount = strdup(test_path(folder, "mount"));     /* paths of tests are used again */
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        char name[8] = { (char)('a' + i) };
        char *image = strdup(image_new(folder, name, i == 2 ? 200 : 60));
        cr_assert_eq(test_run("mkntfs -F -Q -q -L 'Old Disk' %s '%s'; mkdir -p '%s'", options[i], image, mount), 0);
        if (test_run("ntfs-3g -o compression '%s' '%s'", image, mount))
            TEST_SKIP("volumes/ntfs", "this host mounts nothing through fuse");
        samples_write(mount);
        int failed = test_run("cd '%s' && mkdir small && for i in $(seq 1400); do echo $i-----------------%01000d >small/$i; done &&"
            "rm small/*[13579] && cat LARGE.BIN LARGE.BIN >pieces.bin && mkdir packed && "
            "(setfattr -h -v 0x00080000 -n system.ntfs_attrib packed || setfattr -h -v 0x00000800 -n system.ntfs_attrib_be packed); "
            "seq 1000000 7 1300000 | sed 's/.*/line & of many/' >packed/text; "
            "(cat packed/text; cat LARGE.BIN; head -c 300000 /dev/zero; echo end) >packed/mixed; cp packed/mixed ../mixed", mount, 0);
        cr_assert_eq(test_run("fusermount3 -u '%s' || { sleep 1; fusermount3 -u '%s'; }; sync", mount, mount), 0);
        cr_assert_eq(failed, 0);
        image_check(image, 0, "ntfs", "Old Disk");
        struct volume v;
        struct tree t;
        size_t length, got, large = 1800002;
        uint8_t *mixed = test_read(test_path(folder, "mixed"), &length), *bytes = malloc(length + large);
        struct block *b = image_open(image, 0, &v, &t, "ntfs");
        cr_assert_str_eq(v.oem, "NTFS 3.1");
        cr_assert(t.read_part(t.at, "packed/mixed", 0, bytes, (got = length, &got)) && got == length && !memcmp(bytes, mixed, length));
        cr_assert(t.read_part(t.at, "packed/MIXED", 650001, bytes, (got = 1000, &got)) && !memcmp(bytes, mixed + 650001, 1000));
        cr_assert(t.read_part(t.at, "pieces.bin", 0, bytes, (got = large + 9, &got)) && got == large);
        for (size_t n = 0; n < large; n++)
            cr_assert_eq(bytes[n], byte_of(4, n % 900001), "pieces at %zu", n);
        struct count c = { .seek = "1398", .size = 0 };
        cr_assert(t.list(t.at, "small", count_each, &c) && c.files == 700 && c.size > 1000, "%u", c.files);
        free(mixed), free(bytes), free(image);
        volume_close(&v);
        block_close(b);
    }
    free(mount);
}

/* By writers of our own: the file systems for which hosts have no tools. */
Test(volumes, own_writers)
{
    uint8_t *bytes = malloc(VOLUME_BIG + 1);
    for (unsigned kind = 0; kind < VOLUME_KINDS; kind++) {
        const char *name = volume_kinds[kind];
        struct volume v;
        struct tree t;
        struct count c = { .seek = "BIG.BIN" };
        size_t got = VOLUME_BIG + 1;
        struct block *b = volume_make(kind);
        cr_assert(volume_tree(b, 0, b->size, &v, &t), "%s", name);
        cr_assert_str_eq(v.fs, volume_fs(kind));
        char *text = t.read(t.at, "/SMALL.TXT");
        cr_assert(text && !strcmp(text, "hello"), "%s: %s", name, text);
        free(text);
        cr_assert(t.read_part(t.at, "BIG.BIN", 0, bytes, &got) && got == VOLUME_BIG, "%s: %zu", name, got);
        for (size_t n = 0; n < got; n++)
            cr_assert_eq(bytes[n], volume_byte(n), "%s at %zu", name, n);
        cr_assert(t.read_part(t.at, "DIR/INNER.TXT", 0, bytes, &got) && got == 777 && bytes[776] == (volume_byte(776) ^ 0x5a), "%s", name);
        cr_assert(t.list(t.at, "", count_each, &c) && c.folders == 1 && c.files == (strcmp(name, "ntfs") ? 2 : 3), "%s: %u", name, c.files);
        cr_assert(c.size == VOLUME_BIG && c.year == 1996, "%s: %u", name, c.year);
        if (!strcmp(name, "ntfs")) {
            cr_assert(t.read_part(t.at, "packed.txt", 0, bytes, &got) == true && got == 777);
            got = 5000;
            cr_assert(t.read_part(t.at, "packed.txt", 0, bytes, &got) && got == 4096 && bytes[0] == 'a' && bytes[4095] == 'a');
            cr_assert(!strcmp(v.label, "OLD") && !strcmp(v.oem, "NTFS 1.2"));
        }
        volume_close(&v);
        block_close(b);
    }
    free(bytes);
}

struct lines { char text[4096]; unsigned count; };

static void line_add(void *arg, const char *path)
{
    struct lines *l = arg;
    snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%s\n", path);
    l->count++;
}

/* One bad sector at every file in turn: it is named, and no other file is. */
Test(volumes, damage)
{
    static const char *const files[] = { "/SMALL.TXT", "/BIG.BIN", "/DIR/INNER.TXT" };
    for (unsigned kind = 0; kind < VOLUME_KINDS; kind++) {
        struct partition_table table = { .count = 1, .list = { { .scheme = "", .sectors = (3 << 20) / SECTOR } } };
        struct block *b = volume_make(kind);
        uint8_t *all = malloc(b->size), wanted[64];
        cr_assert_eq(block_read(b, 0, all, b->size), 0);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
            struct lines l = { .count = 0 };
            for (size_t k = 0; k < 64; k++)
                wanted[k] = i == 0 ? (uint8_t)"hello"[MIN(k, 5u)] : i == 1 ? volume_byte(k + 600000) : volume_byte(k) ^ 0x5a;
            uint8_t *at = memmem(all, b->size, wanted, i ? 64 : 5);
            cr_assert(at, "%s", volume_kinds[kind]);
            struct byte_range bad = { align_down((uint64_t)(at - all), 512), 512 };
            damage_files(b, &table, &bad, 1, line_add, &l);
            cr_assert(l.count >= 1 && strstr(l.text, files[i]), "%s, %s: %s", volume_kinds[kind], files[i], l.text);
            for (size_t k = 0; k < ARRAY_SIZE(files); k++)
                cr_assert(k == i || !strstr(l.text, files[k]) || !strcmp(volume_kinds[kind], "ntfs"), "%s: %s", volume_kinds[kind], l.text);
        }
        free(all);
        struct lines l = { .count = 0 };
        struct byte_range bad[] = { { (3 << 20) - 512, 512 }, { 3 << 20, 512 } };
        damage_files(b, &table, bad, 2, line_add, &l);
        cr_assert(l.count == 2 && strstr(l.text, "no file that we know of") && strstr(l.text, "outside the partitions"), "%s", l.text);
        block_close(b);
    }
}

/* The first 4 KiB are gone: copies of boot sectors and superblocks serve. */
Test(volumes, lost_starts)
{
    static const struct { const char *make, *fs; size_t lost; } kinds[] = {
        { "mke2fs -F -q -t ext2 -b 1024 -d '%s' '%s'", "ext2", 2048 }, { "mkfs.fat -F 32 -s 1 -n LOST '%.0s%s'", "fat32", 512 },
        { "mkntfs -F -Q -q '%.0s%s'", "ntfs", 2048 },
    };
    char *folder = test_folder(), *from = strdup(test_path(folder, "from"));
    uint8_t zeros[2048] = { 0 };
    NEED("mke2fs", "mkfs.fat", "mkntfs");
    samples_write(from);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char name[8] = { (char)('a' + i) }, line[600];
        char *image = image_new(folder, name, 40);
        snprintf(line, sizeof(line), kinds[i].make, from, image);
        cr_assert_eq(test_run("%s", line), 0);
        struct error err;
        struct block *b = block_open_raw(image, 0, &err);
        cr_assert_eq(block_write(b, 0, zeros, kinds[i].lost), 0);
        block_close(b);
        struct volume v;
        struct tree t;
        b = image_open(image, 0, &v, &t, kinds[i].fs);
        struct count c = { .seek = "LARGE.BIN" };
        cr_assert(t.list(t.at, "/", count_each, &c));
        cr_assert(i || c.size == 900001);
        volume_close(&v);
        block_close(b);
    }
    free(from);
}

/* A folder that is its own child is looked into once; a chain of clusters that bites its tail ends. */
Test(volumes, loops_end)
{
    struct partition_table table = { .count = 1, .list = { { .scheme = "", .sectors = (3 << 20) / SECTOR } } };
    struct byte_range bad = { 0, 3 << 20 };
    struct lines l = { .count = 0 };
    struct volume v;
    struct tree t;
    uint8_t e[32], next[2] = { 2, 0 };
    static uint8_t bytes[VOLUME_BIG];
    size_t got = sizeof(bytes);
    struct block *b = volume_make(9);
    uint64_t folder = (1 + 2 * 24 + 2) * 512;
    cr_assert_eq(block_read(b, folder + 32, e, 32), 0);
    memcpy(e, "LOOP       ", 11), e[11] = 0x10, e[26] = 2;
    cr_assert_eq(block_write(b, folder + 64, e, 32), 0);
    e[0] = 0xe5;
    for (unsigned i = 3; i < 16; i++)
        cr_assert_eq(block_write(b, folder + i * 32, e, 32), 0);
    cr_assert_eq(block_write(b, 512 + 4, next, 2), 0);          /* the folder's own chain */
    next[0] = 10;
    cr_assert_eq(block_write(b, 512 + 40 * 2, next, 2), 0);      /* BIG.BIN's */
    cr_assert(volume_tree(b, 0, b->size, &v, &t));
    cr_assert(t.read_part(t.at, "DIR/LOOP/LOOP/LOOP/INNER.TXT", 0, e, (got = 1, &got)) && got == 1);
    cr_assert(!t.read(t.at, "DIR/NONE"));
    got = sizeof(bytes);
    t.read_part(t.at, "BIG.BIN", 0, bytes, &got);
    volume_close(&v);
    damage_files(b, &table, &bad, 1, line_add, &l);
    cr_assert(strstr(l.text, "/DIR/INNER.TXT") && !strstr(l.text, "LOOP/"), "%.300s", l.text);
    block_close(b);
}
