; A Pentium III of about 2000: Windows 98, Me, NT 4.0 and 2000, Linux 2.2 and 2.4, FreeBSD 3 and 4.
[profile]
inherit = generic
summary = a Pentium III of about 2000: Windows 98/Me/NT 4.0/2000, Linux 2.2/2.4

[machine]
; Above Windows 2000's recommended 96 MB, far below the 512 MB at which Windows 9x's disk cache fails [KB253912].
memory = 128M

[cpu]
model = pentium3
; NT 4.0 stops with 3Eh when CPUID reports leaves above 3 [VirtualBox NT4LeafLimit; Bochs, guest notes]; the Pentium III has no more.
cpuid-max = 3

[net]
; NT 4.0, 2000, 98 and Me have a driver for it in the box [VirtualBox qcl; KB138630].
card = pcnet
