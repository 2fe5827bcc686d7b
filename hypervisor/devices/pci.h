/* The PCI bus, seen from a chip on it: a function is a 256-byte configuration space with a mask of the bits that the guest may
 * write, base address registers that place regions, and one interrupt pin. A chip embeds a struct pci_function, lists its
 * state with PCI_STATE, its interrupt with PCI_INTX, and calls pci_function_init from init. The bus, which is there before its functions, resets them (command,
 * BARs and interrupt line to 0) before their chips' own reset, and puts their regions where a loaded state has them. */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H
#include "core/machine.h"

/* Configuration registers [PCI 2.1, 6.1] */
enum { PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08, PCI_CLASS = 0x09,
       PCI_CACHE_LINE = 0x0c, PCI_LATENCY = 0x0d, PCI_HEADER = 0x0e, PCI_BAR0 = 0x10, PCI_SUBVENDOR = 0x2c,
       PCI_SUBSYSTEM = 0x2e, PCI_ROM = 0x30, PCI_LINE = 0x3c, PCI_PIN = 0x3d };
enum { COMMAND_IO = 1, COMMAND_MEMORY = 2, COMMAND_MASTER = 4 };
enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEMORY, PCI_BAR_PREFETCH };
enum { PCI_BAR_ROM = 6, PCI_BARS = 7 };         /* the expansion ROM counts as the seventh base address register */

struct pci_identity {
    uint16_t vendor, device; uint32_t class_code; uint8_t revision;     /* class_code: base, sub, interface, as 0x030000 */
    uint16_t subvendor, subsystem;
    uint8_t pin;                                /* 0 none, 1 INTA# ... 4 INTD# */
    uint16_t status;                            /* read-only value of the status register's low bits and timing */
};

struct pci_bar { struct region *region; uint32_t size; uint8_t kind; bool decoded; };
struct pci_function {
    struct device *dev;                         /* the chip */
    struct pci_identity identity;
    uint8_t devfn;                              /* slot << 3 | function */
    bool plugged;                               /* there is a bus, and this function is on it */
    uint8_t config[256];                        /* saved */
    uint8_t writable[256], clears[256];         /* bits that a write changes, and those that writing 1 clears */
    struct pci_bar bars[PCI_BARS];
    void (*written)(void *chip);                /* may be NULL: a write to the configuration took effect; chip: dev */
    struct wire intx;                           /* output pin: to the bridge's input slot * 4 + pin - 1 */
};

extern const struct state_field pci_function_state[];
#define PCI_STATE(T, m) FIELD_STRUCT(T, m, pci_function_state)
#define PCI_INTX(T, m) { "intx", offsetof(T, m.intx), 1 }

/* Puts the function on the machine's bus at slot/function (8 bits each, bounded); without a bus in the machine the function
 * is just not reachable. Fills identity, header and the standard write masks. Fails when the place is taken. */
bool pci_function_init(struct pci_function *, struct device *, const struct pci_identity *, unsigned slot, unsigned function,
                       struct error *);
/* Gives a base address register (0-5, or PCI_BAR_ROM) its size (a power of two) and the region that it places: mapped by the
 * caller at any base in machine->ports or ->memory; disabled here until the guest enables decoding. region may be NULL. */
void pci_bar_init(struct pci_function *, unsigned bar, enum pci_bar_kind, uint32_t size, struct region *);
/* An expansion ROM from a file of up to 256 KB; an empty name: none. Without a bus nothing is read. The bus frees it. */
bool pci_rom_load(struct pci_function *, const char *path, struct error *);
void pci_function_hide(struct pci_function *, bool);            /* the whole function (off-board strap, ACPI off) */
uint64_t pci_bar_base(const struct pci_function *, unsigned bar);       /* as programmed */
static inline uint16_t pci_command(const struct pci_function *f) { return le16_get(f->config + PCI_COMMAND); }
static inline void pci_intx(struct pci_function *f, bool level) { wire_set(&f->intx, level); }
/* Bus master transfers: only while the guest allows them (COMMAND_MASTER); false otherwise, or when part was not RAM. */
bool pci_dma_in(struct pci_function *, void *to, uint64_t address, size_t length);
bool pci_dma_out(struct pci_function *, uint64_t address, const void *from, size_t length);

/* What the bus's port pair does, for tests and boards that write a register as firmware would. */
uint32_t pci_config_read(struct machine *, unsigned devfn, unsigned offset, unsigned size);
void pci_config_write(struct machine *, unsigned devfn, unsigned offset, unsigned size, uint32_t value);

extern const struct device_class pci_class;

#endif
