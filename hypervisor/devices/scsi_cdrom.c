/* A SCSI CD-ROM drive with a tray, on a bus (scsi_bus.c). What its commands do is in cdrom.c.
 *
 * In a PC: often at ID 5 or 6.
 * References: [SCSI-2] 14 (CD-ROM devices).
 * Not modelled: logical blocks of other sizes than 2048 bytes. */
#include "devices/cdrom.h"
#include "devices/scsi.h"

struct scsi_cdrom {
    struct device dev;
    struct scsi_target scsi;                    /* state */
    struct cdrom cd;                            /* state */
    char *bus, *model, *firmware;               /* properties */
    uint8_t id;
};
_Static_assert((int)CD_BUFFER <= (int)SCSI_BUFFER, "a reply or a chunk of sectors fits into the target's buffer");

static struct scsi_cdrom *cd_of(struct scsi_target *t) { return container_of(t, struct scsi_cdrom, scsi); }
static struct scsi_cdrom *cd_dev(struct device *dev) { return container_of(dev, struct scsi_cdrom, dev); }
static struct scsi_target *target_of(struct cdrom *c) { return &container_of(c, struct scsi_cdrom, cd)->scsi; }
static void cd_command(struct scsi_target *t, const uint8_t *cdb) { cdrom_packet(&cd_of(t)->cd, cdb); }
static void cd_data_end(struct scsi_target *t) { cdrom_data_end(&cd_of(t)->cd); }
static void cd_io_end(struct scsi_target *t, int error) { cdrom_io_end(&cd_of(t)->cd, error); }
static void cd_stopped(struct scsi_target *t, bool hard) { cdrom_stop(&cd_of(t)->cd, hard); }
static void cd_data(struct cdrom *c, bool in, uint32_t length) { scsi_data(target_of(c), in, length); }
static void cd_read(struct cdrom *c, uint64_t offset, uint32_t length) { scsi_io_start(target_of(c), SCSI_IO_READ, offset, length); }
static void cd_end(struct cdrom *c, uint8_t key) { scsi_end(target_of(c), key ? SCSI_CHECK : SCSI_GOOD); }

static const struct scsi_target_ops target_ops = { .command = cd_command, .data_end = cd_data_end, .io_end = cd_io_end, .reset = cd_stopped };
static const struct cdrom_ops cd_ops = { cd_data, cd_read, cd_end };

static bool cd_media(struct device *dev, unsigned drive, struct block *block, struct error *err)
{
    struct scsi_cdrom *k = cd_dev(dev);
    if (!cdrom_media(&k->cd, drive, block, err))
        return false;
    k->scsi.block = block;
    return true;
}

bool scsi_cdrom_locked(const struct device *dev)
{
    return dev->class == &scsi_cdrom_class && container_of(dev, const struct scsi_cdrom, dev)->cd.locked;
}

static bool cd_init(struct device *dev, struct error *err)
{
    struct scsi_cdrom *k = cd_dev(dev);
    if (!scsi_target_init(&k->scsi, dev, &target_ops, k->bus, k->id, err))
        return false;
    k->cd = (struct cdrom){ .dev = dev, .ops = &cd_ops, .buffer = k->scsi.buffer.bytes, .model = k->model, .firmware = k->firmware, .scsi = true };
    return true;
}

static void cd_reset(struct device *dev, enum reset_kind kind)
{
    (void)kind;
    scsi_target_reset(&cd_dev(dev)->scsi);
}

static bool cd_restored(struct device *dev)
{
    struct scsi_cdrom *k = cd_dev(dev);
    scsi_target_restored(&k->scsi, cdrom_sound(&k->cd));
    return true;
}

static void cd_free(struct device *dev) { scsi_target_free(&cd_dev(dev)->scsi); }

static const struct state_field cd_state[] = {
    SCSI_STATE(struct scsi_cdrom, scsi), FIELD_STRUCT(struct scsi_cdrom, cd, cdrom_state), END
};
static const struct property cd_properties[] = {
    PROPERTY(struct scsi_cdrom, bus, "scsi0", "the cable: id of a scsi_bus"),
    PROPERTY(struct scsi_cdrom, id, "6", "SCSI ID: 0 to 15, but not 7"),
    PROPERTY(struct scsi_cdrom, model, "HOLDOVER CD-ROM", "model: vendor (8 characters), a blank, product (16)"),
    PROPERTY(struct scsi_cdrom, firmware, "1.0", "revision, up to 4 characters"), END
};

const struct device_class scsi_cdrom_class = {
    .name = "scsi_cdrom", .summary = "SCSI CD-ROM drive", .size = sizeof(struct scsi_cdrom),
    .properties = cd_properties, .state = cd_state, .state_version = 1,
    .init = cd_init, .reset = cd_reset, .restored = cd_restored, .free = cd_free, .media = cd_media,
};
