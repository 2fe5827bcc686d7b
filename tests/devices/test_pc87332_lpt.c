/* PC87332's parallel port, by the paragraphs of its data sheet and of the ECP standard. */
#include "tests/support/bench.h"
#include <criterion/criterion.h>

enum { DATA = 0x378, DSR, DCR, EPP_ADDRESS, EPP_DATA, FIFO = 0x778, CNFGB, ECR };

static char taken[64];
static size_t count, room = 64;
static unsigned initialised, cable_control;
static uint8_t cable_data, cable_status = 0xd8;
static bool cable_epp = true;
static size_t printer_write(void *backend, const uint8_t *bytes, size_t length)
{
    (void)backend;
    size_t n = MIN(length, room);
    memcpy(taken + count, bytes, n);
    count += n;
    room -= n;
    return n;
}
static void printer_init(void *backend) { (void)backend; initialised++; }
static uint8_t end_status(void *backend) { (void)backend; return cable_status; }
static void cable_lines(void *backend, uint8_t data, uint8_t control) { (void)backend; cable_data = data; cable_control = control; }
static uint8_t cable_in(void *backend) { (void)backend; return 0x5a; }
static bool epp(void *backend, bool address, bool read, uint8_t *byte)
{
    (void)backend;
    if (read)
        *byte = address ? 0xaa : 0xdd;
    else
        taken[count++] = (char)(address ? *byte | 0x80 : *byte);
    return cable_epp;
}
static struct parallel_end printer = { .write = printer_write, .initialise = printer_init, .status = end_status };
static struct parallel_end cable = { .status = end_status, .lines = cable_lines, .data = cable_in, .epp = epp };
static struct parallel_end *offer(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui, (void)m, (void)port, (void)err;
    return !strcmp(to, "printer") ? &printer : !strcmp(to, "cable") ? &cable : NULL;
}
static const struct host host = { .parallel = offer };

static struct bench *lpt(const char *options)
{
    struct bench *b = bench_new_host(&host);
    bench_add(b, "pc87332_lpt", "parallel1", options);
    bench_capture(b, "parallel1", "irq", 7);
    bench_reset(b);
    return b;
}

static void strobe(struct bench *b, uint8_t byte)
{
    bench_out8(b, DATA, byte);
    bench_out8(b, DCR, bench_in8(b, DCR) | 1);
    bench_out8(b, DCR, bench_in8(b, DCR) & 0xfe);
}

Test(pc87332_lpt, a_byte_is_strobed_and_acknowledged)
{
    struct bench *b = lpt("to=printer");
    bench_out8(b, DCR, 0x0c);
    cr_assert_eq(bench_in8(b, DCR), 0xcc);
    cr_assert_eq(bench_in8(b, DSR), 0xde, "selected, no error, not busy");
    strobe(b, 'A');
    cr_assert_eq(bench_in8(b, DATA), 'A', "the latch reads back");
    cr_assert_eq(bench_in8(b, DSR), 0x9e, "nAck is low until it was seen");
    cr_assert_eq(bench_in8(b, DSR), 0xde);
    cr_assert_eq(bench_rises(b, 7), 0, "no interrupt without its enable");
    bench_out8(b, DCR, 0x1c);
    strobe(b, 'B');
    strobe(b, 'C');
    cr_assert_eq(bench_rises(b, 7), 2, "an edge a byte, also without a look at the first");
    bench_in8(b, DSR);
    cr_assert(!bench_irq(b, 7));
    cr_assert_str_eq(taken, "ABC");
    bench_out8(b, DCR, 0x08);
    bench_out8(b, DCR, 0x0c);
    cr_assert_eq(initialised, 1);
    bench_free(b);
}

Test(pc87332_lpt, a_full_printer_is_busy)
{
    struct bench *b = lpt("to=printer");
    room = 1;
    strobe(b, 'A');
    bench_in8(b, DSR);
    bench_out8(b, DCR, 0x1c);
    strobe(b, 'B');
    cr_assert_eq(bench_in8(b, DSR), 0x5e);
    cr_assert_eq(bench_rises(b, 7), 0);
    room = 5;
    printer.drained(printer.chip);
    cr_assert_eq(bench_rises(b, 7), 1);
    cr_assert_eq(bench_in8(b, DSR), 0x9e);
    cr_assert_str_eq(taken, "AB");
    bench_free(b);
}

Test(pc87332_lpt, nothing_plugged_in)
{
    struct bench *b = lpt(NULL);
    cr_assert_eq(bench_in8(b, DSR), 0x7e, "busy, out of paper: switched off");
    strobe(b, 'A');
    cr_assert_eq(bench_in8(b, DSR), 0x7e);
    bench_free(b);
}

Test(pc87332_lpt, a_cable_has_the_lines_themselves)
{
    struct bench *b = lpt("to=cable");
    bench_out8(b, DATA, 0xa5);
    bench_out8(b, DCR, 0x1b);
    cr_assert_eq(cable_data, 0xa5);
    cr_assert_eq(cable_control, 0x0b);
    cable_status = 0x38;
    cr_assert_eq(bench_in8(b, DSR), 0x3e);
    cable.acknowledge(cable.chip);
    cr_assert_eq(bench_rises(b, 7), 1);
    bench_out8(b, DCR, 0x2c);
    cr_assert_eq(cable_control, 0x0c, "mode 0 drives always");
    bench_out8(b, ECR, 0x34);
    cr_assert_eq(cable_control, 0x2c);
    cr_assert_eq(bench_in8(b, DATA), 0x5a);
    bench_free(b);
}

Test(pc87332_lpt, epp_cycles_and_time_out)
{
    struct bench *b = lpt("to=cable");
    bench_out8(b, EPP_DATA, 1);
    cr_assert_eq(count, 0, "not in mode 0");
    bench_out8(b, ECR, 0x94);
    bench_out8(b, EPP_ADDRESS, 3);
    bench_out32(b, EPP_DATA, 0x44332211);
    cr_assert(!memcmp(taken, "\x83\x11\x22\x33\x44", 5));
    cr_assert_eq(bench_in8(b, EPP_ADDRESS), 0xaa);
    cr_assert_eq(bench_in8(b, EPP_DATA), 0xdd);
    cr_assert_eq(bench_in8(b, DSR) & 1, 0);
    cable_epp = false;
    bench_in8(b, EPP_DATA);
    cr_assert_eq(bench_in8(b, DSR) & 1, 1);
    cr_assert_eq(bench_in8(b, DSR) & 1, 0, "reading clears it");
    bench_free(b);
}

Test(pc87332_lpt, the_ecr_is_found_and_the_fifo_measured)
{
    struct bench *b = lpt("to=printer");
    unsigned depth = 0, threshold = 0;
    bench_out8(b, DCR, 0x0c);
    cr_assert_eq(bench_in8(b, ECR), 0x15);
    bench_out8(b, ECR, 0x34);
    cr_assert_eq(bench_in8(b, ECR), 0x35);
    bench_out8(b, ECR, 0xd4);
    while (!(bench_in8(b, ECR) & 2))
        bench_out8(b, FIFO, (uint8_t)(0x40 + depth++));
    cr_assert_eq(depth, 16);
    bench_out8(b, ECR, 0xd0);                   /* asks for service */
    for (threshold = 0; !(bench_in8(b, ECR) & 4); threshold++)
        cr_assert_eq(bench_in8(b, FIFO), 0x40 + threshold);
    cr_assert_eq(threshold, 8);
    cr_assert(bench_irq(b, 7));
    cr_assert_eq(count, 0, "the test mode sends nothing");
    bench_out8(b, ECR, 0xf4);
    cr_assert_eq(bench_in8(b, FIFO), 0x14);
    cr_assert_eq(bench_in8(b, CNFGB) & 0x3f, 0x08, "IRQ7, no DMA");
    bench_free(b);
}

Test(pc87332_lpt, the_fifo_sends_by_itself)
{
    struct bench *b = lpt("to=printer");
    room = 3;
    bench_out8(b, ECR, 0x54);
    for (char c = 'a'; c < 'f'; c++)
        bench_out8(b, FIFO, (uint8_t)c);
    cr_assert_str_eq(taken, "abc");
    cr_assert_eq(bench_in8(b, ECR) & 3, 0);
    room = 10;
    printer.drained(printer.chip);
    cr_assert_str_eq(taken, "abcde");
    cr_assert_eq(bench_in8(b, ECR) & 3, 1);
    bench_free(b);
}
