/* ATA disk: [ATA-6] chapters 8 and 9. */
#include "tests/devices/ide_bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { LBA = 0xe0, CHS = 0xa0, DRDY_DSC = 0x50, DRQ = 0x58, FAILED = 0x51 };
static const char geometry[] = "cylinders=40,heads=4,sectors=17";
static uint8_t bytes[256 * 512], back[256 * 512];

Test(ata, identify_has_strings_geometry_and_checksum)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, "cylinders=40,heads=4,sectors=17,model=ST-TEST,serial=S1,firmware=F2", 40 * 4 * 17, &disk);
    ide_command(b, CHS, 0, 0, 0xec);
    cr_assert_eq(ide_wait(b), DRQ);
    cr_assert(bench_irq(b, IDE_IRQ));
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), DRQ);
    cr_assert(!bench_irq(b, IDE_IRQ), "reading the status register ends the interrupt");
    ide_words_in(b, back, 512);
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), DRDY_DSC);
    cr_assert_eq(le16_get(back + 2), 40);
    cr_assert_eq(le16_get(back + 6), 4);
    cr_assert_eq(le16_get(back + 12), 17);
    cr_assert_eq(back[55], 'S');
    cr_assert_eq(back[54], 'T');
    cr_assert_eq(le32_get(back + 120), 40 * 4 * 17);
    uint8_t sum = 0;
    for (unsigned n = 0; n < 512; n++)
        sum = (uint8_t)(sum + back[n]);
    cr_assert_eq(sum, 0);
    bench_free(b);
    block_close(disk);
}

Test(ata, pio_reads_interrupt_before_each_sector)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    ide_pattern(bytes, 3 * 512, 5);
    cr_assert_eq(block_write(disk, 100 * 512, bytes, 3 * 512), 0);
    ide_command(b, LBA, 3, 100, 0x20);
    for (unsigned n = 0; n < 3; n++) {
        cr_assert_eq(ide_wait(b), DRQ);
        cr_assert(bench_irq(b, IDE_IRQ));
        bench_in8(b, IDE_BASE + 7);
        ide_words_in(b, back + n * 512, 512);
    }
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    cr_assert(!bench_irq(b, IDE_IRQ), "PIO input ends without an interrupt");
    cr_assert_arr_eq(bytes, back, 3 * 512);
    bench_free(b);
    block_close(disk);
}

Test(ata, pio_writes_ask_first_and_end_with_an_interrupt)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    ide_pattern(bytes, 2 * 512, 9);
    ide_command(b, LBA, 2, 7, 0x30);
    cr_assert_eq(ide_wait(b), DRQ);
    cr_assert(!bench_irq(b, IDE_IRQ), "no interrupt before the first block of a PIO write");
    ide_words_out(b, bytes, 512);
    cr_assert_eq(ide_wait(b), DRQ);
    cr_assert(bench_irq(b, IDE_IRQ));
    bench_in8(b, IDE_BASE + 7);
    ide_words_out(b, bytes + 512, 512);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    cr_assert(bench_irq(b, IDE_IRQ));
    cr_assert_eq(block_read(disk, 7 * 512, back, 2 * 512), 0);
    cr_assert_arr_eq(bytes, back, 2 * 512);
    bench_free(b);
    block_close(disk);
}

Test(ata, chs_follows_the_translation_in_use)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    uint32_t lba = (3 * 4 + 2) * 17 + 5 - 1;
    memset(bytes, 0xa5, 512);
    block_write(disk, lba * 512, bytes, 512);
    ide_command(b, CHS | 2, 1, 3u << 8 | 5, 0x20);
    cr_assert_eq(ide_wait(b), DRQ);
    ide_words_in(b, back, 512);
    cr_assert_arr_eq(bytes, back, 512);
    cr_assert_eq(bench_in8(b, IDE_BASE + 3), 5, "the address registers hold the last sector");
    /* 8 heads of 34 sectors: the same cylinder, head and sector are elsewhere */
    ide_command(b, CHS | 7, 34, 0, 0x91);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    lba = (3 * 8 + 2) * 34 + 5 - 1;
    memset(bytes, 0x5a, 512);
    block_write(disk, lba * 512, bytes, 512);
    ide_command(b, CHS | 2, 1, 3u << 8 | 5, 0x20);
    cr_assert_eq(ide_wait(b), DRQ);
    ide_words_in(b, back, 512);
    cr_assert_arr_eq(bytes, back, 512);
    bench_free(b);
    block_close(disk);
}

Test(ata, addresses_outside_the_disk_are_not_found)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    ide_command(b, LBA, 1, 40 * 4 * 17, 0x20);
    cr_assert_eq(ide_wait(b), FAILED);
    cr_assert_eq(bench_in8(b, IDE_BASE + 1), 0x10);
    ide_command(b, CHS, 1, 0, 0x20);            /* there is no sector 0 */
    cr_assert_eq(ide_wait(b), FAILED);
    cr_assert_eq(bench_in8(b, IDE_BASE + 1), 0x10);
    /* a request that begins inside moves what there is */
    ide_command(b, LBA, 2, 40 * 4 * 17 - 1, 0x20);
    cr_assert_eq(ide_wait(b), DRQ);
    ide_words_in(b, back, 512);
    cr_assert_eq(ide_wait(b), FAILED);
    cr_assert_eq(bench_in8(b, IDE_BASE + 1), 0x10);
    cr_assert_eq(bench_in8(b, IDE_BASE + 3), (40 * 4 * 17) & 0xff);
    bench_free(b);
    block_close(disk);
}

Test(ata, multiple_moves_blocks_of_sectors)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    ide_command(b, LBA, 1, 0, 0xc4);
    cr_assert_eq(ide_wait(b), FAILED, "READ MULTIPLE before SET MULTIPLE aborts");
    cr_assert_eq(bench_in8(b, IDE_BASE + 1), 4);
    ide_command(b, LBA, 4, 0, 0xc6);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    ide_pattern(bytes, 6 * 512, 1);
    block_write(disk, 0, bytes, 6 * 512);
    ide_command(b, LBA, 6, 0, 0xc4);
    cr_assert_eq(ide_wait(b), DRQ);
    bench_rises(b, IDE_IRQ);
    ide_words_in(b, back, 4 * 512);
    cr_assert_eq(ide_wait(b), DRQ);
    ide_words_in(b, back + 4 * 512, 2 * 512);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    cr_assert_arr_eq(bytes, back, 6 * 512);
    ide_command(b, LBA, 3, 0, 0xc6);
    cr_assert_eq(ide_wait(b), FAILED, "a count that is no power of two");
    bench_free(b);
    block_close(disk);
}

Test(ata, lba48_reaches_beyond_28_bits)
{
    struct block *disk;
    struct bench *b = ide_bench();
    uint64_t sectors = (1ull << 28) + 100;
    ide_disk(b, NULL, sectors, &disk);
    ide_pattern(bytes, 512, 3);
    ide_command48(b, LBA, 1, (1ull << 28) + 5, 0x34);
    cr_assert_eq(ide_wait(b), DRQ);
    ide_words_out(b, bytes, 512);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    ide_command48(b, LBA, 1, (1ull << 28) + 5, 0x24);
    cr_assert_eq(ide_wait(b), DRQ);
    ide_words_in(b, back, 512);
    cr_assert_arr_eq(bytes, back, 512);
    ide_command48(b, LBA, 0, 0, 0x27);          /* READ NATIVE MAX ADDRESS EXT */
    ide_wait(b);
    uint64_t last = bench_in8(b, IDE_BASE + 3) | (uint64_t)bench_in8(b, IDE_BASE + 4) << 8;
    bench_out8(b, IDE_CONTROL, 0x80);
    last |= (uint64_t)bench_in8(b, IDE_BASE + 3) << 24;
    cr_assert_eq(last, ((1u << 28) + 99) & 0xff00ffff);
    bench_free(b);
    block_close(disk);
}

Test(ata, soft_reset_leaves_the_signature)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    ide_command(b, LBA, 3, 100, 0x30);
    bench_out8(b, IDE_CONTROL, 4);
    cr_assert(bench_in8(b, IDE_CONTROL) & 0x80);
    bench_out8(b, IDE_CONTROL, 0);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    cr_assert_eq(bench_in8(b, IDE_BASE + 1), 1);
    cr_assert_eq(bench_in8(b, IDE_BASE + 2), 1);
    cr_assert_eq(bench_in8(b, IDE_BASE + 3), 1);
    cr_assert_eq(bench_in8(b, IDE_BASE + 4), 0);
    cr_assert_eq(bench_in8(b, IDE_BASE + 5), 0);
    bench_free(b);
    block_close(disk);
}

Test(ata, an_absent_second_drive_reads_zero_status)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    bench_out8(b, IDE_BASE + 6, 0xb0);
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0);
    bench_out8(b, IDE_BASE + 7, 0xec);
    cr_assert_eq(bench_in8(b, IDE_CONTROL), 0);
    cr_assert(!bench_irq(b, IDE_IRQ));
    bench_out8(b, IDE_BASE + 7, 0x90);          /* diagnostics run on device 0 all the same */
    bench_out8(b, IDE_BASE + 6, 0xa0);
    cr_assert_eq(ide_wait(b), DRDY_DSC);
    cr_assert_eq(bench_in8(b, IDE_BASE + 1), 1);
    bench_free(b);
    block_close(disk);
}

Test(ata, an_empty_cable_floats)
{
    struct bench *b = ide_bench();
    cr_assert_eq(bench_in8(b, IDE_BASE + 7), 0x7f);
    bench_out8(b, IDE_BASE + 2, 0x55);
    cr_assert_neq(bench_in8(b, IDE_BASE + 2), 0x55);
    bench_free(b);
}

Test(ata, power_modes)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    static const struct { uint8_t command, level; } modes[] = { { 0xe0, 0 }, { 0xe1, 0x80 }, { 0xe2, 0 }, { 0xe3, 0x80 } };
    for (unsigned n = 0; n < 4; n++) {
        ide_command(b, LBA, 0, 0, modes[n].command);
        ide_command(b, LBA, 0, 0, 0xe5);
        cr_assert_eq(bench_in8(b, IDE_BASE + 2), modes[n].level);
    }
    ide_command(b, LBA, 0, 0, 0xe6);
    ide_command(b, LBA, 0, 0, 0xec);
    cr_assert_eq(ide_wait(b) & 1, 1, "asleep: only a reset wakes it");
    bench_out8(b, IDE_CONTROL, 4);
    bench_out8(b, IDE_CONTROL, 0);
    ide_command(b, LBA, 0, 0, 0xec);
    cr_assert_eq(ide_wait(b), DRQ);
    bench_free(b);
    block_close(disk);
}

Test(ata, unknown_commands_abort)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    static const uint8_t commands[] = { 0x00, 0x22, 0xa1, 0xb0, 0xf9, 0x60 };
    for (unsigned n = 0; n < sizeof(commands); n++) {
        ide_command(b, LBA, 0, 0, commands[n]);
        cr_assert_eq(ide_wait(b), FAILED);
        cr_assert_eq(bench_in8(b, IDE_BASE + 1), 4);
    }
    bench_free(b);
    block_close(disk);
}

Test(ata, nien_keeps_the_line_down)
{
    struct block *disk;
    struct bench *b = ide_bench();
    ide_disk(b, geometry, 40 * 4 * 17, &disk);
    bench_out8(b, IDE_CONTROL, 2);
    ide_command(b, LBA, 0, 0, 0xec);
    ide_wait(b);
    cr_assert(!bench_irq(b, IDE_IRQ));
    bench_out8(b, IDE_CONTROL, 0);
    cr_assert(bench_irq(b, IDE_IRQ), "the drive still asks");
    bench_free(b);
    block_close(disk);
}
