/* The import, step by step: read each disk once while hashing and compressing (capture.c); look at the table, the volumes, the
 * system; choose the profile; write the evidence; give the images their names. Until the last step an image is diskN.qcow2.part,
 * and what goes wrong takes everything away that was made, unless it can be continued. */
#include "importers/import.h"
#include "importers/disk/trees.h"
#include "importers/evidence/evidence.h"
#include "importers/pins/pins.h"
#include "importers/pins/rules.h"
#include "importers/systems/inspect.h"
#include "base/bits.h"
#include "profile/profile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INSPECT_SECONDS = 180, HIT_MOST = 1000, HIT_TOLD = 8 };

static bool cancelled(const struct import *i)
{
    return i->o->cancel && *i->o->cancel;
}

const char *disk_file(const struct import *i, const struct disk *d, const char *fmt, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/", i->folder);
    if (n > 0 && n < PATH_MAX)
        snprintf(path + n, PATH_MAX - (size_t)n, fmt, d->number);
    return path;
}

static bool waiting(void *arg, const char *doing, double seconds, double limit)
{
    struct import *i = arg;
    i->meter.p.doing = doing;
    i->meter.p.waited = seconds;
    i->meter.p.limit = limit;
    meter_show(&i->meter, IMPORT_INSPECTING);
    i->meter.p.doing = NULL;
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
        char part[PATH_MAX];
        bool image = i->disks[n].image;
        const char *path = image ? disk_file(i, &i->disks[n], "disk%u.qcow2.part", part) : r->disks[n].source;
        damaged = damaged || i->disks[n].table.damaged;
        any = any || i->disks[n].table.kind != TABLE_NONE;
        images[n] = (struct inspect_image){ realpath(path, real[n]) ? real[n] : path, image ? "qcow2" : r->disks[n].format };
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
    char rules[PATH_MAX], pins[PATH_MAX];
    text_copy(r->os, sizeof(r->os), facts_get(&i->facts, "os.type"));
    text_copy(r->product, sizeof(r->product), facts_get(&i->facts, "os.product"));
    text_copy(r->hostname, sizeof(r->hostname), facts_get(&i->facts, "hostname"));
    text_copy(r->address, sizeof(r->address), facts_get(&i->facts, "address"));
    text_copy(r->netmask, sizeof(r->netmask), facts_get(&i->facts, "netmask"));
    text_copy(r->gateway, sizeof(r->gateway), facts_get(&i->facts, "gateway"));
    text_copy(r->dns, sizeof(r->dns), facts_get(&i->facts, "dns"));
    snprintf(rules, sizeof(rules), "%s", i->o->rules ? i->o->rules : "");
    if (!i->o->rules)
        snprintf(rules, sizeof(rules), "%s/import.rules", profile_folder());
    char *name = strrchr(rules, '/');
    snprintf(pins, sizeof(pins), "%.*spins.rules", name ? (int)(name + 1 - rules) : 0, rules);
    if (!pins_make(pins, &i->facts, i->o->identity ? &i->identity : NULL, r, err))
        return false;
    for (size_t n = 0; n < i->identity.facts.count; n++) {      /* for the manifest */
        char key[48];
        snprintf(key, sizeof(key), "identity.%s", i->identity.facts.list[n].key);
        facts_add(&i->facts, key, "%s", i->identity.facts.list[n].value);
    }
    if (i->o->profile) {
        text_copy(r->profile, sizeof(r->profile), i->o->profile);
        text_copy(r->reason, sizeof(r->reason), "chosen by the user");
        return true;
    }
    const json_t *medium = json_object_get(json_array_get(i->media, 0), "details");
    if (!r->disk_count && json_object_get(medium, "cd.media")) {
        text_copy(r->profile, sizeof(r->profile), json_string_value(json_array_get(json_object_get(medium, "cd.media"), 0)));
        text_copy(r->reason, sizeof(r->reason), json_string_value(json_array_get(json_object_get(medium, "notes"), 0)));
        return true;
    }
    return rules_choose(rules, &i->facts, r->profile, r->reason, err);
}

static void hit_add(void *hit, const char *file)
{
    if (json_array_size(hit) < HIT_MOST)
        json_array_append_new(hit, json_string(file));
}

/* What could not be read, and what lies there: first of all findings, for there is room for so many only. */
static void bad_tell(struct import *i, struct block *disk, struct partition_table *table)
{
    json_t *hit = i->disk->hit = json_array(), *file;
    size_t n;
    partitions_finding(table, "%llu bytes in %zu places, the first at byte %llu, could not be read: they are zeros in the image",
                       (unsigned long long)i->found->bad_bytes, i->disk->bad.count, (unsigned long long)i->disk->bad.list[0].start);
    damage_files(disk, table, i->disk->bad.list, i->disk->bad.count, hit_add, hit);
    json_array_foreach(hit, n, file)
        if (n < HIT_TOLD)
            partitions_finding(table, "on such bytes lies %s", json_string_value(file));
    if (json_array_size(hit) > HIT_TOLD)
        partitions_finding(table, "and on such bytes lie %zu more: bad_files in the manifest", json_array_size(hit) - HIT_TOLD);
}

/* What is learnt from a disk's bytes: of its image, or on a dry run of the source itself. */
static bool look(struct import *i, struct error *err)
{
    struct partition_table *table = &i->disk->table;
    struct import_disk *f = i->found;
    char path[PATH_MAX];
    size_t n;
    json_t *note;
    struct block *image = i->disk->image ? block_open_qcow2(disk_file(i, i->disk, "disk%u.qcow2.part", path), BLOCK_RDONLY, err) : NULL;
    struct block *disk = i->disk->image ? image : i->source.block;
    if (!disk)
        return false;
    partitions_read(disk, table);
    if (f->bytes % SECTOR)
        partitions_finding(table, "the length of %llu bytes is not a multiple of 512; the guest sees zeros after the end",
                           (unsigned long long)f->bytes);
    if (f->bad_bytes)
        bad_tell(i, disk, table);
    if (f->resumed_at)
        partitions_finding(table, "an earlier import had come to byte %llu; reading went on there", (unsigned long long)f->resumed_at);
    const char *stored = json_string_value(json_object_get(i->disk->details, "stored_md5"));
    if (stored)
        partitions_finding(table, "the MD5 %s that the image has stored %s", stored,
                           strcasecmp(stored, f->md5) ? "is not that of the disk as it was read" : "is that of the disk as it was read");
    json_array_foreach(json_object_get(i->disk->details, "notes"), n, note)
        partitions_finding(table, "%s", json_string_value(note));
    geometry_find(disk, table, &f->geometry);
    inspect_light(disk, table, &i->facts);
    block_close(image);
    f->finding_count = table->finding_count;
    memcpy(f->findings, table->findings, sizeof(f->findings));
    return true;
}

static bool conclude(struct import *i, struct error *err)
{
    meter_show(&i->meter, IMPORT_INSPECTING);
    if (i->r->disk_count)
        look_deeper(i);
    if (cancelled(i)) {
        i->r->kept = i->r->disk_count && i->disk->kept;             /* the last one's: the others are no worse */
        return error_set(err, EINTR, "the import of %s was interrupted", i->r->disks[0].source);
    }
    if (!choose(i, err) || (!i->r->disk_count && !media_disk(i, err)))
        return false;
    i->r->manifest = manifest_make(i);
    return i->r->manifest ? true : error_set(err, ENOMEM, "no memory for the manifest of %s", i->r->disks[0].source);
}

/* What cannot be looked at where it lies is looked at as an image: in the guest's folder, or on a dry run in a temporary one. */
static bool place_find(struct import *i, struct error *err)
{
    const struct source *s = &i->source;
    i->disk->image = !i->o->dry_run || !s->block || !s->block->class || (strcmp(s->format, "raw") && strcmp(s->format, "qcow2")) ||
                     access(s->name, F_OK) || i->o->parent_count;
    if (!i->o->dry_run || !i->disk->image || *i->temporary)
        return true;
    i->temporary_lock = look_folder(i->temporary, sizeof(i->temporary));
    i->folder = i->temporary;
    return i->temporary_lock >= 0 || error_set(err, errno, "cannot make a temporary folder: %s", strerror(errno));
}

/* One disk: read and looked at. */
static bool disk_import(struct import *i, const char *name, struct error *err)
{
    struct source_options options = { .parents = i->o->parents, .parent_count = i->o->parent_count };
    unsigned n = i->r->disk_count;
    char path[PATH_MAX], part[PATH_MAX];
    if (n == IMPORT_DISKS || (n && i->o->ddrescue_map))
        return error_set(err, EINVAL, n == IMPORT_DISKS ? "%s is one disk too many: a machine has at most 4" :
                         "a ddrescue map is of one disk: import %s alone", name);
    i->disk = &i->disks[n];
    i->disk->number = n;
    i->found = &i->r->disks[n];
    if (!i->o->dry_run && !access(disk_file(i, i->disk, "evidence/disk%u.resume", path), F_OK))     /* killed in its last step */
        rename(disk_file(i, i->disk, "disk%u.qcow2", path), disk_file(i, i->disk, "disk%u.qcow2.part", part));
    if (!i->o->dry_run && !access(disk_file(i, i->disk, "disk%u.qcow2", path), F_OK))
        return error_set(err, EEXIST, "%s exists already; an import is never written over", path);
    if (!source_open(&i->source, name, &options, i->o->cancel, err) || !place_find(i, err))
        return false;
    text_copy(i->found->source, sizeof(i->found->source), i->source.block ? name : i->source.name);
    text_copy(i->found->kind, sizeof(i->found->kind), i->source.kind);
    text_copy(i->found->format, sizeof(i->found->format), i->source.format);
    if (i->source.media != MEDIA_DISK) {
        bool kept = medium_import(i, err);
        source_close(&i->source);
        return kept;
    }
    i->disk->details = json_incref(i->source.details);
    if (i->o->ddrescue_map && strcmp(i->source.format, "raw"))
        return error_set(err, EINVAL, "a ddrescue map is of a raw image; %s is %s", name, i->source.format);
    i->r->disk_count++;
    if (!capture_disk(i, err) || !look(i, err))
        return false;
    source_close(&i->source);
    return true;
}

static bool disks_import(struct import *i, struct error *err)
{
    for (unsigned n = 0; n < i->o->source_count && n < IMPORT_DISKS; n++) {
        struct source_list *l = &i->lists[i->list_count++];
        if (!source_list(l, i->o->sources[n], err))
            return false;
        for (size_t k = 0; k < l->count; k++)
            if (!disk_import(i, l->names[k], err))
                return false;
    }
    return true;
}

static bool import_steps(struct import *i, struct error *err)
{
    char part[PATH_MAX], final[PATH_MAX];
    if (i->o->identity && !identity_read(i->o->identity, &i->identity, err))
        return false;
    if (!i->o->source_count || i->o->source_count > IMPORT_DISKS)
        return error_set(err, EINVAL, "a machine has one to %d disks, not %u", IMPORT_DISKS, i->o->source_count);
    if (!disks_import(i, err) || !conclude(i, err))
        return false;
    if (i->o->dry_run)
        return true;
    if (!evidence_write(i->folder, i->r->manifest, err))
        return false;
    for (unsigned n = i->r->disk_count; n--;)   /* disk0 last: where it is, all are */
        if (rename(disk_file(i, &i->disks[n], "disk%u.qcow2.part", part), disk_file(i, &i->disks[n], "disk%u.qcow2", final)))
            return error_set(err, errno, "cannot give %s its name: %s", final, strerror(errno));
    for (unsigned n = 0; n < i->r->disk_count; n++) {
        unlink(disk_file(i, &i->disks[n], "evidence/disk%u.resume", part));
        if (!i->disks[n].bad.count && !i->o->ddrescue_map)
            unlink(disk_file(i, &i->disks[n], "evidence/disk%u.map", part));
    }
    int folder = open(i->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return true;
}

static void take_away(struct import *i)
{
    char path[PATH_MAX];
    for (unsigned n = 0; n < i->r->disk_count; n++) {
        capture_remove(i, &i->disks[n]);
        unlink(disk_file(i, &i->disks[n], "disk%u.qcow2", path));
    }
    media_remove(i);
    if (i->r->disk_count || i->media_counts[MEDIA_CD] || i->media_counts[MEDIA_FLOPPY])
        evidence_remove(i->folder);
}

bool import_run(const struct import_options *o, struct import_result *r, struct error *err)
{
    struct import *i = calloc(1, sizeof(*i));
    memset(r, 0, sizeof(*r));
    if (!i)
        return error_set(err, ENOMEM, "no memory for an import");
    i->o = o;
    i->r = r;
    i->folder = o->folder;
    i->meter = (struct meter){ .progress = o->progress, .ui = o->ui };
    i->media = json_array();
    bool ok = import_steps(i, err);
    meter_show(&i->meter, IMPORT_DONE);
    source_close(&i->source);
    if (!ok && !o->dry_run && !r->kept)
        take_away(i);
    if (*i->temporary) {
        look_folder_remove(i->temporary);
        close(i->temporary_lock);
    }
    if (!ok)
        import_result_free(r);
    for (unsigned n = 0; n < IMPORT_DISKS; n++) {
        ranges_free(&i->disks[n].bad);
        json_decref(i->disks[n].details);
        json_decref(i->disks[n].hit);
        source_list_free(&i->lists[n]);
    }
    facts_free(&i->facts);
    identity_free(&i->identity);
    json_decref(i->report);
    json_decref(i->media);
    free(i);
    return ok;
}

void import_result_free(struct import_result *r)
{
    free(r->manifest);
    r->manifest = NULL;
}
