/* `holdover export`: a guest's disk as a plain file. */
#include "console/library.h"
#include "console/options.h"
#include "console/progress.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct own_options { const char *format, *to; };
#define OWN(m) offsetof(struct own_options, m)
static const struct option table[] = {
    { "format", "raw", OPTION_TEXT, OWN(format), 0, "the format to write" },
    { "bagit", NULL, OPTION_LATER, 0, 0, "a BagIt folder with checksums: not in this version" },
    { "o", "FILE", OPTION_TEXT, OWN(to), 0, "the file to make; -: standard output" },
    { 0 }
};

static int export(struct invocation *in)
{
    const struct own_options *o = in->own;
    char disk[PATH_MAX], image[PATH_MAX], manifest[PATH_MAX], sha256[65] = "";
    struct progress progress;
    struct export_options options = { .to = o->to, .progress = progress_show, .ui = &progress };
    struct guest g;
    struct error err = { 0 };
    bool ok;

    if (!o->to)
        return usage_error(in->command, "where to? Give -o FILE");
    if (o->format && strcmp(o->format, "raw"))
        return usage_error(in->command, "the format '%s' is not in this version: use --format raw", o->format);
    if (!guest_find(&g, in->arguments.items[0], &err) || !guest_lock(&g, &err))
        return fail(EXIT_FAILED, &err);
    guest_disk(&g, 0, disk, image);
    options.image = access(image, F_OK) ? disk : image;
    options.manifest = guest_path(&g, "evidence/manifest.json", manifest);
    if (access(manifest, F_OK))
        options.manifest = NULL;
    options.cancel = progress_cancel();
    progress_start(&progress, "wrote");
    ok = export_raw(&options, sha256, &err);
    progress_end(&progress);
    guest_unlock(&g);
    if (!ok)
        return fail(EXIT_FAILED, &err);
    if (strcmp(o->to, "-"))
        printf("%s  %s\n", sha256, o->to);
    return EXIT_FINE;
}

const struct command command_export = {
    .name = "export", .usage = "NAME --format raw -o FILE", .summary = "write a guest's disk as a plain file",
    .options = table, .size = sizeof(struct own_options), .least = 1, .most = 1, .run = export,
    .details = "The disk as it is now, with the byte length of the source; right after an import it equals the source bit for bit.\n"
               "Prints the file's SHA-256.",
};
