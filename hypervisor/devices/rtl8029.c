/* Realtek RTL8029AS: an NE2000 on PCI. See [RTL8029] "Register Descriptions".
 *
 * In a PC: 10EC:8029; BAR 0 places the 32 ports of dp8390.c. The data port takes double words too. Page 3 has the chip's own
 * configuration. Output: INTA#.
 *
 * References: [RTL8029]; [DP8390D]
 * Not modelled: the serial EEPROM behind 9346CR, the boot ROM, power down, full duplex. */
#include "devices/dp8390.h"
#include "devices/pci.h"

enum { CONFIG0 = 0x03, CONFIG2 = 0x05, CONFIG3, ASID0 = 0x0e, ASID1 };

struct rtl8029 {
    struct device dev;
    struct pci_function pci;                    /* state */
    uint8_t slot; char *mac, *romfile;          /* properties */
    struct dp8390 chip;                         /* state */
};

static struct rtl8029 *rtl_of(struct device *dev) { return container_of(dev, struct rtl8029, dev); }

static void rtl8029_update_irq(void *card, bool level)
{
    pci_intx(&((struct rtl8029 *)card)->pci, level);
}

static uint8_t rtl_page3(void *card, unsigned reg)
{
    const struct rtl8029 *r = card;
    switch (reg) {
    case CONFIG2: return net_link(&r->chip.port) ? 0 : 0x40;    /* PL: 10BASE-T with link test */
    case ASID0: return 0x29;
    case ASID1: return 0x80;
    default: return 0;
    }
}

static uint64_t rtl_read(void *card, uint64_t offset, unsigned size)
{
    struct rtl8029 *r = card;
    return dp8390_read(&r->chip, (unsigned)offset, size);
}

static void rtl_write(void *card, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtl8029 *r = card;
    dp8390_write(&r->chip, (unsigned)offset, size, (uint32_t)value);
}

static const struct io_ops rtl_io = { rtl_read, rtl_write, IO_8 | IO_16 | IO_32 };

static bool rtl_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { .vendor = 0x10ec, .device = 0x8029, .class_code = 0x020000, .subvendor = 0x10ec,
                                                  .subsystem = 0x8029, .pin = 1, .status = 0x0200 };
    struct rtl8029 *r = rtl_of(dev);
    r->chip.card = r;
    r->chip.irq = rtl8029_update_irq;
    r->chip.page3 = rtl_page3;
    r->chip.realtek = true;
    if (!dp8390_init(&r->chip, &dev->machine->clock, r->mac, dev->id, err) || !pci_function_init(&r->pci, dev, &identity, r->slot, 0, err))
        return false;
    pci_bar_init(&r->pci, 0, PCI_BAR_IO, DP8390_PORTS, space_map_io(dev->machine->ports, 0xc100, DP8390_PORTS, &rtl_io, r, 0));
    return pci_rom_load(&r->pci, r->romfile, err);
}

static void rtl_reset(struct device *dev, enum reset_kind kind)
{
    struct rtl8029 *r = rtl_of(dev);
    dp8390_reset(&r->chip, kind == RESET_POWER);
}

static const struct state_field rtl_state[] = { PCI_STATE(struct rtl8029, pci), DP8390_STATE(struct rtl8029, chip), END };
static const struct property rtl_properties[] = {
    PROPERTY(struct rtl8029, slot, "3", "PCI slot"), PROPERTY(struct rtl8029, mac, "02:48:4f:00:00:03", "hardware address"),
    PROPERTY(struct rtl8029, romfile, "", "file of an option ROM, for booting from the network; empty: none"), END
};
static const struct pin rtl_outputs[] = { PCI_INTX(struct rtl8029, pci), END };
const struct device_class rtl8029_class = {
    .name = "rtl8029", .summary = "Realtek RTL8029AS Ethernet (NE2000 on PCI)", .size = sizeof(struct rtl8029),
    .properties = rtl_properties, .outputs = rtl_outputs, .state = rtl_state, .state_version = 1,
    .init = rtl_init, .reset = rtl_reset, .net = offsetof(struct rtl8029, chip.port),
};
