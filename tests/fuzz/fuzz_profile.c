/* libFuzzer: the input is a profile; it is read, each fixed section is applied, it is written and read back the same. */
#include "tests/fuzz/board.h"

static void use(const struct profile *p)
{
    struct error err;
    for (const struct profile_section *s = profile_sections; s->name; s++) {
        _Alignas(8) char object[PROFILE_OBJECT_MAX] = { 0 };
        profile_apply(p, s->name, s->properties, object, &err);
        property_free(s->properties, object);
    }
}

static bool same(const struct profile *a, const struct profile *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct setting *s = &a->settings[i];
        const char *value = profile_get(b, s->section, s->key);
        if (!s->inherited && (!value || strcmp(value, s->value)))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char folder[] = "/tmp/holdover-fuzz-XXXXXX", path[64];
    static int fd = -1;
    char name[32];
    struct error err;
    if (fd < 0) {
        fd = memfd_create("profile", 0);
        if (fd < 0 || !mkdtemp(folder))
            abort();
        snprintf(path, sizeof(path), "%s/written.profile", folder);
        log_to(NULL);
    }
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    struct profile *p = profile_load(name, &err);
    if (!p)
        return 0;
    use(p);
    if (profile_write(p, path, &err)) {
        struct profile *again = profile_load(path, &err);
        if (!again || !same(p, again))
            abort();
        profile_free(again);
        unlink(path);
    }
    profile_free(p);
    return 0;
}
