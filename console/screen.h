/* The guest's picture and its text screen, copied out under the machine lock. */
#ifndef CONSOLE_SCREEN_H
#define CONSOLE_SCREEN_H
#include "hypervisor.h"

/* A copy of the picture: width * height pixels, 00RRGGBBh, rows without gaps. */
struct picture { uint32_t *pixels; unsigned width, height; struct rect changed; };

/* Brings the copy up to date; `whole`: even what did not change. Returns whether anything changed. Takes the lock. */
bool picture_update(struct picture *, struct machine *, bool whole);
void picture_free(struct picture *);
/* Enlarges it: each pixel becomes `zoom` pixels wide, and its rows become `height` rows, not fewer than they are; an enlarged row that
 * lies on two is a mixture of both. Makes the rows from `first` until before `last`, into `to`. */
void picture_stretch(const struct picture *, unsigned zoom, unsigned height, unsigned first, unsigned last, uint32_t *to);
/* The screen as it is now, as a PNG file; a blank one is black. Takes the lock. */
bool screen_save(struct machine *, const char *path, struct error *);
/* Does one row of the text screen hold this UTF-8 text? Takes the lock. */
bool screen_has(struct machine *, const char *text);
/* The text screen as lines of UTF-8, blanks at their ends cut; NULL: not in a text mode. The caller frees it. */
char *screen_text(struct machine *);

#endif
