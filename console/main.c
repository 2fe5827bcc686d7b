/* The `holdover` program: finds the command and runs it. */
#include "console/library.h"
#include "console/options.h"
#include "console/version.h"
#include "importers/importer.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void list_commands(FILE *out)
{
    fprintf(out, "holdover COMMAND [ARGUMENT...]\n\nKeeps old PCs alive: imports their disks and runs them in a window.\n\n");
    for (const struct command *const *c = commands; *c; c++)
        fprintf(out, "  %-12s %s\n", (*c)->name, (*c)->summary);
    fprintf(out, "\n'holdover COMMAND --help' tells more about each.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    const struct command *c;
    int code;

    signal(SIGPIPE, SIG_IGN);                   /* a closed pipe is a write error, reported like any other */
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        c = argc > 2 ? command_find(argv[2]) : NULL;
        if (c)
            options_help(c, stdout);
        else
            list_commands(argc > 1 ? stdout : stderr);
        return argc > 1 ? EXIT_FINE : EXIT_USAGE;
    }
    if (!strcmp(name, "--version")) {
        printf("holdover " HOLDOVER_VERSION "\n");
        return EXIT_FINE;
    }
    if (!(c = command_find(name)) && command_later(name)) {
        fprintf(stderr, "holdover: the command '%s' is not in this version; 'holdover --help' lists those that are\n", name);
        return EXIT_USAGE;
    }
    if (!c) {
        fprintf(stderr, "holdover: there is no command '%s'; these exist:\n\n", name);
        list_commands(stderr);
        return EXIT_USAGE;
    }
    library_sweep();
    import_sweep();
    code = command_dispatch(c, argc - 2, argv + 2);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "holdover: cannot write to the standard output\n");
        return code ? code : EXIT_FAILED;
    }
    return code;
}
