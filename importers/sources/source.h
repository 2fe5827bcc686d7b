/* Where an import's bytes come from: one interface over files, devices, pieces, streams, remote machines, network blocks, appliances,
 * CDs, floppies and folders. A source has a block (random access) or a feed (read once from start to end). */
#ifndef IMPORTERS_SOURCE_H
#define IMPORTERS_SOURCE_H
#include "block/block.h"
#include "importers/importer.h"
#include <jansson.h>

enum { SOURCE_HEAD = 3 << 20 };               /* more than a floppy */
/* What the guest has of it: a disk, a CD (kept as the image of its data sectors, 2048 bytes each) or a floppy. */
enum source_media { MEDIA_DISK, MEDIA_CD, MEDIA_FLOPPY };
struct source_options { const char *const *parents; size_t parent_count; };     /* images that the user named as parents of others */
struct feed;
struct source {
    const char *name, *kind, *format;           /* kind: "file", "block device", "stream"; format: "raw", "vhd", "iso", "folder" ... */
    enum source_media media;
    json_t *details;                            /* for the manifest, or NULL; an array "notes" in it holds sentences for the user */
    struct block *block; struct feed *feed;     /* one of them; the bytes of the guest's disk */
    uint64_t size, position;                    /* size 0: not known */
    uint8_t head[SOURCE_HEAD]; size_t head_length;      /* the first bytes of a feed, read to look at them */
};
/* The sources that one name stands for: of an OVA its disks ("server.ova/disk1.vmdk"), of anything else the name itself. */
struct source_list { char **names; size_t count; };
bool source_list(struct source_list *, const char *name, struct error *);
void source_list_free(struct source_list *);
/* name outlives the source. Looks for transports by the name, for formats by what is there. */
bool source_open(struct source *, const char *name, const struct source_options *, const volatile sig_atomic_t *cancel, struct error *);
/* Of a feed: fills `to` unless the end comes first; *got tells. */
bool source_read(struct source *, uint8_t *to, size_t length, size_t *got, struct error *);
void source_close(struct source *);

/* A part of a block as a block; takes `below`, also on failure. */
struct block *block_window(struct block *below, uint64_t offset, uint64_t size, struct error *);

#endif
