; Virtual-8086 mode: entering, leaving, what is IOPL-sensitive, and with CPUs that have them, the extensions VME and PVI.
%include "bare.inc"

VSS  equ 0x8000
VSP  equ 0x0ff0
IVT60 equ 0x60 * 4

; Enters V86 code at the label (below 64 KiB, CS 0) with these EFLAGS besides VM; it must come back with this vector and error.
%macro V86 4                            ; vector, error, label, eflags
    V86_AT %1, %2, %3, %3, %4
%endmacro
%macro V86_AT 5                         ; vector, error, label, where the fault is (-1: anywhere), eflags
    EXPECT %1, %2, %4, %%back
    push dword 0x4444
    push dword 0x3333
    push dword 0x0000
    push dword 0x1111
    push dword VSS
    push dword VSP
    push dword 0x20002 | (%5)
    push dword 0
    push dword %3
    iretd
%%back:
    test dword [got_eflags], 0x20000
    CHECKCC nz
%endmacro
IOPL3 equ 0x3000
IF_   equ 0x200
VIF_  equ 0x80000
VIP_  equ 0x100000

main:
    ; --- the frame -----------------------------------------------------------------------------------------------
    V86_AT 0x30, -1, v86_segments, -1, IOPL3
    CHECK dword [got_cs], 0
    CHECK dword [got_ss], VSS
    CHECK dword [got_esp], VSP
    CHECK word [got_es], 0x1111
    CHECK word [got_ds], 0
    CHECK word [got_fs], 0x3333
    CHECK word [got_gs], 0x4444
    CHECK dword [got_eax], 0x11113333
    CHECK dword [got_ebx], 0x55667788
    mov eax, ds                         ; the handler found null segments and loaded its own
    CHECK eax, KDATA
    mov eax, fs
    CHECK eax, 0

    ; --- limits: 64 KiB, also for 32-bit addresses ---------------------------------------------------------------
    V86 13, 0, v86_word_ffff, IOPL3
    V86 13, 0, v86_high, IOPL3
    V86 12, 0, v86_stack_ffff, IOPL3
    V86 13, 0, v86_far_high, IOPL3

    ; --- IOPL 0: the monitor sees it all -------------------------------------------------------------------------
    V86 13, 0, v86_cli, IF_
    V86 13, 0, v86_sti, IF_
    V86 13, 0, v86_pushf, IF_
    V86 13, 0, v86_popf, IF_
    V86 13, 0, v86_pushfd, IF_
    V86 13, 0, v86_int, IF_
    V86 13, 0, v86_iret, IF_
    V86 13, 0, v86_hlt, IF_
    V86 13, 0, v86_in, IF_
    V86 13, 0, v86_cr, IF_
    V86 13, 0, v86_lgdt, IF_
    V86 13, 0, v86_clts, IF_
    V86 13, 3 * 8 + 2, v86_int3, IF_    ; INT3 is not sensitive, but its gate has DPL 0
    V86 6, -1, v86_lar, IF_
    V86 6, -1, v86_arpl, IF_
    V86 6, -1, v86_str, IF_
    V86 6, -1, v86_lldt, IF_
    V86 6, -1, v86_verr, IF_

    ; --- IOPL 3 --------------------------------------------------------------------------------------------------
    V86_AT 0x30, -1, v86_flags, -1, IOPL3 | IF_
    CHECK word [got_eax], 0x3202        ; PUSHF
    CHECK word [got_ebx], 0x3002        ; after CLI
    CHECK word [got_ecx], 0x3202        ; after STI
    CHECK word [got_edx], 0x7002        ; POPF of 4002h: NT, IOPL as before
    V86_AT 0x30, -1, v86_irets, -1, IOPL3
    CHECK word [got_eax], 0x1234
    V86 13, 0x202, v86_int, IOPL3       ; a gate with DPL 0
    V86 13, 0, v86_hlt, IOPL3
    V86 13, 0, v86_in, IOPL3            ; ports go by the map alone
    mov word [TSS0_AT + 0x66], 0x100
    V86_AT 0x30, -1, v86_in, -1, IOPL3
    mov word [TSS0_AT + 0x66], 0x1000
    V86 13, 0, v86_cr, IOPL3
    ; a handler that is not at level 0
    DESC SEL, 0, 0xfffff, 0x9f, 0xc     ; conforming
    GATE IDT_AT + 0x41 * 8, SEL, 0, 0xee00
    V86 13, SEL, v86_int41, IOPL3
    DESC SEL, 0, 0xfffff, 0xbb, 0xc     ; level 1
    V86 13, SEL, v86_int41, IOPL3
    ; a far return and call stay in V86 mode
    V86_AT 0x30, -1, v86_far, -1, IOPL3
    CHECK word [got_eax], 0x600
    ; single step in V86 mode
    V86_AT 1, -1, v86_nop, v86_nop + 1, IOPL3 | 0x100
    ; IRET with VM below ring 0 does not enter V86
    USER user_iret

    ; --- VME -----------------------------------------------------------------------------------------------------
    call features
    test edx, 2
    jz done
    mov edi, TSS0_AT + 0x68             ; the redirection map: all to the monitor but 60h
    mov ecx, 32 / 4
    mov eax, -1
    rep stosd
    and byte [TSS0_AT + 0x68 + 0x60 / 8], 0xfe
    mov word [TSS0_AT + 0x66], 0x88
    mov dword [IVT60], v86_handler
    mov eax, 1
    mov cr4, eax
    ; IOPL 0: VIF stands for IF
    V86_AT 13, 0, v86_vif, v86_vif.hlt, IF_ | VIF_
    CHECK word [got_eax], 0x3202        ; PUSHF shows VIF as IF, and IOPL 3
    CHECK word [got_ebx], 0x3002
    CHECK word [got_ecx], 0x3202
    test dword [got_eflags], VIF_
    CHECKCC z
    test dword [got_eflags], IF_
    CHECKCC nz
    ; redirected INT: the program's own handler, VIF cleared, flags image with IF and IOPL 3
    V86_AT 13, 0, v86_int60, v86_int60.hlt, IF_ | VIF_
    CHECK word [got_eax], 0x3202
    CHECK word [got_ebx], 0x3002        ; in the handler
    CHECK dword [got_esp], VSP
    test dword [got_eflags], VIF_       ; IRET brought it back
    CHECKCC nz
    V86 13, 0, v86_int, IF_             ; not redirected, IOPL below 3
    ; VIP: enabling is #GP
    V86 13, 0, v86_sti, IF_ | VIP_
    V86_AT 13, 0, v86_popf_if, v86_popf_if.popf, IF_ | VIP_
    V86_AT 13, 0, v86_popf_tf, v86_popf_tf.popf, IF_
    V86 13, 0, v86_pushfd, IF_          ; 32-bit forms stay sensitive
    ; IOPL 3: redirected with the real IF
    V86_AT 0x30, -1, v86_int60_3, -1, IF_ | IOPL3
    CHECK word [got_eax], 0x3202
    CHECK word [got_ebx], 0x3002
    test dword [got_eflags], IF_
    CHECKCC nz
    V86_AT 0x30, -1, v86_int30, -1, IF_ | IOPL3
    ; PVI: the same flag in protected mode at level 3
    mov eax, 2
    mov cr4, eax
    EXPECT 13, 0, user_pvi.hlt, .pvi
    push dword UDATA
    push dword USTACK
    push dword 0x202
    push dword UCODE
    push dword user_pvi
    iretd
.pvi:
    test dword [got_eflags], VIF_
    CHECKCC nz
    test dword [got_ebx], VIF_
    CHECKCC z
    test dword [got_eflags], IF_
    CHECKCC nz
    EXPECT 13, 0, user_sti, .pvi_vip
    push dword UDATA
    push dword USTACK
    push dword 0x202 | VIP_
    push dword UCODE
    push dword user_sti
    iretd
.pvi_vip:
    xor eax, eax
    mov cr4, eax
    USERFAULT 13, 0, user_sti
done:
    PASS

user_iret:
    pushfd
    or dword [esp], 0x20000
    push dword UCODE
    push dword .after
    iretd
.after:
    pushfd
    test dword [esp], 0x20000
    jnz .bad
    KERNEL
.bad:
    ud2
user_pvi:
    sti
    cli
    pushfd
    pop ebx
    sti
.hlt:
    hlt
user_sti:
    sti
    hlt

    bits 16
v86_segments:
    mov ax, es
    shl eax, 16
    mov ax, fs
    mov ebx, 0x55667788
    mov [es:0x20], ebx
    xor ebx, ebx
    mov cx, 0x1112
    mov ds, cx
    mov ebx, [0x10]                     ; 1111:0020
    xor cx, cx
    mov ds, cx
    int 0x30
v86_word_ffff: mov ax, [0xffff]
v86_high: mov ax, [dword 0x10000]
v86_stack_ffff: mov ax, [ss:0xffff]
v86_far_high: jmp dword 0:0x12345
v86_cli: cli
v86_sti: sti
v86_pushf: pushf
v86_popf: popf
v86_pushfd: pushfd
v86_int: int 0x40
v86_int3: int3
v86_iret: iret
v86_hlt: hlt
v86_in:
    in al, 0xf4
    int 0x30
v86_cr: mov eax, cr0
v86_lgdt: lgdt [0]
v86_clts: clts
v86_lar: lar ax, cx
v86_arpl: arpl ax, cx
v86_str: str ax
v86_lldt: lldt ax
v86_verr: verr ax
v86_nop:
    nop
    hlt
v86_int41: int 0x41
v86_int30: int 0x30
v86_flags:
    pushf
    pop ax
    cli
    pushf
    pop bx
    sti
    pushf
    pop cx
    push word 0x4002
    popf
    pushf
    pop dx
    push word 0x3002
    popf
    int 0x30
v86_irets:
    pushf
    push word 0
    push word .there
    iret
    hlt
.there:
    mov ax, 0x1234
    int 0x30
v86_far:
    mov bx, sp
    call 0x100:(.callee - $$ + 0x7c00 - 0x1000)
    cmp sp, bx
    jne v86_hlt
    int 0x30
.callee:
    mov ax, cs
    add ax, 0x500
    retf
v86_vif:
    pushf
    pop ax
    cli
    pushf
    pop bx
    push word 0x0202
    popf
    pushf
    pop cx
    cli
.hlt:
    hlt
v86_handler:
    pushf
    pop bx
    mov bp, sp
    mov ax, [bp + 4]
    iret
v86_int60:
    int 0x60
.hlt:
    hlt
v86_int60_3:
    int 0x60
    int 0x30
v86_popf_if:
    push word 0x202
.popf:
    popf
v86_popf_tf:
    push word 0x102
.popf:
    popf
