/* libFuzzer: the input is an identity file. What is taken must be pinnable: every pin that the shipped rules make of it is a
 * setting that a profile takes and gives back. */
#include "importers/pins/pins.h"
#include "profile/profile.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "/tmp/holdover-fuzz-identity-XXXXXX", copy[64];
    static const char first[] = "holdover-identity=1\n";
    static struct import_result r;
    static int fd = -1;
    struct identity id;
    struct facts facts = { 0 };
    struct error err;
    if (fd < 0) {
        fd = mkstemp(path);
        snprintf(copy, sizeof(copy), "%s.profile", path);
    }
    bool headed = size && data[0] & 1;          /* half of the inputs get past the first line at once */
    if (ftruncate(fd, 0) || (headed && pwrite(fd, first, strlen(first), 0) < 0) || pwrite(fd, data, size, headed ? (off_t)strlen(first) : 0) < 0)
        abort();
    memset(&r, 0, sizeof(r));
    r.disk_count = 1 + (size & 3);
    if (!identity_read(path, &id, &err)) {
        if (!*err.text || strpbrk(err.text, "\n\x1b"))
            abort();
        return 0;
    }
    facts_add(&facts, "os.type", "windows");
    if (!pins_make("legacy-profiles/pins.rules", &facts, &id, &r, &err))
        abort();
    struct profile *p = profile_new();
    for (unsigned i = 0; i < r.pin_count; i++) {
        if (!profile_set(p, r.pins[i].section, r.pins[i].key, r.pins[i].value, NULL, 0, &err))
            abort();
        profile_reason(p, r.pins[i].section, r.pins[i].key, r.pins[i].reason);
    }
    struct profile *back = profile_write(p, copy, &err) ? profile_load(copy, &err) : NULL;
    for (unsigned i = 0; i < r.pin_count; i++) {
        const char *value = back ? profile_get(back, r.pins[i].section, r.pins[i].key) : NULL;
        if (!value || strcmp(value, r.pins[i].value))
            abort();
    }
    profile_free(p);
    profile_free(back);
    facts_free(&facts);
    identity_free(&id);
    return 0;
}
