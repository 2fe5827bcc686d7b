/* The server's end of the control socket. It lives in the guest's folder; the path may be longer than a socket address
 * holds, so both ends go through /proc/self/fd of the opened folder. */
#include "console/control.h"
#include "console/screen.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "control"
struct client {
    int fd;                                     /* -1: free */
    char line[CONTROL_LINE];
    size_t used;
    bool waits_stop, waits_typing;
};
struct control {
    struct session *session;
    int folder, listener;
    struct client clients[CONTROL_CLIENTS];
};

static void socket_address(struct sockaddr_un *a, int folder)
{
    *a = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, folder);
}

struct control *control_open(struct session *s, const char *folder, struct error *err)
{
    struct control *c = calloc(1, sizeof(*c));
    struct sockaddr_un address;

    if (!c)
        abort();
    c->session = s;
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        c->clients[i].fd = -1;
    c->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlinkat(c->folder, SOCKET_NAME, 0);        /* of a run that was killed; the guest's lock is ours */
    socket_address(&address, c->folder);
    if (c->folder < 0 || c->listener < 0 || bind(c->listener, (struct sockaddr *)&address, sizeof(address)) ||
        fchmodat(c->folder, SOCKET_NAME, 0600, 0) || listen(c->listener, CONTROL_CLIENTS)) {
        error_set(err, errno, "cannot make the control socket in %s: %s", folder, strerror(errno));
        control_close(c);
        return NULL;
    }
    return c;
}

static void client_close(struct client *k)
{
    close(k->fd);
    *k = (struct client){ .fd = -1 };
}

/* Sends one line and releases it. A client that does not read is dropped. */
static void answer(struct client *k, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    size_t length = text ? strlen(text) : 0;
    bool ok = text && send(k->fd, text, length, MSG_NOSIGNAL) == (ssize_t)length && send(k->fd, "\n", 1, MSG_NOSIGNAL) == 1;

    free(text);
    json_decref(json);
    if (!ok)
        client_close(k);
}

static void refuse(struct client *k, const char *sentence)
{
    answer(k, json_pack("{s:b s:s}", "ok", 0, "error", sentence));
}

static void accept_or_refuse(struct client *k, bool ok, const struct error *err)
{
    if (ok)
        answer(k, json_pack("{s:b}", "ok", 1));
    else
        refuse(k, err->text);
}

/* --- commands -------------------------------------------------------------------------------------------------------- */

static void do_status(struct control *c, struct client *k, const json_t *request)
{
    struct session *s = c->session;
    struct machine_statistics t = { 0 };
    unsigned width = 0, height = 0;

    (void)request;
    machine_lock(s->machine);
    machine_statistics(s->machine, &t);
    if (s->machine->display.size)
        s->machine->display.size(s->machine->display.chip, &width, &height);
    machine_unlock(s->machine);
    answer(k, json_pack("{s:b s:s s:i s:s s:f s:f s:I s:i s:i s:b}", "ok", 1, "name", s->name, "pid", (int)getpid(),
                        "engine", t.engine ? t.engine : "none", "host_seconds", session_seconds(s),
                        "guest_seconds", (double)t.guest_ns / 1e9, "instructions", (json_int_t)t.instructions,
                        "width", (int)width, "height", (int)height,
                        "stopping", s->stopping != STOPPING_NOT && s->stopping != STOPPING_FAILED));
}

static void do_stop(struct control *c, struct client *k, const json_t *request)
{
    struct error err;

    (void)request;
    if (session_stop(c->session, &err))
        k->waits_stop = true;
    else
        refuse(k, err.text);
}

static void do_kill(struct control *c, struct client *k, const json_t *request)
{
    (void)request;
    k->waits_stop = true;                       /* answered when the machine has ended and its disks are flushed */
    session_kill(c->session);
}

static void do_screenshot(struct control *c, struct client *k, const json_t *request)
{
    const char *file = json_string_value(json_object_get(request, "file"));
    struct error err;

    accept_or_refuse(k, file ? screen_save(c->session->machine, file, &err) :
                     error_set(&err, EINVAL, "screenshot needs a file"), &err);
}

static void do_screen(struct control *c, struct client *k, const json_t *request)
{
    char *text = screen_text(c->session->machine);

    (void)request;
    if (text)
        answer(k, json_pack("{s:b s:s}", "ok", 1, "text", text));
    else
        refuse(k, "the screen shows no text");
    free(text);
}

static void do_type(struct control *c, struct client *k, const json_t *request)
{
    const char *text = json_string_value(json_object_get(request, "text"));
    struct error err;

    if (text ? session_type(c->session, text, &err) : error_set(&err, EINVAL, "type needs a text"))
        k->waits_typing = true;
    else
        refuse(k, err.text);
}

static void do_key(struct control *c, struct client *k, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "key"));
    struct error err;

    if (name ? session_key(c->session, name, &err) : error_set(&err, EINVAL, "key needs the name of a key"))
        k->waits_typing = true;
    else
        refuse(k, err.text);
}

static void do_media(struct control *c, struct client *k, const json_t *request)
{
    const char *drive = json_string_value(json_object_get(request, "drive"));
    const char *file = json_string_value(json_object_get(request, "file"));
    struct error err;

    accept_or_refuse(k, drive ? session_media(c->session, drive, file, &err) :
                     error_set(&err, EINVAL, "media needs a drive: floppy0, floppy1 or cdrom0"), &err);
}

static const struct { const char *name; void (*run)(struct control *, struct client *, const json_t *); } requests[] = {
    { "status", do_status }, { "stop", do_stop }, { "kill", do_kill }, { "screenshot", do_screenshot }, { "screen", do_screen },
    { "type", do_type }, { "key", do_key }, { "media", do_media },
};

static void handle_line(struct control *c, struct client *k, const char *line)
{
    json_error_t why;
    json_t *request = json_loads(line, JSON_REJECT_DUPLICATES, &why);
    const char *name = json_string_value(json_object_get(request, "command"));
    size_t i = 0;

    while (name && i < ARRAY_SIZE(requests) && strcmp(requests[i].name, name))
        i++;
    if (!name)
        refuse(k, "a request is a line like {\"command\": \"status\"}");
    else if (i == ARRAY_SIZE(requests))
        refuse(k, "there is no such command: status stop kill screenshot screen type key media");
    else
        requests[i].run(c, k, request);
    json_decref(request);
}

/* --- descriptors ----------------------------------------------------------------------------------------------------- */

unsigned control_poll(struct control *c, struct pollfd *fds)
{
    unsigned count = 0;

    fds[count++] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0)
            fds[count++] = (struct pollfd){ .fd = c->clients[i].fd, .events = POLLIN };
    return count;
}

static void accept_clients(struct control *c)
{
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd < 0)
            c->clients[i].fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void client_read(struct control *c, struct client *k)
{
    ssize_t n = recv(k->fd, k->line + k->used, CONTROL_LINE - 1 - k->used, 0);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {                               /* closed, or a line longer than any command */
        client_close(k);
        return;
    }
    k->used += (size_t)n;
    while (k->fd >= 0 && (end = memchr(k->line, '\n', k->used))) {
        size_t length = (size_t)(end - k->line) + 1;
        char *line = strndup(k->line, length - 1);
        k->used -= length;
        memmove(k->line, k->line + length, k->used);
        if (!line)
            abort();
        handle_line(c, k, line);
        free(line);
    }
}

void control_handle(struct control *c)
{
    accept_clients(c);
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
        struct client *k = &c->clients[i];
        if (k->fd >= 0)
            client_read(c, k);
        if (k->fd >= 0 && k->waits_typing && !typist_busy(&c->session->typist)) {
            k->waits_typing = false;
            answer(k, json_pack("{s:b}", "ok", 1));
        }
    }
}

void control_stopped(struct control *c, bool ok, const char *sentence)
{
    for (unsigned i = 0; c && i < CONTROL_CLIENTS; i++) {
        struct client *k = &c->clients[i];
        if (k->fd < 0 || !k->waits_stop)
            continue;
        k->waits_stop = false;
        if (ok)
            answer(k, json_pack("{s:b s:s}", "ok", 1, "ended", sentence));
        else
            refuse(k, sentence);
    }
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0)
            client_close(&c->clients[i]);
    if (c->listener >= 0) {
        unlinkat(c->folder, SOCKET_NAME, 0);
        close(c->listener);
    }
    if (c->folder >= 0)
        close(c->folder);
    free(c);
}

/* --- the client's end ------------------------------------------------------------------------------------------------ */

static int connect_to(const char *folder, const char *name, struct error *err)
{
    int directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    bool ok;

    socket_address(&address, directory);
    ok = directory >= 0 && fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address));
    if (!ok)
        error_set(err, errno, "the guest '%s' is not running; 'holdover run %s' starts it", name, name);
    if (directory >= 0)
        close(directory);
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

/* Reads to the end of one line; the caller frees it. */
static char *read_line(int fd)
{
    char *line = malloc(CONTROL_LINE);
    size_t used = 0;
    ssize_t n;

    while (line && used < CONTROL_LINE - 1 && ((n = recv(fd, line + used, 1, 0)) > 0 || (n < 0 && errno == EINTR))) {
        if (n < 0)
            continue;
        if (line[used] == '\n') {
            line[used] = 0;
            return line;
        }
        used++;
    }
    free(line);
    return NULL;
}

json_t *control_ask(const char *folder, const char *name, json_t *request, struct error *err)
{
    char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
    int fd = connect_to(folder, name, err);
    json_t *reply = NULL;

    json_decref(request);
    if (fd >= 0 && text && send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text) &&
        send(fd, "\n", 1, MSG_NOSIGNAL) == 1)
        line = read_line(fd);
    free(text);
    if (fd < 0)
        return NULL;
    close(fd);
    if (line)
        reply = json_loads(line, 0, NULL);
    free(line);
    if (!reply) {
        error_set(err, EIO, "the guest '%s' ended without an answer", name);
        return NULL;
    }
    if (!json_is_true(json_object_get(reply, "ok"))) {
        const char *sentence = json_string_value(json_object_get(reply, "error"));
        error_set(err, EINVAL, "%s", sentence ? sentence : "the guest refused");
        json_decref(reply);
        return NULL;
    }
    return reply;
}
