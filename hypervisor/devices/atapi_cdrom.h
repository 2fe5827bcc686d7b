/* The CD-ROM drive's door, for the board. */
#ifndef DEVICES_ATAPI_CDROM_H
#define DEVICES_ATAPI_CDROM_H
#include <stdbool.h>
struct device;

bool atapi_cdrom_locked(const struct device *); /* has the guest locked it? false for any other device */

#endif
