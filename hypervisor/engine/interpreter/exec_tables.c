/* The handlers of each line of opcodes.def, by form and operand size. */
#include "engine/interpreter/handlers.h"
#include "engine/interpreter/interpreter.h"

/* Indexed as opcodes[]: the lines in order, after "no such encoding". Handlers: register 16, 32, memory 16, 32. */
static exec_fn *const handlers[][4] = {
    { exec_undefined, exec_undefined, exec_undefined, exec_undefined },
#define OP(map, prefix, opcode, group, form, mnemonic, ...) { exec_##mnemonic, exec_##mnemonic, exec_##mnemonic, exec_##mnemonic },
#define OPF(map, prefix, opcode, group, form, mnemonic, ...) \
    { exec_##mnemonic##_r, exec_##mnemonic##_r, exec_##mnemonic##_m, exec_##mnemonic##_m },
#define OPB(map, prefix, opcode, group, form, mnemonic, dst, src, ...) \
    { exec_##mnemonic##_##dst##_##src##_r, exec_##mnemonic##_##dst##_##src##_r, \
      exec_##mnemonic##_##dst##_##src##_m, exec_##mnemonic##_##dst##_##src##_m },
#define OPS(map, prefix, opcode, group, form, mnemonic, dst, src, ...) \
    { exec_##mnemonic##_##dst##_##src##_16, exec_##mnemonic##_##dst##_##src##_32, \
      exec_##mnemonic##_##dst##_##src##_16, exec_##mnemonic##_##dst##_##src##_32 },
#define OPV(map, prefix, opcode, group, form, mnemonic, dst, src, ...) \
    { exec_##mnemonic##_##dst##_##src##_r16, exec_##mnemonic##_##dst##_##src##_r32, \
      exec_##mnemonic##_##dst##_##src##_m16, exec_##mnemonic##_##dst##_##src##_m32 },
#include "x86/opcodes.def"
#undef OP
#undef OPF
#undef OPB
#undef OPS
#undef OPV
};

exec_fn *exec_lookup(const struct insn *i)
{
    return handlers[i->id][(i->flags & INSN_MEMORY ? 2 : 0) + (i->flags & INSN_OPERAND32 ? 1 : 0)];
}
