/* Disk images of other programs: what is read is the raw disk, byte for byte, and what is damaged gives a sentence. */
#include "importers/formats/formats.h"
#include "block/block.h"
#include "base/bits.h"
#include "tests/support/block_fault.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A disk with data, constant stretches and holes. */
static uint8_t *disk_bytes(size_t length, uint64_t seed)
{
    uint8_t *bytes = calloc(1, length);
    for (size_t at = 0; at < length; at += 512)
        for (size_t i = 0, what = test_random(&seed) % 16, hole = at >> 21 & 1; i < MIN(512, length - at); i++)
            bytes[at + i] = hole ? 0 : what < 8 ? (uint8_t)(test_random(&seed) & 31) : (uint8_t)(what & 1);
    return bytes;
}

static struct block *open_with(const char *path, const char *const *parents, size_t count, const char **name, json_t **details, struct error *err)
{
    struct block *file = block_open_raw(path, BLOCK_RDONLY, err);
    *name = NULL, *details = NULL, *err->text = 0;
    return file ? format_open(file, &(struct format_names){ path, parents, count, false }, name, details, err) : NULL;
}

/* Reads all of it in steps of many lengths, holes as such, and compares; what the image has beyond must be zeros. */
static void check_bytes(struct block *b, const uint8_t *bytes, size_t length, const char *what)
{
    static const size_t steps[] = { 1, 511, 513, 65536, 70000, 1 << 20, 3 << 20 };
    uint8_t *buffer = malloc(3 << 20);
    cr_assert_geq(b->size, length, "%s", what);
    for (size_t at = 0, k = 0; at < b->size; k++) {
        size_t n = MIN(steps[k % ARRAY_SIZE(steps)], b->size - at), known = at < length ? MIN(n, length - at) : 0;
        uint64_t stretch = b->size - at;
        unsigned kind;
        cr_assert_eq(block_read(b, at, buffer, n), 0, "%s at %zu", what, at);
        cr_assert(!memcmp(buffer, bytes + at, known), "%s at %zu", what, at);
        cr_assert(!any_nonzero(buffer + known, n - known), "%s at %zu", what, at);
        cr_assert_eq(block_extents(b, at, &stretch, &kind), 0);
        cr_assert(stretch && stretch <= b->size - at && kind != BLOCK_ABSENT);
        if (kind == BLOCK_ZEROS && at < length)
            cr_assert(!any_nonzero(bytes + at, MIN(stretch, length - at)), "%s at %zu", what, at);
        at += n;
    }
    free(buffer);
}

struct kind { const char *format, *options, *found; bool holes; };
static const struct kind kinds[] = {
    { "vpc", "subformat=dynamic,force_size=on", "vhd", true }, { "vpc", "subformat=dynamic", "vhd", true },
    { "vpc", "subformat=fixed,force_size=on", "vhd", true }, { "vdi", "static=off", "vdi", true }, { "vdi", "static=on", "vdi", true },
    { "qcow2", "compat=0.10", "qcow2", true }, { "qcow2", "cluster_size=512", "qcow2", true }, { "-c qcow2", "compat=1.1", "qcow2", true },
    { "-c qcow2", "compression_type=zstd", "qcow2", true }, { "-c qcow2", "compression_type=zstd,cluster_size=2M", "qcow2", true },
    { "qcow", "encryption=off", "qcow", true }, { "-c qcow", "encryption=off", "qcow", true },
    { "vhdx", "subformat=dynamic,block_size=1M", "vhdx", true }, { "vhdx", "subformat=dynamic", "vhdx", false }, { "vhdx", "subformat=fixed", "vhdx", false },
    { "parallels", "cluster_size=65536", "parallels", true },
    { "vmdk", "subformat=monolithicSparse", "vmdk", true }, { "vmdk", "subformat=monolithicSparse,zeroed_grain=on", "vmdk", true },
    { "vmdk", "subformat=monolithicFlat", "vmdk", true }, { "vmdk", "subformat=twoGbMaxExtentSparse", "vmdk", true },
    { "vmdk", "subformat=twoGbMaxExtentFlat", "vmdk", true }, { "vmdk", "subformat=streamOptimized", "vmdk", true },
};

static void check_kind(const struct kind *k, const char *folder, size_t length)
{
    char *raw = test_path(folder, "disk.raw"), *image = test_path(folder, "disk.image");
    uint8_t *bytes = disk_bytes(length, length);
    struct error err;
    const char *name;
    json_t *details;
    uint64_t zeros = 0, run;
    unsigned what;
    test_write(raw, bytes, length);
    unlink(image);
    /* qemu-img 7.2 ends with 1, saying nothing, after a compressed qcow image that is good */
    cr_assert_leq(test_run("qemu-img convert -f raw %s %s -o '%s' '%s' '%s'", *k->format == '-' ? "-c -O" : "-O",
                          k->format + (*k->format == '-' ? 3 : 0), k->options, raw, image),
                  !strcmp(k->format, "-c qcow"), "%s", k->options);
    struct block *b = open_with(image, NULL, 0, &name, &details, &err);
    cr_assert(b, "%s %s: %s", k->format, k->options, err.text);
    cr_assert_str_eq(name, k->found);
    check_bytes(b, bytes, length, k->options);
    for (uint64_t at = 0; at < b->size; at += run) {
        run = b->size - at;
        cr_assert_eq(block_extents(b, at, &run, &what), 0);
        zeros += what == BLOCK_ZEROS ? run : 0;
    }
    cr_assert(!k->holes || length < 4 << 20 || zeros > length / 5, "%s %s: %llu", k->format, k->options, (unsigned long long)zeros);
    block_close(b);
    json_decref(details);
    free(bytes);
}

Test(formats, each_kind, .timeout = 240)
{
    static const size_t lengths[] = { 512, 65536 + 512, 9 * 1048576 + 7 * 512 };
    if (!test_program("qemu-img"))
        TEST_SKIP("formats.each_kind", "qemu-img is not installed");
    char *folder = test_folder();
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
            check_kind(&kinds[k], folder, lengths[i]);
}

/* libewf has sectors: the disk is whole ones. Several files, a compressed and a plain one, and one byte of the data changed. */
Test(formats, ewf, .timeout = 120)
{
    if (!test_program("ewfacquirestream"))
        TEST_SKIP("formats.ewf", "ewf-tools is not installed");
    char *folder = test_folder(), *raw = test_path(folder, "disk.raw"), *first = test_path(folder, "d.E01"), *third = test_path(folder, "d.E03");
    size_t length = 6 * 1048576 + 512, n;
    uint8_t *bytes = disk_bytes(length, 3), sector[512];
    struct error err;
    const char *name;
    json_t *details;
    test_write(raw, bytes, length);
    for (int packed = 0; packed < 2; packed++) {
        cr_assert_eq(test_run("rm -f '%s'/d.E*; ewfacquirestream -q -t '%s/d' -c %s -S 1.1MiB -d sha1 -C 'c\033[1m7' <'%s'", folder, folder,
                              packed ? "best" : "none", raw), 0);
        struct block *b = open_with(first, NULL, 0, &name, &details, &err);
        cr_assert(b, "%s", err.text);
        cr_assert_str_eq(name, "ewf");
        cr_assert_str_eq(json_string_value(json_object_get(details, "case_number")), "c?[1m7");
        cr_assert_eq(strlen(json_string_value(json_object_get(details, "stored_md5"))), 32);
        cr_assert_eq(strlen(json_string_value(json_object_get(details, "stored_sha1"))), 40);
        cr_assert_eq(b->size, length);
        check_bytes(b, bytes, length, "ewf");
        block_close(b);
        json_decref(details);
    }
    cr_assert_eq(test_run("rm -f '%s'/d.E*; ewfacquirestream -q -t '%s/d' -c none -S 1.1MiB <'%s'", folder, folder, raw), 0);
    uint8_t *file = test_read(third, &n);
    file[n / 2] ^= 1;
    test_write(third, file, n);
    struct block *b = open_with(first, NULL, 0, &name, &details, &err);
    cr_assert(b, "%s", err.text);
    size_t bad = 0;
    for (size_t at = 0; at < length; at += 512)
        bad += block_read(b, at, sector, 512) ? 512 : 0;
    cr_assert_eq(bad, 32768);                   /* the chunk, and no other */
    block_close(b);
    json_decref(details);
    test_write(third, file, n / 2);
    cr_assert(!open_with(first, NULL, 0, &name, &details, &err) && strstr(err.text, "d.E01"), "%s", err.text);
    unlink(third);
    cr_assert(!open_with(first, NULL, 0, &name, &details, &err) && strstr(err.text, "missing"), "%s", err.text);
    free(file);
    free(bytes);
}

static void refused(const char *path, const char *words)
{
    struct error err;
    const char *name;
    json_t *details;
    struct block *b = open_with(path, NULL, 0, &name, &details, &err);
    cr_assert(!b, "%s: opened", words);
    cr_assert(strstr(err.text, words) && strlen(err.text) > 20 && !strchr(err.text, '\n'), "'%s' is not '%s'", err.text, words);
    cr_assert(!strchr(err.text, '\033'));
}

/* A file of which the end is missing is refused, wherever its tables lie. */
Test(formats, cut_short, .timeout = 120)
{
    if (!test_program("qemu-img"))
        TEST_SKIP("formats.cut_short", "qemu-img is not installed");
    char *folder = test_folder(), *raw = test_path(folder, "disk.raw"), *image = test_path(folder, "disk.image");
    size_t length = 6 * 1048576, n;
    uint8_t *bytes = disk_bytes(length, 9);
    test_write(raw, bytes, length);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        const char *o = kinds[k].options;
        /* The descriptor is not what is cut; a fixed VHD is then a raw disk; the large block of this VHDX is larger than the disk. */
        if (strstr(o, "Flat") || strstr(o, "twoGb") || strstr(o, "subformat=fixed,force") || !strcmp(o, "subformat=dynamic"))
            continue;
        cr_assert_leq(test_run("qemu-img convert -f raw %s %s -o '%s' '%s' '%s'", *kinds[k].format == '-' ? "-c -O" : "-O",
                               kinds[k].format + (*kinds[k].format == '-' ? 3 : 0), o, raw, image), 1);
        uint8_t *file = test_read(image, &n);
        for (size_t part = 1; part < 8; part++) {
            test_write(image, file, n * part / 8);
            refused(image, "disk.image");
        }
        free(file);
        unlink(image);
    }
    cr_assert_eq(test_run("qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat '%s' '%s/f.vmdk'", raw, folder), 0);
    cr_assert_eq(test_run("truncate -s 5M '%s/f-flat.vmdk'", folder), 0);
    refused(test_path(folder, "f.vmdk"), "cut short");
    free(bytes);
}

/* A descriptor may name files beside it and nothing else. */
Test(formats, vmdk_names)
{
    static const struct { const char *line, *words; } cases[] = {
        { "RW 8 FLAT \"../secret\" 0", "../secret" }, { "RW 8 FLAT \"/etc/passwd\" 0", "/etc/passwd" }, { "RW 8 FLAT \"..\" 0", "own folder" },
        { "RW 8 FLAT \"link\" 0", "link" }, { "RW 8 FLAT \"\\\\.\\PhysicalDrive0\" 0", "own folder" }, { "RW 8 FLAT \"folder\" 0", "not a file" },
        { "RW 8 FLAT \"pipe\" 0", "not a file" }, { "RW 8 FLAT \"none\033[2J\" 0", "none?[2J" }, { "RW 8 FLAT \"\" 0", "own folder" },
        { "RW 8 SPARSE \"good\"", "not a VMDK extent" }, { "RW 9 FLAT \"good\" 0", "cut short" }, { "RW 8 FLAT \"good\" 18446744073709551615", "cut short" },
        { "RW 18446744073709551615 FLAT \"good\" 0", "RW 1844" }, { "RW 0 ZERO", "RW 0" }, { "RW 8 SESPARSE \"good\"", "SESPARSE" }, { "", "lists no part" },
        { "RW 4294967296 ZERO\nRW 4294967296 ZERO", "4398046511104" }, { "parentCID=12345678\nRW 8 FLAT \"good\" 0", "--parent" },
        { "RW 8 FLAT \"d.vmdk\" 0", "cut short" },
    };
    char *folder = test_folder(), *path = test_path(folder, "d.vmdk"), text[500];
    struct error err;
    const char *name;
    json_t *details;
    uint8_t bytes[4096];
    memset(bytes, 7, sizeof(bytes));
    test_write(test_path(folder, "good"), bytes, sizeof(bytes));
    cr_assert_eq(symlink("good", test_path(folder, "link")), 0);
    cr_assert_eq(mkdir(test_path(folder, "folder"), 0755), 0);
    cr_assert_eq(mkfifo(test_path(folder, "pipe"), 0644), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        snprintf(text, sizeof(text), "# Disk DescriptorFile\nversion=1\nCID=1\n%s\n", cases[i].line);
        test_write(path, text, strlen(text));
        refused(path, cases[i].words);
    }
    strcpy(text, "# Disk DescriptorFile\r\nversion=1\r\nparentCID=ffffffff\r\n\r\nRW 8 FLAT \"good\" 0\r\nRW 3 ZERO\r\nRW 2 FLAT \"good\" 6\r\n");
    test_write(path, text, strlen(text));
    struct block *b = open_with(path, NULL, 0, &name, &details, &err);
    cr_assert(b, "%s", err.text);
    uint8_t all[13 * 512] = { 0 };
    memset(all, 7, 8 * 512), memset(all + 11 * 512, 7, 1024);
    cr_assert_eq(b->size, sizeof(all));
    check_bytes(b, all, sizeof(all), "three parts");
    block_close(b);
    json_decref(details);
}

/* A differencing VHD over `parent`: of each block of 4 KiB some sectors, by the bits of `mask`; block 1 not at all. */
static size_t vhd_child(uint8_t *to, const uint8_t *parent_id, uint64_t size, uint16_t mask, const uint8_t *bytes)
{
    uint8_t *footer = to, *header = to + 512, *table = to + 1536;
    size_t blocks = (size_t)((size + 4095) / 4096), at = 1536 + align_up(blocks * 4, 512);
    memset(to, 0, at);
    memcpy(footer, "conectix", 8);
    be32_put(footer + 12, 0x10000), be64_put(footer + 16, 512), memcpy(footer + 28, "test", 4);
    be64_put(footer + 40, size), be64_put(footer + 48, size), be32_put(footer + 60, 4), memset(footer + 68, 0x77, 16);
    memcpy(header, "cxsparse", 8);
    memset(header + 8, 255, 8), be64_put(header + 16, 1536), be32_put(header + 24, 0x10000);
    be32_put(header + 28, (uint32_t)blocks), be32_put(header + 32, 4096), memcpy(header + 40, parent_id, 16);
    for (size_t i = 0; i < 8; i++)
        header[64 + 2 * i + 1] = (uint8_t)"p\033r.vhd"[i];
    for (unsigned k = 0; k < 2; k++) {
        uint32_t sum = 0;
        for (size_t i = 0, n = k ? 1024 : 512; i < n; i++)
            sum += (k ? header : footer)[i];
        be32_put(k ? header + 36 : footer + 64, ~sum);
    }
    for (size_t b = 0; b < blocks; b++) {
        be32_put(table + b * 4, b == 1 ? UINT32_MAX : (uint32_t)(at / 512));
        if (b == 1)
            continue;
        memset(to + at, 0, 512 + 4096);
        to[at] = (uint8_t)(mask >> (b & 8));
        memcpy(to + at + 512, bytes + b * 4096, MIN(4096, size - b * 4096));
        at += 512 + 4096;
    }
    memcpy(to + at, footer, 512);
    return at + 512;
}

Test(formats, vhd_differencing)
{
    if (!test_program("qemu-img"))
        TEST_SKIP("formats.vhd_differencing", "qemu-img is not installed");
    char *folder = test_folder(), *raw = test_path(folder, "disk.raw"), *parent = test_path(folder, "p.vhd"), *child = test_path(folder, "c.vhd");
    size_t length = 300 * 512, n;
    uint8_t *bytes = disk_bytes(length, 4), *over = disk_bytes(length, 5), *image = malloc(1 << 20);
    const char *named[] = { test_path(folder, "none"), raw, child, parent, parent }, *name;
    struct error err;
    json_t *details;
    test_write(raw, bytes, length);
    for (unsigned mask = 0; mask < 3; mask++) {
        cr_assert_eq(test_run("qemu-img convert -f raw -O vpc -o subformat=%s,force_size=on '%s' '%s'", mask & 1 ? "fixed" : "dynamic", raw, parent), 0);
        uint8_t *file = test_read(parent, &n);
        static const uint16_t masks[] = { 0xa5c3, 0xff00, 0x7f80 };
        n = vhd_child(image, file + n - 512 + 68, length, masks[mask], over);
        test_write(child, image, n);
        refused(child, "--parent");
        cr_assert(!open_with(child, named + 1, 2, &name, &details, &err) && strstr(err.text, "p?r.vhd"), "%s", err.text);
        struct block *b = open_with(child, named, 5, &name, &details, &err);
        cr_assert(b, "%s", err.text);
        uint8_t *want = malloc(length);
        for (size_t s = 0; s < 300; s++)
            memcpy(want + s * 512, (s / 8 != 1 && masks[mask] >> (s / 8 & 8) >> (7 - s % 8) & 1 ? over : bytes) + s * 512, 512);
        check_bytes(b, want, length, "differencing");
        cr_assert_eq(json_array_size(json_object_get(details, "parents")), 1);
        block_close(b);
        json_decref(details);
        image[n - 512 + 68] ^= 1, image[70] ^= 1;       /* a checksum that is wrong, in the footer alone and in both */
        test_write(child, image, n);
        refused(child, "checksum");
        free(want), free(file);
    }
    free(bytes), free(over), free(image);
}

/* qcow, qcow2 and VMDK over a parent, and a chain of three: only with what the user named. */
Test(formats, parents, .timeout = 120)
{
    static const char *const formats[] = { "qcow2", "qcow", "vmdk" };
    if (!test_program("qemu-img") || !test_program("qemu-io"))
        TEST_SKIP("formats.parents", "qemu-img is not installed");
    char *folder = test_folder(), *raw = test_path(folder, "disk.raw"), *top = test_path(folder, "top");
    size_t length = 3 * 1048576, n;
    uint8_t *bytes = disk_bytes(length, 8);
    const char *both[] = { test_path(folder, "base"), test_path(folder, "mid") }, *name;
    struct error err;
    json_t *details;
    test_write(raw, bytes, length);
    for (size_t k = 0; k < ARRAY_SIZE(formats); k++) {
        const char *f = formats[k];
        cr_assert_eq(test_run("cd '%s' && rm -f base mid top && qemu-img convert -O %s disk.raw base && qemu-img create -f %s -b base -F %s mid && "
                              "qemu-io -f %s -c 'write -P 9 70000 130000' mid && qemu-img create -f %s -b mid -F %s top && "
                              "qemu-io -f %s -c 'write -P 5 100000 1000' top && qemu-img convert -f %s -O raw top flat", folder, f, f, f, f, f, f, f, f), 0);
        uint8_t *flat = test_read(test_path(folder, "flat"), &n);
        cr_assert_eq(n, length);
        refused(top, "mid");
        cr_assert(!open_with(top, both, 1, &name, &details, &err) && strstr(err.text, "--parent"), "%s", err.text);
        cr_assert(!open_with(top, both + 1, 1, &name, &details, &err) && strstr(err.text, "--parent"), "%s", err.text);
        struct block *b = open_with(top, both, 2, &name, &details, &err);
        cr_assert(b, "%s: %s", f, err.text);
        check_bytes(b, flat, length, f);
        cr_assert_eq(json_array_size(json_object_get(details, "parents")), 2);
        block_close(b);
        json_decref(details);
        free(flat);
    }
    /* a raw parent is raw whatever it looks like */
    cr_assert_eq(test_run("cd '%s' && cp top base && qemu-img create -f qcow2 -b base -F raw mid", folder), 0);
    struct block *b = open_with(both[1], both, 1, &name, &details, &err);
    uint8_t magic[4];
    cr_assert(b && !block_read(b, 0, magic, 4) && !memcmp(magic, "KDMV", 4), "%s", err.text);
    block_close(b);
    json_decref(details);
    /* a VDI that says it has a parent */
    cr_assert_eq(test_run("cd '%s' && qemu-img convert -f raw -O vdi disk.raw base && qemu-img create -f vdi mid 3M", folder), 0);
    uint8_t *base = test_read(both[0], &n), *mid = test_read(both[1], &n);
    mid[76] = 4;
    memcpy(mid + 424, base + 392, 16);
    test_write(both[1], mid, n);
    refused(both[1], "--parent");
    b = open_with(both[1], both, 2, &name, &details, &err);
    cr_assert(b, "%s", err.text);
    check_bytes(b, bytes, length, "vdi");
    block_close(b);
    json_decref(details);
    free(base), free(mid), free(bytes);
}

/* COWD, the sparse disk of old VMware: grains of one sector, tables of 4096; alone and as a part that a descriptor names. */
Test(formats, cowd)
{
    enum { SECTORS = 9000, TABLES = 3 };
    char *folder = test_folder(), *path = test_path(folder, "old.vmdk"), *text = test_path(folder, "new.vmdk");
    const char *descriptor = "# Disk DescriptorFile\ncreateType=\"vmfsThin\"\nRW 9000 VMFSSPARSE \"old.vmdk\"\n", *name;
    uint8_t *image = calloc(1, 8 << 20), *bytes = calloc(SECTORS, 512);
    size_t at = 5 + TABLES * 32;
    struct error err;
    json_t *details;
    memcpy(image, "COWD\x01\0\0\0\x03\0\0", 12);
    le32_put(image + 12, SECTORS), le32_put(image + 16, 1), le32_put(image + 20, 4), le32_put(image + 24, TABLES);
    for (size_t t = 0; t < TABLES; t++)
        le32_put(image + 4 * 512 + t * 4, t == 1 ? 0 : (uint32_t)(5 + t * 32));        /* the middle one: a hole of 2 MiB */
    for (size_t s = 0; s < SECTORS; s += 7) {
        if (s / 4096 == 1)
            continue;
        le32_put(image + (5 + s / 4096 * 32) * 512 + s % 4096 * 4, (uint32_t)at);
        memset(image + at++ * 512, (int)(s % 250 + 1), 512);
        memset(bytes + s * 512, (int)(s % 250 + 1), 512);
    }
    test_write(path, image, at * 512);
    test_write(text, descriptor, strlen(descriptor));
    for (int k = 0; k < 2; k++) {
        struct block *b = open_with(k ? text : path, NULL, 0, &name, &details, &err);
        cr_assert(b, "%s", err.text);
        cr_assert_eq(b->size, SECTORS * 512);
        check_bytes(b, bytes, SECTORS * 512, "cowd");
        block_close(b);
        json_decref(details);
    }
    le32_put(image + 5 * 512 + 7 * 4, (uint32_t)at - 1);       /* two sectors in one place */
    test_write(path, image, at * 512);
    refused(path, "where another byte is");
    free(image), free(bytes);
}

static uint8_t *vhdx_item(uint8_t *metadata, const char *first)
{
    for (uint8_t *m = metadata + 32; m < metadata + 65536; m += 32)
        if (!memcmp(m, first, 4))
            return metadata + le32_get(m + 16);
    return NULL;
}

/* qemu-img makes no differencing VHDX: one of its images is made one, with a parent locator and a block of which half is the parent's. */
Test(formats, vhdx_differencing)
{
    if (!test_program("qemu-img"))
        TEST_SKIP("formats.vhdx_differencing", "qemu-img is not installed");
    char *folder = test_folder(), *a = test_path(folder, "a.raw"), *c = test_path(folder, "c.raw"), *parent = test_path(folder, "p.vhdx"),
         *child = test_path(folder, "c.vhdx"), linkage[64];
    size_t length = 3 << 20, n, m;
    uint8_t *bytes = disk_bytes(length, 11), *over = disk_bytes(length, 12);
    const char *named[] = { child, parent }, *name;
    struct error err;
    json_t *details;
    memset(over + (1 << 20), 0, 1 << 20);       /* block 1 is not in the child */
    test_write(a, bytes, length), test_write(c, over, length);
    cr_assert_eq(test_run("cd '%s' && for x in a c; do qemu-img convert -f raw -O vhdx -o block_size=1M $x.raw $x.vhdx || exit 1; done; mv a.vhdx p.vhdx", folder), 0);
    uint8_t *p = test_read(parent, &m), *f = test_read(child, &n), *metadata = f, *table = f;
    for (uint8_t *r = f + 196608 + 16, k = 0; k < 2; k++, r += 32)
        *(r[0] == 0x66 ? &table : &metadata) = f + le64_get(r + 16);
    cr_assert(!memcmp(metadata, "metadata", 8));
    uint64_t newest = le64_get(p + 65536 + 8) > le64_get(p + 131072 + 8) ? 65536 : 131072;
    uint8_t *g = p + newest + 32, *parameters = vhdx_item(metadata, "\x37\x67\xa1\xca"), *locator = metadata + 0x20000;
    snprintf(linkage, sizeof(linkage), "{%08X-%04X-%04X-%02X%02X-%02X%02X%02X%02X%02X%02X}", le32_get(g), le16_get(g + 4), le16_get(g + 6), g[8], g[9], g[10],
             g[11], g[12], g[13], g[14], g[15]);
    cr_assert(parameters);
    le32_put(parameters + 4, 2);                /* has a parent */
    unsigned items = le16_get(metadata + 10);
    memcpy(metadata + 32 + items * 32, "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c", 16);
    le32_put(metadata + 48 + items * 32, 0x20000), le32_put(metadata + 52 + items * 32, 400);
    le16_put(metadata + 10, (uint16_t)(items + 1));
    const char *pairs[] = { "parent_linkage", linkage, "relative_path", ".\\p.vhdx" };
    le16_put(locator + 18, 2);
    for (unsigned k = 0, at = 44; k < 4; k++) {
        le32_put(locator + 20 + k / 2 * 12 + k % 2 * 4, at), le16_put(locator + 28 + k / 2 * 12 + k % 2 * 2, (uint16_t)(strlen(pairs[k]) * 2));
        for (size_t i = 0; i < strlen(pairs[k]); i++, at += 2)
            le16_put(locator + at, (uint8_t)pairs[k][i]);
    }
    cr_assert_eq(le64_get(table) & 7, 6);
    le64_put(table + 8, 0);
    le64_put(table, (le64_get(table) & ~7ull) | 7);
    le64_put(table + 4096 * 8, (uint64_t)n | 6);        /* one bitmap for 4096 blocks of 1 MiB */
    cr_assert_eq(n % (1 << 20), 0);
    f = realloc(f, n + (1 << 20));
    memset(f + n, 0, 1 << 20), memset(f + n, 0x5a, 128), memset(f + n + 128, 255, 64);     /* of block 0 single sectors, then all, then none */
    test_write(child, f, n + (1 << 20));
    refused(child, "--parent");
    cr_assert(!open_with(child, named, 1, &name, &details, &err) && strstr(err.text, "p.vhdx"), "%s", err.text);
    struct block *b = open_with(child, named, 2, &name, &details, &err);
    cr_assert(b, "%s", err.text);
    for (size_t s = 0; s < 4096; s++) {
        bool own = s < 1024 ? 0x5a >> s % 8 & 1 : s < 1536 || s / 2048 == 2;
        memcpy(bytes + s * 512, (own ? over : bytes) + s * 512, 512);
    }
    memcpy(bytes + (2 << 20), over + (2 << 20), 1 << 20);
    check_bytes(b, bytes, length, "vhdx differencing");
    block_close(b);
    json_decref(details);
    free(p), free(f), free(bytes), free(over);
}
