/* Drives one machine from power-on to its end: steps, time limit, serial line, window, control socket, files at exit. */
#ifndef CONSOLE_SESSION_H
#define CONSOLE_SESSION_H
#include "console/options.h"
#include "console/serial.h"
#include "console/typist.h"
#include "hypervisor.h"

struct control;
struct window;
enum { NOTICE_SIZE = 256, MEDIUM_NAME = 64 };

/* How far `stop` has come. */
enum stop_stage { STOPPING_NOT, STOPPING_BUTTON, STOPPING_WAIT, STOPPING_FAILED };

struct session {
    /* filled by the caller */
    const char *name;                           /* in the window's title and in messages */
    const char *folder;                         /* the guest's, with the control socket; NULL: none (boot) */
    const struct run_options *options;
    const struct profile *profile;
    /* the session's own */
    struct machine *machine;
    struct host host;
    bool counted;                               /* the clock counts instructions: steps are the only input */
    struct serial_line serial;
    struct typist typist;
    FILE *debug;
    uint32_t debug_port;
    int wake, signals;                          /* an eventfd and a signalfd */
    pthread_t thread;
    bool thread_running;
    atomic_bool quit, ended;
    enum stop_reason reason;                    /* valid once ended */
    bool finished;                              /* the main loop is to end */
    bool killed;
    bool signalled, stop_must_end;              /* a signal asked to stop; a guest that does not obey is powered off */
    size_t step;                                /* the step under way */
    bool step_started;
    int64_t started;                            /* host time in ns */
    enum stop_stage stopping;
    int64_t stop_next, stop_deadline;           /* host time in ns */
    struct profile_stop stop;
    pthread_mutex_t notice_lock;
    char notice[NOTICE_SIZE];                   /* the newest; "" when shown */
    char *clip, *guest_clip;                    /* the desktop's clipboard; what the guest puts there; under notice_lock */
    char medium[3][MEDIUM_NAME];                /* file names of what is in floppy0, floppy1 and cdrom0; "" when empty */
    atomic_uint activity;                       /* counts accesses to drives, for the status line */
    struct control *control;
    struct window *window;
};

/* Makes the machine, runs it, writes what was asked for, frees it. Takes the media of config over. Prints errors itself and
 * returns the program's exit code. */
int session_run(struct session *, struct machine_config *);

/* For control socket, window and signals, in the main thread: */
bool session_stop(struct session *, struct error *);            /* asks the guest to shut down, as its profile says */
void session_kill(struct session *);                            /* ends the run now; disks are flushed */
bool session_type(struct session *, const char *text, struct error *);
bool session_paste(struct session *, const char *text, struct error *);         /* as it is: \n is no Enter */
bool session_key(struct session *, const char *name, struct error *);
void session_chord(struct session *, const char *name);         /* a known key; dropped while another is typed */
bool session_media(struct session *, const char *drive, const char *file, struct error *);  /* file NULL: eject */
/* What is in a drive, for menus. The path's last part is kept; NULL: nothing. */
void session_medium_note(struct session *, const char *drive, const char *file);
const char *session_medium(const struct session *, const char *drive);
void session_power_button(struct session *);
void session_notice(struct session *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* [any thread] */
double session_seconds(const struct session *);                 /* host seconds since the start */
int64_t host_now(void);                                         /* ns, monotonic */

/* setup.c: what run and boot have in common before the machine exists. Each prints what is wrong and returns an exit code. */
int setup_profile(const struct command *, const char *name_or_path, const struct run_options *, struct profile **);
int setup_check(const struct command *, const struct run_options *);
void setup_list_keys(FILE *);                   /* those of --set */
/* "F" (read; changes are discarded) or "F,rw". */
enum medium_kind { MEDIUM_FLOPPY, MEDIUM_CDROM, MEDIUM_DISK };
struct block *setup_medium(const char *text, enum medium_kind, struct error *);
/* Frees the media of a config that never reached machine_create. */
void setup_media_close(struct machine_config *);

#endif
