/* For display tests: mode register sets, pictures as the display sink draws them, and their checksums. */
#ifndef TESTS_SUPPORT_VGA_BENCH_H
#define TESTS_SUPPORT_VGA_BENCH_H
#include "tests/support/bench.h"

struct vga_registers { uint8_t misc, sequencer[5], crtc[25], graphics[9], attribute[21]; };
extern const struct vga_registers vga_mode_03, vga_mode_04, vga_mode_06, vga_mode_07, vga_mode_0d, vga_mode_12, vga_mode_13,
                                  vga_mode_x;
void vga_set_mode(struct bench *, const struct vga_registers *);        /* also colours, and a frame's time passes */
void vga_set_colours(struct bench *);                                   /* 64 EGA colours, then a colour cube */
void vga_load_font(struct bench *);                                     /* a few letters and shapes, for map 0 */
void vga_print(struct bench *, unsigned column, unsigned row, uint8_t attribute, const char *text);    /* B8000h, 80 columns */

void vga_index(struct bench *, uint16_t port, uint8_t index, uint8_t value);
uint8_t vga_indexed(struct bench *, uint16_t port, uint8_t index);
void vga_attribute(struct bench *, uint8_t index, uint8_t value);
void vbe_out(struct bench *, uint16_t index, uint16_t value);
uint16_t vbe_in(struct bench *, uint16_t index);

struct screen { uint32_t *pixels; unsigned width, height, lines, draws; };      /* lines: drawn by the last refresh */
void screen_refresh(struct bench *, struct screen *, bool whole);
uint32_t screen_at(const struct screen *, unsigned x, unsigned y);
/* FNV-1a of the picture. With HOLDOVER_PICTURES=DIR in the environment it is also written to DIR/name.png, to be looked at. */
uint64_t screen_hash(const struct screen *, const char *name);
bool screen_is(const struct screen *, const char *name, uint64_t hash);     /* false: the hash that it has is printed */
void screen_free(struct screen *);

#endif
