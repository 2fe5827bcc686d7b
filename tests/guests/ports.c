/* What the guest cases of the ports run inside Linux, static and without a libc:
 *   ports modem TTY         a loopback plug: every modem line, breaks and their counters, data at three rates
 *   ports pair TTY TTY      two ends of one line: a file's worth each way
 *   ports pointer W H       prints where an absolute pointer is, in pixels of a screen of that size, and how others move
 *   ports mouse TTY TYPE    makes a serial mouse of that type of serio's an input device, for as long as it runs
 * gcc -m32 -static -nostdlib -ffreestanding -I /usr/include/x86_64-linux-gnu */
#include <asm/termios.h>
#include <linux/input-event-codes.h>
#include <linux/serial.h>
#include <linux/serio.h>

enum { SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_IOCTL = 54, SYS_POLL = 168, SYS_NANOSLEEP = 162, O_RDWR = 2, O_NOCTTY = 0400,
       O_NONBLOCK = 04000 };
static long call(long n, long a, long b, long c)
{
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
    return r;
}
static unsigned length(const char *s) { unsigned n = 0; while (s[n]) n++; return n; }
static void say(const char *s) { call(SYS_WRITE, 1, (long)s, length(s)); }
static void number(unsigned n)
{
    char text[12], *p = text + 11;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    say(p);
}
static unsigned parse(const char *s) { unsigned n = 0; for (; *s >= '0' && *s <= '9'; s++) n = n * 10 + (unsigned)(*s - '0'); return n; }
static void fail(const char *what, unsigned a, unsigned b)
{
    say("PORTS FAIL "); say(what); say(" "); number(a); say(" "); number(b); say("\n");
    call(SYS_EXIT, 1, 0, 0);
}
static void rest(void) { long t[2] = { 0, 20000000 }; call(SYS_NANOSLEEP, (long)t, 0, 0); }

static int tty(const char *path, unsigned rate, unsigned more)
{
    struct termios2 t;
    int fd = (int)call(SYS_OPEN, (long)path, O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0 || call(SYS_IOCTL, fd, TCGETS2, (long)&t))
        fail(path, (unsigned)-fd, 0);
    t.c_iflag = t.c_oflag = t.c_lflag = 0;
    t.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | more;
    t.c_ispeed = t.c_ospeed = rate;
    call(SYS_IOCTL, fd, TCSETS2, (long)&t);
    return fd;
}

/* Sends and receives at the same time until all is there. */
static void transfer(int from, int to, unsigned size)
{
    static unsigned char out[256], in[256];
    unsigned sent = 0, got = 0, idle = 0;
    while (got < size) {
        unsigned n = size - sent < 200 ? size - sent : 200;
        for (unsigned i = 0; i < n; i++)
            out[i] = (unsigned char)((sent + i) * 7 + ((sent + i) >> 8));
        long w = n ? call(SYS_WRITE, from, (long)out, n) : 0, r = call(SYS_READ, to, (long)in, sizeof(in));
        sent += w > 0 ? (unsigned)w : 0;
        for (long i = 0; i < r; i++, got++)
            if (in[i] != (unsigned char)(got * 7 + (got >> 8)))
                fail("byte", got, in[i]);
        idle = w > 0 || r > 0 ? 0 : idle + 1;
        if (idle > 250)
            fail("nothing comes", sent, got);
        if (idle)
            rest();
    }
}

static void modem(const char *path)
{
    static const struct { unsigned drive, see; } lines[] = {
        { 0, 0 }, { TIOCM_RTS, TIOCM_CTS }, { TIOCM_DTR, TIOCM_DSR | TIOCM_CD | TIOCM_RI },
        { TIOCM_RTS | TIOCM_DTR, TIOCM_CTS | TIOCM_DSR | TIOCM_CD | TIOCM_RI }, { 0, 0 }
    };
    static const unsigned rates[] = { 9600, 57600, 115200 };
    struct serial_icounter_struct before, after;
    int fd = tty(path, 115200, CRTSCTS);        /* so that the driver counts the lines' changes */
    call(SYS_IOCTL, fd, TIOCGICOUNT, (long)&before);
    for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        unsigned set = lines[i].drive | TIOCM_OUT2, now = 0;         /* OUT2 lets the interrupt through */
        call(SYS_IOCTL, fd, TIOCMSET, (long)&set);
        rest();
        call(SYS_IOCTL, fd, TIOCMGET, (long)&now);
        if ((now & (TIOCM_CTS | TIOCM_DSR | TIOCM_CD | TIOCM_RI)) != lines[i].see)
            fail("lines", lines[i].drive, now);
    }
    call(SYS_IOCTL, fd, TIOCGICOUNT, (long)&after);
    if (after.cts == before.cts || after.dsr == before.dsr || after.dcd == before.dcd || after.rng == before.rng)
        fail("counts", (unsigned)(after.cts - before.cts), (unsigned)(after.rng - before.rng));
    call(SYS_IOCTL, fd, TIOCSBRK, 0);
    rest();
    call(SYS_IOCTL, fd, TIOCCBRK, 0);
    rest();
    call(SYS_IOCTL, fd, TIOCGICOUNT, (long)&after);
    if (after.brk != before.brk + 1)
        fail("break", (unsigned)before.brk, (unsigned)after.brk);
    char zero;
    call(SYS_READ, fd, (long)&zero, 1);
    for (unsigned i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        fd = tty(path, rates[i], 0);
        transfer(fd, fd, rates[i] / 20);
    }
    say("PORTS MODEM OK\n");
}

static void pair(const char *a, const char *b)
{
    int x = tty(a, 115200, 0), y = tty(b, 115200, 0);
    unsigned up = 0, tries = 0;
    while (!(up & TIOCM_CD) && tries++ < 200) { /* the connection is made */
        rest();
        call(SYS_IOCTL, y, TIOCMGET, (long)&up);
    }
    if (!(up & TIOCM_CD))
        fail("no carrier", up, 0);
    transfer(x, y, 20000);
    transfer(y, x, 20000);
    say("PORTS PAIR OK\n");
}

struct input_event { long seconds, microseconds; unsigned short type, code; int value; };
struct poll { int fd; short events, revents; };
static void pointer(unsigned width, unsigned height)
{
    struct input_event e[16];
    struct poll fds[8];
    unsigned count = 0, x = 0, y = 0;
    int dx = 0, dy = 0;
    char path[] = "/dev/input/event0";
    for (; count < 8; count++) {
        path[16] = (char)('0' + count);
        fds[count].fd = (int)call(SYS_OPEN, (long)path, O_NONBLOCK, 0);
        fds[count].events = 1;
        if (fds[count].fd < 0)
            break;
    }
    say("PORTS POINTER READY\n");
    for (;;) {
        call(SYS_POLL, (long)fds, count, -1);
        for (unsigned f = 0; f < count; f++) {
            long n = call(SYS_READ, fds[f].fd, (long)e, sizeof(e));
            for (unsigned i = 0; n > 0 && i < (unsigned)n / sizeof(*e); i++) {
                if (e[i].type == EV_ABS)
                    *(e[i].code == ABS_X ? &x : &y) = (unsigned)e[i].value;
                if (e[i].type == EV_REL)
                    *(e[i].code == REL_X ? &dx : &dy) += e[i].value;
                if (e[i].type == EV_KEY && e[i].code >= BTN_LEFT && e[i].code <= BTN_MIDDLE) {
                    say("PORTS BUTTON "); number(e[i].code - BTN_LEFT); say(e[i].value ? " down\n" : " up\n");
                }
                if (e[i].type == EV_SYN && (dx || dy)) {
                    say("PORTS MOVED "); number((unsigned)(dx + 1000)); say(","); number((unsigned)(dy + 1000)); say("\n");
                }
                if (e[i].type == EV_SYN && (x || y)) {
                    say("PORTS AT "); number(x * width / 65536); say(","); number(y * height / 65536); say("\n");
                }
            }
        }
    }
}

static void mouse(const char *path, unsigned long type)
{
    int fd = tty(path, 1200, type == SERIO_MSC ? CSTOPB : 0), discipline = 2;   /* N_MOUSE */
    struct termios2 t;
    char byte;
    call(SYS_IOCTL, fd, TCGETS2, (long)&t);
    if (type != SERIO_MSC)
        t.c_cflag = (t.c_cflag & ~(unsigned)CSIZE) | CS7;
    call(SYS_IOCTL, fd, TCSETS2, (long)&t);
    if (call(SYS_IOCTL, fd, TIOCSETD, (long)&discipline) < 0 || call(SYS_IOCTL, fd, SPIOCSTYPE, (long)&type) < 0)
        fail("no line discipline", 0, 0);
    call(SYS_READ, fd, (long)&byte, 1);
}

static int same(const char *a, const char *b) { while (*a && *a == *b) a++, b++; return *a == *b; }
__attribute__((used)) static void begin(long *stack)
{
    char **argv = (char **)(stack + 1);
    if (stack[0] > 2 && same(argv[1], "modem"))
        modem(argv[2]);
    else if (stack[0] > 3 && same(argv[1], "pair"))
        pair(argv[2], argv[3]);
    else if (stack[0] > 3 && same(argv[1], "mouse"))
        mouse(argv[2], parse(argv[3]));
    else if (stack[0] > 3 && same(argv[1], "pointer"))
        pointer(parse(argv[2]), parse(argv[3]));
    call(SYS_EXIT, 0, 0, 0);
}
__asm__(".globl _start\n_start: mov %esp,%eax\n push %eax\n call begin\n");
