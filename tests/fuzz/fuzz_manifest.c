/* libFuzzer: the input is a manifest, a ddrescue map, or a list of MiB checksums, as its first byte says. What is read must hold
 * together: ranges ascend and lie on the disk, runs follow one another; a map that was read is written and read again alike. */
#include "importers/evidence/digest.h"
#include "importers/evidence/evidence.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void manifest(const uint8_t *data, size_t size)
{
    struct manifest_disk m;
    struct error err = { 0 };
    for (unsigned disk = 0; disk < 3; disk++)
        if (manifest_parse((const char *)data, size, "m", disk, &m, &err) ? !m.bytes || strlen(m.sha256) != 64 : !*err.text)
            abort();
}

static void map(const uint8_t *data, size_t size)
{
    struct ranges r = { 0 };
    struct error err = { 0 };
    char *text = calloc(1, size + 1);
    uint64_t length = size >= 8 ? le64_get(data) >> (data[0] % 64) : size;
    memcpy(text, data, size);
    if (map_parse(text, "m", length, &r, &err)) {
        uint64_t end = 0;
        for (size_t i = 0; i < r.count; i++) {
            if (!r.list[i].length || (i && r.list[i].start <= end) || r.list[i].start >= length || r.list[i].length > length - r.list[i].start)
                abort();
            end = r.list[i].start + r.list[i].length;
        }
    } else if (!*err.text) {
        abort();
    }
    ranges_free(&r);
    free(text);
}

static void list(const uint8_t *data, size_t size)
{
    struct mib_run run = { 0 };
    FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");
    uint64_t next = 0;
    while (f && mib_next(f, &run)) {
        if (run.first != next || !run.count || strlen(run.sha256) != 64)
            abort();
        next = run.first + run.count;
    }
    if (f)
        fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const uint8_t *, size_t) = { manifest, map, list };
    if (size > 1)
        targets[data[0] % ARRAY_SIZE(targets)](data + 1, size - 1);
    return 0;
}
