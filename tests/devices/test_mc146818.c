/* MC146818A, by the paragraphs of its data sheet. */
#include "devices/mc146818.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>

static struct device *rtc;

/* Power on at a moment of 1970's count. */
static struct bench *at(int64_t seconds)
{
    struct bench *b = bench_new();
    b->m->wall_origin = seconds;
    rtc = bench_add(b, "mc146818", "rtc", NULL);
    bench_capture(b, "rtc", "irq", 8);
    bench_capture(b, "rtc", "nmi_off", 9);
    bench_reset(b);
    return b;
}

static uint8_t get(struct bench *b, uint8_t index)
{
    bench_out8(b, 0x70, index);
    return bench_in8(b, 0x71);
}

static void set(struct bench *b, uint8_t index, uint8_t value)
{
    bench_out8(b, 0x70, index);
    bench_out8(b, 0x71, value);
}

/* The clock as one number, century first: BCD read as hexadecimal digits. */
static uint64_t clock_digits(struct bench *b)
{
    static const uint8_t order[] = { 0x32, 9, 8, 7, 4, 2, 0 };
    uint64_t digits = 0;
    for (unsigned i = 0; i < sizeof(order); i++)
        digits = digits << 8 | get(b, order[i]);
    return digits;
}

Test(mc146818, shows_the_machine_s_time)
{
    struct bench *b = at(929975415);            /* 1999-06-21 14:30:15, a Monday */
    cr_assert_eq(clock_digits(b), 0x19990621143015);
    cr_assert_eq(get(b, 6), 2);
    cr_assert_eq(get(b, 0x0d), 0x80);
    bench_step(b, 45 * NS_PER_S);
    cr_assert_eq(clock_digits(b), 0x19990621143100);
    bench_free(b);
}

Test(mc146818, rolls_over)
{
    static const struct { int64_t before; uint64_t after; } cases[] = {
        { 946684799, 0x20000101000000 },        /* the end of 1999 */
        { 951782399, 0x20000229000000 },        /* 2000 is a leap year */
        { 951868799, 0x20000301000000 },
        { 1046476799, 0x20030301000000 },       /* 2003 is not */
        { 4107542399, 0x21000301000000 },       /* nor is 2100 */
        { 2147483647, 0x20380119031408 },
        { -1, 0x19700101000000 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *b = at(cases[i].before);
        uint8_t weekday = get(b, 6);
        bench_step(b, NS_PER_S);
        cr_assert_eq(clock_digits(b), cases[i].after, "%u: %llx", i, (unsigned long long)clock_digits(b));
        cr_assert_eq(get(b, 6), i == 5 ? weekday : weekday % 7 + 1);
        bench_free(b);
    }
}

Test(mc146818, counts_years_of_seconds_at_once)
{
    struct bench *b = at(0);
    bench_step(b, 929975415ll * NS_PER_S);
    cr_assert_eq(clock_digits(b), 0x19990621143015);
    bench_free(b);
}

Test(mc146818, binary_and_twelve_hours)
{
    struct bench *b = at(929975415);
    set(b, 0x0b, 0x80);                         /* SET, 12 hours, BCD */
    set(b, 4, 0x92);                            /* 12 pm */
    set(b, 2, 0x59);
    set(b, 0, 0x59);
    set(b, 0x0b, 0x00);
    bench_step(b, NS_PER_S);
    cr_assert_eq(get(b, 4), 0x81, "one o'clock pm");
    bench_step(b, 11 * 3600 * NS_PER_S);
    cr_assert_eq(get(b, 4), 0x12, "midnight is 12 am");
    set(b, 0x0b, 0x86);
    set(b, 4, 23);
    set(b, 2, 59);
    set(b, 0, 59);
    set(b, 0x0b, 0x06);
    bench_step(b, NS_PER_S);
    cr_assert(get(b, 4) == 0 && get(b, 2) == 0 && get(b, 0) == 0);
    set(b, 0, 45);
    bench_step(b, NS_PER_S);
    cr_assert_eq(get(b, 0), 46, "a write without SET counts on");
    bench_free(b);
}

Test(mc146818, set_holds_the_registers_and_not_the_divider)
{
    struct bench *b = at(1000);
    bench_step(b, 300000000);
    set(b, 0x0b, 0x82);
    uint8_t seconds = get(b, 0);
    bench_step(b, 5 * NS_PER_S);
    cr_assert_eq(get(b, 0), seconds);
    set(b, 0x0b, 0x02);
    bench_step(b, 699000000);
    cr_assert_eq(get(b, 0), seconds);
    bench_step(b, 1000000);
    cr_assert_eq(get(b, 0), seconds + 1);
    bench_free(b);
}

Test(mc146818, a_released_divider_updates_after_half_a_second)
{
    struct bench *b = at(1000);
    set(b, 0x0a, 0x76);
    uint8_t seconds = get(b, 0);
    bench_step(b, 7 * NS_PER_S);
    cr_assert_eq(get(b, 0), seconds);
    set(b, 0x0a, 0x26);
    bench_step(b, 499999999);
    cr_assert_eq(get(b, 0), seconds);
    bench_step(b, 1);
    cr_assert_eq(get(b, 0), seconds + 1);
    bench_free(b);
}

Test(mc146818, update_in_progress)
{
    struct bench *b = at(1000);
    bench_step(b, NS_PER_S - 2228000 - 1);
    cr_assert(!(get(b, 0x0a) & 0x80));
    bench_step(b, 1);
    cr_assert(get(b, 0x0a) & 0x80);
    bench_step(b, 2228000 - 1);
    cr_assert(get(b, 0x0a) & 0x80);
    uint8_t seconds = get(b, 0);
    bench_step(b, 1);
    cr_assert(!(get(b, 0x0a) & 0x80));
    cr_assert_eq(get(b, 0), seconds + 1);
    bench_free(b);
}

Test(mc146818, update_ended_interrupt)
{
    struct bench *b = at(1000);
    set(b, 0x0b, 0x12);
    bench_step(b, NS_PER_S - 1);
    cr_assert(!bench_irq(b, 8));
    bench_step(b, 1);
    cr_assert(bench_irq(b, 8));
    cr_assert_eq(get(b, 0x0c) & 0xb0, 0x90);
    cr_assert(!bench_irq(b, 8), "reading C clears it");
    cr_assert_eq(get(b, 0x0c), 0);
    bench_step(b, 10 * NS_PER_S);
    cr_assert_eq(bench_rises(b, 8), 2, "unread, it is one interrupt");
    bench_free(b);
}

Test(mc146818, periodic_rates)
{
    static const struct { uint8_t rate; unsigned hz; } cases[] = {
        { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 4, 4096 }, { 5, 2048 }, { 6, 1024 }, { 7, 512 }, { 8, 256 },
        { 9, 128 }, { 10, 64 }, { 11, 32 }, { 12, 16 }, { 13, 8 }, { 14, 4 }, { 15, 2 }, { 0, 0 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *b = at(1000);
        unsigned rises = 0;
        set(b, 0x0a, 0x20 | cases[i].rate);
        set(b, 0x0b, 0x42);
        for (unsigned step = 0; step < 20000; step++) {
            bench_step(b, 50000);
            if (bench_irq(b, 8)) {
                cr_assert_eq(get(b, 0x0c) & 0xc0, 0xc0);
                rises++;
            }
        }
        cr_assert(rises + 1 >= cases[i].hz && rises <= cases[i].hz, "rate %u: %u", cases[i].rate, rises);
        bench_free(b);
    }
}

Test(mc146818, flags_come_without_their_interrupts)
{
    struct bench *b = at(1000);
    bench_step(b, 400000);
    cr_assert_eq(get(b, 0x0c), 0);
    bench_step(b, 976563);
    cr_assert_eq(get(b, 0x0c), 0x40, "1024 Hz after power-on");
    cr_assert_eq(get(b, 0x0c), 0);
    bench_step(b, NS_PER_S);
    cr_assert_eq(get(b, 0x0c), 0x50);
    cr_assert_eq(bench_rises(b, 8), 0);
    bench_step(b, NS_PER_S);
    set(b, 0x0b, 0x42);
    cr_assert(bench_irq(b, 8), "a flag that stands interrupts when it is enabled");
    bench_free(b);
}

Test(mc146818, alarms)
{
    struct bench *b = at(929975415);            /* 14:30:15 */
    set(b, 1, 0x10);
    set(b, 3, 0x32);
    set(b, 5, 0x14);
    set(b, 0x0b, 0x22);
    bench_step(b, 114 * NS_PER_S);
    cr_assert(!bench_irq(b, 8));
    bench_step(b, NS_PER_S);
    cr_assert(bench_irq(b, 8));
    cr_assert_eq(get(b, 0x0c) & 0xa0, 0xa0);
    bench_step(b, 86399 * NS_PER_S);
    cr_assert(!bench_irq(b, 8));
    bench_step(b, NS_PER_S);
    cr_assert(bench_irq(b, 8), "the next day");
    get(b, 0x0c);
    set(b, 5, 0xff);                            /* every hour */
    bench_step(b, 3600 * NS_PER_S);
    cr_assert(bench_irq(b, 8));
    get(b, 0x0c);
    set(b, 3, 0xc0);                            /* every minute */
    set(b, 1, 0xc0);                            /* every second */
    bench_step(b, NS_PER_S);
    cr_assert(bench_irq(b, 8));
    get(b, 0x0c);
    set(b, 1, 0x77);                            /* never */
    bench_step(b, 200 * NS_PER_S);
    cr_assert(!bench_irq(b, 8));
    bench_free(b);
}

Test(mc146818, reset_keeps_time_and_memory)
{
    struct bench *b = at(929975415);
    set(b, 0x40, 0x5a);
    set(b, 0x0b, 0x72);
    bench_step(b, 2 * NS_PER_S);
    cr_assert(bench_irq(b, 8));
    machine_reset(b->m, RESET_HARD);
    cr_assert(!bench_irq(b, 8));
    cr_assert_eq(get(b, 0x0b), 0x02);
    cr_assert_eq(get(b, 0x40), 0x5a);
    cr_assert_eq(clock_digits(b), 0x19990621143017);
    bench_free(b);
}

Test(mc146818, memory_helpers_and_the_nmi_mask)
{
    struct bench *b = at(0);
    for (unsigned i = 0x10; i < 0x2e; i++)
        mc146818_poke(rtc, i, 0x11);
    mc146818_checksum(rtc);
    cr_assert_eq(get(b, 0x2e) << 8 | get(b, 0x2f), 30 * 0x11);
    set(b, 0x7f, 0x99);
    cr_assert_eq(mc146818_peek(rtc, 0x7f), 0x99);
    bench_out8(b, 0x70, 0x8f);
    cr_assert(bench_irq(b, 9));
    bench_out8(b, 0x70, 0x0f);
    cr_assert(!bench_irq(b, 9));
    cr_assert_eq(bench_in8(b, 0x70), 0xff);
    bench_free(b);
}

Test(mc146818, nonsense_in_the_registers_counts_on)
{
    for (unsigned v = 0; v < 256; v++) {
        struct bench *b = at(86399);
        for (uint8_t i = 0; i < 10; i++)
            set(b, i, (uint8_t)v);
        set(b, 0x32, (uint8_t)v);
        bench_step(b, 3 * 86400 * NS_PER_S);
        cr_assert((get(b, 0) & 0x0f) <= 9 && get(b, 0) < 0x60);
        cr_assert(get(b, 8) >= 1 && get(b, 8) <= 0x12, "%02x: month %02x", v, get(b, 8));
        bench_free(b);
    }
}
