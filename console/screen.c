#include "console/screen.h"
#include "console/png.h"
#include "console/text.h"
#include <stdlib.h>

enum { CELLS_MAX = 256 * 128, BLANK_WIDTH = 720, BLANK_HEIGHT = 400 };

/* The display hands out what changed; `xrgb` is the first pixel of the rectangle. */
static void take(void *ui, const uint32_t *xrgb, unsigned stride, struct rect r)
{
    struct picture *p = ui;
    unsigned right, bottom;

    if (r.x >= p->width || r.y >= p->height)
        return;
    r.w = (uint16_t)MIN(r.w, p->width - r.x);
    r.h = (uint16_t)MIN(r.h, p->height - r.y);
    if (!r.w || !r.h)
        return;
    for (unsigned y = 0; y < r.h; y++)
        memcpy(p->pixels + (size_t)(r.y + y) * p->width + r.x, xrgb + (size_t)y * stride, r.w * sizeof(*xrgb));
    if (!p->changed.w) {
        p->changed = r;
        return;
    }
    right = MAX(p->changed.x + p->changed.w, r.x + r.w);
    bottom = MAX(p->changed.y + p->changed.h, r.y + r.h);
    p->changed.x = MIN(p->changed.x, r.x);
    p->changed.y = MIN(p->changed.y, r.y);
    p->changed.w = (uint16_t)(right - p->changed.x);
    p->changed.h = (uint16_t)(bottom - p->changed.y);
}

static void picture_resize(struct picture *p, unsigned width, unsigned height)
{
    free(p->pixels);
    p->pixels = calloc((size_t)width * height, sizeof(*p->pixels));
    if (!p->pixels)
        abort();
    p->width = width;
    p->height = height;
}

bool picture_update(struct picture *p, struct machine *m, bool whole)
{
    unsigned width = 0, height = 0;

    p->changed = (struct rect){ 0 };
    machine_lock(m);
    if (m->display.size)
        m->display.size(m->display.chip, &width, &height);
    if (width && height) {
        if (width != p->width || height != p->height) {
            picture_resize(p, width, height);
            whole = true;
        }
        m->display.refresh(m->display.chip, whole, take, p);
        machine_unlock(m);
        return p->changed.w;
    }
    machine_unlock(m);
    if (p->pixels && !whole && !any_nonzero(p->pixels, (size_t)p->width * p->height * sizeof(*p->pixels)))
        return false;
    if (!p->pixels)
        picture_resize(p, BLANK_WIDTH, BLANK_HEIGHT);
    memset(p->pixels, 0, (size_t)p->width * p->height * sizeof(*p->pixels));
    p->changed = (struct rect){ 0, 0, (uint16_t)p->width, (uint16_t)p->height };
    return true;
}

void picture_free(struct picture *p)
{
    free(p->pixels);
    *p = (struct picture){ 0 };
}

/* part: of a, in 256ths. */
static uint32_t mix(uint32_t a, uint32_t b, uint32_t part)
{
    uint32_t odd = ((a & 0xff00ff) * part + (b & 0xff00ff) * (256 - part)) >> 8 & 0xff00ff;
    uint32_t even = ((a & 0x00ff00) * part + (b & 0x00ff00) * (256 - part)) >> 8 & 0x00ff00;

    return odd | even;
}

void picture_stretch(const struct picture *p, unsigned zoom, unsigned height, unsigned first, unsigned last, uint32_t *to)
{
    for (uint64_t y = first; y < last; y++) {
        uint64_t start = y * p->height, row = start / height, end = (row + 1) * height;     /* in parts of rows */
        const uint32_t *a = p->pixels + row * p->width, *b = a;
        uint32_t part = 256;
        if (start + p->height > end) {
            part = (uint32_t)((end - start) * 256 / p->height);
            b = a + p->width;
        }
        for (unsigned x = 0; x < p->width; x++) {
            uint32_t pixel = a[x] == b[x] ? a[x] : mix(a[x], b[x], part);
            for (unsigned i = 0; i < zoom; i++)
                *to++ = pixel;
        }
    }
}

bool screen_save(struct machine *m, const char *path, struct error *err)
{
    struct picture p = { 0 };
    bool ok;

    picture_update(&p, m, true);
    ok = png_save(path, p.pixels, p.width, p.height, err);
    picture_free(&p);
    return ok;
}

/* Copies the cells; returns false when there is no text screen. */
static bool cells_copy(struct machine *m, unsigned *columns, unsigned *rows, uint8_t *cells)
{
    bool text;

    *columns = *rows = 0;
    machine_lock(m);
    text = m->display.text && m->display.text(m->display.chip, columns, rows, cells, CELLS_MAX);
    machine_unlock(m);
    return text && *columns && *rows && (size_t)*columns * *rows <= CELLS_MAX;
}

char *screen_text(struct machine *m)
{
    uint8_t *cells = malloc(CELLS_MAX);
    unsigned columns, rows;
    char *text = NULL;
    size_t used = 0;

    if (cells && cells_copy(m, &columns, &rows, cells)) {
        text = malloc((size_t)rows * (columns * UTF8_PER_CELL + 4) + 1);
        for (unsigned y = 0; text && y < rows; y++) {
            cp437_to_utf8(cells + (size_t)y * columns, columns, text + used, columns * UTF8_PER_CELL + 4);
            used += text_trim(text + used);
            text[used++] = '\n';
        }
        if (text)
            text[used] = 0;
    }
    free(cells);
    return text;
}

bool screen_has(struct machine *m, const char *wanted)
{
    static _Thread_local uint8_t cells[CELLS_MAX];
    char row[256 * UTF8_PER_CELL + 4];
    unsigned columns, rows;

    if (!cells_copy(m, &columns, &rows, cells) || columns > 256)
        return false;
    for (unsigned y = 0; y < rows; y++) {
        cp437_to_utf8(cells + (size_t)y * columns, columns, row, sizeof(row));
        if (strstr(row, wanted))
            return true;
    }
    return false;
}
