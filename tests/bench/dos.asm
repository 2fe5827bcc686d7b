; DOS programs in real mode, as one .COM file: each is a unit of work of about a millisecond, repeated for TICKS ticks of the BIOS's clock.
; On the first serial port comes a line for each: DOS name units ticks checksum. The checksum is that of one unit from a fixed state.
        cpu 386
        org 100h
TICKS   equ 36
BUFFER  equ 1000h                       ; paragraphs above this program's segment: 64 KiB of the programs' data

start:  mov ax, cs
        add ax, BUFFER
        mov [far_segment], ax
        mov word [far_pointer + 2], cs
        mov si, programs
.next:  lodsw
        test ax, ax
        jz .end
        mov [unit], ax
        mov [name], si
.skip:  lodsb
        test al, al
        jnz .skip
        push si
        call measure
        pop si
        jmp .next
.end:   mov si, bye
        call print
        mov ax, 4c00h
        int 21h

programs:
        dw segments
        db 'segments', 0
        dw far_calls
        db 'far-calls', 0
        dw rep_moves
        db 'rep-movsw', 0
        dw translate
        db 'lodsb-stosb', 0
        dw text
        db 'vga-text', 0
        dw dos_calls
        db 'int21', 0
        dw bios_calls
        db 'int10', 0
        dw sort
        db 'sort', 0
        dw crc
        db 'crc', 0
        dw recursion
        db 'recursion', 0
        dw sieve
        db 'sieve', 0
        dw 0

; --- measuring ---
ticks:  push es
        xor ax, ax
        mov es, ax
        mov ax, [es:46ch]
        pop es
        ret
work:   call fill
        xor dx, dx
        call [unit]
        mov ax, cs
        mov ds, ax
        mov es, ax
        cld
        ret
measure:
        call work
        mov [checksum], dx
        call ticks
        mov bx, ax
.edge:  call ticks                      ; begins with a tick
        cmp ax, bx
        je .edge
        mov [began], ax
        mov dword [units], 0
.again: xor dx, dx
        call [unit]
        mov ax, cs
        mov ds, ax
        mov es, ax
        inc dword [units]
        call ticks
        sub ax, [began]
        cmp ax, TICKS
        jb .again
        mov [began], ax
        mov si, head
        call print
        mov si, [name]
        call print
        mov eax, [units]
        call number
        movzx eax, word [began]
        call number
        movzx eax, word [checksum]
        call number
        mov al, 10
        jmp put

; --- the serial line ---
put:    push dx
        push ax
        mov dx, 3fdh
.wait:  in al, dx
        test al, 20h
        jz .wait
        pop ax
        mov dx, 3f8h
        out dx, al
        pop dx
        ret
print:  lodsb
        test al, al
        jz .end
        call put
        jmp print
.end:   ret
number: push ax
        mov al, ' '
        call put
        pop ax
        mov ebx, 10
        xor cx, cx
.digit: xor edx, edx
        div ebx
        push dx
        inc cx
        test eax, eax
        jnz .digit
.out:   pop ax
        add al, '0'
        call put
        loop .out
        ret

; 32 KiB that look random, in the far segment
fill:   mov es, [far_segment]
        xor di, di
        mov ax, 12345
.next:  imul ax, ax, 25173
        add ax, 13849
        stosw
        test di, di
        jns .next
        mov ax, cs
        mov es, ax
        ret

; --- the programs: dx is the checksum ---
segments:                               ; additions between two segments, by index and by override
        mov ds, [far_segment]
        mov ax, ds
        add ax, 400h
        mov es, ax
        mov bp, 4
.pass:  xor si, si
        mov cx, 2000
.next:  mov ax, [si]
        add ax, [es:si]
        mov bx, [si + 2]
        xor bx, ax
        mov [es:si], bx
        add dx, bx
        add si, 2
        loop .next
        push ds
        push es
        pop ds
        pop es
        dec bp
        jnz .pass
        ret

far_calls:
        mov cx, 1500
.next:  push cx
        call far [far_pointer]
        push cs
        call far_body
        pop cx
        loop .next
        ret
far_body:
        push bp
        mov bp, sp
        add dx, [bp + 6]
        rol dx, 1
        pop bp
        retf

rep_moves:                              ; 4 x 16 KB within the segment
        mov es, [far_segment]
        mov ds, [far_segment]
        mov bx, 4
.next:  xor si, si
        mov di, 4000h
        mov cx, 2000h
        rep movsw
        xchg si, di
        dec bx
        jnz .next
        add dx, [7ffeh]
        ret

translate:                              ; upper case, 4000 characters
        mov es, [far_segment]
        mov ds, [far_segment]
        xor si, si
        mov di, 8000h
        mov cx, 4000
.next:  lodsb
        cmp al, 'a'
        jb .store
        cmp al, 'z'
        ja .store
        sub al, 20h
.store: stosb
        add dl, al
        adc dh, 0
        loop .next
        ret

text:                                   ; a screen of cells one by one, then one scrolled by REP
        mov ax, 0b800h
        mov es, ax
        xor di, di
        mov cx, 1920
        mov ax, 720h
.next:  stosw
        inc al
        add dx, ax
        loop .next
        mov ds, [cs:far_segment]
        mov ax, es
        mov ds, ax
        mov si, 160
        xor di, di
        mov cx, 1840
        rep movsw
        add dx, [100]
        ret

dos_calls:
        mov cx, 60
.next:  push cx
        mov ah, 30h                     ; version
        int 21h
        add dx, ax
        mov ah, 2fh                     ; transfer area
        int 21h
        mov ah, 19h                     ; drive
        int 21h
        add dl, al
        pop cx
        loop .next
        push cs
        pop es
        ret

bios_calls:
        mov bp, 40
        mov si, 0
.next:  mov ah, 2                       ; cursor to column 0 of row 5, a character there, and where is it?
        xor bh, bh
        mov dx, 500h
        int 10h
        mov ax, 0941h
        mov bx, 7
        mov cx, 1
        int 10h
        mov ah, 3
        xor bh, bh
        int 10h
        add si, dx
        dec bp
        jnz .next
        mov dx, si
        ret

sort:                                   ; Shell's, 500 words that are made anew each time
        mov es, [far_segment]
        mov di, 9000h
        mov ax, 7
        mov cx, 500
.fill:  imul ax, ax, 25173
        add ax, 13849
        stosw
        loop .fill
        mov ds, [far_segment]
        mov bx, 256                     ; the gap in bytes
.gap:   mov si, bx
.outer: mov ax, [9000h + si]
        mov di, si
.inner: sub di, bx
        jb .place
        mov cx, [9000h + di]
        cmp cx, ax
        jbe .place
        add di, bx
        mov [9000h + di], cx
        sub di, bx
        jmp .inner
.place: add di, bx
        mov [9000h + di], ax
        add si, 2
        cmp si, 1000
        jb .outer
        shr bx, 1
        cmp bx, 2
        jae .gap
        mov dx, [9000h + 100]
        add dx, [9000h + 900]
        ret

crc:                                    ; CRC-16 bit by bit, 500 bytes
        mov ds, [far_segment]
        xor si, si
        mov cx, 500
.byte:  lodsb
        xor dl, al
        mov bl, 8
.bit:   shr dx, 1
        jnc .zero
        xor dx, 0a001h
.zero:  dec bl
        jnz .bit
        loop .byte
        ret

recursion:                              ; Fibonacci numbers with stack frames as compilers make them
        push word 14
        call fib
        add dx, ax
        ret
fib:    push bp
        mov bp, sp
        sub sp, 2
        cmp word [bp + 4], 2
        jge .more
        mov ax, [bp + 4]
        jmp .end
.more:  mov ax, [bp + 4]
        dec ax
        push ax
        call fib
        mov [bp - 2], ax
        mov ax, [bp + 4]
        sub ax, 2
        push ax
        call fib
        add ax, [bp - 2]
.end:   mov sp, bp
        pop bp
        ret 2

sieve:                                  ; primes below 4000
        mov es, [far_segment]
        mov di, 0a000h
        mov cx, 2000
        mov ax, 0101h
        rep stosw
        mov si, 2
.next:  cmp byte [es:0a000h + si], 0
        je .composite
        inc dx
        mov di, si
.mark:  add di, si
        cmp di, 4000
        jae .composite
        mov byte [es:0a000h + di], 0
        jmp .mark
.composite:
        inc si
        cmp si, 4000
        jb .next
        ret

head    db 'DOS ', 0
bye     db 'DOS-END', 10, 0
far_pointer dw far_body, 0
far_segment dw 0
unit    dw 0
name    dw 0
began   dw 0
checksum dw 0
units   dd 0
