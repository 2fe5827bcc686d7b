/* `holdover screenshot`: a running guest's screen as a PNG file. */
#include "console/talk.h"
#include <limits.h>

static int screenshot(struct invocation *in)
{
    char path[PATH_MAX];

    absolute_path(in->arguments.items[1], path, sizeof(path));
    return talk(in, json_pack("{s:s s:s}", "command", "screenshot", "file", path), NULL, NULL);
}

const struct command command_screenshot = {
    .name = "screenshot", .usage = "NAME FILE.png", .summary = "save a running guest's screen as PNG",
    .least = 2, .most = 2, .run = screenshot,
};
