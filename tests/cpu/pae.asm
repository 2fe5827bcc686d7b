; PAE paging: four directories, 4 KiB and 2 MiB pages, 36-bit addresses, reserved bits, when PDPTEs are read.
%include "bare.inc"

PDPT   equ 0x100000
PD     equ 0x101000                     ; four of them
PT     equ 0x105000                     ; maps 0 to 2 MiB onto itself
PT2    equ 0x106000                     ; 400000h on
LIN    equ 0x400000
PHYS   equ 0x200000
P_     equ 1
W_     equ 2
U_     equ 4
A_     equ 0x20
D_     equ 0x40
PS_    equ 0x80

%macro PTE 3                            ; page number, low, high
    mov dword [PT2 + (%1) * 8], %2
    mov dword [PT2 + (%1) * 8 + 4], %3
    call flush
%endmacro
%macro PAGEFAULT 3+
    FAULT 14, %1, %3
    CHECK dword [got_cr2], %2
%endmacro

main:
    call features
    test edx, 1 << 6
    jz done
    mov ebp, edx
    mov edi, PDPT
    mov ecx, 0x7000 / 4
    xor eax, eax
    rep stosd
    mov dword [PDPT], PD + P_
    mov dword [PDPT + 8], PD + 0x1000 + P_
    mov dword [PDPT + 24], PD + 0x3000 + P_
    mov dword [PD], PT + P_ + W_ + U_
    mov dword [PD + 2 * 8], PT2 + P_ + W_ + U_
    mov dword [PD + 3 * 8], 0x600000 + P_ + W_ + U_ + PS_
    mov dword [PD + 8], 0x200000 + P_ + W_ + U_ + PS_
    mov edi, PT
    mov eax, P_ + W_ + U_
.identity:
    stosd
    mov dword [edi], 0
    add edi, 4
    add eax, 0x1000
    cmp edi, PT + 0x1000
    jb .identity
    ; reserved bits in a PDPTE are found when paging is turned on, and nothing changes
    mov eax, PDPT
    mov cr3, eax
    mov eax, 0x20
    mov cr4, eax
    mov dword [PDPT + 16], PD + 0x2000 + P_ + W_
    mov eax, cr0
    mov edx, eax
    or eax, 0x80000000
    FAULT 13, 0, mov cr0, eax
    mov eax, cr0
    CHECK eax, edx
    mov dword [PDPT + 16], 0
    or eax, 0x80000000
    mov cr0, eax
    jmp .paged
.paged:
    ; PDPTEs are read with CR3: a change in memory is not seen before
    mov dword [PDPT + 16], PD + 0x2000 + P_
    mov dword [PD + 0x2000], P_ + W_ + PS_
    PAGEFAULT 0, 0x80000000, mov eax, [0x80000000]
    call flush
    mov dword [PHYS], 0x11111111
    CHECK dword [0x80000000 + 0x100000], PD + P_
    mov dword [PDPT + 20], 0x10         ; bit 36
    mov eax, cr3
    FAULT 13, 0, mov cr3, eax
    mov dword [PDPT + 20], 0
    ; a PDPTE that is absent is no fault until it is used
    mov dword [PDPT + 16], 0
    call flush
    PAGEFAULT 2, 0x80000004, mov [0x80000004], eax

    ; --- 4 KiB ---------------------------------------------------------------------------------------------------
    mov dword [PD + 2 * 8], PT2 + P_ + W_ + U_
    PTE 0, PHYS + P_ + W_ + U_, 0
    CHECK dword [LIN], 0x11111111
    CHECK dword [PT2], PHYS + P_ + W_ + U_ + A_
    CHECK dword [PD + 2 * 8], PT2 + P_ + W_ + U_ + A_
    mov [LIN], eax
    CHECK dword [PT2], PHYS + P_ + W_ + U_ + A_ + D_
    PAGEFAULT 0, LIN + 0x1234, mov eax, [LIN + 0x1234]
    PTE 0, PHYS + P_ + U_, 0
    USERFAULT 14, 7, user_write
    PTE 0, PHYS + P_ + W_, 0
    USERFAULT 14, 5, user_read
    PTE 0, PHYS + P_ + W_ + U_, 0x10    ; bit 36: reserved
    PAGEFAULT 9, LIN, mov eax, [LIN]
    PAGEFAULT 0xb, LIN, mov [LIN], eax
    USERFAULT 14, 0xd, user_read
    PTE 0, PHYS + P_ + W_ + U_, 0x80000000      ; bit 63: no execute-disable here
    PAGEFAULT 9, LIN, mov eax, [LIN]
    ; above 4 GiB
    PTE 0, P_ + W_ + U_, 1
    mov dword [LIN + 0x10], 0xabcdef01
    CHECK dword [LIN + 0x10], 0xabcdef01
    cmp dword [0x10], 0xabcdef01
    CHECKCC ne
    PTE 1, 0x1000 + P_ + W_ + U_, 1
    mov dword [LIN + 0xffe], 0x12345678
    CHECK dword [LIN + 0xffe], 0x12345678
    CHECK word [LIN + 0x1000], 0x1234

    ; --- 2 MiB ---------------------------------------------------------------------------------------------------
    mov dword [0x6abcd0], 0x66666666    ; identity, PS is honoured without CR4.PSE
    mov dword [PD + 4 * 8], 0x600000 + P_ + W_ + U_ + PS_
    mov dword [PD + 4 * 8 + 4], 0
    call flush
    CHECK dword [0x8abcd0], 0x66666666
    CHECK dword [PD + 4 * 8], 0x600000 + P_ + W_ + U_ + PS_ + A_
    mov dword [0x8abcd0], 0x77777777
    CHECK dword [PD + 4 * 8], 0x600000 + P_ + W_ + U_ + PS_ + A_ + D_
    CHECK dword [0x6abcd0], 0x77777777
    mov dword [PD + 4 * 8], 0x602000 + P_ + W_ + U_ + PS_       ; bits 13 to 20 are reserved
    call flush
    PAGEFAULT 9, 0x800000, mov eax, [0x800000]
    mov dword [PD + 4 * 8], 0x200000 + P_ + W_ + U_ + PS_
    mov dword [PD + 4 * 8 + 4], 1
    call flush
    mov dword [0x800040], 0x40404040    ; 4 GiB + 2 MiB
    mov dword [PT2 + 2 * 8], 0x200000 + P_ + W_ + U_
    mov dword [PT2 + 2 * 8 + 4], 1
    call flush
    CHECK dword [LIN + 0x2040], 0x40404040
    test ebp, 1 << 16
    jnz .pat
    mov dword [PD + 4 * 8], 0x601000 + P_ + W_ + U_ + PS_
    mov dword [PD + 4 * 8 + 4], 0
    call flush
    PAGEFAULT 9, 0x800000, mov eax, [0x800000]
    PTE 0, PHYS + P_ + W_ + U_ + PS_, 0
    PAGEFAULT 9, LIN, mov eax, [LIN]
.pat:
    ; the fourth gigabyte
    mov dword [PD + 0x3000 + 511 * 8], P_ + W_ + PS_
    call flush
    CHECK dword [0xffe00000 + PDPT], PD + P_
done:
    PASS

flush:
    push eax
    mov eax, cr3
    mov cr3, eax
    pop eax
    ret
user_read: mov eax, [ss:LIN]
user_write: mov [ss:LIN], eax
