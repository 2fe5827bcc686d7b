/* PCI bus 0 with configuration mechanism #1 [PCI 2.1, 3.7.4.1], and what all functions on it have in common.
 *
 * In a PC: CONFADD at port CF8h (double words only; narrower accesses pass by, CF9h is another chip's), CONFDATA at CFCh-CFFh. The
 * host bridge, the south bridge and the cards are functions here; the wires from their INTx pins are the board's.
 *
 * References: [PCI 2.1] configuration, base address registers; [82441FX] 3.1 for the port pair.
 * Not modelled: bridges and buses above 0, configuration mechanism #2, parity, fast back-to-back, special cycles.
 */
#include "devices/pci.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONFADD = 0xcf8, CONFDATA = 0xcfc, FUNCTIONS = 32 * 8 };
#define CONFADD_ENABLE 0x80000000u

struct pci {
    struct device dev;
    struct pci_function *function[FUNCTIONS];
    uint8_t *rom[32]; unsigned roms;            /* what pci_rom_load has read */
    uint32_t address;                           /* state: CONFADD */
};

static struct pci *pci_of(struct device *dev) { return container_of(dev, struct pci, dev); }

static struct pci *pci_find(struct machine *m)
{
    for (struct device *d = m->devices; d; d = d->next)
        if (d->class == &pci_class)
            return pci_of(d);
    return NULL;
}

/* --- regions follow the base address registers ---------------------------------------------------------------- */

static unsigned bar_offset(unsigned bar) { return bar == PCI_BAR_ROM ? PCI_ROM : PCI_BAR0 + 4 * bar; }

uint64_t pci_bar_base(const struct pci_function *f, unsigned bar)
{
    return le32_get(f->config + bar_offset(bar)) & ~(f->bars[bar].size - 1);
}

/* A guest that sizes a register leaves decoding on and writes all ones: a window that ends at the top of 4 GiB, or one
 * at 0, would hide the firmware or the vectors for that moment, so neither is decoded. */
static bool bar_decodes(const struct pci_function *f, unsigned bar)
{
    const struct pci_bar *b = &f->bars[bar];
    uint64_t base = pci_bar_base(f, bar), last = base + b->size - 1;
    if (!f->plugged || !base || last >= UINT32_MAX)
        return false;
    if (b->kind == PCI_BAR_IO)
        return pci_command(f) & COMMAND_IO && last <= UINT16_MAX;
    return pci_command(f) & COMMAND_MEMORY && (bar != PCI_BAR_ROM || f->config[PCI_ROM] & 1);
}

static void bars_update(struct pci_function *f)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct pci_bar *b = &f->bars[n];
        if (!b->region)
            continue;
        bool decodes = bar_decodes(f, n);
        bool moves = decodes && region_base(b->region) != pci_bar_base(f, n);
        if (b->decoded && (!decodes || moves))
            region_enable(b->region, false);
        if (moves)
            region_move(b->region, pci_bar_base(f, n));
        if (decodes && (!b->decoded || moves))
            region_enable(b->region, true);
        b->decoded = decodes;
    }
}

/* --- configuration space -------------------------------------------------------------------------------------- */

static uint32_t function_read(const struct pci_function *f, unsigned offset, unsigned size)
{
    uint32_t value = 0;
    for (unsigned n = 0; n < size; n++)
        value |= (uint32_t)f->config[(offset + n) & 0xff] << 8 * n;
    return value;
}

static void function_write(struct pci_function *f, unsigned offset, unsigned size, uint32_t value)
{
    for (unsigned n = 0; n < size; n++) {
        unsigned at = (offset + n) & 0xff;
        uint8_t byte = (uint8_t)(value >> 8 * n), *c = &f->config[at];
        *c = (uint8_t)((*c & ~f->writable[at]) | (byte & f->writable[at]));
        *c = (uint8_t)(*c & ~(byte & f->clears[at]));
    }
    if (offset < PCI_ROM + 4)
        bars_update(f);
    if (f->written)
        f->written(f->dev);
}

uint32_t pci_config_read(struct machine *m, unsigned devfn, unsigned offset, unsigned size)
{
    struct pci *bus = pci_find(m);
    if (!bus || devfn >= FUNCTIONS || !bus->function[devfn])
        return UINT32_MAX >> (32 - 8 * size);   /* a master abort reads as all ones [PCI 2.1, 3.2.2.3] */
    return function_read(bus->function[devfn], offset, size);
}

void pci_config_write(struct machine *m, unsigned devfn, unsigned offset, unsigned size, uint32_t value)
{
    struct pci *bus = pci_find(m);
    if (bus && devfn < FUNCTIONS && bus->function[devfn])
        function_write(bus->function[devfn], offset, size, value);
}

/* --- ports ---------------------------------------------------------------------------------------------------- */

static uint64_t confadd_read(void *chip, uint64_t offset, unsigned size)
{
    struct pci *bus = chip;
    return size == 4 && !offset ? bus->address : UINT64_MAX >> (64 - 8 * size);
}

static void confadd_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci *bus = chip;
    if (size == 4 && !offset)
        bus->address = (uint32_t)value & (CONFADD_ENABLE | 0x00fffffc);
}

/* The function that CONFADD names, or NULL. */
static struct pci_function *addressed(struct pci *bus)
{
    if (!(bus->address & CONFADD_ENABLE) || bits_get(bus->address, 16, 8))
        return NULL;
    return bus->function[bits_get(bus->address, 8, 8)];
}

static uint64_t confdata_read(void *chip, uint64_t offset, unsigned size)
{
    struct pci *bus = chip;
    struct pci_function *f = addressed(bus);
    if (!f)
        return UINT64_MAX >> (64 - 8 * size);
    return function_read(f, (bus->address & 0xfc) + (unsigned)offset, size);
}

static void confdata_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci *bus = chip;
    struct pci_function *f = addressed(bus);
    if (f)
        function_write(f, (bus->address & 0xfc) + (unsigned)offset, size, (uint32_t)value);
}

static const struct io_ops confadd_ops = { confadd_read, confadd_write, IO_8 | IO_16 | IO_32 };
static const struct io_ops confdata_ops = { confdata_read, confdata_write, IO_8 | IO_16 | IO_32 };

/* --- functions ------------------------------------------------------------------------------------------------ */

static void function_masks(struct pci_function *f)
{
    le16_put(f->writable + PCI_COMMAND, COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
    f->clears[PCI_STATUS + 1] = 0xf9;           /* the error bits: writing 1 clears [PCI 2.1, 6.2.3] */
    f->writable[PCI_CACHE_LINE] = f->writable[PCI_LATENCY] = 0xff;
    f->writable[PCI_LINE] = f->identity.pin ? 0xff : 0;
}

bool pci_function_init(struct pci_function *f, struct device *dev, const struct pci_identity *identity, unsigned slot,
                       unsigned function, struct error *err)
{
    f->dev = dev;
    f->identity = *identity;
    f->devfn = (uint8_t)((slot & 31) << 3 | (function & 7));
    function_masks(f);
    if (slot > 31 || function > 7)
        return error_set(err, EINVAL, "%s: PCI slots are 0 to 31, functions 0 to 7", dev->id);
    struct pci *bus = pci_find(dev->machine);
    if (!bus)
        return true;
    if (bus->function[f->devfn])
        return error_set(err, EBUSY, "%s: PCI slot %u function %u is taken by %s; choose another slot", dev->id, slot, function,
                         bus->function[f->devfn]->dev->id);
    bus->function[f->devfn] = f;
    f->plugged = true;
    return true;
}

void pci_bar_init(struct pci_function *f, unsigned bar, enum pci_bar_kind kind, uint32_t size, struct region *region)
{
    f->bars[bar] = (struct pci_bar){ .region = region, .size = size, .kind = (uint8_t)kind };
    uint32_t mask = ~(size - 1);
    le32_put(f->writable + bar_offset(bar), bar == PCI_BAR_ROM ? mask | 1 : mask);
    if (region)
        region_enable(region, false);
}

/* A ROM that was built for no card in particular gets this card's identity, and its sum right again [PCI 2.1, 6.3.1.2]. */
static void rom_adopt(const struct pci_function *f, uint8_t *rom, size_t length)
{
    unsigned data = le16_get(rom + 0x18);
    uint8_t sum = 0;
    if (data + 8u > length || memcmp(rom + data, "PCIR", 4) || le32_get(rom + data + 4))
        return;
    le16_put(rom + data + 4, f->identity.vendor);
    le16_put(rom + data + 6, f->identity.device);
    for (unsigned n = 4; n < 8; n++)
        sum = (uint8_t)(sum + rom[data + n]);
    rom[6] = (uint8_t)(rom[6] - sum);           /* a byte that nothing else is made of, behind the jump */
}

bool pci_rom_load(struct pci_function *f, const char *path, struct error *err)
{
    enum { ROM_MOST = 256 << 10 };
    struct pci *bus = pci_find(f->dev->machine);
    if (!*path || !bus || bus->roms == ARRAY_SIZE(bus->rom))
        return true;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return error_set(err, errno, "%s: the ROM %s cannot be opened (%s)", f->dev->id, path, strerror(errno));
    uint8_t *rom = bus->rom[bus->roms++] = aligned_alloc(4096, ROM_MOST);
    size_t length = rom ? fread(rom, 1, ROM_MOST, file) : 0;
    bool whole = length >= 512 && getc(file) == EOF && le16_get(rom) == 0xaa55;
    fclose(file);
    if (!whole)
        return error_set(err, EINVAL, "%s: %s is not an option ROM of up to 256 KB", f->dev->id, path);
    rom_adopt(f, rom, length);
    uint32_t size = 2048;
    while (size < length)
        size *= 2;
    memset(rom + length, 0xff, size - length);
    pci_bar_init(f, PCI_BAR_ROM, PCI_BAR_MEMORY, size, space_map_ram(f->dev->machine->memory, 0xf1000000, size, rom, RAM_SECOND, 1));
    return true;
}

static void function_reset(struct pci_function *f)
{
    const struct pci_identity *i = &f->identity;
    memset(f->config, 0, sizeof(f->config));
    le16_put(f->config + PCI_VENDOR, i->vendor);
    le16_put(f->config + PCI_DEVICE, i->device);
    le16_put(f->config + PCI_STATUS, i->status);
    f->config[PCI_REVISION] = i->revision;
    f->config[PCI_CLASS] = (uint8_t)i->class_code;
    le16_put(f->config + PCI_CLASS + 1, (uint16_t)(i->class_code >> 8));
    le16_put(f->config + PCI_SUBVENDOR, i->subvendor);
    le16_put(f->config + PCI_SUBSYSTEM, i->subsystem);
    f->config[PCI_PIN] = i->pin;
    for (unsigned n = 0; n < PCI_BARS; n++)
        if (n != PCI_BAR_ROM && f->bars[n].kind)
            f->config[bar_offset(n)] = f->bars[n].kind == PCI_BAR_IO ? 1 : f->bars[n].kind == PCI_BAR_PREFETCH ? 8 : 0;
    bars_update(f);
}

void pci_function_hide(struct pci_function *f, bool hidden)
{
    struct pci *bus = pci_find(f->dev->machine);
    if (!bus || f->plugged == !hidden)
        return;
    f->plugged = !hidden;
    bus->function[f->devfn] = hidden ? NULL : f;
    bars_update(f);
}

bool pci_dma_in(struct pci_function *f, void *to, uint64_t address, size_t length)
{
    return pci_command(f) & COMMAND_MASTER && space_copy_in(f->dev->machine->memory, to, address, length);
}

bool pci_dma_out(struct pci_function *f, uint64_t address, const void *from, size_t length)
{
    return pci_command(f) & COMMAND_MASTER && space_copy_out(f->dev->machine->memory, address, from, length);
}

/* --- class ---------------------------------------------------------------------------------------------------- */

static bool pci_init(struct device *dev, struct error *err)
{
    struct pci *bus = pci_of(dev);
    (void)err;
    space_map_io(dev->machine->ports, CONFADD, 4, &confadd_ops, bus, 0);
    space_map_io(dev->machine->ports, CONFDATA, 4, &confdata_ops, bus, 0);
    return true;
}

static void pci_reset(struct device *dev, enum reset_kind kind)
{
    struct pci *bus = pci_of(dev);
    (void)kind;
    bus->address = 0;
    for (unsigned n = 0; n < FUNCTIONS; n++)
        if (bus->function[n])
            function_reset(bus->function[n]);
}

static bool pci_restored(struct device *dev)
{
    struct pci *bus = pci_of(dev);
    for (unsigned n = 0; n < FUNCTIONS; n++)
        if (bus->function[n])
            bars_update(bus->function[n]);
    return true;
}

static void pci_free(struct device *dev)
{
    struct pci *bus = pci_of(dev);
    while (bus->roms)
        free(bus->rom[--bus->roms]);
}

const struct state_field pci_function_state[] = { FIELD_ARRAY(struct pci_function, config), END };
static const struct state_field pci_state[] = { FIELD(struct pci, address), END };

const struct device_class pci_class = {
    .name = "pci", .summary = "PCI bus 0 and its configuration ports", .size = sizeof(struct pci),
    .state = pci_state, .state_version = 1, .init = pci_init, .reset = pci_reset, .restored = pci_restored, .free = pci_free,
};
