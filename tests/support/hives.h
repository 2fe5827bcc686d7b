/* Small registry files as Windows NT (regf) and Windows 95 (CREG) write them, from a table. */
#ifndef TESTS_HIVES_H
#define TESTS_HIVES_H
#include <stddef.h>
#include <stdint.h>

enum { HIVE_SZ = 1, HIVE_BINARY = 3, HIVE_DWORD = 4, HIVE_MULTI = 7 };
struct hive_entry { const char *key, *name; unsigned type; const char *text; uint32_t number; };   /* name NULL: only the key; MULTI: parts between '|' */
#define HIVE_TEXT(key, name, text) { key, name, HIVE_SZ, text, 0 }
#define HIVE_LIST(key, name, text) { key, name, HIVE_MULTI, text, 0 }
#define HIVE_NUMBER(key, name, number) { key, name, HIVE_DWORD, NULL, number }

uint8_t *hive_make_regf(const struct hive_entry *, size_t count, size_t *length);
uint8_t *hive_make_creg(const struct hive_entry *, size_t count, size_t *length);

#endif
