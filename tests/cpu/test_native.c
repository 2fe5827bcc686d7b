/* Every integer line of opcodes.def whose oracle is this host's silicon: random encodings and operands, executed once through the
 * decoder and the interpreter, and once as they stand on the host in 64-bit mode; registers, flags, memory must agree.
 *
 * The host's memory operand lies below 4 GiB, and the guest has RAM of its own at the same address, so that registers hold the
 * same numbers in both. With a 67h prefix the host's 32-bit address arithmetic is the guest's. */
#include "tests/support/cpu_bench.h"
#include "x86/opcodes.h"
#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { ENCODINGS = 64, OPERANDS_EACH = 64, COMPARED_LEAST = 1000, BUFFER = 8192 };

/* --- the host ------------------------------------------------------------------------------------------------- */
struct native { uint32_t gpr[8]; uint64_t flags; void *code; };
void native_call(struct native *);
__asm__(".text\n.globl native_call\n.type native_call, @function\nnative_call:\n\t"
        "push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\tpush %rdi\n\tmov %rdi, %r15\n\t"
        "mov (%r15), %eax\n\tmov 4(%r15), %ecx\n\tmov 8(%r15), %edx\n\tmov 12(%r15), %ebx\n\tmov 20(%r15), %ebp\n\t"
        "mov 24(%r15), %esi\n\tmov 28(%r15), %edi\n\tpush 32(%r15)\n\tpopfq\n\tcall *40(%r15)\n\tpushfq\n\tpop 32(%r15)\n\tcld\n\t"
        "mov %eax, (%r15)\n\tmov %ecx, 4(%r15)\n\tmov %edx, 8(%r15)\n\tmov %ebx, 12(%r15)\n\tmov %ebp, 20(%r15)\n\t"
        "mov %esi, 24(%r15)\n\tmov %edi, 28(%r15)\n\tpop %rdi\n\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\tret\n"
        ".size native_call, .-native_call\n");

static sigjmp_buf trapped;
static void on_signal(int signal)
{
    __asm__ volatile("cld");
    siglongjmp(trapped, signal);
}

/* --- one random instruction ----------------------------------------------------------------------------------- */
static uint64_t seed = 0x9e3779b97f4a7c15;
static uint32_t chance(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}
static unsigned below(unsigned n) { return chance() % n; }

/* Values with meaning more often than chance would have them. */
static uint32_t value(void)
{
    static const uint32_t edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe };
    unsigned how = below(4);
    return how == 0 ? edges[below(ARRAY_SIZE(edges))] : how == 1 ? chance() & 0xff : how == 2 ? chance() >> below(32) : chance();
}

struct encoding {
    uint8_t bytes[16]; unsigned length;         /* as the guest has it */
    bool memory; unsigned base, index, scale; uint32_t disp;    /* index 4: none */
    unsigned reg; bool bit_string;              /* BT m, r: r moves the address */
    bool word;                                  /* operand size 16 */
};

static void emit(struct encoding *e, uint32_t v, unsigned size)
{
    for (unsigned n = 0; n < size; n++)
        e->bytes[e->length++] = (uint8_t)(v >> n * 8);
}

static unsigned register_but_esp(unsigned size) { unsigned n = below(size == 1 ? 8 : 7); return size != 1 && n >= 4 ? n + 1 : n; }

static void emit_memory(struct encoding *e, unsigned reg)
{
    unsigned mod = below(3);
    bool sib = below(2);
    e->memory = true;
    e->base = register_but_esp(4);
    if (mod == 0 && e->base == EBP)
        mod = 1;
    e->disp = mod == 0 ? 0 : mod == 1 ? (uint32_t)(int8_t)chance() : chance();
    e->index = ESP;
    if (sib) {
        e->index = below(4) ? register_but_esp(4) : ESP;
        e->scale = below(4);
    }
    emit(e, mod << 6 | reg << 3 | (sib ? 4 : e->base), 1);
    if (sib)
        emit(e, e->scale << 6 | e->index << 3 | e->base, 1);
    emit(e, e->disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* false: the generator does not know an operand of this line. */
static bool emit_immediate(struct encoding *e, const struct operand_info *o)
{
    switch (o->method) {
    case METHOD_I: case METHOD_E_I: emit(e, value(), o->size == SIZE_V ? (e->word ? 2 : 4) : o->size); return true;
    case METHOD_IS: case METHOD_E_IS: case METHOD_G_IB: emit(e, value(), 1); return true;
    case METHOD_NONE: case METHOD_E: case METHOD_G: case METHOD_M: case METHOD_Z: case METHOD_AL: case METHOD_RAX: case METHOD_CL:
    case METHOD_ONE: case METHOD_G_CL:
        return true;
    default: return false;
    }
}

static bool modrm_operand(const struct opcode *o, unsigned *size_reg, unsigned *size_rm)
{
    const struct operand_info *two[2] = { &operands[o->dst], &operands[o->src] };
    bool any = o->group <= GROUP_INDEX_7;
    *size_reg = *size_rm = 4;
    for (unsigned n = 0; n < 2; n++) {
        unsigned method = two[n]->method;
        if (method == METHOD_E || method == METHOD_M || method == METHOD_E_I || method == METHOD_E_IS)
            *size_rm = two[n]->size, any = true;
        if (method == METHOD_G || method == METHOD_G_IB || method == METHOD_G_CL)
            *size_reg = two[n]->size, any = true;
    }
    return any;
}

static bool build(const struct opcode *o, struct encoding *e)
{
    unsigned size_reg, size_rm;
    memset(e, 0, sizeof *e);
    e->index = ESP;
    e->word = below(2);
    if (e->word)
        emit(e, 0x66, 1);
    if (o->map == MAP_TWO)
        emit(e, 0x0f, 1);
    const struct operand_info *d = &operands[o->dst];
    emit(e, o->opcode + (o->group == GROUP_INDEX_low8 ? register_but_esp(d->size) : 0u), 1);
    if (modrm_operand(o, &size_reg, &size_rm)) {
        e->reg = o->group <= GROUP_INDEX_7 ? o->group : register_but_esp(size_reg);
        bool memory = o->form == FORM_INDEX_mem || (o->form == FORM_INDEX_both && below(2));
        if (memory)
            emit_memory(e, e->reg);
        else
            emit(e, 0xc0 | e->reg << 3 | register_but_esp(size_rm), 1);
        e->bit_string = memory && !strncmp(o->name, "BT", 2) && o->src == OPERAND_Gv;
    }
    return emit_immediate(e, d) && emit_immediate(e, &operands[o->src]);
}

/* --- both machines -------------------------------------------------------------------------------------------- */
struct rig { struct cpu_bench *b; uint8_t *host_memory, *guest_memory, *code; uint32_t address; unsigned compared; };

static void rig_open(struct rig *r)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };
    r->b = cpu_bench_new("pentium4", 1 << 20);
    r->host_memory = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    r->code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    r->guest_memory = aligned_alloc(4096, BUFFER);
    cr_assert(r->host_memory != MAP_FAILED && r->code != MAP_FAILED && r->guest_memory);
    r->address = (uint32_t)(uintptr_t)r->host_memory;
    space_map_ram(r->b->m->memory, r->address, BUFFER, r->guest_memory, RAM_WRITABLE, 0);
    sigaction(SIGFPE, &action, NULL);
    cpu_bench_flat(r->b);
    cpu_bench_catch(r->b, 0x2000);
}

static void rig_close(struct rig *r)
{
    cpu_bench_free(r->b);
    munmap(r->host_memory, BUFFER);
    munmap(r->code, 4096);
    free(r->guest_memory);
}

static void rig_code(struct rig *r, const struct encoding *e)
{
    unsigned at = 0;
    if (e->memory)
        r->code[at++] = 0x67;
    memcpy(r->code + at, e->bytes, e->length);
    r->code[at + e->length] = 0xc3;
    cpu_bench_load(r->b, CPU_BENCH_CODE, e->bytes, e->length);
}

static void random_state(const struct rig *r, const struct opcode *o, const struct encoding *e, struct native *s)
{
    for (unsigned n = 0; n < 8; n++)
        s->gpr[n] = value();
    if (!strcmp(o->name, "DIV") || !strcmp(o->name, "IDIV"))
        s->gpr[EDX] = below(2) ? chance() & 0xff : below(2) ? 0xffffffff : s->gpr[EDX];
    if (e->bit_string)
        s->gpr[e->reg] = chance() % 8192 - 4096;
    if (e->memory) {
        uint32_t target = r->address + BUFFER / 2 + below(64);
        uint32_t index = e->index == ESP ? 0 : s->gpr[e->index] << e->scale;
        s->gpr[e->base] = target - e->disp - index;
        if (e->index == e->base) {              /* b + (b << scale) = t: only for an even split */
            s->gpr[e->base] = 0;
            s->gpr[e->base] = (target - e->disp) / (1 + (1u << e->scale));
        }
    }
    s->gpr[ESP] = CPU_BENCH_STACK;
    s->flags = 0x202 | (chance() & FLAGS_ARITH);
}

/* Can both machines address what this state makes of the operand? */
static bool inside(const struct rig *r, const struct encoding *e, const struct native *s)
{
    if (!e->memory)
        return true;
    uint32_t at = s->gpr[e->base] + e->disp + (e->index == ESP ? 0 : s->gpr[e->index] << e->scale);
    if (e->bit_string)
        at += e->word ? (uint32_t)((int16_t)s->gpr[e->reg] >> 4) * 2 : (uint32_t)((int32_t)s->gpr[e->reg] >> 5) * 4;
    return at - r->address < BUFFER - 16;
}

/* Runs one state on both; what differs goes into text. */
static bool agree(struct rig *r, const struct opcode *o, const struct encoding *e, char *text, size_t size)
{
    struct cpu *c = r->b->cpu;
    struct native s, before;
    random_state(r, o, e, &s);
    bool addressed = operands[o->src].method != METHOD_M || o->opcode != 0x8d;
    if (addressed && !inside(r, e, &s))
        return true;
    before = s;
    r->compared++;
    for (unsigned n = 0; n < 160; n++)
        r->host_memory[BUFFER / 2 - 48 + n] = (uint8_t)(below(3) ? chance() : 0);
    if (!strcmp(o->name, "CMPXCHG8B") && below(2)) {
        uint32_t at = s.gpr[e->base] + e->disp + (e->index == ESP ? 0 : s.gpr[e->index] << e->scale) - r->address;
        memcpy(r->host_memory + at, &s.gpr[EAX], 4);
        memcpy(r->host_memory + at + 4, &s.gpr[EDX], 4);
    }
    memcpy(r->guest_memory, r->host_memory, BUFFER);
    memcpy(c->gpr, s.gpr, sizeof s.gpr);
    cpu_set_flags(c, (uint32_t)s.flags);
    c->eip = CPU_BENCH_CODE;
    c->halted = false;
    cpu_bench_run(r->b, 1);
    int guest_trap = c->eip - 0x2000 < 32 * 16 ? (int)(c->eip - 0x2000) / 16 : -1;

    s.code = r->code;
    int signal = sigsetjmp(trapped, 1);
    if (!signal)
        native_call(&s);
    if (signal || guest_trap >= 0) {
        snprintf(text, size, "host signal %d, guest exception %d", signal, guest_trap);
        return signal && guest_trap == EXC_DE && !memcmp(r->guest_memory, r->host_memory, BUFFER);
    }
    uint32_t mask = (FLAGS_ARITH | FLAG_DF) & ~o->flags_undefined, got = cpu_flags(c);
    if ((got ^ s.flags) & mask) {
        snprintf(text, size, "flags %03x, silicon %03x, before %03x", got & 0xfff, (unsigned)s.flags & 0xfff, (unsigned)before.flags & 0xfff);
        return false;
    }
    for (unsigned n = 0; n < 8; n++)
        if (n != ESP && c->gpr[n] != s.gpr[n]) {
            snprintf(text, size, "register %u: %08x, silicon %08x, before %08x", n, c->gpr[n], s.gpr[n], before.gpr[n]);
            return false;
        }
    snprintf(text, size, "memory");
    return !memcmp(r->guest_memory, r->host_memory, BUFFER) && c->eip == CPU_BENCH_CODE + e->length;
}

/* --- the tests ------------------------------------------------------------------------------------------------ */
static bool integer_line(const struct opcode *o)
{
    return o->oracle == ORACLE_native && o->checks == CHECK_none && o->feature != HAS_FPU && o->feature < HAS_MMX;
}

static void try_line(struct rig *r, const struct opcode *o)
{
    r->compared = 0;
    for (unsigned n = 0; n < ENCODINGS; n++) {
        struct encoding e;
        char text[160], name[80];
        if (!build(o, &e))
            cr_assert_fail("%s %02x: no generator", o->name, o->opcode);
        if (e.word && o->map == MAP_TWO && o->opcode >= 0xc8 && o->opcode <= 0xcf)
            continue;                           /* BSWAP of 16 bits is undefined */
        rig_code(r, &e);
        insn_disassemble(e.bytes, e.length, MODE_CODE32 | MODE_PROTECTED, 0, name, sizeof name);
        for (unsigned k = 0; k < OPERANDS_EACH; k++)
            if (!agree(r, o, &e, text, sizeof text)) {
                cr_expect_fail("%s (%s): %s", name, o->name, text);
                break;
            }
        cpu_set_flags(r->b->cpu, 0);
    }
    cr_expect_geq(r->compared, COMPARED_LEAST, "%s %02x: only %u comparisons", o->name, o->opcode, r->compared);
}

static void try_map(unsigned map, unsigned first, unsigned last)
{
    struct rig r;
    rig_open(&r);
    unsigned tried = 0;
    for (unsigned n = 1; n < opcode_count; n++)
        if (opcodes[n].map == map && opcodes[n].opcode >= first && opcodes[n].opcode <= last && integer_line(&opcodes[n])) {
            try_line(&r, &opcodes[n]);
            tried++;
        }
    cr_assert_gt(tried, 0);
    rig_close(&r);
}

Test(native, one_byte_00_3f) { try_map(MAP_ONE, 0x00, 0x3f); }
Test(native, one_byte_40_bf) { try_map(MAP_ONE, 0x40, 0xbf); }
Test(native, one_byte_c0_ff) { try_map(MAP_ONE, 0xc0, 0xff); }
Test(native, two_byte_00_9f) { try_map(MAP_TWO, 0x00, 0x9f); }
Test(native, two_byte_a0_ff) { try_map(MAP_TWO, 0xa0, 0xff); }
