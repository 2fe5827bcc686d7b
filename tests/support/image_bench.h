/* Runs a bare-metal image (tests/cpu/NAME.asm, assembled beside the test program as cpu/NAME.bin): a machine of one CPU and RAM, whose
 * reset vector jumps to the image at 7C00h. The image writes its verdict to port 0F4h: 0, or the number of the step that failed. */
#ifndef TESTS_IMAGE_BENCH_H
#define TESTS_IMAGE_BENCH_H
#include "core/machine.h"
#include "x86/cpu.h"

enum image_outcome { IMAGE_WROTE, IMAGE_HALTED, IMAGE_SHUTDOWN, IMAGE_TIMEOUT };
struct image_bench {
    struct machine *m;
    struct cpu *cpu;
    uint8_t *ram, *high, *rom;                  /* 16 MiB at 0, 4 MiB at 4 GiB, 64 KiB below 4 GiB and at F0000h */
    uint32_t verdict, vector, notes[8];         /* 0F4h, 0F5h, and what was written to 0F8h */
    unsigned note_count, verdicts;
    int intr_vector;                            /* what an interrupt acknowledge gives; the image raises INTR by port 0F6h */
};

struct image_bench *image_bench_new(const char *image, const char *cpu_options);
enum image_outcome image_bench_run(struct image_bench *, uint64_t instructions);
void image_bench_free(struct image_bench *);

#endif
