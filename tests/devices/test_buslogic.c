/* BusLogic BT-958: [BT-9X8] 2 to 4. */
#include "tests/devices/scsi_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>

enum { IO = 0xc000, CONTROL = IO, STATUS = IO, COMMAND = IO + 1, INTERRUPT = IO + 2, WINDOW = IO + 4, BOXES = 0x1000, BOX_COUNT = 4, CCB = 0x2000,
       SENSE = 0x3000, LIST = 0x4000, DATA = 0x20000 };
static struct block *disk;
static uint8_t bytes[SCSI_PATTERN];

static void command(struct bench *b, uint8_t opcode, const uint8_t *p, unsigned count, void *reply, unsigned replies)
{
    bench_out8(b, COMMAND, opcode);
    for (unsigned n = 0; n < count; n++)
        bench_out8(b, COMMAND, p[n]);
    for (unsigned n = 0; n < replies; n++) {
        cr_assert(bench_in8(b, STATUS) & 4, "byte %u of command %02xh", n, opcode);
        ((uint8_t *)reply)[n] = bench_in8(b, COMMAND);
    }
    cr_assert_eq(bench_in8(b, INTERRUPT), 0x84, "command %02xh is complete", opcode);
    bench_out8(b, CONTROL, 0x20);
    cr_assert_eq(bench_in8(b, INTERRUPT), 0);
}
#define COMMAND(b, opcode, reply, replies, ...) \
    command(b, opcode, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), reply, replies)

static struct bench *start(bool wide)
{
    struct bench *b = scsi_bench("buslogic", &disk);
    scsi_pattern(bytes, sizeof(bytes), 1);
    cr_assert_eq(bench_in8(b, STATUS), 0x30, "ready, mailboxes wanted");
    if (wide)
        COMMAND(b, 0x81, NULL, 0, BOX_COUNT, 0x00, 0x10, 0, 0);
    else
        COMMAND(b, 0x01, NULL, 0, BOX_COUNT, 0, 0x10, 0x00);
    cr_assert_eq(bench_in8(b, STATUS), 0x10);
    return b;
}

static void end(struct bench *b)
{
    bench_free(b);
    block_close(disk);
}

static unsigned out_box, in_box;

static void ccb(struct bench *b, uint8_t opcode, uint8_t id, const uint8_t *cdb, uint8_t length, uint32_t data, uint32_t bytes_wanted)
{
    uint8_t *c = b->ram + CCB, *box = b->ram + BOXES + 8 * out_box;
    memset(c, 0, 64);
    c[0] = opcode, c[1] = 3 << 3, c[2] = length, c[3] = 18, c[16] = id;
    le32_put(c + 4, bytes_wanted);
    le32_put(c + 8, data);
    memcpy(c + 18, cdb, length);
    le32_put(c + 36, SENSE);
    le32_put(box, CCB);
    box[7] = 1;
    bench_out8(b, COMMAND, 2);
    cr_assert_eq(box[7], 0, "the mailbox is free again");
    out_box = (out_box + 1) % BOX_COUNT;
}

/* Completion code << 16 | adapter status << 8 | target status. */
static uint32_t completed(struct bench *b)
{
    uint8_t *box = b->ram + BOXES + 8 * (BOX_COUNT + in_box);
    uint32_t result = (uint32_t)box[7] << 16 | (uint32_t)box[4] << 8 | box[5];
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(bench_in8(b, INTERRUPT), 0x81);
    cr_assert_eq(le32_get(box), CCB);
    cr_assert(b->ram[CCB + 14] == box[4] && b->ram[CCB + 15] == box[5]);
    box[7] = 0;
    bench_out8(b, CONTROL, 0x20);
    in_box = (in_box + 1) % BOX_COUNT;
    return result;
}

Test(buslogic, commands_that_ask)
{
    struct bench *b = start(true);
    uint8_t r[64];
    COMMAND(b, 0x8d, r, 14, 14);
    cr_assert(r[0] == 'E' && le16_get(r + 2) == 8192 && r[4] == BOX_COUNT && le32_get(r + 5) == BOXES && (r[9] & 0x40));
    COMMAND(b, 0x8b, r, 5, 5);
    cr_assert_eq(memcmp(r, "958", 4), 0);
    COMMAND(b, 0x1f, r, 1, 0xa5);
    cr_assert_eq(r[0], 0xa5, "echo");
    COMMAND(b, 0x91, r, 64, 64, 64);
    cr_assert(r[2] == 64 && r[14] == 7, "the local RAM's set-up: ID 7");
    bench_out8(b, COMMAND, 0x24);
    cr_assert(bench_in8(b, COMMAND) == 1 && bench_in8(b, COMMAND) == 0, "one target, at ID 0");
    bench_out8(b, CONTROL, 0x20);
    bench_out8(b, COMMAND, 0x77);
    cr_assert_eq(bench_in8(b, STATUS) & 1, 1, "no such command");
    bench_out8(b, CONTROL, 0x20);
    bench_out8(b, CONTROL, 0x80);
    cr_assert_eq(bench_in8(b, STATUS), 0x80, "the self-test runs");
    bench_step(b, 2000000);
    cr_assert_eq(bench_in8(b, STATUS), 0x30);
    end(b);
}

Test(buslogic, ccbs_of_32_bits)
{
    struct bench *b = start(true);
    out_box = in_box = 0;
    ccb(b, 0, 0, (const uint8_t[6]){ 0 }, 6, 0, 0);
    cr_assert_eq(completed(b), 0x40002, "unit attention");
    cr_assert(b->ram[SENSE] == 0x70 && b->ram[SENSE + 2] == 6, "with its sense data");
    ccb(b, 0, 3, (const uint8_t[6]){ 0 }, 6, 0, 0);
    cr_assert_eq(completed(b), 0x41100, "nobody there");
    ccb(b, 0, 0, (const uint8_t[10]){ 0x28, 0, 0, 0, 0, 5, 0, 1, 0 }, 10, DATA, 256 * 512);
    cr_assert_eq(completed(b), 0x10000);
    cr_assert_arr_eq(b->ram + DATA, bytes + 5 * 512, 256 * 512);
    static const struct { uint32_t length, address; } list[] = { { 100, 0x50000 }, { 0, 0 }, { 1948, 0x60002 } };
    for (unsigned n = 0; n < 3; n++) {
        le32_put(b->ram + LIST + 8 * n, list[n].length);
        le32_put(b->ram + LIST + 8 * n + 4, list[n].address);
    }
    ccb(b, 2, 0, (const uint8_t[6]){ 8, 0, 0, 0, 4 }, 6, LIST, 24);
    cr_assert_eq(completed(b), 0x10000);
    cr_assert_arr_eq(b->ram + 0x50000, bytes, 100);
    cr_assert_arr_eq(b->ram + 0x60002, bytes + 100, 1948);
    ccb(b, 4, 0, (const uint8_t[6]){ 0x12, 0, 0, 0, 255 }, 6, LIST, 24);
    cr_assert_eq(completed(b), 0x10000);
    cr_assert_eq(le32_get(b->ram + CCB + 4), 2048 - 36, "what was left over");
    ccb(b, 0, 0, (const uint8_t[6]){ 8, 0, 0, 0, 4 }, 6, DATA, 512);
    cr_assert_eq(completed(b), 0x41200, "four sectors into the room of one");
    scsi_pattern(b->ram + DATA, 1024, 7);
    ccb(b, 0, 0, (const uint8_t[10]){ 0x2a, 0, 0, 0, 1, 0, 0, 0, 2 }, 10, DATA, 1024);
    cr_assert_eq(completed(b), 0x10000);
    block_read(disk, 256 * 512, bytes, 1024);
    cr_assert_arr_eq(b->ram + DATA, bytes, 1024);
    ccb(b, 0x55, 0, (const uint8_t[6]){ 0 }, 6, 0, 0);
    cr_assert_eq(completed(b), 0x41600, "no such CCB");
    end(b);
}

Test(buslogic, ccbs_of_24_bits)
{
    struct bench *b = start(false);
    uint8_t *c = b->ram + CCB;
    for (unsigned round = 0; round < 2; round++) {
        memset(c, 0, 64);
        c[1] = 0 << 5 | 1 << 3, c[2] = 6, c[3] = 14;
        c[5] = 512 >> 8;
        c[7] = DATA >> 16;
        c[18] = 8, c[21] = 2, c[22] = 1;
        memcpy(b->ram + BOXES + 4 * round, (const uint8_t[4]){ 1, CCB >> 16, CCB >> 8 & 0xff, CCB & 0xff }, 4);
        bench_out8(b, COMMAND, 2);
        cr_assert_eq(bench_in8(b, INTERRUPT), 0x81);
        bench_out8(b, CONTROL, 0x20);
        cr_assert_eq(b->ram[BOXES + 4 * (BOX_COUNT + round)], round ? 1 : 4);
        cr_assert_eq(be32_get(b->ram + BOXES + 4 * (BOX_COUNT + round)) & 0xffffff, CCB);
        if (!round)
            cr_assert_eq(c[18 + 6 + 2], 6, "sense behind the command: unit attention");
    }
    cr_assert_arr_eq(b->ram + DATA, bytes + 2 * 512, 512);
    end(b);
}

/* An incoming mailbox that the driver has not read yet: the completion waits. */
Test(buslogic, full_mailboxes)
{
    struct bench *b = start(true);
    out_box = in_box = 0;
    b->ram[BOXES + 8 * BOX_COUNT + 7] = 4;
    ccb(b, 0, 0, (const uint8_t[6]){ 0x12, 0, 0, 0, 36 }, 6, DATA, 36);
    cr_assert_eq(bench_in8(b, INTERRUPT), 0);
    b->ram[BOXES + 8 * BOX_COUNT + 7] = 0;
    bench_out8(b, CONTROL, 0x20);
    cr_assert_eq(completed(b), 0x10000);
    end(b);
}

/* What the ROM does: command 03h, data through the window. */
/* Mailboxes that stay full and never fill: what is in them is done again and again, but not without end. */
Test(buslogic, mailboxes_in_a_rom, .timeout = 20)
{
    static uint8_t rom[4096];
    for (uint8_t action = 1; action <= 2; action++) {
        struct bench *b = scsi_bench("buslogic", &disk);
        le32_put(rom, CCB);
        rom[7] = action;
        space_map_ram(b->m->memory, 0x200000, sizeof(rom), rom, 0, 0);
        COMMAND(b, 0x81, NULL, 0, 1, 0, 0, 0x20, 0);
        b->ram[CCB + 16] = 5;                   /* nobody */
        bench_out8(b, COMMAND, 2);
        cr_assert_eq(bench_in8(b, INTERRUPT), 0x81);
        end(b);
    }
}

Test(buslogic, commands_of_the_rom)
{
    struct bench *b = start(true);
    static const uint8_t inquiry[11] = { 0, 0x12, 0, 0, 0, 36 }, absent[11] = { 5, 0x12, 0, 0, 0, 36 };
    uint8_t r[36];
    bench_out8(b, COMMAND, 3);
    for (unsigned n = 0; n < 11; n++)
        bench_out8(b, COMMAND, absent[n]);
    cr_assert_eq(bench_in8(b, INTERRUPT), 0x84);
    cr_assert_not(bench_irq(b, 0), "the ROM polls");
    cr_assert_eq(bench_in8(b, COMMAND), 0x11);
    bench_out8(b, CONTROL, 0x20);
    bench_out8(b, COMMAND, 3);
    for (unsigned n = 0; n < 11; n++)
        bench_out8(b, COMMAND, inquiry[n]);
    for (unsigned n = 0; n < 36; n += 4) {
        cr_assert_eq(bench_in8(b, STATUS) & 4, 4);
        le32_put(r + n, bench_in32(b, WINDOW));
    }
    cr_assert_eq(memcmp(r + 8, "ACME", 4), 0);
    cr_assert_eq(bench_in8(b, INTERRUPT), 0x84);
    cr_assert_eq(bench_in8(b, COMMAND), 0);
    bench_out8(b, CONTROL, 0x20);
    cr_assert_eq(bench_in8(b, STATUS), 0x10);
    /* the ROM itself is where PCI says, with its checksums right */
    pci_config_write(b->m, 5 << 3, PCI_ROM, 4, 0xfeb00001);
    cr_assert_eq(bench_peek(b, 0xfeb00000, 2), 0xaa55);
    unsigned size = (unsigned)bench_peek(b, 0xfeb00002, 1) * 512, sum = 0, pnp = (unsigned)bench_peek(b, 0xfeb0001a, 2), pnp_sum = 0;
    for (unsigned n = 0; n < size; n++)
        sum += (unsigned)bench_peek(b, 0xfeb00000 + n, 1);
    for (unsigned n = 0; n < 32; n++)
        pnp_sum += (unsigned)bench_peek(b, 0xfeb00000 + pnp + n, 1);
    cr_assert(!(sum & 0xff) && !(pnp_sum & 0xff));
    end(b);
}
