/* Intel 82540EM (PRO/1000 MT); as variant 543 the 82543GC (PRO/1000 T). Read [8254X] chapters 3 (packets) and 13 (registers).
 *
 * In a PC: PCI, 8086:100E or 8086:1004; BAR 0 places 128 KB of registers in memory. Output: INTA#. Two rings of 16-byte descriptors, between head (the chip's) and tail (the driver's). Transmitted frames may
 * have checksums put in, and one may be cut into many (TCP segmentation), as a context descriptor before them says; those of received
 * frames are checked. Interrupts come at most as often as ITR says.
 *
 * References: [8254X]; [93C46]; [802.3]
 * Not modelled: the time on the wire, overflow (frames wait in the cable instead), VLAN tags put in, taken out and filtered, flow control,
 * the delays TIDV, TADV, RDTR and RADV, statistics (they read 0), wake-up, the packet checksum of frames whose TCP or UDP checksum
 * is checked, loopback, flash, the two ports to the registers. */
#include "devices/mii.h"
#include "devices/nm93c46.h"
#include "devices/pci.h"
#include "net/net.h"

enum { CTRL = 0x0000, CTRL_DUP = 0x0004, STATUS = 0x0008, EECD = 0x0010, EERD = 0x0014, MDIC = 0x0020, ICR = 0x00c0, ITR = 0x00c4, ICS = 0x00c8,
       IMS = 0x00d0, IMC = 0x00d8, RCTL = 0x0100, TCTL = 0x0400, RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818,
       TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, RXCSUM = 0x5000, MTA = 0x5200, RA = 0x5400,
       REGISTERS = 0x20000 };
enum { CTRL_SLU = 1 << 6, CTRL_MDIO = 1 << 20, CTRL_MDC = 1 << 21, CTRL_RST = 1 << 26, CTRL_PHY_RST = 1u << 31,
       STATUS_UP = 0x83 /* full duplex, link, 1000 Mbit/s */, EECD_PINS = 7, EECD_DO = 1 << 3, EECD_REQ = 1 << 6, EECD_GNT = 1 << 7,
       EECD_PRESENT = 1 << 8, EERD_START = 1, EERD_DONE = 1 << 4, MDIC_READY = 1 << 28, MDIC_ERROR = 1 << 30 };
enum { TXDW = 1 << 0, TXQE = 1 << 1, RXDMT0 = 1 << 4, RXT0 = 1 << 7, ICR_BITS = 0x1ffff };
enum { RCTL_EN = 1 << 1, UPE = 1 << 3, MPE = 1 << 4, BAM = 1 << 15, BSEX = 1 << 25, SECRC = 1 << 26, TCTL_EN = 1 << 1, TCTL_PSP = 1 << 3,
       IPOFL = 1 << 8, TUOFL = 1 << 9 };
/* descriptors: command bits as in the uppermost byte of the third double word */
enum { CMD_EOP = 1 << 0, CMD_IC_TSE = 1 << 2, CMD_RS = 1 << 3, CMD_DEXT = 1 << 5, TUCMD_TCP = 1 << 0, TUCMD_IP = 1 << 1, IXSM = 1 << 0,
       TXSM = 1 << 1 };
enum { RX_DD = 1 << 0, RX_EOP = 1 << 1, RX_IXSM = 1 << 2, RX_TCPCS = 1 << 5, RX_IPCS = 1 << 6, RX_TCPE = 1 << 5, RX_IPE = 1 << 6 };
enum { PHY = 1, GIGABIT_CONTROL = 9, GIGABIT_STATUS, EXTENDED_STATUS = 15, PHY_SPECIFIC = 17, BURST = 256, BURST_NS = 20000, DESCRIPTOR = 16,
       HEADER_MOST = 256, PACKET_MOST = 65536 + HEADER_MOST };

/* Registers that only keep what was written, and what they are after a reset. */
static const struct { uint16_t at; uint32_t reset; } kept[] = {
    { CTRL, 0x00000240 }, { 0x0018, 0 }, { 0x0028, 0 }, { 0x002c, 0 }, { 0x0030, 0 }, { 0x0038, 0x8100 }, { ITR, 0 }, { RCTL, 0 }, { 0x0170, 0 },
    { 0x0178, 0xc000 }, { TCTL, 0 }, { 0x0410, 0x00602006 }, { 0x0458, 0 }, { 0x0e00, 0x07068302 }, { 0x1000, 0x00100030 }, { 0x2160, 0 },
    { 0x2168, 0 }, { RDBAL, 0 }, { RDBAH, 0 }, { RDLEN, 0 }, { RDH, 0 }, { RDT, 0 }, { 0x2820, 0 }, { 0x2828, 0x01010000 }, { 0x282c, 0 },
    { 0x2c00, 0 }, { TDBAL, 0 }, { TDBAH, 0 }, { TDLEN, 0 }, { TDH, 0 }, { TDT, 0 }, { 0x3820, 0 }, { 0x3828, 0 }, { 0x382c, 0 },
    { 0x3830, 0 }, { RXCSUM, TUOFL | IPOFL }, { 0x5800, 0 }, { 0x5808, 0 },
};
enum { KEPT = ARRAY_SIZE(kept) };

struct i82540em {
    struct device dev;
    struct pci_function pci;                    /* state */
    uint8_t slot; uint16_t variant; char *mac, *romfile;        /* properties */
    struct net_port port;
    uint16_t rom[NM93C46_WORDS];
    uint8_t packet[PACKET_MOST];                /* within a transmission only */
    uint32_t reg[KEPT];                         /* state, from here; see `kept` */
    uint32_t icr, ims, mdic, eecd, eerd;
    uint32_t mta[128], ra[32];
    uint32_t context[8];                        /* of plain frames, of segmented ones */
    bool raised; int64_t quiet_until;           /* INTA#; ITR's pause */
    struct timer pause, more;
    struct mii mii; uint16_t gigabit;
    struct mdio mdio;
    struct nm93c46 eeprom;
};
struct buffer { uint64_t address; uint32_t length, words[4]; };

static struct i82540em *em_of(struct device *dev) { return container_of(dev, struct i82540em, dev); }

static uint32_t *reg(struct i82540em *p, unsigned at)
{
    for (unsigned n = 0; n < KEPT; n++)
        if (kept[n].at == at)
            return &p->reg[n];
    return NULL;
}

static void i82540em_update_irq(struct i82540em *p)
{
    struct clock *clock = &p->dev.machine->clock;
    bool wanted = p->icr & p->ims;
    uint32_t pause = *reg(p, ITR) & 0xffff;
    if (wanted && !p->raised && pause) {
        if (p->quiet_until > clock_now(clock)) {
            if (!timer_running(&p->pause))
                timer_at(clock, &p->pause, p->quiet_until);
            return;
        }
        p->quiet_until = clock_now(clock) + pause * 256ll;
    }
    p->raised = wanted;
    pci_intx(&p->pci, wanted);
}

static void pause_over(void *chip) { i82540em_update_irq(chip); }

/* --- checksums ------------------------------------------------------------------------------------------------- */

/* The sum over the pseudo-header of TCP and UDP; 0: neither, or a fragment. Sets where the segment is. */
static bool segment_find(const uint8_t *frame, size_t length, size_t *at, size_t *size, uint32_t *pseudo)
{
    const uint8_t *ip = frame + NET_HEADER;
    size_t header = (ip[0] & 15) * 4u, total = be16_get(ip + 2);
    uint8_t protocol = ip[9];
    if (length < NET_HEADER + 20 || be16_get(frame + 12) != 0x0800 || ip[0] >> 4 != 4 || header < 20 || total < header ||
        NET_HEADER + total > length || be16_get(ip + 6) & 0x3fff || (protocol != 6 && protocol != 17))
        return false;
    *at = NET_HEADER + header;
    *size = total - header;
    *pseudo = net_checksum((uint32_t)protocol + (uint32_t)*size > 0xffff ? 0xffff : (uint32_t)(protocol + *size), ip + 12, 8);
    return true;
}

/* Status bits, and error bits from bit 8 on. */
static unsigned receive_checks(struct i82540em *p, const uint8_t *frame, size_t length)
{
    uint32_t control = *reg(p, RXCSUM), pseudo;
    const uint8_t *ip = frame + NET_HEADER;
    size_t at, size, header = (ip[0] & 15) * 4u;
    unsigned result = 0;
    if (be16_get(frame + 12) != 0x0800 || ip[0] >> 4 != 4 || header < 20 || NET_HEADER + header > length)
        return RX_IXSM;
    if (control & IPOFL)
        result |= RX_IPCS | (net_checksum(0, ip, header) != 0xffff ? RX_IPE << 8 : 0);
    if (!(control & TUOFL) || !segment_find(frame, length, &at, &size, &pseudo))
        return result;
    if (ip[9] == 17 && (size < 8 || !be16_get(frame + at + 6)))
        return result;                          /* UDP without a checksum */
    return result | RX_TCPCS | (net_checksum(pseudo, frame + at, size) != 0xffff ? RX_TCPE << 8 : 0);
}

/* Sums from `start` to `end` (0: all) and stores the complement at `offset` [8254X, 3.3.3]. */
static void insert_checksum(uint8_t *frame, size_t length, size_t start, size_t offset, size_t end)
{
    if (!end || end >= length)
        end = length - 1;
    if (start > end || offset + 2 > length)
        return;
    be16_put(frame + offset, (uint16_t)~net_checksum(0, frame + start, end + 1 - start));
}

/* --- receiving ------------------------------------------------------------------------------------------------- */

static uint32_t ring_count(struct i82540em *p, unsigned length) { return (*reg(p, length) & 0xfff80) / DESCRIPTOR; }
static uint64_t ring_base(struct i82540em *p, unsigned low) { return (*reg(p, low) & ~15u) | (uint64_t)*reg(p, low + 4) << 32; }

static uint32_t buffer_size(struct i82540em *p)
{
    uint32_t control = *reg(p, RCTL), shift = control >> 16 & 3;
    return control & BSEX && shift ? 32768u >> shift : 2048u >> shift;
}

static uint32_t receive_free(struct i82540em *p)
{
    uint32_t count = ring_count(p, RDLEN), head = *reg(p, RDH), tail = *reg(p, RDT);
    return !count || head >= count || tail >= count ? 0 : (tail + count - head) % count;
}

static bool em_ready(void *chip)
{
    struct i82540em *p = chip;
    if (!(*reg(p, RCTL) & RCTL_EN) || receive_free(p) * buffer_size(p) >= NET_FRAME_TAGGED + 4)
        return true;
    if (ring_count(p, RDLEN) && !(p->icr & RXT0)) {
        p->icr |= RXT0;
        i82540em_update_irq(p);
    }
    return false;
}

static bool accepts(struct i82540em *p, const uint8_t *frame)
{
    static const uint8_t shifts[] = { 4, 3, 2, 0 };
    uint32_t control = *reg(p, RCTL);
    if (frame[0] == 0xff && !memcmp(frame, frame + 1, 5) && control & BAM)
        return true;
    if (control & (frame[0] & 1 ? MPE : UPE))
        return true;
    for (unsigned n = 0; n < 32; n += 2)
        if (p->ra[n + 1] >> 31 && le32_get(frame) == p->ra[n] && le16_get(frame + 4) == (p->ra[n + 1] & 0xffff))
            return true;
    unsigned hash = le16_get(frame + 4) >> shifts[control >> 12 & 3] & 0xfff;
    return frame[0] & 1 && p->mta[hash >> 5] >> (hash & 31) & 1;
}

static void em_receive(void *chip, const uint8_t *frame, size_t length)
{
    struct i82540em *p = chip;
    uint8_t bytes[NET_FRAME_TAGGED + 4], d[DESCRIPTOR];
    uint32_t count = ring_count(p, RDLEN), size = buffer_size(p), total = (uint32_t)length, done = 0, *head = reg(p, RDH);
    if (!(*reg(p, RCTL) & RCTL_EN) || !accepts(p, frame) || !em_ready(p))
        return;
    memcpy(bytes, frame, length);
    if (!(*reg(p, RCTL) & SECRC)) {
        le32_put(bytes + length, net_crc(frame, length));
        total += 4;
    }
    unsigned checks = receive_checks(p, frame, length);
    while (done < total) {
        uint64_t at = ring_base(p, RDBAL) + (uint64_t)*head * DESCRIPTOR;
        uint32_t n = MIN(total - done, size);
        if (!pci_dma_in(&p->pci, d, at, DESCRIPTOR))
            memset(d, 0, sizeof(d));
        pci_dma_out(&p->pci, le64_get(d), bytes + done, n);
        done += n;
        le16_put(d + 8, (uint16_t)n);
        le16_put(d + 10, *reg(p, RXCSUM) & TUOFL ? 0 : (uint16_t)~net_checksum(0, bytes, length));
        d[12] = (uint8_t)(RX_DD | (done == total ? RX_EOP | (checks & 0xff) : 0));
        d[13] = (uint8_t)(checks >> 8);
        le16_put(d + 14, 0);
        pci_dma_out(&p->pci, at + 8, d + 8, 8);
        *head = *head + 1 == count ? 0 : *head + 1;
    }
    p->icr |= RXT0 | (receive_free(p) <= count >> (1 + (*reg(p, RCTL) >> 8 & 3)) ? RXDMT0 : 0);
    i82540em_update_irq(p);
}

/* --- sending --------------------------------------------------------------------------------------------------- */

static void frame_out(struct i82540em *p, uint8_t *frame, size_t length)
{
    if (length < NET_FRAME_MIN && *reg(p, TCTL) & TCTL_PSP) {
        memset(frame + length, 0, NET_FRAME_MIN - length);
        length = NET_FRAME_MIN;
    }
    net_send(&p->port, frame, length);
}

/* The checksums that the data descriptors ask for, at the places that the context names. */
static void checksums_out(uint8_t *frame, size_t length, const uint32_t *context, unsigned options)
{
    if (options & IXSM)
        insert_checksum(frame, length, context[0] & 0xff, context[0] >> 8 & 0xff, context[0] >> 16);
    if (options & TXSM)
        insert_checksum(frame, length, context[1] & 0xff, context[1] >> 8 & 0xff, context[1] >> 16);
}

/* A packet of many segments: each gets the header, with lengths, number and sequence as its own [8254X, 3.5]. */
static void segments_out(struct i82540em *p, size_t length, unsigned options)
{
    uint8_t frame[NET_FRAME_TAGGED];
    const uint32_t *c = p->context + 4;
    uint32_t header = c[3] >> 8 & 0xff, most = c[3] >> 16, ip = c[0] & 0xff, tcp = c[1] & 0xff;
    bool is_tcp = c[2] >> 24 & TUCMD_TCP, v4 = c[2] >> 24 & TUCMD_IP;
    if (header < NET_HEADER || header > length || !most || header + most > sizeof(frame) || ip + 20 > header || tcp + 8 > header ||
        (is_tcp && tcp + 20 > header))
        return;
    uint16_t number = be16_get(p->packet + ip + 4);
    uint32_t sequence = is_tcp ? be32_get(p->packet + tcp + 4) : 0;
    for (size_t done = 0, n; done < length - header; done += n, number++) {
        n = MIN(length - header - done, (size_t)most);
        memcpy(frame, p->packet, header);
        memcpy(frame + header, p->packet + header + done, n);
        be16_put(frame + ip + (v4 ? 2 : 4), (uint16_t)(header + n - ip - (v4 ? 0 : 40)));
        if (v4)
            be16_put(frame + ip + 4, number);
        if (is_tcp) {
            be32_put(frame + tcp + 4, (uint32_t)(sequence + done));
            if (done + n < length - header)
                frame[tcp + 13] &= (uint8_t)~0x09;      /* FIN and PSH belong to the last */
        } else {
            be16_put(frame + tcp + 4, (uint16_t)(header + n - tcp));
        }
        /* the driver's sum has the pseudo-header without the length */
        uint32_t sum_at = c[1] >> 8 & 0xff, sum = sum_at + 2 <= header ? be16_get(frame + sum_at) + header + (uint32_t)n - tcp : 0;
        if (options & TXSM && sum_at + 2 <= header)
            be16_put(frame + sum_at, (uint16_t)((sum & 0xffff) + (sum >> 16)));
        checksums_out(frame, header + n, c, options);
        frame_out(p, frame, header + n);
    }
}

static void packet_out(struct i82540em *p, size_t length, const struct buffer *last, unsigned options)
{
    unsigned command = last->words[2] >> 24;
    if (!(command & CMD_DEXT)) {
        if (command & CMD_IC_TSE && length <= NET_FRAME_TAGGED)
            insert_checksum(p->packet, length, last->words[3] >> 8 & 0xff, last->words[2] >> 16 & 0xff, 0);
    } else if (command & CMD_IC_TSE) {
        segments_out(p, length, options);
        return;
    } else if (length <= NET_FRAME_TAGGED) {
        checksums_out(p->packet, length, p->context, options);
    }
    frame_out(p, p->packet, length);
}

static void written_back(struct i82540em *p, uint64_t at, const struct buffer *d)
{
    uint8_t bytes[4];
    if (!(d->words[2] >> 24 & CMD_RS))
        return;
    le32_put(bytes, d->words[3] | RX_DD);
    pci_dma_out(&p->pci, at + 12, bytes, 4);
    p->icr |= TXDW;
}

static bool descriptor_read(struct i82540em *p, uint64_t at, struct buffer *d)
{
    uint8_t bytes[DESCRIPTOR];
    if (!pci_dma_in(&p->pci, bytes, at, sizeof(bytes)))
        return false;
    for (unsigned n = 0; n < 4; n++)
        d->words[n] = le32_get(bytes + 4 * n);
    d->address = le64_get(bytes);
    d->length = d->words[2] & (d->words[2] >> 24 & CMD_DEXT ? 0xfffff : 0xffff);
    return true;
}

/* Whole packets between head and tail; one whose end is not there yet is looked at again when the tail moves. At most BURST descriptors
 * at a time, the rest follows by a timer. */
static void transmit(struct i82540em *p)
{
    uint32_t count = ring_count(p, TDLEN), *head = reg(p, TDH), tail = *reg(p, TDT), at = *head, packet = at, done = 0;
    unsigned options = 0;
    size_t length = 0;
    bool first = true;
    struct buffer d;
    if (!(*reg(p, TCTL) & TCTL_EN) || !count || at >= count || tail >= count)
        return;
    for (; at != tail && (done < BURST || !first) && done < count; done++) {
        uint64_t address = ring_base(p, TDBAL) + (uint64_t)at * DESCRIPTOR;
        if (!descriptor_read(p, address, &d))
            break;
        at = at + 1 == count ? 0 : at + 1;
        unsigned command = d.words[2] >> 24;
        if (command & CMD_DEXT && !(d.words[2] >> 20 & 15)) {
            memcpy(p->context + (command & CMD_IC_TSE ? 4 : 0), d.words, sizeof(d.words));
            written_back(p, address, &d);
            packet = first ? at : packet;
            *head = first ? at : *head;
            continue;
        }
        if (first && command & CMD_DEXT)
            options = d.words[3] >> 8 & 0xff;
        size_t n = MIN(d.length, sizeof(p->packet) - length);
        if (n)
            pci_dma_in(&p->pci, p->packet + length, d.address, n);
        length += n;
        first = false;
        if (!(command & CMD_EOP))
            continue;
        packet_out(p, length, &d, options);
        for (; packet != at; packet = packet + 1 == count ? 0 : packet + 1) {
            struct buffer part;
            if (descriptor_read(p, ring_base(p, TDBAL) + (uint64_t)packet * DESCRIPTOR, &part))
                written_back(p, ring_base(p, TDBAL) + (uint64_t)packet * DESCRIPTOR, &part);
        }
        *head = at;
        length = options = 0;
        first = true;
    }
    if (*head == tail)
        p->icr |= TXQE;
    else if (first)
        timer_at(&p->dev.machine->clock, &p->more, clock_now(&p->dev.machine->clock) + BURST_NS);
}

static void transmit_more(void *chip)
{
    transmit(chip);
    i82540em_update_irq(chip);
}

/* --- registers ------------------------------------------------------------------------------------------------- */

static uint16_t phy_read(struct i82540em *p, unsigned at)
{
    bool link = net_link(&p->port);
    switch (at) {
    case BMSR: return mii_read(&p->mii, at, link) | 0x0100;
    case GIGABIT_CONTROL: return p->gigabit;
    case GIGABIT_STATUS: return link ? 0x3c00 : 0;
    case EXTENDED_STATUS: return 0x3000;
    case PHY_SPECIFIC: return link ? 0xac00 : 0;
    default: return mii_read(&p->mii, at, link);
    }
}

static void phy_write(struct i82540em *p, unsigned at, uint16_t value)
{
    if (at == GIGABIT_CONTROL)
        p->gigabit = value;
    else
        mii_write(&p->mii, at, value);
}

static void mdic_write(struct i82540em *p, uint32_t value)
{
    unsigned at = value >> 16 & 31, op = value >> 26 & 3;
    p->mdic = (value & ~MDIC_ERROR) | MDIC_READY;
    if ((value >> 21 & 31) != PHY || (op != 1 && op != 2))
        p->mdic |= MDIC_ERROR;
    else if (op == 1)
        phy_write(p, at, (uint16_t)value);
    else
        p->mdic = (p->mdic & 0xffff0000) | phy_read(p, at);
}

/* The 82543's driver moves the transceiver's two wires itself, by pins of CTRL. */
static void mdio_write(struct i82540em *p, uint32_t value)
{
    unsigned phy, at;
    enum mdio_event event = mdio_pins(&p->mdio, value & CTRL_MDC, value & CTRL_MDIO, &phy, &at);
    if (event == MDIO_READ)
        p->mdio.data = phy == PHY ? phy_read(p, at) : 0xffff;
    else if (event == MDIO_WRITE && phy == PHY)
        phy_write(p, at, p->mdio.data);
}

static void chip_reset(struct i82540em *p)
{
    for (unsigned n = 0; n < KEPT; n++)
        p->reg[n] = kept[n].reset;
    p->icr = p->ims = p->mdic = p->eerd = p->eecd = 0;
    memset(p->mta, 0, sizeof(p->mta));
    memset(p->ra, 0, sizeof(p->ra));
    memset(p->context, 0, sizeof(p->context));
    p->ra[0] = le32_get(p->rom);                /* the address is loaded from the EEPROM */
    p->ra[1] = p->rom[2] | 1u << 31;
    p->eeprom = (struct nm93c46){ .words = p->rom, .out = true };
    p->mdio = (struct mdio){ .out = true };
    p->quiet_until = 0;
    timer_stop(&p->dev.machine->clock, &p->pause);
    timer_stop(&p->dev.machine->clock, &p->more);
}

static void ctrl_write(struct i82540em *p, uint32_t value)
{
    if (value & CTRL_RST) {
        chip_reset(p);
        return;
    }
    if (value & CTRL_PHY_RST)
        mii_reset(&p->mii);
    if (p->variant == 543)
        mdio_write(p, value);
    *reg(p, CTRL) = value & ~(uint32_t)CTRL_PHY_RST;
}

static uint32_t register_read(struct i82540em *p, unsigned at)
{
    uint32_t value;
    if (at >= MTA && at < MTA + 0x200)
        return p->mta[(at - MTA) / 4];
    if (at >= RA && at < RA + 0x80)
        return p->ra[(at - RA) / 4];
    switch (at) {
    case CTRL: case CTRL_DUP:
        value = *reg(p, CTRL);
        return p->variant == 543 ? (value & ~(uint32_t)CTRL_MDIO) | (p->mdio.out ? CTRL_MDIO : 0) : value;
    case STATUS: return net_link(&p->port) ? STATUS_UP : 0x81;
    case EECD: return p->eecd | (p->eeprom.out ? EECD_DO : 0) | (p->eecd & EECD_REQ ? EECD_GNT : 0) | EECD_PRESENT;
    case EERD: return p->eerd;
    case MDIC: return p->mdic;
    case ICR:
        value = p->icr;
        p->icr = 0;                             /* [8254X, 13.4.17] */
        return value;
    case ICS: return 0;
    case IMS: return p->ims;
    default: return reg(p, at) ? *reg(p, at) : 0;
    }
}

static void register_write(struct i82540em *p, unsigned at, uint32_t value)
{
    if (at >= MTA && at < MTA + 0x200)
        p->mta[(at - MTA) / 4] = value;
    else if (at >= RA && at < RA + 0x80)
        p->ra[(at - RA) / 4] = value;
    else switch (at) {
    case CTRL: case CTRL_DUP: ctrl_write(p, value); break;
    case EECD:
        p->eecd = value & (EECD_PINS | EECD_REQ);
        nm93c46_pins(&p->eeprom, value & 2, value & 1, value & 4);
        break;
    case EERD:
        if (value & EERD_START)
            p->eerd = (value & 0xff00) | EERD_DONE | (uint32_t)p->rom[value >> 8 & 63] << 16;
        break;
    case MDIC: mdic_write(p, value); break;
    case ICR: p->icr &= ~value; break;
    case ICS: p->icr |= value & ICR_BITS; break;
    case IMS: p->ims |= value & ICR_BITS; break;
    case IMC: p->ims &= ~value; break;
    case RDH: case RDT: case TDH: *reg(p, at) = value & 0xffff; break;
    case TDT: *reg(p, at) = value & 0xffff; transmit(p); break;
    case TCTL: *reg(p, at) = value; transmit(p); break;
    default:
        if (reg(p, at))
            *reg(p, at) = value;
    }
}

static uint64_t em_read(void *chip, uint64_t offset, unsigned size)
{
    struct i82540em *p = chip;
    (void)size;
    uint32_t value = register_read(p, (unsigned)offset & ~3u);
    i82540em_update_irq(p);
    return value;
}

static void em_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct i82540em *p = chip;
    (void)size;
    register_write(p, (unsigned)offset & ~3u, (uint32_t)value);
    i82540em_update_irq(p);
    net_poll(&p->port);
}

static const struct io_ops em_io = { em_read, em_write, IO_32 };

/* --- class ----------------------------------------------------------------------------------------------------- */

static void rom_fill(struct i82540em *p, uint16_t device)
{
    const uint16_t words[] = { 0x0000, 0xffff, 0, 0, 0, 0, 0, 0x640a, 0x001e, 0x8086, device, 0x8086, 0x3040 };
    uint16_t sum = 0;
    memset(p->rom + 3, 0xff, sizeof(p->rom) - 6);
    memcpy(p->rom + 3, words, sizeof(words));
    for (unsigned n = 0; n < NM93C46_WORDS - 1; n++)
        sum = (uint16_t)(sum + p->rom[n]);
    p->rom[NM93C46_WORDS - 1] = (uint16_t)(0xbaba - sum);
}

static bool em_init(struct device *dev, struct error *err)
{
    struct i82540em *p = em_of(dev);
    struct pci_identity identity = { .vendor = 0x8086, .device = 0x100e, .class_code = 0x020000, .revision = 2, .subvendor = 0x8086,
                                     .subsystem = 0x001e, .pin = 1, .status = 0x0220 };
    if (p->variant != 540 && p->variant != 543)
        return error_set(err, 1, "%s: variant is 540 (82540EM) or 543 (82543GC)", dev->id);
    p->mii.id = 0x01410c20;                     /* the 82540's own transceiver */
    if (p->variant == 543) {
        identity.device = identity.subsystem = 0x1004;
        p->mii.id = 0x01410c50;                 /* an 88E1000 beside it */
    }
    if (!net_mac_parse(p->mac, (uint8_t *)p->rom, dev->id, err) || !pci_function_init(&p->pci, dev, &identity, p->slot, 0, err))
        return false;
    rom_fill(p, identity.device);
    p->port = (struct net_port){ .chip = p, .ready = em_ready, .receive = em_receive };
    timer_init(&p->pause, pause_over, p);
    timer_init(&p->more, transmit_more, p);
    pci_bar_init(&p->pci, 0, PCI_BAR_MEMORY, REGISTERS, space_map_io(dev->machine->memory, 0xf2000000, REGISTERS, &em_io, p, 1));
    return pci_rom_load(&p->pci, p->romfile, err);
}

static void em_reset(struct device *dev, enum reset_kind kind)
{
    struct i82540em *p = em_of(dev);
    (void)kind;
    p->gigabit = 0x0300;
    mii_reset(&p->mii);
    chip_reset(p);
    i82540em_update_irq(p);
}

static const struct state_field em_state[] = {
    PCI_STATE(struct i82540em, pci), FIELD_ARRAY(struct i82540em, reg), FIELD(struct i82540em, icr), FIELD(struct i82540em, ims),
    FIELD(struct i82540em, mdic), FIELD(struct i82540em, eecd), FIELD(struct i82540em, eerd),
    FIELD_ARRAY(struct i82540em, mta), FIELD_ARRAY(struct i82540em, ra),
    FIELD_ARRAY(struct i82540em, context), FIELD(struct i82540em, raised), FIELD(struct i82540em, quiet_until),
    FIELD(struct i82540em, pause), FIELD(struct i82540em, more), MII_STATE(struct i82540em, mii), FIELD(struct i82540em, gigabit),
    MDIO_STATE(struct i82540em, mdio), NM93C46_STATE(struct i82540em, eeprom), END
};
static const struct property em_properties[] = {
    PROPERTY(struct i82540em, slot, "3", "PCI slot"),
    PROPERTY(struct i82540em, variant, "540", "540: 82540EM; 543: 82543GC"),
    PROPERTY(struct i82540em, mac, "02:48:4f:00:00:05", "hardware address"),
    PROPERTY(struct i82540em, romfile, "", "file of an option ROM, for booting from the network; empty: none"), END
};
static const struct pin em_outputs[] = { PCI_INTX(struct i82540em, pci), END };
const struct device_class i82540em_class = {
    .name = "i82540em", .summary = "Intel 82540EM and 82543GC Gigabit Ethernet", .size = sizeof(struct i82540em),
    .properties = em_properties, .outputs = em_outputs, .state = em_state, .state_version = 1,
    .init = em_init, .reset = em_reset, .net = offsetof(struct i82540em, port),
};
