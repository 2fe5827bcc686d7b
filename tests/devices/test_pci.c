/* PCI configuration, the host bridge, the ISA bridge's router and power management. */
#include "devices/pci.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PMC = 0, PIIX = 8, PM = 11 };

static void confadd(struct bench *b, unsigned devfn, unsigned offset)
{
    bench_out32(b, 0xcf8, 0x80000000u | devfn << 8 | offset);
}

Test(pci, mechanism_one)
{
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "i82441fx", "pmc", NULL);
    bench_add(b, "piix3_isa", "piix3", NULL);
    bench_reset(b);
    confadd(b, PMC, 0);
    cr_assert_eq(bench_in32(b, 0xcfc), 0x12378086);
    cr_assert_eq(bench_in16(b, 0xcfe), 0x1237);
    cr_assert_eq(bench_in8(b, 0xcfd), 0x80);
    confadd(b, PMC, 0x2c);
    cr_assert_eq(bench_in32(b, 0xcfc), 0x11001af4);
    confadd(b, PIIX, 0);
    cr_assert_eq(bench_in32(b, 0xcfc), 0x70008086);
    confadd(b, 0x18, 0);
    cr_assert_eq(bench_in32(b, 0xcfc), 0xffffffff, "nobody there");
    bench_out32(b, 0xcf8, 0);
    cr_assert_eq(bench_in32(b, 0xcfc), 0xffffffff, "not enabled");
    bench_out32(b, 0xcf8, 0x80010000);
    cr_assert_eq(bench_in32(b, 0xcfc), 0xffffffff, "bus 1");
    bench_out32(b, 0xcf8, 0x80000000);
    bench_out8(b, 0xcf8, 0x55);
    cr_assert_eq(bench_in32(b, 0xcf8), 0x80000000, "a byte access passes by");
    bench_free(b);
}

Test(pci, bars_are_sized_and_decoded)
{
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "ata_channel", "ide0", NULL);
    bench_add(b, "piix3_ide", "ide", NULL);
    bench_reset(b);
    pci_config_write(b->m, 9, 0x20, 4, 0xffffffff);
    cr_assert_eq(pci_config_read(b->m, 9, 0x20, 4), 0xfffffff1, "16 ports");
    cr_assert_eq(bench_in8(b, 0xfff2), 0xff, "not decoded at the top");
    pci_config_write(b->m, 9, 0x20, 4, 0xd000);
    cr_assert_eq(bench_in8(b, 0xd002), 0xff, "decoding is off");
    pci_config_write(b->m, 9, PCI_COMMAND, 2, COMMAND_IO);
    cr_assert_eq(bench_in8(b, 0xd002), 0);
    pci_config_write(b->m, 9, 0x20, 4, 0xe000);
    cr_assert_eq(bench_in8(b, 0xd002), 0xff);
    cr_assert_eq(bench_in8(b, 0xe002), 0);
    pci_config_write(b->m, 9, PCI_VENDOR, 4, 0);
    cr_assert_eq(pci_config_read(b->m, 9, PCI_VENDOR, 4), 0x70108086, "identity is read-only");
    bench_free(b);
}

Test(i82441fx, pam_steers_reads_and_writes)
{
    struct bench *b = bench_new();
    static uint8_t ram[2 << 20], rom[128 << 10];
    b->m->ram = ram;
    b->m->ram_size = sizeof(ram);
    memset(rom, 0x11, sizeof(rom));
    space_map_ram(b->m->memory, 0xe0000, sizeof(rom), rom, RAM_SECOND, 1);
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "i82441fx", "pmc", NULL);
    bench_reset(b);
    cr_assert_eq(bench_peek(b, 0xf0000, 1), 0x11);
    cr_assert_eq(bench_peek(b, 0xc0000, 1), 0xff, "nothing is there");
    pci_config_write(b->m, PMC, 0x59, 1, 0x20); /* F0000h: write to RAM, read from ROM */
    bench_poke(b, 0xf0000, 1, 0x22);
    cr_assert_eq(bench_peek(b, 0xf0000, 1), 0x11);
    pci_config_write(b->m, PMC, 0x59, 1, 0x10); /* read from RAM, writes go to ROM */
    cr_assert_eq(bench_peek(b, 0xf0000, 1), 0x22);
    bench_poke(b, 0xf0000, 1, 0x33);
    cr_assert_eq(bench_peek(b, 0xf0000, 1), 0x22);
    pci_config_write(b->m, PMC, 0x5a, 1, 0x30); /* C4000h-C7FFFh */
    bench_poke(b, 0xc4000, 1, 0x44);
    bench_poke(b, 0xc0000, 1, 0x55);
    cr_assert_eq(bench_peek(b, 0xc4000, 1), 0x44);
    cr_assert_eq(bench_peek(b, 0xc0000, 1), 0xff);
    cr_assert_eq(bench_peek(b, 0xa0000, 1), 0xff);
    pci_config_write(b->m, PMC, 0x72, 1, 0x4a);
    bench_poke(b, 0xa0000, 1, 0x66);
    cr_assert_eq(bench_peek(b, 0xa0000, 1), 0x66, "SMRAM is open");
    pci_config_write(b->m, PMC, 0x72, 1, 0x1a);
    cr_assert_eq(bench_peek(b, 0xa0000, 1), 0xff);
    pci_config_write(b->m, PMC, 0x72, 1, 0x4a);
    cr_assert_eq(bench_peek(b, 0xa0000, 1), 0xff, "and locked");
    bench_free(b);
}

Test(piix3_isa, pirq_routing)
{
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "piix3_isa", "piix3", NULL);
    bench_reset(b);
    bench_capture(b, "piix3", "irq10", 0);
    bench_capture(b, "piix3", "irq11", 1);
    bench_capture(b, "piix3", "apic11", 2);
    bench_drive(b, "piix3", 3 * 4 + 0, true);   /* slot 3 INTA#: PIRQC */
    cr_assert(!bench_irq(b, 0) && !bench_irq(b, 1), "routing is off after reset");
    pci_config_write(b->m, PIIX, 0x62, 1, 11);
    cr_assert(bench_irq(b, 1) && bench_irq(b, 2));
    bench_drive(b, "piix3", 7 * 4 + 0, true);   /* slot 7 shares it */
    bench_drive(b, "piix3", 3 * 4 + 0, false);
    cr_assert(bench_irq(b, 1));
    pci_config_write(b->m, PIIX, 0x62, 1, 10);
    cr_assert(bench_irq(b, 0) && !bench_irq(b, 1), "a new route moves the level");
    bench_drive(b, "piix3", 128 + 10, true);    /* an ISA card on the same request */
    bench_drive(b, "piix3", 7 * 4 + 0, false);
    cr_assert(bench_irq(b, 0));
    bench_drive(b, "piix3", 128 + 10, false);
    cr_assert(!bench_irq(b, 0));
    bench_free(b);
}

Test(piix3_isa, a20_ferr_and_reset)
{
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "piix3_isa", "piix3", NULL);
    bench_reset(b);
    bench_capture(b, "piix3", "a20m", 0);
    bench_capture(b, "piix3", "irq13", 1);
    bench_capture(b, "piix3", "ignne", 2);
    bench_drive(b, "piix3", 144, true);
    bench_drive(b, "piix3", 145, true);
    bench_drive(b, "piix3", 144, false);
    cr_assert(!bench_irq(b, 0), "the gate written last counts: HIMEM shuts one while the firmware left both open");
    bench_drive(b, "piix3", 145, true);
    cr_assert(bench_irq(b, 0));
    bench_drive(b, "piix3", 145, false);
    cr_assert(!bench_irq(b, 0));
    bench_drive(b, "piix3", 146, true);
    cr_assert(bench_irq(b, 1));
    bench_out8(b, 0xf0, 0);
    cr_assert(!bench_irq(b, 1) && bench_irq(b, 2), "F0h ends IRQ13 and asserts IGNNE#");
    bench_drive(b, "piix3", 146, false);
    cr_assert(!bench_irq(b, 2));
    bench_out8(b, 0xcf9, 2);
    cr_assert_eq(atomic_load(&b->m->stop), STOP_NONE);
    bench_out8(b, 0xcf9, 6);
    cr_assert_eq(atomic_load(&b->m->stop), STOP_RESET);
    bench_free(b);
}

static struct bench *pm_bench(const char *options)
{
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "piix4_pm", "pm", options);
    bench_capture(b, "pm", "sci", 0);
    bench_reset(b);
    pci_config_write(b->m, PM, 0x40, 4, 0x601);
    pci_config_write(b->m, PM, 0x80, 1, 1);
    return b;
}

Test(piix4_pm, timer_counts_and_overflows)
{
    struct bench *b = pm_bench(NULL);
    uint32_t before = bench_in32(b, 0x608);
    bench_step(b, NS_PER_S / 10);
    cr_assert_eq(((bench_in32(b, 0x608) - before) & 0xffffff) / 10, 35795);
    bench_out16(b, 0x602, 1);
    bench_out8(b, 0xb2, 0xf1);
    cr_assert_eq(bench_in16(b, 0x604) & 1, 1, "F1h turns ACPI on");
    bench_step(b, 2 * NS_PER_S);
    cr_assert(!bench_irq(b, 0));
    bench_step(b, NS_PER_S / 2);
    cr_assert(bench_irq(b, 0), "bit 23 changed after 2.34 s");
    bench_out16(b, 0x600, 1);
    cr_assert(!bench_irq(b, 0));
    bench_free(b);
}

Test(piix4_pm, power_button_and_soft_off)
{
    struct bench *b = pm_bench(NULL);
    bench_out8(b, 0xb2, 0xf1);
    bench_out16(b, 0x602, 0x100);
    bench_drive(b, "pm", 0, true);
    bench_drive(b, "pm", 0, false);
    cr_assert(bench_irq(b, 0));
    cr_assert(bench_in16(b, 0x600) & 0x100);
    bench_out16(b, 0x600, 0x100);
    cr_assert(!bench_irq(b, 0));
    bench_out8(b, 0xb2, 0xf0);
    cr_assert_eq(bench_in16(b, 0x604) & 1, 0);
    bench_out16(b, 0x604, 0x2000);
    cr_assert_eq(atomic_load(&b->m->stop), STOP_POWER_OFF);
    bench_free(b);
}

Test(piix4_pm, the_clock_wakes)
{
    struct bench *b = pm_bench(NULL);
    bench_add(b, "mc146818", "rtc", NULL);
    cr_assert(machine_wire(b->m, "rtc", "pm", "pm", 1));
    bench_reset(b);
    pci_config_write(b->m, PM, 0x40, 4, 0x601);
    pci_config_write(b->m, PM, 0x80, 1, 1);
    bench_out8(b, 0xb2, 0xf1);
    bench_out16(b, 0x602, 0x400);
    for (unsigned n = 1; n <= 5; n += 2) {              /* each second, minute, hour */
        bench_out8(b, 0x70, (uint8_t)n);
        bench_out8(b, 0x71, 0xff);
    }
    bench_out8(b, 0x70, 0x0b);
    bench_out8(b, 0x71, 0x22);                          /* AIE, 24 hours */
    cr_assert(!bench_irq(b, 0));
    bench_step(b, 1100000000);
    cr_assert(bench_irq(b, 0));
    cr_assert(bench_in16(b, 0x600) & 0x400);
    bench_out16(b, 0x600, 0x400);
    cr_assert(!bench_irq(b, 0), "until the next edge of IRQ8");
    bench_free(b);
}

Test(piix4_pm, what_firmware_looks_at)
{
    struct bench *b = pm_bench(NULL);
    cr_assert_eq(pci_config_read(b->m, PM, 0x58, 4) & 1 << 25, 1 << 25, "SMM is set up already");
    cr_assert_eq(bench_in32(b, 0xae00), 0);
    cr_assert_eq(bench_in32(b, 0xae0c), 0);
    cr_assert_eq(bench_in32(b, 0xafe0), 0);
    bench_free(b);
    b = pm_bench("acpi=off");
    cr_assert_eq(pci_config_read(b->m, PM, 0, 4), 0xffffffff, "hidden");
    cr_assert_eq(bench_in16(b, 0x600), 0xffff);
    bench_free(b);
}

Test(bochs_shutdown, the_word_turns_the_machine_off)
{
    struct bench *b = bench_new();
    bench_add(b, "bochs_shutdown", "shutdown", NULL);
    bench_reset(b);
    for (const char *p = "ShutShutdow"; *p; p++)
        bench_out8(b, 0x8900, (uint8_t)*p);
    cr_assert_eq(atomic_load(&b->m->stop), STOP_NONE);
    bench_out8(b, 0x8900, 'n');
    cr_assert_eq(atomic_load(&b->m->stop), STOP_POWER_OFF);
    bench_free(b);
}

/* Slots 3 and 7 have their INTA# on one PIRQ, and an ISA card is on the IRQ that it leads to. */
Test(piix3_isa, several_cards_share_a_line)
{
    enum { SLOT3 = 3 * 4, SLOT7 = 7 * 4, ISA10 = 128 + 10 };
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "piix3_isa", "piix3", NULL);
    bench_capture(b, "piix3", "irq10", 0);
    bench_reset(b);
    for (unsigned n = 0; n < 4; n++)
        pci_config_write(b->m, PIIX, 0x60 + n, 1, 10);
    bench_drive(b, "piix3", SLOT3, true);
    bench_drive(b, "piix3", SLOT7, true);
    bench_drive(b, "piix3", ISA10, true);
    cr_assert_eq(bench_rises(b, 0), 1);
    bench_drive(b, "piix3", SLOT3, false);
    cr_assert(bench_irq(b, 0), "the others still ask");
    bench_drive(b, "piix3", ISA10, false);
    bench_drive(b, "piix3", SLOT3, true);
    bench_drive(b, "piix3", SLOT7, false);
    cr_assert(bench_irq(b, 0));
    bench_drive(b, "piix3", SLOT3, false);
    cr_assert_not(bench_irq(b, 0));
    bench_free(b);
}

Test(pci, an_option_rom)
{
    char path[] = "/tmp/holdover-rom-XXXXXX", options[64];
    struct error err;
    uint8_t bytes[3000] = { 0x55, 0xaa, 6 };
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    snprintf(options, sizeof(options), "romfile=%s", path);
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci0", NULL);
    bench_add(b, "rtl8139", "card", options);
    bench_reset(b);
    pci_config_write(b->m, 3 << 3, PCI_ROM, 4, 0xfffffffe);
    cr_assert_eq(pci_config_read(b->m, 3 << 3, PCI_ROM, 4), 0xfffff000, "4 KB");
    pci_config_write(b->m, 3 << 3, PCI_ROM, 4, 0xe0000001);
    cr_assert_neq(bench_peek(b, 0xe0000000, 2), 0xaa55, "decoding is off");
    pci_config_write(b->m, 3 << 3, PCI_COMMAND, 2, COMMAND_MEMORY);
    cr_assert_eq(bench_peek(b, 0xe0000000, 4), 0x0006aa55);
    cr_assert_eq(bench_peek(b, 0xe0000000 + 4000, 1), 0xff);
    cr_assert_eq(ftruncate(fd, 100), 0);
    cr_assert_null(machine_add(b->m, "rtl8029", "other", "slot=4,romfile=/nonexistent", &err));
    snprintf(options, sizeof(options), "slot=5,romfile=%s", path);
    cr_assert_null(machine_add(b->m, "rtl8029", "third", options, &err));
    close(fd);
    unlink(path);
    bench_free(b);
}
