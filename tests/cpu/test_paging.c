/* x86/mmu.c below the instructions: devices, ROM, logged frame buffers, decoded code, changes of the map, page tables at odd places.
 * What guests see of paging is in paging.asm and pae.asm. */
#include "tests/support/engine_bench.h"
#include "core/machine.h"
#include "engine/engine.h"
#include "x86/segment.h"
#include <criterion/criterion.h>
#include <stdlib.h>

enum { RAM = 4 << 20, ROM_AT = 0x500000, DEVICE_AT = 0x600000, LOGGED_AT = 0x700000 };
struct bench {
    struct machine *m;
    struct cpu *c;
    uint8_t *ram, rom[8192], logged[8192];
    struct region *region, *device;
    unsigned reads, writes, last_size;
    uint64_t last_offset, last_value;
};

static uint64_t device_read(void *chip, uint64_t offset, unsigned size)
{
    struct bench *b = chip;
    b->reads++;
    b->last_offset = offset;
    b->last_size = size;
    return 0x8877665544332211;
}

static void device_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct bench *b = chip;
    b->writes++;
    b->last_offset = offset;
    b->last_size = size;
    b->last_value = value;
}
static const struct io_ops ops = { device_read, device_write, IO_8 | IO_16 | IO_32 | IO_64 };

static void setup(struct bench *b, const char *options)
{
    struct error err = { 0 };
    memset(b, 0, sizeof *b);
    b->m = machine_new(NULL, false, &err);
    b->ram = calloc(1, RAM);
    memset(b->rom, 0x5a, sizeof b->rom);
    space_map_ram(b->m->memory, 0, RAM, b->ram, RAM_WRITABLE, 0);
    space_map_ram(b->m->memory, ROM_AT, sizeof b->rom, b->rom, 0, 0);
    b->device = space_map_io(b->m->memory, DEVICE_AT, 8192, &ops, b, 0);
    b->region = space_map_ram(b->m->memory, LOGGED_AT, sizeof b->logged, b->logged, RAM_WRITABLE | RAM_DIRTY_LOG, 0);
    b->c = cpu_of(machine_add(b->m, "cpu", "cpu0", options, &err));
    cr_assert(bench_attach(b->c, 64, &err));
    machine_reset(b->m, RESET_POWER);
    for (unsigned n = ES; n <= GS; n++) {
        b->c->seg[n].access = 0xc093;
        b->c->seg[n].base = 0;
        b->c->seg[n].limit = 0xffffffff;
    }
    b->c->cr0 |= CR0_PE;
    segment_mode_changed(b->c);
}

static void teardown(struct bench *b)
{
    bench_detach(b->c);
    machine_free(b->m);
    free(b->ram);
}

Test(paging, devices_see_each_access_once)
{
    struct bench b;
    setup(&b, "");
    cr_assert_eq(mem_read32(b.c, DS, DEVICE_AT + 4), 0x44332211);
    cr_assert(b.reads == 1 && b.last_offset == 4 && b.last_size == 4);
    mem_write16(b.c, DS, DEVICE_AT + 6, 0xabcd);
    cr_assert(b.writes == 1 && b.last_offset == 6 && b.last_size == 2 && b.last_value == 0xabcd);
    mem_read64(b.c, DS, DEVICE_AT + 8);
    cr_assert(b.reads == 2 && b.last_size == 8);
    mem_read8(b.c, DS, DEVICE_AT);
    cr_assert_eq(b.reads, 3);
    uint32_t linear;
    mem_rmw_read32(b.c, DS, DEVICE_AT, &linear);
    mem_rmw_write32(b.c, linear, 1);
    cr_assert(b.reads == 4 && b.writes == 2);
    cr_assert_eq(mem_read32(b.c, DS, 0x900000), 0xffffffff, "nothing there");
    mem_write32(b.c, DS, 0x900000, 0);
    cr_assert_eq(b.c->exits_mmio, 8);
    teardown(&b);
}

Test(paging, rom_reads_fast_and_ignores_writes)
{
    struct bench b;
    setup(&b, "");
    cr_assert_eq(mem_read8(b.c, DS, ROM_AT), 0x5a);
    mem_write8(b.c, DS, ROM_AT, 0);
    cr_assert_eq(b.rom[0], 0x5a);
    uint64_t exits = b.c->exits_mmio;
    cr_assert_eq(mem_read32(b.c, DS, ROM_AT + 4), 0x5a5a5a5a);
    cr_assert_eq(b.c->exits_mmio, exits);
    teardown(&b);
}

Test(paging, logged_pages_are_marked_by_writes_only)
{
    struct bench b;
    setup(&b, "");
    space_dirty_get_clear(b.region, 0, 8192);
    mem_read32(b.c, DS, LOGGED_AT);
    cr_assert(!space_dirty_get_clear(b.region, 0, 4096));
    for (unsigned i = 0; i < 3; i++) {
        mem_write32(b.c, DS, LOGGED_AT + 16, i);
        cr_assert(space_dirty_get_clear(b.region, 0, 4096));
        cr_assert(!space_dirty_get_clear(b.region, 4096, 4096));
    }
    cr_assert_eq(mem_read32(b.c, DS, LOGGED_AT + 16), 2);
    teardown(&b);
}

Test(paging, pages_of_code_take_the_slow_way_until_unmarked)
{
    struct bench b;
    setup(&b, "");
    mem_write32(b.c, DS, 0x3000, 1);
    struct tlb_entry *t = tlb_slot(b.c, 0x3000);
    cr_assert_eq(t->write, 0x3000);
    mmu_mark_code(b.c, 0x3000);
    cr_assert_neq(t->write, 0x3000);
    cr_assert_eq(t->read, 0x3000, "reads stay fast");
    mem_write32(b.c, DS, 0x3000, 2);
    cr_assert_eq(le32_get(b.ram + 0x3000), 2);
    cr_assert_neq(t->write, 0x3000);
    mmu_unmark_code(b.c, 0x3000);
    mem_write32(b.c, DS, 0x3000, 3);
    cr_assert_eq(t->write, 0x3000);
    teardown(&b);
}

Test(paging, a_change_of_the_map_is_seen_at_the_next_boundary)
{
    struct bench b;
    setup(&b, "");
    mem_read32(b.c, DS, DEVICE_AT);
    region_enable(b.device, false);
    cr_assert(atomic_load(&b.c->pending) & PENDING_MAP);
    cpu_service_pending(b.c);
    cr_assert_eq(mem_read32(b.c, DS, DEVICE_AT), 0xffffffff);
    region_enable(b.device, true);
    cpu_service_pending(b.c);
    cr_assert_eq(mem_read32(b.c, DS, DEVICE_AT), 0x44332211);
    teardown(&b);
}

Test(paging, a20_masks_after_translation)
{
    struct bench b;
    setup(&b, "");
    b.ram[0x100000] = 1;
    b.ram[0] = 2;
    cr_assert_eq(mem_read8(b.c, DS, 0x100000), 1);
    cpu_class.input(&b.c->dev, CPU_A20, false);
    cpu_service_pending(b.c);
    cr_assert_eq(mem_read8(b.c, DS, 0x100000), 2);
    cr_assert_eq(mem_read8(b.c, DS, 0x200000), 0, "only bit 20");
    uint64_t physical;
    cr_assert(mmu_probe(b.c, 0x100123, &physical));
    cr_assert_eq(physical, 0x123);
    cpu_class.input(&b.c->dev, CPU_A20, true);
    cpu_service_pending(b.c);
    cr_assert_eq(mem_read8(b.c, DS, 0x100000), 1);
    teardown(&b);
}

/* Tables in a device's registers and past all memory: no crash, and what the bytes say. */
Test(paging, page_tables_need_not_be_in_ram)
{
    struct bench b;
    uint64_t physical;
    setup(&b, "");
    b.c->cr0 |= CR0_PG;
    b.c->cr3 = DEVICE_AT;
    mmu_flush(b.c, true);
    cr_assert(mmu_probe(b.c, 0x1000, &physical), "44332211h is present");
    cr_assert_gt(b.reads, 0u);
    b.c->cr3 = 0xfffff000;
    cr_assert(mmu_probe(b.c, 0x1000, &physical), "all ones");
    cr_assert_eq(physical, 0xfffff000);
    if (setjmp(b.c->fault) == 0)
        mem_read32(b.c, DS, 0x12345678);
    teardown(&b);
}

Test(paging, breakpoints_by_address_and_length)
{
    struct bench b;
    setup(&b, "");
    b.c->dr[0] = 0x1000;
    b.c->dr[1] = 0x2004;
    b.c->dr[7] = 2 << 0 | 2 << 2 | 0x1u << 16 | 0xfu << 20;     /* write 1; access 4 */
    cr_assert_eq(mmu_breakpoints(b.c, 0x1000, 1, 8 | 2), 1);
    cr_assert_eq(mmu_breakpoints(b.c, 0x0ffd, 4, 8 | 2), 1);
    cr_assert_eq(mmu_breakpoints(b.c, 0x1001, 4, 8 | 2), 0);
    cr_assert_eq(mmu_breakpoints(b.c, 0x1000, 1, 8), 0);
    cr_assert_eq(mmu_breakpoints(b.c, 0x2007, 1, 8), 2);
    cr_assert_eq(mmu_breakpoints(b.c, 0x2008, 1, 8), 0);
    cr_assert_eq(mmu_breakpoints(b.c, 0x2001, 4, 8), 2);
    teardown(&b);
}

Test(paging, bytes_across_pages_fault_before_anything_moves)
{
    struct bench b;
    uint8_t bytes[16];
    setup(&b, "");
    le32_put(b.ram + 0x10000, 0x11000 | 7);                     /* directory; 1000h is present, 2000h is not */
    le32_put(b.ram + 0x11000 + 4, 0x1000 | 7);
    b.c->cr3 = 0x10000;
    b.c->cr0 |= CR0_PG;
    mmu_flush(b.c, true);
    memset(bytes, 0xee, sizeof bytes);
    if (setjmp(b.c->fault) == 0) {
        mmu_write_bytes(b.c, 0x1ff8, bytes, 16);
        cr_assert_fail("no fault");
    }
    cr_assert_eq(b.c->raised.vector, EXC_PF);
    cr_assert_eq(b.c->raised.error, 2);
    cr_assert_eq(b.c->cr2, 0x2000);
    cr_assert_eq(b.ram[0x1ff8], 0);
    if (setjmp(b.c->fault) == 0)
        mmu_read_bytes(b.c, 0x1ff8, bytes, 16);
    cr_assert_eq(b.c->cr2, 0x2000);
    cr_assert_eq(bytes[0], 0xee);
    teardown(&b);
}
