/* `holdover show`: what is known of a guest. */
#include "console/library.h"
#include "console/options.h"
#include "hypervisor.h"
#include <jansson.h>
#include <string.h>

struct own_options { bool json; };
static const struct option table[] = {
    { "json", NULL, OPTION_FLAG, offsetof(struct own_options, json), 0, "profile and import manifest as JSON" },
    { 0 }
};

static json_t *settings_json(const struct profile *p)
{
    json_t *all = json_object();

    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        json_t *section = json_object_get(all, s->section);
        if (!section) {
            section = json_object();
            json_object_set_new(all, s->section, section);
        }
        json_object_set_new(section, s->key, json_string(s->value));
    }
    return all;
}

/* The manifest's plain values, those of the objects in it as object.key. */
static void print_values(const char *name, const json_t *v)
{
    const char *key;
    json_t *inner;

    json_object_foreach((json_t *)v, key, inner) {
        char label[128];
        snprintf(label, sizeof(label), "%s%s%s", name, *name ? "." : "", key);
        print_values(label, inner);
    }
    if (json_string_length(v))
        printf("%-12s %s\n", name, json_string_value(v));
    else if (json_is_integer(v))
        printf("%-12s %lld\n", name, (long long)json_integer_value(v));
}

/* Why a setting was pinned at import; "own" when it was not, or when its value has been changed since. */
static const char *reason_of(const json_t *manifest, const struct setting *s)
{
    const char *section, *key, *value, *reason;
    json_t *pin;
    size_t i;

    json_array_foreach(json_object_get(manifest, "pins"), i, pin)
        if (!json_unpack(pin, "{s:s s:s s:s s:s}", "section", &section, "key", &key, "value", &value, "reason", &reason) &&
            !strcmp(section, s->section) && !strcmp(key, s->key) && !strcmp(value, s->value))
            return reason;
    return "own";
}

static void print_guest(const struct guest *g, const struct profile *p, const json_t *manifest)
{
    pid_t pid = guest_running(g);

    printf("%-12s %s\n%-12s %s\n%-12s ", "name", g->name, "folder", g->folder, "state");
    if (pid)
        printf("running, process %d\n", (int)pid);
    else
        printf("not running\n");
    printf("%-12s %.1f MB\n", "on disk", (double)guest_bytes(g) / 1e6);
    if (manifest) {
        printf("\nImport:\n");
        print_values("", manifest);
    }
    printf("\nSettings (those of %s, and the guest's own):\n", profile_get(p, "profile", "inherit"));
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->settings[i].section, "profile"))
            printf(p->settings[i].inherited ? "  %s.%s = %s\n" : "  %s.%s = %s   (%s)\n", p->settings[i].section, p->settings[i].key,
                   p->settings[i].value, reason_of(manifest, &p->settings[i]));
}

static int show(struct invocation *in)
{
    const struct own_options *o = in->own;
    char path[PATH_MAX];
    struct profile *p;
    json_t *manifest, *all;
    struct guest g;
    struct error err;

    if (!guest_find(&g, in->arguments.items[0], &err) || !(p = profile_load(guest_path(&g, "guest.profile", path), &err)))
        return fail(EXIT_FAILED, &err);
    manifest = json_load_file(guest_path(&g, "evidence/manifest.json", path), 0, NULL);
    if (o->json) {
        all = json_pack("{s:s s:s s:b s:o s:O?}", "name", g.name, "folder", g.folder, "running", guest_running(&g) != 0,
                        "settings", settings_json(p), "manifest", manifest);
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(all);
    } else {
        print_guest(&g, p, manifest);
    }
    json_decref(manifest);
    profile_free(p);
    return EXIT_FINE;
}

const struct command command_show = {
    .name = "show", .usage = "NAME [--json]", .summary = "show what is known of a guest",
    .options = table, .size = sizeof(struct own_options), .least = 1, .most = 1, .run = show,
};
