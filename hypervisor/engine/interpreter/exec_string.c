/* MOVS, CMPS, STOS, LODS, SCAS and their repetitions.
 *
 * ESI, EDI and ECX are right after each element, so that a fault or an interrupt leaves the state from which the
 * instruction goes on. Copies and fills that stay inside one page of plain RAM on each side are done at once; each such piece
 * is at most a page, and between pieces the CPU looks whether something is pending.
 *
 * References: [SDM2] REP, MOVS, CMPS, STOS, LODS, SCAS. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

COMPARE(cmp, 8, b, "q") COMPARE(cmp, 16, w, "r") COMPARE(cmp, 32, l, "r")

static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }
static inline uint32_t masked_add(uint32_t old, uint32_t step, uint32_t mask) { return (old & ~mask) | ((old + step) & mask); }
static inline uint32_t step_of(const struct cpu *c, uint32_t size) { return c->eflags & FLAG_DF ? -size : size; }
static inline void advance(struct cpu *c, const struct insn *i, unsigned reg, uint32_t step)
{
    c->gpr[reg] = masked_add(c->gpr[reg], step, i->address_mask);
}

/* After an element of a repetition that goes on: must it stop here? It is counted once, when it ends, or by single steps. */
static inline bool must_stop(struct cpu *c, const struct insn *i)
{
    const struct exec_frame *f = c->engine_data;
    if (likely(!f->single && !atomic_load_explicit(&c->pending, memory_order_relaxed)))
        return false;
    c->instructions -= !f->single;
    c->eip = insn_eip(c, i);
    return true;
}

/* --- pieces of plain memory ----------------------------------------------------------------------------------- */
/* How many bytes from seg:offset upwards, at most `want`, are inside the limit, one page and the address size, and can be
 * accessed directly; 0 when they cannot. */
static uint32_t span(struct cpu *c, unsigned seg, uint32_t offset, uint32_t want, uint32_t mask, bool write, uint8_t **host)
{
    const struct segment *s = &c->seg[seg];
    int64_t limit = write ? s->write_limit : s->read_limit;
    uint32_t linear = s->base + offset, room = 4096 - (linear & 4095);
    if (offset > limit || room > (uint64_t)mask - offset + 1)
        return 0;
    if (room > limit - offset + 1)
        return 0;
    const struct tlb_entry *t = tlb_slot(c, linear);
    if (linear - (write ? t->write : t->read) > 4095)
        return 0;
    *host = (uint8_t *)(t->host + linear);
    return MIN(room, want);
}

/* Copies elements upwards; a destination just above the source repeats what was written, as element by element does. */
static void copy_up(uint8_t *to, const uint8_t *from, uint32_t bytes, unsigned size)
{
    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        memmove(to, from, bytes);
        return;
    }
    for (uint32_t n = 0; n < bytes; n += size)
        memcpy(to + n, from + n, size);
}

static uint32_t copy_piece(struct cpu *c, const struct insn *i, uint32_t count, unsigned size)
{
    uint8_t *from, *to;
    uint32_t mask = i->address_mask, want = count > 4096 ? 4096 : count * size;
    uint32_t bytes = span(c, i->seg, c->gpr[ESI] & mask, want, mask, false, &from);
    if (bytes >= size)
        bytes = MIN(bytes, span(c, ES, c->gpr[EDI] & mask, want, mask, true, &to));
    bytes -= bytes % size;
    if (bytes) {
        copy_up(to, from, bytes, size);
        advance(c, i, ESI, bytes);
        advance(c, i, EDI, bytes);
    }
    return bytes / size;
}

static uint32_t fill_piece(struct cpu *c, const struct insn *i, uint32_t count, unsigned size)
{
    uint8_t *to;
    uint32_t mask = i->address_mask, want = count > 4096 ? 4096 : count * size, v = c->gpr[EAX];
    uint32_t bytes = span(c, ES, c->gpr[EDI] & mask, want, mask, true, &to);
    bytes -= bytes % size;
    if (!bytes)
        return 0;
    if (size == 1)
        memset(to, (int)(v & 0xff), bytes);
    else
        for (uint32_t n = 0; n < bytes; n += size)
            memcpy(to + n, &v, size);
    advance(c, i, EDI, bytes);
    return bytes / size;
}

/* --- MOVS, STOS, LODS ----------------------------------------------------------------------------------------- */
#define ONE_ELEMENT(bits) \
static inline void movs##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t mask = i->address_mask, step = step_of(c, bits / 8); \
    mem_write##bits(c, ES, c->gpr[EDI] & mask, mem_read##bits(c, i->seg, c->gpr[ESI] & mask)); \
    advance(c, i, ESI, step); \
    advance(c, i, EDI, step); \
} \
static inline void stos##bits(struct cpu *c, const struct insn *i) \
{ \
    mem_write##bits(c, ES, c->gpr[EDI] & i->address_mask, *reg##bits(c, EAX)); \
    advance(c, i, EDI, step_of(c, bits / 8)); \
} \
static inline void lods##bits(struct cpu *c, const struct insn *i) \
{ \
    *reg##bits(c, EAX) = mem_read##bits(c, i->seg, c->gpr[ESI] & i->address_mask); \
    advance(c, i, ESI, step_of(c, bits / 8)); \
}
ONE_ELEMENT(8) ONE_ELEMENT(16) ONE_ELEMENT(32)

static uint32_t no_piece(struct cpu *c, const struct insn *i, uint32_t count, unsigned size)
{
    (void)c, (void)i, (void)count, (void)size;
    return 0;
}

#define REPEATED(op, bits, piece) \
static bool op##bits##_repeated(struct cpu *c, const struct insn *i) \
{ \
    uint32_t mask = i->address_mask, count; \
    const struct exec_frame *f = c->engine_data; \
    while ((count = c->gpr[ECX] & mask)) { \
        uint32_t done = c->eflags & FLAG_DF || f->single || count == 1 ? 0 : piece(c, i, count, bits / 8); \
        if (!done) { \
            op##bits(c, i); \
            done = 1; \
        } \
        c->gpr[ECX] = masked_add(c->gpr[ECX], -done, mask); \
        if (count != done && must_stop(c, i)) \
            return false; \
    } \
    return true; \
}
#define ONCE_OR_REPEATED(handler, op, bits) \
void handler(struct cpu *c, const struct insn *i) \
{ \
    if (i->flags & (INSN_REP | INSN_REPNE)) { \
        if (!op##bits##_repeated(c, i)) \
            return; \
    } else { \
        op##bits(c, i); \
    } \
    NEXT(c, i); \
}
#define MOVING(handler, op, bits, piece) REPEATED(op, bits, piece) ONCE_OR_REPEATED(handler, op, bits)
MOVING(exec_MOVS_B, movs, 8, copy_piece) MOVING(exec_MOVS_Yv_Xv_16, movs, 16, copy_piece) MOVING(exec_MOVS_Yv_Xv_32, movs, 32, copy_piece)
MOVING(exec_STOS_B, stos, 8, fill_piece) MOVING(exec_STOS_Yv_rAX_16, stos, 16, fill_piece) MOVING(exec_STOS_Yv_rAX_32, stos, 32, fill_piece)
MOVING(exec_LODS_B, lods, 8, no_piece) MOVING(exec_LODS_rAX_Xv_16, lods, 16, no_piece) MOVING(exec_LODS_rAX_Xv_32, lods, 32, no_piece)

/* --- CMPS, SCAS ----------------------------------------------------------------------------------------------- */
/* REPE goes on while equal, REPNE while different; the flags are those of the last comparison. */
#define COMPARING(handler, op, bits, first, second, MOVE) \
static inline void op##bits(struct cpu *c, const struct insn *i) \
{ \
    uint32_t mask = i->address_mask, step = step_of(c, bits / 8); \
    (void)mask; \
    uint##bits##_t a = first, b = second; \
    cmp##bits(c, a, b); \
    MOVE \
} \
static bool op##bits##_repeated(struct cpu *c, const struct insn *i) \
{ \
    uint32_t mask = i->address_mask; \
    bool while_equal = i->flags & INSN_REP; \
    while (c->gpr[ECX] & mask) { \
        op##bits(c, i); \
        c->gpr[ECX] = masked_add(c->gpr[ECX], -1u, mask); \
        if (!!(c->arith & ARITH_ZF) != while_equal) \
            break; \
        if (c->gpr[ECX] & mask && must_stop(c, i)) \
            return false; \
    } \
    return true; \
} \
ONCE_OR_REPEATED(handler, op, bits)
#define CMPS(handler, bits) \
    COMPARING(handler, cmps, bits, mem_read##bits(c, i->seg, c->gpr[ESI] & mask), mem_read##bits(c, ES, c->gpr[EDI] & mask), \
              advance(c, i, ESI, step); advance(c, i, EDI, step);)
#define SCAS(handler, bits) \
    COMPARING(handler, scas, bits, *reg##bits(c, EAX), mem_read##bits(c, ES, c->gpr[EDI] & mask), advance(c, i, EDI, step);)
CMPS(exec_CMPS_B, 8) CMPS(exec_CMPS_Xv_Yv_16, 16) CMPS(exec_CMPS_Xv_Yv_32, 32)
SCAS(exec_SCAS_B, 8) SCAS(exec_SCAS_rAX_Yv_16, 16) SCAS(exec_SCAS_rAX_Yv_32, 32)
