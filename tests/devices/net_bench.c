#include "tests/devices/net_bench.h"
#include "devices/pci.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static void keep(struct net *n, const uint8_t *frame, size_t length)
{
    struct net_bench *t = n->state;
    if (t->sent_count == SENT_MAX)
        return;
    t->sent[t->sent_count].length = length;
    memcpy(t->sent[t->sent_count++].bytes, frame, length);
}

static void nothing(struct net *n) { (void)n; }
static void again(void *owner)
{
    struct net *n = owner;
    net_poll(n->port);
}

static const struct net_backend far_end = { "test", NULL, keep, nothing, nothing };

struct net_bench *net_bench_new(const char *class, const char *options)
{
    struct net_bench *t = calloc(1, sizeof(*t));
    t->b = bench_new();
    t->ram = bench_ram(t->b, 0, 1 << 20);
    bench_add(t->b, "pci", "pci0", NULL);
    t->dev = bench_add(t->b, class, "card", options);
    t->port = net_port_of(t->dev);
    t->net = (struct net){ .machine = t->b->m, .backend = &far_end, .state = t, .queue = calloc(NET_QUEUE, sizeof(struct net_frame)) };
    timer_init(&t->net.retry, again, &t->net);
    net_plug(&t->net, t->port);
    bool pci = pci_config_read(t->b->m, 3 << 3, PCI_VENDOR, 2) != 0xffff;
    bench_capture(t->b, "card", "", CARD_IRQ);
    bench_reset(t->b);
    for (unsigned bar = 0; pci && bar < 6; bar++) {
        uint32_t value = pci_config_read(t->b->m, 3 << 3, PCI_BAR0 + 4 * bar, 4);
        pci_config_write(t->b->m, 3 << 3, PCI_BAR0 + 4 * bar, 4, value & 1 ? CARD_IO : CARD_MEMORY);
    }
    if (pci)
        pci_config_write(t->b->m, 3 << 3, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
    return t;
}

void net_bench_free(struct net_bench *t)
{
    struct net_frame *queue = t->net.queue;
    timer_stop(&t->b->m->clock, &t->net.retry);
    bench_free(t->b);
    free(queue);
    free(t);
}

void net_bench_frame(uint8_t *frame, const char *to, size_t length)
{
    struct error err;
    for (size_t i = 0; i < length; i++)
        frame[i] = (uint8_t)(i * 7);
    if (!strcmp(to, "all"))
        memset(frame, 0xff, 6);
    else
        cr_assert(net_mac_parse(to, frame, "frame", &err) || to[1] == '1');
    frame[12] = 0x88;
    frame[13] = 0xb5;                           /* for experiments [802] */
}

void net_bench_feed(struct net_bench *t, const uint8_t *frame, size_t length)
{
    net_deliver(&t->net, frame, length);
}

void net_bench_put32(struct net_bench *t, uint32_t address, uint32_t value) { le32_put(t->ram + address, value); }
uint32_t net_bench_get32(struct net_bench *t, uint32_t address) { return le32_get(t->ram + address); }
