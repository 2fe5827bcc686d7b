; Self-modifying code in every relation between what is written and what runs: same block, next block, other page, alias, remapped page, DMA,
; A20, other privilege, across pages. Each is done several times, so that a translator has the code translated and linked when it is written.
; A write to the next instruction is seen, as on a Pentium Pro.
%define REAL_FIRST
%include "bare.inc"

PD     equ 0x100000
PT     equ 0x101000
PT2    equ 0x102000                     ; 400000h on
LIN    equ 0x400000
PHYS   equ 0x200000
P_     equ 1
W_     equ 2
U_     equ 4
G_     equ 0x100
DMA    equ 0xf9

%macro AGAIN 1                          ; the label, three times in all; EDI counts
    mov dword [turns], 3
%1:
%endmacro
%macro UNTIL_DONE 1
    dec dword [turns]
    jnz %1
%endmacro
; A function at %1 that returns %2 in EAX
%macro FUNCTION 2
    mov byte [%1], 0xb8
    mov dword [(%1) + 1], %2
    mov byte [(%1) + 5], 0xc3
%endmacro

; A device copies: to, from, bytes
%macro DMA_COPY 3
    mov dword [request], %1
    mov dword [request + 4], %2
    mov dword [request + 8], %3
    mov eax, request
    out DMA, eax
%endmacro

    bits 16
; The next instruction, the same block, another page, a word of an immediate in a loop; all in real mode.
real_main:
    mov cx, 3
.again:
    mov byte [.n1 + 1], 1
    mov byte [.n1 + 1], 0x77
.n1: mov al, 1
    cmp al, 0x77
    jne .bad
    mov byte [.n2 + 1], 0x12
    nop
    inc dx
    mov byte [.n2 + 1], 0x34
    inc dx
    xor bx, bx
.n2: mov al, 0x12
    cmp al, 0x34
    jne .bad
    loop .again
    xor ax, ax
    mov cx, 1000
.sum:
.imm: add ax, 1                         ; 83 C0 ib
    inc byte [.imm + 2]
    and byte [.imm + 2], 0x7f
    loop .sum
    mov [real_sum], ax
    mov byte [0xc000], 0xb0             ; MOV AL, imm; RET in another page, written through another segment
    mov byte [0xc002], 0xc3
    mov ax, 0x800
    mov es, ax
    mov cx, 5
.other:
    mov [es:0x4001], cl
    call 0xc000
    cmp al, cl
    jne .bad
    loop .other
    ; more code segments than a translator may remember, each with its own code; three rounds, in the last they are written anew
    mov dx, 3
    xor ax, ax
.round:
    mov cx, 150
.segment:
    mov bx, cx
    shl bx, 1
    add bx, 0x2000
    mov es, bx
    mov [far_pointer + 2], bx
    cmp dx, 2
    je .as_it_is
    mov word [es:0], 0x9040             ; INC AX; NOP; RETF
    mov byte [es:2], 0xcb
.as_it_is:
    call far [far_pointer]
    loop .segment
    dec dx
    jnz .round
    cmp ax, 450
    jne .bad
    ret
.bad:
    mov dword [step], 9999
    mov eax, [step]
    out 0xf4, eax
    hlt
    bits 32

main:
    CHECK word [real_sum], 62356        ; 1 to 127, 0 to 127, ..., modulo 65536

    ; --- paging, flat: 0 to 4 MiB onto itself, test pages at 400000h ------------------------------------------------
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

    call unpaged
    mov eax, PD
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp .paged
.paged:
    call unpaged                        ; the same once more with paging
    call aliases
    call remapping
    call global_pages
    call privilege
    call crossing
    call dma
    call own_stack
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    jmp .plain
.plain:
    call dma
    call a20
    call many
    PASS

; --- one address space -------------------------------------------------------------------------------------------------
unpaged:
    ; the next instruction, by every kind of store
%macro NEXT_INSN 2+                     ; bytes that the store changes of `mov eax, imm32`: name, store (EBX: the immediate)
    AGAIN %%again
    mov dword [%%imm], 0x11111111
    mov ebx, %%imm
    mov edx, 0x22222222
    %2
    db 0xb8
%%imm: dd 0x11111111
    CHECK eax, %1
    UNTIL_DONE %%again
%endmacro
    NEXT_INSN 0x22222222, mov [ebx], edx
    NEXT_INSN 0x11112222, mov [ebx], dx
    NEXT_INSN 0x11111122, mov [ebx], dl
    NEXT_INSN 0x33333333, add [ebx], edx
    NEXT_INSN 0x11111112, inc byte [ebx]
    NEXT_INSN 0x22222222, xchg [ebx], edx
    NEXT_INSN 0x33333333, lock add [ebx], edx
    NEXT_INSN 0x11111101, db 0xf9, 0x0f, 0x92, 0x03     ; stc; setc [ebx]
    NEXT_INSN 0xeeeeeeee, not dword [ebx]
    NEXT_INSN 0x44444444, shl dword [ebx], 2
    NEXT_INSN 0x11111113, bts dword [ebx], 1
    ; a push onto the code ahead
    AGAIN .pushed
    mov dword [.pimm], 0x11111111
    mov ebx, esp
    mov esp, .pimm + 4
    push dword 0x55555555
    db 0xb8
.pimm: dd 0x11111111
    mov esp, ebx
    CHECK eax, 0x55555555
    UNTIL_DONE .pushed
    ; a call that pushes its return address onto the code it calls
    AGAIN .called
    mov dword [.cimm], 0x11111111
    mov ebx, esp
    mov esp, .cimm + 4
    call .callee
.after:
    STEP
    jmp fail
.callee:
    db 0xb8
.cimm: dd 0x11111111
    mov esp, ebx
    CHECK eax, .after
    UNTIL_DONE .called
    ; string instructions over what follows them
    AGAIN .strings
    mov edi, .simm
    mov eax, 0x66666666
    stosd
    db 0xbb
.simm: dd 0x11111111
    CHECK ebx, 0x66666666
    mov edi, .rimm
    mov ecx, 4
    mov eax, 0x77
    rep stosb
    db 0xbb
.rimm: dd 0x11111111
    CHECK ebx, 0x77777777
    mov esi, .source
    mov edi, .target
    mov ecx, .source_end - .source
    rep movsb
.target:
    mov ebx, 1                          ; becomes 2
    mov ecx, 1
    CHECK ebx, 2
    CHECK ecx, 3
    mov dword [.simm], 0x11111111
    mov dword [.rimm], 0x11111111
    mov dword [.target + 1], 1
    mov dword [.target + 6], 1
    UNTIL_DONE .strings
    ; further ahead in the same block; with accesses off the same register that a group would join
    AGAIN .ahead
    mov esi, .aimm
    mov dword [esi], 1
    mov eax, [esi - 8]
    mov dword [esi], 0x88
    add eax, [esi - 4]
    xor edx, edx
    db 0xbb
.aimm: dd 1
    CHECK ebx, 0x88
    UNTIL_DONE .ahead
    ; what was executed already, then again
    AGAIN .behind
    mov ecx, 2
.back:
    db 0xbb
.bimm: dd 0x100
    mov [.bimm], ecx
    dec ecx
    jnz .back
    CHECK ebx, 2
    UNTIL_DONE .behind
    ; a loop that writes its own immediate
    xor eax, eax
    mov ecx, 1000
.loop:
    db 0x05
.limm: dd 0
    inc dword [.limm]
    loop .loop
    CHECK eax, 499500
    mov dword [.limm], 0
    ; and its own branch: the displacement of a Jcc that leaves it at the 100th turn
    mov ecx, 1000
.branch:
    dec ecx
    cmp ecx, 900
    jne .no
    mov byte [.way + 1], .left - .way - 2
.no:
.way: jmp short .branch
    STEP
    jmp fail
.left:
    CHECK ecx, 900
    mov byte [.way + 1], (.branch - .way - 2) & 0xff
    ; the next block, which is linked
    mov ecx, 20
    xor edx, edx
.blocks:
    mov [.nimm], ecx
    jmp .next
.next:
    db 0xb8
.nimm: dd 0
    add edx, eax
    dec ecx
    jnz .blocks
    CHECK edx, 210
    ; a function in another page, called, jumped to, through a register; written a byte at a time and at once
    mov edi, PHYS + 0x3000
    FUNCTION edi, 0
    mov ecx, 20
    xor edx, edx
.function:
    mov [edi + 1], ecx
    call PHYS + 0x3000
    add edx, eax
    mov [edi + 1], cl
    call edi
    add edx, eax
    loop .function
    CHECK edx, 420
    ; an opcode: INC EAX becomes DEC EAX and back
    mov byte [PHYS + 0x3010], 0x40
    mov byte [PHYS + 0x3011], 0xc3
    xor eax, eax
    mov ecx, 11
.opcode:
    call PHYS + 0x3010
    xor byte [PHYS + 0x3010], 8
    loop .opcode
    CHECK eax, 1
    ; data beside code in the same page: the code stays, the data is what was written
    mov ecx, 500
    xor edx, edx
.beside:
    mov [PHYS + 0x3100 + ecx * 4], ecx
    add edx, [PHYS + 0x3100 + ecx * 4]
    call PHYS + 0x3010
    dec ecx
    jnz .beside
    CHECK edx, 125250
    ; a dword that meets the first byte of code with its last, and the last with its first
    FUNCTION PHYS + 0x3204, 5
    mov ecx, 4
.ends:
    call PHYS + 0x3204
    mov dword [PHYS + 0x3201], 0xb8909090
    call PHYS + 0x3204
    CHECK eax, 5
    mov dword [PHYS + 0x3201], 0x90909090       ; NOP for MOV, so that its immediate is code
    mov dword [PHYS + 0x3205], 0xc3909090
    mov eax, 9
    call PHYS + 0x3204
    CHECK eax, 9
    FUNCTION PHYS + 0x3204, 5
    mov dword [PHYS + 0x3209], 0x909090c3
    loop .ends
    ; a jump into the middle of an instruction, whose immediate is code, and is written
    mov ecx, 6
    mov byte [.middle], 0xb8
.inner:
    mov eax, 0
    mov byte [.middle + 1], 0x40        ; INC EAX
    mov byte [.middle + 2], 0x90
    call .middle + 1
    CHECK eax, 1
    mov byte [.middle + 1], 0x48
    call .middle + 1
    CHECK eax, 0
    call .middle
    CHECK eax, 0xc3c39048
    loop .inner
    ; the same bytes again change nothing
    mov ecx, 50
.same:
    mov eax, [.middle]
    mov [.middle], eax
    call .middle
    loop .same
    CHECK eax, 0xc3c39048
    ; the handler of an interrupt writes the code that it returns to
    mov ecx, 5
.interrupted:
    GATE IDT_AT + 0x31 * 8, KCODE, .handler, 0x8e00
    mov byte [.himm], 1
    int 0x31
    db 0xb3
.himm: db 1
    CHECK bl, 0x99
    dec ecx
    jnz .interrupted
    ret
.handler:
    mov byte [.himm], 0x99
    iretd
.middle:
    db 0xb8, 0x40, 0x90, 0xc3, 0xc3, 0xc3
.source:
    mov ebx, 2
    mov ecx, 3
.source_end:

; --- the same memory at two addresses -------------------------------------------------------------------------------------
aliases:
    mov dword [PT2], PHYS + P_ + W_ + U_
    mov dword [PT2 + 4], PHYS + P_ + W_ + U_
    call flush
    mov byte [PHYS], 0xb8
    mov byte [PHYS + 5], 0xc3
    mov ecx, 20
    xor edx, edx
.alias:
    mov [LIN + 1], ecx                  ; written at one, executed at two others
    call LIN + 0x1000
    add edx, eax
    call PHYS
    add edx, eax
    mov [PHYS + 1], edx
    call LIN
    cmp eax, edx
    jne .bad
    loop .alias
    CHECK edx, 420
    ret
.bad:
    STEP
    jmp fail

; --- another page at the same address --------------------------------------------------------------------------------------
remapping:
    FUNCTION PHYS + 0x10, 0x1000
    FUNCTION PHYS + 0x1010, 0x2000
    mov byte [PHYS + 0x20], 0xe9        ; JMP to the first
    mov dword [PHYS + 0x21], 0x10 - 0x25
    mov byte [PHYS + 0x1020], 0xe9
    mov dword [PHYS + 0x1021], 0x10 - 0x25
    mov ecx, 10
    xor edx, edx
.cr3:
    mov dword [PT2], PHYS + P_ + W_ + U_
    call flush
    call LIN + 0x10
    add edx, eax
    call LIN + 0x20
    add edx, eax
    mov dword [PT2], PHYS + 0x1000 + P_ + W_ + U_
    call flush
    call LIN + 0x10
    add edx, eax
    call LIN + 0x20
    add edx, eax
    dec ecx
    jnz .cr3
    CHECK edx, 60 * 0x1000
    ; the page of the running code, by itself: behind its MOV CR3 stand other instructions
    mov esi, .mover
    mov edi, PHYS + 0x100
    mov ecx, .mover_end - .mover
    rep movsb
    mov esi, .mover
    mov edi, PHYS + 0x1100
    mov ecx, .mover_end - .mover
    rep movsb
    mov dword [PHYS + 0x1100 + .mover_imm - .mover], 0x4444
    AGAIN .own
    mov dword [PT2], PHYS + P_ + W_ + U_
    call flush
    mov edi, PHYS + 0x1000 + P_ + W_ + U_
    call LIN + 0x100
    CHECK eax, 0x4444
    mov edi, PHYS + P_ + W_ + U_
    call LIN + 0x100
    CHECK eax, 0x3333
    UNTIL_DONE .own
    ; a page that is gone, and one that is the supervisor's
    AGAIN .gone
    mov dword [PT2], PHYS + P_ + W_ + U_
    call flush
    call LIN + 0x10
    CHECK eax, 0x1000
    mov dword [PT2], 0
    call flush
    EXPECT 14, 0, LIN + 0x10, .faulted
    jmp LIN + 0x10
.faulted:
    CHECK dword [got_cr2], LIN + 0x10
    UNTIL_DONE .gone
    ; INVLPG (486 and later)
    mov dword [want_vector], 6          ; a 386 has no INVLPG
    mov dword [want_error], -1
    mov dword [want_eip], -1
    mov dword [resume], .no_invlpg
    mov [resume_esp], esp
    invlpg [LIN]
    mov dword [want_vector], -1
    fninit
    NEXT_INSN 0x3f800000, db 0xd9, 0xe8, 0xd9, 0x1b     ; fld1; fstp dword [ebx]
    NEXT_INSN 0x00000001, db 0xd9, 0xe8, 0xdb, 0x1b     ; fld1; fistp dword [ebx]
    NEXT_INSN 0x1111037f, db 0xdb, 0xe3, 0xd9, 0x3b     ; fninit; fnstcw [ebx]
    NEXT_INSN 0x33333333, lock xadd [ebx], edx
    NEXT_INSN 0x22222222, db 0xb8, 0x11, 0x11, 0x11, 0x11, 0x0f, 0xb1, 0x13     ; mov eax, 11111111h; cmpxchg [ebx], edx
    mov dword [PT2], PHYS + P_ + W_ + U_
    call flush
    mov ecx, 10
    xor edx, edx
.invlpg:
    call LIN + 0x10
    add edx, eax
    xor dword [PT2], 0x1000
    invlpg [LIN + 0x234]
    call LIN + 0x20
    add edx, eax
    loop .invlpg
    CHECK edx, 30 * 0x1000              ; both are met as often
    ; an instruction that lies in two pages, of which the second is another
    mov dword [PT2], PHYS + P_ + W_ + U_
    mov dword [PT2 + 4], PHYS + 0x2000 + P_ + W_ + U_
    call flush
    mov byte [PHYS + 0xffe], 0xb8
    mov byte [PHYS + 0xfff], 0x11
    mov dword [PHYS + 0x2000], 0xc3332211       ; three bytes of its immediate, RET
    mov dword [PHYS + 0x3000], 0xc3665544
    AGAIN .across
    mov dword [PT2 + 4], PHYS + 0x2000 + P_ + W_ + U_
    invlpg [LIN + 0x1000]
    call LIN + 0xffe
    CHECK eax, 0x33221111
    mov dword [PT2 + 4], PHYS + 0x3000 + P_ + W_ + U_
    invlpg [LIN + 0x1000]
    call LIN + 0xffe
    CHECK eax, 0x66554411
    UNTIL_DONE .across
.no_invlpg:
    ret
.mover:                                 ; EDI: the new PTE. It runs on in what is there then
    mov [PT2], edi
    mov eax, cr3
    mov cr3, eax
    db 0xb8
.mover_imm: dd 0x3333
    ret
.mover_end:

; Code in global pages (Pentium Pro and later): it outlives a load of CR3, and neither INVLPG nor a change of CR4.PGE. What a load of CR3 does
; to a global page whose entry was changed is not looked at.
global_pages:
    pushfd
    pop ebx
    mov eax, ebx
    xor eax, 0x200000                   ; ID: is there CPUID?
    push eax
    popfd
    pushfd
    pop eax
    push ebx
    popfd
    xor eax, ebx
    test eax, 0x200000
    jz .none
    mov eax, 1
    cpuid
    test edx, 1 << 13
    jz .none
    AGAIN .turn
    mov dword [PT2], PHYS + P_ + W_ + U_ + G_
    call .toggle
    call LIN + 0x10
    CHECK eax, 0x1000
    call flush
    call LIN + 0x10
    CHECK eax, 0x1000
    mov dword [PT2], PHYS + 0x1000 + P_ + W_ + U_
    invlpg [LIN + 0x20]
    call LIN + 0x10
    CHECK eax, 0x2000
    mov dword [PT2], PHYS + P_ + W_ + U_
    call flush
    call LIN + 0x10
    CHECK eax, 0x1000
    mov dword [PT2], PHYS + 0x1000 + P_ + W_ + U_ + G_
    call flush
    call LIN + 0x10
    CHECK eax, 0x2000
    call flush
    call flush
    mov dword [PT2], 0
    invlpg [LIN]
    EXPECT 14, 0, LIN + 0x10, .faulted
    jmp LIN + 0x10
.faulted:
    mov dword [PT2], PHYS + P_ + W_ + U_ + G_
    call LIN + 0x10
    CHECK eax, 0x1000
    mov dword [PT2], PHYS + 0x1000 + P_ + W_ + U_ + G_
    call .toggle
    call LIN + 0x10
    CHECK eax, 0x2000
    UNTIL_DONE .turn
    mov eax, cr4
    and eax, ~0x80
    mov cr4, eax
.none:
    ret
.toggle:
    mov eax, cr4
    xor eax, 0x80
    mov cr4, eax
    or eax, 0x80
    mov cr4, eax
    ret

flush:
    push eax
    mov eax, cr3
    mov cr3, eax
    pop eax
    ret

; --- ring 3's code written by ring 0, and the reverse ------------------------------------------------------------------------
privilege:
    mov dword [PT2], PHYS + P_ + W_ + U_
    call flush
    mov dword [LIN], 0x000000b8         ; MOV EAX, 0; INT 30h
    mov dword [LIN + 4], 0x0030cd00
    mov ecx, 6
.written:
    mov [LIN + 1], ecx
    mov [turns], ecx
    USER LIN
    mov ecx, [turns]
    CHECK [got_eax], ecx
    dec ecx
    jnz .written
    ; ring 3 writes a function that ring 0 calls
    FUNCTION LIN + 0x100, 0
    mov dword [turns], 6
.user:
    mov eax, [turns]
    USER .user_writes
    call LIN + 0x100
    CHECK eax, [turns]
    dec dword [turns]
    jnz .user
    ; an interrupt from ring 3, whose handler writes what comes next there
    mov ecx, 5
.call:
    mov [turns], ecx
    GATE IDT_AT + 0x31 * 8, KCODE, .service, 0xee00
    USER .user_calls
    CHECK dword [got_eax], 0x4321
    mov byte [.next + 1], 0x12
    mov ecx, [turns]
    dec ecx
    jnz .call
    ret
.user_writes:
    mov eax, [ss:turns]
    mov [ss:LIN + 0x101], eax
    KERNEL
.user_calls:
    int 0x31
.next: mov eax, 0x12
    KERNEL
.service:
    push ds
    push KDATA
    pop ds
    mov dword [.next + 1], 0x4321
    pop ds
    iretd

; --- code across two pages ------------------------------------------------------------------------------------------------------
crossing:
    mov dword [PT2], PHYS + P_ + W_ + U_
    mov dword [PT2 + 4], PHYS + 0x2000 + P_ + W_ + U_
    call flush
    ; MOV EAX, imm32 with its opcode and one byte in the first page
    mov byte [LIN + 0xffe], 0xb8
    mov byte [LIN + 0xfff], 0x01
    mov dword [LIN + 0x1000], 0xc3000000
    mov dword [turns], 6
.second:
    call LIN + 0xffe
    mov ebx, [turns]
    mov [LIN + 0x1000], bl              ; the second half
    call LIN + 0xffe
    shl ebx, 8
    mov bl, 1
    CHECK eax, ebx
    mov byte [LIN + 0xfff], 0x55        ; the first half
    call LIN + 0xffe
    mov bl, 0x55
    CHECK eax, ebx
    mov byte [LIN + 0xfff], 1
    mov [PHYS + 0x2001], bl             ; the second half at another address
    call LIN + 0xffe
    mov bl, 1
    and ebx, 0xffff
    or ebx, 0x550000
    CHECK eax, ebx
    mov byte [PHYS + 0x2001], 0
    dec dword [turns]
    jnz .second
    ; a block that runs up to the page's end and goes on in the next, which is written
    mov byte [LIN + 0xffd], 0x31        ; XOR EAX, EAX
    mov byte [LIN + 0xffe], 0xc0
    mov byte [LIN + 0xfff], 0x40        ; INC EAX
    mov byte [LIN + 0x1000], 0x40
    mov byte [LIN + 0x1001], 0xc3
    mov ecx, 6
.on:
    call LIN + 0xffd
    CHECK eax, 2
    mov byte [LIN + 0x1000], 0x48
    call LIN + 0xffd
    CHECK eax, 0
    mov byte [LIN + 0x1000], 0x40
    dec ecx
    jnz .on
    ; a dword that is written across the two pages of code
    mov ecx, 6
.both:
    mov dword [LIN + 0xffe], 0x40404040
    mov byte [LIN + 0x1002], 0xc3
    xor eax, eax
    call LIN + 0xffe
    CHECK eax, 4
    mov dword [LIN + 0xffe], 0xc3484848
    xor eax, eax
    call LIN + 0xffe
    CHECK eax, -3
    dec ecx
    jnz .both
    ret

; --- a device writes code ----------------------------------------------------------------------------------------------------------
dma:
    FUNCTION PHYS + 0x5000, 1
    FUNCTION PHYS + 0x6000, 2
    FUNCTION PHYS + 0x7000, 3
    mov ecx, 10
    xor ebx, ebx
.function:
    call PHYS + 0x5000
    add ebx, eax
    DMA_COPY PHYS + 0x5000, PHYS + 0x6000, 6
    call PHYS + 0x5000
    add ebx, eax
    DMA_COPY PHYS + 0x5000, PHYS + 0x7000, 6
    dec ecx
    jnz .function
    CHECK ebx, 1 + 2 * 10 + 3 * 9
    ; the instruction after the OUT
    AGAIN .next
    mov dword [.imm], 0x11111111
    mov dword [.source], 0x99887766
    DMA_COPY .imm, .source, 4
    db 0xb8
.imm: dd 0x11111111
    CHECK eax, 0x99887766
    UNTIL_DONE .next
    ret
    align 4
.source: dd 0

; --- code on the stack, written anew each time ------------------------------------------------------------------------------------
own_stack:
    mov ecx, 200
    xor edx, edx
.again:
    push dword 0xc3000000               ; MOV EAX, ECX's low byte; RET
    mov eax, ecx
    shl eax, 8
    mov al, 0xb8
    push eax
    call esp
    add esp, 8
    movzx ebx, cl
    cmp eax, ebx
    jne .bad
    add edx, eax
    loop .again
    CHECK edx, 20100
    ret
.bad:
    STEP
    jmp fail

; --- A20 ------------------------------------------------------------------------------------------------------------------------------
A20_ON  equ 0
A20_OFF equ 4
a20:
    FUNCTION 0x118000, 0x18             ; above 1 MiB, and what is found there when the line is masked
    FUNCTION 0x018000, 0x08
    mov ecx, 5
    xor ebx, ebx
.toggle:
    mov al, A20_OFF
    out 0xf6, al
    call 0x118000
    CHECK eax, 0x08
    call 0x018000
    CHECK eax, 0x08
    mov al, A20_ON
    out 0xf6, al
    call 0x118000
    CHECK eax, 0x18
    call 0x018000
    CHECK eax, 0x08
    dec ecx
    jnz .toggle
    ; under running code: what comes after its OUT is in the other megabyte
    mov esi, .code
    mov edi, 0x119000
    mov ecx, .code_end - .code
    rep movsb
    mov esi, .code
    mov edi, 0x019000
    mov ecx, .code_end - .code
    rep movsb
    mov dword [0x019000 + .imm - .code], 0x0909
    AGAIN .running
    mov al, A20_OFF
    call 0x119000
    CHECK ebx, 0x0909
    mov al, A20_OFF
    call 0x119000
    CHECK ebx, 0x0909
    mov al, A20_ON
    call 0x119000
    CHECK ebx, 0x1919
    UNTIL_DONE .running
    ; a write above, masked, is a write below
    mov ecx, 5
.write:
    mov al, A20_OFF
    out 0xf6, al
    mov [0x118001], ecx
    call 0x018000
    CHECK eax, ecx
    mov al, A20_ON
    out 0xf6, al
    call 0x118000
    CHECK eax, 0x18
    call 0x018000
    CHECK eax, ecx
    dec ecx
    jnz .write
    ret
.code:
    out 0xf6, al
    db 0xbb
.imm: dd 0x1919
    ret
.code_end:

; --- more code than a small cache of translations holds ----------------------------------------------------------------------------------
FUNCTIONS equ 0x300000
COUNT     equ 40000
many:
    mov edi, FUNCTIONS
    xor ecx, ecx
.make:                                  ; MOV EAX, n; ADD EDX, EAX; RET and room to 64 bytes
    mov byte [edi], 0xb8
    mov [edi + 1], ecx
    mov dword [edi + 5], 0xc3c201
    add edi, 64
    inc ecx
    cmp ecx, COUNT
    jb .make
    mov ebp, 2
.round:
    mov edi, FUNCTIONS
    xor ecx, ecx
    xor edx, edx
.call:
    call edi
    add edi, 64
    inc ecx
    cmp ecx, COUNT
    jb .call
    CHECK edx, (COUNT - 1) * (COUNT / 2)
    mov dword [FUNCTIONS + 1], 0        ; the first is written and is what it was
    dec ebp
    jnz .round
    ret

    align 4
turns:    dd 0
request:  dd 0, 0, 0
real_sum: dw 0
far_pointer: dw 0, 0
