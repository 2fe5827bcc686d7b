/* Looking inside a disk by our own readers: every volume by the rules, then which of the systems found is the one that starts. */
#include "importers/systems/inspect.h"
#include "importers/disk/volume.h"
#include "importers/systems/systems.h"
#include "base/bits.h"
#include "profile/profile.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SEEN_MOST = 32 };
struct seen { struct facts facts; unsigned number; };
struct light {
    struct block *disk; const struct partition_table *table; struct systems_rules *rules;
    size_t count; struct seen list[SEEN_MOST];          /* systems */
    struct facts *facts;                                /* of the whole disk */
    unsigned next[PARTITIONS_MOST];                     /* the partition that the loader of this one starts; 0: itself */
    char folder[PARTITIONS_MOST][64];                   /* and the folder there */
};

void year_keep_newest(struct facts *f)
{
    unsigned newest = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!strcmp(f->list[i].key, "year"))
            newest = MAX(newest, (unsigned)atoi(f->list[i].value));
    facts_remove(f, "year");
    if (newest)
        facts_add(f, "year", "%u", newest);
}

/* Which partition is the n-th as Windows NT counts: primary ones, then logical ones, containers not at all. */
static unsigned nt_partition(const struct partition_table *t, unsigned n)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].type != 0x05 && t->list[i].type != 0x0f && t->list[i].type != 0x85 && !--n)
            return t->list[i].number;
    return 0;
}

/* The partition that the active one starts: itself, or what the menu of its NTLDR names, with the folder there. */
static unsigned boot_follow(const struct light *l, char folder[64])
{
    const struct partition_table *t = l->table;
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].active) {
            snprintf(folder, 64, "%s", l->folder[i]);
            return l->next[i] ? l->next[i] : t->list[i].number;
        }
    return 0;
}

/* Does the menu of GRUB or LILO start this one? As a rule it starts Linux. */
static bool menu_starts(const struct light *l, const struct facts *f)
{
    const char *menu = NULL;
    for (size_t i = 0; i < l->count && !menu; i++)
        menu = facts_get(&l->list[i].facts, "boot.menu");
    return !strcmp(facts_get(f, "os.type"), "linux") == !menu;
}

/* --- volumes --- */
static void found_take(struct light *l, struct facts *f, size_t place, unsigned number)
{
    const char *partition = facts_get(f, "boot.partition"), *folder = facts_get(f, "boot.folder");
    if (folder) {
        l->next[place] = partition ? nt_partition(l->table, (unsigned)atoi(partition)) : number;
        snprintf(l->folder[place], sizeof(l->folder[place]), "%s", folder);
        facts_remove(f, "boot.partition");
        facts_remove(f, "boot.folder");
    }
    if (facts_get(f, "os.type") && l->count < SEEN_MOST) {
        l->list[l->count++] = (struct seen){ *f, number };
        return;
    }
    facts_copy(l->facts, f);
    facts_free(f);
}

static void place_look(struct light *l, const struct place *p, size_t place, unsigned number)
{
    struct facts found[SYSTEMS_MOST];
    size_t count = systems_find(l->rules, p, found);
    for (size_t i = 0; i < count; i++)
        found_take(l, &found[i], place, number);
}

static void partition_look(struct light *l, size_t i)
{
    const struct partition *p = &l->table->list[i];
    uint64_t start = p->start * SECTOR;
    struct volume v;
    uint8_t oem[8] = { 0 };
    char about[256];
    if (start >= l->disk->size)
        return;
    struct place place = { .disk = l->disk, .start = start, .length = MIN(p->sectors * SECTOR, l->disk->size - start), .about = about };
    bool open = volume_tree(l->disk, start, place.length, &v, &place.tree);
    if (!open)
        place.tree = (struct tree){ 0 };
    if (open && v.written)
        facts_add(l->facts, "year", "%u", day_of_unix(v.written) / 10000);
    if (block_read(l->disk, start + 3, oem, sizeof(oem)))
        memset(oem, 0, sizeof(oem));
    snprintf(about, sizeof(about), "number=%u\ntype=%02x\nactive=%d\nfs=%s\nlabel=%s\noem=%.8s\n", p->number, p->type, p->active, p->fs,
             p->label, (const char *)oem);
    place_look(l, &place, i, p->number);
    if (open)
        volume_close(&v);
}

/* The system that starts gives the facts; the others are told under other.KEY, their names behind its own too. */
static void systems_merge(struct light *l)
{
    char folder[64] = "";
    unsigned next = boot_follow(l, folder);
    const char *loader = facts_get(l->facts, "bootloader");
    bool menu = loader && (!strcmp(loader, "GRUB") || !strcmp(loader, "LILO"));
    bool known = facts_get(l->facts, "os.type");        /* on a disk that was looked at before */
    size_t first = 0;
    for (size_t i = l->count; i-- > 0;) {
        const char *own = facts_get(&l->list[i].facts, "folder");
        bool there = menu ? menu_starts(l, &l->list[i].facts) : !next || l->list[i].number == next;
        first = there && (menu || !*folder || !strcasecmp(own ? own : "/", folder)) ? i : first;
    }
    for (size_t k = 0; k < l->count; k++) {
        size_t i = k == 0 ? first : k <= first ? k - 1 : k;
        struct facts *f = &l->list[i].facts;
        const char *product = facts_get(f, "os.product"), *version = facts_get(f, "os.version");
        facts_add(l->facts, "system", "%s%s%s%s, partition %u", product ? product : facts_get(f, "os.type"), version ? " (" : "",
                  version ? version : "", version ? ")" : "", l->list[i].number);
        for (size_t n = 0; n < f->count; n++) {
            const char *key = f->list[n].key, *value = f->list[n].value;
            char other[80];
            snprintf(other, sizeof(other), "other.%s", key);
            if (*key == '.')
                continue;
            if ((k || known) && strcmp(key, "year"))
                facts_add(l->facts, other, "%s", value);
            if ((!k && !known) || !strcmp(key, "year") || !strcmp(key, "os.product") || !strcmp(key, "hostname"))
                facts_add(l->facts, key, "%s", value);
        }
        facts_free(f);
    }
}

static void light_run(struct light *l)
{
    const struct partition_table *t = l->table;
    facts_add(l->facts, "table", "%s", table_kind_names[t->kind]);
    struct place whole = { .disk = l->disk, .length = l->disk->size, .about = "number=0\n" };
    if (t->kind != TABLE_VOLUME)
        place_look(l, &whole, 0, 0);
    for (size_t i = 0; i < t->count; i++)
        facts_add(l->facts, "fs", "%s", t->list[i].fs);
    for (size_t i = 0; i < t->count && i < PARTITIONS_MOST; i++)
        partition_look(l, i);
    systems_merge(l);
    year_keep_newest(l->facts);
}

static struct systems_rules *shipped_rules(struct facts *f)
{
    char path[PATH_MAX];
    struct error err;
    snprintf(path, sizeof(path), "%s/systems.rules", profile_folder());
    struct systems_rules *rules = systems_load(path, &err);
    if (!rules)
        facts_add(f, "note", "%s", err.text);
    return rules;
}

void inspect_light(struct block *disk, const struct partition_table *t, struct facts *f)
{
    struct light *l = calloc(1, sizeof(*l));
    struct systems_rules *rules = l ? shipped_rules(f) : NULL;
    if (rules) {
        *l = (struct light){ .disk = disk, .table = t, .rules = rules, .facts = f };
        light_run(l);
    }
    systems_free(rules);
    free(l);
}

void inspect_tree(const struct tree *t, struct facts *f)
{
    struct systems_rules *rules = shipped_rules(f);
    struct facts found[SYSTEMS_MOST];
    size_t count = rules ? systems_find(rules, &(struct place){ .tree = *t, .about = "" }, found) : 0;
    for (size_t i = 0; i < count; i++) {
        facts_copy(f, &found[i]);
        facts_free(&found[i]);
    }
    systems_free(rules);
}
