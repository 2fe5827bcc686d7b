; 32-bit paging: rights, error codes and CR2, accessed and dirty bits, WP, INVLPG, global pages, 4 MiB pages, PSE-36.
%include "bare.inc"

PD     equ 0x100000
PT     equ 0x101000                     ; maps 0 to 4 MiB onto itself
PT2    equ 0x102000                     ; maps 400000h on: pages under test
LIN   equ 0x400000                     ; linear
PHYS   equ 0x200000                     ; physical, 4 KiB each from here
BIG    equ 0x800000                     ; linear of the 4 MiB page under test
P_     equ 1
W_     equ 2
U_     equ 4
A_     equ 0x20
D_     equ 0x40
PS_    equ 0x80
G_     equ 0x100

%macro PTE 2                            ; page number, value
    mov dword [PT2 + (%1) * 4], %2
    call flush
%endmacro
%macro PAGEFAULT 3+                     ; error, CR2, instruction
    FAULT 14, %1, %3
    CHECK dword [got_cr2], %2
%endmacro
%macro USER_PAGEFAULT 3                 ; error, CR2, label
    USERFAULT 14, %1, %3
    CHECK dword [got_cr2], %2
%endmacro

main:
    mov edi, PD
    mov ecx, 0x3000 / 4
    xor eax, eax
    rep stosd
    mov dword [PD], PT + P_ + W_ + U_
    mov dword [PD + 4], PT2 + P_ + W_ + U_
    mov edi, PT
    mov eax, P_ + W_ + U_
.identity:
    stosd
    add eax, 0x1000
    cmp edi, PT + 0x1000
    jb .identity
    mov eax, PD
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp .paged
.paged:
    mov dword [PHYS], 0x11111111
    mov dword [PHYS + 0x1000], 0x22222222

    ; --- not present ---------------------------------------------------------------------------------------------
    PAGEFAULT 0, LIN + 0x123, mov al, [LIN + 0x123]
    PAGEFAULT 2, LIN + 0xffe, mov [LIN + 0xffe], ax
    PAGEFAULT 2, LIN + 4, inc dword [LIN + 4]
    PAGEFAULT 0, 0xc0000000, mov eax, [0xc0000000]      ; no page table
    ; an access that crosses faults on the page that is missing
    PTE 0, PHYS + P_ + W_ + U_
    PAGEFAULT 0, LIN + 0x1000, mov eax, [LIN + 0xffe]
    mov word [PHYS + 0xffe], 0x5555
    mov eax, 0xffffffff
    PAGEFAULT 2, LIN + 0x1000, mov [LIN + 0xffe], eax
    CHECK word [PHYS + 0xffe], 0x5555
    PTE 0, 0
    PTE 1, PHYS + 0x1000 + P_ + W_ + U_
    PAGEFAULT 0, LIN + 0xffe, mov eax, [LIN + 0xffe]
    PAGEFAULT 2, LIN + 0xffe, mov [LIN + 0xffe], eax
    PTE 0, PHYS + P_ + W_ + U_
    mov dword [LIN + 0xffe], 0x87654321
    CHECK word [PHYS + 0xffe], 0x4321
    CHECK word [PHYS + 0x1000], 0x8765
    CHECK dword [LIN + 0xffe], 0x87654321

    ; --- accessed and dirty --------------------------------------------------------------------------------------
    mov dword [PD + 4], PT2 + P_ + W_ + U_
    PTE 0, PHYS + P_ + W_ + U_
    mov eax, [LIN]
    CHECK dword [PT2], PHYS + P_ + W_ + U_ + A_
    CHECK dword [PD + 4], PT2 + P_ + W_ + U_ + A_
    mov [LIN], eax
    CHECK dword [PT2], PHYS + P_ + W_ + U_ + A_ + D_
    CHECK dword [PD + 4], PT2 + P_ + W_ + U_ + A_       ; no dirty bit in a directory entry
    PTE 0, PHYS + P_ + W_ + U_
    mov [LIN], eax
    CHECK dword [PT2], PHYS + P_ + W_ + U_ + A_ + D_
    PTE 0, PHYS + P_ + W_ + U_
    add dword [LIN], 0
    CHECK dword [PT2], PHYS + P_ + W_ + U_ + A_ + D_

    ; --- user, supervisor, read-only -----------------------------------------------------------------------------
    PTE 0, PHYS + P_ + W_
    mov eax, [LIN]                     ; supervisor page
    USER_PAGEFAULT 5, LIN, user_read
    USER_PAGEFAULT 7, LIN, user_write
    PTE 0, PHYS + P_ + U_
    USER user_reads
    USER_PAGEFAULT 7, LIN, user_write
    USER_PAGEFAULT 7, LIN, user_rmw
    mov dword [LIN], 0x33333333        ; WP is clear: the supervisor may
    CHECK dword [PHYS], 0x33333333
    CHECK dword [PT2], PHYS + P_ + U_ + A_ + D_
    mov dword [PD + 4], PT2 + P_ + W_   ; the directory's rights count as well
    PTE 0, PHYS + P_ + W_ + U_
    USER_PAGEFAULT 5, LIN, user_read
    mov dword [PD + 4], PT2 + P_ + U_
    call flush
    USER_PAGEFAULT 7, LIN, user_write
    mov dword [PD + 4], PT2 + P_ + W_ + U_
    PTE 0, 0
    USER_PAGEFAULT 4, LIN, user_read
    USER_PAGEFAULT 6, LIN, user_write
    USER_PAGEFAULT 4, LIN, LIN        ; fetch
    ; code in a user page runs; the same page as a supervisor's does not
    mov byte [PHYS + 0x10], 0xcd        ; int 30h
    mov byte [PHYS + 0x11], 0x30
    PTE 0, PHYS + P_ + U_
    USER LIN + 0x10
    PTE 0, PHYS + P_
    USER_PAGEFAULT 5, LIN + 0x10, LIN + 0x10
    ; system accesses (the TSS's stack, the GDT) are the supervisor's although the program is not
    mov dword [PT + KSTACK_INT / 4096 * 4 - 4], (KSTACK_INT & ~0xfff) - 0x1000 + P_ + W_
    call flush
    USER user_plain
    mov dword [PT + KSTACK_INT / 4096 * 4 - 4], (KSTACK_INT & ~0xfff) - 0x1000 + P_ + W_ + U_
    ; a string instruction stops at the page, its registers as far as it came
    PTE 0, PHYS + P_ + W_ + U_
    PTE 1, 0
    mov edi, LIN + 0xff0
    mov ecx, 8
    mov eax, 0x77777777
    PAGEFAULT 2, LIN + 0x1000, rep stosd
    CHECK edi, LIN + 0x1000
    CHECK ecx, 4

    ; --- WP ------------------------------------------------------------------------------------------------------
    mov eax, cr0
    or eax, 0x10000
    mov cr0, eax
    mov eax, cr0
    test eax, 0x10000
    jz .no_wp                           ; a 386
    PTE 0, PHYS + P_ + U_
    PAGEFAULT 3, LIN, mov dword [LIN], 0x44444444
    PAGEFAULT 3, LIN, add dword [LIN], 1
    CHECK dword [PT2], PHYS + P_ + U_   ; a refused access marks nothing
    mov eax, [LIN]
    CHECK dword [PT2], PHYS + P_ + U_ + A_
    PTE 0, PHYS + P_ + W_ + U_
    mov dword [LIN], 0x44444444
    CHECK dword [PHYS], 0x44444444
    mov eax, cr0
    and eax, ~0x10000
    mov cr0, eax
    ; INVLPG drops one page's translation
    PTE 0, PHYS + P_ + W_ + U_
    mov eax, [LIN]
    mov dword [PT2], PHYS + 0x1000 + P_ + W_ + U_
    invlpg [LIN + 0x678]
    mov dword [PHYS + 0x1000], 0x22222222
    CHECK dword [LIN], 0x22222222
.no_wp:

    ; --- from here on what CPUID reports -------------------------------------------------------------------------
    call features
    mov ebp, edx
    test ebp, 1 << 3
    jz done
    ; PS is ignored while CR4.PSE is clear, and bit 7 of a PTE as well
    PTE 0, PHYS + P_ + W_ + U_ + PS_
    mov dword [PD + 4], PT2 + P_ + W_ + U_ + PS_
    call flush
    mov eax, [LIN]
    mov dword [PD + 4], PT2 + P_ + W_ + U_
    mov eax, 0x10
    mov cr4, eax
    test ebp, 1 << 16                   ; PAT gives the bit a meaning
    jnz .has_pat
    PAGEFAULT 9, LIN, mov eax, [LIN]
    PAGEFAULT 0xb, LIN, mov [LIN], eax
.has_pat:
    PTE 0, PHYS + P_ + W_ + U_
    ; a 4 MiB page: 800000h maps 0
    mov dword [PD + 8], P_ + W_ + U_ + PS_
    call flush
    mov eax, [BIG + PHYS]
    CHECK dword [PD + 8], P_ + W_ + U_ + PS_ + A_
    CHECK eax, [PHYS]
    mov dword [BIG + PHYS + 0x3456], 0x98765432
    CHECK dword [PD + 8], P_ + W_ + U_ + PS_ + A_ + D_
    CHECK dword [PHYS + 0x3456], 0x98765432
    mov dword [PD + 8], P_ + W_ + U_ + PS_ + (1 << 21)
    call flush
    PAGEFAULT 9, BIG + 4, mov eax, [BIG + 4]
    PAGEFAULT 0xb, BIG + 4, mov [BIG + 4], eax
    USER_PAGEFAULT 0xd, BIG, user_big
    mov dword [PD + 8], P_ + PS_
    call flush
    USER_PAGEFAULT 5, BIG, user_big
    test ebp, 1 << 17
    jz .no_pse36
    mov dword [PD + 8], P_ + W_ + PS_ + (1 << 13)       ; 4 GiB
    call flush
    mov dword [BIG + 0x123450], 0x13131313
    CHECK dword [BIG + 0x123450], 0x13131313
    cmp dword [0x123450], 0x13131313
    CHECKCC ne
    mov dword [PD + 8], P_ + W_ + PS_ + (1 << 17)       ; bit 36 of the address: reserved
    call flush
    PAGEFAULT 9, BIG, mov eax, [BIG]
    jmp .global
.no_pse36:
    mov dword [PD + 8], P_ + W_ + PS_ + (1 << 13)
    call flush
    PAGEFAULT 9, BIG, mov eax, [BIG]
.global:
    ; --- global pages survive a CR3 load -------------------------------------------------------------------------
    test ebp, 1 << 13
    jz done
    mov eax, 0x90
    mov cr4, eax
    mov dword [PHYS], 0x11111111
    mov dword [PHYS + 0x1000], 0x22222222
    PTE 0, PHYS + P_ + W_ + U_ + G_
    mov eax, [LIN]
    PTE 0, PHYS + 0x1000 + P_ + W_ + U_ + G_
    CHECK dword [LIN], 0x11111111      ; still the old one
    invlpg [LIN]
    CHECK dword [LIN], 0x22222222
    PTE 0, PHYS + P_ + W_ + U_ + G_
    CHECK dword [LIN], 0x22222222
    mov eax, 0x10
    mov cr4, eax                        ; a change of PGE drops all
    CHECK dword [LIN], 0x11111111
    PTE 0, PHYS + 0x1000 + P_ + W_ + U_ + G_
    CHECK dword [LIN], 0x22222222      ; G means nothing now
done:
    ; paging off and on again
    mov dword [PHYS + 0x1000], 0x22222222
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    CHECK dword [PHYS + 0x1000], 0x22222222
    ; a fault in delivering a page fault is a double fault
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    GATE IDT_AT + 14 * 8, KDATA, 0, 0x8e00
    EXPECT 8, 0, -1, .doubled
    mov eax, [0xc0000000]
    jmp fail
.doubled:
    CHECK dword [got_cr2], 0xc0000000
    GATE IDT_AT + 14 * 8, KCODE, stubs + 14 * 16, 0x8e00
    PASS

flush:
    push eax
    mov eax, cr3
    mov cr3, eax
    pop eax
    ret

user_read: mov eax, [ss:LIN]
user_write: mov [ss:LIN], eax
user_rmw: inc dword [ss:LIN]
user_big: mov eax, [ss:BIG]
user_reads:
    mov eax, [ss:LIN]
user_plain:
    KERNEL
