/* The i440FX PC: which chips there are, and how their pins are connected. Nothing is modelled here.
 *
 * ISA interrupts run through the PIIX3, which ORs PCI's onto them and feeds both the 8259 pair and the I/O APIC. */
#include "boards/i440fx.h"
#include "devices/i82077.h"
#include "devices/i82093aa.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/port61.h"
#include "devices/ps2.h"
#include "devices/serial.h"
#include "devices/vmport.h"
#include "engine/engine.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ISA_IRQ0 = 128, A20_KEYBOARD = 144, A20_PORT92 = 145, FERR = 146, ISA_SECOND0 = 147 };     /* inputs of the PIIX3 */
#define VGA_FIRMWARE "/usr/share/seabios/vgabios-stdvga.bin"

/* Adds a device with the board's options, then those of the profile's section of the same name. */
__attribute__((format(printf, 5, 6)))
static struct device *add(struct board *b, const char *class, const char *id, struct error *err, const char *fmt, ...)
{
    char options[1024];
    va_list args;
    va_start(args, fmt);
    size_t n = (size_t)vsnprintf(options, sizeof(options), fmt, args);
    va_end(args);
    const struct profile *p = b->config->profile;
    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        if (strcmp(s->section, id))
            continue;
        if (strchr(s->value, ',') || n + strlen(s->key) + strlen(s->value) + 3 > sizeof(options)) {
            error_set(err, EINVAL, "[%s] %s: the value has a comma or is too long; choose another", id, s->key);
            return NULL;
        }
        n += (size_t)sprintf(options + n, ",%s=%s", s->key, s->value);
    }
    return machine_add(b->machine, class, id, options, err);
}

/* A wire that cannot be connected is a mistake in this file. */
static void wire(struct board *b, const char *from, const char *output, const char *to, unsigned pin)
{
    bool connected = machine_wire(b->machine, from, output, to, pin);
    assert(connected);
    (void)connected;
}

static void wire_irq(struct board *b, const char *from, const char *output, unsigned irq)
{
    wire(b, from, output, "piix3", ISA_IRQ0 + irq);
}

static bool add_bridges(struct board *b, struct error *err)
{
    return add(b, "pci", "pci0", err, "%s", "") &&
           add(b, "i82441fx", "pmc", err, "low=%llu", (unsigned long long)b->low) &&
           add(b, "piix3_isa", "piix3", err, "%s", "") &&
           (b->pic = add(b, "i8259", "pic1", err, "%s", "")) &&
           add(b, "i8259", "pic2", err, "iobase=0xa0,elcr_port=0x4d1,master=off") &&
           (b->ioapic = add(b, "i82093aa", "ioapic", err, "%s", ""));
}

static void wire_interrupts(struct board *b)
{
    char output[16];
    for (unsigned n = 0; n < 16; n++) {
        if (n == 2)
            continue;
        snprintf(output, sizeof(output), "irq%u", n);
        wire(b, "piix3", output, n < 8 ? "pic1" : "pic2", n & 7);
        snprintf(output, sizeof(output), "apic%u", n);
        wire(b, "piix3", output, "ioapic", n ? n : 2);  /* the timer is at INTIN2, as the firmware's tables say */
    }
    wire(b, "pic2", "int", "pic1", 2);
    i8259_cascade(b->pic, machine_find(b->machine, "pic2"));
}

static bool add_system(struct board *b, struct error *err)
{
    struct device *pit, *port61;
    if (!(pit = add(b, "i8254", "pit", err, "%s", "")) || !(port61 = add(b, "port61", "port61", err, "%s", "")) ||
        !add(b, "speaker", "speaker", err, "%s", "") || !add(b, "i8237", "dma", err, "%s", "") ||
        !(b->cmos = add(b, "mc146818", "rtc", err, "%s", "")) || !add(b, "port92", "port92", err, "%s", ""))
        return false;
    wire_irq(b, "pit", "out0", 0);
    wire(b, "pit", "out2", "port61", PORT61_OUT2);
    wire(b, "pic1", "ack0", "pit", I8254_ACK0);
    wire(b, "ioapic", "ack2", "pit", I8254_ACK0);
    wire(b, "port61", "gate2", "pit", I8254_GATE2);
    wire(b, "port61", "speaker", "speaker", SPEAKER_IN);
    port61_connect(port61, i8254_out2, pit);
    wire_irq(b, "rtc", "irq", 8);
    wire(b, "rtc", "nmi_off", "port61", PORT61_NMI_OFF);
    wire(b, "port92", "a20", "piix3", A20_PORT92);
    return true;
}

static bool add_keyboard(struct board *b, struct error *err)
{
    struct device *kbc = add(b, "i8042", "kbc", err, "%s", "");
    struct device *keyboard = kbc ? add(b, "ps2_keyboard", "keyboard", err, "%s", "") : NULL;
    struct device *mouse = keyboard ? add(b, "ps2_mouse", "mouse", err, "%s", "") : NULL;
    if (!mouse)
        return false;
    ps2_keyboard_plug(keyboard, i8042_port(kbc, 0));
    ps2_mouse_plug(mouse, i8042_port(kbc, 1));
    wire_irq(b, "kbc", "irq1", 1);
    wire_irq(b, "kbc", "irq12", 12);
    wire(b, "kbc", "a20", "piix3", A20_KEYBOARD);
    return true;
}

static bool add_power(struct board *b, struct error *err)
{
    bool acpi = b->machine_profile.acpi;
    b->pm = add(b, "piix4_pm", "pm", err, "acpi=%s,serial=2,parallel=1", acpi ? "on" : "off");
    if (!b->pm || !add(b, "bochs_shutdown", "shutdown", err, "%s", ""))
        return false;
    wire_irq(b, "pm", "sci", 9);
    wire(b, "rtc", "pm", "pm", 1);
    return true;
}

/* The profile's value; NULL: it says nothing of it. */
static const char *setting(struct board *b, const char *section, const char *key)
{
    const char *value = profile_get(b->config->profile, section, key);
    return value && *value ? value : NULL;
}

/* COM1 and COM2 are there, the others where something is plugged in. "mouse:KIND" is a device of ours. */
static bool add_serial(struct board *b, struct error *err)
{
    static const uint16_t bases[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    for (unsigned n = 0; n < ARRAY_SIZE(bases); n++) {
        char id[] = "serial1";
        id[6] = (char)('1' + n);
        const char *to = setting(b, id, "to");
        if (n > 1 && !to)
            continue;
        struct device *port = add(b, "ns16550a", id, err, "iobase=%u,port=%u", bases[n], n);
        if (!port)
            return false;
        wire(b, id, "irq", "piix3", (n < 2 ? ISA_SECOND0 : ISA_IRQ0) + (n & 1 ? 3 : 4));
        if (!to || strncmp(to, "mouse", 5))
            continue;
        struct device *mouse = add(b, "serial_mouse", "sermouse", err, "kind=%s", to[5] == ':' ? to + 6 : "microsoft");
        if (!mouse)
            return error_prefix(err, "%s.to", id);
        ns16550a_plug(port, serial_mouse_end(mouse));
    }
    return true;
}

static bool add_parallel(struct board *b, struct error *err)
{
    static const struct { uint16_t base; uint8_t irq; } ports[] = { { 0x378, 7 }, { 0x278, 5 }, { 0x3bc, 7 } };
    for (unsigned n = 0; n < ARRAY_SIZE(ports); n++) {
        char id[] = "parallel1";
        id[8] = (char)('1' + n);
        if (n && !setting(b, id, "to"))
            continue;
        if (!add(b, "pc87332_lpt", id, err, "iobase=%u,port=%u,irq-number=%u", ports[n].base, n, ports[n].irq))
            return false;
        wire(b, id, "irq", "piix3", (n < 2 ? ISA_SECOND0 : ISA_IRQ0) + ports[n].irq);
    }
    return true;
}

static bool add_ports(struct board *b, struct error *err)
{
    const struct machine_config *config = b->config;
    if (!add_serial(b, err) || !add_parallel(b, err) || !add(b, "vmport", "vmport", err, "%s", "") || !add(b, "debugcon", "debugcon", err, "%s", "") || !(b->fw_cfg = add(b, "fw_cfg", "fw_cfg", err, "%s", "")))
        return false;
    if (config->debug_port && config->debug_port != 0x402 &&
        !add(b, "debugcon", "debugport", err, "iobase=%u", config->debug_port))
        return false;
    return !b->machine_profile.debug_exit || (add(b, "isa_exit", "exit", err, "%s", "") && add(b, "isa_exit", "exit2", err, "iobase=0xf4"));
}

static bool add_video(struct board *b, struct error *err)
{
    const char *rom = b->config->vga_firmware ? b->config->vga_firmware : b->machine_profile.vga_firmware;
    if (!rom || !*rom)
        rom = VGA_FIRMWARE;
    if (strchr(rom, ','))
        return error_set(err, EINVAL, "the path of the video BIOS %s must not have a comma", rom);
    return add(b, "bochs_vga", "vga", err, "slot=2,romfile=%s", rom);
}

/* --- drives --------------------------------------------------------------------------------------------------- */

struct drive *board_drive(struct board *b, const char *id)
{
    for (unsigned n = 0; n < b->drives; n++)
        if (!strcmp(b->drive[n].id, id))
            return &b->drive[n];
    return NULL;
}

/* An image that a reader has cut short, or a little too long, is read as the next format. */
static struct block *floppy_medium(struct block *medium, struct error *err)
{
    uint64_t size = floppy_format_of(medium->size) ? medium->size : floppy_size_for(medium->size);
    if (!size) {
        error_set(err, EINVAL, "no floppy disk has %llu bytes; 160 KB to 2.88 MB are known", (unsigned long long)medium->size);
        return NULL;
    }
    return size == medium->size ? medium : block_open_padded(medium, size, err);
}

/* A disk ends with a whole sector, whatever its file does. */
static struct block *sectors_medium(const struct drive *d, struct block *medium, struct error *err)
{
    uint64_t sector = d->id[0] == 'c' ? 2048 : 512;
    return medium->size % sector && !medium->disc ? block_open_padded(medium, align_up(medium->size, sector), err) : medium;
}

bool board_insert(struct board *b, struct drive *d, struct block *block, struct error *err)
{
    bool floppy = d->id[0] == 'f';
    struct block *medium = !block ? NULL : floppy ? floppy_medium(block, err) : sectors_medium(d, block, err);
    if (block && !medium)
        return false;
    if (medium && !floppy)                      /* the floppy controller reads a sector at a time, at once */
        block_attach(medium, b->pool);
    if (!d->dev->class->media(d->dev, d->unit, medium, err)) {
        if (medium != block) {                  /* the caller still has its own layer */
            medium->below = NULL;
            block_close(medium);
        } else if (medium) {
            block_attach(medium, NULL);
        }
        return false;
    }
    block_close(d->block);
    d->block = medium;
    return true;
}

__attribute__((format(printf, 8, 9)))
static bool drive_add(struct board *b, const char *id, struct device *dev, unsigned number, bool removable, struct block *block,
                      struct error *err, const char *path, ...)
{
    struct drive *d = &b->drive[b->drives];
    va_list args;
    assert(b->drives < DRIVES_MAX);
    *d = (struct drive){ .dev = dev, .unit = removable ? number : 0, .disk = number, .removable = removable };
    snprintf(d->id, sizeof(d->id), "%s", id);
    va_start(args, path);
    vsnprintf(d->path, sizeof(d->path), path, args);
    va_end(args);
    b->drives++;
    return !block || board_insert(b, d, block, err);
}

static bool add_floppies(struct board *b, struct error *err)
{
    const struct machine_config *config = b->config;
    struct device *fdc = add(b, "i82077", "fdc", err, "drive0=%s,drive1=%s", config->no_floppy ? "none" : "auto",
                             config->floppy[1].block ? "auto" : "none");
    if (!fdc)
        return false;
    wire_irq(b, "fdc", "irq", 6);
    i82077_connect_dma(fdc, i8237_channel(machine_find(b->machine, "dma"), 2));
    for (unsigned n = 0; n < MACHINE_FLOPPIES; n++) {
        char id[] = "floppy0";
        id[6] = (char)('0' + n);
        if (n ? config->floppy[1].block != NULL : !config->no_floppy)
            if (!drive_add(b, id, fdc, n, true, config->floppy[n].block, err, "/pci@i0cf8/isa@1/fdc@03f0/floppy@%u", n))
                return false;
        b->cmos_value[0x10] |= (uint8_t)(i82077_drive_type(fdc, n) << (n ? 0 : 4));
    }
    return true;
}

/* What a disk reports of itself: the profile's, or ours; the geometry as it was partitioned, if that can be seen. */
static void disk_identity(struct board *b, unsigned n, char *options, size_t size, unsigned heads_max)
{
    struct board_disk *k = &b->disk[n];
    uint32_t heads = k->heads, sectors = k->sectors;
    char serial[24];
    snprintf(serial, sizeof(serial), "HD%08u", n + 1);
    if (!heads && geometry_guess(b->config->disk[n].block, &heads, &sectors)) {
        k->heads = heads;                       /* firmware's translation, which may have more than the drive's 16 */
        k->sectors = sectors;
    }
    bool native = k->heads && k->heads <= heads_max;
    snprintf(options, size, "cylinders=%u,heads=%u,sectors=%u,model=%s,serial=%s,firmware=%s", native ? k->cylinders : 0,
             native ? k->heads : 0, native ? k->sectors : 0, *k->model ? k->model : "HOLDOVER HARDDISK", *k->serial ? k->serial : serial,
             *k->firmware ? k->firmware : "1.0");
}

static bool add_disk(struct board *b, unsigned n, unsigned place, struct error *err)
{
    char id[] = "ide0-0", options[256];
    id[3] = (char)('0' + place / 2);
    id[5] = (char)('0' + place % 2);
    disk_identity(b, n, options, sizeof(options), 16);
    struct device *dev = add(b, "ata_disk", id, err, "channel=ide%u,unit=%u,%s", place / 2, place % 2, options);
    return dev && drive_add(b, id, dev, n, false, b->config->disk[n].block, err, "/pci@i0cf8/ide@1,1/drive@%u/disk@%u", place / 2, place % 2);
}

/* Disks take hda, hdb, hdc, hdd in turn, but hdc is the CD-ROM's when there is one. */
static bool add_ide(struct board *b, struct error *err)
{
    const struct machine_config *config = b->config;
    bool cdrom = (config->has_cdrom || config->cdrom.block) && !b->scsi_profile.cdrom;
    if (!add(b, "ata_channel", "ide0", err, "iobase=0x1f0,control=0x3f6") ||
        !add(b, "ata_channel", "ide1", err, "iobase=0x170,control=0x376") ||
        !add(b, "piix3_ide", "ide", err, "%s", ""))
        return false;
    wire_irq(b, "ide0", "irq", 14);
    wire_irq(b, "ide1", "irq", 15);
    unsigned place = 0;
    for (unsigned n = 0; n < MACHINE_DISKS; n++) {
        if (!config->disk[n].block || board_disk_scsi(b, n))
            continue;
        if (cdrom && place == 2)
            place++;
        if (place > 3)
            return error_set(err, EINVAL, "with a CD-ROM drive there is room for three disks; leave one out");
        if (!add_disk(b, n, place++, err))
            return false;
    }
    if (!cdrom)
        return true;
    struct device *dev = add(b, "atapi_cdrom", "cdrom0", err, "channel=ide1,unit=0");
    return dev && drive_add(b, "cdrom0", dev, 0, true, config->cdrom.block, err, "/pci@i0cf8/ide@1,1/drive@1/disk@0");
}

bool board_disk_scsi(const struct board *b, unsigned disk) { return !strcmp(b->disk[disk].bus, "scsi"); }

static const struct scsi_card { const char *name, *class, *options; } scsi_cards[] = {
    { "am53c974", "am53c974", "" }, { "lsi53c895a", "lsi53c8xx", "" }, { "lsi53c810", "lsi53c8xx", ",chip=53c810" },
    { "buslogic", "buslogic", "" },
};
enum { SCSI_SLOT = 5 };

static bool scsi_wanted(const struct board *b)
{
    bool wanted = b->scsi_profile.cdrom && (b->config->has_cdrom || b->config->cdrom.block);
    for (unsigned n = 0; n < MACHINE_DISKS; n++)
        wanted = wanted || (b->config->disk[n].block && board_disk_scsi(b, n));
    return wanted;
}

static bool add_scsi_drives(struct board *b, struct error *err)
{
    const struct machine_config *config = b->config;
    char id[12], options[256];
    for (unsigned n = 0; n < MACHINE_DISKS; n++) {
        if (!config->disk[n].block || !board_disk_scsi(b, n))
            continue;
        unsigned target = b->disk[n].id == 255 ? n : b->disk[n].id;
        snprintf(id, sizeof(id), "scsi0-%u", target);
        disk_identity(b, n, options, sizeof(options), 255);
        struct device *dev = add(b, "scsi_disk", id, err, "id=%u,%s", target, options);
        if (!dev || !drive_add(b, id, dev, n, false, config->disk[n].block, err, "/pci@i0cf8/scsi@%u/channel@0/disk@%x,0", SCSI_SLOT, target))
            return false;
    }
    return true;
}

static bool add_scsi_cdrom(struct board *b, struct error *err)
{
    const struct profile_scsi *p = &b->scsi_profile;
    if (!p->cdrom || (!b->config->has_cdrom && !b->config->cdrom.block))
        return true;
    struct device *dev = add(b, "scsi_cdrom", "cdrom0", err, "id=%u", p->cdrom_id);
    return dev && drive_add(b, "cdrom0", dev, 0, true, b->config->cdrom.block, err, "/pci@i0cf8/scsi@%u/channel@0/disk@%x,0", SCSI_SLOT,
                            p->cdrom_id);
}

static bool add_scsi(struct board *b, struct error *err)
{
    const char *name = b->scsi_profile.card;
    const struct scsi_card *card = NULL;
    if (!strcmp(name, "none"))
        return !scsi_wanted(b) || error_set(err, EINVAL, "a drive is on the SCSI bus, but there is no adapter; set scsi.card");
    for (unsigned n = 0; n < ARRAY_SIZE(scsi_cards); n++)
        if (!strcmp(scsi_cards[n].name, name))
            card = &scsi_cards[n];
    if (!card)
        return error_set(err, EINVAL, "there is no SCSI adapter '%s'; scsi.card is none, am53c974, lsi53c895a, lsi53c810 or buslogic", name);
    if (!add(b, "scsi_bus", "scsi0", err, "%s", "") || !add(b, card->class, "hba", err, "slot=%u%s", SCSI_SLOT, card->options))
        return false;
    wire(b, "hba", "intx", "piix3", SCSI_SLOT * 4);
    return add_scsi_drives(b, err) && add_scsi_cdrom(b, err);
}

/* --- network -------------------------------------------------------------------------------------------------- */

/* The names of net.card that are not a class's own. */
static const struct { const char *card, *class, *options; } cards[] = {
    { "pcnet", "am79c970a", "variant=970" }, { "pcnet-fast", "am79c970a", "variant=973" }, { "dec21140", "dec21140", "" },
    { "tulip", "dec21140", "" }, { "e1000", "i82540em", "variant=540" }, { "i82543gc", "i82540em", "variant=543" },
};

static const uint8_t *property_u8(struct device *dev, const char *name)
{
    const struct property *p = property_find(dev->class->properties, name);
    return p ? (const uint8_t *)dev + p->offset : NULL;
}

/* One address for one name, in the range that is nobody's. */
void machine_mac(const char *name, char text[18])
{
    uint32_t hash = 2166136261u;                /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    snprintf(text, 18, "02:48:4f:%02x:%02x:%02x", hash >> 16 & 0xff, hash >> 8 & 0xff, hash & 0xff);
}

static bool add_card(struct board *b, struct error *err)
{
    const struct profile_net *p = &b->net_profile;
    const char *class = p->card, *options = "";
    char mac[18];
    for (unsigned n = 0; n < ARRAY_SIZE(cards); n++)
        if (!strcmp(cards[n].card, p->card)) {
            class = cards[n].class;
            options = cards[n].options;
        }
    const struct device_class *found = device_class_find(class);
    if (!found || !found->net)
        return error_set(err, ENODEV, "there is no net.card '%s'; it is none, pcnet, pcnet-fast, ne2000, rtl8029, rtl8139, dec21140, e1000 or i82543gc",
                         p->card);
    if (*p->rom && (strchr(p->rom, ',') || !property_find(found->properties, "romfile")))
        return error_set(err, EINVAL, "net.rom: %s", strchr(p->rom, ',') ? "the path must not have a comma" : "this card has no ROM socket");
    machine_mac(b->config->name ? b->config->name : "", mac);
    struct device *dev = add(b, class, "net0", err, "%s%smac=%s%s%s", options, *options ? "," : "", *p->mac ? p->mac : mac,
                             *p->rom ? ",romfile=" : "", p->rom);
    if (!dev)
        return false;
    if (property_u8(dev, "slot"))
        wire(b, "net0", "intx", "piix3", *property_u8(dev, "slot") % 32 * 4);
    else
        wire_irq(b, "net0", "irq", *property_u8(dev, "irq") % 16);
    if (b->net)
        net_plug(b->net, net_port_of(dev));
    return true;
}

static bool add_network(struct board *b, struct error *err)
{
    const struct profile_net *p = &b->net_profile;
    struct net_config config = { p->mode, p->guest, p->gateway, p->netmask, p->dns, p->forward, p->capture, p->outside, p->host };
    if (!strcmp(p->card, "none"))
        return !strcmp(p->mode, "off") || error_set(err, EINVAL, "net.mode is '%s' but there is no network card; set net.card", p->mode);
    return net_open(b->machine, &config, !b->machine->real_time, &b->net, err) && add_card(b, err);
}

/* --- memory and firmware -------------------------------------------------------------------------------------- */

/* The ROM ends at 4 GiB; its last 128 KiB, or all of a smaller one, also end at 1 MiB, under the shadow RAM. */
static void map_firmware(struct board *b)
{
    struct space *memory = b->machine->memory;
    size_t size = b->firmware_size, low = MIN(size, (size_t)128 << 10);
    space_map_ram(memory, (1ull << 32) - size, size, b->firmware, RAM_SECOND, 1);
    space_map_ram(memory, (1u << 20) - low, low, b->firmware + size - low, RAM_SECOND, 1);
}

bool i440fx_build(struct board *b, struct error *err)
{
    map_firmware(b);
    if (!add_bridges(b, err))
        return false;
    wire_interrupts(b);
    return add_system(b, err) && add_keyboard(b, err) && add_power(b, err) && add_ports(b, err) && add_video(b, err) &&
           add_floppies(b, err) && add_ide(b, err) && add_scsi(b, err) && add_network(b, err);
}

/* --- the CPU -------------------------------------------------------------------------------------------------- */

static int board_intack(void *board)
{
    return i8259_acknowledge(((struct board *)board)->pic);
}

static void board_eoi(void *board, uint8_t vector)
{
    i82093aa_eoi(((struct board *)board)->ioapic, vector);
}

bool i440fx_add_cpu(struct board *b, const char *engine_name, struct error *err)
{
    struct machine *m = b->machine;
    const struct profile_cpu *p = &b->cpu_profile;
    const struct engine *engine = engine_find(engine_name, err);
    if (!engine)
        return false;
    if (p->count > 1)
        return error_set(err, EINVAL, "cpu.count is %u, but this board has one socket; set it to 1", p->count);
    char features[256];                         /* commas separate the device's options: blanks serve as well */
    bool firmware = !b->config->firmware && !*b->machine_profile.firmware;
    /* QUIRK(386-seabios): this firmware executes BSWAP and WBINVD, which came with the 486 */
    snprintf(features, sizeof(features), "%s%s", firmware && !strcmp(p->model, "386") ? "+bswap " : "", p->features);
    for (char *comma = features; (comma = strchr(comma, ','));)
        *comma = ' ';
    struct device *dev = add(b, "cpu", "cpu0", err, "model=%s,features=%s,clock=%llu,cpuid-max=%u", p->model, features,
                             (unsigned long long)p->clock, p->cpuid_max);
    if (!dev)
        return false;
    struct cpu *c = cpu_of(dev);
    c->pins.board = b;
    c->pins.intack = board_intack;
    c->pins.eoi = board_eoi;
    c->engine = engine;
    c->code_cache = b->translator_profile.cache;
    c->dos_idle = p->dos_idle;
    c->tsc_after_post = !b->machine_profile.acpi;
    c->perf_map = b->translator_profile.perf_map;
    c->no_windows = !b->translator_profile.windows;
    if (!engine->attach(c, err))
        return false;
    m->cpus[m->cpu_count++] = dev;
    m->cpu_ops = &engine_cpu_ops;
    wire(b, "pic1", "int", "cpu0", CPU_INTR);
    wire(b, "port61", "nmi", "cpu0", CPU_NMI);
    wire(b, "piix3", "a20m", "cpu0", CPU_A20);
    wire(b, "piix3", "ignne", "cpu0", CPU_IGNNE);
    wire(b, "cpu0", "ferr_out", "piix3", FERR);
    vmport_connect(machine_find(m, "vmport"), c->gpr, c->tsc_hz, -b->utc_offset / 60, ps2_mouse_nudge, machine_find(m, "mouse"));
    return true;
}
