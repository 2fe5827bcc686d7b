/* CMOS memory from the board's side. A power-on reset clears it: boards fill it in board_reset(RESET_POWER).
 * Outputs "irq" (IRQ8) and "nmi_off" (port 70h bit 7, to PORT61_NMI_OFF). */
#ifndef DEVICES_MC146818_H
#define DEVICES_MC146818_H
#include <stdint.h>
struct device;

void mc146818_poke(struct device *, unsigned index, uint8_t value);    /* index 0Eh-7Fh */
uint8_t mc146818_peek(struct device *, unsigned index);                 /* 00h-7Fh */
void mc146818_checksum(struct device *);        /* 2Eh, 2Fh: the sum of 10h-2Dh, as AT BIOSes check it */

#endif
