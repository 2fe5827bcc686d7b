/* Profiles: parsing, inheritance, mistakes with their places, writing back. */
#include "profile/profile.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/holdover-profile-XXXXXX";

static void setup(void)
{
    cr_assert(mkdtemp(folder));
    setenv("HOLDOVER_PROFILES", folder, 1);
}

static void teardown(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert(!system(command));
}

static const char *file(const char *name, const char *text)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

TestSuite(profile, .init = setup, .fini = teardown);

Test(profile, reads_sections_comments_and_blanks)
{
    struct error err;
    file("a.profile", "; a comment\n[machine]\nmemory = 16M   ; why\n\n[cpu]\nmodel=486\n[floppy0]\nanything = goes\n");
    struct profile *p = profile_load("a", &err);
    cr_assert(p, "%s", err.text);
    cr_assert_str_eq(p->name, "a");
    cr_assert_str_eq(profile_get(p, "machine", "memory"), "16M");
    cr_assert_str_eq(profile_get(p, "cpu", "model"), "486");
    cr_assert_str_eq(profile_get(p, "floppy0", "anything"), "goes");
    cr_assert_null(profile_get(p, "machine", "board"));
    profile_free(p);
}

Test(profile, inherits_and_overrides)
{
    struct error err;
    file("base.profile", "[profile]\nsummary = base\n[machine]\nmemory = 16M\nacpi = no\n");
    file("mid.profile", "[profile]\ninherit = base\n[machine]\nmemory = 32M\n");
    file("top.profile", "[profile]\ninherit = mid\n[cpu]\nmodel = pentium\n");
    struct profile *p = profile_load("top", &err);
    cr_assert(p, "%s", err.text);
    cr_assert_str_eq(profile_get(p, "machine", "memory"), "32M");
    cr_assert_str_eq(profile_get(p, "machine", "acpi"), "no");
    cr_assert_str_eq(profile_get(p, "profile", "inherit"), "mid");
    cr_assert_null(profile_get(p, "profile", "summary"), "a summary is not inherited");

    struct profile_machine m = { 0 };
    cr_assert(profile_apply(p, "machine", profile_machine_properties, &m, &err), "%s", err.text);
    cr_assert_eq(m.memory, 32u << 20);
    cr_assert(!m.acpi);
    cr_assert_str_eq(m.board, "i440fx", "a default");
    property_free(profile_machine_properties, &m);
    profile_free(p);
}

Test(profile, mistakes_name_file_line_and_keys)
{
    static const struct { const char *text, *says[3]; } cases[] = {
        { "[machine]\nmemmory = 1M\n", { "x.profile:2", "memmory", "memory" } },
        { "[machine]\n\nmemory = plenty\n", { "x.profile:3", "memory", "plenty" } },
        { "[machine]\nmemory = 1M\nmemory = 2M\n", { "x.profile:3", "second time", "" } },
        { "memory = 1M\n", { "x.profile:1", "before the first", "" } },
        { "[machine]\nnothing\n", { "x.profile:2", "neither", "" } },
        { "[machine]\nmemory = 1M\n  2M\n", { "x.profile:3", "blank", "" } },
        { "[profile]\ninherit = x\n", { "circle", "x", "" } },
        { "[profile]\ninherit = nobody\n", { "no profile", "nobody", "" } },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        file("x.profile", cases[i].text);
        cr_assert_null(profile_load("x", &err));
        for (int j = 0; j < 3; j++)
            cr_assert(strstr(err.text, cases[i].says[j]), "'%s' lacks '%s'", err.text, cases[i].says[j]);
    }
}

Test(profile, long_lines_are_refused)
{
    struct error err;
    char text[600] = "[cpu]\nfeatures = ";
    memset(text + strlen(text), 'x', 400);
    file("long.profile", text);
    cr_assert_null(profile_load("long", &err));
    cr_assert(strstr(err.text, "long.profile:2"));
}

Test(profile, set_checks_keys_and_values)
{
    struct error err;
    struct profile *p = profile_new();
    cr_assert(profile_set_text(p, "machine.memory=64M", &err), "%s", err.text);
    cr_assert(profile_set_text(p, "vga.anything=a=b", &err));
    cr_assert_str_eq(profile_get(p, "vga", "anything"), "a=b");
    cr_assert(!profile_set_text(p, "cpu.speed=1", &err));
    cr_assert(strstr(err.text, "model"), "%s", err.text);
    cr_assert(!profile_set_text(p, "machine.acpi=perhaps", &err));
    static const char *const bad[] = { "", "memory", "memory=1M", ".a=1", "machine.=1", "=", "a.b" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(!profile_set_text(p, bad[i], &err), "%s", bad[i]);
    cr_assert_eq(p->count, 2);
    profile_free(p);
}

Test(profile, writes_only_its_own_settings)
{
    struct error err;
    char path[128];
    file("base.profile", "[machine]\nmemory = 16M\n");
    file("own.profile", "[profile]\ninherit = base\n[disk0]\nheads = 16\n");
    struct profile *p = profile_load("own", &err);
    cr_assert(profile_set_text(p, "cpu.model=386", &err));
    profile_reason(p, "cpu", "model", "the old one's");
    snprintf(path, sizeof(path), "%s/written.profile", folder);
    cr_assert(profile_write(p, path, &err), "%s", err.text);
    profile_free(p);

    char text[512] = "";
    FILE *f = fopen(path, "r");
    cr_assert(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    cr_assert(!strstr(text, "memory") && strstr(text, "; the old one's\nmodel = 386\n"), "%s", text);
    p = profile_load(path, &err);
    cr_assert(p, "%s", err.text);
    cr_assert_str_eq(p->name, "written");
    cr_assert_str_eq(profile_get(p, "machine", "memory"), "16M");
    cr_assert_str_eq(profile_get(p, "disk0", "heads"), "16");
    cr_assert_str_eq(profile_get(p, "cpu", "model"), "386");
    cr_assert(profile_set(p, "cpu", "features", "a ;b", NULL, 0, &err));
    cr_assert(!profile_write(p, path, &err), "what INI cannot hold is not written");
    profile_free(p);
}

Test(profile, list_is_sorted_and_has_only_profiles)
{
    struct error err;
    file("zebra.profile", "");
    file("ape.profile", "");
    file("import.rules", "");
    char **names = profile_list(&err);
    cr_assert_str_eq(names[0], "ape");
    cr_assert_str_eq(names[1], "zebra");
    cr_assert_null(names[2]);
    profile_list_free(names);
}

Test(profile, shipped_ones_are_right)
{
    struct error err;
    unsigned count = 0;
    unsetenv("HOLDOVER_PROFILES");
    setenv("HOLDOVER_PROFILES", "legacy-profiles", 1);
    if (access("legacy-profiles/generic.profile", R_OK))
        unsetenv("HOLDOVER_PROFILES");
    char **names = profile_list(&err);
    cr_assert(names, "%s", err.text);
    for (char **n = names; *n; n++, count++) {
        struct profile *p = profile_load(*n, &err);
        cr_assert(p, "%s", err.text);
        cr_assert(profile_get(p, "profile", "summary"), "%s has no summary", *n);
        for (const struct profile_section *s = profile_sections; s->name; s++) {
            uint64_t object[PROFILE_OBJECT_MAX / 8] = { 0 };
            cr_assert(profile_apply(p, s->name, s->properties, object, &err), "%s: %s", *n, err.text);
            property_free(s->properties, object);
        }
        profile_free(p);
    }
    cr_assert_geq(count, 9);
    profile_list_free(names);
}

Test(profile, words_of_a_choice)
{
    struct profile *p = profile_new();
    struct error err = { 0 };

    cr_assert(!profile_set_text(p, "window.scale=huge", &err));
    cr_assert(strstr(err.text, "neither integer nor smooth"), "%s", err.text);
    cr_assert(!profile_set_text(p, "machine.clock=sundial", &err));
    cr_assert(profile_set_text(p, "window.scale=smooth", &err) && profile_set_text(p, "machine.clock=counted", &err), "%s", err.text);
    profile_free(p);
}

Test(profile, times_have_units)
{
    static const struct { const char *text; int64_t ns; } good[] = { { "0", 0 }, { "7ns", 7 }, { "200us", 200000 }, { "8ms", 8000000 }, { "1s", 1000000000 } };
    static const char *const bad[] = { "", "7", "us", "-1us", "1.5ms", "7 us", "7m", "99999999999999999999ns", "9999999999999s" };
    int64_t ns;

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        cr_assert(parse_time(good[i].text, &ns) && ns == good[i].ns, "%s", good[i].text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert(!parse_time(bad[i], &ns), "%s", bad[i]);
}
