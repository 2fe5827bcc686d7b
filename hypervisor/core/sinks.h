/* Where the machine's pictures, sounds, bytes and keys come from and go to. The console owns the far ends. */
#ifndef CORE_SINKS_H
#define CORE_SINKS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct machine;
struct rect { uint16_t x, y, w, h; };
typedef void draw_fn(void *ui, const uint32_t *xrgb, unsigned stride, struct rect);     /* stride in pixels */
/* What a display chip offers. All are called under the machine lock. */
struct display {
    void *chip;
    void (*size)(void *chip, unsigned *width, unsigned *height);        /* of the picture now, in pixels; 0 x 0: blank */
    void (*refresh)(void *chip, bool whole, draw_fn *draw, void *ui);   /* draws what changed (or all) */
    /* The text screen as UTF-8-able code page 437 cells: row-major, columns x rows; NULL rows: not in a text mode. */
    bool (*text)(void *chip, unsigned *columns, unsigned *rows, uint8_t *cells, size_t size);
    struct rect (*aspect)(void *chip);                                  /* w:h of the tube's picture (4:3), for scaling */
};

/* Bytes both ways with back-pressure. The backend (console) fills `ops`; the chip fills `chip`. Under the machine lock. */
struct stream_end {
    void *backend;
    size_t (*write)(void *backend, const uint8_t *bytes, size_t length);        /* chip -> host; returns how many it took */
    void (*modem)(void *backend, unsigned lines);                               /* chip drives MODEM_DTR, MODEM_RTS */
    void (*settings)(void *backend, unsigned baud, unsigned data, char parity, unsigned stop, bool line_break);
    void (*close)(void *backend);                                               /* the chip goes; may be NULL */
    void *chip;
    size_t (*room)(void *chip);                                                 /* how many bytes the chip can take now */
    void (*receive)(void *chip, const uint8_t *bytes, size_t length);           /* host -> chip; at most room() */
    void (*receive_bad)(void *chip, uint8_t byte, unsigned errors);             /* one byte, with LINE_PARITY ... */
    void (*modem_in)(void *chip, unsigned lines);                               /* MODEM_CTS ... seen by the chip */
    void (*drained)(void *chip);                                                /* the backend takes bytes again */
};
enum { MODEM_DTR = 1, MODEM_RTS = 2, MODEM_CTS = 4, MODEM_DSR = 8, MODEM_RI = 16, MODEM_DCD = 32 };
enum { LINE_PARITY = 4, LINE_FRAMING = 8, LINE_BREAK = 16 };

/* What is at a parallel port: a printer, which takes bytes while the chip plays its part of the handshake (write), or a cable
 * whose lines the guest drives and reads itself (lines). The lines are those of the chip's registers. Under the machine lock. */
struct parallel_end {
    void *backend;
    size_t (*write)(void *backend, const uint8_t *bytes, size_t length);        /* NULL: a cable; returns how many it took */
    void (*initialise)(void *backend);                                          /* a printer: nInit was pulsed; may be NULL */
    uint8_t (*status)(void *backend);                                           /* status register, bits 3 to 7 */
    void (*lines)(void *backend, uint8_t data, uint8_t control);                /* a cable: what the chip drives now */
    uint8_t (*data)(void *backend);                                             /* a cable: the data lines */
    bool (*epp)(void *backend, bool address, bool read, uint8_t *byte);         /* a cable: one EPP cycle; false: timed out */
    void (*close)(void *backend);                                               /* the chip goes; may be NULL */
    void *chip;
    void (*acknowledge)(void *chip);                                            /* a cable: nAck has risen */
    void (*drained)(void *chip);                                                /* the printer takes bytes again */
};
enum { PARALLEL_ERROR = 8, PARALLEL_SELECT = 16, PARALLEL_PAPER_END = 32, PARALLEL_ACK = 64, PARALLEL_READY = 128,
       PARALLEL_IDLE = PARALLEL_READY | PARALLEL_ACK | PARALLEL_SELECT | PARALLEL_ERROR };
enum { PARALLEL_STROBE = 1, PARALLEL_AUTOFD = 2, PARALLEL_INIT = 4, PARALLEL_SELIN = 8, PARALLEL_REVERSE = 32 };

struct keyboard {
    void *chip;
    void (*key)(void *chip, uint16_t usage, bool down);                         /* USB usage ids, page 07h */
    bool (*waiting)(void *chip);                                                /* codes to be read; may be NULL */
};
struct pointer {
    void *chip;
    void (*move)(void *chip, int dx, int dy, int dz, unsigned buttons);                 /* buttons: 1 left, 2 right, 4 middle */
    void (*at)(void *chip, uint16_t x, uint16_t y, int dz, unsigned buttons);           /* NULL: relative only, now */
    bool (*waiting)(void *chip);                                                        /* buttons to report; may be NULL */
};

struct host {                                   /* what the console gives the machine; any member may be NULL */
    void *ui;
    void (*display_added)(void *ui, struct display *);      /* the console pulls, at its own rate */
    void (*audio)(void *ui, const int16_t *stereo, size_t frames, unsigned rate);
    void (*activity)(void *ui, const char *device, bool busy);
    void (*notice)(void *ui, const char *text);             /* one sentence for the user */
    /* Asked once a port at creation: its number from 0, and the property `to`, which may be empty. NULL: nothing plugged in, or,
     * when err->code is set, what is asked for cannot be. */
    struct stream_end *(*serial)(void *ui, struct machine *, unsigned port, const char *to, struct error *);
    struct parallel_end *(*parallel)(void *ui, struct machine *, unsigned port, const char *to, struct error *);
    /* The host's clipboard as UTF-8: text NULL asks for it (free the result; may be NULL), else it is set (NULL comes back). */
    char *(*clipboard)(void *ui, const char *text);
    void (*debug)(void *ui, uint16_t port, uint8_t byte);   /* port 402h and --debug-port */
};

#endif
