/* Locks on image files. Each opener holds shared open-file-description locks on a byte for every thing that it does (100 + n)
 * and on a byte for every thing that others must not do (200 + n), then asks whether anybody holds a byte that excludes it.
 * Taking first and asking afterwards leaves no gap: of two that start at once, at least one sees the other. The bytes are
 * those that QEMU takes, so qemu-img and Holdover respect one another. References: [QEMU-LOCKS].
 * Not modelled: file systems without such locks; there the image opens unlocked. */
#include "block/layer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DOES = 100, FORBIDS = 200 };
enum { READ = 0, WRITE = 1, RESIZE = 3 };

static bool hold(int fd, off_t byte)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return !fcntl(fd, F_OFD_SETLK, &lock);
}

static bool others_hold(int fd, off_t byte)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

bool image_lock(int fd, const char *path, bool write, struct error *err)
{
    bool held = hold(fd, DOES + READ) && (!write || (hold(fd, DOES + WRITE) && hold(fd, DOES + RESIZE))) &&
                hold(fd, FORBIDS + WRITE) && hold(fd, FORBIDS + RESIZE);
    if (!held) {
        if (errno == EAGAIN || errno == EACCES)
            return error_set(err, EBUSY, "%s is locked by another program; end that one first", path);
        return true;                            /* no such locks here (ENOLCK, EINVAL, EOPNOTSUPP) */
    }
    if (others_hold(fd, DOES + WRITE))
        return error_set(err, EBUSY, "%s is being written by another running machine or program; stop it first", path);
    if (write && others_hold(fd, FORBIDS + WRITE))
        return error_set(err, EBUSY, "%s is being read by another running machine or program; stop it first, "
                         "or open it read-only", path);
    return true;
}
