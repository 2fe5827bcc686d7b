/* Which engine the tests of the CPU run on: the interpreter, or what HOLDOVER_TEST_ENGINE names. The translator then translates
 * everything at its first execution, and comes within `near` instructions of a run's end before the interpreter goes on. */
#ifndef TESTS_SUPPORT_ENGINE_BENCH_H
#define TESTS_SUPPORT_ENGINE_BENCH_H
#include "engine/engine.h"

bool bench_attach(struct cpu *, unsigned near, struct error *);
void bench_detach(struct cpu *);
void bench_near(struct cpu *, unsigned near);   /* of the translator, attached already */
unsigned bench_mode(const struct cpu *);        /* MODE_* of the code it is in */

#endif
