/* A SCSI bus on the device bench: disks and a CD-ROM on "scsi0", and an initiator that needs no adapter. */
#ifndef TESTS_DEVICES_SCSI_BENCH_H
#define TESTS_DEVICES_SCSI_BENCH_H
#include "devices/scsi.h"
#include "tests/support/bench.h"

enum { SCSI_DISK_SECTORS = 4096, SCSI_PATTERN = 256 << 10 };
/* RAM of 1 MiB, PCI, the bus, a disk at ID 0 whose bytes follow scsi_pattern; card (may be NULL) as "hba" in slot 5, line 0. */
struct bench *scsi_bench(const char *card, struct block **disk);
void scsi_pattern(void *to, size_t length, unsigned seed);
/* For a bench without a card: takes the bus, and runs a command from selection to bus free. Returns the status, or -1: nobody
 * is there. *length: room for data (either way), then how many moved. */
struct scsi_bus *scsi_initiator(struct bench *);
int scsi_run(struct scsi_bus *, unsigned id, unsigned lun, const uint8_t *cdb, void *data, uint32_t *length);
void scsi_wait(struct scsi_bus *, struct bench *);
uint32_t scsi_sense(struct scsi_bus *, unsigned id);    /* key << 16 | ASC */

#endif
