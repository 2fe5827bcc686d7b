/* The registers of a twisted-pair transceiver behind a card's MII: full auto-negotiation with a partner that can do 100 Mbit/s full
 * duplex, done at once; and the two wires to it. References: [802.3] 22.2.4 (registers 0 to 6). Not modelled: latching of link loss, isolation, loopback. */
#ifndef DEVICES_MII_H
#define DEVICES_MII_H
#include "core/state.h"

enum { BMCR, BMSR, PHYID1, PHYID2, ANAR, ANLPAR, ANER, MII_REGISTERS = 32 };
enum { BMCR_RESET = 0x8000, BMCR_AUTO = 0x1000, BMCR_RESTART = 0x0200, BMCR_KEPT = 0x7d00, BMSR_ABLE = 0x7809, BMSR_LINK = 0x0024,
       ANAR_RESET = 0x01e1, ANAR_KEPT = 0x2fe0, PARTNER = 0x41e1 };
struct mii { uint16_t bmcr, anar; uint32_t id; };       /* id: set by init; not saved */
#define MII_STATE(T, m) FIELD(T, m.bmcr), FIELD(T, m.anar)

static inline void mii_reset(struct mii *p)
{
    p->bmcr = BMCR_AUTO | 0x2100;               /* 100 Mbit/s, full duplex */
    p->anar = ANAR_RESET;
}

static inline uint16_t mii_read(const struct mii *p, unsigned reg, bool link)
{
    switch (reg) {
    case BMCR: return p->bmcr;
    case BMSR: return BMSR_ABLE | (link ? BMSR_LINK : 0);
    case PHYID1: return (uint16_t)(p->id >> 16);
    case PHYID2: return (uint16_t)p->id;
    case ANAR: return p->anar | 1;
    case ANLPAR: return link ? PARTNER : 0;
    case ANER: return link ? 1 : 0;
    default: return 0;
    }
}

static inline void mii_write(struct mii *p, unsigned reg, uint16_t value)
{
    if (reg == BMCR && value & BMCR_RESET)
        mii_reset(p);
    else if (reg == BMCR)
        p->bmcr = value & BMCR_KEPT;
    else if (reg == ANAR)
        p->anar = value & ANAR_KEPT;
}

/* The serial form of it: MDC, and data one way at a time [802.3, 22.2.4.5]. A frame: start 01, 10 to read or 01 to write, five bits of
 * transceiver, five of register, two to turn round, sixteen of data. */
struct mdio { bool clock, out; uint8_t bits; uint32_t shift; uint16_t data; };
enum mdio_event { MDIO_NOTHING, MDIO_READ, MDIO_WRITE };        /* READ: the chip puts the register into `data` */
#define MDIO_STATE(T, m) FIELD(T, m.clock), FIELD(T, m.out), FIELD(T, m.bits), FIELD(T, m.shift), FIELD(T, m.data)

static inline enum mdio_event mdio_pins(struct mdio *m, bool clock, bool in, unsigned *phy, unsigned *reg)
{
    bool rises = clock && !m->clock;
    m->clock = clock;
    if (!rises)
        return MDIO_NOTHING;
    if (!m->bits) {                             /* the preamble's ones */
        m->bits = !in;
        m->shift = 0;
        m->out = true;
        return MDIO_NOTHING;
    }
    m->shift = m->shift << 1 | in;
    m->bits++;
    if (m->bits == 2 && !in)
        m->bits = 0;
    bool reads = m->bits >= 14 && (m->shift >> (m->bits - 14 + 10) & 3) == 2;
    if (m->bits >= 14) {
        *phy = m->shift >> (m->bits - 14 + 5) & 31;
        *reg = m->shift >> (m->bits - 14) & 31;
    }
    if (reads && m->bits >= 15)
        m->out = m->bits > 15 && m->bits < 32 ? m->data >> (31 - m->bits) & 1 : m->bits > 15;
    if (m->bits < 32)
        return reads && m->bits == 14 ? MDIO_READ : MDIO_NOTHING;
    m->bits = 0;
    m->data = reads ? m->data : (uint16_t)m->shift;
    return reads ? MDIO_NOTHING : MDIO_WRITE;
}
#endif
