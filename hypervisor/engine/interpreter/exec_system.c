/* Control, debug and test registers, descriptor-table registers, MSRs, CPUID, HLT, caches.
 *
 * References: [SDM2]; [SDM3A] 2.5 (control registers), [SDM3B] 17.2 (debug registers); [386] 12, [486] 10 (test registers).
 * Not modelled: what the 386's and 486's test registers do to TLB and cache; they are storage. */
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/interpreter.h"

static bool big(const struct insn *i) { return i->flags & INSN_OPERAND32; }

static void need_supervisor(struct cpu *c)
{
    if (c->cpl)
        cpu_raise(c, EXC_GP);
}

/* --- control registers ---------------------------------------------------------------------------------------- */
static void check_control(struct cpu *c, unsigned n)
{
    if (n == 1 || n > 4 || (n == 4 && !c->cr4_allowed))
        cpu_raise(c, EXC_UD);
    need_supervisor(c);
}

void exec_MOV_FROM_CR(struct cpu *c, const struct insn *i)
{
    const uint32_t value[] = { c->cr0, 0, c->cr2, c->cr3, c->cr4 };
    check_control(c, i->reg);
    c->gpr[i->rm] = value[i->reg];
    c->eip = insn_next(c, i);
    CHAIN(c);
}

void exec_MOV_TO_CR(struct cpu *c, const struct insn *i)
{
    uint32_t value = c->gpr[i->rm];
    check_control(c, i->reg);
    switch (i->reg) {
    case 0: control_write_cr0(c, value); break;
    case 2: c->cr2 = value; break;
    case 3: control_write_cr3(c, value); break;
    default: control_write_cr4(c, value); break;
    }
    c->eip = insn_next(c, i);
}

/* PE can be set but not cleared. */
void exec_LMSW(struct cpu *c, const struct insn *i)
{
    need_supervisor(c);
    uint32_t value = rm_read16(c, i);
    control_write_cr0(c, (c->cr0 & ~0xeu) | (value & 0xf));
    c->eip = insn_next(c, i);
}

void exec_CLTS(struct cpu *c, const struct insn *i)
{
    need_supervisor(c);
    c->cr0 &= ~(uint32_t)CR0_TS;
    c->eip = insn_next(c, i);
    CHAIN(c);
}

/* --- debug and test registers --------------------------------------------------------------------------------- */
/* DR4 and DR5 are the other names of DR6 and DR7, unless CR4.DE says #UD. */
static unsigned debug_register(struct cpu *c, unsigned n)
{
    if (n == 4 || n == 5) {
        if (c->cr4 & CR4_DE)
            cpu_raise(c, EXC_UD);
        n += 2;
    }
    need_supervisor(c);
    if (c->dr[7] & DR7_GD) {
        c->dr[6] |= DR6_BD;
        cpu_raise(c, EXC_DB);
    }
    return n;
}

void exec_MOV_FROM_DR(struct cpu *c, const struct insn *i)
{
    unsigned n = debug_register(c, i->reg);
    c->gpr[i->rm] = c->dr[n];
    c->eip = insn_next(c, i);
}

void exec_MOV_TO_DR(struct cpu *c, const struct insn *i)
{
    enum { DR6_WRITABLE = 0xe00f };
    unsigned n = debug_register(c, i->reg);
    uint32_t value = c->gpr[i->rm];
    if (n == 6)
        value = (value & DR6_WRITABLE) | (uint32_t)DR6_FIXED;
    else if (n == 7)
        value = (value & 0xffff23ff) | DR7_FIXED;
    if (n != 6 && c->dr[n] != value)            /* pages with and without data breakpoints */
        mmu_flush(c, true);
    c->dr[n] = value;
    c->eip = insn_next(c, i);
}

static void check_test_register(struct cpu *c, unsigned n)
{
    unsigned first = cpu_has(c, HAS_486) ? 3 : 6;
    if ((cpu_signature(c) >> 8 & 15) > 4 || n < first)
        cpu_raise(c, EXC_UD);
    need_supervisor(c);
}

void exec_MOV_FROM_TR(struct cpu *c, const struct insn *i)
{
    check_test_register(c, i->reg);
    c->gpr[i->rm] = c->tr386[i->reg];
    c->eip = insn_next(c, i);
}

void exec_MOV_TO_TR(struct cpu *c, const struct insn *i)
{
    check_test_register(c, i->reg);
    c->tr386[i->reg] = c->gpr[i->rm];
    c->eip = insn_next(c, i);
}

/* --- descriptor tables ---------------------------------------------------------------------------------------- */
/* All 32 bits of the base are stored with either operand size, as chips do. */
static void store_table(struct cpu *c, const struct insn *i, const struct table_register *t)
{
    uint8_t bytes[6];
    uint32_t linear = segment_check(c, i->seg, insn_offset(c, i), 6, true);
    le16_put(bytes, t->limit);
    le32_put(bytes + 2, t->base);
    mmu_write_bytes(c, linear, bytes, 6);
}

static void load_table(struct cpu *c, const struct insn *i, struct table_register *t)
{
    uint8_t bytes[6];
    need_supervisor(c);
    uint32_t linear = segment_check(c, i->seg, insn_offset(c, i), 6, false);
    mmu_read_bytes(c, linear, bytes, 6);
    t->limit = le16_get(bytes);
    t->base = le32_get(bytes + 2) & (big(i) ? 0xffffffff : 0xffffff);
    c->eip = insn_next(c, i);
}

void exec_SGDT(struct cpu *c, const struct insn *i)
{
    store_table(c, i, &c->gdtr);
    NEXT(c, i);
}

void exec_SIDT(struct cpu *c, const struct insn *i)
{
    store_table(c, i, &c->idtr);
    NEXT(c, i);
}

void exec_LGDT(struct cpu *c, const struct insn *i) { load_table(c, i, &c->gdtr); }
void exec_LIDT(struct cpu *c, const struct insn *i) { load_table(c, i, &c->idtr); }

/* --- TLB and caches ------------------------------------------------------------------------------------------- */
void exec_INVLPG(struct cpu *c, const struct insn *i)
{
    need_supervisor(c);
    mmu_flush_page(c, c->seg[i->seg].base + insn_offset(c, i));
    c->eip = insn_next(c, i);
}

void exec_INVD(struct cpu *c, const struct insn *i)
{
    need_supervisor(c);
    c->eip = insn_next(c, i);
}

void exec_WBINVD(struct cpu *c, const struct insn *i) { exec_INVD(c, i); }

/* --- MSRs, counters, identity --------------------------------------------------------------------------------- */
void exec_RDMSR(struct cpu *c, const struct insn *i)
{
    {
        uint64_t value;
        need_supervisor(c);
        exec_sync(c);
        if (!cpu_msr_read(c, c->gpr[ECX], &value))
            cpu_raise(c, EXC_GP);
        c->gpr[EAX] = (uint32_t)value;
        c->gpr[EDX] = (uint32_t)(value >> 32);
    }
    NEXT(c, i);
}

void exec_WRMSR(struct cpu *c, const struct insn *i)
{
    need_supervisor(c);
    exec_sync(c);
    if (!cpu_msr_write(c, c->gpr[ECX], (uint64_t)c->gpr[EDX] << 32 | c->gpr[EAX]))
        cpu_raise(c, EXC_GP);
    c->eip = insn_next(c, i);
}

void exec_RDTSC(struct cpu *c, const struct insn *i)
{
    if (c->cr4 & CR4_TSD && c->cpl)
        cpu_raise(c, EXC_GP);
    exec_sync(c);
    uint64_t value = cpu_tsc(c);
    c->gpr[EAX] = (uint32_t)value;
    c->gpr[EDX] = (uint32_t)(value >> 32);
    NEXT(c, i);
}

/* Two counters, which never count. */
void exec_RDPMC(struct cpu *c, const struct insn *i)
{
    if ((c->cpl && !(c->cr4 & CR4_PCE)) || c->gpr[ECX] > 1)
        cpu_raise(c, EXC_GP);
    c->gpr[EAX] = c->gpr[EDX] = 0;
    NEXT(c, i);
}

void exec_CPUID(struct cpu *c, const struct insn *i)
{
    {
        uint32_t out[4];
        cpu_cpuid(c, c->gpr[EAX], out);
        c->gpr[EAX] = out[0];
        c->gpr[EBX] = out[1];
        c->gpr[ECX] = out[2];
        c->gpr[EDX] = out[3];
    }
    NEXT(c, i);
}

void exec_HLT(struct cpu *c, const struct insn *i)
{
    need_supervisor(c);
    c->exits_hlt++;
    c->halted = true;
    c->eip = insn_next(c, i);
}
