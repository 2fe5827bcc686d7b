/* Memory operands: address, segment, the flat tables, and the way around them.
 *
 *     lea  disp(base,index,scale), %r8d           the offset
 *     mov  base(segment), %ecx; lea               the linear address, for segments that are not flat
 *     rorx $2, %r8d, %ecx                         misaligned addresses find the part of the table that is always 0
 *     shrx %r15d, %ecx, %ecx                      the tables' addresses have the shift counts in their low bits
 *     mov  -10(%r15,%rcx,8), %rcx
 *     jrcxz slow                                  absent, protected, a device, decoded code, misaligned
 *     op   (%rcx,%r8)
 * No instruction of this changes a flag, so the guest's stay in the host's flags all the time, and a fault finds them right. A misaligned
 * access that stays in its page takes the slow path, too. Offsets against limits: only where the class of the segment says so. */
#include "engine/translator/translate.h"

/* --- one operation ---------------------------------------------------------------------------------------------- */
static void emit_prefixes(struct emitter *e, const struct op *op)
{
    if (op->lock)
        emit8(e, 0xf0);
    if (op->operand16)
        emit8(e, 0x66);
    if (op->prefix)
        emit8(e, op->prefix);
}

static void emit_immediate(struct emitter *e, const struct op *op)
{
    for (unsigned n = 0; n < op->imm_size; n++)
        emit8(e, op->imm >> n * 8);
}

void emit_op_register(struct emitter *e, const struct op *op, unsigned rm)
{
    if (op->operand16)
        emit8(e, 0x66);
    if (op->prefix)
        emit8(e, op->prefix);
    emit_rm(e, 0, op->opcode, op->reg, rm);
    emit_immediate(e, op);
}

void emit_op_at(struct emitter *e, const struct op *op, struct address a)
{
    if (op->address) {
        emit_lea64(e, R8, a);
        return;
    }
    if (op->high) {                                             /* r8 and r10 need a REX prefix */
        emit_lea64(e, RCX, a);
        a = at(RCX, 0);
    }
    if (op->ch && (a.base == RCX || a.index == RCX)) {
        emit_lea64(e, R8, a);
        a = at(R8, 0);
    }
    if (op->ch)
        emit_rorx(e, 0, RCX, R9, 8);
    emit_prefixes(e, op);
    emit_mem(e, 0, op->opcode, op->reg, a);
    emit_immediate(e, op);
}

/* Through the window: the linear address at `a`, modulo 4 GiB. */
static void emit_op_window(struct maker *m, const struct op *op, struct address a, struct stub *stub)
{
    struct emitter *e = &m->e;
    if (op->high && (a.base >= R8 || (a.index != NO_REGISTER && a.index >= R8))) {
        emit_lea(e, RCX, a);
        a = at(RCX, 0);
    }
    if (op->ch)
        emit_rorx(e, 0, RCX, R9, 8);
    stub->access_at = e->p;
    emit_prefixes(e, op);
    emit8(e, 0x65);                                             /* GS, 32-bit addresses */
    emit8(e, 0x67);
    emit_mem(e, 0, op->opcode, op->reg, a);
    emit_immediate(e, op);
    stub->resume = e->p;
}

/* --- addresses -------------------------------------------------------------------------------------------------- */
struct address address_of(const struct insn *i)
{
    return (struct address){ i->base == GPR_ZERO ? NO_REGISTER : host_of[i->base], i->index == GPR_ZERO ? NO_REGISTER : host_of[i->index],
                             i->scale, (int32_t)i->disp };
}

void emit_effective_address(struct maker *m, const struct insn *i)
{
    struct address a = address_of(i);
    if (a.base == NO_REGISTER && a.index == NO_REGISTER) {
        emit_mov_imm(&m->e, R8, i->disp & i->address_mask);
        return;
    }
    emit_lea(&m->e, R8, a);
    if (i->address_mask == 0xffff)
        emit_movzx16(&m->e, R8, R8);
}

/* rcx = limit - (offset + size - 1), an int64_t between -2^33 and 2^32; jumps when it is below 0. */
static uint8_t *emit_limit_check(struct maker *m, const int64_t *limit, unsigned size)
{
    struct emitter *e = &m->e;
    emit_load64(e, RCX, cpu_field(m, limit));
    emit_not64(e, R8);
    emit_lea64(e, RCX, at_index(RCX, R8, 0, 2 - (int32_t)size));
    emit_not64(e, R8);
    emit_rorx(e, 1, RCX, RCX, 32);
    emit_shrx(e, 0, RCX, RCX, R14);                             /* by 12: 0, or FFFFFh */
    emit_lea(e, RCX, at(RCX, -0xfffff));
    return emit_jecxz(e);
}

/* Jumps when `size` bytes at r8, at most FFFFh, go beyond FFFFh. */
static uint8_t *emit_wrap_check(struct maker *m, unsigned size)
{
    struct emitter *e = &m->e;
    if (size == 2) {
        emit_lea(e, RCX, at(R8, -0xffff));
        return emit_jecxz(e);
    }
    emit_lea(e, RCX, at(R8, (int32_t)size - 1));
    emit_rorx(e, 0, RCX, RCX, 16);
    emit_movzx16(e, RCX, RCX);
    emit_lea(e, RCX, at(RCX, -1));
    return emit_jecxz(e);
}

static void emit_base(struct maker *m, unsigned seg)
{
    emit_load(&m->e, RCX, cpu_field(m, &m->tr->cpu->seg[seg].base));
    emit_lea(&m->e, R8, at_index(RCX, R8, 0, 0));
}

static uint8_t *emit_crossing_check_at(struct maker *m, unsigned size, unsigned address)
{
    struct emitter *e = &m->e;
    emit_rorx(e, 0, RCX, address, 12);                          /* the offset in the page comes to the top */
    emit_lea64(e, RCX, at(RCX, (int32_t)(size - 1) << 20));
    emit_rorx(e, 1, RCX, RCX, 32);                              /* 1 when it overflowed */
    emit_lea(e, RCX, at(RCX, -1));
    return emit_jecxz(e);
}

uint8_t *emit_crossing_check(struct maker *m, unsigned size) { return emit_crossing_check_at(m, size, R8); }

/* JECXZ when the address is not a multiple of 16. */
static uint8_t *emit_alignment_check(struct maker *m, unsigned address)
{
    struct emitter *e = &m->e;
    emit_rorx(e, 0, RCX, address, 4);                           /* its low bits come to the top */
    emit_lea64(e, RCX, at(RCX, -(1 << 28)));                    /* below 0 when they are 0 */
    emit_rorx(e, 1, RCX, RCX, 32);
    return emit_jecxz(e);
}

static enum segment_class class_now(const struct maker *m, unsigned seg, enum access access)
{
    return class_of(access == ACCESS_READ ? m->t->context->read_classes : m->t->context->write_classes, seg);
}

/* By the flat tables; the linear address is in `address`. */
static void emit_table_access(struct maker *m, const struct op *op, unsigned size, enum access access, unsigned address, struct stub *stub)
{
    struct emitter *e = &m->e;
    bool write = access != ACCESS_READ;
    unsigned from = address;
    islands_within_reach(m, (size > 4 ? 64 : 48) + (op->ch ? 32 : 0));
    if (size == 2 || size == 4) {
        emit_rorx(e, 0, RCX, address, size / 2);
        from = RCX;
    } else if (size > 4) {
        island_wait(m, op->aligned ? emit_alignment_check(m, address) : emit_crossing_check_at(m, size, address), stub, 2);
    }
    emit_shrx(e, 0, RCX, from, size == 2 ? R13 : size == 4 ? R15 : R14);
    emit_load64(e, RCX, at_index(write ? R15 : R14, RCX, 3, write ? -10 : -12));
    island_wait(m, emit_jrcxz(e), stub, 0);
    emit_op_at(e, op, at_index(RCX, address, 0, 0));
    stub->resume = e->p;
}

/* The offset is at `where`: r8, or anything when the segment is flat. */
static void emit_access_at(struct maker *m, const struct insn *i, struct op op, unsigned seg, unsigned size, enum access access, bool wide,
                           struct address where)
{
    const struct segment *s = &m->tr->cpu->seg[seg];
    enum segment_class class = class_now(m, seg, access);
    bool windowed = m->windowed && !op.address;                 /* what wants a host address gets it from the tables */
    bool checked = class == CLASS_OTHER || (class == CLASS_64K && wide) || (class == CLASS_FULL && windowed && size > 1);
    islands_within_reach(m, checked ? 64 : 24);
    struct stub *stub = stub_new(m, STUB_ACCESS);
    if (!stub)
        return;
    stub->access = access;
    stub->op = op;
    stub->seg = seg;
    stub->where = where;
    stub->site = site_new(m, i, size, seg);
    if (checked)
        island_wait(m, emit_limit_check(m, access != ACCESS_READ ? &s->write_limit : &s->read_limit, size), stub, 1);
    else if (class == CLASS_64K && windowed && size > 1)     /* the tables' way finds out by alignment */
        island_wait(m, emit_wrap_check(m, size), stub, 1);
    if (class != CLASS_FLAT)
        emit_base(m, seg);
    if (windowed)
        emit_op_window(m, &op, where, stub);
    else
        emit_table_access(m, &op, size, access, where.base, stub);
}

void emit_access(struct maker *m, const struct insn *i, struct op op, unsigned seg, unsigned size, enum access access, bool wide)
{
    emit_access_at(m, i, op, seg, size, access, wide, at(R8, 0));
}

void emit_wide_access(struct maker *m, const struct insn *i, struct op op, unsigned seg, struct address a, unsigned size, enum access access)
{
    if (m->windowed && class_now(m, seg, access) == CLASS_FLAT) {
        emit_access_at(m, i, op, seg, size, access, true, a);
        return;
    }
    emit_lea(&m->e, R8, a);
    emit_access(m, i, op, seg, size, access, true);
}

void emit_stack_access(struct maker *m, const struct insn *i, struct op op, int32_t by, unsigned size, enum access access)
{
    if (i->flags & INSN_STACK32) {
        emit_wide_access(m, i, op, SS, at(R12, by), size, access);
        return;
    }
    emit_lea(&m->e, R8, at(R12, by));
    emit_movzx16(&m->e, R8, R8);
    emit_access(m, i, op, SS, size, access, false);
}

/* A flat segment needs no LEA when [reg] is the address, or the window adds it up. x87 instructions note theirs from r8. */
static bool is_bare(const struct maker *m, const struct insn *i, const struct op *op, enum access access)
{
    if (class_now(m, i->seg, access) != CLASS_FLAT || !(i->flags & INSN_ADDRESS32) || op->x87)
        return false;
    return m->windowed || (i->base != GPR_ZERO && i->index == GPR_ZERO && !i->disp);
}

void emit_operand_access(struct maker *m, const struct insn *i, struct op op, unsigned size, enum access access)
{
    struct address a;
    if (group_operand(m, i, &a)) {
        emit_op_at(&m->e, &op, a);
        return;
    }
    bool bare = is_bare(m, i, &op, access);
    if (!bare)
        emit_effective_address(m, i);
    emit_access_at(m, i, op, i->seg, size, access, i->flags & INSN_ADDRESS32, bare ? address_of(i) : at(R8, 0));
}

/* --- the slow path ------------------------------------------------------------------------------------------------ */
static void call_routine(struct maker *m, const struct site *s, const uint8_t *routine)
{
    emit_mov_imm64(&m->e, RCX, (uint64_t)(uintptr_t)s);
    emit_call(&m->e, routine);
}

/* Through the frame. A store is checked before the instruction pops what it stores. */
static void emit_x87_stub(struct maker *m, struct stub *s)
{
    const struct routines *r = &m->tr->routine;
    struct emitter *e = &m->e;
    struct address value = at(RSP, FRAME_VALUE);
    call_routine(m, s->site, s->access == ACCESS_READ ? r->read : r->check_write);
    emit_store64(e, value, RCX);
    emit_op_at(e, &s->op, value);
    if (s->access != ACCESS_READ) {
        call_routine(m, s->site, r->write);
    }
    emit_jmp(e, s->resume);
}

void emit_access_stub(struct maker *m, struct stub *s)
{
    const struct routines *r = &m->tr->routine;
    struct emitter *e = &m->e;
    if (s->rel32[1]) {
        le32_put(s->rel32[1], (uint32_t)(e->p - (s->rel32[1] + 4)));
        emit_base(m, s->seg);
    }
    if (s->access_at)
        m->accesses[m->access_count++] = (struct window_access){ (uint32_t)(s->access_at - m->t->landing), (uint32_t)(e->p - m->t->landing) };
    for (unsigned n = 0; n < 3; n += 2)
        if (s->rel32[n])
            le32_put(s->rel32[n], (uint32_t)(e->p - (s->rel32[n] + 4)));
    if (s->where.base != R8)
        emit_lea(e, R8, s->where);
    if (s->op.x87) {
        emit_x87_stub(m, s);
        return;
    }
    if (s->op.address || s->op.handler) {
        call_routine(m, s->site, r->call);
        emit_jmp(e, s->resume);
        return;
    }
    struct address value = at(RSP, FRAME_VALUE);
    if (s->access != ACCESS_WRITE)
        call_routine(m, s->site, s->access == ACCESS_READ ? r->read : r->check_write);
    if (s->op.ch) {
        emit_store64(e, value, RCX);
        s->op.lock = false;
        emit_op_at(e, &s->op, value);
    } else {
        emit_op_register(e, &s->op, RCX);
    }
    if (s->access != ACCESS_READ) {
        if (!s->op.ch)
            emit_store64(e, value, RCX);
        call_routine(m, s->site, r->write);
    }
    emit_jmp(e, s->resume);
}
