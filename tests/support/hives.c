/* Writers of registry files for tests. What they know of the formats was written down apart from the readers. */
#include "tests/support/hives.h"
#include "base/bits.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NODES = 512, NONE = 0xffffffff };
struct node { char name[128]; unsigned parent; uint32_t at; };
struct hive_file { struct node nodes[NODES]; unsigned count; uint8_t *bytes; size_t length, room; const struct hive_entry *entries; size_t entry_count; };

static unsigned node_of(struct hive_file *f, const char *key)
{
    unsigned at = 0;
    while (*key) {
        size_t n = strcspn(key, "\\");
        unsigned i = 1;
        while (i < f->count && (f->nodes[i].parent != at || strlen(f->nodes[i].name) != n || strncasecmp(f->nodes[i].name, key, n)))
            i++;
        if (i == f->count) {
            if (i == NODES)
                abort();
            memcpy(f->nodes[i].name, key, n);
            f->nodes[i].parent = at;
            f->count++;
        }
        at = i;
        key += n + (key[n] == '\\');
    }
    return at;
}

static uint8_t *put(struct hive_file *f, size_t n)
{
    if (f->length + n > f->room)
        f->bytes = realloc(f->bytes, f->room = (f->length + n) * 2);
    memset(f->bytes + f->length, 0, n);
    f->length += n;
    return f->bytes + f->length - n;
}

static void begin(struct hive_file *f, const struct hive_entry *entries, size_t count)
{
    memset(f, 0, sizeof(*f));
    f->count = 1;
    f->entries = entries;
    f->entry_count = count;
    for (size_t i = 0; i < count; i++)
        node_of(f, entries[i].key);
}

/* The data of a value; to may be NULL. */
static size_t data_of(const struct hive_entry *e, bool wide, uint8_t *to)
{
    size_t step = wide ? 2 : 1, n = e->text ? strlen(e->text) : 0, ends = e->type == HIVE_MULTI ? 2 : 1;
    if (e->type == HIVE_DWORD) {
        if (to)
            le32_put(to, e->number);
        return 4;
    }
    for (size_t i = 0; to && i < n; i++)
        to[i * step] = (uint8_t)(e->type == HIVE_MULTI && e->text[i] == '|' ? 0 : e->text[i]);
    return (n + ends) * step;
}

/* --- regf --- */
static uint32_t cell(struct hive_file *f, size_t size)
{
    size_t all = align_up(size + 4, 8);
    uint32_t at = (uint32_t)(f->length - 0x1000);
    le32_put(put(f, all), (uint32_t)-(int32_t)all);
    return at;
}

static uint8_t *at(struct hive_file *f, uint32_t offset) { return f->bytes + 0x1000 + offset + 4; }

static uint32_t regf_values(struct hive_file *f, unsigned node, uint32_t *count)
{
    uint32_t list[64];
    *count = 0;
    for (size_t i = 0; i < f->entry_count; i++) {
        const struct hive_entry *e = &f->entries[i];
        if (!e->name || node_of(f, e->key) != node)
            continue;
        size_t size = data_of(e, true, NULL), names = strlen(e->name);
        uint32_t data = size > 4 ? cell(f, size) : 0, vk = cell(f, 20 + names);
        if (size > 4)
            data_of(e, true, at(f, data));
        uint8_t *v = at(f, vk);
        memcpy(v, "vk", 2);
        le16_put(v + 2, (uint16_t)names);
        le32_put(v + 4, (uint32_t)size | (size > 4 ? 0 : 0x80000000));
        le32_put(v + 8, data);
        if (size <= 4)
            data_of(e, true, v + 8);
        le32_put(v + 12, e->type);
        le16_put(v + 16, 1);
        memcpy(v + 20, e->name, names);
        list[(*count)++] = vk;
    }
    if (!*count)
        return NONE;
    uint32_t all = cell(f, *count * 4);
    for (uint32_t i = 0; i < *count; i++)
        le32_put(at(f, all) + i * 4, list[i]);
    return all;
}

static uint32_t regf_key(struct hive_file *f, unsigned node, uint32_t parent)
{
    size_t names = strlen(f->nodes[node].name);
    uint32_t nk = cell(f, 76 + names), keys[NODES], count = 0, values, list = NONE;
    for (unsigned i = 1; i < f->count; i++)
        if (f->nodes[i].parent == node)
            keys[count++] = regf_key(f, i, nk);
    if (count) {
        list = cell(f, 4 + count * 8);
        memcpy(at(f, list), "lf", 2);
        le16_put(at(f, list) + 2, (uint16_t)count);
        for (uint32_t i = 0; i < count; i++)
            le32_put(at(f, list) + 4 + i * 8, keys[i]);
    }
    uint32_t value_list = regf_values(f, node, &values);
    uint8_t *k = at(f, nk);
    memcpy(k, "nk", 2);
    le16_put(k + 2, node ? 0x20 : 0x2c);
    le32_put(k + 16, parent);
    le32_put(k + 20, count);
    le32_put(k + 28, list);
    le32_put(k + 32, NONE);
    le32_put(k + 36, values);
    le32_put(k + 40, value_list);
    le32_put(k + 44, NONE);
    le32_put(k + 48, NONE);
    le16_put(k + 72, (uint16_t)names);
    memcpy(k + 76, f->nodes[node].name, names);
    return nk;
}

uint8_t *hive_make_regf(const struct hive_entry *entries, size_t count, size_t *length)
{
    static struct hive_file f;
    begin(&f, entries, count);
    put(&f, 0x1020);
    uint32_t root = regf_key(&f, 0, 0);
    put(&f, align_up(f.length, 4096) - f.length);
    memcpy(f.bytes, "regf", 4);
    le64_put(f.bytes + 12, 126227808000000000);     /* 2001-01-01 */
    le32_put(f.bytes + 20, 1);
    le32_put(f.bytes + 24, 3);
    le32_put(f.bytes + 32, 1);
    le32_put(f.bytes + 36, root);
    le32_put(f.bytes + 40, (uint32_t)(f.length - 0x1000));
    memcpy(f.bytes + 0x1000, "hbin", 4);
    le32_put(f.bytes + 0x1008, (uint32_t)(f.length - 0x1000));
    *length = f.length;
    return f.bytes;
}

/* --- CREG --- */
uint8_t *hive_make_creg(const struct hive_entry *entries, size_t count, size_t *length)
{
    static struct hive_file f;
    begin(&f, entries, count);
    put(&f, 0x40);
    for (unsigned i = 0; i < f.count; i++) {        /* the entry of node i is the i-th */
        uint8_t *e = put(&f, 28);
        uint32_t child = NONE, next = NONE;
        for (unsigned k = f.count - 1; k > 0; k--) {
            child = f.nodes[k].parent == i ? 0x20 + k * 28 : child;
            next = i && k > i && f.nodes[k].parent == f.nodes[i].parent ? 0x20 + k * 28 : next;
        }
        le32_put(e + 8, NONE);
        le32_put(e + 12, i ? 0x20 + f.nodes[i].parent * 28 : NONE);
        le32_put(e + 16, child);
        le32_put(e + 20, next);
        le16_put(e + 24, (uint16_t)i);
        le16_put(e + 26, i % 2);                    /* two blocks of records */
    }
    size_t blocks = f.length;
    memcpy(f.bytes, "CREG", 4);
    le32_put(f.bytes + 4, 0x10000);
    le32_put(f.bytes + 8, (uint32_t)blocks);
    le16_put(f.bytes + 16, 2);
    memcpy(f.bytes + 0x20, "RGKN", 4);
    le32_put(f.bytes + 0x24, (uint32_t)(blocks - 0x20));
    le32_put(f.bytes + 0x28, 0x20);
    for (unsigned b = 0; b < 2; b++) {
        size_t block = f.length;
        put(&f, 0x20);
        for (unsigned i = b; i < f.count; i += 2) {
            size_t record = f.length, names = strlen(f.nodes[i].name), values = 0;
            memcpy(put(&f, 20 + names) + 20, f.nodes[i].name, names);
            for (size_t k = 0; k < count; k++) {
                if (!entries[k].name || node_of(&f, entries[k].key) != i)
                    continue;
                size_t n = strlen(entries[k].name), size = data_of(&entries[k], false, NULL);
                uint8_t *v = put(&f, 12 + n + size);
                le32_put(v, entries[k].type);
                le16_put(v + 8, (uint16_t)n);
                le16_put(v + 10, (uint16_t)size);
                memcpy(v + 12, entries[k].name, n);
                data_of(&entries[k], false, v + 12 + n);
                values++;
            }
            le32_put(f.bytes + record + 8, (uint32_t)(f.length - record));
            put(&f, 6);                             /* records have room to grow */
            le32_put(f.bytes + record, (uint32_t)(f.length - record));
            le16_put(f.bytes + record + 4, (uint16_t)i);
            le16_put(f.bytes + record + 6, (uint16_t)b);
            le16_put(f.bytes + record + 12, (uint16_t)names);
            le16_put(f.bytes + record + 14, (uint16_t)values);
        }
        memcpy(f.bytes + block, "RGDB", 4);
        le32_put(f.bytes + block + 4, (uint32_t)(f.length - block));
    }
    *length = f.length;
    return f.bytes;
}
