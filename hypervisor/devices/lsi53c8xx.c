/* Symbios Logic (NCR, LSI) 53C8xx: PCI SCSI adapters that run scripts from memory.
 *
 * In a PC: on cards (Tekram DC-390U2W with the 53C895, DC-390U with the 53C875) and main boards. PCI 1000:0012 (53C895A), with 8 KiB of
 * RAM for scripts in BAR 2, or 1000:0001 (53C810); registers in ports (BAR 0) and memory (BAR 1). Firmware boots from the 53C895A.
 *
 * The SCRIPTS processor fetches instructions of two or three double words and drives the bus by them. It waits for the target by staying
 * at an instruction; the bus calls lsi_run when the phase changes. A script that goes on and on without waiting is given a rest
 * after BUDGET instructions, so that it costs a bounded part of the host's time.
 *
 * References: [53C895A] LSI53C895A technical manual 2.2, 4 (registers), 5; [53C810A] for what the small one lacks.
 * Not modelled: SCSI below the scripts (START, ADB, SOCL), reselection and target mode (scsi_bus.c has none), synchronous and wide
 * transfers, general purpose and handshake timers, selection time-out (an absent target is noticed at once), serial
 * EEPROM (GPREG reads as without one), 64-bit addressing, memory moves from and to ports (SIOM, DIOM).
 */
#include "devices/pci.h"
#include "devices/scsi.h"
#include <errno.h>
#include <stdlib.h>

/* Registers with a meaning here; the others hold what was written [53C895A, 4.2]. */
enum { R_SCNTL0, R_SCNTL1, R_SCNTL2, R_SCNTL3, R_SCID, R_SXFER, R_SDID, R_GPREG, R_SFBR, R_SOCL, R_SSID,
       R_SBCL, R_DSTAT, R_SSTAT0, R_SSTAT1, R_SSTAT2, R_DSA = 0x10, R_ISTAT0 = 0x14, R_ISTAT1, R_CTEST1 = 0x19,
       R_CTEST2, R_CTEST3, R_TEMP, R_DBC = 0x24, R_DCMD = 0x27, R_DNAD, R_DSP = 0x2c, R_DSPS = 0x30, R_DMODE =
       0x38, R_DIEN, R_DCNTL = 0x3b, R_SIEN0 = 0x40, R_SIEN1, R_SIST0, R_SIST1, R_MACNTL = 0x46, R_STEST0 =
       0x4c, R_STEST3 = 0x4f, R_SIDL, R_STEST4 = 0x52, R_CCNTL0 = 0x56, R_SBDL = 0x58, R_PMJAD1 = 0xc0,
       R_PMJAD2 = 0xc4, R_RBC = 0xc8, R_UA = 0xcc, R_ESA = 0xd0, R_IA = 0xd4, R_SBC = 0xd8, R_CSBC = 0xdc,
       REGISTERS = 256 };
enum { SCNTL1_RST = 1 << 3, SCNTL1_CON = 1 << 4, SCNTL2_WSR = 1 << 0 };
enum { DSTAT_IID = 1 << 0, DSTAT_SIR = 1 << 2, DSTAT_SSI = 1 << 3, DSTAT_ABRT = 1 << 4, DSTAT_BF = 1 << 5, DSTAT_DFE = 1 << 7 };
enum { ISTAT_DIP = 1 << 0, ISTAT_SIP = 1 << 1, ISTAT_INTF = 1 << 2, ISTAT_CON = 1 << 3, ISTAT_SEM = 1 << 4, ISTAT_SIGP = 1 << 5, ISTAT_SRST = 1 << 6,
       ISTAT_ABRT = 1 << 7 };
enum { SIST0_RST = 1 << 1, SIST0_UDC = 1 << 2, SIST0_MA = 1 << 7, SIST1_STO = 1 << 2 };
enum { CCNTL0_ENPMJ = 1 << 7, CCNTL0_PMJCTL = 1 << 6, DCNTL_SSM = 1 << 4, DCNTL_STD = 1 << 2, DMODE_MAN = 1 << 0 };
enum { PORTS = 256, RAM = 8 << 10, REST_OF_BAR = 1024 };
enum { MESSAGE_ABORT = 0x06, BUDGET = 5000, REST_NS = 1000000, PIECE = 4096 };
enum { IO_SELECT, IO_WAIT_DISCONNECT, IO_WAIT_RESELECT, IO_SET, IO_CLEAR };
enum { TO_JUMP, TO_CALL, TO_RETURN, TO_INTERRUPT };
enum { BIT_ATN = 1 << 3, BIT_TARGET = 1 << 9, BIT_CARRY = 1 << 10 };
enum lsi_wait { LSI_STOPPED, LSI_RUNNING, LSI_DISCONNECT, LSI_RESELECT };

struct lsi53c8xx {
    struct device dev;
    struct pci_function pci;                    /* state */
    char *bus, *chip;                           /* properties */
    uint8_t slot;
    struct scsi_bus *scsi;
    uint8_t reg[REGISTERS];                     /* state, from here on */
    uint8_t wait;
    bool connected;                             /* since a selection, until disconnection is noticed */
    bool timeout;                               /* nobody answered: told when the bus is next needed */
    bool moving;                                /* a block move is under way: DCMD, DBC and DNAD say which */
    bool carry;
    struct timer rest;                          /* a script that went on for too long takes one */
    struct state_bytes ram;                     /* for scripts; the 53C810 has none */
    bool running;                               /* host side: guards against the bus calling while it is called */
};

static struct lsi53c8xx *lsi_of(struct device *dev) { return container_of(dev, struct lsi53c8xx, dev); }

static void lsi_update_irq(struct lsi53c8xx *l)
{
    const uint8_t *r = l->reg;
    pci_intx(&l->pci, r[R_DSTAT] & r[R_DIEN] || r[R_SIST0] & r[R_SIEN0] || r[R_SIST1] & r[R_SIEN1] || r[R_ISTAT0] & ISTAT_INTF);
}

static void lsi_scsi_interrupt(struct lsi53c8xx *l, uint8_t sist0, uint8_t sist1)
{
    l->reg[R_SIST0] |= sist0;
    l->reg[R_SIST1] |= sist1;
    l->wait = LSI_STOPPED;
    lsi_update_irq(l);
}

static void lsi_dma_interrupt(struct lsi53c8xx *l, uint8_t dstat)
{
    l->reg[R_DSTAT] |= dstat;
    l->wait = LSI_STOPPED;
    lsi_update_irq(l);
}

/* --- the SCRIPTS processor ---------------------------------------------------------------------------------- */

static uint8_t lsi_read(struct lsi53c8xx *, unsigned reg);
static void lsi_write(struct lsi53c8xx *, unsigned reg, uint8_t value);

static uint32_t get(const struct lsi53c8xx *l, unsigned reg) { return le32_get(l->reg + reg); }
static void put(struct lsi53c8xx *l, unsigned reg, uint32_t value) { le32_put(l->reg + reg, value); }
static uint32_t count_get(const struct lsi53c8xx *l) { return get(l, R_DBC) & 0xffffff; }
static void count_put(struct lsi53c8xx *l, uint32_t count) { put(l, R_DBC, (get(l, R_DBC) & 0xff000000) | (count & 0xffffff)); }
static uint32_t offset24(uint32_t v) { return (uint32_t)((int32_t)(v << 8) >> 8); }

static uint32_t fetch(struct lsi53c8xx *l)
{
    uint8_t bytes[4] = { 0xff, 0xff, 0xff, 0xff };
    pci_dma_in(&l->pci, bytes, get(l, R_DSP), sizeof(bytes));
    put(l, R_DSP, get(l, R_DSP) + 4);
    return le32_get(bytes);
}

/* With ENPMJ the script itself goes on with what is left, by way of RBC, UA, ESA and IA [53C895A, 4.2]; else the driver is told. */
static void mismatch(struct lsi53c8xx *l, unsigned wanted)
{
    l->moving = false;
    if (wanted == SCSI_COMMAND && get(l, R_SBC))  /* QUIRK(seabios-lsi): it sends sixteen bytes of any command */
        return;
    if (!(l->reg[R_CCNTL0] & CCNTL0_ENPMJ) || wanted > SCSI_DATA_IN) {
        lsi_scsi_interrupt(l, SIST0_MA, 0);
        return;
    }
    bool second = l->reg[R_CCNTL0] & CCNTL0_PMJCTL ? wanted == SCSI_DATA_IN : l->reg[R_SCNTL2] & SCNTL2_WSR;
    put(l, R_RBC, get(l, R_DBC));
    put(l, R_UA, get(l, R_DNAD));
    put(l, R_DSP, get(l, second ? R_PMJAD2 : R_PMJAD1));
}

static bool move_step(struct lsi53c8xx *l)
{
    unsigned wanted = l->reg[R_DCMD] & 7;
    enum scsi_phase phase = scsi_phase(l->scsi);
    uint32_t length, left = count_get(l);
    if (!left) {
        l->moving = false;
        return true;
    }
    if (l->timeout || phase == SCSI_FREE) {
        l->moving = false;
        l->connected = false;
        lsi_scsi_interrupt(l, l->timeout ? 0 : SIST0_UDC, l->timeout ? SIST1_STO : 0);
        l->timeout = false;
        return false;
    }
    if (phase == SCSI_WAIT)
        return false;
    l->reg[R_SSTAT1] = (uint8_t)phase;
    if (phase != wanted) {
        mismatch(l, wanted);
        return true;
    }
    uint8_t *bytes = scsi_window(l->scsi, &length);
    length = MIN(length, left);
    if (scsi_phase_in(phase)) {
        l->reg[R_SFBR] = bytes[0];
        pci_dma_out(&l->pci, get(l, R_DNAD), bytes, length);
    } else {
        pci_dma_in(&l->pci, bytes, get(l, R_DNAD), length);
    }
    if (phase == SCSI_MESSAGE_OUT && length == left)    /* ATN falls before the last byte */
        scsi_attention(l->scsi, false);
    put(l, R_DNAD, get(l, R_DNAD) + length);
    count_put(l, left - length);
    put(l, R_SBC, get(l, R_SBC) + length);
    put(l, R_CSBC, get(l, R_CSBC) + length);
    scsi_moved(l->scsi, length);
    return true;
}

static void move_start(struct lsi53c8xx *l, uint32_t insn, uint32_t address)
{
    uint8_t entry[8] = { 0 };
    put(l, R_IA, get(l, R_DSP) - 8);
    put(l, R_SBC, 0);
    if (insn & BIT(28)) {                       /* table indirect: count and address stand in the table */
        put(l, R_ESA, get(l, R_DSA) + offset24(address));
        pci_dma_in(&l->pci, entry, get(l, R_ESA), 8);
        count_put(l, le32_get(entry));
        address = le32_get(entry + 4);
    } else if (insn & BIT(29)) {
        pci_dma_in(&l->pci, entry, address, 4);
        address = le32_get(entry);
    }
    put(l, R_DNAD, address);
    l->moving = true;
}

/* QUIRK(seabios-lsi): it selects without ATN and then wants to send a message; and it leaves a target that has sent less than it
 * asked for where it is. We are never reselected, so a connection at this point is such a one. */
static bool firmware_wants_attention(struct lsi53c8xx *l)
{
    uint8_t next[4] = { 0xff, 0xff, 0xff, 0xff };
    pci_dma_in(&l->pci, next, get(l, R_DSP), 4);
    return le32_get(next) >> 30 == 0 && (next[3] & 7) == SCSI_MESSAGE_OUT;
}

static void connection_drop(struct lsi53c8xx *l)
{
    uint32_t length;
    scsi_attention(l->scsi, true);
    scsi_attention(l->scsi, false);
    if (scsi_phase(l->scsi) == SCSI_MESSAGE_OUT) {
        *scsi_window(l->scsi, &length) = MESSAGE_ABORT;
        scsi_moved(l->scsi, 1);
    }
}

static void select_target(struct lsi53c8xx *l, uint32_t insn)
{
    uint32_t id = insn >> 16 & 15;
    uint8_t entry[4] = { 0 };
    if (insn & BIT(25)) {
        pci_dma_in(&l->pci, entry, get(l, R_DSA) + offset24(insn), 4);
        id = entry[2] & 15;
        l->reg[R_SCNTL3] = entry[3];
        l->reg[R_SXFER] = entry[1];
    }
    if (scsi_phase(l->scsi) != SCSI_FREE)
        connection_drop(l);
    l->reg[R_SDID] = (uint8_t)id;
    l->timeout = !scsi_select(l->scsi, id, insn & BIT(24) || firmware_wants_attention(l));
    l->connected = !l->timeout;
    if (l->connected)
        l->reg[R_SSTAT1] = (uint8_t)scsi_phase(l->scsi);
}

static bool io_step(struct lsi53c8xx *l, uint32_t insn, uint32_t address)
{
    if (insn & BIT(26))
        address = get(l, R_DSP) + offset24(address);
    put(l, R_DNAD, address);
    switch (insn >> 27 & 7) {
    case IO_SELECT: select_target(l, insn); return true;
    case IO_WAIT_DISCONNECT:
        l->wait = LSI_DISCONNECT;
        return true;
    case IO_WAIT_RESELECT:
        if (l->reg[R_ISTAT0] & ISTAT_SIGP)
            put(l, R_DSP, address);
        else
            l->wait = LSI_RESELECT;
        return true;
    case IO_SET:
    case IO_CLEAR: {
        bool set = (insn >> 27 & 7) == IO_SET;
        if (insn & BIT_ATN)
            scsi_attention(l->scsi, set);
        if (insn & BIT_CARRY)
            l->carry = set;
        return true;
    }
    default:
        lsi_dma_interrupt(l, DSTAT_IID);
        return false;
    }
}

/* Register arithmetic: from SFBR, to SFBR, or in place. */
static void register_step(struct lsi53c8xx *l, uint32_t insn)
{
    unsigned reg = (insn >> 16 & 0x7f) | (insn & 0x80), kind = insn >> 27 & 7, operation = insn >> 24 & 7;
    unsigned a = kind == 5 ? l->reg[R_SFBR] : operation ? lsi_read(l, reg) : 0, carry = l->carry;
    unsigned b = kind == 7 && insn & BIT(23) ? l->reg[R_SFBR] : insn >> 8 & 0xff;
    switch (operation) {
    case 0: a = b; break;
    case 1: l->carry = a >> 7; a = a << 1 | carry; break;
    case 2: a |= b; break;
    case 3: a ^= b; break;
    case 4: a &= b; break;
    case 5: l->carry = a & 1; a = a >> 1 | carry << 7; break;
    default:
        a += b + (operation == 7 ? carry : 0);
        l->carry = a >> 8;
    }
    if (kind == 6)
        l->reg[R_SFBR] = (uint8_t)a;
    else
        lsi_write(l, reg, (uint8_t)a);
}

/* All comparisons that are asked for must come out as bit 19 wants them; none at all is true. */
static bool condition(const struct lsi53c8xx *l, uint32_t insn)
{
    bool wanted = insn & BIT(19), met = wanted;
    uint8_t mask = (uint8_t)(~insn >> 8);
    if (!(insn & (BIT(21) | BIT(18) | BIT(17))))
        return wanted;
    if (insn & BIT(21))
        met = l->carry;
    if (met == wanted && insn & BIT(17))
        met = (l->reg[R_SSTAT1] & 7) == (insn >> 24 & 7);
    if (met == wanted && insn & BIT(18))
        met = (l->reg[R_SFBR] & mask) == (insn & mask);
    return met == wanted;
}

static bool transfer_step(struct lsi53c8xx *l, uint32_t insn, uint32_t address)
{
    enum scsi_phase phase = scsi_phase(l->scsi);
    if (insn & BIT(16)) {                       /* WHEN: waits for the target's next phase */
        if (l->timeout || phase == SCSI_FREE) {
            lsi_scsi_interrupt(l, l->timeout ? 0 : SIST0_UDC, l->timeout ? SIST1_STO : 0);
            l->timeout = l->connected = false;
            return false;
        }
        if (phase == SCSI_WAIT) {
            put(l, R_DSP, get(l, R_DSP) - 8);       /* again, when it has come */
            return false;
        }
    }
    if (phase < SCSI_WAIT)
        l->reg[R_SSTAT1] = (uint8_t)phase;
    if (!condition(l, insn))
        return true;
    if (insn & BIT(23))
        address = get(l, R_DSP) + offset24(address);
    switch (insn >> 27 & 7) {
    case TO_CALL:
        put(l, R_TEMP, get(l, R_DSP));
        /* fall through */
    case TO_JUMP: put(l, R_DSP, address); return true;
    case TO_RETURN: put(l, R_DSP, get(l, R_TEMP)); return true;
    case TO_INTERRUPT:
        if (insn & BIT(20)) {
            l->reg[R_ISTAT0] |= ISTAT_INTF;
            lsi_update_irq(l);
            return true;
        }
        lsi_dma_interrupt(l, DSTAT_SIR);
        return false;
    default:
        lsi_dma_interrupt(l, DSTAT_IID);
        return false;
    }
}

static void memory_move(struct lsi53c8xx *l, uint32_t insn, uint32_t from)
{
    uint32_t to = fetch(l), left = insn & 0xffffff;
    uint8_t piece[PIECE];
    put(l, R_TEMP, to);
    for (uint32_t n; left; from += n, to += n, left -= n) {
        n = MIN(left, (uint32_t)PIECE);
        memset(piece, 0xff, n);
        pci_dma_in(&l->pci, piece, from, n);
        pci_dma_out(&l->pci, to, piece, n);
    }
}

static void load_store(struct lsi53c8xx *l, uint32_t insn, uint32_t address)
{
    unsigned count = insn & 7, reg = insn >> 16 & 0xff;
    uint8_t bytes[8] = { 0 };
    if (insn & BIT(28))
        address = get(l, R_DSA) + offset24(address);
    if (insn & BIT(24)) {
        pci_dma_in(&l->pci, bytes, address, count);
        for (unsigned n = 0; n < count; n++)
            lsi_write(l, (reg + n) & 0xff, bytes[n]);
    } else {
        for (unsigned n = 0; n < count; n++)
            bytes[n] = lsi_read(l, (reg + n) & 0xff);
        pci_dma_out(&l->pci, address, bytes, count);
    }
}

/* false: stopped, or nothing to do until the bus or the CPU says something. */
static bool step(struct lsi53c8xx *l)
{
    if (l->wait == LSI_DISCONNECT) {
        if (scsi_phase(l->scsi) != SCSI_FREE)
            return false;
        l->connected = false;
        l->wait = LSI_RUNNING;
    }
    if (l->wait != LSI_RUNNING)
        return false;
    if (l->moving)
        return move_step(l);
    uint32_t insn = fetch(l), address = fetch(l);
    bool on = true;
    put(l, R_DBC, insn);
    put(l, R_DSPS, address);
    switch (insn >> 30) {
    case 0: move_start(l, insn, address); break;
    case 1:
        if ((insn >> 27 & 7) >= 5)
            register_step(l, insn);
        else
            on = io_step(l, insn, address);
        break;
    case 2: on = transfer_step(l, insn, address); break;
    default:
        if (insn & BIT(29))
            load_store(l, insn, address);
        else
            memory_move(l, insn, address);
    }
    if (on && l->reg[R_DCNTL] & DCNTL_SSM) {
        lsi_dma_interrupt(l, DSTAT_SSI);
        return false;
    }
    return on;
}

static void lsi_run(void *chip)
{
    struct lsi53c8xx *l = chip;
    struct clock *clock = &l->dev.machine->clock;
    unsigned budget = BUDGET;
    if (l->running || timer_running(&l->rest))
        return;
    l->running = true;
    while (budget && step(l))
        budget -= l->moving || (l->reg[R_DCMD] & 0xe0) != 0xc0 ? 1 : MIN(budget, 1 + count_get(l) / PIECE);   /* a long move counts more */
    l->running = false;
    if (!budget)
        timer_at(clock, &l->rest, clock_now(clock) + REST_NS);
    lsi_update_irq(l);
}

/* --- registers ------------------------------------------------------------------------------------------------ */

static uint8_t take(struct lsi53c8xx *l, unsigned reg)          /* reading clears it */
{
    uint8_t value = l->reg[reg];
    l->reg[reg] = 0;
    lsi_update_irq(l);
    return value;
}

static uint8_t istat(const struct lsi53c8xx *l)
{
    const uint8_t *r = l->reg;
    return (uint8_t)((r[R_ISTAT0] & (ISTAT_SIGP | ISTAT_SEM | ISTAT_INTF)) | (l->connected ? ISTAT_CON : 0) | (r[R_DSTAT] ? ISTAT_DIP : 0) |
                     (r[R_SIST0] || r[R_SIST1] ? ISTAT_SIP : 0));
}

static uint8_t lsi_read(struct lsi53c8xx *l, unsigned reg)
{
    enum scsi_phase phase = scsi_phase(l->scsi);
    uint8_t value;
    switch (reg) {
    case R_SCNTL1: return (uint8_t)(l->reg[R_SCNTL1] | (l->connected ? SCNTL1_CON : 0));
    case R_GPREG: return 0x7f;
    case R_SBCL: return phase < SCSI_WAIT ? (uint8_t)(phase | 0xa0) : phase == SCSI_WAIT ? 0x20 : 0;     /* REQ, BSY */
    case R_DSTAT: return take(l, R_DSTAT) | DSTAT_DFE;
    case R_SSTAT0: return l->reg[R_SCNTL1] & SCNTL1_RST ? 2 : 0;
    case R_SSTAT1: return (uint8_t)(phase < SCSI_WAIT ? phase : (l->reg[R_SSTAT1] & 7u));
    case R_ISTAT0: return istat(l);
    case R_ISTAT1: return l->wait == LSI_RUNNING ? 2 : 0;
    case R_CTEST1: return 0xf0;                   /* the FIFO is empty */
    case R_CTEST2:
        value = (uint8_t)(0x31 | (l->reg[R_ISTAT0] & ISTAT_SIGP ? 0x40 : 0));
        l->reg[R_ISTAT0] &= (uint8_t)~ISTAT_SIGP;
        return value;
    case R_SIST0: case R_SIST1: return take(l, reg);
    case R_STEST4: return 0xe0;                   /* low voltage differential; the clock is locked */
    case R_SIDL: case R_SIDL + 1: case R_SBDL: case R_SBDL + 1: return 0;
    default: return l->reg[reg];
    }
}

static void soft_reset(struct lsi53c8xx *l)
{
    memset(l->reg, 0, sizeof(l->reg));
    l->reg[R_SCNTL0] = 0xc0;
    l->reg[R_CTEST3] = 0x20;                      /* revision */
    l->reg[R_MACNTL] = 0xd0;                      /* chip type */
    l->reg[R_DCNTL] = 0x01;
    l->reg[R_DMODE] = 0;
    l->wait = LSI_STOPPED;
    l->connected = l->timeout = l->moving = l->carry = false;
    timer_stop(&l->dev.machine->clock, &l->rest);
}

static void start(struct lsi53c8xx *l)
{
    timer_stop(&l->dev.machine->clock, &l->rest);
    l->moving = false;
    l->wait = LSI_RUNNING;
    lsi_run(l);
}

static void istat_write(struct lsi53c8xx *l, uint8_t value)
{
    if (value & ISTAT_SRST) {                   /* QUIRK(seabios-lsi): it never takes the bit back */
        soft_reset(l);
        lsi_update_irq(l);
        return;
    }
    l->reg[R_ISTAT0] = (uint8_t)((l->reg[R_ISTAT0] & ~ISTAT_SEM & ~(value & ISTAT_INTF)) | (value & (ISTAT_SEM | ISTAT_SIGP)));
    if (value & ISTAT_ABRT) {
        l->moving = false;
        lsi_dma_interrupt(l, DSTAT_ABRT);
    }
    if (value & ISTAT_SIGP && l->wait == LSI_RESELECT) {
        le32_put(l->reg + R_DSP, le32_get(l->reg + R_DNAD));
        l->wait = LSI_RUNNING;
        lsi_run(l);
    }
    lsi_update_irq(l);
}

static void scntl1_write(struct lsi53c8xx *l, uint8_t value)
{
    bool rises = value & SCNTL1_RST && !(l->reg[R_SCNTL1] & SCNTL1_RST);
    l->reg[R_SCNTL1] = value & (uint8_t)~SCNTL1_CON;
    if (!rises)
        return;
    l->connected = l->moving = l->timeout = false;
    scsi_reset(l->scsi);
    lsi_scsi_interrupt(l, SIST0_RST, 0);
}

static void lsi_write(struct lsi53c8xx *l, unsigned reg, uint8_t value)
{
    switch (reg) {
    case R_SCNTL1: scntl1_write(l, value); break;
    case R_SBCL: case R_DSTAT: case R_SSTAT0: case R_SSTAT1: case R_SSTAT2: case R_ISTAT1: case R_CTEST1: case R_CTEST2: case R_SIST0:
    case R_SIST1: case R_SIDL: case R_SIDL + 1: case R_SBDL: case R_SBDL + 1: case R_MACNTL: break;
    case R_ISTAT0: istat_write(l, value); break;
    case R_CTEST3: l->reg[reg] = (uint8_t)((l->reg[reg] & 0xf0) | (value & 3)); break;   /* flush and clear end at once */
    case R_STEST3: l->reg[reg] = value & (uint8_t)~2; break;
    case R_DSP + 3:
        l->reg[reg] = value;
        if (!(l->reg[R_DMODE] & DMODE_MAN))
            start(l);
        break;
    case R_DCNTL:
        l->reg[reg] = value & (uint8_t)~(1 << 6 | DCNTL_STD);
        if (value & DCNTL_STD)
            start(l);
        break;
    case R_DIEN: case R_SIEN0: case R_SIEN1:
        l->reg[reg] = value;
        lsi_update_irq(l);
        break;
    default: l->reg[reg] = value;
    }
}

static uint64_t register_read(void *chip, uint64_t offset, unsigned size)
{
    (void)size;
    return lsi_read(chip, offset & (REGISTERS - 1));
}

static void register_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    lsi_write(chip, offset & (REGISTERS - 1), (uint8_t)value);
}

static const struct io_ops register_ops = { register_read, register_write, IO_8 };

/* --- class ---------------------------------------------------------------------------------------------------- */

static bool lsi_init(struct device *dev, struct error *err)
{
    struct lsi53c8xx *l = lsi_of(dev);
    struct pci_identity identity = { 0x1000, 0x0012, 0x010000, 0, 0x1000, 0x1000, 1, 0x0200 };
    bool small = !strcmp(l->chip, "53c810");
    if (small)
        identity = (struct pci_identity){ 0x1000, 0x0001, 0x010000, 0x23, 0, 0, 1, 0x0200 };
    else if (strcmp(l->chip, "53c895a"))
        return error_set(err, EINVAL, "%s: there is no chip '%s'; it is 53c895a or 53c810", dev->id, l->chip);
    timer_init(&l->rest, lsi_run, l);
    if (!scsi_attach(&l->scsi, dev, l->bus, lsi_run, err) || !pci_function_init(&l->pci, dev, &identity, l->slot, 0, err))
        return false;
    l->pci.written = lsi_run;
    l->pci.writable[PCI_COMMAND] = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER;
    uint32_t size = small ? PORTS : REST_OF_BAR;
    pci_bar_init(&l->pci, 0, PCI_BAR_IO, PORTS, space_map_io(dev->machine->ports, 0, PORTS, &register_ops, l, 1));
    pci_bar_init(&l->pci, 1, PCI_BAR_MEMORY, size, space_map_io(dev->machine->memory, 0, size, &register_ops, l, 1));
    if (small)
        return true;
    l->ram = (struct state_bytes){ calloc(1, RAM), RAM };
    if (!l->ram.bytes)
        return error_set(err, ENOMEM, "%s: not enough memory", dev->id);
    pci_bar_init(&l->pci, 2, PCI_BAR_MEMORY, RAM, space_map_ram(dev->machine->memory, 0, RAM, l->ram.bytes, RAM_WRITABLE | RAM_SECOND, 1));
    return true;
}

static void lsi_reset(struct device *dev, enum reset_kind kind)
{
    struct lsi53c8xx *l = lsi_of(dev);
    (void)kind;
    soft_reset(l);
    if (l->ram.bytes)
        memset(l->ram.bytes, 0, RAM);
    lsi_update_irq(l);
}

static bool lsi_restored(struct device *dev)
{
    struct lsi53c8xx *l = lsi_of(dev);
    if (l->wait > LSI_RESELECT)
        l->wait = LSI_STOPPED;
    return true;
}

static void lsi_free(struct device *dev) { free(lsi_of(dev)->ram.bytes); }

#define F(m) FIELD(struct lsi53c8xx, m)
static const struct state_field lsi_state[] = {
    PCI_STATE(struct lsi53c8xx, pci), FIELD_ARRAY(struct lsi53c8xx, reg), F(wait), F(connected), F(timeout), F(moving), F(carry), F(rest),
    FIELD_BYTES(struct lsi53c8xx, ram), END
};
static const struct property lsi_properties[] = {
    PROPERTY(struct lsi53c8xx, bus, "scsi0", "id of its scsi_bus"), PROPERTY(struct lsi53c8xx, slot, "5", "PCI slot"),
    PROPERTY(struct lsi53c8xx, chip, "53c895a", "53c895a or 53c810"), END
};
static const struct pin lsi_outputs[] = { PCI_INTX(struct lsi53c8xx, pci), END };

const struct device_class lsi53c8xx_class = {
    .name = "lsi53c8xx", .summary = "Symbios (LSI) 53C895A or 53C810 PCI SCSI adapter", .size = sizeof(struct lsi53c8xx),
    .properties = lsi_properties, .outputs = lsi_outputs, .state = lsi_state, .state_version = 1,
    .init = lsi_init, .reset = lsi_reset, .restored = lsi_restored, .free = lsi_free,
};
