/* What the backdoor needs of the board: it is a device whose arguments are the CPU's registers. */
#ifndef DEVICES_VMPORT_H
#define DEVICES_VMPORT_H
#include <stdint.h>
struct device;

/* gpr: EAX ECX EDX EBX ESP EBP ESI EDI of the CPU that executes IN, current then and read back after it. hz: of its time stamp
 * counter. west: minutes that the guest's clock is behind UTC. nudge: makes the mouse interrupt. */
void vmport_connect(struct device *vmport, uint32_t *gpr, uint64_t hz, int west, void (*nudge)(struct device *mouse),
                    struct device *mouse);

#endif
