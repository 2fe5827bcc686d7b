/* The control socket of a running guest: JSON lines, {"command": "status"} answered by {"ok": true, ...} or
 * {"ok": false, "error": "a sentence"}. docs/control.md lists the commands. */
#ifndef CONSOLE_CONTROL_H
#define CONSOLE_CONTROL_H
#include "console/session.h"
#include <jansson.h>
#include <poll.h>

enum { CONTROL_CLIENTS = 8, CONTROL_LINE = 65536 };

struct control *control_open(struct session *, const char *folder, struct error *);
/* Adds the descriptors to wait for; returns how many (at most CONTROL_CLIENTS + 1). */
unsigned control_poll(struct control *, struct pollfd *);
void control_handle(struct control *);          /* reads and answers whatever is there, without waiting */
/* Answers those who wait for a stop. */
void control_stopped(struct control *, bool ok, const char *sentence);
void control_close(struct control *);           /* removes the socket; NULL is fine */

/* The client's end: sends one command to the guest in `folder` and waits for the answer (a new reference), or NULL. The sentence is
 * the guest's own when it refused. request is released. */
json_t *control_ask(const char *folder, const char *name, json_t *request, struct error *);

#endif
