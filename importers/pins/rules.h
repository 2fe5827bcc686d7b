/* The rules by which a profile is chosen: legacy-profiles/import.rules. */
#ifndef IMPORTERS_RULES_H
#define IMPORTERS_RULES_H
#include "importers/systems/facts.h"
#include "importers/importer.h"

/* The first rule whose conditions all hold gives profile and reason; the file's last rule has none. */
bool rules_choose(const char *path, const struct facts *, char profile[64], char reason[IMPORT_TEXT], struct error *);

#endif
