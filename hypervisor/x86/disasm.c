/* The disassembler: Intel syntax as nasm takes it, from the decoder's result and the operand columns of opcodes.def.
 * References: [SDM2]; the nasm manual, appendix B, for the names of operand sizes and prefixes. */
#include "x86/opcodes.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

struct line { char *text; size_t size, at; const struct insn *i; unsigned mode; uint32_t next; };

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(l->text + l->at, l->size - l->at, fmt, args);
    va_end(args);
    l->at = MIN(l->at + (n > 0 ? (size_t)n : 0), l->size - 1);
}

static const char *const names8[] = { "al", "cl", "dl", "bl", "ah", "ch", "dh", "bh" };
static const char *const names16[] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
static const char *const names32[] = { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" };
static const char *const segments[] = { "es", "cs", "ss", "ds", "fs", "gs" };

static bool big(const struct line *l) { return l->i->flags & INSN_OPERAND32; }
static unsigned size_now(const struct line *l, unsigned size) { return size == SIZE_V ? (big(l) ? 4 : 2) : size; }

/* --- operands ------------------------------------------------------------------------------------------------- */
static void put_gpr(struct line *l, unsigned n, unsigned size)
{
    switch (size_now(l, size)) {
    case 1: put(l, "%s", names8[n & 1 ? 4 + n / 4 : n / 4]); break;     /* byte registers are byte offsets: reg8() */
    case 2: put(l, "%s", names16[n & 7]); break;
    default: put(l, "%s", names32[n & 7]); break;
    }
}

static void put_size(struct line *l, unsigned size)
{
    switch (size_now(l, size)) {
    case 1: put(l, "byte "); break;
    case 2: put(l, "word "); break;
    case 4: put(l, "dword "); break;
    case 8: put(l, "qword "); break;
    case 10: put(l, "tword "); break;
    case 16: put(l, "oword "); break;
    default: break;
    }
}

static void put_disp(struct line *l, bool first)
{
    const struct insn *i = l->i;
    int32_t d = (int32_t)i->disp;
    if (!(i->flags & INSN_ADDRESS32))
        d = first ? (uint16_t)d : (int16_t)d;
    if (first)
        put(l, "0x%x", (uint32_t)d);
    else if (d)
        put(l, "%c0x%x", d < 0 ? '-' : '+', d < 0 ? 0 - (uint32_t)d : (uint32_t)d);
}

static void put_memory(struct line *l, unsigned size)
{
    const struct insn *i = l->i;
    bool wide = i->flags & INSN_ADDRESS32, first = true;
    unsigned usual = i->base == ESP || i->base == EBP ? SS : DS;
    put_size(l, size);
    put(l, "[");
    if (i->base == GPR_ZERO && i->index == GPR_ZERO && wide != !!(l->mode & MODE_CODE32))
        put(l, wide ? "dword " : "word ");
    if (i->seg != usual)
        put(l, "%s:", segments[i->seg]);
    if (i->base != GPR_ZERO) {
        put(l, "%s", wide ? names32[i->base] : names16[i->base]);
        first = false;
    }
    if (i->index != GPR_ZERO) {
        put(l, "%s%s", first ? "" : "+", wide ? names32[i->index] : names16[i->index]);
        if (i->scale)
            put(l, "*%u", 1u << i->scale);
        first = false;
    }
    put_disp(l, first);
    put(l, "]");
}

static void put_rm(struct line *l, unsigned size)
{
    if (l->i->flags & INSN_MEMORY)
        put_memory(l, size);
    else
        put_gpr(l, l->i->rm, size);
}

static void put_vector_rm(struct line *l, const char *kind, unsigned size)
{
    if (l->i->flags & INSN_MEMORY)
        put_memory(l, size);
    else
        put(l, "%s%u", kind, l->i->rm & 7);
}

static void put_immediate(struct line *l, unsigned size)
{
    unsigned bytes = size_now(l, size);
    put(l, "0x%x", bytes == 4 ? l->i->imm : l->i->imm & ((1u << bytes * 8) - 1));
}

static void put_far(struct line *l)
{
    put(l, "%s0x%x:0x%x", big(l) == !!(l->mode & MODE_CODE32) ? "" : big(l) ? "dword " : "word ", l->i->disp, l->i->imm);
}

static void put_fixed(struct line *l, const struct operand_info *o)
{
    switch (o->method) {
    case METHOD_ONE: put(l, "1"); break;
    case METHOD_THREE: put(l, "3"); break;
    case METHOD_AL: put(l, "al"); break;
    case METHOD_AH: put(l, "ah"); break;
    case METHOD_AX: put(l, "ax"); break;
    case METHOD_RAX: put(l, big(l) ? "eax" : "ax"); break;
    case METHOD_CL: put(l, "cl"); break;
    case METHOD_DX: put(l, "dx"); break;
    case METHOD_SR0: case METHOD_SR1: case METHOD_SR2: case METHOD_SR3: case METHOD_SR4: case METHOD_SR5:
        put(l, "%s", segments[o->method - METHOD_SR0]);
        break;
    case METHOD_ST0: put(l, "st0"); break;
    case METHOD_STI: put(l, "st%u", l->i->rm); break;
    default: break;
    }
}

/* SLDT, STR, SMSW and MOV from a segment register write a word to memory, whatever the operand size. */
static bool stores_word(const struct line *l)
{
    const struct opcode *o = &opcodes[l->i->id];
    return l->i->flags & INSN_MEMORY && (o->src == OPERAND_Sw || (o->map == MAP_TWO && o->opcode < 2));
}

static void put_operand(struct line *l, unsigned operand)
{
    const struct operand_info *o = &operands[operand];
    const struct insn *i = l->i;
    switch (o->method) {
    case METHOD_E: case METHOD_R: put_rm(l, stores_word(l) ? 2 : o->size); break;
    case METHOD_G: put_gpr(l, i->reg, o->size); break;
    case METHOD_M:
        if (operand == OPERAND_Mp && i->reg >= 3 && opcodes[i->id].opcode == 0xff)
            put(l, "%sfar ", big(l) == !!(l->mode & MODE_CODE32) ? "" : big(l) ? "dword " : "word ");
        put_memory(l, operand == OPERAND_Ma || operand == OPERAND_Ms || operand == OPERAND_Mp ? 0 : o->size);
        break;
    case METHOD_C: put(l, "cr%u", i->reg); break;
    case METHOD_D: put(l, "dr%u", i->reg); break;
    case METHOD_T: put(l, "tr%u", i->reg); break;
    case METHOD_S: put(l, "%s", segments[i->reg]); break;
    case METHOD_I: put_immediate(l, o->size); break;
    case METHOD_IS: put_immediate(l, SIZE_V); break;
    case METHOD_J: put(l, "0x%x", big(l) ? l->next + i->imm : (l->next + i->imm) & 0xffff); break;
    case METHOD_A: put_far(l); break;
    case METHOD_O: put_memory(l, 0); break;
    case METHOD_Z: put_gpr(l, i->rm, o->size); break;
    case METHOD_E_IS: case METHOD_E_I: put_rm(l, o->size), put(l, ", "), put_immediate(l, SIZE_V); break;
    case METHOD_G_IB: put_gpr(l, i->reg, o->size), put(l, ", 0x%x", i->imm); break;
    case METHOD_G_CL: put_gpr(l, i->reg, o->size), put(l, ", cl"); break;
    case METHOD_I_IB: put(l, "0x%x, 0x%x", i->imm, i->disp); break;
    case METHOD_P: put(l, "mm%u", i->reg); break;
    case METHOD_Q: case METHOD_N: put_vector_rm(l, "mm", 0); break;    /* the other operand says how much */
    case METHOD_V: put(l, "xmm%u", i->reg); break;
    case METHOD_W: case METHOD_U: put_vector_rm(l, "xmm", o->size); break;
    case METHOD_Q_IB: case METHOD_N_IB: put_vector_rm(l, "mm", 0), put(l, ", 0x%x", i->imm); break;
    case METHOD_W_IB: case METHOD_U_IB: put_vector_rm(l, "xmm", o->size), put(l, ", 0x%x", i->imm); break;
    case METHOD_RM_IB:
        if (i->flags & INSN_MEMORY)
            put_memory(l, o->size);
        else
            put_gpr(l, i->rm, 4);
        put(l, ", 0x%x", i->imm);
        break;
    default: put_fixed(l, o); break;
    }
}

/* --- names ---------------------------------------------------------------------------------------------------- */
/* What nasm calls it with 16- and 32-bit operands (A: addresses), where the table's one name will not do. */
static const struct { const char *name, *name16, *name32; bool by_address; } renamed[] = {
    { "CBW", "cbw", "cwde", false }, { "CWD", "cwd", "cdq", false }, { "PUSHA", "pushaw", "pushad", false },
    { "POPA", "popaw", "popad", false }, { "PUSHF", "pushfw", "pushfd", false }, { "POPF", "popfw", "popfd", false },
    { "IRET", "iretw", "iretd", false }, { "JCXZ", "jcxz", "jecxz", true }, { "XLAT", "xlatb", "xlatb", false },
    { "MOVS", "movsw", "movsd", false }, { "CMPS", "cmpsw", "cmpsd", false }, { "STOS", "stosw", "stosd", false },
    { "LODS", "lodsw", "lodsd", false }, { "SCAS", "scasw", "scasd", false }, { "INS", "insw", "insd", false },
    { "OUTS", "outsw", "outsd", false }, { "MOVS_B", "movsb", "movsb", false }, { "CMPS_B", "cmpsb", "cmpsb", false },
    { "STOS_B", "stosb", "stosb", false }, { "LODS_B", "lodsb", "lodsb", false }, { "SCAS_B", "scasb", "scasb", false },
    { "INS_B", "insb", "insb", false }, { "OUTS_B", "outsb", "outsb", false },
};

static void put_name(struct line *l, const struct opcode *o)
{
    const struct insn *i = l->i;
    for (unsigned n = 0; n < ARRAY_SIZE(renamed); n++)
        if (!strcmp(o->name, renamed[n].name)) {
            bool wide = i->flags & (renamed[n].by_address ? INSN_ADDRESS32 : INSN_OPERAND32);
            put(l, "%s", wide ? renamed[n].name32 : renamed[n].name16);
            return;
        }
    for (const char *c = o->name; *c && *c != '_'; c++)
        put(l, "%c", tolower((unsigned char)*c));
}

static bool implied_memory(const struct opcode *o)
{
    unsigned d = operands[o->dst].method, s = operands[o->src].method;
    return (d >= METHOD_X && d <= METHOD_BX) || (s >= METHOD_X && s <= METHOD_BX);
}

/* Prefixes that no operand shows. */
static void put_prefixes(struct line *l, const struct opcode *o)
{
    const struct insn *i = l->i;
    unsigned d = operands[o->dst].method;
    bool wide = i->flags & INSN_ADDRESS32, code32 = l->mode & MODE_CODE32;
    if (i->flags & INSN_LOCK)
        put(l, "lock ");
    if (implied_memory(o)) {
        bool compares = !strncmp(o->name, "CMPS", 4) || !strncmp(o->name, "SCAS", 4);
        if (i->flags & (INSN_REP | INSN_REPNE) && o->dst != OPERAND_BXAL)
            put(l, i->flags & INSN_REPNE ? "repne " : compares ? "repe " : "rep ");
        if (wide != code32)
            put(l, wide ? "a32 " : "a16 ");
        if (i->seg != DS)
            put(l, "%s ", segments[i->seg]);
    } else if (!strncmp(o->name, "LOOP", 4) && wide != code32) {
        put(l, wide ? "a32 " : "a16 ");
    }
    bool stack_or_flow = d == METHOD_J || !strncmp(o->name, "RET", 3) || !strcmp(o->name, "LEAVE")
        || !strcmp(o->name, "ENTER") || !strcmp(o->name, "PUSH") || !strcmp(o->name, "POP_SREG") || !strcmp(o->name, "POP_SS");
    bool shown = d == METHOD_E || d == METHOD_Z || (d >= METHOD_I && d <= METHOD_IS);
    if (stack_or_flow && !shown && big(l) != code32)
        put(l, big(l) ? "o32 " : "o16 ");
}

unsigned insn_disassemble(const uint8_t *bytes, size_t available, unsigned mode, uint32_t eip, char *text, size_t size)
{
    struct insn i;
    if (insn_decode(NULL, &i, bytes, available, mode) != DECODE_OK) {
        snprintf(text, size, "db 0x%02x", available ? bytes[0] : 0);
        return 0;
    }
    struct line l = { text, size, 0, &i, mode, eip + i.length };
    const struct opcode *o = &opcodes[i.id];
    put_prefixes(&l, o);
    put_name(&l, o);
    unsigned method = operands[o->dst].method;
    if (!strcmp(o->name, "PUSH") && (method == METHOD_I || method == METHOD_IS) && big(&l) != !!(mode & MODE_CODE32))
        put(&l, big(&l) ? " dword" : " word");
    if (implied_memory(o))
        return i.length;
    if (o->dst != OPERAND_none) {
        put(&l, " ");
        put_operand(&l, o->dst);
    }
    if (o->src != OPERAND_none) {
        put(&l, ", ");
        put_operand(&l, o->src);
    }
    return i.length;
}
