/* A tap device of the host, made beforehand by who may: `ip tuntap add dev NAME mode tap user USER`. */
#include "net/backend.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BATCH = 64 };                            /* frames before the loop looks after others */
struct tap { int fd; struct loop_watch *watch; };

static void tap_readable(void *arg, short events)
{
    struct net *n = arg;
    struct tap *t = n->state;
    uint8_t frame[NET_FRAME_TAGGED + 1];
    ssize_t length = 0;
    for (unsigned i = 0; i < BATCH && !net_queue_full(n) && (length = read(t->fd, frame, sizeof(frame))) > 0; i++)
        net_deliver(n, frame, (size_t)length);
    if (net_queue_full(n) || (length <= 0 && errno != EAGAIN) || events & POLLERR) {
        n->waiting = net_queue_full(n);         /* a device that was removed is not asked again */
        loop_watch_events(t->watch, 0);
    }
}

static bool tap_open(struct net *n, const char *name, const struct net_config *c, struct error *err)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
    struct tap *t = n->state = calloc(1, sizeof(*t));
    (void)c;
    if (!t)
        return error_set(err, ENOMEM, "there is not enough memory for a network");
    t->fd = -1;
    if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/%"))
        return error_set(err, EINVAL, "net.mode: '%s' is no name of a device; write tap DEVICE", name);
    if (!if_nametoindex(name))                  /* a privileged user would make one by opening it */
        return error_set(err, ENODEV, "net.mode: there is no tap device %s; make it with: sudo ip tuntap add dev %s mode tap user $USER",
                         name, name);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &request) < 0)
        return error_set(err, errno, "net.mode: the tap device %s cannot be used (%s); it must be made for this user and be free", name,
                         strerror(errno));
    t->watch = loop_watch(n->machine, t->fd, POLLIN, tap_readable, n);
    return true;
}

static void tap_send(struct net *n, const uint8_t *frame, size_t length)
{
    if (write(((struct tap *)n->state)->fd, frame, length) < 0)
        n->dropped++;                /* the device is down, or its queue is full */
}

static void tap_resume(struct net *n)
{
    loop_watch_events(((struct tap *)n->state)->watch, POLLIN);
}

static void tap_close(struct net *n)
{
    struct tap *t = n->state;
    if (t && t->watch)
        loop_unwatch(t->watch);
    if (t && t->fd >= 0)
        close(t->fd);
    free(t);
}

const struct net_backend net_tap = { "tap", tap_open, tap_send, tap_resume, tap_close };
