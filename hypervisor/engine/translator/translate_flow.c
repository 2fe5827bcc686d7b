/* The stack, and near branches.
 *
 * A branch inside the page is a direct jump, patched when its target is known: the same physical page is still there as long as this code
 * runs. Others go through the context's table of landings, and are checked where they land. Whether the run is
 * over is looked at where a jump backwards leads, and at landings. */
#include "engine/translator/translate.h"

/* --- ways out ------------------------------------------------------------------------------------------------------- */
static bool same_page(const struct maker *m, uint32_t eip)
{
    uint32_t base = m->t->context->cs_base;
    return (base + eip) >> 12 == (base + m->t->eip) >> 12;
}

/* The displacement of a jump to eip follows in the code. */
static void emit_way_to(struct maker *m, uint32_t eip)
{
    struct stub *s = stub_new(m, same_page(m, eip) ? STUB_LINK : STUB_TABLE);
    if (!s)
        return;
    s->eip = eip;
    s->rel32[0] = m->e.p;
    emit32(&m->e, 0);
    if (s->kind == STUB_LINK) {
        s->link = m->link_count++;
        m->links[s->link] = (struct link){ .from = m->t, .rel32 = s->rel32[0], .eip = eip, .backward = eip <= m->t->eip };
    }
}

void emit_link_stub(struct maker *m, struct stub *s)
{
    struct link *l = &m->t->links[s->link];
    l->exit = m->e.p;
    link_patch(l, NULL);
    emit_mov_imm64(&m->e, RCX, (uint64_t)(uintptr_t)l);
    emit_jmp(&m->e, m->tr->routine.leave_link);
}

/* r8: EIP. Jumps to its landing, or the miss routine. */
static void emit_table_jump(struct maker *m, struct address entry)
{
    emit_load(&m->e, RCX, entry);
    emit_rm(&m->e, 0, 0xff, 4, RCX);
}

void emit_table_stub(struct maker *m, struct stub *s)
{
    le32_put(s->rel32[0], (uint32_t)(m->e.p - (s->rel32[0] + 4)));
    emit_mov_imm(&m->e, R8, s->eip);
    emit_table_jump(m, at_index(NO_REGISTER, NO_REGISTER, 0, (int32_t)(intptr_t)&m->t->context->jumps[s->eip & 0xffff]));
}

static void emit_indirect(struct maker *m)
{
    emit_fpu_records(m);
    islands_within_reach(m, 40);
    emit_movzx16(&m->e, RCX, R8);
    emit_table_jump(m, at_index(NO_REGISTER, RCX, 2, (int32_t)(intptr_t)m->t->context->jumps));
    m->ended = true;
}

void emit_direct(struct maker *m, uint32_t eip)
{
    emit_fpu_records(m);
    emit8(&m->e, 0xe9);
    emit_way_to(m, eip);
    m->ended = true;
}

void emit_leave_at(struct maker *m, const struct insn *i)
{
    m->refused |= m->k == 0;                                    /* it would lead back here */
    emit_fpu_records(m);
    emit_lea64(&m->e, R11, at(R11, -(int32_t)(m->segment_end - m->k)));
    emit_mov_imm(&m->e, R8, eip_of(m, i));
    emit_jmp(&m->e, m->tr->routine.miss);
    m->ended = true;
}

/* --- the stack ------------------------------------------------------------------------------------------------------ */
void emit_stack_move(struct maker *m, const struct insn *i, int32_t by)
{
    if (i->flags & INSN_STACK32) {
        emit_lea(&m->e, R12, at(R12, by));
        return;
    }
    emit_lea(&m->e, RCX, at(R12, by));
    emit8(&m->e, 0x66);
    emit_mov(&m->e, R12, RCX);
}

static void emit_push(struct maker *m, const struct insn *i, struct op op, enum site_kind kind)
{
    unsigned size = operand_size(i), stub = m->stub_count;
    struct address a;
    op.operand16 = size == 2;
    if (group_stack(m, -(int32_t)size, &a)) {
        emit_op_at(&m->e, &op, a);
    } else {
        emit_stack_access(m, i, op, -(int32_t)size, size, ACCESS_WRITE);
        if (!m->refused)
            m->stubs[stub].site->kind = (uint8_t)kind;
    }
    emit_stack_move(m, i, -(int32_t)size);
}

static struct op move_from(unsigned host) { return (struct op){ .opcode = 0x89, .reg = (uint8_t)host }; }
static struct op move_to(unsigned host) { return (struct op){ .opcode = 0x8b, .reg = (uint8_t)host }; }
static struct op move_imm(const struct insn *i, uint32_t imm)
{
    return (struct op){ .opcode = 0xc7, .imm_size = (uint8_t)operand_size(i), .imm = imm };
}

static void emit_operand_to(struct maker *m, const struct insn *i, unsigned host)
{
    struct op op = move_to(host);
    if (operand_size(i) == 2)
        op.opcode = 0x0fb7;                                     /* MOVZX */
    if (!(i->flags & INSN_MEMORY)) {
        emit_op_register(&m->e, &op, host_of[i->rm]);
        return;
    }
    emit_operand_access(m, i, op, operand_size(i), ACCESS_READ);
}

/* Reads the top of the stack. */
void emit_top(struct maker *m, const struct insn *i, struct op op)
{
    struct address a;
    if (group_stack(m, 0, &a)) {
        emit_op_at(&m->e, &op, a);
        return;
    }
    emit_stack_access(m, i, op, 0, operand_size(i), ACCESS_READ);
}

static void emit_pop(struct maker *m, const struct insn *i)
{
    struct op op = move_to(host_of[i->rm]);
    op.operand16 = operand_size(i) == 2;
    emit_top(m, i, op);
    if (i->rm != ESP)
        emit_stack_move(m, i, (int32_t)operand_size(i));
}

static bool emit_leave(struct maker *m, const struct insn *i)
{
    if (!(i->flags & INSN_STACK32) || !(i->flags & INSN_OPERAND32))
        return false;
    emit_wide_access(m, i, move_to(RCX), SS, at(RBP, 0), 4, ACCESS_READ);
    emit_lea(&m->e, R12, at(RBP, 4));
    emit_mov(&m->e, RBP, RCX);
    return true;
}

/* Where a value waits that is to be pushed: rcx, when the group has the stack; else r10, which a group off another register lends. */
unsigned waiting_begin(struct maker *m)
{
    struct address a;
    if (group_stack(m, 0, &a))
        return RCX;
    if (m->group.active)
        emit_store64(&m->e, at(RSP, FRAME_SPARE), R10);
    return R10;
}

void waiting_end(struct maker *m, unsigned host)
{
    if (host == R10 && m->group.active)
        emit_load64(&m->e, R10, at(RSP, FRAME_SPARE));
}

void push_waiting(struct maker *m, const struct insn *i, unsigned host)
{
    emit_push(m, i, move_from(host), SITE_PUSH);
    waiting_end(m, host);
}

static bool push_selector(struct maker *m, const struct insn *i)
{
    unsigned host = waiting_begin(m);
    emit_mem(&m->e, 0, 0x0fb7, host, cpu_field(m, &m->tr->cpu->seg[i->reg].selector));
    push_waiting(m, i, host);
    return true;
}

static void emit_push_memory(struct maker *m, const struct insn *i)
{
    unsigned host = waiting_begin(m);
    emit_operand_to(m, i, host);
    push_waiting(m, i, host);
}

bool is_stack_operation(const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    unsigned key = key_of(o);
    switch (i->id ? key : 0) {
    case 0x06: case 0x0e: case 0x16: case 0x1e: case 0x1a0: case 0x1a8: case 0x50: case 0x68: case 0x6a: case 0x58: case 0x9c: return true;
    case 0xc9: return i->flags & INSN_STACK32 && i->flags & INSN_OPERAND32;
    case 0x8f: return !(i->flags & INSN_MEMORY);
    case 0xff: return o->group == GROUP_INDEX_6;
    default: return false;
    }
}

bool translate_stack(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    unsigned key = key_of(o);
    bool memory = i->flags & INSN_MEMORY;
    switch (key) {
    case 0x06: case 0x0e: case 0x16: case 0x1e: case 0x1a0: case 0x1a8: return push_selector(m, i);
    case 0x50: emit_push(m, i, move_from(host_of[i->rm]), SITE_PUSH); return true;
    case 0x68: case 0x6a: emit_push(m, i, move_imm(i, i->imm), SITE_PUSH); return true;
    case 0xc9: return emit_leave(m, i);
    case 0x58: case 0x8f:
        if ((key == 0x8f && memory) || (i->rm == ESP && !(i->flags & INSN_OPERAND32)))
            return false;
        emit_pop(m, i);
        return true;
    case 0xff:
        if (o->group != GROUP_INDEX_6)
            return false;
        if (!memory)
            emit_push(m, i, move_from(host_of[i->rm]), SITE_PUSH);
        else
            emit_push_memory(m, i);
        return true;
    default: return false;
    }
}

/* --- branches --------------------------------------------------------------------------------------------------------- */
static uint32_t target_of(const struct maker *m, const struct insn *i)
{
    uint32_t target = eip_of(m, i) + i->length + i->imm;
    return i->flags & INSN_OPERAND32 ? target : target & 0xffff;
}

/* Indirect targets of this size can't be beyond the limit of CS. */
static bool any_target(const struct maker *m, const struct insn *i)
{
    return m->t->context->cs_limit >= (i->flags & INSN_OPERAND32 ? 0xffffffff : 0xffff);
}

static void emit_jcc(struct maker *m, unsigned condition, uint32_t target)
{
    emit_fpu_records(m);
    emit_opcode(&m->e, 0x0f80 | condition);
    emit_way_to(m, target);
}

/* LOOP, LOOPE, LOOPNE (E2h, E1h, E0h) and JCXZ (E3h). */
static void emit_loop(struct maker *m, const struct insn *i, unsigned opcode, uint32_t target)
{
    struct emitter *e = &m->e;
    bool wide = i->address_mask != 0xffff;
    emit_fpu_records(m);
    if (opcode == 0xe3) {
        if (wide)
            emit_mov(e, RCX, R9);
        else
            emit_movzx16(e, RCX, R9);
        uint8_t *zero = emit_jecxz(e), *over = emit_jmp_short(e);
        emit_here(e, zero);
        emit8(e, 0xe9);
        emit_way_to(m, target);
        emit_here(e, over);
        return;
    }
    if (opcode == 0xe2 && !(i->imm + i->length)) {  /* QUIRK(delay-loops): a LOOP to itself only ever waits */
        emit8(e, 0xf3);                         /* PAUSE */
        emit8(e, 0x90);
    }
    emit_lea(e, RCX, at(R9, -1));
    if (!wide) {
        emit_movzx16(e, RCX, RCX);
        emit8(e, 0x66);
    }
    emit_mov(e, R9, RCX);
    uint8_t *zero = emit_jecxz(e), *differs = NULL;
    if (opcode != 0xe2) {
        emit8(e, opcode == 0xe1 ? 0x75 : 0x74);
        emit8(e, 0);
        differs = e->p - 1;
    }
    emit8(e, 0xe9);
    emit_way_to(m, target);
    emit_here(e, zero);
    if (differs)
        emit_here(e, differs);
}

static bool branch_relative(struct maker *m, const struct insn *i, unsigned key)
{
    uint32_t target = target_of(m, i);
    if (target > m->t->context->cs_limit) {
        emit_leave_at(m, i);
        return true;
    }
    if (key >= 0xe0 && key <= 0xe3) {
        emit_loop(m, i, key, target);
    } else if (key == 0xe8) {
        emit_push(m, i, move_imm(i, eip_of(m, i) + i->length), SITE_LAST);
        emit_direct(m, target);
    } else if (key == 0xe9 || key == 0xeb) {
        emit_direct(m, target);
    } else {
        emit_jcc(m, key & 15, target);
    }
    return true;
}

static bool branch_absolute(struct maker *m, const struct insn *i, bool call)
{
    if (!any_target(m, i) || (call && !(i->flags & INSN_MEMORY) && i->rm == ESP)) {
        emit_leave_at(m, i);
        return true;
    }
    if (!call) {
        emit_operand_to(m, i, R8);
    } else if (i->flags & INSN_MEMORY) {
        emit_operand_to(m, i, RCX);
        emit_store64(&m->e, at(RSP, FRAME_TARGET), RCX);
        emit_push(m, i, move_imm(i, eip_of(m, i) + i->length), SITE_LAST);
        emit_load(&m->e, R8, at(RSP, FRAME_TARGET));
    } else {
        emit_push(m, i, move_imm(i, eip_of(m, i) + i->length), SITE_LAST);
        emit_operand_to(m, i, R8);
    }
    emit_indirect(m);
    return true;
}

static bool emit_return(struct maker *m, const struct insn *i, unsigned release)
{
    struct op op = move_to(R8);
    if (!any_target(m, i)) {
        emit_leave_at(m, i);
        return true;
    }
    if (operand_size(i) == 2)
        op.opcode = 0x0fb7;
    emit_top(m, i, op);
    emit_stack_move(m, i, (int32_t)(operand_size(i) + release));
    emit_indirect(m);
    return true;
}

bool translate_branch(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    unsigned key = key_of(o);
    if (!i->id)
        return false;
    if (o->dst == OPERAND_Jb || o->dst == OPERAND_Jz)
        return branch_relative(m, i, key);
    if (key == 0xc3 || key == 0xc2)
        return emit_return(m, i, key == 0xc2 ? i->imm : 0);
    if (key == 0xff && (o->group == GROUP_INDEX_2 || o->group == GROUP_INDEX_4))
        return branch_absolute(m, i, o->group == GROUP_INDEX_2);
    return false;
}
