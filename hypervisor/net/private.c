/* A link between guests of one user, each a process of its own: a switch without anybody who runs it.
 *
 * The link is a folder of the user's, $XDG_RUNTIME_DIR/holdover/net/NAME else $HOLDOVER_HOME/net/NAME. Each guest has a socket in it that
 * listens, and connects to those of the others when it comes; so between any two there is one connection, which keeps frames apart
 * (SOCK_SEQPACKET). A lock on the folder makes coming one at a time, and lets who comes remove the sockets of the dead.
 *
 *     A comes: listens         B comes: connects to A, listens       C comes: connects to A and B, listens
 *
 * A frame goes to the peer that the address was last seen from, else to all. A peer that does not read loses frames. */
#include "net/backend.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEERS_MAX = 32, BATCH = 64, SEND_BUFFER = 1 << 20, NAME_MAX_LINK = 64 };
struct peer { struct net *net; int fd; struct loop_watch *watch; uint8_t mac[6]; bool known; };
struct link {
    int folder, listener;
    struct loop_watch *watch;
    char own[32];                               /* the socket's name in the folder */
    struct peer *peers[PEERS_MAX];
};

/* --- peers ------------------------------------------------------------------------------------------------------ */

static void peer_free(struct link *k, struct peer *p)
{
    for (unsigned i = 0; i < PEERS_MAX; i++)
        if (k->peers[i] == p)
            k->peers[i] = NULL;
    if (p->watch)
        loop_unwatch(p->watch);
    close(p->fd);
    free(p);
}

static void peer_readable(void *arg, short events)
{
    struct peer *p = arg;
    struct net *n = p->net;
    uint8_t frame[NET_FRAME_TAGGED];
    ssize_t length = 1;
    (void)events;
    for (unsigned i = 0; i < BATCH && !net_queue_full(n); i++) {
        length = recv(p->fd, frame, sizeof(frame), MSG_DONTWAIT);
        if (length <= 0)
            break;
        if (length < NET_HEADER)
            continue;
        if (!(frame[6] & 1)) {
            memcpy(p->mac, frame + 6, 6);
            p->known = true;
        }
        net_deliver(n, frame, (size_t)length);
    }
    if (net_queue_full(n)) {
        n->waiting = true;
        loop_watch_events(p->watch, 0);
    } else if (!length || (length < 0 && errno != EAGAIN && errno != EINTR)) {
        peer_free(n->state, p);
    }
}

/* Takes over the descriptor. */
static void peer_add(struct net *n, int fd)
{
    struct link *k = n->state;
    int size = SEND_BUFFER;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (k->peers[i])
            continue;
        struct peer *p = k->peers[i] = calloc(1, sizeof(*p));
        if (!p)
            break;
        *p = (struct peer){ .net = n, .fd = fd };
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        p->watch = loop_watch(n->machine, fd, POLLIN, peer_readable, p);
        return;
    }
    log_line(LOG_WARN, "net", "a private link joins at most %d guests; one more is left out", PEERS_MAX + 1);
    close(fd);
}

static bool same_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == geteuid();
}

static void link_incoming(void *arg, short events)
{
    struct link *k = ((struct net *)arg)->state;
    (void)events;
    int fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (same_user(fd))
        peer_add(arg, fd);
    else
        close(fd);
}

/* --- coming ------------------------------------------------------------------------------------------------------ */

/* A path of any length fits into a socket's address by way of the folder's descriptor. */
static socklen_t socket_address(const struct link *k, const char *name, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%.60s", k->folder, name);
    return (socklen_t)sizeof(*a);
}

static void connect_to(struct net *n, const char *name)
{
    struct link *k = n->state;
    struct sockaddr_un a;
    socklen_t size = socket_address(k, name, &a);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, size)) {
        peer_add(n, fd);
        return;
    }
    if (errno == ECONNREFUSED)                  /* its process is gone */
        unlinkat(k->folder, name, 0);
    if (fd >= 0)
        close(fd);
}

static bool join(struct net *n, struct error *err)
{
    struct link *k = n->state;
    struct sockaddr_un a;
    struct dirent *entry;
    int copy = openat(k->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    while (folder && (entry = readdir(folder)))
        if (!strncmp(entry->d_name, "guest-", 6))
            connect_to(n, entry->d_name);
    if (folder)
        closedir(folder);
    k->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = false;
    for (unsigned i = 0; k->listener >= 0 && !bound && i < 1000; i++) {     /* several machines may be in one process */
        snprintf(k->own, sizeof(k->own), "guest-%d-%u", (int)getpid(), i);
        socklen_t size = socket_address(k, k->own, &a);
        bound = !bind(k->listener, (struct sockaddr *)&a, size);
        if (!bound && errno != EADDRINUSE)
            break;
    }
    if (bound && !listen(k->listener, PEERS_MAX)) {
        k->watch = loop_watch(n->machine, k->listener, POLLIN, link_incoming, n);
        return true;
    }
    return error_set(err, errno, "net.mode: a socket for the private link cannot be made (%s)", strerror(errno));
}

/* Makes each folder of the path; the last is for its owner alone. */
static int link_folder(const char *name, struct error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOLDOVER_HOME");
    char path[4096];
    struct stat s;
    if (runtime && *runtime)
        snprintf(path, sizeof(path), "%s/holdover/net/%s", runtime, name);
    else
        snprintf(path, sizeof(path), "%s%s/net/%s", home && *home ? home : getenv("HOME") ? getenv("HOME") : "",
                 home && *home ? "" : "/.local/share/holdover", name);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &s) || s.st_uid != geteuid() || s.st_mode & 077) {
        error_set(err, fd < 0 ? errno : EPERM, "net.mode: %s must be a folder that is yours alone (mode 0700)", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static bool name_fits(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return false;
    return *name && strlen(name) < NAME_MAX_LINK;
}

/* --- back end ---------------------------------------------------------------------------------------------------- */

static bool private_open(struct net *n, const char *name, const struct net_config *c, struct error *err)
{
    struct link *k = n->state = calloc(1, sizeof(*k));
    (void)c;
    if (!k)
        return error_set(err, ENOMEM, "there is not enough memory for a network");
    k->folder = k->listener = -1;
    if (!name_fits(name))
        return error_set(err, EINVAL, "net.mode: '%s' is no name of a link; write private NAME, of letters, digits, - and _", name);
    if ((k->folder = link_folder(name, err)) < 0)
        return false;
    flock(k->folder, LOCK_EX);
    bool ok = join(n, err);
    flock(k->folder, LOCK_UN);
    return ok;
}

static void private_send(struct net *n, const uint8_t *frame, size_t length)
{
    struct link *k = n->state;
    struct peer *only = NULL;
    for (unsigned i = 0; i < PEERS_MAX && !only; i++)
        if (k->peers[i] && k->peers[i]->known && !memcmp(k->peers[i]->mac, frame, 6))
            only = k->peers[i];
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        struct peer *p = k->peers[i];
        if (p && (!only || p == only) && send(p->fd, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            n->dropped++;
    }
}

static void private_resume(struct net *n)
{
    struct link *k = n->state;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        if (k->peers[i])
            loop_watch_events(k->peers[i]->watch, POLLIN);
}

static void private_close(struct net *n)
{
    struct link *k = n->state;
    for (unsigned i = 0; k && i < PEERS_MAX; i++)
        if (k->peers[i])
            peer_free(k, k->peers[i]);
    if (k && k->watch)
        loop_unwatch(k->watch);
    if (k && k->listener >= 0) {
        unlinkat(k->folder, k->own, 0);
        close(k->listener);
    }
    if (k && k->folder >= 0)
        close(k->folder);
    free(k);
}

const struct net_backend net_private = { "private", private_open, private_send, private_resume, private_close };
