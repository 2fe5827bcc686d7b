/* The window's picture: the guest's screen with the tube's aspect, a menu bar above it and a status line below.
 *
 * Positions: the window and SDL's events have a measure of their own; the picture and `shown` count pixels, of which there
 * are `density` for each; bars and menu are drawn in a measure that is ui.scale pixels, so that they can be read anywhere.
 *
 * A PC's picture is 4:3 whatever its pixels: 720 x 400 text is stretched upwards. "Sharp" makes each pixel a whole number of pixels
 * wide; in height only rows that lie on two of the guest's mix them, and none where the height comes out whole. "Smooth"
 * fills the window. */
#include "console/window_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { FRAME_NS = 16000000, REST_NS = 50000000, CHANGE_NS = 100000000, SECOND_NS = 1000000000, BUSY_NS = 120000000,
       LEAST_W = 480, LEAST_H = 440, ZOOM_MAX = 16, LOAD_STEP = 2, GL_RENDERER_NAME = 0x1f01, SCALE_MAX = 4 };
static const int64_t notice_ns = 8ll * SECOND_NS;

/* --- layout ---------------------------------------------------------------------------------------------------------- */

static struct rect aspect_of(struct window *w)
{
    struct machine *m = w->session->machine;
    struct rect a = { .w = (uint16_t)w->picture.width, .h = (uint16_t)w->picture.height };

    machine_lock(m);
    if (m->display.aspect)
        a = m->display.aspect(m->display.chip);
    machine_unlock(m);
    return a.w && a.h ? a : (struct rect){ .w = 4, .h = 3 };
}

static int bars(const struct window *w)
{
    return w->full_screen ? 0 : UI_BAR_H * w->ui.scale;
}

/* X11 has no density: there the desktop's word counts, then the size of the screen in millimetres. */
static float x11_density(struct window *w)
{
    const char *driver = SDL_GetCurrentVideoDriver(), *desktop = getenv("GDK_SCALE");
    float dpi;

    if (desktop && atoi(desktop) > 0)
        return (float)atoi(desktop);
    if (!driver || strcmp(driver, "x11") || SDL_GetDisplayDPI(MAX(0, SDL_GetWindowDisplayIndex(w->window)), NULL, NULL, &dpi))
        return 1;
    return dpi / 96;
}

static void measure(struct window *w)
{
    int width, height, pixels, ignored;

    SDL_GetWindowSize(w->window, &width, &height);
    SDL_GetRendererOutputSize(w->renderer, &pixels, &ignored);
    w->density = (float)pixels / (float)MAX(1, width);
    w->ui.scale = MIN(SCALE_MAX, MAX(1, (int)(MAX(w->density, x11_density(w)) + 0.3f)));
}

/* The size in which each pixel is `zoom` wide. */
static void zoomed(struct window *w, struct rect aspect, int zoom, int *width, int *height)
{
    *width = w->screen_w * zoom;
    *height = *width * aspect.h / aspect.w;
}

static void place_picture(struct window *w)
{
    struct rect a = aspect_of(w);
    int width, height, room_w, room_h, pw, ph, zoom = 1;

    SDL_GetRendererOutputSize(w->renderer, &width, &height);
    room_w = width;
    room_h = MAX(1, height - 2 * bars(w));
    pw = MIN(room_w, room_h * a.w / a.h);
    ph = pw * a.h / a.w;
    if (!w->smooth) {
        while (zoom < ZOOM_MAX && w->screen_w * (zoom + 1) <= pw)
            zoom++;
        if (w->screen_w * zoom <= pw)
            zoomed(w, a, zoom, &pw, &ph);
    }
    w->shown = (SDL_Rect){ (room_w - pw) / 2, bars(w) + (room_h - ph) / 2, pw, MAX(1, ph) };
}

/* A new video mode: the window takes the picture's own size unless the user has given it one. */
static void natural_size(struct window *w)
{
    int width, height, zoom = (w->screen_w <= 400 ? 2 : 1) * w->ui.scale;
    SDL_Rect room;

    if (w->user_size || w->full_screen)
        return;
    zoomed(w, aspect_of(w), zoom, &width, &height);
    width = (int)((float)MAX(width, LEAST_W * w->ui.scale) / w->density);
    height = (int)((float)MAX(height + 2 * bars(w), LEAST_H * w->ui.scale) / w->density);
    if (!SDL_GetDisplayUsableBounds(MAX(0, SDL_GetWindowDisplayIndex(w->window)), &room)) {
        width = MIN(width, room.w);
        height = MIN(height, room.h);
    }
    w->asked_w = width;
    w->asked_h = height;
    SDL_SetWindowSize(w->window, width, height);
}

/* --- picture --------------------------------------------------------------------------------------------------------- */

static bool screen_texture(struct window *w)
{
    if (w->screen && w->screen_w == (int)w->picture.width && w->screen_h == (int)w->picture.height)
        return true;
    if (w->screen)
        SDL_DestroyTexture(w->screen);
    w->screen_w = (int)w->picture.width;
    w->screen_h = (int)w->picture.height;
    w->screen = SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, w->screen_w, w->screen_h);
    w->picture.changed = (struct rect){ 0, 0, (uint16_t)w->screen_w, (uint16_t)w->screen_h };
    if (w->screen)
        natural_size(w);
    return w->screen;
}

static void update_texture(struct window *w)
{
    struct rect c = w->picture.changed;
    SDL_Rect r = { c.x, c.y, c.w, c.h };

    if (screen_texture(w)) {
        c = w->picture.changed;
        r = (SDL_Rect){ c.x, c.y, c.w, c.h };
        SDL_UpdateTexture(w->screen, &r, w->picture.pixels + (size_t)c.y * w->picture.width + c.x,
                          (int)(w->picture.width * sizeof(uint32_t)));
    }
}

/* A second texture for a picture whose rows cannot be enlarged by a whole number; only what changed is made anew. */
static SDL_Texture *sharpened(struct window *w)
{
    struct rect c = w->picture.changed;
    int width = w->shown.w, height = w->shown.h, first, last;
    uint32_t *rows;

    if (!w->sharp || w->sharp_w != width || w->sharp_h != height) {
        if (w->sharp)
            SDL_DestroyTexture(w->sharp);
        w->sharp = SDL_CreateTexture(w->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, width, height);
        w->sharp_w = width;
        w->sharp_h = height;
        w->sharp_old = true;
    }
    first = w->sharp_old ? 0 : c.y * height / w->screen_h;
    last = w->sharp_old ? height : MIN(height, (c.y + c.h) * height / w->screen_h + 1);
    if (w->sharp && (c.h || w->sharp_old) && (rows = malloc((size_t)width * (size_t)(last - first) * sizeof(*rows)))) {
        picture_stretch(&w->picture, (unsigned)(width / w->screen_w), (unsigned)height, (unsigned)first, (unsigned)last, rows);
        SDL_UpdateTexture(w->sharp, &(SDL_Rect){ 0, first, width, last - first }, rows, width * (int)sizeof(*rows));
        free(rows);
        w->sharp_old = false;
    }
    return w->sharp ? w->sharp : w->screen;
}

static void draw_picture(struct window *w)
{
    const uint32_t colour = w->full_screen ? 0 : UI_ROOM;       /* of the room around a smaller picture */
    const uint8_t around[3] = { (uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour };
    SDL_Texture *from = w->screen;

    if (!from)
        return;
    place_picture(w);
    if (!w->smooth && w->shown.w % w->screen_w == 0 && w->shown.h > w->screen_h && w->shown.h % w->screen_h) {
        from = sharpened(w);
    } else {
        bool whole = w->shown.w % w->screen_w == 0 && w->shown.h % w->screen_h == 0;
        SDL_SetTextureScaleMode(from, w->smooth || !whole ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
        w->sharp_old = true;
    }
    SDL_SetRenderDrawColor(w->renderer, around[0], around[1], around[2], 255);
    SDL_RenderClear(w->renderer);
    SDL_RenderCopy(w->renderer, from, NULL, &w->shown);
}

/* --- bars ------------------------------------------------------------------------------------------------------------ */

static const char *hint(struct window *w)
{
    if (w->captured)
        return "Ctrl+Alt frees the mouse";
    return window_absolute(w) ? "Ctrl+Alt+M: menu" : "click the picture to capture the mouse";
}

static void draw_top(struct window *w, int width)
{
    int x = 8 + 6 * UI_CELL_W, y = (UI_BAR_H - UI_CELL_H) / 2 + 1;

    ui_box(&w->ui, (SDL_Rect){ 0, 0, width, UI_BAR_H }, UI_BACK);
    ui_text(&w->ui, 8, y, UI_INK, "Menu", 4);
    ui_text(&w->ui, x, y, UI_DIM, w->notice_until ? w->notice : w->session->name, MAX(0, (width - x) / UI_CELL_W));
}

static void draw_bottom(struct window *w, int width, int height)
{
    int y = height - UI_BAR_H + (UI_BAR_H - UI_CELL_H) / 2 + 1, x;
    const char *right = hint(w);
    char load[32];

    snprintf(load, sizeof(load), "load %u%%", w->load);
    ui_box(&w->ui, (SDL_Rect){ 0, height - UI_BAR_H, width, UI_BAR_H }, UI_BACK);
    ui_box(&w->ui, (SDL_Rect){ 8, y + 1, 12, 12 }, w->busy_until ? UI_BUSY : UI_PANEL);
    x = ui_text(&w->ui, 28, y, w->busy_until ? UI_INK : UI_DIM, "disk", 4) + UI_CELL_W;
    x = ui_text(&w->ui, x, y, UI_DIM, load, 12);
    if (x + UI_CELL_W + ui_width(right) < width)
        ui_text(&w->ui, width - 8 - ui_width(right), y, w->captured ? UI_BUSY : UI_DIM, right, 64);
}

static double cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* What the bars show: drive light, load, notice. */
static void update_status(struct window *w, int64_t now)
{
    unsigned activity = atomic_load(&w->session->activity);

    if (activity != w->activity) {
        w->activity = activity;
        w->dirty |= !w->busy_until;
        w->busy_until = now + BUSY_NS;
    } else if (w->busy_until && now >= w->busy_until) {
        w->busy_until = 0;
        w->dirty = true;
    }
    if (now - w->second >= SECOND_NS) {
        double cpu = cpu_seconds(), part = (cpu - w->cpu_seconds) / ((double)(now - w->second) / 1e9);
        unsigned load = (unsigned)(part * 100 + 0.5);
        if (load > w->load + LOAD_STEP || load + LOAD_STEP < w->load) {     /* small changes are not worth a new picture */
            w->load = load;
            w->dirty = true;
        }
        w->cpu_seconds = cpu;
        w->second = now;
    }
    pthread_mutex_lock(&w->session->notice_lock);
    if (w->session->notice[0]) {
        memcpy(w->notice, w->session->notice, sizeof(w->notice));
        w->session->notice[0] = 0;
        w->notice_until = now + notice_ns;
        w->dirty = true;
    }
    pthread_mutex_unlock(&w->session->notice_lock);
    if (w->notice_until && now >= w->notice_until) {
        w->notice_until = 0;
        w->dirty = true;
    }
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

static void title_text(struct window *w)
{
    snprintf(w->title, sizeof(w->title), "%s - Holdover%s", w->session->name,
             w->captured ? " (Ctrl+Alt frees the mouse)" : "");
}

void window_title(struct window *w)
{
    title_text(w);
    SDL_SetWindowTitle(w->window, w->title);
}

static void window_start_settings(struct window *w)
{
    struct profile_window settings = { 0 };
    struct error err;

    if (!profile_apply(w->session->profile, "window", profile_window_properties, &settings, &err))
        return;
    w->smooth = !strcmp(settings.scale, "smooth");
    if (settings.fullscreen && !SDL_SetWindowFullscreen(w->window, SDL_WINDOW_FULLSCREEN_DESKTOP))
        w->full_screen = true;
    property_free(profile_window_properties, &settings);
}

/* Is OpenGL itself done by the processor? Then SDL's own drawing costs a third of it. */
static bool software_gl(void)
{
    const char *(*get_string)(unsigned) = NULL;
    const char *name;

    if (SDL_GL_GetCurrentContext())
        get_string = (const char *(*)(unsigned))(uintptr_t)SDL_GL_GetProcAddress("glGetString");
    name = get_string ? get_string(GL_RENDERER_NAME) : NULL;
    return name && (strstr(name, "llvmpipe") || strstr(name, "softpipe"));
}

static void renderer_open(struct window *w)
{
    w->renderer = SDL_CreateRenderer(w->window, -1, 0);
    if (w->renderer && software_gl()) {
        SDL_DestroyRenderer(w->renderer);
        w->renderer = NULL;
    }
    if (w->renderer)
        return;
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
    w->renderer = SDL_CreateRenderer(w->window, -1, SDL_RENDERER_SOFTWARE);
}

/* Where there is no display, SDL takes a driver that shows nothing: a machine that nobody sees is not what was asked for. */
static bool video_open(struct error *err)
{
    static const char *const needed[] = { "SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR" };
    const char *driver;
    bool any = false;

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        any |= getenv(needed[i]) != NULL;
    if (any && SDL_InitSubSystem(SDL_INIT_VIDEO))
        return error_set(err, ENODEV, "no window can be opened (%s): use --headless", SDL_GetError());
    driver = any ? SDL_GetCurrentVideoDriver() : NULL;
    if (driver && (getenv("SDL_VIDEODRIVER") ||
                   (strcmp(driver, "offscreen") && strcmp(driver, "dummy") && strcmp(driver, "evdev"))))
        return true;
    if (any)
        SDL_QuitSubSystem(SDL_INIT_VIDEO);
    return error_set(err, ENODEV, "there is no display for a window: set DISPLAY, or use --headless");
}

struct window *window_open(struct session *s, struct error *err)
{
    struct window *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->session = s;
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0");
    if (!video_open(err)) {
        free(w);
        return NULL;
    }
    SDL_StopTextInput();
    title_text(w);
    w->window = SDL_CreateWindow(w->title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 720, 540 + 2 * UI_BAR_H,
                                 SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
    if (w->window)
        renderer_open(w);
    if (!w->renderer || !ui_open(&w->ui, w->renderer)) {
        error_set(err, ENODEV, "no window can be opened (%s): use --headless", SDL_GetError());
        window_close(w);
        return NULL;
    }
    measure(w);
    SDL_SetWindowMinimumSize(w->window, (int)((float)(LEAST_W * w->ui.scale) / w->density),
                             (int)((float)(LEAST_H * w->ui.scale) / w->density));
    SDL_EventState(SDL_DROPFILE, SDL_ENABLE);
    window_start_settings(w);
    w->whole = w->dirty = true;
    w->second = host_now();
    w->cpu_seconds = cpu_seconds();
    return w;
}

static void draw(struct window *w)
{
    int width, height;

    if (picture_update(&w->picture, w->session->machine, w->whole)) {
        update_texture(w);
        w->dirty = true;
        if (w->frame - w->change < CHANGE_NS)
            w->awake_until = MAX(w->awake_until, w->frame + CHANGE_NS);
        w->change = w->frame;
    }
    w->whole = false;
    if (!w->dirty)
        return;
    w->dirty = false;
    measure(w);
    draw_picture(w);
    SDL_GetRendererOutputSize(w->renderer, &width, &height);
    width /= w->ui.scale;
    height /= w->ui.scale;
    if (!w->full_screen || w->notice_until)     /* in full screen the bar comes with something to say */
        draw_top(w, width);
    if (!w->full_screen)
        draw_bottom(w, width, height);
    if (w->menu.open)
        menu_draw(&w->menu, &w->ui, width, height);
    SDL_RenderPresent(w->renderer);
}

/* Pictures come quickly for a second after each key or motion and while the screen keeps changing; a guest that waits at its
 * prompt with a blinking cursor is looked at less often. */
static int64_t frame_time(const struct window *w, int64_t now)
{
    return now < w->awake_until ? FRAME_NS : REST_NS;
}

/* The guest's text goes to the desktop; the desktop's is kept for the guest, which asks from a thread that may not. */
void window_clipboard(struct window *w, bool changed)
{
    struct session *s = w->session;
    char *text = changed && SDL_HasClipboardText() ? SDL_GetClipboardText() : NULL, *theirs;

    pthread_mutex_lock(&s->notice_lock);
    theirs = s->guest_clip;
    s->guest_clip = NULL;
    if (text) {
        free(s->clip);
        s->clip = strdup(text);
    }
    pthread_mutex_unlock(&s->notice_lock);
    if (theirs)
        SDL_SetClipboardText(theirs);
    SDL_free(text);
    free(theirs);
}

void window_step(struct window *w, int timeout_ms)
{
    int64_t now = host_now(), left = w->frame + frame_time(w, now) - now;
    SDL_Event e;

    timeout_ms = left > 0 ? MIN(timeout_ms, (int)(left / 1000000 + 1)) : 0;
    if (timeout_ms ? SDL_WaitEventTimeout(&e, timeout_ms) : SDL_PollEvent(&e)) {
        do
            window_event(w, &e);
        while (SDL_PollEvent(&e));
        w->awake_until = host_now() + SECOND_NS;
    }
    now = host_now();
    if (now - w->frame < frame_time(w, now))
        return;
    w->frame = now;
    update_status(w, now);
    window_clipboard(w, false);
    draw(w);
}

void window_close(struct window *w)
{
    if (!w)
        return;
    picture_free(&w->picture);
    ui_close(&w->ui);
    if (w->sharp)
        SDL_DestroyTexture(w->sharp);
    if (w->screen)
        SDL_DestroyTexture(w->screen);
    if (w->renderer)
        SDL_DestroyRenderer(w->renderer);
    if (w->window)
        SDL_DestroyWindow(w->window);
    SDL_QuitSubSystem(SDL_INIT_VIDEO);
    free(w);
}
