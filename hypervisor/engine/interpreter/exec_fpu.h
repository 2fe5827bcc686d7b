/* How x87 handlers begin, call the host's x87, and end. Private to exec_fpu*.c.
 *
 * The arithmetic is the host's: operands are loaded as 80-bit values (which changes and reports nothing), the very instruction
 * runs under the guest's control word and the result is read back. With a mask clear the host behaves as the
 * guest's chip would (operand kept, or a scaled result) and would trap at its next waiting x87 instruction only: so FNSTSW
 * and, if ES is set, FNCLEX come first. Empty registers never reach the host: stack faults are decided here from fpu.tags.
 *
 * FNCLEX is slow, and so is a control word that unmasks something. So host flags are left standing from one instruction to the
 * next, and HOST_RUN first runs everything masked. When that shows a flag that the guest's status does not have yet, or one
 * that the guest has unmasked, it runs the instruction again, from clear flags and under the guest's own masks. An unmasked
 * underflow is another condition than a masked one (a tiny result, be it exact): then there is no first run.
 *
 * Locals whose address is taken stand in a block (or inline function) of their own that ends before NEXT: only then can the
 * compiler make NEXT a tail call, and without it a loop of the guest's would eat the host's stack. */
#ifndef INTERPRETER_EXEC_FPU_H
#define INTERPRETER_EXEC_FPU_H
#include "engine/interpreter/exec.h"
#include "engine/interpreter/handlers.h"
#include "x86/fpu.h"
#include "x86/opcodes.h"

/* --- beginning ---------------------------------------------------------------------------------------------------- */
enum fpu_wait { FPU_PROCEED, FPU_SKIP, FPU_STALL };
/* The rare cases of FPU_WAITING: #NM, #MF, no coprocessor, an error that waits for IRQ13. */
enum fpu_wait fpu_wait(struct cpu *, const struct insn *);
static inline bool fpu_absent_or_off(const struct cpu *c) { return c->cr0 & (CR0_EM | CR0_TS) || !cpu_has(c, HAS_FPU); }

/* Every instruction but the FN... ones: reports a pending error first. */
#define FPU_WAITING(c, i) do { \
    if (unlikely(fpu_absent_or_off(c) || fpu_pending(c))) { \
        enum fpu_wait wait_ = fpu_wait(c, i); \
        if (wait_ == FPU_SKIP) NEXT(c, i); \
        if (wait_ == FPU_STALL) return; \
    } } while (0)
/* The FN... ones. Without a coprocessor they do nothing. */
#define FPU_CONTROL(c, i) do { \
    if (unlikely(fpu_absent_or_off(c))) { \
        if (fpu_wait(c, i) == FPU_SKIP) NEXT(c, i); \
    } } while (0)

/* Remembers the instruction for FNSTENV. Called when nothing can fault any more. */
static inline void fpu_record(struct cpu *c, const struct insn *i)
{
    c->fpu.ip = insn_eip(c, i);
    c->fpu.cs = c->seg[CS].selector;
    c->fpu.opcode = (uint16_t)((opcodes[i->id].opcode & 7) << 8 | (i->imm & 0xff));
}
static inline void fpu_record_memory(struct cpu *c, const struct insn *i, uint32_t offset)
{
    fpu_record(c, i);
    c->fpu.dp = offset;
    c->fpu.ds = c->seg[i->seg].selector;
}

/* --- results ------------------------------------------------------------------------------------------------------ */
void fpu_error(struct cpu *);                   /* an unmasked exception has just happened */

/* Adds the flags of a host status word, takes `conditions` (of C0..C3) from it. */
static inline void fpu_flags(struct cpu *c, unsigned sw, unsigned conditions)
{
    c->fpu.status = (uint16_t)((c->fpu.status & ~conditions) | (sw & (FPU_EXCEPTIONS | conditions)));
    if (unlikely(sw & FPU_ES))
        fpu_error(c);
}
/* Did an unmasked exception of `kinds` stop the instruction before its result? */
static inline bool fpu_stopped(const struct cpu *c, unsigned sw, unsigned kinds)
{
    return sw & FPU_ES && sw & ~c->fpu.control & kinds;
}
enum { FPU_BEFORE = FPU_IE | FPU_DE | FPU_ZE };                             /* found before the result is computed */
enum { FPU_BEFORE_STORE = FPU_BEFORE | FPU_OE | FPU_UE };                   /* those that keep memory unchanged */

/* Stack fault: IE, SF, and C1 which way. true: IM is set, the masked response follows. */
static inline bool fpu_stack_fault(struct cpu *c, bool overflow)
{
    c->fpu.status = (uint16_t)((c->fpu.status & ~FPU_C1) | FPU_IE | FPU_SF | (overflow ? FPU_C1 : 0));
    if (c->fpu.control & FPU_IE)
        return true;
    fpu_error(c);
    return false;
}
/* ST(n) becomes the default NaN, as after a masked stack fault. */
static inline void fpu_set_indefinite(struct cpu *c, unsigned n)
{
    *fpu_st(&c->fpu, n) = float80_indefinite;
    fpu_set_valid(&c->fpu, n);
}
/* Pushes a value, or does what an overflow of the stack does. */
static inline void fpu_push_checked(struct cpu *c, const struct float80 *v)
{
    if (unlikely(fpu_valid(&c->fpu, 7))) {
        if (fpu_stack_fault(c, true))
            fpu_push(&c->fpu, &float80_indefinite);
        return;
    }
    fpu_push(&c->fpu, v);
    c->fpu.status &= (uint16_t)~FPU_C1;
}

/* --- the host's x87 ----------------------------------------------------------------------------------------------- */
/* Host flags that would mislead: unmasked for the guest, or not in its status. */
static inline bool host_stale(const struct cpu *c)
{
    uint16_t sw;
    asm volatile("fnstsw %0" : "=a"(sw));
    return sw & FPU_EXCEPTIONS & ~(c->fpu.status & c->fpu.control);
}
/* Runs `call`, an expression that yields the status word, with the control word run_control. See the head of this file. */
#define HOST_RUN(c, sw, call) do { \
    uint16_t run_control = (c)->fpu.control | FPU_EXCEPTIONS; \
    bool exact_ = !((c)->fpu.control & FPU_UE); \
    if (unlikely(exact_)) { \
        run_control = (c)->fpu.control; \
        if (host_stale(c)) asm volatile("fnclex"); \
    } \
    for (;;) { \
        (sw) = (call); \
        if (likely(!((sw) & FPU_EXCEPTIONS & ~((c)->fpu.status & (c)->fpu.control))) || exact_) break; \
        asm volatile("fnclex"); \
        exact_ = true; \
        run_control = (c)->fpu.control; \
    } \
    (void)run_control; } while (0)

static const uint16_t host_control = FPU_CONTROL_INIT;         /* what the C ABI expects */
#define HOST_CLOBBERS "st", "st(1)", "st(2)", "st(3)", "cc"
/* After the instruction: status word in ax, nothing left pending. */
#define HOST_STATUS "fnstsw %%ax\n\ttestb %%al, %%al\n\tjns 1f\n\tfnclex\n1:\n\t"

/* ST0 op ST1 -> r; one value is left when `op` has run and is popped after r is stored. */
#define HOST_BINARY(name, op) \
static inline unsigned name(struct float80 *r, const struct float80 *a, const struct float80 *b, uint16_t control) \
{ \
    uint16_t sw; \
    asm volatile("fldt %[b]\n\tfldt %[a]\n\tfldcw %[g]\n\t" op "\n\t" HOST_STATUS \
                 "fstpt %[r]\n\tfstp %%st(0)\n\tfldcw %[h]" \
                 : [r] "=m"(*r), "=&a"(sw) : [a] "m"(*a), [b] "m"(*b), [g] "m"(control), [h] "m"(host_control) \
                 : HOST_CLOBBERS); \
    return sw; \
}
/* ST0 op memory -> r. */
#define HOST_MEMORY(name, type, op) \
static inline unsigned name(struct float80 *r, const struct float80 *a, type v, uint16_t control) \
{ \
    uint16_t sw; \
    asm volatile("fldt %[a]\n\tfldcw %[g]\n\t" op " %[v]\n\t" HOST_STATUS "fstpt %[r]\n\tfldcw %[h]" \
                 : [r] "=m"(*r), "=&a"(sw) : [a] "m"(*a), [v] "m"(v), [g] "m"(control), [h] "m"(host_control) \
                 : HOST_CLOBBERS); \
    return sw; \
}
/* ST0 op -> r: one in, one out. */
#define HOST_UNARY(name, op) \
static inline unsigned name(struct float80 *r, const struct float80 *a, uint16_t control) \
{ \
    uint16_t sw; \
    asm volatile("fldt %[a]\n\tfldcw %[g]\n\t" op "\n\t" HOST_STATUS "fstpt %[r]\n\tfldcw %[h]" \
                 : [r] "=m"(*r), "=&a"(sw) : [a] "m"(*a), [g] "m"(control), [h] "m"(host_control) : HOST_CLOBBERS); \
    return sw; \
}
/* Instructions that push or pop, perhaps, depending on what they meet: b and a are loaded (b may be a dummy), then
 * everything down to the TOP of before is stored to r[0], r[1] ...; `depth` says how much that was: 1 to 3. */
#define HOST_WALK(name, op) \
static inline unsigned name(struct float80 r[3], unsigned *depth, const struct float80 *a, const struct float80 *b, uint16_t control) \
{ \
    unsigned scratch, top, sw; \
    struct float80 *p = r; \
    asm volatile("fnstsw %%ax\n\tmovl %%eax, %[top]\n\tandl $0x3800, %[top]\n\t" \
                 "fldt %[b]\n\tfldt %[a]\n\tfldcw %[g]\n\t" op "\n\t" HOST_STATUS \
                 "movzwl %%ax, %[sw]\n2:\n\tfstpt (%[p])\n\taddq $16, %[p]\n\tfnstsw %%ax\n\tandl $0x3800, %%eax\n\t" \
                 "cmpl %[top], %%eax\n\tjne 2b\n\tfldcw %[h]" \
                 : "=&a"(scratch), [sw] "=&r"(sw), [top] "=&r"(top), [p] "+&r"(p) \
                 : [a] "m"(*a), [b] "m"(*b), [g] "m"(control), [h] "m"(host_control) : HOST_CLOBBERS, "memory"); \
    *depth = (unsigned)(p - r); \
    return sw; \
}

#endif
