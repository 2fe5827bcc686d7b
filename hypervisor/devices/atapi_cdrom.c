/* An ATAPI CD-ROM drive with a tray, on a channel's cable: the packet interface. What the packets do is in cdrom.c.
 *
 * In a PC: usually the master of the secondary channel. The ATA side knows PACKET and little else.
 *
 * References: [ATA-6] 9.8 (packet protocol); [SFF-8020i] 6 (registers).
 * Not modelled: overlap.
 */
#include "devices/ata.h"
#include "devices/cdrom.h"
#include <errno.h>

enum { PACKET_SIZE = 12 };
enum { IO_COD = 1, IO_IO = 2, IO_DONE = 3 };    /* interrupt reason, in the count register [ATA-6, 7.10] */
enum { PHASE_NONE, PHASE_PACKET, PHASE_DATA, PHASE_IDENTIFY };

struct atapi_cdrom {
    struct device dev;
    struct ata_drive ata;                       /* state */
    struct cdrom cd;                            /* state */
    char *channel, *model, *serial, *firmware;  /* properties */
    uint8_t unit;
    uint8_t phase;                              /* state: what the data phase moves */
    bool dma;
    uint8_t mwdma, udma;
    uint16_t limit;                             /* bytes a DRQ block */
};

static struct atapi_cdrom *cd_of(struct ata_drive *d) { return container_of(d, struct atapi_cdrom, ata); }
static struct atapi_cdrom *cd_dev(struct device *dev) { return container_of(dev, struct atapi_cdrom, dev); }
static struct atapi_cdrom *cd_drive(struct cdrom *c) { return container_of(c, struct atapi_cdrom, cd); }

/* --- packets -------------------------------------------------------------------------------------------------- */

/* The sense key stands in the error register's high nibble [SFF-8020i, 6.7]. */
static void packet_end(struct cdrom *c, uint8_t key)
{
    struct atapi_cdrom *k = cd_drive(c);
    k->phase = PHASE_NONE;
    k->ata.count[0] = IO_DONE;
    ata_done(&k->ata, key ? (uint8_t)(key << 4 | ATA_ABRT) : 0);
}

/* Offers the bytes from `position` on: all at once for DMA, else as much as the host takes in one DRQ block. */
static void offer(struct atapi_cdrom *k, uint32_t position)
{
    struct ata_drive *d = &k->ata;
    if (k->dma) {
        ata_dma(d, true, position, k->cd.filled);
        return;
    }
    uint32_t n = MIN(k->cd.filled - position, (uint32_t)k->limit);
    d->count[0] = IO_IO;
    d->mid[0] = (uint8_t)n;
    d->high[0] = (uint8_t)(n >> 8);
    ata_pio(d, true, position, position + n, true);
}

static void packet_data(struct cdrom *c, bool in, uint32_t length)
{
    struct atapi_cdrom *k = cd_drive(c);
    struct ata_drive *d = &k->ata;
    k->phase = PHASE_DATA;
    if (in) {
        offer(k, 0);
    } else if (k->dma) {
        ata_dma(d, false, 0, length);
    } else {
        d->count[0] = 0;
        d->mid[0] = (uint8_t)length;
        d->high[0] = (uint8_t)(length >> 8);
        ata_pio(d, false, 0, length, true);
    }
}

static void packet_read(struct cdrom *c, uint64_t offset, uint32_t length)
{
    ata_io_start(&cd_drive(c)->ata, ATA_IO_READ, offset, 0, length);
}

static const struct cdrom_ops packet_ops = { packet_data, packet_read, packet_end };

static void cd_io_end(struct ata_drive *d, int error) { cdrom_io_end(&cd_of(d)->cd, error); }

static void cd_data_end(struct ata_drive *d)
{
    struct atapi_cdrom *k = cd_of(d);
    uint8_t p[PACKET_SIZE];
    if (k->phase == PHASE_PACKET) {
        memcpy(p, d->buffer.bytes, sizeof(p));
        cdrom_packet(&k->cd, p);
    } else if (k->phase == PHASE_IDENTIFY) {
        k->phase = PHASE_NONE;
        d->status = ATA_DRDY;
    } else if (k->cd.work != CD_WORK_TAKE && d->end < k->cd.filled) {
        offer(k, d->end);
    } else {
        cdrom_data_end(&k->cd);
    }
}

/* --- ATA commands --------------------------------------------------------------------------------------------- */

static void packet(struct atapi_cdrom *k)
{
    struct ata_drive *d = &k->ata;
    unsigned limit = (unsigned)d->high[0] << 8 | d->mid[0];
    k->dma = d->features[0] & 1;
    if (k->dma && !k->mwdma && !k->udma) {
        ata_done(d, ATA_ABRT);
        return;
    }
    k->limit = (uint16_t)(limit < 2 || limit == 0xffff ? 0xfffe : limit & ~1u);     /* only the last block may be odd */
    k->phase = PHASE_PACKET;
    d->count[0] = IO_COD;
    ata_pio(d, false, 0, PACKET_SIZE, false);
}

static void identify_packet(struct atapi_cdrom *k)
{
    static const struct ata_word words[] = {
        { 0, 0x85c0 },                          /* CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
        { 49, 0x0f00 }, { 50, 0x4000 }, { 51, 0x0200 }, { 53, 6 }, { 64, 3 }, { 65, 120 }, { 66, 120 }, { 67, 120 }, { 68, 120 },
        { 80, 0x1e }, { 82, 0x4210 }, { 83, 0x4000 }, { 84, 0x4000 }, { 85, 0x4210 }, { 87, 0x4000 },
    };
    ata_identity_put(k->ata.buffer.bytes, words, ARRAY_SIZE(words),
                     &(struct ata_identity){ k->serial, k->firmware, k->model, k->mwdma, k->udma });
    k->phase = PHASE_IDENTIFY;
    ata_pio(&k->ata, true, 0, 512, true);
}

static void set_features(struct atapi_cdrom *k)
{
    uint8_t feature = k->ata.features[0];       /* 66h, CCh: settings never revert at a soft reset */
    bool ok = feature == 0x03 ? ata_mode_set(k->ata.count[0], &k->mwdma, &k->udma) : feature == 0x66 || feature == 0xcc;
    ata_done(&k->ata, ok ? 0 : ATA_ABRT);
}

static void cd_command(struct ata_drive *d, uint8_t command)
{
    struct atapi_cdrom *k = cd_of(d);
    switch (command) {
    case 0xa0: packet(k); break;
    case 0xa1: identify_packet(k); break;
    case 0xef: set_features(k); break;
    case 0xe0: case 0xe1: case 0xe2: case 0xe3: case 0xe6: ata_done(d, 0); break;   /* power modes: always ready */
    case 0xe5: d->count[0] = 0xff; ata_done(d, 0); break;
    case 0x20: case 0xec:                       /* aborted with the signature in the registers [ATA-6, 8.12.5.2] */
        ata_signature(d);
        d->device |= d->unit ? ATA_DEV : 0;
        ata_done(d, ATA_ABRT);
        break;
    default: ata_done(d, ATA_ABRT);
    }
}

/* --- class ---------------------------------------------------------------------------------------------------- */

static void cd_ata_reset(struct ata_drive *d, bool hard)
{
    struct atapi_cdrom *k = cd_of(d);
    k->phase = PHASE_NONE;
    cdrom_stop(&k->cd, hard);
    if (!hard)
        return;
    k->mwdma = BIT(2);
    k->udma = 0;
}

static const struct ata_ops cd_ops = {
    .command = cd_command, .data_end = cd_data_end, .io_end = cd_io_end, .reset = cd_ata_reset, .packet = true,
};

static bool cd_media(struct device *dev, unsigned drive, struct block *block, struct error *err)
{
    struct atapi_cdrom *k = cd_dev(dev);
    if (!cdrom_media(&k->cd, drive, block, err))
        return false;
    k->ata.block = block;
    return true;
}

bool atapi_cdrom_locked(const struct device *dev)
{
    return dev->class == &atapi_cdrom_class && container_of(dev, const struct atapi_cdrom, dev)->cd.locked;
}

static bool cd_init(struct device *dev, struct error *err)
{
    struct atapi_cdrom *k = cd_dev(dev);
    if (!ata_drive_init(&k->ata, dev, &cd_ops, k->channel, k->unit, err))
        return false;
    k->cd = (struct cdrom){ .dev = dev, .ops = &packet_ops, .buffer = k->ata.buffer.bytes, .model = k->model, .firmware = k->firmware };
    return true;
}

static void cd_reset(struct device *dev, enum reset_kind kind) { (void)kind, ata_drive_reset(&cd_dev(dev)->ata); }

static bool cd_restored(struct device *dev)
{
    struct atapi_cdrom *k = cd_dev(dev);
    bool bad = !cdrom_sound(&k->cd) || k->limit < 2 || k->phase > PHASE_IDENTIFY;
    if (bad && (k->phase != PHASE_NONE || k->cd.work))
        k->ata.phase = ATA_DMA_OUT + 1;         /* refused by the drive: it starts afresh */
    ata_drive_restored(&k->ata);
    return true;
}

static void cd_free(struct device *dev) { ata_drive_free(&cd_dev(dev)->ata); }

#define F(m) FIELD(struct atapi_cdrom, m)
static const struct state_field cd_state[] = {
    ATA_STATE(struct atapi_cdrom, ata), FIELD_STRUCT(struct atapi_cdrom, cd, cdrom_state), F(phase), F(dma), F(mwdma), F(udma), F(limit), END
};
static const struct property cd_properties[] = {
    PROPERTY(struct atapi_cdrom, channel, "ide1", "the cable: id of an ata_channel"),
    PROPERTY(struct atapi_cdrom, unit, "0", "0 master, 1 slave"),
    PROPERTY(struct atapi_cdrom, model, "HOLDOVER CD-ROM", "model number: vendor, a blank, product"),
    PROPERTY(struct atapi_cdrom, serial, "CD00000001", "serial number, up to 20 characters"),
    PROPERTY(struct atapi_cdrom, firmware, "1.0", "firmware revision, up to 8 characters"), END
};

const struct device_class atapi_cdrom_class = {
    .name = "atapi_cdrom", .summary = "ATAPI CD-ROM drive", .size = sizeof(struct atapi_cdrom),
    .properties = cd_properties, .state = cd_state, .state_version = 1,
    .init = cd_init, .reset = cd_reset, .restored = cd_restored, .free = cd_free, .media = cd_media,
};
