; The BT-958's ROM: INT 13h for the disks on the adapter, and a boot connection vector. It lives in the card's expansion ROM, and keeps
; all it must remember in itself, written before firmware locks it; commands and their data go through ports. Runs on a 386.
; References: [BBS] 3.3 (BCV); [INT13] BIOS Enhanced Disk Drive Services 3.0; hypervisor/devices/buslogic.c for command 03h.
        bits 16
        org 0

ROM_SIZE        equ 2048
DISKS           equ 8
STATUS_DATA     equ 4
INT_COMMAND     equ 4
BDA_DISKS       equ 0x475

        struc disk
.id:    resb 1
.heads: resb 1
.spt:   resb 1
        resb 1
.cylinders: resw 1
.total: resd 1
.size:
        endstruc

        struc frame                     ; what the handler pushes, below the caller's IP, CS and flags
.edi:   resd 1
.esi:   resd 1
.ebp:   resd 2
.ebx:   resd 1
.edx:   resd 1
.ecx:   resd 1
.eax:   resd 1
.es:    resw 1
.ds:    resw 1
.ip:    resw 2
.flags: resw 1
        endstruc

header: db 0x55, 0xaa, ROM_SIZE / 512
        jmp near init
        times 0x18 - ($ - header) db 0
        dw pcir, pnp
        align 4, db 0
pcir:   db 'PCIR'
        dw 0x104b, 0x1040, 0, 24
        db 0, 0, 0, 1                   ; revision; class: SCSI
        dw ROM_SIZE / 512, 1
        db 0, 0x80
        dw 0
        align 16, db 0
pnp:    db '$PnP', 1, 2
        dw 0
        db 0, 0                         ; checksum: the host's
        dd 0
        dw maker, product
        db 1, 0, 0, 0                   ; mass storage: SCSI
        dw connect, 0, 0, 0, 0
maker:  db 'Holdover', 0
product: db 'BT-958 SCSI disks', 0

; AX: bus, device, function. Remembers where the ports are.
init:   pushad
        movzx eax, ax
        shl eax, 8
        or eax, 0x80000010
        mov dx, 0xcf8
        out dx, eax
        push eax
        mov dl, 0xfc
        in eax, dx
        and al, 0xfc
        mov [cs:ports], ax
        pop eax
        mov al, 4                       ; old drivers leave it to the card's ROM to switch bus mastering on
        mov dl, 0xf8
        out dx, eax
        mov dl, 0xfc
        in ax, dx
        or al, 4
        out dx, ax
        push ds
        push cs
        pop ds
        call seal
        pop ds
        popad
        mov ax, 0x0020
        retf

; DS = CS: the bytes add up to zero again.
seal:   mov byte [ROM_SIZE - 1], 0
        xor ax, ax
        xor si, si
        mov cx, ROM_SIZE
.next:  sub al, [si]
        inc si
        loop .next
        mov [ROM_SIZE - 1], al
        ret

; The boot connection vector: finds the disks, gives them the next drive numbers, hooks INT 13h.
connect:
        pushad
        push ds
        push es
        push cs
        pop ds
        xor ax, ax
        mov es, ax
        mov al, [es:BDA_DISKS]
        add al, 0x80
        mov [first], al
        mov byte [count], 0
        xor cx, cx
.id:    cmp cl, 7
        je .next
        call disk_find
        jc .next
        inc byte [count]
        cmp byte [count], DISKS
        je .end
.next:  inc cl
        cmp cl, 16
        jb .id
.end:   mov al, [count]
        or al, al
        jz .none
        xor bx, bx
        mov es, bx
        add [es:BDA_DISKS], al
        mov eax, [es:0x13 * 4]
        mov [old], eax
        mov word [es:0x13 * 4], int13
        mov [es:0x13 * 4 + 2], cs
.none:  call seal
        pop es
        pop ds
        popad
        retf

; CL: an ID. Carry: no disk there; else the next entry of the table is filled.
disk_find:
        pushad
        mov bp, sp
        sub sp, 64 + 10                 ; a reply, and a command below it
        mov si, sp
        push ss
        pop es
        lea di, [si + 10]
        mov eax, 0x00000012             ; INQUIRY
        mov bx, 9
        call small
        jc .no
        test byte [ss:si + 10], 0xff    ; a disk
        jnz .no
        mov eax, 0x00000025             ; READ CAPACITY, which a unit attention may fail at first
        mov bx, 2
        call small
        jnc .size
        mov eax, 0x00000025
        call small
        jc .no
.size:  mov eax, [ss:si + 10]
        call swap
        inc eax
        push eax
        mov eax, 0x0003081a             ; MODE SENSE (6), format: sectors a track
        mov bx, 7
        call small
        mov dl, 0
        jc .rigid
        mov dl, [ss:si + 10 + 4 + 11]
.rigid: mov eax, 0x0004081a             ; rigid disk geometry: heads
        mov bx, 7
        call small
        mov dh, 0
        jc .known
        mov dh, [ss:si + 10 + 4 + 5]
.known: pop eax
        or dl, dl
        jz .guess
        or dh, dh
        jnz .good
.guess: mov dx, 64 << 8 | 32
.good:  movzx bx, byte [count]
        imul bx, bx, disk.size
        add bx, table
        mov [bx + disk.id], cl
        mov [bx + disk.heads], dh
        mov [bx + disk.spt], dl
        mov [bx + disk.total], eax
        mov al, dh
        mul dl
        movzx ecx, ax
        mov eax, [bx + disk.total]
        xor edx, edx
        div ecx
        cmp eax, 1024
        jbe .fits
        mov eax, 1024
.fits:  mov [bx + disk.cylinders], ax
        mov sp, bp
        popad
        clc
        ret
.no:    mov sp, bp
        popad
        stc
        ret

; EAX: first four bytes of a command; BX: double words that come back to ES:DI; SS:SI: room for the command.
small:  mov [ss:si], eax
        mov dword [ss:si + 4], 0
        mov word [ss:si + 8], 0
        mov al, bl
        shl al, 2
        cmp byte [ss:si], 0x25
        je execute
        mov [ss:si + 4], al

; Runs the ten bytes of command at SS:SI on the target with ID CL; BX double words go to or come from ES:DI. Carry: AL is why.
execute:
        push bx
        push cx
        push dx
        push si
        push di
        mov dx, [cs:ports]
        inc dx
        mov al, 0x03
        out dx, al
        mov al, cl
        out dx, al
        mov cx, 10
.cdb:   mov al, [ss:si]
        inc si
        out dx, al
        loop .cdb
        inc dx                          ; the interrupt register
.wait:  in al, dx
        test al, INT_COMMAND
        jnz .done
        sub dx, 2
        in al, dx
        add dx, 2
        test al, STATUS_DATA
        jz .wait
        or bx, bx
        jz .wait
        mov cx, bx
        cmp cx, 128
        jbe .all
        mov cx, 128
.all:   sub bx, cx
        add dx, 2                       ; the window
        cmp byte [ss:si - 10], 0x2a
        je .out
        rep insd
        jmp .moved
.out:   push ds
        push es
        pop ds
        push si
        mov si, di
        rep outsd
        mov di, si
        pop si
        pop ds
.moved: sub dx, 2
        jmp .wait
.done:  dec dx
        in al, dx                       ; the result
        mov ah, al
        dec dx
        mov al, 0x20
        out dx, al                      ; the interrupt is seen
        mov al, ah
        pop di
        pop si
        pop dx
        pop cx
        pop bx
        cmp al, 1
        cmc
        ret

swap:   xchg al, ah
        rol eax, 16
        xchg al, ah
        ret

; --- INT 13h -----------------------------------------------------------------------------------------------------

int13:  push bx
        mov bl, dl
        sub bl, [cs:first]
        cmp bl, [cs:count]
        pop bx
        jb .ours
        jmp far [cs:old]
.ours:  sti
        cld
        push ds
        push es
        pushad
        mov bp, sp
        push cs
        pop ds
        sub dl, [first]
        movzx bx, dl
        imul bx, bx, disk.size
        add bx, table                   ; DS:BX: the disk, from here on
        mov si, functions
.next:  lodsb
        cmp al, 0xff
        je .bad
        cmp al, [bp + frame.eax + 1]
        lodsw
        jne .next
        call ax
        jmp .end
.bad:   mov ah, 0x01
        stc
; AH: the result, carry with it
.end:   mov [bp + frame.eax + 1], ah
        rcr al, 1                       ; carry to bit 7
        shr al, 7
        and byte [bp + frame.flags], 0xfe
        or [bp + frame.flags], al
        push word 0x40
        pop ds
        mov [0x74], ah
        popad
        pop es
        pop ds
        iret

functions:
        db 0x00
        dw good
        db 0x01
        dw status
        db 0x02
        dw chs_move
        db 0x03
        dw chs_move
        db 0x04
        dw chs_move
        db 0x08
        dw parameters
        db 0x09
        dw good
        db 0x0c
        dw good
        db 0x0d
        dw good
        db 0x10
        dw good
        db 0x11
        dw good
        db 0x14
        dw good
        db 0x15
        dw type
        db 0x41
        dw extensions
        db 0x42
        dw packet_move
        db 0x43
        dw packet_move
        db 0x44
        dw packet_move
        db 0x47
        dw good
        db 0x48
        dw packet_parameters
        db 0xff

good:   xor ah, ah
        ret

status: push ds
        push word 0x40
        pop ds
        mov ah, [0x74]
        pop ds
        cmp ah, 1
        cmc
        ret

parameters:
        mov ax, [bx + disk.cylinders]
        dec ax
        mov [bp + frame.ecx + 1], al
        shl ah, 6
        or ah, [bx + disk.spt]
        mov [bp + frame.ecx], ah
        mov al, [bx + disk.heads]
        dec al
        mov [bp + frame.edx + 1], al
        push word 0x40
        pop es
        mov al, [es:0x75]
        mov [bp + frame.edx], al
        mov byte [bp + frame.ebx], 0
        jmp good

type:   mov eax, [bx + disk.total]
        mov [bp + frame.edx], ax
        shr eax, 16
        mov [bp + frame.ecx], ax
        mov ah, 3                       ; a fixed disk
        clc
        ret

extensions:
        cmp word [bp + frame.ebx], 0x55aa
        jne bad
        mov word [bp + frame.ebx], 0xaa55
        mov word [bp + frame.ecx], 1    ; packets
        mov ah, 0x21
        clc
        ret
bad:    mov ah, 0x01
        stc
        ret

; The sectors by cylinder, head and sector to ES:BX.
chs_move:
        movzx eax, byte [bp + frame.ecx + 1]
        mov cl, [bp + frame.ecx]
        mov ah, cl
        shr ah, 6
        and cx, 63
        jz bad
        cmp cl, [bx + disk.spt]
        ja bad
        movzx edx, byte [bx + disk.heads]
        imul eax, edx
        movzx edx, byte [bp + frame.edx + 1]
        add eax, edx
        movzx edx, byte [bx + disk.spt]
        imul eax, edx
        movzx ecx, cx
        add eax, ecx
        dec eax
        movzx cx, byte [bp + frame.eax]
        mov es, [bp + frame.es]
        mov di, [bp + frame.ebx]
        call move
        jnc .all
        mov byte [bp + frame.eax], 0
.all:   ret

; A packet at the caller's DS:SI: sectors, address, block.
packet_move:
        mov si, [bp + frame.esi]
        push ds
        mov ds, [bp + frame.ds]
        mov cx, [si + 2]
        les di, [si + 4]
        mov eax, [si + 8]
        cmp dword [si + 12], 0
        pop ds
        jne bad

; CX sectors from block EAX on to or from ES:DI; the function says which way.
move:   or cx, cx
        jz .none
        cmp cx, 127
        ja bad
        mov edx, eax
        push cx
        movzx ecx, cx
        add edx, ecx
        pop cx
        jc bad
        cmp edx, [bx + disk.total]
        ja bad
        mov dx, di                      ; so that 64 KB lie behind DI
        shr dx, 4
        mov si, es
        add dx, si
        mov es, dx
        and di, 15
        mov ch, 3                       ; times it is tried
.again: push cx                         ; READ or WRITE (10): operation, 0, block (4), 0, count (2), 0
        sub sp, 10
        mov si, sp
        mov word [ss:si], 0x28
        test byte [bp + frame.eax + 1], 1
        jz .verify
        mov byte [ss:si], 0x2a
.verify: test byte [bp + frame.eax + 1], 4
        jz .block
        mov byte [ss:si], 0x2f
.block: push eax
        call swap
        mov [ss:si + 2], eax
        mov word [ss:si + 6], 0
        mov [ss:si + 8], cl
        mov byte [ss:si + 9], 0
        push bx
        movzx ax, cl
        shl ax, 7                       ; double words
        mov cl, [bx + disk.id]
        mov bx, ax
        call execute
        pop bx
        mov dl, al
        pop eax
        lea sp, [si + 10]
        pop cx
        jnc .none
        dec ch
        jnz .again
        mov ah, 0x80                    ; nobody there
        cmp dl, 0x11
        je .fail
        mov ah, 0x04
.fail:  stc
        ret
.none:  xor ah, ah
        ret

; Size, flags, geometry, sectors, bytes a sector: to the caller's DS:SI.
packet_parameters:
        mov di, [bp + frame.esi]
        mov es, [bp + frame.ds]
        cmp word [es:di], 26
        jb bad
        mov word [es:di], 26
        mov word [es:di + 2], 2         ; the geometry is good
        movzx eax, word [bx + disk.cylinders]
        mov [es:di + 4], eax
        movzx eax, byte [bx + disk.heads]
        mov [es:di + 8], eax
        movzx eax, byte [bx + disk.spt]
        mov [es:di + 12], eax
        mov eax, [bx + disk.total]
        mov [es:di + 16], eax
        mov dword [es:di + 20], 0
        mov word [es:di + 24], 512
        jmp good

ports:  dw 0
first:  db 0xff
count:  db 0
old:    dd 0
table:  times DISKS * disk.size db 0
        times ROM_SIZE - 1 - ($ - header) db 0
        db 0                            ; checksum: the host's
