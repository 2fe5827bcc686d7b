/* `holdover run`: a guest of the store in its window. */
#include "base/log.h"
#include "console/library.h"
#include "console/session.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct own_options { bool ephemeral; };
static const struct option table[] = {
    { "ephemeral", NULL, OPTION_FLAG, offsetof(struct own_options, ephemeral), 0, "drop all changes at the end of the run" },
    { 0 }
};

/* The guest's disks: their current layers, or with --ephemeral what lies below, under layers of memory. */
static bool disks_open(const struct guest *g, bool ephemeral, struct machine_config *config, struct error *err)
{
    char path[PATH_MAX];
    bool ok = guest_layers(g, err);

    for (unsigned n = 0; ok && n < MACHINE_DISKS && guest_disk(g, n, NULL, path); n++) {
        struct block *b = block_open_qcow2(path, ephemeral ? BLOCK_RDONLY : 0, err);
        config->disk[n].block = b && ephemeral ? block_open_overlay(b, err) : b;
        config->has_cdrom = n < 3;              /* it has the place of a fourth disk */
        ok = config->disk[n].block;
    }
    return ok;
}

/* CDs and floppies that were imported are in their drives; what is written to a floppy is gone at the end. */
static bool media_open(const struct guest *g, struct machine_config *config, struct error *err)
{
    struct { const char *name; enum medium_kind kind; struct block **to; } media[] = {
        { "cd0.iso", MEDIUM_CDROM, &config->cdrom.block }, { "floppy0.img", MEDIUM_FLOPPY, &config->floppy[0].block },
        { "floppy1.img", MEDIUM_FLOPPY, &config->floppy[1].block },
    };
    char path[PATH_MAX];

    for (unsigned n = 0; n < 3; n++)
        if (!access(guest_path(g, media[n].name, path), F_OK) && !(*media[n].to = setup_medium(path, media[n].kind, err)))
            return false;
    return true;
}

static FILE *log_open(const struct guest *g)
{
    char path[PATH_MAX], stamp[64];
    FILE *f = fopen(guest_path(g, "log", path), "ae");
    time_t now = time(NULL);
    struct tm tm;

    if (!f)
        return NULL;
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
    fprintf(f, "--- %s: run\n", stamp);
    log_to(f);
    log_set_level(LOG_INFO);
    return f;
}

static int run(struct invocation *in)
{
    const struct own_options *o = in->own;
    struct session s = { .options = &in->run };
    struct machine_config config = { .has_cdrom = true };
    struct profile *profile = NULL;
    char path[PATH_MAX];
    struct guest g;
    struct error err;
    FILE *log;
    int code = setup_check(in->command, &in->run);

    if (code)
        return code;
    if (!guest_find(&g, in->arguments.items[0], &err) || !guest_lock(&g, &err))
        return fail(EXIT_FAILED, &err);
    if (!(code = setup_profile(in->command, guest_path(&g, "guest.profile", path), &in->run, &profile))) {
        s.name = g.name;
        s.folder = g.folder;
        s.profile = profile;
        log = log_open(&g);
        if (disks_open(&g, o->ephemeral, &config, &err) && media_open(&g, &config, &err)) {
            code = session_run(&s, &config);
        } else {
            setup_media_close(&config);
            code = fail(EXIT_FAILED, &err);
        }
        log_to(stderr);
        if (log)
            fclose(log);
    }
    profile_free(profile);
    guest_unlock(&g);
    return code;
}

const struct command command_run = {
    .name = "run", .usage = "NAME [OPTION...]", .summary = "run a guest in its window",
    .options = table, .size = sizeof(struct own_options), .common = true, .least = 1, .most = 1, .run = run,
    .details = "SIGTERM and Ctrl-C ask the system to shut down, as 'holdover stop' does; a second one ends it at once.\n"
               "Without a window, and after SIGTERM, a system that does not obey is powered off; its disks are flushed.",
};
