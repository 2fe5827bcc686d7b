/* AMD Am79C970A, PCnet-PCI II; as variant 973 the Am79C973, PCnet-FAST III. Read "Software Access" and "Buffer Management".
 *
 * In a PC: PCI, 1022:2000; BAR 0 places 32 ports, BAR 1 the same in memory: the address PROM in the lower half, then RDP (data of the
 * register that RAP names: CSR), RAP, RESET, BDP (data of a BCR), 16 bits apart after a reset, 32 bits after a first double word to
 * RDP (DWIO). Output: INTA#. An initialization block in memory gives mode, address, filter and two rings of descriptors; bit OWN says
 * whose a descriptor is. Frames go out at once, on TDMD or when the chip polls.
 *
 * The 973 adds a 100 Mbit/s transceiver, PHY 30 behind BCR 33 and 34.
 *
 * References: [AM79C970A], [AM79C973]; [802.3]
 * Not modelled: the time on the wire, collisions, MISS (frames wait in the cable instead), the serial EEPROM, magic packets, LEDs but
 * for link, jabber, boundary scan, expansion ROM. The transmit poll's interval stretches from 1.6 to 25.6 ms while nothing happens. */
#include "devices/mii.h"
#include "devices/pci.h"
#include "net/net.h"

enum { PORT_RDP = 0x10, PORTS = 32, CSRS = 128, BCRS = 40 };
enum { CSR_0, CSR_1, CSR_2, CSR_3, CSR_4, CSR_5, CSR_6, LADRF = 8, PADR = 12, MODE = 15, IADRL = 16, IADRH, BADRL = 24, BADRH, BADXL = 30, BADXH,
       POLLINT = 47, SWSTYLE = 58, RCVRC = 72, XMTRC = 74, RCVRL = 76, XMTRL = 78, DMATC = 80, CHIPID = 88, MFC = 112 };
enum { INIT = 1 << 0, STRT = 1 << 1, STOP = 1 << 2, TDMD = 1 << 3, TXON = 1 << 4, RXON = 1 << 5, IENA = 1 << 6, INTR = 1 << 7, IDON = 1 << 8,
       TINT = 1 << 9, RINT = 1 << 10, MERR = 1 << 11, MISS = 1 << 12, CERR = 1 << 13, BABL = 1 << 14, ERR = 1 << 15,
       CAUSES = IDON | TINT | RINT | MERR | MISS | BABL, ERRORS = BABL | CERR | MISS | MERR };
enum { TXDPOLL = 1 << 12, ASTRP = 1 << 10, UINTCMD = 1 << 7, UINT = 1 << 6, CSR4_CLEARS = 0x026a, CSR4_RESET = 0x0115 };
enum { TOKINTD = 1 << 15, LTINTEN = 1 << 14, SPND = 1 << 0, CSR5_CLEARS = 0x0a90 };
enum { PROM = 1 << 15, DRCVBC = 1 << 14, DRCVPA = 1 << 13, LOOP = 1 << 2, DTX = 1 << 1, DRX = 1 << 0 };
enum { MSRDA, MSWRA, MC, LNKST = 4, BSBC = 18, EECAS = 19, SWS = 20, INTCON, PCILAT, MIICAS = 32, MIIADDR, MIIMDR };
enum { DWIO = 1 << 7, LEDOUT = 1 << 15, SSIZE32 = 1 << 8, PVALID = 1 << 15, PHY = 30 };
/* flags of a descriptor, as in the upper byte of RMD1 and TMD1 [AM79C970A, Descriptor Ring] */
enum { D_OWN = 0x80, D_ERR = 0x40, D_LTINT = 0x10, D_BUFF = 0x04, D_STP = 0x02, D_ENP = 0x01, D_WRITTEN = 0x7f };
enum { RMD1_BAM = 1 << 20, RMD1_LAFM = 1 << 21, RMD1_PAM = 1 << 22, TMD2_UFLO_BUFF = 3 << 30 };
#define POLL_NS 1600000ll
#define POLL_NS_MAX (16 * POLL_NS)

struct am79c970a {
    struct device dev;
    struct pci_function pci;                    /* state */
    uint8_t slot; uint16_t variant; char *mac, *romfile;        /* properties */
    struct net_port port;
    uint8_t aprom[16];
    uint8_t rap;                                /* state, from here */
    uint16_t csr[CSRS], bcr[BCRS];
    uint32_t rx, tx;                            /* next descriptors */
    uint8_t frame[NET_FRAME_TAGGED + 4]; uint32_t length;      /* being gathered from several buffers */
    bool gathering, overlong;
    struct mii mii;
    struct timer poll; int64_t interval;
};
struct descriptor { uint32_t at, buffer, bytes; uint8_t flags; uint32_t word1; };      /* word1: the 32 bits with the flags */

static struct am79c970a *pcnet_of(struct device *dev) { return container_of(dev, struct am79c970a, dev); }

static void am79c970a_update_irq(struct am79c970a *p)
{
    uint16_t *c = p->csr;
    bool intr = c[CSR_0] & CAUSES & ~c[CSR_3];
    intr |= (c[CSR_4] & CSR4_CLEARS & ~(UINT | c[CSR_4] << 1)) || c[CSR_4] & UINT || (c[CSR_5] & CSR5_CLEARS & c[CSR_5] << 1);
    c[CSR_0] = (uint16_t)((c[CSR_0] & ~(INTR | ERR)) | (intr ? INTR : 0) | (c[CSR_0] & ERRORS ? ERR : 0));
    pci_intx(&p->pci, intr && c[CSR_0] & IENA);
}

/* --- descriptors ----------------------------------------------------------------------------------------------- */

static uint32_t pair(const struct am79c970a *p, unsigned low) { return p->csr[low] | (uint32_t)p->csr[low + 1] << 16; }
static unsigned style(const struct am79c970a *p) { return p->bcr[SWS] & 0xff; }
static unsigned ring_length(const struct am79c970a *p, unsigned csr) { return (uint16_t)-p->csr[csr] ? (uint16_t)-p->csr[csr] : 65536u; }

/* 16-bit style: two words of address with the flags between, the byte count; 32-bit styles: 3 has the buffer in the third place. */
static bool descriptor_read(struct am79c970a *p, bool receive, struct descriptor *d)
{
    uint8_t b[16] = { 0 };
    bool wide = style(p) != 0;
    d->at = pair(p, receive ? BADRL : BADXL) + (receive ? p->rx : p->tx) * (wide ? 16 : 8);
    if (!pci_dma_in(&p->pci, b, d->at, wide ? 16 : 8)) {
        p->csr[CSR_0] |= MERR;
        return false;
    }
    if (wide) {
        d->buffer = le32_get(b + (style(p) == 3 ? 8 : 0));
        d->word1 = le32_get(b + 4);
    } else {
        d->buffer = (le32_get(b) & 0xffffff) | (uint32_t)(p->csr[CSR_2] & 0xff00) << 16;
        d->word1 = (uint32_t)b[3] << 24 | le16_get(b + 4);
    }
    d->flags = (uint8_t)(d->word1 >> 24);
    d->bytes = (-d->word1) & 0xfff;
    if (!d->bytes)
        d->bytes = 4096;
    return true;
}

/* Gives it back: the second status word first, then the one with OWN. count: MCNT, or the errors of TMD2. */
static void descriptor_write(struct am79c970a *p, const struct descriptor *d, uint8_t flags, uint32_t extra, const uint32_t *count)
{
    uint8_t b[4];
    if (style(p)) {
        le32_put(b, count ? *count : 0);
        if (count)
            pci_dma_out(&p->pci, d->at + (style(p) == 3 ? 0 : 8), b, 4);
        le32_put(b, (d->word1 & 0x008fffff) | extra | (uint32_t)flags << 24);
        pci_dma_out(&p->pci, d->at + 4, b, 4);
        return;
    }
    le16_put(b, (uint16_t)(count ? *count | *count >> 16 : 0));
    if (count)
        pci_dma_out(&p->pci, d->at + 6, b, 2);
    pci_dma_out(&p->pci, d->at + 3, &flags, 1);
}

static void next(struct am79c970a *p, bool receive)
{
    uint32_t *at = receive ? &p->rx : &p->tx;
    unsigned length = ring_length(p, receive ? RCVRL : XMTRL);
    *at = *at + 1 >= length ? 0 : *at + 1;
    p->csr[receive ? RCVRC : XMTRC] = (uint16_t)-(length - *at);
}

/* --- receiving ------------------------------------------------------------------------------------------------- */

static bool receiving(const struct am79c970a *p) { return p->csr[CSR_0] & RXON && !(p->csr[CSR_5] & SPND); }

/* Which of the three address filters lets it in; 0: none [AM79C970A, Address Matching]. */
static uint32_t filter(const struct am79c970a *p, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    uint16_t mode = p->csr[MODE];
    if (!memcmp(frame, broadcast, 6) && !(mode & DRCVBC))
        return RMD1_BAM;
    if (frame[0] & 1) {
        unsigned bit = ~net_crc(frame, 6) >> 26;
        if (p->csr[LADRF + bit / 16] >> bit % 16 & 1)
            return RMD1_LAFM;
    } else if (!memcmp(frame, &p->csr[PADR], 6) && !(mode & DRCVPA)) {
        return RMD1_PAM;
    }
    return mode & PROM ? 1 : 0;
}

static bool pcnet_ready(void *chip)
{
    struct am79c970a *p = chip;
    struct descriptor d;
    if (!receiving(p) || !descriptor_read(p, true, &d) || d.flags & D_OWN)
        return true;
    if (!(p->csr[CSR_0] & RINT)) {
        p->csr[CSR_0] |= RINT;
        am79c970a_update_irq(p);
    }
    return false;
}

/* Over as many buffers as it takes; the last one says how long the frame was, with its FCS. */
static void store(struct am79c970a *p, const uint8_t *frame, uint32_t length, uint32_t match)
{
    struct descriptor d;
    uint32_t done = 0;
    if (!descriptor_read(p, true, &d) || !(d.flags & D_OWN))
        return;
    for (uint8_t flags = D_STP;; flags = 0) {
        struct descriptor following;
        uint32_t n = MIN(length - done, d.bytes);
        pci_dma_out(&p->pci, d.buffer, frame + done, n);
        done += n;
        next(p, true);
        if (done == length) {
            descriptor_write(p, &d, flags | D_ENP, style(p) ? match & ~1u : 0, &length);
            break;
        }
        if (!descriptor_read(p, true, &following) || !(following.flags & D_OWN) || following.at == d.at) {
            descriptor_write(p, &d, flags | D_ERR | D_BUFF, 0, NULL);
            break;
        }
        descriptor_write(p, &d, flags, 0, NULL);
        d = following;
    }
    p->csr[CSR_0] |= RINT;
}

static void take(struct am79c970a *p, const uint8_t *bytes, size_t length)
{
    uint8_t frame[NET_FRAME_TAGGED + 4];
    uint32_t match = receiving(p) ? filter(p, bytes) : 0;
    if (!match)
        return;
    memcpy(frame, bytes, length);
    unsigned field = be16_get(frame + 12);
    if (p->csr[CSR_4] & ASTRP && field < 46) {   /* padding and FCS go, of frames with a length field */
        store(p, frame, NET_HEADER + field, match);
        return;
    }
    le32_put(frame + length, net_crc(frame, length));
    store(p, frame, (uint32_t)length + 4, match);
}

static void pcnet_receive(void *chip, const uint8_t *frame, size_t length)
{
    struct am79c970a *p = chip;
    if (p->csr[MODE] & LOOP)
        return;
    take(p, frame, length);
    am79c970a_update_irq(p);
}

/* --- sending --------------------------------------------------------------------------------------------------- */

static void gather(struct am79c970a *p, const struct descriptor *d)
{
    if (d->flags & D_STP) {
        p->length = 0;
        p->gathering = true;
        p->overlong = false;
    }
    uint32_t n = MIN(d->bytes, (uint32_t)NET_FRAME_TAGGED - p->length);
    p->overlong |= n < d->bytes;
    if (p->gathering && n && !pci_dma_in(&p->pci, p->frame + p->length, d->buffer, n))
        p->overlong = true;
    p->length += n;
}

static void send(struct am79c970a *p)
{
    if (p->overlong) {
        p->csr[CSR_0] |= BABL;
        return;
    }
    if (!(p->csr[MODE] & LOOP)) {
        net_send(&p->port, p->frame, p->length);
        return;
    }
    if (p->length >= NET_HEADER) {
        memset(p->frame + p->length, 0, p->length < NET_FRAME_MIN ? NET_FRAME_MIN - p->length : 0);
        take(p, p->frame, MAX(p->length, (uint32_t)NET_FRAME_MIN));
    }
}

/* All descriptors that are ours, at most once round the ring. false: none was. */
static bool transmit(struct am79c970a *p)
{
    struct descriptor d;
    unsigned done = 0, limit = MIN(ring_length(p, XMTRL), 1024u);
    while (p->csr[CSR_0] & TXON && !(p->csr[CSR_5] & SPND) && done < limit && descriptor_read(p, false, &d) && d.flags & D_OWN) {
        uint32_t status = 0;
        gather(p, &d);
        next(p, false);
        done++;
        descriptor_write(p, &d, d.flags & D_WRITTEN & ~D_ERR, 0, &status);
        if (!(d.flags & D_ENP))
            continue;
        if (p->gathering)
            send(p);
        p->gathering = false;
        if (!(p->csr[CSR_5] & TOKINTD) && (!(p->csr[CSR_5] & LTINTEN) || d.flags & D_LTINT))
            p->csr[CSR_0] |= TINT;
    }
    return done;
}

static void poll_start(struct am79c970a *p)
{
    struct clock *clock = &p->dev.machine->clock;
    if (p->csr[CSR_0] & TXON && !(p->csr[CSR_4] & TXDPOLL))
        timer_at(clock, &p->poll, clock_now(clock) + p->interval);
    else
        timer_stop(clock, &p->poll);
}

static void pcnet_poll(void *chip)
{
    struct am79c970a *p = chip;
    p->interval = transmit(p) ? POLL_NS : MIN(MAX(p->interval, POLL_NS) * 2, POLL_NS_MAX);
    poll_start(p);
    am79c970a_update_irq(p);
}

/* --- control --------------------------------------------------------------------------------------------------- */

static void ring_set(struct am79c970a *p, unsigned base, unsigned length, uint32_t address, unsigned log)
{
    p->csr[base] = (uint16_t)address;
    p->csr[base + 1] = (uint16_t)(address >> 16);
    p->csr[length] = (uint16_t)-(1u << log);
}

/* The initialization block, 24 or 28 bytes [AM79C970A, Initialization Block]. */
static void initialize(struct am79c970a *p)
{
    uint8_t b[28] = { 0 };
    bool wide = p->bcr[SWS] & SSIZE32;
    if (!pci_dma_in(&p->pci, b, pair(p, CSR_1), wide ? 28 : 24)) {
        p->csr[CSR_0] |= MERR;
        return;
    }
    p->csr[MODE] = le16_get(b);
    memcpy(&p->csr[PADR], b + (wide ? 4 : 2), 6);
    memcpy(&p->csr[LADRF], b + (wide ? 12 : 8), 8);
    if (wide) {
        ring_set(p, BADRL, RCVRL, le32_get(b + 20) & ~15u, MIN(b[2] >> 4, 9));
        ring_set(p, BADXL, XMTRL, le32_get(b + 24) & ~15u, MIN(b[3] >> 4, 9));
    } else {
        uint32_t high = (uint32_t)(p->csr[CSR_2] & 0xff00) << 16;
        ring_set(p, BADRL, RCVRL, high | (le32_get(b + 16) & 0xfffff8), b[19] >> 5);
        ring_set(p, BADXL, XMTRL, high | (le32_get(b + 20) & 0xfffff8), b[23] >> 5);
    }
    p->csr[CSR_6] = (uint16_t)((wide ? b[2] >> 4 : b[19] >> 5) << 8 | (wide ? b[3] >> 4 : b[23] >> 5) << 12);
    p->rx = p->tx = 0;
    p->gathering = false;
    p->csr[RCVRC] = p->csr[RCVRL];
    p->csr[XMTRC] = p->csr[XMTRL];
    p->csr[CSR_0] |= IDON;
}

static void stop(struct am79c970a *p)
{
    p->csr[CSR_0] = STOP;
    p->csr[CSR_4] &= (uint16_t)~(CSR4_CLEARS | UINTCMD);
    p->csr[CSR_5] &= (uint16_t)~(CSR5_CLEARS | SPND);
    p->gathering = false;
    timer_stop(&p->dev.machine->clock, &p->poll);
}

static void csr0_write(struct am79c970a *p, uint16_t v)
{
    if (v & STOP) {
        stop(p);
        return;
    }
    p->csr[CSR_0] &= (uint16_t)~(v & (CAUSES | CERR));
    p->csr[CSR_0] = (uint16_t)((p->csr[CSR_0] & ~IENA) | (v & IENA));
    if (v & INIT && !(p->csr[CSR_0] & INIT)) {
        p->csr[CSR_0] = (uint16_t)((p->csr[CSR_0] & ~STOP) | INIT);
        initialize(p);
    }
    if (v & STRT && !(p->csr[CSR_0] & STRT)) {
        p->csr[CSR_0] &= (uint16_t)~STOP;
        p->csr[CSR_0] |= STRT | (p->csr[MODE] & DTX ? 0 : TXON) | (p->csr[MODE] & DRX ? 0 : RXON);
    }
    p->interval = POLL_NS;
    if (v & (TDMD | STRT))
        transmit(p);
    poll_start(p);
}

static void sws_write(struct am79c970a *p, uint16_t v)
{
    bool known = (v & 0xff) <= 3;
    p->bcr[SWS] = (uint16_t)((known ? v & 0xff : 0) | 0x0200 | (known && v & 0xff ? SSIZE32 : 0));
    p->csr[SWSTYLE] = p->bcr[SWS];
}

static uint16_t csr_read(struct am79c970a *p, unsigned n)
{
    bool fast = p->variant == 973;
    switch (n) {
    case CHIPID: return fast ? 0x5003 : 0x1003;
    case CHIPID + 1: return 0x0262;
    case IADRL: case IADRH: return p->csr[CSR_1 + n - IADRL];
    default: return n < CSRS ? p->csr[n] : 0;
    }
}

static void csr_write(struct am79c970a *p, unsigned n, uint16_t v)
{
    if (n >= CSRS || n == CHIPID || n == CHIPID + 1 || n == CSR_6)
        return;
    switch (n) {
    case CSR_0: csr0_write(p, v); break;
    case IADRL: case IADRH: p->csr[CSR_1 + n - IADRL] = v; break;
    case CSR_3: p->csr[n] = v & 0x5f7c; break;
    case CSR_4:
        p->csr[n] = (uint16_t)((p->csr[n] & CSR4_CLEARS & ~v) | (v & ~CSR4_CLEARS & ~UINTCMD));
        if (v & UINTCMD)
            p->csr[n] |= UINT;
        break;
    case CSR_5: p->csr[n] = (uint16_t)((p->csr[n] & CSR5_CLEARS & ~v) | (v & ~CSR5_CLEARS)); break;
    case SWSTYLE: sws_write(p, v); break;
    default: p->csr[n] = v;
    }
}

static uint16_t bcr_read(struct am79c970a *p, unsigned n)
{
    unsigned phy = p->bcr[MIIADDR] >> 5 & 31;
    if (n == LNKST)
        return (uint16_t)((p->bcr[n] & ~LEDOUT) | (net_link(&p->port) ? LEDOUT : 0));
    if (n == MIIMDR && p->variant == 973)
        return phy == PHY ? mii_read(&p->mii, p->bcr[MIIADDR] & 31, net_link(&p->port)) : 0xffff;
    return n < BCRS ? p->bcr[n] : 0;
}

static void bcr_write(struct am79c970a *p, unsigned n, uint16_t v)
{
    if (n == SWS)
        sws_write(p, v);
    else if (n == BSBC)
        p->bcr[n] = (uint16_t)((v & ~DWIO) | (p->bcr[n] & DWIO));
    else if (n == EECAS)
        p->bcr[n] = PVALID;
    else if (n == MIIMDR && p->variant == 973 && (p->bcr[MIIADDR] >> 5 & 31) == PHY)
        mii_write(&p->mii, p->bcr[MIIADDR] & 31, v);
    else if (n < BCRS && n > MSWRA)
        p->bcr[n] = v;
}

/* S_RESET, by reading RESET: like H_RESET, but RAP's width and the BCRs stay [AM79C970A, Reset]. */
static void soft_reset(struct am79c970a *p)
{
    memset(p->csr, 0, sizeof(p->csr));
    p->csr[CSR_0] = STOP;
    p->csr[CSR_4] = CSR4_RESET;
    memcpy(&p->csr[PADR], p->aprom, 6);
    p->csr[RCVRL] = p->csr[XMTRL] = (uint16_t)-1;
    p->csr[DMATC] = 0x1410;
    p->csr[SWSTYLE] = p->bcr[SWS];
    p->rap = 0;
    p->rx = p->tx = p->length = 0;
    p->gathering = p->overlong = false;
    memset(p->frame, 0, sizeof(p->frame));
    p->interval = POLL_NS;
    timer_stop(&p->dev.machine->clock, &p->poll);
}

/* --- ports ----------------------------------------------------------------------------------------------------- */

static uint64_t pcnet_read(void *chip, uint64_t offset, unsigned size)
{
    struct am79c970a *p = chip;
    bool wide = p->bcr[BSBC] & DWIO;
    uint32_t value = 0;
    if (offset < PORT_RDP) {
        for (unsigned i = 0; i < size && offset + i < 16; i++)
            value |= (uint32_t)p->aprom[offset + i] << 8 * i;
        return value;
    }
    if (size != (wide ? 4u : 2u))
        return UINT32_MAX >> (32 - 8 * size);
    switch ((offset - PORT_RDP) / size) {
    case 0: value = csr_read(p, p->rap); break;
    case 1: value = p->rap; break;
    case 2: soft_reset(p); break;
    case 3: value = bcr_read(p, p->rap); break;
    }
    am79c970a_update_irq(p);
    return value;
}

static void pcnet_write(void *chip, uint64_t offset, unsigned size, uint64_t v)
{
    struct am79c970a *p = chip;
    if (offset == PORT_RDP && size == 4)
        p->bcr[BSBC] |= DWIO;                   /* until the next H_RESET [AM79C970A, I/O Register Access] */
    bool wide = p->bcr[BSBC] & DWIO;
    if (offset < PORT_RDP || size != (wide ? 4u : 2u))
        return;
    switch ((offset - PORT_RDP) / size) {
    case 0: csr_write(p, p->rap, (uint16_t)v); break;
    case 1: p->rap = v & 0x7f; break;
    case 3: bcr_write(p, p->rap, (uint16_t)v); break;
    }
    am79c970a_update_irq(p);
    net_poll(&p->port);
}

static const struct io_ops pcnet_io = { pcnet_read, pcnet_write, IO_8 | IO_16 | IO_32 };

/* --- class ----------------------------------------------------------------------------------------------------- */

static void aprom_fill(struct am79c970a *p)
{
    uint16_t sum = 0;
    p->aprom[9] = 0x11;
    p->aprom[14] = p->aprom[15] = 'W';
    for (unsigned i = 0; i < 16; i++)
        sum = (uint16_t)(sum + (i == 12 || i == 13 ? 0 : p->aprom[i]));
    le16_put(p->aprom + 12, sum);
}

static bool pcnet_init(struct device *dev, struct error *err)
{
    struct am79c970a *p = pcnet_of(dev);
    struct pci_identity identity = { .vendor = 0x1022, .device = 0x2000, .class_code = 0x020000, .pin = 1, .status = 0x0280,
                                     .revision = 0x16 };
    if (p->variant != 970 && p->variant != 973)
        return error_set(err, 1, "%s: variant is 970 (Am79C970A) or 973 (Am79C973)", dev->id);
    if (p->variant == 973) {
        identity.revision = 0x44;
        identity.subvendor = 0x1022;
        identity.subsystem = 0x2000;
    }
    p->mii.id = 0x00006b60;                     /* the 973's own transceiver */
    if (!net_mac_parse(p->mac, p->aprom, dev->id, err) || !pci_function_init(&p->pci, dev, &identity, p->slot, 0, err))
        return false;
    aprom_fill(p);
    p->port = (struct net_port){ .chip = p, .ready = pcnet_ready, .receive = pcnet_receive };
    timer_init(&p->poll, pcnet_poll, p);
    pci_bar_init(&p->pci, 0, PCI_BAR_IO, PORTS, space_map_io(dev->machine->ports, 0xc100, PORTS, &pcnet_io, p, 0));
    pci_bar_init(&p->pci, 1, PCI_BAR_MEMORY, PORTS, space_map_io(dev->machine->memory, 0xf2000000, PORTS, &pcnet_io, p, 1));
    return pci_rom_load(&p->pci, p->romfile, err);
}

static void pcnet_reset(struct device *dev, enum reset_kind kind)
{
    static const struct { uint8_t bcr; uint16_t value; } defaults[] = {
        { MSRDA, 5 }, { MSWRA, 5 }, { MC, 2 }, { LNKST, 0x00c0 }, { 5, 0x0084 }, { 6, 0x0088 }, { 7, 0x0090 }, { BSBC, 0x9001 },
        { EECAS, PVALID }, { SWS, 0x0200 }, { PCILAT, 0xff06 },
    };
    struct am79c970a *p = pcnet_of(dev);
    (void)kind;
    p->pci.config[PCI_LINE + 2] = 0x06;         /* MIN_GNT and MAX_LAT */
    p->pci.config[PCI_LINE + 3] = 0xff;
    memset(p->bcr, 0, sizeof(p->bcr));
    for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++)
        p->bcr[defaults[i].bcr] = defaults[i].value;
    mii_reset(&p->mii);
    soft_reset(p);
    am79c970a_update_irq(p);
}

static bool pcnet_restored(struct device *dev)
{
    struct am79c970a *p = pcnet_of(dev);
    p->length = MIN(p->length, (uint32_t)NET_FRAME_TAGGED);
    p->rx %= 65536;
    p->tx %= 65536;
    p->interval = MIN(MAX(p->interval, POLL_NS), POLL_NS_MAX);
    return true;
}

static const struct state_field pcnet_state[] = {
    PCI_STATE(struct am79c970a, pci), FIELD(struct am79c970a, rap), FIELD_ARRAY(struct am79c970a, csr), FIELD_ARRAY(struct am79c970a, bcr),
    FIELD(struct am79c970a, rx), FIELD(struct am79c970a, tx), FIELD_ARRAY(struct am79c970a, frame), FIELD(struct am79c970a, length),
    FIELD(struct am79c970a, gathering), FIELD(struct am79c970a, overlong), MII_STATE(struct am79c970a, mii),
    FIELD(struct am79c970a, poll), FIELD(struct am79c970a, interval), END
};
static const struct property pcnet_properties[] = {
    PROPERTY(struct am79c970a, slot, "3", "PCI slot"),
    PROPERTY(struct am79c970a, variant, "970", "970: Am79C970A, 10 Mbit/s; 973: Am79C973, 100 Mbit/s"),
    PROPERTY(struct am79c970a, mac, "02:48:4f:00:00:01", "hardware address"),
    PROPERTY(struct am79c970a, romfile, "", "file of an option ROM, for booting from the network; empty: none"), END
};
static const struct pin pcnet_outputs[] = { PCI_INTX(struct am79c970a, pci), END };
const struct device_class am79c970a_class = {
    .name = "am79c970a", .summary = "AMD PCnet-PCI II and PCnet-FAST III Ethernet", .size = sizeof(struct am79c970a),
    .properties = pcnet_properties, .outputs = pcnet_outputs, .state = pcnet_state, .state_version = 1,
    .init = pcnet_init, .reset = pcnet_reset, .restored = pcnet_restored, .net = offsetof(struct am79c970a, port),
};
