; Short loops for test_boundaries.c. ESI, EDI and EBP point at data of 1 KiB each; all ends at UD2. Shifts by other counts than 1 are followed
; by what replaces OF in the same breath: interrupts save flags.
%include "snippets.inc"

    CASE "arithmetic", 0
    mov ecx, 60
    mov eax, 0x12345
.l: add eax, ecx
    adc edx, eax
    rol eax, 1
    sub edx, 0x1234
    sbb ebx, edx
    xor ebx, eax
    cmp ebx, edx
    setb bl
    dec ecx
    jnz .l
    ud2

    CASE "branches", 0
    mov ecx, 50
.l: test cl, 1
    jz .even
    add eax, 3
    jmp .on
.even:
    test cl, 2
    jnz .four
    add edx, ecx
.on:
    loop .l
    jecxz .end
.four:
    inc ebx
    jmp .on
.end:
    ud2

    CASE "memory", 0
    mov ecx, 40
.l: mov eax, [esi + ecx * 4]
    add eax, ecx
    mov [edi + ecx * 4], eax
    add [esi + 8], eax
    inc word [esi + 14]
    mov dl, [edi + ecx]
    mov [ebp + ecx], dl
    xchg eax, [ebp + 64]
    neg dword [ebp + 68]
    setc [ebp + 72]
    dec ecx
    jnz .l
    ud2

    CASE "a group", 0
    mov ecx, 40
.l: mov eax, [esi]
    add eax, [esi + 4]
    mov [esi + 8], eax
    adc dword [esi + 12], 3
    mov dx, [esi + 14]
    mov [esi + 4], edx
    add [esi], ecx
    dec ecx
    jnz .l
    ud2

    CASE "calls", 0
    mov ecx, 25
.l: push ecx
    push eax
    call .f
    pop edx
    pop ecx
    add eax, edx
    lea edx, [.g - .l]
    call .h
    loop .l
    ud2
.f: push ebp
    mov ebp, esp
    mov eax, [ebp + 12]
    sub esp, 8
    mov [ebp - 4], eax
    add eax, [ebp - 4]
    leave
    ret
.g: inc ebx
    ret
.h: push ebx
    call .g
    pop edx
    add ebx, edx
    ret 0

    CASE "a frame and its flags", 0
    mov ecx, 20
.l: pushfd
    push ecx
    push word 3
    add word [esp], 4
    pop ax
    pop edx
    popfd
    lahf
    mov [esi + ecx * 4], eax
    pushad
    add dword [esp + 28], 5
    popad
    sahf
    loop .l
    ud2

    CASE "strings", 0
    mov edx, 20
.l: push esi
    push edi
    mov ecx, 9
    rep movsd
    mov ecx, 5
    mov eax, edx
    rep stosb
    lodsb
    stosw
    sub edi, 20
    mov ecx, 30
    repne scasb
    mov ebx, ecx
    pop edi
    pop esi
    mov ecx, 4
    push esi
    push edi
    repe cmpsb
    pop edi
    pop esi
    dec edx
    jnz .l
    ud2

    CASE "x87", 0
    fninit
    mov ecx, 30
    mov dword [esi], 3
    fild dword [esi]
    fld1
.l: fadd st0, st1
    fst qword [edi + 8]
    fmul qword [edi + 8]
    fistp dword [edi + 16]
    fild dword [edi + 16]
    fxch st1
    fstp qword [edi]
    fld qword [edi]
    fnstsw ax
    mov [edi + 20], ax
    fxch st1
    fprem
    loop .l
    fnstenv [ebp]
    ud2

    CASE "tables", 0
    mov ecx, 30
    call .here
.here:
    pop ebx
    lea eax, [ebx + .one - .here]
    mov [esi], eax
    lea eax, [ebx + .two - .here]
    mov [esi + 4], eax
.l: mov eax, ecx
    and eax, 1
    jmp [esi + eax * 4]
.one:
    add edx, 7
    dec ecx
    jnz .l
    ud2
.two:
    sub edx, 3
    lea eax, [ebx + .one - .here]
    jmp eax

    CASE "code that it writes", 0
    call .here
.here:
    pop ebx
    mov ecx, 20
.l: mov [ebx + .imm - .here], ecx
    nop
    db 0x05
.imm: dd 0
    add edx, eax
    dec ecx
    jnz .l
    ud2

    CASE "selectors", 0
    mov ecx, 20
.l: push ds
    mov ax, ss
    mov ss, ax
    inc edx
    push ss
    pop ss
    inc edx
    pop es
    mov ax, es
    mov fs, ax
    mov eax, [fs:esi + ecx * 4]
    mov [es:edi + ecx * 4], eax
    loop .l
    ud2
    LAST
