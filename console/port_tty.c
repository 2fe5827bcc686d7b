/* A serial port of the host: rate and format as the guest sets them, modem lines and breaks both ways. The guest's own chip keeps
 * the time on its line; the host's does so once more. See termios(3), ioctl_tty(2); arbitrary rates are struct termios2's. */
#include "console/ports.h"
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct { unsigned modem; int tiocm; } pins[] = {
    { MODEM_DTR, TIOCM_DTR }, { MODEM_RTS, TIOCM_RTS }, { MODEM_CTS, TIOCM_CTS }, { MODEM_DSR, TIOCM_DSR }, { MODEM_RI, TIOCM_RI },
    { MODEM_DCD, TIOCM_CD }
};

static void tty_settings(void *backend, unsigned baud, unsigned data, char parity, unsigned stop, bool line_break)
{
    static const tcflag_t sizes[] = { CS5, CS6, CS7, CS8 };
    struct port *p = backend;
    struct termios2 t;
    if (p->out < 0 || ioctl(p->out, TCGETS2, &t))
        return;
    t.c_iflag = INPCK | PARMRK;
    t.c_oflag = t.c_lflag = 0;
    t.c_cflag = CREAD | CLOCAL | BOTHER | sizes[(data - 5) & 3] | (stop > 1 ? CSTOPB : 0) | (parity != 'N' ? PARENB : 0) |
                (parity == 'O' || parity == 'M' ? PARODD : 0) | (parity == 'M' || parity == 'S' ? CMSPAR : 0);
    t.c_ispeed = t.c_ospeed = baud;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    ioctl(p->out, TCSETS2, &t);
    if (line_break != p->breaking)
        ioctl(p->out, line_break ? TIOCSBRK : TIOCCBRK);
    p->breaking = line_break;
}

/* Drives DTR and RTS and reads the other lines. A terminal without lines is one whose far end is ready. */
void tty_poll(struct port *p)
{
    int now, want;
    unsigned lines = 0;
    if (p->in < 0)
        return;
    if (ioctl(p->in, TIOCMGET, &now)) {
        lines = MODEM_CTS | MODEM_DSR | MODEM_DCD;
    } else {
        want = now & ~(TIOCM_DTR | TIOCM_RTS);
        for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
            want |= i < 2 && p->driven & pins[i].modem ? pins[i].tiocm : 0;
            lines |= i >= 2 && now & pins[i].tiocm ? pins[i].modem : 0;
        }
        if (want != now)
            ioctl(p->in, TIOCMSET, &want);
    }
    if (lines != p->lines)
        port_lines(p, lines);
}

/* FFh FFh is FFh, FFh 00h 00h a break, FFh 00h and another byte one with a parity or framing error [termios, PARMRK]. */
void tty_received(struct port *p, const uint8_t *bytes, size_t length)
{
    for (; length; bytes++, length--) {
        if (!p->mark && *bytes == 0xff) {
            p->mark = 1;
        } else if (p->mark == 1 && *bytes == 0) {
            p->mark = 2;
        } else {
            if (p->mark == 2)
                p->end.receive_bad(p->end.chip, *bytes, *bytes ? LINE_PARITY : LINE_BREAK);
            else
                p->end.receive(p->end.chip, bytes, 1);
            p->mark = 0;
        }
    }
}

bool tty_open(struct port *p, const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, errno, "%s: cannot open %s: %s", p->name, path, strerror(errno));
    if (!(p->saved = malloc(sizeof(struct termios2))))
        abort();
    p->in = p->out = fd;
    p->is_terminal = true;
    if (ioctl(fd, TCGETS2, p->saved)) {
        free(p->saved);
        p->saved = NULL;
        return error_set(err, errno, "%s: %s is no serial port: %s", p->name, path, strerror(errno));
    }
    p->end.settings = tty_settings;
    tty_settings(p, 9600, 8, 'N', 1, false);
    return true;
}

void tty_close(struct port *p)
{
    if (p->saved && p->out >= 0) {
        if (p->breaking)
            ioctl(p->out, TIOCCBRK);
        ioctl(p->out, TCSETS2, p->saved);
    }
    free(p->saved);
}
