/* AMD Am53C974 PCscsi: an NCR 53C9x SCSI core with its own DMA engine, as a PCI function.
 *
 * In a PC: on cards (Tekram DC-390) and main boards; PCI 1022:2020. BAR 0 places 128 ports: the core's sixteen registers, a double word
 * apart, then the engine's eight. Firmware boots from it.
 *
 * References: [AM53C974] Am53C974A data sheet (publication 18681) 6 (registers), 7 (commands), 8 (DMA engine, memory descriptor lists).
 * Not modelled: target mode and reselection (scsi_bus.c has none), the serial EEPROM of Tekram's cards (reads as absent),
 * parity, transfer rates and clock factors, power-down, selection time-out (an absent target is noticed at once).
 */
#include "devices/pci.h"
#include "devices/scsi.h"

enum { R_TCLO, R_TCMID, R_FIFO, R_CMD, R_STAT, R_INTR, R_ISREG, R_FFLAGS, R_CONFIG1, R_CLOCK, R_TEST, R_CONFIG2, R_CONFIG3, R_CONFIG4, R_TCHI,
       REGISTERS = 16 };
enum { R_DMA_CMD = 16, R_DMA_STC, R_DMA_SPA, R_DMA_WBC, R_DMA_WAC, R_DMA_STATUS, R_DMA_SMDLA, R_DMA_WMAC, R_SBAC, PORTS = 128 };
enum { STAT_TC = 1 << 4, STAT_GE = 1 << 6, STAT_INT = 1 << 7 };
enum { INTR_FC = 1 << 3, INTR_BS = 1 << 4, INTR_DC = 1 << 5, INTR_IC = 1 << 6, INTR_RST = 1 << 7 };
enum { C_NOP, C_FLUSH, C_RESET, C_RESET_BUS, C_TI = 0x10, C_ICCS, C_MSGACC, C_PAD = 0x18, C_SATN = 0x1a, C_RATN, C_SEL = 0x41, C_SELATN, C_SELATNS,
       C_ENSEL, C_DISSEL, C_SELATN3, C_DMA = 0x80 };
enum { CONFIG1_NO_RESET_INT = 1 << 6, CONFIG2_ENF = 1 << 6 };
enum { DMA_IDLE, DMA_BLAST, DMA_ABORT, DMA_START, DMA_MODE = 3, DMA_MDL = 1 << 4, DMA_INT_PAGE = 1 << 5, DMA_INT_DONE = 1 << 6, DMA_IN = 1 << 7 };
enum { DMA_ABORTED = 1 << 2, DMA_DONE = 1 << 3, DMA_SCSI = 1 << 4, DMA_BLASTED = 1 << 5, DMA_PAGED = 1 << 6 };   /* the last is ours */
enum { POLLS = 8, FIFO = 16, CHIP_ID = 0x12, PAGE = 4096 };
#define SBAC_KEEP_STATUS (1u << 24)

struct am53c974 {
    struct device dev;
    struct pci_function pci;                    /* state */
    char *bus;                                  /* properties */
    uint8_t slot;
    struct scsi_bus *scsi;
    uint8_t stat, intr, step, seen;             /* state: seen is the last phase that asked for something */
    uint8_t polls;                              /* state: of STAT, until TC shows after a short transfer */
    uint8_t fifo[FIFO], fill, destination, config[4];
    uint8_t command[2];                         /* under way, and the one behind it; 0: none */
    bool begun;                                 /* the selection's bytes are sent, or the transfer has its phase */
    bool driven;                                /* CONFIG1 has been written */
    bool loaded;                                /* the high count was written: no more is the chip's code read there */
    uint32_t start_count, count;                /* bytes of the SCSI side */
    uint8_t dma_command, dma_status;
    uint32_t stc, spa, wbc, wac, smdla, wmac, sbac;
    bool running;                               /* guards against the bus calling while it is called */
};

static struct am53c974 *esp_of(struct device *dev) { return container_of(dev, struct am53c974, dev); }

static void esp_update_irq(struct am53c974 *p)
{
    uint8_t enabled = (p->dma_command & DMA_INT_DONE ? DMA_DONE : 0) | (p->dma_command & DMA_INT_PAGE ? DMA_PAGED : 0);
    /* QUIRK(seabios-esp): it leaves its last interrupt to the system, where a driver may not be ready for one. It polls, and
     * never sets the chip's own ID, as every driver does that takes interrupts. */
    pci_intx(&p->pci, p->driven && (p->intr || p->dma_status & enabled));
}

/* --- the DMA engine ------------------------------------------------------------------------------------------- */

/* Contiguous bytes at the working address: the rest, or with a list the rest of this page. */
static uint32_t dma_room(const struct am53c974 *p) { return p->dma_command & DMA_MDL ? MIN(p->wbc, PAGE - p->wac % PAGE) : p->wbc; }

static void dma_page(struct am53c974 *p)        /* the next entry of the list: a page frame */
{
    uint8_t entry[4] = { 0 };
    pci_dma_in(&p->pci, entry, p->wmac, sizeof(entry));
    p->wac = (le32_get(entry) & ~(PAGE - 1u)) | (p->wac & (PAGE - 1));
    p->wmac += 4;
}

static void dma_moved(struct am53c974 *p, uint32_t n)
{
    p->wac += n;
    p->wbc -= n;
    if (p->dma_command & DMA_MDL && p->wbc && p->wac % PAGE == 0) {
        p->dma_status |= DMA_PAGED;
        p->wac = 0;
        dma_page(p);
    }
    if (!p->wbc)
        p->dma_status |= DMA_DONE;
}

/* Moves what memory, the counter and the target all have; false: one of them is at its end or not ready. */
static bool dma_run(struct am53c974 *p)
{
    uint32_t length;
    uint8_t *bytes = scsi_window(p->scsi, &length);
    bool in = scsi_phase_in(scsi_phase(p->scsi));
    if (!bytes || !p->count || (p->dma_command & DMA_MODE) != DMA_START || in != !!(p->dma_command & DMA_IN) ||
        !(pci_command(&p->pci) & COMMAND_MASTER))
        return false;
    uint32_t n = MIN(MIN(length, p->count), dma_room(p));
    if (!n)
        return false;
    if (in)
        pci_dma_out(&p->pci, p->wac, bytes, n);
    else
        pci_dma_in(&p->pci, bytes, p->wac, n);
    dma_moved(p, n);
    p->count -= n;
    if (!p->count && scsi_phase(p->scsi) == SCSI_MESSAGE_OUT)
        scsi_attention(p->scsi, false);
    scsi_moved(p->scsi, n);
    return true;
}

/* --- the core ------------------------------------------------------------------------------------------------- */

static void fifo_put(struct am53c974 *p, uint8_t byte)
{
    if (p->fill < FIFO)
        p->fifo[p->fill++] = byte;
    else
        p->stat |= STAT_GE;
}

static uint8_t fifo_get(struct am53c974 *p)
{
    if (!p->fill)
        return 0;
    uint8_t byte = p->fifo[0];
    memmove(p->fifo, p->fifo + 1, --p->fill);
    return byte;
}

static void interrupt(struct am53c974 *p, uint8_t why) { p->intr |= why; }

static bool done(struct am53c974 *p, uint8_t why)       /* the command is; true: look at the next one */
{
    p->command[0] = p->command[1];
    p->command[1] = 0;
    p->begun = false;
    interrupt(p, why);
    return true;
}

/* Up to n bytes from the FIFO to the target, while the phase is this one; `last`: the messages end with them. */
static void fifo_send(struct am53c974 *p, enum scsi_phase phase, unsigned n, bool last)
{
    uint32_t length;
    for (; n && p->fill && scsi_phase(p->scsi) == phase; n--) {
        uint8_t *to = scsi_window(p->scsi, &length);
        if (last && phase == SCSI_MESSAGE_OUT && (n == 1 || p->fill == 1))
            scsi_attention(p->scsi, false);
        *to = fifo_get(p);
        scsi_moved(p->scsi, 1);
    }
}

static bool fifo_receive(struct am53c974 *p)
{
    uint32_t length;
    uint8_t *from = scsi_window(p->scsi, &length);
    if (!from)
        return false;
    fifo_put(p, *from);
    scsi_moved(p->scsi, 1);
    return true;
}

/* Arbitration, selection, messages, command [AM53C974, 7]; the interrupt comes with the target's next phase. */
static bool run_select(struct am53c974 *p, unsigned command)
{
    bool stop = command == C_SELATNS, atn = command != C_SEL, dma = p->command[0] & C_DMA;
    if (!p->begun) {
        for (; dma && p->count && p->fill < FIFO; p->count--) {         /* through the FIFO, too */
            uint8_t byte = 0;
            if ((p->dma_command & DMA_MODE) != DMA_START || !p->wbc)
                return false;                   /* until the engine is started */
            pci_dma_in(&p->pci, &byte, p->wac, 1);
            dma_moved(p, 1);
            fifo_put(p, byte);
        }
        if (!scsi_select(p->scsi, p->destination & 7, atn)) {
            p->step = p->fill = 0;              /* QUIRK(seabios-esp): it does not flush the FIFO before the next one */
            return done(p, INTR_DC);
        }
        p->begun = true;
        fifo_send(p, SCSI_MESSAGE_OUT, command == C_SELATN3 ? 3 : 1, !stop);
        p->step = stop ? 1 : 2;
        if (!stop && scsi_phase(p->scsi) == SCSI_COMMAND) {
            fifo_send(p, SCSI_COMMAND, FIFO, false);
            p->step = 3;
        }
    }
    enum scsi_phase phase = scsi_phase(p->scsi);
    if (phase == SCSI_WAIT)
        return false;
    if (phase == SCSI_FREE)
        return done(p, INTR_DC);
    if (!stop && phase != SCSI_COMMAND) {
        p->step = 4;
        p->fill = 0;                            /* QUIRK(seabios-esp): sends twelve bytes of any command, and waits for TC */
        p->stat |= STAT_TC;
    }
    return done(p, INTR_FC | INTR_BS);
}

/* With DMA it ends when the counter is at zero and the target asks for more, or when the target changes the phase. */
static bool run_transfer(struct am53c974 *p, bool pad)
{
    enum scsi_phase phase = scsi_phase(p->scsi);
    uint32_t length;
    if (phase == SCSI_WAIT)
        return false;
    if (phase == SCSI_FREE)
        return done(p, INTR_DC);
    if (!(p->command[0] & C_DMA)) {
        if (!scsi_phase_in(phase))
            fifo_send(p, phase, FIFO, true);
        else
            fifo_receive(p);
        return done(p, phase == SCSI_MESSAGE_IN ? INTR_FC : INTR_BS);
    }
    if (phase == SCSI_STATUS || !p->count || (p->begun && phase != p->seen)) {
        p->polls = p->count ? POLLS : 0;
        return done(p, INTR_BS);
    }
    p->begun = true;
    p->seen = (uint8_t)phase;
    if (pad) {
        uint8_t *bytes = scsi_window(p->scsi, &length);
        length = MIN(length, p->count);
        if (!scsi_phase_in(phase))
            memset(bytes, 0, length);
        p->count -= length;
        scsi_moved(p->scsi, length);
    } else if (!dma_run(p)) {
        return false;                           /* until the engine is started */
    }
    if (!p->count)
        p->stat |= STAT_TC;
    return true;
}

static bool run_complete(struct am53c974 *p)    /* initiator command complete: status and message into the FIFO */
{
    enum scsi_phase phase = scsi_phase(p->scsi);
    if (phase == SCSI_WAIT)
        return false;
    if (phase == SCSI_STATUS)
        fifo_receive(p);
    else if (phase != SCSI_MESSAGE_IN)
        return done(p, phase == SCSI_FREE ? INTR_DC : INTR_BS);
    if (scsi_phase(p->scsi) == SCSI_MESSAGE_IN)
        fifo_receive(p);
    p->seen = SCSI_MESSAGE_IN;                  /* which stays until the message is accepted */
    return done(p, INTR_FC);
}

static bool run_accepted(struct am53c974 *p)
{
    enum scsi_phase phase = scsi_phase(p->scsi);
    return phase == SCSI_WAIT ? false : done(p, phase == SCSI_FREE ? INTR_DC : INTR_BS);
}

static bool run_one(struct am53c974 *p)
{
    unsigned command = p->command[0] & ~(unsigned)C_DMA;
    switch (command) {
    case 0: return false;
    case C_TI: return run_transfer(p, false);
    case C_PAD: return run_transfer(p, true);
    case C_ICCS: return run_complete(p);
    case C_MSGACC: return run_accepted(p);
    default: return run_select(p, command);
    }
}

static void esp_run(void *chip)
{
    struct am53c974 *p = chip;
    if (!p->running) {
        p->running = true;
        while (run_one(p))
            ;
        p->running = false;
    }
    enum scsi_phase phase = scsi_phase(p->scsi);
    if (phase < SCSI_WAIT)
        p->seen = (uint8_t)phase;
    esp_update_irq(p);
}

static void core_reset(struct am53c974 *p)
{
    p->stat = p->intr = p->step = p->polls = p->seen = p->fill = p->destination = 0;
    memset(p->config, 0, sizeof(p->config));
    memset(p->command, 0, sizeof(p->command));
    memset(p->fifo, 0, sizeof(p->fifo));
    p->begun = p->loaded = false;
    p->start_count = p->count = 0;
}

static void command_write(struct am53c974 *p, uint8_t value)
{
    unsigned command = value & 0x7f;
    uint32_t full = p->config[1] & CONFIG2_ENF ? 1u << 24 : 1u << 16;
    if (value & C_DMA) {                        /* loads the counter; nothing means all */
        p->count = p->start_count & (full - 1) ? p->start_count & (full - 1) : full;
        p->stat &= (uint8_t)~STAT_TC;
    }
    switch (command) {
    case C_NOP: case C_DISSEL: break;
    case C_FLUSH: p->fill = 0; break;
    case C_RESET: core_reset(p); break;
    case C_RESET_BUS:
        memset(p->command, 0, sizeof(p->command));
        p->begun = false;
        scsi_reset(p->scsi);
        if (!(p->config[0] & CONFIG1_NO_RESET_INT))
            interrupt(p, INTR_RST);
        break;
    case C_SATN: scsi_attention(p->scsi, true); break;
    case C_RATN: scsi_attention(p->scsi, false); break;
    case C_ENSEL: break;                        /* nobody will select us */
    case C_TI: case C_PAD: case C_ICCS: case C_MSGACC: case C_SEL: case C_SELATN: case C_SELATNS: case C_SELATN3:
        p->command[p->command[0] ? 1 : 0] = value;
        break;
    default: interrupt(p, INTR_IC);
    }
    esp_run(p);
}

/* --- registers ------------------------------------------------------------------------------------------------ */

static uint8_t intr_read(struct am53c974 *p)
{
    uint8_t value = p->intr;
    p->intr = p->step = p->polls = 0;
    p->stat &= STAT_TC;
    esp_update_irq(p);
    return value;
}

/* QUIRK(seabios-esp): it polls for TC, without looking at INTR, even when the target sends less than was asked for. */
static uint8_t stat_read(struct am53c974 *p)
{
    if (p->polls && p->intr && !--p->polls)
        p->stat |= STAT_TC;
    return (uint8_t)((p->stat & ~7) | p->seen | (p->intr ? STAT_INT : 0));
}

static uint8_t core_read(struct am53c974 *p, unsigned reg)
{
    switch (reg) {
    case R_TCLO: return (uint8_t)p->count;
    case R_TCMID: return (uint8_t)(p->count >> 8);
    case R_TCHI: return p->loaded ? (uint8_t)(p->count >> 16) : CHIP_ID;
    case R_FIFO: return fifo_get(p);
    case R_CMD: return p->command[0];
    case R_STAT: return stat_read(p);
    case R_INTR: return intr_read(p);
    case R_ISREG: return p->step;
    case R_FFLAGS: return (uint8_t)(p->fill | p->step << 5);
    case R_CONFIG1: return p->config[0];
    case R_CONFIG2: case R_CONFIG3: case R_CONFIG4: return p->config[reg - R_CONFIG2 + 1];
    default: return 0;
    }
}

static void core_write(struct am53c974 *p, unsigned reg, uint8_t value)
{
    switch (reg) {
    case R_TCLO: p->start_count = (p->start_count & 0xffff00) | value; break;
    case R_TCMID: p->start_count = (p->start_count & 0xff00ff) | (uint32_t)value << 8; break;
    case R_TCHI: p->start_count = (p->start_count & 0x00ffff) | (uint32_t)value << 16; p->loaded = true; break;
    case R_FIFO: fifo_put(p, value); break;
    case R_CMD: command_write(p, value); break;
    case R_STAT: p->destination = value; break;
    case R_CONFIG1: p->config[0] = value; p->driven = true; break;
    case R_CONFIG2: case R_CONFIG3: case R_CONFIG4: p->config[reg - R_CONFIG2 + 1] = value; break;
    default: break;                             /* time-out, synchronous period and offset, clock, test */
    }
}

static void dma_command_write(struct am53c974 *p, uint8_t value)
{
    p->dma_command = value & (uint8_t)~(1 << 2 | 1 << 3);
    switch (value & DMA_MODE) {
    case DMA_BLAST: p->dma_status |= DMA_BLASTED; break;
    case DMA_ABORT: p->dma_status |= DMA_ABORTED; break;
    case DMA_START:
        p->dma_status = 0;
        p->wbc = p->stc;
        p->wac = p->spa;
        p->wmac = p->smdla;
        if (value & DMA_MDL)
            dma_page(p);
        break;
    }
    esp_run(p);
}

static uint32_t dma_read(struct am53c974 *p, unsigned reg)
{
    uint32_t value;
    switch (reg) {
    case R_DMA_CMD: return p->dma_command;
    case R_DMA_STC: return p->stc;
    case R_DMA_SPA: return p->spa;
    case R_DMA_WBC: return p->wbc;
    case R_DMA_WAC: return p->wac;
    case R_DMA_STATUS:
        value = (p->dma_status & ~(unsigned)DMA_PAGED) | (p->intr ? DMA_SCSI : 0);
        if (!(p->sbac & SBAC_KEEP_STATUS))
            p->dma_status = 0;
        esp_update_irq(p);
        return value;
    case R_DMA_SMDLA: return p->smdla;
    case R_DMA_WMAC: return p->wmac;
    case R_SBAC: return p->sbac;
    default: return 0;
    }
}

static void dma_write(struct am53c974 *p, unsigned reg, uint32_t value)
{
    switch (reg) {
    case R_DMA_CMD: dma_command_write(p, (uint8_t)value); break;
    case R_DMA_STC: p->stc = value & 0xffffff; break;
    case R_DMA_SPA: p->spa = value; break;
    case R_DMA_STATUS: p->dma_status &= (uint8_t)~value; esp_update_irq(p); break;
    case R_DMA_SMDLA: p->smdla = value & ~3u; break;
    case R_SBAC: p->sbac = value & SBAC_KEEP_STATUS; break;
    default: break;
    }
}

static uint64_t port_read(void *chip, uint64_t offset, unsigned size)
{
    struct am53c974 *p = chip;
    unsigned reg = (unsigned)offset / 4;
    uint32_t value = reg < REGISTERS ? (offset & 3 ? 0 : core_read(p, reg)) : dma_read(p, reg) >> 8 * (offset & 3);
    return size == 4 ? value : value & (BIT(8 * size) - 1);
}

/* A narrow write to one of the engine's registers changes its bytes alone. */
static void port_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct am53c974 *p = chip;
    unsigned reg = (unsigned)offset / 4, shift = 8 * (offset & 3);
    if (reg < REGISTERS) {
        if (!shift)
            core_write(p, reg, (uint8_t)value);
        return;
    }
    uint32_t mask = size == 4 ? ~0u : (BIT(8 * size) - 1) << shift, old = 0;
    if (reg != R_DMA_STATUS && mask != ~0u)     /* reading the status would clear it */
        old = dma_read(p, reg);
    if (reg == R_DMA_CMD && shift)
        return;
    dma_write(p, reg, (old & ~mask) | ((uint32_t)value << shift & mask));
}

static const struct io_ops port_ops = { port_read, port_write, IO_8 | IO_16 | IO_32 };

/* --- class ---------------------------------------------------------------------------------------------------- */

static bool esp_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { 0x1022, 0x2020, 0x010000, 0x10, 0, 0, 1, 0x0200 };
    struct am53c974 *p = esp_of(dev);
    if (!scsi_attach(&p->scsi, dev, p->bus, esp_run, err) || !pci_function_init(&p->pci, dev, &identity, p->slot, 0, err))
        return false;
    p->pci.written = esp_run;
    p->pci.writable[PCI_COMMAND] = COMMAND_IO | COMMAND_MASTER;
    pci_bar_init(&p->pci, 0, PCI_BAR_IO, PORTS, space_map_io(dev->machine->ports, 0, PORTS, &port_ops, p, 1));
    return true;
}

static void esp_reset(struct device *dev, enum reset_kind kind)
{
    struct am53c974 *p = esp_of(dev);
    (void)kind;
    core_reset(p);
    p->driven = false;
    p->dma_command = p->dma_status = 0;
    p->stc = p->spa = p->wbc = p->wac = p->smdla = p->wmac = p->sbac = 0;
    esp_update_irq(p);
}

static bool esp_restored(struct device *dev)
{
    struct am53c974 *p = esp_of(dev);
    p->fill = MIN(p->fill, FIFO);
    p->seen &= 7;
    return true;
}

#define F(m) FIELD(struct am53c974, m)
static const struct state_field esp_state[] = {
    PCI_STATE(struct am53c974, pci), F(stat), F(intr), F(step), F(seen), F(polls), FIELD_ARRAY(struct am53c974, fifo), F(fill), F(destination),
    FIELD_ARRAY(struct am53c974, config), FIELD_ARRAY(struct am53c974, command), F(begun), F(driven), F(loaded), F(start_count), F(count),
    F(dma_command), F(dma_status), F(stc), F(spa), F(wbc), F(wac), F(smdla), F(wmac), F(sbac), END
};
static const struct property esp_properties[] = {
    PROPERTY(struct am53c974, bus, "scsi0", "id of its scsi_bus"), PROPERTY(struct am53c974, slot, "5", "PCI slot"), END
};
static const struct pin esp_outputs[] = { PCI_INTX(struct am53c974, pci), END };

const struct device_class am53c974_class = {
    .name = "am53c974", .summary = "AMD Am53C974 PCI SCSI adapter", .size = sizeof(struct am53c974),
    .properties = esp_properties, .outputs = esp_outputs, .state = esp_state, .state_version = 1,
    .init = esp_init, .reset = esp_reset, .restored = esp_restored,
};
