/* Recognising systems by what is on their disks. What means what is data: legacy-profiles/systems.rules, which also describes
 * its language. */
#ifndef IMPORTERS_SYSTEMS_H
#define IMPORTERS_SYSTEMS_H
#include "base/error.h"
#include "importers/systems/views.h"
#include <regex.h>

/* Rules as read: statements in the order of the file; those that depend on one stand behind it, up to its `end`. */
enum verb { SYSTEM, PART, USE, HAVE, NONE, LINE, LINES, BLOCKS, KEY, NAMES, FACT, NOFACT, DATES, ELSE, ADD, ADD_FIRST };
enum { WORDS_MOST = 24, PATTERNS_MOST = 8, CAPTURES_MOST = 16 };
struct pattern { regex_t re; bool negated; };
struct statement {
    enum verb verb; unsigned depth; size_t end, part;      /* part: of USE, where it stands */
    unsigned words, patterns;
    char *word[WORDS_MOST], *text;              /* paths and names; text: the value of ADD, the key path of KEY */
    struct pattern pattern[PATTERNS_MOST];
};
struct table_entry { const char *table, *key, *value; };
struct systems_rules {                          /* all texts are in `file` */
    struct statement *list; size_t count;
    struct table_entry *entries; size_t entry_count;
    char *file;
};

enum { SYSTEMS_MOST = 12 };
struct systems_rules *systems_load(const char *path, struct error *);
void systems_free(struct systems_rules *);
const char *systems_look_up(const struct systems_rules *, const char *table, const char *key);  /* NULL: not in it */
/* What each `system` block found at a place: a system where it has os.type, else facts about the
 * place; facts with a dot before their key are notes of the rules. Returns how many. */
size_t systems_find(const struct systems_rules *, const struct place *, struct facts found[SYSTEMS_MOST]);

#endif
