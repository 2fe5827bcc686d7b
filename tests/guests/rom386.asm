; A ROM in the place of the firmware that tests the CPU: 64 KiB, mapped to end at 4 GiB and at 1 MiB, code segments based at F0000h.
; It writes the number of each section to port 190h, FFh at the end; after a failure FEh and the number of the step (two bytes; the
; listing of nasm -l shows which: mov word [fs:step], N). Arithmetic is printed on COM1: the same on every model.
;
; Written from the manuals [386, SDM2, SDM3A] for a 386; nothing here depends on what they leave undefined.
%include "rom386_start.inc"

protected:
    mov ax, STACK
    mov ss, ax
    mov esp, 0xe000
    mov ax, FLAT
    mov fs, ax
    mov ax, LDTS
    lldt ax
    mov ax, TSSS
    ltr ax
    mov ax, DATA
    mov ds, ax
    mov es, ax

; --- the stack: both widths of addresses and of operands ----------------------------------------------------------
%define below(mask, n) ((0x20000 & ~(mask)) | ((0x20000 - (n)) & (mask)))
%macro STACK_TEST 2                     ; selector, mask of the pointer
    mov ax, %1
    mov ss, ax
    mov esp, 0x20000
    mov ebp, (0x20000 - 4) & %2         ; where a push of four bytes goes
    mov dword [ebp], -1
    push dword 0x11223344
    CHECK dword [ebp], 0x11223344
    CHECK esp, below(%2, 4)
    pop word [ebp + 8]
    CHECK word [ebp + 8], 0x3344
    CHECK esp, below(%2, 2)
    pop ax
    CHECK ax, 0x1122
    CHECK esp, 0x20000
    push esp
    CHECK dword [ebp], 0x20000
    pop ebx
    mov dword [ebp], -1
    push word 0x5566
    CHECK dword [ebp], 0x5566ffff
    pop bx
    o16 push ds
    CHECK word [ebp + 2], DATA
    o16 pop gs
    push ds
    CHECK word [ebp], DATA
    mov word [ebp], IN_LDT
    pop gs
    mov ebx, gs
    CHECK bx, IN_LDT
    CHECK esp, 0x20000
    push dword [ebp]
    pop dword [esp]                     ; the address uses ESP after the pop
    CHECK esp, 0x20000
    pushad
    xor eax, eax
    o16 popa
    CHECK eax, 2                        ; the eighth word: the upper half of ESP
    mov esp, 0x20000
    mov eax, 0x12345678
    pushad
    xor eax, eax
    popad
    CHECK eax, 0x12345678
    CHECK esp, 0x20000
    pushfd
    o16 popf
    o16 pushf
    popfd
    CHECK esp, 0x20000
    mov ebp, 0x20000                    ; ENTER and LEAVE
    enter 16, 0
    CHECK bp, 0xfffc
    CHECK esp, below(%2, 20)
    leave
    CHECK esp, 0x20000
    CHECK ebp, 0x20000
    mov bp, 0x100
    enter 4, 3
    CHECK esp, below(%2, 20)
    mov ebx, ebp
    and ebx, %2
    mov bx, [ss:ebx - 12]               ; the last of the display is the frame itself
    CHECK bx, bp
    leave
    CHECK esp, 0x20000
%endmacro
    POST 0x09
    STACK_TEST DATAB, 0xffff
    STACK_TEST DATA, 0xffffffff
    mov ax, STACK
    mov ss, ax
    mov esp, 0xe000

; --- ring 3 ------------------------------------------------------------------------------------------------------
    POST 0x0a
    mov ax, DATA
    mov gs, ax
    USER ring3
    CHECK dword [fs:got_esp], 0x8000
    mov eax, gs
    CHECK ax, FLATU
    CHECK word [fs:0x500], 0x5678
    USERFAULT 13, 0, user_cli
    USERFAULT 13, 0, user_sti
    USERFAULT 13, 0, user_hlt
    USERFAULT 13, 0, user_in
    USERFAULT 13, 0, user_cr0
    USERFAULT 13, 0, user_clts
    USERFAULT 13, 0, user_lgdt
    USERFAULT 13, 0x21 * 8 + 2, user_int
    USERFAULT 13, 0x31 * 8 + 2, user_int_beyond
    USERFAULT 13, CODE, user_jump
    USERFAULT 13, CODE, user_call
    USERFAULT 13, FLAT, user_ds
    EXPECT 13, CODE, CODEU, user_retf, .after_retf
    push dword user_return
    jmp to_user
.after_retf:
    mov byte [fs:TSS + 0x67], 0         ; ports 0 to 7Fh are allowed, the rest lies outside
    mov byte [fs:TSS + 0x66], 0x58
    USER user_in_allowed
    USERFAULT 13, 0, user_in_across
    USERFAULT 13, 0, user_in_beyond
    mov byte [fs:TSS + 0x66], 0x68

; --- call gates of both sizes with ten parameters ------------------------------------------------------------------
    POST 0x0b
    GATEAT GDT + GATE, CODE, gate32, 0xec0a
    GATEAT GDT + GATEB, CODE, gate16, 0xe40a
    USER gates_user
    GATEAT GDT + GATE, CODE, gate32, 0x8c0a
    USERFAULT 13, GATE, call_gate       ; DPL 0
    GATEAT GDT + GATE, CODE, gate32, 0x6c0a
    USERFAULT 11, GATE, call_gate       ; not present
    GATEAT GDT + GATE, 0, gate32, 0xec0a
    USERFAULT 13, 0, call_gate
    GATEAT GDT + GATE, DATA, gate32, 0xec0a
    USERFAULT 13, DATA, call_gate
    GATEAT GDT + GATE, BEYOND, gate32, 0xec0a
    USERFAULT 13, BEYOND, call_gate
    DESC FREE, 0xf0000, 0xffff, 0x1b, 4
    GATEAT GDT + GATE, FREE, gate32, 0xec0a
    USERFAULT 11, FREE, call_gate
    GATEAT GDT + GATE, CONF, gate_conforming, 0xec00
    USER gates_conforming
    GATEAT GDT + GATE, CODE, gate_same, 0xec1f  ; the same ring: no parameters, no other stack
    call GATE:0
    CHECK esp, 0xe000

; --- interrupts and exceptions that change the ring ------------------------------------------------------------------
    POST 0x0c
    GATEAT IDT + 0x20 * 8, CODE, trap32, 0xef00
    GATEAT IDT + 0x21 * 8, CODE, int16, 0xe600
    GATEAT IDT + 0x22 * 8, CONF, int_conforming, 0xef00
    GATEAT IDT + 0x23 * 8, CODEU, stubs, 0xee00
    GATEAT IDT + 0x24 * 8, CODE, stubs, 0x6e00
    GATEAT IDT + 0x25 * 8, DATA, stubs, 0xee00
    GATEAT IDT + 0x26 * 8, 0, stubs, 0xee00
    GATEAT IDT + 0x27 * 8, FREE, stubs, 0xee00
    mov word [fs:user_flags], 0x202
    USER ints_user
    mov byte [fs:user_flags + 1], 0
    FAULT 13, CODEU & ~3, int 0x23            ; to an outer ring
    FAULT 11, 0x24 * 8 + 2, int 0x24
    FAULT 13, DATA, int 0x25
    FAULT 13, 0, int 0x26
    FAULT 11, FREE, int 0x27
    mov byte [fs:IDT + 6 * 8 + 5], 0x0e ; an exception whose gate is missing: EXT is set; two of the kind of #DE: #DF
    FAULT 11, 6 * 8 + 3, db 0x0f, 0x0b
    mov byte [fs:IDT + 6 * 8 + 5], 0x8e
    mov byte [fs:IDT + 5], 0x0e
    xor ecx, ecx
    EXPECT 8, 0, CODE, -1, .double
    div ecx
.double:
    mov byte [fs:IDT + 5], 0x8e
    FAULT 0, 0, div ecx
    USERFAULT 0, 0, user_div
    EXPECT 3, 0, CODE, .int3, .int3
    int3
.int3:
    mov al, 0x7f
    add al, 1
    EXPECT 4, 0, CODE, .into, .into
    into
.into:
    xor eax, eax
    into
    mov dword [0], -5
    mov dword [4], 7
    mov eax, -5
    bound eax, [0]
    mov eax, 7
    bound eax, [0]
    inc eax
    FAULT 5, 0, bound eax, [0]
    mov eax, -6
    FAULT 5, 0, bound eax, [0]
    FAULT 6, 0, db 0x62, 0xc0           ; BOUND of a register
    FAULT 6, 0, db 0x0f, 0x0b
    FAULT 6, 0, db 0xf0, 0x90           ; LOCK NOP
    EXPECT 1, 0, CODE, .stepped, .stepped
    pushfd
    or byte [esp + 1], 1
    popfd                               ; the next instruction is the first that traps
    nop
.stepped:
    test dword [fs:got_eflags], 0x100
    CHECKCC nz

; --- virtual 8086 mode -----------------------------------------------------------------------------------------------
    POST 0x0d
    V86 0x3000, v86_main
    CHECK dword [fs:got_esp], 0x7000
    CHECK dword [ss:RING0 - 4], 0x4444  ; GS FS DS ES SS ESP EFLAGS CS EIP
    CHECK dword [ss:RING0 - 8], 0x3333
    CHECK dword [ss:RING0 - 12], 0x2000
    CHECK dword [ss:RING0 - 16], 0x1111
    CHECK dword [ss:RING0 - 20], 0x1000
    mov eax, [fs:got_eflags]
    and eax, 0x23200
    CHECK eax, 0x23200                  ; STI at IOPL 3
    V86FAULT 13, 0, 0x3000, v86_hlt
    V86FAULT 13, 0, 0x3000, v86_cr0
    V86FAULT 13, 0, 0x3000, v86_lgdt
    V86FAULT 13, 0, 0x3000, v86_in
    V86FAULT 13, 0, 0x3000, v86_limit
    V86FAULT 12, 0, 0x3000, v86_stack_limit
    V86FAULT 13, 0x28 * 8 + 2, 0x3000, v86_int28
    V86FAULT 6, 0, 0x3000, v86_sldt
    V86FAULT 6, 0, 0x3000, v86_lar
    V86FAULT 6, 0, 0x3000, v86_arpl
    V86FAULT 13, CONF, 0x3000, v86_int22
    V86FAULT 13, 3 * 8 + 2, 0x3000, v86_int3
    V86FAULT 13, 0, 0, v86_cli          ; IOPL 0
    V86FAULT 13, 0, 0, v86_sti
    V86FAULT 13, 0, 0, v86_pushf
    V86FAULT 13, 0, 0, v86_popf
    V86FAULT 13, 0, 0, v86_iret
    V86FAULT 13, 0, 0, v86_int30
    V86FAULT 13, 3 * 8 + 2, 0, v86_int3 ; not by IOPL
    GATEAT IDT + 13 * 8, CODE, monitor, 0x8e00
    mov word [fs:0x55 * 4], v86_service
    mov word [fs:0x55 * 4 + 2], where
    mov [fs:resume_esp], esp
    push dword 0
    push dword v86_redirected
    jmp to_v86
monitor_done:
    GATEAT IDT + 13 * 8, CODE, stubs + 13 * 16, 0x8e00
    CHECK edx, 0x5678

; --- tasks ---------------------------------------------------------------------------------------------------------
    POST 0x0e
    mov dword [fs:TSSC + 0x1c], PD
    mov dword [fs:TSSC + 0x20], task_c
    mov dword [fs:TSSC + 0x24], 2
    mov dword [fs:TSSC + 0x28], 0xc0c0c0c0
    mov dword [fs:TSSC + 0x38], 0xd000
    mov dword [fs:TSSC + 0x44], 0xc7c7c7c7
    mov word [fs:TSSC + 0x48], DATA
    mov word [fs:TSSC + 0x4c], CODE
    mov word [fs:TSSC + 0x50], STACK
    mov word [fs:TSSC + 0x54], IN_LDT
    mov word [fs:TSSC + 0x58], FLAT
    mov word [fs:TSSC + 0x60], LDTS
    mov word [fs:TSSC + 0x66], 0x68
    mov word [fs:TSSB + 0x0e], task_b
    mov word [fs:TSSB + 0x10], 2
    mov word [fs:TSSB + 0x12], 0xb0b0
    mov word [fs:TSSB + 0x1a], 0xc000
    mov word [fs:TSSB + 0x22], DATA
    mov word [fs:TSSB + 0x24], CODE
    mov word [fs:TSSB + 0x26], STACK
    mov word [fs:TSSB + 0x28], DATA
    mov word [fs:TSSB + 0x2a], LDTS
    mov ebx, 0x12345678
    mov edi, 0x87654321
    call TSSCS:0x9999                   ; C calls B, both return
.back:
    CHECK ebx, 0x12345678
    CHECK edi, 0x87654321
    CHECK esp, 0xe000
    str ax
    CHECK ax, TSSS
    mov eax, cr0
    test al, 8                          ; TS
    CHECKCC nz
    clts
    pushfd
    pop eax
    test ah, 0x40                       ; NT
    CHECKCC z
    CHECK byte [fs:GDT + TSSS + 5], 0xeb
    CHECK byte [fs:GDT + TSSCS + 5], 0xe9
    CHECK byte [fs:GDT + TSSBS + 5], 0xe1
    CHECK dword [fs:TSS + 0x20], .back
    CHECK dword [fs:TSSC + 0x28], 0xc0c0c0c1
    CHECK dword [fs:TSSC + 0x20], task_c.again
    CHECK word [fs:TSSB + 0x12], 0xb0b1
    CHECK word [fs:TSSB + 0x0e], task_b.again
    FAULT 13, TSSS, jmp TSSS:0          ; busy
    mov byte [fs:GDT + TSSBS + 5], 0x61
    FAULT 11, TSSBS, call TSSBS:0
    mov byte [fs:GDT + TSSBS + 5], 0xe1
    mov byte [fs:GDT + TSSBS], 0x2a     ; too short
    FAULT 10, TSSBS, call TSSBS:0
    mov byte [fs:GDT + TSSBS], 0x2b
    GATEAT GDT + GATE, TSSCS, 0, 0xe500
    call GATE:0                         ; through a gate, from ring 0 and from ring 3
    CHECK dword [fs:TSSC + 0x28], 0xc0c0c0c2
    USER user_task
    CHECK dword [fs:TSSC + 0x28], 0xc0c0c0c3
    clts
    ; an exception with an error code through a task gate, in ring 0 and where the stack of ring 0 is of no use
    GATEAT IDT + 11 * 8, TSSCS, 0, 0x8500
    GATEAT IDT + 10 * 8, TSSCS, 0, 0x8500
    mov dword [fs:TSSC + 0x20], task_fault
    mov ax, FREE
    mov ebp, .after_np
    mov ds, ax                          ; not present
    jmp fail
.after_np:
    CHECK dword [fs:TSSC + 0x28], FREE
    mov word [fs:TSS + 8], DATAU        ; of ring 3
    EXPECT 0x30, 0, CODEU, -1, .after_ts
    mov ebp, user_task.leave
    push dword user_int
    jmp to_user
.after_ts:
    CHECK dword [fs:TSSC + 0x28], DATAU & ~3
    GATEAT IDT + 10 * 8, CODE, stubs + 10 * 16, 0x8e00
    GATEAT IDT + 11 * 8, CODE, stubs + 11 * 16, 0x8e00
    clts

; --- pages: every U/S and R/W of both levels, from both rings, with and without CR0.WP ---------------------------------
    POST 0x10
    xor ebp, ebp                        ; WP
pages:
    xor esi, esi                        ; bits: W and U of the PDE, W and U of the PTE, write, ring 3
combination:
    STEP
    mov eax, esi
    and eax, 3
    lea eax, [PT1 + 1 + eax * 2]
    mov [fs:PD + 4], eax
    mov eax, esi
    shr eax, 2
    and eax, 3
    lea eax, [TEST_PHYS + 1 + eax * 2]
    mov [fs:PT1], eax
    mov eax, cr3
    mov cr3, eax
    xor eax, eax
    mov cr2, eax
    mov edi, esi                        ; the error code: P, W, U
    shr edi, 4
    lea edi, [edi * 2 + 1]
    mov eax, esi
    shr eax, 2
    and eax, esi                        ; bit 0: W of both, bit 1: U of both
    mov ecx, -1
    test esi, 0x20
    jz .no_user
    mov ecx, 0x30
    test al, 2
    jz .must_fault
    jmp .writable
.no_user:
    test ebp, ebp
    jz .allowed
.writable:
    test esi, 0x10
    jz .allowed
    test al, 1
    jnz .allowed
.must_fault:
    mov ecx, 14
.allowed:
    mov [fs:want], ecx
    mov [fs:want_error], edi
    mov edx, esi
    shr edx, 4
    mov edx, [cs:page_access + edx * 4]
    mov [fs:want_eip], edx
    cmp ecx, 0x30
    jne .not_call
    mov dword [fs:want_error], 0
    mov dword [fs:want_eip], -1
.not_call:
    mov dword [fs:want_cs], CODE
    mov dword [fs:resume], page_done
    mov [fs:resume_esp], esp
    mov [fs:resume_esp + 4], ss
    mov ax, FLATU
    mov gs, ax
    test esi, 0x20
    jnz .user
    jmp edx
.user:
    mov dword [fs:want_cs], CODEU
    push edx
    jmp to_user
page_read: mov eax, [gs:TEST_AT + 0x124]
    jmp page_done
page_write: mov [gs:TEST_AT + 0x124], esi
    jmp page_done
page_done:
    cmp dword [fs:want], -1
    jne fail
    mov eax, cr2
    mov ebx, [fs:PT1]
    cmp ecx, 14
    je .faulted
    test eax, eax
    jnz fail
    test byte [fs:PD + 4], 0x20         ; accessed, on both levels
    jz fail
    test bl, 0x20
    jz fail
    shr bl, 2                           ; dirty when written
    xor ebx, esi
    test bl, 0x10
    jnz fail
    jmp .next
.faulted:
    cmp eax, TEST_AT + 0x124
    jne fail
    test bl, 0x40
    jnz fail
.next:
    inc esi
    cmp esi, 64
    jb combination
    mov eax, cr0
    xor eax, 0x10000
    mov cr0, eax
    mov eax, cr0
    mov ebp, eax
    and ebp, 0x10000
    jnz pages                 ; a 386 has no WP: the bit stays 0
    ; not present, on each level; across two pages
    mov dword [fs:PT1], TEST_PHYS + 7
    mov dword [fs:PT1 + 4], 6
    mov dword [fs:PD + 4], PT1 + 7
    mov dword [fs:PD + 8], 6
    mov eax, cr3
    mov cr3, eax
    mov dword [fs:TEST_AT + 0xffc], 0x12345678
    FAULT 14, 0, mov eax, [fs:TEST_AT + 0x1000]
    FAULT 14, 2, mov [fs:TEST_AT * 2 + 8], eax
    mov eax, cr2
    CHECK eax, TEST_AT * 2 + 8
    FAULT 14, 2, mov [fs:TEST_AT + 0xffd], eax
    mov eax, cr2
    CHECK eax, TEST_AT + 0x1000
    CHECK dword [fs:TEST_AT + 0xffc], 0x12345678
    USERFAULT 14, 4, user_absent_read
    USERFAULT 14, 6, user_absent_write
    ; what the CPU reads for itself is a supervisor's access, whoever made it
    and byte [fs:PT0 + (LDT >> 12) * 4], ~4
    mov eax, cr3
    mov cr3, eax
    mov byte [fs:LDT + 13], 0xf2        ; IN_LDT, not yet accessed
    mov ecx, IN_LDT + 3
    USER user_ldt
    CHECK byte [fs:LDT + 13], 0xf3
    and byte [fs:PT0 + (LDT >> 12) * 4], ~1
    mov eax, cr3
    mov cr3, eax
    USERFAULT 14, 0, user_ldt
    mov eax, cr2
    and eax, ~7
    CHECK eax, LDT + 8
    or byte [fs:PT0 + (LDT >> 12) * 4], 5
    mov eax, cr3
    mov cr3, eax
    mov eax, cr0                        ; the same page seen without paging, through a page mapped 1:1
    and eax, 0x7fffffff
    mov cr0, eax
    CHECK dword [fs:TEST_PHYS + 0xffc], 0x12345678
    or eax, 0x80000000
    mov cr0, eax

; --- descriptors ---------------------------------------------------------------------------------------------------
    POST 0x11
    mov ax, BEYOND
    FAULT 13, BEYOND, mov ds, ax
    mov ax, 0x10c
    FAULT 13, 0x10c, mov ds, ax         ; beyond the LDT
    mov ax, GATEB
    FAULT 13, GATEB, mov es, ax         ; a system descriptor
    mov ax, DATA + 1
    FAULT 13, DATA, mov es, ax          ; RPL above DPL
    DESC FREE, 0, 0xffff, 0x99, 4       ; only for execution
    mov ax, FREE
    FAULT 13, FREE, mov gs, ax
    DESC FREE, 0x20000, 0xffff, 0x12, 4 ; not present
    FAULT 11, FREE, mov gs, ax
    FAULT 12, FREE, mov ss, ax
    push eax
    FAULT 11, FREE, pop gs
    pop eax
    mov word [4], FREE
    FAULT 11, FREE, lgs eax, [0]
    FAULT 12, FREE, lss eax, [0]
    DESC FREE, 0x20000, 0xffff, 0x92, 4
    mov gs, ax
    CHECK byte [fs:GDT + FREE + 5], 0x93
    xor ax, ax
    mov gs, ax
    FAULT 13, 0, mov al, [gs:0]
    xor ax, ax
    FAULT 13, 0, mov ss, ax
    mov ax, DATA + 3
    FAULT 13, DATA, mov ss, ax
    mov ax, FLATU
    FAULT 13, FLATU & ~3, mov ss, ax
    mov ax, RODATA & ~3
    FAULT 13, RODATA & ~3, mov ss, ax
    FAULT 13, RODATA & ~3, lldt ax
    FAULT 13, RODATA & ~3, ltr ax
    FAULT 13, BEYOND, jmp BEYOND:0
    FAULT 13, 0, jmp 0:0
    FAULT 13, DATA, call DATA:0
    FAULT 13, CODEU & ~3, jmp CODEU & ~3:0
    DESC FREE, 0xf0000, 0xffff, 0xff, 4 ; conforming, of ring 3
    FAULT 13, FREE, jmp FREE:0
    DESC FREE, 0xf0000, 0xffff, 0x1b, 4
    FAULT 11, FREE, call FREE:0
    DESC FREE, LDT, 0xff, 0x62, 0
    mov ax, FREE
    FAULT 11, FREE, lldt ax
    mov ax, IN_LDT
    FAULT 13, IN_LDT, lldt ax           ; must be in the GDT
    mov ax, TSSS
    FAULT 13, TSSS, ltr ax              ; busy
    DESC FREE, TSSC, 0x67, 0x69, 0
    mov ax, FREE
    FAULT 11, FREE, ltr ax
    push dword 2
    push dword DATA
    push dword 0
    FAULT 13, DATA, iretd
    mov dword [esp + 4], 0
    FAULT 13, 0, iretd
    mov dword [esp + 4], BEYOND + 3
    FAULT 13, BEYOND, iretd
    add esp, 12
    push dword DATA                     ; to ring 3 with a stack of ring 0
    push dword 0
    push dword CODEU
    push dword 0
    FAULT 13, DATA, retf
    mov dword [esp + 12], 0
    FAULT 13, 0, retf
    add esp, 16

; --- LAR LSL VERR VERW ARPL ------------------------------------------------------------------------------------------
    POST 0x12
    DESC FREE, 0, 0x12345, 0xf2, 0xc
    mov esi, rights
.rights:
    STEP
    mov ax, [cs:esi]
    mov ebx, 0xaaaaaaaa
    mov ecx, 0xbbbbbbbb
    xor edx, edx
    lar ebx, eax
    setz dl
    lsl ecx, eax
    setz dh
    verr ax
    pushfd
    verw ax
    pushfd
    pop edi
    pop eax
    and eax, 0x40
    and edi, 0x40
    lea eax, [eax + edi * 2]            ; 40h: readable, 80h: writable
    or dl, al
    cmp edx, [cs:esi + 2]
    jne fail
    and ebx, 0x00f0ff00                 ; bits 16 to 19 are not defined
    cmp ebx, [cs:esi + 6]
    jne fail
    cmp ecx, [cs:esi + 10]
    jne fail
    add esi, 14
    cmp esi, rights_end
    jb .rights
    lsl cx, [cs:rights_word]            ; 16 bits of it
    CHECK ecx, 0xbbbb5fff
    mov eax, 0xffff0010
    mov ebx, 0xffff0003
    arpl ax, bx
    CHECKCC z
    CHECK eax, 0xffff0013
    arpl ax, bx
    CHECKCC nz
    CHECK eax, 0xffff0013

; --- arithmetic, printed: name, EAX, EDX and EFLAGS after, of what is defined -----------------------------------------
    POST 0x13
    mov dx, 0x3fb                       ; 115200 baud, 8 bits
    mov al, 0x83
    out dx, al
    mov dx, 0x3f8
    mov ax, 1
    out dx, ax
    mov dx, 0x3fb
    mov al, 3
    out dx, al
    mov ebp, operations                 ; length, mask of the flags, name, code
.operation:
    xor ebx, ebx
.values:
    lea esi, [ebp + 6]
    call puts
    mov al, ' '
    call putc
    EXPECT 0, 0, CODE, -1, .divide_error
    push dword [cs:values + ebx + 12]
    mov eax, [cs:values + ebx]
    mov ecx, [cs:values + ebx + 4]
    mov edx, [cs:values + ebx + 8]
    popfd
    call esi
    pushfd
    pop ecx
    and ecx, [cs:ebp + 2]
    call hex
    mov eax, edx
    call hex
    mov eax, ecx
    call hex
.printed:
    mov al, 10
    call putc
    add ebx, 16
    cmp ebx, values_end - values
    jb .values
    movzx eax, word [cs:ebp]
    add ebp, eax
    cmp ebp, operations_end
    jb .operation
    jmp limits
.divide_error:
    mov esi, divide_error
    call puts
    jmp .printed

; --- limits --------------------------------------------------------------------------------------------------------
limits:
    mov dword [fs:want], -1
    POST 0x14
    mov ebx, 0xfff                      ; bytes, up
    DESC FREE, 0x20000, 0xfff, 0x93, 4
    call load_es
    mov al, [es:ebx]
    mov ax, [es:ebx - 1]
    mov eax, [es:ebx - 3]
    FAULT 13, 0, mov al, [es:ebx + 1]
    FAULT 13, 0, mov ax, [es:ebx]
    FAULT 13, 0, mov [es:ebx - 2], eax
    FAULT 13, 0, mov al, [es:-1]
    FAULT 13, 0, mov eax, [es:-2]       ; wraps
    FAULT 13, 0, push dword [es:ebx]
    mov edi, 0xffe                      ; strings stop in the middle
    mov ecx, 4
    FAULT 13, 0, rep stosb
    CHECK ecx, 2
    CHECK edi, 0x1000
    DESC FREE, 0x20000, 0, 0x93, 0xc    ; pages, up
    call load_es
    mov eax, [es:ebx - 3]
    FAULT 13, 0, mov al, [es:ebx + 1]
    DESC FREE, 0x20000, 0xfff, 0x97, 0  ; down, 16 bits
    call load_es
    mov al, [es:ebx + 1]
    mov eax, [es:0xfffc]
    FAULT 13, 0, mov al, [es:ebx]
    FAULT 13, 0, mov ax, [es:ebx]
    FAULT 13, 0, mov ax, [es:0xffff]
    FAULT 13, 0, mov al, [es:0x10000]
    DESC FREE, 0x20000, 0xfff, 0x97, 4  ; down, 32 bits
    call load_es
    mov ax, [es:0xffff]
    FAULT 13, 0, mov ax, [es:ebx]
    FAULT 13, 0, mov eax, [es:-2]
    DESC FREE, 0x20000, 0xfffff, 0x97, 0xc
    call load_es
    FAULT 13, 0, mov al, [es:-1]        ; nothing is left
    DESC FREE, 0x20000, 0xfff, 0x93, 4  ; the stack
    mov ax, FREE
    mov ss, ax
    mov esp, 0x800
    FAULT 12, 0, mov eax, [ss:ebx]
    lea ebp, [ebx - 2]
    FAULT 12, 0, mov eax, [ebp]
    mov esp, 0xffe
    FAULT 12, 0, pop eax
    CHECK esp, 0xffe
    FAULT 12, 0, ret
    FAULT 12, 0, iretd
    FAULT 12, 0, popad
    FAULT 12, 0, leave
    mov ax, STACK
    mov ss, ax
    mov esp, 0xe000
    EXPECT 12, 0, CODEU, user_push, .after_push
    push dword user_small
    jmp to_user
.after_push:
    USERFAULT 12, 0, user_enter
    mov ax, RODATA                      ; rights
    mov es, ax
    mov al, [es:0]
    FAULT 13, 0, mov [es:0], al
    FAULT 13, 0, inc dword [es:0]
    FAULT 13, 0, mov [cs:0], al
    FAULT 13, CODE, jmp CODE + 2:limits ; RPL above CPL
    FAULT 13, 0, jmp 0x10000
    FAULT 13, 0, call 0x10000
    DESC FREE, 0xf0000, code_limit, 0x99, 4
    EXPECT 13, 0, FREE, code_across, .after_across
    jmp FREE:code_across                ; the instruction's last byte is outside
.after_across:
    EXPECT 13, 0, FREE, code_reads, .after_reads
    jmp FREE:code_reads                 ; readable for execution only
.after_reads:
    POST 0xff
    mov dx, 0x3fd
.sent:
    in al, dx
    test al, 0x40
    jz .sent
    mov esi, shutdown                   ; where it is understood, the power goes off
    mov ecx, 8
    mov edx, 0x8900
.off:
    cs lodsb
    out dx, al
    loop .off
    hlt
    jmp $
shutdown: db "Shutdown"
code_reads: mov al, [cs:0]
    jmp fail
code_across: mov eax, 0x12345678
code_limit equ $ - $$ - 2
    jmp fail
load_es:
    mov ax, FREE
    mov es, ax
    ret

%include "rom386_parts.inc"

    times 0xfff0 - ($ - $$) db 0xff
    jmp where:begin
    times 0x10000 - ($ - $$) db 0xff
