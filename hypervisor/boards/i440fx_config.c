/* What the i440FX PC's firmware is told: CMOS as its set-up program would have left it, and the files of fw_cfg.
 *
 * References: [SeaBIOS] for the CMOS bytes 34h-35h, 38h-3Dh, 5Bh-5Dh, the fw_cfg selectors and the formats of the files;
 * [CMOS-AT] for 10h-31h. */
#include "boards/i440fx.h"
#include "devices/fw_cfg.h"
#include "devices/mc146818.h"
#include <errno.h>
#include <stdio.h>

enum { CMOS_FLOPPY = 0x10, CMOS_DISK = 0x12, CMOS_EQUIPMENT = 0x14, CMOS_BASE = 0x15, CMOS_EXTENDED = 0x17, CMOS_TYPE_C = 0x19,
       CMOS_PARAMETERS = 0x1b, CMOS_EXTENDED_POST = 0x30, CMOS_ABOVE_16M = 0x34, CMOS_BOOT3 = 0x38, CMOS_TRANSLATION = 0x39,
       CMOS_BOOT12 = 0x3d, CMOS_ABOVE_4G = 0x5b, CMOS_CPUS = 0x5f };
enum { EQUIPMENT_FLOPPY = 1, EQUIPMENT_FPU = 2, EQUIPMENT_MOUSE = 4 };
enum { BOOT_FLOPPY = 1, BOOT_DISK = 2, BOOT_CDROM = 3, BOOT_ANY_FLOPPY = 1 };
enum { CFG_UUID = 2, CFG_RAM_SIZE = 3, CFG_NO_GRAPHIC = 4, CFG_CPUS = 5, CFG_BOOT_MENU = 0x0e, CFG_MAX_CPUS = 0x0f,
       CFG_IRQ0_OVERRIDE = 0x8002 };
enum { E820_RAM = 1, E820_ENTRY = 20 };
enum { TRANSLATION_NONE = 0, TRANSLATION_LBA = 1 };

static void cmos_put(struct board *b, unsigned index, uint64_t value, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++) {
        b->cmos_value[index + n] = (uint8_t)(value >> 8 * n);
        b->cmos_set[index + n] = true;
    }
}

static void cmos_memory(struct board *b)
{
    uint64_t low = b->low, high = b->machine->ram_size - low;
    uint64_t above_1m = MIN((low >> 10) - 1024, 65535u), above_16m = low > 16 << 20 ? (low - (16 << 20)) >> 16 : 0;
    cmos_put(b, CMOS_BASE, 640, 2);
    cmos_put(b, CMOS_EXTENDED, above_1m, 2);
    cmos_put(b, CMOS_EXTENDED_POST, above_1m, 2);
    cmos_put(b, CMOS_ABOVE_16M, MIN(above_16m, 65535u), 2);
    cmos_put(b, CMOS_ABOVE_4G, high >> 16, 3);
    cmos_put(b, CMOS_CPUS, 0, 1);
}

/* A disk of the primary channel as type 47, with the nine parameter bytes of an AT's set-up: cylinders, heads, write
 * precompensation, control, landing zone, sectors. */
static void cmos_disk(struct board *b, unsigned drive, const struct board_disk *k)
{
    unsigned at = CMOS_PARAMETERS + 9 * drive;
    uint32_t heads = k->heads ? k->heads : 16, sectors = k->sectors ? k->sectors : 63, cylinders = MIN(k->cylinders, 65535u);
    cmos_put(b, CMOS_TYPE_C + drive, 47, 1);
    cmos_put(b, at, cylinders, 2);
    cmos_put(b, at + 2, heads, 1);
    cmos_put(b, at + 3, 0xffff, 2);
    cmos_put(b, at + 5, heads > 8 ? 0xc8 : 0xc0, 1);
    cmos_put(b, at + 6, cylinders, 2);
    cmos_put(b, at + 8, sectors, 1);
}

static struct board_disk *disk_of(struct board *b, const struct drive *d)
{
    return d->removable ? NULL : &b->disk[d->disk];
}

/* The geometry that programs see through INT 13h: pinned or guessed; else what firmware would choose by itself. */
static void cmos_disks(struct board *b)
{
    uint8_t translation[2] = { 0, 0 }, types = 0;
    for (unsigned n = 0; n < b->drives; n++) {
        struct drive *d = &b->drive[n];
        struct board_disk *k = disk_of(b, d);
        if (!k || board_disk_scsi(b, d->disk))
            continue;
        unsigned place = (unsigned)(d->id[3] - '0') * 2 + (unsigned)(d->id[5] - '0');
        uint64_t sectors = d->block->size / 512;
        bool fits = sectors / (16 * 63) <= 1024;
        translation[place / 2] |= (uint8_t)((fits ? TRANSLATION_NONE : TRANSLATION_LBA) << 2 * (place % 2));
        if (place > 1)
            continue;
        types |= place ? 0x0f : 0xf0;
        cmos_disk(b, place, k);
    }
    cmos_put(b, CMOS_DISK, types, 1);
    cmos_put(b, CMOS_TRANSLATION, (unsigned)translation[0] | (unsigned)translation[1] << 4, 1);
}

static void configure_cmos(struct board *b)
{
    unsigned floppies = (b->cmos_value[CMOS_FLOPPY] >> 4 != 0) + (b->cmos_value[CMOS_FLOPPY] & 15 ? 1u : 0u);
    unsigned equipment = EQUIPMENT_FPU | EQUIPMENT_MOUSE | (floppies ? EQUIPMENT_FLOPPY | (floppies - 1) << 6 : 0);
    cmos_memory(b);
    cmos_disks(b);
    cmos_put(b, CMOS_FLOPPY, b->cmos_value[CMOS_FLOPPY], 1);
    cmos_put(b, CMOS_EQUIPMENT, equipment, 1);
    cmos_put(b, CMOS_BOOT12, BOOT_FLOPPY | BOOT_CDROM << 4, 1);
    cmos_put(b, CMOS_BOOT3, BOOT_DISK << 4 | BOOT_ANY_FLOPPY, 1);
}

/* --- fw_cfg --------------------------------------------------------------------------------------------------- */

static size_t e820_put(uint8_t *at, uint64_t base, uint64_t length)
{
    le64_put(at, base);
    le64_put(at + 8, length);
    le32_put(at + 16, E820_RAM);
    return E820_ENTRY;
}

static void configure_e820(struct board *b)
{
    uint8_t table[2 * E820_ENTRY];
    size_t n = e820_put(table, 0, b->low);
    if (b->machine->ram_size > b->low)
        n += e820_put(table + n, 1ull << 32, b->machine->ram_size - b->low);
    fw_cfg_add_file(b->fw_cfg, "etc/e820", table, n);
}

/* Floppies, the CD-ROM, then the disks in their order. */
static int boot_rank(const struct drive *d)
{
    return d->id[0] == 'f' ? 0 : d->id[0] == 'c' ? 1 : 2 + (int)d->disk;
}

static void configure_boot(struct board *b)
{
    char order[1024] = "", lchs[512] = "";
    size_t at = 0, wrote = 0;
    for (int rank = 0; rank < 2 + MACHINE_DISKS; rank++)
        for (unsigned n = 0; n < b->drives; n++) {
            const struct drive *d = &b->drive[n];
            const struct board_disk *k = disk_of(b, d);
            if (boot_rank(d) != rank || (d->removable && !d->block))
                continue;
            at += (size_t)snprintf(order + at, sizeof(order) - at, "%s%s", at ? "\n" : "", d->path);
            if (!k || !k->heads || !k->sectors)
                continue;
            uint64_t cylinders = k->cylinders ? k->cylinders : d->block->size / 512 / (k->heads * k->sectors);
            wrote += (size_t)snprintf(lchs + wrote, sizeof(lchs) - wrote, "%s %u %u %u\n", d->path,
                                      (unsigned)MIN(cylinders, 1024u), k->heads, k->sectors);
        }
    if (at)
        fw_cfg_add_file(b->fw_cfg, "bootorder", order, at + 1);
    if (wrote)
        fw_cfg_add_file(b->fw_cfg, "bios-geometry", lchs, wrote + 1);
}

/* Strings for the firmware's own SMBIOS tables (files of their type and offset), and a table of the main board, which it has
 * not. The BIOS's date is at F000:FFF5, too, where systems without SMBIOS look [SeaBIOS; SMBIOS 2.4, 3.3.1 to 3.3.3]. */
static bool configure_smbios(struct board *b, struct error *err)
{
    static const char *const fields[] = { "0-4", "0-5", "0-8", "1-4", "1-5", "1-6", "1-7" };
    char *const *text = b->smbios.text, *const uuid = b->smbios.uuid, *const date = text[SMBIOS_BIOS_DATE], name[24];
    uint8_t board[8 + (SMBIOS_TEXTS - SMBIOS_BOARD) * 65 + 1] = { 2, 8, 0, 2 }, u[16] = { 0 }, *rom = b->firmware + b->firmware_size - 11;
    size_t n = 8;
    for (unsigned i = 0, strings = 0; i < SMBIOS_TEXTS; i++)
        if (*text[i] && i < SMBIOS_BOARD) {
            snprintf(name, sizeof(name), "smbios/field%s", fields[i]);
            fw_cfg_add_file(b->fw_cfg, name, text[i], strlen(text[i]) + 1);
        } else if (*text[i]) {
            board[4 + i - SMBIOS_BOARD] = (uint8_t)++strings;
            n += MIN(64u, (unsigned)snprintf((char *)board + n, 65, "%s", text[i])) + 1;
        }
    if (n > 8)
        fw_cfg_add_file(b->fw_cfg, "smbios/table2-0", board, n + 1);
    if (strlen(date) >= 8 && rom[2] == '/' && rom[5] == '/') {
        memcpy(rom, date, 6);
        memcpy(rom + 6, date + strlen(date) - 2, 2);
    }
    if (*uuid && sscanf(uuid, "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx", &u[0], &u[1], &u[2], &u[3],
                        &u[4], &u[5], &u[6], &u[7], &u[8], &u[9], &u[10], &u[11], &u[12], &u[13], &u[14], &u[15]) != 16)
        return error_set(err, EINVAL, "smbios.uuid '%s' is no UUID, as in 564d1f3a-0b7c-4e2d-9a61-00505612ab34", uuid);
    if (*uuid)
        fw_cfg_add_file(b->fw_cfg, "smbios/field1-8", u, sizeof(u));
    return true;
}

static void configure_fw_cfg(struct board *b)
{
    static const uint8_t uuid[16] = { 0 }, menu[8] = { 0 }, states[6] = { 0x80, 0, 0, 1, 2, 0x80 }, irq0 = 1;
    fw_cfg_add_bytes(b->fw_cfg, CFG_UUID, uuid, sizeof(uuid));
    fw_cfg_add_u64(b->fw_cfg, CFG_RAM_SIZE, b->low);
    fw_cfg_add_u16(b->fw_cfg, CFG_NO_GRAPHIC, 0);
    fw_cfg_add_u16(b->fw_cfg, CFG_CPUS, 1);
    fw_cfg_add_u16(b->fw_cfg, CFG_MAX_CPUS, 1);
    fw_cfg_add_u16(b->fw_cfg, CFG_BOOT_MENU, 0);
    fw_cfg_add_bytes(b->fw_cfg, CFG_IRQ0_OVERRIDE, &irq0, 1);
    fw_cfg_add_file(b->fw_cfg, "etc/show-boot-menu", menu, sizeof(menu));
    fw_cfg_add_file(b->fw_cfg, "etc/system-states", states, sizeof(states));   /* neither S3 nor S4 */
    configure_e820(b);
    configure_boot(b);
}

bool i440fx_configure(struct board *b, struct error *err)
{
    configure_cmos(b);
    configure_fw_cfg(b);
    return configure_smbios(b, err);
}
