/* Prototypes of the instruction handlers, one or more a line of x86/opcodes.def. */
#ifndef INTERPRETER_HANDLERS_H
#define INTERPRETER_HANDLERS_H
#include "engine/interpreter/exec.h"

#define OP(map, prefix, opcode, group, form, mnemonic, ...) exec_fn exec_##mnemonic;
#define OPF(map, prefix, opcode, group, form, mnemonic, ...) exec_fn exec_##mnemonic##_r, exec_##mnemonic##_m;
#define OPB(map, prefix, opcode, group, form, mnemonic, dst, src, ...) \
    exec_fn exec_##mnemonic##_##dst##_##src##_r, exec_##mnemonic##_##dst##_##src##_m;
#define OPS(map, prefix, opcode, group, form, mnemonic, dst, src, ...) \
    exec_fn exec_##mnemonic##_##dst##_##src##_16, exec_##mnemonic##_##dst##_##src##_32;
#define OPV(map, prefix, opcode, group, form, mnemonic, dst, src, ...) \
    exec_fn exec_##mnemonic##_##dst##_##src##_r16, exec_##mnemonic##_##dst##_##src##_r32, \
        exec_##mnemonic##_##dst##_##src##_m16, exec_##mnemonic##_##dst##_##src##_m32;
#include "x86/opcodes.def"
#undef OP
#undef OPF
#undef OPB
#undef OPS
#undef OPV

#endif
