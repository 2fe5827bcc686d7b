/* qcow, version 1 (QEMU before 0.8.3): two levels of tables, big-endian; a compressed cluster is a deflate stream. References: [QCOW1].
 * Not modelled: encryption. */
#include "importers/formats/image.h"
#include "base/bits.h"

enum { Q_BACKING = 8, Q_BACKING_LENGTH = 16, Q_SIZE = 24, Q_CLUSTER_BITS = 32, Q_L2_BITS = 33, Q_CRYPT = 36, Q_L1 = 40, Q_HEADER = 48 };
#define PACKED (1ull << 63)

static int qcow1_find(struct image *i, uint64_t offset, uint64_t *length, struct place *p)
{
    uint64_t cluster = offset / i->unit, covers = i->unit * i->second, entry;
    int error = image_bytes(i, i->table + cluster / i->second * 8, &entry, 8);
    if (error || !entry) {
        *length = MIN(*length, covers - offset % covers);
        return error;
    }
    error = image_bytes(i, be64_get(&entry) + cluster % i->second * 8, &entry, 8);
    entry = error ? 0 : be64_get(&entry);
    *length = MIN(*length, i->unit - offset % i->unit);
    p->piece = entry & PACKED ? PIECE_PACKED : entry ? PIECE_DATA : PIECE_ABSENT;
    p->at = p->piece == PIECE_PACKED ? entry & (PACKED / i->unit - 1) : entry + offset % i->unit;
    p->packed = (uint32_t)((entry & ~PACKED) / (PACKED / i->unit));     /* below the flag a length of as many bits as a cluster's size has */
    return error;
}

struct block *qcow1_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    uint8_t h[Q_HEADER];
    struct image *i = image_new(file, names, h, Q_HEADER, err);
    if (!i)
        return NULL;
    uint64_t backing = be64_get(h + Q_BACKING);
    uint32_t length = be32_get(h + Q_BACKING_LENGTH);
    if (h[Q_CLUSTER_BITS] < 9 || h[Q_CLUSTER_BITS] > 16 || h[Q_L2_BITS] < 6 || h[Q_L2_BITS] > 13 || be64_get(h + Q_L1) < Q_HEADER)
        return image_bad(i, "its cluster size is impossible", err);
    if (be32_get(h + Q_CRYPT))
        return image_bad(i, "it is encrypted, which is not read", err);
    i->find = qcow1_find;
    i->unit = 1ull << h[Q_CLUSTER_BITS];
    i->second = 1ull << h[Q_L2_BITS];
    i->table = be64_get(h + Q_L1);
    if (backing && (length >= sizeof(info->parent) || backing > file->size || block_read(file, backing, info->parent, length)))
        return image_bad(i, "the name of its backing image is not inside the file", err);
    info->link = backing ? LINK_NAME : LINK_NONE;
    return image_ready(i, be64_get(h + Q_SIZE), err);
}
