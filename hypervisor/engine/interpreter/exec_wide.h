/* Memory operands wider than 8 bytes: 10 (x87), 16 (XMM), and the images of FNSAVE and FXSAVE. */
#ifndef INTERPRETER_EXEC_WIDE_H
#define INTERPRETER_EXEC_WIDE_H
#include "engine/interpreter/exec.h"

static inline uint32_t wide_linear(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, bool write)
{
    const struct segment *s = &c->seg[seg];
    if (likely((int64_t)offset + (size - 1) <= (write ? s->write_limit : s->read_limit)))
        return s->base + offset;
    return segment_check(c, seg, offset, size, write);
}
static inline void wide_read_linear(struct cpu *c, uint32_t linear, void *to, unsigned size)
{
    const struct tlb_entry *t = tlb_slot(c, linear);
    if (likely(linear - t->read <= 4096 - size))
        memcpy(to, (const void *)(t->host + linear), size);
    else
        mmu_read_bytes(c, linear, to, size);
}
static inline void wide_write_linear(struct cpu *c, uint32_t linear, const void *from, unsigned size)
{
    const struct tlb_entry *t = tlb_slot(c, linear);
    if (likely(linear - t->write <= 4096 - size))
        memcpy((void *)(t->host + linear), from, size);
    else
        mmu_write_bytes(c, linear, from, size);
}
static inline void wide_read(struct cpu *c, unsigned seg, uint32_t offset, void *to, unsigned size)
{
    wide_read_linear(c, wide_linear(c, seg, offset, size, false), to, size);
}
static inline void wide_write(struct cpu *c, unsigned seg, uint32_t offset, const void *from, unsigned size)
{
    wide_write_linear(c, wide_linear(c, seg, offset, size, true), from, size);
}
/* 16 bytes that must be aligned: #GP(0), whatever the segment [SDM3A, 6.15]. */
static inline uint32_t wide_aligned(struct cpu *c, unsigned seg, uint32_t offset, unsigned size, bool write)
{
    uint32_t linear = wide_linear(c, seg, offset, size, write);
    if (unlikely(linear & 15))
        cpu_raise_error(c, EXC_GP, 0);
    return linear;
}

#endif
