/* The Bochs display interface: eleven 16-bit registers behind an index at port 1CEh and data at 1CFh (both
 * words, so they overlap) that set a resolution, a depth and a window into a linear frame buffer. The video
 * BIOS of SeaBIOS makes VESA modes of it, and drivers of many systems know it. While it is enabled it takes
 * the picture over from the VGA's registers.
 *
 * References: [BOCHS-VBE] the interface of Bochs' video BIOS, versions B0C0h to B0C5h.
 * Not modelled: 32 KiB bank granularity and separate read and write banks (B0C6h on). */
#include "devices/vga.h"

static unsigned bytes_per_line(const struct vga *v, unsigned width)
{
    unsigned bpp = v->vbe[VBE_BPP] == 15 ? 16 : v->vbe[VBE_BPP];
    return width * bpp / 8;
}

/* Lines of this width that the memory holds. */
static unsigned lines_of(const struct vga *v, unsigned width)
{
    uint64_t lines = v->memory.length / MAX(bytes_per_line(v, width), 1);
    return (unsigned)MIN(lines, UINT16_MAX);
}

static bool depth_exists(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Does the mode that the registers describe exist? */
static bool mode_fits(const struct vga *v)
{
    unsigned x = v->vbe[VBE_XRES], y = v->vbe[VBE_YRES];
    return x >= 8 && y && x <= VBE_MAX_XRES && y <= VBE_MAX_YRES && x % 8 == 0 &&
           depth_exists(v->vbe[VBE_BPP]) && lines_of(v, x) >= y;
}

/* Enabling with NOCLEAR unset clears the screen; the window starts at the top left. */
static void enable(struct vga *v, uint16_t value)
{
    if (!mode_fits(v)) {
        log_device(v->dev, LOG_GUEST, "no mode of %u x %u, %u bits", v->vbe[VBE_XRES], v->vbe[VBE_YRES],
                   v->vbe[VBE_BPP]);
        return;
    }
    v->vbe[VBE_ENABLE] |= VBE_ENABLED;
    v->vbe[VBE_VIRT_WIDTH] = v->vbe[VBE_XRES];
    v->vbe[VBE_VIRT_HEIGHT] = (uint16_t)lines_of(v, v->vbe[VBE_XRES]);
    v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = v->vbe[VBE_BANK] = 0;
    if (!(value & VBE_NOCLEAR))
        memset(v->memory.bytes, 0, (size_t)bytes_per_line(v, v->vbe[VBE_XRES]) * v->vbe[VBE_YRES]);
    vga_redraw(v);
}

/* Colours keep their look when the converter changes between 6 and 8 bits. */
static void dac_width(struct vga *v, bool eight)
{
    for (unsigned n = 0; n < sizeof(v->dac); n++)
        v->dac[n] = eight ? (uint8_t)(v->dac[n] << 2 | v->dac[n] >> 4) : v->dac[n] >> 2;
}

static void enable_write(struct vga *v, uint16_t value)
{
    uint16_t old = v->vbe[VBE_ENABLE];
    uint16_t plain = VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NOCLEAR;
    v->vbe[VBE_ENABLE] = (uint16_t)((old & VBE_ENABLED) | (value & plain));
    if ((old ^ value) & VBE_8BIT_DAC)
        dac_width(v, value & VBE_8BIT_DAC);
    if (!(value & VBE_ENABLED))
        v->vbe[VBE_ENABLE] &= (uint16_t)~VBE_ENABLED;
    else if (!(old & VBE_ENABLED))
        enable(v, value);
    vga_memory_update(v);
}

static void virt_width_write(struct vga *v, uint16_t value)
{
    unsigned width = MAX(value & ~7u, v->vbe[VBE_XRES]);
    if (!vga_vbe_on(v) || lines_of(v, width) < v->vbe[VBE_YRES])
        return;
    v->vbe[VBE_VIRT_WIDTH] = (uint16_t)width;
    v->vbe[VBE_VIRT_HEIGHT] = (uint16_t)lines_of(v, width);
    v->vbe[VBE_X_OFFSET] = v->vbe[VBE_Y_OFFSET] = 0;
}

void vbe_write(struct vga *v, uint16_t value)
{
    switch (v->vbe_index) {
    case VBE_ID:
        if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST)
            v->vbe[VBE_ID] = value;
        break;
    case VBE_XRES: case VBE_YRES: case VBE_BPP:             /* fixed while enabled */
        if (!vga_vbe_on(v))
            v->vbe[v->vbe_index] = v->vbe_index == VBE_BPP && !value ? 8 : value;
        break;
    case VBE_ENABLE: enable_write(v, value); break;
    case VBE_BANK:
        v->vbe[VBE_BANK] = (uint16_t)(value & ((v->memory.length >> 16) - 1));
        vga_memory_update(v);
        break;
    case VBE_VIRT_WIDTH: virt_width_write(v, value); break;
    case VBE_X_OFFSET:
        if (vga_vbe_on(v) && value <= v->vbe[VBE_VIRT_WIDTH] - v->vbe[VBE_XRES])
            v->vbe[VBE_X_OFFSET] = value;
        break;
    case VBE_Y_OFFSET:
        if (vga_vbe_on(v) && value <= v->vbe[VBE_VIRT_HEIGHT] - v->vbe[VBE_YRES])
            v->vbe[VBE_Y_OFFSET] = value;
        break;
    }
}

uint16_t vbe_read(struct vga *v)
{
    if (v->vbe[VBE_ENABLE] & VBE_GETCAPS)
        switch (v->vbe_index) {
        case VBE_XRES: return VBE_MAX_XRES;
        case VBE_YRES: return VBE_MAX_YRES;
        case VBE_BPP: return 32;
        }
    return v->vbe_index < VBE_COUNT ? v->vbe[v->vbe_index] : 0;
}

static uint64_t index_read(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct vga *)chip)->vbe_index;
}

static void index_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    ((struct vga *)chip)->vbe_index = (uint16_t)value;
}

static uint64_t data_read(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return vbe_read(chip);
}

static void data_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    vbe_write(chip, (uint16_t)value);
}

void vbe_map_ports(struct vga *v)
{
    static const struct io_ops index_ops = { index_read, index_write, IO_16 };
    static const struct io_ops data_ops = { data_read, data_write, IO_16 };
    space_map_io(v->dev->machine->ports, 0x1ce, 2, &index_ops, v, 0);
    space_map_io(v->dev->machine->ports, 0x1cf, 2, &data_ops, v, 1);
}

void vbe_reset(struct vga *v)
{
    memset(v->vbe, 0, sizeof(v->vbe));
    v->vbe_index = 0;
    if (!v->has_vbe)
        return;
    v->vbe[VBE_ID] = VBE_ID_LAST;
    v->vbe[VBE_BPP] = 8;
    v->vbe[VBE_MEMORY_64K] = (uint16_t)(v->memory.length >> 16);
}

void vbe_restored(struct vga *v)
{
    v->vbe[VBE_MEMORY_64K] = v->has_vbe ? (uint16_t)(v->memory.length >> 16) : 0;
    v->vbe[VBE_BANK] &= (uint16_t)((v->memory.length >> 16) - 1);
    bool possible = v->has_vbe && mode_fits(v) && v->vbe[VBE_VIRT_WIDTH] >= v->vbe[VBE_XRES] &&
                    v->vbe[VBE_VIRT_HEIGHT] >= v->vbe[VBE_YRES] &&
                    v->vbe[VBE_VIRT_HEIGHT] <= lines_of(v, v->vbe[VBE_VIRT_WIDTH]) &&
                    v->vbe[VBE_X_OFFSET] <= v->vbe[VBE_VIRT_WIDTH] - v->vbe[VBE_XRES] &&
                    v->vbe[VBE_Y_OFFSET] <= v->vbe[VBE_VIRT_HEIGHT] - v->vbe[VBE_YRES];
    if (!possible)
        v->vbe[VBE_ENABLE] &= (uint16_t)~VBE_ENABLED;
}
