/* A SCSI bus: arbitration and selection, the order of the phases, messages, and what every target does alike.
 *
 * In a PC: the cable on a host adapter, with targets at IDs 0 to 15; the adapter itself is at 7. Every target has one logical unit.
 *
 * References: [SCSI-2] 6 (phases), 6.6 (messages), 7.2 (command descriptor blocks), 8.2 (sense and inquiry data).
 * Not modelled: disconnection and reselection (targets hold the bus until they end), tagged queues (tag messages are taken, the
 * tag means nothing), synchronous and wide transfers (negotiation is answered with MESSAGE REJECT), parity, target mode.
 */
#include "devices/scsi.h"
#include <errno.h>
#include <stdlib.h>

enum { NOBODY = 0xff, MESSAGES = 16 };
enum { MSG_COMPLETE = 0x00, MSG_EXTENDED, MSG_INITIATOR_ERROR = 0x05, MSG_ABORT, MSG_REJECT, MSG_NOP, MSG_PARITY, MSG_DEVICE_RESET = 0x0c,
       MSG_ABORT_TAG, MSG_TAG_FIRST = 0x20, MSG_TAG_LAST = 0x22, MSG_IDENTIFY = 0x80 };
enum stage { STAGE_MESSAGE_OUT, STAGE_MESSAGE_IN, STAGE_COMMAND, STAGE_TARGET };

struct scsi_bus {
    struct device dev;
    struct scsi_target *target[SCSI_IDS];
    void (*changed)(void *chip); void *chip;    /* the adapter's */
    uint8_t connected;                          /* state: the target's ID, or NOBODY */
    uint8_t stage, lun;
    bool attention, started, identified;        /* started: the target has its command */
    uint8_t message[MESSAGES], message_count, answer;   /* answer: the message in */
    uint8_t cdb[SCSI_CDB], cdb_count;
};

static struct scsi_bus *bus_of(struct device *dev) { return container_of(dev, struct scsi_bus, dev); }
static struct scsi_target *current(const struct scsi_bus *b) { return b->connected < SCSI_IDS ? b->target[b->connected] : NULL; }

static void tell(struct scsi_bus *b)
{
    if (b && b->changed)
        b->changed(b->chip);
}

/* --- targets -------------------------------------------------------------------------------------------------- */

void scsi_activity(struct scsi_target *t, bool busy)
{
    const struct host *host = t->dev->machine->host;
    if (host->activity)
        host->activity(host->ui, t->dev->id, busy);
}

uint32_t scsi_sense_put(uint8_t *at, unsigned key, unsigned asc)
{
    memset(at, 0, SCSI_SENSE);
    at[0] = 0x70;
    at[2] = (uint8_t)key;
    at[7] = SCSI_SENSE - 8;
    be16_put(at + 12, (uint16_t)asc);
    return SCSI_SENSE;
}

static void put_text(uint8_t *at, size_t size, const char *text, size_t length)
{
    memset(at, ' ', size);
    memcpy(at, text, MIN(size, length));
}

uint32_t scsi_inquiry_put(uint8_t *at, unsigned type, bool removable, const char *model, const char *revision)
{
    size_t vendor = strcspn(model, " ");
    const char *product = model[vendor] ? model + vendor + 1 : model;
    memset(at, 0, 36);
    at[0] = (uint8_t)type;
    at[1] = removable ? 0x80 : 0;
    at[2] = at[3] = 2;                          /* SCSI-2 */
    at[4] = 31;
    put_text(at + 8, 8, model, vendor);
    put_text(at + 16, 16, product, strlen(product));
    put_text(at + 32, 4, revision, strlen(revision));
    return 36;
}

void scsi_data(struct scsi_target *t, bool in, uint32_t length)
{
    t->phase = !length ? SCSI_WAIT : in ? SCSI_DATA_IN : SCSI_DATA_OUT;
    t->position = 0;
    t->end = length;
    if (length)
        tell(t->bus);
    else
        t->ops->data_end(t);                    /* a phase of no bytes would never end */
}

void scsi_end(struct scsi_target *t, enum scsi_status status)
{
    t->phase = SCSI_STATUS;
    t->status = (uint8_t)status;
    tell(t->bus);
}

static void target_command(struct scsi_target *t)
{
    const uint8_t *p = t->cdb;
    uint32_t allocated = p[4];
    if (!t->lun) {
        t->ops->command(t, p);
    } else if (p[0] == 0x12) {                  /* no device there, and none possible [SCSI-2, 8.2.5.1] */
        scsi_inquiry_put(t->buffer.bytes, 0x7f, false, "", "");
        scsi_data(t, true, MIN(36u, allocated));
    } else if (p[0] == 0x03) {
        scsi_data(t, true, MIN(scsi_sense_put(t->buffer.bytes, KEY_ILLEGAL, ASC_LUN), allocated));
    } else {
        scsi_end(t, SCSI_CHECK);
    }
}

static void io_done(void *owner, int error)
{
    struct scsi_target *t = owner;
    t->submitted = false;
    if (t->waits) {
        t->waits = false;
        target_command(t);
    } else if (t->io != SCSI_IO_NONE) {
        t->io = SCSI_IO_NONE;
        t->ops->io_end(t, error);
    }
}

static void io_submit(struct scsi_target *t)
{
    static const enum block_op ops[] = { [SCSI_IO_READ] = BLOCK_READ, [SCSI_IO_WRITE] = BLOCK_WRITE, [SCSI_IO_FLUSH] = BLOCK_FLUSH };
    if (!t->block) {
        io_done(t, -ENOMEDIUM);
        return;
    }
    t->vec = (struct iovec){ t->buffer.bytes, t->io_length };
    t->request = (struct block_request){ .op = ops[t->io], .offset = t->io_offset, .vec = &t->vec,
                                         .count = t->io == SCSI_IO_FLUSH ? 0 : 1, .done = io_done, .owner = t };
    t->submitted = true;
    block_submit(t->block, &t->request);
}

void scsi_io_start(struct scsi_target *t, enum scsi_io io, uint64_t offset, uint32_t length)
{
    t->phase = SCSI_WAIT;
    t->io = (uint8_t)io;
    t->io_offset = offset;
    t->io_length = length;
    io_submit(t);
}

/* A request under way comes back later, and is then forgotten. */
static void target_stop(struct scsi_target *t, bool hard)
{
    t->phase = SCSI_FREE;
    t->io = SCSI_IO_NONE;
    t->waits = false;
    t->position = t->end = 0;
    t->ops->reset(t, hard);
}

void scsi_target_reset(struct scsi_target *t)
{
    t->status = t->lun = 0;
    t->io_offset = t->io_length = 0;
    memset(t->cdb, 0, sizeof(t->cdb));
    target_stop(t, true);
}

bool scsi_target_init(struct scsi_target *t, struct device *dev, const struct scsi_target_ops *ops, const char *bus, unsigned id,
                      struct error *err)
{
    struct device *cable = machine_find(dev->machine, bus);
    t->dev = dev;
    t->ops = ops;
    t->bus = cable && cable->class == &scsi_bus_class ? bus_of(cable) : NULL;
    if (id >= SCSI_IDS || id == 7)
        return error_set(err, EINVAL, "%s: a SCSI ID is 0 to 6 or 8 to 15; 7 is the adapter's", dev->id);
    if (t->bus && t->bus->target[id])
        return error_set(err, EBUSY, "%s: SCSI ID %u of %s is taken already; choose another", dev->id, id, bus);
    t->buffer = (struct state_bytes){ calloc(1, SCSI_BUFFER), SCSI_BUFFER };
    if (!t->buffer.bytes)
        return error_set(err, ENOMEM, "%s: not enough memory", dev->id);
    if (t->bus)
        t->bus->target[id] = t;
    return true;
}

void scsi_target_free(struct scsi_target *t) { free(t->buffer.bytes); }

void scsi_target_restored(struct scsi_target *t, bool sound)
{
    bool phase = t->phase == SCSI_FREE || t->phase == SCSI_WAIT || t->phase == SCSI_STATUS || t->phase <= SCSI_DATA_IN;
    bool idle = t->phase == SCSI_WAIT && t->io == SCSI_IO_NONE && !t->waits;    /* for ever, as a phase of no bytes is */
    bool empty = t->phase <= SCSI_DATA_IN && t->position == t->end;
    if (!sound || !phase || idle || empty || t->end > SCSI_BUFFER || t->position > t->end || t->io > SCSI_IO_FLUSH || t->io_length > SCSI_BUFFER)
        target_stop(t, true);
    else if (t->waits && !t->submitted)
        io_done(t, 0);
    else if (t->io != SCSI_IO_NONE && !t->submitted)
        io_submit(t);
}

/* --- phases --------------------------------------------------------------------------------------------------- */

bool scsi_present(const struct scsi_bus *b, unsigned id) { return b && id < SCSI_IDS && b->target[id]; }

enum scsi_phase scsi_phase(const struct scsi_bus *b)
{
    static const uint8_t stages[] = { SCSI_MESSAGE_OUT, SCSI_MESSAGE_IN, SCSI_COMMAND };
    const struct scsi_target *t = b ? current(b) : NULL;
    if (!t)
        return SCSI_FREE;
    if (b->stage != STAGE_TARGET)
        return stages[b->stage];
    return t->phase == SCSI_FREE ? SCSI_WAIT : t->phase;
}

static void bus_free(struct scsi_bus *b)
{
    b->connected = NOBODY;
    b->attention = false;
    tell(b);
}

bool scsi_select(struct scsi_bus *b, unsigned id, bool attention)
{
    if (!scsi_present(b, id) || b->connected != NOBODY)
        return false;
    b->connected = (uint8_t)id;
    b->attention = attention;
    b->stage = attention ? STAGE_MESSAGE_OUT : STAGE_COMMAND;
    b->lun = b->message_count = b->cdb_count = 0;
    b->started = b->identified = false;
    memset(b->cdb, 0, sizeof(b->cdb));
    return true;
}

void scsi_attention(struct scsi_bus *b, bool on)
{
    if (!b || !current(b))
        return;
    if (on && !b->attention && b->stage != STAGE_MESSAGE_OUT) {
        b->stage = STAGE_MESSAGE_OUT;
        b->message_count = 0;
    }
    b->attention = on;
}

static void stage_next(struct scsi_bus *b) { b->stage = b->started ? STAGE_TARGET : STAGE_COMMAND; }

static void target_leave(struct scsi_bus *b, bool hard)
{
    target_stop(current(b), hard);
    bus_free(b);
}

/* What the initiator has said, message by message; what is not understood is rejected [SCSI-2, 6.6]. */
static void messages_run(struct scsi_bus *b)
{
    bool reject = false;
    unsigned count = b->message_count;
    b->message_count = 0;
    for (unsigned n = 0; n < count; n++) {
        uint8_t m = b->message[n];
        if (m >= MSG_IDENTIFY) {
            b->lun = m & 7;
            b->identified = true;
        } else if (m >= MSG_TAG_FIRST && m <= MSG_TAG_LAST) {
            n++;
        } else if (m == MSG_ABORT || m == MSG_ABORT_TAG || m == MSG_DEVICE_RESET) {
            target_leave(b, m == MSG_DEVICE_RESET);
            return;
        } else if (m == MSG_EXTENDED) {
            unsigned length = n + 1 < count ? b->message[n + 1] : 0;
            n += 1 + (length ? length : 256u);
            reject = true;
        } else if (m != MSG_COMPLETE && m != MSG_NOP && m != MSG_REJECT && m != MSG_INITIATOR_ERROR && m != MSG_PARITY) {
            reject = true;                      /* QUIRK(seabios-esp): it says 00h in place of IDENTIFY */
        }
    }
    stage_next(b);
    if (reject) {
        b->stage = STAGE_MESSAGE_IN;
        b->answer = MSG_REJECT;
    }
}

/* By the operation code's group [SCSI-2, 7.2.1]; the first six bytes come before it is known. */
static unsigned cdb_length(const struct scsi_bus *b)
{
    static const uint8_t lengths[8] = { 6, 10, 10, 6, 16, 12, 10, 10 };
    return b->cdb_count ? lengths[b->cdb[0] >> 5] : 6;
}

uint8_t *scsi_window(struct scsi_bus *b, uint32_t *length)
{
    struct scsi_target *t = b ? current(b) : NULL;
    switch (scsi_phase(b)) {
    case SCSI_MESSAGE_OUT: *length = MESSAGES - b->message_count; return b->message + b->message_count;
    case SCSI_MESSAGE_IN: *length = 1; return &b->answer;
    case SCSI_COMMAND: *length = cdb_length(b) - b->cdb_count; return b->cdb + b->cdb_count;
    case SCSI_STATUS: *length = 1; return &t->status;
    case SCSI_DATA_IN: case SCSI_DATA_OUT: *length = t->end - t->position; return t->buffer.bytes + t->position;
    default: *length = 0; return NULL;
    }
}

static void command_start(struct scsi_bus *b)
{
    struct scsi_target *t = current(b);
    b->started = true;
    b->stage = STAGE_TARGET;
    memcpy(t->cdb, b->cdb, SCSI_CDB);
    t->lun = b->identified ? b->lun : b->cdb[1] >> 5;   /* SCSI-1 has it in the command, SCSI-2 in the message */
    t->phase = SCSI_WAIT;
    if (t->submitted)
        t->waits = true;
    else
        target_command(t);
}

static void data_moved(struct scsi_target *t, uint32_t length)
{
    t->position += MIN(length, t->end - t->position);
    if (t->position < t->end)
        return;
    t->phase = SCSI_WAIT;
    t->ops->data_end(t);
}

void scsi_moved(struct scsi_bus *b, uint32_t length)
{
    if (!length)
        return;
    switch (scsi_phase(b)) {
    case SCSI_MESSAGE_OUT:
        b->message_count = (uint8_t)(b->message_count + MIN(length, (uint32_t)MESSAGES - b->message_count));
        if (!b->attention || b->message_count == MESSAGES)
            messages_run(b);
        break;
    case SCSI_COMMAND:
        b->cdb_count = (uint8_t)(b->cdb_count + MIN(length, cdb_length(b) - b->cdb_count));
        if (b->cdb_count >= cdb_length(b))
            command_start(b);
        break;
    case SCSI_DATA_IN: case SCSI_DATA_OUT: data_moved(current(b), length); break;
    case SCSI_STATUS:
        current(b)->phase = SCSI_FREE;
        b->stage = STAGE_MESSAGE_IN;
        b->answer = MSG_COMPLETE;
        break;
    case SCSI_MESSAGE_IN:
        if (b->answer == MSG_COMPLETE)
            bus_free(b);
        else
            stage_next(b);
        break;
    default: break;
    }
}

void scsi_reset(struct scsi_bus *b)
{
    if (!b)
        return;
    for (unsigned id = 0; id < SCSI_IDS; id++)
        if (b->target[id])
            target_stop(b->target[id], true);
    bus_free(b);
}

/* --- class ---------------------------------------------------------------------------------------------------- */

bool scsi_attach(struct scsi_bus **out, struct device *dev, const char *bus, void (*changed)(void *chip), struct error *err)
{
    struct device *cable = machine_find(dev->machine, bus);
    struct scsi_bus *b = *out = cable && cable->class == &scsi_bus_class ? bus_of(cable) : NULL;
    if (cable && (!b || b->changed))
        return error_set(err, EINVAL, "%s: %s is not a SCSI bus without an adapter", dev->id, bus);
    if (b) {
        b->changed = changed;
        b->chip = dev;
    }
    return true;
}

/* The targets reset themselves. */
static void bus_reset(struct device *dev, enum reset_kind kind)
{
    struct scsi_bus *b = bus_of(dev);
    (void)kind;
    b->connected = NOBODY;
    b->stage = b->lun = b->message_count = b->answer = b->cdb_count = 0;
    b->attention = b->started = b->identified = false;
    memset(b->message, 0, sizeof(b->message));
    memset(b->cdb, 0, sizeof(b->cdb));
}

static bool bus_restored(struct device *dev)
{
    struct scsi_bus *b = bus_of(dev);
    if (!current(b) || b->stage > STAGE_TARGET || b->message_count >= MESSAGES || b->cdb_count > SCSI_CDB ||
        (b->stage == STAGE_COMMAND && b->cdb_count >= cdb_length(b)))
        bus_reset(dev, RESET_POWER);
    return true;
}

#define T(m) FIELD(struct scsi_target, m)
const struct state_field scsi_target_state[] = {
    T(phase), T(status), T(lun), T(position), T(end), T(io), T(io_offset), T(io_length), FIELD_ARRAY(struct scsi_target, cdb), T(waits), END
};
#define F(m) FIELD(struct scsi_bus, m)
static const struct state_field bus_state[] = {
    F(connected), F(stage), F(lun), F(attention), F(started), F(identified), FIELD_ARRAY(struct scsi_bus, message), F(message_count), F(answer),
    FIELD_ARRAY(struct scsi_bus, cdb), F(cdb_count), END
};

const struct device_class scsi_bus_class = {
    .name = "scsi_bus", .summary = "SCSI bus", .size = sizeof(struct scsi_bus), .state = bus_state, .state_version = 1,
    .reset = bus_reset, .restored = bus_restored,
};
