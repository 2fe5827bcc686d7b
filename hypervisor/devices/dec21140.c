/* Digital DECchip 21140A (later Intel's) on a card with a serial ROM and an MII transceiver. Read [21140A] chapters 3 (registers) and 4
 * (descriptors, setup frame); [SROM] for what the ROM says.
 *
 * In a PC: PCI, 1011:0009; BAR 0 places 128 ports, BAR 1 the same in memory: CSR0 to CSR15, eight bytes apart. Output: INTA#. Two lists of
 * descriptors, rings or chains; bit OWN says whose a descriptor is. A transmit descriptor with SET carries the address filter: 16
 * addresses, or a hash table of 512 bits. CSR9 has the wires of the 93C46 and of the transceiver (PHY 1).
 *
 * References: [21140A]; [SROM]; [93C46]; [802.3]
 * Not modelled: the time on the wire, overflow (frames wait in the cable instead), loopback, early interrupts, boot ROM, the
 * symbol and 10BASE-T ports, inverse-perfect details of CSR6's read bits, capture effect; missed frames read 0. */
#include "devices/mii.h"
#include "devices/nm93c46.h"
#include "devices/pci.h"
#include "net/net.h"

enum { BUS_MODE, TX_POLL, RX_POLL, RX_LIST, TX_LIST, CSR_STATUS, OPERATION, INTERRUPTS, MISSED, ROM_MII, BOOT_ROM, GP_TIMER, GP_PORT,
       WATCHDOG = 15, CSRS, PORTS = 128 };
enum { SWR = 1 << 0, TAP = 7 << 17 };
enum { TI = 1 << 0, TPS = 1 << 1, TU = 1 << 2, UNF = 1 << 5, RI = 1 << 6, RU = 1 << 7, RPS = 1 << 8, GPT = 1 << 11, FBE = 1 << 13, AIS = 1 << 15,
       NIS = 1 << 16, NORMAL = TI | TU | RI | GPT, ABNORMAL = TPS | 1 << 3 | UNF | RU | RPS | 1 << 9 | FBE, CLEARED = 0x1efff & ~(1 << 12) };
enum { RS_SHIFT = 17, TS_SHIFT = 20, RS_WAITING = 3, RS_SUSPENDED = 4, TS_SUSPENDED = 6 };
enum { HP = 1 << 0, SR = 1 << 1, HO = 1 << 2, IF = 1 << 4, PR = 1 << 6, PM = 1 << 7, ST = 1 << 13 };
enum { ROM_CS = 1 << 0, ROM_CLOCK = 1 << 1, ROM_IN = 1 << 2, ROM_OUT = 1 << 3, ROM_SELECT = 1 << 11, MDC = 1 << 16, MDO = 1 << 17, MII_READ = 1 << 18,
       MDI = 1 << 19, GPC = 1 << 8 };
/* descriptors [21140A, 4.2] */
enum { D_LS = 1 << 8, D_FS = 1 << 9, D_MF = 1 << 10, D_DE = 1 << 14, D_ES = 1 << 15, D_FT = 1 << 5,
       D_END = 1 << 25, D_CHAIN = 1 << 24, T_FT0 = 1 << 22, T_SET = 1 << 27, T_FT1 = 1 << 28, T_FS = 1 << 29, T_LS = 1 << 30 };
#define OWN 0x80000000u
#define T_IC 0x80000000u
enum { PHY = 1, SETUP = 192, BURST = 256, BURST_NS = 20000, PIECES = 128 };
#define POLL_NS 1600000ll
#define GP_TIMER_NS 81920ll                     /* a tick, at 100 Mbit/s [21140A, 3.2.2.11] */

struct dec21140 {
    struct device dev;
    struct pci_function pci;                    /* state */
    uint8_t slot; char *mac, *romfile;          /* properties */
    struct net_port port;
    uint16_t rom[NM93C46_WORDS];
    uint32_t csr[CSRS];                         /* state, from here */
    uint32_t rx, tx;                            /* addresses of the next descriptors */
    uint8_t gp_direction, filter;               /* of the last setup frame: HP, HO, IF */
    uint8_t setup[SETUP], frame[NET_FRAME_TAGGED];
    uint32_t length; bool gathering;
    struct timer more, gp_timer;
    struct mii mii;
    struct mdio mdio;
    struct nm93c46 eeprom;
};
struct descriptor { uint32_t at, word[4]; };

static struct dec21140 *dec_of(struct device *dev) { return container_of(dev, struct dec21140, dev); }

static void dec21140_update_irq(struct dec21140 *d)
{
    uint32_t *status = &d->csr[CSR_STATUS], enabled = d->csr[INTERRUPTS], on = *status & enabled;
    *status = (*status & ~(uint32_t)(NIS | AIS)) | (on & NORMAL ? NIS : 0) | (on & ABNORMAL ? AIS : 0);
    pci_intx(&d->pci, *status & enabled & (NIS | AIS));
}

static void state_set(struct dec21140 *d, unsigned shift, unsigned value)
{
    d->csr[CSR_STATUS] = (d->csr[CSR_STATUS] & ~(7u << shift)) | value << shift;
}

/* --- descriptors ----------------------------------------------------------------------------------------------- */

static bool descriptor_read(struct dec21140 *d, uint32_t at, struct descriptor *e)
{
    uint8_t bytes[16];
    e->at = at;
    if (!pci_dma_in(&d->pci, bytes, at, sizeof(bytes)))
        return false;
    for (unsigned n = 0; n < 4; n++)
        e->word[n] = le32_get(bytes + 4 * n);
    return true;
}

static void status_write(struct dec21140 *d, const struct descriptor *e, uint32_t status)
{
    uint8_t bytes[4];
    le32_put(bytes, status);
    pci_dma_out(&d->pci, e->at, bytes, 4);
}

static uint32_t following(const struct dec21140 *d, const struct descriptor *e, unsigned list)
{
    if (e->word[1] & D_END)
        return d->csr[list];
    return e->word[1] & D_CHAIN ? e->word[3] & ~3u : e->at + 16 + (d->csr[BUS_MODE] >> 2 & 31) * 4;
}

/* --- receiving ------------------------------------------------------------------------------------------------- */

static bool matches(const uint8_t *entry, const uint8_t *frame)
{
    return !memcmp(entry, frame, 2) && !memcmp(entry + 4, frame + 2, 2) && !memcmp(entry + 8, frame + 4, 2);
}

static bool accepts(const struct dec21140 *d, const uint8_t *frame)
{
    unsigned hash = ~net_crc(frame, 6) & 511;
    bool hashed = d->setup[hash / 16 * 4 + hash % 16 / 8] >> (hash & 7) & 1, perfect = false;
    if (d->csr[OPERATION] & PR || (frame[0] & 1 && d->csr[OPERATION] & PM))
        return true;
    if (d->filter & HP)                         /* the hash, for groups or for all; and one address */
        return frame[0] & 1 || d->filter & HO ? hashed : matches(d->setup + 156, frame);
    for (unsigned n = 0; n < 16; n++)
        perfect = perfect || matches(d->setup + 12 * n, frame);
    return perfect == !(d->filter & IF);
}

static bool dec_ready(void *chip)
{
    struct dec21140 *d = chip;
    struct descriptor e;
    if (!(d->csr[OPERATION] & SR) || !descriptor_read(d, d->rx, &e) || e.word[0] & OWN)
        return true;
    if (!(d->csr[CSR_STATUS] & RU)) {
        d->csr[CSR_STATUS] |= RU;
        state_set(d, RS_SHIFT, RS_SUSPENDED);
        dec21140_update_irq(d);
    }
    return false;
}

static uint32_t store(struct dec21140 *d, const struct descriptor *e, const uint8_t *bytes, uint32_t length)
{
    uint32_t first = MIN(e->word[1] & 0x7ff, length), second = e->word[1] & D_CHAIN ? 0 : MIN(e->word[1] >> 11 & 0x7ff, length - first);
    if (first)
        pci_dma_out(&d->pci, e->word[2], bytes, first);
    if (second)
        pci_dma_out(&d->pci, e->word[3], bytes + first, second);
    return first + second;
}

static void dec_receive(void *chip, const uint8_t *frame, size_t length)
{
    struct dec21140 *d = chip;
    struct descriptor e;
    uint8_t bytes[NET_FRAME_TAGGED + 4];
    uint32_t total = (uint32_t)length + 4, done = 0, flags = D_FS;
    if (!(d->csr[OPERATION] & SR) || !accepts(d, frame))
        return;
    memcpy(bytes, frame, length);
    le32_put(bytes + length, net_crc(frame, length));
    uint32_t kind = (frame[0] & 1 ? D_MF : 0) | (be16_get(frame + 12) > 1500 ? D_FT : 0);
    for (unsigned n = 0; n < PIECES && descriptor_read(d, d->rx, &e) && e.word[0] & OWN; n++, flags = 0) {
        done += store(d, &e, bytes + done, total - done);
        d->rx = following(d, &e, RX_LIST);
        struct descriptor after;
        bool more = done < total && n + 1 < PIECES && descriptor_read(d, d->rx, &after) && after.word[0] & OWN;
        if (!more)
            flags |= D_LS | (done < total ? D_DE | D_ES : 0);
        status_write(d, &e, total << 16 | flags | kind);
        if (!more)
            break;
    }
    d->csr[CSR_STATUS] |= RI;
    state_set(d, RS_SHIFT, RS_WAITING);
    dec21140_update_irq(d);
}

/* --- sending --------------------------------------------------------------------------------------------------- */

static void gather(struct dec21140 *d, uint32_t address, uint32_t length)
{
    uint32_t n = MIN(length, (uint32_t)NET_FRAME_TAGGED - MIN(d->length, (uint32_t)NET_FRAME_TAGGED));
    if (n)
        pci_dma_in(&d->pci, d->frame + d->length, address, n);
    d->length = MIN(d->length + length, (uint32_t)NET_FRAME_TAGGED + 1);       /* one more: too long */
}

static void setup(struct dec21140 *d, const struct descriptor *e)
{
    pci_dma_in(&d->pci, d->setup, e->word[2], MIN(e->word[1] & 0x7ff, (uint32_t)SETUP));
    unsigned kind = (e->word[1] & T_FT1 ? 2u : 0) | (e->word[1] & T_FT0 ? 1 : 0);
    static const uint8_t filters[] = { 0, HP, IF, HP | HO };   /* [21140A, table 4-8] */
    d->filter = filters[kind];
    d->csr[OPERATION] = (d->csr[OPERATION] & ~(uint32_t)(HP | HO | IF)) | d->filter;
}

static void part_out(struct dec21140 *d, const struct descriptor *e)
{
    if (e->word[1] & T_SET) {
        setup(d, e);
        return;
    }
    if (e->word[1] & T_FS) {
        d->length = 0;
        d->gathering = true;
    }
    gather(d, e->word[2], e->word[1] & 0x7ff);
    if (!(e->word[1] & D_CHAIN))
        gather(d, e->word[3], e->word[1] >> 11 & 0x7ff);
    if (e->word[1] & T_LS) {
        if (d->gathering && d->length <= NET_FRAME_TAGGED) {
            uint32_t length = d->length;
            if (length < NET_FRAME_MIN && !(e->word[1] & 1 << 23)) {        /* DPD: no padding */
                memset(d->frame + length, 0, NET_FRAME_MIN - length);
                length = NET_FRAME_MIN;
            }
            net_send(&d->port, d->frame, length);
        }
        d->gathering = false;
    }
}

/* As long as descriptors are ours, at most BURST at a time; the rest follows by a timer. */
static void transmit(struct dec21140 *d)
{
    struct clock *clock = &d->dev.machine->clock;
    struct descriptor e;
    for (unsigned done = 0; d->csr[OPERATION] & ST; done++) {
        if (!descriptor_read(d, d->tx, &e)) {
            d->csr[CSR_STATUS] |= FBE;
            return;
        }
        if (!(e.word[0] & OWN)) {
            if (done)
                d->csr[CSR_STATUS] |= TU;
            state_set(d, TS_SHIFT, TS_SUSPENDED);
            if (d->csr[BUS_MODE] & TAP)
                timer_at(clock, &d->more, clock_now(clock) + POLL_NS);
            return;
        }
        if (done == BURST) {
            timer_at(clock, &d->more, clock_now(clock) + BURST_NS);
            return;
        }
        part_out(d, &e);
        d->tx = following(d, &e, TX_LIST);
        status_write(d, &e, e.word[1] & T_SET ? ~OWN : 0);
        if (e.word[1] & T_IC && e.word[1] & (T_LS | T_SET))
            d->csr[CSR_STATUS] |= TI;
    }
}

static void transmit_more(void *chip)
{
    transmit(chip);
    dec21140_update_irq(chip);
}

/* --- registers ------------------------------------------------------------------------------------------------- */

static void chip_reset(struct dec21140 *d)
{
    static const uint32_t reset[CSRS] = { 0xfe000000, 0xffffffff, 0xffffffff, 0, 0, 0xfc000000, 0x32000040, 0xf3fe0000, 0xe0000000, 0xfff483ff, 0,
                                          0xfffe0000, 0xfffffe00, 0, 0, 0xfffffec8 };
    memcpy(d->csr, reset, sizeof(d->csr));
    d->rx = d->tx = d->length = 0;
    d->gp_direction = d->filter = 0;
    d->gathering = false;
    memset(d->setup, 0, sizeof(d->setup));
    memset(d->frame, 0, sizeof(d->frame));
    timer_stop(&d->dev.machine->clock, &d->more);
    timer_stop(&d->dev.machine->clock, &d->gp_timer);
    d->eeprom = (struct nm93c46){ .words = d->rom, .out = true };
    d->mdio = (struct mdio){ .out = true };
}

static void operation_write(struct dec21140 *d, uint32_t value)
{
    uint32_t rises = value & ~d->csr[OPERATION], falls = ~value & d->csr[OPERATION];
    d->csr[OPERATION] = (value & ~(uint32_t)(HP | HO | IF)) | d->filter | 1u << 25;
    if (rises & SR)
        state_set(d, RS_SHIFT, RS_WAITING);
    if (falls & SR) {
        state_set(d, RS_SHIFT, 0);
        d->csr[CSR_STATUS] |= RPS;
    }
    if (falls & ST) {
        state_set(d, TS_SHIFT, 0);
        d->csr[CSR_STATUS] |= TPS;
        d->gathering = false;
    }
    if (rises & ST)
        transmit(d);
}

static void wires_write(struct dec21140 *d, uint32_t value)
{
    unsigned phy, at;
    d->csr[ROM_MII] = (value & 0x0007ffff) | 0xfff00000;
    if (value & ROM_SELECT)
        nm93c46_pins(&d->eeprom, value & ROM_CS, value & ROM_CLOCK, value & ROM_IN);
    enum mdio_event event = mdio_pins(&d->mdio, value & MDC, value & (MDO | MII_READ), &phy, &at);
    if (event == MDIO_READ)
        d->mdio.data = phy == PHY ? mii_read(&d->mii, at, net_link(&d->port)) : 0xffff;
    else if (event == MDIO_WRITE && phy == PHY)
        mii_write(&d->mii, at, d->mdio.data);
}

static void gp_start(struct dec21140 *d)
{
    struct clock *clock = &d->dev.machine->clock;
    if (d->csr[GP_TIMER] & 0xffff)
        timer_at(clock, &d->gp_timer, clock_now(clock) + (d->csr[GP_TIMER] & 0xffff) * GP_TIMER_NS);
    else
        timer_stop(clock, &d->gp_timer);
}

static void gp_expired(void *chip)
{
    struct dec21140 *d = chip;
    d->csr[CSR_STATUS] |= GPT;
    if (d->csr[GP_TIMER] >> 16 & 1)
        gp_start(d);
    dec21140_update_irq(d);
}

static void csr_write(struct dec21140 *d, unsigned n, uint32_t value)
{
    switch (n) {
    case BUS_MODE:
        if (value & SWR)
            chip_reset(d);
        else
            d->csr[n] = (value & 0x01ffffff) | 0xfe000000;
        break;
    case TX_POLL: transmit(d); break;
    case RX_LIST: d->csr[n] = d->rx = value & ~3u; break;
    case TX_LIST: d->csr[n] = d->tx = value & ~3u; break;
    case CSR_STATUS: d->csr[n] &= ~(value & CLEARED); break;
    case OPERATION: operation_write(d, value); break;
    case INTERRUPTS: d->csr[n] = (value & 0x0001ffff) | 0xfffe0000; break;
    case ROM_MII: wires_write(d, value); break;
    case GP_TIMER:
        d->csr[n] = (value & 0x0001ffff) | 0xfffe0000;
        gp_start(d);
        break;
    case GP_PORT:
        if (value & GPC)
            d->gp_direction = (uint8_t)value;
        else
            d->csr[n] = (value & 0xff) | 0xfffffe00;
        break;
    case WATCHDOG: d->csr[n] = value; break;
    }
}

static uint64_t dec_read(void *chip, uint64_t offset, unsigned size)
{
    struct dec21140 *d = chip;
    unsigned n = (unsigned)offset / 8;
    (void)size;
    if (offset & 4)
        return 0xffffffff;
    if (n == ROM_MII)
        return (d->csr[n] & ~(uint32_t)(ROM_OUT | MDI)) | (d->eeprom.out ? ROM_OUT : 0) | (d->mdio.out ? MDI : 0);
    return n == GP_PORT ? (d->csr[n] & ~(uint32_t)(0xff & ~d->gp_direction)) : d->csr[n];
}

static void dec_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct dec21140 *d = chip;
    (void)size;
    if (offset & 4)
        return;
    csr_write(d, (unsigned)offset / 8, (uint32_t)value);
    dec21140_update_irq(d);
    net_poll(&d->port);
}

static const struct io_ops dec_io = { dec_read, dec_write, IO_32 };

/* --- class ----------------------------------------------------------------------------------------------------- */

/* One controller; its leaf at byte 30 has one block: a transceiver on the MII, nothing to be done to the port pins [SROM, 7]. */
static void rom_fill(struct dec21140 *d, const uint8_t *mac)
{
    static const uint8_t leaf[] = { 0x00, 0x08, 0x00, 1, 0x8c, 1, PHY, 0, 0, 0x00, 0x78, 0xe0, 0x01, 0x00, 0x50, 0x00, 0x18 };
    uint8_t *b = (uint8_t *)d->rom;
    le16_put(b, 0x1011);
    le16_put(b + 2, 0x500b);                    /* a DE500-B */
    b[18] = 3;                                  /* the format's version */
    b[19] = 1;
    memcpy(b + 20, mac, 6);
    b[27] = 30;
    memcpy(b + 30, leaf, sizeof(leaf));
    le16_put(b + 126, (uint16_t)net_crc(b, 126));
}

static bool dec_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { .vendor = 0x1011, .device = 0x0009, .class_code = 0x020000, .revision = 0x22,
        .subvendor = 0x1011, .subsystem = 0x500b, .pin = 1, .status = 0x0280 };
    struct dec21140 *d = dec_of(dev);
    uint8_t mac[6];
    if (!net_mac_parse(d->mac, mac, dev->id, err) || !pci_function_init(&d->pci, dev, &identity, d->slot, 0, err))
        return false;
    rom_fill(d, mac);
    d->mii.id = 0x20005c00;                     /* a DP83840 */
    d->port = (struct net_port){ .chip = d, .ready = dec_ready, .receive = dec_receive };
    timer_init(&d->more, transmit_more, d);
    timer_init(&d->gp_timer, gp_expired, d);
    memset(d->pci.writable + 0x40, 0xff, 2);    /* CFDD: the driver's own byte; sleep bits are kept without effect */
    pci_bar_init(&d->pci, 0, PCI_BAR_IO, PORTS, space_map_io(dev->machine->ports, 0xc100, PORTS, &dec_io, d, 0));
    pci_bar_init(&d->pci, 1, PCI_BAR_MEMORY, PORTS, space_map_io(dev->machine->memory, 0xf2000000, PORTS, &dec_io, d, 1));
    return pci_rom_load(&d->pci, d->romfile, err);
}

static void dec_reset(struct device *dev, enum reset_kind kind)
{
    struct dec21140 *d = dec_of(dev);
    (void)kind;
    chip_reset(d);
    mii_reset(&d->mii);
    dec21140_update_irq(d);
}

static bool dec_restored(struct device *dev)
{
    struct dec21140 *d = dec_of(dev);
    d->length = MIN(d->length, (uint32_t)NET_FRAME_TAGGED + 1);
    return true;
}

static const struct state_field dec_state[] = {
    PCI_STATE(struct dec21140, pci), FIELD_ARRAY(struct dec21140, csr), FIELD(struct dec21140, rx), FIELD(struct dec21140, tx),
    FIELD(struct dec21140, gp_direction), FIELD(struct dec21140, filter), FIELD_ARRAY(struct dec21140, setup),
    FIELD_ARRAY(struct dec21140, frame), FIELD(struct dec21140, length), FIELD(struct dec21140, gathering), FIELD(struct dec21140, more),
    FIELD(struct dec21140, gp_timer), MII_STATE(struct dec21140, mii), MDIO_STATE(struct dec21140, mdio),
    NM93C46_STATE(struct dec21140, eeprom), END
};
static const struct property dec_properties[] = {
    PROPERTY(struct dec21140, slot, "3", "PCI slot"), PROPERTY(struct dec21140, mac, "02:48:4f:00:00:06", "hardware address"),
    PROPERTY(struct dec21140, romfile, "", "file of an option ROM, for booting from the network; empty: none"), END
};
static const struct pin dec_outputs[] = { PCI_INTX(struct dec21140, pci), END };
const struct device_class dec21140_class = {
    .name = "dec21140", .summary = "Digital 21140A Fast Ethernet with serial ROM and MII", .size = sizeof(struct dec21140),
    .properties = dec_properties, .outputs = dec_outputs, .state = dec_state, .state_version = 1,
    .init = dec_init, .reset = dec_reset, .restored = dec_restored, .net = offsetof(struct dec21140, port),
};
