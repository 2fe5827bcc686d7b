/* The formats of disk images, and those that are known but not read. References: [FORMATS]. */
#include "importers/formats/image.h"
#include "base/bits.h"
#include "block/qcow2.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct magic { uint64_t at; const char *bytes; size_t length; const char *what, *remedy; };
#define CONVERT "convert it with `qemu-img convert -O raw` first"
static const struct magic refused[] = {
    { 0, "EVF2\x0d\x0a\x81\x00", 8, "an EnCase image (Ex01)", "export it as a raw image first" },
    { 0, "LVF\x09\x0d\x0a\xff\x00", 8, "EnCase logical evidence (L01), files without their disk", "import the disk itself" },
    { 0, "QED\0", 4, "a QED image", CONVERT }, { 0, "Bochs Virtual HD Image", 22, "a Bochs image", CONVERT },
    { 0, "AFF", 3, "an AFF image", "export it as a raw image first" }, { 0, "\xfe\xef\x01", 3, "a Norton Ghost image", "restore it to a disk first" },
    { 0, "\xb4nhD", 4, "an Acronis True Image backup", "restore it to a disk first" },
    { 0, "partclone-image", 15, "a partclone image", "restore it with `partclone.restore` first" },
    { 0, "PaRtImAgE-VoLuMe", 16, "a Partimage backup", "restore it with `partimage restore` first" },
    { 0, "MSWIM\0\0\0", 8, "a Windows Imaging file (WIM), files without their disk", "import the disk itself" },
    { 0, "MEDIA DESCRIPTOR", 16, "an Alcohol 120% descriptor (MDS)", "convert the disc to an ISO image first" },
    { 32769, "CD001", 5, "a CD-ROM image (ISO 9660)", "start a machine with it by `holdover boot --cdrom`" },
    { 0, "PK\x03\x04", 4, "a zip archive", "unpack it first" }, { 0, "7z\xbc\xaf\x27\x1c", 6, "a 7z archive", "unpack it first" },
    { 0, "Rar!\x1a\x07", 6, "a RAR archive", "unpack it first" }, { 0, "MSCF\0\0\0\0", 8, "a cabinet", "unpack it first" },
    { 257, "ustar", 5, "a tar archive", "unpack it first" },
};

static bool starts(struct block *file, uint64_t at, const char *bytes, size_t length)
{
    char there[32];
    return at + length <= file->size && !block_read(file, at, there, length) && !memcmp(there, bytes, length);
}

static bool qcow1_is(struct block *f) { return starts(f, 0, "QFI\xfb\0\0\0\x01", 8); }
static bool qcow2_is(struct block *f) { return starts(f, 0, "QFI\xfb", 4); }
static bool vhdx_is(struct block *f) { return starts(f, 0, "vhdxfile", 8); }
static bool ewf_is(struct block *f) { return starts(f, 0, "EVF\x09\x0d\x0a\xff\x00", 8); }
static bool parallels_is(struct block *f) { return starts(f, 0, "WithoutFreeSpace", 16) || starts(f, 0, "WithouFreSpacExt", 16); }
static bool vdi_is(struct block *f) { return starts(f, 64, "\x7f\x10\xda\xbe", 4); }

/* A cluster that a table names beyond the file's end would read as zeros. */
static bool clusters_inside(struct qcow2 *q)
{
    uint64_t entries = q->cluster_size / 8, covers = entries * q->cluster_size, size = q->b.size, file = q->file->size, place;
    for (uint64_t at = 0; at < size; at += covers) {
        struct table *t;
        uint64_t l2 = q->l1[at / covers] & ENTRY_OFFSET;
        if (l2 >= file || (l2 && table_get(q, &q->l2, l2, &t)))
            return false;
        for (uint64_t k = 0; l2 && k < entries && at + k * q->cluster_size < size; k++) {
            uint64_t entry = be64_get(t->bytes + k * 8), need = MIN(q->cluster_size, size - at - k * q->cluster_size);
            size_t length;
            if (entry & ENTRY_COMPRESSED)
                qcow2_packed(q, entry, &place, &length), need = 1;
            else
                place = q->version >= 3 && entry & ENTRY_ZERO ? 0 : entry & ENTRY_OFFSET;
            if (place && (place > file || need > file - place))
                return false;
        }
    }
    return true;
}

static struct block *qcow2_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    char *backing, *format;
    struct qcow2 *q = qcow2_open_on(file, names->path, false, &backing, &format, err);
    if (!q)
        return NULL;
    json_object_set_new(info->details, "version", json_integer(q->version));
    info->link = backing ? LINK_NAME : LINK_NONE;
    info->parent_raw = backing && format && !strcmp(format, "raw");
    snprintf(info->parent, sizeof(info->parent), "%s", backing ? backing : "");
    free(backing), free(format);
    if (q->b.size && q->b.size <= DISK_MOST && clusters_inside(q))
        return &q->b;
    error_set(err, EINVAL, "%s is damaged or cut short: its disk has %llu bytes, and its tables or some of them lie beyond the end of the file", q->path,
              (unsigned long long)q->b.size);
    block_close(&q->b);
    return NULL;
}

static const struct disk_format formats[] = {
    { "qcow", "qcow image", qcow1_is, qcow1_open }, { "qcow2", "qcow2 image", qcow2_is, qcow2_open }, { "vdi", "VDI image", vdi_is, vdi_open },
    { "vmdk", "VMDK image", vmdk_is, vmdk_open }, { "vhdx", "VHDX image", vhdx_is, vhdx_open }, { "ewf", "EnCase image (E01)", ewf_is, ewf_open },
    { "parallels", "Parallels image", parallels_is, parallels_open }, { "vhd", "VHD image", vhd_is, vhd_open },    /* last: its mark may be at the end */
};

const struct disk_format *format_find(struct block *file)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (formats[i].is(file))
            return &formats[i];
    return NULL;
}

/* The bytes of a file as a disk, whatever its format; info tells what it is. Takes file. */
static struct block *disk_open(struct block *file, const struct format_names *names, const struct disk_format *f, struct format_info *info,
                               struct error *err)
{
    *info = (struct format_info){ .details = json_object(), .format = f };
    if (f)
        return f->open(file, names, info, err);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (starts(file, refused[i].at, refused[i].bytes, refused[i].length)) {
            error_set(err, ENOTSUP, "%s is %s, which cannot be imported; %s", names->path, refused[i].what, refused[i].remedy);
            block_close(file);
            return NULL;
        }
    return file;
}

static const char *last_part(const char *path)
{
    const char *a = strrchr(path, '/'), *b = strrchr(path, '\\');
    return a || b ? MAX(a, b) + 1 : path;
}

/* The file at path, if it is the image that `child` wants. wrong: a sentence about one that cannot be opened. */
static struct block *parent_try(const char *path, const struct format_info *child, struct format_info *info, struct error *wrong)
{
    struct format_names names = { .path = path };
    if (child->link == LINK_NAME && strcmp(last_part(child->parent), last_part(path)))
        return NULL;
    struct block *b = block_open_raw(path, BLOCK_RDONLY, wrong);
    const struct disk_format *f = b && !child->parent_raw ? format_find(b) : NULL;
    if (b && !child->parent_raw && (child->link == LINK_NAME || f == child->format))
        b = disk_open(b, &names, f, info, wrong);
    if (b && child->link == LINK_ID && (f != child->format || memcmp(info->id, child->parent_id, 16))) {
        block_close(b);
        b = NULL;
    }
    return b;
}

/* The chain below `top`, each parent among those that the user named, and each at most once: a ring ends. */
static bool parents_open(struct block *top, const struct format_info *first, const struct format_names *names, struct error *err)
{
    struct format_info child = *first, info;
    struct error wrong = { 0 };
    uint64_t used = 0;
    char name[200];
    json_t *list = json_array();
    json_object_set_new(first->details, "parents", list);
    for (struct block *b = top; child.link; child = info, b = b->below) {
        for (size_t k = 0; k < MIN(names->parent_count, 64) && !b->below; k++) {
            info = (struct format_info){ 0 };
            if (!(used >> k & 1) && (b->below = parent_try(names->parents[k], &child, &info, &wrong))) {
                used |= 1ull << k;
                json_array_append_new(list, json_string(names->parents[k]));
            }
            json_decref(info.details);
        }
        format_text(name, sizeof(name), last_part(child.parent), sizeof(name));
        if (!b->below && *wrong.text)
            return error_set(err, wrong.code, "%s needs its parent: %s", names->path, wrong.text);
        if (!b->below)
            return error_set(err, ENOENT, "%s holds only what was changed in another image (%s); %s", names->path, *name ? name : "not named",
                             names->parent_count ? "none of those named with --parent is that one" : "name that one with --parent");
    }
    return true;
}

struct block *format_open(struct block *file, const struct format_names *names, const char **name, json_t **details, struct error *err)
{
    struct format_names known = *names;
    struct format_info info;
    const struct disk_format *f = format_find(file);
    if (!known.path)
        known.path = "the image", known.alone = true;
    struct block *b = disk_open(file, &known, f, &info, err);
    if (b && info.link && !parents_open(b, &info, &known, err)) {
        block_close(b);
        b = NULL;
    }
    *name = f ? f->name : "raw";
    *details = b && json_object_size(info.details) ? json_incref(info.details) : NULL;
    json_decref(info.details);
    return b;
}
