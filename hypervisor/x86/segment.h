/* Segment registers, descriptors, far transfers and task switches [SDM 3A, chapters 3, 5, 7]. All raise exact faults and
 * change nothing before the last check has passed. */
#ifndef X86_SEGMENT_H
#define X86_SEGMENT_H
#include "x86/mmu.h"

struct descriptor { uint32_t low, high; };
/* Loads ES, SS, DS, FS or GS: real, V86 or protected rules by the present mode. */
void segment_load(struct cpu *, enum segment_register, uint16_t selector);
void segment_load_real(struct cpu *, enum segment_register, uint16_t selector);  /* base = selector * 16, keeps limit rights as real mode */
void segment_load_ldtr(struct cpu *, uint16_t selector);
void segment_load_tr(struct cpu *, uint16_t selector);
void segment_update(struct cpu *, enum segment_register);       /* recomputes read_limit and write_limit */
void segment_mode_changed(struct cpu *);        /* after CR0.PE, VM or CPL moved: segment_update all, TLB set */
bool descriptor_fetch(struct cpu *, uint16_t selector, struct descriptor *);    /* false: outside the table */

/* The parts of the above that transfers and task switches are made of. */
void descriptor_segment(const struct descriptor *, uint16_t selector, struct segment *);
void descriptor_set_accessed(struct cpu *, uint16_t selector, struct descriptor *);     /* in memory, if it is clear */
void descriptor_write_high(struct cpu *, uint16_t selector, uint32_t high);             /* second dword: busy bits */
_Noreturn void raise_selector(struct cpu *, enum exception, uint16_t selector);         /* error code: selector without RPL */
void segment_set(struct cpu *, enum segment_register, const struct segment *);          /* commits, with segment_update */
void segment_set_null(struct cpu *, enum segment_register, uint16_t selector);
void segment_drop_inner(struct cpu *);          /* a return outwards: nulls data segments that the new CPL may not use */
/* A stack segment for privilege `level`; `fault` is raised for what is wrong with it (#TS or #GP), #SS if not present. */
void segment_check_stack(struct cpu *, uint16_t selector, unsigned level, enum exception fault, struct segment *);
/* A stack being pushed to before it is committed. `error`: selector for #SS. system: accesses as CPL 0. */
struct stack { struct segment seg; uint32_t esp; uint16_t error; bool system; };
void stack_push(struct cpu *, struct stack *, uint32_t value, unsigned size);
uint32_t stack_read(struct cpu *, uint32_t offset, unsigned size);      /* at eSP + offset of the present stack */
static inline struct stack stack_present(const struct cpu *c)
{
    return (struct stack){ c->seg[SS], c->gpr[ESP], 0, false };
}
void stack_commit(struct cpu *, const struct stack *);  /* ESP by the stack's size */
uint32_t tss_read(struct cpu *, uint32_t offset, unsigned size);        /* no limit check */
/* The stack that a change to an inner `level` uses, from the TSS; checked, not committed. */
void tss_inner_stack(struct cpu *, unsigned level, struct stack *);
/* VME: must INT n in V86 mode go to the 8086 program's own handler [SDM3B, 20.3]? */
bool tss_redirects(struct cpu *, uint8_t vector);

/* Far transfers; `next` is the return EIP, `big` the operand size. They end with cs:eip loaded and nothing else to do. */
void far_jump(struct cpu *, uint16_t selector, uint32_t offset, bool big, uint32_t next);
void far_call(struct cpu *, uint16_t selector, uint32_t offset, bool big, uint32_t next);
void far_return(struct cpu *, bool big, uint16_t release);
void interrupt_return(struct cpu *, bool big);  /* IRET: real, V86, same and outer level, to V86, nested task */
enum task_switch { TASK_JUMP, TASK_CALL, TASK_IRET, TASK_GATE };
void task_switch(struct cpu *, uint16_t selector, enum task_switch, uint32_t next, bool has_error, uint32_t error);
void io_check(struct cpu *, uint16_t port, unsigned size);      /* IOPL and the TSS bit map: #GP(0) */

/* Stack accesses with the stack-size of SS. */
static inline uint32_t stack_mask(const struct cpu *c) { return c->seg[SS].access & SEG_DB ? 0xffffffffu : 0xffffu; }
static inline uint32_t esp_with(const struct cpu *c, uint32_t v)
{
    uint32_t m = stack_mask(c);
    return (c->gpr[ESP] & ~m) | (v & m);
}

#endif
