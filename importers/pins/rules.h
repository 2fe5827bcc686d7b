/* Files of rules, legacy-profiles/import.rules and pins.rules: what facts mean for the machine. */
#ifndef IMPORTERS_RULES_H
#define IMPORTERS_RULES_H
#include "importers/systems/facts.h"
#include "importers/importer.h"

/* Is given the targets of each line whose conditions all hold, in the order of the file; false ends it. */
typedef bool rule_target(void *arg, const char *target, const char *reason);
bool rules_apply(const char *path, const struct facts *, rule_target *, void *arg, struct error *);
/* The first rule whose conditions all hold gives profile and reason; the file's last rule has none. */
bool rules_choose(const char *path, const struct facts *, char profile[64], char reason[IMPORT_TEXT], struct error *);

#endif
