/* A SCSI hard disk on a bus (scsi_bus.c): direct access, blocks of 512 bytes, SCSI-2.
 *
 * In a PC: ID 0 boots. Identity strings and geometry are properties, so that a guest finds the disk that it was installed on.
 *
 * References: [SCSI-2] 8 (all devices), 9 (direct access); [SBC-2] for READ CAPACITY (16) and the 16-byte commands.
 * Not modelled: defect lists (empty), changing mode parameters (a list is taken and dropped), reservations (granted to
 * everybody), READ and WRITE LONG, SEARCH, linked commands; FORMAT UNIT leaves the data as they are.
 */
#include "devices/scsi.h"
#include <errno.h>

enum { SECTOR = 512, CHUNK = SCSI_BUFFER / SECTOR };
enum { WORK_NONE, WORK_REPLY, WORK_TAKE, WORK_READ, WORK_WRITE, WORK_FLUSH };

struct scsi_disk {
    struct device dev;
    struct scsi_target scsi;                    /* state */
    char *bus, *model, *serial, *firmware;      /* properties */
    uint8_t id;
    uint32_t cylinders, heads, sectors;
    uint8_t work, key; uint16_t asc, attention; /* state, from here on; attention: a pending unit attention's ASC, or 0 */
    uint64_t lba; uint32_t left, chunk;
    bool careful;                               /* after a medium error: one sector at a time */
};

static struct scsi_disk *disk_of(struct scsi_target *t) { return container_of(t, struct scsi_disk, scsi); }
static struct scsi_disk *disk_dev(struct device *dev) { return container_of(dev, struct scsi_disk, dev); }
static uint64_t disk_sectors(const struct scsi_disk *k) { return k->scsi.block ? k->scsi.block->size / SECTOR : 0; }

/* --- how commands end ----------------------------------------------------------------------------------------- */

static void finish(struct scsi_disk *k, unsigned key, unsigned asc)
{
    if (k->work > WORK_TAKE)
        scsi_activity(&k->scsi, false);
    k->work = WORK_NONE;
    k->key = (uint8_t)key;
    k->asc = (uint16_t)asc;
    scsi_end(&k->scsi, key ? SCSI_CHECK : SCSI_GOOD);
}

static void reply(struct scsi_disk *k, uint32_t length, uint32_t allocated)
{
    k->work = WORK_REPLY;
    scsi_data(&k->scsi, true, MIN(length, allocated));
}

static uint8_t *reply_buffer(struct scsi_disk *k) { return memset(k->scsi.buffer.bytes, 0, 512); }

/* --- reading and writing -------------------------------------------------------------------------------------- */

static void transfer_next(struct scsi_disk *k)
{
    if (!k->left) {
        finish(k, KEY_NONE, 0);
        return;
    }
    k->chunk = k->careful ? 1 : MIN(k->left, (uint32_t)CHUNK);
    if (k->work == WORK_READ)
        scsi_io_start(&k->scsi, SCSI_IO_READ, k->lba * SECTOR, k->chunk * SECTOR);
    else
        scsi_data(&k->scsi, false, k->chunk * SECTOR);
}

static void chunk_moved(struct scsi_disk *k)
{
    k->lba += k->chunk;
    k->left -= k->chunk;
    transfer_next(k);
}

static bool in_range(const struct scsi_disk *k, uint64_t lba, uint64_t count)
{
    return lba <= disk_sectors(k) && count <= disk_sectors(k) - lba;
}

static void transfer(struct scsi_disk *k, uint64_t lba, uint32_t count, bool writes)
{
    if (!in_range(k, lba, count)) {
        finish(k, KEY_ILLEGAL, ASC_RANGE);
    } else if (writes && k->scsi.block->read_only) {
        finish(k, KEY_PROTECT, ASC_PROTECTED);
    } else {
        k->lba = lba;
        k->left = count;
        k->careful = false;
        k->work = writes ? WORK_WRITE : WORK_READ;
        scsi_activity(&k->scsi, true);
        transfer_next(k);
    }
}

static void disk_data_end(struct scsi_target *t)
{
    struct scsi_disk *k = disk_of(t);
    if (k->work == WORK_WRITE)
        scsi_io_start(t, SCSI_IO_WRITE, k->lba * SECTOR, k->chunk * SECTOR);
    else if (k->work == WORK_READ)
        chunk_moved(k);
    else
        finish(k, KEY_NONE, 0);
}

static void disk_io_end(struct scsi_target *t, int error)
{
    struct scsi_disk *k = disk_of(t);
    if (error && k->work == WORK_READ && k->chunk > 1) {
        k->careful = true;                      /* so that what can be read before the bad sector comes over */
        transfer_next(k);
    } else if (error) {
        log_device(t->dev, LOG_WARN, "%s of sector %llu failed: %s", k->work == WORK_READ ? "read" : "write",
                   (unsigned long long)k->lba, strerror(-error));
        finish(k, k->work == WORK_READ ? KEY_MEDIUM : KEY_HARDWARE, k->work == WORK_READ ? ASC_READ_ERROR : ASC_WRITE_ERROR);
    } else if (k->work == WORK_READ) {
        scsi_data(t, true, k->chunk * SECTOR);
    } else if (k->work == WORK_WRITE) {
        chunk_moved(k);
    } else {
        finish(k, KEY_NONE, 0);
    }
}

/* A transfer's address and length, by the command's size; six bytes count 0 as 256. */
static uint64_t cdb_lba(const uint8_t *p)
{
    return p[0] >> 5 == 0 ? (be32_get(p) & 0x1fffff) : p[0] >> 5 == 4 ? be64_get(p + 2) : be32_get(p + 2);
}

static uint32_t cdb_count(const uint8_t *p)
{
    switch (p[0] >> 5) {
    case 0: return p[4] ? p[4] : 256;
    case 4: return be32_get(p + 10);
    case 5: return be32_get(p + 6);
    default: return be16_get(p + 7);
    }
}

static void cmd_read(struct scsi_disk *k, const uint8_t *p) { transfer(k, cdb_lba(p), cdb_count(p), false); }
static void cmd_write(struct scsi_disk *k, const uint8_t *p) { transfer(k, cdb_lba(p), cdb_count(p), true); }

static void cmd_in_range(struct scsi_disk *k, const uint8_t *p)        /* SEEK, VERIFY: is there such a place? */
{
    bool seek = (p[0] & 0x1f) == 0x0b;
    if (in_range(k, cdb_lba(p), seek ? 1 : cdb_count(p)))
        finish(k, KEY_NONE, 0);
    else
        finish(k, KEY_ILLEGAL, ASC_RANGE);
}

static void cmd_flush(struct scsi_disk *k, const uint8_t *p)
{
    (void)p;
    k->work = WORK_FLUSH;
    scsi_activity(&k->scsi, true);
    scsi_io_start(&k->scsi, SCSI_IO_FLUSH, 0, 0);
}

/* --- what the disk is ----------------------------------------------------------------------------------------- */

static void cmd_inquiry(struct scsi_disk *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k);
    size_t length = strlen(k->serial);
    uint32_t n = 4;
    if (!(p[1] & 1) && !p[2]) {
        reply(k, scsi_inquiry_put(r, 0, false, k->model, k->firmware), p[4]);
        return;
    }
    r[1] = p[2];                                /* vital product data: the list of pages, and the serial number */
    if (p[1] & 1 && p[2] == 0x00) {
        r[5] = 0x80;
        n = 6;
    } else if (p[1] & 1 && p[2] == 0x80) {
        length = MIN(length, (size_t)40);
        memcpy(r + 4, k->serial, length);
        n += (uint32_t)length;
    } else {
        finish(k, KEY_ILLEGAL, ASC_FIELD);
        return;
    }
    r[3] = (uint8_t)(n - 4);
    reply(k, n, p[4]);
}

static void cmd_request_sense(struct scsi_disk *k, const uint8_t *p)
{
    if (!k->key && k->attention) {
        k->key = KEY_ATTENTION;
        k->asc = k->attention;
        k->attention = 0;
    }
    scsi_sense_put(k->scsi.buffer.bytes, k->key, k->asc);
    k->key = KEY_NONE;
    k->asc = 0;
    reply(k, SCSI_SENSE, p[4] ? p[4] : 4);      /* SCSI-1: no length means four bytes */
}

static void cmd_read_capacity(struct scsi_disk *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k);
    uint64_t last = disk_sectors(k) ? disk_sectors(k) - 1 : 0;
    if (p[0] == 0x9e) {                         /* SERVICE ACTION IN */
        be64_put(r, last);
        be32_put(r + 8, SECTOR);
        if ((p[1] & 0x1f) == 0x10)
            reply(k, 32, be32_get(p + 10));
        else
            finish(k, KEY_ILLEGAL, ASC_FIELD);
        return;
    }
    be32_put(r, (uint32_t)MIN(last, 0xffffffffull));
    be32_put(r + 4, SECTOR);
    reply(k, 8, 8);
}

static uint32_t mode_pages(const struct scsi_disk *k, uint8_t *r, unsigned page, bool changeable)
{
    static const uint8_t recovery[] = { 0x01, 10, 0xc0, 8, 0, 0, 0, 0, 8, 0, 0, 0 }, caching[] = { 0x08, 10, 4 }, control[] = { 0x0a, 6 };
    uint8_t format[24] = { 0x03, 22 }, rigid[24] = { 0x04, 22 };
    be16_put(format + 10, (uint16_t)k->sectors);
    be16_put(format + 12, SECTOR);
    format[20] = 0x40;                          /* hard sectors */
    be32_put(rigid + 1, k->cylinders);
    rigid[1] = 22;
    rigid[5] = (uint8_t)k->heads;
    be16_put(rigid + 20, 7200);
    const struct { const uint8_t *bytes; size_t size; } pages[] = {
        { recovery, sizeof(recovery) }, { format, sizeof(format) }, { rigid, sizeof(rigid) }, { caching, sizeof(caching) },
        { control, sizeof(control) },
    };
    uint32_t n = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        const uint8_t *b = pages[i].bytes;
        if (page != 0x3f && page != b[0])
            continue;
        memcpy(r + n, b, changeable ? 2 : pages[i].size);
        n += b[1] + 2u;
    }
    return n;
}

static void cmd_mode_sense(struct scsi_disk *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k);
    bool ten = p[0] == 0x5a, descriptor = !(p[1] & 8);
    uint32_t header = ten ? 8 : 4, n = header + (descriptor ? 8 : 0);
    uint32_t pages = mode_pages(k, r + n, p[2] & 0x3f, p[2] >> 6 == 1);
    if (p[2] >> 6 == 3 || !pages) {
        finish(k, KEY_ILLEGAL, p[2] >> 6 == 3 ? ASC_SAVING : ASC_FIELD);
        return;
    }
    if (descriptor) {
        be32_put(r + header, (uint32_t)MIN(disk_sectors(k), 0xffffffull));
        be32_put(r + header + 4, SECTOR);
    }
    n += pages;
    r[ten ? 3 : 2] = k->scsi.block && k->scsi.block->read_only ? 0x80 : 0;
    r[ten ? 7 : 3] = descriptor ? 8 : 0;
    if (ten)
        be16_put(r, (uint16_t)(n - 2));
    else
        r[0] = (uint8_t)(n - 1);
    reply(k, n, ten ? be16_get(p + 7) : p[4]);
}

static void cmd_take(struct scsi_disk *k, const uint8_t *p)     /* a parameter list that changes nothing */
{
    uint32_t length = p[0] == 0x55 ? be16_get(p + 7) : p[0] == 0x1d ? be16_get(p + 3) : p[4];
    k->work = WORK_TAKE;
    scsi_data(&k->scsi, false, length);
}

static void cmd_defects(struct scsi_disk *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k);
    r[1] = p[2] & 0x1f;
    reply(k, 4, be16_get(p + 7));
}

static void cmd_report_luns(struct scsi_disk *k, const uint8_t *p)
{
    uint8_t *r = reply_buffer(k);
    be32_put(r, 8);
    reply(k, 16, be32_get(p + 6));
}

static void cmd_format(struct scsi_disk *k, const uint8_t *p)
{
    if (p[1] & 0x10) {                          /* a defect list's header follows */
        k->work = WORK_TAKE;
        scsi_data(&k->scsi, false, 4);
    } else {
        finish(k, KEY_NONE, 0);
    }
}

static void cmd_good(struct scsi_disk *k, const uint8_t *p)
{
    (void)p;
    finish(k, KEY_NONE, 0);
}

/* --- commands ------------------------------------------------------------------------------------------------- */

enum { MEDIUM = 1, CALM = 2 };                  /* needs a medium; runs although a unit attention is pending */
static const struct disk_command { uint8_t opcode, flags; void (*run)(struct scsi_disk *, const uint8_t *); } commands[] = {
    { 0x00, MEDIUM, cmd_good }, { 0x01, MEDIUM, cmd_good }, { 0x03, CALM, cmd_request_sense }, { 0x04, MEDIUM, cmd_format },
    { 0x07, MEDIUM, cmd_take }, { 0x08, MEDIUM, cmd_read }, { 0x0a, MEDIUM, cmd_write }, { 0x0b, MEDIUM, cmd_in_range },
    { 0x12, CALM, cmd_inquiry }, { 0x15, 0, cmd_take }, { 0x16, 0, cmd_good }, { 0x17, 0, cmd_good }, { 0x1a, 0, cmd_mode_sense },
    { 0x1b, 0, cmd_good }, { 0x1d, 0, cmd_take }, { 0x1e, 0, cmd_good }, { 0x25, MEDIUM, cmd_read_capacity }, { 0x28, MEDIUM, cmd_read },
    { 0x2a, MEDIUM, cmd_write }, { 0x2b, MEDIUM, cmd_in_range }, { 0x2e, MEDIUM, cmd_write }, { 0x2f, MEDIUM, cmd_in_range },
    { 0x35, MEDIUM, cmd_flush }, { 0x37, MEDIUM, cmd_defects }, { 0x55, 0, cmd_take }, { 0x5a, 0, cmd_mode_sense },
    { 0x88, MEDIUM, cmd_read }, { 0x8a, MEDIUM, cmd_write }, { 0x91, MEDIUM, cmd_flush }, { 0x9e, MEDIUM, cmd_read_capacity },
    { 0xa0, CALM, cmd_report_luns }, { 0xa8, MEDIUM, cmd_read }, { 0xaa, MEDIUM, cmd_write },
};

static void disk_command(struct scsi_target *t, const uint8_t *p)
{
    struct scsi_disk *k = disk_of(t);
    const struct disk_command *c = NULL;
    for (unsigned n = 0; n < ARRAY_SIZE(commands); n++)
        if (commands[n].opcode == p[0])
            c = &commands[n];
    if (!c) {
        log_device(t->dev, LOG_STUB, "SCSI command %02xh is not modelled", p[0]);
        finish(k, KEY_ILLEGAL, ASC_OPCODE);
    } else if (k->attention && !(c->flags & CALM)) {
        uint16_t asc = k->attention;
        k->attention = 0;
        finish(k, KEY_ATTENTION, asc);
    } else if (c->flags & MEDIUM && !t->block) {
        finish(k, KEY_NOT_READY, ASC_EMPTY);
    } else {
        c->run(k, p);
    }
}

/* --- class ---------------------------------------------------------------------------------------------------- */

static void disk_stopped(struct scsi_target *t, bool hard)
{
    struct scsi_disk *k = disk_of(t);
    if (k->work > WORK_TAKE)
        scsi_activity(t, false);
    k->work = WORK_NONE;
    if (!hard)
        return;
    k->key = KEY_NONE;
    k->asc = 0;
    k->attention = ASC_RESET;
    k->lba = k->left = k->chunk = 0;
    k->careful = false;
}

static const struct scsi_target_ops disk_ops = {
    .command = disk_command, .data_end = disk_data_end, .io_end = disk_io_end, .reset = disk_stopped,
};

static void default_geometry(struct scsi_disk *k)
{
    if (!k->heads || k->heads > 255 || !k->sectors || k->sectors > 255) {
        k->heads = 64;
        k->sectors = 32;
        k->cylinders = 0;
    }
    if (!k->cylinders)
        k->cylinders = (uint32_t)MAX(MIN(disk_sectors(k) / (k->heads * k->sectors), 0xffffffull), 1ull);
}

static bool disk_media(struct device *dev, unsigned drive, struct block *block, struct error *err)
{
    struct scsi_disk *k = disk_dev(dev);
    if (drive)
        return error_set(err, EINVAL, "%s has one medium only", dev->id);
    k->scsi.block = block;
    default_geometry(k);
    return true;
}

static bool disk_init(struct device *dev, struct error *err)
{
    struct scsi_disk *k = disk_dev(dev);
    return scsi_target_init(&k->scsi, dev, &disk_ops, k->bus, k->id, err);
}

static void disk_reset(struct device *dev, enum reset_kind kind)
{
    (void)kind;
    default_geometry(disk_dev(dev));
    scsi_target_reset(&disk_dev(dev)->scsi);
}

static bool disk_restored(struct device *dev)
{
    struct scsi_disk *k = disk_dev(dev);
    bool moves = k->work == WORK_READ || k->work == WORK_WRITE;
    bool bad = k->work > WORK_FLUSH || k->chunk > CHUNK || (moves && (k->chunk > k->left || !in_range(k, k->lba, k->left)));
    scsi_target_restored(&k->scsi, !bad);
    return true;
}

static void disk_free(struct device *dev) { scsi_target_free(&disk_dev(dev)->scsi); }

#define F(m) FIELD(struct scsi_disk, m)
static const struct state_field disk_state[] = {
    SCSI_STATE(struct scsi_disk, scsi), F(work), F(key), F(asc), F(attention), F(lba), F(left), F(chunk), F(careful), END
};
static const struct property disk_properties[] = {
    PROPERTY(struct scsi_disk, bus, "scsi0", "the cable: id of a scsi_bus"),
    PROPERTY(struct scsi_disk, id, "0", "SCSI ID: 0 to 15, but not 7"),
    PROPERTY(struct scsi_disk, model, "HOLDOVER HARDDISK", "model: vendor (8 characters), a blank, product (16)"),
    PROPERTY(struct scsi_disk, serial, "HD00000001", "serial number, up to 40 characters"),
    PROPERTY(struct scsi_disk, firmware, "1.0", "revision, up to 4 characters"),
    PROPERTY(struct scsi_disk, cylinders, "0", "cylinders of the mode pages; 0: from the size"),
    PROPERTY(struct scsi_disk, heads, "0", "heads; 0: 64"),
    PROPERTY(struct scsi_disk, sectors, "0", "sectors a track; 0: 32"), END
};

const struct device_class scsi_disk_class = {
    .name = "scsi_disk", .summary = "SCSI hard disk", .size = sizeof(struct scsi_disk),
    .properties = disk_properties, .state = disk_state, .state_version = 1,
    .init = disk_init, .reset = disk_reset, .restored = disk_restored, .free = disk_free, .media = disk_media,
};
