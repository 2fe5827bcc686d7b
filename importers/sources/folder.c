/* A folder of the host as a FAT disk: a partition table, one FAT16 or FAT32 volume with long names and their 8.3 aliases, room to write.
 * Table, boot sectors, FATs and folders are made in memory; a file's bytes are read from the file.
 *
 *   sector 0: table | 63: boot sector (FAT32: FSInfo at 1, copies at 6 and 7) | FAT | FAT | root (FAT16) | clusters from 2
 *
 * Clusters are given out in the order of the list of nodes, so that a chain is a stretch and a cluster's owner is found by halving.
 * Links, devices and what FAT cannot hold are left out, with a sentence each. References: [FAT], [VFAT].
 * Not modelled: boot code. */
#include "importers/sources/transports.h"
#include "base/bits.h"
#include "block/layer.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 512, TRACK = 63, SLOT = 32, NODES_MOST = 400000, DEPTH_MOST = 48, SLOTS_MOST = 65535, NOTES_MOST = 100, UNITS = 255 };
struct node {
    char *name; uint8_t alias[11], slots, depth; bool folder, locked;
    uint32_t parent, child, children, length;   /* length: of the file or of the folder's entries */
    uint32_t cluster, clusters; uint8_t *bytes; /* a folder's entries */
    time_t time; dev_t device; ino_t inode;
};
struct fat {
    struct block b; const char *path; struct facts *facts;
    struct node *nodes; uint32_t count; unsigned left_out;
    bool wide; uint32_t heads, volume, cluster, reserved, fat, root;   /* FAT32; volume, cluster, fat, root: in sectors */
    uint8_t *meta; uint64_t meta_size, used;    /* all before cluster 2; the bytes up to the last cluster in use */
    int folder, open; uint32_t open_node;
};

/* --- names ---------------------------------------------------------------------------------------------------- */

/* UTF-16 units of a name; 0: FAT does not hold it. */
static unsigned units_get(const char *name, uint8_t *units)
{
    iconv_t convert = iconv_open("UTF-16LE", "UTF-8");
    char *in = (char *)name, *out = (char *)units;
    size_t left = strlen(name), room = UNITS * 2;
    bool ok = convert != (iconv_t)-1 && iconv(convert, &in, &left, &out, &room) != (size_t)-1 && !strchr(" .", name[strlen(name) - 1]);
    if (convert != (iconv_t)-1)
        iconv_close(convert);
    for (const char *c = name; *c; c++)
        ok = ok && (unsigned char)*c >= ' ' && !strchr("\"*:<>?\\|\x7f", *c);
    return ok ? UNITS - (unsigned)room / 2 : 0;
}

static uint8_t short_char(char c)
{
    return isalnum((unsigned char)c) ? (uint8_t)toupper((unsigned char)c) : (uint8_t)c < 128 && !strchr("+,;=[]", c) ? (uint8_t)c : '_';
}

/* The alias, with ~NUMBER when it is not 0, and its text. */
static void alias_make(const char *name, unsigned number, uint8_t alias[11], char text[13])
{
    const char *dot = strrchr(name, '.');
    char tail[12] = "";
    size_t n = 0;
    if (number)
        snprintf(tail, sizeof(tail), "~%u", number);
    dot = dot == name ? NULL : dot;
    memset(alias, ' ', 11);
    for (const char *c = name; *c && c != dot; c++)
        if (n < 8 - strlen(tail) && *c != ' ' && *c != '.')
            alias[n++] = short_char(*c);
    memcpy(alias + n, tail, strlen(tail));
    for (n = 8; dot && *++dot && n < 11;)
        if (*dot != ' ')
            alias[n++] = short_char(*dot);
    snprintf(text, 13, "%.*s%s%.*s", (int)strcspn((char *)alias, " "), alias, n > 8 ? "." : "", (int)n - 8, alias + 8);
}

static int alias_compare(const void *a, const void *b) { return memcmp(a, b, 11); }
static void nothing(void *key) { (void)key; }

/* Numbers are not used twice in a folder, so that finding a free one takes one step. */
static bool aliases_make(struct fat *f, struct node *folder, struct error *err)
{
    void *tree = NULL;
    uint64_t slots = folder == f->nodes ? 0 : 2;
    unsigned number = 0;
    bool ok = true;
    for (struct node *n = &f->nodes[folder->child]; ok && n < &f->nodes[folder->child + folder->children]; slots += n++->slots) {
        uint8_t units[UNITS * 2];
        char text[13];
        alias_make(n->name, 0, n->alias, text);
        n->slots = (uint8_t)(strcmp(text, n->name) ? 1 + (units_get(n->name, units) + 12) / 13 : 1);
        if (strcasecmp(text, n->name) || tfind(n->alias, &tree, alias_compare)) {
            n->slots = (uint8_t)(1 + (units_get(n->name, units) + 12) / 13);
            do
                alias_make(n->name, ++number, n->alias, text);
            while (tfind(n->alias, &tree, alias_compare));
        }
        ok = tsearch(n->alias, &tree, alias_compare);
    }
    tdestroy(tree, nothing);
    folder->length = (uint32_t)MIN(slots, SLOTS_MOST) * SLOT;
    return ok && slots <= SLOTS_MOST ? true : error_set(err, E2BIG, "%s: the folder '%s' has more entries than FAT holds", f->path, folder->name);
}

/* --- the list ------------------------------------------------------------------------------------------------- */

static bool node_path(const struct fat *f, uint32_t n, char path[PATH_MAX])
{
    uint32_t chain[DEPTH_MOST + 2];
    unsigned depth = 0;
    for (; n; n = f->nodes[n].parent)
        chain[depth++] = n;
    size_t at = (size_t)sprintf(path, ".");
    while (depth && at + strlen(f->nodes[chain[depth - 1]].name) + 2 < PATH_MAX)
        at += (size_t)sprintf(path + at, "/%s", f->nodes[chain[--depth]].name);
    return !depth;
}

/* Why an entry cannot be there; NULL: it can. */
static const char *obstacle(const struct fat *f, uint32_t folder, const char *name, const struct stat *st)
{
    uint8_t units[UNITS * 2];
    return S_ISLNK(st->st_mode) ? "links are not followed" : !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) ? "it is neither a file nor a folder"
         : S_ISREG(st->st_mode) && st->st_size > UINT32_MAX ? "FAT has no files of 4 GiB and more"
         : !units_get(name, units) ? "FAT does not hold such a name"
         : f->nodes[folder].child < f->count && !strcasecmp(f->nodes[f->count - 1].name, name) ? "FAT does not tell it from the same name in other letters"
         : f->nodes[folder].depth == DEPTH_MOST ? "the folders are too deep" : NULL;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    int order = strcasecmp((*a)->d_name, (*b)->d_name);
    return order ? order : strcmp((*a)->d_name, (*b)->d_name);
}

static bool folder_scan(struct fat *f, uint32_t folder, struct error *err)
{
    char path[PATH_MAX];
    struct dirent **names = NULL;
    struct stat st;
    int fd = node_path(f, folder, path) ? openat(f->folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    int count = fd >= 0 ? scandirat(fd, ".", &names, NULL, by_name) : -1;
    bool ok = count >= 0 || error_set(err, errno, "cannot read the folder %s/%s: %s", f->path, path, strerror(errno));
    f->nodes[folder].child = f->count;
    for (int i = 0; i < count; free(names[i++])) {
        const char *name = names[i]->d_name, *why;
        if (!ok || !strcmp(name, ".") || !strcmp(name, "..") || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        if ((why = obstacle(f, folder, name, &st))) {
            if (f->left_out++ < NOTES_MOST)
                facts_add(f->facts, "notes", "%s/%s is left out: %s", path, name, why);
            continue;
        }
        if (f->count == NODES_MOST || !(f->nodes[f->count].name = strdup(name))) {
            ok = error_set(err, E2BIG, "%s holds more than %d files and folders; import its parts", f->path, NODES_MOST);
            continue;
        }
        struct node *n = &f->nodes[f->count++];
        n->folder = S_ISDIR(st.st_mode);
        n->locked = !(st.st_mode & 0222);
        n->depth = (uint8_t)(f->nodes[folder].depth + 1);
        n->parent = folder;
        n->length = n->folder ? 0 : (uint32_t)st.st_size;
        n->time = st.st_mtime, n->device = st.st_dev, n->inode = st.st_ino;
    }
    free(names);
    if (fd >= 0)
        close(fd);
    f->nodes[folder].children = f->count - f->nodes[folder].child;
    return ok && aliases_make(f, &f->nodes[folder], err);
}

/* Clusters for all that is there, a quarter more, and 64 MiB. */
static uint64_t clusters_needed(const struct fat *f, uint32_t sectors)
{
    uint64_t size = sectors * (uint64_t)SIZE, sum = 0;
    for (uint32_t i = 0; i < f->count; i++)
        sum += (f->nodes[i].length + size - 1) / size;
    return sum + MAX(sum / 4, (64u << 20) / size);
}

/* FAT16 as long as it can be; the disk ends with a cylinder, of at most 1024 while 255 heads suffice. */
static bool layout(struct fat *f, struct error *err)
{
    uint64_t needed = 0, next = 2;
    for (f->cluster = 4; f->cluster <= 64 && (needed = clusters_needed(f, f->cluster)) > 65000; f->cluster *= 2)
        ;
    if ((f->wide = f->cluster > 64))
        for (f->cluster = 8; (needed = clusters_needed(f, f->cluster)) > 1 << 21 && f->cluster < 64; f->cluster *= 2)
            ;
    if (needed > 1 << 22)
        return error_set(err, EFBIG, "%s does not fit on a FAT disk of 128 GiB; import its parts", f->path);
    uint32_t per = f->wide ? SIZE / 4 : SIZE / 2;
    f->reserved = f->wide ? 32 : 1;
    f->root = f->wide ? 0 : MAX(SIZE * SLOT, (f->nodes[0].length + SIZE - 1)) / SIZE;
    uint64_t least = TRACK + f->reserved + f->root + needed * f->cluster + 2 * ((needed + 300) / per + 2);
    for (f->heads = 16; f->heads < 255 && least / (f->heads * TRACK) >= 1024; f->heads = MIN(f->heads * 2, 255u))
        ;
    uint64_t cylinder = f->heads * TRACK, whole = (least + cylinder - 1) / cylinder * cylinder;
    f->b.size = whole * SIZE;
    f->volume = (uint32_t)(whole - TRACK);
    f->fat = (f->volume / f->cluster + 2) / per + 1;
    f->meta_size = (TRACK + f->reserved + 2 * f->fat + f->root) * (uint64_t)SIZE;
    for (struct node *n = f->nodes; n < f->nodes + f->count; next += n++->clusters) {
        n->cluster = (uint32_t)next;
        n->clusters = (uint32_t)((n->length + f->cluster * (uint64_t)SIZE - 1) / (f->cluster * SIZE));
        if (n == f->nodes && !f->wide)
            n->clusters = 0;
    }
    f->used = f->meta_size + (next - 2) * f->cluster * SIZE;
    return (f->meta = calloc(1, f->meta_size)) || error_set(err, ENOMEM, "no memory for the folders of %s", f->path);
}

/* --- what is made in memory ----------------------------------------------------------------------------------- */

static void entry_put(uint8_t *e, const void *alias, const struct node *n, uint32_t cluster)
{
    struct tm tm = { 0 };
    localtime_r(&n->time, &tm);
    uint16_t date = (uint16_t)(MAX(0, MIN(tm.tm_year - 80, 127)) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
    memcpy(e, alias, 11);
    e[11] = n->folder ? 0x10 : n->locked ? 0x21 : 0x20;
    le16_put(e + 18, date), le16_put(e + 24, date);
    le16_put(e + 22, (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 | MIN(tm.tm_sec, 59) / 2));
    le16_put(e + 20, (uint16_t)(cluster >> 16)), le16_put(e + 26, (uint16_t)cluster);
    le32_put(e + 28, n->folder ? 0 : n->length);
}

static void long_put(uint8_t *e, const struct node *n)
{
    static const uint8_t places[13] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
    uint8_t units[UNITS * 2], sum = 0;
    unsigned count = units_get(n->name, units), slots = n->slots - 1u;
    for (unsigned i = 0; i < 11; i++)
        sum = (uint8_t)((sum >> 1 | sum << 7) + n->alias[i]);
    for (unsigned at = 0; at < slots * 13; at++) {
        uint8_t *slot = e + (slots - 1 - at / 13) * SLOT;
        slot[0] = (uint8_t)(at / 13 + 1) | (at / 13 + 1 == slots ? 0x40 : 0);
        slot[11] = 0x0f, slot[13] = sum;
        le16_put(slot + places[at % 13], at < count ? le16_get(units + at * 2) : at == count ? 0 : 0xffff);
    }
}

static bool folder_make(struct fat *f, struct node *n)
{
    uint8_t *e = n->bytes = calloc(1, n->length + 1u);
    if (e && n != f->nodes) {
        entry_put(e, ".          ", n, n->cluster);
        entry_put(e + SLOT, "..         ", n, n->parent ? f->nodes[n->parent].cluster : 0);
        e += 2 * SLOT;
    }
    for (struct node *c = &f->nodes[n->child]; e && c < &f->nodes[n->child + n->children]; e += c++->slots * SLOT) {
        long_put(e, c);
        entry_put(e + (c->slots - 1) * SLOT, c->alias, c, c->clusters ? c->cluster : 0);
    }
    return e;
}

static void chs_put(const struct fat *f, uint8_t *to, uint32_t lba)
{
    uint32_t c = lba / TRACK / f->heads, h = lba / TRACK % f->heads, s = lba % TRACK + 1;
    if (c > 1023)
        c = 1023, h = f->heads - 1, s = TRACK;
    to[0] = (uint8_t)h, to[1] = (uint8_t)(s | c >> 8 << 6), to[2] = (uint8_t)c;
}

static void sectors_make(struct fat *f)
{
    uint8_t *table = f->meta, *p = table + 446, *s = table + TRACK * SIZE, *x = s + (f->wide ? 64 : 36), *info = s + SIZE;
    uint32_t id = (uint32_t)f->nodes[0].time, used = (uint32_t)((f->used - f->meta_size) / SIZE / f->cluster);
    memcpy(table, "\xcd\x18\xf4\xeb\xfd", 5);   /* INT 18h: nothing to start here */
    le32_put(table + 440, id);
    chs_put(f, p + 1, TRACK);
    chs_put(f, p + 5, TRACK + f->volume - 1);
    p[4] = !f->wide ? f->volume < 65536 ? 0x04 : 0x06 : f->b.size / SIZE / TRACK / f->heads > 1024 ? 0x0c : 0x0b;
    le32_put(p + 8, TRACK), le32_put(p + 12, f->volume);
    memcpy(s, f->wide ? "\xeb\x58\x90MSDOS5.0" : "\xeb\x3c\x90MSDOS5.0", 11);
    le16_put(s + 11, SIZE);
    s[13] = (uint8_t)f->cluster, s[14] = (uint8_t)f->reserved, s[16] = 2, s[21] = 0xf8;
    le16_put(s + 17, (uint16_t)(f->root * SIZE / SLOT));
    le16_put(s + 24, TRACK), le16_put(s + 26, (uint16_t)f->heads);
    le32_put(s + 28, TRACK), le32_put(s + 32, f->volume);
    x[0] = 0x80, x[2] = 0x29;
    le32_put(x + 3, id);
    memcpy(x + 7, f->wide ? "NO NAME    FAT32   \xcd\x18\xf4\xeb\xfd" : "NO NAME    FAT16   \xcd\x18\xf4\xeb\xfd", 24);
    le16_put(table + 510, 0xaa55), le16_put(s + 510, 0xaa55);
    if (!f->wide) {
        le16_put(s + 22, (uint16_t)f->fat);
        return;
    }
    le32_put(s + 36, f->fat), le32_put(s + 44, 2), le16_put(s + 48, 1), le16_put(s + 50, 6);
    memcpy(info, "RRaA", 4), memcpy(info + 484, "rrAa", 4), le16_put(info + 510, 0xaa55);
    le32_put(info + 488, (f->volume - (uint32_t)(f->meta_size / SIZE - TRACK)) / f->cluster - used), le32_put(info + 492, used + 2);
    memcpy(s + 6 * SIZE, s, 2 * SIZE);
}

static bool meta_make(struct fat *f, struct error *err)
{
    uint8_t *fats = f->meta + (TRACK + f->reserved) * SIZE;
    uint32_t end = f->wide ? 0x0fffffff : 0xffff, value = end & ~7u, wide = f->wide ? 4 : 2;
    le32_put(fats, value), le32_put(fats + wide, end);
    for (struct node *n = f->nodes; n < f->nodes + f->count; n++) {
        for (uint32_t c = n->cluster; c < n->cluster + n->clusters; c++) {
            value = c == n->cluster + n->clusters - 1 ? end : c + 1;
            memcpy(fats + (uint64_t)c * wide, &value, wide);
        }
        if (n->folder && !folder_make(f, n))
            return error_set(err, ENOMEM, "no memory for the folders of %s", f->path);
    }
    memcpy(fats + (uint64_t)f->fat * SIZE, fats, (size_t)f->fat * SIZE);
    if (!f->wide)
        memcpy(fats + 2ull * f->fat * SIZE, f->nodes[0].bytes, f->nodes[0].length);
    sectors_make(f);
    return true;
}

/* --- the block ------------------------------------------------------------------------------------------------ */

/* A file that has changed since it was listed cannot be read any more. */
static int file_part(struct fat *f, uint32_t number, uint64_t at, void *to, size_t length)
{
    const struct node *n = &f->nodes[number];
    char path[PATH_MAX];
    struct stat st;
    if (f->open < 0 || f->open_node != number) {
        if (f->open >= 0)
            close(f->open);
        f->open = node_path(f, number, path) ? openat(f->folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
        f->open_node = number;
        if (f->open < 0)
            return -errno;
    }
    if (fstat(f->open, &st) || st.st_dev != n->device || st.st_ino != n->inode || st.st_size != n->length || st.st_mtime != n->time)
        return -ESTALE;
    return file_read(f->open, at, to, length);
}

/* What lies at an offset behind the meta data, at most until its owner's last cluster ends. */
static int data_part(struct fat *f, uint64_t at, void *to, size_t *length)
{
    uint64_t size = f->cluster * (uint64_t)SIZE, low = 0, high = f->count;
    while (high - low > 1) {                    /* the last node that begins at or before it; nodes without clusters come before theirs */
        uint64_t middle = (low + high) / 2;
        *(f->nodes[middle].cluster - 2 <= at / size ? &low : &high) = middle;
    }
    const struct node *n = &f->nodes[low];
    uint64_t inside = at - (n->cluster - 2) * size;
    *length = (size_t)MIN(*length, n->clusters * size - inside);
    size_t have = inside < n->length ? (size_t)MIN(*length, n->length - inside) : 0;
    memset((uint8_t *)to + have, 0, *length - have);
    if (n->folder && have)
        memcpy(to, n->bytes + inside, have);
    return n->folder || !have ? 0 : file_part(f, (uint32_t)low, inside, to, have);
}

static int fat_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct fat *f = (struct fat *)b;
    int error = 0;
    for (size_t n; length && !error; offset += n, to = (char *)to + n, length -= n) {
        uint64_t end = offset < f->meta_size ? f->meta_size : offset < f->used ? f->used : b->size;
        n = (size_t)MIN(length, end - offset);
        if (offset < f->meta_size)
            memcpy(to, f->meta + offset, n);
        else if (offset < f->used)
            error = data_part(f, offset - f->meta_size, to, &n);
        else
            memset(to, 0, n);
    }
    return error;
}

static int fat_extents(struct block *b, uint64_t offset, uint64_t *length, unsigned *kind)
{
    const struct fat *f = (struct fat *)b;
    *kind = offset < f->used ? BLOCK_DATA : BLOCK_ZEROS;
    if (offset < f->used)
        *length = MIN(*length, f->used - offset);
    return 0;
}

static void fat_close(struct block *b)
{
    struct fat *f = (struct fat *)b;
    for (uint32_t i = 0; i < f->count; i++)
        free(f->nodes[i].name), free(f->nodes[i].bytes);
    free(f->nodes);
    free(f->meta);
    if (f->open >= 0)
        close(f->open);
    if (f->folder >= 0)
        close(f->folder);
}

static const struct block_class fat_class = { .name = "folder", .size = sizeof(struct fat), .read = fat_read, .extents = fat_extents, .close = fat_close };

struct block *folder_open(const char *path, struct facts *facts, struct error *err)
{
    struct fat *f = (struct fat *)block_new(&fat_class, err);
    struct stat st = { 0 };
    if (!f)
        return NULL;
    *f = (struct fat){ .b = f->b, .path = path, .facts = facts, .open = -1, .count = 1, .folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    f->b.read_only = true;
    f->nodes = calloc(NODES_MOST, sizeof(struct node));     /* touched as far as there are files */
    bool ok = f->nodes && f->folder >= 0 && !fstat(f->folder, &st) && (f->nodes[0].name = strdup("/"));
    f->count = f->nodes ? 1 : 0;
    if (ok)
        f->nodes[0].folder = true, f->nodes[0].time = st.st_mtime;
    else
        error_set(err, errno, "cannot read the folder %s: %s", path, strerror(errno));
    for (uint32_t i = 0; ok && i < f->count; i++)
        ok = !f->nodes[i].folder || folder_scan(f, i, err);
    if (f->left_out > NOTES_MOST)
        facts_add(facts, "notes", "%u more are left out", f->left_out - NOTES_MOST);
    if (ok && layout(f, err) && meta_make(f, err))
        return &f->b;
    block_close(&f->b);
    return NULL;
}
