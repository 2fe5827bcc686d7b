/* DECchip 21140A: registers, descriptors, setup frames, serial ROM and MII. */
#include "tests/devices/net_bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { RX = 0x2000, TX = 0x3000, BUFFERS = 0x10000, RING = 4 };
enum { SR = 2, ST = 1 << 13, TI = 1, RI = 1 << 6, RU = 1 << 7, NIS = 1 << 16 };
enum { FS = 1 << 29, LS = 1 << 30, SET = 1 << 27, END_OF_RING = 1 << 25, CHAIN = 1 << 24 };
#define OWN 0x80000000u
#define IC 0x80000000u
static const char card[] = "02:48:4f:00:00:06";

static uint32_t csr(struct net_bench *t, unsigned n) { return bench_in32(t->b, (uint16_t)(CARD_IO + 8 * n)); }
static void set_csr(struct net_bench *t, unsigned n, uint32_t v) { bench_out32(t->b, (uint16_t)(CARD_IO + 8 * n), v); }

static void descriptor(struct net_bench *t, uint32_t at, uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
    net_bench_put32(t, at, w0);
    net_bench_put32(t, at + 4, w1);
    net_bench_put32(t, at + 8, w2);
    net_bench_put32(t, at + 12, w3);
}

static struct net_bench *started(void)
{
    struct net_bench *t = net_bench_new("dec21140", NULL);
    set_csr(t, 0, 1);
    for (unsigned n = 0; n < RING; n++)
        descriptor(t, RX + 16 * n, OWN, 1600u | (n == RING - 1 ? END_OF_RING : 0), BUFFERS + 2048 * n, 0);
    set_csr(t, 3, RX);
    set_csr(t, 4, TX);
    set_csr(t, 7, 0x1ffff);
    set_csr(t, 6, SR | ST);
    return t;
}

static void filter(struct net_bench *t, uint32_t kind)
{
    descriptor(t, TX, OWN, SET | IC | END_OF_RING | kind | 192, 0x5000, 0);
    set_csr(t, 1, 1);
    cr_assert_eq(net_bench_get32(t, TX), 0x7fffffff);
    cr_assert(csr(t, 5) & TI);
    set_csr(t, 5, TI | 4);
}

static void own_address_at(struct net_bench *t, uint32_t at)
{
    le16_put(t->ram + at, 0x4802);
    le16_put(t->ram + at + 4, 0x004f);
    le16_put(t->ram + at + 8, 0x0600);
}

static bool takes(struct net_bench *t, const char *to)
{
    static unsigned at;
    uint8_t frame[64];
    net_bench_frame(frame, to, sizeof(frame));
    uint32_t before = csr(t, 5) & RI;
    cr_assert_eq(before, 0);
    net_bench_feed(t, frame, sizeof(frame));
    bool taken = csr(t, 5) & RI;
    set_csr(t, 5, RI);
    for (at = 0; at < RING; at++)
        net_bench_put32(t, RX + 16 * at, OWN);
    return taken;
}

Test(dec21140, setup_frames)
{
    struct net_bench *t = started();
    own_address_at(t, 0x5000 + 12 * 3);
    memset(t->ram + 0x5000 + 12 * 4, 0xff, 12);
    filter(t, 0);
    cr_assert(takes(t, card));
    cr_assert(takes(t, "all"));
    cr_assert_not(takes(t, "02:48:4f:00:00:07"));
    filter(t, 1 << 28);                         /* inverse */
    cr_assert_not(takes(t, card));
    cr_assert(takes(t, "02:48:4f:00:00:07"));
    memset(t->ram + 0x5000, 0, 192);            /* hash for groups, one address */
    own_address_at(t, 0x5000 + 156);
    unsigned hash = ~net_crc("\xff\xff\xff\xff\xff\xff", 6) & 511;
    le16_put(t->ram + 0x5000 + hash / 16 * 4, (uint16_t)(1u << hash % 16));
    filter(t, 1 << 22);
    cr_assert(takes(t, card));
    cr_assert(takes(t, "all"));
    cr_assert_not(takes(t, "02:48:4f:00:00:07"));
    set_csr(t, 6, SR | ST | 1 << 6);
    cr_assert(takes(t, "02:48:4f:00:00:07"), "promiscuous");
    net_bench_free(t);
}

Test(dec21140, a_frame_from_three_buffers_and_a_chain)
{
    struct net_bench *t = started();
    uint8_t frame[130];
    net_bench_frame(frame, card, sizeof(frame));
    memcpy(t->ram + 0x8000, frame, 40);
    memcpy(t->ram + 0x9000, frame + 40, 50);
    memcpy(t->ram + 0xa000, frame + 90, 40);
    descriptor(t, TX, OWN, FS | 40 | 50 << 11, 0x8000, 0x9000);
    descriptor(t, TX + 16, OWN, LS | IC | CHAIN | 40, 0xa000, TX + 0x100);
    set_csr(t, 1, 1);
    cr_assert_eq(t->sent_count, 1);
    cr_assert_arr_eq(t->sent[0].bytes, frame, 130);
    cr_assert_eq(net_bench_get32(t, TX + 16), 0);
    cr_assert(csr(t, 5) & TI && csr(t, 5) & NIS);
    cr_assert_eq(csr(t, 5) >> 20 & 7, 6, "suspended");
    cr_assert(bench_irq(t->b, CARD_IRQ));
    descriptor(t, TX + 0x100, OWN, FS | LS | 60, 0x8000, 0);
    set_csr(t, 1, 1);
    cr_assert_eq(t->sent_count, 2);
    net_bench_free(t);
}

Test(dec21140, a_received_frame)
{
    struct net_bench *t = started();
    uint8_t frame[200];
    set_csr(t, 6, SR | 1 << 6);
    set_csr(t, 5, 0x1ffff);
    net_bench_frame(frame, card, sizeof(frame));
    descriptor(t, RX, OWN, 100 | 50 << 11, BUFFERS, 0x9000);
    net_bench_feed(t, frame, sizeof(frame));
    cr_assert_eq(net_bench_get32(t, RX), (204u << 16 | 1 << 9 | 1 << 5), "the first part");
    cr_assert_eq(net_bench_get32(t, RX + 16), (204u << 16 | 1 << 8 | 1 << 5), "the last");
    cr_assert_arr_eq(t->ram + BUFFERS, frame, 100);
    cr_assert_arr_eq(t->ram + 0x9000, frame + 100, 50);
    cr_assert_arr_eq(t->ram + BUFFERS + 2048, frame + 150, 50);
    cr_assert_eq(net_bench_get32(t, BUFFERS + 2048 + 50), net_crc(frame, 200));
    net_bench_free(t);
}

static uint16_t rom_word(struct net_bench *t, unsigned at)
{
    uint16_t word = 0;
    unsigned command = 6u << 6 | at;
    set_csr(t, 9, 0x4800);
    for (int bit = 8; bit >= 0; bit--) {
        uint32_t in = command >> bit & 1 ? 4 : 0;
        set_csr(t, 9, 0x4801 | in);
        set_csr(t, 9, 0x4803 | in);
    }
    for (unsigned bit = 0; bit < 16; bit++) {
        set_csr(t, 9, 0x4801);
        set_csr(t, 9, 0x4803);
        word = (uint16_t)(word << 1 | (csr(t, 9) >> 3 & 1));
    }
    set_csr(t, 9, 0x4800);
    return word;
}

Test(dec21140, the_serial_rom_and_its_checksum)
{
    struct net_bench *t = started();
    uint8_t rom[128];
    for (unsigned n = 0; n < 64; n++)
        le16_put(rom + 2 * n, rom_word(t, n));
    cr_assert_arr_eq(rom + 20, "\x02\x48\x4f\0\0\x06", 6);
    cr_assert_eq(rom[18], 3);
    cr_assert_eq(le16_get(rom + 126), net_crc(rom, 126) & 0xffff);
    net_bench_free(t);
}

static void mdio_bits(struct net_bench *t, uint32_t bits, unsigned count)
{
    while (count--) {
        uint32_t out = bits >> count & 1 ? 1 << 17 : 0;
        set_csr(t, 9, out);
        set_csr(t, 9, out | 1 << 16);
    }
}

static uint16_t mdio_read(struct net_bench *t, unsigned phy, unsigned reg)
{
    uint16_t value = 0;
    mdio_bits(t, 0xffffffff, 32);
    mdio_bits(t, 6u << 10 | phy << 5 | reg, 14);
    for (unsigned bit = 0; bit < 18; bit++) {
        set_csr(t, 9, 1 << 18);
        value = (uint16_t)(value << 1 | (csr(t, 9) >> 19 & 1));
        set_csr(t, 9, 1 << 18 | 1 << 16);
    }
    return value;
}

Test(dec21140, the_transceiver_behind_two_wires)
{
    struct net_bench *t = started();
    cr_assert_eq(mdio_read(t, 1, 2), 0x2000);
    cr_assert_eq(mdio_read(t, 1, 3), 0x5c00);
    cr_assert_eq(mdio_read(t, 1, 1) & 4, 4, "link");
    cr_assert_eq(mdio_read(t, 5, 1), 0xffff, "nobody there");
    mdio_bits(t, 0xffffffff, 32);
    mdio_bits(t, 5u << 28 | 1 << 23 | 4 << 18 | 2 << 16 | 0x0061, 32);
    cr_assert_eq(mdio_read(t, 1, 4), 0x0061);
    net_bench_free(t);
}

Test(dec21140, the_general_timer)
{
    struct net_bench *t = started();
    set_csr(t, 11, 10);
    bench_step(t->b, 800000);
    cr_assert_eq(csr(t, 5) & 1 << 11, 0);
    bench_step(t->b, 100000);
    cr_assert(csr(t, 5) & 1 << 11);
    net_bench_free(t);
}

/* A chain that leads to itself and can never be given back, buffers of no length, lists beyond memory: each access ends. */
Test(dec21140, chains_that_loop)
{
    static uint8_t rom[64];
    struct net_bench *t = started();
    uint8_t frame[1514];
    net_bench_frame(frame, "all", sizeof(frame));
    set_csr(t, 6, SR | ST | 1 << 6);
    le32_put(rom, OWN);
    le32_put(rom + 4, FS | CHAIN);
    le32_put(rom + 12, 0xf8000000);
    space_map_ram(t->b->m->memory, 0xf8000000, sizeof(rom), rom, 0, 0);
    static const uint32_t lists[] = { 0xf8000000, 0xfffffff0, 0x000ffff8 };
    for (unsigned i = 0; i < 3; i++) {
        set_csr(t, 3, lists[i]);
        set_csr(t, 4, lists[i]);
        net_bench_feed(t, frame, sizeof(frame));
        set_csr(t, 1, 1);
        set_csr(t, 2, 1);
        bench_step(t->b, 1000);
        set_csr(t, 4, TX);
        bench_step(t->b, 1000000);
    }
    cr_assert_eq(t->sent_count, 0);
    net_bench_free(t);
}
