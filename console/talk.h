/* Commands that speak to a running guest through its control socket. */
#ifndef CONSOLE_TALK_H
#define CONSOLE_TALK_H
#include "console/options.h"
#include <jansson.h>

/* Sends the request (released) to the guest named by the first argument. The answer is printed as a sentence `done` (may be
 * NULL), or handed out when `reply` is not NULL. Returns the program's exit code. */
int talk(struct invocation *, json_t *request, const char *done, json_t **reply);
/* After stop and kill: waits until the guest's process has given its lock back. */
void talk_wait_ended(const char *name);
/* A path as another process sees it. */
void absolute_path(const char *path, char *absolute, size_t size);

#endif
