/* libFuzzer: the input is what a program with access to everything does to the board: ports, memory, DMA, keys, time. */
#include "tests/fuzz/board.h"

enum { STEPS_MAX = 800, TIME_MAX = 20000000 };     /* in guest nanoseconds, of the whole input */

static const uint16_t ports[] = {
    0x00, 0x08, 0x0a, 0x80, 0xc0, 0xd0, 0x20, 0xa0, 0x4d0, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x92, 0xb2, 0x170, 0x176, 0x1f0, 0x1f6,
    0x1f7, 0x2f8, 0x3f8, 0x378, 0x778, 0x5658, 0x3fa, 0x376, 0x3f6, 0x3f0, 0x3f5, 0x3b4, 0x3c0, 0x3c4, 0x3c8, 0x3ce, 0x3d4, 0x3da, 0x402, 0x510, 0x511, 0x514,
    0x1ce, 0x1cf, 0xcf8, 0xcf9, 0xcfc, 0xcfe, 0x501, 0xf4, 0xc000, 0xc008, 0xb000, 0xb004, 0xb008, 0x8900, 0xb100,
};
static const uint32_t windows[] = {
    0, 0x1000, 0xa0000, 0xb0000, 0xb8000, 0xc0000, 0xe0000, 0xf0000, 0x1ff000, 0xfec00000, 0xfee00000, 0xe0000000, 0xfd000000, 0xfebf0000,
};

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

static void out(uint16_t port, unsigned value)
{
    machine_lock(m);
    space_write(m->ports, port, 1, value);
    machine_unlock(m);
}

static void wait_for(int64_t ns)
{
    machine_run(m, clock_now(&m->clock) + ns);
}

static void port_step(uint8_t kind)
{
    uint16_t port = (uint16_t)(kind & 0x80 ? take(2) : ports[take(1) % ARRAY_SIZE(ports)] + (kind >> 5 & 1));
    unsigned size = 1u << (kind >> 3 & 3) % 3;
    machine_lock(m);
    if (kind & 0x40)
        space_read(m->ports, port, size);
    else
        space_write(m->ports, port, size, take(size));
    machine_unlock(m);
}

static void memory_step(uint8_t kind)
{
    uint64_t address = kind & 0x80 ? take(4) : windows[take(1) % ARRAY_SIZE(windows)] + take(2);
    unsigned size = 1u << (kind >> 3 & 3);
    machine_lock(m);
    if (kind & 1)
        space_read(m->memory, address, size);
    else
        space_write(m->memory, address, size, (uint64_t)take(size / 2 + (size == 1)) * 0x100000001u);
    machine_unlock(m);
}

/* A PCI register is set: the buses' windows move, functions come and go. */
static void pci_step(void)
{
    uint32_t address = 0x80000000 | (take(1) & 0x7f) << 8 | (take(1) & 0xfc), value = take(4);
    machine_lock(m);
    space_write(m->ports, 0xcf8, 4, address);
    space_write(m->ports, 0xcfc, 4, value);
    machine_unlock(m);
}

/* The same port many times: FIFOs, sector buffers, auto-initialised DMA. */
static void string_step(uint8_t kind)
{
    uint16_t port = (uint16_t)(ports[take(1) % ARRAY_SIZE(ports)] + (kind >> 5 & 3));
    unsigned size = 1u << (kind >> 3 & 3) % 3, count = take(1) * 4;
    uint32_t value = take(1) * 0x01010101;
    machine_lock(m);
    for (; count; count--)
        if (kind & 0x80)
            space_read(m->ports, port, size);
        else
            space_write(m->ports, port, size, value);
    machine_unlock(m);
}

/* An ATA command with its registers; of PACKET also the packet, and some of its data. */
static void ata_step(uint8_t kind)
{
    static const uint8_t commands[] = { 0xa0, 0xa1, 0x20, 0x24, 0x25, 0x30, 0x35, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xec, 0xef, 0x08, 0x91, 0x10, 0xe7 };
    static const uint8_t packets[] = { 0, 3, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x42, 0x43, 0x44, 0x46, 0x4a, 0x51, 0x55, 0x5a, 0xa8,
                                       0xb9, 0xbd, 0xbe };
    uint16_t base = kind & 0x80 ? 0x170 : 0x1f0;
    out(base + 6, 0xe0 | (kind >> 2 & 0x10) | (take(1) & 15));
    wait_for(1000);
    for (unsigned n = 1; n < 6; n++)            /* often a sector that is there */
        out((uint16_t)(base + n), kind & 0x40 || n == 1 ? take(1) : n < 4 ? take(1) & 7 : 0);
    unsigned command = take(1);
    command = kind & 0x20 ? command : commands[command % ARRAY_SIZE(commands)];
    if (command == 0xa0 || command == 0xa1)
        out(base + 1, kind >> 3 & 1), out(base + 4, 0xfe), out(base + 5, 0xff);
    out(base + 7, command);
    wait_for(20000);
    machine_lock(m);
    for (unsigned n = 0; command == 0xa0 && n < 6; n++) {
        unsigned word = take(2);
        if (!n && !(kind & 0x40))
            word = packets[word % ARRAY_SIZE(packets)];
        space_write(m->ports, base, 2, n == 1 && !(kind & 0x40) ? 0 : word);
    }
    for (unsigned n = take(1); n; n--)
        space_read(m->ports, base, 2);
    machine_unlock(m);
}

/* A floppy command, each byte given time. */
static void floppy_step(uint8_t kind)
{
    static const uint8_t there[9] = { 0, 0, 0, 0, 1, 2, 18, 27, 0xff };
    static const uint8_t lengths[16] = { 1, 1, 9, 3, 2, 9, 9, 2, 1, 9, 2, 1, 9, 6, 1, 3 };
    uint8_t command = (uint8_t)take(1);
    unsigned length = kind & 0x80 ? take(1) % 10 : lengths[command & 15];
    out(0x0a, 2);
    out(0x3f5, command | (kind & 0x10 ? 0x40 : 0));
    for (unsigned n = 1; n < length; n++)
        out(0x3f5, kind & 0x10 && length == 9 ? there[n] : take(1));
    wait_for((int64_t)1 << (10 + take(1) % 15));
    for (unsigned n = kind >> 5 & 3 ? 7 : 0; n; n--) {
        machine_lock(m);
        space_read(m->ports, 0x3f5, 1);
        machine_unlock(m);
    }
}

/* What firmware does before programs run: bridges, windows, controllers and a text screen in order. */
static void power_on_self_test(void)
{
    static const uint32_t pci[][2] = {
        { 0x80000920, 0xc001 }, { 0x80000904, 5 }, { 0x80000940, 0x80008000 }, { 0x80000b40, 0xb001 }, { 0x80000b80, 1 }, { 0x80000b04, 1 },
        { 0x80001010, 0xe0000000 }, { 0x80001018, 0xfebf0000 }, { 0x80001004, 3 }, { 0x80000058, 0x33330000 },
    };
    static const uint8_t crtc[25] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x0e, 0x8f, 0x28,
                                      0x1f, 0x96, 0xb9, 0xa3, 0xff };
    static const struct { uint16_t port; uint8_t value; } outs[] = {
        { 0x20, 0x11 }, { 0x21, 8 }, { 0x21, 4 }, { 0x21, 1 }, { 0xa0, 0x11 }, { 0xa1, 0x70 }, { 0xa1, 2 }, { 0xa1, 1 }, { 0x21, 0 }, { 0xa1, 0 },
        { 0xd6, 0xc0 }, { 0xd4, 0 }, { 0x0b, 0x46 }, { 0x0c, 0 }, { 0x05, 0xff }, { 0x05, 0x11 }, { 0x0a, 2 }, { 0x43, 0x36 }, { 0x40, 0 },
        { 0x40, 0 }, { 0x64, 0x60 }, { 0x60, 0x47 }, { 0x3f2, 0x1c }, { 0x3c2, 0x67 }, { 0x3c4, 0 }, { 0x3c5, 3 }, { 0x3c4, 4 }, { 0x3c5, 2 },
        { 0x3c4, 2 }, { 0x3c5, 3 }, { 0x3ce, 5 }, { 0x3cf, 0x10 }, { 0x3ce, 6 }, { 0x3cf, 0x0e }, { 0x3c0, 0x20 },
    };
    machine_lock(m);
    for (unsigned n = 0; n < ARRAY_SIZE(pci); n++) {
        space_write(m->ports, 0xcf8, 4, pci[n][0]);
        space_write(m->ports, 0xcfc, 4, pci[n][1]);
    }
    for (unsigned n = 0; n < ARRAY_SIZE(outs); n++)
        space_write(m->ports, outs[n].port, 1, outs[n].value);
    for (unsigned n = 0; n < ARRAY_SIZE(crtc); n++)
        space_write(m->ports, 0x3d4, 2, n | crtc[n] << 8);
    machine_unlock(m);
}

/* Memory that descriptors and commands come from. */
static void fill_step(void)
{
    uint32_t address = take(2) << 4;
    machine_lock(m);
    for (unsigned n = take(1) % 33; n; n--)
        space_write(m->memory, address++, 1, take(1));
    machine_unlock(m);
}

static void person_step(uint8_t kind)
{
    struct error err;
    switch (kind >> 3 & 3) {
    case 0: machine_key(m, (uint16_t)take(1), kind >> 7); break;
    case 1: machine_pointer_move(m, (int8_t)take(1), (int8_t)take(1), (int8_t)take(1), take(1)); break;
    case 2:
        machine_lock(m);
        machine_media(m, kind & 0x80 ? "floppy0" : "cdrom0", kind & 0x40 ? fuzz_disk(kind & 0x20 ? 2949120 : 163840) : NULL, &err);
        machine_unlock(m);
        break;
    default:
        machine_lock(m);
        machine_power_button(m);
        machine_unlock(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t time_left = TIME_MAX;
    unsigned looked = 0;                        /* a picture takes longer than all else */
    m = fuzz_machine_again();
    input = data;
    left = size;
    if (take(1) & 3)
        power_on_self_test();
    for (unsigned n = 0; left && n < STEPS_MAX; n++) {
        uint8_t kind = (uint8_t)take(1);
        switch (kind & 7) {
        case 0: kind & 8 ? ata_step(kind) : floppy_step(kind); break;
        case 1: port_step(kind); break;
        case 2: case 3: memory_step(kind); break;
        case 4: string_step(kind); break;
        case 5: kind & 0x80 ? pci_step() : fill_step(); break;
        case 6: person_step(kind); break;
        default: {
            int64_t ns = MIN((int64_t)1 << (kind >> 3), time_left);
            time_left -= ns;
            wait_for(ns);
            if (kind >= 0xe0 && !looked++)
                fuzz_look(m);
        }
        }
    }
    wait_for(1000000);
    return 0;
}
