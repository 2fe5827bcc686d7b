/* The code cache: memory for translated code, mapped twice (writable here, executable there), and the links between translations.
 *
 * The cache is a ring of chunks filled one after another. When the ring comes round, only the translations of the chunk that is needed
 * next are dropped: their incoming links lead back to their exits and their landings leave the jump tables. Code of a translation that
 * died stays in memory until its chunk is reused, since it may be running. Records (translations, links, sites) lie in an arena that is
 * reused with the chunk. */
#include "engine/translator/translator.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RECORD_BYTES = CHUNK_BYTES / 2 };

/* --- links ---------------------------------------------------------------------------------------------------- */
static void aim(uint8_t *rel32, const uint8_t *to) { le32_put(rel32, (uint32_t)(to - (rel32 + 4))); }

void link_patch(struct link *l, struct translation *to)
{
    l->to = to;
    if (!to) {
        aim(l->rel32, l->exit);
        return;
    }
    aim(l->rel32, l->backward ? to->poll : to->entry);
    l->next = to->incoming;
    to->incoming = l;
}

static void link_remove(struct link *l)
{
    struct link **at = &l->to->incoming;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    l->to = NULL;
}

void translation_kill(struct translator *tr, struct translation *t)
{
    if (t->dead)
        return;
    t->dead = true;
    for (struct link *l = t->incoming, *next; l; l = next) {
        next = l->next;
        link_patch(l, NULL);
    }
    t->incoming = NULL;
    for (unsigned n = 0; n < t->link_count; n++)
        if (t->links[n].to)
            link_remove(&t->links[n]);
    uint32_t *jump = &t->context->jumps[t->eip & 0xffff];
    if (*jump == code_run(tr, t->landing))
        *jump = t->context->miss;
    if (tr->link && tr->link->from == t)
        tr->link = NULL;
    for (struct translation **at = (struct translation **)&t->block->translations; *at; at = &(*at)->next_of_block)
        if (*at == t) {
            *at = t->next_of_block;
            break;
        }
}

/* --- chunks ----------------------------------------------------------------------------------------------------- */
static void chunk_empty(struct translator *tr, struct code_chunk *k)
{
    if (k->translations)
        tr->count.evictions++;
    for (struct translation *t = k->translations; t; t = t->next_in_chunk)
        translation_kill(tr, t);
    k->translations = NULL;
    k->records_used = 0;
}

static void chunk_start(struct translator *tr, unsigned n)
{
    tr->chunk = n;
    chunk_empty(tr, &tr->chunks[n]);
    tr->next = tr->chunks[n].start;
}

void code_cache_begin(struct translator *tr, struct emitter *e)
{
    struct code_chunk *k = &tr->chunks[tr->chunk];
    size_t size = tr->chunk ? CHUNK_BYTES : CHUNK_BYTES - ROUTINE_BYTES;
    if (tr->next + BLOCK_CODE_MAX > k->start + size || k->records_used + BLOCK_CODE_MAX > RECORD_BYTES)
        chunk_start(tr, (tr->chunk + 1) % tr->chunk_count);
    *e = (struct emitter){ tr->next, tr->run, tr->plain };
}

void code_cache_end(struct translator *tr, const struct emitter *e, struct translation *t)
{
    struct code_chunk *k = &tr->chunks[tr->chunk];
    tr->next = e->p + (-(uintptr_t)e->p & 15);
    t->next_in_chunk = k->translations;
    k->translations = t;
}

void *code_cache_record(struct translator *tr, size_t size)
{
    struct code_chunk *k = &tr->chunks[tr->chunk];
    void *p = k->records + k->records_used;
    k->records_used += align_up(size, 16);
    memset(p, 0, size);
    return p;
}

void code_cache_drop(struct translator *tr)
{
    for (unsigned n = 0; n < tr->chunk_count; n++)
        chunk_empty(tr, &tr->chunks[n]);
    chunk_start(tr, 0);
}

/* The same pages below 2 GiB, where they can be executed: displacements of 32 bits reach them. An anonymous mapping, since perf looks for
 * names of code only there. */
static uint8_t *mapped_twice(uint8_t *writable, size_t size)
{
    uint8_t *low = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
    if (writable == MAP_FAILED || low == MAP_FAILED || mremap(writable, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, low) != low
        || mprotect(low, size, PROT_READ | PROT_EXEC) < 0)
        return MAP_FAILED;
    return low;
}

/* --- life ------------------------------------------------------------------------------------------------------- */
bool code_cache_create(struct translator *tr, size_t bytes, struct error *err)
{
    tr->chunk_count = (unsigned)MIN(MAX(bytes / CHUNK_BYTES, 2u), CHUNKS);
    size_t size = (size_t)tr->chunk_count * CHUNK_BYTES;
    uint8_t *writable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *executable = mapped_twice(writable, size);
    uint8_t *records = mmap(NULL, (size_t)tr->chunk_count * RECORD_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tr->code = writable;
    tr->run = executable - writable;
    if (writable == MAP_FAILED || executable == MAP_FAILED || records == MAP_FAILED)
        return error_set(err, errno, "no executable memory for translated code (%s); choose --engine interpreter", strerror(errno));
    for (unsigned n = 0; n < tr->chunk_count; n++)
        tr->chunks[n] = (struct code_chunk){ writable + (size_t)n * CHUNK_BYTES, NULL, records + (size_t)n * RECORD_BYTES, 0 };
    tr->next = tr->chunks[0].start;
    routines_emit(tr);
    tr->chunks[0].start = tr->next = writable + ROUTINE_BYTES;
    return true;
}

void code_cache_destroy(struct translator *tr)
{
    size_t size = (size_t)tr->chunk_count * CHUNK_BYTES;
    if (!tr->chunks[0].start)                                   /* it was never made */
        return;
    munmap(tr->code, size);
    munmap(tr->code + tr->run, size);
    munmap(tr->chunks[0].records, (size_t)tr->chunk_count * RECORD_BYTES);
}
