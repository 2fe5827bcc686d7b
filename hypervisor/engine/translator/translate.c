/* Makes a translation of a decoded block: its instructions one after another, then what is out of the way.
 *
 * Instructions are counted a segment at a time: up to a branch that may leave the block, or its end. JRCXZ reaches only 127 bytes, so the
 * slow paths, which lie behind the block, are reached through islands of long jumps: before one comes out of reach, they are emitted
 * where the code is, and jumped over. */
#include "engine/translator/translate.h"

enum { ISLAND_REACH = 127, ISLAND_BYTES = 5, INSN_CODE_MAX = 40 };

/* --- stubs, sites, islands ------------------------------------------------------------------------------------------ */
struct stub *stub_new(struct maker *m, enum stub_kind kind)
{
    if (m->stub_count == STUBS) {
        m->refused = true;
        return NULL;
    }
    struct stub *s = &m->stubs[m->stub_count++];
    *s = (struct stub){ .kind = kind };
    return s;
}

struct site *site_new(struct maker *m, const struct insn *i, unsigned size, unsigned seg)
{
    struct site *s = code_cache_record(m->tr, sizeof *s);
    *s = (struct site){ m->t, i, (uint16_t)(m->segment_end - m->k), (uint8_t)size, (uint8_t)seg, SITE_PLAIN, m->windowed };
    return s;
}

static void islands_emit(struct maker *m)
{
    for (unsigned n = 0; n < m->island_count; n++) {
        struct island *w = &m->islands[n];
        if (m->e.p - w->displacement - 1 > ISLAND_REACH) {      /* more code came than was expected: the block stays interpreted */
            m->refused = true;
            break;
        }
        emit_here(&m->e, w->displacement);
        emit8(&m->e, 0xe9);
        m->stubs[w->stub].rel32[w->which] = m->e.p;
        emit32(&m->e, 0);
    }
    m->island_count = 0;
}

void islands_within_reach(struct maker *m, unsigned more)
{
    if (!m->island_count)
        return;
    size_t reach = (size_t)(m->e.p - m->islands[0].displacement) + more + (m->island_count + 2) * ISLAND_BYTES + 2;
    if (reach < ISLAND_REACH)
        return;
    uint8_t *over = emit_jmp_short(&m->e);
    islands_emit(m);
    emit_here(&m->e, over);
}

void island_wait(struct maker *m, uint8_t *displacement, struct stub *s, unsigned which)
{
    m->islands[m->island_count++] = (struct island){ displacement, (unsigned)(s - m->stubs), which };
}

/* --- one instruction -------------------------------------------------------------------------------------------------- */
static void emit_handler_call(struct maker *m, const struct insn *i, const uint8_t *routine)
{
    emit_mov_imm64(&m->e, RCX, (uint64_t)(uintptr_t)site_new(m, i, 0, 0));
    emit_call(&m->e, routine);
}

static void translate_insn(struct maker *m, const struct insn *i)
{
    const struct opcode *o = &opcodes[i->id];
    if (translate_branch(m, i) || translate_simd(m, i) || translate_fpu(m, i) || translate_stack(m, i) || translate_operation(m, i) || translate_string(m, i)
        || translate_math(m, i) || translate_system(m, i))
        return;
    if (!i->id) {
        emit_leave_at(m, i);
    } else if (o->plan == PLAN_END) {
        emit_handler_call(m, i, m->tr->routine.end);
        m->ended = true;
    } else {
        emit_handler_call(m, i, m->tr->routine.call);
    }
}

static void begin_segment(struct maker *m)
{
    unsigned end = m->k;
    while (end < m->b->count && !is_conditional(&m->b->insn[end]))
        end++;
    m->segment_end = MIN(end + 1, (unsigned)m->b->count);
    emit_lea64(&m->e, R11, at(R11, (int32_t)(m->segment_end - m->k)));
}

/* --- the block ------------------------------------------------------------------------------------------------------ */
/* From indirect jumps: is EIP in r8 ours? From those and from loops: is the run over (r11 not below 0)? */
static void emit_entries(struct maker *m)
{
    struct emitter *e = &m->e;
    struct translation *t = m->t;
    t->landing = e->p;
    emit_lea(e, RCX, at(R8, -(int32_t)t->eip));
    uint8_t *match = emit_jecxz(e);
    emit_jmp(e, m->tr->routine.miss);
    uint8_t *over = e->p;
    emit_mov_imm(e, R8, t->eip);
    emit_jmp(e, m->tr->routine.miss);
    emit_here(e, match);
    t->poll = e->p;
    emit_rorx(e, 1, RCX, R11, 32);                              /* its upper half: all ones, or 0 */
    uint8_t *end = emit_jecxz(e);
    *end = (uint8_t)(over - end - 1);
    t->entry = e->p;
}

static void emit_body(struct maker *m)
{
    m->ended = m->fpu_ready = m->sse_ready = false;
    m->fpu_last = m->fpu_last_operand = NULL;
    m->segment_end = 0;
    for (m->k = 0; m->k < m->b->count && !m->ended && !m->refused; m->k++) {
        const struct insn *i = &m->b->insn[m->k];
        islands_within_reach(m, INSN_CODE_MAX);
        if (m->k == 0 || m->k == m->segment_end)
            begin_segment(m);
        translate_insn(m, i);
        group_advance(m, i);
    }
    if (!m->ended)
        emit_direct(m, eip_of(m, &m->b->insn[m->b->count]));
    islands_emit(m);
}

static void emit_stubs(struct maker *m)
{
    for (unsigned n = 0; n < m->stub_count; n++) {
        struct stub *s = &m->stubs[n];
        if (s->kind == STUB_ACCESS)
            emit_access_stub(m, s);
        else if (s->kind == STUB_LINK)
            emit_link_stub(m, s);
        else if (s->kind == STUB_TABLE)
            emit_table_stub(m, s);
        else if (s->kind != STUB_CLONE)
            emit_fpu_stub(m, s);
    }
}

static void emit_group(struct maker *m)
{
    struct stub *clone = m->group.base == NO_REGISTER ? NULL : stub_new(m, STUB_CLONE);
    if (clone)
        emit_group_check(m, clone);
}

/* The block again, without a group: the first stub is where it starts. */
static void emit_clone(struct maker *m)
{
    struct stub *s = &m->stubs[0];
    if (m->group.base == NO_REGISTER || m->refused)
        return;
    for (unsigned n = 0; n < ARRAY_SIZE(s->rel32); n++)
        if (s->rel32[n])
            le32_put(s->rel32[n], (uint32_t)(m->e.p - (s->rel32[n] + 4)));
    m->group.active = false;
    emit_body(m);
}

struct translation *translate(struct translator *tr, struct block *b, uint32_t eip)
{
    struct maker m = { .tr = tr, .b = b };
    code_cache_begin(tr, &m.e);
    m.t = code_cache_record(tr, sizeof *m.t);
    m.t->block = b;
    m.t->context = tr->context;
    m.t->eip = eip;
    m.windowed = tr->context->windowed && !b->unwindowed;
    emit_entries(&m);
    group_choose(&m);
    emit_group(&m);
    emit_body(&m);
    emit_clone(&m);
    if (m.refused)
        return NULL;
    m.t->link_count = (uint16_t)m.link_count;
    m.t->links = code_cache_record(tr, m.link_count * sizeof m.links[0]);
    memcpy(m.t->links, m.links, m.link_count * sizeof m.links[0]);
    emit_stubs(&m);
    m.t->access_count = (uint16_t)m.access_count;
    m.t->accesses = code_cache_record(tr, m.access_count * sizeof m.accesses[0]);
    memcpy(m.t->accesses, m.accesses, m.access_count * sizeof m.accesses[0]);
    code_cache_end(tr, &m.e, m.t);
    m.t->next_of_block = b->translations;
    b->translations = m.t;
    tr->count.blocks++;
    tr->count.block_instructions += b->count;
    tr->count.block_bytes += (uint64_t)(m.e.p - m.t->landing);
    if (tr->perf_map)
        fprintf(tr->perf_map, "%lx %lx guest_%08x\n", (unsigned long)(m.t->landing + tr->run), (unsigned long)(m.e.p - m.t->landing), eip);
    return m.t;
}
