/* The DREQ/DACK side of a DMA channel, as a card sees it: the board gets it from the 8237 (i8237_channel)
 * and hands it to the card. Bytes move when the card says so; the card keeps the time of its medium. */
#ifndef DEVICES_DMA_H
#define DEVICES_DMA_H
#include <stdbool.h>
#include <stddef.h>

struct dma_channel {
    void *chip; unsigned number;                /* filled by the controller */
    /* The card has bytes for memory, or wants them from it. Moves up to `length` (channels 5-7: an even
     * number) and returns how many; fewer only at terminal count, and 0 when the channel is masked or the
     * controller is off. *tc (may be NULL) is set true when terminal count was reached with the last byte
     * moved, else false. In verify mode nothing is stored and reads give
     * FFh, but addresses and counts go on. */
    size_t (*to_memory)(struct dma_channel *, const void *from, size_t length, bool *tc);
    size_t (*from_memory)(struct dma_channel *, void *to, size_t length, bool *tc);
    bool (*ready)(struct dma_channel *);        /* would a byte move now? */
    void (*request)(struct dma_channel *, bool level);  /* DREQ, for the status register; optional to use */
    /* Filled by the card; may be NULL: the channel was unmasked or programmed anew, and a card that waits
     * may go on. */
    void (*granted)(void *card);
    void *card;
};

/* Channels 0-3 move bytes, 5-7 words; NULL for 4 (the cascade). Valid as long as the machine. */
struct device;
struct dma_channel *i8237_channel(struct device *i8237, unsigned channel);

#endif
