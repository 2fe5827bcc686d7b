/* OVA: a tar archive of a description (OVF) and the disks of one machine. Nothing is unpacked: a disk is a window over the archive. What
 * could be meant to leave a folder, were it unpacked, is refused; what is no plain file is passed over.
 * References: [OVF] DSP0243, [USTAR] pax(1).
 * Not modelled: disks in several chunks, archives of several machines. */
#include "importers/sources/transports.h"
#include "base/bits.h"
#include <ctype.h>
#include <errno.h>
#ifdef HAVE_LIBXML
#include <libxml/parser.h>
#endif
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 512, MEMBERS_MOST = 256, HEADERS_MOST = 4096, OVF_MOST = 4 << 20, DISKS_MOST = 32, ID_MOST = 64 };
struct member { char name[264]; uint64_t at, size; };
struct pair { char id[ID_MOST], value[256]; };
struct ova {
    struct block *file; const char *path; struct facts *facts;
    size_t count; struct member members[MEMBERS_MOST];
    size_t file_count, disk_count; struct pair files[DISKS_MOST], disks[DISKS_MOST]; unsigned systems;      /* the description's */
};

/* --- tar ------------------------------------------------------------------------------------------------------ */

/* Octal digits, or (GNU) a big-endian binary number behind a byte of 80h. */
static uint64_t number_get(const uint8_t *field, size_t length)
{
    uint64_t v = 0;
    if (field[0] == 0x80)
        return be64_get(field + length - 8);
    for (size_t i = 0; i < length && field[i] && (v & 0xe000000000000000ull) == 0; i++)
        if (field[i] >= '0' && field[i] <= '7')
            v = v << 3 | (field[i] & 7u);
    return v;
}

static bool header_good(const uint8_t *h)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    return !memcmp(h + 257, "ustar", 5) && number_get(h + 148, 8) == sum;
}

bool ova_is(const uint8_t *head, size_t length)
{
    return length >= BLOCK && header_good(head);
}

static bool name_good(struct ova *o, const char *name, struct error *err)
{
    for (const char *c = name; *c; c++)
        if (iscntrl((unsigned char)*c))
            return error_set(err, EINVAL, "%s holds a file whose name has control characters; it is not an honest OVA", o->path);
    if (*name == '/' || !strcmp(name, "..") || !strncmp(name, "../", 3) || strstr(name, "/../") || strchr(name, '\\'))
        return error_set(err, EINVAL, "%s holds a file for another folder (%s); it is not an honest OVA", o->path, name);
    for (size_t i = 0; i < o->count; i++)
        if (!strcmp(o->members[i].name, name))
            return error_set(err, EINVAL, "%s holds %s twice; it is not an honest OVA", o->path, name);
    return o->count < MEMBERS_MOST || error_set(err, E2BIG, "%s holds more files than an OVA may", o->path);
}

static bool tar_read(struct ova *o, struct error *err)
{
    uint8_t h[BLOCK];
    uint64_t at = 0, size;
    for (unsigned n = 0; n < HEADERS_MOST && at + BLOCK <= o->file->size; n++, at += align_up(size, BLOCK)) {
        struct member *m = &o->members[o->count];
        int error = block_read(o->file, at, h, BLOCK);
        if (error)
            return error_set(err, -error, "cannot read %s: %s", o->path, strerror(-error));
        if (!h[0])
            return true;                        /* the end */
        size = number_get(h + 124, 12);
        at += BLOCK;
        if (!header_good(h) || size > o->file->size - at)
            return error_set(err, EINVAL, "%s is damaged or cut short near byte %llu", o->path, (unsigned long long)at);
        if (h[156] && (h[156] < '0' || h[156] > '2'))
            continue;                           /* folders, devices, extended headers */
        bool prefix = !h[262] && h[345];        /* GNU's tar has a blank after "ustar" and other things there; neither needs a zero at its end */
        char name[264];
        snprintf(name, sizeof(name), "%.155s%s%.100s", prefix ? (char *)h + 345 : "", prefix ? "/" : "", (char *)h);
        if (!name_good(o, name, err))
            return false;
        if (h[156] > '0')
            continue;                           /* links */
        strcpy(m->name, name + (strncmp(name, "./", 2) ? 0 : 2));
        m->at = at, m->size = size;
        o->count++;
    }
    return true;
}

static struct member *member_find(struct ova *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++)
        if (!strcmp(o->members[i].name, name))
            return &o->members[i];
    return NULL;
}

/* --- the description ------------------------------------------------------------------------------------------ */

#ifdef HAVE_LIBXML
/* The text of an attribute, or of a child element, of that name in whatever name space. */
static const char *content(const xmlNode *n, const char *name)
{
    while (n && (!n->name || strcmp((const char *)n->name, name)))
        n = n->next;                            /* an xmlAttr begins as an xmlNode does */
    return n && n->children && n->children->content ? (const char *)n->children->content : "";
}
static const char *attribute(const xmlNode *n, const char *name) { return content((const xmlNode *)n->properties, name); }
static const char *child(const xmlNode *n, const char *name) { return content(n->children, name); }

static void pair_add(struct pair *list, size_t *count, const char *id, const char *value)
{
    if (*count < DISKS_MOST && *value && strlen(id) < ID_MOST && strlen(value) < sizeof(list->value))
        snprintf(list[*count].id, ID_MOST, "%s", id), snprintf(list[(*count)++].value, sizeof(list->value), "%s", value);
}

static void mac_add(struct facts *f, const char *text)
{
    char hex[13] = "";
    size_t n = 0;
    for (; *text && n < 12; text++)
        if (isxdigit((unsigned char)*text))
            hex[n++] = (char)tolower((unsigned char)*text);
    if (n == 12)
        facts_add(f, "ovf.mac", "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4, hex + 6, hex + 8, hex + 10);
}

/* A virtual part, by the resource types of [OVF] (CIM_ResourceAllocationSettingData). */
static void item_read(struct ova *o, const xmlNode *n)
{
    int type = atoi(child(n, "ResourceType"));
    const char *quantity = child(n, "VirtualQuantity"), *units = child(n, "AllocationUnits"), *model = child(n, "ResourceSubType");
    double amount = strtod(quantity, NULL);
    if (type == 3)
        facts_add(o->facts, "ovf.cpus", "%s", quantity);
    if (type == 4)
        facts_add(o->facts, "ovf.memory", "%.0f MiB", strstr(units, "2^30") || strcasestr(units, "giga") ? amount * 1024 :
                  strstr(units, "2^10") || strcasestr(units, "kilo") ? amount / 1024 : !strcasecmp(units, "byte") ? amount / 1048576 : amount);
    if (type == 5 || type == 6 || type == 20)
        facts_add(o->facts, "ovf.controller", "%s%s%s", type == 5 ? "IDE" : type == 6 ? "SCSI" : "SATA", *model ? " " : "", model);
    if (type == 10) {
        facts_add(o->facts, "ovf.nic", "%s", model);
        mac_add(o->facts, child(n, "Address"));
    }
}

static void node_read(struct ova *o, const xmlNode *n)
{
    const char *name = (const char *)n->name, *above = n->parent && n->parent->name ? (const char *)n->parent->name : "";
    const char *text = n->children && n->children->content ? (const char *)n->children->content : "";
    if (!strcmp(name, "File"))
        pair_add(o->files, &o->file_count, attribute(n, "id"), attribute(n, "href"));
    else if (!strcmp(name, "Disk") && *attribute(n, "fileRef"))
        pair_add(o->disks, &o->disk_count, attribute(n, "diskId"), attribute(n, "fileRef"));
    else if (!strcmp(name, "VirtualSystem"))
        o->systems++;
    else if (!strcmp(name, "Name") && !strcmp(above, "VirtualSystem"))
        facts_add(o->facts, "ovf.name", "%s", text);
    else if (!strcmp(name, "OperatingSystemSection"))
        facts_add(o->facts, "ovf.os", "%s%s%s", attribute(n, "osType"), *attribute(n, "osType") ? " " : "", child(n, "Description"));
    else if (!strcmp(name, "OSType"))
        facts_add(o->facts, "ovf.os", "%s", text);
    else if (!strcmp(name, "Item"))
        item_read(o, n);
    else if (!strcmp(name, "Adapter") && !strcmp(attribute(n, "enabled"), "true")) {    /* VirtualBox's own section */
        facts_add(o->facts, "ovf.nic", "%s", attribute(n, "type"));
        mac_add(o->facts, attribute(n, "MACAddress"));
    }
}

/* A tree without recursion: the next node in reading order. libxml2 limits depth, names and entities by itself. */
static bool ovf_parse(struct ova *o, const char *text, size_t size, struct error *err)
{
    xmlDoc *doc = xmlReadMemory(text, (int)size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
    xmlNode *n = doc && !doc->intSubset ? xmlDocGetRootElement(doc) : NULL;
    bool ok = n || error_set(err, EINVAL, "%s: the description of the machine (OVF) is damaged", o->path);
    while (n) {
        if (n->type == XML_ELEMENT_NODE)
            node_read(o, n);
        if (n->type == XML_ELEMENT_NODE && n->children) {
            n = n->children;
            continue;
        }
        while (n && !n->next)
            n = n->parent && n->parent->type == XML_ELEMENT_NODE ? n->parent : NULL;
        n = n ? n->next : NULL;
    }
    xmlFreeDoc(doc);
    return ok && (o->systems < 2 || error_set(err, ENOTSUP, "%s holds %u machines; unpack it and import the disks of one", o->path, o->systems));
}
#else
static bool ovf_parse(struct ova *o, const char *text, size_t size, struct error *err)
{
    (void)text, (void)size;
    return error_set(err, ENOTSUP, "%s is an OVA, and this program was built without libxml2; unpack it and import its disks", o->path);
}
#endif

/* All that is known of an archive; takes file, also on failure. */
static struct ova *ova_open(struct block *file, const char *path, struct facts *facts, struct error *err)
{
    const struct member *m = NULL;
    struct ova *o = file ? calloc(1, sizeof(*o)) : NULL;
    if (!o) {
        block_close(file);
        return NULL;
    }
    o->file = file, o->path = path, o->facts = facts;
    bool ok = tar_read(o, err);
    for (size_t i = 0; !m && i < o->count; i++)
        if (strlen(o->members[i].name) > 4 && !strcasecmp(strrchr(o->members[i].name, 0) - 4, ".ovf"))
            m = &o->members[i];
    char *text = ok && m && m->size && m->size <= OVF_MOST ? malloc(m->size) : NULL;
    if (ok && !m)
        ok = error_set(err, EINVAL, "%s is a tar archive without the description of a machine (OVF); unpack it and name a disk in it", path);
    else if (ok && (!text || block_read(file, m->at, text, m->size)))
        ok = error_set(err, EINVAL, "%s: the description of the machine (OVF) cannot be read", path);
    ok = ok && ovf_parse(o, text, m->size, err);
    free(text);
    if (ok)
        return o;
    block_close(file);
    free(o);
    return NULL;
}

bool ova_list(const char *path, struct source_list *l, struct error *err)
{
    struct facts facts = { 0 };
    struct ova *o = ova_open(block_open_raw(path, BLOCK_RDONLY, err), path, &facts, err);
    bool ok = o && (l->names = calloc(DISKS_MOST, sizeof(char *)));
    for (size_t i = 0; ok && i < o->disk_count; i++) {
        const char *file = "";
        for (size_t k = 0; k < o->file_count; k++)
            if (!strcmp(o->files[k].id, o->disks[i].value))
                file = o->files[k].value;
        ok = member_find(o, file) ? asprintf(&l->names[l->count], "%s/%s", path, file) > 0 && ++l->count
                                  : error_set(err, EINVAL, "%s describes a disk in a file that it does not hold", path);
    }
    if (ok && !l->count)
        ok = error_set(err, ENODATA, "%s describes a machine without disks", path);
    block_close(o ? o->file : NULL);
    facts_free(&facts);
    free(o);
    return ok;
}

struct block *ova_member_open(struct block *file, const char *path, const char *member, struct facts *facts, struct error *err)
{
    struct ova *o = ova_open(file, path, facts, err);
    const struct member *m = o ? member_find(o, member) : NULL;
    struct block *b = m ? block_window(file, m->at, m->size, err) : NULL;
    if (o && !m) {
        error_set(err, ENOENT, "%s holds no file %s", path, member);
        block_close(file);
    }
    free(o);
    return b;
}
