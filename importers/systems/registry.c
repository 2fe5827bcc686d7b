/* Keys of a registry found by path, and their values as text. */
#include "importers/systems/registry.h"
#include "base/bits.h"
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { TYPE_SZ = 1, TYPE_EXPAND = 2, TYPE_DWORD = 4, TYPE_MULTI = 7, DATA_MOST = 512 };
struct record { char text[HIVE_RECORD_MOST]; size_t length; };
struct walk { struct hive *h; const char *rest; char path[512]; unsigned depth; hive_record_each *each; void *arg; bool enough; };

bool hive_open(struct hive *h, const void *bytes, size_t length)
{
    static const struct hive_format *const formats[] = { &hive_regf, &hive_creg };
    *h = (struct hive){ .bytes = bytes, .length = length };
    for (size_t i = 0; i < ARRAY_SIZE(formats) && length >= 4; i++)
        if (!memcmp(bytes, formats[i]->magic, 4))
            h->format = formats[i];
    return h->format;
}

void hive_name(char to[HIVE_NAME_MOST], const uint8_t *from, size_t length, bool wide)
{
    size_t step = wide ? 2 : 1, n = 0;
    for (size_t i = 0; i + step <= length && n < HIVE_NAME_MOST - 1; i += step) {
        unsigned c = wide ? le16_get(from + i) : from[i];
        to[n++] = c < ' ' || c > 0xff ? '?' : (char)c;
    }
    to[n] = 0;
}

static void put(struct record *r, char c)
{
    if (r->length < sizeof(r->text) - 1)
        r->text[r->length++] = c;
    r->text[r->length] = 0;
}

static void put_text(struct record *r, const char *text)
{
    for (; *text; text++)
        put(r, *text == '\n' || *text == '\r' ? ' ' : *text);
}

/* A string, or several with a NUL behind each: a comma between them. What is not Latin-1 becomes '?'. */
static void put_string(struct record *r, const struct hive_value *v)
{
    size_t step = v->wide ? 2 : 1, begun = r->length;
    bool gap = false;
    for (size_t i = 0; i + step <= v->length && i < DATA_MOST * step; i += step) {
        unsigned c = v->wide ? le16_get(v->data + i) : v->data[i];
        if (!c && v->type != TYPE_MULTI)
            return;
        if (c && gap && r->length > begun)
            put(r, ',');
        gap = !c;
        if (c)
            put(r, c > 0xff ? '?' : c < ' ' ? ' ' : (char)c);
    }
}

static void value_put(void *arg, const struct hive_value *v)
{
    struct record *r = arg;
    char number[16];
    put_text(r, *v->name ? v->name : "@");
    put(r, '=');
    if (v->type == TYPE_SZ || v->type == TYPE_EXPAND || v->type == TYPE_MULTI) {
        put_string(r, v);
    } else if (v->type == TYPE_DWORD && v->length >= 4) {
        snprintf(number, sizeof(number), "%u", le32_get(v->data));
        put_text(r, number);
    } else {
        for (size_t i = 0; i < v->length && i < 32; i++) {
            snprintf(number, sizeof(number), "%02x", v->data[i]);
            put_text(r, number);
        }
    }
    put(r, '\n');
}

static void record_make(struct walk *w, uint32_t key)
{
    struct record r = { .length = 0 };
    const char *name = strrchr(w->path, '\\');
    put_text(&r, "@path=");
    put_text(&r, w->path);
    put(&r, '\n');
    put_text(&r, "@key=");
    put_text(&r, name ? name + 1 : w->path);
    put(&r, '\n');
    w->h->format->values(w->h, key, value_put, &r);
    w->enough = !w->each(w->arg, r.text, r.length);
}

static bool key_walk(void *arg, uint32_t key, const char *name)
{
    struct walk *w = arg;
    size_t part = strcspn(w->rest, "\\"), kept = strlen(w->path);
    char glob[HIVE_NAME_MOST];
    const char *rest = w->rest;
    if (++w->h->steps > HIVE_STEPS_MOST || w->depth >= HIVE_DEPTH_MOST)
        return false;
    snprintf(glob, sizeof(glob), "%.*s", (int)MIN(part, sizeof(glob) - 1), rest);
    if (fnmatch(glob, name, FNM_CASEFOLD | FNM_NOESCAPE))
        return true;
    snprintf(w->path + kept, sizeof(w->path) - kept, "%s%s", kept ? "\\" : "", name);
    w->rest += part + (w->rest[part] == '\\');
    w->depth++;
    if (*w->rest)
        w->h->format->keys(w->h, key, key_walk, w);
    else
        record_make(w, key);
    w->depth--;
    w->rest = rest;
    w->path[kept] = 0;
    return !w->enough;
}

void hive_find(struct hive *h, const char *path, hive_record_each *each, void *arg)
{
    struct walk w = { .h = h, .rest = path, .each = each, .arg = arg };
    uint32_t root;
    h->steps = 0;
    if (h->format->root(h, &root))
        h->format->keys(h, root, key_walk, &w);
}
