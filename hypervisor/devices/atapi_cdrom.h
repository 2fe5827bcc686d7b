/* The CD-ROM drive's door, for the board. */
#ifndef DEVICES_ATAPI_CDROM_H
#define DEVICES_ATAPI_CDROM_H
#include <stdbool.h>
struct device;
struct device_class;

extern const struct device_class atapi_cdrom_class;

bool atapi_cdrom_locked(const struct device *); /* has the guest locked it? false for any other device */

#endif
