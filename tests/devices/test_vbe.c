/* The Bochs display interface and the PCI card that has it. */
#include "devices/pci.h"
#include "tests/support/vga_bench.h"
#include <criterion/criterion.h>

enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K };
enum { LFB = 0xe0000000u, MMIO = 0xfebf0000u, DEVFN = 2 << 3 };

static struct bench *vbe_new(void)
{
    struct bench *b = bench_new();
    bench_add(b, "pci", "pci", NULL);
    bench_add(b, "bochs_vga", "vga", NULL);
    bench_reset(b);
    pci_config_write(b->m, DEVFN, PCI_BAR0, 4, LFB);
    pci_config_write(b->m, DEVFN, PCI_BAR0 + 8, 4, MMIO);
    pci_config_write(b->m, DEVFN, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MEMORY);
    vga_set_mode(b, &vga_mode_12);
    return b;
}

static void set_mode(struct bench *b, unsigned width, unsigned height, unsigned bpp)
{
    vbe_out(b, ENABLE, 0);
    vbe_out(b, XRES, (uint16_t)width);
    vbe_out(b, YRES, (uint16_t)height);
    vbe_out(b, BPP, (uint16_t)bpp);
    vbe_out(b, ENABLE, 0x41);
}

Test(vbe, pci_identity_and_bars)
{
    struct bench *b = vbe_new();
    cr_expect_eq(pci_config_read(b->m, DEVFN, 0, 4), 0x11111234);
    cr_expect_eq(pci_config_read(b->m, DEVFN, PCI_CLASS, 4) & 0xffffff, 0x030000);
    pci_config_write(b->m, DEVFN, PCI_COMMAND, 2, 0);
    pci_config_write(b->m, DEVFN, PCI_BAR0, 4, UINT32_MAX);
    cr_expect_eq(pci_config_read(b->m, DEVFN, PCI_BAR0, 4), 0xff000008);
    pci_config_write(b->m, DEVFN, PCI_BAR0 + 8, 4, UINT32_MAX);
    cr_expect_eq(pci_config_read(b->m, DEVFN, PCI_BAR0 + 8, 4), 0xfffff000);
    bench_free(b);
}

Test(vbe, registers_identify_and_negotiate)
{
    struct bench *b = vbe_new();
    cr_expect_eq(vbe_in(b, ID), 0xb0c5);
    vbe_out(b, ID, 0xb0c0);
    cr_expect_eq(vbe_in(b, ID), 0xb0c0);
    vbe_out(b, ID, 0x1234);
    cr_expect_eq(vbe_in(b, ID), 0xb0c0);
    cr_expect_eq(vbe_in(b, MEMORY_64K), 256);
    cr_expect_eq(vbe_in(b, 99), 0);
    vbe_out(b, ENABLE, 2);
    cr_expect_eq(vbe_in(b, XRES), 2560);
    cr_expect_eq(vbe_in(b, YRES), 1600);
    cr_expect_eq(vbe_in(b, BPP), 32);
    vbe_out(b, ENABLE, 0);
    bench_free(b);
}

Test(vbe, impossible_modes_stay_off)
{
    static const uint16_t rows[][3] = { { 0, 480, 8 }, { 640, 0, 8 }, { 640, 480, 7 }, { 644, 480, 8 }, { 4096, 480, 8 }, { 640, 2000, 8 },
                                        { 2560, 1600, 64 }, { 65528, 65535, 32 } };
    struct bench *b = vbe_new();
    struct screen s = { 0 };
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        set_mode(b, rows[n][0], rows[n][1], rows[n][2]);
        cr_expect_eq(vbe_in(b, ENABLE) & 1, 0, "row %u", n);
    }
    screen_refresh(b, &s, true);
    cr_expect_eq(s.width, 640);                 /* still mode 12h */
    set_mode(b, 2560, 1600, 32);
    cr_expect_eq(vbe_in(b, ENABLE), 0x41);
    screen_refresh(b, &s, true);
    cr_expect(s.width == 2560 && s.height == 1600);
    screen_free(&s);
    bench_free(b);
}

Test(vbe, resolution_is_fixed_while_enabled)
{
    struct bench *b = vbe_new();
    set_mode(b, 800, 600, 8);
    vbe_out(b, XRES, 640);
    vbe_out(b, BPP, 16);
    cr_expect_eq(vbe_in(b, XRES), 800);
    cr_expect_eq(vbe_in(b, BPP), 8);
    vbe_out(b, ENABLE, 0);
    vbe_out(b, XRES, 640);
    cr_expect_eq(vbe_in(b, XRES), 640);
    bench_free(b);
}

Test(vbe, enabling_clears_unless_told_not_to)
{
    struct bench *b = vbe_new();
    set_mode(b, 640, 480, 8);
    bench_poke(b, LFB + 5, 1, 7);
    vbe_out(b, ENABLE, 0);
    vbe_out(b, ENABLE, 0xc1);
    cr_expect_eq(bench_peek(b, LFB + 5, 1), 7);
    vbe_out(b, ENABLE, 0);
    vbe_out(b, ENABLE, 0x41);
    cr_expect_eq(bench_peek(b, LFB + 5, 1), 0);
    bench_free(b);
}

Test(vbe, banks_show_the_frame_buffer_at_a0000)
{
    struct bench *b = vbe_new();
    set_mode(b, 1024, 768, 16);
    vga_index(b, 0x3c4, 4, 0x0e);
    bench_poke(b, LFB + 0x50004, 4, 0xcafe1234);
    vbe_out(b, BANK, 5);
    cr_expect_eq(vbe_in(b, BANK), 5);
    cr_expect_eq(bench_peek(b, 0xa0004, 4), 0xcafe1234);
    bench_poke(b, 0xafffe, 2, 0x4321);
    cr_expect_eq(bench_peek(b, LFB + 0x5fffe, 2), 0x4321);
    vbe_out(b, BANK, 256);                      /* beyond the memory: wraps */
    cr_expect_eq(vbe_in(b, BANK), 0);
    bench_free(b);
}

Test(vbe, virtual_screen_and_offsets_are_bounded)
{
    struct bench *b = vbe_new();
    set_mode(b, 640, 480, 32);
    cr_expect_eq(vbe_in(b, VIRT_WIDTH), 640);
    cr_expect_eq(vbe_in(b, VIRT_HEIGHT), 16777216 / (640 * 4));
    vbe_out(b, VIRT_WIDTH, 1024);
    cr_expect_eq(vbe_in(b, VIRT_HEIGHT), 4096);
    vbe_out(b, X_OFFSET, 384);
    vbe_out(b, Y_OFFSET, 4096 - 480);
    cr_expect_eq(vbe_in(b, X_OFFSET), 384);
    cr_expect_eq(vbe_in(b, Y_OFFSET), 3616);
    vbe_out(b, X_OFFSET, 385);
    vbe_out(b, Y_OFFSET, 3617);
    cr_expect_eq(vbe_in(b, X_OFFSET), 384);
    cr_expect_eq(vbe_in(b, Y_OFFSET), 3616);
    vbe_out(b, VIRT_WIDTH, 65535);              /* fewer lines than the screen has */
    cr_expect_eq(vbe_in(b, VIRT_WIDTH), 1024);
    bench_free(b);
}

Test(vbe, bar_2_has_the_registers_and_the_ports)
{
    struct bench *b = vbe_new();
    cr_expect_eq(bench_peek(b, MMIO + 0x500, 2), 0xb0c5);
    bench_poke(b, MMIO + 0x502, 2, 1024);
    cr_expect_eq(vbe_in(b, XRES), 1024);
    bench_out16(b, 0x1ce, 4);
    bench_poke(b, MMIO + 0x504, 2, 768);
    cr_expect_eq(bench_in16(b, 0x1ce), 4);      /* the index stays */
    bench_poke(b, MMIO + 0x402, 1, 0xe2);
    cr_expect_eq(bench_in8(b, 0x3cc), 0xe2);
    cr_expect_eq(bench_peek(b, MMIO + 0x40c, 1), 0xe2);
    cr_expect_eq(bench_peek(b, MMIO + 0x600, 4), 0);
    bench_free(b);
}

Test(vbe, eight_bit_dac_keeps_colours)
{
    struct bench *b = vbe_new();
    set_mode(b, 640, 480, 8);
    bench_out8(b, 0x3c8, 1);
    for (unsigned n = 0; n < 3; n++)
        bench_out8(b, 0x3c9, 0x3f);
    vbe_out(b, ENABLE, 0x61);
    bench_out8(b, 0x3c7, 1);
    cr_expect_eq(bench_in8(b, 0x3c9), 0xff);
    bench_out8(b, 0x3c8, 1);
    bench_out8(b, 0x3c9, 0x81), bench_out8(b, 0x3c9, 0x42), bench_out8(b, 0x3c9, 0x07);
    struct screen s = { 0 };
    bench_poke(b, LFB, 1, 1);
    screen_refresh(b, &s, true);
    cr_expect_eq(screen_at(&s, 0, 0), 0x814207);
    vbe_out(b, ENABLE, 0x41);
    bench_out8(b, 0x3c7, 1);
    cr_expect_eq(bench_in8(b, 0x3c9), 0x20);
    screen_free(&s);
    bench_free(b);
}

/* --- pictures ------------------------------------------------------------------------------------------------------ */

static void pixel(struct bench *b, unsigned width, unsigned bpp, unsigned x, unsigned y, uint32_t rgb)
{
    unsigned r = rgb >> 16, g = rgb >> 8 & 0xff, blue = rgb & 0xff;
    uint32_t at = LFB + (y * width + x) * ((bpp + 7) / 8);
    if (bpp == 8)
        bench_poke(b, at, 1, 64 + (r >> 6 << 4) + (g >> 6 << 2) + (blue >> 6));
    else if (bpp == 15)
        bench_poke(b, at, 2, r >> 3 << 10 | g >> 3 << 5 | blue >> 3);
    else if (bpp == 16)
        bench_poke(b, at, 2, r >> 3 << 11 | g >> 2 << 5 | blue >> 3);
    else if (bpp == 24)
        for (unsigned n = 0; n < 3; n++)
            bench_poke(b, at + n, 1, rgb >> 8 * n & 0xff);
    else
        bench_poke(b, at, 4, 0xaa000000 | rgb);
}

static void page(struct bench *b, unsigned width, unsigned height, unsigned bpp)
{
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++)
            pixel(b, width, bpp, x, y, (x * 255 / width) << 16 | (y * 255 / height) << 8 | ((x ^ y) & 0xff));
}

Test(vbe, pictures_of_all_depths)
{
    static const struct { unsigned bpp; const char *name; uint64_t hash; } rows[] = {
        { 8, "vbe8", 0xa31a712394a80b49 }, { 15, "vbe15", 0x9fff37557b2fca59 }, { 16, "vbe16", 0x3d3451b5e1a21241 }, { 24, "vbe24", 0x08a85ea91d5bb16d }, { 32, "vbe32", 0x08a85ea91d5bb16d },
    };
    struct bench *b = vbe_new();
    struct screen s = { 0 };
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        set_mode(b, 320, 200, rows[n].bpp);
        page(b, 320, 200, rows[n].bpp);
        screen_refresh(b, &s, false);
        cr_expect(s.width == 320 && s.height == 200);
        cr_expect(screen_is(&s, rows[n].name, rows[n].hash));
        screen_refresh(b, &s, false);
        cr_expect_eq(s.lines, 0);
        pixel(b, 320, rows[n].bpp, 100, 150, 0xffffff);
        screen_refresh(b, &s, false);
        cr_expect(s.lines >= 1 && s.lines <= 14, "%s: %u lines", rows[n].name, s.lines);
        cr_expect_eq(screen_at(&s, 100, 150), 0xffffff);
    }
    screen_free(&s);
    bench_free(b);
}

Test(vbe, picture_of_16_planar_colours)
{
    struct bench *b = vbe_new();
    struct screen s = { 0 };
    set_mode(b, 800, 600, 4);
    vga_index(b, 0x3ce, 5, 2);
    for (unsigned y = 0; y < 600; y++)
        for (unsigned x = 0; x < 100; x++)
            bench_poke(b, 0xa0000 + y * 100 + x, 1, (x + y / 8) & 15);
    screen_refresh(b, &s, false);
    cr_expect(s.width == 800 && s.height == 600);
    cr_expect(screen_is(&s, "vbe4", 0x91ca0c172e57f925));
    uint32_t at16 = screen_at(&s, 16 + 3, 8);
    vbe_out(b, VIRT_WIDTH, 1024);
    vbe_out(b, VIRT_WIDTH, 800);
    vbe_out(b, Y_OFFSET, 8);
    screen_refresh(b, &s, false);
    cr_expect_eq(screen_at(&s, 16 + 3, 0), at16);
    screen_free(&s);
    bench_free(b);
}

Test(vbe, offsets_move_the_picture)
{
    struct bench *b = vbe_new();
    struct screen s = { 0 };
    set_mode(b, 320, 200, 16);
    vbe_out(b, VIRT_WIDTH, 640);
    pixel(b, 640, 16, 100, 50, 0x00ff00);
    vbe_out(b, X_OFFSET, 90);
    vbe_out(b, Y_OFFSET, 45);
    screen_refresh(b, &s, false);
    cr_expect_eq(screen_at(&s, 10, 5), 0x00ff00);
    cr_expect_eq(screen_at(&s, 9, 5), 0);
    screen_free(&s);
    bench_free(b);
}

Test(vbe, aspect_is_the_tubes_unless_wide)
{
    static const struct { unsigned w, h, aspect_w, aspect_h; } rows[] =
        { { 640, 480, 4, 3 }, { 640, 400, 640, 400 }, { 1280, 1024, 4, 3 }, { 1920, 1080, 1920, 1080 } };
    struct bench *b = vbe_new();
    struct display *d = &b->m->display;
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        set_mode(b, rows[n].w, rows[n].h, 32);
        struct rect r = d->aspect(d->chip);
        cr_expect(r.w == rows[n].aspect_w && r.h == rows[n].aspect_h, "%u x %u", rows[n].w, rows[n].h);
    }
    bench_free(b);
}

Test(vbe, random_registers_draw_within_bounds)
{
    struct bench *b = vbe_new();
    struct screen s = { 0 };
    uint32_t seed = 7;
    for (unsigned n = 0; n < 300; n++) {
        for (unsigned i = 0; i < 12; i++) {
            static const uint16_t widths[] = { 8, 16, 320, 640, 1024, 2560 };
            seed = seed * 1664525 + 1013904223;
            uint16_t value = seed & 0x10000 ? (uint16_t)(seed >> 17) : widths[(seed >> 20) % ARRAY_SIZE(widths)];
            uint16_t index = (seed >> 8) % 12;
            if (index == BPP)
                value = "\4\10\17\20\30\40"[(seed >> 20) % 6];
            if (index == ENABLE)
                value = (seed >> 24 & 1) | (seed >> 20 & 0xe0);
            vbe_out(b, index, value);
            bench_poke(b, 0xa0000 + (seed >> 12) % 0x10000, 4, seed);
            bench_peek(b, 0xa0000 + (seed >> 13) % 0x10000, 4);
        }
        screen_refresh(b, &s, n & 1);
        bench_step(b, 3000000);
    }
    screen_free(&s);
    bench_free(b);
}

Test(vbe, state_survives_a_new_machine)
{
    struct bench *b = vbe_new(), *c = vbe_new();
    struct screen s = { 0 }, t = { 0 };
    struct stream stream = { 0 };
    struct error err;
    set_mode(b, 640, 480, 16);
    page(b, 640, 100, 16);
    cr_assert(machine_save(b->m, &stream, &err));
    cr_assert(machine_load(c->m, &stream, &err), "%s", err.text);
    screen_refresh(b, &s, true);
    screen_refresh(c, &t, false);
    cr_expect_eq(screen_hash(&s, "saved"), screen_hash(&t, "loaded"));
    cr_expect_eq(bench_peek(c, LFB, 4), bench_peek(b, LFB, 4));
    screen_free(&s), screen_free(&t);
    stream_free(&stream);
    bench_free(b), bench_free(c);
}
