/* libFuzzer: the input is what a program with access to everything does to the board: ports, memory, DMA, keys, time. */
#include "tests/fuzz/board.h"

enum { STEPS_MAX = 3000, TIME_MAX = 40000000 };     /* in guest nanoseconds, of the whole input */

static const uint16_t ports[] = {
    0x00, 0x08, 0x0a, 0x80, 0xc0, 0xd0, 0x20, 0xa0, 0x4d0, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x92, 0xb2, 0x170, 0x176, 0x1f0, 0x1f6,
    0x1f7, 0x2f8, 0x3f8, 0x3fa, 0x376, 0x3f6, 0x3f0, 0x3f5, 0x3b4, 0x3c0, 0x3c4, 0x3c8, 0x3ce, 0x3d4, 0x3da, 0x402, 0x510, 0x511, 0x514,
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

static void wait_for(int64_t ns)
{
    machine_run(m, clock_now(&m->clock) + ns);
}

static void port_step(uint8_t kind)
{
    uint16_t port = (uint16_t)(kind & 0x80 ? take(2) : ports[take(1) % ARRAY_SIZE(ports)] + (kind >> 5 & 3));
    unsigned size = 1u << (kind >> 3 & 3) % 3;
    machine_lock(m);
    if (kind & 1)
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
    m = fuzz_machine_again();
    input = data;
    left = size;
    for (unsigned n = 0; left && n < STEPS_MAX; n++) {
        uint8_t kind = (uint8_t)take(1);
        switch (kind & 7) {
        case 0: case 1: port_step(kind); break;
        case 2: case 3: memory_step(kind); break;
        case 4: string_step(kind); break;
        case 5: kind & 0x80 ? pci_step() : fill_step(); break;
        case 6: person_step(kind); break;
        default: {
            int64_t ns = MIN((int64_t)1 << (kind >> 3), time_left);
            time_left -= ns;
            wait_for(ns);
            if (kind & 0x80)
                fuzz_look(m);
        }
        }
    }
    wait_for(1000000);
    fuzz_look(m);
    return 0;
}
