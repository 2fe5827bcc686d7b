/* A PDF writer for what old printers print. See [PDF 1.4] 3.4 (file structure), 5.3 (text), 4.8 (images), annex D (encodings).
 *
 * Fonts are the base ones that every reader has: Courier in four styles with the encoding of Windows, and Symbol for Greek and
 * mathematics. Frames and blocks of code page 437 are drawn: no base font has them. A page's content and bitmaps are compressed. */
#include "console/print_pdf.h"
#include "base/bits.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>

/* The first objects; fonts follow, one a style, then Symbol. */
enum { CATALOG = 1, PAGES, FONT0, SYMBOL = FONT0 + 4, FIRST_FREE };
enum { OBJECTS = FIRST_FREE + 4 * PDF_PAGES, CONTENT_MAX = 4 << 20, RUN_MAX = 512 };

struct pdf {
    FILE *out;
    bool failed;
    uint32_t *offsets, *pages;                  /* of objects; the pages' object numbers */
    unsigned objects, page_count;
    char *content;                              /* of the page under way */
    size_t used, room;
    char images[64 * 24];                       /* its resources */
    size_t images_used;
};

static void content(struct pdf *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void content(struct pdf *p, const char *fmt, ...)
{
    va_list ap;
    enum { PIECE = 4 * RUN_MAX };
    if (p->used + PIECE > p->room) {
        if (p->room >= CONTENT_MAX)             /* printed over and over: it is black by now */
            return;
        p->room = p->room ? 2 * p->room : 16384;
        if (!(p->content = realloc(p->content, p->room)))
            abort();
    }
    va_start(ap, fmt);
    p->used += (size_t)vsnprintf(p->content + p->used, PIECE, fmt, ap);
    va_end(ap);
}

static unsigned object(struct pdf *p, unsigned number)
{
    number = number ? number : p->objects++;
    p->offsets[number] = (uint32_t)ftell(p->out);
    fprintf(p->out, "%u 0 obj\n", number);
    return number;
}

/* A stream object, compressed. */
static unsigned stream(struct pdf *p, const char *entries, const void *bytes, size_t length)
{
    uLongf packed = compressBound(length);
    uint8_t *to = malloc(packed);
    unsigned number = object(p, 0);
    if (!to || compress2(to, &packed, bytes, length, 6) != Z_OK)
        abort();
    fprintf(p->out, "<< %s /Filter /FlateDecode /Length %lu >>\nstream\n", entries, packed);
    fwrite(to, 1, packed, p->out);
    fprintf(p->out, "\nendstream\nendobj\n");
    free(to);
    return number;
}

struct pdf *pdf_open(FILE *out)
{
    static const char *const fonts[] = { "Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique" };
    struct pdf *p = calloc(1, sizeof(*p));
    if (!p || !(p->offsets = calloc(OBJECTS, sizeof(*p->offsets))) || !(p->pages = calloc(PDF_PAGES, sizeof(*p->pages))))
        abort();
    p->out = out;
    p->objects = FIRST_FREE;
    fprintf(out, "%%PDF-1.4\n%%\342\343\317\323\n");
    for (unsigned n = 0; n < 4; n++) {
        object(p, FONT0 + n);
        fprintf(out, "<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>\nendobj\n", fonts[n]);
    }
    object(p, SYMBOL);
    fprintf(out, "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>\nendobj\n");
    return p;
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

/* Unicode of code page 437 in Symbol's own encoding. */
static const struct { uint16_t unicode; uint8_t code; } symbols[] = {
    { 0x3b1, 'a' }, { 0x393, 'G' }, { 0x3c0, 'p' }, { 0x3a3, 'S' }, { 0x3c3, 's' }, { 0x3c4, 't' }, { 0x3a6, 'F' }, { 0x398, 'Q' },
    { 0x3a9, 'W' }, { 0x3b4, 'd' }, { 0x221e, 0xa5 }, { 0x3c6, 'f' }, { 0x3b5, 'e' }, { 0x2229, 0xc7 }, { 0x2261, 0xba },
    { 0x2265, 0xb3 }, { 0x2264, 0xa3 }, { 0x2320, 0xf3 }, { 0x2321, 0xf5 }, { 0x2248, 0xbb }, { 0x2219, 0xd7 }, { 0x221a, 0xd6 }
};

/* The code in the fonts' encoding; *symbol: in Symbol's. */
static uint8_t font_code(uint16_t c, bool *symbol)
{
    *symbol = false;
    if (c < 0x7f || (c >= 0xa0 && c <= 0xff))
        return (uint8_t)c;
    for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
        if (symbols[i].unicode == c) {
            *symbol = true;
            return symbols[i].code;
        }
    switch (c) {
    case 0x192: return 0x83;
    case 0x20ac: return 0x80;
    case 0x20a7: return 'P';
    case 0x2310: return 0xac;
    case 0x131: return 'i';
    case 0x207f: return 'n';
    case 0x2017: return '_';
    case 0x2022: case 0x25cb: return 0x95;
    default: return c >= 0x2190 && c < 0x2800 ? ' ' : '?';
    }
}

static void rectangle(struct pdf *p, double x, double y, double w, double h)
{
    content(p, "%.2f %.2f %.2f %.2f re f\n", x, -(y + h), w, h);
}

/* A frame character's arms: up, right, down, left, two bits each (1 single, 2 double), for 2500h and for 2550h on. */
static uint8_t frame_arms(uint16_t c)
{
    static const struct { uint16_t c; uint8_t arms; } single[] = {
        { 0x2500, 0x44 }, { 0x2502, 0x11 }, { 0x250c, 0x14 }, { 0x2510, 0x50 }, { 0x2514, 0x05 }, { 0x2518, 0x41 }, { 0x251c, 0x15 },
        { 0x2524, 0x51 }, { 0x252c, 0x54 }, { 0x2534, 0x45 }, { 0x253c, 0x55 }
    };
    static const uint8_t mixed[] = {            /* 2550h to 256Ch; bits 0-1 up, 2-3 right, 4-5 down, 6-7 left */
        0x88, 0x22, 0x18, 0x24, 0x28, 0x90, 0x60, 0xa0, 0x09, 0x06, 0x0a, 0x81, 0x42, 0x82, 0x19, 0x26, 0x2a, 0x91, 0x62, 0xa2, 0x98,
        0x64, 0xa8, 0x89, 0x46, 0x8a, 0x99, 0x66, 0xaa
    };
    for (size_t i = 0; i < ARRAY_SIZE(single); i++)
        if (single[i].c == c)
            return single[i].arms;
    return c >= 0x2550 && c < 0x2550 + (int)sizeof(mixed) ? mixed[c - 0x2550] : 0;
}

/* The cell reaches from a size's ascent above the base line to the next line's cell at six lines an inch. */
static void draw_frame(struct pdf *p, double x, double y, double w, double size, uint8_t arms)
{
    double top = y - 0.8 * size, h = MAX(size, 12.0), cx = x + w / 2, cy = top + h / 2, t = 0.7, gap = 0.9;
    for (unsigned arm = 0; arm < 4; arm++)
        for (unsigned n = arms >> 2 * arm & 3, k = 0; k < n; k++) {
            double off = n == 1 ? 0 : k ? gap : -gap;
            if (arm % 2)
                rectangle(p, arm == 1 ? cx - gap : x, cy + off - t / 2, w / 2 + gap, t);
            else
                rectangle(p, cx + off - t / 2, arm ? cy - gap : top, t, h / 2 + gap);
        }
}

/* Draws what no font has; false: it is a character for a font. */
static bool draw_special(struct pdf *p, double x, double y, double w, double size, uint16_t c)
{
    double top = y - 0.8 * size, h = MAX(size, 12.0);
    uint8_t arms = frame_arms(c);
    if (arms)
        draw_frame(p, x, y, w, size, arms);
    else if (c >= 0x2591 && c <= 0x2593) {
        content(p, "%.2f g\n", 1 - 0.25 * (c - 0x2590));
        rectangle(p, x, top, w, h);
        content(p, "0 g\n");
    } else if (c == 0x2588 || c == 0x258c || c == 0x2590)
        rectangle(p, c == 0x2590 ? x + w / 2 : x, top, c == 0x2588 ? w : w / 2, h);
    else if (c == 0x2580 || c == 0x2584)
        rectangle(p, x, c == 0x2580 ? top : top + h / 2, w, h / 2);
    else if (c == 0x25a0)
        rectangle(p, x + w / 5, y - 0.5 * size, w * 3 / 5, w * 3 / 5);
    else
        return false;
    return true;
}

/* Characters of one font in a row. */
static void show(struct pdf *p, double x, double y, unsigned font, double size, double advance, const uint8_t *codes, size_t count)
{
    char text[2 * RUN_MAX + 1];
    size_t used = 0;
    double natural = 0.6 * size;
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == '(' || codes[i] == ')' || codes[i] == '\\')
            text[used++] = '\\';
        text[used++] = (char)codes[i];
    }
    text[used] = 0;
    content(p, "BT /F%u %.2f Tf %.2f Tz %.2f %.2f Td (%s) Tj ET\n", font, size, 100 * advance / natural, x, -y, text);
}

void pdf_text(struct pdf *p, double x, double y, unsigned style, double size, double advance, const uint16_t *text, size_t count)
{
    uint8_t run[RUN_MAX];
    size_t used = 0, first = 0;
    for (size_t i = 0; i <= count; i++) {
        bool symbol = false;
        uint8_t code = i < count ? font_code(text[i], &symbol) : 0;
        bool special = i < count && text[i] >= 0x2500 && draw_special(p, x + (double)i * advance, y, advance, size, text[i]);
        if (used && (i == count || symbol || used == RUN_MAX - 1)) {
            show(p, x + (double)first * advance, y, style & 3, size, advance, run, used);
            used = 0;
        }
        if (i == count)
            break;
        if (symbol) {
            show(p, x + (double)i * advance, y, 4, size, 0.6 * size, &code, 1);
            continue;
        }
        if (!used)
            first = i;
        run[used++] = special ? ' ' : code;
    }
}

void pdf_line(struct pdf *p, double x, double y, double width) { rectangle(p, x, y, width, 0.6); }

/* --- pages ----------------------------------------------------------------------------------------------------------- */

void pdf_bitmap(struct pdf *p, double x, double y, double width, double height, const uint8_t *bits, unsigned stride, unsigned columns,
                unsigned rows)
{
    char entries[160];
    unsigned bytes = (columns + 7) / 8;
    uint8_t *tight = malloc((size_t)bytes * rows);
    if (!tight)
        abort();
    if (p->page_count < PDF_PAGES && p->objects + 2 * (PDF_PAGES - p->page_count) < OBJECTS && p->images_used + 24 < sizeof(p->images)) {
        for (unsigned r = 0; r < rows; r++)
            memcpy(tight + (size_t)r * bytes, bits + (size_t)r * stride, bytes);
        snprintf(entries, sizeof(entries), "/Type /XObject /Subtype /Image /Width %u /Height %u /ImageMask true /BitsPerComponent 1 "
                 "/Decode [1 0]", columns, rows);
        unsigned number = stream(p, entries, tight, (size_t)bytes * rows);
        p->images_used += (size_t)snprintf(p->images + p->images_used, 24, "/I%u %u 0 R ", number, number);
        content(p, "q %.3f 0 0 %.3f %.3f %.3f cm /I%u Do Q\n", width, height, x, -(y + height), number);
    }
    free(tight);
}

void pdf_page(struct pdf *p, double width, double height)
{
    char start[64];
    size_t n = (size_t)snprintf(start, sizeof(start), "1 0 0 1 0 %.2f cm\n", height);
    if (p->page_count < PDF_PAGES) {
        char *whole = malloc(n + p->used);
        if (!whole)
            abort();
        memcpy(whole, start, n);
        if (p->used)
            memcpy(whole + n, p->content, p->used);
        unsigned body = stream(p, "", whole, n + p->used);
        free(whole);
        p->pages[p->page_count++] = object(p, 0);
        fprintf(p->out, "<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Contents %u 0 R /Resources << /Font << /F0 %d 0 R "
                "/F1 %d 0 R /F2 %d 0 R /F3 %d 0 R /F4 %d 0 R >> /XObject << %s >> >> >>\nendobj\n", PAGES, width, height, body, FONT0,
                FONT0 + 1, FONT0 + 2, FONT0 + 3, SYMBOL, p->images_used ? p->images : "");
    }
    p->used = p->images_used = 0;
}

unsigned pdf_pages(const struct pdf *p) { return p->page_count; }

bool pdf_close(struct pdf *p)
{
    FILE *out = p->out;
    bool ok;
    long table;
    object(p, PAGES);
    fprintf(out, "<< /Type /Pages /Count %u /Kids [", p->page_count);
    for (unsigned n = 0; n < p->page_count; n++)
        fprintf(out, "%u 0 R ", p->pages[n]);
    fprintf(out, "] >>\nendobj\n");
    object(p, CATALOG);
    fprintf(out, "<< /Type /Catalog /Pages %d 0 R >>\nendobj\n", PAGES);
    table = ftell(out);
    fprintf(out, "xref\n0 %u\n0000000000 65535 f \n", p->objects);
    for (unsigned n = 1; n < p->objects; n++)
        fprintf(out, "%010u 00000 n \n", p->offsets[n]);
    fprintf(out, "trailer\n<< /Size %u /Root %d 0 R >>\nstartxref\n%ld\n%%%%EOF\n", p->objects, CATALOG, table);
    ok = !fflush(out) && !ferror(out) && table >= 0;
    free(p->offsets);
    free(p->pages);
    free(p->content);
    free(p);
    return ok;
}
