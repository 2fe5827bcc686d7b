/* The import, step by step: read once while hashing and compressing; look at the table, the volumes, the system; choose the
 * profile; write the evidence; give the image its name. Until the last step the image is disk0.qcow2.part, and whatever goes
 * wrong takes everything away that was made. */
#include "importers/importer.h"
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "importers/systems/inspect.h"
#include "importers/pins/rules.h"
#include "importers/sources/source.h"
#include "base/bits.h"
#include "block/qcow2_writer.h"
#include "profile/profile.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16 * QCOW2_WRITER_CLUSTER, LEVEL = 4, THREADS_MOST = 8, INSPECT_SECONDS = 180 };

struct import {
    const struct import_options *o; struct import_result *r;
    struct source source; struct qcow2_writer *writer;
    char part[PATH_MAX], final[PATH_MAX];
    struct partition_table table; struct facts facts; json_t *report;
    struct import_progress progress; double begun, shown;
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool cancelled(const struct import *i)
{
    return i->o->cancel && *i->o->cancel;
}

static void show(struct import *i, enum import_stage stage)
{
    struct import_progress *p = &i->progress;
    double now = seconds_now(), taken = now - i->begun;
    bool new_stage = p->stage != stage;
    if (!i->o->progress || (!new_stage && now - i->shown < 0.25))
        return;
    i->shown = now;
    p->stage = stage;
    p->done = i->source.position;
    p->total = i->source.size;
    if (i->writer)
        p->stored = qcow2_writer_stored(i->writer);
    if (stage == IMPORT_READING)
        p->rate = taken > 0 ? (double)p->done / taken : 0;
    p->eta = p->total && p->rate > 0 ? (double)(p->total - p->done) / p->rate : -1;
    i->o->progress(i->o->ui, p);
}

static bool read_all(struct import *i, struct error *err)
{
    struct digest digest;
    uint8_t *bytes = malloc(CHUNK);
    size_t got = CHUNK;
    if (!bytes || !digest_begin(&digest, err)) {
        free(bytes);
        return bytes ? false : error_set(err, ENOMEM, "no memory to read %s", i->o->source);
    }
    bool ok = true;
    i->begun = seconds_now();
    while (ok && got == CHUNK) {
        ok = cancelled(i) ? error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", i->source.name)
                          : source_read(&i->source, bytes, CHUNK, &got, i->o->cancel, err);
        if (ok)
            digest_add(&digest, bytes, got);
        for (size_t at = 0; ok && i->writer && at < got; at += QCOW2_WRITER_CLUSTER)
            ok = qcow2_writer_put(i->writer, bytes + at, MIN(QCOW2_WRITER_CLUSTER, got - at), err);
        show(i, IMPORT_READING);
    }
    i->r->bytes = i->source.position;
    i->r->sectors = (i->source.position + SECTOR - 1) / SECTOR;
    digest_end(&digest, i->r->sha256);
    free(bytes);
    return ok;
}

static bool file_digest(struct import *i, const char *path, char hex[65], struct error *err)
{
    struct digest digest;
    uint8_t *bytes = malloc(CHUNK);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (bytes && fd >= 0 && digest_begin(&digest, err)) {
        while ((n = read(fd, bytes, CHUNK)) > 0 && !cancelled(i)) {
            digest_add(&digest, bytes, (size_t)n);
            show(i, IMPORT_FINISHING);
        }
        digest_end(&digest, hex);
    }
    if (fd >= 0)
        close(fd);
    free(bytes);
    if (n > 0)
        return error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", i->source.name);
    return n ? error_set(err, errno, "cannot read %s again: %s", path, strerror(errno)) : true;
}

static bool image_make(struct import *i, struct error *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = i->o->threads ? i->o->threads : (unsigned)MAX(1, MIN(cpus, THREADS_MOST));
    struct qcow2_written written;
    if (!access(i->final, F_OK))
        return error_set(err, EEXIST, "%s exists already; an import is never written over", i->final);
    unlink(i->part);                            /* of an import that was killed */
    i->writer = qcow2_writer_open(i->part, i->o->level ? i->o->level : LEVEL, threads, err);
    if (!i->writer || !read_all(i, err))
        return false;
    show(i, IMPORT_FINISHING);
    if (!qcow2_writer_finish(i->writer, i->r->bytes, &written, err))
        return false;
    qcow2_writer_free(i->writer);               /* its threads too: libguestfs is started by a fork */
    i->writer = NULL;
    i->progress.stored = written.bytes;
    i->r->stored_clusters = written.stored;
    i->r->image_bytes = written.bytes;
    if (chmod(i->part, 0444))
        return error_set(err, errno, "cannot protect %s: %s", i->part, strerror(errno));
    return file_digest(i, i->part, i->r->image_sha256, err);
}

static bool waiting(void *arg, const char *doing, double seconds, double limit)
{
    struct import *i = arg;
    i->progress.doing = doing;
    i->progress.waited = seconds;
    i->progress.limit = limit;
    show(i, IMPORT_INSPECTING);
    i->progress.doing = NULL;
    return cancelled(i);
}

static void look_deeper(struct import *i, const char *image, const char *format)
{
    struct import_result *r = i->r;
    unsigned seconds = i->o->inspect_seconds ? i->o->inspect_seconds : INSPECT_SECONDS;
    if (i->o->no_inspect)
        snprintf(r->inspect_note, IMPORT_TEXT, "libguestfs was not asked");
    else if (i->table.damaged)
        snprintf(r->inspect_note, IMPORT_TEXT, "libguestfs was not started: the partition table is damaged and could make it "
                 "hang");
    else if (i->table.kind == TABLE_NONE)
        snprintf(r->inspect_note, IMPORT_TEXT, "libguestfs was not started: there is no partition table and no file system");
    else
        r->inspected = inspect_guestfs(image, format, seconds, waiting, i, &i->facts, &i->report, r->inspect_note);
}

static void text_copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static bool choose(struct import *i, struct error *err)
{
    struct import_result *r = i->r;
    char rules[PATH_MAX];
    text_copy(r->os, sizeof(r->os), facts_get(&i->facts, "os.type"));
    text_copy(r->product, sizeof(r->product), facts_get(&i->facts, "os.product"));
    text_copy(r->hostname, sizeof(r->hostname), facts_get(&i->facts, "hostname"));
    text_copy(r->address, sizeof(r->address), facts_get(&i->facts, "address"));
    text_copy(r->netmask, sizeof(r->netmask), facts_get(&i->facts, "netmask"));
    text_copy(r->gateway, sizeof(r->gateway), facts_get(&i->facts, "gateway"));
    text_copy(r->dns, sizeof(r->dns), facts_get(&i->facts, "dns"));
    if (i->o->profile) {
        text_copy(r->profile, sizeof(r->profile), i->o->profile);
        text_copy(r->reason, sizeof(r->reason), "chosen by the user");
        return true;
    }
    snprintf(rules, sizeof(rules), "%s", i->o->rules ? i->o->rules : "");
    if (!i->o->rules)
        snprintf(rules, sizeof(rules), "%s/import.rules", profile_folder());
    return rules_choose(rules, &i->facts, r->profile, r->reason, err);
}

/* Everything that is learnt from the bytes: of the image, or on a dry run of the source itself. */
static bool look(struct import *i, const char *path, struct error *err)
{
    struct block *disk = block_open_auto(path, BLOCK_RDONLY, err);
    if (!disk)
        return false;
    bool raw = !strcmp(disk->class->name, "raw");
    partitions_read(disk, &i->table);
    if (i->r->bytes % SECTOR)
        partitions_finding(&i->table, "the length of %llu bytes is not a multiple of 512; the guest sees zeros after the end",
                           (unsigned long long)i->r->bytes);
    geometry_find(disk, &i->table, &i->r->geometry);
    inspect_light(disk, &i->table, &i->facts);
    block_close(disk);
    i->r->finding_count = i->table.finding_count;
    memcpy(i->r->findings, i->table.findings, sizeof(i->r->findings));
    show(i, IMPORT_INSPECTING);
    look_deeper(i, path, raw ? "raw" : "qcow2");
    if (cancelled(i))
        return error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", i->source.name);
    if (!choose(i, err))
        return false;
    i->r->manifest = manifest_make(i->o, i->r, &i->table, &i->facts, i->report, !i->o->dry_run);
    return i->r->manifest ? true : error_set(err, ENOMEM, "no memory for the manifest of %s", i->source.name);
}

static bool import_steps(struct import *i, struct error *err)
{
    if (!source_open(&i->source, i->o->source, i->o->cancel, err))
        return false;
    text_copy(i->r->source, sizeof(i->r->source), i->source.block ? i->o->source : i->source.name);
    text_copy(i->r->kind, sizeof(i->r->kind), i->source.kind);
    if (i->o->dry_run) {
        if (!i->source.block)
            return error_set(err, EINVAL, "%s can be read only once; a dry run needs a file", i->source.name);
        return read_all(i, err) && look(i, i->o->source, err);
    }
    if (!image_make(i, err) || !look(i, i->part, err) || !evidence_write(i->o->folder, i->r->manifest, err))
        return false;
    if (rename(i->part, i->final))
        return error_set(err, errno, "cannot give %s its name: %s", i->final, strerror(errno));
    int folder = open(i->o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return true;
}

bool import_run(const struct import_options *o, struct import_result *r, struct error *err)
{
    struct import *i = calloc(1, sizeof(*i));
    memset(r, 0, sizeof(*r));
    if (!i)
        return error_set(err, ENOMEM, "no memory for an import");
    i->o = o;
    i->r = r;
    i->source.fd = -1;
    if (!o->dry_run) {
        snprintf(i->part, sizeof(i->part), "%s/disk0.qcow2.part", o->folder);
        snprintf(i->final, sizeof(i->final), "%s/disk0.qcow2", o->folder);
    }
    bool made = !o->dry_run && access(i->final, F_OK), ok = import_steps(i, err);
    show(i, IMPORT_DONE);
    qcow2_writer_free(i->writer);
    source_close(&i->source);
    if (!ok) {
        import_result_free(r);
        if (made) {
            unlink(i->part);
            evidence_remove(o->folder);
        }
    }
    facts_free(&i->facts);
    json_decref(i->report);
    free(i);
    return ok;
}

void import_result_free(struct import_result *r)
{
    free(r->manifest);
    r->manifest = NULL;
}
