/* See image_bench.h. Ports: 0F4h verdict, 0F5h the vector of an unexpected exception, 0F6h bits 0 INTR, 1 NMI, 2 A20 masked,
 * 3 INIT; 0F7h the vector that INTR acknowledges with; 0F8h notes; 0F9h the address of three dwords, to, from, bytes: a device copies. */
#include "tests/support/engine_bench.h"
#include "tests/support/image_bench.h"
#include "base/bits.h"
#include "engine/engine.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RAM_SIZE = 16 << 20, HIGH_SIZE = 4 << 20, ROM_SIZE = 64 << 10, FIRST_PORT = 0xf4, PORTS = 8 };

static uint64_t port_read(void *chip, uint64_t offset, unsigned size)
{
    struct image_bench *b = chip;
    (void)size;
    return offset == 0 ? 0x5a5a1234u : offset == 2 ? b->cpu->pin_levels & 0xff : 0xff;
}

static void set_pin(struct image_bench *b, unsigned pin, bool level) { cpu_class.input(&b->cpu->dev, pin, level); }

static void device_copies(struct image_bench *b, uint64_t request)
{
    uint8_t bytes[4096], what[12];
    space_copy_in(b->m->memory, what, request, sizeof what);
    size_t length = MIN(le32_get(what + 8), sizeof bytes);
    space_copy_in(b->m->memory, bytes, le32_get(what + 4), length);
    space_copy_out(b->m->memory, le32_get(what), bytes, length);
}

static void port_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct image_bench *b = chip;
    (void)size;
    switch (offset) {
    case 0:
        b->verdict = (uint32_t)value;
        b->verdicts++;
        break;
    case 1: b->vector = (uint32_t)value; break;
    case 2:
        set_pin(b, CPU_INTR, value & 1);
        set_pin(b, CPU_NMI, value & 2);
        set_pin(b, CPU_A20, !(value & 4));
        set_pin(b, CPU_INIT, value & 8);
        break;
    case 5: device_copies(b, value); break;
    case 3: b->intr_vector = (int)(value & 0xff); break;
    default:
        if (b->note_count < ARRAY_SIZE(b->notes))
            b->notes[b->note_count++] = (uint32_t)value;
    }
}
static const struct io_ops port_ops = { port_read, port_write, IO_8 | IO_16 | IO_32 };

static int intack(void *board)
{
    struct image_bench *b = board;
    set_pin(b, CPU_INTR, false);
    return b->intr_vector;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "image bench: %s: %s\n", what, why);
    abort();
}

/* The images stand beside the program that runs them. */
static void load(struct image_bench *b, const char *image)
{
    char self[512] = "", path[640];
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        fail(image, "cannot find out where this program is");
    snprintf(path, sizeof path, "%s/cpu/%s.bin", dirname(self), image);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail(path, "not there; run 'make tests'");
    if (!fread(b->ram + 0x7c00, 1, RAM_SIZE - 0x7c00, f))
        fail(path, "empty");
    fclose(f);
}

struct image_bench *image_bench_new(const char *image, const char *cpu_options)
{
    static const uint8_t jump[] = { 0xea, 0x00, 0x7c, 0x00, 0x00 };
    struct error err = { 0 };
    struct image_bench *b = calloc(1, sizeof *b);
    if (!b || !(b->m = machine_new(NULL, false, &err)))
        fail(image, err.text);
    b->ram = calloc(1, RAM_SIZE);
    b->high = calloc(1, HIGH_SIZE);
    b->rom = calloc(1, ROM_SIZE);
    space_map_ram(b->m->memory, 0, RAM_SIZE, b->ram, RAM_WRITABLE, 0);
    space_map_ram(b->m->memory, 1ull << 32, HIGH_SIZE, b->high, RAM_WRITABLE, 0);
    space_map_ram(b->m->memory, 0xf0000, ROM_SIZE, b->rom, 0, 1);
    space_map_ram(b->m->memory, 0xffff0000, ROM_SIZE, b->rom, 0, 1);
    space_map_io(b->m->ports, FIRST_PORT, PORTS, &port_ops, b, 0);
    memcpy(b->rom + 0xfff0, jump, sizeof jump);
    load(b, image);
    struct device *d = machine_add(b->m, "cpu", "cpu0", cpu_options, &err);
    if (!d)
        fail(image, err.text);
    b->cpu = cpu_of(d);
    b->cpu->pins.board = b;
    b->cpu->pins.intack = intack;
    b->m->cpu_ops = &engine_cpu_ops;
    if (!bench_attach(b->cpu, 64, &err))
        fail(image, err.text);
    machine_reset(b->m, RESET_POWER);
    return b;
}

/* The machine's loop, without one: timers fire, a halted CPU goes on when an interrupt waits. */
enum image_outcome image_bench_run(struct image_bench *b, uint64_t instructions)
{
    struct cpu *c = b->cpu;
    uint64_t end = c->instructions + instructions;
    unsigned verdicts = b->verdicts;
    while (c->instructions < end) {
        enum cpu_exit e = c->engine->run(c, MIN(end - c->instructions, 10000));
        if (b->verdicts != verdicts)
            return IMAGE_WROTE;
        if (e == CPU_SHUTDOWN)
            return IMAGE_SHUTDOWN;
        machine_lock(b->m);
        int64_t next = clock_next(&b->m->clock);
        bool idle = e == CPU_HALTED && !cpu_interrupt_ready(c);
        if (idle && next != TIMER_NEVER)
            clock_set(&b->m->clock, MAX(next, clock_now(&b->m->clock)));
        clock_fire(&b->m->clock);
        machine_unlock(b->m);
        if (idle && next == TIMER_NEVER)
            return IMAGE_HALTED;
    }
    return IMAGE_TIMEOUT;
}

void image_bench_free(struct image_bench *b)
{
    bench_detach(b->cpu);
    machine_free(b->m);
    free(b->ram);
    free(b->high);
    free(b->rom);
    free(b);
}
