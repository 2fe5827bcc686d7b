/* Importers: turn the disks of an old machine into disk0.qcow2, disk1.qcow2 ... (zlib clusters, mode 0444), evidence/manifest.json
 * and the choice of a profile. The caller makes the guest's folder and writes guest.profile; all else in it is made here. */
#ifndef IMPORTERS_IMPORTER_H
#define IMPORTERS_IMPORTER_H
#include "base/error.h"
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

enum import_stage { IMPORT_READING, IMPORT_FINISHING, IMPORT_INSPECTING, IMPORT_DONE };
struct import_progress {
    enum import_stage stage;
    uint64_t done, total, stored;               /* bytes read; total 0: not known (stdin); bytes of the image so far */
    double rate, eta;                           /* bytes a second; seconds left, negative: not known */
    const char *doing; double waited, limit;    /* while inspecting: what libguestfs does, its seconds and their limit; or NULL */
};
struct import_options {
    const char *const *sources; unsigned source_count;      /* files, block devices, or "-" for standard input: a machine's disks */
    const char *const *parents; size_t parent_count;        /* files that differencing images may be followed to */
    const char *ddrescue_map;                   /* what ddrescue could not read of the (only) source; or NULL */
    const char *identity;                       /* what a collector script wrote on the old machine; or NULL */
    const char *folder;                         /* the guest's folder; exists; disk0.qcow2 must not (unused by dry_run) */
    const char *profile;                        /* chosen by the user; NULL: by the rules */
    const char *rules;                          /* NULL: import.rules of the shipped profiles; pins.rules is beside it */
    const char *tool_version;                   /* for the manifest */
    bool dry_run;                               /* read, hash, look and choose; write nothing */
    bool no_inspect;                            /* do not start libguestfs; the light detectors still look */
    unsigned inspect_seconds;                   /* limit for libguestfs; 0: 180 */
    double checkpoint_seconds;                  /* how often what has been read is made safe; 0: 30 */
    int level;                                  /* of the compressor, 1..9; 0: a good one */
    unsigned threads;                           /* compressors; 0: one a CPU, at most 8 */
    void (*progress)(void *ui, const struct import_progress *);     /* about four times a second; may be NULL */
    void *ui;
    const volatile sig_atomic_t *cancel;        /* becomes true: import_run stops, error code EINTR */
};

enum { IMPORT_TEXT = 256, IMPORT_FINDINGS = 32, IMPORT_DISKS = 4, IMPORT_PINS = 128 };
struct byte_range { uint64_t start, length; };
struct import_geometry {                        /* zeros: nothing to pin, the firmware's own choice is right */
    uint32_t cylinders, heads, sectors;         /* the logical (BIOS) geometry that the old system knew */
    char reason[IMPORT_TEXT];
};
struct import_disk {
    char source[1024], kind[32], format[32];    /* kind: "file", "block device", "stream" ...; format: "raw", "vhd" ... */
    uint64_t bytes, sectors, bad_bytes;         /* of the guest's disk; sectors: rounded up; bad: could not be read */
    uint64_t resumed_at;                        /* as far as an earlier import had come */
    char sha256[65], md5[65];                   /* of those bytes */
    char image_sha256[65]; uint64_t image_bytes, stored_clusters;      /* of diskN.qcow2 */
    struct import_geometry geometry;
    size_t finding_count; char findings[IMPORT_FINDINGS][IMPORT_TEXT];  /* sentences about the table and file systems */
};
struct import_pin { char section[16], key[24], value[172], reason[160]; };      /* a line of guest.profile */
struct import_result {
    bool kept;                                  /* it failed, but what was read is in the folder: the same import goes on there */
    unsigned disk_count; struct import_disk disks[IMPORT_DISKS];
    unsigned pin_count; struct import_pin pins[IMPORT_PINS];
    char profile[64], reason[IMPORT_TEXT];      /* the profile and the sentence that tells why */
    char os[64], product[128], hostname[128], address[64], netmask[64], gateway[64], dns[64];   /* what was found; "" when not */
    bool inspected;                             /* libguestfs looked */
    char inspect_note[IMPORT_TEXT];             /* why it did not, or what it could not do; "" when all went well */
    char *manifest;                             /* the manifest's JSON text, also when dry_run */
};

/* Does the whole import. On failure nothing that it made stays in the folder, unless r->kept. */
bool import_run(const struct import_options *, struct import_result *, struct error *);
void import_result_free(struct import_result *);
/* What `holdover import` prints, and with --json, allocated. */
char *import_text(const char *name, const struct import_result *, bool dry_run);
char *import_json(const char *name, const struct import_result *, bool dry_run);
void import_sweep(void);                        /* takes away what imports that were killed left in the temporary folder */

/* A disk of a guest into a file (must not exist), or raw with "-" to standard output. image is the top layer; manifest may be NULL
 * (then the image's size is the length). When the chain is the untouched import (image is diskN.qcow2 itself) its bytes are also
 * checked against the manifest. sha256 (65 bytes), of the disk's bytes, may be NULL. */
struct export_options {
    const char *image, *manifest, *to;
    const char *format;                         /* raw, qcow2, vhd, vmdk, vdi; NULL: raw */
    unsigned disk;                              /* its number in the manifest */
    void (*progress)(void *ui, const struct import_progress *); void *ui;
    const volatile sig_atomic_t *cancel;
};
bool export_disk(const struct export_options *, char *sha256, struct error *);
/* All disks of a guest, its evidence and its profile as a BagIt folder (must not exist). images: their top layers. */
struct bag_options {
    const char *folder, *name, *images[IMPORT_DISKS]; unsigned count;
    const char *format, *to, *tool_version;
    void (*progress)(void *ui, const struct import_progress *); void *ui;
    const volatile sig_atomic_t *cancel;
};
bool export_bag(const struct bag_options *, struct error *);
/* Reads diskN.qcow2 and compares with the manifest and the list of MiBs: false and a sentence that tells where they differ. */
bool import_verify(const struct export_options *, struct error *);
/* The same of the CD or floppy number o->disk, whose file it names. Error code ENOENT: there are no more. */
bool import_verify_medium(const struct export_options *, char file[64], struct error *);

#endif
