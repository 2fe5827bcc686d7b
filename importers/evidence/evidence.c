/* The manifest. Keys are only ever added: other programs read it. */
#include "importers/evidence/evidence.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static json_t *chs_json(struct chs c)
{
    return json_pack("[i, i, i]", c.cylinder, c.head, c.sector);
}

/* Text from a foreign disk; NULL when it is not worth a key. */
static json_t *text_json(const char *text)
{
    return *text ? json_string(text) : NULL;
}

static json_t *table_json(const struct partition_table *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->count; i++) {
        const struct partition *p = &t->list[i];
        json_array_append_new(list, json_pack("{s:i s:o* s:o* s:i s:s s:b s:I s:I s:o s:o s:o* s:o*}", "number", (int)p->number,
            "name", text_json(p->name), "scheme", text_json(p->scheme), "type", p->type, "type_name", partition_type_name(p->type), "active", p->active, "start", (json_int_t)p->start,
            "sectors", (json_int_t)p->sectors, "first_chs", chs_json(p->first), "last_chs", chs_json(p->last),
            "fs", text_json(p->fs), "label", text_json(p->label)));
    }
    return json_pack("{s:s s:I s:b s:o}", "kind", table_kind_names[t->kind], "disk_id", (json_int_t)t->disk_id, "damaged",
                     t->damaged, "partitions", list);
}

static json_t *strings_json(const char list[][IMPORT_TEXT], size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_string(list[i]));
    return all;
}

static json_t *source_json(const struct import_disk *d, const struct disk *own)
{
    json_t *path = json_string(d->source);
    return json_pack("{s:o s:s s:s s:I s:I s:s s:s s:O* s:o*}", "path", path ? path : json_string("?"), "kind", d->kind, "format",
                     d->format, "bytes", (json_int_t)d->bytes, "sectors", (json_int_t)d->sectors, "sha256", d->sha256, "md5", d->md5,
                     "details", own->details, "container_sha256", text_json(own->container_sha256));
}

/* [[START, LENGTH], ...] in bytes; of very many the map file has the rest. */
static json_t *ranges_json(const struct ranges *r)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->count && i < 1000; i++)
        json_array_append_new(all, json_pack("[I, I]", (json_int_t)r->list[i].start, (json_int_t)r->list[i].length));
    return all;
}

/* What the manifest tells of a disk; the first one's is also at the manifest's top. */
static json_t *disk_json(const struct import_disk *d, const struct disk *own, bool dry_run)
{
    json_t *file = dry_run ? NULL : json_pack("{s:o s:s s:I s:s s:I}", "file", json_sprintf("disk%u.qcow2", own->number), "format",
        "qcow2", "bytes", (json_int_t)d->image_bytes, "sha256", d->image_sha256, "stored_clusters", (json_int_t)d->stored_clusters);
    json_t *list = dry_run ? NULL : json_pack("{s:o s:s}", "file", json_sprintf("evidence/disk%u.sha256s", own->number), "sha256",
        own->list_sha256);
    return json_pack("{s:o s:o* s:o s:o s:{s:i s:i s:i s:s} s:o* s:I s:o s:O* s:o* s:o*}", "source", source_json(d, own), "image", file,
        "partition_table", table_json(&own->table), "findings", strings_json(d->findings, d->finding_count), "geometry", "cylinders",
        (int)d->geometry.cylinders, "heads", (int)d->geometry.heads, "sectors", (int)d->geometry.sectors, "reason", d->geometry.reason,
        "mib_sha256s", list, "bad_bytes", (json_int_t)d->bad_bytes, "bad_ranges", ranges_json(&own->bad), "bad_files", own->hit, "map",
        own->bad.count && !dry_run ? json_sprintf("evidence/disk%u.map", own->number) : NULL, "resumed_at",
        d->resumed_at ? json_integer((json_int_t)d->resumed_at) : NULL);
}

static json_t *pins_json(const struct import_result *r)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < r->pin_count; i++)
        json_array_append_new(all, json_pack("{s:s s:s s:s s:s}", "section", r->pins[i].section, "key", r->pins[i].key, "value",
                                             r->pins[i].value, "reason", r->pins[i].reason));
    return all;
}

char *manifest_make(const struct import *i)
{
    const struct import_options *o = i->o;
    const struct import_result *r = i->r;
    char date[32];
    time_t now = time(NULL);
    struct tm tm;
    json_t *disks = json_array();
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    json_t *all = json_pack("{s:i s:s s:s s:s}", "manifest", 1, "tool", "holdover", "tool_version",
                            o->tool_version ? o->tool_version : "", "imported", date);
    for (unsigned n = 0; n < r->disk_count; n++) {
        json_t *disk = disk_json(&r->disks[n], &i->disks[n], o->dry_run);
        if (!n)
            json_object_update_missing(all, disk);
        json_object_set_new(disk, "number", json_integer(n));
        json_array_append_new(disks, disk);
    }
    json_t *rest = json_pack("{s:o s:O s:o s:{s:b s:o* s:o s:o*} s:{s:s s:s}}", "disks", disks, "media", i->media, "pins", pins_json(r),
        "inspection", "libguestfs", r->inspected, "note", text_json(r->inspect_note), "facts", facts_json(&i->facts),
        "report", json_incref(i->report), "profile", "name", r->profile, "reason", r->reason);
    json_object_update_missing(all, rest);
    json_decref(rest);
    char *text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    return text;
}

char *import_json(const char *name, const struct import_result *r, bool dry_run)
{
    const struct import_disk *d = &r->disks[0];
    const struct import_geometry *g = &d->geometry;
    json_t *manifest = r->manifest ? json_loads(r->manifest, 0, NULL) : NULL, *path = json_string(d->source);
    json_t *all = json_pack("{s:s s:s s:s s:b s:o s:s s:I s:s s:s s:s s:s s:s s:{s:i s:i s:i} s:b s:s s:o s:O* s:O* s:o s:o*}",
        "name", name, "profile", r->profile, "reason", r->reason, "dry_run", dry_run, "source", path ? path : json_string("?"),
        "kind", d->kind, "bytes", (json_int_t)d->bytes, "sha256", d->sha256, "os", r->os, "product", r->product, "hostname",
        r->hostname, "address", r->address, "geometry", "cylinders", (int)g->cylinders, "heads", (int)g->heads, "sectors",
        (int)g->sectors, "inspected", r->inspected, "note", r->inspect_note, "findings", strings_json(d->findings, d->finding_count),
        "disks", json_object_get(manifest, "disks"), "media", json_object_get(manifest, "media"), "pins", pins_json(r), "manifest", manifest);
    char *text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    return text;
}

bool text_write(const char *path, const char *text, struct error *err)
{
    char fresh[PATH_MAX + 8];
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *f = text ? fopen(fresh, "we") : NULL;
    bool ok = f && fputs(text, f) >= 0 && !fflush(f) && !fsync(fileno(f));
    ok = (!f || !fclose(f)) && ok && !rename(fresh, path);
    return ok || error_set(err, errno, "cannot write %s: %s", path, strerror(errno));
}

char *text_read(const char *path, size_t *length, struct error *err)
{
    enum { MOST = 64 << 20 };
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(MOST + 1) : NULL;
    *length = text ? fread(text, 1, MOST + 1, f) : 0;
    bool ok = text && !ferror(f) && *length <= MOST;
    if (ok)
        text[*length] = 0;
    else
        error_set(err, errno, "cannot read %s: %s", path, *length > MOST ? "it is too large" : strerror(errno));
    if (f)
        fclose(f);
    if (!ok)
        free(text);
    return ok ? text : NULL;
}

bool evidence_write(const char *folder, const char *text, struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/evidence/manifest.json", folder);
    return text_write(path, text, err);
}

void evidence_remove(const char *folder)
{
    static const char *const names[] = { "evidence/manifest.json", "evidence/manifest.json.new", "evidence" };
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
}

/* Hexadecimal digits, as many as a hash of `bytes` bytes has, or nothing. */
static void hash_get(const json_t *object, const char *key, size_t bytes, char hex[65])
{
    const char *text = json_string_value(json_object_get(object, key));
    *hex = 0;
    if (text && strlen(text) == bytes * 2 && strspn(text, "0123456789abcdef") == bytes * 2)
        memcpy(hex, text, bytes * 2 + 1);
}

bool manifest_parse(const char *text, size_t length, const char *name, unsigned disk, struct manifest_disk *m, struct error *err)
{
    json_error_t where;
    json_t *all = json_loadb(text, length, 0, &where), *one = json_array_get(json_object_get(all, "disks"), disk);
    if (!one && !disk && json_object_get(all, "source"))
        one = all;                              /* of an import before there were several */
    if (all && !one && json_array_size(json_object_get(all, "media"))) {
        json_decref(all);
        return error_set(err, ENOENT, "disk %u of %s was not imported", disk, name);
    }
    const json_t *source = json_object_get(one, "source");
    json_int_t bytes = json_integer_value(json_object_get(source, "bytes"));
    *m = (struct manifest_disk){ .bytes = bytes > 0 ? (uint64_t)bytes : 0 };
    hash_get(source, "sha256", 32, m->sha256);
    hash_get(source, "md5", 16, m->md5);
    hash_get(json_object_get(one, "image"), "sha256", 32, m->image_sha256);
    hash_get(json_object_get(one, "mib_sha256s"), "sha256", 32, m->list_sha256);
    bool ok = m->bytes && *m->sha256;
    if (!ok)
        error_set(err, EBADMSG, all ? "the manifest %s cannot be read: it has no source with bytes and sha256 of disk %u%s" :
                  "the manifest %s cannot be read: line %u: %s", name, all ? disk : (unsigned)where.line, all ? "" : where.text);
    json_decref(all);
    return ok;
}

bool manifest_medium(const char *path, unsigned n, char file[64], char sha256[65], struct error *err)
{
    size_t length;
    char *text = text_read(path, &length, err);
    json_t *all = text ? json_loadb(text, length, 0, NULL) : NULL, *medium = json_array_get(json_object_get(all, "media"), n);
    const char *name = json_string_value(json_object_get(medium, "file"));
    hash_get(medium, "sha256", 32, sha256);
    bool ok = name && *sha256 && strlen(name) < 64 && *name != '.' && !strchr(name, '/');
    if (ok)
        strcpy(file, name);
    else if (text)
        error_set(err, medium ? EBADMSG : ENOENT, "the manifest %s has no CD or floppy number %u", path, n);
    json_decref(all);
    free(text);
    return ok;
}

bool manifest_read(const char *path, unsigned disk, struct manifest_disk *m, struct error *err)
{
    size_t length;
    char *text = text_read(path, &length, err);
    bool ok = text && manifest_parse(text, length, path, disk, m, err);
    if (!text)
        err->code = EIO;                        /* a manifest that is not there says nothing about disks */
    free(text);
    return ok;
}
