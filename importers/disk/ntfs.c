/* A reader of NTFS 1.2 to 3.1: records of the master file table with their fixups, attribute lists, runs, folders, sparse and
 * LZNT1-compressed files. Not modelled: encrypted files, reparse points (empty here), the journal, other streams than the
 * unnamed one. References: [NTFS-BPB], [NTFS-DOC]. */
#include "importers/disk/volume.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_MOST = 4096, INDEX_MOST = 65536, UNIT_MOST = 1 << 20, LIST_MOST = 1 << 18, DEPTH_MOST = 6 };
enum { FILE_MFT = 0, FILE_VOLUME = 3, FILE_ROOT = 5, RECORD_USED = 1, RECORD_FOLDER = 2, NAME_DOS = 2 };
enum { STANDARD = 0x10, LIST = 0x20, VOLUME_NAME = 0x60, VOLUME_VERSION = 0x70, DATA = 0x80, INDEX_ROOT = 0x90, INDEX = 0xa0, BITMAP = 0xb0 };
enum { TYPE = 0xff, RESIDENT = 0x100, COMPRESSED = 0x200, ENCRYPTED = 0x400 };          /* of a node's flags */

/* A node is one attribute of a file: its type in `flags`, in `map` how many bytes of it were ever written and its unit of compression. */
struct ntfs { uint64_t cluster; uint32_t record; uint64_t mft_at; struct node mft; unsigned depth; };
struct attr { uint8_t record[RECORD_MOST], *at; uint32_t length; };

static bool fixup(uint8_t *b, size_t size, const char *magic)
{
    unsigned at = le16_get(b + 4), count = le16_get(b + 6);
    if (memcmp(b, magic, 4) || count != size / 512 + 1 || at + count * 2 > size)
        return false;
    for (unsigned i = 1; i < count; i++) {
        if (memcmp(b + i * 512 - 2, b + at, 2))
            return false;                       /* a write that was cut */
        memcpy(b + i * 512 - 2, b + at + i * 2, 2);
    }
    return true;
}

static bool record_read(struct volume *v, uint64_t number, uint8_t *record)
{
    struct ntfs *f = v->own;
    if (f->depth == DEPTH_MOST)                 /* the table says that it lies in itself */
        return false;
    f->depth++;
    bool ok = number == FILE_MFT ? volume_read(v, f->mft_at, record, f->record)
                                 : number < f->mft.size / f->record && node_read(v, &f->mft, number * f->record, record, f->record);
    f->depth--;
    return ok && fixup(record, f->record, "FILE") && le16_get(record + 22) & RECORD_USED;
}

/* The attribute of a type in the record; of folders' indexes those named $I30, else the one without a name. Small ones must be
 * inside the record. */
static bool attr_in(const struct volume *v, struct attr *a, unsigned type, uint64_t vcn)
{
    uint32_t room = ((const struct ntfs *)v->own)->record, at = le16_get(a->record + 20), length;
    bool named = type == INDEX_ROOT || type == INDEX || type == BITMAP;
    for (; at + 24 <= room && le32_get(a->record + at) <= type; at += length) {
        uint8_t *p = a->record + at;
        length = le32_get(p + 4);
        if (length < 24 || length > room - at)
            return false;
        bool ours = named ? p[9] == 4 && le16_get(p + 10) + 8u <= length && !memcmp(p + le16_get(p + 10), "$\0I\0" "3\0" "0", 8) : !p[9];
        if (le32_get(p) != type || !ours || (p[8] && (length < 64 || vcn < le64_get(p + 16) || vcn > le64_get(p + 24))))
            continue;
        a->at = p, a->length = length;
        return p[8] ? type == LIST || type == DATA || type >= INDEX : (uint64_t)le16_get(p + 20) + le32_get(p + 16) <= length;
    }
    return false;
}

static void attr_node(struct node *n, uint64_t number, const struct attr *a)
{
    unsigned flags = le16_get(a->at + 12);
    *n = (struct node){ .number = number, .kind = NODE_FILE, .flags = le32_get(a->at) | (a->at[8] ? 0 : RESIDENT) |
        (flags & 0xff ? COMPRESSED : 0) | (flags & 0x4000 ? ENCRYPTED : 0), .size = a->at[8] ? le64_get(a->at + 48) : le32_get(a->at + 16) };
    le64_put(n->map, a->at[8] ? le64_get(a->at + 56) : n->size);
    le64_put(n->map + 8, a->at[8] ? le16_get(a->at + 34) : 0);
}

/* The record that the file's list of attributes names for this part of one; 0: none. */
static uint64_t list_find(struct volume *v, uint64_t number, const struct attr *base, unsigned type, uint64_t vcn)
{
    struct node list;
    uint8_t e[26];
    uint64_t found = 0;
    attr_node(&list, number, base);
    for (uint64_t at = 0; at + sizeof(e) <= MIN(list.size, LIST_MOST) && node_read(v, &list, at, e, sizeof(e)); at += le16_get(e + 4)) {
        if (le32_get(e) == type && le64_get(e + 8) <= vcn && (e[6] == 0 || type != DATA))
            found = le64_get(e + 16) & 0xffffffffffff;
        if (le16_get(e + 4) < sizeof(e))
            break;
    }
    return found;
}

static bool attr_find(struct volume *v, uint64_t number, unsigned type, uint64_t vcn, struct attr *a)
{
    if (!record_read(v, number, a->record))
        return false;
    if (attr_in(v, a, type, vcn))
        return true;
    if (type == LIST || !attr_in(v, a, LIST, 0))
        return false;
    uint64_t holder = list_find(v, number, a, type, vcn);
    return holder && holder != number && record_read(v, holder, a->record) && attr_in(v, a, type, vcn);
}

static bool attr_open(struct volume *v, uint64_t number, unsigned type, struct node *n)
{
    struct attr a;
    if (!attr_find(v, number, type, 0, &a))
        return false;
    attr_node(n, number, &a);
    return true;
}

static int64_t signed_get(const uint8_t *p, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)p[i] << i * 8;
    return width && width < 8 && p[width - 1] & 0x80 ? (int64_t)(value | ~0ull << width * 8) : (int64_t)value;
}

static bool ntfs_map(struct volume *v, struct node *n, uint64_t offset, struct run *run)
{
    const struct ntfs *f = v->own;
    struct attr a;
    uint64_t vcn = offset / f->cluster, within = offset % f->cluster, written = le64_get(n->map), lcn = 0;
    if (offset >= written) {
        *run = (struct run){ 0, n->size > offset ? n->size - offset : 0, true };
        return run->length;
    }
    if (n->flags & RESIDENT || !attr_find(v, n->number, n->flags & TYPE, vcn, &a) || !a.at[8])
        return false;
    uint64_t first = le64_get(a.at + 16), length;
    for (uint32_t at = le16_get(a.at + 32); at < a.length && a.at[at]; first += length) {
        unsigned lengths = a.at[at] & 15, offsets = a.at[at] >> 4;
        if (!lengths || lengths > 8 || offsets > 8 || at + 1 + lengths + offsets > a.length)
            return false;
        length = (uint64_t)signed_get(a.at + at + 1, lengths);
        lcn += (uint64_t)signed_get(a.at + at + 1 + lengths, offsets);
        at += 1 + lengths + offsets;
        if (!length || length > v->length / 512 + UINT32_MAX || lcn > v->length)
            return false;
        if (vcn >= first && vcn - first < length) {
            *run = (struct run){ (lcn + vcn - first) * f->cluster + within, MIN((length - (vcn - first)) * f->cluster - within, written - offset),
                                 !offsets };
            return true;
        }
    }
    return false;
}

/* LZNT1: chunks of 4 KiB; in them a byte of flags before every eight items, a letter or a pair (back, length) each. How the pair's
 * 16 bits are shared depends on how far into the chunk it stands. */
static void lznt1(const uint8_t *from, size_t length, uint8_t *to, size_t room)
{
    size_t in = 0, out = 0;
    while (in + 2 <= length && le16_get(from + in) && out < room) {
        unsigned header = le16_get(from + in), size = (header & 0xfff) + 1;
        size_t end = MIN(in + 2 + size, length), start = out, limit = MIN(start + 4096, room);
        in += 2;
        if (!(header & 0x8000)) {
            memcpy(to + out, from + in, MIN(end - in, limit - out));
            in = end;
        }
        while (in < end && out < limit) {
            unsigned flags = from[in++];
            for (unsigned i = 0; i < 8 && in < end && out < limit; i++, flags >>= 1) {
                if (!(flags & 1)) {
                    to[out++] = from[in++];
                    continue;
                }
                unsigned shift = 12, pair = in + 2 <= end ? le16_get(from + in) : 0;
                for (size_t p = out - start; p > 16; p = (p + 1) / 2)
                    shift--;
                size_t back = (pair >> shift) + 1, count = (pair & ((1u << shift) - 1)) + 3;
                in += 2;
                for (; count && out < limit && back <= out - start; count--, out++)
                    to[out] = to[out - back];
            }
        }
        out = limit;
        in = end;
    }
}

/* A unit of a compressed file: whole clusters are as they are, a hole is zeros, clusters with a hole behind them are compressed. */
static bool unit_read(struct volume *v, struct node *n, uint64_t start, uint8_t *raw, uint8_t *out, size_t unit)
{
    size_t got = 0;
    struct run run;
    while (got < unit && ntfs_map(v, n, start + got, &run) && !run.hole) {
        size_t part = (size_t)MIN(align_up(run.length, ((struct ntfs *)v->own)->cluster), unit - got);
        if (!volume_read(v, run.at, raw + got, part))
            return false;
        got += part;
    }
    memset(out, 0, unit);
    if (got == unit)
        memcpy(out, raw, unit);
    else
        lznt1(raw, got, out, unit);
    return true;
}

static bool ntfs_read(struct volume *v, struct node *n, uint64_t offset, void *to, size_t length)
{
    const struct ntfs *f = v->own;
    struct attr a;
    if (n->flags & RESIDENT) {
        if (!attr_find(v, n->number, n->flags & TYPE, 0, &a) || a.at[8] || offset > le32_get(a.at + 16) || length > le32_get(a.at + 16) - offset)
            return false;
        memcpy(to, a.at + le16_get(a.at + 20) + offset, length);
        return true;
    }
    if (!(n->flags & COMPRESSED))
        return false;
    uint64_t unit = f->cluster << MIN(le64_get(n->map + 8), 8u);
    uint8_t *both = unit <= UNIT_MOST ? malloc(2 * unit) : NULL;
    bool ok = both;
    while (ok && length) {
        uint64_t start = align_down(offset, unit);
        size_t part = (size_t)MIN(unit - (offset - start), length);
        ok = unit_read(v, n, start, both, both + unit, unit);
        memcpy(to, both + unit + (offset - start), part);
        offset += part, length -= part, to = (uint8_t *)to + part;
    }
    free(both);
    return ok;
}

static unsigned day_of_ntfs(uint64_t ticks)
{
    uint64_t seconds = ticks / 10000000;
    return seconds < 11644473600 || seconds > 11644473600 + UINT32_MAX ? 0 : day_of_unix((uint32_t)(seconds - 11644473600));
}

static bool ntfs_fill(struct volume *v, struct node *n)
{
    struct attr a;
    uint64_t number = n->number;
    bool alias = n->alias;
    if (!record_read(v, number, a.record))
        return false;
    bool folder = le16_get(a.record + 22) & RECORD_FOLDER;
    unsigned day = attr_in(v, &a, STANDARD, 0) && le32_get(a.at + 16) >= 16 ? day_of_ntfs(le64_get(a.at + le16_get(a.at + 20) + 8)) : 0;
    if (!attr_open(v, number, folder ? INDEX : DATA, n))
        *n = (struct node){ .number = number, .kind = NODE_OTHER };     /* a small folder's names are all in its record */
    n->kind = folder ? NODE_FOLDER : n->flags & ENCRYPTED ? NODE_OTHER : n->kind;
    n->day = day;
    n->alias = alias;
    return true;
}

static bool ntfs_root(struct volume *v, struct node *n)
{
    *n = (struct node){ .number = FILE_ROOT };
    return ntfs_fill(v, n) && n->kind == NODE_FOLDER;
}

/* The entries of one node of an index; h is its header. */
static bool entries_tell(const uint8_t *h, size_t room, node_each *each, void *arg)
{
    size_t end = MIN(le32_get(h + 4), room);
    for (size_t at = le32_get(h); at + 16 <= end;) {
        const uint8_t *e = h + at;
        size_t length = le16_get(e + 8), key = le16_get(e + 10);
        char name[256 * 3];
        if (length < 16 || length > end - at || le16_get(e + 12) & 2)
            return true;
        if (key >= 68 && key <= length - 16 && 66u + e[16 + 64] * 2u <= key) {
            utf16_copy(name, sizeof(name), e + 16 + 66, e[16 + 64], 2);
            struct node n = { .number = le64_get(e) & 0xffffffffffff, .alias = e[16 + 65] == NAME_DOS };
            if (*name && strcmp(name, ".") && !each(arg, name, &n))
                return false;
        }
        at += length;
    }
    return true;
}

static void ntfs_folder(struct volume *v, struct node *folder, node_each *each, void *arg)
{
    struct attr a;
    struct node map;
    uint8_t bits = 0xff;
    if (!attr_find(v, folder->number, INDEX_ROOT, 0, &a) || le32_get(a.at + 16) < 32)
        return;
    const uint8_t *root = a.at + le16_get(a.at + 20);
    uint32_t size = le32_get(root + 8);
    if (!entries_tell(root + 16, le32_get(a.at + 16) - 16, each, arg) || (folder->flags & TYPE) != INDEX || !is_power_of_two(size) ||
        size < 512 || size > INDEX_MOST)
        return;
    bool mapped = attr_open(v, folder->number, BITMAP, &map);
    uint8_t *b = malloc(size);
    for (uint64_t i = 0; b && i < folder->size / size; i++) {
        if (i % 8 == 0 && mapped && !node_read(v, &map, i / 8, &bits, 1))
            break;
        if (bits >> i % 8 & 1 && node_read(v, folder, i * size, b, size) && fixup(b, size, "INDX") &&
            !entries_tell(b + 24, size - 24, each, arg))
            break;
        if (!v->budget)
            break;
    }
    free(b);
}

/* The volume's name, and as its OEM name the version, which tells the system that made or upgraded it. */
static void names_read(struct volume *v)
{
    struct attr a;
    char text[128 * 3];
    if (!record_read(v, FILE_VOLUME, a.record))
        return;
    if (attr_in(v, &a, VOLUME_NAME, 0)) {
        utf16_copy(text, sizeof(text), a.at + le16_get(a.at + 20), MIN(le32_get(a.at + 16) / 2, 127u), 2);
        text_clean(v->label, sizeof(v->label), text, strlen(text));
    }
    if (attr_in(v, &a, VOLUME_VERSION, 0) && le32_get(a.at + 16) >= 10)
        snprintf(v->oem, sizeof(v->oem), "NTFS %u.%u", a.at[le16_get(a.at + 20) + 8] % 10u, a.at[le16_get(a.at + 20) + 9] % 10u);
}

static bool ntfs_open(struct volume *v)
{
    struct ntfs *f = v->own;
    uint8_t s[512];
    if (v->length < 1024 || !volume_read(v, 0, s, sizeof(s)) ||
        (!any_nonzero(s, 512) && !volume_read(v, align_down(v->length, 512) - 512, s, 512)) || memcmp(s + 3, "NTFS    ", 8))
        return false;                           /* a boot sector of zeros has a copy at the volume's end */
    uint64_t sector = le16_get(s + 11), per = s[13] > 128 ? 1ull << MIN(256 - s[13], 20) : s[13];
    int8_t records = (int8_t)s[64];
    f->cluster = sector * per;
    f->record = records > 0 ? (uint32_t)(f->cluster * (unsigned)records) : records > -13 ? 1u << -records : 0;
    if (!is_power_of_two(f->cluster) || f->cluster < 256 || f->cluster > 2 << 20 || !is_power_of_two(f->record) || f->record < 512 ||
        f->record > RECORD_MOST)
        return false;
    snprintf(v->fs, sizeof(v->fs), "ntfs");
    for (unsigned mirror = 0; mirror < 2; mirror++) {
        struct node root;
        f->mft_at = MIN(le64_get(s + 48 + mirror * 8), v->length / f->cluster) * f->cluster;
        memset(&f->mft, 0, sizeof(f->mft));
        if (attr_open(v, FILE_MFT, DATA, &f->mft) && !(f->mft.flags & RESIDENT) && ntfs_root(v, &root)) {
            names_read(v);
            return true;
        }
    }
    return false;
}

const struct volume_class ntfs_class = {
    .ignore_case = true, .size = sizeof(struct ntfs), .open = ntfs_open, .root = ntfs_root, .fill = ntfs_fill, .folder = ntfs_folder,
    .map = ntfs_map, .read = ntfs_read,
};
