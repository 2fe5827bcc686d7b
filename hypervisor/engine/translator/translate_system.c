/* Flags that are no arithmetic flags, segment registers, ports, and the rest of what a kernel does between two branches.
 *
 * DF is part of the context, so CLD is nothing where it is clear already. So is whether CLI and STI may change IF: they and the loads of
 * segment registers in real and V86 mode are done here. The others are handlers' (helper_next); after them, the next instruction is a
 * direct jump away as long as nothing changed that code takes for granted. */
#include "engine/translator/translate.h"

enum { BIT_IF = 9, ACCESS_BYTE_REAL = 0x93 };     /* present, a writable data segment, accessed: as real mode loads it */

/* Bit `n` of EFLAGS in struct cpu, by rotations: it comes to the top, is shifted out, and another comes in from below. */
static void emit_flag(struct maker *m, unsigned n, bool set)
{
    struct emitter *e = &m->e;
    struct address flags = cpu_field(m, &m->tr->cpu->eflags);
    emit_load(e, RCX, flags);
    emit_rorx(e, 0, RCX, RCX, n + 1);
    emit_lea(e, RCX, at_index(RCX, RCX, 0, set));
    emit_rorx(e, 0, RCX, RCX, 32 - n);
    emit_store(e, flags, RCX);
}

/* What an instruction may change besides registers: where it goes on; much; at most a data segment, or what a device does. */
enum change { CHANGES_FLOW, CHANGES_MUCH, CHANGES_LITTLE };
static enum change change_of(const struct insn *i)
{
    switch (key_of(&opcodes[i->id])) {
    case 0x8e: return i->reg == SS ? CHANGES_MUCH : CHANGES_LITTLE;
    case 0x07: case 0x1f: case 0x1a1: case 0x1a9: case 0xc4: case 0xc5: case 0x1b4: case 0x1b5: case 0xe4: case 0xe5: case 0xe6: case 0xe7:
    case 0xec: case 0xed: case 0xee: case 0xef: return CHANGES_LITTLE;
    case 0x17: case 0x6c: case 0x6d: case 0x6e: case 0x6f: case 0x9d: case 0xfa: case 0xfb: case 0x100: case 0x101: case 0x106: case 0x108:
    case 0x109: case 0x120: case 0x121: case 0x122: case 0x123: case 0x124: case 0x126: case 0x130: case 0x1b2: return CHANGES_MUCH;
    default: return CHANGES_FLOW;
    }
}

static void emit_handler_next(struct maker *m, const struct insn *i)
{
    struct site *s = site_new(m, i, 0, 0);
    s->uncounted = 1;
    if (change_of(i) == CHANGES_LITTLE)
        s->kind = SITE_MILD;
    emit_mov_imm64(&m->e, RCX, (uint64_t)(uintptr_t)s);
    emit_call(&m->e, m->tr->routine.next);
}

/* The handler, and on to the next instruction. */
static void emit_next(struct maker *m, const struct insn *i)
{
    unsigned later = m->segment_end - m->k - 1;
    if (later)                                                  /* of the segment; not executed from here */
        emit_lea64(&m->e, R11, at(R11, -(int32_t)later));
    emit_handler_next(m, i);
    m->fpu_last = m->fpu_last_operand = NULL;                   /* helper_next() took the pointers */
    emit_direct(m, eip_of(m, i) + i->length);
}

static void emit_direction(struct maker *m, const struct insn *i, bool down)
{
    if (m->t->context->down != down)
        emit_next(m, i);
}

/* What PUSHF stores: flags of the host, through AH and AL, and struct cpu's; V86 mode does not show VM. */
static bool push_flags(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    bool v86 = m->t->context->mode & MODE_V86;
    if (v86 && !m->t->context->io)
        return false;
    unsigned host = waiting_begin(m);
    islands_within_reach(m, 64);
    emit_mov(e, R8, RAX);
    emit8(e, 0x9f);                                             /* LAHF; SETO AL */
    emit_rm(e, 0, 0x0f90, 0, RAX);
    emit8(e, 0x0f);                                             /* MOVZX ECX, AH */
    emit8(e, 0xb6);
    emit8(e, 0xcc);
    emit_rm(e, 0, 0x0fb6, RAX, RAX);
    emit_rorx(e, 0, RAX, RAX, 32 - 11);
    emit_lea(e, RAX, at_index(RAX, RCX, 0, -(int32_t)(FLAG_1 + (v86 ? FLAG_VM : 0))));      /* bit 1 is in both */
    emit_load(e, RCX, cpu_field(m, &m->tr->cpu->eflags));
    emit_lea(e, host, at_index(RAX, RCX, 0, 0));
    emit_mov(e, RAX, R8);
    push_waiting(m, i, host);
    return true;
}

/* --- segment registers -------------------------------------------------------------------------------------------------- */
/* A host register for a value on its way to a memory operand: rcx, when a group has that, else r10. */
static unsigned moving_begin(struct maker *m, const struct insn *i)
{
    struct address a;
    if (group_operand(m, i, &a))
        return RCX;
    if (m->group.active)
        emit_store64(&m->e, at(RSP, FRAME_SPARE), R10);
    return R10;
}

static void store_selector(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    struct address selector = cpu_field(m, &m->tr->cpu->seg[i->reg].selector);
    if (!(i->flags & INSN_MEMORY)) {
        emit_mem(e, 0, 0x0fb7, i->flags & INSN_OPERAND32 ? host_of[i->rm] : RCX, selector);
        if (!(i->flags & INSN_OPERAND32))
            emit_op_register(e, &(struct op){ .opcode = 0x8b, .reg = host_of[i->rm], .operand16 = true }, RCX);
        return;
    }
    unsigned host = moving_begin(m, i);
    emit_mem(e, 0, 0x0fb7, host, selector);
    emit_operand_access(m, i, (struct op){ .opcode = 0x89, .reg = (uint8_t)host, .operand16 = true }, 2, ACCESS_WRITE);
    waiting_end(m, host);
}

/* After a load of SS no interrupt may come before the next instruction. On to that, by the table of landings: a landing, once it is there,
 * executes an instruction before anything is looked at. With the loop in between, or something waiting, the shadow is the loop's affair. */
static void emit_shadowed(struct maker *m, uint32_t eip)
{
    struct emitter *e = &m->e;
    struct context *x = m->t->context;
    struct address landing = at_index(NO_REGISTER, NO_REGISTER, 0, (int32_t)(intptr_t)&x->jumps[eip & 0xffff]);
    islands_within_reach(m, 80);
    emit_load(e, RCX, cpu_field(m, &m->tr->cpu->pending));
    uint8_t *nothing = emit_jecxz(e), *waits = e->p;
    emit_mem(e, 0, 0xc6, 0, cpu_field(m, &m->tr->cpu->shadow));
    emit8(e, 1);
    emit_mov_imm(e, R8, eip);
    emit_jmp(e, m->tr->routine.miss);
    emit_here(e, nothing);
    emit_rorx(e, 1, RCX, R11, 32);                              /* as at landings: is the run over? */
    uint8_t *over = emit_jecxz(e);
    *over = (uint8_t)(waits - over - 1);
    emit_load(e, RCX, landing);
    emit_lea(e, RCX, at(RCX, -(int32_t)x->miss));
    uint8_t *absent = emit_jecxz(e);
    *absent = (uint8_t)(waits - absent - 1);
    emit_load(e, RCX, landing);
    emit_mov_imm(e, R8, eip);
    emit_rm(e, 0, 0xff, 4, RCX);
    m->ended = true;
}

/* May a load in real or V86 mode be done here? Its limit must be the usual one, which stays: then only the base changes. */
static bool loads_base_only(const struct maker *m, unsigned seg)
{
    const struct context *x = m->t->context;
    return (!(x->mode & MODE_PROTECTED) || x->mode & MODE_V86) && (seg != SS || x->cs_limit <= 0xffff) && class_of(x->read_classes, seg) == CLASS_64K
        && class_of(x->write_classes, seg) == CLASS_64K;
}

/* The selector is in r8. */
static void emit_load_selector(struct maker *m, unsigned seg)
{
    struct emitter *e = &m->e;
    struct segment *s = &m->tr->cpu->seg[seg];
    emit_op_at(e, &(struct op){ .opcode = 0x89, .reg = R8, .operand16 = true }, cpu_field(m, &s->selector));
    emit_lea(e, R8, at_index(R8, R8, 0, 0));
    emit_lea(e, R8, at_index(NO_REGISTER, R8, 3, 0));
    emit_store(e, cpu_field(m, &s->base), R8);
}

/* Real mode: is the access byte what a load in real mode leaves? After protected mode it may be another; then the handler loads. It does
 * so as well when an x87 operand's address was noted, which is told apart by the base that the segment had.
 * Returns where the jump after the handler waits. */
static uint8_t *emit_usual_check(struct maker *m, const struct insn *i, unsigned seg)
{
    struct emitter *e = &m->e;
    emit_load(e, RCX, cpu_field(m, &m->tr->cpu->fpu_operand));
    if (!(m->t->context->mode & MODE_V86)) {
        emit_mem(e, 0, 0x0fb6, R8, cpu_field(m, &m->tr->cpu->seg[seg].access));
        emit_lea(e, RCX, at_index(R8, RCX, 3, -ACCESS_BYTE_REAL));      /* a note is never as small as a byte */
    }
    uint8_t *usual = emit_jecxz(e);
    emit_handler_next(m, i);
    emit8(e, 0xe9);
    emit32(e, 0);
    uint8_t *after = e->p - 4;
    emit_here(e, usual);
    return after;
}

/* MOV Sreg and POP Sreg. */
static void load_selector(struct maker *m, const struct insn *i, bool pops)
{
    bool memory = i->flags & INSN_MEMORY;
    uint32_t next = eip_of(m, i) + i->length;
    if (!loads_base_only(m, i->reg) || (pops && operand_size(i) != 2) || (i->reg == SS && next > 0xffff)) {
        emit_next(m, i);
        return;
    }
    emit_fpu_records(m);
    islands_within_reach(m, 64);
    uint8_t *after = emit_usual_check(m, i, i->reg);
    struct op op = { .opcode = 0x0fb7, .reg = R8 };
    if (pops)
        emit_top(m, i, op);
    else if (memory)
        emit_operand_access(m, i, op, 2, ACCESS_READ);
    else
        emit_movzx16(&m->e, R8, host_of[i->rm]);
    islands_within_reach(m, 56);
    emit_load_selector(m, i->reg);
    if (pops)
        emit_stack_move(m, i, 2);
    le32_put(after, (uint32_t)(m->e.p - (after + 4)));
    if (i->reg == SS)
        emit_shadowed(m, next);
    else
        emit_direct(m, next);
}

/* POP to memory. The address is that after ESP moved, which matters when it is off ESP: left to the handler. */
static bool pop_memory(struct maker *m, const struct insn *i)
{
    if (!(i->flags & INSN_MEMORY) || i->base == ESP)
        return false;
    unsigned host = moving_begin(m, i), size = operand_size(i);
    emit_top(m, i, (struct op){ .opcode = 0x8b, .reg = (uint8_t)host });
    unsigned stub = m->stub_count;
    emit_operand_access(m, i, (struct op){ .opcode = 0x89, .reg = (uint8_t)host, .operand16 = size == 2 }, size, ACCESS_WRITE);
    if (m->stub_count > stub)
        m->stubs[stub].site->kind = SITE_POP;
    islands_within_reach(m, 32);
    emit_stack_move(m, i, (int32_t)size);
    waiting_end(m, host);
    return true;
}

/* --- all of them ---------------------------------------------------------------------------------------------------------- */
bool translate_system(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    unsigned key = i->id ? key_of(o) : 0;
    switch (key) {
    case 0xfc: case 0xfd: emit_direction(m, i, key == 0xfd); return true;
    case 0xfa:
        if (!m->t->context->io)
            break;
        emit_flag(m, BIT_IF, false);
        emit_direct(m, eip_of(m, i) + i->length);
        return true;
    case 0x9c: return push_flags(m, i);
    case 0x8c: store_selector(m, i); return true;
    case 0x8e: case 0x07: case 0x17: case 0x1f: case 0x1a1: case 0x1a9: load_selector(m, i, key != 0x8e); return true;
    case 0x8f: return pop_memory(m, i);
    default: break;
    }
    if (o->plan != PLAN_END || change_of(i) == CHANGES_FLOW)
        return false;
    emit_next(m, i);
    return true;
}
