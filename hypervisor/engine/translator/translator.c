/* The translator: x86-32 to x86-64, the same instruction set, so most instructions are copied.
 *
 * It stands on the interpreter. The interpreter's cache of decoded blocks finds code by physical address and mode, and knows when it is
 * written; a block that was executed often enough gets a translation, and its first instruction's handler then is exec_translated(). Cold
 * code, single steps, faults, interrupts and everything that changes modes stay with the interpreter's loop, to which translated code
 * returns with the state in struct cpu exact.
 *
 *     translate.c         blocks; translate_insn.c, translate_memory.c, translate_flow.c: the kinds of instructions
 *     emit_x64.h          host encodings
 *     code_cache.c        memory, links between translations, dropping the oldest
 *     contexts.c          what code depends on besides its bytes; landings of indirect jumps
 *     window.c            address spaces mapped for the host's MMU; host_fault.c: what is not mapped there
 *     routines.c          in and out; calls of helpers.c
 *
 * Checks shift by BMI2's RORX and SHRX, which leave the flags alone; a host without them saves the flags around each shift. */
#include "engine/translator/translator.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* RUN: instructions until translated code comes back to see what is pending: some microseconds. */
enum { THRESHOLD = 40, NEAR = 8192, RUN = 16384, NEVER = 0x80000000u };

/* --- running ------------------------------------------------------------------------------------------------------- */
struct outcome { struct link *link; uint64_t remaining; };
typedef struct outcome enter_fn(uintptr_t cpu, const uint8_t *code, uint64_t remaining, uintptr_t read, uintptr_t write);

static void forget_landings(struct translator *tr)
{
    const struct tlb *tlb = tr->cpu->tlb;
    for (unsigned n = 0; n < CONTEXTS; n++)
        context_clear_jumps(&tr->contexts[n], tr->global_flushes != tlb->global_flushes);
    tr->flushes = tlb->flushes;
    tr->global_flushes = tlb->global_flushes;
    tr->count.flushes++;
}

/* Code that leads here from the same page or through the table does so by itself from now on. */
static void connect(struct translator *tr, struct translation *t)
{
    struct context *x = t->context;
    struct link *l = tr->link;
    if (l && l->eip == t->eip && l->from->context == x && (l->from->block->physical ^ t->block->physical) < 4096 && !l->to)
        link_patch(l, t);
    tr->link = NULL;
    context_set_jump(x, t->eip, code_run(tr, t->landing), mmu_global(tr->cpu, x->cs_base + t->eip));
}

/* struct cpu is exact again: translated code was left, or an instruction in it faulted. */
static void run_ends(struct translator *tr)
{
    if (tr->running)
        tr->count.translated_instructions += tr->cpu->instructions - tr->began;
    tr->running = false;
    tr->cpu->sse_live = 0;
    fpu_store(tr);
}

static void run(struct translator *tr, struct translation *t)
{
    struct cpu *c = tr->cpu;
    unsigned user = c->cpl == 3;
    enter_fn *enter = (enter_fn *)(uintptr_t)tr->routine.enter;
    uint64_t stop = tr->stop = MIN(tr->in.stop - tr->near, c->instructions + RUN);
    host_fault_serve(tr);
    tr->count.entries++;
    tr->site = NULL;
    tr->running = true;
    tr->began = c->instructions;
    struct outcome out = enter((uintptr_t)c + tr->bias, t->entry + tr->run, stop - c->instructions,
                               (uintptr_t)c->tlb->flat_read[user] + 12, (uintptr_t)c->tlb->flat_write[user] + 10);
    c->instructions = stop - out.remaining;
    if (!tr->left_at_site)
        tr->site = NULL;
    tr->left_at_site = false;
    run_ends(tr);
    tr->link = out.link;
    if (out.link)
        c->eip = out.link->eip;
    tr->in.frame.first = t->block->insn;
    c->current = tr->in.frame.first - 1;                        /* everything is counted */
}

static struct translation *find(struct translator *tr, struct block *b, uint32_t eip)
{
    for (struct translation *t = b->translations; t; t = t->next_of_block)
        if (t->eip == eip && t->context == tr->context)
            return t;
    return NULL;
}

/* The handler of the first instruction of a block: interprets, translates, or runs the translation. */
static void exec_block(struct cpu *c, const struct insn *i)
{
    struct translator *tr = translator_of(c);
    struct block *b = tr->in.block;
    if (b->executed < tr->threshold || b->executed == NEVER || tr->in.frame.single || tr->in.stop - c->instructions <= tr->near
        || !context_now(tr, b->mode)) {
        b->executed += !(b->executed & NEVER);
        tr->link = NULL;
        b->first(c, i);
        return;
    }
    if (unlikely(tr->flushes != c->tlb->flushes))
        forget_landings(tr);
    struct translation *t = find(tr, b, c->eip);
    if (!t && !(t = translate(tr, b, c->eip))) {
        b->executed = NEVER;
        b->first(c, i);
        return;
    }
    connect(tr, t);
    uint64_t before = c->instructions;
    run(tr, t);
    window_heat(tr->windows, c->instructions - before);
}

/* --- the interpreter's blocks ---------------------------------------------------------------------------------------- */
static void made(struct cpu *c, struct block *b)
{
    (void)c;
    b->first = b->insn[0].exec;
    if (!(b->mode & MODE_SINGLE) && !b->second && b->insn[0].id && b->count)
        b->insn[0].exec = exec_block;
}

static void killed(struct cpu *c, struct block *b)
{
    while (b->translations)
        translation_kill(translator_of(c), b->translations);
}

static void forgotten(struct cpu *c)
{
    struct translator *tr = translator_of(c);
    if (tr->windows)
        windows_drop(tr->windows);
    tr->window = NULL;
    code_cache_drop(tr);
    forget_landings(tr);
}

static void written(struct cpu *c, uint64_t physical, unsigned length)
{
    struct translator *tr = translator_of(c);
    windows_written(tr->windows, physical, length);
    if (!window_is_there(tr->windows))
        tr->window = NULL;
}

static void marked(struct cpu *c, uint64_t page)
{
    if (translator_of(c)->windows)
        windows_marked(translator_of(c)->windows, page);
}

static void faulted(struct cpu *c) { run_ends(translator_of(c)); }

static const struct block_watch watch = { .made = made, .killed = killed, .forgotten = forgotten, .written = written,
                                          .marked = marked, .faulted = faulted };

/* --- the engine ------------------------------------------------------------------------------------------------------- */
/* perf looks for this file when it meets code without a name. */
static bool perf_map_open(struct translator *tr, struct error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    tr->perf_map = fopen(path, "we");
    if (tr->perf_map)
        setlinebuf(tr->perf_map);
    return tr->perf_map || error_set(err, errno, "cannot write %s (%s); leave translator.perf-map out", path, strerror(errno));
}

static bool start(struct translator *tr, struct error *err)
{
    struct cpu *c = tr->cpu;
    uint64_t cache = c->code_cache ? c->code_cache : (uint64_t)CHUNKS_DEFAULT * CHUNK_BYTES;
    if (cache < 2 * CHUNK_BYTES || cache > (uint64_t)CHUNKS * CHUNK_BYTES)
        return error_set(err, EINVAL, "translator.cache is %llu bytes; choose 2M to %uM", (unsigned long long)cache, CHUNKS);
    tr->windows = c->no_windows ? NULL : windows_create(c);
    return mmu_flat_create(c, err) && (!c->perf_map || perf_map_open(tr, err)) && code_cache_create(tr, cache, err)
        && interpreter_start(c, &tr->in, err);
}

static void finish(struct translator *tr)
{
    windows_destroy(tr->windows);
    contexts_destroy(tr);
    code_cache_destroy(tr);
    if (tr->perf_map)
        fclose(tr->perf_map);
    free(tr);
}

static bool translator_attach(struct cpu *c, struct error *err)
{
    struct translator *tr = aligned_alloc(16, align_up(sizeof *tr, 16));
    if (!tr)
        return error_set(err, ENOMEM, "no memory for the translator of %s; close other programs", c->dev.id);
    memset(tr, 0, sizeof *tr);
    __builtin_cpu_init();
    tr->plain = !__builtin_cpu_supports("bmi2");
    tr->cpu = c;
    tr->bias = (11 - (uintptr_t)c) & 63;
    tr->threshold = THRESHOLD;
    tr->near = NEAR;
    if (!start(tr, err)) {
        finish(tr);
        return false;
    }
    tr->in.watch = &watch;
    c->engine = &translator_engine;
    return true;
}

static void translator_detach(struct cpu *c)
{
    struct translator *tr = c->engine_data;
    if (!tr)
        return;
    interpreter_end(c);
    finish(tr);
}

static void translator_kick(struct cpu *c) { atomic_fetch_or(&c->pending, PENDING_KICK); }
static void translator_pull(struct cpu *c) { (void)c; }

static unsigned translator_counters(const struct cpu *c, struct engine_counter *to, unsigned most)
{
    const struct translator_counters *count = &translator_of(c)->count;
#define COUNTER(name) { #name, count->name },
    const struct engine_counter all[] = { TRANSLATOR_COUNTERS(COUNTER) };
#undef COUNTER
    unsigned n = (unsigned)MIN(ARRAY_SIZE(all), most);
    memcpy(to, all, n * sizeof *to);
    return n;
}

const struct engine translator_engine = {
    .name = "translator", .attach = translator_attach, .detach = translator_detach, .run = interpreter_run, .kick = translator_kick,
    .pull = translator_pull, .push = blocks_forget, .code_written = blocks_written,
    .counters = translator_counters,
};
