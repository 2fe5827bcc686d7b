/* The window on SDL's dummy driver: a thread plays the user by SDL events, and a boot sector (input.asm) tells which bytes its
 * keyboard and its wheel mouse sent. */
#include "base/bits.h"
#include "console/options.h"
#include <SDL.h>
#include <criterion/criterion.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/holdover-window-XXXXXX";
static char floppy[PATH_MAX], debug[64], option[80];

static void setup(void)
{
    char self[PATH_MAX] = "";

    cr_assert(mkdtemp(folder));
    cr_assert(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    snprintf(floppy, sizeof(floppy), "%s/console/input.bin", dirname(self));
    snprintf(debug, sizeof(debug), "%s/debug", folder);
    snprintf(option, sizeof(option), "0xe9:%s", debug);
    if (!access("legacy-profiles/generic.profile", R_OK))
        setenv("HOLDOVER_PROFILES", "legacy-profiles", 1);
    if (access("/usr/share/seabios/bios-256k.bin", R_OK))
        cr_skip_test("the firmware (package seabios) is not installed");
}

static void teardown(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert(!system(command));
}

TestSuite(window, .init = setup, .fini = teardown);

/* Bytes that the guest told, without its "READY"; -1 as long as it is not ready. */
static int told(uint8_t *bytes, size_t size)
{
    FILE *f = fopen(debug, "rb");
    char word[5];
    int n = -1;

    if (f && fread(word, 1, sizeof(word), f) == sizeof(word) && !memcmp(word, "READY", sizeof(word)))
        n = (int)fread(bytes, 1, size, f);
    if (f)
        fclose(f);
    return n;
}

static void pause_ms(unsigned ms)
{
    usleep(ms * 1000);
}

static void push_key(SDL_Scancode code, bool down)
{
    SDL_Event e = { .key = { .type = down ? SDL_KEYDOWN : SDL_KEYUP, .keysym.scancode = code } };

    SDL_PushEvent(&e);
    pause_ms(4);
}

static void push_tap(SDL_Scancode code)
{
    push_key(code, true);
    push_key(code, false);
}

static void push_motion(int dx, int dy)
{
    SDL_Event e = { .motion = { .type = SDL_MOUSEMOTION, .xrel = dx, .yrel = dy } };

    SDL_PushEvent(&e);
    pause_ms(30);
}

static void push_wheel(int y)
{
    SDL_Event e = { .wheel = { .type = SDL_MOUSEWHEEL, .y = y } };

    SDL_PushEvent(&e);
    pause_ms(30);
}

static void push_click(int x, int y)
{
    SDL_Event e = { .button = { .type = SDL_MOUSEBUTTONDOWN, .button = SDL_BUTTON_LEFT, .x = x, .y = y } };

    SDL_PushEvent(&e);
    pause_ms(30);
    e.type = e.button.type = SDL_MOUSEBUTTONUP;
    SDL_PushEvent(&e);
    pause_ms(30);
}

static void push_quit(void)
{
    SDL_Event e = { .type = SDL_QUIT };

    SDL_PushEvent(&e);
    pause_ms(10);
}

/* The close button asks; its last answer powers off. */
static void power_off(void)
{
    push_quit();
    push_tap(SDL_SCANCODE_DOWN);
    push_tap(SDL_SCANCODE_DOWN);
    push_tap(SDL_SCANCODE_RETURN);
}

static void *user(void *script)
{
    void (*const play)(void) = *(void (**)(void))script;
    uint8_t byte;

    while (told(&byte, 1) < 0)
        pause_ms(20);
    play();
    pause_ms(100);                              /* the keyboard's own time */
    power_off();
    return NULL;
}

/* Runs the machine in a process of its own with this user; the guest's bytes. */
static int run(void (*play)(void), uint8_t *bytes, size_t size)
{
    const char *const argv[] = { "--floppy", floppy, "--debug-port", option, "--for", "60", "--until", "\x01" };
    pthread_t thread;
    int status;
    pid_t child;

    fflush(NULL);
    if (!(child = fork())) {
        setenv("SDL_VIDEODRIVER", "dummy", 1);
        if (!freopen("/dev/null", "w", stderr) || pthread_create(&thread, NULL, user, &play))
            _exit(99);
        int code = command_dispatch(command_find("boot"), ARRAY_SIZE(argv), (char **)(uintptr_t)argv);
        _exit(code);
    }
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), EXIT_UNMET, "ended by its user, not by time: %d", WEXITSTATUS(status));
    return told(bytes, size);
}

/* Only the bytes of one device. */
static int of_device(uint8_t *bytes, int count, char tag)
{
    int n = 0;

    for (int i = 0; i + 1 < count; i += 2)
        if (bytes[i] == tag)
            bytes[n++] = bytes[i + 1];
    return n;
}

/* --- keyboard -------------------------------------------------------------------------------------------------------- */

/* Scan codes of set 1; 1xxh: after E0h [IBM PS/2 Hardware Interface, Keyboard, scan code set 1]. */
static const struct { uint8_t usage; uint16_t code; } keys[] = {
    { 0x04, 0x1e }, { 0x05, 0x30 }, { 0x06, 0x2e }, { 0x07, 0x20 }, { 0x08, 0x12 }, { 0x09, 0x21 }, { 0x0a, 0x22 }, { 0x0b, 0x23 },
    { 0x0c, 0x17 }, { 0x0d, 0x24 }, { 0x0e, 0x25 }, { 0x0f, 0x26 }, { 0x10, 0x32 }, { 0x11, 0x31 }, { 0x12, 0x18 }, { 0x13, 0x19 },
    { 0x14, 0x10 }, { 0x15, 0x13 }, { 0x16, 0x1f }, { 0x17, 0x14 }, { 0x18, 0x16 }, { 0x19, 0x2f }, { 0x1a, 0x11 }, { 0x1b, 0x2d },
    { 0x1c, 0x15 }, { 0x1d, 0x2c }, { 0x1e, 0x02 }, { 0x1f, 0x03 }, { 0x20, 0x04 }, { 0x21, 0x05 }, { 0x22, 0x06 }, { 0x23, 0x07 },
    { 0x24, 0x08 }, { 0x25, 0x09 }, { 0x26, 0x0a }, { 0x27, 0x0b }, { 0x28, 0x1c }, { 0x29, 0x01 }, { 0x2a, 0x0e }, { 0x2b, 0x0f },
    { 0x2c, 0x39 }, { 0x2d, 0x0c }, { 0x2e, 0x0d }, { 0x2f, 0x1a }, { 0x30, 0x1b }, { 0x31, 0x2b }, { 0x33, 0x27 }, { 0x34, 0x28 },
    { 0x35, 0x29 }, { 0x36, 0x33 }, { 0x37, 0x34 }, { 0x38, 0x35 }, { 0x39, 0x3a }, { 0x3a, 0x3b }, { 0x3b, 0x3c }, { 0x3c, 0x3d },
    { 0x3d, 0x3e }, { 0x3e, 0x3f }, { 0x3f, 0x40 }, { 0x40, 0x41 }, { 0x41, 0x42 }, { 0x42, 0x43 }, { 0x43, 0x44 }, { 0x44, 0x57 },
    { 0x45, 0x58 }, { 0x47, 0x46 }, { 0x49, 0x152 }, { 0x4a, 0x147 }, { 0x4b, 0x149 }, { 0x4c, 0x153 }, { 0x4d, 0x14f },
    { 0x4e, 0x151 }, { 0x4f, 0x14d }, { 0x50, 0x14b }, { 0x51, 0x150 }, { 0x52, 0x148 }, { 0x53, 0x45 }, { 0x54, 0x135 },
    { 0x55, 0x37 }, { 0x56, 0x4a }, { 0x57, 0x4e }, { 0x58, 0x11c }, { 0x59, 0x4f }, { 0x5a, 0x50 }, { 0x5b, 0x51 }, { 0x5c, 0x4b },
    { 0x5d, 0x4c }, { 0x5e, 0x4d }, { 0x5f, 0x47 }, { 0x60, 0x48 }, { 0x61, 0x49 }, { 0x62, 0x52 }, { 0x63, 0x53 }, { 0x64, 0x56 },
    { 0x65, 0x15d }, { 0xe0, 0x1d }, { 0xe1, 0x2a }, { 0xe2, 0x38 }, { 0xe3, 0x15b }, { 0xe4, 0x11d }, { 0xe5, 0x36 }, { 0xe6, 0x138 },
    { 0xe7, 0x15c }
};

static void every_key(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        push_tap((SDL_Scancode)keys[i].usage);
    push_tap(SDL_SCANCODE_PAUSE);
    push_tap(SDL_SCANCODE_PRINTSCREEN);
    push_key(SDL_SCANCODE_LCTRL, true);
    push_tap(SDL_SCANCODE_PAUSE);               /* Break */
    push_key(SDL_SCANCODE_LCTRL, false);
    push_key(SDL_SCANCODE_LALT, true);
    push_tap(SDL_SCANCODE_PRINTSCREEN);         /* SysRq */
    push_key(SDL_SCANCODE_LALT, false);
}

Test(window, every_key_arrives_with_its_scan_code, .timeout = 120)
{
    static const uint8_t special[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa,
                                       0x1d, 0xe0, 0x46, 0xe0, 0xc6, 0x9d, 0x38, 0x54, 0xd4, 0xb8 };
    uint8_t bytes[2048], wanted[1024];
    int n = of_device(bytes, run(every_key, bytes, sizeof(bytes)), 'K'), count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        for (unsigned up = 0; up <= 0x80; up += 0x80) {
            if (keys[i].code & 0x100)
                wanted[count++] = 0xe0;
            wanted[count++] = (uint8_t)(keys[i].code | up);
        }
    memcpy(wanted + count, special, sizeof(special));
    count += (int)sizeof(special);
    for (int i = 0; i < count; i++)
        cr_assert(i < n && bytes[i] == wanted[i], "byte %d of %d is %02x, not %02x", i, n, i < n ? bytes[i] : 0, wanted[i]);
    cr_assert_eq(n, count, "no key goes to the guest while the window asks");
}

/* --- mouse ----------------------------------------------------------------------------------------------------------- */

static void mouse_and_menu(void)
{
    push_motion(9, 9);                          /* not captured: not for the guest */
    push_click(300, 200);                       /* captures, no more */
    push_motion(5, -3);
    push_click(300, 200);
    push_wheel(1);
    push_key(SDL_SCANCODE_LCTRL, true);         /* frees */
    push_key(SDL_SCANCODE_LALT, true);
    push_key(SDL_SCANCODE_LALT, false);
    push_key(SDL_SCANCODE_LCTRL, false);
    push_motion(7, 7);
    push_key(SDL_SCANCODE_LCTRL, true);
    push_key(SDL_SCANCODE_LALT, true);
    push_tap(SDL_SCANCODE_M);                   /* the menu: M is not for the guest, and Ctrl and Alt are let go */
    push_key(SDL_SCANCODE_LALT, false);
    push_key(SDL_SCANCODE_LCTRL, false);
    push_tap(SDL_SCANCODE_X);
    push_tap(SDL_SCANCODE_ESCAPE);
    push_tap(SDL_SCANCODE_A);
    push_quit();
    push_tap(SDL_SCANCODE_RETURN);              /* keep it running */
    push_tap(SDL_SCANCODE_B);
}

Test(window, mouse_and_menu_take_only_what_is_theirs, .timeout = 120)
{
    static const uint8_t mouse[] = { 0x08, 5, 3, 0, 0x09, 0, 0, 0, 0x08, 0, 0, 0, 0x08, 0, 0, 0xff };
    static const uint8_t keyboard[] = { 0x1d, 0x38, 0xb8, 0x9d, 0x1d, 0x38, 0x9d, 0xb8, 0x1e, 0x9e, 0x30, 0xb0 };
    uint8_t bytes[512], copy[512];
    int count = run(mouse_and_menu, bytes, sizeof(bytes)), n;

    cr_assert_gt(count, 0);
    memcpy(copy, bytes, sizeof(copy));
    n = of_device(copy, count, 'M');
    cr_assert_eq(n, sizeof(mouse), "%d bytes of the mouse", n);
    for (int i = 0; i < n; i++)
        cr_assert_eq(copy[i], mouse[i], "byte %d of the mouse is %02x, not %02x", i, copy[i], mouse[i]);
    n = of_device(bytes, count, 'K');
    cr_assert_eq(n, sizeof(keyboard), "%d bytes of the keyboard", n);
    cr_assert_arr_eq(bytes, keyboard, sizeof(keyboard));
}
