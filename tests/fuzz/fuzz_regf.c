/* libFuzzer: the input is a registry file of Windows NT; keys of it are found by globs of several depths. */
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
    static const char *const paths[] = { "*", "Select", "*\\*", "ControlSet00?\\Services\\*", "*\\*\\*\\*\\*\\*" };
    uint8_t *bytes = malloc(size + 4096 + 64);
    struct hive h;
    if (!bytes)
        return 0;
    memset(bytes, 0, 4096);                     /* the header holds little: the input is what comes after it */
    memcpy(bytes, "regf", 4);
    le32_put(bytes + 24, size ? data[0] % 5 : 0);
    le32_put(bytes + 36, 0x20);
    memcpy(bytes + 4096, data, size);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        unsigned count = 0;
        if (!hive_open(&h, bytes, 4096 + size))
            abort();
        hive_find(&h, paths[i], look, &count);
    }
    free(bytes);
    return 0;
}
