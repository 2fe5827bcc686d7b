/* Sources. Formats are told apart by what there is, never by a name: an E01 file read as a raw disk would import and be worthless.
 * References: [FORMATS]. */
#include "importers/sources/source.h"
#include "importers/formats/formats.h"
#include "importers/sources/feed.h"
#include "importers/sources/transports.h"
#include "base/bits.h"
#include "block/layer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is known while a source is opened. */
struct opening { struct source *s; const struct source_options *o; const volatile sig_atomic_t *cancel; struct facts facts; struct error *err; };

static bool block_found(struct opening *, struct block *);

static bool system_error(const struct opening *p)
{
    return error_set(p->err, errno, "cannot read %s: %s", p->s->name, strerror(errno));
}

/* Nothing but text in its first sector: somebody gave the wrong file. */
static bool text_refused(const struct opening *p, const uint8_t *head, uint64_t size)
{
    size_t n = 0;
    while (n < MIN(size, 512u) && (head[n] >= ' ' || (head[n] >= '\t' && head[n] <= '\r')) && head[n] != 0x7f)
        n++;
    return n == MIN(size, 512u) && !error_set(p->err, EINVAL, "%s begins with text; it is not a disk, nor an image in a known format", p->s->name);
}

/* What is in a short stream is searched in memory; in a long one, of a known format, in a temporary file without a name. */
static bool feed_keep(struct opening *p)
{
    struct source *s = p->s;
    const char *folder = getenv("TMPDIR");
    int fd = s->head_length < SOURCE_HEAD ? -1 : open(folder && *folder ? folder : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), error = 0;
    struct block *b = s->head_length < SOURCE_HEAD ? block_open_memory(s->head_length, p->err) : NULL;
    size_t got = s->head_length;
    if (b)
        error = block_write(b, 0, s->head, got);
    for (uint64_t at = 0; !b && got && !error;) {
        error = fd < 0 ? -errno : file_write(fd, at, s->head, got);
        at += got;
        if (!error && !feed_read(s->feed, s->head, SOURCE_HEAD, &got, p->err)) {
            close(fd);
            return false;
        }
    }
    if (fd >= 0 && (error || !(b = raw_on(fd, p->err))))
        close(fd);
    feed_close(s->feed);
    s->feed = NULL;
    return error ? error_set(p->err, -error, "cannot keep %s in a temporary file: %s", s->name, strerror(-error)) : block_found(p, b);
}

static bool feed_found(struct opening *p, struct feed *f)
{
    struct source *s = p->s;
    const char *packed;
    s->feed = f;
    s->size = 0;
    if (!f || !feed_read(f, s->head, SOURCE_HEAD, &s->head_length, p->err))
        return false;
    if ((packed = unpack_find(s->head, s->head_length)) && !facts_get(&p->facts, "compression")) {
        facts_add(&p->facts, "compression", "%s", packed);
        s->feed = feed_unpacked(f, s->head, s->head_length, p->err);
        if (!s->feed || !feed_read(s->feed, s->head, SOURCE_HEAD, &s->head_length, p->err))
            return false;
    }
    if (!s->head_length)
        return error_set(p->err, ENODATA, "%s is empty; there is no disk to import", s->name);
    struct block *head = block_open_memory(s->head_length, p->err);
    bool ok = head && !block_write(head, 0, s->head, s->head_length), raw = s->head_length == SOURCE_HEAD && ok && !format_find(head) &&
              !cd_is(head);
    block_close(head);
    return ok && (raw ? !text_refused(p, s->head, s->head_length) : feed_keep(p));
}

/* What a transport gave: something packed, a CD, a disk in a format, a floppy, or a disk byte for byte. */
static bool block_found(struct opening *p, struct block *b)
{
    struct source *s = p->s;
    struct format_names names = { s->name, p->o ? p->o->parents : NULL, p->o ? p->o->parent_count : 0, strcmp(s->kind, "file") };
    uint8_t head[512] = { 0 };
    s->block = b;
    if (!b)
        return false;
    if (!b->size)
        return error_set(p->err, ENODATA, "%s is empty; there is no disk to import", s->name);
    block_read(b, 0, head, MIN(b->size, sizeof(head)));     /* bad sectors: then it is not packed */
    if (unpack_find(head, sizeof(head)) && !facts_get(&p->facts, "compression")) {
        s->block = NULL;
        return feed_found(p, feed_block(b, s->name, p->cancel, p->err));
    }
    if (ova_is(head, sizeof(head)))
        return error_set(p->err, EINVAL, "%s is an archive (tar); of an OVA in a file name one disk, as in x.ova/disk1.vmdk", s->name);
    if (!cd_find(s, &p->facts, p->err) || (s->media == MEDIA_DISK && !(s->block = format_open(s->block, &names, &s->format, &s->details, p->err))))
        return false;
    if (s->media == MEDIA_DISK && !strcmp(s->format, "raw") && text_refused(p, head, s->block->size))
        return false;
    if (s->media == MEDIA_DISK && floppy_is(s->block))
        s->media = MEDIA_FLOPPY;
    s->size = s->block->size;
    return true;
}

/* "server.ova/disk1.vmdk": a path that goes on where there is a file. */
static bool member_found(struct opening *p)
{
    char *path = strdup(p->s->name), *slash = path ? path + strlen(path) : NULL;
    struct stat st;
    while (slash && (slash = memrchr(path, '/', (size_t)(slash - path)))) {
        *slash = 0;
        if (!stat(path, &st))
            break;
    }
    struct block *file = slash && S_ISREG(st.st_mode) ? block_open_raw(path, BLOCK_RDONLY, p->err) : NULL;
    const char *member = slash ? p->s->name + (slash - path) + 1 : "";
    bool ok = file ? block_found(p, ova_member_open(file, path, member, &p->facts, p->err)) : (errno = ENOTDIR, system_error(p));
    free(path);
    return ok;
}

static bool path_found(struct opening *p)
{
    struct source *s = p->s;
    struct stat st;
    bool split;
    s->kind = "file";
    if (stat(s->name, &st))
        return errno == ENOTDIR ? member_found(p) : system_error(p);
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
        int fd = open(s->name, O_RDONLY | O_CLOEXEC);
        s->kind = "stream";
        return fd >= 0 ? feed_found(p, feed_descriptor(fd, s->name, p->cancel, p->err)) : system_error(p);
    }
    if (S_ISDIR(st.st_mode)) {
        s->kind = s->format = "folder";
        s->block = folder_open(s->name, &p->facts, p->err);
        s->size = s->block ? s->block->size : 0;
        return s->block;
    }
    if (!split_is(s->name, &split, p->err))
        return false;
    if (split || S_ISBLK(st.st_mode))
        s->kind = split ? "pieces" : "block device";
    return block_found(p, split ? split_open(s->name, p->err) : sheet_open(s->name, &p->facts, p->err));
}

bool source_open(struct source *s, const char *name, const struct source_options *o, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct opening p = { .s = s, .o = o, .cancel = cancel, .err = err };
    bool ok;
    *s = (struct source){ .name = name, .kind = "stream", .format = "raw" };
    if (!strcmp(name, "-")) {
        s->name = "standard input";
        int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        ok = fd >= 0 ? feed_found(&p, feed_descriptor(fd, s->name, cancel, err)) : error_set(err, errno, "standard input is closed");
    } else if (!strncmp(name, "ssh://", 6)) {
        s->kind = "remote disk";
        ok = feed_found(&p, feed_ssh(name, cancel, err));
    } else if (!strncmp(name, "nbd://", 6) || !strncmp(name, "nbd+unix://", 11)) {
        s->kind = "network block device";
        ok = block_found(&p, nbd_block_open(name, cancel, err));
    } else {
        ok = path_found(&p);
    }
    if (ok && p.facts.count && (s->details || (s->details = json_object()))) {
        json_t *facts = facts_json(&p.facts);
        json_object_update(s->details, facts);
        json_decref(facts);
    }
    facts_free(&p.facts);
    return ok;
}

bool source_list(struct source_list *l, const char *name, struct error *err)
{
    uint8_t head[512];
    struct stat st;
    *l = (struct source_list){ 0 };
    int fd = !stat(name, &st) && S_ISREG(st.st_mode) ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    bool ova = fd >= 0 && !file_read(fd, 0, head, sizeof(head)) && ova_is(head, sizeof(head));
    if (fd >= 0)
        close(fd);
    if (ova ? ova_list(name, l, err) : (l->names = calloc(1, sizeof(char *))) && (l->names[0] = strdup(name)) && (l->count = 1))
        return true;
    source_list_free(l);
    return ova ? false : error_set(err, ENOMEM, "no memory for a list of sources");
}

void source_list_free(struct source_list *l)
{
    for (size_t i = 0; i < l->count; i++)
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
