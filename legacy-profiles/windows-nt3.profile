; Windows NT 3.1, 3.5 and 3.51.
[profile]
inherit = generic-1995
summary = Windows NT 3.1, 3.5 and 3.51

[machine]
; What 64 MB and the Standard PC HAL need; more than 64 MB is not told by the BIOS calls it makes [v86, notes on Windows NT].
memory = 64M
acpi = no
utc = no

[cpu]
; Set-up of 3.1 and 3.5 refuses families above 5; 3.51 with an MP HAL stops with 7F on family 6 [KB151212, KB137585].
model = pentium

[net]
; PCnet's driver hangs on 3.51 and earlier in places [KB121850]; the NE2000's is in the box.
card = ne2000
