/* The guest store: a folder a guest under $HOLDOVER_HOME, or holdover/ in the XDG data home.
 *
 *   NAME/guest.profile          inherits a shipped profile, plus what was pinned at import
 *   NAME/disk0.qcow2            the import, and disk1.qcow2 ... of a machine with more: never written again, mode 0444
 *   NAME/layers/current.qcow2   what the guest changed: an overlay with a relative backing name; current1.qcow2 of disk1, and so on
 *   NAME/state/  evidence/  log
 *   NAME/lock                   locked by the process that runs or changes the guest; holds its pid
 *   NAME/control                the running guest's socket
 *
 * Names that start with a dot are not guests: half-made imports and half-removed guests, which nobody lists. */
#ifndef CONSOLE_LIBRARY_H
#define CONSOLE_LIBRARY_H
#include "base/error.h"
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { GUEST_NAME_MAX = 64 };
struct guest { char name[GUEST_NAME_MAX + 1], folder[PATH_MAX - 64]; int lock; };   /* lock: a descriptor, or -1 */

/* The store's folder; made when `create`. */
bool library_folder(char *path, size_t size, bool create, struct error *);
/* Letters, digits, and . _ - inside; at most GUEST_NAME_MAX. */
bool library_name_valid(const char *name, struct error *);
/* A valid name that no guest has, made from a file's name ("-": guest). */
bool library_name_free(const char *source, char *name, size_t size, struct error *);
/* Names of all guests, sorted, closed by NULL; library_list_free releases them. */
char **library_list(struct error *);
void library_list_free(char **);

/* Finds a guest; not locked. */
bool guest_find(struct guest *, const char *name, struct error *);
bool guest_half(struct guest *, const char *name);      /* finds an interrupted import that can be continued */
/* Takes the guest for this process: a sentence with the pid of the one that has it when that fails. */
bool guest_lock(struct guest *, struct error *);
pid_t guest_running(const struct guest *);      /* the pid that has the lock; 0: none */
void guest_unlock(struct guest *);
/* DIR/rest, into a buffer of PATH_MAX. */
const char *guest_path(const struct guest *, const char *rest, char *path);
/* The paths of disk n and of its current layer; is there such a disk? disk or layer may be NULL. */
bool guest_disk(const struct guest *, unsigned n, char *disk, char *layer);
/* Makes the layers of the disks where they are not there. Needs the lock. */
bool guest_layers(const struct guest *, struct error *);
/* Bytes on disk of a guest's folder. */
uint64_t guest_bytes(const struct guest *);
/* Deletes what imports and removals that were killed left. */
void library_sweep(void);

/* A hidden, locked folder in the store for an import, with its subfolders, or the one of an interrupted import of that name; ended by library_commit (the lock stays: unlock it)
 * or library_discard. */
bool library_begin(struct guest *, const char *name, struct error *);
bool library_commit(struct guest *, struct error *);
void library_discard(struct guest *);
bool guest_rename(struct guest *, const char *name, struct error *);
bool guest_remove(struct guest *, struct error *);      /* hides the folder first, then deletes it */

#endif
