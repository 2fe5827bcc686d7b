/* From a profile to a machine that can run: settings, firmware, RAM, board, CPU; and the calls of hypervisor.h. */
#include "boards/direct_boot.h"
#include "boards/i440fx.h"
#include "devices/cdrom.h"
#include "devices/mc146818.h"
#include "engine/engine.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { MEMORY_MIN = 2 << 20, HOLE = 0x20000000, CMOS_SHUTDOWN = 0x0f };
#define FIRMWARE "/usr/share/seabios/bios-256k.bin"
#define COUNTED_DATE "2000-01-01"               /* a counted run depends on nothing of the host */
#define GIB (1ull << 30)
#define MEMORY_MAX (60 * GIB)

const struct property board_disk_properties[] = {
    PROPERTY(struct board_disk, cylinders, "0", "cylinders; 0: from the size"),
    PROPERTY(struct board_disk, heads, "0", "heads that programs see, up to 255; 0: from the partition table"),
    PROPERTY(struct board_disk, sectors, "0", "sectors a track, up to 63; 0: from the partition table"),
    PROPERTY(struct board_disk, bus, "ide", "ide or scsi"),
    PROPERTY(struct board_disk, id, "255", "SCSI ID, 0 to 6 or 8 to 15; 255: the disk's number"),
    PROPERTY(struct board_disk, model, "", "model number that the disk reports"),
    PROPERTY(struct board_disk, serial, "", "serial number"),
    PROPERTY(struct board_disk, firmware, "", "firmware revision"), END
};

/* --- settings ------------------------------------------------------------------------------------------------- */

static bool read_profile(struct board *b, struct error *err)
{
    const struct profile *p = b->config->profile;
    if (!profile_apply(p, "machine", profile_machine_properties, &b->machine_profile, err) ||
        !profile_apply(p, "cpu", profile_cpu_properties, &b->cpu_profile, err) ||
        !profile_apply(p, "translator", profile_translator_properties, &b->translator_profile, err) ||
        !profile_apply(p, "scsi", profile_scsi_properties, &b->scsi_profile, err) ||
        !profile_apply(p, "smbios", profile_smbios_properties, &b->smbios, err) ||
        !profile_apply(p, "net", profile_net_properties, &b->net_profile, err))
        return false;
    for (unsigned n = 0; n < MACHINE_DISKS; n++) {
        char section[] = "disk0";
        section[4] = (char)('0' + n);
        struct board_disk *k = &b->disk[n];
        if (!profile_apply(p, section, board_disk_properties, k, err))
            return false;
        if (k->heads > 255 || k->sectors > 63 || !k->heads != !k->sectors)
            return error_set(err, EINVAL, "[%s]: heads (1 to 255) and sectors (1 to 63) are set both or neither", section);
    }
    for (unsigned n = 0; n < MACHINE_DISKS; n++)
        if (!board_disk_scsi(b, n) && strcmp(b->disk[n].bus, "ide"))
            return error_set(err, EINVAL, "there is no bus '%s'; disk%u.bus is ide or scsi", b->disk[n].bus, n);
    if (strcmp(b->machine_profile.board, "i440fx"))
        return error_set(err, EINVAL, "there is no board '%s'; machine.board is i440fx", b->machine_profile.board);
    const char *clock = b->machine_profile.clock;
    b->counted = b->config->virtual_time || b->cpu_profile.icount || !strcmp(clock, "counted");
    if (!parse_time(b->machine_profile.disk_latency, &b->disk_latency) || b->disk_latency > NS_PER_S)
        return error_set(err, EINVAL, "machine.disk-latency '%s' is not a time from 0 to 1s, as 200us or 8ms", b->machine_profile.disk_latency);
    uint64_t size = b->machine_profile.memory;
    if (size < MEMORY_MIN || size > MEMORY_MAX || size % 4096)
        return error_set(err, EINVAL, "machine.memory is 2M to 60G, in steps of 4K");
    return true;
}

/* Sections that are neither fixed nor a device's would silently do nothing. Those of drives may: a run can be without. */
static bool check_sections(struct board *b, struct error *err)
{
    const struct profile *p = b->config->profile;
    for (size_t i = 0; i < p->count; i++) {
        const struct setting *s = &p->settings[i];
        bool disk = !strncmp(s->section, "disk", 4) && s->section[4] >= '0' && s->section[4] < '0' + MACHINE_DISKS && !s->section[5];
        bool absent = !strcmp(s->section, "cdrom0") || !strcmp(s->section, "floppy0") || !strcmp(s->section, "floppy1");
        if (disk || absent || profile_section_find(s->section) || machine_find(b->machine, s->section))
            continue;
        return error_set(err, EINVAL, "[%s]: this machine has no such device", s->section);
    }
    return true;
}

/* "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SS", or the host's time: seconds as the guest's clock shows them. */
static bool wall_origin(struct board *b, int64_t *origin, struct error *err)
{
    const char *date = b->counted && !*b->machine_profile.date ? COUNTED_DATE : b->machine_profile.date;
    struct tm t = { 0 };
    if (*date) {
        const char *end = strptime(date, "%Y-%m-%d", &t);
        if (end && *end == 'T')
            end = strptime(end + 1, "%H:%M:%S", &t);
        if (!end || *end)
            return error_set(err, EINVAL, "machine.date '%s' is not YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS", date);
        *origin = timegm(&t);
        return true;
    }
    time_t now = time(NULL);
    localtime_r(&now, &t);
    b->utc_offset = b->machine_profile.utc ? 0 : (int)t.tm_gmtoff;
    *origin = now + b->utc_offset;
    return true;
}

/* --- firmware and RAM ----------------------------------------------------------------------------------------- */

static bool load_firmware(struct board *b, struct error *err)
{
    const char *path = b->config->firmware ? b->config->firmware : b->machine_profile.firmware;
    if (!*path)
        path = FIRMWARE;
    FILE *in = fopen(path, "rb");
    if (!in)
        return error_set(err, errno, "the firmware %s cannot be opened (%s); install the package seabios or give --firmware", path,
                         strerror(errno));
    b->firmware = malloc(FIRMWARE_MAX + 1);
    size_t size = b->firmware ? fread(b->firmware, 1, FIRMWARE_MAX + 1, in) : 0;
    bool bad = !b->firmware || ferror(in);
    fclose(in);
    if (bad)
        return error_set(err, EIO, "the firmware %s cannot be read", path);
    if (size < FIRMWARE_MIN || size > FIRMWARE_MAX || size % 4096)
        return error_set(err, EINVAL, "the firmware %s has %zu bytes%s; a PC's ROM has 64 KiB to 4 MiB, in whole pages", path,
                         MIN(size, (size_t)FIRMWARE_MAX), size > FIRMWARE_MAX ? " and more" : "");
    b->firmware_size = size;
    return true;
}

static bool make_ram(struct board *b, struct error *err)
{
    struct machine *m = b->machine;
    uint64_t size = b->machine_profile.memory;
    if (!machine_ram_create(m, size, err))
        return false;
    /* from 3.5 GiB on, a gigabyte below 4 GiB is left to PCI */
    b->low = size > 4 * GIB - HOLE ? 3 * GIB : size;
    return true;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static void board_reset(struct machine *m, enum reset_kind kind)
{
    struct board *b = m->board;
    if (kind != RESET_POWER)
        return;
    for (unsigned n = 0; n < sizeof(b->cmos_value); n++)
        if (b->cmos_set[n])
            mc146818_poke(b->cmos, n, b->cmos_value[n]);
    mc146818_checksum(b->cmos);
}

/* After these codes the firmware resumes the program that reset the CPU to leave protected mode. */
static bool reset_resumes(struct machine *m)
{
    uint8_t code = mc146818_peek(((struct board *)m->board)->cmos, CMOS_SHUTDOWN);
    return code == 0x05 || code == 0x09 || code == 0x0a || code == 0x0c;
}

/* The workers end first, while the drives that they work for are still there. */
static void board_stop(struct machine *m)
{
    struct board *b = m->board;
    for (unsigned n = 0; n < b->drives; n++)
        if (b->drive[n].block)
            block_attach(b->drive[n].block, NULL);
    if (b->pool)
        block_pool_free(b->pool);
    b->pool = NULL;
    net_close(b->net);
    b->net = NULL;
}

static void board_free(struct machine *m)
{
    struct board *b = m->board;
    for (unsigned n = 0; n < b->drives; n++)
        block_close(b->drive[n].block);
    free(b->firmware);
    property_free(profile_machine_properties, &b->machine_profile);
    property_free(profile_cpu_properties, &b->cpu_profile);
    property_free(profile_scsi_properties, &b->scsi_profile);
    property_free(profile_smbios_properties, &b->smbios);
    property_free(profile_net_properties, &b->net_profile);
    for (unsigned n = 0; n < MACHINE_DISKS; n++)
        property_free(board_disk_properties, &b->disk[n]);
    free(b);
}

static void post(void *owner, void (*fn)(void *), void *arg)
{
    struct machine *m = owner;
    (m->real_time ? machine_post : machine_post_later)(m, fn, arg);
}

static bool build(struct board *b, struct error *err)
{
    struct machine *m = b->machine;
    const struct machine_config *config = b->config;
    const char *engine = config->engine ? config->engine : b->cpu_profile.engine;
    m->stop_on_reset = config->no_reboot;
    if (b->cpu_profile.icount)
        m->insn_ps = MAX(1000000000000ull / b->cpu_profile.icount, 1ull);
    m->disk_latency = b->disk_latency;
    b->pool = block_pool_create(b->counted ? 0 : 2, post, m, err);
    if (!b->pool || !wall_origin(b, &m->wall_origin, err) || !load_firmware(b, err) || !make_ram(b, err) ||
        !i440fx_build(b, err) || !i440fx_configure(b, err) || !i440fx_add_cpu(b, engine, err) || !check_sections(b, err))
        return false;
    return !config->kernel || board_direct_boot(m, config->kernel, config->initrd, config->append, err);
}

static bool holds(const struct block *chain, const struct block *layer)
{
    for (; chain; chain = chain->below)
        if (chain == layer)
            return true;
    return false;
}

/* Media that the board does not hold yet are closed all the same: the caller gave them away. */
static void close_media(struct board *b, const struct machine_config *config)
{
    struct block *media[MACHINE_FLOPPIES + 1 + MACHINE_DISKS];
    unsigned count = 0;
    for (unsigned n = 0; n < MACHINE_FLOPPIES; n++)
        media[count++] = config->floppy[n].block;
    media[count++] = config->cdrom.block;
    for (unsigned n = 0; n < MACHINE_DISKS; n++)
        media[count++] = config->disk[n].block;
    for (unsigned i = 0; i < count; i++) {
        bool held = !media[i];
        for (unsigned n = 0; b && n < b->drives; n++)
            held = held || holds(b->drive[n].block, media[i]);
        if (!held)
            block_close(media[i]);
    }
}

struct machine *machine_create(const struct machine_config *config, const struct host *host, struct error *err)
{
    struct board *b = calloc(1, sizeof(*b));
    if (!b) {
        error_set(err, ENOMEM, "there is not enough memory for a machine");
        close_media(NULL, config);
        return NULL;
    }
    b->config = config;
    bool ok = read_profile(b, err);
    struct machine *m = ok ? machine_new(host, !b->counted, err) : NULL;
    if (!m) {
        close_media(NULL, config);
        struct machine none = { .board = b };
        board_free(&none);
        return NULL;
    }
    b->machine = m;
    m->board = b;
    m->board_reset = board_reset;
    m->board_stop = board_stop;
    m->board_free = board_free;
    m->reset_resumes = reset_resumes;
    machine_lock(m);
    ok = build(b, err);
    if (ok)
        machine_reset(m, RESET_POWER);
    machine_unlock(m);
    if (ok) {
        b->config = NULL;
        return m;
    }
    close_media(b, config);
    machine_free(m);
    return NULL;
}

/* --- the running machine -------------------------------------------------------------------------------------- */

bool machine_media(struct machine *m, const char *id, struct block *block, struct error *err)
{
    struct board *b = m->board;
    struct drive *d = board_drive(b, id);
    if (!d || !d->removable) {
        block_close(block);
        return error_set(err, ENODEV, "the machine has no drive '%s' that takes media", id);
    }
    if (board_insert(b, d, block, err))
        return true;
    block_close(block);
    return false;
}

void machine_power_button(struct machine *m)
{
    struct device *pm = ((struct board *)m->board)->pm;
    pm->class->input(pm, 0, true);
    pm->class->input(pm, 0, false);
}

const char *machine_drive(struct machine *m, unsigned index, bool *removable)
{
    struct board *b = m->board;
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned n = 0; n < b->drives; n++) {
            if (b->drive[n].removable != !pass || index--)
                continue;
            *removable = b->drive[n].removable;
            return b->drive[n].id;
        }
    return NULL;
}

bool machine_medium_locked(struct machine *m, const char *id)
{
    struct drive *d = board_drive(m->board, id);
    return d && (atapi_cdrom_locked(d->dev) || scsi_cdrom_locked(d->dev));
}

bool machine_engine_check(const char *name, struct error *err) { return engine_find(name, err); }

void machine_statistics(struct machine *m, struct machine_statistics *s)
{
    const struct cpu *c = cpu_of(m->cpus[0]);
    struct engine_counter counters[ARRAY_SIZE(s->counters) - 1];
    unsigned count = c->engine->counters ? c->engine->counters(c, counters, ARRAY_SIZE(counters)) : 0;
    *s = (struct machine_statistics){ c->engine->name, c->instructions, c->exits_io, c->exits_mmio, c->exits_hlt,
                                      clock_now(&m->clock), 0, { { NULL, 0 } } };
    struct stat st;
    if (!fstat(m->ram_file, &st))
        s->ram_touched = (uint64_t)st.st_blocks * 512;
    for (unsigned n = 0; n < count; n++) {
        s->counters[n].name = counters[n].name;
        s->counters[n].value = counters[n].value;
    }
}
