/* CDs and floppies. A CD is told by its volume descriptor, in sectors of 2048 bytes or in raw ones of 2352, and is kept as its data
 * sectors; a floppy by its size and boot sector. What a CD is of comes from its first folder, by legacy-profiles/media.rules.
 * References: [ECMA-119], [ELTORITO], [ECMA-130]. Records are read by libiso9660's structures and accessors; blocks by ourselves, since
 * its files are names, and a CD may lie inside of something else. */
#include "importers/sources/transports.h"
#include "importers/disk/partitions.h"
#include "importers/pins/rules.h"
#include "base/bits.h"
#include "block/layer.h"
#include "profile/profile.h"
#include <cdio/iso9660.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { RAW = 2352, USER = 2048, DESCRIPTORS = 16, DESCRIPTORS_MOST = 64, ROOT_MOST = 65536 };

/* --- raw sectors: sync, address, mode; the user's bytes are at 16 (mode 1) or, behind a subheader, at 24 (mode 2) [ECMA-130, 14] -- */

static bool sync_good(const uint8_t *raw)
{
    return !raw[0] && !raw[11] && !memcmp(raw + 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10);
}

static int cooked_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    uint8_t raw[RAW];
    for (size_t n; length; offset += n, to = (char *)to + n, length -= n) {
        size_t skip = offset % USER;
        n = MIN(length, USER - skip);
        int error = block_read(b->below, offset / USER * RAW, raw, RAW);
        if (error)
            return error;
        if (sync_good(raw))
            memcpy(to, raw + (raw[15] == 2 ? 24 : 16) + skip, n);
        else
            memset(to, 0, n);                   /* sound, or between sessions */
    }
    return 0;
}

static const struct block_class cooked_class = { .name = "cd", .size = sizeof(struct block), .read = cooked_read };

/* Takes below, also on failure. */
static struct block *cooked_on(struct block *below, uint64_t sectors, struct error *err)
{
    struct block *b = block_new(&cooked_class, err);
    if (!b) {
        block_close(below);
        return NULL;
    }
    b->below = below;
    b->read_only = true;
    b->size = sectors * USER;
    return b;
}

struct block *sheet_open(const char *path, struct facts *facts, struct error *err)
{
    struct block *b = block_open_cd(path, err);
    unsigned audio = 0, last = 0;
    if (!b || !b->disc)
        return b;
    for (unsigned n = 0; n < b->disc->tracks; n++) {
        if (b->disc->track[n].kind == DISC_AUDIO)
            audio++;
        else
            last = n + 1;
    }
    facts_add(facts, "cd.tracks", "%u", b->disc->tracks);
    if (audio)
        facts_add(facts, "notes", "%u audio tracks are not kept; for those start the guest with --cdrom and the sheet", audio);
    if (!last) {
        block_close(b);
        error_set(err, EINVAL, "%s is a disc of audio tracks; there is nothing to import", path);
        return NULL;
    }
    return cooked_on(b, last < b->disc->tracks ? b->disc->track[last].start : b->size / RAW, err);
}

/* --- ISO 9660 ------------------------------------------------------------------------------------------------- */

/* A text that libiso9660 allocated; its padding is gone. */
static void text_add(struct facts *f, const char *key, char *text)
{
    facts_add(f, key, "%s", text ? text : "");
    free(text);
}

/* The first folder's names, without versions; records do not cross sectors. */
static void root_read(struct block *b, const iso9660_dir_t *root, struct facts *f)
{
    enum { NAME = offsetof(iso9660_dir_t, filename.str) + 1 };
    uint8_t sector[USER];
    uint64_t at = le32_get((const uint8_t *)&root->extent) * (uint64_t)USER;
    uint64_t size = MIN(le32_get((const uint8_t *)&root->size), (uint32_t)ROOT_MOST);
    for (uint64_t done = 0; done < size && !block_read(b, at + done, sector, USER); done += USER)
        for (size_t n = 0, length; n + NAME < USER && (length = iso9660_get_dir_len((iso9660_dir_t *)(sector + n))) > NAME && n + length <= USER;
             n += length) {
            const iso9660_dir_t *d = (const iso9660_dir_t *)(sector + n);
            const char *name = d->filename.str + 1;
            size_t named = strnlen(name, MIN((size_t)d->filename.len, length - NAME));
            const char *version = memchr(name, ';', named);
            named = version ? (size_t)(version - name) : named;
            if (named && name[named - 1] == '.')
                named--;
            if (named > 1 || (named && *name > 1))      /* not the folder itself and the one above */
                facts_add(f, "cd.file", "%.*s", (int)named, name);
        }
}

static void boot_read(struct block *b, const uint8_t *record, struct facts *f)
{
    static const char *const emulations[] = { "no emulation", "floppy 1.2M", "floppy 1.44M", "floppy 2.88M", "hard disk" };
    uint8_t catalog[64];
    if (memcmp(record + 7, "EL TORITO SPECIFICATION", 23) || block_read(b, le32_get(record + 71) * (uint64_t)USER, catalog, sizeof(catalog)))
        return;
    if (catalog[0] == 1 && catalog[30] == 0x55 && catalog[31] == 0xaa && catalog[32] == 0x88)
        facts_add(f, "cd.boot", "%s", emulations[MIN(catalog[33] & 15, 4)]);
}

static void volumes_read(struct block *b, struct facts *f)
{
    union { uint8_t bytes[USER]; iso9660_pvd_t primary; } d;
    _Static_assert(sizeof(d) == USER, "a descriptor is a sector");
    for (unsigned n = 0; n < DESCRIPTORS_MOST && !block_read(b, (DESCRIPTORS + n) * (uint64_t)USER, d.bytes, USER); n++) {
        uint8_t type = iso9660_get_pvd_type(&d.primary);
        if (type == ISO_VD_END || memcmp(d.primary.id, ISO_STANDARD_ID, sizeof(d.primary.id)))
            break;
        if (type == ISO_VD_BOOT_RECORD)
            boot_read(b, d.bytes, f);
        if (type != ISO_VD_PRIMARY)
            continue;
        text_add(f, "cd.label", iso9660_get_volume_id(&d.primary));
        text_add(f, "cd.publisher", iso9660_get_publisher_id(&d.primary));
        text_add(f, "cd.application", iso9660_get_application_id(&d.primary));
        root_read(b, &d.primary.root_directory_record, f);
    }
}

/* Hard disks that once took a hybrid image still have its descriptor: a CD's partitions do not go far beyond its volume. */
static bool is_volume(struct block *b)
{
    uint8_t d[USER], boot[512];
    if (block_read(b, DESCRIPTORS * USER, d, USER) || memcmp(d, "\1CD001\1", 7) || le16_get(d + 128) != USER || block_read(b, 0, boot, 512))
        return false;
    uint64_t volume = le32_get(d + 80) * (uint64_t)USER;
    return boot[510] != 0x55 || boot[511] != 0xaa || b->size / 4 <= volume;
}

bool floppy_is(struct block *b)
{
    static const uint32_t sizes[] = { 160, 180, 320, 360, 640, 720, 800, 1200, 1440, 1680, 1722, 2880 };     /* KiB */
    uint8_t s[512];
    struct partition_table t;
    if (b->size > 2880 << 10 || block_read(b, 0, s, sizeof(s)))
        return false;
    bool known = false, bpb = le16_get(s + 11) == 512 && le16_get(s + 19) * 512ull == b->size && s[21] >= 0xf0 && s[21] != 0xf8;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        known |= b->size == sizes[i] * 1024;
    partitions_read(b, &t);
    return (bpb || known) && t.kind != TABLE_MBR;
}

static void media_name(struct facts *f)
{
    char rules[PATH_MAX], name[64], reason[IMPORT_TEXT];
    struct error none;
    snprintf(rules, sizeof(rules), "%s/media.rules", profile_folder());
    if (!rules_choose(rules, f, name, reason, &none))
        return;
    facts_add(f, "cd.media", "%s", name);
    facts_add(f, "notes", "%s", reason);
}

/* Raw sectors of 2352 bytes with a volume in them. */
static bool is_raw(struct block *b)
{
    uint8_t raw[RAW];
    return b->size >= (DESCRIPTORS + 1) * RAW && !block_read(b, DESCRIPTORS * RAW, raw, RAW) && sync_good(raw) &&
           !memcmp(raw + (raw[15] == 2 ? 24 : 16) + 1, "CD001", 5);
}

bool cd_is(struct block *b) { return is_volume(b) || is_raw(b); }

bool cd_find(struct source *s, struct facts *f, struct error *err)
{
    const char *format = !strcmp(s->block->class->name, "cd") ? "cue" : is_raw(s->block) ? "raw cd" : "iso";
    if (*format == 'r' && !(s->block = cooked_on(s->block, s->block->size / RAW, err)))
        return false;
    if (*format != 'c' && !is_volume(s->block))
        return true;
    s->media = MEDIA_CD;
    s->format = format;
    volumes_read(s->block, f);
    media_name(f);
    return true;
}
