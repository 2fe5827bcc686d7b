/* The interpreter's own: blocks of decoded instructions, found by linear address or by what they were decoded from. */
#ifndef INTERPRETER_INTERPRETER_H
#define INTERPRETER_INTERPRETER_H
#include "engine/engine.h"
#include "engine/interpreter/exec.h"
#include "x86/opcodes.h"

enum { BLOCK_INSNS = 32, JUMP_BITS = 12, MODE_SINGLE = 32 };    /* MODE_SINGLE: a block of one instruction */

/* A run of instructions inside one page, or one instruction that crosses into the next page. After the last comes an
 * insn that leads on to the next block. Blocks are never moved; a dead one leads back to the loop. */
struct block {
    uint64_t physical, second;                  /* of the first byte; of the next page's first byte when it crosses, else 0 */
    const uint8_t *host;                        /* where the first byte was read: another address means another map */
    struct block *hash_next, *page_next[2];     /* [1]: list of the second page */
    uint16_t bytes, count;
    uint8_t mode;                               /* MODE_*: code is the same only in the same mode */
    bool dead;
    bool unwindowed;                            /* the watch's own, as are the next three */
    uint32_t executed;
    void *translations;
    exec_fn *first;                             /* insn[0].exec as decoded */
    struct insn insn[];
};

/* Who wants to know of blocks that are kept: the translator.  */
struct block_watch {
    void (*made)(struct cpu *, struct block *);
    void (*killed)(struct cpu *, struct block *);
    void (*forgotten)(struct cpu *);            /* all of them, and their memory; watched pages, too */
    void (*written)(struct cpu *, uint64_t physical, unsigned length);      /* inside a page that blocks_watch() was told of */
    void (*marked)(struct cpu *, uint64_t page);        /* stores to the page are reported from now on */
    void (*faulted)(struct cpu *);              /* an instruction left by cpu_raise(); before the guest's handler is entered */
};

/* The fast way from an address to a block. key: linear address, mode << 32, TLB flushes << 40. */
struct jump { uint64_t key; struct block *block; };

struct interpreter {
    struct exec_frame frame;                    /* first member: see exec.h */
    uint64_t tag;                               /* the key's upper part as of now */
    struct block *block;                        /* being run */
    struct jump jumps[1 << JUMP_BITS];
    uint32_t flushes;                           /* as of the last clearing of `jumps` */
    struct block_cache *cache;                  /* blocks.c */
    const struct block_watch *watch;
    uint64_t stop;                              /* the run ends at this many instructions */
};
static inline struct interpreter *interpreter_of(const struct cpu *c) { return c->engine_data; }
static inline unsigned mode_now(const struct cpu *c)
{
    return (segment_big(&c->seg[CS]) ? MODE_CODE32 : 0) | (segment_big(&c->seg[SS]) ? MODE_STACK32 : 0)
        | (cpu_v86(c) ? MODE_V86 : 0) | (cpu_protected(c) ? MODE_PROTECTED : 0) | (c->cpl == 3 ? MODE_USER : 0);
}
static inline struct jump *jump_slot(struct interpreter *in, uint32_t linear)
{
    return &in->jumps[(linear ^ linear >> JUMP_BITS) & ((1 << JUMP_BITS) - 1)];
}

/* Tail calls keep the stack flat. Builds that cannot make them (sanitisers, no optimisation) go back to the loop
 * after each block, and a block's length bounds the depth. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define NO_TAIL_CALLS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define NO_TAIL_CALLS
#endif

/* The last statement of a near branch: c->eip is set; goes straight on to the next block when it is known and nothing
 * waits, else returns to the loop, which counts the instructions up to c->current. */
#ifdef NO_TAIL_CALLS
#define CHAIN(c) return
#else
#define CHAIN(c) do { \
    const struct block *next_block_ = chain_find(c); \
    if (!next_block_) \
        return; \
    next_block_->insn[0].exec((c), next_block_->insn); \
    return; \
} while (0)
static inline const struct block *chain_find(struct cpu *c)
{
    struct interpreter *in = interpreter_of(c);
    if (unlikely(atomic_load_explicit(&c->pending, memory_order_relaxed)))
        return NULL;
    uint32_t linear = c->seg[CS].base + c->eip;
    const struct jump *j = jump_slot(in, linear);
    if (unlikely(j->key != (in->tag | linear)))
        return NULL;
    struct block *b = j->block;
    uint64_t count = c->instructions + (uint64_t)((const struct insn *)c->current - in->frame.first) + 1;
    if (unlikely(count + b->count > in->frame.stop || (uint64_t)c->eip + b->bytes - 1 > c->seg[CS].limit))
        return NULL;
    c->instructions = count;
    in->block = b;
    in->frame.eip_base = c->eip - b->insn[0].offset;
    in->frame.first = b->insn;
    c->current = b->insn;
    return b;
}
#endif

/* --- interpreter.c ---------------------------------------------------------------------------------------------- */
/* For an engine whose data starts with a struct interpreter (zeroed): the interpreter's part of attach, detach, run, push. */
bool interpreter_start(struct cpu *, struct interpreter *, struct error *);
void interpreter_end(struct cpu *);
enum cpu_exit interpreter_run(struct cpu *, uint64_t budget);

/* --- blocks.c --------------------------------------------------------------------------------------------------- */
bool blocks_create(struct cpu *, struct error *);
void blocks_destroy(struct cpu *);
/* The block at cs:eip in `mode`; raises what fetching raises (c->current is NULL then). Valid until the next call. */
struct block *blocks_find(struct cpu *, unsigned mode);
/* Bytes of code were written by this CPU's present instruction. */
void blocks_written(struct cpu *, uint64_t physical, uint64_t length);
/* Stores to the page, the CPU's and devices', are reported to the watch until blocks_unwatch(). false: no room. */
bool blocks_watch(struct cpu *, uint64_t page);
void blocks_unwatch(struct cpu *, uint64_t page);
/* [any thread] Drops everything at the next boundary. */
void blocks_forget(struct cpu *);
/* At a boundary, after PENDING_CODE: does what was asked for from outside. */
void blocks_service(struct cpu *);

/* --- exec_tables.c ---------------------------------------------------------------------------------------------- */
exec_fn *exec_lookup(const struct insn *);      /* the handler for a decoded instruction */
/* What is executed where no instruction could be decoded, after the last of a block, and in a dead block. */
void exec_undefined(struct cpu *, const struct insn *);
void exec_too_long(struct cpu *, const struct insn *);
void exec_block_end(struct cpu *, const struct insn *);
void exec_stop(struct cpu *, const struct insn *);

#endif
