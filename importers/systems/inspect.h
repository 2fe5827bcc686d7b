/* Looking inside a disk: first by our own readers, then by libguestfs in a process of its own. */
#ifndef IMPORTERS_INSPECT_H
#define IMPORTERS_INSPECT_H
#include "importers/systems/facts.h"
#include "importers/disk/trees.h"

/* Adds what the volumes that we can read say. */
void inspect_light(struct block *disk, const struct partition_table *, struct facts *);
/* Adds what the rules find in one tree. */
void inspect_tree(const struct tree *, struct facts *);
void year_keep_newest(struct facts *);          /* of several values of `year` */
/* Is told about four times a second what libguestfs is doing, since when, and the limit; true ends the look at once. */
typedef bool inspect_waiting(void *arg, const char *doing, double seconds, double limit);
struct inspect_image { const char *path, *format; };     /* "raw" or "qcow2" */
/* Has libguestfs look at the image files of one machine for at most `seconds`. False: it could not; note says why. *report is
 * its answer for the manifest (may be NULL). */
bool inspect_guestfs(const struct inspect_image *, unsigned count, unsigned seconds, inspect_waiting *, void *arg,
                     struct facts *, json_t **report, char note[IMPORT_TEXT]);
/* A temporary folder, locked by what is returned (-1: none); import_sweep takes it away when its process has died. */
int look_folder(char *folder, size_t size);
void look_folder_remove(const char *folder);

#endif
