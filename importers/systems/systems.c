/* Running the rules over the files of a volume. Every statement holds zero or more times; what depends on it is run each time,
 * with the pieces that its patterns caught. Work is bounded by a budget of bytes looked at: what remains is left out. */
#include "importers/systems/systems.h"
#include "importers/systems/registry.h"
#include "base/bits.h"
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CAPTURE_MOST = 200, LINE_MOST = 4096, MATCHES_MOST = 4000, PATHS_MOST = 64, NESTED_MOST = 32, YEAR_FIRST = 1981, YEAR_LAST = 2037 };
enum { BUDGET = 256 << 20, TEST_COST = 64 };
struct look {
    const struct systems_rules *rules; struct views views; struct facts *facts;
    char capture[CAPTURES_MOST][CAPTURE_MOST]; unsigned captures, nested;
    int64_t budget;
};

static void run(struct look *, size_t from, size_t end);

/* --- values --- */
/* A driver's own name: no path, no extension, no arguments, lower case. */
static void name_of(char *text)
{
    char *p = text + strspn(text, " *\"@,"), *end = p + strcspn(p, " \t,;=\""), *name = p;
    for (*end = 0; *p; p++)
        if (*p == '\\' || *p == '/' || *p == ':')
            name = p + 1;
    memmove(text, name, strlen(name) + 1);
    text[strcspn(text, ".$")] = 0;
}

/* Applies what stands behind the colons of {1:name:table}. */
static bool functions_apply(const struct look *l, const char *functions, char *value, size_t size)
{
    char each[64];
    for (; *functions == ':'; functions += strlen(each) + 1) {
        snprintf(each, sizeof(each), "%.*s", (int)strcspn(functions + 1, ":"), functions + 1);
        if (!strcmp(each, "name"))
            name_of(value);
        if (!strcmp(each, "name") || !strcmp(each, "lower")) {
            for (char *p = value; *p; p++)
                *p = (char)tolower((unsigned char)*p);
            continue;
        }
        const char *found = systems_look_up(l->rules, each, value);
        if (!found)
            return false;
        if (strcmp(found, "="))
            snprintf(value, size, "%s", found);
    }
    return *value;
}

/* Puts captures {1}.. and facts {os.product} into a text. False: one of them is empty. */
static bool expand(const struct look *l, const char *text, char *to, size_t size)
{
    size_t n = 0;
    *to = 0;
    while (*text && n < size - 1) {
        char name[96], value[CAPTURE_MOST];
        size_t close = *text == '{' ? strcspn(text, "}") : 0;
        if (!close || !text[close] || close > sizeof(name)) {
            to[n++] = *text++;
            to[n] = 0;
            continue;
        }
        snprintf(name, sizeof(name), "%.*s", (int)close - 1, text + 1);
        char *functions = name + strcspn(name, ":"), colon = *functions;
        *functions = 0;
        unsigned number = isdigit((unsigned char)*name) ? (unsigned)atoi(name) : 0;
        const char *found = !number ? facts_get(l->facts, name) : number <= l->captures ? l->capture[number - 1] : NULL;
        snprintf(value, sizeof(value), "%s", found ? found : "");
        *functions = colon;
        if (!functions_apply(l, functions, value, sizeof(value)))
            return false;
        n += (size_t)snprintf(to + n, size - n, "%s", value);
        n = MIN(n, size - 1);
        text += close + 1;
    }
    return true;
}

/* A path with its captures; of DOS's form too: C:\WINDOWS is /WINDOWS. */
static bool path_expand(const struct look *l, const char *word, char path[TREE_PATH_MOST])
{
    char text[TREE_PATH_MOST], *p = text;
    size_t n = 0;
    if (!expand(l, word, text, sizeof(text)))
        return false;
    for (; *p && n < TREE_PATH_MOST - 1; p++) {
        char c = *p == '\\' ? '/' : *p;
        if (isalpha((unsigned char)c) && p[1] == ':' && (p == text || p[-1] == '/'))
            p++;
        else if (c != '/' || !n || path[n - 1] != '/')
            path[n++] = c;
    }
    while (n > 1 && path[n - 1] == '/')
        n--;
    path[n] = 0;
    return n;
}

/* --- records --- */
/* All patterns from `first` on must be found in a record; what they catch is added. */
static bool fits(struct look *l, const struct statement *s, unsigned first, const char *text, size_t length)
{
    unsigned kept = l->captures;
    for (unsigned i = first; i < s->patterns; i++) {
        const struct pattern *p = &s->pattern[i];
        regmatch_t found[CAPTURES_MOST] = { { .rm_so = 0, .rm_eo = (regoff_t)length } };
        bool match = !regexec(&p->re, text, CAPTURES_MOST, found, REG_STARTEND);
        l->budget -= (int64_t)length + TEST_COST;
        if (match == p->negated || l->budget < 0) {
            l->captures = kept;
            return false;
        }
        for (size_t k = 1; !p->negated && k <= p->re.re_nsub && k < CAPTURES_MOST && l->captures < CAPTURES_MOST; k++)
            snprintf(l->capture[l->captures++], CAPTURE_MOST, "%.*s", found[k].rm_so < 0 ? 0 : (int)(found[k].rm_eo - found[k].rm_so),
                     text + MAX(found[k].rm_so, 0));
    }
    return true;
}

struct match { struct look *l; const struct statement *s; unsigned count; };

/* One more time that the statement holds. False: enough. */
static bool held(struct match *m)
{
    struct look *l = m->l;
    size_t index = (size_t)(m->s - l->rules->list);
    m->count++;
    if (l->nested < NESTED_MOST) {
        l->nested++;
        run(l, index + 1, m->s->end);
        l->nested--;
    }
    return m->s->verb != LINE && m->count < MATCHES_MOST && l->budget > 0;
}

static bool record_try(struct match *m, unsigned first, const char *text, size_t length)
{
    unsigned kept = m->l->captures;
    bool more = !fits(m->l, m->s, first, text, length) || held(m);
    m->l->captures = kept;
    return more && m->l->budget > 0;
}

static bool each_line(struct match *m, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t n = end ? (size_t)(end - text) - at : length - at;
        if (!record_try(m, 0, text + at, MIN(n, (size_t)LINE_MOST)))
            return false;
        at += n + 1;
    }
    return true;
}

/* Blocks begin at lines that the first pattern fits. */
static bool each_block(struct match *m, const char *text, size_t length)
{
    const regex_t *begins = &m->s->pattern[0].re;
    for (size_t at = 0, begun = 0; begun < length; at += strcspn(text + at, "\n") + 1) {
        regmatch_t line = { .rm_so = 0, .rm_eo = at < length ? (regoff_t)MIN(strcspn(text + at, "\n"), (size_t)LINE_MOST) : 0 };
        if (at < length && regexec(begins, text + at, 1, &line, REG_STARTEND))
            continue;
        size_t end = MIN(at, length);
        if (end > begun && !record_try(m, 1, text + begun, MIN(end - begun, (size_t)LINE_MOST * 4)))
            return false;
        begun = end;
        if (at >= length)
            break;
    }
    return true;
}

static bool each_key(void *arg, const char *record, size_t length)
{
    return record_try(arg, 0, record, length);
}

/* --- paths --- */
static bool exists(struct look *l, const char *path)
{
    char folder[TREE_PATH_MOST];
    const char *slash = strrchr(path, '/');
    if (!slash)
        return false;
    snprintf(folder, sizeof(folder), "%.*s", slash > path ? (int)(slash - path) : 1, slash > path ? path : "/");
    const struct view *v = view_get(&l->views, VIEW_NAMES, folder);
    size_t n = strlen(slash + 1);
    bool found = v && !n;
    for (const char *line = v ? v->text : NULL; line && *line && !found; line = strchr(line, '\n'), line += line != NULL)
        found = !strncasecmp(line, slash + 1, n) && (line[n] == '\n' || line[n] == '/');
    return found;
}

/* What a statement does with one path. False: enough. */
static bool path_try(struct match *m, const char *path)
{
    struct look *l = m->l;
    enum verb verb = m->s->verb;
    l->budget -= TEST_COST;
    if (verb == HAVE || verb == NONE)
        return !exists(l, path) || (verb == HAVE && held(m));
    const struct view *v = view_get(&l->views, verb == KEY ? VIEW_BYTES : verb == NAMES ? VIEW_NAMES : VIEW_TEXT, path);
    if (!v)
        return true;
    if (verb != KEY)
        return verb == BLOCKS ? each_block(m, v->text, v->length) : each_line(m, v->text, v->length);
    struct hive h;
    char key[TREE_PATH_MOST];
    if (hive_open(&h, v->text, v->length) && expand(l, m->s->text, key, sizeof(key))) {
        hive_find(&h, key, each_key, m);
        l->budget -= h.steps;
    }
    return true;
}

/* Goes through the paths that one with globs names; the names that the globs fit are caught. */
static bool path_walk(struct match *m, const char *path, unsigned *tries)
{
    const char *glob = strpbrk(path, "*?["), *start = glob, *end;
    char folder[TREE_PATH_MOST], part[TREE_PATH_MOST], name[TREE_PATH_MOST], next[2 * TREE_PATH_MOST];
    struct look *l = m->l;
    bool more = true;
    if (!glob)
        return ++*tries > PATHS_MOST ? false : path_try(m, path);
    while (start > path && start[-1] != '/')
        start--;
    end = start + strcspn(start, "/");
    snprintf(folder, sizeof(folder), "%.*s", start - path > 1 ? (int)(start - path) - 1 : 1, path);
    snprintf(part, sizeof(part), "%.*s", (int)(end - start), start);
    const struct view *v = view_get(&l->views, VIEW_NAMES, folder);
    for (const char *line = v ? v->text : NULL; line && *line && more; line = strchr(line, '\n'), line += line != NULL) {
        size_t n = strcspn(line, "/\n");
        snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name) - 1), line);
        l->budget -= TEST_COST;
        if ((*end && line[n] != '/') || fnmatch(part, name, FNM_CASEFOLD | FNM_PERIOD) || strpbrk(name, "*?[") ||
            l->captures == CAPTURES_MOST || l->budget < 0)
            continue;
        snprintf(l->capture[l->captures++], CAPTURE_MOST, "%.*s", CAPTURE_MOST - 1, name);
        if (snprintf(next, sizeof(next), "%.*s%s%s", (int)(start - path), path, name, end) < TREE_PATH_MOST)
            more = path_walk(m, next, tries);
        l->captures--;
    }
    return more;
}

/* --- statements --- */
static void newest_each(void *arg, const struct tree_entry *e)
{
    unsigned *newest = arg;
    if (e->day >= YEAR_FIRST * 10000 && e->day <= YEAR_LAST * 10000)
        *newest = MAX(*newest, e->day);
}

/* The newest day of the names in some folders. */
static void dates_find(struct look *l, const struct statement *s)
{
    const struct tree *t = &l->views.place->tree;
    char path[TREE_PATH_MOST];
    unsigned newest = 0;
    for (unsigned i = 0; i < s->words && t->list; i++)
        if (path_expand(l, s->word[i], path))
            t->list(t->at, path, newest_each, &newest);
    if (newest)
        facts_add(l->facts, "year", "%u", newest / 10000);
    if (newest && !facts_get(l->facts, "activity"))
        facts_add(l->facts, "activity", "%04u-%02u-%02u", newest / 10000, newest / 100 % 100, newest % 100);
}

static void fact_try(struct match *m)
{
    const struct facts *f = m->l->facts;
    bool any = false;
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].key, m->s->word[0])) {
            char value[CAPTURE_MOST];                   /* what depends on it may add facts: the list moves */
            unsigned kept = m->l->captures;
            snprintf(value, sizeof(value), "%s", f->list[i].value);
            any = fits(m->l, m->s, 0, value, strlen(value));
            if (any && m->s->verb == FACT)
                held(m);
            m->l->captures = kept;
            if (any)
                return;
        }
    if (m->s->verb == NOFACT)
        held(m);
}

/* Returns how often the statement held. */
static unsigned statement_run(struct look *l, const struct statement *s)
{
    struct match m = { .l = l, .s = s };
    char text[TREE_PATH_MOST];
    unsigned tries = 0;
    switch (s->verb) {
    case ADD_FIRST:
    case ADD:
        if ((s->verb == ADD || !facts_get(l->facts, s->word[0])) && expand(l, s->text, text, sizeof(text)))
            facts_add(l->facts, s->word[0], "%s", text);
        return 1;
    case USE:
        run(l, s->part + 1, l->rules->list[s->part].end);
        return 1;
    case DATES:
        dates_find(l, s);
        return 1;
    case FACT:
    case NOFACT:
        fact_try(&m);
        return m.count;
    case NONE: {
        bool any = false;
        for (unsigned i = 0; i < s->words; i++)
            any |= path_expand(l, s->word[i], text) && !path_walk(&m, text, &tries);
        if (!any)
            held(&m);
        return m.count;
    }
    default:
        break;
    }
    for (unsigned i = 0; i < s->words; i++)
        if (path_expand(l, s->word[i], text) && (!path_walk(&m, text, &tries) || (m.count && s->verb == HAVE)))
            break;
    return m.count;
}

static void run(struct look *l, size_t from, size_t end)
{
    unsigned count = 0;
    for (size_t i = from; i < end && l->budget > 0; i = l->rules->list[i].end) {
        const struct statement *s = &l->rules->list[i];
        if (s->verb == ELSE) {
            if (!count)
                run(l, i + 1, s->end);
            continue;
        }
        count = statement_run(l, s);
    }
}

size_t systems_find(const struct systems_rules *r, const struct place *place, struct facts found[SYSTEMS_MOST])
{
    struct look *l = calloc(1, sizeof(*l));
    size_t count = 0;
    if (!l)
        return 0;
    l->rules = r;
    l->views.place = place;
    l->budget = BUDGET;
    for (size_t i = 0; i < r->count && count < SYSTEMS_MOST; i = r->list[i].end) {
        if (r->list[i].verb != SYSTEM)
            continue;
        found[count] = (struct facts){ 0 };
        l->facts = &found[count];
        l->captures = 0;
        run(l, i + 1, r->list[i].end);
        count += found[count].count > 0;
    }
    if (l->budget <= 0 && count)
        facts_add(&found[count - 1], "note", "so much was found that the look inside the volume was cut short");
    views_free(&l->views);
    free(l);
    return count;
}
