; Xenix 286 and 386.
[profile]
inherit = generic-1990
summary = Xenix

[machine]
memory = 4M

[cpu]
; Of its time; Xenix 286 runs in the protected mode of a 286, which a 386 has.
model = 386
