/* Segment registers and descriptors [SDM3A, 3.4, 5.2 to 5.9]: loading with all checks, limits, stacks, the parts of a TSS that
 * privilege changes and port accesses look at.
 *
 * Real mode loads only selector, base and the access byte; limit, D/B and G stay, so a program that went through protected
 * mode keeps its 4 GiB limits ("unreal mode"). V86 mode sets them all.
 *
 * References: [SDM3A], [SDM3B] 20 (V86 mode). */
#include "x86/segment.h"

enum { TYPE_WRITABLE = 2, TYPE_READABLE = 2, TYPE_DOWN = 4, TYPE_CONFORMING = 4, TYPE_CODE = 8 };

static void raise_error(struct cpu *c, enum exception e, uint16_t error) { cpu_raise_error(c, e, error); }

void raise_selector(struct cpu *c, enum exception e, uint16_t selector)
{
    cpu_raise_error(c, e, selector & 0xfffcu);
}

/* --- limits --------------------------------------------------------------------------------------------------- */
static enum segment_class class_of_limit(const struct segment *s, int64_t limit)
{
    if (s->base & 3 || limit < 0xffff)
        return CLASS_OTHER;
    return limit < 0xffffffff ? CLASS_64K : s->base ? CLASS_FULL : CLASS_FLAT;
}

static void classify(struct cpu *c, enum segment_register n)
{
    const struct segment *s = &c->seg[n];
    if (n > GS)
        return;
    c->read_classes = (uint16_t)((c->read_classes & ~(3u << n * 2)) | (unsigned)class_of_limit(s, s->read_limit) << n * 2);
    c->write_classes = (uint16_t)((c->write_classes & ~(3u << n * 2)) | (unsigned)class_of_limit(s, s->write_limit) << n * 2);
}

static void set_limits(struct segment *s)
{
    unsigned type = s->access & SEG_TYPE;
    s->read_limit = s->write_limit = -1;
    if (s->access & SEG_NULL || !(s->access & SEG_S))
        return;
    if (type & TYPE_CODE) {
        if (type & TYPE_READABLE)
            s->read_limit = s->limit;
    } else if (!(type & TYPE_DOWN)) {
        s->read_limit = s->limit;
        if (type & TYPE_WRITABLE)
            s->write_limit = s->limit;
    }
}

void segment_update(struct cpu *c, enum segment_register n)
{
    set_limits(&c->seg[n]);
    classify(c, n);
}

static bool segment_permits(const struct segment *s, uint32_t offset, unsigned size, bool write)
{
    unsigned type = s->access & SEG_TYPE;
    uint64_t last = (uint64_t)offset + size - 1;
    if (s->access & SEG_NULL || !(s->access & SEG_P))
        return false;
    if (type & TYPE_CODE)
        return !write && type & TYPE_READABLE && last <= s->limit;
    if (write && !(type & TYPE_WRITABLE))
        return false;
    if (type & TYPE_DOWN)
        return offset > s->limit && last <= (segment_big(s) ? 0xffffffffu : 0xffffu);
    return last <= s->limit;
}

uint32_t segment_check(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, bool write)
{
    if (!segment_permits(&c->seg[seg], offset, size, write))
        raise_error(c, seg == SS ? EXC_SS : EXC_GP, 0);
    return c->seg[seg].base + offset;
}

void segment_mode_changed(struct cpu *c)
{
    for (unsigned n = ES; n <= GS; n++)
        segment_update(c, n);
    mmu_privilege_changed(c);
}

/* --- descriptors ---------------------------------------------------------------------------------------------- */
static bool descriptor_address(const struct cpu *c, uint16_t selector, uint32_t *linear)
{
    uint32_t base = c->gdtr.base, limit = c->gdtr.limit, offset = selector & 0xfff8u;
    *linear = 0;
    if (selector & 4) {
        if (c->seg[LDTR].access & SEG_NULL)
            return false;
        base = c->seg[LDTR].base;
        limit = c->seg[LDTR].limit;
    }
    *linear = base + offset;
    return offset + 7 <= limit;
}

bool descriptor_fetch(struct cpu *c, uint16_t selector, struct descriptor *d)
{
    uint32_t linear;
    if (!descriptor_address(c, selector, &linear))
        return false;
    d->low = mmu_read_system(c, linear, 4);
    d->high = mmu_read_system(c, linear + 4, 4);
    return true;
}

void descriptor_segment(const struct descriptor *d, uint16_t selector, struct segment *s)
{
    uint32_t limit = (d->low & 0xffff) | (d->high & 0xf0000);
    *s = (struct segment){
        .selector = selector, .access = d->high >> 8 & 0xf0ff,
        .base = d->low >> 16 | (d->high & 0xff) << 16 | (d->high & 0xff000000),
        .limit = d->high >> 8 & SEG_G ? limit << 12 | 0xfff : limit,
        .read_limit = -1, .write_limit = -1,
    };
}

void descriptor_set_accessed(struct cpu *c, uint16_t selector, struct descriptor *d)
{
    uint32_t linear;
    if (d->high & 1 << 8)
        return;
    d->high |= 1 << 8;
    descriptor_address(c, selector, &linear);
    mmu_write_system(c, linear + 5, 1, d->high >> 8 & 0xff);
}

void descriptor_write_high(struct cpu *c, uint16_t selector, uint32_t high)
{
    uint32_t linear;
    descriptor_address(c, selector, &linear);
    mmu_write_system(c, linear + 4, 4, high);
}

static unsigned dpl_of(const struct descriptor *d) { return d->high >> 13 & 3; }
static unsigned type_of(const struct descriptor *d) { return d->high >> 8 & 15; }
static bool present(const struct descriptor *d) { return d->high & 1 << 15; }
static bool is_segment(const struct descriptor *d) { return d->high & 1 << 12; }

void segment_set(struct cpu *c, enum segment_register n, const struct segment *s)
{
    c->seg[n] = *s;
    segment_update(c, n);
}

void segment_set_null(struct cpu *c, enum segment_register n, uint16_t selector)
{
    c->seg[n] = (struct segment){ .selector = selector, .access = SEG_NULL };
    segment_update(c, n);
}

/* --- loading -------------------------------------------------------------------------------------------------- */
enum { ACCESS_REAL = 0x93 };                    /* present, read/write data, accessed */

void segment_load_real(struct cpu *c, enum segment_register n, uint16_t selector)
{
    struct segment *s = &c->seg[n];
    s->selector = selector;
    s->base = (uint32_t)selector << 4;
    if (cpu_protected(c)) {                     /* V86 */
        s->access = ACCESS_REAL | SEG_DPL;
        s->limit = 0xffff;
    } else {
        s->access = (s->access & (SEG_DB | SEG_G | SEG_AVL)) | ACCESS_REAL;
    }
    segment_update(c, n);
}

void segment_check_stack(struct cpu *c, uint16_t selector, unsigned level, enum exception fault, struct segment *s)
{
    struct descriptor d;
    if (!(selector & 0xfffc))
        raise_error(c, fault, 0);
    if (!descriptor_fetch(c, selector, &d))
        raise_selector(c, fault, selector);
    if ((selector & 3) != level || !is_segment(&d) || dpl_of(&d) != level ||
        (type_of(&d) & (TYPE_CODE | TYPE_WRITABLE)) != TYPE_WRITABLE)
        raise_selector(c, fault, selector);
    if (!present(&d))
        raise_selector(c, EXC_SS, selector);
    descriptor_set_accessed(c, selector, &d);
    descriptor_segment(&d, selector, s);
}

static void load_data(struct cpu *c, enum segment_register n, uint16_t selector)
{
    struct descriptor d;
    struct segment s;
    if (!(selector & 0xfffc)) {
        segment_set_null(c, n, selector);
        return;
    }
    if (!descriptor_fetch(c, selector, &d))
        raise_selector(c, EXC_GP, selector);
    unsigned type = type_of(&d), rpl = selector & 3;
    if (!is_segment(&d) || (type & (TYPE_CODE | TYPE_READABLE)) == TYPE_CODE)
        raise_selector(c, EXC_GP, selector);
    if ((type & (TYPE_CODE | TYPE_CONFORMING)) != (TYPE_CODE | TYPE_CONFORMING) && MAX(rpl, c->cpl) > dpl_of(&d))
        raise_selector(c, EXC_GP, selector);
    if (!present(&d))
        raise_selector(c, EXC_NP, selector);
    descriptor_set_accessed(c, selector, &d);
    descriptor_segment(&d, selector, &s);
    segment_set(c, n, &s);
}

void segment_load(struct cpu *c, enum segment_register n, uint16_t selector)
{
    if (!cpu_protected(c) || cpu_v86(c)) {
        segment_load_real(c, n, selector);
    } else if (n == SS) {
        struct segment s;
        segment_check_stack(c, selector, c->cpl, EXC_GP, &s);
        segment_set(c, SS, &s);
    } else {
        load_data(c, n, selector);
    }
}

void segment_load_ldtr(struct cpu *c, uint16_t selector)
{
    struct descriptor d;
    if (!(selector & 0xfffc)) {
        segment_set_null(c, LDTR, selector);
        return;
    }
    if (selector & 4 || !descriptor_fetch(c, selector, &d) || is_segment(&d) || type_of(&d) != 2)
        raise_selector(c, EXC_GP, selector);
    if (!present(&d))
        raise_selector(c, EXC_NP, selector);
    descriptor_segment(&d, selector, &c->seg[LDTR]);
}

void segment_load_tr(struct cpu *c, uint16_t selector)
{
    struct descriptor d;
    if (!(selector & 0xfffc))
        raise_error(c, EXC_GP, 0);
    if (selector & 4 || !descriptor_fetch(c, selector, &d) || is_segment(&d) || (type_of(&d) & ~8u) != 1)
        raise_selector(c, EXC_GP, selector);
    if (!present(&d))
        raise_selector(c, EXC_NP, selector);
    d.high |= 2 << 8;                           /* busy, in memory and in TR */
    descriptor_write_high(c, selector, d.high);
    descriptor_segment(&d, selector, &c->seg[TR]);
}

/* [SDM3A, 5.8.6] */
void segment_drop_inner(struct cpu *c)
{
    static const uint8_t data[] = { ES, DS, FS, GS };
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        const struct segment *s = &c->seg[data[i]];
        unsigned type = s->access & SEG_TYPE;
        if (s->access & SEG_NULL || segment_dpl(s) >= c->cpl)
            continue;
        if ((type & (TYPE_CODE | TYPE_CONFORMING)) != (TYPE_CODE | TYPE_CONFORMING))
            segment_set_null(c, data[i], 0);
    }
}

/* --- stacks --------------------------------------------------------------------------------------------------- */
void stack_push(struct cpu *c, struct stack *k, uint32_t value, unsigned size)
{
    uint32_t mask = segment_big(&k->seg) ? 0xffffffff : 0xffff;
    uint32_t offset = (k->esp - size) & mask, linear = k->seg.base + offset;
    if (!segment_permits(&k->seg, offset, size, true))
        raise_selector(c, EXC_SS, k->error);
    if (k->system)
        mmu_write_system(c, linear, size, value);
    else if (likely(linear - tlb_slot(c, linear)->write <= 4096 - size))
        memcpy((void *)(tlb_slot(c, linear)->host + linear), &value, size);
    else
        mmu_write(c, linear, size, value);
    k->esp = (k->esp & ~mask) | offset;
}

uint32_t stack_read(struct cpu *c, uint32_t offset, unsigned size)
{
    offset = (c->gpr[ESP] + offset) & stack_mask(c);
    return size == 4 ? mem_read32(c, SS, offset) : mem_read16(c, SS, offset);
}

void stack_commit(struct cpu *c, const struct stack *k)
{
    c->gpr[ESP] = esp_with(c, k->esp);
}

/* --- the TSS -------------------------------------------------------------------------------------------------- */
uint32_t tss_read(struct cpu *c, uint32_t offset, unsigned size)
{
    return mmu_read_system(c, c->seg[TR].base + offset, size);
}

static bool tss_is_32(const struct cpu *c) { return c->seg[TR].access & 8; }

void tss_inner_stack(struct cpu *c, unsigned level, struct stack *k)
{
    bool big = tss_is_32(c);
    uint32_t offset = big ? 4 + level * 8 : 2 + level * 4;
    if (c->seg[TR].access & SEG_NULL || offset + (big ? 7 : 3) > c->seg[TR].limit)
        raise_selector(c, EXC_TS, c->seg[TR].selector);
    uint32_t esp = tss_read(c, offset, big ? 4 : 2);
    uint16_t ss = (uint16_t)tss_read(c, offset + (big ? 4 : 2), 2);
    segment_check_stack(c, ss, level, EXC_TS, &k->seg);
    k->esp = esp;
    k->error = ss;
    k->system = true;
}

/* The word at 66h is where the I/O map begins; the 32 bytes before it are the redirection map [SDM3A, 7.2.1]. */
void io_check(struct cpu *c, uint16_t port, unsigned size)
{
    unsigned met = mmu_breakpoints(c, port, size, c->cr4 & CR4_DE ? 4 : 0);
    if (unlikely(met)) {
        c->tlb->dr6_hits |= met;
        atomic_fetch_or(&c->pending, PENDING_DEBUG);
    }
    if (!cpu_protected(c) || (!cpu_v86(c) && c->cpl <= cpu_iopl(c)))
        return;
    const struct segment *t = &c->seg[TR];
    if (t->access & SEG_NULL || !tss_is_32(c) || t->limit < 0x67)
        raise_error(c, EXC_GP, 0);
    uint32_t offset = tss_read(c, 0x66, 2) + port / 8u;
    if (offset + 1 > t->limit)                  /* two bytes are always read */
        raise_error(c, EXC_GP, 0);
    if (tss_read(c, offset, 2) >> (port & 7) & ((1u << size) - 1))
        raise_error(c, EXC_GP, 0);
}

bool tss_redirects(struct cpu *c, uint8_t vector)
{
    const struct segment *t = &c->seg[TR];
    if (t->access & SEG_NULL || !tss_is_32(c) || t->limit < 0x67)
        raise_error(c, EXC_GP, 0);
    uint32_t map = tss_read(c, 0x66, 2);
    if (map < 32 || map - 32 + vector / 8u > t->limit)
        raise_error(c, EXC_GP, 0);
    return !(tss_read(c, map - 32 + vector / 8u, 1) >> (vector & 7) & 1);
}
