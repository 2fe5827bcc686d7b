/* A whole machine for the targets that need one: a ROM of HLT, two megabytes, a medium in every drive, time as instructions. */
#ifndef TESTS_FUZZ_BOARD_H
#define TESTS_FUZZ_BOARD_H
#include "hypervisor.h"
#include "base/bits.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file without a name that holds these bytes; its path in text. */
static inline void fuzz_file(const void *bytes, size_t size, char text[32])
{
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(text, 32, "/proc/self/fd/%d", fd);
}

static inline struct block *fuzz_disk(uint64_t size)
{
    struct error err;
    struct block *b = block_open_memory(size, &err);
    if (!b)
        abort();
    return b;
}

static inline struct machine *fuzz_machine(void)
{
    static char rom_path[32], vga_path[32];
    static const struct host no_host;
    static struct profile *profile;
    struct error err;
    if (!profile) {
        static uint8_t rom[64 << 10], vga[2048] = { 0x55, 0xaa, 4, 0xcb };
        memset(rom, 0xf4, sizeof(rom));         /* HLT, and interrupts are off */
        fuzz_file(rom, sizeof(rom), rom_path);
        fuzz_file(vga, sizeof(vga), vga_path);
        profile = profile_new();
        if (!profile_set_text(profile, "machine.memory=2M", &err) || !profile_set_text(profile, "machine.date=1999-12-31", &err) ||
            !profile_set_text(profile, "machine.debug-exit=on", &err) || !profile_set_text(profile, "vga.memory=1M", &err) ||
            !profile_set_text(profile, "cpu.icount=2000000", &err))     /* wherever the CPU gets to, time passes sooner */
            abort();
        log_to(NULL);
    }
    struct machine_config config = {
        .profile = profile, .firmware = rom_path, .vga_firmware = vga_path, .virtual_time = true, .engine = "interpreter",
        .floppy = { { fuzz_disk(1474560) }, { fuzz_disk(737280) } }, .cdrom = { fuzz_disk(64 << 11) },
        .disk = { { fuzz_disk(1 << 20) } }, .has_cdrom = true,
    };
    struct machine *m = machine_create(&config, &no_host, &err);
    if (!m) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return m;
}

/* The same machine each time, as it was when new: made once, then only its state is put back (its disks keep what they hold). */
static inline struct machine *fuzz_machine_again(void)
{
    static struct machine *m;
    static struct stream pristine;
    struct error err;
    if (!m) {
        m = fuzz_machine();
        if (!machine_save(m, &pristine, &err))
            abort();
        return m;
    }
    pristine.position = 0;
    machine_lock(m);
    atomic_store(&m->stop, STOP_NONE);
    atomic_store(&m->pause, false);
    machine_media(m, "floppy0", fuzz_disk(1474560), &err);
    machine_media(m, "cdrom0", fuzz_disk(64 << 11), &err);
    if (!machine_load(m, &pristine, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    machine_unlock(m);
    return m;
}

static inline void fuzz_draw(void *ui, const uint32_t *xrgb, unsigned stride, struct rect r)
{
    uint32_t *sum = ui;
    for (unsigned y = 0; y < r.h; y += 31)
        *sum += xrgb[y * stride + r.w - 1];
}

/* What the console does with a picture. */
static inline void fuzz_look(struct machine *m)
{
    struct display *d = &m->display;
    unsigned w, h, columns, rows;
    static uint8_t cells[64 << 10];
    uint32_t sum = 0;
    if (!d->chip)
        return;
    d->size(d->chip, &w, &h);
    d->refresh(d->chip, true, fuzz_draw, &sum);
    d->text(d->chip, &columns, &rows, cells, sizeof(cells));
    d->aspect(d->chip);
}

#endif
