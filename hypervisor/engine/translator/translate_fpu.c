/* x87 instructions, as they are. Left to the handlers: environments, FNINIT and FNCLEX, 80-bit and decimal operands. */
#include "engine/translator/translate.h"

enum fpu_kind { FPU_NOT, FPU_REGISTERS, FPU_READS, FPU_WRITES, FPU_LOADS_CONTROL };

static enum fpu_kind kind_of(const struct opcode *o, bool memory)
{
    unsigned group = o->group;
    if (o->checks != CHECK_fpu || o->map || o->opcode == 0x9b)
        return FPU_NOT;
    if (!memory)
        return o->opcode == 0xdb && group == 4 ? FPU_NOT : FPU_REGISTERS;
    switch (o->opcode) {
    case 0xd9: return group == 5 ? FPU_LOADS_CONTROL : group == 4 || group == 6 ? FPU_NOT : group ? FPU_WRITES : FPU_READS;
    case 0xdb: return group >= 4 ? FPU_NOT : group ? FPU_WRITES : FPU_READS;
    case 0xdd: return group == 4 || group == 6 ? FPU_NOT : group ? FPU_WRITES : FPU_READS;
    case 0xdf: return group == 4 || group == 6 ? FPU_NOT : group == 0 || group == 5 ? FPU_READS : FPU_WRITES;
    default: return FPU_READS;
    }
}

bool is_native_fpu(const struct insn *i) { return kind_of(&opcodes[i->id], i->flags & INSN_MEMORY) != FPU_NOT; }

unsigned fpu_operand_access(const struct insn *i, bool *write)
{
    enum fpu_kind kind = kind_of(&opcodes[i->id], true);
    *write = kind == FPU_WRITES;
    return kind == FPU_NOT || kind == FPU_REGISTERS ? 0 : operands[opcodes[i->id].dst].size;
}

/* FNSTCW, FNSTSW, FLDCW leave the pointers alone. */
static bool is_control(const struct opcode *o, bool memory)
{
    return memory ? (o->opcode == 0xd9 && o->group >= 5) || (o->opcode == 0xdd && o->group == 7) : o->opcode == 0xdf && o->group == 4;
}

/* The unit holds the guest's registers from here on; else the stub executes the instruction and leaves. */
void emit_fpu_ready(struct maker *m, const struct insn *i)
{
    if (m->fpu_ready)
        return;
    struct stub *s = stub_new(m, STUB_FPU);
    if (!s)
        return;
    s->site = site_new(m, i, 0, 0);
    emit_load(&m->e, RCX, cpu_field(m, &m->tr->cpu->fpu_live));
    island_wait(m, emit_jecxz(&m->e), s, 0);
    s->resume = m->e.p;
    m->fpu_ready = true;
}

void emit_fpu_stub(struct maker *m, struct stub *s)
{
    le32_put(s->rel32[0], (uint32_t)(m->e.p - (s->rel32[0] + 4)));
    emit_mov_imm64(&m->e, RCX, (uint64_t)(uintptr_t)s->site);
    emit_call(&m->e, s->kind == STUB_FPU ? m->tr->routine.fpu : s->kind == STUB_SSE ? m->tr->routine.sse : m->tr->routine.call);
    emit_jmp(&m->e, s->resume);
}

/* The instruction will be the last one, until another comes; its operand's address is noted at once. */
static void note(struct maker *m, const struct insn *i)
{
    m->t->fpu_notes |= 1u << m->k;
    m->fpu_last = i;
    if (i->flags & INSN_MEMORY) {
        struct address a;
        islands_within_reach(m, 48);
        if (group_operand(m, i, &a))
            emit_effective_address(m, i);
        m->fpu_last_operand = i;
        emit_store(&m->e, cpu_field(m, &m->tr->cpu->fpu_address), R8);
    }
}

static void emit_record(struct maker *m, const struct insn *i, const uint32_t *to)
{
    if (i)
        emit_store_imm(&m->e, cpu_field(m, to), (uint32_t)((uint8_t *)site_new(m, i, 0, 0) - m->tr->chunks[0].records));
}

void emit_fpu_records(struct maker *m)
{
    islands_within_reach(m, 48);
    emit_record(m, m->fpu_last, &m->tr->cpu->fpu_record);
    emit_record(m, m->fpu_last_operand, &m->tr->cpu->fpu_operand);
    m->fpu_last = m->fpu_last_operand = NULL;
}

/* FLDCW, when all exceptions stay masked: low six bits of the word, inverted, are 0. */
static void emit_load_control(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    emit_fpu_records(m);                                        /* the handler takes the unit's state */
    emit_operand_access(m, i, (struct op){ .opcode = 0x0fb7, .reg = RCX }, 2, ACCESS_READ);
    islands_within_reach(m, 64);
    struct stub *s = stub_new(m, STUB_CALL);
    if (!s)
        return;
    s->site = site_new(m, i, 0, 0);
    emit_store(e, at(RSP, FRAME_TARGET), RCX);
    emit_not64(e, RCX);
    emit_rorx(e, 0, RCX, RCX, 6);
    emit_shrx(e, 0, RCX, RCX, R14);                             /* by 12 */
    emit_rorx(e, 0, RCX, RCX, 14);                              /* bits 14 to 19 are left; below them what the shift left of others */
    emit_movzx16(e, RCX, RCX);
    uint8_t *masked = emit_jecxz(e);
    emit8(e, 0xe9);
    s->rel32[0] = e->p;
    emit32(e, 0);
    emit_here(e, masked);
    emit_mem(e, 0, 0xd9, 5, at(RSP, FRAME_TARGET));
    s->resume = e->p;
    m->fpu_ready = false;
}

bool translate_fpu(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    bool memory = i->flags & INSN_MEMORY;
    enum fpu_kind kind = i->id ? kind_of(o, memory) : FPU_NOT;
    if (kind == FPU_NOT) {
        if (i->id && o->checks >= CHECK_fpu) {                  /* the handler takes the unit's state, and notes itself */
            m->fpu_ready = false;
            m->fpu_last = m->fpu_last_operand = NULL;
            m->t->fpu_breaks |= 1u << m->k;
        }
        return false;
    }
    emit_fpu_ready(m, i);
    if (kind == FPU_LOADS_CONTROL) {
        emit_load_control(m, i);
        return true;
    }
    if (kind == FPU_REGISTERS) {
        emit8(&m->e, o->opcode);
        emit8(&m->e, i->imm);
    } else {
        struct op op = { .opcode = o->opcode, .reg = o->group, .x87 = true };
        emit_operand_access(m, i, op, operands[o->dst].size, kind == FPU_READS ? ACCESS_READ : ACCESS_WRITE);
    }
    if (!is_control(o, memory))
        note(m, i);
    return true;
}
