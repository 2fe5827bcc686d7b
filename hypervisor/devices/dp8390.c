/* National DP8390D network controller in the wiring of the NE2000. Read "Internal Registers", "Packet Reception", "Remote DMA".
 *
 * In a card: 16 ports of registers in pages, a data port of 8, 16 or 32 bits that moves bytes of the remote DMA, and a reset port.
 * Remote addresses 0-1Fh are the address PROM, each byte twice, with the mark 57h of a 16-bit card; 16 KB of memory begin at 4000h.
 * Received frames lie in a ring of 256-byte pages from PSTART to PSTOP, each behind four bytes: status, next page, length.
 *
 * References: [DP8390D]; [NE2000] for the wiring; [RTL8029] for pages 0 and 3 of that chip.
 * Not modelled: the time on the wire, collisions, overflow (frames wait in the cable instead), loopback through the FIFO, byte order
 * and FIFO threshold (DCR), the tally counters, page 2 (a test page). The FCS is not stored, but has its room. */
#include "devices/dp8390.h"

enum { CR, PSTART, PSTOP, BNRY, TPSR, TBCR0, TBCR1, ISR, RSAR0, RSAR1, RBCR0, RBCR1, RCR, TCR, DCR, IMR };
enum { TSR = TPSR, NCR = TBCR0, FIFO = TBCR1, CRDA0 = RSAR0, CRDA1, ID0, ID1, RSR = RCR, PAR0 = 1, CURR = 7, MAR0 = 8 };
enum { STP = 1 << 0, STA = 1 << 1, TXP = 1 << 2, RD_READ = 1 << 3, RD_WRITE = 2 << 3, RD_SEND = 3 << 3, RD_ABORT = 4 << 3, RD = 7 << 3, PAGE = 6 };
enum { PRX = 1 << 0, PTX = 1 << 1, RDC = 1 << 6, RST = 1 << 7 };
enum { AR = 1 << 1, AB = 1 << 2, AM = 1 << 3, PRO = 1 << 4, MON = 1 << 5 };
enum { TCR_LOOPBACK = 3 << 1, DCR_WTS = 1 << 0, TSR_PTX = 1 << 0, RSR_PRX = 1 << 0, RSR_PHY = 1 << 5 };
enum { BURST = 8, BURST_LOOKS = 400 };
enum { PAGE_BYTES = 256, PACKET_HEADER = 4, FCS = 4, PAGES_MOST = (NET_FRAME_TAGGED + PACKET_HEADER + FCS + PAGE_BYTES - 1) / PAGE_BYTES };

static void dp8390_update_irq(struct dp8390 *d)
{
    d->irq(d->card, d->isr & d->imr & 0x7f);
}

static uint8_t *memory_at(struct dp8390 *d, unsigned address)
{
    unsigned offset = address - DP8390_MEMORY_BASE;
    return offset < DP8390_MEMORY ? &d->memory[offset] : NULL;
}

/* --- the wire -------------------------------------------------------------------------------------------------- */

/* STA need not stay set: what was started runs until STP [DP8390D, Command Register]. */
static bool listening(const struct dp8390 *d)
{
    return !(d->cr & STP) && !(d->tcr & TCR_LOOPBACK) && d->pstop > d->pstart &&
           d->curr >= d->pstart && d->curr < d->pstop && !(d->rcr & MON);
}

static unsigned pages_free(const struct dp8390 *d)
{
    unsigned ring = (unsigned)(d->pstop - d->pstart);
    if (d->bnry < d->pstart || d->bnry >= d->pstop)
        return ring;
    return d->bnry > d->curr ? (unsigned)(d->bnry - d->curr) : ring - (unsigned)(d->curr - d->bnry);
}

/* QUIRK(ne2000-bursts): drivers look at CURR, find nothing more, and clear PRX: a frame that came between the two would be left lying. So
 * frames come in bursts that end as soon as the driver has looked, and the next waits until it has cleared PRX. Drivers that poll and never
 * do so look again and again, or a second passes. */
static bool burst_over(const struct dp8390 *d)
{
    return !(d->isr & PRX) || d->looks > BURST_LOOKS || clock_now(d->clock) - d->burst_at > NS_PER_S;
}

static bool dp8390_ready(void *chip)
{
    struct dp8390 *d = chip;
    if (listening(d) && !burst_over(d) && (d->looks || d->burst >= BURST))
        return false;
    if (!listening(d) || pages_free(d) > PAGES_MOST || d->pstop - d->pstart <= PAGES_MOST)
        return true;
    if (!(d->isr & PRX)) {
        d->isr |= PRX;
        d->looks = 0;
        d->burst_at = clock_now(d->clock);
        dp8390_update_irq(d);
    }
    return false;
}

static bool accepts(const struct dp8390 *d, const uint8_t *frame)
{
    if (d->rcr & PRO)
        return true;
    if (!(frame[0] & 1))
        return !memcmp(frame, d->par, 6);
    if (frame[0] == 0xff && !memcmp(frame, frame + 1, 5))
        return d->rcr & AB;
    unsigned bit = net_crc_forward(frame, 6) >> 26;
    return d->rcr & AM && d->mar[bit / 8] >> bit % 8 & 1;
}

static void dp8390_receive(void *chip, const uint8_t *frame, size_t length)
{
    struct dp8390 *d = chip;
    unsigned total = (unsigned)length + PACKET_HEADER, pages = (total + FCS + PAGE_BYTES - 1) / PAGE_BYTES;
    if (!listening(d) || !accepts(d, frame) || pages_free(d) <= pages)
        return;
    unsigned ring = (unsigned)(d->pstop - d->pstart), following = d->pstart + (unsigned)(d->curr - d->pstart + (int)pages) % ring;
    d->rsr = (uint8_t)(RSR_PRX | (frame[0] & 1 ? RSR_PHY : 0));
    uint8_t header[PACKET_HEADER] = { d->rsr, (uint8_t)following, (uint8_t)total, (uint8_t)(total >> 8) };
    unsigned page = d->curr;
    for (unsigned done = 0; done < total; done += PAGE_BYTES) {
        uint8_t bytes[PAGE_BYTES] = { 0 }, *to = memory_at(d, page * PAGE_BYTES);
        unsigned head = done ? 0 : PACKET_HEADER;
        memcpy(bytes, header, head);
        memcpy(bytes + head, frame + done + head - PACKET_HEADER, MIN(total - done, (unsigned)PAGE_BYTES) - head);
        if (to)
            memcpy(to, bytes, PAGE_BYTES);
        page = page + 1 == d->pstop ? d->pstart : page + 1;
    }
    d->curr = (uint8_t)following;
    if (burst_over(d)) {
        d->burst_at = clock_now(d->clock);
        d->burst = 0;
        d->looks = 0;
    }
    d->burst++;
    d->isr |= PRX;
    dp8390_update_irq(d);
}

static void transmit(struct dp8390 *d)
{
    uint8_t frame[NET_FRAME_TAGGED];
    unsigned length = MIN(d->tbcr, (unsigned)NET_FRAME_TAGGED);
    for (unsigned i = 0; i < length; i++) {
        const uint8_t *byte = memory_at(d, (d->tpsr * PAGE_BYTES + i) & 0xffff);
        frame[i] = byte ? *byte : 0xff;
    }
    if (d->tcr & TCR_LOOPBACK || d->tbcr > NET_FRAME_TAGGED)
        length = 0;
    net_send(&d->port, frame, length);
    d->tsr = TSR_PTX;
    d->isr |= PTX;
    d->cr &= (uint8_t)~TXP;
}

/* --- remote DMA ------------------------------------------------------------------------------------------------ */

static void remote_advance(struct dp8390 *d)
{
    d->rsar++;
    if (d->rsar == d->pstop * PAGE_BYTES && d->pstop > d->pstart)
        d->rsar = (uint16_t)(d->pstart * PAGE_BYTES);
    if (d->rbcr && !--d->rbcr) {
        d->isr |= RDC;
        d->cr = (uint8_t)((d->cr & ~RD) | RD_ABORT);
    }
}

static uint8_t remote_read(struct dp8390 *d)
{
    const uint8_t *byte = d->rsar < sizeof(d->prom) ? &d->prom[d->rsar] : memory_at(d, d->rsar);
    uint8_t value = byte ? *byte : 0xff;
    remote_advance(d);
    return value;
}

static void remote_write(struct dp8390 *d, uint8_t value)
{
    uint8_t *byte = memory_at(d, d->rsar);
    if (byte)
        *byte = value;
    remote_advance(d);
}

/* "Send packet" reads the frame that BNRY points at: its length comes from the four bytes before it [DP8390D, Send Packet Command]. */
static void remote_start(struct dp8390 *d)
{
    const uint8_t *header = memory_at(d, d->bnry * PAGE_BYTES);
    if ((d->cr & RD) == RD_SEND) {
        d->rsar = (uint16_t)(d->bnry * PAGE_BYTES);
        d->rbcr = header ? le16_get(header + 2) : 0;
    }
    if (!d->rbcr && (d->cr & RD) < RD_ABORT && d->cr & RD)
        d->isr |= RDC;
}

/* --- registers ------------------------------------------------------------------------------------------------- */

static void command_write(struct dp8390 *d, uint8_t value)
{
    d->cr = (uint8_t)(value | (d->cr & TXP));
    if (value & STP) {
        d->isr |= RST;
        d->cr &= (uint8_t)~(TXP | STA);
        return;
    }
    d->isr &= (uint8_t)~RST;
    remote_start(d);
    if (value & TXP)
        transmit(d);
}

static void page0_write(struct dp8390 *d, unsigned reg, uint8_t value)
{
    switch (reg) {
    case PSTART: d->pstart = value; break;
    case PSTOP: d->pstop = value; break;
    case BNRY: d->bnry = value; break;
    case TPSR: d->tpsr = value; break;
    case TBCR0: d->tbcr = (d->tbcr & 0xff00) | value; break;
    case TBCR1: d->tbcr = (uint16_t)((d->tbcr & 0xff) | value << 8); break;
    case ISR: d->isr &= (uint8_t)~(value & 0x7f); break;
    case RSAR0: d->rsar = (d->rsar & 0xff00) | value; break;
    case RSAR1: d->rsar = (uint16_t)((d->rsar & 0xff) | value << 8); break;
    case RBCR0: d->rbcr = (d->rbcr & 0xff00) | value; break;
    case RBCR1: d->rbcr = (uint16_t)((d->rbcr & 0xff) | value << 8); break;
    case RCR: d->rcr = value & 0x3f; break;
    case TCR: d->tcr = value & 0x1f; break;
    case DCR: d->dcr = value & 0x7f; break;
    case IMR: d->imr = value & 0x7f; break;
    }
}

static uint8_t page0_read(const struct dp8390 *d, unsigned reg)
{
    switch (reg) {
    case BNRY: return d->bnry;
    case TSR: return d->tsr;
    case ISR: return d->isr;
    case CRDA0: return (uint8_t)d->rsar;
    case CRDA1: return (uint8_t)(d->rsar >> 8);
    case ID0: return d->realtek ? 0x50 : 0xff;  /* "PC" [RTL8029, 8029ID0] */
    case ID1: return d->realtek ? 0x43 : 0xff;
    case RSR: return d->rsr;
    case PSTART: return (uint8_t)d->rsar;       /* CLDA: the local address, of no use to a driver */
    case PSTOP: return d->curr;
    default: return 0;                          /* NCR, FIFO and the counters */
    }
}

static uint8_t register_read(struct dp8390 *d, unsigned reg)
{
    unsigned page = d->cr >> PAGE;
    if (reg == CR)
        return d->cr;
    if (page == 0)
        return page0_read(d, reg);
    if (page == 1)
        return reg < CURR ? d->par[reg - PAR0] : reg == CURR ? d->curr : d->mar[reg - MAR0];
    return page == 3 && d->page3 ? d->page3(d->card, reg) : 0xff;
}

static void register_write(struct dp8390 *d, unsigned reg, uint8_t value)
{
    unsigned page = d->cr >> PAGE;
    if (reg == CR)
        command_write(d, value);
    else if (page == 0)
        page0_write(d, reg, value);
    else if (page == 1 && reg == CURR)
        d->curr = value;
    else if (page == 1)
        *(reg < CURR ? &d->par[reg - PAR0] : &d->mar[reg - MAR0]) = value;
}

/* Bytes that an access to the data port moves: with WTS a word at least, whatever the bus's width; without it a byte. */
static unsigned unit(const struct dp8390 *d, unsigned size) { return !(d->dcr & DCR_WTS) ? 1 : MAX(size, 2u); }

uint64_t dp8390_read(struct dp8390 *d, unsigned port, unsigned size)
{
    uint32_t value = 0;
    d->looks = (uint16_t)(d->looks + (port < DP8390_DATA && d->looks < UINT16_MAX));
    if (port >= DP8390_RESET) {
        dp8390_reset(d, false);
        return UINT32_MAX >> (32 - 8 * size);
    }
    unsigned count = port < DP8390_DATA ? size : unit(d, size);
    for (unsigned i = 0; i < count; i++)
        value |= (uint32_t)(port < DP8390_DATA ? register_read(d, (port + i) & 15) : remote_read(d)) << 8 * i;
    dp8390_update_irq(d);
    return value & UINT32_MAX >> (32 - 8 * size);
}

void dp8390_write(struct dp8390 *d, unsigned port, unsigned size, uint32_t value)
{
    if (port >= DP8390_RESET)
        return;                                 /* the second half of the reset pulse */
    d->looks = (uint16_t)(d->looks + (port < DP8390_DATA && d->looks < UINT16_MAX));
    unsigned count = port < DP8390_DATA ? size : unit(d, size);
    for (unsigned i = 0; i < count; i++)
        if (port < DP8390_DATA)
            register_write(d, (port + i) & 15, (uint8_t)(value >> 8 * i));
        else
            remote_write(d, (uint8_t)(value >> 8 * i));
    dp8390_update_irq(d);
    if (port < DP8390_DATA)
        net_poll(&d->port);
}

/* --- for the cards --------------------------------------------------------------------------------------------- */

bool dp8390_init(struct dp8390 *d, const struct clock *clock, const char *mac, const char *what, struct error *err)
{
    uint8_t address[6];
    if (!net_mac_parse(mac, address, what, err))
        return false;
    d->clock = clock;
    memset(d->prom, 0x57, sizeof(d->prom));     /* bytes 14 and 15: a 16-bit card [NE2000] */
    for (unsigned i = 0; i < 6; i++)
        d->prom[2 * i] = d->prom[2 * i + 1] = address[i];
    d->port = (struct net_port){ .chip = d, .ready = dp8390_ready, .receive = dp8390_receive };
    return true;
}

void dp8390_reset(struct dp8390 *d, bool power)
{
    if (power) {
        memset(&d->cr, 0, offsetof(struct dp8390, memory) - offsetof(struct dp8390, cr));
        memset(d->memory, 0, sizeof(d->memory));
    }
    d->cr = STP | RD_ABORT;
    d->isr = RST;
    d->imr = 0;
    d->tcr &= (uint8_t)~TCR_LOOPBACK;
    d->rbcr = 0;
    dp8390_update_irq(d);
}

const struct state_field dp8390_state[] = {
    FIELD(struct dp8390, cr), FIELD(struct dp8390, isr), FIELD(struct dp8390, imr), FIELD(struct dp8390, dcr), FIELD(struct dp8390, rcr),
    FIELD(struct dp8390, tcr), FIELD(struct dp8390, tsr), FIELD(struct dp8390, rsr), FIELD(struct dp8390, tpsr), FIELD(struct dp8390, pstart),
    FIELD(struct dp8390, pstop), FIELD(struct dp8390, bnry), FIELD(struct dp8390, curr), FIELD_ARRAY(struct dp8390, par),
    FIELD_ARRAY(struct dp8390, mar), FIELD(struct dp8390, tbcr), FIELD(struct dp8390, rsar), FIELD(struct dp8390, rbcr),
    FIELD(struct dp8390, looks), FIELD(struct dp8390, burst), FIELD(struct dp8390, burst_at), FIELD_ARRAY(struct dp8390, memory), END
};
