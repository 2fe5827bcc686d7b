/* `holdover verify`: are a guest's disks still what was imported? */
#include "console/library.h"
#include "console/options.h"
#include "console/progress.h"
#include "hypervisor.h"
#include <errno.h>

static int verify(struct invocation *in)
{
    struct progress progress;
    struct guest g;
    struct error err = { 0 };
    char image[PATH_MAX], manifest[PATH_MAX];
    char file[64];
    unsigned bad = 0;
    bool fine;

    if (!guest_find(&g, in->arguments.items[0], &err))
        return fail(EXIT_FAILED, &err);
    struct export_options o = { .image = image, .manifest = guest_path(&g, "evidence/manifest.json", manifest), .progress = progress_show,
                                .ui = &progress, .cancel = progress_cancel() };
    for (; guest_disk(&g, o.disk, image, NULL) || !o.disk; o.disk++) {
        progress_start(&progress, "checked");
        bool ok = import_verify(&o, &err);
        progress_end(&progress);
        if (ok)
            printf("disk%u.qcow2 holds what was imported\n", o.disk);
        else if (err.code == ENOENT)
            printf("%s\n", err.text);
        else
            bad += fail(EXIT_FAILED, &err) != 0;
    }
    for (o.disk = 0; (fine = import_verify_medium(&o, file, &err)) || err.code != ENOENT; o.disk++)
        if (fine)
            printf("%s holds what was imported\n", file);
        else
            bad += fail(EXIT_FAILED, &err) != 0;
    return bad ? EXIT_FAILED : EXIT_FINE;
}

const struct command command_verify = {
    .name = "verify", .usage = "NAME", .summary = "check a guest's imported disks against the manifest",
    .least = 1, .most = 1, .run = verify,
    .details = "All bytes are read and compared with the checksums of the import; the MiBs that differ are named.\n"
               "What the guest has changed since lies in layers of its own and is not looked at.",
};
