; COLLECT.COM: prints the identity of an old PC, see docs/identity.md. For any PC from the 8088 on, any DOS from 3.0 on.
; `make.sh` makes COLLECT.BAT of it, which carries it as a script for DEBUG.
        org     100h
        cpu     8086
        mov     si, header
        call    puts
        mov     ax, 1600h               ; in a DOS box of Windows hardware is not ours
        int     2fh
        and     al, 7fh
        mov     [windows], al
        call    dos
        call    clock
        call    bios
        call    processor
        call    memory
        call    geometry
        cmp     byte [windows], 0
        jne     .shared
        call    drives
.shared:
        call    pci
        call    packet
        call    volumes
        mov     ax, 4c00h
        int     21h

; --- printing ---
puts:   lodsb                           ; the text at SI, up to a 0
        or      al, al
        jz      done
        call    putc
        jmp     puts
putc:   push    ax
        push    dx
        mov     dl, al
        mov     ah, 2
        int     21h
        pop     dx
        pop     ax
done:   ret
line:   mov     al, 13
        call    putc
        mov     al, 10
        jmp     putc
hexw:   push    ax                      ; AX as four digits
        xchg    al, ah
        call    hexb
        pop     ax
hexb:   push    ax                      ; AL as two
        mov     cl, 4
        shr     al, cl
        call    .digit
        pop     ax
        and     al, 15
.digit: add     al, '0'
        cmp     al, '9'
        jbe     putc
        add     al, 'a' - '0' - 10
        jmp     putc
dec:    push    bx                      ; AX
        push    cx
        push    dx
        xor     cx, cx
        mov     bx, 10
.next:  xor     dx, dx
        div     bx
        push    dx
        inc     cx
        or      ax, ax
        jnz     .next
.out:   pop     ax
        add     al, '0'
        call    putc
        loop    .out
        pop     dx
        pop     cx
        pop     bx
        ret
dec2:   cmp     al, 10                  ; AL, two digits
        jae     .wide
        push    ax
        mov     al, '0'
        call    putc
        pop     ax
.wide:  xor     ah, ah
        jmp     dec
decline: call   dec
        jmp     line

; --- DOS and its clock ---
dos:    mov     si, t_os
        call    puts
        mov     ah, 30h
        int     21h
        mov     [version], al
        push    ax
        xor     ah, ah
        call    dec
        mov     al, '.'
        call    putc
        pop     ax
        mov     al, ah
        call    dec2
        jmp     line
clock:  mov     si, t_clock
        call    puts
        mov     ah, 2ah
        int     21h
        mov     ax, cx
        call    dec
        mov     al, '-'
        call    putc
        mov     al, dh
        call    dec2
        mov     al, '-'
        call    putc
        mov     al, dl
        call    dec2
        mov     al, 'T'
        call    putc
        mov     ah, 2ch
        int     21h
        mov     al, ch
        call    dec2
        mov     al, ':'
        call    putc
        mov     al, cl
        call    dec2
        mov     al, ':'
        call    putc
        mov     al, dh
        call    dec2
        jmp     line

; --- the BIOS's date, at F000:FFF5, when it is one ---
bios:   mov     ax, 0f000h
        mov     es, ax
        mov     bx, 0fff5h
        cmp     byte [es:bx+2], '/'
        jne     done
        cmp     byte [es:bx+5], '/'
        jne     done
        mov     si, t_date
        call    puts
        mov     cx, 8
.next:  mov     al, [es:bx]
        inc     bx
        call    putc
        loop    .next
        jmp     line

; --- 8088, 286, 386, 486 by the flags that they have; CPUID from there on ---
processor:
        pushf
        pop     ax
        and     ax, 0fffh
        push    ax
        popf
        pushf
        pop     ax
        and     ax, 0f000h
        cmp     ax, 0f000h
        mov     byte [family], 0
        je      .tell
        mov     byte [family], 2
        mov     ax, 7000h
        push    ax
        popf
        pushf
        pop     ax
        and     ax, 7000h
        jz      .tell
        mov     byte [family], 3
        cpu     586
        mov     edx, 1 << 18            ; AC
        call    .toggles
        jz      .tell
        mov     byte [family], 4
        mov     edx, 1 << 21            ; ID
        call    .toggles
        jnz     .cpuid
.tell:  cmp     byte [family], 0
        je      done
        mov     si, t_family
        call    puts
        mov     al, [family]
        xor     ah, ah
        jmp     decline
.toggles:
        pushfd
        pop     eax
        mov     ecx, eax
        xor     eax, edx
        push    eax
        popfd
        pushfd
        pop     eax
        push    ecx
        popfd
        xor     eax, ecx
        test    eax, edx
        ret
.cpuid: mov     si, t_vendor
        call    puts
        xor     eax, eax
        cpuid
        mov     [buffer], ebx
        mov     [buffer + 4], edx
        mov     [buffer + 8], ecx
        mov     byte [buffer + 12], 0
        mov     si, buffer
        call    puts
        call    line
        mov     eax, 1
        cpuid
        mov     [features], edx
        mov     ebx, eax
        shr     ax, 8
        and     ax, 15
        cmp     al, 15
        jne     .family
        mov     ecx, ebx
        shr     ecx, 20
        xor     ch, ch
        add     ax, cx
.family: mov    [family], al
        call    .tell
        mov     si, t_model
        call    puts
        mov     eax, ebx
        shr     al, 4
        and     ax, 15
        cmp     byte [family], 6
        jb      .model
        mov     ecx, ebx
        shr     ecx, 12
        and     cx, 0f0h
        or      ax, cx
.model: call    decline
        mov     si, t_stepping
        call    puts
        mov     al, bl
        and     ax, 15
        call    decline
        mov     si, t_features
        call    puts
        mov     si, flags
.flag:  lodsb
        cmp     al, 0ffh
        je      .brand
        movzx   ecx, al
        bt      [features], ecx
        jc      .has
.skip:  lodsb
        or      al, al
        jnz     .skip
        jmp     .flag
.has:   call    puts
        mov     al, ' '
        call    putc
        jmp     .flag
.brand: call    line
        mov     eax, 80000000h
        cpuid
        cmp     eax, 80000004h
        jb      done
        cmp     eax, 800000ffh
        ja      done
        mov     si, t_brand
        call    puts
        mov     edi, 80000002h
.part:  mov     eax, edi
        cpuid
        mov     [buffer], eax
        mov     [buffer + 4], ebx
        mov     [buffer + 8], ecx
        mov     [buffer + 12], edx
        mov     byte [buffer + 16], 0
        mov     si, buffer
        call    puts
        inc     edi
        cmp     edi, 80000005h
        jb      .part
        jmp     line


        cpu     8086

; --- memory: INT 15h E801h and 88h, the CMOS: whatever says most, since drivers hide theirs ---
memory: mov     si, t_memory
        call    puts
        xor     bp, bp                  ; megabytes
        cmp     byte [family], 2
        jb      .low
        xor     cx, cx
        xor     dx, dx
        mov     ax, 0e801h
        int     15h
        jc      .old
        cmp     ah, 86h
        je      .old
        or      cx, cx
        jz      .same
        mov     ax, cx
        mov     bx, dx
.same:  call    .megabytes
        mov     cl, 4
        shr     bx, cl
        add     ax, bx
        mov     bp, ax
.old:   mov     ah, 88h
        int     15h
        jc      .cmos
        call    .more
.cmos:  cli
        mov     al, 31h
        call    .read
        mov     ah, al
        mov     al, 30h
        call    .read
        sti
        call    .more
        or      bp, bp
        jz      .low
        mov     ax, bp
        call    dec
        mov     al, 'M'
        call    putc
        jmp     line
.low:   int     12h
        call    dec
        mov     al, 'K'
        call    putc
        jmp     line
.read:  out     70h, al
        jmp     .wait
.wait:  in      al, 71h
        ret
.megabytes:                             ; AX KB behind the first MB, to the next MB
        mov     cl, 9
        shr     ax, cl
        inc     ax
        shr     ax, 1
        inc     ax
        ret
.more:  or      ax, ax
        jz      .no
        call    .megabytes
        cmp     ax, bp
        jbe     .no
        mov     bp, ax
.no:    ret

; --- geometries by INT 13h, as DOS knows the disks ---
geometry:
        mov     byte [number], '0'
        mov     byte [drive], 80h
.next:  mov     dl, [drive]
        mov     ah, 8
        push    es
        int     13h
        pop     es
        jc      .done
        mov     [count], dl
        mov     al, ch
        mov     ah, cl
        push    cx
        mov     cl, 6
        shr     ah, cl
        pop     cx
        inc     ax
        mov     bp, ax
        and     cx, 63
        jz      .done
        mov     si, t_cylinders
        mov     ax, bp
        call    .put
        mov     si, t_heads
        mov     al, dh
        xor     ah, ah
        inc     ax
        call    .put
        mov     si, t_sectors
        mov     ax, cx
        call    .put
        inc     byte [number]
        inc     byte [drive]
        mov     al, [drive]
        and     al, 7fh
        cmp     al, [count]
        jae     .done
        cmp     al, 4
        jb      .next
.done:  ret
.put:   push    ax
        call    diskkey
        pop     ax
        jmp     decline
diskkey:                                ; "disk0" and the text at SI
        push    si
        mov     si, t_disk
        call    puts
        mov     al, [number]
        call    putc
        pop     si
        jmp     puts

; --- IDE drives, by IDENTIFY ---
drives: mov     byte [number], '0'
        mov     bp, 1f0h
.channel:
        mov     byte [drive], 0a0h
.drive: call    identify
        xor     byte [drive], 10h
        cmp     byte [drive], 0b0h
        je      .drive
        sub     bp, 80h
        cmp     bp, 170h
        je      .channel
        ret
identify:
        lea     dx, [bp + 6]
        mov     al, [drive]
        out     dx, al
        call    ready
        jc      .none
        lea     dx, [bp + 206h]
        mov     al, 0ah                 ; no interrupt
        out     dx, al
        mov     al, 0ech
        call    command
        mov     bx, t_disk
        jnc     .read
        lea     dx, [bp + 4]            ; the signature of a drive for packets
        in      al, dx
        cmp     al, 14h
        jne     .end
        inc     dx
        in      al, dx
        cmp     al, 0ebh
        jne     .end
        mov     al, 0a1h
        call    command
        jc      .end
        mov     bx, t_cdrom
.read:  mov     dx, bp
        mov     di, buffer
        mov     cx, 256
.word:  in      ax, dx
        xchg    al, ah
        mov     [di], ax
        inc     di
        inc     di
        loop    .word
        mov     si, buffer + 54
        mov     cx, 40
        mov     di, t_is_model
        call    text
        mov     si, buffer + 20
        mov     cx, 20
        mov     di, t_is_serial
        call    text
        mov     si, buffer + 46
        mov     cx, 8
        mov     di, t_is_firmware
        call    text
        cmp     bx, t_disk
        jne     .end
        inc     byte [number]
.end:   lea     dx, [bp + 206h]
        mov     al, 8
        out     dx, al
.none:  ret
command:                                ; AL; carry: no data
        lea     dx, [bp + 7]
        out     dx, al
        call    ready
        jc      .ret
        test    al, 1
        jnz     .no
        test    al, 8
        jnz     .ret                    ; carry is clear
.no:    stc
.ret:   ret
ready:  lea     dx, [bp + 7]            ; AL = status when not busy; carry: nobody, or busy for ever
        mov     ah, 0ffh
        mov     cx, 0ffffh
.poll:  in      al, dx
        cmp     al, ah
        je      .no
        or      al, al
        jz      .no
        test    al, 80h
        jz      .ok
        loop    .poll
.no:    stc
        ret
.ok:    clc
        ret
text:   push    bx                      ; key at BX (disk with its number) and DI, CX bytes at SI
.front: cmp     byte [si], ' '
        ja      .some
        inc     si
        loop    .front
        pop     bx
        ret
.some:  push    si
        mov     si, di
        cmp     bx, t_disk
        jne     .cdrom
        call    diskkey
        jmp     .value
.cdrom: push    si
        mov     si, t_cdrom
        call    puts
        pop     si
        call    puts
.value: pop     si
        mov     bx, cx
.tail:  cmp     byte [si + bx - 1], ' '
        ja      .print
        dec     bx
        jmp     .tail
.print: lodsb
        cmp     al, ' '
        jb      .odd
        cmp     al, 7eh
        jbe     .put
.odd:   mov     al, '?'
.put:   call    putc
        dec     bx
        jnz     .print
        pop     bx
        jmp     line

; --- PCI, by its BIOS ---
pci:    cmp     byte [family], 3
        jb      .done
        cpu     586
        mov     ax, 0b101h
        xor     edi, edi
        int     1ah
        jc      .done
        cmp     edx, 20494350h          ; "PCI "
        jne     .done
        or      ah, ah
        jnz     .done
        mov     [last], cl
        xor     bx, bx
.next:  test    bl, 7
        jz      .look
        cmp     byte [multi], 0
        je      .on
.look:  mov     ax, 0b109h
        xor     di, di
        int     1ah
        jc      .on
        cmp     cx, 0ffffh
        je      .absent
        or      cx, cx
        jz      .absent
        mov     si, t_pci
        call    puts
        mov     ax, cx
        call    hexw
        mov     al, ':'
        call    putc
        mov     ax, 0b109h
        mov     di, 2
        int     1ah
        mov     ax, cx
        call    hexw
        call    line
        test    bl, 7
        jnz     .on
        mov     ax, 0b108h
        mov     di, 0eh
        int     1ah
        and     cl, 80h
        mov     [multi], cl
        jmp     .on
.absent:
        test    bl, 7
        jnz     .on
        mov     byte [multi], 0
.on:    inc     bl
        jnz     .next
        inc     bh
        cmp     bh, [last]
        jbe     .next
.done:  ret


        cpu     8086

; --- the address of a network card, by its packet driver ---
packet: mov     byte [vector], 60h
.next:  mov     ah, 35h
        mov     al, [vector]
        int     21h
        mov     si, t_packet
        lea     di, [bx + 3]
        mov     cx, 8
        cld
        repe    cmpsb
        je      .found
        inc     byte [vector]
        cmp     byte [vector], 80h
        jbe     .next
.end:   push    cs
        pop     es
        ret
.found: mov     al, [vector]
        mov     [call_ + 1], al
        push    cs
        pop     es
        mov     ax, 0201h               ; a handle for all frames of class 1
        mov     bx, 0ffffh
        mov     dl, 0
        xor     cx, cx
        mov     si, buffer
        mov     di, receiver
        call    call_
        jc      .end
        mov     bp, ax
        mov     ah, 6
        mov     bx, bp
        mov     cx, 6
        mov     di, buffer
        call    call_
        pushf
        mov     ah, 3
        mov     bx, bp
        call    call_
        popf
        jc      .end
        mov     si, t_mac
        call    puts
        mov     di, buffer
        mov     dx, 6
.byte:  mov     al, [di]
        inc     di
        call    hexb
        dec     dx
        jz      .last
        mov     al, ':'
        call    putc
        jmp     .byte
.last:  call    line
        jmp     .end
call_:  int     60h
        ret
receiver:                               ; no room for frames
        xor     di, di
        mov     es, di
        retf

; --- serial numbers of volumes, DOS 4 and later ---
volumes:
        cmp     byte [version], 4
        jb      .done
        mov     byte [drive], 3
.next:  mov     ax, 6900h
        mov     bl, [drive]
        xor     bh, bh
        mov     dx, buffer
        push    ds
        int     21h
        pop     ds
        jc      .on
        mov     ax, [buffer + 2]
        or      ax, [buffer + 4]
        jz      .on
        mov     si, t_volume
        call    puts
        mov     al, [drive]
        add     al, 'A' - 1
        call    putc
        mov     al, ':'
        call    putc
        mov     ax, [buffer + 4]
        call    hexw
        mov     al, '-'
        call    putc
        mov     ax, [buffer + 2]
        call    hexw
        call    line
.on:    inc     byte [drive]
        cmp     byte [drive], 6
        jbe     .next
.done:  ret

header  db      'holdover-identity=1', 13, 10, '# COLLECT.COM', 13, 10, 0
t_os    db      'os=DOS ', 0
t_clock db      'clock=', 0
t_date  db      'bios.date=', 0
t_family db     'cpu.family=', 0
t_vendor db     'cpu.vendor=', 0
t_model db      'cpu.model=', 0
t_stepping db   'cpu.stepping=', 0
t_features db   'cpu.features=', 0
t_brand db      'cpu.brand=', 0
t_memory db     'memory=', 0
t_disk  db      'disk', 0
t_cdrom db      'cdrom', 0
t_cylinders db  '.cylinders=', 0
t_heads db      '.heads=', 0
t_sectors db    '.sectors=', 0
t_is_model db   '.model=', 0
t_is_serial db  '.serial=', 0
t_is_firmware db '.firmware=', 0
t_pci   db      'pci=', 0
t_packet db     'PKT DRVR'
t_mac   db      'mac=', 0
t_volume db     'volume.serial=', 0
flags   db      0, 'fpu', 0, 4, 'tsc', 0, 5, 'msr', 0, 6, 'pae', 0, 8, 'cx8', 0, 9, 'apic', 0, 11, 'sep', 0, 12, 'mtrr', 0
        db      13, 'pge', 0, 15, 'cmov', 0, 16, 'pat', 0, 18, 'pn', 0, 23, 'mmx', 0, 24, 'fxsr', 0, 25, 'sse', 0, 26, 'sse2', 0, 0ffh

        section .bss
windows resb    1
version resb    1
family  resb    1
number  resb    1
drive   resb    1
count   resb    1
last    resb    1
multi   resb    1
vector  resb    1
features resd   1
buffer  resb    512
