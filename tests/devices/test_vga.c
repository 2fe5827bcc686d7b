/* The VGA: registers, memory path, timing and pictures. Checksums of pictures are of pictures that were looked at
 * (HOLDOVER_PICTURES=DIR writes them). */
#include "tests/support/vga_bench.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct bench *vga_new(void)
{
    struct bench *b = bench_new();
    bench_add(b, "vga", "vga", NULL);
    bench_capture(b, "vga", "irq", 9);
    bench_reset(b);
    return b;
}

static struct bench *vga_in_mode(const struct vga_registers *mode)
{
    struct bench *b = vga_new();
    vga_set_mode(b, mode);
    return b;
}

/* --- registers ------------------------------------------------------------------------------------------------ */

Test(vga, reset_clears_registers_and_blanks)
{
    struct bench *b = vga_new();
    struct screen s = { 0 };
    cr_expect_eq(bench_in8(b, 0x3cc), 0);
    for (uint8_t n = 0; n < 5; n++)
        cr_expect_eq(vga_indexed(b, 0x3c4, n), 0);
    for (uint8_t n = 0; n < 9; n++)
        cr_expect_eq(vga_indexed(b, 0x3ce, n), 0);
    for (uint8_t n = 0; n < 25; n++)
        cr_expect_eq(vga_indexed(b, 0x3b4, n), 0);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 0);
    cr_expect_eq(s.lines, 0);
    screen_free(&s);
    bench_free(b);
}

Test(vga, misc_selects_colour_or_monochrome_addresses)
{
    struct bench *b = vga_new();
    bench_out8(b, 0x3c2, 0x67);
    vga_index(b, 0x3d4, 0x0f, 0x5a);
    cr_expect_eq(vga_indexed(b, 0x3d4, 0x0f), 0x5a);
    cr_expect_eq(bench_in8(b, 0x3b5), 0xff);
    bench_out8(b, 0x3c2, 0x66);
    cr_expect_eq(bench_in8(b, 0x3d5), 0xff);
    cr_expect_eq(vga_indexed(b, 0x3b4, 0x0f), 0x5a);
    cr_expect_eq(bench_in8(b, 0x3cc), 0x66);
    bench_free(b);
}

Test(vga, unused_bits_read_zero)
{
    static const struct { uint16_t port; uint8_t index, reads; } rows[] = {
        { 0x3c4, 0, 3 }, { 0x3c4, 1, 0x3d }, { 0x3c4, 2, 15 }, { 0x3c4, 3, 0x3f }, { 0x3c4, 4, 14 }, { 0x3ce, 0, 15 }, { 0x3ce, 1, 15 },
        { 0x3ce, 2, 15 }, { 0x3ce, 3, 31 }, { 0x3ce, 4, 3 }, { 0x3ce, 5, 0x7b }, { 0x3ce, 6, 15 }, { 0x3ce, 7, 15 }, { 0x3ce, 8, 0xff },
    };
    struct bench *b = vga_new();
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        vga_index(b, rows[n].port, rows[n].index, 0xff);
        cr_expect_eq(vga_indexed(b, rows[n].port, rows[n].index), rows[n].reads, "port %x index %x", rows[n].port, rows[n].index);
    }
    bench_free(b);
}

Test(vga, crtc_write_protect_leaves_line_compare_bit)
{
    struct bench *b = vga_new();
    bench_out8(b, 0x3c2, 0x67);
    for (uint8_t n = 0; n < 8; n++)
        vga_index(b, 0x3d4, n, 0x55);
    vga_index(b, 0x3d4, 0x11, 0x80);
    for (uint8_t n = 0; n < 8; n++)
        vga_index(b, 0x3d4, n, 0xaa);
    for (uint8_t n = 0; n < 7; n++)
        cr_expect_eq(vga_indexed(b, 0x3d4, n), 0x55);
    cr_expect_eq(vga_indexed(b, 0x3d4, 7), 0x45);
    vga_index(b, 0x3d4, 8, 0xaa);
    cr_expect_eq(vga_indexed(b, 0x3d4, 8), 0xaa);
    bench_free(b);
}

Test(vga, attribute_flip_flop_is_reset_by_status_read)
{
    struct bench *b = vga_new();
    bench_out8(b, 0x3c2, 0x67);
    bench_in8(b, 0x3da);
    bench_out8(b, 0x3c0, 0x11);
    cr_expect_eq(vga_indexed(b, 0x3d4, 0x24) >> 7, 1);
    bench_out8(b, 0x3c0, 0x2a);
    cr_expect_eq(vga_indexed(b, 0x3d4, 0x24) >> 7, 0);
    bench_out8(b, 0x3c0, 0x12);                 /* an index */
    bench_in8(b, 0x3da);
    bench_out8(b, 0x3c0, 0x11);                 /* an index again */
    cr_expect_eq(bench_in8(b, 0x3c0), 0x11);
    cr_expect_eq(bench_in8(b, 0x3c1), 0x2a);
    bench_free(b);
}

Test(vga, dac_writes_and_reads_in_threes)
{
    struct bench *b = vga_new();
    bench_out8(b, 0x3c8, 10);
    for (uint8_t n = 1; n <= 6; n++)
        bench_out8(b, 0x3c9, n | 0xc0);
    cr_expect_eq(bench_in8(b, 0x3c8), 12);
    cr_expect_eq(bench_in8(b, 0x3c7), 0);
    bench_out8(b, 0x3c7, 10);
    cr_expect_eq(bench_in8(b, 0x3c7), 3);
    for (uint8_t n = 1; n <= 6; n++)
        cr_expect_eq(bench_in8(b, 0x3c9), n);
    bench_out8(b, 0x3c8, 10);                   /* two bytes alone change nothing */
    bench_out8(b, 0x3c9, 0x3f);
    bench_out8(b, 0x3c9, 0x3f);
    bench_out8(b, 0x3c7, 10);
    cr_expect_eq(bench_in8(b, 0x3c9), 1);
    bench_free(b);
}

Test(vga, port_3c3_switches_the_adapter_off)
{
    struct bench *b = vga_in_mode(&vga_mode_13);
    bench_poke(b, 0xa0000, 1, 0x12);
    bench_out8(b, 0x3c3, 0);
    cr_expect_eq(bench_in8(b, 0x3cc), 0xff);
    cr_expect_eq(bench_peek(b, 0xa0000, 1), 0xff);
    bench_out8(b, 0x3c3, 1);
    cr_expect_eq(bench_peek(b, 0xa0000, 1), 0x12);
    bench_free(b);
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

/* A byte of one plane, through read mode 0. */
static uint8_t plane_byte(struct bench *b, unsigned plane, uint32_t offset)
{
    vga_index(b, 0x3ce, 4, (uint8_t)plane);
    return (uint8_t)bench_peek(b, 0xa0000 + offset, 1);
}

static void expect_planes(struct bench *b, uint32_t offset, uint32_t planes)
{
    for (unsigned p = 0; p < 4; p++)
        cr_expect_eq(plane_byte(b, p, offset), planes >> 8 * p & 0xff, "plane %u of %x: %02x, not %02x", p, offset,
                     plane_byte(b, p, offset), planes >> 8 * p & 0xff);
}

/* Puts a byte into each plane of one offset, then leaves the latches with them. */
static void fill(struct bench *b, uint32_t offset, uint32_t planes)
{
    vga_index(b, 0x3ce, 1, 0);
    vga_index(b, 0x3ce, 3, 0);
    vga_index(b, 0x3ce, 5, 0);
    vga_index(b, 0x3ce, 8, 0xff);
    for (unsigned p = 0; p < 4; p++) {
        vga_index(b, 0x3c4, 2, (uint8_t)(1 << p));
        bench_poke(b, 0xa0000 + offset, 1, planes >> 8 * p & 0xff);
    }
    vga_index(b, 0x3c4, 2, 15);
    bench_peek(b, 0xa0000 + offset, 1);
}

Test(vga, map_mask_selects_planes)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    fill(b, 100, 0x44332211);
    expect_planes(b, 100, 0x44332211);
    vga_index(b, 0x3c4, 2, 5);
    bench_poke(b, 0xa0000 + 100, 1, 0xee);
    expect_planes(b, 100, 0x44ee22ee);
    bench_free(b);
}

Test(vga, write_mode_0_rotates_then_sets_then_masks)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    fill(b, 7, 0x00ff00ff);
    vga_index(b, 0x3ce, 3, 3);                  /* 0x81 rotated right by 3 is 0x30 */
    bench_poke(b, 0xa0007, 1, 0x81);
    expect_planes(b, 7, 0x30303030);
    fill(b, 7, 0x00ff00ff);
    vga_index(b, 0x3ce, 0, 0x0a);               /* set/reset 1010 on planes 2 and 3 only */
    vga_index(b, 0x3ce, 1, 0x0c);
    vga_index(b, 0x3ce, 8, 0x0f);
    bench_poke(b, 0xa0007, 1, 0x55);
    expect_planes(b, 7, 0x0ff005f5);
    bench_free(b);
}

Test(vga, logical_functions_work_with_the_latches)
{
    static const struct { uint8_t function; uint32_t result; } rows[] = { { 1, 0x0000cc88 }, { 2, 0xccffccee }, { 3, 0xccff0066 } };
    struct bench *b = vga_in_mode(&vga_mode_12);
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        fill(b, 9, 0x0033ccaa);
        vga_index(b, 0x3ce, 3, rows[n].function << 3);
        bench_poke(b, 0xa0009, 1, 0xcc);
        expect_planes(b, 9, rows[n].result);
    }
    bench_free(b);
}

Test(vga, write_mode_1_copies_latches)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    fill(b, 20, 0x12345678);
    vga_index(b, 0x3ce, 5, 1);
    bench_peek(b, 0xa0014, 1);
    bench_poke(b, 0xa0015, 1, 0xff);
    expect_planes(b, 0x15, 0x12345678);
    bench_free(b);
}

Test(vga, write_mode_2_spreads_a_colour_under_the_bit_mask)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    fill(b, 3, 0x55555555);
    vga_index(b, 0x3ce, 5, 2);
    vga_index(b, 0x3ce, 8, 0xf0);
    bench_poke(b, 0xa0003, 1, 0x0a);
    vga_index(b, 0x3ce, 5, 0);
    expect_planes(b, 3, 0xf505f505);
    bench_free(b);
}

Test(vga, write_mode_3_ands_data_and_bit_mask)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    fill(b, 3, 0x00000000);
    vga_index(b, 0x3ce, 5, 3);
    vga_index(b, 0x3ce, 0, 6);
    vga_index(b, 0x3ce, 8, 0x3c);
    bench_poke(b, 0xa0003, 1, 0x0f);
    vga_index(b, 0x3ce, 5, 0);
    expect_planes(b, 3, 0x000c0c00);
    bench_free(b);
}

Test(vga, read_mode_1_compares_colours)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    fill(b, 3, 0x0f3355ff);                     /* bit n of the planes: colours by column */
    vga_index(b, 0x3ce, 5, 8);
    vga_index(b, 0x3ce, 2, 0x0f);
    vga_index(b, 0x3ce, 7, 0x0f);
    cr_expect_eq(bench_peek(b, 0xa0003, 1), 0x0f & 0x33 & 0x55);
    vga_index(b, 0x3ce, 2, 0x01);
    vga_index(b, 0x3ce, 7, 0x07);               /* plane 3 does not count */
    cr_expect_eq(bench_peek(b, 0xa0003, 1), 0xff & ~0x55 & ~0x33 & 0xff);
    vga_index(b, 0x3ce, 7, 0);
    cr_expect_eq(bench_peek(b, 0xa0003, 1), 0xff);
    bench_free(b);
}

Test(vga, odd_even_puts_codes_in_plane_0_attributes_in_plane_1)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    bench_poke(b, 0xb8000, 4, 0x1f421e41);
    cr_expect_eq(bench_peek(b, 0xb8000, 4), 0x1f421e41);
    cr_expect_eq(bench_peek(b, 0xb8002, 2), 0x1f42);
    cr_expect_eq(bench_peek(b, 0xb7ffe, 2), 0xffff);        /* outside the window */
    cr_expect_eq(bench_peek(b, 0xa0000, 1), 0xff);
    vga_index(b, 0x3c4, 4, 6);                  /* sequential: the planes themselves */
    vga_index(b, 0x3ce, 5, 0);
    vga_index(b, 0x3ce, 6, 4);
    expect_planes(b, 0, 0x00001e41);
    expect_planes(b, 1, 0);
    expect_planes(b, 2, 0x00001f42);
    bench_free(b);
}

Test(vga, chain_4_uses_every_fourth_byte_of_a_plane)
{
    struct bench *b = vga_in_mode(&vga_mode_13);
    for (unsigned n = 0; n < 8; n++)
        bench_poke(b, 0xa0000 + n, 1, 0x10 + n);
    cr_expect_eq(bench_peek(b, 0xa0004, 4), 0x17161514);
    vga_index(b, 0x3c4, 4, 6);
    expect_planes(b, 0, 0x13121110);
    expect_planes(b, 1, 0);
    expect_planes(b, 4, 0x17161514);
    bench_free(b);
}

Test(vga, memory_map_select_places_the_window)
{
    static const struct { uint8_t select; uint32_t base, size; } rows[] =
        { { 0, 0xa0000, 0x20000 }, { 1, 0xa0000, 0x10000 }, { 2, 0xb0000, 0x8000 }, { 3, 0xb8000, 0x8000 } };
    struct bench *b = vga_in_mode(&vga_mode_12);
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        vga_index(b, 0x3ce, 6, (uint8_t)(rows[n].select << 2 | 1));
        vga_index(b, 0x3ce, 4, 0);
        for (uint32_t at = 0x9c000; at < 0xc4000; at += 0x4000) {
            bool inside = at >= rows[n].base && at < rows[n].base + rows[n].size;
            bench_poke(b, at, 1, 0x5a);
            cr_expect_eq(bench_peek(b, at, 1), inside ? 0x5a : 0xff, "map %u, %x", n, at);
        }
    }
    bench_out8(b, 0x3c2, 0xe1);                 /* RAM disabled */
    cr_expect_eq(bench_peek(b, 0xb8000, 1), 0xff);
    bench_free(b);
}

/* --- timing ----------------------------------------------------------------------------------------------------- */

Test(vga, status_1_follows_the_programmed_timing)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    unsigned retraces = 0, lines = 0;
    bool retrace = false, blank = false;
    int64_t high = 0;
    for (int64_t t = 0; t < 1000000000; t += 5000) {        /* a second in steps of a sixth of a line */
        uint8_t status = bench_in8(b, 0x3da);
        retraces += !retrace && status & 8;
        lines += !blank && status & 1;
        high += status & 8 ? 5000 : 0;
        retrace = status & 8;
        blank = status & 1;
        cr_assert(!retrace || blank);
        bench_step(b, 5000);
    }
    cr_expect_eq(retraces, 70);                             /* 28.322 MHz / (9 * 100 * 449) = 70.08 Hz */
    cr_expect(abs((int)lines - 70 * 400) < 200, "%u lines", lines);
    cr_expect(high > 70 * 1.9 * 31777 && high < 70 * 2.1 * 31777, "%lld ns in retrace", (long long)high);  /* two lines */
    bench_free(b);
}

Test(vga, mode_12h_runs_at_60_hz)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    unsigned retraces = 0;
    bool retrace = false;
    for (int64_t t = 0; t < 1000000000; t += 30000) {
        uint8_t status = bench_in8(b, 0x3da);
        retraces += !retrace && status & 8;
        retrace = status & 8;
        bench_step(b, 30000);
    }
    cr_expect(retraces == 59 || retraces == 60, "%u", retraces);
    bench_free(b);
}

Test(vga, retrace_interrupt_is_held_until_cleared)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    cr_expect_eq(bench_rises(b, 9), 0);
    vga_index(b, 0x3d4, 0x11, 0x0e);            /* bit 5 clear: enabled; bit 4 clear: held clear */
    bench_step(b, 50000000);
    cr_expect_eq(bench_rises(b, 9), 0);
    vga_index(b, 0x3d4, 0x11, 0x1e);
    bench_step(b, 50000000);
    cr_expect_eq(bench_rises(b, 9), 1);
    cr_expect(bench_irq(b, 9));
    cr_expect(bench_in8(b, 0x3c2) & 0x80);
    vga_index(b, 0x3d4, 0x11, 0x0e);
    cr_expect(!bench_irq(b, 9));
    cr_expect(!(bench_in8(b, 0x3c2) & 0x80));
    vga_index(b, 0x3d4, 0x11, 0x3e);            /* disabled */
    bench_step(b, 50000000);
    cr_expect(!bench_irq(b, 9));
    bench_free(b);
}

Test(vga, start_address_is_taken_at_retrace)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    unsigned columns, rows;
    uint8_t cells[80 * 25];
    struct display *d = &b->m->display;
    vga_print(b, 0, 0, 7, "A");
    vga_print(b, 0, 1, 7, "B");
    while (bench_in8(b, 0x3da) & 8)
        bench_step(b, 1000);
    while (!(bench_in8(b, 0x3da) & 8))
        bench_step(b, 1000);
    bench_step(b, 1000000);                     /* retrace is over */
    vga_index(b, 0x3d4, 0x0d, 80);
    d->text(d->chip, &columns, &rows, cells, sizeof(cells));
    cr_expect_eq(cells[0], 'A');
    bench_step(b, 10000000);
    d->text(d->chip, &columns, &rows, cells, sizeof(cells));
    cr_expect_eq(cells[0], 'A');
    bench_step(b, 5000000);
    d->text(d->chip, &columns, &rows, cells, sizeof(cells));
    cr_expect_eq(cells[0], 'B');
    screen_free(&s);
    bench_free(b);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

Test(vga, text_sink_gives_code_page_437_cells)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct display *d = &b->m->display;
    unsigned columns, rows;
    uint8_t cells[80 * 50];
    vga_print(b, 0, 0, 7, "C:\\>");
    vga_print(b, 79, 24, 7, "\xdb");
    cr_assert(d->text(d->chip, &columns, &rows, cells, sizeof(cells)));
    cr_expect_eq(columns, 80);
    cr_expect_eq(rows, 25);
    cr_expect_arr_eq(cells, "C:\\>", 4);
    cr_expect_eq(cells[79 + 24 * 80], 0xdb);
    vga_index(b, 0x3d4, 9, 0x47);               /* 8 lines a row: 50 rows */
    cr_assert(d->text(d->chip, &columns, &rows, cells, sizeof(cells)));
    cr_expect_eq(rows, 50);
    cr_assert(d->text(d->chip, &columns, &rows, cells, 80 * 10));
    cr_expect_eq(rows, 10);
    vga_set_mode(b, &vga_mode_12);
    cr_expect(!d->text(d->chip, &columns, &rows, cells, sizeof(cells)));
    bench_free(b);
}

static void text_page(struct bench *b)
{
    vga_load_font(b);
    for (unsigned n = 0; n < 80 * 25; n++)
        bench_poke(b, 0xb8000 + 2 * n, 2, 0x0720);
    for (unsigned n = 0; n < 16; n++) {
        vga_print(b, 2, 1 + n, (uint8_t)n, "HOLDOVER");
        vga_print(b, 14, 1 + n, (uint8_t)(n << 4 | 0x0f), "HOLDOVER");
        vga_print(b, 26, 1 + n, (uint8_t)(n << 4 | n), "\xdb\xdb\xdb\xfe\xfe\xfe\xc4\xc4\xc4");
    }
    vga_index(b, 0x3d4, 0x0e, (20 * 80 + 5) >> 8);
    vga_index(b, 0x3d4, 0x0f, (20 * 80 + 5) & 0xff);
}

Test(vga, picture_mode_3)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    text_page(b);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 720);
    cr_expect_eq(s.height, 400);
    cr_expect_eq(s.lines, 400);
    cr_expect(screen_is(&s, "mode03", 0xea2fc3e1aeddf4d9));
    /* blocks: DBh has a ninth dot, FEh has not */
    cr_expect_eq(screen_at(&s, 26 * 9 + 8, 3 * 16 + 5), screen_at(&s, 26 * 9, 3 * 16 + 5));
    cr_expect_neq(screen_at(&s, 29 * 9 + 8, 12 * 16 + 5), screen_at(&s, 29 * 9, 12 * 16 + 5));
    struct rect aspect = b->m->display.aspect(b->m->display.chip);
    cr_expect(aspect.w == 4 && aspect.h == 3);
    screen_free(&s);
    bench_free(b);
}

Test(vga, only_rows_that_changed_are_drawn)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    text_page(b);
    vga_index(b, 0x3d4, 0x0a, 0x20);            /* no cursor */
    screen_refresh(b, &s, false);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.lines, 0);
    vga_print(b, 5, 3, 7, "A");
    vga_print(b, 5, 7, 7, "A");
    screen_refresh(b, &s, true);                /* all, without forgetting the changes */
    cr_expect_eq(s.lines, 400);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.lines, 32);
    cr_expect_eq(s.draws, 2);
    bench_out8(b, 0x3c8, 7);                    /* a colour */
    for (unsigned n = 0; n < 3; n++)
        bench_out8(b, 0x3c9, 1);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.lines, 400);
    screen_free(&s);
    bench_free(b);
}

Test(vga, cursor_and_characters_blink)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    bool seen[2][2] = { { false } };
    text_page(b);
    vga_print(b, 0, 10, 0x8f, "\xdb");
    for (unsigned n = 0; n < 64; n++) {
        screen_refresh(b, &s, false);
        seen[0][screen_at(&s, 5 * 9, 20 * 16 + 13) != 0] = true;
        seen[1][screen_at(&s, 4, 10 * 16 + 4) != 0] = true;
        cr_expect(!screen_at(&s, 5 * 9, 20 * 16 + 12) && !screen_at(&s, 5 * 9, 20 * 16 + 15));  /* lines 13 and 14 only */
        bench_step(b, 14300000);
    }
    cr_expect(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
    vga_attribute(b, 0x10, 4);                  /* blink off: bright backgrounds */
    vga_print(b, 0, 10, 0x8f, " ");
    screen_refresh(b, &s, false);
    cr_expect_eq(screen_at(&s, 4, 10 * 16 + 4), 0x555555);
    screen_free(&s);
    bench_free(b);
}

Test(vga, two_fonts_by_attribute_bit_3)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    text_page(b);
    vga_index(b, 0x3c4, 3, 0x04);               /* map A is the second 16 KiB, empty; map B the first */
    vga_print(b, 0, 10, 0x07, "\xdb");
    vga_print(b, 1, 10, 0x0f, "\xdb");
    screen_refresh(b, &s, false);
    cr_expect_neq(screen_at(&s, 4, 10 * 16 + 4), 0);
    cr_expect_eq(screen_at(&s, 13, 10 * 16 + 4), 0);
    screen_free(&s);
    bench_free(b);
}

Test(vga, picture_mode_7_underlines)
{
    struct bench *b = vga_in_mode(&vga_mode_07);
    struct screen s = { 0 };
    vga_load_font(b);
    for (unsigned n = 0; n < 16; n++)
        for (unsigned i = 0; i < 5; i++)
            bench_poke(b, 0xb0000 + (n * 80 + i + 1) * 2, 2, (unsigned)"\x00\x01\x07\x09\x0f\x70\x78\x81\x87\x88\xf0\xf8\x00\x01\x07\x09"[n] << 8 |
                       (unsigned char)"HOLDE"[i]);
    bench_out8(b, 0x3c8, 8);
    for (unsigned n = 0; n < 3; n++)
        bench_out8(b, 0x3c9, 42);
    bench_out8(b, 0x3c8, 0x18);
    for (unsigned n = 0; n < 3; n++)
        bench_out8(b, 0x3c9, 63);
    screen_refresh(b, &s, false);
    cr_expect_neq(screen_at(&s, 9, 16 + 13), 0);            /* attribute 01h, line 13 */
    cr_expect_neq(screen_at(&s, 17, 16 + 13), 0);
    cr_expect_eq(screen_at(&s, 17, 32 + 13), 0);
    cr_expect(screen_is(&s, "mode07", 0x55ce32493d93f621));
    screen_free(&s);
    bench_free(b);
}

Test(vga, picture_text_panned_and_scrolled)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    text_page(b);
    vga_attribute(b, 0x13, 3);                  /* four dots to the left */
    vga_index(b, 0x3d4, 8, 5);                  /* five lines up */
    vga_index(b, 0x3d4, 0x18, 0x8f);            /* line compare at 18Fh - 100h: bits 8 and 9 below */
    vga_index(b, 0x3d4, 7, 0x0f);
    vga_index(b, 0x3d4, 9, 0x0f);
    screen_refresh(b, &s, false);
    cr_expect(screen_is(&s, "text-panned", 0xf6002b793f94c838));
    screen_free(&s);
    bench_free(b);
}

/* --- graphics ---------------------------------------------------------------------------------------------------- */

/* Diagonal bars in 16 colours, planar; width in bytes. */
static void planar_page(struct bench *b, unsigned bytes, unsigned lines)
{
    vga_index(b, 0x3ce, 5, 2);
    for (unsigned y = 0; y < lines; y++)
        for (unsigned x = 0; x < bytes; x++)
            bench_poke(b, 0xa0000 + y * bytes + x, 1, (x + y / 8) & 15);
    vga_index(b, 0x3ce, 8, 0x80);               /* a line down the left edge of the bytes */
    for (unsigned y = 0; y < lines; y++) {
        bench_peek(b, 0xa0000 + y * bytes + bytes / 2, 1);
        bench_poke(b, 0xa0000 + y * bytes + bytes / 2, 1, 15);
    }
    vga_index(b, 0x3ce, 8, 0xff);
    vga_index(b, 0x3ce, 5, 0);
}

Test(vga, picture_mode_12)
{
    struct bench *b = vga_in_mode(&vga_mode_12);
    struct screen s = { 0 };
    planar_page(b, 80, 480);
    screen_refresh(b, &s, false);
    cr_expect(s.width == 640 && s.height == 480);
    cr_expect(screen_is(&s, "mode12", 0x25343d290d83cd95));
    bench_poke(b, 0xa0000 + 80 * 200, 1, 0xff);
    screen_refresh(b, &s, false);
    cr_expect(s.lines >= 1 && s.lines <= 8, "%u lines for one byte", s.lines);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.lines, 0);
    screen_free(&s);
    bench_free(b);
}

Test(vga, picture_mode_0d)
{
    struct bench *b = vga_in_mode(&vga_mode_0d);
    struct screen s = { 0 };
    planar_page(b, 40, 200);
    screen_refresh(b, &s, false);
    cr_expect(s.width == 640 && s.height == 400);
    cr_expect(screen_is(&s, "mode0d", 0x12e55cee682af965));
    screen_free(&s);
    bench_free(b);
}

Test(vga, picture_mode_13)
{
    struct bench *b = vga_in_mode(&vga_mode_13);
    struct screen s = { 0 };
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 320; x += 4)
            bench_poke(b, 0xa0000 + y * 320 + x, 4, (x * 256 / 320) * 0x01010101u + (y < 100 ? 0 : 0x00010001));
    screen_refresh(b, &s, false);
    cr_expect(s.width == 640 && s.height == 400);
    cr_expect(screen_is(&s, "mode13", 0x9cb86655da788aa5));
    bench_poke(b, 0xa0000 + 320 * 100 + 7, 1, 1);
    screen_refresh(b, &s, false);
    cr_expect(s.lines >= 2 && s.lines <= 6, "%u", s.lines);
    bench_out8(b, 0x3c6, 0x3f);                 /* the mask is in front of the colours */
    screen_refresh(b, &s, false);
    cr_expect_eq(s.lines, 400);
    screen_free(&s);
    bench_free(b);
}

Test(vga, picture_mode_x_split_and_panned)
{
    struct bench *b = vga_in_mode(&vga_mode_x);
    struct screen s = { 0 };
    for (unsigned plane = 0; plane < 4; plane++) {
        vga_index(b, 0x3c4, 2, (uint8_t)(1 << plane));
        for (unsigned y = 0; y < 300; y++)
            for (unsigned x = 0; x < 80; x++)
                bench_poke(b, 0xa0000 + y * 80 + x, 1, ((x * 4 + plane) ^ y) & 0xff);
    }
    screen_refresh(b, &s, false);
    cr_expect(s.width == 640 && s.height == 480);
    cr_expect(screen_is(&s, "modex", 0xae35fef5d8b22ea5));
    vga_index(b, 0x3d4, 0x0c, 0x12);            /* start at line 58, split at line 300 */
    vga_index(b, 0x3d4, 0x0d, 0x20);
    vga_index(b, 0x3d4, 0x18, 300 & 0xff);
    vga_index(b, 0x3d4, 0x11, 0x2c);
    vga_index(b, 0x3d4, 7, 0x3e);
    vga_index(b, 0x3d4, 9, 0x01);
    vga_attribute(b, 0x10, 0x61);               /* the lower part does not pan */
    vga_attribute(b, 0x13, 4);
    bench_step(b, 20000000);
    screen_refresh(b, &s, false);
    cr_expect(screen_is(&s, "modex-split", 0xdf30bbfaa196063d));
    screen_free(&s);
    bench_free(b);
}

Test(vga, picture_mode_4_and_6)
{
    struct bench *b = vga_in_mode(&vga_mode_04);
    struct screen s = { 0 };
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 80; x++)
            bench_poke(b, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x, 1, x < 40 ? 0x1b : (x + y) & 0xff);
    screen_refresh(b, &s, false);
    cr_expect(s.width == 640 && s.height == 400);
    cr_expect(screen_is(&s, "mode04", 0x038a92bb910ffd6d));
    vga_set_mode(b, &vga_mode_06);
    for (unsigned y = 0; y < 200; y++)
        for (unsigned x = 0; x < 80; x++)
            bench_poke(b, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x, 1, x < 40 ? 0xaa : (x + y) & 0xff);
    screen_refresh(b, &s, false);
    cr_expect(s.width == 640 && s.height == 400);
    cr_expect(screen_is(&s, "mode06", 0x7bcc2b89376eca2d));
    screen_free(&s);
    bench_free(b);
}

Test(vga, blank_by_screen_off_palette_source_and_reset)
{
    struct bench *b = vga_in_mode(&vga_mode_03);
    struct screen s = { 0 };
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 720);
    vga_index(b, 0x3c4, 1, 0x20);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 0);
    vga_index(b, 0x3c4, 1, 0);
    bench_in8(b, 0x3da);
    bench_out8(b, 0x3c0, 0);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 0);
    bench_in8(b, 0x3da);
    bench_out8(b, 0x3c0, 0x20);
    vga_index(b, 0x3c4, 0, 1);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 0);
    vga_index(b, 0x3c4, 0, 3);
    screen_refresh(b, &s, false);
    cr_expect_eq(s.width, 720);
    cr_expect_eq(s.lines, 400);
    screen_free(&s);
    bench_free(b);
}

/* --- any registers, any state ---------------------------------------------------------------------------------------- */

Test(vga, random_registers_draw_within_bounds)
{
    struct bench *b = vga_new();
    struct screen s = { 0 };
    uint32_t seed = 1;
    for (unsigned n = 0; n < 400; n++) {
        for (unsigned i = 0; i < 40; i++) {
            static const uint16_t ports[] = { 0x3c0, 0x3c2, 0x3c4, 0x3c5, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3b4, 0x3b5, 0x3c8, 0x3c9 };
            seed = seed * 1664525 + 1013904223;
            bench_out8(b, ports[(seed >> 8) % ARRAY_SIZE(ports)], (uint8_t)(seed >> 20));
            bench_poke(b, 0xa0000 + (seed >> 12) % 0x20000, 4, seed);
            bench_peek(b, 0xa0000 + (seed >> 13) % 0x20000, 4);
        }
        vga_index(b, 0x3c4, 0, 3);
        vga_index(b, 0x3c4, 1, (uint8_t)(seed >> 24 & 9));
        bench_in8(b, 0x3da), bench_in8(b, 0x3ba);
        bench_out8(b, 0x3c0, 0x20);
        uint8_t cells[1000];
        unsigned columns, rows;
        screen_refresh(b, &s, n & 1);
        b->m->display.text(b->m->display.chip, &columns, &rows, cells, sizeof(cells));
        bench_step(b, 3000000);
    }
    screen_free(&s);
    bench_free(b);
}

Test(vga, state_survives_a_new_machine)
{
    struct bench *b = vga_in_mode(&vga_mode_03), *c = vga_new();
    struct screen s = { 0 }, t = { 0 };
    struct stream stream = { 0 };
    struct error err;
    text_page(b);
    cr_assert(machine_save(b->m, &stream, &err));
    cr_assert(machine_load(c->m, &stream, &err), "%s", err.text);
    screen_refresh(b, &s, true);
    screen_refresh(c, &t, false);
    cr_expect_eq(screen_hash(&s, "saved"), screen_hash(&t, "loaded"));
    cr_expect_eq(bench_peek(c, 0xb8000 + 164, 2), 'H');
    screen_free(&s), screen_free(&t);
    stream_free(&stream);
    bench_free(b), bench_free(c);
}
