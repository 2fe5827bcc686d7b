/* What is known about an old system: `key = value` pairs, a key may have several values. The rules read them, the manifest
 * keeps them. docs/import.md has a table of the keys. */
#ifndef IMPORTERS_FACTS_H
#define IMPORTERS_FACTS_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct fact { char *key, *value; };
struct facts { struct fact *list; size_t count, room; };

/* Ignores empty values and pairs that are known; bytes that are not printable text become '?'. */
void facts_add(struct facts *, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void facts_copy(struct facts *, const struct facts *from);        /* but not those whose key begins with a dot */
void facts_remove(struct facts *, const char *key);             /* all its values */
const char *facts_get(const struct facts *, const char *key);   /* the first value; NULL: none */
void facts_free(struct facts *);
json_t *facts_json(const struct facts *);                       /* {"key": ["value", ...], ...} */
void facts_merge(struct facts *, const json_t *);               /* adds what such an object holds */

#endif
