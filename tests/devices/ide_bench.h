/* An IDE channel on the device bench, with the guest's side of the protocols. */
#ifndef TESTS_DEVICES_IDE_BENCH_H
#define TESTS_DEVICES_IDE_BENCH_H
#include "block/block.h"
#include "tests/support/bench.h"

enum { IDE_BASE = 0x1f0, IDE_CONTROL = 0x3f6, IDE_BM = 0xc000, IDE_IRQ = 0 };
enum { IDE_PRD = 0x1000, IDE_DMA = 0x10000 };

/* RAM of 1 MiB, PCI, "ide0" with its IRQ captured on line 0, and the PIIX3 with bus master registers at IDE_BM. */
struct bench *ide_bench(void);
struct device *ide_disk(struct bench *, const char *options, uint64_t sectors, struct block **);
void ide_insert(struct device *, struct block *);
uint8_t ide_wait(struct bench *);               /* until not busy; the alternate status */
void ide_command(struct bench *, uint8_t device, unsigned count, uint32_t lba, uint8_t command);    /* LBA28 or CHS */
void ide_command48(struct bench *, uint8_t device, unsigned count, uint64_t lba, uint8_t command);
void ide_words_in(struct bench *, void *, size_t bytes);
void ide_words_out(struct bench *, const void *, size_t bytes);
void ide_dma(struct bench *, uint32_t bytes, bool to_memory);   /* one PRD at IDE_DMA, started */
void ide_pattern(void *, size_t bytes, unsigned seed);

#endif
