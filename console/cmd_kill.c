/* `holdover kill`: the end of a run, as if the machine were unplugged. */
#include "console/talk.h"

static int kill_guest(struct invocation *in)
{
    int code = talk(in, json_pack("{s:s}", "command", "kill"), "was powered off", NULL);

    if (!code)
        talk_wait_ended(in->arguments.items[0]);
    return code;
}

const struct command command_kill = {
    .name = "kill", .usage = "NAME", .summary = "power a running guest off at once, as if unplugged",
    .least = 1, .most = 1, .run = kill_guest,
    .details = "What the system had not yet written to its disk is lost, as on a real machine; images and store stay whole.",
};
