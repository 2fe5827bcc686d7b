/* 82540EM and 82543GC: registers, rings, offloads. */
#include "tests/devices/net_bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { CTRL = 0, STATUS = 8, EERD = 0x14, MDIC = 0x20, ICR = 0xc0, ITR = 0xc4, IMS = 0xd0, IMC = 0xd8, RCTL = 0x100, TCTL = 0x400,
       RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, RAL = 0x5400 };
enum { RX = 0x2000, TX = 0x3000, BUFFERS = 0x10000, RING = 8, EOP = 1 << 24, IC = 4 << 24, RS = 8 << 24, DEXT = 1 << 29, TSE = 4 << 24 };
static const char card[] = "02:48:4f:00:00:05";

static uint32_t in(struct net_bench *t, unsigned at) { return (uint32_t)bench_peek(t->b, CARD_MEMORY + at, 4); }
static void out(struct net_bench *t, unsigned at, uint32_t v) { bench_poke(t->b, CARD_MEMORY + at, 4, v); }

static struct net_bench *started(uint32_t rctl)
{
    struct net_bench *t = net_bench_new("i82540em", NULL);
    for (unsigned n = 0; n < RING; n++)
        net_bench_put32(t, RX + 16 * n, BUFFERS + 2048 * n);
    out(t, RDBAL, RX);
    out(t, RDLEN, RING * 16);
    out(t, RDT, RING - 1);
    out(t, RCTL, rctl | 2);
    out(t, TDBAL, TX);
    out(t, TDLEN, RING * 16);
    out(t, TCTL, 0x0a);
    out(t, IMS, 0x1ffff);
    in(t, ICR);
    return t;
}

static void descriptor(struct net_bench *t, unsigned n, uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
    net_bench_put32(t, TX + 16 * n, w0);
    net_bench_put32(t, TX + 16 * n + 4, w1);
    net_bench_put32(t, TX + 16 * n + 8, w2);
    net_bench_put32(t, TX + 16 * n + 12, w3);
}

/* IPv4 and TCP of `data` bytes after the Ethernet header; no checksums. */
static size_t packet(uint8_t *p, size_t data)
{
    net_bench_frame(p, card, 54 + data);
    memset(p + 14, 0, 40);
    be16_put(p + 12, 0x0800);
    p[14] = 0x45;
    be16_put(p + 16, (uint16_t)(40 + data));
    be16_put(p + 18, 0x1234);
    p[22] = 64;
    p[23] = 6;
    be32_put(p + 26, 0x0a00020f);
    be32_put(p + 30, 0x0a000202);
    be32_put(p + 38, 1000);
    p[46] = 0x50;
    p[47] = 0x19;
    return 54 + data;
}

static uint16_t pseudo(const uint8_t *p, size_t length) { return net_checksum(6 + (uint32_t)length, p + 26, 8); }
static bool sums_hold(const uint8_t *p)
{
    size_t total = be16_get(p + 16);
    return net_checksum(0, p + 14, 20) == 0xffff && net_checksum(pseudo(p, total - 20), p + 34, total - 20) == 0xffff;
}

Test(i82540em, identity_eeprom_and_transceiver)
{
    struct net_bench *t = net_bench_new("i82540em", NULL);
    unsigned sum = 0;
    cr_assert_eq(in(t, RAL), 0x004f4802);
    cr_assert_eq(in(t, RAL + 4), 0x80000500);
    cr_assert_eq(in(t, STATUS), 0x83);
    for (unsigned n = 0; n < 64; n++) {
        out(t, EERD, n << 8 | 1);
        cr_assert(in(t, EERD) & 0x10);
        sum += in(t, EERD) >> 16;
    }
    cr_assert_eq(sum & 0xffff, 0xbaba);
    out(t, MDIC, 2u << 26 | 1 << 21 | 2 << 16);
    cr_assert_eq(in(t, MDIC) & 0x5000ffff, 0x10000141);
    out(t, MDIC, 2u << 26 | 7 << 21 | 2 << 16);
    cr_assert(in(t, MDIC) & 0x40000000, "no such transceiver");
    net_bench_free(t);
}

Test(i82540em, a_legacy_frame_with_a_checksum)
{
    struct net_bench *t = started(0);
    size_t length = packet(t->ram + BUFFERS, 100);
    descriptor(t, 0, BUFFERS, 0, (uint32_t)length | EOP | IC | RS | 50 << 16, 34 << 8);
    out(t, TDT, 1);
    cr_assert_eq(t->sent_count, 1);
    cr_assert_eq(t->sent[0].length, length);
    cr_assert_eq(net_checksum(0, t->sent[0].bytes + 34, length - 34), 0xffff);
    cr_assert_eq(net_bench_get32(t, TX + 12) & 1, 1, "done");
    cr_assert_eq(in(t, TDH), 1);
    cr_assert(bench_irq(t->b, CARD_IRQ));
    cr_assert_eq(in(t, ICR), 3);
    cr_assert_not(bench_irq(t->b, CARD_IRQ));
    net_bench_free(t);
}

static void context(struct net_bench *t, unsigned n, uint32_t command, uint32_t header, uint32_t mss)
{
    descriptor(t, n, 14 | 24 << 8 | 33u << 16, 34 | 50 << 8, command | DEXT, header << 8 | mss << 16);
}

Test(i82540em, checksums_by_context)
{
    struct net_bench *t = started(0);
    size_t length = packet(t->ram + BUFFERS, 333);
    be16_put(t->ram + BUFFERS + 50, pseudo(t->ram + BUFFERS, length - 34));
    context(t, 0, 3u << 24, 0, 0);
    descriptor(t, 1, BUFFERS, 0, (uint32_t)length | EOP | RS | DEXT | 1 << 20, 3 << 8);
    out(t, TDT, 2);
    cr_assert_eq(t->sent_count, 1);
    cr_assert(sums_hold(t->sent[0].bytes));
    net_bench_free(t);
}

Test(i82540em, tcp_segmentation)
{
    struct net_bench *t = started(0);
    size_t length = packet(t->ram + BUFFERS, 5000);
    be16_put(t->ram + BUFFERS + 50, pseudo(t->ram + BUFFERS, 0));
    context(t, 0, 3u << 24 | TSE, 54, 1460);
    descriptor(t, 1, BUFFERS, 0, 1000 | RS | DEXT | TSE | 1 << 20, 3 << 8);
    descriptor(t, 2, BUFFERS + 1000, 0, (uint32_t)(length - 1000) | EOP | RS | DEXT | TSE | 1 << 20, 3 << 8);
    out(t, TDT, 2);
    cr_assert_eq(t->sent_count, 0, "the end is not there yet");
    out(t, TDT, 3);
    cr_assert_eq(t->sent_count, 4);
    size_t done = 0;
    for (unsigned n = 0; n < 4; n++) {
        const uint8_t *p = t->sent[n].bytes;
        size_t data = t->sent[n].length - 54;
        cr_assert(sums_hold(p), "segment %u", n);
        cr_assert_eq(be32_get(p + 38), 1000 + done);
        cr_assert_eq(be16_get(p + 18), 0x1234 + n);
        cr_assert_eq(p[47], n == 3 ? 0x19 : 0x10);
        cr_assert_arr_eq(p + 54, t->ram + BUFFERS + 54 + done, data);
        done += data;
    }
    cr_assert_eq(done, 5000);
    cr_assert_eq(net_bench_get32(t, TX + 16 + 12) & 1, 1);
    net_bench_free(t);
}

Test(i82540em, a_received_frame_is_checked)
{
    struct net_bench *t = started(0);
    uint8_t frame[300];
    size_t length = packet(frame, 200);
    be16_put(frame + 24, (uint16_t)~net_checksum(0, frame + 14, 20));
    be16_put(frame + 50, (uint16_t)~net_checksum(pseudo(frame, length - 34), frame + 34, length - 34));
    net_bench_feed(t, frame, length);
    cr_assert_eq(net_bench_get32(t, RX + 8) & 0xffff, length + 4);
    cr_assert_eq(net_bench_get32(t, RX + 12) & 0xffff, 0x63, "done, end, both sums good");
    cr_assert_eq(net_bench_get32(t, (uint32_t)(BUFFERS + length)), net_crc(frame, length));
    frame[60] ^= 1;
    net_bench_feed(t, frame, length);
    cr_assert_eq(net_bench_get32(t, RX + 16 + 12) & 0xffff, 0x2063, "TCP error");
    cr_assert_eq(in(t, RDH), 2);
    cr_assert(in(t, ICR) & 0x80);
    net_bench_free(t);
}

Test(i82540em, filters_and_small_buffers)
{
    struct net_bench *t = started(3 << 16 | 1 << 26 | 1 << 15);        /* 256 bytes, FCS stripped, broadcasts */
    uint8_t frame[600];
    net_bench_frame(frame, "52:54:00:00:00:01", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(in(t, RDH), 0);
    net_bench_frame(frame, "all", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(in(t, RDH), 3);
    cr_assert_eq(net_bench_get32(t, RX + 12) & 2, 0);
    cr_assert_eq(net_bench_get32(t, RX + 32 + 8) & 0xffff, 600 - 512);
    cr_assert_eq(net_bench_get32(t, RX + 32 + 12) & 2, 2);
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(t->net.count, 1, "too few buffers for the longest frame: it waits");
    net_bench_free(t);
}

Test(i82540em, interrupts_keep_their_distance)
{
    struct net_bench *t = started(1 << 15);
    uint8_t frame[64];
    net_bench_frame(frame, "all", sizeof(frame));
    out(t, ITR, 1000);                          /* of 256 ns */
    bench_step(t->b, 1000000);
    bench_rises(t->b, CARD_IRQ);
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(bench_rises(t->b, CARD_IRQ), 1);
    in(t, ICR);
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(bench_rises(t->b, CARD_IRQ), 0);
    bench_step(t->b, 300000);
    cr_assert_eq(bench_rises(t->b, CARD_IRQ), 1);
    net_bench_free(t);
}

Test(i82540em, reset_by_ctrl)
{
    struct net_bench *t = started(0);
    out(t, CTRL, 1 << 26);
    cr_assert_eq(in(t, RCTL), 0);
    cr_assert_eq(in(t, IMS), 0);
    cr_assert_eq(in(t, RAL), 0x004f4802);
    net_bench_free(t);
}

/* Rings beyond memory, heads behind the end, segments of nothing: each access ends. */
Test(i82540em, absurd_rings)
{
    struct net_bench *t = started(1 << 15);
    uint8_t frame[1514];
    net_bench_frame(frame, "all", sizeof(frame));
    static const uint32_t lengths[] = { 0, 0x80, 0xffff80, 0xffffffff };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 3; k++) {
            out(t, RDBAL, k == 2 ? 0xffffff00 : 0);
            out(t, TDBAL, k == 1 ? 0xfffffff0 : 0);
            out(t, RDLEN, lengths[i]);
            out(t, TDLEN, lengths[i]);
            out(t, RDH, 0xfffe * (k & 1));
            out(t, RDT, 0xffff);
            out(t, TDH, k);
            out(t, TDT, 0xffff);
            net_bench_feed(t, frame, sizeof(frame));
            bench_step(t->b, 1000);
        }
    out(t, TDLEN, RING * 16);
    out(t, TDBAL, TX);
    for (unsigned i = 0; i < 5; i++) {          /* header longer than the packet, or than a frame; no segment size */
        out(t, TDH, 0);
        context(t, 0, 3u << 24 | TSE, i == 0 ? 255 : i == 1 ? 10 : 54, i == 2 ? 0 : i == 3 ? 0xffff : 1);
        descriptor(t, 1, BUFFERS, 0, (i == 4 ? 0xfffffu : 200) | EOP | DEXT | TSE | 1 << 20, 3 << 8);
        out(t, TDT, 2);
    }
    cr_assert(t->sent_count <= SENT_MAX);
    net_bench_free(t);
}
