/* Small file systems for tests and fuzzing, written by the formats' own rules: SMALL.TXT ("hello"), BIG.BIN (VOLUME_BIG bytes),
 * DIR/INNER.TXT (777 bytes); byte n of BIG.BIN is volume_byte(n), and of
 * INNER.TXT that with the bits of 5Ah turned. */
#ifndef TESTS_VOLUME_MAKE_H
#define TESTS_VOLUME_MAKE_H
#include "block/block.h"

enum { VOLUME_BIG = 700001, VOLUME_KINDS = 12 };
extern const char *const volume_kinds[VOLUME_KINDS];    /* "fat16", "ext2", "minix1" ... "ntfs" */
uint8_t volume_byte(uint64_t n);
struct block *volume_make(unsigned kind);       /* 3 MiB in memory */
const char *volume_fs(unsigned kind);           /* the name that our reader gives it */

#endif
