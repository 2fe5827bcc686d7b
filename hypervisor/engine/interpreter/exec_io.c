/* IN, OUT, INS, OUTS, and the way to the port space. I/O ends its block: it may have changed pins, memory or time.
 * References: [SDM1] 18.5 (protection), [SDM2] IN, OUT, INS, OUTS; [SDM3B] 17.2.4 (I/O breakpoints). */
#include "core/machine.h"
#include "engine/interpreter/handlers.h"

/* --- the port space ------------------------------------------------------------------------------------------- */
static void port_prepare(struct cpu *c, uint16_t port, unsigned size)
{
    exec_sync(c);
    c->eip = insn_eip(c, c->current);
    c->exits_io++;
    if (unlikely(c->dr[7] & 0xff) && c->cr4 & CR4_DE)
        c->tlb->dr6_hits |= mmu_breakpoints(c, port, size, 1 << 2);
}

uint32_t exec_port_read(struct cpu *c, uint16_t port, unsigned size)
{
    port_prepare(c, port, size);
    machine_lock(c->dev.machine);
    uint32_t v = (uint32_t)space_read(c->dev.machine->ports, port, size);
    machine_unlock(c->dev.machine);
    return v;
}

void exec_port_write(struct cpu *c, uint16_t port, unsigned size, uint32_t value)
{
    port_prepare(c, port, size);
    machine_lock(c->dev.machine);
    space_write(c->dev.machine->ports, port, size, value);
    machine_unlock(c->dev.machine);
}

static inline void permit(struct cpu *c, uint16_t port, unsigned size)
{
    if (cpu_protected(c) && (cpu_v86(c) || c->cpl > cpu_iopl(c)))
        io_check(c, port, size);
}

/* --- IN, OUT -------------------------------------------------------------------------------------------------- */
static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }
#define PORT_IO(bits, in, out, number) \
void in(struct cpu *c, const struct insn *i) \
{ \
    uint16_t port = (uint16_t)(number); \
    permit(c, port, bits / 8); \
    *reg##bits(c, EAX) = (uint##bits##_t)exec_port_read(c, port, bits / 8); \
    c->eip = insn_next(c, i); \
} \
void out(struct cpu *c, const struct insn *i) \
{ \
    uint16_t port = (uint16_t)(number); \
    permit(c, port, bits / 8); \
    exec_port_write(c, port, bits / 8, *reg##bits(c, EAX)); \
    c->eip = insn_next(c, i); \
}
PORT_IO(8, exec_IN_AL_I, exec_OUT_I_AL, i->imm) PORT_IO(8, exec_IN_AL_DX, exec_OUT_DX_AL, c->gpr[EDX])
PORT_IO(16, exec_IN_rAX_Ib_16, exec_OUT_Ib_rAX_16, i->imm) PORT_IO(16, exec_IN_rAX_DX_16, exec_OUT_DX_rAX_16, c->gpr[EDX])
PORT_IO(32, exec_IN_rAX_Ib_32, exec_OUT_Ib_rAX_32, i->imm) PORT_IO(32, exec_IN_rAX_DX_32, exec_OUT_DX_rAX_32, c->gpr[EDX])

/* --- INS, OUTS ------------------------------------------------------------------------------------------------ */
static inline uint32_t masked_add(uint32_t old, uint32_t step, uint32_t mask) { return (old & ~mask) | ((old + step) & mask); }

/* Memory is checked before the port is read, so that nothing is lost to a fault. */
static void input_one(struct cpu *c, const struct insn *i, unsigned size)
{
    uint16_t port = (uint16_t)c->gpr[EDX];
    permit(c, port, size);
    uint32_t linear = segment_check(c, ES, c->gpr[EDI] & i->address_mask, size, true);
    mmu_check_write(c, linear, size);
    mmu_write(c, linear, size, exec_port_read(c, port, size));
    c->gpr[EDI] = masked_add(c->gpr[EDI], c->eflags & FLAG_DF ? -size : size, i->address_mask);
}

static void output_one(struct cpu *c, const struct insn *i, unsigned size)
{
    uint16_t port = (uint16_t)c->gpr[EDX];
    uint32_t offset = c->gpr[ESI] & i->address_mask;
    permit(c, port, size);
    uint32_t v = size == 1 ? mem_read8(c, i->seg, offset) : size == 2 ? mem_read16(c, i->seg, offset) : mem_read32(c, i->seg, offset);
    exec_port_write(c, port, size, v);
    c->gpr[ESI] = masked_add(c->gpr[ESI], c->eflags & FLAG_DF ? -size : size, i->address_mask);
}

static inline void port_string(struct cpu *c, const struct insn *i, unsigned size, void (*one)(struct cpu *, const struct insn *, unsigned))
{
    const struct exec_frame *f = c->engine_data;
    bool repeat = i->flags & (INSN_REP | INSN_REPNE);
    uint32_t mask = i->address_mask;
    while (!repeat || c->gpr[ECX] & mask) {
        one(c, i, size);
        if (!repeat)
            break;
        c->gpr[ECX] = masked_add(c->gpr[ECX], -1u, mask);
        if (!(c->gpr[ECX] & mask))
            break;
        if (f->single || atomic_load_explicit(&c->pending, memory_order_relaxed)) {
            c->instructions -= !f->single;      /* counted when it ends */
            c->eip = insn_eip(c, i);
            return;
        }
    }
    c->eip = insn_next(c, i);
}
#define PORT_STRING(handler, size, one) void handler(struct cpu *c, const struct insn *i) { port_string(c, i, size, one); }
PORT_STRING(exec_INS_B, 1, input_one) PORT_STRING(exec_INS_Yv_DX_16, 2, input_one) PORT_STRING(exec_INS_Yv_DX_32, 4, input_one)
PORT_STRING(exec_OUTS_B, 1, output_one) PORT_STRING(exec_OUTS_DX_Xv_16, 2, output_one) PORT_STRING(exec_OUTS_DX_Xv_32, 4, output_one)
