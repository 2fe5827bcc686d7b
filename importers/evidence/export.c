/* Export: the bytes of a chain back into a plain file, holes left as holes, with the byte length of the source. */
#include "importers/importer.h"
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "base/bits.h"
#include "block/block.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, HOLE = 4096 };

struct export {
    const struct export_options *o; struct block *disk; uint64_t length; int fd; bool seekable; double begun, shown;
};

static void show(struct export *e, uint64_t done)
{
    double now = seconds_now(), rate = now > e->begun ? (double)done / (now - e->begun) : 0;
    if (!e->o->progress || (done < e->length && now - e->shown < 0.25))
        return;
    e->shown = now;
    e->o->progress(e->o->ui, &(struct import_progress){
        .stage = done < e->length ? IMPORT_READING : IMPORT_DONE, .done = done, .total = e->length, .stored = done, .rate = rate,
        .eta = rate > 0 ? (double)(e->length - done) / rate : -1 });
}

static bool put_all(int fd, const uint8_t *bytes, size_t length, const char *to, struct error *err)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, n ? errno : EIO, "cannot write %s: %s", to, strerror(n ? errno : EIO));
        bytes += n, length -= (size_t)n;
    }
    return true;
}

/* Writes a chunk; stretches of zeros become holes in a file. */
static bool put(struct export *e, const uint8_t *bytes, size_t length, struct error *err)
{
    for (size_t at = 0, n; at < length && e->fd >= 0; at += n) {
        n = e->seekable ? MIN((size_t)HOLE, length - at) : length;
        if (!e->seekable || any_nonzero(bytes + at, n)) {
            if (!put_all(e->fd, bytes + at, n, e->o->to, err))
                return false;
        } else if (lseek(e->fd, (off_t)n, SEEK_CUR) < 0) {
            return error_set(err, errno, "cannot write %s: %s", e->o->to, strerror(errno));
        }
    }
    return true;
}

static bool copy(struct export *e, char sha256[65], struct error *err)
{
    struct digest digest;
    uint8_t *bytes = malloc(CHUNK);
    bool ok = bytes ? digest_begin(&digest, err) : error_set(err, ENOMEM, "no memory to read %s", e->o->image);
    if (!ok) {
        free(bytes);
        return false;
    }
    e->begun = seconds_now();
    for (uint64_t at = 0; ok && at < e->length;) {
        size_t n = (size_t)MIN((uint64_t)CHUNK, e->length - at);
        int error = block_read(e->disk, at, bytes, n);
        if (error)
            ok = error_set(err, -error, "cannot read %s at byte %llu: %s", e->o->image, (unsigned long long)at, strerror(-error));
        else if (e->o->cancel && *e->o->cancel)
            ok = error_set(err, EINTR, "the export of %s was interrupted; nothing was kept", e->o->image);
        if (!ok)
            break;
        digest_add(&digest, bytes, n);
        ok = put(e, bytes, n, err);
        at += n;
        show(e, at);
    }
    digest_end(&digest, sha256);
    free(bytes);
    return ok;
}

static bool is_import(const char *image)
{
    const char *name = strrchr(image, '/');
    return !strcmp(name ? name + 1 : image, "disk0.qcow2");
}

/* Opens the chain, copies it, and compares the hash where the manifest knows it. */
static bool run(struct export *e, char sha256[65], struct error *err)
{
    const char *manifest = e->o->manifest;
    char wanted[65] = "";
    uint64_t bytes = 0;
    if (manifest && !manifest_read(manifest, &bytes, wanted, err))
        return false;
    if (!(e->disk = block_open_auto(e->o->image, BLOCK_RDONLY, err)))
        return false;
    e->length = e->disk->size;
    if (bytes && (bytes > e->length || e->length - bytes >= 512))
        return error_set(err, EINVAL, "%s has %llu bytes, but the manifest says %llu", e->o->image,
                         (unsigned long long)e->length, (unsigned long long)bytes);
    if (bytes)
        e->length = bytes;
    if (!copy(e, sha256, err))
        return false;
    if (manifest && is_import(e->o->image) && strcmp(wanted, sha256))
        return error_set(err, EIO, "%s does not hold what was imported: its SHA-256 is %.16s..., the manifest says %.16s...",
                         e->o->image, sha256, wanted);
    return true;
}

static bool file_finish(struct export *e, const char *fresh, struct error *err)
{
    if (ftruncate(e->fd, (off_t)e->length) || fsync(e->fd))
        return error_set(err, errno, "cannot write %s: %s", e->o->to, strerror(errno));
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, e->o->to, RENAME_NOREPLACE) && (errno != EINVAL || rename(fresh, e->o->to)))
        return error_set(err, errno, "cannot make %s: %s", e->o->to, strerror(errno));
    return true;
}

bool export_raw(const struct export_options *o, char *sha256, struct error *err)
{
    struct export e = { .o = o, .fd = STDOUT_FILENO };
    char own[65] = "", fresh[PATH_MAX];
    bool file = strcmp(o->to, "-");
    if (file) {
        if (!access(o->to, F_OK))
            return error_set(err, EEXIST, "%s exists already; remove it or choose another name", o->to);
        snprintf(fresh, sizeof(fresh), "%s.part", o->to);
        e.seekable = true;
        e.fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (e.fd < 0)
            return error_set(err, errno, "cannot make %s: %s", fresh, strerror(errno));
    }
    bool ok = run(&e, sha256 ? sha256 : own, err) && (!file || file_finish(&e, fresh, err));
    if (file) {
        close(e.fd);
        unlink(fresh);
    }
    block_close(e.disk);
    return ok;
}

bool import_verify(const struct export_options *o, struct error *err)
{
    struct export e = { .o = o, .fd = -1 };
    char own[65] = "";
    bool ok = run(&e, own, err);
    block_close(e.disk);
    return ok;
}
