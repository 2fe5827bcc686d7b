#include "importers/evidence/digest.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool begin(struct digest *d, const EVP_MD *kind, struct error *err)
{
    d->context = EVP_MD_CTX_new();
    if (d->context && EVP_DigestInit_ex(d->context, kind, NULL))
        return true;
    digest_end(d, NULL);
    return error_set(err, ENOMEM, "libcrypto has no SHA-256 or no MD5 here");
}

bool digest_begin(struct digest *d, struct error *err) { return begin(d, EVP_sha256(), err); }
bool digest_begin_md5(struct digest *d, struct error *err) { return begin(d, EVP_md5(), err); }

void digest_add(struct digest *d, const void *bytes, size_t length)
{
    EVP_DigestUpdate(d->context, bytes, length);
}

static void hex_put(const unsigned char *sum, unsigned length, char hex[65])
{
    for (unsigned i = 0; i < length && i < 32; i++)
        sprintf(hex + i * 2, "%02x", sum[i]);
}

void digest_end(struct digest *d, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (hex && d->context && EVP_DigestFinal_ex(d->context, sum, &length))
        hex_put(sum, length, hex);
    EVP_MD_CTX_free(d->context);
    d->context = NULL;
}

bool digest_take(void *digest, const struct chunk *c, struct error *err)
{
    (void)err;
    digest_add(digest, c->bytes, c->length);
    return true;
}

bool digest_file(const char *path, char hex[65], const volatile sig_atomic_t *cancel, struct error *err)
{
    struct digest digest = { 0 };
    uint8_t *bytes = malloc(PIPELINE_CHUNK);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (bytes && fd >= 0 && digest_begin(&digest, err))
        while ((n = read(fd, bytes, PIPELINE_CHUNK)) > 0 && !(cancel && *cancel))
            digest_add(&digest, bytes, (size_t)n);
    digest_end(&digest, hex);
    if (fd >= 0)
        close(fd);
    free(bytes);
    return !n || (n > 0 ? error_set(err, EINTR, "reading %s was interrupted", path)
                        : error_set(err, errno, "cannot read %s: %s", path, strerror(errno)));
}

static void run_write(struct mib_list *l)
{
    if (l->write && l->run.count)
        fprintf(l->write, "%" PRIu64 " %" PRIu64 " %s\n", l->run.first, l->run.count, l->run.sha256);
    l->run.first += l->run.count;
    l->run.count = 0;
}

bool mib_next(FILE *f, struct mib_run *run)
{
    char line[160];
    int end = 0;
    struct mib_run r = { 0 };
    if (!fgets(line, sizeof(line), f) || sscanf(line, "%" SCNu64 " %" SCNu64 " %64[0-9a-f] %n", &r.first, &r.count, r.sha256, &end) != 3 ||
        line[end] || strlen(r.sha256) != 64 || !r.count || r.first != run->first + run->count || r.first + r.count < r.first)
        return false;
    *run = r;
    return true;
}

static void compare(struct mib_list *l, uint64_t number, const char *sha256)
{
    if (number >= l->wanted.first + l->wanted.count && !mib_next(l->compare, &l->wanted))
        return;                                 /* the list ends before the bytes do: `compared` tells */
    l->compared++;
    if (!strcmp(l->wanted.sha256, sha256))
        return;
    struct mib_run *last = l->differ_count ? &l->differ[l->differ_count - 1] : NULL;
    if (last && last->first + last->count == number)
        last->count++;
    else if (l->differ_count < sizeof(l->differ) / sizeof(l->differ[0]))
        l->differ[l->differ_count++] = (struct mib_run){ .first = number, .count = 1 };
}

bool mib_take(void *list, const struct chunk *c, struct error *err)
{
    struct mib_list *l = list;
    unsigned char sum[EVP_MAX_MD_SIZE] = { 0 };
    unsigned length = 0;
    char hex[65] = "";
    bool known = c->zeros && c->length == PIPELINE_CHUNK && *l->zeros;
    if (!known && !EVP_Digest(c->bytes, c->length, sum, &length, EVP_sha256(), NULL))
        return error_set(err, ENOMEM, "libcrypto has no SHA-256 here");
    hex_put(sum, length, hex);
    if (known)
        memcpy(hex, l->zeros, 65);
    else if (c->zeros && c->length == PIPELINE_CHUNK)
        memcpy(l->zeros, hex, 65);
    if (l->compare)
        compare(l, c->offset / PIPELINE_CHUNK, hex);
    if (l->run.count && strcmp(hex, l->run.sha256))
        run_write(l);
    memcpy(l->run.sha256, hex, 65);
    l->run.count++;
    return !l->write || !ferror(l->write) || error_set(err, EIO, "cannot write the list of checksums");
}

bool mib_flush(struct mib_list *l)
{
    run_write(l);
    return !l->write || (!fflush(l->write) && !fsync(fileno(l->write)));
}
