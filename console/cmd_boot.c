/* `holdover boot`: a machine from images, without a library entry. */
#include "console/session.h"
#include <stdlib.h>

struct boot_options {
    const char *profile, *cdrom, *kernel, *initrd, *append, *firmware;
    struct text_list floppy, disk;
};

#define OWN(m) offsetof(struct boot_options, m)
static const struct option boot_table[] = {
    { "profile", "PROFILE", OPTION_TEXT, OWN(profile), 0, "a shipped profile or a file (default: generic)" },
    { "floppy", "FILE[,rw]", OPTION_LIST, OWN(floppy), 0, "a floppy image; a second one goes to drive B" },
    { "cdrom", "FILE", OPTION_TEXT, OWN(cdrom), 0, "a CD-ROM image: ISO 9660, or a cue sheet with its BIN files" },
    { "disk", "FILE[,rw]", OPTION_LIST, OWN(disk), 0, "a hard disk image, raw or qcow2; repeatable" },
    { "kernel", "FILE", OPTION_TEXT, OWN(kernel), 0, "boot this Linux kernel or multiboot program directly" },
    { "initrd", "FILE", OPTION_TEXT, OWN(initrd), 0, "its initial RAM disk or module" },
    { "append", "TEXT", OPTION_TEXT, OWN(append), 0, "its command line" },
    { "firmware", "FILE", OPTION_TEXT, OWN(firmware), 0, "a BIOS image instead of the host's SeaBIOS" },
    { 0 }
};

static bool media_open(const struct boot_options *o, struct machine_config *c, struct error *err)
{
    for (size_t i = 0; i < o->floppy.count; i++)
        if (!(c->floppy[i].block = setup_medium(o->floppy.items[i], MEDIUM_FLOPPY, err)))
            return false;
    for (size_t i = 0; i < o->disk.count; i++)
        if (!(c->disk[i].block = setup_medium(o->disk.items[i], MEDIUM_DISK, err)))
            return false;
    if (o->cdrom && !(c->cdrom.block = setup_medium(o->cdrom, MEDIUM_CDROM, err)))
        return false;
    c->has_cdrom = o->cdrom;
    return true;
}

/* The window is called after what is booted. */
static const char *title(const struct boot_options *o, char *text, size_t size)
{
    const char *path = o->kernel ? o->kernel : o->floppy.count ? o->floppy.items[0] : o->cdrom ? o->cdrom :
                       o->disk.count ? o->disk.items[0] : "boot", *slash = strrchr(path, '/');

    path = slash ? slash + 1 : path;
    snprintf(text, size, "%.*s", (int)strcspn(path, ","), path);
    return text;
}

static int boot(struct invocation *in)
{
    const struct boot_options *o = in->own;
    struct machine_config config = { .kernel = o->kernel, .initrd = o->initrd, .append = o->append, .firmware = o->firmware };
    char name[96];
    struct session s = { .name = title(o, name, sizeof(name)), .options = &in->run };
    unsigned disks = o->cdrom ? MACHINE_DISKS - 1 : MACHINE_DISKS;
    struct profile *profile;
    struct error err;
    int code = setup_check(in->command, &in->run);

    if (code)
        return code;
    if (o->floppy.count > MACHINE_FLOPPIES)
        return usage_error(in->command, "a PC has two floppy drives: give --floppy at most twice");
    if (o->disk.count > disks)
        return usage_error(in->command, "there is room for %u disks%s", disks, o->cdrom ? " beside the CD-ROM" : "");
    if (!o->kernel && (o->initrd || o->append))
        return usage_error(in->command, "--initrd and --append need --kernel");
    if ((code = setup_profile(in->command, o->profile ? o->profile : "generic", &in->run, &profile)))
        return code;
    s.profile = profile;
    if (media_open(o, &config, &err)) {
        for (size_t i = 0; i < o->floppy.count; i++)
            session_medium_note(&s, i ? "floppy1" : "floppy0", o->floppy.items[i]);
        session_medium_note(&s, "cdrom0", o->cdrom);
        code = session_run(&s, &config);
    } else {
        setup_media_close(&config);
        code = fail(EXIT_FAILED, &err);
    }
    profile_free(profile);
    return code;
}

const struct command command_boot = {
    .name = "boot", .usage = "[OPTION...]", .summary = "run a machine from images, without importing them",
    .options = boot_table, .size = sizeof(struct boot_options), .common = true, .run = boot,
    .details = "Images are only read; changes are kept until the end of the run and then dropped, unless FILE,rw is given.\n"
               "It boots from floppy, CD-ROM, then disk.",
};
