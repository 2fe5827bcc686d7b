/* The window on SDL's dummy driver: a thread plays the user by SDL events, and a boot sector (input.asm) tells which bytes its
 * keyboard and its wheel mouse sent. */
#include "base/bits.h"
#include "console/options.h"
#include "tests/console/folder.h"
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

    folder_make(folder);
    cr_assert(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    snprintf(floppy, sizeof(floppy), "%s/console/input.bin", dirname(self));
    snprintf(debug, sizeof(debug), "%s/debug", folder);
    snprintf(option, sizeof(option), "0xe9:%s", debug);
}

static void teardown(void)
{
    folder_remove(folder);
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

/* Until the guest has read all, also on a busy host. */
static void settle(void)
{
    uint8_t bytes[4096];

    for (int before = -1, now; before != (now = told(bytes, sizeof(bytes))); before = now)
        pause_ms(600);
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

static void push_button(bool down, int x, int y)
{
    SDL_Event e = { .button = { .type = down ? SDL_MOUSEBUTTONDOWN : SDL_MOUSEBUTTONUP, .button = SDL_BUTTON_LEFT, .x = x, .y = y } };

    SDL_PushEvent(&e);
}

static void push_click(int x, int y)
{
    push_button(true, x, y);
    pause_ms(30);
    push_button(false, x, y);
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
    settle();
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

/* Two hundred presses at once, and a text of the clipboard with a path in it. */
static void in_a_hurry(void)
{
    SDL_Event e = { .key = { .keysym.scancode = SDL_SCANCODE_A } };

    for (unsigned i = 0; i < 200; i++) {
        e.type = i % 2 ? SDL_KEYUP : SDL_KEYDOWN;
        SDL_PushEvent(&e);
    }
    settle();
    SDL_SetClipboardText("c:\\new\r\n");
    push_key(SDL_SCANCODE_LCTRL, true);
    push_key(SDL_SCANCODE_LALT, true);
    push_tap(SDL_SCANCODE_M);
    push_key(SDL_SCANCODE_LALT, false);
    push_key(SDL_SCANCODE_LCTRL, false);
    for (unsigned i = 0; i < 3; i++)
        push_tap(SDL_SCANCODE_DOWN);
    push_tap(SDL_SCANCODE_RETURN);
}

Test(window, no_key_is_lost_in_a_hurry, .timeout = 120)
{
    static const uint8_t pasted[] = { 0x2e, 0x2a, 0x27, 0x2b, 0x31, 0x12, 0x11, 0x1c };     /* presses of c Shift ; \\ n e w Enter */
    uint8_t bytes[2048];
    int n = of_device(bytes, run(in_a_hurry, bytes, sizeof(bytes)), 'K'), presses = 0;

    cr_assert_geq(n, 204);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(bytes[i], i % 2 ? 0x9e : 0x1e, "byte %d is %02x", i, bytes[i]);
    for (int i = 204; i < n; i++) {             /* after Ctrl and Alt */
        if (bytes[i] & 0x80)
            continue;
        cr_assert(presses < (int)sizeof(pasted) && bytes[i] == pasted[presses], "press %d is %02x", presses, bytes[i]);
        presses++;
    }
    cr_assert_eq(presses, sizeof(pasted));
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
    for (unsigned i = 0; i < 6; i++)            /* three clicks at once */
        push_button(i % 2 == 0, 300, 200);
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
    static const uint8_t keyboard[] = { 0x1d, 0x38, 0xb8, 0x9d, 0x1d, 0x38, 0x9d, 0xb8, 0x1e, 0x9e, 0x30, 0xb0 };
    uint8_t bytes[512], mouse[512];
    int count = run(mouse_and_menu, bytes, sizeof(bytes)), n, dx = 0, dy = 0, dz = 0, presses = 0, releases = 0;

    cr_assert_gt(count, 0);
    memcpy(mouse, bytes, sizeof(mouse));
    n = of_device(mouse, count, 'M');
    cr_assert(n && n % 4 == 0, "%d bytes of the mouse", n);
    for (int i = 0; i < n; i += 4) {            /* a busy host puts motions into one packet */
        dx += (mouse[i] & 0x10 ? -256 : 0) + mouse[i + 1];
        dy += (mouse[i] & 0x20 ? -256 : 0) + mouse[i + 2];
        dz += (int8_t)mouse[i + 3];
        presses += (mouse[i] & 1) && (!i || !(mouse[i - 4] & 1));
        releases += !(mouse[i] & 1) && i && (mouse[i - 4] & 1);
    }
    cr_assert(dx == 5 && dy == 3, "motion %d, %d: up is positive", dx, dy);
    cr_assert_eq(dz, -1, "the wheel away from the user is negative, not %d", dz);
    cr_assert(presses == 4 && releases == 4, "%d presses, %d releases", presses, releases);
    n = of_device(bytes, count, 'K');
    cr_assert_eq(n, sizeof(keyboard), "%d bytes of the keyboard", n);
    cr_assert_arr_eq(bytes, keyboard, sizeof(keyboard));
}
