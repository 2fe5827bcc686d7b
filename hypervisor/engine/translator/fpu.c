/* The guest's x87 registers in the host's unit.
 *
 * They are loaded when translated code meets its first x87 instruction, and stored again (and the unit left as the C ABI wants it) before
 * anything else may look at struct cpu's: when a handler that knows x87 or MMX is called, when an instruction faults, and when
 * translated code is left. In between C code runs, but none that uses the x87 unit.
 *
 * Only with all exceptions masked, none pending, and the unit switched on; what makes that untrue is done by handlers. The pointers that
 * FNSTENV stores are the guest's: each instruction notes which it is, and the address of its operand. */
#include "engine/translator/translator.h"
#include "x86/fpu.h"

enum { FX_CONTROL = 0, FX_STATUS = 2, FX_TAGS = 4, FX_MXCSR = 24, FX_REGISTERS = 32, MXCSR_HOST = 0x1f80 };

static unsigned top_of(unsigned status) { return status >> 11 & 7; }

static bool fpu_plain(const struct cpu *c)
{
    return cpu_has(c, HAS_FPU) && !(c->cr0 & (CR0_EM | CR0_TS)) && !fpu_pending(c)
        && (c->fpu.control & FPU_EXCEPTIONS) == FPU_EXCEPTIONS;
}

static void fpu_load(struct translator *tr)
{
    struct cpu *c = tr->cpu;
    uint8_t *image = tr->fx;
    le16_put(image + FX_CONTROL, c->fpu.control);
    le16_put(image + FX_STATUS, c->fpu.status);
    image[FX_TAGS] = c->fpu.tags;
    le32_put(image + FX_MXCSR, MXCSR_HOST);
    for (unsigned n = 0; n < 8; n++) {
        const struct float80 *r = &c->fpu.reg[(top_of(c->fpu.status) + n) & 7];
        le64_put(image + FX_REGISTERS + n * 16, r->mantissa);
        le16_put(image + FX_REGISTERS + n * 16 + 8, r->exponent);
    }
    asm volatile("fxrstor %0" : : "m"(tr->fx)
                 : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                   "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    c->fpu_live = 1;
    c->fpu_record = c->fpu_operand = 0;
    tr->count.fpu_loads++;
}

static const struct site *noted(struct translator *tr, uint32_t record) { return (const struct site *)(tr->chunks[0].records + record); }

void fpu_note(struct translator *tr, const struct site *s, uint32_t linear)
{
    tr->cpu->fpu_record = tr->cpu->fpu_operand = (uint32_t)((const uint8_t *)s - tr->chunks[0].records);
    tr->cpu->fpu_address = linear;
}

void fpu_take_pointers(struct translator *tr)
{
    struct cpu *c = tr->cpu;
    if (c->fpu_record) {
        const struct site *s = noted(tr, c->fpu_record);
        c->fpu.ip = s->t->eip - s->t->block->insn[0].offset + s->insn->offset;
        c->fpu.cs = c->seg[CS].selector;
        c->fpu.opcode = (uint16_t)((opcodes[s->insn->id].opcode & 7) << 8 | (s->insn->imm & 0xff));
    }
    if (c->fpu_operand) {
        const struct segment *s = &c->seg[noted(tr, c->fpu_operand)->insn->seg];
        c->fpu.dp = c->fpu_address - s->base;
        c->fpu.ds = s->selector;
    }
    c->fpu_record = c->fpu_operand = 0;
}

void fpu_store(struct translator *tr)
{
    struct cpu *c = tr->cpu;
    const uint8_t *image = tr->fx;
    if (!c->fpu_live)
        return;
    asm volatile("fxsave %0\n\tfninit" : "=m"(tr->fx));
    c->fpu.control = (le16_get(image + FX_CONTROL) & FPU_CONTROL_BITS) | FPU_CONTROL_1;
    c->fpu.status = le16_get(image + FX_STATUS);
    c->fpu.tags = image[FX_TAGS];
    for (unsigned n = 0; n < 8; n++) {
        struct float80 *r = &c->fpu.reg[(top_of(c->fpu.status) + n) & 7];
        r->mantissa = le64_get(image + FX_REGISTERS + n * 16);
        r->exponent = le16_get(image + FX_REGISTERS + n * 16 + 8);
    }
    fpu_take_pointers(tr);
    c->fpu_live = 0;
}

bool fpu_ready(struct translator *tr)
{
    if (!tr->cpu->fpu_live && !fpu_plain(tr->cpu))
        return false;
    if (!tr->cpu->fpu_live)
        fpu_load(tr);
    return true;
}

bool sse_plain(const struct cpu *c)
{
    return cpu_has(c, HAS_SSE) && !(c->cr0 & (CR0_EM | CR0_TS)) && c->cr4 & CR4_OSFXSR && (c->mxcsr & MXCSR_MASKS) == MXCSR_MASKS;
}
