/* `holdover stop`: an orderly shutdown, as the guest's profile says. */
#include "console/talk.h"

static int stop(struct invocation *in)
{
    int code = talk(in, json_pack("{s:s}", "command", "stop"), "has shut down", NULL);

    if (!code)
        talk_wait_ended(in->arguments.items[0]);
    return code;
}

const struct command command_stop = {
    .name = "stop", .usage = "NAME", .summary = "ask a running guest to shut down, and wait",
    .least = 1, .most = 1, .run = stop,
    .details = "Presses the power button, then types what the profile's [stop] section says. A guest that does not shut down in\n"
               "the profile's time goes on running: 'holdover kill' ends it by force.",
};
