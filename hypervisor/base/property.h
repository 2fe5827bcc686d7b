/* Property tables: profiles, command line and device options are all read through them, so that a wrong key
 * is answered with the keys that exist. */
#ifndef BASE_PROPERTY_H
#define BASE_PROPERTY_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum property_kind { PROP_END, PROP_U8, PROP_U16, PROP_U32, PROP_U64, PROP_BOOL, PROP_STRING };
struct property { const char *name; size_t offset; enum property_kind kind; const char *fallback, *help; };
#define PROPERTY(T, m, fallback, help) { #m, offsetof(T, m), _Generic(((T *)0)->m, uint8_t: PROP_U8, \
    uint16_t: PROP_U16, uint32_t: PROP_U32, uint64_t: PROP_U64, bool: PROP_BOOL, char *: PROP_STRING), fallback, help }
/* The same with a name that is not a C identifier, such as "debug-exit". */
#define PROPERTY_AS(T, m, name, fallback, help) { name, offsetof(T, m), _Generic(((T *)0)->m, uint8_t: PROP_U8, \
    uint16_t: PROP_U16, uint32_t: PROP_U32, uint64_t: PROP_U64, bool: PROP_BOOL, char *: PROP_STRING), fallback, help }
#ifndef END
#define END { 0 }                               /* closes every table */
#endif

/* Numbers: decimal, 0x hex; PROP_U32/U64 also K, M, G, T (binary). Booleans: on/off, yes/no, true/false, 1/0.
 * Strings are allocated; property_free releases them. Errors name `what`, the key and the keys that exist. */
bool property_defaults(const struct property *, void *object, struct error *);
bool property_set(const struct property *, void *object, const char *what, const char *key, const char *value,
                  struct error *);
const struct property *property_find(const struct property *, const char *key);
/* "a=1,b=two" into the object. */
bool property_parse(const struct property *, void *object, const char *what, const char *options, struct error *);
void property_free(const struct property *, void *object);
/* Writes "a, b, c" (the keys) into text. */
void property_names(const struct property *, char *text, size_t size);
bool parse_size(const char *text, uint64_t *value);     /* the number syntax above, any kind */
bool parse_time(const char *text, int64_t *ns);         /* a whole number with its unit: ns, us, ms, s; 0 needs none */

#endif
