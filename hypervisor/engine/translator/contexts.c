/* Contexts: what translated code takes for granted about the CPU, and the table of landings for indirect jumps in each.
 *
 * A guest has few: kernel and user of a flat system, or one for each code segment of a 16-bit program. The tables hold a landing by the low
 * 16 bits of EIP. They say nothing of address spaces: they are cleared when the mmu forgot translations, and when that were not those of
 * global pages, the landings in these stay. */
#include "engine/translator/translator.h"
#include <sys/mman.h>

enum { JUMPS = 1 << 16, TABLE_BYTES = JUMPS * (sizeof(uint32_t) + 2 * sizeof(uint16_t) + 1) };

static bool down_now(const struct cpu *c) { return c->eflags & FLAG_DF; }
static bool io_now(const struct cpu *c) { return !cpu_protected(c) || c->cpl <= cpu_iopl(c); }

static bool matches(const struct context *x, const struct cpu *c, unsigned mode, bool windowed)
{
    return x->mode == mode && x->windowed == windowed && x->cs_base == c->seg[CS].base && x->cs_limit == c->seg[CS].limit
        && x->read_classes == c->read_classes && x->write_classes == c->write_classes && x->down == down_now(c) && x->io == io_now(c);
}

void context_clear_jumps(struct context *x, bool global_too)
{
    for (unsigned list = 0; list <= global_too; list++) {
        for (unsigned n = 0; n < x->filled_count[list]; n++) {
            x->jumps[x->filled[list][n]] = x->miss;
            x->listed[x->filled[list][n]] &= (uint8_t)~(1 << list);
        }
        x->filled_count[list] = 0;
    }
}

void context_set_jump(struct context *x, uint32_t eip, uint32_t landing, bool global)
{
    unsigned n = eip & (JUMPS - 1), bit = 1u << global;
    if (!(x->listed[n] & bit))
        x->filled[global][x->filled_count[global]++] = (uint16_t)n;
    x->listed[n] |= (uint8_t)bit;
    x->jumps[n] = landing;
}

/* Below 2 GiB, so that a displacement reaches it. */
static bool make_table(struct context *x, uint32_t miss)
{
    void *table = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
    if (table == MAP_FAILED)
        return false;
    x->jumps = table;
    x->filled[0] = (uint16_t *)(x->jumps + JUMPS);
    x->filled[1] = x->filled[0] + JUMPS;
    x->listed = (uint8_t *)(x->filled[1] + JUMPS);
    x->miss = miss;
    for (unsigned n = 0; n < JUMPS; n++)
        x->jumps[n] = miss;
    return true;
}

static void drop_code(struct translator *tr, const struct context *x)
{
    for (unsigned n = 0; n < tr->chunk_count; n++)
        for (struct translation *t = tr->chunks[n].translations; t; t = t->next_in_chunk)
            if (t->context == x)
                translation_kill(tr, t);
}

struct context *context_now(struct translator *tr, unsigned mode)
{
    struct cpu *c = tr->cpu;
    tr->window = mode & MODE_USER || !(c->cr0 & CR0_PG) ? window_now(tr->windows) : NULL;
    bool windowed = tr->window;
    if (likely(tr->context && matches(tr->context, c, mode, windowed)))
        return tr->context;
    struct context **last = &tr->last_of_mode[mode & (DECODE_MODES - 1)];
    if (*last && matches(*last, c, mode, windowed))
        return tr->context = *last;
    for (unsigned n = 0; n < CONTEXTS; n++)
        if (tr->contexts[n].jumps && matches(&tr->contexts[n], c, mode, windowed))
            return tr->context = *last = &tr->contexts[n];
    struct context *x = &tr->contexts[tr->context_next++ % CONTEXTS];
    if (x->jumps) {
        drop_code(tr, x);
        context_clear_jumps(x, true);
    } else if (!make_table(x, code_run(tr, tr->routine.miss))) {
        return NULL;
    }
    x->mode = mode;
    x->windowed = windowed;
    x->cs_base = c->seg[CS].base;
    x->cs_limit = c->seg[CS].limit;
    x->read_classes = c->read_classes;
    x->write_classes = c->write_classes;
    x->down = down_now(c);
    x->io = io_now(c);
    return tr->context = *last = x;
}

void contexts_destroy(struct translator *tr)
{
    for (unsigned n = 0; n < CONTEXTS; n++)
        if (tr->contexts[n].jumps)
            munmap(tr->contexts[n].jumps, TABLE_BYTES);
}
