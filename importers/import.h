/* What the steps of an import share: import.c asks, capture.c reads. */
#ifndef IMPORTERS_IMPORT_H
#define IMPORTERS_IMPORT_H
#include "importers/disk/partitions.h"
#include "importers/evidence/ddrescue.h"
#include "importers/pins/identity.h"
#include "importers/pipeline.h"
#include "importers/sources/source.h"
#include "importers/systems/facts.h"
#include <limits.h>

struct disk {
    unsigned number; bool image, kept;          /* image: diskN.qcow2.part is being made, or was; kept: it can be continued */
    struct partition_table table; struct ranges bad; json_t *details, *hit; char container_sha256[65], list_sha256[65];
};
struct import {
    const struct import_options *o; struct import_result *r;
    const char *folder; char temporary[80]; int temporary_lock;        /* the guest's folder; on a dry run a temporary one */
    struct source_list lists[IMPORT_DISKS]; unsigned list_count;
    struct source source;
    struct disk disks[IMPORT_DISKS]; struct disk *disk; struct import_disk *found;     /* disk, found: of the one being read */
    struct facts facts; struct identity identity; json_t *report;
    struct meter meter;
    json_t *media; unsigned media_counts[MEDIA_FLOPPY + 1];             /* CDs and floppies that were kept */
};
/* A file of a disk in the folder: fmt has a %u for its number. */
const char *disk_file(const struct import *, const struct disk *, const char *fmt, char path[PATH_MAX]);
/* Reads a disk, hashes it, and makes its image and the evidence beside it. Sets r->kept when what it has is kept to be continued. */
bool capture_disk(struct import *, struct error *);
bool image_put(void *qcow2_writer, const struct chunk *, struct error *);      /* a lane */
/* Keeps a CD or a floppy in the guest's folder. */
bool medium_import(struct import *, struct error *);
bool media_disk(struct import *, struct error *);       /* of a machine without disks: an empty one */
void media_remove(const struct import *);
/* Takes away all files of a disk but its finished image. */
void capture_remove(const struct import *, const struct disk *);

#endif
