/* The x87 register file as data: stack, tags, the images that FNSTENV, FNSAVE and FXSAVE write, and the error line.
 * What the instructions compute is in engine/interpreter/exec_fpu*.c [SDM1, chapter 8]. */
#ifndef X86_FPU_H
#define X86_FPU_H
#include "x86/cpu.h"

/* Status word [SDM1, 8.1.3]; the low six are also the mask bits of the control word and the flags of MXCSR. */
enum { FPU_IE = 1 << 0, FPU_DE = 1 << 1, FPU_ZE = 1 << 2, FPU_OE = 1 << 3, FPU_UE = 1 << 4, FPU_PE = 1 << 5,
       FPU_EXCEPTIONS = 0x3f, FPU_SF = 1 << 6, FPU_ES = 1 << 7, FPU_C0 = 1 << 8, FPU_C1 = 1 << 9, FPU_C2 = 1 << 10,
       FPU_TOP = 7 << 11, FPU_C3 = 1 << 14, FPU_BUSY = 1 << 15,
       FPU_CONDITIONS = FPU_C0 | FPU_C1 | FPU_C2 | FPU_C3 };
/* Control word: exception masks, precision, rounding. Bit 6 reads as 1, bit 12 (infinity) is kept but means nothing. */
enum { FPU_CONTROL_BITS = 0x1f3f, FPU_CONTROL_1 = 0x40, FPU_CONTROL_INIT = 0x37f };
/* MXCSR [SDM1, 10.2.3] */
enum { MXCSR_DAZ = 1 << 6, MXCSR_MASKS = 0x1f80, MXCSR_UM = 1 << 11, MXCSR_FZ = 1 << 15, MXCSR_INIT = 0x1f80 };

enum { FPU_ENVIRONMENT_16 = 14, FPU_ENVIRONMENT_32 = 28, FXSAVE_LEGACY = 160, FXSAVE_XMM = 288, FXSAVE_SIZE = 512 };

static const struct float80 float80_indefinite = { 0xc000000000000000, 0xffff };

static inline unsigned fpu_physical(const struct fpu *f, unsigned st) { return ((f->status >> 11) + st) & 7; }
static inline struct float80 *fpu_st(struct fpu *f, unsigned st) { return &f->reg[fpu_physical(f, st)]; }
static inline bool fpu_valid(const struct fpu *f, unsigned st) { return f->tags >> fpu_physical(f, st) & 1; }
static inline void fpu_set_valid(struct fpu *f, unsigned st) { f->tags |= (uint8_t)BIT(fpu_physical(f, st)); }
static inline void fpu_set_empty(struct fpu *f, unsigned st) { f->tags &= (uint8_t)~BIT(fpu_physical(f, st)); }
static inline void fpu_rotate(struct fpu *f, int by)        /* TOP += by */
{
    f->status = (uint16_t)((f->status & ~FPU_TOP) | ((f->status + by * 0x800) & FPU_TOP));
}
static inline void fpu_push(struct fpu *f, const struct float80 *v)
{
    fpu_rotate(f, -1);
    *fpu_st(f, 0) = *v;
    fpu_set_valid(f, 0);
}
static inline void fpu_pop(struct fpu *f)
{
    fpu_set_empty(f, 0);
    fpu_rotate(f, 1);
}
/* An exception is pending: ES. */
static inline bool fpu_pending(const struct cpu *c) { return c->fpu.status & FPU_ES; }

void fpu_init(struct fpu *);                    /* FNINIT: all but the registers' contents */
void fpu_set_control(struct cpu *, uint16_t);   /* FLDCW: a mask may make an old flag pending */
void fpu_set_status(struct cpu *, uint16_t);    /* all bits; ES and B follow from flags and masks */
/* ES and B from flags and masks, then FERR#. Call it after flags or masks were changed by hand. */
void fpu_update(struct cpu *);
/* FERR#: low when nothing is pending. A 386's coprocessor raises ERROR# at once; later CPUs, at the next waiting instruction
 * (fpu_signal), so that FNCLEX and FNINIT in time drop an error silently [SDM1, D.2.1.2]. Takes the machine lock. */
void fpu_update_ferr(struct cpu *);
void fpu_signal(struct cpu *);

uint16_t fpu_tag_word(const struct fpu *);      /* two bits a register: valid, zero, special, empty */
void fpu_set_tag_word(struct fpu *, uint16_t);
/* 14 or 28 bytes, real or protected layout by the present mode [SDM1, figures 8-9 to 8-12]. */
unsigned fpu_save_environment(const struct cpu *, bool big, uint8_t *bytes);
void fpu_load_environment(struct cpu *, bool big, const uint8_t *bytes);
/* The first 288 bytes of FXSAVE's area. XMM and MXCSR are left alone without CR4.OSFXSR. */
void fpu_save_fx(const struct cpu *, uint8_t *bytes);
bool fpu_load_fx(struct cpu *, const uint8_t *bytes);       /* false, nothing changed: reserved MXCSR bits */
uint32_t fpu_mxcsr_mask(const struct cpu *);    /* bits that this model's MXCSR has */

#endif
