/* Progress of long work on a terminal, and Ctrl-C as a wish to stop it. */
#ifndef CONSOLE_PROGRESS_H
#define CONSOLE_PROGRESS_H
#include "importers/importer.h"

struct progress { const char *verb; bool terminal, shown; };
void progress_start(struct progress *, const char *verb);
void progress_show(void *progress, const struct import_progress *);     /* import_options.progress */
void progress_end(struct progress *);           /* ends the line */
/* SIGINT, SIGTERM and SIGHUP set the flag from now on. */
const volatile sig_atomic_t *progress_cancel(void);

#endif
