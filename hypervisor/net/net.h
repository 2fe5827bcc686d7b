/* Ethernet between a card and what its cable leads to: nothing, a NAT (libslirp), a link between the guests of one user, or a tap
 * device of the host. All calls need the machine lock.
 *
 * A card embeds a struct net_port and offers it by its class's `net`. Frames are without preamble and FCS. Those for the guest wait in
 * a short queue while the card has no room; what does not fit is lost, as on a wire. A frame is never handed to the card while the
 * card is inside net_send. */
#ifndef NET_NET_H
#define NET_NET_H
#include "core/machine.h"

enum { NET_HEADER = 14, NET_FRAME_MIN = 60, NET_FRAME_MAX = 1514, NET_FRAME_TAGGED = 1518 };      /* bytes; the last: with a VLAN tag */
struct net;
struct net_port {
    struct net *net;                            /* what the cable leads to; NULL: it is not plugged in, and there is no link */
    void *chip;                                 /* the rest is filled by the card */
    /* Has it room for the frame that is there? (A card that is off is ready, and drops it.) A card without room tells its driver again
     * that there is something to be taken, unless that is being told: a driver that cleared the cause may have left frames behind. */
    bool (*ready)(void *chip);
    void (*receive)(void *chip, const uint8_t *frame, size_t length);       /* NET_FRAME_MIN to NET_FRAME_TAGGED bytes */
};
static inline struct net_port *net_port_of(struct device *card) { return (void *)((char *)card + card->class->net); }
static inline bool net_link(const struct net_port *p) { return p->net != NULL; }
void net_send(struct net_port *, const uint8_t *frame, size_t length);      /* what is too short or too long is dropped */
void net_poll(struct net_port *);               /* the card may have room again: call it at the end of register accesses */

/* "52:54:00:12:34:56"; refuses multicast addresses. */
bool net_mac_parse(const char *text, uint8_t mac[6], const char *what, struct error *);
uint32_t net_crc(const void *bytes, size_t length);     /* the FCS [802.3, 3.2.8], as sent: low byte first */
/* The same before its bits are turned round: the upper ones index the multicast filters of the DP8390 and RTL8139. */
uint32_t net_crc_forward(const void *bytes, size_t length);
uint16_t net_checksum(uint32_t sum, const void *bytes, size_t length);     /* one's complement sum, big-endian words, not inverted */

/* What the user asked for: the strings of the profile's section [net]. */
struct net_config { const char *mode, *guest, *gateway, *netmask, *dns, *forward, *capture; bool outside, host; };
/* *out stays NULL for mode "off" without a capture. counted: nothing comes in from outside. */
bool net_open(struct machine *, const struct net_config *, bool counted, struct net **out, struct error *);
void net_plug(struct net *, struct net_port *);
void net_close(struct net *);                   /* NULL is fine; the card is unplugged */
#endif
