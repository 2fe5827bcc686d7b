/* Far ends of the serial ports, with a UART at this end. */
#include "console/ports.h"
#include "tests/support/bench.h"
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { COM = 0x3f8, LSR = COM + 5, MSR = COM + 6, MS = 1000000 };

static char noticed[256];
static void notice(void *ui, const char *text) { (void)ui; snprintf(noticed, sizeof(noticed), "%s", text); }
static struct stream_end *plug(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui;
    return port_serial(m, port, to, NULL, err);
}
static const struct host host = { .serial = plug, .notice = notice };

static struct bench *uart(const char *to)
{
    char options[128];
    struct bench *b = bench_new_host(&host);
    snprintf(options, sizeof(options), "to=%s", to);
    bench_add(b, "ns16550a", "serial1", options);
    bench_reset(b);
    bench_out8(b, COM + 3, 0x83);
    bench_out8(b, COM, 1);
    bench_out8(b, COM + 1, 0);
    bench_out8(b, COM + 3, 3);
    bench_out8(b, COM + 2, 1);
    bench_out8(b, COM + 4, 0x0b);
    return b;
}

static void transmit(struct bench *b, const char *text)
{
    for (; *text; text++) {
        bench_out8(b, COM, (uint8_t)*text);
        bench_step(b, MS);
    }
}

/* What comes within a while; the far end is in this world, so host time must pass too. */
static const char *receive(struct bench *b, size_t wanted)
{
    static char got[256];
    size_t n = 0;
    for (unsigned turn = 0; turn < 2000 && n < wanted; turn++) {
        bench_step(b, MS);
        usleep(turn > 50 ? 1000 : 0);
        while (bench_in8(b, LSR) & 1)
            got[n++ % 255] = (char)bench_in8(b, COM);
    }
    got[n % 255] = 0;
    return got;
}

static bool wait_lines(struct bench *b, uint8_t lines)
{
    for (unsigned turn = 0; turn < 3000; turn++) {
        bench_step(b, MS);
        if ((bench_in8(b, MSR) & 0xf0) == lines)
            return true;
        usleep(1000);
    }
    return false;
}

static const char *read_far(struct bench *b, int fd, size_t wanted)
{
    static char got[256];
    size_t n = 0;
    for (unsigned turn = 0; turn < 2000 && n < wanted; turn++) {
        ssize_t r = read(fd, got + n, sizeof(got) - 1 - n);
        n += r > 0 ? (size_t)r : 0;
        bench_step(b, MS);
        usleep(r > 0 ? 0 : 1000);
    }
    got[n] = 0;
    return got;
}

Test(ports, loopback_plug)
{
    struct bench *b = uart("loop");
    cr_assert_eq(bench_in8(b, MSR) & 0xf0, 0xf0);
    bench_out8(b, COM + 4, 0x0a);
    cr_assert_eq(bench_in8(b, MSR), 0x1e, "RTS alone: CTS; DTR's three fell, RI with a trailing edge");
    bench_out8(b, COM + 4, 0x09);
    cr_assert_eq(bench_in8(b, MSR), 0xeb);
    transmit(b, "abc");
    cr_assert_str_eq(receive(b, 3), "abc");
    bench_out8(b, COM + 3, 0x43);
    bench_step(b, MS);
    cr_assert_eq(bench_in8(b, LSR), 0xf1, "a break");
    bench_out8(b, COM + 3, 0x03);
    bench_in8(b, COM);
    bench_out8(b, COM + 3, 0x43);
    bench_step(b, MS);
    cr_assert_eq(bench_in8(b, LSR), 0xf1, "and another one");
    bench_free(b);
}

Test(ports, files)
{
    struct bench *b = uart("file:/tmp/holdover-ports-test");
    char text[16] = "";
    transmit(b, "to a file");
    bench_free(b);
    FILE *f = fopen("/tmp/holdover-ports-test", "r");
    cr_assert(fgets(text, sizeof(text), f));
    fclose(f);
    unlink("/tmp/holdover-ports-test");
    cr_assert_str_eq(text, "to a file");
}

Test(ports, pseudo_terminal, .timeout = 60)
{
    struct bench *b = uart("pty:/tmp/holdover-pty-test");
    cr_assert(strstr(noticed, "serial1 is /dev/pts/"));
    transmit(b, "lost");
    cr_assert_eq(bench_in8(b, MSR) & 0xf0, 0, "nobody there");
    int fd = open("/tmp/holdover-pty-test", O_RDWR | O_NOCTTY | O_NONBLOCK);
    cr_assert(fd >= 0);
    cr_assert(wait_lines(b, 0xb0));
    transmit(b, "hello\n");
    cr_assert_str_eq(read_far(b, fd, 6), "hello\n");
    cr_assert_eq(write(fd, "back", 4), 4);
    cr_assert_str_eq(receive(b, 4), "back");
    close(fd);
    cr_assert(wait_lines(b, 0));
    fd = open("/tmp/holdover-pty-test", O_RDWR | O_NOCTTY | O_NONBLOCK);
    cr_assert(wait_lines(b, 0xb0), "a second one");
    /* nobody reads: the terminal fills, the chip waits, and goes on when somebody does */
    unsigned sent = 0;
    for (unsigned idle = 0; sent < 60000 && idle < 200; idle++) {
        if (bench_in8(b, LSR) & 0x20) {
            bench_out8(b, COM, (uint8_t)('a' + sent++ % 26));
            idle = 0;
        }
        bench_step(b, MS / 10);
    }
    cr_assert(sent > 1000 && sent < 60000, "%u", sent);
    static char all[60000];
    unsigned got = 0;
    for (unsigned turn = 0; turn < 3000 && got < sent; turn++) {
        ssize_t r = read(fd, all + got, sizeof(all) - got);
        got += r > 0 ? (unsigned)r : 0;
        bench_step(b, 10 * MS);
    }
    cr_assert_eq(got, sent);
    for (unsigned i = 0; i < got; i++)
        cr_assert_eq(all[i], 'a' + i % 26);
    close(fd);
    bench_free(b);
    cr_assert_neq(access("/tmp/holdover-pty-test", F_OK), 0);
}

static int listener(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 1) && !getsockname(fd, (struct sockaddr *)&a, &size));
    *port = ntohs(a.sin_port);
    return fd;
}

Test(ports, tcp_calls_and_calls_again, .timeout = 60)
{
    uint16_t port;
    char to[40];
    int fd = listener(&port), far;
    snprintf(to, sizeof(to), "tcp:127.0.0.1:%u", port);
    struct bench *b = uart(to);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned turn = 0; turn < 3; turn++)
            bench_step(b, NS_PER_S);
        far = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        cr_assert(far >= 0);
        cr_assert(wait_lines(b, 0xb0));
        transmit(b, "out");
        cr_assert_str_eq(read_far(b, far, 3), "out");
        cr_assert_eq(write(far, "in", 2), 2);
        cr_assert_str_eq(receive(b, 2), "in");
        close(far);
        cr_assert(wait_lines(b, 0));
    }
    close(fd);
    bench_free(b);
}

Test(ports, tcp_listens_to_one, .timeout = 60)
{
    uint16_t port;
    char to[40], byte;
    close(listener(&port));
    snprintf(to, sizeof(to), "tcp-listen:%u", port);
    struct bench *b = uart(to);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
    int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(first, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert(wait_lines(b, 0xb0));
    cr_assert_eq(connect(second, (struct sockaddr *)&a, sizeof(a)), 0);
    bench_step(b, MS);
    cr_assert_eq(read(second, &byte, 1), 0, "engaged");
    cr_assert_eq(write(first, "x", 1), 1);
    cr_assert_str_eq(receive(b, 1), "x");
    close(first);
    cr_assert(wait_lines(b, 0));
    close(second);
    bench_free(b);
}

/* A pseudo-terminal stands for a serial port of the host: it has rates and formats, but no lines. */
Test(ports, a_terminal_of_the_host, .timeout = 60)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    char to[64] = "tty:";
    struct { unsigned iflag, oflag, cflag, lflag; unsigned char line, cc[19]; unsigned in, out; } t;     /* struct termios2 */
    cr_assert(!grantpt(master) && !unlockpt(master) && !ptsname_r(master, to + 4, sizeof(to) - 4));
    struct bench *b = uart(to);
    cr_assert(wait_lines(b, 0xb0), "one without lines is ready");
    transmit(b, "out\n");
    cr_assert_str_eq(read_far(b, master, 4), "out\n");
    cr_assert_eq(write(master, "a\xff" "b", 3), 3);
    cr_assert_str_eq(receive(b, 3), "a\xff" "b", "FFh is doubled on its way and single again");
    int slave = open(to + 4, O_RDWR | O_NOCTTY);
    cr_assert_eq(ioctl(slave, 0x802c542a, &t), 0);
    cr_assert_eq(t.out, 115200);
    cr_assert_eq(t.iflag & (PARMRK | INPCK), PARMRK | INPCK);
    bench_out8(b, COM + 3, 0x9a);               /* 7 bits, even, 9600 */
    bench_out8(b, COM, 12);
    bench_out8(b, COM + 3, 0x1a);
    cr_assert_eq(ioctl(slave, 0x802c542a, &t), 0);
    cr_assert_eq(t.out, 9600);
    close(slave);
    bench_free(b);
    close(master);
}

static uint8_t bad_byte;
static unsigned bad_errors;
static char good[16];
static void take_bad(void *chip, uint8_t byte, unsigned errors) { (void)chip; bad_byte = byte; bad_errors = errors; }
static void take_good(void *chip, const uint8_t *bytes, size_t length) { (void)chip; strncat(good, (const char *)bytes, length); }

Test(ports, marks_of_errors)
{
    struct port p = { .end = { .receive = take_good, .receive_bad = take_bad } };
    tty_received(&p, (const uint8_t *)"a\xff", 2);
    tty_received(&p, (const uint8_t *)"\xff" "b\xff\0", 4);
    cr_assert_str_eq(good, "a\xff" "b");
    tty_received(&p, (const uint8_t *)"x", 1);
    cr_assert(bad_byte == 'x' && bad_errors == LINE_PARITY);
    tty_received(&p, (const uint8_t *)"\xff\0\0c", 4);
    cr_assert(bad_byte == 0 && bad_errors == LINE_BREAK);
    cr_assert_str_eq(good, "a\xff" "bc");
}

Test(ports, what_cannot_be)
{
    static const struct { const char *to, *says; } cases[] = {
        { "carrier-pigeon", "serial1.to is pty" }, { "tcp:", "serial1.to is pty" }, { "tcp-listen:127.0.0.1:nosuchport", "HOST:PORT" },
        { "file:/nonexistent/file", "cannot write /nonexistent/file" }, { "tty:/dev/null", "no serial port" }, { "tty:/nonexistent", "cannot open" }
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench *b = bench_new_host(&host);
        struct error err = { 0 };
        cr_assert_null(port_serial(b->m, 0, cases[i].to, NULL, &err));
        cr_assert(err.code && strstr(err.text, cases[i].says), "%s: %s", cases[i].to, err.text);
        bench_free(b);
    }
    static const struct { const char *to, *says; } printers[] = {
        { "fax", "parallel1.to is pdf" }, { "pdf:", "parallel1.to is pdf" }, { "pdf:/dev/null", "no folder" },
        { "file:/nonexistent/f", "cannot write" }, { "host:/nonexistent", "ppdev" }, { "host:/dev/null", "claimed" }
    };
    for (size_t i = 0; i < ARRAY_SIZE(printers); i++) {
        struct bench *b = bench_new_host(&host);
        struct error err = { 0 };
        cr_assert_null(port_parallel(b->m, 0, printers[i].to, &err));
        cr_assert(err.code && strstr(err.text, printers[i].says), "%s: %s", printers[i].to, err.text);
        bench_free(b);
    }
}
