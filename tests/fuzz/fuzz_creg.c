/* libFuzzer: the input is a registry file of Windows 95; keys of it are found by globs of several depths. */
#include "importers/systems/registry.h"
#include "base/bits.h"
#include <stdlib.h>
#include <string.h>

static bool look(void *arg, const char *record, size_t length)
{
    if (strlen(record) != length || ++*(unsigned *)arg > 100000)
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "*", "Enum\\*", "*\\*", "*\\*\\*\\*\\*\\*" };
    uint8_t *bytes = malloc(size + 64);
    struct hive h;
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    if (size > 68) {
        memcpy(bytes, "CREG", 4);
        memcpy(bytes + 32, "RGKN", 4);
        le32_put(bytes + 8, 64 + data[8] % 4 * 56u);
        if (le32_get(bytes + 8) + 36 < size)
            memcpy(bytes + le32_get(bytes + 8), "RGDB", 4);
    }
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        unsigned count = 0;
        if (hive_open(&h, bytes, size))
            hive_find(&h, paths[i], look, &count);
    }
    free(bytes);
    return 0;
}
