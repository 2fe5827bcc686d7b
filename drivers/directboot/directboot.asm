; Starts a kernel that the host named: an option ROM with a bootstrap entry vector. The host puts a plan at its end: blobs
; that fw_cfg's DMA interface copies to where the kernel wants them, and how to jump in. Runs on a 386.
; References: [Linux-boot] the Linux/x86 boot protocol; [Multiboot] Multiboot Specification 0.6.96; [BBS] section 3.3.
        bits 16
        org 0

ROM_SIZE        equ 1024
DESCRIPTOR      equ 0x7c00              ; scratch in low memory: the DMA descriptor
MMAP            equ 0x8800              ; multiboot memory map, 24 bytes an entry
MMAP_END        equ 0x9000
DMA_HIGH        equ 0x514
DMA_LOW         equ 0x518

header: db 0x55, 0xaa, ROM_SIZE / 512
        mov ax, 0x20                    ; PnP: an IPL device
        retf
        times 0x18 - ($ - header) db 0
        dw 0, pnp

        align 16, db 0
pnp:    db '$PnP', 1, 2
        dw 0
        db 0, 0                         ; checksum: the host's
        dd 0
        dw 0, name
        db 0, 0, 0, 0
        dw 0, 0, boot, 0, 0
name:   db 'Holdover direct boot', 0

boot:   cld
        push cs
        pop ds
        xor ax, ax
        mov es, ax
        mov si, plan.blobs
        mov cx, [plan.count]
.blob:  jcxz .loaded
        mov eax, [si]                   ; selector, length, address
        shl eax, 16
        mov al, 0x0a                    ; select and read
        call swap
        mov [es:DESCRIPTOR], eax
        mov eax, [si + 4]
        call swap
        mov [es:DESCRIPTOR + 4], eax
        mov dword [es:DESCRIPTOR + 8], 0
        mov eax, [si + 8]
        call swap
        mov [es:DESCRIPTOR + 12], eax
        mov dx, DMA_HIGH
        xor eax, eax
        out dx, eax
        mov dx, DMA_LOW
        mov eax, DESCRIPTOR
        call swap
        out dx, eax
.wait:  cmp dword [es:DESCRIPTOR], 0
        jne .wait
        add si, 12
        dec cx
        jmp .blob
.loaded:
        cmp dword [plan.kind], 0
        jne multiboot

        cli                             ; Linux: all segments at the setup code, entry 20h paragraphs further
        mov ax, [plan.target]
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov sp, 0xe000
        mov bx, ax
        add bx, 0x20
        mov ds, ax
        push bx
        push word 0
        retf

; eax with its bytes reversed; BSWAP came with the 486
swap:   xchg al, ah
        rol eax, 16
        xchg al, ah
        ret

multiboot:
        mov di, MMAP
        xor ebx, ebx
.range: mov eax, 0xe820
        mov edx, 0x534d4150
        mov ecx, 20
        mov dword [es:di], 20
        add di, 4
        int 0x15
        jc .done
        cmp eax, 0x534d4150
        jne .done
        cmp dword [es:di + 16], 1       ; RAM that starts at 1 MiB: mem_upper in KiB
        jne .kept
        cmp dword [es:di], 0x100000
        jne .kept
        cmp dword [es:di + 4], 0
        jne .kept
        mov eax, [es:di + 8]
        shr eax, 10
        mov bp, [plan.info]
        mov [es:bp + 8], eax
.kept:  add di, 20
        test ebx, ebx
        jz .end
        cmp di, MMAP_END - 24
        jb .range
        jmp .end
.done:  sub di, 4
.end:   mov bp, [plan.info]
        sub di, MMAP
        movzx eax, di
        mov [es:bp + 44], eax
        mov dword [es:bp + 48], MMAP
        int 0x12
        movzx eax, ax
        mov [es:bp + 4], eax

        cli
        mov edi, [plan.target]
        movzx ebx, bp
        xor eax, eax                    ; GDT's linear address: our segment
        mov ax, cs
        shl eax, 4
        lea ecx, [eax + gdt]
        mov dword [es:DESCRIPTOR + 2], ecx
        mov word [es:DESCRIPTOR], gdt.end - gdt - 1
        lgdt [es:DESCRIPTOR]
        lea ecx, [eax + flat]
        mov [es:DESCRIPTOR + 8], ecx
        mov word [es:DESCRIPTOR + 12], 8
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword far [es:DESCRIPTOR + 8]

        bits 32
flat:   mov ax, 16
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov esp, DESCRIPTOR
        mov eax, 0x2badb002
        jmp edi

        align 8, db 0
gdt:    dq 0
        dq 0x00cf9a000000ffff           ; flat code, then data
        dq 0x00cf92000000ffff
.end:

        times ROM_SIZE - 256 - ($ - header) db 0
plan:
.kind:  dd 0                            ; 0 Linux, 1 Multiboot
.count: dd 0
.target: dd 0                           ; Linux: the setup segment; Multiboot: the entry
.info:  dd 0                            ; Multiboot: the information structure, below 64 KiB
.blobs: times 256 - 16 db 0             ; (selector, length, address) each
