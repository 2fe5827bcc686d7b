/* System control port B. Outputs "gate2" (to I8254_GATE2), "speaker" (to SPEAKER_IN) and "nmi". */
#ifndef DEVICES_PORT61_H
#define DEVICES_PORT61_H
#include <stdbool.h>
struct device;

enum port61_pin { PORT61_OUT2,                  /* the timer's OUT2: gated to the speaker */
                  PORT61_IOCHK, PORT61_SERR,    /* the two sources of NMI */
                  PORT61_NMI_OFF };             /* bit 7 of port 70h, an output of the MC146818 */
enum speaker_pin { SPEAKER_IN };                /* the speaker has this one */

/* How a read of bit 5 sees OUT2 exactly: the board hands in i8254_out2 and its chip. Without it the wire's
 * level is shown. */
void port61_connect(struct device *port61, bool (*out2)(void *chip), void *chip);

#endif
