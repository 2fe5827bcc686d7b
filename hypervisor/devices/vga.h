/* The VGA, private to the files vga*.c, bochs_*.c: registers and timing (vga.c), memory path (vga_memory.c),
 * pictures (vga_draw.c), and the Bochs display interface (vga_vbe.c). A card embeds struct vga, lists
 * VGA_STATE, and calls vga_init and vga_reset; cards differ in how much memory they have and where else it
 * can be seen. */
#ifndef DEVICES_VGA_H
#define DEVICES_VGA_H
#include "core/machine.h"

/* Sequencer [VGA-TRM, 2-42] */
enum { SR_RESET, SR_CLOCKING, SR_MAP_MASK, SR_CHARACTER_MAP, SR_MEMORY_MODE, SR_COUNT };
enum { SR_CLOCKING_8DOT = 1, SR_CLOCKING_HALF = 8, SR_CLOCKING_OFF = 0x20,
       SR_MEMORY_EXTENDED = 2, SR_MEMORY_SEQUENTIAL = 4, SR_MEMORY_CHAIN4 = 8 };
/* CRT controller [VGA-TRM, 2-55] */
enum { CR_HTOTAL, CR_HDISPLAY, CR_HBLANK_START, CR_HBLANK_END, CR_HSYNC_START, CR_HSYNC_END, CR_VTOTAL, CR_OVERFLOW,
       CR_PRESET_ROW, CR_MAX_SCAN, CR_CURSOR_START, CR_CURSOR_END, CR_START_HIGH, CR_START_LOW, CR_CURSOR_HIGH,
       CR_CURSOR_LOW, CR_VSYNC_START, CR_VSYNC_END, CR_VDISPLAY, CR_OFFSET, CR_UNDERLINE, CR_VBLANK_START,
       CR_VBLANK_END, CR_MODE, CR_LINE_COMPARE, CR_COUNT,
       CR_LATCH = 0x22, CR_FLIP_FLOP = 0x24, CR_ATTRIBUTE_INDEX = 0x26 };   /* the last three: IBM's test registers */
enum { CR_VSYNC_END_CLEAR = 0x10, CR_VSYNC_END_MASK = 0x20, CR_VSYNC_END_PROTECT = 0x80,    /* clear: active low */
       CR_MODE_ROW0 = 1, CR_MODE_ROW1 = 2, CR_MODE_COUNT2 = 8, CR_MODE_WRAP = 0x20, CR_MODE_BYTE = 0x40,
       CR_MODE_RUN = 0x80, CR_UNDERLINE_COUNT4 = 0x20, CR_UNDERLINE_DWORD = 0x40 };
/* Graphics controller [VGA-TRM, 2-78] */
enum { GR_SET_RESET, GR_ENABLE_SET_RESET, GR_COMPARE, GR_ROTATE, GR_READ_MAP, GR_MODE, GR_MISC, GR_DONT_CARE,
       GR_BIT_MASK, GR_COUNT };
enum { GR_MODE_WRITE = 3, GR_MODE_READ = 8, GR_MODE_ODD_EVEN = 0x10, GR_MODE_INTERLEAVE = 0x20, GR_MODE_256 = 0x40,
       GR_MISC_GRAPHICS = 1, GR_MISC_ODD_EVEN = 2 };
/* Attribute controller [VGA-TRM, 2-89] */
enum { AR_MODE = 0x10, AR_OVERSCAN, AR_PLANES, AR_PANNING, AR_COLOUR_SELECT, AR_COUNT };
enum { AR_MODE_GRAPHICS = 1, AR_MODE_LINE_GRAPHICS = 4, AR_MODE_BLINK = 8, AR_MODE_SPLIT_PAN = 0x20,
       AR_MODE_256 = 0x40, AR_MODE_P54S = 0x80, AR_INDEX_SCREEN = 0x20 };
/* General registers [VGA-TRM, 2-40] */
enum { MISC_COLOUR = 1, MISC_RAM = 2, MISC_PAGE = 0x20, STATUS0_SENSE = 0x10, STATUS0_IRQ = 0x80,
       STATUS1_BLANK = 1, STATUS1_RETRACE = 8 };

/* The Bochs display interface [BOCHS-VBE] */
enum { VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT, VBE_X_OFFSET,
       VBE_Y_OFFSET, VBE_MEMORY_64K, VBE_COUNT };
enum { VBE_ENABLED = 1, VBE_GETCAPS = 2, VBE_8BIT_DAC = 0x20, VBE_LFB = 0x40, VBE_NOCLEAR = 0x80,
       VBE_ID_FIRST = 0xb0c0, VBE_ID_LAST = 0xb0c5, VBE_MAX_XRES = 2560, VBE_MAX_YRES = 1600 };

enum { VGA_PLANE_SIZE = 0x10000,                /* bytes a plane of the IBM VGA */
       VGA_DIRTY_SHIFT = 10,                    /* a unit of change is 1 KiB of memory: 256 bytes of each plane */
       VGA_SHADOW_ROWS = 256, VGA_SHADOW_COLUMNS = 256,
       VGA_PICTURE_PIXELS = 4096 * 1200 };

/* How memory becomes a picture. */
enum vga_kind { VGA_BLANK, VGA_TEXT, VGA_PLANAR, VGA_INTERLEAVED, VGA_NIBBLES, VGA_BYTES,
                VBE_PLANAR, VBE_8, VBE_15, VBE_16, VBE_24, VBE_32 };
/* All that shapes the picture but memory and colours; compared as bytes to see whether it changed. */
struct vga_mode {
    uint8_t kind, dots, repeat, max_scan, doubled, preset, pan, byte_pan, split_pan, crtc_mode, underline, attribute_mode,
            character_map, memory_mode, count_shift, blink;
    uint16_t columns, width, height, start, offset, line_compare;
    uint32_t vbe_start, vbe_stride;             /* bytes of memory; bytes of a plane when planar */
};

/* The CRT controller's programmed timing, in character clocks and lines. */
struct vga_timing {
    int64_t clock, dots;                        /* dot clock in Hz, dots a character */
    uint32_t htotal, hdisplay, vtotal, vdisplay, vsync_start, vsync_end;
};

struct vga {
    struct device *dev;
    struct wire irq;                            /* output: vertical retrace (IRQ 9 where it is wired) */
    /* registers, named as in the technical reference */
    uint8_t misc, feature, enable;
    uint8_t sequencer_index, sequencer[SR_COUNT];
    uint8_t crtc_index, crtc[CR_COUNT];
    uint8_t graphics_index, graphics[GR_COUNT];
    uint8_t attribute_index, attribute[AR_COUNT];
    bool attribute_data;                        /* the flip-flop: the next write goes to data */
    uint8_t pel_mask, dac_write, dac_read, dac_state, dac_component, dac_latch[3], dac[768];
    uint32_t latch;                             /* plane n in byte n */
    uint16_t start;                             /* start address in use: taken from the registers at vertical retrace */
    bool start_waits, retrace_pending;
    int64_t start_at;                           /* when it is taken */
    struct timer retrace;                       /* the interrupt, only while the guest has it enabled */
    uint16_t vbe[VBE_COUNT], vbe_index;
    struct state_bytes memory;                  /* four planes: byte n of plane p at n * 4 + p */
    /* derived and host-side */
    bool has_vbe;
    uint32_t *words;                            /* memory, a word for the four planes' bytes */
    uint32_t map_mask, set_reset, enable_set_reset, bit_mask, compare, care;    /* expanded to words */
    uint32_t plane_limit, bank;                 /* of the CPU's window */
    struct region *window, *linear, *mono_crtc, *mono_status, *colour_crtc, *colour_status;
    uint8_t *dirty;                             /* a byte per unit of memory */
    bool touched, fonts_changed, shown_valid;
    struct vga_mode shown;                      /* what refresh drew last */
    uint32_t shown_colours[256];
    uint32_t *shadow;                           /* text cells as drawn */
    uint32_t *picture;
    struct display display;
};

/* memory: bytes of video memory, a power of two of at least 256 KiB. */
bool vga_init(struct vga *, struct device *, uint64_t memory, bool vbe, struct error *);
void vga_reset(struct vga *, enum reset_kind);
void vga_restored(struct vga *);
void vga_free(struct vga *);
extern const struct state_field vga_state[];
#define VGA_STATE(T, m) FIELD_STRUCT(T, m, vga_state)
/* Reads a ROM image into 64 KiB that the caller frees; *size is rounded up to a power of two. name NULL or
 * "": no ROM. */
bool vga_rom_load(const char *name, uint8_t **bytes, uint32_t *size, struct error *);

/* The general ports 3B0h-3DFh, also as seen through a memory window. */
uint64_t vga_port_read(struct vga *, uint16_t port);
void vga_port_write(struct vga *, uint16_t port, uint8_t value);
struct vga_timing vga_timing(const struct vga *);
int64_t vga_clocks(const struct vga *, const struct vga_timing *);      /* character clocks since power-on */
int64_t vga_frame(const struct vga *);                                  /* pictures since power-on: blinking */
void vga_start_update(struct vga *);            /* takes a new start address if a retrace has passed */
static inline bool vga_vbe_on(const struct vga *v) { return v->vbe[VBE_ENABLE] & VBE_ENABLED; }

extern const struct io_ops vga_memory_ops;
void vga_memory_update(struct vga *);           /* registers that steer the memory path changed */

void vga_draw_init(struct vga *);               /* fills display */
void vga_redraw(struct vga *);                  /* forget what was shown */

uint16_t vbe_read(struct vga *);                /* of the register that vbe_index selects */
void vbe_write(struct vga *, uint16_t value);
void vbe_reset(struct vga *);
void vbe_restored(struct vga *);                 /* a mode that cannot be is switched off */
void vbe_map_ports(struct vga *);

#endif
