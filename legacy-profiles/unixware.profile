; UnixWare 1 to 7.
[profile]
inherit = generic-2000
summary = UnixWare 1 to 7

[machine]
memory = 128M
acpi = no
utc = no

[cpu]
model = pentium2

[net]
; pnt, AMD PCnet's driver, is in the box.
card = pcnet

[stop]
power-button = no
