/* `holdover import`: an old disk becomes a guest. */
#include "console/library.h"
#include "console/options.h"
#include "console/progress.h"
#include "console/version.h"
#include "hypervisor.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct own_options { const char *name, *profile, *identity, *map; struct text_list parents; bool dry_run, json, no_adapt, no_inspect; };
#define OWN(m) offsetof(struct own_options, m)
static const struct option table[] = {
    { "name", "NAME", OPTION_TEXT, OWN(name), 0, "the guest's name (default: made from the source's)" },
    { "profile", "PROFILE", OPTION_TEXT, OWN(profile), 0, "take this profile instead of choosing one" },
    { "dry-run", NULL, OPTION_FLAG, OWN(dry_run), 0, "read and look, but make nothing" },
    { "json", NULL, OPTION_FLAG, OWN(json), 0, "the result as JSON" },
    { "no-adapt", NULL, OPTION_FLAG, OWN(no_adapt), 0, "change nothing inside the disk (nothing is changed yet)" },
    { "no-inspect", NULL, OPTION_FLAG, OWN(no_inspect), 0, "look with the program's own readers only, do not start libguestfs" },
    { "boot-test", NULL, OPTION_LATER, 0, 0, "start the guest once and look: not in this version" },
    { "parent", "FILE", OPTION_LIST, OWN(parents), 0, "an image that a differencing image may lie over (again for each)" },
    { "identity", "FILE", OPTION_TEXT, OWN(identity), 0, "what a collector script wrote on the old machine" },
    { "ddrescue-map", "FILE", OPTION_TEXT, OWN(map), 0, "what ddrescue could not read of SOURCE" },
    { 0 }
};

/* guest.profile: the profile it inherits, the hardware address so that it outlives a change of name, and what was pinned. */
static bool write_profile(const struct guest *g, const struct import_result *r, struct error *err)
{
    struct profile *p = profile_new();
    char path[PATH_MAX], mac[18];

    machine_mac(g->name, mac);
    bool ok = profile_set(p, "profile", "inherit", r->profile, NULL, 0, err) && profile_set(p, "net", "mac", mac, NULL, 0, err);
    profile_reason(p, "profile", "inherit", r->reason);
    profile_reason(p, "net", "mac", "made once, so that a change of the guest's name does not change it");
    for (unsigned i = 0; ok && i < r->pin_count; i++) {
        ok = profile_set(p, r->pins[i].section, r->pins[i].key, r->pins[i].value, NULL, 0, err);
        if (!i || strcmp(r->pins[i].reason, r->pins[i - 1].reason))
            profile_reason(p, r->pins[i].section, r->pins[i].key, r->pins[i].reason);
    }
    ok = ok && profile_write(p, guest_path(g, "guest.profile", path), err);
    profile_free(p);
    return ok;
}

/* Everything between the hidden folder and its final name. */
static bool import_into(struct guest *g, struct import_options *options, struct import_result *r, struct error *err)
{
    options->folder = g->folder;
    if (import_run(options, r, err) && write_profile(g, r, err) && guest_layers(g, err) && library_commit(g, err)) {
        guest_unlock(g);
        return true;
    }
    if (r->kept)
        guest_unlock(g);
    else
        library_discard(g);
    return false;
}

static bool name_choose(const struct own_options *o, const char *source, char *name, size_t size, struct error *err)
{
    if (!o->name)
        return library_name_free(source, name, size, err);
    snprintf(name, size, "%s", o->name);
    return library_name_valid(o->name, err);
}

static int import(struct invocation *in)
{
    const struct own_options *o = in->own;
    struct progress progress;
    char name[GUEST_NAME_MAX + 16];
    struct guest g = { .lock = -1 };
    struct import_result r = { 0 };
    struct import_options options = { .sources = (const char *const *)in->arguments.items, .source_count = (unsigned)in->arguments.count,
        .parents = (const char *const *)o->parents.items, .parent_count = o->parents.count, .ddrescue_map = o->map,
        .identity = o->identity, .profile = o->profile, .tool_version = HOLDOVER_VERSION, .dry_run = o->dry_run,
        .no_inspect = o->no_inspect, .progress = progress_show, .ui = &progress };
    struct profile *wanted;
    struct error err = { 0 };
    char *text;
    bool ok;

    if (!name_choose(o, options.sources[0], name, sizeof(name), &err))
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
    text = !ok ? NULL : o->json ? import_json(name, &r, o->dry_run) : import_text(name, &r, o->dry_run);
    if (text)
        printf(o->json ? "%s\n" : "%s", text);
    free(text);
    import_result_free(&r);
    return ok ? EXIT_FINE : fail(EXIT_FAILED, &err);
}

const struct command command_import = {
    .name = "import", .usage = "SOURCE... [OPTION...]", .summary = "make a guest of an old disk",
    .options = table, .size = sizeof(struct own_options), .least = 1, .most = IMPORT_DISKS, .run = import,
    .details = "SOURCE is a disk image (packed or in pieces, too), a device, an OVA, a CD, a floppy, a folder, ssh://HOST/dev/hda,\n"
               "nbd://HOST/EXPORT, or - for standard input. It is read once and never written.\n"
               "Several are the disks of one machine, in their order.\n"
               "An interrupted import of a file or device is continued by the same command; 'holdover remove' forgets it.",
};
