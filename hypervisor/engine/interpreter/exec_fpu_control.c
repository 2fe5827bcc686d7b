/* x87 control: words, environment, whole state, stack pointer, WAIT; and FXSAVE and FXRSTOR [SDM2]. None of them but
 * FINCSTP, FDECSTP, FFREE and FNOP changes the recorded instruction pointer. */
#include "engine/interpreter/exec_fpu.h"
#include "engine/interpreter/exec_wide.h"

enum { FNSAVE_REGISTERS = 80 };

/* --- words -------------------------------------------------------------------------------------------------------- */
void exec_FNINIT(struct cpu *c, const struct insn *i)
{
    FPU_CONTROL(c, i);
    fpu_init(&c->fpu);
    fpu_update_ferr(c);
    NEXT(c, i);
}
void exec_FNCLEX(struct cpu *c, const struct insn *i)
{
    FPU_CONTROL(c, i);
    c->fpu.status &= (uint16_t)~(FPU_EXCEPTIONS | FPU_SF | FPU_ES | FPU_BUSY);
    fpu_update_ferr(c);
    NEXT(c, i);
}
void exec_FLDCW(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    fpu_set_control(c, mem_read16(c, i->seg, insn_offset(c, i)));
    NEXT(c, i);
}
/* Without a coprocessor the CPU reads the empty bus: ones. That is how software of the day finds out. */
static inline uint16_t word_or_bus(struct cpu *c, const struct insn *i, uint16_t word)
{
    return unlikely(fpu_absent_or_off(c)) && fpu_wait(c, i) == FPU_SKIP ? 0xffff : word;
}
void exec_FNSTCW(struct cpu *c, const struct insn *i)
{
    mem_write16(c, i->seg, insn_offset(c, i), word_or_bus(c, i, c->fpu.control));
    NEXT(c, i);
}
void exec_FNSTSW_m16(struct cpu *c, const struct insn *i)
{
    mem_write16(c, i->seg, insn_offset(c, i), word_or_bus(c, i, c->fpu.status));
    NEXT(c, i);
}
void exec_FNSTSW_AX(struct cpu *c, const struct insn *i)
{
    *reg16(c, EAX) = word_or_bus(c, i, c->fpu.status);
    NEXT(c, i);
}

/* --- environment and state ---------------------------------------------------------------------------------------- */
void exec_FNSTENV(struct cpu *c, const struct insn *i)
{
    FPU_CONTROL(c, i);
    {
        uint8_t bytes[FPU_ENVIRONMENT_32];
        unsigned length = fpu_save_environment(c, i->flags & INSN_OPERAND32, bytes);
        wide_write(c, i->seg, insn_offset(c, i), bytes, length);
        fpu_set_control(c, c->fpu.control | FPU_EXCEPTIONS);
    }
    NEXT(c, i);
}
void exec_FLDENV(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        bool big = i->flags & INSN_OPERAND32;
        uint8_t bytes[FPU_ENVIRONMENT_32];
        wide_read(c, i->seg, insn_offset(c, i), bytes, big ? FPU_ENVIRONMENT_32 : FPU_ENVIRONMENT_16);
        fpu_load_environment(c, big, bytes);
    }
    NEXT(c, i);
}
void exec_FNSAVE(struct cpu *c, const struct insn *i)
{
    FPU_CONTROL(c, i);
    {
        struct fpu *f = &c->fpu;
        uint8_t bytes[FPU_ENVIRONMENT_32 + FNSAVE_REGISTERS];
        unsigned length = fpu_save_environment(c, i->flags & INSN_OPERAND32, bytes);
        for (unsigned n = 0; n < 8; n++, length += 10)
            memcpy(bytes + length, fpu_st(f, n), 10);
        wide_write(c, i->seg, insn_offset(c, i), bytes, length);
        fpu_init(f);
        fpu_update_ferr(c);
    }
    NEXT(c, i);
}
void exec_FRSTOR(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    {
        bool big = i->flags & INSN_OPERAND32;
        unsigned length = big ? FPU_ENVIRONMENT_32 : FPU_ENVIRONMENT_16;
        uint8_t bytes[FPU_ENVIRONMENT_32 + FNSAVE_REGISTERS];
        wide_read(c, i->seg, insn_offset(c, i), bytes, length + FNSAVE_REGISTERS);
        fpu_load_environment(c, big, bytes);
        for (unsigned n = 0; n < 8; n++, length += 10)
            memcpy(fpu_st(&c->fpu, n), bytes + length, 10);
    }
    NEXT(c, i);
}

/* Both look at EM and TS, not at pending errors; 512 bytes, aligned to 16 [SDM2, FXSAVE]. */
static uint32_t fx_area(struct cpu *c, const struct insn *i, bool write)
{
    if (c->cr0 & (CR0_EM | CR0_TS))
        cpu_raise(c, EXC_NM);
    return wide_aligned(c, i->seg, insn_offset(c, i), FXSAVE_SIZE, write);
}
/* The reserved rest of the area is not written, nor are the XMM registers while the OS does not know of them. */
void exec_FXSAVE(struct cpu *c, const struct insn *i)
{
    uint32_t linear = fx_area(c, i, true);
    bool sse = cpu_has(c, HAS_SSE) && c->cr4 & CR4_OSFXSR;
    mmu_check_write(c, linear, FXSAVE_SIZE);
    {
        uint8_t bytes[FXSAVE_XMM];
        fpu_save_fx(c, bytes);
        wide_write_linear(c, linear, bytes, sse ? FXSAVE_XMM : FXSAVE_LEGACY);
    }
    NEXT(c, i);
}
void exec_FXRSTOR(struct cpu *c, const struct insn *i)
{
    {
        uint8_t bytes[FXSAVE_SIZE];
        wide_read_linear(c, fx_area(c, i, false), bytes, FXSAVE_SIZE);
        if (!fpu_load_fx(c, bytes))
            cpu_raise_error(c, EXC_GP, 0);
    }
    NEXT(c, i);
}

/* --- stack pointer and tags --------------------------------------------------------------------------------------- */
static inline void rotate(struct cpu *c, const struct insn *i, int by)
{
    fpu_record(c, i);
    fpu_rotate(&c->fpu, by);
    c->fpu.status &= (uint16_t)~FPU_C1;
}
void exec_FINCSTP(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    rotate(c, i, 1);
    NEXT(c, i);
}
void exec_FDECSTP(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    rotate(c, i, -1);
    NEXT(c, i);
}
static inline void free_register(struct cpu *c, const struct insn *i)
{
    fpu_record(c, i);
    fpu_set_empty(&c->fpu, i->rm);
    c->fpu.status &= (uint16_t)~FPU_C1;
}
void exec_FFREE(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    free_register(c, i);
    NEXT(c, i);
}
void exec_FFREEP(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    free_register(c, i);
    fpu_pop(&c->fpu);
    NEXT(c, i);
}
void exec_FNOP(struct cpu *c, const struct insn *i)
{
    FPU_WAITING(c, i);
    fpu_record(c, i);
    NEXT(c, i);
}
/* FENI, FDISI (8087) and FSETPM (80287): accepted and ignored since the 387. */
#define IGNORED(NAME) \
void exec_##NAME(struct cpu *c, const struct insn *i) \
{ \
    FPU_CONTROL(c, i); \
    NEXT(c, i); \
}
IGNORED(FNENI)
IGNORED(FNDISI)
IGNORED(FNSETPM)

/* WAIT is not an ESC instruction: EM does not trap it, and TS only together with MP [SDM3A, 2.5]. */
void exec_FWAIT(struct cpu *c, const struct insn *i)
{
    if ((c->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        cpu_raise(c, EXC_NM);
    if (unlikely(fpu_pending(c)) && cpu_has(c, HAS_FPU)) {
        if (c->cr0 & CR0_NE)
            cpu_raise(c, EXC_MF);
        fpu_signal(c);
        if (!(c->pin_levels & BIT(CPU_IGNNE))) {
            c->eip = insn_eip(c, i);            /* waits for the interrupt, see fpu_wait */
            return;
        }
    }
    NEXT(c, i);
}
