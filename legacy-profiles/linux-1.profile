; Linux 0.9x and 1.x.
[profile]
inherit = generic-linux-2.2
summary = Linux 0.9x and 1.x (Slackware 1 to 3, Debian 0.9x and 1)

[machine]
; INT 15h/88h tells up to 64 MB, and kernels before 1.3 map less with ease.
memory = 16M

[cpu]
; CPU identification ends with the Pentium.
model = pentium

[net]
; ne is in every kernel since 0.99; lance knows no PCI before 1.3.
card = ne2000
