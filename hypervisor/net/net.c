/* The card's end of the cable: queue, capture, choice of the back end. */
#include "net/backend.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { RETRY_NS = 500000 };

/* --- frames ---------------------------------------------------------------------------------------------------- */

static void capture(struct net *n, const uint8_t *frame, size_t length)
{
    if (n->pcap)
        pcap_write(n->pcap, machine_wall_time(n->machine), frame, length);
}

static bool port_ready(struct net *n)
{
    return n->port && !n->sending && n->port->ready(n->port->chip);
}

static void hand_over(struct net *n, const uint8_t *frame, size_t length)
{
    n->port->receive(n->port->chip, frame, length);
}

static void drain(struct net *n)
{
    while (n->count && port_ready(n)) {
        const struct net_frame *f = &n->queue[n->head];
        n->head = (n->head + 1) % NET_QUEUE;
        n->count--;
        hand_over(n, f->bytes, f->length);
    }
    if (n->waiting && !net_queue_full(n)) {
        n->waiting = false;
        n->backend->resume(n);
    }
    if (n->count && !timer_running(&n->retry))
        timer_at(&n->machine->clock, &n->retry, clock_now(&n->machine->clock) + RETRY_NS);
}

static void retry(void *owner)
{
    drain(owner);
}

void net_deliver(struct net *n, const uint8_t *frame, size_t length)
{
    uint8_t padded[NET_FRAME_MIN] = { 0 };
    if (length < NET_HEADER || length > NET_FRAME_TAGGED)
        return;
    capture(n, frame, length);
    if (length < NET_FRAME_MIN) {               /* a sender pads to the minimum [802.3, 4.2.3.3] */
        memcpy(padded, frame, length);
        frame = padded;
        length = NET_FRAME_MIN;
    }
    if (!n->count && port_ready(n)) {
        hand_over(n, frame, length);
        return;
    }
    if (n->count == NET_QUEUE || !n->port) {
        n->dropped++;
        return;
    }
    struct net_frame *f = &n->queue[(n->head + n->count++) % NET_QUEUE];
    f->length = (uint16_t)length;
    memcpy(f->bytes, frame, length);
    if (!timer_running(&n->retry))
        timer_at(&n->machine->clock, &n->retry, clock_now(&n->machine->clock) + RETRY_NS);     /* cards call net_poll sooner */
}

void net_send(struct net_port *p, const uint8_t *frame, size_t length)
{
    struct net *n = p->net;
    if (!n || length < NET_HEADER || length > NET_FRAME_TAGGED)
        return;
    capture(n, frame, length);
    if (!n->backend)
        return;
    bool nested = n->sending;
    n->sending = true;
    n->backend->send(n, frame, length);
    n->sending = nested;
}

void net_poll(struct net_port *p)
{
    if (p->net && p->net->count && !p->net->sending)
        drain(p->net);
}

/* --- numbers --------------------------------------------------------------------------------------------------- */

uint32_t net_crc(const void *bytes, size_t length)
{
    return (uint32_t)crc32(0, bytes, (uInt)length);
}

uint32_t net_crc_forward(const void *bytes, size_t length)
{
    uint32_t crc = ~net_crc(bytes, length), forward = 0;
    for (unsigned bit = 0; bit < 32; bit++)
        forward |= (crc >> bit & 1) << (31 - bit);
    return forward;
}

uint16_t net_checksum(uint32_t start, const void *bytes, size_t length)
{
    const uint8_t *b = bytes;
    uint64_t sum = __builtin_bswap16((uint16_t)start);
    size_t i = 0;
    for (; i + 4 <= length; i += 4)             /* the sum of swapped words is the swapped sum [RFC 1071, 2 (B)] */
        sum += le32_get(b + i);
    for (; i + 2 <= length; i += 2)
        sum += le16_get(b + i);
    if (i < length)
        sum += b[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return __builtin_bswap16((uint16_t)sum);
}

bool net_mac_parse(const char *text, uint8_t mac[6], const char *what, struct error *err)
{
    unsigned v[6];
    char rest;
    bool ok = strlen(text) <= 17 && sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &rest) == 6;
    for (unsigned i = 0; ok && i < 6; i++)
        mac[i] = (uint8_t)v[i];
    if (!ok || mac[0] & 1)
        return error_set(err, EINVAL, "%s: '%s' is no hardware address; it is six bytes, the first even, as in 02:00:5e:10:20:30", what, text);
    return true;
}

/* --- life ------------------------------------------------------------------------------------------------------ */

static const struct net_backend *const backends[] = {
#ifdef HAVE_SLIRP
    &net_nat,
#endif
    &net_private, &net_tap,
};

/* "nat", "private NAME" (or "private:NAME"): the back end, and what follows its name. */
static const struct net_backend *backend_find(const char *mode, const char **argument)
{
    for (unsigned i = 0; i < ARRAY_SIZE(backends); i++) {
        size_t n = strlen(backends[i]->name);
        if (strncmp(mode, backends[i]->name, n) || (mode[n] && mode[n] != ' ' && mode[n] != ':'))
            continue;
        *argument = mode + n + !!mode[n];
        return backends[i];
    }
    return NULL;
}

bool net_open(struct machine *m, const struct net_config *config, bool counted, struct net **out, struct error *err)
{
    const char *argument = "";
    const struct net_backend *backend = backend_find(config->mode, &argument);
    bool off = !strcmp(config->mode, "off");
    *out = NULL;
    if (!backend && !strcmp(config->mode, "nat"))
        return error_set(err, ENOTSUP, "net.mode nat: this program was built without libslirp; install libslirp-dev and build it again");
    if (!backend && !off)
        return error_set(err, EINVAL, "there is no net.mode '%s'; it is off, nat, private NAME or tap DEVICE", config->mode);
    if (off && !*config->capture)
        return true;
    struct net *n = calloc(1, sizeof(*n));
    if (n)
        n->queue = calloc(NET_QUEUE, sizeof(*n->queue));
    if (!n || !n->queue) {
        free(n);
        return error_set(err, ENOMEM, "there is not enough memory for a network");
    }
    n->machine = m;
    timer_init(&n->retry, retry, n);
    n->backend = counted ? NULL : backend;      /* the same run twice: no answers from a world that differs */
    if ((*config->capture && !(n->pcap = pcap_open(config->capture, err))) ||
        (n->backend && !n->backend->open(n, argument, config, err))) {
        net_close(n);
        return false;
    }
    *out = n;
    return true;
}

void net_plug(struct net *n, struct net_port *p)
{
    n->port = p;
    p->net = n;
}

void net_close(struct net *n)
{
    if (!n)
        return;
    timer_stop(&n->machine->clock, &n->retry);
    if (n->port)
        n->port->net = NULL;
    n->port = NULL;
    if (n->backend)
        n->backend->close(n);
    if (n->pcap)
        pcap_close(n->pcap);
    free(n->queue);
    free(n);
}
