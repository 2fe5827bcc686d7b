/* The PS/2 bus: two serial ports of the 8042, a keyboard or a mouse on each. A device queues bytes and
 * says so; the controller takes them one by one when its lines are free.
 *
 * Boards: ps2_keyboard_plug(keyboard, i8042_port(kbc, 0)); ps2_mouse_plug(mouse, i8042_port(kbc, 1)).
 * Outputs of the 8042: "irq1", "irq12", "a20", and "reset" (pulses; when the board leaves it open the chip
 * calls machine_cpu_reset itself). */
#ifndef DEVICES_PS2_H
#define DEVICES_PS2_H
#include <stdbool.h>
#include <stdint.h>
struct device;

struct ps2_port {
    void *controller;                           /* filled by the controller */
    void (*ready)(struct ps2_port *);           /* device -> controller: I have something to send */
    void *device;                               /* filled by the device; NULL: nothing plugged in */
    bool (*pending)(void *device);              /* is there a byte to send? */
    uint8_t (*take)(void *device);              /* the byte goes over the line */
    void (*receive)(void *device, uint8_t byte);        /* controller -> device: a command or its parameter */
};

struct ps2_port *i8042_port(struct device *i8042, unsigned port);      /* 0 keyboard, 1 auxiliary */
void ps2_keyboard_plug(struct device *keyboard, struct ps2_port *);
void ps2_mouse_plug(struct device *mouse, struct ps2_port *);
void ps2_mouse_nudge(struct device *mouse);     /* an interrupt, with an empty packet: another device has news of the pointer */

/* Scan code set 2 to set 1, without prefixes and break bits: what the 8042 does when XLATE is on. */
uint8_t ps2_translate(uint8_t set2);

#endif
