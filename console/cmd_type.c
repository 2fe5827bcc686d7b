/* `holdover type`: types a text on a running guest's keyboard. */
#include "console/talk.h"

static int type(struct invocation *in)
{
    return talk(in, json_pack("{s:s s:s}", "command", "type", "text", in->arguments.items[1]), NULL, NULL);
}

const struct command command_type = {
    .name = "type", .usage = "NAME TEXT", .summary = "type a text on a running guest's keyboard",
    .least = 2, .most = 2, .run = type,
    .details = "The text is typed as on a US keyboard; \\n is Enter. The command returns when all keys are typed.",
};
