/* The life of one machine: created, run in a thread of its own, watched by the main thread, ended.
 *
 * The main thread sleeps in poll() or, with a window, in SDL's event wait. It wakes for signals, for the control socket, when the
 * serial line has bytes or the typist is done (an eventfd), and every STEP_MS while an --until looks at the screen.
 * With the counted clock the machine's thread takes the steps itself, every COUNTED_STEP_NS of guest time, and nothing else reaches
 * the guest: the same run twice is the same. */
#include "console/control.h"
#include "console/ports.h"
#include "console/screen.h"
#include "console/session.h"
#include "console/steps.h"
#include "console/window.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 25, IDLE_MS = 1000, FRAME_MS = 16, REST_MS = 50, COUNTED_STEP_NS = 10000000, FDS_MAX = CONTROL_CLIENTS + 8 };

int64_t host_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

double session_seconds(const struct session *s)
{
    return (double)(host_now() - s->started) / 1e9;
}

/* --- what the machine calls ------------------------------------------------------------------------------------------ */

static void host_activity(void *ui, const char *device, bool busy)
{
    struct session *s = ui;

    (void)device;
    if (busy)
        atomic_fetch_add(&s->activity, 1);
}

static void host_notice(void *ui, const char *text)
{
    session_notice(ui, "%s", text);
}

/* Port 1 is --serial's, or at least looked at by --until. */
static struct stream_end *host_serial(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    struct session *s = ui;
    const char *file = port == 0 ? s->options->serial : NULL;
    char target[4096];

    if (file && *to) {
        error_set(err, EINVAL, "--serial and serial1.to both say where serial port 1 goes: leave one out");
        return NULL;
    }
    snprintf(target, sizeof(target), "%s%s", !file ? to : strcmp(file, "-") ? "file:" : "stdio", file && strcmp(file, "-") ? file : "");
    if (!m->real_time && (!strncmp(to, "pty", 3) || !strncmp(to, "t", 1))) {
        error_set(err, EINVAL, "serial%u.to: counted time has no input but the steps of the command line, so no '%s'", port + 1, to);
        return NULL;
    }
    return port == 0 && !*target ? &s->serial.end : port_serial(m, port, target, port ? NULL : &s->serial, err);
}

static struct parallel_end *host_parallel(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui;
    return port_parallel(m, port, to, err);
}

static char *host_clipboard(void *ui, const char *text)
{
    struct session *s = ui;
    char *copy = NULL;

    pthread_mutex_lock(&s->notice_lock);
    if (text) {
        free(s->guest_clip);
        s->guest_clip = strdup(text);
    } else if (s->clip && !s->counted) {
        copy = strdup(s->clip);
    }
    pthread_mutex_unlock(&s->notice_lock);
    return copy;
}

static void host_debug(void *ui, uint16_t port, uint8_t byte)
{
    struct session *s = ui;

    if (s->debug && port == s->debug_port)
        fputc(byte, s->debug);
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

/* --debug-port PORT:FILE */
static bool debug_open(struct session *s, struct error *err)
{
    const char *text = s->options->debug_port, *colon = text ? strchr(text, ':') : NULL;
    char number[16];
    uint64_t port;

    if (!text)
        return true;
    if (!colon || (size_t)(colon - text) >= sizeof(number) || !colon[1])
        return error_set(err, EINVAL, "--debug-port: write PORT:FILE, as in 0xe9:out.txt, not '%s'", text);
    snprintf(number, sizeof(number), "%.*s", (int)(colon - text), text);
    if (!parse_size(number, &port) || !port || port > 0xffff)
        return error_set(err, EINVAL, "--debug-port: '%s' is no port number from 1 to 0xffff", number);
    s->debug_port = (uint32_t)port;
    if (!strcmp(colon + 1, "-"))
        s->debug = stdout;
    else if (!(s->debug = fopen(colon + 1, "we")))
        return error_set(err, errno, "cannot write the debug port's file %s: %s", colon + 1, strerror(errno));
    return true;
}

/* SIGINT, SIGTERM and SIGHUP come as reads of a descriptor; threads made later inherit the mask. */
static bool signals_open(struct session *s, struct error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->signals < 0 || s->wake < 0)
        return error_set(err, errno, "cannot make the descriptors of the main loop: %s", strerror(errno));
    return true;
}

/* A stretch of the machine's time, and the steps at its end. */
static enum stop_reason run_counted(struct session *s)
{
    enum stop_reason reason = machine_run(s->machine, clock_now(&s->machine->clock) + COUNTED_STEP_NS);

    serial_pump(&s->serial);
    steps_advance(s);
    if (steps_all_met(s))
        atomic_store(&s->quit, true);
    return reason;
}

static void *machine_thread(void *arg)
{
    struct session *s = arg;
    enum stop_reason reason;
    uint64_t one = 1;
    ssize_t n;

    do
        reason = s->counted ? run_counted(s) : machine_run(s->machine, INT64_MAX);
    while (reason == STOP_PAUSED && !atomic_load(&s->quit));
    s->reason = reason;
    atomic_store(&s->ended, true);
    n = write(s->wake, &one, sizeof(one));
    (void)n;
    return NULL;
}

static bool session_open(struct session *s, struct machine_config *config, struct error *err)
{
    const struct run_options *o = s->options;

    s->wake = s->signals = -1;
    pthread_mutex_init(&s->notice_lock, NULL);
    s->host = (struct host){ .ui = s, .activity = host_activity, .notice = host_notice, .serial = host_serial,
                             .parallel = host_parallel, .clipboard = host_clipboard, .debug = host_debug };
    if (!signals_open(s, err) || !debug_open(s, err) ||
        !profile_apply(s->profile, "stop", profile_stop_properties, &s->stop, err)) {
        setup_media_close(config);
        return false;
    }
    serial_open(&s->serial, s->wake);
    config->profile = s->profile;
    config->name = s->name;
    config->engine = o->engine;
    config->debug_port = s->debug_port;
    config->no_reboot = o->no_reboot;
    if (!(s->machine = machine_create(config, &s->host, err)))
        return false;
    s->counted = !s->machine->real_time;
    serial_start(&s->serial, s->machine);
    typist_init(&s->typist, s->machine, s->wake);
    if (s->folder && !(s->control = control_open(s, s->folder, err)))
        return false;
    if (!o->headless && !(s->window = window_open(s, err)))
        return false;
    s->started = host_now();
    if (pthread_create(&s->thread, NULL, machine_thread, s))
        return error_set(err, EAGAIN, "cannot start the machine's thread: %s", strerror(errno));
    s->thread_running = true;
    return true;
}

/* --- main loop ------------------------------------------------------------------------------------------------------- */

/* A guest is asked to shut down; a second signal ends the run. Who sends SIGTERM or SIGHUP ends it by force before long, and so
 * does who started a run without a window: there it ends, its disks flushed, also when the guest does not obey. */
static void handle_signals(struct session *s)
{
    struct signalfd_siginfo info;
    struct error err;

    while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
        bool must_end = info.ssi_signo != SIGINT || s->options->headless;
        if (!s->folder || s->signalled) {
            session_kill(s);                    /* a machine without a library entry, or asked a second time */
        } else if (session_stop(s, &err)) {
            s->signalled = true;
            s->stop_must_end = must_end;
        } else if (must_end) {
            session_kill(s);
        } else {
            session_notice(s, "%s", err.text);
        }
    }
}

/* Milliseconds until something must be looked at. */
static int wait_ms(const struct session *s)
{
    int64_t now = host_now(), until = now + IDLE_MS * 1000000ll;

    if (s->options->seconds > 0)
        until = MIN(until, s->started + (int64_t)(MIN(s->options->seconds, 1e9) * 1e9));
    if (s->stopping != STOPPING_NOT && s->stopping != STOPPING_FAILED)
        until = MIN(until, s->stop_next);
    if (steps_watch_screen(s) && !s->counted)
        until = MIN(until, now + STEP_MS * 1000000ll);
    return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

static void wait_and_read(struct session *s)
{
    struct pollfd fds[FDS_MAX];
    unsigned count = 2;
    int timeout = wait_ms(s);
    uint64_t counter;
    ssize_t n;

    fds[0] = (struct pollfd){ .fd = s->wake, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
    if (s->control)
        count += control_poll(s->control, fds + count);
    if (s->window) {
        window_step(s->window, MIN(timeout, s->options->serial ? FRAME_MS : REST_MS));
        timeout = 0;
    }
    if (poll(fds, count, timeout) < 0)
        return;
    if (fds[0].revents) {
        n = read(s->wake, &counter, sizeof(counter));
        (void)n;
    }
    if (!s->counted)
        serial_pump(&s->serial);
    if (fds[1].revents)
        handle_signals(s);
    if (s->control)
        control_handle(s->control);
}

static void show_notice(struct session *s)
{
    char text[NOTICE_SIZE];

    if (s->window)
        return;                                 /* the window shows it in its status line */
    pthread_mutex_lock(&s->notice_lock);
    memcpy(text, s->notice, sizeof(text));
    s->notice[0] = 0;
    pthread_mutex_unlock(&s->notice_lock);
    if (*text)
        fprintf(stderr, "holdover: %s: %s\n", s->name, text);
}

static void session_loop(struct session *s)
{
    while (!s->finished && !atomic_load(&s->ended)) {
        wait_and_read(s);
        show_notice(s);
        if (!s->counted)
            steps_advance(s);
        stop_advance(s);
        if (!s->counted && steps_all_met(s))
            s->finished = true;
        if (s->options->seconds > 0 && session_seconds(s) >= s->options->seconds)
            s->finished = true;
        if (s->debug)
            fflush(s->debug);
    }
    atomic_store(&s->quit, true);
    machine_stop(s->machine, STOP_PAUSED);
    pthread_join(s->thread, NULL);
    s->thread_running = false;
    serial_pump(&s->serial);
    if (s->reason != STOP_PAUSED)
        steps_advance(s);                       /* what the guest showed just before its end counts */
    show_notice(s);
}

/* --- end ------------------------------------------------------------------------------------------------------------- */

static const char *reason_name(const struct session *s)
{
    static const char *const names[] = { [STOP_POWER_OFF] = "power-off", [STOP_RESET] = "reset", [STOP_FAULT] = "fault",
                                         [STOP_BREAKPOINT] = "breakpoint", [STOP_EXIT] = "exit-device" };
    const char *name = (size_t)s->reason < ARRAY_SIZE(names) ? names[s->reason] : NULL;

    if (name)
        return name;
    return s->killed ? "killed" : steps_all_met(s) ? "until" : "time";
}

/* The whole process in bytes, pages mapped more than once counted once, with its page tables; 0: the host does not say. */
static uint64_t memory_own(void)
{
    static const struct { const char *file, *key; } parts[] = { { "/proc/self/smaps_rollup", "Pss: %llu" }, { "/proc/self/status", "VmPTE: %llu" } };
    unsigned long long kb[2] = { 0 };
    char line[128];

    for (unsigned n = 0; n < 2; n++) {
        FILE *f = fopen(parts[n].file, "re");
        while (f && fgets(line, sizeof(line), f) && sscanf(line, parts[n].key, &kb[n]) != 1)
            ;
        if (f)
            fclose(f);
    }
    return kb[0] ? (kb[0] + kb[1]) << 10 : 0;
}

static bool stats_write(struct session *s, struct error *err)
{
    struct machine_statistics t = { 0 };
    double seconds = session_seconds(s), busy;
    uint64_t own = memory_own();
    struct rusage use;
    json_t *json;
    bool ok;

    machine_lock(s->machine);
    machine_statistics(s->machine, &t);
    machine_unlock(s->machine);
    getrusage(RUSAGE_SELF, &use);
    busy = (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    json = json_pack("{s:s s:I s:f s:f s:f s:f s:f s:{s:I s:I s:I} s:s s:i s:I}",
        "engine", t.engine ? t.engine : "none", "instructions", (json_int_t)t.instructions,
        "host_seconds", seconds, "host_cpu_seconds", busy, "guest_seconds", (double)t.guest_ns / 1e9,
        "idle_fraction", seconds > 0 ? fmax(0, 1 - busy / seconds) : 0.0,
        "mips", busy > 0 ? (double)t.instructions / busy / 1e6 : 0.0,
        "exits", "io", (json_int_t)t.exits_io, "mmio", (json_int_t)t.exits_mmio, "hlt", (json_int_t)t.exits_hlt,
        "ended", reason_name(s), "exit_code", s->machine->exit_code, "steps_done", (json_int_t)s->step);
    if (json)
        json_object_set_new(json, "memory", json_pack("{s:I s:I}", "ram_touched", (json_int_t)t.ram_touched, "beyond_ram",
                                                      (json_int_t)(own > t.ram_touched ? own - t.ram_touched : 0)));
    for (size_t n = 0; json && t.counters[n].name; n++)
        json_object_set_new(json, t.counters[n].name, json_integer((json_int_t)t.counters[n].value));
    ok = json && (strcmp(s->options->stats, "-") ? !json_dump_file(json, s->options->stats, JSON_INDENT(2)) :
                  !json_dumpf(json, stdout, JSON_INDENT(2)) && putchar('\n') != EOF);
    json_decref(json);
    return ok || error_set(err, EIO, "cannot write the statistics to %s", s->options->stats);
}

static int exit_code(struct session *s)
{
    const char *missed = steps_unmet(s);

    if (s->reason == STOP_FAULT || s->reason == STOP_BREAKPOINT) {
        fprintf(stderr, "holdover: %s: the engine stopped at something that it cannot run\n", s->name);
        return EXIT_FAILED;
    }
    if (missed) {
        fprintf(stderr, "holdover: %s: '%s' did not appear before the run ended (%s)\n", s->name, missed, reason_name(s));
        return EXIT_UNMET;
    }
    if (s->reason == STOP_EXIT && s->machine->exit_code) {
        fprintf(stderr, "holdover: %s: the guest ended the run with code %d\n", s->name, s->machine->exit_code);
        return EXIT_FAILED;
    }
    return EXIT_FINE;
}

static int fail_file(int code, const char *what, const char *path, int why)
{
    struct error err;

    error_set(&err, why, "%s's file %s is not complete: %s", what, path, strerror(why));
    return fail(code ? code : EXIT_FAILED, &err);
}

static int session_finish(struct session *s)
{
    const struct run_options *o = s->options;
    int code = exit_code(s);
    struct error err;

    if (s->serial.failed)
        code = fail_file(code, "the serial port", o->serial ? o->serial : "of serial1.to", s->serial.failed);
    if (s->debug && (fflush(s->debug) || ferror(s->debug)))
        code = fail_file(code, "the debug port", strchr(o->debug_port, ':') + 1, errno);
    if (o->screenshot && !screen_save(s->machine, o->screenshot, &err))
        code = fail(code ? code : EXIT_FAILED, &err);
    if (o->stats && !stats_write(s, &err))
        code = fail(code ? code : EXIT_FAILED, &err);
    return code;
}

static void session_close(struct session *s)
{
    window_close(s->window);
    if (s->machine) {
        typist_stop(&s->typist);
        machine_free(s->machine);               /* flushes and closes the disks */
    }
    control_stopped(s->control, true, reason_name(s));
    control_close(s->control);
    serial_close(&s->serial);
    if (s->debug && s->debug != stdout)
        fclose(s->debug);
    property_free(profile_stop_properties, &s->stop);
    if (s->wake >= 0)
        close(s->wake);
    if (s->signals >= 0)
        close(s->signals);
    free(s->clip);
    free(s->guest_clip);
    pthread_mutex_destroy(&s->notice_lock);
}

/* What a --set of a device names, and what a value means, only the machine itself checks: was it the command line that it
 * refused? *device: a section that is no part of it. */
static bool line_refused(const struct run_options *o, const char *sentence, bool *device)
{
    *device = false;
    for (size_t i = 0; i < o->set.count; i++) {
        const char *setting = o->set.items[i];
        int dot = (int)strcspn(setting, "."), equals = (int)strcspn(setting, "=");
        char section[64], name[64], key[64], value[64];
        snprintf(section, sizeof(section), "[%.*s]:", dot, setting);
        snprintf(name, sizeof(name), "%.*s", equals, setting);
        snprintf(key, sizeof(key), "'%.*s'", equals - dot - 1, setting + dot + 1);
        snprintf(value, sizeof(value), "'%s'", setting + equals + 1);
        *device = strstr(sentence, section);
        if (*device || strstr(sentence, name) || strstr(sentence, key) || strstr(sentence, value))
            return true;
    }
    return (o->memory && strstr(sentence, "machine.memory")) || strstr(sentence, "--debug-port");
}

int session_run(struct session *s, struct machine_config *config)
{
    struct error err = { 0 };
    bool device;
    int code;

    if (session_open(s, config, &err)) {
        session_loop(s);
        code = session_finish(s);
    } else if (!s->machine && err.code == EINVAL && line_refused(s->options, err.text, &device)) {
        code = fail(EXIT_USAGE, &err);
        if (device)
            setup_list_keys(stderr);
    } else {
        code = fail(EXIT_FAILED, &err);
    }
    session_close(s);
    return code;
}
