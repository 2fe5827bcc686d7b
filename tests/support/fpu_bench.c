/* See fpu_bench.h. The guest side needs no machine: one page of memory, put into the TLB by hand. */
#include "tests/support/fpu_bench.h"
#include "engine/interpreter/interpreter.h"
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ucontext.h>

/* The lines of opcodes_fpu.def have ids that follow one another, from the one of this line on. */
static const char first_line[] = "FADD_m32";
enum lines { LINES = 0
#define OP(...) + 1
#define OPF OP
#include "x86/opcodes_fpu.def"
#undef OP
#undef OPF
};
unsigned fpu_bench_lines(unsigned *count)
{
    unsigned id = 1;
    while (strcmp(opcodes[id].name, first_line))
        id++;
    *count = LINES;
    return id;
}

static struct exec_frame frame = { .eip_base = 0x1000 };

/* --- the bench ---------------------------------------------------------------------------------------------------- */
static struct sigaction signal_before;
static sigjmp_buf trapped;
static uint32_t trapped_mxcsr;
static void on_trap(int number, siginfo_t *info, void *context)
{
    (void)number; (void)info;
    trapped_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
    siglongjmp(trapped, 1);
}

void fpu_bench_init(struct fpu_bench *b)
{
    b->cpu = aligned_alloc(64, align_up(sizeof *b->cpu, 64));
    b->page = aligned_alloc(4096, 4096);
    b->code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(b->cpu && b->page && b->code != MAP_FAILED);
    memset(b->cpu, 0, sizeof *b->cpu);
    memset(b->page, 0, 4096);
    b->cpu->tlb = malloc(sizeof(struct tlb));
    assert(b->cpu->tlb);
    struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGFPE, &action, &signal_before);
    fpu_bench_cpu(b);
}

void fpu_bench_free(struct fpu_bench *b)
{
    sigaction(SIGFPE, &signal_before, NULL);
    munmap(b->code, 4096);
    free(b->page);
    free(b->cpu->tlb);
    free(b->cpu);
}

struct cpu *fpu_bench_cpu(struct fpu_bench *b)
{
    struct cpu *c = b->cpu;
    struct tlb *tlb = c->tlb;
    memset(c, 0, sizeof *c);
    memset(tlb, 0, sizeof *tlb);
    c->tlb = tlb;
    tlb->now = tlb->kernel;
    for (unsigned n = 0; n < TLB_SIZE; n++)
        tlb->kernel[n].read = tlb->kernel[n].write = TLB_INVALID;
    struct tlb_entry *t = tlb_slot(c, FPU_BENCH_LINEAR);
    t->read = t->write = FPU_BENCH_LINEAR;
    t->host = (uintptr_t)b->page - FPU_BENCH_LINEAR;
    for (unsigned n = 0; n < SEGMENT_COUNT; n++)
        c->seg[n] = (struct segment){ .selector = (uint16_t)(8 * n + 8), .access = n == CS ? 0xc09b : 0xc093,
            .limit = 0xffffffff, .read_limit = 0xffffffff, .write_limit = 0xffffffff };
    c->features = UINT64_MAX;
    c->cr0 = CR0_PE | CR0_NE | CR0_MP | CR0_ET;
    c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    c->eflags = FLAG_1;
    c->mxcsr = MXCSR_INIT;
    c->engine_data = &frame;
    fpu_init(&c->fpu);
    return c;
}

/* --- the handler -------------------------------------------------------------------------------------------------- */
enum { STALLED = -2, RAN = -1 };
static bool finished;
static void finish(struct cpu *c, const struct insn *i) { (void)c; (void)i; finished = true; }

int fpu_bench_step(struct fpu_bench *b, const uint8_t *bytes, unsigned length, unsigned mode)
{
    struct cpu *c = b->cpu;
    static struct insn insn[2];
    if (insn_decode(c, &insn[0], bytes, length, mode) != DECODE_OK)
        return EXC_UD;
    assert(insn[0].length == length);
    insn[0].exec = exec_lookup(&insn[0]);
    insn[1].exec = finish;
    finished = false;
    c->current = insn;
    if (_setjmp(c->fault))
        return c->raised.vector;
    insn[0].exec(c, &insn[0]);
    return finished ? RAN : STALLED;
}

/* Flags that something else may have left in the host's x87: the handlers must not take them for the guest's. */
static void host_flags(unsigned flags)
{
    uint32_t environment[7];
    asm volatile("fnstenv %0" : "=m"(environment));
    environment[1] = (environment[1] & ~(uint32_t)FPU_EXCEPTIONS) | (flags & FPU_EXCEPTIONS);
    asm volatile("fldenv %0" : : "m"(environment));
}

void fpu_bench_guest(struct fpu_bench *b, const uint8_t *bytes, unsigned length, struct fpu_state *s, bool memory)
{
    struct cpu *c = fpu_bench_cpu(b);
    memcpy(b->page, s->memory, sizeof s->memory);
    fpu_load_fx(c, s->fx);
    c->gpr[EAX] = memory ? FPU_BENCH_LINEAR : (uint32_t)s->eax;
    c->gpr[EDI] = FPU_BENCH_LINEAR;
    c->gpr[ECX] = (uint32_t)s->ecx;
    c->gpr[EDX] = (uint32_t)s->edx;
    cpu_set_arith(c, (uint32_t)s->flags);
    host_flags((unsigned)(s->ecx ^ s->eax >> 7));
    s->vector = fpu_bench_step(b, bytes, length, MODE_CODE32 | MODE_STACK32 | MODE_PROTECTED);
    host_flags(0);
    memcpy(s->memory, b->page, sizeof s->memory);
    fpu_save_fx(c, s->fx);
    memcpy(s->fx + FXSAVE_LEGACY, c->xmm, sizeof c->xmm);
    s->eax = memory ? 0 : c->gpr[EAX];
    s->ecx = c->gpr[ECX];
    s->edx = c->gpr[EDX];
    s->flags = cpu_flags(c) & FLAGS_ARITH;
}

/* --- the silicon -------------------------------------------------------------------------------------------------- */
struct native_registers { uint64_t rax, rcx, rdx, rdi, flags; };
void native_run(uint8_t *fx, struct native_registers *, const void *code);
asm(".text\n.globl native_run\n.type native_run, @function\nnative_run:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
    "mov %rdi, %r12\n mov %rsi, %r13\n mov %rdx, %r14\n"
    "mov (%r13), %rax\n mov 8(%r13), %rcx\n mov 16(%r13), %rdx\n mov 24(%r13), %rdi\n"
    "fxrstor64 (%r12)\n"
    "pushq 32(%r13)\n popfq\n"
    "call *%r14\n"
    "pushfq\n popq 32(%r13)\n"
    "fxsave64 (%r12)\n"
    "mov %rax, (%r13)\n mov %rcx, 8(%r13)\n mov %rdx, 16(%r13)\n mov %rdi, 24(%r13)\n"
    "fninit\n movl $0x1f80, -8(%rsp)\n ldmxcsr -8(%rsp)\n cld\n"
    "pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    ".size native_run, .-native_run\n");

/* After #XM only MXCSR can have changed: the rest of *s stays as it was. */
void fpu_bench_native(struct fpu_bench *b, const uint8_t *bytes, unsigned length, struct fpu_state *s, bool memory)
{
    static struct fpu_state work;
    static struct native_registers r;
    memcpy(b->code, bytes, length);
    b->code[length] = 0xc3;
    work = *s;
    uint64_t pointer = (uint64_t)(uintptr_t)work.memory;
    r = (struct native_registers){ memory ? pointer : s->eax, s->ecx, s->edx, pointer, s->flags | FLAG_1 };
    if (sigsetjmp(trapped, 0)) {
        s->vector = EXC_XM;
        le32_put(s->fx + 24, trapped_mxcsr);
        if (memory)
            s->eax = 0;
    } else {
        native_run(work.fx, &r, b->code);
        *s = work;
        s->vector = RAN;
        s->eax = memory ? 0 : r.rax;
        s->ecx = r.rcx;
        s->edx = r.rdx;
        s->flags = r.flags & FLAGS_ARITH;
    }
}
