/* The device bench: a machine without a CPU in virtual time; the test is the CPU, a capture chip stands
 * for everything that outputs lead to. */
#ifndef TESTS_SUPPORT_BENCH_H
#define TESTS_SUPPORT_BENCH_H
#include "core/machine.h"

enum { BENCH_LINES = 64 };
struct bench {
    struct machine *m;
    struct device capture;                      /* outside the machine's list: it is not saved */
    bool level[BENCH_LINES];
    unsigned rises[BENCH_LINES], falls[BENCH_LINES];
    uint8_t *ram;
};

struct bench *bench_new(void);
struct bench *bench_new_host(const struct host *);
void bench_free(struct bench *);
/* Aborts on errors. */
struct device *bench_add(struct bench *, const char *class, const char *id, const char *options);
void bench_reset(struct bench *);                                       /* power-on */
/* Zeroed memory at base, freed with the bench; once. */
uint8_t *bench_ram(struct bench *, uint64_t base, size_t size);
void bench_wire(struct bench *, const char *from, const char *output, const char *to, unsigned pin);
/* Leads an output to the capture chip's line. "" as output: only the first one. */
void bench_capture(struct bench *, const char *id, const char *output, unsigned line);
bool bench_irq(struct bench *, unsigned line);                          /* level of a captured line */
unsigned bench_rises(struct bench *, unsigned line);                    /* rising edges since the last call */
void bench_drive(struct bench *, const char *id, unsigned pin, bool level);     /* an input pin of a chip */
void bench_step(struct bench *, int64_t ns);
int64_t bench_now(struct bench *);

void bench_out8(struct bench *, uint16_t port, uint8_t value);
void bench_out16(struct bench *, uint16_t port, uint16_t value);
void bench_out32(struct bench *, uint16_t port, uint32_t value);
uint8_t bench_in8(struct bench *, uint16_t port);
uint16_t bench_in16(struct bench *, uint16_t port);
uint32_t bench_in32(struct bench *, uint16_t port);
uint64_t bench_peek(struct bench *, uint64_t address, unsigned size);   /* physical memory */
void bench_poke(struct bench *, uint64_t address, unsigned size, uint64_t value);

#endif
