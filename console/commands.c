/* The table of all commands, made from commands.def. */
#include "console/options.h"

#define COMMAND(name) extern const struct command command_##name;
#include "console/commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "console/commands.def"
#undef COMMAND
    NULL
};
