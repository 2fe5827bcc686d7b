/* Text and Epson's ESC/P as a PDF: what an FX, LX or LQ printer would have put on paper. See [ESCP] for the commands.
 *
 * A job with 24-dot graphics or ESC/P 2 commands is for a 24-pin printer, whose feed commands count in 1/180 inch, any other for one
 * with nine (1/216 inch). A job without a carriage return is text of Unix: each line feed returns, too. Dots are collected in a
 * bitmap of the page at 720 dots an inch across and 216 or 360 down; it is made when a job has graphics.
 *
 * Bounds: PDF_PAGES pages, one bitmap, and work in proportion to the job's length.
 * Not modelled: proportional spacing (printed at the fixed pitch), downloaded characters (the ROM's are printed), colour,
 * justification. */
#include "console/print.h"
#include "console/print_pdf.h"
#include "console/text.h"
#include "base/bits.h"
#include <math.h>
#include <stdlib.h>

enum { LF = 10, VT, FF, CR, SO, SI, DC2 = 18, DC4 = 20, CAN = 24, ESC = 27, BS = 8, HT, RUN = 256, TABS = 32, GRID = 720 };
#define LEFT_EDGE 18.0                          /* of the print area: 80 columns are in the middle of the sheet */
#define SHEET 612.0                             /* 8.5 inches; 14 when a line is wider */
#define WIDE_SHEET 1008.0
#define WIDEST (13.6 * 72)
#define LONGEST (22 * 72.0)
#define BASE_LINE 9.0                           /* of a line, below its upper edge */

struct escp {
    const uint8_t *at, *end;
    struct pdf *pdf;
    double x, y, used;                          /* the place; the widest line of the page */
    double page, left, right, skip, spacing;    /* form; skip: over the perforation */
    double unit;                                /* of ESC/P 2 */
    unsigned cpi, style, underline, script;     /* script: 0, 1 super, 2 sub */
    bool condensed, wide, wide_line, tall, lq, unix_text, marked, finished, cp850;
    unsigned country;
    double tabs[TABS], vtabs[TABS];
    unsigned tab_count, vtab_count;
    uint16_t run[RUN];
    unsigned run_count;
    double run_x;
    uint8_t *bitmap;
    unsigned rows_per_inch, rows, first_row, last_row, last_column;     /* rows: of the page, and those in use */
};
enum { STRIDE = (int)(14 * GRID / 8) };

static const uint16_t cp850[128] = {
    0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
    0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00f8, 0x00a3, 0x00d8, 0x00d7, 0x0192,
    0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba, 0x00bf, 0x00ae, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
    0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x00c1, 0x00c2, 0x00c0, 0x00a9, 0x2563, 0x2551, 0x2557, 0x255d, 0x00a2, 0x00a5, 0x2510,
    0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x00e3, 0x00c3, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x00a4,
    0x00f0, 0x00d0, 0x00ca, 0x00cb, 0x00c8, 0x0131, 0x00cd, 0x00ce, 0x00cf, 0x2518, 0x250c, 0x2588, 0x2584, 0x00a6, 0x00cc, 0x2580,
    0x00d3, 0x00df, 0x00d4, 0x00d2, 0x00f5, 0x00d5, 0x00b5, 0x00fe, 0x00de, 0x00da, 0x00db, 0x00d9, 0x00fd, 0x00dd, 0x00af, 0x00b4,
    0x00ad, 0x00b1, 0x2017, 0x00be, 0x00b6, 0x00a7, 0x00f7, 0x00b8, 0x00b0, 0x00a8, 0x00b7, 0x00b9, 0x00b3, 0x00b2, 0x25a0, 0x00a0
};
static const uint8_t national_at[12] = { 0x23, 0x24, 0x40, 0x5b, 0x5c, 0x5d, 0x5e, 0x60, 0x7b, 0x7c, 0x7d, 0x7e };
static const uint16_t national[][12] = {        /* USA, France, Germany, UK, Denmark, Sweden, Italy, Spain */
    { 0x23, 0x24, 0x40, 0x5b, 0x5c, 0x5d, 0x5e, 0x60, 0x7b, 0x7c, 0x7d, 0x7e },
    { 0x23, 0x24, 0xe0, 0xb0, 0xe7, 0xa7, 0x5e, 0x60, 0xe9, 0xf9, 0xe8, 0xa8 },
    { 0x23, 0x24, 0xa7, 0xc4, 0xd6, 0xdc, 0x5e, 0x60, 0xe4, 0xf6, 0xfc, 0xdf },
    { 0xa3, 0x24, 0x40, 0x5b, 0x5c, 0x5d, 0x5e, 0x60, 0x7b, 0x7c, 0x7d, 0x7e },
    { 0x23, 0x24, 0x40, 0xc6, 0xd8, 0xc5, 0x5e, 0x60, 0xe6, 0xf8, 0xe5, 0x7e },
    { 0x23, 0xa4, 0xc9, 0xc4, 0xd6, 0xc5, 0xdc, 0xe9, 0xe4, 0xf6, 0xe5, 0xfc },
    { 0x23, 0x24, 0x40, 0xb0, 0x5c, 0xe9, 0x5e, 0xf9, 0xe0, 0xf2, 0xe8, 0xec },
    { 0x20a7, 0x24, 0x40, 0xa1, 0xd1, 0xbf, 0x5e, 0x60, 0xa8, 0xf1, 0x7d, 0x7e },
};

static double cell(const struct escp *e)
{
    double w = 72.0 / e->cpi;
    if (e->condensed)
        w = e->cpi == 12 ? 72.0 / 20 : 72 * 7 / 120.0;
    return e->wide || e->wide_line ? 2 * w : w;
}

static void flush(struct escp *e)
{
    double size = e->condensed || e->cpi > 12 ? 9 : e->cpi == 12 ? 10 : 12, y = e->y + BASE_LINE;
    if (!e->run_count)
        return;
    if (e->script) {
        size *= 0.6;
        y += e->script == 1 ? -3 : 2;
    }
    if (e->tall)
        size *= 2;
    pdf_text(e->pdf, LEFT_EDGE + e->run_x, y, e->style, size, cell(e), e->run, e->run_count);
    if (e->underline)
        pdf_line(e->pdf, LEFT_EDGE + e->run_x, y + 1.5, e->x - e->run_x);
    e->run_count = 0;
}

/* --- paper ----------------------------------------------------------------------------------------------------------- */

static void put_bitmap(struct escp *e)
{
    unsigned rows = e->last_row - e->first_row, columns = MIN(e->last_column, STRIDE * 8u);
    if (!e->bitmap || e->first_row >= e->last_row)
        return;
    pdf_bitmap(e->pdf, LEFT_EDGE, e->first_row * 72.0 / e->rows_per_inch, columns * 72.0 / GRID, rows * 72.0 / e->rows_per_inch,
               e->bitmap + (size_t)e->first_row * STRIDE, STRIDE, columns, rows);
    memset(e->bitmap + (size_t)e->first_row * STRIDE, 0, (size_t)rows * STRIDE);
    e->first_row = UINT32_MAX;
    e->last_row = e->last_column = 0;
}

static void page_out(struct escp *e)
{
    flush(e);
    put_bitmap(e);
    pdf_page(e->pdf, e->used + 2 * LEFT_EDGE > SHEET + 1 ? WIDE_SHEET : SHEET, e->page);
    e->used = 0;
    e->marked = false;
    e->finished = pdf_pages(e->pdf) >= PDF_PAGES;
}

static void form_feed(struct escp *e)
{
    page_out(e);
    e->y = 0;
    e->wide_line = false;
}

static void feed(struct escp *e, double points)
{
    flush(e);
    e->y += points;
    if (e->y < 0)
        e->y = 0;
    if (e->y + 0.01 < e->page - e->skip)
        return;
    double over = e->skip ? 0 : e->y - e->page;
    page_out(e);
    e->y = over > 0.01 ? MIN(over, e->page / 2) : 0;
}

static void return_carriage(struct escp *e)
{
    flush(e);
    e->x = e->left;
}

static void line_feed(struct escp *e)
{
    feed(e, e->spacing);
    e->wide_line = false;
    if (e->unix_text)
        e->x = e->left;
}

static void put(struct escp *e, uint16_t c)
{
    double w = cell(e);
    if (e->x + w > e->right + 0.01) {
        return_carriage(e);
        line_feed(e);
    }
    if (e->run_count == RUN)
        flush(e);
    if (!e->run_count)
        e->run_x = e->x;
    e->run[e->run_count++] = c;
    e->x += w;
    e->marked |= c != ' ';
    e->used = MAX(e->used, c == ' ' ? 0 : e->x);
}

static void put_byte(struct escp *e, uint8_t byte)
{
    uint16_t c = byte < 0x80 ? byte : e->cp850 ? cp850[byte - 0x80] : cp437_high(byte);
    for (size_t i = 0; e->country && i < sizeof(national_at); i++)
        if (byte == national_at[i])
            c = national[e->country][i];
    if (c >= ' ' && c != 0x7f)
        put(e, c);
}

/* --- dots ------------------------------------------------------------------------------------------------------------ */

static bool bitmap_ready(struct escp *e)
{
    if (e->bitmap)
        return true;
    e->rows_per_inch = e->lq ? 360 : 216;
    e->rows = (unsigned)(LONGEST / 72) * e->rows_per_inch;
    e->bitmap = calloc(e->rows, STRIDE);
    e->first_row = UINT32_MAX;
    return e->bitmap;
}

static void dot(struct escp *e, unsigned x, unsigned width, unsigned row, unsigned height)
{
    unsigned end = MIN(x + width, STRIDE * 8u);
    for (unsigned r = row; r < MIN(row + height, e->rows); r++)
        for (unsigned c = x; c < end; c = (c | 7) + 1)
            e->bitmap[(size_t)r * STRIDE + c / 8] |= (uint8_t)(0xff >> (c & 7) & (end >= (c | 7) + 1 ? 0xff : 0xff << (8 - (end & 7))));
    e->first_row = MIN(e->first_row, row);
    e->last_row = MAX(e->last_row, MIN(row + height, e->rows));
    e->last_column = MAX(e->last_column, end);
    e->marked = true;
}

/* n columns of `bytes` bytes each, the uppermost dot in bit 7 of the first. */
static void graphics(struct escp *e, unsigned dpi, unsigned bytes, unsigned n)
{
    double inch = e->x / 72, limit = e->right / 72;
    unsigned width = GRID / dpi, pitch;
    flush(e);
    if (!bitmap_ready(e))
        return;
    pitch = bytes == 3 ? 2 : e->lq ? 6 : 3;
    unsigned top = (unsigned)(e->y / 72 * e->rows_per_inch + 0.5);
    for (unsigned c = 0; c < n && (size_t)(e->end - e->at) >= bytes; c++, e->at += bytes) {
        double at = inch + (double)c / dpi;
        unsigned x = (unsigned)(at * GRID + 0.5);
        for (unsigned pin = 0; at < limit && pin < 8 * bytes; pin++)
            if (e->at[pin / 8] & 0x80 >> pin % 8)
                dot(e, x, width, top + pin * pitch, pitch);
    }
    e->x = MIN(e->x + n * 72.0 / dpi, e->right);
    e->used = MAX(e->used, e->x);
}

/* ESC . c v h m n: m rows of n dots, plain or packed as TIFF does. */
static void raster(struct escp *e)
{
    const uint8_t *a = e->at;
    unsigned packed = a[0], v = MAX(a[1], 1), h = MAX(a[2], 1), rows = a[3], n = le16_get(a + 4), bytes = (n + 7) / 8, have = 0;
    e->at += 6;
    flush(e);
    if (packed > 1 || !bitmap_ready(e))
        return;
    unsigned top = (unsigned)(e->y / 72 * e->rows_per_inch + 0.5), left = (unsigned)(e->x / 72 * GRID + 0.5);
    unsigned width = MAX(h * GRID / 3600, 1u), height = MAX(v * e->rows_per_inch / 3600, 1u);
    while (have < rows * bytes && e->at < e->end) {
        unsigned count = packed ? *e->at++ : 127, repeat = 0;
        if (packed && count > 128)
            repeat = count = 257 - count;
        else
            count++;
        for (unsigned i = 0; i < count && have < rows * bytes && e->at < e->end; i++, have++) {
            for (unsigned b = 0; b < 8; b++)
                if (*e->at & 0x80 >> b)
                    dot(e, left + (have % bytes * 8 + b) * width, width, top + have / bytes * height, height);
            e->at += repeat ? i + 1 == count : 1;
        }
    }
    e->x = MIN(e->x + n * h * 72.0 / 3600, e->right);
    e->used = MAX(e->used, e->x);
}

static void graphics_mode(struct escp *e, unsigned mode, unsigned n)
{
    static const struct { uint8_t mode, bytes; uint16_t dpi; } modes[] = {
        { 0, 1, 60 }, { 1, 1, 120 }, { 2, 1, 120 }, { 3, 1, 240 }, { 4, 1, 80 }, { 5, 1, 72 }, { 6, 1, 90 }, { 7, 1, 144 },
        { 32, 3, 60 }, { 33, 3, 120 }, { 38, 3, 90 }, { 39, 3, 180 }, { 40, 3, 360 }
    };
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (modes[i].mode == mode) {
            graphics(e, modes[i].dpi, modes[i].bytes, n);
            return;
        }
}

/* --- commands -------------------------------------------------------------------------------------------------------- */

static void initialise(struct escp *e)
{
    e->cpi = 10;
    e->style = e->underline = e->script = e->country = 0;
    e->condensed = e->wide = e->wide_line = e->tall = e->cp850 = false;
    e->page = 11 * 72;
    e->left = e->skip = 0;
    e->right = WIDEST;
    e->spacing = 12;
    e->unit = 0.2;                              /* 1/360 inch */
    e->tab_count = e->vtab_count = 0;
}

static double next_tab(const double *tabs, unsigned count, double now, double otherwise)
{
    for (unsigned n = 0; n < count; n++)
        if (tabs[n] > now + 0.01)
            return tabs[n];
    return otherwise;
}

/* Tab stops up to a NUL, in columns or lines of the pitch that holds. */
static unsigned read_tabs(struct escp *e, double *tabs, double step)
{
    unsigned count = 0;
    while (e->at < e->end && *e->at) {
        if (count < TABS)
            tabs[count++] = *e->at * step;
        e->at++;
    }
    e->at += e->at < e->end;
    return count;
}

static void control(struct escp *e, uint8_t c)
{
    flush(e);
    switch (c) {
    case BS: e->x = MAX(e->left, e->x - cell(e)); break;
    case HT: e->x = MIN(e->right, next_tab(e->tabs, e->tab_count, e->x,
                                           (floor((e->x - e->left + 0.01) / (8 * cell(e))) + 1) * 8 * cell(e) + e->left)); break;
    case LF: line_feed(e); break;
    case VT: feed(e, next_tab(e->vtabs, e->vtab_count, e->y, e->y + e->spacing) - e->y); break;
    case FF: form_feed(e); return_carriage(e); break;
    case CR: return_carriage(e); break;
    case SO: e->wide_line = true; break;
    case SI: e->condensed = true; break;
    case DC2: e->condensed = false; break;
    case DC4: e->wide_line = false; break;
    }
}

static void master_select(struct escp *e, uint8_t n)
{
    e->cpi = n & 1 ? 12 : 10;
    e->condensed = n & 4;
    e->style = (n & 0x18 ? PDF_BOLD : 0) | (n & 0x40 ? PDF_ITALIC : 0);
    e->wide = n & 0x20;
    e->underline = n >> 7;
}

/* How many bytes follow ESC and the letter; 15: as the command itself finds out. */
static unsigned parameters(uint8_t c)
{
    static const struct { uint8_t count; const char *letters; } counts[] = {
        { 1, "!+-/3AJNQRSUWajiklpqrstwx% \x19" }, { 2, "$\\?e" }, { 3, "*^X:" }, { 2, "KLYZ" }, { 6, "." }
    };
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        if (strchr(counts[i].letters, c) && c)
            return counts[i].count;
    return 0;
}

static bool on(uint8_t parameter) { return parameter & 1; }     /* 1 or "1" */

static void set_page(struct escp *e, double points)
{
    e->page = MAX(72.0, MIN(points, LONGEST));
    e->skip = 0;
    e->y = MIN(e->y, e->page - 1);
}

/* ESC ( letter, length, data */
static void extended(struct escp *e)
{
    if (e->end - e->at < 3) {
        e->at = e->end;
        return;
    }
    const uint8_t *d = e->at + 3;
    size_t n = MIN((size_t)le16_get(e->at + 1), (size_t)(e->end - d));
    unsigned word = n >= 2 ? le16_get(d) : 0;
    switch (*e->at) {
    case 'U': e->unit = n ? MAX(d[0], 1) * 72 / 3600.0 : e->unit; break;
    case 'C': set_page(e, word * e->unit); break;
    case 'V': feed(e, MAX(word * e->unit - e->y, 0)); break;
    case 'v': feed(e, MIN(MAX((int16_t)word * e->unit, -e->y), e->page)); break;
    case '-': e->underline = n >= 3 && d[2]; break;
    case 't': e->cp850 = n >= 2 && d[1] == 3; break;
    }
    e->at = d + n;
}

static void position(struct escp *e, double x) { e->x = MAX(0.0, MIN(x, e->right)); }

/* Commands of one byte or with parameters at `a`. */
static void command(struct escp *e, uint8_t c, const uint8_t *a)
{
    double nth = e->lq ? 72.0 / 180 : 72.0 / 216;
    switch (c) {
    case '@': initialise(e); break;
    case '!': master_select(e, a[0]); break;
    case 'E': case 'G': e->style |= PDF_BOLD; break;
    case 'F': case 'H': e->style &= ~(unsigned)PDF_BOLD; break;
    case '4': e->style |= PDF_ITALIC; break;
    case '5': e->style &= ~(unsigned)PDF_ITALIC; break;
    case '-': e->underline = on(a[0]); break;
    case 'S': e->script = on(a[0]) ? 2 : 1; break;
    case 'T': e->script = 0; break;
    case 'W': e->wide = on(a[0]); break;
    case 'w': e->tall = on(a[0]); break;
    case SO: e->wide_line = true; break;
    case SI: e->condensed = true; break;
    case 'P': e->cpi = 10; break;
    case 'M': e->cpi = 12; break;
    case 'g': e->cpi = 15; break;
    case '0': e->spacing = 9; break;
    case '1': e->spacing = 7; break;
    case '2': e->spacing = 12; break;
    case '3': e->spacing = a[0] * nth; break;
    case 'A': e->spacing = a[0] * (e->lq ? 1.2 : 1.0); break;
    case '+': e->spacing = a[0] * 0.2; break;
    case 'J': feed(e, a[0] * nth); break;
    case 'j': feed(e, -a[0] * nth); break;
    case 'l': e->left = MIN(a[0] * cell(e), WIDEST - 72); position(e, e->left); break;
    case 'Q': e->right = MIN(MAX(a[0] * cell(e), e->left + 36), WIDEST); break;
    case 'N': e->skip = MIN(a[0] * e->spacing, e->page / 2); break;
    case 'O': e->skip = 0; break;
    case '$': position(e, e->left + le16_get(a) * 1.2); break;
    case '\\': position(e, e->x + (int16_t)le16_get(a) * (e->lq ? 0.4 : 0.6)); break;
    case 'R': e->country = a[0] < ARRAY_SIZE(national) ? a[0] : 0; break;
    case 'K': graphics(e, 60, 1, le16_get(a)); break;
    case 'L': case 'Y': graphics(e, 120, 1, le16_get(a)); break;
    case 'Z': graphics(e, 240, 1, le16_get(a)); break;
    case '*': graphics_mode(e, a[0], le16_get(a + 1)); break;
    case '^': graphics(e, on(a[0]) ? 120 : 60, 2, le16_get(a + 1)); break;
    }
}

/* Characters of the program's own: passed over. */
static void download(struct escp *e)
{
    const uint8_t *a = e->at;
    if (e->end - a < 3)
        return;
    e->at += 3;
    for (unsigned c = a[1]; c <= a[2] && e->end - e->at > 3; c++)
        e->at += MIN(e->lq ? 3 + 3 * e->at[1] : 12, e->end - e->at);
}

static void escape(struct escp *e)
{
    uint8_t c = e->at < e->end ? *e->at++ : 0;
    unsigned count = parameters(c);
    const uint8_t *a = e->at;
    flush(e);
    if ((size_t)(e->end - e->at) < count) {
        e->at = e->end;
        return;
    }
    switch (c) {
    case 'C':                                   /* lines, or NUL and inches */
        count = e->end - a >= 2 && !a[0] ? 2 : 1;
        if (e->end - a >= (int)count)
            set_page(e, count == 2 ? a[1] * 72.0 : a[0] * e->spacing);
        e->at = MIN(a + count, e->end);
        break;
    case 'D': e->tab_count = read_tabs(e, e->tabs, cell(e)); break;
    case 'B': e->vtab_count = read_tabs(e, e->vtabs, e->spacing); break;
    case '.': raster(e); break;
    case '&': download(e); break;
    case '(': extended(e); break;
    default:
        e->at += count;
        command(e, c, a);
    }
}

/* Is it for a 24-pin printer, and is it text without a carriage return? */
static void look_ahead(struct escp *e)
{
    e->unix_text = !memchr(e->at, CR, (size_t)(e->end - e->at));
    for (const uint8_t *p = e->at; (p = memchr(p, ESC, (size_t)(e->end - p))) && e->end - p > 2; p++)
        if ((p[1] == '*' && p[2] >= 32 && p[2] <= 40) || p[1] == '.' || p[1] == '(' || p[1] == '+')
            e->lq = true;
}

bool print_escp(const uint8_t *bytes, size_t length, FILE *out)
{
    struct escp *e = calloc(1, sizeof(*e));
    if (!e)
        abort();
    e->at = bytes;
    e->end = bytes + length;
    e->pdf = pdf_open(out);
    initialise(e);
    look_ahead(e);
    while (e->at < e->end && !e->finished) {
        uint8_t c = *e->at++;
        if (c == ESC)
            escape(e);
        else if (c < ' ')
            control(e, c);
        else
            put_byte(e, c);
    }
    if (!e->finished && (e->marked || !pdf_pages(e->pdf)))
        page_out(e);
    free(e->bitmap);
    bool ok = pdf_close(e->pdf);
    free(e);
    return ok;
}
