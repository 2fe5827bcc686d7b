/* libFuzzer: a SCSI adapter (with a disk and a CD-ROM drive), an IDE channel with both, or a floppy controller: what a driver without sense
 * does to registers, scripts, mailboxes and descriptors, in commands that a drive knows, while media come and go. */
#include "tests/fuzz/device.h"
#include "devices/i82077.h"
#include "devices/dma.h"

enum { INPUT_STEPS = 2000, IO = 0xd000, MMIO = 0xfe000000, CHIP_RAM = MMIO + (1 << 20), MEMORY = 0x1000, IDE = 0x1f0, BUS_MASTER = 0xc000 };
enum { CD_SIZE = 64 << 11, DISK_SIZE = 1 << 20, FLOPPY_SIZE = 1474560 };
static struct machine *m;
static struct drive { struct device *dev; struct block *medium; } disk, cdrom, floppy[2];
static struct block_pool *pool;

static void out(unsigned offset, unsigned size, uint32_t value) { space_write(m->ports, (uint16_t)(IO + offset), size, value); }
static uint32_t in(unsigned offset, unsigned size) { return (uint32_t)space_read(m->ports, (uint16_t)(IO + offset), size); }
static void poke(uint32_t address, uint32_t value) { space_write(m->memory, address, 4, value); }

static int64_t time_left;                       /* in guest nanoseconds, of the whole input: a script that loops runs all of it */
static void wait_for(int64_t ns)
{
    ns = MIN(ns, time_left);
    time_left -= ns;
    machine_unlock(m);
    machine_step(m, ns);
    machine_lock(m);
}

/* Addresses of descriptors: mostly where fill_step writes, else anywhere. */
static uint32_t address(void)
{
    uint32_t v = take(2);
    return v & 0x8000 ? v << 16 | take(2) : MEMORY + (v & 0x1ffc);
}

static void insert(struct drive *d, unsigned unit, uint64_t size)
{
    if (!d->dev)
        return;
    fuzz_media(d->dev, unit, &d->medium, size);
    if (d->medium && d != &floppy[0] && d != &floppy[1])
        block_attach(d->medium, pool);
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

/* An ATA command with its registers, often for a sector that is there; of PACKET also the packet. Then its data, or DMA. */
static void ide_step(uint8_t kind)
{
    static const uint8_t commands[] = { 0xa0, 0xa1, 0x20, 0x24, 0x25, 0x29, 0x30, 0x35, 0x39, 0x40, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xe7, 0xec, 0xef, 0x08, 0x91, 0xf8 };
    uint8_t device = 0xe0 | (kind & 8) << 1, command = (uint8_t)take(1), flags = (uint8_t)take(1);
    space_write(m->ports, IDE + 6, 1, device);
    wait_for(1000);
    for (uint16_t n = 1; n < 6; n++)
        space_write(m->ports, IDE + n, 1, kind & 0x40 || n == 1 ? take(1) : n < 4 ? take(1) & 7 : 0);
    if (kind & 0x20)
        command = commands[command % ARRAY_SIZE(commands)];
    if (command == 0xa0) {
        space_write(m->ports, IDE + 1, 1, flags & 1);
        space_write(m->ports, IDE + 4, 2, flags & 2 ? take(2) : 0xfffe);
    }
    if (flags & 4) {                            /* the bus master, from a table in memory */
        poke(MEMORY, address()), poke(MEMORY + 4, (uint32_t)(flags & 8) << 28 | take(2)), poke(MEMORY + 8, address()), poke(MEMORY + 12, 0x80000000 | take(2));
        space_write(m->ports, BUS_MASTER + 4, 4, MEMORY);
        space_write(m->ports, BUS_MASTER, 1, flags >> 1 & 8);
    }
    space_write(m->ports, IDE + 7, 1, command);
    wait_for(20000);
    if (command == 0xa0) {
        cdb_put(MEMORY + 0x40);
        for (uint32_t n = 0; n < 12; n += 2)
            space_write(m->ports, IDE, 2, space_read(m->memory, MEMORY + 0x40 + n, 2));
    }
    if (flags & 4)
        space_write(m->ports, BUS_MASTER, 1, 1 | (flags >> 1 & 8));
    wait_for(1ll << (flags >> 4));
    for (unsigned n = kind & 0x80 ? take(1) * 4 : 0; n; n--)
        if (flags & 8)
            space_write(m->ports, IDE, 2, n);
        else
            space_read(m->ports, IDE, 2);
}

/* A floppy command, each byte given time, with its DMA channel; results are read back. */
static void fdc_step(uint8_t kind)
{
    static const uint8_t there[9] = { 0, 0, 0, 0, 1, 2, 18, 27, 0xff }, lengths[16] = { 1, 1, 9, 3, 2, 9, 9, 2, 1, 9, 2, 1, 9, 6, 1, 3 };
    static const struct { uint16_t port; uint8_t value; } dma[] = { { 0x0a, 6 }, { 0x0c, 0 }, { 4, 0 }, { 4, 0x10 }, { 0x81, 0 }, { 0x0a, 2 }, { 0x3f2, 0x3c } };
    uint8_t command = (uint8_t)take(1);
    unsigned length = kind & 0x80 ? take(1) % 10 : lengths[command & 15];
    for (unsigned n = 0; kind & 8 && n < ARRAY_SIZE(dma); n++)
        space_write(m->ports, dma[n].port, 1, dma[n].value);
    if (kind & 8) {
        space_write(m->ports, 0x0b, 1, 2 | (take(1) & 0xfc));
        space_write(m->ports, 5, 1, take(1)), space_write(m->ports, 5, 1, take(1));
    }
    space_write(m->ports, 0x3f5, 1, command | (kind & 0x10 ? 0x40 : 0));
    for (unsigned n = 1; n < length; n++)
        space_write(m->ports, 0x3f5, 1, kind & 0x10 && length == 9 ? there[n] : take(1));
    wait_for((int64_t)1 << (10 + take(1) % 18));
    for (unsigned n = kind & 0x20 ? 7 : kind & 0x40 ? take(1) : 0; n; n--)
        space_read(m->ports, 0x3f5, 1);
}

static const struct part {
    const char *name, *class, *options;
    void (*step)(uint8_t kind);
} parts[] = {
    { "am53c974", "am53c974", "slot=5", esp_step }, { "lsi53c895a", "lsi53c8xx", "slot=5", lsi_step },
    { "lsi53c810", "lsi53c8xx", "slot=5,chip=53c810", lsi_step }, { "buslogic", "buslogic", "slot=5", buslogic_step },
    { "ide", NULL, NULL, ide_step }, { "floppy", NULL, NULL, fdc_step },
};

/* A register of the part, or of the chips that serve it. */
static uint16_t port_of(const struct part *p)
{
    static const uint16_t ide[] = { IDE, IDE, 0x3f0, BUS_MASTER }, fdc[] = { 0x3f0, 0x3f0, 0, 0x80 };
    unsigned at = take(1);
    return (uint16_t)(p->class ? IO + at : (p->step == ide_step ? ide : fdc)[at >> 4 & 3] + at % 16);
}

static void floppy_make(void)
{
    struct device *fdc = fuzz_add(m, "i82077", "fdc", "drive0=auto,drive1=auto"), *dma = fuzz_add(m, "i8237", "dma", NULL);
    i82077_connect_dma(fdc, i8237_channel(dma, 2));
    floppy[0].dev = floppy[1].dev = fdc;
}

static void post(void *machine, void (*fn)(void *), void *arg) { machine_post_later(machine, fn, arg); }

static void make(const struct part *p)
{
    struct error err;
    m = fuzz_bench(NULL);
    m->disk_latency = 100000;
    pool = block_pool_create(0, post, m, &err);
    memset(floppy, 0, sizeof(floppy)), memset(&disk, 0, sizeof(disk)), memset(&cdrom, 0, sizeof(cdrom));
    if (p->class) {
        fuzz_add(m, "scsi_bus", "scsi0", NULL);
        fuzz_add(m, p->class, "hba", p->options);
        disk.dev = fuzz_add(m, "scsi_disk", "disk", NULL);
        cdrom.dev = fuzz_add(m, "scsi_cdrom", "cdrom", NULL);
    } else if (p->step == ide_step) {
        fuzz_add(m, "ata_channel", "ide0", NULL);
        fuzz_add(m, "ata_channel", "ide1", "iobase=0x170,control=0x376");
        fuzz_add(m, "piix3_ide", "ide", "chip=piix4");
        disk.dev = fuzz_add(m, "ata_disk", "disk", "channel=ide0,unit=0");
        cdrom.dev = fuzz_add(m, "atapi_cdrom", "cdrom", "channel=ide0,unit=1");
    } else {
        floppy_make();
    }
    insert(&disk, 0, DISK_SIZE), insert(&cdrom, 0, CD_SIZE), insert(&floppy[0], 0, FLOPPY_SIZE), insert(&floppy[1], 1, FLOPPY_SIZE / 2);
    machine_reset(m, RESET_POWER);
    if (p->class)
        fuzz_pci_enable(m, 5, IO, MMIO);
    pci_config_write(m, 9, 0x20, 4, BUS_MASTER);        /* the bus master, where there is one */
    pci_config_write(m, 9, 0x40, 4, 0x80008000);
    pci_config_write(m, 9, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MASTER);
}

static void unmake(void)
{
    struct drive *all[] = { &disk, &cdrom, &floppy[0], &floppy[1] };
    machine_free(m);
    block_pool_free(pool);
    for (unsigned n = 0; n < ARRAY_SIZE(all); n++)
        block_close(all[n]->medium);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *names[ARRAY_SIZE(parts)];
    for (unsigned n = 0; n < ARRAY_SIZE(parts); n++)
        names[n] = parts[n].name;
    const struct part *p = &parts[fuzz_pick(names, ARRAY_SIZE(parts), data, size)];
    make(p);
    time_left = p->class ? 20000000 : 2000000000;
    machine_lock(m);
    for (unsigned n = 0; left && n < INPUT_STEPS; n++) {
        uint8_t kind = (uint8_t)take(1);
        unsigned width = 1u << (kind >> 3 & 3) % 3;
        switch (kind & 7) {
        case 0: space_write(m->ports, port_of(p), width, take(width)); break;
        case 1: space_read(m->ports, port_of(p), width); break;
        case 2: fill_step(); break;
        case 3: case 4: p->step(kind); break;
        case 5:
            if (kind & 0x80)
                pci_config_write(m, p->class ? 5 << 3 : 9, take(1) & 0xfc, 4, take(4));
            else
                space_write(m->memory, MMIO + take(2), width, take(width));
            break;
        case 6: kind & 8 ? insert(&floppy[kind >> 4 & 1], kind >> 4 & 1, kind & 0x80 ? 0 : kind & 0x40 ? 2949120 : 163840)
                         : insert(&cdrom, 0, kind & 0x80 ? 0 : kind & 0x40 ? 2048 : CD_SIZE); break;
        default: wait_for((int64_t)1 << (kind >> 3) % 28);
        }
    }
    time_left += 2000000;
    wait_for(2000000);
    machine_unlock(m);
    fuzz_state(m, size);
    unmake();
    return 0;
}
