/* The interval timer's pins. Inputs: the gates (0 and 1 are tied high in a PC) and the acknowledge of
 * channel 0's tick. Outputs "out0", "out1", "out2". */
#ifndef DEVICES_I8254_H
#define DEVICES_I8254_H
#include <stdbool.h>
struct device;

enum i8254_pin { I8254_GATE0, I8254_GATE1, I8254_GATE2, I8254_ACK0 };

/* OUT of a channel at this very moment, exact to the CLK tick, in the form that port61_connect() takes. */
bool i8254_out2(void *i8254);

#endif
