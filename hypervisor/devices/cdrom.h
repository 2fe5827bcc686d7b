/* A CD-ROM drive behind its interface: the command set that ATAPI packets and SCSI commands share (cdrom.c), and what is on a disc
 * (cdrom_disc.c). An interface (atapi_cdrom.c, scsi_cdrom.c) embeds a struct cdrom and moves its bytes. */
#ifndef DEVICES_CDROM_H
#define DEVICES_CDROM_H
#include "block/block.h"
#include "core/machine.h"

enum { CD_SECTOR = 2048, CD_RAW = 2352, CD_MSF = 150, CD_LEAD_OUT = 0xaa, CD_BUFFER = 128 << 10 };
enum cd_sense { CD_NO_SENSE, CD_NOT_READY = 2, CD_MEDIUM_ERROR, CD_ILLEGAL_REQUEST = 5, CD_UNIT_ATTENTION };
enum { CD_READ_ERROR = 0x1100, CD_OPCODE = 0x2000, CD_RANGE = 0x2100, CD_FIELD = 0x2400, CD_CHANGED = 0x2800, CD_RESET = 0x2900, CD_SAVING = 0x3900,
       CD_EMPTY = 0x3a01, CD_TRAY_OPEN = 0x3a02, CD_LOCKED = 0x5302, CD_MODE = 0x6400 };
enum { CD_WORK_NONE, CD_WORK_REPLY, CD_WORK_READ, CD_WORK_TAKE };
enum { AUDIO_PLAYING = 0x11, AUDIO_PAUSED, AUDIO_DONE, AUDIO_ERROR, AUDIO_NONE };      /* as READ SUB-CHANNEL reports them */

struct cdrom;
struct cdrom_ops {
    void (*data)(struct cdrom *, bool in, uint32_t length);     /* moves the buffer's first bytes, then calls cdrom_data_end */
    void (*read)(struct cdrom *, uint64_t offset, uint32_t length);    /* from the medium to the buffer, then cdrom_io_end */
    void (*end)(struct cdrom *, uint8_t key);                   /* the command is done; 0: without an error */
};
struct cdrom {
    struct device *dev; const struct cdrom_ops *ops; uint8_t *buffer;
    struct block *block;                        /* NULL: no disc */
    const char *model, *firmware;
    bool scsi;                                  /* the interface: some commands and the inquiry data differ */
    uint8_t work, sense_key; uint16_t asc;      /* saved, from here on */
    uint16_t attention;                         /* a pending unit attention: its ASC, or 0 */
    uint8_t event;
    bool tray_open, locked, stale;              /* stale: the disc was changed under a read */
    uint32_t filled;                            /* bytes in the buffer */
    uint32_t lba, left, chunk; uint16_t sector_size;
    uint8_t audio; uint32_t audio_lba, audio_end; int64_t audio_since;  /* played from there since then */
};
extern const struct state_field cdrom_state[];

/* --- for the interface ---------------------------------------------------------------------------------------- */
void cdrom_packet(struct cdrom *, const uint8_t p[12]);
void cdrom_data_end(struct cdrom *);
void cdrom_io_end(struct cdrom *, int error);
void cdrom_stop(struct cdrom *, bool hard);     /* a reset (hard: of the drive, with its tray), or a command was aborted */
/* The user's hand is stronger than the guest's lock: the board asks cdrom_locked first. */
bool cdrom_media(struct cdrom *, unsigned drive, struct block *, struct error *);
bool cdrom_sound(const struct cdrom *);         /* are the loaded fields possible? */

/* --- between cdrom.c and cdrom_disc.c ------------------------------------------------------------------------- */
void cdrom_good(struct cdrom *);
void cdrom_check(struct cdrom *, enum cd_sense, unsigned asc);
void cdrom_reply(struct cdrom *, uint32_t length, uint32_t allocated);
static inline uint8_t *cdrom_buffer(struct cdrom *k, size_t length) { return memset(k->buffer, 0, length); }
static inline bool cdrom_present(const struct cdrom *k) { return k->block && !k->tray_open; }
uint32_t cdrom_capacity(const struct cdrom *);  /* sectors up to the lead-out */
void cdrom_activity(struct cdrom *, bool busy);
void cmd_read(struct cdrom *, const uint8_t *), cmd_read_cd(struct cdrom *, const uint8_t *), cmd_read_cd_msf(struct cdrom *, const uint8_t *),
     cmd_seek(struct cdrom *, const uint8_t *), cmd_read_capacity(struct cdrom *, const uint8_t *), cmd_read_toc(struct cdrom *, const uint8_t *),
     cmd_read_sub_channel(struct cdrom *, const uint8_t *), cmd_read_header(struct cdrom *, const uint8_t *),
     cmd_disc_information(struct cdrom *, const uint8_t *), cmd_play(struct cdrom *, const uint8_t *), cmd_play_msf(struct cdrom *, const uint8_t *),
     cmd_play_track(struct cdrom *, const uint8_t *), cmd_pause(struct cdrom *, const uint8_t *), cmd_stop_play(struct cdrom *, const uint8_t *);
/* Is this device a CD-ROM drive, and has the guest locked its door? Interfaces tell by their class. */
extern const struct device_class atapi_cdrom_class, scsi_cdrom_class;
bool atapi_cdrom_locked(const struct device *), scsi_cdrom_locked(const struct device *);

#endif
