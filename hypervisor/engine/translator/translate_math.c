/* DIV and IDIV, bits of bit strings, CMPXCHG8B, XLAT.
 *
 * A division that could fail would be a signal from the host: only quotients that fit for certain are divided here, the rest is the
 * handler's. The host leaves flags after a division undefined, the interpreter as they were: they are kept in the frame. */
#include "engine/translator/translate.h"

static uint8_t *emit_jcc_short(struct emitter *e, unsigned condition)
{
    emit8(e, 0x70 | condition);
    emit8(e, 0);
    return e->p - 1;
}

/* --- division ------------------------------------------------------------------------------------------------------------ */
enum { CC_AE = 3, CC_NE = 5, CC_BE = 6 };

/* r8: the divisor, zero- or sign-extended. */
static void emit_divisor(struct maker *m, const struct insn *i, unsigned size, bool is_signed)
{
    unsigned extend = is_signed ? 0x0fbe : 0x0fb6;              /* of bytes; of words the next */
    struct op op = { .opcode = (uint16_t)(size == 1 ? extend : size == 2 ? extend + 1 : 0x8b), .reg = R8 };
    if (i->flags & INSN_MEMORY) {
        emit_operand_access(m, i, op, size, ACCESS_READ);
    } else if (size > 1) {
        emit_op_register(&m->e, &op, host_of[i->rm]);
    } else if (i->rm & 1) {                                     /* AH..BH: without a REX prefix, so not to r8 */
        emit_mov(&m->e, RCX, host_of[i->rm >> 2]);
        emit_opcode(&m->e, extend);
        emit_modrm_register(&m->e, RCX, RCX + 4);               /* CH */
        emit_mov(&m->e, R8, RCX);
    } else {
        emit_op_register(&m->e, &op, host_of[i->rm >> 2]);
    }
}

/* The flags to the frame; EAX stays. And back. */
static void emit_flags_save(struct emitter *e)
{
    emit_mov(e, RCX, RAX);
    emit8(e, 0x9f);                                             /* LAHF; SETO AL */
    emit_rm(e, 0, 0x0f90, 0, RAX);
    emit_store(e, at(RSP, FRAME_VALUE), RAX);
    emit_mov(e, RAX, RCX);
}
static void emit_flags_load(struct emitter *e)
{
    emit_mov(e, RCX, RAX);
    emit_load(e, RAX, at(RSP, FRAME_VALUE));
    emit8(e, 0x04);                                             /* ADD AL, 7Fh; SAHF */
    emit8(e, 0x7f);
    emit8(e, 0x9e);
    emit_mov(e, RAX, RCX);
}

/* Jumps to where the handler is called. DIV: the high half must be below the divisor. IDIV: the high half is the sign of the low one, and
 * the divisor neither 0 nor -1. */
static unsigned emit_division_check(struct emitter *e, unsigned size, bool is_signed, uint8_t *bad[2])
{
    if (!is_signed) {
        if (size == 1) {
            emit_opcode(e, 0x0fb6);                             /* MOVZX ECX, AH */
            emit_modrm_register(e, RCX, RAX + 4);
        } else {
            emit_rm(e, 0, size == 2 ? 0x0fb7 : 0x8b, RCX, RDX);
        }
        emit_rm(e, 0, 0x39, R8, RCX);
        bad[0] = emit_jcc_short(e, CC_AE);
        return 1;
    }
    emit_lea(e, RCX, at(R8, 1));
    emit_rm(e, 0, 0x83, 7, RCX);                                /* CMP ECX, 1 */
    emit8(e, 1);
    bad[0] = emit_jcc_short(e, CC_BE);
    emit_rm(e, 0, size == 1 ? 0x0fbe : size == 2 ? 0x0fbf : 0x8b, RCX, RAX);
    if (size > 1) {
        emit_rm(e, 0, 0xc1, 7, RCX);                            /* SAR */
        emit8(e, size * 8 - 1);
    }
    if (size < 4)
        emit8(e, 0x66);
    emit_rm(e, 0, 0x39, size == 1 ? RAX : RDX, RCX);
    bad[1] = emit_jcc_short(e, CC_NE);
    return 2;
}

static void divide(struct maker *m, const struct insn *i, const struct opcode *o)
{
    struct emitter *e = &m->e;
    unsigned size = o->opcode & 1 ? operand_size(i) : 1;
    bool is_signed = o->group == GROUP_INDEX_7;
    uint8_t *bad[2], *over;
    emit_divisor(m, i, size, is_signed);
    islands_within_reach(m, 110);
    struct stub *s = stub_new(m, STUB_CALL);
    if (!s)
        return;
    s->site = site_new(m, i, 0, 0);
    emit_flags_save(e);
    unsigned ways = emit_division_check(e, size, is_signed, bad);
    emit_op_register(e, &(struct op){ .opcode = o->opcode, .reg = o->group, .operand16 = size == 2 }, R8);
    emit_flags_load(e);
    over = emit_jmp_short(e);
    for (unsigned n = 0; n < ways; n++)
        emit_here(e, bad[n]);
    emit_flags_load(e);
    emit8(e, 0xe9);
    s->rel32[0] = e->p;
    emit32(e, 0);
    emit_here(e, over);
    s->resume = e->p;
}

/* --- operands whose slow path is the handler --------------------------------------------------------------------------- */
/* r8: the host's address of the operand. The stub, whose resume is to be set, or NULL. */
static struct stub *emit_host_address(struct maker *m, const struct insn *i, unsigned size)
{
    unsigned stub = m->stub_count;
    emit_access(m, i, (struct op){ .address = true }, i->seg, size, ACCESS_CHANGE, i->flags & INSN_ADDRESS32);
    return m->refused ? NULL : &m->stubs[stub];
}

static void exchange8(struct maker *m, const struct insn *i)
{
    emit_effective_address(m, i);
    struct stub *s = emit_host_address(m, i, 8);
    emit_mov(&m->e, RCX, R9);
    emit_op_at(&m->e, &(struct op){ .opcode = 0x0fc7, .reg = 1, .lock = i->flags & INSN_LOCK }, at(R8, 0));
    if (s)
        s->resume = m->e.p;
}

/* BT, BTS, BTR, BTC of memory by a register: the operand is that many bits away. */
static void bit_string(struct maker *m, const struct insn *i, const struct opcode *o)
{
    struct emitter *e = &m->e;
    unsigned size = operand_size(i), host = host_of[i->reg];
    struct op load = { .opcode = size == 2 ? 0x0fb7 : 0x8b, .reg = RCX }, bit = { .opcode = (uint16_t)(0x0f00 | o->opcode), .reg = (uint8_t)host,
                       .operand16 = size == 2 };
    emit_effective_address(m, i);
    emit_rm(e, 1, size == 2 ? 0x0fbf : 0x63, RCX, host);        /* MOVSX, MOVSXD */
    emit_rorx(e, 1, RCX, RCX, size == 2 ? 4 : 5);
    emit_lea(e, R8, at_index(R8, RCX, size / 2, 0));
    if (i->address_mask == 0xffff)
        emit_movzx16(e, R8, R8);
    if (o->opcode == 0xa3) {
        emit_access(m, i, load, i->seg, size, ACCESS_READ, i->flags & INSN_ADDRESS32);
        emit_op_register(e, &bit, RCX);
        return;
    }
    struct stub *s = emit_host_address(m, i, size);
    islands_within_reach(m, 48);
    emit_op_at(e, &load, at(R8, 0));
    emit_op_register(e, &bit, RCX);
    emit_op_at(e, &(struct op){ .opcode = 0x89, .reg = RCX, .operand16 = size == 2 }, at(R8, 0));
    if (s)
        s->resume = e->p;
}

static void translate_byte(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    emit_rm(e, 0, 0x0fb6, RCX, RAX);
    emit_lea(e, R8, at_index(RBX, RCX, 0, 0));
    if (i->address_mask == 0xffff)
        emit_movzx16(e, R8, R8);
    emit_access(m, i, (struct op){ .opcode = 0x8a, .reg = RAX }, i->seg, 1, ACCESS_READ, i->flags & INSN_ADDRESS32);
}

bool translate_math(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    islands_within_reach(m, 64);
    switch (i->id ? key_of(o) : 0) {
    case 0xf6: case 0xf7:
        divide(m, i, o);                                        /* the other groups are simple operations */
        return true;
    case 0xd7: translate_byte(m, i); return true;
    case 0x1a3: case 0x1ab: case 0x1b3: case 0x1bb: bit_string(m, i, o); return true;
    case 0x1c7: exchange8(m, i); return true;
    default: return false;
    }
}
