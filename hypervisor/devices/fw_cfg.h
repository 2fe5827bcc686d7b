/* What a board tells the firmware. Bytes are copied; call before the machine runs. A name or selector that
 * exists is replaced. */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H
#include <stddef.h>
#include <stdint.h>
struct device;

/* name: at most 55 characters */
void fw_cfg_add_file(struct device *, const char *name, const void *bytes, size_t length);
void fw_cfg_add_bytes(struct device *, uint16_t selector, const void *bytes, size_t length);
void fw_cfg_add_u16(struct device *, uint16_t selector, uint16_t value);
void fw_cfg_add_u32(struct device *, uint16_t selector, uint32_t value);
void fw_cfg_add_u64(struct device *, uint16_t selector, uint64_t value);

#endif
