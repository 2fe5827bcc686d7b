/* The SCSI bus: host adapters and targets meet here (scsi_bus.c). An adapter sees phases and moves bytes; a target sees commands
 * and answers with data phases and a status. The bus keeps the messages between them. Targets keep the bus until they have
 * ended: none disconnects, none queues, and all transfer asynchronously over 8 bits, so that nothing is negotiated. */
#ifndef DEVICES_SCSI_H
#define DEVICES_SCSI_H
#include "block/block.h"
#include "core/machine.h"

/* The phases as MSG, C/D and I/O code them [SCSI-2, 6.1.10]; WAIT: connected, but the target asks for nothing yet. */
enum scsi_phase { SCSI_DATA_OUT, SCSI_DATA_IN, SCSI_COMMAND, SCSI_STATUS, SCSI_MESSAGE_OUT = 6, SCSI_MESSAGE_IN, SCSI_WAIT, SCSI_FREE };
enum scsi_status { SCSI_GOOD, SCSI_CHECK = 2 };
enum scsi_key { KEY_NONE, KEY_NOT_READY = 2, KEY_MEDIUM, KEY_HARDWARE, KEY_ILLEGAL, KEY_ATTENTION, KEY_PROTECT };
enum { ASC_WRITE_ERROR = 0x0c00, ASC_READ_ERROR = 0x1100, ASC_LENGTH = 0x1a00, ASC_OPCODE = 0x2000, ASC_RANGE = 0x2100, ASC_FIELD = 0x2400,
       ASC_LUN = 0x2500, ASC_PROTECTED = 0x2700, ASC_CHANGED = 0x2800, ASC_RESET = 0x2900, ASC_SAVING = 0x3900, ASC_EMPTY = 0x3a00 };
enum { SCSI_BUFFER = 128 << 10, SCSI_IDS = 16, SCSI_CDB = 16, SCSI_SENSE = 18 };
enum scsi_io { SCSI_IO_NONE, SCSI_IO_READ, SCSI_IO_WRITE, SCSI_IO_FLUSH };

struct scsi_bus;
struct scsi_target;
struct scsi_target_ops {
    void (*command)(struct scsi_target *, const uint8_t *cdb);  /* ends in scsi_data, scsi_io_start or scsi_end, now or later */
    void (*data_end)(struct scsi_target *);                     /* the bytes of the data phase have all moved */
    void (*io_end)(struct scsi_target *, int error);            /* a block request of scsi_io_start is done */
    void (*reset)(struct scsi_target *, bool hard);             /* hard: the bus or the device was reset; else a command was aborted */
};
struct scsi_target {
    struct device *dev;
    const struct scsi_target_ops *ops;
    struct scsi_bus *bus;                       /* NULL: not on a cable */
    struct block *block;                        /* NULL: no medium */
    uint8_t phase, status, lun;                 /* saved, from here on: SCSI_FREE, WAIT, DATA_IN, DATA_OUT or STATUS */
    uint32_t position, end;                     /* the data phase's bytes in the buffer */
    uint8_t io; uint64_t io_offset; uint32_t io_length;         /* what the block layer is doing */
    uint8_t cdb[SCSI_CDB];
    bool waits;                                 /* the command starts when an aborted request has come back */
    struct state_bytes buffer;
    bool submitted; struct block_request request; struct iovec vec;     /* host side: the block layer has the request */
};
extern const struct state_field scsi_target_state[];
#define SCSI_STATE(T, m) FIELD_STRUCT(T, m, scsi_target_state), FIELD_BYTES(T, m.buffer)

/* --- for targets ---------------------------------------------------------------------------------------------- */
/* Puts the target on the bus `bus` (a device id; a machine without it gives a target on no cable). */
bool scsi_target_init(struct scsi_target *, struct device *, const struct scsi_target_ops *, const char *bus, unsigned id, struct error *);
void scsi_target_free(struct scsi_target *);
void scsi_target_reset(struct scsi_target *);                   /* from device_class.reset */
void scsi_target_restored(struct scsi_target *, bool sound);    /* bounds what was loaded; a request under way starts again */
void scsi_data(struct scsi_target *, bool in, uint32_t length); /* offers or wants the buffer's first bytes */
void scsi_io_start(struct scsi_target *, enum scsi_io, uint64_t offset, uint32_t length);      /* with the buffer's first bytes */
void scsi_end(struct scsi_target *, enum scsi_status);
void scsi_activity(struct scsi_target *, bool busy);
uint32_t scsi_sense_put(uint8_t *at, unsigned key, unsigned asc);       /* fixed format, SCSI_SENSE bytes */
/* Standard INQUIRY data, 36 bytes. The model's first word is the vendor, the rest the product. */
uint32_t scsi_inquiry_put(uint8_t *at, unsigned type, bool removable, const char *model, const char *revision);

/* --- for adapters --------------------------------------------------------------------------------------------- */
extern const struct device_class scsi_bus_class;
/* Takes the bus of that id, NULL where the machine has none; changed: the phase has (chip: the device). */
bool scsi_attach(struct scsi_bus **, struct device *, const char *bus, void (*changed)(void *chip), struct error *);
/* All of these take a NULL bus: nothing is on it. */
bool scsi_select(struct scsi_bus *, unsigned id, bool attention);       /* false: nobody answers */
enum scsi_phase scsi_phase(const struct scsi_bus *);
void scsi_attention(struct scsi_bus *, bool);                   /* ATN; to be dropped before a message's last byte moves */
/* The bytes that the phase offers, or has room for; then how many of them moved. NULL: none. */
uint8_t *scsi_window(struct scsi_bus *, uint32_t *length);
void scsi_moved(struct scsi_bus *, uint32_t length);
void scsi_reset(struct scsi_bus *);                             /* RST */
static inline bool scsi_phase_in(enum scsi_phase p) { return p & 1; }
bool scsi_present(const struct scsi_bus *, unsigned id);

#endif
