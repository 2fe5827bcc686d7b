/* ATAPI CD-ROM: packets by PIO and DMA, the tray, sense data. [SFF-8020i] and [ATA-6] 9.8. */
#include "tests/devices/ide_bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { SECTORS = 1000 };
static uint8_t back[512 * 1024];

static struct device *cd_add(struct bench *b, struct block **block)
{
    struct error err = { 0 };
    struct device *dev = bench_add(b, "atapi_cdrom", "cdrom0", "channel=ide0,unit=0");
    uint8_t sector[2048];
    *block = block_open_memory(SECTORS * 2048, &err);
    for (unsigned n = 0; n < SECTORS; n++) {
        ide_pattern(sector, sizeof(sector), n);
        block_write(*block, n * 2048ull, sector, sizeof(sector));
    }
    ide_insert(dev, *block);
    dev->class->reset(dev, RESET_POWER);
    return dev;
}

static void packet_send(struct bench *b, const uint8_t packet[12], bool dma, unsigned limit)
{
    bench_out8(b, IDE_BASE + 6, 0xa0);
    bench_out8(b, IDE_BASE + 1, dma);
    bench_out8(b, IDE_BASE + 4, (uint8_t)limit);
    bench_out8(b, IDE_BASE + 5, (uint8_t)(limit >> 8));
    bench_out8(b, IDE_BASE + 7, 0xa0);
    cr_assert_eq(ide_wait(b) & 0x89, 8);
    cr_assert_eq(bench_in8(b, IDE_BASE + 2) & 3, 1, "the drive wants a command");
    ide_words_out(b, packet, 12);
}

/* Runs a packet by PIO; the bytes that came, or -sense key. */
static int packet_in(struct bench *b, const uint8_t packet[12], unsigned limit)
{
    int got = 0;
    packet_send(b, packet, false, limit);
    for (;;) {
        uint8_t status = ide_wait(b);
        if (!(status & 8)) {
            cr_assert_eq(bench_in8(b, IDE_BASE + 2) & 3, 3);
            bench_in8(b, IDE_BASE + 7);
            return status & 1 ? -(bench_in8(b, IDE_BASE + 1) >> 4) : got;
        }
        cr_assert(bench_irq(b, IDE_IRQ));
        bench_in8(b, IDE_BASE + 7);
        cr_assert_eq(bench_in8(b, IDE_BASE + 2) & 3, 2, "data for the host");
        unsigned n = bench_in8(b, IDE_BASE + 4) | (unsigned)bench_in8(b, IDE_BASE + 5) << 8;
        cr_assert(n && n <= limit);
        ide_words_in(b, back + got, n);
        got += (int)n;
    }
}

static int simple(struct bench *b, uint8_t opcode, uint8_t byte4)
{
    const uint8_t packet[12] = { opcode, 0, 0, 0, byte4 };
    return packet_in(b, packet, 0xfffe);
}

/* Key and ASC of REQUEST SENSE. */
static unsigned sense(struct bench *b)
{
    cr_assert_eq(simple(b, 0x03, 18), 18);
    return (unsigned)back[2] << 16 | (unsigned)back[12] << 8 | back[13];
}

static void calm(struct bench *b)
{
    simple(b, 0, 0);
    sense(b);
}

Test(atapi, signature_and_identify)
{
    struct block *disc;
    struct bench *b = ide_bench();
    cd_add(b, &disc);
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0, "no DRDY before the first packet");
    cr_assert_eq(bench_in8(b, IDE_BASE + 4), 0x14);
    cr_assert_eq(bench_in8(b, IDE_BASE + 5), 0xeb);
    bench_out8(b, IDE_BASE + 7, 0xec);
    cr_assert_eq(ide_wait(b) & 1, 1, "IDENTIFY DEVICE aborts");
    cr_assert_eq(bench_in8(b, IDE_BASE + 4), 0x14);
    cr_assert_eq(bench_in8(b, IDE_BASE + 5), 0xeb);
    bench_out8(b, IDE_BASE + 7, 0xa1);
    cr_assert_eq(ide_wait(b) & 8, 8);
    ide_words_in(b, back, 512);
    cr_assert_eq(le16_get(back), 0x85c0);
    cr_assert_eq(back[54], 'O');
    cr_assert_eq(back[55], 'H');
    bench_out8(b, IDE_BASE + 7, 0x08);
    cr_assert_eq(ide_wait(b), 0);
    bench_free(b);
    block_close(disc);
}

Test(atapi, unit_attention_after_reset_is_told_once)
{
    struct block *disc;
    struct bench *b = ide_bench();
    cd_add(b, &disc);
    cr_assert_eq(simple(b, 0x12, 36), 36, "INQUIRY is answered all the same");
    cr_assert_eq(back[0], 5);
    cr_assert_arr_eq(back + 8, "HOLDOVERCD-ROM ", 15);
    cr_assert_eq(simple(b, 0, 0), -6);
    cr_assert_eq(sense(b), 0x062900);
    cr_assert_eq(simple(b, 0, 0), 0);
    cr_assert_eq(sense(b), 0);
    bench_free(b);
    block_close(disc);
}

Test(atapi, read10_by_pio_in_blocks_of_the_hosts_size)
{
    static const unsigned limits[] = { 2048, 0xfffe, 512, 4095 };
    struct block *disc;
    struct bench *b = ide_bench();
    uint8_t sector[2048];
    cd_add(b, &disc);
    calm(b);
    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        const uint8_t read[12] = { 0x28, 0, 0, 0, 0, 17, 0, 0, 100 };
        cr_assert_eq(packet_in(b, read, limits[i]), 100 * 2048);
        for (unsigned n = 0; n < 100; n++) {
            ide_pattern(sector, 2048, 17 + n);
            cr_assert_arr_eq(back + n * 2048, sector, 2048);
        }
    }
    bench_free(b);
    block_close(disc);
}

Test(atapi, read12_by_dma)
{
    struct block *disc;
    struct bench *b = ide_bench();
    uint8_t sector[2048];
    cd_add(b, &disc);
    calm(b);
    const uint8_t read[12] = { 0xa8, 0, 0, 0, 0, 3, 0, 0, 0, 20 };
    packet_send(b, read, true, 0);
    ide_dma(b, 20 * 2048, true);
    cr_assert_eq(ide_wait(b), 0x40);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 4);
    for (unsigned n = 0; n < 20; n++) {
        ide_pattern(sector, 2048, 3 + n);
        cr_assert_arr_eq(b->ram + IDE_DMA + n * 2048, sector, 2048);
    }
    bench_free(b);
    block_close(disc);
}

Test(atapi, raw_sectors_have_sync_header_and_edc)
{
    struct block *disc;
    struct bench *b = ide_bench();
    uint8_t sector[2048];
    cd_add(b, &disc);
    calm(b);
    const uint8_t read[12] = { 0xbe, 0, 0, 0, 0, 5, 0, 0, 2, 0xf8 };
    cr_assert_eq(packet_in(b, read, 0xfffe), 2 * 2352);
    static const uint8_t head[16] = { 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0x02, 0x06, 1 };
    cr_assert_arr_eq(back + 2352, head, 16);
    ide_pattern(sector, 2048, 6);
    cr_assert_arr_eq(back + 2352 + 16, sector, 2048);
    cr_assert_neq(le32_get(back + 2352 + 2064), 0);
    const uint8_t plain[12] = { 0xbe, 0, 0, 0, 0, 5, 0, 0, 2, 0x10 };
    cr_assert_eq(packet_in(b, plain, 0xfffe), 2 * 2048);
    bench_free(b);
    block_close(disc);
}

Test(atapi, capacity_toc_and_limits)
{
    struct block *disc;
    struct bench *b = ide_bench();
    cd_add(b, &disc);
    calm(b);
    cr_assert_eq(simple(b, 0x25, 0), 8);
    cr_assert_eq(be32_get(back), SECTORS - 1);
    cr_assert_eq(be32_get(back + 4), 2048);
    const uint8_t toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 64 };
    cr_assert_eq(packet_in(b, toc, 0xfffe), 20);
    cr_assert_eq(be16_get(back), 18);
    cr_assert_eq(back[6], 1);
    cr_assert_eq(back[14], 0xaa);
    cr_assert_eq(be32_get(back + 16), SECTORS);
    const uint8_t msf[12] = { 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64 };
    cr_assert_eq(packet_in(b, msf, 0xfffe), 12);
    cr_assert_eq(back[9] * 60 * 75 + back[10] * 75 + back[11], SECTORS + 150);
    const uint8_t session[12] = { 0x43, 0, 1, 0, 0, 0, 0, 0, 12 }, full[12] = { 0x43, 0, 2, 0, 0, 0, 0, 1, 0 };
    cr_assert_eq(packet_in(b, session, 0xfffe), 12);
    cr_assert_eq(packet_in(b, full, 0xfffe), 48);
    const uint8_t cut[12] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 5 };
    cr_assert_eq(packet_in(b, cut, 0xfffe), 5, "an odd allocation length");
    const uint8_t past[12] = { 0x28, 0, 0, 0, 3, 0xe7, 0, 0, 2 };
    cr_assert_eq(packet_in(b, past, 0xfffe), -5);
    cr_assert_eq(sense(b), 0x052100);
    cr_assert_eq(simple(b, 0xff, 0), -5);
    cr_assert_eq(sense(b), 0x052000);
    bench_free(b);
    block_close(disc);
}

Test(atapi, mode_pages)
{
    struct block *disc;
    struct bench *b = ide_bench();
    cd_add(b, &disc);
    calm(b);
    const uint8_t page[12] = { 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64 };
    cr_assert_eq(packet_in(b, page, 0xfffe), 28);
    cr_assert_eq(back[8], 0x2a);
    cr_assert_eq(back[14] & 2, 0);
    simple(b, 0x1e, 1);
    cr_assert_eq(packet_in(b, page, 0xfffe), 28);
    cr_assert_eq(back[14] & 2, 2, "locked");
    const uint8_t all[12] = { 0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0 }, none[12] = { 0x5a, 0, 0x05, 0, 0, 0, 0, 1, 0 };
    cr_assert_eq(packet_in(b, all, 0xfffe), 8 + 8 + 16 + 20);
    cr_assert_eq(packet_in(b, none, 0xfffe), -5);
    bench_free(b);
    block_close(disc);
}

Test(atapi, tray_lock_and_media_change)
{
    struct block *disc;
    struct bench *b = ide_bench();
    struct device *cd = cd_add(b, &disc);
    const uint8_t events[12] = { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 };
    calm(b);
    simple(b, 0x1e, 1);
    cr_assert_eq(simple(b, 0x1b, 2), -5, "locked: no eject");
    cr_assert_eq(sense(b), 0x055302);
    simple(b, 0x1e, 0);
    cr_assert_eq(simple(b, 0x1b, 2), 0);
    cr_assert_eq(simple(b, 0, 0), -2);
    cr_assert_eq(sense(b), 0x023a02);
    cr_assert_eq(packet_in(b, events, 0xfffe), 8);
    cr_assert_eq(back[4], 3);
    cr_assert_eq(back[5], 1, "tray open, no disc");
    cr_assert_eq(simple(b, 0x1b, 3), 0);
    cr_assert_eq(simple(b, 0, 0), -6);
    cr_assert_eq(sense(b), 0x062800);
    cr_assert_eq(simple(b, 0, 0), 0);
    ide_insert(cd, NULL);
    cr_assert_eq(simple(b, 0, 0), -2);
    cr_assert_eq(sense(b), 0x023a01);
    ide_insert(cd, disc);
    cr_assert_eq(packet_in(b, events, 0xfffe), 8);
    cr_assert_eq(back[4], 2, "new medium");
    cr_assert_eq(simple(b, 0, 0), -6);
    cr_assert_eq(simple(b, 0, 0), 0);
    bench_free(b);
    block_close(disc);
}
