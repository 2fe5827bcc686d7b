/* Facts about an old system. Values come out of foreign disks: they are cut to a length and cleaned before they are kept. */
#include "importers/systems/facts.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MOST = 200, FACTS_MOST = 4000 };

static bool known(const struct facts *f, const char *key, const char *value)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].key, key) && !strcmp(f->list[i].value, value))
            return true;
    return false;
}

/* Printable ASCII stays; all else is not worth the trouble of guessing a code page. */
static void clean(char *text)
{
    size_t n = strlen(text), skip = strspn(text, " \t\r\n");
    memmove(text, text + skip, n - skip + 1);
    for (n -= skip; n && strchr(" \t\r\n", text[n - 1]); n--)
        text[n - 1] = 0;
    for (char *p = text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

void facts_add(struct facts *f, const char *key, const char *fmt, ...)
{
    char value[VALUE_MOST];
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    clean(value);
    if (!*value || f->count == FACTS_MOST || known(f, key, value))
        return;
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 32;
        struct fact *more = realloc(f->list, room * sizeof(*more));
        if (!more)
            return;
        f->list = more;
        f->room = room;
    }
    struct fact fact = { strdup(key), strdup(value) };
    if (fact.key && fact.value) {
        f->list[f->count++] = fact;
        return;
    }
    free(fact.key);
    free(fact.value);
}

void facts_copy(struct facts *f, const struct facts *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (*from->list[i].key != '.')
            facts_add(f, from->list[i].key, "%s", from->list[i].value);
}

void facts_remove(struct facts *f, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->list[i].key, key)) {
            f->list[kept++] = f->list[i];
            continue;
        }
        free(f->list[i].key);
        free(f->list[i].value);
    }
    f->count = kept;
}

const char *facts_get(const struct facts *f, const char *key)
{
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].key, key))
            return f->list[i].value;
    return NULL;
}

void facts_free(struct facts *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->list[i].key);
        free(f->list[i].value);
    }
    free(f->list);
    *f = (struct facts){ 0 };
}

json_t *facts_json(const struct facts *f)
{
    json_t *object = json_object();
    for (size_t i = 0; i < f->count; i++) {
        json_t *values = json_object_get(object, f->list[i].key);
        if (!values) {
            values = json_array();
            json_object_set_new(object, f->list[i].key, values);
        }
        json_array_append_new(values, json_string(f->list[i].value));
    }
    return object;
}

void facts_merge(struct facts *f, const json_t *object)
{
    const char *key;
    json_t *values, *value;
    size_t i;
    json_object_foreach((json_t *)object, key, values)
        json_array_foreach(values, i, value)
            if (json_is_string(value))
                facts_add(f, key, "%s", json_string_value(value));
}
