#include "console/png.h"
#include <errno.h>
#include <limits.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool png_save(const char *path, const uint32_t *xrgb, unsigned width, unsigned height, struct error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_BGR };
    char temporary[PATH_MAX];
    uint8_t *bgr = malloc((size_t)width * height * 3);
    FILE *f;
    bool ok;

    if (!bgr)
        return error_set(err, ENOMEM, "not enough memory for the picture %s", path);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        bgr[i * 3] = (uint8_t)xrgb[i];
        bgr[i * 3 + 1] = (uint8_t)(xrgb[i] >> 8);
        bgr[i * 3 + 2] = (uint8_t)(xrgb[i] >> 16);
    }
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    if (!(f = fopen(temporary, "we"))) {
        free(bgr);
        return error_set(err, errno, "cannot write the picture %s: %s", path, strerror(errno));
    }
    ok = png_image_write_to_stdio(&image, f, 0, bgr, 0, NULL);
    free(bgr);
    if (!ok)
        error_set(err, EIO, "cannot write the picture %s: %s", path, image.message);
    if (fclose(f) && ok)
        ok = error_set(err, errno, "cannot write the picture %s: %s", path, strerror(errno));
    if (ok && rename(temporary, path))
        ok = error_set(err, errno, "cannot write the picture %s: %s", path, strerror(errno));
    if (!ok)
        unlink(temporary);
    return ok;
}
