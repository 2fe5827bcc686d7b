/* The one public header of libhypervisor.a: everything that the console needs of it. */
#ifndef HYPERVISOR_H
#define HYPERVISOR_H
#include "block/block.h"
#include "core/machine.h"
#include "profile/profile.h"

/* A medium for a drive. The machine takes the block over: it closes it at eject, replacement and machine_free, and
 * also when machine_create fails. */
struct machine_medium { struct block *block; };

enum { MACHINE_FLOPPIES = 2, MACHINE_DISKS = 4 };
struct machine_config {
    const struct profile *profile;              /* never NULL; read during machine_create only */
    struct machine_medium floppy[MACHINE_FLOPPIES], cdrom, disk[MACHINE_DISKS];     /* block NULL: an empty drive, or no disk */
    bool has_cdrom;                             /* a drive even without a disc in it */
    /* Direct boot: files on the host, NULL kernel: boot from the drives. */
    const char *kernel, *initrd, *append;
    const char *firmware, *vga_firmware;        /* paths; NULL: the profile's, then Debian's SeaBIOS */
    const char *name;                           /* of the guest; NULL: none. What is not pinned may be made from it */
    const char *engine;                         /* "auto", "translator", "interpreter"; NULL: the profile's, then auto */
    uint32_t debug_port;                        /* bytes written to this port go to host->debug; 0: none but 402h */
    bool no_reboot;                             /* a reset ends machine_run with STOP_RESET */
    bool virtual_time;                          /* time is instructions executed, and everything runs in one thread */
    bool no_floppy;                             /* no floppy controller's drives at all */
};

/* Builds the whole machine of a profile and resets it: ready for machine_run. NULL and a sentence on failure. Ids of drives are
 * "floppy0", "floppy1", "cdrom0" and "ide0-0", "ide0-1", "ide1-0", "ide1-1" (the CD-ROM sits at ide1-0 when there is one). */
struct machine *machine_create(const struct machine_config *, const struct host *, struct error *);

/* Puts a medium in ("floppy0", "floppy1", "cdrom0"); NULL ejects. Takes the block over also on failure. Needs the lock. */
bool machine_media(struct machine *, const char *drive, struct block *, struct error *);
/* The hardware address that a guest of this name gets when none is pinned. */
void machine_mac(const char *name, char text[18]);
void machine_power_button(struct machine *);    /* a press; needs the lock */
/* The drives that take media, then the fixed disks: names for menus, `index` from 0; NULL after the last. */
const char *machine_drive(struct machine *, unsigned index, bool *removable);
bool machine_medium_locked(struct machine *, const char *drive);        /* the guest has locked the door */

/* Is there such an engine? The error names those that exist. */
bool machine_engine_check(const char *name, struct error *);
struct machine_statistics {
    const char *engine; uint64_t instructions, exits_io, exits_mmio, exits_hlt; int64_t guest_ns;
    uint64_t ram_touched;                       /* bytes of the guest's RAM that the host has had to provide */
    struct { const char *name; uint64_t value; } counters[16];         /* the engine's own; a NULL name ends them */
};
void machine_statistics(struct machine *, struct machine_statistics *); /* needs the lock */

/* Long options, menus and `doctor --devices`: see device_classes in core/device.h. */

#endif
