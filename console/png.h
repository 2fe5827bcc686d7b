/* Pictures as PNG files. */
#ifndef CONSOLE_PNG_H
#define CONSOLE_PNG_H
#include "base/error.h"
#include <stdint.h>

/* Writes 00RRGGBBh pixels, width x height without gaps; to a new name first, then renamed. */
bool png_save(const char *path, const uint32_t *xrgb, unsigned width, unsigned height, struct error *);

#endif
