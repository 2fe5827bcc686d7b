/* Registry files of Windows NT 3.1 to XP. A header of 4 KiB, then cells: a size, negative while in use, and data. Key cells (nk)
 * point to a list of subkeys (lf, lh, li; ri: a list of such lists) and to a list of value cells (vk). Hives of version 1.1
 * (NT 3.1) have one more word before a cell's data. References: [REGF].
 * Not modelled: logs that were not played back, classes, security, values in several pieces (above 16 KiB). */
#include "importers/systems/registry.h"
#include "base/bits.h"

enum { FIRST_CELL = 0x1000, NK_SIZE = 76, NK_SUBKEYS = 20, NK_SUBKEY_LIST = 28, NK_VALUES = 36, NK_VALUE_LIST = 40, NK_NAME_LENGTH = 72,
       NK_ASCII = 0x20, VK_SIZE = 20, VK_ASCII = 1, LISTS_DEEP = 2 };
#define MAGIC(a, b) ((a) | (b) << 8)

/* The data of a cell and how long it is; NULL: none. */
static const uint8_t *cell(const struct hive *h, uint32_t offset, size_t *length)
{
    uint64_t at = (uint64_t)FIRST_CELL + offset;
    size_t head = le32_get(h->bytes + 24) < 2 ? 8 : 4;
    if (offset == UINT32_MAX || !hive_has(h, at, head))
        return NULL;
    int32_t size = (int32_t)le32_get(h->bytes + at);
    uint64_t all = size < 0 ? (uint64_t)-(int64_t)size : (uint64_t)size;
    if (all < head || !hive_has(h, at, all))
        return NULL;
    *length = all - head;
    return h->bytes + at + head;
}

static const uint8_t *key_cell(const struct hive *h, uint32_t key)
{
    size_t length;
    const uint8_t *nk = cell(h, key, &length);
    return nk && length >= NK_SIZE && le16_get(nk) == MAGIC('n', 'k') && le16_get(nk + NK_NAME_LENGTH) <= length - NK_SIZE ? nk : NULL;
}

static bool regf_root(const struct hive *h, uint32_t *key)
{
    if (h->length < FIRST_CELL)
        return false;
    *key = le32_get(h->bytes + 36);
    return key_cell(h, *key);
}

static bool list_walk(struct hive *h, uint32_t list, unsigned deep, hive_key_each *each, void *arg)
{
    size_t length;
    const uint8_t *c = cell(h, list, &length);
    if (!c || length < 4)
        return true;
    unsigned magic = le16_get(c), step = magic == MAGIC('l', 'f') || magic == MAGIC('l', 'h') ? 8 : 4;
    if (step == 4 && magic != MAGIC('l', 'i') && (magic != MAGIC('r', 'i') || deep == LISTS_DEEP))
        return true;
    for (size_t i = 0; i < le16_get(c + 2) && (i + 1) * step + 4 <= length; i++) {
        uint32_t entry = le32_get(c + 4 + i * step);
        char name[HIVE_NAME_MOST];
        if (++h->steps > HIVE_STEPS_MOST)
            return false;
        if (magic == MAGIC('r', 'i')) {
            if (!list_walk(h, entry, deep + 1, each, arg))
                return false;
            continue;
        }
        const uint8_t *nk = key_cell(h, entry);
        if (!nk)
            continue;
        hive_name(name, nk + NK_SIZE, le16_get(nk + NK_NAME_LENGTH), !(le16_get(nk + 2) & NK_ASCII));
        if (!each(arg, entry, name))
            return false;
    }
    return true;
}

static void regf_keys(struct hive *h, uint32_t key, hive_key_each *each, void *arg)
{
    const uint8_t *nk = key_cell(h, key);
    if (nk && le32_get(nk + NK_SUBKEYS))
        list_walk(h, le32_get(nk + NK_SUBKEY_LIST), 0, each, arg);
}

static void value_read(struct hive *h, uint32_t at, hive_value_each *each, void *arg)
{
    size_t length, room;
    char name[HIVE_NAME_MOST];
    const uint8_t *vk = cell(h, at, &length);
    if (!vk || length < VK_SIZE || le16_get(vk) != MAGIC('v', 'k') || le16_get(vk + 2) > length - VK_SIZE)
        return;
    uint32_t size = le32_get(vk + 4);
    struct hive_value v = { .name = name, .type = le32_get(vk + 12), .length = size & 0x7fffffff, .wide = true };
    hive_name(name, vk + VK_SIZE, le16_get(vk + 2), !(le16_get(vk + 16) & VK_ASCII));
    if (size >> 31) {                           /* up to four bytes stand in place of their offset */
        v.data = vk + 8;
        v.length = MIN(v.length, 4);
    } else if (v.length) {
        v.data = cell(h, le32_get(vk + 8), &room);
        v.length = v.data ? MIN(v.length, room) : 0;
    }
    each(arg, &v);
}

static void regf_values(struct hive *h, uint32_t key, hive_value_each *each, void *arg)
{
    size_t length = 0;
    const uint8_t *nk = key_cell(h, key), *list = nk ? cell(h, le32_get(nk + NK_VALUE_LIST), &length) : NULL;
    for (size_t i = 0; list && i < le32_get(nk + NK_VALUES) && (i + 1) * 4 <= length && ++h->steps <= HIVE_STEPS_MOST; i++)
        value_read(h, le32_get(list + i * 4), each, arg);
}

const struct hive_format hive_regf = { .magic = "regf", .root = regf_root, .keys = regf_keys, .values = regf_values };
