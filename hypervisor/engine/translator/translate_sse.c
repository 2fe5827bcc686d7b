/* MMX, SSE and SSE2, as they are.
 *
 * XMM0 to XMM7 are the host's own while struct cpu's sse_live says so, with the guest's MXCSR, all of whose exceptions are masked then.
 * Whatever calls C stores and loads them again (routines.c), so C finds them in struct cpu. MMX registers are in the host's x87 unit with
 * the rest of the guest's (fpu.c). A block looks once whether the registers are there.
 *
 * Slow paths of SSE operands are the handler. Left to handlers altogether: what mixes the two sets, MASKMOVQ and MASKMOVDQU, MXCSR. */
#include "engine/translator/translate.h"

struct simd { uint8_t rm_size; bool native, mmx, rm_is_first, rm_is_gpr, reg_is_gpr, immediate, aligned; };

enum set { SET_NONE, SET_GPR, SET_MMX, SET_XMM };
static enum set set_of(unsigned operand)
{
    switch (operands[operand].method) {
    case METHOD_P: case METHOD_Q: case METHOD_N: case METHOD_Q_IB: case METHOD_N_IB: return SET_MMX;
    case METHOD_V: case METHOD_W: case METHOD_U: case METHOD_W_IB: case METHOD_U_IB: return SET_XMM;
    case METHOD_G: case METHOD_E: case METHOD_RM_IB: return SET_GPR;
    default: return SET_NONE;
    }
}
/* By SDM 2's letters: V, P and G are ModRM.reg; I, and what ends in _IB, has an immediate. */
static bool is_rm(unsigned method) { return method != METHOD_V && method != METHOD_P && method != METHOD_G && method != METHOD_I && method != METHOD_NONE; }
static bool has_immediate(unsigned method) { return method == METHOD_I || (method >= METHOD_Q_IB && method <= METHOD_RM_IB); }

static struct simd simd_of(const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    struct simd s = { 0 };
    unsigned key = i->id ? key_of(o) : 0;
    if (!i->id || o->checks < CHECK_mmx || key == 0x1ae || key == 0x1f7)
        return s;
    enum set first = set_of(o->dst), second = set_of(o->src);
    s.mmx = first == SET_MMX || second == SET_MMX || key == 0x177;
    s.native = !(s.mmx && (first == SET_XMM || second == SET_XMM || o->checks != CHECK_mmx));
    s.rm_is_first = is_rm(operands[o->dst].method);
    unsigned rm = s.rm_is_first ? o->dst : o->src;
    s.rm_size = operands[rm].size;
    s.rm_is_gpr = set_of(rm) == SET_GPR && !(i->flags & INSN_MEMORY);
    s.reg_is_gpr = set_of(s.rm_is_first ? o->src : o->dst) == SET_GPR;
    s.immediate = has_immediate(operands[o->src].method);
    s.aligned = s.rm_size == 16 && key != 0x110 && key != 0x111 && !(o->prefix == PREFIX_F3 && (key == 0x16f || key == 0x17f));
    return s;
}

unsigned simd_operand_access(const struct insn *i, bool *write)
{
    struct simd s = simd_of(i);
    *write = s.rm_is_first;
    return s.native && !s.aligned ? s.rm_size : 0;
}

unsigned simd_written(const struct insn *i)
{
    struct simd s = simd_of(i);
    if (!s.native)
        return ~0u;
    return s.reg_is_gpr && !s.rm_is_first ? 1u << i->reg : s.rm_is_gpr && s.rm_is_first ? 1u << i->rm : 0;
}

/* The XMM registers are the guest's from here on; else the stub executes the instruction and leaves. */
static void emit_sse_ready(struct maker *m, const struct insn *i)
{
    if (m->sse_ready)
        return;
    struct stub *s = stub_new(m, STUB_SSE);
    if (!s)
        return;
    s->site = site_new(m, i, 0, 0);
    emit_load(&m->e, RCX, cpu_field(m, &m->tr->cpu->sse_live));
    island_wait(m, emit_jecxz(&m->e), s, 0);
    s->resume = m->e.p;
    m->sse_ready = true;
}

/* Stores that bypass the caches are plain ones: the memory is not a device's. */
static unsigned opcode_of(const struct opcode *o)
{
    switch (key_of(o)) {
    case 0x12b: return 0x0f29;
    case 0x1e7: return 0x0f7f;
    default: return 0x0f00 | o->opcode;
    }
}

static void emit_simd(struct maker *m, const struct insn *i, const struct opcode *o, const struct simd *s)
{
    struct op op = { .opcode = (uint16_t)opcode_of(o), .operand16 = o->prefix == PREFIX_66, .imm_size = s->immediate, .imm = i->imm,
                     .prefix = o->prefix == PREFIX_F3 ? 0xf3 : o->prefix == PREFIX_F2 ? 0xf2 : 0,
                     .aligned = s->aligned, .x87 = s->mmx, .handler = !s->mmx };
    op.reg = o->group < 8 ? o->group : s->reg_is_gpr ? host_of[i->reg] : i->reg;
    if (!(i->flags & INSN_MEMORY)) {
        emit_op_register(&m->e, &op, s->rm_is_gpr ? host_of[i->rm] : i->rm);
        return;
    }
    unsigned stub = m->stub_count;
    emit_operand_access(m, i, op, s->rm_size, s->rm_is_first ? ACCESS_WRITE : ACCESS_READ);
    if (!m->refused && m->stub_count > stub && !s->mmx)
        m->stubs[stub].site->kind = s->rm_is_first ? SITE_SSE_STORE : SITE_SSE_LOAD;
}

bool translate_simd(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    struct simd s = simd_of(i);
    if (!s.native) {
        m->sse_ready &= !i->id || o->checks < CHECK_fpu;
        return false;
    }
    if (s.mmx)
        emit_fpu_ready(m, i);
    else
        emit_sse_ready(m, i);
    if (key_of(o) == 0x177)
        emit_opcode(&m->e, 0x0f77);
    else
        emit_simd(m, i, o, &s);
    return true;
}
