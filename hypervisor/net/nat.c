/* A network behind one address of the host: libslirp's TCP/IP in this process, so no privilege is needed.
 *
 * The subnet is 10.0.2.0/24 unless net.guest and net.gateway name the addresses that an old system has configured: then the gateway
 * takes over the place of the router it knew. The gateway answers DHCP; connections to it reach the host itself (unless net.host is
 * off), those to the DNS address the host's name server. libslirp's descriptors and time-outs live in the machine's loop.
 *
 * References: [LIBSLIRP]
 * Not modelled: IPv6, broadcasts that leave the subnet, ICMP to the outside where the host forbids it to users (ping_group_range). */
#include "net/backend.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_SLIRP
#include <slirp/libslirp.h>

struct nat { Slirp *slirp; struct pollfd *fds; unsigned count, max; struct timer look; };
enum { LOOK_NS = 200000 };
struct nat_timer { struct timer timer; struct net *net; SlirpTimerId id; void *opaque; };

/* --- what libslirp calls --------------------------------------------------------------------------------------- */

static ssize_t send_packet(const void *frame, size_t length, void *opaque)
{
    net_deliver(opaque, frame, length);
    return (ssize_t)length;
}

static void guest_error(const char *text, void *opaque)
{
    (void)opaque;
    log_line(LOG_GUEST, "net", "%s", text);
}

static int64_t clock_ns(void *opaque)
{
    return clock_now(&((struct net *)opaque)->machine->clock);
}

static void timer_fired(void *opaque)
{
    struct nat_timer *t = opaque;
    slirp_handle_timer(((struct nat *)t->net->state)->slirp, t->id, t->opaque);
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    struct nat_timer *t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    *t = (struct nat_timer){ .net = opaque, .id = id, .opaque = cb_opaque };
    timer_init(&t->timer, timer_fired, t);
    return t;
}

static void timer_end(void *timer, void *opaque)
{
    struct nat_timer *t = timer;
    timer_stop(&((struct net *)opaque)->machine->clock, &t->timer);
    free(t);
}

static void timer_set(void *timer, int64_t ms, void *opaque)
{
    timer_at(&((struct net *)opaque)->machine->clock, &((struct nat_timer *)timer)->timer, ms * 1000000);
}

static void descriptor(int fd, void *opaque)
{
    (void)fd, (void)opaque;                     /* they are asked for before each wait */
}

static void notify(void *opaque)
{
    loop_poller_changed(((struct net *)opaque)->machine);
}

/* --- the loop -------------------------------------------------------------------------------------------------- */

static const struct { int slirp; short host; } event_bits[] = {
    { SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR },
    { SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
    struct nat *s = opaque;
    short wanted = 0;
    if (s->count == s->max)
        return -1;
    for (unsigned i = 0; i < ARRAY_SIZE(event_bits); i++)
        if (events & event_bits[i].slirp)
            wanted |= event_bits[i].host;
    s->fds[s->count] = (struct pollfd){ .fd = fd, .events = wanted };
    return (int)s->count++;
}

static int get_events(int index, void *opaque)
{
    struct nat *s = opaque;
    int events = 0;
    for (unsigned i = 0; index >= 0 && (unsigned)index < s->count && i < ARRAY_SIZE(event_bits); i++)
        if (s->fds[index].revents & event_bits[i].host)
            events |= event_bits[i].slirp;
    return events;
}

static unsigned fill(void *arg, struct pollfd *fds, unsigned max, int64_t *timeout_ns)
{
    struct nat *s = ((struct net *)arg)->state;
    uint32_t timeout = UINT32_MAX;
    s->fds = fds;
    s->count = 0;
    s->max = max;
    if (!net_queue_full(arg))                   /* else TCP's windows fill up, and the sender waits */
        slirp_pollfds_fill(s->slirp, &timeout, add_poll, s);
    if (timeout != UINT32_MAX)
        *timeout_ns = MIN(*timeout_ns, (int64_t)timeout * 1000000);
    return s->count;
}

static void ready(void *arg, struct pollfd *fds, bool failed)
{
    struct nat *s = ((struct net *)arg)->state;
    s->fds = fds;
    slirp_pollfds_poll(s->slirp, failed, get_events, s);
    if (net_queue_full(arg))
        ((struct net *)arg)->waiting = true;
}

/* --- settings -------------------------------------------------------------------------------------------------- */

static bool address(const char *text, const char *key, uint32_t fallback, uint32_t *out, struct error *err)
{
    struct in_addr a;
    *out = fallback;
    if (!*text)
        return true;
    if (inet_pton(AF_INET, text, &a) != 1)
        return error_set(err, EINVAL, "%s: '%s' is no IPv4 address, as in 192.168.1.17", key, text);
    *out = ntohl(a.s_addr);
    return true;
}

static struct in_addr in_addr_of(uint32_t a) { return (struct in_addr){ htonl(a) }; }

/* The plan of addresses: what is not given is chosen beside what is. */
static bool plan(const struct net_config *c, SlirpConfig *s, struct error *err)
{
    uint32_t guest, gateway, mask, dns;
    if (!address(c->guest, "net.guest", 0, &guest, err) || !address(c->gateway, "net.gateway", 0, &gateway, err) ||
        !address(c->netmask, "net.netmask", 0xffffff00, &mask, err))
        return false;
    if ((~mask & (~mask + 1)) || ~mask < 7)
        return error_set(err, EINVAL, "net.netmask '%s' is not a mask of leading ones with room for some hosts", c->netmask);
    uint32_t network = (gateway ? gateway : guest ? guest : 0x0a000200) & mask;
    bool own = gateway || guest;
    if (!gateway)
        gateway = network | (!own ? 2 : (guest & ~mask) == 1 ? 2 : 1);
    if (!guest)
        guest = network | ((gateway & ~mask) == 15 ? 16 : MIN(15u, ~mask - 1));
    if (!address(c->dns, "net.dns", network | ((gateway & ~mask) != 3 && (guest & ~mask) != 3 ? 3 : 4), &dns, err))
        return false;
    if ((guest & mask) != network || guest == gateway || !(guest & ~mask) || !(gateway & ~mask))
        return error_set(err, EINVAL, "net.guest and net.gateway must be two hosts of one network (net.netmask)");
    s->vnetwork = in_addr_of(network);
    s->vnetmask = in_addr_of(mask);
    s->vhost = in_addr_of(gateway);
    s->vdhcp_start = in_addr_of(guest);
    s->vnameserver = in_addr_of(dns);
    return true;
}

/* PROTOCOL:[HOST ADDRESS:]HOST PORT:[GUEST ADDRESS:]GUEST PORT */
static bool forward(struct nat *s, char *text, struct error *err)
{
    char *part[5] = { text }, *rest;
    unsigned n = 1, at = 1;
    uint32_t from = INADDR_LOOPBACK, to = 0;
    unsigned long port[2] = { 0, 0 };
    char whole[80];
    snprintf(whole, sizeof(whole), "%s", text);
    for (char *colon; n < 5 && (colon = strchr(part[n - 1], ':')); n++) {
        *colon = 0;
        part[n] = colon + 1;
    }
    bool udp = !strcmp(part[0], "udp"), ok = udp || !strcmp(part[0], "tcp");
    for (unsigned side = 0; ok && side < 2; side++) {
        if (at < n && strchr(part[at], '.') && !address(part[at++], "net.forward", 0, side ? &to : &from, err))
            return false;
        port[side] = at < n ? strtoul(part[at], &rest, 10) : 0;
        ok = at < n && port[side] && port[side] < 65536 && !*rest;
        at++;
    }
    if (!ok || at != n)
        return error_set(err, EINVAL, "net.forward: '%s' is not PROTOCOL:HOST PORT:GUEST PORT, as in tcp:2323:23", whole);
    if (slirp_add_hostfwd(s->slirp, udp, in_addr_of(from), (int)port[0], in_addr_of(to), (int)port[1]) < 0)
        return error_set(err, errno, "net.forward: port %lu of the host cannot be had (%s); choose another", port[0],
                         errno == EACCES ? "those below 1024 are for root" : strerror(errno));
    return true;
}

static bool forwards(struct nat *s, const char *list, struct error *err)
{
    char *copy = strdup(list), *save = NULL;
    bool ok = copy != NULL;
    for (char *one = ok ? strtok_r(copy, ", ", &save) : NULL; ok && one; one = strtok_r(NULL, ", ", &save))
        ok = forward(s, one, err);
    free(copy);
    return ok;
}

/* --- back end -------------------------------------------------------------------------------------------------- */

static bool nat_open(struct net *n, const char *argument, const struct net_config *c, struct error *err)
{
    static const SlirpCb callbacks = {
        .send_packet = send_packet, .guest_error = guest_error, .clock_get_ns = clock_ns, .timer_new_opaque = timer_new,
        .timer_free = timer_end, .timer_mod = timer_set, .register_poll_fd = descriptor, .unregister_poll_fd = descriptor,
        .notify = notify,
    };
    SlirpConfig config = { .version = 4, .in_enabled = true, .restricted = !c->outside, .disable_host_loopback = !c->host };
    struct nat *s = n->state = calloc(1, sizeof(*s));
    if (*argument)
        return error_set(err, EINVAL, "net.mode: nothing follows 'nat'; addresses are net.guest, net.gateway and net.dns");
    if (!s || !plan(c, &config, err))
        return s ? false : error_set(err, ENOMEM, "there is not enough memory for a network");
    if (!(s->slirp = slirp_new(&config, &callbacks, n)))
        return error_set(err, EIO, "net.mode: libslirp cannot start");
    if (!forwards(s, c->forward, err))
        return false;
    timer_init(&s->look, notify, n);
    loop_poller(n->machine, &(struct loop_poller){ fill, ready, n });
    return true;
}

static void nat_send(struct net *n, const uint8_t *frame, size_t length)
{
    struct nat *s = n->state;
    slirp_input(s->slirp, frame, (int)length);
    if (!timer_running(&s->look))               /* sockets may have come, or have something to write: soon, for many frames at once */
        timer_at(&n->machine->clock, &s->look, clock_now(&n->machine->clock) + LOOK_NS);
}

static void nat_resume(struct net *n) { notify(n); }

static void nat_close(struct net *n)
{
    struct nat *s = n->state;
    loop_poller(n->machine, NULL);
    if (s && s->look.fire)
        timer_stop(&n->machine->clock, &s->look);
    if (s && s->slirp)
        slirp_cleanup(s->slirp);
    free(s);
}

const struct net_backend net_nat = { "nat", nat_open, nat_send, nat_resume, nat_close };
#endif
