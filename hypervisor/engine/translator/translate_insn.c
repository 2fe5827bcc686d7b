/* Arithmetic, logic, moves: the guest's instruction again, with registers renamed and its memory operand replaced.
 *
 * Not here: what has a line that says false, and everything that looks at more than registers, flags and one operand. */
#include "engine/translator/translate.h"

/* --- byte registers --------------------------------------------------------------------------------------------------- */
/* AH, CH, DH, BH can be named only in an instruction without a REX prefix, so not beside r8-r15. When one is, ECX is taken to rcx for
 * the instruction. */
struct bytes { bool high, uses_ecx, bad; };
static unsigned byte_number(unsigned offset) { return offset >> 2; }
static bool byte_is_high(unsigned offset) { return offset & 1; }

static unsigned byte_host(unsigned offset, bool ecx_in_rcx)
{
    unsigned n = byte_number(offset), host = n == ECX && ecx_in_rcx ? RCX : host_of[n];
    return byte_is_high(offset) ? host + 4 : host;              /* eax 0, ecx 1, edx 2, ebx 3: AH 4, CH 5, DH 6, BH 7 */
}
static unsigned wide_host(unsigned n, bool ecx_in_rcx) { return n == ECX && ecx_in_rcx ? RCX : host_of[n]; }

/* --- what an instruction does with its operands ----------------------------------------------------------------------- */
enum role { ROLE_NONE, ROLE_RM, ROLE_REG, ROLE_IMM, ROLE_CL, ROLE_FIXED };
static enum role role_of(unsigned operand)
{
    switch (operands[operand].method) {
    case METHOD_E: case METHOD_M: case METHOD_E_IS: case METHOD_E_I: return ROLE_RM;
    case METHOD_G: case METHOD_G_IB: case METHOD_G_CL: return ROLE_REG;
    case METHOD_CL: return ROLE_CL;
    case METHOD_I: case METHOD_IS: return ROLE_IMM;
    case METHOD_NONE: case METHOD_ONE: return ROLE_NONE;
    default: return ROLE_FIXED;
    }
}

static unsigned size_of(const struct insn *i, unsigned operand)
{
    unsigned size = operands[operand].size;
    return size == SIZE_V ? (i->flags & INSN_OPERAND32 ? 4 : 2) : size;
}

/* ModRM instructions that are re-emitted as they are. */
static bool is_simple(const struct opcode *o, bool memory)
{
    unsigned key = key_of(o);
    if (o->checks != CHECK_none)
        return false;
    if (key < 0x40)
        return (key & 7) < 4;
    switch (key) {
    case 0x69: case 0x6b: case 0x80: case 0x81: case 0x82: case 0x83: case 0x84: case 0x85: case 0x86: case 0x87: case 0x88: case 0x89:
    case 0x8a: case 0x8b: case 0xc0: case 0xc1: case 0xc6: case 0xc7: case 0xd0: case 0xd1: return true;
    case 0xd2: case 0xd3: case 0x1a5: case 0x1ad: case 0x1a3: case 0x1ab: case 0x1b3: case 0x1bb: return !memory;
    case 0xf6: case 0xf7: return o->group <= GROUP_INDEX_5;
    case 0xfe: case 0xff: return o->group <= GROUP_INDEX_1;
    case 0x1a4: case 0x1ac: case 0x1af: case 0x1b0: case 0x1b1: case 0x1b6: case 0x1b7: case 0x1ba: case 0x1bc: case 0x1bd: case 0x1be: case 0x1bf:
    case 0x1c0: case 0x1c1: return true;
    default: return (key >= 0x140 && key <= 0x14f) || (key >= 0x190 && key <= 0x19f);
    }
}

static enum access access_of(const struct opcode *o)
{
    unsigned key = key_of(o);
    if (role_of(o->dst) != ROLE_RM)
        return ACCESS_READ;
    switch (key) {
    case 0x38: case 0x39: case 0x84: case 0x85: return ACCESS_READ;
    case 0x80: case 0x81: case 0x82: case 0x83: return o->group == GROUP_INDEX_7 ? ACCESS_READ : ACCESS_CHANGE;
    case 0x88: case 0x89: case 0xc6: case 0xc7: return ACCESS_WRITE;
    case 0xf6: case 0xf7: return o->group == GROUP_INDEX_2 || o->group == GROUP_INDEX_3 ? ACCESS_CHANGE : ACCESS_READ;
    case 0x1ba: return o->group == GROUP_INDEX_4 ? ACCESS_READ : ACCESS_CHANGE;
    default: return key >= 0x190 && key <= 0x19f ? ACCESS_WRITE : ACCESS_CHANGE;
    }
}

/* --- ModRM ------------------------------------------------------------------------------------------------------------- */
struct form { unsigned rm_size, reg_size; bool reg_is_register, memory, cl; };

static struct form form_of(const struct insn *i, const struct opcode *o)
{
    struct form f = { .memory = i->flags & INSN_MEMORY };
    for (unsigned n = 0; n < 2; n++) {
        unsigned operand = n ? o->src : o->dst;
        enum role role = role_of(operand);
        if (role == ROLE_RM) {
            f.rm_size = size_of(i, operand);
        } else if (role == ROLE_REG) {
            f.reg_is_register = true;
            f.reg_size = size_of(i, operand);
        }
        f.cl |= role == ROLE_CL || operands[operand].method == METHOD_G_CL;
    }
    return f;
}

static void immediate_of(const struct insn *i, const struct opcode *o, struct op *op)
{
    unsigned operand = o->src == OPERAND_none ? o->dst : o->src;
    op->imm = i->imm;
    switch (operands[operand].method) {
    case METHOD_I: op->imm_size = (uint8_t)size_of(i, operand); break;
    case METHOD_IS: case METHOD_E_IS: case METHOD_G_IB: op->imm_size = 1; break;
    case METHOD_E_I: op->imm_size = i->flags & INSN_OPERAND32 ? 4 : 2; break;
    default: break;
    }
}

/* Which byte registers are named; bad: a combination that no encoding has. */
static struct bytes bytes_of(const struct insn *i, const struct form *f)
{
    struct bytes b = { 0 };
    bool rm_byte = !f->memory && f->rm_size == 1, reg_byte = f->reg_is_register && f->reg_size == 1;
    b.high = (rm_byte && byte_is_high(i->rm)) || (reg_byte && byte_is_high(i->reg));
    if (!b.high)
        return b;
    unsigned rm = f->memory ? 8u : rm_byte ? byte_number(i->rm) : i->rm;
    unsigned reg = !f->reg_is_register ? 8u : reg_byte ? byte_number(i->reg) : i->reg;
    b.uses_ecx = rm == ECX || reg == ECX || f->cl;
    b.bad = (!rm_byte && rm == ESP) || (!reg_byte && reg == ESP);
    return b;
}

/* OF after a shift by other counts than 1 is undefined, and the interpreter gives the same on every host (arith.h). Where it may be seen,
 * an immediate shift is made of two, the last by 1; the rest is the handler's. */
static bool overflow_seen(const struct maker *m)
{
    for (unsigned k = m->k + 1; k < m->b->count; k++) {
        const struct opcode *o = &opcodes[m->b->insn[k].id];
        if (o->flags_read & FLAG_OF || !m->b->insn[k].id || o->plan == PLAN_COND || o->plan == PLAN_END)
            return true;
        if ((o->flags_written | o->flags_undefined) & FLAG_OF)
            return false;
    }
    return true;
}

enum shift { SHIFT_NONE, SHIFT_TWICE, SHIFT_BY_CL, SHIFT_HANDLER };
static enum shift shift_of(const struct maker *m, const struct insn *i, const struct opcode *o)
{
    unsigned key = key_of(o);
    if (key == 0xc0 || key == 0xc1) {
        if ((i->imm & 31) < 2 || !overflow_seen(m))
            return SHIFT_NONE;
        return i->flags & INSN_MEMORY ? SHIFT_HANDLER : SHIFT_TWICE;
    }
    return (key == 0xd2 || key == 0xd3) && overflow_seen(m) ? SHIFT_BY_CL : SHIFT_NONE;
}

/* By CL - 1 and by 1, unless CL is 0 (its low five bits are). */
static void emit_shift_by_cl(struct emitter *e, struct op *op, unsigned rm)
{
    emit_rm(e, 0, 0x0fb6, RCX, R9);
    emit_rorx(e, 0, RCX, RCX, 5);
    emit_shrx(e, 0, RCX, RCX, R15);                             /* by 10: bits 5 to 7 are gone */
    uint8_t *zero = emit_jecxz(e);
    emit_lea(e, RCX, at(R9, -1));
    emit_op_register(e, op, rm);
    op->opcode -= 2;                                            /* D0h, D1h */
    emit_op_register(e, op, rm);
    emit_here(e, zero);
}

/* XCHG, XADD: after the slow store there would still be CH to write. */
static bool writes_both(const struct opcode *o) { return key_of(o) == 0x86 || key_of(o) == 0x1c0; }

static void emit_cl_to_ch(struct emitter *e)
{
    emit_rorx(e, 0, R9, R9, 8);
    emit_rm(e, 0, 0x88, RCX, R9);
    emit_rorx(e, 0, R9, R9, 24);
}

static bool translate_modrm(struct maker *m, const struct insn *i, const struct opcode *o)
{
    struct form f = form_of(i, o);
    struct bytes bytes = bytes_of(i, &f);
    struct op op = { .high = bytes.high, .lock = i->flags & INSN_LOCK && f.memory };
    enum shift shift = shift_of(m, i, o);
    if (bytes.bad || (bytes.uses_ecx && f.memory && writes_both(o)) || (f.cl && f.memory) || shift == SHIFT_HANDLER || (shift == SHIFT_BY_CL && bytes.uses_ecx))
        return false;
    op.opcode = (uint16_t)(o->map ? 0x0f00 | o->opcode : o->opcode == 0x82 ? 0x80 : o->opcode);
    op.operand16 = !(i->flags & INSN_OPERAND32) && (f.rm_size == 2 || f.reg_size == 2);
    if (f.reg_is_register)
        op.reg = (uint8_t)(f.reg_size == 1 ? byte_host(i->reg, bytes.uses_ecx) : wide_host(i->reg, bytes.uses_ecx));
    else
        op.reg = o->group < 8 ? o->group : 0;
    immediate_of(i, o, &op);
    if (f.memory) {
        op.ch = bytes.uses_ecx;
        op.high &= !op.ch;
        op.reg = op.ch ? RCX : op.reg;
        islands_within_reach(m, 96);
        emit_operand_access(m, i, op, f.rm_size, access_of(o));
        if (op.ch && role_of(o->dst) == ROLE_REG) {
            islands_within_reach(m, 32);
            emit_cl_to_ch(&m->e);
        }
        return true;
    }
    if (shift == SHIFT_BY_CL) {
        islands_within_reach(m, 64);
        emit_shift_by_cl(&m->e, &op, f.rm_size == 1 ? byte_host(i->rm, false) : wide_host(i->rm, false));
        return true;
    }
    if (bytes.uses_ecx || f.cl)
        emit_mov(&m->e, RCX, R9);
    unsigned rm = f.rm_size == 1 ? byte_host(i->rm, bytes.uses_ecx) : wide_host(i->rm, bytes.uses_ecx);
    if (shift == SHIFT_TWICE) {
        op.imm = (op.imm & 31) - 1;
        emit_op_register(&m->e, &op, rm);
        op.imm = 1;
    }
    emit_op_register(&m->e, &op, rm);
    if (bytes.uses_ecx)
        emit_mov(&m->e, R9, RCX);
    return true;
}

/* --- the others ---------------------------------------------------------------------------------------------------------- */
static void emit_short(struct maker *m, const struct insn *i, unsigned opcode, bool operand16, unsigned imm_size)
{
    if (operand16)
        emit8(&m->e, 0x66);
    emit8(&m->e, opcode);
    for (unsigned n = 0; n < imm_size; n++)
        emit8(&m->e, i->imm >> n * 8);
}

static bool translate_lea(struct maker *m, const struct insn *i)
{
    if (i->flags & INSN_OPERAND32 && i->flags & INSN_ADDRESS32 && (i->base != GPR_ZERO || i->index != GPR_ZERO)) {
        emit_lea(&m->e, host_of[i->reg], address_of(i));
        return true;
    }
    emit_effective_address(m, i);
    if (!(i->flags & INSN_OPERAND32))
        emit8(&m->e, 0x66);
    emit_mov(&m->e, host_of[i->reg], R8);
    return true;
}

/* MOV AL/eAX and an absolute offset (A0h-A3h). */
static bool translate_moffs(struct maker *m, const struct insn *i, const struct opcode *o)
{
    bool byte = !(o->opcode & 1), write = o->opcode & 2;
    unsigned size = byte ? 1 : i->flags & INSN_OPERAND32 ? 4 : 2;
    struct op op = { .opcode = (uint16_t)((write ? 0x88 : 0x8a) | !byte), .reg = RAX, .operand16 = size == 2 };
    emit_mov_imm(&m->e, R8, i->disp & i->address_mask);
    emit_access(m, i, op, i->seg, size, write ? ACCESS_WRITE : ACCESS_READ, i->flags & INSN_ADDRESS32);
    return true;
}

/* MOV to a byte register (B0h-B7h): CH through rcx. */
static bool translate_mov_byte(struct maker *m, const struct insn *i)
{
    bool ch = byte_number(i->rm) == ECX && byte_is_high(i->rm);
    if (ch)
        emit_mov(&m->e, RCX, R9);
    emit_op_register(&m->e, &(struct op){ .opcode = 0xc6, .imm_size = 1, .imm = i->imm }, byte_host(i->rm, ch));
    if (ch)
        emit_mov(&m->e, R9, RCX);
    return true;
}

static bool translate_short(struct maker *m, const struct insn *i, const struct opcode *o)
{
    bool operand16 = !(i->flags & INSN_OPERAND32);
    unsigned key = key_of(o), v = operand16 ? 2 : 4;
    struct op op = { .operand16 = operand16 };
    if (key < 0x40 && (key & 7) >= 4 && (key & 7) <= 5) {
        emit_short(m, i, key, key & 1 && operand16, key & 1 ? v : 1);
        return true;
    }
    switch (key) {
    case 0x40: case 0x48:
        op.opcode = 0xff;
        op.reg = key == 0x48;
        emit_op_register(&m->e, &op, host_of[i->rm]);
        return true;
    case 0x90: return true;
    case 0x91: case 0x92: case 0x93: case 0x94: case 0x95: case 0x96: case 0x97:
        op.opcode = 0x87;
        op.reg = RAX;
        emit_op_register(&m->e, &op, host_of[i->rm]);
        return true;
    case 0x98: case 0x99: emit_short(m, i, key, operand16, 0); return true;
    case 0x9e: case 0x9f: case 0xf5: case 0xf8: case 0xf9: emit_short(m, i, key, false, 0); return true;
    case 0xa8: emit_short(m, i, key, false, 1); return true;
    case 0xa9: emit_short(m, i, key, operand16, v); return true;
    case 0xa0: case 0xa1: case 0xa2: case 0xa3: return translate_moffs(m, i, o);
    case 0xb0: return translate_mov_byte(m, i);
    case 0xb8:
        op.opcode = 0xc7;
        op.imm_size = (uint8_t)v;
        op.imm = i->imm;
        emit_op_register(&m->e, &op, host_of[i->rm]);
        return true;
    case 0x8d: return translate_lea(m, i);
    case 0x1c8:
        if (operand16)
            return false;
        if (host_of[i->rm] >= 8)
            emit8(&m->e, 0x41);
        emit_opcode(&m->e, 0x0fc8 | (host_of[i->rm] & 7));
        return true;
    default: return false;
    }
}

bool is_read_only_operation(const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    return role_of(o->dst) == ROLE_RM && access_of(o) == ACCESS_READ;
}

bool is_simple_operation(const struct insn *i) { return i->id && is_simple(&opcodes[i->id], i->flags & INSN_MEMORY); }

unsigned operand_access(const struct insn *i, bool *write)
{
    const struct opcode *o = &opcodes[i->id];
    unsigned key = key_of(o);
    if (o->checks > CHECK_fpu)
        return simd_operand_access(i, write);
    if (o->checks == CHECK_fpu)
        return fpu_operand_access(i, write);
    if (is_simple(o, true)) {
        struct form f = form_of(i, o);
        *write = access_of(o) != ACCESS_READ;
        return f.rm_size;
    }
    *write = false;
    if ((key | 1) == 0xf7)                                      /* DIV, IDIV */
        return size_of(i, o->dst);
    return key == 0xff && o->group <= GROUP_INDEX_6 && o->group != GROUP_INDEX_3 && o->group != GROUP_INDEX_5 ? size_of(i, OPERAND_Ev) : 0;
}

bool translate_operation(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    if (!i->id)
        return false;
    if (is_simple(o, i->flags & INSN_MEMORY))
        return translate_modrm(m, i, o);
    return translate_short(m, i, o);
}
