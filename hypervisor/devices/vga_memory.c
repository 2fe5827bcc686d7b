/* The VGA's memory path: what a CPU access to A0000h-BFFFFh does to four planes.
 *
 *     address --+-- chain-4: plane = A1..A0, offset = A with A1..A0 = 0
 *               +-- odd/even: plane bit 0 = A0, offset = A with A0 replaced by the page bit
 *               +-- else: planes by the map mask, offset = A
 *     data ---- rotate -- set/reset -- logic with the latches -- bit mask -- map mask -- planes
 *
 * The four planes' bytes of one offset are one 32-bit word here, so that each step is one operation on a word. The three
 * selections are independent bits, as in the chips: the sequencer's memory mode steers writes, the graphics mode reads, and
 * the miscellaneous register the address.
 *
 * References: [VGA-TRM] Video subsystem, sequencer and graphics controller; [FREEVGA] memory access.
 * Not modelled: the shift of work between CPU and display (wait states).
 */
#include "devices/vga.h"
#include <assert.h>

/* A nibble's bits, each spread over a byte: bit n of the index to byte n. */
static const uint32_t spread[16] = {
    0x00000000, 0x000000ff, 0x0000ff00, 0x0000ffff, 0x00ff0000, 0x00ff00ff, 0x00ffff00, 0x00ffffff,
    0xff000000, 0xff0000ff, 0xff00ff00, 0xff00ffff, 0xffff0000, 0xffff00ff, 0xffffff00, 0xffffffff,
};

static uint32_t four(uint8_t byte) { return byte * 0x01010101u; }

/* The logical unit works on CPU data and latch, bit by bit [VGA-TRM, Data Rotate register] */
static uint32_t logic(const struct vga *v, uint32_t data)
{
    switch (v->graphics[GR_ROTATE] >> 3 & 3) {
    case 1: return data & v->latch;
    case 2: return data | v->latch;
    case 3: return data ^ v->latch;
    default: return data;
    }
}

static uint8_t rotate(const struct vga *v, uint8_t byte)
{
    unsigned count = v->graphics[GR_ROTATE] & 7;
    return (uint8_t)(byte >> count | byte << (8 - count));
}

/* What the four planes' byte becomes, before the map mask [VGA-TRM, Graphics Mode register, write modes 0-3]
 */
static uint32_t write_data(const struct vga *v, uint8_t byte)
{
    uint32_t mask = v->bit_mask, data;
    switch (v->graphics[GR_MODE] & GR_MODE_WRITE) {
    case 0:
        data = four(rotate(v, byte));
        data = (data & ~v->enable_set_reset) | (v->set_reset & v->enable_set_reset);
        break;
    case 1: return v->latch;
    case 2: data = spread[byte & 15]; break;
    default:
        mask &= four(rotate(v, byte));
        data = v->set_reset;
    }
    return (logic(v, data) & mask) | (v->latch & ~mask);
}

static void store(struct vga *v, uint32_t offset, uint32_t data, uint32_t planes)
{
    uint32_t old = v->words[offset], now = (old & ~planes) | (data & planes);
    if (old == now)
        return;
    v->words[offset] = now;
    v->dirty[offset >> (VGA_DIRTY_SHIFT - 2)] = 1;
    v->touched = true;
    if ((old ^ now) & 0x00ff0000)               /* plane 2 has the fonts */
        v->fonts_changed = true;
}

/* In the odd/even map A0 is replaced by A16 in the 128 KiB window, else by the page bit, which is 1 for the
 * lower page of the pair [VGA-TRM, Miscellaneous Output, Miscellaneous register of the graphics controller]
 */
static uint32_t plane_offset(const struct vga *v, uint32_t address)
{
    if (v->sequencer[SR_MEMORY_MODE] & SR_MEMORY_CHAIN4)
        address &= ~3u;
    else if (v->graphics[GR_MISC] & GR_MISC_ODD_EVEN) {
        bool high = v->graphics[GR_MISC] & 0x0c ? !(v->misc & MISC_PAGE) : address >> 16 & 1;
        address = (address & ~1u) | high;
    }
    return (address + v->bank) & v->plane_limit;
}

static void write_byte(struct vga *v, uint32_t address, uint8_t byte)
{
    uint32_t planes = v->map_mask;
    if (v->sequencer[SR_MEMORY_MODE] & SR_MEMORY_CHAIN4)
        planes &= 0xffu << 8 * (address & 3);
    else if (!(v->sequencer[SR_MEMORY_MODE] & SR_MEMORY_SEQUENTIAL))
        planes &= address & 1 ? 0xff00ff00 : 0x00ff00ff;
    store(v, plane_offset(v, address), write_data(v, byte), planes);
}

static uint8_t read_byte(struct vga *v, uint32_t address)
{
    v->latch = v->words[plane_offset(v, address)];
    if (v->graphics[GR_MODE] & GR_MODE_READ) {  /* 1 where all planes that count equal the compare colour */
        uint32_t differ = (v->latch ^ v->compare) & v->care;
        return (uint8_t)~(differ | differ >> 8 | differ >> 16 | differ >> 24);
    }
    unsigned plane = v->graphics[GR_READ_MAP] & 3;
    if (v->sequencer[SR_MEMORY_MODE] & SR_MEMORY_CHAIN4)
        plane = address & 3;
    else if (v->graphics[GR_MODE] & GR_MODE_ODD_EVEN)
        plane = (plane & 2) | (address & 1);
    return (uint8_t)(v->latch >> 8 * plane);
}

/* With packed pixels of the Bochs interface the window shows the memory as it is, 64 KiB at a time. */
static bool packed(const struct vga *v) { return vga_vbe_on(v) && v->vbe[VBE_BPP] != 4; }

static uint64_t memory_read(void *chip, uint64_t offset, unsigned size)
{
    struct vga *v = chip;
    uint32_t address = (uint32_t)offset;
    uint64_t value = 0;
    if (packed(v)) {
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)v->memory.bytes[(v->bank + address + i) & (v->memory.length - 1)] << 8 * i;
        return value;
    }
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_byte(v, address + i) << 8 * i;
    return value;
}

static void memory_write(void *chip, uint64_t offset, unsigned size, uint64_t value)
{
    struct vga *v = chip;
    uint32_t address = (uint32_t)offset;
    if (packed(v)) {
        for (unsigned i = 0; i < size; i++) {
            uint64_t at = (v->bank + address + i) & (v->memory.length - 1);
            v->memory.bytes[at] = (uint8_t)(value >> 8 * i);
            v->dirty[at >> VGA_DIRTY_SHIFT] = 1;
        }
        v->touched = true;
        return;
    }
    for (unsigned i = 0; i < size; i++)
        write_byte(v, address + i, (uint8_t)(value >> 8 * i));
}

const struct io_ops vga_memory_ops = { memory_read, memory_write, IO_8 | IO_16 | IO_32 };

void vga_memory_update(struct vga *v)
{
    static const struct { uint32_t base, size; } maps[4] =
        { { 0xa0000, 0x20000 }, { 0xa0000, 0x10000 }, { 0xb0000, 0x8000 }, { 0xb8000, 0x8000 } };
    unsigned map = v->graphics[GR_MISC] >> 2 & 3;
    v->map_mask = spread[v->sequencer[SR_MAP_MASK] & 15];
    v->set_reset = spread[v->graphics[GR_SET_RESET] & 15];
    v->enable_set_reset = spread[v->graphics[GR_ENABLE_SET_RESET] & 15];
    v->bit_mask = four(v->graphics[GR_BIT_MASK]);
    v->compare = spread[v->graphics[GR_COMPARE] & 15];
    v->care = spread[v->graphics[GR_DONT_CARE] & 15];
    v->bank = 0;
    if (vga_vbe_on(v)) {
        v->plane_limit = (uint32_t)(v->memory.length / 4 - 1);
        v->bank = (uint32_t)v->vbe[VBE_BANK] << 16;
    } else                                      /* without extended memory there are 16 KiB a plane */
        v->plane_limit = v->sequencer[SR_MEMORY_MODE] & SR_MEMORY_EXTENDED ? VGA_PLANE_SIZE - 1 : 0x3fff;
    assert(v->plane_limit < v->memory.length / 4);
    if (region_base(v->window) != maps[map].base)
        region_move(v->window, maps[map].base);
    region_resize(v->window, maps[map].size);
    region_enable(v->window, (v->misc & MISC_RAM) && (v->enable & 1));
}
