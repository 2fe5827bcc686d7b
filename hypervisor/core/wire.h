/* An IRQ, A20, SMI, RESET, the speaker gate: all are wires. The receiver saves the level; senders neither save nor
 * re-drive it. */
#ifndef CORE_WIRE_H
#define CORE_WIRE_H
#include <stdbool.h>
#include <stddef.h>

struct device;
struct wire { struct device *to; unsigned pin; };
void wire_set(const struct wire *, bool level);         /* calls to->class->input; does nothing when unconnected */
static inline void wire_pulse(const struct wire *w) { wire_set(w, true); wire_set(w, false); }

/* A device's outputs are named wires inside its struct; count > 1 makes an array "irq0".."irqN-1". */
struct pin { const char *name; size_t offset; unsigned count; };
#define PIN(T, m) { #m, offsetof(T, m) + 0 * sizeof(((T *)0)->m.pin), 1 }
#define PIN_ARRAY(T, m) { #m, offsetof(T, m) + 0 * sizeof(((T *)0)->m[0].pin), sizeof(((T *)0)->m) / sizeof(((T *)0)->m[0]) }

#endif
