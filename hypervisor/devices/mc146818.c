/* MC146818A real-time clock with the CMOS memory of an AT: 128 bytes, of which 0-13 are the clock and its
 * registers A-D. Read [MC146818A] "Update cycle" and "Registers".
 *
 * In a PC: index at port 70h (bit 7 masks NMI: output "nmi_off"), data at 71h, output "irq" is IRQ8. Byte
 * 32h holds the century. The time at power-on is machine_wall_time(); whether that is UTC or local time is
 * the profile's choice. From then on the chip counts by itself: a guest that sets it to another time finds
 * it there.
 *
 * The 14 bytes are the truth, as in the chip; full seconds that have passed are added to them when someone
 * looks. Timers run only while an interrupt is enabled; flags in register C are otherwise found out at the
 * read.
 *
 * References: [MC146818A], [PIIX3]
 * Not modelled: daylight saving switch (DSE is kept; nobody uses its dates), square wave pin, time bases
 * other than 32.768 kHz (the clock stands still, as with a held divider). */
#include "devices/mc146818.h"
#include "core/machine.h"
#include <errno.h>

enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, DAY_OF_WEEK, DATE, MONTH, YEAR,
       REG_A, REG_B, REG_C, REG_D, CENTURY = 0x32, CHECKED = 0x10, CHECKED_END = 0x2e, CHECKSUM = 0x2e,
       SIZE = 128 };
enum { A_UIP = 1 << 7, A_DV = 7 << 4, A_DV_32768 = 2 << 4, A_RS = 15, B_SET = 1 << 7, B_PIE = 1 << 6,
       B_AIE = 1 << 5, B_UIE = 1 << 4, B_SQWE = 1 << 3, B_DM = 1 << 2, B_24 = 1 << 1, C_IRQF = 1 << 7,
       C_PF = 1 << 6, C_AF = 1 << 5, C_UF = 1 << 4, D_VRT = 1 << 7, HOUR_PM = 1 << 7, ALARM_ANY = 0xc0,
       NMI_OFF = 1 << 7 };
enum { BASE_HZ = 32768, UPDATE_NS = 1984000, UIP_EARLY_NS = 244000, HALF_SECOND_NS = 500000000,
       ALARM_SEARCH = 86400 };

struct mc146818 {
    struct device dev;
    uint16_t iobase;
    struct wire irq, pm, nmi_off;               /* pm: the level of irq for a power manager */
    uint8_t index, ram[SIZE];
    int64_t second;                             /* guest time at which the second in ram began */
    int64_t counted;                            /* guest time up to which PF is accounted for */
    struct timer alarm, periodic;               /* alarm: update and alarm interrupts */
};

static int64_t rtc_now(const struct mc146818 *r) { return clock_now(&r->dev.machine->clock); }

static bool rtc_divider_runs(const struct mc146818 *r)
{
    return (r->ram[REG_A] & A_DV) == A_DV_32768;
}

static bool rtc_updates(const struct mc146818 *r)
{
    return rtc_divider_runs(r) && !(r->ram[REG_B] & B_SET);
}

/* --- the numbers in the registers --- */

static unsigned rtc_decode(const struct mc146818 *r, uint8_t v)
{
    return r->ram[REG_B] & B_DM ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t rtc_encode(const struct mc146818 *r, unsigned v)
{
    return (uint8_t)(r->ram[REG_B] & B_DM ? v : v / 10 % 10 << 4 | v % 10);
}

static unsigned rtc_decode_hour(const struct mc146818 *r, uint8_t v)
{
    if (r->ram[REG_B] & B_24)
        return rtc_decode(r, v);
    return rtc_decode(r, v & 0x7f) % 12 + (v & HOUR_PM ? 12 : 0);
}

static uint8_t rtc_encode_hour(const struct mc146818 *r, unsigned hour)
{
    if (r->ram[REG_B] & B_24)
        return rtc_encode(r, hour);
    return (uint8_t)(rtc_encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

/* Days since 1 March of year 0, Gregorian: with years that begin in March the leap day is the last of its
 * year, and the lengths of months follow (153 m + 2) / 5. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    unsigned m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
}

static void date_of(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    /* January of year 0 is before day 0 */
    int64_t era = (days + 146097) / 146097 - 1, rest = (days + 146097) % 146097;
    int64_t y = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    unsigned of_year = (unsigned)(rest - (365 * y + y / 4 - y / 100)), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (unsigned)(era * 400 + y + (*month <= 2));
}

static void rtc_put_date(struct mc146818 *r, int64_t days)
{
    unsigned year, month, day, century;
    date_of(days, &year, &month, &day);
    century = year / 100 % 100;
    r->ram[DATE] = rtc_encode(r, day);
    r->ram[MONTH] = rtc_encode(r, month);
    r->ram[YEAR] = rtc_encode(r, year % 100);
    /* BCD, whatever DM says: it is the BIOS's byte */
    r->ram[CENTURY] = (uint8_t)(century / 10 << 4 | century % 10);
}

/* Nonsense that a guest wrote is brought into range here, where it would count on; until then it reads
 * back as it was. */
static int64_t rtc_days(const struct mc146818 *r)
{
    unsigned century = (r->ram[CENTURY] >> 4) * 10u + (r->ram[CENTURY] & 15);
    unsigned month = rtc_decode(r, r->ram[MONTH]), day = rtc_decode(r, r->ram[DATE]);
    month = MAX(1u, MIN(12u, month));
    day = MAX(1u, MIN(31u, day));
    return days_of(MIN(century, 99u) * 100 + rtc_decode(r, r->ram[YEAR]) % 100, month, day);
}

static void rtc_add_seconds(struct mc146818 *r, int64_t seconds)
{
    int64_t of_day = rtc_decode(r, r->ram[SECONDS]) + 60 * rtc_decode(r, r->ram[MINUTES]) +
                     3600 * rtc_decode_hour(r, r->ram[HOURS]) + seconds;
    int64_t days = of_day / 86400;
    of_day %= 86400;
    r->ram[SECONDS] = rtc_encode(r, (unsigned)(of_day % 60));
    r->ram[MINUTES] = rtc_encode(r, (unsigned)(of_day / 60 % 60));
    r->ram[HOURS] = rtc_encode_hour(r, (unsigned)(of_day / 3600));
    if (!days)
        return;
    r->ram[DAY_OF_WEEK] = (uint8_t)((MAX(r->ram[DAY_OF_WEEK], 1) - 1 + days % 7) % 7 + 1);
    rtc_put_date(r, rtc_days(r) + days);
}

/* --- time passes --- */

/* Seconds of the day at which the alarm matches next, counted from the present one: 1..86400, or 0 for
 * never. A byte of C0h or more matches anything [MC146818A, Time, calendar and alarm locations]. */
static bool alarm_byte(const struct mc146818 *r, unsigned at, unsigned value)
{
    uint8_t v = r->ram[at];
    if ((v & ALARM_ANY) == ALARM_ANY)
        return true;
    return at == HOURS_ALARM ? rtc_encode_hour(r, value) == v : rtc_encode(r, value) == v;
}

static int64_t rtc_alarm_in(const struct mc146818 *r)
{
    unsigned now = rtc_decode(r, r->ram[SECONDS]) + 60 * rtc_decode(r, r->ram[MINUTES]) +
                   3600 * rtc_decode_hour(r, r->ram[HOURS]);
    unsigned in = 1;
    while (in <= ALARM_SEARCH) {
        unsigned t = (now + in) % 86400;
        if (!alarm_byte(r, HOURS_ALARM, t / 3600))
            in += 3600 - t % 3600;
        else if (!alarm_byte(r, MINUTES_ALARM, t / 60 % 60))
            in += 60 - t % 60;
        else if (!alarm_byte(r, SECONDS_ALARM, t % 60))
            in++;
        else
            return in;
    }
    return 0;
}

/* Ticks of the base clock in a period of the selected rate; 0: off. Rates 1 and 2 repeat 8 and 9. */
static int64_t rtc_period(const struct mc146818 *r)
{
    unsigned rate = r->ram[REG_A] & A_RS;
    if (!rate || !rtc_divider_runs(r))
        return 0;
    return 1ll << (rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t rtc_ticks(const struct mc146818 *r, int64_t at)
{
    return muldiv(at - r->second, BASE_HZ, NS_PER_S);
}

/* Guest time of the next periodic edge after `at`. */
static int64_t rtc_next_period(const struct mc146818 *r, int64_t at)
{
    int64_t period = rtc_period(r), edge = (rtc_ticks(r, at) / period + 1) * period;
    return r->second + muldiv(edge, NS_PER_S, BASE_HZ) + 1;
}

/* Brings the registers and the flags to the present. */
static void rtc_advance(struct mc146818 *r)
{
    int64_t now = rtc_now(r), seconds = (now - r->second) / NS_PER_S;
    if (rtc_period(r) && now > r->counted && rtc_next_period(r, MAX(r->counted, r->second)) <= now)
        r->ram[REG_C] |= C_PF;
    r->counted = now;
    if (seconds <= 0)
        return;
    if (rtc_updates(r)) {
        int64_t alarm = rtc_alarm_in(r);
        r->ram[REG_C] |= C_UF;
        if (alarm && alarm <= seconds)
            r->ram[REG_C] |= C_AF;
        rtc_add_seconds(r, seconds);
    }
    r->second += seconds * NS_PER_S;            /* the divider goes on while SET holds the registers */
}

/* The pin, and when it may change next. */
static void mc146818_update_irq(struct mc146818 *r)
{
    struct clock *clock = &r->dev.machine->clock;
    bool irq = r->ram[REG_C] & r->ram[REG_B] & (C_PF | C_AF | C_UF);
    r->ram[REG_C] = (uint8_t)((r->ram[REG_C] & ~C_IRQF) | (irq ? C_IRQF : 0));
    wire_set(&r->irq, irq);
    wire_set(&r->pm, irq);

    int64_t period = TIMER_NEVER, update = TIMER_NEVER;
    if (r->ram[REG_B] & B_PIE && rtc_period(r))
        period = rtc_next_period(r, rtc_now(r));
    if (r->ram[REG_B] & B_UIE && rtc_updates(r)) {
        update = r->second + NS_PER_S;
    } else if (r->ram[REG_B] & B_AIE && rtc_updates(r)) {
        int64_t in = rtc_alarm_in(r);
        update = in ? r->second + in * NS_PER_S : TIMER_NEVER;
    }
    timer_at(clock, &r->periodic, period);
    timer_at(clock, &r->alarm, update);
}

static void rtc_fire(void *chip)
{
    rtc_advance(chip);
    mc146818_update_irq(chip);
}

/* --- registers --- */

/* UIP is 1 from 244 us before an update to its end [MC146818A, Update cycle]; the second begins at that
 * end. */
static bool rtc_uip(const struct mc146818 *r)
{
    return rtc_updates(r) && rtc_now(r) - r->second >= NS_PER_S - UPDATE_NS - UIP_EARLY_NS;
}

static uint64_t rtc_read(void *chip, uint64_t offset, unsigned size)
{
    struct mc146818 *r = chip;
    (void)size;
    if (!(offset & 1))
        return 0xff;                            /* the index is write-only */
    rtc_advance(r);
    uint8_t value = r->ram[r->index];
    if (r->index == REG_A)
        value = (uint8_t)(value | (rtc_uip(r) ? A_UIP : 0));
    if (r->index == REG_C) {
        mc146818_update_irq(r);                 /* IRQF of flags that no timer watched */
        value = r->ram[REG_C];
        r->ram[REG_C] = 0;                      /* the read clears them all [MC146818A, Register C] */
    }
    mc146818_update_irq(r);
    return value;
}

/* A divider that is let go counts its first update half a second later [MC146818A, Divider control]. */
static void rtc_write_a(struct mc146818 *r, uint8_t value)
{
    bool ran = rtc_divider_runs(r);
    r->ram[REG_A] = value & (uint8_t)~A_UIP;
    if (!ran && rtc_divider_runs(r)) {
        r->second = rtc_now(r) - HALF_SECOND_NS;
        r->counted = rtc_now(r);
    }
}

static void rtc_write(void *chip, uint64_t offset, unsigned size, uint64_t v)
{
    struct mc146818 *r = chip;
    uint8_t value = (uint8_t)v;
    (void)size;
    if (!(offset & 1)) {
        r->index = value & (SIZE - 1);
        wire_set(&r->nmi_off, value & NMI_OFF);
        return;
    }
    rtc_advance(r);
    switch (r->index) {
    case REG_A:
        rtc_write_a(r, value);
        break;
    case REG_B:
        if (value & B_SET)
            value &= (uint8_t)~B_UIE;           /* SET clears UIE [MC146818A, Register B] */
        r->ram[REG_B] = value;
        break;
    case REG_C:
    case REG_D:
        break;
    default:
        r->ram[r->index] = value;
    }
    mc146818_update_irq(r);
}

static const struct io_ops rtc_io = { rtc_read, rtc_write, IO_8 };

void mc146818_poke(struct device *dev, unsigned index, uint8_t value)
{
    container_of(dev, struct mc146818, dev)->ram[index % SIZE] = value;
}

uint8_t mc146818_peek(struct device *dev, unsigned index)
{
    struct mc146818 *r = container_of(dev, struct mc146818, dev);
    rtc_advance(r);
    return r->ram[index % SIZE];
}

void mc146818_checksum(struct device *dev)
{
    struct mc146818 *r = container_of(dev, struct mc146818, dev);
    unsigned sum = 0;
    for (unsigned i = CHECKED; i < CHECKED_END; i++)
        sum += r->ram[i];
    r->ram[CHECKSUM] = (uint8_t)(sum >> 8);
    r->ram[CHECKSUM + 1] = (uint8_t)sum;
}

static bool rtc_init(struct device *dev, struct error *err)
{
    struct mc146818 *r = container_of(dev, struct mc146818, dev);
    (void)err;
    timer_init(&r->alarm, rtc_fire, r);
    timer_init(&r->periodic, rtc_fire, r);
    space_map_io(dev->machine->ports, r->iobase, 2, &rtc_io, r, 0);
    return true;
}

/* The battery kept the clock running while the machine was off: it shows the time now. */
static void rtc_power_on(struct mc146818 *r)
{
    enum { DAYS_TO_1970 = 719468 };             /* from 1 March 0000 */
    int64_t wall = machine_wall_time(r->dev.machine), seconds = wall / NS_PER_S;
    if (wall % NS_PER_S < 0)
        seconds--;
    int64_t days = seconds / 86400, of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days--;
    }
    memset(r->ram, 0, sizeof(r->ram));
    r->ram[REG_A] = A_DV_32768 | 6;
    r->ram[REG_B] = B_24;
    r->ram[REG_D] = D_VRT;
    rtc_put_date(r, MAX(days + DAYS_TO_1970, 0));
    /* 1 January 1970 was a Thursday; Sunday is 1 */
    r->ram[DAY_OF_WEEK] = (uint8_t)(((days + 4) % 7 + 7) % 7 + 1);
    rtc_add_seconds(r, of_day);
    r->counted = rtc_now(r);
    r->second = r->counted - (wall - seconds * NS_PER_S);
}

/* RESET clears PIE, AIE, UIE and SQWE and the flags; time and memory stay [MC146818A, RESET pin]. */
static void rtc_reset(struct device *dev, enum reset_kind kind)
{
    struct mc146818 *r = container_of(dev, struct mc146818, dev);
    r->index = 0;
    wire_set(&r->nmi_off, false);
    if (kind == RESET_POWER)
        rtc_power_on(r);
    rtc_advance(r);
    r->ram[REG_B] &= (uint8_t)~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->ram[REG_C] = 0;
    mc146818_update_irq(r);
}

static bool rtc_restored(struct device *dev)
{
    struct mc146818 *r = container_of(dev, struct mc146818, dev);
    int64_t now = rtc_now(r);
    if (r->index >= SIZE || r->second > now || r->counted > now || r->second < now - INT64_MAX / 4)
        return false;
    return true;
}

static const struct state_field rtc_state[] = {
    FIELD(struct mc146818, index), FIELD_ARRAY(struct mc146818, ram), FIELD(struct mc146818, second),
    FIELD(struct mc146818, counted), FIELD(struct mc146818, alarm), FIELD(struct mc146818, periodic), END
};
static const struct property rtc_properties[] = {
    PROPERTY(struct mc146818, iobase, "0x70", "first of the two ports"), END
};
static const struct pin rtc_outputs[] = { PIN(struct mc146818, irq), PIN(struct mc146818, pm), PIN(struct mc146818, nmi_off), END };
const struct device_class mc146818_class = {
    .name = "mc146818", .summary = "real-time clock and CMOS memory", .size = sizeof(struct mc146818),
    .properties = rtc_properties, .outputs = rtc_outputs, .state = rtc_state, .state_version = 1,
    .init = rtc_init, .reset = rtc_reset, .restored = rtc_restored,
};
