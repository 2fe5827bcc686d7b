/* The descriptor of a VMDK disk: a text, in a file of its own or inside the disk's only one.
 *   CID=fffffffe  parentCID=ffffffff  createType="twoGbMaxExtentSparse"  parentFileNameHint="base.vmdk"
 *   RW 4192256 SPARSE "disk-s001.vmdk"      (sectors, kind, file; of a flat extent also its first sector there)
 * It could name any file of the host: only plain names of regular files in its own folder are opened, links not followed.
 * References: [VMDK-SPEC]. */
#include "importers/formats/image.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, TEXT_MOST = 64 << 10 };
enum extent { EXTENT_SPARSE, EXTENT_FLAT, EXTENT_ZERO };
static const struct { const char *word; enum extent extent; } extents[] = {
    { "SPARSE", EXTENT_SPARSE }, { "VMFSSPARSE", EXTENT_SPARSE }, { "FLAT", EXTENT_FLAT }, { "VMFS", EXTENT_FLAT }, { "ZERO", EXTENT_ZERO },
};

static const char *line_next(const char *line)
{
    line = strchr(line, '\n');
    return line ? line + 1 : NULL;
}

/* What follows KEY= on a line of its own, without quotes. */
static bool value_get(const char *text, const char *key, char *to, size_t size)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = line_next(line)) {
        line += strspn(line, " \t");
        if (strncasecmp(line, key, n) || line[n + strspn(line + n, " \t")] != '=')
            continue;
        line += n + strspn(line + n, " \t") + 1;
        line += strspn(line, " \t\"");
        snprintf(to, size, "%.*s", (int)strcspn(line, "\"\r\n"), line);
        return true;
    }
    return false;
}

static struct block *file_beside(const char *path, const char *name, struct error *err)
{
    char folder[4096], clean[300];
    const char *slash = strrchr(path, '/');
    struct stat st;
    snprintf(folder, sizeof(folder), "%.*s", slash ? MAX(1, (int)(slash - path)) : 1, slash ? path : ".");
    format_text(clean, sizeof(clean), name, strlen(name));
    if (!*name || strpbrk(name, "/\\") || !strcmp(name, "..")) {
        error_set(err, EPERM, "%s names %s as a part of its disk; only files in its own folder are opened", path, clean);
        return NULL;
    }
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = at < 0 ? -1 : openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int error = errno;
    struct block *b = fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ? NULL : raw_on(fd, err);
    if (fd < 0)
        error_set(err, error, "%s needs the file %s beside it: %s", path, clean, error == ELOOP ? "it is a link, which is not followed" : strerror(error));
    else if (!b)
        error_set(err, EINVAL, "%s names %s as a part of its disk, which is not a file that can be read", path, clean);
    if (at >= 0)
        close(at);
    if (fd >= 0 && !b)
        close(fd);
    if (b)
        b->read_only = true;
    return b;
}

/* One line of the list: access, sectors, kind, and of most a file and a place in it. */
static struct image *part_open(const char *line, const struct format_names *names, struct error *err)
{
    char kind[16] = "", file[256] = "", clean[300];
    unsigned long long sectors = 0, first = 0;
    uint64_t text;
    size_t length, k = 0;
    int fields = sscanf(line, "%*s %llu %15s \"%255[^\"\r\n]\" %llu", &sectors, kind, file, &first);
    while (k < ARRAY_SIZE(extents) && strcmp(extents[k].word, kind))
        k++;
    if (fields < 2 || k == ARRAY_SIZE(extents) || !sectors || sectors > DISK_MOST / SECTOR) {
        format_text(clean, sizeof(clean), line, strcspn(line, "\r\n"));
        error_set(err, ENOTSUP, "%s has a part that cannot be read: %s", names->path, clean);
        return NULL;
    }
    const struct format_names own = { .path = *file ? file : names->path };
    struct block *b = extents[k].extent == EXTENT_ZERO ? NULL : file_beside(names->path, file, err);
    if (!b && extents[k].extent != EXTENT_ZERO)
        return NULL;
    struct image *i = extents[k].extent == EXTENT_SPARSE ? vmdk_extent(b, &own, &text, &length, err) : image_new(b, &own, NULL, 0, err);
    if (i && extents[k].extent != EXTENT_SPARSE) {
        i->find = b ? flat_find : zeros_find;
        i->unit = sectors * SECTOR;
        i->data = MIN(first, DISK_MOST) * SECTOR;
    } else if (i && i->b.size < sectors * SECTOR) {
        image_bad(i, "it is shorter than its descriptor says", err);
        return NULL;
    }
    return i && image_ready(i, sectors * SECTOR, err) ? i : NULL;
}

/* Every part of the list, one after another, as one disk. */
static struct block *parts_open(struct image *whole, const char *text, const struct format_names *names, struct error *err)
{
    static const char *const access[] = { "RW ", "RDONLY ", "NOACCESS " };
    uint64_t size = 0;
    if (names->alone || !(whole->parts = calloc(PART_MOST, sizeof(*whole->parts)))) {
        error_set(err, ENOTSUP, "%s is the descriptor of a VMDK disk whose parts are files beside it; give its file name", names->path);
        block_close(&whole->b);
        return NULL;
    }
    for (const char *line = text; line; line = line_next(line)) {
        size_t k = 0;
        while (k < ARRAY_SIZE(access) && strncmp(line, access[k], strlen(access[k])))
            k++;
        if (k == ARRAY_SIZE(access))
            continue;
        if (whole->part_count == PART_MOST)
            return image_bad(whole, "its descriptor has too many parts", err);
        struct image *part = part_open(line, names, err);
        if (!part) {
            block_close(&whole->b);
            return NULL;
        }
        part->start = size;
        size += part->b.size;
        whole->parts[whole->part_count++] = part;
    }
    whole->unit = size;
    return whole->part_count ? image_ready(whole, size, err) : image_bad(whole, "its descriptor lists no part of a disk", err);
}

static void text_tell(const char *text, struct format_info *info)
{
    char value[256];
    static const char *const keys[] = { "createType", "ddb.adapterType", "ddb.virtualHWVersion", "CID" };
    for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
        if (value_get(text, keys[k], value, sizeof(value)))
            detail_text(info->details, keys[k], value, sizeof(value));
    if (value_get(text, "CID", value, sizeof(value)))
        be32_put(info->id, (uint32_t)strtoul(value, NULL, 16));
    if (!value_get(text, "parentCID", value, sizeof(value)) || strtoul(value, NULL, 16) == UINT32_MAX)
        return;
    info->link = LINK_ID;
    be32_put(info->parent_id, (uint32_t)strtoul(value, NULL, 16));
    value_get(text, "parentFileNameHint", info->parent, sizeof(info->parent));
}

static bool sparse_is(struct block *file)
{
    char head[8];
    return !block_read(file, 0, head, 8) && (!memcmp(head, "KDMV", 4) || (!memcmp(head, "COWD", 4) && le32_get(head + 4) == 1));
}

bool vmdk_is(struct block *file)
{
    char head[64] = "";
    return sparse_is(file) || (!block_read(file, 0, head, (size_t)MIN(sizeof(head) - 1, file->size)) &&
                               !strncasecmp(head + strspn(head, "\r\n\t "), "# Disk DescriptorFile", 21));
}

struct block *vmdk_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    char text[TEXT_MOST + 1] = "";
    uint64_t at = 0;
    bool sparse = sparse_is(file);
    size_t length = (size_t)MIN(file->size, (uint64_t)TEXT_MOST);
    struct image *i = sparse ? vmdk_extent(file, names, &at, &length, err) : image_new(file, names, NULL, 0, err);
    if (i && length && block_read(i->file, at, text, length))
        return image_bad(i, "its descriptor cannot be read", err);
    if (!i)
        return NULL;
    text_tell(text, info);
    if (sparse && !*text)
        detail_note(info->details, json_string("the VMDK file has no descriptor: if it is one of several pieces of a disk, import the text that lists them"));
    return sparse ? image_ready(i, i->b.size, err) : parts_open(i, text, names, err);
}
