; Code whose translations are kept in golden.txt. Kind: the mode, and PLAIN_ when the form for hosts without BMI2 is kept as well.
%include "snippets.inc"

FLAT_    equ 0
REAL_    equ 1
SEGS_    equ 2                          ; 32-bit, DS with a base, ES with a base and a limit
V86_     equ 3
PLAIN_   equ 16

%macro ONE 2+                           ; name, instruction: in flat code
    CASE %1, FLAT_
    %2
%endmacro
%macro ONE_BOTH 2+
    CASE %1, FLAT_ + PLAIN_
    %2
%endmacro
%macro ONE_REAL 2+
    CASE %1, REAL_
    bits 16
    %2
    bits 32
%endmacro
%macro ONE_SEGS 2+
    CASE %1, SEGS_
    %2
%endmacro

    ; moves
    ONE "mov between registers", mov ecx, eax
    ONE "mov of an immediate", mov ebx, 0x12345678
    ONE "mov of an 8-bit high register", mov ch, dh
    ONE_BOTH "load [reg]", mov eax, [esi]
    ONE_BOTH "load with displacement", mov ecx, [edi + 0x44]
    ONE_BOTH "load with index", mov eax, [ebx + ecx * 4 + 0x10]
    ONE "load of an absolute address", mov eax, [0x8048000]
    ONE "load of a word", mov dx, [esi + 2]
    ONE_BOTH "load of a byte", mov al, [esi + 2]
    ONE "load of a high byte", mov ah, [esi + 2]
    ONE "load off ebp", mov eax, [ebp - 8]
    ONE "load off esp", mov eax, [esp + 8]
    ONE "load through fs", mov eax, [fs:0x14]
    ONE_BOTH "store [reg]", mov [esi], eax
    ONE "store with displacement", mov [edi + 8], ecx
    ONE "store of an immediate", mov dword [edi + 8], 5
    ONE "store of a byte", mov [edi], cl
    ONE "store of ch", mov [edi], ch
    ONE "movzx", movzx eax, byte [esi]
    ONE "movsx of a register", movsx eax, cx
    ONE "xchg", xchg eax, ebx
    ONE "bswap", bswap ecx
    ONE "cmov", cmovz eax, [esi]
    ONE "setcc", setnz al
    ONE "cdq", cdq
    ONE "lea", lea eax, [ebx + ecx * 8 + 4]
    ONE "lea of 16 bits", lea ax, [ebx + 4]

    ; arithmetic
    ONE "add registers", add eax, ecx
    ONE "add an immediate", add ecx, 0x1000
    ONE "add from memory", add eax, [esi]
    ONE_BOTH "add to memory", add [esi], eax
    ONE "inc", inc ecx
    ONE "dec of memory", dec dword [esi]
    ONE "adc, sbb", adc eax, [esi + 4]
    ONE "cmp with memory", cmp dword [esi + 4], 7
    ONE "test", test eax, eax
    ONE "imul", imul eax, ecx
    ONE "mul", mul ecx
    ONE "div", div ecx
    ONE "shl by a constant, OF dead", shl eax, 3
    CASE "shl by a constant, OF replaced", FLAT_
    shl eax, 3
    add eax, ecx
    CASE "shl by a constant, OF read", FLAT_
    shl eax, 3
    jo .x
.x:
    CASE "shr by cl", FLAT_
    shr edx, cl
    add edx, eax
    ONE "rol by 1", rol eax, 1
    CASE "shld", FLAT_
    shld eax, edx, 4
    add eax, ecx
    ONE "bt", bt eax, 3
    ONE "lock add", lock add [esi], eax
    ONE "cmpxchg", lock cmpxchg [esi], ecx
    ONE "xadd", lock xadd [esi], eax
    ONE "cld", cld
    ONE "daa", daa

    ; stack
    ONE_BOTH "push", push eax
    ONE "push of an immediate", push 0x44
    ONE "push of memory", push dword [esi + 4]
    ONE_BOTH "pop", pop ebx
    ONE "pushf", pushfd
    ONE "leave", leave
    CASE "a prologue", FLAT_
    push ebp
    mov ebp, esp
    push ebx
    sub esp, 16
    mov eax, [ebp + 8]
    CASE "an epilogue", FLAT_
    mov eax, ebx
    pop ebx
    pop esi
    pop ebp
    ret

    ; branches
    ONE_BOTH "call", call $ + 0x100
    ONE "call of another page", call $ + 0x10000
    ONE_BOTH "ret", ret
    ONE "ret n", ret 8
    ONE "call of a register", call eax
    ONE "call through memory", call [esi + 8]
    ONE "jmp through a table", jmp [eax * 4 + 0x8048000]
    CASE "jcc", FLAT_
    test eax, eax
    jz $ + 0x80
    CASE "jcc backwards", FLAT_
.b: dec eax
    jnz .b
    CASE "loop", FLAT_
.l: add eax, [esi]
    loop .l
    ONE "jecxz", jecxz $ + 0x20

    ; strings
    ONE "movsd", movsd
    ONE "lodsb", lodsb
    ONE "stosd", stosd
    ONE "rep movsd", rep movsd
    ONE "repne scasb", repne scasb

    ; x87, MMX, SSE
    ONE "fld", fld qword [esi]
    ONE "fadd of registers", fadd st0, st1
    CASE "a sum of products", FLAT_
    fld qword [esi]
    fmul qword [edi + 8]
    faddp st1, st0
    CASE "x87 on the stack's frame", FLAT_
    fld qword [ebp - 8]
    fadd qword [ebp - 16]
    fstp qword [ebp - 24]
    ONE "fstp", fstp dword [esi]
    ONE "fild", fild word [esi]
    ONE "fnstsw", fnstsw ax
    ONE "fldcw", fldcw [esi]
    ONE "movq", movq mm0, [esi]
    ONE "paddw", paddw mm0, mm1
    ONE "movups", movups xmm0, [esi]
    ONE "addps", addps xmm0, xmm1
    ONE "addss", addss xmm0, [esi]
    ONE "movdqa", movdqa [edi], xmm2
    ONE "cvttsd2si", cvttsd2si ecx, xmm3

    ; groups
    CASE "a group of three", FLAT_ + PLAIN_
    mov eax, [esi + 4]
    add eax, [esi + 8]
    mov [esi + 12], eax
    CASE "a group in a loop", FLAT_
.g: mov eax, [esi]
    mov [esi + 4], eax
    add esi, 8
    dec ecx
    jnz .g
    CASE "copying between two registers", FLAT_
.c: mov eax, [esi]
    mov [edi], eax
    add esi, 4
    add edi, 4
    dec ecx
    jnz .c

    ; systems
    ONE "in", in al, dx
    ONE "cli", cli
    ONE "mov from cr0", mov eax, cr0
    ONE "int", int 0x80

    ; other modes
    ONE_REAL "real: load", mov ax, [bx + si + 4]
    ONE_REAL "real: store", mov [di], al
    ONE_REAL "real: load through es", mov ax, [es:di]
    ONE_REAL "real: 32-bit operand", mov eax, [si]
    ONE_REAL "real: push", push ax
    ONE_REAL "real: pop", pop cx
    ONE_REAL "real: push of a segment", push ds
    ONE_REAL "real: load of a segment", mov es, ax
    ONE_REAL "real: add to memory", add [si], cx
    ONE_REAL "real: near call", call $ + 0x40
    ONE_REAL "real: ret", ret
    ONE_REAL "real: far call", call 0x1000:0x20
    ONE_REAL "real: loop", loop $
    ONE_REAL "real: lodsb", lodsb
    ONE_REAL "real: rep movsw", rep movsw
    ONE_SEGS "segments: load, limit 4 GiB", mov eax, [esi]
    ONE_SEGS "segments: store, limit 4 GiB", mov [esi + 4], eax
    ONE_SEGS "segments: load, a limit", mov eax, [es:esi]
    ONE_SEGS "segments: store, a limit", mov [es:esi], eax
    LAST
