/* Code page 437, keys and typed texts, the serial line's window. */
#include "console/keys.h"
#include "console/screen.h"
#include "console/serial.h"
#include "console/text.h"
#include <criterion/criterion.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

Test(text, code_page_437)
{
    static const uint8_t cells[] = { 'A', 0x80, 0xc9, 0xcd, 0xbb, 0x00, 0x01, 0xe1, 0xff, 0x7f, 0xdb };
    char text[64];

    cp437_to_utf8(cells, sizeof(cells), text, sizeof(text));
    cr_assert_str_eq(text, "A\u00c7\u2554\u2550\u2557 \u263a\u00df \u2302\u2588");
}

Test(text, never_writes_past_the_end)
{
    uint8_t cells[80];
    char text[16];

    memset(cells, 0xdb, sizeof(cells));
    memset(text, 'x', sizeof(text));
    size_t n = cp437_to_utf8(cells, sizeof(cells), text, sizeof(text) - 2);
    cr_assert_lt(n, sizeof(text) - 2);
    cr_assert_eq(text[n], 0);
    cr_assert_eq(text[15], 'x');
    cr_assert_eq(n % 3, 0, "no character is cut in two");
}

Test(text, trim)
{
    char text[] = "a b   ";

    cr_assert_eq(text_trim(text), 3);
    cr_assert_str_eq(text, "a b");
}

static void expect(const struct key_script *k, size_t count, const int *events)
{
    cr_assert_eq(k->count, count, "%zu events", k->count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(k->events[i].down ? k->events[i].usage : -k->events[i].usage, events[i], "event %zu", i);
}

Test(keys, chords_release_in_reverse)
{
    struct key_script k = { 0 };
    struct error err;

    cr_assert(keys_from_name(&k, "ctrl-alt-del", &err), "%s", err.text);
    expect(&k, 6, (int[]){ 0xe0, 0xe2, 0x4c, -0x4c, -0xe2, -0xe0 });
    keys_free(&k);
    cr_assert(keys_from_name(&k, "kp-minus", &err));
    expect(&k, 2, (int[]){ 0x56, -0x56 });
    keys_free(&k);
    cr_assert(keys_from_name(&k, "Shift+F10", &err), "%s", err.text);
    expect(&k, 4, (int[]){ 0xe1, 0x43, -0x43, -0xe1 });
    keys_free(&k);
    static const char *const known[] = { "pause", "printscreen", "enter", "f1", "f12", "right-alt", "scrolllock", "a", "9" };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        cr_assert(keys_from_name(&k, known[i], &err), "%s", err.text);
    keys_free(&k);
    static const char *const unknown[] = { "", "-", "f13", "ctrl-", "ctrl--a", "ctrlalt", "del ", "enterf1" };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        cr_assert(!keys_from_name(&k, unknown[i], &err), "%s", unknown[i]);
    cr_assert(keys_from_list(&k, " ctrl-alt-del  enter ", &err));
    cr_assert_eq(k.count, 8);
    keys_free(&k);
}

Test(keys, texts)
{
    struct key_script k = { 0 };
    struct error err;

    cr_assert(keys_from_text(&k, "aB\\n", &err));
    expect(&k, 8, (int[]){ 0x04, -0x04, 0xe1, 0x05, -0x05, -0xe1, 0x28, -0x28 });
    cr_assert(k.events[7].pause, "time for the command that Enter starts");
    keys_free(&k);
    cr_assert(keys_from_text(&k, "a:\\test", &err), "a backslash is itself");
    cr_assert_eq(k.count, 16);
    cr_assert_eq(k.events[6].usage, 0x31);
    keys_free(&k);
    for (char c = ' '; c < 0x7f; c++) {
        char text[2] = { c };
        cr_assert(keys_from_text(&k, text, &err), "%s", text);
    }
    keys_free(&k);
    cr_assert(!keys_from_text(&k, "gr\u00fc\u00dfe", &err));
    cr_assert(strstr(err.text, "'\u00fc'"), "%s", err.text);
    cr_assert_eq(k.count, 0);
    keys_free(&k);
}

static void from_guest(struct serial_line *s, const char *text)
{
    cr_assert_eq(s->end.write(s, (const uint8_t *)text, strlen(text)), strlen(text));
    serial_pump(s);
}

Test(serial, texts_are_found_once_and_across_writes)
{
    static struct serial_line s;
    int wake = eventfd(0, EFD_NONBLOCK);

    serial_open(&s, wake);
    from_guest(&s, "old lo");
    cr_assert(!serial_has(&s, "login:"));
    from_guest(&s, "gin: ");
    cr_assert(serial_has(&s, "login:"), "an unfinished line counts");
    cr_assert(!serial_has(&s, "login:"), "and only once");
    cr_assert(!serial_has(&s, "old"), "what came before it is gone");
    from_guest(&s, "a\r\nb");
    cr_assert(serial_has(&s, "a\r\nb"));
    serial_close(&s);
    close(wake);
}

Test(serial, a_full_buffer_makes_the_chip_wait)
{
    static struct serial_line s;
    static uint8_t bytes[SERIAL_BUFFER + 100];
    int wake = eventfd(0, EFD_NONBLOCK);

    serial_open(&s, wake);
    memset(bytes, 'x', sizeof(bytes));
    cr_assert_eq(s.end.write(&s, bytes, sizeof(bytes)), SERIAL_BUFFER);
    for (int i = 0; i < 40; i++) {              /* more than the window holds */
        serial_pump(&s);
        s.end.write(&s, bytes, SERIAL_BUFFER);
    }
    from_guest(&s, "");
    from_guest(&s, "the end");
    cr_assert(serial_has(&s, "xthe end"));
    serial_close(&s);
    close(wake);
}

Test(picture, stretched_rows_mix_only_where_they_lie_on_two)
{
    static uint32_t pixels[] = { 0x102030, 0xffffff, 0x000000, 0x808080, 0x00ff00, 0x0000ff };     /* 2 x 3 */
    const struct picture p = { .pixels = pixels, .width = 2, .height = 3 };
    uint32_t out[4 * 6];

    picture_stretch(&p, 2, 6, 0, 6, out);       /* a whole number: no mixture */
    for (unsigned y = 0; y < 6; y++)
        for (unsigned x = 0; x < 4; x++)
            cr_assert_eq(out[y * 4 + x], pixels[y / 2 * 2 + x / 2]);
    picture_stretch(&p, 2, 4, 0, 4, out);       /* row 1 is a third of row 0 and two of row 1, row 2 the reverse */
    cr_assert_eq(out[0], 0x102030);
    cr_assert_eq(out[4], 0x050a0f);
    cr_assert_eq(out[4 + 3], 0xaaaaaa);
    cr_assert_eq(out[12 + 3], 0x0000ff);
    picture_stretch(&p, 2, 4, 3, 4, out);       /* only the last */
    cr_assert_eq(out[0], 0x00ff00);
    cr_assert_eq(out[3], 0x0000ff);
}

Test(keys, windows_line_ends_are_one_enter)
{
    struct key_script k = { 0 };
    struct error err;

    cr_assert(keys_from_text(&k, "a\r\nb\rc\nd", &err));
    cr_assert_eq(k.count, 2 * 7);
    keys_free(&k);
}
