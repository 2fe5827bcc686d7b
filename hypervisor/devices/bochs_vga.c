/* The display card of Bochs and its kin: a VGA on the PCI bus with the Bochs display interface and a linear
 * frame buffer.
 *
 * PCI function 1234h:1111h, class 0300h. BAR 0: the video memory, prefetchable; BAR 2: 4 KiB with the VGA's
 * ports 3C0h-3DFh at 400h and the interface's registers as words at 500h; the expansion ROM has the video
 * BIOS. The VGA's own ports and A0000h-BFFFFh answer whatever the command register says, so that firmware
 * without PCI sees a screen.
 *
 * References: [BOCHS-VBE]; [QEMU-STDVGA] the layout of BAR 2.
 * Not modelled: EDID (BAR 2, 000h-3FFh, reads 0), the endianness register at 600h. */
#include "devices/pci.h"
#include "devices/vga.h"
#include <stdlib.h>

enum { MMIO_SIZE = 0x1000, MMIO_PORTS = 0x400, MMIO_PORTS_END = 0x420, MMIO_VBE = 0x500,
       MMIO_VBE_END = MMIO_VBE + 2 * VBE_COUNT };

struct bochs_vga {
    struct device dev;
    struct pci_function pci;
    struct vga vga;
    uint8_t slot;                               /* property */
    uint32_t memory;                            /* property */
    char *romfile;                              /* property */
    uint8_t *rom;
};

static struct bochs_vga *bochs_of(struct device *dev) { return container_of(dev, struct bochs_vga, dev); }

/* The registers' word, reached without moving the guest's index. */
static uint16_t mmio_vbe(struct vga *v, unsigned index, const uint16_t *value)
{
    uint16_t saved = v->vbe_index, result = 0;
    v->vbe_index = (uint16_t)index;
    if (value)
        vbe_write(v, *value);
    else
        result = vbe_read(v);
    v->vbe_index = saved;
    return result;
}

static uint64_t mmio_read(void *chip, uint64_t offset, unsigned size)
{
    struct bochs_vga *b = chip;
    if (offset >= MMIO_PORTS && offset + size <= MMIO_PORTS_END) {
        uint64_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= vga_port_read(&b->vga, (uint16_t)(0x3c0 + offset - MMIO_PORTS + i)) << 8 * i;
        return value;
    }
    if (offset < MMIO_VBE || offset >= MMIO_VBE_END)
        return 0;
    uint16_t word = mmio_vbe(&b->vga, (unsigned)(offset - MMIO_VBE) / 2, NULL);
    return size == 1 ? word >> (offset & 1) * 8 : word;
}

static void mmio_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct bochs_vga *b = chip;
    uint16_t word = (uint16_t)value;
    if (offset >= MMIO_PORTS && offset + size <= MMIO_PORTS_END)
        for (unsigned i = 0; i < size; i++)
            vga_port_write(&b->vga, (uint16_t)(0x3c0 + offset - MMIO_PORTS + i), (uint8_t)(value >> 8 * i));
    else if (offset >= MMIO_VBE && offset < MMIO_VBE_END && size == 2)
        mmio_vbe(&b->vga, (unsigned)(offset - MMIO_VBE) / 2, &word);
}

static const struct io_ops mmio_ops = { mmio_read, mmio_write, IO_8 | IO_16 };

static bool bochs_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { .vendor = 0x1234, .device = 0x1111, .class_code = 0x030000,
        .subvendor = 0x1af4, .subsystem = 0x1100 };
    struct bochs_vga *b = bochs_of(dev);
    struct space *memory = dev->machine->memory;
    uint32_t rom_size;
    if (!pci_function_init(&b->pci, dev, &identity, b->slot, 0, err) ||
        !vga_rom_load(b->romfile, &b->rom, &rom_size, err))
        return false;
    if (!vga_init(&b->vga, dev, b->memory, true, err)) {
        free(b->rom);
        return false;
    }
    b->vga.linear = space_map_ram(memory, 0xe0000000, b->memory, b->vga.memory.bytes,
                                  RAM_WRITABLE | RAM_DIRTY_LOG | RAM_SECOND, 1);
    pci_bar_init(&b->pci, 0, PCI_BAR_PREFETCH, b->memory, b->vga.linear);
    pci_bar_init(&b->pci, 2, PCI_BAR_MEMORY, MMIO_SIZE,
                 space_map_io(memory, 0xf0000000, MMIO_SIZE, &mmio_ops, b, 1));
    if (b->rom)
        pci_bar_init(&b->pci, PCI_BAR_ROM, PCI_BAR_MEMORY, rom_size,
                     space_map_ram(memory, 0xf1000000, rom_size, b->rom, RAM_SECOND, 1));
    return true;
}

static void bochs_reset(struct device *dev, enum reset_kind kind)
{
    vga_reset(&bochs_of(dev)->vga, kind);
}

static bool bochs_restored(struct device *dev)
{
    struct bochs_vga *b = bochs_of(dev);
    vga_restored(&b->vga);
    return true;
}

static void bochs_free(struct device *dev)
{
    struct bochs_vga *b = bochs_of(dev);
    vga_free(&b->vga);
    free(b->rom);
}

static const struct state_field bochs_state[] = {
    PCI_STATE(struct bochs_vga, pci), VGA_STATE(struct bochs_vga, vga), END
};
static const struct property bochs_properties[] = {
    PROPERTY(struct bochs_vga, slot, "2", "PCI slot"),
    PROPERTY(struct bochs_vga, memory, "16M", "video memory, a power of two"),
    PROPERTY(struct bochs_vga, romfile, "", "file of the video BIOS; empty: none"), END
};
static const struct pin bochs_outputs[] = { { "irq", offsetof(struct bochs_vga, vga.irq), 1 },
                                            PCI_INTX(struct bochs_vga, pci), { 0 } };
const struct device_class bochs_vga_class = {
    .name = "bochs_vga", .summary = "PCI VGA with the Bochs display interface", .size = sizeof(struct bochs_vga),
    .properties = bochs_properties, .outputs = bochs_outputs, .state = bochs_state, .state_version = 1,
    .init = bochs_init, .reset = bochs_reset, .restored = bochs_restored, .free = bochs_free,
};
