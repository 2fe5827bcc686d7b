/* Windows: guest address spaces mapped page by page for the host's own MMU, so that translated code reaches guest memory with one
 * instruction and no check. The design is in window.c. */
#ifndef TRANSLATOR_WINDOW_H
#define TRANSLATOR_WINDOW_H
#include "x86/mmu.h"

struct windows;
/* An address space. Code of a context with `windowed` reaches linear address n at base + n. */
struct window { uint8_t *base; };

struct windows *windows_create(struct cpu *);   /* NULL: no memory, or the machine's RAM is not a file; all else works without */
void windows_destroy(struct windows *);         /* NULL: nothing */
/* The window of the CPU's address space and privilege as they are, or NULL: there is none (yet). GS is its base then. */
struct window *window_now(struct windows *);
bool window_is_there(const struct windows *);   /* what window_now() gave was not abandoned since */
/* So many instructions were executed in the present address space; when it is hot and has no window it gets one. */
void window_heat(struct windows *, uint64_t instructions);
void window_faulted(struct windows *);          /* an access through the window faulted: what it costs is counted */
/* It was made another way: maps the page when it can be. false: it can't be, or was. */
bool window_touch(struct windows *, uint32_t linear, unsigned size, bool write);
void windows_written(struct windows *, uint64_t physical, unsigned length);     /* inside a page that blocks_watch() was told of */
void windows_marked(struct windows *, uint64_t page);           /* the page holds decoded code from now on: stores must be seen */
void windows_drop(struct windows *);            /* all of them: the map has changed */
void windows_set_heat(struct windows *, uint64_t instructions); /* for tests: 0 makes a window at once */

#endif
