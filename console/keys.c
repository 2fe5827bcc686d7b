#include "console/keys.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static const struct { uint16_t usage; const char *name; char plain, shifted; } keymap[] = {
#define KEY(usage, name, plain, shifted) { usage, name, plain, shifted },
#include "console/keymap.def"
#undef KEY
};
enum { USAGE_ENTER = 0x28, USAGE_SHIFT = 0xe1, CHORD_MAX = 8 };

static void script_add(struct key_script *k, uint16_t usage, bool down)
{
    struct key_event *grown = realloc(k->events, (k->count + 1) * sizeof(*grown));

    if (!grown)
        abort();
    k->events = grown;
    k->events[k->count++] = (struct key_event){ usage, down, !down && usage == USAGE_ENTER };
}

/* The longest key name that `name` starts with and that ends there or at a '-'; 0: none. */
static size_t name_match(const char *name, uint16_t *usage)
{
    size_t best = 0;

    for (size_t i = 0; i < ARRAY_SIZE(keymap); i++) {
        size_t n = strlen(keymap[i].name);
        if (n > best && !strncasecmp(name, keymap[i].name, n) && (!name[n] || name[n] == '-' || name[n] == '+')) {
            best = n;
            *usage = keymap[i].usage;
        }
    }
    return best;
}

bool keys_from_name(struct key_script *k, const char *name, struct error *err)
{
    uint16_t chord[CHORD_MAX];
    unsigned count = 0;

    for (const char *rest = name; *rest;) {
        size_t n = count < CHORD_MAX ? name_match(rest, &chord[count]) : 0;
        if (!n)
            return error_set(err, EINVAL, "there is no key '%s': write names joined by '-', as in ctrl-alt-del, enter, f1", name);
        count++;
        rest += n;
        if (*rest && !*++rest)
            return error_set(err, EINVAL, "the key '%s' ends in a '-': name that key minus", name);
    }
    if (!count)
        return error_set(err, EINVAL, "an empty key name: write one as in ctrl-alt-del, enter, f1");
    for (unsigned i = 0; i < count; i++)
        script_add(k, chord[i], true);
    k->events[k->count - 1].pause = count > 1;  /* held for as long as a hand would: some programs look whether Alt is still down */
    for (unsigned i = count; i-- > 0;)
        script_add(k, chord[i], false);
    return true;
}

bool keys_from_list(struct key_script *k, const char *names, struct error *err)
{
    char name[64];

    for (;;) {
        size_t n;
        names += strspn(names, " \t");
        if (!*names)
            return true;
        n = strcspn(names, " \t");
        if (n >= sizeof(name))
            return error_set(err, EINVAL, "there is no key '%.40s...'", names);
        memcpy(name, names, n);
        name[n] = 0;
        if (!keys_from_name(k, name, err))
            return false;
        names += n;
    }
}

static bool type_character(struct key_script *k, char c)
{
    for (size_t i = 0; i < ARRAY_SIZE(keymap); i++) {
        bool shifted = keymap[i].shifted == c;
        if (!c || (keymap[i].plain != c && !shifted))
            continue;
        if (shifted)
            script_add(k, USAGE_SHIFT, true);
        script_add(k, keymap[i].usage, true);
        script_add(k, keymap[i].usage, false);
        if (shifted)
            script_add(k, USAGE_SHIFT, false);
        return true;
    }
    return false;
}

/* The character at *text, and moves *text behind it. Backslash and n are Enter; every other backslash is itself, so
 * that DOS paths can be typed as they are. */
static char next_character(const char **text)
{
    const char *t = *text;

    *text += (t[0] == '\\' && t[1] == 'n') || (t[0] == '\r' && t[1] == '\n') ? 2 : 1;
    if (t[0] == '\r' || *text == t + 2)
        return '\n';
    return t[0] == 0x7f ? '\b' : t[0];
}

bool keys_from_text(struct key_script *k, const char *text, struct error *err)
{
    size_t before = k->count;

    while (*text) {
        const char *at = text;
        if (!type_character(k, next_character(&text))) {
            int n = 1;
            while ((at[n] & 0xc0) == 0x80)
                n++;
            k->count = before;
            return error_set(err, EINVAL, "no key of the US layout types '%.*s'", n, at);
        }
    }
    return true;
}

void keys_free(struct key_script *k)
{
    free(k->events);
    *k = (struct key_script){ 0 };
}
