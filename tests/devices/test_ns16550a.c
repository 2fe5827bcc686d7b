/* PC16550D, by the paragraphs of its data sheet. */
#include "tests/support/bench.h"
#include <criterion/criterion.h>

enum { RBR = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR, CHARACTER = 86806 };  /* ns of 8N1 at 115200 baud */

static char sent[256];
static size_t room = 256, sent_count;
static unsigned modem_lines, baud_told;
static size_t far_write(void *backend, const uint8_t *bytes, size_t length)
{
    (void)backend;
    size_t n = MIN(length, room);
    memcpy(sent + sent_count, bytes, n);
    sent_count += n;
    room -= n;
    return n;
}
static void far_modem(void *backend, unsigned lines) { (void)backend; modem_lines = lines; }
static void far_settings(void *backend, unsigned baud, unsigned data, char parity, unsigned stop,
                         bool line_break)
{
    (void)backend, (void)data, (void)parity, (void)stop, (void)line_break;
    baud_told = baud;
}
static struct stream_end end = { .write = far_write, .modem = far_modem, .settings = far_settings };
static struct stream_end *offer(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui, (void)m, (void)to, (void)err;
    return port == 0 ? &end : NULL;
}
static const struct host host = { .serial = offer };

static struct bench *uart(uint8_t fcr, uint8_t ier)
{
    struct bench *b = bench_new_host(&host);
    bench_add(b, "ns16550a", "serial0", NULL);
    bench_capture(b, "serial0", "irq", 4);
    bench_reset(b);
    bench_out8(b, LCR, 0x83);
    bench_out8(b, RBR, 1);
    bench_out8(b, IER, 0);
    bench_out8(b, LCR, 0x03);
    bench_out8(b, IIR, fcr);
    bench_out8(b, MCR, 0x0b);
    bench_out8(b, IER, ier);
    return b;
}

static void from_far(const char *text) { end.receive(end.chip, (const uint8_t *)text, strlen(text)); }

Test(ns16550a, sends_at_its_baud_rate)
{
    struct bench *b = uart(0, 0);
    cr_assert_eq(bench_in8(b, LSR), 0x60);
    bench_out8(b, RBR, 'a');
    cr_assert_eq(bench_in8(b, LSR), 0x20, "THR passed it on at once");
    bench_out8(b, RBR, 'b');
    cr_assert_eq(bench_in8(b, LSR), 0x00);
    bench_step(b, CHARACTER);
    cr_assert_eq(sent_count, 1);
    cr_assert_eq(bench_in8(b, LSR), 0x20);
    bench_step(b, CHARACTER);
    cr_assert_str_eq(sent, "ab");
    cr_assert_eq(bench_in8(b, LSR), 0x60);
    bench_out8(b, LCR, 0x83);
    bench_out8(b, RBR, 12);
    bench_out8(b, LCR, 0x03);
    cr_assert_eq(baud_told, 9600);
    bench_out8(b, RBR, 'c');
    bench_step(b, 11 * CHARACTER);
    cr_assert_eq(sent_count, 2);
    bench_step(b, CHARACTER);
    cr_assert_eq(sent_count, 3);
    bench_free(b);
}

Test(ns16550a, transmit_fifo_and_interrupt)
{
    struct bench *b = uart(1, 2);
    cr_assert(bench_irq(b, 4), "enabling it with THR empty asks at once");
    cr_assert_eq(bench_in8(b, IIR), 0xc2);
    cr_assert(!bench_irq(b, 4), "reading IIR is the acknowledge");
    cr_assert_eq(bench_in8(b, IIR), 0xc1);
    for (unsigned i = 0; i < 17; i++)
        bench_out8(b, RBR, (uint8_t)('a' + i));
    bench_in8(b, IIR);
    cr_assert(!bench_irq(b, 4));
    bench_step(b, 15 * CHARACTER);
    cr_assert(!bench_irq(b, 4));
    bench_step(b, CHARACTER);
    cr_assert(bench_irq(b, 4), "the FIFO is empty, the last character is in the shift register");
    cr_assert_eq(bench_in8(b, LSR), 0x20);
    bench_step(b, CHARACTER);
    cr_assert_str_eq(sent, "abcdefghijklmnopq");
    bench_free(b);
}

Test(ns16550a, a_full_far_end_holds_the_transmitter)
{
    room = 1;
    struct bench *b = uart(1, 0);
    for (unsigned i = 0; i < 4; i++)
        bench_out8(b, RBR, (uint8_t)('a' + i));
    bench_step(b, 100 * CHARACTER);
    cr_assert_str_eq(sent, "a");
    room = 100;
    end.drained(end.chip);
    bench_step(b, 100 * CHARACTER);
    cr_assert_str_eq(sent, "abcd");
    bench_free(b);
}

Test(ns16550a, receives_without_fifos)
{
    struct bench *b = uart(0, 1);
    from_far("xyz");
    bench_step(b, CHARACTER - 10);
    cr_assert(!bench_irq(b, 4));
    bench_step(b, 10);
    cr_assert(bench_irq(b, 4));
    cr_assert_eq(bench_in8(b, IIR), 0x04);
    cr_assert_eq(bench_in8(b, LSR), 0x61);
    bench_step(b, 100 * CHARACTER);
    cr_assert_eq(bench_in8(b, LSR), 0x61, "the line waits: no overrun");
    cr_assert_eq(bench_in8(b, RBR), 'x');
    cr_assert(!bench_irq(b, 4));
    bench_step(b, CHARACTER);
    cr_assert_eq(bench_in8(b, RBR), 'y');
    bench_step(b, CHARACTER);
    cr_assert_eq(bench_in8(b, RBR), 'z');
    bench_free(b);
}

Test(ns16550a, trigger_level_and_time_out)
{
    struct bench *b = uart(0x81, 1);            /* trigger at 8 */
    from_far("123456789");
    bench_step(b, 7 * CHARACTER);
    cr_assert(!bench_irq(b, 4));
    bench_step(b, CHARACTER);
    cr_assert(bench_irq(b, 4));
    cr_assert_eq(bench_in8(b, IIR), 0xc4);
    bench_step(b, CHARACTER);
    for (char c = '1'; c <= '2'; c++)
        cr_assert_eq(bench_in8(b, RBR), c);
    cr_assert(!bench_irq(b, 4), "seven are left");
    bench_step(b, 4 * CHARACTER);
    cr_assert(bench_irq(b, 4));
    cr_assert_eq(bench_in8(b, IIR), 0xcc, "four character times without one coming or going");
    cr_assert_eq(bench_in8(b, RBR), '3');
    cr_assert(!bench_irq(b, 4));
    bench_out8(b, IIR, 0x83);                   /* clear the receive FIFO */
    cr_assert_eq(bench_in8(b, LSR), 0x60);
    bench_free(b);
}

Test(ns16550a, back_pressure)
{
    struct bench *b = uart(1, 0);
    cr_assert_eq(end.room(end.chip), 64);
    from_far("0123456789012345678901234567890123456789012345678901234567890123");
    cr_assert_eq(end.room(end.chip), 0);
    bench_step(b, 100 * CHARACTER);
    cr_assert_eq(end.room(end.chip), 16);
    for (unsigned i = 0; i < 64; i++) {
        cr_assert_eq(bench_in8(b, RBR), '0' + i % 10);
        bench_step(b, CHARACTER);
    }
    cr_assert_eq(bench_in8(b, LSR), 0x60);
    bench_free(b);
}

Test(ns16550a, loopback)
{
    struct bench *b = uart(1, 0);
    bench_out8(b, MCR, 0x1a);
    cr_assert_eq(bench_in8(b, MSR) & 0xf0, 0x90, "RTS is CTS, OUT2 is DCD");
    bench_out8(b, MCR, 0x15);
    cr_assert_eq(bench_in8(b, MSR), 0x60 | 0x0b, "DTR is DSR, OUT1 is RI; three changed, RI only rose");
    bench_out8(b, MCR, 0x11);
    cr_assert_eq(bench_in8(b, MSR), 0x24, "the trailing edge of RI");
    bench_out8(b, RBR, 0x5a);
    bench_step(b, CHARACTER);
    cr_assert_eq(bench_in8(b, RBR), 0x5a);
    cr_assert_eq(sent_count, 0);
    for (unsigned i = 0; i < 17; i++) {
        bench_out8(b, RBR, (uint8_t)i);
        bench_step(b, CHARACTER);
    }
    cr_assert_eq(bench_in8(b, LSR), 0x63, "overrun");
    cr_assert_eq(bench_in8(b, LSR), 0x61, "reading clears it");
    bench_out8(b, IIR, 0x03);
    bench_out8(b, LCR, 0x43);
    cr_assert_eq(bench_in8(b, LSR), 0xf1, "a break");
    cr_assert_eq(bench_in8(b, RBR), 0);
    bench_free(b);
}

Test(ns16550a, line_status_interrupt_comes_first)
{
    struct bench *b = uart(0, 7);
    bench_out8(b, MCR, 0x18);
    bench_in8(b, IIR);
    bench_out8(b, RBR, 1);
    bench_step(b, CHARACTER);
    bench_out8(b, RBR, 2);
    bench_step(b, CHARACTER);
    cr_assert_eq(bench_in8(b, IIR), 0x06);
    cr_assert_eq(bench_in8(b, LSR), 0x63);
    cr_assert_eq(bench_in8(b, IIR), 0x04);
    cr_assert_eq(bench_in8(b, RBR), 2, "the new one replaced it");
    cr_assert_eq(bench_in8(b, IIR), 0x02);
    cr_assert_eq(bench_in8(b, IIR), 0x01);
    bench_free(b);
}

Test(ns16550a, modem_lines)
{
    struct bench *b = uart(0, 8);
    cr_assert_eq(modem_lines, MODEM_DTR | MODEM_RTS);
    cr_assert_eq(bench_in8(b, MSR) & 0xf0, 0xb0);
    end.modem_in(end.chip, MODEM_CTS);
    cr_assert(bench_irq(b, 4));
    cr_assert_eq(bench_in8(b, IIR), 0x00);
    cr_assert_eq(bench_in8(b, MSR), 0x1a);
    cr_assert(!bench_irq(b, 4));
    cr_assert_eq(bench_in8(b, MSR), 0x10);
    bench_free(b);
}

Test(ns16550a, errors_and_breaks_come_with_their_character)
{
    struct bench *b = uart(1, 5);
    from_far("a");
    end.receive_bad(end.chip, 'b', LINE_PARITY);
    end.receive_bad(end.chip, 0, LINE_BREAK);
    from_far("c");
    bench_step(b, CHARACTER);
    cr_assert_eq(bench_in8(b, LSR), 0x61);
    bench_step(b, 3 * CHARACTER);
    cr_assert_eq(bench_in8(b, LSR), 0xe1, "an error is in the FIFO, not on top");
    cr_assert_eq(bench_in8(b, RBR), 'a');
    cr_assert_eq(bench_in8(b, IIR), 0xc6, "a line status interrupt for the one on top");
    cr_assert_eq(bench_in8(b, LSR), 0xe5);
    cr_assert_eq(bench_in8(b, RBR), 'b');
    cr_assert_eq(bench_in8(b, LSR), 0xf1, "the break");
    cr_assert_eq(bench_in8(b, RBR), 0);
    cr_assert_eq(bench_in8(b, LSR), 0x61);
    cr_assert_eq(bench_in8(b, RBR), 'c');
    bench_free(b);
}

Test(ns16550a, out2_gates_the_interrupt)
{
    struct bench *b = uart(0, 2);
    cr_assert(bench_irq(b, 4));
    bench_out8(b, MCR, 0x03);
    cr_assert(!bench_irq(b, 4));
    bench_out8(b, MCR, 0x0b);
    cr_assert(bench_irq(b, 4));
    bench_free(b);
}

Test(ns16550a, registers_keep_what_they_have)
{
    struct bench *b = uart(0, 0);
    bench_out8(b, SCR, 0xa5);
    bench_out8(b, IER, 0xff);
    bench_out8(b, MCR, 0xff);
    cr_assert_eq(bench_in8(b, SCR), 0xa5);
    cr_assert_eq(bench_in8(b, IER), 0x0f);
    cr_assert_eq(bench_in8(b, MCR), 0x1f);
    bench_out8(b, LCR, 0xff);
    bench_out8(b, IER, 0x12);
    cr_assert_eq(bench_in8(b, IER), 0x12);
    machine_reset(b->m, RESET_HARD);
    cr_assert_eq(bench_in8(b, SCR), 0xa5);
    cr_assert_eq(bench_in8(b, IIR), 0x01);
    cr_assert_eq(bench_in8(b, LSR), 0x60);
    bench_free(b);
}

Test(ns16550a, with_nothing_plugged_in)
{
    struct bench *b = bench_new_host(&host);
    bench_add(b, "ns16550a", "serial1", "iobase=0x2f8,port=1");
    bench_reset(b);
    cr_assert_eq(bench_in8(b, 0x2fe), 0);
    bench_out8(b, 0x2f8, 'a');
    bench_step(b, NS_PER_S);
    cr_assert_eq(bench_in8(b, 0x2fd), 0x60);
    bench_free(b);
}
