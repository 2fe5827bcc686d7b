/* 8254, mode by mode. The bench stands at tick 0 after reset; a count is loaded with the next tick. */
#include "devices/i8254.h"
#include "devices/port61.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>

static struct bench *pit(void)
{
    struct bench *b = bench_new();
    bench_add(b, "i8254", "pit", NULL);
    for (unsigned n = 0; n < 3; n++)
        bench_capture(b, "pit", n == 0 ? "out0" : n == 1 ? "out1" : "out2", n);
    bench_reset(b);
    return b;
}

/* To just after the start of tick n. */
static void to_tick(struct bench *b, int64_t n)
{
    int64_t ns = muldiv(n, NS_PER_S, 1193182) + 2;
    bench_step(b, ns - bench_now(b));
}

static void program(struct bench *b, uint8_t control, uint16_t count)
{
    unsigned channel = control >> 6;
    bench_out8(b, 0x43, control);
    bench_out8(b, (uint16_t)(0x40 + channel), (uint8_t)count);
    bench_out8(b, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t latched(struct bench *b, unsigned channel)
{
    bench_out8(b, 0x43, (uint8_t)(channel << 6));
    uint8_t low = bench_in8(b, (uint16_t)(0x40 + channel));
    return (uint16_t)(low | bench_in8(b, (uint16_t)(0x40 + channel)) << 8);
}

Test(i8254, mode_0_interrupts_on_terminal_count)
{
    struct bench *b = pit();
    program(b, 0x30, 100);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 50);
    cr_assert_eq(latched(b, 0), 51, "loaded at tick 1, 49 have passed");
    to_tick(b, 100);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 101);
    cr_assert(bench_irq(b, 0), "N + 1 ticks after the write");
    to_tick(b, 111);
    cr_assert_eq(latched(b, 0), 65536 - 10, "it counts on");
    bench_free(b);
}

Test(i8254, mode_0_waits_for_its_gate)
{
    struct bench *b = pit();
    bench_drive(b, "pit", I8254_GATE2, true);
    program(b, 0xb0, 100);
    to_tick(b, 41);
    bench_drive(b, "pit", I8254_GATE2, false);
    to_tick(b, 1000);
    cr_assert_eq(latched(b, 2), 60);
    bench_drive(b, "pit", I8254_GATE2, true);
    to_tick(b, 1059);
    cr_assert(!bench_irq(b, 2));
    to_tick(b, 1061);
    cr_assert(bench_irq(b, 2));
    bench_free(b);
}

Test(i8254, mode_0_first_byte_stops_the_count)
{
    struct bench *b = pit();
    program(b, 0x30, 100);
    to_tick(b, 200);
    cr_assert(bench_irq(b, 0));
    bench_out8(b, 0x40, 10);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 5000);
    cr_assert(!bench_irq(b, 0));
    bench_out8(b, 0x40, 0);
    to_tick(b, 5012);
    cr_assert(bench_irq(b, 0));
    bench_free(b);
}

Test(i8254, mode_1_is_a_retriggerable_one_shot)
{
    struct bench *b = pit();
    program(b, 0xb2, 100);
    to_tick(b, 1000);
    cr_assert(bench_irq(b, 2));
    bench_drive(b, "pit", I8254_GATE2, true);
    to_tick(b, 1002);
    cr_assert(!bench_irq(b, 2));
    bench_drive(b, "pit", I8254_GATE2, false);
    to_tick(b, 1050);
    bench_drive(b, "pit", I8254_GATE2, true);
    to_tick(b, 1149);
    cr_assert(!bench_irq(b, 2), "triggered anew at 1050");
    to_tick(b, 1152);
    cr_assert(bench_irq(b, 2));
    bench_free(b);
}

Test(i8254, mode_2_divides)
{
    struct bench *b = pit();
    program(b, 0x34, 1000);
    bench_rises(b, 0);
    to_tick(b, 10 * 1000 + 1);
    cr_assert_eq(bench_rises(b, 0), 10);
    to_tick(b, 10 * 1000 + 1 + 300);
    cr_assert_eq(latched(b, 0), 700);
    bench_free(b);
}

Test(i8254, mode_2_takes_a_new_count_at_the_end_of_the_period)
{
    struct bench *b = pit();
    program(b, 0x34, 1000);
    bench_rises(b, 0);
    to_tick(b, 500);
    bench_out8(b, 0x40, 100);
    bench_out8(b, 0x40, 0);
    to_tick(b, 1000);
    cr_assert_eq(bench_rises(b, 0), 0);
    to_tick(b, 1001);
    cr_assert_eq(bench_rises(b, 0), 1);
    to_tick(b, 1501);
    cr_assert_eq(bench_rises(b, 0), 5);
    bench_free(b);
}

Test(i8254, mode_2_gate_low_stops_and_reloads)
{
    struct bench *b = pit();
    bench_drive(b, "pit", I8254_GATE2, true);
    program(b, 0xb4, 1000);
    bench_rises(b, 2);
    to_tick(b, 900);
    bench_drive(b, "pit", I8254_GATE2, false);
    cr_assert(bench_irq(b, 2));
    to_tick(b, 5000);
    cr_assert_eq(bench_rises(b, 2), 0);
    bench_drive(b, "pit", I8254_GATE2, true);
    to_tick(b, 6000);
    cr_assert_eq(bench_rises(b, 2), 0);
    to_tick(b, 6001);
    cr_assert_eq(bench_rises(b, 2), 1);
    bench_free(b);
}

Test(i8254, mode_3_is_a_square_wave)
{
    struct bench *b = pit();
    program(b, 0x36, 1000);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 500);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 501);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 1001);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 1001 + 100);
    cr_assert_eq(latched(b, 0), 800, "it counts by two");
    bench_free(b);
}

Test(i8254, mode_3_odd_counts_are_high_a_tick_longer)
{
    struct bench *b = pit();
    program(b, 0x36, 1001);
    to_tick(b, 501);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 502);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 1001);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 1002);
    cr_assert(bench_irq(b, 0));
    bench_free(b);
}

Test(i8254, mode_3_keeps_the_crystal_s_time)
{
    struct bench *b = pit();
    program(b, 0x36, 0);                        /* 65536: the BIOS's 18.2 Hz */
    bench_rises(b, 0);
    bench_step(b, 3600 * NS_PER_S);
    cr_assert_eq(bench_rises(b, 0), 3600ll * 1193182 / 65536);
    bench_free(b);
}

Test(i8254, mode_3_takes_a_new_count_at_the_half)
{
    struct bench *b = pit();
    program(b, 0x36, 1000);
    to_tick(b, 10);
    bench_out8(b, 0x40, 100);
    bench_out8(b, 0x40, 0);
    to_tick(b, 501);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 551);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 601);
    cr_assert(!bench_irq(b, 0));
    bench_free(b);
}

Test(i8254, mode_4_strobes_for_one_tick)
{
    struct bench *b = pit();
    program(b, 0x38, 100);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 100);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 101);
    cr_assert(!bench_irq(b, 0));
    to_tick(b, 102);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 200000);
    cr_assert_eq(b->falls[0], 1);
    bench_free(b);
}

Test(i8254, mode_5_strobes_after_a_trigger)
{
    struct bench *b = pit();
    program(b, 0xba, 100);
    to_tick(b, 1000);
    cr_assert_eq(b->falls[2], 0);
    bench_drive(b, "pit", I8254_GATE2, true);
    to_tick(b, 1101);
    cr_assert(!bench_irq(b, 2));
    to_tick(b, 1103);
    cr_assert(bench_irq(b, 2));
    bench_free(b);
}

Test(i8254, bcd_counts)
{
    struct bench *b = pit();
    program(b, 0x31, 0x1000);                   /* a thousand */
    to_tick(b, 1 + 1);
    cr_assert_eq(latched(b, 0), 0x0999);
    to_tick(b, 1001);
    cr_assert(bench_irq(b, 0));
    to_tick(b, 1002);
    cr_assert_eq(latched(b, 0), 0x9999);
    bench_free(b);
}

Test(i8254, latched_counts_hold_until_read)
{
    struct bench *b = pit();
    program(b, 0x34, 1000);
    to_tick(b, 101);
    bench_out8(b, 0x43, 0x00);
    to_tick(b, 201);
    bench_out8(b, 0x43, 0x00);                  /* ignored */
    cr_assert_eq(bench_in8(b, 0x40) | bench_in8(b, 0x40) << 8, 900);
    cr_assert_eq(bench_in8(b, 0x40) | bench_in8(b, 0x40) << 8, 800);
    bench_free(b);
}

Test(i8254, lsb_and_msb_access)
{
    struct bench *b = pit();
    bench_out8(b, 0x43, 0x14);                  /* LSB only, mode 2 */
    bench_out8(b, 0x40, 200);
    to_tick(b, 51);
    cr_assert_eq(bench_in8(b, 0x40), 150);
    cr_assert_eq(bench_in8(b, 0x40), 150);
    bench_out8(b, 0x43, 0x24);                  /* MSB only */
    bench_out8(b, 0x40, 2);
    to_tick(b, 52 + 200);
    cr_assert_eq(bench_in8(b, 0x40), 1);
    bench_free(b);
}

Test(i8254, read_back)
{
    struct bench *b = pit();
    program(b, 0x36, 1000);
    bench_out8(b, 0x43, 0xe2);                  /* status of channel 0 */
    cr_assert_eq(bench_in8(b, 0x40), 0x80 | 0x40 | 0x36, "the count is not loaded yet");
    to_tick(b, 2);
    bench_out8(b, 0x43, 0xc2);                  /* status and count */
    cr_assert_eq(bench_in8(b, 0x40), 0x80 | 0x36);
    cr_assert_eq(bench_in8(b, 0x40) | bench_in8(b, 0x40) << 8, 998);
    to_tick(b, 600);
    bench_out8(b, 0x43, 0xe2);
    cr_assert_eq(bench_in8(b, 0x40), 0x36, "OUT is low");
    bench_free(b);
}

Test(i8254, the_shortest_periods_do_not_stop_time)
{
    static const uint8_t controls[] = { 0x30, 0x32, 0x34, 0x36, 0x38, 0x3a };
    for (unsigned i = 0; i < ARRAY_SIZE(controls); i++)
        for (uint16_t count = 1; count < 4; count++) {
            struct bench *b = pit();
            program(b, controls[i], count);
            program(b, controls[i] | 0x80, count);
            bench_drive(b, "pit", I8254_GATE2, true);
            bench_step(b, NS_PER_S / 10);
            bench_free(b);
        }
}

/* --- port 61h and the speaker --------------------------------------------------------------------------- */

static unsigned heard, crossings;
static int16_t last_sample;
static void hear(void *ui, const int16_t *stereo, size_t frames, unsigned rate)
{
    (void)ui;
    cr_assert_eq(rate, 48000);
    for (size_t i = 0; i < frames; i++) {
        cr_assert_eq(stereo[2 * i], stereo[2 * i + 1]);
        crossings += stereo[2 * i] > 0 && last_sample <= 0;
        last_sample = stereo[2 * i];
    }
    heard += (unsigned)frames;
}

static struct bench *speaker_bench(void)
{
    static const struct host host = { .audio = hear };
    struct bench *b = bench_new_host(&host);
    struct device *timer = bench_add(b, "i8254", "pit", NULL);
    port61_connect(bench_add(b, "port61", "port61", NULL), i8254_out2, timer);
    bench_add(b, "speaker", "speaker", NULL);
    bench_wire(b, "pit", "out2", "port61", PORT61_OUT2);
    bench_wire(b, "port61", "gate2", "pit", I8254_GATE2);
    bench_wire(b, "port61", "speaker", "speaker", SPEAKER_IN);
    bench_capture(b, "port61", "nmi", 3);
    bench_reset(b);
    return b;
}

Test(port61, a_beep_has_its_pitch)
{
    struct bench *b = speaker_bench();
    program(b, 0xb6, 1193);
    bench_out8(b, 0x61, 3);
    bench_step(b, NS_PER_S);
    cr_assert(crossings >= 970 && crossings <= 1003, "%u cycles in a second", crossings);
    cr_assert(heard >= 46000 && heard <= 48001);
    bench_out8(b, 0x61, 0);
    bench_step(b, NS_PER_S);
    unsigned after = heard;
    bench_step(b, NS_PER_S);
    cr_assert_eq(heard, after, "silence costs nothing");
    bench_free(b);
}

Test(port61, bit_5_shows_the_timer_to_the_tick)
{
    struct bench *b = speaker_bench();
    bench_out8(b, 0x61, 1);
    program(b, 0xb0, 1000);
    to_tick(b, 1000);
    cr_assert_eq(bench_in8(b, 0x61) & 0x21, 0x01);
    to_tick(b, 1001);
    cr_assert_eq(bench_in8(b, 0x61) & 0x21, 0x21);
    bench_free(b);
}

Test(port61, refresh_toggles)
{
    struct bench *b = speaker_bench();
    unsigned toggles = 0;
    uint8_t last = bench_in8(b, 0x61) & 0x10;
    for (unsigned i = 0; i < 1000; i++) {
        bench_step(b, 1000);
        toggles += (bench_in8(b, 0x61) & 0x10) != last;
        last = bench_in8(b, 0x61) & 0x10;
    }
    cr_assert(toggles >= 65 && toggles <= 67, "%u in a millisecond", toggles);
    bench_free(b);
}

Test(port61, nmi_is_latched_and_masked)
{
    struct bench *b = speaker_bench();
    bench_drive(b, "port61", PORT61_IOCHK, true);
    bench_drive(b, "port61", PORT61_IOCHK, false);
    cr_assert(bench_irq(b, 3));
    cr_assert_eq(bench_in8(b, 0x61) & 0xc0, 0x40);
    bench_drive(b, "port61", PORT61_NMI_OFF, true);
    cr_assert(!bench_irq(b, 3));
    bench_drive(b, "port61", PORT61_NMI_OFF, false);
    cr_assert(bench_irq(b, 3));
    bench_out8(b, 0x61, 0x08);
    cr_assert(!bench_irq(b, 3));
    bench_drive(b, "port61", PORT61_IOCHK, true);
    cr_assert(!bench_irq(b, 3), "switched off");
    bench_out8(b, 0x61, 0);
    bench_drive(b, "port61", PORT61_SERR, true);
    cr_assert_eq(bench_in8(b, 0x61) & 0xc0, 0x80);
    bench_free(b);
}

/* --- ticks that a late host lost ------------------------------------------------------------------------ */

/* The chip takes time to be real when the machine says so; the bench's clock stands in for the host's. */
Test(i8254, lost_ticks_are_delivered_after_the_acknowledge)
{
    struct bench *b = pit();
    b->m->real_time = true;
    program(b, 0x34, 11932);                    /* 100 Hz */
    bench_rises(b, 0);
    b->m->real_time = false;
    bench_step(b, 10010000);
    b->m->real_time = true;
    cr_assert_eq(bench_rises(b, 0), 1);
    bench_drive(b, "pit", I8254_ACK0, true);    /* the guest takes ticks */
    unsigned delivered = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        b->m->real_time = false;
        struct clock *c = &b->m->clock;
        b->m->virtual_ns += 1000000;
        b->m->real_time = true;
        clock_fire(c);
        bool late = ms >= 100 && ms < 200;      /* the guest is not scheduled for 100 ms */
        unsigned rises = bench_rises(b, 0);
        delivered += rises;
        if (late)
            continue;
        bench_drive(b, "pit", I8254_ACK0, true);
        bench_drive(b, "pit", I8254_ACK0, false);
    }
    cr_assert(delivered >= 98 && delivered <= 102, "%u ticks in a second at 100 Hz", delivered);
    bench_free(b);
}

Test(i8254, a_guest_that_masks_the_timer_is_owed_nothing)
{
    struct bench *b = pit();
    program(b, 0x34, 11932);
    b->m->real_time = true;
    bench_rises(b, 0);
    for (unsigned ms = 0; ms < 2000; ms++) {
        b->m->virtual_ns += 1000000;
        clock_fire(&b->m->clock);
        if (ms < 100) {
            bench_drive(b, "pit", I8254_ACK0, true);
            bench_drive(b, "pit", I8254_ACK0, false);
        }
    }
    bench_rises(b, 0);
    for (unsigned ms = 0; ms < 100; ms++) {
        b->m->virtual_ns += 1000000;
        bench_drive(b, "pit", I8254_ACK0, true);
        bench_drive(b, "pit", I8254_ACK0, false);
        clock_fire(&b->m->clock);
    }
    unsigned rises = bench_rises(b, 0);
    cr_assert(rises <= 11, "%u ticks in 100 ms", rises);
    bench_free(b);
}
