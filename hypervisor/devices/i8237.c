/* Two 8237A DMA controllers with the page registers, as an AT has them. Read [8237A] "Transfer modes" and
 * "Register description".
 *
 * In a PC: the first controller (channels 0-3, bytes) at 00h-0Fh, the second (channels 4-7, words) at
 * C0h-DFh with its ports two apart, page registers at 80h-8Fh. Channel 4 is the cascade of the first
 * controller. Floppy 2, sound cards 1 and 5, ECP 3. Cards get their channel through dma.h (i8237_channel):
 * bytes move when the card is ready, so the four transfer modes differ only in who may keep the bus, which
 * nothing here can see.
 *
 * References: [8237A], [PIIX3]
 * Not modelled: memory-to-memory transfers and software requests (an AT's page registers make them
 * useless), compressed timing, rotating priority (kept, without effect), the alias of 80h-8Fh at 90h-9Fh. */
#include "devices/dma.h"
#include "core/machine.h"

enum { MODE_CHANNEL = 3, MODE_TYPE = 3 << 2, MODE_VERIFY = 0, MODE_WRITE = 1 << 2, MODE_READ = 2 << 2,
       MODE_AUTO = 1 << 4, MODE_DOWN = 1 << 5, MODE_SELECT = 3 << 6, MODE_CASCADE = 3 << 6,
       COMMAND_OFF = 1 << 2 };
enum { REG_COMMAND = 8, REG_REQUEST, REG_MASK_ONE, REG_MODE, REG_CLEAR_FF, REG_MASTER_CLEAR, REG_CLEAR_MASK,
       REG_MASK_ALL };
enum { CASCADE = 4, CHANNELS = 8, PAGES = 16, PIECE = 4096 };

struct dma_count {
    uint16_t base_address, base_count, address, count;
    uint8_t mode;
    bool requested;                             /* DREQ */
};
struct dma_controller { uint8_t command, mask, terminal, request, temporary; bool flip_flop; };

struct i8237 {
    struct device dev;
    struct dma_channel port[CHANNELS];          /* the cards' side */
    struct dma_count channel[CHANNELS];
    struct dma_controller controller[2];
    uint8_t page[PAGES];
};

/* Which page register (80h + n) belongs to a channel; 0 (port 80h) for the cascade: no channel's. */
static const uint8_t page_of[CHANNELS] = { 7, 3, 1, 2, 0, 11, 9, 10 };

static bool dma_enabled(const struct i8237 *d, unsigned n)
{
    const struct dma_controller *c = &d->controller[n / 4];
    if (c->command & COMMAND_OFF || c->mask & BIT(n & 3))
        return false;
    return n >= CASCADE || dma_enabled(d, CASCADE);
}

/* --- the cards' side --- */

static bool dma_ready(struct dma_channel *port)
{
    const struct i8237 *d = port->chip;
    return dma_enabled(d, port->number) && (d->channel[port->number].mode & MODE_SELECT) != MODE_CASCADE;
}

static void dma_request(struct dma_channel *port, bool level)
{
    ((struct i8237 *)port->chip)->channel[port->number].requested = level;
}

/* The physical address of the next byte. Word channels count words, and their page register's bit 0 is not
 * used [PIIX3]. */
static uint32_t dma_address(const struct i8237 *d, unsigned n)
{
    uint32_t page = d->page[page_of[n]];
    if (n > CASCADE)
        return (page & 0xfe) << 16 | (uint32_t)d->channel[n].address << 1;
    return page << 16 | d->channel[n].address;
}

/* Units (bytes or words) that can move from here in one piece: to the end of the 64K units, or the
 * terminal count. */
static size_t dma_run(const struct dma_count *c, size_t units)
{
    size_t to_edge = c->mode & MODE_DOWN ? 1 : 0x10000u - c->address;
    return MIN(MIN(units, to_edge), (size_t)c->count + 1);
}

/* After `units` moved: true at terminal count. */
static bool dma_count_down(struct i8237 *d, unsigned n, size_t units)
{
    struct dma_count *c = &d->channel[n];
    struct dma_controller *chip = &d->controller[n / 4];
    c->address = (uint16_t)(c->mode & MODE_DOWN ? c->address - units : c->address + units);
    c->count = (uint16_t)(c->count - units);
    if (c->count != 0xffff)
        return false;
    chip->terminal |= (uint8_t)BIT(n & 3);
    chip->request &= (uint8_t)~BIT(n & 3);
    if (c->mode & MODE_AUTO) {
        c->address = c->base_address;
        c->count = c->base_count;
    } else {
        chip->mask |= (uint8_t)BIT(n & 3);
    }
    return true;
}

static void dma_move(struct i8237 *d, unsigned n, const uint8_t *from, uint8_t *to, size_t bytes)
{
    struct space *memory = d->dev.machine->memory;
    unsigned type = d->channel[n].mode & MODE_TYPE;
    uint32_t address = dma_address(d, n);
    if (from && type == MODE_WRITE)
        space_copy_out(memory, address, from, bytes);
    if (to && (type != MODE_READ || !space_copy_in(memory, to, address, bytes)))
        memset(to, 0xff, bytes);
}

static size_t dma_transfer(struct dma_channel *port, const uint8_t *from, uint8_t *to, size_t length,
                           bool *tc)
{
    struct i8237 *d = port->chip;
    unsigned n = port->number, shift = n > CASCADE;
    size_t done = 0, units = length >> shift;
    bool end = false;
    while (units && !end && dma_ready(port)) {
        size_t run = MIN(dma_run(&d->channel[n], units), (size_t)PIECE);
        dma_move(d, n, from ? from + done : NULL, to ? to + done : NULL, run << shift);
        done += run << shift;
        units -= run;
        end = dma_count_down(d, n, run);
    }
    if (tc)
        *tc = end;
    return done;
}

static size_t dma_to_memory(struct dma_channel *port, const void *from, size_t length, bool *tc)
{
    return dma_transfer(port, from, NULL, length, tc);
}

static size_t dma_from_memory(struct dma_channel *port, void *to, size_t length, bool *tc)
{
    return dma_transfer(port, NULL, to, length, tc);
}

struct dma_channel *i8237_channel(struct device *dev, unsigned channel)
{
    struct i8237 *d = container_of(dev, struct i8237, dev);
    return channel < CHANNELS && channel != CASCADE ? &d->port[channel] : NULL;
}

/* Tells waiting cards that their channel may work now. There are no output pins: EOP goes with the
 * transfer. */
static void i8237_update_irq(struct i8237 *d)
{
    for (unsigned n = 0; n < CHANNELS; n++)
        if (d->port[n].granted && dma_ready(&d->port[n]))
            d->port[n].granted(d->port[n].card);
}

/* --- registers --- */

static void dma_master_clear(struct dma_controller *c)
{
    *c = (struct dma_controller){ .mask = 15 };
}

/* Address and count go through the first/last flip-flop, low byte first [8237A, Clear first/last
 * flip/flop]. */
static void dma_write_word(struct i8237 *d, unsigned chip, unsigned reg, uint8_t value)
{
    struct dma_count *c = &d->channel[chip * 4 + reg / 2];
    struct dma_controller *controller = &d->controller[chip];
    uint16_t *base = reg & 1 ? &c->base_count : &c->base_address, *now = reg & 1 ? &c->count : &c->address;
    *base = (uint16_t)(controller->flip_flop ? (*base & 0xff) | value << 8 : (*base & 0xff00) | value);
    *now = *base;
    controller->flip_flop = !controller->flip_flop;
}

static uint8_t dma_read_word(struct i8237 *d, unsigned chip, unsigned reg)
{
    const struct dma_count *c = &d->channel[chip * 4 + reg / 2];
    uint16_t value = reg & 1 ? c->count : c->address;
    bool high = d->controller[chip].flip_flop;
    d->controller[chip].flip_flop = !high;
    return (uint8_t)(high ? value >> 8 : value);
}

static void dma_write(struct i8237 *d, unsigned chip, unsigned reg, uint8_t value)
{
    struct dma_controller *c = &d->controller[chip];
    uint8_t bit = (uint8_t)BIT(value & MODE_CHANNEL);
    switch (reg) {
    case REG_COMMAND:
        c->command = value;
        break;
    case REG_REQUEST:
        c->request = (uint8_t)(value & 4 ? c->request | bit : c->request & ~bit);
        break;
    case REG_MASK_ONE:
        c->mask = (uint8_t)(value & 4 ? c->mask | bit : c->mask & ~bit);
        break;
    case REG_MODE:
        d->channel[chip * 4 + (value & MODE_CHANNEL)].mode = value & (uint8_t)~MODE_CHANNEL;
        break;
    case REG_CLEAR_FF:
        c->flip_flop = false;
        break;
    case REG_MASTER_CLEAR:
        dma_master_clear(c);
        break;
    case REG_CLEAR_MASK:
        c->mask = 0;
        break;
    case REG_MASK_ALL:
        c->mask = value & 15;
        break;
    default:
        dma_write_word(d, chip, reg, value);
    }
    i8237_update_irq(d);
}

/* Reading the status clears its terminal counts [8237A, Status register]. */
static uint8_t dma_read(struct i8237 *d, unsigned chip, unsigned reg)
{
    struct dma_controller *c = &d->controller[chip];
    uint8_t value = c->terminal;
    switch (reg) {
    case REG_COMMAND:
        for (unsigned n = 0; n < 4; n++)
            if (d->channel[chip * 4 + n].requested || c->request & BIT(n))
                value |= (uint8_t)BIT(n + 4);
        c->terminal = 0;
        return value;
    case REG_MASTER_CLEAR:
        return c->temporary;
    case REG_MASK_ALL:
        return c->mask | 0xf0;
    default:
        return reg < REG_COMMAND ? dma_read_word(d, chip, reg) : 0xff;
    }
}

static uint64_t dma1_read(void *chip, uint64_t offset, unsigned size)
{
    (void)size;
    return dma_read(chip, 0, (unsigned)offset);
}

static void dma1_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    dma_write(chip, 0, (unsigned)offset, (uint8_t)value);
}

static uint64_t dma2_read(void *chip, uint64_t offset, unsigned size)
{
    (void)size;
    return dma_read(chip, 1, (unsigned)offset / 2);
}

static void dma2_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    dma_write(chip, 1, (unsigned)offset / 2, (uint8_t)value);
}

static uint64_t dma_page_read(void *chip, uint64_t offset, unsigned size)
{
    (void)size;
    return ((struct i8237 *)chip)->page[offset];
}

static void dma_page_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    ((struct i8237 *)chip)->page[offset] = (uint8_t)value;
}

static const struct io_ops dma1_io = { dma1_read, dma1_write, IO_8 };
static const struct io_ops dma2_io = { dma2_read, dma2_write, IO_8 };
static const struct io_ops dma_page_io = { dma_page_read, dma_page_write, IO_8 };

static bool dma_init(struct device *dev, struct error *err)
{
    struct i8237 *d = container_of(dev, struct i8237, dev);
    struct space *ports = dev->machine->ports;
    (void)err;
    for (unsigned n = 0; n < CHANNELS; n++)
        d->port[n] = (struct dma_channel){ .chip = d, .number = n, .to_memory = dma_to_memory,
                                           .from_memory = dma_from_memory, .ready = dma_ready,
                                           .request = dma_request };
    space_map_io(ports, 0x00, 16, &dma1_io, d, 0);
    space_map_io(ports, 0xc0, 32, &dma2_io, d, 0);
    space_map_io(ports, 0x80, PAGES, &dma_page_io, d, 0);
    return true;
}

/* RESET is a master clear: addresses, counts and modes stay, and so do the page registers. */
static void dma_reset(struct device *dev, enum reset_kind kind)
{
    struct i8237 *d = container_of(dev, struct i8237, dev);
    dma_master_clear(&d->controller[0]);
    dma_master_clear(&d->controller[1]);
    if (kind == RESET_POWER) {
        memset(d->page, 0, sizeof(d->page));
        for (unsigned n = 0; n < CHANNELS; n++)
            d->channel[n] = (struct dma_count){ .requested = d->channel[n].requested };
    }
}

static const struct state_field dma_count_state[] = {
    FIELD(struct dma_count, base_address), FIELD(struct dma_count, base_count),
    FIELD(struct dma_count, address), FIELD(struct dma_count, count), FIELD(struct dma_count, mode),
    FIELD(struct dma_count, requested), END
};
static const struct state_field dma_controller_state[] = {
    FIELD(struct dma_controller, command), FIELD(struct dma_controller, mask),
    FIELD(struct dma_controller, terminal), FIELD(struct dma_controller, request),
    FIELD(struct dma_controller, temporary), FIELD(struct dma_controller, flip_flop), END
};
static const struct state_field dma_state[] = {
    FIELD_STRUCTS(struct i8237, channel, dma_count_state),
    FIELD_STRUCTS(struct i8237, controller, dma_controller_state), FIELD_ARRAY(struct i8237, page), END
};
const struct device_class i8237_class = {
    .name = "i8237", .summary = "DMA controllers and page registers", .size = sizeof(struct i8237),
    .state = dma_state, .state_version = 1, .init = dma_init, .reset = dma_reset,
};
