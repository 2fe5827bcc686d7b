/* qcow2: opening and closing. Every field is checked against the file before it is used: an image may come from anywhere.
 * An image whose dirty bit is set (lazy refcounts, not closed) or that was marked corrupt opens read-only or not at all; one
 * with internal snapshots opens read-only, since their clusters are shared. References: [QCOW2].
 * Not modelled: encryption, external data files, extended L2 entries, bitmaps (dropped by the first writer). */
#include "block/qcow2.h"
#include "base/bits.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { L2_TABLES = 32, REFBLOCKS = 8, INFLATED_BYTES = 8 << 20 };

int qcow2_file_read(struct qcow2 *q, uint64_t offset, void *to, size_t length)
{
    return block_read_short(q->file, offset, to, length);
}

int qcow2_file_write(struct qcow2 *q, uint64_t offset, const void *from, size_t length)
{
    return q->failed ? q->failed : q->file->class->write(q->file, offset, from, length);
}

/* After a failed one nobody knows what is on the disk: nothing more may depend on it. */
int qcow2_barrier(struct qcow2 *q)
{
    int error = q->file->class->flush(q->file);
    if (error)
        q->failed = error;
    return error;
}

static void qcow2_close(struct block *b)
{
    struct qcow2 *q = qcow2_of(b);
    if (q->file && !b->read_only && q->l2.count) {
        int error = qcow2_flush(b);
        if (!error)                             /* the clusters that the flush freed */
            error = qcow2_write_tables(q);
        if (error)
            log_line(LOG_ERROR, "qcow2", "%s: writing the last changes failed: %s", q->path, strerror(-error));
    }
    table_cache_free(&q->l2);
    table_cache_free(&q->refblocks);
    for (unsigned i = 0; i < q->inflated_count; i++)
        free(q->inflated[i].bytes);
    free(q->inflated);
    codec_free(q->codec, q->zstd);
    free(q->packed);
    free(q->bounce);
    free(q->l1);
    free(q->reftable);
    free(q->freed);
    free(q->path);
    block_close(q->file);
}

static const struct block_class qcow2_class = {
    .name = "qcow2", .size = sizeof(struct qcow2), .read = qcow2_read, .write = qcow2_write, .zero = qcow2_zero,
    .discard = qcow2_discard, .extents = qcow2_extents, .flush = qcow2_flush, .close = qcow2_close,
};

static bool features_known(struct qcow2 *q, const uint8_t *h, bool *write, struct error *err)
{
    uint64_t f = q->version >= 3 ? be64_get(h + H_INCOMPATIBLE) : 0;
    if (be32_get(h + H_CRYPT))
        return error_set(err, ENOTSUP, "%s is encrypted; decrypt it with qemu-img convert first", q->path);
    if (f & INCOMPATIBLE_DATA_FILE)
        return error_set(err, ENOTSUP, "%s keeps its data in another file; make one file with qemu-img convert first", q->path);
    if (f & INCOMPATIBLE_EXTENDED_L2)
        return error_set(err, ENOTSUP, "%s has extended L2 entries; convert it with qemu-img convert first", q->path);
    q->zstd = f & INCOMPATIBLE_COMPRESSION;
    if (f & ~(uint64_t)(INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT | INCOMPATIBLE_COMPRESSION) ||
        (q->zstd && (be32_get(h + H_HEADER_LENGTH) <= H_COMPRESSION || h[H_COMPRESSION] != 1)))
        return error_set(err, ENOTSUP, "%s has features that are not known here (%#llx); convert it with qemu-img convert "
                         "first", q->path, (unsigned long long)f);
    if (*write && f & INCOMPATIBLE_DIRTY)
        return error_set(err, EINVAL, "%s was not closed by the program that wrote it and its refcounts may be wrong; repair "
                         "it with `qemu-img check -r all`", q->path);
    if (*write && f & INCOMPATIBLE_CORRUPT)
        return error_set(err, EINVAL, "%s is marked as corrupt; open it read-only, or repair it with `qemu-img check -r all`",
                         q->path);
    if (*write && be32_get(h + H_SNAPSHOTS)) {
        log_line(LOG_WARN, "qcow2", "%s has internal snapshots and is opened read-only", q->path);
        *write = false;
    }
    return true;
}

static bool header_read(struct qcow2 *q, const uint8_t *h, bool *write, struct error *err)
{
    q->version = be32_get(h + H_VERSION);
    q->cluster_bits = be32_get(h + H_CLUSTER_BITS);
    q->b.size = be64_get(h + H_SIZE);
    q->l1_size = be32_get(h + H_L1_SIZE);
    q->l1_offset = be64_get(h + H_L1_OFFSET);
    q->reftable_offset = be64_get(h + H_REFTABLE_OFFSET);
    q->reftable_clusters = be32_get(h + H_REFTABLE_CLUSTERS);
    if (be32_get(h) != QCOW2_MAGIC)
        return error_set(err, EINVAL, "%s is not a qcow2 image", q->path);
    if (q->version != 2 && q->version != 3)
        return error_set(err, ENOTSUP, "%s is qcow2 version %u; only 2 and 3 are known", q->path, q->version);
    if (q->cluster_bits < MIN_CLUSTER_BITS || q->cluster_bits > MAX_CLUSTER_BITS)
        return error_set(err, EINVAL, "%s is damaged: its cluster size is 2^%u", q->path, q->cluster_bits);
    q->cluster_size = 1ull << q->cluster_bits;
    q->refcount_order = q->version >= 3 ? be32_get(h + H_REFCOUNT_ORDER) : 4;
    if (q->refcount_order > 6)
        return error_set(err, EINVAL, "%s is damaged: its refcounts have 2^%u bits", q->path, q->refcount_order);
    q->blocks_per_table = q->cluster_size * 8 >> q->refcount_order;
    uint32_t length = q->version >= 3 ? be32_get(h + H_HEADER_LENGTH) : H_V2_LENGTH;
    if (length > q->cluster_size || (q->version >= 3 && (length < H_V3_LENGTH || length % 8)))
        return error_set(err, EINVAL, "%s is damaged: its header is %u bytes long", q->path, length);
    uint64_t per_l1 = q->cluster_size * (q->cluster_size / 8);
    if (q->l1_size > MAX_L1_BYTES / 8 || q->b.size > (uint64_t)INT64_MAX || (q->b.size + per_l1 - 1) / per_l1 > q->l1_size)
        return error_set(err, EINVAL, "%s is damaged: a disk of %llu bytes with an L1 table of %u entries", q->path,
                         (unsigned long long)q->b.size, q->l1_size);
    if (q->l1_offset % q->cluster_size || q->l1_offset > q->file->size || q->l1_size * 8ull > q->file->size - q->l1_offset)
        return error_set(err, EINVAL, "%s is damaged or truncated: its L1 table is not inside the file", q->path);
    if (q->reftable_offset % q->cluster_size || q->reftable_clusters > MAX_REFTABLE_BYTES / q->cluster_size ||
        (*write && (!q->reftable_clusters || q->reftable_offset >= q->file->size)))
        return error_set(err, EINVAL, "%s is damaged or truncated: its refcount table is not inside the file", q->path);
    return features_known(q, h, write, err);
}

/* The backing image's name and format, allocated; NULL when there is none. */
static bool backing_read(struct qcow2 *q, const uint8_t *h, char **backing, char **format, struct error *err)
{
    uint64_t at = be64_get(h + H_BACKING_OFFSET);
    uint32_t length = be32_get(h + H_BACKING_LENGTH);
    *backing = *format = NULL;
    if (!at)
        return true;
    if (!length || length > MAX_BACKING_NAME || at > q->cluster_size || length > q->cluster_size - at)
        return error_set(err, EINVAL, "%s is damaged: the name of its backing image is not inside the header", q->path);
    uint8_t *first = malloc(q->cluster_size);
    if (!first || qcow2_file_read(q, 0, first, q->cluster_size)) {
        free(first);
        return error_set(err, EIO, "cannot read the header of %s", q->path);
    }
    *backing = strndup((char *)first + at, length);
    uint64_t e = q->version >= 3 ? be32_get(h + H_HEADER_LENGTH) : H_V2_LENGTH;
    while (e + 8 <= at && be32_get(first + e) != EXT_END) {
        uint32_t type = be32_get(first + e), n = be32_get(first + e + 4);
        if (n > at - e - 8)
            break;
        if (type == EXT_BACKING_FORMAT && !*format)
            *format = strndup((char *)first + e + 8, n);
        e += 8 + align_up(n, 8);
    }
    free(first);
    return true;
}

static uint64_t *entries_read(struct qcow2 *q, uint64_t at, uint64_t count, struct error *err)
{
    uint64_t *table = calloc(count + 1, 8);
    int error = table ? qcow2_file_read(q, at, table, count * 8) : -ENOMEM;
    if (error) {
        free(table);
        error_set(err, -error, "cannot read the tables of %s: %s", q->path, strerror(-error));
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++)
        table[i] = be64_get(&table[i]);
    return table;
}

bool qcow2_refcounts_load(struct qcow2 *q, struct error *err)
{
    uint32_t entries = (uint32_t)(q->reftable_clusters * (q->cluster_size / 8));
    if (!(q->reftable = entries_read(q, q->reftable_offset, entries, err)))
        return false;
    q->reftable_entries = entries;
    for (uint32_t i = 0; i < entries; i++) {
        if ((q->reftable[i] & ENTRY_OFFSET) % q->cluster_size)
            return error_set(err, EINVAL, "%s is damaged: entry %u of its refcount table is %#llx", q->path, i,
                             (unsigned long long)q->reftable[i]);
        if (q->reftable[i])
            q->reftable_used = i + 1;
    }
    return true;
}

static bool tables_read(struct qcow2 *q, bool write, struct error *err)
{
    q->l1 = entries_read(q, q->l1_offset, q->l1_size, err);
    if (!q->l1)
        return false;
    for (uint32_t i = 0; i < q->l1_size; i++)
        if ((q->l1[i] & ENTRY_OFFSET) % q->cluster_size)
            return error_set(err, EINVAL, "%s is damaged: entry %u of its L1 table is %#llx", q->path, i,
                             (unsigned long long)q->l1[i]);
    if (write && !qcow2_refcounts_load(q, err))
        return false;
    q->codec = codec_new(q->zstd);
    q->packed = malloc(2 * q->cluster_size);
    q->bounce = malloc(q->cluster_size);
    q->inflated_count = (unsigned)MAX(2, MIN(256, INFLATED_BYTES / q->cluster_size));
    q->inflated = calloc(q->inflated_count, sizeof(*q->inflated));
    bool enough = q->codec && q->packed && q->bounce && q->inflated && table_cache_init(&q->l2, L2_TABLES) &&
                  table_cache_init(&q->refblocks, REFBLOCKS);
    return enough ? true : error_set(err, ENOMEM, "no memory for the tables of %s", q->path);
}

/* Features that a writer who does not know them must switch off. */
static bool autoclear(struct qcow2 *q, const uint8_t *h, struct error *err)
{
    static const uint8_t none[8];
    if (q->version < 3 || !be64_get(h + H_AUTOCLEAR))
        return true;
    int error = qcow2_file_write(q, H_AUTOCLEAR, none, sizeof(none));
    return error ? error_set(err, -error, "cannot write to %s: %s", q->path, strerror(-error)) : true;
}

struct qcow2 *qcow2_open_on(struct block *file, const char *path, bool write, char **backing, char **format, struct error *err)
{
    uint8_t header[H_KNOWN];
    struct block *b = block_new(&qcow2_class, err);
    if (!b) {
        block_close(file);
        return NULL;
    }
    struct qcow2 *q = qcow2_of(b);
    b->read_only = true;                        /* until all is known: a failed open writes nothing */
    q->file = file;
    *backing = *format = NULL;
    if (!(q->path = strdup(path)))
        error_set(err, ENOMEM, "no memory");
    else if (qcow2_file_read(q, 0, header, sizeof(header)))
        error_set(err, EIO, "cannot read the header of %s", path);
    else if (header_read(q, header, &write, err) && tables_read(q, write, err) &&
             backing_read(q, header, backing, format, err) && (!write || autoclear(q, header, err))) {
        b->read_only = !write;
        return q;
    }
    free(*backing);
    free(*format);
    *backing = *format = NULL;
    block_close(b);
    return NULL;
}

/* The files that are open above, so that a chain which comes back to one of them is noticed. */
struct seen { const struct seen *above; dev_t device; ino_t inode; unsigned depth; };

static struct block *chain_open(const char *path, bool write, const struct seen *above, struct error *);

/* A relative name counts from the image's own folder. */
char *qcow2_backing_path(const char *path, const char *backing)
{
    const char *slash = strrchr(path, '/');
    char *full = NULL;
    if (*backing == '/' || !slash)
        return strdup(backing);
    return asprintf(&full, "%.*s/%s", (int)(slash - path), path, backing) < 0 ? NULL : full;
}

static bool backing_open(struct qcow2 *q, const char *backing, const char *format, const struct seen *here, struct error *err)
{
    struct stat st;
    char *path = qcow2_backing_path(q->path, backing);
    bool ok = false;
    if (!path)
        error_set(err, ENOMEM, "no memory");
    else if (stat(path, &st))
        error_set(err, errno, "%s needs the image %s, which cannot be found: %s", q->path, path, strerror(errno));
    else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        error_set(err, EINVAL, "%s names %s as its backing image, which is not a file", q->path, path);
    else if (format && !strcmp(format, "raw"))
        ok = (q->b.below = block_open_raw(path, BLOCK_RDONLY, err));
    else if (!format || !strcmp(format, "qcow2"))
        ok = (q->b.below = chain_open(path, false, here, err));
    else
        error_set(err, ENOTSUP, "%s has a backing image of the format `%s`; only raw and qcow2 are known", q->path, format);
    free(path);
    return ok;
}

static struct block *chain_open(const char *path, bool write, const struct seen *above, struct error *err)
{
    struct stat st;
    struct seen here = { .above = above, .depth = above ? above->depth + 1 : 0 };
    char *backing, *format;
    if (!stat(path, &st))
        here.device = st.st_dev, here.inode = st.st_ino;
    for (const struct seen *s = above; s; s = s->above)
        if (s->device == here.device && s->inode == here.inode) {
            error_set(err, ELOOP, "%s is its own backing image; one of the names in the chain is wrong", path);
            return NULL;
        }
    if (here.depth >= MAX_DEPTH) {
        error_set(err, ELOOP, "%s lies more than %d images deep; merge some with qemu-img commit", path, MAX_DEPTH);
        return NULL;
    }
    struct block *file = block_open_raw(path, write ? 0 : BLOCK_RDONLY, err);
    uint8_t magic[4];
    if (!file || (above && (file->size < sizeof(magic) || block_read(file, 0, magic, 4) || be32_get(magic) != QCOW2_MAGIC)))
        return file;                            /* below without a stored format: raw */
    struct qcow2 *q = qcow2_open_on(file, path, write, &backing, &format, err);
    bool ok = q && (!backing || backing_open(q, backing, format, &here, err));
    if (q && !ok)
        block_close(&q->b);
    free(backing);
    free(format);
    return ok ? &q->b : NULL;
}

struct block *block_open_qcow2(const char *path, unsigned flags, struct error *err)
{
    return chain_open(path, !(flags & BLOCK_RDONLY), NULL, err);
}
