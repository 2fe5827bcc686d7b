/* Keys by name, and texts as key presses on the US layout. */
#ifndef CONSOLE_KEYS_H
#define CONSOLE_KEYS_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct key_event { uint16_t usage; bool down; bool pause; };    /* pause: wait longer after it (Enter, a chord) */
struct key_script { struct key_event *events; size_t count; };

/* "ctrl-alt-del", "f1", "a": presses from left to right, releases from right to left. Appends to the script. */
bool keys_from_name(struct key_script *, const char *name, struct error *);
/* UTF-8 text. A newline, also written as the two characters \n, is Enter; tab, backspace and escape are their keys. A
 * character that no key types is an error, and nothing is appended. */
bool keys_from_text(struct key_script *, const char *text, struct error *);
/* Blank-separated names, as the profile's stop.keys has them. */
bool keys_from_list(struct key_script *, const char *names, struct error *);
void keys_free(struct key_script *);

#endif
