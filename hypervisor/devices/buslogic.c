/* BusLogic BT-958: a MultiMaster SCSI adapter on PCI, with firmware of its own that takes commands from mailboxes in memory.
 *
 * In a PC: PCI 104B:1040. BAR 0: status/control, command/data, interrupt, geometry. A command control block (CCB) holds a whole SCSI
 * command; both forms are there, that of the AHA-1542 with 24-bit addresses and that with 32. The card's ROM (drivers/buslogic) is
 * ours: it hooks INT 13h for the disks and uses command 03h, which here takes an ID and ten bytes of SCSI command and moves data
 * through ports 4 to 7, so that it needs no memory and works behind paging.
 *
 * References: [BT-9X8] BusLogic MultiMaster technical reference manual: 2 (registers), 3 (commands), 4 (mailboxes, CCBs), 5 (local RAM).
 * Not modelled: the ISA-compatible ports, target mode, aborting a CCB (it is never found), several commands at a time (the others
 * wait in their mailboxes), tags, SCAM, the EEPROM's set-up (local RAM forgets what was stored), bus on and off times.
 */
#include "devices/pci.h"
#include "devices/scsi.h"
#include <errno.h>
#include <stdlib.h>

enum { P_STATUS, P_COMMAND, P_INTERRUPT, P_GEOMETRY, P_DATA, PORTS = 8, MEMORY = 4096 };
enum { STATUS_INVALID = 1 << 0, STATUS_DATA = 1 << 2, STATUS_INIT = 1 << 5, STATUS_READY = 1 << 4, STATUS_DIAG = 1 << 7 };
enum { CONTROL_BUS = 1 << 4, CONTROL_INT = 1 << 5, CONTROL_SOFT = 1 << 6, CONTROL_HARD = 1 << 7 };
enum { INT_INBOX = 1 << 0, INT_OUTBOX = 1 << 1, INT_COMMAND = 1 << 2, INT_VALID = 1 << 7 };
enum { BOX_START = 1, BOX_ABORT, IN_GOOD = 1, IN_NOT_FOUND = 3, IN_ERROR };
enum { HA_NORMAL = 0x00, HA_SELECT = 0x11, HA_OVERRUN = 0x12, HA_BUS_FREE = 0x13, HA_OPCODE = 0x16, HA_PARAMETER = 0x1a };
enum { CCB_SIMPLE, CCB_LIST = 2, CCB_RESIDUAL, CCB_LIST_RESIDUAL, CCB_DEVICE_RESET = 0x81 };
enum job { JOB_NONE, JOB_CCB, JOB_SENSE, JOB_BIOS, JOB_INBOX };        /* the last: done, but no incoming mailbox is free */
enum { REPLY = 256, PARAMETERS = 16, SEGMENTS_MAX = 8192, CCB_SIZE = 40, LOCAL_RAM = 256, AUTO_SCSI = 64 };
#define DIAG_NS 1000000

struct buslogic {
    struct device dev;
    struct pci_function pci;                    /* state */
    char *bus;                                  /* properties */
    uint8_t slot;
    struct scsi_bus *scsi;
    uint8_t status, interrupts, opcode;         /* state, from here on */
    bool receiving, enabled, outbox_interrupts; /* a command's parameters are awaited; interrupts are */
    uint8_t parameter[PARAMETERS], parameters, wanted;
    uint8_t reply[REPLY]; uint16_t replies, replied;
    uint8_t ram[LOCAL_RAM];
    uint32_t boxes; uint8_t box_count, next_out, next_in;
    bool wide, extended, scan;                  /* 32-bit mailboxes; extended LUN format; a start is not yet answered in full */
    uint8_t job; uint32_t ccb;
    uint8_t kind, id, lun, cdb[16], cdb_length, cdb_sent, sense_length, ha_status, target_status;
    uint32_t sense, address, left, list, list_left, segments, residual;    /* the data: this segment, and the list behind it */
    struct timer diag;                          /* the self-test after a reset */
    uint8_t *rom;
    bool running; unsigned taken;               /* host side: guards against the bus calling while it is called; CCBs since it was */
};

static struct buslogic *bl_of(struct device *dev) { return container_of(dev, struct buslogic, dev); }
static uint32_t be24_get(const uint8_t *p) { return (uint32_t)p[0] << 16 | be16_get(p + 1); }
static void bl_update_irq(struct buslogic *h) { pci_intx(&h->pci, h->interrupts && h->enabled); }

static void interrupt(struct buslogic *h, uint8_t why)
{
    h->interrupts |= why | INT_VALID;
    bl_update_irq(h);
}

/* --- CCBs ----------------------------------------------------------------------------------------------------- */

/* Takes a CCB from memory; false: it is none. */
static bool ccb_load(struct buslogic *h)
{
    uint8_t c[CCB_SIZE] = { 0 };
    pci_dma_in(&h->pci, c, h->ccb, sizeof(c));
    h->kind = c[0];
    h->id = h->wide ? c[16] & 15 : c[1] >> 5;
    h->lun = h->wide ? c[17] & (h->extended ? 63 : 31) : c[1] & 7;
    h->cdb_length = c[2];
    h->sense_length = c[3] == 0 ? 14 : c[3] == 1 ? 0 : c[3];
    h->left = h->list_left = h->residual = 0;
    uint32_t length = h->wide ? le32_get(c + 4) : be24_get(c + 4), data = h->wide ? le32_get(c + 8) : be24_get(c + 7);
    h->segments = 0;
    if (h->kind == CCB_LIST || h->kind == CCB_LIST_RESIDUAL) {
        h->list = data;
        h->list_left = length;
    } else {
        h->address = data;
        h->left = length;
    }
    h->sense = h->wide ? le32_get(c + 36) : h->ccb + 18 + h->cdb_length;
    if (h->cdb_length > 12 || (h->kind > CCB_LIST_RESIDUAL && h->kind != CCB_DEVICE_RESET) || h->kind == 1)
        return false;
    memset(h->cdb, 0, sizeof(h->cdb));
    memcpy(h->cdb, c + 18, h->cdb_length);
    return true;
}

/* Bytes that the segment under way still takes, with those of the list behind it in turn. */
static uint32_t segment(struct buslogic *h)
{
    unsigned size = h->wide ? 8 : 6;
    uint8_t s[8];
    while (!h->left && h->list_left >= size && h->segments < SEGMENTS_MAX) {
        memset(s, 0, sizeof(s));
        pci_dma_in(&h->pci, s, h->list, size);
        h->left = h->wide ? le32_get(s) : be24_get(s);
        h->address = h->wide ? le32_get(s + 4) : be24_get(s + 3);
        h->list += size;
        h->list_left -= size;
        h->segments++;
    }
    return h->left;
}

static uint32_t data_rest(struct buslogic *h)           /* of the whole transfer */
{
    uint32_t rest = 0;
    for (; segment(h); h->left = 0)
        rest += h->left;
    return rest;
}

/* --- mailboxes ------------------------------------------------------------------------------------------------ */

static unsigned box_size(const struct buslogic *h) { return h->wide ? 8 : 4; }

static void inbox_put(struct buslogic *h, uint8_t code)
{
    uint32_t at = h->boxes + (h->box_count + h->next_in) * box_size(h);
    uint8_t box[8] = { 0xff, 0, 0, 0, 0, 0, 0, 0xff };
    pci_dma_in(&h->pci, box, at, box_size(h));
    h->job = JOB_INBOX;
    h->residual = code;
    if (box[h->wide ? 7 : 0])
        return;                                 /* not read yet: tried again at the next sign from the driver */
    if (h->wide) {
        le32_put(box, h->ccb);
        box[4] = h->ha_status;
        box[5] = h->target_status;
        box[7] = code;
    } else {
        be32_put(box, (uint32_t)code << 24 | (h->ccb & 0xffffff));
    }
    pci_dma_out(&h->pci, at, box, box_size(h));
    h->next_in = (uint8_t)((h->next_in + 1) % h->box_count);
    h->job = JOB_NONE;
    interrupt(h, INT_INBOX);
}

/* The next CCB to start, in the order of the mailboxes; false: there is none. */
static bool outbox_take(struct buslogic *h)
{
    uint8_t box[8];
    const uint8_t none[1] = { 0 };
    for (unsigned n = 0; n < h->box_count; n++) {
        uint32_t at = h->boxes + h->next_out * box_size(h);
        h->next_out = (uint8_t)((h->next_out + 1) % h->box_count);
        memset(box, 0, sizeof(box));
        pci_dma_in(&h->pci, box, at, box_size(h));
        uint8_t action = box[h->wide ? 7 : 0];
        if (action != BOX_START && action != BOX_ABORT)
            continue;
        h->ccb = h->wide ? le32_get(box) : be24_get(box + 1);
        pci_dma_out(&h->pci, at + (h->wide ? 7 : 0), none, 1);
        h->ha_status = h->target_status = 0;
        if (h->outbox_interrupts)
            interrupt(h, INT_OUTBOX);
        if (action == BOX_START)
            return true;
        inbox_put(h, IN_NOT_FOUND);
        if (h->job != JOB_NONE)
            return false;
    }
    return false;
}

/* --- the bus -------------------------------------------------------------------------------------------------- */

static void ccb_complete(struct buslogic *h)
{
    uint8_t status[2] = { h->ha_status, h->target_status }, residual[4];
    pci_dma_out(&h->pci, h->ccb + 14, status, sizeof(status));
    if (h->kind == CCB_RESIDUAL || h->kind == CCB_LIST_RESIDUAL) {
        if (h->wide)
            le32_put(residual, h->residual);
        else
            be32_put(residual, h->residual << 8);
        pci_dma_out(&h->pci, h->ccb + 4, residual, h->wide ? 4 : 3);
    }
    inbox_put(h, h->ha_status || h->target_status ? IN_ERROR : IN_GOOD);
}

/* The target has left the bus: with CHECK CONDITION its sense data are fetched, unless the CCB does not want them. */
static void job_end(struct buslogic *h)
{
    if (h->job == JOB_BIOS) {
        h->job = JOB_NONE;
        h->reply[0] = h->ha_status ? h->ha_status : h->target_status;
        h->replies = 1;
        h->status |= STATUS_DATA;
        h->interrupts |= INT_COMMAND | INT_VALID;       /* to be polled: no line is raised for the ROM */
        return;
    }
    if (h->job == JOB_CCB) {
        h->residual = data_rest(h);
        if (h->residual && !h->ha_status && (h->kind == CCB_SIMPLE || h->kind == CCB_LIST))
            h->ha_status = h->target_status ? 0 : HA_OVERRUN;   /* the code for either kind of mismatch */
        if (h->target_status == SCSI_CHECK && h->sense_length && scsi_select(h->scsi, h->id, true)) {
            memset(h->cdb, 0, sizeof(h->cdb));
            h->cdb[0] = 0x03;
            h->cdb[4] = h->sense_length;
            h->cdb_length = 6;
            h->cdb_sent = 0;
            h->address = h->sense;
            h->left = h->sense_length;
            h->list_left = 0;
            h->job = JOB_SENSE;
            return;
        }
    }
    ccb_complete(h);
}

static void job_start(struct buslogic *h, enum job job)
{
    h->job = (uint8_t)job;
    h->cdb_sent = 0;
    h->ha_status = h->target_status = 0;
    if (!scsi_select(h->scsi, h->id, true)) {
        h->ha_status = HA_SELECT;
        job_end(h);
    }
}

static bool data_step(struct buslogic *h, bool in)
{
    uint32_t length, room = h->job == JOB_BIOS ? 0 : segment(h);
    uint8_t *bytes = scsi_window(h->scsi, &length);
    if (h->job == JOB_BIOS) {
        h->status |= STATUS_DATA;               /* the ROM moves them */
        return false;
    }
    if (room) {
        length = MIN(length, room);
        if (in)
            pci_dma_out(&h->pci, h->address, bytes, length);
        else
            pci_dma_in(&h->pci, bytes, h->address, length);
        h->address += length;
        h->left -= length;
    } else {                                    /* more than there is room for: the rest goes nowhere, or is zeros */
        h->ha_status = HA_OVERRUN;
        if (!in)
            memset(bytes, 0, length);
    }
    scsi_moved(h->scsi, length);
    return true;
}

static bool bus_step(struct buslogic *h)
{
    enum scsi_phase phase = scsi_phase(h->scsi);
    uint32_t length, sent = h->cdb_sent;
    uint8_t *window = scsi_window(h->scsi, &length);
    switch (phase) {
    case SCSI_MESSAGE_OUT:
        *window = h->job == JOB_CCB && h->kind == CCB_DEVICE_RESET ? 0x0c : (uint8_t)(0x80 | (h->lun & 7));
        scsi_attention(h->scsi, false);
        scsi_moved(h->scsi, 1);
        return true;
    case SCSI_COMMAND:
        for (uint32_t n = 0; n < length; n++)
            window[n] = sent + n < sizeof(h->cdb) ? h->cdb[sent + n] : 0;
        h->cdb_sent = (uint8_t)(sent + length);
        scsi_moved(h->scsi, length);
        return true;
    case SCSI_DATA_IN: case SCSI_DATA_OUT: return data_step(h, phase == SCSI_DATA_IN);
    case SCSI_STATUS:
        if (h->job != JOB_SENSE)
            h->target_status = *window;
        scsi_moved(h->scsi, 1);
        return true;
    case SCSI_MESSAGE_IN:
        scsi_moved(h->scsi, 1);
        return true;
    case SCSI_FREE:
        job_end(h);
        return true;
    default: return false;
    }
}

static bool step(struct buslogic *h)
{
    switch (h->job) {
    case JOB_NONE:
        if (!h->scan || h->taken++ >= h->box_count)     /* more than there are mailboxes: they lie where nothing can be written */
            return false;
        if (!outbox_take(h)) {
            h->scan = h->job != JOB_NONE;
        } else if (ccb_load(h)) {
            job_start(h, JOB_CCB);
        } else {
            h->ha_status = h->kind > CCB_LIST_RESIDUAL || h->kind == 1 ? HA_OPCODE : HA_PARAMETER;
            ccb_complete(h);
        }
        return h->job != JOB_INBOX && h->scan;
    case JOB_INBOX: return false;
    default: return bus_step(h);
    }
}

static void bl_run(void *chip)
{
    struct buslogic *h = chip;
    if (h->running || (h->job != JOB_BIOS && !(pci_command(&h->pci) & COMMAND_MASTER)))
        return;
    h->running = true;
    h->taken = 0;
    if (h->job == JOB_INBOX)
        inbox_put(h, (uint8_t)h->residual);
    while (step(h))
        ;
    h->running = false;
}

/* --- commands ------------------------------------------------------------------------------------------------- */

static void command_done(struct buslogic *h, uint8_t status)
{
    h->receiving = false;
    h->status = (uint8_t)((h->status & (STATUS_INIT | STATUS_DIAG)) | STATUS_READY | status);
    interrupt(h, INT_COMMAND);
}

static void answer(struct buslogic *h, const void *bytes, size_t length, size_t wanted)
{
    memset(h->reply, 0, sizeof(h->reply));
    memcpy(h->reply, bytes, MIN(length, wanted));
    h->replies = (uint16_t)MIN(wanted, (size_t)REPLY);
    h->replied = 0;
    h->receiving = false;
    if (h->replies)
        h->status = (uint8_t)((h->status & ~STATUS_READY) | STATUS_DATA);
    else
        command_done(h, 0);
}

static void answer_devices(struct buslogic *h, unsigned first)  /* a byte a target: its logical units */
{
    uint8_t r[8];
    for (unsigned n = 0; n < 8; n++)
        r[n] = scsi_present(h->scsi, first + n);
    answer(h, r, sizeof(r), sizeof(r));
}

static void answer_present(struct buslogic *h)
{
    uint8_t r[2] = { 0, 0 };
    for (unsigned id = 0; id < SCSI_IDS; id++)
        r[id / 8] |= (uint8_t)(scsi_present(h->scsi, id) << id % 8);
    answer(h, r, sizeof(r), sizeof(r));
}

static void answer_configuration(struct buslogic *h)
{
    uint8_t irq = h->pci.config[PCI_LINE];
    const uint8_t r[3] = { 0, irq >= 9 && irq <= 15 ? (uint8_t)BIT(irq - 9) : 0, 7 };
    answer(h, r, sizeof(r), sizeof(r));
}

static void answer_setup(struct buslogic *h)
{
    uint8_t r[34] = { [0] = 3, [4] = h->box_count, [17] = 'B', [18] = 'D', [19] = 'F' };       /* on a PCI bus */
    r[5] = (uint8_t)(h->boxes >> 16), r[6] = (uint8_t)(h->boxes >> 8), r[7] = (uint8_t)h->boxes;
    answer(h, r, sizeof(r), h->parameter[0]);
}

static void answer_extended(struct buslogic *h)
{
    uint8_t r[14] = { [0] = 'E', [1] = 0, [4] = h->box_count, [9] = 1 << 6, [10] = '0', [11] = '7', [12] = 'B', [13] = 1 | 1 << 3 };
    le16_put(r + 2, SEGMENTS_MAX);              /* wide, ultra; interrupts by level; firmware 5.07B */
    le32_put(r + 5, h->boxes);
    answer(h, r, sizeof(r), h->parameter[0]);
}

static void boxes_set(struct buslogic *h, uint32_t address, bool wide)
{
    if (!h->parameter[0]) {
        command_done(h, STATUS_INVALID);
        return;
    }
    h->box_count = h->parameter[0];
    h->boxes = address;
    h->wide = wide;
    h->next_in = h->next_out = 0;
    h->scan = false;
    h->status &= (uint8_t)~STATUS_INIT;
    command_done(h, 0);
}

static void bios_start(struct buslogic *h)
{
    if (h->job != JOB_NONE) {
        command_done(h, STATUS_INVALID);
        return;
    }
    h->receiving = false;
    h->id = h->parameter[0] & 15;
    h->lun = 0;
    memset(h->cdb, 0, sizeof(h->cdb));
    memcpy(h->cdb, h->parameter + 1, 10);
    h->status &= (uint8_t)~STATUS_READY;
    h->replied = h->replies = 0;
    job_start(h, JOB_BIOS);
    bl_run(h);
}

static const struct command { uint8_t opcode, parameters; } commands[] = {
    { 0x00, 0 }, { 0x01, 4 }, { 0x03, 11 }, { 0x04, 0 }, { 0x05, 1 }, { 0x06, 4 }, { 0x07, 1 }, { 0x08, 1 }, { 0x09, 1 }, { 0x0a, 0 }, { 0x0b, 0 },
    { 0x0d, 1 }, { 0x1f, 1 }, { 0x20, 0 }, { 0x21, 1 }, { 0x23, 0 }, { 0x24, 0 }, { 0x25, 1 }, { 0x81, 5 }, { 0x84, 0 }, { 0x85, 0 }, { 0x86, 0 },
    { 0x8b, 1 }, { 0x8c, 1 }, { 0x8d, 1 }, { 0x8f, 1 }, { 0x91, 2 }, { 0x94, 1 }, { 0x95, 1 }, { 0x96, 1 },
};

static void command_run(struct buslogic *h)
{
    const uint8_t *p = h->parameter;
    switch (h->opcode) {
    case 0x01: boxes_set(h, be24_get(p + 1), false); break;
    case 0x03: bios_start(h); break;
    case 0x04: answer(h, "AA50", 4, 4); break;                  /* BT-958, firmware 5.0... */
    case 0x05: h->outbox_interrupts = p[0] & 1; command_done(h, 0); break;
    case 0x0a: answer_devices(h, 0); break;
    case 0x0b: answer_configuration(h); break;
    case 0x0d: answer_setup(h); break;
    case 0x1f: answer(h, p, 1, 1); break;
    case 0x23: answer_devices(h, 8); break;
    case 0x24: answer_present(h); break;
    case 0x25: h->enabled = p[0] & 1; command_done(h, 0); break;
    case 0x81: boxes_set(h, le32_get(p + 1), true); break;
    case 0x84: answer(h, "7", 1, 1); break;                     /* ...7B */
    case 0x85: answer(h, "B", 1, 1); break;
    case 0x86: answer(h, (const uint8_t[4]){ 6, h->pci.config[PCI_LINE], 0x83 }, 4, 4); break;      /* no ISA ports, terminated */
    case 0x8b: answer(h, "958", 4, p[0]); break;
    case 0x8c: answer(h, "", 1, p[0]); break;
    case 0x8d: answer_extended(h); break;
    case 0x91: answer(h, h->ram + p[0], MIN((size_t)p[1], (size_t)(LOCAL_RAM - p[0])), p[1]); break;
    case 0x96: h->extended = p[0] & 1; command_done(h, 0); break;
    default: command_done(h, 0);                                /* times, rates: nothing to set */
    }
}

static void command_write(struct buslogic *h, uint8_t value)
{
    if (h->receiving) {
        h->parameter[h->parameters++] = value;
        if (h->parameters == h->wanted)
            command_run(h);
        return;
    }
    if (value == 0x02) {                        /* look into the mailboxes */
        h->scan = true;
        bl_run(h);
        return;
    }
    if (!(h->status & STATUS_READY))
        return;
    const struct command *c = NULL;
    for (unsigned n = 0; n < ARRAY_SIZE(commands); n++)
        if (commands[n].opcode == value)
            c = &commands[n];
    h->status &= (uint8_t)~STATUS_INVALID;
    h->opcode = value;
    h->parameters = 0;
    memset(h->parameter, 0, sizeof(h->parameter));
    if (!c) {
        log_device(&h->dev, LOG_STUB, "command %02xh is not modelled", value);
        command_done(h, STATUS_INVALID);
        return;
    }
    h->wanted = c->parameters;
    h->status &= (uint8_t)~STATUS_READY;
    h->receiving = h->wanted;
    if (!h->wanted)
        command_run(h);
}

/* --- registers ------------------------------------------------------------------------------------------------ */

static void adapter_reset(struct buslogic *h)
{
    h->status = STATUS_INIT | STATUS_READY;
    h->interrupts = h->opcode = h->parameters = h->wanted = h->box_count = h->next_out = h->next_in = h->job = 0;
    h->receiving = h->outbox_interrupts = h->wide = h->extended = h->scan = false;
    h->enabled = true;
    h->replies = h->replied = 0;
    h->boxes = h->ccb = 0;
    bl_update_irq(h);
}

static void diag_end(void *chip)
{
    struct buslogic *h = chip;
    h->status = STATUS_INIT | STATUS_READY;
}

static void control_write(struct buslogic *h, uint8_t value)
{
    if (value & (CONTROL_HARD | CONTROL_SOFT)) {
        struct clock *clock = &h->dev.machine->clock;
        adapter_reset(h);
        scsi_reset(h->scsi);
        h->status = STATUS_DIAG;
        timer_at(clock, &h->diag, clock_now(clock) + DIAG_NS);
        return;
    }
    if (value & CONTROL_BUS) {
        h->job = JOB_NONE;
        scsi_reset(h->scsi);
    }
    if (value & CONTROL_INT) {
        h->interrupts = 0;
        h->status &= (uint8_t)~STATUS_INVALID;
        bl_update_irq(h);
        bl_run(h);
    }
}

static uint8_t reply_read(struct buslogic *h)
{
    if (h->replied >= h->replies)
        return 0;
    uint8_t value = h->reply[h->replied++];
    if (h->replied == h->replies) {
        bool bios = h->opcode == 0x03;          /* it was told already */
        h->status = (uint8_t)((h->status & ~STATUS_DATA) | (bios ? STATUS_READY : 0));
        if (!bios)
            command_done(h, 0);
    }
    return value;
}

/* The ROM's window: the data phase of its command. */
static uint64_t window_move(struct buslogic *h, unsigned size, bool in, uint64_t value)
{
    uint32_t length;
    enum scsi_phase phase = scsi_phase(h->scsi);
    if (h->job != JOB_BIOS || phase != (in ? SCSI_DATA_IN : SCSI_DATA_OUT))
        return UINT64_MAX;
    uint8_t *bytes = scsi_window(h->scsi, &length);
    length = MIN(length, size);
    if (in)
        memcpy(&value, bytes, length);
    else
        memcpy(bytes, &value, length);
    h->status &= (uint8_t)~STATUS_DATA;
    scsi_moved(h->scsi, length);
    bl_run(h);
    return value;
}

static uint64_t port_read(void *chip, uint64_t offset, unsigned size)
{
    struct buslogic *h = chip;
    switch (offset % PORTS) {
    case P_STATUS: return h->status;
    case P_COMMAND: return reply_read(h);
    case P_INTERRUPT: return h->interrupts;
    case P_GEOMETRY: return 0x80;               /* disks beyond 1 GB are translated */
    default: return window_move(h, size, true, 0);
    }
}

static void port_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct buslogic *h = chip;
    switch (offset % PORTS) {
    case P_STATUS: control_write(h, (uint8_t)value); break;
    case P_COMMAND: command_write(h, (uint8_t)value); break;
    case P_INTERRUPT: case P_GEOMETRY: break;
    default: window_move(h, size, false, value);
    }
}

static const struct io_ops port_ops = { port_read, port_write, IO_8 | IO_16 | IO_32 };

/* --- class ---------------------------------------------------------------------------------------------------- */

extern const uint8_t rom_buslogic[], rom_buslogic_end[];

/* The ROM, with the two checksums that firmware looks at. */
static bool rom_make(struct buslogic *h, struct error *err)
{
    size_t size = (size_t)(rom_buslogic_end - rom_buslogic), pnp = le16_get(rom_buslogic + 0x1a);
    h->rom = malloc(size);
    if (!h->rom)
        return error_set(err, ENOMEM, "%s: not enough memory", h->dev.id);
    memcpy(h->rom, rom_buslogic, size);
    for (size_t n = 0; n < 16u * h->rom[pnp + 5]; n++)
        h->rom[pnp + 9] = (uint8_t)(h->rom[pnp + 9] - rom_buslogic[pnp + n]);
    uint8_t sum = 0;
    for (size_t n = 0; n < size; n++)
        sum = (uint8_t)(sum + h->rom[n]);
    h->rom[size - 1] = (uint8_t)-sum;
    pci_bar_init(&h->pci, PCI_BAR_ROM, PCI_BAR_MEMORY, (uint32_t)size,
                 space_map_ram(h->dev.machine->memory, 0, size, h->rom, RAM_SECOND, 1));
    return true;
}

/* The set-up as BusLogic's program would have stored it: everything allowed, everything on. */
static void local_ram_fill(struct buslogic *h)
{
    static const uint8_t set_up[] = { [2] = 64, [3] = '9', '5', '8', ' ', ' ', ' ', [10] = 1 << 2, [14] = 7, [15] = 0x27, [16] = 7, [17] = 4,
        [18] = 0x67, [19] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [34] = 0xff, 0xff };
    uint16_t sum = 0;
    memset(h->ram, 0, sizeof(h->ram));
    memcpy(h->ram + AUTO_SCSI, set_up, sizeof(set_up));
    for (unsigned n = 0; n < 62; n++)
        sum = (uint16_t)(sum + h->ram[AUTO_SCSI + n]);
    le16_put(h->ram + AUTO_SCSI + 62, sum);
}

static bool bl_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { 0x104b, 0x1040, 0x010000, 0x08, 0x104b, 0x1040, 1, 0x0200 };
    struct buslogic *h = bl_of(dev);
    timer_init(&h->diag, diag_end, h);
    if (!scsi_attach(&h->scsi, dev, h->bus, bl_run, err) || !pci_function_init(&h->pci, dev, &identity, h->slot, 0, err))
        return false;
    h->pci.written = bl_run;
    h->pci.writable[PCI_COMMAND] = COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER;
    pci_bar_init(&h->pci, 0, PCI_BAR_IO, PORTS, space_map_io(dev->machine->ports, 0, PORTS, &port_ops, h, 1));
    pci_bar_init(&h->pci, 1, PCI_BAR_MEMORY, MEMORY, space_map_io(dev->machine->memory, 0, MEMORY, &port_ops, h, 1));
    return rom_make(h, err);
}

static void bl_reset(struct device *dev, enum reset_kind kind)
{
    struct buslogic *h = bl_of(dev);
    (void)kind;
    timer_stop(&dev->machine->clock, &h->diag);
    local_ram_fill(h);
    memset(h->parameter, 0, sizeof(h->parameter));
    memset(h->reply, 0, sizeof(h->reply));
    memset(h->cdb, 0, sizeof(h->cdb));
    h->kind = h->id = h->lun = h->cdb_length = h->cdb_sent = h->sense_length = h->ha_status = h->target_status = 0;
    h->sense = h->address = h->left = h->list = h->list_left = h->segments = h->residual = 0;
    adapter_reset(h);
}

static bool bl_restored(struct device *dev)
{
    struct buslogic *h = bl_of(dev);
    if (h->job > JOB_INBOX || h->replied > h->replies || h->replies > REPLY || (h->receiving && h->parameters >= h->wanted) ||
        h->wanted > PARAMETERS || (h->job != JOB_BIOS && h->job != JOB_NONE && !h->box_count)) {
        h->job = JOB_NONE;
        h->replied = h->replies = 0;
        h->receiving = false;
    }
    return true;
}

static void bl_free(struct device *dev) { free(bl_of(dev)->rom); }

#define F(m) FIELD(struct buslogic, m)
#define A(m) FIELD_ARRAY(struct buslogic, m)
static const struct state_field bl_state[] = {
    PCI_STATE(struct buslogic, pci), F(status), F(interrupts), F(opcode), F(receiving), F(enabled), F(outbox_interrupts), A(parameter),
    F(parameters), F(wanted), A(reply), F(replies), F(replied), A(ram), F(boxes), F(box_count), F(next_out), F(next_in), F(wide), F(extended),
    F(scan), F(job), F(ccb), F(kind), F(id), F(lun), A(cdb), F(cdb_length), F(cdb_sent), F(sense_length), F(ha_status), F(target_status), F(sense),
    F(address), F(left), F(list), F(list_left), F(segments), F(residual), F(diag), END
};
static const struct property bl_properties[] = {
    PROPERTY(struct buslogic, bus, "scsi0", "id of its scsi_bus"), PROPERTY(struct buslogic, slot, "5", "PCI slot"), END
};
static const struct pin bl_outputs[] = { PCI_INTX(struct buslogic, pci), END };

const struct device_class buslogic_class = {
    .name = "buslogic", .summary = "BusLogic BT-958 PCI SCSI adapter", .size = sizeof(struct buslogic),
    .properties = bl_properties, .outputs = bl_outputs, .state = bl_state, .state_version = 1,
    .init = bl_init, .reset = bl_reset, .restored = bl_restored, .free = bl_free,
};
