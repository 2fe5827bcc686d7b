/* The decoder and the disassembler: encodings that an assembler made, read back; cut short; refused by models that lack them. */
#include "tests/support/cpu_bench.h"
#include "x86/opcodes.h"
#include <criterion/criterion.h>

static const unsigned mode32 = MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED, mode16 = MODE_PROTECTED;

/* Code size, encoding as nasm gives it at address 1000h, text. */
static const struct { unsigned bits; const char bytes[16], *text; } rows[] = {
    { 32, "\x04\x12", "add al, 0x12" },
    { 16, "\x04\x12", "add al, 0x12" },
    { 32, "\x08\x0d\x34\x12\x00\x00", "or byte [0x1234], cl" },
    { 16, "\x08\x0e\x34\x12", "or byte [0x1234], cl" },
    { 32, "\x66\xb8\x34\x12", "mov ax, 0x1234" },
    { 16, "\xb8\x34\x12", "mov ax, 0x1234" },
    { 32, "\xb8\x78\x56\x34\x12", "mov eax, 0x12345678" },
    { 16, "\x66\xb8\x78\x56\x34\x12", "mov eax, 0x12345678" },
    { 32, "\x91", "xchg ecx, eax" },
    { 16, "\x66\x91", "xchg ecx, eax" },
    { 32, "\x90", "nop" },
    { 16, "\x90", "nop" },
    { 32, "\x8d\x4c\x88\x10", "lea ecx, [eax+ecx*4+0x10]" },
    { 16, "\x66\x67\x8d\x4c\x88\x10", "lea ecx, [eax+ecx*4+0x10]" },
    { 32, "\x66\x67\x8d\x71\xfe", "lea si, [bx+di-0x2]" },
    { 16, "\x8d\x71\xfe", "lea si, [bx+di-0x2]" },
    { 32, "\x26\x67\x88\x25", "mov byte [es:di], ah" },
    { 16, "\x26\x88\x25", "mov byte [es:di], ah" },
    { 32, "\x64\xc7\x00\x05\x00\x00\x00", "mov dword [fs:eax], 0x5" },
    { 16, "\x64\x66\x67\xc7\x00\x05\x00\x00\x00", "mov dword [fs:eax], 0x5" },
    { 32, "\x0e", "push cs" },
    { 16, "\x0e", "push cs" },
    { 32, "\x17", "pop ss" },
    { 16, "\x17", "pop ss" },
    { 32, "\x66\x68\x34\x12", "push word 0x1234" },
    { 16, "\x68\x34\x12", "push 0x1234" },
    { 32, "\x68\x78\x56\x34\x12", "push 0x12345678" },
    { 16, "\x66\x68\x78\x56\x34\x12", "push dword 0x12345678" },
    { 32, "\x6b\x55\xf8\x7f", "imul edx, dword [ebp-0x8], 0x7f" },
    { 16, "\x66\x67\x6b\x55\xf8\x7f", "imul edx, dword [ebp-0x8], 0x7f" },
    { 32, "\x66\x67\x69\x0c\x34\x12", "imul cx, word [si], 0x1234" },
    { 16, "\x69\x0c\x34\x12", "imul cx, word [si], 0x1234" },
    { 32, "\xd3\x20", "shl dword [eax], cl" },
    { 16, "\x66\x67\xd3\x20", "shl dword [eax], cl" },
    { 32, "\x67\xc0\x1f\x03", "rcr byte [bx], 0x3" },
    { 16, "\xc0\x1f\x03", "rcr byte [bx], 0x3" },
    { 32, "\xd1\xfa", "sar edx, 1" },
    { 16, "\x66\xd1\xfa", "sar edx, 1" },
    { 32, "\x0f\xa5\xd8", "shld eax, ebx, cl" },
    { 16, "\x66\x0f\xa5\xd8", "shld eax, ebx, cl" },
    { 32, "\x66\x67\x0f\xac\x15\x05", "shrd word [di], dx, 0x5" },
    { 16, "\x0f\xac\x15\x05", "shrd word [di], dx, 0x5" },
    { 32, "\x0f\xa3\x03", "bt dword [ebx], eax" },
    { 16, "\x66\x67\x0f\xa3\x03", "bt dword [ebx], eax" },
    { 32, "\x66\x67\x0f\xba\x3f\x07", "btc word [bx], 0x7" },
    { 16, "\x0f\xba\x3f\x07", "btc word [bx], 0x7" },
    { 32, "\x0f\x80\x0a\x00\x00\x00", "jo 0x1010" },
    { 16, "\x0f\x80\x0c\x00", "jo 0x1010" },
    { 32, "\x0f\x8d\xfa\x03\x00\x00", "jge 0x1400" },
    { 16, "\x0f\x8d\xfc\x03", "jge 0x1400" },
    { 32, "\xe2\xfe", "loop 0x1000" },
    { 16, "\xe2\xfe", "loop 0x1000" },
    { 32, "\xe8\xfb\x0f\x00\x00", "call 0x2000" },
    { 16, "\xe8\xfd\x0f", "call 0x2000" },
    { 32, "\xe9\xfd\xff\xff\xff", "jmp 0x1002" },
    { 16, "\xe9\xff\xff", "jmp 0x1002" },
    { 32, "\xc2\x08\x00", "ret 0x8" },
    { 16, "\xc2\x08\x00", "ret 0x8" },
    { 32, "\xcb", "retf" },
    { 16, "\xcb", "retf" },
    { 32, "\x9a\x78\x56\x00\x00\x34\x12", "call 0x1234:0x5678" },
    { 16, "\x9a\x78\x56\x34\x12", "call 0x1234:0x5678" },
    { 32, "\xea\x78\x56\x34\x12\x10\x00", "jmp 0x10:0x12345678" },
    { 16, "\x66\xea\x78\x56\x34\x12\x10\x00", "jmp dword 0x10:0x12345678" },
    { 32, "\x67\xff\x1f", "call far [bx]" },
    { 16, "\xff\x1f", "call far [bx]" },
    { 32, "\x66\xff\x2b", "jmp word far [ebx]" },
    { 16, "\x67\xff\x2b", "jmp far [ebx]" },
    { 32, "\xc8\x10\x00\x01", "enter 0x10, 0x1" },
    { 16, "\xc8\x10\x00\x01", "enter 0x10, 0x1" },
    { 32, "\xc9", "leave" },
    { 16, "\xc9", "leave" },
    { 32, "\xcd\x21", "int 0x21" },
    { 16, "\xcd\x21", "int 0x21" },
    { 32, "\xcc", "int3" },
    { 16, "\xcc", "int3" },
    { 32, "\xce", "into" },
    { 16, "\xce", "into" },
    { 32, "\xd4\x0a", "aam 0xa" },
    { 16, "\xd4\x0a", "aam 0xa" },
    { 32, "\xd6", "salc" },
    { 16, "\xd6", "salc" },
    { 32, "\xd7", "xlatb" },
    { 16, "\xd7", "xlatb" },
    { 32, "\x26\xd7", "es xlatb" },
    { 16, "\x26\xd7", "es xlatb" },
    { 32, "\xa4", "movsb" },
    { 16, "\xa4", "movsb" },
    { 32, "\xf3\xa5", "rep movsd" },
    { 16, "\xf3\x66\xa5", "rep movsd" },
    { 32, "\xf2\xae", "repne scasb" },
    { 16, "\xf2\xae", "repne scasb" },
    { 32, "\xf3\x66\xa7", "repe cmpsw" },
    { 16, "\xf3\xa7", "repe cmpsw" },
    { 32, "\x64\x66\xad", "fs lodsw" },
    { 16, "\x64\xad", "fs lodsw" },
    { 32, "\x67\xaa", "a16 stosb" },
    { 16, "\xaa", "stosb" },
    { 32, "\xab", "stosd" },
    { 16, "\x66\x67\xab", "a32 stosd" },
    { 32, "\xe4\x60", "in al, 0x60" },
    { 16, "\xe4\x60", "in al, 0x60" },
    { 32, "\xed", "in eax, dx" },
    { 16, "\x66\xed", "in eax, dx" },
    { 32, "\xe6\x21", "out 0x21, al" },
    { 16, "\xe6\x21", "out 0x21, al" },
    { 32, "\x66\xef", "out dx, ax" },
    { 16, "\xef", "out dx, ax" },
    { 32, "\x6c", "insb" },
    { 16, "\x6c", "insb" },
    { 32, "\xf3\x66\x6f", "rep outsw" },
    { 16, "\xf3\x6f", "rep outsw" },
    { 32, "\x0f\x22\xc0", "mov cr0, eax" },
    { 16, "\x0f\x22\xc0", "mov cr0, eax" },
    { 32, "\x0f\x21\xf9", "mov ecx, dr7" },
    { 16, "\x0f\x21\xf9", "mov ecx, dr7" },
    { 32, "\x0f\x26\xf2", "mov tr6, edx" },
    { 16, "\x0f\x26\xf2", "mov tr6, edx" },
    { 32, "\x8e\xd8", "mov ds, ax" },
    { 16, "\x8e\xd8", "mov ds, ax" },
    { 32, "\x67\x8c\x17", "mov word [bx], ss" },
    { 16, "\x8c\x17", "mov word [bx], ss" },
    { 32, "\x8c\xe2", "mov edx, fs" },
    { 16, "\x66\x8c\xe2", "mov edx, fs" },
    { 32, "\x0f\x01\x10", "lgdt [eax]" },
    { 16, "\x67\x0f\x01\x10", "lgdt [eax]" },
    { 32, "\x67\x0f\x01\x0f", "sidt [bx]" },
    { 16, "\x0f\x01\x0f", "sidt [bx]" },
    { 32, "\x0f\x01\xf0", "lmsw ax" },
    { 16, "\x0f\x01\xf0", "lmsw ax" },
    { 32, "\x67\x0f\x01\x25", "smsw word [di]" },
    { 16, "\x0f\x01\x25", "smsw word [di]" },
    { 32, "\x0f\x00\xc1", "sldt ecx" },
    { 16, "\x66\x0f\x00\xc1", "sldt ecx" },
    { 32, "\x0f\x01\x38", "invlpg [eax]" },
    { 16, "\x67\x0f\x01\x38", "invlpg [eax]" },
    { 32, "\x0f\x02\xc1", "lar eax, cx" },
    { 16, "\x66\x0f\x02\xc1", "lar eax, cx" },
    { 32, "\x67\x63\x17", "arpl word [bx], dx" },
    { 16, "\x63\x17", "arpl word [bx], dx" },
    { 32, "\x62\x01", "bound eax, [ecx]" },
    { 16, "\x66\x67\x62\x01", "bound eax, [ecx]" },
    { 32, "\x66\x67\xc4\x3f", "les di, [bx]" },
    { 16, "\xc4\x3f", "les di, [bx]" },
    { 32, "\x0f\xb4\x70\x04", "lfs esi, [eax+0x4]" },
    { 16, "\x66\x67\x0f\xb4\x70\x04", "lfs esi, [eax+0x4]" },
    { 32, "\xf0\x01\x08", "lock add dword [eax], ecx" },
    { 16, "\xf0\x66\x67\x01\x08", "lock add dword [eax], ecx" },
    { 32, "\xf0\x0f\xc7\x0f", "lock cmpxchg8b qword [edi]" },
    { 16, "\xf0\x67\x0f\xc7\x0f", "lock cmpxchg8b qword [edi]" },
    { 32, "\x0f\xc0\xf1", "xadd cl, dh" },
    { 16, "\x0f\xc0\xf1", "xadd cl, dh" },
    { 32, "\x66\x67\x0f\xb1\x0f", "cmpxchg word [bx], cx" },
    { 16, "\x0f\xb1\x0f", "cmpxchg word [bx], cx" },
    { 32, "\x0f\xcf", "bswap edi" },
    { 16, "\x66\x0f\xcf", "bswap edi" },
    { 32, "\x0f\x42\x01", "cmovb eax, dword [ecx]" },
    { 16, "\x66\x67\x0f\x42\x01", "cmovb eax, dword [ecx]" },
    { 32, "\x67\x0f\xb6\x07", "movzx eax, byte [bx]" },
    { 16, "\x66\x0f\xb6\x07", "movzx eax, byte [bx]" },
    { 32, "\x0f\xbf\xca", "movsx ecx, dx" },
    { 16, "\x66\x0f\xbf\xca", "movsx ecx, dx" },
    { 32, "\x0f\xb7\x37", "movzx esi, word [edi]" },
    { 16, "\x66\x67\x0f\xb7\x37", "movzx esi, word [edi]" },
    { 32, "\x98", "cwde" },
    { 16, "\x66\x98", "cwde" },
    { 32, "\x66\x98", "cbw" },
    { 16, "\x98", "cbw" },
    { 32, "\x99", "cdq" },
    { 16, "\x66\x99", "cdq" },
    { 32, "\x66\x99", "cwd" },
    { 16, "\x99", "cwd" },
    { 32, "\x60", "pushad" },
    { 16, "\x66\x60", "pushad" },
    { 32, "\x66\x61", "popaw" },
    { 16, "\x61", "popaw" },
    { 32, "\x9c", "pushfd" },
    { 16, "\x66\x9c", "pushfd" },
    { 32, "\x66\x9d", "popfw" },
    { 16, "\x9d", "popfw" },
    { 32, "\xcf", "iretd" },
    { 16, "\x66\xcf", "iretd" },
    { 32, "\x66\xcf", "iretw" },
    { 16, "\xcf", "iretw" },
    { 32, "\xe3\xfe", "jecxz 0x1000" },
    { 16, "\x67\xe3\xfd", "jecxz 0x1000" },
    { 32, "\x67\xe3\xfd", "jcxz 0x1000" },
    { 16, "\xe3\xfe", "jcxz 0x1000" },
    { 32, "\x0f\xa2", "cpuid" },
    { 16, "\x0f\xa2", "cpuid" },
    { 32, "\x0f\x31", "rdtsc" },
    { 16, "\x0f\x31", "rdtsc" },
    { 32, "\x0f\x30", "wrmsr" },
    { 16, "\x0f\x30", "wrmsr" },
    { 32, "\x0f\x34", "sysenter" },
    { 16, "\x0f\x34", "sysenter" },
    { 32, "\xf4", "hlt" },
    { 16, "\xf4", "hlt" },
    { 32, "\x0f\x0b", "ud2" },
    { 16, "\x0f\x0b", "ud2" },
    { 32, "\x0f\x18\x00", "prefetchnta [eax]" },
    { 16, "\x67\x0f\x18\x00", "prefetchnta [eax]" },
    { 32, "\x0f\xae\x3b", "clflush [ebx]" },
    { 16, "\x67\x0f\xae\x3b", "clflush [ebx]" },
    { 32, "\xd9\x00", "fld dword [eax]" },
    { 16, "\x67\xd9\x00", "fld dword [eax]" },
    { 32, "\x67\xdd\x17", "fst qword [bx]" },
    { 16, "\xdd\x17", "fst qword [bx]" },
    { 32, "\x67\xdb\x3d", "fstp tword [di]" },
    { 16, "\xdb\x3d", "fstp tword [di]" },
    { 32, "\xd8\xc3", "fadd st0, st3" },
    { 16, "\xd8\xc3", "fadd st0, st3" },
    { 32, "\xdb\xf2", "fcomi st0, st2" },
    { 16, "\xdb\xf2", "fcomi st0, st2" },
    { 32, "\xd9\xfa", "fsqrt" },
    { 16, "\xd9\xfa", "fsqrt" },
    { 32, "\xdf\xe0", "fnstsw ax" },
    { 16, "\xdf\xe0", "fnstsw ax" },
    { 32, "\xd9\x28", "fldcw word [eax]" },
    { 16, "\x67\xd9\x28", "fldcw word [eax]" },
    { 32, "\xdf\x29", "fild qword [ecx]" },
    { 16, "\x67\xdf\x29", "fild qword [ecx]" },
    { 32, "\x0f\x6f\x00", "movq mm0, [eax]" },
    { 16, "\x67\x0f\x6f\x00", "movq mm0, [eax]" },
    { 32, "\x0f\xfc\xca", "paddb mm1, mm2" },
    { 16, "\x0f\xfc\xca", "paddb mm1, mm2" },
    { 32, "\x0f\x71\xd3\x05", "psrlw mm3, 0x5" },
    { 16, "\x0f\x71\xd3\x05", "psrlw mm3, 0x5" },
    { 32, "\x0f\x70\xca\x1b", "pshufw mm1, mm2, 0x1b" },
    { 16, "\x0f\x70\xca\x1b", "pshufw mm1, mm2, 0x1b" },
    { 32, "\x0f\x28\x00", "movaps xmm0, oword [eax]" },
    { 16, "\x67\x0f\x28\x00", "movaps xmm0, oword [eax]" },
    { 32, "\xf3\x0f\x58\x09", "addss xmm1, dword [ecx]" },
    { 16, "\x67\xf3\x0f\x58\x09", "addss xmm1, dword [ecx]" },
    { 32, "\xf2\x0f\x58\xd3", "addsd xmm2, xmm3" },
    { 16, "\xf2\x0f\x58\xd3", "addsd xmm2, xmm3" },
    { 32, "\xf3\x0f\x2a\xc8", "cvtsi2ss xmm1, eax" },
    { 16, "\xf3\x0f\x2a\xc8", "cvtsi2ss xmm1, eax" },
    { 32, "\x66\x0f\xc5\xc1\x03", "pextrw eax, xmm1, 0x3" },
    { 16, "\x66\x0f\xc5\xc1\x03", "pextrw eax, xmm1, 0x3" },
    { 32, "\x66\x0f\xc4\x08\x02", "pinsrw xmm1, word [eax], 0x2" },
    { 16, "\x67\x66\x0f\xc4\x08\x02", "pinsrw xmm1, word [eax], 0x2" },
    { 32, "\x0f\x50\xc3", "movmskps eax, xmm3" },
    { 16, "\x0f\x50\xc3", "movmskps eax, xmm3" },
    { 32, "\x66\x0f\xc6\xca\x01", "shufpd xmm1, xmm2, 0x1" },
    { 16, "\x66\x0f\xc6\xca\x01", "shufpd xmm1, xmm2, 0x1" },
    { 32, "\x0f\xc3\x08", "movnti dword [eax], ecx" },
    { 16, "\x67\x0f\xc3\x08", "movnti dword [eax], ecx" },
    { 32, "\xa1\x78\x56\x34\x12", "mov eax, [0x12345678]" },
    { 32, "\xa0\x34\x12\x00\x00", "mov al, [0x1234]" },
    { 16, "\xa0\x34\x12", "mov al, [0x1234]" },
};

/* The encodings are kept in arrays of 16 zero-filled bytes: what follows an instruction does not matter to it. */
static unsigned mode_of(unsigned bits) { return bits == 32 ? mode32 : mode16; }

Test(decode, what_an_assembler_made)
{
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        char text[96];
        const uint8_t *bytes = (const uint8_t *)rows[n].bytes;
        unsigned length = insn_disassemble(bytes, 15, mode_of(rows[n].bits), 0x1000, text, sizeof text);
        cr_expect_str_eq(text, rows[n].text, "%u bits: '%s', not '%s'", rows[n].bits, text, rows[n].text);
        cr_expect_gt(length, 0);
        for (unsigned k = length; k < 16; k++)
            cr_expect_eq(bytes[k], 0, "'%s' is longer than %u", rows[n].text, length);
    }
}

Test(decode, cut_short)
{
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        struct insn i;
        const uint8_t *bytes = (const uint8_t *)rows[n].bytes;
        cr_expect_eq(insn_decode(NULL, &i, bytes, 15, mode_of(rows[n].bits)), DECODE_OK);
        unsigned whole = i.length;
        for (unsigned length = 0; length < whole; length++)
            cr_expect_eq(insn_decode(NULL, &i, bytes, length, mode_of(rows[n].bits)), DECODE_TRUNCATED, "'%s' of %u bytes",
                         rows[n].text, length);
        cr_expect_eq(insn_decode(NULL, &i, bytes, whole, mode_of(rows[n].bits)), DECODE_OK);
    }
}

/* Any bytes: bounded, deterministic, and the two readers agree. */
Test(decode, any_bytes)
{
    uint64_t seed = 88172645463325252;
    for (unsigned n = 0; n < 400000; n++) {
        uint8_t bytes[16];
        char text[96];
        struct insn i, again;
        for (unsigned k = 0; k < 16; k += 8) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            le64_put(bytes + k, seed);
        }
        if (n & 1)
            bytes[0] = 0x0f;
        unsigned mode = n & 2 ? mode32 : mode16;
        enum decode_result result = insn_decode(NULL, &i, bytes, 16, mode);
        cr_assert_eq(insn_decode(NULL, &again, bytes, 16, mode), result);
        cr_assert_eq(memcmp(&i, &again, sizeof i), 0);
        unsigned length = insn_disassemble(bytes, 16, mode, 0, text, sizeof text);
        cr_assert_eq(length, result == DECODE_OK ? i.length : 0);
        if (result == DECODE_OK) {
            cr_assert(i.length >= 1 && i.length <= 15 && i.id > 0 && i.id < opcode_count);
            cr_assert(i.base <= GPR_ZERO && i.index <= GPR_ZERO && i.index != ESP && i.seg <= GS && i.scale <= 3);
            cr_assert(i.reg < 16 && i.rm < 16);
        }
    }
}

/* What each model is the first to have [SDM2, the compatibility sections; 486 and Pentium manuals]. */
Test(decode, models)
{
    static const struct { const char *bytes; unsigned length; const char *first, *last_without; } had[] = {
        { "\x0f\xc8", 2, "486", "386" },                        /* BSWAP */
        { "\x0f\xc1\xc0", 3, "486", "386" },                    /* XADD */
        { "\x0f\xb1\x08", 3, "486", "386" },                    /* CMPXCHG */
        { "\x0f\x01\x38", 3, "486", "386" },                    /* INVLPG */
        { "\x0f\x08", 2, "486", "386" },                        /* INVD */
        { "\x0f\xc7\x08", 3, "pentium", "486" },                /* CMPXCHG8B */
        { "\x0f\x31", 2, "pentium", "486" },                    /* RDTSC */
        { "\x0f\x32", 2, "pentium", "486" },                    /* RDMSR */
        { "\x0f\x77", 2, "pentium-mmx", "pentium" },            /* EMMS */
        { "\x0f\x40\xc0", 3, "pentium-pro", "pentium-mmx" },    /* CMOVO */
        { "\x0f\x1f\x00", 3, "pentium-pro", "pentium-mmx" },    /* the long NOP */
        { "\x0f\x34", 2, "pentium2", "pentium-mmx" },           /* SYSENTER */
        { "\x0f\x58\xc0", 3, "pentium3", "pentium2" },          /* ADDPS */
        { "\x66\x0f\x58\xc0", 4, "pentium4", "pentium3" },      /* ADDPD */
        { "\x0f\xae\x38", 3, "pentium4", "pentium3" },          /* CLFLUSH */
    };
    for (unsigned n = 0; n < ARRAY_SIZE(had); n++)
        for (unsigned with = 0; with < 2; with++) {
            struct insn i;
            struct cpu_bench *b = cpu_bench_new(with ? had[n].first : had[n].last_without, 1 << 20);
            cr_expect_eq(insn_decode(b->cpu, &i, (const uint8_t *)had[n].bytes, had[n].length, mode32),
                         with ? DECODE_OK : DECODE_UNDEFINED, "row %u on a %s", n, with ? had[n].first : had[n].last_without);
            cpu_bench_free(b);
        }
}

/* ARPL, LLDT, VERR ... do not exist in real and virtual 8086 mode. */
Test(decode, protected_mode_only)
{
    static const char *const only[] = { "\x63\xc0", "\x0f\x00\xd0", "\x0f\x02\xc0", "\x0f\x00\xe0" };
    for (unsigned n = 0; n < ARRAY_SIZE(only); n++) {
        struct insn i;
        const uint8_t *bytes = (const uint8_t *)only[n];
        cr_expect_eq(insn_decode(NULL, &i, bytes, 3, mode16), DECODE_OK);
        cr_expect_eq(insn_decode(NULL, &i, bytes, 3, 0), DECODE_UNDEFINED);
        cr_expect_eq(insn_decode(NULL, &i, bytes, 3, MODE_PROTECTED | MODE_V86 | MODE_USER), DECODE_UNDEFINED);
    }
}

/* MOV to and from CRn takes any mod as a register. */
Test(decode, control_registers_have_no_memory_form)
{
    static const uint8_t bytes[] = { 0x0f, 0x20, 0x05 };
    struct insn i;
    cr_expect_eq(insn_decode(NULL, &i, bytes, 3, mode32), DECODE_OK);
    cr_expect_eq(i.length, 3);
    cr_expect_eq(i.flags & INSN_MEMORY, 0);
    cr_expect_eq(i.rm, EBP);
}
