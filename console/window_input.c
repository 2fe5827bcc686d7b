/* Keyboard, mouse and menu of the window.
 *
 * Every key goes to the guest by its place on the keyboard: SDL's scan codes are the USB usages that the machine takes.
 * Ctrl+Alt is the host's: released without another key it frees the mouse; with M or F12 it opens the menu, with F it
 * switches full screen, with S it takes a screenshot, with Delete it sends Ctrl-Alt-Del. */
#include "console/window_parts.h"
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FLOPPY_LARGEST = 2949120 };

/* In counted time the steps of the command line are the only input. */
static void live(struct window *w, struct live_event e)
{
    if (!w->session->counted)
        typist_live(&w->session->typist, e);
}

static void send_key(struct window *w, uint16_t usage, bool down)
{
    live(w, (struct live_event){ .kind = LIVE_KEY, .usage = usage, .down = down });
}

static void send_motion(struct window *w, int dx, int dy, int dz)
{
    live(w, (struct live_event){ LIVE_MOVE, .x = dx, .y = dy, .dz = dz, .buttons = w->buttons });
}

static void release_keys(struct window *w)
{
    for (uint16_t k = 0; k < KEYS_MAX; k++)
        if (w->key_down[k]) {
            w->key_down[k] = false;
            send_key(w, k, false);
        }
    w->chord = false;
}

bool window_absolute(struct window *w)
{
    return machine_pointer_absolute(w->session->machine);
}

void window_capture(struct window *w, bool on)
{
    if (w->captured == on)
        return;
    w->captured = on;
    if (on && w->full_screen)
        session_notice(w->session, "Ctrl+Alt frees the mouse");
    SDL_SetRelativeMouseMode(on);
    SDL_SetWindowKeyboardGrab(w->window, on);
    w->dirty = true;
    window_title(w);
}

/* floppy0 is what its user calls drive A. */
static void drive_name(const char *drive, char *name, size_t size)
{
    if (!strncmp(drive, "floppy", 6))
        snprintf(name, size, "Floppy drive %c", 'A' + drive[6] - '0');
    else if (!strncmp(drive, "cdrom", 5))
        snprintf(name, size, "CD-ROM drive");
    else
        snprintf(name, size, "Drive %s", drive);
}

void window_main_menu(struct window *w)
{
    char name[32];
    bool removable;
    const char *drive;

    window_capture(w, false);
    release_keys(w);
    menu_start(&w->menu, w->session->name);
    menu_add(&w->menu, MENU_KEYS, "ctrl-alt-del", NULL, "Send Ctrl-Alt-Del");
    menu_add(&w->menu, MENU_KEYS, "printscreen", NULL, "Send Print Screen");
    menu_add(&w->menu, MENU_KEYS, "pause", NULL, "Send Pause");
    menu_add(&w->menu, MENU_PASTE, NULL, NULL, "Type the text of the clipboard");
    machine_lock(w->session->machine);
    for (unsigned i = 0; (drive = machine_drive(w->session->machine, i, &removable)); i++)
        if (removable) {
            drive_name(drive, name, sizeof(name));
            const char *medium = session_medium(w->session, drive);
            menu_add(&w->menu, MENU_DRIVE, drive, NULL, "%s: %s...", name, *medium ? medium : "empty");
        }
    machine_unlock(w->session->machine);
    menu_add(&w->menu, MENU_FULL_SCREEN, NULL, "Ctrl+Alt+F", "%s", w->full_screen ? "Leave full screen" : "Full screen");
    menu_add(&w->menu, MENU_SCALING, NULL, NULL, "%s", w->smooth ? "Sharp pixels" : "Smooth picture, as large as fits");
    menu_add(&w->menu, MENU_SCREENSHOT, NULL, "Ctrl+Alt+S", "Save a screenshot");
    menu_add(&w->menu, MENU_STOP, NULL, NULL, "Shut the system down");
    menu_add(&w->menu, MENU_POWER_BUTTON, NULL, NULL, "Press the power button");
    menu_add(&w->menu, MENU_POWER_OFF, NULL, NULL, "Power off now, as if unplugged");
    menu_add(&w->menu, MENU_CLOSED, NULL, "Esc", "Back");
    w->dirty = true;
}

void window_close_menu(struct window *w)
{
    window_capture(w, false);
    release_keys(w);
    menu_start(&w->menu, "The machine is running");
    menu_add(&w->menu, MENU_CLOSED, NULL, "Esc", "Keep it running");
    menu_add(&w->menu, MENU_STOP, NULL, NULL, "Shut the system down, as its profile says");
    menu_add(&w->menu, MENU_POWER_OFF, NULL, NULL, "Power off now, as if unplugged");
    w->dirty = true;
}

static void drive_menu(struct window *w, const char *drive)
{
    char name[32];
    bool locked;

    drive_name(drive, name, sizeof(name));
    machine_lock(w->session->machine);
    locked = machine_medium_locked(w->session->machine, drive);
    machine_unlock(w->session->machine);
    menu_start(&w->menu, name);
    menu_add(&w->menu, MENU_NOTHING, drive, NULL, "Insert an image file...");
    if (*session_medium(w->session, drive))
        menu_add(&w->menu, MENU_EJECT, drive, NULL, "Eject %s%s", session_medium(w->session, drive), locked ? " (the system has locked the door)" : "");
    menu_add(&w->menu, MENU_CLOSED, NULL, "Esc", "Back");
}

static void insert(struct window *w, const char *drive, const char *file)
{
    const char *home = getenv("HOME");
    char name[32], path[PATH_MAX];
    struct error err;

    if (file) {
        bool tilde = file[0] == '~' && file[1] == '/' && home;
        snprintf(path, sizeof(path), "%s%s", tilde ? home : "", tilde ? file + 1 : file);
    }
    drive_name(drive, name, sizeof(name));
    if (!session_media(w->session, drive, file ? path : NULL, &err))
        session_notice(w->session, "%s", err.text);
    else if (file)
        session_notice(w->session, "%s: %s", name, path);
    else
        session_notice(w->session, "%s is empty", name);
}

static void paste(struct window *w)
{
    char *text = SDL_GetClipboardText();
    struct error err;

    if (!text || !*text)
        session_notice(w->session, "the clipboard holds no text");
    else if (!session_paste(w->session, text, &err))
        session_notice(w->session, "%s", err.text);
    SDL_free(text);
}

/* A file dropped on the window: small ones are floppy disks, all others CDs. */
static void drop(struct window *w, const char *file)
{
    size_t length = strlen(file);
    struct stat st;
    bool iso = length > 4 && !strcasecmp(file + length - 4, ".iso");

    insert(w, !iso && !stat(file, &st) && st.st_size <= FLOPPY_LARGEST ? "floppy0" : "cdrom0", file);
}

/* Into the user's pictures, or the current folder. */
static void screenshot(struct window *w)
{
    char path[PATH_MAX], stamp[32];
    const char *folder = getenv("XDG_PICTURES_DIR");
    time_t now = time(NULL);
    struct tm tm;
    struct error err;

    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
    snprintf(path, sizeof(path), "%s%s%s-%s.png", folder ? folder : "", folder ? "/" : "", w->session->name, stamp);
    if (screen_save(w->session->machine, path, &err))
        session_notice(w->session, "saved %s", path);
    else
        session_notice(w->session, "%s", err.text);
}

static void full_screen(struct window *w)
{
    w->full_screen = !w->full_screen;
    SDL_SetWindowFullscreen(w->window, w->full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    if (w->full_screen)
        session_notice(w->session, "Ctrl+Alt+F leaves full screen, Ctrl+Alt+M opens the menu, Ctrl+Alt frees the mouse");
    w->dirty = true;
}

static void act(struct window *w, enum menu_action action, const struct menu_item *item)
{
    struct error err;

    switch (action) {
    case MENU_STOP:
        if (!session_stop(w->session, &err))
            session_notice(w->session, "%s", err.text);
        break;
    case MENU_POWER_BUTTON: session_power_button(w->session); break;
    case MENU_POWER_OFF: session_kill(w->session); break;
    case MENU_KEYS: session_chord(w->session, item->argument); break;
    case MENU_DRIVE: drive_menu(w, item->argument); break;
    case MENU_EJECT: insert(w, item->argument, NULL); break;
    case MENU_INSERT: insert(w, item->argument, w->menu.path); break;
    case MENU_FULL_SCREEN: full_screen(w); break;
    case MENU_SCALING: w->smooth = !w->smooth; break;
    case MENU_SCREENSHOT: screenshot(w); break;
    case MENU_PASTE: paste(w); break;
    case MENU_NOTHING:
        if (item->argument[0])
            menu_ask_path(&w->menu, "Image file to insert:", item->argument);
        break;
    case MENU_CLOSED: break;
    }
}

static void menu_input(struct window *w, const SDL_Event *e)
{
    struct menu_item item = { 0 };
    SDL_Event drawn = *e;
    enum menu_action action;

    if (e->type == SDL_MOUSEBUTTONDOWN || e->type == SDL_MOUSEBUTTONUP) {
        drawn.button.x /= w->ui.scale;
        drawn.button.y /= w->ui.scale;
    } else if (e->type == SDL_MOUSEMOTION) {
        drawn.motion.x /= w->ui.scale;
        drawn.motion.y /= w->ui.scale;
    }
    action = menu_event(&w->menu, &drawn, &item);

    if (action != MENU_NOTHING || item.argument[0])
        act(w, action, &item);
    w->dirty = true;
}

/* Ctrl+Alt and this key belong to the host. true: it was one of them. */
static bool host_key(struct window *w, SDL_Scancode code)
{
    switch (code) {
    case SDL_SCANCODE_M:
    case SDL_SCANCODE_F12: window_main_menu(w); return true;
    case SDL_SCANCODE_F: release_keys(w); full_screen(w); return true;
    case SDL_SCANCODE_S: screenshot(w); return true;
    default: return false;
    }
}

static bool is_modifier(SDL_Scancode code)
{
    return code >= SDL_SCANCODE_LCTRL && code <= SDL_SCANCODE_RGUI;
}

static void keyboard(struct window *w, const SDL_KeyboardEvent *k)
{
    SDL_Scancode code = k->keysym.scancode;
    bool down = k->type == SDL_KEYDOWN, ctrl, alt;

    if (k->repeat || code == SDL_SCANCODE_UNKNOWN || (unsigned)code >= KEYS_MAX)
        return;                                 /* the guest's keyboard repeats by itself */
    ctrl = w->key_down[SDL_SCANCODE_LCTRL] || w->key_down[SDL_SCANCODE_RCTRL];
    alt = w->key_down[SDL_SCANCODE_LALT] || w->key_down[SDL_SCANCODE_RALT];
    if (down && ctrl && alt && host_key(w, code)) {
        w->chord = false;
        return;
    }
    if (!down && w->chord && is_modifier(code)) {
        w->chord = false;
        window_capture(w, false);
    }
    if (down != w->key_down[code]) {
        w->key_down[code] = down;
        send_key(w, (uint16_t)code, down);
    }
    if (!down)
        return;
    ctrl = w->key_down[SDL_SCANCODE_LCTRL] || w->key_down[SDL_SCANCODE_RCTRL];
    alt = w->key_down[SDL_SCANCODE_LALT] || w->key_down[SDL_SCANCODE_RALT];
    w->chord = ctrl && alt && is_modifier(code);
}

static unsigned button_bit(uint8_t button)
{
    static const uint8_t bits[] = { [SDL_BUTTON_LEFT] = 1, [SDL_BUTTON_RIGHT] = 2, [SDL_BUTTON_MIDDLE] = 4, [SDL_BUTTON_X1] = 8,
                                    [SDL_BUTTON_X2] = 16 };

    return button < ARRAY_SIZE(bits) ? bits[button] : 0;
}

/* A position in the window as 0..65535 of the picture. */
static void pointer_at(struct window *w, int x, int y, int dz)
{
    int64_t px = (int64_t)(x - w->shown.x) * 65535 / MAX(1, w->shown.w - 1);
    int64_t py = (int64_t)(y - w->shown.y) * 65535 / MAX(1, w->shown.h - 1);

    live(w, (struct live_event){ LIVE_AT, .x = (int)MAX(0, MIN(px, 65535)),
                                                          .y = (int)MAX(0, MIN(py, 65535)), .dz = dz, .buttons = w->buttons });
}

static bool in_picture(const struct window *w, int x, int y)
{
    return x >= w->shown.x && y >= w->shown.y && x < w->shown.x + w->shown.w && y < w->shown.y + w->shown.h;
}

static void mouse_button(struct window *w, const SDL_MouseButtonEvent *b)
{
    bool down = b->type == SDL_MOUSEBUTTONDOWN;

    if (down && !w->captured && b->y < UI_BAR_H * w->ui.scale && (!w->full_screen || w->notice_until)) {
        window_main_menu(w);
        return;
    }
    if (!w->captured && !window_absolute(w)) {
        if (down && in_picture(w, b->x, b->y))
            window_capture(w, true);            /* this click is only for us */
        return;
    }
    w->buttons = down ? w->buttons | button_bit(b->button) : w->buttons & ~button_bit(b->button);
    if (window_absolute(w))
        pointer_at(w, b->x, b->y, 0);
    else
        send_motion(w, 0, 0, 0);
}

static void mouse(struct window *w, const SDL_Event *e)
{
    int x, y;

    if (e->type == SDL_MOUSEBUTTONDOWN || e->type == SDL_MOUSEBUTTONUP) {
        mouse_button(w, &e->button);
    } else if (e->type == SDL_MOUSEMOTION) {
        if (window_absolute(w))
            pointer_at(w, e->motion.x, e->motion.y, 0);
        else if (w->captured)
            send_motion(w, e->motion.xrel, e->motion.yrel, 0);
    } else if (window_absolute(w)) {
        SDL_GetMouseState(&x, &y);
        pointer_at(w, (int)((float)x * w->density), (int)((float)y * w->density), e->wheel.y);
    } else if (w->captured) {
        send_motion(w, 0, 0, e->wheel.y);
    }
}

/* Positions of events become pixels. */
static SDL_Event in_pixels(const struct window *w, const SDL_Event *e)
{
    SDL_Event p = *e;

    if (e->type == SDL_MOUSEBUTTONDOWN || e->type == SDL_MOUSEBUTTONUP) {
        p.button.x = (int)((float)p.button.x * w->density);
        p.button.y = (int)((float)p.button.y * w->density);
    } else if (e->type == SDL_MOUSEMOTION) {
        p.motion.x = (int)((float)p.motion.x * w->density);
        p.motion.y = (int)((float)p.motion.y * w->density);
    }
    return p;
}

void window_event(struct window *w, const SDL_Event *event)
{
    const SDL_Event pixels = in_pixels(w, event), *e = &pixels;

    switch (e->type) {
    case SDL_QUIT:
        window_close_menu(w);
        return;
    case SDL_WINDOWEVENT:
        if (e->window.event == SDL_WINDOWEVENT_FOCUS_LOST) {
            release_keys(w);
            window_capture(w, false);
        }
        if (e->window.event == SDL_WINDOWEVENT_RESIZED && !w->full_screen && w->asked_w)
            w->user_size |= e->window.data1 != w->asked_w || e->window.data2 != w->asked_h;
        if (e->window.event == SDL_WINDOWEVENT_FOCUS_GAINED)
            window_clipboard(w, true);
        w->dirty = true;
        return;
    case SDL_CLIPBOARDUPDATE:
        window_clipboard(w, true);
        return;
    case SDL_DROPFILE:
        drop(w, e->drop.file);
        SDL_free(e->drop.file);
        return;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
        w->whole = w->dirty = w->sharp_old = true;
        return;
    }
    if (w->menu.open) {
        menu_input(w, e);
        return;
    }
    switch (e->type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        keyboard(w, &e->key);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
    case SDL_MOUSEMOTION:
    case SDL_MOUSEWHEEL:
        mouse(w, e);
        break;
    }
}
