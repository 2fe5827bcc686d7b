; NetWare 3.11 and 3.12.
[profile]
inherit = generic-1995
summary = NetWare 3.11 and 3.12

[machine]
; More than 64 MB is not found without a REGISTER MEMORY command.
memory = 64M
utc = no

[cpu]
; Any 386 or 486; the speed rating at the start is all that looks at it.
model = pentium

[net]
; NE2000.LAN comes with every NetWare.
card = ne2000
