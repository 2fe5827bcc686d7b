; NetWare 4 to 6.
[profile]
inherit = generic-2000
summary = NetWare 4, 5 and 6

[machine]
; NetWare 5 and 6 want 128 MB and more [VirtualBox, recommended machines].
memory = 256M
acpi = no
utc = no

[cpu]
model = pentium2

[net]
; PCNTNW.LAN; DC21X4.LAN is there too, but its settings let TCP/IP crash the server [Virtual PC, notes on NetWare].
card = pcnet

[stop]
power-button = no
