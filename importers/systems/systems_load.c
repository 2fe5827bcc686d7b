/* Reading legacy-profiles/systems.rules, whose head describes the language. */
#include "importers/systems/systems.h"
#include "base/bits.h"
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 24, RULES_MOST = 8000, FILE_MOST = 4 << 20 };
static const struct { const char *name; enum verb verb; unsigned words, patterns; } verbs[] = {      /* the least of each */
    { "system", SYSTEM, 0, 1 }, { "part", PART, 1, 0 }, { "use", USE, 1, 0 }, { "have", HAVE, 1, 0 }, { "none", NONE, 1, 0 },
    { "line", LINE, 1, 1 }, { "lines", LINES, 1, 1 }, { "blocks", BLOCKS, 1, 2 }, { "key", KEY, 1, 1 }, { "names", NAMES, 1, 1 },
    { "fact", FACT, 1, 0 }, { "nofact", NOFACT, 1, 0 }, { "dates", DATES, 1, 0 }, { "else", ELSE, 0, 0 },
};
struct loader { struct systems_rules *rules; const char *path, *table; unsigned number; struct error *err; };

static bool fail(const struct loader *l, const char *what)
{
    return error_set(l->err, EINVAL, "%s:%u: %s", l->path, l->number, what);
}

/* In patterns \n, \t and \q are a line's end, a tabulator and a quote; all else is left to the regular expression. */
static void escapes(char *text)
{
    char *to = text;
    for (; *text; text++)
        if (*text == '\\' && text[1] && strchr("ntq", text[1]))
            *to++ = *++text == 'n' ? '\n' : *text == 't' ? '\t' : '"';
        else if (*text == '\\' && text[1])
            *to++ = *text++, *to++ = *text;
        else
            *to++ = *text;
    *to = 0;
}

static bool pattern_take(struct loader *l, struct statement *s, char *text)
{
    struct pattern *p = &s->pattern[s->patterns];
    if (s->verb == SYSTEM || (s->verb == KEY && !s->text)) {
        s->text = text;
        return true;
    }
    if (s->patterns == PATTERNS_MOST)
        return fail(l, "too many patterns");
    escapes(text);
    p->negated = *text == '!';
    if (regcomp(&p->re, text + p->negated, REG_EXTENDED | REG_ICASE | REG_NEWLINE))
        return fail(l, "this is not a regular expression");
    s->patterns++;
    return true;
}

/* Words stand alone, patterns in quotes. */
static bool words_take(struct loader *l, struct statement *s, char *p)
{
    for (p += strspn(p, " \t"); *p; p += strspn(p, " \t")) {
        bool quoted = *p == '"';
        p += quoted;
        size_t n = strcspn(p, quoted ? "\"" : " \t");
        if (quoted && !p[n])
            return fail(l, "a quote is not closed");
        char *next = p + n + (p[n] != 0);
        p[n] = 0;
        if (quoted) {
            if (!pattern_take(l, s, p))
                return false;
        } else if (s->words == WORDS_MOST) {
            return fail(l, "too many words");
        } else {
            s->word[s->words++] = p;
        }
        p = next;
    }
    return true;
}

static bool value_take(struct loader *l, struct statement *s, char *key, char *value)
{
    s->verb = value[0] == '?' ? ADD_FIRST : ADD;
    value += strcspn(value, "=") + 1;
    value += strspn(value, " \t");
    s->word[s->words++] = key;
    s->text = value;
    return *value || fail(l, "a fact needs a value");
}

/* A part stands before its uses, and is closed there: they cannot form a circle. */
static bool part_find(const struct loader *l, struct statement *use)
{
    const struct statement *list = l->rules->list;
    bool closed = false;
    for (size_t i = l->rules->count; i-- > 0; closed |= !list[i].depth)
        if (closed && list[i].verb == PART && !strcmp(list[i].word[0], use->word[0])) {
            use->part = i;
            return true;
        }
    return fail(l, "no part before it has this name");
}

static bool statement_take(struct loader *l, char *text, unsigned depth)
{
    struct systems_rules *r = l->rules;
    struct statement *s = &r->list[r->count++];
    size_t n = strcspn(text, " \t"), i = 0;
    char *rest = text + n + strspn(text + n, " \t");
    if (r->count == RULES_MOST)
        return fail(l, "too many rules");
    if (depth > DEPTH_MOST || depth > (r->count > 1 ? s[-1].depth + 1 : 0))
        return fail(l, "a line is indented by more than one step of four blanks below the one it depends on");
    s->depth = depth;
    text[n] = 0;
    if (*rest == '=' || (rest[0] == '?' && rest[1] == '='))
        return value_take(l, s, text, rest);
    while (i < ARRAY_SIZE(verbs) && strcmp(verbs[i].name, text))
        i++;
    if (i == ARRAY_SIZE(verbs))
        return fail(l, "no such word begins a rule");
    s->verb = verbs[i].verb;
    if ((depth == 0) != (s->verb == SYSTEM || s->verb == PART))
        return fail(l, "`system` and `part` stand at the margin, and nothing else does");
    if (!words_take(l, s, rest))
        return false;
    if (s->words < verbs[i].words || (s->verb != SYSTEM && s->patterns + (s->verb == KEY && s->text) < verbs[i].patterns))
        return fail(l, "something is missing behind the first word");
    return s->verb != USE || part_find(l, s);
}

static bool entry_take(struct loader *l, char *text)
{
    struct systems_rules *r = l->rules;
    size_t n = strcspn(text, " \t");
    char *value = text + n + strspn(text + n, " \t");
    text[n] = 0;
    if (!*value || r->entry_count == RULES_MOST)
        return fail(l, "an entry of a table has a key and a value");
    r->entries[r->entry_count++] = (struct table_entry){ l->table, text, value };
    return true;
}

static bool line_take(struct loader *l, char *line)
{
    size_t indent = strspn(line, " "), n = strlen(line);
    while (n && isspace((unsigned char)line[n - 1]))
        line[--n] = 0;
    if (n <= indent || line[indent] == '#')
        return true;
    if (indent % 4)
        return fail(l, "lines are indented by steps of four blanks");
    if (!indent && !strncmp(line, "table ", 6)) {
        l->table = line + 6;
        return true;
    }
    if (indent && l->table)
        return entry_take(l, line + indent);
    l->table = NULL;
    return statement_take(l, line + indent, (unsigned)indent / 4);
}

static void ends_find(struct systems_rules *r)
{
    for (size_t i = r->count; i-- > 0;) {
        size_t end = i + 1;
        while (end < r->count && r->list[end].depth > r->list[i].depth)
            end = r->list[end].end;
        r->list[i].end = end;
    }
}

struct systems_rules *systems_load(const char *path, struct error *err)
{
    struct loader l = { .rules = calloc(1, sizeof(*l.rules)), .path = path, .err = err };
    FILE *file = fopen(path, "r");
    bool ok = file && l.rules && (l.rules->file = calloc(1, FILE_MOST + 1)) && (l.rules->list = calloc(RULES_MOST, sizeof(*l.rules->list))) &&
              (l.rules->entries = calloc(RULES_MOST, sizeof(*l.rules->entries)));
    if (!ok)
        error_set(err, errno, "cannot read the rules %s: %s", path, strerror(errno));
    else
        l.rules->file[fread(l.rules->file, 1, FILE_MOST, file)] = 0;
    if (file)
        fclose(file);
    for (char *next = ok ? l.rules->file : NULL, *line; ok && (line = strsep(&next, "\n")); ok = line_take(&l, line))
        l.number++;
    if (ok) {
        ends_find(l.rules);
        return l.rules;
    }
    systems_free(l.rules);
    return NULL;
}

void systems_free(struct systems_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        for (unsigned k = 0; k < r->list[i].patterns; k++)
            regfree(&r->list[i].pattern[k].re);
    free(r->list);
    free(r->entries);
    free(r->file);
    free(r);
}

const char *systems_look_up(const struct systems_rules *r, const char *table, const char *key)
{
    for (size_t i = 0; i < r->entry_count; i++)
        if (!strcmp(r->entries[i].table, table) && !fnmatch(r->entries[i].key, key, FNM_CASEFOLD))
            return r->entries[i].value;
    return NULL;
}
