/* Starting a kernel without a boot loader. */
#ifndef BOARDS_DIRECT_BOOT_H
#define BOARDS_DIRECT_BOOT_H
#include "core/machine.h"

/* Adds the option ROM and the blobs to the device "fw_cfg", before the machine runs; initrd and append may be NULL. The files
 * are read now. false and a sentence: not a kernel, cut short, or larger than the guest's memory. */
bool board_direct_boot(struct machine *, const char *kernel, const char *initrd, const char *append, struct error *);

#endif
