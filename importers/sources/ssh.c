/* The disk of a machine that still runs: ssh://[user@]host[:port]/dev/hda. The user's own `ssh` runs `dd` there; the machine needs no
 * more, and its size stays unknown: to ask for it would take a second log-in. The command is one that sh and csh read alike. */
#include "importers/sources/feed.h"
#include "base/bits.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TAIL = 120, ADDRESS_MOST = 1000 };
struct ssh {
    struct feed f;
    pid_t pid; int out, err_fd;
    char tail[TAIL + 1];                        /* the end of what it said on its standard error */
};

static void tail_read(struct ssh *s)
{
    char text[512];
    ssize_t n = read(s->err_fd, text, sizeof(text));
    if (n <= 0) {
        close(s->err_fd);
        s->err_fd = -1;                         /* poll() passes over it */
    }
    for (ssize_t i = 0; i < n; i++) {
        memmove(s->tail, s->tail + 1, TAIL - 1);
        s->tail[TAIL - 1] = text[i] >= ' ' && text[i] < 127 ? text[i] : ' ';
    }
}

/* The stream is over; was it all? */
static bool ended(struct ssh *s, struct error *err)
{
    int status = 0;
    for (struct pollfd p = { s->err_fd, POLLIN, 0 }; s->err_fd >= 0 && poll(&p, 1, 1000) > 0;)
        tail_read(s);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    const char *tail = s->tail + strspn(s->tail, " ");
    if (WIFSIGNALED(status))
        return error_set(err, EIO, "%s: ssh was ended by signal %d; nothing was kept", s->f.name, WTERMSIG(status));
    if (WEXITSTATUS(status))
        return error_set(err, EIO, "%s: ssh ended with status %d after %llu bytes: %s", s->f.name, WEXITSTATUS(status),
                         (unsigned long long)s->f.position, *tail ? tail : "it said nothing");
    return true;
}

static bool ssh_read(struct feed *f, uint8_t *to, size_t length, size_t *got, struct error *err)
{
    struct ssh *s = (struct ssh *)f;
    struct pollfd p[2] = { { .fd = s->out, .events = POLLIN }, { .fd = s->err_fd, .events = POLLIN } };
    for (*got = 0; !*got && s->pid;) {
        if (feed_cancelled(f, err))
            return false;
        p[1].fd = s->err_fd;
        if (poll(p, 2, 250) <= 0)
            continue;
        if (p[1].revents)
            tail_read(s);
        ssize_t n = p[0].revents ? read(s->out, to, length) : -1;
        if (!n)
            return ended(s, err);
        *got = (size_t)MAX(n, 0);
    }
    return true;
}

static void ssh_close(struct feed *f)
{
    struct ssh *s = (struct ssh *)f;
    close(s->out);
    if (s->err_fd >= 0)
        close(s->err_fd);
    if (s->pid)
        kill(s->pid, SIGTERM);
    while (s->pid && waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static const struct feed_class ssh_class = { sizeof(struct ssh), ssh_read, ssh_close };

/* [user@]host, port and path; text holds them. The host goes to ssh as an argument, the path to a shell in quotes. */
static bool url_split(const char *url, char *text, char **host, char **port, char **path, struct error *err)
{
    *host = text;
    *path = strchr(text, '/');
    char *at = *path ? memrchr(text, '@', (size_t)(*path - text)) : NULL, *close = NULL;
    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c) || (*path && c < *path && isspace((unsigned char)*c)))
            return error_set(err, EINVAL, "an ssh address holds neither control characters nor spaces in the host's name");
    if (!*path || !(*path)[1] || *path == text)
        return error_set(err, EINVAL, "%s: write ssh://[user@]host[:port]/dev/hda", url);
    *(*path)++ = 0;
    char *name = at ? at + 1 : text;
    if (*name == '[' && (close = strchr(name, ']')))        /* an IPv6 address */
        *close = 0;
    if ((*port = strchr(close ? close + 1 : name, ':')))
        *(*port)++ = 0;
    if (close)
        memmove(name, name + 1, strlen(name));
    if (*text == '-' || *name == '-' || !*name || *text == '@')
        return error_set(err, EINVAL, "%s: a host's or user's name is not empty and does not begin with a minus", url);
    return !*port || (strspn(*port, "0123456789") == strlen(*port) && **port && strlen(*port) < 6) ||
           error_set(err, EINVAL, "%s: the port is not a number", url);
}

/* In quotes that no shell looks into. */
static void command_make(char *command, const char *path)
{
    char *c = stpcpy(command, "dd if='/");
    for (; *path; path++)
        c = *path == '\'' ? stpcpy(c, "'\\''") : (*c = *path, c + 1);
    strcpy(c, "' bs=64k");
}

struct feed *feed_ssh(const char *url, const volatile sig_atomic_t *cancel, struct error *err)
{
    char text[ADDRESS_MOST], command[4 * ADDRESS_MOST + 32], *host, *port = NULL, *path;
    int out[2] = { -1, -1 }, errs[2] = { -1, -1 };
    posix_spawn_file_actions_t actions;
    if (snprintf(text, sizeof(text), "%s", url + strlen("ssh://")) >= (int)sizeof(text)) {
        error_set(err, ENAMETOOLONG, "an ssh address is at most 1000 characters long");
        return NULL;
    }
    if (!url_split(url, text, &host, &port, &path, err))
        return NULL;
    command_make(command, path);
    struct ssh *s = (struct ssh *)feed_new(&ssh_class, url, cancel, err);
    if (s)
        memset(s->tail, ' ', TAIL);
    if (!s || pipe2(out, O_CLOEXEC) || pipe2(errs, O_CLOEXEC)) {
        free(s);
        close(out[0]), close(out[1]);
        error_set(err, errno, "cannot start ssh for %s: %s", url, strerror(errno));
        return NULL;
    }
    char *with_port[] = { "ssh", "-p", port, host, command, NULL }, *plain[] = { "ssh", host, command, NULL };
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, errs[1], 2);
    int error = posix_spawnp(&s->pid, "ssh", &actions, NULL, port ? with_port : plain, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]), close(errs[1]);
    s->out = out[0];
    s->err_fd = errs[0];
    if (error) {
        s->pid = 0;
        error_set(err, error, "cannot start ssh for %s: %s; install openssh-client", url, strerror(error));
        feed_close(&s->f);
        return NULL;
    }
    return &s->f;
}
