/* Jobs of a printer become PDF files. */
#ifndef CONSOLE_PRINT_H
#define CONSOLE_PRINT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum print_language { PRINT_TEXT, PRINT_POSTSCRIPT, PRINT_PCL };        /* text: plain, or with ESC/P commands */
enum print_language print_detect(const uint8_t *bytes, size_t length);
/* Text and ESC/P; false: the file could not be written. */
bool print_escp(const uint8_t *bytes, size_t length, FILE *out);

/* Does the byte that came last end a job? Fed every byte in turn; a zeroed struct is a fresh one. */
struct print_ends { uint8_t last[9]; bool begun, postscript, formed; };   /* formed: fed out, and nothing since */
enum print_end { PRINT_GOES_ON, PRINT_ENDS, PRINT_BEGINS };             /* begins: the job ended before this command */
enum print_end print_ends(struct print_ends *, uint8_t byte);

#endif
