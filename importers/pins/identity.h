/* The identity of an old machine, as the collector scripts of drivers/collect/ wrote it: docs/identity.md has the format. */
#ifndef IMPORTERS_IDENTITY_H
#define IMPORTERS_IDENTITY_H
#include "base/error.h"
#include "importers/systems/facts.h"
#include <stdint.h>

struct identity { struct facts facts; };        /* the file's keys and values; mac and memory in one spelling each */
/* Reads at most 64 KiB. Refuses, with a sentence that names the line, what is not of the format. */
bool identity_read(const char *path, struct identity *, struct error *);
void identity_free(struct identity *);

/* "00:50:56:00:00:01" from any usual spelling; false: not a card's address. */
bool mac_read(const char *text, char mac[18]);
/* Bytes from "512M", "640K", "65536 kB", "134217728"; 0: no size. */
uint64_t size_read(const char *text);

#endif
