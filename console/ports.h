/* What is plugged into the serial and parallel ports: "pty", "tcp:HOST:PORT", "file:F" ... of the properties serialN.to and
 * parallelN.to. A far end belongs to its chip, which closes it; it works on the machine's loop, under the machine lock. */
#ifndef CONSOLE_PORTS_H
#define CONSOLE_PORTS_H
#include "console/serial.h"

/* NULL with err->code 0: `to` is empty. watch may be NULL; else it is shown every byte that the guest sends. */
struct stream_end *port_serial(struct machine *, unsigned number, const char *to, struct serial_line *watch, struct error *);
struct parallel_end *port_parallel(struct machine *, unsigned number, const char *to, struct error *);

/* One serial far end; private to ports.c and port_tty.c. */
struct port {
    struct stream_end end;
    struct machine *machine;
    struct serial_line *tee;
    char name[96], link[128];                   /* for notices; a symbolic link to be removed */
    int in, out, listener;                      /* descriptors; -1: none, or nobody there */
    struct loop_watch *watch, *listening;
    struct timer timer;                         /* looks again: for a caller, for room in the chip, at modem lines */
    unsigned lines, driven;                     /* what the guest sees, and what it drives */
    bool is_pty, is_terminal, raw_terminal, stalled, breaking;
    uint8_t mark;                               /* tty: how much of an escape FFh 00h was read */
    void *address;                              /* tcp: where to call; a struct addrinfo list */
    void *saved;                                /* tty: its settings before */
};
void port_lines(struct port *, unsigned lines); /* tells the chip */

/* port_tty.c */
bool tty_open(struct port *, const char *path, struct error *);
void tty_received(struct port *, const uint8_t *bytes, size_t length);  /* takes the marks of breaks and errors out */
void tty_poll(struct port *);
void tty_close(struct port *);
/* port_host.c */
struct parallel_end *host_port_open(struct machine *, const char *path, struct error *);
/* printer.c */
struct parallel_end *printer_open(struct machine *, unsigned number, const char *folder, struct error *);

#endif
