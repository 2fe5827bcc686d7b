/* The guest's x87 registers in the host's unit.
 *
 * They are loaded when translated code meets its first x87 instruction, and stored again (and the unit left as the C ABI wants it) before
 * anything else may look at struct cpu's: when a handler that knows x87 or MMX is called, when an instruction faults, and when
 * translated code is left. In between C code runs, but none that uses the x87 unit.
 *
 * Only with all exceptions masked, none pending, and the unit switched on; what makes that untrue is done by handlers. The pointers that
 * FNSTENV stores are the guest's: ways out of a block record which were the last, and where a block is left in its middle they are found by
 * the place. An operand's address is stored by each instruction that has one. */
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

static void record_taken(struct cpu *c, const struct translation *t, const struct insn *i)
{
    c->fpu.ip = t->eip - t->block->insn[0].offset + i->offset;
    c->fpu.cs = c->seg[CS].selector;
    c->fpu.opcode = (uint16_t)((opcodes[i->id].opcode & 7) << 8 | (i->imm & 0xff));
}
static void operand_taken(struct cpu *c, const struct insn *i)
{
    c->fpu.dp = c->fpu_address - c->seg[i->seg].base;
    c->fpu.ds = c->seg[i->seg].selector;
}

/* In the middle of a block: the x87 instructions since its start, or since the unit was given back, that are not recorded yet. */
static uint32_t unrecorded(const struct translator *tr)
{
    const struct site *s = tr->site;
    if (!s || tr->fpu_taken || !tr->cpu->fpu_live)
        return 0;
    unsigned done = (unsigned)(s->insn - s->t->block->insn) + tr->site_done;
    uint32_t before = done < 32 ? (1u << done) - 1 : UINT32_MAX, breaks = s->t->fpu_breaks & before;
    return s->t->fpu_notes & before & (breaks ? (uint32_t)-(2ull << (31 - __builtin_clz(breaks))) : UINT32_MAX);
}

void fpu_take_pointers(struct translator *tr)
{
    struct cpu *c = tr->cpu;
    uint32_t notes = unrecorded(tr);
    if (c->fpu_record) {
        const struct site *s = (const struct site *)(tr->chunks[0].records + c->fpu_record);
        record_taken(c, s->t, s->insn);
    }
    if (c->fpu_operand)
        operand_taken(c, ((const struct site *)(tr->chunks[0].records + c->fpu_operand))->insn);
    for (unsigned n = 0; notes; n++, notes >>= 1) {
        const struct insn *i = &tr->site->t->block->insn[n];
        if (!(notes & 1))
            continue;
        record_taken(c, tr->site->t, i);
        if (i->flags & INSN_MEMORY)
            operand_taken(c, i);
    }
    c->fpu_record = c->fpu_operand = 0;
    tr->fpu_taken = true;
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
