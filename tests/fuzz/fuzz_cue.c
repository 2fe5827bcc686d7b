/* libFuzzer: the input is a cue sheet beside a file `a` of 40 raw sectors; the disc that comes out is looked at
 * and read as a drive does. */
#include "tests/fuzz/device.h"
#include <fcntl.h>
#include <unistd.h>

enum { RAW = 2352, SECTORS = 40 };

/* Track lists, sub-channels, sectors in every shape, audio: packets to a drive with this disc. */
static void drive(struct block *disc, unsigned salt)
{
    static const uint8_t packets[][12] = {
        { 0 }, { 3, 0, 0, 0, 18 }, { 0x25 }, { 0x43, 0, 0, 0, 0, 0, 0, 0xff }, { 0x43, 2, 0, 0, 0, 0, 2, 0xff }, { 0x43, 2, 1, 0, 0, 0, 0, 0xff },
        { 0x43, 2, 2, 0, 0, 0, 1, 0xff }, { 0x42, 2, 0x40, 1, 0, 0, 0, 0xff }, { 0x51, 0, 0, 0, 0, 0, 0, 0xff }, { 0x48, 0, 0, 0, 1, 0, 0, 99 },
        { 0x28, 0, 0, 0, 0, 0, 0, 0, 8 }, { 0xbe, 0, 0, 0, 0, 0, 0, 0, 8, 0xf8 }, { 0xb9, 0, 0, 0, 2, 5, 0, 2, 30, 0x10 }, { 0x44, 2, 0, 0, 0, 16, 0, 0, 8 },
    };
    struct error err;
    struct machine *m = fuzz_bench(NULL);
    fuzz_add(m, "ata_channel", "ide0", NULL);
    struct device *cdrom = fuzz_add(m, "atapi_cdrom", "cdrom", "channel=ide0,unit=0");
    if (!cdrom->class->media(cdrom, 0, disc, &err))
        abort();
    machine_reset(m, RESET_POWER);
    for (unsigned n = 0; n < ARRAY_SIZE(packets); n++) {
        space_write(m->ports, 0x1f6, 1, 0xe0), space_write(m->ports, 0x1f4, 2, 0xfffe), space_write(m->ports, 0x1f7, 1, 0xa0);
        machine_step(m, 10000);
        for (unsigned at = 0; at < 12; at += 2)
            space_write(m->ports, 0x1f0, 2, le16_get(packets[n] + at) ^ (at == 4 && packets[n][0] == 0x28 ? salt << 8 : 0));
        for (unsigned words = 12000; words; words--)
            space_read(m->ports, 0x1f0, 2);
        machine_step(m, (salt & 15) * 10000000ll);
    }
    fuzz_state(m, salt);
    machine_free(m);
}

static void look(struct block *b, unsigned salt)
{
    const struct block_disc *d = b->disc;
    uint8_t raw[RAW];
    if (b->size % RAW || !d->tracks || d->tracks > 99 || d->track[0].start)
        abort();
    for (unsigned n = 0; n < d->tracks; n++) {
        if (n && (d->track[n].start < d->track[n - 1].start || d->track[n].session < d->track[n - 1].session))
            abort();
        for (unsigned i = 0; i < 3; i++) {
            uint64_t at = (d->track[n].start + i) * (uint64_t)RAW;
            if (at < b->size)
                block_read(b, at, raw, RAW);
        }
    }
    block_read(b, b->size - RAW, raw, RAW);
    block_read(b, salt * 2654435761u % b->size, raw, 1);
    drive(b, salt);
}

static char folder[] = "/tmp/fuzz-cue-XXXXXX", sheet[64], bin[64];
static void clean(void)
{
    unlink(sheet);
    unlink(bin);
    rmdir(folder);
}

static void put(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    log_to(NULL);
    if (!*sheet) {
        static uint8_t bytes[SECTORS * RAW];
        for (unsigned n = 0; n < sizeof(bytes); n++)
            bytes[n] = (uint8_t)(n % RAW == 15 ? n / RAW % 3 : n / RAW);
        if (!mkdtemp(folder))
            abort();
        snprintf(sheet, sizeof(sheet), "%s/sheet", folder);
        snprintf(bin, sizeof(bin), "%s/a", folder);
        put(bin, bytes, sizeof(bytes));
        atexit(clean);
    }
    put(sheet, data, size);
    struct block *b = block_open_cd(sheet, &err);
    if (b && b->disc)
        look(b, (unsigned)size * 7 + (size ? data[size / 2] : 0));
    block_close(b);
    return 0;
}
