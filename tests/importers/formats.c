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
    return file ? format_open(file, &(struct format_names){ path, parents, count }, name, details, err) : NULL;
}

/* Reads all of it in steps of many lengths, holes as such, and compares; what the image has beyond must be zeros. */
static void check_bytes(struct block *b, const uint8_t *bytes, size_t length, const char *what)
{
    static const size_t steps[] = { 1, 511, 512, 513, 4096, 65536, 70000, 1 << 20, 3 << 20 };
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
    { "qcow2", "compat=0.10", "qcow2", true }, { "qcow2", "cluster_size=512", "qcow2", true },
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
    cr_assert_eq(test_run("qemu-img convert -f raw -O %s -o '%s' '%s' '%s'", k->format, k->options, raw, image), 0, "%s", k->options);
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
    static const size_t lengths[] = { 512, 65536 + 512, 9 * 1048576 + 7 * 512, 21 * 1048576 };
    if (!test_program("qemu-img"))
        TEST_SKIP("formats.each_kind", "qemu-img is not installed");
    char *folder = test_folder();
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
            check_kind(&kinds[k], folder, lengths[i]);
}
