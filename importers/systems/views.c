/* Files as text: the strings in programs and kernels, their version resources, names of folders, the last login. They are kept,
 * since rules ask for the same file again and again. References: [VERSION-RESOURCE], [UTMP]. */
#include "importers/systems/views.h"
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 65536, HEAD = 64, RUN_LEAST = 4, RUN_MOST = 1024, MBR_BYTES = 32768, BOOT_BYTES = 65536, RAW_BYTES = 8 << 20, NAMES_MOST = 1 << 20 };
struct text { const char *bytes; size_t length; };

static bool file_read(const struct place *p, const char *path, size_t most, FILE *out)
{
    char piece[PIECE];
    size_t n = PIECE, at = 0;
    bool there = p->tree.read_part && p->tree.read_part(p->tree.at, path, 0, piece, &n);
    while (there && n && at < most) {
        fwrite(piece, 1, MIN(n, sizeof(piece)), out);
        at += n;
        n = PIECE;
        if (!p->tree.read_part(p->tree.at, path, at, piece, &n))
            break;
    }
    return there;
}

static void boot_read(const struct place *p, const char *path, FILE *out)
{
    bool mbr = !strcmp(path, "@mbr");
    uint64_t start = mbr ? 0 : p->start, most = mbr ? MBR_BYTES : !strcmp(path, "@raw") ? RAW_BYTES : BOOT_BYTES;
    uint64_t length = p->disk && start < p->disk->size ? MIN(most, mbr ? p->disk->size : MIN(p->length, p->disk->size - start)) : 0;
    for (uint64_t at = 0; at < length; at += PIECE) {
        char piece[PIECE] = { 0 };
        if (!block_read(p->disk, start + at, piece, MIN(PIECE, length - at)))
            fwrite(piece, 1, MIN(PIECE, length - at), out);
    }
}

/* VS_FIXEDFILEINFO, in programs of 16 and 32 bits: a signature, a structure version, the file's version in four words. */
static void put_version(const struct text *file, FILE *out)
{
    static const uint8_t signature[] = { 0xbd, 0x04, 0xef, 0xfe, 0x00, 0x00, 0x01, 0x00 };
    const char *at = memmem(file->bytes, file->length, signature, sizeof(signature));
    if (at && file->length - (size_t)(at - file->bytes) >= 16)
        fprintf(out, "@version=%u.%u.%u.%u\n", le16_get(at + 10), le16_get(at + 8), le16_get(at + 14), le16_get(at + 12));
}

/* The entries of a login record have many sizes: a size fits when it divides the file and most of its times are of our age. */
static void put_last(const struct text *file, FILE *out)
{
    static const struct { unsigned size, time; } kinds[] = { { 384, 340 }, { 56, 24 }, { 44, 40 }, { 36, 32 }, { 304, 296 }, { 292, 284 } };
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        size_t count = file->length / kinds[k].size, good = 0;
        uint32_t last = 0;
        for (size_t i = 0; i < count && file->length % kinds[k].size == 0; i++) {
            uint32_t when = le32_get(file->bytes + i * kinds[k].size + kinds[k].time);
            bool fits = when > 500000000 && when < 2100000000;      /* 1985 .. 2036 */
            good += fits;
            last = fits ? MAX(last, when) : last;
        }
        if (good && good * 10 >= count * 9) {
            unsigned day = day_of_unix(last);
            fprintf(out, "@last=%04u-%02u-%02u\n", day / 10000, day / 100 % 100, day % 100);
            return;
        }
    }
}

/* Runs of characters of `step` bytes. */
static void put_runs(const struct text *file, size_t step, FILE *out)
{
    char run[RUN_MOST];
    size_t n = 0;
    for (size_t i = 0; i <= file->length; i += step) {
        unsigned c = i + step > file->length ? 0 : step == 1 ? (uint8_t)file->bytes[i] : le16_get(file->bytes + i);
        bool printable = (c >= ' ' && c <= '~') || c == '\t';
        if (printable)
            run[n++] = (char)c;
        if (printable && n < RUN_MOST)
            continue;
        if (n >= RUN_LEAST)
            fprintf(out, "%.*s\n", (int)n, run);
        n = 0;
    }
}

/* Lines end in LF; DOS text ends where its Control-Z is. */
static void make_plain(struct view *v)
{
    size_t n = 0;
    for (size_t i = 0; i < v->length && v->text[i] != 26; i++)
        if (v->text[i] != '\r')
            v->text[n++] = v->text[i];
    v->text[v->length = n] = 0;
}

/* Puts what the bytes of a file tell in their place. */
static void make_text(struct view *v)
{
    struct text file = { v->text, v->length };
    const char *name = strrchr(v->path, '/');
    if (!memchr(file.bytes, 0, file.length) && (file.length < 2 || le16_get(file.bytes) != 0xfeff)) {
        make_plain(v);
        return;
    }
    v->text = NULL;
    FILE *out = open_memstream(&v->text, &v->length);
    if (out) {
        fprintf(out, "@size=%zu\n@head=", file.length);
        for (size_t i = 0; i < MIN(file.length, (size_t)HEAD); i++)
            fprintf(out, "%02x", (uint8_t)file.bytes[i]);
        fputc('\n', out);
        put_version(&file, out);
        if (name && !strcmp(name, "/wtmp"))
            put_last(&file, out);
        put_runs(&file, 1, out);
        put_runs(&file, 2, out);
        fclose(out);
    }
    free((char *)file.bytes);
}

static void name_each(void *arg, const struct tree_entry *e)
{
    if (ftell(arg) < NAMES_MOST)
        fprintf(arg, "%s%s\n", e->name, e->folder ? "/" : "");
}

static void view_load(const struct place *p, struct view *v)
{
    FILE *out = open_memstream(&v->text, &v->length);
    bool there = out, made = *v->path == '@';
    if (!out)
        return;
    if (!strcmp(v->path, "@volume"))
        fputs(p->about, out);
    else if (made)
        boot_read(p, v->path, out);
    else if (v->kind == VIEW_NAMES)
        there = p->tree.list && p->tree.list(p->tree.at, v->path, name_each, out);
    else
        there = file_read(p, v->path, v->kind == VIEW_BYTES ? VIEW_BYTES_MOST : VIEW_MOST, out);
    fclose(out);
    if (!there) {
        free(v->text);
        v->text = NULL;
        v->length = 0;
    } else if (v->kind == VIEW_TEXT && v->text) {
        make_text(v);
    }
}

const struct view *view_get(struct views *vs, enum view_kind kind, const char *path)
{
    struct view *v = vs->list;
    for (; v < vs->list + vs->count; v++)
        if (v->kind == kind && !strcmp(v->path, path))
            return v->text ? v : NULL;
    if (vs->count == VIEWS_MOST || vs->bytes > VIEWS_BYTES_MOST)
        return NULL;
    *v = (struct view){ .kind = kind };
    snprintf(v->path, sizeof(v->path), "%s", path);
    view_load(vs->place, v);
    vs->count++;
    vs->bytes += v->length;
    return v->text ? v : NULL;
}

void views_free(struct views *vs)
{
    while (vs->count)
        free(vs->list[--vs->count].text);
}
