; A boot sector that tells port E9h every byte of keyboard ('K', byte) and wheel mouse ('M', byte), after "READY".
    org 0x7c00
    bits 16
STATUS  equ 0x64                        ; 8042: status and command
DATA    equ 0x60
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov al, 0xa8                        ; the mouse's port on
    call command
    mov al, 0x20                        ; command byte: both clocks, translation, no interrupts
    call command
    call answer
    and al, 0xcc
    or al, 0x40
    push ax
    mov al, 0x60
    call command
    pop ax
    call write
    mov si, wheel                       ; rates 200, 100, 80 turn the wheel on; then reports
.next:
    lodsb
    test al, al
    jz .ready
    push ax
    mov al, 0xd4
    call command
    pop ax
    call write
    call answer
    jmp .next
.ready:
    mov si, ready
.letter:
    lodsb
    out 0xe9, al
    cmp al, 'Y'
    jne .letter
.poll:
    in al, STATUS
    test al, 1
    jz .poll
    test al, 0x20                       ; from the mouse?
    mov al, 'K'
    jz .tag
    mov al, 'M'
.tag:
    out 0xe9, al
    in al, DATA
    out 0xe9, al
    jmp .poll

command:
    push ax
.full:
    in al, STATUS
    test al, 2
    jnz .full
    pop ax
    out STATUS, al
    ret
write:
    push ax
.full:
    in al, STATUS
    test al, 2
    jnz .full
    pop ax
    out DATA, al
    ret
answer:
    in al, STATUS
    test al, 1
    jz answer
    in al, DATA
    ret

wheel:  db 0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4, 0
ready:  db "READY"
    times 510 - ($ - $$) db 0
    dw 0xaa55
