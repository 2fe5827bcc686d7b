/* `holdover import`: an old disk becomes a guest. */
#include "console/library.h"
#include "console/options.h"
#include "console/progress.h"
#include "console/version.h"
#include "hypervisor.h"
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct own_options { const char *name, *profile; bool dry_run, json, no_adapt, no_inspect; };
#define OWN(m) offsetof(struct own_options, m)
static const struct option table[] = {
    { "name", "NAME", OPTION_TEXT, OWN(name), 0, "the guest's name (default: made from the source's)" },
    { "profile", "PROFILE", OPTION_TEXT, OWN(profile), 0, "take this profile instead of choosing one" },
    { "dry-run", NULL, OPTION_FLAG, OWN(dry_run), 0, "read and look, but make nothing" },
    { "json", NULL, OPTION_FLAG, OWN(json), 0, "the result as JSON" },
    { "no-adapt", NULL, OPTION_FLAG, OWN(no_adapt), 0, "change nothing inside the disk (nothing is changed yet)" },
    { "no-inspect", NULL, OPTION_FLAG, OWN(no_inspect), 0, "look with the program's own readers only, do not start libguestfs" },
    { "boot-test", NULL, OPTION_LATER, 0, 0, "start the guest once and look: not in this version" },
    { "identity", "FILE", OPTION_LATER, 0, 0, "what the old machine was: not in this version" },
    { "ddrescue-map", "FILE", OPTION_LATER, 0, 0, "the bad sectors that ddrescue found: not in this version" },
    { 0 }
};

static bool pin(struct profile *p, const char *section, const char *key, const char *value, struct error *err)
{
    return !*value || profile_set(p, section, key, value, NULL, 0, err);
}

/* The hardware address, so that it outlives a change of name; and of the addresses that the old system has, those that are some: a
 * NAT takes over the others' places. */
static bool pin_network(struct profile *p, const char *name, const struct import_result *r, struct error *err)
{
    const struct { const char *key, *value; } found[] = {
        { "guest", r->address }, { "gateway", r->gateway }, { "netmask", r->netmask }, { "dns", r->dns },
    };
    struct in_addr ignored;
    char mac[18];

    machine_mac(name, mac);
    bool ok = pin(p, "net", "mac", mac, err);
    for (size_t i = 0; ok && i < ARRAY_SIZE(found) && inet_pton(AF_INET, r->address, &ignored) == 1; i++)
        ok = inet_pton(AF_INET, found[i].value, &ignored) != 1 || pin(p, "net", found[i].key, found[i].value, err);
    return ok;
}

/* guest.profile: the profile it inherits, the geometry that the old system knew, its place in the network. */
static bool write_profile(const struct guest *g, const struct import_result *r, struct error *err)
{
    const struct import_geometry *geometry = &r->geometry;
    struct profile *p = profile_new();
    char path[PATH_MAX], number[3][16];
    bool ok = pin(p, "profile", "inherit", r->profile, err);

    if (ok && geometry->heads) {
        snprintf(number[0], sizeof(number[0]), "%u", geometry->cylinders);
        snprintf(number[1], sizeof(number[1]), "%u", geometry->heads);
        snprintf(number[2], sizeof(number[2]), "%u", geometry->sectors);
        ok = pin(p, "disk0", "cylinders", number[0], err) && pin(p, "disk0", "heads", number[1], err) &&
             pin(p, "disk0", "sectors", number[2], err);
    }
    ok = ok && pin_network(p, g->name, r, err) && profile_write(p, guest_path(g, "guest.profile", path), err);
    profile_free(p);
    return ok;
}

static void print_text(const char *name, const struct import_result *r, bool dry_run)
{
    printf("%s %s: %llu bytes from %s, SHA-256 %s\n", dry_run ? "would import" : "imported", name,
           (unsigned long long)r->bytes, r->source, r->sha256);
    if (*r->product || *r->os)
        printf("system: %s\n", *r->product ? r->product : r->os);
    printf("profile: %s (%s)\n", r->profile, r->reason);
    if (r->geometry.heads)
        printf("geometry: %u cylinders, %u heads, %u sectors (%s)\n", r->geometry.cylinders, r->geometry.heads, r->geometry.sectors,
               r->geometry.reason);
    for (size_t i = 0; i < r->finding_count; i++)
        printf("note: %s\n", r->findings[i]);
    if (*r->inspect_note)
        printf("note: %s\n", r->inspect_note);
    if (!dry_run)
        printf("'holdover run %s' starts it\n", name);
}

static void print_json(const char *name, const struct import_result *r, bool dry_run)
{
    json_t *findings = json_array(), *all;

    for (size_t i = 0; i < r->finding_count; i++)
        json_array_append_new(findings, json_string(r->findings[i]));
    all = json_pack("{s:s s:s s:s s:b s:s s:s s:I s:s s:s s:s s:s s:s s:{s:i s:i s:i} s:b s:s s:o s:o*}",
        "name", name, "profile", r->profile, "reason", r->reason, "dry_run", dry_run, "source", r->source, "kind", r->kind,
        "bytes", (json_int_t)r->bytes, "sha256", r->sha256, "os", r->os, "product", r->product, "hostname", r->hostname,
        "address", r->address,
        "geometry", "cylinders", (int)r->geometry.cylinders, "heads", (int)r->geometry.heads, "sectors", (int)r->geometry.sectors,
        "inspected", r->inspected, "note", r->inspect_note, "findings", findings,
        "manifest", r->manifest ? json_loads(r->manifest, 0, NULL) : NULL);
    json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}

/* Everything between the hidden folder and its final name. */
static bool import_into(struct guest *g, struct import_options *options, struct import_result *r, struct error *err)
{
    options->folder = g->folder;
    if (import_run(options, r, err) && write_profile(g, r, err) && guest_layer(g, err) && library_commit(g, err)) {
        guest_unlock(g);
        return true;
    }
    library_discard(g);
    return false;
}

static bool name_choose(const struct own_options *o, const char *source, char *name, size_t size, struct error *err)
{
    struct guest there;

    if (!o->name)
        return library_name_free(source, name, size, err);
    snprintf(name, size, "%s", o->name);
    if (!library_name_valid(o->name, err))
        return false;
    if (guest_find(&there, name, err))
        return error_set(err, EEXIST, "there is already a guest '%s': choose another --name, or remove it", name);
    return true;
}

static int import(struct invocation *in)
{
    const struct own_options *o = in->own;
    struct progress progress;
    char name[GUEST_NAME_MAX + 16];
    struct guest g = { .lock = -1 };
    struct import_result r = { 0 };
    struct import_options options = { .source = in->arguments.items[0], .profile = o->profile, .tool_version = HOLDOVER_VERSION,
                                      .dry_run = o->dry_run, .no_inspect = o->no_inspect, .progress = progress_show, .ui = &progress };
    struct profile *wanted;
    struct error err = { 0 };
    bool ok;

    if (!name_choose(o, options.source, name, sizeof(name), &err))
        return fail(err.code == EINVAL ? EXIT_USAGE : EXIT_FAILED, &err);
    if (o->profile) {                           /* a wrong name is said before hours of reading */
        if (!(wanted = profile_load(o->profile, &err)))
            return fail(EXIT_FAILED, &err);
        profile_free(wanted);
    }
    options.cancel = progress_cancel();
    progress_start(&progress, "read");
    if (o->dry_run)
        ok = import_run(&options, &r, &err);
    else
        ok = library_begin(&g, name, &err) && import_into(&g, &options, &r, &err);
    progress_end(&progress);
    if (ok && o->json)
        print_json(name, &r, o->dry_run);
    else if (ok)
        print_text(name, &r, o->dry_run);
    import_result_free(&r);
    return ok ? EXIT_FINE : fail(EXIT_FAILED, &err);
}

const struct command command_import = {
    .name = "import", .usage = "SOURCE [OPTION...]", .summary = "make a guest of an old disk",
    .options = table, .size = sizeof(struct own_options), .least = 1, .most = 1, .run = import,
    .details = "SOURCE is a disk image, a block device, or - for standard input. It is read once and never written.\n"
               "An interrupted import leaves nothing behind.",
};
