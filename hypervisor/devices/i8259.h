/* The interrupt controller's bus side. Input pins 0-7 are IR0-IR7; outputs "int" (to a CPU's INTR or a
 * master's IR) and "ack0" (pulses when IR0 is acknowledged: to I8254_ACK0). */
#ifndef DEVICES_I8259_H
#define DEVICES_I8259_H
struct device;

/* The CPU's interrupt acknowledge cycle on the master: returns the vector, 0-255. */
int i8259_acknowledge(struct device *master);
/* The CAS0-2 lines: the slave answers for the master's input that its ICW3 names. Once, after both were
 * added. */
void i8259_cascade(struct device *master, struct device *slave);

#endif
