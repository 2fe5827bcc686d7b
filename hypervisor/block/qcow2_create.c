/* qcow2: making an empty image. header | refcount table | refcount blocks | L1 table, one after another, the header last.
 * References: [QCOW2]. */
#include "block/qcow2.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t extension_put(uint8_t *at, uint32_t type, const char *bytes)
{
    size_t n = strlen(bytes);
    be32_put(at, type);
    be32_put(at + 4, (uint32_t)n);
    memcpy(at + 8, bytes, n);
    return 8 + align_up(n, 8);
}

size_t qcow2_header(uint8_t *h, const struct qcow2_layout *l)
{
    size_t at = l->version >= 3 ? H_V3_LENGTH : H_V2_LENGTH;
    size_t backing = l->backing ? strlen(l->backing) : 0, format = l->format ? strlen(l->format) : 0;
    if (backing > MAX_BACKING_NAME || at + format + backing + 24 > 1u << l->cluster_bits)
        return 0;
    be32_put(h + H_MAGIC, QCOW2_MAGIC);
    be32_put(h + H_VERSION, l->version);
    be32_put(h + H_CLUSTER_BITS, l->cluster_bits);
    be64_put(h + H_SIZE, l->size);
    if (l->version >= 3) {
        be32_put(h + H_REFCOUNT_ORDER, l->refcount_order);
        be32_put(h + H_HEADER_LENGTH, H_V3_LENGTH);
    }
    if (format)
        at += extension_put(h + at, EXT_BACKING_FORMAT, l->format);
    at += extension_put(h + at, EXT_END, "");
    if (backing) {
        be64_put(h + H_BACKING_OFFSET, at);
        be32_put(h + H_BACKING_LENGTH, (uint32_t)backing);
        memcpy(h + at, l->backing, backing);
    }
    return at + backing;
}

static int create(struct block *file, const struct qcow2_layout *l)
{
    uint64_t cluster = 1ull << l->cluster_bits, per_l1 = cluster * (cluster / 8), entries = (l->size + per_l1 - 1) / per_l1;
    uint64_t l1_clusters = (entries * 8 + cluster - 1) / cluster, per_block = cluster * 8 >> l->refcount_order, blocks = 1;
    struct qcow2 q = { .refcount_order = l->refcount_order };
    while ((2 + blocks + l1_clusters + per_block - 1) / per_block > blocks)
        blocks++;
    if (entries * 8 > MAX_L1_BYTES || blocks * 8 > cluster)
        return -EFBIG;
    uint8_t *bytes = calloc(1, cluster);
    if (!bytes)
        return -ENOMEM;
    int error = 0;
    for (uint64_t i = 0; i < l1_clusters && !error; i++)
        error = file->class->write(file, (2 + blocks + i) * cluster, bytes, cluster);
    for (uint64_t n = 0; n < blocks && !error; n++) {
        memset(bytes, 0, cluster);
        for (uint64_t c = n * per_block; c < MIN((n + 1) * per_block, 2 + blocks + l1_clusters); c++)
            refcount_write(&q, bytes, c % per_block, 1);
        error = file->class->write(file, (2 + n) * cluster, bytes, cluster);
    }
    memset(bytes, 0, cluster);
    for (uint64_t n = 0; n < blocks; n++)
        be64_put(bytes + n * 8, (2 + n) * cluster);
    if (!error)
        error = file->class->write(file, cluster, bytes, cluster);
    if (!error)
        error = file->class->flush(file);
    memset(bytes, 0, cluster);
    if (!error && !qcow2_header(bytes, l))
        error = -ENAMETOOLONG;
    be32_put(bytes + H_L1_SIZE, (uint32_t)entries);
    be64_put(bytes + H_L1_OFFSET, (2 + blocks) * cluster);
    be64_put(bytes + H_REFTABLE_OFFSET, cluster);
    be32_put(bytes + H_REFTABLE_CLUSTERS, 1);
    if (!error)
        error = file->class->write(file, 0, bytes, cluster);
    free(bytes);
    return error ? error : file->class->flush(file);
}

bool qcow2_create_on(struct block *file, const struct qcow2_layout *l, struct error *err)
{
    int error = create(file, l);
    return error ? error_set(err, -error, "cannot make a qcow2 image of %llu bytes: %s", (unsigned long long)l->size,
                             strerror(-error)) : true;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

int file_nameless(const char *path, struct error *err)
{
    char *folder = folder_of(path);
    int fd = -1;
    if (!access(path, F_OK)) {
        error_set(err, EEXIST, "%s exists already; remove it or choose another name", path);
    } else {
        fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644) : -1;
        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
            fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
        if (fd < 0)
            error_set(err, errno, "cannot make %s: %s", path, strerror(errno));
    }
    free(folder);
    return fd;
}

bool folder_sync(const char *path)
{
    char *folder = folder_of(path);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && !fsync(fd);
    if (fd >= 0)
        close(fd);
    free(folder);
    return ok;
}

static bool same_file(int fd, const char *path)
{
    struct stat a, b;
    return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void file_forget(int fd, const char *path)
{
    if (same_file(fd, path))
        unlink(path);
}

bool file_publish(int fd, const char *path, struct error *err)
{
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (fsync(fd))
        return error_set(err, errno, "cannot write %s: %s", path, strerror(errno));
    if (!same_file(fd, path) && linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
        return error_set(err, errno, "cannot make %s: %s", path, strerror(errno));
    folder_sync(path);
    return true;
}

/* A layer of changes is as large as what it changes. */
static bool backing_size(const char *path, struct qcow2_layout *l, struct error *err)
{
    char *below = qcow2_backing_path(path, l->backing);
    bool raw = l->format && !strcmp(l->format, "raw");
    struct block *b = !below ? NULL : raw ? block_open_raw(below, BLOCK_RDONLY, err) : block_open_auto(below, BLOCK_RDONLY, err);
    if (b)
        l->size = align_up(b->size, 512);
    block_close(b);
    free(below);
    return b;
}

bool qcow2_create(const char *path, uint64_t size, const char *backing, const char *backing_format, struct error *err)
{
    struct qcow2_layout layout = { .version = 3, .cluster_bits = 16, .refcount_order = 4, .size = size, .backing = backing,
                                   .format = backing_format };
    if (!size && backing && !backing_size(path, &layout, err))
        return false;
    int fd = file_nameless(path, err);
    if (fd < 0)
        return false;
    struct block *file = raw_on(fd, err);
    bool ok = file && qcow2_create_on(file, &layout, err);
    ok = ok && file_publish(fd, path, err);
    if (!ok)
        file_forget(fd, path);
    block_close(file);
    if (!file)
        close(fd);
    return ok;
}
