/* The translator's own: what its parts know of each other. The overview is in translator.c.
 *
 * Host registers while translated code runs. Upper halves of guest registers are zero.
 *     rax r9 rdx rbx r12 rbp rsi rdi      EAX ECX EDX EBX ESP EBP ESI EDI
 *     rcx                                 scratch, the one that JRCXZ tests; r8: address; r10: value
 *     r11                                 instructions until the run ends, negative
 *     r13                                 struct cpu + bias (the low six bits are 11)
 *     r14, r15                            flat read table + 12, flat write table + 10 (mmu.h)
 *     GS base                             the window, in contexts that have one (window.h)
 *     flags                               the guest's arithmetic flags; DF clear. Everything but the guest's own instructions keeps them. */
#ifndef TRANSLATOR_TRANSLATOR_H
#define TRANSLATOR_TRANSLATOR_H
#include "engine/interpreter/interpreter.h"
#include "engine/translator/emit_x64.h"
#include "engine/translator/window.h"
#include <stdio.h>

/* What translated code takes for granted. Blocks of one context are chained without checks. */
struct context {
    uint32_t mode, cs_base, cs_limit;
    uint16_t read_classes, write_classes;       /* two bits each, by enum segment_register */
    uint8_t down, io;                           /* DF is set; CLI and STI change IF, CPL being at most IOPL */
    bool windowed;                              /* there is a window: memory at GS base + linear address */
    uint32_t *jumps, miss;                      /* by the low 16 bits of EIP: where a landing is executed, or the miss routine */
    uint8_t *listed;                            /* by the same: bit per list that has the entry */
    uint16_t *filled[2];                        /* lists of the entries that are landings; [1]: in global pages */
    unsigned filled_count[2];
};

struct translation;
/* A way out of translated code to an address known at translation. */
struct link {
    struct translation *from, *to;
    struct link *next;                          /* others that lead to `to` */
    uint8_t *rel32, *exit;                      /* the displacement to patch; where it leads when there is no `to` (writable) */
    uint32_t eip;
    bool backward;                              /* loops look whether the run is over */
};
/* A place from which translated code calls C. What is left to do after a store: nothing; move ESP; move EDI, and ESI; the block
 * is over anyway. SITE_SSE_*: the slow path of an operand that is not x87's or MMX's is the handler.
 * SITE_MILD: the handler changes a data segment at most, and what devices do. */
enum site_kind { SITE_PLAIN, SITE_PUSH, SITE_POP, SITE_STRING, SITE_SSE_LOAD, SITE_SSE_STORE, SITE_MILD, SITE_LAST };
struct site {
    struct translation *t;
    const struct insn *insn;
    uint16_t uncounted;                         /* instructions of the segment from this one on: r11 has them already */
    uint8_t size, seg, kind;
    bool windowed;
};
/* An access through a window, and its slow path: from the translation's landing. */
struct window_access { uint32_t at, slow; };
struct translation {
    struct block *block;
    struct context *context;
    struct translation *next_of_block, *next_in_chunk;
    struct link *incoming, *links;
    uint8_t *landing, *poll, *entry;            /* writable addresses: from indirect jumps; from loops; from elsewhere */
    struct window_access *accesses;
    uint32_t eip;
    uint32_t fpu_notes, fpu_breaks;             /* bit per instruction: x87, done in the host's unit; the unit was given back */
    uint16_t link_count, access_count, vain;    /* vain: accesses whose page could not be mapped */
    bool dead;
};

/* --- the code cache --------------------------------------------------------------------------------------------- */
/* A ring of chunks. The translations of the chunk that is about to be filled are dropped; the others stay. */
enum { CHUNK_BYTES = 1 << 20, CHUNKS = 64, CHUNKS_DEFAULT = 24, ROUTINE_BYTES = 4096, BLOCK_CODE_MAX = 48 << 10, CONTEXTS = 64, DECODE_MODES = 32 };
struct code_chunk { uint8_t *start; struct translation *translations; uint8_t *records; size_t records_used; };
struct routines {                               /* emitted once; writable addresses but `enter` */
    uint8_t *enter, *leave, *leave_link, *miss, *read, *check_write, *write, *call, *fpu, *sse, *end, *end_tail, *next, *store_xmm, *load_xmm;
};
#define TRANSLATOR_COUNTERS(ROW) ROW(blocks) ROW(block_instructions) ROW(block_bytes) ROW(entries) ROW(flushes) ROW(evictions) ROW(slow_reads) ROW(slow_writes) ROW(handler_calls) \
    ROW(handler_nexts) ROW(handler_ends) ROW(fpu_loads) ROW(sse_loads) ROW(translated_instructions) ROW(window_faults)
#define COUNTER(name) uint64_t name;
struct translator_counters { TRANSLATOR_COUNTERS(COUNTER) };
#undef COUNTER
struct translator {
    struct interpreter in;                      /* first member: the interpreter runs what is cold */
    struct cpu *cpu;
    uintptr_t bias;                             /* r13 = cpu + bias */
    uint8_t *code;                              /* the writable mapping */
    intptr_t run;                               /* executable - writable */
    struct code_chunk chunks[CHUNKS];
    unsigned chunk, chunk_count;
    uint8_t *next;                              /* where the next block goes, in chunks[chunk] */
    struct routines routine;
    struct context contexts[CONTEXTS], *context, *last_of_mode[DECODE_MODES];
    struct windows *windows;
    struct window *window;                      /* of the context */
    unsigned context_next;
    struct link *link;                          /* the way out that was just taken, when it may be patched */
    const struct site *site;                    /* where translated code is or was left in the middle of a block; or NULL */
    bool site_done, left_at_site;               /* that instruction was completed; translated code was left there */
    bool fpu_taken;                             /* fpu_take_pointers() knows of the x87 instructions before the site */
    bool running;
    uint64_t began;                             /* cpu->instructions when translated code was entered */
    uint64_t stop;                              /* the present run of translated code ends at this many instructions */
    uint32_t flushes, global_flushes;           /* the mmu's, as of the last clearing of the jump tables */
    bool plain;                                 /* the host has no BMI2 */
    unsigned threshold, near;                   /* a block is translated after so many executions; so many instructions before the end
                                                   of a run, the interpreter goes on: translated code may go a little further than asked */
    struct translator_counters count;
    FILE *perf_map;                                             /* or NULL */
    uint8_t fx[512] __attribute__((aligned(16)));               /* FXSAVE area */
};
/* Where code is executed, below 2 GiB. */
static inline uint32_t code_run(const struct translator *tr, const uint8_t *writable) { return (uint32_t)(uintptr_t)(writable + tr->run); }
static inline struct translator *translator_of(const struct cpu *c) { return c->engine_data; }

bool code_cache_create(struct translator *, size_t bytes, struct error *);
void code_cache_destroy(struct translator *);
/* Room for a block: the emitter's start. May drop the oldest translations. */
void code_cache_begin(struct translator *, struct emitter *);
void code_cache_end(struct translator *, const struct emitter *, struct translation *);
void *code_cache_record(struct translator *, size_t size);     /* lives as long as the block that is being made; NULL: no room */
void translation_kill(struct translator *, struct translation *);
void link_patch(struct link *, struct translation *to);        /* NULL: back to its exit */
void code_cache_drop(struct translator *);                     /* everything */

/* --- contexts.c --------------------------------------------------------------------------------------------------- */
struct context *context_now(struct translator *, unsigned mode);
void context_clear_jumps(struct context *, bool global_too);
void context_set_jump(struct context *, uint32_t eip, uint32_t landing, bool global);
void contexts_destroy(struct translator *);
static inline enum segment_class class_of(uint16_t classes, unsigned seg) { return classes >> (seg * 2) & 3; }

/* --- host_fault.c ------------------------------------------------------------------------------------------------- */
void host_fault_serve(struct translator *);     /* before translated code runs on this thread */

/* --- routines.c --------------------------------------------------------------------------------------------------- */
void routines_emit(struct translator *);

/* --- fpu.c ------------------------------------------------------------------------------------------------------------ */
bool fpu_ready(struct translator *);            /* the host's unit holds the guest's registers; false: it may not */
void fpu_store(struct translator *);            /* struct cpu holds them again; nothing when it does */
void fpu_take_pointers(struct translator *);    /* what was noted of the last instruction, before segment registers change */
bool sse_plain(const struct cpu *);             /* may the host's XMM registers hold the guest's? */

/* --- translate.c, and its parts ----------------------------------------------------------------------------------- */
struct translation *translate(struct translator *, struct block *, uint32_t eip);

/* --- helpers.c: called by translated code ----------------------------------------------------------------------------- */
uint64_t helper_read(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);
uint64_t helper_check_write(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);
uint64_t helper_write(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining, uint64_t value);
uint64_t helper_call(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);
uint64_t helper_sse(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);
uint64_t helper_fpu(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);
const uint8_t *helper_next(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);
const uint8_t *helper_end(struct cpu *, const struct site *, uint32_t linear, uint64_t remaining);

#endif
