/* Where an import's bytes come from: a file, a block device, a qcow2 image or a stream, read once from start to end. */
#ifndef IMPORTERS_SOURCE_H
#define IMPORTERS_SOURCE_H
#include "block/block.h"
#include "importers/importer.h"

enum { SOURCE_HEAD = 65536 };
struct source {
    const char *name, *kind;
    struct block *block; int fd;                /* one of them */
    uint64_t size, position;                    /* size 0: not known */
    uint8_t head[SOURCE_HEAD]; size_t head_length;      /* the first bytes, read to look at them */
};
/* Refuses, with a sentence, formats that are not disks byte for byte. */
bool source_open(struct source *, const char *name, const volatile sig_atomic_t *cancel, struct error *);
/* Fills `to` unless the end comes first; *got tells. */
bool source_read(struct source *, uint8_t *to, size_t length, size_t *got, const volatile sig_atomic_t *cancel, struct error *);
void source_close(struct source *);

#endif
