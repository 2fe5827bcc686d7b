/* NE2000 and RTL8029: one test a paragraph of the DP8390's data sheet. */
#include "tests/devices/net_bench.h"
#include <criterion/criterion.h>

enum { CR, PSTART, PSTOP, BNRY, TPSR, TBCR0, TBCR1, ISR, RSAR0, RSAR1, RBCR0, RBCR1, RCR, TCR, DCR, IMR, DATA, RESET = 0x1f };
enum { FIRST = 0x46, LAST = 0x80 };

static uint16_t base;
static void out(struct net_bench *t, unsigned reg, unsigned value) { bench_out8(t->b, (uint16_t)(base + reg), (uint8_t)value); }
static uint8_t in(struct net_bench *t, unsigned reg) { return bench_in8(t->b, (uint16_t)(base + reg)); }

static void remote(struct net_bench *t, unsigned address, unsigned count, unsigned command)
{
    out(t, CR, 0x22);
    out(t, RSAR0, address);
    out(t, RSAR1, address >> 8);
    out(t, RBCR0, count);
    out(t, RBCR1, count >> 8);
    out(t, CR, command);
}

static struct net_bench *started(const char *class, unsigned rcr)
{
    struct net_bench *t = net_bench_new(class, "mac=02:48:4f:00:00:02");
    base = class[0] == 'n' ? 0x300 : CARD_IO;
    out(t, CR, 0x21);
    out(t, DCR, 0x49);
    out(t, RCR, rcr);
    out(t, PSTART, FIRST);
    out(t, PSTOP, LAST);
    out(t, BNRY, FIRST);
    out(t, CR, 0x61);
    for (unsigned i = 0; i < 6; i++)
        out(t, 1 + i, (uint8_t)"\x02\x48\x4f\0\0\x02"[i]);
    out(t, 7, FIRST + 1);
    out(t, CR, 0x22);
    out(t, ISR, 0xff);
    out(t, IMR, 0x7f);
    return t;
}

static unsigned current(struct net_bench *t)
{
    out(t, CR, 0x62);
    unsigned page = in(t, 7);
    out(t, CR, 0x22);
    return page;
}

Test(dp8390, reset_and_prom)
{
    struct net_bench *t = started("ne2000", 0);
    in(t, RESET);
    cr_assert_eq(in(t, CR), 0x21);
    cr_assert(in(t, ISR) & 0x80);
    out(t, DCR, 0x48);                          /* by bytes each one comes twice, by words once */
    remote(t, 0, 32, 0x0a);
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_eq(in(t, DATA), (uint8_t)"\x02\x48\x4f\0\0\x02"[i]);
        cr_assert_eq(in(t, DATA), (uint8_t)"\x02\x48\x4f\0\0\x02"[i]);
    }
    out(t, DCR, 0x49);
    remote(t, 28, 4, 0x0a);
    cr_assert_eq(in(t, DATA), 0x57);
    cr_assert_eq(in(t, DATA), 0x57);
    cr_assert(in(t, ISR) & 0x40, "the remote DMA is complete");
    net_bench_free(t);
}

Test(dp8390, remote_dma_moves_what_is_sent)
{
    struct net_bench *t = started("ne2000", 0);
    uint8_t frame[64];
    net_bench_frame(frame, "52:54:00:00:00:01", sizeof(frame));
    remote(t, 0x4000, 64, 0x12);
    for (unsigned i = 0; i < 64; i += 2)
        bench_out16(t->b, 0x310, le16_get(frame + i));
    cr_assert(in(t, ISR) & 0x40);
    out(t, TPSR, 0x40);
    out(t, TBCR0, 64);
    out(t, TBCR1, 0);
    out(t, ISR, 0xff);
    out(t, CR, 0x26);
    cr_assert_eq(t->sent_count, 1);
    cr_assert_arr_eq(t->sent[0].bytes, frame, 64);
    cr_assert_eq(in(t, ISR), 0x02);
    cr_assert_eq(in(t, TPSR), 0x01, "TSR: sent");
    cr_assert(bench_irq(t->b, CARD_IRQ));
    net_bench_free(t);
}

Test(dp8390, the_receive_ring)
{
    struct net_bench *t = started("ne2000", 0x04);
    uint8_t frame[600];
    net_bench_frame(frame, "02:48:4f:00:00:02", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert(in(t, ISR) & 1);
    cr_assert_eq(current(t), FIRST + 4);
    remote(t, (FIRST + 1) << 8, 604, 0x0a);
    cr_assert_eq(bench_in16(t->b, 0x310), (FIRST + 4) << 8 | 1);
    cr_assert_eq(bench_in16(t->b, 0x310), 604);
    for (unsigned i = 0; i < 600; i += 2)
        cr_assert_eq(bench_in16(t->b, 0x310), le16_get(frame + i), "byte %u", i);
    net_bench_free(t);
}

Test(dp8390, the_ring_wraps_and_never_overtakes)
{
    struct net_bench *t = started("ne2000", 0x10);
    uint8_t frame[1514];
    net_bench_frame(frame, "52:54:00:00:00:01", sizeof(frame));
    unsigned read = FIRST + 1;
    for (unsigned i = 0; i < 100; i++) {
        net_bench_feed(t, frame, sizeof(frame));
        while (t->net.count > 20) {             /* the driver: takes the oldest, clears PRX */
            remote(t, read << 8, 4, 0x0a);
            unsigned header = bench_in16(t->b, 0x310), length = bench_in16(t->b, 0x310);
            cr_assert_eq(length, 1518);
            read = header >> 8;
            cr_assert(read >= FIRST && read < LAST);
            out(t, BNRY, read == FIRST ? LAST - 1 : read - 1);
            out(t, ISR, 0xff);
        }
    }
    net_bench_free(t);
}

Test(dp8390, filters)
{
    static const struct { const char *to; unsigned rcr; bool taken; } cases[] = {
        { "02:48:4f:00:00:02", 0, true }, { "02:48:4f:00:00:03", 0, false }, { "02:48:4f:00:00:03", 0x10, true },
        { "all", 0, false }, { "all", 4, true }, { "02:48:4f:00:00:02", 0x20, false },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_bench *t = started("ne2000", cases[i].rcr);
        uint8_t frame[64];
        net_bench_frame(frame, cases[i].to, sizeof(frame));
        net_bench_feed(t, frame, sizeof(frame));
        cr_assert_eq(in(t, ISR) & 1, cases[i].taken, "case %u", i);
        net_bench_free(t);
    }
}

/* A frame that comes after the driver has looked, and before it clears PRX, would be left lying by drivers of slow cards. */
Test(dp8390, ne2000_bursts)
{
    struct net_bench *t = started("ne2000", 0x10);
    uint8_t frame[64];
    net_bench_frame(frame, "all", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(current(t), FIRST + 3);
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(current(t), FIRST + 3);
    out(t, ISR, 1);
    cr_assert_eq(current(t), FIRST + 4);
    cr_assert(in(t, ISR) & 1);
    net_bench_free(t);
}

Test(dp8390, the_pci_card_knows_its_maker)
{
    struct net_bench *t = started("rtl8029", 0);
    cr_assert_eq(bench_in16(t->b, CARD_IO + 0x0a), 0x4350);
    remote(t, 0, 32, 0x0a);
    cr_assert_eq(bench_in32(t->b, CARD_IO + DATA), 0x48480202);
    net_bench_free(t);
}

/* Pages that are no ring, lengths beyond memory: each access ends. */
Test(dp8390, absurd_rings)
{
    static const uint8_t rings[][4] = { { 0, 0, 0, 0 }, { 0x80, 0x46, 0x50, 0x60 }, { 0, 0xff, 0xfe, 0xff }, { 0x46, 0x47, 0x46, 0x46 },
                                        { 0x46, 0x4c, 0x46, 0x46 }, { 0xf0, 0xff, 0xf8, 0x10 } };
    uint8_t frame[1514];
    net_bench_frame(frame, "all", sizeof(frame));
    for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        struct net_bench *t = started("ne2000", 0x1f);
        out(t, PSTART, rings[i][0]);
        out(t, PSTOP, rings[i][1]);
        out(t, BNRY, rings[i][3]);
        out(t, CR, 0x62);
        out(t, 7, rings[i][2]);
        out(t, CR, 0x22);
        for (unsigned n = 0; n < 40; n++) {
            net_bench_feed(t, frame, sizeof(frame));
            out(t, ISR, 0xff);
        }
        out(t, TPSR, 0xff);
        out(t, TBCR0, 0xff);
        out(t, TBCR1, 0xff);
        out(t, CR, 0x26);
        cr_assert_eq(t->sent_count, 0);
        net_bench_free(t);
    }
}
