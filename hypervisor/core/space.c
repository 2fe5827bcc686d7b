/* A space keeps its regions in a list and answers from a flat view: sorted, disjoint ranges that each name who answers
 * reads and who takes writes. The view is rebuilt at the first look-up after a change. */
#include "core/space.h"
#include "base/bits.h"
#include <assert.h>
#include <stdlib.h>

enum { PAGE = 4096 };

struct region {
    struct space *space;
    uint64_t base, size, full_size;
    const struct io_ops *ops;                   /* NULL: RAM */
    void *chip;
    uint8_t *bytes;
    unsigned flags, order;
    int priority;
    bool read, write, enabled;
    uint64_t *dirty;                            /* a bit a page, with RAM_DIRTY_LOG */
    struct region *next;
};

struct range { uint64_t base, end; struct region *read, *write; };      /* end: last address */

struct space {
    const char *name;
    uint64_t last;                              /* highest address */
    struct region *regions;
    unsigned order;
    struct range *flat; size_t count, hit;      /* hit: the range found last */
    bool stale;
    struct space_listener *listeners;
};

struct space *space_create(const char *name, unsigned bits)
{
    struct space *s = calloc(1, sizeof(*s));
    assert(s && bits < 64);
    s->name = name;
    s->last = (1ull << bits) - 1;
    s->stale = true;
    return s;
}

void space_free(struct space *s)
{
    for (struct region *r = s->regions, *next; r; r = next) {
        next = r->next;
        free(r->dirty);
        free(r);
    }
    free(s->flat);
    free(s);
}

static void changed(struct region *r)
{
    r->space->stale = true;
    for (struct space_listener *l = r->space->listeners; l; l = l->next)
        if (l->changed)
            l->changed(l->listener, r);
}

static struct region *add(struct space *s, uint64_t base, uint64_t size, int priority)
{
    struct region *r = calloc(1, sizeof(*r));
    assert(r && size);
    *r = (struct region){ .space = s, .base = base, .size = size, .full_size = size, .priority = priority, .order = s->order++,
                          .read = true, .write = true, .enabled = true, .next = s->regions };
    s->regions = r;
    return r;
}

struct region *space_map_io(struct space *s, uint64_t base, uint64_t size, const struct io_ops *ops, void *chip, int priority)
{
    struct region *r = add(s, base, size, priority);
    r->ops = ops;
    r->chip = chip;
    changed(r);
    return r;
}

struct region *space_map_ram(struct space *s, uint64_t base, uint64_t size, uint8_t *bytes, unsigned flags, int priority)
{
    struct region *r = add(s, base, size, priority);
    r->bytes = bytes;
    r->flags = flags;
    if (flags & RAM_DIRTY_LOG) {
        r->dirty = calloc((size / PAGE + 64) / 64, sizeof(*r->dirty));
        assert(r->dirty);
    }
    changed(r);
    return r;
}

void region_move(struct region *r, uint64_t base)
{
    if (r->base == base)
        return;
    r->base = base;
    changed(r);
}

void region_enable(struct region *r, bool on)
{
    if (r->enabled == on)
        return;
    r->enabled = on;
    changed(r);
}

void region_access(struct region *r, bool read, bool write)
{
    if (r->read == read && r->write == write)
        return;
    r->read = read;
    r->write = write;
    changed(r);
}

void region_resize(struct region *r, uint64_t size)
{
    assert(size && size <= r->full_size);
    if (r->size == size)
        return;
    r->size = size;
    changed(r);
}

uint64_t region_base(const struct region *r)
{
    return r->base;
}

/* --- the flat view ------------------------------------------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool above(const struct region *r, const struct region *best)
{
    return !best || r->priority > best->priority || (r->priority == best->priority && r->order > best->order);
}

static uint64_t region_last(const struct region *r)
{
    uint64_t last = r->base + (r->size - 1);
    return last < r->base || last > r->space->last ? r->space->last : last;
}

static void rebuild(struct space *s)
{
    size_t n = 0, cuts = 0;
    for (struct region *r = s->regions; r; r = r->next)
        n++;
    uint64_t *cut = malloc((2 * n + 2) * sizeof(*cut));
    s->flat = realloc(s->flat, (2 * n + 2) * sizeof(*s->flat));
    assert(cut && s->flat);
    cut[cuts++] = 0;
    for (struct region *r = s->regions; r; r = r->next) {
        if (!r->enabled || r->base > s->last)
            continue;
        cut[cuts++] = r->base;
        if (region_last(r) < s->last)
            cut[cuts++] = region_last(r) + 1;
    }
    qsort(cut, cuts, sizeof(*cut), by_address);
    s->count = 0;
    for (size_t i = 0; i < cuts; i++) {
        uint64_t end = i + 1 < cuts ? cut[i + 1] - 1 : s->last;
        struct region *read = NULL, *write = NULL;
        if (i + 1 < cuts && cut[i + 1] == cut[i])
            continue;
        for (struct region *r = s->regions; r; r = r->next) {
            if (!r->enabled || r->base > cut[i] || region_last(r) < cut[i])
                continue;
            if (r->read && above(r, read))
                read = r;
            if (r->write && above(r, write))
                write = r;
        }
        struct range *previous = s->count ? &s->flat[s->count - 1] : NULL;
        if (previous && previous->read == read && previous->write == write)
            previous->end = end;
        else
            s->flat[s->count++] = (struct range){ cut[i], end, read, write };
    }
    free(cut);
    s->hit = 0;
    s->stale = false;
}

static const struct range *find(struct space *s, uint64_t address)
{
    if (unlikely(s->stale))
        rebuild(s);
    const struct range *r = &s->flat[s->hit];
    if (address >= r->base && address <= r->end)
        return r;
    size_t low = 0, high = s->count - 1;
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        if (s->flat[middle].base <= address)
            low = middle;
        else
            high = middle - 1;
    }
    s->hit = low;
    return &s->flat[low];
}

/* --- accesses ----------------------------------------------------------------------------------------------------- */

static uint64_t ones(unsigned size) { return size == 8 ? ~0ull : (1ull << (size * 8)) - 1; }
static bool covers(const struct region *r, uint64_t address, unsigned size) { return address + size - 1 <= region_last(r); }

static uint64_t ram_get(const uint8_t *p, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
    return v;
}

static unsigned narrowest(const struct io_ops *ops) { return (unsigned)(ops->sizes & -ops->sizes); }

uint64_t space_read(struct space *s, uint64_t address, unsigned size)
{
    address &= s->last;
    const struct range *at = find(s, address);
    struct region *r = at->read;
    if (r && covers(r, address, size)) {
        uint64_t offset = address - r->base;
        if (!r->ops && at->end - address >= size - 1)
            return ram_get(r->bytes + offset, size);
        if (r->ops && r->ops->sizes & size)
            return r->ops->read(r->chip, offset, size) & ones(size);
        unsigned unit = r->ops ? narrowest(r->ops) : 0;
        if (unit > size)
            return r->ops->read(r->chip, offset & ~(uint64_t)(unit - 1), unit) >> (offset & (unit - 1)) * 8 & ones(size);
    } else if (!r && at->end - address >= size - 1) {
        return ones(size);
    }
    if (size == 1)
        return 0xff;
    unsigned half = size / 2;
    uint64_t low = space_read(s, address, half);
    return low | space_read(s, address + half, half) << half * 8;
}

static void mark_written(struct space *s, struct region *r, uint64_t address, uint64_t length)
{
    if (r->dirty)
        for (uint64_t page = (address - r->base) / PAGE; page <= (address - r->base + length - 1) / PAGE; page++)
            r->dirty[page / 64] |= 1ull << page % 64;
    for (struct space_listener *l = s->listeners; l; l = l->next)
        if (l->written)
            l->written(l->listener, address, length);
}

void space_write(struct space *s, uint64_t address, unsigned size, uint64_t value)
{
    address &= s->last;
    const struct range *at = find(s, address);
    struct region *r = at->write;
    if (r && covers(r, address, size)) {
        uint64_t offset = address - r->base;
        if (!r->ops && at->end - address >= size - 1) {
            if (!(r->flags & RAM_WRITABLE))
                return;
            memcpy(r->bytes + offset, &value, size);
            mark_written(s, r, address, size);
            return;
        }
        if (r->ops && r->ops->sizes & size) {
            r->ops->write(r->chip, offset, size, value & ones(size));
            return;
        }
        unsigned unit = r->ops ? narrowest(r->ops) : 0;
        if (unit > size) {
            unsigned shift = (unsigned)(offset & (unit - 1)) * 8;
            r->ops->write(r->chip, offset & ~(uint64_t)(unit - 1), unit, (value & ones(size)) << shift);
            return;
        }
    } else if (!r && at->end - address >= size - 1) {
        return;
    }
    if (size == 1)
        return;
    unsigned half = size / 2;
    space_write(s, address, half, value & ones(half));
    space_write(s, address + half, half, value >> half * 8);
}

uint8_t *space_ram(struct space *s, uint64_t address, uint64_t *length, unsigned *flags)
{
    const struct range *at = find(s, address & s->last);
    struct region *r = at->read;
    *length = at->end - (address & s->last) + 1;
    *flags = 0;
    if (!r || r->ops)
        return NULL;
    *flags = r->flags;
    if (at->write != r)
        *flags &= ~(unsigned)RAM_WRITABLE;
    return r->bytes + ((address & s->last) - r->base);
}

/* Moves bytes between a buffer and one range by accesses, for DMA into what is not RAM. */
static void copy_io(struct space *s, uint64_t address, uint8_t *to, const uint8_t *from, uint64_t length)
{
    while (length) {
        unsigned size = length >= 4 && !(address & 3) ? 4 : length >= 2 && !(address & 1) ? 2 : 1;
        if (to) {
            uint64_t v = space_read(s, address, size);
            memcpy(to, &v, size);
            to += size;
        } else {
            space_write(s, address, size, ram_get(from, size));
            from += size;
        }
        address += size;
        length -= size;
    }
}

bool space_copy_in(struct space *s, void *to, uint64_t address, size_t length)
{
    uint8_t *out = to;
    bool all = true;
    while (length) {
        address &= s->last;
        const struct range *at = find(s, address);
        uint64_t n = MIN(length, at->end - address + 1);
        if (at->read && !at->read->ops)
            memcpy(out, at->read->bytes + (address - at->read->base), n);
        else if (at->read)
            copy_io(s, address, out, NULL, n);
        else
            memset(out, 0xff, n);
        all = all && at->read;
        out += n;
        address += n;
        length -= n;
    }
    return all;
}

bool space_copy_out(struct space *s, uint64_t address, const void *from, size_t length)
{
    const uint8_t *in = from;
    bool all = true;
    while (length) {
        address &= s->last;
        const struct range *at = find(s, address);
        struct region *r = at->write;
        uint64_t n = MIN(length, at->end - address + 1);
        all = all && r;
        if (r && !r->ops && r->flags & RAM_WRITABLE) {
            memcpy(r->bytes + (address - r->base), in, n);
            mark_written(s, r, address, n);
        } else if (r && r->ops) {
            copy_io(s, address, NULL, in, n);
        }
        in += n;
        address += n;
        length -= n;
    }
    return all;
}

bool space_dirty_get_clear(struct region *r, uint64_t offset, uint64_t length)
{
    bool any = false;
    assert(r->dirty && length && offset + length <= r->full_size);
    for (uint64_t page = offset / PAGE; page <= (offset + length - 1) / PAGE; page++) {
        uint64_t bit = 1ull << page % 64;
        any |= (r->dirty[page / 64] & bit) != 0;
        r->dirty[page / 64] &= ~bit;
    }
    return any;
}

void space_listen(struct space *s, struct space_listener *l)
{
    l->next = s->listeners;
    s->listeners = l;
}

void space_unlisten(struct space *s, struct space_listener *l)
{
    for (struct space_listener **p = &s->listeners; *p; p = &(*p)->next)
        if (*p == l) {
            *p = l->next;
            return;
        }
}
