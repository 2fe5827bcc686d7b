#include "importers/evidence/evidence.h"
#include "base/bits.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES_MOST = 1 << 20 };

bool ranges_add(struct ranges *r, uint64_t start, uint64_t length)
{
    struct byte_range *last = r->count ? &r->list[r->count - 1] : NULL;
    if (last && last->start + last->length >= start) {
        last->length = MAX(last->length, start + length - last->start);
        return true;
    }
    if (r->count == r->room) {
        size_t room = r->room * 2 + 64;
        struct byte_range *more = room > RANGES_MOST ? NULL : realloc(r->list, room * sizeof(*more));
        if (!more)
            return false;
        r->list = more;
        r->room = room;
    }
    r->list[r->count++] = (struct byte_range){ start, length };
    return true;
}

bool ranges_join(struct ranges *to, const struct ranges *a, const struct ranges *b)
{
    bool ok = true;
    for (size_t i = 0, j = 0; ok && (i < a->count || j < b->count);) {
        bool first = i < a->count && (j == b->count || a->list[i].start < b->list[j].start);
        const struct byte_range *r = first ? &a->list[i++] : &b->list[j++];
        ok = ranges_add(to, r->start, r->length);
    }
    return ok;
}

void ranges_cut(struct ranges *r, uint64_t end)
{
    while (r->count && r->list[r->count - 1].start >= end)
        r->count--;
    if (r->count && r->list[r->count - 1].length > end - r->list[r->count - 1].start)
        r->list[r->count - 1].length = end - r->list[r->count - 1].start;
}

uint64_t ranges_bytes(const struct ranges *r)
{
    uint64_t all = 0;
    for (size_t i = 0; i < r->count; i++)
        all += r->list[i].length;
    return all;
}

bool ranges_touch(const struct ranges *r, uint64_t start, uint64_t length)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].start < start + length && start < r->list[i].start + r->list[i].length)
            return true;
    return false;
}

void ranges_free(struct ranges *r)
{
    free(r->list);
    *r = (struct ranges){ 0 };
}

/* Lines of `POSITION SIZE STATUS`, numbers as C writes them; the first that is no comment tells where ddrescue was. */
bool map_parse(const char *text, const char *name, uint64_t size, struct ranges *bad, struct error *err)
{
    uint64_t done = 0;                          /* the map has told of everything before */
    bool status_seen = false;
    unsigned number = 1;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n', number++) {
        char *end, *end2;
        line += strspn(line, " \t\r");
        if (!*line || *line == '#' || *line == '\n')
            continue;
        errno = 0;
        uint64_t start = strtoull(line, &end, 0);
        if (!status_seen && end != line && *line != '-') {
            status_seen = true;
            continue;
        }
        uint64_t length = strtoull(end, &end2, 0);
        const char *status = end2 + strspn(end2, " \t");
        if (end == line || end2 == end || errno || *line == '-' || !*status || !strchr("?*/-+", *status) || start < done ||
            length > UINT64_MAX - start)
            return error_set(err, EINVAL, "line %u of %s is not one of a ddrescue map", number, name);
        uint64_t from = *status == '+' ? start : MIN(start + length, size);
        if (from > done && done < size && !ranges_add(bad, done, MIN(from, size) - done))
            return error_set(err, ENOMEM, "%s has too many ranges", name);
        done = start + length;
    }
    if (!status_seen)
        return error_set(err, EINVAL, "%s is not a ddrescue map", name);
    return done >= size || ranges_add(bad, done, size - done) || error_set(err, ENOMEM, "%s has too many ranges", name);
}

bool map_read(const char *path, uint64_t size, struct ranges *bad, struct error *err)
{
    size_t length;
    char *text = text_read(path, &length, err);
    bool ok = text && map_parse(text, path, size, bad, err);
    free(text);
    return ok;
}

bool map_write(const char *path, uint64_t done, uint64_t size, const struct ranges *bad, struct error *err)
{
    uint64_t at = 0;
    char *text = NULL;
    size_t room;
    FILE *f = open_memstream(&text, &room);
    if (!f)
        return error_set(err, ENOMEM, "no memory for %s", path);
    fprintf(f, "# Mapfile. What could be read of the disk, as GNU ddrescue writes it\n# current_pos  current_status  current_pass\n"
            "0x%08" PRIX64 "     %c               1\n#      pos        size  status\n", done, done < size ? '?' : '+');
    for (size_t i = 0; i <= bad->count; i++) {
        uint64_t start = i < bad->count ? bad->list[i].start : done, length = i < bad->count ? bad->list[i].length : size - done;
        if (start > at)
            fprintf(f, "0x%08" PRIX64 "  0x%08" PRIX64 "  +\n", at, start - at);
        if (length)
            fprintf(f, "0x%08" PRIX64 "  0x%08" PRIX64 "  %c\n", start, length, i < bad->count ? '-' : '?');
        at = start + length;
    }
    fclose(f);
    bool ok = text_write(path, text, err);
    free(text);
    return ok;
}
