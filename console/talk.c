#include "console/talk.h"
#include "console/control.h"
#include "console/library.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int talk(struct invocation *in, json_t *request, const char *done, json_t **reply)
{
    const char *name = in->arguments.items[0];
    struct guest g;
    struct error err;
    json_t *answer;

    if (!guest_find(&g, name, &err)) {
        json_decref(request);
        return fail(EXIT_FAILED, &err);
    }
    if (!(answer = control_ask(g.folder, name, request, &err)))
        return fail(EXIT_FAILED, &err);
    if (done)
        printf("%s: %s\n", name, done);
    if (reply)
        *reply = answer;
    else
        json_decref(answer);
    return EXIT_FINE;
}

void talk_wait_ended(const char *name)
{
    enum { TRIES = 500 };
    struct timespec pause = { .tv_nsec = 10000000 };
    struct guest g;
    struct error err;

    for (unsigned i = 0; i < TRIES && guest_find(&g, name, &err) && guest_running(&g); i++)
        nanosleep(&pause, NULL);
}

void absolute_path(const char *path, char *absolute, size_t size)
{
    char here[PATH_MAX / 2];

    if (*path == '/' || !getcwd(here, sizeof(here)))
        snprintf(absolute, size, "%s", path);
    else
        snprintf(absolute, size, "%s/%s", here, path);
}
