/* Far transfers, software interrupts, fast system calls. The work is in x86/transfer.c and x86/exception.c.
 *
 * References: [SDM2] CALL, JMP, RET, INT n, IRET, SYSENTER, SYSEXIT, BOUND; [SDM3B] 20.3 (INT n under VME). */
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/interpreter.h"

static bool big(const struct insn *i) { return i->flags & INSN_OPERAND32; }

/* m16:16 or m16:32: offset, then selector. */
static uint32_t far_pointer(struct cpu *c, const struct insn *i, uint16_t *selector)
{
    uint32_t at = insn_offset(c, i);
    uint32_t offset = big(i) ? mem_read32(c, i->seg, at) : mem_read16(c, i->seg, at);
    *selector = mem_read16(c, i->seg, (at + (big(i) ? 4 : 2)) & i->address_mask);
    return offset;
}

void exec_CALL_FAR(struct cpu *c, const struct insn *i)
{
    far_call(c, (uint16_t)i->disp, i->imm, big(i), insn_next(c, i));
}

void exec_JMP_FAR(struct cpu *c, const struct insn *i)
{
    far_jump(c, (uint16_t)i->disp, i->imm, big(i), insn_next(c, i));
}

void exec_CALL_FAR_M(struct cpu *c, const struct insn *i)
{
    uint16_t selector;
    uint32_t offset = far_pointer(c, i, &selector);
    far_call(c, selector, offset, big(i), insn_next(c, i));
}

void exec_JMP_FAR_M(struct cpu *c, const struct insn *i)
{
    uint16_t selector;
    uint32_t offset = far_pointer(c, i, &selector);
    far_jump(c, selector, offset, big(i), insn_next(c, i));
}

void exec_RETF(struct cpu *c, const struct insn *i) { far_return(c, big(i), (uint16_t)i->imm); }

void exec_IRET(struct cpu *c, const struct insn *i)
{
    c->eip = insn_next(c, i);                   /* what a nested task's TSS keeps */
    interrupt_return(c, big(i));
}

/* --- interrupts ----------------------------------------------------------------------------------------------- */
static void software_interrupt(struct cpu *c, const struct insn *i, int vector, enum delivery kind)
{
    c->eip = insn_eip(c, i);
    cpu_interrupt(c, vector, kind, insn_next(c, i));
}

/* DOS calls INT 28h only while it waits for a key, and programs call INT 2Fh with AX = 1680h to give up their time slice [RBIL]. After
 * some of these with little between them, the CPU rests until the next interrupt, as if a HLT stood before the call: an idle DOS costs
 * the host nothing. Real and V86 mode only, and only when an interrupt can come. */
static bool rests(struct cpu *c, const struct insn *i)
{
    enum { IDLE_CALLS = 24, IDLE_APART = 50000 };
    unsigned vector = i->imm & 0xff;
    if ((cpu_protected(c) && !cpu_v86(c)) || !(vector == 0x28 || (vector == 0x2f && (c->gpr[EAX] & 0xffff) == 0x1680)))
        return false;
    exec_sync(c);
    c->idle_calls = c->instructions - c->idle_last < IDLE_APART ? c->idle_calls + 1 : 0;
    c->idle_last = c->instructions;
    if (c->idle_calls < IDLE_CALLS || !c->dos_idle || !(c->eflags & FLAG_IF) || c->shadow)
        return false;
    c->idle_calls = IDLE_CALLS - 2;             /* once executed after the rest */
    return true;
}

/* A loop that does nothing but ask the BIOS whether a key waits (INT 16h, AH = 01h or 11h [RBIL]): the same call with the same registers
 * and with less between two calls than a program could use, often enough; and no key is in the buffer [0040:001A, 001C], whose interrupt
 * might have come since the last answer. Any other software interrupt but the tick's begins anew: DOS asks for Ctrl-C in each of its
 * calls, and a program that calls it works. A loop that counts in memory is taken for one, too; one that counts in a register, draws, or
 * reads a clock's port is not. */
static bool polls(struct cpu *c, const struct insn *i)
{
    enum { POLLS = 400, POLL_APART = 600, KEY_HEAD = 0x41a, KEY_TAIL = 0x41c };
    unsigned ah = c->gpr[EAX] >> 8 & 0xff, vector = i->imm & 0xff;
    if (vector != 0x16 && vector != 0x1c)
        c->polls = 0;
    if (vector != 0x16 || (ah != 0x01 && ah != 0x11) || (cpu_protected(c) && !cpu_v86(c)))
        return false;
    exec_sync(c);
    uint64_t state = (uint64_t)c->seg[CS].selector << 32 | insn_eip(c, i);
    for (unsigned n = EAX; n <= EDI; n++)
        state = state * 0x9e3779b97f4a7c15ull + c->gpr[n];
    state = state * 0x9e3779b97f4a7c15ull + (c->seg[DS].selector << 16 | c->seg[ES].selector);
    bool again = state == c->poll_state && (int64_t)(c->instructions - c->poll_last) < POLL_APART;
    c->polls = again ? c->polls + 1 : 0;
    c->poll_state = state;
    c->poll_last = c->instructions;
    if (c->polls < POLLS || !c->dos_idle || !(c->eflags & FLAG_IF) || c->shadow || mmu_read(c, KEY_HEAD, 2) != mmu_read(c, KEY_TAIL, 2))
        return false;
    c->polls = POLLS - 2;                       /* once executed after the rest */
    c->poll_last += POLL_APART * 64;            /* the interrupt's handler may take longer than a round */
    return true;
}

void exec_INT(struct cpu *c, const struct insn *i)
{
    if (polls(c, i) || rests(c, i)) {           /* as if a HLT stood before it */
        c->eip = insn_eip(c, i);
        c->halted = true;
        c->exits_hlt++;
        return;
    }
    if (cpu_v86(c)) {
        if (c->cr4 & CR4_VME && tss_redirects(c, (uint8_t)i->imm)) {
            cpu_interrupt_v86(c, (uint8_t)i->imm, insn_next(c, i));
            return;
        }
        if (cpu_iopl(c) < 3)
            cpu_raise(c, EXC_GP);
    }
    software_interrupt(c, i, (int)(i->imm & 0xff), DELIVER_SOFTWARE);
}

void exec_INT3(struct cpu *c, const struct insn *i) { software_interrupt(c, i, EXC_BP, DELIVER_SOFTWARE); }
void exec_INT1(struct cpu *c, const struct insn *i) { software_interrupt(c, i, EXC_DB, DELIVER_SOFTWARE_ICEBP); }

void exec_INTO(struct cpu *c, const struct insn *i)
{
    if (c->arith & ARITH_OF)
        software_interrupt(c, i, EXC_OF, DELIVER_SOFTWARE);
    else
        c->eip = insn_next(c, i);
}

void exec_BOUND(struct cpu *c, const struct insn *i)
{
    uint32_t at = insn_offset(c, i);
    int32_t index, lower, upper;
    if (big(i)) {
        index = (int32_t)c->gpr[i->reg];
        lower = (int32_t)mem_read32(c, i->seg, at);
        upper = (int32_t)mem_read32(c, i->seg, (at + 4) & i->address_mask);
    } else {
        index = (int16_t)c->gpr[i->reg];
        lower = (int16_t)mem_read16(c, i->seg, at);
        upper = (int16_t)mem_read16(c, i->seg, (at + 2) & i->address_mask);
    }
    if (index < lower || index > upper)
        cpu_raise(c, EXC_BR);
    NEXT(c, i);
}

void exec_UD2(struct cpu *c, const struct insn *i)
{
    (void)i;
    cpu_raise(c, EXC_UD);
}

void exec_RSM(struct cpu *c, const struct insn *i)     /* never in SMM */
{
    (void)i;
    cpu_raise(c, EXC_UD);
}

/* --- SYSENTER ------------------------------------------------------------------------------------------------- */
static void flat_segment(struct cpu *c, enum segment_register n, uint32_t selector, uint32_t access)
{
    struct segment s = { .selector = (uint16_t)selector, .access = access, .base = 0, .limit = 0xffffffff };
    segment_set(c, n, &s);
}

static void flat_pair(struct cpu *c, uint32_t code, uint32_t level, uint32_t eip, uint32_t esp)
{
    enum { CODE = SEG_G | SEG_DB | SEG_P | SEG_S | 11, DATA = SEG_G | SEG_DB | SEG_P | SEG_S | 3 };
    flat_segment(c, CS, code | level, CODE | level << 5);
    flat_segment(c, SS, (code + 8) | level, DATA | level << 5);
    c->gpr[ESP] = esp;
    c->eip = eip;
    c->cpl = (uint8_t)level;
    mmu_privilege_changed(c);
}

void exec_SYSENTER(struct cpu *c, const struct insn *i)
{
    (void)i;
    if (!cpu_protected(c) || !(c->sysenter_cs & 0xfffc))
        cpu_raise(c, EXC_GP);
    c->eflags &= ~(uint32_t)(FLAG_VM | FLAG_IF | FLAG_RF);
    flat_pair(c, (uint32_t)c->sysenter_cs & 0xfffc, 0, (uint32_t)c->sysenter_eip, (uint32_t)c->sysenter_esp);
}

void exec_SYSEXIT(struct cpu *c, const struct insn *i)
{
    (void)i;
    if (!cpu_protected(c) || c->cpl || !(c->sysenter_cs & 0xfffc))
        cpu_raise(c, EXC_GP);
    flat_pair(c, ((uint32_t)c->sysenter_cs & 0xfffc) + 16, 3, c->gpr[EDX], c->gpr[ECX]);
}
