/* Transports: the same bytes by every way, and what must be refused. */
#include "importers/sources/source.h"
#include "base/bits.h"
#include "tests/support/files.h"
#include "tests/support/random.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char details[65536];                     /* of the source that was read last */
static char kind[64], format[64];
static enum source_media media;

/* All bytes of a source by its own reader, in uneven steps; NULL: refused. */
static uint8_t *take(const char *name, size_t *length, const volatile sig_atomic_t *cancel, struct error *err)
{
    static struct source s;
    uint8_t *bytes = NULL;
    size_t room = 0, got = 1;
    *length = 0;
    bool ok = source_open(&s, name, &(struct source_options){ 0 }, cancel, err);
    while (ok && got) {
        if (room - *length < 70001)
            bytes = realloc(bytes, room += 4 << 20);
        got = s.block ? MIN((size_t)70001, s.size - *length) : 70001;
        ok = !s.block ? source_read(&s, bytes + *length, 70001, &got, err)
                      : !block_read(s.block, *length, bytes + *length, got) || error_set(err, EIO, "cannot be read");
        *length += got;
        got = got == 70001;
    }
    char *text = s.details ? json_dumps(s.details, JSON_COMPACT) : NULL;
    snprintf(details, sizeof(details), "%s", text ? text : "");
    snprintf(kind, sizeof(kind), "%s", s.kind);
    snprintf(format, sizeof(format), "%s", s.format);
    media = s.media;
    free(text);
    source_close(&s);
    if (!ok)
        free(bytes);
    return ok ? bytes : NULL;
}

static void check_same(const char *name, const uint8_t *bytes, size_t length)
{
    struct error err = { 0 };
    size_t n;
    uint8_t *got = take(name, &n, NULL, &err);
    cr_assert(got, "%s: %s", name, err.text);
    cr_assert(n == length && !memcmp(got, bytes, n), "%s: %zu bytes", name, n);
    free(got);
}

#define check_refused(name, words) do {                                                                         \
        struct error refused = { 0 };                                                                           \
        size_t refused_length;                                                                                  \
        uint8_t *refused_bytes = take(name, &refused_length, NULL, &refused);                                   \
        cr_assert(!refused_bytes, "%s is taken", name);                                                         \
        cr_assert(strstr(refused.text, words), "%s", refused.text);                                             \
    } while (0)

static uint8_t *disk_make(size_t length, uint64_t seed)
{
    state = seed + 1;
    uint8_t *bytes = calloc(1, length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = i >> 16 & 1 ? (uint8_t)draw_of(64) : 0;
    bytes[0] = 0xfa;
    return bytes;
}

/* --- compressed ----------------------------------------------------------------------------------------------- */

Test(sources, compressed)
{
    static const char *const programs[] = { "gzip", "xz", "zstd", "bzip2" };
    char *folder = test_folder(), *raw = test_path(folder, "raw"), *name;
    size_t length = 3333333, n;
    uint8_t *bytes = disk_make(length, 1), *packed, *twice = malloc(2 * length);
    memcpy(twice, bytes, length), memcpy(twice + length, bytes, length);
    test_write(raw, bytes, length);
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        if (!test_program(programs[i]))
            TEST_SKIP("sources.compressed", "%s is not installed", programs[i]);
        name = test_path(folder, "packed.dd");
        cr_assert_eq(test_run("%s -c '%s' >'%s'", programs[i], raw, name), 0);
        check_same(name, bytes, length);
        cr_assert(strstr(details, programs[i]), "%s", details);
        cr_assert_eq(test_run("cat '%s' '%s' >'%s.2' && head -c 999 /dev/zero >>'%s.2'", name, name, name, name), 0);
        check_same(test_path(folder, "packed.dd.2"), twice, 2 * length);
        packed = test_read(name, &n);
        for (size_t cut = 1; cut < 12; cut += 3) {
            test_write(name, packed, n * cut / 12);
            check_refused(name, "cut short");
        }
        packed[n / 2] ^= 0x10;
        packed[n / 2 + 1] ^= 0x55;
        test_write(name, packed, n);
        check_refused(name, "nothing was kept");
        packed[n / 2] ^= 0x10;
        packed[n / 2 + 1] ^= 0x55;
        packed = realloc(packed, n + 7);
        memcpy(packed + n, "garbage", 7);
        test_write(name, packed, n + 7);
        check_refused(name, "nothing was kept");
        free(packed);
    }
    free(bytes), free(twice);
}

/* What has to be searched is, though it comes as a stream: a floppy, a CD, an image in a format. */
Test(sources, packed_media)
{
    if (!test_program("qemu-img") || !test_program("xorriso"))
        TEST_SKIP("sources.packed_media", "qemu-img or xorriso are not installed");
    char *folder = test_folder(), *raw = test_path(folder, "raw");
    size_t n;
    uint8_t *bytes = disk_make(1474560, 8);
    test_write(raw, bytes, 1474560);
    cr_assert_eq(test_run("cd '%s' && gzip -k raw && gzip -c raw.gz >twice.gz", folder), 0);
    check_same(test_path(folder, "raw.gz"), bytes, 1474560);
    cr_assert_eq(media, MEDIA_FLOPPY);
    uint8_t *once = test_read(test_path(folder, "raw.gz"), &n);
    check_same(test_path(folder, "twice.gz"), once, n);     /* one layer */
    free(bytes), free(once);
    bytes = disk_make(8 << 20, 9);
    test_write(raw, bytes, 8 << 20);
    cr_assert_eq(test_run("cd '%s' && qemu-img convert -O vdi raw x && bzip2 x && mkdir t && mv raw t && xorriso -as mkisofs -o cd t && xz -0k cd", folder), 0);
    check_same(test_path(folder, "x.bz2"), bytes, 8 << 20);
    cr_assert(!strcmp(format, "vdi") && strstr(details, "bzip2"));
    free(bytes);
    bytes = test_read(test_path(folder, "cd"), &n);
    check_same(test_path(folder, "cd.xz"), bytes, n);
    cr_assert_eq(media, MEDIA_CD);
    free(bytes);
}

/* --- pieces --------------------------------------------------------------------------------------------------- */

static void pieces(const char *folder, const char *options, const char *stem)
{
    cr_assert_eq(test_run("cd '%s' && split %s -b 700000 raw %s", folder, options, stem), 0);
}

Test(sources, pieces)
{
    char *folder = test_folder();
    size_t length = 2500001;
    uint8_t *bytes = disk_make(length, 2);
    test_write(test_path(folder, "raw"), bytes, length);
    pieces(folder, "-d -a 3", "zero.");
    pieces(folder, "--numeric-suffixes=1 -a 3", "one.");
    pieces(folder, "", "let.");
    pieces(folder, "", "");
    check_same(test_path(folder, "zero.000"), bytes, length);
    cr_assert_str_eq(kind, "pieces");
    check_same(test_path(folder, "one.001"), bytes, length);
    check_same(test_path(folder, "let.aa"), bytes, length);
    check_same(test_path(folder, "xaa"), bytes, length);
    check_refused(test_path(folder, "zero.001"), "zero.000");
    check_refused(test_path(folder, "one.003"), "one.001");
    check_refused(test_path(folder, "let.ac"), "let.aa");
    test_run("cd '%s' && mv one.003 three", folder);
    check_refused(test_path(folder, "one.001"), "one.003 is missing");
    test_run("cd '%s' && mv one.002 two", folder);
    check_refused(test_path(folder, "one.001"), "one.002 is missing");
    test_run("cd '%s' && mv two one.002 && head -c 1000 three >one.003", folder);
    check_refused(test_path(folder, "one.001"), "cut short");
    test_run("cd '%s' && cat three three >one.003", folder);
    check_refused(test_path(folder, "one.001"), "longer");
    test_run("cd '%s' && cp raw disk.001 && cp raw sda && cp raw sdb && cp raw hd.1", folder);
    check_same(test_path(folder, "disk.001"), bytes, length);       /* one piece is a file; names that count mean nothing by themselves */
    check_same(test_path(folder, "sdb"), bytes, length);
    check_same(test_path(folder, "hd.1"), bytes, length);
    free(bytes);
}

/* --- other machines ------------------------------------------------------------------------------------------- */

static char *ssh_make(const char *folder, const char *body)
{
    char *ssh = test_path(folder, "ssh"), path[4096];
    test_write(ssh, body, strlen(body));
    chmod(ssh, 0755);
    snprintf(path, sizeof(path), "%s:%s", folder, getenv("PATH"));
    setenv("PATH", path, 1);
    return ssh;
}

static volatile sig_atomic_t stop;
static void on_alarm(int number) { (void)number; stop = 1; }

Test(sources, ssh, .timeout = 30)
{
    char *folder = test_folder(), name[700], text[4096];
    size_t length = 1500000, n;
    uint8_t *bytes = disk_make(length, 3), *log;
    ssh_make(folder, "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"${0%/*}/log\"\n[ \"$1\" = -p ] && shift 2\nshift\nexec sh -c \"$*\"\n");
    test_write(test_path(folder, "it's; touch hurt"), bytes, length);
    snprintf(name, sizeof(name), "ssh://root@old:2222%s/it's; touch hurt", folder);
    check_same(name, bytes, length);
    log = test_read(test_path(folder, "log"), &n);
    snprintf(text, sizeof(text), "-p\n2222\nroot@old\ndd if='%s/it'\\''s; touch hurt' bs=64k\n", folder);
    cr_assert(n == strlen(text) && !memcmp(log, text, n), "%.*s", (int)n, (char *)log);
    snprintf(name, sizeof(name), "ssh://old%s/none", folder);
    check_refused(name, "status 1");
    check_refused("ssh://-oProxyCommand=touch/dev/hda", "minus");
    check_refused("ssh://-l@old/dev/hda", "minus");
    check_refused("ssh://root@-x/dev/hda", "minus");
    check_refused("ssh://old:22x/dev/hda", "port");
    check_refused("ssh://old", "write ssh://");
    check_refused("ssh:///dev/hda", "write ssh://");
    check_refused("ssh://old/dev/\033[2Jhda", "control");
    cr_assert_neq(test_run("test -e hurt || test -e '%s/hurt'", folder), 0);
    free(bytes), free(log);
}

/* The end of a machine: some bytes and a status. A machine that says nothing: the wish to stop ends the program too. */
Test(sources, ssh_ends, .timeout = 30)
{
    char *folder = test_folder();
    struct error err = { 0 };
    size_t n;
    ssh_make(folder, "#!/bin/sh\nhead -c 300000 /dev/zero\nprintf 'dd: reading /dev/hda: \\033[1mInput/output error\\n' >&2\nexit 1\n");
    check_refused("ssh://old/dev/hda", "status 1 after");
    check_refused("ssh://old/dev/hda", "Input/output error");
    ssh_make(folder, "#!/bin/sh\necho $$ >\"${0%/*}/pid\"\nhead -c 100000 /dev/zero\nexec sleep 1000\n");
    signal(SIGALRM, on_alarm);
    alarm(1);
    cr_assert(!take("ssh://old/dev/hda", &n, &stop, &err));
    cr_assert_eq(err.code, EINTR, "%s", err.text);
    cr_assert_neq(test_run("kill -0 $(cat '%s/pid')", folder), 0);
}

Test(sources, nbd, .timeout = 60)
{
    if (!test_program("nbdkit"))
        TEST_SKIP("sources.nbd", "nbdkit is not installed");
    char *folder = test_folder(), name[700];
    size_t length = 9000000;
    uint8_t *bytes = disk_make(length, 4);
    struct error err = { 0 };
    static struct source s;
    test_write(test_path(folder, "raw"), bytes, length);
    cr_assert_eq(test_run("cd '%s' && fallocate -d raw; nbdkit -U sock --pidfile pid file raw", folder), 0);
    snprintf(name, sizeof(name), "nbd+unix:///?socket=%s/sock", folder);
    check_same(name, bytes, length);
    cr_assert(source_open(&s, name, &(struct source_options){ 0 }, NULL, &err), "%s", err.text);
    uint64_t stretch = 65536 * 2;
    unsigned extent = 99;
    cr_assert(!block_extents(s.block, 0x21000, &stretch, &extent));
    if (!test_run("test $(stat -c %%b '%s/raw') -lt 12000", folder))       /* the file system has holes */
        cr_assert(extent == BLOCK_ZEROS && stretch == 0xf000, "%u %llx", extent, (unsigned long long)stretch);
    source_close(&s);
    test_run("kill $(cat '%s/pid')", folder);
    free(bytes);
    check_refused("nbd+unix:///?socket=/nowhere", "cannot open");
    check_refused("nbd://localhost:1/", "cannot open");
}

/* Sectors that cannot be read: what lies around them still comes. */
Test(sources, nbd_errors, .timeout = 60)
{
    if (!test_program("nbdkit") || test_run("nbdkit --filter=ddrescue null --dump-plugin"))
        TEST_SKIP("sources.nbd_errors", "nbdkit with its ddrescue filter is not installed");
    char *folder = test_folder(), name[700];
    uint8_t *bytes = disk_make(2 << 20, 5), sector[512];
    struct error err = { 0 };
    static struct source s;
    const char *map = "0x0 + 1\n0x0 0x100000 +\n0x100000 0x400 -\n0x100400 0xffc00 +\n";
    test_write(test_path(folder, "raw"), bytes, 2 << 20);
    test_write(test_path(folder, "map"), map, strlen(map));
    cr_assert_eq(test_run("cd '%s' && nbdkit -U sock --pidfile pid --filter=noextents --filter=ddrescue file raw ddrescue-mapfile=map", folder), 0);
    snprintf(name, sizeof(name), "nbd+unix:///?socket=%s/sock", folder);
    check_refused(name, "cannot be read");
    cr_assert(source_open(&s, name, &(struct source_options){ 0 }, NULL, &err), "%s", err.text);
    cr_assert(block_read(s.block, 0x100200, sector, 512) < 0);
    cr_assert(!block_read(s.block, 0x100400, sector, 512) && !memcmp(sector, bytes + 0x100400, 512));
    source_close(&s);
    test_run("kill $(cat '%s/pid')", folder);
    free(bytes);
}

/* --- OVA ------------------------------------------------------------------------------------------------------ */

struct tar { uint8_t bytes[4 << 20]; size_t length; };

static void tar_header(struct tar *t, const char *name, char type, size_t size)
{
    uint8_t *h = t->bytes + t->length;
    unsigned sum = 0;
    memset(h, 0, 512);
    snprintf((char *)h, 100, "%s", name);
    sprintf((char *)h + 100, "0000644%c0000000%c0000000%c%011zo%c%011o%c        %c", 0, 0, 0, size, 0, 0, 0, type);
    memcpy(h + 257, "ustar\00000", 8);
    for (unsigned i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    sprintf((char *)h + 148, "%06o", sum);
    t->length += 512;
}

static void tar_add(struct tar *t, const char *name, const void *bytes, size_t size)
{
    tar_header(t, name, '0', size);
    memcpy(t->bytes + t->length, bytes, size);
    memset(t->bytes + t->length + size, 0, 512);
    t->length += align_up(size, 512);
}

static char *tar_write(struct tar *t, const char *folder, const char *name)
{
    memset(t->bytes + t->length, 0, 1024);
    char *path = test_path(folder, name);
    test_write(path, t->bytes, t->length + 1024);
    return path;
}

static const char ovf[] = "<?xml version='1.0'?><Envelope xmlns:ovf='http://schemas.dmtf.org/ovf/envelope/1' xmlns:rasd='r'><References>"
    "<File ovf:id='f2' ovf:href='two.img'/><File ovf:id='f1' ovf:href='one.img'/></References><DiskSection>"
    "<Disk ovf:diskId='a' ovf:fileRef='f1' ovf:capacity='1'/><Disk ovf:diskId='b' ovf:fileRef='f2'/><Disk ovf:diskId='c' ovf:capacity='9'/>"
    "</DiskSection><VirtualSystem ovf:id='x'><Name>pay&#x9b;roll</Name><OperatingSystemSection ovf:id='67'><Description>Windows 98</Description>"
    "</OperatingSystemSection><VirtualHardwareSection><Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity>"
    "</Item><Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>256"
    "</rasd:VirtualQuantity></Item><Item><rasd:ResourceSubType>PCNet32</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType>"
    "<rasd:Address>00:0C:29:aa:bb:cc</rasd:Address></Item></VirtualHardwareSection></VirtualSystem></Envelope>";

#ifdef HAVE_LIBXML
Test(sources, ova)
{
    static struct tar t;
    char *folder = test_folder(), *name;
    uint8_t *one = disk_make(300001, 6), *two = disk_make(700000, 7);
    struct source_list list;
    struct error err = { 0 };
    tar_add(&t, "machine.ovf", ovf, strlen(ovf));
    tar_header(&t, "link", '2', 0);
    tar_add(&t, "two.img", two, 700000);
    tar_header(&t, "pax", 'x', 5);
    memset(t.bytes + t.length, 0, 512), t.length += 512;
    tar_add(&t, "./one.img", one, 300001);
    name = tar_write(&t, folder, "a.ova");
    cr_assert(source_list(&list, name, &err), "%s", err.text);
    cr_assert_eq(list.count, 2);
    cr_assert(strstr(list.names[0], "a.ova/one.img") && strstr(list.names[1], "a.ova/two.img"));
    check_same(list.names[0], one, 300001);
    check_same(list.names[1], two, 700000);
    static const char *const words[] = { "\"Windows 98\"", "\"256 MiB\"", "\"2\"", "\"PCNet32\"", "\"00:0c:29:aa:bb:cc\"", "pay" };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        cr_assert(strstr(details, words[i]), "%s: %s", words[i], details);
    cr_assert(!strchr(details, '\x9b') && !strstr(details, "\\u009b"), "%s", details);
    source_list_free(&list);
    check_refused(name, "name one disk");
    check_refused(test_path(folder, "a.ova/none.img"), "no file none.img");
    check_refused(test_path(folder, "a.ova/../a.ova"), "holds no file");
    free(one), free(two);
}

Test(sources, ova_hostile)
{
    static const struct { const char *member; char type; const char *words; } cases[] = {
        { "../one.img", '0', "another folder" }, { "a/../../one.img", '0', "another folder" }, { "/etc/one.img", '0', "another folder" },
        { "a\033[2J", '0', "control characters" }, { "machine.ovf", '0', "twice" }, { "..", '2', "another folder" }, { "c:\\x", '0', "another folder" },
        { "other.img", '0', "does not hold" },
    };
    static struct tar t;
    char *folder = test_folder();
    struct source_list list;
    struct error err = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        t.length = 0;
        tar_add(&t, "machine.ovf", ovf, strlen(ovf));
        tar_header(&t, cases[i].member, cases[i].type, 0);
        cr_assert(!source_list(&list, tar_write(&t, folder, "h.ova"), &err));
        cr_assert(strstr(err.text, cases[i].words) && !strchr(err.text, '\033'), "%zu: %s", i, err.text);
    }
    static const char *const texts[] = { "<a>", "", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><Envelope>&a;</Envelope>", "<Envelope/>" };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        t.length = 0;
        tar_add(&t, "machine.ovf", texts[i], strlen(texts[i]));
        cr_assert(!source_list(&list, tar_write(&t, folder, "h.ova"), &err));
        cr_assert(strstr(err.text, i < 3 ? "OVF" : "without disks"), "%s", err.text);
    }
    t.length = 0;
    tar_add(&t, "readme", "x", 1);
    cr_assert(!source_list(&list, tar_write(&t, folder, "h.ova"), &err) && strstr(err.text, "without the description"));
    t.length = 0;
    tar_header(&t, "machine.ovf", '0', 99999999);
    cr_assert(!source_list(&list, tar_write(&t, folder, "h.ova"), &err) && strstr(err.text, "cut short"));
}

#endif

/* --- CDs and floppies ----------------------------------------------------------------------------------------- */

Test(sources, cd)
{
    if (!test_program("xorriso"))
        TEST_SKIP("sources.cd", "xorriso is not installed");
    char *folder = test_folder(), *iso = test_path(folder, "cd.img");
    size_t length, sectors;
    setenv("HOLDOVER_PROFILES", "legacy-profiles", 1);
    cr_assert_eq(test_run("cd '%s' && mkdir -p t/WIN98 && head -c 1474560 /dev/zero >t/boot.img && echo x >t/SETUP.EXE && "
                          "xorriso -as mkisofs -V WIN98SE -b boot.img -c boot.cat -o cd.img t", folder), 0);
    uint8_t *bytes = test_read(iso, &length), *raw;
    check_same(iso, bytes, length);
    cr_assert(media == MEDIA_CD && !strcmp(format, "iso"));
    cr_assert(strstr(details, "Windows 98") && strstr(details, "WIN98SE") && strstr(details, "floppy 1.44M"), "%s", details);
    /* the same as raw sectors of mode 1 and mode 2, alone and behind a sheet */
    sectors = length / 2048;
    for (unsigned mode = 1; mode <= 2; mode++) {
        raw = calloc(sectors, 2352);
        for (size_t i = 0; i < sectors; i++) {
            disc_sector_make(raw + i * 2352, (uint32_t)i);
            raw[i * 2352 + 15] = (uint8_t)mode;
            memcpy(raw + i * 2352 + (mode == 2 ? 24 : 16), bytes + i * 2048, 2048);
        }
        test_write(test_path(folder, "x.bin"), raw, sectors * 2352);
        check_same(test_path(folder, "x.bin"), bytes, length);
        cr_assert_eq(media, MEDIA_CD);
        cr_assert_eq(test_run("cd '%s' && printf 'FILE \"x.bin\" BINARY\\n  TRACK 01 MODE%u/2352\\n    INDEX 01 00:00:00\\n' >x.cue", folder, mode), 0);
        check_same(test_path(folder, "x.cue"), bytes, length);
        cr_assert_eq(media, MEDIA_CD);
        free(raw);
    }
    free(bytes);
}

Test(sources, floppies)
{
    static const unsigned sizes[] = { 160, 360, 720, 1200, 1440, 2880 };
    char *folder = test_folder(), *name = test_path(folder, "f");
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint8_t *bytes = disk_make(sizes[i] * 1024, i);
        test_write(name, bytes, sizes[i] * 1024);
        check_same(name, bytes, sizes[i] * 1024);
        cr_assert_eq(media, MEDIA_FLOPPY);
        memset(bytes, 0, 512);                  /* a small hard disk has a table */
        bytes[510] = 0x55, bytes[511] = 0xaa, bytes[450] = 1, bytes[454] = 17, bytes[458] = 200;
        test_write(name, bytes, sizes[i] * 1024);
        check_same(name, bytes, sizes[i] * 1024);
        cr_assert_eq(media, MEDIA_DISK);
        free(bytes);
    }
}

/* --- folders -------------------------------------------------------------------------------------------------- */

/* The disk's one volume goes to FOLDER/volume and must be in order; the table must name just it, with the same places in CHS. */
static void check_folder(const char *folder, const char *tree, uint8_t type)
{
    struct error err = { 0 };
    static struct source s;
    FILE *out = fopen(test_path(folder, "volume"), "w");
    uint8_t *chunk = malloc(1 << 20);
    size_t n;
    cr_assert(source_open(&s, tree, &(struct source_options){ 0 }, NULL, &err), "%s", err.text);
    char *text = json_dumps(s.details ? s.details : json_null(), JSON_ENCODE_ANY);
    snprintf(details, sizeof(details), "%s", text);
    free(text);
    cr_assert(!block_read(s.block, 0, chunk, 1 << 16));
    uint32_t heads = le16_get(chunk + 32256 + 26), last = 62 + le32_get(chunk + 446 + 12);
    cr_assert(chunk[450] == type && le32_get(chunk + 454) == 63 && le16_get(chunk + 510) == 0xaa55 && !any_nonzero(chunk + 462, 48));
    cr_assert(chunk[447] == 1 && chunk[448] == 1 && !chunk[449] && chunk[451] == heads - 1 && (chunk[452] & 63) == 63);
    cr_assert_eq(chunk[453] | (chunk[452] & 0xc0) << 2, last / 63 / heads);
    cr_assert_eq(s.size, (last + 1) * 512ull);
    for (uint64_t at = 32256, stretch; at < s.size; at += n) {
        unsigned extent = BLOCK_DATA;
        stretch = s.size - at;
        cr_assert(!block_extents(s.block, at, &stretch, &extent) && stretch);
        n = (size_t)MIN(stretch, (uint64_t)(extent == BLOCK_DATA ? 1 << 20 : SIZE_MAX));
        cr_assert(extent != BLOCK_DATA || !block_read(s.block, at, chunk, n));
        if (extent == BLOCK_DATA && any_nonzero(chunk, n))
            fwrite(chunk, 1, n, out);
        else
            fseeko(out, (off_t)n, SEEK_CUR);
    }
    cr_assert_eq(ftruncate(fileno(out), (off_t)(s.size - 32256)), 0);
    fclose(out);
    source_close(&s);
    free(chunk);
    cr_assert_eq(test_run("cd '%s' && fsck.fat -n volume", folder), 0);
}

Test(sources, folder, .timeout = 120)
{
    if (!test_program("fsck.fat") || !test_program("mcopy"))
        TEST_SKIP("sources.folder", "dosfstools or mtools are not installed");
    char *folder = test_folder(), *tree = test_path(folder, "tree");
    setenv("LC_ALL", "C.UTF-8", 1);
    cr_assert_eq(test_run("mkdir -p '%s/sub/deep' && cd '%s' && echo 1 >A.TXT && echo 22 >lower.txt && : >empty && echo 3 >'long name with spaces.html' && "
                          "echo 4 >sub/four.tar.gz && head -c 100001 /dev/urandom >sub/deep/random.bin && echo m >'m\xc3\xa4rz.doc' && "
                          "for i in $(seq 700); do echo $i >\"sub/picture $i.jpeg\"; done && touch -d '1994-05-06 07:08:10' A.TXT", tree, tree), 0);
    check_folder(folder, tree, 6);
    cr_assert_eq(test_run("cd '%s' && mkdir back && mcopy -s -m -n -i volume '::*' back && diff -r tree back", folder), 0);
    cr_assert_str_eq(details, "null");
    cr_assert_eq(test_run("cd '%s' && test $(stat -c %%Y back/A.TXT) = $(stat -c %%Y tree/A.TXT)", folder), 0);
    cr_assert_eq(test_run("cd '%s' && mdir -i volume ::/sub | grep -q 'PICTUR~2 JPE'", folder), 0);
    /* what FAT cannot hold is named, the rest comes */
    cr_assert_eq(test_run("cd '%s' && ln -s /etc/passwd link && mkfifo pipe && : >'bad:name' && : >'dot.' && echo >LOWER.TXT && truncate -s 4G large", tree), 0);
    check_folder(folder, tree, 6);
    static const char *const names[] = { "./link", "./pipe", "./bad:name", "./dot.", "./lower.txt", "./large" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        cr_assert(strstr(details, names[i]), "%s: %s", names[i], details);
    cr_assert_neq(test_run("cd '%s' && mdir -i volume ::/link", folder), 0);
}

Test(sources, folder_fat32, .timeout = 120)
{
    if (!test_program("fsck.fat") || !test_program("mcopy"))
        TEST_SKIP("sources.folder_fat32", "dosfstools or mtools are not installed");
    char *folder = test_folder(), *tree = test_path(folder, "tree");
    cr_assert_eq(test_run("mkdir '%s' && cd '%s' && truncate -s 2200M big && echo end >>big && echo small >small", tree, tree), 0);
    check_folder(folder, tree, 0x0b);
    cr_assert_eq(test_run("cd '%s' && test small = $(mtype -i volume ::/small) && mdir -i volume ::/big | grep -q 2306867204 && minfo -i volume | grep -q FAT32", folder), 0);
}

/* A file that changes while it is read is an error, not other bytes. */
Test(sources, folder_changes)
{
    char *folder = test_folder(), *tree = test_path(folder, "tree"), *file = test_path(folder, "tree/file");
    static uint8_t bytes[200000];
    struct error err = { 0 };
    static struct source s;
    mkdir(tree, 0755);
    test_write(file, bytes, sizeof(bytes));
    cr_assert(source_open(&s, tree, &(struct source_options){ 0 }, NULL, &err), "%s", err.text);
    test_write(file, bytes, sizeof(bytes) / 2);
    uint8_t *all = malloc(2 << 20);
    cr_assert_eq(block_read(s.block, 0, all, 2 << 20), -ESTALE);
    source_close(&s);
    free(all);
}

/* --- what becomes of them ------------------------------------------------------------------------------------- */

Test(sources, media_kept, .timeout = 60)
{
    char *folder = test_folder(), *guest = test_path(folder, "g"), *floppy = test_path(folder, "f.img"), *cd = test_path(folder, "cd");
    const char *names[] = { floppy, cd };
    uint8_t *bytes = disk_make(1474560, 10), *iso = calloc(20, 2048);
    struct import_result r;
    struct error err = { 0 };
    struct import_options o = { .sources = names, .source_count = 2, .folder = guest, .rules = "legacy-profiles/import.rules",
                                .tool_version = "test", .no_inspect = true };
    setenv("HOLDOVER_PROFILES", "legacy-profiles", 1);
    mkdir(guest, 0755);
    memcpy(iso + 32768, "\1CD001\1", 7), memcpy(iso + 32768 + 40, "NWOS\033[2J", 8), le16_put(iso + 32768 + 128, 2048), le32_put(iso + 32768 + 80, 20);
    test_write(floppy, bytes, 1474560);
    test_write(cd, iso, 20 * 2048);
    cr_assert(import_run(&o, &r, &err), "%s", err.text);
    cr_assert(r.disk_count == 0 && strstr(r.manifest, "floppy0.img") && strstr(r.manifest, "cd0.iso") && !strchr(r.manifest, '\033'));
    cr_assert_eq(test_run("cd '%s' && cmp g/floppy0.img f.img && cmp g/cd0.iso cd && test -f g/disk0.qcow2 && test -f g/evidence/manifest.json", folder), 0);
    char *text = import_text("g", &r, false);
    cr_assert(strstr(text, "kept cd0.iso") && strstr(text, "empty disk") && !strchr(text, '\033'), "%s", text);
    free(text);
    import_result_free(&r);
    names[1] = test_path(folder, "none");       /* what was kept goes again when the import fails */
    cr_assert_eq(test_run("rm -r '%s' && mkdir '%s'", guest, guest), 0);
    cr_assert(!import_run(&o, &r, &err));
    cr_assert_eq(test_run("test -z \"$(ls -A '%s')\"", guest), 0);
    free(bytes), free(iso);
}
