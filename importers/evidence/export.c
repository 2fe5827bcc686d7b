/* Export: the bytes of a disk's chain into a file of some format; and verifying an import: the same pass without a file, against
 * what the manifest and the list of MiBs say. */
#include "importers/evidence/containers.h"
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "base/bits.h"
#include "block/layer.h"
#include "block/qcow2_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOLE = 4096, LEVEL = 6, THREADS = 4 };
struct export {
    const struct export_options *o; struct block *disk; uint64_t length; struct meter meter; const char *doing;
    struct manifest_disk wanted; char sha256[65], md5[65];
    int fd; bool seekable;
};

/* A lane: the bytes as they are; stretches of zeros become holes in a file. */
static bool raw_take(void *arg, const struct chunk *c, struct error *err)
{
    struct export *e = arg;
    for (size_t at = 0, n; at < c->length; at += n) {
        n = e->seekable ? MIN((size_t)HOLE, c->length - at) : c->length;
        if (e->seekable && !any_nonzero(c->bytes + at, n))
            continue;
        if (e->seekable) {
            int error = file_write(e->fd, c->offset + at, c->bytes + at, n);
            if (error)
                return error_set(err, -error, "cannot write %s: %s", e->o->to, strerror(-error));
            continue;
        }
        for (size_t done = 0; done < n;) {
            ssize_t put = write(e->fd, c->bytes + done, n - done);
            if (put < 0 && errno != EINTR)
                return error_set(err, errno, "cannot write %s: %s", e->o->to, strerror(errno));
            done += put > 0 ? (size_t)put : 0;
        }
    }
    return true;
}

bool image_put(void *writer, const struct chunk *c, struct error *err)
{
    for (size_t at = 0; at < c->length; at += QCOW2_WRITER_CLUSTER)
        if (!qcow2_writer_put(writer, c->zeros ? NULL : c->bytes + at, MIN((size_t)QCOW2_WRITER_CLUSTER, c->length - at), err))
            return false;
    return true;
}

/* Reads the disk through the lanes, from start to end. */
static bool pass(struct export *e, struct pipeline *p, struct error *err)
{
    e->meter.begun = seconds_now();
    e->meter.p.total = e->length;
    for (uint64_t at = 0, n; at < e->length; at += n) {
        uint64_t stretch = n = MIN((uint64_t)PIPELINE_CHUNK, e->length - at);
        unsigned kind = BLOCK_DATA;
        uint8_t *to = pipeline_room(p);
        if (!to)
            break;
        bool zeros = !block_extents(e->disk, at, &stretch, &kind) && stretch >= n && kind != BLOCK_DATA;
        int error = zeros ? 0 : block_read(e->disk, at, to, n);
        if (error && e->wanted.tolerant)        /* a cluster that cannot be inflated: zeros, so that the list tells where */
            memset(to, 0, n);
        else if (error)
            return error_set(err, -error, "cannot read %s at byte %llu: %s", e->o->image, (unsigned long long)at, strerror(-error));
        if (e->o->cancel && *e->o->cancel)
            return error_set(err, EINTR, "%s of %s was interrupted", e->doing, e->o->image);
        pipeline_put(p, n, zeros);
        e->meter.p.done = e->meter.p.stored = at + n;
        meter_show(&e->meter, IMPORT_READING);
    }
    bool ok = pipeline_drain(p, err);
    meter_show(&e->meter, IMPORT_DONE);
    return ok;
}

/* Opens the chain and runs it through two hashes and one lane more. */
static bool run(struct export *e, struct lane lane, struct error *err)
{
    struct digest sha256 = { 0 }, md5 = { 0 };
    struct pipeline *p = NULL;
    struct lane lanes[] = { { digest_take, &sha256 }, { digest_take, &md5 }, lane };
    bool ok = digest_begin(&sha256, err) && digest_begin_md5(&md5, err) && (p = pipeline_open(lanes, 2 + !!lane.take, err)) && pass(e, p, err);
    pipeline_free(p);
    digest_end(&sha256, ok ? e->sha256 : NULL);
    digest_end(&md5, ok ? e->md5 : NULL);
    return ok;
}

static bool opened(struct export *e, struct error *err)
{
    e->meter = (struct meter){ .progress = e->o->progress, .ui = e->o->ui };
    e->disk = block_open_qcow2(e->o->image, BLOCK_RDONLY, err);
    if (!e->disk || (e->o->manifest && !manifest_read(e->o->manifest, e->o->disk, &e->wanted, err) && err->code != ENOENT))
        return false;
    e->length = *e->wanted.sha256 ? e->wanted.bytes : e->disk->size;
    return align_up(e->length, 512) == e->disk->size ||
           error_set(err, EIO, "%s has %llu bytes, the manifest says %llu", e->o->image, (unsigned long long)e->disk->size,
                     (unsigned long long)e->length);
}

static bool format_write(struct export *e, const char *format, const char *fresh, struct error *err)
{
    if (!strcmp(format, "qcow2")) {
        struct qcow2_written written;
        struct qcow2_writer *w = qcow2_writer_open(fresh, LEVEL, THREADS, err);
        bool ok = w && run(e, (struct lane){ image_put, w }, err) && qcow2_writer_finish(w, e->length, &written, err);
        qcow2_writer_free(w);
        return ok;
    }
    e->fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (e->fd < 0)
        return error_set(err, errno, "cannot make %s: %s", fresh, strerror(errno));
    struct container c = { .fd = e->fd, .to = e->o->to, .length = e->length };
    bool raw = !strcmp(format, "raw"), ok;
    e->seekable = true;
    if (raw)
        ok = run(e, (struct lane){ raw_take, e }, err);
    else
        ok = container_open(&c, format, err) && run(e, (struct lane){ container_take, &c }, err) && container_finish(&c, err);
    if (ok && ((raw && ftruncate(e->fd, (off_t)e->length)) || fsync(e->fd)))
        ok = error_set(err, errno, "cannot write %s: %s", e->o->to, strerror(errno));
    container_free(&c);
    close(e->fd);
    return ok;
}

/* Does the chain hold the import alone? It is the imported image, or a layer over it that says nothing. */
static bool untouched(const struct export *e)
{
    const char *name = strrchr(e->o->image, '/');
    char first[32];
    uint64_t at = 0, n = 1;
    unsigned kind = BLOCK_ABSENT;
    snprintf(first, sizeof(first), "disk%u.qcow2", e->o->disk);
    if (!strcmp(name ? name + 1 : e->o->image, first))
        return true;
    while (at < e->disk->size && n && kind == BLOCK_ABSENT) {
        n = e->disk->size - at;
        if (e->disk->class->extents(e->disk, at, &n, &kind))
            return false;
        at += n;
    }
    return kind == BLOCK_ABSENT && e->disk->below && !e->disk->below->below;
}

/* After the bytes went through: are they the import's, where they must be? */
static bool as_imported(const struct export *e, struct error *err)
{
    return !*e->wanted.sha256 || !strcmp(e->sha256, e->wanted.sha256) || !untouched(e) ||
           error_set(err, EIO, "%s does not hold what was imported: its SHA-256 is %.16s..., the manifest says %.16s...", e->o->image,
                     e->sha256, e->wanted.sha256);
}

bool export_disk(const struct export_options *o, char *sha256, struct error *err)
{
    struct export e = { .o = o, .fd = STDOUT_FILENO, .doing = "the export" };
    const char *format = o->format ? o->format : "raw";
    char fresh[PATH_MAX];
    bool file = strcmp(o->to, "-"), ok = opened(&e, err);
    if (ok && file && !access(o->to, F_OK))
        ok = error_set(err, EEXIST, "%s exists already; remove it or choose another name", o->to);
    if (ok && !file)
        ok = !strcmp(format, "raw") ? run(&e, (struct lane){ raw_take, &e }, err) && as_imported(&e, err)
                                    : error_set(err, EINVAL, "only raw can be written to standard output, not %s", format);
    if (ok && file) {
        snprintf(fresh, sizeof(fresh), "%s.part", o->to);
        unlink(fresh);
        ok = format_write(&e, format, fresh, err) && as_imported(&e, err);
        if (ok && renameat2(AT_FDCWD, fresh, AT_FDCWD, o->to, RENAME_NOREPLACE) && (errno != EINVAL || rename(fresh, o->to)))
            ok = error_set(err, errno, "cannot make %s: %s", o->to, strerror(errno));
        unlink(fresh);
    }
    if (sha256)
        memcpy(sha256, e.sha256, 65);
    block_close(e.disk);
    return ok;
}

/* The sentence that tells where an image differs. */
static bool differs(const struct export *e, const struct mib_list *l, struct error *err)
{
    char where[160] = "";
    for (uint64_t i = 0; i < l->differ_count && strlen(where) < 120; i++) {
        const struct mib_run *r = &l->differ[i];
        unsigned long long last = r->first + r->count - 1;
        snprintf(where + strlen(where), sizeof(where) - strlen(where), r->count > 1 ? "%s %llu to %llu" : "%s %llu", i ? "," : " MiB",
                 (unsigned long long)r->first, last);
    }
    if (*where)
        return error_set(err, EIO, "%s does not hold what was imported:%s differ%s", e->o->image, where,
                         l->differ_count == 1 && l->differ[0].count == 1 ? "s" : "");
    return error_set(err, EIO, "%s does not hold what was imported: its SHA-256 is %.16s..., the manifest says %.16s...", e->o->image,
                     e->sha256, e->wanted.sha256);
}

bool import_verify(const struct export_options *o, struct error *err)
{
    struct export e = { .o = o, .fd = -1, .doing = "the check" };
    struct mib_list list = { 0 };
    char path[PATH_MAX], hex[65] = "";
    bool ok = opened(&e, err) && (*e.wanted.sha256 || error_set(err, ENOENT, "disk%u.qcow2 was not imported: the guest began with an "
                                                                "empty disk", o->disk));
    if (ok && *e.wanted.list_sha256) {
        int folder = (int)(strrchr(o->manifest, '/') ? strrchr(o->manifest, '/') - o->manifest : 0);
        snprintf(path, sizeof(path), "%.*s/disk%u.sha256s", folder, o->manifest, o->disk);
        ok = digest_file(path, hex, NULL, err) && (!strcmp(hex, e.wanted.list_sha256) ||
             error_set(err, EIO, "%s is not the list that the import wrote", path));
        if (ok && !(list.compare = fopen(path, "re")))
            ok = error_set(err, errno, "cannot read %s: %s", path, strerror(errno));
        e.wanted.tolerant = true;
    }
    ok = ok && run(&e, (struct lane){ list.compare ? mib_take : NULL, &list }, err);
    if (ok && (list.differ_count || strcmp(e.sha256, e.wanted.sha256) || (*e.wanted.md5 && strcmp(e.md5, e.wanted.md5))))
        ok = differs(&e, &list, err);
    if (ok && *e.wanted.image_sha256)
        ok = digest_file(o->image, hex, o->cancel, err) && (!strcmp(hex, e.wanted.image_sha256) ||
             error_set(err, EIO, "%s holds what was imported, but the file itself was changed: its SHA-256 is %.16s..., the manifest says "
                       "%.16s...", o->image, hex, e.wanted.image_sha256));
    if (list.compare)
        fclose(list.compare);
    block_close(e.disk);
    return ok;
}

bool import_verify_medium(const struct export_options *o, char file[64], struct error *err)
{
    char path[PATH_MAX], wanted[65], hex[65] = "";
    if (!manifest_medium(o->manifest, o->disk, file, wanted, err))
        return false;
    snprintf(path, sizeof(path), "%.*s/../%s", (int)(strrchr(o->manifest, '/') - o->manifest), o->manifest, file);
    if (!digest_file(path, hex, o->cancel, err)) {
        err->code = EIO;                        /* ENOENT ends the list */
        return false;
    }
    return !strcmp(hex, wanted) || error_set(err, EIO, "%s does not hold what was imported: its SHA-256 is %.16s..., the manifest says %.16s...",
                                             path, hex, wanted);
}
