/* libFuzzer: the input is an OVA or a CD. The first byte chooses: an archive as it is; one whose headers get right checksums; the
 * text of a description in an archive that is made around it; the descriptors and folders of a CD, from sector 16 on. */
#include "importers/sources/transports.h"
#include "base/bits.h"
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 512, DESCRIPTORS = 16 * 2048 };

static void header_sum(uint8_t *h)
{
    unsigned sum = 0;
    memcpy(h + 257, "ustar", 5);
    for (unsigned i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static void ova(struct block *b)
{
    struct facts f = { 0 };
    struct error err;
    block_close(ova_member_open(b, "x.ova", "disk.img", &f, &err));
    facts_free(&f);
}

static void cd(struct block *b)
{
    struct source s = { .block = b, .name = "x" };
    struct facts f = { 0 };
    struct error err;
    if (cd_find(&s, &f, &err))
        floppy_is(s.block);
    block_close(s.block);
    facts_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    unsigned kind = size ? data[0] % 4 : 0;
    size_t length = size < 2 ? 0 : size - 1, at = kind == 2 ? BLOCK : kind == 3 ? DESCRIPTORS : 0;
    struct block *b = length ? block_open_memory(at + align_up(length, BLOCK) + 2 * BLOCK, &err) : NULL;
    uint8_t *bytes = b ? calloc(1, b->size) : NULL;
    if (!bytes)
        return block_close(b), 0;
    memcpy(bytes + at, data + 1, length);
    for (size_t h = 0; kind == 1 && h < length; h += BLOCK)
        header_sum(bytes + h);
    if (kind == 2) {
        snprintf((char *)bytes, 100, "x.ovf");
        snprintf((char *)bytes + 124, 12, "%011zo", length);
        header_sum(bytes);
    }
    block_write(b, 0, bytes, b->size);
    free(bytes);
    if (kind == 3)
        cd(b);
    else
        ova(b);
    return 0;
}
