/* Linear and physical memory as a CPU sees it: segment checks, paging [SDM 3A, chapter 4], a software TLB.
 *
 * The fast path is two compares: the segment's limit and the TLB tag. Everything else (expand-down, unreadable code, page
 * walks, MMIO, crossing pages, watched pages, pages that hold decoded code) is in the slow functions, which raise the
 * exact fault through cpu_raise. Instruction handlers use mem_read8..64 / mem_write8..64 / mem_rmw32 ... below, never
 * physical addresses. */
#ifndef X86_MMU_H
#define X86_MMU_H
#include "x86/cpu.h"

enum { TLB_BITS = 12, TLB_SIZE = 1 << TLB_BITS };
#define TLB_INVALID (1ull << 40)                /* a tag no linear address can match: lin - tag wraps far above 4096 */
/* One entry a linear page. read/write are the page's linear address when that access is RAM without side effects, else
 * TLB_INVALID. host + linear address = the byte in host memory. */
struct tlb_entry { uint64_t read, write; uintptr_t host; uint64_t physical; /* page address; low bits: TLB_GLOBAL ... */ };
enum { TLB_GLOBAL = 1 };
/* One set for supervisor and one for user accesses; cpu->tlb->now points at the set of the present CPL. */
struct tlb {
    struct tlb_entry *now;
    struct tlb_entry kernel[TLB_SIZE], user[TLB_SIZE];
    uint32_t dr6_hits;                          /* data breakpoints met by the instruction (slow path), bits 0-3 */
    /* Flat tables, when an engine asked for them; [0] supervisor, [1] user. Indexed by linear address >> 12; what is left of 22 bits is
     * for the low bits of a misaligned address and always 0. An entry is `host` of a TLB entry that permits the access without side
     * effects, or 0. They never hold more than the TLB does. */
    uint64_t *flat_read[2], *flat_write[2];
    uint64_t misses;
    uint32_t map_changes;                       /* grows when the memory map or A20 changed */
    uint32_t flushes, global_flushes;           /* grow whenever a translation that code was fetched by may have been forgotten, the
                                                   second when it may be a global page's: engines compare them */
};
static inline struct tlb_entry *tlb_slot(const struct cpu *c, uint32_t linear)
{
    return &c->tlb->now[linear >> 12 & (TLB_SIZE - 1)];
}
/* Is it known to lie in a global page (for the present CPL)? */
static inline bool mmu_global(const struct cpu *c, uint32_t linear)
{
    const struct tlb_entry *t = tlb_slot(c, linear);
    return linear - t->read < 4096 && t->physical & TLB_GLOBAL;
}
void mmu_flush(struct cpu *, bool global_too);  /* CR3 load, CR0/CR4 change */
void mmu_flush_page(struct cpu *, uint32_t linear);              /* INVLPG */
void mmu_privilege_changed(struct cpu *);       /* after cpl changed: selects the TLB set */
/* The spaces or what is code changed: physical page (or all, UINT64_MAX) must be looked up again. */
void mmu_flush_physical(struct cpu *, uint64_t page);

/* Slow paths, linear addresses. Access rights of the present CPL; `system` versions act as CPL 0 (descriptor tables, TSS). */
uint64_t mmu_read(struct cpu *, uint32_t linear, unsigned size);            /* 1, 2, 4, 8; may cross a page; raises #PF */
void mmu_write(struct cpu *, uint32_t linear, unsigned size, uint64_t value);    /* checks both pages before it writes */
void mmu_read_bytes(struct cpu *, uint32_t linear, void *to, unsigned length);   /* up to 512 (FXSAVE) */
void mmu_write_bytes(struct cpu *, uint32_t linear, const void *from, unsigned length);
uint32_t mmu_read_system(struct cpu *, uint32_t linear, unsigned size);
void mmu_write_system(struct cpu *, uint32_t linear, unsigned size, uint32_t value);
void mmu_check_write(struct cpu *, uint32_t linear, unsigned length);       /* raises what a write would; writes nothing */
/* Translates for execution; raises #PF with I/D as the model has it. Returns the physical address, with the host memory behind
 * the byte and the rest of its page, or NULL: not RAM. */
uint64_t mmu_fetch_host(struct cpu *, uint32_t linear, const uint8_t **host);
/* For debuggers and tests: no fault, no A/D bits. false: not mapped. */
bool mmu_probe(struct cpu *, uint32_t linear, uint64_t *physical);

/* The linear address of an access, or #GP/#SS(0) [SDM 3A, 5.3]. The slow path of the functions below. `write`: checks writable. */
uint32_t segment_check(struct cpu *, unsigned seg, uint32_t offset, unsigned size, bool write);
/* #AC when AM, AC and CPL 3 say so. Called by slow paths only: when alignment checks are on the TLB holds nothing for user
 * pages' misaligned accesses (tags are compared with the offset's low bits; see mmu.c). */

void mmu_check_system(struct cpu *, uint32_t linear, unsigned length, bool write);  /* as CPL 0: raises, accesses nothing */
/* PAE: reads the four entries that CR3 points at, or #GP(0) without a change [SDM3A, 4.4.1]. */
void mmu_load_pdptes(struct cpu *, uint32_t cr3);
/* DR7's enabled breakpoints met by [address, address + size); kinds: bit per DR7.R/W value (1 execute, 2 write, 4 port, 8 any data). */
unsigned mmu_breakpoints(const struct cpu *, uint32_t address, uint32_t size, unsigned kinds);
/* The page as the tables have it now, for engines that map it for the host's own MMU. No fault, no change of A and D bits. */
struct mmu_page {
    uint64_t physical;                          /* page address */
    uint8_t *host;
    bool write;                                 /* a store would go to RAM without side effects, and D is set */
    uint64_t table[2];                          /* page addresses of the tables that were used, from the directory on */
    unsigned levels, directory_shift;           /* tables used, 0 without paging; log2 of what a directory entry spans */
};
/* false: absent, forbidden to user code, not accessed yet, a device, or ROM. Paging: as user code sees it. */
bool mmu_page_now(struct cpu *, uint32_t linear, struct mmu_page *);
bool mmu_create(struct cpu *, struct error *);
enum { FLAT_INDEX_BITS = 22 };
bool mmu_flat_create(struct cpu *, struct error *);     /* asks for the flat tables: 128 MiB of addresses, used sparsely */
void mmu_destroy(struct cpu *);

/* Called by the slow paths (mmu.c) when a write touches a page that holds decoded or translated code. */
void cpu_code_written(struct cpu *, uint64_t physical, uint64_t length);
/* Engines mark pages whose bytes they have decoded, so that writes to them come through the slow path; per CPU. */
void mmu_mark_code(struct cpu *, uint64_t physical_page);
void mmu_unmark_code(struct cpu *, uint64_t physical_page);

#define MEM_ACCESSORS(bits) \
static inline uint##bits##_t mem_read##bits(struct cpu *c, unsigned seg, uint32_t offset) \
{ \
    const struct segment *s = &c->seg[seg]; \
    uint32_t linear; \
    if (likely((int64_t)offset + (bits / 8 - 1) <= s->read_limit)) linear = s->base + offset; \
    else linear = segment_check(c, seg, offset, bits / 8, false); \
    const struct tlb_entry *t = tlb_slot(c, linear); \
    if (likely(linear - t->read <= 4096 - bits / 8)) { \
        uint##bits##_t v; memcpy(&v, (const void *)(t->host + linear), bits / 8); return v; } \
    return (uint##bits##_t)mmu_read(c, linear, bits / 8); \
} \
static inline void mem_write##bits(struct cpu *c, unsigned seg, uint32_t offset, uint##bits##_t v) \
{ \
    const struct segment *s = &c->seg[seg]; \
    uint32_t linear; \
    if (likely((int64_t)offset + (bits / 8 - 1) <= s->write_limit)) linear = s->base + offset; \
    else linear = segment_check(c, seg, offset, bits / 8, true); \
    const struct tlb_entry *t = tlb_slot(c, linear); \
    if (likely(linear - t->write <= 4096 - bits / 8)) memcpy((void *)(t->host + linear), &v, bits / 8); \
    else mmu_write(c, linear, bits / 8, v); \
} \
/* Read-modify-write: the read also checks that the write will succeed; then mem_rmw_write stores without fail. */ \
static inline uint##bits##_t mem_rmw_read##bits(struct cpu *c, unsigned seg, uint32_t offset, uint32_t *linear_out) \
{ \
    const struct segment *s = &c->seg[seg]; \
    uint32_t linear; \
    if (likely((int64_t)offset + (bits / 8 - 1) <= s->write_limit)) linear = s->base + offset; \
    else linear = segment_check(c, seg, offset, bits / 8, true); \
    *linear_out = linear; \
    const struct tlb_entry *t = tlb_slot(c, linear); \
    if (likely(linear - t->write <= 4096 - bits / 8)) { \
        uint##bits##_t v; memcpy(&v, (const void *)(t->host + linear), bits / 8); return v; } \
    mmu_check_write(c, linear, bits / 8); \
    return (uint##bits##_t)mmu_read(c, linear, bits / 8); \
} \
static inline void mem_rmw_write##bits(struct cpu *c, uint32_t linear, uint##bits##_t v) \
{ \
    const struct tlb_entry *t = tlb_slot(c, linear); \
    if (likely(linear - t->write <= 4096 - bits / 8)) memcpy((void *)(t->host + linear), &v, bits / 8); \
    else mmu_write(c, linear, bits / 8, v); \
}
MEM_ACCESSORS(8) MEM_ACCESSORS(16) MEM_ACCESSORS(32) MEM_ACCESSORS(64)
#undef MEM_ACCESSORS

#endif
