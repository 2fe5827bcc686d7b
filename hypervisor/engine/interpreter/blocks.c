/* The cache of decoded blocks, and how it stays true when code is written.
 *
 * A block is found by physical address and mode, so that it survives address-space switches and is shared between
 * processes. Each page that holds decoded bytes has a record: a bit per byte, and the list of its blocks. The mmu reports
 * every write to such a page; only a write that meets a set bit kills blocks, and only those that it meets. Data beside code
 * costs the slow store and nothing more.
 *
 * A dead block stays in its memory: its instructions are overwritten with exec_stop, so that a block that writes into
 * itself stops after the instruction that did, and one that is reached through a jump returns to the loop, which looks it up
 * anew. Memory comes from one arena; when it is full everything is forgotten at once, at a boundary.
 *
 * Devices write from other threads. They only look whether a page may hold code (an atomic bit per page) and queue the
 * range; the CPU takes the queue at its next boundary.
 *
 * Not modelled: prefetch queues. A write to the next instruction is always seen, as on the Pentium Pro and later. */
#include "engine/interpreter/interpreter.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { ARENA_BYTES = 40 << 20, HASH_BITS = 15, PAGE_HASH_BITS = 12, QUEUE = 64, MAY_BITS = 20, FETCH_MAX = 15 };

struct code_page {
    uint64_t page;                              /* physical address */
    struct code_page *next;
    struct block *blocks;
    bool marked, watched;                       /* its stores are reported; for blocks_watch() */
    uint8_t vain;                               /* stores since it held a block */
    uint64_t bytes[64];                         /* a bit per byte that was decoded */
};

struct range { uint64_t physical, length; };
struct block_cache {
    struct cpu *cpu;
    uint8_t *arena;
    size_t used;
    struct block *hash[1 << HASH_BITS];
    struct code_page *pages[1 << PAGE_HASH_BITS];
    struct block *scratch;                      /* instructions fetched from devices: never kept */
    struct space_listener listener;
    atomic_uint may_hold[1 << (MAY_BITS - 5)];  /* bit per page, modulo 4 GiB: does it hold code? */
    pthread_mutex_t lock;                       /* guards the rest; nothing is called under it */
    struct range queue[QUEUE];
    unsigned queued;
    bool forget;
    atomic_bool asked;                          /* set before PENDING_CODE, which others may clear */
};

static struct block_cache *cache_of(const struct cpu *c) { return interpreter_of(c)->cache; }

/* --- pages ---------------------------------------------------------------------------------------------------- */
static struct code_page **page_bucket(struct block_cache *k, uint64_t page)
{
    return &k->pages[(page >> 12 ^ page >> 24) & ((1 << PAGE_HASH_BITS) - 1)];
}

static struct code_page *page_find(struct block_cache *k, uint64_t page)
{
    struct code_page *p = *page_bucket(k, page);
    while (p && p->page != page)
        p = p->next;
    return p;
}

static void *arena_take(struct block_cache *k, size_t size)
{
    void *p = k->arena + k->used;
    k->used += align_up(size, 64);
    return p;
}

/* Before the page's bytes are read: what a device writes is then either read or reported. */
static void page_may_hold(struct block_cache *k, uint64_t physical)
{
    uint64_t n = physical >> 12 & ((1 << MAY_BITS) - 1);
    atomic_fetch_or(&k->may_hold[n / 32], 1u << (n % 32));
}

static struct code_page *page_get(struct cpu *c, uint64_t page)
{
    struct block_cache *k = cache_of(c);
    struct code_page *p = page_find(k, page);
    if (!p) {
        p = arena_take(k, sizeof *p);
        memset(p, 0, sizeof *p);
        p->page = page;
        p->next = *page_bucket(k, page);
        *page_bucket(k, page) = p;
    }
    p->vain = 0;
    if (p->marked)
        return p;
    p->marked = true;
    mmu_mark_code(c, page);
    const struct block_watch *watch = interpreter_of(c)->watch;
    if (watch)
        watch->marked(c, page);
    return p;
}

static void bytes_mark(struct code_page *p, unsigned first, unsigned count)
{
    for (unsigned n = first; n < first + count; n++)
        p->bytes[n / 64] |= 1ull << (n % 64);
}

static bool bytes_met(const struct code_page *p, unsigned first, unsigned count)
{
    for (unsigned n = first; n < first + count; n++) {
        if (n % 64 == 0 && !p->bytes[n / 64])
            n += 63;
        else if (p->bytes[n / 64] >> (n % 64) & 1)
            return true;
    }
    return false;
}

/* The part of a block that lies in the page: which = 0, its first bytes; 1, the rest of one that crosses. */
static void block_part(const struct block *b, unsigned which, unsigned *first, unsigned *count)
{
    unsigned offset = b->physical & 4095, here = MIN(b->bytes, 4096 - offset);
    *first = which ? 0 : offset;
    *count = which ? b->bytes - here : here;
}

/* --- death ---------------------------------------------------------------------------------------------------- */
static void unhash(struct block_cache *k, struct block *b);

static void block_kill(struct cpu *c, struct block *b)
{
    struct interpreter *in = interpreter_of(c);
    if (b->dead)
        return;
    b->dead = true;
    unhash(cache_of(c), b);
    if (in->watch)
        in->watch->killed(c, b);
    b->insn[0].exec = exec_stop;
    if (b == in->block && c->current)
        for (struct insn *i = b->insn; i <= &b->insn[b->count]; i++)
            i->exec = exec_stop;
}

/* A page without code stays marked for some stores: one that is rewritten all the time is not marked anew each time. */
static void page_release(struct cpu *c, struct code_page *p)
{
    enum { VAIN_MOST = 16 };
    uint64_t n = p->page >> 12 & ((1 << MAY_BITS) - 1);
    if (p->blocks || p->watched || !p->marked || p->vain++ < VAIN_MOST)
        return;
    p->marked = false;
    mmu_unmark_code(c, p->page);
    atomic_fetch_and(&cache_of(c)->may_hold[n / 32], ~(1u << (n % 32)));
}

static void page_written(struct cpu *c, struct code_page *p, unsigned first, unsigned count)
{
    if (!bytes_met(p, first, count))
        return;
    struct block **link = &p->blocks;
    memset(p->bytes, 0, sizeof p->bytes);
    while (*link) {
        struct block *b = *link;
        unsigned which = (b->physical & ~4095ull) != p->page, at, length;
        block_part(b, which, &at, &length);
        if (!b->dead && at < first + count && first < at + length)
            block_kill(c, b);
        if (b->dead) {
            *link = b->page_next[which];
        } else {
            bytes_mark(p, at, length);
            link = &b->page_next[which];
        }
    }
}

void blocks_written(struct cpu *c, uint64_t physical, uint64_t length)
{
    struct block_cache *k = cache_of(c);
    while (length) {
        unsigned offset = physical & 4095, count = (unsigned)MIN(length, 4096u - offset);
        struct code_page *p = page_find(k, physical - offset);
        if (p && p->blocks)
            page_written(c, p, offset, count);
        else if (p)
            page_release(c, p);
        if (p && p->watched)
            interpreter_of(c)->watch->written(c, physical, count);
        physical += count;
        length -= count;
    }
}

static void forget_all(struct cpu *c)
{
    struct block_cache *k = cache_of(c);
    struct interpreter *in = interpreter_of(c);
    for (unsigned n = 0; n < ARRAY_SIZE(k->pages); n++)
        for (struct code_page *p = k->pages[n]; p; p = p->next)
            if (p->marked)
                mmu_unmark_code(c, p->page);
    memset(k->pages, 0, sizeof k->pages);
    memset(k->hash, 0, sizeof k->hash);
    for (unsigned n = 0; n < ARRAY_SIZE(k->may_hold); n++)
        atomic_store_explicit(&k->may_hold[n], 0, memory_order_relaxed);
    memset(in->jumps, 0xff, sizeof in->jumps);
    k->used = 0;
    if (in->watch)
        in->watch->forgotten(c);
}

/* --- decoding ------------------------------------------------------------------------------------------------- */
static unsigned hash_of(uint64_t physical, unsigned mode)
{
    return (unsigned)((physical ^ physical >> HASH_BITS ^ (uint64_t)mode << 8) & ((1 << HASH_BITS) - 1));
}

static void unhash(struct block_cache *k, struct block *b)
{
    struct block **link = &k->hash[hash_of(b->physical, b->mode)];
    while (*link && *link != b)
        link = &(*link)->hash_next;
    if (*link)
        *link = b->hash_next;
}

static size_t block_size(unsigned count) { return sizeof(struct block) + (count + 1) * sizeof(struct insn); }

/* Closes the block after `count` instructions with the one that leads on. */
static void block_close(struct block *b, unsigned count, unsigned end)
{
    b->count = (uint16_t)count;
    b->bytes = (uint16_t)(end - (unsigned)(b->physical & 4095));
    struct insn *last = &b->insn[count];
    memset(last, 0, sizeof *last);
    last->offset = (uint16_t)end;
    last->exec = exec_block_end;
}

/* Fills in what the decoder does not know; true when the block ends here. */
static bool insn_finish(struct insn *i, enum decode_result result, unsigned offset)
{
    i->offset = (uint16_t)offset;
    if (result == DECODE_OK) {
        i->exec = exec_lookup(i);
        return i->flags & INSN_END;
    }
    i->exec = result == DECODE_TOO_LONG ? exec_too_long : exec_undefined;
    i->id = 0;
    return true;
}

/* Copies code bytes from wherever they are; returns how many. */
static unsigned fetch_bytes(struct cpu *c, uint64_t physical, const uint8_t *host, uint8_t *to, unsigned count)
{
    count = MIN(count, 4096u - (unsigned)(physical & 4095));
    if (host) {
        memcpy(to, host, count);
        return count;
    }
    machine_lock(c->dev.machine);
    for (unsigned n = 0; n < count; n++)
        to[n] = (uint8_t)space_read(c->dev.machine->memory, physical + n, 1);
    machine_unlock(c->dev.machine);
    return count;
}

/* One instruction that is not wholly inside a page of RAM. Fetches beyond the limit of CS are #GP before the next page is
 * looked at. */
static void decode_across(struct cpu *c, struct block *b, unsigned mode)
{
    uint8_t bytes[FETCH_MAX];
    uint32_t linear = c->seg[CS].base + c->eip;
    const uint8_t *host = b->host;
    unsigned have = fetch_bytes(c, b->physical, host, bytes, FETCH_MAX);
    enum decode_result result = insn_decode(c, b->insn, bytes, have, mode);
    if (result == DECODE_TRUNCATED) {
        if ((uint64_t)c->eip + have > c->seg[CS].limit)
            cpu_raise_error(c, EXC_GP, 0);
        b->second = mmu_fetch_host(c, linear + have, &host);
        page_may_hold(cache_of(c), b->second);
        have += fetch_bytes(c, b->second, host, bytes + have, FETCH_MAX - have);
        result = insn_decode(c, b->insn, bytes, have, mode);
    }
    insn_finish(b->insn, result, b->physical & 4095);
    block_close(b, 1, (unsigned)(b->physical & 4095) + b->insn->length);
}

static void decode_block(struct cpu *c, struct block *b, unsigned mode, unsigned limit)
{
    unsigned start = b->physical & 4095, offset = start, count = 0;
    while (count < limit && offset < 4096) {
        struct insn *i = &b->insn[count];
        enum decode_result result = insn_decode(c, i, b->host + (offset - start), 4096 - offset, mode);
        if (result == DECODE_TRUNCATED)
            break;
        bool end = insn_finish(i, result, offset);
        offset += i->length;
        count++;
        if (end)
            break;
    }
    if (count)
        block_close(b, count, offset);
    else
        decode_across(c, b, mode);
}

static void block_keep(struct cpu *c, struct block *b)
{
    struct block_cache *k = cache_of(c);
    arena_take(k, block_size(b->count));        /* where b already is */
    struct block **bucket = &k->hash[hash_of(b->physical, b->mode)];
    b->hash_next = *bucket;
    *bucket = b;
    for (unsigned which = 0; which < (b->second ? 2 : 1); which++) {
        struct code_page *p = page_get(c, which ? b->second : b->physical & ~4095ull);
        unsigned first, count;
        block_part(b, which, &first, &count);
        bytes_mark(p, first, count);
        b->page_next[which] = p->blocks;
        p->blocks = b;
    }
}

static struct block *block_make(struct cpu *c, uint64_t physical, const uint8_t *host, unsigned mode)
{
    struct block_cache *k = cache_of(c);
    size_t most = block_size(BLOCK_INSNS) + 2 * align_up(sizeof(struct code_page), 64) + 128;
    if (k->used + most > ARENA_BYTES)
        forget_all(c);
    struct block *b = host ? (struct block *)(k->arena + k->used) : k->scratch;
    memset(b, 0, sizeof *b);
    b->physical = physical;
    b->host = host;
    b->mode = (uint8_t)mode;
    if (!host) {
        decode_across(c, b, mode);
        b->dead = true;                         /* a device's bytes are fetched anew each time */
        b->second = 0;
        return b;
    }
    page_may_hold(k, physical);
    decode_block(c, b, mode, mode & MODE_SINGLE ? 1 : BLOCK_INSNS);
    block_keep(c, b);
    if (interpreter_of(c)->watch)
        interpreter_of(c)->watch->made(c, b);
    return b;
}

struct block *blocks_find(struct cpu *c, unsigned mode)
{
    const uint8_t *host, *host2;
    uint32_t linear = c->seg[CS].base + c->eip;
    if (c->eip > c->seg[CS].limit)
        cpu_raise_error(c, EXC_GP, 0);
    uint64_t physical = mmu_fetch_host(c, linear, &host);
    struct block *b = host ? cache_of(c)->hash[hash_of(physical, mode)] : NULL;
    while (b && (b->physical != physical || b->mode != mode))
        b = b->hash_next;
    if (b && (b->host != host || (b->second && mmu_fetch_host(c, (linear | 4095) + 1, &host2) != b->second))) {
        block_kill(c, b);
        b = NULL;
    }
    return b ? b : block_make(c, physical, host, mode);
}

/* --- other pages whose stores are wanted --------------------------------------------------------------------------- */
bool blocks_watch(struct cpu *c, uint64_t page)
{
    struct block_cache *k = cache_of(c);
    if (!page_find(k, page) && k->used + align_up(sizeof(struct code_page), 64) > ARENA_BYTES)
        return false;
    page_may_hold(k, page);
    page_get(c, page)->watched = true;
    return true;
}

void blocks_unwatch(struct cpu *c, uint64_t page)
{
    struct code_page *p = page_find(cache_of(c), page);
    if (p) {                                    /* else everything was forgotten */
        p->watched = false;
        page_release(c, p);
    }
}

/* --- from outside --------------------------------------------------------------------------------------------- */
static void pend(struct block_cache *k)
{
    atomic_store(&k->asked, true);
    atomic_fetch_or(&k->cpu->pending, PENDING_CODE);
}

static void device_wrote(void *listener, uint64_t address, uint64_t length)
{
    struct block_cache *k = listener;
    bool met = length > 1u << 24;
    atomic_thread_fence(memory_order_seq_cst);
    for (uint64_t page = address >> 12; !met && length && page <= (address + length - 1) >> 12; page++) {
        uint64_t n = page & ((1 << MAY_BITS) - 1);
        met = atomic_load_explicit(&k->may_hold[n / 32], memory_order_relaxed) >> (n % 32) & 1;
    }
    if (!met)
        return;
    pthread_mutex_lock(&k->lock);
    if (k->queued < QUEUE)
        k->queue[k->queued++] = (struct range){ address, length };
    else
        k->forget = true;
    pthread_mutex_unlock(&k->lock);
    pend(k);
}

void blocks_forget(struct cpu *c)
{
    struct block_cache *k = cache_of(c);
    pthread_mutex_lock(&k->lock);
    k->forget = true;
    pthread_mutex_unlock(&k->lock);
    pend(k);
}

void blocks_service(struct cpu *c)
{
    struct block_cache *k = cache_of(c);
    struct range queue[QUEUE];
    if (!atomic_exchange(&k->asked, false))
        return;
    atomic_fetch_and(&c->pending, ~(unsigned)PENDING_CODE);
    pthread_mutex_lock(&k->lock);
    unsigned queued = k->queued;
    bool forget = k->forget;
    memcpy(queue, k->queue, queued * sizeof queue[0]);
    k->queued = 0;
    k->forget = false;
    pthread_mutex_unlock(&k->lock);
    if (forget)
        forget_all(c);
    else
        for (unsigned n = 0; n < queued; n++)
            blocks_written(c, queue[n].physical, queue[n].length);
}

/* --- life ----------------------------------------------------------------------------------------------------- */
bool blocks_create(struct cpu *c, struct error *err)
{
    struct block_cache *k = calloc(1, sizeof *k);
    struct block *scratch = malloc(block_size(1));
    uint8_t *arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!k || !scratch || arena == MAP_FAILED) {
        free(k);
        free(scratch);
        if (arena != MAP_FAILED)
            munmap(arena, ARENA_BYTES);
        return error_set(err, 12, "no memory for decoded code of %s; close other programs", c->dev.id);
    }
    k->cpu = c;
    k->arena = arena;
    k->scratch = scratch;
    pthread_mutex_init(&k->lock, NULL);
    k->listener = (struct space_listener){ .written = device_wrote, .listener = k };
    space_listen(c->dev.machine->memory, &k->listener);
    interpreter_of(c)->cache = k;
    return true;
}

void blocks_destroy(struct cpu *c)
{
    struct block_cache *k = cache_of(c);
    space_unlisten(c->dev.machine->memory, &k->listener);
    pthread_mutex_destroy(&k->lock);
    munmap(k->arena, ARENA_BYTES);
    free(k->scratch);
    free(k);
}
