/* From command line to machine: profile with its overrides, media, and the checks that need no machine. */
#include "console/session.h"
#include "console/steps.h"
#include <errno.h>
#include <stdlib.h>

/* The BIOS formats, smallest first. */
static const struct { uint32_t bytes; uint16_t sectors; } floppies[] = {
    { 163840, 320 }, { 184320, 360 }, { 327680, 640 }, { 368640, 720 }, { 737280, 1440 }, { 1228800, 2400 },
    { 1474560, 2880 }, { 2949120, 5760 }
};
enum { SECTOR = 512, FLOPPY_USUAL = 1474560 };

int setup_check(const struct command *c, const struct run_options *o)
{
    struct key_script script = { 0 };
    int place[3];
    struct error err;

    if (o->engine && !machine_engine_check(o->engine, &err))
        return usage_error(c, "%s", err.text);
    for (size_t i = 0; i < o->steps.count; i++) {
        const struct step *s = &o->steps.items[i];
        bool ok = s->kind == STEP_UNTIL ? *s->text || error_set(&err, EINVAL, "--until needs a text") :
                  s->kind == STEP_POINTER || s->kind == STEP_MOVE ? steps_pointer(s, place, &err) :
                  s->kind == STEP_TYPE ? keys_from_text(&script, s->text, &err) : keys_from_name(&script, s->text, &err);
        keys_free(&script);
        if (!ok)
            return usage_error(c, "%s", err.text);
    }
    return EXIT_FINE;
}

void setup_list_keys(FILE *out)
{
    fprintf(out, "Keys of --set:\n");
    for (const struct profile_section *s = profile_sections; s->name; s++)
        for (const struct property *p = s->properties; p->kind != PROP_END; p++)
            fprintf(out, "  %s.%-*s %s\n", s->name, (int)(24 - strlen(s->name)), p->name, p->help);
    fprintf(out, "and ID.PROPERTY of a device of the machine; `holdover doctor --devices` lists the properties.\n");
}

/* Is SECTION.KEY=VALUE a setting of every machine, so that only its value can be wrong? */
static bool setting_known(const char *assignment)
{
    for (const struct profile_section *s = profile_sections; s->name; s++) {
        size_t n = strlen(s->name);
        if (strncmp(assignment, s->name, n) || assignment[n] != '.')
            continue;
        for (const struct property *p = s->properties; p->kind != PROP_END; p++)
            if (strlen(p->name) == strcspn(assignment + n + 1, "=") && !strncmp(p->name, assignment + n + 1, strlen(p->name)))
                return true;
    }
    return false;
}

int setup_profile(const struct command *c, const char *name_or_path, const struct run_options *o, struct profile **profile)
{
    struct error err;
    struct profile *p = profile_load(name_or_path, &err);

    *profile = NULL;
    if (!p)
        return fail(EXIT_FAILED, &err);
    for (size_t i = 0; i < o->set.count; i++)
        if (!profile_set_text(p, o->set.items[i], &err)) {
            usage_error(c, "--set %s: %s", o->set.items[i], err.text);
            if (!setting_known(o->set.items[i]))
                setup_list_keys(stderr);
            profile_free(p);
            return EXIT_USAGE;
        }
    if (o->memory && !profile_set(p, "machine", "memory", o->memory, NULL, 0, &err)) {
        profile_free(p);
        return usage_error(c, "--memory: '%s' is not a size, as 64M is", o->memory);
    }
    *profile = p;
    return EXIT_FINE;
}

/* The size that the BIOS parameter block of a FAT floppy names; 0: none that is a format's. */
static uint64_t floppy_bpb_size(struct block *b)
{
    uint8_t boot[SECTOR];

    if (b->size < SECTOR || block_read(b, 0, boot, SECTOR) || le16_get(boot + 11) != SECTOR)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(floppies); i++)
        if (le16_get(boot + 19) == floppies[i].sectors && floppies[i].bytes >= b->size)
            return floppies[i].bytes;
    return 0;
}

/* A file of odd size becomes the format that its file system names; without one, that of the usual 3.5-inch disk, which is what
 * short boot images are made for, or the next larger one. */
static struct block *floppy_pad(struct block *b, const char *path, struct error *err)
{
    uint64_t size;

    for (size_t i = 0; i < ARRAY_SIZE(floppies); i++)
        if (b->size == floppies[i].bytes)
            return b;
    size = floppy_bpb_size(b);
    for (size_t i = 0; i < ARRAY_SIZE(floppies) && !size; i++)
        if (floppies[i].bytes >= MAX(b->size, FLOPPY_USUAL))
            size = floppies[i].bytes;
    if (!size) {
        error_set(err, EINVAL, "%s is larger than any floppy disk (2880K): is it a disk or CD image?", path);
        block_close(b);
        return NULL;
    }
    return block_open_padded(b, size, err);
}

struct block *setup_medium(const char *text, enum medium_kind kind, struct error *err)
{
    size_t length = strlen(text);
    bool writes = length > 3 && !strcmp(text + length - 3, ",rw");
    char *path = strndup(text, writes ? length - 3 : length);
    unsigned flags = writes ? 0 : BLOCK_RDONLY;
    struct block *b;

    if (!path)
        abort();
    if (kind == MEDIUM_CDROM)
        b = block_open_cd(path, err);
    else
        b = block_open_auto(path, flags, err);
    if (b && !b->size) {
        error_set(err, EINVAL, "%s is empty", path);
        block_close(b);
        b = NULL;
    }
    if (b && kind == MEDIUM_FLOPPY)
        b = floppy_pad(b, path, err);
    if (b && !writes && kind != MEDIUM_CDROM)
        b = block_open_overlay(b, err);
    free(path);
    return b;
}

void setup_media_close(struct machine_config *c)
{
    for (unsigned i = 0; i < MACHINE_FLOPPIES; i++)
        block_close(c->floppy[i].block);
    for (unsigned i = 0; i < MACHINE_DISKS; i++)
        block_close(c->disk[i].block);
    block_close(c->cdrom.block);
}
