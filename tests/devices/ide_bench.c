#include "tests/devices/ide_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>

struct bench *ide_bench(void)
{
    struct bench *b = bench_new();
    bench_ram(b, 0, 1 << 20);
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "ata_channel", "ide0", NULL);
    bench_add(b, "piix3_ide", "ide", NULL);
    bench_capture(b, "ide0", "irq", IDE_IRQ);
    bench_reset(b);
    pci_config_write(b->m, 9, 0x20, 4, IDE_BM);
    pci_config_write(b->m, 9, 0x40, 4, 0x80008000);
    pci_config_write(b->m, 9, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MASTER);
    return b;
}

void ide_insert(struct device *dev, struct block *block)
{
    struct error err = { 0 };
    cr_assert(dev->class->media(dev, 0, block, &err), "%s", err.text);
}

struct device *ide_disk(struct bench *b, const char *options, uint64_t sectors, struct block **block)
{
    struct error err = { 0 };
    struct device *dev = bench_add(b, "ata_disk", "ide0-0", options);
    *block = block_open_memory(sectors * 512, &err);
    cr_assert_not_null(*block);
    ide_insert(dev, *block);
    dev->class->reset(dev, RESET_POWER);
    return dev;
}

uint8_t ide_wait(struct bench *b)
{
    uint8_t status = bench_in8(b, IDE_CONTROL);
    for (unsigned n = 0; n < 1000 && status & 0x80; n++) {
        bench_step(b, 1000);
        status = bench_in8(b, IDE_CONTROL);
    }
    return status;
}

void ide_command(struct bench *b, uint8_t device, unsigned count, uint32_t lba, uint8_t command)
{
    bench_out8(b, IDE_BASE + 6, (uint8_t)(device | (lba >> 24 & 15)));
    bench_out8(b, IDE_BASE + 2, (uint8_t)count);
    bench_out8(b, IDE_BASE + 3, (uint8_t)lba);
    bench_out8(b, IDE_BASE + 4, (uint8_t)(lba >> 8));
    bench_out8(b, IDE_BASE + 5, (uint8_t)(lba >> 16));
    bench_out8(b, IDE_BASE + 7, command);
}

void ide_command48(struct bench *b, uint8_t device, unsigned count, uint64_t lba, uint8_t command)
{
    bench_out8(b, IDE_BASE + 6, device);
    bench_out8(b, IDE_BASE + 2, (uint8_t)(count >> 8));
    bench_out8(b, IDE_BASE + 3, (uint8_t)(lba >> 24));
    bench_out8(b, IDE_BASE + 4, (uint8_t)(lba >> 32));
    bench_out8(b, IDE_BASE + 5, (uint8_t)(lba >> 40));
    ide_command(b, device, count, (uint32_t)lba & 0xffffff, command);
}

void ide_words_in(struct bench *b, void *to, size_t bytes)
{
    for (size_t n = 0; n < bytes; n += 2)
        le16_put((uint8_t *)to + n, bench_in16(b, IDE_BASE));
}

void ide_words_out(struct bench *b, const void *from, size_t bytes)
{
    for (size_t n = 0; n < bytes; n += 2)
        bench_out16(b, IDE_BASE, le16_get((const uint8_t *)from + n));
}

void ide_dma(struct bench *b, uint32_t bytes, bool to_memory)
{
    bench_poke(b, IDE_PRD, 4, IDE_DMA);
    bench_poke(b, IDE_PRD + 4, 4, 0x80000000u | (bytes & 0xffff));
    bench_out32(b, IDE_BM + 4, IDE_PRD);
    bench_out8(b, IDE_BM + 2, 6);
    bench_out8(b, IDE_BM, to_memory ? 8 : 0);
    bench_out8(b, IDE_BM, to_memory ? 9 : 1);
}

void ide_pattern(void *to, size_t bytes, unsigned seed)
{
    for (size_t n = 0; n < bytes; n++)
        ((uint8_t *)to)[n] = (uint8_t)(n * 7 + (n >> 9) * 13 + seed);
}
