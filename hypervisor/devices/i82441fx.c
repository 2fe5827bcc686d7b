/* Intel 82441FX PMC: host bridge of the i440FX chip set, PCI device 0, and the machine's memory map.
 *
 * In a PC: PCI 00:00.0, 8086:1237. It decodes RAM below the PCI hole and above 4 GiB, leaves A0000h-BFFFFh to the video
 * card (or to SMRAM), and the PAM registers decide for 13 segments of C0000h-FFFFFh whether reads and writes go to RAM or to
 * PCI (where the firmware's ROM answers). RAM is machine->ram; what lies above `low` bytes appears at 4 GiB.
 *
 * References: [82441FX] 3.2: PAM 59h-5Fh, SMRAM 72h, DRB 60h-67h, PMCCFG 50h. The subsystem id 1AF4:1100 is the one by which
 * [SeaBIOS] knows that a machine has a fw_cfg port.
 * Not modelled: DRAM timing, ECC and errors, the AGP-less arbiter, SMM itself (SMRAM opens and closes, nobody enters it).
 */
#include "devices/pci.h"

enum { PMCCFG = 0x50, PAM = 0x59, DRB0 = 0x60, SMRAM = 0x72, ERRSTS = 0x91 };
enum { SMRAM_BASE = 2, G_SMRAME = 1 << 3, D_LCK = 1 << 4, D_CLS = 1 << 5, D_OPEN = 1 << 6 };
enum { PAM_READ = 1, PAM_WRITE = 2, PAM_SEGMENTS = 13 };
enum { VIDEO = 0xa0000, SHADOW = 0xc0000, BIOS = 0xf0000, HIGH = 0x100000 };

struct i82441fx {
    struct device dev;
    struct pci_function pci;                    /* state: the configuration space holds all registers */
    uint64_t low;                               /* property */
    struct state_bytes ram;                     /* state: all of the machine's */
    struct region *pam[PAM_SEGMENTS], *smram;
};

static struct i82441fx *pmc_of(struct device *dev) { return container_of(dev, struct i82441fx, dev); }

/* The high nibble of PAM0 rules F0000h-FFFFFh; PAM1-PAM6 rule two segments of 16 KiB each from C0000h, low nibble first
 * [82441FX, table 3-1]. Index 12 is the 64 KiB segment. */
static unsigned pam_bits(const struct i82441fx *p, unsigned segment)
{
    if (segment == 12)
        return p->pci.config[PAM] >> 4 & 3;
    return p->pci.config[PAM + 1 + segment / 2] >> 4 * (segment & 1) & 3;
}

static void map_update(struct i82441fx *p)
{
    if (!p->smram)
        return;
    for (unsigned n = 0; n < PAM_SEGMENTS; n++)
        region_access(p->pam[n], pam_bits(p, n) & PAM_READ, pam_bits(p, n) & PAM_WRITE);
    uint8_t smram = p->pci.config[SMRAM];
    region_enable(p->smram, smram & G_SMRAME && smram & D_OPEN && !(smram & D_CLS));
}

static void pmc_written(void *chip)
{
    struct i82441fx *p = chip;
    if (p->pci.config[SMRAM] & D_LCK) {
        /* once locked, D_OPEN is clear and only D_CLS can still change [82441FX, 3.2.21] */
        p->pci.config[SMRAM] &= (uint8_t)~D_OPEN;
        p->pci.writable[SMRAM] = D_CLS;
    }
    map_update(p);
}

static void map_ram(struct i82441fx *p)
{
    struct machine *m = p->dev.machine;
    p->ram = (struct state_bytes){ m->ram, m->ram_size };
    uint64_t low = MIN(p->low ? p->low : m->ram_size, m->ram_size);
    unsigned rw = RAM_WRITABLE;
    space_map_ram(m->memory, 0, VIDEO, m->ram, rw, 0);
    space_map_ram(m->memory, HIGH, low - HIGH, m->ram + HIGH, rw, 0);
    if (m->ram_size > low)
        space_map_ram(m->memory, 1ull << 32, m->ram_size - low, m->ram + low, rw, 0);
    for (unsigned n = 0; n < 12; n++)
        p->pam[n] = space_map_ram(m->memory, SHADOW + n * 0x4000, 0x4000, m->ram + SHADOW + n * 0x4000, rw, 2);
    p->pam[12] = space_map_ram(m->memory, BIOS, 0x10000, m->ram + BIOS, rw, 2);
    p->smram = space_map_ram(m->memory, VIDEO, SHADOW - VIDEO, m->ram + VIDEO, rw | RAM_SECOND, 3);
}

static bool pmc_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { 0x8086, 0x1237, 0x060000, 0x02, 0x1af4, 0x1100, 0, 0x0280 };
    struct i82441fx *p = pmc_of(dev);
    if (!pci_function_init(&p->pci, dev, &identity, 0, 0, err))
        return false;
    p->pci.written = pmc_written;
    p->pci.writable[PCI_COMMAND] = 0;           /* memory and master are hard-wired to 1, I/O to 0 [82441FX, 3.2.3] */
    memset(p->pci.writable + PMCCFG, 0xff, 0x60 + 8 - PMCCFG);
    memset(p->pci.writable + PAM, 0x33, 7);
    p->pci.writable[0x68] = 0x80;               /* FDHC */
    p->pci.clears[ERRSTS] = 0x11;
    if (dev->machine->ram_size > HIGH)
        map_ram(p);
    return true;
}

/* The row boundaries tell firmware how much RAM there is, in units of 8 MiB; rows of at most 256 MiB fill up in turn. */
static void row_boundaries(struct i82441fx *p)
{
    uint64_t units = p->dev.machine->ram_size >> 23;
    for (unsigned row = 0; row < 8; row++)
        p->pci.config[DRB0 + row] = (uint8_t)MIN(MIN(units, 32u * (row + 1)), 255u);
}

static void pmc_reset(struct device *dev, enum reset_kind kind)
{
    struct i82441fx *p = pmc_of(dev);
    (void)kind;
    p->pci.config[PCI_COMMAND] = COMMAND_MEMORY | COMMAND_MASTER;
    p->pci.config[SMRAM] = SMRAM_BASE;
    p->pci.writable[SMRAM] = D_OPEN | D_CLS | D_LCK | G_SMRAME;
    row_boundaries(p);
    map_update(p);
}

static bool pmc_restored(struct device *dev)
{
    struct i82441fx *p = pmc_of(dev);
    p->pci.writable[SMRAM] = p->pci.config[SMRAM] & D_LCK ? D_CLS : D_OPEN | D_CLS | D_LCK | G_SMRAME;
    map_update(p);
    return true;
}

static const struct state_field pmc_state[] = { PCI_STATE(struct i82441fx, pci), FIELD_BYTES(struct i82441fx, ram), END };
static const struct property pmc_properties[] = {
    PROPERTY(struct i82441fx, low, "0", "bytes of RAM below 4 GiB; 0: all of it"), END
};

const struct device_class i82441fx_class = {
    .name = "i82441fx", .summary = "i440FX host bridge and memory controller", .size = sizeof(struct i82441fx),
    .properties = pmc_properties, .state = pmc_state, .state_version = 1,
    .init = pmc_init, .reset = pmc_reset, .restored = pmc_restored,
};
