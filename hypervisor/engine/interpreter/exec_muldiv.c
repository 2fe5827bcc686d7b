/* MUL, IMUL, DIV, IDIV.
 * Flags of a multiplication are the host's, the undefined ones too; a division leaves them as they were.
 * References: [SDM2] MUL, IMUL, DIV, IDIV: #DE when the divisor is 0 or the quotient does not fit. */
#include "engine/interpreter/arith.h"
#include "engine/interpreter/handlers.h"

static inline uint32_t *reg32(struct cpu *c, unsigned n) { return &c->gpr[n]; }

/* --- one operand: the accumulator is the host's too, and so are the flags in AX before and after -------------- */
#define MULTIPLY(name, op, operand) \
static inline void name(struct cpu *c, uint32_t s, uint32_t *low, uint32_t *high) \
{ \
    uint32_t a = c->arith, v = *low, d = 0; \
    __asm__(FLAGS_IN "movl %1, %%eax\n\t" op " " operand "\n\tmovl %%eax, %1" FLAGS_OUT : "+&a"(a), "+&r"(v), "+&d"(d) : "q"(s) : "cc"); \
    c->arith = (uint16_t)a; \
    *low = v; \
    *high = d; \
}
MULTIPLY(mul_8, "mulb", "%b3") MULTIPLY(mul_16, "mulw", "%w3") MULTIPLY(mul_32, "mull", "%3")
MULTIPLY(imul_8, "imulb", "%b3") MULTIPLY(imul_16, "imulw", "%w3") MULTIPLY(imul_32, "imull", "%3")

static inline void product8(struct cpu *c, uint32_t low, uint32_t high) { (void)high; *reg16(c, EAX) = (uint16_t)low; }
static inline void product16(struct cpu *c, uint32_t low, uint32_t high)
{
    *reg16(c, EAX) = (uint16_t)low;
    *reg16(c, EDX) = (uint16_t)high;
}
static inline void product32(struct cpu *c, uint32_t low, uint32_t high)
{
    c->gpr[EAX] = low;
    c->gpr[EDX] = high;
}

/* --- division ------------------------------------------------------------------------------------------------- */
static inline void div8(struct cpu *c, uint8_t s)
{
    uint16_t n = *reg16(c, EAX);
    if (!s || n / s > 0xff)
        cpu_raise(c, EXC_DE);
    *reg16(c, EAX) = (uint16_t)(n / s | (n % s) << 8);
}
static inline void div16(struct cpu *c, uint16_t s)
{
    uint32_t n = (uint32_t)*reg16(c, EDX) << 16 | *reg16(c, EAX);
    if (!s || n / s > 0xffff)
        cpu_raise(c, EXC_DE);
    product16(c, n / s, n % s);
}
static inline void div32(struct cpu *c, uint32_t s)
{
    if (c->gpr[EDX] >= s)                       /* a zero divisor included */
        cpu_raise(c, EXC_DE);
    uint64_t n = (uint64_t)c->gpr[EDX] << 32 | c->gpr[EAX];
    product32(c, (uint32_t)(n / s), (uint32_t)(n % s));
}
static inline void idiv8(struct cpu *c, uint8_t divisor)
{
    int s = (int8_t)divisor, n = (int16_t)*reg16(c, EAX);
    if (!s || n / s != (int8_t)(n / s))
        cpu_raise(c, EXC_DE);
    *reg16(c, EAX) = (uint16_t)((n / s & 0xff) | (n % s & 0xff) << 8);
}
static inline void idiv16(struct cpu *c, uint16_t divisor)
{
    int64_t s = (int16_t)divisor, n = (int32_t)((uint32_t)*reg16(c, EDX) << 16 | *reg16(c, EAX));
    if (!s || n / s != (int16_t)(n / s))
        cpu_raise(c, EXC_DE);
    product16(c, (uint32_t)(n / s), (uint32_t)(n % s));
}
static inline void idiv32(struct cpu *c, uint32_t divisor)
{
    int64_t s = (int32_t)divisor, n = (int64_t)((uint64_t)c->gpr[EDX] << 32 | c->gpr[EAX]);
    if (!s || (n == INT64_MIN && s == -1) || n / s != (int32_t)(n / s))
        cpu_raise(c, EXC_DE);
    product32(c, (uint32_t)(n / s), (uint32_t)(n % s));
}

#define MULTIPLY_RM(NAME, op, bits, handler_r, handler_m) \
static inline void NAME##_accumulator##bits(struct cpu *c, uint##bits##_t s) \
{ \
    uint32_t low = *reg##bits(c, EAX), high; \
    op##_##bits(c, s, &low, &high); \
    product##bits(c, low, high); \
} \
WITH_RM(NAME##_accumulator, bits, handler_r, handler_m)
#define WITH_RM(op, bits, handler_r, handler_m) \
void handler_r(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, *reg##bits(c, i->rm)); \
    NEXT(c, i); \
} \
void handler_m(struct cpu *c, const struct insn *i) \
{ \
    op##bits(c, mem_read##bits(c, i->seg, insn_offset(c, i))); \
    NEXT(c, i); \
}
MULTIPLY_RM(MUL, mul, 8, exec_MUL_Eb_none_r, exec_MUL_Eb_none_m)
MULTIPLY_RM(MUL, mul, 16, exec_MUL_Ev_none_r16, exec_MUL_Ev_none_m16)
MULTIPLY_RM(MUL, mul, 32, exec_MUL_Ev_none_r32, exec_MUL_Ev_none_m32)
MULTIPLY_RM(IMUL, imul, 8, exec_IMUL_Eb_none_r, exec_IMUL_Eb_none_m)
MULTIPLY_RM(IMUL, imul, 16, exec_IMUL_Ev_none_r16, exec_IMUL_Ev_none_m16)
MULTIPLY_RM(IMUL, imul, 32, exec_IMUL_Ev_none_r32, exec_IMUL_Ev_none_m32)
WITH_RM(div, 8, exec_DIV_Eb_none_r, exec_DIV_Eb_none_m)
WITH_RM(div, 16, exec_DIV_Ev_none_r16, exec_DIV_Ev_none_m16)
WITH_RM(div, 32, exec_DIV_Ev_none_r32, exec_DIV_Ev_none_m32)
WITH_RM(idiv, 8, exec_IDIV_Eb_none_r, exec_IDIV_Eb_none_m)
WITH_RM(idiv, 16, exec_IDIV_Ev_none_r16, exec_IDIV_Ev_none_m16)
WITH_RM(idiv, 32, exec_IDIV_Ev_none_r32, exec_IDIV_Ev_none_m32)

/* --- two and three operands ----------------------------------------------------------------------------------- */
BIT_OP(imul, 16, w, "r") BIT_OP(imul, 32, l, "r")

#define IMUL_REG(bits, operands, other) \
void exec_IMUL_Gv_##operands##_r##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t *d = reg##bits(c, i->reg); \
    *d = imul##bits(c, *reg##bits(c, i->rm), other); \
    NEXT(c, i); \
} \
void exec_IMUL_Gv_##operands##_m##bits(struct cpu *c, const struct insn *i) \
{ \
    uint##bits##_t s = mem_read##bits(c, i->seg, insn_offset(c, i)), *d = reg##bits(c, i->reg); \
    *d = imul##bits(c, s, other); \
    NEXT(c, i); \
}
IMUL_REG(16, Ev, *d) IMUL_REG(32, Ev, *d)
IMUL_REG(16, Ev_Iz, (uint16_t)i->imm) IMUL_REG(32, Ev_Iz, i->imm)
IMUL_REG(16, Ev_Ibs, (uint16_t)i->imm) IMUL_REG(32, Ev_Ibs, i->imm)
