/* The partition tables of a foreign disk, one inside the other, read by bounded code before anything else looks at them. Damage is
 * a finding, not a failure. */
#ifndef IMPORTERS_PARTITIONS_H
#define IMPORTERS_PARTITIONS_H
#include "block/block.h"
#include "importers/importer.h"

enum { SECTOR = 512, PARTITIONS_MOST = 128 };
struct chs { uint16_t cylinder; uint8_t head, sector; };
struct partition {
    unsigned number;                            /* as Linux counts: 1..4 primary, 5.. logical, then what lies inside others */
    const char *scheme;                         /* "mbr", "gpt", "bsd", "vtoc", "unixware", "minix", "lvm", "" (a whole disk) */
    char name[40];                              /* as its system counts: "5", "1a", "2s0", "vg0/root" */
    uint8_t type; bool active;                  /* type: an MBR's; of a slice its container's, of a GPT's the MBR type that is meant */
    uint64_t start, sectors;                    /* in sectors of 512, from the disk's start */
    struct chs first, last;                     /* as the table has them */
    char fs[16], label[36];                     /* sniffed; "" when not known */
};
enum table_kind { TABLE_NONE, TABLE_MBR, TABLE_GPT, TABLE_VOLUME, TABLE_BSD };      /* volume: a file system without a table */
struct partition_table {
    enum table_kind kind; uint32_t disk_id;
    bool damaged;                               /* other programs may loop over it or refuse it */
    size_t count; struct partition list[PARTITIONS_MOST];
    size_t finding_count; char findings[IMPORT_FINDINGS][IMPORT_TEXT];
};

extern const char *const table_kind_names[];    /* by enum table_kind */
void partitions_read(struct block *disk, struct partition_table *);
void partitions_finding(struct partition_table *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *partition_type_name(uint8_t type);
/* A new partition, named "<name of inside><suffix>" (inside may be NULL); NULL: no more room. */
struct partition *partition_add(struct partition_table *, const char *scheme, const struct partition *inside, const char *suffix,
                                uint64_t start, uint64_t sectors);
/* Tables inside a partition, or on a disk without an MBR: disklabels, VTOCs, divisions, logical volumes. */
bool slices_read(struct block *disk, struct partition_table *, const struct partition *inside);
/* Names the file system at a byte offset of the disk; label may stay "". */
void volume_sniff(struct block *disk, uint64_t offset, uint64_t length, char fs[16], char label[36]);
/* What the disk's own structures say about the geometry its BIOS used. */
void geometry_find(struct block *disk, const struct partition_table *, struct import_geometry *);

#endif
