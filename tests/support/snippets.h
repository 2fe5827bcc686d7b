/* Tables of short pieces of code (tests/engine/NAME.asm with snippets.inc, assembled beside the test program as engine/NAME.bin). */
#ifndef TESTS_SUPPORT_SNIPPETS_H
#define TESTS_SUPPORT_SNIPPETS_H
#include <stddef.h>
#include <stdint.h>

enum { SNIPPET_VALUES = 12 };
struct snippet { const char *name; const uint8_t *code; size_t length; uint32_t kind, value_count, value[SNIPPET_VALUES]; };
struct snippets { uint8_t *file; struct snippet *all; size_t count; };

/* Aborts when there is no such table, or nothing in it. */
struct snippets snippets_load(const char *name);
void snippets_free(struct snippets *);

#endif
