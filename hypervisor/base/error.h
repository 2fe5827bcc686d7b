/* Errors that a user can cause or mend: one sentence that names the object and the remedy. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
#include <stdbool.h>

struct error {
    int code;                                   /* an errno value, or EINVAL when no better one exists */
    char text[256];                             /* one sentence, without a full stop or newline at its end */
};

/* Fills *err and returns false, so that a function can `return error_set(...)`. err is never NULL. */
bool error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts "<text>: " before the sentence that is already there; returns false. */
bool error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
