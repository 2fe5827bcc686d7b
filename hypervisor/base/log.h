/* Logs. A category is a class or file name; each call site is rate-limited (10 lines, then one per 1000). */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdio.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE,
                 LOG_GUEST,                     /* the guest did wrong; shown from LOG_DEBUG on */
                 LOG_STUB };                    /* the guest used what we do not model; shown from LOG_INFO on */

/* One per call site; made by the macro below. */
struct log_site { unsigned long count; };

void log_to(FILE *stream);                      /* default: stderr; NULL silences */
void log_set_level(enum log_level level);       /* default: LOG_WARN */
void log_write(struct log_site *, enum log_level, const char *category, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define log_line(level, category, ...) do { static struct log_site site_; \
    log_write(&site_, level, category, __VA_ARGS__); } while (0)

#endif
