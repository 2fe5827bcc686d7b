/* Letters and boxes on an SDL renderer, for menu and status line. */
#ifndef CONSOLE_UI_H
#define CONSOLE_UI_H
#include <SDL.h>
#include <stdbool.h>

enum { UI_CELL_W = 12, UI_CELL_H = 18,          /* a letter with its gap, at a scale of 1 */
       UI_BAR_H = 24 };
enum { UI_INK = 0xe8e8e0, UI_DIM = 0x9a9a92, UI_BACK = 0x24282c, UI_PANEL = 0x30363c, UI_MARK = 0x2f6f8f, UI_BUSY = 0xe8b040, UI_ROOM = 0x121416 };
struct ui { SDL_Renderer *renderer; SDL_Texture *font; int scale; };      /* scale: 2 and more on screens of high density */

bool ui_open(struct ui *, SDL_Renderer *);
void ui_close(struct ui *);
void ui_box(struct ui *, SDL_Rect, uint32_t colour);
/* All measures below are those of a scale of 1. At most `cells` letters; other characters than ASCII show as '?'. Returns the x behind the last. */
int ui_text(struct ui *, int x, int y, uint32_t colour, const char *utf8, int cells);
int ui_width(const char *utf8);

#endif
