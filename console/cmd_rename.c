/* `holdover rename`: gives a guest another name. */
#include "console/library.h"
#include "console/options.h"

static int rename_guest(struct invocation *in)
{
    struct guest g;
    struct error err;
    int code = EXIT_FINE;

    if (!library_name_valid(in->arguments.items[1], &err))
        return fail(EXIT_USAGE, &err);
    if (!guest_find(&g, in->arguments.items[0], &err) || !guest_lock(&g, &err))
        return fail(EXIT_FAILED, &err);
    if (!guest_rename(&g, in->arguments.items[1], &err))
        code = fail(EXIT_FAILED, &err);
    guest_unlock(&g);
    return code;
}

const struct command command_rename = {
    .name = "rename", .usage = "NAME NEW-NAME", .summary = "give a guest another name",
    .least = 2, .most = 2, .run = rename_guest,
};
