/* The interpreter's loop: boundaries, blocks, faults, single steps.
 *
 * At a boundary everything of the CPU is exact: EIP, the instruction count, flags. Between boundaries a block's handlers
 * call one another in tail position (exec.h), and near branches go from block to block (CHAIN) as long as nothing is
 * pending. cpu->instructions then counts what came before frame.first; c->current says how far the block has come.
 *
 * Instructions run one at a time while TF or RF is set, a breakpoint is enabled in DR7, an interrupt shadow lasts, or the budget
 * comes to its end.
 *
 * References: [SDM3A] 6.8.3 (shadow), 17.2 and 17.3 (debug exceptions). */
#include "engine/interpreter/interpreter.h"
#include <stdlib.h>

/* Instructions between two returns to the loop. A handler that the compiler could not make a tail call keeps its frame until
 * then: this bounds the stack. */
enum { CHAIN_MOST = 4096 };

/* --- one block ------------------------------------------------------------------------------------------------ */
static void set_tag(struct cpu *c, struct interpreter *in, unsigned mode)
{
    uint32_t flushes = c->tlb->flushes;
    if (unlikely((flushes ^ in->flushes) >> 24)) {      /* the key holds 24 bits of it */
        memset(in->jumps, 0xff, sizeof in->jumps);
        in->flushes = flushes;
    }
    in->tag = (uint64_t)(flushes & 0xffffff) << 40 | (uint64_t)mode << 32;
}

static void enter(struct cpu *c, unsigned mode)
{
    struct interpreter *in = interpreter_of(c);
    uint32_t linear = c->seg[CS].base + c->eip;
    set_tag(c, in, mode);
    struct jump *j = jump_slot(in, linear);
    struct block *b = j->block;
    if (j->key != (in->tag | linear) || b->dead) {
        b = blocks_find(c, mode);
        set_tag(c, in, mode);                           /* marking pages may have flushed translations */
        if (!b->dead) {
            j->key = in->tag | linear;
            j->block = b;
        }
    }
    if (unlikely((uint64_t)c->eip + b->bytes - 1 > c->seg[CS].limit)) {
        if (b->count == 1)
            cpu_raise_error(c, EXC_GP, 0);
        enter(c, mode | MODE_SINGLE);
        return;
    }
    in->block = b;
    in->frame.eip_base = c->eip - b->insn[0].offset;
    in->frame.first = b->insn;
    c->current = b->insn;
    b->insn[0].exec(c, b->insn);
    c->instructions += (uint64_t)((const struct insn *)c->current - in->frame.first + 1);
    c->current = NULL;
}

/* After cpu_raise: the state of the instruction that faulted, then the guest's handler. */
static void fault(struct cpu *c)
{
    if (c->current) {
        exec_sync(c);
        c->eip = insn_eip(c, c->current);
        c->current = NULL;
    }
    c->tlb->dr6_hits = 0;
    cpu_deliver(c, c->raised.vector, DELIVER_EXCEPTION, c->raised.has_error, c->raised.error);
}

/* --- one instruction ------------------------------------------------------------------------------------------ */
static bool one_at_a_time(const struct cpu *c)
{
    return cpu_step_wise(c) || c->eflags & FLAG_RF;
}

static void step(struct cpu *c, unsigned mode)
{
    struct interpreter *in = interpreter_of(c);
    uint32_t flags = c->eflags;
    if (cpu_code_breakpoint(c))
        return;
    c->shadow = 0;
    in->frame.single = one_at_a_time(c);        /* not because the budget ends: then a repetition is one instruction, as elsewhere */
    c->eflags &= ~FLAG_RF;                      /* a fault sets it in the saved image; IRET and task switches set it anew */
    in->frame.stop = 0;                         /* no chaining */
    enter(c, mode | MODE_SINGLE);
    in->frame.single = false;

    const struct opcode *o = &opcodes[in->block->insn[0].id];
    bool stack_loaded = c->shadow && strcmp(o->name, "STI");    /* MOV SS, POP SS: traps wait as well [SDM3A, 6.8.3] */
    bool interrupt = !strncmp(o->name, "INT", 3);               /* INT n and INTO clear TF: no trap after them */
    unsigned bits = c->tlb->dr6_hits;
    if (flags & FLAG_TF && !interrupt)
        bits |= DR6_BS;
    if (bits && !stack_loaded) {
        c->tlb->dr6_hits = 0;
        cpu_debug_trap(c, bits);
    }
}

/* --- the loop ------------------------------------------------------------------------------------------------- */
/* What waits at a boundary. false: *exit says why the loop ends. */
static bool boundary(struct cpu *c, uint64_t stop, enum cpu_exit *exit)
{
    unsigned pending = atomic_load_explicit(&c->pending, memory_order_relaxed);
    if (unlikely(pending)) {
        if (pending & PENDING_KICK) {
            atomic_fetch_and(&c->pending, ~(unsigned)PENDING_KICK);
            *exit = CPU_KICKED;
            return false;
        }
        if (!c->shadow)
            cpu_service_pending(c);
        blocks_service(c);
    }
    if (unlikely(c->halted) && cpu_interrupt_ready(c))
        cpu_service_pending(c);
    if (unlikely(c->shutdown || c->halted)) {
        *exit = c->shutdown ? CPU_SHUTDOWN : CPU_HALTED;
        return false;
    }
    *exit = CPU_BUDGET;
    return c->instructions < stop;
}

/* An interrupt shadow while nothing waits is over: the next instruction is executed before anything is looked at again. */
static void drop_shadow(struct cpu *c)
{
    if (!c->shadow || atomic_load_explicit(&c->pending, memory_order_relaxed))
        return;
    c->shadow = 0;
    c->shadow = cpu_step_wise(c);                               /* single steps and breakpoints look at it */
}

static enum cpu_exit loop(struct cpu *c, uint64_t stop)
{
    struct interpreter *in = interpreter_of(c);
    enum cpu_exit exit;
    while (boundary(c, stop, &exit)) {
        drop_shadow(c);
        if (unlikely(one_at_a_time(c) || stop - c->instructions < BLOCK_INSNS)) {
            step(c, mode_now(c));
        } else {
            in->frame.stop = MIN(stop, c->instructions + CHAIN_MOST);
            enter(c, mode_now(c));
        }
    }
    return exit;
}

enum cpu_exit interpreter_run(struct cpu *c, uint64_t budget)
{
    struct interpreter *in = interpreter_of(c);
    volatile uint64_t stop = c->instructions + budget < budget ? UINT64_MAX : c->instructions + budget;
    in->stop = stop;
    c->current = NULL;
    if (_setjmp(c->fault)) {
        in->frame.single = false;
        if (in->watch)
            in->watch->faulted(c);
        fault(c);
    }
    return loop(c, stop);
}

/* --- the engine ----------------------------------------------------------------------------------------------- */
static void sync(struct cpu *c) { exec_sync(c); }

bool interpreter_start(struct cpu *c, struct interpreter *in, struct error *err)
{
    c->sync = sync;
    memset(in->jumps, 0xff, sizeof in->jumps);
    c->engine_data = in;
    c->current = NULL;
    if (blocks_create(c, err))
        return true;
    c->engine_data = NULL;
    return false;
}

void interpreter_end(struct cpu *c)
{
    blocks_destroy(c);
    c->engine_data = NULL;
    c->engine = NULL;
}

static bool interpreter_attach(struct cpu *c, struct error *err)
{
    struct interpreter *in = calloc(1, sizeof *in);
    if (!in)
        return error_set(err, 12, "no memory for the interpreter of %s; close other programs", c->dev.id);
    if (!interpreter_start(c, in, err)) {
        free(in);
        return false;
    }
    c->engine = &interpreter_engine;
    return true;
}

static void interpreter_detach(struct cpu *c)
{
    void *data = c->engine_data;
    if (data)
        interpreter_end(c);
    free(data);
}

static void interpreter_kick(struct cpu *c) { atomic_fetch_or(&c->pending, PENDING_KICK); }
static void interpreter_pull(struct cpu *c) { (void)c; }
static void interpreter_push(struct cpu *c) { blocks_forget(c); }

const struct engine interpreter_engine = {
    .name = "interpreter", .attach = interpreter_attach, .detach = interpreter_detach, .run = interpreter_run,
    .kick = interpreter_kick, .pull = interpreter_pull, .push = interpreter_push, .code_written = blocks_written,
};

void cpu_code_written(struct cpu *c, uint64_t physical, uint64_t length) { c->engine->code_written(c, physical, length); }
