/* The geometry that a partitioned disk remembers. A partition nearly always ends at a cylinder's last sector, so the head and
 * sector of its end are the highest there are.
 *
 * References: [MBR] the partition table's CHS fields. */
#include "boards/i440fx.h"

enum { TABLE = 446, ENTRY = 16, ENTRIES = 4, END_HEAD = 5, END_SECTOR = 6, TYPE = 4, START = 8, SECTORS = 12, SECTOR = 512 };

bool geometry_guess(struct block *disk, uint32_t *heads, uint32_t *sectors)
{
    uint8_t mbr[SECTOR];
    bool found = false;
    if (disk->size < SECTOR || block_read(disk, 0, mbr, SECTOR) || mbr[510] != 0x55 || mbr[511] != 0xaa)
        return false;
    for (unsigned n = 0; n < ENTRIES; n++) {
        const uint8_t *e = mbr + TABLE + n * ENTRY;
        uint32_t h = e[END_HEAD] + 1u, s = e[END_SECTOR] & 63, start = le32_get(e + START), count = le32_get(e + SECTORS);
        if (!e[TYPE] || !count)
            continue;
        if (!s || h < 2 || h > 255 || (e[0] & 0x7f) || start >= disk->size / SECTOR || (uint64_t)start + count > disk->size / SECTOR)
            return false;
        if ((start + (uint64_t)count) % (h * s))
            return false;                       /* ends inside a cylinder: its end says nothing */
        if (found && (*heads != h || *sectors != s))
            return false;
        *heads = h;
        *sectors = s;
        found = true;
    }
    return found;
}
