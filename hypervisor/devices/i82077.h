/* The 82077AA and its drives: what a board asks of it (at the end), the drives and media (i82077_drive.c), registers, seeking
 * and settings (i82077.c), and all that reads or writes a disk (i82077_execute.c). */
#ifndef DEVICES_I82077_H
#define DEVICES_I82077_H
#include "block/block.h"
#include "core/machine.h"
#include "devices/dma.h"

/* --- drives and media: formats by size, the head, the disk change line, sectors by their address marks ------- */

/* Data rates as the rate select bits code them [82077AA, 2.1.8 CCR] */
enum floppy_rate { RATE_500K, RATE_300K, RATE_250K, RATE_1M };
/* Drive types as CMOS 10h codes them. */
enum floppy_type { FLOPPY_NONE, FLOPPY_360K, FLOPPY_1200K, FLOPPY_720K, FLOPPY_1440K, FLOPPY_2880K };
enum { FLOPPY_SECTOR = 512, FLOPPY_N = 2, FLOPPY_TRACKS_MAX = 84, FLOPPY_SECTORS_MAX = 36 };

struct floppy_format { uint16_t kib; uint8_t tracks, heads, sectors, rate, type; };     /* type: the drive made for it */

struct floppy_drive {
    struct block *medium;                       /* NULL: none. The caller's */
    const struct floppy_format *format;         /* of the medium */
    uint8_t type;                               /* enum floppy_type */
    bool type_follows;                          /* property "auto": the first medium decides */
    uint8_t track;                              /* state: where the head is, in steps of the drive */
    bool changed;                               /* state: the disk change line */
    uint8_t deleted[FLOPPY_TRACKS_MAX * 2 * FLOPPY_SECTORS_MAX / 8];    /* state: sectors with a deleted data mark */
};
extern const struct state_field floppy_drive_state[];

const struct floppy_format *floppy_format_of(uint64_t bytes);   /* of exactly this size, or NULL */
/* The size of the smallest ordinary format that holds so many bytes; 0: none does. For padding odd images. */
uint64_t floppy_size_for(uint64_t bytes);
/* "none", "360", "1.2", "720", "1.44", "2.88", the same as CMOS codes 0 to 5, or "auto". */
bool floppy_type_parse(const char *text, uint8_t *type, bool *follows);

bool floppy_insert(struct floppy_drive *, struct block *, struct error *); /* NULL: takes the medium out */
void floppy_power_on(struct floppy_drive *);
/* Moves the head by steps, inwards if positive; a step with a medium in clears the change line. */
void floppy_step(struct floppy_drive *, int steps);
bool floppy_track0(const struct floppy_drive *);
bool floppy_protected(const struct floppy_drive *);             /* true also without a medium */
/* Is there an address mark to be read here: a formatted track under this head at this data rate? */
bool floppy_readable(const struct floppy_drive *, unsigned head, unsigned rate);
unsigned floppy_medium_track(const struct floppy_drive *);      /* the medium's track below the head */
int64_t floppy_turn(const struct floppy_drive *);               /* nanoseconds a turn */
/* A sector of the track below the head; r is 1 to format->sectors. 0 or -errno. */
int floppy_read(struct floppy_drive *, unsigned head, unsigned r, uint8_t *to);
int floppy_write(struct floppy_drive *, unsigned head, unsigned r, const uint8_t *from, bool deleted);
bool floppy_is_deleted(const struct floppy_drive *, unsigned head, unsigned r);

/* --- the controller ------------------------------------------------------------------------------------------- */

enum { PORT_SRA, PORT_SRB, PORT_DOR, PORT_TDR, PORT_MSR, PORT_DATA };   /* written, PORT_MSR is the DSR */
enum { DOR_SELECT = 3, DOR_RESET = 4, DOR_DMAGATE = 8, DOR_MOTOR0 = 0x10, DSR_RESET = 0x80,
       MSR_BUSY = 0x10, MSR_NON_DMA = 0x20, MSR_DIO = 0x40, MSR_RQM = 0x80,
       SRA_INT = 0x80, SRA_DRV2 = 0x40, SRA_TRK0 = 0x10, SRA_HDSEL = 8, SRA_INDX = 4, SRA_WP = 2,
       DIR_CHANGE = 0x80, DIR_HIGH_DENSITY = 1 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xc0, ST0_SE = 0x20, ST0_EC = 0x10, ST0_HEAD = 4,
       ST1_EN = 0x80, ST1_DE = 0x20, ST1_OR = 0x10, ST1_ND = 4, ST1_NW = 2, ST1_MA = 1,
       ST2_CM = 0x40, ST2_DD = 0x20, ST2_WC = 0x10, ST2_SH = 8, ST2_SN = 4,
       ST3_WP = 0x40, ST3_RDY = 0x20, ST3_T0 = 0x10, ST3_TWO_SIDE = 8 };
enum { CMD_READ_TRACK = 0x02, CMD_WRITE = 0x05, CMD_READ = 0x06, CMD_SENSE_INTERRUPT = 0x08, CMD_WRITE_DELETED = 0x09,
       CMD_READ_ID = 0x0a, CMD_READ_DELETED = 0x0c, CMD_FORMAT = 0x0d, CMD_SCAN_EQUAL = 0x11, CMD_VERIFY = 0x16,
       CMD_SCAN_LOW = 0x19, CMD_SCAN_HIGH = 0x1d, CMD_CODE = 0x1f, CMD_MT = 0x80, CMD_MFM = 0x40, CMD_SK = 0x20,
       VERIFY_EC = 0x80, SEEK_RELATIVE = 0x80, SEEK_INWARD = 0x40 };
enum { CONFIG_EIS = 0x40, CONFIG_EFIFO = 0x20, CONFIG_POLL = 0x10, CONFIG_LOCKED = 0x2f, SPECIFY_ND = 1,
       PERPENDICULAR_OW = 0x80, PERPENDICULAR_DRIVES = 0x3c, PERPENDICULAR_MODE = 3 };
enum phase { PHASE_IDLE, PHASE_COMMAND, PHASE_EXECUTION, PHASE_RESULT, PHASE_RESET };
enum stage { STAGE_NONE, STAGE_SECTOR, STAGE_DATA };     /* waiting for the sector; moving its bytes */
enum { UNITS = 4, DRIVES = 2, STEPS_MAX = 79, FAST = 50, RESET_NS = 20000 };

struct i82077;
struct unit {
    struct i82077 *chip; uint8_t number;
    struct floppy_drive drive;                  /* type FLOPPY_NONE: nothing connected */
    struct timer seek;
    uint8_t pcn, status;                        /* present cylinder; ST0 of a seek that ended */
    bool seeking, ended;
};

struct i82077 {
    struct device dev;
    uint16_t iobase;                            /* property */
    bool fast, ps2;                             /* properties */
    char *drive0, *drive1;                      /* properties: drive types */
    struct wire irq;
    struct dma_channel *dma;
    struct unit units[UNITS];
    uint8_t dor, tdr, dsr, rate;
    uint8_t phase, stage;
    uint8_t command[9], command_at, result[10], result_at, result_length;
    uint8_t srt_hut, hlt_nd, config, pretrk, perpendicular;
    bool lock, interrupt;
    uint8_t reset_statuses;                     /* SENSE INTERRUPTs owed after a reset */
    /* the command under execution */
    uint8_t unit, head, c, h, r, n, eot, st0, st1, st2, count;
    bool scan_low, scan_high;                   /* a byte of the disk was below, above the CPU's */
    uint8_t buffer[FLOPPY_SECTOR];
    uint16_t at, length;
    int64_t sector_at;                          /* when the sector in the buffer ended */
    struct timer execution, resetting;
};

static inline struct clock *fdc_clock(struct i82077 *f) { return &f->dev.machine->clock; }
static inline struct unit *fdc_unit(struct i82077 *f) { return &f->units[f->unit & 3]; }
static inline bool fdc_motor(const struct i82077 *f, unsigned unit) { return f->dor & DOR_MOTOR0 << unit; }
static inline bool fdc_non_dma(const struct i82077 *f) { return f->hlt_nd & SPECIFY_ND; }
static inline unsigned fdc_code(const struct i82077 *f) { return f->command[0] & CMD_CODE; }
static inline bool fdc_is_write(unsigned code) { return code == CMD_WRITE || code == CMD_WRITE_DELETED; }
static inline bool fdc_is_scan(unsigned code)
{
    return code == CMD_SCAN_EQUAL || code == CMD_SCAN_LOW || code == CMD_SCAN_HIGH;
}
/* Does the CPU send the bytes? */
static inline bool fdc_is_from_cpu(unsigned code)
{
    return fdc_is_write(code) || fdc_is_scan(code) || code == CMD_FORMAT;
}

/* i82077.c */
void fdc_update_irq(struct i82077 *);
void fdc_activity(struct i82077 *, bool busy);
void fdc_results(struct i82077 *, const uint8_t *bytes, unsigned count);        /* begins the result phase */
int64_t fdc_step_time(const struct i82077 *);

/* i82077_execute.c */
void fdc_execute(void *chip);                   /* the timer of the execution phase */
void fdc_granted(void *card);                   /* the DMA channel became ready */
void fdc_take_bytes(struct i82077 *, const uint8_t *bytes, unsigned count);     /* from the CPU or memory */
void fdc_data_done(struct i82077 *, bool terminal_count);      /* the buffer is full or empty */
void fdc_transfer(struct i82077 *);             /* the commands with nine bytes */
void fdc_read_id(struct i82077 *);
void fdc_format(struct i82077 *);

/* --- for the board ------------------------------------------------------------------------------------------- */

void i82077_connect_dma(struct device *, struct dma_channel *);        /* channel 2 in a PC */
unsigned i82077_drive_type(struct device *, unsigned drive);           /* enum floppy_type, as CMOS 10h has it */

#endif
