/* Saved state as tables: each device lists the fields that make up what the guest can observe. */
#ifndef CORE_STATE_H
#define CORE_STATE_H
#include "base/error.h"
#include "base/stream.h"
#include "core/clock.h"
#include <stddef.h>
#include <stdint.h>

enum state_kind { STATE_END, STATE_U8, STATE_U16, STATE_U32, STATE_U64, STATE_BOOL, STATE_TIMER, STATE_STRUCT,
                  STATE_BYTES };
struct state_field {
    const char *name; size_t offset; uint32_t count; uint8_t kind, since;
    const struct state_field *fields;           /* STATE_STRUCT: the fields of one element */
    size_t stride;                              /* STATE_STRUCT: bytes from element to element */
};
/* What a STATE_BYTES field points at: RAM, VRAM. Written in 4 KiB pages, all-zero pages left out. */
struct state_bytes { uint8_t *bytes; uint64_t length; };

#define STATE_KIND(lv) _Generic((lv), uint8_t: STATE_U8, uint16_t: STATE_U16, uint32_t: STATE_U32, \
    uint64_t: STATE_U64, int64_t: STATE_U64, bool: STATE_BOOL, struct timer: STATE_TIMER)
#define FIELD_SINCE(v, T, m) { .name = #m, .offset = offsetof(T, m), .count = 1, .kind = STATE_KIND(((T *)0)->m), .since = (v) }
#define FIELD(T, m) FIELD_SINCE(1, T, m)
#define FIELD_ARRAY(T, m) { .name = #m, .offset = offsetof(T, m), .count = sizeof(((T *)0)->m) / sizeof(((T *)0)->m[0]), \
    .kind = STATE_KIND(((T *)0)->m[0]), .since = 1 }
/* An embedded struct, and an array of structs. */
#define FIELD_STRUCT_SINCE(v, T, m, table) { .name = #m, .offset = offsetof(T, m), .count = 1, .kind = STATE_STRUCT, .since = (v), \
    .fields = (table), .stride = sizeof(((T *)0)->m) }
#define FIELD_STRUCT(T, m, table) FIELD_STRUCT_SINCE(1, T, m, table)
#define FIELD_STRUCTS(T, m, table) { .name = #m, .offset = offsetof(T, m), .count = sizeof(((T *)0)->m) / sizeof(((T *)0)->m[0]), \
    .kind = STATE_STRUCT, .since = 1, .fields = (table), .stride = sizeof(((T *)0)->m[0]) }
#define FIELD_BYTES(T, m) { .name = #m, .offset = offsetof(T, m) + 0 * sizeof(((T *)0)->m.bytes), .count = 1, \
    .kind = STATE_BYTES, .since = 1 }
#ifndef END
#define END { 0 }
#endif

/* One object's fields, in table order: name, kind, count, little-endian bytes. */
void state_save(const struct state_field *, const void *object, struct stream *);
/* Reads what state_save wrote. With apply false it only checks: names, kinds and counts must be in the table, and a
 * table field may be missing only if its `since` is newer than `version`. */
bool state_load(const struct state_field *, void *object, struct clock *, struct stream *, unsigned version, bool apply,
                struct error *);
/* Compares two objects; writes "name[index]: a != b" of the first difference. true when equal. */
bool state_diff(const struct state_field *, const void *a, const void *b, char *text, size_t size);
extern const struct state_field fifo_state[];

#endif
