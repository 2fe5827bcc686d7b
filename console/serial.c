#include "console/serial.h"
#include <stdlib.h>
#include <unistd.h>

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
        serial_pump(s);
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

void serial_open(struct serial_line *s, int wake)
{
    *s = (struct serial_line){ .end = { .backend = s, .write = line_write }, .wake = wake };
    pthread_mutex_init(&s->lock, NULL);
    if (!(s->window = malloc(SERIAL_WINDOW + 1)))
        abort();
}

void serial_start(struct serial_line *s, struct machine *m)
{
    machine_lock(m);
    s->machine = m;
    s->counted = !m->real_time;
    if (s->end.modem_in)
        s->end.modem_in(s->end.chip, MODEM_CTS | MODEM_DSR | MODEM_DCD);
    machine_unlock(m);
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

void serial_pump(struct serial_line *s)
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
    window_add(s, bytes, length);
    if (stalled && s->machine && s->end.drained) {
        machine_lock(s->machine);
        s->end.drained(s->end.chip);
        machine_unlock(s->machine);
    }
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
    free(s->window);
    s->window = NULL;
    pthread_mutex_destroy(&s->lock);
}
