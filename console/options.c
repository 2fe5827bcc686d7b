#include "console/options.h"
#include "base/bits.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#define RUN(m) offsetof(struct run_options, m)
const struct option run_option_table[] = {
    { "engine", "NAME", OPTION_TEXT, RUN(engine), 0, "auto, translator or interpreter" },
    { "set", "KEY=VALUE", OPTION_LIST, RUN(set), 0, "a profile setting (machine.memory=64M) or device property; repeatable" },
    { "memory", "SIZE", OPTION_TEXT, RUN(memory), 0, "RAM, as in 64M" },
    { "headless", NULL, OPTION_FLAG, RUN(headless), 0, "no window" },
    { "for", "SECONDS", OPTION_SECONDS, RUN(seconds), 0, "end after this time of the host" },
    { "no-reboot", NULL, OPTION_FLAG, RUN(no_reboot), 0, "a reset of the machine ends the run" },
    { "until", "TEXT", OPTION_STEP, RUN(steps), STEP_UNTIL, "step: wait for a text on the serial line or in a row of the screen" },
    { "type", "TEXT", OPTION_STEP, RUN(steps), STEP_TYPE, "step: type a text on the keyboard; \\n is Enter" },
    { "key", "KEY", OPTION_STEP, RUN(steps), STEP_KEY, "step: press a key, as in ctrl-alt-del or f1" },
    { "pointer", "X,Y[,BUTTONS]", OPTION_STEP, RUN(steps), STEP_POINTER, "step: point at a pixel of the screen, as a tablet does" },
    { "move", "DX,DY[,BUTTONS]", OPTION_STEP, RUN(steps), STEP_MOVE, "step: move the mouse, as in 10,-5" },
    { "screenshot", "FILE", OPTION_TEXT, RUN(screenshot), 0, "save the screen as PNG at the end" },
    { "serial", "FILE", OPTION_TEXT, RUN(serial), 0, "serial port 1 to a file; -: to the terminal, with its input" },
    { "debug-port", "PORT:FILE", OPTION_TEXT, RUN(debug_port), 0, "bytes written to an I/O port go to a file" },
    { "stats", "FILE", OPTION_TEXT, RUN(stats), 0, "counters as JSON at the end; -: to the standard output" },
    { "vnc", "ADDRESS", OPTION_LATER, 0, 0, "a VNC server: not in this version" },
    { 0 }
};

static const struct option *table_find(const struct option *table, const char *name, size_t length)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == length && !memcmp(table->name, name, length))
            return table;
    return NULL;
}

static void *grow(void *items, size_t count, size_t size)
{
    void *grown = realloc(items, (count + 1) * size);

    if (!grown)
        abort();
    return grown;
}

static bool option_take(const struct option *o, void *object, char *value, struct error *err)
{
    char *member = (char *)object + o->offset, *end;
    struct text_list *list = (void *)member;
    struct step_list *steps = (void *)member;

    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)member = true;
        break;
    case OPTION_TEXT:
        *(const char **)member = value;
        break;
    case OPTION_LIST:
        list->items = grow(list->items, list->count, sizeof(*list->items));
        list->items[list->count++] = value;
        break;
    case OPTION_STEP:
        steps->items = grow(steps->items, steps->count, sizeof(*steps->items));
        steps->items[steps->count++] = (struct step){ (enum step_kind)o->extra, value };
        break;
    case OPTION_SECONDS:
        *(double *)member = strtod(value, &end);
        if (end == value || *end || !isfinite(*(double *)member) || *(double *)member <= 0)
            return error_set(err, EINVAL, "--%s needs a number of seconds above 0, not '%s'", o->name, value);
        break;
    case OPTION_LATER:
        return error_set(err, ENOTSUP, "the option --%s is not in this version", o->name);
    }
    return true;
}

/* One "--name", "--name=value" or "-o"; *used: did it take the next argument as its value? */
static bool option_parse(struct invocation *in, char *text, char *next, bool *used, struct error *err)
{
    const struct command *c = in->command;
    char *name = text + (text[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *o = table_find(c->options, name, length);
    void *object = in->own;

    if (!o && c->common) {
        o = table_find(run_option_table, name, length);
        object = &in->run;
    }
    *used = false;
    if (!o)
        return error_set(err, EINVAL, "'holdover %s' has no option '%.*s'", c->name, (int)(length + (size_t)(name - text)), text);
    if (!o->argument) {
        if (equals)
            return error_set(err, EINVAL, "the option --%s takes no value", o->name);
        return option_take(o, object, NULL, err);
    }
    if (equals)
        return option_take(o, object, equals + 1, err);
    if (!next)
        return error_set(err, EINVAL, "the option %s needs a value: %s", text, o->argument);
    *used = true;
    return option_take(o, object, next, err);
}

bool options_parse(struct invocation *in, int argc, char **argv, bool *help, struct error *err)
{
    bool only_arguments = false;

    *help = false;
    for (int i = 0; i < argc; i++) {
        bool used;
        if (only_arguments || argv[i][0] != '-' || !argv[i][1]) {
            in->arguments.items = grow(in->arguments.items, in->arguments.count, sizeof(char *));
            in->arguments.items[in->arguments.count++] = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            only_arguments = true;
            continue;
        }
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            *help = true;
            return true;
        }
        if (!option_parse(in, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used, err))
            return false;
        i += used;
    }
    if (in->arguments.count < in->command->least)
        return error_set(err, EINVAL, "something is missing: holdover %s %s", in->command->name, in->command->usage);
    if (in->arguments.count > in->command->most)
        return error_set(err, EINVAL, "'%s' is too much: holdover %s %s", in->arguments.items[in->command->most],
                         in->command->name, in->command->usage);
    return true;
}

static void table_free(const struct option *table, void *object)
{
    for (; table && table->name; table++)
        if (table->kind == OPTION_LIST || table->kind == OPTION_STEP) {
            struct text_list *list = (void *)((char *)object + table->offset);
            free(list->items);
            list->items = NULL;                 /* several options may share one list of steps */
        }
}

void options_free(struct invocation *in)
{
    table_free(in->command->options, in->own);
    table_free(run_option_table, &in->run);
    free(in->arguments.items);
    free(in->own);
}

static void table_help(const struct option *table, FILE *out)
{
    for (; table && table->name; table++) {
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s%s", strlen(table->name) == 1 ? "-" : "--", table->name,
                 table->argument ? " " : "", table->argument ? table->argument : "");
        fprintf(out, "  %-24s %s\n", left, table->help);
    }
}

void options_help(const struct command *c, FILE *out)
{
    fprintf(out, "holdover %s%s%s\n\n%c%s.\n", c->name, *c->usage ? " " : "", c->usage, toupper((unsigned char)c->summary[0]),
            c->summary + 1);
    if (c->details)
        fprintf(out, "\n%s\n", c->details);
    if (c->options) {
        fprintf(out, "\nOptions:\n");
        table_help(c->options, out);
    }
    if (c->common) {
        fprintf(out, "\nOptions of run and boot:\n");
        table_help(run_option_table, out);
        fprintf(out, "\nExit code: 0 the last --until was met, the guest powered off with none pending, or --for ran out\n"
                     "without one; 1 failed; 2 usage; 3 an --until was not met when the run ended.\n");
    }
}

int fail(int code, const struct error *err)
{
    fprintf(stderr, "holdover: %s\n", err->text);
    return code;
}

int usage_error(const struct command *c, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "holdover: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nSee 'holdover %s --help'.\n", c->name);
    return EXIT_USAGE;
}

const struct command *command_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

bool command_later(const char *name)
{
    static const char *const later[] = { "snapshot", "clone", "diff", "promote", "adapt", "suspend", "top", "start-menu", "cp" };

    for (size_t i = 0; i < ARRAY_SIZE(later); i++)
        if (!strcmp(later[i], name))
            return true;
    return false;
}

int command_dispatch(const struct command *c, int argc, char **argv)
{
    struct invocation in = { .command = c, .own = calloc(1, c->size ? c->size : 1) };
    struct error err;
    bool help;
    int code;

    if (!in.own)
        abort();
    if (!options_parse(&in, argc, argv, &help, &err)) {
        code = usage_error(c, "%s", err.text);
    } else if (help) {
        options_help(c, stdout);
        code = EXIT_FINE;
    } else {
        code = c->run(&in);
    }
    options_free(&in);
    return code;
}
