/* Sources. Formats are told apart by what the file holds, never by its name: an E01 file read as a raw disk would import and
 * be worthless. References: [FORMATS]. */
#include "importers/sources/source.h"
#include "importers/sources/feed.h"
#include "importers/formats/formats.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A stream cannot be searched: of it only raw disks are taken. */
static bool feed_raw(const struct source *s, struct error *err)
{
    const char *format;
    json_t *details;
    struct block *head = block_open_memory(s->head_length, err);
    if (!head || block_write(head, 0, s->head, s->head_length)) {
        block_close(head);
        return false;
    }
    const struct disk_format *f = format_find(head);
    if (f) {
        block_close(head);
        return error_set(err, ENOTSUP, "%s is a %s, which cannot be read as a stream; give its file name", s->name, f->what);
    }
    head = format_open(head, &(struct format_names){ .path = s->name }, &format, &details, err);
    block_close(head);
    return head;
}

static bool feed_found(struct source *s, struct feed *f, struct error *err)
{
    const char *packed;
    s->feed = f;
    if (!f || !feed_read(f, s->head, SOURCE_HEAD, &s->head_length, err))
        return false;
    if ((packed = unpack_find(s->head, s->head_length))) {
        s->details = json_pack("{s:s}", "compression", packed);
        s->size = 0;
        s->feed = feed_unpacked(f, s->head, s->head_length, err);
        if (!s->feed || !feed_read(s->feed, s->head, SOURCE_HEAD, &s->head_length, err))
            return false;
    }
    return s->head_length ? feed_raw(s, err) : error_set(err, ENODATA, "%s is empty; there is no disk to import", s->name);
}

/* The first bytes, or with bad sectors what can be read of them. */
static void head_read(struct source *s, struct block *b)
{
    s->head_length = (size_t)MIN(b->size, (uint64_t)SOURCE_HEAD);
    memset(s->head, 0, sizeof(s->head));
    if (s->head_length && block_read(b, 0, s->head, s->head_length))
        for (size_t at = 0; at < s->head_length; at += 512)
            block_read(b, at, s->head + at, MIN((size_t)512, s->head_length - at));
}

static bool file_open(struct source *s, bool device, const struct source_options *o, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct format_names names = { s->name, o ? o->parents : NULL, o ? o->parent_count : 0 };
    struct block *b = s->block = block_open_raw(s->name, BLOCK_RDONLY, err);
    s->kind = device ? "block device" : "file";
    if (!b)
        return false;
    if (!b->size)
        return error_set(err, ENODATA, "%s is empty; there is no disk to import", s->name);
    head_read(s, b);
    if (unpack_find(s->head, s->head_length)) {
        s->block = NULL;
        return feed_found(s, feed_block(b, s->name, cancel, err), err);
    }
    if (!(s->block = format_open(b, &names, &s->format, &s->details, err)))
        return false;
    s->size = s->block->size;
    if (s->block != b)
        head_read(s, s->block);
    return true;
}

bool source_open(struct source *s, const char *name, const struct source_options *o, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct stat st;
    int fd;
    *s = (struct source){ .name = name, .kind = "stream", .format = "raw" };
    if (!strncmp(name, "ssh://", 6)) {
        s->kind = "remote disk";
        return feed_found(s, feed_ssh(name, cancel, &s->size, err), err);
    }
    if (!strcmp(name, "-")) {
        s->name = "standard input";
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        return fd >= 0 ? feed_found(s, feed_descriptor(fd, s->name, cancel, err), err) : error_set(err, errno, "standard input is closed");
    }
    if (stat(name, &st))
        return error_set(err, errno, "cannot read %s: %s", name, strerror(errno));
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return file_open(s, S_ISBLK(st.st_mode), o, cancel, err);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? feed_found(s, feed_descriptor(fd, name, cancel, err), err)
                   : error_set(err, errno, "cannot read %s: %s", name, strerror(errno));
}

bool source_list(struct source_list *l, const char *name, struct error *err)
{
    *l = (struct source_list){ .names = calloc(1, sizeof(char *)), .count = 1 };
    return (l->names && (l->names[0] = strdup(name))) || error_set(err, ENOMEM, "no memory for a list of sources");
}

void source_list_free(struct source_list *l)
{
    for (size_t i = 0; l->names && i < l->count; i++)
        free(l->names[i]);
    free(l->names);
    *l = (struct source_list){ 0 };
}

bool source_read(struct source *s, uint8_t *to, size_t length, size_t *got, struct error *err)
{
    size_t head = s->position < s->head_length ? MIN(length, s->head_length - (size_t)s->position) : 0, rest = 0;
    memcpy(to, s->head + (head ? s->position : 0), head);       /* read already, to know what it is */
    bool ok = feed_read(s->feed, to + head, length - head, &rest, err);
    *got = head + rest;
    s->position += *got;
    return ok;
}

void source_close(struct source *s)
{
    block_close(s->block);
    feed_close(s->feed);
    json_decref(s->details);
    s->block = NULL;
    s->feed = NULL;
    s->details = NULL;
}
