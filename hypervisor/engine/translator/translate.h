/* The parts of making a translation know of each other what is here. */
#ifndef TRANSLATOR_TRANSLATE_H
#define TRANSLATOR_TRANSLATE_H
#include "engine/translator/translator.h"

static const uint8_t host_of[8] = { RAX, R9, RDX, RBX, R12, RBP, RSI, RDI };

/* The frame of translated code, from rsp. */
enum { FRAME_ADDRESS = 0, FRAME_REMAINING = 8, FRAME_TARGET = 16, FRAME_VALUE = 24, FRAME_GROUP = 32, FRAME_SPARE = 40, FRAME_BYTES = 56 };

/* A host instruction with one operand left open: a register, or the memory of the guest's operand. */
struct op {
    uint16_t opcode;
    uint8_t reg;                                /* ModRM.reg: a host register or an extension */
    bool operand16, lock, high, x87;            /* 66h; F0h; names AH..BH, so must not have a REX prefix; has only a memory form */
    bool aligned, handler;                      /* 16 bytes that must be; the slow path is the interpreter's handler */
    uint8_t prefix;                             /* F2h, F3h or 0 */
    bool address;                               /* not an instruction: r8 becomes the host's address; the slow path is the handler */
    bool ch;                                    /* names CH, beside memory: it is CL of the op, taken there first */
    uint8_t imm_size;
    uint32_t imm;
};
/* How memory is accessed, and so what its slow path does. */
enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_CHANGE };

enum { STUBS = 160 };
enum stub_kind { STUB_ACCESS, STUB_LINK, STUB_TABLE, STUB_FPU, STUB_SSE, STUB_CALL, STUB_CLONE };
struct stub {                                   /* code out of the way, emitted after the block */
    enum stub_kind kind;
    uint8_t *rel32[3];                          /* what jumps to it: [0] and [2] with the linear address in r8, [1] with the offset */
    uint8_t *resume, *access_at;                /* access_at: the access through the window */
    enum access access;
    struct op op;
    struct site *site;
    unsigned seg;
    struct address where;                       /* of the linear address */
    unsigned link;
    uint32_t eip;
};
/* A short jump that waits for a long one within its reach. */
struct island { uint8_t *displacement; unsigned stub, which; };

/* Accesses off one register, checked once: see translate_group.c. */
struct group {
    uint8_t base;                               /* a guest register, or NO_REGISTER */
    bool writes, active;
    int32_t low, delta;                         /* delta: how far ESP has moved since the check */
    unsigned size, end;                         /* end: the first instruction that is not in it */
};

struct maker {
    struct translator *tr;
    struct translation *t;
    const struct block *b;
    struct emitter e;
    unsigned k, segment_end;                    /* the instruction, and where its counted segment ends */
    struct stub stubs[STUBS];
    unsigned stub_count;
    struct island islands[STUBS];
    unsigned island_count;
    struct group group;
    struct link links[4 * BLOCK_INSNS + 4];     /* block and clone */
    unsigned link_count;
    bool refused;                               /* no room for more stubs, or nothing to gain: the block is not translated */
    bool ended, fpu_ready, sse_ready;           /* the host's x87 unit, its XMM registers hold the guest's */
    const struct insn *fpu_last, *fpu_last_operand;     /* x87 instructions of this segment that are still to be recorded */
    bool windowed;                              /* memory is reached through the window */
    struct window_access accesses[STUBS];
    unsigned access_count;
};

static inline struct address cpu_field(const struct maker *m, const void *member)
{
    return at(R13, (int32_t)((intptr_t)member - (intptr_t)m->tr->cpu - (intptr_t)m->tr->bias));
}
/* An opcode's map and byte as one number: 1A3h is 0F A3. */
static inline unsigned key_of(const struct opcode *o) { return o->map << 8 | o->opcode; }
static inline unsigned operand_size(const struct insn *i) { return i->flags & INSN_OPERAND32 ? 4 : 2; }
static inline bool is_conditional(const struct insn *i) /* a near branch that may not be taken */
{
    const struct opcode *o = &opcodes[i->id];
    return o->plan == PLAN_COND && (o->dst == OPERAND_Jb || o->dst == OPERAND_Jz);
}
static inline uint32_t eip_of(const struct maker *m, const struct insn *i) { return m->t->eip - m->b->insn[0].offset + i->offset; }

/* --- translate.c ------------------------------------------------------------------------------------------------- */
struct stub *stub_new(struct maker *, enum stub_kind);
struct site *site_new(struct maker *, const struct insn *, unsigned size, unsigned seg);
void island_wait(struct maker *, uint8_t *displacement, struct stub *, unsigned which);
void islands_within_reach(struct maker *, unsigned more);       /* before `more` bytes of code without another call */

/* --- translate_memory.c ------------------------------------------------------------------------------------------ */
void emit_op_register(struct emitter *, const struct op *, unsigned rm);
/* r8: the offset in `seg`. Checks, translates and does the op; r8 and rcx are used. `wide`: offsets have 32 bits. */
void emit_access(struct maker *, const struct insn *, struct op, unsigned seg, unsigned size, enum access, bool wide);
/* The same with an offset of 32 bits at `a`; with `by` bytes above the stack pointer. */
void emit_wide_access(struct maker *, const struct insn *, struct op, unsigned seg, struct address a, unsigned size, enum access);
void emit_stack_access(struct maker *, const struct insn *, struct op, int32_t by, unsigned size, enum access);
struct address address_of(const struct insn *);        /* of the memory operand, in host registers */
void emit_effective_address(struct maker *, const struct insn *);       /* r8: the offset of the memory operand */
void emit_access_stub(struct maker *, struct stub *);

uint8_t *emit_crossing_check(struct maker *, unsigned size);    /* JECXZ when `size` bytes at r8 lie in two pages */
/* The access, and the memory operand, wherever it is checked: in the group or on its own. */
void emit_operand_access(struct maker *, const struct insn *, struct op, unsigned size, enum access);
void emit_op_at(struct emitter *, const struct op *, struct address);

/* --- translate_group.c --------------------------------------------------------------------------------------------- */
void group_choose(struct maker *);
void emit_group_check(struct maker *, struct stub *clone);
void group_advance(struct maker *, const struct insn *);
bool group_operand(const struct maker *, const struct insn *, struct address *);
bool group_stack(const struct maker *, int32_t by, struct address *);   /* `by` bytes above ESP */

/* --- translate_insn.c: false when the instruction is left to the interpreter's handler -------------------------------- */
bool translate_operation(struct maker *, const struct insn *);
bool is_simple_operation(const struct insn *);          /* re-emitted as it is */
bool is_read_only_operation(const struct insn *);       /* of those: leaves its first operand alone */
unsigned operand_access(const struct insn *, bool *write);      /* bytes of the memory operand that translated code accesses itself, or 0 */

/* --- translate_fpu.c ------------------------------------------------------------------------------------------------ */
bool translate_fpu(struct maker *, const struct insn *);
bool is_native_fpu(const struct insn *);
unsigned fpu_operand_access(const struct insn *, bool *write);
void emit_fpu_ready(struct maker *, const struct insn *);
void emit_fpu_stub(struct maker *, struct stub *);
void emit_fpu_records(struct maker *);          /* before every way out: which x87 instructions were the last; keeps flags */

/* --- translate_sse.c ------------------------------------------------------------------------------------------------ */
bool translate_simd(struct maker *, const struct insn *);
unsigned simd_operand_access(const struct insn *, bool *write);
unsigned simd_written(const struct insn *);             /* bit per general register */

/* --- translate_flow.c: stack and branches ------------------------------------------------------------------------- */
bool translate_stack(struct maker *, const struct insn *);
bool is_stack_operation(const struct insn *);   /* PUSH, POP or LEAVE that is translated */
bool translate_branch(struct maker *, const struct insn *);
void emit_direct(struct maker *, uint32_t eip);         /* goes on at eip */
void emit_link_stub(struct maker *, struct stub *);
void emit_table_stub(struct maker *, struct stub *);
unsigned waiting_begin(struct maker *);         /* a host register for a value that waits to be pushed */
void push_waiting(struct maker *, const struct insn *, unsigned host);  /* pushes it, and gives the register back */
void waiting_end(struct maker *, unsigned host);
void emit_top(struct maker *, const struct insn *, struct op);  /* the top of the stack is the op's memory */
void emit_stack_move(struct maker *, const struct insn *, int32_t by);
void emit_leave_at(struct maker *, const struct insn *); /* to the interpreter, before the instruction */

/* --- translate_system.c, translate_string.c, translate_math.c ---------------------------------------------------------- */
bool translate_system(struct maker *, const struct insn *);
bool translate_string(struct maker *, const struct insn *);
bool translate_math(struct maker *, const struct insn *);

#endif
