/* libFuzzer: a SCSI adapter (the first byte says which) with a disk and a CD-ROM drive: registers, scripts, mailboxes and descriptors in
 * memory, commands, media that come and go. */
#include "tests/fuzz/board.h"

enum { STEPS_MAX = 2000, IO = 0xd000, MMIO = 0xfe000000, CHIP_RAM = 0xfe100000, MEMORY = 0x1000 };
static const char *const cards[] = { "am53c974", "lsi53c895a", "lsi53c810", "buslogic" };
static struct machine *m;
static const uint8_t *input;
static size_t left;

static uint32_t take(unsigned bytes)
{
    uint32_t v = 0;
    for (; bytes && left; bytes--, left--)
        v = v << 8 | *input++;
    return v;
}

static void out(unsigned offset, unsigned size, uint32_t value) { space_write(m->ports, (uint16_t)(IO + offset), size, value); }
static uint32_t in(unsigned offset, unsigned size) { return (uint32_t)space_read(m->ports, (uint16_t)(IO + offset), size); }
static void poke(uint32_t address, uint32_t value) { space_write(m->memory, address, 4, value); }

static void config(uint32_t reg, uint32_t value)
{
    space_write(m->ports, 0xcf8, 4, 0x80000000 | 5 << 11 | reg);
    space_write(m->ports, 0xcfc, 4, value);
}

/* Addresses of descriptors: mostly where fill_step writes, else anywhere. */
static uint32_t address(void)
{
    uint32_t v = take(2);
    return v & 0x8000 ? v << 16 | take(2) : MEMORY + (v & 0x1ffc);
}

static struct machine *machine_make(const char *card)
{
    static char rom_path[32], vga_path[32], text[64];
    static const struct host no_host;
    static uint8_t rom[64 << 10], vga[2048] = { 0x55, 0xaa, 4, 0xcb };
    struct error err;
    struct profile *p = profile_new();
    const char *const settings[] = { "machine.memory=2M", "machine.date=1999-12-31", "vga.memory=1M", "cpu.icount=2000000", "disk0.bus=scsi",
                                     "scsi.cdrom=yes", text };
    memset(rom, 0xf4, sizeof(rom));
    if (!*rom_path)
        fuzz_file(rom, sizeof(rom), rom_path), fuzz_file(vga, sizeof(vga), vga_path), log_to(NULL);
    snprintf(text, sizeof(text), "scsi.card=%s", card);
    for (unsigned n = 0; n < ARRAY_SIZE(settings); n++)
        if (!profile_set_text(p, settings[n], &err))
            abort();
    struct machine_config c = {
        .profile = p, .firmware = rom_path, .vga_firmware = vga_path, .virtual_time = true, .engine = "interpreter", .no_floppy = true,
        .cdrom = { fuzz_disk(64 << 11) }, .disk = { { fuzz_disk(1 << 20) } }, .has_cdrom = true,
    };
    struct machine *made = machine_create(&c, &no_host, &err);
    if (!made) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    profile_free(p);
    return made;
}

static struct machine *machine_again(unsigned which)
{
    static struct machine *made[ARRAY_SIZE(cards)];
    static struct stream pristine[ARRAY_SIZE(cards)];
    struct error err;
    if (!made[which]) {
        made[which] = machine_make(cards[which]);
        if (!machine_save(made[which], &pristine[which], &err))
            abort();
    }
    pristine[which].position = 0;
    machine_lock(made[which]);
    machine_media(made[which], "cdrom0", fuzz_disk(64 << 11), &err);
    if (!machine_load(made[which], &pristine[which], &err))
        abort();
    machine_unlock(made[which]);
    return made[which];
}

static void fill_step(void)
{
    uint32_t at = MEMORY + (take(2) & 0x1ffc);
    for (unsigned n = take(1) % 65; n; n--, at += 4)
        poke(at, take(4));
}

/* A command block somewhere in memory: often one that a drive knows, at a place that it has. */
static void cdb_put(uint32_t at)
{
    static const uint8_t opcodes[] = { 0, 3, 8, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2a, 0x2e, 0x35, 0x37, 0x42, 0x43, 0x44, 0x45, 0x47, 0x48, 0x4b,
                                       0x55, 0x5a, 0x88, 0x8a, 0x9e, 0xa0, 0xa8, 0xaa, 0xb9, 0xbe };
    uint8_t op = opcodes[take(1) % ARRAY_SIZE(opcodes)], flags = (uint8_t)take(1);
    uint8_t cdb[16] = { op, flags & 0x80 ? flags : 0, flags & 1 ? (uint8_t)take(1) : 0, 0, (uint8_t)take(1), (uint8_t)take(1), flags & 2 ? (uint8_t)take(1) : 0,
                        flags & 4 ? (uint8_t)take(1) : 0, (uint8_t)take(1), flags & 8 ? (uint8_t)take(1) : 0 };
    for (unsigned n = 0; n < 16; n += 4)
        poke(at + n, le32_get(cdb + n));
}

static void esp_step(uint8_t kind)
{
    cdb_put(MEMORY);
    out(0x10, 1, kind & 0x80 ? take(1) : kind & 8 ? 6 : 0);
    out(0x0c, 1, 1);
    out(0x08, 1, kind & 0x40 ? take(1) : 0x80);
    for (unsigned n = 0; n < 12; n++)
        out(0x08, 1, (uint32_t)space_read(m->memory, MEMORY + n, 1));
    out(0x0c, 1, kind & 0x20 ? take(1) : 0x42);
    out(0x00, 1, take(1)), out(0x04, 1, take(1));
    out(0x44, 4, take(3)), out(0x48, 4, address()), out(0x58, 4, address());
    out(0x0c, 1, 0x90);
    out(0x40, 1, take(1) | 3);
    out(0x0c, 1, take(1) & 1 ? 0x11 : 0x12);
    in(0x14, 1);
}

static void lsi_step(uint8_t kind)
{
    uint32_t script = kind & 0x80 ? CHIP_RAM : MEMORY + 0x400, at = script;
    unsigned id = kind & 0x40 ? take(1) & 15 : kind & 8 ? 6 : 0;
    cdb_put(MEMORY);
    poke(MEMORY + 0x20, 0x80);
    const uint32_t words[] = { 0x41000000 | id << 16, 0, 0x0e000001, MEMORY + 0x20, 0x0a00000c, MEMORY };
    for (unsigned n = 0; n < ARRAY_SIZE(words); n++, at += 4)
        poke(at, words[n]);
    for (unsigned n = take(1) % 24; n; n--, at += 8) {
        poke(at, take(4));
        poke(at + 4, kind & 0x20 ? take(4) : address());
    }
    poke(at, 0x98080000);
    out(0x56, 1, take(1));
    out(0x2c, 4, script);
}

static void buslogic_step(uint8_t kind)
{
    uint32_t ccb = MEMORY + 0x800, box = MEMORY + 0x1000;
    if (kind & 0x80 || !(in(0, 1) & 0x10)) {    /* a command with its parameters */
        out(1, 1, take(1));
        for (unsigned n = take(1) % 13; n; n--)
            out(1, 1, take(1));
        for (unsigned n = take(1); n; n--)
            in(1 + (n & 3), 1);
        return;
    }
    if (kind & 0x40) {
        const uint8_t start[] = { 0x81, (uint8_t)(take(1) % 5), (uint8_t)box, (uint8_t)(box >> 8), 0, 0 };
        for (unsigned n = 0; n < sizeof(start); n++)
            out(1, 1, start[n]);
        out(0, 1, 0x20);
    }
    poke(ccb, take(1) % 6 | (take(2) & 0x1f0c) << 8 | (uint32_t)take(1) << 24);
    poke(ccb + 4, take(3)), poke(ccb + 8, address());
    poke(ccb + 16, kind & 0x20 ? take(2) : kind & 8 ? 6 : 0);
    cdb_put(ccb + 18);
    poke(ccb + 36, address());
    poke(box + 8 * (take(1) & 3), ccb), poke(box + 4 + 8 * (take(1) & 3), (uint32_t)(take(1) % 3) << 24);
    out(1, 1, 2);
    out(0, 1, take(1) & 0x3f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const steps[])(uint8_t) = { esp_step, lsi_step, lsi_step, buslogic_step };
    struct error err;
    input = data;
    left = size;
    unsigned which = take(1) % ARRAY_SIZE(cards);
    m = machine_again(which);
    machine_lock(m);
    config(0x10, IO), config(0x14, MMIO), config(0x18, CHIP_RAM), config(0x04, 7);
    for (unsigned n = 0; left && n < STEPS_MAX; n++) {
        uint8_t kind = (uint8_t)take(1);
        unsigned width = 1u << (kind >> 3 & 3) % 3;
        switch (kind & 7) {
        case 0: out(take(1), width, take(width)); break;
        case 1: in(take(1), width); break;
        case 2: fill_step(); break;
        case 3: case 4: steps[which](kind); break;
        case 5:
            if (kind & 0x80)
                config(take(1) & 0xfc, take(4));
            else
                space_write(m->memory, MMIO + take(2), width, take(width));
            break;
        case 6: machine_media(m, "cdrom0", kind & 0x80 ? NULL : fuzz_disk(kind & 0x40 ? 2048 : 64 << 11), &err); break;
        default:
            machine_unlock(m);
            machine_run(m, clock_now(&m->clock) + ((int64_t)1 << (kind >> 3) % 22));
            machine_lock(m);
        }
    }
    machine_unlock(m);
    machine_run(m, clock_now(&m->clock) + 1000000);
    return 0;
}
