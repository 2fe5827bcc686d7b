/* `holdover key`: presses keys of a running guest. */
#include "console/talk.h"

static int key(struct invocation *in)
{
    return talk(in, json_pack("{s:s s:s}", "command", "key", "key", in->arguments.items[1]), NULL, NULL);
}

const struct command command_key = {
    .name = "key", .usage = "NAME KEY", .summary = "press a key of a running guest, as ctrl-alt-del or f1",
    .least = 2, .most = 2, .run = key,
};
