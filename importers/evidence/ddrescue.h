/* What of a disk could not be read: ranges of bytes in ascending order, and the map files of GNU ddrescue [DDRESCUE]. */
#ifndef IMPORTERS_DDRESCUE_H
#define IMPORTERS_DDRESCUE_H
#include "importers/importer.h"

struct ranges { struct byte_range *list; size_t count, room; };
/* Adds a range behind all others; one that touches the last is joined to it. False: no memory, or more than anybody can use. */
bool ranges_add(struct ranges *, uint64_t start, uint64_t length);
bool ranges_join(struct ranges *, const struct ranges *a, const struct ranges *b);      /* what lies in either; adds to an empty one */
void ranges_cut(struct ranges *, uint64_t end);         /* nothing from there on */
uint64_t ranges_bytes(const struct ranges *);
bool ranges_touch(const struct ranges *, uint64_t start, uint64_t length);
void ranges_free(struct ranges *);
/* All of 0..size that the map does not call finished ('+'), or does not name. */
bool map_read(const char *path, uint64_t size, struct ranges *bad, struct error *);
bool map_parse(const char *text, const char *name, uint64_t size, struct ranges *bad, struct error *);
/* Under a new name, synced, then renamed. done: as far as the disk has been read; the rest is not tried. */
bool map_write(const char *path, uint64_t done, uint64_t size, const struct ranges *bad, struct error *);

#endif
