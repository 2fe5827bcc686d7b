/* Rules, a line each:  CONDITION... -> TARGET... : REASON
 * Conditions on facts:  key=glob  key>=version  key<=version  key  !key   - any value of the key may satisfy it; a glob
 * ignores case. {key} in a target or the reason stands for the value that a condition of this line matched, or the key's
 * first one. */
#include "importers/pins/rules.h"
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MATCHES_MOST = 8, LINE_MOST = 512 };
struct matches { size_t count; struct { char key[64]; const char *value; } list[MATCHES_MOST]; };

/* Compares dotted numbers; what is not a number ends them. */
static int version_compare(const char *a, const char *b)
{
    for (;;) {
        char *end_a, *end_b;
        unsigned long x = strtoul(a, &end_a, 10), y = strtoul(b, &end_b, 10);
        if (x != y)
            return x < y ? -1 : 1;
        if (*end_b != '.' || !isdigit((unsigned char)end_b[1]))
            return 0;                           /* the rule's version is a prefix: 2.4 is 2.4.27 */
        if (*end_a != '.')
            return -1;
        a = end_a + 1, b = end_b + 1;
    }
}

static bool value_fits(const char *value, const char *op, const char *wanted)
{
    if (!*op)
        return true;
    if (*op == '=')
        return !fnmatch(wanted, value, FNM_CASEFOLD);
    if (!isdigit((unsigned char)*value))
        return false;
    return *op == '>' ? version_compare(value, wanted) >= 0 : version_compare(value, wanted) <= 0;
}

static bool condition_holds(const struct facts *f, const char *condition, struct matches *m)
{
    bool negated = *condition == '!';
    const char *key = condition + negated, *op = key + strcspn(key, "=<>");
    const char *wanted = !*op ? op : op[1] == '=' ? op + 2 : op + 1;
    size_t length = (size_t)(op - key);
    for (size_t i = 0; i < f->count; i++) {
        const struct fact *fact = &f->list[i];
        if (strlen(fact->key) != length || memcmp(fact->key, key, length))
            continue;
        if (!value_fits(fact->value, op, wanted)) {
            if (!strncmp(key, "os.", 3))        /* the first value is of the system that starts, others are of those beside it */
                break;
            continue;
        }
        if (!negated && m->count < MATCHES_MOST && length < sizeof(m->list[0].key)) {
            snprintf(m->list[m->count].key, sizeof(m->list[0].key), "%s", fact->key);
            m->list[m->count++].value = fact->value;
        }
        return !negated;
    }
    return negated;
}

static const char *value_of(const struct facts *f, const struct matches *m, const char *key)
{
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->list[i].key, key))
            return m->list[i].value;
    const char *value = facts_get(f, key);
    return value ? value : "unknown";
}

static void text_fill(char to[IMPORT_TEXT], const char *text, const struct facts *f, const struct matches *m)
{
    size_t n = 0;
    while (*text && n < IMPORT_TEXT - 1) {
        char key[64];
        int used = 0;
        if (sscanf(text, "{%63[a-z0-9.-]}%n", key, &used) == 1 && used) {
            n += (size_t)snprintf(to + n, IMPORT_TEXT - n, "%s", value_of(f, m, key));
            text += used;
        } else {
            to[n++] = *text++;
        }
    }
    to[n < IMPORT_TEXT ? n : IMPORT_TEXT - 1] = 0;
}

static bool line_holds(char *conditions, const struct facts *f, struct matches *m)
{
    char *rest = NULL;
    m->count = 0;
    for (char *c = strtok_r(conditions, " \t", &rest); c; c = strtok_r(NULL, " \t", &rest))
        if (!condition_holds(f, c, m))
            return false;
    return true;
}

/* The targets of a line that holds, one by one; false ends it all. */
static bool targets_give(char *targets, const char *reason, const struct facts *f, const struct matches *m, rule_target *each, void *arg)
{
    char target[IMPORT_TEXT], why[IMPORT_TEXT], *rest = NULL;
    text_fill(why, reason, f, m);
    for (char *t = strtok_r(targets, " \t", &rest); t; t = strtok_r(NULL, " \t", &rest)) {
        text_fill(target, t, f, m);
        if (!each(arg, target, why))
            return false;
    }
    return true;
}

bool rules_apply(const char *path, const struct facts *f, rule_target *each, void *arg, struct error *err)
{
    char line[LINE_MOST];
    bool ok = true, more = true;
    FILE *file = fopen(path, "r");
    if (!file)
        return error_set(err, errno, "cannot read the rules %s: %s", path, strerror(errno));
    for (unsigned number = 1; ok && more && fgets(line, sizeof(line), file); number++) {
        struct matches m;
        char *text = line + strspn(line, " \t");
        text[strcspn(text, "\r\n")] = 0;
        if (!*text || *text == '#')
            continue;
        char *arrow = strstr(text, "->"), *colon = arrow ? strstr(arrow, " : ") : NULL;
        if (!colon) {
            ok = error_set(err, EINVAL, "%s:%u: a rule reads `conditions -> targets : reason`", path, number);
            continue;
        }
        *arrow = *colon = 0;
        more = !line_holds(text, f, &m) || targets_give(arrow + 2, colon + 3, f, &m, each, arg);
    }
    fclose(file);
    return ok;
}

struct choice { char *profile, *reason; bool made; };

static bool choice_take(void *arg, const char *target, const char *reason)
{
    struct choice *c = arg;
    c->made = true;
    snprintf(c->profile, 64, "%s", target);
    snprintf(c->reason, IMPORT_TEXT, "%s", reason);
    return false;
}

bool rules_choose(const char *path, const struct facts *f, char profile[64], char reason[IMPORT_TEXT], struct error *err)
{
    struct choice c = { profile, reason, false };
    return rules_apply(path, f, choice_take, &c, err) &&
           (c.made || error_set(err, EINVAL, "no rule in %s fits; its last line should have no conditions", path));
}
