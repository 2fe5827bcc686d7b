/* What the guest sends over serial port 1, kept for --until: the port's far end itself, or beside one (ports.h). */
#ifndef CONSOLE_SERIAL_H
#define CONSOLE_SERIAL_H
#include "hypervisor.h"

enum { SERIAL_BUFFER = 65536,                   /* bytes on their way out; a full one makes the guest's chip wait */
       SERIAL_WINDOW = 1 << 20 };               /* bytes kept for --until */
struct serial_line {
    struct stream_end end;
    struct machine *machine;                    /* set by serial_start */
    pthread_mutex_t lock;                       /* guards buffer and used, between chip and main thread */
    uint8_t buffer[SERIAL_BUFFER];
    size_t used;
    bool stalled, woken;
    bool counted;                               /* the machine's thread pumps: a full buffer is emptied on the spot */
    int wake;                                   /* an eventfd of the main loop */
    int failed;                                 /* the errno of a write of the far end that lost bytes; 0: none */
    char *window;                               /* what came and was not yet searched through */
    size_t window_used;
};

void serial_open(struct serial_line *, int wake);
void serial_start(struct serial_line *, struct machine *);      /* the machine exists: raises the modem lines */
/* Main thread (the machine's, with the counted clock): takes the bytes over. */
void serial_pump(struct serial_line *);
/* Was the text sent since the last match? If so everything up to its end is forgotten. */
bool serial_has(struct serial_line *, const char *text);
void serial_close(struct serial_line *);        /* after the machine is gone */

#endif
