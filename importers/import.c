/* The import, step by step: read once while hashing and compressing; look at the table, the volumes, the system; choose the
 * profile; write the evidence; give the images their names. Until the last step an image is diskN.qcow2.part, and whatever goes
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
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16 * QCOW2_WRITER_CLUSTER, LEVEL = 4, THREADS_MOST = 8, INSPECT_SECONDS = 180 };

struct disk { char part[PATH_MAX], final[PATH_MAX]; struct partition_table table; };
struct import {
    const struct import_options *o; struct import_result *r;
    struct source source; struct qcow2_writer *writer;
    struct disk disks[IMPORT_DISKS]; struct disk *disk; struct import_disk *found;     /* disk, found: of the one being read */
    struct facts facts; json_t *report;
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
        return bytes ? false : error_set(err, ENOMEM, "no memory to read %s", i->source.name);
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
    i->found->bytes = i->source.position;
    i->found->sectors = (i->source.position + SECTOR - 1) / SECTOR;
    digest_end(&digest, i->found->sha256);
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
    unlink(i->disk->part);                      /* of an import that was killed */
    i->writer = qcow2_writer_open(i->disk->part, i->o->level ? i->o->level : LEVEL, threads, err);
    if (!i->writer || !read_all(i, err))
        return false;
    show(i, IMPORT_FINISHING);
    if (!qcow2_writer_finish(i->writer, i->found->bytes, &written, err))
        return false;
    qcow2_writer_free(i->writer);               /* its threads too: libguestfs is started by a fork */
    i->writer = NULL;
    i->progress.stored = written.bytes;
    i->found->stored_clusters = written.stored;
    i->found->image_bytes = written.bytes;
    if (chmod(i->disk->part, 0444))
        return error_set(err, errno, "cannot protect %s: %s", i->disk->part, strerror(errno));
    return file_digest(i, i->disk->part, i->found->image_sha256, err);
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

static void look_deeper(struct import *i)
{
    struct import_result *r = i->r;
    unsigned seconds = i->o->inspect_seconds ? i->o->inspect_seconds : INSPECT_SECONDS;
    bool damaged = false, any = false;
    struct inspect_image images[IMPORT_DISKS];
    char real[IMPORT_DISKS][PATH_MAX];
    for (unsigned n = 0; n < r->disk_count; n++) {
        const char *path = i->o->dry_run ? i->o->sources[n] : i->disks[n].part;
        damaged = damaged || i->disks[n].table.damaged;
        any = any || i->disks[n].table.kind != TABLE_NONE;
        images[n] = (struct inspect_image){ realpath(path, real[n]) ? real[n] : path,
                                            i->o->dry_run && strcmp(r->disks[n].kind, "qcow2 image") ? "raw" : "qcow2" };
    }
    if (i->o->no_inspect)
        snprintf(r->inspect_note, IMPORT_TEXT, "libguestfs was not asked");
    else if (damaged)
        snprintf(r->inspect_note, IMPORT_TEXT, "libguestfs was not started: the partition table is damaged and could make it "
                 "hang");
    else if (!any)
        snprintf(r->inspect_note, IMPORT_TEXT, "libguestfs was not started: there is no partition table and no file system");
    else
        r->inspected = inspect_guestfs(images, r->disk_count, seconds, waiting, i, &i->facts, &i->report, r->inspect_note);
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

/* A line for guest.profile. A pin that finds no room is left out. */
static void pin(struct import_result *r, const char *section, const char *key, const char *reason, const char *fmt, ...)
{
    struct import_pin *p = &r->pins[r->pin_count];
    va_list args;
    if (r->pin_count == IMPORT_PINS)
        return;
    va_start(args, fmt);
    text_copy(p->section, sizeof(p->section), section);
    text_copy(p->key, sizeof(p->key), key);
    text_copy(p->reason, sizeof(p->reason), reason);
    r->pin_count += (size_t)vsnprintf(p->value, sizeof(p->value), fmt, args) < sizeof(p->value);
    va_end(args);
}

/* The geometry that the old system knew; and of the addresses that it has, those that are some: a NAT takes over the others' places. */
static void pins_find(struct import_result *r)
{
    const struct { const char *key, *value; } net[] = {
        { "guest", r->address }, { "gateway", r->gateway }, { "netmask", r->netmask }, { "dns", r->dns },
    };
    struct in_addr ignored;
    for (unsigned n = 0; n < r->disk_count; n++) {
        const struct import_geometry *g = &r->disks[n].geometry;
        char section[] = "disk0";
        section[4] = (char)('0' + n);
        if (!g->heads)
            continue;
        pin(r, section, "cylinders", g->reason, "%u", g->cylinders);
        pin(r, section, "heads", g->reason, "%u", g->heads);
        pin(r, section, "sectors", g->reason, "%u", g->sectors);
    }
    for (size_t n = 0; n < ARRAY_SIZE(net) && inet_pton(AF_INET, r->address, &ignored) == 1; n++)
        if (inet_pton(AF_INET, net[n].value, &ignored) == 1)
            pin(r, "net", net[n].key, "the old system's own setting", "%s", net[n].value);
}

/* What is learnt from a disk's bytes: of its image, or on a dry run of the source itself. */
static bool look(struct import *i, const char *path, struct error *err)
{
    struct partition_table *table = &i->disk->table;
    struct block *disk = block_open_auto(path, BLOCK_RDONLY, err);
    if (!disk)
        return false;
    partitions_read(disk, table);
    if (i->found->bytes % SECTOR)
        partitions_finding(table, "the length of %llu bytes is not a multiple of 512; the guest sees zeros after the end",
                           (unsigned long long)i->found->bytes);
    geometry_find(disk, table, &i->found->geometry);
    inspect_light(disk, table, &i->facts);
    block_close(disk);
    i->found->finding_count = table->finding_count;
    memcpy(i->found->findings, table->findings, sizeof(i->found->findings));
    return true;
}

static bool conclude(struct import *i, struct error *err)
{
    const struct partition_table *tables[IMPORT_DISKS];
    show(i, IMPORT_INSPECTING);
    look_deeper(i);
    if (cancelled(i))
        return error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", i->r->disks[0].source);
    if (!choose(i, err))
        return false;
    pins_find(i->r);
    for (unsigned n = 0; n < i->r->disk_count; n++)
        tables[n] = &i->disks[n].table;
    i->r->manifest = manifest_make(i->o, i->r, tables, &i->facts, i->report, !i->o->dry_run);
    return i->r->manifest ? true : error_set(err, ENOMEM, "no memory for the manifest of %s", i->r->disks[0].source);
}

/* One disk: read and looked at. */
static bool disk_import(struct import *i, const char *name, struct error *err)
{
    i->disk = &i->disks[i->r->disk_count];
    i->found = &i->r->disks[i->r->disk_count];
    if (!source_open(&i->source, name, &(struct source_options){ 0 }, i->o->cancel, err))
        return false;
    text_copy(i->found->source, sizeof(i->found->source), i->source.block ? name : i->source.name);
    text_copy(i->found->kind, sizeof(i->found->kind), i->source.kind);
    text_copy(i->found->format, sizeof(i->found->format), strcmp(i->source.kind, "qcow2 image") ? "raw" : "qcow2");
    if (i->o->dry_run && !i->source.block)
        return error_set(err, EINVAL, "%s can be read only once; a dry run needs a file", i->source.name);
    if (!(i->o->dry_run ? read_all(i, err) && look(i, name, err) : image_make(i, err) && look(i, i->disk->part, err)))
        return false;
    source_close(&i->source);
    i->r->disk_count++;
    return true;
}

static bool options_check(struct import *i, struct error *err)
{
    const struct import_options *o = i->o;
    if (!o->source_count || o->source_count > IMPORT_DISKS)
        return error_set(err, EINVAL, "a machine has one to %d disks, not %u", IMPORT_DISKS, o->source_count);
    if (o->ddrescue_map && o->source_count > 1)
        return error_set(err, EINVAL, "the ddrescue map %s is of one disk; import that disk alone", o->ddrescue_map);
    if (o->ddrescue_map || o->identity)
        return error_set(err, ENOTSUP, "%s is not read in this version", o->ddrescue_map ? o->ddrescue_map : o->identity);
    for (unsigned n = 0; n < o->source_count && !o->dry_run; n++) {
        struct disk *d = &i->disks[n];
        snprintf(d->part, sizeof(d->part), "%s/disk%u.qcow2.part", o->folder, n);
        snprintf(d->final, sizeof(d->final), "%s/disk%u.qcow2", o->folder, n);
        if (!access(d->final, F_OK))
            return error_set(err, EEXIST, "%s exists already; an import is never written over", d->final);
    }
    return true;
}

static bool import_steps(struct import *i, struct error *err)
{
    for (unsigned n = 0; n < i->o->source_count; n++)
        if (!disk_import(i, i->o->sources[n], err))
            return false;
    if (!conclude(i, err))
        return false;
    if (i->o->dry_run)
        return true;
    if (!evidence_write(i->o->folder, i->r->manifest, err))
        return false;
    for (unsigned n = i->r->disk_count; n--;)   /* disk0 last: where it is, all are */
        if (rename(i->disks[n].part, i->disks[n].final))
            return error_set(err, errno, "cannot give %s its name: %s", i->disks[n].final, strerror(errno));
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
    bool begun = options_check(i, err), ok = begun && import_steps(i, err);
    show(i, IMPORT_DONE);
    qcow2_writer_free(i->writer);
    source_close(&i->source);
    if (!ok)
        import_result_free(r);
    if (begun && !ok && !o->dry_run) {
        for (unsigned n = 0; n < o->source_count; n++) {
            unlink(i->disks[n].part);
            unlink(i->disks[n].final);
        }
        evidence_remove(o->folder);
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
