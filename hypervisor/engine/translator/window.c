/* Windows: an access of translated code is `op %gs:operand`, and the host's MMU does the rest.
 *
 * A window is 4 GiB of host addresses for one guest address space: a page table of user code, or memory without paging. At first nothing is
 * in it. An access that faults goes to its slow path (host_fault.c), which makes the access as everywhere else, with the exact fault if there
 * is one; then the page is mapped here, with its neighbours that were accessed too: readable, and writable when a store needs no care.
 *
 * What is mapped is always what the guest's tables say now. The tables that a mapping was read from are watched like decoded code: a store
 * to an entry unmaps what the entry maps. So CR3 loads and TLB flushes need nothing. A page that gets decoded code becomes read-only;
 * a changed memory map drops everything. Breakpoints and alignment checks: no window then.
 *
 * Mapping a page costs some 5 to 30 microseconds, so only address spaces that ran long get one, and one that unmaps more than it runs is
 * abandoned, and must run longer to get another. Costs are kept as credit, in units of some microseconds. */
#include "engine/translator/window.h"
#include "core/machine.h"
#include "engine/interpreter/interpreter.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WINDOWS = 8, MAPPINGS = 24 << 10, TABLES = 1024, MAP_HASH = 4096, TABLE_HASH = 256, SPACES = 32, AROUND = 16 };
enum { CREDIT_START = 32768, CREDIT_MOST = 32768, COST_FAULT = 16, COST_UNMAP = 16, CREDIT_INSNS = 20000, HEAT = 20000000, HEAT_AGAIN = 4 };
#define WINDOW_BYTES ((1ull << 32) + (64 << 10))                /* behind it, a guard for accesses that cross 4 GiB */

struct space_key { uint64_t pdpte[4]; uint32_t cr3, paging; };  /* compared as bytes */
struct mapping { uint32_t page, physical; uint16_t next; uint8_t window; bool write; };        /* numbers of pages */
/* A table that entries were read from: entry n maps 1 << span pages from `first` on. */
struct table { uint32_t physical, first; uint16_t next; uint8_t window, span, entry; bool used; };
struct slot {
    struct window w;                            /* first member */
    struct space_key key;
    uint16_t *pages;                            /* by linear page: a mapping, or 0 */
    int64_t credit;
    uint64_t selected;
    bool used;
};
struct heat { struct space_key key; uint64_t executed, needed; };

struct windows {
    struct cpu *cpu;
    struct slot slot[WINDOWS], *now;
    uint8_t *base;                              /* of all */
    uint8_t *gs;
    bool fsgsbase;
    uint32_t map_changes;                       /* the mmu's, as of the last look */
    uint64_t heat_first, selections;
    struct heat heat[SPACES];
    uint16_t map_hash[MAP_HASH], table_hash[TABLE_HASH], map_free, table_free;
    struct mapping map[MAPPINGS];               /* [0] is nothing, as is table[0] */
    struct table table[TABLES];
};

/* --- the host's calls -------------------------------------------------------------------------------------------- */
static uint8_t *host_page(const struct slot *s, uint32_t page) { return s->w.base + ((uint64_t)page << 12); }

static void unmap(uint8_t *at, uint64_t size)
{
    void *p = mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED) {                      /* what stays mapped may be another program's page by now */
        perror("holdover: the host refuses to unmap a guest page");
        abort();
    }
}

__attribute__((target("fsgsbase"))) static void write_gs(uint8_t *base) { asm volatile("wrgsbase %0" : : "r"(base)); }

static void set_gs(struct windows *w, uint8_t *base)
{
    enum { SET_GS = 0x1001 };
    if (w->gs == base)
        return;
    if (w->fsgsbase)
        write_gs(base);
    else
        syscall(SYS_arch_prctl, SET_GS, base);
    w->gs = base;
}

/* --- lists ------------------------------------------------------------------------------------------------------- */
static uint16_t *map_bucket(struct windows *w, uint32_t physical) { return &w->map_hash[(physical ^ physical >> 12) % MAP_HASH]; }
static uint16_t *table_bucket(struct windows *w, uint32_t physical) { return &w->table_hash[(physical ^ physical >> 8) % TABLE_HASH]; }

static void map_remove(struct windows *w, struct slot *s, uint32_t page)
{
    uint16_t n = s->pages[page], *at = map_bucket(w, w->map[n].physical);
    while (*at != n)
        at = &w->map[*at].next;
    *at = w->map[n].next;
    w->map[n].next = w->map_free;
    w->map_free = n;
    s->pages[page] = 0;
}

static bool map_add(struct windows *w, struct slot *s, uint32_t page, uint32_t physical, bool write)
{
    uint16_t n = w->map_free, *bucket = map_bucket(w, physical);
    if (!n)
        return false;
    w->map_free = w->map[n].next;
    w->map[n] = (struct mapping){ page, physical, *bucket, (uint8_t)(s - w->slot), write };
    *bucket = n;
    s->pages[page] = n;
    return true;
}

/* How many records name the table's page; another window may use it, too. */
static unsigned table_count(struct windows *w, uint32_t physical)
{
    unsigned count = 0;
    for (uint16_t n = *table_bucket(w, physical); n; n = w->table[n].next)
        count += w->table[n].physical == physical;
    return count;
}

static void table_remove(struct windows *w, uint16_t n)
{
    struct table *t = &w->table[n];
    uint16_t *at = table_bucket(w, t->physical);
    if (table_count(w, t->physical) == 1)
        blocks_unwatch(w->cpu, (uint64_t)t->physical << 12);
    while (*at != n)
        at = &w->table[*at].next;
    *at = t->next;
    t->used = false;
    t->next = w->table_free;
    w->table_free = n;
}

static bool table_add(struct windows *w, struct slot *s, uint32_t physical, uint32_t first, unsigned span, unsigned entry)
{
    uint16_t *bucket = table_bucket(w, physical), n;
    unsigned window = (unsigned)(s - w->slot);
    for (n = *bucket; n; n = w->table[n].next)
        if (w->table[n].physical == physical && w->table[n].window == window && w->table[n].first == first && w->table[n].span == span)
            return true;
    n = w->table_free;
    if (!n || !blocks_watch(w->cpu, (uint64_t)physical << 12))
        return false;
    w->table_free = w->table[n].next;
    w->table[n] = (struct table){ physical, first, *bucket, (uint8_t)window, (uint8_t)span, (uint8_t)entry, true };
    *bucket = n;
    return true;
}

/* --- mapping ----------------------------------------------------------------------------------------------------- */
/* The tables that p was found through, watched before anything relies on them. */
static bool watch_tables(struct windows *w, struct slot *s, uint32_t page, const struct mmu_page *p)
{
    unsigned shift = p->directory_shift - 12, entry = shift == 10 ? 4 : 8;
    if (p->levels && !table_add(w, s, (uint32_t)(p->table[0] >> 12), entry == 4 ? 0 : page & ~0x3ffffu, shift, entry))
        return false;
    return p->levels < 2 || table_add(w, s, (uint32_t)(p->table[1] >> 12), page >> shift << shift, 0, entry);
}

static bool in_ram(const struct machine *m, const struct mmu_page *p) { return (uint64_t)(p->host - m->ram) < m->ram_size; }

/* One page that is not mapped as it could be. */
static bool map_page(struct windows *w, struct slot *s, uint32_t page, struct mmu_page *p)
{
    const struct machine *m = w->cpu->dev.machine;
    if (!in_ram(m, p) || !watch_tables(w, s, page, p) || !mmu_page_now(w->cpu, page << 12, p))  /* it may be one of the tables */
        return false;
    if (s->pages[page])
        map_remove(w, s, page);
    if (!map_add(w, s, page, (uint32_t)(p->physical >> 12), p->write)) {
        unmap(host_page(s, page), 4096);
        return false;
    }
    int protection = PROT_READ | (p->write ? PROT_WRITE : 0);
    if (mmap(host_page(s, page), 4096, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, m->ram_file, p->host - m->ram) == MAP_FAILED) {
        map_remove(w, s, page);
        unmap(host_page(s, page), 4096);
        return false;
    }
    s->credit--;
    return true;
}

static void map_around(struct windows *w, struct slot *s, uint32_t page)
{
    uint32_t first = page & ~(AROUND - 1u);
    for (uint32_t n = first; n < first + AROUND; n++) {
        struct mmu_page p;
        if (!s->pages[n] && mmu_page_now(w->cpu, n << 12, &p) && !map_page(w, s, n, &p))
            return;
    }
}

void window_faulted(struct windows *w)
{
    if (w->now)
        w->now->credit -= COST_FAULT;
}

bool window_touch(struct windows *w, uint32_t linear, unsigned size, bool write)
{
    struct slot *s = w->now;
    bool done = false;
    if (!s)
        return true;
    for (uint32_t page = linear >> 12; page <= (linear + size - 1ull) >> 12 && page < 1u << 20; page++) {
        struct mmu_page p;
        uint16_t n = s->pages[page];
        if ((n && (w->map[n].write || !write)) || !mmu_page_now(w->cpu, page << 12, &p) || (write && !p.write) || !map_page(w, s, page, &p))
            continue;
        map_around(w, s, page);
        done = true;
    }
    return done;
}

/* --- dropping ---------------------------------------------------------------------------------------------------- */
static struct heat *heat_of(struct windows *w, const struct space_key *key)
{
    struct heat *coldest = &w->heat[0];
    for (unsigned n = 0; n < SPACES; n++) {
        if (!memcmp(&w->heat[n].key, key, sizeof *key))
            return &w->heat[n];
        if (w->heat[n].needed < coldest->needed || (w->heat[n].needed == coldest->needed && w->heat[n].executed < coldest->executed))
            coldest = &w->heat[n];
    }
    *coldest = (struct heat){ *key, 0, w->heat_first };
    return coldest;
}

static void slot_free(struct windows *w, struct slot *s)
{
    unsigned window = (unsigned)(s - w->slot);
    for (unsigned n = 0; n < MAP_HASH; n++)
        for (uint16_t k = w->map_hash[n], next; k; k = next) {
            next = w->map[k].next;
            if (w->map[k].window == window)
                map_remove(w, s, w->map[k].page);
        }
    for (uint16_t n = 1; n < TABLES; n++)
        if (w->table[n].used && w->table[n].window == window)
            table_remove(w, n);
    unmap(s->w.base, WINDOW_BYTES);
    s->used = false;
    if (w->now == s)
        w->now = NULL;
}

static void abandon(struct windows *w, struct slot *s)
{
    struct heat *h = heat_of(w, &s->key);
    h->executed = 0;
    h->needed = MAX(h->needed, 1u) * HEAT_AGAIN;
    slot_free(w, s);
}

/* Pages `first` to first + count of the window. */
static void unmap_range(struct windows *w, struct slot *s, uint32_t first, uint32_t count)
{
    uint32_t low = 0, high = 0;
    unsigned found = 0;
    for (uint32_t n = first; n < first + count; n++)
        if (s->pages[n]) {
            map_remove(w, s, n);
            low = found++ ? low : n;
            high = n;
        }
    if (found)
        unmap(host_page(s, low), (uint64_t)(high - low + 1) << 12);
    s->credit -= (int64_t)found * COST_UNMAP;
}

static void drop_tables_below(struct windows *w, unsigned window, uint32_t first)
{
    for (uint16_t n = 1; n < TABLES; n++)
        if (w->table[n].used && w->table[n].window == window && !w->table[n].span && w->table[n].first == first)
            table_remove(w, n);
}

static void entries_written(struct windows *w, struct table t, unsigned offset, unsigned length)
{
    struct slot *s = &w->slot[t.window];
    for (unsigned e = offset / t.entry; e <= (offset + length - 1) / t.entry; e++) {
        uint32_t first = t.first + (e << t.span);
        if (first >= 1u << 20)
            break;
        unmap_range(w, s, first, 1u << t.span);
        if (t.span)
            drop_tables_below(w, t.window, first);
    }
    s->credit--;
    if (s->credit < 0)
        abandon(w, s);
}

void windows_written(struct windows *w, uint64_t physical, unsigned length)
{
    uint32_t page = (uint32_t)(physical >> 12);
    struct table met[WINDOWS * 8];
    unsigned count = 0;
    for (uint16_t n = *table_bucket(w, page); n && count < ARRAY_SIZE(met); n = w->table[n].next)
        if (w->table[n].physical == page)
            met[count++] = w->table[n];
    if (count == ARRAY_SIZE(met)) {             /* one page as a table of so many places */
        windows_drop(w);
        return;
    }
    for (unsigned n = 0; n < count; n++)
        if (w->slot[met[n].window].used)
            entries_written(w, met[n], physical & 4095, length);
}

void windows_marked(struct windows *w, uint64_t page)
{
    uint32_t physical = (uint32_t)(page >> 12);
    for (uint16_t n = *map_bucket(w, physical); n; n = w->map[n].next) {
        struct mapping *m = &w->map[n];
        if (m->physical != physical || !m->write)
            continue;
        uint8_t *at = host_page(&w->slot[m->window], m->page);
        m->write = false;
        if (mprotect(at, 4096, PROT_READ) < 0)
            unmap(at, 4096);                    /* it faults, and is mapped again */
    }
}

void windows_drop(struct windows *w)
{
    for (unsigned n = 0; n < WINDOWS; n++)
        if (w->slot[n].used)
            slot_free(w, &w->slot[n]);
    w->now = NULL;
}

/* --- choosing ---------------------------------------------------------------------------------------------------- */
/* Which address space this is; false: windows do not serve it. */
static bool space_now(const struct cpu *c, struct space_key *key)
{
    bool paging = c->cr0 & CR0_PG;
    *key = (struct space_key){ .paging = paging };
    if ((paging && c->cpl != 3) || c->dr[7] & 0xff || (c->cpl == 3 && c->cr0 & CR0_AM && c->eflags & FLAG_AC))
        return false;
    if (!paging)
        return true;
    key->cr3 = c->cr3;
    key->paging |= c->cr4 & (CR4_PAE | CR4_PSE);
    if (c->cr4 & CR4_PAE)
        memcpy(key->pdpte, c->pdpte, sizeof key->pdpte);
    return true;
}

/* The quick way: the space that was current is so still. */
static bool is_now(const struct slot *s, const struct cpu *c)
{
    if (!s || s->credit < 0 || !(c->cr0 & CR0_PG) || c->cpl != 3 || c->dr[7] & 0xff || c->eflags & FLAG_AC)
        return false;
    return s->key.cr3 == c->cr3 && s->key.paging == (1 | (c->cr4 & (CR4_PAE | CR4_PSE)))
        && (!(c->cr4 & CR4_PAE) || !memcmp(s->key.pdpte, c->pdpte, sizeof s->key.pdpte));
}

struct window *window_now(struct windows *w)
{
    struct space_key key;
    if (w && w->map_changes != w->cpu->tlb->map_changes) {
        w->map_changes = w->cpu->tlb->map_changes;
        windows_drop(w);
    }
    if (w && is_now(w->now, w->cpu))
        return &w->now->w;
    if (!w || !space_now(w->cpu, &key)) {
        if (w)
            w->now = NULL;
        return NULL;
    }
    if (!w->now || memcmp(&w->now->key, &key, sizeof key)) {
        w->now = NULL;
        for (unsigned n = 0; n < WINDOWS; n++)
            if (w->slot[n].used && !memcmp(&w->slot[n].key, &key, sizeof key))
                w->now = &w->slot[n];
        if (!w->now)
            return NULL;
        w->now->selected = ++w->selections;
    }
    if (w->now->credit < 0) {
        abandon(w, w->now);
        return NULL;
    }
    set_gs(w, w->now->w.base);
    return &w->now->w;
}

bool window_is_there(const struct windows *w) { return w->now; }

static void slot_take(struct windows *w, const struct space_key *key)
{
    struct slot *s = &w->slot[0];
    for (unsigned n = 0; n < WINDOWS && s->used; n++)
        if (!w->slot[n].used || w->slot[n].selected < s->selected)
            s = &w->slot[n];
    if (s->used)
        slot_free(w, s);
    s->key = *key;
    s->credit = CREDIT_START;
    s->used = true;
}

void window_heat(struct windows *w, uint64_t instructions)
{
    struct space_key key;
    if (!w)
        return;
    if (window_now(w)) {
        w->now->credit = MIN(w->now->credit + (int64_t)(instructions / CREDIT_INSNS), CREDIT_MOST);
        return;
    }
    if (!space_now(w->cpu, &key))
        return;
    struct heat *h = heat_of(w, &key);
    h->executed += instructions;
    if (h->executed >= h->needed)
        slot_take(w, &key);
}

/* --- life -------------------------------------------------------------------------------------------------------- */
void windows_set_heat(struct windows *w, uint64_t instructions)
{
    if (!w)
        return;
    w->heat_first = instructions;
    for (unsigned n = 0; n < SPACES; n++)
        w->heat[n].needed = instructions;
}

static bool reserve(struct windows *w)
{
    const size_t lists = (size_t)WINDOWS << 20;
    w->base = mmap(NULL, WINDOWS * WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint16_t *pages = mmap(NULL, lists * sizeof *pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->base != MAP_FAILED && pages != MAP_FAILED) {
        for (unsigned n = 0; n < WINDOWS; n++)
            w->slot[n] = (struct slot){ .w = { w->base + n * WINDOW_BYTES }, .pages = pages + ((size_t)n << 20) };
        return true;
    }
    if (w->base != MAP_FAILED)
        munmap(w->base, WINDOWS * WINDOW_BYTES);
    if (pages != MAP_FAILED)
        munmap(pages, lists * sizeof *pages);
    return false;
}

struct windows *windows_create(struct cpu *c)
{
    enum { HWCAP2_USER_FSGSBASE = 2 };
    struct windows *w = c->dev.machine->ram ? calloc(1, sizeof *w) : NULL;
    if (!w || !reserve(w)) {
        free(w);
        return NULL;
    }
    w->cpu = c;
    w->fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_USER_FSGSBASE;
    for (uint16_t n = MAPPINGS - 1; n; n--) {
        w->map[n].next = w->map_free;
        w->map_free = n;
    }
    for (uint16_t n = TABLES - 1; n; n--) {
        w->table[n].next = w->table_free;
        w->table_free = n;
    }
    windows_set_heat(w, HEAT);
    return w;
}

void windows_destroy(struct windows *w)
{
    if (!w)
        return;
    munmap(w->slot[0].pages, (size_t)WINDOWS << 21);
    munmap(w->base, WINDOWS * WINDOW_BYTES);
    free(w);
}
