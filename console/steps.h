/* What the user asked for in order (--until, --type, --key), and the stages of an orderly stop. Main thread only. */
#ifndef CONSOLE_STEPS_H
#define CONSOLE_STEPS_H
#include "console/session.h"

void steps_advance(struct session *);           /* does and checks as many steps as it can */
bool steps_watch_screen(const struct session *);/* is an --until under way? */
bool steps_all_met(const struct session *);     /* all done, the last being an --until: the run is over */
const char *steps_unmet(const struct session *);/* the first --until not met; NULL: none */
/* X,Y[,BUTTONS] of --pointer and --move; buttons: 1 left, 2 right, 4 middle. */
bool steps_pointer(const struct step *, int place[3], struct error *);
void stop_advance(struct session *);            /* moves an orderly stop on when its time has come */

#endif
