; A ROM in the place of the firmware that tests the CPU: 64 KiB, mapped to end at 4 GiB and at 1 MiB, code segments based at F0000h.
; It writes the number of each section to port 190h, FFh at the end; after a failure FEh and the number of the step (two bytes; the
; listing of nasm -l shows which: mov word [fs:step], N). What it prints goes to COM1.
;
; Written from the manuals [80386PRM, SDM2, SDM3A]; nothing here depends on what they leave undefined.
    cpu 586
    org 0
    bits 16

POST_PORT equ 0x190

; Where things are in RAM
VARS    equ 0x0800
IDT     equ 0x1000
GDT     equ 0x2000
LDT     equ 0x3000
PD      equ 0x4000
PT0     equ 0x5000
PT1     equ 0x6000      ; 400000h on
TSS     equ 0x7000
TSSB    equ 0x7800      ; 16-bit
TSSC    equ 0x7c00      ; 32-bit, another
RING0   equ 0xf000      ; ESP0, in STACK
DATA_AT equ 0x20000
TEST_AT equ 0x400000    ; linear address of the page under test
TEST_PHYS equ 0x9f000

step    equ VARS
want    equ VARS + 4    ; vector
want_error equ VARS + 8
want_eip equ VARS + 12
want_cs equ VARS + 16
resume  equ VARS + 20
resume_esp equ VARS + 24                ; and SS
got_esp equ VARS + 32
got_eflags equ VARS + 36

; Selectors
CODE16  equ 0x08
CODE    equ 0x10        ; 32-bit, base F0000h, limit FFFFh
CODEU   equ 0x1b        ; the same for ring 3
CONF    equ 0x20
FLAT    equ 0x28
FLATU   equ 0x33
STACK   equ 0x38        ; base 10000h, 32-bit
STACKU  equ 0x43
LDTS    equ 0x48
TSSS    equ 0x50
TSSBS   equ 0x58
GATE    equ 0x60
GATEB   equ 0x68
DATA    equ 0x70        ; base 20000h, limit FFFFFh bytes
DATAB   equ 0x78        ; the same with a 16-bit stack
RODATA  equ 0x83        ; read-only, for ring 3
TSSCS   equ 0x88
FREE    equ 0x90
DATAU   equ 0x9b
GDT_SIZE equ 0xa0
IN_LDT  equ 0x0c        ; second of the LDT

%assign steps 0
%assign where 0xf000
%macro STEP 0
%assign steps steps + 1
    mov word [fs:step], steps
%endmacro
%macro POST 1
    mov al, %1
    mov dx, POST_PORT
    out dx, al
%endmacro
%macro CHECK 2
    cmp %1, %2
    je %%ok
    STEP
    jmp fail
%%ok:
%endmacro
%macro CHECKCC 1
    j%1 %%ok
    STEP
    jmp fail
%%ok:
%endmacro
%macro EXPECT 5                         ; vector, error code, cs, eip, where to go on
    STEP
    mov dword [fs:want], %1
    mov dword [fs:want_error], %2
    mov dword [fs:want_cs], %3
    mov dword [fs:want_eip], %4
    mov dword [fs:resume], %5
    mov [fs:resume_esp], esp
    mov [fs:resume_esp + 4], ss
%endmacro
%macro FAULT 3+                         ; in ring 0
    EXPECT %1, %2, CODE, %%at, %%after
%%at:
    %3
    jmp fail
%%after:
%endmacro
%macro USER 1                           ; to ring 3; INT 30h comes back
    EXPECT 0x30, 0, CODEU, -1, %%back
    push dword %1
    jmp to_user
%%back:
%endmacro
%macro USERFAULT 3                      ; vector, error code, label
    EXPECT %1, %2, CODEU, %3, %%back
    push dword %3
    jmp to_user
%%back:
%endmacro
%macro V86 2                            ; flags, label: INT 30h comes back, by IOPL 3
    EXPECT 0x30, 0, where, -1, %%back
    push dword %1
    push dword %2
    jmp to_v86
%%back:
%endmacro
%macro V86FAULT 4                       ; vector, error code, flags, label
    EXPECT %1, %2, where, %4, %%back
    push dword %3
    push dword %4
    jmp to_v86
%%back:
%endmacro
%macro GATE32 4                         ; where in RAM, selector, offset, access word
    mov word [fs:%1], (%3) & 0xffff
    mov word [fs:%1 + 2], %2
    mov word [fs:%1 + 4], %4
    mov word [fs:%1 + 6], 0
%endmacro

; --- real mode ---------------------------------------------------------------------------------------------------
%macro RCHECK 2
    cmp %1, %2
    je %%ok
%assign steps steps + 1
    mov bx, steps
    jmp real_fail
%%ok:
%endmacro
%macro RFAULT 2+
    mov word [fs:%1 * 4], %%handler
    mov word [fs:%1 * 4 + 2], where
    mov sp, 0xffff                      ; odd, and no wrap
%%at:
    %2
    xor bp, bp
%%handler:
    RCHECK sp, 0xffff - 6
    RCHECK word [ss:0xffff - 6], %%at
    RCHECK word [ss:0xffff - 4], where
%endmacro

begin:
    cli
    cld
    POST 0x01
    xor ax, ax
    mov fs, ax
    mov ax, 0x1000
    mov ss, ax
    mov sp, 0xffff
    mov ax, DATA_AT >> 4
    mov ds, ax
    mov ax, 0x6000
    mov es, ax
    mov ax, cs
    RCHECK ax, where
    RFAULT 6, db 0x8e, 0xc8             ; MOV CS
    RFAULT 6, lock mov [0], ax
    RFAULT 0, div word [cs:zero]
    RFAULT 13, mov ax, [0xffff]
    RFAULT 12, mov ax, [ss:0xffff]
    mov sp, 0xfff0
    mov al, [cs:zero]                   ; the ROM does not change
    mov ax, cs
    mov ds, ax
    mov byte [zero], 0x5a
    not byte [zero]
    RCHECK byte [zero], 0
    mov eax, [fs:dword zero + 0xf0000 - 0]      ; beyond 64 KiB: never reached
real_fail:
    mov al, 0xfe
    mov dx, POST_PORT
    out dx, al
    mov al, bl
    out dx, al
    mov al, bh
    out dx, al
    hlt
    jmp real_fail
