#include "console/serial.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios terminal_before;          /* the process has one terminal */

static void pump_out(struct serial_line *);

static void wake_main(struct serial_line *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake, &one, sizeof(one));

    (void)n;                                    /* full means: already awake */
}

/* From the chip, under the machine lock. */
static size_t line_write(void *backend, const uint8_t *bytes, size_t length)
{
    struct serial_line *s = backend;
    size_t taken;
    bool wake;

    if (s->counted && s->used + length > SERIAL_BUFFER)
        pump_out(s);
    pthread_mutex_lock(&s->lock);
    taken = MIN(length, SERIAL_BUFFER - s->used);
    memcpy(s->buffer + s->used, bytes, taken);
    s->used += taken;
    s->stalled |= taken < length;
    wake = !s->woken;
    s->woken = true;
    pthread_mutex_unlock(&s->lock);
    if (wake)
        wake_main(s);
    return taken;
}

bool terminal_raw(int fd)
{
    struct termios t;

    if (!isatty(fd) || tcgetattr(fd, &terminal_before))
        return false;
    t = terminal_before;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_iflag &= ~(tcflag_t)ICRNL;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    return !tcsetattr(fd, TCSANOW, &t);
}

void terminal_restore(int fd) { tcsetattr(fd, TCSANOW, &terminal_before); }

bool serial_open(struct serial_line *s, const char *target, int wake, struct error *err)
{
    *s = (struct serial_line){ .end = { .backend = s, .write = line_write }, .wake = wake, .out = -1, .in = -1 };
    pthread_mutex_init(&s->lock, NULL);
    if (!(s->window = malloc(SERIAL_WINDOW + 1)))
        abort();
    if (!target)
        return true;
    if (!strcmp(target, "-")) {
        s->out = STDOUT_FILENO;
        s->in = STDIN_FILENO;
        s->terminal = terminal_raw(s->in);
        return true;
    }
    s->out = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->out < 0)
        return error_set(err, errno, "cannot write the serial port's file %s: %s", target, strerror(errno));
    return true;
}

void serial_start(struct serial_line *s, struct machine *m)
{
    machine_lock(m);
    s->machine = m;
    s->counted = !m->real_time;
    if (s->counted)
        s->in = -1;
    if (s->end.modem_in)
        s->end.modem_in(s->end.chip, MODEM_CTS | MODEM_DSR | MODEM_DCD);
    machine_unlock(m);
}

static void write_all(struct serial_line *s, const uint8_t *bytes, size_t length)
{
    while (length && s->out >= 0) {
        ssize_t n = write(s->out, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {                            /* the guest need not know; a reader that is gone is no failure */
            s->failed = errno == EPIPE ? 0 : errno;
            if (s->out != STDOUT_FILENO)
                close(s->out);
            s->out = -1;
            return;
        }
        bytes += n;
        length -= (size_t)n;
    }
}

/* Keeps the newest bytes; NULs of the line become blanks, so that the window is one C string. */
static void window_add(struct serial_line *s, const uint8_t *bytes, size_t length)
{
    if (s->window_used + length > SERIAL_WINDOW) {
        size_t keep = (SERIAL_WINDOW - length) / 2;
        keep = MIN(keep, s->window_used);
        memmove(s->window, s->window + s->window_used - keep, keep);
        s->window_used = keep;
    }
    for (size_t i = 0; i < length; i++)
        s->window[s->window_used++] = bytes[i] ? (char)bytes[i] : ' ';
    s->window[s->window_used] = 0;
}

static void pump_out(struct serial_line *s)
{
    static uint8_t bytes[SERIAL_BUFFER];
    size_t length;
    bool stalled;

    pthread_mutex_lock(&s->lock);
    length = s->used;
    memcpy(bytes, s->buffer, length);
    s->used = 0;
    s->woken = false;
    stalled = s->stalled;
    s->stalled = false;
    pthread_mutex_unlock(&s->lock);
    if (!length)
        return;
    write_all(s, bytes, length);
    window_add(s, bytes, length);
    if (stalled && s->machine && s->end.drained) {
        machine_lock(s->machine);
        s->end.drained(s->end.chip);
        machine_unlock(s->machine);
    }
}

static void pump_in(struct serial_line *s, bool readable)
{
    ssize_t n;

    if (readable && s->in >= 0 && !s->pending_used) {
        n = read(s->in, s->pending, sizeof(s->pending));
        if (n > 0)
            s->pending_used = (size_t)n;
        else if (n == 0 || errno != EINTR)
            s->in = -1;                         /* the terminal or pipe was closed; output goes on */
    }
    if (!s->pending_used || !s->machine || !s->end.receive)
        return;
    machine_lock(s->machine);
    size_t room = MIN(s->end.room(s->end.chip), s->pending_used);
    if (room)
        s->end.receive(s->end.chip, s->pending, room);
    machine_unlock(s->machine);
    s->pending_used -= room;
    memmove(s->pending, s->pending + room, s->pending_used);
}

void serial_pump(struct serial_line *s, bool poll_in)
{
    pump_out(s);
    pump_in(s, poll_in);
}

bool serial_has(struct serial_line *s, const char *text)
{
    char *at = s->window_used ? strstr(s->window, text) : NULL;

    if (!at)
        return false;
    at += strlen(text);
    s->window_used -= (size_t)(at - s->window);
    memmove(s->window, at, s->window_used + 1);
    return true;
}

void serial_close(struct serial_line *s)
{
    if (!s->window)
        return;
    pump_out(s);
    if (s->terminal)
        terminal_restore(STDIN_FILENO);
    if (s->out >= 0 && s->out != STDOUT_FILENO)
        close(s->out);
    free(s->window);
    s->window = NULL;
    pthread_mutex_destroy(&s->lock);
}
