/* fw_cfg: what the machine tells its firmware, as numbered items and named files. Read [FW-CFG].
 *
 * In a PC: no such thing; in this one selector at port 510h (16 bits), data at 511h, DMA address at 514h
 * (64 bits, big-endian, in two halves). The board fills it (fw_cfg.h) before the machine runs. SeaBIOS
 * takes CPU counts, E820, boot order, option ROMs and SMBIOS from here.
 *
 * References: [FW-CFG]
 * Not modelled: items that the guest may write; a DMA write fails with the error bit. */
#include "devices/fw_cfg.h"
#include "core/machine.h"
#include <assert.h>
#include <stdlib.h>

enum { SIGNATURE, ID, FILE_DIR = 0x19, FILE_FIRST = 0x20, SELECTOR_MASK = 0xbfff, NOTHING = 0xffff };
enum { ID_TRADITIONAL = 1 << 0, ID_DMA = 1 << 1, DIR_ENTRY = 64, NAME_AT = 8, NAME_MAX_LENGTH = 55 };
enum { DMA_ERROR = 1 << 0, DMA_READ = 1 << 1, DMA_SKIP = 1 << 2, DMA_SELECT = 1 << 3, DMA_WRITE = 1 << 4,
       DMA_DESCRIPTOR = 16, DMA_OFFSET = 4, PIECE = 4096 };
#define DMA_SIGNATURE 0x51454d5520434647ull     /* "QEMU CFG": what a read of the address register gives */
/* what lies past an item's end reads as zeros, but not for ever */
#define DMA_LENGTH_MAX (64u << 20)

struct item { uint16_t selector; uint8_t *bytes; size_t length; };

struct fw_cfg {
    struct device dev;
    uint16_t iobase;
    struct item *items; size_t count;           /* the board's, not the guest's */
    uint16_t selector;
    uint32_t position, dma_high;
};

static struct item *fw_cfg_find(struct fw_cfg *f, uint16_t selector)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->items[i].selector == selector)
            return &f->items[i];
    return NULL;
}

/* --- the board's side --- */

void fw_cfg_add_bytes(struct device *dev, uint16_t selector, const void *bytes, size_t length)
{
    struct fw_cfg *f = container_of(dev, struct fw_cfg, dev);
    uint8_t *copy = malloc(length + 1);
    assert(copy && length <= UINT32_MAX);
    memcpy(copy, bytes, length);
    struct item *item = fw_cfg_find(f, selector);
    if (!item) {
        f->items = realloc(f->items, (f->count + 1) * sizeof(*f->items));
        assert(f->items);
        item = &f->items[f->count++];
        item->bytes = NULL;
    }
    free(item->bytes);
    *item = (struct item){ selector, copy, length };
}

void fw_cfg_add_u16(struct device *dev, uint16_t selector, uint16_t value)
{
    uint8_t bytes[2];
    le16_put(bytes, value);
    fw_cfg_add_bytes(dev, selector, bytes, sizeof(bytes));
}

void fw_cfg_add_u32(struct device *dev, uint16_t selector, uint32_t value)
{
    uint8_t bytes[4];
    le32_put(bytes, value);
    fw_cfg_add_bytes(dev, selector, bytes, sizeof(bytes));
}

void fw_cfg_add_u64(struct device *dev, uint16_t selector, uint64_t value)
{
    uint8_t bytes[8];
    le64_put(bytes, value);
    fw_cfg_add_bytes(dev, selector, bytes, sizeof(bytes));
}

/* The directory: a count, then entries of length, selector, two reserved bytes and a name of 56, all
 * big-endian. */
void fw_cfg_add_file(struct device *dev, const char *name, const void *bytes, size_t length)
{
    struct fw_cfg *f = container_of(dev, struct fw_cfg, dev);
    const struct item *old = fw_cfg_find(f, FILE_DIR);
    uint32_t files = be32_get(old->bytes), n = 0;
    assert(strlen(name) <= NAME_MAX_LENGTH);
    while (n < files && strcmp((const char *)old->bytes + 4 + n * DIR_ENTRY + NAME_AT, name))
        n++;
    size_t size = 4 + (size_t)MAX(files, n + 1) * DIR_ENTRY;
    uint8_t *dir = calloc(1, size), *entry = dir + 4 + n * DIR_ENTRY;
    assert(dir);
    memcpy(dir, old->bytes, old->length);
    be32_put(dir, MAX(files, n + 1));
    be32_put(entry, (uint32_t)length);
    be16_put(entry + 4, (uint16_t)(FILE_FIRST + n));
    memcpy(entry + NAME_AT, name, strlen(name) + 1);
    fw_cfg_add_bytes(dev, FILE_DIR, dir, size);
    free(dir);
    fw_cfg_add_bytes(dev, (uint16_t)(FILE_FIRST + n), bytes, length);
}

/* --- the guest's side --- */

static void fw_cfg_select(struct fw_cfg *f, uint16_t selector)
{
    f->selector = selector & SELECTOR_MASK;     /* bit 14 asked for writing */
    f->position = 0;
}

/* Copies from the selected item and moves on; past its end there are zeros. */
static void fw_cfg_take(struct fw_cfg *f, uint8_t *to, size_t length)
{
    const struct item *item = fw_cfg_find(f, f->selector);
    size_t left = item && f->position < item->length ? item->length - f->position : 0, n = MIN(left, length);
    if (to) {
        if (n)
            memcpy(to, item->bytes + f->position, n);
        memset(to + n, 0, length - n);
    }
    f->position = (uint32_t)MIN((uint64_t)f->position + length, UINT32_MAX);
}

static bool fw_cfg_dma_run(struct fw_cfg *f, uint32_t control, uint32_t length, uint64_t address)
{
    struct space *memory = f->dev.machine->memory;
    uint8_t piece[PIECE];
    if (control & DMA_SELECT)
        fw_cfg_select(f, (uint16_t)(control >> 16));
    if (control & DMA_WRITE || length > DMA_LENGTH_MAX)
        return false;
    if (!(control & DMA_READ)) {
        if (control & DMA_SKIP)
            fw_cfg_take(f, NULL, length);
        return true;
    }
    while (length) {
        size_t n = MIN(length, (size_t)PIECE);
        fw_cfg_take(f, piece, n);
        if (!space_copy_out(memory, address, piece, n))
            return false;
        address += n;
        length -= (uint32_t)n;
    }
    return true;
}

/* Writing the low half starts it; the control word is cleared, or left with the error bit, when all is
 * done. */
static void fw_cfg_dma(struct fw_cfg *f, uint64_t descriptor)
{
    struct space *memory = f->dev.machine->memory;
    uint8_t d[DMA_DESCRIPTOR], status[4];
    if (!space_copy_in(memory, d, descriptor, sizeof(d))) {
        log_device(&f->dev, LOG_GUEST, "DMA descriptor at %#llx is not in memory",
                   (unsigned long long)descriptor);
        return;
    }
    bool done = fw_cfg_dma_run(f, be32_get(d), be32_get(d + 4), be64_get(d + 8));
    be32_put(status, done ? 0 : DMA_ERROR);
    space_copy_out(memory, descriptor, status, sizeof(status));
}

static uint64_t fw_cfg_read(void *chip, uint64_t offset, unsigned size)
{
    struct fw_cfg *f = chip;
    uint8_t byte = 0;
    (void)size;
    if (offset == 1)
        fw_cfg_take(f, &byte, 1);
    return byte;
}

static void fw_cfg_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    if (offset == 0 && size == 2)
        fw_cfg_select(chip, (uint16_t)value);
}

static uint64_t fw_cfg_dma_read(void *chip, uint64_t offset, unsigned size)
{
    unsigned shift = (unsigned)(8 * (8 - size - offset));       /* big-endian bytes of the signature */
    uint64_t value = DMA_SIGNATURE >> shift;
    (void)chip;
    return size == 4 ? __builtin_bswap32((uint32_t)value) : value & 0xff;
}

static void fw_cfg_dma_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct fw_cfg *f = chip;
    uint32_t half = __builtin_bswap32((uint32_t)value);
    if (size != 4)
        return;
    if (offset == 0) {
        f->dma_high = half;
    } else if (offset == DMA_OFFSET) {
        uint64_t descriptor = (uint64_t)f->dma_high << 32 | half;
        f->dma_high = 0;
        fw_cfg_dma(f, descriptor);
    }
}

static const struct io_ops fw_cfg_io = { fw_cfg_read, fw_cfg_write, IO_8 | IO_16 };
static const struct io_ops fw_cfg_dma_io = { fw_cfg_dma_read, fw_cfg_dma_write, IO_8 | IO_32 };

static bool fw_cfg_init(struct device *dev, struct error *err)
{
    struct fw_cfg *f = container_of(dev, struct fw_cfg, dev);
    static const uint8_t no_files[4];
    (void)err;
    fw_cfg_add_bytes(dev, SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(dev, ID, ID_TRADITIONAL | ID_DMA);
    fw_cfg_add_bytes(dev, FILE_DIR, no_files, sizeof(no_files));
    space_map_io(dev->machine->ports, f->iobase, 2, &fw_cfg_io, f, 0);
    space_map_io(dev->machine->ports, f->iobase + 4u, 8, &fw_cfg_dma_io, f, 0);
    return true;
}

static void fw_cfg_reset(struct device *dev, enum reset_kind kind)
{
    struct fw_cfg *f = container_of(dev, struct fw_cfg, dev);
    (void)kind;
    f->selector = NOTHING & SELECTOR_MASK;
    f->position = f->dma_high = 0;
}

static void fw_cfg_free(struct device *dev)
{
    struct fw_cfg *f = container_of(dev, struct fw_cfg, dev);
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].bytes);
    free(f->items);
}

static const struct state_field fw_cfg_state[] = {
    FIELD(struct fw_cfg, selector), FIELD(struct fw_cfg, position), FIELD(struct fw_cfg, dma_high), END
};
static const struct property fw_cfg_properties[] = {
    PROPERTY(struct fw_cfg, iobase, "0x510", "first port: selector, data, DMA"), END
};
const struct device_class fw_cfg_class = {
    .name = "fw_cfg", .summary = "firmware configuration", .size = sizeof(struct fw_cfg),
    .properties = fw_cfg_properties, .state = fw_cfg_state, .state_version = 1,
    .init = fw_cfg_init, .reset = fw_cfg_reset, .free = fw_cfg_free,
};
