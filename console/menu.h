/* The window's menu: one page of lines at a time, or a line to type a path into. It draws itself and takes keys and clicks;
 * what was chosen comes back as an action. */
#ifndef CONSOLE_MENU_H
#define CONSOLE_MENU_H
#include "console/ui.h"

enum menu_action { MENU_NOTHING, MENU_CLOSED, MENU_STOP, MENU_POWER_BUTTON, MENU_POWER_OFF, MENU_KEYS, MENU_DRIVE, MENU_INSERT,
                   MENU_EJECT, MENU_FULL_SCREEN, MENU_SCALING, MENU_SCREENSHOT, MENU_PASTE };
enum { MENU_ITEMS = 24, MENU_LABEL = 64, MENU_PATH = 1024 };
struct menu_item { char label[MENU_LABEL], hint[16]; enum menu_action action; char argument[32]; };     /* hint: its keys */
struct menu {
    bool open, typing;                          /* typing: a path is asked for */
    char title[MENU_LABEL];
    struct menu_item items[MENU_ITEMS];
    unsigned count, selected;
    char path[MENU_PATH], argument[32];
    SDL_Rect where;                             /* of the first line, as drawn last */
};

void menu_start(struct menu *, const char *title);      /* an empty page, open */
void menu_add(struct menu *, enum menu_action, const char *argument, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void menu_ask_path(struct menu *, const char *title, const char *argument);
/* What the user chose with this event, whose positions are those of the drawing; *item stays valid until the menu changes. MENU_INSERT: the path is in menu->path. */
enum menu_action menu_event(struct menu *, const SDL_Event *, struct menu_item *chosen);
void menu_draw(struct menu *, struct ui *, int width, int height);

#endif
