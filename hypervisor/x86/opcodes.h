/* What opcodes.def says of each encoding, as a table: read by the decoder, the interpreter, the disassembler and the tests. */
#ifndef X86_OPCODES_H
#define X86_OPCODES_H
#include "x86/insn.h"

/* Operands in the notation of SDM volume 2, appendix A.2: addressing method, then type. Lower-case v is 16 or 32 bits by
 * the operand size, z the same for immediates. Each name is one ROW(): name, addressing method, size in bytes
 * (0: none or by context; V: by operand size; P: far pointer, 4 or 6). */
#define OPERANDS(ROW) \
    ROW(none, NONE, 0) \
    /* E: ModRM.rm, register or memory. G: ModRM.reg. M: memory only. R: ModRM.rm, register only */ \
    ROW(Eb, E, 1) ROW(Ew, E, 2) ROW(Ed, E, 4) ROW(Ev, E, SIZE_V) ROW(Gb, G, 1) ROW(Gw, G, 2) ROW(Gd, G, 4) ROW(Gv, G, SIZE_V) \
    ROW(M, M, 0) ROW(Mb, M, 1) ROW(Mw, M, 2) ROW(Md, M, 4) ROW(Mq, M, 8) ROW(Mdq, M, 16) ROW(Mv, M, SIZE_V) ROW(Ma, M, SIZE_V) ROW(Mp, M, SIZE_P) ROW(Ms, M, 6) \
    ROW(Mt, M, 10) ROW(Rd, R, 4) ROW(Rv, R, SIZE_V) \
    /* control, debug, test and segment registers in ModRM.reg */ \
    ROW(Cd, C, 4) ROW(Dd, D, 4) ROW(Td, T, 4) ROW(Sw, S, 2) \
    /* immediates: Ibs is sign-extended to the operand size; I1, I3: constants; J: relative; A: far pointer; O: offset */ \
    ROW(Ib, I, 1) ROW(Ibs, IS, 1) ROW(Iw, I, 2) ROW(Iz, I, SIZE_V) ROW(I1, ONE, 0) ROW(I3, THREE, 0) ROW(Jb, J, 1) ROW(Jz, J, SIZE_V) ROW(Ap, A, SIZE_P) \
    ROW(Ob, O, 1) ROW(Ov, O, SIZE_V) \
    /* implied memory: X is DS:eSI (override applies), Y is ES:eDI, BX is DS:eBX+AL (XLAT) */ \
    ROW(Xb, X, 1) ROW(Xw, X, 2) ROW(Xv, X, SIZE_V) ROW(Yb, Y, 1) ROW(Yw, Y, 2) ROW(Yv, Y, SIZE_V) ROW(BXAL, BX, 1) \
    /* Z: the register in the opcode's low three bits (lines with group low8) */ \
    ROW(Zb, Z, 1) ROW(Zv, Z, SIZE_V) ROW(Zd, Z, 4) \
    /* fixed registers */ \
    ROW(AL, AL, 1) ROW(AH, AH, 1) ROW(AX, AX, 2) ROW(rAX, RAX, SIZE_V) ROW(CL, CL, 1) ROW(DX, DX, 2) \
    ROW(rES, SR0, 2) ROW(rCS, SR1, 2) ROW(rSS, SR2, 2) ROW(rDS, SR3, 2) ROW(rFS, SR4, 2) ROW(rGS, SR5, 2) \
    /* two operands in the place of src: three-operand instructions */ \
    ROW(Ev_Ibs, E_IS, SIZE_V) ROW(Ev_Iz, E_I, SIZE_V) ROW(Gv_Ib, G_IB, SIZE_V) ROW(Gv_CL, G_CL, SIZE_V) ROW(Iw_Ib, I_IB, 2) \
    /* x87: ST0 and ST(i), i in ModRM.rm */ \
    ROW(ST0, ST0, 0) ROW(STi, STI, 0) \
    /* P: MMX register in reg, Q: in rm or memory, N: in rm only. V: XMM in reg, W: in rm or memory, U: in rm only */ \
    ROW(Pd, P, 4) ROW(Pq, P, 8) ROW(Qd, Q, 4) ROW(Qq, Q, 8) ROW(Nq, N, 8) \
    ROW(Vd, V, 4) ROW(Vq, V, 8) ROW(Vx, V, 16) ROW(Wd, W, 4) ROW(Wq, W, 8) ROW(Ww, W, 2) ROW(Wx, W, 16) ROW(Uq, U, 8) ROW(Ux, U, 16) \
    ROW(Qq_Ib, Q_IB, 8) ROW(Nq_Ib, N_IB, 8) ROW(Wx_Ib, W_IB, 16) ROW(Wd_Ib, W_IB, 4) ROW(Wq_Ib, W_IB, 8) ROW(Ux_Ib, U_IB, 16) \
    ROW(Rdw_Ib, RM_IB, 2) /* PINSRW: a GPR or 16 bits of memory, and Ib */

enum { SIZE_V = 32, SIZE_P = 33 };              /* by operand size */
enum operand_method { METHOD_NONE, METHOD_E, METHOD_G, METHOD_M, METHOD_R, METHOD_C, METHOD_D, METHOD_T, METHOD_S,
    METHOD_E_IS, METHOD_E_I, METHOD_G_IB, METHOD_G_CL, METHOD_P, METHOD_Q, METHOD_N, METHOD_V, METHOD_W, METHOD_U,
    METHOD_Q_IB, METHOD_N_IB, METHOD_W_IB, METHOD_U_IB, METHOD_RM_IB, METHOD_STI,
    METHOD_LAST_MODRM = METHOD_STI,             /* all of the above but NONE need a ModRM byte */
    METHOD_I, METHOD_IS, METHOD_ONE, METHOD_THREE, METHOD_J, METHOD_A, METHOD_O, METHOD_X, METHOD_Y, METHOD_BX, METHOD_Z,
    METHOD_AL, METHOD_AH, METHOD_AX, METHOD_RAX, METHOD_CL, METHOD_DX, METHOD_SR0, METHOD_SR1, METHOD_SR2, METHOD_SR3,
    METHOD_SR4, METHOD_SR5, METHOD_I_IB, METHOD_ST0 };
#define OPERAND_ENUM(name, method, size) OPERAND_##name,
enum operand { OPERANDS(OPERAND_ENUM) OPERAND_COUNT };
#undef OPERAND_ENUM

enum opcode_map { MAP_ONE, MAP_TWO };           /* one-byte opcodes, and those after 0Fh */
enum opcode_prefix { PREFIX_NP, PREFIX_66, PREFIX_F3, PREFIX_F2, PREFIX_COUNT };
enum opcode_checks { CHECK_none, CHECK_prot, CHECK_cpl0, CHECK_iopl, CHECK_io, CHECK_fpu, CHECK_mmx, CHECK_sse };
enum opcode_oracle { ORACLE_native, ORACLE_sst, ORACLE_image, ORACLE_sdm };
enum opcode_plan { PLAN_COPY, PLAN_MEM, PLAN_CALL, PLAN_COND, PLAN_END };
/* How an OPx line names its handlers; see opcodes.def. */
enum opcode_handlers { HANDLERS_OP, HANDLERS_OPF, HANDLERS_OPB, HANDLERS_OPV, HANDLERS_OPS };

/* Sets of arithmetic flags, as in the columns of opcodes.def. D and I are DF and IF. */
enum { FLAGS_none = 0, FLAGS_C = FLAG_CF, FLAGS_P = FLAG_PF, FLAGS_A = FLAG_AF, FLAGS_Z = FLAG_ZF, FLAGS_S = FLAG_SF,
    FLAGS_O = FLAG_OF, FLAGS_D = FLAG_DF, FLAGS_I = FLAG_IF,
    FLAGS_AC = FLAG_AF | FLAG_CF, FLAGS_CZ = FLAG_CF | FLAG_ZF, FLAGS_SO = FLAG_SF | FLAG_OF, FLAGS_SZO = FLAG_SF | FLAG_ZF | FLAG_OF,
    FLAGS_OC = FLAG_OF | FLAG_CF, FLAGS_OA = FLAG_OF | FLAG_AF, FLAGS_OAC = FLAGS_OC | FLAG_AF, FLAGS_DZ = FLAG_DF | FLAG_ZF,
    FLAGS_ZPC = FLAG_ZF | FLAG_PF | FLAG_CF, FLAGS_SZP = FLAG_SF | FLAG_ZF | FLAG_PF, FLAGS_SZAPC = FLAGS_ARITH & ~FLAG_OF,
    FLAGS_OSZPC = FLAGS_ARITH & ~FLAG_AF, FLAGS_OSZAP = FLAGS_ARITH & ~FLAG_CF, FLAGS_OSZAPC = FLAGS_ARITH, FLAGS_SZAP = FLAGS_OSZAP & ~FLAG_OF,
    FLAGS_OSAPC = FLAGS_ARITH & ~FLAG_ZF, FLAGS_OSZP = FLAGS_OSZAP & ~FLAG_AF,
    FLAGS_OSAP = FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF, FLAGS_all = 0x3fffff };

struct opcode {
    const char *name;                           /* MNEMONIC as in the table */
    uint8_t map, prefix, opcode, group, form;   /* prefix 255: any; group 8: none, 9: low8; form as FORM_INDEX_* */
    uint8_t dst, src;                           /* enum operand */
    uint8_t feature, checks, oracle, plan, handlers;
    bool lockable;
    uint32_t flags_read, flags_written, flags_undefined;
};
enum { PREFIX_INDEX_any = 255, PREFIX_INDEX_NP = PREFIX_NP, PREFIX_INDEX_P66 = PREFIX_66, PREFIX_INDEX_PF3 = PREFIX_F3,
       PREFIX_INDEX_PF2 = PREFIX_F2 };
enum { GROUP_INDEX_0, GROUP_INDEX_1, GROUP_INDEX_2, GROUP_INDEX_3, GROUP_INDEX_4, GROUP_INDEX_5, GROUP_INDEX_6, GROUP_INDEX_7,
       GROUP_INDEX_none, GROUP_INDEX_low8 };
enum { FORM_INDEX_mem, FORM_INDEX_rm0, FORM_INDEX_rm1, FORM_INDEX_rm2, FORM_INDEX_rm3, FORM_INDEX_rm4, FORM_INDEX_rm5, FORM_INDEX_rm6,
       FORM_INDEX_rm7, FORM_INDEX_reg, FORM_INDEX_both };

/* insn.id 0 is "no such encoding"; opcodes[1..OPCODE_COUNT-1] are the lines in order. */
extern const struct opcode opcodes[];
extern const unsigned opcode_count;
struct operand_info { const char *name; uint8_t method, size; };
extern const struct operand_info operands[OPERAND_COUNT];

#endif
