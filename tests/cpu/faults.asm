; Exceptions one by one, double faults, alignment checks; interrupts at instruction boundaries: INTR, NMI, STI and MOV SS shadows, HLT.
%include "bare.inc"

; Ring 3 with EFLAGS.AC set: the instruction at the label must raise #AC(0).
%macro USERFAULT_AC 1
    EXPECT 17, 0, %1, %%back
    push dword UDATA
    push dword USTACK
    push dword 0x40002
    push dword UCODE
    push dword %1
    iretd
%%back:
%endmacro

DATA equ 0x40000
PINS equ 0xf6                           ; bit 0 INTR, 1 NMI; 0F7h: the vector of INTR

main:
    ; --- one by one ----------------------------------------------------------------------------------------------
    xor ecx, ecx
    mov eax, 100
    cdq
    FAULT 0, -1, div ecx
    FAULT 0, -1, idiv cl
    CHECK eax, 100
    CHECK edx, 0
    mov eax, 0x80000000
    cdq
    mov ecx, -1
    FAULT 0, -1, idiv ecx               ; quotient too large
    mov eax, 0x200
    mov cl, 2
    FAULT 0, -1, div cl
    xor eax, eax
    FAULT 0, -1, db 0xd4, 0             ; AAM 0
    test dword [got_eflags], 0x10000    ; faults save RF
    CHECKCC nz
    mov dword [DATA], 10
    mov dword [DATA + 4], 20
    mov eax, 10
    bound eax, [DATA]
    mov eax, 20
    bound eax, [DATA]
    mov eax, 21
    FAULT 5, -1, bound eax, [DATA]
    mov eax, -1
    FAULT 5, -1, bound eax, [DATA]
    mov dword [DATA], 0x0005fffb        ; -5 to 5, 16 bits
    mov ax, -6
    FAULT 5, -1, bound ax, [DATA]
    mov ax, -5
    bound ax, [DATA]
    FAULT 6, -1, ud2
    FAULT 6, -1, db 0x0f, 0xff
    FAULT 6, -1, db 0xf0, 0x90          ; LOCK NOP
    FAULT 6, -1, db 0xf0, 0x01, 0xc0    ; LOCK on a register
    FAULT 6, -1, db 0x8d, 0xc0          ; LEA of a register
    FAULT 6, -1, db 0x0f, 0x20, 0xc8    ; CR1
    FAULT 6, -1, db 0x0f, 0x20, 0xf8    ; CR7
    FAULT 13, 0, {times 15 db 0x66}     ; more than 15 bytes
    mov eax, cr0
    or eax, 4                           ; EM
    mov cr0, eax
    FAULT 7, -1, fld1
    and eax, ~4
    or eax, 8                           ; TS
    mov cr0, eax
    FAULT 7, -1, fld1
    wait
    or eax, 2                           ; MP too
    mov cr0, eax
    FAULT 7, -1, wait
    clts
    mov eax, cr0
    and eax, ~2
    mov cr0, eax
    fninit
    ; control register rules
    mov eax, cr0
    mov ebx, eax
    and eax, ~1
    or eax, 0x80000000                  ; PG without PE
    FAULT 13, 0, mov cr0, eax
    mov eax, cr0
    CHECK eax, ebx
    lmsw bx
    mov ecx, ebx
    and ecx, ~1                         ; LMSW does not clear PE
    lmsw cx
    mov eax, cr0
    CHECK eax, ebx
    smsw eax
    CHECK ax, bx
    ; a stack fault, and what the frame says
    mov esi, esp
    DESC SEL, 0, 0xfff, 0x93, 4
    mov ecx, SEL
    EXPECT 12, 0, .push_at, .push_after
    mov ebp, 0x2000
    mov ss, cx
    mov esp, 0x1000
.push_at:
    mov eax, [ebp]
.push_after:
    mov ax, KDATA
    mov ss, ax
    mov esp, esi
    FAULT 13, 0, mov eax, [cs:DATA + 0xffffffff - DATA]

    ; --- double faults -------------------------------------------------------------------------------------------
    GATE IDT_AT + 13 * 8, KDATA, 0, 0x8e00
    EXPECT 8, 0, .gp, .gp_after         ; #GP, then #GP
.gp:
    lgdt [fs:0]
    jmp fail
.gp_after:
    GATE IDT_AT + 13 * 8, KCODE, 0, 0x0e00
    EXPECT 8, 0, .np, .np_after         ; #GP, then #NP
.np:
    lgdt [fs:0]
    jmp fail
.np_after:
    GATE IDT_AT + 13 * 8, KCODE, stubs + 13 * 16, 0x8e00
    GATE IDT_AT + 0 * 8, KDATA, 0, 0x8e00
    xor ecx, ecx
    EXPECT 8, 0, .de, .de_after         ; #DE, then #GP
.de:
    div ecx
    jmp fail
.de_after:
    FAULT 13, KDATA, int 0              ; INT 0 is no contributory event, and not external
    GATE IDT_AT + 0 * 8, KCODE, stubs, 0x8e00
    GATE IDT_AT + 6 * 8, KDATA, 0, 0x8e00
    FAULT 13, KDATA + 1, ud2            ; #UD is benign: #GP follows it, EXT set
    GATE IDT_AT + 6 * 8, KCODE, 0, 0x0e00
    FAULT 11, 6 * 8 + 3, ud2
    GATE IDT_AT + 6 * 8, KCODE, stubs + 6 * 16, 0x8e00

    ; --- alignment -----------------------------------------------------------------------------------------------
    pushfd
    mov eax, [esp]
    or dword [esp], 0x40000
    popfd
    pushfd
    pop ebx
    push eax
    popfd
    test ebx, 0x40000
    jz .no_ac                           ; a 386
    mov eax, cr0
    or eax, 0x40000                     ; AM
    mov cr0, eax
    USER user_aligned
    USERFAULT_AC user_ac_word
    USERFAULT_AC user_ac_dword
    USERFAULT_AC user_ac_write
    USERFAULT_AC user_ac_rmw
    USERFAULT_AC user_ac_push
    USERFAULT_AC user_ac_cross
    pushfd                              ; ring 0 is not checked
    or dword [esp], 0x40000
    popfd
    mov eax, [DATA + 1]
    pushfd
    and dword [esp], ~0x40000
    popfd
    mov eax, cr0
    and eax, ~0x40000
    mov cr0, eax
    USER user_unaligned
.no_ac:

    ; --- INTR ----------------------------------------------------------------------------------------------------
    mov al, 0x38
    out PINS + 1, al
    mov al, 1
    out PINS, al                        ; IF is clear: it waits
    nop
    mov ecx, 5
    EXPECT 0x38, -1, .shadow, .shadow
    sti
    inc ecx                             ; STI's shadow
.shadow:
    CHECK ecx, 6
    in al, PINS
    test al, 1                          ; acknowledged
    CHECKCC z
    test dword [got_eflags], 0x200
    CHECKCC nz
    pushfd                              ; an interrupt gate cleared IF
    test dword [esp], 0x200
    CHECKCC z
    popfd
    ; STI, CLI: nothing comes through
    mov al, 1
    out PINS, al
    sti
    cli
    nop
    in al, PINS
    test al, 1
    CHECKCC nz
    ; MOV SS after STI keeps it off for one more
    mov edx, ss
    EXPECT 0x38, -1, .ss, .ss
    sti
    nop
.ss:
    ; POPF and IRET enable at once
    mov al, 1
    out PINS, al
    EXPECT 0x38, -1, .popf, .popf
    push dword 0x202
    popfd
.popf:
    mov al, 1
    out PINS, al
    EXPECT 0x38, -1, .iret, .iret
    push dword 0x202
    push dword KCODE
    push dword .iret
    iretd
.iret:
    ; MOV SS
    mov edx, ss
    mov al, 1
    EXPECT 0x38, -1, .mov_ss, .mov_ss
    mov ecx, 1
    sti
    mov ss, dx                          ; in STI's shadow, and casts its own
    out PINS, al                        ; raised in MOV SS's shadow: taken after this
.mov_ss:
    ; HLT waits for it; the saved EIP is behind HLT
    mov al, 1
    out PINS, al
    EXPECT 0x38, -1, .halted, .halted
    sti
    hlt
.halted:
    ; a repeated instruction is left and resumed
    mov dword [count], 0
    GATE IDT_AT + 0x39 * 8, KCODE, counting, 0x8e00
    mov al, 0x39
    out PINS + 1, al
    mov edi, DATA
    mov ecx, 0x1000
    mov al, 1
    out PINS, al
    sti
    nop
    rep stosb
    cli
    CHECK ecx, 0
    CHECK edi, DATA + 0x1000
    CHECK dword [count], 1

    ; --- NMI -----------------------------------------------------------------------------------------------------
    mov al, 2
    EXPECT 2, -1, .nmi, .nmi
    out PINS, al
.nmi:
    mov al, 0
    out PINS, al
    mov al, 2
    out PINS, al                        ; blocked: no IRET yet
    nop
    nop
    EXPECT 2, -1, .unblocked, .unblocked
    pushfd
    push dword KCODE
    push dword .unblocked
    iretd                               ; now it comes
.unblocked:
    mov al, 0
    out PINS, al
    pushfd
    push dword KCODE
    push dword .quiet
    iretd
.quiet:
    nop
    PASS

counting:
    inc dword [count]
    iretd
count: dd 0

user_aligned:
    mov eax, UDATA
    mov ds, ax
    pushfd
    or dword [esp], 0x40000
    popfd
    mov eax, [DATA]
    mov ax, [DATA + 2]
    mov al, [DATA + 1]
    mov [DATA + 4], eax
    KERNEL
user_unaligned:
    pushfd
    or dword [esp], 0x40000
    popfd
    mov eax, [ss:DATA + 1]              ; AM is clear
    KERNEL
user_ac_word: mov ax, [ss:DATA + 1]
user_ac_dword: mov eax, [ss:DATA + 2]
user_ac_write: mov [ss:DATA + 2], eax
user_ac_rmw: inc dword [ss:DATA + 2]
user_ac_push: push dword [esp + 1]
user_ac_cross: mov eax, [ss:DATA + 0xffe]
