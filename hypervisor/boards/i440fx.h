/* The i440FX PC: private to boards/. A board is what the machine's sockets hold: firmware, RAM, drives and their media. */
#ifndef BOARDS_I440FX_H
#define BOARDS_I440FX_H
#include "hypervisor.h"
#include "net/net.h"
#include "x86/cpu.h"

/* Profile sections [disk0] ... id: on a SCSI bus; 255: the disk's number */
struct board_disk { uint32_t cylinders, heads, sectors; char *bus, *model, *serial, *firmware; uint8_t id; };
extern const struct property board_disk_properties[];

struct drive {
    char id[12], path[64]; struct device *dev; unsigned unit, disk; bool removable;    /* path: firmware's name;
                                                   disk: its profile section */
    struct block *block;                        /* owned; NULL: empty */
};
enum { DRIVES_MAX = 8, FIRMWARE_MIN = 64 << 10, FIRMWARE_MAX = 4 << 20 };
struct board {
    struct machine *machine;
    struct profile_machine machine_profile; struct profile_cpu cpu_profile; struct profile_translator translator_profile;
    struct profile_scsi scsi_profile; struct profile_smbios smbios;
    struct profile_net net_profile;
    struct board_disk disk[MACHINE_DISKS];
    const struct machine_config *config;        /* during machine_create only */
    uint8_t *firmware; size_t firmware_size;
    int utc_offset;                             /* seconds that the guest's clock is ahead of UTC */
    uint64_t low;                               /* bytes of RAM below 4 GiB */
    struct block_pool *pool;
    bool counted; int64_t disk_latency;         /* virtual time, and what a disk request takes of it */
    struct drive drive[DRIVES_MAX]; unsigned drives;
    struct net *net;
    struct device *cmos, *fw_cfg, *pic, *ioapic, *pm;
    uint8_t cmos_value[128]; bool cmos_set[128];        /* what the firmware's set-up would have stored; at each power-on */
};

/* Adds and wires everything but the CPU. */
bool i440fx_build(struct board *, struct error *);
/* What firmware finds in CMOS and fw_cfg; after the drives are there. */
bool i440fx_configure(struct board *, struct error *);
bool i440fx_add_cpu(struct board *, const char *engine, struct error *);
struct drive *board_drive(struct board *, const char *id);
/* Puts a medium into a drive (NULL: out) and closes the one before; on failure the block stays the caller's. */
bool board_insert(struct board *, struct drive *, struct block *, struct error *);

bool board_disk_scsi(const struct board *, unsigned disk);         /* is that disk on the SCSI bus? */

/* --- geometry.c --- */
/* The geometry that a disk was partitioned with, from the ends of its primary partitions: all must agree. */
bool geometry_guess(struct block *, uint32_t *heads, uint32_t *sectors);

#endif
