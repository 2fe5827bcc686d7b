/* The serial EEPROM beside a network card's chip: 64 words behind three wires. References: [93C46] Instruction set.
 * Not modelled: writing and erasing. */
#ifndef DEVICES_NM93C46_H
#define DEVICES_NM93C46_H
#include "core/state.h"

enum { NM93C46_WORDS = 64, NM93C46_COMMAND = 8, NM93C46_READ = 2 };     /* two bits of opcode, six of address */
struct nm93c46 {
    const uint16_t *words;                      /* the card's; not saved */
    bool select, clock, out, started;           /* the pins CS, SK, DO; the start bit has come */
    uint8_t bits, command; uint16_t data;       /* bits since then; what they say; the word that goes out */
};
#define NM93C46_STATE(T, m) FIELD(T, m.select), FIELD(T, m.clock), FIELD(T, m.out), FIELD(T, m.started), FIELD(T, m.bits), \
    FIELD(T, m.command), FIELD(T, m.data)

static inline void nm93c46_pins(struct nm93c46 *e, bool select, bool clock, bool in)
{
    bool rises = clock && !e->clock;
    e->clock = clock;
    if (!select || !e->select) {
        e->select = select;
        e->started = false;
        e->out = true;
        return;
    }
    if (!rises)
        return;
    if (!e->started) {
        e->started = in;
        e->bits = e->command = 0;
    } else if (e->bits < NM93C46_COMMAND) {
        e->command = (uint8_t)(e->command << 1 | in);
        if (++e->bits == NM93C46_COMMAND && e->command >> 6 == NM93C46_READ) {
            e->data = e->words[e->command & 63];
            e->out = false;                     /* a 0 goes before the word */
        }
    } else if (e->command >> 6 == NM93C46_READ) {
        e->out = e->data >> 15;
        e->data = (uint16_t)(e->data << 1);
        if (++e->bits == NM93C46_COMMAND + 16) {        /* the next word follows */
            e->command = (uint8_t)((e->command & 0xc0) | ((e->command + 1) & 63));
            e->data = e->words[e->command & 63];
            e->bits = NM93C46_COMMAND;
        }
    }
}
#endif
