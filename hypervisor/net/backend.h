/* Private to net/: a network, and what a back end of it fills in. */
#ifndef NET_BACKEND_H
#define NET_BACKEND_H
#include "net/net.h"

struct pcap;
struct net_backend {
    const char *name;
    bool (*open)(struct net *, const char *argument, const struct net_config *, struct error *);     /* argument: what follows the mode's name */
    void (*send)(struct net *, const uint8_t *frame, size_t length);        /* from the card */
    void (*resume)(struct net *);               /* the queue has room again; may be NULL */
    void (*close)(struct net *);                /* also after a failed open */
};
extern const struct net_backend net_nat, net_private, net_tap;

enum { NET_QUEUE = 512 };
struct net_frame { uint16_t length; uint8_t bytes[NET_FRAME_TAGGED]; };
struct net {
    struct machine *machine;
    const struct net_backend *backend;          /* NULL: a cable to nowhere */
    void *state;                                /* the back end's */
    struct net_port *port;
    struct pcap *pcap;
    struct net_frame *queue; unsigned head, count;      /* on their way to the card */
    bool sending, waiting;                      /* inside net_send; the back end waits for resume */
    struct timer retry;                         /* cards whose descriptors lie in memory do not tell when they have room */
    uint64_t dropped;                           /* frames that found no room, either way */
};

/* From the back end to the card: handed over, queued, or lost when the queue is full. */
void net_deliver(struct net *, const uint8_t *frame, size_t length);
static inline bool net_queue_full(const struct net *n) { return n->count >= NET_QUEUE / 2; }

/* --- pcap.c: every frame both ways, in the format that tcpdump and Wireshark read --- */
struct pcap *pcap_open(const char *path, struct error *);
void pcap_write(struct pcap *, int64_t wall_ns, const uint8_t *frame, size_t length);
void pcap_close(struct pcap *);
#endif
