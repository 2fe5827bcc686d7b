/* The decoder: prefixes, opcode, ModRM, SIB, displacement and immediate [SDM2, chapter 2], driven by opcodes.def.
 *
 * Every encoding that exists has an entry in `lines`, indexed by map, mandatory prefix, opcode, ModRM.reg and form; the entry
 * is the number of its line. Lines that hold for several prefixes, groups or forms fill a range of entries; two lines that
 * claim the same entry are a compile error (-Woverride-init, -Winitializer-overrides).
 *
 * References: [SDM2] chapter 2 and appendix A. */
#include "x86/opcodes.h"

/* --- the table, read in three ways ---------------------------------------------------------------------------- */
#define LINE(map, prefix, opcode, group, form) LINE_##map##_##prefix##_##opcode##_##group##_##form
enum {
    LINE_none,
#define OP(map, prefix, opcode, group, form, ...) LINE(map, prefix, opcode, group, form),
#include "x86/opcodes.def"
#undef OP
    LINE_COUNT
};
const unsigned opcode_count = LINE_COUNT;

#define SPAN_none 0
#define SPAN_low8 7
#define SPAN_0 0
#define SPAN_1 0
#define SPAN_2 0
#define SPAN_3 0
#define SPAN_4 0
#define SPAN_5 0
#define SPAN_6 0
#define SPAN_7 0
#define RANGE_any 0 ... 3
#define RANGE_NP PREFIX_NP
#define RANGE_P66 PREFIX_66
#define RANGE_PF3 PREFIX_F3
#define RANGE_PF2 PREFIX_F2
#define GROUPS_none 0 ... 7
#define GROUPS_low8 0 ... 7
#define GROUPS_0 0
#define GROUPS_1 1
#define GROUPS_2 2
#define GROUPS_3 3
#define GROUPS_4 4
#define GROUPS_5 5
#define GROUPS_6 6
#define GROUPS_7 7
#define FORMS_both 0 ... 8
#define FORMS_mem 0
#define FORMS_reg 1 ... 8
#define FORMS_rm0 1
#define FORMS_rm1 2
#define FORMS_rm2 3
#define FORMS_rm3 4
#define FORMS_rm4 5
#define FORMS_rm5 6
#define FORMS_rm6 7
#define FORMS_rm7 8
static const uint16_t lines[2][PREFIX_COUNT][256][8][9] = {
#define OP(map, prefix, opcode, group, form, ...) \
    [MAP_##map][RANGE_##prefix][opcode ... opcode + SPAN_##group][GROUPS_##group][FORMS_##form] = LINE(map, prefix, opcode, group, form),
#include "x86/opcodes.def"
#undef OP
};

#define LOCKABLE_lock true
#define LOCKABLE_nolock false
#define MNEMONIC_OP(how, map_, prefix_, opcode_, group_, form_, mnemonic, dst_, src_, feature_, read, written, undefined, lock, checks_, \
                    oracle_, plan_) \
    [LINE(map_, prefix_, opcode_, group_, form_)] = { .name = #mnemonic, .map = MAP_##map_, .prefix = PREFIX_INDEX_##prefix_, \
        .opcode = opcode_, .group = GROUP_INDEX_##group_, .form = FORM_INDEX_##form_, .dst = OPERAND_##dst_, .src = OPERAND_##src_, \
        .feature = HAS_##feature_, .checks = CHECK_##checks_, .oracle = ORACLE_##oracle_, .plan = PLAN_##plan_, .handlers = how, \
        .lockable = LOCKABLE_##lock, .flags_read = FLAGS_##read, .flags_written = FLAGS_##written, .flags_undefined = FLAGS_##undefined },
const struct opcode opcodes[LINE_COUNT] = {
#define OP(...) MNEMONIC_OP(HANDLERS_OP, __VA_ARGS__)
#define OPF(...) MNEMONIC_OP(HANDLERS_OPF, __VA_ARGS__)
#define OPB(...) MNEMONIC_OP(HANDLERS_OPB, __VA_ARGS__)
#define OPS(...) MNEMONIC_OP(HANDLERS_OPS, __VA_ARGS__)
#define OPV(...) MNEMONIC_OP(HANDLERS_OPV, __VA_ARGS__)
#include "x86/opcodes.def"
#undef OP
#undef OPF
#undef OPB
#undef OPS
#undef OPV
};

#define OPERAND_INFO(name_, method_, size_) [OPERAND_##name_] = { #name_, METHOD_##method_, size_ },
const struct operand_info operands[OPERAND_COUNT] = { OPERANDS(OPERAND_INFO) };

/* --- reading bytes -------------------------------------------------------------------------------------------- */
enum { LENGTH_MAX = 15 };
struct reader { const uint8_t *bytes; size_t available, at; enum decode_result result; };

/* The next `size` bytes, little-endian, or 0 with the reason in result. */
static uint32_t take(struct reader *r, unsigned size)
{
    uint32_t v = 0;
    if (r->result != DECODE_OK)
        return 0;
    if (r->at + size > LENGTH_MAX || r->at + size > r->available) {
        r->result = r->available >= LENGTH_MAX || r->at + size > LENGTH_MAX ? DECODE_TOO_LONG : DECODE_TRUNCATED;
        return 0;
    }
    for (unsigned n = 0; n < size; n++)
        v |= (uint32_t)r->bytes[r->at + n] << 8 * n;
    r->at += size;
    return v;
}

/* --- ModRM ---------------------------------------------------------------------------------------------------- */
static void modrm_16(struct reader *r, struct insn *i, unsigned mod, unsigned rm, int *seg)
{
    static const uint8_t base[8] = { EBX, EBX, EBP, EBP, ESI, EDI, EBP, EBX };
    static const uint8_t index[8] = { ESI, EDI, ESI, EDI, GPR_ZERO, GPR_ZERO, GPR_ZERO, GPR_ZERO };
    if (mod == 0 && rm == 6) {
        i->disp = take(r, 2);
        return;
    }
    i->base = base[rm];
    i->index = index[rm];
    if (*seg < 0 && i->base == EBP)
        *seg = SS;
    if (mod == 1)
        i->disp = (uint32_t)(int8_t)take(r, 1);
    else if (mod == 2)
        i->disp = take(r, 2);
}

static void modrm_32(struct reader *r, struct insn *i, unsigned mod, unsigned rm, int *seg)
{
    i->base = (uint8_t)rm;
    if (rm == 4) {
        uint32_t sib = take(r, 1);
        i->base = sib & 7;
        i->scale = (uint8_t)(sib >> 6);
        i->index = (sib >> 3 & 7) == 4 ? GPR_ZERO : sib >> 3 & 7;
        if (i->index == GPR_ZERO)
            i->scale = 0;
    }
    if (mod == 0 && i->base == EBP)
        i->base = GPR_ZERO, mod = 2;
    if (*seg < 0 && (i->base == ESP || i->base == EBP))
        *seg = SS;
    if (mod == 1)
        i->disp = (uint32_t)(int8_t)take(r, 1);
    else if (mod == 2)
        i->disp = take(r, 4);
}

static void modrm_memory(struct reader *r, struct insn *i, uint8_t modrm, int seg)
{
    i->flags |= INSN_MEMORY;
    if (i->flags & INSN_ADDRESS32)
        modrm_32(r, i, modrm >> 6, modrm & 7, &seg);
    else
        modrm_16(r, i, modrm >> 6, modrm & 7, &seg);
    i->seg = (uint8_t)(seg < 0 ? DS : seg);
}

/* --- operands ------------------------------------------------------------------------------------------------- */
static inline uint8_t byte_register(unsigned n) { return (uint8_t)(n < 4 ? n * 4 : (n - 4) * 4 + 1); }

static bool has_modrm(const struct opcode *o)
{
    unsigned d = operands[o->dst].method, s = operands[o->src].method;
    return o->group <= GROUP_INDEX_7 || o->form != FORM_INDEX_both || (d > METHOD_NONE && d <= METHOD_LAST_MODRM)
        || (s > METHOD_NONE && s <= METHOD_LAST_MODRM);
}

static void operand_bytes(struct reader *r, struct insn *i, const struct operand_info *o, uint8_t opcode)
{
    unsigned word = i->flags & INSN_OPERAND32 ? 4 : 2;
    switch (o->method) {
    case METHOD_E:
        if (o->size == 1 && !(i->flags & INSN_MEMORY))
            i->rm = byte_register(i->rm);
        break;
    case METHOD_G:
        if (o->size == 1)
            i->reg = byte_register(i->reg);
        break;
    case METHOD_Z: i->rm = o->size == 1 ? byte_register(opcode & 7) : opcode & 7; break;
    case METHOD_SR0: case METHOD_SR1: case METHOD_SR2: case METHOD_SR3: case METHOD_SR4: case METHOD_SR5:
        i->reg = (uint8_t)(o->method - METHOD_SR0);
        break;
    case METHOD_S:
        if (i->reg > GS)
            r->result = r->result == DECODE_OK ? DECODE_UNDEFINED : r->result;
        break;
    case METHOD_I: case METHOD_E_I: i->imm = take(r, o->size == SIZE_V ? word : o->size); break;
    case METHOD_IS: case METHOD_E_IS: i->imm = (uint32_t)(int8_t)take(r, 1); break;
    case METHOD_G_IB: case METHOD_Q_IB: case METHOD_N_IB: case METHOD_W_IB: case METHOD_U_IB: case METHOD_RM_IB:
        i->imm = take(r, 1);
        break;
    case METHOD_ONE: i->imm = 1; break;
    case METHOD_THREE: i->imm = 3; break;
    case METHOD_J:
        i->imm = o->size == 1 ? (uint32_t)(int8_t)take(r, 1) : word == 4 ? take(r, 4) : (uint32_t)(int16_t)take(r, 2);
        break;
    case METHOD_A:
        i->imm = take(r, word);
        i->disp = take(r, 2);
        break;
    case METHOD_O: i->disp = take(r, i->flags & INSN_ADDRESS32 ? 4 : 2); break;
    case METHOD_I_IB:
        i->imm = take(r, 2);
        i->disp = take(r, 1);
        break;
    default: break;
    }
}

/* --- one instruction ------------------------------------------------------------------------------------------ */
struct prefixes { int seg; bool operand, address, lock; uint8_t repeat; };

static uint8_t decode_prefixes(struct reader *r, struct prefixes *p)
{
    for (;;) {
        uint8_t byte = (uint8_t)take(r, 1);
        if (r->result != DECODE_OK)
            return 0;
        switch (byte) {
        case 0x26: p->seg = ES; break;
        case 0x2e: p->seg = CS; break;
        case 0x36: p->seg = SS; break;
        case 0x3e: p->seg = DS; break;
        case 0x64: p->seg = FS; break;
        case 0x65: p->seg = GS; break;
        case 0x66: p->operand = true; break;
        case 0x67: p->address = true; break;
        case 0xf0: p->lock = true; break;
        case 0xf2: p->repeat = INSN_REPNE; break;
        case 0xf3: p->repeat = INSN_REP; break;
        default: return byte;
        }
    }
}

/* Any line of an opcode: all of them agree about ModRM. */
static uint16_t any_line(const uint16_t table[8][9])
{
    for (unsigned form = 0; form < 9; form++)
        for (unsigned group = 0; group < 8; group++)
            if (table[group][form])
                return table[group][form];
    return 0;
}

static enum decode_result decode(uint64_t features, struct insn *i, const uint8_t *bytes, size_t available, unsigned mode)
{
    struct reader r = { bytes, available, 0, DECODE_OK };
    struct prefixes p = { .seg = -1 };
    unsigned map = MAP_ONE;

    memset(i, 0, sizeof(*i));
    uint8_t opcode = decode_prefixes(&r, &p);
    if (opcode == 0x0f && r.result == DECODE_OK) {
        map = MAP_TWO;
        opcode = (uint8_t)take(&r, 1);
    }
    i->length = (uint8_t)r.at;
    i->base = i->index = GPR_ZERO;
    if (r.result != DECODE_OK)
        return r.result;
    bool code32 = mode & MODE_CODE32;
    i->flags = (uint8_t)(p.repeat | (p.lock ? INSN_LOCK : 0) | (mode & MODE_STACK32 ? INSN_STACK32 : 0)
        | (code32 != p.operand ? INSN_OPERAND32 : 0) | (code32 != p.address ? INSN_ADDRESS32 : 0));
    i->address_mask = code32 != p.address ? 0xffffffff : 0xffff;
    i->seg = (uint8_t)(p.seg < 0 ? DS : p.seg);

    unsigned prefix = p.repeat == INSN_REP ? PREFIX_F3 : p.repeat == INSN_REPNE ? PREFIX_F2 : p.operand ? PREFIX_66 : PREFIX_NP;
    const uint16_t (*table)[9] = lines[map][prefix][opcode];
    i->id = any_line(table);
    if (!i->id)
        return DECODE_UNDEFINED;
    if (has_modrm(&opcodes[i->id])) {
        uint8_t modrm = (uint8_t)take(&r, 1);
        /* MOV to and from CRn, DRn and TRn take any mod as a register [SDM2, MOV--Move to/from Control Registers] */
        if (map == MAP_TWO && opcode >= 0x20 && opcode <= 0x26)
            modrm |= 0xc0;
        i->reg = modrm >> 3 & 7;
        i->rm = modrm & 7;
        i->id = table[i->reg][modrm >= 0xc0 ? 1 + i->rm : 0];
        if (r.result == DECODE_OK && modrm < 0xc0)
            modrm_memory(&r, i, modrm, p.seg);
        if (map == MAP_ONE && opcode >= 0xd8 && opcode <= 0xdf)
            i->imm = modrm;
    }
    const struct opcode *o = &opcodes[i->id];
    if (r.result == DECODE_OK && i->id) {
        operand_bytes(&r, i, &operands[o->dst], opcode);
        operand_bytes(&r, i, &operands[o->src], opcode);
    }
    i->length = (uint8_t)r.at;
    if (r.result != DECODE_OK)
        return r.result;
    if (!i->id || !(features >> o->feature & 1) || (p.lock && !(o->lockable && i->flags & INSN_MEMORY)))
        return DECODE_UNDEFINED;
    if (o->checks == CHECK_prot && (mode & (MODE_PROTECTED | MODE_V86)) != MODE_PROTECTED)
        return DECODE_UNDEFINED;
    if (o->dst == OPERAND_Sw && i->reg == CS)
        return DECODE_UNDEFINED;
    if (o->plan == PLAN_END)
        i->flags |= INSN_END;
    return DECODE_OK;
}

enum decode_result insn_decode(const struct cpu *c, struct insn *i, const uint8_t *bytes, size_t available, unsigned mode)
{
    return decode(c ? c->features : UINT64_MAX, i, bytes, available, mode);
}
