/* The transports that give blocks, for source.c. Each gives NULL and a sentence on failure; facts become the source's details, those
 * with the key `notes` are sentences for the user. */
#ifndef IMPORTERS_TRANSPORTS_H
#define IMPORTERS_TRANSPORTS_H
#include "importers/sources/source.h"
#include "importers/systems/facts.h"

/* Is NAME the first of several pieces (.001 .002, .000 .001, .aa .ab)? A later piece, or a missing one, fails with its sentence. */
bool split_is(const char *name, bool *is, struct error *);
struct block *split_open(const char *first, struct error *);

struct block *nbd_block_open(const char *uri, const volatile sig_atomic_t *cancel, struct error *);

/* OVA: a tar archive with a description of the machine and its disks. */
bool ova_is(const uint8_t *head, size_t length);
bool ova_list(const char *path, struct source_list *, struct error *);
/* One member as a block, and what the description says of the machine. Takes file, also on failure. */
struct block *ova_member_open(struct block *file, const char *path, const char *member, struct facts *, struct error *);

bool cd_is(struct block *);
bool floppy_is(struct block *);
/* Is what s->block holds a CD? Then media and format are set and the block is its data sectors. */
bool cd_find(struct source *, struct facts *, struct error *);
/* The disc of a cue sheet as its data sectors, 2048 bytes each; any other file or device as its bytes. */
struct block *sheet_open(const char *path, struct facts *, struct error *);

/* A folder of the host as a partitioned FAT disk, made as it is read. */
struct block *folder_open(const char *path, struct facts *, struct error *);
#endif
