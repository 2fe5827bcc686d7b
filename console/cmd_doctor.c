/* `holdover doctor`: what this host offers, and what this build knows. */
#include "console/kvm_probe.h"
#include "console/library.h"
#include "console/options.h"
#include "hypervisor.h"
#include <SDL.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct own_options { bool devices; };
static const struct option table[] = {
    { "devices", NULL, OPTION_FLAG, offsetof(struct own_options, devices), 0, "list all device classes with their properties" },
    { 0 }
};
#define FIRMWARE_FOLDER "/usr/share/seabios"

static int devices(void)
{
    for (const struct device_class *const *c = device_classes; *c; c++) {
        printf("%-16s %s\n", (*c)->name, (*c)->summary);
        for (const struct property *p = (*c)->properties; p && p->kind != PROP_END; p++)
            printf("    %-14s %s%s%s%s\n", p->name, p->help, p->fallback && *p->fallback ? " [" : "",
                   p->fallback ? p->fallback : "", p->fallback && *p->fallback ? "]" : "");
    }
    return EXIT_FINE;
}

static void engines(void)
{
    char why[KVM_TEXT];

    __builtin_cpu_init();
    printf("engines      auto takes the translator: the fastest engine of this build%s\n",
           __builtin_cpu_supports("bmi2") ? "" : "; it is slower on this host, whose CPU lacks BMI2");
    printf("             interpreter: built in; by --engine, or cpu.engine in a profile\n");
    if (kvm_works(why, sizeof(why)))
        printf("             kvm: not in this build, so auto does not take it; /dev/kvm of this host works (a program was run)\n");
    else
        printf("             kvm: not in this build, and it would not work here: %s\n", why);
}

/* Returns whether all needed files are there. */
static bool firmware(void)
{
    static const struct { const char *name, *what; } files[] = {
        { "bios-256k.bin", "system BIOS" }, { "vgabios-stdvga.bin", "VGA BIOS" },
    };
    bool all = true;

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char path[256];
        snprintf(path, sizeof(path), FIRMWARE_FOLDER "/%s", files[i].name);
        bool found = !access(path, R_OK);
        printf("%-12s %s: %s%s\n", i ? "" : "firmware", files[i].what, path, found ? "" : ": MISSING; install the package seabios");
        all &= found;
    }
    return all;
}

static void inspection(void)
{
#ifdef HAVE_GUESTFS
    const char *state = "built in: imports look inside the disk";
#else
    const char *state = "not in this build: imports use the light detectors only";
#endif
    const char *given = getenv("LIBGUESTFS_PATH");

    printf("libguestfs   %s\n", state);
    if (access("/usr/bin/supermin", X_OK) && !given)
        printf("             supermin is missing, so its appliance cannot be made; install libguestfs-tools or set LIBGUESTFS_PATH\n");
}

static void video(void)
{
    const char *display = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

    printf("window       SDL drivers:");
    for (int i = 0; i < SDL_GetNumVideoDrivers(); i++)
        printf(" %s", SDL_GetVideoDriver(i));
    printf("\n             %s\n", display && *display ? "DISPLAY is set" : wayland && *wayland ? "WAYLAND_DISPLAY is set" :
           "no display here: use --headless");
}

static bool store(void)
{
    char path[PATH_MAX];
    struct statvfs fs;
    struct error err;

    if (!library_folder(path, sizeof(path), false, &err)) {
        printf("store        %s\n", err.text);
        return false;
    }
    printf("store        %s", path);
    for (char *slash; statvfs(path, &fs) && (slash = strrchr(path, '/')) && slash != path;)
        *slash = 0;                             /* not made yet: what counts is the file system that it would be on */
    if (!statvfs(path, &fs))
        printf(": %.1f GB free%s", (double)fs.f_bavail * (double)fs.f_frsize / 1e9, access(path, W_OK) ? ", NOT WRITABLE for you" : "");
    printf("\n");
    return true;
}

static bool profiles(void)
{
    struct error err;
    char **names = profile_list(&err);
    unsigned count = 0, bad = 0;

    if (!names) {
        printf("profiles     %s\n", err.text);
        return false;
    }
    for (char **n = names; *n; n++, count++) {
        struct profile *p = profile_load(*n, &err);
        if (!p) {
            printf("profiles     %s\n", err.text);
            bad++;
        }
        profile_free(p);
    }
    printf("profiles     %u in %s\n", count, profile_folder());
    profile_list_free(names);
    return count && !bad;
}

static int doctor(struct invocation *in)
{
    const struct own_options *o = in->own;
    bool fine;

    if (o->devices)
        return devices();
    engines();
    fine = firmware();
    inspection();
    video();
    fine &= store();
    fine &= profiles();
    printf("%s\n", fine ? "All that is needed is there." : "Something needed is missing: see above.");
    return fine ? EXIT_FINE : EXIT_FAILED;
}

const struct command command_doctor = {
    .name = "doctor", .usage = "[--devices]", .summary = "check what this host offers",
    .options = table, .size = sizeof(struct own_options), .run = doctor,
};
