/* The cable: addresses and port forwards of the NAT, private links, captures, what must be refused. */
#include "net/backend.h"
#include "tests/support/bench.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct end { struct net_port port; unsigned count; uint8_t last[NET_FRAME_TAGGED]; size_t length; bool busy; };

static bool end_ready(void *chip) { return !((struct end *)chip)->busy; }
static void end_receive(void *chip, const uint8_t *frame, size_t length)
{
    struct end *e = chip;
    e->count++;
    e->length = length;
    memcpy(e->last, frame, length);
}

static struct net_config config_of(const char *mode)
{
    return (struct net_config){ mode, "", "", "", "", "", "", true, true };
}

static struct net *opened(struct bench *b, const struct net_config *c, struct end *e)
{
    struct error err = { 0 };
    struct net *n = NULL;
    cr_assert(net_open(b->m, c, false, &n, &err), "%s", err.text);
    *e = (struct end){ .port = { NULL, e, end_ready, end_receive } };
    net_plug(n, &e->port);
    return n;
}

static void refused(const struct net_config *c, const char *word)
{
    struct bench *b = bench_new();
    struct error err = { 0 };
    struct net *n = NULL;
    cr_assert_not(net_open(b->m, c, false, &n, &err), "%s was not refused", word);
    cr_assert(strstr(err.text, word), "%s: %s", word, err.text);
    cr_assert_null(n);
    bench_free(b);
}

Test(net, what_cannot_be_is_refused)
{
    struct net_config c = config_of("bridge");
    refused(&c, "bridge");
    c = config_of("nat");
    c.guest = "192.168.1";
    refused(&c, "net.guest");
    c = config_of("nat");
    c.guest = "192.168.1.17";
    c.gateway = "192.168.2.1";
    refused(&c, "one network");
    c = config_of("nat");
    c.netmask = "255.0.255.0";
    refused(&c, "net.netmask");
    static const char *const forwards[] = { "tcp", "tcp:1", "tcp:1:2:3", "icmp:1:2", "tcp:0:23", "tcp:70000:23", "tcp:1.2.3:2:3", "tcp:a:b", "tcp::" };
    for (unsigned i = 0; i < sizeof(forwards) / sizeof(forwards[0]); i++) {
        c = config_of("nat");
        c.forward = forwards[i];
        refused(&c, "net.forward");
    }
    c = config_of("private ../x");
    refused(&c, "no name of a link");
    c = config_of("private");
    refused(&c, "no name of a link");
    c = config_of("tap nosuchdevice0");
    refused(&c, "nosuchdevice0");
    c = config_of("nat");
    c.capture = "/nonexistent/f";
    refused(&c, "net.capture");
}

Test(net, hardware_addresses)
{
    struct error err;
    uint8_t mac[6];
    cr_assert(net_mac_parse("02:48:4f:AA:bb:01", mac, "x", &err));
    cr_assert_eq(mac[3], 0xaa);
    static const char *const bad[] = { "", "02:48:4f:aa:bb", "01:48:4f:aa:bb:cc", "02:48:4f:aa:bb:cc:dd", "02-48-4f-aa-bb-cc", "zz:48:4f:aa:bb:cc" };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(net_mac_parse(bad[i], mac, "x", &err), "%s", bad[i]);
}

Test(net, checksums)
{
    cr_assert_eq(net_crc("123456789", 9), 0xcbf43926);
    cr_assert_eq(net_crc_forward("\x01\x80\xc2\x00\x00\x00", 6) >> 26 & 1, ~net_crc("\x01\x80\xc2\x00\x00\x00", 6) >> 5 & 1);
    uint8_t bytes[1500];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 + 7);
    for (size_t length = 0; length < sizeof(bytes); length += 13) {
        uint32_t sum = 0xbeef;
        for (size_t i = 0; i < length; i++)
            sum += (uint32_t)bytes[i] << (i & 1 ? 0 : 8);
        while (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16);
        cr_assert_eq(net_checksum(0xbeef, bytes, length), sum);
    }
}

/* Who has `target`? From `sender`. */
static size_t arp(uint8_t *f, const char *sender, const char *target)
{
    static const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0x48, 0x4f, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0x48, 0x4f, 0, 0, 9 };
    memset(f, 0, 60);
    memcpy(f, head, sizeof(head));
    inet_pton(AF_INET, sender, f + 28);
    inet_pton(AF_INET, target, f + 38);
    return 60;
}

Test(net, the_gateway_takes_the_place_that_the_guest_knows)
{
    struct bench *b = bench_new();
    struct net_config c = config_of("nat");
    struct end e;
    uint8_t frame[60];
    c.guest = "192.168.1.17";
    c.gateway = "192.168.1.1";
    struct net *n = opened(b, &c, &e);
    net_send(&e.port, frame, arp(frame, "192.168.1.17", "192.168.1.99"));
    bench_step(b, 1000000);
    cr_assert_eq(e.count, 0, "nobody is there");
    net_send(&e.port, frame, arp(frame, "192.168.1.17", "192.168.1.1"));
    cr_assert_eq(e.count, 0, "nothing comes while the card is sending");
    bench_step(b, 1000000);
    cr_assert_eq(e.count, 1);
    cr_assert_eq(be16_get(e.last + 20), 2, "an answer");
    cr_assert_eq(be32_get(e.last + 28), 0xc0a80101);
    net_close(n);
    cr_assert_null(e.port.net);
    bench_free(b);
}

Test(net, a_forwarded_port_asks_for_the_guest)
{
    struct bench *b = bench_new();
    struct net_config c = config_of("nat");
    struct end e;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(to);
    int probe = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char forward[64];
    cr_assert_eq(bind(probe, (struct sockaddr *)&to, size), 0);        /* a port that is free */
    getsockname(probe, (struct sockaddr *)&to, &size);
    close(probe);
    snprintf(forward, sizeof(forward), "udp:127.0.0.1:%u:53, tcp:%u:192.168.1.17:23", ntohs(to.sin_port), ntohs(to.sin_port));
    c.guest = "192.168.1.17";
    c.forward = forward;
    struct net *n = opened(b, &c, &e);
    connect(s, (struct sockaddr *)&to, size);
    for (unsigned i = 0; i < 100 && !e.count; i++) {
        usleep(1000);
        bench_step(b, 1000000);
    }
    cr_assert(e.count > 0);
    cr_assert_eq(be16_get(e.last + 12), 0x0806, "it asks who has the address");
    cr_assert_eq(be32_get(e.last + 38), 0xc0a80111);
    struct net *second = NULL;
    struct error err;
    cr_assert_not(net_open(b->m, &c, false, &second, &err), "the port is taken");
    close(s);
    net_close(n);
    bench_free(b);
}

static void settle(struct bench **benches, unsigned count)
{
    for (unsigned round = 0; round < 5; round++)
        for (unsigned i = 0; i < count; i++)
            bench_step(benches[i], 1000000);
}

Test(net, a_private_link_of_three)
{
    char folder[] = "/tmp/holdover-net-XXXXXX";
    cr_assert(mkdtemp(folder));
    unsetenv("XDG_RUNTIME_DIR");
    setenv("HOLDOVER_HOME", folder, 1);
    struct bench *b[4];
    struct net *n[4];
    struct end e[4];
    struct net_config c = config_of("private office"), other = config_of("private:other");
    for (unsigned i = 0; i < 4; i++) {
        b[i] = bench_new();
        n[i] = opened(b[i], i == 3 ? &other : &c, &e[i]);
    }
    settle(b, 4);
    uint8_t frame[100] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1 };
    net_send(&e[0].port, frame, 100);
    settle(b, 4);
    cr_assert(!e[0].count && e[1].count == 1 && e[2].count == 1 && !e[3].count, "to all of the link");
    cr_assert_arr_eq(e[1].last, frame, 100);
    uint8_t back[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
    net_send(&e[1].port, back, 60);
    settle(b, 4);
    cr_assert(e[0].count == 1 && e[2].count == 1, "only to the one whose address was seen");
    net_close(n[1]);
    bench_free(b[1]);
    b[1] = b[3];
    net_send(&e[0].port, frame, 100);
    settle(b, 3);
    cr_assert_eq(e[2].count, 2, "the link goes on without one");
    for (unsigned i = 0; i < 4; i++)
        if (i != 1) {
            net_close(n[i]);
            bench_free(i == 3 ? b[1] : b[i]);
        }
    char path[128];
    snprintf(path, sizeof(path), "%s/net/office", folder);
    cr_assert_eq(rmdir(path), 0, "no socket is left behind");
}

/* A guest that does not take its frames keeps what fits into the queue; the peers' sockets fill up, and nobody waits. */
Test(net, a_guest_that_does_not_read)
{
    char folder[] = "/tmp/holdover-net-XXXXXX";
    cr_assert(mkdtemp(folder));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    struct bench *b[2] = { bench_new(), bench_new() };
    struct end e[2];
    struct net_config c = config_of("private office");
    struct net *n[2] = { opened(b[0], &c, &e[0]), opened(b[1], &c, &e[1]) };
    settle(b, 2);
    uint8_t frame[1514] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1 };
    e[1].busy = true;
    for (unsigned i = 0; i < 5000; i++)
        net_send(&e[0].port, frame, sizeof(frame));
    settle(b, 2);
    cr_assert_eq(e[1].count, 0);
    e[1].busy = false;
    for (unsigned i = 0; i < 100; i++)
        settle(b, 2);
    cr_assert(e[1].count > 256 && e[1].count + n[0]->dropped == 5000, "%u came, %llu were lost", e[1].count, (unsigned long long)n[0]->dropped);
    for (unsigned i = 0; i < 2; i++) {
        net_close(n[i]);
        bench_free(b[i]);
    }
}

Test(net, a_capture_has_both_ways)
{
    char path[] = "/tmp/holdover-pcap-XXXXXX";
    int fd = mkstemp(path);
    struct bench *b = bench_new();
    struct net_config c = config_of("nat");
    struct end e;
    struct stat st;
    uint8_t frame[60], bytes[24 + 2 * (16 + 64)];
    c.capture = path;
    struct net *n = opened(b, &c, &e);
    net_send(&e.port, frame, arp(frame, "10.0.2.15", "10.0.2.2"));
    bench_step(b, 1000000);
    net_close(n);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert(read(fd, bytes, sizeof(bytes)) > 24 + 16 + 60 + 16);
    cr_assert_eq(le32_get(bytes), 0xa1b23c4d);
    cr_assert_eq(le32_get(bytes + 24 + 8), 60);
    cr_assert_arr_eq(bytes + 24 + 16, frame, 60);
    cr_assert_eq(be16_get(bytes + 24 + 16 + 60 + 16 + 20), 2, "the answer");
    close(fd);
    unlink(path);
    bench_free(b);
}

Test(net, nothing_comes_in_by_the_counted_clock)
{
    struct bench *b = bench_new();
    struct net_config c = config_of("nat");
    struct error err;
    struct net *n;
    struct end e = { .port = { NULL, &e, end_ready, end_receive } };
    uint8_t frame[60];
    cr_assert(net_open(b->m, &c, true, &n, &err));
    net_plug(n, &e.port);
    net_send(&e.port, frame, arp(frame, "10.0.2.15", "10.0.2.2"));
    bench_step(b, 100000000);
    cr_assert_eq(e.count, 0);
    net_close(n);
    bench_free(b);
}
