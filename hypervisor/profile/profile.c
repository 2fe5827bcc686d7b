/* Settings in memory: set, get, apply to structs. Files are in profile_file.c, the fixed sections in sections.c. */
#include "profile/profile.h"
#include "base/bits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char *copy_text(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        abort();
    return copy;
}

struct profile *profile_new(void)
{
    struct profile *p = calloc(1, sizeof(*p));

    if (!p)
        abort();
    p->name = copy_text("");
    return p;
}

void setting_free(struct setting *s)
{
    free(s->reason);
    free(s->section);
    free(s->key);
    free(s->value);
    free(s->file);
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        setting_free(&p->settings[i]);
    free(p->settings);
    free(p->name);
    free(p);
}

static struct setting *setting_find(const struct profile *p, const char *section, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->settings[i].section, section) && !strcmp(p->settings[i].key, key))
            return &p->settings[i];
    return NULL;
}

/* Where a setting stands, for messages: "old.profile:12: cpu", or "cpu" from the command line. */
static void place_text(char *text, size_t size, const char *file, unsigned line, const char *section)
{
    if (file)
        snprintf(text, size, "%s:%u: %s", file, line, section);
    else
        snprintf(text, size, "%s", section);
}

/* Keys whose text is one of few words. */
static bool choice_check(const struct profile_section *s, const char *place, const char *key, const char *value, struct error *err)
{
    static const struct { const char *section, *key, *one, *other; } choices[] = {
        { "machine", "clock", "real", "counted" }, { "window", "scale", "integer", "smooth" },
    };
    for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++)
        if (!strcmp(choices[i].section, s->name) && !strcmp(choices[i].key, key) && strcmp(choices[i].one, value) &&
            strcmp(choices[i].other, value))
            return error_set(err, EINVAL, "%s.%s: '%s' is neither %s nor %s", place, key, value, choices[i].one, choices[i].other);
    return true;
}

static bool value_check(const struct profile_section *s, const char *place, const char *key, const char *value,
                        struct error *err)
{
    uint64_t object[PROFILE_OBJECT_MAX / sizeof(uint64_t)] = { 0 };
    bool ok = property_set(s->properties, object, place, key, value, err) && choice_check(s, place, key, value, err);

    property_free(s->properties, object);
    return ok;
}

bool profile_set(struct profile *p, const char *section, const char *key, const char *value, const char *file, unsigned line,
                 struct error *err)
{
    const struct profile_section *fixed = profile_section_find(section);
    struct setting *s = setting_find(p, section, key);
    char place[160];

    place_text(place, sizeof(place), file, line, section);
    if (!*section || !*key)
        return error_set(err, EINVAL, "%s a setting needs a section and a key, as in machine.memory=64M", place);
    if (strpbrk(value, "\r\n"))
        return error_set(err, EINVAL, "%s %s: a value must be a single line", place, key);
    if (fixed && !value_check(fixed, place, key, value, err))
        return false;
    if (!s) {
        struct setting *grown = realloc(p->settings, (p->count + 1) * sizeof(*grown));
        if (!grown)
            abort();
        p->settings = grown;
        s = &p->settings[p->count++];
        *s = (struct setting){ .section = copy_text(section), .key = copy_text(key) };
    }
    char *new_value = copy_text(value), *new_file = file ? copy_text(file) : NULL;
    free(s->value);
    free(s->file);
    s->value = new_value;
    s->file = new_file;
    s->line = line;
    s->inherited = false;
    return true;
}

bool profile_set_text(struct profile *p, const char *assignment, struct error *err)
{
    const char *equals = strchr(assignment, '=');
    const char *dot = equals ? memchr(assignment, '.', (size_t)(equals - assignment)) : NULL;
    char section[64], key[64];

    if (!dot || (size_t)(dot - assignment) >= sizeof(section) || (size_t)(equals - dot) > sizeof(key))
        return error_set(err, EINVAL, "'%s' is no setting: write SECTION.KEY=VALUE, as in machine.memory=64M", assignment);
    snprintf(section, sizeof(section), "%.*s", (int)(dot - assignment), assignment);
    snprintf(key, sizeof(key), "%.*s", (int)(equals - dot - 1), dot + 1);
    const struct setting *before = setting_find(p, section, key);
    if (before && !before->file && !before->inherited && !strcmp(section, "net") && !strcmp(key, "forward")) {
        char list[1024];                        /* ports are given one by one */
        snprintf(list, sizeof(list), "%s,%s", before->value, equals + 1);
        return profile_set(p, section, key, list, NULL, 0, err);
    }
    return profile_set(p, section, key, equals + 1, NULL, 0, err);
}

void profile_reason(struct profile *p, const char *section, const char *key, const char *text)
{
    struct setting *s = setting_find(p, section, key);

    if (s) {
        free(s->reason);
        s->reason = copy_text(text);
    }
}

const char *profile_get(const struct profile *p, const char *section, const char *key)
{
    const struct setting *s = setting_find(p, section, key);

    return s ? s->value : NULL;
}

bool profile_apply(const struct profile *p, const char *section, const struct property *properties, void *object,
                   struct error *err)
{
    char place[160];

    if (!property_defaults(properties, object, err))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        if (strcmp(s->section, section))
            continue;
        place_text(place, sizeof(place), s->file, s->line, section);
        if (!property_set(properties, object, place, s->key, s->value, err)) {
            property_free(properties, object);
            return false;
        }
    }
    return true;
}
