; A Pentium 4 of about 2005: Windows XP and Server 2003, Linux 2.6, FreeBSD 5 and 6.
[profile]
inherit = generic
summary = a Pentium 4 of about 2005: Windows XP/2003, Linux 2.6, FreeBSD 5/6

[machine]
; The recommended 512 MB of Windows XP [osinfo-db].
memory = 512M

[cpu]
model = pentium4

[net]
; XP and 2003 have a driver for it in the box.
card = pcnet
