/* Bad sectors, maps, checksums of MiBs, imports that are interrupted and go on. */
#include "importers/evidence/digest.h"
#include "importers/reader.h"
#include "base/bits.h"
#include "tests/support/block_fault.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a disk with bad sectors ----------------------------------------------------------------------------------------- */

struct worn { struct block b; const uint8_t *bytes; const bool *bad; unsigned reads, dies_after; };

static int worn_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct worn *w = (struct worn *)b;
    if (w->dies_after && ++w->reads > w->dies_after)
        return -EIO;
    for (uint64_t at = offset / 512; at <= (offset + length - 1) / 512; at++)
        if (w->bad[at])
            return -EIO;
    memcpy(to, w->bytes + offset, length);
    return 0;
}

static const struct block_class worn_class = { .name = "worn", .size = sizeof(struct worn), .read = worn_read };

static bool read_worn(struct worn *w, struct reader *r, uint8_t *to, struct error *err)
{
    static struct source s;
    s = (struct source){ .name = "worn", .kind = "file", .format = "raw", .block = &w->b, .size = w->b.size };
    bool zeros, ok = true;
    *r = (struct reader){ .source = &s };
    for (size_t got = PIPELINE_CHUNK; ok && got == PIPELINE_CHUNK;) {
        uint64_t at = r->position;
        ok = reader_next(r, to + at, &got, &zeros, err);
        cr_assert(!zeros);
    }
    return ok;
}

Test(pipeline, bad_sectors)
{
    enum { SIZE = 3 * PIPELINE_CHUNK + 700, COUNT = (SIZE + 511) / 512 };
    uint8_t *bytes = malloc(SIZE), *to = malloc(SIZE);
    static bool bad[COUNT];
    uint64_t seed = 1;
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)test_random(&seed) | 1;
    for (unsigned round = 0; round < 20; round++) {
        memset(bad, 0, sizeof(bad));
        for (unsigned i = 0; i < round * 3; i++) {
            unsigned from = (unsigned)(test_random(&seed) % COUNT), n = (unsigned)(test_random(&seed) % (i % 3 ? 4 : 300));
            for (unsigned k = from; k < MIN(from + n, (unsigned)COUNT); k++)
                bad[k] = true;
        }
        bad[COUNT - 1] = round & 1;             /* the short one at the end */
        bad[0] = round & 2;
        struct worn w = { .b = { .class = &worn_class, .size = SIZE, .read_only = true }, .bytes = bytes, .bad = bad };
        struct reader r;
        struct error err;
        cr_assert(read_worn(&w, &r, to, &err), "%s", err.text);
        size_t range = 0;
        for (unsigned s = 0; s < COUNT; s++) {
            uint64_t at = s * 512ull, n = MIN(512, SIZE - at);
            cr_assert_eq(ranges_touch(&r.bad, at, n), bad[s], "sector %u", s);
            for (unsigned k = 0; k < n; k++)
                cr_assert_eq(to[at + k], bad[s] ? 0 : bytes[at + k]);
            range += bad[s] && (!s || !bad[s - 1]);
        }
        cr_assert_eq(r.bad.count, range, "%zu ranges, not %zu", r.bad.count, range);
        reader_close(&r);
    }
    struct worn w = { .b = { .class = &worn_class, .size = SIZE, .read_only = true }, .bytes = bytes, .bad = bad, .dies_after = 2 };
    struct reader r;
    struct error err;
    memset(bad, 0, sizeof(bad));
    cr_assert(!read_worn(&w, &r, to, &err) && err.code == ENODEV && r.position == 2 * PIPELINE_CHUNK, "%s", err.text);
    cr_assert(strstr(err.text, "does not answer"), "%s", err.text);
    reader_close(&r);
    free(bytes), free(to);
}

Test(pipeline, ddrescue_maps)
{
    static const struct { const char *text; uint64_t size; unsigned count; uint64_t bytes; const char *words; } cases[] = {
        { "# Mapfile. Created by GNU ddrescue version 1.27\n# Command line: ddrescue /dev/sdb a b\n0x00010000     +               1\n"
          "#      pos        size  status\n0x00000000  0x00001000  +\n0x00001000  0x00000200  -\n0x00001200  0x0000EE00  +\n", 0x10000, 1, 512, NULL },
        { "0 ?\n0 512 +\n512 512 *\n1024 1024 /\n2048 512 +\n", 4096, 2, 1536 + 1536, NULL },   /* what it does not name is not read */
        { "0x0 + 1\n0x0 0x8000 +\n", 4096, 0, 0, NULL }, { "0x0 + 1\n\n0x200\t0x100000000 -\n", 4096, 1, 4096, NULL },
        { "0x0 + 1\n0x0 0x100 X\n", 4096, 0, 0, "line 2" }, { "0x0 + 1\n0x200 0x100 +\n0x100 0x100 +\n", 4096, 0, 0, "line 3" },
        { "0x0 + 1\n0xffffffffffffffff 0x100 +\n", 4096, 0, 0, "line 2" }, { "0x0 + 1\n-5 0x100 +\n", 4096, 0, 0, "line 2" },
        { "", 4096, 0, 0, "not a ddrescue map" }, { "# only\n", 4096, 0, 0, "not a ddrescue map" }, { "\x7f" "ELF", 4096, 0, 0, "line 1" },
        { "0x0 + 1\n0x0 0x99999999999999999999 +\n", 4096, 0, 0, "line 2" },
    };
    char *folder = test_folder(), *path = test_path(folder, "disk.map");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ranges r = { 0 }, again = { 0 };
        struct error err = { 0 };
        bool ok = map_parse(cases[i].text, "m", cases[i].size, &r, &err);
        cr_assert_eq(ok, !cases[i].words, "case %zu: %s", i, err.text);
        if (ok) {
            cr_assert(r.count == cases[i].count && ranges_bytes(&r) == cases[i].bytes, "case %zu: %zu, %llu", i, r.count,
                      (unsigned long long)ranges_bytes(&r));
            cr_assert(map_write(path, cases[i].size, cases[i].size, &r, &err) && map_read(path, cases[i].size, &again, &err), "%s", err.text);
            cr_assert(again.count == r.count && (!r.count || !memcmp(again.list, r.list, r.count * sizeof(*r.list))), "case %zu", i);
            if (test_program("ddrescuelog"))
                cr_assert_eq(test_run("ddrescuelog -t '%s'", path), 0, "case %zu", i);
        } else {
            cr_assert(strstr(err.text, cases[i].words), "case %zu: %s", i, err.text);
        }
        ranges_free(&r), ranges_free(&again);
    }
}

/* --- whole imports --------------------------------------------------------------------------------------------------- */

enum { LENGTH = (9 << 20) + 12345 };
static volatile sig_atomic_t stop;
static uint64_t stop_at;

static void stopper(void *ui, const struct import_progress *p)
{
    (void)ui;
    if (stop_at && p->done >= stop_at)
        stop = 1;
}

struct job { char *folder, *guest, *source; uint8_t *bytes; const char *sources[1]; struct import_options o; struct import_result r; struct error err; };

static void job_begin(struct job *j)
{
    uint64_t seed = 5;
    *j = (struct job){ .folder = strdup(test_folder()), .bytes = malloc(LENGTH) };
    j->guest = strdup(test_path(j->folder, "g"));
    j->source = strdup(test_path(j->folder, "s.raw"));
    mkdir(j->guest, 0755);
    for (unsigned i = 0; i < LENGTH; i++)
        j->bytes[i] = (uint8_t)test_random(&seed);
    memset(j->bytes + (3 << 20), 0, 2 << 20);
    test_write(j->source, j->bytes, LENGTH);
    j->sources[0] = j->source;
    stop = 0, stop_at = 0;
    j->o = (struct import_options){ .sources = j->sources, .source_count = 1, .folder = j->guest, .rules = "legacy-profiles/import.rules",
        .tool_version = "test", .no_inspect = true, .cancel = &stop, .progress = stopper, .checkpoint_seconds = 1e-9 };
}

static void job_end(struct job *j)
{
    free(j->folder), free(j->guest), free(j->source), free(j->bytes);
}

static bool job_run(struct job *j)
{
    j->err = (struct error){ 0 };
    stop = 0;
    return import_run(&j->o, &j->r, &j->err);
}

static void job_check(struct job *j)
{
    char hex[65];
    struct digest d;
    cr_assert(digest_begin(&d, &j->err));
    digest_add(&d, j->bytes, LENGTH);
    digest_end(&d, hex);
    cr_assert_str_eq(j->r.disks[0].sha256, hex);
    cr_assert(digest_begin_md5(&d, &j->err));
    digest_add(&d, j->bytes, LENGTH);
    digest_end(&d, hex);
    cr_assert_str_eq(j->r.disks[0].md5, hex);
    import_result_free(&j->r);
    cr_assert_eq(test_run("cd '%s' && test \"$(ls)\" = \"disk0.qcow2\nevidence\"", j->guest), 0);
    if (test_program("qemu-img")) {
        cr_assert_eq(test_run("qemu-img check -f qcow2 '%s/disk0.qcow2'", j->guest), 0);
        cr_assert_eq(test_run("qemu-img compare -f raw -F qcow2 '%s' '%s/disk0.qcow2'", j->source, j->guest), 0);
    }
    cr_assert_eq(test_run("cd '%s/evidence' && while read first count sum; do n=0; while [ $n -lt $count ]; do "
                          "echo \"$sum  -\" > line; dd if='%s' bs=1M count=1 skip=$((first+n)) status=none | sha256sum -c line || exit 1; "
                          "n=$((n+1)); done; done < disk0.sha256s; rm line", j->guest, j->source), 0);
}

Test(pipeline, an_interrupted_import_goes_on)
{
    struct job j;
    job_begin(&j);
    for (unsigned i = 1; i < 9; i += 3) {       /* again and again */
        stop_at = (uint64_t)i << 20;
        cr_assert(!job_run(&j) && j.err.code == EINTR && j.r.kept, "%s", j.err.text);
        cr_assert(strstr(j.err.text, "goes on"), "%s", j.err.text);
    }
    stop_at = 0;
    cr_assert(job_run(&j), "%s", j.err.text);
    cr_assert(j.r.disks[0].resumed_at >= 7 << 20 && strstr(j.r.manifest, "resumed_at"), "%s", j.r.manifest);
    job_check(&j);
    job_end(&j);
}

Test(pipeline, a_killed_import_goes_on, .timeout = 180)
{
    struct job j;
    unsigned resumed = 0;
    char part[600];
    job_begin(&j);
    snprintf(part, sizeof(part), "%s/disk0.qcow2.part", j.guest);
    for (unsigned i = 0; i < 12; i++) {
        pid_t child = fork();
        if (!child)
            _exit(!job_run(&j));
        for (unsigned wait = 0; i % 4 && wait < 20000 && access(part, F_OK) && !waitpid(child, NULL, WNOHANG); wait++)
            usleep(1000);                       /* three times of four until something is kept */
        usleep(i * 5000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (!test_run("test -e '%s/disk0.qcow2' -a ! -e '%s/evidence/disk0.resume'", j.guest, j.guest))
            cr_assert_eq(test_run("rm -rf '%s'/*", j.guest), 0);        /* it was done */
        cr_assert(job_run(&j), "round %u: %s", i, j.err.text);
        resumed += j.r.disks[0].resumed_at > 0;
        job_check(&j);
        cr_assert_eq(test_run("rm -rf '%s'/*", j.guest), 0);
    }
    cr_assert(resumed, "no import went on");
    job_end(&j);
}

Test(pipeline, another_source_is_not_gone_on_with)
{
    struct job j;
    job_begin(&j);
    stop_at = 5 << 20;
    cr_assert(!job_run(&j) && j.r.kept, "%s", j.err.text);
    stop_at = 0;
    j.bytes[100] ^= 1;
    test_write(j.source, j.bytes, LENGTH);
    cr_assert_eq(test_run("touch -d @$(sed -n 's/.*bytes //p' '%s/evidence/disk0.resume') '%s'", j.guest, j.source), 0);
    cr_assert(job_run(&j), "%s", j.err.text);
    cr_assert_eq(j.r.disks[0].resumed_at, 0);
    job_check(&j);
    job_end(&j);
}

/* A bit that turned over in the half-made image, past what is compared with the source: noticed by the list, and all is removed. */
Test(pipeline, a_damaged_half_is_noticed)
{
    struct job j;
    job_begin(&j);
    stop_at = 7 << 20;
    cr_assert(!job_run(&j) && j.r.kept, "%s", j.err.text);
    cr_assert_eq(test_run("cd '%s' && chmod u+w disk0.qcow2.part && printf 'X' | dd of=disk0.qcow2.part bs=1 seek=1900000 conv=notrunc", j.guest), 0);
    stop_at = 0;
    bool ok = job_run(&j);
    cr_assert(!ok && !j.r.kept && strstr(j.err.text, "damaged"), "%s", j.err.text);
    cr_assert_eq(test_run("test -z \"$(ls -A '%s')\"", j.guest), 0);
    cr_assert(job_run(&j), "%s", j.err.text);
    job_check(&j);
    job_end(&j);
}

Test(pipeline, a_ddrescue_map_is_taken_along)
{
    struct job j;
    char map[600], text[] = "0x0 + 1\n0x0 0x100000 +\n0x100000 0x400 -\n0x100400 0x100000000 +\n";
    job_begin(&j);
    snprintf(map, sizeof(map), "%s/rescue.map", j.folder);
    test_write(map, text, strlen(text));
    j.o.ddrescue_map = map;
    cr_assert(job_run(&j), "%s", j.err.text);
    cr_assert_eq(j.r.disks[0].bad_bytes, 1024);
    cr_assert(strstr(j.r.disks[0].findings[j.r.disks[0].finding_count - 1], "1024 bytes in 1 place") ||
              strstr(j.r.manifest, "1024 bytes in 1 place"), "%s", j.r.manifest);
    cr_assert_eq(test_run("grep -q '^0x00100000  0x00000400  -$' '%s/evidence/disk0.map'", j.guest), 0);
    job_check(&j);
    test_write(map, "nonsense\n", 9);
    cr_assert_eq(test_run("rm -rf '%s'/*", j.guest), 0);
    cr_assert(!job_run(&j) && strstr(j.err.text, "rescue.map"), "%s", j.err.text);
    cr_assert_eq(test_run("test -z \"$(ls -A '%s')\"", j.guest), 0);
    job_end(&j);
}

/* A stream is looked at in a temporary image. */
Test(pipeline, a_dry_run_of_a_stream)
{
    struct job j;
    char fifo[600];
    job_begin(&j);
    snprintf(fifo, sizeof(fifo), "%s/fifo", j.folder);
    cr_assert(!mkfifo(fifo, 0600));
    setenv("TMPDIR", j.folder, 1);
    pid_t child = fork();
    if (!child)
        _exit(test_run("cat '%s' > '%s'", j.source, fifo));
    j.sources[0] = fifo;
    j.o.dry_run = true;
    cr_assert(job_run(&j), "%s", j.err.text);
    waitpid(child, NULL, 0);
    cr_assert_eq(j.r.disks[0].bytes, LENGTH);
    cr_assert(*j.r.profile);
    import_result_free(&j.r);
    cr_assert_eq(test_run("test -z \"$(ls -A '%s')\" && ! ls -d '%s'/holdover-look-*", j.guest, j.folder), 0);
    job_end(&j);
}

/* A folder has no bytes of its own to hash; a container has, beside those of its disk. */
Test(pipeline, containers_have_a_checksum_of_their_own)
{
    struct job j;
    char path[600], hex[65] = "";
    job_begin(&j);
    snprintf(path, sizeof(path), "%s/folder", j.folder);
    cr_assert_eq(test_run("mkdir '%s' && echo hello > '%s/HELLO.TXT'", path, path), 0);
    j.sources[0] = path;
    cr_assert(job_run(&j), "%s", j.err.text);
    cr_assert(!strstr(j.r.manifest, "container_sha256"));
    import_result_free(&j.r);
    cr_assert_eq(test_run("rm -rf '%s'/*", j.guest), 0);
    if (!test_program("qemu-img"))
        TEST_SKIP("pipeline.containers_have_a_checksum_of_their_own", "qemu-img is not installed");
    snprintf(path, sizeof(path), "%s/disk.vdi", j.folder);
    cr_assert_eq(test_run("qemu-img convert -O vdi '%s' '%s'", j.source, path), 0);
    cr_assert(job_run(&j), "%s", j.err.text);
    cr_assert(digest_file(path, hex, NULL, &j.err));
    cr_assert(strstr(j.r.manifest, hex), "%s", j.r.manifest);
    import_result_free(&j.r);
    job_end(&j);
}

/* A guest that began with a CD: its image is verified and packed, its empty disk is told. */
Test(pipeline, verify_and_bag_of_a_cd)
{
    struct job j;
    char path[600], manifest[600], image[600], to[600], file[64];
    if (!test_program("xorriso"))
        TEST_SKIP("pipeline.verify_and_bag_of_a_cd", "xorriso is not installed");
    job_begin(&j);
    snprintf(path, sizeof(path), "%s/cd.iso", j.folder);
    cr_assert_eq(test_run("cd '%s' && mkdir t && echo x > t/A && xorriso -as mkisofs -o cd.iso t", j.folder), 0);
    j.sources[0] = path;
    cr_assert(job_run(&j), "%s", j.err.text);
    import_result_free(&j.r);
    snprintf(manifest, sizeof(manifest), "%s/evidence/manifest.json", j.guest);
    snprintf(image, sizeof(image), "%s/disk0.qcow2", j.guest);
    struct export_options o = { .image = image, .manifest = manifest };
    cr_assert(!import_verify(&o, &j.err) && j.err.code == ENOENT, "%s", j.err.text);
    cr_assert(import_verify_medium(&o, file, &j.err), "%s", j.err.text);
    cr_assert_str_eq(file, "cd0.iso");
    snprintf(to, sizeof(to), "%s/bag", j.folder);
    struct bag_options b = { .folder = j.guest, .name = "cd", .images = { image }, .count = 1, .format = "raw", .to = to, .tool_version = "1" };
    cr_assert(export_bag(&b, &j.err), "%s", j.err.text);
    cr_assert_eq(test_run("cd '%s' && sha256sum --strict -c manifest-sha256.txt && cmp data/cd0.iso '%s'", to, path), 0);
    cr_assert_eq(test_run("chmod u+w '%s/cd0.iso' && printf x | dd of='%s/cd0.iso' bs=1 seek=40000 conv=notrunc", j.guest, j.guest), 0);
    cr_assert(!import_verify_medium(&o, file, &j.err) && j.err.code == EIO && strstr(j.err.text, "does not hold"), "%s", j.err.text);
    o.disk = 1;
    cr_assert(!import_verify_medium(&o, file, &j.err) && j.err.code == ENOENT, "%s", j.err.text);
    job_end(&j);
}

/* --- verify, export -------------------------------------------------------------------------------------------------- */

Test(pipeline, verify_names_the_mib)
{
    struct job j;
    char image[600], manifest[600];
    job_begin(&j);
    cr_assert(job_run(&j), "%s", j.err.text);
    import_result_free(&j.r);
    snprintf(image, sizeof(image), "%s/disk0.qcow2", j.guest);
    snprintf(manifest, sizeof(manifest), "%s/evidence/manifest.json", j.guest);
    struct export_options o = { .image = image, .manifest = manifest };
    cr_assert(import_verify(&o, &j.err), "%s", j.err.text);
    /* MiB 0 lies at the file's start; the clusters of MiB 7 are found by their bytes */
    size_t n;
    uint8_t *bytes = test_read(image, &n), *at = memmem(bytes, n, j.bytes + (7 << 20) + 65536, 512);
    cr_assert(at);
    *at ^= 0x40;
    cr_assert_eq(unlink(image), 0);
    test_write(image, bytes, n);
    cr_assert(!import_verify(&o, &j.err));
    cr_assert(strstr(j.err.text, "MiB 7 differs"), "%s", j.err.text);
    bytes[65536 + 5] ^= 1;
    test_write(image, bytes, n);
    cr_assert(!import_verify(&o, &j.err) && strstr(j.err.text, "MiB 0, 7 differ"), "%s", j.err.text);
    cr_assert(!export_disk(&(struct export_options){ .image = image, .manifest = manifest, .to = test_path(j.folder, "x.raw") }, NULL, &j.err));
    cr_assert(strstr(j.err.text, "does not hold"), "%s", j.err.text);
    bytes[65536 + 5] ^= 1, *at ^= 0x40;
    bytes[4096] ^= 1;                           /* in the header's cluster, where nobody looks */
    test_write(image, bytes, n);
    cr_assert(!import_verify(&o, &j.err) && strstr(j.err.text, "the file itself was changed"), "%s", j.err.text);
    bytes[4096] ^= 1;
    test_write(image, bytes, n);
    cr_assert(import_verify(&o, &j.err), "%s", j.err.text);
    cr_assert_eq(test_run("echo '0 1 x' >> '%s/evidence/disk0.sha256s'", j.guest), 0);
    cr_assert(!import_verify(&o, &j.err) && strstr(j.err.text, "not the list"), "%s", j.err.text);
    cr_assert_eq(unlink(manifest), 0);
    cr_assert(!import_verify(&o, &j.err) && j.err.code != ENOENT && strstr(j.err.text, "manifest.json"), "%s", j.err.text);
    free(bytes);
    job_end(&j);
}

Test(pipeline, exports_that_others_open)
{
    static const char *const formats[][2] = { { "raw", "raw" }, { "qcow2", "qcow2" }, { "vhd", "vpc" }, { "vmdk", "vmdk" }, { "vdi", "vdi" } };
    struct job j;
    char image[600], manifest[600], to[600], sha256[65];
    job_begin(&j);
    cr_assert(job_run(&j), "%s", j.err.text);
    snprintf(image, sizeof(image), "%s/disk0.qcow2", j.guest);
    snprintf(manifest, sizeof(manifest), "%s/evidence/manifest.json", j.guest);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        snprintf(to, sizeof(to), "%s/out.%s", j.folder, formats[i][0]);
        struct export_options o = { .image = image, .manifest = manifest, .to = to, .format = formats[i][0] };
        cr_assert(export_disk(&o, sha256, &j.err), "%s: %s", formats[i][0], j.err.text);
        cr_assert_str_eq(sha256, j.r.disks[0].sha256);
        cr_assert(!export_disk(&o, NULL, &j.err) && strstr(j.err.text, "exists already"), "%s", j.err.text);
        if (!test_program("qemu-img"))
            continue;
        cr_assert_eq(test_run("qemu-img compare -f raw -F %s '%s' '%s'", formats[i][1], j.source, to), 0, "%s", formats[i][0]);
        cr_assert_eq(test_run("qemu-img info -f %s '%s' | grep -q '(%d bytes)'", formats[i][1], to, (LENGTH + 511) / 512 * 512), 0);
        if (i == 1 || i > 2)
            cr_assert_eq(test_run("qemu-img check -f %s '%s'", formats[i][1], to), 0, "%s", formats[i][0]);
    }
    struct export_options o = { .image = image, .manifest = manifest, .to = test_path(j.folder, "out.x"), .format = "dmg" };
    cr_assert(!export_disk(&o, NULL, &j.err) && strstr(j.err.text, "not dmg"), "%s", j.err.text);
    cr_assert_eq(test_run("! ls '%s' | grep part", j.folder), 0);
    import_result_free(&j.r);
    job_end(&j);
}

Test(pipeline, a_bag_that_others_accept)
{
    struct job j;
    char image[600], to[600];
    job_begin(&j);
    cr_assert(job_run(&j), "%s", j.err.text);
    import_result_free(&j.r);
    snprintf(image, sizeof(image), "%s/disk0.qcow2", j.guest);
    snprintf(to, sizeof(to), "%s/bag", j.folder);
    struct bag_options o = { .folder = j.guest, .name = "old", .images = { image }, .count = 1, .format = "raw", .to = to, .tool_version = "1" };
    cr_assert(export_bag(&o, &j.err), "%s", j.err.text);
    cr_assert_eq(test_run("cd '%s' && sha256sum --strict -c manifest-sha256.txt && sha256sum --strict -c tagmanifest-sha256.txt", to), 0);
    cr_assert_eq(test_run("cd '%s' && printf 'BagIt-Version: 1.0\\nTag-File-Character-Encoding: UTF-8\\n' | cmp - bagit.txt", to), 0);
    cr_assert_eq(test_run("cd '%s' && test \"$(find data -type f | sort)\" = \"$(sed 's/^[0-9a-f]*  //' manifest-sha256.txt | sort)\"", to), 0);
    cr_assert_eq(test_run("cd '%s' && grep -q \"^Payload-Oxum: $(find data -type f -printf '%%s\\n' | awk '{ s += $1 } END { print s \".\" NR }')$\" "
                          "bag-info.txt", to), 0);
    cr_assert_eq(test_run("cmp '%s' '%s/data/disk0.raw'", j.source, to), 0);
    cr_assert_eq(test_run("grep -q 'capture' '%s/data/premis.xml' && grep -q 'holds what was captured' '%s/data/premis.xml'", to, to), 0);
    if (test_program("python3"))
        cr_assert_eq(test_run("python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' '%s/data/premis.xml'", to), 0);
    cr_assert(!export_bag(&o, &j.err) && strstr(j.err.text, "exists already"), "%s", j.err.text);
    job_end(&j);
}
