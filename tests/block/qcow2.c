/* qcow2 against an in-memory model, against power cuts, and against qemu-img. */
#include "block/qcow2.h"
#include "block/qcow2_writer.h"
#include "base/bits.h"
#include "base/log.h"
#include "tests/support/block_fault.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void quiet(void) { log_to(NULL); }
TestSuite(qcow2, .init = quiet);

static struct block *open_on(struct fault_disk *d, bool write, struct block *below)
{
    struct error err = { 0 };
    char *backing, *format;
    struct qcow2 *q = qcow2_open_on(block_open_fault(d), "test", write, &backing, &format, &err);
    cr_assert(q, "%s", err.text);
    free(backing);
    free(format);
    q->b.below = below;
    return &q->b;
}

static struct fault_disk *make(unsigned cluster_bits, unsigned order, unsigned version, uint64_t size)
{
    struct error err = { 0 };
    struct fault_disk *d = fault_disk_new();
    struct block *file = block_open_fault(d);
    struct qcow2_layout l = { .version = version, .cluster_bits = cluster_bits, .refcount_order = order, .size = size };
    cr_assert(qcow2_create_on(file, &l, &err), "%s", err.text);
    block_close(file);
    return d;
}

static void check(struct fault_disk *d, bool leaks_allowed, const char *when)
{
    struct qcow2_report r;
    struct block *b = open_on(d, true, NULL);
    cr_assert_eq(qcow2_check_on(qcow2_of(b), &r), 0);
    cr_assert_eq(r.errors, 0, "%s: %llu errors", when, (unsigned long long)r.errors);
    cr_assert(leaks_allowed || !r.leaks, "%s: %llu leaks", when, (unsigned long long)r.leaks);
    block_close(b);
}

static void qemu_check(struct fault_disk *d, const char *when)
{
    static char *path;
    if (!path) {
        if (!test_program("qemu-img"))
            return;
        path = test_path(test_folder(), "image.qcow2");
    }
    test_write(path, d->now, d->size);
    int status = test_run("qemu-img check -f qcow2 '%s'", path);
    cr_assert(status == 0 || status == 3, "%s: qemu-img check ends with %d", when, status);
}

/* Random operations against a plain array; the backing image is shorter than the disk. */
static void model_run(unsigned bits, unsigned order, unsigned version, bool backed, uint64_t seed)
{
    enum { SIZE = 3 << 20, BELOW = 2 << 20 };
    struct error err = { 0 };
    struct fault_disk *d = make(bits, order, version, SIZE);
    uint8_t *model = calloc(1, SIZE), *bytes = malloc(SIZE), *base = malloc(BELOW);
    for (size_t i = 0; i < BELOW; i++)
        base[i] = (uint8_t)(i * 7 >> 9);
    struct block *b = NULL;
    if (backed)
        memcpy(model, base, BELOW);
    for (unsigned step = 0; step < 1500; step++) {
        if (step % 300 == 0) {
            block_close(b);
            if (b)
                check(d, false, "closed");
            struct block *below = NULL;
            if (backed) {
                below = block_open_memory(BELOW, &err);
                cr_assert_eq(block_write(below, 0, base, BELOW), 0);
                below->read_only = true;
            }
            b = open_on(d, true, below);
        }
        uint64_t offset = test_random(&seed) % SIZE, length = test_random(&seed) % (test_random(&seed) % 8 ? 9000 : 400000) + 1;
        length = MIN(length, SIZE - offset);
        switch (test_random(&seed) % 8) {
        case 0: case 1: case 2:
            memset(bytes, (int)test_random(&seed), length);
            bytes[length / 2] = (uint8_t)step;
            cr_assert_eq(block_write(b, offset, bytes, length), 0);
            memcpy(model + offset, bytes, length);
            break;
        case 3:
            cr_assert_eq(block_zero(b, offset, length), 0);
            memset(model + offset, 0, length);
            break;
        case 4: {
            uint64_t first = align_up(offset, 1u << bits), end = align_down(offset + length, 1u << bits);
            if (offset + length == SIZE)
                end = SIZE;
            cr_assert_eq(block_discard(b, offset, length), 0);
            if (first < end && (version >= 3 || !backed))
                memset(model + first, 0, end - first);
            break;
        }
        case 5:
            cr_assert_eq(block_flush(b), 0);
            break;
        default:
            cr_assert_eq(block_read(b, offset, bytes, length), 0);
            cr_assert(!memcmp(bytes, model + offset, length), "step %u", step);
        }
    }
    cr_assert_eq(block_read(b, 0, bytes, SIZE), 0);
    cr_assert(!memcmp(bytes, model, SIZE));
    for (uint64_t at = 0, n; at < SIZE; at += n) {
        unsigned kind;
        n = SIZE - at;
        cr_assert_eq(block_extents(b, at, &n, &kind), 0);
        cr_assert(n > 0);
        cr_assert(kind == BLOCK_DATA || !any_nonzero(model + at, n), "extent at %llu", (unsigned long long)at);
    }
    block_close(b);
    check(d, false, "end");
    qemu_check(d, "end");
    fault_disk_free(d);
    free(model), free(bytes), free(base);
}

Test(qcow2, model_64k) { model_run(16, 4, 3, false, 1); }
Test(qcow2, model_64k_backed) { model_run(16, 4, 3, true, 2); }
Test(qcow2, model_4k_backed) { model_run(12, 4, 3, true, 3); }
Test(qcow2, model_512_backed) { model_run(9, 4, 3, true, 4); }
Test(qcow2, model_version_2) { model_run(12, 4, 2, true, 5); model_run(12, 4, 2, false, 6); }
Test(qcow2, model_refcount_widths)
{
    for (unsigned order = 0; order <= 6; order++)
        model_run(9, order, 3, order % 2, 10 + order);
}

/* Every sector holds the number of the write that made it; after a cut it must hold the flushed number or a later one. */
enum { CUT_SECTORS = 1024, CUT_STEPS = 90 };
struct history { uint64_t flushed[CUT_SECTORS], later[CUT_SECTORS][CUT_STEPS]; unsigned count[CUT_SECTORS]; };

static void cut_note(struct history *h, unsigned sector, uint64_t value) { h->later[sector][h->count[sector]++] = value; }

static bool cut_steps(struct block *b, struct history *h, uint64_t *seed)
{
    static uint8_t bytes[CUT_SECTORS * 512];
    for (unsigned step = 1; step <= CUT_STEPS; step++) {
        unsigned sector = (unsigned)(test_random(seed) % CUT_SECTORS), n = (unsigned)(test_random(seed) % 40 + 1), op;
        n = MIN(n, CUT_SECTORS - sector);
        op = (unsigned)(test_random(seed) % 6);
        int error = 0;
        if (op == 5) {
            error = block_flush(b);
            for (unsigned s = 0; !error && s < CUT_SECTORS; s++)
                if (h->count[s])
                    h->flushed[s] = h->later[s][h->count[s] - 1], h->count[s] = 0;
        } else {
            for (unsigned s = 0; s < n; s++) {
                memset(bytes + s * 512, 0, 512);
                if (op != 4)
                    le64_put(bytes + s * 512, step), le64_put(bytes + s * 512 + 504, step);
                cut_note(h, sector + s, op == 4 ? 0 : step);
            }
            error = op == 4 ? block_zero(b, sector * 512ull, n * 512ull) : block_write(b, sector * 512ull, bytes, n * 512ull);
        }
        if (error)
            return false;
    }
    return true;
}

static void cut_verify(struct block *b, const struct history *h, uint64_t cut)
{
    uint8_t sector[512];
    for (unsigned s = 0; s < CUT_SECTORS; s++) {
        cr_assert_eq(block_read(b, s * 512ull, sector, 512), 0, "cut %llu", (unsigned long long)cut);
        uint64_t value = le64_get(sector);
        bool known = value == h->flushed[s];
        for (unsigned i = 0; i < h->count[s]; i++)
            known |= value == h->later[s][i];
        cr_assert(known && le64_get(sector + 504) == value, "cut %llu: sector %u holds %llu, flushed was %llu",
                  (unsigned long long)cut, s, (unsigned long long)value, (unsigned long long)h->flushed[s]);
    }
}

static void cut_run(unsigned bits, unsigned order, uint64_t seed, unsigned stride)
{
    struct history *h = malloc(sizeof(*h));
    bool done = false;
    for (uint64_t cut = 1; !done; cut += stride) {
        struct fault_disk *d = make(bits, order, 3, CUT_SECTORS * 512);
        uint64_t random = seed, chance = seed + cut;
        memset(h, 0, sizeof(*h));
        d->cut_at = d->writes + cut;
        struct block *b = open_on(d, true, NULL);
        done = cut_steps(b, h, &random);
        block_close(b);
        if (done)                               /* the cut came while closing, or never */
            d->cut_at = 0;
        fault_disk_restart(d, &chance);
        check(d, true, "after the cut");
        if (cut % 64 == 1)
            qemu_check(d, "after the cut");
        b = open_on(d, true, NULL);
        cut_verify(b, h, cut);
        cr_assert_eq(block_zero(b, 0, 5000), 0);
        block_close(b);
        check(d, true, "written again");
        fault_disk_free(d);
    }
    free(h);
}

Test(qcow2, power_cut_at_each_write_512) { cut_run(9, 4, 21, 3); }
Test(qcow2, power_cut_at_each_write_512_wide) { cut_run(9, 6, 22, 7); }
Test(qcow2, power_cut_at_each_write_4k) { cut_run(12, 4, 23, 1); }
Test(qcow2, power_cut_at_each_write_64k) { cut_run(16, 4, 24, 1); }

/* A write that fails (no space) leaves the disk as it was, and the next one works. */
Test(qcow2, failed_write)
{
    uint8_t ones[4096], got[4096], zeros[4096] = { 0 };
    memset(ones, 1, sizeof(ones));
    for (unsigned at = 1; at < 6; at++) {
        struct fault_disk *d = make(12, 4, 3, 1 << 20);
        struct block *b = open_on(d, true, NULL);
        d->fail_at = d->writes + at;
        d->fail_with = -ENOSPC;
        int error = block_write(b, 8192, ones, sizeof(ones));
        cr_assert_eq(error, at == 1 ? -ENOSPC : 0);
        cr_assert_eq(block_read(b, 8192, got, sizeof(got)), 0);
        cr_assert(!memcmp(got, error ? zeros : ones, sizeof(got)));
        d->fail_at = 0;
        cr_assert_eq(block_write(b, 8192, ones, sizeof(ones)), 0);
        cr_assert_eq(block_flush(b), 0);
        block_close(b);
        check(d, false, "after a failed write");
        fault_disk_free(d);
    }
}

/* A barrier that fails: nobody knows what is on the disk, so nothing is written any more. */
Test(qcow2, failed_flush)
{
    uint8_t ones[512] = { 1 };
    struct fault_disk *d = make(12, 4, 3, 1 << 20);
    struct block *b = open_on(d, true, NULL);
    cr_assert_eq(block_write(b, 0, ones, 512), 0);
    d->fail_at = d->writes + 2;                 /* the refcount block, then the barrier */
    d->fail_with = -EIO;
    cr_assert_eq(block_flush(b), -EIO);
    cr_assert_eq(block_write(b, 512, ones, 512), -EIO);
    block_close(b);
    fault_disk_free(d);
}

static void expect_refused(struct fault_disk *d, bool write, const char *words)
{
    struct error err = { 0 };
    char *backing, *format;
    struct qcow2 *q = qcow2_open_on(block_open_fault(d), "old.qcow2", write, &backing, &format, &err);
    cr_assert(!q, "opened in spite of: %s", words);
    cr_assert(strstr(err.text, words) && strstr(err.text, "old.qcow2"), "%s: %s", words, err.text);
}

Test(qcow2, damaged_headers)
{
    static const struct { unsigned at, width; uint64_t value; bool write; const char *words; } cases[] = {
        { H_MAGIC, 4, 0, false, "not a qcow2" }, { H_VERSION, 4, 4, false, "version 4" },
        { H_CLUSTER_BITS, 4, 8, false, "cluster size" }, { H_CLUSTER_BITS, 4, 22, false, "cluster size" },
        { H_CRYPT, 4, 1, false, "encrypted" }, { H_SIZE, 8, 1ull << 62, false, "L1 table" },
        { H_SIZE, 8, ~0ull, false, "L1 table" }, { H_L1_SIZE, 4, 0, false, "L1 table" },
        { H_L1_SIZE, 4, 0xffffffff, false, "L1 table" }, { H_L1_OFFSET, 8, 1, false, "L1 table" },
        { H_L1_OFFSET, 8, 1ull << 50, false, "L1 table" }, { H_REFTABLE_OFFSET, 8, 7, false, "refcount table" },
        { H_REFTABLE_CLUSTERS, 4, 0xffffff, false, "refcount table" }, { H_REFTABLE_CLUSTERS, 4, 0, true, "refcount table" },
        { H_INCOMPATIBLE, 8, INCOMPATIBLE_DIRTY, true, "qemu-img check" },
        { H_INCOMPATIBLE, 8, INCOMPATIBLE_CORRUPT, true, "corrupt" },
        { H_INCOMPATIBLE, 8, INCOMPATIBLE_DATA_FILE, false, "another file" },
        { H_INCOMPATIBLE, 8, INCOMPATIBLE_COMPRESSION, false, "not known" },
        { H_INCOMPATIBLE, 8, INCOMPATIBLE_EXTENDED_L2, false, "extended" }, { H_INCOMPATIBLE, 8, 1ull << 40, false, "not known" },
        { H_REFCOUNT_ORDER, 4, 7, false, "refcounts" }, { H_HEADER_LENGTH, 4, 16, false, "header" },
        { H_HEADER_LENGTH, 4, 0x10000000, false, "header" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fault_disk *d = make(12, 4, 3, 1 << 20);
        if (cases[i].width == 4)
            be32_put(d->now + cases[i].at, (uint32_t)cases[i].value);
        else
            be64_put(d->now + cases[i].at, cases[i].value);
        expect_refused(d, cases[i].write, cases[i].words);
        fault_disk_free(d);
    }
}

Test(qcow2, truncated_files)
{
    struct fault_disk *d = make(9, 4, 3, 1 << 20);
    uint64_t whole = be64_get(d->now + H_L1_OFFSET) + be32_get(d->now + H_L1_SIZE) * 8ull;
    for (uint64_t size = 0; size < whole; size += 64) {
        struct error err = { 0 };
        char *backing, *format;
        d->size = size;
        struct qcow2 *q = qcow2_open_on(block_open_fault(d), "t", true, &backing, &format, &err);
        cr_assert(!q && err.text[0], "at %llu", (unsigned long long)size);
    }
    fault_disk_free(d);
}

Test(qcow2, snapshots_open_read_only_and_dirty_ones_for_reading)
{
    struct fault_disk *d = make(12, 4, 3, 1 << 20);
    be32_put(d->now + H_SNAPSHOTS, 1);
    struct block *b = open_on(d, true, NULL);
    cr_assert(b->read_only);
    cr_assert_eq(block_write(b, 0, "x", 1), -EROFS);
    block_close(b);
    be32_put(d->now + H_SNAPSHOTS, 0);
    be64_put(d->now + H_INCOMPATIBLE, INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT);
    block_close(open_on(d, false, NULL));
    fault_disk_free(d);
}

/* An L2 entry that names the header: refused, and nothing is written any more. */
Test(qcow2, hostile_entries)
{
    uint8_t ones[4096] = { 1 };
    struct fault_disk *d = make(12, 4, 3, 1 << 20);
    struct block *b = open_on(d, true, NULL);
    cr_assert_eq(block_write(b, 0, ones, 4096), 0);
    block_close(b);
    uint64_t l2 = be64_get(d->now + be64_get(d->now + H_L1_OFFSET)) & ENTRY_OFFSET;
    be64_put(d->now + l2, ENTRY_COPIED | be64_get(d->now + H_L1_OFFSET));
    b = open_on(d, true, NULL);
    cr_assert_eq(block_write(b, 0, ones, 4096), -EIO);
    block_close(b);
    be64_put(d->now + l2, ENTRY_COMPRESSED | 0x3ffffffffffffff);
    b = open_on(d, true, NULL);
    cr_assert_neq(block_read(b, 0, ones, 4096), 0);
    block_close(b);
    fault_disk_free(d);
}

static uint8_t *disk_bytes(size_t length, uint64_t seed)
{
    uint8_t *bytes = calloc(1, length);
    for (size_t at = 0; at < length; at += 16384) {
        size_t n = MIN(16384, length - at);
        unsigned kind = (unsigned)(test_random(&seed) % 4);
        for (size_t i = 0; kind && i < n; i++)
            bytes[at + i] = kind == 1 ? (uint8_t)test_random(&seed) : kind == 2 ? (uint8_t)(i / 100) : 0xf6;
    }
    return bytes;
}

Test(qcow2, writer)
{
    static const size_t lengths[] = { 1, 512, 65536, 65537, 1000003, 12 << 20 };
    char *folder = test_folder();
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct error err = { 0 };
        char *path = test_path(folder, "w.qcow2"), *raw = test_path(folder, "w.raw");
        size_t n = lengths[i];
        uint8_t *bytes = disk_bytes(n, i), *got = malloc(n);
        struct qcow2_written written;
        struct qcow2_report report;
        struct qcow2_writer *w = qcow2_writer_open(path, 1, 1 + i % 3, &err);
        cr_assert(w, "%s", err.text);
        for (size_t at = 0; at < n; at += 65536)
            cr_assert(qcow2_writer_put(w, bytes + at, MIN(65536, n - at), &err));
        cr_assert(qcow2_writer_finish(w, n, &written, &err), "%s", err.text);
        qcow2_writer_free(w);
        cr_assert(qcow2_check(path, &report, &err), "%s", err.text);
        cr_assert_eq(report.errors + report.leaks, 0);
        cr_assert_eq(report.clusters, written.stored);
        struct block *b = block_open_auto(path, 0, &err);
        cr_assert(b, "%s", err.text);
        cr_assert_eq(b->size, align_up(n, 512));
        cr_assert_eq(block_read(b, 0, got, n), 0);
        cr_assert(!memcmp(bytes, got, n));
        for (unsigned k = 0; k < 40; k++) {     /* compressed clusters are written over */
            uint64_t offset = k * 7919 * 13 % n;
            size_t m = MIN(5000, n - offset);
            memset(bytes + offset, (int)k, m);
            cr_assert_eq(block_write(b, offset, bytes + offset, m), 0);
        }
        block_close(b);
        cr_assert(qcow2_check(path, &report, &err), "%s", err.text);
        cr_assert_eq(report.errors + report.leaks, 0);
        test_write(raw, bytes, n);
        if (test_program("qemu-img")) {
            cr_assert_eq(test_run("qemu-img check -f qcow2 '%s'", path), 0);
            cr_assert_eq(test_run("qemu-img compare -f qcow2 -F raw '%s' '%s'", path, raw), 0);
        }
        cr_assert_eq(test_run("rm -f '%s' '%s'", path, raw), 0);
        free(bytes), free(got);
    }
}

Test(qcow2, writer_unfinished_leaves_nothing)
{
    struct error err = { 0 };
    char *folder = test_folder(), *path = test_path(folder, "w.qcow2");
    uint8_t bytes[65536];
    memset(bytes, 5, sizeof(bytes));
    struct qcow2_writer *w = qcow2_writer_open(path, 6, 2, &err);
    for (unsigned i = 0; i < 50; i++)
        cr_assert(qcow2_writer_put(w, bytes, sizeof(bytes), &err));
    qcow2_writer_free(w);
    cr_assert_eq(test_run("rmdir '%s'", folder), 0);
}

Test(qcow2, chain_of_layers)
{
    struct error err = { 0 };
    char *folder = test_folder(), *base = test_path(folder, "base.raw"), *top = test_path(folder, "layers/top.qcow2");
    uint8_t *bytes = disk_bytes(1 << 20, 9), got[3000];
    cr_assert_eq(test_run("mkdir '%s/layers'", folder), 0);
    test_write(base, bytes, 1 << 20);
    cr_assert(qcow2_create(top, 0, "../base.raw", "raw", &err), "%s", err.text);
    cr_assert(!qcow2_create(top, 0, "../base.raw", "raw", &err));
    cr_assert(strstr(err.text, "exists already"), "%s", err.text);
    struct block *b = block_open_auto(top, 0, &err);
    cr_assert(b, "%s", err.text);
    cr_assert_eq(b->size, 1 << 20);
    memset(bytes + 70000, 9, 3000);
    cr_assert_eq(block_write(b, 70000, bytes + 70000, 3000), 0);
    cr_assert(!block_open_auto(top, 0, &err));
    cr_assert(strstr(err.text, "being written by another"), "%s", err.text);
    block_close(b);
    b = block_open_auto(top, BLOCK_RDONLY, &err);
    cr_assert_eq(block_read(b, 70000, got, 3000), 0);
    cr_assert(!memcmp(got, bytes + 70000, 3000));
    struct block *second = block_open_auto(top, BLOCK_RDONLY, &err);
    cr_assert(second, "%s", err.text);
    cr_assert(!block_open_auto(top, 0, &err));
    cr_assert(strstr(err.text, "being read by another"), "%s", err.text);
    block_close(second);
    block_close(b);
    if (test_program("qemu-img")) {
        test_write(test_path(folder, "want.raw"), bytes, 1 << 20);
        cr_assert_eq(test_run("qemu-img check -f qcow2 '%s'", top), 0);
        cr_assert_eq(test_run("qemu-img compare -f qcow2 -F raw '%s' '%s/want.raw'", top, folder), 0);
    }
    cr_assert_eq(test_run("rm '%s'", base), 0);
    cr_assert(!block_open_auto(top, 0, &err));
    cr_assert(strstr(err.text, "base.raw, which cannot be found"), "%s", err.text);
    cr_assert(qcow2_create(test_path(folder, "a"), 1 << 20, "b", "qcow2", &err));
    cr_assert(qcow2_create(test_path(folder, "b"), 1 << 20, "a", "qcow2", &err));
    cr_assert(!block_open_auto(test_path(folder, "a"), BLOCK_RDONLY, &err));
    cr_assert(strstr(err.text, "its own backing image"), "%s", err.text);
    free(bytes);
}

/* Images that QEMU made: both versions, compressed, zero clusters, other cluster sizes. */
Test(qcow2, images_of_qemu)
{
    if (!test_program("qemu-img"))
        TEST_SKIP("qcow2.images_of_qemu", "qemu-img is not installed");
    static const char *options[] = { "-o compat=0.10", "-o compat=1.1,cluster_size=512", "-c", "-c -o cluster_size=2M",
                                     "-o preallocation=metadata", "-o refcount_bits=1", "-o lazy_refcounts=on" };
    char *folder = test_folder(), *raw = test_path(folder, "r.raw"), *path = test_path(folder, "q.qcow2");
    uint8_t *bytes = disk_bytes(5 << 20, 77), *got = malloc(5 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        struct error err = { 0 };
        test_write(raw, bytes, 5 << 20);
        cr_assert_eq(test_run("rm -f '%s'; qemu-img convert -O qcow2 %s '%s' '%s'", path, options[i], raw, path), 0);
        struct block *b = block_open_auto(path, 0, &err);
        cr_assert(b, "%s: %s", options[i], err.text);
        cr_assert_eq(block_read(b, 0, got, 5 << 20), 0);
        cr_assert(!memcmp(bytes, got, 5 << 20), "%s", options[i]);
        for (unsigned k = 0; k < 20; k++)
            cr_assert_eq(block_write(b, k * 250007, "changed", 7), 0);
        cr_assert_eq(block_zero(b, 1 << 20, 1 << 20), 0);
        cr_assert_eq(block_read(b, 0, got, 5 << 20), 0);
        block_close(b);
        test_write(raw, got, 5 << 20);
        cr_assert_eq(test_run("qemu-img check -f qcow2 '%s'", path), 0, "%s", options[i]);
        cr_assert_eq(test_run("qemu-img compare -f qcow2 -F raw '%s' '%s'", path, raw), 0, "%s", options[i]);
    }
    free(bytes), free(got);
}
