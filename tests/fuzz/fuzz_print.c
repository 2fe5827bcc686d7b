/* libFuzzer: the input is a print job; the first byte picks its beginning. Where it ends, what it is, and its PDF. */
#include "console/print.h"
#include "base/bits.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const starts[] = { "", "\x1b@", "\x1b*\x27", "\x1b(", "\x1b.\1", "\x1bK\x40\1", "%!", "\x1b%-12345X" };
    struct print_ends ends = { 0 };
    size_t n, length = 0;
    uint8_t job[16384];
    char *pdf;
    if (size < 2)
        return 0;
    for (const char *s = starts[data[0] & 7]; *s; s++)
        job[length++] = (uint8_t)*s;
    for (n = 1; n < size && length < sizeof(job); n++) {        /* letters that libFuzzer is slow to find */
        static const char letters[] = "@!-*(.KLYZDBClQNJj3A$\\RWwSE4+&^";
        if (data[n] == 27 && n + 1 < size && data[n + 1] & 0x80 && length + 1 < sizeof(job)) {
            job[length++] = 27;
            job[length++] = (uint8_t)letters[data[++n] % (sizeof(letters) - 1)];
        } else {
            job[length++] = data[n];
        }
    }
    for (n = 0; n < length; n++)
        if (print_ends(&ends, job[n]) != PRINT_GOES_ON)
            ends = (struct print_ends){ 0 };
    print_detect(job, length);
    FILE *out = open_memstream(&pdf, &n);
    if (!out || !print_escp(job, length, out))
        abort();
    fclose(out);
    free(pdf);
    return 0;
}
