/* 8259A, by the paragraphs of its data sheet. */
#include "devices/i8259.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>

static struct device *master, *slave;

/* A master and a slave as a PC's BIOS leaves them: vectors 08h and 70h, all unmasked. */
static struct bench *pair(unsigned icw4)
{
    struct bench *b = bench_new();
    master = bench_add(b, "i8259", "pic1", NULL);
    slave = bench_add(b, "i8259", "pic2", "iobase=0xa0,elcr_port=0x4d1,master=off");
    bench_wire(b, "pic2", "int", "pic1", 2);
    bench_capture(b, "pic1", "int", 0);
    bench_capture(b, "pic1", "ack0", 1);
    i8259_cascade(master, slave);
    bench_reset(b);
    static const uint16_t ports[] = { 0x20, 0xa0 };
    for (unsigned i = 0; i < 2; i++) {
        bench_out8(b, ports[i], 0x11);
        bench_out8(b, ports[i] + 1, i ? 0x70 : 0x08);
        bench_out8(b, ports[i] + 1, i ? 2 : 4);
        bench_out8(b, ports[i] + 1, (uint8_t)icw4);
        bench_out8(b, ports[i] + 1, 0);
    }
    return b;
}

static void pulse(struct bench *b, const char *id, unsigned pin)
{
    bench_drive(b, id, pin, false);
    bench_drive(b, id, pin, true);
}

Test(i8259, vectors_come_by_priority)
{
    struct bench *b = pair(1);
    pulse(b, "pic1", 5);
    pulse(b, "pic1", 1);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x09);
    cr_assert(!bench_irq(b, 0), "IR5 is below IR1, which is in service");
    bench_out8(b, 0x20, 0x20);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x0d);
    bench_out8(b, 0x20, 0x65);
    bench_out8(b, 0x20, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 0);
    bench_free(b);
}

Test(i8259, a_higher_request_interrupts_a_lower_service)
{
    struct bench *b = pair(1);
    pulse(b, "pic1", 6);
    cr_assert_eq(i8259_acknowledge(master), 0x0e);
    pulse(b, "pic1", 3);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x0b);
    bench_out8(b, 0x20, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 0x48);
    bench_free(b);
}

Test(i8259, edges_need_a_new_rise)
{
    struct bench *b = pair(1);
    bench_drive(b, "pic1", 4, true);
    cr_assert_eq(i8259_acknowledge(master), 0x0c);
    bench_out8(b, 0x20, 0x20);
    cr_assert(!bench_irq(b, 0), "the line is still high, but there was no edge");
    bench_drive(b, "pic1", 4, true);
    cr_assert(!bench_irq(b, 0));
    pulse(b, "pic1", 4);
    cr_assert(bench_irq(b, 0));
    bench_free(b);
}

Test(i8259, a_request_that_goes_away_is_spurious)
{
    struct bench *b = pair(1);
    bench_drive(b, "pic1", 3, true);
    bench_drive(b, "pic1", 3, false);
    cr_assert(!bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x0f);
    bench_out8(b, 0x20, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 0, "a spurious interrupt sets no bit");
    bench_free(b);
}

Test(i8259, slave_requests_pass_the_cascade)
{
    struct bench *b = pair(1);
    pulse(b, "pic2", 0);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x70);
    bench_out8(b, 0x20, 0x0b);
    bench_out8(b, 0xa0, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 4);
    cr_assert_eq(bench_in8(b, 0xa0), 1);
    bench_out8(b, 0xa0, 0x20);
    bench_out8(b, 0x20, 0x20);
    cr_assert_eq(bench_in8(b, 0x20) | bench_in8(b, 0xa0), 0);
    bench_free(b);
}

Test(i8259, a_spurious_slave_interrupt_is_in_service_on_the_master)
{
    struct bench *b = pair(1);
    bench_drive(b, "pic2", 4, true);
    bench_out8(b, 0x20, 0x0b);
    /* the request is withdrawn between INT and INTA, but the cascade's edge was seen: hold it with a level */
    bench_out8(b, 0xa1, 0x10);
    cr_assert_eq(i8259_acknowledge(master), 0x0f, "the slave's INT fell, so did the master's IR2");
    bench_free(b);
}

Test(i8259, special_fully_nested_mode_lets_the_slave_interrupt_itself)
{
    struct bench *b = pair(0x11);
    pulse(b, "pic2", 5);
    cr_assert_eq(i8259_acknowledge(master), 0x75);
    pulse(b, "pic2", 1);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x71);
    bench_free(b);
}

Test(i8259, without_it_the_slave_waits)
{
    struct bench *b = pair(1);
    pulse(b, "pic2", 5);
    cr_assert_eq(i8259_acknowledge(master), 0x75);
    pulse(b, "pic2", 1);
    cr_assert(!bench_irq(b, 0));
    bench_out8(b, 0x20, 0x20);
    cr_assert(bench_irq(b, 0));
    bench_free(b);
}

Test(i8259, automatic_eoi)
{
    struct bench *b = pair(3);
    pulse(b, "pic1", 0);
    cr_assert_eq(i8259_acknowledge(master), 0x08);
    bench_out8(b, 0x20, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 0);
    bench_free(b);
}

Test(i8259, rotation_on_automatic_eoi)
{
    struct bench *b = pair(3);
    bench_out8(b, 0x20, 0x80);
    pulse(b, "pic1", 4);
    cr_assert_eq(i8259_acknowledge(master), 0x0c);
    pulse(b, "pic1", 3);
    pulse(b, "pic1", 6);
    cr_assert_eq(i8259_acknowledge(master), 0x0e, "after IR4, IR5 is on top and IR6 before IR3");
    bench_free(b);
}

Test(i8259, rotation_on_eoi_and_set_priority)
{
    struct bench *b = pair(1);
    pulse(b, "pic1", 4);
    i8259_acknowledge(master);
    bench_out8(b, 0x20, 0xa0);                  /* rotate on non-specific EOI: IR4 becomes the lowest */
    pulse(b, "pic1", 4);
    pulse(b, "pic1", 5);
    cr_assert_eq(i8259_acknowledge(master), 0x0d);
    bench_out8(b, 0x20, 0x65);
    bench_out8(b, 0x20, 0xc3);                  /* IR3 is the lowest: IR4 on top */
    pulse(b, "pic1", 0);
    cr_assert_eq(i8259_acknowledge(master), 0x0c);
    bench_out8(b, 0x20, 0xe4);                  /* rotate on specific EOI of IR4 */
    cr_assert_eq(i8259_acknowledge(master), 0x08);
    bench_free(b);
}

Test(i8259, special_mask_mode_lets_lower_levels_in)
{
    struct bench *b = pair(1);
    pulse(b, "pic1", 1);
    i8259_acknowledge(master);
    pulse(b, "pic1", 6);
    cr_assert(!bench_irq(b, 0));
    bench_out8(b, 0x21, 0x02);
    bench_out8(b, 0x20, 0x68);
    cr_assert(bench_irq(b, 0));
    cr_assert_eq(i8259_acknowledge(master), 0x0e);
    bench_out8(b, 0x20, 0x20);                  /* ends IR6: the masked IR1 is invisible */
    bench_out8(b, 0x20, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 0x02);
    bench_free(b);
}

Test(i8259, poll_command_acknowledges)
{
    struct bench *b = pair(1);
    pulse(b, "pic1", 3);
    bench_out8(b, 0x20, 0x0c);
    cr_assert_eq(bench_in8(b, 0x20), 0x83);
    bench_out8(b, 0x20, 0x0b);
    cr_assert_eq(bench_in8(b, 0x20), 0x08);
    bench_out8(b, 0x20, 0x0c);
    cr_assert_eq(bench_in8(b, 0x20), 0);
    bench_free(b);
}

Test(i8259, level_mode_asks_again_while_the_line_is_high)
{
    struct bench *b = pair(1);
    bench_out8(b, 0x4d0, 0xff);
    cr_assert_eq(bench_in8(b, 0x4d0), 0xf8, "the timer, the keyboard and the cascade stay edge-triggered");
    bench_out8(b, 0x4d1, 0xff);
    cr_assert_eq(bench_in8(b, 0x4d1), 0xde);
    bench_drive(b, "pic1", 5, true);
    cr_assert_eq(i8259_acknowledge(master), 0x0d);
    bench_out8(b, 0x20, 0x20);
    cr_assert(bench_irq(b, 0));
    bench_drive(b, "pic1", 5, false);
    cr_assert(!bench_irq(b, 0));
    bench_free(b);
}

Test(i8259, masks_and_status)
{
    struct bench *b = pair(1);
    bench_out8(b, 0x21, 0xfe);
    pulse(b, "pic1", 4);
    cr_assert(!bench_irq(b, 0));
    bench_out8(b, 0x20, 0x0a);
    cr_assert_eq(bench_in8(b, 0x20), 0x10);
    cr_assert_eq(bench_in8(b, 0x21), 0xfe);
    bench_out8(b, 0x21, 0);
    cr_assert(bench_irq(b, 0));
    bench_free(b);
}

Test(i8259, icw1_forgets_edges_and_masks)
{
    struct bench *b = pair(1);
    bench_drive(b, "pic1", 4, true);
    bench_out8(b, 0x21, 0xff);
    bench_out8(b, 0x20, 0x13);                  /* single: no ICW3 */
    bench_out8(b, 0x21, 0x20);
    bench_out8(b, 0x21, 0x01);
    cr_assert_eq(bench_in8(b, 0x21), 0);
    cr_assert(!bench_irq(b, 0), "the edge before ICW1 is forgotten");
    pulse(b, "pic1", 4);
    cr_assert_eq(i8259_acknowledge(master), 0x24);
    bench_free(b);
}

Test(i8259, the_timer_hears_of_its_acknowledge)
{
    struct bench *b = pair(1);
    pulse(b, "pic1", 0);
    cr_assert_eq(bench_rises(b, 1), 0);
    i8259_acknowledge(master);
    cr_assert_eq(bench_rises(b, 1), 1);
    bench_free(b);
}
