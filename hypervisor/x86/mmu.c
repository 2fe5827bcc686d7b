/* Paging and the software TLB [SDM3A, chapter 4].
 *
 * A TLB entry carries two tags. A tag is one of
 *     the page's linear address                 RAM without side effects: mmu.h's inline functions use `host` directly
 *     the same with TLB_SLOW (bit 41)           the translation is known and permitted, but each access comes here
 *     TLB_INVALID                               nothing is known: walk the tables
 * A page is slow when it is a device, a ROM (writes), a frame buffer (writes are logged), holds decoded code (writes),
 * bears a data breakpoint, or when alignment checks are on (user pages). A page whose dirty bit is not yet set has no
 * write tag at all, so its first write walks the tables and sets the bit.
 *
 * Flushing must be cheap, since guests load CR3 at each context switch: each set keeps the list of slots it filled, and a
 * flush visits only those. Physical addresses are turned into host memory by a handful of cached spans, so that a miss
 * costs no lock; a change of the memory map raises PENDING_MAP, which drops spans and TLB at the next boundary.
 *
 * References: [SDM3A] 4.3 (32-bit paging), 4.4 (PAE), 4.6 (access rights), 4.7 (page faults), 4.8 (A and D), 4.10.
 * Not modelled: memory types, stale translations (a TLB entry never outlives a flush that the manual asks for, but
 * permissions are looked up again before a fault). */
#include "x86/mmu.h"
#include "core/machine.h"
#include "x86/apic.h"
#include <stdlib.h>
#include <sys/mman.h>

#define TLB_SLOW (1ull << 41)
#define PAGE_MASK 0xfffu
enum { TLB_RAM = 2, TLB_STORE = 4 };            /* low bits of `physical`: host is valid; stores go to host too */
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };     /* #PF error code */
enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 32, PTE_D = 64, PTE_PS = 128, PTE_G = 256 };
enum { SPANS = 8, CODE_WORDS = 1 << 19 };       /* 2^24 pages of 36-bit physical memory, 32 a word */

struct span { uint64_t base, length; uint8_t *host; unsigned flags; };
enum { FETCHED = 4096 };
struct mmu {
    struct tlb tlb;
    uint16_t filled[2][TLB_SIZE];               /* slots in use: [0] kernel, [1] user */
    unsigned filled_count[2];
    bool user_slow;                             /* the user set was filled with alignment checks on */
    struct span spans[SPANS];
    unsigned span_next;
    uint32_t *code;                             /* bit per physical page that holds decoded code */
    uint64_t fetched[2][FETCHED / 64];          /* by the low bits of a linear page: code was fetched there; [1]: of a global page */
};

static struct mmu *mmu_of(const struct cpu *c) { return container_of(c->tlb, struct mmu, tlb); }

/* --- physical memory ------------------------------------------------------------------------------------------ */
static const struct span *span_miss(struct cpu *c, uint64_t page)
{
    struct mmu *m = mmu_of(c);
    struct span *s = &m->spans[m->span_next++ % SPANS];
    uint64_t length = 0;
    unsigned flags = 0;
    machine_lock(c->dev.machine);
    uint8_t *host = space_ram(c->dev.machine->memory, page, &length, &flags);
    machine_unlock(c->dev.machine);
    if (!host || length < 4096) {               /* a page that is only partly RAM is accessed through the space */
        host = NULL;
        length = 4096;
    }
    *s = (struct span){ page, align_down(length, 4096), host, flags };
    return s;
}

static const struct span *span_of(struct cpu *c, uint64_t page)
{
    struct mmu *m = mmu_of(c);
    for (unsigned i = 0; i < SPANS; i++)
        if (page - m->spans[i].base < m->spans[i].length)
            return &m->spans[i];
    return span_miss(c, page);
}

static bool apic_page(const struct cpu *c, uint64_t page)
{
    return c->apic && apic_enabled(c) && page == (c->apic_base & ~(uint64_t)PAGE_MASK);
}

/* A device may look at the time: the instructions before this one are counted. */
static void device_prepare(struct cpu *c)
{
    c->exits_mmio++;
    if (c->current && c->sync)
        c->sync(c);
}

static uint64_t device_read(struct cpu *c, uint64_t physical, unsigned size)
{
    uint64_t v;
    device_prepare(c);
    machine_lock(c->dev.machine);
    if (apic_page(c, physical & ~(uint64_t)PAGE_MASK))
        v = apic_read(c, physical & PAGE_MASK);
    else
        v = space_read(c->dev.machine->memory, physical, size);
    machine_unlock(c->dev.machine);
    return v;
}

static void device_write(struct cpu *c, uint64_t physical, unsigned size, uint64_t v)
{
    device_prepare(c);
    machine_lock(c->dev.machine);
    if (apic_page(c, physical & ~(uint64_t)PAGE_MASK))
        apic_write(c, physical & PAGE_MASK, (uint32_t)v);
    else
        space_write(c->dev.machine->memory, physical, size, v);
    machine_unlock(c->dev.machine);
}

/* --- page tables ---------------------------------------------------------------------------------------------- */
static uint64_t table_read(struct cpu *c, uint64_t address, unsigned size)
{
    address &= (uint64_t)c->a20_mask | ~0xffffffffull;
    const struct span *s = span_of(c, address & ~(uint64_t)PAGE_MASK);
    if (unlikely(!s->host))
        return device_read(c, address, size);
    const uint8_t *p = s->host + (address - s->base);
    return size == 4 ? le32_get(p) : le64_get(p);
}

static void table_or(struct cpu *c, uint64_t address, uint32_t bits)
{
    address &= (uint64_t)c->a20_mask | ~0xffffffffull;
    const struct span *s = span_of(c, address & ~(uint64_t)PAGE_MASK);
    if (s->host && s->flags & RAM_WRITABLE && !(s->flags & RAM_DIRTY_LOG))
        __atomic_fetch_or((uint32_t *)(s->host + (address - s->base)), bits, __ATOMIC_RELAXED);
    else
        device_write(c, address, 4, (uint32_t)table_read(c, address, 4) | bits);
}

struct walk {
    uint64_t page;                              /* physical address of the 4 KiB page */
    uint32_t rights;                            /* PTE_W and PTE_U of all levels, PTE_D and PTE_G of the last */
    uint64_t entry[2], value[2];                /* addresses and values of the entries used */
    unsigned levels;
};

/* Reserved bits are checked only with PSE or PAE [SDM3A, 4.3]. */
static bool walk_32(struct cpu *c, uint32_t linear, struct walk *w, uint32_t *error)
{
    w->entry[0] = (c->cr3 & ~PAGE_MASK) + (linear >> 22) * 4;
    uint32_t pde = (uint32_t)(w->value[0] = table_read(c, w->entry[0], 4));
    w->levels = 1;
    if (!(pde & PTE_P))
        return false;
    if (pde & PTE_PS && c->cr4 & CR4_PSE) {
        uint32_t reserved = cpu_has(c, HAS_PSE36) ? 0x3e0000 : 0x3fe000;
        if (!cpu_has(c, HAS_PAT))
            reserved |= 1 << 12;
        if (pde & reserved) {
            *error = PF_PRESENT | PF_RESERVED;
            return false;
        }
        w->page = (pde & 0xffc00000) | (linear & 0x3ff000);
        if (cpu_has(c, HAS_PSE36))
            w->page |= (uint64_t)(pde >> 13 & 15) << 32;
        w->rights = pde & (PTE_W | PTE_U | PTE_D | PTE_G);
        return true;
    }
    w->entry[1] = (pde & ~PAGE_MASK) + (linear >> 12 & 1023) * 4;
    uint32_t pte = (uint32_t)(w->value[1] = table_read(c, w->entry[1], 4));
    w->levels = 2;
    if (!(pte & PTE_P))
        return false;
    if (pte & PTE_PS && c->cr4 & CR4_PSE && !cpu_has(c, HAS_PAT)) {
        *error = PF_PRESENT | PF_RESERVED;
        return false;
    }
    w->page = pte & ~PAGE_MASK;
    w->rights = (pde & pte & (PTE_W | PTE_U)) | (pte & (PTE_D | PTE_G));
    return true;
}

static bool walk_pae(struct cpu *c, uint32_t linear, struct walk *w, uint32_t *error)
{
    const uint64_t high = ~0ull << c->physical_bits;            /* reserved, XD included: no model has NX */
    uint64_t pdpte = c->pdpte[linear >> 30];
    w->levels = 0;
    if (!(pdpte & PTE_P))
        return false;
    w->entry[0] = (pdpte & ~(uint64_t)PAGE_MASK & ~high) + (linear >> 21 & 511) * 8;
    uint64_t pde = w->value[0] = table_read(c, w->entry[0], 8);
    w->levels = 1;
    if (!(pde & PTE_P))
        return false;
    if (pde & PTE_PS) {
        if (pde & (high | 0x1fe000 | (cpu_has(c, HAS_PAT) ? 0 : 1 << 12))) {
            *error = PF_PRESENT | PF_RESERVED;
            return false;
        }
        w->page = (pde & ~(uint64_t)0x1fffff) | (linear & 0x1ff000);
        w->rights = pde & (PTE_W | PTE_U | PTE_D | PTE_G);
        return true;
    }
    if (pde & high) {
        *error = PF_PRESENT | PF_RESERVED;
        return false;
    }
    w->entry[1] = (pde & ~(uint64_t)PAGE_MASK) + (linear >> 12 & 511) * 8;
    uint64_t pte = w->value[1] = table_read(c, w->entry[1], 8);
    w->levels = 2;
    if (!(pte & PTE_P))
        return false;
    if (pte & high || (pte & PTE_PS && !cpu_has(c, HAS_PAT))) {
        *error = PF_PRESENT | PF_RESERVED;
        return false;
    }
    w->page = pte & ~(uint64_t)PAGE_MASK;
    w->rights = (pde & pte & (PTE_W | PTE_U)) | (pte & (PTE_D | PTE_G));
    return true;
}

/* Finds the page and checks the rights of `how` (PF_WRITE, PF_USER, PF_FETCH). false: *error is the code of the #PF. */
static bool walk(struct cpu *c, uint32_t linear, unsigned how, struct walk *w, uint32_t *error)
{
    *error = 0;
    bool found = c->cr4 & CR4_PAE ? walk_pae(c, linear, w, error) : walk_32(c, linear, w, error);
    if (found) {
        bool write_ok = w->rights & PTE_W || (!(how & PF_USER) && !(c->cr0 & CR0_WP));
        if ((how & PF_USER && !(w->rights & PTE_U)) || (how & PF_WRITE && !write_ok)) {
            *error = PF_PRESENT;
            found = false;
        }
    }
    *error |= how & (PF_WRITE | PF_USER);
    return found;
}

/* Accessed in every entry used, dirty in the last one of a write; memory is written only for bits that were clear. */
static void walk_mark(struct cpu *c, struct walk *w, bool write)
{
    for (unsigned i = 0; i < w->levels; i++) {
        uint32_t bits = PTE_A | (write && i == w->levels - 1 ? PTE_D : 0);
        if ((w->value[i] & bits) != bits)
            table_or(c, w->entry[i], bits);
    }
    if (write)
        w->rights |= PTE_D;
}

static bool pdptes_valid(const struct cpu *c, const uint64_t pdpte[4])
{
    for (unsigned i = 0; i < 4; i++)
        if (pdpte[i] & PTE_P && pdpte[i] & (0x1e6 | ~0ull << c->physical_bits))
            return false;
    return true;
}

void mmu_load_pdptes(struct cpu *c, uint32_t cr3)
{
    uint64_t pdpte[4];
    for (unsigned i = 0; i < 4; i++)
        pdpte[i] = table_read(c, (cr3 & ~31u) + i * 8, 8);
    if (!pdptes_valid(c, pdpte))
        cpu_raise(c, EXC_GP);
    memcpy(c->pdpte, pdpte, sizeof pdpte);
}

/* --- the TLB -------------------------------------------------------------------------------------------------- */
static bool alignment_checked(const struct cpu *c)
{
    return c->cr0 & CR0_AM && c->eflags & FLAG_AC && c->cpl == 3;
}

static const uint8_t watch_length[4] = { 1, 2, 8, 4 };          /* DR7.LEN: 2 is undefined, or 8 bytes on later CPUs */

/* Bits 0-3: breakpoints of `kinds` (bit per DR7.R/W value) that are enabled and meet [linear, linear + size). */
static unsigned breakpoints_met(const struct cpu *c, uint32_t linear, uint32_t size, unsigned kinds)
{
    unsigned met = 0;
    for (unsigned n = 0; n < 4; n++) {
        unsigned field = c->dr[7] >> (16 + n * 4) & 15, length = watch_length[field >> 2];
        if (!(c->dr[7] >> (n * 2) & 3) || !(kinds >> (field & 3) & 1))
            continue;
        uint32_t first = c->dr[n] & ~(length - 1);
        if (first - linear < size || linear - first < length)
            met |= 1u << n;
    }
    return met;
}

/* Which breakpoints does an access meet? `kinds`: 8 | 2 for a write, 8 for a read, 4 for a port. */
unsigned mmu_breakpoints(const struct cpu *c, uint32_t address, uint32_t size, unsigned kinds)
{
    return c->dr[7] & 0xff ? breakpoints_met(c, address, size, kinds) : 0;
}

static void watch(struct cpu *c, uint32_t linear, unsigned size, unsigned kinds)
{
    unsigned met = mmu_breakpoints(c, linear, size, kinds);
    if (unlikely(met)) {
        c->tlb->dr6_hits |= met;
        atomic_fetch_or(&c->pending, PENDING_DEBUG);
    }
}

static bool code_marked(const struct mmu *m, uint64_t physical)
{
    uint64_t n = physical >> 12;
    return n < (uint64_t)CODE_WORDS * 32 && m->code[n / 32] >> (n % 32) & 1;
}

/* The flat tables follow the TLB entry: before it changes, and after. */
static void flat_clear(struct mmu *m, unsigned user, const struct tlb_entry *t)
{
    if (m->tlb.flat_read[user] && !(t->read & TLB_INVALID)) {
        m->tlb.flat_read[user][(uint32_t)t->read >> 12] = 0;
        m->tlb.flat_write[user][(uint32_t)t->read >> 12] = 0;
    }
}
static void flat_set(struct mmu *m, unsigned user, const struct tlb_entry *t, uint32_t page)
{
    if (m->tlb.flat_read[user]) {
        m->tlb.flat_read[user][page >> 12] = t->read == page ? t->host : 0;
        m->tlb.flat_write[user][page >> 12] = t->write == page ? t->host : 0;
    }
}

static void fill(struct cpu *c, struct tlb_entry *t, uint32_t linear, unsigned how, const struct walk *w)
{
    struct mmu *m = mmu_of(c);
    unsigned user = how & PF_USER ? 1 : 0;
    uint32_t page = linear & ~PAGE_MASK;
    if (t->read == TLB_INVALID && t->write == TLB_INVALID)
        m->filled[user][m->filled_count[user]++] = (uint16_t)(linear >> 12 & (TLB_SIZE - 1));
    flat_clear(m, user, t);
    uint64_t physical = w->page & ((uint64_t)c->a20_mask | ~0xffffffffull);
    const struct span *s = span_of(c, physical);
    unsigned low = w->rights & PTE_G && c->cr4 & CR4_PGE ? TLB_GLOBAL : 0;
    if (s->host && !apic_page(c, physical)) {
        low |= TLB_RAM;
        if (s->flags & RAM_WRITABLE && !(s->flags & RAM_DIRTY_LOG))
            low |= TLB_STORE;
        t->host = (uintptr_t)s->host + (uintptr_t)(physical - s->base) - page;
    }
    t->physical = physical | low;
    bool slow = (user && m->user_slow) || !(low & TLB_RAM) || mmu_breakpoints(c, page, 4096, 8 | 2);
    t->read = page | (slow ? TLB_SLOW : 0);
    bool writable = w->rights & PTE_W || (!user && !(c->cr0 & CR0_WP));
    if (!(writable && w->rights & PTE_D))
        t->write = TLB_INVALID;
    else
        t->write = page | (slow || !(low & TLB_STORE) || code_marked(m, physical) ? TLB_SLOW : 0);
    flat_set(m, user, t, page);
}

static void page_fault(struct cpu *c, uint32_t linear, uint32_t error)
{
    c->cr2 = linear;
    cpu_raise_error(c, EXC_PF, error);
}

/* The entry under which [linear] may be accessed as `how` says; raises #PF. */
static struct tlb_entry *translate(struct cpu *c, uint32_t linear, unsigned how)
{
    struct tlb_entry *t = &(how & PF_USER ? c->tlb->user : c->tlb->kernel)[linear >> 12 & (TLB_SIZE - 1)];
    uint64_t tag = how & PF_WRITE ? t->write : t->read;
    if ((tag & ~TLB_SLOW) == (linear & ~PAGE_MASK))
        return t;
    struct walk w = { .page = linear & ~PAGE_MASK, .rights = PTE_W | PTE_U | PTE_D };
    c->tlb->misses++;
    if (c->cr0 & CR0_PG) {
        uint32_t error;
        if (!walk(c, linear, how, &w, &error))
            page_fault(c, linear, error);
        walk_mark(c, &w, how & PF_WRITE);
    }
    fill(c, t, linear, how, &w);
    return t;
}

static unsigned how_now(const struct cpu *c) { return c->cpl == 3 ? PF_USER : 0; }

static void align_check(struct cpu *c, uint32_t linear, unsigned size)
{
    if (unlikely(linear & (size - 1)) && alignment_checked(c))
        cpu_raise(c, EXC_AC);
}

/* Of operands of other sizes [SDM3A, 6.15, interrupt 17]: 80-bit ones, environments and images of the x87 unit. */
static unsigned alignment_of(unsigned length)
{
    switch (length) {
    case 2: case 4: case 8: return length;
    case 10: return 8;
    case 14: case 94: return 2;
    case 28: case 108: return 4;
    default: return 1;
    }
}

/* Moves bytes inside one page whose access was permitted by `t`. */
static uint64_t load(struct cpu *c, const struct tlb_entry *t, uint32_t linear, unsigned size)
{
    uint64_t v = 0;
    if (t->physical & TLB_RAM) {
        memcpy(&v, (const void *)(t->host + linear), size);
        return v;
    }
    uint64_t physical = (t->physical & ~(uint64_t)PAGE_MASK) | (linear & PAGE_MASK);
    if (is_power_of_two(size))
        return device_read(c, physical, size);
    for (unsigned i = 0; i < size; i++)
        v |= device_read(c, physical + i, 1) << i * 8;
    return v;
}

static void store(struct cpu *c, const struct tlb_entry *t, uint32_t linear, unsigned size, uint64_t v)
{
    uint64_t physical = (t->physical & ~(uint64_t)PAGE_MASK) | (linear & PAGE_MASK);
    if (t->physical & TLB_STORE) {
        memcpy((void *)(t->host + linear), &v, size);
        if (code_marked(mmu_of(c), physical))
            cpu_code_written(c, physical, size);
        return;
    }
    if (is_power_of_two(size))
        device_write(c, physical, size, v);
    else
        for (unsigned i = 0; i < size; i++)
            device_write(c, physical + i, 1, v >> i * 8 & 0xff);
    if (code_marked(mmu_of(c), physical))
        cpu_code_written(c, physical, size);
}

static uint64_t read_as(struct cpu *c, uint32_t linear, unsigned size, unsigned how)
{
    unsigned first = 4096 - (linear & PAGE_MASK);
    if (likely(size <= first))
        return load(c, translate(c, linear, how), linear, size);
    translate(c, linear, how);                  /* the lower page's fault comes first; both before a device is touched */
    translate(c, linear + first, how);
    uint64_t low = load(c, translate(c, linear, how), linear, first);
    return low | load(c, translate(c, linear + first, how), linear + first, size - first) << first * 8;
}

static void write_as(struct cpu *c, uint32_t linear, unsigned size, uint64_t v, unsigned how)
{
    unsigned first = 4096 - (linear & PAGE_MASK);
    how |= PF_WRITE;
    if (likely(size <= first)) {
        store(c, translate(c, linear, how), linear, size, v);
        return;
    }
    translate(c, linear, how);                  /* the lower page's fault comes first */
    translate(c, linear + first, how);
    store(c, translate(c, linear, how), linear, first, v);
    store(c, translate(c, linear + first, how), linear + first, size - first, v >> first * 8);
}

/* --- what mmu.h offers ---------------------------------------------------------------------------------------- */
uint64_t mmu_read(struct cpu *c, uint32_t linear, unsigned size)
{
    unsigned how = how_now(c);
    if (unlikely(linear & (size - 1)) && alignment_checked(c)) {        /* #PF comes before #AC [SDM3A, table 6-2] */
        translate(c, linear, how);
        translate(c, linear + size - 1, how);
        align_check(c, linear, size);
    }
    uint64_t v = read_as(c, linear, size, how);
    watch(c, linear, size, 8);
    return v;
}

void mmu_write(struct cpu *c, uint32_t linear, unsigned size, uint64_t value)
{
    unsigned how = how_now(c);
    if (unlikely(linear & (size - 1)) && alignment_checked(c)) {
        translate(c, linear, how | PF_WRITE);
        translate(c, linear + size - 1, how | PF_WRITE);
        align_check(c, linear, size);
    }
    write_as(c, linear, size, value, how);
    watch(c, linear, size, 8 | 2);
}

void mmu_read_bytes(struct cpu *c, uint32_t linear, void *to, unsigned length)
{
    uint8_t *p = to;
    unsigned how = how_now(c), step;
    for (unsigned done = 0; done < length; done += step) {              /* all pages fault before a device is touched */
        translate(c, linear + done, how);
        step = MIN(length - done, 4096 - ((linear + done) & PAGE_MASK));
    }
    align_check(c, linear, alignment_of(length));
    for (unsigned done = 0; done < length; done += step) {
        step = MIN(8, MIN(length - done, 4096 - ((linear + done) & PAGE_MASK)));
        uint64_t v = read_as(c, linear + done, step, how);
        memcpy(p + done, &v, step);
    }
    watch(c, linear, length, 8);
}

void mmu_write_bytes(struct cpu *c, uint32_t linear, const void *from, unsigned length)
{
    const uint8_t *p = from;
    unsigned step;
    mmu_check_write(c, linear, length);
    for (unsigned done = 0; done < length; done += step) {
        uint64_t v = 0;
        step = MIN(8, MIN(length - done, 4096 - ((linear + done) & PAGE_MASK)));
        memcpy(&v, p + done, step);
        write_as(c, linear + done, step, v, how_now(c));
    }
    watch(c, linear, length, 8 | 2);
}

uint32_t mmu_read_system(struct cpu *c, uint32_t linear, unsigned size)
{
    const struct tlb_entry *t = &c->tlb->kernel[linear >> 12 & (TLB_SIZE - 1)];
    uint32_t v = 0;
    if (likely(linear - t->read <= 4096 - size)) {
        memcpy(&v, (const void *)(t->host + linear), size);
        return v;
    }
    return (uint32_t)read_as(c, linear, size, 0);
}

void mmu_write_system(struct cpu *c, uint32_t linear, unsigned size, uint32_t value)
{
    const struct tlb_entry *t = &c->tlb->kernel[linear >> 12 & (TLB_SIZE - 1)];
    if (likely(linear - t->write <= 4096 - size))
        memcpy((void *)(t->host + linear), &value, size);
    else
        write_as(c, linear, size, value, 0);
}

void mmu_check_write(struct cpu *c, uint32_t linear, unsigned length)
{
    for (unsigned done = 0, step; done < length; done += step) {
        translate(c, linear + done, how_now(c) | PF_WRITE);
        step = MIN(length - done, 4096 - ((linear + done) & PAGE_MASK));
    }
    align_check(c, linear, alignment_of(length));
}

void mmu_check_system(struct cpu *c, uint32_t linear, unsigned length, bool write)
{
    for (unsigned done = 0, step; done < length; done += step) {
        translate(c, linear + done, write ? PF_WRITE : 0);
        step = MIN(length - done, 4096 - ((linear + done) & PAGE_MASK));
    }
}

uint64_t mmu_fetch_host(struct cpu *c, uint32_t linear, const uint8_t **host)
{
    const struct tlb_entry *t = translate(c, linear, how_now(c) | PF_FETCH);
    unsigned page = linear >> 12 & (FETCHED - 1);
    mmu_of(c)->fetched[t->physical & TLB_GLOBAL][page / 64] |= 1ull << (page & 63);
    *host = t->physical & TLB_RAM ? (const uint8_t *)(t->host + linear) : NULL;
    return (t->physical & ~(uint64_t)PAGE_MASK) | (linear & PAGE_MASK);
}

bool mmu_probe(struct cpu *c, uint32_t linear, uint64_t *physical)
{
    struct walk w = { .page = linear & ~PAGE_MASK };
    uint32_t error;
    if (c->cr0 & CR0_PG && !walk(c, linear, 0, &w, &error))
        return false;
    *physical = (w.page | (linear & PAGE_MASK)) & ((uint64_t)c->a20_mask | ~0xffffffffull);
    return true;
}

bool mmu_page_now(struct cpu *c, uint32_t linear, struct mmu_page *p)
{
    struct walk w = { .page = linear & ~PAGE_MASK, .rights = PTE_W | PTE_U | PTE_D };
    uint32_t error;
    if (c->cr0 & CR0_PG && !walk(c, linear, PF_USER, &w, &error))
        return false;
    *p = (struct mmu_page){ .levels = w.levels, .directory_shift = c->cr4 & CR4_PAE ? 21 : 22 };
    for (unsigned i = 0; i < w.levels; i++) {
        if (!(w.value[i] & PTE_A))
            return false;
        p->table[i] = (w.entry[i] & ((uint64_t)c->a20_mask | ~0xffffffffull)) & ~(uint64_t)PAGE_MASK;
    }
    p->physical = w.page & ((uint64_t)c->a20_mask | ~0xffffffffull);
    const struct span *s = span_of(c, p->physical);
    if (!s->host || apic_page(c, p->physical))
        return false;
    p->host = s->host + (p->physical - s->base);
    p->write = w.rights & PTE_W && w.rights & PTE_D && s->flags & RAM_WRITABLE && !(s->flags & RAM_DIRTY_LOG)
        && !code_marked(mmu_of(c), p->physical);
    return true;
}

/* --- flushing ------------------------------------------------------------------------------------------------- */
static void entry_clear(struct tlb_entry *t) { t->read = t->write = TLB_INVALID; }

static void set_flush(struct mmu *m, unsigned user, bool global_too)
{
    struct tlb_entry *set = user ? m->tlb.user : m->tlb.kernel;
    unsigned kept = 0;
    m->tlb.flushes++;
    m->tlb.global_flushes += global_too;
    for (unsigned i = 0; i < m->filled_count[user]; i++) {
        struct tlb_entry *t = &set[m->filled[user][i]];
        if (t->physical & TLB_GLOBAL && !global_too) {
            m->filled[user][kept++] = m->filled[user][i];
        } else {
            flat_clear(m, user, t);
            entry_clear(t);
        }
    }
    m->filled_count[user] = kept;
}

void mmu_flush(struct cpu *c, bool global_too)
{
    struct mmu *m = mmu_of(c);
    set_flush(m, 0, global_too);
    set_flush(m, 1, global_too);
    memset(m->fetched, 0, global_too ? sizeof m->fetched : sizeof m->fetched[0]);
}

/* Takes away the page's rights but leaves the slot in the list of filled ones: a tag no address has, yet not empty. */
static void entry_forget(struct mmu *m, unsigned user, struct tlb_entry *t)
{
    flat_clear(m, user, t);
    t->read = t->write = TLB_INVALID | TLB_SLOW | 1;
    t->physical = 0;
}

void mmu_flush_page(struct cpu *c, uint32_t linear)
{
    unsigned slot = linear >> 12 & (TLB_SIZE - 1), page = linear >> 12 & (FETCHED - 1);
    unsigned global = mmu_of(c)->fetched[1][page / 64] >> (page & 63) & 1;
    c->tlb->flushes += global | (mmu_of(c)->fetched[0][page / 64] >> (page & 63) & 1);
    c->tlb->global_flushes += global;
    for (unsigned user = 0; user < 2; user++) {
        struct tlb_entry *t = &(user ? c->tlb->user : c->tlb->kernel)[slot];
        if (t->read != TLB_INVALID || t->write != TLB_INVALID)
            entry_forget(mmu_of(c), user, t);
    }
}

void mmu_flush_physical(struct cpu *c, uint64_t page)
{
    struct mmu *m = mmu_of(c);
    if (page == UINT64_MAX) {
        memset(m->spans, 0, sizeof m->spans);
        m->tlb.map_changes++;
        mmu_flush(c, true);
        return;
    }
    page &= ~(uint64_t)PAGE_MASK;
    m->tlb.flushes++;
    m->tlb.global_flushes++;
    for (unsigned user = 0; user < 2; user++) {
        struct tlb_entry *set = user ? m->tlb.user : m->tlb.kernel;
        for (unsigned i = 0; i < m->filled_count[user]; i++)
            if ((set[m->filled[user][i]].physical & ~(uint64_t)PAGE_MASK) == page)
                entry_forget(m, user, &set[m->filled[user][i]]);
    }
}

void mmu_privilege_changed(struct cpu *c)
{
    struct mmu *m = mmu_of(c);
    if (c->cpl != 3) {
        c->tlb->now = c->tlb->kernel;
        return;
    }
    if (unlikely(alignment_checked(c) != m->user_slow)) {
        m->user_slow = !m->user_slow;
        set_flush(m, 1, true);
    }
    c->tlb->now = c->tlb->user;
}

/* --- code pages ----------------------------------------------------------------------------------------------- */
void mmu_mark_code(struct cpu *c, uint64_t physical)
{
    struct mmu *m = mmu_of(c);
    uint64_t n = physical >> 12;
    if (n >= (uint64_t)CODE_WORDS * 32 || m->code[n / 32] >> (n % 32) & 1)
        return;
    m->code[n / 32] |= 1u << (n % 32);
    for (unsigned user = 0; user < 2; user++) {
        struct tlb_entry *set = user ? m->tlb.user : m->tlb.kernel;
        for (unsigned i = 0; i < m->filled_count[user]; i++) {
            struct tlb_entry *t = &set[m->filled[user][i]];
            if (t->physical >> 12 == n && t->write != TLB_INVALID) {
                t->write |= TLB_SLOW;
                if (m->tlb.flat_write[user] && !(t->read & TLB_INVALID))
                    m->tlb.flat_write[user][(uint32_t)t->read >> 12] = 0;
            }
        }
    }
}

/* The pages become fast again when they are next looked up. */
void mmu_unmark_code(struct cpu *c, uint64_t physical)
{
    struct mmu *m = mmu_of(c);
    uint64_t n = physical >> 12;
    if (n >= (uint64_t)CODE_WORDS * 32 || !(m->code[n / 32] >> (n % 32) & 1))
        return;
    m->code[n / 32] &= ~(1u << (n % 32));
    mmu_flush_physical(c, physical);
}

/* --- life ----------------------------------------------------------------------------------------------------- */
bool mmu_create(struct cpu *c, struct error *err)
{
    struct mmu *m = calloc(1, sizeof *m);
    uint32_t *code = calloc(CODE_WORDS, sizeof *code);
    if (!m || !code) {
        free(m);
        free(code);
        return error_set(err, 12, "no memory for the TLB of %s; close other programs", c->dev.id);
    }
    m->code = code;
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        entry_clear(&m->tlb.kernel[i]);
        entry_clear(&m->tlb.user[i]);
    }
    m->tlb.now = m->tlb.kernel;
    c->tlb = &m->tlb;
    return true;
}

bool mmu_flat_create(struct cpu *c, struct error *err)
{
    const size_t size = sizeof(uint64_t) << FLAT_INDEX_BITS;
    uint8_t *all = mmap(NULL, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return error_set(err, 12, "no memory for the page tables of %s; close other programs", c->dev.id);
    mmu_flush(c, true);
    for (unsigned user = 0; user < 2; user++) {
        c->tlb->flat_read[user] = (uint64_t *)(all + 2 * user * size);
        c->tlb->flat_write[user] = (uint64_t *)(all + (2 * user + 1) * size);
    }
    return true;
}

void mmu_destroy(struct cpu *c)
{
    if (!c->tlb)
        return;
    if (c->tlb->flat_read[0])
        munmap(c->tlb->flat_read[0], 4 * sizeof(uint64_t) << FLAT_INDEX_BITS);
    free(mmu_of(c)->code);
    free(mmu_of(c));
    c->tlb = NULL;
}
