/* Groups: the memory operands of a block that lie off one base register, checked together.
 *
 * Most of what code touches is its stack frame, or one structure. Before a block, one check says whether all bytes that it may touch off
 * the best such register are in one page that permits it; r10 then is that register's address in host memory, and each access is
 * off(%r10). A push, a pop, and ADD, SUB and LEA with a constant move ESP by what is known here, so they stay in the group.
 * When the check fails (two pages, absent, a device, decoded code), a clone of the block without groups runs, which does all
 * exactly. Flat segments only: elsewhere offsets would have to be checked. */
#include "engine/translator/translate.h"

enum { WORTH = 2, SPAN_MAX = 2048 };

/* --- what an instruction does to a register ------------------------------------------------------------------------- */
/* Bit per register that may be written; all for what is not known here. */
static unsigned written_short(const struct insn *i, unsigned key)
{
    if (key < 0x40 && (key & 6) == 4)
        return key >= 0x38 ? 0 : 1u << EAX;
    switch (key) {
    case 0x40: case 0x48: case 0xb8: case 0x1c8: return 1u << i->rm;
    case 0xb0: return 1u << (i->rm >> 2);
    case 0x91: case 0x92: case 0x93: case 0x94: case 0x95: case 0x96: case 0x97: return 1u << i->rm | 1u << EAX;
    case 0x90: case 0x9e: case 0xf5: case 0xf8: case 0xf9: case 0xa2: case 0xa3: case 0xa8: case 0xa9: return 0;
    case 0x98: case 0x9f: case 0xa0: case 0xa1: return 1u << EAX;
    case 0x99: case 0xf6: case 0xf7: return 1u << EAX | 1u << EDX;  /* those of the latter that come here: DIV, IDIV */
    case 0xa4: case 0xa5: case 0xa6: case 0xa7: return 1u << ESI | 1u << EDI | 1u << ECX;
    case 0xac: case 0xad: return 1u << EAX | 1u << ESI | 1u << ECX;
    case 0xaa: case 0xab: case 0xae: case 0xaf: return 1u << EDI | 1u << ECX;
    case 0xfc: case 0xfd: return 0;
    case 0x8d: return 1u << i->reg;
    default: return ~0u;
    }
}

static unsigned written(const struct insn *i, const struct opcode *o)
{
    unsigned key = key_of(o);
    bool memory = i->flags & INSN_MEMORY;
    if (!i->id)
        return ~0u;
    if (o->checks > CHECK_fpu)
        return simd_written(i);
    if (o->checks == CHECK_fpu)
        return is_native_fpu(i) ? (o->dst == OPERAND_AX ? 1u << EAX : 0) : ~0u;
    if (is_conditional(i))
        return key >= 0xe0 && key <= 0xe2 ? 1u << ECX : 0;
    if (is_stack_operation(i) && key == 0xc9)                   /* LEAVE */
        return 1u << ESP | 1u << EBP;
    if (is_stack_operation(i))
        return 1u << ESP | (key == 0x58 || key == 0x8f ? 1u << i->rm : 0);
    if (!is_simple_operation(i))
        return written_short(i, key);
    if ((key == 0xf6 || key == 0xf7) && o->group >= GROUP_INDEX_4)
        return 1u << EAX | 1u << EDX;
    unsigned byte_rm = operands[o->dst].size == 1, set = key == 0x1b0 || key == 0x1b1 ? 1u << EAX : 0;
    if (!memory && !is_read_only_operation(i))
        set |= 1u << (byte_rm ? i->rm >> 2 : i->rm);
    if (operands[o->dst].method == METHOD_G)
        set = 1u << (byte_rm ? i->reg >> 2 : i->reg);
    if (key == 0x86 || key == 0x87 || key == 0x1c0 || key == 0x1c1)
        set |= 1u << (byte_rm ? i->reg >> 2 : i->reg);
    return set;
}

/* By how much the instruction moves ESP; false: not by a constant. */
static bool moves_stack(const struct insn *i, const struct opcode *o, int32_t *by)
{
    unsigned key = key_of(o), group = o->group;
    *by = 0;
    if (is_stack_operation(i)) {
        if (key == 0xc9 || ((key == 0x58 || key == 0x8f) && i->rm == ESP))
            return false;
        *by = key == 0x58 || key == 0x8f ? (int32_t)operand_size(i) : -(int32_t)operand_size(i);
        return true;
    }
    if ((key == 0x81 || key == 0x83) && !(i->flags & INSN_MEMORY) && i->rm == ESP && i->flags & INSN_OPERAND32
        && (group == GROUP_INDEX_0 || group == GROUP_INDEX_5)) {
        *by = group == GROUP_INDEX_0 ? (int32_t)i->imm : -(int32_t)i->imm;
        return true;
    }
    if (key == 0x8d && i->reg == ESP && i->base == ESP && i->index == GPR_ZERO && i->flags & INSN_OPERAND32 && i->flags & INSN_ADDRESS32) {
        *by = (int32_t)i->disp;
        return true;
    }
    return !(written(i, o) >> ESP & 1);
}

/* --- finding the best group ------------------------------------------------------------------------------------------- */
/* count: accesses, those that count; early: the block is a loop, and only what comes before the jump back does. */
struct span { unsigned count, seen; int32_t low, high; bool writes, early; unsigned end; };

static void span_add(struct span *s, int32_t offset, unsigned size, bool write)
{
    s->low = s->seen ? MIN(s->low, offset) : offset;
    s->high = s->seen ? MAX(s->high, offset + (int32_t)size) : offset + (int32_t)size;
    s->writes |= write;
    s->seen++;
    s->count += !s->early;
}

/* The operand's size when the instruction has one off `base` that translated code accesses itself; 0: none. */
static unsigned operand_off(const struct insn *i, unsigned base, bool *write)
{
    if (!(i->flags & INSN_MEMORY) || i->base != base || i->index != GPR_ZERO || !(i->flags & INSN_ADDRESS32) || i->seg >= FS || !i->id)
        return 0;
    unsigned size = operand_access(i, write);
    return i->seg == CS && *write ? 0 : size;                   /* code can't be written */
}

/* A conditional jump to where the block starts. */
static bool loops_back(const struct maker *m, const struct insn *i)
{
    return is_conditional(i) && eip_of(m, i) + i->length + i->imm == m->t->eip;
}

static void scan(const struct maker *m, unsigned base, struct span *s)
{
    int32_t delta = 0, by = 0;
    for (unsigned k = 0; k < m->b->count; k++) {
        const struct insn *i = &m->b->insn[k];
        const struct opcode *o = &opcodes[i->id];
        bool write = false;
        unsigned size = operand_off(i, base, &write);
        s->end = k + 1;
        s->early |= loops_back(m, i);
        if (size)
            span_add(s, delta + (int32_t)i->disp, size, write);
        if (base != ESP) {
            if (written(i, o) >> base & 1)
                return;
            continue;
        }
        unsigned key = key_of(o);
        if (key == 0xc3 || key == 0xc2)
            span_add(s, delta, operand_size(i), false);
        if (key == 0xe8 || (key == 0xff && o->group == GROUP_INDEX_2))
            span_add(s, delta - (int32_t)operand_size(i), operand_size(i), true);
        bool pops = key == 0x58 || key == 0x8f;
        if (is_stack_operation(i) && key != 0xc9)
            span_add(s, pops ? delta : delta - (int32_t)operand_size(i), operand_size(i), !pops);
        if (!moves_stack(i, o, &by))
            return;
        delta += by;
    }
}

void group_choose(struct maker *m)
{
    const struct context *x = m->t->context;
    struct span best = { 0 };
    m->group = (struct group){ .base = NO_REGISTER };
    if (m->windowed)
        return;
    for (unsigned seg = ES; seg <= DS; seg++)
        if (class_of(x->write_classes, seg) != CLASS_FLAT && seg != CS)
            return;
    if (class_of(x->read_classes, CS) != CLASS_FLAT || !(m->b->mode & MODE_STACK32))
        return;
    for (unsigned base = EAX; base <= EDI; base++) {
        struct span s = { 0 };
        scan(m, base, &s);
        if (s.count > best.count && s.high - s.low <= SPAN_MAX) {
            best = s;
            m->group.base = (uint8_t)base;
        }
    }
    if (best.count < WORTH) {
        m->group.base = NO_REGISTER;
        return;
    }
    m->group.low = best.low;
    m->group.size = (unsigned)(best.high - best.low);
    m->group.writes = best.writes;
    m->group.end = best.end;
}

/* --- using it --------------------------------------------------------------------------------------------------------- */
void emit_group_check(struct maker *m, struct stub *clone)
{
    struct emitter *e = &m->e;
    struct group *g = &m->group;
    emit_lea(e, R8, at(host_of[g->base], g->low));
    if (g->size > 1)
        island_wait(m, emit_crossing_check(m, g->size), clone, 0);
    emit_shrx(e, 0, RCX, R8, R14);
    emit_load64(e, RCX, at_index(g->writes ? R15 : R14, RCX, 3, g->writes ? -10 : -12));
    island_wait(m, emit_jrcxz(e), clone, 1);
    emit_lea64(e, R10, at_index(RCX, R8, 0, -g->low));
    g->active = true;
    g->delta = 0;
}

/* After instruction k. */
void group_advance(struct maker *m, const struct insn *i)
{
    int32_t by = 0;
    if (!m->group.active)
        return;
    if (m->k + 1 >= m->group.end) {
        m->group.active = false;
        return;
    }
    if (m->group.base == ESP && moves_stack(i, &opcodes[i->id], &by))
        m->group.delta += by;
}

bool group_operand(const struct maker *m, const struct insn *i, struct address *a)
{
    bool write;
    if (!m->group.active || !operand_off(i, m->group.base, &write))
        return false;
    *a = at(R10, m->group.delta + (int32_t)i->disp);
    return true;
}

bool group_stack(const struct maker *m, int32_t by, struct address *a)
{
    if (!m->group.active || m->group.base != ESP)
        return false;
    *a = at(R10, m->group.delta + by);
    return true;
}
