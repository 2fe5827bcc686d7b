/* What of the old machine the new one must keep: lines for guest.profile, each with its reason. */
#ifndef IMPORTERS_PINS_H
#define IMPORTERS_PINS_H
#include "importers/pins/identity.h"
#include "importers/importer.h"

/* Fills result->pins from the geometries and what is known of the system and, unless NULL, of its machine; findings of the first
 * disk tell what could not be kept. rules: the file pins.rules. */
bool pins_make(const char *rules, const struct facts *, const struct identity *, struct import_result *, struct error *);

#endif
