#include "base/property.h"
#include "base/bits.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

bool parse_size(const char *text, uint64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned long long v = strtoull(text, &end, hex ? 16 : 10);
    if (errno || end == text)
        return false;
    unsigned shift = 0;
    switch (toupper((unsigned char)*end)) {
    case 'K': shift = 10; end++; break;
    case 'M': shift = 20; end++; break;
    case 'G': shift = 30; end++; break;
    case 'T': shift = 40; end++; break;
    }
    if (*end || (shift && v > UINT64_MAX >> shift))
        return false;
    *value = (uint64_t)v << shift;
    return true;
}

bool parse_time(const char *text, int64_t *ns)
{
    static const struct { const char *unit; int64_t ns; } units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    for (unsigned i = 0; !errno && i < sizeof(units) / sizeof(*units); i++)
        if (!strcmp(end, units[i].unit) && v <= (uint64_t)(INT64_MAX / units[i].ns)) {
            *ns = (int64_t)v * units[i].ns;
            return true;
        }
    return *ns = 0, !errno && !v && !*end;
}

static bool parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "on", "yes", "true", "1" }, *const no[] = { "off", "no", "false", "0" };
    for (unsigned i = 0; i < 4; i++) {
        if (!strcasecmp(text, yes[i]))
            return *value = true;
        if (!strcasecmp(text, no[i])) {
            *value = false;
            return true;
        }
    }
    return false;
}

const struct property *property_find(const struct property *p, const char *key)
{
    for (; p && p->kind != PROP_END; p++)
        if (!strcmp(p->name, key))
            return p;
    return NULL;
}

void property_names(const struct property *p, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (bool first = true; p && p->kind != PROP_END && used < size; p++, first = false)
        used += (size_t)snprintf(text + used, size - used, "%s%s", first ? "" : ", ", p->name);
}

static bool assign(const struct property *p, void *object, const char *value)
{
    static const uint64_t limits[] = { [PROP_U8] = UINT8_MAX, [PROP_U16] = UINT16_MAX, [PROP_U32] = UINT32_MAX,
                                       [PROP_U64] = UINT64_MAX };
    char *member = (char *)object + p->offset;
    uint64_t number;

    if (p->kind == PROP_STRING) {
        char *copy = strdup(value);
        if (!copy)
            return false;
        free(*(char **)member);
        *(char **)member = copy;
        return true;
    }
    if (p->kind == PROP_BOOL)
        return parse_bool(value, (bool *)member);
    if (!parse_size(value, &number) || number > limits[p->kind])
        return false;
    switch (p->kind) {
    case PROP_U8: *(uint8_t *)member = (uint8_t)number; break;
    case PROP_U16: *(uint16_t *)member = (uint16_t)number; break;
    case PROP_U32: *(uint32_t *)member = (uint32_t)number; break;
    default: *(uint64_t *)member = number; break;
    }
    return true;
}

bool property_set(const struct property *table, void *object, const char *what, const char *key, const char *value,
                  struct error *err)
{
    static const char *const kinds[] = { [PROP_U8] = "a number up to 255", [PROP_U16] = "a number up to 65535",
        [PROP_U32] = "a 32-bit number", [PROP_U64] = "a number or size (such as 64M)", [PROP_BOOL] = "on or off",
        [PROP_STRING] = "a text" };
    const struct property *p = property_find(table, key);
    char names[180];

    if (!p) {
        property_names(table, names, sizeof(names));
        return error_set(err, EINVAL, "%s has no key '%s'; it has: %s", what, key, names[0] ? names : "none");
    }
    if (!assign(p, object, value))
        return error_set(err, EINVAL, "%s.%s: '%s' is not %s", what, key, value, kinds[p->kind]);
    return true;
}

bool property_defaults(const struct property *p, void *object, struct error *err)
{
    for (; p && p->kind != PROP_END; p++)
        if (p->fallback && !property_set(p, object, "default", p->name, p->fallback, err))
            return false;
    return true;
}

bool property_parse(const struct property *table, void *object, const char *what, const char *options, struct error *err)
{
    char *copy = strdup(options ? options : ""), *rest = copy, *item;
    bool ok = copy || error_set(err, ENOMEM, "out of memory");
    while (ok && (item = strsep(&rest, ","))) {
        char *value = strchr(item, '=');
        if (!*item)
            continue;
        if (value)
            *value++ = 0;
        ok = property_set(table, object, what, item, value ? value : "on", err);
    }
    free(copy);
    return ok;
}

void property_free(const struct property *p, void *object)
{
    for (; p && p->kind != PROP_END; p++) {
        char **member = (char **)((char *)object + p->offset);
        if (p->kind != PROP_STRING)
            continue;
        free(*member);
        *member = NULL;
    }
}
