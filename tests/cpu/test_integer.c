/* Integer instructions that the host's 64-bit mode cannot vouch for: stack, strings, near branches, decimal arithmetic, 16-bit
 * addressing, REP and its restarts, LOCK, limits; and the interpreter's own promises: exact counts, self-modifying code, pages.
 * Expected values are worked out from the SDM. */
#include "tests/support/cpu_bench.h"
#include <criterion/criterion.h>

enum { HANDLERS = 0x2000, D = CPU_BENCH_DATA };
static struct cpu_bench *b;
static struct cpu *c;

static void open_flat(void)
{
    b = cpu_bench_new("pentium4", 4 << 20);
    c = b->cpu;
    cpu_bench_flat(b);
    cpu_bench_catch(b, HANDLERS);
}
static void open_real(void)
{
    b = cpu_bench_new("pentium4", 4 << 20);
    c = b->cpu;
    cpu_bench_real(b);
    cpu_bench_catch(b, HANDLERS);
}
static void shut(void) { cpu_bench_free(b); }

/* Runs to HLT; the number of instructions, it included. */
static uint64_t run(const uint8_t *code, size_t length)
{
    uint64_t before = c->instructions;
    c->halted = false;
    cr_assert_eq(cpu_bench_code(b, code, length, 100000), CPU_HALTED);
    return c->instructions - before;
}
#define RUN(code) run(code, sizeof code)
#define EQ(a, e) cr_expect_eq((uint32_t)(a), (uint32_t)(e), "%s is %#x, not %#x", #a, (unsigned)(a), (unsigned)(e))

TestSuite(integer32, .init = open_flat, .fini = shut);
TestSuite(integer16, .init = open_real, .fini = shut);

/* --- stack ---------------------------------------------------------------------------------------------------- */
Test(integer32, push_and_pop)
{
    /* mov eax, 0x11223344; push eax; push word 0x5566; push byte -2; push esp; push dword [esp+4]; pop
     * ebx; pop ecx; pop edx; pop si; pop edi; push dword 0x1234; pop dword [esp+0x10]; push ax; pop cx;
     * hlt */
    static const uint8_t code[] =
        { 0xb8, 0x44, 0x33, 0x22, 0x11, 0x50, 0x66, 0x68, 0x66, 0x55, 0x6a, 0xfe, 0x54, 0xff, 0x74, 0x24,
        0x04, 0x5b, 0x59, 0x5a, 0x66, 0x5e, 0x5f, 0x68, 0x34, 0x12, 0x00, 0x00, 0x8f, 0x44, 0x24, 0x10,
        0x66, 0x50, 0x66, 0x59, 0xf4 };
    RUN(code);
    EQ(c->gpr[EBX], 0xfffffffe);
    EQ(c->gpr[EDX], 0xfffffffe);
    EQ(c->gpr[ESI], 0x5566);
    EQ(c->gpr[EDI], 0x11223344);
    EQ(c->gpr[ESP], CPU_BENCH_STACK);
    EQ(bench_ram32(b, CPU_BENCH_STACK + 0x10), 0x1234);  /* the address is formed with the incremented ESP */
    EQ(c->gpr[ECX], 0x3344);
}

Test(integer32, push_esp_pop_esp)
{
    /* push esp; pop eax; push dword 0x7000; pop esp; mov ebx, esp; hlt */
    static const uint8_t code[] =
        { 0x54, 0x58, 0x68, 0x00, 0x70, 0x00, 0x00, 0x5c, 0x89, 0xe3, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], CPU_BENCH_STACK);
    EQ(c->gpr[EBX], 0x7000);
}

Test(integer32, pusha_popa)
{
    /* mov eax, 1; mov ecx, 2; mov edx, 3; mov ebx, 4; mov ebp, 5; mov esi, 6; mov edi, 7; pushad; xor eax,
     * eax; xor edi, edi; mov dword [esp+12], 0; popad; pushaw; add esp, 16; hlt */
    static const uint8_t code[] =
        { 0xb8, 0x01, 0x00, 0x00, 0x00, 0xb9, 0x02, 0x00, 0x00, 0x00, 0xba, 0x03, 0x00, 0x00, 0x00, 0xbb,
        0x04, 0x00, 0x00, 0x00, 0xbd, 0x05, 0x00, 0x00, 0x00, 0xbe, 0x06, 0x00, 0x00, 0x00, 0xbf, 0x07,
        0x00, 0x00, 0x00, 0x60, 0x31, 0xc0, 0x31, 0xff, 0xc7, 0x44, 0x24, 0x0c, 0x00, 0x00, 0x00, 0x00,
        0x61, 0x66, 0x60, 0x83, 0xc4, 0x10, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], 1);
    EQ(c->gpr[EDI], 7);
    EQ(c->gpr[EBX], 4);
    EQ(c->gpr[ESP], CPU_BENCH_STACK);                  /* the stored one is skipped */
    EQ(bench_ram32(b, CPU_BENCH_STACK - 4), 0x00010002);
    EQ(bench_ram32(b, CPU_BENCH_STACK - 12), 0x80000005);       /* SP as it was before, then BP */
}

Test(integer32, enter_leave)
{
    /* mov ebp, 0xaaaa; enter 8, 0; mov eax, ebp; mov ebx, esp; leave; mov ebp, 0x7800; mov dword [0x77fc],
     * 0x1111; enter 4, 2; mov ecx, ebp; mov edx, esp; hlt */
    static const uint8_t code[] =
        { 0xbd, 0xaa, 0xaa, 0x00, 0x00, 0xc8, 0x08, 0x00, 0x00, 0x89, 0xe8, 0x89, 0xe3, 0xc9, 0xbd, 0x00,
        0x78, 0x00, 0x00, 0xc7, 0x05, 0xfc, 0x77, 0x00, 0x00, 0x11, 0x11, 0x00, 0x00, 0xc8, 0x04, 0x00,
        0x02, 0x89, 0xe9, 0x89, 0xe2, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], CPU_BENCH_STACK - 4);
    EQ(c->gpr[EBX], CPU_BENCH_STACK - 12);
    EQ(c->gpr[ECX], CPU_BENCH_STACK - 4);
    EQ(c->gpr[EDX], CPU_BENCH_STACK - 16);
    EQ(bench_ram32(b, CPU_BENCH_STACK - 4), 0x7800);
    EQ(bench_ram32(b, CPU_BENCH_STACK - 8), 0x1111);
    EQ(bench_ram32(b, CPU_BENCH_STACK - 12), CPU_BENCH_STACK - 4);
}

Test(integer16, stack_wraps_in_64k)
{
    /* mov sp, 2; push word 0x1234; push word 0x5678; mov bx, sp; pop ax; pop cx; hlt */
    static const uint8_t code[] =
        { 0xbc, 0x02, 0x00, 0x68, 0x34, 0x12, 0x68, 0x78, 0x56, 0x89, 0xe3, 0x58, 0x59, 0xf4 };
    RUN(code);
    EQ(c->gpr[EBX], 0xfffe);
    EQ(c->gpr[EAX], 0x5678);
    EQ(c->gpr[ECX], 0x1234);
    EQ(c->gpr[ESP] & 0xffff, 2);
    EQ(le16_get(b->ram + 0xfffe), 0x5678);
}

/* A stack fault whose delivery meets the same fault twice more: shutdown. */
Test(integer16, pushes_across_the_end_of_the_stack)
{
    /* mov sp, 1; push ax; hlt */
    static const uint8_t code[] =
        { 0xbc, 0x01, 0x00, 0x50, 0xf4 };
    EQ(cpu_bench_code(b, code, sizeof code, 10), CPU_SHUTDOWN);
    EQ(c->gpr[ESP], 1);
}

Test(integer32, push_selectors)
{
    /* push es; push cs; push fs; mov eax, [esp+4]; o16 push ds; mov ecx, esp; pop dx; hlt */
    static const uint8_t code[] =
        { 0x06, 0x0e, 0x0f, 0xa0, 0x8b, 0x44, 0x24, 0x04, 0x66, 0x1e, 0x89, 0xe1, 0x66, 0x5a, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], BENCH_CODE);
    EQ(c->gpr[ECX], CPU_BENCH_STACK - 14);
    EQ(c->gpr[EDX], BENCH_DATA);
}

/* --- near branches -------------------------------------------------------------------------------------------- */
Test(integer32, calls_and_returns)
{
    /* call f; call [p]; mov ecx, f; call ecx; jmp short over; f: inc eax; ret; p: dd g; g: inc ebx; ret 4;
     * over: add esp, 0; hlt */
    static const uint8_t code[] =
        { 0xe8, 0x0f, 0x00, 0x00, 0x00, 0xff, 0x15, 0x16, 0x10, 0x00, 0x00, 0xb9, 0x14, 0x10, 0x00, 0x00,
        0xff, 0xd1, 0xeb, 0x0a, 0x40, 0xc3, 0x1a, 0x10, 0x00, 0x00, 0x43, 0xc2, 0x04, 0x00, 0x83, 0xc4,
        0x00, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], 2);
    EQ(c->gpr[EBX], 1);
    EQ(c->gpr[ESP], CPU_BENCH_STACK + 4);
}

Test(integer32, every_condition)
{
    /* setcc for each condition after each of several flag states, and jcc must agree with it */
    static const uint8_t flags[] = { 0x02, 0x03, 0x42, 0x43, 0x82, 0x83, 0x06, 0x97, 0xd7 };
    for (unsigned f = 0; f < ARRAY_SIZE(flags) * 2; f++)
        for (unsigned n = 0; n < 16; n++) {
            uint32_t v = flags[f / 2] | (f & 1 ? FLAG_OF : 0);
            bool cf = v & 1, pf = v & 4, zf = v & 0x40, sf = v & 0x80, of = v & FLAG_OF;
            bool truth[8] = { of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of };
            bool expected = truth[n / 2] != (n & 1);
            uint8_t code[] = { 0x0f, (uint8_t)(0x90 + n), 0xc0, (uint8_t)(0x70 + n), 1, 0xf4, 0x43, 0x0f, (uint8_t)(0x80 + n), 0, 0, 0, 0, 0xf4 };
            c->gpr[EAX] = c->gpr[EBX] = 0;
            c->halted = false;
            cpu_set_flags(c, v);
            cpu_bench_code(b, code, sizeof code, 10);
            EQ(c->gpr[EAX], expected);
            EQ(c->gpr[EBX], expected);
        }
}

Test(integer32, loops)
{
    /* mov ecx, 5; a: inc eax; loop a; mov ecx, 0x10003; d: inc ebx; a16 loop d; mov edx, ecx; mov ecx, 10;
     * e: cmp ecx, 7; loopne e; mov esi, ecx; xor ecx, ecx; jecxz k; inc edi; k: hlt */
    static const uint8_t code[] =
        { 0xb9, 0x05, 0x00, 0x00, 0x00, 0x40, 0xe2, 0xfd, 0xb9, 0x03, 0x00, 0x01, 0x00, 0x43, 0x67, 0xe2,
        0xfc, 0x89, 0xca, 0xb9, 0x0a, 0x00, 0x00, 0x00, 0x83, 0xf9, 0x07, 0xe0, 0xfb, 0x89, 0xce, 0x31,
        0xc9, 0xe3, 0x01, 0x47, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], 5);
    EQ(c->gpr[EBX], 3);
    EQ(c->gpr[EDX], 0x10000);
    EQ(c->gpr[ESI], 6);
    EQ(c->gpr[EDI], 0);
}

Test(integer32, a_16_bit_jump_cuts_eip)
{
    c->seg[CS].base = 0x100000 - 0x1000;
    static const uint8_t target[] = { 0x40, 0xf4 };
    cpu_bench_load(b, 0x100000 - 0x1000 + 0x1010, target, 2);
    /* o16 jmp short +0x0d at 0x1000: 0x1003 + 0x0d = 0x1010 */
    static const uint8_t code[] = { 0x66, 0xeb, 0x0d };
    cpu_bench_load(b, 0x100000, code, sizeof code);
    c->eip = 0x1000;
    cpu_bench_run(b, 3);
    EQ(c->gpr[EAX], 1);
}

Test(integer32, a_target_beyond_the_limit_faults_at_the_branch)
{
    /* mov eax, 0x3000; jmp eax */
    static const uint8_t code[] =
        { 0xb8, 0x00, 0x30, 0x00, 0x00, 0xff, 0xe0 };
    c->seg[CS].limit = 0x2fff;
    RUN(code);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_GP);
    EQ(bench_ram32(b, c->gpr[ESP] + 4), CPU_BENCH_CODE + 5);
    EQ(bench_ram32(b, c->gpr[ESP]), 0);
}

Test(integer32, running_into_the_limit)
{
    /* inc eax; inc eax; add eax, 0x100; inc ebx; hlt */
    static const uint8_t code[] =
        { 0x40, 0x40, 0x05, 0x00, 0x01, 0x00, 0x00, 0x43, 0xf4 };
    c->seg[CS].limit = CPU_BENCH_CODE + 3;              /* cuts the add */
    RUN(code);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_GP);
    EQ(bench_ram32(b, c->gpr[ESP] + 4), CPU_BENCH_CODE + 2);
    EQ(c->gpr[EAX], 2);
}

/* --- strings -------------------------------------------------------------------------------------------------- */
Test(integer32, moves_and_fills)
{
    /* cld; mov edi, 0x9000; mov eax, 0x01020304; mov ecx, 0x900; rep stosd; mov esi, 0x9000; mov edi,
     * 0xd001; mov ecx, 0x1801; rep movsb; mov ebx, esi; mov edx, edi; std; mov esi, 0x9007; mov edi,
     * 0xa007; mov ecx, 3; rep movsw; cld; hlt */
    static const uint8_t code[] =
        { 0xfc, 0xbf, 0x00, 0x90, 0x00, 0x00, 0xb8, 0x04, 0x03, 0x02, 0x01, 0xb9, 0x00, 0x09, 0x00, 0x00,
        0xf3, 0xab, 0xbe, 0x00, 0x90, 0x00, 0x00, 0xbf, 0x01, 0xd0, 0x00, 0x00, 0xb9, 0x01, 0x18, 0x00,
        0x00, 0xf3, 0xa4, 0x89, 0xf3, 0x89, 0xfa, 0xfd, 0xbe, 0x07, 0x90, 0x00, 0x00, 0xbf, 0x07, 0xa0,
        0x00, 0x00, 0xb9, 0x03, 0x00, 0x00, 0x00, 0xf3, 0x66, 0xa5, 0xfc, 0xf4 };
    RUN(code);
    EQ(c->gpr[EBX], 0x9000 + 0x1801);
    EQ(c->gpr[EDX], 0xd001 + 0x1801);
    EQ(memcmp(b->ram + 0x9000, b->ram + 0xd001, 0x1801), 0);
    EQ(b->ram[0xd001 + 0x1801], 0);
    EQ(c->gpr[ESI], 0x9001);
    EQ(c->gpr[ECX], 0);
}

Test(integer32, overlapping_copies_repeat)
{
    /* cld; mov dword [0x9000], 0x44332211; mov esi, 0x9000; mov edi, 0x9003; mov ecx, 100; rep movsb; hlt */
    static const uint8_t code[] =
        { 0xfc, 0xc7, 0x05, 0x00, 0x90, 0x00, 0x00, 0x11, 0x22, 0x33, 0x44, 0xbe, 0x00, 0x90, 0x00, 0x00,
        0xbf, 0x03, 0x90, 0x00, 0x00, 0xb9, 0x64, 0x00, 0x00, 0x00, 0xf3, 0xa4, 0xf4 };
    RUN(code);
    for (unsigned n = 0; n < 100; n++)
        EQ(b->ram[0x9003 + n], b->ram[0x9000 + n % 3]);
}

Test(integer32, compares_and_scans)
{
    /* cld; mov edi, 0x9000; mov ecx, -1; xor eax, eax; repne scasb; not ecx; mov ebx, ecx; mov esi,
     * 0x9000; mov edi, 0x9100; mov ecx, 16; repe cmpsb; mov edx, ecx; setb al; xor ecx, ecx; cmp eax, eax;
     * repe cmpsd; sete ah; hlt */
    static const uint8_t code[] =
        { 0xfc, 0xbf, 0x00, 0x90, 0x00, 0x00, 0xb9, 0xff, 0xff, 0xff, 0xff, 0x31, 0xc0, 0xf2, 0xae, 0xf7,
        0xd1, 0x89, 0xcb, 0xbe, 0x00, 0x90, 0x00, 0x00, 0xbf, 0x00, 0x91, 0x00, 0x00, 0xb9, 0x10, 0x00,
        0x00, 0x00, 0xf3, 0xa6, 0x89, 0xca, 0x0f, 0x92, 0xc0, 0x31, 0xc9, 0x39, 0xc0, 0xf3, 0xa7, 0x0f,
        0x94, 0xc4, 0xf4 };
    memcpy(b->ram + 0x9000, "hello, world", 13);
    memcpy(b->ram + 0x9100, "hellp", 6);
    RUN(code);
    EQ(c->gpr[EBX], 13);
    EQ(c->gpr[EDX], 11);
    EQ(c->gpr[EAX], 0x101);                             /* below; and a count of 0 leaves the flags */
    EQ(c->gpr[EDI], 0x9105);
}

Test(integer16, string_addresses_wrap)
{
    /* cld; mov eax, 0x12345678; mov edi, 0xabcdfffe; mov cx, 2; rep stosw; mov edx, edi; mov esi, 0x1fffe;
     * lodsw; hlt */
    static const uint8_t code[] =
        { 0xfc, 0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0xbf, 0xfe, 0xff, 0xcd, 0xab, 0xb9, 0x02, 0x00,
        0xf3, 0xab, 0x66, 0x89, 0xfa, 0x66, 0xbe, 0xfe, 0xff, 0x01, 0x00, 0xad, 0xf4 };
    RUN(code);
    EQ(c->gpr[EDX], 0xabcd0002);
    EQ(le16_get(b->ram + 0xfffe), 0x5678);
    EQ(le16_get(b->ram), 0x5678);
    EQ(c->gpr[ESI], 0x10000);
}

/* The page below 0x400000 ends memory's first half here: a segment limit cuts the copy, which stops exactly there. */
Test(integer32, a_fault_in_a_copy_leaves_the_state_to_go_on_from)
{
    /* cld; mov esi, 0x9000; mov edi, 0xaffe; mov ecx, 16; rep movsd; hlt */
    static const uint8_t code[] =
        { 0xfc, 0xbe, 0x00, 0x90, 0x00, 0x00, 0xbf, 0xfe, 0xaf, 0x00, 0x00, 0xb9, 0x10, 0x00, 0x00, 0x00,
        0xf3, 0xa5, 0xf4 };
    for (unsigned n = 0; n < 64; n++)
        b->ram[0x9000 + n] = (uint8_t)n;
    c->seg[ES].limit = 0xb017;
    segment_update(c, ES);
    RUN(code);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_GP);
    EQ(c->gpr[EDI], 0xb016);
    EQ(c->gpr[ESI], 0x9018);
    EQ(c->gpr[ECX], 10);
    EQ(bench_ram32(b, c->gpr[ESP] + 4), CPU_BENCH_CODE + 16);
    EQ(b->ram[0xb015], 0x17);
    EQ(b->ram[0xb016], 0);
}

Test(integer32, an_interrupt_stops_a_copy)
{
    /* cld; mov esi, 0x10000; mov edi, 0x20000; mov ecx, 0x4000; rep movsb; hlt */
    static const uint8_t code[] =
        { 0xfc, 0xbe, 0x00, 0x00, 0x01, 0x00, 0xbf, 0x00, 0x00, 0x02, 0x00, 0xb9, 0x00, 0x40, 0x00, 0x00,
        0xf3, 0xa4, 0xf4 };
    cpu_bench_load(b, CPU_BENCH_CODE, code, sizeof code);
    c->eip = CPU_BENCH_CODE;
    cpu_bench_run(b, 4);
    c->engine->kick(c);                         /* the engine looks after each piece */
    EQ(c->engine->run(c, 100000), CPU_KICKED);
    EQ(c->eip, CPU_BENCH_CODE + 16);
    EQ(c->gpr[ECX], 0x4000);
    EQ(c->engine->run(c, 100000), CPU_HALTED);
    EQ(c->gpr[ECX], 0);
    EQ(c->gpr[ESI], 0x14000);
}

/* --- decimal -------------------------------------------------------------------------------------------------- */
Test(integer32, decimal)
{
    static const struct { uint8_t op; uint16_t ax; uint8_t flags; uint16_t result; uint8_t out; } rows[] = {
        { 0x27, 0x00ae, 0x00, 0x0014, 0x11 | 4 }, { 0x27, 0x009a, 0x00, 0x0000, 0x11 | 0x44 }, { 0x27, 0x0012, 0x01, 0x0072, 0x01 | 4 },
        { 0x27, 0x0079, 0x11, 0x00df, 0x91 }, { 0x2f, 0x00ff, 0x10, 0x0099, 0x95 }, { 0x2f, 0x0005, 0x10, 0x00ff, 0x95 },
        { 0x37, 0x000f, 0x00, 0x0105, 0x11 }, { 0x37, 0x00fa, 0x00, 0x0200, 0x11 }, { 0x37, 0x0209, 0x10, 0x030f, 0x11 },
        { 0x3f, 0x0205, 0x10, 0x000f, 0x11 }, { 0x3f, 0x0005, 0x00, 0x0005, 0x00 },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        uint8_t code[] = { rows[n].op, 0xf4 };
        uint32_t seen = rows[n].op < 0x30 ? 0xd5 : 0x11;        /* AAA and AAS define CF and AF only */
        c->gpr[EAX] = 0xbeef0000 | rows[n].ax;
        cpu_set_flags(c, rows[n].flags);
        RUN(code);
        EQ(c->gpr[EAX], 0xbeef0000 | rows[n].result);
        EQ(cpu_flags(c) & seen, rows[n].out & seen);
    }
}

Test(integer32, aam_aad_salc_xlat)
{
    /* mov eax, 0x5763; aam; mov ebx, eax; aad; mov ecx, eax; mov al, 0xff; aam 16; mov edx, eax; stc;
     * salc; mov esi, eax; mov ebx, 0x9000; mov al, 5; xlatb; hlt */
    static const uint8_t code[] =
        { 0xb8, 0x63, 0x57, 0x00, 0x00, 0xd4, 0x0a, 0x89, 0xc3, 0xd5, 0x0a, 0x89, 0xc1, 0xb0, 0xff, 0xd4,
        0x10, 0x89, 0xc2, 0xf9, 0xd6, 0x89, 0xc6, 0xbb, 0x00, 0x90, 0x00, 0x00, 0xb0, 0x05, 0xd7, 0xf4 };
    b->ram[0x9005] = 0x77;
    RUN(code);
    EQ(c->gpr[ECX], 0x63);
    EQ(c->gpr[EDX], 0x0f0f);
    EQ(c->gpr[ESI], 0x0fff);
    EQ(c->gpr[EAX], 0x0f77);
}

Test(integer32, aam_by_zero_is_a_divide_error)
{
    static const uint8_t code[] = { 0xd4, 0x00, 0xf4 };
    RUN(code);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_DE);
}

/* --- what the decoder refuses --------------------------------------------------------------------------------- */
Test(integer32, undefined_instructions)
{
    static const struct { uint8_t bytes[8]; int vector; } rows[] = {
        { { 0x0f, 0xff }, EXC_UD }, { { 0xf0, 0x90 }, EXC_UD }, { { 0xf0, 0x01, 0xc0 }, EXC_UD }, { { 0xff, 0xf8 }, EXC_UD },
        { { 0xf0, 0x39, 0x00 }, EXC_UD }, { { 0xfe, 0xd0 }, EXC_UD }, { { 0x8d, 0xc0 }, EXC_UD }, { { 0x0f, 0xc7, 0xc8 }, EXC_UD },
        { { 0xc6, 0xc8 }, EXC_UD }, { { 0x8f, 0xc8 }, EXC_UD }, { { 0x8e, 0xc8 }, EXC_UD }, { { 0x8e, 0xf0 }, EXC_UD },
        { { 0x0f, 0x0b }, EXC_UD }, { { 0xf0, 0x0f, 0xa3, 0x00 }, EXC_UD },
    };
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
        c->gpr[ESP] = CPU_BENCH_STACK;
        run(rows[n].bytes, 8);
        EQ(cpu_bench_caught(b, HANDLERS), rows[n].vector);
        EQ(bench_ram32(b, c->gpr[ESP]), CPU_BENCH_CODE);
    }
}

Test(integer32, fifteen_bytes_at_most)
{
    static const uint8_t good[] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x40, 0xf4 };
    static const uint8_t bad[] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x40, 0xf4 };
    RUN(good);
    EQ(c->gpr[EAX], 1);
    RUN(bad);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_GP);
}

Test(integer32, locked_instructions)
{
    /* mov eax, 5; lock add [0x9000], eax; lock xadd [0x9000], eax; lock inc dword [0x9000]; lock bts dword
     * [0x9004], 3; mov ebx, 0x11; lock cmpxchg [0x9008], ebx; lock xchg [0x900c], ebx; hlt */
    static const uint8_t code[] =
        { 0xb8, 0x05, 0x00, 0x00, 0x00, 0xf0, 0x01, 0x05, 0x00, 0x90, 0x00, 0x00, 0xf0, 0x0f, 0xc1, 0x05,
        0x00, 0x90, 0x00, 0x00, 0xf0, 0xff, 0x05, 0x00, 0x90, 0x00, 0x00, 0xf0, 0x0f, 0xba, 0x2d, 0x04,
        0x90, 0x00, 0x00, 0x03, 0xbb, 0x11, 0x00, 0x00, 0x00, 0xf0, 0x0f, 0xb1, 0x1d, 0x08, 0x90, 0x00,
        0x00, 0xf0, 0x87, 0x1d, 0x0c, 0x90, 0x00, 0x00, 0xf4 };
    RUN(code);
    EQ(bench_ram32(b, 0x9000), 11);
    EQ(bench_ram32(b, 0x9004), 8);
    EQ(bench_ram32(b, 0x9008), 0);
    EQ(c->gpr[EAX], 0);
    EQ(bench_ram32(b, 0x900c), 0x11);
}

/* --- the interpreter's promises ------------------------------------------------------------------------------- */
Test(integer32, counts_are_exact)
{
    /* mov ecx, 100; a: inc eax; add ebx, eax; dec ecx; jnz a; hlt */
    static const uint8_t code[] =
        { 0xb9, 0x64, 0x00, 0x00, 0x00, 0x40, 0x01, 0xc3, 0x49, 0x75, 0xfa, 0xf4 };
    EQ(RUN(code), 1 + 400 + 1);
    for (unsigned budget = 1; budget < 200; budget += 7) {
        uint64_t before = c->instructions;
        c->halted = false;
        c->eip = CPU_BENCH_CODE;
        EQ(cpu_bench_run(b, budget), CPU_BUDGET);
        EQ(c->instructions - before, budget);
    }
}

Test(integer32, a_fault_counts_what_came_before)
{
    /* inc eax; inc eax; inc eax; div ecx; inc eax */
    static const uint8_t code[] =
        { 0x40, 0x40, 0x40, 0xf7, 0xf1, 0x40 };
    uint64_t n = RUN(code);
    EQ(n, 3 + 1 + 1);                                   /* the DIV, and the handler's HLT */
    EQ(cpu_bench_caught(b, HANDLERS), EXC_DE);
}

Test(integer32, code_that_writes_its_next_instruction)
{
    /* mov byte [next], 0x43; next: inc eax; hlt */
    static const uint8_t code[] =
        { 0xc6, 0x05, 0x07, 0x10, 0x00, 0x00, 0x43, 0x40, 0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], 0);
    EQ(c->gpr[EBX], 1);
}

Test(integer32, code_that_writes_code_run_before)
{
    /* xor ecx, ecx; f: inc eax; inc ecx; mov byte [f], 0x43; cmp ecx, 3; jne f; hlt */
    static const uint8_t code[] =
        { 0x31, 0xc9, 0x40, 0x41, 0xc6, 0x05, 0x02, 0x10, 0x00, 0x00, 0x43, 0x83, 0xf9, 0x03, 0x75, 0xf2,
        0xf4 };
    RUN(code);
    EQ(c->gpr[EAX], 1);
    EQ(c->gpr[EBX], 2);
}

Test(integer32, data_beside_code)
{
    /* mov ecx, 1000; a: inc dword [v]; dec ecx; jnz a; mov eax, [v]; hlt; align 4; v: dd 0 */
    static const uint8_t code[] =
        { 0xb9, 0xe8, 0x03, 0x00, 0x00, 0xff, 0x05, 0x14, 0x10, 0x00, 0x00, 0x49, 0x75, 0xf7, 0xa1, 0x14,
        0x10, 0x00, 0x00, 0xf4, 0x00, 0x00, 0x00, 0x00 };
    RUN(code);
    EQ(c->gpr[EAX], 1000);
}

Test(integer32, devices_write_code)
{
    static const uint8_t first[] = { 0x40, 0xf4 }, second[] = { 0x43, 0xf4 };
    RUN(first);
    RUN(second);
    RUN(first);
    EQ(c->gpr[EAX], 2);
    EQ(c->gpr[EBX], 1);
}

Test(integer32, instructions_across_pages)
{
    static const uint8_t code[] = { 0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4 };
    for (unsigned n = 1; n < 6; n++) {
        cpu_bench_load(b, 0x6000 - n, code, sizeof code);
        c->gpr[EAX] = 0;
        c->halted = false;
        c->eip = 0x6000 - n;
        EQ(cpu_bench_run(b, 10), CPU_HALTED);
        EQ(c->gpr[EAX], 0x12345678);
    }
    static const uint8_t ff = 0xff;                     /* and writing its second half is seen */
    cpu_bench_load(b, 0x6000 - 2, code, sizeof code);
    c->halted = false, c->eip = 0x6000 - 2;
    cpu_bench_run(b, 10);
    cpu_bench_load(b, 0x6002, &ff, 1);
    c->halted = false, c->eip = 0x6000 - 2;
    cpu_bench_run(b, 10);
    EQ(c->gpr[EAX], 0xff345678);
}

Test(integer32, single_steps)
{
    /* inc eax; inc eax; hlt */
    static const uint8_t code[] =
        { 0x40, 0x40, 0xf4 };
    cpu_bench_load(b, CPU_BENCH_CODE, code, sizeof code);
    cpu_set_flags(c, FLAG_TF);
    cpu_bench_run(b, 10);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_DB);
    EQ(c->gpr[EAX], 1);
    EQ(bench_ram32(b, c->gpr[ESP]), CPU_BENCH_CODE + 1);
    EQ(c->dr[6] & DR6_BS, DR6_BS);
}

Test(integer32, code_breakpoints)
{
    /* inc eax; inc eax; inc eax; hlt */
    static const uint8_t code[] =
        { 0x40, 0x40, 0x40, 0xf4 };
    cpu_bench_load(b, CPU_BENCH_CODE, code, sizeof code);
    c->dr[0] = CPU_BENCH_CODE + 2;
    c->dr[7] |= 1;
    cpu_bench_run(b, 10);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_DB);
    EQ(c->gpr[EAX], 2);
    EQ(bench_ram32(b, c->gpr[ESP]), CPU_BENCH_CODE + 2);
    EQ(c->dr[6] & 15, 1);
    c->halted = false;                                  /* with RF set it runs on */
    c->eip = CPU_BENCH_CODE + 2;
    c->eflags |= FLAG_RF;
    cpu_bench_run(b, 2);
    EQ(c->gpr[EAX], 3);
}

Test(integer32, data_breakpoints)
{
    /* inc eax; mov [0x9000], eax; inc eax; hlt */
    static const uint8_t code[] =
        { 0x40, 0xa3, 0x00, 0x90, 0x00, 0x00, 0x40, 0xf4 };
    cpu_bench_load(b, CPU_BENCH_CODE, code, sizeof code);
    c->dr[1] = 0x9002;
    c->dr[7] |= 4 | 1 << 20;                            /* DR1, writes, one byte */
    mmu_flush(c, true);
    cpu_bench_run(b, 10);
    EQ(cpu_bench_caught(b, HANDLERS), EXC_DB);
    EQ(c->gpr[EAX], 1);
    EQ(bench_ram32(b, 0x9000), 1);
    EQ(c->dr[6] & 15, 2);
}

/* --- 16-bit addressing ---------------------------------------------------------------------------------------- */
Test(integer16, address_forms)
{
    /* mov bx, 0x9000; mov si, 0x10; mov di, 0x20; mov bp, 0x9100; mov al, [bx+si]; mov ah, [bx+di+1]; mov
     * cl, [bp+si]; mov ch, [bp+di-1]; mov dl, [si+0x7000]; mov dh, [di+0x7000]; mov [0x9200], bx; lea bx,
     * [bx+si+0x7fff]; hlt */
    static const uint8_t code[] =
        { 0xbb, 0x00, 0x90, 0xbe, 0x10, 0x00, 0xbf, 0x20, 0x00, 0xbd, 0x00, 0x91, 0x8a, 0x00, 0x8a, 0x61,
        0x01, 0x8a, 0x0a, 0x8a, 0x6b, 0xff, 0x8a, 0x94, 0x00, 0x70, 0x8a, 0xb5, 0x00, 0x70, 0x89, 0x1e,
        0x00, 0x92, 0x8d, 0x98, 0xff, 0x7f, 0xf4 };
    for (unsigned n = 0; n < 0x300; n++)
        b->ram[0x9000 + n] = (uint8_t)(n ^ n >> 8);
    b->ram[0x7010] = 0x5a, b->ram[0x7020] = 0xa5;
    RUN(code);
    EQ(c->gpr[EAX], 0x2110);
    EQ(c->gpr[ECX], 0x1e11);
    EQ(c->gpr[EDX], 0xa55a);
    EQ(le16_get(b->ram + 0x9200), 0x9000);
    EQ(c->gpr[EBX], 0x100f);
}

Test(integer16, offsets_wrap)
{
    /* mov bx, 0xfff0; mov si, 0x9010; mov al, [bx+si]; a32 mov ah, [ebx+esi-0x10000]; hlt */
    static const uint8_t code[] =
        { 0xbb, 0xf0, 0xff, 0xbe, 0x10, 0x90, 0x8a, 0x00, 0x67, 0x8a, 0xa4, 0x33, 0x00, 0x00, 0xff, 0xff,
        0xf4 };
    b->ram[0x9000] = 0x42;
    RUN(code);
    EQ(c->gpr[EAX], 0x4242);
}

/* --- DOS at rest ------------------------------------------------------------------------------------------------------ */
/* sti; again: int 28h; jmp again, with a handler of one IRET: the CPU rests before a call, and goes on with it after an interrupt. */
Test(integer16, dos_that_waits_rests_the_cpu)
{
    static const uint8_t code[] = { 0xfb, 0xcd, 0x28, 0xeb, 0xfc };
    le16_put(b->ram + 0x28 * 4, 0x2000);
    le16_put(b->ram + 0x28 * 4 + 2, 0);
    b->ram[0x2000] = 0xcf;
    cpu_bench_load(b, CPU_BENCH_CODE, code, sizeof code);
    EQ(c->engine->run(c, 20000), CPU_BUDGET);
    c->dos_idle = true;
    EQ(c->engine->run(c, 20000), CPU_HALTED);
    EQ(c->eip, CPU_BENCH_CODE + 1);
    c->halted = false;                                  /* what an interrupt does */
    EQ(c->engine->run(c, 20000), CPU_HALTED);
    EQ(c->eip, CPU_BENCH_CODE + 1);
    c->eflags &= ~(uint32_t)FLAG_IF;                    /* nothing could wake it */
    c->halted = false;
    EQ(c->engine->run(c, 20000), CPU_BUDGET);
}

/* A handler that only returns, at 0:2000h, for INT 16h; a loop that asks it for a key, with `extra` in it. */
static enum cpu_exit poll_keys(const uint8_t *extra, size_t length)
{
    uint8_t code[16] = { 0xfb, 0xb4, 0x01, 0xcd, 0x16 };
    memcpy(code + 5, extra, length);
    code[5 + length] = 0xeb;
    code[6 + length] = (uint8_t)-(6 + length);
    le16_put(b->ram + 0x16 * 4, 0x2000);
    le16_put(b->ram + 0x16 * 4 + 2, 0);
    b->ram[0x2000] = 0xcf;
    cpu_bench_load(b, CPU_BENCH_CODE, code, sizeof code);
    c->eip = CPU_BENCH_CODE;
    c->halted = false;
    return c->engine->run(c, 20000);
}

Test(integer16, a_loop_that_asks_for_a_key_rests_the_cpu)
{
    static const uint8_t none[1], dos[] = { 0xcd, 0x21 }, count[] = { 0x43 }, apart[] = { 0xb9, 0x00, 0x04, 0xe2, 0xfe };   /* inc bx; mov cx, 400h; loop $ */
    c->dos_idle = true;
    EQ(poll_keys(none, 0), CPU_HALTED);
    EQ(c->eip, CPU_BENCH_CODE + 3);
    c->halted = false;
    EQ(c->engine->run(c, 20000), CPU_HALTED);
    EQ(poll_keys(count, sizeof count), CPU_BUDGET);
    EQ(poll_keys(apart, sizeof apart), CPU_BUDGET);
    le16_put(b->ram + 0x21 * 4, 0x2000);
    le16_put(b->ram + 0x21 * 4 + 2, 0);
    EQ(poll_keys(dos, sizeof dos), CPU_BUDGET);         /* DOS itself asks between a program's calls */
    le16_put(b->ram + 0x41c, 2);                        /* a key waits */
    EQ(poll_keys(none, 0), CPU_BUDGET);
    le16_put(b->ram + 0x41c, 0);
    c->dos_idle = false;
    EQ(poll_keys(none, 0), CPU_BUDGET);
}
