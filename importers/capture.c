/* Reading a disk: one pass through the pipeline, and going on where an earlier pass was interrupted. Every CHECKPOINT seconds, and
 * when it is stopped, the image so far is finished as an image, the list of MiBs and the map are synced, and evidence/diskN.resume
 * tells of which source. The next import of that source into the folder reads the half-made image first, compares it with its
 * list, and the source from there on. */
#include "importers/import.h"
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "importers/reader.h"
#include "base/bits.h"
#include "block/qcow2_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS_MOST = 8, CHECKPOINT = 30 };
static const char part[] = "disk%u.qcow2.part", half[] = "disk%u.qcow2.half", list[] = "evidence/disk%u.sha256s",
    half_list[] = "evidence/disk%u.sha256s.half", map[] = "evidence/disk%u.map", resume[] = "evidence/disk%u.resume";

struct capture {
    struct import *i; struct reader reader; struct qcow2_writer *writer; struct pipeline *pipeline;
    struct digest sha256, md5; struct mib_list list; struct qcow2_written written;
    bool resumable, kept, unread; double saved; /* kept: what is in the folder can be continued; unread: the source failed */
};

static const char *file(struct capture *c, const char *fmt, char path[PATH_MAX])
{
    return disk_file(c->i, c->i->disk, fmt, path);
}

void capture_remove(const struct import *i, const struct disk *d)
{
    static const char *const files[] = { part, half, list, half_list, map, resume, "evidence/disk%u.map.new", "evidence/disk%u.resume.new" };
    char path[PATH_MAX];
    for (size_t n = 0; n < ARRAY_SIZE(files); n++)
        unlink(disk_file(i, d, files[n], path));
}

/* What tells whether a source is the one of an earlier import. */
static void resume_text(const struct import *i, char *text, size_t size)
{
    char real[PATH_MAX];
    struct stat st = { 0 };
    bool is_file = !stat(i->source.name, &st) && S_ISREG(st.st_mode);
    snprintf(text, size, "%s\n%s %s %" PRIu64 " bytes %lld\n", realpath(i->source.name, real) ? real : i->source.name, i->source.kind,
             i->source.format, i->source.size, is_file ? (long long)st.st_mtime : 0);
}

static bool resume_fits(struct capture *c)
{
    char text[PATH_MAX + 200], path[PATH_MAX];
    struct error ignored;
    size_t length;
    char *there = text_read(file(c, resume, path), &length, &ignored);
    resume_text(c->i, text, sizeof(text));
    bool fits = there && !strcmp(text, there);
    free(there);
    return fits;
}

/* Is the first and the last MiB of the half-made image what the source has there? */
static bool half_same(struct capture *c, uint8_t *a, uint8_t *b)
{
    struct reader *r = &c->reader;
    uint64_t at[] = { 0, (r->half_bytes - 1) / PIPELINE_CHUNK * PIPELINE_CHUNK };
    for (size_t n = 0; n < ARRAY_SIZE(at); n++) {
        size_t length = (size_t)MIN((uint64_t)PIPELINE_CHUNK, r->half_bytes - at[n]);
        if (block_read(r->half, at[n], a, length))
            return false;
        if (!ranges_touch(&r->bad, at[n], length) && (block_read(c->i->source.block, at[n], b, length) || memcmp(a, b, length)))
            return false;
    }
    return true;
}

/* Takes up a half-made image, when there is one of this source; what is of another goes. */
static void half_open(struct capture *c)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct reader *r = &c->reader;
    struct error ignored;
    if (!access(file(c, part, from), F_OK)) {
        rename(file(c, list, from), file(c, half_list, to));
        rename(file(c, part, from), file(c, half, to));
    }
    uint8_t *bytes = malloc(2 * PIPELINE_CHUNK);
    if (bytes && c->resumable && !access(file(c, half, to), F_OK) && resume_fits(c) && map_read(file(c, map, from), c->i->source.size, &r->bad, &ignored))
        r->half = block_open_qcow2(file(c, half, to), BLOCK_RDONLY, &ignored);
    if (r->half) {
        r->half_bytes = MIN(r->half->size, c->i->source.size);
        ranges_cut(&r->bad, r->half_bytes);
        c->list.compare = fopen(file(c, half_list, from), "re");
    }
    c->kept = r->half && r->half_bytes && c->list.compare && half_same(c, bytes, bytes + PIPELINE_CHUNK);
    free(bytes);
    if (c->kept)
        return;
    reader_close(r);
    r->half = NULL, r->half_bytes = 0;
    capture_remove(c->i, c->i->disk);
}

/* The half-made image must have been what its list says, all of it. */
static bool half_check(struct capture *c, struct error *err)
{
    struct reader *r = &c->reader;
    if (r->position < r->half_bytes || !r->half || (!c->list.differ_count && c->list.compared * PIPELINE_CHUNK >= r->half_bytes))
        return true;
    c->kept = false;
    return error_set(err, EBADMSG, "what an earlier import of %s left is damaged; it was removed: import once more", r->source->name);
}

/* From here on what is in the folder can be continued. */
static bool checkpoint(struct capture *c, struct error *err)
{
    char path[PATH_MAX], text[PATH_MAX + 200];
    if (!pipeline_drain(c->pipeline, err) || !half_check(c, err))
        return false;
    resume_text(c->i, text, sizeof(text));
    ranges_cut(&c->reader.bad, c->reader.position);
    if (!mib_flush(&c->list))
        return error_set(err, errno, "cannot write %s: %s", file(c, list, path), strerror(errno));
    if (!map_write(file(c, map, path), c->reader.position, MAX(c->i->source.size, c->reader.position), &c->reader.bad, err) ||
        !text_write(file(c, resume, path), text, err) || !qcow2_writer_finish(c->writer, c->reader.position, &c->written, err))
        return false;
    unlink(file(c, half, path));
    unlink(file(c, half_list, path));
    c->kept = c->resumable;
    c->saved = seconds_now();
    return true;
}

static bool read_all(struct capture *c, struct error *err)
{
    struct import *i = c->i;
    size_t got = PIPELINE_CHUNK;
    bool ok = true, zeros, full = true;
    double interval = i->o->checkpoint_seconds > 0 ? i->o->checkpoint_seconds : CHECKPOINT;
    while (ok && full) {
        uint8_t *to = pipeline_room(c->pipeline);
        ok = to ? reader_next(&c->reader, to, &got, &zeros, err) : pipeline_drain(c->pipeline, err);
        if (!ok) {                              /* stopped, or the source is gone: what was read is kept */
            struct error ignored;
            c->unread = to;
            if (to && c->resumable && c->writer && c->reader.position > c->reader.half_bytes)
                checkpoint(c, &ignored);
            break;
        }
        full = got == PIPELINE_CHUNK;
        if (got)
            pipeline_put(c->pipeline, got, zeros);
        i->meter.p.done = c->reader.position;
        if (c->reader.position <= c->reader.half_bytes)
            i->meter.begun = seconds_now(), i->meter.begun_at = c->reader.position;
        if (c->writer)
            i->meter.p.stored = qcow2_writer_stored(c->writer);
        meter_show(&i->meter, IMPORT_READING);
        if (full && c->resumable && c->writer && c->reader.position > c->reader.half_bytes && seconds_now() - c->saved >= interval)
            ok = checkpoint(c, err);
    }
    return ok;
}

static bool lanes_open(struct capture *c, struct error *err)
{
    struct import *i = c->i;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = i->o->threads ? i->o->threads : (unsigned)MAX(1, MIN(cpus, THREADS_MOST));
    char path[PATH_MAX];
    if (!digest_begin(&c->sha256, err) || !digest_begin_md5(&c->md5, err))
        return false;
    if (i->disk->image && !(c->writer = qcow2_writer_open(file(c, part, path), i->o->level, threads, err)))
        return false;
    if (!i->o->dry_run && !(c->list.write = fopen(file(c, list, path), "we")))
        return error_set(err, errno, "cannot make %s: %s", path, strerror(errno));
    struct lane lanes[] = { { digest_take, &c->sha256 }, { digest_take, &c->md5 }, { mib_take, &c->list }, { image_put, c->writer } };
    c->pipeline = pipeline_open(lanes, ARRAY_SIZE(lanes) - !c->writer, err);
    return c->pipeline;
}

/* The bad sectors that ddrescue found, and those that we did. */
static bool bad_find(struct capture *c, struct error *err)
{
    struct import *i = c->i;
    struct ranges given = { 0 };
    bool ok = !i->o->ddrescue_map || map_read(i->o->ddrescue_map, c->reader.position, &given, err);
    ok = ok && (ranges_join(&i->disk->bad, &c->reader.bad, &given) || error_set(err, ENOMEM, "too many bad sectors"));
    ranges_free(&given);
    i->found->bad_bytes = ranges_bytes(&i->disk->bad);
    if (ok && i->found->bad_bytes && i->found->bad_bytes == c->reader.position)
        return error_set(err, EIO, "not one sector of %s can be read", i->source.name);
    return ok;
}

static bool finish(struct capture *c, struct error *err)
{
    struct import *i = c->i;
    struct import_disk *f = i->found;
    char path[PATH_MAX];
    struct stat st;
    f->bytes = c->reader.position;
    f->sectors = (f->bytes + SECTOR - 1) / SECTOR;
    f->resumed_at = c->reader.half_bytes;
    if (!pipeline_drain(c->pipeline, err) || !half_check(c, err) || !bad_find(c, err))
        return false;
    digest_end(&c->sha256, f->sha256);
    digest_end(&c->md5, f->md5);
    meter_show(&i->meter, IMPORT_FINISHING);
    if (c->writer && !i->o->dry_run && !checkpoint(c, err))
        return false;
    if (c->writer && i->o->dry_run && !qcow2_writer_finish(c->writer, f->bytes, &c->written, err))
        return false;
    f->image_bytes = i->meter.p.stored = c->written.bytes;
    f->stored_clusters = c->written.stored;
    if (i->o->dry_run)
        return true;
    if (!map_write(file(c, map, path), f->bytes, f->bytes, &i->disk->bad, err) ||
        !digest_file(file(c, list, path), i->disk->list_sha256, NULL, err))
        return false;
    if (chmod(file(c, part, path), 0444))
        return error_set(err, errno, "cannot protect %s: %s", path, strerror(errno));
    if (strcmp(f->format, "raw") && !stat(i->source.name, &st) && S_ISREG(st.st_mode) &&
        !digest_file(i->source.name, i->disk->container_sha256, i->o->cancel, err))
        return false;
    return digest_file(file(c, part, path), f->image_sha256, i->o->cancel, err);
}

bool capture_disk(struct import *i, struct error *err)
{
    struct capture c = { .i = i, .reader = { .source = &i->source, .cancel = i->o->cancel },
                         .resumable = i->source.block && !i->o->dry_run, .saved = seconds_now() };
    char path[PATH_MAX];
    if (i->o->ddrescue_map && i->source.size) { /* a wrong map is said before hours of reading */
        struct ranges ignored = { 0 };
        bool fine = map_read(i->o->ddrescue_map, i->source.size, &ignored, err);
        ranges_free(&ignored);
        if (!fine)
            return false;
    }
    if (!i->o->dry_run) {
        snprintf(path, sizeof(path), "%s/evidence", i->folder);
        if (mkdir(path, 0755) && errno != EEXIST)
            return error_set(err, errno, "cannot make the folder %s: %s", path, strerror(errno));
        half_open(&c);
    }
    i->meter.begun = seconds_now();
    i->meter.p.total = i->source.size;
    bool ok = lanes_open(&c, err) && read_all(&c, err) && finish(&c, err);
    pipeline_free(c.pipeline);
    qcow2_writer_free(c.writer);                /* its threads too: libguestfs is started by a fork */
    digest_end(&c.sha256, NULL);
    digest_end(&c.md5, NULL);
    if (c.list.write)
        fclose(c.list.write);
    if (c.list.compare)
        fclose(c.list.compare);
    i->disk->kept = c.kept;
    i->r->kept = !ok && c.kept && (c.unread || err->code == EINTR) && err->code != EBADMSG;
    if (i->r->kept) {
        char why[sizeof(err->text)];
        snprintf(why, sizeof(why), "%s", err->text);
        error_set(err, err->code, "%.190s; the same command goes on from there", why);
    }
    reader_close(&c.reader);
    return ok;
}
