/* `holdover media`: changes the disk in a drive of a running guest. */
#include "console/talk.h"
#include <limits.h>
#include <string.h>

static int media(struct invocation *in)
{
    const char *drive = in->arguments.items[1], *file = in->arguments.count > 2 ? in->arguments.items[2] : "";
    char path[PATH_MAX];

    if (!*file || !strcmp(file, "-"))
        return talk(in, json_pack("{s:s s:s}", "command", "media", "drive", drive), NULL, NULL);
    absolute_path(file, path, sizeof(path));
    return talk(in, json_pack("{s:s s:s s:s}", "command", "media", "drive", drive, "file", path), NULL, NULL);
}

const struct command command_media = {
    .name = "media", .usage = "NAME DRIVE [FILE[,rw]]", .summary = "change the disk in a drive of a running guest",
    .least = 2, .most = 3, .run = media,
    .details = "DRIVE is floppy0, floppy1 or cdrom0. Without a file, or with '-', the drive is emptied.",
};
