/* Intel 82371SB PIIX3 and 82371AB PIIX4, function 1: the IDE controller, two ATA channels with bus master DMA.
 *
 * In a PC: PCI 00:01.1, 8086:7010, in legacy mode: the channels keep their ISA ports and IRQ 14 and 15 (ata_channel.c), IDETIM
 * 40h-43h turns their decoding on. BAR 4 places 16 ports of bus master registers, 8 a channel: command, status, and the
 * address of a table of physical regions (PRD). The PIIX4 is 8086:7111 and adds registers for Ultra DMA.
 *
 * References: [PIIX3] 2.3 (configuration), 2.7 (bus master registers); [PIIX4] 5.1; [BMIDE] Programming Interface for Bus Master IDE
 * Controller 1.0, for the table and the meaning of the status bits.
 * Not modelled: timing (IDETIM, SIDETIM and the PIIX4's UDMACTL and UDMATIM hold what was written), prefetching and posting.
 */
#include "devices/ata.h"
#include "devices/pci.h"
#include <errno.h>

enum { IDETIM = 0x40, SIDETIM = 0x44, UDMACTL = 0x48, UDMATIM = 0x4a, IDETIM_IDE = 0x80 };      /* bit 15 of the word */
enum { BM_COMMAND, BM_STATUS = 2, BM_TABLE = 4, BM_PORTS = 16 };
enum { BM_START = 1 << 0, BM_TO_MEMORY = 1 << 3 };
enum { BM_ACTIVE = 1 << 0, BM_ERROR = 1 << 1, BM_INTERRUPT = 1 << 2, BM_CAPABLE = 3 << 5 };
#define PRD_LAST 0x80000000u

struct piix3_ide;
struct master {
    uint8_t command, status; uint32_t table;    /* state: the registers */
    uint32_t prd, address, left;                /* state: next descriptor; rest of the current region */
    bool last;                                  /* state: the current region is the table's last */
    bool moving;                                /* guards against a drive that asks again while it is served */
    struct piix3_ide *owner; struct ata_channel *channel;
};
struct piix3_ide {
    struct device dev;
    struct pci_function pci;                    /* state */
    char *primary, *secondary, *chip;           /* properties */
    struct master master[2];
};

static struct piix3_ide *ide_of(struct device *dev) { return container_of(dev, struct piix3_ide, dev); }

/* --- transfers ------------------------------------------------------------------------------------------------ */

/* Each descriptor: a word-aligned address, a byte count of 16 bits (0: 64 KiB), and the end mark in bit 31 [BMIDE, 1.2]. A count
 * of a byte more than even is even. */
static bool prd_load(struct master *b)
{
    uint8_t prd[8];
    if (b->last || !pci_dma_in(&b->owner->pci, prd, b->prd, sizeof(prd)))
        return false;
    uint32_t count = le32_get(prd + 4);
    b->address = le32_get(prd) & ~1u;
    b->left = count & 0xfffe ? count & 0xfffe : 0x10000;
    b->last = count & PRD_LAST;
    b->prd = (b->prd & 0xffff0000u) | ((b->prd + 8) & 0xffff);  /* a table does not cross 64 KiB [BMIDE, 1.2] */
    return true;
}

static bool piece_move(struct master *b, uint8_t *bytes, uint32_t length, bool in)
{
    struct pci_function *f = &b->owner->pci;
    if (!(pci_command(f) & COMMAND_MASTER))
        return false;
    /* What is not RAM takes nothing and gives all ones; the bus master does not notice. */
    if (in)
        pci_dma_out(f, b->address, bytes, length);
    else
        pci_dma_in(f, bytes, b->address, length);
    b->address += length;
    b->left -= length;
    return true;
}

/* Moves as long as the drive has or wants bytes and the table goes on. A drive may enter its next phase inside
 * ata_dma_moved, or when its medium answers; then it asks again. */
static void master_run(struct master *b)
{
    uint8_t *bytes;
    uint32_t length;
    bool in;
    if (b->moving)
        return;
    b->moving = true;
    while (b->status & BM_ACTIVE && (bytes = ata_dma_window(b->channel, &length, &in))) {
        if (in != !!(b->command & BM_TO_MEMORY) || (!b->left && !prd_load(b))) {
            b->status &= (uint8_t)~BM_ACTIVE;
            if (in != !!(b->command & BM_TO_MEMORY) || !b->last)
                b->status |= BM_ERROR;
            break;
        }
        uint32_t n = MIN(length, b->left);
        if (!piece_move(b, bytes, n, in)) {
            b->status = (uint8_t)((b->status & ~BM_ACTIVE) | BM_ERROR);
            break;
        }
        if (!b->left && b->last)
            b->status &= (uint8_t)~BM_ACTIVE;   /* before the drive's interrupt: the table and the drive end together */
        ata_dma_moved(b->channel, n);
    }
    b->moving = false;
}

static void master_request(void *chip)
{
    master_run(chip);
}

static void master_interrupt(void *chip)
{
    struct master *b = chip;
    b->status |= BM_INTERRUPT;
}

static void command_write(struct master *b, uint8_t value)
{
    bool starts = value & BM_START && !(b->command & BM_START);
    b->command = value & (BM_START | BM_TO_MEMORY);
    if (!(value & BM_START)) {
        b->status &= (uint8_t)~BM_ACTIVE;       /* and all that is known of the transfer is lost [BMIDE, 2.1] */
        b->left = 0;
        return;
    }
    if (!starts)
        return;
    b->status |= BM_ACTIVE;
    b->prd = b->table;
    b->left = 0;
    b->last = false;
    master_run(b);
}

/* --- registers ------------------------------------------------------------------------------------------------ */

static uint64_t bm_read(void *chip, uint64_t offset, unsigned size)
{
    struct piix3_ide *p = chip;
    const struct master *b = &p->master[offset >> 3];
    unsigned reg = offset & 7;
    (void)size;
    switch (reg) {
    case BM_COMMAND: return b->command;
    case BM_STATUS: return b->status;
    case 1: case 3: return 0;
    default: return (uint8_t)(b->table >> 8 * (reg - BM_TABLE));
    }
}

static void bm_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix3_ide *p = chip;
    struct master *b = &p->master[offset >> 3];
    unsigned reg = offset & 7, shift = 8 * (reg - BM_TABLE);
    (void)size;
    if (reg == BM_COMMAND) {
        command_write(b, (uint8_t)value);
    } else if (reg == BM_STATUS) {              /* error and interrupt: 1 clears; the two capable bits can be written */
        b->status = (uint8_t)((b->status & ~BM_CAPABLE) | (value & BM_CAPABLE));
        b->status &= (uint8_t)~(value & (BM_ERROR | BM_INTERRUPT));
    } else if (reg >= BM_TABLE) {
        b->table = (b->table & ~(0xffu << shift)) | (uint32_t)(value & 0xff) << shift;
        b->table &= ~3u;
    }
}

static const struct io_ops bm_ops = { bm_read, bm_write, IO_8 };

static void decode_update(struct piix3_ide *p)
{
    for (unsigned n = 0; n < 2; n++)
        if (p->master[n].channel)
            ata_channel_enable(p->master[n].channel, pci_command(&p->pci) & COMMAND_IO &&
                               p->pci.config[IDETIM + 2 * n + 1] & IDETIM_IDE);
}

static void ide_written(void *chip)
{
    struct piix3_ide *p = chip;
    decode_update(p);
    for (unsigned n = 0; n < 2; n++)
        if (p->master[n].channel)
            master_run(&p->master[n]);
}

/* --- class ---------------------------------------------------------------------------------------------------- */

static bool channel_take(struct piix3_ide *p, unsigned n, const char *id, struct error *err)
{
    struct master *b = &p->master[n];
    struct device *dev = machine_find(p->dev.machine, id);
    b->owner = p;
    if (!dev)
        return true;                            /* half a controller: that channel's registers move nothing */
    b->channel = ata_channel_of(dev);
    if (!b->channel)
        return error_set(err, EINVAL, "%s: %s is not an ATA channel", p->dev.id, id);
    ata_channel_master(b->channel, &(struct ata_master){ b, master_request, master_interrupt });
    return true;
}

static bool ide_init(struct device *dev, struct error *err)
{
    struct piix3_ide *p = ide_of(dev);
    bool piix4 = !strcmp(p->chip, "piix4");
    const struct pci_identity identity = { 0x8086, piix4 ? 0x7111 : 0x7010, 0x010180, piix4 ? 1 : 0, 0x1af4, 0x1100, 0, 0x0280 };
    if (!piix4 && strcmp(p->chip, "piix3"))
        return error_set(err, EINVAL, "%s: there is no chip '%s'; it is piix3 or piix4", dev->id, p->chip);
    if (!channel_take(p, 0, p->primary, err) || !channel_take(p, 1, p->secondary, err) ||
        !pci_function_init(&p->pci, dev, &identity, 1, 1, err))
        return false;
    p->pci.written = ide_written;
    p->pci.writable[PCI_COMMAND] = COMMAND_IO | COMMAND_MASTER;
    le16_put(p->pci.writable + IDETIM, 0xffff);
    le16_put(p->pci.writable + IDETIM + 2, 0xffff);
    p->pci.writable[SIDETIM] = 0xff;
    if (piix4) {
        p->pci.writable[UDMACTL] = 0x0f;
        le16_put(p->pci.writable + UDMATIM, 0x3333);
    }
    pci_bar_init(&p->pci, 4, PCI_BAR_IO, BM_PORTS, space_map_io(dev->machine->ports, 0, BM_PORTS, &bm_ops, p, 1));
    return true;
}

static void ide_reset(struct device *dev, enum reset_kind kind)
{
    struct piix3_ide *p = ide_of(dev);
    (void)kind;
    for (unsigned n = 0; n < 2; n++) {
        struct master *b = &p->master[n];
        b->command = b->status = 0;
        b->table = b->prd = b->address = b->left = 0;
        b->last = false;
    }
    decode_update(p);
}

static bool ide_restored(struct device *dev)
{
    struct piix3_ide *p = ide_of(dev);
    for (unsigned n = 0; n < 2; n++)
        p->master[n].left = MIN(p->master[n].left, 0x10000u);
    decode_update(p);
    return true;
}

static const struct state_field master_state[] = {
    FIELD(struct master, command), FIELD(struct master, status), FIELD(struct master, table), FIELD(struct master, prd),
    FIELD(struct master, address), FIELD(struct master, left), FIELD(struct master, last), END
};
static const struct state_field ide_state[] = {
    PCI_STATE(struct piix3_ide, pci), FIELD_STRUCTS(struct piix3_ide, master, master_state), END
};
static const struct property ide_properties[] = {
    PROPERTY(struct piix3_ide, chip, "piix3", "piix3, or piix4 with another PCI identity and Ultra DMA registers"),
    PROPERTY(struct piix3_ide, primary, "ide0", "id of the first ata_channel"),
    PROPERTY(struct piix3_ide, secondary, "ide1", "id of the second ata_channel"), END
};

const struct device_class piix3_ide_class = {
    .name = "piix3_ide", .summary = "PIIX3 or PIIX4 IDE controller with bus master DMA", .size = sizeof(struct piix3_ide),
    .properties = ide_properties, .state = ide_state, .state_version = 1,
    .init = ide_init, .reset = ide_reset, .restored = ide_restored,
};
