#include "console/progress.h"
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t cancelled;         /* a signal handler can reach nothing else */

static void on_signal(int number)
{
    (void)number;
    cancelled = 1;
}

const volatile sig_atomic_t *progress_cancel(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal };      /* no SA_RESTART: a read of a pipe returns */

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
    return &cancelled;
}

void progress_start(struct progress *p, const char *verb)
{
    *p = (struct progress){ .verb = verb, .terminal = isatty(STDERR_FILENO) };
}

static void print_time(double seconds)
{
    unsigned s = (unsigned)(seconds + 0.5);

    if (s >= 3600)
        fprintf(stderr, ", %u:%02u:%02u left", s / 3600, s / 60 % 60, s % 60);
    else
        fprintf(stderr, ", %u:%02u left", s / 60, s % 60);
}

void progress_show(void *progress, const struct import_progress *i)
{
    static const char *const stages[] = { [IMPORT_FINISHING] = "writing the last tables", [IMPORT_INSPECTING] = "looking inside",
                                          [IMPORT_DONE] = "done" };
    struct progress *p = progress;

    if (!p->terminal)
        return;
    p->shown = true;
    fprintf(stderr, "\r\x1b[K");
    if (i->stage != IMPORT_READING) {
        fprintf(stderr, "%s", stages[i->stage]);
        if (i->doing)
            fprintf(stderr, " (%s), %.0f s of at most %.0f; --no-inspect leaves this out", i->doing, i->waited, i->limit);
        fflush(stderr);
        return;
    }
    fprintf(stderr, "%s %.1f", p->verb, (double)i->done / 1e6);
    if (i->total)
        fprintf(stderr, " of %.1f MB (%.0f%%)", (double)i->total / 1e6, (double)i->done * 100 / (double)i->total);
    else
        fprintf(stderr, " MB");
    fprintf(stderr, ", %.1f MB/s", i->rate / 1e6);
    if (i->eta >= 0)
        print_time(i->eta);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fprintf(stderr, "\r\x1b[K");
    p->shown = false;
}
