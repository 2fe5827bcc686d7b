/* Small arithmetic that every room needs: bit fields, alignment, little- and big-endian access to bytes. */
#ifndef BASE_BITS_H
#define BASE_BITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1u << (n))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define container_of(p, T, m) ((T *)((char *)(p) - offsetof(T, m)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static inline uint64_t align_down(uint64_t v, uint64_t power) { return v & ~(power - 1); }
static inline uint64_t align_up(uint64_t v, uint64_t power) { return (v + power - 1) & ~(power - 1); }
static inline bool is_power_of_two(uint64_t v) { return v && !(v & (v - 1)); }
/* Bits [low, low+count) of v; count 1..63. */
static inline uint64_t bits_get(uint64_t v, unsigned low, unsigned count) { return (v >> low) & ((1ull << count) - 1); }
/* Is any byte of [bytes, bytes+length) not zero? */
static inline bool any_nonzero(const void *bytes, size_t length)
{
    const char *b = bytes;
    return length && (b[0] || memcmp(b, b + 1, length - 1));
}

static inline uint16_t le16_get(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t le32_get(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t le64_get(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void le16_put(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void le32_put(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void le64_put(void *p, uint64_t v) { memcpy(p, &v, 8); }
static inline uint16_t be16_get(const void *p) { return __builtin_bswap16(le16_get(p)); }
static inline uint32_t be32_get(const void *p) { return __builtin_bswap32(le32_get(p)); }
static inline uint64_t be64_get(const void *p) { return __builtin_bswap64(le64_get(p)); }
static inline void be16_put(void *p, uint16_t v) { le16_put(p, __builtin_bswap16(v)); }
static inline void be32_put(void *p, uint32_t v) { le32_put(p, __builtin_bswap32(v)); }
static inline void be64_put(void *p, uint64_t v) { le64_put(p, __builtin_bswap64(v)); }

#endif
