/* See snippets.h. */
#include "tests/support/snippets.h"
#include "base/bits.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD = 12 + 4 * SNIPPET_VALUES + 64, FILE_MAX = 1 << 20 };

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "snippets: %s: %s\n", what, why);
    abort();
}

struct snippets snippets_load(const char *name)
{
    char self[512] = "", path[640];
    struct snippets s = { .file = malloc(FILE_MAX), .all = calloc(1024, sizeof *s.all) };
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        fail(name, "cannot find out where this program is");
    snprintf(path, sizeof path, "%s/engine/%s.bin", dirname(self), name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail(path, "not there; run 'make tests'");
    size_t size = fread(s.file, 1, FILE_MAX, f);
    fclose(f);
    for (size_t at = 0; at + HEAD <= size && s.count < 1024; s.count++) {
        struct snippet *one = &s.all[s.count];
        *one = (struct snippet){ .name = (const char *)s.file + at + HEAD - 64, .code = s.file + at + HEAD,
            .length = le32_get(s.file + at), .kind = le32_get(s.file + at + 4), .value_count = le32_get(s.file + at + 8) };
        for (unsigned n = 0; n < SNIPPET_VALUES; n++)
            one->value[n] = le32_get(s.file + at + 12 + 4 * n);
        at += HEAD + one->length;
        if (at > size)
            fail(path, "damaged");
    }
    if (!s.count)
        fail(path, "empty");
    return s;
}

void snippets_free(struct snippets *s)
{
    free(s->file);
    free(s->all);
}
