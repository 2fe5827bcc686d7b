; Accesses to memory for test_edges.c: what each reads and writes, in which order, so that the test knows which of them faults.
; Kind: DATA_ (ESI, EDI, EBX are the base, segments DS and ES) or STACK_ (ESP and EBP are, segment SS).
; A value a page-checked access: (offset from the base) << 16 | size << 8 | write << 7 | (number of the instruction).
%include "snippets.inc"

DATA_   equ 0
STACK_  equ 1
UNSURE_ equ 2                           ; added: where it ends when nothing faults is not known (branches)
%define R(offset, size, n) (((offset) & 0xffff) << 16 | (size) << 8 | (n))
%define W(offset, size, n) (((offset) & 0xffff) << 16 | (size) << 8 | 0x80 | (n))

; One access. macro: name, size, instruction
%macro READS 3+
    CASE %1, DATA_, R(0, %2, 0)
    %3
%endmacro
%macro WRITES 3+
    CASE %1, DATA_, W(0, %2, 0)
    %3
%endmacro

    READS "mov al, m", 1, mov al, [esi]
    READS "mov ax, m", 2, mov ax, [esi]
    READS "mov eax, m", 4, mov eax, [esi]
    READS "mov ah, m", 1, mov ah, [esi]
    READS "mov ecx, m", 4, mov ecx, [edi]
    READS "mov ch, m", 1, mov ch, [ebx]
    CASE "mov eax, moffs is beside it", DATA_, R(4, 4, 0)
    mov eax, [esi + 4]
    CASE "mov eax, base and index", DATA_, R(0, 4, 1)
    xor ecx, ecx
    mov eax, [esi + ecx * 4]
    READS "movzx eax, byte", 1, movzx eax, byte [esi]
    READS "movzx ecx, word", 2, movzx ecx, word [esi]
    READS "movsx eax, word", 2, movsx eax, word [esi]
    READS "add eax, m", 4, add eax, [esi]
    READS "adc cl, m", 1, adc cl, [esi]
    READS "cmp m, al", 1, cmp [esi], al
    READS "cmp m, imm", 4, cmp dword [esi], 0x12345
    READS "cmp word m, imm8", 2, cmp word [esi], 5
    READS "test m, eax", 4, test [esi], eax
    READS "test m, imm", 4, test dword [esi], 0x8000000
    READS "imul eax, m", 4, imul eax, [esi]
    READS "imul eax, m, imm", 4, imul eax, [esi], 1000
    READS "mul m", 4, mul dword [esi]
    READS "mul byte m", 1, mul byte [esi]
    READS "bt m, imm", 4, bt dword [esi], 5
    READS "bt m, ecx", 4, bt [esi], ecx
    READS "bsf eax, m", 4, bsf eax, [esi]
    READS "cmovz eax, m", 4, cmovz eax, [esi]
    READS "lodsb", 1, lodsb
    READS "lodsw", 2, lodsw
    READS "lodsd", 4, lodsd
    READS "scasw", 2, scasw
    READS "fld dword", 4, fld dword [esi]
    READS "fld qword", 8, fld qword [esi]
    READS "fld tword", 10, fld tword [esi]
    READS "fild word", 2, fild word [esi]
    READS "fild dword", 4, fild dword [esi]
    READS "fild qword", 8, fild qword [esi]
    READS "fbld", 10, fbld [esi]
    READS "fadd qword", 8, fadd qword [esi]
    READS "fcomp dword", 4, fcomp dword [esi]
    READS "fiadd word", 2, fiadd word [esi]
    READS "fldcw", 2, fldcw [esi]
    READS "movd mm0, m", 4, movd mm0, [esi]
    READS "movq mm0, m", 8, movq mm0, [esi]
    READS "paddb mm1, m", 8, paddb mm1, [esi]
    READS "movss", 4, movss xmm0, [esi]
    READS "movlps", 8, movlps xmm0, [esi]
    READS "movups", 16, movups xmm0, [esi]
    CASE "lds is two accesses, or one", DATA_ + UNSURE_
    lds eax, [esi]
    CASE "bound", DATA_ + UNSURE_
    bound eax, [esi]

    WRITES "mov m, al", 1, mov [esi], al
    WRITES "mov m, ch", 1, mov [esi], ch
    WRITES "mov m, ax", 2, mov [esi], ax
    WRITES "mov m, ecx", 4, mov [esi], ecx
    WRITES "mov m, imm8", 1, mov byte [esi], 0x55
    WRITES "mov m, imm16", 2, mov word [esi], 0x5566
    WRITES "mov m, imm32", 4, mov dword [esi], 0x55667788
    WRITES "mov m, ds", 2, mov [esi], ds
    WRITES "setc m", 1, setc [esi]
    WRITES "setnz m", 1, setnz [edi]
    WRITES "stosb", 1, stosb
    WRITES "stosw", 2, stosw
    WRITES "stosd", 4, stosd
    WRITES "fst dword", 4, fst dword [esi]
    WRITES "fstp qword", 8, fstp qword [esi]
    WRITES "fstp tword", 10, fstp tword [esi]
    WRITES "fistp word", 2, fistp word [esi]
    WRITES "fist dword", 4, fist dword [esi]
    WRITES "fistp qword", 8, fistp qword [esi]
    WRITES "fbstp", 10, fbstp [esi]
    WRITES "fnstcw", 2, fnstcw [esi]
    WRITES "fnstsw", 2, fnstsw [esi]
    WRITES "movd m, mm0", 4, movd [esi], mm0
    WRITES "movq m, mm0", 8, movq [esi], mm0
    WRITES "movss m", 4, movss [esi], xmm0
    WRITES "movups m", 16, movups [esi], xmm0
    CASE "fnstenv", DATA_
    fnstenv [esi]
    CASE "fnsave", DATA_
    fnsave [esi]

    WRITES "add m, al", 1, add [esi], al
    WRITES "add m, ax", 2, add [esi], ax
    WRITES "add m, eax", 4, add [esi], eax
    WRITES "adc m, imm", 4, adc dword [esi], 0x1234567
    WRITES "sbb word m, imm8", 2, sbb word [esi], 3
    WRITES "or m, dh", 1, or [esi], dh
    WRITES "xor m, ecx", 4, xor [esi], ecx
    WRITES "inc m", 4, inc dword [esi]
    WRITES "dec byte m", 1, dec byte [esi]
    WRITES "not m", 4, not dword [esi]
    WRITES "neg word m", 2, neg word [esi]
    WRITES "shl m, 1", 4, shl dword [esi], 1
    WRITES "sar m, 5", 4, sar dword [esi], 5
    WRITES "rol word m, cl", 2, rol word [esi], cl
    WRITES "rcr byte m, 1", 1, rcr byte [esi], 1
    WRITES "shld m", 4, shld [esi], eax, 4
    WRITES "xchg m, eax", 4, xchg [esi], eax
    WRITES "xchg m, cl", 1, xchg [esi], cl
    WRITES "xadd m, ecx", 4, xadd [esi], ecx
    WRITES "cmpxchg m, ecx", 4, cmpxchg [esi], ecx
    WRITES "cmpxchg8b", 8, cmpxchg8b [esi]
    WRITES "bts m, imm", 4, bts dword [esi], 9
    WRITES "btr m, ecx", 4, btr [esi], ecx
    WRITES "lock add m, eax", 4, lock add [esi], eax
    WRITES "lock xadd m, edx", 4, lock xadd [esi], edx
    WRITES "lock bts word m", 2, lock bts word [esi], 3

    CASE "movsb", DATA_, R(0, 1, 0), W(0, 1, 0)
    movsb
    CASE "movsw", DATA_, R(0, 2, 0), W(0, 2, 0)
    movsw
    CASE "movsd", DATA_, R(0, 4, 0), W(0, 4, 0)
    movsd
    CASE "cmpsd", DATA_, R(0, 4, 0), R(0, 4, 0)
    cmpsd
    CASE "push m", DATA_, R(0, 4, 0)
    push dword [esi]
    CASE "push word m", DATA_, R(0, 2, 0)
    push word [esi]
    CASE "pop m", DATA_, W(0, 4, 0)
    pop dword [esi]
    CASE "call m", DATA_ + UNSURE_, R(0, 4, 0)
    call [esi]
    CASE "jmp m", DATA_ + UNSURE_, R(0, 4, 0)
    jmp [esi]
    CASE "jmp m after others off it", DATA_ + UNSURE_, R(-4, 4, 0), W(4, 4, 1), R(0, 4, 2)
    mov eax, [esi - 4]
    mov [esi + 4], eax
    jmp [esi]

    CASE "push eax", STACK_, W(-4, 4, 0)
    push eax
    CASE "push ax", STACK_, W(-2, 2, 0)
    push ax
    CASE "push imm8", STACK_, W(-4, 4, 0)
    push -5
    CASE "push imm32", STACK_, W(-4, 4, 0)
    push 0x12345678
    CASE "push esp", STACK_, W(-4, 4, 0)
    push esp
    CASE "push the top", STACK_, R(0, 4, 0), W(-4, 4, 0)
    push dword [esp]
    CASE "push ds", STACK_, W(-4, 4, 0)
    push ds
    CASE "pop eax", STACK_, R(0, 4, 0)
    pop eax
    CASE "pop cx", STACK_, R(0, 2, 0)
    pop cx
    CASE "pop to the stack", STACK_, R(0, 4, 0), W(8, 4, 0)
    pop dword [esp + 4]
    CASE "pushf", STACK_, W(-4, 4, 0)
    pushfd
    CASE "pusha", STACK_
    pushad
    CASE "popa", STACK_ + UNSURE_
    popad
    CASE "call", STACK_, W(-4, 4, 0)
    call .next
.next:
    CASE "call register", STACK_ + UNSURE_, W(-4, 4, 0)
    call edx
    CASE "ret", STACK_ + UNSURE_, R(0, 4, 0)
    ret
    CASE "ret 8", STACK_ + UNSURE_, R(0, 4, 0)
    ret 8
    CASE "leave", STACK_, R(0, 4, 0)
    leave
    CASE "enter", STACK_ + UNSURE_
    enter 12, 0
    CASE "iret", STACK_ + UNSURE_
    iretd
    CASE "retf", STACK_ + UNSURE_
    retf

    ; several off one register: the group's check, and its clone
    CASE "four reads", DATA_, R(0, 4, 0), R(4, 4, 1), R(8, 4, 2), R(12, 4, 3)
    mov eax, [esi]
    mov ecx, [esi + 4]
    mov edx, [esi + 8]
    mov ebp, [esi + 12]
    CASE "reads down", DATA_, R(12, 4, 0), R(8, 2, 1), R(4, 1, 2), R(0, 4, 3)
    mov eax, [esi + 12]
    mov cx, [esi + 8]
    mov dl, [esi + 4]
    add eax, [esi]
    CASE "read, write, change, read", DATA_, R(0, 4, 0), W(4, 4, 1), W(8, 4, 2), R(12, 4, 3)
    mov eax, [esi]
    mov [esi + 4], eax
    add [esi + 8], eax
    mov edx, [esi + 12]
    CASE "bytes and words", DATA_, W(0, 1, 0), W(1, 2, 1), R(3, 1, 2), W(3, 4, 3), R(7, 2, 4)
    mov [esi], al
    mov [esi + 1], dx
    movzx ecx, byte [esi + 3]
    or [esi + 3], ecx
    cmp [esi + 7], ax
    CASE "around a change of another register", DATA_, W(-4, 4, 0), W(0, 4, 2), W(4, 4, 4)
    mov [esi - 4], eax
    lea eax, [ecx + edx * 4]
    mov [esi], eax
    inc eax
    mov [esi + 4], eax
    CASE "until the register moves", DATA_, R(0, 4, 0), R(4, 4, 1), R(8, 4, 3), R(12, 4, 4)
    mov eax, [esi]
    mov ecx, [esi + 4]
    add esi, 8
    mov edx, [esi]
    add edx, [esi + 4]
    CASE "with flags in between", DATA_, R(0, 4, 0), W(4, 4, 1), W(8, 4, 2), W(12, 1, 3)
    add eax, [esi]
    adc [esi + 4], edx
    sbb dword [esi + 8], 0
    setc [esi + 12]
    CASE "x87 off one register", DATA_, R(0, 8, 0), R(8, 8, 1), W(16, 8, 2)
    fld qword [esi]
    fadd qword [esi + 8]
    fstp qword [esi + 16]
    CASE "x87 and others off one register", DATA_, R(0, 4, 0), R(4, 4, 1), W(8, 4, 2), W(12, 2, 3)
    mov eax, [esi]
    fild dword [esi + 4]
    fistp dword [esi + 8]
    fnstcw [esi + 12]
    CASE "off one register, misaligned", DATA_, R(1, 4, 0), W(5, 4, 1), W(11, 2, 2)
    mov eax, [esi + 1]
    mov [esi + 5], eax
    add [esi + 11], ax
    CASE "with a handler in between", DATA_, R(0, 4, 0), R(4, 4, 2), W(8, 4, 3)
    mov eax, [esi]
    aaa
    mov ecx, [esi + 4]
    mov [esi + 8], eax
    CASE "with a branch not taken", DATA_, R(0, 4, 0), R(4, 4, 2), W(8, 4, 4)
    mov eax, [esi]
    jcxz .out
    mov edx, [esi + 4]
    jecxz .out
    mov [esi + 8], edx
.out:
    CASE "with a branch taken over the rest", DATA_, R(0, 4, 0)
    mov eax, [esi]
    jecxz .next
    jmp .out2
.next:
    mov edx, [esi + 4]
    mov [esi + 8], edx
.out2:
    CASE "pushes", STACK_, W(-4, 4, 0), W(-8, 4, 1), W(-12, 4, 2), W(-16, 4, 3)
    push eax
    push ecx
    push 0x77
    push edx
    CASE "pops", STACK_, R(0, 4, 0), R(4, 4, 1), R(8, 4, 2)
    pop eax
    pop ecx
    pop edx
    CASE "a frame", STACK_, W(-4, 4, 0), W(-12, 4, 2), R(-8, 4, 3), W(-16, 4, 4), R(-4, 4, 6)
    push eax
    sub esp, 8
    mov [esp], ecx
    mov edx, [esp + 4]
    push edx
    add esp, 12
    pop eax
    CASE "a frame off ebp", STACK_, W(-4, 4, 0), R(-8, 4, 2), W(-12, 4, 3), R(-4, 4, 4)
    push ebp
    mov ebp, esp
    mov eax, [ebp - 4]
    mov [ebp - 8], eax
    leave
    CASE "words on the stack", STACK_, W(-2, 2, 0), W(-4, 2, 1), R(-4, 4, 2)
    push ax
    push cx
    pop edx
    CASE "push memory, pop memory", STACK_, R(4, 4, 0), W(-4, 4, 0), R(-4, 4, 1), W(8, 4, 1)
    push dword [esp + 4]
    pop dword [esp + 8]
    CASE "call and return", STACK_ + UNSURE_, R(0, 4, 0), W(-4, 4, 1), R(-4, 4, 2)
    mov eax, [esp]
    call .there
.there:
    ret
    CASE "returns over arguments", STACK_ + UNSURE_, R(4, 4, 0), R(8, 4, 1), R(0, 4, 2)
    mov eax, [esp + 4]
    add eax, [esp + 8]
    ret 8
    LAST
