/* evidence/manifest.json: what was imported, byte for byte, and why it runs as it does. */
#ifndef IMPORTERS_EVIDENCE_H
#define IMPORTERS_EVIDENCE_H
#include "importers/import.h"

/* Under a new name, synced, then renamed. */
bool text_write(const char *path, const char *text, struct error *);
char *text_read(const char *path, size_t *length, struct error *);      /* all of a file of up to 64 MiB, with a NUL; allocated */
char *manifest_make(const struct import *);             /* the manifest's text, allocated */
bool evidence_write(const char *folder, const char *text, struct error *);
void evidence_remove(const char *folder);
/* What a manifest says of a disk; "" where an old one does not. tolerant is the reader's own. */
struct manifest_disk { uint64_t bytes; char sha256[65], md5[65], image_sha256[65], list_sha256[65]; bool tolerant; };
/* Error code ENOENT: the guest has such a disk, or none, but it was not imported. */
bool manifest_read(const char *path, unsigned disk, struct manifest_disk *, struct error *);
bool manifest_parse(const char *text, size_t length, const char *name, unsigned disk, struct manifest_disk *, struct error *);
/* The image of a CD or floppy in the guest's folder, and its checksum. Error code ENOENT: there are no more. */
bool manifest_medium(const char *path, unsigned n, char file[64], char sha256[65], struct error *);

#endif
