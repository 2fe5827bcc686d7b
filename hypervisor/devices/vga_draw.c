/* Pictures from the VGA's memory, line by line as the CRT controller walks it: a memory address counter that
 * starts at the start address and moves by the offset register every character row, a row scan counter
 * inside the row, and the line compare register that sends the address back to 0 (split screen). The counter
 * reaches memory as bytes, words or double words.
 *
 * A picture has the dots that the tube shows: 720 x 400 in text mode, 640 x 400 in mode 13h with each pixel
 * two dots wide and two lines high. refresh draws only what changed: text rows whose cells differ from those
 * drawn last, and graphics lines that lie in memory written since. What shapes the picture otherwise (struct
 * vga_mode, the colours) is derived from the registers at each refresh and compared as a whole.
 *
 * References: [VGA-TRM] CRT controller, attribute controller, display memory; [FREEVGA] split screen,
 * panning.
 * Not modelled: see vga.c. Drawing everything (`whole`) forgets nothing, so only one caller may ask for
 * changes. */
#include "devices/vga.h"

enum { LINE_DOTS = VBE_MAX_XRES + 16, CELL_CURSOR = 1 << 16, CELL_HIDDEN = 1 << 17, CELL_DRAWN = 1 << 28 };

/* --- what the registers describe ------------------------------------------------------------------------ */

static bool screen_off(const struct vga *v)
{
    return (v->sequencer[SR_RESET] & 3) != 3 || (v->sequencer[SR_CLOCKING] & SR_CLOCKING_OFF) ||
           !(v->attribute_index & AR_INDEX_SCREEN) || !(v->enable & 1);
}

static void vbe_mode(const struct vga *v, struct vga_mode *m)
{
    unsigned bpp = v->vbe[VBE_BPP], x = v->vbe[VBE_X_OFFSET], width = v->vbe[VBE_VIRT_WIDTH];
    unsigned bytes = (bpp + 7) / 8;
    static const uint8_t kinds[33] = { [4] = VBE_PLANAR, [8] = VBE_8, [15] = VBE_15, [16] = VBE_16, [24] = VBE_24,
                                       [32] = VBE_32 };
    m->kind = kinds[bpp];                       /* one of these while the interface is enabled */
    m->width = v->vbe[VBE_XRES];
    m->height = v->vbe[VBE_YRES];
    m->repeat = 1;
    m->columns = m->width / 8;
    m->vbe_stride = bpp == 4 ? width / 8 : width * bytes;
    m->vbe_start = v->vbe[VBE_Y_OFFSET] * m->vbe_stride + (bpp == 4 ? x / 8 : x * bytes);
    m->pan = bpp == 4 ? x & 7 : 0;
}

static uint8_t pixel_kind(const struct vga *v)
{
    if (!(v->graphics[GR_MISC] & GR_MISC_GRAPHICS) && !(v->attribute[AR_MODE] & AR_MODE_GRAPHICS))
        return VGA_TEXT;
    if (v->graphics[GR_MODE] & GR_MODE_256)
        return v->attribute[AR_MODE] & AR_MODE_256 ? VGA_BYTES : VGA_NIBBLES;
    return v->graphics[GR_MODE] & GR_MODE_INTERLEAVE ? VGA_INTERLEAVED : VGA_PLANAR;
}

/* Nine-dot characters pan by 1 to 8 dots and stand still at 8 [VGA-TRM, Horizontal PEL Panning] */
static uint8_t panning(const struct vga *v, const struct vga_mode *m)
{
    uint8_t pan = v->attribute[AR_PANNING];
    return m->dots == 9 ? (pan & 8 ? 0 : pan + 1) : pan & 7;
}

static void vga_registers_mode(const struct vga *v, struct vga_mode *m)
{
    const uint8_t *cr = v->crtc;
    struct vga_timing t = vga_timing(v);
    m->kind = pixel_kind(v);
    m->dots = m->kind == VGA_TEXT && !(v->sequencer[SR_CLOCKING] & SR_CLOCKING_8DOT) ? 9 : 8;
    m->repeat = v->sequencer[SR_CLOCKING] & SR_CLOCKING_HALF ? 2 : 1;
    m->columns = (uint16_t)t.hdisplay;
    m->width = (uint16_t)(m->columns * m->dots * m->repeat);
    m->height = (uint16_t)t.vdisplay;
    m->max_scan = cr[CR_MAX_SCAN] & 31;
    m->doubled = cr[CR_MAX_SCAN] >> 7;
    m->preset = cr[CR_PRESET_ROW] & 31;
    m->byte_pan = cr[CR_PRESET_ROW] >> 5 & 3;
    m->pan = panning(v, m);
    m->split_pan = (v->attribute[AR_MODE] & AR_MODE_SPLIT_PAN) != 0;
    m->crtc_mode = cr[CR_MODE];
    m->underline = cr[CR_UNDERLINE];
    m->attribute_mode = v->attribute[AR_MODE];
    m->character_map = v->sequencer[SR_CHARACTER_MAP];
    m->memory_mode = v->sequencer[SR_MEMORY_MODE];
    m->count_shift = cr[CR_UNDERLINE] & CR_UNDERLINE_COUNT4 ? 2 : cr[CR_MODE] & CR_MODE_COUNT2 ? 1 : 0;
    m->start = v->start;
    m->offset = cr[CR_OFFSET] * 2;
    m->line_compare = (uint16_t)(cr[CR_LINE_COMPARE] | (cr[CR_OVERFLOW] & 0x10) << 4 |
                                 (cr[CR_MAX_SCAN] & 0x40) << 3);
    /* plane 3 blinks in graphics modes that ask for it, at the rate of characters */
    m->blink = m->kind == VGA_PLANAR && (m->attribute_mode & AR_MODE_BLINK) && (vga_frame(v) & 16);
}

static struct vga_mode mode_of(const struct vga *v)
{
    struct vga_mode m;
    memset(&m, 0, sizeof(m));                   /* also its padding: modes are compared as bytes */
    if (screen_off(v) || (!vga_vbe_on(v) && !(v->crtc[CR_MODE] & CR_MODE_RUN)))
        m.kind = VGA_BLANK;
    else if (vga_vbe_on(v))
        vbe_mode(v, &m);
    else
        vga_registers_mode(v, &m);
    return m;
}

/* --- colours -------------------------------------------------------------------------------------------- */

static uint32_t dac_colour(const struct vga *v, uint8_t index)
{
    const uint8_t *c = v->dac + 3 * (index & v->pel_mask);
    if (v->vbe[VBE_ENABLE] & VBE_8BIT_DAC)
        return (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    uint32_t rgb = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
    return rgb << 2 | (rgb >> 4 & 0x030303);
}

/* From a pixel to the converter: plane enable, palette, colour select [VGA-TRM, Color Select register] */
static uint8_t attribute_index(const struct vga *v, unsigned pixel)
{
    uint8_t select = v->attribute[AR_COLOUR_SELECT];
    uint8_t index = v->attribute[pixel & v->attribute[AR_PLANES] & 15];
    if (v->attribute[AR_MODE] & AR_MODE_P54S)
        index = (uint8_t)((index & 15) | (select & 3) << 4);
    return (uint8_t)(index | (select & 12) << 4);
}

static void colours_of(const struct vga *v, const struct vga_mode *m, uint32_t *colours)
{
    bool direct = m->kind == VGA_BYTES || m->kind == VBE_8;
    uint8_t planes = m->kind == VBE_8 ? 0xff : (uint8_t)((v->attribute[AR_PLANES] & 15) * 0x11);
    for (unsigned n = 0; n < 256; n++)
        colours[n] = direct ? dac_colour(v, (uint8_t)(n & planes)) :
                     n < 16 ? dac_colour(v, attribute_index(v, n)) : 0;
}

/* --- the CRT controller's walk -------------------------------------------------------------------------- */

struct beam { uint32_t address; unsigned scan, row, pan; bool second; };

static struct beam beam_start(const struct vga_mode *m)
{
    return (struct beam){ .address = m->start + m->byte_pan, .scan = m->preset, .pan = m->pan };
}

/* From a line to the one below it. */
static void beam_next(const struct vga_mode *m, struct beam *b, unsigned line)
{
    if (line == m->line_compare) {
        b->address = m->split_pan ? 0 : m->byte_pan;
        b->pan = m->split_pan ? 0 : b->pan;
        b->scan = 0;
        b->second = false;
        b->row++;
        return;
    }
    if (m->doubled && !b->second) {
        b->second = true;
        return;
    }
    b->second = false;
    if (b->scan == m->max_scan) {
        b->scan = 0;
        b->address += m->offset;
        b->row++;
    } else {
        b->scan = (b->scan + 1) & 31;
    }
}

/* The counter as memory sees it: shifted, with high bits below, and row scan bits for CGA's and Hercules'
 * interleaved lines [VGA-TRM, CRT Mode Control] */
static uint32_t memory_address(const struct vga_mode *m, uint32_t counter, unsigned scan)
{
    uint32_t c = counter & 0xffff, a = c;
    if (m->underline & CR_UNDERLINE_DWORD)
        a = c << 2 | c >> 14;
    else if (!(m->crtc_mode & CR_MODE_BYTE))
        a = c << 1 | (c >> (m->crtc_mode & CR_MODE_WRAP ? 15 : 13) & 1);
    if (!(m->crtc_mode & CR_MODE_ROW0))
        a = (a & ~0x2000u) | (scan & 1) << 13;
    if (!(m->crtc_mode & CR_MODE_ROW1))
        a = (a & ~0x4000u) | (scan & 2) << 13;
    return a & 0xffff;
}

static uint32_t column_address(const struct vga_mode *m, const struct beam *b, unsigned column)
{
    return memory_address(m, b->address + (column >> m->count_shift), b->scan);
}

/* --- text ----------------------------------------------------------------------------------------------- */

/* hide: characters with the blink attribute are in their dark phase. */
struct cursor { uint32_t address; unsigned first, last; bool shown, hide; };

/* The cursor blinks every 16 pictures, characters every 32 [VGA-TRM, Cursor Start, Attribute Mode Control] */
static struct cursor cursor_of(const struct vga *v)
{
    const uint8_t *cr = v->crtc;
    int64_t frame = vga_frame(v);
    uint32_t address = (uint32_t)(cr[CR_CURSOR_HIGH] << 8 | cr[CR_CURSOR_LOW]);
    return (struct cursor){ .address = (address + (cr[CR_CURSOR_END] >> 5 & 3)) & 0xffff,
                            .first = cr[CR_CURSOR_START] & 31, .last = cr[CR_CURSOR_END] & 31,
                            .shown = !(cr[CR_CURSOR_START] & 0x20) && !(frame & 8), .hide = (frame & 16) != 0 };
}

/* A cell with all that its look depends on: code, attribute, cursor and its lines, the hidden phase of
 * blinking. */
static uint32_t cell_of(const struct vga *v, const struct vga_mode *m, const struct beam *b, unsigned column,
                        const struct cursor *cursor)
{
    uint32_t cell = v->words[column_address(m, b, column)] & 0xffff;
    if (cursor->shown && ((b->address + (column >> m->count_shift)) & 0xffff) == cursor->address)
        cell |= CELL_CURSOR | cursor->first << 18 | cursor->last << 23;
    if (cursor->hide && (cell & 0x8000) && (m->attribute_mode & AR_MODE_BLINK))
        cell |= CELL_HIDDEN;
    return cell | CELL_DRAWN;
}

/* Did a row of cells change since it was drawn? Remembers it as drawn. Too tall or wide a screen is always
 * drawn. */
static bool row_changed(struct vga *v, const struct vga_mode *m, const struct beam *b,
                        const struct cursor *cursor)
{
    bool changed = false;
    if (b->row >= VGA_SHADOW_ROWS)
        return true;
    uint32_t *shadow = v->shadow + b->row * VGA_SHADOW_COLUMNS;
    for (unsigned c = 0; c < m->columns + (m->pan ? 1u : 0u) && c < VGA_SHADOW_COLUMNS; c++) {
        uint32_t cell = cell_of(v, m, b, c, cursor);
        changed |= shadow[c] != cell;
        shadow[c] = cell;
    }
    return changed;
}

/* The character generator's two maps of 8 KiB [VGA-TRM, Character Map Select] */
static void font_bases(const struct vga_mode *m, uint32_t bases[2])
{
    uint8_t s = m->character_map;
    unsigned b = (s & 3) << 1 | (s >> 4 & 1), a = (s >> 2 & 3) << 1 | (s >> 5 & 1);
    bool extended = m->memory_mode & SR_MEMORY_EXTENDED;
    bases[0] = extended ? b * 0x2000 : 0;       /* attribute bit 3 clear: map B */
    bases[1] = extended ? a * 0x2000 : 0;
}

static void text_line(const struct vga *v, const struct vga_mode *m, const struct beam *b,
                      const struct cursor *cursor, uint8_t *dots)
{
    uint32_t bases[2];
    font_bases(m, bases);
    for (unsigned c = 0; c < m->columns + (b->pan ? 1u : 0u); c++, dots += m->dots) {
        uint32_t cell = cell_of(v, m, b, c, cursor);
        uint8_t code = (uint8_t)cell, attribute = (uint8_t)(cell >> 8), fore = attribute & 15;
        uint8_t back = m->attribute_mode & AR_MODE_BLINK ? attribute >> 4 & 7 : attribute >> 4;
        unsigned glyph = v->words[(bases[attribute >> 3 & 1] + code * 32u + b->scan) & 0xffff] >> 15 & 0x1fe;
        /* line drawing characters repeat the eighth dot [VGA-TRM, Attribute Mode Control, bit 2] */
        if ((m->attribute_mode & AR_MODE_LINE_GRAPHICS) && (code & 0xe0) == 0xc0)
            glyph |= glyph >> 1 & 1;
        if (cell & CELL_HIDDEN)
            glyph = 0;
        if (((attribute & 0x77) == 1 && b->scan == (m->underline & 31u)) ||
            ((cell & CELL_CURSOR) && b->scan >= cursor->first && b->scan <= cursor->last))
            glyph = 0x1ff;
        for (unsigned d = 0; d < m->dots; d++)
            dots[d] = glyph << d & 0x100 ? fore : back;
    }
}

/* --- graphics ------------------------------------------------------------------------------------------- */

/* A byte's bits, the highest first, each in a byte of its own. */
static uint64_t bits_spread(uint32_t byte)
{
    return (byte & 0xff) * 0x8040201008040201ull >> 7 & 0x0101010101010101ull;
}

static uint64_t planar_dots(uint32_t word)
{
    return bits_spread(word) | bits_spread(word >> 8) << 1 | bits_spread(word >> 16) << 2 |
           bits_spread(word >> 24) << 3;
}

/* Pairs of bits, four pixels from the even planes, then four from the odd ones: CGA's four colours [VGA-TRM,
 * Graphics Mode] */
static uint64_t interleaved_dots(uint32_t word)
{
    uint64_t dots = 0;
    for (unsigned d = 0; d < 8; d++) {
        unsigned shift = 6 - 2 * (d & 3), low = (d < 4 ? word : word >> 8) >> shift & 3;
        unsigned high = (d < 4 ? word >> 16 : word >> 24) >> shift & 3;
        dots |= (uint64_t)(low | high << 2) << 8 * d;
    }
    return dots;
}

static uint64_t nibble_dots(uint32_t word)
{
    uint64_t dots = 0;
    for (unsigned d = 0; d < 8; d++)
        dots |= (uint64_t)(word >> (d / 2 * 8 + (d & 1 ? 0 : 4)) & 15) << 8 * d;
    return dots;
}

/* A pixel of eight bits is two dots wide */
static uint64_t byte_dots(uint32_t word)
{
    uint64_t w = word;
    w = (w | w << 16) & 0x0000ffff0000ffffull;
    w = (w | w << 8) & 0x00ff00ff00ff00ffull;
    return w | w << 8;
}

static uint64_t word_dots(const struct vga_mode *m, uint32_t word)
{
    switch (m->kind) {
    case VGA_INTERLEAVED: return interleaved_dots(word);
    case VGA_NIBBLES: return nibble_dots(word);
    case VGA_BYTES: return byte_dots(word);
    default: return planar_dots(word) & (m->blink ? 0x0707070707070707ull : ~0ull);
    }
}

static void graphics_line(const struct vga *v, const struct vga_mode *m, const struct beam *b, uint8_t *dots)
{
    for (unsigned c = 0; c < m->columns + (b->pan ? 1u : 0u); c++, dots += 8) {
        uint64_t eight = word_dots(m, v->words[column_address(m, b, c)]);
        memcpy(dots, &eight, 8);
    }
}

static void vbe_planar_line(const struct vga *v, const struct vga_mode *m, unsigned y, uint8_t *dots)
{
    uint32_t at = m->vbe_start + y * m->vbe_stride, mask = (uint32_t)(v->memory.length / 4 - 1);
    for (unsigned c = 0; c < m->columns + (m->pan ? 1u : 0u); c++, dots += 8) {
        uint64_t eight = planar_dots(v->words[(at + c) & mask]);
        memcpy(dots, &eight, 8);
    }
}

static uint32_t rgb(unsigned r, unsigned g, unsigned b, unsigned green_bits)
{
    r = r << 3 | r >> 2;
    b = b << 3 | b >> 2;
    g = green_bits == 6 ? g << 2 | g >> 4 : g << 3 | g >> 2;
    return r << 16 | g << 8 | b;
}

/* 15, 16 and 24 bits a pixel; 32 are drawn where they lie. */
static void vbe_true_line(const struct vga *v, const struct vga_mode *m, unsigned y, uint32_t *out)
{
    const uint8_t *p = v->memory.bytes + m->vbe_start + (size_t)y * m->vbe_stride;
    for (unsigned x = 0; x < m->width; x++)
        if (m->kind == VBE_24) {
            out[x] = p[3 * x] | (uint32_t)p[3 * x + 1] << 8 | (uint32_t)p[3 * x + 2] << 16;
        } else {
            unsigned w = le16_get(p + 2 * x);
            out[x] = m->kind == VBE_16 ? rgb(w >> 11, w >> 5 & 63, w & 31, 6) :
                                         rgb(w >> 10 & 31, w >> 5 & 31, w & 31, 5);
        }
}

/* --- one line ------------------------------------------------------------------------------------------- */

static void draw_line(struct vga *v, const struct vga_mode *m, const uint32_t *colours, const struct beam *b,
                      const struct cursor *cursor, unsigned y)
{
    uint8_t line[LINE_DOTS];
    const uint8_t *dots = line + (m->kind < VBE_PLANAR ? b->pan : m->pan);
    uint32_t *out = v->picture + (size_t)y * m->width;
    switch (m->kind) {
    case VGA_TEXT: text_line(v, m, b, cursor, line); break;
    case VBE_PLANAR: vbe_planar_line(v, m, y, line); break;
    case VBE_8: dots = v->memory.bytes + m->vbe_start + (size_t)y * m->vbe_stride; break;
    case VBE_15: case VBE_16: case VBE_24: vbe_true_line(v, m, y, out); return;
    case VBE_32: return;
    default: graphics_line(v, m, b, line);
    }
    if (m->repeat == 1)
        for (unsigned x = 0; x < m->width; x++)
            out[x] = colours[dots[x]];
    else
        for (unsigned x = 0; x < m->width; x += 2)
            out[x] = out[x + 1] = colours[dots[x / 2]];
}

static bool range_dirty(const struct vga *v, uint64_t first, uint64_t last)
{
    for (uint64_t unit = first >> VGA_DIRTY_SHIFT; unit <= last >> VGA_DIRTY_SHIFT; unit++)
        if (v->dirty[unit & ((v->memory.length >> VGA_DIRTY_SHIFT) - 1)])
            return true;
    return false;
}

/* Was memory that this graphics line shows written? */
static bool line_dirty(const struct vga *v, const struct vga_mode *m, const struct beam *b, unsigned y)
{
    if (m->kind >= VBE_PLANAR) {
        bool planar = m->kind == VBE_PLANAR;
        uint64_t first = (m->vbe_start + (uint64_t)y * m->vbe_stride) * (planar ? 4 : 1);
        return range_dirty(v, first, first + (planar ? m->columns * 4u + 3 : m->vbe_stride - 1));
    }
    uint32_t first = column_address(m, b, 0), last = column_address(m, b, m->columns);
    if (first <= last)
        return range_dirty(v, first * 4, last * 4 + 3);
    for (unsigned c = 0; c <= m->columns; c++)  /* the line wraps around in memory */
        if (v->dirty[column_address(m, b, c) >> (VGA_DIRTY_SHIFT - 2)])
            return true;
    return false;
}

/* --- the display sink ----------------------------------------------------------------------------------- */

/* What was written through the linear frame buffer joins what was written through the window. */
static void collect_linear(struct vga *v, const struct vga_mode *m)
{
    enum { PAGE = 4096, UNITS = PAGE >> VGA_DIRTY_SHIFT };
    uint64_t first = 0, end = 4 * VGA_PLANE_SIZE;
    if (!v->linear)
        return;
    if (m->kind >= VBE_PLANAR) {
        uint64_t scale = m->kind == VBE_PLANAR ? 4 : 1;
        first = align_down(m->vbe_start * scale, PAGE);
        end = align_up((m->vbe_start + (uint64_t)m->height * m->vbe_stride) * scale, PAGE);
        end = MIN(end, v->memory.length);
    }
    for (uint64_t at = first; at < end; at += PAGE)
        if (space_dirty_get_clear(v->linear, at, PAGE)) {
            memset(v->dirty + (at >> VGA_DIRTY_SHIFT), 1, UNITS);
            v->touched = v->fonts_changed = true;
        }
}

struct run { unsigned first, count; };

/* Adjacent lines go out together. */
static void run_flush(struct vga *v, const struct vga_mode *m, struct run *run, draw_fn *draw, void *ui)
{
    if (!run->count)
        return;
    struct rect r = { 0, (uint16_t)run->first, m->width, (uint16_t)run->count };
    if (m->kind == VBE_32)
        draw(ui, v->words + (m->vbe_start + (size_t)run->first * m->vbe_stride) / 4, m->vbe_stride / 4, r);
    else
        draw(ui, v->picture + (size_t)run->first * m->width, m->width, r);
    run->count = 0;
}

/* Lines that changed, or all. With `keep` nothing is remembered as drawn. */
static void draw_lines(struct vga *v, const struct vga_mode *m, const uint32_t *colours, bool all, bool keep,
                       draw_fn *draw, void *ui)
{
    struct beam b = beam_start(m);
    struct cursor cursor = { 0 };
    struct run run = { 0, 0 };
    unsigned row = UINT32_MAX;
    bool changed = all;
    if (m->kind == VGA_TEXT)
        cursor = cursor_of(v);
    for (unsigned y = 0; y < m->height; beam_next(m, &b, y), y++) {
        if (m->kind != VGA_TEXT)
            changed = all || line_dirty(v, m, &b, y);
        else if (b.row != row && !keep)
            changed = row_changed(v, m, &b, &cursor) || all;
        row = b.row;
        if (!changed) {
            run_flush(v, m, &run, draw, ui);
            continue;
        }
        draw_line(v, m, colours, &b, &cursor, y);
        if (!run.count++)
            run.first = y;
    }
    run_flush(v, m, &run, draw, ui);
}

static void vga_refresh(void *chip, bool whole, draw_fn *draw, void *ui)
{
    struct vga *v = chip;
    uint32_t colours[256];
    vga_start_update(v);
    struct vga_mode m = mode_of(v), shape = m;
    if (m.kind == VGA_TEXT)
        shape.start = 0;                        /* scrolling text is seen by its cells */
    colours_of(v, &m, colours);
    if (!whole)
        collect_linear(v, &m);
    bool all = whole || !v->shown_valid || memcmp(&shape, &v->shown, sizeof(shape)) ||
               memcmp(colours, v->shown_colours, sizeof(colours)) || (m.kind == VGA_TEXT && v->fonts_changed);
    if (m.kind != VGA_BLANK && (all || v->touched || m.kind == VGA_TEXT))
        draw_lines(v, &m, colours, all, whole, draw, ui);
    if (whole)
        return;
    v->shown = shape;
    memcpy(v->shown_colours, colours, sizeof(colours));
    if (v->touched)
        memset(v->dirty, 0, v->memory.length >> VGA_DIRTY_SHIFT);
    v->touched = v->fonts_changed = false;
    v->shown_valid = true;
}

static void vga_size(void *chip, unsigned *width, unsigned *height)
{
    struct vga_mode m = mode_of(chip);
    *width = m.width;
    *height = m.height;
}

static bool vga_text(void *chip, unsigned *columns, unsigned *rows, uint8_t *cells, size_t size)
{
    struct vga *v = chip;
    vga_start_update(v);
    struct vga_mode m = mode_of(v);
    if (m.kind != VGA_TEXT)
        return false;
    struct beam b = beam_start(&m);
    unsigned row = UINT32_MAX;
    *columns = m.columns;
    *rows = 0;
    for (unsigned y = 0; y < m.height; beam_next(&m, &b, y), y++) {
        if (b.row == row)
            continue;
        row = b.row;
        if ((size_t)(*rows + 1) * m.columns > size)
            break;
        for (unsigned c = 0; c < m.columns; c++)
            cells[*rows * m.columns + c] = (uint8_t)v->words[column_address(&m, &b, c)];
        ++*rows;
    }
    return true;
}

/* The tube is 4:3, whatever the resolution; only pictures that are clearly wider have square pixels. */
static struct rect vga_aspect(void *chip)
{
    struct vga_mode m = mode_of(chip);
    if (m.kind >= VBE_PLANAR && m.width * 30 > m.height * 44)
        return (struct rect){ 0, 0, m.width, m.height };
    return (struct rect){ 0, 0, 4, 3 };
}

void vga_draw_init(struct vga *v)
{
    v->display = (struct display){ .chip = v, .size = vga_size, .refresh = vga_refresh, .text = vga_text,
                                   .aspect = vga_aspect };
}

void vga_redraw(struct vga *v)
{
    v->shown_valid = false;
}
