/* Two CPU benches, one on each engine: the same program on both must leave the same state after the same number of instructions. */
#ifndef TESTS_SUPPORT_PAIR_BENCH_H
#define TESTS_SUPPORT_PAIR_BENCH_H
#include "tests/support/cpu_bench.h"

struct pair { struct cpu_bench *of[2]; bool windows; }; /* interpreter, translator; with windows */
#define PAIR_EACH(p, b) for (struct cpu_bench **each_ = (p)->of, *b = *each_; each_ < (p)->of + 2 && (b = *each_, true); each_++)

struct pair pair_new(const char *model, size_t ram);
void pair_free(struct pair *);
void pair_windows(struct pair *);               /* the translator has a window for each address space from now on */
/* A test, and the same with windows. */
#define PAIR_TEST(suite, name, pair, body) Test(suite, name) { body; } Test(suite, name##_in_windows) { pair_windows(pair); body; }
/* At most n instructions on the translator, then as many as it made on the interpreter. What the translator said. */
enum cpu_exit pair_run(struct pair *, uint64_t n);
/* What differs, "name interpreter/translator" each, in registers of all kinds and memory; empty: nothing. */
const char *pair_difference(const struct pair *, char *text, size_t size);

#endif
