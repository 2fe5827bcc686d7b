/* See vga_bench.h. Register values are those of the video BIOS' parameter tables [VGA-TRM]. */
#include "tests/support/vga_bench.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#define EGA_PALETTE 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
#define IDENTITY_PALETTE 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
const struct vga_registers vga_mode_03 = { 0x67, { 3, 0, 3, 0, 2 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9,
      0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff }, { EGA_PALETTE, 0x0c, 0, 0x0f, 8, 0 } };
const struct vga_registers vga_mode_04 = { 0x63, { 3, 9, 3, 0, 2 },
    { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0, 0x96, 0xb9, 0xa2,
      0xff },
    { 0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff },
    { 0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 1, 0, 3, 0, 0 } };
const struct vga_registers vga_mode_06 = { 0x63, { 3, 1, 1, 0, 6 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0, 0x96, 0xb9, 0xc2,
      0xff },
    { 0, 0, 0, 0, 0, 0, 0x0d, 0, 0xff },
    { 0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 1, 0, 1, 0, 0 } };
const struct vga_registers vga_mode_07 = { 0x66, { 3, 0, 3, 0, 2 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x0d, 0x96, 0xb9,
      0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x10, 0x0a, 0, 0xff },
    { 0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x0e, 0, 0x0f, 8, 0 } };
const struct vga_registers vga_mode_0d = { 0x63, { 3, 9, 0x0f, 0, 6 },
    { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x14, 0, 0x96, 0xb9, 0xe3,
      0xff },
    { 0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff },
    { 0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 1, 0, 0x0f, 0, 0 } };
const struct vga_registers vga_mode_12 = { 0xe3, { 3, 1, 0x0f, 0, 6 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf, 0x28, 0, 0xe7, 4, 0xe3, 0xff },
    { 0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff }, { EGA_PALETTE, 1, 0, 0x0f, 0, 0 } };
const struct vga_registers vga_mode_13 = { 0x63, { 3, 1, 0x0f, 0, 0x0e },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3,
      0xff },
    { 0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff }, { IDENTITY_PALETTE, 0x41, 0, 0x0f, 0, 0 } };
const struct vga_registers vga_mode_x = { 0xe3, { 3, 1, 0x0f, 0, 6 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0d, 0x3e, 0, 0x41, 0, 0, 0, 0, 0, 0, 0xea, 0xac, 0xdf, 0x28, 0, 0xe7, 6, 0xe3, 0xff },
    { 0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff }, { IDENTITY_PALETTE, 0x41, 0, 0x0f, 0, 0 } };

void vga_index(struct bench *b, uint16_t port, uint8_t index, uint8_t value)
{
    bench_out8(b, port, index);
    bench_out8(b, port + 1, value);
}

uint8_t vga_indexed(struct bench *b, uint16_t port, uint8_t index)
{
    bench_out8(b, port, index);
    return bench_in8(b, port + 1);
}

static uint16_t base(struct bench *b) { return bench_in8(b, 0x3cc) & 1 ? 0x3d0 : 0x3b0; }

void vga_attribute(struct bench *b, uint8_t index, uint8_t value)
{
    bench_in8(b, base(b) + 10);
    bench_out8(b, 0x3c0, index);
    bench_out8(b, 0x3c0, value);
    bench_in8(b, base(b) + 10);
    bench_out8(b, 0x3c0, 0x20);
}

void vga_set_colours(struct bench *b)
{
    bench_out8(b, 0x3c6, 0xff);
    bench_out8(b, 0x3c8, 0);
    for (unsigned n = 0; n < 256; n++) {
        unsigned low = n >> 3 & 7, c[3] = { (n >> 2 & 1) * 42 + (low >> 2) * 21, (n >> 1 & 1) * 42 + (low >> 1 & 1) * 21,
                                            (n & 1) * 42 + (low & 1) * 21 };
        if (n >= 64)                            /* red, green, blue from two bits each, brighter by another */
            c[0] = (n >> 4 & 3) * 21, c[1] = (n >> 2 & 3) * 21, c[2] = (n & 3) * 21;
        if (n >= 128)
            c[0] = n >> 2 & 0x3f, c[1] = 63 - c[0], c[2] = n & 0x3f;
        for (unsigned i = 0; i < 3; i++)
            bench_out8(b, 0x3c9, (uint8_t)c[i]);
    }
}

void vga_set_mode(struct bench *b, const struct vga_registers *r)
{
    bench_out8(b, 0x3c2, r->misc);
    uint16_t crtc = base(b) + 4;
    for (uint8_t n = 0; n < 5; n++)
        vga_index(b, 0x3c4, n, r->sequencer[n]);
    vga_index(b, crtc, 0x11, 0);
    for (uint8_t n = 0; n < 25; n++)
        vga_index(b, crtc, n, r->crtc[n]);
    for (uint8_t n = 0; n < 9; n++)
        vga_index(b, 0x3ce, n, r->graphics[n]);
    for (uint8_t n = 0; n < 21; n++)
        vga_attribute(b, n, r->attribute[n]);
    vga_set_colours(b);
    bench_step(b, 200000000 - bench_now(b) % 200000000);
}

/* Letters in 8 x 16 from seven rows of five dots. */
static const struct { uint8_t code, rows[7]; } letters[] = {
    { 'H', { 0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11 } }, { 'O', { 0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e } },
    { 'L', { 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f } }, { 'D', { 0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e } },
    { 'V', { 0x11, 0x11, 0x11, 0x11, 0x11, 0x0a, 0x04 } }, { 'E', { 0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f } },
    { 'R', { 0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11 } }, { 'A', { 0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11 } },
};

static void glyph(struct bench *b, uint8_t code, const uint8_t *rows)
{
    for (unsigned n = 0; n < 16; n++)
        bench_poke(b, 0xa0000 + code * 32u + n, 1, rows[n]);
}

void vga_load_font(struct bench *b)
{
    uint8_t saved[4] = { vga_indexed(b, 0x3c4, 2), vga_indexed(b, 0x3c4, 4), vga_indexed(b, 0x3ce, 5), vga_indexed(b, 0x3ce, 6) };
    vga_index(b, 0x3c4, 2, 4);
    vga_index(b, 0x3c4, 4, 6);
    vga_index(b, 0x3ce, 5, 0);
    vga_index(b, 0x3ce, 6, 4);
    for (unsigned n = 0; n < ARRAY_SIZE(letters); n++) {
        uint8_t rows[16] = { 0 };
        for (unsigned i = 0; i < 14; i++)
            rows[1 + i] = (uint8_t)(letters[n].rows[i / 2] << 1);
        glyph(b, letters[n].code, rows);
    }
    uint8_t line[16] = { [7] = 0xff, [8] = 0xff }, block[16];
    memset(block, 0xff, sizeof(block));
    glyph(b, 0xc4, line);
    glyph(b, 0xdb, block);
    glyph(b, 0xfe, block);                      /* outside C0h-DFh: no ninth dot */
    vga_index(b, 0x3c4, 2, saved[0]);
    vga_index(b, 0x3c4, 4, saved[1]);
    vga_index(b, 0x3ce, 5, saved[2]);
    vga_index(b, 0x3ce, 6, saved[3]);
}

void vga_print(struct bench *b, unsigned column, unsigned row, uint8_t attribute, const char *text)
{
    for (uint32_t at = 0xb8000 + (row * 80 + column) * 2; *text; text++, at += 2)
        bench_poke(b, at, 2, (unsigned)attribute << 8 | (uint8_t)*text);
}

void vbe_out(struct bench *b, uint16_t index, uint16_t value)
{
    bench_out16(b, 0x1ce, index);
    bench_out16(b, 0x1cf, value);
}

uint16_t vbe_in(struct bench *b, uint16_t index)
{
    bench_out16(b, 0x1ce, index);
    return bench_in16(b, 0x1cf);
}

static void take(void *ui, const uint32_t *xrgb, unsigned stride, struct rect r)
{
    struct screen *s = ui;
    if (r.x + r.w > s->width || r.y + r.h > s->height)
        abort();
    for (unsigned y = 0; y < r.h; y++)
        for (unsigned x = 0; x < r.w; x++)
            s->pixels[(r.y + y) * s->width + r.x + x] = xrgb[y * (size_t)stride + x] & 0xffffff;
    s->lines += r.h;
    s->draws++;
}

void screen_refresh(struct bench *b, struct screen *s, bool whole)
{
    struct display *d = &b->m->display;
    unsigned width, height;
    d->size(d->chip, &width, &height);
    if (width != s->width || height != s->height) {
        free(s->pixels);
        s->pixels = calloc(width * height + 1, sizeof(*s->pixels));
        s->width = width;
        s->height = height;
    }
    s->lines = s->draws = 0;
    d->refresh(d->chip, whole, take, s);
}

uint32_t screen_at(const struct screen *s, unsigned x, unsigned y)
{
    if (x >= s->width || y >= s->height)
        abort();
    return s->pixels[y * s->width + x];
}

static void save(const struct screen *s, const char *path)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = s->width, .height = s->height, .format = PNG_FORMAT_RGB };
    uint8_t *rgb = malloc(s->width * s->height * 3 + 1);
    for (unsigned n = 0; n < s->width * s->height; n++) {
        rgb[3 * n] = (uint8_t)(s->pixels[n] >> 16);
        rgb[3 * n + 1] = (uint8_t)(s->pixels[n] >> 8);
        rgb[3 * n + 2] = (uint8_t)s->pixels[n];
    }
    png_image_write_to_file(&image, path, 0, rgb, 0, NULL);
    free(rgb);
}

uint64_t screen_hash(const struct screen *s, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (unsigned n = 0; n < s->width * s->height; n++)
        for (unsigned shift = 0; shift < 24; shift += 8)
            hash = (hash ^ (s->pixels[n] >> shift & 0xff)) * 0x100000001b3;
    if (getenv("HOLDOVER_PICTURES")) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s.png", getenv("HOLDOVER_PICTURES"), name);
        save(s, path);
    }
    return hash;
}

bool screen_is(const struct screen *s, const char *name, uint64_t hash)
{
    uint64_t has = screen_hash(s, name);
    if (has != hash)
        fprintf(stderr, "picture %s: 0x%016llx\n", name, (unsigned long long)has);
    return has == hash;
}

void screen_free(struct screen *s)
{
    free(s->pixels);
    *s = (struct screen){ 0 };
}
