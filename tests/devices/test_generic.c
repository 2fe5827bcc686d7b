/* Every device class that can stand alone: reset, snapshots, random accesses. */
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* A bench with this class alone, powered on; NULL when the class needs more than itself. */
static struct bench *alone(const struct device_class *class)
{
    struct error err;
    struct bench *b = bench_new();
    bench_ram(b, 0, 1 << 20);
    if (!machine_add(b->m, class->name, "chip", NULL, &err)) {
        bench_free(b);
        return NULL;
    }
    bench_reset(b);
    return b;
}

static uint32_t seed;
static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* Ports at random, those that PC chips use more often; memory at random; time goes on. */
static void poke_at_random(struct bench *b, unsigned count)
{
    static const uint16_t bases[] = { 0x00, 0x20, 0x40, 0x60, 0x70, 0x80, 0x92, 0xa0, 0xc0, 0x170, 0x1f0, 0x2f8,
                                      0x3b0, 0x3c0, 0x3f0, 0x3f8, 0x402, 0x4d0, 0x510, 0xcf8, 0xb000, 0xc000, 0x1ce };
    static const uint64_t windows[] = { 0xa0000, 0xb8000, 0xfec00000, 0xe0000000, 0xfebf0000 };
    for (unsigned i = 0; i < count; i++) {
        uint32_t r = next_random(), v = next_random() << 16 ^ next_random();
        unsigned size = 1u << r % 3;
        uint16_t port = (uint16_t)(bases[(r >> 2) % ARRAY_SIZE(bases)] + (r >> 8) % 16);
        uint64_t address = windows[(r >> 2) % ARRAY_SIZE(windows)] + (r >> 8) % 0x400;
        switch (next_random() % 8) {
        case 0:
        case 1:
        case 2:
            space_write(b->m->ports, port, size, v);
            break;
        case 3:
        case 4:
            space_read(b->m->ports, port, size);
            break;
        case 5:
            space_write(b->m->memory, address, size, v);
            break;
        case 6:
            space_read(b->m->memory, address, size);
            break;
        default:
            if (!b->m->cpu_count)               /* a machine with a CPU takes its time from there */
                bench_step(b, next_random() % (1 << (next_random() % 22)));
        }
    }
}

static void save(struct bench *b, struct stream *s)
{
    struct error err = { 0 };
    cr_assert(machine_save(b->m, s, &err), "%s", err.text);
}

static void assert_same(const struct stream *a, const struct stream *b, const char *class, const char *what)
{
    cr_assert(a->length == b->length && !memcmp(a->bytes, b->bytes, a->length), "%s: %s", class, what);
}

Test(generic, every_class_is_described)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        cr_assert((*c)->name && (*c)->summary && (*c)->size >= sizeof(struct device));
        cr_assert(device_class_find((*c)->name) == *c, "%s is listed twice", (*c)->name);
        for (const struct property *p = (*c)->properties; p && p->name; p++)
            cr_assert(p->help && *p->help, "%s.%s has no help", (*c)->name, p->name);
    }
}

Test(generic, reset_twice_is_reset_once)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        struct bench *b = alone(*c);
        struct stream once = { 0 }, twice = { 0 };
        if (!b)
            continue;
        seed = 1;
        poke_at_random(b, 2000);
        bench_reset(b);
        save(b, &once);
        bench_reset(b);
        save(b, &twice);
        assert_same(&once, &twice, (*c)->name, "a second reset changes something");
        stream_free(&once);
        stream_free(&twice);
        bench_free(b);
    }
}

Test(generic, a_loaded_machine_saves_the_same_bytes)
{
    for (const struct device_class *const *c = device_classes; *c; c++)
        for (unsigned round = 0; round < 4; round++) {
            struct bench *b = alone(*c), *fresh = b ? alone(*c) : NULL;
            struct stream first = { 0 }, second = { 0 };
            struct error err = { 0 };
            if (!b)
                break;
            seed = 7 + round;
            poke_at_random(b, 500 * round);
            save(b, &first);
            cr_assert(machine_load(fresh->m, &first, &err), "%s: %s", (*c)->name, err.text);
            save(fresh, &second);
            assert_same(&first, &second, (*c)->name, "a loaded machine saves other bytes");
            stream_free(&first);
            stream_free(&second);
            bench_free(b);
            bench_free(fresh);
        }
}

/* A value that only the chip itself knows to be impossible: refused as well, with nothing changed. */
Test(generic, a_refused_snapshot_changes_nothing)
{
    struct bench *b = alone(device_class_find("i8254"));
    struct stream bad = { 0 }, before = { 0 }, after = { 0 };
    struct error err;
    save(b, &bad);
    uint8_t *count = memmem(bad.bytes, bad.length, "\5count", 6);
    cr_assert_not_null(count);
    memset(count + 6 + 1 + 4, 0, 4);            /* behind the name: kind, number, the value */
    bench_step(b, 12345);
    space_write(b->m->ports, 0x43, 1, 0x34);
    space_write(b->m->ports, 0x40, 1, 0x77);
    save(b, &before);
    cr_assert_not(machine_load(b->m, &bad, &err));
    save(b, &after);
    assert_same(&before, &after, "i8254", "a refused snapshot changes something");
    stream_free(&bad);
    stream_free(&before);
    stream_free(&after);
    bench_free(b);
}

/* Cut anywhere, a snapshot is refused and the machine stays as it was. Long ones are cut at some places. */
Test(generic, a_cut_snapshot_is_refused)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        struct bench *b = alone(*c);
        struct stream whole = { 0 }, before = { 0 }, after = { 0 };
        struct error err;
        if (!b)
            continue;
        seed = 3;
        poke_at_random(b, 300);
        save(b, &whole);
        bench_reset(b);
        save(b, &before);
        size_t step = whole.length / 4000 + 1;
        for (size_t length = 0; length < whole.length;) {
            uint8_t *copy = malloc(length + 1);
            memcpy(copy, whole.bytes, length);
            struct stream cut = { .bytes = copy, .length = length };
            cr_assert(!machine_load(b->m, &cut, &err), "%s: %zu of %zu bytes were taken", (*c)->name, length,
                      whole.length);
            free(copy);
            length += length + 512 < whole.length && length > 512 ? step : 1;
        }
        save(b, &after);
        assert_same(&before, &after, (*c)->name, "a refused snapshot changed the machine");
        stream_free(&whole);
        stream_free(&before);
        stream_free(&after);
        bench_free(b);
    }
}

Test(generic, random_accesses_are_survived, .timeout = 300)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        struct bench *b = alone(*c);
        if (!b)
            continue;
        seed = 11;
        poke_at_random(b, 40000);
        bench_free(b);
    }
}
