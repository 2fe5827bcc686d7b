; Far jumps, calls and returns; call, interrupt and trap gates of both sizes; IRET; SYSENTER.
%include "bare.inc"

G1    equ SEL + 0x00
G2    equ SEL + 0x08
CONF  equ SEL + 0x10                    ; conforming code, DPL 0
CODE1 equ SEL + 0x18                    ; code and stack for ring 1
DATA1 equ SEL + 0x20
S1    equ SEL + 0x28

%macro USER_DS 0
    mov eax, UDATA
    mov ds, ax
    mov es, ax
%endmacro

main:
    DESC CONF, 0, 0xfffff, 0x9f, 0xc
    DESC CODE1, 0, 0xfffff, 0xbb, 0xc
    DESC DATA1, 0, 0xfffff, 0xb3, 0xc
    mov dword [TSS0_AT + 12], 0x68000
    mov dword [TSS0_AT + 16], DATA1 + 1

    ; --- jumps and calls at one level ----------------------------------------------------------------------------
    jmp KCODE:.direct
    jmp fail
.direct:
    mov esi, esp
    call KCODE:near_return
    CHECK esp, esi
    call far [.pointer]
    CHECK esp, esi
    call word KCODE:(word_return - $$ + 0x7c00)
    CHECK esp, esi
    jmp .after_calls
.pointer: dd near_return
    dw KCODE
.after_calls:
    FAULT 13, 0, jmp 0:0
    FAULT 13, 0x200, jmp 0x200:0
    FAULT 13, KDATA, jmp KDATA:0
    FAULT 13, UCODE - 3, jmp UCODE:0
    FAULT 13, KCODE, jmp KCODE + 1:0
    DESC S1, 0, 0xff, 0x9b, 4
    FAULT 13, 0, jmp S1:0x100
    DESC S1, 0, 0xff, 0x1b, 4
    FAULT 11, S1, call S1:0
    CHECK esp, esi
    jmp CONF:.conforming
.conforming:
    mov eax, cs
    CHECK eax, CONF
    jmp KCODE:.back
.back:
    ; a selector's RPL becomes CPL
    DESC S1, 0, 0xfffff, 0x98, 0xc
    jmp S1:.accessed
.accessed:
    test byte [gdt + S1 + 5], 1
    CHECKCC nz
    jmp KCODE:.gates

    ; --- gates ---------------------------------------------------------------------------------------------------
.gates:
    GATE gdt + G1, KCODE, near_return, 0x8c00
    call G1:0x12345678                  ; the offset does not count
    CHECK esp, esi
    jmp G1:0
    jmp fail
after_jump_gate:
    GATE gdt + G1, KCODE, gate32, 0xec02
    GATE gdt + G2, KCODE, gate16, 0xe402
    USER user_gate32
    USER user_gate16
    GATE gdt + G1, CONF, conforming_at_3, 0xec00
    USER user_conforming
    GATE gdt + G1, CODE1, ring1, 0xec01
    USER user_ring1
    ; refused
    GATE gdt + G1, KCODE, gate32, 0x8c00
    USERFAULT 13, G1, call_g1
    USERFAULT 13, G1, jump_g1
    GATE gdt + G1, KCODE, gate32, 0x6c00
    USERFAULT 11, G1, call_g1
    GATE gdt + G1, KCODE, gate32, 0xec00
    USERFAULT 13, KCODE, jump_g1        ; JMP cannot change the level
    GATE gdt + G1, KDATA, gate32, 0xec00
    USERFAULT 13, KDATA, call_g1
    GATE gdt + G1, 0, gate32, 0xec00
    USERFAULT 13, 0, call_g1
    GATE gdt + G1, 0x200, gate32, 0xec00
    USERFAULT 13, 0x200, call_g1
    DESC S1, 0, 0xfffff, 0x1b, 0xc
    GATE gdt + G1, S1, gate32, 0xec00
    USERFAULT 11, S1, call_g1
    DESC S1, 0, 0xff, 0x9b, 4
    USERFAULT 13, 0, call_g1            ; the offset is beyond the limit
    USERFAULT 13, KCODE, call_kernel

    ; --- the inner stack -----------------------------------------------------------------------------------------
    GATE gdt + G1, CODE1, ring1, 0xec00
    mov dword [TSS0_AT + 16], 0
    USERFAULT 10, 0, call_g1
    mov dword [TSS0_AT + 16], DATA1     ; RPL 0
    USERFAULT 10, DATA1, call_g1
    mov dword [TSS0_AT + 16], 0x201
    USERFAULT 10, 0x200, call_g1
    mov dword [TSS0_AT + 16], CODE1 + 1
    USERFAULT 10, CODE1, call_g1
    DESC S1, 0, 0xfffff, 0x33, 0xc
    mov dword [TSS0_AT + 16], S1 + 1
    USERFAULT 12, S1, call_g1
    DESC S1, 0, 0xfff, 0xb3, 4          ; ESP1 is beyond
    USERFAULT 12, S1, call_g1
    mov dword [TSS0_AT + 16], DATA1 + 1

    ; --- returns -------------------------------------------------------------------------------------------------
    push dword 0
    push dword 0
    FAULT 13, 0, retf                   ; null CS
    mov dword [esp + 4], KDATA
    FAULT 13, KDATA, retf
    mov dword [esp + 4], UCODE - 3      ; RPL 0, DPL 3
    FAULT 13, UCODE - 3, retf
    mov dword [esp + 4], UCODE
    push dword [esp]
    push dword [esp]
    mov dword [esp + 4], UCODE          ; EIP CS ESP SS
    mov dword [esp + 12], 0
    FAULT 13, 0, retf                   ; null SS for ring 3
    mov dword [esp + 12], KDATA
    FAULT 13, KDATA, retf
    mov dword [esp + 12], UDATA - 3
    FAULT 13, UDATA - 3, retf
    DESC S1, 0, 0xfffff, 0x73, 0xc
    mov dword [esp + 12], S1 + 3
    FAULT 12, S1, retf
    add esp, 16
    ; data segments that ring 3 may not use become null, others stay
    EXPECT 0x30, -1, -1, .returned
    mov eax, UDATA
    mov fs, ax
    mov eax, CONF
    mov gs, ax
    push dword UDATA
    push dword USTACK
    push dword UCODE
    push dword user_segments
    retf
.returned:
    CHECK dword [got_eax], 0
    CHECK dword [got_ebx], UDATA
    CHECK dword [got_ecx], CONF

    ; --- interrupts ----------------------------------------------------------------------------------------------
    mov esi, esp
    GATE IDT_AT + 0x40 * 8, KCODE, int_frame, 0x8e00
    sti
    int 0x40
    CHECK esp, esi
    GATE IDT_AT + 0x40 * 8, KCODE, trap_frame, 0x8f00
    int 0x40
    cli
    GATE IDT_AT + 0x40 * 8, KCODE, int16_frame, 0x8600
    int 0x40
    CHECK esp, esi
    GATE IDT_AT + 0x40 * 8, KCODE, int_frame, 0x0e00
    FAULT 11, 0x202, int 0x40
    GATE IDT_AT + 0x40 * 8, KCODE, int_frame, 0x8c00
    FAULT 13, 0x202, int 0x40
    GATE IDT_AT + 0x40 * 8, 0, int_frame, 0x8e00
    FAULT 13, 0, int 0x40
    GATE IDT_AT + 0x40 * 8, KDATA, int_frame, 0x8e00
    FAULT 13, KDATA, int 0x40
    GATE IDT_AT + 0x40 * 8, UCODE, int_frame, 0x8e00
    FAULT 13, UCODE - 3, int 0x40
    GATE IDT_AT + 0x40 * 8, CONF, int_frame, 0x8e00
    int 0x40
    mov dword [idt_short + 2], IDT_AT
    mov word [idt_short], 0x40 * 8 + 6  ; one byte too short
    lidt [idt_short]
    FAULT 13, 0x202, int 0x40
    lidt [idt_pointer]
    GATE IDT_AT + 0x40 * 8, CODE1, ring1_int, 0xee00
    USER user_int
    GATE IDT_AT + 0x40 * 8, CONF, conforming_at_3, 0xee00
    USER user_int_conforming
    ; hardware errors set EXT
    GATE IDT_AT + 0x00 * 8, KDATA, int_frame, 0x8e00
    GATE IDT_AT + 0x08 * 8, KCODE, double_fault, 0x8e00
    xor edx, edx
    xor ecx, ecx
    EXPECT -1, -1, -1, -1
    div ecx                             ; #DE through a bad gate is #GP, so a double fault
    jmp fail
after_double:
    GATE IDT_AT + 0x06 * 8, KDATA, int_frame, 0x8e00
    FAULT 13, KDATA + 1, db 0x0f, 0xff  ; #UD is benign: #GP alone, EXT set

    ; --- IRET ----------------------------------------------------------------------------------------------------
    pushfd
    push dword 0
    push dword 0
    FAULT 13, 0, iretd
    mov dword [esp + 4], KDATA
    FAULT 13, KDATA, iretd
    mov dword [esp + 4], UCODE - 3
    FAULT 13, UCODE - 3, iretd
    add esp, 12
    pushfd                              ; same level, all flags
    or dword [esp], 0x3ad5
    push dword KCODE
    push dword .flags
    iretd
.flags:
    pushfd
    pop eax
    and eax, 0x3fd7
    CHECK eax, 0x3ad7
    push dword 2
    popfd
    USER user_flags
    test dword [got_eflags], 0x3200     ; neither IOPL nor IF
    CHECKCC z
    test dword [got_eflags], 0x4000
    CHECKCC nz

    ; --- SYSENTER ------------------------------------------------------------------------------------------------
    call features
    test edx, 1 << 11
    jz .done
    mov ecx, 0x174
    xor eax, eax
    xor edx, edx
    wrmsr
    FAULT 13, 0, sysenter
    FAULT 13, 0, sysexit
    mov ecx, 0x174
    mov eax, KCODE
    xor edx, edx
    wrmsr
    mov ecx, 0x175
    mov eax, KSTACK
    wrmsr
    mov ecx, 0x176
    mov eax, sysenter_entry
    wrmsr
    rdmsr
    CHECK eax, sysenter_entry
    EXPECT 0x30, -1, -1, .sysexited
    sti
    mov ecx, USTACK - 64
    mov edx, user_sysenter
    sysexit
.sysexited:
    CHECK dword [got_esp], USTACK - 64
    CHECK dword [got_cs], UCODE
    CHECK dword [got_ss], UDATA
    CHECK dword [got_ebx], 0x1234
    USERFAULT 13, 0, user_sysexit
.done:
    PASS

near_return:
    cmp esi, esp                        ; reached by a JMP through the gate?
    je .jumped
    mov eax, cs
    CHECK [esp + 4], eax
    retf
.jumped:
    jmp after_jump_gate
word_return:
    lea eax, [esi - 4]
    CHECK esp, eax
    CHECK word [esp + 2], KCODE
    o16 retf

gate32:
    CHECK dword [esp], user_gate32.back
    CHECK dword [esp + 4], UCODE
    CHECK dword [esp + 8], 0x22222222
    CHECK dword [esp + 12], 0x11111111
    CHECK dword [esp + 16], esi
    CHECK dword [esp + 20], UDATA
    lea eax, [esp + 24]
    CHECK eax, KSTACK_INT
    mov eax, cs
    CHECK eax, KCODE
    mov eax, ss
    CHECK eax, KDATA
    retf 8
user_gate32:
    USER_DS
    push dword 0x11111111
    push dword 0x22222222
    mov esi, esp
    call G1:0
.back:
    add esi, 8
    CHECK esp, esi
    mov eax, cs
    CHECK eax, UCODE
    KERNEL

gate16:
    CHECK word [esp], user_gate16.back
    CHECK word [esp + 2], UCODE
    CHECK word [esp + 4], 0x2222
    CHECK word [esp + 6], 0x1111
    CHECK word [esp + 8], si
    CHECK word [esp + 10], UDATA
    lea eax, [esp + 12]
    CHECK eax, KSTACK_INT
    o16 retf 4
user_gate16:
    USER_DS
    push word 0x1111
    push word 0x2222
    mov esi, esp
    call G2:0
.back:
    movzx esi, si
    add esi, 4
    CHECK esp, esi
    KERNEL

conforming_at_3:
    mov eax, cs
    CHECK eax, CONF + 3
    cmp dword [esp + 4], UCODE
    jne .jumped
    cmp edi, 1                          ; an interrupt's frame
    je .interrupt
    retf
.interrupt:
    iretd
.jumped:
    CHECK esp, USTACK
    KERNEL
user_conforming:
    USER_DS
    xor edi, edi
    call G1:0
    CHECK esp, USTACK
    call CONF:conforming_at_3
    CHECK esp, USTACK
    mov eax, cs
    CHECK eax, UCODE
    jmp G1:0
user_int_conforming:
    USER_DS
    mov edi, 1
    int 0x40
    mov eax, cs
    CHECK eax, UCODE
    KERNEL

ring1:
    mov eax, ss
    CHECK eax, DATA1 + 1
    CHECK esp, 0x68000 - 20
    CHECK dword [esp + 8], 0x99
    mov eax, cs
    CHECK eax, CODE1 + 1
    EXPECT 13, 0, .in, .after           ; not ring 0
.in:
    mov eax, cr0
.after:
    ; back in ring 0 by the fault; go on in ring 3 for the USER macro's end
    EXPECT 0x30, -1, -1, user_ring1_end
    push dword UDATA
    push dword USTACK
    push dword UCODE
    push dword user_ring1.kernel
    retf
user_ring1:
    USER_DS
    mov eax, [resume]
    mov [ring1_resume], eax
    mov eax, [resume_esp]
    mov [ring1_esp], eax
    push dword 0x99
    call G1:0
.kernel:
    KERNEL
user_ring1_end:
    mov esp, [ring1_esp]
    jmp [ring1_resume]
ring1_resume: dd 0
ring1_esp: dd 0
ring1_int:
    CHECK esp, 0x68000 - 20
    CHECK dword [esp + 16], UDATA
    CHECK dword [esp + 12], USTACK
    iretd
user_int:
    USER_DS
    int 0x40
    CHECK esp, USTACK
    KERNEL

call_g1: call G1:0
jump_g1: jmp G1:0
call_kernel: call KCODE:0
user_segments:
    mov eax, ds
    mov ebx, fs
    mov ecx, gs
    KERNEL
user_flags:
    pushfd
    or dword [esp], 0x7200              ; IOPL 3, IF, NT
    push dword UCODE
    push dword .after
    iretd
.after:
    KERNEL
user_sysenter:
    mov ebx, 0x1234
    mov eax, UDATA
    mov ds, ax
    sysenter
sysenter_entry:
    pushfd
    pop eax
    test eax, 0x200
    CHECKCC z
    CHECK esp, KSTACK
    mov eax, cs
    CHECK eax, KCODE
    mov ecx, USTACK - 64
    mov edx, .out
    sysexit
.out:
    KERNEL
user_sysexit: sysexit

int_frame:
    pushfd
    test dword [esp], 0x200
    CHECKCC z
    add esp, 4
    mov eax, [esp + 4]
    and eax, 0xfffc
    CHECK eax, KCODE
    lea eax, [esi - 12]
    CHECK esp, eax
    iretd
trap_frame:
    pushfd
    test dword [esp], 0x200
    CHECKCC nz
    add esp, 4
    iretd
int16_frame:
    lea eax, [esi - 6]
    CHECK esp, eax
    o16 iret
double_fault:
    CHECK dword [esp], 0
    CHECK dword [esp + 8], KCODE
    mov esp, KSTACK
    jmp after_double

    align 4
idt_short: dw 0
    dd 0
