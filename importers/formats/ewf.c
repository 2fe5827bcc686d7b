/* EnCase and FTK images (E01, in one or more files), by libewf. The hash of the disk that they store is told as "stored_md5", to be
 * compared with what was read. References: [EWF]. Not modelled: Ex01, logical evidence. */
#include "importers/formats/image.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#ifdef HAVE_LIBEWF
#include <libewf.h>

enum { ERRORS_MOST = 1000, CHUNK_MOST = 16 << 20 };     /* ranges that are listed; bytes */
struct ewf { struct block b; libewf_handle_t *handle; uint32_t chunk; uint64_t cached; uint8_t *packed, *bytes; };     /* cached: number + 1 */

static struct ewf *ewf_of(struct block *b) { return container_of(b, struct ewf, b); }

/* One chunk, its checksum compared: what libewf reads by itself is given as it is, wrong or not. */
static int chunk_get(struct ewf *e, uint64_t number)
{
    uint8_t sum[4];
    int8_t packed = 0, has_sum = 0;
    uint32_t expected = 0;
    size_t length = e->chunk;
    if (e->cached == number + 1)
        return 0;
    e->cached = 0;
    if (libewf_handle_seek_offset(e->handle, (off64_t)(number * e->chunk), SEEK_SET, NULL) < 0)
        return -EIO;
    ssize_t n = libewf_handle_read_chunk(e->handle, e->packed, 2 * e->chunk, &packed, sum, &expected, &has_sum, NULL);
    if (n > 0)
        n = libewf_handle_prepare_read_chunk(e->handle, e->packed, (size_t)n, e->bytes, &length, packed, expected, has_sum, NULL);
    if (n <= 0 || (uint64_t)n < MIN(e->chunk, e->b.size - number * e->chunk))
        return -EIO;
    if (!packed)
        memcpy(e->bytes, e->packed, MIN((size_t)n, e->chunk));
    e->cached = number + 1;
    return 0;
}

static int ewf_read(struct block *b, uint64_t offset, void *to, size_t length)
{
    struct ewf *e = ewf_of(b);
    for (uint8_t *p = to; length;) {
        size_t skip = offset % e->chunk, n = MIN(length, e->chunk - skip);
        int error = chunk_get(e, offset / e->chunk);
        if (error)
            return error;
        memcpy(p, e->bytes + skip, n);
        p += n, offset += n, length -= n;
    }
    return 0;
}

static void ewf_close(struct block *b)
{
    struct ewf *e = ewf_of(b);
    if (e->handle) {
        libewf_handle_close(e->handle, NULL);
        libewf_handle_free(&e->handle, NULL);
    }
    free(e->packed), free(e->bytes);
}

static const struct block_class ewf_class = { .name = "ewf", .size = sizeof(struct ewf), .read = ewf_read, .close = ewf_close };

static void ewf_tell(libewf_handle_t *h, json_t *details)
{
    static const char *const texts[] = { "case_number", "description", "examiner_name", "evidence_number", "notes", "acquiry_date", "system_date",
                                         "acquiry_operating_system", "acquiry_software", "acquiry_software_version", "model", "serial_number" };
    char value[1024];
    uint32_t errors = 0;
    uint64_t first, count;
    for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
        if (libewf_handle_get_utf8_header_value(h, (const uint8_t *)texts[k], strlen(texts[k]), (uint8_t *)value, sizeof(value), NULL) == 1)
            detail_text(details, strcmp(texts[k], "notes") ? texts[k] : "examiner_notes", value, sizeof(value));
    if (libewf_handle_get_utf8_hash_value_md5(h, (uint8_t *)value, 33, NULL) == 1)
        detail_text(details, "stored_md5", value, 32);
    if (libewf_handle_get_utf8_hash_value_sha1(h, (uint8_t *)value, 41, NULL) == 1)
        detail_text(details, "stored_sha1", value, 40);
    libewf_handle_get_number_of_acquiry_errors(h, &errors, NULL);
    if (!errors)
        return;
    json_object_set_new(details, "unread_sectors", json_array());       /* first and count */
    for (uint32_t k = 0; k < MIN(errors, ERRORS_MOST) && libewf_handle_get_acquiry_error(h, k, &first, &count, NULL) == 1; k++)
        json_array_append_new(json_object_get(details, "unread_sectors"), json_pack("[I,I]", (json_int_t)first, (json_int_t)count));
    detail_note(details, json_sprintf("the program that made the E01 image could not read %u stretches of the disk", errors));
}

/* What is wrong; NULL: all is well. */
static const char *ewf_start(struct ewf *e, const struct format_names *names)
{
    char **found = NULL, *one[1] = { (char *)names->path };
    int count = 0;
    if (libewf_glob(names->path, strlen(names->path), LIBEWF_FORMAT_UNKNOWN, &found, &count, NULL) != 1)
        count = 0;                              /* its name does not end as usual: one file */
    bool open = libewf_handle_initialize(&e->handle, NULL) == 1 &&
                libewf_handle_open(e->handle, count ? found : one, count ? count : 1, LIBEWF_OPEN_READ, NULL) == 1;
    if (found)
        libewf_glob_free(found, count, NULL);
    if (!open)
        return "it cannot be opened";
    if (libewf_handle_get_media_size(e->handle, &e->b.size, NULL) != 1 || !e->b.size || e->b.size > DISK_MOST ||
        libewf_handle_segment_files_corrupted(e->handle, NULL) != 0 || libewf_handle_get_chunk_size(e->handle, &e->chunk, NULL) != 1 || !e->chunk ||
        e->chunk > CHUNK_MOST)
        return "what is there is not the whole disk";
    return (e->packed = malloc(2 * e->chunk)) && (e->bytes = malloc(e->chunk)) ? NULL : "there is no memory for it";
}

struct block *ewf_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    struct block *b = block_new(&ewf_class, err);
    const char *bad = !b ? NULL : names->alone ? "it is read only from files of its own, not from a stream" : ewf_start(ewf_of(b), names);
    block_close(file);                          /* libewf opens files by their names */
    if (bad) {
        error_set(err, EINVAL, "the EnCase image %s %s: %s", names->path, names->alone ? "cannot be read" :
                  "is damaged or one of its files (.E01, .E02 ...) is missing", bad);
        block_close(b);
        return NULL;
    }
    if (b) {
        b->read_only = true;
        ewf_tell(ewf_of(b)->handle, info->details);
    }
    return b;
}
#else
struct block *ewf_open(struct block *file, const struct format_names *names, struct format_info *info, struct error *err)
{
    (void)info;
    block_close(file);
    error_set(err, ENOTSUP, "%s is an EnCase image (E01), and this Holdover was built without libewf; export it with `ewfexport -f raw` first", names->path);
    return NULL;
}
#endif
