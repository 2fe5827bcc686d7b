/* The table of all device classes, made from devices.def. */
#include "core/device.h"
#include <string.h>

#define DEVICE(name) extern const struct device_class name##_class;
#include "devices/devices.def"
#undef DEVICE

const struct device_class *const device_classes[] = {
#define DEVICE(name) &name##_class,
#include "devices/devices.def"
#undef DEVICE
    NULL
};

const struct device_class *device_class_find(const char *name)
{
    for (const struct device_class *const *c = device_classes; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}
