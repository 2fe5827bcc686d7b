/* Command lines: each command declares its options in a table, and parser, `--help` and the completion read it. */
#ifndef CONSOLE_OPTIONS_H
#define CONSOLE_OPTIONS_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct text_list { char **items; size_t count; };               /* items point into argv */
enum step_kind { STEP_UNTIL, STEP_TYPE, STEP_KEY, STEP_POINTER, STEP_MOVE };
struct step { enum step_kind kind; const char *text; };
struct step_list { struct step *items; size_t count; };

/* OPTION_STEP: an item of a step_list, of the kind that `extra` says. OPTION_SECONDS: a double. OPTION_LATER: not in this
 * version, and said so. */
enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST, OPTION_STEP, OPTION_SECONDS, OPTION_LATER };
struct option { const char *name, *argument; enum option_kind kind; size_t offset; int extra; const char *help; };

/* What `run` and `boot` both take. */
struct run_options {
    const char *engine, *memory, *screenshot, *serial, *debug_port, *stats;
    struct text_list set;
    struct step_list steps;
    bool headless, no_reboot;
    double seconds;                             /* --for; 0: no end */
};
extern const struct option run_option_table[];

/* A command of the program: a file console/cmd_NAME.c. */
struct command;
struct invocation {
    const struct command *command;
    struct run_options run;                     /* when the command is `common` */
    struct text_list arguments;
    void *own;                                  /* the command's own options: `size` bytes */
};
enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNMET = 3 };
struct command {
    const char *name, *usage, *summary;         /* usage: what follows the name */
    const struct option *options; size_t size;  /* its own options and the struct that they fill */
    bool common;                                /* takes run_option_table too */
    unsigned least, most;                       /* number of arguments */
    const char *details;                        /* more lines for --help; may be NULL */
    int (*run)(struct invocation *);
};
extern const struct command *const commands[];  /* closed by NULL; in commands.c */
const struct command *command_find(const char *name);
bool command_later(const char *name);           /* one that a later version will have */

/* Fills the invocation from argv[0..argc) (after the command's name). false: a sentence; --help sets *help. */
bool options_parse(struct invocation *, int argc, char **argv, bool *help, struct error *);
void options_free(struct invocation *);
void options_help(const struct command *, FILE *);
/* Parses and runs; prints what went wrong. Returns the program's exit code. */
int command_dispatch(const struct command *, int argc, char **argv);

/* "holdover: SENTENCE" on stderr; returns code. */
int fail(int code, const struct error *);
/* Prints a sentence and how to get help; returns EXIT_USAGE. */
int usage_error(const struct command *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
