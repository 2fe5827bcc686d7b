/* The text screen's code page 437 as UTF-8. */
#ifndef CONSOLE_TEXT_H
#define CONSOLE_TEXT_H
#include <stddef.h>
#include <stdint.h>

enum { UTF8_PER_CELL = 3 };                     /* at most, for this code page */
/* Writes the cells as UTF-8 with a NUL behind (size: at least 3 * count + 1) and returns the bytes before it. */
size_t cp437_to_utf8(const uint8_t *cells, size_t count, char *text, size_t size);
/* One character as Unicode, of those that code page 437 has above 7Fh. */
uint16_t cp437_high(uint8_t c);
/* Cuts blanks off the end; returns the new length. */
size_t text_trim(char *text);

#endif
