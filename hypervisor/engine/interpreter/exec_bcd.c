/* DAA, DAS, AAA, AAS, AAM, AAD [SDM2]. Flags that the manual leaves undefined are as the 386 to the P6 give them: OF 0 after
 * DAA and DAS, SF ZF PF by the result after AAA and AAS, and AAD's are those of its addition. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

BINARY(add, 8, b, "q")
COMPARE(test, 8, b, "q")

/* SF, ZF and PF by the value, the others as given. */
static void set_result(struct cpu *c, uint8_t value, bool carry, bool adjust)
{
    test8(c, value, value);
    c->arith &= (uint16_t)~(ARITH_CF | ARITH_AF | ARITH_OF);
    c->arith |= (uint16_t)((carry ? ARITH_CF : 0) | (adjust ? ARITH_AF : 0));
}

static inline void decimal(struct cpu *c, int sign)
{
    uint8_t old = (uint8_t)c->gpr[EAX], al = old;
    bool carry = c->arith & ARITH_CF, adjust = c->arith & ARITH_AF, carry_out = false;
    if ((al & 15) > 9 || adjust) {
        carry_out = sign > 0 ? carry || al > 0xff - 6 : carry || al < 6;
        al = (uint8_t)(al + sign * 6);
        adjust = true;
    }
    if (old > 0x99 || carry) {
        al = (uint8_t)(al + sign * 0x60);
        carry_out = true;
    } else if (sign > 0) {
        carry_out = false;
    }
    *reg8(c, 0) = al;
    set_result(c, al, carry_out, adjust);
}
void exec_DAA(struct cpu *c, const struct insn *i)
{
    decimal(c, 1);
    NEXT(c, i);
}
void exec_DAS(struct cpu *c, const struct insn *i)
{
    decimal(c, -1);
    NEXT(c, i);
}

static inline void ascii(struct cpu *c, int sign)
{
    bool adjust = (c->gpr[EAX] & 15) > 9 || c->arith & ARITH_AF;
    if (adjust)
        *reg16(c, EAX) = (uint16_t)(*reg16(c, EAX) + sign * 0x106);
    *reg8(c, 0) &= 15;
    set_result(c, (uint8_t)c->gpr[EAX], adjust, adjust);
}
void exec_AAA(struct cpu *c, const struct insn *i)
{
    ascii(c, 1);
    NEXT(c, i);
}
void exec_AAS(struct cpu *c, const struct insn *i)
{
    ascii(c, -1);
    NEXT(c, i);
}

void exec_AAM(struct cpu *c, const struct insn *i)
{
    uint8_t base = (uint8_t)i->imm, al = (uint8_t)c->gpr[EAX];
    if (!base)
        cpu_raise(c, EXC_DE);
    *reg16(c, EAX) = (uint16_t)(al / base << 8 | al % base);
    set_result(c, al % base, false, false);
    NEXT(c, i);
}
void exec_AAD(struct cpu *c, const struct insn *i)
{
    uint8_t al = (uint8_t)c->gpr[EAX], ah = (uint8_t)(c->gpr[EAX] >> 8);
    *reg16(c, EAX) = add8(c, al, (uint8_t)(ah * i->imm));
    NEXT(c, i);
}
