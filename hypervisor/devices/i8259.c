/* 8259A programmable interrupt controller: eight request lines, fixed or rotating priority, one INT pin.
 * Read [8259A] "Interrupt sequence" and "Operation command words"; the edge/level register is the PIIX3's.
 *
 * In a PC: master at 20h-21h (ELCR at 4D0h, INT to the CPU), slave at A0h-A1h (ELCR at 4D1h, INT to the
 * master's IR2). IR0 is the timer, IR1 the keyboard; the slave's IR0 is the RTC, IR4 the auxiliary device,
 * IR5 FERR.
 *
 * References: [8259A], [PIIX3]
 * Not modelled: MCS-80 mode (CALL vectors), buffered mode's SP/EN pin (the property `master` says it). */
#include "devices/i8259.h"
#include "core/machine.h"

enum { ICW1_IC4 = 1 << 0, ICW1_SNGL = 1 << 1, ICW1_LTIM = 1 << 3, ICW1 = 1 << 4, ICW4_AEOI = 1 << 1,
       ICW4_SFNM = 1 << 4, OCW2_LEVEL = 7, OCW2_EOI = 1 << 5, OCW2_SL = 1 << 6, OCW2_R = 1 << 7,
       OCW3 = 1 << 3, OCW3_RIS = 1 << 0, OCW3_RR = 1 << 1, OCW3_P = 1 << 2, OCW3_SMM = 1 << 5,
       OCW3_ESMM = 1 << 6, POLL_INT = 1 << 7, SPURIOUS = 7, NOTHING = 8 };

struct i8259 {
    struct device dev;
    uint16_t iobase, elcr_port;                 /* properties; elcr_port 0: LTIM rules, as in a plain AT */
    bool master;
    struct wire int_, ack0;
    struct i8259 *slave;                        /* on the CAS lines; the AT has one */
    uint8_t lines;                              /* levels of the IR pins */
    uint8_t latch;                              /* edges seen and not yet acknowledged */
    uint8_t isr, imr, icw1, icw2, icw3, icw4, elcr;
    uint8_t next_icw;                           /* 2-4 while initialising, else 0 */
    uint8_t lowest;                             /* the level of lowest priority */
    bool read_isr, poll, special_mask, rotate_aeoi;
};

static uint8_t pic_level_mask(const struct i8259 *pic)
{
    return pic->elcr_port ? pic->elcr : pic->icw1 & ICW1_LTIM ? 0xff : 0;
}

/* A request in edge mode lives until it is acknowledged or its line falls [8259A, Edge and level triggered
 * modes]. */
static uint8_t pic_irr(const struct i8259 *pic)
{
    uint8_t level = pic_level_mask(pic);
    return (uint8_t)(pic->lines & (level | pic->latch));
}

/* The level of highest priority among `bits`, or NOTHING; *rank is its distance from the top. */
static unsigned pic_highest(const struct i8259 *pic, uint8_t bits, unsigned *rank)
{
    for (*rank = 0; *rank < 8; ++*rank) {
        unsigned level = (pic->lowest + 1 + *rank) & 7;
        if (bits & BIT(level))
            return level;
    }
    return NOTHING;
}

/* The level that would be acknowledged now, or NOTHING. A level in service shuts out itself and those
 * below, but in special mask mode a masked one does not; in special fully nested mode a slave's level lets
 * its own through. */
static unsigned pic_candidate(const struct i8259 *pic)
{
    unsigned rank, service_rank;
    unsigned level = pic_highest(pic, (uint8_t)(pic_irr(pic) & ~pic->imr), &rank);
    if (level == NOTHING || pic->next_icw)
        return NOTHING;
    uint8_t service = pic->special_mask ? (uint8_t)(pic->isr & ~pic->imr) : pic->isr;
    unsigned busy = pic_highest(pic, service, &service_rank);
    if (busy == NOTHING || rank < service_rank)
        return level;
    bool cascaded = pic->master && !(pic->icw1 & ICW1_SNGL) && (pic->icw3 & BIT(level));
    return rank == service_rank && (pic->icw4 & ICW4_SFNM) && cascaded ? level : NOTHING;
}

static void i8259_update_irq(struct i8259 *pic)
{
    wire_set(&pic->int_, pic_candidate(pic) != NOTHING);
}

static void pic_end(struct i8259 *pic, unsigned level, bool rotate)
{
    if (level == NOTHING)
        return;
    pic->isr &= (uint8_t)~BIT(level);
    if (rotate)
        pic->lowest = (uint8_t)level;
}

/* Both INTA pulses, as far as this chip's own registers go: returns the level, or NOTHING for a request
 * that went away. */
static unsigned pic_accept(struct i8259 *pic)
{
    unsigned level = pic_candidate(pic);
    if (level == NOTHING)
        return NOTHING;
    pic->latch &= (uint8_t)~BIT(level);
    pic->isr |= (uint8_t)BIT(level);
    if (pic->icw4 & ICW4_AEOI)
        pic_end(pic, level, pic->rotate_aeoi);
    if (level == 0)
        wire_pulse(&pic->ack0);
    return level;
}

int i8259_acknowledge(struct device *master)
{
    struct i8259 *pic = container_of(master, struct i8259, dev);
    unsigned level = pic_accept(pic);
    int vector = (pic->icw2 & 0xf8) | (level == NOTHING ? SPURIOUS : (int)level);
    if (level != NOTHING && pic->master && !(pic->icw1 & ICW1_SNGL) && (pic->icw3 & BIT(level))) {
        /* the slave whose ID is on CAS0-2 drives the bus; nobody: it floats */
        bool answers = pic->slave && (pic->slave->icw3 & 7) == level;
        vector = answers ? i8259_acknowledge(&pic->slave->dev) : 0xff;
    }
    i8259_update_irq(pic);
    return vector;
}

void i8259_cascade(struct device *master, struct device *slave)
{
    container_of(master, struct i8259, dev)->slave = container_of(slave, struct i8259, dev);
}

static void pic_input(struct device *dev, unsigned pin, bool level)
{
    struct i8259 *pic = container_of(dev, struct i8259, dev);
    uint8_t bit = (uint8_t)BIT(pin & 7);
    if (level && !(pic->lines & bit))
        pic->latch |= bit;
    if (!level)
        pic->latch &= (uint8_t)~bit;
    pic->lines = (uint8_t)(level ? pic->lines | bit : pic->lines & ~bit);
    i8259_update_irq(pic);
}

/* Starts the initialisation: edge sense reset, IMR cleared, IR7 lowest, slave address 7, special mask off,
 * status reads IRR [8259A, Initialization command word 1]. */
static void pic_write_icw1(struct i8259 *pic, uint8_t value)
{
    pic->icw1 = value;
    pic->latch = pic->isr = pic->imr = 0;
    pic->lowest = 7;
    pic->icw3 = pic->master ? 0 : 7;
    pic->special_mask = pic->read_isr = pic->poll = pic->rotate_aeoi = false;
    if (!(value & ICW1_IC4))
        pic->icw4 = 0;
    pic->next_icw = 2;
}

static void pic_write_ocw2(struct i8259 *pic, uint8_t value)
{
    unsigned rank, level = value & OCW2_LEVEL;
    bool rotate = value & OCW2_R;
    /* the non-specific EOI does not see a masked level in special mask mode [8259A, Special mask mode] */
    uint8_t visible = pic->special_mask ? (uint8_t)(pic->isr & ~pic->imr) : pic->isr;
    switch (value & (OCW2_R | OCW2_SL | OCW2_EOI)) {
    case 0:
    case OCW2_R:
        pic->rotate_aeoi = rotate;
        break;
    case OCW2_EOI:
    case OCW2_R | OCW2_EOI:
        pic_end(pic, pic_highest(pic, visible, &rank), rotate);
        break;
    case OCW2_SL | OCW2_EOI:
    case OCW2_R | OCW2_SL | OCW2_EOI:
        pic_end(pic, level, rotate);
        break;
    case OCW2_R | OCW2_SL:
        pic->lowest = (uint8_t)level;
        break;
    }
}

static void pic_write_ocw3(struct i8259 *pic, uint8_t value)
{
    pic->poll = value & OCW3_P;
    if (value & OCW3_RR)
        pic->read_isr = value & OCW3_RIS;
    if (value & OCW3_ESMM)
        pic->special_mask = value & OCW3_SMM;
}

static void pic_write_a1(struct i8259 *pic, uint8_t value)
{
    switch (pic->next_icw) {
    case 0:
        pic->imr = value;
        break;
    case 2:
        pic->icw2 = value;
        pic->next_icw = !(pic->icw1 & ICW1_SNGL) ? 3 : pic->icw1 & ICW1_IC4 ? 4 : 0;
        break;
    case 3:
        pic->icw3 = value;
        pic->next_icw = pic->icw1 & ICW1_IC4 ? 4 : 0;
        break;
    default:
        pic->icw4 = value;
        pic->next_icw = 0;
    }
}

static void pic_write(void *chip, uint64_t offset, unsigned size, uint64_t v)
{
    struct i8259 *pic = chip;
    uint8_t value = (uint8_t)v;
    (void)size;
    if (offset & 1)
        pic_write_a1(pic, value);
    else if (value & ICW1)
        pic_write_icw1(pic, value);
    else if (value & OCW3)
        pic_write_ocw3(pic, value);
    else
        pic_write_ocw2(pic, value);
    i8259_update_irq(pic);
}

static uint64_t pic_read(void *chip, uint64_t offset, unsigned size)
{
    struct i8259 *pic = chip;
    (void)size;
    if (pic->poll) {                            /* the read is the INTA [8259A, Poll command] */
        pic->poll = false;
        unsigned level = pic_accept(pic);
        i8259_update_irq(pic);
        return level == NOTHING ? 0 : POLL_INT | level;
    }
    return offset & 1 ? pic->imr : pic->read_isr ? pic->isr : pic_irr(pic);
}

static uint64_t pic_elcr_read(void *chip, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct i8259 *)chip)->elcr;
}

/* IRQ 0, 1, 2, 8 and 13 are always edge-triggered [PIIX3, 4D0h, 4D1h]. */
static void pic_elcr_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct i8259 *pic = chip;
    (void)offset, (void)size;
    pic->elcr = (uint8_t)(value & (pic->master ? 0xf8 : 0xde));
    i8259_update_irq(pic);
}

static const struct io_ops pic_io = { pic_read, pic_write, IO_8 };
static const struct io_ops pic_elcr_io = { pic_elcr_read, pic_elcr_write, IO_8 };

static bool pic_init(struct device *dev, struct error *err)
{
    struct i8259 *pic = container_of(dev, struct i8259, dev);
    (void)err;
    space_map_io(dev->machine->ports, pic->iobase, 2, &pic_io, pic, 0);
    if (pic->elcr_port)
        space_map_io(dev->machine->ports, pic->elcr_port, 1, &pic_elcr_io, pic, 0);
    return true;
}

/* The chip has no reset pin; at power-on it is made definite, and RESET clears the ELCR [PIIX3]. The
 * levels of the pins belong to their senders. */
static void pic_reset(struct device *dev, enum reset_kind kind)
{
    struct i8259 *pic = container_of(dev, struct i8259, dev);
    pic->elcr = 0;
    if (kind == RESET_POWER) {
        pic_write_icw1(pic, 0);
        pic->icw2 = pic->icw4 = pic->next_icw = 0;
        pic->imr = 0xff;
    }
    i8259_update_irq(pic);
}

static const struct state_field pic_state[] = {
    FIELD(struct i8259, lines), FIELD(struct i8259, latch), FIELD(struct i8259, isr),
    FIELD(struct i8259, imr), FIELD(struct i8259, icw1), FIELD(struct i8259, icw2), FIELD(struct i8259, icw3),
    FIELD(struct i8259, icw4), FIELD(struct i8259, elcr), FIELD(struct i8259, next_icw),
    FIELD(struct i8259, lowest), FIELD(struct i8259, read_isr), FIELD(struct i8259, poll),
    FIELD(struct i8259, special_mask), FIELD(struct i8259, rotate_aeoi), END
};
static const struct property pic_properties[] = {
    PROPERTY(struct i8259, iobase, "0x20", "first of the two ports"),
    PROPERTY(struct i8259, elcr_port, "0x4d0", "port of the edge/level register; 0: none"),
    PROPERTY(struct i8259, master, "on", "SP/EN is high"),
    END
};
static const struct pin pic_outputs[] = {
    { "int", offsetof(struct i8259, int_), 1 }, PIN(struct i8259, ack0), END
};
const struct device_class i8259_class = {
    .name = "i8259", .summary = "interrupt controller", .size = sizeof(struct i8259),
    .properties = pic_properties, .outputs = pic_outputs, .state = pic_state, .state_version = 1,
    .init = pic_init, .reset = pic_reset, .input = pic_input,
};
