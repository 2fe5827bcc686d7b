/* Intel 82371AB PIIX4, function 3: power management, as ACPI sees it.
 *
 * In a PC: PCI 00:01.3, 8086:7113. PMBA (40h) places 64 ports: PM1 status, enable and control, the 24-bit timer at
 * 3.579545 MHz. SMBBA (90h) places the SMBus host controller. SCI is ISA IRQ 9. Ports B2h/B3h (APM control and status) carry
 * the firmware's ACPI on and off commands. AFE0h holds general purpose event block 0 and AE00h the hot plug registers that
 * the firmware's tables describe. Input 0 is the power button, input 1 the clock's IRQ8.
 *
 * References: [PIIX4] 7.1-7.3: configuration, PM and SMBus registers; [ACPI 1.0b] 4.7 for PM1; [SeaBIOS] for GPE0, the commands
 * F1h and F0h, and the bits of 5Fh, 63h, 67h by which its tables tell which legacy ports exist.
 * Not modelled: SMI and SMM (DEVACTB bit 25 reads 1 from reset, so that firmware does not install a handler), clock control,
 * device monitors, suspend to RAM, SMBus slaves (the bus is empty: each transfer ends with a device error).
 */
#include "devices/pci.h"

enum { PMBA = 0x40, DEVACTB = 0x58, DEVRESA = 0x5c, DEVRESB = 0x60, DEVRESC = 0x64, PMREGMISC = 0x80, SMBBA = 0x90,
       SMBHSTCFG = 0xd2 };
enum { PMSTS = 0x00, PMEN = 0x02, PMCNTRL = 0x04, PMTMR = 0x08, GPSTS = 0x0c, GPEN = 0x0e, PM_PORTS = 0x40 };
enum { TMROF = 1 << 0, GBL = 1 << 5, PWRBTN = 1 << 8, RTC = 1 << 10, RSM = 1 << 15 };
enum { SCI_EN = 1 << 0, BRLD_EN = 1 << 1, SUS_TYP = 7 << 10, SUS_EN = 1 << 13 };
enum { SUS_OFF = 0 << 10, SUS_DISK = 2 << 10 };
enum { SMBHSTSTS = 0, SMBHSTCNT = 2, DEV_ERR = 1 << 2, SMB_START = 1 << 6, SMB_PORTS = 16 };
enum { APMC = 0xb2, ACPI_ENABLE = 0xf1, ACPI_DISABLE = 0xf0 };
enum { GPE0 = 0xafe0, HOTPLUG = 0xae00, HOTPLUG_PORTS = 0x14 };
enum { TIMER_HZ = 3579545, TIMER_HALF = 1 << 23 };

struct piix4_pm {
    struct device dev;
    struct pci_function pci;                    /* state */
    bool acpi, parallel;                        /* properties */
    uint8_t serial;
    struct wire sci;                            /* output pin */
    struct region *pm, *smb, *gpe, *hotplug;
    uint16_t pmsts, pmen, pmcntrl, gpests, gpeen;   /* state */
    uint8_t apm[2], registers[PM_PORTS], smbus[SMB_PORTS];
    bool button, alarm;
    int64_t halves;                             /* half periods of the timer that TMROF has seen */
    struct timer overflow;
};

static struct piix4_pm *pm_of(struct device *dev) { return container_of(dev, struct piix4_pm, dev); }

/* --- timer and SCI -------------------------------------------------------------------------------------------- */

static int64_t ticks(const struct piix4_pm *p)
{
    return muldiv(clock_now(&p->dev.machine->clock), TIMER_HZ, NS_PER_S);
}

/* The status bit is set at each change of the counter's highest bit [ACPI 1.0b, 4.7.2.1]. */
static void timer_look(struct piix4_pm *p)
{
    int64_t halves = ticks(p) / TIMER_HALF;
    if (halves != p->halves)
        p->pmsts |= TMROF;
    p->halves = halves;
}

static void pm_update_irq(struct piix4_pm *p)
{
    timer_look(p);
    bool event = p->pmsts & p->pmen & (TMROF | GBL | PWRBTN | RTC) || p->gpests & p->gpeen;
    wire_set(&p->sci, event && p->pmcntrl & SCI_EN && p->acpi);
    if (p->pmen & TMROF && !(p->pmsts & TMROF))
        timer_at(&p->dev.machine->clock, &p->overflow, muldiv((p->halves + 1) * TIMER_HALF, NS_PER_S, TIMER_HZ) + 1);
    else
        timer_stop(&p->dev.machine->clock, &p->overflow);
}

static void overflow_fire(void *chip)
{
    pm_update_irq(chip);
}

/* --- PM registers --------------------------------------------------------------------------------------------- */

static uint64_t pm_read(void *chip, uint64_t offset, unsigned size)
{
    struct piix4_pm *p = chip;
    uint8_t bytes[PM_PORTS];
    timer_look(p);
    memcpy(bytes, p->registers, sizeof(bytes));
    le16_put(bytes + PMSTS, p->pmsts);
    le16_put(bytes + PMEN, p->pmen);
    le16_put(bytes + PMCNTRL, p->pmcntrl);
    le32_put(bytes + PMTMR, (uint32_t)ticks(p) & 0xffffff);
    uint64_t value = 0;
    memcpy(&value, bytes + offset, size);
    return value;
}

static void sleep_enter(struct piix4_pm *p)
{
    switch (p->pmcntrl & SUS_TYP) {
    case SUS_OFF:
    case SUS_DISK:
        machine_stop(p->dev.machine, STOP_POWER_OFF);
        break;
    default:
        log_device(&p->dev, LOG_STUB, "sleep type %u is not modelled: the machine stays awake", p->pmcntrl >> 10 & 7);
        p->pmsts |= RSM;
    }
}

static void pm_write_byte(struct piix4_pm *p, unsigned offset, uint8_t byte)
{
    unsigned shift = 8 * (offset & 1);
    uint16_t keep = (uint16_t)(0xff00 >> shift), bits = (uint16_t)(byte << shift);
    switch (offset & ~1u) {
    case PMSTS: p->pmsts &= (uint16_t)~bits; break;
    case PMEN: p->pmen = (uint16_t)((p->pmen & keep) | (bits & (TMROF | GBL | PWRBTN | RTC))); break;
    case PMCNTRL:
        p->pmcntrl = (uint16_t)((p->pmcntrl & keep) | (bits & (SCI_EN | BRLD_EN | SUS_TYP)));
        if (bits & SUS_EN)
            sleep_enter(p);
        break;
    case PMTMR: case PMTMR + 2: break;
    case GPSTS: p->registers[offset] &= (uint8_t)~byte; break;
    default: p->registers[offset] = byte;
    }
}

static void pm_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *p = chip;
    timer_look(p);
    for (unsigned n = 0; n < size; n++)
        pm_write_byte(p, (unsigned)offset + n, (uint8_t)(value >> 8 * n));
    pm_update_irq(p);
}

/* --- the small blocks: GPE0, hot plug, APM, SMBus ------------------------------------------------------------- */

static uint64_t gpe_read(void *chip, uint64_t offset, unsigned size)
{
    struct piix4_pm *p = chip;
    (void)size;
    return (uint8_t)((offset & 2 ? p->gpeen : p->gpests) >> 8 * (offset & 1));
}

static void gpe_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *p = chip;
    (void)size;
    unsigned shift = 8 * (offset & 1);
    uint16_t keep = (uint16_t)(0xff00 >> shift), bits = (uint16_t)((value & 0xff) << shift);
    if (offset & 2)
        p->gpeen = (uint16_t)((p->gpeen & keep) | bits);
    else
        p->gpests &= (uint16_t)~bits;
    pm_update_irq(p);
}

/* Nothing was plugged in or out, and nothing can be. */
static uint64_t hotplug_read(void *chip, uint64_t offset, unsigned size)
{
    (void)chip, (void)offset, (void)size;
    return 0;
}

static void hotplug_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    (void)chip, (void)offset, (void)size, (void)value;
}

static uint64_t apm_read(void *chip, uint64_t offset, unsigned size)
{
    struct piix4_pm *p = chip;
    (void)size;
    return p->apm[offset];
}

static void apm_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *p = chip;
    (void)size;
    p->apm[offset] = (uint8_t)value;
    if (offset == 0 && p->acpi) {
        if (value == ACPI_ENABLE)
            p->pmcntrl |= SCI_EN;
        else if (value == ACPI_DISABLE)
            p->pmcntrl &= (uint16_t)~SCI_EN;
    }
    pm_update_irq(p);
}

static uint64_t smb_read(void *chip, uint64_t offset, unsigned size)
{
    struct piix4_pm *p = chip;
    (void)size;
    return p->smbus[offset];
}

static void smb_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct piix4_pm *p = chip;
    (void)size;
    if (offset == SMBHSTSTS) {
        p->smbus[SMBHSTSTS] &= (uint8_t)~value;
        return;
    }
    p->smbus[offset] = (uint8_t)value;
    if (offset == SMBHSTCNT && value & SMB_START) {
        p->smbus[SMBHSTCNT] &= (uint8_t)~SMB_START;
        p->smbus[SMBHSTSTS] |= DEV_ERR;
    }
}

static const struct io_ops pm_ops = { pm_read, pm_write, IO_8 | IO_16 | IO_32 };
static const struct io_ops gpe_ops = { gpe_read, gpe_write, IO_8 };
static const struct io_ops hotplug_ops = { hotplug_read, hotplug_write, IO_8 | IO_16 | IO_32 };
static const struct io_ops apm_ops = { apm_read, apm_write, IO_8 };
static const struct io_ops smb_ops = { smb_read, smb_write, IO_8 };

/* --- configuration -------------------------------------------------------------------------------------------- */

static void place(struct region *r, unsigned base, bool on)
{
    region_enable(r, false);
    region_move(r, base);
    region_enable(r, on && base);
}

static void map_update(struct piix4_pm *p)
{
    const uint8_t *c = p->pci.config;
    place(p->pm, le16_get(c + PMBA) & 0xffc0, p->acpi && c[PMREGMISC] & 1);
    place(p->smb, le16_get(c + SMBBA) & 0xfff0, p->acpi && c[SMBHSTCFG] & 1);
}

static void pm_written(void *chip) { map_update(chip); }

static void pm_input(struct device *dev, unsigned pin, bool level)
{
    struct piix4_pm *p = pm_of(dev);
    bool *input = pin ? &p->alarm : &p->button;
    if (pin > 1 || *input == level)
        return;
    *input = level;
    if (level)
        p->pmsts |= pin ? RTC : PWRBTN;
    pm_update_irq(p);
}

static bool pm_init(struct device *dev, struct error *err)
{
    static const struct pci_identity identity = { 0x8086, 0x7113, 0x068000, 0x03, 0x1af4, 0x1100, 1, 0x0280 };
    struct piix4_pm *p = pm_of(dev);
    struct space *ports = dev->machine->ports;
    if (!pci_function_init(&p->pci, dev, &identity, 1, 3, err))
        return false;
    uint8_t *w = p->pci.writable;
    p->pci.written = pm_written;
    le16_put(w + PMBA, 0xffc0);
    memset(w + 0x44, 0xff, 0x7d - 0x44);
    w[PMREGMISC] = 1;
    le16_put(w + SMBBA, 0xfff0);
    w[SMBHSTCFG] = 0x0f;
    memset(w + SMBHSTCFG + 1, 0xff, 3);
    timer_init(&p->overflow, overflow_fire, p);
    p->pm = space_map_io(ports, 0, PM_PORTS, &pm_ops, p, 1);
    p->smb = space_map_io(ports, 0, SMB_PORTS, &smb_ops, p, 1);
    region_enable(p->pm, false);
    region_enable(p->smb, false);
    p->gpe = space_map_io(ports, GPE0, 4, &gpe_ops, p, 0);
    p->hotplug = space_map_io(ports, HOTPLUG, HOTPLUG_PORTS, &hotplug_ops, p, 0);
    space_map_io(ports, APMC, 2, &apm_ops, p, 0);
    region_enable(p->gpe, p->acpi);
    region_enable(p->hotplug, p->acpi);
    pci_function_hide(&p->pci, !p->acpi);
    return true;
}

static void pm_reset(struct device *dev, enum reset_kind kind)
{
    struct piix4_pm *p = pm_of(dev);
    (void)kind;
    uint8_t *c = p->pci.config;
    c[PMBA] = c[SMBBA] = 1;
    le32_put(c + DEVACTB, BIT(25));
    c[DEVRESA + 3] = 0x10 | (p->parallel ? 0x80 : 0);
    c[DEVRESB + 3] = 0x60;
    c[DEVRESC + 3] = (uint8_t)((p->serial > 0 ? 0x08 : 0) | (p->serial > 1 ? 0x90 : 0));
    p->pmsts = p->pmen = p->pmcntrl = p->gpests = p->gpeen = 0;
    memset(p->apm, 0, sizeof(p->apm));
    memset(p->registers, 0, sizeof(p->registers));
    memset(p->smbus, 0, sizeof(p->smbus));
    p->halves = ticks(p) / TIMER_HALF;
    map_update(p);
    pm_update_irq(p);
}

static bool pm_restored(struct device *dev)
{
    map_update(pm_of(dev));
    return true;
}

static const struct state_field pm_state[] = {
    PCI_STATE(struct piix4_pm, pci), FIELD(struct piix4_pm, pmsts), FIELD(struct piix4_pm, pmen),
    FIELD(struct piix4_pm, pmcntrl), FIELD(struct piix4_pm, gpests), FIELD(struct piix4_pm, gpeen),
    FIELD_ARRAY(struct piix4_pm, apm), FIELD_ARRAY(struct piix4_pm, registers), FIELD_ARRAY(struct piix4_pm, smbus),
    FIELD(struct piix4_pm, button), FIELD(struct piix4_pm, halves), FIELD(struct piix4_pm, overflow),
    FIELD_SINCE(2, struct piix4_pm, alarm), END
};
static const struct property pm_properties[] = {
    PROPERTY(struct piix4_pm, acpi, "on", "off hides the function: firmware then makes no ACPI tables"),
    PROPERTY(struct piix4_pm, serial, "2", "serial ports that the firmware's tables name"),
    PROPERTY(struct piix4_pm, parallel, "off", "a parallel port that the firmware's tables name"), END
};
static const struct pin pm_outputs[] = { PIN(struct piix4_pm, sci), END };

const struct device_class piix4_pm_class = {
    .name = "piix4_pm", .summary = "PIIX4 power management: ACPI events, timer, power button", .size = sizeof(struct piix4_pm),
    .properties = pm_properties, .outputs = pm_outputs, .state = pm_state, .state_version = 2,
    .init = pm_init, .reset = pm_reset, .restored = pm_restored, .input = pm_input,
};
