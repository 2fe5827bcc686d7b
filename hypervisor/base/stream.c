#include "base/stream.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void stream_free(struct stream *s)
{
    free(s->bytes);
    *s = (struct stream){ 0 };
}

void stream_put(struct stream *s, const void *bytes, size_t length)
{
    if (length > s->capacity - s->length) {
        size_t capacity = MAX(s->capacity * 2, s->length + length + 4096);
        uint8_t *grown = realloc(s->bytes, capacity);
        if (!grown) {
            s->bad = true;
            return;
        }
        s->bytes = grown;
        s->capacity = capacity;
    }
    if (length)
        memcpy(s->bytes + s->length, bytes, length);
    s->length += length;
}

void stream_put8(struct stream *s, uint8_t v) { stream_put(s, &v, 1); }
void stream_put16(struct stream *s, uint16_t v) { stream_put(s, &v, 2); }
void stream_put32(struct stream *s, uint32_t v) { stream_put(s, &v, 4); }
void stream_put64(struct stream *s, uint64_t v) { stream_put(s, &v, 8); }

void stream_put_text(struct stream *s, const char *text)
{
    size_t n = MIN(strlen(text), 255);
    stream_put8(s, (uint8_t)n);
    stream_put(s, text, n);
}

const uint8_t *stream_get(struct stream *s, size_t length)
{
    if (s->bad || length > s->length - s->position) {
        s->bad = true;
        return NULL;
    }
    const uint8_t *p = s->bytes + s->position;
    s->position += length;
    return p;
}

uint8_t stream_get8(struct stream *s) { const uint8_t *p = stream_get(s, 1); return p ? *p : 0; }
uint16_t stream_get16(struct stream *s) { const uint8_t *p = stream_get(s, 2); return p ? le16_get(p) : 0; }
uint32_t stream_get32(struct stream *s) { const uint8_t *p = stream_get(s, 4); return p ? le32_get(p) : 0; }
uint64_t stream_get64(struct stream *s) { const uint8_t *p = stream_get(s, 8); return p ? le64_get(p) : 0; }

bool stream_get_text(struct stream *s, char *text, size_t size)
{
    size_t n = stream_get8(s);
    const uint8_t *p = stream_get(s, n);
    if (!p || n >= size || memchr(p, 0, n)) {
        s->bad = true;
        text[0] = 0;
        return false;
    }
    memcpy(text, p, n);
    text[n] = 0;
    return true;
}

static bool write_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

bool stream_save_file(const struct stream *s, const char *path, struct error *err)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return error_set(err, ENAMETOOLONG, "%s: the path is too long", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set(err, errno, "%s cannot be written: %s", temporary, strerror(errno));
    bool ok = write_all(fd, s->bytes, s->length) && !fsync(fd);
    int code = errno;
    ok = !close(fd) && ok;
    if (ok && !rename(temporary, path))
        return true;
    code = ok ? errno : code;
    unlink(temporary);
    return error_set(err, code, "%s cannot be written: %s", path, strerror(code));
}

bool stream_load_file(struct stream *s, const char *path, struct error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, errno, "%s cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(err, EINVAL, "%s is not a regular file", path);
    }
    *s = (struct stream){ .bytes = malloc((size_t)st.st_size + 1), .capacity = (size_t)st.st_size + 1 };
    while (s->bytes && s->length < (size_t)st.st_size) {
        ssize_t n = read(fd, s->bytes + s->length, (size_t)st.st_size - s->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        s->length += (size_t)n;
    }
    close(fd);
    if (s->bytes && s->length == (size_t)st.st_size)
        return true;
    stream_free(s);
    return error_set(err, EIO, "%s could not be read to its end", path);
}
