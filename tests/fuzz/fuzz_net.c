/* libFuzzer: a network card, and what a driver without sense does to it: registers, descriptors, frames from the wire, time. */
#include "tests/fuzz/device.h"
#include "net/backend.h"

enum { IO = 0xc000, MEMORY = 0xf0000000, STEPS_MAX = 2000 };
static const char *const names[] = { "pcnet", "pcnet-fast", "ne2000", "rtl8029", "rtl8139", "dec21140", "e1000", "i82543gc" };
static const char *const cards[][2] = {
    { "am79c970a", "" }, { "am79c970a", "variant=973" }, { "ne2000", "" }, { "rtl8029", "" }, { "rtl8139", "" }, { "dec21140", "" },
    { "i82540em", "" }, { "i82540em", "variant=543" },
};

static void sink(struct net *n, const uint8_t *frame, size_t length)
{
    if (length > NET_FRAME_TAGGED)
        abort();
    static volatile uint8_t sum;
    sum = (uint8_t)(sum + frame[0] + frame[length - 1]);
    if (n->count < 8)
        net_deliver(n, frame, length);          /* an echo, while the card is inside its transmission */
}
static void nothing(struct net *n) { (void)n; }
static void retry(void *owner) { net_poll(((struct net *)owner)->port); }
static const struct net_backend far_end = { "fuzz", NULL, sink, nothing, nothing };

static void feed(struct net *n, uint8_t kind)
{
    uint8_t frame[NET_FRAME_TAGGED];
    size_t length = MIN(take(2) % (NET_FRAME_TAGGED + 1), sizeof(frame));
    memset(frame, kind & 0x40 ? 0xff : kind, sizeof(frame));
    for (unsigned i = 0; i < 48; i++)
        if (i >= 6 || kind & 0x20)
            frame[i] = (uint8_t)take(1);
    if (!(kind & 0x60))
        memcpy(frame, "\x02\x48\x4f\0\0\1", 6);
    for (unsigned count = kind & 0x10 ? 20 : 1; count; count--)
        net_deliver(n, frame, length);
}

static void step(struct machine *m, struct net *n, bool pci)
{
    uint8_t kind = (uint8_t)take(1);
    unsigned size = 1u << (kind >> 3 & 3) % 3;
    uint16_t base = pci ? IO : 0x300;
    uint32_t at;
    switch (kind & 7) {
    case 0: space_read(m->ports, base + take(1), size); break;
    case 1: case 2:
        at = take(1);
        space_write(m->ports, base + at, size, take(size));
        break;
    case 3: space_read(m->memory, MEMORY + (take(2) & (kind & 0x80 ? 0xffff : 0x3fff)), 4); break;
    case 4:
        at = kind & 0x80 ? take(2) : (take(1) & 0x3f) << 2 | (uint32_t[]){ 0, 0x100, 0x2800, 0x3800 }[kind >> 5 & 3];
        space_write(m->memory, MEMORY + at, 4, kind & 0x20 ? take(4) : take(2));
        break;
    case 5:                                     /* descriptors and blocks lie in the first pages */
        at = take(2) & 0x3fff;
        for (unsigned i = take(1) & 63; i && left; i--)
            space_write(m->memory, at++, 1, take(1));
        break;
    case 6: feed(n, kind); break;
    default: machine_unlock(m); machine_step(m, 1ll << (kind >> 3)); machine_lock(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net n = { .backend = &far_end, .queue = calloc(NET_QUEUE, sizeof(struct net_frame)) };
    const char *const *card = cards[fuzz_pick(names, ARRAY_SIZE(cards), data, size)];
    struct machine *m = fuzz_bench(NULL);
    struct device *dev = fuzz_add(m, card[0], "card", card[1]);
    if (!n.queue)
        abort();
    n.machine = m;
    timer_init(&n.retry, retry, &n);
    net_plug(&n, net_port_of(dev));
    machine_reset(m, RESET_POWER);
    bool pci = pci_config_read(m, 3 << 3, PCI_VENDOR, 2) != 0xffff;
    if (pci)
        fuzz_pci_enable(m, 3, IO, MEMORY);
    machine_lock(m);
    for (unsigned i = 0; left && i < STEPS_MAX; i++)
        step(m, &n, pci);
    machine_unlock(m);
    timer_stop(&m->clock, &n.retry);
    fuzz_state(m, size);
    machine_free(m);
    free(n.queue);
    return 0;
}
