/* The device bench; see bench.h. */
#include "tests/support/bench.h"
#include <stdio.h>
#include <stdlib.h>

static void bench_input(struct device *dev, unsigned pin, bool level)
{
    struct bench *b = container_of(dev, struct bench, capture);
    if (pin >= BENCH_LINES)
        abort();
    if (level && !b->level[pin])
        b->rises[pin]++;
    if (!level && b->level[pin])
        b->falls[pin]++;
    b->level[pin] = level;
}

static const struct device_class capture_class = {
    .name = "capture", .summary = "records the levels of wires", .size = sizeof(struct device),
    .input = bench_input,
};

static void bench_fail(const char *what, const char *text)
{
    fprintf(stderr, "bench: %s: %s\n", what, text);
    abort();
}

struct bench *bench_new_host(const struct host *host)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct error err;
    if (!b || !(b->m = machine_new(host, false, &err)))
        bench_fail("machine_new", b ? err.text : "out of memory");
    b->capture = (struct device){ .class = &capture_class, .machine = b->m, .id = "capture" };
    return b;
}

struct bench *bench_new(void)
{
    return bench_new_host(NULL);
}

void bench_free(struct bench *b)
{
    machine_free(b->m);
    free(b->ram);
    free(b);
}

struct device *bench_add(struct bench *b, const char *class, const char *id, const char *options)
{
    struct error err = { 0 };
    struct device *dev = machine_add(b->m, class, id, options, &err);
    if (!dev)
        bench_fail(class, err.text);
    return dev;
}

void bench_reset(struct bench *b)
{
    machine_reset(b->m, RESET_POWER);
}

uint8_t *bench_ram(struct bench *b, uint64_t base, size_t size)
{
    if (b->ram || !(b->ram = calloc(1, size)))
        bench_fail("bench_ram", "already there, or out of memory");
    space_map_ram(b->m->memory, base, size, b->ram, RAM_WRITABLE, 0);
    return b->ram;
}

void bench_wire(struct bench *b, const char *from, const char *output, const char *to, unsigned pin)
{
    if (!machine_wire(b->m, from, output, to, pin))
        bench_fail(from, output);
}

void bench_capture(struct bench *b, const char *id, const char *output, unsigned line)
{
    struct device *dev = machine_find(b->m, id);
    for (const struct pin *pin = dev ? dev->class->outputs : NULL; pin && pin->name; pin++)
        for (unsigned i = 0; i < pin->count; i++) {
            char name[64];
            snprintf(name, sizeof(name), pin->count > 1 ? "%s%u" : "%s", pin->name, i);
            if (*output && strcmp(name, output))
                continue;
            struct wire *wire = (struct wire *)((char *)dev + pin->offset) + i;
            *wire = (struct wire){ &b->capture, line };
            return;
        }
    bench_fail(id, output);
}

bool bench_irq(struct bench *b, unsigned line) { return b->level[line]; }

unsigned bench_rises(struct bench *b, unsigned line)
{
    unsigned rises = b->rises[line];
    b->rises[line] = 0;
    return rises;
}

void bench_drive(struct bench *b, const char *id, unsigned pin, bool level)
{
    struct wire wire = { machine_find(b->m, id), pin };
    if (!wire.to)
        bench_fail(id, "no such chip");
    wire_set(&wire, level);
}

void bench_step(struct bench *b, int64_t ns) { machine_step(b->m, ns); }
int64_t bench_now(struct bench *b) { return clock_now(&b->m->clock); }
void bench_out8(struct bench *b, uint16_t port, uint8_t value) { space_write(b->m->ports, port, 1, value); }
void bench_out16(struct bench *b, uint16_t port, uint16_t value) { space_write(b->m->ports, port, 2, value); }
void bench_out32(struct bench *b, uint16_t port, uint32_t value) { space_write(b->m->ports, port, 4, value); }
uint8_t bench_in8(struct bench *b, uint16_t port) { return (uint8_t)space_read(b->m->ports, port, 1); }
uint16_t bench_in16(struct bench *b, uint16_t port) { return (uint16_t)space_read(b->m->ports, port, 2); }
uint32_t bench_in32(struct bench *b, uint16_t port) { return (uint32_t)space_read(b->m->ports, port, 4); }
uint64_t bench_peek(struct bench *b, uint64_t address, unsigned size)
{
    return space_read(b->m->memory, address, size);
}

void bench_poke(struct bench *b, uint64_t address, unsigned size, uint64_t value)
{
    space_write(b->m->memory, address, size, value);
}
