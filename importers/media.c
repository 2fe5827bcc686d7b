/* CDs and floppies of an import: kept beside the disks as cd0.iso, floppy0.img ... byte for byte, to be in the guest's drives. A machine
 * of nothing else gets an empty disk to install to. */
#include "importers/import.h"
#include "importers/evidence/digest.h"
#include "base/bits.h"
#include "block/layer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 20 };
static const uint64_t EMPTY = 2ull << 30;       /* as large as FAT16 can use */

static const char *medium_name(char name[24], enum source_media media, unsigned number)
{
    snprintf(name, 24, media == MEDIA_CD ? "cd%u.iso" : "floppy%u.img", number);
    return name;
}

/* Reads all of it, to `fd` unless that is -1. */
static bool medium_copy(struct import *i, int fd, struct import_disk *d, struct error *err)
{
    struct block *b = i->source.block;
    struct digest sha256 = { 0 }, md5 = { 0 };
    uint8_t *bytes = malloc(CHUNK);
    bool ok = bytes && digest_begin(&sha256, err) && digest_begin_md5(&md5, err);
    int error = 0;
    i->meter.p.total = d->bytes = b->size;
    for (uint64_t at = 0, n; ok && !error && at < b->size; at += n) {
        n = MIN((uint64_t)CHUNK, b->size - at);
        if (i->o->cancel && *i->o->cancel)
            ok = error_set(err, EINTR, "the import of %s was interrupted; nothing was kept", i->source.name);
        else if ((error = block_read(b, at, bytes, n)))
            ok = error_set(err, -error, "cannot read %s after byte %llu: %s", i->source.name, (unsigned long long)at, strerror(-error));
        else if (fd >= 0 && (error = file_write(fd, at, bytes, n)))
            ok = error_set(err, -error, "cannot keep %s: %s", i->source.name, strerror(-error));
        digest_add(&sha256, bytes, ok ? n : 0);
        digest_add(&md5, bytes, ok ? n : 0);
        i->meter.p.done = at + n;
        meter_show(&i->meter, IMPORT_READING);
    }
    digest_end(&sha256, d->sha256);
    digest_end(&md5, d->md5);
    free(bytes);
    return ok && (fd < 0 || (!fchmod(fd, 0444) && !fsync(fd)) || error_set(err, errno, "cannot keep %s: %s", i->source.name, strerror(errno)));
}

bool medium_import(struct import *i, struct error *err)
{
    const struct source *s = &i->source;
    struct import_disk *d = calloc(1, sizeof(*d));
    char name[24], path[PATH_MAX];
    unsigned number = i->media_counts[s->media]++;
    int fd = -1;
    snprintf(path, sizeof(path), "%s/%s", i->folder ? i->folder : "", medium_name(name, s->media, number));
    if (!i->o->dry_run) {
        char evidence[PATH_MAX];
        snprintf(evidence, sizeof(evidence), "%s/evidence", i->folder);
        mkdir(evidence, 0755);
        unlink(path);                           /* of an import that was killed */
    }
    bool ok = d && (i->o->dry_run || (fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) >= 0);
    if (!ok)
        error_set(err, errno, "cannot make %s: %s", path, strerror(errno));
    ok = ok && medium_copy(i, fd, d, err);
    if (fd >= 0)
        close(fd);
    if (ok) {
        snprintf(d->source, sizeof(d->source), "%s", s->name);
        snprintf(d->kind, sizeof(d->kind), "%s", s->kind);
        snprintf(d->format, sizeof(d->format), "%s", s->format);
        d->sectors = d->bytes / SECTOR;
        json_t *name_json = json_string(s->name);
        json_array_append_new(i->media, json_pack("{s:s s:o s:s s:s s:I s:s s:s s:O*}", "file", name, "path", name_json ? name_json :
            json_string("?"), "kind", d->kind, "format", d->format, "bytes", (json_int_t)d->bytes, "sha256", d->sha256, "md5", d->md5,
            "details", s->details));
        if (!i->r->disk_count)
            i->r->disks[0] = *d;                /* what is told of the import, unless a disk comes */
    }
    free(d);
    return ok;
}

bool media_disk(struct import *i, struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/disk0.qcow2", i->folder);
    if (i->o->dry_run)
        return true;
    unlink(path);                               /* of an import that was killed */
    return qcow2_create(path, EMPTY, NULL, NULL, err);
}

void media_remove(const struct import *i)
{
    char name[24], path[PATH_MAX];
    for (unsigned m = MEDIA_CD; m <= MEDIA_FLOPPY; m++)
        for (unsigned n = 0; n < i->media_counts[m]; n++) {
            snprintf(path, sizeof(path), "%s/%s", i->folder, medium_name(name, m, n));
            unlink(path);
        }
}
