/* Whole runs of the program's commands on a real machine: the firmware's messages need no guest. */
#include "console/control.h"
#include "console/library.h"
#include "console/options.h"
#include "tests/console/folder.h"
#include "hypervisor.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/holdover-session-XXXXXX";

static void setup(void)
{
    char home[64];

    folder_make(folder);
    snprintf(home, sizeof(home), "%s/store", folder);
    setenv("HOLDOVER_HOME", home, 1);
    setenv("SDL_VIDEODRIVER", "dummy", 1);
}

static void teardown(void)
{
    folder_remove(folder);
}

TestSuite(session, .init = setup, .fini = teardown);

static const char *path_of(const char *name)
{
    static char paths[64][128];
    static unsigned next;
    char *path = paths[next++ % 64];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* The command in a process of its own, as a user runs it. */
static pid_t start(int argc, const char *const *argv)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (!child) {
        if (!freopen("/dev/null", "r", stdin) || !freopen(path_of("err"), "w", stderr) || !freopen(path_of("out"), "w", stdout))
            _exit(99);
        int code = command_dispatch(command_find(argv[0]), argc - 1, (char **)(uintptr_t)(argv + 1));
        fflush(NULL);
        _exit(code);
    }
    return child;
}

static int run(const char *const *argv)
{
    int argc = 0, status;

    while (argv[argc])
        argc++;
    waitpid(start(argc, argv), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static const char *said(const char *file)
{
    static char text[16384];
    FILE *f = fopen(path_of(file), "r");

    cr_assert(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    return text;
}

Test(session, a_text_on_the_screen_ends_the_run, .timeout = 120)
{
    const char *png = path_of("a.png"), *stats = path_of("a.json");
    struct stat st;

    cr_assert_eq(RUN("boot", "--headless", "--until", "SeaBIOS", "--for", "60", "--screenshot", png, "--stats", stats,
                     "--engine", "interpreter"), 0, "%s",
                 said("err"));
    cr_assert(!stat(png, &st) && st.st_size > 100);
    json_t *json = json_load_file(stats, 0, NULL);
    cr_assert(json);
    cr_assert_str_eq(json_string_value(json_object_get(json, "engine")), "interpreter");
    cr_assert_str_eq(json_string_value(json_object_get(json, "ended")), "until");
    cr_assert_gt(json_integer_value(json_object_get(json, "instructions")), 1000);
    cr_assert(json_object_get(json_object_get(json, "exits"), "io"));
    json_decref(json);
}

Test(session, exit_codes, .timeout = 120)
{
    cr_assert_eq(RUN("boot", "--headless", "--for", "0.2"), 0);
    cr_assert_eq(RUN("boot", "--headless", "--for", "0.2", "--until", "never to be seen"), 3);
    cr_assert(strstr(said("err"), "never to be seen"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--floppy", "/does/not/exist"), 1);
    cr_assert(strstr(said("err"), "/does/not/exist"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--profile", "nobody"), 1);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--engine", "kvm"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--engine", "warp"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--vnc", ":0"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--type", "\u00fc"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--key", "f99"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--append", "quiet"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--debug-port", "70000:x"), 2);
}

Test(session, unknown_settings_list_those_that_exist, .timeout = 60)
{
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "machine.memmory=1M"), 2);
    cr_assert(strstr(said("err"), "machine.memory"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "vga.nonsense=1"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "nodevice.key=1"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "0.1", "--memory", "16M"), 0, "%s", said("err"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "0.1", "--memory", "plenty"), 2);
}

Test(session, a_value_that_the_machine_refuses_is_usage, .timeout = 60)
{
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "nodevice.key=1"), 2);
    cr_assert(strstr(said("err"), "nodevice"));
    cr_assert(strstr(said("err"), "machine.memory"), "the keys that exist are listed");
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "cpu.model=z80"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "vga.nonsense=1"), 2);
    cr_assert(strstr(said("err"), "romfile"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--memory", "1"), 2);
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--set", "machine.memory=zz"), 2);
    cr_assert_not(strstr(said("err"), "Keys of --set"), "a key that exists needs no list");
}

Test(session, empty_media_are_refused, .timeout = 60)
{
    const char *path = path_of("empty");

    fclose(fopen(path, "w"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--disk", path), 1);
    cr_assert(strstr(said("err"), "is empty"));
    cr_assert_eq(RUN("boot", "--headless", "--for", "1", "--cdrom", path), 1);
    cr_assert(strstr(said("err"), path));
}

Test(session, options_of_later_versions_say_so, .timeout = 60)
{
    cr_assert_eq(RUN("boot", "--headless", "--vnc", ":1"), 2);
    cr_assert(strstr(said("err"), "not in this version"));
    cr_assert_eq(RUN("import", "x", "--boot-test"), 2);
    cr_assert(strstr(said("err"), "not in this version"));
    cr_assert_eq(RUN("rename", "x", "a/b"), 2);
    cr_assert(command_later("snapshot") && command_later("start-menu") && !command_later("run"));
}

Test(session, bytes_that_a_full_disk_lost_are_told, .timeout = 60)
{
    cr_assert_eq(RUN("boot", "--headless", "--until", "SeaBIOS", "--for", "40", "--debug-port", "0x402:/dev/full"), 1);
    cr_assert(strstr(said("err"), "/dev/full is not complete"));
}

Test(session, without_a_display_there_is_no_window, .timeout = 60)
{
    unsetenv("SDL_VIDEODRIVER");
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    unsetenv("XDG_RUNTIME_DIR");
    cr_assert_eq(RUN("boot", "--for", "5"), 1);
    cr_assert(strstr(said("err"), "--headless"));
}

Test(session, the_window_opens_and_draws, .timeout = 120)
{
    cr_assert_eq(RUN("boot", "--until", "SeaBIOS", "--for", "60"), 0, "%s", said("err"));
}

Test(session, the_debug_port_writes_a_file, .timeout = 120)
{
    char option[160];

    snprintf(option, sizeof(option), "0x402:%s", path_of("debug"));
    cr_assert_eq(RUN("boot", "--headless", "--until", "SeaBIOS", "--for", "60", "--debug-port", option), 0);
    cr_assert(strstr(said("debug"), "SeaBIOS"));
}

static void make_guest(const char *name, const char *profile)
{
    char path[PATH_MAX];
    struct guest g;
    struct error err;
    FILE *f;

    cr_assert(library_begin(&g, name, &err), "%s", err.text);
    cr_assert(qcow2_create(guest_path(&g, "disk0.qcow2", path), 1 << 20, NULL, NULL, &err), "%s", err.text);
    chmod(path, 0444);
    f = fopen(guest_path(&g, "guest.profile", path), "w");
    fputs(profile, f);
    fclose(f);
    cr_assert(library_commit(&g, &err), "%s", err.text);
    guest_unlock(&g);
}

static void wait_for_socket(const char *name)
{
    char path[PATH_MAX];
    struct guest g;
    struct error err;

    cr_assert(guest_find(&g, name, &err));
    for (int i = 0; i < 3000 && access(guest_path(&g, "control", path), F_OK); i++)
        usleep(10000);
}

Test(session, a_running_guest_answers, .timeout = 180)
{
    const char *const argv[] = { "run", "pc", "--headless", "--for", "120", NULL };
    const char *png = path_of("shot.png");
    struct stat st;
    int status;

    make_guest("pc", "[profile]\ninherit = generic-dos\n");
    cr_assert_eq(RUN("status", "pc"), 0);
    cr_assert(strstr(said("out"), "not running"));
    cr_assert_eq(RUN("type", "pc", "x"), 1);
    pid_t child = start(5, argv);
    wait_for_socket("pc");
    cr_assert_eq(RUN("status", "pc", "--json"), 0);
    cr_assert(strstr(said("out"), "\"engine\""));
    cr_assert_eq(RUN("run", "pc", "--headless"), 1, "a guest runs once");
    cr_assert(strstr(said("err"), "in use by process"));
    cr_assert_eq(RUN("remove", "pc"), 1, "a running guest is not removed");
    cr_assert_eq(RUN("rename", "pc", "other"), 1);
    cr_assert_eq(RUN("screenshot", "pc", png), 0, "%s", said("err"));
    cr_assert(!stat(png, &st) && st.st_size > 100);
    cr_assert_eq(RUN("type", "pc", "hello\\n"), 0);
    cr_assert_eq(RUN("key", "pc", "nokey"), 1);
    cr_assert_eq(RUN("media", "pc", "floppy0", "/does/not/exist"), 1);
    cr_assert_eq(RUN("media", "pc", "floppy0"), 0, "%s", said("err"));
    cr_assert_eq(RUN("stop", "pc"), 1, "DOS has no shutdown");
    cr_assert(strstr(said("err"), "holdover kill pc"), "%s", said("err"));
    cr_assert_eq(RUN("kill", "pc"), 0, "%s", said("err"));
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(RUN("list"), 0);
    cr_assert(strstr(said("out"), "generic-dos"));
    cr_assert_eq(RUN("show", "pc"), 0);
    cr_assert_eq(RUN("remove", "pc"), 0, "without a terminal nobody is asked");
    cr_assert_eq(RUN("show", "pc"), 1);
}

/* In counted time steps are the only input, and where they end is the same instruction each time. */
Test(session, a_counted_run_takes_no_input, .timeout = 120)
{
    const char *const argv[] = { "run", "pc", "--headless", "--for", "100", "--set", "cpu.icount=10M", NULL };
    const char *files[] = { path_of("1.json"), path_of("2.json") };
    json_int_t counts[2];
    int status;

    make_guest("pc", "[profile]\ninherit = generic-dos\n");
    pid_t child = start(7, argv);
    wait_for_socket("pc");
    cr_assert_eq(RUN("type", "pc", "x"), 1);
    cr_assert(strstr(said("err"), "counted time"), "%s", said("err"));
    cr_assert_eq(RUN("key", "pc", "esc"), 1);
    cr_assert_eq(RUN("media", "pc", "floppy0"), 1);
    cr_assert_eq(RUN("stop", "pc"), 1);
    cr_assert_eq(RUN("status", "pc"), 0);
    cr_assert_eq(RUN("kill", "pc"), 0, "%s", said("err"));
    waitpid(child, &status, 0);
    for (unsigned n = 0; n < 2; n++) {
        cr_assert_eq(RUN("boot", "--headless", "--set", "machine.clock=counted", "--until", "SeaBIOS", "--move", "3,3", "--key", "esc", "--until", "boot",
                         "--for", "60", "--stats", files[n]), 0, "%s", said("err"));
        json_t *json = json_load_file(files[n], 0, NULL);
        counts[n] = json_integer_value(json_object_get(json, "instructions"));
        json_decref(json);
    }
    cr_assert_eq(counts[0], counts[1]);
}

/* A guest that knows no shutdown: who runs it without a window gets it ended all the same. */
Test(session, signals_end_a_run_without_a_window, .timeout = 60)
{
    const char *const argv[] = { "run", "pc", "--headless", "--for", "50", "--set", "stop.timeout=1", NULL };
    static const char *const profiles[] = { "[profile]\ninherit = generic-dos\n", "[profile]\ninherit = generic\n" };
    static const int numbers[] = { SIGINT, SIGTERM };
    char path[PATH_MAX];
    struct guest g;
    struct error err;
    int status;

    for (unsigned i = 0; i < 2; i++) {
        make_guest("pc", profiles[i]);
        pid_t child = start(7, argv);
        wait_for_socket("pc");
        kill(child, numbers[i]);
        waitpid(child, &status, 0);
        cr_assert(WIFEXITED(status) && !WEXITSTATUS(status), "%s", said("err"));
        cr_assert(guest_find(&g, "pc", &err));
        cr_assert(access(guest_path(&g, "control", path), F_OK), "the socket is taken away");
        cr_assert_eq(RUN("remove", "pc"), 0);
    }
}

Test(session, damaged_guests_say_what_is_wrong, .timeout = 60)
{
    char path[PATH_MAX];
    struct guest g;
    struct error err;
    FILE *f;

    make_guest("pc", "[profile]\ninherit = generic-dos\n");
    cr_assert(guest_find(&g, "pc", &err));
    unlink(guest_path(&g, "disk0.qcow2", path));
    cr_assert_eq(RUN("run", "pc", "--headless", "--for", "1"), 1);
    cr_assert(strstr(said("err"), "disk0.qcow2"));
    f = fopen(path, "w");
    fputs("no image, and longer than the head of one by far: ................................................................", f);
    fclose(f);
    cr_assert_eq(RUN("run", "pc", "--headless", "--for", "1"), 1);
    cr_assert(strstr(said("err"), "is not a qcow2 image"), "%s", said("err"));
    f = fopen(guest_path(&g, "guest.profile", path), "w");
    fputs("garbage\n", f);
    fclose(f);
    cr_assert_eq(RUN("run", "pc", "--headless", "--for", "1"), 1);
    cr_assert(strstr(said("err"), "guest.profile:1"));
    cr_assert_eq(RUN("list"), 0);
    cr_assert(strstr(said("out"), "unreadable"));
}

Test(session, stop_by_keys_ends_with_the_reset, .timeout = 180)
{
    const char *const argv[] = { "run", "pc", "--headless", "--for", "120", "--until", "never", NULL };
    int status;

    /* the firmware resets the machine at Ctrl-Alt-Del */
    make_guest("pc", "[profile]\ninherit = generic\n[stop]\npower-button = no\nkeys = ctrl-alt-del\ntimeout = 60\n");
    pid_t child = start(7, argv);
    wait_for_socket("pc");
    for (int i = 0; i < 600; i++) {             /* until the firmware reads keys */
        struct guest g;
        struct error err;
        cr_assert(guest_find(&g, "pc", &err));
        json_t *reply = control_ask(g.folder, "pc", json_pack("{s:s}", "command", "screen"), &err);
        const char *text = json_string_value(json_object_get(reply, "text"));
        bool ready = text && strstr(text, "No bootable device");
        json_decref(reply);
        if (ready)
            break;
        usleep(100000);
    }
    cr_assert_eq(RUN("stop", "pc"), 0, "%s", said("err"));
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 3, "its --until was not met");
}
