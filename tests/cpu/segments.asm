; Loading segment registers, limits, types, and the instructions that ask about descriptors.
%include "bare.inc"

S1 equ SEL + 0x00
S2 equ SEL + 0x08
S3 equ SEL + 0x10
S4 equ SEL + 0x18
S5 equ SEL + 0x20
LDT_SEL equ SEL + 0x28
LDT_AT  equ 0x4000

%macro ANSWER 3                         ; instruction, selector, expected ZF (1 or 0)
    mov eax, %2
    mov ebx, 0x12345678
%if %3
    cmp al, 0xff                        ; ZF = 0 before
    %1
    CHECKCC z
%else
    cmp eax, eax
    %1
    CHECKCC nz
%endif
%endmacro

main:
    ; --- loading -------------------------------------------------------------------------------------------------
    xor eax, eax
    mov fs, ax                          ; null loads, and faults when used
    FAULT 13, 0, mov al, [fs:0]
    FAULT 13, 0, mov ss, ax
    mov eax, 0x100                      ; beyond the table
    FAULT 13, 0x100, mov fs, ax
    mov eax, 0xfb                       ; inside, RPL dropped from the error code; an empty descriptor
    FAULT 13, 0xf8, mov fs, ax
    mov eax, TSS0                       ; a system descriptor
    FAULT 13, TSS0, mov fs, ax
    DESC S1, 0, 0xfffff, 0x13, 0xc      ; data, not present
    mov eax, S1
    FAULT 11, S1, mov fs, ax
    FAULT 12, S1, mov ss, ax
    DESC S1, 0, 0xfffff, 0x99, 0xc      ; code, execute only
    FAULT 13, S1, mov fs, ax
    FAULT 13, S1, mov ss, ax
    DESC S1, 0, 0xfffff, 0x91, 0xc      ; data, read only
    mov fs, ax
    FAULT 13, S1, mov ss, ax
    mov ebx, [fs:0]
    FAULT 13, 0, mov [fs:0x40000], ebx
    DESC S1, 0, 0xfffff, 0x93, 0xc
    mov eax, S1 + 1                     ; RPL 1: not for SS, not for DPL 0 data
    FAULT 13, S1, mov ss, ax
    FAULT 13, S1, mov fs, ax
    DESC S1, 0, 0xfffff, 0xb3, 0xc      ; DPL 1
    mov fs, ax
    FAULT 13, S1, mov ss, ax
    DESC S1, 0, 0xfffff, 0x9f, 0xc      ; conforming, readable code: any RPL
    mov eax, S1 + 3
    mov fs, ax
    DESC S1, 0, 0xfffff, 0x9b, 0xc      ; readable code, DPL 0
    FAULT 13, S1, mov fs, ax
    mov eax, S1
    mov fs, ax
    mov ebx, [fs:main]
    FAULT 13, 0, mov [fs:0x40000], ebx
    FAULT 13, 0, mov [cs:0x40000], ebx

    ; the accessed bit is written by a load, and only by one that succeeds
    DESC S1, 0, 0xfffff, 0x92, 0xc
    mov eax, S1
    lar ebx, eax
    test byte [gdt + S1 + 5], 1
    CHECKCC z
    mov fs, ax
    test byte [gdt + S1 + 5], 1
    CHECKCC nz
    DESC S1, 0, 0xfffff, 0x12, 0xc
    FAULT 11, S1, mov fs, ax
    test byte [gdt + S1 + 5], 1
    CHECKCC z

    ; a fault leaves the register as it was, and what was loaded stays when the table changes
    DESC S1, 0x40000, 0xff, 0x93, 4
    mov fs, ax
    mov dword [0x40000], 0x55aa
    DESC S1, 0, 0, 0x13, 4
    FAULT 11, S1, mov fs, ax
    mov ebx, fs
    CHECK ebx, S1
    mov ebx, [fs:0]
    CHECK ebx, 0x55aa

    ; POP and the far pointer loads
    push dword 0x100
    mov esi, esp
    FAULT 13, 0x100, pop fs
    CHECK esp, esi
    add esp, 4
    mov dword [0x40100], 0x11223344
    mov word [0x40104], 0x100
    mov edx, 0x77
    FAULT 13, 0x100, lfs edx, [0x40100]
    CHECK edx, 0x77
    mov word [0x40104], KDATA
    lfs edx, [0x40100]
    CHECK edx, 0x11223344
    mov ebx, fs
    CHECK ebx, KDATA
    o16 lgs dx, [0x40102]                ; 16 bits of offset; selector is 0010h of 9104h
    CHECK edx, 0x11221122
    mov ebx, gs
    CHECK ebx, KDATA
    push dword 0xffff0000 | KDATA       ; only the low word counts
    pop gs
    push gs
    pop ebx
    CHECK bx, KDATA
    FAULT 6, -1, db 0x8e, 0xc8          ; MOV CS is undefined

    ; --- limits --------------------------------------------------------------------------------------------------
    DESC S1, 0x40000, 0xff, 0x93, 4      ; 256 bytes up
    mov eax, S1
    mov fs, ax
    mov bl, [fs:0xff]
    FAULT 13, 0, mov bl, [fs:0x100]
    mov bx, [fs:0xfe]
    FAULT 13, 0, mov bx, [fs:0xff]
    mov ebx, [fs:0xfc]
    FAULT 13, 0, mov ebx, [fs:0xfd]
    FAULT 13, 0, mov [fs:0xfd], ebx
    FAULT 13, 0, add [fs:0xfd], ebx
    FAULT 13, 0, mov ebx, [fs:0xffffffff]
    fnsave [0x41000]
    FAULT 13, 0, fnsave [fs:0x95]       ; 108 bytes, one too many
    DESC S1, 0x40000, 0x1, 0x93, 0xc     ; granularity: 2 pages
    mov fs, ax
    mov bl, [fs:0x1fff]
    FAULT 13, 0, mov bl, [fs:0x2000]
    DESC S1, 0x40000, 0xff, 0x97, 4      ; down, 32 bits: 100h to FFFFFFFFh
    mov fs, ax
    FAULT 13, 0, mov bl, [fs:0xff]
    mov bl, [fs:0x100]
    mov ebx, [fs:0x100]
    FAULT 13, 0, mov ebx, [fs:0xfd]
    mov [fs:0x100], ebx
    mov bl, [fs:0xfffff000]
    FAULT 13, 0, mov ebx, [fs:0xfffffffd]
    DESC S1, 0x40000, 0xff, 0x97, 0      ; down, 16 bits: 100h to FFFFh
    mov fs, ax
    mov ebx, [fs:0xfffc]
    FAULT 13, 0, mov ebx, [fs:0xfffd]
    FAULT 13, 0, mov bl, [fs:0x10000]
    FAULT 13, 0, mov bl, [fs:0xff]
    DESC S1, 0x40000, 0xff, 0x95, 4      ; down, read only
    mov fs, ax
    mov bl, [fs:0x100]
    FAULT 13, 0, mov [fs:0x100], bl

    ; the stack segment's faults are #SS; a 16-bit stack uses SP
    DESC S2, 0x60000, 0xffff, 0x93, 0
    mov ecx, esp
    mov eax, S2
    mov ss, ax
    mov esp, 0x12340000
    push eax                            ; wraps to FFFCh, high half kept
    mov edx, esp
    mov ax, KDATA
    mov ss, ax
    mov esp, ecx
    CHECK edx, 0x1234fffc
    CHECK dword [0x6fffc], S2
    mov ebp, 0xf0000000
    DESC S2, 0, 0xfff, 0x93, 4
    mov eax, S2
    EXPECT 12, 0, .ss_at, .ss_after
    mov ss, ax
    mov esp, 0x1000
.ss_at:
    mov ebx, [ebp]                      ; SS by default
.ss_after:
    mov ax, KDATA
    mov ss, ax
    mov esp, ecx

    ; --- LAR, LSL, VERR, VERW ------------------------------------------------------------------------------------
    DESC S1, 0x40000, 0x12345, 0x93, 0xd ; data
    DESC S2, 0, 0xfff, 0x99, 4          ; execute-only code
    DESC S3, 0, 0xfff, 0x91, 4          ; read-only data
    DESC S4, 0, 0xfff, 0x86, 0          ; interrupt gate: not for LAR
    DESC S5, 0, 0xfff, 0x0c, 0          ; call gate, not present: for LAR, not for LSL
    ANSWER {lar ebx, eax}, S1, 1
    CHECK ebx, 0x00d19300
    ANSWER {o16 lar bx, ax}, S1, 1
    CHECK ebx, 0x12349300
    ANSWER {lsl ebx, eax}, S1, 1
    CHECK ebx, 0x12345fff
    ANSWER {o16 lsl bx, ax}, S1, 1
    CHECK ebx, 0x12345fff
    ANSWER {o16 lsl bx, ax}, S2, 1
    CHECK ebx, 0x12340fff
    ANSWER {lsl ebx, eax}, S3, 1
    CHECK ebx, 0xfff
    ANSWER {lar ebx, eax}, 0, 0
    CHECK ebx, 0x12345678
    ANSWER {lar ebx, eax}, 0x200, 0
    ANSWER {lar ebx, eax}, S4, 0
    ANSWER {lsl ebx, eax}, S4, 0
    ANSWER {lar ebx, eax}, S5, 1
    CHECK ebx, 0x00000c00
    ANSWER {lsl ebx, eax}, S5, 0
    CHECK ebx, 0x12345678
    ANSWER {lar ebx, eax}, TSS0, 1
    CHECK ebx, 0x00008b00               ; busy
    ANSWER {lsl ebx, eax}, TSS0, 1
    CHECK ebx, 0xfff
    ANSWER {lar ebx, eax}, S1 + 1, 0    ; RPL above DPL
    ANSWER {verr ax}, S1, 1
    ANSWER {verw ax}, S1, 1
    ANSWER {verr ax}, S2, 0
    ANSWER {verw ax}, S2, 0
    ANSWER {verr ax}, S3, 1
    ANSWER {verw ax}, S3, 0
    ANSWER {verr ax}, TSS0, 0
    ANSWER {verr ax}, S1 + 3, 0
    ANSWER {verr ax}, KCODE, 1
    ANSWER {verw ax}, KCODE, 0
    DESC S2, 0, 0xfff, 0x9f, 4          ; conforming: any privilege
    ANSWER {lar ebx, eax}, S2 + 3, 1
    ANSWER {verr ax}, S2 + 3, 1
%assign type 0                          ; every system type: which of them LAR and LSL know
%rep 16
    DESC S4, 0, 0xfff, 0x80 + type, 0
    ANSWER {lar ebx, eax}, S4, ((1 << type) & 0x1a3e) != 0
    ANSWER {lsl ebx, eax}, S4, ((1 << type) & 0x0a0e) != 0
    ANSWER {verr ax}, S4, 0
    mov eax, S4
    FAULT 13, S4, mov fs, ax
%assign type type + 1
%endrep

    ; --- ARPL ----------------------------------------------------------------------------------------------------
    mov eax, 0x1230
    mov ebx, 0x0003
    cmp al, 0xff
    arpl ax, bx
    CHECKCC z
    CHECK eax, 0x1233
    mov ebx, 2
    cmp eax, eax
    arpl ax, bx
    CHECKCC nz
    CHECK eax, 0x1233
    mov word [0x40000], 0x0001
    mov ebx, 2
    arpl [0x40000], bx
    CHECK word [0x40000], 2

    ; --- LDT -----------------------------------------------------------------------------------------------------
    mov eax, 4                          ; no LDT yet
    FAULT 13, 4, mov fs, ax
    DESC LDT_SEL, LDT_AT, 15, 0x02, 0
    mov eax, LDT_SEL
    FAULT 11, LDT_SEL, lldt ax
    mov eax, KDATA
    FAULT 13, KDATA, lldt ax
    DESC LDT_SEL, LDT_AT, 15, A_LDT, 0
    mov eax, LDT_SEL
    lldt ax
    sldt ebx
    CHECK ebx, LDT_SEL
    mov dword [LDT_AT + 8], 0x0000ffff
    mov dword [LDT_AT + 12], 0x00409304
    mov eax, 12
    mov fs, ax
    mov dword [0x40010], 0x1717
    CHECK dword [fs:0x10], 0x1717
    mov eax, 20                         ; beyond the LDT
    FAULT 13, 20, mov fs, ax
    mov eax, 12
    FAULT 13, 12, lldt ax               ; an LDT cannot be described in an LDT
    FAULT 13, 12, ltr ax
    mov eax, TSS0
    FAULT 13, TSS0, ltr ax              ; busy
    xor eax, eax
    FAULT 13, 0, ltr ax
    lldt ax
    mov eax, 12
    FAULT 13, 12, mov fs, ax
    str ebx
    CHECK ebx, TSS0

    ; --- from ring 3 ---------------------------------------------------------------------------------------------
    USER user
    USERFAULT 13, 0, user_lldt
    USERFAULT 13, 0, user_hlt
    USERFAULT 13, 0, user_cr
    USERFAULT 13, 0, user_lgdt
    USERFAULT 13, 0, user_cli
    USERFAULT 13, 0, user_in
    USERFAULT 13, KDATA, user_data
    USERFAULT 13, S3, user_stack
    USERFAULT 13, 0x21 * 8 + 2, user_int
    PASS

user:
    mov eax, UDATA
    mov ds, ax
    mov eax, KDATA                      ; visible to nobody here
    verr ax
    jz .bad
    lar ebx, eax
    jz .bad
    mov eax, S2 + 3
    mov gs, ax                          ; conforming code can be read
    smsw ebx
    sgdt [0x40000]
    str ebx
    sldt ebx
    KERNEL
.bad:
    mov eax, 0
    mov [0], eax
    ud2
user_lldt: lldt ax
user_hlt: hlt
user_cr: mov eax, cr0
user_lgdt: lgdt [0x40000]
user_cli: cli
user_in: in al, 0x60
user_data:
    mov ds, [cs:.value]
.value: dw KDATA
user_stack:
    mov ss, [cs:.value]
.value: dw S3 + 3
user_int: int 0x21
