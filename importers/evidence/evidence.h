/* evidence/manifest.json: what was imported, byte for byte, and why it runs as it does. */
#ifndef IMPORTERS_EVIDENCE_H
#define IMPORTERS_EVIDENCE_H
#include "importers/systems/facts.h"
#include "importers/importer.h"
#include "importers/disk/partitions.h"

/* The manifest's text, allocated. tables: a disk each; report: libguestfs's answer, or NULL; image: false on a dry run. */
char *manifest_make(const struct import_options *, const struct import_result *, const struct partition_table *const *tables,
                    const struct facts *, json_t *report, bool image);
/* Under a new name, synced, then renamed. */
bool evidence_write(const char *folder, const char *text, struct error *);
void evidence_remove(const char *folder);
bool manifest_read(const char *path, uint64_t *bytes, char sha256[65], struct error *);

#endif
