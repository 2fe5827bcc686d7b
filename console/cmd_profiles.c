/* `holdover profiles`: lists, shows and checks profiles. */
#include "console/options.h"
#include "hypervisor.h"
#include <string.h>

static int list(void)
{
    struct error err;
    char **names = profile_list(&err);
    int code = EXIT_FINE;

    if (!names)
        return fail(EXIT_FAILED, &err);
    for (char **n = names; *n; n++) {
        struct profile *p = profile_load(*n, &err);
        const char *summary = p ? profile_get(p, "profile", "summary") : NULL;
        if (!p)
            code = fail(EXIT_FAILED, &err);
        else
            printf("%-20s %s\n", *n, summary ? summary : "");
        profile_free(p);
    }
    profile_list_free(names);
    return code;
}

/* All settings, section by section, those of a base profile with their place. */
static int show(const char *name)
{
    struct error err;
    struct profile *p = profile_load(name, &err);

    if (!p)
        return fail(EXIT_FAILED, &err);
    profile_print(p, stdout, true);
    profile_free(p);
    return EXIT_FINE;
}

static int check(const char *path)
{
    struct error err;
    struct profile *p = profile_load(path, &err);

    if (!p)
        return fail(EXIT_FAILED, &err);
    printf("%s: %zu settings, no mistakes\n", path, p->count);
    profile_free(p);
    return EXIT_FINE;
}

static int profiles(struct invocation *in)
{
    char **a = in->arguments.items;

    if (!in->arguments.count)
        return list();
    if (in->arguments.count == 2 && !strcmp(a[0], "show"))
        return show(a[1]);
    if (in->arguments.count == 2 && !strcmp(a[0], "check"))
        return check(a[1]);
    return usage_error(in->command, "'profiles' alone lists them; 'profiles show PROFILE' and 'profiles check FILE' look at one");
}

const struct command command_profiles = {
    .name = "profiles", .usage = "[show PROFILE | check FILE]", .summary = "list, show or check profiles",
    .most = 2, .run = profiles,
};
