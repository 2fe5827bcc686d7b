#include "console/ui.h"
#include "base/bits.h"

enum { GLYPH_W = 5, GLYPH_H = 8, ZOOM = 2, FIRST = ' ', GLYPHS = 95 };
static const struct { char letter; uint8_t rows[GLYPH_H]; } glyphs[] = {
#define GLYPH(c, ...) { c, { __VA_ARGS__ } },
#include "console/font.def"
#undef GLYPH
};
_Static_assert(ARRAY_SIZE(glyphs) == GLYPHS, "all of ASCII, in its order");

bool ui_open(struct ui *ui, SDL_Renderer *renderer)
{
    static uint32_t pixels[GLYPH_H][GLYPHS * GLYPH_W];

    for (unsigned g = 0; g < GLYPHS; g++)
        for (unsigned y = 0; y < GLYPH_H; y++)
            for (unsigned x = 0; x < GLYPH_W; x++)
                pixels[y][g * GLYPH_W + x] = glyphs[g].rows[y] >> (GLYPH_W - 1 - x) & 1 ? 0xffffffff : 0x00ffffff;
    ui->renderer = renderer;
    ui->scale = 1;
    ui->font = SDL_CreateTexture(renderer, SDL_PIXELFORMAT_ARGB8888, SDL_TEXTUREACCESS_STATIC, GLYPHS * GLYPH_W, GLYPH_H);
    return ui->font && !SDL_UpdateTexture(ui->font, NULL, pixels, sizeof(pixels[0])) &&
           !SDL_SetTextureBlendMode(ui->font, SDL_BLENDMODE_BLEND) && !SDL_SetTextureScaleMode(ui->font, SDL_ScaleModeNearest);
}

void ui_close(struct ui *ui)
{
    if (ui->font)
        SDL_DestroyTexture(ui->font);
    ui->font = NULL;
}

void ui_box(struct ui *ui, SDL_Rect r, uint32_t colour)
{
    SDL_SetRenderDrawColor(ui->renderer, (uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour, 255);
    SDL_RenderFillRect(ui->renderer, &(SDL_Rect){ r.x * ui->scale, r.y * ui->scale, r.w * ui->scale, r.h * ui->scale });
}

int ui_text(struct ui *ui, int x, int y, uint32_t colour, const char *utf8, int cells)
{
    SDL_SetTextureColorMod(ui->font, (uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour);
    for (; *utf8 && cells > 0; utf8++) {
        unsigned char c = (unsigned char)*utf8;
        if ((c & 0xc0) == 0x80)
            continue;
        if (c < FIRST || c >= FIRST + GLYPHS)
            c = '?';
        SDL_Rect from = { (c - FIRST) * GLYPH_W, 0, GLYPH_W, GLYPH_H };
        SDL_Rect to = { x * ui->scale, y * ui->scale, GLYPH_W * ZOOM * ui->scale, GLYPH_H * ZOOM * ui->scale };
        SDL_RenderCopy(ui->renderer, ui->font, &from, &to);
        x += UI_CELL_W;
        cells--;
    }
    return x;
}

int ui_width(const char *utf8)
{
    int cells = 0;

    for (; *utf8; utf8++)
        cells += (*utf8 & 0xc0) != 0x80;
    return cells * UI_CELL_W;
}
