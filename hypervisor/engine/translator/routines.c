/* The routines that all translated code shares, emitted once at the start of the code cache: in, out, and calls into C.
 *
 * Stack of translated code, 16-byte aligned, above it what `enter` saved. A routine that is called finds it 8 bytes higher. */
#include "engine/translator/translator.h"
#include "engine/translator/translate.h"
#include "x86/fpu.h"

static struct address field(const struct translator *tr, const void *member)
{
    return at(R13, (int32_t)((intptr_t)member - (intptr_t)tr->cpu - (intptr_t)tr->bias));
}

/* The guest's XMM registers and MXCSR: to struct cpu, or from there. Called by move_xmm(). */
static uint8_t *emit_xmm_mover(struct translator *tr, struct emitter *e, bool store)
{
    struct cpu *c = tr->cpu;
    uint8_t *start = e->p;
    if (store) {
        emit_mem(e, 0, 0x0fae, 3, field(tr, &c->mxcsr));        /* STMXCSR, LDMXCSR */
        emit_store_imm(e, at(RSP, -8), MXCSR_INIT);
    }
    emit_mem(e, 0, 0x0fae, 2, store ? at(RSP, -8) : field(tr, &c->mxcsr));
    for (unsigned n = 0; n < 8; n++)
        emit_mem(e, 0, store ? 0x0f29 : 0x0f28, n, field(tr, &c->xmm[n]));  /* MOVAPS */
    emit8(e, 0xc3);
    return start;
}

/* If the host has them. Flags are lost. */
static void move_xmm(struct translator *tr, struct emitter *e, const uint8_t *mover)
{
    emit_mem(e, 0, 0x80, 7, field(tr, &tr->cpu->sse_live));     /* CMP with 0, JE */
    emit8(e, 0);
    emit8(e, 0x74);
    emit8(e, 5);
    emit_call(e, mover);
}

/* Uses rax, after it was saved. */
static void save_guest(struct translator *tr, struct emitter *e)
{
    for (unsigned n = 0; n < 8; n++)
        emit_store(e, field(tr, &tr->cpu->gpr[n]), host_of[n]);
    emit8(e, 0x9f);                                             /* LAHF; SETO AL: struct cpu.arith */
    emit_rm(e, 0, 0x0f90, 0, RAX);
    emit8(e, 0x66);
    emit_store(e, field(tr, &tr->cpu->arith), RAX);
    move_xmm(tr, e, tr->routine.store_xmm);
}

static void load_flags(struct translator *tr, struct emitter *e)
{
    emit_mem(e, 0, 0x0fb7, RAX, field(tr, &tr->cpu->arith));
    emit8(e, 0x04);                                             /* ADD AL, 7Fh: OF; SAHF: the others */
    emit8(e, 0x7f);
    emit8(e, 0x9e);
}

static void load_guest(struct translator *tr, struct emitter *e, bool all)
{
    move_xmm(tr, e, tr->routine.load_xmm);
    load_flags(tr, e);
    for (unsigned n = 0; n < 8; n++)                            /* C keeps EBX, EBP and ESP's register */
        if (all || (n != EBX && n != EBP && n != ESP))
            emit_load(e, host_of[n], field(tr, &tr->cpu->gpr[n]));
}

static void emit_pops(struct emitter *e)
{
    static const uint8_t pops[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3 };
    emit_lea64(e, RSP, at_index(RSP, NO_REGISTER, 0, FRAME_BYTES));
    for (unsigned n = 0; n < sizeof pops; n++)
        emit8(e, pops[n]);
}

/* struct outcome enter(r13, code, remaining, r14, r15) */
static void emit_enter(struct translator *tr, struct emitter *e)
{
    static const uint8_t pushes[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
    tr->routine.enter = e->p + tr->run;
    for (unsigned n = 0; n < sizeof pushes; n++)
        emit8(e, pushes[n]);
    emit_lea64(e, RSP, at_index(RSP, NO_REGISTER, 0, -FRAME_BYTES));
    emit_mov64(e, R13, RDI);
    emit_mov64(e, R10, RSI);
    emit_mov64(e, R11, RDX);
    emit_neg64(e, R11);
    emit_mov64(e, R14, RCX);
    emit_mov64(e, R15, R8);
    load_guest(tr, e, true);
    emit_rm(e, 0, 0xff, 4, R10);
}

static void emit_leaves(struct translator *tr, struct emitter *e)
{
    tr->routine.leave_link = e->p;                              /* rcx: the link */
    save_guest(tr, e);
    emit_mov64(e, RAX, RCX);
    emit_mov64(e, RDX, R11);
    emit_neg64(e, RDX);
    emit_pops(e);
    tr->routine.miss = e->p;                                    /* r8: EIP */
    save_guest(tr, e);
    emit_store(e, field(tr, &tr->cpu->eip), R8);
    emit_mov_imm(e, RAX, 0);
    emit_mov64(e, RDX, R11);
    emit_neg64(e, RDX);
    emit_pops(e);
    tr->routine.leave = e->p;                                   /* a helper left everything in struct cpu; rax: 1 + what to give back */
    emit_load64(e, RDX, at(RSP, FRAME_REMAINING));
    emit_neg64(e, RDX);
    emit_lea64(e, RDX, at_index(RDX, RAX, 0, -1));
    emit_mov_imm(e, RAX, 0);
    emit_pops(e);
}

/* rcx: site, r8: linear address, r11: remaining, FRAME_VALUE: what to write. The stack is 8 bytes off. */
static void call_helper(struct translator *tr, struct emitter *e, void *helper)
{
    save_guest(tr, e);
    emit_store64(e, at(RSP, 8 + FRAME_ADDRESS), R8);
    emit_store64(e, at(RSP, 8 + FRAME_REMAINING), R11);
    emit_store64(e, at(RSP, 8 + FRAME_GROUP), R10);
    emit_lea64(e, RDI, at(R13, -(int32_t)tr->bias));
    emit_mov64(e, RSI, RCX);
    emit_mov(e, RDX, R8);
    emit_mov64(e, RCX, R11);
    emit_neg64(e, RCX);
    emit_load64(e, R8, at(RSP, 8 + FRAME_VALUE));
    emit_lea64(e, RSP, at_index(RSP, NO_REGISTER, 0, -8));
    emit_call_c(e, (uint64_t)(uintptr_t)helper);
    emit_lea64(e, RSP, at_index(RSP, NO_REGISTER, 0, 8));
}

static void go_on(struct translator *tr, struct emitter *e, bool all)
{
    load_guest(tr, e, all);
    emit_load64(e, R8, at(RSP, 8 + FRAME_ADDRESS));
    emit_load64(e, R11, at(RSP, 8 + FRAME_REMAINING));
    emit_load64(e, R10, at(RSP, 8 + FRAME_GROUP));
    emit8(e, 0xc3);
}

static uint8_t *emit_reader(struct translator *tr, struct emitter *e, void *helper)
{
    uint8_t *start = e->p;
    call_helper(tr, e, helper);
    emit_mov64(e, RCX, RAX);
    go_on(tr, e, false);
    return start;
}

/* The helper says 0, or 1 and how many instructions of the segment were not executed. */
static uint8_t *emit_doer(struct translator *tr, struct emitter *e, void *helper, bool all)
{
    uint8_t *start = e->p;
    call_helper(tr, e, helper);
    emit_mov64(e, RCX, RAX);
    uint8_t *on = emit_jrcxz(e);
    emit_lea64(e, RSP, at_index(RSP, NO_REGISTER, 0, 8));       /* the return address */
    emit_jmp(e, tr->routine.leave);
    emit_here(e, on);
    go_on(tr, e, all);
    return start;
}

static void emit_tables(struct translator *tr, struct emitter *e, unsigned user)
{
    emit_mov_imm64(e, R14, (uint64_t)(uintptr_t)tr->cpu->tlb->flat_read[user] + 12);
    emit_mov_imm64(e, R15, (uint64_t)(uintptr_t)tr->cpu->tlb->flat_write[user] + 10);
}

/* The helper says where to land, in whatever mode that is, or 0. */
static void emit_ender(struct translator *tr, struct emitter *e)
{
    tr->routine.end = e->p;
    call_helper(tr, e, helper_end);
    tr->routine.end_tail = e->p;
    emit_lea64(e, RSP, at_index(RSP, NO_REGISTER, 0, 8));       /* the return address */
    emit_mov64(e, RCX, RAX);
    uint8_t *leave = emit_jrcxz(e);
    emit_mov64(e, R10, RCX);
    emit_tables(tr, e, 0);
    emit_mem(e, 0, 0x80, 7, field(tr, &tr->cpu->cpl));          /* CMP with 3, JNE: the guest's flags are loaded below */
    emit8(e, 3);
    emit8(e, 0x75);
    emit8(e, 0);
    uint8_t *kernel = e->p - 1;
    emit_tables(tr, e, 1);
    emit_here(e, kernel);
    load_guest(tr, e, true);
    emit_load64(e, R11, at(RSP, FRAME_REMAINING));
    emit_load(e, R8, field(tr, &tr->cpu->eip));
    emit_rm(e, 0, 0xff, 4, R10);
    emit_here(e, leave);
    emit_mov_imm(e, RAX, 1);
    emit_jmp(e, tr->routine.leave);
}

/* The same for an instruction after which EIP is at the next one: the helper says 1 when nothing else has changed that matters here. */
static void emit_nexter(struct translator *tr, struct emitter *e)
{
    tr->routine.next = e->p;
    call_helper(tr, e, helper_next);
    emit_lea64(e, RCX, at(RAX, -1));
    uint8_t *on = emit_jrcxz(e);
    emit_jmp(e, tr->routine.end_tail);
    emit_here(e, on);
    go_on(tr, e, true);
}

void routines_emit(struct translator *tr)
{
    struct emitter e = { tr->next, tr->run, tr->plain };
    tr->routine.store_xmm = emit_xmm_mover(tr, &e, true);
    tr->routine.load_xmm = emit_xmm_mover(tr, &e, false);
    emit_enter(tr, &e);
    emit_leaves(tr, &e);
    tr->routine.read = emit_reader(tr, &e, helper_read);
    tr->routine.check_write = emit_reader(tr, &e, helper_check_write);
    tr->routine.write = emit_doer(tr, &e, helper_write, false);
    tr->routine.call = emit_doer(tr, &e, helper_call, true);
    tr->routine.sse = emit_doer(tr, &e, helper_sse, false);
    tr->routine.fpu = emit_doer(tr, &e, helper_fpu, false);
    emit_ender(tr, &e);
    emit_nexter(tr, &e);
    assert(e.p - tr->code <= ROUTINE_BYTES);
    tr->next = e.p;
}
