/* The serial mouse at its UART, and VMware's backdoor. */
#include "devices/serial.h"
#include "devices/vmport.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { COM = 0x3f8, CHARACTER_1200 = 8333334 };

static struct bench *mouse(const char *kind, uint8_t lcr, uint8_t divisor)
{
    struct bench *b = bench_new();
    struct device *uart = bench_add(b, "ns16550a", "serial1", NULL), *mouse = bench_add(b, "serial_mouse", "sermouse", kind);
    ns16550a_plug(uart, serial_mouse_end(mouse));
    bench_reset(b);
    bench_out8(b, COM + 3, lcr | 0x80);
    bench_out8(b, COM, divisor);
    bench_out8(b, COM + 1, 0);
    bench_out8(b, COM + 3, lcr);
    bench_out8(b, COM + 2, 1);
    bench_out8(b, COM + 4, 0x0b);
    return b;
}

static unsigned receive(struct bench *b, uint8_t *bytes, unsigned most)
{
    unsigned n = 0;
    for (unsigned turn = 0; turn < 40; turn++) {
        bench_step(b, CHARACTER_1200);
        while (n < most && bench_in8(b, COM + 5) & 1)
            bytes[n++] = bench_in8(b, COM);
    }
    return n;
}

static void move(struct bench *b, int dx, int dy, unsigned buttons)
{
    b->m->pointer.move(b->m->pointer.chip, dx, dy, 0, buttons);
}

Test(serial_mouse, microsofts_introduces_itself_and_moves)
{
    struct bench *b = mouse(NULL, 2, 96);
    uint8_t got[16];
    cr_assert_eq(receive(b, got, 16), 1);
    cr_assert_eq(got[0], 'M');
    move(b, 5, -3, 1);
    cr_assert_eq(receive(b, got, 16), 3);
    cr_assert(!memcmp(got, "\x6c\x05\x3d", 3));
    move(b, 300, 0, 3);
    cr_assert_eq(receive(b, got, 16), 9, "more than a packet holds goes into the next");
    cr_assert(!memcmp(got, "\x71\x3f\0\x71\x3f\0\x70\x2e\0", 9));
    bench_out8(b, COM + 4, 0x08);               /* power off and on again */
    bench_step(b, 100000000);
    move(b, 9, 9, 0);
    cr_assert_eq(receive(b, got, 16), 0);
    bench_out8(b, COM + 4, 0x0b);
    cr_assert_eq(receive(b, got, 16), 1);
    bench_free(b);
}

Test(serial_mouse, eight_bits_show_the_stop_bit_and_a_wrong_rate_is_garbage)
{
    struct bench *b = mouse(NULL, 3, 96);
    uint8_t got[4];
    cr_assert_eq(receive(b, got, 4), 1);
    cr_assert_eq(got[0], 'M' | 0x80);
    bench_free(b);
    b = mouse(NULL, 2, 12);
    bench_step(b, 100000000);
    cr_assert_eq(bench_in8(b, COM + 5) & 8, 8, "a framing error");
    bench_free(b);
}

Test(serial_mouse, logitechs_and_mouse_systems_third_button)
{
    struct bench *b = mouse("kind=logitech", 2, 96);
    uint8_t got[8];
    cr_assert_eq(receive(b, got, 8), 2);
    cr_assert(!memcmp(got, "M3", 2));
    move(b, 0, 0, 4);
    cr_assert_eq(receive(b, got, 8), 4);
    cr_assert(!memcmp(got, "\x40\0\0\x20", 4));
    move(b, 0, 0, 0);
    cr_assert_eq(receive(b, got, 8), 4, "the release, too");
    cr_assert_eq(got[3], 0);
    bench_free(b);
    b = mouse("kind=mousesystems", 3, 96);
    cr_assert_eq(receive(b, got, 8), 0);
    move(b, 130, -2, 1 | 4);
    cr_assert_eq(receive(b, got, 8), 5);
    cr_assert(!memcmp(got, "\x81\x7f\x02\x03\x00", 5));
    bench_free(b);
}

/* --- the backdoor ----------------------------------------------------------------------------------------------- */

static uint32_t gpr[8];
static unsigned nudges;
static void nudge(struct device *dev) { (void)dev; nudges++; }
static char *clip;
static char *clipboard(void *ui, const char *text)
{
    (void)ui;
    if (!text)
        return strdup("from the host");
    free(clip);
    clip = strdup(text);
    return NULL;
}
static const struct host host = { .clipboard = clipboard };

static struct bench *backdoor(const char *options)
{
    struct bench *b = bench_new_host(&host);
    vmport_connect(bench_add(b, "vmport", "vmport", options), gpr, 3000000000ull, -120, nudge, NULL);
    bench_reset(b);
    return b;
}

/* Registers: EAX ECX EDX EBX. */
static uint32_t command(struct bench *b, uint32_t number, uint32_t ebx)
{
    gpr[0] = 0x564d5868;
    gpr[1] = number;
    gpr[2] = 0x5658;
    gpr[3] = ebx;
    return gpr[0] = bench_in32(b, 0x5658);
}

Test(vmport, version_and_silence_without_the_magic)
{
    struct bench *b = backdoor(NULL);
    cr_assert_eq(command(b, 10, 0), 6);
    cr_assert_eq(gpr[3], 0x564d5868);
    cr_assert_eq(gpr[1], 2);
    gpr[0] = 1;
    gpr[1] = 10;
    cr_assert_eq(bench_in32(b, 0x5658), UINT32_MAX);
    cr_assert_eq(gpr[1], 10);
    cr_assert_eq(command(b, 1, 0), 3000);
    cr_assert_eq(command(b, 45, 0), 3000000000u);
    cr_assert_eq(gpr[3], 0);
    cr_assert_eq(command(b, 9999, 0), UINT32_MAX);
    bench_free(b);
}

Test(vmport, the_pointer_as_linux_drives_it)
{
    struct bench *b = backdoor(NULL);
    cr_assert_eq(command(b, 40, 0), 0xffff0000, "not enabled: an error");
    cr_assert_null(b->m->pointer.at);
    command(b, 41, 0x45414552);
    cr_assert_eq(command(b, 40, 0), 1);
    cr_assert_eq(command(b, 39, 1), 0x3442554a);
    cr_assert_eq(command(b, 40, 0), 0);
    command(b, 41, 0x53424152);
    cr_assert_not_null(b->m->pointer.at);
    b->m->pointer.at(b->m->pointer.chip, 0x1234, 0xfedc, 1, 1 | 2);
    cr_assert_eq(nudges, 1);
    cr_assert(b->m->pointer.waiting(b->m->pointer.chip));
    cr_assert_eq(command(b, 40, 0), 4);
    cr_assert_eq(command(b, 39, 4), 0x30);
    cr_assert_eq(gpr[3], 0x1234);
    cr_assert_eq(gpr[1], 0xfedc);
    cr_assert_eq(gpr[2], UINT32_MAX, "the wheel, away from the user");
    for (unsigned n = 0; n < 100; n++)
        b->m->pointer.at(b->m->pointer.chip, 0, 0, 0, 0);
    cr_assert_eq(command(b, 40, 0), 64, "a full queue loses");
    command(b, 39, 5);
    cr_assert_eq(command(b, 40, 0), 0xffff0000, "a wrong count: the driver starts again");
    cr_assert_null(b->m->pointer.at);
    bench_free(b);
}

Test(vmport, relative_events_and_what_was_there_before)
{
    struct bench *b = backdoor(NULL);
    b->m->pointer.move(b->m->pointer.chip, 1, 1, 0, 0);
    cr_assert_eq(nudges, 0, "nobody below");
    command(b, 41, 0x45414552);
    command(b, 39, 1);
    b->m->pointer.move(b->m->pointer.chip, -2, 3, 0, 4);
    cr_assert_eq(command(b, 39, 4), 0x10008);
    cr_assert_eq(gpr[3], (uint32_t)-2);
    cr_assert_eq(gpr[1], (uint32_t)-3);
    bench_free(b);
}

Test(vmport, time_and_clipboard)
{
    struct bench *b = backdoor("clipboard=on");
    b->m->wall_origin = 1000000000;
    cr_assert_eq(command(b, 23, 0), 1000000000 - 7200, "two hours ahead of UTC");
    cr_assert_eq(command(b, 46, 0), 0x564d5868);
    cr_assert_eq(gpr[2], 1000000000 - 7200);
    cr_assert_eq(command(b, 6, 0), 13);
    char text[17] = "";
    for (unsigned n = 0; n < 16; n += 4) {
        uint32_t piece = command(b, 7, 0);
        memcpy(text + n, &piece, 4);
    }
    cr_assert_str_eq(text, "from the host");
    command(b, 8, 6);
    command(b, 9, 0x73656874);
    cr_assert_null(clip);
    command(b, 9, 0x7465);
    cr_assert_str_eq(clip, "theset");
    command(b, 9, 1);                           /* beyond its end */
    bench_free(b);
    b = backdoor(NULL);
    cr_assert_eq(command(b, 6, 0), UINT32_MAX, "not unless it was allowed");
    bench_free(b);
}
