/* x87 state as the guest sees it in memory, and the FERR# pin.
 *
 * Registers are kept physically (R0..R7, not rotated by TOP), tags as one bit, like FXSAVE has them; the two-bit tag word is
 * made from the contents when it is stored, as all CPUs since the Pentium do.
 *
 * FERR# and IGNNE# [SDM1, appendix D]: with CR0.NE = 0 an unmasked error is reported as IRQ13. The board latches FERR#,
 * and a write to port F0h drops the latch and raises IGNNE# until FERR# goes away.
 *
 * References: [SDM1] chapter 8, appendix D; [SDM2] FSTENV, FXSAVE.
 * Not modelled: FOP is recorded by every instruction (the Pentium 4's default records it on unmasked errors only). */
#include "x86/fpu.h"
#include "core/machine.h"

void fpu_init(struct fpu *f)
{
    f->control = FPU_CONTROL_INIT;
    f->status = 0;
    f->tags = 0;
    f->opcode = f->cs = f->ds = 0;
    f->ip = f->dp = 0;
}

static void ferr_drive(struct cpu *c, bool level)
{
    if (c->ferr == level)
        return;
    c->ferr = level;
    if (!c->dev.machine)
        return;
    machine_lock(c->dev.machine);
    wire_set(&c->ferr_out, level);
    machine_unlock(c->dev.machine);
}

void fpu_signal(struct cpu *c) { ferr_drive(c, fpu_pending(c) && !(c->cr0 & CR0_NE)); }

void fpu_update_ferr(struct cpu *c)
{
    if (!fpu_pending(c) || !cpu_has(c, HAS_486))
        fpu_signal(c);
}

void fpu_update(struct cpu *c)
{
    struct fpu *f = &c->fpu;
    bool error = f->status & ~f->control & FPU_EXCEPTIONS;
    f->status = (uint16_t)((f->status & ~(FPU_ES | FPU_BUSY)) | (error ? FPU_ES | FPU_BUSY : 0));
    fpu_update_ferr(c);
}

void fpu_set_control(struct cpu *c, uint16_t control)
{
    c->fpu.control = (control & FPU_CONTROL_BITS) | FPU_CONTROL_1;
    fpu_update(c);
}

void fpu_set_status(struct cpu *c, uint16_t status)
{
    c->fpu.status = status;
    fpu_update(c);
}

/* --- tags --------------------------------------------------------------------------------------------------------- */
enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned tag_of(const struct float80 *r)
{
    unsigned exponent = r->exponent & 0x7fff;
    if (exponent == 0)
        return r->mantissa ? TAG_SPECIAL : TAG_ZERO;
    return exponent == 0x7fff || !(r->mantissa >> 63) ? TAG_SPECIAL : TAG_VALID;
}

uint16_t fpu_tag_word(const struct fpu *f)
{
    unsigned word = 0;
    for (unsigned n = 0; n < 8; n++)
        word |= (f->tags >> n & 1 ? tag_of(&f->reg[n]) : TAG_EMPTY) << (2 * n);
    return (uint16_t)word;
}

void fpu_set_tag_word(struct fpu *f, uint16_t word)
{
    f->tags = 0;
    for (unsigned n = 0; n < 8; n++)
        if ((word >> (2 * n) & 3) != TAG_EMPTY)
            f->tags |= (uint8_t)BIT(n);
}

/* --- FNSTENV, FNSAVE ---------------------------------------------------------------------------------------------- */
static bool protected_layout(const struct cpu *c) { return cpu_protected(c) && !cpu_v86(c); }

/* The 32-bit layouts fill the unused upper halves with ones; the real-mode ones hold linear addresses. */
unsigned fpu_save_environment(const struct cpu *c, bool big, uint8_t *b)
{
    const struct fpu *f = &c->fpu;
    uint32_t ip = f->ip + ((uint32_t)f->cs << 4), dp = f->dp + ((uint32_t)f->ds << 4);
    if (!big) {
        le16_put(b, f->control); le16_put(b + 2, f->status); le16_put(b + 4, fpu_tag_word(f));
        if (protected_layout(c)) {
            le16_put(b + 6, (uint16_t)f->ip); le16_put(b + 8, f->cs);
            le16_put(b + 10, (uint16_t)f->dp); le16_put(b + 12, f->ds);
        } else {
            le16_put(b + 6, (uint16_t)ip); le16_put(b + 8, (uint16_t)((ip >> 4 & 0xf000) | f->opcode));
            le16_put(b + 10, (uint16_t)dp); le16_put(b + 12, (uint16_t)(dp >> 4 & 0xf000));
        }
        return FPU_ENVIRONMENT_16;
    }
    le32_put(b, 0xffff0000 | f->control); le32_put(b + 4, 0xffff0000 | f->status);
    le32_put(b + 8, 0xffff0000 | fpu_tag_word(f));
    if (protected_layout(c)) {
        le32_put(b + 12, f->ip); le32_put(b + 16, (uint32_t)f->opcode << 16 | f->cs);
        le32_put(b + 20, f->dp); le32_put(b + 24, 0xffff0000 | f->ds);
    } else {
        le32_put(b + 12, 0xffff0000 | (ip & 0xffff)); le32_put(b + 16, (ip >> 4 & 0x0ffff000) | f->opcode);
        le32_put(b + 20, 0xffff0000 | (dp & 0xffff)); le32_put(b + 24, dp >> 4 & 0x0ffff000);
    }
    return FPU_ENVIRONMENT_32;
}

static void load_pointers(struct cpu *c, bool big, const uint8_t *b)
{
    struct fpu *f = &c->fpu;
    if (protected_layout(c)) {
        f->ip = big ? le32_get(b + 12) : le16_get(b + 6);
        f->cs = big ? le16_get(b + 16) : le16_get(b + 8);
        f->opcode = big ? le16_get(b + 18) & 0x7ff : 0;
        f->dp = big ? le32_get(b + 20) : le16_get(b + 10);
        f->ds = big ? le16_get(b + 24) : le16_get(b + 12);
        return;
    }
    uint32_t ip_high = big ? le32_get(b + 16) : le16_get(b + 8), dp_high = big ? le32_get(b + 24) : le16_get(b + 12);
    f->ip = le16_get(b + (big ? 12 : 6)) | (ip_high & 0x0ffff000) << 4;
    f->dp = le16_get(b + (big ? 20 : 10)) | (dp_high & 0x0ffff000) << 4;
    f->opcode = ip_high & 0x7ff;
    f->cs = f->ds = 0;
}

void fpu_load_environment(struct cpu *c, bool big, const uint8_t *b)
{
    unsigned step = big ? 4 : 2;
    fpu_set_tag_word(&c->fpu, le16_get(b + 2 * step));
    load_pointers(c, big, b);
    c->fpu.control = (le16_get(b) & FPU_CONTROL_BITS) | FPU_CONTROL_1;
    fpu_set_status(c, le16_get(b + step));
}

/* --- FXSAVE ------------------------------------------------------------------------------------------------------- */
/* Denormals-are-zero came with the Pentium 4; before it bit 6 is reserved and the mask field is not written [SDM1, 11.6.6]. */
uint32_t fpu_mxcsr_mask(const struct cpu *c) { return cpu_has(c, HAS_SSE2) ? 0xffff : 0xffbf; }

void fpu_save_fx(const struct cpu *c, uint8_t *b)
{
    const struct fpu *f = &c->fpu;
    bool sse = cpu_has(c, HAS_SSE) && c->cr4 & CR4_OSFXSR;
    memset(b, 0, FXSAVE_LEGACY);
    le16_put(b, f->control); le16_put(b + 2, f->status); b[4] = f->tags; le16_put(b + 6, f->opcode);
    le32_put(b + 8, f->ip); le16_put(b + 12, f->cs); le32_put(b + 16, f->dp); le16_put(b + 20, f->ds);
    if (sse) {
        le32_put(b + 24, c->mxcsr);
        le32_put(b + 28, cpu_has(c, HAS_SSE2) ? fpu_mxcsr_mask(c) : 0);
        memcpy(b + FXSAVE_LEGACY, c->xmm, sizeof c->xmm);
    }
    for (unsigned n = 0; n < 8; n++) {
        const struct float80 *r = &f->reg[fpu_physical(f, n)];
        le64_put(b + 32 + 16 * n, r->mantissa);
        le16_put(b + 40 + 16 * n, r->exponent);
    }
}

bool fpu_load_fx(struct cpu *c, const uint8_t *b)
{
    struct fpu *f = &c->fpu;
    bool sse = cpu_has(c, HAS_SSE) && c->cr4 & CR4_OSFXSR;
    if (sse && le32_get(b + 24) & ~fpu_mxcsr_mask(c))
        return false;
    f->control = (le16_get(b) & FPU_CONTROL_BITS) | FPU_CONTROL_1;
    fpu_set_status(c, le16_get(b + 2));
    f->tags = b[4];
    f->opcode = le16_get(b + 6) & 0x7ff;
    f->ip = le32_get(b + 8); f->cs = le16_get(b + 12);
    f->dp = le32_get(b + 16); f->ds = le16_get(b + 20);
    for (unsigned n = 0; n < 8; n++)
        *fpu_st(f, n) = (struct float80){ le64_get(b + 32 + 16 * n), le16_get(b + 40 + 16 * n) };
    if (sse) {
        c->mxcsr = le32_get(b + 24);
        memcpy(c->xmm, b + FXSAVE_LEGACY, sizeof c->xmm);
    }
    return true;
}
