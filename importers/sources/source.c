/* Sources. Formats are told apart by what the file holds, never by its name: an E01 file read as a raw disk would import and
 * be worthless. References: [FORMATS]. */
#include "importers/sources/source.h"
#include "importers/sources/feed.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct magic { uint64_t at; const char *bytes; size_t length; const char *what, *remedy; };
#define CONVERT "convert it with `qemu-img convert -O raw` first"
static const struct magic magics[] = {
    { 0, "EVF\x09\x0d\x0a\xff\x00", 8, "an EnCase image (E01)", "export it with `ewfexport -f raw` first" },
    { 0, "EVF2\x0d\x0a\x81\x00", 8, "an EnCase image (Ex01)", "export it as a raw image first" },
    { 0, "conectix", 8, "a VHD image", CONVERT }, { 0, "vhdxfile", 8, "a VHDX image", CONVERT },
    { 0, "KDMV", 4, "a VMDK image", CONVERT }, { 0, "COWD", 4, "a VMDK image", CONVERT },
    { 0, "# Disk DescriptorFile", 21, "a VMDK descriptor", CONVERT }, { 64, "\x7f\x10\xda\xbe", 4, "a VDI image", CONVERT },
    { 0, "WithoutFreeSpace", 16, "a Parallels image", CONVERT }, { 0, "AFF", 3, "an AFF image", "export it as a raw image first" },
    { 32769, "CD001", 5, "a CD-ROM image (ISO 9660)", "start a machine with it by `holdover boot --cdrom`" },
    { 0, "PK\x03\x04", 4, "a zip archive", "unpack it first" }, { 0, "7z\xbc\xaf\x27\x1c", 6, "a 7z archive", "unpack it first" },
};

static bool head_known(const struct source *s, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];
        if (s->head_length >= m->at + m->length && !memcmp(s->head + m->at, m->bytes, m->length))
            return error_set(err, ENOTSUP, "%s is %s, which cannot be imported yet; %s", s->name, m->what, m->remedy);
    }
    return true;
}

/* A fixed VHD is a raw disk with a footer of 512 bytes, which must not become a part of the disk. */
static bool tail_known(const struct source *s, struct error *err)
{
    char tail[8];
    if (s->size >= 1024 && !block_read(s->block, s->size - 512, tail, sizeof(tail)) && !memcmp(tail, "conectix", 8))
        return error_set(err, ENOTSUP, "%s is a VHD image, which cannot be imported yet; " CONVERT, s->name);
    return true;
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
    if (s->head_length >= 4 && !memcmp(s->head, "QFI\xfb", 4))
        return error_set(err, ENOTSUP, "%s is a qcow2 image, which cannot be read as a stream; give its file name", s->name);
    return s->head_length ? head_known(s, err) : error_set(err, ENODATA, "%s is empty; there is no disk to import", s->name);
}

static bool file_open(struct source *s, bool device, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct block *b = s->block = block_open_auto(s->name, BLOCK_RDONLY, err);
    if (!b)
        return false;
    bool qcow2 = !strcmp(b->class->name, "qcow2");
    s->kind = qcow2 ? "qcow2 image" : device ? "block device" : "file";
    s->size = b->size;
    if (qcow2 && b->below)
        return error_set(err, ENOTSUP, "%s is a layer over another image; join them with `qemu-img convert -O raw` first", s->name);
    if (!s->size)
        return error_set(err, ENODATA, "%s is empty; there is no disk to import", s->name);
    s->head_length = (size_t)MIN(s->size, (uint64_t)SOURCE_HEAD);
    memset(s->head, 0, sizeof(s->head));
    if (block_read(b, 0, s->head, s->head_length))      /* bad sectors: what can be read of it */
        for (size_t at = 0; at < s->head_length; at += 512)
            block_read(b, at, s->head + at, MIN((size_t)512, s->head_length - at));
    s->format = qcow2 ? "qcow2" : "raw";
    if (!qcow2 && unpack_find(s->head, s->head_length)) {
        s->block = NULL;
        return feed_found(s, feed_block(b, s->name, cancel, err), err);
    }
    return qcow2 || (head_known(s, err) && tail_known(s, err));
}

bool source_open(struct source *s, const char *name, const struct source_options *o, const volatile sig_atomic_t *cancel, struct error *err)
{
    struct stat st;
    int fd;
    *s = (struct source){ .name = name, .kind = "stream", .format = "raw" };
    (void)o;
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
        return file_open(s, S_ISBLK(st.st_mode), cancel, err);
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
