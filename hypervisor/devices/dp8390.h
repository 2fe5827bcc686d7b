/* The network controller of the NE2000 family: a DP8390's registers, with a buffer memory behind a data port. Cards embed it, map their
 * ports to dp8390_read and dp8390_write, and list its state with DP8390_STATE. */
#ifndef DEVICES_DP8390_H
#define DEVICES_DP8390_H
#include "net/net.h"

enum { DP8390_PORTS = 32, DP8390_DATA = 0x10, DP8390_RESET = 0x18, DP8390_MEMORY = 16 << 10, DP8390_MEMORY_BASE = 0x4000 };
struct dp8390 {
    void *card;
    void (*irq)(void *card, bool level);
    uint8_t (*page3)(void *card, unsigned reg); /* may be NULL: the fourth page is the chip's test page */
    bool realtek;                               /* identification in the place of two write-only registers */
    struct net_port port;
    const struct clock *clock;
    uint8_t prom[32];
    uint8_t cr, isr, imr, dcr, rcr, tcr, tsr, rsr, tpsr, pstart, pstop, bnry, curr, par[6], mar[8];        /* state, from here */
    uint16_t tbcr, rsar, rbcr;
    uint16_t looks; uint8_t burst; int64_t burst_at;    /* register accesses since the burst of frames began; its frames */
    uint8_t memory[DP8390_MEMORY];
};
extern const struct state_field dp8390_state[];
#define DP8390_STATE(T, m) FIELD_STRUCT(T, m, dp8390_state)

bool dp8390_init(struct dp8390 *, const struct clock *, const char *mac, const char *what, struct error *);
void dp8390_reset(struct dp8390 *, bool power); /* power: memory and address registers too */
uint64_t dp8390_read(struct dp8390 *, unsigned port, unsigned size);
void dp8390_write(struct dp8390 *, unsigned port, unsigned size, uint32_t value);
#endif
