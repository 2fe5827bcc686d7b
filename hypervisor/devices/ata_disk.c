/* An ATA hard disk on a channel's cable.
 *
 * In a PC: drive 0 or 1 of an IDE channel. Commands of ATA-1 to ATA-6: CHS with the translation that INITIALIZE DEVICE
 * PARAMETERS sets, LBA28, LBA48; PIO, multiple sectors and multiword DMA. Identity strings and geometry are properties, so that
 * a guest finds the disk that it was installed on.
 *
 * References: [ATA-6] 8 (commands), 6.2 (LBA and CHS); [ATA-1] 9 for INITIALIZE DEVICE PARAMETERS and what the address registers
 * hold after a command.
 * Not modelled: SMART, security, host protected area (READ NATIVE MAX answers, SET MAX aborts), READ and WRITE LONG, queuing, power-up
 * in standby. Ultra DMA modes can be chosen but change nothing: the bus master keeps no time.
 */
#include "devices/ata.h"
#include <errno.h>
#include <stdio.h>

enum { SECTOR = 512, CHUNK = ATA_BUFFER / SECTOR, MULTIPLE_MAX = 16 };
enum { POWER_ACTIVE = 0xff, POWER_IDLE = 0x80, POWER_STANDBY = 0x00, POWER_SLEEP = 0x01 };
enum { WORK_NONE, WORK_READ, WORK_WRITE, WORK_VERIFY, WORK_FLUSH, WORK_IDENTIFY };
#define LBA28_MAX 0x0fffffffull

struct ata_disk {
    struct device dev;
    struct ata_drive ata;                       /* state */
    char *channel, *model, *serial, *firmware;  /* properties */
    uint8_t unit;
    uint32_t cylinders, heads, sectors;
    uint16_t now_cylinders;                     /* state: the translation in use */
    uint8_t now_heads, now_sectors;
    uint8_t multiple, power, mwdma, udma, write_cache, look_ahead;
    uint8_t work;                               /* state, of the command under way: WORK_* */
    bool dma, extended, short_request;          /* the medium ends before the request does */
    uint8_t block_sectors;                      /* sectors a DRQ block */
    bool careful;                               /* after a medium error: one sector at a time */
    uint64_t lba; uint32_t left;                /* next sector, and how many */
    uint32_t chunk;                             /* sectors in the buffer */
};

static struct ata_disk *disk_of(struct ata_drive *d) { return container_of(d, struct ata_disk, ata); }
static struct ata_disk *disk_dev(struct device *dev) { return container_of(dev, struct ata_disk, dev); }
static uint64_t disk_sectors(const struct ata_disk *k) { return k->ata.block ? k->ata.block->size / SECTOR : 0; }

/* --- addresses ------------------------------------------------------------------------------------------------ */

static bool address_get(const struct ata_disk *k, uint64_t *lba)
{
    const struct ata_drive *d = &k->ata;
    if (k->extended) {
        *lba = (uint64_t)d->high[1] << 40 | (uint64_t)d->mid[1] << 32 | (uint64_t)d->low[1] << 24 |
               (uint64_t)d->high[0] << 16 | (uint64_t)d->mid[0] << 8 | d->low[0];
        return true;
    }
    if (d->device & ATA_LBA) {
        *lba = (uint64_t)(d->device & 15) << 24 | (uint64_t)d->high[0] << 16 | (uint64_t)d->mid[0] << 8 | d->low[0];
        return true;
    }
    unsigned cylinder = d->high[0] << 8 | d->mid[0], head = d->device & 15, sector = d->low[0];
    if (!sector || sector > k->now_sectors || head >= k->now_heads || cylinder >= k->now_cylinders)
        return false;
    *lba = ((uint64_t)cylinder * k->now_heads + head) * k->now_sectors + sector - 1;
    return true;
}

static void address_put(struct ata_disk *k, uint64_t lba)
{
    struct ata_drive *d = &k->ata;
    uint64_t v = lba;
    if (!k->extended && !(d->device & ATA_LBA)) {
        unsigned per_cylinder = k->now_heads * k->now_sectors;
        if (!per_cylinder)
            return;
        d->low[0] = (uint8_t)(lba % k->now_sectors + 1);
        d->device = (uint8_t)((d->device & 0xf0) | (lba / k->now_sectors % k->now_heads));
        v = lba / per_cylinder;
        d->mid[0] = (uint8_t)v;
        d->high[0] = (uint8_t)(v >> 8);
        return;
    }
    d->low[0] = (uint8_t)v;
    d->mid[0] = (uint8_t)(v >> 8);
    d->high[0] = (uint8_t)(v >> 16);
    if (!k->extended) {
        d->device = (uint8_t)((d->device & 0xf0) | (v >> 24 & 15));
        return;
    }
    d->low[1] = (uint8_t)(v >> 24);
    d->mid[1] = (uint8_t)(v >> 32);
    d->high[1] = (uint8_t)(v >> 40);
}

/* --- reading and writing -------------------------------------------------------------------------------------- */

static void finish(struct ata_disk *k, uint8_t error)
{
    k->work = WORK_NONE;
    ata_activity(&k->ata, false);
    ata_done(&k->ata, error);
}

/* The last good sector, or the bad one, is what the registers show [ATA-1, 9.16]; count says what is left. */
static void finish_at(struct ata_disk *k, uint8_t error, uint64_t lba)
{
    address_put(k, lba);
    k->ata.count[0] = (uint8_t)k->left;
    k->ata.count[1] = k->extended ? (uint8_t)(k->left >> 8) : 0;
    finish(k, error);
}

static void transfer_next(struct ata_disk *k)
{
    struct ata_drive *d = &k->ata;
    if (!k->left) {
        if (k->short_request)
            finish_at(k, ATA_IDNF, k->lba);
        else
            finish_at(k, 0, k->lba - 1);
        return;
    }
    k->chunk = k->careful ? 1 : MIN(k->left, (uint32_t)CHUNK);
    if (k->work != WORK_WRITE) {
        ata_io_start(d, ATA_IO_READ, k->lba * SECTOR, 0, k->chunk * SECTOR);
    } else if (k->dma) {
        ata_dma(d, false, 0, k->chunk * SECTOR);
    } else {
        ata_pio(d, false, 0, MIN(k->chunk, (uint32_t)k->block_sectors) * SECTOR, true);
    }
}

static void chunk_moved(struct ata_disk *k)
{
    k->lba += k->chunk;
    k->left -= k->chunk;
    transfer_next(k);
}

static void disk_data_end(struct ata_drive *d)
{
    struct ata_disk *k = disk_of(d);
    uint32_t filled = k->chunk * SECTOR;
    if (k->work == WORK_IDENTIFY) {
        k->work = WORK_NONE;
        d->status = ATA_DRDY | ATA_DSC;
    } else if (d->end < filled) {
        ata_pio(d, k->work == WORK_READ, d->end, MIN(d->end + k->block_sectors * (uint32_t)SECTOR, filled), true);
    } else if (k->work == WORK_WRITE) {
        ata_io_start(d, ATA_IO_WRITE, k->lba * SECTOR, 0, filled);
    } else if (k->work == WORK_READ) {
        bool last = k->left == k->chunk && !k->short_request;
        if (last && !k->dma) {                  /* PIO input ends with its last word, without another interrupt */
            k->left = 0;
            address_put(k, k->lba + k->chunk - 1);
            d->count[0] = d->count[1] = 0;
            k->work = WORK_NONE;
            d->status = ATA_DRDY | ATA_DSC;
            ata_activity(d, false);
        } else {
            chunk_moved(k);
        }
    }
}

static void disk_io_end(struct ata_drive *d, int error)
{
    struct ata_disk *k = disk_of(d);
    if (k->work == WORK_FLUSH) {
        finish(k, error ? ATA_ABRT : 0);
    } else if (error && k->work != WORK_WRITE && k->chunk > 1) {
        k->careful = true;                      /* finds the sector that cannot be read, so that those before it can */
        transfer_next(k);
    } else if (error) {
        log_device(d->dev, LOG_WARN, "%s of sector %llu failed: %s", k->work == WORK_WRITE ? "write" : "read",
                   (unsigned long long)k->lba, strerror(-error));
        finish_at(k, k->work == WORK_WRITE ? ATA_ABRT : ATA_UNC, k->lba);
        d->status |= k->work == WORK_WRITE ? ATA_DF : 0;
    } else if (k->work == WORK_READ && k->dma) {
        ata_dma(d, true, 0, k->chunk * SECTOR);
    } else if (k->work == WORK_READ) {
        ata_pio(d, true, 0, MIN(k->chunk, (uint32_t)k->block_sectors) * SECTOR, true);
    } else {
        chunk_moved(k);
    }
}

/* What `transfer` needs to know of a command. */
enum { EXT = 1, DMA = 2, MULTI = 4, WRITES = 8, VERIFY = 16 };

static void transfer(struct ata_disk *k, unsigned flags)
{
    struct ata_drive *d = &k->ata;
    uint64_t total = disk_sectors(k), lba = 0;
    k->extended = flags & EXT;
    k->dma = flags & DMA;
    k->careful = k->short_request = false;
    k->block_sectors = flags & MULTI ? k->multiple : 1;
    if (!k->block_sectors || (k->dma && !k->mwdma && !k->udma)) {
        ata_done(d, ATA_ABRT);
        return;
    }
    uint32_t n = k->extended ? (uint32_t)(d->count[1] << 8 | d->count[0]) : d->count[0];
    k->left = n ? n : k->extended ? 65536 : 256;
    if (!address_get(k, &lba) || lba >= total) {
        ata_done(d, ATA_IDNF);
        return;
    }
    if (flags & WRITES && d->block->read_only) {
        ata_done(d, ATA_ABRT);
        return;
    }
    k->lba = lba;
    if (total - lba < k->left) {
        k->left = (uint32_t)(total - lba);
        k->short_request = true;
    }
    k->work = flags & WRITES ? WORK_WRITE : flags & VERIFY ? WORK_VERIFY : WORK_READ;
    k->power = POWER_ACTIVE;
    ata_activity(d, true);
    if (k->work != WORK_WRITE || k->dma) {
        transfer_next(k);
        return;
    }
    /* the first block of a PIO write is asked for without an interrupt [ATA-6, 9.6] */
    k->chunk = MIN(k->left, (uint32_t)CHUNK);
    ata_pio(d, false, 0, MIN(k->chunk, (uint32_t)k->block_sectors) * SECTOR, false);
}

/* --- identity ------------------------------------------------------------------------------------------------- */

static void put_word(uint8_t *at, unsigned word, unsigned value) { le16_put(at + 2 * word, (uint16_t)value); }

static void identify(struct ata_disk *k)
{
    static const struct ata_word words[] = {
        { 0, 0x0040 }, { 5, SECTOR }, { 20, 3 }, { 21, 512 }, { 22, 4 },    /* a fixed ATA drive */
        { 47, 0x8000 | MULTIPLE_MAX }, { 48, 1 },       /* double word accesses to the data port work */
        { 49, 0x0f00 }, { 50, 0x4000 }, { 51, 0x0200 }, { 52, 0x0200 }, { 53, 7 },      /* LBA, DMA, IORDY */
        { 64, 3 }, { 65, 120 }, { 66, 120 }, { 67, 120 }, { 68, 120 },  /* ns a cycle: PIO 4, multiword DMA 2 */
        { 80, 0x7e },                           /* ATA-1 to ATA-6 */
        { 82, 0x4068 }, { 83, 0x7400 }, { 84, 0x4000 }, { 86, 0x3400 }, { 87, 0x4000 }, /* look-ahead, write cache, power, flush, 48-bit */
    };
    uint8_t *w = k->ata.buffer.bytes;
    ata_identity_put(w, words, ARRAY_SIZE(words), &(struct ata_identity){ k->serial, k->firmware, k->model, k->mwdma, k->udma });
    put_word(w, 1, k->cylinders);
    put_word(w, 3, k->heads);
    put_word(w, 4, k->sectors * SECTOR);
    put_word(w, 6, k->sectors);
    put_word(w, 54, k->now_cylinders);
    put_word(w, 55, k->now_heads);
    put_word(w, 56, k->now_sectors);
    le32_put(w + 114, (uint32_t)k->now_cylinders * k->now_heads * k->now_sectors);
    put_word(w, 59, k->multiple ? 0x100u | k->multiple : 0);
    le32_put(w + 120, (uint32_t)MIN(disk_sectors(k), LBA28_MAX));
    put_word(w, 85, 0x4008u | (k->write_cache ? 0x20u : 0) | (k->look_ahead ? 0x40u : 0));
    put_word(w, 93, k->unit ? 0x4b00 : 0x400b); /* reset result of a 40-wire cable */
    le64_put(w + 200, disk_sectors(k));
    uint8_t sum = w[510] = 0xa5;
    for (unsigned n = 0; n < 510; n++)
        sum = (uint8_t)(sum + w[n]);
    w[511] = (uint8_t)-sum;
    k->work = WORK_IDENTIFY;
    k->chunk = 1;
    ata_pio(&k->ata, true, 0, SECTOR, true);
}

/* --- other commands ------------------------------------------------------------------------------------------- */

/* The cylinders that this many heads and sectors make of the disk; beyond 16383 x 16 x 63 only LBA reaches. */
static uint16_t cylinders_for(const struct ata_disk *k, unsigned heads, unsigned sectors)
{
    uint64_t limit = (uint64_t)k->cylinders * k->heads * k->sectors;
    return (uint16_t)MIN(MIN(limit, disk_sectors(k)) / (heads * sectors), 65535u);
}

static void initialize_parameters(struct ata_disk *k)
{
    unsigned heads = (k->ata.device & 15) + 1u, sectors = k->ata.count[0];
    if (!sectors || sectors > 63) {
        ata_done(&k->ata, ATA_ABRT);
        return;
    }
    k->now_heads = (uint8_t)heads;
    k->now_sectors = (uint8_t)sectors;
    k->now_cylinders = heads == k->heads && sectors == k->sectors ? (uint16_t)k->cylinders : cylinders_for(k, heads, sectors);
    ata_done(&k->ata, 0);
}

static void seek(struct ata_disk *k)
{
    uint64_t lba;
    k->extended = false;
    ata_done(&k->ata, address_get(k, &lba) && lba < disk_sectors(k) ? 0 : ATA_IDNF);
}

static void native_max(struct ata_disk *k, bool extended)
{
    uint64_t last = disk_sectors(k) ? disk_sectors(k) - 1 : 0;
    k->extended = extended;
    if (!extended)
        last = MIN(last, LBA28_MAX - 1);
    address_put(k, last);
    ata_done(&k->ata, 0);
}

static void set_features(struct ata_disk *k)
{
    bool ok = true;
    switch (k->ata.features[0]) {
    case 0x02: k->write_cache = 1; break;
    case 0x82: k->write_cache = 0; break;
    case 0x03: ok = ata_mode_set(k->ata.count[0], &k->mwdma, &k->udma); break;
    case 0xaa: k->look_ahead = 1; break;
    case 0x55: k->look_ahead = 0; break;
    case 0x66: case 0xcc: break;                /* settings never revert at a soft reset */
    default: ok = false;
    }
    ata_done(&k->ata, ok ? 0 : ATA_ABRT);
}

static void set_multiple(struct ata_disk *k)
{
    uint8_t n = k->ata.count[0];
    bool ok = n <= MULTIPLE_MAX && (!n || is_power_of_two(n));
    if (ok)
        k->multiple = n;
    ata_done(&k->ata, ok ? 0 : ATA_ABRT);
}

static void set_power(struct ata_disk *k, uint8_t power)
{
    k->power = power;
    ata_done(&k->ata, 0);
}

static void flush(struct ata_disk *k)
{
    k->work = WORK_FLUSH;
    ata_activity(&k->ata, true);
    ata_io_start(&k->ata, ATA_IO_FLUSH, 0, 0, 0);
}

static void check_power(struct ata_disk *k)
{
    k->ata.count[0] = k->power;
    ata_done(&k->ata, 0);
}

static void disk_command(struct ata_drive *d, uint8_t command)
{
    struct ata_disk *k = disk_of(d);
    if (k->power == POWER_SLEEP) {              /* only a reset wakes it [ATA-6, 8.40] */
        ata_done(d, ATA_ABRT);
        return;
    }
    switch (command) {
    case 0x10 ... 0x1f: ata_done(d, 0); break;                  /* RECALIBRATE */
    case 0x20: case 0x21: transfer(k, 0); break;                /* READ SECTORS */
    case 0x24: transfer(k, EXT); break;
    case 0x25: transfer(k, EXT | DMA); break;
    case 0x27: native_max(k, true); break;
    case 0x29: transfer(k, EXT | MULTI); break;
    case 0x30: case 0x31: case 0x3c: transfer(k, WRITES); break;        /* WRITE SECTORS, WRITE VERIFY */
    case 0x34: transfer(k, EXT | WRITES); break;
    case 0x35: transfer(k, EXT | DMA | WRITES); break;
    case 0x39: transfer(k, EXT | MULTI | WRITES); break;
    case 0x40: case 0x41: transfer(k, VERIFY); break;
    case 0x42: transfer(k, EXT | VERIFY); break;
    case 0x70 ... 0x7f: seek(k); break;
    case 0x91: initialize_parameters(k); break;
    case 0x94: case 0xe0: case 0x96: case 0xe2: set_power(k, POWER_STANDBY); break;
    case 0x95: case 0xe1: case 0x97: case 0xe3: set_power(k, POWER_IDLE); break;
    case 0x98: case 0xe5: check_power(k); break;
    case 0x99: case 0xe6: set_power(k, POWER_SLEEP); break;
    case 0xc4: transfer(k, MULTI); break;
    case 0xc5: transfer(k, MULTI | WRITES); break;
    case 0xc6: set_multiple(k); break;
    case 0xc8: case 0xc9: transfer(k, DMA); break;
    case 0xca: case 0xcb: transfer(k, DMA | WRITES); break;
    case 0xe7: case 0xea: flush(k); break;
    case 0xec: identify(k); break;
    case 0xef: set_features(k); break;
    case 0xf8: native_max(k, false); break;
    default: ata_done(d, ATA_ABRT);
    }
}

/* --- class ---------------------------------------------------------------------------------------------------- */

static void default_geometry(struct ata_disk *k)
{
    if (!k->heads || k->heads > 16 || !k->sectors || k->sectors > 63) {
        k->heads = 16;
        k->sectors = 63;
        k->cylinders = 0;
    }
    if (!k->cylinders)
        k->cylinders = (uint32_t)MIN(disk_sectors(k) / (k->heads * k->sectors), 16383u);
    k->cylinders = MIN(MAX(k->cylinders, 1u), 65535u);
}

static void disk_ata_reset(struct ata_drive *d, bool hard)
{
    struct ata_disk *k = disk_of(d);
    k->work = WORK_NONE;
    k->power = POWER_ACTIVE;
    if (!hard)
        return;
    k->now_cylinders = (uint16_t)k->cylinders;
    k->now_heads = (uint8_t)k->heads;
    k->now_sectors = (uint8_t)k->sectors;
    k->multiple = 0;
    k->mwdma = BIT(2);
    k->udma = 0;
    k->write_cache = k->look_ahead = 1;
}

static const struct ata_ops disk_ops = {
    .command = disk_command, .data_end = disk_data_end, .io_end = disk_io_end, .reset = disk_ata_reset,
};

static bool disk_media(struct device *dev, unsigned drive, struct block *block, struct error *err)
{
    struct ata_disk *k = disk_dev(dev);
    if (drive)
        return error_set(err, EINVAL, "%s has one medium only", dev->id);
    k->ata.block = block;
    k->cylinders = disk_sectors(k) ? k->cylinders : 0;
    default_geometry(k);
    return true;
}

static bool disk_init(struct device *dev, struct error *err)
{
    struct ata_disk *k = disk_dev(dev);
    return ata_drive_init(&k->ata, dev, &disk_ops, k->channel, k->unit, err);
}

static void disk_reset(struct device *dev, enum reset_kind kind)
{
    (void)kind;
    default_geometry(disk_dev(dev));
    ata_drive_reset(&disk_dev(dev)->ata);
}

static bool disk_restored(struct device *dev)
{
    struct ata_disk *k = disk_dev(dev);
    uint64_t total = disk_sectors(k);
    if (!k->now_heads || !k->now_sectors || k->now_heads > 16 || k->chunk > CHUNK || k->block_sectors > MULTIPLE_MAX ||
        k->chunk > k->left || k->left > 65536 || k->lba > total || k->left > total - k->lba) {
        k->chunk = k->left = 0;
        k->ata.phase = ATA_DMA_OUT + 1;         /* refused by the drive: it starts afresh */
    }
    ata_drive_restored(&k->ata);
    return true;
}

static void disk_free(struct device *dev)
{
    ata_drive_free(&disk_dev(dev)->ata);
}

#define F(m) FIELD(struct ata_disk, m)
static const struct state_field disk_state[] = {
    ATA_STATE(struct ata_disk, ata), F(now_cylinders), F(now_heads), F(now_sectors), F(multiple), F(power), F(mwdma), F(udma),
    F(write_cache), F(look_ahead), F(work), F(dma), F(extended), F(short_request), F(block_sectors), F(careful), F(lba), F(left),
    F(chunk), END
};
static const struct property disk_properties[] = {
    PROPERTY(struct ata_disk, channel, "ide0", "the cable: id of an ata_channel"),
    PROPERTY(struct ata_disk, unit, "0", "0 master, 1 slave"),
    PROPERTY(struct ata_disk, model, "HOLDOVER HARDDISK", "model number that the disk reports, up to 40 characters"),
    PROPERTY(struct ata_disk, serial, "HD00000001", "serial number, up to 20 characters"),
    PROPERTY(struct ata_disk, firmware, "1.0", "firmware revision, up to 8 characters"),
    PROPERTY(struct ata_disk, cylinders, "0", "cylinders; 0: from the size"),
    PROPERTY(struct ata_disk, heads, "0", "heads, up to 16; 0: 16"),
    PROPERTY(struct ata_disk, sectors, "0", "sectors a track, up to 63; 0: 63"), END
};

const struct device_class ata_disk_class = {
    .name = "ata_disk", .summary = "ATA hard disk", .size = sizeof(struct ata_disk),
    .properties = disk_properties, .state = disk_state, .state_version = 1,
    .init = disk_init, .reset = disk_reset, .restored = disk_restored, .free = disk_free, .media = disk_media,
};
