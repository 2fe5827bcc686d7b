/* The I/O APIC. Input pins 0-23 are INTIN0-23; outputs "ack0".."ack23" pulse when a message for that pin
 * was sent. Messages are writes to FEE00000h in the format of MSI: address bits 12-19 destination, 3
 * redirection hint (lowest priority), 2 logical; data bits 0-7 vector, 8-10 delivery mode, 14 assert, 15
 * level. */
#ifndef DEVICES_I82093AA_H
#define DEVICES_I82093AA_H
#include <stdint.h>
struct device;

void i82093aa_eoi(struct device *, uint8_t vector);     /* a local APIC ended a level interrupt */

#endif
