/* Am53C974: [AM53C974] 7 (commands), 8 (DMA engine). */
#include "tests/devices/scsi_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>

enum { IO = 0xc000, TCLO = IO, TCMID = IO + 4, FIFO = IO + 8, CMD = IO + 0xc, STAT = IO + 0x10, INTR = IO + 0x14, STEP = IO + 0x18, FFLAGS = IO + 0x1c,
       CONFIG1 = IO + 0x20, CONFIG2 = IO + 0x2c, TCHI = IO + 0x38, DMA_CMD = IO + 0x40, DMA_STC = IO + 0x44, DMA_SPA = IO + 0x48, DMA_STATUS = IO + 0x54,
       DMA_LIST = IO + 0x58 };
static struct block *disk;
static uint8_t bytes[SCSI_PATTERN];

static struct bench *start(void)
{
    struct bench *b = scsi_bench("am53c974", &disk);
    bench_out8(b, CONFIG1, 7);
    scsi_pattern(bytes, sizeof(bytes), 1);
    return b;
}

static void end(struct bench *b)
{
    bench_free(b);
    block_close(disk);
}

static void select_target(struct bench *b, unsigned id, const uint8_t *cdb, unsigned length)
{
    bench_out8(b, STAT, (uint8_t)id);
    bench_out8(b, CMD, 1);
    bench_out8(b, FIFO, 0x80);
    for (unsigned n = 0; n < length; n++)
        bench_out8(b, FIFO, cdb[n]);
    bench_out8(b, CMD, 0x42);
}

static void dma(struct bench *b, uint32_t address, uint32_t length, bool in)
{
    bench_out8(b, TCLO, (uint8_t)length);
    bench_out8(b, TCMID, (uint8_t)(length >> 8));
    bench_out8(b, TCHI, (uint8_t)(length >> 16));
    bench_out32(b, DMA_STC, length);
    bench_out32(b, DMA_SPA, address);
    bench_out8(b, CMD, 0x90);
    bench_out8(b, DMA_CMD, in ? 0x83 : 0x03);
}

/* Takes status and message; the status. */
static uint8_t complete(struct bench *b)
{
    bench_out8(b, CMD, 0x11);
    cr_assert_eq(bench_in8(b, INTR), 0x08);
    cr_assert_eq(bench_in8(b, FFLAGS) & 31, 2);
    uint8_t status = bench_in8(b, FIFO);
    cr_assert_eq(bench_in8(b, FIFO), 0);
    bench_out8(b, CMD, 0x12);
    cr_assert_eq(bench_in8(b, INTR), 0x20, "message accepted: disconnected");
    return status;
}

static void clear_attention(struct bench *b)
{
    select_target(b, 0, (const uint8_t[6]){ 0 }, 6);
    bench_in8(b, INTR);
    cr_assert_eq(complete(b), 2);
}

Test(am53c974, selection)
{
    struct bench *b = start();
    cr_assert_eq(bench_in8(b, TCHI), 0x12, "the chip's code, until a count is written");
    select_target(b, 3, (const uint8_t[6]){ 0 }, 6);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(bench_in8(b, STEP), 0);
    cr_assert_eq(bench_in8(b, INTR), 0x20, "nobody there");
    cr_assert_not(bench_irq(b, 0));
    select_target(b, 0, (const uint8_t[6]){ 0 }, 6);
    cr_assert_eq(bench_in8(b, STAT) & 0x87, 0x83, "status phase");
    cr_assert_eq(bench_in8(b, STEP) & 7, 4);
    cr_assert_eq(bench_in8(b, INTR), 0x18);
    cr_assert_eq(complete(b), 2, "unit attention");
    bench_out8(b, CMD, 0x77);
    cr_assert_eq(bench_in8(b, INTR), 0x40, "no such command");
    bench_out8(b, CMD, 0x03);
    cr_assert_eq(bench_in8(b, INTR), 0x80, "the bus was reset");
    bench_out8(b, CONFIG1, 0x47);
    bench_out8(b, CMD, 0x03);
    cr_assert_eq(bench_in8(b, INTR), 0, "unless it is not to be told");
    end(b);
}

Test(am53c974, data_by_dma)
{
    struct bench *b = start();
    clear_attention(b);
    bench_out8(b, CONFIG2, 0x40);               /* 24-bit counts */
    select_target(b, 0, (const uint8_t[10]){ 0x28, 0, 0, 0, 0, 2, 0, 0, 150 }, 10);
    cr_assert_eq(bench_in8(b, STAT) & 7, 1, "data in");
    bench_in8(b, INTR);
    dma(b, 0x20000, 150 * 512, true);
    cr_assert_eq(bench_in8(b, STAT) & 0x97, 0x93, "the count is at zero, and the status is next");
    cr_assert_eq(bench_in8(b, DMA_STATUS), 0x18, "done, and the core interrupts");
    cr_assert_eq(bench_in8(b, INTR), 0x10);
    cr_assert_arr_eq(b->ram + 0x20000, bytes + 2 * 512, 150 * 512);
    cr_assert_eq(complete(b), 0);

    select_target(b, 0, (const uint8_t[6]){ 0x12, 0, 0, 0, 36 }, 6);
    bench_in8(b, INTR);
    dma(b, 0x20000, 100, true);
    cr_assert_eq(bench_in8(b, STAT) & 0x97, 0x83, "36 of 100 bytes: the count is not at zero");
    cr_assert_eq(bench_in8(b, TCLO), 64);
    bench_in8(b, INTR);
    cr_assert_eq(complete(b), 0);

    select_target(b, 0, (const uint8_t[10]){ 0x2a, 0, 0, 0, 3, 0, 0, 0, 4 }, 10);
    cr_assert_eq(bench_in8(b, STAT) & 7, 0, "data out");
    bench_in8(b, INTR);
    scsi_pattern(b->ram + 0x30000, 2048, 9);
    dma(b, 0x30000, 1024, false);
    cr_assert_eq(bench_in8(b, STAT) & 0x97, 0x90, "in two parts");
    bench_in8(b, INTR);
    dma(b, 0x30400, 1024, false);
    bench_in8(b, INTR);
    cr_assert_eq(complete(b), 0);
    block_read(disk, 0x300 * 512, bytes, 2048);
    cr_assert_arr_eq(bytes, b->ram + 0x30000, 2048);
    end(b);
}

Test(am53c974, memory_descriptor_list)
{
    struct bench *b = start();
    static const uint32_t pages[] = { 0x40000, 0x60000, 0x50000 };
    clear_attention(b);
    for (unsigned n = 0; n < 3; n++)
        bench_poke(b, 0x1000 + 4 * n, 4, pages[n]);
    select_target(b, 0, (const uint8_t[6]){ 8, 0, 0, 0, 16 }, 6);
    bench_in8(b, INTR);
    bench_out32(b, DMA_LIST, 0x1000);
    bench_out8(b, TCLO, 0), bench_out8(b, TCMID, 0x20), bench_out8(b, TCHI, 0);
    bench_out32(b, DMA_STC, 8192);
    bench_out32(b, DMA_SPA, 0x800);             /* from the middle of the first page */
    bench_out8(b, CMD, 0x90);
    bench_out8(b, DMA_CMD, 0x93);
    cr_assert_eq(bench_in8(b, INTR), 0x10);
    cr_assert_arr_eq(b->ram + 0x40800, bytes, 2048);
    cr_assert_arr_eq(b->ram + 0x60000, bytes + 2048, 4096);
    cr_assert_arr_eq(b->ram + 0x50000, bytes + 2048 + 4096, 2048);
    cr_assert_eq(complete(b), 0);
    end(b);
}

Test(am53c974, messages_after_selection_with_stop)
{
    struct bench *b = start();
    clear_attention(b);
    bench_out8(b, STAT, 0);
    bench_out8(b, FIFO, 0x80);
    bench_out8(b, CMD, 0x43);
    cr_assert_eq(bench_in8(b, STAT) & 7, 6);
    cr_assert_eq(bench_in8(b, STEP), 1);
    cr_assert_eq(bench_in8(b, INTR), 0x18);
    bench_out8(b, FIFO, 0x0c);                  /* BUS DEVICE RESET */
    bench_out8(b, CMD, 0x10);
    cr_assert_eq(bench_in8(b, INTR) & 0x30, 0x10);
    bench_out8(b, CMD, 0x10);
    cr_assert_eq(bench_in8(b, INTR), 0x20, "the target has left");
    select_target(b, 0, (const uint8_t[6]){ 0 }, 6);
    bench_in8(b, INTR);
    cr_assert_eq(complete(b), 2, "a unit attention again");
    end(b);
}

/* QUIRK(seabios-esp): thirteen bytes for any command, LUN in place of IDENTIFY, no look at INTR, a wait for TC also when less comes. */
Test(am53c974, seabios_esp)
{
    struct bench *b = scsi_bench("am53c974", &disk);
    unsigned polls = 0;
    for (unsigned id = 1; id < 3; id++) {
        bench_out8(b, STAT, (uint8_t)id);
        for (unsigned n = 0; n < 13; n++)
            bench_out8(b, FIFO, 0);
        bench_out8(b, CMD, 0x42);
        cr_assert_eq(bench_in8(b, INTR), 0x20);
    }
    bench_out8(b, STAT, 0);
    for (unsigned n = 0; n < 13; n++)
        bench_out8(b, FIFO, n == 1 ? 0x12 : n == 5 ? 36 : 0);
    bench_out8(b, CMD, 0x42);
    cr_assert(bench_in8(b, STAT) & 0x10);
    cr_assert_not(bench_in8(b, INTR) & 0x20);
    dma(b, 0x20000, 255, true);
    while (!(bench_in8(b, STAT) & 0x10))
        cr_assert_lt(polls++, 20u);
    bench_out8(b, CMD, 0x11);
    cr_assert(bench_in8(b, STAT) & 4);
    cr_assert_eq(bench_in8(b, FIFO), 0);
    cr_assert_eq(memcmp(b->ram + 0x20008, "ACME", 4), 0);
    cr_assert_not(bench_irq(b, 0), "nor does it take interrupts");
    end(b);
}
