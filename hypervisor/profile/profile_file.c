/* Profiles as INI files: reading with inheritance, writing, and where the shipped ones are. */
#include "base/bits.h"
#include "profile/profile.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUFFIX ".profile"
enum { DEPTH_MAX = 8,                           /* of inheritance */
       LINE_MAX_BYTES = 190 };                  /* inih's buffer holds 200 */

struct reader {
    FILE *file;
    const char *path;
    unsigned line;
    struct profile *own;                        /* the settings of this file alone */
    struct error *err;
    bool failed;
};

/* inih asks for lines through this, so that the handler knows which line it is on. */
static char *reader_line(char *text, int size, void *stream)
{
    struct reader *r = stream;

    if (r->failed || !fgets(text, size, r->file))
        return NULL;
    r->line++;
    if (!strchr(text, '\n') && !feof(r->file)) {
        r->failed = true;
        error_set(r->err, EINVAL, "%s:%u: the line is longer than %d characters", r->path, r->line, LINE_MAX_BYTES);
        return NULL;
    }
    if ((text[0] == ' ' || text[0] == '\t') && text[strspn(text, " \t\r\n")]) {
        r->failed = true;
        error_set(r->err, EINVAL, "%s:%u: the line starts with a blank; a setting takes one line", r->path, r->line);
        return NULL;
    }
    return text;
}

static int reader_setting(void *user, const char *section, const char *key, const char *value)
{
    struct reader *r = user;

    if (r->failed)
        return 0;
    if (!*section)
        r->failed = !error_set(r->err, EINVAL, "%s:%u: '%s' stands before the first [section]", r->path, r->line, key);
    else if (profile_get(r->own, section, key))
        r->failed = !error_set(r->err, EINVAL, "%s:%u: [%s] %s is set a second time", r->path, r->line, section, key);
    else
        r->failed = !profile_set(r->own, section, key, value, r->path, r->line, r->err);
    return !r->failed;
}

static struct profile *file_read(const char *path, struct error *err)
{
    struct reader r = { .file = fopen(path, "re"), .path = path, .own = profile_new(), .err = err };
    int bad_line;

    if (!r.file) {
        error_set(err, errno, "cannot read the profile %s: %s", path, strerror(errno));
        profile_free(r.own);
        return NULL;
    }
    bad_line = ini_parse_stream(reader_line, &r, reader_setting, &r);
    if (!r.failed && ferror(r.file)) {
        r.failed = true;
        error_set(err, EIO, "cannot read the profile %s", path);
    }
    fclose(r.file);
    if (!r.failed && bad_line) {
        r.failed = true;
        error_set(err, EINVAL, "%s:%d: neither [section] nor key = value", path, bad_line);
    }
    if (r.failed) {
        profile_free(r.own);
        return NULL;
    }
    return r.own;
}

const char *profile_folder(void)
{
    static _Thread_local char folder[PATH_MAX + 64];
    static const char *const beside[] = { "legacy-profiles", "../legacy-profiles", "../share/holdover/profiles" };
    const char *given = getenv("HOLDOVER_PROFILES");
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    if (given && *given)
        return given;
    if (n > 0) {
        program[n] = 0;
        if ((slash = strrchr(program, '/')))
            *slash = 0;
        for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
            snprintf(folder, sizeof(folder), "%s/%s", program, beside[i]);
            if (!access(folder, X_OK))
                return folder;
        }
    }
    return "legacy-profiles";
}

/* A name is looked for in the shipped folder; anything with a slash or the suffix is a path. */
static void profile_path(const char *name, char *path, size_t size)
{
    size_t length = strlen(name), suffix = strlen(SUFFIX);

    if (strchr(name, '/') || (length > suffix && !strcmp(name + length - suffix, SUFFIX)))
        snprintf(path, size, "%s", name);
    else
        snprintf(path, size, "%s/%s" SUFFIX, profile_folder(), name);
}

static struct profile *load_depth(const char *name, unsigned depth, struct error *err)
{
    char path[PATH_MAX];
    struct profile *own, *base;
    const char *inherit;
    bool ok = true;

    if (depth > DEPTH_MAX) {
        error_set(err, ELOOP, "the profile '%s' inherits in a circle, or more than %d deep", name, DEPTH_MAX);
        return NULL;
    }
    profile_path(name, path, sizeof(path));
    if (!strchr(name, '/') && access(path, F_OK)) {
        error_set(err, ENOENT, "there is no profile '%s' in %s; `holdover profiles` lists those that exist", name,
                  profile_folder());
        return NULL;
    }
    if (!(own = file_read(path, err)))
        return NULL;
    inherit = profile_get(own, "profile", "inherit");
    if (!inherit || !*inherit)
        return own;
    if (!(base = load_depth(inherit, depth + 1, err))) {
        profile_free(own);
        return NULL;
    }
    for (size_t i = 0; i < base->count; i++)
        base->settings[i].inherited = true;
    for (size_t i = 0; i < own->count && ok; i++) {
        const struct setting *s = &own->settings[i];
        ok = profile_set(base, s->section, s->key, s->value, s->file, s->line, err);
    }
    profile_free(own);
    if (!ok) {
        profile_free(base);
        return NULL;
    }
    return base;
}

/* What [profile] says of a base does not hold for those that inherit it. */
static void drop_inherited(struct profile *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct setting *s = &p->settings[i];
        if (s->inherited && !strcmp(s->section, "profile"))
            setting_free(s);
        else
            p->settings[kept++] = *s;
    }
    p->count = kept;
}

struct profile *profile_load(const char *name_or_path, struct error *err)
{
    struct profile *p = load_depth(name_or_path, 0, err);
    const char *slash = strrchr(name_or_path, '/'), *name = slash ? slash + 1 : name_or_path;
    size_t suffix = strlen(SUFFIX), length = strlen(name);

    if (!p)
        return NULL;
    drop_inherited(p);
    free(p->name);
    p->name = strndup(name, length > suffix && !strcmp(name + length - suffix, SUFFIX) ? length - suffix : length);
    if (!p->name)
        abort();
    return p;
}

/* A value that inih would read back differently: comments, blanks at its ends, too long. */
static bool writable(const struct setting *s)
{
    size_t n = strlen(s->value);

    return strlen(s->key) + n + 3 <= LINE_MAX_BYTES && !strstr(s->value, " ;") && !strstr(s->value, "\t;") &&
           s->value[0] != ';' && !(n && (strchr(" \t", s->value[0]) || strchr(" \t", s->value[n - 1])));
}

void profile_print(const struct profile *p, FILE *f, bool all)
{
    for (size_t i = 0, printed = 0; i < p->count; i++) {
        bool seen = false, open = false;
        for (size_t j = 0; j < i; j++)
            seen |= !strcmp(p->settings[j].section, p->settings[i].section);
        for (size_t j = i; j < p->count && !seen; j++) {
            const struct setting *s = &p->settings[j];
            const char *slash = s->file ? strrchr(s->file, '/') : NULL;
            if ((s->inherited && !all) || strcmp(s->section, p->settings[i].section))
                continue;
            if (!open)
                fprintf(f, "%s[%s]\n", printed++ ? "\n" : "", s->section);
            open = true;
            if (s->reason)
                fprintf(f, "; %.*s\n", LINE_MAX_BYTES - 2, s->reason);
            fprintf(f, "%s = %s", s->key, s->value);
            if (s->inherited)
                fprintf(f, "   ; %s:%u", slash ? slash + 1 : s->file, s->line);
            fputc('\n', f);
        }
    }
}

bool profile_write(const struct profile *p, const char *path, struct error *err)
{
    char temporary[PATH_MAX];
    bool ok;
    FILE *f;

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return error_set(err, ENAMETOOLONG, "the path %s is too long", path);
    for (const struct setting *s = p->settings; s < p->settings + p->count; s++)
        if (!s->inherited && !writable(s))
            return error_set(err, EINVAL, "the value of %s.%s cannot be written to a profile: '%s'", s->section, s->key, s->value);
    if (!(f = fopen(temporary, "we")))
        return error_set(err, errno, "cannot write %s: %s", temporary, strerror(errno));
    profile_print(p, f, false);
    ok = !fflush(f) && !ferror(f) && !fsync(fileno(f));
    if (!ok)
        error_set(err, errno, "cannot write %s: %s", temporary, strerror(errno));
    fclose(f);
    if (ok && rename(temporary, path))
        ok = error_set(err, errno, "cannot rename %s to %s: %s", temporary, path, strerror(errno));
    if (!ok)
        unlink(temporary);
    return ok;
}

static int is_profile(const struct dirent *e)
{
    size_t n = strlen(e->d_name), suffix = strlen(SUFFIX);

    return n > suffix && e->d_name[0] != '.' && !strcmp(e->d_name + n - suffix, SUFFIX);
}

char **profile_list(struct error *err)
{
    struct dirent **found;
    int count = scandir(profile_folder(), &found, is_profile, alphasort);
    char **names = count < 0 ? NULL : calloc((size_t)count + 1, sizeof(*names));

    if (!names) {
        error_set(err, errno, "cannot list the profiles in %s: %s; set HOLDOVER_PROFILES", profile_folder(), strerror(errno));
        return NULL;
    }
    for (int i = 0; i < count; free(found[i++]))
        names[i] = strndup(found[i]->d_name, strlen(found[i]->d_name) - strlen(SUFFIX));
    free(found);
    return names;
}

void profile_list_free(char **names)
{
    for (char **n = names; n && *n; n++)
        free(*n);
    free(names);
}
