/* A card on a bench: PCI bus, a megabyte of memory, and a cable whose far end is the test. */
#ifndef TESTS_DEVICES_NET_BENCH_H
#define TESTS_DEVICES_NET_BENCH_H
#include "net/backend.h"
#include "tests/support/bench.h"

enum { CARD_IO = 0xc000, CARD_MEMORY = 0xf0000000, SENT_MAX = 64, CARD_IRQ = 0 };
struct net_bench {
    struct bench *b;
    struct device *dev;
    struct net net;
    struct net_port *port;
    struct { size_t length; uint8_t bytes[NET_FRAME_TAGGED]; } sent[SENT_MAX];
    unsigned sent_count;
    uint8_t *ram;
};
/* A PCI card gets its I/O and memory registers placed and enabled. */
struct net_bench *net_bench_new(const char *class, const char *options);
void net_bench_free(struct net_bench *);
/* A frame to `to` (NULL: the card's address of the options' default) of `length` bytes, numbered bytes after the header. */
void net_bench_frame(uint8_t *frame, const char *to, size_t length);
void net_bench_feed(struct net_bench *, const uint8_t *frame, size_t length);
/* Memory as a driver fills it. */
void net_bench_put32(struct net_bench *, uint32_t address, uint32_t value);
uint32_t net_bench_get32(struct net_bench *, uint32_t address);
#endif
