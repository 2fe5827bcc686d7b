/* Realtek RTL8139C. Read [RTL8139] "Register Descriptions" and "Packet Reception".
 *
 * In a PC: PCI, 10EC:8139; BAR 0 places 256 ports, BAR 1 the same registers in memory. Output: INTA#. Four transmit buffers with a
 * status and an address each; what is received lies one behind the other in a ring of 8 to 64 KB, each frame behind a double word of
 * status and length. The transceiver's registers are among the chip's; a 93C46 keeps the hardware address.
 *
 * References: [RTL8139]; [93C46]; [802.3]
 * Not modelled: the time on the wire, overflow (frames wait in the cable instead), early interrupts, timer interrupt, wake-up and power
 * management, the 8139C+'s descriptors, VPD, boot ROM. Tally and error counters read 0. */
#include "devices/mii.h"
#include "devices/nm93c46.h"
#include "devices/pci.h"
#include "net/net.h"

/* registers, in double words; comments: what else lies in one */
enum { IDR0 = 0x00, IDR4 = 0x04, MAR0 = 0x08, MAR4 = 0x0c, TSD0 = 0x10, TSAD0 = 0x20, RBSTART = 0x30, ER = 0x34 /* CR in byte 3 */,
       CAPR = 0x38 /* CBR */, IMR = 0x3c /* ISR */, TCR = 0x40, RCR = 0x44, TCTR = 0x48, MPC = 0x4c, CR9346 = 0x50 /* CONFIG0-2 */,
       TIMERINT = 0x54, MSR = 0x58 /* CONFIG3, CONFIG4 */, MULINT = 0x5c, TSAD = 0x60 /* BMCR */, BMSR_ANAR = 0x64, ANLPAR_ANER = 0x68,
       REGISTERS = 0x100 };
enum { BUFE = 1 << 0, TE = 1 << 2, RE = 1 << 3, RST = 1 << 4 };
enum { ROK = 1 << 0, TOK = 1 << 2, ISR_BITS = 0xe07f };
enum { TSD_SIZE = 0x1fff, TSD_OWN = 1 << 13, TSD_TOK = 1 << 15, TSD_KEPT = 0x003f1fff };
enum { AAP = 1 << 0, APM = 1 << 1, AM = 1 << 2, AB = 1 << 3, WRAP = 1 << 7 };
enum { RX_ROK = 1 << 0, RX_BAR = 1 << 13, RX_PAM = 1 << 14, RX_MAR = 1 << 15, RX_HEADER = 4 };
enum { TCR_LOOPBACK = 3 << 17, TCR_WRITABLE = 0x030f07f0, EEM_PROGRAM = 2, EEM_CONFIG = 3, LINKB = 1 << 2, CAPR_LAG = 16 };
#define TCR_VERSION 0x74000000u                 /* RTL8139C [RTL8139, TCR] */

struct rtl8139 {
    struct device dev;
    struct pci_function pci;                    /* state */
    uint8_t slot; char *mac, *romfile;          /* properties */
    struct net_port port;
    uint16_t rom[NM93C46_WORDS];
    uint8_t idr[8], mar[8];                     /* state, from here */
    uint32_t tsd[4], tsad[4], rbstart, tcr, rcr, config;        /* config: CR9346, CONFIG0 to 2 */
    uint16_t capr, cbr, imr, isr;
    uint8_t cr, tx;                             /* tx: the descriptor whose turn it is */
    uint32_t config34;
    int64_t tctr;                               /* guest time at which TCTR was 0 */
    struct mii mii;
    struct nm93c46 eeprom;
};

static struct rtl8139 *rtl_of(struct device *dev) { return container_of(dev, struct rtl8139, dev); }

static void rtl8139_update_irq(struct rtl8139 *r)
{
    pci_intx(&r->pci, r->isr & r->imr);
}

/* --- receiving ------------------------------------------------------------------------------------------------- */

static uint32_t ring_size(const struct rtl8139 *r) { return 8192u << (r->rcr >> 11 & 3); }

static uint32_t ring_used(const struct rtl8139 *r)
{
    return (uint32_t)(r->cbr - (uint16_t)(r->capr + CAPR_LAG)) & (ring_size(r) - 1);
}

static bool rtl_ready(void *chip)
{
    struct rtl8139 *r = chip;
    if (!(r->cr & RE) || ring_size(r) - ring_used(r) > NET_FRAME_TAGGED + 4 + RX_HEADER + 4)
        return true;
    if (!(r->isr & ROK)) {
        r->isr |= ROK;
        rtl8139_update_irq(r);
    }
    return false;
}

static uint32_t filter(const struct rtl8139 *r, const uint8_t *frame)
{
    if (frame[0] == 0xff && !memcmp(frame, frame + 1, 5))
        return r->rcr & (AB | AAP) ? RX_BAR : 0;
    if (frame[0] & 1) {
        unsigned bit = net_crc_forward(frame, 6) >> 26;
        return (r->rcr & AM && r->mar[bit / 8] >> bit % 8 & 1) || r->rcr & AAP ? RX_MAR : 0;
    }
    if (!memcmp(frame, r->idr, 6))
        return r->rcr & (APM | AAP) ? RX_PAM : 0;
    return r->rcr & AAP ? RX_ROK : 0;
}

/* With WRAP a frame goes on beyond the ring's end, where the driver has left room; else it goes on at its start. */
static void ring_put(struct rtl8139 *r, uint32_t at, const void *bytes, uint32_t length)
{
    uint32_t size = ring_size(r), first = at >= size ? 0 : size - at;
    if (r->rcr & WRAP || first >= length) {
        pci_dma_out(&r->pci, r->rbstart + at, bytes, length);
        return;
    }
    pci_dma_out(&r->pci, r->rbstart + at, bytes, first);
    pci_dma_out(&r->pci, r->rbstart, (const uint8_t *)bytes + first, length - first);
}

static void take(struct rtl8139 *r, const uint8_t *frame, size_t length)
{
    uint8_t bytes[RX_HEADER + NET_FRAME_TAGGED + 4];
    uint32_t match = r->cr & RE ? filter(r, frame) : 0, total = (uint32_t)length + 4;
    if (!match || !rtl_ready(r))
        return;
    le32_put(bytes, RX_ROK | match | total << 16);
    memcpy(bytes + RX_HEADER, frame, length);
    le32_put(bytes + RX_HEADER + length, net_crc(frame, length));
    ring_put(r, r->cbr & (ring_size(r) - 1), bytes, total + RX_HEADER);
    r->cbr = (uint16_t)(align_up(r->cbr + total + RX_HEADER, 4) & (ring_size(r) - 1));
    r->isr |= ROK;
}

static void rtl_receive(void *chip, const uint8_t *frame, size_t length)
{
    struct rtl8139 *r = chip;
    if ((r->tcr & TCR_LOOPBACK) == TCR_LOOPBACK)
        return;
    take(r, frame, length);
    rtl8139_update_irq(r);
}

/* --- sending --------------------------------------------------------------------------------------------------- */

/* In turn: a descriptor that was filled before its turn waits for it. */
static void transmit(struct rtl8139 *r)
{
    uint8_t frame[NET_FRAME_TAGGED] = { 0 };
    for (unsigned done = 0; done < 4 && r->cr & TE && !(r->tsd[r->tx] & TSD_OWN); done++) {
        uint32_t *tsd = &r->tsd[r->tx], length = *tsd & TSD_SIZE;
        if (length <= sizeof(frame))
            pci_dma_in(&r->pci, frame, r->tsad[r->tx], length);
        *tsd |= TSD_OWN | TSD_TOK;
        r->tx = (r->tx + 1) & 3;
        r->isr |= TOK;
        if (length > sizeof(frame) || length < NET_HEADER)
            continue;
        if ((r->tcr & TCR_LOOPBACK) == TCR_LOOPBACK)
            take(r, frame, MAX(length, (uint32_t)NET_FRAME_MIN));
        else
            net_send(&r->port, frame, length);
    }
}

/* --- registers ------------------------------------------------------------------------------------------------- */

static void soft_reset(struct rtl8139 *r)
{
    memset(r->tsad, 0, sizeof(r->tsad));
    for (unsigned n = 0; n < 4; n++)
        r->tsd[n] = TSD_OWN;
    r->rbstart = r->rcr = r->cbr = r->imr = r->isr = r->cr = r->tx = 0;
    r->capr = (uint16_t)-CAPR_LAG;
    r->tcr = 0x03000000;
    r->tctr = clock_now(&r->dev.machine->clock);
}

/* TSAD: the four descriptors' bits at one look. */
static uint16_t tsad_read(const struct rtl8139 *r)
{
    uint16_t value = 0;
    for (unsigned n = 0; n < 4; n++)
        value |= (uint16_t)((r->tsd[n] & TSD_OWN ? 1 : 0) << n | (r->tsd[n] & TSD_TOK ? 0x1000 : 0) << n);
    return value;
}

static uint32_t register_read(struct rtl8139 *r, unsigned at)
{
    bool link = net_link(&r->port);
    switch (at) {
    case IDR0: case IDR4: return le32_get(r->idr + at);
    case MAR0: case MAR4: return le32_get(r->mar + (at - MAR0));
    case TSD0: case TSD0 + 4: case TSD0 + 8: case TSD0 + 12: return r->tsd[(at - TSD0) / 4];
    case TSAD0: case TSAD0 + 4: case TSAD0 + 8: case TSAD0 + 12: return r->tsad[(at - TSAD0) / 4];
    case RBSTART: return r->rbstart;
    case ER: return (uint32_t)(r->cr | (ring_used(r) ? 0 : BUFE)) << 24;
    case CAPR: return r->capr | (uint32_t)r->cbr << 16;
    case IMR: return r->imr | (uint32_t)r->isr << 16;
    case TCR: return r->tcr | TCR_VERSION;
    case RCR: return r->rcr;
    case TCTR: return (uint32_t)muldiv(clock_now(&r->dev.machine->clock) - r->tctr, 33, 1000);
    case CR9346: return r->config | (r->eeprom.out && (r->config & 0xc0) >> 6 == EEM_PROGRAM ? 1 : 0);
    case MSR: return (r->config34 & 0xffffff00) | (link ? 0 : LINKB);
    case TSAD: return tsad_read(r) | (uint32_t)mii_read(&r->mii, BMCR, link) << 16;
    case BMSR_ANAR: return mii_read(&r->mii, BMSR, link) | (uint32_t)mii_read(&r->mii, ANAR, link) << 16;
    case ANLPAR_ANER: return mii_read(&r->mii, ANLPAR, link) | (uint32_t)mii_read(&r->mii, ANER, link) << 16;
    default: return 0;
    }
}

static void command_write(struct rtl8139 *r, uint8_t value)
{
    if (value & RST) {
        soft_reset(r);
        return;
    }
    if (value & RE && !(r->cr & RE))
        r->cbr = 0;
    r->cr = value & (RE | TE);
    if (!(r->cr & TE))
        r->tx = 0;
    transmit(r);
}

/* CR9346: mode, and in the programming mode the EEPROM's pins. CONFIG1 and more can be written in the mode for it alone. */
static void config_write(struct rtl8139 *r, uint32_t value, uint32_t mask)
{
    if ((r->config & 0xc0) >> 6 == EEM_CONFIG) {
        uint32_t writable = mask & 0x00ff0000;
        r->config = (r->config & ~writable) | (value & writable);
    }
    if (!(mask & 0xff))
        return;
    r->config = (r->config & ~0xffu) | (value & 0xce);
    if ((value & 0xc0) >> 6 == EEM_PROGRAM)
        nm93c46_pins(&r->eeprom, value & 8, value & 4, value & 2);
    else if (!(value & 0xc0))
        nm93c46_pins(&r->eeprom, false, false, false);
}

/* mask: the bytes that the access names. */
static void register_write(struct rtl8139 *r, unsigned at, uint32_t value, uint32_t mask)
{
    uint32_t merged = (register_read(r, at) & ~mask) | (value & mask);
    switch (at) {
    case IDR0: case IDR4:
        if ((r->config & 0xc0) >> 6 == EEM_CONFIG)
            le32_put(r->idr + at, merged);
        break;
    case MAR0: case MAR4: le32_put(r->mar + (at - MAR0), merged); break;
    case TSD0: case TSD0 + 4: case TSD0 + 8: case TSD0 + 12:
        r->tsd[(at - TSD0) / 4] = (merged & TSD_KEPT) | (merged & TSD_OWN);
        transmit(r);
        break;
    case TSAD0: case TSAD0 + 4: case TSAD0 + 8: case TSAD0 + 12: r->tsad[(at - TSAD0) / 4] = merged; break;
    case RBSTART: r->rbstart = merged; break;
    case ER:
        if (mask & 0xff000000)
            command_write(r, (uint8_t)(value >> 24));
        break;
    case CAPR: r->capr = (uint16_t)merged; break;
    case IMR:
        r->imr = (uint16_t)(merged & ISR_BITS);
        r->isr &= (uint16_t)~((value & mask) >> 16);
        break;
    case TCR: r->tcr = merged & TCR_WRITABLE; break;
    case RCR: r->rcr = merged & 0x0f02ffbf; break;
    case TCTR: r->tctr = clock_now(&r->dev.machine->clock); break;
    case CR9346: config_write(r, value, mask); break;
    case MSR:
        if ((r->config & 0xc0) >> 6 == EEM_CONFIG)
            r->config34 = merged & 0x00ffff00;
        break;
    case TSAD:
        if (mask >> 16)
            mii_write(&r->mii, BMCR, (uint16_t)(merged >> 16));
        break;
    case BMSR_ANAR:
        if (mask >> 16)
            mii_write(&r->mii, ANAR, (uint16_t)(merged >> 16));
        break;
    }
}

static uint64_t rtl_read(void *chip, uint64_t offset, unsigned size)
{
    unsigned shift = 8 * (offset & 3);
    uint64_t value = register_read(chip, (unsigned)offset & ~3u);
    if ((offset & 3) + size > 4)
        value |= (uint64_t)register_read(chip, ((unsigned)offset & ~3u) + 4) << 32;
    return value >> shift & UINT32_MAX >> (32 - 8 * size);
}

static void rtl_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtl8139 *r = chip;
    unsigned at = (unsigned)offset & ~3u, shift = 8 * (offset & 3);
    uint64_t mask = (uint64_t)(UINT32_MAX >> (32 - 8 * size)) << shift;
    value <<= shift;
    register_write(r, at, (uint32_t)value, (uint32_t)mask);
    if (mask >> 32)
        register_write(r, at + 4, (uint32_t)(value >> 32), (uint32_t)(mask >> 32));
    rtl8139_update_irq(r);
    net_poll(&r->port);
}

static const struct io_ops rtl_io = { rtl_read, rtl_write, IO_8 | IO_16 | IO_32 };

/* --- class ----------------------------------------------------------------------------------------------------- */

static bool rtl_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { .vendor = 0x10ec, .device = 0x8139, .class_code = 0x020000, .revision = 0x10,
        .subvendor = 0x10ec, .subsystem = 0x8139, .pin = 1, .status = 0x0280 };
    struct rtl8139 *r = rtl_of(dev);
    uint8_t mac[6];
    if (!net_mac_parse(r->mac, mac, dev->id, err) || !pci_function_init(&r->pci, dev, &identity, r->slot, 0, err))
        return false;
    static const uint16_t head[] = { 0x8129, 0x10ec, 0x8139, 0x10ec, 0x8139, 0x4020, 0xe512 };
    memcpy(r->rom, head, sizeof(head));
    memcpy(r->rom + 7, mac, 6);
    r->eeprom.words = r->rom;
    r->port = (struct net_port){ .chip = r, .ready = rtl_ready, .receive = rtl_receive };
    pci_bar_init(&r->pci, 0, PCI_BAR_IO, REGISTERS, space_map_io(dev->machine->ports, 0xc100, REGISTERS, &rtl_io, r, 0));
    pci_bar_init(&r->pci, 1, PCI_BAR_MEMORY, REGISTERS, space_map_io(dev->machine->memory, 0xf2000000, REGISTERS, &rtl_io, r, 1));
    return pci_rom_load(&r->pci, r->romfile, err);
}

static void rtl_reset(struct device *dev, enum reset_kind kind)
{
    struct rtl8139 *r = rtl_of(dev);
    (void)kind;
    soft_reset(r);
    memset(r->idr, 0, sizeof(r->idr));
    memcpy(r->idr, r->rom + 7, 6);              /* loaded from the EEPROM */
    memset(r->mar, 0, sizeof(r->mar));
    r->config = 0x000c1000;                     /* CONFIG1: I/O and memory mapped; CONFIG0: nothing */
    r->config34 = 0;
    r->eeprom = (struct nm93c46){ .words = r->rom, .out = true };
    mii_reset(&r->mii);
    rtl8139_update_irq(r);
}

static bool rtl_restored(struct device *dev)
{
    struct rtl8139 *r = rtl_of(dev);
    r->tx &= 3;
    return true;
}

static const struct state_field rtl_state[] = {
    PCI_STATE(struct rtl8139, pci), FIELD_ARRAY(struct rtl8139, idr), FIELD_ARRAY(struct rtl8139, mar), FIELD_ARRAY(struct rtl8139, tsd),
    FIELD_ARRAY(struct rtl8139, tsad), FIELD(struct rtl8139, rbstart), FIELD(struct rtl8139, tcr), FIELD(struct rtl8139, rcr),
    FIELD(struct rtl8139, config), FIELD(struct rtl8139, capr), FIELD(struct rtl8139, cbr), FIELD(struct rtl8139, imr),
    FIELD(struct rtl8139, isr), FIELD(struct rtl8139, cr), FIELD(struct rtl8139, tx), FIELD(struct rtl8139, config34),
    FIELD(struct rtl8139, tctr), MII_STATE(struct rtl8139, mii), NM93C46_STATE(struct rtl8139, eeprom), END
};
static const struct property rtl_properties[] = {
    PROPERTY(struct rtl8139, slot, "3", "PCI slot"), PROPERTY(struct rtl8139, mac, "02:48:4f:00:00:04", "hardware address"),
    PROPERTY(struct rtl8139, romfile, "", "file of an option ROM, for booting from the network; empty: none"), END
};
static const struct pin rtl_outputs[] = { PCI_INTX(struct rtl8139, pci), END };
const struct device_class rtl8139_class = {
    .name = "rtl8139", .summary = "Realtek RTL8139C Fast Ethernet", .size = sizeof(struct rtl8139),
    .properties = rtl_properties, .outputs = rtl_outputs, .state = rtl_state, .state_version = 1,
    .init = rtl_init, .reset = rtl_reset, .restored = rtl_restored, .net = offsetof(struct rtl8139, port),
};
