/* Raw disk files and block devices: byte n of the disk is byte n of the file. The size is the file's byte length, which need
 * not be a multiple of 512: a drive puts block_open_padded on top. As the protocol layer of a qcow2 image the file grows:
 * qcow2 calls write past the end, which block_write() never does. */
#include "block/layer.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw { struct block b; int fd; bool device; };

static struct raw *raw_of(struct block *b) { return container_of(b, struct raw, b); }

int file_read(int fd, uint64_t offset, void *to, size_t length)
{
    uint8_t *p = to;
    while (length) {
        ssize_t n = pread(fd, p, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO;
        p += n, offset += (uint64_t)n, length -= (size_t)n;
    }
    return 0;
}

int file_write(int fd, uint64_t offset, const void *from, size_t length)
{
    const uint8_t *p = from;
    while (length) {
        ssize_t n = pwrite(fd, p, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EIO;
        p += n, offset += (uint64_t)n, length -= (size_t)n;
    }
    return 0;
}

int file_zero(int fd, uint64_t offset, uint64_t length)
{
    static const uint8_t zeros[65536];
    if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length))
        return 0;
    while (length) {
        size_t n = MIN(length, sizeof(zeros));
        int error = file_write(fd, offset, zeros, n);
        if (error)
            return error;
        offset += n, length -= n;
    }
    return 0;
}

static int raw_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    return file_read(raw_of(b)->fd, offset, to, length);
}

static int raw_write(struct block *b, uint64_t offset, const void *from, size_t length)
{
    int error = file_write(raw_of(b)->fd, offset, from, length);
    if (!error && offset + length > b->size)
        b->size = offset + length;
    return error;
}

static int raw_zero(struct block *b, uint64_t offset, uint64_t length)
{
    return file_zero(raw_of(b)->fd, offset, length);
}

/* Unlike raw_zero, worth doing only when it is cheap. */
static int raw_discard(struct block *b, uint64_t offset, uint64_t length)
{
    if (!raw_of(b)->device)
        fallocate(raw_of(b)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
    return 0;
}

static int raw_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    struct raw *r = raw_of(b);
    off_t data = r->device ? (off_t)offset : lseek(r->fd, (off_t)offset, SEEK_DATA);
    *kind = BLOCK_DATA;
    if (data < 0 && errno != ENXIO)
        return 0;                               /* no SEEK_DATA here: all of it may be data */
    if (data < 0 || (uint64_t)data > offset) {
        *kind = BLOCK_ZEROS;
        if (data >= 0)
            *length = MIN(*length, (uint64_t)data - offset);
        return 0;
    }
    off_t hole = r->device ? -1 : lseek(r->fd, (off_t)offset, SEEK_HOLE);
    if (hole > (off_t)offset)
        *length = MIN(*length, (uint64_t)hole - offset);
    return 0;
}

static int raw_flush(struct block *b)
{
    return fdatasync(raw_of(b)->fd) ? -errno : 0;
}

static void raw_close(struct block *b)
{
    if (raw_of(b)->fd >= 0)
        close(raw_of(b)->fd);
}

static const struct block_class raw_class = {
    .name = "raw", .size = sizeof(struct raw), .read = raw_read, .write = raw_write, .zero = raw_zero,
    .discard = raw_discard, .extents = raw_extents, .flush = raw_flush, .close = raw_close,
};

static bool raw_measure(struct raw *r, const char *path, struct error *err)
{
    struct stat st;
    if (fstat(r->fd, &st))
        return error_set(err, errno, "cannot look at %s: %s", path, strerror(errno));
    r->device = S_ISBLK(st.st_mode);
    if (S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "%s is a folder, not a disk image", path);
    if (!r->device && !S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "%s is neither a file nor a block device", path);
    r->b.size = (uint64_t)st.st_size;
    if (r->device && ioctl(r->fd, BLKGETSIZE64, &r->b.size))
        return error_set(err, errno, "cannot learn the size of %s: %s", path, strerror(errno));
    return true;
}

struct block *raw_on(int fd, struct error *err)
{
    struct block *b = block_new(&raw_class, err);
    if (!b)
        return NULL;
    raw_of(b)->fd = fd;
    if (raw_measure(raw_of(b), "the file", err))
        return b;
    raw_of(b)->fd = -1;
    block_close(b);
    return NULL;
}

struct block *block_open_raw(const char *path, unsigned flags, struct error *err)
{
    bool write = !(flags & BLOCK_RDONLY);
    struct stat st;
    /* O_EXCL on a block device: not while a file system of the host has it mounted [open(2)]. */
    int excl = write && !stat(path, &st) && S_ISBLK(st.st_mode) ? O_EXCL : 0;
    struct block *b = block_new(&raw_class, err);
    if (!b)
        return NULL;
    struct raw *r = raw_of(b);
    r->fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | excl);
    if (r->fd < 0 && errno == EBUSY)
        error_set(err, EBUSY, "%s is mounted or in use by the host; unmount it first", path);
    else if (r->fd < 0)
        error_set(err, errno, "cannot open the disk image %s%s: %s", path, write ? " for writing" : "", strerror(errno));
    else if (raw_measure(r, path, err) && image_lock(r->fd, path, write, err)) {
        b->read_only = !write;
        return b;
    }
    block_close(b);
    return NULL;
}
