/* Facts, and the rules that choose profiles from them. */
#include "importers/pins/rules.h"
#include "importers/disk/trees.h"
#include "profile/profile.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *choose(const char *const *facts)
{
    static char profile[64], reason[IMPORT_TEXT];
    struct facts f = { 0 };
    struct error err = { 0 };
    for (; *facts; facts += 2)
        facts_add(&f, facts[0], "%s", facts[1]);
    cr_assert(rules_choose("legacy-profiles/import.rules", &f, profile, reason, &err), "%s", err.text);
    cr_assert(*reason && !strchr(reason, '{'), "%s: %s", profile, reason);
    facts_free(&f);
    return profile;
}
#define CHOOSE(...) choose((const char *const[]){ __VA_ARGS__, NULL })

Test(rules, shipped_file)
{
    cr_assert_str_eq(CHOOSE("os.type", "linux", "kernel", "2.6.32-5-686"), "generic-linux-2.6");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "kernel", "6.1.0-9-686"), "generic-linux-2.6");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "kernel", "2.4.18", "kernel", "2.2.20"), "generic-linux-2.4");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "kernel", "2.0.36"), "linux-2.0");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "os.distro", "debian", "os.version", "2.2"), "generic-linux-2.2");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "os.distro", "redhat", "os.version", "7.3"), "generic-linux-2.4");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "year", "1999"), "generic-linux-2.2");
    cr_assert_str_eq(CHOOSE("os.type", "dos", "os.product", "FreeDOS", "fs", "fat16"), "generic-dos");
    cr_assert_str_eq(CHOOSE("os.type", "windows", "os.product", "Windows 98 Second Edition"), "windows-98");
    cr_assert_str_eq(CHOOSE("os.type", "windows", "os.product", "Microsoft Windows XP"), "windows-xp");
    cr_assert_str_eq(CHOOSE("os.type", "windows", "os.product", "Windows NT Server"), "windows-nt4");
    cr_assert_str_eq(CHOOSE("year", "1992", "fs", "fat16"), "generic-1990");
    cr_assert_str_eq(CHOOSE("year", "2003"), "generic-2000");
    cr_assert_str_eq(CHOOSE("fs", "ext2"), "generic-2000");
    cr_assert_str_eq(CHOOSE("table", "none"), "generic");
}

/* Names as the readers and libguestfs give them. */
Test(rules, systems)
{
    static const struct { const char *type, *product, *version, *profile; } list[] = {
        { "windows", "Windows NT 3.51 Workstation", "3.51", "windows-nt3" }, { "windows", "Windows NT 3.1", "3.1", "windows-nt3" },
        { "windows", "Windows NT 4.0 Server", "4.0", "windows-nt4" }, { "windows", "Windows 95 OSR2", "4.00.1111", "windows-95" },
        { "windows", "Windows Me", "4.90.3000", "windows-me" }, { "windows", "Windows 2000 Professional", "5.0", "windows-2000" },
        { "windows", "Microsoft Windows Server 2003 R2", "5.2", "windows-2003" }, { "windows", "Windows XP or 2003", "", "windows-xp" },
        { "windows", "Windows NT or 2000", "", "windows-2000" }, { "windows", "Windows for Workgroups 3.11", "3.11", "windows-3.1" },
        { "dos", "Windows 3.1", "", "windows-3.1" }, { "dos", "MS-DOS 6.22", "6.22", "generic-dos" }, { "os2", "OS/2 1.3", "1.30", "os2-1" },
        { "os2", "OS/2 2.11", "2.11", "os2-2" }, { "os2", "OS/2 Warp 4", "4.0", "os2-warp" }, { "os2", "OS/2", "", "os2-warp" },
        { "netware", "NetWare 3.12", "3.12", "netware-3" }, { "netware", "NetWare 3.1x", "", "netware-3" }, { "netware", "NetWare 5.1", "5.1", "netware-4" },
        { "sco", "SCO OpenServer 5.0.5", "5.0.5", "sco-openserver" }, { "sco", "UnixWare 2.1", "2.1", "unixware" },
        { "xenix", "Xenix 386", "2.3.4", "xenix" }, { "minix", "Minix 2.0", "2.0", "minix" }, { "freebsd", "FreeBSD 2.2.8", "2.2.8", "freebsd" },
        { "freebsd", "FreeBSD 6.1", "6.1", "freebsd-5" }, { "openbsd", "OpenBSD 3.1", "3.1", "openbsd" }, { "solaris", "Solaris 8", "8", "solaris" },
        { "linux", "Slackware 3.0", "3.0", "generic-linux-2.4" }, { "plan9", "Plan 9", "", "generic-2000" },
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        cr_assert_str_eq(CHOOSE("os.type", list[i].type, "os.product", list[i].product, "os.version", list[i].version), list[i].profile,
                         "%s is not for %s", list[i].profile, list[i].product);
    cr_assert_str_eq(CHOOSE("os.type", "linux", "kernel", "1.2.13"), "linux-1");
}

/* Every profile that a rule names exists, and no profile has a mistake. */
Test(rules, profiles_exist)
{
    FILE *f = fopen("legacy-profiles/import.rules", "r");
    char line[512], name[64];
    struct error err;
    cr_assert(f);
    while (fgets(line, sizeof(line), f)) {
        const char *arrow = *line == '#' ? NULL : strstr(line, "->");
        if (!arrow || sscanf(arrow + 2, "%63s", name) != 1)
            continue;
        struct profile *p = profile_load(name, &err);
        cr_assert(p, "%s", err.text);
        profile_free(p);
    }
    fclose(f);
    char **names = profile_list(&err);
    cr_assert(names);
    for (char **n = names; *n; n++) {
        struct profile *p = profile_load(*n, &err);
        cr_assert(p && profile_get(p, "profile", "summary"), "%s: %s", *n, p ? "no summary" : err.text);
        profile_free(p);
    }
    profile_list_free(names);
}

static void text_write(const char *path, const char *text) { test_write(path, text, strlen(text)); }

Test(rules, errors_name_the_line)
{
    char profile[64], reason[IMPORT_TEXT], *path = test_path(test_folder(), "bad.rules");
    struct facts f = { 0 };
    struct error err = { 0 };
    text_write(path, "# nothing\n\nos.type=dos generic-dos\n");
    cr_assert(!rules_choose(path, &f, profile, reason, &err));
    cr_assert(strstr(err.text, "bad.rules:3"), "%s", err.text);
    text_write(path, "year -> x : y\n");
    cr_assert(!rules_choose(path, &f, profile, reason, &err) && strstr(err.text, "no rule"));
    facts_add(&f, "year", "2000");
    cr_assert(rules_choose(path, &f, profile, reason, &err));
    cr_assert_str_eq(profile, "x");
    text_write(path, "!year -> no : y\nyear>=1999.5 !os.type -> z : {year} {none}\n");
    cr_assert(rules_choose(path, &f, profile, reason, &err));
    cr_assert_str_eq(profile, "z");
    cr_assert_str_eq(reason, "2000 unknown");
    facts_free(&f);
}

Test(rules, facts_are_clean)
{
    struct facts f = { 0 };
    facts_add(&f, "hostname", "  a\x01\xffz \r\n");
    cr_assert_str_eq(facts_get(&f, "hostname"), "a??z");
    facts_add(&f, "hostname", "a??z");
    facts_add(&f, "hostname", " ");
    cr_assert_eq(f.count, 1);
    facts_remove(&f, "hostname");
    cr_assert(!facts_get(&f, "hostname"));
    facts_free(&f);
}
