/* Bus master IDE: [BMIDE] and [PIIX3] 2.7. */
#include "tests/devices/ide_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>

enum { LBA = 0xe0 };
static uint8_t bytes[128 * 512], back[128 * 512];

Test(piix3_ide, dma_read_and_write)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, NULL, 4096, &disk);
    ide_pattern(bytes, 64 * 512, 3);
    block_write(disk, 200 * 512, bytes, 64 * 512);
    ide_dma(b, 64 * 512, true);
    ide_command(b, LBA, 64, 200, 0xc8);
    ide_wait(b);
    cr_assert_arr_eq(b->ram + IDE_DMA, bytes, 64 * 512);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 4, "table and drive end together: interrupt, not active");
    cr_assert(bench_irq(b, IDE_IRQ));
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0x50);
    bench_out8(b, IDE_BM, 0);

    ide_pattern(b->ram + IDE_DMA, 64 * 512, 77);
    ide_command(b, LBA, 64, 1000, 0xca);        /* the command first, then the start bit */
    ide_dma(b, 64 * 512, false);
    ide_wait(b);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 4);
    block_read(disk, 1000 * 512, back, 64 * 512);
    cr_assert_arr_eq(b->ram + IDE_DMA, back, 64 * 512);
    bench_free(b);
    block_close(disk);
}

Test(piix3_ide, regions_are_gathered)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, NULL, 4096, &disk);
    ide_pattern(bytes, 4 * 512, 11);
    block_write(disk, 0, bytes, 4 * 512);
    static const struct { uint32_t address, count; } prd[] = { { 0x20002, 514 }, { 0x30000, 2 }, { 0x40000, 1532 } };
    for (unsigned n = 0; n < 3; n++) {
        bench_poke(b, IDE_PRD + 8 * n, 4, prd[n].address);
        bench_poke(b, IDE_PRD + 8 * n + 4, 4, prd[n].count | (n == 2 ? 0x80000000u : 0));
    }
    bench_out32(b, IDE_BM + 4, IDE_PRD);
    ide_command(b, LBA, 4, 0, 0xc8);
    bench_out8(b, IDE_BM, 9);
    ide_wait(b);
    cr_assert_arr_eq(b->ram + 0x20002, bytes, 514);
    cr_assert_arr_eq(b->ram + 0x30000, bytes + 514, 2);
    cr_assert_arr_eq(b->ram + 0x40000, bytes + 516, 1532);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 4);
    bench_free(b);
    block_close(disk);
}

Test(piix3_ide, table_longer_or_shorter_than_the_transfer)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, NULL, 4096, &disk);
    ide_dma(b, 1024, true);
    ide_command(b, LBA, 1, 0, 0xc8);
    ide_wait(b);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 5, "the drive ended first: interrupt and active");
    bench_out8(b, IDE_BM, 0);
    cr_assert_eq(bench_in8(b, IDE_BM + 2) & 1, 0);
    bench_in8(b, IDE_BASE + 7);

    ide_dma(b, 512, true);
    ide_command(b, LBA, 2, 0, 0xc8);
    bench_step(b, 1000000);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 0, "the table ended first: neither");
    cr_assert(bench_in8(b, IDE_CONTROL) & 0x88);
    bench_out8(b, IDE_BM, 0);
    bench_out8(b, IDE_CONTROL, 4);
    bench_out8(b, IDE_CONTROL, 0);
    cr_assert_eq(ide_wait(b), 0x50, "a soft reset frees the drive");
    bench_free(b);
    block_close(disk);
}

Test(piix3_ide, no_transfer_without_bus_mastering)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, NULL, 4096, &disk);
    pci_config_write(b->m, 9, PCI_COMMAND, 2, COMMAND_IO);
    ide_command(b, LBA, 1, 0, 0xc8);
    ide_dma(b, 512, true);
    bench_step(b, 1000000);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 2, "an aborted transfer is an error");
    bench_free(b);
    block_close(disk);
}

Test(piix3_ide, a_large_transfer_moves_in_chunks)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, NULL, 4096, &disk);
    uint8_t sector[512];
    for (unsigned n = 0; n < 1024; n++) {
        memset(sector, (int)(n & 0xff), 512);
        block_write(disk, n * 512, sector, 512);
    }
    for (unsigned n = 0; n < 8; n++) {
        bench_poke(b, IDE_PRD + 8 * n, 4, IDE_DMA + n * 0x10000);
        bench_poke(b, IDE_PRD + 8 * n + 4, 4, n == 7 ? 0x80000000u : 0);
    }
    bench_out32(b, IDE_BM + 4, IDE_PRD);
    bench_out8(b, IDE_BM, 9);
    ide_command48(b, LBA, 1024, 0, 0x25);
    ide_wait(b);
    cr_assert_eq(bench_in8(b, IDE_BM + 2), 4);
    for (unsigned n = 0; n < 1024; n++)
        cr_assert_eq(b->ram[IDE_DMA + n * 512 + 100], n & 0xff);
    bench_free(b);
    block_close(disk);
}

Test(piix3_ide, idetim_turns_the_ports_off)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, NULL, 4096, &disk);
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0x50);
    pci_config_write(b->m, 9, 0x40, 2, 0);
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0xff);
    pci_config_write(b->m, 9, 0x40, 2, 0x8000);
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0x50);
    bench_free(b);
    block_close(disk);
}

Test(piix3_ide, piix4_is_another_identity)
{
    struct error err = { 0 };
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "ata_channel", "ide0", NULL);
    bench_add(b, "piix3_ide", "ide", "chip=piix4");
    bench_reset(b);
    cr_assert_eq(pci_config_read(b->m, 9, 0, 4), 0x71118086);
    pci_config_write(b->m, 9, 0x48, 4, ~0u);
    cr_assert_eq(pci_config_read(b->m, 9, 0x48, 4), 0x3333000f, "Ultra DMA control and timing");
    cr_assert_null(machine_add(b->m, "piix3_ide", "other", "chip=piix5", &err));
    bench_free(b);
}
