/* What translated code calls. Everything of the guest is in struct cpu then, as at the start of the instruction; a fault leaves by
 * cpu_raise() as from one of the interpreter's handlers, and never returns here. */
#include "engine/translator/translator.h"

static void at_site(struct translator *tr, const struct site *s)
{
    tr->site = s;
    tr->site_done = tr->fpu_taken = false;
}

/* Out of translated code, after the instruction of the site, or before it. What the routine wants to hear. */
static uint64_t leave(struct translator *tr, const struct site *s, bool done)
{
    tr->site_done = done;
    tr->left_at_site = true;
    return s->uncounted;
}

/* The interpreter's view of where we are. */
static void locate(struct cpu *c, const struct site *s, uint64_t remaining, const struct insn *i)
{
    struct translator *tr = translator_of(c);
    if (tr->site != s)
        at_site(tr, s);
    tr->in.block = s->t->block;
    tr->in.frame.eip_base = s->t->eip - s->t->block->insn[0].offset;
    tr->in.frame.first = i;
    c->current = i;
    c->instructions = tr->stop - remaining - s->uncounted;
}

static uint32_t offset_of(const struct cpu *c, const struct site *s, uint32_t linear) { return linear - c->seg[s->seg].base; }

/* An access whose window faulted was made by other means now. A block that does so again and again gets code without a window. */
static void touch(struct translator *tr, const struct site *s, uint32_t linear, bool write)
{
    enum { VAIN_MOST = 16 };
    if (!s->windowed)
        return;
    if (window_touch(tr->windows, linear, s->size, write) || ++s->t->vain < VAIN_MOST || s->t->dead)
        return;
    s->t->block->unwindowed = true;
    translation_kill(tr, s->t);
}

static void faulted_window(struct translator *tr, const struct site *s)
{
    if (!s->windowed)
        return;
    tr->count.window_faults++;
    window_faulted(tr->windows);
}

uint64_t helper_read(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    uint32_t offset = offset_of(c, s, linear);
    locate(c, s, remaining, s->insn);
    faulted_window(translator_of(c), s);
    translator_of(c)->count.slow_reads++;
    uint64_t v = s->size == 1 ? mem_read8(c, s->seg, offset) : s->size == 2 ? mem_read16(c, s->seg, offset)
        : s->size == 4 ? mem_read32(c, s->seg, offset) : mem_read64(c, s->seg, offset);
    touch(translator_of(c), s, linear, false);
    return v;
}

uint64_t helper_check_write(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    uint32_t offset = offset_of(c, s, linear), ignored;
    locate(c, s, remaining, s->insn);
    faulted_window(translator_of(c), s);
    translator_of(c)->count.slow_reads++;
    if (opcodes[s->insn->id].checks >= CHECK_fpu) {             /* stores only */
        mmu_check_write(c, segment_check(c, s->seg, offset, s->size, true), s->size);
        return 0;
    }
    return s->size == 1 ? mem_rmw_read8(c, s->seg, offset, &ignored)
        : s->size == 2 ? mem_rmw_read16(c, s->seg, offset, &ignored) : mem_rmw_read32(c, s->seg, offset, &ignored);
}

/* MOVS, STOS */
static void string_advance(struct cpu *c, const struct site *s)
{
    uint32_t mask = s->insn->address_mask, step = s->t->context->down ? -(uint32_t)s->size : s->size;
    c->gpr[EDI] = (c->gpr[EDI] & ~mask) | ((c->gpr[EDI] + step) & mask);
    if (opcodes[s->insn->id].src == OPERAND_Xb || opcodes[s->insn->id].src == OPERAND_Xv)
        c->gpr[ESI] = (c->gpr[ESI] & ~mask) | ((c->gpr[ESI] + step) & mask);
}

/* After an instruction: 0, or the way out, when it wrote into its own block or a device wants something. */
static uint64_t go_on(struct cpu *c, const struct site *s)
{
    bool lost = s->t->context->windowed && !translator_of(c)->window;
    if (likely(!s->t->dead && !lost && !atomic_load_explicit(&c->pending, memory_order_relaxed)) || s->kind == SITE_LAST)
        return 0;
    if (s->kind == SITE_PUSH || s->kind == SITE_POP)            /* what the code after the store would do */
        c->gpr[ESP] = esp_with(c, c->gpr[ESP] + (s->kind == SITE_POP ? s->size : -(uint32_t)s->size));
    if (s->kind == SITE_STRING)
        string_advance(c, s);
    c->eip = insn_eip(c, s->insn) + s->insn->length;
    return leave(translator_of(c), s, true);
}

uint64_t helper_write(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining, uint64_t value)
{
    uint32_t offset = offset_of(c, s, linear);
    locate(c, s, remaining, s->insn);
    faulted_window(translator_of(c), s);
    translator_of(c)->count.slow_writes++;
    if (s->size == 1)
        mem_write8(c, s->seg, offset, (uint8_t)value);
    else if (s->size == 2)
        mem_write16(c, s->seg, offset, (uint16_t)value);
    else if (s->size == 4)
        mem_write32(c, s->seg, offset, (uint32_t)value);
    else
        mem_write64(c, s->seg, offset, value);
    if (s->t->fpu_notes >> (s->insn - s->t->block->insn) & 1)
        c->fpu_address = linear;                                /* an x87 store: code that is left here does not note it */
    touch(translator_of(c), s, linear, true);
    return go_on(c, s);
}

static exec_fn *handler_of(const struct site *s)
{
    return s->insn == s->t->block->insn ? s->t->block->first : s->insn->exec;
}

/* Stands after the one instruction that a handler is to execute. */
static void exec_return(struct cpu *c, const struct insn *i) { (void)c, (void)i; }

/* Executes the instruction of `s`. true: it is done; false: EIP is where it says. */
static bool call_handler(struct cpu *c, const struct site *s, uint64_t remaining)
{
    struct translator *tr = translator_of(c);
    struct insn pair[2] = { *s->insn, { .exec = exec_return } };
    pair[0].exec = handler_of(s);
    locate(c, s, remaining, pair);
    tr->count.handler_calls++;
    pair[0].exec(c, pair);
    return c->current == &pair[1];
}

uint64_t helper_call(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    at_site(translator_of(c), s);
    if (opcodes[s->insn->id].checks >= CHECK_fpu && s->kind != SITE_SSE_LOAD && s->kind != SITE_SSE_STORE)
        fpu_store(translator_of(c));
    if (unlikely(!call_handler(c, s, remaining)))               /* a repetition that stopped */
        return leave(translator_of(c), s, false);
    if (s->kind == SITE_SSE_LOAD || s->kind == SITE_SSE_STORE)  /* its slow path */
        touch(translator_of(c), s, linear, s->kind == SITE_SSE_STORE);
    c->sse_live = c->sse_live && sse_plain(c);
    return go_on(c, s);
}

/* Before an x87 instruction. When the unit can't be had, the instruction is executed here, and translated code left. */
uint64_t helper_fpu(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    (void)linear;
    if (fpu_ready(translator_of(c)))
        return 0;
    if (call_handler(c, s, remaining))
        c->eip = insn_eip(c, s->insn) + s->insn->length;
    return leave(translator_of(c), s, true);
}

/* The same before an SSE instruction; `enter`'s and the routines' own code moves the registers. */
uint64_t helper_sse(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    (void)linear;
    if (likely(sse_plain(c))) {
        c->sse_live = 1;
        translator_of(c)->count.sse_loads++;
        return 0;
    }
    at_site(translator_of(c), s);
    if (opcodes[s->insn->id].checks >= CHECK_fpu)
        fpu_store(translator_of(c));
    if (call_handler(c, s, remaining))
        c->eip = insn_eip(c, s->insn) + s->insn->length;
    return leave(translator_of(c), s, true);
}

/* After an instruction that closes its block: where translated code goes on, when nothing asks for the loop. An interrupt shadow without
 * an interrupt is over: none is taken before the next instruction, which is not the run's last. */
static const uint8_t *landing_now(struct translator *tr, uint64_t remaining)
{
    struct cpu *c = tr->cpu;
    if (atomic_load_explicit(&c->pending, memory_order_relaxed) || (int64_t)remaining <= 0 || c->halted || c->shutdown
        || c->eflags & (FLAG_TF | FLAG_RF) || c->dr[7] & 0xff || tr->flushes != c->tlb->flushes)
        return NULL;
    const struct context *x = context_now(tr, mode_now(c));
    if (!x || x->jumps[c->eip & 0xffff] == x->miss)
        return NULL;
    c->shadow = 0;
    return (const uint8_t *)(uintptr_t)x->jumps[c->eip & 0xffff];
}

/* The code after the instruction may be gone on with, where it is known: nothing changed that it takes for granted. */
static bool next_stands(struct translator *tr, const struct site *s)
{
    struct cpu *c = tr->cpu;
    return !atomic_load_explicit(&c->pending, memory_order_relaxed) && c->eip == insn_eip(c, s->insn) + s->insn->length && !c->halted
        && !c->shutdown && !c->shadow && !(c->eflags & (FLAG_TF | FLAG_RF)) && !(c->dr[7] & 0xff)
        && tr->flushes == c->tlb->flushes && context_now(tr, mode_now(c)) == s->t->context
        && !s->t->dead;                                         /* looked at last: the context may have been given to another */
}

/* The same after an instruction of SITE_MILD. */
static bool next_stands_mild(const struct translator *tr, const struct site *s)
{
    const struct cpu *c = tr->cpu;
    const struct context *x = s->t->context;
    return !atomic_load_explicit(&c->pending, memory_order_relaxed) && c->eip == insn_eip(c, s->insn) + s->insn->length && !s->t->dead
        && x->read_classes == c->read_classes && x->write_classes == c->write_classes && !(x->windowed && !tr->window);
}

/* An instruction after which something may have changed. 1: go on; else where, or NULL: by the loop. */
const uint8_t *helper_next(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    struct translator *tr = translator_of(c);
    (void)linear;
    at_site(tr, s);
    fpu_take_pointers(tr);
    if (opcodes[s->insn->id].checks >= CHECK_fpu)
        fpu_store(tr);
    if (opcodes[s->insn->id].plan != PLAN_END) {
        if (call_handler(c, s, remaining))
            c->eip = insn_eip(c, s->insn) + s->insn->length;
    } else {
        locate(c, s, remaining, s->insn);
        tr->in.frame.stop = 0;
        tr->count.handler_nexts++;
        handler_of(s)(c, s->insn);
        if (s->kind == SITE_MILD && likely(next_stands_mild(tr, s)))
            return (const uint8_t *)1;
    }
    if (c->cr0 & (CR0_EM | CR0_TS))
        fpu_store(tr);
    c->sse_live = c->sse_live && sse_plain(c);
    if (likely(next_stands(tr, s)))
        return (const uint8_t *)1;
    fpu_store(tr);
    return landing_now(tr, remaining);
}

/* An instruction that closes its block. The handler chains nothing from it: what changed is looked at here, or by the loop (NULL). */
const uint8_t *helper_end(struct cpu *c, const struct site *s, uint32_t linear, uint64_t remaining)
{
    struct translator *tr = translator_of(c);
    (void)linear;
    at_site(tr, s);
    fpu_store(tr);
    locate(c, s, remaining, s->insn);
    tr->in.frame.stop = 0;
    tr->count.handler_ends++;
    handler_of(s)(c, s->insn);
    c->sse_live = c->sse_live && sse_plain(c);
    return landing_now(tr, remaining);
}
