/* The 8042 with a keyboard and a mouse on its lines. */
#include "devices/ps2.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum { MS = 1000000 };

/* As a PC after POST: both lines on, interrupts on, translation as asked. */
static struct bench *kbc(bool translate)
{
    struct bench *b = bench_new();
    struct device *k = bench_add(b, "i8042", "kbc", NULL);
    ps2_keyboard_plug(bench_add(b, "ps2_keyboard", "keyboard", NULL), i8042_port(k, 0));
    ps2_mouse_plug(bench_add(b, "ps2_mouse", "mouse", NULL), i8042_port(k, 1));
    bench_capture(b, "kbc", "irq1", 1);
    bench_capture(b, "kbc", "irq12", 12);
    bench_capture(b, "kbc", "a20", 20);
    bench_capture(b, "kbc", "reset", 21);
    bench_reset(b);
    bench_out8(b, 0x64, 0x60);
    bench_step(b, MS);
    bench_out8(b, 0x60, translate ? 0x47 : 0x07);
    bench_step(b, MS);
    return b;
}

static void command(struct bench *b, uint8_t c)
{
    bench_out8(b, 0x64, c);
    bench_step(b, MS / 10);
}

static void to_mouse(struct bench *b, uint8_t byte)
{
    command(b, 0xd4);
    bench_out8(b, 0x60, byte);
}

/* Everything that comes within `ms` of silence, as hexadecimal text; a byte of the mouse has an m. */
static const char *received_within(struct bench *b, unsigned ms)
{
    static char text[512];
    size_t n = 0;
    text[0] = 0;
    for (unsigned quiet = 0; quiet < ms; quiet++) {
        uint8_t status = bench_in8(b, 0x64);
        if (status & 1) {
            bool mouse = status & 0x20;
            cr_assert_eq(bench_irq(b, mouse ? 12 : 1), true);
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%02x", n ? " " : "", mouse ? "m" : "",
                                  bench_in8(b, 0x60));
            cr_assert(!bench_irq(b, 1) && !bench_irq(b, 12));
            quiet = 0;
        }
        bench_step(b, MS);
    }
    return text;
}

static const char *received(struct bench *b) { return received_within(b, 40); }

static void key(struct bench *b, uint16_t usage, bool down)
{
    machine_key(b->m, usage, down);
    bench_step(b, 0);
}

static const char *typed(struct bench *b, uint16_t usage)
{
    key(b, usage, true);
    key(b, usage, false);
    return received(b);
}

/* --- the controller ------------------------------------------------------------------------------------- */

Test(i8042, self_test_and_interface_tests)
{
    struct bench *b = kbc(false);
    bench_out8(b, 0x64, 0xaa);
    cr_assert_eq(bench_in8(b, 0x64) & 0x0b, 0x0a, "IBF and command");
    bench_step(b, 10000);
    cr_assert_eq(bench_in8(b, 0x64) & 0x03, 0, "taken, not yet answered");
    bench_step(b, MS);
    cr_assert_eq(bench_in8(b, 0x64) & 0x07, 0x05);
    cr_assert_str_eq(received(b), "55");
    bench_out8(b, 0x64, 0xab);
    cr_assert_str_eq(received(b), "00");
    bench_out8(b, 0x64, 0xa9);
    cr_assert_str_eq(received(b), "00");
    bench_out8(b, 0x64, 0xa4);
    cr_assert_str_eq(received(b), "f1");
    bench_free(b);
}

Test(i8042, command_byte_and_ram)
{
    struct bench *b = kbc(false);
    bench_out8(b, 0x64, 0x20);
    cr_assert_str_eq(received(b), "07");
    command(b, 0xad);
    command(b, 0xa7);
    bench_out8(b, 0x64, 0x20);
    cr_assert_str_eq(received(b), "37");
    command(b, 0xae);
    command(b, 0xa8);
    bench_out8(b, 0x64, 0x20);
    cr_assert_str_eq(received(b), "07");
    command(b, 0x65);
    bench_out8(b, 0x60, 0x99);
    bench_step(b, MS);
    bench_out8(b, 0x64, 0x25);
    cr_assert_str_eq(received(b), "99");
    bench_free(b);
}

Test(i8042, output_port_a20_and_reset)
{
    struct bench *b = kbc(false);
    cr_assert(bench_irq(b, 20), "A20 is on after reset");
    command(b, 0xd1);
    bench_out8(b, 0x60, 0xdd);
    bench_step(b, MS);
    cr_assert(!bench_irq(b, 20));
    bench_out8(b, 0x64, 0xd0);
    cr_assert_str_eq(received(b), "cd");
    command(b, 0xdf);
    cr_assert(bench_irq(b, 20));
    command(b, 0xdd);
    cr_assert(!bench_irq(b, 20));
    cr_assert_eq(bench_rises(b, 21), 0);
    command(b, 0xfe);
    cr_assert_eq(bench_rises(b, 21), 1);
    command(b, 0xf1);
    cr_assert_eq(bench_rises(b, 21), 0, "only bit 0 is the reset");
    command(b, 0xd1);
    bench_out8(b, 0x60, 0xde);
    bench_step(b, MS);
    cr_assert_eq(bench_rises(b, 21), 1);
    bench_free(b);
}

Test(i8042, loops_bytes_back)
{
    struct bench *b = kbc(true);
    command(b, 0xd2);
    bench_out8(b, 0x60, 0x1c);
    cr_assert_str_eq(received(b), "1c", "not translated");
    command(b, 0xd3);
    bench_out8(b, 0x60, 0xee);
    cr_assert_str_eq(received(b), "mee");
    bench_free(b);
}

Test(i8042, an_empty_port_times_out)
{
    struct bench *b = bench_new();
    bench_add(b, "i8042", "kbc", NULL);
    bench_reset(b);
    bench_out8(b, 0x60, 0xed);
    bench_step(b, 2 * MS);
    cr_assert_eq(bench_in8(b, 0x64) & 0x41, 0x41);
    cr_assert_eq(bench_in8(b, 0x60), 0xfe);
    bench_free(b);
}

Test(i8042, a_guest_in_a_hurry_loses_nothing)
{
    struct bench *b = kbc(false);
    bench_out8(b, 0x64, 0xd1);
    bench_out8(b, 0x60, 0xdd);
    bench_out8(b, 0x64, 0xd0);
    cr_assert_str_eq(received(b), "cd");
    bench_free(b);
}

Test(i8042, a_disabled_line_keeps_its_bytes)
{
    struct bench *b = kbc(true);
    command(b, 0xad);
    key(b, 0x04, true);
    cr_assert_str_eq(received(b), "");
    command(b, 0xae);
    cr_assert_str_eq(received(b), "1e");
    bench_free(b);
}

Test(i8042, interrupts_follow_the_command_byte)
{
    struct bench *b = kbc(true);
    command(b, 0x60);
    bench_out8(b, 0x60, 0x44);
    bench_step(b, MS);
    key(b, 0x04, true);
    bench_step(b, 5 * MS);
    cr_assert_eq(bench_in8(b, 0x64) & 1, 1);
    cr_assert(!bench_irq(b, 1));
    cr_assert_eq(bench_in8(b, 0x60), 0x1e);
    cr_assert_eq(bench_in8(b, 0x60), 0x1e, "the byte can be read again");
    bench_free(b);
}

/* --- the keyboard --------------------------------------------------------------------------------------- */

Test(ps2_keyboard, sets_and_translation)
{
    struct bench *b = kbc(false), *t = kbc(true);
    cr_assert_str_eq(typed(b, 0x04), "1c f0 1c");
    cr_assert_str_eq(typed(t, 0x04), "1e 9e");
    cr_assert_str_eq(typed(b, 0x4f), "e0 74 e0 f0 74");
    cr_assert_str_eq(typed(t, 0x4f), "e0 4d e0 cd");
    cr_assert_str_eq(typed(b, 0x40), "83 f0 83");
    cr_assert_str_eq(typed(t, 0x40), "41 c1");
    cr_assert_str_eq(typed(b, 0x48), "e1 14 77 e1 f0 14 f0 77");
    cr_assert_str_eq(typed(t, 0x48), "e1 1d 45 e1 9d c5");
    cr_assert_str_eq(typed(b, 0x46), "e0 12 e0 7c e0 f0 7c e0 f0 12");
    cr_assert_str_eq(typed(t, 0x46), "e0 2a e0 37 e0 b7 e0 aa");
    bench_free(b);
    bench_free(t);
}

Test(ps2_keyboard, pause_and_print_screen_with_their_friends)
{
    struct bench *b = kbc(true);
    key(b, 0xe0, true);
    cr_assert_str_eq(received(b), "1d");
    cr_assert_str_eq(typed(b, 0x48), "e0 46 e0 c6", "Ctrl-Break");
    cr_assert_str_eq(typed(b, 0x46), "e0 37 e0 b7");
    key(b, 0xe0, false);
    cr_assert_str_eq(received(b), "9d");
    key(b, 0xe6, true);
    cr_assert_str_eq(received(b), "e0 38");
    cr_assert_str_eq(typed(b, 0x46), "54 d4", "SysRq");
    bench_free(b);
}

Test(ps2_keyboard, grey_keys_are_wrapped)
{
    struct bench *b = kbc(false);
    key(b, 0xe1, true);
    received(b);
    cr_assert_str_eq(typed(b, 0x4a), "e0 f0 12 e0 6c e0 f0 6c e0 12", "Home with the left shift");
    cr_assert_str_eq(typed(b, 0x54), "e0 f0 12 e0 4a e0 f0 4a e0 12");
    key(b, 0xe1, false);
    received(b);
    bench_out8(b, 0x60, 0xed);
    cr_assert_str_eq(received(b), "fa");
    bench_out8(b, 0x60, 0x02);
    cr_assert_str_eq(received(b), "fa");
    cr_assert_str_eq(typed(b, 0x4a), "e0 12 e0 6c e0 f0 6c e0 f0 12", "Home with NumLock");
    bench_free(b);
}

/* Every usage of the table sends something of its own. */
Test(ps2_keyboard, every_key_has_its_own_code)
{
    static char seen[256][64];
    unsigned keys = 0;
    for (uint16_t usage = 0; usage < 256; usage++) {
        struct bench *b = kbc(true);
        snprintf(seen[usage], sizeof(seen[0]), "%s", typed(b, usage));
        for (uint16_t other = 0; other < usage; other++)
            if (seen[usage][0] && !(usage == 0x32 || other == 0x32))    /* the two backslashes are one key */
                cr_assert_str_neq(seen[usage], seen[other], "%02x and %02x", usage, other);
        keys += seen[usage][0] != 0;
        bench_free(b);
    }
    cr_assert(keys >= 104 + 12 + 8, "%u", keys);
}

Test(ps2_keyboard, set_1_and_3)
{
    struct bench *b = kbc(false);
    bench_out8(b, 0x60, 0xf0);
    received(b);
    bench_out8(b, 0x60, 0x00);
    cr_assert_str_eq(received(b), "fa 02");
    bench_out8(b, 0x60, 0xf0);
    received(b);
    bench_out8(b, 0x60, 0x01);
    cr_assert_str_eq(received(b), "fa");
    cr_assert_str_eq(typed(b, 0x52), "e0 48 e0 c8");
    bench_out8(b, 0x60, 0xf0);
    received(b);
    bench_out8(b, 0x60, 0x03);
    received(b);
    cr_assert_str_eq(typed(b, 0x52), "63", "typematic without a break");
    cr_assert_str_eq(typed(b, 0xe1), "12 f0 12");
    bench_out8(b, 0x60, 0xf8);
    received(b);
    cr_assert_str_eq(typed(b, 0x52), "63 f0 63");
    bench_out8(b, 0x60, 0xfd);
    received(b);
    bench_out8(b, 0x60, 0x63);
    cr_assert_str_eq(received(b), "fa");
    bench_out8(b, 0x60, 0xf4);
    received(b);
    cr_assert_str_eq(typed(b, 0x52), "63");
    bench_free(b);
}

Test(ps2_keyboard, commands)
{
    struct bench *b = kbc(false);
    bench_out8(b, 0x60, 0xf2);
    cr_assert_str_eq(received(b), "fa ab 83");
    bench_out8(b, 0x60, 0xee);
    cr_assert_str_eq(received(b), "ee");
    bench_out8(b, 0x60, 0xfe);
    cr_assert_str_eq(received(b), "ee");
    bench_out8(b, 0x60, 0xff);
    cr_assert_str_eq(received(b), "fa aa");
    bench_out8(b, 0x60, 0xef);
    cr_assert_str_eq(received(b), "fe");
    bench_out8(b, 0x60, 0xf5);
    cr_assert_str_eq(received(b), "fa");
    cr_assert_str_eq(typed(b, 0x04), "", "disabled");
    bench_out8(b, 0x60, 0xf4);
    cr_assert_str_eq(received(b), "fa");
    cr_assert_str_eq(typed(b, 0x04), "1c f0 1c");
    bench_out8(b, 0x60, 0xed);
    cr_assert_str_eq(received(b), "fa");
    bench_out8(b, 0x60, 0xf4);                  /* a command in place of the parameter */
    cr_assert_str_eq(received(b), "fa");
    bench_free(b);
}

Test(ps2_keyboard, typematic)
{
    struct bench *b = kbc(true);
    key(b, 0x04, true);
    key(b, 0x04, true);                         /* the host's repeat is not ours */
    bench_step(b, 5 * MS);
    cr_assert_eq(bench_in8(b, 0x60), 0x1e);
    bench_step(b, 490 * MS);
    cr_assert_eq(bench_in8(b, 0x64) & 1, 0);
    unsigned repeats = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        bench_step(b, MS);
        if (bench_in8(b, 0x64) & 1)
            repeats += bench_in8(b, 0x60) == 0x1e;
    }
    cr_assert(repeats >= 10 && repeats <= 12, "10.9 a second, not %u", repeats);
    key(b, 0x05, true);
    key(b, 0x04, false);
    received_within(b, 1);
    bench_out8(b, 0x60, 0xf3);
    received_within(b, 4);
    bench_out8(b, 0x60, 0x00);                  /* 30 a second after 250 ms */
    received_within(b, 4);
    key(b, 0x05, false);
    received(b);
    key(b, 0x05, true);
    bench_step(b, 3 * MS);
    cr_assert_eq(bench_in8(b, 0x60), 0x30);
    repeats = 0;
    for (unsigned ms = 0; ms < 1250; ms++) {
        bench_step(b, MS);
        if (bench_in8(b, 0x64) & 1)
            repeats += bench_in8(b, 0x60) == 0x30;
    }
    cr_assert(repeats >= 28 && repeats <= 31, "%u", repeats);
    key(b, 0x05, false);
    cr_assert_str_eq(received(b), "b0");
    bench_free(b);
}

Test(ps2_keyboard, a_full_buffer_ends_in_an_overrun)
{
    struct bench *b = kbc(false);
    command(b, 0xad);
    for (unsigned i = 0; i < 100; i++) {
        key(b, 0x04, true);
        key(b, 0x04, false);
    }
    command(b, 0xae);
    const char *text = received(b);
    cr_assert_eq(strlen(text), 128 * 3 - 1);
    cr_assert_str_eq(text + strlen(text) - 5, "1c 00");
    bench_free(b);
}

Test(ps2_keyboard, answers_go_before_keys)
{
    struct bench *b = kbc(false);
    command(b, 0xad);
    key(b, 0x04, true);
    bench_out8(b, 0x60, 0xf3);                  /* sending opens the line */
    cr_assert_str_eq(received(b), "fa", "keys wait for the parameter");
    bench_out8(b, 0x60, 0x20);
    cr_assert_str_eq(received(b), "fa 1c");
    bench_free(b);
}

/* --- the mouse ------------------------------------------------------------------------------------------ */

static void mouse_ask(struct bench *b, uint8_t byte, const char *answer)
{
    to_mouse(b, byte);
    cr_assert_str_eq(received(b), answer);
}

static void move(struct bench *b, int dx, int dy, int dz, unsigned buttons)
{
    machine_pointer_move(b->m, dx, dy, dz, buttons);
    bench_step(b, 0);
}

Test(ps2_mouse, reset_and_status)
{
    struct bench *b = kbc(true);
    mouse_ask(b, 0xff, "mfa maa m00");
    mouse_ask(b, 0xf2, "mfa m00");
    mouse_ask(b, 0xe9, "mfa m00 m02 m64");
    mouse_ask(b, 0xe8, "mfa");
    mouse_ask(b, 0x03, "mfa");
    mouse_ask(b, 0xe7, "mfa");
    mouse_ask(b, 0xf4, "mfa");
    mouse_ask(b, 0xe9, "mfa m30 m03 m64");
    mouse_ask(b, 0xf6, "mfa");
    mouse_ask(b, 0xe9, "mfa m00 m02 m64");
    bench_free(b);
}

Test(ps2_mouse, stream)
{
    struct bench *b = kbc(true);
    move(b, 5, 5, 0, 0);
    cr_assert_str_eq(received(b), "", "disabled after reset");
    mouse_ask(b, 0xf4, "mfa");
    move(b, 5, 3, 0, 0);
    cr_assert_str_eq(received(b), "m28 m05 mfd", "down is negative");
    move(b, -1, -2, 0, 1);
    cr_assert_str_eq(received(b), "m19 mff m02");
    move(b, 0, 0, 0, 6);
    cr_assert_str_eq(received(b), "m0e m00 m00");
    move(b, 0, 0, 1, 6);
    cr_assert_str_eq(received(b), "", "no wheel");
    move(b, 300, 0, 0, 0);
    cr_assert_str_eq(received(b), "m08 mff m00 m08 m2d m00", "the rest follows");
    bench_free(b);
}

Test(ps2_mouse, wheel_and_five_buttons)
{
    struct bench *b = kbc(true);
    static const uint8_t wheel[] = { 200, 100, 80 }, five[] = { 200, 200, 80 };
    for (unsigned i = 0; i < 3; i++) {
        mouse_ask(b, 0xf3, "mfa");
        mouse_ask(b, wheel[i], "mfa");
    }
    mouse_ask(b, 0xf2, "mfa m03");
    mouse_ask(b, 0xf4, "mfa");
    move(b, 1, 0, 1, 0);
    cr_assert_str_eq(received(b), "m08 m01 m00 mff", "away from the user is negative");
    for (unsigned i = 0; i < 3; i++) {
        mouse_ask(b, 0xf3, "mfa");
        mouse_ask(b, five[i], "mfa");
    }
    mouse_ask(b, 0xf2, "mfa m04");
    move(b, 0, 0, -2, 0x18);
    cr_assert_str_eq(received(b), "m08 m00 m00 m32");
    mouse_ask(b, 0xff, "mfa maa m00");
    mouse_ask(b, 0xf2, "mfa m00");
    bench_free(b);
}

Test(ps2_mouse, remote_mode_and_read_data)
{
    struct bench *b = kbc(true);
    mouse_ask(b, 0xf0, "mfa");
    move(b, 7, 0, 0, 1);
    cr_assert_str_eq(received(b), "");
    mouse_ask(b, 0xeb, "mfa m09 m07 m00");
    mouse_ask(b, 0xeb, "mfa m09 m00 m00");
    mouse_ask(b, 0xe9, "mfa m44 m02 m64");
    mouse_ask(b, 0xea, "mfa");
    bench_free(b);
}

Test(ps2_mouse, wrap_mode)
{
    struct bench *b = kbc(true);
    mouse_ask(b, 0xee, "mfa");
    mouse_ask(b, 0xf4, "mf4");
    mouse_ask(b, 0x55, "m55");
    mouse_ask(b, 0xec, "mfa");
    mouse_ask(b, 0xe9, "mfa m00 m02 m64");
    bench_free(b);
}

Test(ps2_mouse, scaling_by_two)
{
    struct bench *b = kbc(true);
    mouse_ask(b, 0xe7, "mfa");
    mouse_ask(b, 0xf4, "mfa");
    move(b, 3, -7, 0, 0);
    cr_assert_str_eq(received(b), "m08 m03 m0e");
    move(b, 5, 0, 0, 0);
    cr_assert_str_eq(received(b), "m08 m09 m00");
    bench_free(b);
}

Test(ps2_mouse, errors)
{
    struct bench *b = kbc(true);
    mouse_ask(b, 0xe1, "mfe");
    mouse_ask(b, 0xe1, "mfc");
    mouse_ask(b, 0xf3, "mfa");
    mouse_ask(b, 0x33, "mfe");
    mouse_ask(b, 0x28, "mfa");
    mouse_ask(b, 0xe9, "mfa m00 m02 m28");
    mouse_ask(b, 0xfe, "m28");
    bench_free(b);
}

Test(ps2_mouse, the_sample_rate_bounds_the_stream)
{
    struct bench *b = kbc(true);
    mouse_ask(b, 0xf3, "mfa");
    mouse_ask(b, 20, "mfa");
    mouse_ask(b, 0xf4, "mfa");
    unsigned bytes = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        move(b, 1, 0, 0, 0);
        bench_step(b, MS);
        if (bench_in8(b, 0x64) & 1) {
            bench_in8(b, 0x60);
            bytes++;
        }
    }
    cr_assert(bytes >= 3 * 19 && bytes <= 3 * 21, "%u", bytes);
    bench_free(b);
}

Test(ps2_keyboard, there_are_three_sets)
{
    struct bench *b = kbc(false);
    bench_out8(b, 0x60, 0xf0);
    received(b);
    bench_out8(b, 0x60, 0x04);
    cr_assert_str_eq(received(b), "fe");
    bench_out8(b, 0x60, 0xf0);
    received(b);
    bench_out8(b, 0x60, 0x00);
    cr_assert_str_eq(received(b), "fa 02", "unchanged");
    bench_free(b);
}

Test(i8042, input_port_in_the_status_and_version)
{
    struct bench *b = kbc(false);
    command(b, 0xc2);
    cr_assert_eq(bench_in8(b, 0x64) & 0xf0, 0xa0, "bits 4 to 7");
    command(b, 0xc1);
    cr_assert_eq(bench_in8(b, 0x64) & 0xf0, 0x00, "bits 0 to 3");
    bench_out8(b, 0x64, 0xc0);
    cr_assert_str_eq(received(b), "a0", "another command ends it");
    cr_assert_eq(bench_in8(b, 0x64) & 0xf0, 0x10);
    bench_out8(b, 0x64, 0xa1);
    cr_assert_str_eq(received(b), "48");
    bench_free(b);
}
