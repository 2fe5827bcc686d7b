; x87 instructions for test_x87.c.
%include "snippets.inc"

; What FNSTENV tells of them. Kinds: POINTER_ and its way; values: FOP, offset of the operand from ESI (or from EBP with STACK_).
REGISTER_ equ 0                         ; records itself
MEMORY_   equ 1                         ; and its operand
STACK_    equ 2                         ; which is off EBP, in SS
CONTROL_  equ 3                         ; records nothing
RESETS_   equ 4                         ; all 0 afterwards
RAISES_   equ 8                         ; with all exceptions unmasked, leaves one pending
FOLLOWS_  equ 9                         ; value: does it wait, and so report the pending one?

    CASE "fld1", REGISTER_, 0x1e8
    fld1
    CASE "fadd st0, st1", REGISTER_, 0x0c1
    fadd st0, st1
    CASE "fxch", REGISTER_, 0x1c9
    fxch
    CASE "fsin", REGISTER_, 0x1fe
    fsin
    CASE "fdivp", REGISTER_, 0x6f9
    fdivp st1, st0
    CASE "fcompp", REGISTER_, 0x6d9
    fcompp
    CASE "ffree", REGISTER_, 0x5c2
    ffree st2
    CASE "fincstp", REGISTER_, 0x1f7
    fincstp
    CASE "fnop", REGISTER_, 0x1d0
    fnop
    CASE "fld dword", MEMORY_, 0x106, 0
    fld dword [esi]
    CASE "fld qword with displacement", MEMORY_, 0x546, 24
    fld qword [esi + 24]
    CASE "fld tword", MEMORY_, 0x36e, 16
    fld tword [esi + 16]
    CASE "fild word", MEMORY_, 0x746, 2
    fild word [esi + 2]
    CASE "fild qword", MEMORY_, 0x76e, 8
    fild qword [esi + 8]
    CASE "fbld", MEMORY_, 0x766, 8
    fbld [esi + 8]
    CASE "fadd dword with index", MEMORY_, 0x004, 12
    fadd dword [esi + ecx * 4]
    CASE "fmul qword", MEMORY_, 0x44e, 8
    fmul qword [esi + 8]
    CASE "fcom dword", MEMORY_, 0x056, 8
    fcom dword [esi + 8]
    CASE "fiadd word", MEMORY_, 0x646, 4
    fiadd word [esi + 4]
    CASE "fst dword", MEMORY_, 0x156, 4
    fst dword [esi + 4]
    CASE "fstp qword", MEMORY_, 0x55e, 32
    fstp qword [esi + 32]
    CASE "fstp tword", MEMORY_, 0x37e, 32
    fstp tword [esi + 32]
    CASE "fistp word", MEMORY_, 0x75e, 32
    fistp word [esi + 32]
    CASE "fistp qword", MEMORY_, 0x77e, 32
    fistp qword [esi + 32]
    CASE "fbstp", MEMORY_, 0x776, 32
    fbstp [esi + 32]
    CASE "fld qword of the stack", STACK_, 0x545, 8
    fld qword [ebp + 8]
    CASE "fstp dword to the stack", STACK_, 0x15d, -8
    fstp dword [ebp - 8]
    CASE "fnstcw", CONTROL_
    fnstcw [esi + 32]
    CASE "fldcw", CONTROL_
    fldcw [edi - 16]
    CASE "fnstsw m", CONTROL_
    fnstsw [esi + 32]
    CASE "fnstsw ax", CONTROL_
    fnstsw ax
    CASE "fnclex", CONTROL_
    fnclex
    CASE "fwait", CONTROL_
    fwait
    CASE "fninit", RESETS_
    fninit

    CASE "division by zero", RAISES_
    fld1
    fldz
    fdivp st1, st0
    CASE "root of -1", RAISES_
    fld1
    fchs
    fsqrt
    CASE "an inexact quotient", RAISES_
    fld1
    fldpi
    fdivp st1, st0
    CASE "an overflow", RAISES_
    fldpi
    fild dword [edi - 32]               ; 20000
    fxch
    fscale
    CASE "too small for a float", RAISES_
    fild dword [edi - 28]               ; -1000
    fld1
    fscale
    fstp dword [esi + 40]
    CASE "an empty register", RAISES_
    fninit
    fldcw [edi - 14]
    fadd st0, st1
    CASE "a full stack", RAISES_
    fld1
    fld1
    fld1
    fld1
    fld1
    fld1
    fld1
    CASE "too large for a word", RAISES_
    fld dword [edi - 24]                ; 1e10
    fistp word [esi + 40]
    CASE "a mask that is taken away", RAISES_
    fldcw [edi - 16]
    fld1
    fldz
    fdivp st1, st0
    fldcw [edi - 14]

    CASE "fld1 after it", FOLLOWS_, 1
    fld1
    CASE "fadd after it", FOLLOWS_, 1
    fadd st0, st0
    CASE "fld m after it", FOLLOWS_, 1
    fld dword [esi]
    CASE "fstp m after it", FOLLOWS_, 1
    fstp qword [esi + 32]
    CASE "fld tword after it", FOLLOWS_, 1
    fld tword [esi]
    CASE "fldcw after it", FOLLOWS_, 1
    fldcw [edi - 16]
    CASE "fldenv after it", FOLLOWS_, 1
    fldenv [esi]
    CASE "fwait after it", FOLLOWS_, 1
    fwait
    CASE "mmx after it", FOLLOWS_, 1
    paddb mm0, mm1
    CASE "fxch after it", FOLLOWS_, 1
    fxch
    CASE "fnop after it", FOLLOWS_, 1
    fnop
    CASE "emms after it", FOLLOWS_, 1
    emms
    CASE "fnstsw ax after it", FOLLOWS_, 0
    fnstsw ax
    CASE "fnstsw m after it", FOLLOWS_, 0
    fnstsw [esi + 32]
    CASE "fnstcw after it", FOLLOWS_, 0
    fnstcw [esi + 32]
    CASE "fnstenv after it", FOLLOWS_, 0
    fnstenv [esi + 64]
    CASE "fnsave after it", FOLLOWS_, 0
    fnsave [esi + 64]
    CASE "fnclex after it", FOLLOWS_, 0
    fnclex
    CASE "fninit after it", FOLLOWS_, 0
    fninit
    CASE "others after it", FOLLOWS_, 0
    mov eax, [esi]
    add eax, ecx
    mov [esi + 4], eax
    LAST
