/* libFuzzer: a saved machine with values changed is loaded. It is refused with a sentence, or the machine goes on: runs, answers at its
 * ports, shows its picture, is saved again. The input is a list of changes, so that names and shapes mostly stay right;
 * its first byte chooses bytes instead, or the input itself as the stream. */
#include "tests/fuzz/board.h"

enum { VALUES_MAX = 1 << 16, CHANGES_MAX = 64 };
static struct { uint32_t at; uint8_t size; } values[VALUES_MAX];
static unsigned value_count;
static struct stream saved;

/* --- where the values are (see core/state.c) --------------------------------------------------------------------- */

static void find_bytes(struct stream *s)
{
    uint64_t length = stream_get64(s);
    for (uint32_t page; (page = stream_get32(s)) != UINT32_MAX && !s->bad;)
        stream_get(s, MIN(4096, length - page * 4096ull));
}

static void find_fields(struct stream *s)
{
    static const uint8_t sizes[] = { [STATE_U8] = 1, [STATE_U16] = 2, [STATE_U32] = 4, [STATE_U64] = 8, [STATE_BOOL] = 1, [STATE_TIMER] = 8 };
    char name[256];
    while (stream_get_text(s, name, sizeof(name)) && name[0]) {
        uint8_t kind = stream_get8(s);
        for (uint32_t count = stream_get32(s); count && !s->bad; count--) {
            if (kind == STATE_STRUCT) {
                find_fields(s);
            } else if (kind == STATE_BYTES) {
                find_bytes(s);
            } else {
                if (value_count < VALUES_MAX && count <= 64)    /* of long arrays the end will do */
                    values[value_count].at = (uint32_t)s->position, values[value_count++].size = sizes[kind];
                stream_get(s, sizes[kind]);
            }
        }
    }
}

static void find_values(struct stream *s)
{
    char text[256];
    s->position = 8;
    while (stream_get_text(s, text, sizeof(text)) && text[0]) {
        stream_get_text(s, text, sizeof(text));
        stream_get32(s);
        stream_get64(s);
        find_fields(s);
    }
    if (s->bad || !value_count)
        abort();
}

/* --- what is done -------------------------------------------------------------------------------------------------- */

static void change(struct stream *s, const uint8_t *data, size_t size, bool anywhere)
{
    for (unsigned n = 0; n < CHANGES_MAX && size >= 4; n++, data += 4, size -= 4) {
        static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX };
        uint64_t v = data[3] < ARRAY_SIZE(edges) ? edges[data[3]] : data[3];
        unsigned pick = data[0] | data[1] << 8 | data[2] << 16;
        if (anywhere) {
            s->bytes[pick % s->length] = data[3];
            continue;
        }
        uint8_t *at = s->bytes + values[pick % value_count].at;
        for (unsigned i = 0; i < values[pick % value_count].size; i++)
            at[i] = (uint8_t)(v >> 8 * i);
    }
}

static void use(struct machine *m)
{
    struct stream again = { 0 };
    struct error err;
    for (unsigned round = 0; round < 2; round++) {
        fuzz_look(m);
        machine_key(m, 4, true);
        machine_pointer_move(m, 3, 4, 1, 1);
        machine_run(m, clock_now(&m->clock) + 300000);
        machine_lock(m);
        for (unsigned port = 0; port < 0x520; port++)
            space_read(m->ports, port, 1);
        for (unsigned port = 0; port < 0x3e0; port++)
            if (port != 0xf4 && (port & 0x3f8) != 0x1f0)
                space_write(m->ports, port, 1, port * (round + 77));
        for (uint32_t address = 0xa0000; address < 0xc0000; address += 1021)
            space_write(m->memory, address, 1, space_read(m->memory, address, 4));
        machine_unlock(m);
    }
    machine_save(m, &again, &err);
    stream_free(&again);
}

/* After a refusal the machine is what it was: new. */
static bool unchanged(struct machine *m)
{
    struct stream now = { 0 };
    struct error err;
    bool same = machine_save(m, &now, &err) && now.length == saved.length && !memcmp(now.bytes, saved.bytes, now.length);
    stream_free(&now);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = { 0 };
    struct stream s = { 0 };
    if (size < 5)
        return 0;
    struct machine *m = fuzz_machine_again();
    if (!saved.length) {
        if (!machine_save(m, &saved, &err))
            abort();
        find_values(&saved);
    }
    if (data[0] == 255) {
        stream_put(&s, data + 1, size - 1);
    } else {
        stream_put(&s, saved.bytes, saved.length);
        change(&s, data + 1, size - 1, data[0] >= 240);
    }
    machine_lock(m);
    bool loaded = machine_load(m, &s, &err);
    machine_unlock(m);
    if (loaded)
        use(m);
    else if (!err.text[0] || !unchanged(m))
        abort();
    stream_free(&s);
    return 0;
}
