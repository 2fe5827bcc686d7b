/* Images in pieces: NAME.001 NAME.002 ..., NAME.000 ..., NAME.aa NAME.ab ... The pieces are found by name, there is nothing else to go
 * by; all but the last must be as long as the first, and none may be missing. */
#include "importers/sources/transports.h"
#include "base/bits.h"
#include "block/layer.h"
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>

enum { PIECES_MOST = 1000 };
struct split { struct block b; struct block *pieces[PIECES_MOST]; unsigned count; uint64_t piece; };

/* How many digits or letters count, at the end of a name behind a separator; 0: none do. */
static size_t counting(const char *name)
{
    const char *end = name + strlen(name), *s = end, *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    bool digits = s > base && isdigit((unsigned char)s[-1]);
    while (s > base && (digits ? isdigit((unsigned char)s[-1]) : islower((unsigned char)s[-1])))
        s--;
    if (s == base)                              /* xaa, xab: what split(1) makes of no name */
        return end - s == 3 && *s == 'x' ? 2 : 0;
    return end - s >= 2 && end - s <= (digits ? 5 : 3) && strchr(digits ? "." : ".-_", s[-1]) ? (size_t)(end - s) : 0;
}

/* All names that differ from this one only in what counts, in order; false: it does not count, or they do not begin with a first one. */
static bool pieces_find(const char *name, glob_t *g)
{
    char pattern[2 * PATH_MAX], *to = pattern;
    size_t count = counting(name), length = strlen(name);
    if (!count || length >= PATH_MAX / 4)
        return false;
    for (const char *c = name; c < name + length - count; *to++ = *c++)
        if (strchr("\\*?[]{}~", *c))
            *to++ = '\\';
    for (size_t i = 0; i < count; i++)
        to = stpcpy(to, isdigit((unsigned char)name[length - 1]) ? "[0-9]" : "[a-z]");
    if (glob(pattern, 0, NULL, g))
        return false;
    const char *first = g->gl_pathv[0] + length - count;
    size_t zeros = strspn(first, "0a");
    if (g->gl_pathc > 1 && (zeros == count || (zeros == count - 1 && first[zeros] == '1')))
        return true;
    globfree(g);
    return false;
}

bool split_is(const char *name, bool *is, struct error *err)
{
    glob_t g;
    if (!(*is = pieces_find(name, &g)))
        return true;
    bool first = !strcmp(g.gl_pathv[0], name);
    if (!first)
        error_set(err, EINVAL, "%s is a piece of an image; give the name of its first piece, %s", name, g.gl_pathv[0]);
    globfree(&g);
    return first;
}

static void count_up(char *name)
{
    char *c = strrchr(name, 0);
    while (*--c == '9' || *c == 'z')
        *c = *c == '9' ? '0' : 'a';
    ++*c;
}

static int split_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct split *s = (struct split *)b;
    int error = 0;
    for (size_t n; length && !error; offset += n, to = (char *)to + n, length -= n) {
        n = (size_t)MIN(length, s->piece - offset % s->piece);
        error = block_read(s->pieces[offset / s->piece], offset % s->piece, to, n);
    }
    return error;
}

static int split_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    struct split *s = (struct split *)b;
    return block_extents(s->pieces[offset / s->piece], offset % s->piece, length, kind);
}

static void split_close(struct block *b)
{
    for (struct split *s = (struct split *)b; s->count;)
        block_close(s->pieces[--s->count]);
}

static const struct block_class split_class = {
    .name = "split", .size = sizeof(struct split), .read = split_read, .extents = split_extents, .close = split_close,
};

static bool piece_add(struct split *s, const char *path, bool last, struct error *err)
{
    struct block *p = block_open_raw(path, BLOCK_RDONLY, err);
    if (!p)
        return false;
    s->pieces[s->count++] = p;
    s->piece = s->count == 1 ? p->size : s->piece;
    s->b.size += p->size;
    if (p->size > s->piece || !p->size || (p->size < s->piece && !last))
        return error_set(err, EINVAL, "the piece %s is %s the first one; %s", path, p->size > s->piece ? "longer than" : "shorter than",
                         p->size > s->piece ? "are these of one image?" : "it was cut short");
    return true;
}

struct block *split_open(const char *first, struct error *err)
{
    char path[PATH_MAX];
    glob_t g;
    struct split *s = (struct split *)block_new(&split_class, err);
    bool ok = s && (pieces_find(first, &g) || error_set(err, ENOENT, "the pieces of %s are gone", first));
    for (size_t i = 0, count = ok ? g.gl_pathc : 0; ok && i < count; i++) {
        if (i)
            count_up(path);
        else
            strcpy(path, first);
        ok = strcmp(path, g.gl_pathv[i]) ? error_set(err, ENOENT, "the piece %s is missing, though later ones are there", path)
           : i == PIECES_MOST ? error_set(err, E2BIG, "%s: an image may have %d pieces; join them with `cat` first", first, PIECES_MOST)
           : piece_add(s, path, i == count - 1, err);
        if (!ok || i == count - 1)
            globfree(&g);
    }
    if (!ok) {
        block_close(s ? &s->b : NULL);
        return NULL;
    }
    s->b.read_only = true;
    return &s->b;
}
