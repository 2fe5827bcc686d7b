/* What a chip is to the machine: a class (tables and functions) and an instance (a struct that starts with this one). */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H
#include "base/bits.h"
#include "base/error.h"
#include "base/log.h"
#include "base/property.h"
#include "core/clock.h"
#include "core/space.h"
#include "core/state.h"
#include "core/wire.h"

/* POWER: all state. HARD: the RESET line (CF9h). SOFT: INIT, of a CPU alone. */
enum reset_kind { RESET_POWER, RESET_HARD, RESET_SOFT };
struct machine;
struct block;
struct device { const struct device_class *class; struct machine *machine; const char *id; struct device *next; };
struct device_class {
    const char *name, *summary; size_t size;
    const struct property *properties; const struct pin *outputs;
    const struct state_field *state; unsigned state_version;
    bool (*init)(struct device *, struct error *);      /* optional: map, register, allocate; sets no guest-visible value */
    void (*reset)(struct device *, enum reset_kind);    /* what the datasheet says reset sets, and no other */
    bool (*restored)(struct device *);                  /* optional: all state was loaded; rebuild what is derived. false: it cannot be so */
    void (*input)(struct device *, unsigned pin, bool level);             /* optional: a wire into this chip moved */
    void (*free)(struct device *);                                        /* optional */
    bool (*media)(struct device *, unsigned drive, struct block *, struct error *);  /* optional: a medium (NULL: none) was put in */
    size_t net;                                 /* of a network card: where its struct net_port is (net/net.h) */
};

/* All classes, from devices.def; closed by NULL. */
extern const struct device_class *const device_classes[];
const struct device_class *device_class_find(const char *name);

#define log_device(dev, level, ...) log_line(level, (dev)->class->name, __VA_ARGS__)

#endif
