/* The ATA cable: a channel with its ports (ata_channel.c), up to two drives on it, and a bus master that moves their DMA. What
 * all drives have alike, the register file and the data phases, is here; a drive adds what its commands do. */
#ifndef DEVICES_ATA_H
#define DEVICES_ATA_H
#include "block/block.h"
#include "core/machine.h"

/* Status, error and device control bits [ATA-6, 7] */
enum { ATA_ERR = 1 << 0, ATA_DRQ = 1 << 3, ATA_DSC = 1 << 4, ATA_DF = 1 << 5, ATA_DRDY = 1 << 6, ATA_BSY = 1 << 7 };
enum { ATA_ABRT = 1 << 2, ATA_IDNF = 1 << 4, ATA_UNC = 1 << 6 };
enum { ATA_NIEN = 1 << 1, ATA_SRST = 1 << 2, ATA_HOB = 1 << 7 };
enum { ATA_LBA = 1 << 6, ATA_DEV = 1 << 4 };
enum { ATA_BUFFER = 128 << 10 };

enum ata_phase { ATA_IDLE, ATA_PIO_IN, ATA_PIO_OUT, ATA_DMA_IN, ATA_DMA_OUT };
enum ata_io { ATA_IO_NONE, ATA_IO_READ, ATA_IO_WRITE, ATA_IO_FLUSH };

struct ata_channel;
struct ata_drive;
struct ata_ops {
    void (*command)(struct ata_drive *, uint8_t command);   /* BSY is set; ends in ata_done or a data phase, now or later */
    void (*data_end)(struct ata_drive *);       /* the bytes of the data phase have all moved */
    void (*io_end)(struct ata_drive *, int error);          /* a block request of ata_io_start is done */
    void (*reset)(struct ata_drive *, bool hard);           /* signature and the drive's own; SRST is not hard */
    bool packet;                                /* an ATAPI device: no DRDY after reset, accepts DEVICE RESET while busy */
};

struct ata_drive {
    struct device *dev;
    const struct ata_ops *ops;
    struct ata_channel *channel;                /* NULL: not on a cable */
    uint8_t unit;
    struct block *block;                        /* NULL: no medium */
    /* saved: the register file, [1] is what was there before [0] was written (48-bit addresses) */
    uint8_t features[2], count[2], low[2], mid[2], high[2], device, status, error;
    bool intrq;
    uint8_t phase;                              /* enum ata_phase */
    uint32_t position, end;                     /* the data phase's bytes in the buffer */
    uint8_t io;                                 /* enum ata_io: what the block layer is doing */
    uint64_t io_offset; uint32_t io_start, io_length;       /* on the medium, and where in the buffer */
    uint8_t reset_waits;                        /* 1 soft, 2 hard: a reset ends when the request under way does */
    struct state_bytes buffer;
    /* host side */
    bool submitted;                             /* the request belongs to the block layer */
    struct block_request request; struct iovec vec;
};
extern const struct state_field ata_drive_state[];
#define ATA_STATE(T, m) FIELD_STRUCT(T, m, ata_drive_state), FIELD_BYTES(T, m.buffer)

/* --- for drives ----------------------------------------------------------------------------------------------- */
/* Puts the drive on the cable `channel` (a device id; a machine without it gives a drive on no cable). */
bool ata_drive_init(struct ata_drive *, struct device *, const struct ata_ops *, const char *channel, unsigned unit,
                    struct error *);
void ata_drive_free(struct ata_drive *);
void ata_drive_reset(struct ata_drive *);                       /* from device_class.reset */
void ata_drive_restored(struct ata_drive *);                    /* bounds what was loaded; a request under way starts again */
void ata_signature(struct ata_drive *);                         /* count, LBA, device, error as after a reset */
/* Ends a command: error 0, or error register bits; raises INTRQ. */
void ata_done(struct ata_drive *, uint8_t error);
/* Offers (in) or wants (out) bytes [position, end) of the buffer; PIO raises INTRQ if `interrupt`. */
void ata_pio(struct ata_drive *, bool in, uint32_t position, uint32_t end, bool interrupt);
void ata_dma(struct ata_drive *, bool in, uint32_t position, uint32_t end);
/* Reads or writes io_length bytes at io_offset from buffer + io_start, or flushes; BSY meanwhile, then ops->io_end. */
void ata_io_start(struct ata_drive *, enum ata_io, uint64_t offset, uint32_t start, uint32_t length);
void ata_activity(struct ata_drive *, bool busy);
/* IDENTIFY data, 512 bytes: the words of a table, the names, the DMA modes (0-2 as bits) that are possible and the one that is set. */
struct ata_word { uint8_t word; uint16_t value; };
struct ata_identity { const char *serial, *firmware, *model; uint8_t mwdma, udma; };
void ata_identity_put(uint8_t *data, const struct ata_word *, size_t words, const struct ata_identity *);
/* SET FEATURES 03h with this count. false: no such mode. */
bool ata_mode_set(uint8_t mode, uint8_t *mwdma, uint8_t *udma);

/* --- for a bus master ------------------------------------------------------------------------------------------ */
struct ata_master {
    void *chip;
    void (*request)(void *chip);                /* DMARQ rose: a drive on this channel waits in a DMA phase */
    void (*interrupt)(void *chip);              /* INTRQ rose */
};
extern const struct device_class ata_channel_class;
struct ata_channel *ata_channel_of(struct device *);            /* NULL when it is no channel */
void ata_channel_master(struct ata_channel *, const struct ata_master *);
void ata_channel_enable(struct ata_channel *, bool);            /* are its ports decoded? */
/* The drive in a DMA phase, and its bytes that wait to be moved; *in: towards memory. NULL: none. */
uint8_t *ata_dma_window(struct ata_channel *, uint32_t *length, bool *in);
void ata_dma_moved(struct ata_channel *, uint32_t length);      /* of the window; may start the next phase */

#endif
