/* A serial line's far end: the guest's bytes go to a file or the terminal and are kept for --until; bytes of the
 * terminal go to the guest. */
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
    bool counted;                               /* the machine's thread pumps: a full buffer is emptied on the spot, and input is none */
    int wake;                                   /* an eventfd of the main loop */
    int out, in;                                /* descriptors or -1 */
    int failed;                                 /* the errno of a write that lost bytes; 0: none */
    bool terminal;                              /* the terminal's settings are to be put back */
    char *window;                               /* what came and was not yet searched through */
    size_t window_used;
    uint8_t pending[256];                       /* input that the chip has no room for yet */
    size_t pending_used;
};

/* target: NULL (bytes are only searched), "-", or a file. */
bool serial_open(struct serial_line *, const char *target, int wake, struct error *);
void serial_start(struct serial_line *, struct machine *);      /* the machine exists: raises the modem lines */
/* Main thread (the machine's, with the counted clock): moves bytes both ways. poll_in: the input descriptor is readable. */
void serial_pump(struct serial_line *, bool poll_in);
/* Was the text sent since the last match? If so everything up to its end is forgotten. */
bool serial_has(struct serial_line *, const char *text);
/* The process has one terminal: no echo, no lines, until it is put back. false: it is none. */
bool terminal_raw(int fd);
void terminal_restore(int fd);
void serial_close(struct serial_line *);        /* after the machine is gone */

#endif
