/* What `holdover import` tells: a table for people, of what the manifest holds. */
#include "importers/importer.h"
#include "base/bits.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_SHOWN = 8, WIDTH = 100 };

/* Facts of a row, in the order of their keys; prefix stands before the values of a key. */
static const struct row { const char *title; struct { const char *key, *prefix; } facts[6]; } rows[] = {
    { "system:", { { "os.product", "" }, { "os.version", "version " }, { "os.servicepack", "" }, { "os.arch", "" }, { "os.language", "language " } } },
    { "kernel:", { { "kernel", "" }, { "root", "root " } } },
    { "loader:", { { "bootloader", "" } } },
    { "name:", { { "hostname", "" }, { "domain", "domain " } } },
    { "network:", { { "address", "" }, { "netmask", "mask " }, { "gateway", "gateway " }, { "dns", "DNS " }, { "mac", "MAC " } } },
    { "services:", { { "service", "" } } },
    { "drivers:", { { "driver.storage", "disk " }, { "driver.nic", "network " }, { "driver.video", "display " }, { "driver.sound", "sound " },
                   { "hal", "HAL " } } },
    { "machine:", { { "cpu", "" }, { "memory", "memory " } } },
    { "applications:", { { "application", "" } } },
    { "last used:", { { "activity", "" }, { "year", "newest files of " } } },
};

static void row_print(FILE *out, const struct row *row, const json_t *facts)
{
    size_t column = 0;
    for (size_t n = 0; n < ARRAY_SIZE(row->facts) && row->facts[n].key; n++) {
        const json_t *values = json_object_get(facts, row->facts[n].key);
        size_t count = json_array_size(values);
        for (size_t i = 0; i < count && i <= VALUES_SHOWN; i++) {
            char text[240];
            if (i == VALUES_SHOWN)
                snprintf(text, sizeof(text), "and %zu more", count - i);
            else
                snprintf(text, sizeof(text), "%s%s", row->facts[n].prefix, json_string_value(json_array_get(values, i)));
            bool fits = column && column + strlen(text) + 2 <= WIDTH;
            fprintf(out, column ? fits ? ", %s" : ",\n%14s%s" : "%-14s%s", column ? fits ? text : "" : row->title, text);
            column = (fits ? column + 2 : 14) + strlen(text);
        }
    }
    if (column)
        fputc('\n', out);
}

static void disk_print(FILE *out, const char *name, const struct import_disk *d, const json_t *partitions, bool dry_run)
{
    const json_t *p;
    size_t i;
    fprintf(out, "%s %s: %llu bytes from %s (%s%s%s), SHA-256 %s\n", dry_run ? "would import" : "imported", name, (unsigned long long)d->bytes,
            d->source, d->kind, *d->format ? ", " : "", d->format, d->sha256);
    if (json_array_size(partitions))
        fprintf(out, "  %-4s%-22s%-10s%14s%10s  %s\n", "no.", "type", "files", "first sector", "MB", "label");
    json_array_foreach(partitions, i, p) {
        const char *fs = json_string_value(json_object_get(p, "fs")), *label = json_string_value(json_object_get(p, "label"));
        fprintf(out, "  %lld%c  %-22s%-10s%14lld%10.1f  %s\n", (long long)json_integer_value(json_object_get(p, "number")),
                json_is_true(json_object_get(p, "active")) ? '*' : ' ', json_string_value(json_object_get(p, "type_name")), fs ? fs : "",
                (long long)json_integer_value(json_object_get(p, "start")), (double)json_integer_value(json_object_get(p, "sectors")) / 2048,
                label ? label : "");
    }
    if (d->geometry.heads)
        fprintf(out, "geometry: %u cylinders, %u heads, %u sectors (%s)\n", d->geometry.cylinders, d->geometry.heads, d->geometry.sectors,
                d->geometry.reason);
    for (i = 0; i < d->finding_count; i++)
        fprintf(out, "note: %s\n", d->findings[i]);
}

char *import_text(const char *name, const struct import_result *r, bool dry_run)
{
    char *text = NULL;
    size_t size, k, j;
    const json_t *medium, *note;
    FILE *out = open_memstream(&text, &size);
    json_t *manifest = r->manifest ? json_loads(r->manifest, 0, NULL) : NULL;
    const json_t *facts = json_object_get(json_object_get(manifest, "inspection"), "facts"), *disks = json_object_get(manifest, "disks");
    for (unsigned n = 0; out && n < r->disk_count; n++)
        disk_print(out, name, &r->disks[n], json_object_get(json_object_get(json_array_get(disks, n), "partition_table"), "partitions"), dry_run);
    json_array_foreach(json_object_get(manifest, "media"), k, medium) {
        fprintf(out, "%s %s: %lld bytes from %s (%s), SHA-256 %s\n", dry_run ? "would keep" : "kept",
                json_string_value(json_object_get(medium, "file")), (long long)json_integer_value(json_object_get(medium, "bytes")),
                json_string_value(json_object_get(medium, "path")), json_string_value(json_object_get(medium, "format")),
                json_string_value(json_object_get(medium, "sha256")));
        json_array_foreach(json_object_get(json_object_get(medium, "details"), "notes"), j, note)
            fprintf(out, "note: %s\n", json_string_value(note));
    }
    if (out && !r->disk_count)
        fprintf(out, "the machine has an empty disk of 2 GiB besides\n");
    for (size_t n = 0; out && n < ARRAY_SIZE(rows); n++)
        row_print(out, &rows[n], facts);
    for (unsigned n = 0; out && n < r->pin_count; n++) {
        char setting[240];
        snprintf(setting, sizeof(setting), "%s.%s = %s", r->pins[n].section, r->pins[n].key, r->pins[n].value);
        bool same = n && !strcmp(r->pins[n].reason, r->pins[n - 1].reason);
        fprintf(out, same ? "%-14s%s\n" : "%-14s%-36s  %s\n", n ? "" : "pinned:", setting, r->pins[n].reason);
    }
    if (out) {
        fprintf(out, "profile: %s (%s)\n", r->profile, r->reason);
        if (*r->inspect_note)
            fprintf(out, "note: %s\n", r->inspect_note);
        if (!dry_run)
            fprintf(out, "'holdover run %s' starts it\n", name);
        fclose(out);
    }
    json_decref(manifest);
    return text;
}
