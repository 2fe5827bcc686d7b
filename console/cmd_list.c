/* `holdover list`: the guests of the store. */
#include "console/library.h"
#include "console/options.h"
#include "hypervisor.h"
#include <jansson.h>

struct own_options { bool json; };
static const struct option table[] = {
    { "json", NULL, OPTION_FLAG, offsetof(struct own_options, json), 0, "the list as JSON" },
    { 0 }
};

static void describe(const struct guest *g, bool as_json, json_t *all)
{
    char path[PATH_MAX];
    struct error err;
    struct profile *p = profile_load(guest_path(g, "guest.profile", path), &err);
    const char *inherit = p ? profile_get(p, "profile", "inherit") : NULL;
    pid_t pid = guest_running(g);
    uint64_t bytes = guest_bytes(g);

    if (!inherit)
        inherit = p ? "" : "unreadable";
    if (as_json)
        json_array_append_new(all, json_pack("{s:s s:s s:b s:i s:I}", "name", g->name, "profile", inherit, "running", pid != 0,
                                             "pid", (int)pid, "bytes", (json_int_t)bytes));
    else
        printf("%-24s %-20s %8.1f MB  %s\n", g->name, inherit, (double)bytes / 1e6, pid ? "running" : "");
    profile_free(p);
}

static int list(struct invocation *in)
{
    const struct own_options *o = in->own;
    struct error err;
    char **names = library_list(&err);
    json_t *all = json_array();
    struct guest g;

    if (!names)
        return fail(EXIT_FAILED, &err);
    for (char **n = names; *n; n++)
        if (guest_find(&g, *n, &err))
            describe(&g, o->json, all);
    if (o->json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (!*names) {
        printf("no guests yet: 'holdover import' makes one of an old disk\n");
    }
    json_decref(all);
    library_list_free(names);
    return EXIT_FINE;
}

const struct command command_list = {
    .name = "list", .usage = "[--json]", .summary = "list the guests",
    .options = table, .size = sizeof(struct own_options), .run = list,
};
