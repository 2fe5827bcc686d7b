/* Address spaces: what answers at a port or a physical address. A machine has two: ports (64 KiB) and memory (36 bits,
 * for PAE). Regions may overlap; the higher priority answers, of equal ones the later mapped. An access goes whole to the
 * region that answers at its first byte if that region's own range covers the access and the chip decodes the
 * width; otherwise it is split into narrower ones. Nothing there: reads give all ones, writes vanish.
 * All calls need the machine lock. */
#ifndef CORE_SPACE_H
#define CORE_SPACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IO_8 = 1, IO_16 = 2, IO_32 = 4, IO_64 = 8 };
struct io_ops {
    uint64_t (*read)(void *chip, uint64_t offset, unsigned size);
    void (*write)(void *chip, uint64_t offset, unsigned size, uint64_t value);
    uint8_t sizes;                              /* widths the chip decodes; the space splits wider ones. A narrower one than
                                                   the chip decodes reads the aligned unit, and writes zero-extended */
};
enum { RAM_WRITABLE = 1,                        /* reads and writes both go to these bytes */
       RAM_DIRTY_LOG = 2,                       /* engines write through space_write, which marks pages dirty (frame buffers) */
       RAM_SECOND = 4 };                        /* not ordinary RAM: not listed in E820 by the board */

struct space;
struct region;

struct space *space_create(const char *name, unsigned bits);
void space_free(struct space *);
struct region *space_map_io(struct space *, uint64_t base, uint64_t size, const struct io_ops *, void *chip, int priority);
/* bytes stay the caller's. Without RAM_WRITABLE it is a ROM: writes are ignored. */
struct region *space_map_ram(struct space *, uint64_t base, uint64_t size, uint8_t *bytes, unsigned flags, int priority);
void region_move(struct region *, uint64_t base);               /* PCI BARs */
void region_enable(struct region *, bool);                      /* VGA window, BAR decoding; regions start enabled */
void region_access(struct region *, bool read, bool write);     /* shadow RAM (PAM): who answers reads, who writes */
void region_resize(struct region *, uint64_t size);             /* only downwards from the size it was mapped with, or back */
uint64_t region_base(const struct region *);

uint64_t space_read(struct space *, uint64_t address, unsigned size);           /* size 1, 2, 4, 8 */
void space_write(struct space *, uint64_t address, unsigned size, uint64_t value);
/* Engines: the RAM that answers reads at this address, or NULL. *length: bytes that follow contiguously (all of them if NULL
 * is returned: no RAM for that long); *flags: RAM_WRITABLE only when writes go to the same bytes. */
uint8_t *space_ram(struct space *, uint64_t address, uint64_t *length, unsigned *flags);
bool space_copy_in(struct space *, void *to, uint64_t address, size_t length);  /* DMA: devices use only these two; */
bool space_copy_out(struct space *, uint64_t address, const void *from, size_t length); /* false: part of it was not RAM */
/* Was any page of the range written since the last call? Needs RAM_DIRTY_LOG. */
bool space_dirty_get_clear(struct region *, uint64_t offset, uint64_t length);

/* changed: what answers somewhere has changed (region NULL: anything). written: bytes of RAM were written by a device, or
 * through space_write. Either may be NULL. */
struct space_listener {
    void (*changed)(void *listener, const struct region *);
    void (*written)(void *listener, uint64_t address, uint64_t length);
    void *listener;
    struct space_listener *next;
};
void space_listen(struct space *, struct space_listener *);     /* the struct stays the caller's */
void space_unlisten(struct space *, struct space_listener *);

#endif
