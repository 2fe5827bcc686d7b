/* A PS/2 keyboard with 101 to 109 keys, scan code sets 1, 2 and 3. Read [PS2TRM] "Keyboard": commands from
 * the system, scan code sets, typematic.
 *
 * In a PC: plugged into port 0 of the 8042 by the board (ps2.h). Keys come from the host as usages of
 * [HUT] page 07h.
 *
 * Its buffer is deeper than the 17 bytes of the real one, so that a busy guest does not lose the release
 * of a key; when it does fill, the overrun code is the last in it, as there.
 *
 * References: [PS2TRM], [HUT], [SCANCODES]
 * Not modelled: the BAT code after power-on (firmware asks for its own), keys of vendors without a usage
 * on page 07h. */
#include "base/fifo.h"
#include "core/machine.h"
#include "devices/ps2.h"
#include <errno.h>

enum { CMD_LEDS = 0xed, CMD_ECHO, CMD_SET = 0xf0, CMD_ID = 0xf2, CMD_TYPEMATIC, CMD_ENABLE, CMD_DISABLE,
       CMD_DEFAULT, CMD_ALL_TYPEMATIC, CMD_ALL_MAKE_BREAK, CMD_ALL_MAKE, CMD_ALL_EVERYTHING,
       CMD_KEY_TYPEMATIC, CMD_KEY_MAKE_BREAK, CMD_KEY_MAKE, CMD_RESEND, CMD_RESET };
enum { ACK = 0xfa, NAK = 0xfe, BAT_OK = 0xaa, ID_1 = 0xab, ID_2 = 0x83, EXTENDED = 0xe0, PAUSE = 0xe1,
       BREAK = 0xf0, SHIFT = 0x12, SHIFT_R = 0x59, OVERRUN = 0x00, OVERRUN_SET1 = 0xff, LED_NUM = 1 << 1 };
enum { BAT_NS = 20000000, TYPEMATIC_DEFAULT = 0x2b, QUEUE = 128, KEYS = 256, SET3_KEYS = 144 };
enum { MAKE_BREAK = 1 << 0, TYPEMATIC = 1 << 1 };       /* set 3: what a key may send besides its make code */
enum { USAGE_PRINT_SCREEN = 0x46, USAGE_PAUSE = 0x48, USAGE_KP_SLASH = 0x54, USAGE_CTRL_L = 0xe0,
       USAGE_SHIFT_L, USAGE_ALT_L, USAGE_CTRL_R = 0xe4, USAGE_SHIFT_R, USAGE_ALT_R };

/* E: an extended key, E0h before its code. G: also a grey cursor key, which NumLock and the shifts wrap. */
enum { E = 1, G = 3 };
struct key { uint8_t set2, flags, set3; };
static const struct key keys[KEYS] = {
    [0x04] = { 0x1c, 0, 0x1c }, { 0x32, 0, 0x32 }, { 0x21, 0, 0x21 }, { 0x23, 0, 0x23 },  /* A-D */
    [0x08] = { 0x24, 0, 0x24 }, { 0x2b, 0, 0x2b }, { 0x34, 0, 0x34 }, { 0x33, 0, 0x33 },  /* E-H */
    [0x0c] = { 0x43, 0, 0x43 }, { 0x3b, 0, 0x3b }, { 0x42, 0, 0x42 }, { 0x4b, 0, 0x4b },  /* I-L */
    [0x10] = { 0x3a, 0, 0x3a }, { 0x31, 0, 0x31 }, { 0x44, 0, 0x44 }, { 0x4d, 0, 0x4d },  /* M-P */
    [0x14] = { 0x15, 0, 0x15 }, { 0x2d, 0, 0x2d }, { 0x1b, 0, 0x1b }, { 0x2c, 0, 0x2c },  /* Q-T */
    [0x18] = { 0x3c, 0, 0x3c }, { 0x2a, 0, 0x2a }, { 0x1d, 0, 0x1d }, { 0x22, 0, 0x22 },  /* U-X */
    [0x1c] = { 0x35, 0, 0x35 }, { 0x1a, 0, 0x1a },  /* Y Z */
    [0x1e] = { 0x16, 0, 0x16 }, { 0x1e, 0, 0x1e }, { 0x26, 0, 0x26 }, { 0x25, 0, 0x25 },  /* 1-4 */
    [0x22] = { 0x2e, 0, 0x2e }, { 0x36, 0, 0x36 }, { 0x3d, 0, 0x3d }, { 0x3e, 0, 0x3e },  /* 5-8 */
    [0x26] = { 0x46, 0, 0x46 }, { 0x45, 0, 0x45 },  /* 9 0 */
    [0x28] = { 0x5a, 0, 0x5a }, { 0x76, 0, 0x08 }, { 0x66, 0, 0x66 }, { 0x0d, 0, 0x0d },  /* Enter Esc BS */
    [0x2c] = { 0x29, 0, 0x29 }, { 0x4e, 0, 0x4e }, { 0x55, 0, 0x55 }, { 0x54, 0, 0x54 },  /* space - = [ */
    [0x30] = { 0x5b, 0, 0x5b }, { 0x5d, 0, 0x5c }, { 0x5d, 0, 0x53 }, { 0x4c, 0, 0x4c },  /* ] \ # ; */
    [0x34] = { 0x52, 0, 0x52 }, { 0x0e, 0, 0x0e }, { 0x41, 0, 0x41 }, { 0x49, 0, 0x49 },  /* ' ` , . */
    [0x38] = { 0x4a, 0, 0x4a }, { 0x58, 0, 0x14 },  /* / Caps */
    [0x3a] = { 0x05, 0, 0x07 }, { 0x06, 0, 0x0f }, { 0x04, 0, 0x17 }, { 0x0c, 0, 0x1f },  /* F1-F4 */
    [0x3e] = { 0x03, 0, 0x27 }, { 0x0b, 0, 0x2f }, { 0x83, 0, 0x37 }, { 0x0a, 0, 0x3f },  /* F5-F8 */
    [0x42] = { 0x01, 0, 0x47 }, { 0x09, 0, 0x4f }, { 0x78, 0, 0x56 }, { 0x07, 0, 0x5e },  /* F9-F12 */
    [0x46] = { 0x7c, E, 0x57 }, { 0x7e, 0, 0x5f }, { 0x77, 0, 0x62 },  /* PrtSc ScrollLock Pause */
    [0x49] = { 0x70, G, 0x67 }, { 0x6c, G, 0x6e }, { 0x7d, G, 0x6f }, { 0x71, G, 0x64 },  /* Ins ... Del */
    [0x4d] = { 0x69, G, 0x65 }, { 0x7a, G, 0x6d }, { 0x74, G, 0x6a }, { 0x6b, G, 0x61 },  /* End ... left */
    [0x51] = { 0x72, G, 0x60 }, { 0x75, G, 0x63 }, { 0x77, 0, 0x76 }, { 0x4a, E, 0x77 },  /* down up Num / */
    [0x55] = { 0x7c, 0, 0x7e }, { 0x7b, 0, 0x84 }, { 0x79, 0, 0x7c }, { 0x5a, E, 0x79 },  /* KP * - + Enter */
    [0x59] = { 0x69, 0, 0x69 }, { 0x72, 0, 0x72 }, { 0x7a, 0, 0x7a }, { 0x6b, 0, 0x6b },  /* KP 1-4 */
    [0x5d] = { 0x73, 0, 0x73 }, { 0x74, 0, 0x74 }, { 0x6c, 0, 0x6c }, { 0x75, 0, 0x75 },  /* KP 5-8 */
    [0x61] = { 0x7d, 0, 0x7d }, { 0x70, 0, 0x70 }, { 0x71, 0, 0x71 }, { 0x61, 0, 0x13 },  /* KP 9 0 . <> */
    [0x65] = { 0x2f, E, 0x8d }, { 0x37, E, 0 }, { 0x0f, 0, 0 },  /* Menu Power KP= */
    [0x68] = { 0x08, 0, 0 }, { 0x10, 0, 0 }, { 0x18, 0, 0 }, { 0x20, 0, 0 },  /* F13-F16 */
    [0x6c] = { 0x28, 0, 0 }, { 0x30, 0, 0 }, { 0x38, 0, 0 }, { 0x40, 0, 0 },  /* F17-F20 */
    [0x70] = { 0x48, 0, 0 }, { 0x50, 0, 0 }, { 0x57, 0, 0 }, { 0x5f, 0, 0 },  /* F21-F24 */
    [0x7f] = { 0x23, E, 0 }, { 0x32, E, 0 }, { 0x21, E, 0 },  /* mute, volume */
    [0x85] = { 0x6d, 0, 0 }, [0x87] = { 0x51, 0, 0 }, { 0x13, 0, 0x87 }, { 0x6a, 0, 0x5d },  /* KP, ... Yen */
    [0x8a] = { 0x64, 0, 0x86 }, { 0x67, 0, 0x85 }, [0x90] = { 0xf2, 0, 0 }, { 0xf1, 0, 0 }, /* Asia */
    [0xe0] = { 0x14, 0, 0x11 }, { 0x12, 0, 0x12 }, { 0x11, 0, 0x19 }, { 0x1f, E, 0x8b },  /* left */
    [0xe4] = { 0x14, E, 0x58 }, { 0x59, 0, 0x59 }, { 0x11, E, 0x39 }, { 0x27, E, 0x8c },  /* right */
};

struct ps2_keyboard {
    struct device dev;
    struct ps2_port *port;
    uint8_t set, command, leds, typematic, last;    /* command: waits for its parameter; last: for RESEND */
    bool scanning, testing;
    uint8_t down[KEYS / 8];                     /* bit per usage */
    uint8_t repeating;                          /* usage of the typematic key, 0: none */
    uint8_t types[SET3_KEYS];                   /* by set 3 code */
    struct fifo queue, reply;                   /* scan codes; answers, which go first */
    struct timer repeat, bat;
};

/* --- what goes out --- */

/* The keyboard has no pin: what it wants is a free line. */
static void ps2_keyboard_update_irq(struct ps2_keyboard *k)
{
    if (k->port && (k->reply.count || k->queue.count))
        k->port->ready(k->port);
}

static bool kbd_pending(void *device)
{
    struct ps2_keyboard *k = device;
    return k->reply.count || (k->queue.count && !k->command);
}

static uint8_t kbd_take(void *device)
{
    struct ps2_keyboard *k = device;
    k->last = fifo_pop(k->reply.count ? &k->reply : &k->queue);
    return k->last;
}

/* A key's bytes, all or none; what does not fit becomes one overrun code. */
struct sequence { uint8_t bytes[16]; unsigned length; };

static void kbd_queue(struct ps2_keyboard *k, const struct sequence *s)
{
    uint8_t overrun = k->set == 1 ? OVERRUN_SET1 : OVERRUN;
    if (k->queue.count + s->length < k->queue.limit) {
        for (unsigned i = 0; i < s->length; i++)
            fifo_push(&k->queue, s->bytes[i]);
    } else if (fifo_peek(&k->queue, k->queue.count - 1u) != overrun) {
        fifo_push(&k->queue, overrun);
    }
}

static void put(struct sequence *s, uint8_t byte)
{
    s->bytes[s->length++] = byte;
}

/* One code of set 1 or 2; set 1 is set 2 translated, with the break in bit 7. */
static void put_code(const struct ps2_keyboard *k, struct sequence *s, bool extended, uint8_t code, bool down)
{
    if (extended)
        put(s, EXTENDED);
    if (k->set == 1) {
        put(s, (uint8_t)(ps2_translate(code) | (down ? 0 : 0x80)));
        return;
    }
    if (!down)
        put(s, BREAK);
    put(s, code);
}

static bool is_down(const struct ps2_keyboard *k, unsigned usage)
{
    return k->down[usage / 8] >> (usage & 7) & 1;
}

/* Grey keys say the same as the number pad's to old software, so the keyboard lifts the shifts around
 * them, or presses one when NumLock is on [PS2TRM, Scan code set 2, table of shift states]. `begin`:
 * before a make, else after a break. */
static void put_shifts(const struct ps2_keyboard *k, struct sequence *s, bool grey, bool begin)
{
    bool left = is_down(k, USAGE_SHIFT_L), right = is_down(k, USAGE_SHIFT_R);
    if (left)
        put_code(k, s, true, SHIFT, !begin);
    if (right)
        put_code(k, s, true, SHIFT_R, !begin);
    if (grey && !left && !right && k->leds & LED_NUM)
        put_code(k, s, true, SHIFT, begin);
}

/* Pause has no break; with Ctrl it is Break [PS2TRM]. */
static void put_pause(const struct ps2_keyboard *k, struct sequence *s, bool down)
{
    if (!down)
        return;
    if (is_down(k, USAGE_CTRL_L) || is_down(k, USAGE_CTRL_R)) {
        put_code(k, s, true, 0x7e, true);
        put_code(k, s, true, 0x7e, false);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        put(s, PAUSE);
        put_code(k, s, false, 0x14, i == 0);
        put_code(k, s, false, 0x77, i == 0);
    }
}

/* Print Screen is a shifted key of old; with Alt it is SysRq [PS2TRM]. */
static void put_print_screen(const struct ps2_keyboard *k, struct sequence *s, bool down)
{
    if (is_down(k, USAGE_ALT_L) || is_down(k, USAGE_ALT_R)) {
        put_code(k, s, false, 0x84, down);
        return;
    }
    bool bare = is_down(k, USAGE_SHIFT_L) || is_down(k, USAGE_SHIFT_R) || is_down(k, USAGE_CTRL_L) ||
                is_down(k, USAGE_CTRL_R);
    if (down && !bare)
        put_code(k, s, true, SHIFT, true);
    put_code(k, s, true, 0x7c, down);
    if (!down && !bare)
        put_code(k, s, true, SHIFT, false);
}

static void kbd_send_key(struct ps2_keyboard *k, unsigned usage, bool down)
{
    const struct key *key = &keys[usage];
    struct sequence s = { .length = 0 };
    bool grey = key->flags == G;
    if (k->set == 3) {
        if (!key->set3 || (!down && !(k->types[key->set3] & MAKE_BREAK)))
            return;
        if (!down)
            put(&s, BREAK);
        put(&s, key->set3);
    } else if (usage == USAGE_PAUSE) {
        put_pause(k, &s, down);
    } else if (usage == USAGE_PRINT_SCREEN) {
        put_print_screen(k, &s, down);
    /* Hangul, Hanja: a make code only, the same in all sets */
    } else if (usage == 0x90 || usage == 0x91) {
        if (down)
            put(&s, key->set2);
    } else {
        bool wrapped = grey || usage == USAGE_KP_SLASH;
        if (down && wrapped)
            put_shifts(k, &s, grey, true);
        put_code(k, &s, key->flags & E, key->set2, down);
        if (!down && wrapped)
            put_shifts(k, &s, grey, false);
    }
    kbd_queue(k, &s);
    ps2_keyboard_update_irq(k);
}

/* --- keys from the host, and typematic --- */

static int64_t typematic_delay(const struct ps2_keyboard *k)
{
    return ((k->typematic >> 5 & 3) + 1) * 250000000ll;
}

/* (8 + A) * 2^B * 4.17 ms [PS2TRM, Set typematic rate/delay] */
static int64_t typematic_period(const struct ps2_keyboard *k)
{
    return (8ll + (k->typematic & 7)) * (1ll << (k->typematic >> 3 & 3)) * 4170000;
}

static bool kbd_repeats(const struct ps2_keyboard *k, unsigned usage)
{
    return usage != USAGE_PAUSE && (k->set != 3 || k->types[keys[usage].set3] & TYPEMATIC);
}

static void kbd_repeat(void *chip)
{
    struct ps2_keyboard *k = chip;
    if (!k->repeating || !k->scanning || !is_down(k, k->repeating))
        return;
    if (!k->queue.count)                        /* no store of repeats for a guest that is busy */
        kbd_send_key(k, k->repeating, true);
    timer_at(&k->dev.machine->clock, &k->repeat, clock_now(&k->dev.machine->clock) + typematic_period(k));
}

static bool kbd_waiting(void *chip)
{
    const struct ps2_keyboard *k = chip;
    return k->queue.count;
}

static void kbd_key(void *chip, uint16_t usage, bool down)
{
    struct ps2_keyboard *k = chip;
    struct clock *clock = &k->dev.machine->clock;
    if (usage >= KEYS || !keys[usage].set2 || is_down(k, usage) == down)
        return;                                 /* the host's own repeats among them */
    uint8_t bit = (uint8_t)(1 << (usage & 7));
    if (!k->scanning || k->testing) {
        k->down[usage / 8] = (uint8_t)(down ? k->down[usage / 8] | bit : k->down[usage / 8] & ~bit);
        return;
    }
    if (!down && usage == k->repeating) {
        k->repeating = 0;
        timer_stop(clock, &k->repeat);
    }
    kbd_send_key(k, usage, down);
    k->down[usage / 8] = (uint8_t)(down ? k->down[usage / 8] | bit : k->down[usage / 8] & ~bit);
    if (down) {
        k->repeating = kbd_repeats(k, usage) ? (uint8_t)usage : 0;
        if (k->repeating)
            timer_at(clock, &k->repeat, clock_now(clock) + typematic_delay(k));
        else
            timer_stop(clock, &k->repeat);
    }
}

/* --- commands --- */

/* Set 3 as it leaves reset: control keys make and break, characters and cursor typematic, the others make
 * only [PS2TRM]. */
static void kbd_default_types(struct ps2_keyboard *k)
{
    static const uint8_t make_break[] = { 0x11, 0x12, 0x14, 0x19, 0x59 };
    static const uint8_t make_only[] = {
        0x07, 0x08, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x39, 0x3f, 0x47, 0x4f, 0x56, 0x57,
        0x58, 0x5e, 0x5f, 0x62, 0x67, 0x6d, 0x6e, 0x65, 0x6f, 0x76, 0x77, 0x79, 0x7e, 0x84,
    };
    memset(k->types, TYPEMATIC, sizeof(k->types));
    for (size_t i = 0; i < sizeof(make_break); i++)
        k->types[make_break[i]] = MAKE_BREAK;
    for (size_t i = 0; i < sizeof(make_only); i++)
        k->types[make_only[i]] = 0;
}

static void kbd_defaults(struct ps2_keyboard *k)
{
    fifo_clear(&k->queue);
    k->typematic = TYPEMATIC_DEFAULT;
    k->repeating = 0;
    timer_stop(&k->dev.machine->clock, &k->repeat);
    kbd_default_types(k);
}

static void kbd_bat_done(void *chip)
{
    struct ps2_keyboard *k = chip;
    k->testing = false;
    k->scanning = true;
    fifo_push(&k->reply, BAT_OK);
    ps2_keyboard_update_irq(k);
}

/* true: the byte was the parameter of the command before it. */
static bool kbd_parameter(struct ps2_keyboard *k, uint8_t byte)
{
    uint8_t command = k->command;
    if (!command || byte >= CMD_LEDS) {         /* a command in place of the parameter ends the old one */
        k->command = 0;
        return false;
    }
    if (command >= CMD_KEY_TYPEMATIC) {         /* goes on until the next command */
        static const uint8_t types[] = { TYPEMATIC, MAKE_BREAK, 0 };
        if (byte < SET3_KEYS)
            k->types[byte] = types[command - CMD_KEY_TYPEMATIC];
        fifo_push(&k->reply, ACK);
        return true;
    }
    k->command = 0;
    fifo_push(&k->reply, command == CMD_SET && byte > 3 ? CMD_RESEND : ACK);       /* there are three sets */
    switch (command) {
    case CMD_LEDS:
        k->leds = byte & 7;
        break;
    case CMD_TYPEMATIC:
        k->typematic = byte & 0x7f;
        break;
    case CMD_SET:
        if (byte == 0)
            fifo_push(&k->reply, k->set);
        else if (byte <= 3)
            k->set = byte;
        fifo_clear(&k->queue);
        break;
    }
    return true;
}

static void kbd_set_all(struct ps2_keyboard *k, uint8_t type)
{
    memset(k->types, type, sizeof(k->types));
    fifo_push(&k->reply, ACK);
}

static void kbd_reset_command(struct ps2_keyboard *k)
{
    kbd_defaults(k);
    k->set = 2;
    k->leds = 0;
    k->scanning = false;
    k->testing = true;
    fifo_clear(&k->reply);
    fifo_push(&k->reply, ACK);
    timer_at(&k->dev.machine->clock, &k->bat, clock_now(&k->dev.machine->clock) + BAT_NS);
}

static void kbd_command(struct ps2_keyboard *k, uint8_t byte)
{
    switch (byte) {
    case CMD_LEDS:
    case CMD_SET:
    case CMD_TYPEMATIC:
    case CMD_KEY_TYPEMATIC:
    case CMD_KEY_MAKE_BREAK:
    case CMD_KEY_MAKE:
        k->command = byte;
        fifo_push(&k->reply, ACK);
        break;
    case CMD_ECHO:
        fifo_push(&k->reply, CMD_ECHO);
        break;
    case CMD_ID:
        fifo_push(&k->reply, ACK);
        fifo_push(&k->reply, ID_1);
        fifo_push(&k->reply, ID_2);
        break;
    case CMD_ENABLE:
        fifo_clear(&k->queue);
        k->scanning = true;
        fifo_push(&k->reply, ACK);
        break;
    case CMD_DISABLE:
    case CMD_DEFAULT:
        kbd_defaults(k);
        k->scanning = byte == CMD_DEFAULT;
        fifo_push(&k->reply, ACK);
        break;
    case CMD_ALL_TYPEMATIC: kbd_set_all(k, TYPEMATIC); break;
    case CMD_ALL_MAKE_BREAK: kbd_set_all(k, MAKE_BREAK); break;
    case CMD_ALL_MAKE: kbd_set_all(k, 0); break;
    case CMD_ALL_EVERYTHING: kbd_set_all(k, MAKE_BREAK | TYPEMATIC); break;
    case CMD_RESEND: fifo_push(&k->reply, k->last); break;
    case CMD_RESET: kbd_reset_command(k); break;
    default: fifo_push(&k->reply, NAK);
    }
}

static void kbd_receive(void *device, uint8_t byte)
{
    struct ps2_keyboard *k = device;
    if (byte != CMD_RESEND)
        fifo_clear(&k->reply);                  /* the system does not want the rest of an old answer */
    if (!kbd_parameter(k, byte))
        kbd_command(k, byte);
    ps2_keyboard_update_irq(k);
}

void ps2_keyboard_plug(struct device *dev, struct ps2_port *port)
{
    struct ps2_keyboard *k = container_of(dev, struct ps2_keyboard, dev);
    k->port = port;
    port->device = k;
    port->pending = kbd_pending;
    port->take = kbd_take;
    port->receive = kbd_receive;
}

static bool kbd_init(struct device *dev, struct error *err)
{
    struct ps2_keyboard *k = container_of(dev, struct ps2_keyboard, dev);
    (void)err;
    timer_init(&k->repeat, kbd_repeat, k);
    timer_init(&k->bat, kbd_bat_done, k);
    k->queue.limit = QUEUE;
    k->reply.limit = 16;
    dev->machine->keyboard = (struct keyboard){ k, kbd_key, kbd_waiting };
    return true;
}

/* The keyboard has its own power-on reset and no line from the PC's RESET. */
static void kbd_reset(struct device *dev, enum reset_kind kind)
{
    struct ps2_keyboard *k = container_of(dev, struct ps2_keyboard, dev);
    if (kind != RESET_POWER)
        return;
    kbd_defaults(k);
    timer_stop(&dev->machine->clock, &k->bat);
    k->queue = (struct fifo){ .limit = QUEUE };
    k->reply = (struct fifo){ .limit = 16 };
    k->set = 2;
    k->command = k->leds = k->last = 0;
    k->scanning = true;
    k->testing = false;
    memset(k->down, 0, sizeof(k->down));
}

static bool kbd_restored(struct device *dev)
{
    struct ps2_keyboard *k = container_of(dev, struct ps2_keyboard, dev);
    if (k->set < 1 || k->set > 3 || k->queue.limit != QUEUE || k->queue.count > QUEUE ||
        k->reply.limit != 16 || k->reply.count > 16 || (k->command && k->command < CMD_LEDS))
        return false;
    return true;
}

static const struct state_field kbd_state[] = {
    FIELD(struct ps2_keyboard, set), FIELD(struct ps2_keyboard, command), FIELD(struct ps2_keyboard, leds),
    FIELD(struct ps2_keyboard, typematic), FIELD(struct ps2_keyboard, last),
    FIELD(struct ps2_keyboard, scanning), FIELD(struct ps2_keyboard, testing),
    FIELD_ARRAY(struct ps2_keyboard, down), FIELD(struct ps2_keyboard, repeating),
    FIELD_ARRAY(struct ps2_keyboard, types), FIELD_STRUCT(struct ps2_keyboard, queue, fifo_state),
    FIELD_STRUCT(struct ps2_keyboard, reply, fifo_state), FIELD(struct ps2_keyboard, repeat),
    FIELD(struct ps2_keyboard, bat), END
};
const struct device_class ps2_keyboard_class = {
    .name = "ps2_keyboard", .summary = "PS/2 keyboard", .size = sizeof(struct ps2_keyboard),
    .state = kbd_state, .state_version = 1, .init = kbd_init, .reset = kbd_reset, .restored = kbd_restored,
};
