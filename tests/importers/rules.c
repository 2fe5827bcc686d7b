/* Facts, and the rules that choose profiles from them. */
#include "importers/pins/rules.h"
#include "importers/disk/trees.h"
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
    cr_assert_str_eq(CHOOSE("os.type", "linux", "kernel", "2.0.36"), "generic-linux-2.2");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "os.distro", "debian", "os.version", "2.2"), "generic-linux-2.2");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "os.distro", "redhat", "os.version", "7.3"), "generic-linux-2.4");
    cr_assert_str_eq(CHOOSE("os.type", "linux", "year", "1999"), "generic-linux-2.2");
    cr_assert_str_eq(CHOOSE("os.type", "dos", "os.product", "FreeDOS", "fs", "fat16"), "generic-dos");
    cr_assert_str_eq(CHOOSE("os.type", "windows", "os.product", "Windows 98"), "generic-2000");
    cr_assert_str_eq(CHOOSE("os.type", "windows", "os.product", "Microsoft Windows XP"), "generic-2005");
    cr_assert_str_eq(CHOOSE("os.type", "windows", "os.product", "Windows NT Server"), "generic-1995");
    cr_assert_str_eq(CHOOSE("year", "1992", "fs", "fat16"), "generic-1990");
    cr_assert_str_eq(CHOOSE("year", "2003"), "generic-2000");
    cr_assert_str_eq(CHOOSE("fs", "ext2"), "generic-2000");
    cr_assert_str_eq(CHOOSE("table", "none"), "generic");
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
