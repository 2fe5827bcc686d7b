/* evidence/manifest.json: what was imported, byte for byte, and why it runs as it does. */
#ifndef IMPORTERS_EVIDENCE_H
#define IMPORTERS_EVIDENCE_H
#include "importers/import.h"

char *manifest_make(const struct import *);             /* the manifest's text, allocated */
/* Under a new name, synced, then renamed. */
bool evidence_write(const char *folder, const char *text, struct error *);
void evidence_remove(const char *folder);
bool manifest_read(const char *path, uint64_t *bytes, char sha256[65], struct error *);

#endif
