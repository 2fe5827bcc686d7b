/* A parallel port of the host through ppdev: the guest's registers are the real port's, for dongles, programmers, scanners and
 * printers that talk back. See the kernel's ppdev documentation; its status and control bits are those of the PC's registers. */
#include "console/ports.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/parport.h>
#include <linux/ppdev.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct host_port {
    struct parallel_end end;
    struct loop_watch *watch;
    int fd, mode;
    bool claimed;
    uint8_t data, control;                      /* as last told */
};

static void host_lines(void *backend, uint8_t data, uint8_t control)
{
    struct host_port *h = backend;
    unsigned char lines = control & 15;
    int reverse = control & PARALLEL_REVERSE ? 1 : 0;
    if ((control ^ h->control) & PARALLEL_REVERSE)
        ioctl(h->fd, PPDATADIR, &reverse);
    if (data != h->data && !reverse)
        ioctl(h->fd, PPWDATA, &data);
    if ((control ^ h->control) & 15)
        ioctl(h->fd, PPWCONTROL, &lines);
    h->data = data;
    h->control = control;
}

static uint8_t host_status(void *backend)
{
    struct host_port *h = backend;
    unsigned char status = 0;
    ioctl(h->fd, PPRSTATUS, &status);
    return status;
}

static uint8_t host_data(void *backend)
{
    struct host_port *h = backend;
    unsigned char data = 0xff;
    ioctl(h->fd, PPRDATA, &data);
    return data;
}

static bool host_epp(void *backend, bool address, bool read_it, uint8_t *byte)
{
    struct host_port *h = backend;
    int mode = IEEE1284_MODE_EPP | (address ? IEEE1284_ADDR : IEEE1284_DATA);
    if (mode != h->mode && ioctl(h->fd, PPSETMODE, &mode))
        return false;
    h->mode = mode;
    return (read_it ? read(h->fd, byte, 1) : write(h->fd, byte, 1)) == 1;
}

static void host_interrupt(void *arg, short revents)
{
    struct host_port *h = arg;
    int count = 0;
    if (revents & POLLIN && !ioctl(h->fd, PPCLRIRQ, &count) && count)
        h->end.acknowledge(h->end.chip);
    if (revents & (POLLERR | POLLHUP))
        loop_watch_events(h->watch, 0);
}

static void host_close(void *backend)
{
    struct host_port *h = backend;
    if (h->watch)
        loop_unwatch(h->watch);
    if (h->claimed)
        ioctl(h->fd, PPRELEASE);
    if (h->fd >= 0)
        close(h->fd);
    free(h);
}

struct parallel_end *host_port_open(struct machine *m, const char *path, struct error *err)
{
    struct host_port *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->end = (struct parallel_end){ .backend = h, .status = host_status, .lines = host_lines, .data = host_data, .epp = host_epp,
                                    .close = host_close };
    h->fd = open(path, O_RDWR | O_CLOEXEC);
    if (h->fd < 0) {
        error_set(err, errno, "cannot open the parallel port %s: %s%s", path, strerror(errno),
                  errno == ENOENT ? "; is the module ppdev loaded?" : errno == EACCES ? "; are you in the group lp?" : "");
    } else if (!(h->claimed = !ioctl(h->fd, PPEXCL) && !ioctl(h->fd, PPCLAIM))) {
        error_set(err, errno, "%s cannot be claimed (%s): is it a ppdev device, and does another driver hold it?", path, strerror(errno));
    } else {
        h->watch = loop_watch(m, h->fd, POLLIN, host_interrupt, h);
        return &h->end;
    }
    host_close(h);
    return NULL;
}
