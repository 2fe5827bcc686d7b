; Real mode: interrupt table, 64 KiB limits and their faults, big limits that survive protected mode, A20, far transfers.
%define REAL_FIRST
%include "bare.inc"

main:
    PASS

    bits 16
%macro RCHECK 2
    cmp %1, %2
    je %%ok
%assign steps steps + 1
    mov dword [cs:step], steps
    jmp real_fail
%%ok:
%endmacro
; The instruction must come to this vector of the interrupt table, IP at its start.
%macro RFAULT 2+
    mov word [cs:%1 * 4], %%handler
    mov word [cs:%1 * 4 + 2], 0
    mov [cs:real_sp], sp
%%at:
    %2
%assign steps steps + 1
    mov dword [cs:step], steps
    jmp real_fail
%%handler:
    pop word [cs:real_ip]
    pop word [cs:real_cs]
    pop word [cs:real_flags]
    RCHECK word [cs:real_ip], %%at
    RCHECK word [cs:real_cs], 0
    RCHECK [cs:real_sp], sp
%endmacro
real_ip: dw 0
real_cs: dw 0
real_flags: dw 0
real_sp: dw 0

real_fail:
    mov eax, [cs:step]
    out 0xf4, eax
    hlt

real_main:
    ; --- limits --------------------------------------------------------------------------------------------------
    RFAULT 13, mov ax, [0xffff]
    mov bx, 0xfffd
    RFAULT 13, mov eax, [bx]
    mov al, [0xffff]
    RFAULT 13, mov al, [dword 0x10000]
    RFAULT 12, mov ax, [ss:0xffff]
    RFAULT 13, jmp dword 0:0x10000
    RFAULT 6, lldt ax
    RFAULT 6, arpl ax, ax
    RFAULT 6, lar ax, ax
    RFAULT 0, div word [cs:zero]
    RFAULT 13, {times 15 db 0x26}
    ; --- INT and IRET --------------------------------------------------------------------------------------------
    mov word [0x60 * 4], .int60
    mov word [0x60 * 4 + 2], 0
    mov bp, sp
    sti
    pushf
    pop dx
    int 0x60
.after_int:
    pushf
    pop cx
    RCHECK cx, dx
    RCHECK sp, bp
    cli
    jmp .int_done
.int60:
    pushf
    pop cx
    and cx, 0x200
    RCHECK cx, 0
    push bp
    mov bp, sp
    RCHECK word [bp + 2], .after_int
    RCHECK word [bp + 4], 0
    RCHECK word [bp + 6], dx
    pop bp
    iret
.int_done:
    ; --- a table limit that is too low ---------------------------------------------------------------------------
    o32 lidt [short_idt]
    RFAULT 13, int 0x60
    o32 lidt [real_idt]
    ; --- far call, with a segment ----------------------------------------------------------------------------------
    mov bp, sp
    call 0x100:(.callee - $$ + 0x7c00 - 0x1000)
.returned:
    RCHECK sp, bp
    call dword 0x100:(.callee32 - $$ + 0x7c00 - 0x1000)
    RCHECK sp, bp
    jmp .far_done
.callee:
    mov ax, cs
    RCHECK ax, 0x100
    retf
.callee32:
    mov bx, sp
    RCHECK word [bx + 4], 0
    o32 retf
.far_done:
    ; --- A20 -----------------------------------------------------------------------------------------------------
    mov ax, 0xffff
    mov es, ax
    mov word [0x500], 0x1111
    mov word [es:0x510], 0x2222         ; 100500h
    RCHECK word [0x500], 0x1111
    mov al, 4
    out 0xf6, al                        ; A20 masked
    RCHECK word [es:0x510], 0x1111
    mov word [es:0x510], 0x3333
    RCHECK word [0x500], 0x3333
    mov al, 0
    out 0xf6, al
    RCHECK word [es:0x510], 0x2222
    ; --- big limits ----------------------------------------------------------------------------------------------
    o32 lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, KDATA
    mov fs, bx
    mov gs, bx
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0:.real_again
.real_again:
    mov dword [fs:dword 0x200000], 0x12345678
    mov bx, 0x1000
    mov fs, bx                          ; a load keeps the limit, sets the base
    mov eax, [fs:dword 0x1f0000]
    RCHECK eax, 0x12345678
    RFAULT 13, mov al, [dword 0x10000]  ; DS was never loaded there
    mov bx, DATA16
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov fs, bx
    mov gs, bx
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0:.small
.small:
    xor ax, ax
    mov fs, ax
    mov gs, ax
    RFAULT 13, mov al, [fs:dword 0x10000]
    ; --- NMI through the table -----------------------------------------------------------------------------------
    mov word [2 * 4], .nmi
    mov word [2 * 4 + 2], 0
    mov al, 2
    out 0xf6, al
    RCHECK word [nmi_seen], 1
    mov al, 0
    out 0xf6, al
    ret
.nmi:
    inc word [nmi_seen]
    iret
nmi_seen: dw 0
zero: dw 0
short_idt: dw 0x60 * 4 + 2
    dd 0
