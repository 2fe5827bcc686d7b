/* Windows registries as records of text: of Windows NT (regf) and of Windows 95, 98 and Me (CREG). All reads are bounded. */
#ifndef IMPORTERS_REGISTRY_H
#define IMPORTERS_REGISTRY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HIVE_NAME_MOST = 256, HIVE_STEPS_MOST = 2000000, HIVE_DEPTH_MOST = 24, HIVE_LIST_MOST = 65536, HIVE_RECORD_MOST = 16384 };
struct hive { const uint8_t *bytes; size_t length; const struct hive_format *format; unsigned steps; };
struct hive_value { const char *name; uint32_t type; const uint8_t *data; size_t length; bool wide; };
typedef bool hive_key_each(void *arg, uint32_t key, const char *name);          /* false: enough */
typedef void hive_value_each(void *arg, const struct hive_value *);
struct hive_format {
    char magic[5];
    bool (*root)(const struct hive *, uint32_t *key);
    void (*keys)(struct hive *, uint32_t key, hive_key_each *, void *arg);
    void (*values)(struct hive *, uint32_t key, hive_value_each *, void *arg);
};
extern const struct hive_format hive_regf, hive_creg;

bool hive_open(struct hive *, const void *bytes, size_t length);        /* by its magic */
/* Calls `each` for the keys that a path names; its parts between backslashes may be globs, case does not matter. The record is
 * lines `@path=...`, `@key=NAME`, `Value=data`: numbers are decimal, lists have commas, bytes are hexadecimal. */
typedef bool hive_record_each(void *arg, const char *record, size_t length);    /* false: enough */
void hive_find(struct hive *, const char *path, hive_record_each *, void *arg);
/* A name of one or two bytes a character. */
void hive_name(char to[HIVE_NAME_MOST], const uint8_t *from, size_t length, bool wide);
/* Is [at, at+length) within the file? */
static inline bool hive_has(const struct hive *h, uint64_t at, uint64_t length) { return at <= h->length && length <= h->length - at; }

#endif
