/* 53C895A and 53C810: [53C895A] 4 (registers), 5 (SCRIPTS). */
#include "tests/devices/scsi_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>

enum { R_SCNTL1 = 1, R_DSTAT = 0x0c, R_SSTAT0, R_SSTAT1, R_DSA = 0x10, R_ISTAT0 = 0x14, R_ISTAT1, R_CTEST2 = 0x1a, R_TEMP = 0x1c, R_DSP = 0x2c, R_DSPS = 0x30,
       R_DIEN = 0x39, R_SIEN0 = 0x40, R_SIEN1, R_SIST0, R_CCNTL0 = 0x56, R_PMJAD1 = 0xc0, R_RBC = 0xc8, R_UA = 0xcc, R_IA = 0xd4 };
enum { SCNTL1_RST = 8, ISTAT_DIP = 1, ISTAT_SIP = 2, ISTAT_INTF = 4, ISTAT_SIGP = 0x20, ISTAT_SRST = 0x40, ISTAT_ABRT = 0x80, SIST0_RST = 2, SIST0_MA = 0x80,
       SIST1_STO = 4, CCNTL0_ENPMJ = 0x80 };
enum { IO = 0xc000, SCRIPT = 0x1000, TABLE = 0x2000, DATA = 0x20000, MMIO = 0xfebf0000, CHIP_RAM = 0xfebe0000 };
static struct block *disk;
static uint8_t bytes[SCSI_PATTERN];

static struct bench *start(void)
{
    struct bench *b = scsi_bench("lsi53c8xx", &disk);
    pci_config_write(b->m, 5 << 3, PCI_BAR0 + 4, 4, MMIO);
    pci_config_write(b->m, 5 << 3, PCI_BAR0 + 8, 4, CHIP_RAM);
    scsi_pattern(bytes, sizeof(bytes), 1);
    bench_out8(b, IO + R_DIEN, 0x7d);
    bench_out8(b, IO + R_SIEN0, 0x8f);
    bench_out8(b, IO + R_SIEN1, 0x05);
    return b;
}

static void end(struct bench *b)
{
    bench_free(b);
    block_close(disk);
}

static void script_run(struct bench *b, const uint32_t *words, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        bench_poke(b, SCRIPT + 4 * n, 4, words[n]);
    bench_out32(b, IO + R_DSP, SCRIPT);
}
#define RUN(b, ...) script_run(b, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

/* Selection, IDENTIFY, a command, data, status, message, an interrupt with 99. */
static void command(struct bench *b, unsigned id, const uint8_t *cdb, unsigned length, uint32_t move, uint32_t data)
{
    b->ram[TABLE] = 0x80;
    memcpy(b->ram + TABLE + 16, cdb, length);
    RUN(b, 0x41000000 | id << 16, 0, 0x0e000001, TABLE, 0x0a000000 | length, TABLE + 16, move, data, 0x0b000001, TABLE + 32, 0x0f000001, TABLE + 33,
        0x48000000, 0, 0x98080000, 99);
}

static void clear_attention(struct bench *b)
{
    command(b, 0, (const uint8_t[6]){ 0 }, 6, 0x80000000, 0);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84);
    cr_assert_eq(b->ram[TABLE + 32], 2);
}

Test(lsi53c8xx, a_command_by_script)
{
    struct bench *b = start();
    clear_attention(b);
    cr_assert_not(bench_irq(b, 0));
    command(b, 0, (const uint8_t[10]){ 0x28, 0, 0, 0, 0, 4, 0, 1, 0x2c }, 10, 0x09000000 | 300 * 512, DATA);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(bench_in8(b, IO + R_ISTAT0), ISTAT_DIP);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 99);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84);
    cr_assert_not(bench_irq(b, 0), "reading takes it");
    cr_assert_arr_eq(b->ram + DATA, bytes + 4 * 512, 300 * 512);
    cr_assert(b->ram[TABLE + 32] == 0 && b->ram[TABLE + 33] == 0);
    memset(b->ram + DATA, 0x5a, 1024);
    command(b, 0, (const uint8_t[6]){ 0x0a, 0, 2, 0, 2 }, 6, 0x08000000 | 1024, DATA);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84);
    block_read(disk, 0x200 * 512, bytes, 1024);
    cr_assert_arr_eq(b->ram + DATA, bytes, 1024);
    end(b);
}

Test(lsi53c8xx, absent_targets_and_wrong_phases)
{
    struct bench *b = start();
    clear_attention(b);
    command(b, 4, (const uint8_t[6]){ 0 }, 6, 0x80000000, 0);
    cr_assert_eq(bench_in8(b, IO + R_ISTAT0) & 3, ISTAT_SIP);
    cr_assert_eq(bench_in16(b, IO + R_SIST0), SIST1_STO << 8);
    command(b, 0, (const uint8_t[6]){ 0x12, 0, 0, 0, 36 }, 6, 0x08000024, DATA);
    cr_assert_eq(bench_in16(b, IO + R_SIST0), SIST0_MA, "data out where data in come");
    cr_assert_eq(bench_in8(b, IO + R_SSTAT1) & 7, 1);
    bench_out8(b, IO + R_SCNTL1, SCNTL1_RST);
    cr_assert_eq(bench_in16(b, IO + R_SIST0), SIST0_RST);
    cr_assert_eq(bench_in8(b, IO + R_SSTAT0) & 2, 2);
    bench_out8(b, IO + R_SCNTL1, 0);
    clear_attention(b);
    /* with ENPMJ the script goes on at PMJAD1, with what is left */
    bench_out8(b, IO + R_CCNTL0, CCNTL0_ENPMJ);
    bench_out32(b, IO + R_PMJAD1, SCRIPT + 0x200);
    bench_poke(b, SCRIPT + 0x200, 4, 0x98080000);
    bench_poke(b, SCRIPT + 0x204, 4, 77);
    command(b, 0, (const uint8_t[6]){ 0x12, 0, 0, 0, 36 }, 6, 0x09000100, DATA);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 77);
    cr_assert_eq(bench_in32(b, IO + R_RBC) & 0xffffff, 0x100 - 36);
    cr_assert_eq(bench_in32(b, IO + R_UA), DATA + 36);
    cr_assert_eq(bench_in32(b, IO + R_IA), SCRIPT + 24);
    end(b);
}

Test(lsi53c8xx, registers_and_conditions)
{
    struct bench *b = start();
    /* SCRATCHA = F0h + 20h with carry, then SCRATCHB through SFBR; a jump by data, one by carry */
    RUN(b, 0x7834f000, 0, 0x7e342000, 0, 0x72340000, 0, 0x6a5c0000, 0, 0x800c0f20, SCRIPT + 0x100, 0x98080000, 1);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 1, "SFBR is 10h, not 2xh");
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84);
    cr_assert_eq(bench_in8(b, IO + 0x34), 0x10);
    cr_assert_eq(bench_in8(b, IO + 0x5c), 0x10);
    bench_poke(b, SCRIPT + 0x100, 4, 0x98080000);
    bench_poke(b, SCRIPT + 0x104, 4, 5);
    RUN(b, 0x7834f000, 0, 0x7e342000, 0, 0x80280000, SCRIPT + 0x100, 0x98080000, 2);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 5, "jump if carry");
    bench_in8(b, IO + R_DSTAT);
    RUN(b, 0x60000400, 0, 0x80280000, SCRIPT + 0x100, 0x98080000, 3);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 3, "which CLEAR CARRY takes away");
    bench_in8(b, IO + R_DSTAT);
    RUN(b, 0x88880000, 0xf8, 0x98080000, 4);    /* CALL, 100h from the script's start */
    cr_assert_eq(bench_in32(b, IO + R_TEMP), SCRIPT + 8);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 5);
    bench_in8(b, IO + R_DSTAT);
    RUN(b, 0x80000000, 0, 0x98180000, 0, 0x80000000, 0, 0x98080000, 6);
    cr_assert(bench_in8(b, IO + R_ISTAT0) & ISTAT_INTF, "an interrupt on the fly does not stop it");
    bench_out8(b, IO + R_ISTAT0, ISTAT_INTF);
    cr_assert_eq(bench_in8(b, IO + R_ISTAT0), ISTAT_DIP);
    end(b);
}

Test(lsi53c8xx, memory_and_registers)
{
    struct bench *b = start();
    bench_out32(b, IO + R_DSA, TABLE);
    for (unsigned n = 0; n < 64; n++)
        b->ram[TABLE + n] = (uint8_t)(n * 3);
    RUN(b, 0xf1340004, 8,                       /* load SCRATCHA from DSA + 8 */
        0xe05c0004, DATA,                       /* store SCRATCHB at DATA */
        0xc0000040, TABLE, CHIP_RAM + 0x100,    /* move 64 bytes to the chip's own RAM */
        0xc0000004, CHIP_RAM + 0x104, MMIO + 0x60,      /* and from there into SCRATCHC */
        0x98080000, 1);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84);
    cr_assert_eq(bench_in32(b, IO + 0x34), le32_get(b->ram + TABLE + 8));
    cr_assert_eq(bench_peek(b, CHIP_RAM + 0x110, 4), le32_get(b->ram + TABLE + 16));
    cr_assert_eq(bench_in32(b, IO + 0x60), le32_get(b->ram + TABLE + 4));
    cr_assert_eq(bench_peek(b, MMIO + 0x60, 4), le32_get(b->ram + TABLE + 4));
    end(b);
}

Test(lsi53c8xx, waiting_for_a_job)
{
    struct bench *b = start();
    bench_poke(b, SCRIPT + 0x100, 4, 0x98080000);
    bench_poke(b, SCRIPT + 0x104, 4, 8);
    RUN(b, 0x50000000, SCRIPT + 0x100);
    cr_assert_eq(bench_in8(b, IO + R_ISTAT0) & 3, 0, "WAIT RESELECT waits");
    bench_out8(b, IO + R_ISTAT0, ISTAT_SIGP);
    cr_assert_eq(bench_in32(b, IO + R_DSPS), 8);
    cr_assert(bench_in8(b, IO + R_CTEST2) & 0x40);
    cr_assert_not(bench_in8(b, IO + R_CTEST2) & 0x40, "reading CTEST2 takes SIGP away");
    end(b);
}

Test(lsi53c8xx, a_loop_costs_a_bounded_time)
{
    struct bench *b = start();
    RUN(b, 0x80880000, 0xfffffff8);             /* to itself */
    for (unsigned n = 0; n < 20; n++)
        bench_step(b, 1000000);
    cr_assert_eq(bench_in8(b, IO + R_ISTAT1), 2, "it still runs");
    RUN(b, 0x98080000, 3);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x84, "and something else can be started");
    RUN(b, 0xc0ffffff, 0, 0x10, 0x80880000, 0xffffffe8);       /* 16 MiB again and again */
    for (unsigned n = 0; n < 5; n++)
        bench_step(b, 1000000);
    bench_out8(b, IO + R_ISTAT0, ISTAT_ABRT);
    cr_assert_eq(bench_in8(b, IO + R_DSTAT), 0x90);
    end(b);
}

/* QUIRK(seabios-lsi): selects without ATN, sends sixteen bytes of a command, leaves a target where it is. */
Test(lsi53c8xx, seabios_lsi)
{
    struct bench *b = start();
    bench_out8(b, IO + R_ISTAT0, ISTAT_SRST);
    b->ram[TABLE] = 0x80;
    memcpy(b->ram + TABLE + 16, (const uint8_t[16]){ 0x12, 0, 0, 0, 36 }, 16);
    for (unsigned round = 0; round < 2; round++) {
        RUN(b, 0x40000000, 0, 0x06000001, TABLE, 0x02000010, TABLE + 16, 0x01000040, DATA, 0x98080000, 3);
        cr_assert_eq(bench_in16(b, IO + R_SIST0), SIST0_MA, "36 bytes of 64");
        cr_assert_eq(memcmp(b->ram + DATA + 8, "ACME", 4), 0);
        memset(b->ram + DATA, 0, 64);
    }
    end(b);
}

Test(lsi53c8xx, the_small_one)
{
    struct error err = { 0 };
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "lsi53c8xx", "hba", "chip=53c810");
    bench_reset(b);
    cr_assert_eq(pci_config_read(b->m, 5 << 3, 0, 4), 0x00011000);
    pci_config_write(b->m, 5 << 3, PCI_BAR0 + 8, 4, ~0u);
    cr_assert_eq(pci_config_read(b->m, 5 << 3, PCI_BAR0 + 8, 4), 0, "no RAM of its own");
    cr_assert_null(machine_add(b->m, "lsi53c8xx", "other", "chip=53c1010,slot=6", &err));
    bench_free(b);
}
