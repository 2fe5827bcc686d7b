; Hardware task switches: jumps, calls and IRET between 32- and 16-bit tasks, task gates, what faults before and after the switch, the
; T bit, the I/O permission map.
%include "bare.inc"

T1    equ SEL + 0x00                    ; 32-bit TSS
T2    equ SEL + 0x08                    ; 16-bit TSS
TG    equ SEL + 0x10                    ; task gate
S1    equ SEL + 0x18
LDT1  equ SEL + 0x20
T3    equ SEL + 0x28                    ; for #TS
T1_AT equ 0x40000
T2_AT equ 0x41000
LDT_AT equ 0x42000
T3_AT equ 0x43000
STACK1 equ 0x50000

; Fills the 32-bit TSS at T1_AT for code at the label in ring 0.
%macro TASK32 1
    mov eax, %1
    call task32
%endmacro
%macro TASK16 1
    mov eax, %1
    call task16
%endmacro

main:
    mov dword [TSS0_AT + 0x60], 0
    ; --- JMP there and back --------------------------------------------------------------------------------------
    TASK32 jumped
    mov ebx, 0xbbbbbbbb
    mov ecx, 0xcccccccc
    mov esi, esp
    jmp T1:0x999
.back:
    CHECK ebx, 0xbbbbbbbb
    CHECK ecx, 0xcccccccc
    CHECK esp, esi
    mov eax, cr0
    test eax, 8                         ; TS
    CHECKCC nz
    clts
    str eax
    CHECK eax, TSS0
    CHECK byte [gdt + TSS0 + 5], 0x8b   ; busy again
    CHECK byte [gdt + T1 + 5], 0x89
    CHECK dword [T1_AT + 0x20], jumped.next
    CHECK dword [T1_AT + 0x28 + 3 * 4], 0x77
    CHECK dword [TSS0_AT + 0x20], .back
    CHECK dword [TSS0_AT + 0x28 + 3 * 4], 0xbbbbbbbb
    CHECK dword [TSS0_AT + 0x28 + 4 * 4], esp
    CHECK word [TSS0_AT + 0x4c], KCODE
    FAULT 13, TSS0, jmp TSS0:0          ; busy
    FAULT 13, TSS0, call TSS0:0
    ; DR7's local enables are cleared
    mov eax, 0x3ff
    mov dr7, eax
    TASK32 jumped
    jmp T1:0
    mov eax, dr7
    and eax, 0x3ff
    CHECK eax, 0x2aa
    xor eax, eax
    mov dr7, eax

    ; --- CALL and IRET -------------------------------------------------------------------------------------------
    TASK32 called
    call T1:0
.back_call:
    CHECK byte [gdt + T1 + 5], 0x89
    CHECK byte [gdt + TSS0 + 5], 0x8b
    CHECK word [T1_AT], TSS0
    test dword [T1_AT + 0x24], 0x4000   ; NT was cleared in the image by IRET
    CHECKCC z
    pushfd
    pop eax
    test eax, 0x4000
    CHECKCC z
    ; the task goes on after its IRET when it is called again
    call T1:0
    CHECK dword [T1_AT + 0x28 + 3 * 4], 0x88
    ; through a task gate
    GATE gdt + TG, T1, 0, 0x8500
    TASK32 called
    call TG:0
    CHECK word [T1_AT], TSS0
    TASK32 jumped
    jmp TG:0
    ; INT through a task gate
    GATE IDT_AT + 0x40 * 8, T1, 0, 0x8500
    TASK32 called
    mov esi, esp
    int 0x40
.after_int:
    CHECK esp, esi
    CHECK word [T1_AT], TSS0
    CHECK dword [TSS0_AT + 0x20], .after_int

    ; --- 16-bit task ---------------------------------------------------------------------------------------------
    TASK16 called16
    mov ebx, 0x12345678
    mov esi, esp
    call T2:0
.back_16:
    CHECK ebx, 0x12345678
    CHECK esp, esi
    CHECK byte [gdt + T2 + 5], 0x81
    CHECK word [T2_AT], TSS0
    CHECK word [T2_AT + 0x12 + 3 * 2], 0x4321
    CHECK word [T2_AT + 0x0e], called16.next

    ; --- refused before the switch -------------------------------------------------------------------------------
    DESC T1, T1_AT, 0x66, A_TSS32, 0
    FAULT 10, T1, jmp T1:0              ; limit below 67h
    DESC T1, T1_AT, 0x67, A_TSS32 - 0x80, 0
    FAULT 11, T1, jmp T1:0
    GATE gdt + TG, T1, 0, 0x8500
    FAULT 11, T1, jmp TG:0
    DESC T2, T2_AT, 0x2a, A_TSS16, 0
    FAULT 10, T2, call T2:0
    GATE gdt + TG, 0, 0, 0x8500
    FAULT 13, 0, jmp TG:0
    GATE gdt + TG, KDATA, 0, 0x8500
    FAULT 13, KDATA, jmp TG:0
    GATE gdt + TG, 0x200, 0, 0x8500
    FAULT 13, 0x200, jmp TG:0
    GATE gdt + TG, T1, 0, 0x0500
    FAULT 11, TG, jmp TG:0
    ; IRET with NT: the link must be a busy TSS
    DESC T1, T1_AT, 0x67, A_TSS32, 0
    mov word [TSS0_AT], T1
    pushfd
    or dword [esp], 0x4000
    popfd
    FAULT 10, T1, iretd
    mov word [TSS0_AT], KDATA
    pushfd
    or dword [esp], 0x4000
    popfd
    FAULT 10, KDATA, iretd
    CHECK byte [gdt + TSS0 + 5], 0x8b
    str eax
    CHECK eax, TSS0
    push dword 2
    popfd

    ; --- faults in the new task ----------------------------------------------------------------------------------
    ; the saved EIP is the new task's first instruction; each fault comes back here and leaves T1 behind
%macro NEWTASK 3                        ; vector, error, offset and value to spoil: [T1_AT + %3]
    TASK32 never
    mov dword [T1_AT + %3], edx
    EXPECT %1, %2, never, %%after
    jmp T1:0
%%after:
    str eax
    CHECK eax, T1
    CHECK byte [gdt + TSS0 + 5], 0x89
    CHECK byte [gdt + T1 + 5], 0x8b
    call back_to_tss0
%endmacro
    mov edx, S1
    DESC S1, 0, 0xfffff, 0x13, 0xc
    NEWTASK 11, S1, 0x54                ; DS not present
    mov edx, TSS0
    NEWTASK 10, TSS0, 0x48              ; ES a system segment
    mov edx, 0x200
    NEWTASK 10, 0x200, 0x58             ; FS beyond the table
    ; before SS is there only a task gate can take the fault
%macro LDTFAULT 1
    TASK32 never
    mov dword [T1_AT + 0x60], %1
    DESC T3, T3_AT, 0x67, A_TSS32, 0
    mov dword [T3_AT + 0x38], STACK1
    mov dword [T3_AT + 0x20], ts_task
    mov dword [T3_AT + 0x24], 2
    mov dword [resume], %%after
    jmp T1:0
%%after:
    CHECK edi, %1
%endmacro
    TASK32 never
    mov esi, T1_AT
    mov edi, T3_AT
    mov ecx, 0x68
    rep movsb
    GATE IDT_AT + 10 * 8, T3, 0, 0x8500
    LDTFAULT KCODE                      ; not an LDT
    DESC LDT1, LDT_AT, 15, 0x02, 0
    LDTFAULT LDT1                       ; not present: #TS too
    LDTFAULT 12                         ; in an LDT
    GATE IDT_AT + 10 * 8, KCODE, stubs + 10 * 16, 0x8e00

    ; --- LDT and T bit -------------------------------------------------------------------------------------------
    DESC LDT1, LDT_AT, 15, A_LDT, 0
    mov dword [LDT_AT + 8], 0x0000ffff
    mov dword [LDT_AT + 12], 0x00cf9300
    TASK32 with_ldt
    mov dword [T1_AT + 0x60], LDT1
    mov dword [T1_AT + 0x54], 12        ; DS from it
    call T1:0
    sldt eax
    CHECK eax, 0
    TASK32 called
    mov word [T1_AT + 0x64], 1
    xor eax, eax
    mov dr6, eax
    EXPECT 1, -1, called, .trapped
    call T1:0
.trapped:
    mov eax, dr6
    test eax, 0x8000
    CHECKCC nz
    mov word [T1_AT + 0x64], 0
    call back_to_tss0

    ; --- a fault handler in a task: error code on its stack, the faulting task's state in its TSS ---------------
    TASK32 gp_task
    GATE IDT_AT + 13 * 8, T1, 0, 0x8500
    mov ebx, 0x5555
.faulting:
    mov eax, 0x200
    mov fs, ax
    CHECK ebx, 0x5555
    CHECK eax, 0
    CHECK dword [T1_AT + 0x28 + 7 * 4], 0x200     ; EDI: what the task popped
    test dword [TSS0_AT + 0x24], 0x10000          ; RF in the image of a fault
    CHECKCC nz
    GATE IDT_AT + 13 * 8, KCODE, stubs + 13 * 16, 0x8e00

    ; --- the I/O permission map ----------------------------------------------------------------------------------
    mov word [TSS0_AT + 0x66], 0x100
    mov edi, TSS0_AT + 0x100
    mov ecx, 64
    mov eax, 0xffffffff
    rep stosd
    and byte [TSS0_AT + 0x100 + 0xf4 / 8], ~(1 << (0xf4 & 7)) & 0xff
    USER user_io
    USERFAULT 13, 0, user_io_16         ; F5h is not allowed
    USERFAULT 13, 0, user_io_other
    and byte [TSS0_AT + 0x100 + 0xf4 / 8], 0x0f
    USER user_io_32
    mov edx, 0x7800
    USERFAULT 13, 0, user_io_far        ; a port whose two bytes of map lie beyond the limit
    ; IOPL 3 needs no map
    mov word [TSS0_AT + 0x66], 0x1000
    EXPECT 0x30, -1, -1, .iopl
    push dword UDATA
    push dword USTACK
    push dword 0x3002
    push dword UCODE
    push dword user_iopl
    iretd
.iopl:
    PASS

; EAX: entry. Registers of the new task are marked.
task32:
    pushad
    mov edi, T1_AT
    mov ecx, 0x68 / 4
    xor eax, eax
    rep stosd
    popad
    DESC T1, T1_AT, 0x67, A_TSS32, 0
    mov [T1_AT + 0x20], eax
    mov dword [T1_AT + 0x24], 2
    mov dword [T1_AT + 0x28 + 4 * 4], STACK1
    mov dword [T1_AT + 0x28 + 5 * 4], 0xeb
    mov dword [T1_AT + 0x48], KDATA
    mov dword [T1_AT + 0x4c], KCODE
    mov dword [T1_AT + 0x50], KDATA
    mov dword [T1_AT + 0x54], KDATA
    mov dword [T1_AT + 4], KSTACK_INT
    mov dword [T1_AT + 8], KDATA
    mov word [T1_AT + 0x66], 0x68
    ret

task16:
    DESC T2, T2_AT, 0x2b, A_TSS16, 0
    mov [T2_AT + 0x0e], ax
    mov word [T2_AT + 0x10], 2
    mov word [T2_AT + 0x12 + 4 * 2], 0x3000
    mov word [T2_AT + 0x22], KDATA
    mov word [T2_AT + 0x24], KCODE
    mov word [T2_AT + 0x26], DATA16
    mov word [T2_AT + 0x28], KDATA
    mov word [T2_AT + 0x2a], 0
    ret

; TSS0 as the current task again, without loading it.
back_to_tss0:
    DESC TSS0, TSS0_AT, 0xfff, A_TSS32, 0
    mov eax, TSS0
    ltr ax
    xor eax, eax
    lldt ax
    mov eax, KDATA
    mov ds, ax
    mov es, ax
    ret

jumped:
    CHECK ebp, 0xeb
    CHECK esp, STACK1
    str eax
    CHECK eax, T1
    CHECK byte [gdt + T1 + 5], 0x8b
    CHECK byte [gdt + TSS0 + 5], 0x89
    pushfd
    pop eax
    and eax, ~0x8d5
    CHECK eax, 2
    mov ebx, 0x77
    jmp TSS0:0
.next:
    jmp fail

called:
    pushfd
    pop eax
    CHECK eax, 0x4002
    CHECK byte [gdt + TSS0 + 5], 0x8b
    CHECK byte [gdt + T1 + 5], 0x8b
    CHECK esp, STACK1
    mov ebx, 0x77
    iretd
    CHECK ebx, 0x77
    mov ebx, 0x88
    iretd

called16:
    str eax
    CHECK ax, T2
    CHECK sp, 0x3000
    push eax
    mov eax, ss
    CHECK ax, DATA16
    pop eax
    mov eax, fs
    CHECK eax, 0
    pushfd
    pop eax
    and eax, ~0x8d5
    CHECK ax, 0x4002
    mov ebx, 0x4321
    iretd
.next:
    jmp fail

ts_task:
    pop edi
    CHECK word [T3_AT], T1
    CHECK dword [T1_AT + 0x20], never
    str eax
    CHECK eax, T3
    CHECK byte [gdt + T1 + 5], 0x8b
    mov esp, KSTACK
    call back_to_tss0
    pushfd
    and dword [esp], ~0x4000
    popfd
    jmp [resume]

never:
    jmp fail

with_ldt:
    sldt eax
    CHECK eax, LDT1
    mov eax, ds
    CHECK eax, 12
    iretd

gp_task:
    pop edi                             ; the error code
    CHECK edi, 0x200
    CHECK dword [TSS0_AT + 0x20], main.faulting + 5
    CHECK dword [TSS0_AT + 0x28], 0x200
    mov dword [TSS0_AT + 0x28], 0       ; EAX: a null selector, so that the instruction works
    iretd
    jmp fail

user_io:
    mov edx, 0xf4
    in al, dx
    in al, 0xf4
    KERNEL
user_io_16:
    in ax, 0xf4
user_io_other:
    in al, 0xf3
user_io_32:
    in eax, 0xf4
    KERNEL
user_io_far:
    in al, dx
user_iopl:
    in al, 0xf3
    cli
    sti
    cli
    KERNEL
