/* Random numbers of tests: the same sequence from the same seed on every host. */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H
#include <stdint.h>

static uint64_t state;                          /* the seed, not 0 */
static inline uint32_t draw(void)               /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * 0x2545f4914f6cdd1d >> 32);
}
static inline uint32_t draw_of(uint32_t n) { return draw() % n; }

#endif
