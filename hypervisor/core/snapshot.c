/* A saved machine: a magic number, then sections (instance id, class name, version, length, fields), closed by an
 * empty id. Loading reads the whole stream twice: the first time it only checks, so that a bad one changes nothing. */
#include "core/machine.h"
#include <errno.h>

static const char magic[8] = "HOLDOVR1";

static struct state_field clock_fields[] = { FIELD(struct clock, base), END };

static void save_section(struct stream *s, const char *id, const char *class, unsigned version,
                         const struct state_field *fields, const void *object)
{
    stream_put_text(s, id);
    stream_put_text(s, class);
    stream_put32(s, version);
    size_t at = s->length;
    stream_put64(s, 0);
    state_save(fields, object, s);
    if (!s->bad)
        le64_put(s->bytes + at, s->length - at - 8);
}

bool machine_save(struct machine *m, struct stream *s, struct error *err)
{
    bool running = m->clock.running;
    stream_put(s, magic, sizeof(magic));
    clock_stop(&m->clock);                      /* base is the time now */
    save_section(s, "clock", "clock", 1, clock_fields, &m->clock);
    if (running)
        clock_start(&m->clock);
    for (struct device *d = m->devices; d; d = d->next)
        save_section(s, d->id, d->class->name, d->class->state_version, d->class->state, d);
    stream_put_text(s, "");
    return !s->bad || error_set(err, ENOMEM, "there is not enough memory to save the machine");
}

static bool load_section(struct machine *m, struct stream *s, const char *id, bool apply, struct error *err)
{
    char class[256];
    if (!stream_get_text(s, class, sizeof(class)))
        return error_set(err, EINVAL, "the snapshot is cut short");
    unsigned version = stream_get32(s);
    uint64_t length = stream_get64(s);
    if (s->bad || length > s->length - s->position)
        return error_set(err, EINVAL, "the snapshot is cut short in '%s'", id);
    size_t end = s->position + length;
    struct stream part = { .bytes = s->bytes, .length = end, .position = s->position };
    struct device *d = machine_find(m, id);
    bool is_clock = !strcmp(id, "clock");
    const struct state_field *fields = is_clock ? clock_fields : d ? d->class->state : NULL;

    if (!is_clock && (!d || strcmp(d->class->name, class)))
        return error_set(err, EINVAL, "the snapshot has a device '%s' (%s) that this machine has not", id, class);
    if (!is_clock && version > d->class->state_version)
        return error_set(err, EINVAL, "'%s' was saved by a newer version of Holdover", id);
    if (!state_load(fields, is_clock ? (void *)&m->clock : (void *)d, &m->clock, &part, version, apply, err))
        return error_prefix(err, "snapshot, '%s'", id);
    if (part.position != end)
        return error_set(err, EINVAL, "the snapshot's section '%s' has bytes left over", id);
    if (apply && is_clock)
        clock_set(&m->clock, m->clock.base);
    s->position = end;
    return true;
}

static bool walk(struct machine *m, struct stream *s, bool apply, struct error *err)
{
    size_t devices = 0, sections = 0;
    char id[256], first[256] = "";
    const uint8_t *start = stream_get(s, sizeof(magic));
    if (!start || memcmp(start, magic, sizeof(magic)))
        return error_set(err, EINVAL, "this is not a saved machine");
    while (stream_get_text(s, id, sizeof(id)) && id[0]) {
        if (!first[0])
            memcpy(first, id, sizeof(first));
        if (!load_section(m, s, id, apply, err))
            return false;
        sections++;
    }
    if (s->bad || s->position != s->length)
        return error_set(err, EINVAL, "the snapshot is cut short or has bytes left over");
    for (struct device *d = m->devices; d; d = d->next)
        devices++;
    if (sections != devices + 1 || strcmp(first, "clock"))
        return error_set(err, EINVAL, "the snapshot is of a machine with other devices");
    for (struct device *d = m->devices; d && apply; d = d->next)
        if (d->class->restored && !d->class->restored(d))
            return error_set(err, EINVAL, "'%s': the %s cannot be in the state that was saved", d->id, d->class->summary);
    return true;
}

/* What the check of names and shapes cannot see, the chips' own checks do, after the fact: then the machine goes back to what it was. */
bool machine_load(struct machine *m, struct stream *s, struct error *err)
{
    struct stream before = { 0 };
    struct error ignored;
    size_t start = s->position;
    if (!walk(m, s, false, err) || !machine_save(m, &before, err)) {
        stream_free(&before);
        return false;
    }
    s->position = start;
    s->bad = false;
    machine_reset(m, RESET_POWER);
    bool ok = walk(m, s, true, err);
    if (!ok) {
        machine_reset(m, RESET_POWER);
        walk(m, &before, true, &ignored);
    }
    stream_free(&before);
    return ok;
}
