#include "tests/devices/scsi_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>
#include <stdlib.h>

void scsi_pattern(void *to, size_t length, unsigned seed)
{
    for (size_t n = 0; n < length; n++)
        ((uint8_t *)to)[n] = (uint8_t)(n * 7 + (n >> 9) * 13 + seed);
}

struct bench *scsi_bench(const char *card, struct block **disk)
{
    struct error err = { 0 };
    struct bench *b = bench_new();
    bench_ram(b, 0, 1 << 20);
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "scsi_bus", "scsi0", NULL);
    if (card)
        bench_add(b, card, "hba", "slot=5");
    struct device *dev = bench_add(b, "scsi_disk", "disk", "model=ACME TESTDISK,serial=SN42");
    *disk = block_open_memory(SCSI_DISK_SECTORS * 512, &err);
    uint8_t *bytes = malloc(SCSI_PATTERN);
    scsi_pattern(bytes, SCSI_PATTERN, 1);
    block_write(*disk, 0, bytes, SCSI_PATTERN);
    free(bytes);
    cr_assert(dev->class->media(dev, 0, *disk, &err), "%s", err.text);
    if (card)
        bench_capture(b, "hba", "intx", 0);
    bench_reset(b);
    if (card) {
        pci_config_write(b->m, 5 << 3, PCI_BAR0, 4, 0xc000);
        pci_config_write(b->m, 5 << 3, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
    }
    return b;
}

struct scsi_bus *scsi_initiator(struct bench *b)
{
    struct error err = { 0 };
    struct scsi_bus *bus;
    cr_assert(scsi_attach(&bus, machine_find(b->m, "scsi0"), "scsi0", NULL, &err) && bus);
    return bus;
}

void scsi_wait(struct scsi_bus *bus, struct bench *b)
{
    for (unsigned n = 0; n < 1000 && scsi_phase(bus) == SCSI_WAIT; n++)
        bench_step(b, 1000);
}

static void send(struct scsi_bus *bus, const uint8_t *from, uint32_t count)
{
    enum scsi_phase phase = scsi_phase(bus);
    for (uint32_t room; count && scsi_phase(bus) == phase; count--) {
        *scsi_window(bus, &room) = *from++;
        if (count == 1)
            scsi_attention(bus, false);
        scsi_moved(bus, 1);
    }
}

int scsi_run(struct scsi_bus *bus, unsigned id, unsigned lun, const uint8_t *cdb, void *data, uint32_t *length)
{
    uint32_t room, moved = 0, none = 0;
    uint8_t identify = (uint8_t)(0x80 | lun), status = 0xff;
    if (!length)
        length = &none;
    if (!scsi_select(bus, id, true))
        return -1;
    send(bus, &identify, 1);
    send(bus, cdb, 16);
    while (scsi_phase(bus) == SCSI_DATA_IN || scsi_phase(bus) == SCSI_DATA_OUT) {
        uint8_t *window = scsi_window(bus, &room);
        uint32_t n = MIN(room, *length - moved);
        cr_assert(n, "the target goes on although nothing is expected");
        if (scsi_phase(bus) == SCSI_DATA_IN)
            memcpy((uint8_t *)data + moved, window, n);
        else
            memcpy(window, (uint8_t *)data + moved, n);
        moved += n;
        scsi_moved(bus, n);
    }
    cr_assert_eq(scsi_phase(bus), SCSI_STATUS);
    status = *scsi_window(bus, &room);
    scsi_moved(bus, 1);
    cr_assert_eq(scsi_phase(bus), SCSI_MESSAGE_IN);
    cr_assert_eq(*scsi_window(bus, &room), 0, "COMMAND COMPLETE");
    scsi_moved(bus, 1);
    cr_assert_eq(scsi_phase(bus), SCSI_FREE);
    *length = moved;
    return status;
}

uint32_t scsi_sense(struct scsi_bus *bus, unsigned id)
{
    uint8_t sense[18] = { 0 };
    uint32_t length = sizeof(sense);
    cr_assert_eq(scsi_run(bus, id, 0, (const uint8_t[16]){ 3, 0, 0, 0, 18 }, sense, &length), 0);
    cr_assert(sense[0] == 0x70 && length == 18);
    return (uint32_t)sense[2] << 16 | be16_get(sense + 12);
}
