/* Command lines: every kind of option, their order, mistakes, and help that names each. */
#include "console/options.h"
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct own { bool flag; const char *text; struct text_list list; };
static const struct option table[] = {
    { "flag", NULL, OPTION_FLAG, offsetof(struct own, flag), 0, "a flag" },
    { "text", "T", OPTION_TEXT, offsetof(struct own, text), 0, "a text" },
    { "list", "L", OPTION_LIST, offsetof(struct own, list), 0, "a list" },
    { "o", "FILE", OPTION_TEXT, offsetof(struct own, text), 0, "a short one" },
    { 0 }
};
static const struct command test_command = {
    .name = "test", .usage = "[A [B]]", .summary = "a test", .options = table, .size = sizeof(struct own), .common = true, .most = 2,
};

static bool parse(struct invocation *in, struct own *own, struct error *err, int argc, ...)
{
    static char *argv[16];
    va_list ap;
    bool help;

    va_start(ap, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(ap, char *);
    va_end(ap);
    *in = (struct invocation){ .command = &test_command, .own = own };
    *own = (struct own){ 0 };
    return options_parse(in, argc, argv, &help, err);
}

Test(options, kinds)
{
    struct invocation in;
    struct own own;
    struct error err;

    cr_assert(parse(&in, &own, &err, 9, "--flag", "one", "--text", "-", "--list=a=b", "--list", "--c", "--", "--two"), "%s", err.text);
    cr_assert(own.flag);
    cr_assert_str_eq(own.text, "-");
    cr_assert_eq(own.list.count, 2);
    cr_assert_str_eq(own.list.items[0], "a=b");
    cr_assert_str_eq(own.list.items[1], "--c");
    cr_assert_eq(in.arguments.count, 2);
    cr_assert_str_eq(in.arguments.items[1], "--two");
    cr_assert(parse(&in, &own, &err, 2, "-o", "file"));
    cr_assert_str_eq(own.text, "file");
}

Test(options, steps_keep_their_order)
{
    struct invocation in;
    struct own own;
    struct error err;

    cr_assert(parse(&in, &own, &err, 8, "--until", "a", "--type=b", "--key", "f1", "--for", "2.5", "--until=c"), "%s", err.text);
    cr_assert_eq(in.run.steps.count, 4);
    cr_assert_eq(in.run.steps.items[0].kind, STEP_UNTIL);
    cr_assert_eq(in.run.steps.items[1].kind, STEP_TYPE);
    cr_assert_eq(in.run.steps.items[2].kind, STEP_KEY);
    cr_assert_str_eq(in.run.steps.items[3].text, "c");
    cr_assert_float_eq(in.run.seconds, 2.5, 1e-9);
}

Test(options, mistakes)
{
    struct invocation in;
    struct own own;
    struct error err;

    cr_assert(!parse(&in, &own, &err, 1, "--nonsense"));
    cr_assert(strstr(err.text, "--nonsense"));
    cr_assert(!parse(&in, &own, &err, 1, "--text"));
    cr_assert(!parse(&in, &own, &err, 1, "--flag=yes"));
    cr_assert(!parse(&in, &own, &err, 2, "--for", "soon"));
    cr_assert(!parse(&in, &own, &err, 2, "--for", "-1"));
    cr_assert(!parse(&in, &own, &err, 2, "--for", "nan"));
    cr_assert(!parse(&in, &own, &err, 3, "a", "b", "c"));
}

Test(options, help_names_every_option_of_every_command)
{
    for (const struct command *const *c = commands; *c; c++) {
        char *text = NULL, wanted[64];
        size_t size;
        FILE *f = open_memstream(&text, &size);
        options_help(*c, f);
        fclose(f);
        cr_assert(strstr(text, (*c)->name));
        for (const struct option *o = (*c)->options; o && o->name; o++) {
            snprintf(wanted, sizeof(wanted), "-%s", o->name);
            cr_assert(strstr(text, wanted), "%s: %s", (*c)->name, wanted);
        }
        cr_assert_eq(strstr(text, "--until") != NULL, (*c)->common);
        free(text);
    }
}

Test(options, every_command_has_a_page_that_names_its_options)
{
    static char text[65536];

    for (const struct command *const *c = commands; *c; c++) {
        char path[64];
        snprintf(path, sizeof(path), "docs/man/holdover-%s.1", (*c)->name);
        FILE *f = fopen(path, "r");
        if (!f && access("docs/man", F_OK))
            TEST_SKIP("console.man-pages", "not run in the source folder");
        cr_assert(f, "%s is missing", path);
        text[fread(text, 1, sizeof(text) - 1, f)] = 0;
        fclose(f);
        for (const struct option *o = (*c)->options; o && o->name; o++) {
            char wanted[80] = "\\-";
            size_t n = 2;
            if (strlen(o->name) > 1) {
                strcpy(wanted, "\\-\\-");
                n = 4;
            }
            for (const char *p = o->name; *p; p++) {
                if (*p == '-')
                    wanted[n++] = '\\';
                wanted[n++] = *p;
            }
            wanted[n] = 0;
            cr_assert(strstr(text, wanted), "%s does not name %s", path, wanted);
        }
    }
}
