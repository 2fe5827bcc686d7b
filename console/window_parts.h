/* Private to window.c (picture) and window_input.c (keyboard, mouse, menu). */
#ifndef CONSOLE_WINDOW_PARTS_H
#define CONSOLE_WINDOW_PARTS_H
#include "console/menu.h"
#include "console/screen.h"
#include "console/window.h"

enum { KEYS_MAX = 0xe8 };                       /* USB usages of the keyboard page that a PC keyboard has */
struct window {
    struct session *session;
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *screen, *sharp;                /* the guest's pixels; the same enlarged, when rows mix */
    bool sharp_old;                             /* `sharp` was not kept up with `screen` */
    int screen_w, screen_h, sharp_w, sharp_h;
    int asked_w, asked_h;                       /* the window's size that we chose; another one is its user's */
    SDL_Rect shown;                             /* where the picture is in the window */
    struct picture picture;
    struct ui ui;
    struct menu menu;
    bool smooth, full_screen, captured, dirty, whole, user_size;
    bool key_down[KEYS_MAX];
    bool chord;                                 /* Ctrl and Alt are down and nothing else was pressed since */
    unsigned buttons;
    float density;                              /* pixels of the picture for one unit of the window's own measure */
    int64_t frame, change, awake_until, second, busy_until, notice_until;       /* host time in ns */
    double cpu_seconds;
    unsigned load, activity;                    /* percent of a processor; drive accesses seen */
    char notice[NOTICE_SIZE], title[128];
};

void window_event(struct window *, const SDL_Event *);
void window_capture(struct window *, bool);
void window_title(struct window *);
void window_clipboard(struct window *, bool changed);
void window_main_menu(struct window *);
void window_close_menu(struct window *);        /* what the close button asks */
bool window_absolute(struct window *);          /* the guest takes absolute positions: no capture needed */

#endif
