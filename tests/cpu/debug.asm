; Debug exceptions: single step, breakpoints on code, data and ports, RF, the debug registers' own protection, INT1 and INT3.
%include "bare.inc"

DATA equ 0x40000


%macro CHECK_DR6 1                      ; the bits that must be set, all others clear; DR6 is cleared
    mov eax, dr6
    and eax, 0xe00f
    CHECK eax, %1
    xor eax, eax
    mov dr6, eax
%endmacro
%macro STEP_ON 0                        ; TF: the trap comes after the next instruction
    pushfd
    or dword [esp], 0x100
    popfd
%endmacro
%macro DR 2                             ; register, address
    mov eax, %2
    mov dr%1, eax
%endmacro
%macro DR7 1
    mov eax, %1
    mov dr7, eax
%endmacro
EXEC  equ 0
WRITE equ 1
IO    equ 2
RW    equ 3
LEN1  equ 0
LEN2  equ 1
LEN4  equ 3
%define BP(n, kind, length) ((2 << ((n) * 2)) | ((kind) | (length) << 2) << (16 + (n) * 4))

main:
    xor eax, eax
    mov dr6, eax

    ; --- single step ---------------------------------------------------------------------------------------------
    EXPECT 1, -1, .one, .one
    STEP_ON
    nop
.one:
    CHECK_DR6 0x4000
    test dword [got_eflags], 0x100
    CHECKCC nz
    pushfd
    test dword [esp], 0x100             ; off in the handler
    CHECKCC z
    popfd
    ; a jump: the trap is at its target
    EXPECT 1, -1, .target, .target
    STEP_ON
    jmp .target
    jmp fail
.target:
    CHECK_DR6 0x4000
    ; over INT: not in the handler; IRET brings TF back, the next instruction traps
    GATE IDT_AT + 0x40 * 8, KCODE, handler40, 0x8e00
    EXPECT 1, -1, .after_int, .after_int
    STEP_ON
    int 0x40
    nop
.after_int:
    CHECK_DR6 0x4000
    ; MOV SS holds the trap off until the next instruction has ended
    mov ecx, ss
    EXPECT 1, -1, .after_ss, .after_ss
    STEP_ON
    mov ss, cx
    nop
.after_ss:
    CHECK_DR6 0x4000
    push ss
    EXPECT 1, -1, .after_pop_ss, .after_pop_ss
    STEP_ON
    pop ss
    nop
.after_pop_ss:
    CHECK_DR6 0x4000
    ; a repeated instruction traps after each round
    mov ecx, 3
    mov esi, DATA
    mov edi, DATA + 0x100
    EXPECT 1, -1, .rep, .in_rep
    STEP_ON
.rep:
    rep movsb
    jmp fail
.in_rep:
    CHECK ecx, 2
    CHECK_DR6 0x4000
    mov ecx, 1
    EXPECT 1, -1, .rep_end, .rep_end
    STEP_ON
    rep movsb
.rep_end:
    CHECK ecx, 0
    CHECK_DR6 0x4000
    ; an instruction that faults does not trap
    xor eax, eax
    mov fs, ax
    EXPECT 13, 0, .faults, .after_fault
    STEP_ON
.faults:
    mov eax, [fs:0]
.after_fault:
    CHECK_DR6 0
    test dword [got_eflags], 0x100
    CHECKCC nz
    test dword [got_eflags], 0x10000    ; RF
    CHECKCC nz
    ; POPF that clears TF still traps, since TF was set when it began
    EXPECT 1, -1, .cleared, .cleared
    pushfd
    STEP_ON
    popfd
.cleared:
    CHECK_DR6 0x4000
    test dword [got_eflags], 0x100
    CHECKCC z

    ; --- code breakpoints ----------------------------------------------------------------------------------------
    DR 0, .here
    DR7 BP(0, EXEC, LEN1)
    EXPECT 1, -1, .here, .at_here
    mov ebx, 1
.here:
    mov ebx, 2
    jmp fail
.at_here:
    CHECK_DR6 1
    CHECK ebx, 1                        ; a fault: before the instruction
    test dword [got_eflags], 0x10000
    CHECKCC z
    ; with RF the instruction is executed, and RF is gone after it
    EXPECT 1, -1, .again, .at_again
    DR 1, .again
    DR7 BP(0, EXEC, LEN1) | BP(1, EXEC, LEN1)
    pushfd
    or dword [esp], 0x10000
    push dword KCODE
    push dword .here2
    DR 0, .here2
    iretd
.here2:
    mov ebx, 3
.again:
    jmp fail
.at_again:
    CHECK ebx, 3
    CHECK_DR6 2
    ; local enable, and none
    DR 0, .local
    DR7 1
    EXPECT 1, -1, .local, .at_local
.local:
    jmp fail
.at_local:
    CHECK_DR6 1
    DR7 0
    jmp .not_enabled
.not_enabled:
    DR 0, .silent
.silent:
    nop
    ; MOV SS holds off a code breakpoint on the next instruction
    DR 0, .after_mov_ss
    mov ecx, ss
    DR7 BP(0, EXEC, LEN1)
    mov ss, cx
.after_mov_ss:
    nop
    CHECK_DR6 0

    ; --- data breakpoints ----------------------------------------------------------------------------------------
    DR 0, DATA
    DR7 BP(0, WRITE, LEN4)
    mov eax, [DATA]
    CHECK_DR6 0
    TRAP 1, mov dword [DATA], 5
    CHECK_DR6 1
    CHECK dword [DATA], 5               ; a trap: after the write
    TRAP 1, mov byte [DATA + 3], 6
    CHECK_DR6 1
    TRAP 1, mov dword [DATA - 3], 0
    CHECK_DR6 1
    TRAP 1, mov word [DATA + 3], 0
    CHECK_DR6 1
    TRAP 1, inc dword [DATA]
    CHECK_DR6 1
    mov dword [DATA - 4], 1
    mov dword [DATA + 4], 1
    CHECK_DR6 0
    mov esp, DATA + 4
    EXPECT 1, -1, .pushed, .pushed
    mov dword [resume_esp], KSTACK
    push eax
.pushed:
    CHECK_DR6 1
    DR7 BP(0, RW, LEN4)
    TRAP 1, mov ebx, [DATA]
    CHECK_DR6 1
    TRAP 1, mov [DATA + 2], bl
    CHECK_DR6 1
    DR 0, DATA + 1                      ; the address is aligned to the length
    TRAP 1, mov bl, [DATA]
    CHECK_DR6 1
    DR7 BP(0, RW, LEN1)
    mov bl, [DATA]
    CHECK_DR6 0
    TRAP 1, mov bl, [DATA + 1]
    CHECK_DR6 1
    DR 1, DATA + 8
    DR7 BP(0, RW, LEN1) | BP(1, WRITE, LEN2)
    TRAP 1, mov word [DATA + 8], 1
    CHECK_DR6 2
    ; two at once, and with a step
    DR 0, DATA + 8
    EXPECT 1, -1, .both, .both
    STEP_ON
    mov word [DATA + 8], 1
.both:
    CHECK_DR6 0x4003
    ; a string instruction traps after the round that met it
    DR7 BP(1, WRITE, LEN1)
    mov edi, DATA + 6
    mov ecx, 8
    EXPECT 1, -1, .stos, .in_stos
.stos:
    rep stosb
    jmp fail
.in_stos:
    CHECK_DR6 2
    CHECK edi, DATA + 9
    CHECK ecx, 5
    ; across pages, one of them watched
    DR 2, DATA + 0x1000
    DR7 BP(2, RW, LEN1)
    TRAP 1, mov eax, [DATA + 0xffe]
    CHECK_DR6 4
    DR7 0
    mov eax, [DATA + 0xffe]
    CHECK_DR6 0

    ; --- INT1, INT3, INTO ----------------------------------------------------------------------------------------
    TRAP 1, db 0xf1
    CHECK_DR6 0
    TRAP 3, int3
    TRAP 3, db 0xcd, 3
    USERFAULT 13, 3 * 8 + 2, user_int3
    EXPECT 1, -1, user_int1 + 1, .int1  ; INT1 does not look at the gate's DPL
    push dword UDATA
    push dword USTACK
    push dword 2
    push dword UCODE
    push dword user_int1
    iretd
.int1:
    mov al, 0x7f
    add al, 1
    TRAP 4, into
    xor eax, eax
    into

    ; --- the registers' protection -------------------------------------------------------------------------------
    USERFAULT 13, 0, user_dr
    DR7 0x2000                          ; GD
    FAULT 1, -1, mov ebx, dr3
    mov eax, dr7                        ; GD was cleared on the way in
    test eax, 0x2000
    CHECKCC z
    CHECK_DR6 0x2000
    DR7 0x2000
    FAULT 1, -1, mov dr7, eax
    CHECK_DR6 0x2000
    mov eax, dr6
    and eax, 0xffff1ff0
    CHECK eax, 0xffff0ff0
    mov eax, dr7
    CHECK eax, 0x400
    mov eax, 0x12345678
    mov dr3, eax
    mov ebx, dr3
    CHECK ebx, eax
    db 0x0f, 0x21, 0xe8                 ; MOV EAX, DR5 is DR7
    CHECK eax, 0x400

    ; --- with debugging extensions -------------------------------------------------------------------------------
    call features
    test edx, 4
    jz .done
    mov eax, 8
    mov cr4, eax
    FAULT 6, -1, db 0x0f, 0x21, 0xe8
    FAULT 6, -1, db 0x0f, 0x23, 0xe0
    DR 3, 0xf6
    DR7 BP(3, IO, LEN1)
    TRAP 1, in al, 0xf6
    CHECK_DR6 8
    in al, 0xf5
    TRAP 1, in ax, 0xf5
    CHECK_DR6 8
    mov edx, 0xf6
    mov al, 0
    TRAP 1, out dx, al
    CHECK_DR6 8
    DR7 0
.done:
    PASS

handler40:
    nop
    nop
    iretd
user_int3: int3
user_int1: db 0xf1
user_dr: mov eax, dr0
