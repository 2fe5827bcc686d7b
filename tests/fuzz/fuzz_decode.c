/* libFuzzer: the input is code, after a byte of mode and a byte of model. The decoder and the disassembler must agree on lengths,
 * never look beyond what is there (the copy has no byte more), and say "truncated" of exactly the instructions that are. */
#include "base/bits.h"
#include "x86/insn.h"
#include <stdlib.h>
#include <string.h>

enum { INSN_MAX = 15 };

static void check(bool good)
{
    if (!good)
        abort();
}

static enum decode_result decode(struct insn *i, const uint8_t *bytes, size_t available, unsigned mode)
{
    uint8_t *copy = malloc(available ? available : 1);
    char text[128];
    memcpy(copy, bytes, available);
    enum decode_result r = insn_decode(NULL, i, copy, available, mode);
    check(i->length <= INSN_MAX + 1 && (r != DECODE_OK || (i->length && i->length <= available && i->length <= INSN_MAX)));
    unsigned length = insn_disassemble(copy, available, mode, 0x1000, text, sizeof(text));
    check(length == (r == DECODE_OK ? i->length : 0) || (r != DECODE_OK && length <= available));
    check(memchr(text, 0, sizeof(text)) != NULL);
    insn_disassemble(copy, available, mode, 0xfffffffe, text, 1 + available % 20);
    free(copy);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    unsigned mode = data[0] & (MODE_CODE32 | MODE_STACK32 | MODE_V86 | MODE_PROTECTED | MODE_USER);
    const uint8_t *code = data + 1, *end = data + MIN(size, 4096);
    while (code < end) {
        struct insn whole = { 0 }, part = { 0 };
        size_t available = MIN((size_t)(end - code), 20);
        enum decode_result r = decode(&whole, code, available, mode);
        if (r == DECODE_OK) {
            check(decode(&part, code, whole.length, mode) == DECODE_OK);
            check(part.length == whole.length && part.id == whole.id && part.imm == whole.imm && part.disp == whole.disp);
            for (size_t n = 0; n < whole.length; n++)
                check(decode(&part, code, n, mode) == DECODE_TRUNCATED);
        }
        code += r == DECODE_OK ? whole.length : 1;
    }
    return 0;
}
