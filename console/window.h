/* The machine's window: picture, keyboard, mouse, menu and status line. Main thread only. */
#ifndef CONSOLE_WINDOW_H
#define CONSOLE_WINDOW_H
#include "console/session.h"

struct window *window_open(struct session *, struct error *);
/* Waits up to timeout_ms for events, handles them and draws what changed. */
void window_step(struct window *, int timeout_ms);
void window_close(struct window *);             /* NULL is fine */

#endif
