/* RTL8139C: one test a paragraph of the data sheet. */
#include "tests/devices/net_bench.h"
#include <criterion/criterion.h>

enum { TSD0 = CARD_IO + 0x10, TSAD0 = CARD_IO + 0x20, RBSTART = CARD_IO + 0x30, CR = CARD_IO + 0x37, CAPR = CARD_IO + 0x38, CBR = CARD_IO + 0x3a,
       IMR = CARD_IO + 0x3c, ISR = CARD_IO + 0x3e, TCR = CARD_IO + 0x40, RCR = CARD_IO + 0x44, EEPROM = CARD_IO + 0x50, RING = 0x20000 };
enum { ROK = 1, TOK = 4, OWN = 1 << 13, SENT = 1 << 15, ALL = 1, OWN_ADDRESS = 2, BROADCAST = 8, WRAP = 0x80 };
static const char card[] = "02:48:4f:00:00:04";

static struct net_bench *started(uint32_t rcr)
{
    struct net_bench *t = net_bench_new("rtl8139", NULL);
    bench_out8(t->b, CR, 0x10);
    bench_out32(t->b, RBSTART, RING);
    bench_out8(t->b, CR, 0x0c);
    bench_out32(t->b, RCR, rcr);
    bench_out16(t->b, IMR, 0xffff);
    return t;
}

Test(rtl8139, reset_and_identity)
{
    struct net_bench *t = net_bench_new("rtl8139", NULL);
    cr_assert_eq(bench_in32(t->b, CARD_IO), 0x004f4802);
    cr_assert_eq(bench_in32(t->b, TCR) & 0x7cc00000, 0x74000000, "an RTL8139C");
    cr_assert_eq(bench_in8(t->b, CR), 1, "the receive buffer is empty");
    cr_assert_eq(bench_in32(t->b, TSD0), OWN);
    cr_assert_eq(bench_in16(t->b, CAPR), 0xfff0);
    cr_assert_eq(bench_in16(t->b, CARD_IO + 0x64) & 0x24, 0x24, "link, and negotiated");
    net_bench_free(t);
}

/* The driver's loop: command bits by rising edges, then sixteen of data. */
static uint16_t eeprom_word(struct net_bench *t, unsigned at)
{
    unsigned command = 6u << 6 | at;
    uint16_t word = 0;
    bench_out8(t->b, EEPROM, 0x80);
    for (int bit = 10; bit >= 0; bit--) {
        uint8_t in = command >> bit & 1 ? 2 : 0;
        bench_out8(t->b, EEPROM, 0x88 | in);
        bench_out8(t->b, EEPROM, 0x8c | in);
    }
    for (unsigned bit = 0; bit < 16; bit++) {
        bench_out8(t->b, EEPROM, 0x88);
        bench_out8(t->b, EEPROM, 0x8c);
        word = (uint16_t)(word << 1 | (bench_in8(t->b, EEPROM) & 1));
    }
    bench_out8(t->b, EEPROM, 0);
    return word;
}

Test(rtl8139, serial_eeprom)
{
    struct net_bench *t = net_bench_new("rtl8139", NULL);
    cr_assert_eq(eeprom_word(t, 0), 0x8129);
    cr_assert_eq(eeprom_word(t, 7), 0x4802);
    cr_assert_eq(eeprom_word(t, 9), 0x0400);
    net_bench_free(t);
}

Test(rtl8139, four_transmit_buffers_in_turn)
{
    struct net_bench *t = started(0);
    for (unsigned n = 0; n < 6; n++) {
        net_bench_frame(t->ram + 0x1000, card, 100 + n);
        bench_out32(t->b, (uint16_t)(TSAD0 + n % 4 * 4), 0x1000);
        bench_out32(t->b, (uint16_t)(TSD0 + n % 4 * 4), 100 + n);
        cr_assert_eq(bench_in32(t->b, (uint16_t)(TSD0 + n % 4 * 4)), (OWN | SENT | (100 + n)));
    }
    cr_assert_eq(t->sent_count, 6);
    cr_assert_eq(t->sent[5].length, 105);
    cr_assert_eq(bench_in16(t->b, ISR), TOK);
    cr_assert(bench_irq(t->b, CARD_IRQ));
    bench_out16(t->b, ISR, TOK);
    cr_assert_not(bench_irq(t->b, CARD_IRQ));
    net_bench_free(t);
}

/* A buffer that is filled before its turn waits. */
Test(rtl8139, out_of_turn)
{
    struct net_bench *t = started(0);
    bench_out32(t->b, TSAD0 + 4, 0x1000);
    bench_out32(t->b, TSD0 + 4, 64);
    cr_assert_eq(t->sent_count, 0);
    bench_out32(t->b, TSAD0, 0x2000);
    bench_out32(t->b, TSD0, 80);
    cr_assert_eq(t->sent_count, 2);
    cr_assert_eq(t->sent[0].length, 80);
    net_bench_free(t);
}

Test(rtl8139, the_receive_ring)
{
    struct net_bench *t = started(OWN_ADDRESS | BROADCAST);
    uint8_t frame[101];
    net_bench_frame(frame, card, sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    net_bench_frame(frame, "all", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    net_bench_frame(frame, "52:54:00:00:00:01", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(bench_in16(t->b, ISR), ROK);
    cr_assert_eq(bench_in8(t->b, CR) & 1, 0);
    cr_assert_eq(net_bench_get32(t, RING), (105u << 16 | 0x4001), "to this station");
    cr_assert_eq(net_bench_get32(t, RING + 112), (105u << 16 | 0x2001), "broadcast, at a double word");
    cr_assert_eq(bench_in16(t->b, CBR), 224, "the third was for another");
    bench_out16(t->b, CAPR, 224 - 16);
    cr_assert_eq(bench_in8(t->b, CR) & 1, 1);
    net_bench_free(t);
}

/* At the ring's end a frame goes on at its start, or, with WRAP, behind it; it never overtakes the reader. */
Test(rtl8139, the_ring_ends)
{
    for (unsigned wrap = 0; wrap < 2; wrap++) {
        struct net_bench *t = started(ALL | (wrap ? WRAP : 0));
        uint8_t frame[1514];
        net_bench_frame(frame, "all", sizeof(frame));
        uint16_t read = 0;
        for (unsigned n = 0; n < 40; n++) {
            net_bench_feed(t, frame, sizeof(frame));
            uint32_t used = (uint32_t)(bench_in16(t->b, CBR) - read) & 8191;
            cr_assert(used <= 8192 - 8);
            if (t->net.count < 3)
                continue;
            cr_assert_eq(net_bench_get32(t, RING + read) >> 16, 1518, "frame %u", n);
            bool splits = read + 1522 > 8192;
            uint32_t last = RING + (splits && !wrap ? read + 1517 - 8192 : read + 1517);
            cr_assert_eq(t->ram[last], frame[1513]);
            read = (uint16_t)((read + 1522 + 3) & 8188);
            bench_out16(t->b, CAPR, (uint16_t)(read - 16));
        }
        net_bench_free(t);
    }
}

/* The driver cleared the cause, and left frames in a full ring: it is told again. */
Test(rtl8139, a_full_ring_tells_again)
{
    struct net_bench *t = started(ALL);
    uint8_t frame[1514];
    net_bench_frame(frame, "all", sizeof(frame));
    for (unsigned n = 0; n < 8; n++)
        net_bench_feed(t, frame, sizeof(frame));
    cr_assert(t->net.count > 0);
    bench_out16(t->b, ISR, ROK);
    bench_step(t->b, 2000000);
    cr_assert(bench_in16(t->b, ISR) & ROK);
    net_bench_free(t);
}

Test(rtl8139, absurd_lengths_and_addresses)
{
    struct net_bench *t = started(ALL | 3 << 11 | WRAP);
    uint8_t frame[1514];
    net_bench_frame(frame, "all", sizeof(frame));
    static const uint32_t addresses[] = { 0xfffffff0, 0xfff00, 0xf0000000, 0x80000000 };
    for (unsigned i = 0; i < 4; i++) {
        bench_out32(t->b, RBSTART, addresses[i]);
        bench_out32(t->b, (uint16_t)(TSAD0 + 4 * i), addresses[i]);
        bench_out32(t->b, (uint16_t)(TSD0 + 4 * i), i & 1 ? 0x1fff : 0);
        bench_out16(t->b, CAPR, (uint16_t)(i * 0x5555));
        net_bench_feed(t, frame, sizeof(frame));
    }
    cr_assert_eq(t->sent_count, 0);
    net_bench_free(t);
}
