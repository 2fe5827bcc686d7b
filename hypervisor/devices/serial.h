/* What the board plugs into a UART instead of a stream of the host: ns16550a_plug(uart, serial_mouse_end(mouse)). */
#ifndef DEVICES_SERIAL_H
#define DEVICES_SERIAL_H
struct device;
struct stream_end;

void ns16550a_plug(struct device *uart, struct stream_end *);
struct stream_end *serial_mouse_end(struct device *mouse);

#endif
