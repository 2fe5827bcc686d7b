/* Am79C970A: one test a paragraph of "Software Access" and "Buffer Management". */
#include "tests/devices/net_bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { RDP = CARD_IO + 0x10, RAP = CARD_IO + 0x12, RESET = CARD_IO + 0x14, BDP = CARD_IO + 0x16 };
enum { BLOCK = 0x1000, RX = 0x2000, TX = 0x3000, BUFFERS = 0x10000, LOG = 3, RING = 1 << LOG };
enum { INIT = 1, STRT = 2, STOP = 4, TDMD = 8, IENA = 0x40, INTR = 0x80, IDON = 0x100, TINT = 0x200, RINT = 0x400, MERR = 0x800, BABL = 0x4000 };
#define OWN 0x80000000u
#define STP 0x02000000u
#define ENP 0x01000000u
static const char card[] = "02:48:4f:00:00:01";

static uint16_t csr(struct net_bench *t, unsigned n)
{
    bench_out16(t->b, RAP, (uint16_t)n);
    return bench_in16(t->b, RDP);
}
static void set_csr(struct net_bench *t, unsigned n, uint16_t value)
{
    bench_out16(t->b, RAP, (uint16_t)n);
    bench_out16(t->b, RDP, value);
}
static void set_bcr(struct net_bench *t, unsigned n, uint16_t value)
{
    bench_out16(t->b, RAP, (uint16_t)n);
    bench_out16(t->b, BDP, value);
}

/* 32-bit style, rings of eight, receive buffers of `bytes`. */
static struct net_bench *started(uint16_t mode, uint32_t bytes)
{
    struct net_bench *t = net_bench_new("am79c970a", NULL);
    set_bcr(t, 20, 2);
    net_bench_put32(t, BLOCK, mode | LOG << 20 | (uint32_t)LOG << 28);
    memcpy(t->ram + BLOCK + 4, "\x02\x48\x4f\0\0\x01", 6);
    net_bench_put32(t, BLOCK + 20, RX);
    net_bench_put32(t, BLOCK + 24, TX);
    for (unsigned n = 0; n < RING; n++) {
        net_bench_put32(t, RX + 16 * n, BUFFERS + n * 2048);
        net_bench_put32(t, RX + 16 * n + 4, OWN | (-bytes & 0xffff));
    }
    set_csr(t, 1, BLOCK);
    set_csr(t, 2, 0);
    set_csr(t, 0, INIT | IENA);
    cr_assert(csr(t, 0) & IDON);
    cr_assert(bench_irq(t->b, CARD_IRQ));
    set_csr(t, 0, IDON | STRT | IENA);
    cr_assert_not(bench_irq(t->b, CARD_IRQ));
    return t;
}

static void put_frame(struct net_bench *t, unsigned n, uint32_t at, uint32_t length, uint32_t flags)
{
    net_bench_put32(t, TX + 16 * n, at);
    net_bench_put32(t, TX + 16 * n + 4, OWN | flags | (-length & 0xffff));
}

Test(am79c970a, address_prom_and_chip_number)
{
    struct net_bench *t = net_bench_new("am79c970a", NULL);
    unsigned sum = 0;
    cr_assert_eq(bench_in32(t->b, CARD_IO), 0x004f4802);
    for (unsigned i = 0; i < 16; i++)
        sum += i == 12 || i == 13 ? 0 : bench_in8(t->b, (uint16_t)(CARD_IO + i));
    cr_assert_eq(bench_in16(t->b, CARD_IO + 12), sum);
    cr_assert_eq(bench_in16(t->b, CARD_IO + 14), 0x5757);
    cr_assert_eq(csr(t, 0), STOP);
    cr_assert_eq(csr(t, 88), 0x1003);
    cr_assert_eq(csr(t, 89), 0x0262);
    net_bench_free(t);
}

Test(am79c970a, a_double_word_to_rdp_switches_to_32_bit_ports)
{
    struct net_bench *t = net_bench_new("am79c970a", NULL);
    bench_out32(t->b, RDP, 0);
    bench_out32(t->b, CARD_IO + 0x14, 88);
    cr_assert_eq(bench_in32(t->b, RDP), 0x1003);
    cr_assert_eq(bench_in32(t->b, CARD_IO + 0x14), 88);
    bench_in32(t->b, CARD_IO + 0x18);           /* a soft reset keeps the width */
    cr_assert_eq(bench_in32(t->b, RDP), STOP);
    net_bench_free(t);
}

Test(am79c970a, a_frame_from_two_buffers)
{
    struct net_bench *t = started(0, 1536);
    uint8_t frame[100];
    net_bench_frame(frame, "52:54:00:00:00:09", sizeof(frame));
    memcpy(t->ram + BUFFERS + 0x8001, frame, 30);
    memcpy(t->ram + BUFFERS + 0x9000, frame + 30, 70);
    put_frame(t, 0, BUFFERS + 0x8001, 30, STP);
    put_frame(t, 1, BUFFERS + 0x9000, 70, ENP);
    set_csr(t, 0, TDMD | IENA);
    cr_assert_eq(t->sent_count, 1);
    cr_assert_eq(t->sent[0].length, 100);
    cr_assert_arr_eq(t->sent[0].bytes, frame, 100);
    cr_assert_eq(net_bench_get32(t, TX + 4) & OWN, 0);
    cr_assert_eq(net_bench_get32(t, TX + 20) & OWN, 0);
    cr_assert(csr(t, 0) & TINT && csr(t, 0) & INTR);
    cr_assert(bench_irq(t->b, CARD_IRQ));
    set_csr(t, 0, TINT | IENA);
    cr_assert_not(bench_irq(t->b, CARD_IRQ));
    net_bench_free(t);
}

Test(am79c970a, without_tdmd_the_chip_polls)
{
    struct net_bench *t = started(0, 1536);
    put_frame(t, 0, BUFFERS, 60, STP | ENP);
    cr_assert_eq(t->sent_count, 0);
    bench_step(t->b, 40000000);
    cr_assert_eq(t->sent_count, 1);
    net_bench_free(t);
}

Test(am79c970a, a_received_frame_has_its_fcs_and_length)
{
    struct net_bench *t = started(0, 1536);
    uint8_t frame[200];
    net_bench_frame(frame, card, sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert(csr(t, 0) & RINT);
    cr_assert_eq(net_bench_get32(t, RX + 4) >> 24, 0x03);
    cr_assert(net_bench_get32(t, RX + 4) & 1 << 22, "matched by the physical address");
    cr_assert_eq(net_bench_get32(t, RX + 8) & 0xfff, 204);
    cr_assert_arr_eq(t->ram + BUFFERS, frame, 200);
    cr_assert_eq(net_bench_get32(t, BUFFERS + 200), net_crc(frame, 200));
    net_bench_free(t);
}

Test(am79c970a, a_frame_over_several_receive_buffers)
{
    struct net_bench *t = started(0, 64);
    uint8_t frame[150];
    net_bench_frame(frame, "all", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(net_bench_get32(t, RX + 4) >> 24, 0x02);
    cr_assert_eq(net_bench_get32(t, RX + 20) >> 24, 0x00);
    cr_assert_eq(net_bench_get32(t, RX + 36) >> 24, 0x01);
    cr_assert_eq(net_bench_get32(t, RX + 40) & 0xfff, 154);
    cr_assert_arr_eq(t->ram + BUFFERS + 2048, frame + 64, 64);
    net_bench_free(t);
}

/* Who may come in: own address, broadcasts, groups of the logical filter; all when promiscuous. */
Test(am79c970a, address_matching)
{
    static const struct { const char *to; uint16_t mode; bool taken; } cases[] = {
        { "02:48:4f:00:00:01", 0, true }, { "02:48:4f:00:00:02", 0, false }, { "all", 0, true }, { "02:48:4f:00:00:02", 0x8000, true },
        { "all", 0x4000, false }, { "02:48:4f:00:00:01", 0x2000, false },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_bench *t = started(cases[i].mode, 1536);
        uint8_t frame[64];
        net_bench_frame(frame, cases[i].to, sizeof(frame));
        net_bench_feed(t, frame, sizeof(frame));
        cr_assert_eq(!(net_bench_get32(t, RX + 4) & OWN), cases[i].taken, "case %u", i);
        net_bench_free(t);
    }
}

Test(am79c970a, frames_wait_while_the_ring_is_full)
{
    struct net_bench *t = started(0, 1536);
    uint8_t frame[64];
    net_bench_frame(frame, card, sizeof(frame));
    for (unsigned n = 0; n < RING + 2; n++) {
        frame[20] = (uint8_t)n;
        net_bench_feed(t, frame, sizeof(frame));
    }
    cr_assert_eq(t->net.count, 2);
    net_bench_put32(t, RX + 4, OWN | 0xfa00);
    set_csr(t, 0, RINT | IENA);
    cr_assert_eq(t->net.count, 1);
    cr_assert_eq(t->ram[BUFFERS + 20], RING);
    net_bench_free(t);
}

Test(am79c970a, the_16_bit_descriptors_of_the_lance)
{
    struct net_bench *t = net_bench_new("am79c970a", NULL);
    uint8_t frame[80];
    le16_put(t->ram + BLOCK, 0x8000);
    net_bench_put32(t, BLOCK + 16, RX | 1u << 29);
    net_bench_put32(t, BLOCK + 20, TX | 1u << 29);
    net_bench_put32(t, RX, BUFFERS | OWN);
    net_bench_put32(t, RX + 4, -1536 & 0xffff);
    net_bench_put32(t, TX, (BUFFERS + 4096) | OWN | STP | ENP);
    net_bench_put32(t, TX + 4, -90 & 0xffff);
    set_csr(t, 1, BLOCK);
    set_csr(t, 2, 0);
    set_csr(t, 0, INIT);
    set_csr(t, 0, STRT);
    cr_assert_eq(t->sent_count, 1);
    cr_assert_eq(t->sent[0].length, 90);
    net_bench_frame(frame, "52:54:00:00:00:01", sizeof(frame));
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(net_bench_get32(t, RX) >> 24, 0x03);
    cr_assert_eq(le16_get(t->ram + RX + 6), 84);
    net_bench_free(t);
}

Test(am79c970a, an_overlong_frame_is_not_sent)
{
    struct net_bench *t = started(0, 1536);
    put_frame(t, 0, BUFFERS, 1000, STP);
    put_frame(t, 1, BUFFERS, 1000, ENP);
    set_csr(t, 0, TDMD);
    cr_assert_eq(t->sent_count, 0);
    cr_assert(csr(t, 0) & BABL);
    net_bench_free(t);
}

/* Every descriptor is ours for ever (the ring lies where nothing can be written), or lies beyond memory: an access ends all the same. */
Test(am79c970a, rings_that_never_end)
{
    struct net_bench *t = started(0, 1536);
    static uint8_t rom[4096];
    for (unsigned n = 0; n < sizeof(rom); n += 4)
        le32_put(rom + n, OWN | STP | ENP | 0xf9c4);
    space_map_ram(t->b->m->memory, 0xf8000000, sizeof(rom), rom, 0, 0);
    for (unsigned i = 0; i < 3; i++) {
        net_bench_put32(t, BLOCK + 20, i == 1 ? 0xfffffff0 : 0xf8000000);
        net_bench_put32(t, BLOCK + 24, i == 1 ? 0xfffffff0 : 0xf8000000);
        set_csr(t, 0, STOP);
        set_csr(t, 0, INIT);
        set_csr(t, 0, STRT | TDMD);
        set_csr(t, 76, 0);                      /* lengths of 65536 */
        set_csr(t, 78, 0);
        uint8_t frame[1514];
        net_bench_frame(frame, "all", sizeof(frame));
        net_bench_feed(t, frame, sizeof(frame));
        set_csr(t, 0, TDMD);
        bench_step(t->b, 100000000);
    }
    cr_assert(csr(t, 0) & MERR || t->sent_count);
    net_bench_free(t);
}
