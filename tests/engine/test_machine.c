/* The whole machine through hypervisor.h: errors of its settings, tiny ROMs that it runs, media, snapshots. */
#include "hypervisor.h"
#include "boards/i440fx.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROM = 64 << 10, RESET = 0xfff0, ENTRY = 0xf000 };
struct fixture { struct machine_config config; char path[64]; struct profile *profile; };
static char said[256];
static unsigned said_count;

static void debug(void *ui, uint16_t port, uint8_t byte)
{
    (void)ui, (void)port;
    if (said_count < sizeof(said) - 1)
        said[said_count++] = (char)byte;
}
static const struct host host = { .debug = debug };

/* A ROM whose reset vector jumps to `code` at F000:F000. */
static struct fixture *with_rom(const uint8_t *code, size_t length)
{
    static uint8_t rom[ROM];
    struct fixture *f = calloc(1, sizeof(*f));
    memset(rom, 0xf4, sizeof(rom));
    memcpy(rom + ENTRY, code, length);
    memcpy(rom + RESET, (const uint8_t[]){ 0xea, 0x00, 0xf0, 0x00, 0xf0 }, 5);
    strcpy(f->path, "/tmp/holdover-rom-XXXXXX");
    int fd = mkstemp(f->path);
    cr_assert(fd >= 0 && write(fd, rom, sizeof(rom)) == sizeof(rom));
    close(fd);
    f->profile = profile_new();
    f->config = (struct machine_config){ .profile = f->profile, .firmware = f->path, .virtual_time = true };
    said_count = 0;
    memset(said, 0, sizeof(said));
    return f;
}

static void set(struct fixture *f, const char *assignment)
{
    struct error err = { 0 };
    cr_assert(profile_set_text(f->profile, assignment, &err), "%s", err.text);
}

static struct machine *make(struct fixture *f)
{
    struct error err = { 0 };
    struct machine *m = machine_create(&f->config, &host, &err);
    cr_assert_not_null(m, "%s", err.text);
    return m;
}

static void done(struct fixture *f)
{
    unlink(f->path);
    profile_free(f->profile);
    free(f);
}

static const uint8_t halt[] = { 0xfa, 0xf4 };

Test(machine, a_rom_speaks_and_turns_it_off)
{
    static const uint8_t code[] = {
        0xba, 0x02, 0x04, 0xb0, 'H', 0xee, 0xb0, 'i', 0xee,             /* mov dx,402h; mov al,'H'; out dx,al ... */
        0xba, 0x00, 0x89, 0xbe, 0x1c, 0xf0, 0xb9, 0x08, 0x00,           /* mov dx,8900h; mov si,text; mov cx,8 */
        0x2e, 0xac, 0xee, 0xe2, 0xfb, 0xf4, 0xeb, 0xfd, 0, 0,           /* cs lodsb; out dx,al; loop; hlt; jmp */
        'S', 'h', 'u', 't', 'd', 'o', 'w', 'n',
    };
    struct fixture *f = with_rom(code, sizeof(code));
    struct machine *m = make(f);
    cr_assert_eq(machine_run(m, NS_PER_S), STOP_POWER_OFF);
    cr_assert_str_eq(said, "Hi");
    machine_free(m);
    done(f);
}

Test(machine, cf9_resets_all_and_no_reboot_ends_there)
{
    static const uint8_t code[] = { 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4 };
    struct fixture *f = with_rom(code, sizeof(code));
    f->config.no_reboot = true;
    struct machine *m = make(f);
    cr_assert_eq(machine_run(m, NS_PER_S), STOP_RESET);
    machine_free(m);
    done(f);
}

Test(machine, a_reset_at_the_moment_of_a_pause_does_not_swallow_it)
{
    struct fixture *f = with_rom(halt, sizeof(halt));
    struct machine *m = make(f);
    machine_stop(m, STOP_RESET);
    machine_stop(m, STOP_PAUSED);
    cr_assert_eq(machine_run(m, NS_PER_S), STOP_PAUSED);
    cr_assert_lt(clock_now(&m->clock), NS_PER_S);
    cr_assert_eq(machine_run(m, NS_PER_S), STOP_PAUSED);
    cr_assert_geq(clock_now(&m->clock), NS_PER_S);
    machine_stop(m, STOP_PAUSED);
    machine_stop(m, STOP_POWER_OFF);            /* what the guest did wins */
    cr_assert_eq(machine_run(m, 2 * NS_PER_S), STOP_POWER_OFF);
    machine_free(m);
    done(f);
}

Test(machine, a_triple_fault_resets_the_cpu_and_leaves_ram)
{
    /* counts in RAM at 0:500h; says 'R' on the third pass, else loads an empty IDT in protected mode and faults */
    static const uint8_t code[] = {
        0x31, 0xc0, 0x8e, 0xd8, 0xfe, 0x06, 0x00, 0x05, 0x80, 0x3e, 0x00, 0x05, 0x03, 0x75, 0x07,
        0xba, 0x02, 0x04, 0xb0, 'R', 0xee, 0xf4,
        0x0f, 0x01, 0x1e, 0x10, 0x05, 0xcc,                             /* lidt [510h] (zeros); int3 */
    };
    struct fixture *f = with_rom(code, sizeof(code));
    struct machine *m = make(f);
    cr_assert_eq(machine_run(m, NS_PER_S / 10), STOP_PAUSED);
    cr_assert_str_eq(said, "R");
    machine_free(m);
    done(f);
}

Test(machine, quirk_386_seabios)
{
    struct fixture *f = with_rom(halt, sizeof(halt));
    set(f, "cpu.model=386");
    struct machine *m = make(f);
    cr_assert(!cpu_has(cpu_of(m->cpus[0]), HAS_BSWAP), "another firmware gets a plain 386");
    machine_free(m);
    f->config.firmware = NULL;
    m = make(f);
    cr_assert(cpu_has(cpu_of(m->cpus[0]), HAS_BSWAP));
    cr_assert(!cpu_has(cpu_of(m->cpus[0]), HAS_486));
    machine_free(m);
    done(f);
}

Test(machine, settings_that_cannot_be)
{
    static const struct { const char *set, *says; } cases[] = {
        { "machine.memory=1M", "machine.memory" }, { "machine.memory=2000001", "machine.memory" }, { "machine.date=yesterday", "machine.date" },
        { "machine.clock=sundial", "machine.clock" }, { "machine.disk-latency=7", "machine.disk-latency" },
        { "machine.disk-latency=2s", "machine.disk-latency" },
        { "machine.board=vax", "board" }, { "cpu.engine=warp", "engine" }, { "cpu.model=z80", "z80" }, { "cpu.count=2", "cpu.count" },
        { "nosuch.key=1", "nosuch" }, { "disk0.heads=16", "disk0" }, { "serial1.colour=red", "colour" },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
        struct error err = { 0 };
        struct fixture *f = with_rom(halt, sizeof(halt));
        if (profile_set_text(f->profile, cases[n].set, &err)) {
            struct machine *m = machine_create(&f->config, &host, &err);
            cr_assert_null(m, "%s was taken", cases[n].set);
        }
        cr_assert(strstr(err.text, cases[n].says), "%s: %s", cases[n].set, err.text);
        done(f);
    }
}

Test(machine, settings_of_a_drive_that_a_run_lacks)
{
    struct fixture *f = with_rom(halt, sizeof(halt));
    set(f, "cdrom0.serial=7");
    set(f, "floppy1.type=1440");
    machine_free(make(f));
    done(f);
}

Test(machine, firmware_that_cannot_be)
{
    static const size_t sizes[] = { 0, 512, (64 << 10) - 1, (64 << 10) + 1, (4 << 20) + 4096 };
    for (unsigned n = 0; n <= ARRAY_SIZE(sizes); n++) {
        struct error err = { 0 };
        struct fixture *f = with_rom(halt, sizeof(halt));
        if (n < ARRAY_SIZE(sizes))
            cr_assert_eq(truncate(f->path, (off_t)sizes[n]), 0);
        else
            unlink(f->path);
        struct block *disk = block_open_memory(1 << 20, &err);
        f->config.disk[0].block = disk;         /* taken over, and closed */
        cr_assert_null(machine_create(&f->config, &host, &err));
        cr_assert(strstr(err.text, f->path), "%s", err.text);
        done(f);
    }
}

Test(machine, drives_and_media)
{
    struct error err = { 0 };
    struct fixture *f = with_rom(halt, sizeof(halt));
    bool removable;
    f->config.floppy[0].block = block_open_memory(1474560, &err);
    f->config.cdrom.block = block_open_memory(2048 * 100 + 7, &err);
    for (unsigned n = 0; n < 3; n++)
        f->config.disk[n].block = block_open_memory((10 << 20) + 100, &err);
    struct machine *m = make(f);
    static const char *const names[] = { "floppy0", "cdrom0", "ide0-0", "ide0-1", "ide1-1" };
    for (unsigned n = 0; n < ARRAY_SIZE(names); n++) {
        cr_assert_str_eq(machine_drive(m, n, &removable), names[n]);
        cr_assert_eq(removable, n < 2);
    }
    cr_assert_null(machine_drive(m, 5, &removable));
    cr_assert(!machine_medium_locked(m, "cdrom0"));
    machine_lock(m);
    cr_assert(machine_media(m, "floppy0", NULL, &err));
    cr_assert(machine_media(m, "floppy0", block_open_memory(368640, &err), &err), "%s", err.text);
    cr_assert(machine_media(m, "floppy0", block_open_memory(300000, &err), &err), "padded to the next format: %s", err.text);
    cr_assert(!machine_media(m, "floppy0", block_open_memory(4 << 20, &err), &err));
    cr_assert(machine_media(m, "cdrom0", block_open_memory(4 << 20, &err), &err));
    cr_assert(!machine_media(m, "ide0-0", NULL, &err), "a fixed disk");
    machine_power_button(m);
    machine_unlock(m);
    machine_free(m);
    done(f);
}

Test(machine, a_snapshot_of_all_is_loaded_and_saved_again)
{
    struct error err = { 0 };
    struct fixture *f = with_rom(halt, sizeof(halt));
    set(f, "machine.memory=4M");
    f->config.disk[0].block = block_open_memory(10 << 20, &err);
    f->config.has_cdrom = true;
    struct machine *m = make(f);
    f->config.disk[0].block = block_open_memory(10 << 20, &err);
    struct machine *other = make(f);
    struct stream first = { 0 }, second = { 0 };
    cr_assert_eq(machine_run(m, NS_PER_S / 100), STOP_PAUSED);
    m->ram[0x12345] = 0x55;
    cr_assert(machine_save(m, &first, &err), "%s", err.text);
    cr_assert(machine_load(other, &first, &err), "%s", err.text);
    cr_assert_eq(other->ram[0x12345], 0x55);
    cr_assert(machine_save(other, &second, &err), "%s", err.text);
    cr_assert_eq(first.length, second.length);
    cr_assert_eq(memcmp(first.bytes, second.bytes, first.length), 0);
    stream_free(&first);
    stream_free(&second);
    machine_free(m);
    machine_free(other);
    done(f);
}

Test(machine, pokes_at_every_port_are_survived, .timeout = 120)
{
    struct error err = { 0 };
    struct fixture *f = with_rom(halt, sizeof(halt));
    f->config.floppy[0].block = block_open_memory(1474560, &err);
    f->config.cdrom.block = block_open_memory(1 << 20, &err);
    f->config.disk[0].block = block_open_memory(1 << 20, &err);
    struct machine *m = make(f);
    uint32_t seed = 7;
    machine_lock(m);
    for (unsigned n = 0; n < 300000; n++) {
        seed = seed * 1664525 + 1013904223;
        uint64_t port = n < 65536 ? n : seed >> 16;
        if (seed & 1 && n >= 65536)             /* most ports are empty: rather those below 1024, and PCI's */
            port = seed & 2 ? port & 0x3ff : 0xcf8 + (port & 7);
        unsigned size = 1u << (seed >> 8 & 3) % 3;
        if (seed & 4)
            space_write(m->ports, port, size, seed * 2654435761u >> (seed & 24));
        else
            space_read(m->ports, port, size);
        if (n % 64 == 0)
            clock_fire(&m->clock);
    }
    machine_unlock(m);
    machine_free(m);
    done(f);
}

static bool tells_of_tsc(struct machine *m, unsigned pam0)
{
    uint32_t out[4];
    space_write(m->ports, 0xcf8, 4, 0x80000058);                        /* the host bridge; PAM0 is 59h */
    space_write(m->ports, 0xcfd, 1, pam0);
    cpu_cpuid(cpu_of(m->cpus[0]), 1, out);
    return out[3] >> 4 & 1;
}

/* QUIRK(firmware-tsc) */
Test(machine, firmware_tsc)
{
    for (unsigned acpi = 0; acpi < 2; acpi++) {
        struct fixture *f = with_rom(halt, sizeof(halt));
        set(f, "cpu.model=pentium");
        set(f, acpi ? "machine.acpi=yes" : "machine.acpi=no");
        struct machine *m = make(f);
        cr_assert(tells_of_tsc(m, 0x00));                               /* the ROM itself */
        cr_assert_eq(tells_of_tsc(m, 0x30), acpi);                      /* RAM that takes writes: at POST */
        cr_assert(tells_of_tsc(m, 0x10));                               /* RAM that only reads: an operating system */
        machine_free(m);
        done(f);
    }
}
