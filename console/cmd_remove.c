/* `holdover remove`: deletes a guest with its disk. */
#include "console/library.h"
#include "console/options.h"
#include <unistd.h>

/* Only a person at a terminal is asked. */
static bool agreed(const struct guest *g)
{
    char answer[16] = "";

    if (!isatty(STDIN_FILENO))
        return true;
    printf("Remove the guest '%s' with its disk (%.1f MB)? [y/N] ", g->name, (double)guest_bytes(g) / 1e6);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int remove_guest(struct invocation *in)
{
    struct guest g;
    struct error err;
    int code = EXIT_FINE;

    if ((!guest_find(&g, in->arguments.items[0], &err) && !guest_half(&g, in->arguments.items[0])) || !guest_lock(&g, &err))
        return fail(EXIT_FAILED, &err);
    if (!agreed(&g))
        printf("%s stays\n", g.name);
    else if (!guest_remove(&g, &err))
        code = fail(EXIT_FAILED, &err);
    guest_unlock(&g);
    return code;
}

const struct command command_remove = {
    .name = "remove", .usage = "NAME", .summary = "delete a guest with its disk",
    .least = 1, .most = 1, .run = remove_guest,
    .details = "On a terminal it asks first. A running guest is not removed.\n"
               "NAME may also be that of an interrupted import, which is then forgotten.",
};
