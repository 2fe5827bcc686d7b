; Minix 1.5 to 3.
[profile]
inherit = generic-1990
summary = Minix 1.5 to 3

[machine]
; Minix 2 addresses 16 MB in its 386 mode; Minix 3 is content with it.
memory = 16M
; Minix takes the clock for local time unless told otherwise.
utc = no

[net]
; dp8390, the NE2000's driver, is in all since 1.5.
card = ne2000
