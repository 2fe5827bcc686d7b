/* The IBM VGA: the registers of its general logic, sequencer, CRT controller, graphics controller, attribute
 * controller and digital-to-analogue converter, its timing, and the plain card on the ISA bus. The register
 * file follows the chapter "Video Subsystem" of the technical reference; the memory path is vga_memory.c,
 * the pictures are vga_draw.c.
 *
 * A PC wires it so: ports 3B0h-3BBh (monochrome) or 3D0h-3DFh (colour), 3C0h-3CFh; memory A0000h-BFFFFh; the
 * retrace interrupt on IRQ 9, if at all.
 *
 * References: [VGA-TRM] Video Subsystem; [FREEVGA] for the flip-flop, the DAC's sequences and the latching
 * of the start address; [INTEL-GFX] for the sense of the page bit.
 * Not modelled: the border (overscan) around the picture; register changes in the middle of a picture (they
 * show in the next one); the light pen; the diagnostic bits of input status 1; the shift-load modes of 16
 * and 32 dots; skews. */
#include "devices/vga.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct vga_card {
    struct device dev;
    struct vga vga;
    char *romfile;
    uint8_t *rom;
};

/* --- timing: everything follows from guest time and the registers --------------------------------------- */

static unsigned vertical(const struct vga *v, unsigned reg, unsigned bit8, unsigned bit9)
{
    return v->crtc[reg] | (v->crtc[CR_OVERFLOW] >> bit8 & 1) << 8 | (v->crtc[CR_OVERFLOW] >> bit9 & 1) << 9;
}

struct vga_timing vga_timing(const struct vga *v)
{
    struct vga_timing t = { .clock = (v->misc >> 2 & 3) == 1 ? 28322000 : 25175000,
                            .dots = v->sequencer[SR_CLOCKING] & SR_CLOCKING_8DOT ? 8 : 9 };
    uint32_t x = v->vbe[VBE_XRES], y = v->vbe[VBE_YRES];
    if (vga_vbe_on(v))                          /* 60 pictures a second, with an ordinary monitor's margins */
        return (struct vga_timing){ .clock = 60ll * (x + 160) * (y + 45), .dots = 1, .htotal = x + 160, .hdisplay = x,
            .vtotal = y + 45, .vdisplay = y, .vsync_start = y + 10, .vsync_end = y + 12 };
    if (v->sequencer[SR_CLOCKING] & SR_CLOCKING_HALF)
        t.dots *= 2;
    t.htotal = v->crtc[CR_HTOTAL] + 5u;
    t.hdisplay = v->crtc[CR_HDISPLAY] + 1u;
    t.vtotal = vertical(v, CR_VTOTAL, 0, 5) + 2;
    t.vdisplay = vertical(v, CR_VDISPLAY, 1, 6) + 1;
    t.vsync_start = vertical(v, CR_VSYNC_START, 2, 7);
    if (t.vsync_start >= t.vtotal)              /* never reached: taken as the last line, so that waiting ends */
        t.vsync_start = t.vtotal - 1;
    /* the end is given by its low four bits [VGA-TRM, Vertical Retrace End] */
    t.vsync_end = t.vsync_start + ((v->crtc[CR_VSYNC_END] - t.vsync_start - 1) & 15) + 1;
    return t;
}

int64_t vga_clocks(const struct vga *v, const struct vga_timing *t)
{
    return muldiv(clock_now(&v->dev->machine->clock), t->clock, t->dots * NS_PER_S);
}

int64_t vga_frame(const struct vga *v)
{
    struct vga_timing t = vga_timing(v);
    return vga_clocks(v, &t) / ((int64_t)t.htotal * t.vtotal);
}

/* The guest time at which the next vertical retrace begins: the end of the displayed picture for all that is
 * latched. */
static int64_t next_retrace(const struct vga *v)
{
    struct vga_timing t = vga_timing(v);
    int64_t frame = (int64_t)t.htotal * t.vtotal, clocks = vga_clocks(v, &t);
    int64_t at = clocks / frame * frame + (int64_t)t.htotal * t.vsync_start;
    if (at <= clocks)
        at += frame;
    return muldiv(at, t.dots * NS_PER_S, t.clock) + 1;
}

static uint8_t input_status1(const struct vga *v)
{
    struct vga_timing t = vga_timing(v);
    int64_t clocks = vga_clocks(v, &t) % ((int64_t)t.htotal * t.vtotal);
    uint32_t line = (uint32_t)(clocks / t.htotal), column = (uint32_t)(clocks % t.htotal);
    bool retrace = line >= t.vsync_start ? line < t.vsync_end : line + t.vtotal < t.vsync_end;
    bool blank = line >= t.vdisplay || column >= t.hdisplay;
    return (uint8_t)((blank ? STATUS1_BLANK : 0) | (retrace ? STATUS1_RETRACE : 0));
}

/* The address counter is loaded from the start address registers at vertical retrace, so writes between show
 * in the next picture, and a pair of writes that a retrace tears apart shows torn [FREEVGA, Start Address] */
void vga_start_update(struct vga *v)
{
    if (!v->start_waits || clock_now(&v->dev->machine->clock) < v->start_at)
        return;
    v->start = (uint16_t)(v->crtc[CR_START_HIGH] << 8 | v->crtc[CR_START_LOW]);
    v->start_waits = false;
}

static void vga_update_irq(struct vga *v)
{
    wire_set(&v->irq, v->retrace_pending);
}

/* Enabled and not held clear, the next retrace sets the interrupt [VGA-TRM, Vertical Retrace End, bits 4 and
 * 5] */
static void retrace_arm(struct vga *v)
{
    uint8_t end = v->crtc[CR_VSYNC_END];
    if (!(end & CR_VSYNC_END_CLEAR))
        v->retrace_pending = false;
    if (!(end & CR_VSYNC_END_MASK) && (end & CR_VSYNC_END_CLEAR) && !v->retrace_pending)
        timer_at(&v->dev->machine->clock, &v->retrace, next_retrace(v));
    else
        timer_stop(&v->dev->machine->clock, &v->retrace);
    vga_update_irq(v);
}

/* --- reads ---------------------------------------------------------------------------------------------- */

static uint8_t crtc_read(const struct vga *v)
{
    switch (v->crtc_index) {
    case CR_LATCH: return (uint8_t)(v->latch >> 8 * (v->graphics[GR_READ_MAP] & 3));
    case CR_FLIP_FLOP: return (uint8_t)(v->attribute_data << 7);
    case CR_ATTRIBUTE_INDEX: return v->attribute_index;
    default: return v->crtc_index < CR_COUNT ? v->crtc[v->crtc_index] : 0;
    }
}

/* Three reads a colour; the read index has already moved on [VGA-TRM, Video DAC] */
static uint8_t dac_read(struct vga *v)
{
    uint8_t value = v->dac[v->dac_read * 3 + v->dac_component];
    if (++v->dac_component == 3) {
        v->dac_component = 0;
        v->dac_read++;
    }
    return value;
}

uint64_t vga_port_read(struct vga *v, uint16_t port)
{
    if (!(v->enable & 1) && port != 0x3c3)
        return 0xff;
    switch (port) {
    case 0x3c0: return v->attribute_index;
    case 0x3c1: return (v->attribute_index & 31) < AR_COUNT ? v->attribute[v->attribute_index & 31] : 0;
    case 0x3c2: return STATUS0_SENSE | (v->retrace_pending ? STATUS0_IRQ : 0);
    case 0x3c3: return v->enable;
    case 0x3c4: return v->sequencer_index;
    case 0x3c5: return v->sequencer_index < SR_COUNT ? v->sequencer[v->sequencer_index] : 0;
    case 0x3c6: return v->pel_mask;
    case 0x3c7: return v->dac_state;
    case 0x3c8: return v->dac_write;
    case 0x3c9: return dac_read(v);
    case 0x3ca: return v->feature;
    case 0x3cc: return v->misc;
    case 0x3ce: return v->graphics_index;
    case 0x3cf: return v->graphics_index < GR_COUNT ? v->graphics[v->graphics_index] : 0;
    case 0x3b4: case 0x3d4: return v->crtc_index;
    case 0x3b5: case 0x3d5: return crtc_read(v);
    case 0x3ba: case 0x3da:
        v->attribute_data = false;              /* a read sets the flip-flop to index [VGA-TRM] */
        return input_status1(v);
    default: return 0xff;
    }
}

/* --- writes --------------------------------------------------------------------------------------------- */

static void map_ports(struct vga *v)
{
    bool colour = v->misc & MISC_COLOUR;
    region_enable(v->mono_crtc, !colour);
    region_enable(v->mono_status, !colour);
    region_enable(v->colour_crtc, colour);
    region_enable(v->colour_status, colour);
}

static void sequencer_write(struct vga *v, uint8_t value)
{
    static const uint8_t bits[SR_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
    if (v->sequencer_index >= SR_COUNT)
        return;
    v->sequencer[v->sequencer_index] = value & bits[v->sequencer_index];
    vga_memory_update(v);
}

static void graphics_write(struct vga *v, uint8_t value)
{
    static const uint8_t bits[GR_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
    if (v->graphics_index >= GR_COUNT)
        return;
    v->graphics[v->graphics_index] = value & bits[v->graphics_index];
    vga_memory_update(v);
}

static void crtc_write(struct vga *v, uint8_t value)
{
    unsigned reg = v->crtc_index;
    if (reg >= CR_COUNT)
        return;
    if (reg <= CR_OVERFLOW && (v->crtc[CR_VSYNC_END] & CR_VSYNC_END_PROTECT)) {
        if (reg == CR_OVERFLOW)                 /* but for line compare bit 8 [VGA-TRM, Vertical Retrace End] */
            v->crtc[reg] = (v->crtc[reg] & ~0x10) | (value & 0x10);
        return;
    }
    if (reg == CR_START_HIGH || reg == CR_START_LOW)
        vga_start_update(v);
    v->crtc[reg] = value;
    if ((reg == CR_START_HIGH || reg == CR_START_LOW) && !v->start_waits) {
        v->start_waits = true;
        v->start_at = next_retrace(v);
    }
    if (reg == CR_VSYNC_END)
        retrace_arm(v);
}

static void attribute_write(struct vga *v, uint8_t value)
{
    static const uint8_t bits[AR_COUNT - 16] = { 0xef, 0xff, 0x3f, 0x0f, 0x0f };
    unsigned reg = v->attribute_index & 31;
    if (!v->attribute_data)
        v->attribute_index = value & 0x3f;
    else if (reg < 16)                          /* also while the screen is on, as later chips allow */
        v->attribute[reg] = value & 0x3f;
    else if (reg < AR_COUNT)
        v->attribute[reg] = value & bits[reg - 16];
    v->attribute_data = !v->attribute_data;
}

/* The three bytes are held and go to the colour together [VGA-TRM, Video DAC] */
static void dac_write(struct vga *v, uint8_t value)
{
    uint8_t mask = v->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? 0xff : 0x3f;
    v->dac_latch[v->dac_component] = value & mask;
    if (++v->dac_component < 3)
        return;
    memcpy(v->dac + v->dac_write * 3, v->dac_latch, 3);
    v->dac_component = 0;
    v->dac_write++;
}

static void misc_write(struct vga *v, uint8_t value)
{
    v->misc = value & 0xef;
    map_ports(v);
    vga_memory_update(v);
}

void vga_port_write(struct vga *v, uint16_t port, uint8_t value)
{
    if (!(v->enable & 1) && port != 0x3c3)
        return;
    switch (port) {
    case 0x3c0: case 0x3c1: attribute_write(v, value); break;
    case 0x3c2: misc_write(v, value); break;
    case 0x3c3: v->enable = value & 1; vga_memory_update(v); break;
    case 0x3c4: v->sequencer_index = value & 7; break;
    case 0x3c5: sequencer_write(v, value); break;
    case 0x3c6: v->pel_mask = value; break;
    case 0x3c7: v->dac_read = value; v->dac_state = 3; v->dac_component = 0; break;
    case 0x3c8: v->dac_write = value; v->dac_state = 0; v->dac_component = 0; break;
    case 0x3c9: dac_write(v, value); break;
    case 0x3ce: v->graphics_index = value & 15; break;
    case 0x3cf: graphics_write(v, value); break;
    case 0x3b4: case 0x3d4: v->crtc_index = value & 0x3f; break;
    case 0x3b5: case 0x3d5: crtc_write(v, value); break;
    case 0x3ba: case 0x3da: v->feature = value & 3; break;
    }
}

/* --- ports ---------------------------------------------------------------------------------------------- */

/* One range of ports for each pair of functions: a region's offset says nothing of its base. */
#define PORT_RANGE(base) \
    static uint64_t read_##base(void *chip, uint64_t offset, unsigned size) \
    { (void)size; return vga_port_read(chip, (uint16_t)(0x##base + offset)); } \
    static void write_##base(void *chip, uint64_t offset, unsigned size, uint64_t value) \
    { (void)size; vga_port_write(chip, (uint16_t)(0x##base + offset), (uint8_t)value); } \
    static const struct io_ops ops_##base = { read_##base, write_##base, IO_8 };
PORT_RANGE(3b4)
PORT_RANGE(3ba)
PORT_RANGE(3c0)
PORT_RANGE(3d4)
PORT_RANGE(3da)

/* --- timers --------------------------------------------------------------------------------------------- */

static void retrace_fire(void *chip)
{
    struct vga *v = chip;
    v->retrace_pending = true;
    vga_update_irq(v);
}

/* --- init, reset, state --------------------------------------------------------------------------------- */

bool vga_init(struct vga *v, struct device *dev, uint64_t memory, bool vbe, struct error *err)
{
    struct machine *m = dev->machine;
    if (memory < 0x40000 || memory > 0x4000000 || !is_power_of_two(memory))
        return error_set(err, EINVAL, "%s: video memory must be a power of two from 256K to 64M", dev->id);
    v->dev = dev;
    v->has_vbe = vbe;
    v->memory.length = memory;
    /* also a region of guest memory: whole pages. The host gives those that are used. */
    void *bytes = mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    v->memory.bytes = bytes == MAP_FAILED ? NULL : bytes;
    v->words = (uint32_t *)v->memory.bytes;
    v->dirty = calloc(1, memory >> VGA_DIRTY_SHIFT);
    v->shadow = calloc(VGA_SHADOW_ROWS * VGA_SHADOW_COLUMNS, sizeof(*v->shadow));
    v->picture = calloc(VGA_PICTURE_PIXELS, sizeof(*v->picture));
    if (!v->memory.bytes || !v->dirty || !v->shadow || !v->picture) {
        vga_free(v);
        return error_set(err, ENOMEM, "%s: there is not enough memory for the display", dev->id);
    }
    timer_init(&v->retrace, retrace_fire, v);
    v->mono_crtc = space_map_io(m->ports, 0x3b4, 2, &ops_3b4, v, 0);
    v->mono_status = space_map_io(m->ports, 0x3ba, 1, &ops_3ba, v, 0);
    space_map_io(m->ports, 0x3c0, 16, &ops_3c0, v, 0);
    v->colour_crtc = space_map_io(m->ports, 0x3d4, 2, &ops_3d4, v, 0);
    v->colour_status = space_map_io(m->ports, 0x3da, 1, &ops_3da, v, 0);
    v->window = space_map_io(m->memory, 0xa0000, 0x20000, &vga_memory_ops, v, 1);
    if (vbe)
        vbe_map_ports(v);
    vga_draw_init(v);
    m->display = v->display;
    if (m->host && m->host->display_added)
        m->host->display_added(m->host->ui, &m->display);
    return true;
}

/* Reset clears the registers; the video BIOS programs them. Colours and memory survive all but power-on
 * [VGA-TRM] */
void vga_reset(struct vga *v, enum reset_kind kind)
{
    v->misc = v->feature = 0;
    v->enable = 1;                              /* port 3C3h of an adapter starts enabled */
    v->sequencer_index = v->crtc_index = v->graphics_index = v->attribute_index = 0;
    memset(v->sequencer, 0, sizeof(v->sequencer));
    memset(v->crtc, 0, sizeof(v->crtc));
    memset(v->graphics, 0, sizeof(v->graphics));
    memset(v->attribute, 0, sizeof(v->attribute));
    v->attribute_data = v->start_waits = v->retrace_pending = false;
    v->pel_mask = 0xff;
    v->dac_write = v->dac_read = v->dac_state = v->dac_component = 0;
    v->latch = 0;
    v->start = 0;
    v->start_at = 0;
    timer_stop(&v->dev->machine->clock, &v->retrace);
    if (kind == RESET_POWER) {
        memset(v->dac, 0, sizeof(v->dac));
        memset(v->dac_latch, 0, sizeof(v->dac_latch));
        madvise(v->memory.bytes, v->memory.length, MADV_DONTNEED);      /* zeros, until they are written */
    }
    vbe_reset(v);
    map_ports(v);
    vga_memory_update(v);
    vga_update_irq(v);
    vga_redraw(v);
}

/* A hostile state may hold what no write lets in: everything that indexes is bounded again. */
void vga_restored(struct vga *v)
{
    v->dac_component %= 3;
    v->crtc_index &= 0x3f;
    v->sequencer_index &= 7;
    v->graphics_index &= 15;
    v->attribute_index &= 0x3f;
    vbe_restored(v);
    map_ports(v);
    vga_memory_update(v);
    vga_redraw(v);
}

void vga_free(struct vga *v)
{
    if (v->memory.bytes)
        munmap(v->memory.bytes, v->memory.length);
    free(v->dirty);
    free(v->shadow);
    free(v->picture);
}

bool vga_rom_load(const char *name, uint8_t **bytes, uint32_t *size, struct error *err)
{
    *bytes = NULL;
    *size = 0;
    if (!name || !name[0])
        return true;
    FILE *file = fopen(name, "rb");
    if (!file)
        return error_set(err, EINVAL, "cannot open the video BIOS %s; the package seabios has it", name);
    uint8_t *rom = aligned_alloc(4096, 0x10000);
    size_t length = 0;
    if (rom) {
        memset(rom, 0xff, 0x10000);
        length = fread(rom, 1, 0x10000, file);
    }
    bool whole = rom && length >= 512 && getc(file) == EOF && rom[0] == 0x55 && rom[1] == 0xaa;
    fclose(file);
    if (!whole) {
        free(rom);
        return error_set(err, EINVAL, "%s is not a video BIOS of up to 64 KiB", name);
    }
    *bytes = rom;
    *size = 0x1000;
    while (*size < length)
        *size *= 2;
    return true;
}

const struct state_field vga_state[] = {
    FIELD(struct vga, misc), FIELD(struct vga, feature), FIELD(struct vga, enable),
    FIELD(struct vga, sequencer_index), FIELD_ARRAY(struct vga, sequencer),
    FIELD(struct vga, crtc_index), FIELD_ARRAY(struct vga, crtc),
    FIELD(struct vga, graphics_index), FIELD_ARRAY(struct vga, graphics),
    FIELD(struct vga, attribute_index), FIELD_ARRAY(struct vga, attribute), FIELD(struct vga, attribute_data),
    FIELD(struct vga, pel_mask), FIELD(struct vga, dac_write), FIELD(struct vga, dac_read),
    FIELD(struct vga, dac_state), FIELD(struct vga, dac_component), FIELD_ARRAY(struct vga, dac_latch), FIELD_ARRAY(struct vga, dac),
    FIELD(struct vga, latch), FIELD(struct vga, start), FIELD(struct vga, start_waits),
    FIELD(struct vga, start_at), FIELD(struct vga, retrace_pending), FIELD(struct vga, retrace),
    FIELD_ARRAY(struct vga, vbe), FIELD(struct vga, vbe_index), FIELD_BYTES(struct vga, memory), END
};

/* --- the card on the ISA bus ---------------------------------------------------------------------------- */

static bool card_init(struct device *dev, struct error *err)
{
    struct vga_card *c = container_of(dev, struct vga_card, dev);
    uint32_t size;
    if (!vga_rom_load(c->romfile, &c->rom, &size, err))
        return false;
    if (!vga_init(&c->vga, dev, 0x40000, false, err)) {
        free(c->rom);
        return false;
    }
    if (c->rom)
        space_map_ram(dev->machine->memory, 0xc0000, size, c->rom, 0, 1);
    return true;
}

static void card_reset(struct device *dev, enum reset_kind kind)
{
    vga_reset(&container_of(dev, struct vga_card, dev)->vga, kind);
}

static bool card_restored(struct device *dev)
{
    vga_restored(&container_of(dev, struct vga_card, dev)->vga);
    return true;
}

static void card_free(struct device *dev)
{
    struct vga_card *c = container_of(dev, struct vga_card, dev);
    vga_free(&c->vga);
    free(c->rom);
}

static const struct state_field card_state[] = { VGA_STATE(struct vga_card, vga), END };
static const struct property card_properties[] = {
    PROPERTY(struct vga_card, romfile, "", "file of the video BIOS, mapped at C0000h; empty: none"), END
};
static const struct pin card_outputs[] = { { "irq", offsetof(struct vga_card, vga.irq), 1 }, { 0 } };
const struct device_class vga_class = {
    .name = "vga", .summary = "IBM VGA on the ISA bus, 256 KiB", .size = sizeof(struct vga_card),
    .properties = card_properties, .outputs = card_outputs, .state = card_state, .state_version = 1,
    .init = card_init, .reset = card_reset, .restored = card_restored, .free = card_free,
};
