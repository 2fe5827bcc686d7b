/* Registry files of Windows 95, 98 and Me: SYSTEM.DAT, USER.DAT, CLASSES.DAT. After a header of 32 bytes (CREG) comes the tree of
 * keys (RGKN): entries of 28 bytes that name parent, first child and next sibling, all as offsets from the RGKN. An entry also
 * names the record with its text: a number, and the block (RGDB) that has it. References: [CREG].
 * Not modelled: hashes and checksums, which reading does not need. */
#include "importers/systems/registry.h"
#include "base/bits.h"
#include <string.h>

enum { CREG_DATA = 8, TREE = 32, TREE_SIZE = 4, TREE_ROOT = 8, ENTRY = 28, ENTRY_CHILD = 16, ENTRY_NEXT = 20, ENTRY_RECORD = 24, ENTRY_BLOCK = 26,
       BLOCK_HEAD = 32, BLOCK_SIZE = 4, RECORD_HEAD = 20, RECORD_ID = 4, RECORD_NAME = 12, RECORD_VALUES = 14, VALUE_HEAD = 12 };

/* A tree entry; NULL: none. */
static const uint8_t *entry_at(const struct hive *h, uint32_t offset)
{
    return offset != UINT32_MAX && offset >= TREE && hive_has(h, (uint64_t)TREE + offset, ENTRY) ? h->bytes + TREE + offset : NULL;
}

/* The n-th block; they stand one behind the other. */
static const uint8_t *block_at(struct hive *h, unsigned n, size_t *length)
{
    for (uint64_t at = le32_get(h->bytes + CREG_DATA); hive_has(h, at, BLOCK_HEAD) && !memcmp(h->bytes + at, "RGDB", 4); n--) {
        uint64_t size = le32_get(h->bytes + at + BLOCK_SIZE);
        if (size < BLOCK_HEAD || ++h->steps > HIVE_STEPS_MOST)
            return NULL;
        if (!n) {
            *length = hive_has(h, at, size) ? size : h->length - at;
            return h->bytes + at;
        }
        at += size;
    }
    return NULL;
}

/* The record of an entry and its length; NULL: none. */
static const uint8_t *record_of(struct hive *h, const uint8_t *entry, size_t *length)
{
    size_t all = 0;
    const uint8_t *block = block_at(h, le16_get(entry + ENTRY_BLOCK), &all);
    for (size_t at = BLOCK_HEAD; block && at + RECORD_HEAD <= all && ++h->steps <= HIVE_STEPS_MOST;) {
        size_t size = le32_get(block + at);
        if (size < RECORD_HEAD || size > all - at)
            return NULL;
        if (le16_get(block + at + RECORD_ID) == le16_get(entry + ENTRY_RECORD)) {
            *length = size;
            return le16_get(block + at + RECORD_NAME) <= size - RECORD_HEAD ? block + at : NULL;
        }
        at += size;
    }
    return NULL;
}

static bool creg_root(const struct hive *h, uint32_t *key)
{
    if (!hive_has(h, TREE, 32) || memcmp(h->bytes + TREE, "RGKN", 4))
        return false;
    *key = le32_get(h->bytes + TREE + TREE_ROOT);
    return entry_at(h, *key);
}

static void creg_keys(struct hive *h, uint32_t key, hive_key_each *each, void *arg)
{
    const uint8_t *entry = entry_at(h, key);
    uint32_t child = entry ? le32_get(entry + ENTRY_CHILD) : UINT32_MAX;
    for (; (entry = entry_at(h, child)) && ++h->steps <= HIVE_STEPS_MOST; child = le32_get(entry + ENTRY_NEXT)) {
        char name[HIVE_NAME_MOST];
        size_t length;
        const uint8_t *record = record_of(h, entry, &length);
        if (!record)
            continue;
        hive_name(name, record + RECORD_HEAD, le16_get(record + RECORD_NAME), false);
        if (!each(arg, child, name))
            return;
    }
}

static void creg_values(struct hive *h, uint32_t key, hive_value_each *each, void *arg)
{
    const uint8_t *entry = entry_at(h, key);
    size_t length, at;
    const uint8_t *record = entry ? record_of(h, entry, &length) : NULL;
    if (!record)
        return;
    at = RECORD_HEAD + le16_get(record + RECORD_NAME);
    for (unsigned i = 0; i < le16_get(record + RECORD_VALUES) && at + VALUE_HEAD <= length; i++) {
        char name[HIVE_NAME_MOST];
        size_t names = le16_get(record + at + 8), data = le16_get(record + at + 10);
        struct hive_value v = { .name = name, .type = le32_get(record + at), .data = record + at + VALUE_HEAD + names, .length = data };
        if (names + data > length - at - VALUE_HEAD)
            return;
        hive_name(name, record + at + VALUE_HEAD, names, false);
        each(arg, &v);
        at += VALUE_HEAD + names + data;
    }
}

const struct hive_format hive_creg = { .magic = "CREG", .root = creg_root, .keys = creg_keys, .values = creg_values };
