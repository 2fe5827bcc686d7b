/* Runs one floating-point or vector instruction twice from the same state: through its handler, and as it stands on the
 * host's silicon (64-bit mode gives the same bytes the same meaning), there between FXRSTOR and FXSAVE of everything. */
#ifndef TESTS_FPU_BENCH_H
#define TESTS_FPU_BENCH_H
#include "engine/interpreter/exec.h"
#include "x86/fpu.h"
#include "x86/opcodes.h"

enum { FPU_BENCH_MEMORY = 128, FPU_BENCH_LINEAR = 0x10000 };
/* The whole state an instruction can read or change. `fx` is FXSAVE's image. */
struct fpu_state {
    uint8_t fx[512] __attribute__((aligned(16)));
    uint64_t eax, ecx, edx, edi, flags;
    uint8_t memory[FPU_BENCH_MEMORY] __attribute__((aligned(16)));     /* [EAX] and [EDI] point at its start */
    int vector;                                 /* of the exception raised, or -1 */
};

struct fpu_bench {
    struct cpu *cpu;
    uint8_t *page;                              /* guest memory, 4096 bytes at FPU_BENCH_LINEAR */
    uint8_t *code;                              /* host memory that may be executed */
};
void fpu_bench_init(struct fpu_bench *);
void fpu_bench_free(struct fpu_bench *);
/* A CPU at its bench: 32-bit protected mode, flat, CR0.NE, OSFXSR and OSXMMEXCPT set, everything that a Pentium 4 has. */
struct cpu *fpu_bench_cpu(struct fpu_bench *);
/* The id of the first line of opcodes_fpu.def, and how many there are. */
unsigned fpu_bench_lines(unsigned *count);
/* Executes `bytes` once through decoder and handler; pointers point at the bench's page if `memory`. */
void fpu_bench_guest(struct fpu_bench *, const uint8_t *bytes, unsigned length, struct fpu_state *, bool memory);
void fpu_bench_native(struct fpu_bench *, const uint8_t *bytes, unsigned length, struct fpu_state *, bool memory);
/* On cpu->fpu etc. as they are; returns the vector raised, -1: none, -2: it stalled (left EIP at itself). mode: MODE_*. */
int fpu_bench_step(struct fpu_bench *, const uint8_t *bytes, unsigned length, unsigned mode);

#endif
