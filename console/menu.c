#include "console/menu.h"
#include "base/bits.h"
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE_H = UI_CELL_H + 6, MARGIN = 10 };

void menu_start(struct menu *m, const char *title)
{
    *m = (struct menu){ .open = true };
    snprintf(m->title, sizeof(m->title), "%s", title);
}

void menu_add(struct menu *m, enum menu_action action, const char *argument, const char *hint, const char *fmt, ...)
{
    struct menu_item *item;
    va_list ap;

    if (m->count == MENU_ITEMS)
        return;
    item = &m->items[m->count++];
    item->action = action;
    snprintf(item->argument, sizeof(item->argument), "%s", argument ? argument : "");
    snprintf(item->hint, sizeof(item->hint), "%s", hint ? hint : "");
    va_start(ap, fmt);
    vsnprintf(item->label, sizeof(item->label), fmt, ap);
    va_end(ap);
}

void menu_ask_path(struct menu *m, const char *title, const char *argument)
{
    menu_start(m, title);
    m->typing = true;
    snprintf(m->argument, sizeof(m->argument), "%s", argument);
    SDL_StartTextInput();
}

static void menu_close(struct menu *m)
{
    if (m->typing)
        SDL_StopTextInput();
    m->open = m->typing = false;
}

/* Tab: the path grows as far as the names that exist agree. */
static void complete(struct menu *m)
{
    char pattern[MENU_PATH + 2];
    size_t length, agreed;
    glob_t g;

    snprintf(pattern, sizeof(pattern), "%s*", m->path);
    if (glob(pattern, GLOB_MARK | GLOB_TILDE, NULL, &g))
        return;
    agreed = strlen(g.gl_pathv[0]);
    for (size_t i = 1; i < g.gl_pathc; i++)
        for (length = 0; length < agreed; length++)
            if (g.gl_pathv[i][length] != g.gl_pathv[0][length])
                agreed = length;
    if (agreed < sizeof(m->path))
        snprintf(m->path, sizeof(m->path), "%.*s", (int)agreed, g.gl_pathv[0]);
    globfree(&g);
}

/* Text of the keyboard or the clipboard goes to the end of the path. */
static void path_add(struct menu *m, const char *text)
{
    size_t n = strlen(m->path);

    snprintf(m->path + n, sizeof(m->path) - n, "%.*s", (int)strcspn(text, "\r\n"), text);
}

static void path_paste(struct menu *m)
{
    char *text = SDL_GetClipboardText();

    if (text)
        path_add(m, text);
    SDL_free(text);
}

static enum menu_action typing_event(struct menu *m, const SDL_Event *e, struct menu_item *chosen)
{
    size_t n = strlen(m->path);

    if (e->type == SDL_TEXTINPUT)
        path_add(m, e->text.text);
    if (e->type != SDL_KEYDOWN)
        return MENU_NOTHING;
    switch (e->key.keysym.scancode) {
    case SDL_SCANCODE_BACKSPACE:
        while (n && (m->path[n - 1] & 0xc0) == 0x80)
            n--;
        m->path[n ? n - 1 : 0] = 0;
        break;
    case SDL_SCANCODE_TAB:
        complete(m);
        break;
    case SDL_SCANCODE_V:
        if (e->key.keysym.mod & KMOD_CTRL)
            path_paste(m);
        break;
    case SDL_SCANCODE_ESCAPE:
        menu_close(m);
        return MENU_CLOSED;
    case SDL_SCANCODE_RETURN:
    case SDL_SCANCODE_KP_ENTER:
        *chosen = (struct menu_item){ .action = MENU_INSERT };
        snprintf(chosen->argument, sizeof(chosen->argument), "%s", m->argument);
        menu_close(m);
        return n ? MENU_INSERT : MENU_CLOSED;
    default:
        break;
    }
    return MENU_NOTHING;
}

static enum menu_action choose(struct menu *m, unsigned index, struct menu_item *chosen)
{
    *chosen = m->items[index];
    menu_close(m);
    return chosen->action;
}

/* The line under the pointer, or -1. */
static int line_at(const struct menu *m, int x, int y)
{
    int line = (y - m->where.y) / LINE_H;

    if (x < m->where.x || x >= m->where.x + m->where.w || y < m->where.y || line >= (int)m->count)
        return -1;
    return line;
}

enum menu_action menu_event(struct menu *m, const SDL_Event *e, struct menu_item *chosen)
{
    int line;

    if (m->typing)
        return typing_event(m, e, chosen);
    if (e->type == SDL_MOUSEMOTION && (line = line_at(m, e->motion.x, e->motion.y)) >= 0)
        m->selected = (unsigned)line;
    if (e->type == SDL_MOUSEBUTTONDOWN) {
        line = line_at(m, e->button.x, e->button.y);
        if (line >= 0)
            return choose(m, (unsigned)line, chosen);
        menu_close(m);
        return MENU_CLOSED;
    }
    if (e->type != SDL_KEYDOWN)
        return MENU_NOTHING;
    switch (e->key.keysym.scancode) {
    case SDL_SCANCODE_UP:
        m->selected = (m->selected + m->count - 1) % m->count;
        break;
    case SDL_SCANCODE_DOWN:
    case SDL_SCANCODE_TAB:
        m->selected = (m->selected + 1) % m->count;
        break;
    case SDL_SCANCODE_RETURN:
    case SDL_SCANCODE_KP_ENTER:
    case SDL_SCANCODE_SPACE:
        return choose(m, m->selected, chosen);
    case SDL_SCANCODE_ESCAPE:
        menu_close(m);
        return MENU_CLOSED;
    default:
        break;
    }
    return MENU_NOTHING;
}

void menu_draw(struct menu *m, struct ui *ui, int width, int height)
{
    int w = ui_width(m->title), lines = m->typing ? 2 : (int)m->count, cells;
    SDL_Rect panel;

    for (unsigned i = 0; i < m->count; i++)
        w = MAX(w, ui_width(m->items[i].label) + (*m->items[i].hint ? ui_width(m->items[i].hint) + 2 * UI_CELL_W : 0));
    if (m->typing)
        w = MAX(w, width * 3 / 4);
    w = MIN(w + 2 * MARGIN, width);
    panel = (SDL_Rect){ (width - w) / 2, UI_BAR_H + MARGIN, w, (lines + 1) * LINE_H + 2 * MARGIN };
    if (panel.y + panel.h > height)
        panel.y = MAX(0, height - panel.h);
    cells = (w - 2 * MARGIN) / UI_CELL_W;
    ui_box(ui, (SDL_Rect){ panel.x - 2, panel.y - 2, panel.w + 4, panel.h + 4 }, UI_DIM);
    ui_box(ui, panel, UI_PANEL);
    ui_text(ui, panel.x + MARGIN, panel.y + MARGIN, UI_BUSY, m->title, cells);
    m->where = (SDL_Rect){ panel.x, panel.y + MARGIN + LINE_H, panel.w, lines * LINE_H };
    if (m->typing) {
        int length = ui_width(m->path) / UI_CELL_W, skip = MAX(0, length - cells + 1);
        int x = ui_text(ui, panel.x + MARGIN, m->where.y + 3, UI_INK, m->path + MIN((size_t)skip, strlen(m->path)), cells - 1);
        ui_box(ui, (SDL_Rect){ x, m->where.y + 3, UI_CELL_W - 2, UI_CELL_H - 2 }, UI_MARK);
        ui_text(ui, panel.x + MARGIN, m->where.y + LINE_H + 3, UI_DIM, "Enter inserts, Tab completes, Esc leaves", cells);
    }
    for (unsigned i = 0; i < m->count; i++) {
        int y = m->where.y + (int)i * LINE_H;
        if (i == m->selected)
            ui_box(ui, (SDL_Rect){ panel.x, y, panel.w, LINE_H }, UI_MARK);
        ui_text(ui, panel.x + MARGIN, y + 3, UI_INK, m->items[i].label, cells);
        ui_text(ui, panel.x + panel.w - MARGIN - ui_width(m->items[i].hint), y + 3, UI_DIM, m->items[i].hint, cells);
    }
}
