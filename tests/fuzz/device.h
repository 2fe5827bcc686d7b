/* For targets about single devices: the input, which device it is about, and a machine without a board or a CPU, new for each input. */
#ifndef TESTS_FUZZ_DEVICE_H
#define TESTS_FUZZ_DEVICE_H
#include "devices/pci.h"
#include "block/block.h"
#include <stdlib.h>

enum { FUZZ_RAM = 64 << 10 };
static const uint8_t *input;
static size_t left;

static inline uint32_t take(unsigned bytes)
{
    uint32_t v = 0;
    for (; bytes && left; bytes--, left--)
        v = v << 8 | *input++;
    return v;
}

/* The device that FUZZ_DEVICE names (then the input is about nothing else), or whichever the first byte picks. */
static inline unsigned fuzz_pick(const char *const *names, unsigned count, const uint8_t *data, size_t size)
{
    const char *wanted = getenv("FUZZ_DEVICE");
    input = data;
    left = size;
    log_to(NULL);
    if (!wanted)
        return take(1) % count;
    for (unsigned n = 0; n < count; n++)
        if (!strcmp(names[n], wanted))
            return n;
    fprintf(stderr, "FUZZ_DEVICE=%s: not a device of this target\n", wanted);
    exit(2);
}

static inline struct device *fuzz_add(struct machine *m, const char *class, const char *id, const char *options)
{
    struct error err;
    struct device *d = machine_add(m, class, id, options, &err);
    if (!d) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return d;
}

/* With a PCI bus, and zeroed memory from 0 on. */
static inline struct machine *fuzz_bench(const struct host *host)
{
    static uint8_t ram[FUZZ_RAM];
    struct error err;
    struct machine *m = machine_new(host, false, &err);
    if (!m)
        abort();
    memset(ram, 0, sizeof(ram));
    space_map_ram(m->memory, 0, FUZZ_RAM, ram, RAM_WRITABLE, 0);
    fuzz_add(m, "pci", "pci0", NULL);
    return m;
}

/* Decodes its ports at `io`, the first memory at `memory`, the second 1 MiB above; masters the bus. */
static inline void fuzz_pci_enable(struct machine *m, unsigned slot, uint32_t io, uint32_t memory)
{
    for (unsigned bar = 0; bar < 3; bar++) {
        uint32_t value = pci_config_read(m, slot << 3, PCI_BAR0 + 4 * bar, 4);
        pci_config_write(m, slot << 3, PCI_BAR0 + 4 * bar, 4, value & 1 ? io : bar == 2 ? memory + (1 << 20) : memory);
    }
    pci_config_write(m, slot << 3, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
}

/* The device's drive `unit` gets another medium; NULL: none. What was in it is closed. */
static inline void fuzz_media(struct device *dev, unsigned unit, struct block **in, uint64_t size)
{
    struct error err;
    struct block *b = size ? block_open_memory(size, &err) : NULL;
    if (size && !b)
        abort();
    bool taken = dev->class->media(dev, unit, b, &err);
    block_close(taken ? *in : b);
    *in = taken ? b : *in;
}

/* What was saved is loaded and saved again; that takes longer than all else, so not every input does it. */
static inline void fuzz_state(struct machine *m, size_t size)
{
    struct stream before = { 0 }, after = { 0 };
    struct error err;
    if (size % 16)
        return;
    if (!machine_save(m, &before, &err) || !machine_load(m, &before, &err) || !machine_save(m, &after, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    stream_free(&before);
    stream_free(&after);
}

#endif
