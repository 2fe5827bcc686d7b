/* Arithmetic by the host's own instructions, so that every flag, the undefined ones included, is what silicon gives.
 * struct cpu.arith is LAHF and SETO's result; host_flags loads it back before instructions that read or keep flags. */
#ifndef INTERPRETER_ARITH_H
#define INTERPRETER_ARITH_H
#include "engine/interpreter/exec.h"

/* Leaves the flags in AX, whose operand is named `flags`. */
#define FLAGS_OUT "\n\tlahf\n\tseto %%al"
/* OF = AL was 1 (1 + 7Fh overflows), then the other five. Needs the flags in AX. */
#define FLAGS_IN "addb $0x7f, %%al\n\tsahf\n\t"

#define FOR_WIDTHS(ROW) ROW(8, b, "q") ROW(16, w, "r") ROW(32, l, "r")

/* d op s, all flags written */
#define BINARY(name, bits, suffix, constraint) \
static inline uint##bits##_t name##bits(struct cpu *c, uint##bits##_t d, uint##bits##_t s) \
{ \
    uint16_t flags; \
    __asm__(#name #suffix " %2, %0" FLAGS_OUT : "+&" constraint(d), "=&a"(flags) : constraint "i"(s) : "cc"); \
    c->arith = flags; \
    return d; \
}
/* the same with the guest's CF as input */
#define BINARY_CARRY(name, bits, suffix, constraint) \
static inline uint##bits##_t name##bits(struct cpu *c, uint##bits##_t d, uint##bits##_t s) \
{ \
    uint16_t flags = c->arith; \
    __asm__("btl $8, %%eax\n\t" #name #suffix " %2, %0" FLAGS_OUT : "+&" constraint(d), "+&a"(flags) : constraint "i"(s) : "cc"); \
    c->arith = flags; \
    return d; \
}
/* no result */
#define COMPARE(name, bits, suffix, constraint) \
static inline void name##bits(struct cpu *c, uint##bits##_t d, uint##bits##_t s) \
{ \
    uint16_t flags; \
    __asm__(#name #suffix " %2, %1" FLAGS_OUT : "=&a"(flags) : constraint(d), constraint "i"(s) : "cc"); \
    c->arith = flags; \
}
/* one operand; the guest's flags go in as well (INC and DEC keep CF) */
#define UNARY(name, bits, suffix, constraint) \
static inline uint##bits##_t name##bits(struct cpu *c, uint##bits##_t d) \
{ \
    uint16_t flags = c->arith; \
    __asm__(FLAGS_IN #name #suffix " %0" FLAGS_OUT : "+&" constraint(d), "+&a"(flags) : : "cc"); \
    c->arith = flags; \
    return d; \
}
/* Count in CL; the guest's flags go in (a count of 0 keeps them, rotates keep most). OF after other counts than 1 is undefined and differs
 * from host to host: it is what the rule of count 1 makes of the result, as on the captured 286, so that a guest sees the same anywhere.
 * overflow: bit 0 of an expression of d and flags. */
#define SHIFT(name, bits, suffix, constraint, overflow) \
static inline uint##bits##_t name##bits(struct cpu *c, uint##bits##_t d, uint8_t count) \
{ \
    uint16_t flags = c->arith; \
    __asm__(FLAGS_IN #name #suffix " %%cl, %0" FLAGS_OUT : "+&" constraint(d), "+&a"(flags) : "c"(count) : "cc"); \
    if (count & 31) \
        flags = (uint16_t)((flags & ~ARITH_OF) | ((overflow) & ARITH_OF)); \
    c->arith = flags; \
    return d; \
}
#define SHIFT_LEFT(name, bits, suffix, constraint) SHIFT(name, bits, suffix, constraint, d >> (bits - 1) ^ flags >> 8)
#define SHIFT_RIGHT(name, bits, suffix, constraint) SHIFT(name, bits, suffix, constraint, (d ^ d << 1) >> (bits - 1))
#define SHIFT_DOUBLE(name, bits, suffix, constraint) \
static inline uint##bits##_t name##bits(struct cpu *c, uint##bits##_t d, uint##bits##_t s, uint8_t count) \
{ \
    uint16_t flags = c->arith; \
    __asm__(FLAGS_IN #name #suffix " %%cl, %3, %0" FLAGS_OUT : "+&" constraint(d), "+&a"(flags) : "c"(count), constraint(s) : "cc"); \
    c->arith = flags; \
    return d; \
}
/* Two operands, with flags in and out. BT, BTS, BTR, BTC: CF is the bit. BSF, BSR: a zero source keeps the destination. */
#define BIT_OP(name, bits, suffix, constraint) \
static inline uint##bits##_t name##bits(struct cpu *c, uint##bits##_t d, uint##bits##_t s) \
{ \
    uint16_t flags = c->arith; \
    __asm__(FLAGS_IN #name #suffix " %2, %0" FLAGS_OUT : "+&" constraint(d), "+&a"(flags) : constraint(s) : "cc"); \
    c->arith = flags; \
    return d; \
}

/* Conditions, by the low four bits of the opcode [SDM1, appendix B]; a is cpu->arith. */
#define CONDITIONS(ROW) \
    ROW(O, a & ARITH_OF) ROW(NO, !(a & ARITH_OF)) ROW(B, a & ARITH_CF) ROW(AE, !(a & ARITH_CF)) \
    ROW(E, a & ARITH_ZF) ROW(NE, !(a & ARITH_ZF)) ROW(BE, a & (ARITH_CF | ARITH_ZF)) ROW(A, !(a & (ARITH_CF | ARITH_ZF))) \
    ROW(S, a & ARITH_SF) ROW(NS, !(a & ARITH_SF)) ROW(P, a & ARITH_PF) ROW(NP, !(a & ARITH_PF)) \
    ROW(L, (a >> 15 ^ a) & 1) ROW(GE, !((a >> 15 ^ a) & 1)) \
    ROW(LE, (a & ARITH_ZF) || ((a >> 15 ^ a) & 1)) ROW(G, !((a & ARITH_ZF) || ((a >> 15 ^ a) & 1)))

#endif
