/* --kernel: a Linux bzImage or zImage with its initrd, or a Multiboot ELF with a module, started after POST by the option
 * ROM drivers/directboot, which copies the blobs that are prepared here out of fw_cfg.
 *
 * References: [Linux-boot] the Linux/x86 boot protocol; [Multiboot] Multiboot Specification 0.6.96.
 * Not modelled: Multiboot video modes, drives, APM and config tables; 64-bit and EFI entry points. */
#include "boards/direct_boot.h"
#include "base/bits.h"
#include "devices/fw_cfg.h"
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

extern const uint8_t rom_directboot[], rom_directboot_end[];

/* The plan at the end of the ROM, as drivers/directboot/directboot.asm has it. */
enum { PLAN_SIZE = 256, PLAN_KIND = 0, PLAN_COUNT = 4, PLAN_TARGET = 8, PLAN_INFO = 12, PLAN_BLOBS = 16, BLOBS_MAX = 20,
       KIND_LINUX = 0, KIND_MULTIBOOT = 1, SELECTOR_FIRST = 0x8100 };
/* Linux setup header [Linux-boot, "The real-mode kernel header"] */
enum { SETUP_SECTS = 0x1f1, BOOT_FLAG = 0x1fe, HEADER = 0x202, VERSION = 0x206, TYPE_OF_LOADER = 0x210, LOADFLAGS = 0x211,
       RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END_PTR = 0x224, CMD_LINE_PTR = 0x228, INITRD_ADDR_MAX = 0x22c,
       CMDLINE_SIZE = 0x238, OLD_CL_MAGIC = 0x20, OLD_CL_OFFSET = 0x22,
       LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, LOADER_UNDEFINED = 0xff };
/* Where things go. The setup segment's last 8 KiB are the command line; the stack is below it. */
enum { SETUP_HIGH = 0x10000, SETUP_LOW = 0x90000, KERNEL_HIGH = 0x100000, KERNEL_LOW = 0x10000, CMDLINE_AT = 0xe000,
       CMDLINE_ROOM = 0x1000, FIRMWARE_TOP = 1 << 20 };  /* SeaBIOS keeps tables below the top of RAM */
/* Multiboot [Multiboot, 3.1 and 3.3]; the information structure and its strings stay below 64 KiB */
enum { MB_MAGIC = 0x1badb002, MB_SEARCH = 8192, MB_KLUDGE = 1 << 16, MBI_AT = 0x8000, MBI_SIZE = 0x800, MBI_CMDLINE = 0x100,
       MBI_MODULES = 0x500, MBI_MODULE_NAME = 0x540, MBI_LOADER_NAME = 0x80, MB_LOWEST = 0x10000,
       MBI_FLAGS_MEMORY = 1, MBI_FLAGS_CMDLINE = 4, MBI_FLAGS_MODULES = 8, MBI_FLAGS_MMAP = 64, MBI_FLAGS_LOADER = 512 };

struct file { uint8_t *bytes; size_t length; };
struct plan { struct machine *machine; struct device *fw_cfg; uint8_t rom[1024]; unsigned count; const char *kernel; };

static uint8_t *plan_at(struct plan *p, unsigned offset) { return p->rom + sizeof(p->rom) - PLAN_SIZE + offset; }

static bool file_read(const char *path, struct file *f, struct error *err)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return error_set(err, errno, "%s cannot be opened: %s", path, strerror(errno));
    long size = fseek(in, 0, SEEK_END) ? -1 : ftell(in);
    rewind(in);
    f->bytes = size > 0 && size <= INT32_MAX ? malloc((size_t)size) : NULL;
    f->length = f->bytes ? fread(f->bytes, 1, (size_t)size, in) : 0;
    fclose(in);
    if (f->bytes && f->length == (size_t)size)
        return true;
    free(f->bytes);
    f->bytes = NULL;
    return error_set(err, EIO, "%s is empty, larger than 2 GiB or cannot be read", path);
}

/* fw_cfg copies the bytes. false: does not fit into the guest's memory. */
static bool blob_add(struct plan *p, const void *bytes, size_t length, uint32_t address, struct error *err)
{
    if (address + (uint64_t)length > p->machine->ram_size || p->count == BLOBS_MAX)
        return error_set(err, ENOMEM, "%s does not fit into the guest's %llu MiB of memory; give more with --memory", p->kernel,
                         (unsigned long long)p->machine->ram_size >> 20);
    if (!length)
        return true;
    uint8_t *entry = plan_at(p, PLAN_BLOBS + 12 * p->count);
    uint16_t selector = (uint16_t)(SELECTOR_FIRST + p->count++);
    fw_cfg_add_bytes(p->fw_cfg, selector, bytes, length);
    le32_put(entry, selector);
    le32_put(entry + 4, (uint32_t)length);
    le32_put(entry + 8, address);
    return true;
}

/* --- Linux ---------------------------------------------------------------------------------------------------------- */

static bool is_linux(const struct file *f)
{
    return f->length > 0x400 && le16_get(f->bytes + BOOT_FLAG) == 0xaa55 && !memcmp(f->bytes + HEADER, "HdrS", 4);
}

static bool add_initrd(struct plan *p, uint8_t *setup, const struct file *initrd, uint64_t kernel_end, struct error *err)
{
    uint64_t top = p->machine->ram_size, limit = le16_get(setup + VERSION) >= 0x203 ? le32_get(setup + INITRD_ADDR_MAX) : 0x37ffffff;
    top = MIN(top, 3ull << 30) - FIRMWARE_TOP;
    top = MIN(top, limit + 1);
    if (initrd->length > top || align_down(top - initrd->length, 4096) < kernel_end)
        return error_set(err, ENOMEM, "the initrd does not fit beside the kernel into %llu MiB; give more with --memory",
                         (unsigned long long)p->machine->ram_size >> 20);
    uint32_t address = (uint32_t)align_down(top - initrd->length, 4096);
    le32_put(setup + RAMDISK_IMAGE, address);
    le32_put(setup + RAMDISK_SIZE, (uint32_t)initrd->length);
    return blob_add(p, initrd->bytes, initrd->length, address, err);
}

static bool plan_linux(struct plan *p, const struct file *kernel, const struct file *initrd, const char *append, struct error *err)
{
    unsigned version = le16_get(kernel->bytes + VERSION), sectors = kernel->bytes[SETUP_SECTS] ? kernel->bytes[SETUP_SECTS] : 4;
    size_t setup_length = (sectors + 1) * 512, line = strlen(append) + 1;
    bool high = kernel->bytes[LOADFLAGS] & LOADED_HIGH;
    uint32_t setup_at = high && version >= 0x202 ? SETUP_HIGH : SETUP_LOW;
    uint32_t room = version >= 0x206 ? le32_get(kernel->bytes + CMDLINE_SIZE) + 1 : 256;

    if (setup_length >= kernel->length || setup_length > CMDLINE_AT - 0x1000)
        return error_set(err, EINVAL, "%s is cut short: its setup code is missing", p->kernel);
    if (line > MIN(room, CMDLINE_ROOM))
        return error_set(err, EINVAL, "the kernel's command line is longer than the %u bytes that %s takes", MIN(room, CMDLINE_ROOM) - 1,
                         p->kernel);
    uint8_t *setup = calloc(1, CMDLINE_AT + CMDLINE_ROOM);
    if (!setup)
        return error_set(err, ENOMEM, "out of memory");
    memcpy(setup, kernel->bytes, setup_length);
    memcpy(setup + CMDLINE_AT, append, line);
    setup[TYPE_OF_LOADER] = LOADER_UNDEFINED;
    if (version >= 0x201) {
        setup[LOADFLAGS] |= CAN_USE_HEAP;
        le16_put(setup + HEAP_END_PTR, CMDLINE_AT - 0x200);
    }
    if (version >= 0x202) {
        le32_put(setup + CMD_LINE_PTR, setup_at + CMDLINE_AT);
    } else {
        le16_put(setup + OLD_CL_MAGIC, 0xa33f);
        le16_put(setup + OLD_CL_OFFSET, CMDLINE_AT);
    }
    uint32_t kernel_at = high ? KERNEL_HIGH : KERNEL_LOW;
    size_t kernel_length = kernel->length - setup_length;
    bool ok = !initrd->bytes || add_initrd(p, setup, initrd, kernel_at + kernel_length, err);
    ok = ok && blob_add(p, setup, CMDLINE_AT + line, setup_at, err) &&
         blob_add(p, kernel->bytes + setup_length, kernel_length, kernel_at, err);
    free(setup);
    le32_put(plan_at(p, PLAN_KIND), KIND_LINUX);
    le32_put(plan_at(p, PLAN_TARGET), setup_at >> 4);
    return ok;
}

/* --- Multiboot ------------------------------------------------------------------------------------------------------ */

static const uint8_t *multiboot_header(const struct file *f)
{
    for (size_t at = 0; at + 12 <= MIN(f->length, MB_SEARCH); at += 4) {
        const uint8_t *h = f->bytes + at;
        if (le32_get(h) == MB_MAGIC && le32_get(h) + le32_get(h + 4) + le32_get(h + 8) == 0)
            return h;
    }
    return NULL;
}

/* One loadable piece, with its zeros. *end: highest address used so far. */
static bool segment_add(struct plan *p, const struct file *f, uint64_t offset, uint32_t filled, uint32_t size, uint32_t address,
                        uint32_t *end, struct error *err)
{
    if (offset > f->length || filled > f->length - offset || filled > size || address < MB_LOWEST ||
        address + (uint64_t)size > p->machine->ram_size)
        return error_set(err, EINVAL, "%s is cut short, or does not fit into the guest's memory", p->kernel);
    uint8_t *bytes = calloc(1, size ? size : 1);
    if (!bytes)
        return error_set(err, ENOMEM, "out of memory");
    memcpy(bytes, f->bytes + offset, filled);
    bool ok = blob_add(p, bytes, size, address, err);
    free(bytes);
    *end = MAX(*end, address + size);
    return ok;
}

static bool load_elf(struct plan *p, const struct file *f, uint32_t *entry, uint32_t *end, struct error *err)
{
    Elf32_Ehdr e;
    memcpy(&e, f->bytes, MIN(sizeof(e), f->length));
    if (f->length < sizeof(e) || memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS32 || e.e_machine != EM_386)
        return error_set(err, EINVAL, "%s is no 32-bit x86 ELF file", p->kernel);
    for (unsigned i = 0; i < e.e_phnum; i++) {
        Elf32_Phdr h;
        uint64_t at = e.e_phoff + (uint64_t)i * e.e_phentsize;
        if (at + sizeof(h) > f->length)
            return error_set(err, EINVAL, "%s is cut short: its program headers are missing", p->kernel);
        memcpy(&h, f->bytes + at, sizeof(h));
        if (h.p_type == PT_LOAD && !segment_add(p, f, h.p_offset, h.p_filesz, h.p_memsz, h.p_paddr, end, err))
            return false;
    }
    *entry = e.e_entry;
    return true;
}

/* The header's own addresses [Multiboot, 3.1.3]. */
static bool load_kludge(struct plan *p, const struct file *f, const uint8_t *h, uint32_t *entry, uint32_t *end, struct error *err)
{
    if ((size_t)(h - f->bytes) + 32 > f->length)
        return error_set(err, EINVAL, "%s is cut short", p->kernel);
    uint32_t header = le32_get(h + 12), load = le32_get(h + 16), load_end = le32_get(h + 20), bss_end = le32_get(h + 24);
    uint64_t offset = (uint64_t)(h - f->bytes) - (header - load);
    if (header < load || offset > f->length)
        return error_set(err, EINVAL, "%s has a damaged Multiboot header", p->kernel);
    uint32_t filled = load_end ? load_end - load : (uint32_t)(f->length - offset);
    uint32_t size = bss_end > load + filled ? bss_end - load : filled;
    *entry = le32_get(h + 28);
    return segment_add(p, f, offset, filled, size, load, end, err);
}

static bool plan_multiboot(struct plan *p, const struct file *f, const uint8_t *header, const struct file *module,
                           const char *module_name, const char *append, struct error *err)
{
    uint8_t info[MBI_SIZE] = { 0 };
    uint32_t entry = 0, end = KERNEL_HIGH, flags = MBI_FLAGS_MEMORY | MBI_FLAGS_CMDLINE | MBI_FLAGS_MMAP | MBI_FLAGS_LOADER;
    bool ok = le32_get(header + 4) & MB_KLUDGE ? load_kludge(p, f, header, &entry, &end, err) : load_elf(p, f, &entry, &end, err);

    if (!ok)
        return false;
    if (snprintf((char *)info + MBI_CMDLINE, MBI_MODULES - MBI_CMDLINE, "%s%s%s", p->kernel, *append ? " " : "", append) >=
        MBI_MODULES - MBI_CMDLINE)
        return error_set(err, EINVAL, "the kernel's command line is longer than %d bytes", MBI_MODULES - MBI_CMDLINE - 1);
    if (module->bytes) {
        uint32_t at = (uint32_t)align_up(end, 4096);
        if (!blob_add(p, module->bytes, module->length, at, err))
            return false;
        le32_put(info + MBI_MODULES, at);
        le32_put(info + MBI_MODULES + 4, at + (uint32_t)module->length);
        le32_put(info + MBI_MODULES + 8, MBI_AT + MBI_MODULE_NAME);
        snprintf((char *)info + MBI_MODULE_NAME, 512, "%s", module_name);
        le32_put(info + 20, 1);
        le32_put(info + 24, MBI_AT + MBI_MODULES);
        flags |= MBI_FLAGS_MODULES;
    }
    le32_put(info, flags);
    le32_put(info + 16, MBI_AT + MBI_CMDLINE);
    le32_put(info + 64, MBI_AT + MBI_LOADER_NAME);
    snprintf((char *)info + MBI_LOADER_NAME, 32, "Holdover");
    le32_put(plan_at(p, PLAN_KIND), KIND_MULTIBOOT);
    le32_put(plan_at(p, PLAN_TARGET), entry);
    le32_put(plan_at(p, PLAN_INFO), MBI_AT);
    return blob_add(p, info, sizeof(info), MBI_AT, err);
}

/* --- the ROM -------------------------------------------------------------------------------------------------------- */

static void set_checksum(uint8_t *bytes, size_t length, size_t at)
{
    uint8_t sum = 0;
    bytes[at] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static bool plan_kernel(struct plan *p, const struct file *kernel, const struct file *initrd, const char *initrd_name,
                        const char *append, struct error *err)
{
    const uint8_t *header = multiboot_header(kernel);
    if (is_linux(kernel))
        return plan_linux(p, kernel, initrd, append, err);
    if (header)
        return plan_multiboot(p, kernel, header, initrd, initrd_name, append, err);
    return error_set(err, EINVAL, "%s is neither a Linux bzImage nor a Multiboot kernel", p->kernel);
}

bool board_direct_boot(struct machine *m, const char *kernel, const char *initrd, const char *append, struct error *err)
{
    enum { PNP_POINTER = 0x1a, PNP_LENGTH = 32, PNP_CHECKSUM = 9 };
    static const char order[] = "/rom@genroms/directboot.bin\nHALT";
    struct plan p = { .machine = m, .fw_cfg = machine_find(m, "fw_cfg"), .kernel = kernel };
    struct file k = { NULL, 0 }, i = { NULL, 0 };

    if (!p.fw_cfg)
        return error_set(err, ENODEV, "this board cannot start a kernel directly; boot it from a disk");
    memcpy(p.rom, rom_directboot, MIN(sizeof(p.rom), (size_t)(rom_directboot_end - rom_directboot)));
    bool ok = file_read(kernel, &k, err) && (!initrd || file_read(initrd, &i, err)) &&
              plan_kernel(&p, &k, &i, initrd, append ? append : "", err);
    free(k.bytes);
    free(i.bytes);
    if (!ok)
        return false;
    le32_put(plan_at(&p, PLAN_COUNT), p.count);
    size_t pnp = le16_get(p.rom + PNP_POINTER);
    set_checksum(p.rom + pnp, PNP_LENGTH, PNP_CHECKSUM);
    set_checksum(p.rom, sizeof(p.rom), sizeof(p.rom) - PLAN_SIZE - 1);
    fw_cfg_add_file(p.fw_cfg, "genroms/directboot.bin", p.rom, sizeof(p.rom));
    fw_cfg_add_file(p.fw_cfg, "bootorder", order, sizeof(order));
    return true;
}
