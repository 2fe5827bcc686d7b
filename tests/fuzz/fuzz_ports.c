/* libFuzzer: the input is what a guest does to the ports (UARTs with a plug and a mouse, parallel ports with a printer and a cable, the
 * backdoor with any registers), and what the host's side answers; in the end the state is saved and loaded. */
#include "tests/fuzz/device.h"
#include "devices/serial.h"
#include "devices/vmport.h"

static struct stream_end line;
static struct parallel_end printer, cable;
static size_t some(void *backend, const uint8_t *bytes, size_t length)
{
    (void)backend, (void)bytes;
    return left & 1 ? length : 0;
}
static uint8_t any(void *backend) { (void)backend; return (uint8_t)(left * 37); }
static void lines(void *backend, uint8_t data, uint8_t control) { (void)backend, (void)data, (void)control; }
static bool epp(void *backend, bool address, bool reads, uint8_t *byte)
{
    (void)backend, (void)address, (void)reads;
    *byte = (uint8_t)left;
    return left & 2;
}
static struct stream_end *serial(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui, (void)m, (void)port, (void)err;
    return *to ? &line : NULL;
}
static struct parallel_end *parallel(void *ui, struct machine *m, unsigned port, const char *to, struct error *err)
{
    (void)ui, (void)m, (void)to, (void)err;
    return port ? &cable : &printer;
}
static char *clipboard(void *ui, const char *text) { (void)ui; return text ? NULL : strdup("text of the host"); }
static const struct host host = { .serial = serial, .parallel = parallel, .clipboard = clipboard };
static uint32_t gpr[8];
static void nudge(struct device *d) { (void)d; }

static struct machine *make(void)
{
    struct machine *m = fuzz_bench(&host);
    line = (struct stream_end){ .write = some };
    printer = (struct parallel_end){ .write = some, .status = any };
    cable = (struct parallel_end){ .status = any, .data = any, .lines = lines, .epp = epp };
    fuzz_add(m, "ns16550a", "serial1", "to=line");
    struct device *mouse_port = fuzz_add(m, "ns16550a", "serial2", "iobase=0x2f8,port=1");
    ns16550a_plug(mouse_port, serial_mouse_end(fuzz_add(m, "serial_mouse", "sermouse", left & 4 ? "kind=logitech" : "kind=mousesystems")));
    fuzz_add(m, "pc87332_lpt", "parallel1", NULL);
    fuzz_add(m, "pc87332_lpt", "parallel2", "iobase=0x278,port=1");
    vmport_connect(fuzz_add(m, "vmport", "vmport", "clipboard=on"), gpr, 1000000000, 0, nudge, NULL);
    machine_reset(m, RESET_POWER);
    return m;
}

/* What the other ends do. */
static void far(struct machine *m, uint8_t kind)
{
    uint8_t bytes[64];
    unsigned n = 0, room = (unsigned)line.room(line.chip);
    switch (kind & 7) {
    case 0:
        while (n < room && n < (take(1) & 63))
            bytes[n++] = (uint8_t)take(1);
        line.receive(line.chip, bytes, n);
        break;
    case 1: line.receive_bad(line.chip, (uint8_t)take(1), take(1)); break;
    case 2: line.modem_in(line.chip, take(1)); break;
    case 3: line.drained(line.chip); break;
    case 4: printer.drained(printer.chip); break;
    case 5: cable.acknowledge(cable.chip); break;
    case 6: m->pointer.move(m->pointer.chip, (int)take(2) - 32768, (int)take(2) - 32768, 1, take(1)); break;
    case 7:
        if (m->pointer.at)
            m->pointer.at(m->pointer.chip, (uint16_t)take(2), (uint16_t)take(2), 0, take(1));
    }
}

static void backdoor(struct machine *m, uint8_t kind)
{
    gpr[0] = 0x564d5868;
    gpr[1] = take(1) % 48;
    gpr[3] = kind & 0x40 ? take(4) : kind & 0x20 ? 0x45414552 : kind & 0x10 ? 0x53424152 : take(1) % 6;
    gpr[0] = (uint32_t)space_read(m->ports, 0x5658, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { UART, LPT, VMPORT };
    static const char *const names[] = { "ns16550a", "pc87332_lpt", "vmport" };
    static const uint16_t bases[2][4] = { { 0x3f8, 0x3f8, 0x3f8, 0x2f8 }, { 0x378, 0x778, 0x278, 0x678 } };
    static const uint8_t ends[3][4] = { { 0, 1, 2, 3 }, { 4, 4, 5, 5 }, { 6, 7, 6, 7 } };
    unsigned part = fuzz_pick(names, ARRAY_SIZE(names), data, size);
    struct machine *m = make();
    for (unsigned steps = 0; left && steps < 3000; steps++) {
        uint8_t kind = (uint8_t)take(1);
        switch (kind & 3) {
        case 2: kind & 0x80 ? far(m, part == UART && kind & 0x40 ? 6 : ends[part][kind >> 4 & 3]) : machine_step(m, (int64_t)1 << take(1) % 28); break;
        default:
            if (part == VMPORT) {
                backdoor(m, kind);
                break;
            }
            uint16_t port = (uint16_t)(bases[part][kind >> 2 & 3] + take(1) % 8);
            if (kind & 1)
                space_read(m->ports, port, 1u << (kind >> 6) % 3);
            else
                space_write(m->ports, port, 1u << (kind >> 6) % 3, take(kind & 0x80 ? 4 : 1));
        }
    }
    fuzz_state(m, size);
    machine_free(m);
    return 0;
}
