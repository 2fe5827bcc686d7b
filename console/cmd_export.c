/* `holdover export`: a guest's disk as a file, or all of it as a bag. */
#include "console/library.h"
#include "console/options.h"
#include "console/progress.h"
#include "console/version.h"
#include "hypervisor.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct own_options { const char *format, *to, *disk; bool bagit; };
#define OWN(m) offsetof(struct own_options, m)
static const struct option table[] = {
    { "format", "FORMAT", OPTION_TEXT, OWN(format), 0, "raw (the usual), qcow2, vhd, vmdk or vdi" },
    { "disk", "N", OPTION_TEXT, OWN(disk), 0, "another disk than 0, the first" },
    { "bagit", NULL, OPTION_FLAG, OWN(bagit), 0, "a BagIt folder of all disks, the evidence, and PREMIS events" },
    { "o", "FILE", OPTION_TEXT, OWN(to), 0, "the file or folder to make; -: standard output (raw only)" },
    { 0 }
};

static bool write_out(const struct own_options *o, const struct guest *g, unsigned disk, char *sha256, struct error *err)
{
    char images[MACHINE_DISKS][PATH_MAX], manifest[PATH_MAX], layer[PATH_MAX];
    struct progress progress;
    struct export_options options = { .manifest = guest_path(g, "evidence/manifest.json", manifest), .to = o->to, .format = o->format,
        .disk = disk, .progress = progress_show, .ui = &progress, .cancel = progress_cancel() };
    struct bag_options bag = { .folder = g->folder, .name = g->name, .format = o->format ? o->format : "raw", .to = o->to,
        .tool_version = HOLDOVER_VERSION, .progress = progress_show, .ui = &progress, .cancel = options.cancel };

    for (; bag.count < MACHINE_DISKS && guest_disk(g, bag.count, images[bag.count], layer); bag.count++) {
        if (!access(layer, F_OK))
            memcpy(images[bag.count], layer, PATH_MAX);
        bag.images[bag.count] = images[bag.count];
    }
    if (disk >= bag.count)
        return error_set(err, ENOENT, "the guest '%s' has no disk %u", g->name, disk);
    options.image = images[disk];
    if (access(manifest, F_OK))
        options.manifest = NULL;
    progress_start(&progress, "wrote");
    bool ok = o->bagit ? export_bag(&bag, err) : export_disk(&options, sha256, err);
    progress_end(&progress);
    return ok;
}

static int export(struct invocation *in)
{
    const struct own_options *o = in->own;
    bool raw = !o->format || !strcmp(o->format, "raw"), ok;
    unsigned disk = o->disk ? (unsigned)(*o->disk - '0') : 0;
    char sha256[65] = "";
    struct guest g;
    struct error err = { 0 };

    if (!o->to)
        return usage_error(in->command, "where to? Give -o FILE");
    if (disk >= MACHINE_DISKS || (o->disk && o->disk[1]))
        return usage_error(in->command, "--disk is a number from 0 to %d", MACHINE_DISKS - 1);
    if (!guest_find(&g, in->arguments.items[0], &err) || !guest_lock(&g, &err))
        return fail(EXIT_FAILED, &err);
    ok = write_out(o, &g, disk, sha256, &err);
    guest_unlock(&g);
    if (!ok)
        return fail(err.code == EINVAL ? EXIT_USAGE : EXIT_FAILED, &err);
    if (o->bagit)
        printf("%s is a bag of '%s'\n", o->to, g.name);
    else if (strcmp(o->to, "-"))
        printf(raw ? "%s  %s\n" : "SHA-256 of the disk's bytes: %s\n", sha256, o->to);
    return EXIT_FINE;
}

const struct command command_export = {
    .name = "export", .usage = "NAME [--format FORMAT] -o FILE", .summary = "write a guest's disk as a file for other programs",
    .options = table, .size = sizeof(struct own_options), .least = 1, .most = 1, .run = export,
    .details = "The disk as it is now; raw has the byte length of the source, and right after an import equals it bit for bit.\n"
               "Prints the SHA-256 of the disk's bytes, which for raw is the file's.",
};
