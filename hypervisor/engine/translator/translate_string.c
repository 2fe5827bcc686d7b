/* One element of MOVS, CMPS, STOS, LODS, SCAS. Repetitions are the handlers', which copy and fill by pages.
 *
 * The context says which way they go. An element's registers move after its last access, so a fault finds them as they were. */
#include "engine/translator/translate.h"

struct string { unsigned size; bool operand16, wide; int32_t step; };

/* r8: the offset in eSI or eDI. */
static void emit_offset(struct maker *m, const struct string *s, unsigned reg)
{
    if (s->wide)
        emit_mov(&m->e, R8, host_of[reg]);
    else
        emit_movzx16(&m->e, R8, host_of[reg]);
}

static void emit_source(struct maker *m, const struct insn *i, const struct string *s, struct op op)
{
    emit_offset(m, s, ESI);
    emit_access(m, i, op, i->seg, s->size, ACCESS_READ, s->wide);
}

static void emit_destination(struct maker *m, const struct insn *i, const struct string *s, struct op op, enum access access)
{
    unsigned stub = m->stub_count;
    emit_offset(m, s, EDI);
    emit_access(m, i, op, ES, s->size, access, s->wide);
    if (!m->refused && access == ACCESS_WRITE)
        m->stubs[stub].site->kind = SITE_STRING;
}

static void emit_advance(struct maker *m, const struct string *s, unsigned reg)
{
    emit_lea(&m->e, s->wide ? host_of[reg] : RCX, at(host_of[reg], s->step));
    if (!s->wide)
        emit_op_register(&m->e, &(struct op){ .opcode = 0x8b, .reg = host_of[reg], .operand16 = true }, RCX);
}

/* An operation between a register and memory of the element's size: `opcode` is its byte form. */
static struct op element(const struct string *s, unsigned opcode, unsigned host)
{
    return (struct op){ .opcode = (uint16_t)(opcode | (s->size > 1)), .reg = (uint8_t)host, .operand16 = s->operand16 };
}

/* The first operand waits in r10, zero-extended. */
static struct op to_r10(const struct string *s)
{
    return (struct op){ .opcode = s->size == 1 ? 0x0fb6 : s->size == 2 ? 0x0fb7 : 0x8b, .reg = R10 };
}

bool translate_string(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    unsigned key = i->id ? key_of(o) : 0;
    if (key < 0xa4 || key > 0xaf || key == 0xa8 || key == 0xa9 || i->flags & (INSN_REP | INSN_REPNE))
        return false;
    struct string s = { .size = !(key & 1) ? 1 : operand_size(i), .wide = i->flags & INSN_ADDRESS32 };
    s.operand16 = s.size == 2;
    s.step = m->t->context->down ? -(int32_t)s.size : (int32_t)s.size;
    bool lent = m->group.active && key < 0xa8;
    islands_within_reach(m, 64);
    if (lent)
        emit_store64(&m->e, at(RSP, FRAME_SPARE), R10);
    switch (key & 0xfe) {
    case 0xa4:
        emit_source(m, i, &s, to_r10(&s));
        emit_destination(m, i, &s, element(&s, 0x88, R10), ACCESS_WRITE);
        break;
    case 0xa6:
        emit_source(m, i, &s, to_r10(&s));
        emit_destination(m, i, &s, element(&s, 0x3a, R10), ACCESS_READ);
        break;
    case 0xaa: emit_destination(m, i, &s, element(&s, 0x88, RAX), ACCESS_WRITE); break;
    case 0xac: emit_source(m, i, &s, element(&s, 0x8a, RAX)); break;
    default: emit_destination(m, i, &s, element(&s, 0x3a, RAX), ACCESS_READ); break;
    }
    islands_within_reach(m, 40);
    if (key != 0xaa && key != 0xab && key != 0xae && key != 0xaf)
        emit_advance(m, &s, ESI);
    if (key != 0xac && key != 0xad)
        emit_advance(m, &s, EDI);
    if (lent)
        emit_load64(&m->e, R10, at(RSP, FRAME_SPARE));
    return true;
}
