/* SHA-256 in pieces, as hexadecimal digits. */
#ifndef IMPORTERS_DIGEST_H
#define IMPORTERS_DIGEST_H
#include "base/error.h"
#include <stddef.h>

struct digest { void *context; };
bool digest_begin(struct digest *, struct error *);
void digest_add(struct digest *, const void *bytes, size_t length);
void digest_end(struct digest *, char hex[65]);         /* hex may be NULL; frees; harmless when not begun */

#endif
