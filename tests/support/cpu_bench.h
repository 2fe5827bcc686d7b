/* The CPU bench: a machine of RAM and one CPU in virtual time, driven instruction by instruction by the interpreter. */
#ifndef TESTS_SUPPORT_CPU_BENCH_H
#define TESTS_SUPPORT_CPU_BENCH_H
#include "core/machine.h"
#include "engine/engine.h"
#include "x86/segment.h"

/* Selectors of the bench's flat GDT (at CPU_BENCH_GDT in memory): ring 0 code and data, 16-bit code and data, ring 3. */
enum { BENCH_CODE = 0x08, BENCH_DATA = 0x10, BENCH_CODE16 = 0x18, BENCH_DATA16 = 0x20, BENCH_USER_CODE = 0x2b, BENCH_USER_DATA = 0x33,
       BENCH_TSS = 0x38 };
enum { CPU_BENCH_GDT = 0x800, CPU_BENCH_TSS = 0xa00, CPU_BENCH_IDT = 0x0, CPU_BENCH_CODE = 0x1000, CPU_BENCH_STACK = 0x8000,
       CPU_BENCH_DATA = 0x9000 };

struct cpu_bench { struct machine *m; struct cpu *cpu; uint8_t *ram; size_t ram_size; };

/* model: as cpu.model ("pentium4" has everything). The CPU is reset; aborts on errors. */
struct cpu_bench *cpu_bench_new(const char *model, size_t ram_size);
void cpu_bench_free(struct cpu_bench *);
/* Real mode, all segments 0 with limit FFFFh; EIP CPU_BENCH_CODE, ESP CPU_BENCH_STACK, other registers 0, flags 2. */
void cpu_bench_real(struct cpu_bench *);
/* The same registers in flat 32-bit protected mode, CPL 0; GDT and a TSS in memory, an empty IDT. */
void cpu_bench_flat(struct cpu_bench *);
/* The same at CPL 3. */
void cpu_bench_user(struct cpu_bench *);
/* Copies bytes to a physical address behind the CPU's back, as a device would, and makes the CPU look. */
void cpu_bench_load(struct cpu_bench *, uint32_t address, const void *bytes, size_t length);
/* Interrupt gates (or real-mode vectors) to `address` for all 32 exceptions: handler n at address + 16 n holds HLT. */
void cpu_bench_catch(struct cpu_bench *, uint32_t address);
/* Runs at most n instructions. */
enum cpu_exit cpu_bench_run(struct cpu_bench *, uint64_t n);
/* Loads at CPU_BENCH_CODE, runs from there n instructions. */
enum cpu_exit cpu_bench_code(struct cpu_bench *, const void *bytes, size_t length, uint64_t n);
/* Which exception was caught (EIP is in a handler of cpu_bench_catch), or -1. */
int cpu_bench_caught(const struct cpu_bench *, uint32_t address);

static inline uint32_t bench_ram32(const struct cpu_bench *b, uint32_t address) { return le32_get(b->ram + address); }

#endif
