/* A ring of bytes of a fixed power-of-two size, as UARTs and keyboards have. All members may be saved as state. */
#ifndef BASE_FIFO_H
#define BASE_FIFO_H
#include <stdbool.h>
#include <stdint.h>

#define FIFO_SIZE 256
struct fifo { uint8_t bytes[FIFO_SIZE]; uint16_t head, count, limit; };  /* limit: 1..FIFO_SIZE, the chip's depth */

static inline void fifo_clear(struct fifo *f) { f->head = f->count = 0; }
static inline bool fifo_full(const struct fifo *f) { return f->count >= f->limit; }
static inline bool fifo_push(struct fifo *f, uint8_t byte)      /* false: full, byte dropped */
{
    if (fifo_full(f))
        return false;
    f->bytes[(f->head + f->count++) % FIFO_SIZE] = byte;
    return true;
}
static inline uint8_t fifo_peek(const struct fifo *f, unsigned n) { return f->bytes[(f->head + n) % FIFO_SIZE]; }
static inline uint8_t fifo_pop(struct fifo *f)                  /* the caller looked at count */
{
    uint8_t byte = f->bytes[f->head % FIFO_SIZE];
    f->head = (uint16_t)((f->head + 1) % FIFO_SIZE);
    f->count--;
    return byte;
}

#endif
