#include "base/log.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

/* The one process-wide setting: a log has no machine. Machines may run in several threads. */
static struct { FILE *stream; enum log_level level; bool silent; pthread_mutex_t lock; } sink =
    { .level = LOG_WARN, .lock = PTHREAD_MUTEX_INITIALIZER };

void log_to(FILE *stream)
{
    pthread_mutex_lock(&sink.lock);
    sink.stream = stream;
    sink.silent = !stream;
    pthread_mutex_unlock(&sink.lock);
}

void log_set_level(enum log_level level)
{
    sink.level = level;
}

static bool wanted(enum log_level level)
{
    if (level == LOG_GUEST)
        return sink.level >= LOG_DEBUG;
    if (level == LOG_STUB)
        return sink.level >= LOG_INFO;
    return level <= sink.level;
}

void log_write(struct log_site *site, enum log_level level, const char *category, const char *fmt, ...)
{
    static const char *const names[] = { "error", "warning", "info", "debug", "trace", "guest", "not modelled" };
    enum { FREE_LINES = 10, THEN_EVERY = 1000 };
    va_list ap;

    if (sink.silent || !wanted(level))
        return;
    pthread_mutex_lock(&sink.lock);
    unsigned long count = ++site->count;
    if (count <= FREE_LINES || count % THEN_EVERY == 0) {
        FILE *out = sink.stream ? sink.stream : stderr;
        fprintf(out, "%s: %s: ", category, names[level]);
        va_start(ap, fmt);
        vfprintf(out, fmt, ap);
        va_end(ap);
        if (count > FREE_LINES)
            fprintf(out, " (%lu times)", count);
        fputc('\n', out);
        fflush(out);
    }
    pthread_mutex_unlock(&sink.lock);
}
