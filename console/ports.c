/* Far ends of the serial ports: pseudo-terminals, TCP both ways, files, the terminal, a loopback plug; and the table that
 * chooses one. A far end where nobody is takes what is sent and loses it, with its modem lines down, as a cable whose other
 * computer is off. Descriptors never block: one that has no room makes the chip wait. */
#include "console/ports.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { LINES_UP = MODEM_CTS | MODEM_DSR | MODEM_DCD, ROOM_NS = 5000000, CALLER_NS = 100000000, RETRY_NS = 1000000000 };

static struct termios terminal_before;          /* the process has one terminal */

void port_lines(struct port *p, unsigned lines)
{
    p->lines = lines;
    if (p->end.modem_in)
        p->end.modem_in(p->end.chip, lines);
}

static void look_again(struct port *p, int64_t ns)
{
    timer_at(&p->machine->clock, &p->timer, clock_now(&p->machine->clock) + ns);
}

/* Waits for what can be used now; the chip does not say when it has room again, so that is looked at. */
static void port_wait(struct port *p)
{
    bool room = !p->end.room || p->end.room(p->end.chip);
    if (p->watch)
        loop_watch_events(p->watch, (short)((room ? POLLIN : 0) | (p->stalled ? POLLOUT : 0)));
    if ((p->watch && !room) || (p->stalled && !p->watch))
        look_again(p, ROOM_NS);
}

static void port_drain(struct port *p)
{
    if (p->stalled) {
        p->stalled = false;
        p->end.drained(p->end.chip);
    }
}

static void port_ready(void *arg, short revents);

static void port_connected(struct port *p, int in, int out)
{
    p->in = in;
    p->out = out;
    p->watch = loop_watch(p->machine, in, POLLIN, port_ready, p);
    port_lines(p, LINES_UP);
}

/* Nobody is there any more: what the chip holds is lost on the way. At the end of the standard input output goes on. */
static void port_hang_up(struct port *p)
{
    loop_unwatch(p->watch);
    p->watch = NULL;
    if (p->in == p->out) {
        if (!p->is_pty)
            close(p->in);
        p->out = -1;
        port_lines(p, 0);
        port_drain(p);
    }
    p->in = -1;
    if (p->is_pty || p->address)
        look_again(p, p->is_pty ? CALLER_NS : RETRY_NS);
}

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

static size_t port_write(void *backend, const uint8_t *bytes, size_t length)
{
    struct port *p = backend;
    struct pollfd fd = { .fd = p->out, .events = POLLOUT };
    ssize_t n = (ssize_t)length;
    if (p->out >= 0) {
        bool ready = !p->machine->real_time || (poll(&fd, 1, 0) > 0 && fd.revents & POLLOUT);      /* counted time waits */
        n = ready ? write(p->out, bytes, length) : -1;
        if (n < 0 && ready && errno != EAGAIN && errno != EINTR) {
            if (p->tee && errno != EPIPE)       /* a reader that is gone is no failure */
                p->tee->failed = errno;
            if (p->watch && p->in == p->out)
                port_hang_up(p);
            p->out = -1;                        /* or a full disk, or a pipe that nobody reads: the guest need not stop */
            n = (ssize_t)length;
        } else if (n <= 0) {
            p->stalled = true;
            port_wait(p);
            return 0;
        }
    }
    if (p->tee)
        p->tee->end.write(p->tee, bytes, (size_t)n);
    return (size_t)n;
}

static void port_read(struct port *p)
{
    uint8_t bytes[256];
    size_t room = MIN(p->end.room(p->end.chip), sizeof(bytes));
    ssize_t n = room ? read(p->in, bytes, room) : -1;
    if (n < 0 && (!room || errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        port_hang_up(p);
    else if (p->is_terminal)
        tty_received(p, bytes, (size_t)n);
    else
        p->end.receive(p->end.chip, bytes, (size_t)n);
}

static void port_ready(void *arg, short revents)
{
    struct port *p = arg;
    if (revents & POLLOUT)
        port_drain(p);
    if (p->watch && revents & POLLIN)
        port_read(p);
    else if (p->watch && revents & (POLLHUP | POLLERR))
        port_hang_up(p);
    port_wait(p);
}

/* --- TCP ------------------------------------------------------------------------------------------------------------- */

static void tcp_connected(struct port *p, int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    port_connected(p, fd, fd);
}

static void tcp_answered(void *arg, short revents)
{
    struct port *p = arg;
    int why = 0, fd = p->listener;
    socklen_t size = sizeof(why);
    (void)revents;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size);
    loop_unwatch(p->listening);
    p->listening = NULL;
    p->listener = -1;
    if (!why) {
        tcp_connected(p, fd);
    } else {
        close(fd);
        look_again(p, RETRY_NS);
    }
}

static void tcp_call(struct port *p)
{
    const struct addrinfo *a = p->address;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (!connect(fd, a->ai_addr, a->ai_addrlen) || errno == EINPROGRESS)) {
        p->listener = fd;
        p->listening = loop_watch(p->machine, fd, POLLOUT, tcp_answered, p);
        return;
    }
    if (fd >= 0)
        close(fd);
    look_again(p, RETRY_NS);
}

static void tcp_accept(void *arg, short revents)
{
    struct port *p = arg;
    int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    (void)revents;
    if (fd >= 0 && p->in >= 0)
        close(fd);                              /* engaged */
    else if (fd >= 0)
        tcp_connected(p, fd);
}

/* "HOST:PORT" or "PORT", which is this computer's. */
static struct addrinfo *tcp_resolve(struct port *p, const char *text, struct error *err)
{
    const char *colon = strrchr(text, ':');
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    char host[80];
    snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - text) : 9, colon ? text : "127.0.0.1");
    int why = getaddrinfo(host, colon ? colon + 1 : text, &hints, &found);
    if (why)
        error_set(err, EINVAL, "%s: '%s' is no HOST:PORT that can be found (%s)", p->name, text, gai_strerror(why));
    return found;
}

static bool open_tcp(struct port *p, const char *text, struct error *err)
{
    if ((p->address = tcp_resolve(p, text, err)))
        tcp_call(p);
    return p->address;
}

static bool open_tcp_listen(struct port *p, const char *text, struct error *err)
{
    struct addrinfo *found = tcp_resolve(p, text, err);
    int on = 1;
    if (!found)
        return false;
    p->listener = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool ok = p->listener >= 0 && !bind(p->listener, found->ai_addr, found->ai_addrlen) && !listen(p->listener, 1);
    freeaddrinfo(found);
    if (!ok)
        return error_set(err, errno, "%s: cannot listen at %s: %s", p->name, text, strerror(errno));
    p->listening = loop_watch(p->machine, p->listener, POLLIN, tcp_accept, p);
    return true;
}

/* --- the others ------------------------------------------------------------------------------------------------------ */

/* The other side has opened it when there is no hang-up; until then, we look from time to time. */
static void pty_poll(struct port *p)
{
    struct pollfd fd = { .fd = p->listener, .events = POLLIN };
    if (poll(&fd, 1, 0) >= 0 && fd.revents & POLLHUP)
        look_again(p, CALLER_NS);
    else
        port_connected(p, p->listener, p->listener);
}

static bool open_pty(struct port *p, const char *link, struct error *err)
{
    const struct host *h = p->machine->host;
    struct termios t;
    char path[64], text[192];
    int slave;
    p->is_pty = true;
    p->listener = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->listener < 0 || grantpt(p->listener) || unlockpt(p->listener) || ptsname_r(p->listener, path, sizeof(path)) ||
        (slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        return error_set(err, errno, "%s: no pseudo-terminal can be made: %s", p->name, strerror(errno));
    if (!tcgetattr(slave, &t)) {
        cfmakeraw(&t);
        tcsetattr(slave, TCSANOW, &t);
    }
    close(slave);                               /* from now on it hangs up until it is opened */
    if (*link && symlink(path, link))
        return error_set(err, errno, "%s: the link %s to %s cannot be made: %s", p->name, link, path, strerror(errno));
    snprintf(p->link, sizeof(p->link), "%s", link);
    snprintf(text, sizeof(text), "%s is %s", p->name, path);
    if (h->notice)
        h->notice(h->ui, text);
    look_again(p, 0);
    return true;
}

static bool open_file(struct port *p, const char *path, struct error *err)
{
    p->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
    p->lines = LINES_UP;
    return p->out >= 0 || error_set(err, errno, "%s: cannot write %s: %s", p->name, path, strerror(errno));
}

static bool open_stdio(struct port *p, const char *rest, struct error *err)
{
    struct termios t;
    (void)rest, (void)err;
    p->lines = LINES_UP;
    p->out = STDOUT_FILENO;
    if (!p->machine->real_time)                 /* counted time has no input */
        return true;
    if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &terminal_before)) {
        t = terminal_before;
        t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        t.c_iflag &= ~(tcflag_t)ICRNL;
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
        p->raw_terminal = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
    port_connected(p, STDIN_FILENO, STDOUT_FILENO);
    return true;
}

static bool open_tty(struct port *p, const char *path, struct error *err)
{
    if (!tty_open(p, path, err))
        return false;
    port_connected(p, p->in, p->in);
    look_again(p, 0);
    return true;
}

/* A plug with TXD at RXD, RTS at CTS, and DTR at DSR, DCD and RI. */
static size_t loop_write(void *backend, const uint8_t *bytes, size_t length)
{
    struct port *p = backend;
    p->end.receive(p->end.chip, bytes, MIN(length, p->end.room(p->end.chip)));
    return length;
}

static void loop_modem(void *backend, unsigned lines)
{
    port_lines(backend, (lines & MODEM_RTS ? MODEM_CTS : 0) | (lines & MODEM_DTR ? MODEM_DSR | MODEM_DCD | MODEM_RI : 0));
}

static void loop_settings(void *backend, unsigned baud, unsigned data, char parity, unsigned stop, bool line_break)
{
    struct port *p = backend;
    (void)baud, (void)data, (void)parity, (void)stop;
    if (line_break && !p->breaking)
        p->end.receive_bad(p->end.chip, 0, LINE_BREAK);
    p->breaking = line_break;
}

static bool open_loop(struct port *p, const char *rest, struct error *err)
{
    (void)rest, (void)err;
    p->end.write = loop_write;
    p->end.modem = loop_modem;
    p->end.settings = loop_settings;
    return true;
}

/* --- what all have --------------------------------------------------------------------------------------------------- */

static void port_modem(void *backend, unsigned lines)
{
    struct port *p = backend;
    p->driven = lines;
    if (p->is_terminal)
        tty_poll(p);
    port_lines(p, p->lines);                    /* also for a chip whose state was just loaded */
}

static void port_timer(void *arg)
{
    struct port *p = arg;
    if (p->is_terminal && p->in >= 0) {
        tty_poll(p);
        look_again(p, 2 * ROOM_NS);
    } else if (!p->watch && p->is_pty) {
        pty_poll(p);
    } else if (p->address && p->in < 0 && p->listener < 0) {
        tcp_call(p);
    }
    if (!p->watch)
        port_drain(p);
    port_wait(p);
}

static void port_close(void *backend)
{
    struct port *p = backend;
    timer_stop(&p->machine->clock, &p->timer);
    if (p->is_terminal)
        tty_close(p);
    if (p->watch)
        loop_unwatch(p->watch);
    if (p->listening)
        loop_unwatch(p->listening);
    if (p->out > STDERR_FILENO && p->out != p->listener)
        close(p->out);
    if (p->listener >= 0)
        close(p->listener);
    if (p->address)
        freeaddrinfo(p->address);
    if (*p->link)
        unlink(p->link);
    if (p->raw_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    free(p);
}

/* The part of `to` behind its kind, NULL: another kind. */
static const char *kind_rest(const char *to, const char *kind)
{
    size_t n = strlen(kind);
    return strncmp(to, kind, n) || (to[n] && to[n] != ':') ? NULL : to + n + (to[n] != 0);
}

struct stream_end *port_serial(struct machine *m, unsigned number, const char *to, struct serial_line *tee, struct error *err)
{
    static const struct { const char *name; bool needs; bool (*open)(struct port *, const char *, struct error *); } kinds[] = {
        { "pty", false, open_pty }, { "tcp", true, open_tcp }, { "tcp-listen", true, open_tcp_listen }, { "file", true, open_file },
        { "stdio", false, open_stdio }, { "tty", true, open_tty }, { "loop", false, open_loop }
    };
    const char *rest = NULL;
    size_t k;
    err->code = 0;
    if (!*to || !strcmp(to, "none"))
        return NULL;
    for (k = 0; k < ARRAY_SIZE(kinds) && !(rest = kind_rest(to, kinds[k].name)); k++)
        ;
    if (!rest || (kinds[k].needs && !*rest)) {
        error_set(err, EINVAL, "serial%u.to is pty, tcp:HOST:PORT, tcp-listen:PORT, file:F, stdio, tty:DEVICE, mouse or loop, not "
                  "'%s'", number + 1, to);
        return NULL;
    }
    struct port *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    p->end = (struct stream_end){ .backend = p, .write = port_write, .modem = port_modem, .close = port_close };
    p->machine = m;
    p->tee = tee;
    p->in = p->out = p->listener = -1;
    snprintf(p->name, sizeof(p->name), "serial%u", number + 1);
    timer_init(&p->timer, port_timer, p);
    if (kinds[k].open(p, rest, err))
        return &p->end;
    port_close(p);
    return NULL;
}

/* --- parallel: a file ------------------------------------------------------------------------------------------------- */

struct file_printer { struct parallel_end end; FILE *out; };

static size_t file_write(void *backend, const uint8_t *bytes, size_t length)
{
    fwrite(bytes, 1, length, ((struct file_printer *)backend)->out);
    return length;                              /* a full disk must not stop the guest: it sees the printer's error */
}

static uint8_t file_status(void *backend)
{
    return ferror(((struct file_printer *)backend)->out) ? PARALLEL_IDLE & ~PARALLEL_ERROR : PARALLEL_IDLE;
}

static void file_close(void *backend)
{
    fclose(((struct file_printer *)backend)->out);
    free(backend);
}

struct parallel_end *port_parallel(struct machine *m, unsigned number, const char *to, struct error *err)
{
    const char *rest;
    err->code = 0;
    if (!*to || !strcmp(to, "none"))
        return NULL;
    if ((rest = kind_rest(to, "pdf")) && *rest)
        return printer_open(m, number, rest, err);
    if ((rest = kind_rest(to, "host")) && *rest)
        return host_port_open(m, rest, err);
    if (!(rest = kind_rest(to, "file")) || !*rest) {
        error_set(err, EINVAL, "parallel%u.to is pdf:FOLDER, file:F or host:/dev/parport0, not '%s'", number + 1, to);
        return NULL;
    }
    struct file_printer *f = calloc(1, sizeof(*f));
    if (!f)
        abort();
    f->end = (struct parallel_end){ .backend = f, .write = file_write, .status = file_status, .close = file_close };
    if ((f->out = fopen(rest, "wbe")))
        return &f->end;
    error_set(err, errno, "parallel%u: cannot write %s: %s", number + 1, rest, strerror(errno));
    free(f);
    return NULL;
}
