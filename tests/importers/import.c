/* Whole imports of disks made by the host's tools, and what must never happen. */
#include "importers/importer.h"
#include "importers/evidence/digest.h"
#include "block/block.h"
#include "base/bits.h"
#include "tests/support/block_fault.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *rules = "legacy-profiles/import.rules";

static struct import_options options_for(const char *source, const char *folder)
{
    static const char *sources[IMPORT_DISKS];

    sources[0] = source;
    return (struct import_options){ .sources = sources, .source_count = 1, .folder = folder, .rules = rules, .tool_version = "test", .no_inspect = true };
}

static char *guest_folder(const char *folder, const char *name)
{
    char *path = test_path(folder, name);
    mkdir(path, 0755);
    return path;
}

static void sha256_of(const void *bytes, size_t length, char hex[65])
{
    struct digest d;
    struct error err;
    cr_assert(digest_begin(&d, &err));
    digest_add(&d, bytes, length);
    digest_end(&d, hex);
}

/* The export equals the source bit for bit, and qemu-img agrees with the image. */
static void check_image(const char *guest, const char *source)
{
    char hex[65], hex2[65], out[600], image[600], manifest[600];
    struct error err = { 0 };
    size_t n, m;
    snprintf(image, sizeof(image), "%s/disk0.qcow2", guest);
    snprintf(manifest, sizeof(manifest), "%s/evidence/manifest.json", guest);
    snprintf(out, sizeof(out), "%s/out.raw", guest);
    struct export_options o = { .image = image, .manifest = manifest, .to = out };
    cr_assert(import_verify(&o, &err), "%s", err.text);
    cr_assert(export_disk(&o, hex, &err), "%s", err.text);
    uint8_t *a = test_read(source, &n), *b = test_read(out, &m);
    cr_assert_eq(n, m);
    cr_assert(!memcmp(a, b, n));
    sha256_of(a, n, hex2);
    cr_assert_str_eq(hex, hex2);
    cr_assert(!export_disk(&o, NULL, &err) && strstr(err.text, "exists already"));
    struct stat st;
    cr_assert(!stat(image, &st) && (st.st_mode & 0777) == 0444);
    if (test_program("qemu-img")) {
        cr_assert_eq(test_run("qemu-img check -f qcow2 '%s'", image), 0);
        cr_assert_eq(test_run("qemu-img compare -f raw -F qcow2 '%s' '%s'", source, image), 0);
    }
    free(a), free(b);
}

static uint8_t *noise(size_t length, uint64_t seed)
{
    uint8_t *bytes = calloc(1, length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = i >> 15 & 1 ? (uint8_t)(test_random(&seed) & 15) : 0;
    return bytes;
}

Test(import, lengths)
{
    static const size_t lengths[] = { 1, 511, 512, 65536, 65537, 1048576, 3333333 };
    char *folder = test_folder();
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        char name[16], hex[65];
        struct error err = { 0 };
        struct import_result r;
        uint8_t *bytes = noise(lengths[i], i);
        bytes[0] = 1;
        char *source = test_path(folder, "source.raw");
        snprintf(name, sizeof(name), "g%zu", i);
        char *guest = guest_folder(folder, name);
        test_write(source, bytes, lengths[i]);
        struct import_options o = options_for(source, guest);
        cr_assert(import_run(&o, &r, &err), "%s", err.text);
        sha256_of(bytes, lengths[i], hex);
        cr_assert_str_eq(r.disks[0].sha256, hex);
        cr_assert_eq(r.disks[0].bytes, lengths[i]);
        cr_assert_eq(r.disks[0].sectors, (lengths[i] + 511) / 512);
        cr_assert(strstr(r.manifest, hex) && *r.profile && *r.reason);
        import_result_free(&r);
        check_image(guest, source);
        cr_assert(!import_run(&o, &r, &err) && strstr(err.text, "never written over"), "%s", err.text);
        cr_assert_eq(test_run("test -s '%s/evidence/manifest.json'", guest), 0, "a refused import took away the first one's");
        free(bytes);
    }
}

Test(import, standard_input)
{
    char *folder = test_folder(), *source = test_path(folder, "s.raw"), *guest = guest_folder(folder, "g");
    uint8_t *bytes = noise(2500000, 3);
    struct import_result r;
    struct error err = { 0 };
    test_write(source, bytes, 2500000);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    if (!fork()) {
        close(ends[0]);
        for (size_t at = 0; at < 2500000; at += 777)
            if (write(ends[1], bytes + at, MIN(777, 2500000 - at)) < 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    dup2(ends[0], 0);
    struct import_options o = options_for("-", guest);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert_str_eq(r.disks[0].kind, "stream");
    cr_assert_eq(r.disks[0].bytes, 2500000);
    check_image(guest, source);
    import_result_free(&r);
    o.dry_run = true;
    cr_assert(!import_run(&o, &r, &err));
    free(bytes);
}

/* The disks of one machine: an image each, all or none. */
Test(import, several_disks)
{
    char *folder = test_folder(), *guest = guest_folder(folder, "g");
    const char *sources[] = { test_path(folder, "a.raw"), test_path(folder, "b.raw"), test_path(folder, "none") };
    uint8_t *bytes = noise(1000000, 8);
    struct import_result r;
    struct error err = { 0 };
    bytes[0] = 1;
    test_write(sources[0], bytes, 1000000);
    test_write(sources[1], bytes, 300000);
    struct import_options o = options_for(NULL, guest);
    o.sources = sources;
    o.source_count = 3;
    cr_assert(!import_run(&o, &r, &err) && strstr(err.text, "none"), "%s", err.text);
    cr_assert_eq(test_run("test -z \"$(ls -A '%s')\"", guest), 0);
    o.source_count = 2;
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert(r.disk_count == 2 && r.disks[0].bytes == 1000000 && r.disks[1].bytes == 300000);
    cr_assert(strstr(r.manifest, r.disks[0].sha256) && strstr(r.manifest, r.disks[1].sha256) && strstr(r.manifest, "disk1.qcow2"));
    import_result_free(&r);
    check_image(guest, sources[0]);
    cr_assert_eq(test_run("test -e '%s/disk1.qcow2'", guest), 0);
    free(bytes);
}

static volatile sig_atomic_t stop;

static bool empty(const char *folder)
{
    return !test_run("test -z \"$(ls -A '%s')\"", folder);
}

Test(import, interrupted)
{
    char *folder = test_folder(), *source = test_path(folder, "s.raw"), *guest = guest_folder(folder, "g");
    uint8_t *bytes = noise(4000000, 4);
    struct import_result r;
    struct error err = { 0 };
    test_write(source, bytes, 4000000);
    struct import_options o = options_for(source, guest);
    o.cancel = &stop;
    stop = 1;
    cr_assert(!import_run(&o, &r, &err));
    cr_assert_eq(err.code, EINTR);
    cr_assert(empty(guest));
    for (unsigned i = 0; i < 12; i++) {         /* killed at any instant: nothing, or all but the name */
        pid_t child = fork();
        if (!child) {
            stop = 0;
            _exit(!import_run(&o, &r, &err));
        }
        usleep(i * 9000);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        cr_assert(!test_run("test -z \"$(ls -A '%s' | grep -v -e disk0.qcow2.part -e disk0.qcow2.half -e evidence -e '^disk0.qcow2$')\"", guest));
        if (!test_run("test -e '%s/disk0.qcow2'", guest)) {
            check_image(guest, source);
            cr_assert_eq(test_run("rm -rf '%s'/*", guest), 0);
        }
    }
    stop = 0;
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    import_result_free(&r);
    check_image(guest, source);
    cr_assert_eq(test_run("test ! -e '%s/disk0.qcow2.part'", guest), 0);
    free(bytes);
}

static void on_alarm(int number)
{
    (void)number;
    stop = 1;
}

/* A stream that says nothing: the wish to stop is met though no byte comes. */
Test(import, interrupted_while_a_stream_waits, .timeout = 20)
{
    for (unsigned sent = 0; sent < 2; sent++) {
        char *folder = test_folder(), *guest = guest_folder(folder, "g");
        static uint8_t bytes[100000];
        struct import_result r;
        struct error err = { 0 };
        int ends[2];
        cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        if (sent)
            cr_assert_eq(write(ends[1], bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
        dup2(ends[0], 0);
        signal(SIGALRM, on_alarm);
        stop = 0;
        alarm(1);
        struct import_options o = options_for("-", guest);
        o.cancel = &stop;
        cr_assert(!import_run(&o, &r, &err));
        cr_assert_eq(err.code, EINTR, "%s", err.text);
        cr_assert(empty(guest));
        close(ends[0]), close(ends[1]);
    }
}

Test(import, refusals)
{
    static const struct { const char *name, *bytes; size_t at, length; const char *words; } cases[] = {
        { "a.dd", "EVF\x09\x0d\x0a\xff\x00", 0, 8, "EnCase" }, { "b.raw", "conectix", 0, 8, "VHD" },
        { "c.raw", "conectix", 99488, 8, "VHD" }, { "d.raw", "vhdxfile", 0, 8, "VHDX" }, { "e.raw", "KDMV", 0, 4, "VMDK" },
        { "f.raw", "CD001", 32769, 5, "CD-ROM" }, { "g.raw", "\x1f\x8b\x08\xff", 0, 4, "corrupt" }, { "h.raw", "\x7f\x10\xda\xbe", 64, 4, "VDI" },
    };
    char *folder = test_folder(), *guest = guest_folder(folder, "g");
    struct import_result r;
    struct error err = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t bytes[100000] = { 0 };
        memcpy(bytes + cases[i].at, cases[i].bytes, cases[i].length);
        char *source = test_path(folder, cases[i].name);
        test_write(source, bytes, sizeof(bytes));
        struct import_options o = options_for(source, guest);
        cr_assert(!import_run(&o, &r, &err), "%s", cases[i].name);
        cr_assert(strstr(err.text, cases[i].words) && strstr(err.text, cases[i].name), "%s", err.text);
        cr_assert(empty(guest));
    }
    char *none = test_path(folder, "none");
    struct import_options o = options_for(none, guest);
    cr_assert(!import_run(&o, &r, &err) && strstr(err.text, "none"));
    test_write(none, "", 0);
    cr_assert(!import_run(&o, &r, &err) && strstr(err.text, "empty"));
}

Test(import, qcow2_source)
{
    if (!test_program("qemu-img"))
        TEST_SKIP("import.qcow2_source", "qemu-img is not installed");
    char *folder = test_folder(), *raw = test_path(folder, "s.raw"), *source = test_path(folder, "s.img"), *guest = guest_folder(folder, "g");
    uint8_t *bytes = noise(2000000 / 512 * 512, 5);
    struct import_result r;
    struct error err = { 0 };
    test_write(raw, bytes, 2000000 / 512 * 512);
    cr_assert_eq(test_run("qemu-img convert -O qcow2 '%s' '%s'", raw, source), 0);
    struct import_options o = options_for(source, guest);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert_str_eq(r.disks[0].kind, "file");
    cr_assert_str_eq(r.disks[0].format, "qcow2");
    import_result_free(&r);
    check_image(guest, raw);
    free(bytes);
}

static bool known_error(const struct error *err)
{
    return *err->text && strlen(err->text) > 10 && !strchr(err->text, '\n');
}

/* Every byte of a qcow2 image's header, tables and refcounts, damaged in turn: the import gives a sentence or an image, and
 * never touches the source. */
Test(import, qcow2_every_field, .timeout = 240)
{
    static const uint8_t changes[] = { 0x01, 0x80, 0xff };
    char *folder = test_folder(), *raw = test_path(folder, "s.raw"), *source = test_path(folder, "s.img"), *guest = guest_folder(folder, "g");
    uint8_t *bytes = noise(200000 / 512 * 512, 6);
    struct import_result r;
    struct error err = { 0 };
    size_t n, refused = 0, taken = 0;
    if (!test_program("qemu-img"))
        TEST_SKIP("import.qcow2_every_field", "qemu-img is not installed");
    test_write(raw, bytes, 200000 / 512 * 512);
    cr_assert_eq(test_run("qemu-img convert -O qcow2 -o cluster_size=4k '%s' '%s'", raw, source), 0);
    uint8_t *image = test_read(source, &n);
    /* the header with its extensions; then each table where the header says it is: L1, refcount table, and what they name */
    uint64_t l1 = be64_get(image + 40), reftable = be64_get(image + 48);
    uint64_t spots[] = { 0, l1, be64_get(image + l1) & 0x00fffffffffffe00, reftable, be64_get(image + reftable) };
    size_t lengths[] = { 0x120, 16, 64, 16, 32 };
    for (size_t s = 0; s < ARRAY_SIZE(spots); s++) {
        cr_assert(spots[s] + lengths[s] <= n);
        for (size_t i = 0; i < lengths[s] * ARRAY_SIZE(changes); i++) {
            uint8_t *at = image + spots[s] + i / ARRAY_SIZE(changes), before = *at;
            *at ^= changes[i % ARRAY_SIZE(changes)];
            test_write(source, image, n);
            struct import_options o = options_for(source, guest);
            o.dry_run = i % 8;
            err = (struct error){ 0 };
            if (import_run(&o, &r, &err)) {
                taken++;
                import_result_free(&r);
                cr_assert_eq(test_run("rm -rf '%s'/*", guest), 0);
            } else {
                refused++;
                cr_assert(known_error(&err), "byte %zu: '%s'", (size_t)(at - image), err.text);
                cr_assert(empty(guest), "byte %zu", (size_t)(at - image));
            }
            size_t m;
            uint8_t *after = test_read(source, &m);
            cr_assert(m == n && !memcmp(after, image, n), "byte %zu: the source was changed", (size_t)(at - image));
            free(after);
            *at = before;
        }
    }
    cr_assert(refused > 100 && taken > 100, "%zu refused, %zu taken", refused, taken);
    for (size_t cut = 1; cut < n; cut += cut < 600 ? 7 : 4096) {
        test_write(source, image, cut);
        struct import_options o = options_for(source, guest);
        o.dry_run = true;
        if (import_run(&o, &r, &err))
            import_result_free(&r);
        else
            cr_assert(known_error(&err), "cut at %zu: '%s'", cut, err.text);
    }
    free(image), free(bytes);
}

/* Damaged partition tables: an import and sentences, whatever the sector holds. */
Test(import, tables_of_noise, .timeout = 120)
{
    char *folder = test_folder(), *source = test_path(folder, "s.raw"), *guest = guest_folder(folder, "g");
    uint64_t seed = 11;
    uint8_t *bytes = calloc(1, 1 << 18);
    struct error err = { 0 };
    for (unsigned round = 0; round < 400; round++) {
        size_t length = round % 3 ? 1 << 18 : 512 + test_random(&seed) % 4096;
        struct import_result r;
        memset(bytes, 0, 1 << 18);
        for (unsigned sector = 0; sector < 512; sector += sector ? 1 + test_random(&seed) % 64 : 1) {
            uint8_t *t = bytes + 512 * sector;
            for (unsigned e = 0; e < 4; e++) {
                static const uint8_t types[] = { 5, 5, 15, 6, 0x83, 0xee, 0, 0x85 };
                for (unsigned i = 0; i < 16; i++)
                    t[446 + 16 * e + i] = (uint8_t)test_random(&seed);
                t[446 + 16 * e + 4] = types[test_random(&seed) % ARRAY_SIZE(types)];
                if (test_random(&seed) % 8) {
                    le32_put(t + 446 + 16 * e + 8, test_random(&seed) % 512);
                    le32_put(t + 446 + 16 * e + 12, 1 + test_random(&seed) % 512);
                }
            }
            le16_put(t + 510, 0xaa55);
        }
        test_write(source, bytes, length);
        struct import_options o = options_for(source, guest);
        o.dry_run = round % 16;
        cr_assert(import_run(&o, &r, &err), "round %u: %s", round, err.text);
        cr_assert(r.disks[0].finding_count && *r.profile);
        import_result_free(&r);
        if (!o.dry_run) {
            check_image(guest, source);
            cr_assert_eq(test_run("rm -rf '%s'/*", guest), 0);
        }
    }
    free(bytes);
}

/* A sparse file's holes are zeros that need not be read; a file that is cut short under the import is noticed. */
Test(import, holes)
{
    char *folder = test_folder(), *source = test_path(folder, "s.raw"), *guest = guest_folder(folder, "g"), hex[65];
    uint8_t *bytes = calloc(1, 9 << 20);
    struct import_result r;
    struct error err = { 0 };
    bytes[0] = 1, bytes[5 << 20] = 2, bytes[(6 << 20) + 4097] = 3;
    test_write(source, "", 0);
    cr_assert_eq(truncate(source, (9 << 20) - 5), 0);
    int fd = open(source, O_WRONLY);
    for (unsigned i = 0; i < 3; i++) {
        static const off_t at[] = { 0, 5 << 20, (6 << 20) + 4097 };
        cr_assert_eq(pwrite(fd, bytes + at[i], 1, at[i]), 1);
    }
    close(fd);
    struct import_options o = options_for(source, guest);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    sha256_of(bytes, (9 << 20) - 5, hex);
    cr_assert_str_eq(r.disks[0].sha256, hex);
    cr_assert_eq(r.disks[0].stored_clusters, 3);
    import_result_free(&r);
    check_image(guest, source);
    free(bytes);
}

/* A FreeDOS-like disk: partition at sector 63, FAT16 with the geometry 16/63. */
static const char *make_dos(const char *folder)
{
    const char *disk = test_path(folder, "dos.raw");
    return test_run("cd '%s' && truncate -s 32514048 fat.img && mkfs.fat -F 16 -g 16/63 -h 63 -n OLDDISK fat.img && "
                    "printf 'x%%.0s' $(seq 2000) > KERNEL.SYS && cp KERNEL.SYS COMMAND.COM && echo 'FILES=20' > CONFIG.SYS && "
                    "mcopy -i fat.img KERNEL.SYS COMMAND.COM CONFIG.SYS :: && mmd -i fat.img ::/DOS && mcopy -i fat.img KERNEL.SYS ::/DOS/EDIT.EXE && "
                    "truncate -s 33030144 dos.raw && dd if=fat.img of=dos.raw bs=512 seek=63 conv=notrunc && "
                    "printf '\\200\\001\\001\\000\\006\\017\\077\\077\\077\\000\\000\\000\\301\\373\\000\\000' | "
                    "dd of=dos.raw bs=1 seek=446 conv=notrunc && printf '\\125\\252' | dd of=dos.raw bs=1 seek=510 conv=notrunc",
                    folder) ? NULL : disk;
}

Test(import, dos_disk)
{
    if (!test_program("mkfs.fat") || !test_program("mcopy"))
        TEST_SKIP("import.dos_disk", "mkfs.fat or mcopy is not installed");
    char *folder = test_folder(), *guest = guest_folder(folder, "g");
    const char *disk = make_dos(folder);
    struct import_result r;
    struct error err = { 0 };
    cr_assert(disk);
    struct import_options o = options_for(disk, guest);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert_str_eq(r.profile, "generic-dos", "%s: %s\n%s", r.profile, r.reason, r.manifest);
    cr_assert_str_eq(r.product, "FreeDOS");
    cr_assert(strstr(r.reason, "fat16"), "%s", r.reason);
    cr_assert(strstr(r.manifest, "OLDDISK") && strstr(r.manifest, "\\\\KERNEL.SYS"), "%s", r.manifest);
    cr_assert(r.disks[0].geometry.cylinders == 64 && r.disks[0].geometry.heads == 16 && r.disks[0].geometry.sectors == 63, "%u/%u/%u: %s",
              r.disks[0].geometry.cylinders, r.disks[0].geometry.heads, r.disks[0].geometry.sectors, r.disks[0].geometry.reason);
    cr_assert_eq(r.disks[0].finding_count, 0, "%s", r.disks[0].findings[0]);
    cr_assert_lt(r.disks[0].stored_clusters, 40);
    import_result_free(&r);
    check_image(guest, disk);
    o.dry_run = true;
    o.profile = "mine";
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert_str_eq(r.profile, "mine");
    import_result_free(&r);
}

/* An old Debian server: ext2 at sector 63, its files as the distribution has them. */
static const char *make_linux(const char *folder)
{
    const char *disk = test_path(folder, "linux.raw");
    return test_run("cd '%s' && mkdir -p t/etc/network t/boot t/lib/modules/2.4.18-bf2.4 t/usr/lib && echo 3.0 > t/etc/debian_version && "
                    "echo payroll > t/etc/hostname && echo '/dev/hda1 / ext2 defaults 0 1' > t/etc/fstab && : > t/boot/vmlinuz-2.4.18-bf2.4 && "
                    "printf 'auto eth0\\niface eth0 inet static\\n\\taddress 192.168.1.17\\n\\tnetmask 255.255.255.0\\n\\tgateway 192.168.1.1\\n' > t/etc/network/interfaces && "
                    "echo 'nameserver 192.168.1.1' > t/usr/lib/resolv && ln -s ../usr/lib/resolv t/etc/resolv.conf && : > t/etc/passwd && "
                    "mke2fs -q -t ext2 -b 1024 -I 128 -L root -d t -E offset=32256 linux.raw 16000 && "
                    "truncate -s 16777216 linux.raw && "
                    "printf '\\200\\001\\001\\000\\203\\017\\077\\037\\077\\000\\000\\000\\001\\175\\000\\000' | "
                    "dd of=linux.raw bs=1 seek=446 conv=notrunc && printf '\\125\\252' | dd of=linux.raw bs=1 seek=510 conv=notrunc",
                    folder) ? NULL : disk;
}

static void check_linux(const struct import_result *r)
{
    cr_assert_str_eq(r->profile, "generic-linux-2.4", "%s: %s\n%s", r->profile, r->reason, r->manifest);
    cr_assert_str_eq(r->product, "Debian 3.0");
    cr_assert_str_eq(r->hostname, "payroll");
    cr_assert_str_eq(r->address, "192.168.1.17");
    cr_assert(strstr(r->reason, "2.4.18"), "%s", r->reason);
    cr_assert(strstr(r->manifest, "/dev/hda1") && strstr(r->manifest, "192.168.1.1") && strstr(r->manifest, "ext2"), "%s", r->manifest);
}

Test(import, linux_disk)
{
    if (!test_program("mke2fs"))
        TEST_SKIP("import.linux_disk", "mke2fs is not installed");
    char *folder = test_folder(), *guest = guest_folder(folder, "g");
    const char *disk = make_linux(folder);
    struct import_result r;
    struct error err = { 0 };
    cr_assert(disk);
    struct import_options o = options_for(disk, guest);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    check_linux(&r);
    import_result_free(&r);
    check_image(guest, disk);
}

Test(import, libguestfs, .timeout = 400)
{
    if (!test_program("mke2fs") || !test_program("supermin"))
        TEST_SKIP("import.libguestfs", "mke2fs or libguestfs's supermin is not installed");
    char *folder = test_folder(), *guest = guest_folder(folder, "g");
    const char *disk = make_linux(folder);
    struct import_result r;
    struct error err = { 0 };
    struct import_options o = options_for(disk, guest);
    o.no_inspect = false;
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    check_linux(&r);
    if (!r.inspected)
        TEST_SKIP("import.libguestfs", "libguestfs cannot look here: %s", r.inspect_note);
    cr_assert(strstr(r.manifest, "\"systems\""), "%s", r.manifest);
    import_result_free(&r);
}

/* Sweeps until only the folder of that name is left. A killed look's own children end a moment after it, and may hold its
 * lock until then: 20 s for them. */
static bool swept_but(const char *temporary, const char *name)
{
    for (unsigned i = 0; i < 400; i++) {
        import_sweep();
        if (!test_run("test \"$(ls -A '%s')\" = '%s'", temporary, name))
            return true;
        usleep(50000);
    }
    return false;
}

/* What a look that was killed left in the temporary folder goes with the next one. */
Test(import, libguestfs_leaves_nothing)
{
    if (!test_program("mke2fs") || !test_program("supermin"))
        TEST_SKIP("import.libguestfs_leaves_nothing", "mke2fs or libguestfs's supermin is not installed");
    char *folder = test_folder(), *guest = guest_folder(folder, "g"), *temporary = guest_folder(folder, "tmp");
    const char *disk = make_linux(folder);
    struct import_result r;
    struct error err = { 0 };
    struct import_options o = options_for(disk, guest);
    o.no_inspect = false;
    setenv("LIBGUESTFS_CACHEDIR", "/var/tmp", 0);       /* the appliance need not be built again */
    cr_assert_eq(setenv("TMPDIR", temporary, 1), 0);
    pid_t child = fork();
    if (!child)
        _exit(import_run(&o, &r, &err));
    for (unsigned i = 0; i < 200 && empty(temporary); i++)
        usleep(50000);
    cr_assert(!empty(temporary));               /* killed at once: the folder may not have its lock yet */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int lock = open(guest_folder(temporary, "holdover-look-abcdef"), O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(lock, LOCK_EX), 0);      /* of a process that lives */
    cr_assert(swept_but(temporary, "holdover-look-abcdef"));
    o.inspect_seconds = 1;
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    import_result_free(&r);
    cr_assert(swept_but(temporary, "holdover-look-abcdef"));
    close(lock);
    cr_assert(swept_but(temporary, ""));
}

/* A limit that no launch can meet: the import succeeds all the same and says so. */
Test(import, libguestfs_too_slow)
{
    if (!test_program("mke2fs") || !test_program("supermin"))
        TEST_SKIP("import.libguestfs_too_slow", "mke2fs or libguestfs's supermin is not installed");
    char *folder = test_folder(), *guest = guest_folder(folder, "g");
    const char *disk = make_linux(folder);
    struct import_result r;
    struct error err = { 0 };
    struct import_options o = options_for(disk, guest);
    o.no_inspect = false;
    o.inspect_seconds = 1;
    setenv("LIBGUESTFS_CACHEDIR", "/var/tmp", 0);
    cr_assert_eq(setenv("TMPDIR", folder, 1), 0);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert(!r.inspected && *r.inspect_note);
    check_linux(&r);
    import_result_free(&r);
}

Test(import, damaged_table_is_no_failure)
{
    char *folder = test_folder(), *guest = guest_folder(folder, "g"), *source = test_path(folder, "s.raw");
    uint8_t *bytes = calloc(1, 1 << 20);
    struct import_result r;
    struct error err = { 0 };
    bytes[446 + 4] = 5;                         /* an extended partition whose chain comes back to itself */
    le32_put(bytes + 454, 100), le32_put(bytes + 458, 1000), le16_put(bytes + 510, 0xaa55);
    bytes[51200 + 462 + 4] = 5;
    le32_put(bytes + 51200 + 470, 0), le32_put(bytes + 51200 + 474, 10), le16_put(bytes + 51200 + 510, 0xaa55);
    test_write(source, bytes, 1 << 20);
    struct import_options o = options_for(source, guest);
    o.no_inspect = false;
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert_str_eq(r.profile, "generic");
    cr_assert(strstr(r.inspect_note, "damaged"), "%s", r.inspect_note);
    cr_assert(r.disks[0].finding_count && strstr(r.disks[0].findings[0], "never end"), "%s", r.disks[0].findings[0]);
    import_result_free(&r);
    check_image(guest, source);
    free(bytes);
}

Test(import, changed_image_is_noticed)
{
    char *folder = test_folder(), *guest = guest_folder(folder, "g"), *source = test_path(folder, "s.raw");
    uint8_t *bytes = noise(300000, 8);
    struct import_result r;
    struct error err = { 0 };
    test_write(source, bytes, 300000);
    struct import_options o = options_for(source, guest);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    import_result_free(&r);
    char image[600], manifest[600];
    snprintf(image, sizeof(image), "%s/disk0.qcow2", guest);
    snprintf(manifest, sizeof(manifest), "%s/evidence/manifest.json", guest);
    cr_assert_eq(chmod(image, 0644), 0);
    struct block *b = block_open_auto(image, 0, &err);
    cr_assert_eq(block_write(b, 1000, "?", 1), 0);
    block_close(b);
    struct export_options e = { .image = image, .manifest = manifest };
    cr_assert(!import_verify(&e, &err) && strstr(err.text, "does not hold what was imported"), "%s", err.text);
    free(bytes);
}
