/* Saved state. A field is written as: name (text), kind (u8), count (u32), bytes. Timers are their deadline. A struct
 * array writes count, then the fields of each element, closed by an empty name. Byte areas write their length, then
 * (page number, 4096 bytes) for each page that is not all zero, closed by the page number ~0. */
#include "core/state.h"
#include "base/bits.h"
#include "base/fifo.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 4096 };
#define LAST_PAGE UINT32_MAX

const struct state_field fifo_state[] = {
    FIELD_ARRAY(struct fifo, bytes), FIELD(struct fifo, head), FIELD(struct fifo, count), FIELD(struct fifo, limit), END
};

static size_t element_size(const struct state_field *f)
{
    static const size_t sizes[] = { [STATE_U8] = 1, [STATE_U16] = 2, [STATE_U32] = 4, [STATE_U64] = 8, [STATE_BOOL] = 1,
                                    [STATE_TIMER] = sizeof(struct timer), [STATE_BYTES] = sizeof(struct state_bytes) };
    return f->kind == STATE_STRUCT ? f->stride : sizes[f->kind];
}

static void save_bytes(const struct state_bytes *area, struct stream *s)
{
    stream_put64(s, area->length);
    for (uint64_t at = 0; at < area->length; at += PAGE) {
        size_t n = (size_t)MIN(PAGE, area->length - at);
        if (!any_nonzero(area->bytes + at, n))
            continue;
        stream_put32(s, (uint32_t)(at / PAGE));
        stream_put(s, area->bytes + at, n);
    }
    stream_put32(s, LAST_PAGE);
}

static void save_element(const struct state_field *f, const void *p, struct stream *s)
{
    switch (f->kind) {
    case STATE_U8: stream_put8(s, *(const uint8_t *)p); break;
    case STATE_BOOL: stream_put8(s, *(const bool *)p); break;
    case STATE_U16: stream_put16(s, *(const uint16_t *)p); break;
    case STATE_U32: stream_put32(s, *(const uint32_t *)p); break;
    case STATE_U64: stream_put64(s, *(const uint64_t *)p); break;
    case STATE_TIMER: stream_put64(s, (uint64_t)((const struct timer *)p)->deadline); break;
    case STATE_STRUCT: state_save(f->fields, p, s); break;
    case STATE_BYTES: save_bytes(p, s); break;
    }
}

void state_save(const struct state_field *table, const void *object, struct stream *s)
{
    for (const struct state_field *f = table; f && f->kind != STATE_END; f++) {
        stream_put_text(s, f->name);
        stream_put8(s, f->kind);
        stream_put32(s, f->count);
        for (uint32_t i = 0; i < f->count; i++)
            save_element(f, (const char *)object + f->offset + i * element_size(f), s);
    }
    stream_put_text(s, "");
}

static bool load_bytes(struct state_bytes *area, struct stream *s, bool apply)
{
    if (stream_get64(s) != area->length || s->bad)
        return false;
    if (apply && area->length)
        memset(area->bytes, 0, area->length);
    for (;;) {
        uint32_t page = stream_get32(s);
        uint64_t at = (uint64_t)page * PAGE;
        if (s->bad || (page != LAST_PAGE && at >= area->length))
            return false;
        if (page == LAST_PAGE)
            return true;
        size_t n = (size_t)MIN(PAGE, area->length - at);
        const uint8_t *bytes = stream_get(s, n);
        if (!bytes)
            return false;
        if (apply && area->length)
            memcpy(area->bytes + at, bytes, n);
    }
}

static bool load_element(const struct state_field *f, void *p, struct clock *clock, struct stream *s, unsigned version,
                         bool apply, struct error *err)
{
    uint64_t v;
    switch (f->kind) {
    case STATE_U8: case STATE_BOOL:
        v = stream_get8(s);
        if (f->kind == STATE_BOOL && v > 1)
            return error_set(err, EINVAL, "field '%s' is not a truth value", f->name);
        if (apply)
            *(uint8_t *)p = (uint8_t)v;
        break;
    case STATE_U16: v = stream_get16(s); if (apply) *(uint16_t *)p = (uint16_t)v; break;
    case STATE_U32: v = stream_get32(s); if (apply) *(uint32_t *)p = (uint32_t)v; break;
    case STATE_U64: v = stream_get64(s); if (apply) *(uint64_t *)p = v; break;
    case STATE_TIMER:
        v = stream_get64(s);
        if ((int64_t)v < 0)
            return error_set(err, EINVAL, "timer '%s' has a negative deadline", f->name);
        if (apply)
            timer_at(clock, p, (int64_t)v);
        break;
    case STATE_STRUCT: return state_load(f->fields, p, clock, s, version, apply, err);
    case STATE_BYTES:
        if (!load_bytes(p, s, apply))
            return error_set(err, EINVAL, "memory '%s' has another size or is cut short", f->name);
        break;
    }
    return !s->bad || error_set(err, EINVAL, "field '%s' is cut short", f->name);
}

static const struct state_field *field_find(const struct state_field *table, const char *name)
{
    for (const struct state_field *f = table; f && f->kind != STATE_END; f++)
        if (!strcmp(f->name, name))
            return f;
    return NULL;
}

bool state_load(const struct state_field *table, void *object, struct clock *clock, struct stream *s, unsigned version,
                bool apply, struct error *err)
{
    enum { FIELDS_MAX = 256 };
    bool seen[FIELDS_MAX] = { false };
    char name[256];

    while (stream_get_text(s, name, sizeof(name)) && name[0]) {
        const struct state_field *f = field_find(table, name);
        uint8_t kind = stream_get8(s);
        uint32_t count = stream_get32(s);
        if (!f || f->kind != kind || f->count != count || seen[f - table])
            return error_set(err, EINVAL, "field '%s' is unknown, repeated or of another shape", name);
        seen[f - table] = true;
        for (uint32_t i = 0; i < count; i++)
            if (!load_element(f, (char *)object + f->offset + i * element_size(f), clock, s, version, apply, err))
                return false;
    }
    if (s->bad)
        return error_set(err, EINVAL, "the saved state is cut short");
    for (const struct state_field *f = table; f && f->kind != STATE_END; f++)
        if (!seen[f - table] && f->since <= version)
            return error_set(err, EINVAL, "field '%s' is missing", f->name);
    return true;
}

static bool diff_element(const struct state_field *f, uint32_t i, const void *a, const void *b, char *text, size_t size)
{
    if (f->kind == STATE_STRUCT) {
        char inner[128];
        if (state_diff(f->fields, a, b, inner, sizeof(inner)))
            return true;
        snprintf(text, size, "%s[%u].%s", f->name, i, inner);
        return false;
    }
    if (f->kind == STATE_BYTES) {
        const struct state_bytes *x = a, *y = b;
        if (x->length == y->length && !memcmp(x->bytes, y->bytes, x->length))
            return true;
        snprintf(text, size, "%s: bytes differ", f->name);
        return false;
    }
    uint64_t x = 0, y = 0;
    size_t n = f->kind == STATE_TIMER ? sizeof(int64_t) : element_size(f);
    memcpy(&x, a, n);                           /* a timer's deadline is its first member */
    memcpy(&y, b, n);
    if (x == y)
        return true;
    snprintf(text, size, "%s[%u]: 0x%" PRIx64 " != 0x%" PRIx64, f->name, i, x, y);
    return false;
}

bool state_diff(const struct state_field *table, const void *a, const void *b, char *text, size_t size)
{
    for (const struct state_field *f = table; f && f->kind != STATE_END; f++)
        for (uint32_t i = 0; i < f->count; i++) {
            size_t at = f->offset + i * element_size(f);
            if (!diff_element(f, i, (const char *)a + at, (const char *)b + at, text, size))
                return false;
        }
    return true;
}
