/* VMware's backdoor: a port through which drivers in the guest ask for the pointer's place on the screen, the time and the
 * clipboard. Read [VMBACKDOOR] for the commands, [VMMOUSE] for the pointer's.
 *
 * In a PC: there is none; VMware's virtual machines have it at port 5658h, and drivers exist for DOS, Windows, OS/2, X and Linux.
 * IN EAX,DX with EAX = 564D5868h ("VMXh") and a command in CX; the answer comes in EAX to EDX, ESI and EDI. With another EAX it
 * is a port where nothing is. The board tells where the registers are (devices/vmport.h).
 *
 * The pointer: a driver enables a queue of words, four for an event (buttons, x, y, wheel), and asks for absolute positions, 0
 * to FFFFh across the screen. From then on the console needs no grab. A new event nudges the PS/2 mouse, whose interrupt
 * makes the driver look. Other motion goes to the mouse as before.
 *
 * References: [VMBACKDOOR], [VMMOUSE]
 * Not modelled: the pixel position (commands 4 and 5), the message channel (RPCI, drag and drop), the high-bandwidth port 5659h,
 * SVGA and device commands. */
#include "core/machine.h"
#include "devices/vmport.h"
#include <errno.h>
#include <stdlib.h>

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };
enum { PORT = 0x5658, MAGIC = 0x564d5868, VERSION = 6, PRODUCT = 2 };
enum { GET_MHZ = 1, GET_CLIP_LENGTH = 6, GET_CLIP = 7, SET_CLIP_LENGTH = 8, SET_CLIP = 9, GET_VERSION = 10,
       GET_MEMORY = 20, GET_TIME = 23, POINTER_DATA = 39, POINTER_STATUS = 40, POINTER_COMMAND = 41, GET_HZ = 45,
       GET_TIME_FULL = 46, POINTER_RESTRICT = 86 };
enum { ENABLE = 0x45414552, DISABLE = 0xf5, RELATIVE = 0x4c455252, ABSOLUTE = 0x53424152, MOUSE_ID = 0x3442554a,
       MOUSE_ERROR = 0xffff, BUTTON_LEFT = 0x20, BUTTON_RIGHT = 0x10, BUTTON_MIDDLE = 8, RELATIVE_EVENT = 0x10000 };
enum { EVENT = 4, WORDS = 64, CLIP_MAX = 65535 };

struct vmport {
    struct device dev;
    bool enabled, clipboard;                    /* properties */
    uint32_t *gpr;
    uint64_t hz;
    int west;
    void (*nudge)(struct device *);
    struct device *mouse;
    struct pointer below;                       /* the mouse that was there before */
    bool on, absolute;
    uint32_t count, queue[WORDS];               /* the oldest first */
    char *clip;                                 /* a copy on its way; not saved: the guest asks again */
    uint32_t clip_length, clip_at;
};

/* --- the pointer ---------------------------------------------------------------------------------------------- */

static void pointer_event(struct vmport *v, uint32_t flags, uint32_t x, uint32_t y, int dz, unsigned b)
{
    uint32_t *e = v->queue + v->count;
    if (v->count + EVENT > WORDS)               /* a driver that is not looking */
        return;
    e[0] = flags | (b & 1 ? BUTTON_LEFT : 0) | (b & 2 ? BUTTON_RIGHT : 0) | (b & 4 ? BUTTON_MIDDLE : 0);
    e[1] = x;
    e[2] = y;
    e[3] = (uint32_t)-dz;                       /* ours is positive away from the user */
    v->count += EVENT;
    if (v->nudge)
        v->nudge(v->mouse);
}

static void pointer_at(void *chip, uint16_t x, uint16_t y, int dz, unsigned buttons)
{
    pointer_event(chip, 0, x, y, dz, buttons);
}

static void pointer_move(void *chip, int dx, int dy, int dz, unsigned buttons)
{
    struct vmport *v = chip;
    if (v->on && !v->absolute)
        pointer_event(v, RELATIVE_EVENT, (uint32_t)dx, (uint32_t)-dy, dz, buttons);
    else if (v->below.move)
        v->below.move(v->below.chip, dx, dy, dz, buttons);
}

static bool pointer_waiting(void *chip)
{
    const struct vmport *v = chip;
    return v->on ? v->count : v->below.waiting && v->below.waiting(v->below.chip);
}

/* No pin: what changes outside is whether the console may send positions. */
static void vmport_update_irq(struct vmport *v)
{
    if (v->dev.machine->pointer.chip == v)
        v->dev.machine->pointer.at = v->on && v->absolute ? pointer_at : NULL;
}

static void pointer_command(struct vmport *v, uint32_t command)
{
    switch (command) {
    case ENABLE:
        v->on = true;
        v->count = 1;
        v->queue[0] = MOUSE_ID;
        break;
    case DISABLE:
        v->on = v->absolute = false;
        v->count = 0;
        break;
    case RELATIVE: v->absolute = false; break;
    case ABSOLUTE: v->absolute = v->on; break;
    }
    vmport_update_irq(v);
}

/* The next `wanted` words in EAX, EBX, ECX, EDX. */
static uint32_t pointer_data(struct vmport *v, uint32_t wanted)
{
    static const uint8_t to[EVENT] = { EAX, EBX, ECX, EDX };
    uint32_t first = v->count ? v->queue[0] : 0;
    if (!wanted || wanted > EVENT || wanted > v->count) {       /* the driver has lost its place: it starts again */
        pointer_command(v, DISABLE);
        return MOUSE_ERROR << 16;
    }
    for (uint32_t n = 1; n < wanted; n++)
        v->gpr[to[n]] = v->queue[n];
    v->count -= wanted;
    memmove(v->queue, v->queue + wanted, v->count * sizeof(*v->queue));
    return first;
}

/* --- clipboard and time --------------------------------------------------------------------------------------- */

static void clip_drop(struct vmport *v)
{
    free(v->clip);
    v->clip = NULL;
    v->clip_length = v->clip_at = 0;
}

static uint32_t clip_length(struct vmport *v)
{
    const struct host *h = v->dev.machine->host;
    clip_drop(v);
    v->clip = v->clipboard && h->clipboard ? h->clipboard(h->ui, NULL) : NULL;
    v->clip_length = v->clip ? (uint32_t)strnlen(v->clip, CLIP_MAX) : 0;
    return v->clip ? v->clip_length : UINT32_MAX;
}

static uint32_t clip_piece(struct vmport *v)
{
    uint32_t piece = 0, n = MIN(4u, v->clip_length - v->clip_at);
    if (v->clip)
        memcpy(&piece, v->clip + v->clip_at, n);
    v->clip_at += n;
    return piece;
}

static void clip_start(struct vmport *v, uint32_t length)
{
    clip_drop(v);
    if (length && length <= CLIP_MAX && (v->clip = calloc(1, length + 1)))
        v->clip_length = length;
}

static void clip_add(struct vmport *v, uint32_t piece)
{
    const struct host *h = v->dev.machine->host;
    uint32_t n = MIN(4u, v->clip_length - v->clip_at);
    if (!v->clip)
        return;
    memcpy(v->clip + v->clip_at, &piece, n);
    v->clip_at += n;
    if (v->clip_at < v->clip_length)
        return;
    if (v->clipboard && h->clipboard)
        h->clipboard(h->ui, v->clip);
    clip_drop(v);
}

/* Seconds since 1970 in UTC; microseconds in EBX, the greatest lag in ECX. */
static int64_t vm_time(struct vmport *v)
{
    int64_t ns = machine_wall_time(v->dev.machine);
    v->gpr[EBX] = (uint32_t)(ns % NS_PER_S / 1000);
    v->gpr[ECX] = 1000000;
    return ns / NS_PER_S + v->west * 60;
}

/* --- the port ------------------------------------------------------------------------------------------------- */

static uint32_t vmport_command(struct vmport *v)
{
    uint32_t *r = v->gpr;
    int64_t time;
    switch (r[ECX] & 0xffff) {
    case GET_MHZ: return (uint32_t)(v->hz / 1000000);
    case GET_CLIP_LENGTH: return clip_length(v);
    case GET_CLIP: return clip_piece(v);
    case SET_CLIP_LENGTH: clip_start(v, r[EBX]); return 0;
    case SET_CLIP: clip_add(v, r[EBX]); return 0;
    case GET_VERSION: r[EBX] = MAGIC; r[ECX] = PRODUCT; return VERSION;
    case GET_MEMORY: return (uint32_t)(v->dev.machine->ram_size >> 20);
    case GET_TIME: time = vm_time(v); r[EDX] = (uint32_t)v->west; return (uint32_t)time;
    case GET_TIME_FULL: time = vm_time(v); r[ESI] = (uint32_t)(time >> 32); r[EDX] = (uint32_t)time; return MAGIC;
    case POINTER_DATA: return pointer_data(v, r[EBX]);
    case POINTER_STATUS: return v->on ? v->count : (uint32_t)MOUSE_ERROR << 16;
    case POINTER_COMMAND: pointer_command(v, r[EBX]); return r[EAX];
    case POINTER_RESTRICT: return r[EAX];
    case GET_HZ: r[ECX] = 0; r[EBX] = (uint32_t)(v->hz >> 32); return (uint32_t)v->hz;
    default:
        log_device(&v->dev, LOG_STUB, "command %u", r[ECX] & 0xffff);
        r[EBX] = UINT32_MAX;
        return UINT32_MAX;
    }
}

static uint64_t vmport_read(void *chip, uint64_t offset, unsigned size)
{
    struct vmport *v = chip;
    if (!v->gpr || offset || size != 4 || v->gpr[EAX] != MAGIC)
        return UINT32_MAX;
    return vmport_command(v);
}

static void vmport_write(void *chip, uint64_t offset, unsigned size, uint64_t value) { (void)chip, (void)offset, (void)size, (void)value; }

static const struct io_ops vmport_io = { vmport_read, vmport_write, IO_8 | IO_16 | IO_32 };

void vmport_connect(struct device *dev, uint32_t *gpr, uint64_t hz, int west, void (*nudge)(struct device *), struct device *mouse)
{
    struct vmport *v = container_of(dev, struct vmport, dev);
    v->gpr = gpr;
    v->hz = hz;
    v->west = west;
    v->nudge = nudge;
    v->mouse = mouse;
}

static bool vmport_init(struct device *dev, struct error *err)
{
    struct vmport *v = container_of(dev, struct vmport, dev);
    (void)err;
    if (!v->enabled)
        return true;
    v->below = dev->machine->pointer;
    dev->machine->pointer = (struct pointer){ .chip = v, .move = pointer_move, .waiting = pointer_waiting };
    space_map_io(dev->machine->ports, PORT, 4, &vmport_io, v, 0);
    return true;
}

static void vmport_reset(struct device *dev, enum reset_kind kind)
{
    struct vmport *v = container_of(dev, struct vmport, dev);
    (void)kind;
    v->on = v->absolute = false;
    v->count = 0;
    memset(v->queue, 0, sizeof(v->queue));
    clip_drop(v);
    vmport_update_irq(v);
}

static bool vmport_restored(struct device *dev)
{
    struct vmport *v = container_of(dev, struct vmport, dev);
    if (v->count > WORDS)
        return false;
    vmport_update_irq(v);
    return true;
}

static void vmport_free(struct device *dev) { clip_drop(container_of(dev, struct vmport, dev)); }

static const struct state_field vmport_state[] = {
    FIELD(struct vmport, on), FIELD(struct vmport, absolute),
    FIELD(struct vmport, count), FIELD_ARRAY(struct vmport, queue), END
};
static const struct property vmport_properties[] = {
    PROPERTY(struct vmport, enabled, "on", "off: nothing answers at port 5658h"),
    PROPERTY(struct vmport, clipboard, "off", "the guest reads and sets the desktop's clipboard"), END
};
const struct device_class vmport_class = {
    .name = "vmport", .summary = "VMware's backdoor: absolute pointer, time, clipboard", .size = sizeof(struct vmport),
    .properties = vmport_properties, .state = vmport_state, .state_version = 1, .init = vmport_init, .reset = vmport_reset,
    .restored = vmport_restored, .free = vmport_free,
};
