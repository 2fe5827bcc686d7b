/* Images of other programs, written in one pass: VHD (dynamic), VMDK (monolithic sparse), VDI (dynamic), and a plain file. All are
 * units of data in the order in which they were needed, behind a table of them. */
#ifndef IMPORTERS_CONTAINERS_H
#define IMPORTERS_CONTAINERS_H
#include "importers/pipeline.h"

struct container_class;
struct container {
    const struct container_class *class; int fd; const char *to;       /* to: the file's name, for sentences and inside a VMDK */
    uint64_t length, size;                      /* of the disk's bytes; rounded up to sectors */
    uint32_t *table, units, used; uint64_t data_at;     /* by unit: which one in the file it is; UNIT_NONE */
};
bool container_open(struct container *, const char *format, struct error *);    /* fd, to, length are set; NOT raw without seeking */
bool container_take(void *container, const struct chunk *, struct error *);     /* a lane */
bool container_finish(struct container *, struct error *);                      /* the tables */
void container_free(struct container *);

#endif
