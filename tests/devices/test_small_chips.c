/* Port 92h, the debug console, the exit device, the I/O APIC and fw_cfg. */
#include "devices/fw_cfg.h"
#include "devices/i82093aa.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>

static unsigned init_pulses;
static void count_init(struct device *cpu) { (void)cpu; init_pulses++; }
static void no_kick(struct device *cpu) { (void)cpu; }

Test(port92, a20_and_the_reset_edge)
{
    static const struct machine_cpu_ops ops = { .init_reset = count_init, .kick = no_kick };
    struct bench *b = bench_new();
    bench_add(b, "port92", "port92", NULL);
    bench_capture(b, "port92", "a20", 0);
    bench_reset(b);
    bench_out8(b, 0x92, 2);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(bench_in8(b, 0x92), 2);
    b->m->cpu_ops = &ops;
    b->m->cpus[0] = &b->capture;
    b->m->cpu_count = 1;
    bench_out8(b, 0x92, 3);
    bench_out8(b, 0x92, 3);
    cr_assert_eq(init_pulses, 1);
    bench_out8(b, 0x92, 0);
    bench_out8(b, 0x92, 1);
    cr_assert_eq(init_pulses, 2);
    cr_assert(!bench_irq(b, 0));
    b->m->cpu_count = 0;
    bench_free(b);
}

static char log_text[16];
static void keep(void *ui, uint16_t port, uint8_t byte)
{
    (void)ui;
    cr_assert(port == 0x402 || port == 0xe9);
    log_text[strlen(log_text)] = (char)byte;
}

Test(debugcon, bytes_reach_the_host)
{
    static const struct host host = { .debug = keep };
    struct bench *b = bench_new_host(&host);
    bench_add(b, "debugcon", "debug", NULL);
    bench_add(b, "debugcon", "debug2", "iobase=0xe9,readback=0");
    cr_assert_eq(bench_in8(b, 0x402), 0xe9);
    cr_assert_eq(bench_in8(b, 0xe9), 0);
    bench_out8(b, 0x402, 'h');
    bench_out8(b, 0xe9, 'i');
    cr_assert_str_eq(log_text, "hi");
    bench_free(b);
}

Test(isa_exit, ends_the_machine_with_the_value)
{
    struct bench *b = bench_new();
    bench_add(b, "isa_exit", "exit", NULL);
    bench_out32(b, 0x501, 0x10);
    cr_assert_eq(b->m->exit_code, 0x10);
    cr_assert_eq(atomic_load(&b->m->stop), STOP_EXIT);
    bench_free(b);
}

/* --- I/O APIC ------------------------------------------------------------------------------------------- */

static uint64_t message_address, message_data;
static unsigned messages;
static void take_message(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)chip, (void)size;
    message_address = 0xfee00000 + offset;
    message_data = value;
    messages++;
}
static uint64_t no_message(void *chip, uint64_t offset, unsigned size)
{
    (void)chip, (void)offset, (void)size;
    return 0;
}

static struct device *ioapic;
static struct bench *apic_bench(void)
{
    static const struct io_ops ops = { no_message, take_message, IO_32 };
    struct bench *b = bench_new();
    ioapic = bench_add(b, "i82093aa", "ioapic", NULL);
    bench_capture(b, "ioapic", "ack2", 2);
    space_map_io(b->m->memory, 0xfee00000, 0x100000, &ops, NULL, 0);
    bench_reset(b);
    return b;
}

static void apic_set(struct bench *b, unsigned reg, uint32_t value)
{
    bench_poke(b, 0xfec00000, 4, reg);
    bench_poke(b, 0xfec00010, 4, value);
}

static uint32_t apic_get(struct bench *b, unsigned reg)
{
    bench_poke(b, 0xfec00000, 1, reg);
    return (uint32_t)bench_peek(b, 0xfec00010, 4);
}

Test(i82093aa, registers)
{
    struct bench *b = apic_bench();
    cr_assert_eq(apic_get(b, 1), 0x00170011);
    cr_assert_eq(apic_get(b, 0x10), 0x10000);
    apic_set(b, 0, 0xff000000);
    cr_assert_eq(apic_get(b, 0), 0x0f000000);
    apic_set(b, 0x3f, 0xffffffff);
    cr_assert_eq(apic_get(b, 0x3f), 0xff000000);
    cr_assert_eq(apic_get(b, 0x40), 0);
    bench_free(b);
}

Test(i82093aa, edges_are_sent_once)
{
    struct bench *b = apic_bench();
    apic_set(b, 0x15, 0x03000000);
    apic_set(b, 0x14, 0x0931);                  /* logical, lowest priority, vector 31h */
    bench_drive(b, "ioapic", 2, true);
    cr_assert_eq(messages, 1);
    cr_assert_eq(message_address, 0xfee0300c);
    cr_assert_eq(message_data, 0x4131);
    cr_assert_eq(bench_rises(b, 2), 1);
    i82093aa_eoi(ioapic, 0x31);
    cr_assert_eq(messages, 1);
    apic_set(b, 0x14, 0x10931);
    bench_drive(b, "ioapic", 2, false);
    bench_drive(b, "ioapic", 2, true);
    apic_set(b, 0x14, 0x0931);
    cr_assert_eq(messages, 1, "an edge on a masked pin is lost");
    bench_free(b);
}

Test(i82093aa, levels_are_sent_again_after_their_eoi)
{
    struct bench *b = apic_bench();
    apic_set(b, 0x24, 0x0a055);                 /* level, active low: the wire says asserted */
    bench_drive(b, "ioapic", 10, true);
    cr_assert_eq(messages, 1);
    cr_assert_eq(message_data, 0xc055);
    cr_assert_eq(apic_get(b, 0x24), 0xe055, "remote IRR is set");
    bench_drive(b, "ioapic", 10, false);
    bench_drive(b, "ioapic", 10, true);
    cr_assert_eq(messages, 1);
    i82093aa_eoi(ioapic, 0x56);
    cr_assert_eq(messages, 1);
    i82093aa_eoi(ioapic, 0x55);
    cr_assert_eq(messages, 2);
    bench_drive(b, "ioapic", 10, false);
    i82093aa_eoi(ioapic, 0x55);
    cr_assert_eq(messages, 2);
    cr_assert_eq(apic_get(b, 0x24), 0xa055);
    apic_set(b, 0x24, 0x1a055);
    bench_drive(b, "ioapic", 10, true);
    apic_set(b, 0x24, 0x0a055);
    cr_assert_eq(messages, 3, "a masked level waits");
    bench_free(b);
}

/* --- fw_cfg --------------------------------------------------------------------------------------------- */

static struct device *fw_cfg;
static struct bench *cfg_bench(void)
{
    struct bench *b = bench_new();
    bench_ram(b, 0, 1 << 20);
    fw_cfg = bench_add(b, "fw_cfg", "fw_cfg", NULL);
    fw_cfg_add_u16(fw_cfg, 5, 0x1234);
    fw_cfg_add_file(fw_cfg, "etc/one", "1", 1);
    fw_cfg_add_file(fw_cfg, "etc/two", "twotwo", 6);
    fw_cfg_add_file(fw_cfg, "etc/one", "first", 5);
    bench_reset(b);
    return b;
}

static void cfg_read(struct bench *b, uint16_t selector, void *to, size_t length)
{
    bench_out16(b, 0x510, selector);
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)to)[i] = bench_in8(b, 0x511);
}

Test(fw_cfg, items_and_files)
{
    struct bench *b = cfg_bench();
    uint8_t bytes[4 + 2 * 64], file[8];
    cfg_read(b, 0, bytes, 4);
    cr_assert(!memcmp(bytes, "QEMU", 4));
    cfg_read(b, 1, bytes, 4);
    cr_assert_eq(le32_get(bytes), 3);
    cfg_read(b, 5, bytes, 4);
    cr_assert_eq(le32_get(bytes), 0x1234, "zeros follow the end");
    cfg_read(b, 0x19, bytes, sizeof(bytes));
    cr_assert_eq(be32_get(bytes), 2);
    cr_assert(be32_get(bytes + 4) == 5 && be32_get(bytes + 68) == 6);
    cr_assert_str_eq((char *)bytes + 4 + 8, "etc/one");
    cfg_read(b, be16_get(bytes + 4 + 4), file, 6);
    cr_assert(!memcmp(file, "first", 6));
    cfg_read(b, be16_get(bytes + 68 + 4), file, 7);
    cr_assert_str_eq((char *)file, "twotwo");
    cfg_read(b, 0x1fff, file, 1);
    cr_assert_eq(file[0], 0);
    bench_free(b);
}

static uint32_t dma(struct bench *b, uint32_t control, uint32_t length, uint64_t address)
{
    be32_put(b->ram + 0x1000, control);
    be32_put(b->ram + 0x1004, length);
    be64_put(b->ram + 0x1008, address);
    bench_out32(b, 0x514, 0);
    bench_out32(b, 0x518, __builtin_bswap32(0x1000));
    return be32_get(b->ram + 0x1000);
}

Test(fw_cfg, dma)
{
    struct bench *b = cfg_bench();
    cr_assert_eq(__builtin_bswap32(bench_in32(b, 0x514)), 0x51454d55);
    cr_assert_eq(__builtin_bswap32(bench_in32(b, 0x518)), 0x20434647);
    cr_assert_eq(bench_in8(b, 0x514), 'Q');
    cr_assert_eq(dma(b, 0x210000 | 8 | 2, 6, 0x2000), 0);       /* select, read */
    cr_assert(!memcmp(b->ram + 0x2000, "twotwo", 6));
    cr_assert_eq(dma(b, 0x210000 | 8 | 4, 3, 0), 0);            /* select, skip */
    memset(b->ram + 0x2000, 0xaa, 8);
    cr_assert_eq(dma(b, 2, 5, 0x2000), 0);
    cr_assert(!memcmp(b->ram + 0x2000, "two\0\0\xaa", 6));
    cr_assert_eq(dma(b, 0x210000 | 8 | 16, 6, 0x2000), 1, "nothing may be written");
    cr_assert_eq(dma(b, 0x210000 | 8 | 2, 6, 0x90000000), 1, "no memory there");
    cr_assert_eq(dma(b, 0x210000 | 8 | 2, 0xffffffff, 0x2000), 1);
    bench_out32(b, 0x514, 0xffffffff);
    bench_out32(b, 0x518, 0xffffffff);                          /* a descriptor nowhere */
    bench_free(b);
}
