/* Images in pieces: NAME.001 NAME.002 ..., NAME.000 ..., NAME.aa NAME.ab ... The pieces are found by name, there is nothing else to go
 * by; all but the last must be as long as the first, and none may be missing. */
#include "importers/sources/transports.h"
#include "base/bits.h"
#include "block/layer.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PIECES_MOST = 1000 };
struct split { struct block b; struct block *pieces[PIECES_MOST]; unsigned count; uint64_t piece; };

/* Where the counting part of a name begins, digits or letters behind a separator; NULL: there is none. */
static char *suffix_of(char *path)
{
    char *end = path + strlen(path), *s = end, *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    int (*kind)(int) = s > base && isdigit((unsigned char)s[-1]) ? isdigit : islower;
    while (s > base && kind((unsigned char)s[-1]))
        s--;
    if (s == base && end - s == 3 && *s == 'x')             /* xaa, xab: what split(1) makes of no name */
        return s + 1;
    return s > base && strchr(".-_", s[-1]) && end - s >= 2 && end - s <= (kind == isdigit ? 5 : 3) && (kind != isdigit || s[-1] == '.') ? s : NULL;
}

/* Counts up or down; false: beyond the first or last. */
static bool suffix_step(char *suffix, int step)
{
    bool digits = isdigit((unsigned char)*suffix);
    char low = digits ? '0' : 'a', high = digits ? '9' : 'z';
    for (char *c = suffix + strlen(suffix); c-- > suffix;) {
        if (*c != (step > 0 ? high : low)) {
            *c = (char)(*c + step);
            return true;
        }
        *c = step > 0 ? low : high;
    }
    return false;
}

static bool piece_there(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode);
}

/* A piece that is there though an earlier one, `path`, is not. */
static bool later_there(const char *path, const char *suffix)
{
    char *copy = strdup(path), *base = copy ? strrchr(copy, '/') : NULL;
    size_t at = (size_t)(suffix - path), start = base ? (size_t)(base - copy) + 1 : 0;
    if (base)
        *base = 0;
    DIR *d = copy ? opendir(!base ? "." : *copy ? copy : "/") : NULL;
    bool found = false;
    for (struct dirent *e; !found && d && (e = readdir(d));) {
        const char *name = e->d_name, *rest = name + (at - start);
        found = strlen(name) == strlen(path + start) && !memcmp(name, path + start, at - start) && strcmp(rest, suffix) > 0;
        for (; found && *rest; rest++)
            found = isdigit((unsigned char)*suffix) ? isdigit((unsigned char)*rest) : islower((unsigned char)*rest);
    }
    if (d)
        closedir(d);
    free(copy);
    return found;
}

bool split_is(const char *name, bool *is, struct error *err)
{
    char path[PATH_MAX], *suffix;
    *is = false;
    if (snprintf(path, sizeof(path), "%s", name) >= (int)sizeof(path) || !(suffix = suffix_of(path)))
        return true;
    size_t first = strspn(suffix, "0a"), length = strlen(suffix);
    bool one = first == length - 1 && suffix[first] == '1', begins = first == length || one;
    if (suffix_step(suffix, -1) && piece_there(path) && (!one || !piece_there(name) || strspn(suffix, "0") == length))
        return error_set(err, EINVAL, "%s is a piece of an image that begins earlier (there is %s); give the name of its first piece", name, path);
    strcpy(path, name);
    *is = begins && suffix_step(suffix, 1) && (piece_there(path) || later_there(path, suffix));
    return true;
}

static int split_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct split *s = (struct split *)b;
    for (size_t n; length; offset += n, to = (char *)to + n, length -= n) {
        uint64_t inside = offset % s->piece;
        n = (size_t)MIN(length, s->piece - inside);
        int error = block_read(s->pieces[offset / s->piece], inside, to, n);
        if (error)
            return error;
    }
    return 0;
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

static bool piece_add(struct split *s, const char *path, struct error *err)
{
    struct block *p = s->count == PIECES_MOST ? NULL : block_open_raw(path, BLOCK_RDONLY, err);
    if (!p)
        return s->count < PIECES_MOST ? false : error_set(err, E2BIG, "%s: an image may have %d pieces; join them with `cat` first", path, PIECES_MOST);
    s->pieces[s->count++] = p;
    if (s->count == 1)
        s->piece = p->size;
    s->b.size += p->size;
    return p->size <= s->piece && p->size ? true : error_set(err, EINVAL, "%s is %s than the first piece; are these pieces of one image?", path,
                                                             p->size ? "longer" : "empty, shorter");
}

struct block *split_open(const char *first, struct error *err)
{
    char path[PATH_MAX], *suffix;
    struct split *s = (struct split *)block_new(&split_class, err);
    bool ok = s, more = true;
    snprintf(path, sizeof(path), "%s", first);
    for (suffix = suffix_of(path); ok && more && piece_there(path); more = suffix_step(suffix, 1)) {
        if (s->count && s->pieces[s->count - 1]->size != s->piece)
            ok = error_set(err, EINVAL, "the piece before %s is shorter than the first; it was cut short", path);
        ok = ok && piece_add(s, path, err);
    }
    if (ok && more && later_there(path, suffix))
        ok = error_set(err, ENOENT, "the piece %s is missing, though later ones are there", path);
    if (!ok) {
        block_close(s ? &s->b : NULL);
        return NULL;
    }
    s->b.read_only = true;
    return &s->b;
}
