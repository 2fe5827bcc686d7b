/* 8237A pair: registers, transfers as a card makes them. */
#include "devices/dma.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>

static struct device *dma;
static uint8_t *ram;

static struct bench *with_ram(void)
{
    struct bench *b = bench_new();
    ram = bench_ram(b, 0, 1 << 20);
    dma = bench_add(b, "i8237", "dma", NULL);
    bench_reset(b);
    bench_out8(b, 0xd6, 0xc0);                  /* channel 4 cascades */
    bench_out8(b, 0xd4, 0x00);
    return b;
}

/* Channel 2 as a floppy driver programs it. */
static void program2(struct bench *b, uint8_t mode, uint32_t address, uint16_t count)
{
    bench_out8(b, 0x0a, 6);
    bench_out8(b, 0x0c, 0);
    bench_out8(b, 0x0b, mode | 2);
    bench_out8(b, 0x04, (uint8_t)address);
    bench_out8(b, 0x04, (uint8_t)(address >> 8));
    bench_out8(b, 0x81, (uint8_t)(address >> 16));
    bench_out8(b, 0x05, (uint8_t)count);
    bench_out8(b, 0x05, (uint8_t)(count >> 8));
    bench_out8(b, 0x0a, 2);
}

Test(i8237, a_write_transfer_fills_memory)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    bool tc = true;
    program2(b, 0x44, 0x12345, 511);
    cr_assert_eq(c->to_memory(c, "hello", 5, &tc), 5);
    cr_assert(!tc);
    cr_assert(!memcmp(ram + 0x12345, "hello", 5));
    bench_out8(b, 0x0c, 0);
    cr_assert_eq(bench_in8(b, 0x04) | bench_in8(b, 0x04) << 8, 0x234a);
    cr_assert_eq(bench_in8(b, 0x05) | bench_in8(b, 0x05) << 8, 506);
    uint8_t rest[600] = { 1 };
    cr_assert_eq(c->to_memory(c, rest, sizeof(rest), &tc), 507, "terminal count ends it");
    cr_assert(tc);
    cr_assert_eq(c->to_memory(c, rest, 1, &tc), 0, "and masks the channel");
    cr_assert_eq(bench_in8(b, 0x08), 0x04);
    cr_assert_eq(bench_in8(b, 0x08), 0, "reading the status clears it");
    cr_assert_eq(bench_in8(b, 0x0f) & 0x0f, 0x0f, "all masked: the others never were open");
    bench_free(b);
}

Test(i8237, a_read_transfer_takes_from_memory)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    char got[4] = "";
    memcpy(ram + 0x400, "abc", 4);
    program2(b, 0x48, 0x400, 3);
    cr_assert_eq(c->from_memory(c, got, 4, NULL), 4);
    cr_assert_str_eq(got, "abc");
    bench_free(b);
}

Test(i8237, verify_counts_and_stores_nothing)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    bool tc;
    program2(b, 0x40, 0x400, 3);
    cr_assert_eq(c->to_memory(c, "abcd", 4, &tc), 4);
    cr_assert(tc);
    cr_assert_eq(ram[0x400], 0);
    bench_free(b);
}

Test(i8237, addresses_wrap_inside_64k)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    program2(b, 0x44, 0x1fffe, 3);
    cr_assert_eq(c->to_memory(c, "wxyz", 4, NULL), 4);
    cr_assert(ram[0x1fffe] == 'w' && ram[0x1ffff] == 'x' && ram[0x10000] == 'y' && ram[0x10001] == 'z');
    bench_free(b);
}

Test(i8237, addresses_may_count_down)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    program2(b, 0x64, 0x20001, 2);
    c->to_memory(c, "abc", 3, NULL);
    cr_assert(ram[0x20001] == 'a' && ram[0x20000] == 'b' && ram[0x2ffff] == 'c');
    bench_free(b);
}

Test(i8237, auto_initialisation_starts_over)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    bool tc;
    program2(b, 0x54, 0x500, 3);
    cr_assert_eq(c->to_memory(c, "abcdefgh", 8, &tc), 4);
    cr_assert(tc);
    cr_assert_eq(c->to_memory(c, "efgh", 4, &tc), 4);
    cr_assert(!memcmp(ram + 0x500, "efgh", 4));
    cr_assert(c->ready(c));
    bench_free(b);
}

Test(i8237, the_second_controller_moves_words)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 5);
    bool tc;
    bench_out8(b, 0xd4, 5);
    bench_out8(b, 0xd8, 0);
    bench_out8(b, 0xd6, 0x45);
    bench_out8(b, 0xc4, 0x00);
    bench_out8(b, 0xc4, 0x08);                  /* word 800h: byte 1000h of its 128K */
    bench_out8(b, 0x8b, 0x03);                  /* bit 0 of the page is not used */
    bench_out8(b, 0xc6, 1);
    bench_out8(b, 0xc6, 0);
    bench_out8(b, 0xd4, 1);
    cr_assert_eq(c->to_memory(c, "ABCDE", 5, &tc), 4);
    cr_assert(tc);
    cr_assert(!memcmp(ram + 0x21000, "ABCD", 4));
    bench_free(b);
}

static unsigned grants;
static void granted(void *card) { *(unsigned *)card += 1; }

Test(i8237, a_masked_channel_waits_and_is_told)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    program2(b, 0x44, 0x500, 3);
    bench_out8(b, 0x0a, 6);
    c->granted = granted;
    c->card = &grants;
    cr_assert_eq(c->to_memory(c, "a", 1, NULL), 0);
    c->request(c, true);
    cr_assert_eq(bench_in8(b, 0x08), 0x40, "DREQ shows in the status");
    cr_assert_eq(grants, 0);
    bench_out8(b, 0x0a, 2);
    cr_assert_eq(grants, 1);
    bench_out8(b, 0xd4, 4);                     /* the cascade closed: nobody below it is heard */
    cr_assert(!c->ready(c));
    bench_out8(b, 0xd4, 0);
    bench_out8(b, 0x08, 4);                     /* controller disabled */
    cr_assert(!c->ready(c));
    bench_free(b);
}

Test(i8237, master_clear_and_masks)
{
    struct bench *b = with_ram();
    bench_out8(b, 0x0e, 0);
    cr_assert_eq(bench_in8(b, 0x0f) & 15, 0);
    bench_out8(b, 0x0f, 0x05);
    cr_assert_eq(bench_in8(b, 0x0f) & 15, 5);
    bench_out8(b, 0x00, 0x11);                  /* half a word: the flip-flop points at the high byte */
    bench_out8(b, 0x0d, 0);
    cr_assert_eq(bench_in8(b, 0x0f) & 15, 15);
    bench_out8(b, 0x00, 0x34);
    bench_out8(b, 0x00, 0x12);
    cr_assert_eq(bench_in8(b, 0x00), 0x34);
    cr_assert_eq(bench_in8(b, 0x00), 0x12);
    cr_assert_null(i8237_channel(dma, 4));
    bench_free(b);
}

Test(i8237, page_registers_are_plain_memory)
{
    struct bench *b = with_ram();
    for (unsigned n = 0; n < 16; n++)
        bench_out8(b, (uint16_t)(0x80 + n), (uint8_t)(n * 17));
    for (unsigned n = 0; n < 16; n++)
        cr_assert_eq(bench_in8(b, (uint16_t)(0x80 + n)), n * 17);
    bench_free(b);
}

Test(i8237, memory_that_is_not_there)
{
    struct bench *b = with_ram();
    struct dma_channel *c = i8237_channel(dma, 2);
    uint8_t got[4] = { 0 };
    program2(b, 0x48, 0x800000, 3);
    cr_assert_eq(c->from_memory(c, got, 4, NULL), 4);
    cr_assert_eq(got[0], 0xff);
    bench_free(b);
}
