; The same as accesses.asm for 16-bit code: SI, DI and BX are the base (DS and ES), or SP and BP (SS).
%include "snippets.inc"
    bits 16
DATA_   equ 0
STACK_  equ 1
UNSURE_ equ 2
%define R(offset, size, n) (((offset) & 0xffff) << 16 | (size) << 8 | (n))
%define W(offset, size, n) (((offset) & 0xffff) << 16 | (size) << 8 | 0x80 | (n))
%macro READS 3+
    CASE %1, DATA_, R(0, %2, 0)
    %3
%endmacro
%macro WRITES 3+
    CASE %1, DATA_, W(0, %2, 0)
    %3
%endmacro
    READS "mov al, m", 1, mov al, [si]
    READS "mov ax, m", 2, mov ax, [si]
    READS "mov eax, m", 4, mov eax, [si]
    CASE "mov ax, m with displacement", DATA_, R(6, 2, 0)
    mov ax, [bx + 6]
    CASE "mov ax, base and index", DATA_, R(0, 2, 1)
    xor si, si
    mov ax, [bx + si]
    READS "add ax, m", 2, add ax, [di]
    READS "lodsw", 2, lodsw
    READS "lodsd", 4, lodsd
    READS "scasb", 1, scasb
    READS "fld qword", 8, fld qword [si]
    READS "fld tword", 10, fld tword [si]
    READS "movq mm0, m", 8, movq mm0, [si]
    READS "movups", 16, movups xmm0, [si]
    WRITES "mov m, al", 1, mov [si], al
    WRITES "mov m, ax", 2, mov [si], ax
    WRITES "mov m, eax", 4, mov [si], eax
    WRITES "mov m, imm", 2, mov word [si], 0x1234
    WRITES "mov m, ds", 2, mov [si], ds
    WRITES "stosw", 2, stosw
    WRITES "add m, ax", 2, add [si], ax
    WRITES "inc byte m", 1, inc byte [si]
    WRITES "xchg m, ax", 2, xchg [si], ax
    WRITES "shl m, 1", 2, shl word [si], 1
    WRITES "fstp qword", 8, fstp qword [si]
    WRITES "fstp tword", 10, fstp tword [si]
    WRITES "fnstcw", 2, fnstcw [si]
    CASE "movsw", DATA_, R(0, 2, 0), W(0, 2, 0)
    movsw
    CASE "cmpsb", DATA_, R(0, 1, 0), R(0, 1, 0)
    cmpsb
    CASE "three in a row", DATA_, R(0, 2, 0), R(2, 2, 1), W(4, 2, 2)
    mov ax, [si]
    add ax, [si + 2]
    mov [si + 4], ax
    CASE "down", DATA_, R(4, 2, 0), W(2, 1, 1), W(0, 2, 2)
    mov ax, [si + 4]
    mov [si + 2], al
    sub [si], ax
    CASE "push m", DATA_, R(0, 2, 0)
    push word [si]
    CASE "pop m", DATA_, W(0, 2, 0)
    pop word [si]
    CASE "push ax", STACK_, W(-2, 2, 0)
    push ax
    CASE "push eax", STACK_, W(-4, 4, 0)
    push eax
    CASE "push imm", STACK_, W(-2, 2, 0)
    push 0x55
    CASE "push ds", STACK_, W(-2, 2, 0)
    push ds
    CASE "pop ax", STACK_, R(0, 2, 0)
    pop ax
    CASE "pop ecx", STACK_, R(0, 4, 0)
    pop ecx
    CASE "pushf", STACK_, W(-2, 2, 0)
    pushf
    CASE "call", STACK_, W(-2, 2, 0)
    call .next
.next:
    CASE "ret", STACK_ + UNSURE_, R(0, 2, 0)
    ret
    CASE "leave", STACK_, R(0, 2, 0)
    leave
    CASE "pushes", STACK_, W(-2, 2, 0), W(-4, 2, 1), W(-6, 2, 2)
    push ax
    push cx
    push dx
    CASE "pops", STACK_, R(0, 2, 0), R(2, 2, 1)
    pop ax
    pop cx
    CASE "off bp", STACK_, R(2, 2, 0), W(-2, 2, 1)
    mov ax, [bp + 2]
    mov [bp - 2], ax
    LAST
